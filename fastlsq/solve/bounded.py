# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Least squares between bounds: the engine of `nnls` and `lsq_linear`.

    min sum_i w_i (y_i - x_i b - intercept)²   with   lower <= b <= upper

Rung 1 is block principal pivoting on the normal equations (csrc/active_set.c), then the same again from the gradient
that the rows give, until neither the sets nor the coefficients change: so signs and digits are those of the rows.  What
Cholesky refuses (ill-conditioned or dependent columns, fewer rows than columns), and targets that do not settle, get
rung 2: Lawson and Hanson's method (csrc/bounded_rows.c) on the triangle that a QR of the rows leaves of them.  `nnls`
of a small problem does not come here: csrc/bounded_small.c.
"""

import math
from dataclasses import dataclass, field

import numpy as np

from fastlsq._core import lib
from fastlsq.solve.driver import OWN_SOLVES, residual_pass
from fastlsq.solve.moments import UNIT_ROUNDOFF, gather, root_exponents

#: reads of the rows to refine with, before a target is given to rung 2
MOST_PASSES = 8
#: a step of this size relative to the coefficients is rounding; in problems with up to so many entries of A for all
#: targets, where a read costs nothing, steps go on until they are zero or no longer fall
NOTHING, TINY = 8 * UNIT_ROUNDOFF, 1 << 16
#: rounding of a gradient, relative to the lengths of its column, the residual and the parts of the fit
SLACK = 16 * UNIT_ROUNDOFF
#: rows of a block of the QR, as a multiple of the columns, and at least
BLOCK, LEAST_ROWS = 4, 1024
#: multiply-adds that rung 2 may take without a QR before it
DIRECT = 5e7
#: longest row over the shortest from which on columns are pivoted: LAPACK takes several times as long for that
SPREAD = 1e3


@dataclass(slots=True)
class BoundedInfo:
    """How a bounded problem was solved and how good the answer is.

    Attributes
    ----------
    path : str
        'gram': normal equations, refined with gradients from the rows. 'qr': Lawson and Hanson's method on the rows or
        the triangle of a QR. 'mixed': some targets this way, some that. 'moments': from sums alone. 'lstsq': the
        solution without bounds is within them. 'empty': nothing to solve.
    reason : str
        Why 'gram' was left; '' on it.
    iterations : ndarray of int, shape (k,)
        Exchanges between free and bound coefficients, of one or many at a time.
    passes : int
        Reads of the rows.
    kkt : float
        The largest violation of the optimality conditions, of the gradients of the rows at the returned coefficients,
        relative to the lengths of column, residual and parts of the fit: rounding leaves a few 1e-16.  Rows that are
        much heavier than others make those lengths: next to them it says little about the light rows.
    free : ndarray of int, shape (k,)
        How many coefficients are between their bounds.
    condition : float
        Estimate of the condition number of all columns, scaled to equal length; NaN where Cholesky refused them.
    n_threads : int
    kernel : str
    """

    path: str
    reason: str = ""
    iterations: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    passes: int = 0
    kkt: float = math.nan
    free: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))
    condition: float = math.nan
    n_threads: int = 1
    kernel: str = ""


@dataclass(slots=True)
class BoundedSolution:
    coef: np.ndarray  # p x k
    intercept: np.ndarray  # k
    rnorm: np.ndarray  # k
    place: np.ndarray  # p x k: -1, 0, 1
    optimality: np.ndarray  # k: the largest violation of the optimality conditions in the user's units
    settled: np.ndarray  # k: False where the iterations did not do
    info: BoundedInfo


class Columns:
    """The equations, columns and targets of length near 1; coefficients are 2^(x_exponents + y_exponents) theirs."""

    def __init__(self, equations, active=None):
        self.equations = equations
        units, p = equations.units, equations.p
        self.active = np.arange(p) if active is None else active
        self.own = -root_exponents(np.diagonal(equations.m)[self.active])
        self.target = -root_exponents(equations.yy)
        own = self.own
        self.m = np.ldexp(equations.m[np.ix_(self.active, self.active)], own[:, None] + own)
        self.length = np.sqrt(np.diagonal(self.m))
        self.c = np.ldexp(equations.c[self.active], own[:, None] + self.target)
        self.yy = np.ldexp(equations.yy, 2 * self.target)
        self.x_exponents = units.exponents[:p][self.active] + own
        self.y_exponents = -units.exponents[equations.lead :] - self.target


def gradient_at(problem, columns, x):
    """(Xᵀ W r, ‖r‖²) of scaled columns at x (p, k), in one read of the rows; all columns, no intercept."""
    packed = np.ldexp(x, columns.own[:, None] - columns.target)
    g, rss = residual_pass(problem, columns.equations.units, np.ascontiguousarray(packed))
    return np.ldexp(g, columns.own[:, None] + columns.target), np.ldexp(rss, 2 * columns.target)


class _Scaled(Columns):
    """And between bounds."""

    def __init__(self, equations, lower, upper):
        super().__init__(equations, np.flatnonzero(~equations.constant()))
        units = equations.units
        self.packed = units.exponents[: equations.p, None] - units.exponents[equations.lead :]
        self.exponents = self.x_exponents[:, None] + self.y_exponents
        with np.errstate(over="ignore", under="ignore"):
            self.lower = np.ascontiguousarray(np.ldexp(lower[self.active, None], -self.exponents).T)
            self.upper = np.ascontiguousarray(np.ldexp(upper[self.active, None], -self.exponents).T)
        if not (np.isfinite(lower) & (lower != 0)).any() and not (np.isfinite(upper) & (upper != 0)).any():
            # zero and infinity are the same in all units
            self.lower, self.upper = self.lower[:1], self.upper[:1]
        #: columns of no length are left at the point of their interval nearest to 0
        self.rest = np.repeat(np.clip(0.0, lower, upper)[:, None], self.exponents.shape[1], axis=1)

    def bounds(self, targets):
        shared = self.lower.shape[0] == 1
        return (self.lower, self.upper) if shared else (self.lower[targets], self.upper[targets])

    def prices(self):
        """Gradients in the user's units decide, as in Lawson and Hanson's book: so do answers that are not unique."""
        exponents = -self.x_exponents
        return np.ldexp(1.0, np.clip(exponents - exponents.max(initial=-(2**20)), -1000, 0))

    def in_user_units(self, b, place, lower, upper):
        """(p, k) from b and place (k, active): on the very bounds where it is bound."""
        coef = self.rest.copy()
        with np.errstate(over="ignore", under="ignore"):
            box = lower[self.active, None], upper[self.active, None]
            own = np.clip(np.ldexp(b.T, self.exponents), *box)
        for side, bound in zip((-1, 1), box, strict=True):
            np.copyto(own, bound, where=side == place.T)
        coef[self.active] = own
        return coef

    def packed_of(self, b, targets):
        """Slopes in packed units, then the intercept."""
        packed = np.ldexp(self.rest[:, targets], -self.packed[:, targets])
        # the exponents are moderate: those of sums of squares that float64 holds, halved
        packed[self.active] = b.T * np.ldexp(1.0, self.own)[:, None] * np.ldexp(1.0, -self.target[targets])
        return packed

    def violations(self, b, place, g, rnorm, bounds):
        """(violations, what they are relative to) of the optimality conditions, (k, active) and (k, 1)."""
        inwards = np.where(place == 0, np.abs(g), np.maximum(-place * g, 0.0))
        inwards[np.broadcast_to(bounds[0] == bounds[1], inwards.shape)] = 0.0
        return inwards / self.length, (rnorm + _parts(b, self.length))[:, None]


def solve_bounded(problem, lower, upper, most=None):
    """BoundedSolution of the problem for bounds (p,); every target's iterations are counted against `most`."""
    scaled = _Scaled(gather(problem), lower, upper)
    if problem.intercept and not scaled.equations.sum_weights > 0:
        raise ValueError("weights must not all be zero")
    k, p = problem.shape[2], scaled.active.size
    cap = max(100, 10 * p) if most is None else most
    factor, reason = _factorize(scaled, problem.n_threads, problem.kernel)
    state = _State(k, p)
    info = BoundedInfo(path="gram", reason=reason, iterations=state.rounds, passes=1, n_threads=problem.n_threads,
                       kernel=lib.kernel_name(problem.kernel))
    left = np.arange(k)
    if factor is not None:
        info.condition = math.sqrt(factor.condition)
        left = _by_gram(problem, scaled, factor, state, cap, info)
        if left.size and most is not None:  # the caller's own limit
            capped = state.rounds[left] >= most
            _evaluate(problem, scaled, state, left[capped], info)
            left = left[~capped]
    if left.size:
        info.path = "qr" if left.size == k else "mixed"
        info.reason = info.reason or f"{left.size} targets did not settle"
        _by_rows(problem, scaled, state, left, cap, info)
    return _solution(scaled, state, lower, upper, info)


def _parts(b, length):
    """sum_j ‖x_j‖ |b_j| of every target, not by BLAS, whose threads and ours would wait for each other."""
    return (np.abs(b) * length).sum(axis=1)


class _State:
    """What is known of every target, in scaled units."""

    def __init__(self, k, p):
        self.b, self.place, self.g = np.zeros((k, p)), np.zeros((k, p), np.int8), np.zeros((k, p))
        self.rnorm, self.level = np.zeros(k), np.zeros(k)
        self.rounds, self.settled = np.zeros(k, np.int64), np.zeros(k, bool)


def _factorize(scaled, n_threads, kernel=None):
    if not (np.diagonal(scaled.m) > 0).all():
        return None, "a column has no sum of squares"
    return lib.factorize(np.ascontiguousarray(scaled.m), None, n_threads, kernel)


def condition_of(problem):
    """BoundedInfo.condition of a problem that was solved without a factor of all columns."""
    lower = np.zeros(problem.shape[1])
    factor, _ = _factorize(_Scaled(gather(problem), lower, lower), problem.n_threads, problem.kernel)
    return math.nan if factor is None else math.sqrt(factor.condition)


def _pivoting(scaled, factor, boxes, n_threads, kernel):
    """Moves the boxes to the minimum of the equations, starting from what is free of bounds; returns the gradients."""
    z = np.ascontiguousarray(factor.solve(np.ascontiguousarray(scaled.c), kernel).T)
    lower, upper = scaled.lower, scaled.upper
    boxes.place[:] = np.where((z < lower) | (lower == upper), -1, np.where(z > upper, 1, 0))
    g = np.array(scaled.c.T, order="C")  # written to; of one target the transpose is contiguous as it is
    boxes.move(np.ascontiguousarray(scaled.m), g, SLACK * np.sqrt(scaled.yy), n_threads, kernel)
    return g


def _by_gram(problem, scaled, factor, state, most, info):
    """Rung 1; returns the targets it does not settle."""
    k, p = state.b.shape
    m = np.ascontiguousarray(scaled.m)
    boxes = lib.Boxes(scaled.lower, scaled.upper, k, most)
    _pivoting(scaled, factor, boxes, problem.n_threads, problem.kernel)
    state.b[:], state.place[:], state.rounds[:] = boxes.b, boxes.place, boxes.rounds
    lost = [np.flatnonzero(boxes.settled == 0)]
    going = np.flatnonzero(boxes.settled)
    last = np.full(k, np.inf)
    nothing = 0.0 if problem.x.size * k <= TINY else NOTHING
    reach = _inverse_norm(scaled, factor, k)
    for _ in range(MOST_PASSES):
        if going.size == 0:
            break
        _evaluate(problem, scaled, state, going, info)
        going = going[~_at_minimum(scaled, reach, state, going, nothing)]
        if going.size == 0:
            break
        b, place, g = state.b[going], state.place[going], state.g[going]
        slack = SLACK * (state.rnorm[going] + _parts(b, scaled.length))
        boxes = lib.Boxes(*scaled.bounds(going), going.size, most)
        boxes.b[:], boxes.place[:] = b, place
        boxes.move(m, g, slack, problem.n_threads, problem.kernel)
        state.rounds[going] += boxes.rounds - 1
        step = np.abs(boxes.b - b).max(axis=1, initial=0.0)
        changed = (boxes.place != place).any(axis=1)
        found = boxes.settled.astype(bool)
        done = found & ((step <= nothing * np.abs(b).max(axis=1, initial=0.0)) | (~changed & (step > last[going] / 8)))
        state.settled[going[done]] = True
        lost.append(going[~found])
        more = found & ~done
        state.b[going[more]], state.place[going[more]] = boxes.b[more], boxes.place[more]
        last[going] = np.where(changed, np.inf, step)
        going = going[more]
    lost.append(going)
    return np.sort(np.concatenate(lost))


def _inverse_norm(scaled, factor, k):
    """A bound of ‖M⁻¹‖₂: the norm itself where many targets are worth it."""
    p = scaled.m.shape[0]
    if 0 < p <= min(k, OWN_SOLVES):
        return 1 / np.linalg.eigvalsh(scaled.m)[0]
    return factor.condition / np.abs(scaled.m).sum(axis=0).max(initial=1.0)


def _at_minimum(scaled, reach, state, targets, nothing):
    """Which of the targets are settled, as no step with the free coefficients would be longer than rounding.

    ‖M_FF⁻¹ g_F‖ <= ‖M⁻¹‖ ‖g_F‖, for M_FF is a principal submatrix of M, whose inverse has no larger norm.  That is
    several times the step itself, and may be four times as long.
    """
    b, place, g = state.b[targets], state.place[targets], state.g[targets]
    free = place == 0
    with np.errstate(over="ignore", invalid="ignore"):
        step = np.sqrt((g * g).sum(axis=1, where=free)) * reach
    lower, upper = scaled.bounds(targets)
    inwards = (-place * g).max(axis=1, initial=0.0, where=~free & (lower < upper))
    found = (step <= 4 * nothing * np.abs(b).max(axis=1, initial=0.0)) & (inwards <= 0)
    state.settled[targets[found]] = True
    return found


def _evaluate(problem, scaled, state, targets, info):
    """Gradients and lengths of the residuals at state.b, in one read of the rows."""
    if targets.size == 0:
        return
    equations = scaled.equations
    every = targets.size == state.b.shape[0]
    part = problem if every else type(problem)(
        problem.x, problem.y[:, targets], problem.weights, problem.intercept, problem.n_threads, problem.names,
        problem.check_finite, problem.kernel,
    )
    slopes = scaled.packed_of(state.b[targets], targets)
    packed, units = slopes, equations.units
    if problem.intercept:
        level = equations.mean[equations.p :][targets] - equations.column_mean() @ slopes
        packed = np.vstack([slopes, level[None, :]])
        state.level[targets] = level
    if not every:
        columns = np.r_[0 : equations.lead, equations.lead + targets]
        units = type(units)(units.exponents[columns], units.shift[columns], units.plain)
    g, rss = residual_pass(part, units, np.ascontiguousarray(packed))
    info.passes += 1
    if problem.intercept:
        # the level that is best for these slopes: what rounding left of the mean of the residuals
        correction = g[equations.p] / equations.sum_weights
        state.level[targets] += correction
        rss = np.maximum(rss - correction * g[equations.p], 0.0)
        g = equations.centred_gradient(g)
    target = scaled.target[targets]
    state.g[targets] = (g[scaled.active] * np.ldexp(1.0, scaled.own)[:, None] * np.ldexp(1.0, target)).T
    state.rnorm[targets] = np.ldexp(np.sqrt(rss), target)


def _by_rows(problem, scaled, state, targets, most, info):
    """Rung 2 for these targets."""
    t, d = triangle_of(problem, scaled, targets)
    boxes = lib.Boxes(*scaled.bounds(targets), targets.size, most)
    boxes.solve(t, d, scaled.prices(), problem.n_threads, problem.kernel)
    info.passes += 1
    state.b[targets], state.place[targets] = boxes.b, boxes.place
    state.rounds[targets] += boxes.rounds
    state.settled[targets] = boxes.settled != 0
    _evaluate(problem, scaled, state, targets, info)


def triangle_of(problem, columns, targets):
    """(columns of R (p, m), Qᵀy (k, m)) of a QR of the scaled rows, in blocks: no copy of all rows is made.

    Small problems are left as they are: R is the rows, m their number.  Rows are sorted by length, and where they are
    of very different ones the columns are pivoted, so that the shortest keep their digits (Cox and Higham, Stability of
    Householder QR factorization for weighted least squares problems, 1998).
    """
    from scipy.linalg import qr

    n, p = problem.x.shape[0], columns.active.size
    if n <= 2 * p or n * p * p * targets.size <= DIRECT:
        a, right = _scaled_rows(problem, columns, targets, 0, n)
        order, _ = _by_length(a)
        return np.ascontiguousarray(a[order].T), np.ascontiguousarray(right[order].T)
    rows = max(LEAST_ROWS, BLOCK * p)
    r, d = np.zeros((0, p)), np.zeros((0, targets.size))
    for start in range(0, n, rows):
        a, right = _scaled_rows(problem, columns, targets, start, min(start + rows, n))
        a, right = np.vstack([r, a]), np.vstack([d, right])
        order, spread = _by_length(a)
        q, triangle, *pivots = qr(
            a[order], mode="economic", pivoting=spread > SPREAD, overwrite_a=True, check_finite=False
        )
        r = np.empty_like(triangle)
        r[:, pivots[0] if pivots else slice(None)] = triangle
        d = q.T @ right[order]
    return np.ascontiguousarray(r.T), np.ascontiguousarray(d.T)


def _by_length(a):
    """(rows of a sorted by length, how much longer the longest is than the shortest)."""
    length = np.abs(a).max(axis=1, initial=0.0)
    order = np.argsort(-length, kind="stable")
    return order, length.max(initial=0.0) / length[length > 0].min(initial=np.inf)


def _scaled_rows(problem, columns, targets, start, stop):
    """Rows start to stop of X and of these targets, about the means with an intercept, scaled and weighted."""
    equations = columns.equations
    units, y_of, mean = equations.units, equations.lead + targets, equations.user_mean()
    x, y = problem.x[start:stop], problem.y[start:stop]
    x = x if columns.active.size == x.shape[1] else x[:, columns.active]
    y = y if targets.size == y.shape[1] else y[:, targets]
    a = _scaled_block(x, units.exponents[columns.active], columns.own, mean[: equations.p][columns.active])
    right = _scaled_block(y, units.exponents[y_of], columns.target[targets], mean[equations.p :][targets])
    if problem.weights is not None:
        root = np.sqrt(problem.weights[start:stop].astype(np.float64))[:, None]
        a, right = a * root, right * root
    return a, right


def _scaled_block(values, exponents, own, mean):
    """(values - mean) 2^(exponents + own), in two steps: one alone may leave the range of float64."""
    block = np.ldexp(values.astype(np.float64), exponents)
    block -= np.ldexp(mean, exponents)
    return np.ldexp(block, own)


def _solution(scaled, state, lower, upper, info):
    equations = scaled.equations
    coef = scaled.in_user_units(state.b, state.place, lower, upper)
    # sums that have lost the residual: relative to the parts of the fit
    known = np.where(np.isnan(state.rnorm), 0.0, state.rnorm) if info.path == "moments" else state.rnorm
    violations, size = scaled.violations(state.b, state.place, state.g, known, (scaled.lower, scaled.upper))
    with np.errstate(over="ignore", under="ignore", invalid="ignore", divide="ignore"):
        # where the residual is beyond float64 nothing is known of the gradients
        ratio = np.where(size > 0, violations / size, np.where(size == 0, 0.0, np.nan))
        info.kkt = float(ratio.max(initial=0.0))
        rnorm = np.ldexp(state.rnorm, scaled.y_exponents)
        user = np.ldexp((violations * scaled.length).T, scaled.y_exponents - scaled.x_exponents[:, None])
        intercept = np.zeros(coef.shape[1])
        if equations.intercept:
            shift, p, lead = equations.units.shift, equations.p, equations.lead
            intercept = np.ldexp(state.level, -equations.units.exponents[lead:]) + shift[lead:] - shift[:p] @ coef
    info.free = (state.place == 0).sum(axis=1)
    place = np.zeros(coef.shape, np.int8)
    place[coef == lower[:, None]] = -1
    place[coef == upper[:, None]] = 1
    return BoundedSolution(coef, intercept, rnorm, place, user.max(axis=0, initial=0.0), state.settled, info)


def bounded_from_equations(equations, lower, upper, n_threads=1, most=None):
    """BoundedSolution from normal equations alone: half of the digits of ill-conditioned columns are lost in these.

    `rnorm` is NaN where it is no longer than what rounding leaves.  Directions that are rounding in the sums are left
    out: `kkt` shows what the gradients have along them.
    """
    scaled = _Scaled(equations, lower, upper)
    k, p = equations.c.shape[1], scaled.active.size
    most = max(100, 10 * p) if most is None else most
    factor, reason = _factorize(scaled, n_threads)
    state = _State(k, p)
    boxes = lib.Boxes(scaled.lower, scaled.upper, k, most)
    info = BoundedInfo(path="moments", reason=reason, n_threads=n_threads, kernel=lib.kernel_name())
    if factor is not None:
        info.condition = math.sqrt(factor.condition)
        _pivoting(scaled, factor, boxes, n_threads, None)
    if factor is None or not boxes.settled.all():
        t, d = _root(scaled)
        boxes.solve(t, d, scaled.prices(), n_threads)
    state.b[:], state.place[:], state.rounds[:] = boxes.b, boxes.place, boxes.rounds
    state.settled[:] = boxes.settled != 0
    state.g[:] = (scaled.c - scaled.m @ state.b.T).T
    product = np.einsum("ij,ji->i", state.b, scaled.c)
    rss = scaled.yy - product - np.einsum("ij,ij->i", state.b, state.g)
    size = np.abs(state.b)
    # rounding of bᵀC and of bᵀ(C - M b)
    parts = np.einsum("ij,ji->i", size, np.abs(scaled.c) + np.abs(scaled.m) @ size.T)
    noise = SLACK * (scaled.yy + parts)
    state.rnorm[:] = np.where(scaled.yy == 0, 0.0, np.sqrt(np.where(rss > noise, rss, np.nan)))
    info.iterations = state.rounds
    if equations.intercept:
        slopes = scaled.packed_of(state.b, np.arange(k))
        state.level[:] = equations.mean[equations.p :] - equations.column_mean() @ slopes
    return _solution(scaled, state, lower, upper, info)


def _root(scaled):
    """(columns of T, d) with TᵀT = M and Tᵀd = C, without the directions that are rounding."""
    values, vectors = np.linalg.eigh(scaled.m)
    keep = values > lib.pivot_noise(values.size) * values[-1:]
    root = np.sqrt(values[keep])
    t = vectors[:, keep] * root
    d = (vectors[:, keep].T @ scaled.c) / root[:, None]
    return np.ascontiguousarray(t), np.ascontiguousarray(d.T)
