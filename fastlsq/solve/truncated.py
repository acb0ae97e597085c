# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Dependent columns: the solution of minimum norm, from rows and the singular values that preconditioning resolves.

With X D = U Σ Vᵀ (D scales the columns) and r values that count, steps D V_r Σ_r⁻¹ U_rᵀ(y - X b) end at the solution
that has no part in the null space of X D; along that it is moved to minimum norm in the user's units.  Uᵀz is had
from (X T)ᵀz, of which the first step has all digits.
"""

import math

import numpy as np

from fastlsq._core import lib
from fastlsq.solve.deficient import dependent_of, shortest
from fastlsq.solve.driver import UNIT_ROUNDOFF, Solution, SolveInfo, residual_pass

MOST_PASSES = 4


def rank_of(values):
    """How many singular values of columns of equal length count: rounding alone leaves a few eps in dependent ones."""
    return int((values > max(8.0, math.sqrt(values.size)) * 2 * UNIT_ROUNDOFF * values[:1]).sum())


def solve_truncated(problem, equations, found, singular, rank, reads, reason):
    """Solution of minimum norm with the first `rank` `singular` values and vectors of `found` (precondition.py)."""
    p, k = equations.c.shape
    values, right, project = singular
    active, own = found.active, found.own
    half = right[:, :rank] / values[:rank]  # V_r Σ_r⁻¹

    def solve(projected):
        """Slopes for (X T)ᵀz."""
        slopes = np.zeros((p, k))
        slopes[active] = np.ldexp(half @ (project[:rank] @ projected), own[:, None])
        return slopes

    def newton(g):
        return solve(found.transform.T @ np.ldexp(g[active], own[:, None]))

    b = equations.with_intercept(solve(found.c[active]))
    b, used = _settle(problem, equations, newton, b, own, active)
    exponents = own + equations.units.exponents[active]
    null = right[:, rank:]
    before = b[:p].copy()
    b[:p][active] = np.ldexp(shortest(np.ldexp(b[:p][active], -own[:, None]), null, exponents), own[:, None])
    if equations.intercept:
        b[p] += equations.column_mean() @ (before - b[:p])
    # the null space is known to rounding, and the move along it may have been a long one
    b, more = _settle(problem, equations, newton, b, own, active)
    reads += used + more
    g, rss = residual_pass(problem, equations.units, b)
    g = np.ldexp(equations.centred_gradient(g)[active], own[:, None])
    info = SolveInfo(
        path="preconditioned", reason=reason, passes=reads + 1,
        backward_error=backward_error(g, np.sqrt(rss), np.ldexp(b[:p][active], -own[:, None]), values, right, rank),
    )
    return solution_of_lower_rank(problem, equations, (values, right, active, own), rank, b, rss, info, newton)


def solution_of_lower_rank(problem, equations, basis, rank, b, rss, info, newton=None):
    """`Solution` from b and rss in packed units; `info` gets what the basis tells.

    `basis` is (values, V, active, e): the active columns times 2^e are U diag(values) Vᵀ.
    """
    values, right, active, own = basis
    p = equations.p
    half, null = right[:, :rank] / values[:rank], right[:, rank:]
    info.rank = rank
    info.condition = float(values[0] / values[rank - 1]) if rank else math.nan
    unused = np.setdiff1d(np.arange(p), active)
    info.aliased = tuple(map(int, np.union1d(unused, active[dependent_of(values, right, rank)])))
    info.n_threads, info.kernel = problem.n_threads, lib.kernel_name(problem.kernel)
    exponents = own + equations.units.exponents[active]
    solution = Solution.from_equations(
        equations, b, rss, info, lambda: _root(half, null, exponents, active, p, own)
    )

    def own_newton(g):
        step = np.zeros((p, g.shape[1]))
        step[active] = np.ldexp(half @ (half.T @ np.ldexp(g[active], own[:, None])), own[:, None])
        return step

    solution.packed, solution.newton = b, newton or own_newton
    return solution


def _settle(problem, equations, newton, b, own, active):
    """(b, reads of the rows): steps until they no longer shrink."""
    p, last, reads = equations.p, np.inf, 0
    while reads < MOST_PASSES:
        reads += 1
        g, _ = residual_pass(problem, equations.units, b)
        slopes = newton(equations.centred_gradient(g))
        length = float(_sizes(slopes[active], own).max(initial=0.0))
        change = length / (float(_sizes(b[:p][active], own).max(initial=0.0)) or 1.0)
        if not change < 0.5 * last:
            break
        b = b + equations.newton_step(slopes, g)
        if change <= UNIT_ROUNDOFF:
            break
        last = change
    return b, reads


def _sizes(b, own):
    return np.linalg.norm(np.ldexp(b, -own[:, None]), axis=0)


def backward_error(g, rest, b, values, right, rank):
    """The bound of Karlson and Waldén (refine.h) for g = Aᵀr, ‖r‖ = rest, A = U diag(values) Vᵀ, over all targets."""
    size, projected = np.linalg.norm(b, axis=0), right[:, :rank].T @ g
    half, whole = np.linalg.norm(projected / values[:rank, None], axis=0), np.linalg.norm(projected, axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.fmin(half / size, whole / rest) / np.linalg.norm(values)
    return float(np.max(np.nan_to_num(error, nan=0.0, posinf=0.0), initial=0.0)) + UNIT_ROUNDOFF


def _root(half, null, exponents, active, p, own):
    """(H, e): the pseudo-inverse of XᵀWX (centred with an intercept) in packed units is (2^e H)(2^e H)ᵀ."""
    root, places = np.zeros((p, half.shape[1])), np.zeros(p, np.int64)
    root[active] = shortest(half, null, exponents)
    places[active] = own
    return root, places
