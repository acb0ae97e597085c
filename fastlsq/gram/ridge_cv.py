# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""`ridge_cv`: the alpha of ridge by exact leave-one-out, generalised or K-fold cross-validation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fastlsq import _arrays
from fastlsq.gram.folds import check_weights, folds_of, mean_squared_errors, moments_of
from fastlsq.gram.ridge import RidgeResult
from fastlsq.gram.ridge_path import checked, chosen_alphas
from fastlsq.gram.spectrum import DualSpectrum, Segments, leave_one_out
from fastlsq.gram.state import sum_of_weights, weighted_rows
from fastlsq.solve.moments import gather
from fastlsq.solve.penalized import solve_ridge

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class RidgeCVResult(RidgeResult):
    """A `RidgeResult` for the alpha that cross-validation has chosen.

    Attributes
    ----------
    alphas : ndarray, shape (m,)
    scores : ndarray, shape (m,) or (m, k)
        Mean squared error of prediction for every alpha, weighted if weights were given.
    """

    alphas: NDArray[np.float64]
    scores: NDArray[np.float64]

    def __repr__(self):
        return super().__repr__().replace("RidgeResult", "RidgeCVResult")


def ridge_cv(
    X: Any,
    y: ArrayLike,
    alphas: ArrayLike | None = None,
    *,
    cv: Literal["loo", "gcv"] | int | ArrayLike | Iterable[tuple[ArrayLike, ArrayLike]] = "loo",
    alpha_per_target: bool = False,
    penalty: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    intercept: bool = True,
    names: Sequence[str] | None = None,
    accuracy: Literal["fast", "qr", "full"] = "qr",
    n_threads: int | None = None,
) -> RidgeCVResult:
    """Choose alpha by cross-validation, then fit as `ridge` does.

    The objective is that of `ridge`, sum_i w_i (y_i - intercept - x_i b)² + alpha bᵀP b; the score of an alpha is the
    weighted mean of (y_i - prediction)², row i left out of the fit; or the mean over the folds of that of their rows.

    Parameters
    ----------
    X : array_like or data frame, shape (n, p), real
    y : array_like, shape (n,) or (n, k), real
    alphas : array_like, shape (m,), optional
        As in `ridge_path`.
    cv : {'loo', 'gcv'}, int, array_like of shape (n,), or iterable of (train, test)
        'loo': every row left out in turn, exactly, in one more pass over the rows for every six decades of alphas.
        'gcv': generalised cross-validation, from the moments alone.  A number: that many folds of consecutive rows.
        An array: a label for every row.  Or pairs of row numbers or masks, also from an object with a method `split`.
        Folds that part the rows need one pass over them, whatever their number.
    alpha_per_target : bool
        Choose an alpha for each target, not one for the mean over the targets.
    penalty, weights, intercept, names, accuracy, n_threads
        As in `ridge`.

    Returns
    -------
    RidgeCVResult

    Raises
    ------
    ValueError, TypeError
        As in `ridge`.

    Notes
    -----
    Leaving a row out takes its whole weight.  Memory beyond the input: O(p² + m (p + k)), with folds O(p²) for each.
    Fewer rows than columns with a diagonal, positive P are solved in the dual, n x n, on a copy of the rows.

    References
    ----------
    .. [1] G. H. Golub, M. Heath and G. Wahba, Generalized cross-validation as a method for choosing a good ridge
       parameter, Technometrics 21 (1979) 215-223.

    Examples
    --------
    >>> import numpy as np, fastlsq
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((50, 3))
    >>> fit = fastlsq.ridge_cv(X, X @ [1.0, 2.0, 0.0] + rng.standard_normal(50), [0.1, 1.0, 10.0])
    >>> fit.alpha, fit.scores.shape
    (1.0, (3,))
    """
    problem, names, penalty = checked(X, y, weights, intercept, names, penalty, n_threads)
    _arrays.check_accuracy(accuracy)
    kind = cv if isinstance(cv, str) else "folds"
    if kind not in ("loo", "gcv", "folds"):
        raise ValueError(f"cv must be 'loo', 'gcv', a number of folds or an array of labels, got {cv!r}")
    n, p, k = problem.shape
    equations = None
    if kind != "folds" and weighted_rows(problem) < 2:
        raise ValueError("cross-validation needs at least two rows of positive weight")
    if kind == "folds":
        folds = folds_of(cv, problem.x, problem.y)
        check_weights(problem, folds)
        equations, pairs = moments_of(problem, folds)
        alphas = chosen_alphas(alphas, equations, penalty)
        scores = _by_folds(pairs, alphas, penalty)
    elif n < p and penalty.ndim == 1 and (penalty > 0).all() and (alphas is None or np.min(alphas) > 0):
        spectrum = DualSpectrum(problem, penalty)
        alphas = spectrum.chosen(alphas)
        scores = spectrum.left_out(alphas) if kind == "loo" else spectrum.generalised(alphas)
    else:
        equations = gather(problem)
        segments = Segments(equations, chosen_alphas(alphas, equations, penalty), penalty)
        alphas = segments.alphas
        if kind == "loo":
            _, scores = leave_one_out(problem, segments)
            scores = np.ldexp(scores, -2 * equations.units.exponents[equations.lead :])
        else:
            count = weighted_rows(problem)
            rest = (count - segments.df - problem.intercept) / count
            squares = np.ldexp(segments.squares(), -2 * equations.units.exponents[equations.lead :])
            scores = squares / np.where(rest > 0, rest, np.nan)[:, None] ** 2
    if kind != "folds":
        scores = scores / sum_of_weights(problem)
    alpha = _best(alphas, scores, alpha_per_target and k > 1)
    fit = RidgeCVResult(solve_ridge(problem, alpha, penalty, accuracy, equations), alpha, penalty, names)
    fit.alphas, fit.scores = alphas, scores[:, 0] if k == 1 else scores
    return fit


def _by_folds(pairs, alphas, penalty):
    """Mean over the folds of the mean squared errors of the rows they hold out, m x k."""
    total = 0.0
    for train, held in pairs:
        segments = Segments(train, alphas, penalty)
        coef, intercept, _ = segments.in_users_units(np.zeros((alphas.size, train.c.shape[1])))
        total = total + mean_squared_errors(held, coef, intercept)
    return total / len(pairs)


def _best(alphas, scores, per_target):
    """The alpha, or one for each target, of the smallest score; of equal ones the largest alpha."""
    order = np.argsort(-alphas, kind="stable")
    scores = np.where(np.isfinite(scores), scores, np.inf)[order]
    if per_target:
        return alphas[order][np.argmin(scores, axis=0)]
    return float(alphas[order][np.argmin(scores.mean(axis=1))])
