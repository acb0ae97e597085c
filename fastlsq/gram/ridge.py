# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""`ridge`: least squares with a quadratic penalty, by the ladder of `lstsq`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fastlsq import _arrays, _threads
from fastlsq.solve.moments import Problem
from fastlsq.solve.penalized import solve_ridge

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


def ridge(
    X: Any,
    y: ArrayLike,
    alpha: float | ArrayLike = 1.0,
    *,
    penalty: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    intercept: bool = True,
    names: Sequence[str] | None = None,
    accuracy: Literal["fast", "qr", "full"] = "qr",
    n_threads: int | None = None,
) -> RidgeResult:
    """Fit y = intercept + X coef with a quadratic penalty.

    Minimises sum_i w_i (y_i - intercept - x_i b)² + alpha bᵀP b, the objective of scikit-learn's Ridge; the intercept
    is not penalised.  One fused pass over the rows, refinement with residuals taken from the rows, and escalation (see
    `lstsq`) for what is not certified.

    Parameters
    ----------
    X : array_like or data frame, shape (n, p), real
        Any numeric dtype and strides; read without a copy, but for fewer rows than columns.
    y : array_like, shape (n,) or (n, k), real
    alpha : float or array_like, shape (k,)
        At least 0; one for all targets or one for each.
    penalty : array_like, shape (p,) or (p, p), optional
        P: a factor for each column (0: not penalised), or a symmetric, positive semidefinite matrix.  By default the
        identity.
    weights : array_like, shape (n,), optional
        Non-negative; a weight of 2 counts as the row given twice.
    intercept : bool
    names : sequence of str, optional
        Column names; by default those of the data frame, else x0, x1, ...
    accuracy : {'fast', 'qr', 'full'}
        As in `lstsq`, where alpha is one number.
    n_threads : int, optional

    Returns
    -------
    RidgeResult

    Raises
    ------
    ValueError
        Shapes that do not fit, no rows, non-finite values, bad weights, alpha or penalty.
    TypeError
        Complex, sparse, masked or non-numeric input.

    Notes
    -----
    Where P leaves columns unpenalised that depend on each other, the coefficients are those of minimum norm.  Fewer
    rows than columns, all of them penalised by a diagonal P, are solved in the dual, n x n, on a copy of the rows.

    References
    ----------
    .. [1] A. E. Hoerl and R. W. Kennard, Ridge regression, Technometrics 12 (1970) 55-67.
    .. [2] Å. Björck, Numerical Methods for Least Squares Problems, SIAM, 1996, section 5.3 (the augmented rows).

    Examples
    --------
    >>> import numpy as np, fastlsq
    >>> X = np.array([[1.0, 1.0], [2.0, 2.0], [3.0, 3.0]])
    >>> fastlsq.ridge(X, [2.0, 4.0, 6.0], alpha=1.0).coef.round(3)
    array([0.8, 0.8])
    """
    problem, names, penalty = checked(X, y, weights, intercept, names, penalty, n_threads)
    _arrays.check_accuracy(accuracy)
    alpha = _arrays.ridge_alpha(alpha, problem.shape[2])
    return RidgeResult(solve_ridge(problem, alpha, penalty, accuracy), alpha, penalty, names)


def checked(X, y, weights, intercept, names, penalty, n_threads):
    """(Problem, names, penalty) of the arguments of a function with rows."""
    n_threads = _threads.resolve(n_threads)
    x = _arrays.matrix(X, "X")
    n, p = x.shape
    y, _ = _arrays.targets(y, "y", n, "X")
    weights = _arrays.row_weights(weights, n, "X")
    names, penalty = _arrays.column_names(X, names, p), _arrays.ridge_penalty(penalty, p)
    for size, what in ((n, "rows"), (p, "columns")):
        if size == 0:
            raise ValueError(f"X has no {what}")
    if y.shape[1] == 0:
        raise ValueError("y has no columns")
    if intercept and weights is not None and not weights.any():
        raise ValueError("weights must not all be zero")
    return Problem(x, y, weights, bool(intercept), n_threads, ("X", "y")), names, penalty


class RidgeResult:
    """A linear model fitted with a quadratic penalty.

    Attributes
    ----------
    coef : ndarray, shape (p,), or (p, k) for several targets
    intercept : float, or ndarray of shape (k,)
        0 for a model without one.
    alpha : float or ndarray, shape (k,)
    penalty : ndarray, shape (p,) or (p, p)
        P of the objective, without alpha.
    rss, tss : float, or ndarray of shape (k,)
        Residual and total sum of squares, weighted; the total about the mean when there is an intercept.
    penalty_value : float, or ndarray of shape (k,)
        alpha bᵀP b.
    names : list of str
    info : SolveInfo
        Condition and backward error are those of the rows and a root of the penalty.
    """

    def __init__(self, solution, alpha, penalty, names):
        self._one = solution.coef.shape[1] == 1
        self.coef = solution.coef[:, 0] if self._one else solution.coef
        self.intercept = self._of_targets(solution.intercept if solution.has_intercept else 0.0 * solution.rss)
        self.has_intercept = bool(solution.has_intercept)
        self.alpha, self.penalty, self.names = alpha, penalty, list(names)
        self.rss = self._of_targets(solution.rss)
        with np.errstate(over="ignore", under="ignore"):
            self.tss = self._of_targets(np.ldexp(solution.scaled_tss, 2 * solution.y_exponents))
            pull = penalty[:, None] * solution.coef if penalty.ndim == 1 else penalty @ solution.coef
            self.penalty_value = self._of_targets(alpha * np.einsum("ij,ij->j", solution.coef, pull))
        self.info = solution.info
        self.info.name_aliased(self.names)

    def _of_targets(self, values):
        return float(values[0]) if self._one else values

    @property
    def r_squared(self) -> float | NDArray[np.float64]:
        """1 - rss/tss; NaN where the target is constant."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return 1.0 - np.float64(self.rss) / self.tss if self._one else 1.0 - self.rss / self.tss

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Fitted values, shape (n,) or (n, k), for rows X of shape (n, p)."""
        x = _arrays.matrix(X, "X")
        if x.shape[1] != self.coef.shape[0]:
            raise ValueError(f"X has {x.shape[1]} columns, the model has {self.coef.shape[0]}")
        return x @ self.coef + self.intercept

    def __repr__(self):
        alpha = f"{self.alpha:.4g}" if np.ndim(self.alpha) == 0 else f"{self.alpha.min():.4g}..{self.alpha.max():.4g}"
        return f"RidgeResult(alpha={alpha}, {len(self.names)} columns, path={self.info.path!r})"
