# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""`OLSResult`: what a fit says of its parameters.  It holds O(p²) numbers, never the rows."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fastlsq import _arrays, _threads
from fastlsq._inference import ParameterTests
from fastlsq.gram.frame import Frame
from fastlsq.gram.prediction import Prediction, predict
from fastlsq.gram.robust import check_request, checked_rows, polish_if_needed, robust_meat
from fastlsq.gram.wald import WaldTest, robust_f, wald_test

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from fastlsq.gram.influence import Influence
    from fastlsq.gram.summary import Summary

class OLSResult(ParameterTests):
    """A fitted linear model and inference on its parameters.

    With several targets an array has one more axis for them at its end, of length k, and what is a float here is an
    array of k; `covariance` has it first.

    Attributes
    ----------
    coef : ndarray, shape (p,)
    intercept : float
        0.0 for a model without one.
    names, param_names : list of str
        Without and with 'intercept' in front; the arrays `params`, `standard_errors`, `t_values`, `p_values` and
        `conf_int()` follow `param_names`.
    targets : int
        k, the number of targets.
    n_rows : int
        Rows with a weight above 0.
    df_model, df_resid : int
        rank without the intercept; n_rows - rank - intercept.
    df_inference : int
        Degrees of freedom of t and F: df_resid, for clustered errors the number of groups less 1.
    cov_type : str
        'classical' (errors independent, of one variance), 'HC0', 'HC1', 'HC2', 'HC3', 'cluster' or 'HAC'.
    rss, tss : float
        Residual and total sum of squares, weighted; the total about the mean when there is an intercept.  For |y| near
        1e-160 or 1e155 they leave the range of float64; what is computed from their ratio or root does not.
    sigma : float
        Residual standard error, sqrt(rss/df_resid).
    aliased : list of str
        Columns that depend on earlier ones (not searched for when there are fewer rows than columns).  A
        rank-deficient fit has the coefficients of minimum norm, the intercept not among them, and the standard errors
        are those of that estimator, NaN for a constant column.
    info : SolveInfo
    """

    def __init__(self, solution, names, n_rows, sum_log_weights=None):
        self.coefficients = solution.coef
        self.targets = solution.coef.shape[1]
        self.has_intercept = bool(solution.has_intercept)
        self.names = list(names)
        self.param_names = (["intercept"] if self.has_intercept else []) + self.names
        self.n_rows = int(n_rows)
        self.sum_weights = float(solution.sum_weights)
        self.df_model = solution.info.rank
        self.df_resid = self.df_inference = self.n_rows - self.df_model - self.has_intercept
        self.y_exponents = np.broadcast_to(np.asarray(solution.y_exponents, np.int64), self.targets).copy()
        self._intercepts = np.asarray(solution.intercept, np.float64) if self.has_intercept else np.zeros(self.targets)
        self._rss = np.asarray(solution.scaled_rss, np.float64)  # in units of 4^y_exponents
        self._tss = np.asarray(solution.scaled_tss, np.float64)
        if sum_log_weights is None:  # unweighted rows, or sums that have not kept them
            sum_log_weights = 0.0 if self.sum_weights == self.n_rows else np.nan
        self._sum_log_weights = float(sum_log_weights)
        self.info = solution.info
        self.info.name_aliased(self.names)
        self.aliased = list(self.info.aliased_names)
        self.frame = Frame.of(solution)
        self._meat = None

    # ---- shapes: one target has no axis for it -----------------------------------------------------------------------

    def shown(self, values):
        if self.targets != 1:
            return values
        return float(values[0]) if np.ndim(values) == 1 else values[..., 0]

    @property
    def full_rank(self):
        return self.df_model == len(self.names)

    @property
    def cov_type(self) -> str:
        return "classical" if self._meat is None else self._meat.kind

    @property
    def cov_words(self) -> str:
        """The kind of covariance with its numbers of lags or groups."""
        return "classical" if self._meat is None else self._meat.words

    @property
    def coef(self) -> NDArray[np.float64]:
        return self.shown(self.coefficients)

    @property
    def intercept(self) -> float:
        return self.shown(self._intercepts)

    def parameters(self):
        return np.vstack([self._intercepts, self.coefficients]) if self.has_intercept else self.coefficients

    @property
    def params(self) -> NDArray[np.float64]:
        return self.shown(self.parameters())

    def _sum_of_squares(self, values):
        with np.errstate(over="ignore", under="ignore"):
            return self.shown(np.ldexp(values, 2 * self.y_exponents))

    @property
    def rss(self) -> float:
        return self._sum_of_squares(self._rss)

    @property
    def tss(self) -> float:
        return self._sum_of_squares(self._tss)

    @property
    def sigma(self) -> float:
        with np.errstate(over="ignore", under="ignore"):
            return self.shown(np.ldexp(self.scaled_sigma(), self.y_exponents))

    def scaled_sigma(self):
        """In units of 2^y_exponents."""
        return np.sqrt(self._rss / self.df_resid) if self.df_resid > 0 else np.full(self.targets, np.nan)

    # ---- covariance of the parameters --------------------------------------------------------------------------------

    def meat_of(self, target):
        """(M, e): the covariance of the coordinates is M 4^e."""
        if self._meat is not None:
            return self._meat.values[target], int(self._meat.exponents[target])
        return self.scaled_sigma()[target] ** 2 * np.eye(self.frame.columns), int(self.y_exponents[target])

    @cached_property
    def covariance(self) -> NDArray[np.float64]:
        """ndarray over `param_names`: sigma² (XᵀWX)⁻¹, the pseudo-inverse for a rank-deficient fit, or a sandwich."""
        a, exponents = self.frame.parameter_root()
        found = []
        for t in range(self.targets):
            meat, own = self.meat_of(t)
            # entries may be as large as float64 allows
            more = int(np.frexp(np.sqrt(np.abs(meat).max(initial=0.0)))[1]) if np.isfinite(meat).all() else 0
            places = exponents + own + more
            with np.errstate(over="ignore", under="ignore"):
                middle = a @ np.ldexp(meat, -2 * more) @ a.T
                found.append(np.ldexp((middle + middle.T) / 2, places[:, None] + places[None, :]))
        return found[0] if self.targets == 1 else np.array(found)

    @cached_property
    def standard_errors(self) -> NDArray[np.float64]:
        a, exponents = self.frame.parameter_root()
        lengths = np.einsum("ij,ij->i", a, a)
        if self._meat is None:
            errors = np.sqrt(lengths)[:, None] * self.scaled_sigma()
            own = self.y_exponents
        else:
            own = self._meat.exponents
            with np.errstate(invalid="ignore"):  # by two ways of clustering a variance may come out below zero
                errors = np.sqrt(np.einsum("ij,tjk,ik->it", a, self._meat.values, a))
        slopes = lengths[int(self.has_intercept) :]
        silent = slopes <= np.finfo(float).eps ** 2 * slopes.max(initial=0.0)  # says nothing about y
        errors[int(self.has_intercept) :][silent] = np.nan
        with np.errstate(over="ignore", under="ignore"):
            return self.shown(np.ldexp(errors, exponents[:, None] + own))

    # ---- the fit as a whole ------------------------------------------------------------------------------------------

    @property
    def r_squared(self) -> float:
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.shown(np.where(self._tss > 0, 1.0 - self._rss / self._tss, np.nan))

    @property
    def adj_r_squared(self) -> float:
        total = self.n_rows - self.has_intercept
        r_squared = np.atleast_1d(self.r_squared)
        return self.shown(1.0 - (1.0 - r_squared) * total / self.df_resid if self.df_resid > 0 else np.nan * r_squared)

    @property
    def f_value(self) -> float:
        """F of all slopes being zero; with a robust covariance by the Wald test, NaN where that has a lower rank."""
        if self.df_model == 0 or self.df_resid <= 0:
            return self.shown(np.full(self.targets, np.nan))
        if self._meat is not None:
            return self.shown(np.array([robust_f(self, t) for t in range(self.targets)]))
        with np.errstate(divide="ignore", invalid="ignore"):
            explained = np.maximum(self._tss - self._rss, 0.0) / self.df_model
            return self.shown(explained / (self._rss / self.df_resid))

    @property
    def f_p_value(self) -> float:
        from scipy.special import fdtrc

        if self.df_model == 0 or self.df_resid <= 0:
            return self.shown(np.full(self.targets, np.nan))
        return self.shown(fdtrc(self.df_model, self.df_inference, np.atleast_1d(self.f_value)))

    @property
    def log_likelihood(self) -> float:
        """Of normal errors with variances sigma²/w_i, at its maximum:

        -n/2 (log(2 pi rss/n) + 1) + sum_i log(w_i)/2, n the rows with a weight above 0.  NaN for weighted rows of which
        only sums were kept.
        """
        n = self.n_rows
        with np.errstate(divide="ignore"):
            logarithm = np.log(self._rss / n) + 2 * np.log(2.0) * self.y_exponents
        return self.shown(-n / 2 * (np.log(2 * np.pi) + logarithm + 1) + 0.5 * self._sum_log_weights)

    @property
    def aic(self) -> float:
        """-2 log-likelihood + 2 k, with k = df_model + intercept."""
        return -2.0 * self.log_likelihood + 2.0 * (self.df_model + self.has_intercept)

    @property
    def bic(self) -> float:
        """-2 log-likelihood + log(n) k."""
        return -2.0 * self.log_likelihood + np.log(self.n_rows) * (self.df_model + self.has_intercept)

    def wald_test(self, R: ArrayLike, r: ArrayLike = 0.0) -> WaldTest:
        """Test R params = r with the covariance of this result.

        F = (R b - r)ᵀ (R V Rᵀ)⁻¹ (R b - r) / m, with m and df_inference degrees of freedom.

        Parameters
        ----------
        R : array_like, shape (m, number of parameters) or (number of parameters,)
            Columns in the order of `param_names`.
        r : array_like, shape (m,) or a number

        Returns
        -------
        WaldTest
            With fewer degrees of freedom than m where restrictions repeat each other.

        Raises
        ------
        ValueError
            Shapes that do not fit, values that are not finite, restrictions that contradict each other.

        Examples
        --------
        >>> import numpy as np, fastlsq
        >>> X = np.array([[1.0, 0], [2, 1], [3, 0], [4, 1], [5, 1]])
        >>> fit = fastlsq.ols(X, [1.1, 2.3, 2.9, 4.2, 4.8])
        >>> test = fit.wald_test([[0, 1, 0], [0, 0, 1]], [1, 0])
        >>> round(test.f_value, 4), round(test.p_value, 4), test.df_num, test.df_denom
        (3.4675, 0.2238, 2, 2)
        """
        return wald_test(self, R, r)

    # ---- rows --------------------------------------------------------------------------------------------------------

    def predict(
        self,
        X: ArrayLike,
        interval: Literal["mean", "prediction"] | None = None,
        level: float = 0.95,
        *,
        weights: ArrayLike | None = None,
        n_threads: int | None = None,
    ) -> NDArray[np.float64] | Prediction:
        """Fitted values, shape (n,), for rows X of shape (n, p); with an interval a `Prediction`.

        The variance of the mean response at x is [1 x] V [1 x]ᵀ, V the covariance of the parameters; that of an
        observation is sigma²/w larger, w its weight, 1 by default.
        """
        return predict(self, X, interval, level, weights, n_threads)

    def robust(
        self,
        cov: str = "HC3",
        X: Any = None,
        y: ArrayLike | None = None,
        *,
        weights: ArrayLike | None = None,
        groups: Any = None,
        lags: int | None = None,
        n_threads: int | None = None,
    ) -> OLSResult:
        """The same fit with another covariance of its parameters.

        Parameters
        ----------
        cov : {'HC0', 'HC1', 'HC2', 'HC3', 'cluster', 'HAC', 'classical'}
            As in `ols`.
        X, y, weights :
            The rows of the fit, which it does not keep: all but 'classical' sum over residuals of rows.  They are read
            once more to see that the residuals have the same sum of squares as in the fit.
        groups, lags, n_threads :
            As in `ols`.

        Returns
        -------
        OLSResult
        """
        check_request(cov, groups, lags)
        twin = self._twin()
        twin._meat, twin.df_inference = None, self.df_resid
        if cov == "classical":
            return twin
        if X is None or y is None:
            raise ValueError(f"cov={cov!r} needs the rows, which neither a fit nor a Gram keeps: "
                             "pass X and y, and weights if there were any")
        rows = checked_rows(self, X, y, weights, _threads.resolve(n_threads))
        polish_if_needed(twin, rows)
        return twin._with_meat(rows, cov, groups, lags)

    def _with_meat(self, rows, cov, groups, lags):
        self._meat = robust_meat(self, rows, cov, groups, lags)
        self.df_inference = self._meat.df
        return self

    def influence(
        self,
        X: Any,
        y: ArrayLike,
        weights: ArrayLike | None = None,
        *,
        target: int = 0,
        n_threads: int | None = None,
    ) -> Influence:
        """Leverages, deletion residuals, Cook's distances and DFBETAS of the rows of the fit.

        Parameters
        ----------
        X, y, weights :
            The rows of the fit, in any order; ValueError where the sum of their squared residuals is another.
        target : int
            Which of several targets.
        n_threads : int, optional

        Returns
        -------
        Influence
            A leverage above 1 - 2^-40 is 1: without that row there would be no such fit, and its deletion statistics
            are NaN.  Iterate over it for one block of rows after the other, or ask it for whole arrays.
        """
        from fastlsq.gram.influence import Influence

        target = _arrays.target_number(target, "target", self.targets)
        rows = checked_rows(self, X, y, weights, _threads.resolve(n_threads))
        twin = self._twin()
        polish_if_needed(twin, rows)
        return Influence(twin, rows, target)

    def target(self, number: int) -> OLSResult:
        """The result of one target alone."""
        number = _arrays.target_number(number, "target", self.targets)
        twin, own = self._twin(), slice(number, number + 1)
        twin.targets = 1
        for name in ("coefficients", "_intercepts", "_rss", "_tss", "y_exponents"):
            setattr(twin, name, getattr(self, name)[..., own])
        frame = twin.frame
        twin.frame = Frame(frame.root, frame.exponents, frame.intercept, frame.sum_weights, frame.shift,
                           frame.departure, frame.y_shift[own], frame.y_departure[own])
        if self._meat is not None:
            kind = type(self._meat)
            twin._meat = kind(self._meat.kind, self._meat.values[own], self._meat.exponents[own], self._meat.df,
                              self._meat.words)
        return twin

    def summary(self, level: float = 0.95) -> Summary:
        """Table of coefficients, standard errors, t, p and R²: prints as text, shows as HTML in notebooks."""
        from fastlsq.gram.summary import Summary

        return Summary(self, level)

    def _twin(self):
        """A copy without what was derived from the covariance."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__getstate__())
        return twin

    def __getstate__(self):
        derived = ("covariance", "standard_errors", "t_values", "p_values")
        return {name: value for name, value in self.__dict__.items() if name not in derived}

    def __repr__(self):
        targets = "" if self.targets == 1 else f"{self.targets} targets, "
        r_squared = f"{self.r_squared:.6g}" if self.targets == 1 else "".join(
            ["[", ", ".join(f"{value:.6g}" for value in self.r_squared[:4]), ", ...]" if self.targets > 4 else "]"]
        )
        return (
            f"OLSResult({self.n_rows} rows, {len(self.names)} columns, {targets}R²={r_squared}, "
            f"path={self.info.path!r})"
        )
