# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""QR with rows sorted by length and columns pivoted: of small problems, and rung 4, where a few rows are far longer.

Householder QR is then accurate row by row: rows of 1e-12 times the length of others keep their digits (A. J. Cox and
N. J. Higham, Stability of Householder QR factorization for weighted least squares problems, 1998; Björck, Numerical
Methods for Least Squares Problems, SIAM 1996, section 4.4), which no method on XᵀX can promise.  Small problems in the
core, others by LAPACK's geqp3 on a float64 copy of the rows.
"""

import math

import numpy as np

from fastlsq import _arrays
from fastlsq._core import lib
from fastlsq.solve.deficient import dependent_of, shortest
from fastlsq.solve.driver import UNIT_ROUNDOFF, Solution, SolveInfo, forward_bound, solution_of_full_rank
from fastlsq.solve.lapack import root_of_rows, scaled_rows
from fastlsq.solve.truncated import backward_error, solution_of_lower_rank


def solve_small(problem, equations, reads, reason):
    """Solution of a small problem by the core (csrc/orthogonal.c), or None where that is not finite."""
    active = np.flatnonzero(~equations.constant())
    scale, offset = equations.units.core_arguments()
    found = lib.solve_by_qr(problem.x, problem.y, problem.weights, scale, offset, problem.intercept,
                            None if active.size == equations.p else active, problem.kernel)
    if found is None:
        return None
    b, rss, qr = found
    info = SolveInfo(path="qr", reason=reason, passes=reads + qr.passes, backward_error=qr.backward_error)
    if qr.rank == active.size:
        return solution_of_full_rank(problem, equations, qr.factor, b, rss, info)
    if qr.is_wide:
        return _solution_of_wide(problem, equations, qr, b, rss, info)
    info.condition = math.sqrt(qr.factor.condition)
    basis = qr.null, qr.range, qr.dependent, active, -qr.factor.exponents
    return solution_of_lower_rank(problem, equations, basis, b, rss, info)


def _solution_of_wide(problem, equations, qr, b, rss, info):
    info.condition, info.rank = math.sqrt(qr.factor.condition), qr.rank
    info.n_threads, info.kernel = problem.n_threads, lib.kernel_name(problem.kernel)


    def root():
        matrix, exponents = root_of_rows(scaled_rows(problem), qr.rank)
        return matrix, exponents - equations.units.exponents[: equations.p]

    return Solution.from_equations(equations, b, rss, info, root)


def solve_orthogonal(problem, equations, reads, reason):
    """Solution by QR, of minimum norm in the user's units where columns depend on each other; `reads` went before."""
    from scipy.linalg import qr, svd

    if problem.check_finite:
        _arrays.check_finite(**dict(zip(problem.names, (problem.x, problem.y), strict=True)))
    rows = scaled_rows(problem)
    order = np.argsort(-np.einsum("ij,ij->i", rows.a, rows.a), kind="stable")
    a, y = rows.a[order], rows.y[order]
    q, r, pivots = qr(a, mode="economic", pivoting=True, check_finite=False)
    u, values, vt = svd(r, check_finite=False)
    rank = _rank_of(values)
    right = np.empty_like(vt.T)
    right[pivots] = vt.T
    b = _solve(q, r, pivots, u, values, right, rank, y)
    residual = y - a @ b
    b += _solve(q, r, pivots, u, values, right, rank, residual)  # one step of refinement
    b = shortest(b, right[:, rank:], -rows.x_exponents)
    residual = y - a @ b
    own = order < problem.x.shape[0]  # not those of a penalty
    rss = np.einsum("ij,ij->j", residual[own], residual[own])
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # coefficients that float64 cannot hold
        coef = np.ldexp(b, rows.y_exponents[None, :] - rows.x_exponents[:, None])
        intercept = rows.y_mean - rows.x_mean @ coef
    kappa = float(values[0] / values[rank - 1]) if rank else math.nan
    info = SolveInfo(
        path="qr", reason=reason, passes=reads + 1, rank=rank, condition=kappa,
        backward_error=_backward_error(a.T @ residual, np.linalg.norm(residual, axis=0), b, values, right, rank),
        forward_error=forward_bound(kappa, float(np.linalg.norm(values)), np.linalg.norm(b, axis=0), rss)
        if rank == b.shape[0] else math.nan,
        aliased=tuple(map(int, dependent_of(values, right, rank))), n_threads=problem.n_threads,
        kernel=lib.kernel_name(problem.kernel),
    )
    half = right[:, :rank] / values[:rank]

    def root():
        return shortest(half, right[:, rank:], -rows.x_exponents), -rows.x_exponents

    solution = Solution(
        coef, intercept, rss, info, problem.intercept, np.einsum("ij,ij->j", y, y), rows.y_exponents, rows.x_mean,
        equations.sum_weights, root, equations,
    )
    own = -(rows.x_exponents + equations.units.exponents[: b.shape[0]])
    solution.packed = np.ldexp(b, own[:, None] + (rows.y_exponents + equations.units.exponents[equations.lead :]))
    if equations.intercept:  # of the rows without their shift: mean(y) - mean(x) b
        solution.packed = equations.with_intercept(solution.packed)
    solution.newton = lambda g: np.ldexp(half @ (half.T @ np.ldexp(g, own[:, None])), own[:, None])
    if rank == b.shape[0]:
        triangle = np.triu(qr(r[:, np.argsort(pivots)], mode="r", check_finite=False)[0])
        solution.triangle = (triangle, -own)
    return solution


def _rank_of(values):
    """How many singular values of columns of equal length count: rounding alone leaves a few eps in dependent ones."""
    return int((values > max(8.0, math.sqrt(values.size)) * 2 * UNIT_ROUNDOFF * values[:1]).sum())


def _backward_error(g, rest, b, values, right, rank):
    projected = right[:, :rank].T @ g
    half, whole = np.linalg.norm(projected / values[:rank, None], axis=0), np.linalg.norm(projected, axis=0)
    return backward_error(half, whole, rest, np.linalg.norm(b, axis=0), np.linalg.norm(values))


def _solve(q, r, pivots, u, values, right, rank, y):
    """Least squares for targets y: by R where it has full rank, else with its first singular directions."""
    from scipy.linalg import solve_triangular

    if rank < r.shape[0]:
        return right[:, :rank] @ ((u[:, :rank].T @ (q.T @ y)) / values[:rank, None])
    b = np.empty((r.shape[0], y.shape[1]))
    b[pivots] = solve_triangular(r, q.T @ y, check_finite=False)
    return b
