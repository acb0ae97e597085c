# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""`ridge_path`: ridge for many alphas from one pass over the rows and one factorization (spectrum.py)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlsq import _arrays
from fastlsq.gram.ridge import checked
from fastlsq.gram.spectrum import Segments, default_alphas
from fastlsq.solve.moments import gather

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray


@dataclass(slots=True)
class RidgePath:
    """Ridge coefficients for many alphas.

    Attributes
    ----------
    alphas : ndarray, shape (m,)
    coef : ndarray, shape (m, p), or (m, p, k) for several targets
    intercept : ndarray, shape (m,) or (m, k)
    rss : ndarray, shape (m,) or (m, k)
        Residual sums of squares, weighted; from moments NaN where below their rounding.
    df : ndarray, shape (m,)
        Effective degrees of freedom, the trace of (M + alpha P)⁻¹M, without the intercept.
    gcv : ndarray, shape (m,) or (m, k)
        Generalised cross-validation, n rss/(n - df - intercept)² (G. H. Golub, M. Heath and G. Wahba, Technometrics 21,
        1979, 215-223), n the number of rows with a weight above 0.
    names : list of str
    """

    alphas: NDArray[np.float64]
    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]
    rss: NDArray[np.float64]
    df: NDArray[np.float64]
    gcv: NDArray[np.float64]
    names: list[str]

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Fitted values of every alpha, shape (m, n) or (m, n, k), for rows X of shape (n, p)."""
        x = _arrays.matrix(X, "X")
        if x.shape[1] != self.coef.shape[1]:
            raise ValueError(f"X has {x.shape[1]} columns, the model has {self.coef.shape[1]}")
        return np.matmul(x, self.coef[:, :, None] if self.coef.ndim == 2 else self.coef).reshape(
            (self.alphas.size, x.shape[0], *self.coef.shape[2:])
        ) + np.expand_dims(self.intercept, 1)

    def __repr__(self):
        low, high = self.alphas.min(), self.alphas.max()
        return f"RidgePath({self.alphas.size} alphas from {low:.3g} to {high:.3g}, {len(self.names)} columns)"


def ridge_path(
    X: Any,
    y: ArrayLike,
    alphas: ArrayLike | None = None,
    *,
    penalty: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    intercept: bool = True,
    names: Sequence[str] | None = None,
    n_threads: int | None = None,
) -> RidgePath:
    """Ridge coefficients for many alphas: one pass over the rows, one factorization.

    Minimises sum_i w_i (y_i - intercept - x_i b)² + alpha bᵀP b for every alpha.

    Parameters
    ----------
    X : array_like or data frame, shape (n, p), real
    y : array_like, shape (n,) or (n, k), real
    alphas : array_like, shape (m,), optional
        At least 0; by default 100 from 1e-8 to 1e4 times the mean sum of squares of the penalised columns (about their
        means with an intercept), those with a large part in P counting for less.
    penalty, weights, intercept, names, n_threads
        As in `ridge`.

    Returns
    -------
    RidgePath
        From the moments alone: relative errors of about u*condition² of the rows with the penalty.  `ridge` with the
        alpha of choice refines.

    Raises
    ------
    ValueError, TypeError
        As in `ridge`.

    Examples
    --------
    >>> import numpy as np, fastlsq
    >>> X = np.array([[1.0], [2.0], [3.0]])
    >>> fastlsq.ridge_path(X, [1.0, 2.0, 3.0], [0.0, 2.0]).coef.round(3)
    array([[1. ],
           [0.5]])
    """
    problem, names, penalty = checked(X, y, weights, intercept, names, penalty, n_threads)
    equations = gather(problem)
    return path_of(equations, chosen_alphas(alphas, equations, penalty), penalty, names, problem.n_weighted)


def chosen_alphas(alphas, equations, penalty):
    """The alphas given, or those that matter."""
    if alphas is not None:
        return _arrays.ridge_alphas(alphas)
    with np.errstate(over="ignore", under="ignore"):
        squares = np.ldexp(np.diagonal(equations.m), -2 * equations.units.exponents[: equations.p])
    weights = penalty if penalty.ndim == 1 else np.diagonal(penalty)
    count = float(weights.sum())
    return default_alphas(float(squares[weights > 0].sum()) / count if count > 0 else 1.0)


def path_of(equations, alphas, penalty, names, n_rows):
    """`RidgePath` from moments."""
    segments = Segments(equations, alphas, penalty)
    return finished(segments, segments.squares(), names, n_rows)


def finished(segments, squares, names, n_rows):
    """`RidgePath` with these sums of squares (m x k, packed units)."""
    coef, intercept, rss = segments.in_users_units(squares)
    rest = n_rows - segments.df - segments.equations.intercept
    with np.errstate(divide="ignore", invalid="ignore"):
        gcv = np.where(rest > 0, n_rows / rest**2, np.nan)[:, None] * rss
    if coef.shape[2] == 1:
        coef, intercept, rss, gcv = coef[:, :, 0], intercept[:, 0], rss[:, 0], gcv[:, 0]
    return RidgePath(segments.alphas, coef, intercept, rss, segments.df, gcv, list(names))
