# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""`ols`: ordinary and weighted least squares with classical inference."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fastlsq import _arrays, _threads
from fastlsq.solve.ladder import solve
from fastlsq.solve.lapack import lapack_solver
from fastlsq.solve.moments import Problem

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from fastlsq.gram.summary import Summary


def ols(
    X: Any,
    y: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    intercept: bool = True,
    names: Sequence[str] | None = None,
    accuracy: Literal["fast", "qr", "full"] = "qr",
    n_threads: int | None = None,
) -> OLSResult:
    """Fit y = intercept + X coef by (weighted) least squares.

    Minimises sum_i w_i (y_i - intercept - x_i coef)².  One fused pass over the rows, refinement with residuals taken
    from the rows, and escalation (see `lstsq`) for what is not certified.

    Parameters
    ----------
    X : array_like or data frame, shape (n, p), real
        Any numeric dtype and strides; read without a copy.
    y : array_like, shape (n,) or (n, 1), real
    weights : array_like, shape (n,), optional
        Non-negative.  Coefficients are those of rows repeated w times; standard errors take w as relative precisions
        (residual degrees of freedom count rows with w > 0).
    intercept : bool
    names : sequence of str, optional
        Column names; by default those of the data frame, else x0, x1, ...
    accuracy : {'fast', 'qr', 'full'}
        As in `lstsq`: 'full' settles the last bit of the coefficients.
    n_threads : int, optional

    Returns
    -------
    OLSResult

    Raises
    ------
    ValueError
        Shapes that do not fit, no rows, non-finite values, bad weights.
    TypeError
        Complex, sparse, masked or non-numeric input.

    Examples
    --------
    >>> import numpy as np, fastlsq
    >>> x = np.array([[1.0], [2.0], [3.0], [4.0]])
    >>> fit = fastlsq.ols(x, [2.1, 3.9, 6.2, 7.8])
    >>> fit.coef.round(3), round(fit.intercept, 3), round(fit.r_squared, 4)
    (array([1.94]), 0.15, 0.9957)
    """
    n_threads = _threads.resolve(n_threads)
    _arrays.check_accuracy(accuracy)
    x = _arrays.matrix(X, "X")
    n, p = x.shape
    y = _arrays.one_target(y, "y", n, "X")
    weights = _arrays.row_weights(weights, n, "X")
    names = _arrays.column_names(X, names, p)
    if n == 0:
        raise ValueError("X has no rows")
    if p == 0:
        raise ValueError("X has no columns")
    problem = Problem(x, y, weights, bool(intercept), n_threads, ("X", "y"))
    solution = solve(problem, lapack_solver(), accuracy=accuracy)
    return OLSResult(solution, names, n if weights is None else int(np.count_nonzero(weights)))


class OLSResult:
    """A fitted linear model and its classical inference (errors independent, of one variance).

    Attributes
    ----------
    coef : ndarray, shape (p,)
    intercept : float
        0.0 for a model without one.
    names, param_names : list of str
        Without and with 'intercept' in front; the arrays `params`, `standard_errors`, `t_values`, `p_values` and
        `conf_int()` follow `param_names`.
    n_rows : int
        Rows with a weight above 0.
    df_model, df_resid : int
        rank without the intercept; n_rows - rank - intercept.
    rss, tss : float
        Residual and total sum of squares, weighted; the total about the mean when there is an intercept.  For |y| near
        1e-160 or 1e155 they leave the range of float64; what is computed from their ratio or root does not.
    sigma : float
        Residual standard error, sqrt(rss/df_resid).
    aliased : list of str
        Columns that depend on earlier ones (not searched for when there are fewer rows than columns).  A
        rank-deficient fit has the coefficients of minimum norm, and the standard errors are those of that estimator,
        NaN for a constant column.
    info : SolveInfo
    """

    def __init__(self, solution, names, n_rows):
        self.coef = solution.coef[:, 0]
        self.has_intercept = bool(solution.has_intercept)
        self.intercept = float(solution.intercept[0]) if self.has_intercept else 0.0
        self.names = list(names)
        self.param_names = (["intercept"] if self.has_intercept else []) + self.names
        self.n_rows = int(n_rows)
        self.sum_weights = float(solution.sum_weights)
        self.df_model = solution.info.rank
        self.df_resid = self.n_rows - self.df_model - self.has_intercept
        self._sums = float(solution.scaled_rss[0]), float(solution.scaled_tss[0])  # in units of 4^_y_exponent
        self._y_exponent = int(solution.y_exponents[0])
        self.info = solution.info
        self.info.name_aliased(self.names)
        self.aliased = list(self.info.aliased_names)
        self._root = solution.root()  # (H, e): (XᵀWX)⁻¹ of the (centred) rows is (2^e H)(2^e H)ᵀ
        self._mean = solution.mean

    @property
    def params(self) -> NDArray[np.float64]:
        return np.r_[self.intercept, self.coef] if self.has_intercept else self.coef

    @property
    def rss(self) -> float:
        return self._sum_of_squares(0)

    @property
    def tss(self) -> float:
        return self._sum_of_squares(1)

    def _sum_of_squares(self, which):
        with np.errstate(over="ignore", under="ignore"):
            return float(np.ldexp(self._sums[which], 2 * self._y_exponent))

    @property
    def sigma(self) -> float:
        with np.errstate(over="ignore", under="ignore"):
            return float(np.ldexp(self._scaled_sigma(), self._y_exponent))

    def _scaled_sigma(self):
        return float(np.sqrt(self._sums[0] / self.df_resid)) if self.df_resid > 0 else np.nan

    @cached_property
    def covariance(self) -> NDArray[np.float64]:
        """ndarray over `param_names`: sigma² (XᵀWX)⁻¹, the pseudo-inverse for a rank-deficient fit."""
        root, exponents = self._root
        inverse = root @ root.T
        if self.has_intercept:
            # slopes: M⁻¹ of the centred columns; intercept = mean(y) - mean(x) slopes
            cross = -inverse @ np.ldexp(self._mean, exponents)
            inverse = np.block([[np.full((1, 1), self._intercept_variance()), cross[None, :]],
                                [cross[:, None], inverse]])
            exponents = np.r_[0, exponents]
        sigma, own = np.frexp(self._scaled_sigma())  # entries of the inverse may be as large as float64 allows
        exponents = exponents + self._y_exponent + own
        with np.errstate(over="ignore", under="ignore"):
            return np.ldexp(sigma**2 * inverse, exponents[:, None] + exponents[None, :])

    @cached_property
    def standard_errors(self) -> NDArray[np.float64]:
        root, exponents = self._root
        variances = np.einsum("ij,ij->i", root, root)
        errors = np.sqrt(variances)
        errors[variances <= np.finfo(float).eps ** 2 * variances.max(initial=0.0)] = np.nan  # says nothing about y
        if self.has_intercept:
            errors, exponents = np.r_[np.sqrt(self._intercept_variance()), errors], np.r_[0, exponents]
        with np.errstate(over="ignore", under="ignore"):
            return np.ldexp(self._scaled_sigma() * errors, exponents + self._y_exponent)

    def _intercept_variance(self):
        """1/w + mean(x)ᵀ M⁻¹ mean(x), in units of sigma²."""
        root, exponents = self._root
        projected = root.T @ np.ldexp(self._mean, exponents)
        return 1.0 / self.sum_weights + projected @ projected

    @cached_property
    def t_values(self) -> NDArray[np.float64]:
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.params / self.standard_errors

    @cached_property
    def p_values(self) -> NDArray[np.float64]:
        from scipy.special import stdtr

        if self.df_resid <= 0:
            return np.full(len(self.param_names), np.nan)
        return 2.0 * stdtr(self.df_resid, -np.abs(self.t_values))

    def conf_int(self, level: float = 0.95) -> NDArray[np.float64]:
        """Confidence intervals, shape (number of parameters, 2)."""
        from scipy.special import stdtrit

        if not 0 < level < 1:
            raise ValueError(f"level must be between 0 and 1, got {level}")
        if self.df_resid <= 0:
            return np.full((len(self.param_names), 2), np.nan)
        with np.errstate(over="ignore", invalid="ignore"):  # coefficients that float64 cannot hold are infinite
            half = stdtrit(self.df_resid, 0.5 + level / 2) * self.standard_errors
            return np.column_stack([self.params - half, self.params + half])

    @property
    def r_squared(self) -> float:
        rss, tss = self._sums
        return 1.0 - rss / tss if tss > 0 else np.nan

    @property
    def adj_r_squared(self) -> float:
        total = self.n_rows - self.has_intercept
        return 1.0 - (1.0 - self.r_squared) * total / self.df_resid if self.df_resid > 0 else np.nan

    @property
    def f_value(self) -> float:
        if self.df_model == 0 or self.df_resid <= 0:
            return np.nan
        rss, tss = self._sums
        with np.errstate(divide="ignore", invalid="ignore"):
            return float(np.float64(max(tss - rss, 0.0) / self.df_model) / (rss / self.df_resid))

    @property
    def f_p_value(self) -> float:
        from scipy.special import fdtrc

        if self.df_model == 0 or self.df_resid <= 0:
            return np.nan
        return float(fdtrc(self.df_model, self.df_resid, self.f_value))

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Fitted values, shape (n,), for rows X of shape (n, p)."""
        x = _arrays.matrix(X, "X")
        if x.shape[1] != self.coef.shape[0]:
            raise ValueError(f"X has {x.shape[1]} columns, the model has {self.coef.shape[0]}")
        return x @ self.coef + self.intercept

    def summary(self) -> Summary:
        """Table of coefficients, standard errors, t, p and R²: prints as text, shows as HTML in notebooks."""
        from fastlsq.gram.summary import Summary

        return Summary(self)

    def __repr__(self):
        return (
            f"OLSResult({self.n_rows} rows, {self.coef.shape[0]} columns, R²={self.r_squared:.6g}, "
            f"path={self.info.path!r})"
        )
