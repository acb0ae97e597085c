# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Least squares with a penalty alpha bᵀP b: from rows by the ladder, from moments, in the dual, one alpha a target.

A penalty is so many rows more, a root of alpha P with targets 0 that the intercept does not touch, so an answer is
certified as one of least squares is (Å. Björck, Numerical Methods for Least Squares Problems, SIAM 1996, section 5.3).
"""

from dataclasses import replace

import numpy as np

from fastlsq import _arrays
from fastlsq.solve.combine import subset
from fastlsq.solve.deficient import solve_moments
from fastlsq.solve.driver import SolveInfo, column_norms, factorize, residual_pass, solution_of_full_rank
from fastlsq.solve.ladder import solve
from fastlsq.solve.lapack import lapack_solver, scaled_rows
from fastlsq.solve.moments import UNIT_ROUNDOFF, Problem, gather
from fastlsq.solve.truncated import backward_error

#: passes of refinement where every target has an alpha of its own
MOST_PASSES = 6
#: a first step larger than this part of b, or a later one that shrinks by less than the second, is left to the ladder
LARGEST_STEP, SMALLEST_CONTRACTION = 0.03, 0.3
#: of the backward error
GOAL = 4 * UNIT_ROUNDOFF
#: of the dual: a larger condition number of [Z I], or binary exponent of a column, is left to the ladder
LARGEST_CONDITION, LARGEST_EXPONENT = 1e6, 400


def solve_ridge(problem, alpha, penalty, accuracy="qr", gathered=None):
    """`Solution` for one alpha, or for one for each target; `gathered` as in `ladder.solve`."""
    if np.ndim(alpha):
        return _solve_for_each(problem, alpha, penalty, accuracy, gathered)
    penalized = replace(problem, penalty=None if alpha == 0 else scaled_penalty(alpha, penalty))
    n, p, _ = problem.shape
    solution = None
    if n < p and alpha > 0 and penalty.ndim == 1 and (penalized.penalty > 0).all() and accuracy != "full":
        solution = _solve_dual(problem, penalized.penalty)
    return solution or solve(penalized, lapack_solver(), accuracy=accuracy, gathered=gathered)


def scaled_penalty(alpha, penalty):
    """alpha P, or ValueError where float64 does not hold it."""
    with np.errstate(over="ignore"):
        found = alpha * penalty
    if not np.isfinite(found).all():
        raise ValueError(f"alpha times penalty is beyond float64: {alpha:g} times {np.abs(penalty).max():g}")
    return found


def solve_ridge_moments(equations, alpha, penalty):
    """The same from moments alone."""
    if np.ndim(alpha) == 0:
        return solve_moments(equations.penalized(scaled_penalty(alpha, penalty)))
    groups = [np.array([t]) for t in range(alpha.size)]
    every = np.arange(equations.p)
    parts = [solve_moments(subset(equations, every, groups[t]).penalized(scaled_penalty(value, penalty)))
             for t, value in enumerate(alpha.tolist())]
    return _side_by_side(parts, groups)


def _solve_for_each(problem, alpha, penalty, accuracy, gathered):
    """Every target with its own alpha: moments once, and all targets refined at once while every one contracts."""
    values, which = np.unique(alpha, return_inverse=True)
    groups = [np.flatnonzero(which == i) for i in range(values.size)]
    parts = _refined_together(problem, values, groups, penalty, gathered) if accuracy == "qr" else None
    if parts is None:
        parts = [solve_ridge(replace(problem, y=problem.y[:, targets]), value, penalty, accuracy)
                 for value, targets in zip(values.tolist(), groups, strict=True)]
    return _side_by_side(parts, groups)


class _Group:
    """The targets of one alpha: equations, factor, and how far refinement has come."""

    def __init__(self, problem, equations, targets, penalty):
        self.targets = targets
        self.equations = subset(equations, np.arange(equations.p), targets).penalized(penalty)
        self.factor, _ = factorize(self.equations, problem.n_threads, problem.kernel)
        self.last, self.error = np.full(targets.size, np.inf), np.inf

    def start(self):
        return self.equations.with_intercept(self.factor.solve(np.ascontiguousarray(self.equations.c)))

    def step(self, b, g, rss):
        """The next step, or None where they do not shrink; measures the backward error at b."""
        e, p = self.equations, self.equations.p
        pull = e.pull(b[:p])
        own = g.copy()
        own[:p] -= pull
        gradient = np.ascontiguousarray(e.centred_gradient(own))
        slopes = self.factor.solve(gradient)
        size = self._length(b)
        # stepᵀg = ‖R⁻ᵀD g‖², the part of the residual in the range
        half = np.sqrt(np.maximum(np.einsum("ij,ij->j", slopes, gradient), 0.0))
        active = slice(None) if self.factor.active is None else self.factor.active
        whole = column_norms(gradient[active] * self.factor.scale[:, None])
        rest = np.sqrt(rss + np.einsum("ij,ij->j", b[:p], pull))
        self.error = backward_error(half, whole, rest, size, np.sqrt(self.factor.trace))
        change = self._length(slopes) / np.where(size > 0, size, 1.0)
        if not (change <= np.minimum(LARGEST_STEP, SMALLEST_CONTRACTION * self.last)).all() and self.error > GOAL:
            return None
        self.last = change
        return e.newton_step(slopes, own)

    def _length(self, b):
        active = slice(None) if self.factor.active is None else self.factor.active
        return column_norms(b[: self.equations.p][active] / self.factor.scale[:, None])


def _refined_together(problem, values, groups, penalty, gathered):
    """A `Solution` for each alpha, or None where a target needs more than refinement."""
    n, p, k = problem.shape
    if n < p + problem.intercept or k == 0:
        return None
    equations = gather(problem) if gathered is None else gathered
    if problem.intercept and not equations.sum_weights > 0:
        raise ValueError("weights must not all be zero")
    parts = [_Group(problem, equations, targets, scaled_penalty(value, penalty))
             for value, targets in zip(values.tolist(), groups, strict=True)]
    if any(part.factor is None for part in parts):
        return None
    b = np.empty((equations.lead, k))
    for part in parts:
        b[:, part.targets] = part.start()
    passes = 1
    while passes <= MOST_PASSES:
        passes += 1
        g, rss = residual_pass(problem, equations.units, b)
        steps = [part.step(b[:, part.targets], g[:, part.targets], rss[part.targets]) for part in parts]
        if all(part.error <= GOAL for part in parts):
            break
        if any(step is None for step in steps):
            return None
        for part, step in zip(parts, steps, strict=True):
            b[:, part.targets] += step
    else:
        return None
    found = []
    for part in parts:
        info = SolveInfo(path="gram", passes=passes, backward_error=part.error)
        own = np.ascontiguousarray(b[:, part.targets])
        found.append(solution_of_full_rank(problem, part.equations, part.factor, own, rss[part.targets], info))
    return found


def _side_by_side(parts, groups):
    """One `Solution` of several, each of some targets; `info` says the worst of what is said of them."""
    order = np.argsort(np.concatenate(groups))

    def joined(name):
        values = [np.broadcast_to(getattr(part, name), targets.shape)
                  for part, targets in zip(parts, groups, strict=True)]
        return np.concatenate(values)[order]

    infos = [part.info for part in parts]
    least = min(infos, key=lambda info: info.rank)
    # NaN, which says that nothing is known, is the largest
    worst = {name: float(np.max([getattr(info, name) for info in infos]))
             for name in ("condition", "backward_error", "forward_error")}
    info = replace(least, passes=max(info.passes for info in infos), **worst)
    return replace(
        parts[0], coef=np.concatenate([part.coef for part in parts], axis=1)[:, order], info=info, root=None,
        **{name: joined(name) for name in ("intercept", "scaled_rss", "scaled_tss", "y_exponents")},
    )


def _solve_dual(problem, penalty):
    """Fewer rows than columns: the shortest [P^½b; r] with [Z I][P^½b; r] = W^½(y - mean), Z = W^½(X - mean)P^-½.

    None where Z is so much larger than I that it is the rows which would have to be told apart.
    """
    if problem.check_finite:
        _arrays.check_finite(**dict(zip(problem.names, (problem.x, problem.y), strict=True)))
    rows = scaled_rows(problem)
    n, p, _ = problem.shape
    if n == 0 or np.abs(rows.x_exponents).max() > LARGEST_EXPONENT:
        return None
    z = np.ldexp(rows.a, rows.x_exponents) / np.sqrt(penalty)
    wide = Problem(np.hstack([z, np.eye(n)]), rows.y, None, False, problem.n_threads, problem.names)
    if not np.isfinite(z).all():
        return None
    found = solve(wide, lapack_solver())
    if not (found.info.condition <= LARGEST_CONDITION and found.info.rank == n):
        return None
    coef = np.ldexp(found.coef[:p] / np.sqrt(penalty)[:, None], rows.y_exponents[None, :])
    rest = found.coef[p:]
    return replace(
        found, coef=coef, intercept=rows.y_mean - rows.x_mean @ coef, has_intercept=problem.intercept,
        y_exponents=rows.y_exponents, scaled_rss=np.einsum("ij,ij->j", rest, rest),
        scaled_tss=np.einsum("ij,ij->j", rows.y, rows.y), mean=rows.x_mean, sum_weights=problem.sum_weights, root=None,
        info=replace(found.info, rank=p, aliased=(), reason="fewer rows than columns"),
    )
