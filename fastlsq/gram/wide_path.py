# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Elastic net from the rows, for so many columns that no p x p matrix is wanted.

A residual pass over X as it lies gives q = XᵀW r for all columns at once, in any dtype and memory order; only the
columns of the working set are copied, and only their moments are formed, each once.  So the inner loop is that of the
normal equations, and what decides (the gradient, the residual sum of squares, the duality gap) comes from the rows: the
moments of the working set serve as in iterative refinement, their rounding does not reach the answer.
"""

from dataclasses import replace

import numpy as np

from fastlsq import _arrays
from fastlsq._core import lib
from fastlsq.gram.free_columns import FreeColumns
from fastlsq.gram.scaled import COARSE, EXACT, largest_ratio

# A centred column no larger than this, times its largest value before, is a constant one.
_ROUNDING = 8 * 2.0**-53
_LARGE = 2.0**300
_MARGIN = 0.5  # of the goal that the working set is solved to
_STALLS = 3  # rounds without progress, after which rounding is all that is left


def largest_of_rows(values, rows):
    """Largest absolute values of the columns of these rows: a slice, or row numbers, copied block by block."""
    largest, own = np.zeros(values.shape[1]), np.empty(values.shape[1])
    if isinstance(rows, slice):
        lib.column_max_abs(values[rows], largest)
        return largest
    length = 4 * lib.block_rows(values.shape[1])
    for start in range(0, rows.size, length):
        lib.column_max_abs(values[rows[start : start + length]], own)
        np.maximum(largest, own, out=largest)
    return largest


def without_idle_values(problem):
    """The problem with rows of weight 0 zeroed where they would overflow: only then is X copied."""
    _arrays.check_finite(X=problem.x, y=problem.y)
    if problem.weights is None:
        return problem
    idle, changed = np.flatnonzero(problem.weights == 0), {}
    for name, values in (("x", problem.x), ("y", problem.y)):
        if idle.size and values.dtype == np.float64 and largest_of_rows(values, idle).max(initial=0.0) > _LARGE:
            changed[name] = np.array(values)
            changed[name][idle] = 0.0
    return replace(problem, **changed)


class WideProblem:
    """The rows with columns scaled to |z| <= 1 by powers of two, about their means where there is an intercept."""

    def __init__(self, problem, factor):
        self.problem = problem
        n, p, _ = problem.shape
        self.weight = problem.sum_weights
        if not self.weight > 0:
            raise ValueError("weights must not all be zero" if n else "X has no rows")
        self.root = np.ones(n) if problem.weights is None else np.sqrt(problem.weights, dtype=np.float64)
        self.played = slice(None) if self.root.all() else np.flatnonzero(self.root)
        peak = np.append(largest_of_rows(problem.x, self.played), largest_of_rows(problem.y, self.played))
        self.exponents = np.where(peak > 0, -np.frexp(peak)[1].astype(np.int64), 0)
        self.usable = (peak[:p] > 0) & np.isfinite(factor)
        self.scale, self.offset = np.ldexp(1.0, self.exponents), np.zeros(p + 1)
        if problem.intercept:
            self.offset = self._means()
        self.columns = np.empty(0, np.int64)  # the working set, in order of entry
        self.inside = np.zeros(p, bool)
        self._z, self._m = np.empty((0, n)), np.empty((0, 0))  # with room for more
        self.restart()

    def restart(self):
        """All coefficients zero; what is known of columns is kept."""
        self.b = np.zeros(self.scale.size - 1)
        self.residual()
        self.yy = self.rss

    def _means(self):
        """Of the scaled columns [X | y], two passes: the second takes what rounding has left in the first."""
        x, weights = self.problem.x, self.problem.weights
        p, ones, offset = x.shape[1], np.ones((x.shape[0], 1)), np.zeros(self.scale.size)
        for _ in range(2):
            g, rss = np.empty((p, 1)), np.empty(1)
            scale, shift = np.append(self.scale[:p], 1.0), np.append(offset[:p], 0.0)
            lib.residual(x, ones, weights, scale, shift, False, np.zeros((p, 1)), g, rss, None, self.problem.n_threads)
            offset[:p] += g[:, 0] / self.weight
        y = np.ldexp(self.problem.y[:, 0].astype(np.float64), self.exponents[p])
        for _ in range(2):
            offset[p] += np.average(y - offset[p], weights=weights)
        return offset

    def residual(self, out=None):
        """q = ZᵀW r and rss = rᵀW r at the present coefficients; `out` (n, 1) receives r."""
        p = self.b.size
        g, rss = np.empty((p, 1)), np.empty(1)
        problem = self.problem
        lib.residual(problem.x, problem.y, problem.weights, self.scale, self.offset, False,
                     np.ascontiguousarray(self.b[:, None]), g, rss, out, problem.n_threads)
        self.q, self.rss = g[:, 0], float(rss[0])

    def terms(self, penalty):
        """(l1, l2) of all columns; those left out count as penalised."""
        columns = np.arange(self.b.size)
        first, second = penalty.terms(columns, self.weight, self.exponents[:-1], int(self.exponents[-1]))
        first[~self.usable], second[~self.usable] = 1.0, 0.0
        return first, second

    def largest_alpha(self, penalty):
        """The smallest alpha at which every penalised coefficient is zero; 0 where none is."""
        if penalty.l1_ratio == 0:
            return 0.0
        first, _ = self.terms(penalty)
        free = self.usable & (first == 0)
        if free.any():
            self.enter(np.flatnonzero(free))
            none = np.where(free, 0.0, np.inf)
            self._descend(np.zeros(free.size), np.zeros(free.size), 0.0, replace(penalty, tol=EXACT), none)
            # |z| and |y| are about 1 at most: what the free columns fit to rounding leaves no alpha
            self.q[np.abs(self.q) <= _ROUNDING * self.weight * (1 + np.abs(self.b).sum())] = 0.0
        largest = largest_ratio(np.where(self.usable, self.q, 0.0), first, penalty.positive)
        self.restart()
        return largest

    def enter(self, new):
        """Copy these columns into the working set, with their moments."""
        new = new[self.usable[new] & ~self.inside[new]]
        if new.size == 0:
            return
        rows = self.problem.x[:, new].astype(np.float64) * self.scale[new] - self.offset[new]
        level = np.abs(rows[self.played]).max(axis=0, initial=0.0) <= _ROUNDING
        self.usable[new[level]] = False
        new, rows = new[~level], rows[:, ~level]
        z = np.ascontiguousarray((rows * self.root[:, None]).T)
        before, now = self.columns.size, self.columns.size + new.size
        if now > self._z.shape[0]:
            old, moments = self._z, self.m
            self._z, self._m = np.empty((2 * now, z.shape[1])), np.empty((2 * now, 2 * now))
            self._z[:before], self._m[:before, :before] = old[:before], moments
        self._z[before:now] = z
        self._m[before:now, :now] = z @ self._z[:now].T
        self._m[:before, before:now] = self._m[before:now, :before].T
        self.columns = np.append(self.columns, new)
        self.inside[new] = True

    def _rows(self, columns, entries):
        """Of some columns of the working set: see `FreeColumns`.  Values are at most 1 before they are centred."""
        step = max(1, entries // columns.size)
        played = np.flatnonzero(self.root)
        for start in range(0, played.size, step):
            some = played[start : start + step]
            root = self.root[some]
            z = self._z[np.ix_(columns, some)].T / root[:, None]
            yield z, np.abs(z) + 2 * np.abs(self.offset[self.columns[columns]]), root**2

    @property
    def m(self):
        """Moments of the working set."""
        return self._m[: self.columns.size, : self.columns.size]

    def solve(self, penalty, alpha, last_alpha):
        """Minimise for this alpha, from the solution for `last_alpha`; returns (gap, sweeps)."""
        first, second = self.terms(penalty)
        self._admit((2 * alpha - last_alpha) * first, penalty)
        return self._descend(first, second, alpha, penalty, alpha * first)

    def approach(self, penalty, alphas):
        """A coarse path from the present coefficients, to start from."""
        last = alphas[0] if alphas.size else 0.0
        for alpha in alphas:
            self.solve(replace(penalty, tol=COARSE), alpha, last)
            last = alpha

    def _admit(self, bound, penalty):
        sizes = self.q if penalty.positive else np.abs(self.q)
        new = np.flatnonzero((sizes > bound) & self.usable & ~self.inside)
        self.enter(new)
        return new.size

    def _descend(self, first, second, alpha, penalty, bound):
        """Until the gap over all columns is small or max_iter is reached; columns beyond their bound enter."""
        goal, left, best, stalls = penalty.tol * self.yy, penalty.max_iter, np.inf, 0
        diagonal, free = np.ones(self.b.size), FreeColumns(self._rows)
        while True:
            columns = self.columns
            diagonal[columns] = np.diagonal(self.m)
            present = np.where(self.usable & np.isfinite(bound), self.q, 0.0)
            gap = lib.duality_gap(self.b, present, first, second, diagonal, alpha, penalty.positive, self.yy, self.rss)
            if columns.size:
                own = alpha * first[columns], alpha * second[columns]
                gap += free.excess(self.m, self.b[columns], self.q[columns], *own, self.yy, penalty.positive)
            gap = min(gap, 0.5 * self.rss + self._penalty(first, second, alpha))
            if gap <= goal or left <= 0:
                break
            admitted = self._admit(bound, penalty)
            columns = self.columns
            stalls = 0 if admitted or gap < 0.5 * best else stalls + 1
            if stalls == _STALLS or columns.size == 0:
                break
            best = min(best, gap)
            left -= self._inner(first[columns], second[columns], alpha, penalty, left, _MARGIN * 0.1**stalls)
            self.residual()
        return gap, penalty.max_iter - left

    def _inner(self, first, second, alpha, penalty, left, margin):
        """The working set by its moments, with the gradient of the rows at the present coefficients."""
        start, q = self.b[self.columns], self.q[self.columns]
        c = q + self.m @ start
        yy = self.rss + start @ (c + q)
        problem = lib.Penalized(self.m, c, yy, first, second, np.array([alpha]), penalty.positive,
                                penalty.tol * margin * self.yy / yy if yy > 0 else 0.0, left, start)
        lib.elastic_net_paths([problem], 1)
        self.b[self.columns] = problem.b[0]
        return max(int(problem.sweeps[0]), 1)

    def objective(self, penalty, alpha):
        """In the user's units, as all that follows."""
        return self.in_user_units(0.5 * self.rss + self._penalty(*self.terms(penalty), alpha))

    def _penalty(self, first, second, alpha):
        size = np.abs(self.b)
        return alpha * (first @ size + 0.5 * second @ size**2)

    def in_user_units(self, squares):
        with np.errstate(over="ignore"):
            return float(np.ldexp(squares / self.weight, -2 * int(self.exponents[-1])))

    def coef(self):
        """(coefficients, intercept)"""
        p = self.b.size
        coef = np.ldexp(self.b, self.exponents[:p] - self.exponents[p])
        level = np.ldexp(self.offset[p] - self.offset[:p] @ self.b, -self.exponents[p])
        return coef, float(level) if self.problem.intercept else 0.0
