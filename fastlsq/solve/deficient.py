# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Solutions from moments alone, rank-deficient ones included."""

import math

import numpy as np

from fastlsq._core import lib
from fastlsq.solve.driver import (
    UNIT_ROUNDOFF,
    Solution,
    SolveInfo,
    active_columns,
    column_norms,
    factorize,
    inverse_root,
    meaningful,
    unrefined_bound,
)
from fastlsq.solve.moments import root_exponents

#: binary exponent below the largest from which on a unit is not divided by
SMALLEST_UNIT = -900
#: relative error of sums of products, of the size they had before digits cancelled
MOMENT_NOISE = 16 * UNIT_ROUNDOFF
#: and what it may be, times the condition number of the moments, for a factor of them to mean anything
LARGEST_NOISE = 0.1


def solve_moments(equations):
    """Solution of the normal equations: Cholesky, or minimum norm where columns depend on each other."""
    factor, reason = factorize(equations, 1)
    cancelled = cancellation(equations)
    forward_error = math.nan
    if factor is not None and MOMENT_NOISE * (cancelled - 1.0) * factor.condition > LARGEST_NOISE:
        factor, reason = None, "too many digits of the moments have cancelled"
    if factor is not None:
        b = factor.solve(np.ascontiguousarray(equations.c))
        active, aliased = active_columns(factor, equations.p)
        rank, condition = active.size, math.sqrt(factor.condition)
        root = inverse_root((factor.r, factor.exponents), active, equations.p)
    else:
        b, root, rank, condition, aliased = _minimum_norm(equations, cancelled)
    rss = equations.yy - np.einsum("ij,ij->j", b, equations.c + equations.pull(b))
    if factor is not None and rank == equations.p:
        size = column_norms(b[active] / factor.scale[:, None])
        # of the target the size at which its sums were rounded
        bound = unrefined_bound(equations.p, factor.condition, math.sqrt(factor.trace), size, equations.raw_yy)
        forward_error = meaningful(cancelled * bound)
    # below the rounding of the terms nothing is known of their difference
    rss[rss <= MOMENT_NOISE * (condition * equations.yy + (equations.raw_yy - equations.yy))] = np.nan
    rss[equations.raw_yy == 0] = 0.0
    b = equations.with_intercept(b)
    info = SolveInfo(
        path="moments", reason=reason, condition=condition, rank=int(rank),
        backward_error=UNIT_ROUNDOFF * condition * cancelled, forward_error=forward_error,
        aliased=tuple(int(j) for j in aliased), kernel=lib.kernel_name(),
    )
    return Solution.from_equations(equations, b, rss, info, lambda: root)


def cancellation(equations):
    """How much larger the sums were than the centred moments are: digits that centring cost, or taking rows away."""
    diagonal = np.diagonal(equations.m)
    used = ~equations.constant()
    return float(np.max(equations.raw_diagonal[used] / diagonal[used], initial=1.0))


def _minimum_norm(equations, cancelled):
    """(b, (H, e), rank, condition, aliased columns) in packed units; the pseudo-inverse is (2^e H)(2^e H)ᵀ.

    The rank is judged on H = D M D, where rounding leaves eigenvalues of about p*u, more where digits have cancelled.
    """
    diagonal = np.diagonal(equations.m)
    p = equations.p
    active = np.flatnonzero(~equations.constant())
    b, exponents = np.zeros_like(equations.c), np.zeros(p, np.int64)
    if active.size == 0:
        return b, (np.zeros((p, 0)), exponents), 0, math.nan, np.arange(p)
    own = -root_exponents(diagonal[active])
    h = np.ldexp(equations.m[np.ix_(active, active)], own[:, None] + own[None, :])
    values, vectors = np.linalg.eigh(h)
    tolerance = lib.pivot_noise(active.size) + active.size * MOMENT_NOISE * (cancelled - 1.0)
    keep = values > tolerance * values[-1]
    half = shortest(vectors[:, keep] / np.sqrt(values[keep]), vectors[:, ~keep], own)
    b[active] = np.ldexp(half @ (half.T @ np.ldexp(equations.c[active], own[:, None])), own[:, None])
    root = np.zeros((p, half.shape[1]))
    root[active] = half
    exponents[active] = own
    aliased = np.union1d(np.setdiff1d(np.arange(p), active), active[dependent_columns(h, tolerance)])
    return b, (root, exponents), int(keep.sum()), math.sqrt(values[-1] / values[keep][0]), aliased


def shortest(b, null, exponents):
    """b + null z with the z that makes D (b + null z) shortest, D = 2^exponents: minimum norm in the user's units.

    `null` is an orthonormal basis of the null space of the scaled columns.  Its entries below rounding are no part of a
    dependence, and D may blow them up: they are zero.  D (b + null z) is the residual of D b by columns D null, which a
    QR of sorted rows and pivoted columns has row by row (Cox and Higham, Stability of Householder QR for weighted least
    squares problems, 1998); units too small for that take their part of null z.
    """
    from scipy.linalg import qr, solve_triangular

    null = np.where(np.abs(null) > 16 * null.shape[0] * UNIT_ROUNDOFF, null, 0.0)
    involved = np.flatnonzero(null.any(axis=1))
    if involved.size == 0:
        return b
    involved = involved[np.argsort(-exponents[involved], kind="stable")]
    scale = exponents[involved][:, None] - exponents[involved[0]]
    count = null.shape[1]
    q, r, order = qr(np.ldexp(null[involved], scale), pivoting=True)
    if not np.diagonal(r).all():  # units too far apart for their product
        return b
    scaled = np.ldexp(b[involved], scale)
    z = np.zeros((count, b.shape[1]))
    z[order] = -solve_triangular(r[:count], q[:, :count].T @ scaled)
    short = np.ldexp(q[:, count:] @ (q[:, count:].T @ scaled), -scale)
    result = np.array(b)
    result[involved] = np.where(scale >= SMALLEST_UNIT, short, b[involved] + null[involved] @ z)
    return result


def aliased_columns(equations, rank):
    """The columns that depend on earlier ones, as far as the moments resolve them."""
    if equations is None or rank == equations.p:
        return ()
    diagonal = np.diagonal(equations.m)
    exponents = root_exponents(diagonal)
    h = np.ldexp(equations.m, -(exponents[:, None] + exponents[None, :]))
    found = dependent_columns(h, lib.pivot_noise(equations.p))
    return tuple(int(j) for j in found[: equations.p - rank])


def dependent_of(values, right, rank):
    """Columns of U diag(values) Vᵀ (V = `right`) that depend on earlier ones, as many as the rank leaves out."""
    rows = values[:rank, None] * right[:, :rank].T
    missing = right.shape[0] - rank
    found = np.arange(0)
    for tolerance in (1e-12, 1e-13, 1e-11, 1e-14, 1e-10, 1e-9, 1e-8, 1e-6):
        found = _dependent(rows, tolerance)
        if found.size == missing:
            break
    return found[-missing:] if missing else found[:0]


def _dependent(rows, tolerance):
    """Columns whose part outside the span of the independent ones before them is below `tolerance` of their length."""
    rank, p = rows.shape
    basis, found = np.zeros((rank, rank), order="F"), []
    for j in range(p):
        column, basis_so_far = rows[:, j], basis[:, : j - len(found)]
        rest = column - basis_so_far @ (basis_so_far.T @ column)
        rest -= basis_so_far @ (basis_so_far.T @ rest)
        length = np.linalg.norm(rest)
        if length <= tolerance * np.linalg.norm(column) or j - len(found) == rank:
            found.append(j)
        else:
            basis[:, j - len(found)] = rest / length
    return np.array(found, dtype=np.int64)


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
