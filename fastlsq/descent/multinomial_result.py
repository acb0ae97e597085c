# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""What a multinomial logistic model says of its parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fastlsq._core import lib
from fastlsq.descent import newton
from fastlsq.descent.fitted import Fitted, lengths, null_space

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class MultinomialResult(Fitted):
    """A fitted multinomial logistic model: P(class c) is proportional to exp(intercept_c + x coef_c).

    Attributes
    ----------
    classes : ndarray, shape (k,)
        Sorted labels.
    coef : ndarray, shape (k, p)
    intercept : ndarray, shape (k,)
        Without a penalty relative to the first class, whose are 0; with one they sum to zero over the classes, which is
        its minimum.
    standard_errors : ndarray, shape (k, number of parameters), the intercept first
        Of a fit without a penalty; NaN for the first class.
    deviance, null_deviance, log_likelihood, aic, bic, converged, gradient_norm, reason, history, separation, aliased
        As in GLMResult.
    """

    _ends_axis = 2

    def __init__(self, model, progress, classes, names, shares, alpha, inference):
        self._take(model, progress, names, alpha, inference)
        self.classes = classes
        self.param_names = (["intercept"] if self.has_intercept else []) + self.names
        k, p = classes.size, len(self.names)
        slopes, intercepts = model.in_user_units(progress.point.b)
        coef, level = np.zeros((k, p)), np.zeros(k)
        shortest = null_space(model, progress) if self.aliased else None
        if shortest is not None:
            moved = slopes - shortest.apply(slopes.T).T
            intercepts = intercepts + moved @ shortest.mean
            slopes = slopes - moved
        coef[1:], level[1:] = slopes, intercepts
        if self.penalized:
            coef, level = coef - coef.mean(axis=0), level - level.mean()
        self.coef, self.intercept = coef, level if self.has_intercept else np.zeros(k)
        self.deviance = 2.0 * progress.point.loss
        present = shares[shares > 0]
        log_null = float(present @ np.log(present)) if self.has_intercept else -np.log(k)
        self.null_deviance = -2.0 * self.sum_weights * log_null
        self.df_model = (k - 1) * self.rank
        self.df_resid = self.n_rows - self.df_model - (k - 1) * self.has_intercept
        self.standard_errors = np.full((k, len(self.param_names)), np.nan)
        if self._with_errors and shortest is None:
            try:
                r, exponents = newton.factor_of(progress.hessian)
            except np.linalg.LinAlgError:  # a fit that has not converged
                return
            inverse = np.eye(r.shape[0])
            lib.triangular_solve(r, inverse, False)
            root = np.ldexp(inverse, exponents[:, None])
            for c in range(k - 1):
                own = model.parameter_map() @ root[c * model.lead : (c + 1) * model.lead]
                errors = lengths(own)
                self.standard_errors[c + 1] = np.r_[errors[p:], errors[:p]]

    @property
    def params(self) -> NDArray[np.float64]:
        """Shape (k, number of parameters), the intercept first."""
        return np.column_stack([self.intercept, self.coef]) if self.has_intercept else self.coef

    @property
    def log_likelihood(self) -> float:
        return -0.5 * self.deviance

    loglike = log_likelihood

    @property
    def aic(self) -> float:
        return self.deviance + 2.0 * (self.df_model + (self.classes.size - 1) * self.has_intercept)

    @property
    def bic(self) -> float:
        return self.deviance + np.log(self.n_rows) * (self.df_model + (self.classes.size - 1) * self.has_intercept)

    def predict(self, X: ArrayLike, kind: Literal["response", "link", "class"] = "response") -> NDArray[Any]:
        """Probabilities or predictors, shape (n, k), or the likeliest labels, shape (n,)."""
        if kind not in ("response", "link", "class"):
            raise ValueError(f"kind must be 'response', 'link' or 'class', got {kind!r}")
        eta = self._checked(X) @ self.coef.T + self.intercept
        if kind == "link":
            return eta
        if kind == "class":
            return self.classes[np.argmax(eta, axis=1)]
        from scipy.special import softmax

        return softmax(eta, axis=1)

    def __repr__(self):
        return (f"MultinomialResult({self.classes.size} classes, {self.n_rows} rows, {len(self.names)} columns, "
                f"deviance={self.deviance:.6g}, converged={self.converged})")
