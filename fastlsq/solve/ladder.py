# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The ladder: the fast path, its certificate, and where it is refused the next rung.

    1  Gram pass, Cholesky, refinement                      driver.py             kappa up to some 1e6
       small problems: rows sorted, QR with pivoting        orthogonal.py         any kappa, any rank, any shape
    2  Gram pass of X T, T from a shifted factor            precondition.py       up to some 1e13
    3  the same once more                                   precondition.py       up to 1/u
       dependent columns: minimum norm                      truncated.py
    4  rows sorted, QR with pivoting                        orthogonal.py         a few rows far longer than the others
       fewer rows than columns                              dual.py               kappa up to some 1e6
       LAPACK through SciPy                                 lapack.py             what is left, and a cut-off
"""

import numpy as np

from fastlsq._core import lib
from fastlsq.solve.deficient import cancellation
from fastlsq.solve.driver import Solution, SolveInfo, factorize, refine
from fastlsq.solve.dual import solve_dual
from fastlsq.solve.moments import gather
from fastlsq.solve.orthogonal import solve_orthogonal, solve_small
from fastlsq.solve.precondition import factor_of, precondition
from fastlsq.solve.truncated import solve_truncated
from fastlsq.solve.twofold import refine_fully

#: the longest row over the median one, columns scaled to equal length, above which only row-wise stable methods do
LARGEST_SPREAD = 1e6
#: estimate of the condition number of the moments, kappa² and up to p times that, from which on the rank is looked at
SUSPECT_CONDITION = 1e24
#: how much larger than the moments their sums may have been for an answer to stand unrefined
MOST_CANCELLED = 16.0
#: smallest singular value over the largest that one pass over X T is sure to tell from zero
RESOLVED = 2e-14


def solve(problem, lapack, cutoff=False, accuracy="qr", refused=None, gathered=None):
    """Solution of the problem by the first rung that proves its answer.

    With 'full' accuracy refined to its last bit; 'fast' takes the first rung's word where it is well-conditioned.

    A penalty is so many rows more, so there are never fewer rows than columns.
    With fewer rows than columns, or a `cutoff` for singular values that rung 1 does not clear, it is
    `lapack(problem, equations, reason)`.  `refused`: what lib.lstsq has found where rung 1 is not certified.
    `gathered`: the normal equations without the penalty, where they are known.
    """
    n, p, k = problem.shape
    small = is_small(problem) and not cutoff and problem.penalty is None
    wide = n < p + problem.intercept and problem.penalty is None
    if wide and not small:
        arrays = (problem.x, problem.y)
        if not problem.check_finite and any(lib.first_nonfinite(array) is not None for array in arrays):
            return _nonfinite(problem)
        solution = solve_dual(problem) if n > 0 and k > 0 and not cutoff else None
        return solution or lapack(problem, None, "fewer rows than columns")
    moments, reason, reads = refused or (None, None, 1)
    equations = gather(problem, moments) if gathered is None else gathered.penalized(problem.penalty)
    if equations is None:
        return _nonfinite(problem)
    if problem.intercept and not equations.sum_weights > 0:
        raise ValueError("weights must not all be zero")
    factor = solution = None
    if wide:
        reason = "fewer rows than columns"
    elif reason is None or reason == lib.OUT_OF_RANGE or not (np.diagonal(equations.m) > 0).all():
        factor, reason = factorize(equations, problem.n_threads, problem.kernel)
    if factor is not None:
        unrefined = accuracy == "fast" and cancellation(equations) <= MOST_CANCELLED
        solution, reason, reads = refine(problem, equations, factor, unrefined=unrefined)
    if solution is None and (cutoff or p == 0):
        return lapack(problem, equations, reason)
    if solution is None and small and not equations.constant().all():
        solution = solve_small(problem, equations, reads, reason)
    if wide:
        return solution or lapack(problem, equations, reason)
    if solution is None:
        solution = _escalate(problem, equations, reason, reads)
    return refine_fully(problem, solution) if accuracy == "full" and p > 0 and k > 0 else solution


def is_small(problem):
    """Whether QR of all rows at once is the fastest answer to what rung 1 refuses."""
    n, p, k = problem.shape
    return n > 0 and k > 0 and lib.is_for_qr(n, p, k)


def _escalate(problem, equations, reason, reads):
    """By rungs 2 to 4, after as many reads of the rows."""
    if equations.constant().all():
        return _level(problem, equations, reads, reason)
    found, first = precondition(problem, equations), None
    if found.spread > LARGEST_SPREAD:
        why = f"{reason}; a row {found.spread:.0e} times as long as others"
        return solve_orthogonal(problem, equations, reads + found.passes, why)
    while True:
        total, factor = None, None
        if found.factor is not None:
            total = found.total
            factor, c = factor_of(found, total, equations)
            if factor.condition <= SUSPECT_CONDITION:
                break
        truncated = found.truncated()
        if truncated.rank < found.active.size:
            reads += found.passes
            if first is not None:  # the second T is too large where X T is nothing
                first[1].cut(truncated.rank)
                found, truncated = first if resolves(first[1]) else (found, truncated)
            return solve_truncated(problem, equations, found, truncated, reads, reason)
        # rounding in the first moments of X T leaves values of up to some p*u
        if first is not None or (factor is not None and resolves(truncated)):
            break
        first = found, truncated
        found = precondition(problem, equations, found)
    if factor is None:
        why = f"{reason}; no factor of preconditioned columns"
        return solve_orthogonal(problem, equations, reads + found.passes, why)
    triangle = total, -found.own
    solution, why, reads = refine(problem, equations, factor, "preconditioned", reads + found.passes, triangle, c)
    if solution is None:
        return solve_orthogonal(problem, equations, reads, f"{reason}; preconditioned: {why}")
    solution.info.reason = reason
    return solution


def resolves(truncated):
    """Whether one pass over X T is sure of what counts."""
    return truncated.condition * RESOLVED < 1


def _level(problem, equations, reads, reason):
    """No column but constant ones: the targets' means, or nothing."""
    p, k = equations.c.shape
    info = SolveInfo(path="gram", reason=reason, passes=reads, backward_error=0.0, aliased=tuple(range(p)),
                     n_threads=problem.n_threads, kernel=lib.kernel_name(problem.kernel))
    b = equations.with_intercept(np.zeros((p, k)))
    root = np.zeros((p, 0)), np.zeros(p, np.int64)
    solution = Solution.from_equations(equations, b, np.array(equations.yy), info, lambda: root)
    solution.packed, solution.newton = b, np.zeros_like
    return solution


def _nonfinite(problem):
    _, p, k = problem.shape
    info = SolveInfo(path="nonfinite", reason="NaN or infinity in unchecked input", passes=1,
                     n_threads=problem.n_threads, kernel=lib.kernel_name(problem.kernel))
    nan = np.full(k, np.nan)
    return Solution(np.full((p, k), np.nan), nan, nan.copy(), info, problem.intercept)
