# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""`ridge_cv`: the alpha of ridge by exact leave-one-out, generalised or K-fold cross-validation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fastlsq import _arrays
from fastlsq.gram.folds import check_weights, errors_of_rows, folds_of, mean_squared_errors, moments_of
from fastlsq.gram.ridge import RidgeResult, checked
from fastlsq.gram.ridge_path import chosen_alphas
from fastlsq.gram.spectrum import DualSpectrum, Segments, leave_one_out
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
        Mean squared error of prediction for every alpha, weighted if weights were given; NaN where the fit meets a row
        whatever its target is (a leverage of 1).  With cv='gcv' n/sum(w) times `RidgePath.gcv`.
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
    if kind != "folds" and problem.n_weighted < 2:
        raise ValueError("cross-validation needs at least two rows of positive weight")
    alphas, scores, exponents, equations = _SCORES[kind](problem, alphas, penalty, cv)
    # of targets of any size: in the largest of their units
    own = 2 * (exponents - exponents.max())
    alpha = _best(alphas, np.ldexp(scores, own), alpha_per_target and scores.shape[1] > 1)
    fit = RidgeCVResult(solve_ridge(problem, alpha, penalty, accuracy, equations), alpha, penalty, names)
    with np.errstate(over="ignore", under="ignore"):
        scores = np.ldexp(scores, 2 * exponents)
    fit.alphas, fit.scores = alphas, scores[:, 0] if scores.shape[1] == 1 else scores
    return fit


# Each gives (alphas, scores m x k in units of 4^e, e by target, the moments or None).


def _by_leaving_out(problem, alphas, penalty, _):
    if _is_wide(problem, penalty):
        return _in_the_dual(problem, alphas, penalty, "left_out")
    equations = gather(problem)
    segments = Segments(equations, chosen_alphas(alphas, equations, penalty), penalty)
    _, scores = leave_one_out(problem, segments)
    return segments.alphas, scores / problem.sum_weights, -segments.target_exponents, equations


def _generalised(problem, alphas, penalty, _):
    if _is_wide(problem, penalty):
        return _in_the_dual(problem, alphas, penalty, "generalised")
    equations, count = gather(problem), problem.n_weighted
    segments = Segments(equations, chosen_alphas(alphas, equations, penalty), penalty)
    squares = segments.squares()
    if np.isnan(squares).any():  # below the rounding of moments: the rows know
        squares, _ = leave_one_out(problem, segments)
    rest = (count - segments.df - problem.intercept) / count
    scores = squares / np.where(rest > 0, rest, np.nan)[:, None] ** 2 / problem.sum_weights
    return segments.alphas, scores, -segments.target_exponents, equations


def _is_wide(problem, penalty):
    n, p, _ = problem.shape
    return n < p and penalty.ndim == 1 and (penalty > 0).all() and DualSpectrum.is_in_range(problem)


def _in_the_dual(problem, alphas, penalty, kind):
    """Alphas of 0 leave no row that its fit does not meet."""
    spectrum = DualSpectrum(problem, penalty)
    alphas = spectrum.chosen(alphas)
    scores = np.full((alphas.size, problem.shape[2]), np.nan)
    scores[alphas > 0] = getattr(spectrum, kind)(alphas[alphas > 0])
    return alphas, scores / problem.sum_weights, spectrum.y_exponents, None


def _by_folds(problem, alphas, penalty, cv):
    """Means over the folds of the mean squared errors of the rows they hold out."""
    folds = folds_of(cv, problem.x, problem.y)
    check_weights(problem, folds)
    whole, pairs = moments_of(problem, folds)
    alphas = chosen_alphas(alphas, whole, penalty)
    exponents = -whole.units.exponents[whole.lead :]
    total = 0.0
    for (train, held), (_, rows) in zip(pairs, folds, strict=True):
        segments = Segments(train, alphas, penalty)
        coef, intercept, _ = segments.in_users_units(np.zeros((alphas.size, train.c.shape[1])))
        errors, own = mean_squared_errors(held, coef, intercept), held.units.exponents[held.lead :]
        if np.isnan(errors).any():
            errors = errors_of_rows(problem, rows, coef, intercept, own)
        total = total + np.ldexp(errors, -2 * (exponents + own))
    return alphas, total / len(pairs), exponents, whole


_SCORES = {"loo": _by_leaving_out, "gcv": _generalised, "folds": _by_folds}


def _best(alphas, scores, per_target):
    """The alpha, or one for each target, of the smallest score; of equal ones the largest alpha."""
    order = np.argsort(-alphas, kind="stable")
    if not np.isfinite(scores).any(axis=0).all():
        raise ValueError("no alpha has a score: with each of them the fit meets a row whatever its target is")
    scores = np.where(np.isfinite(scores), scores, np.inf)[order]
    if per_target:
        return alphas[order][np.argmin(scores, axis=0)]
    return float(alphas[order][np.argmin(scores.mean(axis=1))])
