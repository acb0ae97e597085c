# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Folds of rows, and the moments of what each fold trains on and holds out.

Where the folds part the rows, every row is read once: one state a fold, and what a fold trains on is the merge of all
states before it and all behind it: the moments are never subtracted from each other.
"""

import numpy as np

from fastlsq import _arrays
from fastlsq._core import lib
from fastlsq.gram.state import GramState
from fastlsq.solve.moments import UNIT_ROUNDOFF, Problem, gather, merge

#: rows of a block where rows are copied
ROWS = 4096


def folds_of(cv, x, y):
    """A list of (train, test), each a slice or an array of row numbers; train is None for all rows not in test.

    cv: number of contiguous folds; or one label for every row; or pairs (train, test) of row numbers or masks, also
    from the `split` of an object that has one.
    """
    n = x.shape[0]
    if isinstance(cv, (int, np.integer)) and not isinstance(cv, bool):
        if not 2 <= cv <= n:
            raise ValueError(f"cv must be between 2 and the number of rows, {n}, got {cv}")
        ends = np.cumsum(np.full(cv, n // cv) + (np.arange(cv) < n % cv)).tolist()
        return [(None, slice(start, end)) for start, end in zip([0, *ends[:-1]], ends, strict=True)]
    if hasattr(cv, "split") and not isinstance(cv, (str, np.ndarray)):
        cv = cv.split(x, y)
    if not hasattr(cv, "dtype"):
        try:
            cv = list(cv)
        except TypeError:
            raise TypeError("cv must be a number of folds, labels of the rows, or pairs (train, test)") from None
        if cv and all(isinstance(pair, (tuple, list)) and len(pair) == 2 for pair in cv):
            return _whole([(_row_numbers(train, n), _row_numbers(test, n)) for train, test in cv], n)
    labels = np.asarray(cv)
    if labels.shape != (n,):
        raise ValueError(f"cv must have one label for each of the {n} rows, got shape {labels.shape}")
    keys, codes = np.unique(labels, return_inverse=True)
    if keys.size < 2:
        raise ValueError("cv must name at least 2 folds")
    start, order = lib.group_rows(codes.astype(np.int64, copy=False), keys.size)
    return [(None, order[start[g] : start[g + 1]]) for g in range(keys.size)]


def _row_numbers(rows, n):
    rows = np.asarray(rows)
    if rows.dtype == bool and rows.shape == (n,):
        rows = np.flatnonzero(rows)
    if rows.ndim != 1 or rows.dtype.kind not in "iu" or rows.size == 0:
        raise ValueError("cv: train and test must be row numbers or masks of all rows, and not empty")
    if rows.min() < 0 or rows.max() >= n:
        raise ValueError(f"cv names a row outside 0 .. {n - 1}")
    return rows.astype(np.int64)


def _whole(folds, n):
    """The same without train, where the tests part the rows and every fold trains on all others."""
    seen = np.concatenate([test for _, test in folds])
    if seen.size != n or np.unique(seen).size != n:
        return folds
    for train, test in folds:
        count = np.zeros(n, np.int64)
        np.add.at(count, train, 1)
        np.add.at(count, test, 1)
        if (count != 1).any():
            return folds
    return [(None, test) for _, test in folds]


def moments_of(problem, folds):
    """(equations of all rows, [(those a fold trains on, those it holds out)])"""
    try:
        if any(train is not None for train, _ in folds):
            pairs = [(_equations(problem, train), _equations(problem, test)) for train, test in folds]
            return gather(problem), pairs
        held = [_equations(problem, test) for _, test in folds]
    except ValueError:  # a value that is not finite: name its row among all rows
        _arrays.check_finite(X=problem.x, y=problem.y)
        raise
    before, behind = [held[0]], [held[-1]]
    for equations in held[1:]:
        before.append(merge(before[-1], equations))
    for equations in held[-2:0:-1]:
        behind.append(merge(equations, behind[-1]))
    trains = [behind[-1]]
    trains += [merge(before[i - 1], behind[-1 - i]) for i in range(1, len(held) - 1)]
    trains.append(before[-2])
    return before[-1], list(zip(trains, held, strict=True))


def _equations(problem, rows):
    """Normal equations of some rows: a view of contiguous ones, others copied block by block."""
    x, y, weights = problem.x, problem.y, problem.weights
    if isinstance(rows, slice):
        own = None if weights is None else weights[rows]
        return gather(Problem(x[rows], y[rows], own, problem.intercept, problem.n_threads, problem.names))
    state = GramState(problem.intercept)
    length = 4 * lib.block_rows(x.shape[1])
    for start in range(0, rows.size, length):
        some = rows[start : start + length]
        state.update(x[some], y[some], None if weights is None else weights[some], n_threads=problem.n_threads)
    return state.equations()


def training_weights(problem, train, test):
    """Weights of all rows that leave a fold's training rows in play: how often each is in them, times its own."""
    n = problem.x.shape[0]
    if train is None:
        count = np.ones(n)
        count[test] = 0.0
    else:
        count = np.bincount(train, minlength=n).astype(np.float64)
    return count if problem.weights is None else count * problem.weights


def check_weights(problem, folds):
    """Raise ValueError for a fold that has nothing to train on or to hold out."""
    if problem.weights is None:
        return
    for i, (train, test) in enumerate(folds):
        if not problem.weights[test].any():
            raise ValueError(f"fold {i} of cv holds out no row with a weight above 0")
        if not training_weights(problem, train, test).any():
            raise ValueError(f"fold {i} of cv trains on no row with a weight above 0")


def mean_squared_errors(held, coef, intercept):
    """Weighted mean of (y_i - intercept - x_i b)² over the rows of the equations `held`, for many fits of its targets.

    coef (fits, p, k) and intercept (fits, k) in the user's units; the result is (fits, k), in packed units.  About the
    means of the rows the sum is yy - 2 bᵀc + bᵀM b, and w times the square of what the means are off by; NaN where that
    is no larger than a million times the rounding of its terms.
    """
    p, exponents = held.p, held.units.exponents
    own, targets = exponents[:p], exponents[held.lead :]
    b = np.ldexp(coef, targets[None, None, :] - own[None, :, None])
    rest = held.c[None] - np.einsum("ij,fjk->fik", held.m, b)
    explained = np.einsum("fjk,fjk->fk", b, held.c[None] + rest)
    squares = held.yy - explained
    noise = 1e6 * UNIT_ROUNDOFF * (held.raw_yy + np.abs(explained))
    squares = np.where((squares > noise) | (held.raw_yy == 0), squares, np.nan)
    squares /= held.sum_weights
    if held.intercept:
        mean = held.user_mean()
        squares += np.ldexp(mean[p:] - intercept - np.einsum("j,fjk->fk", mean[:p], coef), targets) ** 2
    return squares


def errors_of_rows(problem, rows, coef, intercept, targets):
    """The same from the rows themselves, block by block, for targets y 2^e."""
    count = rows.stop - rows.start if isinstance(rows, slice) else rows.size
    first = rows.start if isinstance(rows, slice) else 0
    total, weight = np.zeros((coef.shape[0], coef.shape[2])), 0.0
    for start in range(0, count, ROWS):
        stop = min(start + ROWS, count)
        some = slice(first + start, first + stop) if isinstance(rows, slice) else rows[start:stop]
        x, y = problem.x[some].astype(np.float64), problem.y[some].astype(np.float64)
        w = np.ones(stop - start) if problem.weights is None else problem.weights[some].astype(np.float64)
        weight += w.sum()
        for t in range(y.shape[1]):
            error = y[:, t, None] - x @ coef[:, :, t].T - intercept[:, t]
            total[:, t] += w @ np.ldexp(error, targets[t]) ** 2
    return total / weight
