# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Solutions from moments alone, rank-deficient ones included."""

import math

import numpy as np

from fastlsq._core import lib
from fastlsq.solve.driver import PIVOT_NOISE, UNIT_ROUNDOFF, Solution, SolveInfo, factorize


def solve_moments(equations):
    """Solution of the normal equations: Cholesky, or minimum norm where columns depend on each other."""
    factor, reason = factorize(equations, 1)
    if factor is not None:
        b, _ = factor.solve(equations.c)
        rank, condition = factor.active.size, math.sqrt(factor.condition)
        aliased = np.setdiff1d(np.arange(equations.p), factor.active)
        pseudo_inverse = factor.inverse(equations.p)
    else:
        b, pseudo_inverse, rank, condition, aliased = _minimum_norm(equations)
    rss = np.maximum(equations.yy - np.einsum("ij,ij->j", b, equations.c), 0.0)
    if equations.intercept:
        level = equations.mean[equations.p :] - equations.column_mean() @ b
        b = np.vstack([b, level[None, :]])
    info = SolveInfo(
        path="moments", reason=reason, condition=condition, backward_error=UNIT_ROUNDOFF * condition, rank=int(rank),
        aliased=tuple(int(j) for j in aliased), kernel=lib.kernel_name(),
    )
    return Solution.from_equations(equations, b, rss, info, lambda: pseudo_inverse)


def _minimum_norm(equations):
    """(b, (pseudo-inverse, exponents), rank, condition, aliased columns) in packed units.

    The rank is judged on H = D M D, where rounding leaves eigenvalues of about p*u; the norm that is minimised is that
    of b itself: with N = D V0 spanning the null space of M, b -= N (NᵀN)⁻¹ Nᵀ b.
    """
    diagonal = np.diagonal(equations.m)
    p = equations.p
    noise = 64 * UNIT_ROUNDOFF * equations.raw_diagonal if equations.intercept else np.zeros(p)
    active = np.flatnonzero(diagonal > noise)
    b, inverse = np.zeros_like(equations.c), np.zeros((p, p))
    unscaled = np.zeros(p, np.int64)
    if active.size == 0:
        return b, (inverse, unscaled), 0, math.nan, np.arange(p)
    exponents = (np.frexp(diagonal[active])[1].astype(np.int64) + 1) // 2
    h = np.ldexp(equations.m[np.ix_(active, active)], -(exponents[:, None] + exponents[None, :]))
    values, vectors = np.linalg.eigh(h)
    tolerance = PIVOT_NOISE * active.size * UNIT_ROUNDOFF
    keep = values > tolerance * values[-1]
    rank = int(keep.sum())
    half = np.ldexp(vectors[:, keep], -exponents[:, None]) / np.sqrt(values[keep])
    null = np.linalg.qr(np.ldexp(vectors[:, ~keep], -exponents[:, None]))[0]
    half -= null @ (null.T @ half)
    b[active] = half @ (half.T @ equations.c[active])
    inverse[np.ix_(active, active)] = half @ half.T
    dependent = active[dependent_columns(h, tolerance)]
    aliased = np.union1d(np.setdiff1d(np.arange(p), active), dependent)
    return b, (inverse, unscaled), rank, math.sqrt(values[-1] / values[keep][0]), aliased


def dependent_columns(h, tolerance):
    """Indices whose Cholesky pivot vanishes: columns that depend on those before them."""
    h = h.copy()
    found = []
    for j in range(h.shape[0]):
        if h[j, j] <= tolerance:
            found.append(j)
            continue
        row = h[j, j:] / h[j, j]
        h[j:, j:] -= np.outer(h[j:, j], row)
    return np.array(found, dtype=np.int64)
