# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Dependent columns: the solution of minimum norm, from rows and the triangle that preconditioning resolves.

With X D Π = Q R (D scales the columns, Π pivots) and r columns that count, steps D Π R₁₁⁻¹ Q_rᵀ(y - X b) end at a
solution without the others; along the null space of X D it is moved to minimum norm in the user's units.  Qᵀz is had
from (X T)ᵀz, of which the first step has all digits (csrc/truncated.c).
"""

import math

import numpy as np

from fastlsq._core import lib
from fastlsq.solve.deficient import shortest
from fastlsq.solve.driver import UNIT_ROUNDOFF, Solution, SolveInfo, penalized_pass

MOST_PASSES = 4
#: of the next step no more than the square of this part of b would be left
SMALL_STEP = 1e-8
#: the shortest solution may add this part to the sum of squared residuals, and this many u of what the fit is made of
FIT_LOST, FIT_NOISE = 1e-6, 100.0


def solve_truncated(problem, equations, found, truncated, reads, reason):
    """Solution of minimum norm with the `truncated` columns of `found` (precondition.py)."""
    p = equations.p
    active, own = found.active, found.own

    def solve(projected):
        """Slopes for (X T)ᵀz."""
        slopes = np.zeros((p, projected.shape[1]))
        slopes[active] = np.ldexp(truncated.solve(np.ascontiguousarray(projected)), own[:, None])
        return slopes

    def newton(g):
        # not by BLAS: its threads and ours would wait for each other
        return solve(np.einsum("ij,ik->jk", found.transform, np.ldexp(g[active], own[:, None])))

    b = equations.with_intercept(solve(found.c[active]))
    b, fitted, used = _settle(problem, equations, newton, b, own, active, SMALL_STEP)
    null = truncated.null

    def shorten(slopes):
        scaled = np.ldexp(slopes[active], -own[:, None])
        short = np.zeros_like(slopes)
        short[active] = np.ldexp(shortest(scaled, null, own + equations.units.exponents[active]), own[:, None])
        return short

    before = b.copy()
    b[:p] = shorten(before[:p])
    if equations.intercept:
        b[p] += equations.column_mean() @ (before[:p] - b[:p])
    # the null space is known to rounding, and the move along it may have been a long one
    b, _, more = _settle(problem, equations, lambda g: shorten(newton(g)), b, own, active, UNIT_ROUNDOFF)
    reads += used + more
    g, rss = penalized_pass(problem, equations, b)
    norm = math.sqrt(np.ldexp(np.diagonal(equations.m)[active], 2 * own).sum())
    noise = FIT_NOISE * UNIT_ROUNDOFF * norm * _sizes(before[:p][active], own)
    lost = ~(rss <= fitted * (1 + FIT_LOST) + noise**2)
    if lost.any():  # units so far apart that rounding takes the fit: a longer solution then
        b = np.where(lost, before, b)
        g, rss = penalized_pass(problem, equations, b)
        reads += 1
    g = np.ldexp(equations.centred_gradient(g)[active], own[:, None])
    size, whole = np.linalg.norm(np.ldexp(b[:p][active], -own[:, None]), axis=0), np.linalg.norm(g, axis=0)
    backward = backward_error(truncated.norms(g), whole, np.sqrt(rss), size, norm)
    info = SolveInfo(path="preconditioned", reason=reason, passes=reads + 1, backward_error=backward,
                     condition=truncated.condition)
    basis = null, truncated.range, truncated.dependent, active, own
    return solution_of_lower_rank(problem, equations, basis, b, rss, info, newton)


def solution_of_lower_rank(problem, equations, basis, b, rss, info, newton=None):
    """`Solution` from b and rss in packed units; `info` gets what the basis tells.

    `basis` is (N, H, which depend, active, e): of the active columns times 2^e, N spans the null space, they make H
    orthonormal, and some of them depend on earlier ones.
    """
    null, half, dependent, active, own = basis
    p = equations.p
    info.rank = half.shape[1]
    if info.rank == 0:
        info.condition = math.nan
    unused = np.setdiff1d(np.arange(p), active)
    info.aliased = tuple(map(int, np.union1d(unused, active[dependent])))
    info.n_threads, info.kernel = problem.n_threads, lib.kernel_name(problem.kernel)
    exponents = own + equations.units.exponents[active]
    solution = Solution.from_equations(
        equations, b, rss, info, lambda: _root(half, null, exponents, active, p, own)
    )

    def own_newton(g):
        step = np.zeros((p, g.shape[1]))
        projected = np.einsum("ij,ik->jk", half, np.ldexp(g[active], own[:, None]))
        step[active] = np.ldexp(np.einsum("ij,jk->ik", half, projected), own[:, None])
        return step

    solution.packed, solution.newton = b, newton or own_newton
    return solution


def _settle(problem, equations, newton, b, own, active, small):
    """(b, sum of squares before the last step, reads of the rows): steps until they are small or no longer shrink."""
    p, last, reads = equations.p, np.inf, 0
    while reads < MOST_PASSES:
        reads += 1
        g, rss = penalized_pass(problem, equations, b)
        slopes = newton(equations.centred_gradient(g))
        length = float(_sizes(slopes[active], own).max(initial=0.0))
        change = length / (float(_sizes(b[:p][active], own).max(initial=0.0)) or 1.0)
        if not change < 0.5 * last:
            break
        b = b + equations.newton_step(slopes, g)
        if change <= small:
            break
        last = change
    return b, rss, reads


def _sizes(b, own):
    return np.linalg.norm(np.ldexp(b, -own[:, None]), axis=0)


def backward_error(half, whole, rest, size, norm):
    """The bound of Karlson and Waldén (refine.h), largest over the targets.

    Of the norms of the part of the residual in the range, of Aᵀr, of r, of the solution and of A.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.fmin(half / size, whole / rest) / norm
    return float(np.max(np.nan_to_num(error, nan=0.0, posinf=0.0), initial=0.0)) + UNIT_ROUNDOFF


def _root(half, null, exponents, active, p, own):
    """(H, e): the pseudo-inverse of XᵀWX (centred with an intercept) in packed units is (2^e H)(2^e H)ᵀ."""
    root, places = np.zeros((p, half.shape[1])), np.zeros(p, np.int64)
    root[active] = shortest(half, null, exponents)
    places[active] = own
    return root, places
