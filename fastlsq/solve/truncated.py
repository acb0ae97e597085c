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
from fastlsq.solve.deficient import dependent_columns, shortest
from fastlsq.solve.driver import UNIT_ROUNDOFF, Solution, SolveInfo, forward_bound, residual_pass

MOST_PASSES = 4


def rank_of(values):
    """How many singular values of columns of equal length count: rounding alone leaves a few eps in dependent ones."""
    return int((values > max(8.0, math.sqrt(values.size)) * 2 * UNIT_ROUNDOFF * values[:1]).sum())


def solve_truncated(problem, equations, found, singular, reads, reason):
    """Solution of minimum norm with the `singular` values and vectors of `found` (precondition.py) that count."""
    p, k = equations.c.shape
    values, right, project = singular
    rank = rank_of(values)
    active, own = found.active, found.own
    half = right[:, :rank] / values[:rank]  # V_r Σ_r⁻¹

    def solve(projected):
        """Slopes for (X T)ᵀz."""
        slopes = np.zeros((p, k))
        slopes[active] = np.ldexp(half @ (project[:rank] @ projected), own[:, None])
        return slopes

    def newton(g):
        return solve(found.transform.T @ np.ldexp(g[active], own[:, None]))

    slopes = solve(found.c[active])
    b = equations.with_intercept(slopes)
    reads += found.passes
    last = np.inf
    for _ in range(MOST_PASSES):
        g, _ = residual_pass(problem, equations.units, b)
        reads += 1
        slopes = newton(equations.centred_gradient(g))
        change = float(_sizes(slopes[active], own).max(initial=0.0)) / (
            float(_sizes(b[:p][active], own).max(initial=0.0)) or 1.0
        )
        if not change < 0.5 * last:
            break
        b += equations.newton_step(slopes, g)
        if change <= UNIT_ROUNDOFF:
            break
        last = change
    exponents = own + equations.units.exponents[active]
    null = right[:, rank:]
    before = b[:p].copy()
    b[:p][active] = np.ldexp(shortest(np.ldexp(b[:p][active], -own[:, None]), null, exponents), own[:, None])
    if equations.intercept:
        b[p] += equations.column_mean() @ (before - b[:p])
    g, rss = residual_pass(problem, equations.units, b)
    kappa = float(values[0] / values[rank - 1]) if rank else math.nan
    info = SolveInfo(
        path="preconditioned", reason=reason, passes=reads + 1, condition=kappa, rank=rank,
        backward_error=_backward_error(equations, found, b, g, rss),
        forward_error=forward_bound(kappa, float(np.linalg.norm(values)), _sizes(b[:p][active], own), rss),
        n_threads=problem.n_threads, kernel=lib.kernel_name(problem.kernel), aliased=_aliased(equations, found, rank),
    )
    solution = Solution.from_equations(
        equations, b, rss, info, lambda: _inverse(half, null, exponents, active, p, own)
    )
    solution.packed, solution.newton = b, newton
    return solution


def _sizes(b, own):
    return np.linalg.norm(np.ldexp(b, -own[:, None]), axis=0)


def _backward_error(equations, found, b, g, rss):
    """Stewart's min(‖Aᵀr‖/(‖A‖‖r‖), ‖r‖/(‖A‖‖b‖)) for A = X D, largest over the targets."""
    active, own = found.active, found.own
    g = np.ldexp(equations.centred_gradient(g)[active], own[:, None])
    norm_a = math.sqrt(float(np.ldexp(np.diagonal(equations.m)[active], 2 * own).sum()))
    norm_r = np.sqrt(rss)
    with np.errstate(divide="ignore", invalid="ignore"):
        size = _sizes(b[: equations.p][active], own)
        error = np.fmin(np.linalg.norm(g, axis=0) / (norm_a * norm_r), norm_r / (norm_a * size))
    return float(np.max(np.nan_to_num(error, nan=0.0, posinf=0.0), initial=0.0)) + UNIT_ROUNDOFF


def _inverse(half, null, exponents, active, p, own):
    """(V, e): pseudo-inverse V_ij*2^(e_i + e_j) of XᵀWX (centred with an intercept) in packed units."""
    short = shortest(half, null, exponents)
    full, places = np.zeros((p, p)), np.zeros(p, np.int64)
    full[np.ix_(active, active)] = short @ short.T
    places[active] = own
    return full, places


def _aliased(equations, found, rank):
    """Columns that depend on earlier ones, as far as the moments resolve them, and those without a sum of squares."""
    h = np.ldexp(equations.m[np.ix_(found.active, found.active)], found.own[:, None] + found.own)
    depend = dependent_columns(h, lib.pivot_noise(equations.p))[: found.active.size - rank]
    unused = np.setdiff1d(np.arange(equations.p), found.active)
    return tuple(int(j) for j in np.union1d(unused, found.active[depend]))
