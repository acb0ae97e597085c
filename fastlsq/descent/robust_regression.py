# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""`robust_regression`: M-estimates by iteratively reweighted least squares, the scale estimated."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fastlsq import _arrays, _threads
from fastlsq._core import lib
from fastlsq._inference import ParameterTests
from fastlsq.descent import newton
from fastlsq.descent.families import Family
from fastlsq.descent.fitted import lengths, null_space, parameter_root
from fastlsq.descent.objective import Model, Point

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from fastlsq.descent.glm_summary import RobustSummary

#: tuning constants of 95 % efficiency for normal errors
TUNING = {"huber": 1.345, "bisquare": 4.685}
#: the upper quartile of the normal distribution: median |r| over it estimates the standard deviation
QUARTILE = 0.6744897501960817
#: where Huber's proposal 2 bounds the residuals
PROPOSAL = 2.5
#: sums of squares of a column below which its digits are lost
_SMALLEST_SQUARES = 1e-280
#: residuals below this share of the largest |y| of the half that fits best are rounding
EXACT = 1e-14


class Loss:
    """Weights psi(u)/u, and psi and its derivative, of scaled residuals u."""

    def __init__(self, name, tuning):
        self.name, self.c = name, tuning

    def weights(self, u):
        if self.name == "huber":
            return self.c / np.maximum(np.abs(u), self.c)
        rest = np.maximum(1.0 - (u / self.c) ** 2, 0.0)
        return rest * rest

    def derivative(self, u):
        if self.name == "huber":
            return (np.abs(u) <= self.c).astype(np.float64)
        square = np.minimum((u / self.c) ** 2, 1.0)
        return (1.0 - square) ** 2 - 4.0 * square * (1.0 - square)


def median_scale(r, df, start=None):
    """Median |r| over that of a standard normal variable."""
    return float(np.median(np.abs(r))) / QUARTILE


def proposal_two(r, df, start=None):
    """Huber's proposal 2: s with sum_i min(r_i², (d s)²) = df h s², h as for normal errors."""
    from scipy.special import ndtr

    d = PROPOSAL
    inside = 2.0 * float(ndtr(d)) - 1.0
    # E min(z², d²) of a standard normal z
    h = inside - 2.0 * d * np.exp(-0.5 * d * d) / np.sqrt(2.0 * np.pi) + d * d * (1.0 - inside)
    s = start or median_scale(r, df)
    squares = r * r
    for _ in range(200):
        new = float(np.sqrt(np.minimum(squares, (d * s) ** 2).sum() / (df * h)))
        if abs(new - s) <= 1e-13 * s or new == 0.0:
            return new
        s = new
    return s


SCALES = {"mad": median_scale, "proposal2": proposal_two}


def robust_regression(
    X: Any,
    y: ArrayLike,
    *,
    loss: Literal["huber", "bisquare"] = "huber",
    tuning: float | None = None,
    scale: Literal["mad", "proposal2"] = "mad",
    intercept: bool = True,
    tol: float = 1e-9,
    max_iter: int = 200,
    names: Sequence[str] | None = None,
    n_threads: int | None = None,
) -> RobustResult:
    """Fit a linear model that outliers in y do not carry away: an M-estimate with estimated scale.

    Solves sum_i psi((y_i - intercept - x_i coef)/s) [1, x_i] = 0 together with the equation of the scale s, by
    iteratively reweighted least squares: weights psi(u)/u, one weighted fit, residuals, scale.

    Parameters
    ----------
    X : array_like or data frame, shape (n, p), real
        Any numeric dtype, strides and units of columns; read without a copy.
    y : array_like, shape (n,), real
    loss : {'huber', 'bisquare'}
        Huber's psi(u) = max(-c, min(c, u)), whose answer is the only one for a given scale; Tukey's bisquare
        psi(u) = u (1 - (u/c)²)² for |u| < c, 0 beyond, which starts from Huber's answer.
    tuning : float, optional
        c: by default 1.345 and 4.685, 95 % efficient for normal errors.
    scale : {'mad', 'proposal2'}
        Median absolute residual over 0.6745, or Huber's proposal 2.
    intercept : bool
    tol : float
        Converged when the largest entry of the gradient, in columns of unit length and residuals of unit scale, and the
        relative change of the scale are no larger.
    max_iter : int
        Weighted fits.
    names : sequence of str, optional
    n_threads : int, optional

    Returns
    -------
    RobustResult

    Raises
    ------
    ValueError
        Shapes that do not fit, fewer rows than parameters, non-finite values.
    TypeError
        Complex, sparse, masked or non-numeric input.

    Notes
    -----
    Where half of the residuals or more are zero the scale is 0: the answer is the fit at that point, `scale` 0 and the
    standard errors NaN.  Outliers in X are not guarded against.
    Source: Huber and Ronchetti, Robust Statistics (2009), chapter 7; the standard errors are 'H1' of statsmodels.

    Examples
    --------
    >>> import numpy as np, fastlsq
    >>> x = np.arange(10.0)[:, None]
    >>> y = 2 * x[:, 0] + 1 + 0.1 * np.array([1, -1, 2, 0, -2, 1, 0, -1, 1, 0])
    >>> y[9] = 100
    >>> fit = fastlsq.robust_regression(x, y, loss="bisquare")
    >>> fit.coef.round(2), round(fit.intercept, 2)
    (array([2.]), 1.03)
    """
    n_threads = _threads.resolve(n_threads)
    if loss not in TUNING:
        raise ValueError(f"loss must be 'huber' or 'bisquare', got {loss!r}")
    if scale not in SCALES:
        raise ValueError(f"scale must be 'mad' or 'proposal2', got {scale!r}")
    tuning = TUNING[loss] if tuning is None else tuning
    for name, value in (("tuning", tuning), ("tol", tol)):
        if not _arrays.is_number(value):
            raise TypeError(f"{name} must be a number, got {value!r}")
        if not 0 < value < np.inf:
            raise ValueError(f"{name} must be > 0 and finite, got {value}")
    max_iter = _arrays.at_least_one(max_iter, "max_iter")
    x = _arrays.matrix(X, "X")
    n, p = x.shape
    names = _arrays.column_names(X, names, p)
    y = np.ascontiguousarray(_arrays.one_target(y, "y", n, "X")[:, 0], np.float64)
    if n == 0:
        raise ValueError("X has no rows")
    if p + bool(intercept) == 0:
        raise ValueError("X has no columns, and there is no intercept")
    _arrays.check_finite(y=y[:, None])
    # y in units near 1: squares of residuals are then numbers
    exponent = int(np.frexp(np.abs(y).max())[1])
    target = np.ldexp(y, -exponent)
    model = Model.of(x, target, None, None, Family("gaussian", "identity"), 1, bool(intercept), n_threads)
    fit = _Reweighted(model, scale, tol, max_iter)
    if not fit.begin(_SMALLEST_SQUARES):
        _arrays.check_finite(X=x)
        fit = _Reweighted(model.rescaled(), scale, tol, max_iter)
        if not fit.begin(-1.0):
            raise ValueError("X is too large for its squares to be summed")
    df = n - int(fit.active.sum())
    if df <= 0:
        raise ValueError(f"X has {n} rows for {int(fit.active.sum())} parameters: more rows than parameters are needed")
    if loss == "bisquare":
        fit.run(Loss("huber", TUNING["huber"]), df, most=10)
    fit.run(Loss(loss, float(tuning)), df)
    result = RobustResult(fit, Loss(loss, float(tuning)), scale, names, df, exponent)
    if not result.converged:
        warnings.warn(f"robust_regression: {result.reason}", RuntimeWarning, stacklevel=2)
    return result


class _Reweighted:
    """Iteratively reweighted least squares, in packed units."""

    def __init__(self, model, scale, tol, max_iter):
        self.model, self.find_scale, self.tol, self.max_iter = model, SCALES[scale], tol, max_iter
        self.history, self.passes, self.converged, self.reason = [], 0, False, ""
        self.n = model.x.shape[0]

    def moments(self, slope, curvature):
        lead = self.model.lead
        gradient, hessian = np.empty((1, lead)), np.empty((lead, lead))
        lib.glm_pass(self.model.x, None, None, *self.model.arguments(0), self.model.intercept, "given", None, None,
                     self.model.n_threads, None, gradient, hessian, given=(slope, curvature), kernel=self.model.kernel)
        self.passes += 1
        return gradient[0], hessian

    def begin(self, smallest):
        """Least squares; False where sums of squares are no numbers, or `smallest` or less."""
        g, self.whole = self.moments(-self.model.y, np.ones(self.n))
        columns = np.diagonal(self.whole)
        if not (np.isfinite(g).all() and np.isfinite(self.whole).all() and (columns > smallest).all()):
            return False
        self.active = newton.independent(self.model, self.whole, newton.Penalty(None, None, np.eye(1), False))
        self.b = np.zeros(self.model.lead)
        self.step(g, self.whole)
        return True

    def step(self, g, h):
        own = np.flatnonzero(self.active)
        self.b[own] -= newton.solve_definite(h[np.ix_(own, own)], g[own])
        self.r = self.model.y - self.model.predict(self.b[None, :])[:, 0]
        self.passes += 1

    def inner(self):
        """Largest |y| of the rows whose residuals are at most the median: outliers say nothing of rounding."""
        size = np.abs(self.r)
        return max(float(np.abs(self.model.y[size <= np.median(size)]).max()), float(np.finfo(float).tiny))

    def run(self, loss, df, most=None):
        """To the answer for this loss, or `most` steps of the way."""
        self.scale, self.converged, self.reason = self.find_scale(self.r, df), False, ""
        exact = EXACT * max(float(np.abs(self.model.y).max()), float(np.finfo(float).tiny))
        own = np.flatnonzero(self.active)
        for _ in range(most or self.max_iter):
            if self.scale <= exact and self.scale <= EXACT * self.inner():
                self.scale, self.converged = 0.0, True
                self.reason = "half of the residuals or more are 0"
                return
            w = loss.weights(self.r / self.scale)
            g, h = self.moments(-w * self.r, w)
            if not (np.diagonal(h)[own] > 0).all():
                self.reason = "the rows that have a weight do not determine the coefficients"
                return
            norm = float((np.abs(g[own]) / np.sqrt(np.diagonal(self.whole)[own] * self.n)).max()) / self.scale
            self.step(g, h)
            old, self.scale = self.scale, self.find_scale(self.r, df, self.scale)
            change = abs(self.scale - old) / old
            self.history.append({"gradient_norm": norm, "scale": self.scale})
            if norm <= self.tol and change <= self.tol:
                self.converged = True
                return
        if most is None:
            self.reason = (f"not converged in {self.max_iter} iterations: gradient {norm:.2g}, change of the scale "
                           f"{change:.2g}")


class RobustResult(ParameterTests):
    """A robust fit and inference on its parameters.  It holds O(p²) numbers, never the rows.

    Attributes
    ----------
    coef : ndarray, shape (p,)
    intercept : float
        0.0 for a model without one.
    scale : float
        Of the residuals.
    names, param_names : list of str
        Without and with 'intercept' in front; the arrays follow `param_names`.
    standard_errors, t_values, p_values : ndarray
        k² [sum psi²/(n - q)] / [mean psi']² s² (XᵀX)⁻¹ with q parameters and k = 1 + (q/n) var psi'/(mean psi')²;
        tests take the normal distribution.
    n_rows, df_model, df_resid : int
    downweighted : int
        Rows whose weight is below 1/2.
    converged : bool
    reason : str
    history : list of dict
    passes : int
        Reads of X.
    aliased : list of str
        Columns that depend on earlier ones; the coefficients are then of minimum norm.
    """

    def __init__(self, fit, loss, scale, names, df, exponent):
        model = fit.model
        p = len(names)
        self.loss, self.tuning, self.scale_kind = loss.name, loss.c, scale
        self.names, self.has_intercept = list(names), model.intercept
        self.param_names = (["intercept"] if model.intercept else []) + self.names
        self.converged, self.reason, self.history, self.passes = fit.converged, fit.reason, fit.history, fit.passes
        self.n_iter = len(fit.history)
        self.n_rows, self.df_resid = fit.n, df
        self.df_model = int(fit.active[:p].sum())
        self.aliased = [self.names[j] for j in np.flatnonzero(~fit.active[:p])]
        slopes, intercepts = model.in_user_units(fit.b[None, :])
        slopes, level = slopes[0], float(intercepts[0])
        shortest = None
        if self.aliased:
            point = Point(fit.b[None, :], 0.0, fit.b[None, :], fit.whole, None)
            shortest = null_space(model, newton.Progress(point, None, fit.active, hessian=fit.whole))
            moved = slopes - shortest.apply(slopes)
            level, slopes = level + float(shortest.mean @ moved), slopes - moved
        with np.errstate(over="ignore", under="ignore"):
            self.coef = np.ldexp(slopes, exponent)
            self.intercept = float(np.ldexp(level, exponent)) if model.intercept else 0.0
            self.scale = float(np.ldexp(fit.scale, exponent))
        self._root, factor = None, np.nan
        self.downweighted = 0
        if fit.scale > 0:
            u = fit.r / fit.scale
            w = loss.weights(u)
            self.downweighted = int(np.count_nonzero(w < 0.5))
            derivative = loss.derivative(u)
            mean, psi = float(derivative.mean()), w * u
            if mean > 0:
                k = 1.0 + (fit.n - df) / fit.n * float(derivative.var()) / mean**2
                factor = k / mean * np.sqrt(float(psi @ psi) / df) * fit.scale
        if np.isfinite(factor):
            with np.errstate(over="ignore", under="ignore"):
                self._root = np.ldexp(factor * parameter_root(model, fit.whole, fit.active, shortest), exponent)

    @property
    def params(self) -> NDArray[np.float64]:
        return np.r_[self.intercept, self.coef] if self.has_intercept else self.coef

    @cached_property
    def covariance(self) -> NDArray[np.float64]:
        if self._root is None:
            return np.full((len(self.param_names), len(self.param_names)), np.nan)
        return self._root @ self._root.T

    @cached_property
    def standard_errors(self) -> NDArray[np.float64]:
        if self._root is None:
            return np.full(len(self.param_names), np.nan)
        errors = lengths(self._root)
        return np.where(errors > 0, errors, np.nan)

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Fitted values, shape (n,)."""
        x = _arrays.matrix(X, "X")
        if x.shape[1] != len(self.names):
            raise ValueError(f"X has {x.shape[1]} columns, the model has {len(self.names)}")
        return x @ self.coef + self.intercept

    def row_weights(self, X: ArrayLike, y: ArrayLike) -> NDArray[np.float64]:
        """Weights psi(u)/u of rows, shape (n,): near 0 for outliers.  ValueError where the scale is 0."""
        if not self.scale > 0:
            raise ValueError("the scale is 0: there are no weights")
        fitted = self.predict(X)
        y = _arrays.one_target(y, "y", fitted.shape[0], "X")[:, 0].astype(np.float64)
        return Loss(self.loss, self.tuning).weights((y - fitted) / self.scale)

    def summary(self, level: float = 0.95) -> RobustSummary:
        """Table of coefficients, standard errors and tests: prints as text, shows as HTML in notebooks."""
        from fastlsq.descent.glm_summary import RobustSummary

        return RobustSummary(self, level)

    def __repr__(self):
        return (f"RobustResult({self.loss}, {self.n_rows} rows, {len(self.names)} columns, scale={self.scale:.6g}, "
                f"converged={self.converged})")
