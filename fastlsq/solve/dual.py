# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Fewer rows than columns, too many of either for QR at once: the shortest solution from the Gram matrix of the rows.

    K = X Xᵀ;   b += XᵀK⁻¹(y - X b)

The columns of Xᵀ are the rows of X, read where they lie, and one residual pass over them gives both the new b and X b.
A step leaves u*kappa² of the error (Å. Björck, Numerical Methods for Least Squares Problems, SIAM 1996, sections 1.6
and 6.6.5).  Positive weights do not change the solution.
"""

import math
from dataclasses import replace

import numpy as np

from fastlsq._core import lib
from fastlsq.solve.driver import Solution, SolveInfo, column_norms, factorize, triangular_inverse
from fastlsq.solve.lapack import root_of_rows, scaled_rows
from fastlsq.solve.moments import UNIT_ROUNDOFF, Problem, gather
from fastlsq.solve.precondition import factor_of, precondition

MOST_PASSES = 6
#: a step larger than this part of b says that the rows are too nearly dependent
LARGEST_STEP = 0.03
#: each must shrink by this
SMALLEST_CONTRACTION = 0.3
#: of the backward error: with u for what is not measured, no more than 4u
BACKWARD_GOAL = 3 * UNIT_ROUNDOFF
#: estimate of the condition number of K, kappa² and up to n times that, from which on rows may depend on each other
SUSPECT_CONDITION = 1e24


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
    y, exponents = problem.y.astype(np.float64), equations.units.exponents  # of the rows of X
    with np.errstate(over="ignore"):
        scaled = np.ldexp(y, exponents[:, None])
    if not np.isfinite(scaled).all():  # what leaves the range of float64 is left to others
        return None
    settled, reads, found = None, 1, None
    if factor is not None:
        settled = _refine(columns, factor, exponents, scaled)
        reads += MOST_PASSES if settled is None else 0
    while settled is None and (found is None or found.passes < 2):
        found = precondition(columns, equations, found)
        if found.factor is not None:
            factor, _ = factor_of(found, found.total, equations)
            if factor.condition > SUSPECT_CONDITION:  # rows may depend on each other
                return None
            settled = _by_orthonormal_columns(columns, found, exponents, scaled, math.sqrt(factor.trace))
    if settled is None:
        return None
    reads += 0 if found is None else found.passes
    b, residual, passes, backward = settled
    residual = np.ldexp(residual, -exponents[:, None])
    if problem.weights is not None:
        residual *= np.sqrt(problem.weights.astype(np.float64))[:, None]
    info = SolveInfo(
        path="dual", reason="fewer rows than columns", passes=passes + reads, condition=math.sqrt(factor.condition),
        backward_error=backward + UNIT_ROUNDOFF, rank=n, n_threads=problem.n_threads,
        kernel=lib.kernel_name(problem.kernel),
    )
    return Solution(b, np.zeros(k), np.einsum("ij,ij->j", residual, residual), info, False, np.einsum("ij,ij->j", y, y),
                    root=lambda: root_of_rows(scaled_rows(problem), n))


def _refine(columns, factor, exponents, y):
    """(b, y - X b, passes, backward error) with the rows of X times 2^exponents, or None."""
    norm = math.sqrt(factor.trace)
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


def _by_orthonormal_columns(columns, found, exponents, y, norm):
    """The same by Xᵀ = Q R with Q kept, where K is not enough: b += Q R⁻ᵀ(y - X b).

    A combination of rows has lost u*kappa² of its digits.  Q is Xᵀ T made orthonormal by two more Cholesky factors of
    its moments (CholeskyQR2: Yamamoto, Nakatsukasa, Yanagisawa and Fukaya, ETNA 44, 2015, 306-326).
    """
    scaled = np.ldexp(columns.x.astype(np.float64), exponents + found.own)
    q, r = scaled @ found.transform, found.triangle
    for _ in range(2):
        moments = gather(replace(columns, x=q)).m
        factor, _ = lib.factorize(moments, None, columns.n_threads, columns.kernel)
        if factor is None:
            return None
        own = np.ascontiguousarray(factor.r / factor.scale)
        q = q @ triangular_inverse(own)
        r = lib.triangular_product(own, r)
    b, last = np.zeros((q.shape[0], y.shape[1])), math.inf
    residual = y
    for passes in range(1, MOST_PASSES + 1):
        half = np.array(np.ldexp(residual, found.own[:, None]))
        lib.triangular_solve(r, half, True)
        b = b + q @ half
        residual = y - np.ldexp(scaled.T @ b, -found.own[:, None])
        size = column_norms(b)
        with np.errstate(divide="ignore", invalid="ignore"):
            errors = column_norms(np.ldexp(residual, found.own[:, None])) / (norm * size)
        backward = float(np.nan_to_num(errors, nan=0.0, posinf=1.0).max(initial=0.0))
        if backward <= BACKWARD_GOAL:
            return b, residual, passes, backward
        if not backward <= SMALLEST_CONTRACTION * last:
            return None
        last = backward
    return None
