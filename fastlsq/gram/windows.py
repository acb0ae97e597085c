# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Fits of windows of rows: from sums where those are enough, again from the rows of a window where they are not.

The core sums, solves and judges (csrc/rolling.c).  What it refuses is solved with a residual pass, many short windows
at a time; what that does not certify, by QR of the rows of each (csrc/subsets.c).  Windows too large for that go
through the ladder of `lstsq`, one by one.
"""

from dataclasses import dataclass

import numpy as np

from fastlsq._core import lib
from fastlsq.gram.frame import Rows
from fastlsq.gram.inference import OLSResult
from fastlsq.gram.robust import polish_if_needed
from fastlsq.gram.subsets import SHORT, fit_subsets
from fastlsq.solve.ladder import solve
from fastlsq.solve.lapack import lapack_solver
from fastlsq.solve.moments import Problem

FROM_SUMS, FROM_ROWS, TOO_FEW, NOT_SOLVED = range(4)  # status
# Rows of short windows that are listed at a time, and of windows that QR and the ladder may read in one call.
LISTED, READ = 1 << 20, 1 << 30
# Rows that decay has made lighter than 2^-200 of the last one are not read again.
FADED = 200.0


@dataclass(slots=True)
class Windows:
    """The window of row t is rows start[t] .. t; with `factor`, row i counts factor[i+1] ... factor[t] times."""

    x: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None  # 0 in rows that do not count
    intercept: bool
    length: int
    start: np.ndarray | None
    factor: np.ndarray | None
    counted: np.ndarray  # indices of the rows that count
    before: np.ndarray  # n + 1: how many of them lie before each row

    def places(self):
        """(first, end): the window of row t holds counted[first[t] : end[t]]."""
        n = self.x.shape[0]
        if self.start is not None:
            first = self.before[self.start]
        elif self.length >= n:
            first = np.zeros(n, np.int64)
        else:
            first = self.before[np.maximum(np.arange(1, n + 1) - self.length, 0)]
        return first, self.before[1:]

    def faded(self, end):
        """Where the rows of the windows counted[: end] begin that decay has left a part of."""
        with np.errstate(divide="ignore"):
            steps = np.maximum(np.log2(self.factor[self.counted]), -2 * FADED)
        decay = -np.cumsum(steps)
        return np.searchsorted(decay, decay[end - 1] - FADED, side="right").astype(np.int64)


@dataclass(slots=True)
class Fits:
    """Of every window; b holds the slopes, then the intercept."""

    b: np.ndarray
    rss: np.ndarray
    tss: np.ndarray
    condition: np.ndarray
    errors: np.ndarray | None  # standard errors of b, once they are scaled
    n_obs: np.ndarray
    rank: np.ndarray
    status: np.ndarray


def fit_windows(windows, min_obs, errors, n_threads):
    x, y, intercept = windows.x, windows.y, windows.intercept
    p = x.shape[1]
    b, rss, tss, condition, variance, rank, verdict = lib.rolling_fit(
        x, y, windows.weights, intercept, windows.length, windows.start, windows.factor, errors, n_threads
    )
    first, end = windows.places()
    n_obs = end - first
    status = np.zeros(x.shape[0], np.int8)
    fits = Fits(b, rss, tss, condition, variance, n_obs, rank, status)
    few = n_obs < min_obs
    unsure = np.flatnonzero((rank < p) & (verdict <= lib.NOT_SETTLED) & ~few)
    if unsure.size:
        constant = _constant_columns(windows, first[unsure], end[unsure])
        verdict[unsure[constant != p - rank[unsure]]] = -1
    left = (verdict != 0) & ~few
    alone = []
    if left.any():
        _solve_again(windows, fits, alone, np.flatnonzero(left), verdict, first, end, n_threads)
    if errors:
        _scale_errors(windows, fits, alone)
    _blank(fits, few, TOO_FEW)
    return fits


def _scale_errors(windows, fits, alone):
    """From variances in units of the residual variance; those of windows solved alone are known: (indices, errors)."""
    free = fits.n_obs - fits.rank - windows.intercept
    with np.errstate(divide="ignore", invalid="ignore"):
        fits.errors *= np.where(free > 0, fits.rss / free, np.nan)[:, None]
        np.sqrt(fits.errors, out=fits.errors)
    for which, values in alone:
        fits.errors[which] = values


def _blank(fits, which, status):
    fits.status[which] = status
    fits.rank[which] = -1
    for values in (fits.b, fits.rss, fits.condition, fits.errors):
        if values is not None:
            values[which] = np.nan
    fits.tss[which & (fits.n_obs == 0)] = np.nan


def _constant_columns(windows, first, end):
    """How many columns of X are constant over counted[first : end], or zero without an intercept."""
    count = np.zeros(len(first), np.int64)
    places = np.arange(len(windows.counted))
    for j in range(windows.x.shape[1]):
        column = windows.x[windows.counted, j]
        breaks = column != 0
        if windows.intercept:
            breaks[1:] = column[1:] != column[:-1]
            breaks[:1] = False
        last = np.maximum.accumulate(np.where(breaks, places, -1))
        # a change at the first row of a window is none within it; a value there is
        count += last[end - 1] < first + windows.intercept
    return count


def _solve_again(windows, fits, alone, left, verdict, first, end, n_threads):
    """The windows that end at rows `left`, from their rows."""
    only_rss = verdict[left] == lib.NOT_SETTLED
    if windows.factor is not None:
        _fresh_rss(windows, fits, left[only_rss])
        left = left[~only_rss]
        first = first.copy()
        first[left] = windows.faded(end[left])
    else:
        # the residuals of a long window cost more than its sums: no digits of rss are better than few
        lengths = (end - first)[left]
        fits.rss[left[only_rss & (lengths > SHORT)]] = np.nan
        left = left[~only_rss | (lengths <= SHORT)]
        left = _solve_short(windows, fits, left, verdict, first, end, n_threads)
    read = np.cumsum((end - first)[left])
    _blank(fits, np.isin(np.arange(len(first)), left[read > READ]), NOT_SOLVED)
    left = _solve_by_qr(windows, fits, alone, left[read <= READ], first, end, n_threads)
    for t in left:
        problem, solution = _solve_alone(windows, fits, t, first[t], end[t], n_threads)
        if fits.errors is not None:
            fit = OLSResult(solution, [str(j) for j in range(windows.x.shape[1])], len(problem.x))
            polish_if_needed(fit, Rows(problem.x, problem.y, problem.weights, n_threads))
            found = fit.standard_errors
            alone.append((t, np.roll(found, -1) if windows.intercept else found))


def _solve_short(windows, fits, left, verdict, first, end, n_threads):
    """With one step of refinement, one window to a lane; returns the windows that remain."""
    p, lead = windows.x.shape[1], windows.x.shape[1] + windows.intercept
    lengths = end[left] - first[left]
    # a pivot that is rounding in the sums is so in the lanes, which form the same products
    hopeless = (verdict[left] == lib.PIVOT_FAILED) | (verdict[left] == lib.PIVOT_IN_NOISE)
    fit_for = (lengths <= SHORT) & (lengths >= lead) & ~hopeless
    if fits.errors is not None:  # whose variances need a factor
        fit_for &= verdict[left] == lib.NOT_SETTLED
    remaining = [left[~fit_for]]
    todo = left[fit_for]
    ends = np.cumsum(end[todo] - first[todo])
    while todo.size:
        count = max(1, int(np.searchsorted(ends, LISTED, side="right")))
        some, start = todo[:count], np.concatenate([[0], ends[:count]])
        order = windows.counted[np.arange(start[-1]) + np.repeat(first[some] - start[:-1], np.diff(start))]
        b, rss, condition, _, refused = lib.grouped_fit(
            windows.x, windows.y, windows.weights, windows.intercept, start, order, n_threads
        )
        solved = refused == 0
        done = some[solved]
        fits.b[done], fits.rss[done], fits.condition[done] = b[solved], rss[solved], condition[solved]
        fits.rank[done], fits.status[done] = p, FROM_ROWS
        remaining.append(some[~solved])
        todo, ends = todo[count:], ends[count:] - ends[count - 1]
    return np.sort(np.concatenate(remaining))


def _solve_by_qr(windows, fits, alone, left, first, end, n_threads):
    """Each from its own rows, whatever their rank; returns the windows that are too large for it."""
    rows = windows.x, windows.y, windows.weights, windows.intercept
    remaining = np.ones(len(left), bool)
    for some, b, rss, condition, _, errors, rank in fit_subsets(
        rows, first[left], end[left], windows.counted, windows.factor, fits.errors is not None, n_threads
    ):
        done = left[some]
        fits.b[done], fits.rss[done], fits.condition[done], fits.rank[done] = b, rss, condition, rank
        fits.status[done] = FROM_ROWS
        remaining[some] = False
        if errors is not None:
            alone.append((done, errors))
    return left[remaining]


def _rows_of(windows, first, end):
    """(rows that count, their weights or None) of the window counted[first : end]."""
    rows = windows.counted[first:end]
    weights = None if windows.weights is None else windows.weights[rows]
    if windows.factor is None:
        return rows, weights
    decay = np.cumprod(np.concatenate([[1.0], windows.factor[rows[:0:-1]]]))[::-1]
    return rows, decay if weights is None else decay * weights


def _solve_alone(windows, fits, t, first, end, n_threads):
    p = windows.x.shape[1]
    rows, weights = _rows_of(windows, first, end)
    problem = Problem(windows.x[rows], windows.y[rows], weights, windows.intercept, n_threads, ("X", "y"))
    solution = solve(problem, lapack_solver())
    fits.b[t, :p] = solution.coef[:, 0]
    if windows.intercept:
        fits.b[t, p] = solution.intercept[0]
    fits.rss[t], fits.rank[t], fits.condition[t] = solution.rss[0], solution.info.rank, solution.info.condition
    fits.status[t] = FROM_ROWS
    return problem, solution


def _fresh_rss(windows, fits, left):
    """Decayed sums of squares of the residuals themselves."""
    p = windows.x.shape[1]
    ends = windows.before[left + 1]
    for t, first, end in zip(left, windows.faded(ends), ends, strict=True):
        rows, weights = _rows_of(windows, first, end)
        residual = windows.y[rows, 0] - windows.x[rows] @ fits.b[t, :p]
        if windows.intercept:
            residual = residual - fits.b[t, p]
        fits.rss[t], fits.status[t] = weights @ residual**2, FROM_ROWS
