# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""K-fold cross-validation by Gram arithmetic: one pass over the rows for the moments of every fold.

The moments of the rows outside a fold are sums of those of the other folds, by sums from the left and from the right:
nothing is subtracted.
"""

import numpy as np

from fastlsq import _arrays
from fastlsq.gram.state import GramState
from fastlsq.gram.streams import CHUNK_BYTES
from fastlsq.solve.moments import merge


def fold_equations(problem, cv):
    """Normal equations of every fold: `cv` consecutive folds, as even as can be, or a label for every row."""
    n, p, _ = problem.shape
    found = []
    for rows in _arrays.folds(cv, n):
        state = GramState(problem.intercept)
        step = max(1, n if isinstance(rows, slice) else CHUNK_BYTES // (8 * p))
        count = rows.stop - rows.start if isinstance(rows, slice) else rows.size
        for start in range(0, count, step):
            part = rows if isinstance(rows, slice) else rows[start : start + step]
            weights = None if problem.weights is None else problem.weights[part]
            state.update(problem.x[part], problem.y[part], weights, n_threads=problem.n_threads)
        if problem.intercept and not state.sum_weights > 0:
            raise ValueError(f"fold {len(found)} has no row of positive weight")
        found.append(state.equations())
    return found


def outside(folds):
    """For every fold the normal equations of all others."""
    left, right = [folds[0]], [folds[-1]]
    for fold in folds[1:-1]:
        left.append(merge(left[-1], fold))
    for fold in folds[-2:0:-1]:
        right.append(merge(fold, right[-1]))
    right.reverse()
    return [right[0], *(merge(one, other) for one, other in zip(left[:-1], right[1:], strict=True)), left[-1]]


def squared_errors(fold, coef, intercept):
    """sum_i w_i (y_i - intercept - x_i b)² over the rows of the fold, for many fits of its targets.

    coef (fits, p, k) and intercept (fits, k) in the user's units; the result is (fits, k).  About the means of the
    fold this is yy - 2 bᵀc + bᵀM b, and w times the square of what the means are off by.
    """
    p, units = fold.p, fold.units.exponents
    own, targets = units[:p], units[fold.lead :]
    b = np.ldexp(coef, targets[None, None, :] - own[None, :, None])
    residual = fold.c[None] - np.einsum("ij,fjk->fik", fold.m, b)  # c - M b
    squares = fold.yy - np.einsum("fjk,fjk->fk", b, fold.c[None] + residual)
    squares = np.ldexp(np.maximum(squares, 0.0), -2 * targets)
    if fold.intercept:
        mean = fold.user_mean()
        squares += fold.sum_weights * (mean[p:] - intercept - np.einsum("j,fjk->fk", mean[:p], coef)) ** 2
    return squares
