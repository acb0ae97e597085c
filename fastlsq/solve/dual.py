# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Fewer rows than columns, too many of either for QR at once: the shortest solution from the Gram matrix of the rows.

    K = X Xᵀ;   b += XᵀK⁻¹(y - X b)

The columns of Xᵀ are the rows of X, read where they lie, and one residual pass over them gives both the new b and X b.
A step leaves u*kappa² of the error (Å. Björck, Numerical Methods for Least Squares Problems, SIAM 1996, sections 1.6
and 6.6.5).  Positive weights do not change the solution.
"""

import math

import numpy as np

from fastlsq._core import lib
from fastlsq.solve.driver import Solution, SolveInfo, column_norms, factorize
from fastlsq.solve.lapack import root_of_rows, scaled_rows
from fastlsq.solve.moments import UNIT_ROUNDOFF, Problem, gather

MOST_PASSES = 6
#: a step larger than this part of b says that the rows are too nearly dependent
LARGEST_STEP = 0.03
#: each must shrink by this
SMALLEST_CONTRACTION = 0.3
#: of the backward error: with u for what is not measured, no more than 4u
BACKWARD_GOAL = 3 * UNIT_ROUNDOFF


def solve_dual(problem):
    """Solution for rows of full rank, or None where this is not proved; without an intercept."""
    if problem.intercept or (problem.weights is not None and not (problem.weights > 0).all()):
        return None
    n, p, k = problem.shape
    columns = Problem(problem.x.T, np.empty((p, 0)), None, False, problem.n_threads, (problem.names[0], ""), False,
                      problem.kernel)
    equations = gather(columns)
    if equations is None or not (np.diagonal(equations.m) > 0).all():
        return None
    factor, _ = factorize(equations, problem.n_threads, problem.kernel)
    if factor is None:
        return None
    y, exponents = problem.y.astype(np.float64), equations.units.exponents  # of the rows of X
    with np.errstate(over="ignore", invalid="ignore"):  # what leaves the range of float64 is left to others
        scaled = np.ldexp(y, exponents[:, None])
        settled = np.isfinite(scaled).all() and _refine(columns, factor, exponents, scaled, math.sqrt(factor.trace))
    if not settled:
        return None
    b, residual, passes, backward = settled
    residual = np.ldexp(residual, -exponents[:, None])
    if problem.weights is not None:
        residual *= np.sqrt(problem.weights.astype(np.float64))[:, None]
    info = SolveInfo(
        path="dual", reason="fewer rows than columns", passes=passes + 1, condition=math.sqrt(factor.condition),
        backward_error=backward + UNIT_ROUNDOFF, rank=n, n_threads=problem.n_threads,
        kernel=lib.kernel_name(problem.kernel),
    )
    return Solution(b, np.zeros(k), np.einsum("ij,ij->j", residual, residual), info, False, np.einsum("ij,ij->j", y, y),
                    root=lambda: root_of_rows(scaled_rows(problem), n))


def _refine(columns, factor, exponents, y, norm):
    """(b, y - X b, passes, backward error) with the rows of X times 2^exponents, or None."""
    p, k = columns.x.shape[0], y.shape[1]
    b, step, last = np.zeros((p, k)), factor.solve(np.ascontiguousarray(y)), math.inf
    scale = None if not exponents.any() else np.ldexp(1.0, np.concatenate([exponents, np.zeros(k, np.int64)]))
    offset = None if scale is None else np.zeros_like(scale)
    for passes in range(1, MOST_PASSES + 1):
        image, b_next = np.empty_like(step), np.empty_like(b)  # X b and b + Xᵀstep
        lib.residual(columns.x, b, None, scale, offset, False, -step, image, np.empty(k), b_next, columns.n_threads,
                     columns.kernel)
        b, residual = b_next, y - image
        size = column_norms(b)
        with np.errstate(divide="ignore", invalid="ignore"):
            errors = column_norms(residual * factor.scale[:, None]) / (norm * size)
        backward = float(np.nan_to_num(errors, nan=0.0, posinf=1.0).max(initial=0.0))
        step = factor.solve(residual)
        # ‖Xᵀstep‖² = step·residual
        length = np.sqrt(np.maximum(np.einsum("ij,ij->j", step, residual), 0.0))
        change = float((length / np.where(size > 0, size, 1.0)).max(initial=0.0))
        if not np.isfinite(size).all():
            return None
        if not change <= min(LARGEST_STEP, SMALLEST_CONTRACTION * last) and backward > BACKWARD_GOAL:
            return None
        if backward <= BACKWARD_GOAL:
            return b, residual, passes, backward
        last = change
    return None
