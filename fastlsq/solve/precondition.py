# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Rungs 2 and 3: the Gram matrix of X T, T = D R₁⁻¹, with R₁ a Cholesky factor of the shifted moments.

The moments of ill-conditioned rows lose their small eigenvalues to rounding, about p*u of the largest.  Shifted by as
much they have a factor, RᵀR = D M D + s I, and X D R⁻¹ has a condition number of about 1 + kappa*sqrt(p*u): its moments,
of one more pass over the rows that stores nothing, hold what the first have lost (shifted CholeskyQR: Fukaya, Kannan,
Nakatsukasa, Yamamoto and Yanagisawa, SIAM J. Sci. Comput. 42, 2020, A477-A503).  What is still too ill-conditioned is
shifted once more.
"""

from dataclasses import dataclass

import numpy as np

from fastlsq._core import lib
from fastlsq.solve.moments import gather_transformed, root_exponents

UNIT_ROUNDOFF = 2.0**-53
#: passes over X T: with the second shift kappa up to 1/u is resolved
MOST_SHIFTS = 2
#: a shift that does not make a factor is raised tenfold so many times
MOST_RAISES = 3
#: 1-norm condition number of the moments of X T above which its factor is not worth refining with
LARGEST_CONDITION = 1e10


@dataclass(slots=True)
class Preconditioned:
    """X T for the columns in use, and what was found of it."""

    active: np.ndarray  # columns with a sum of squares above rounding
    own: np.ndarray  # e of D = 2^e, for these
    total: np.ndarray  # upper triangular: X D = Q total with Q of nearly orthonormal columns, where `factor` is not None
    factor: lib.Factor | None  # of the last moments; None where they are singular to working precision
    moments: np.ndarray  # of X T, a x a
    c: np.ndarray  # (X T)ᵀWY, p x k
    transform: np.ndarray  # T without D, a x a: D^-1 T
    passes: int

    def singular(self):
        """(values, right vectors as columns) of X D to absolute accuracy, by eigenvalues of the moments of X T."""
        from scipy.linalg import eigh, solve_triangular, svd

        exponents = -root_exponents(np.diagonal(self.moments))
        values, vectors = eigh(np.ldexp(self.moments, exponents[:, None] + exponents), check_finite=False)
        # X T = Q (Λ^½ Wᵀ 2^-e), X D = X T (D^-1 T)^-1
        half = np.sqrt(np.maximum(values, 0.0))[:, None] * np.ldexp(vectors, -exponents[:, None]).T
        rows = solve_triangular(self.transform, half.T, trans="T", check_finite=False).T
        _, sizes, right = svd(rows, check_finite=False)
        return sizes, right.T


def precondition(problem, equations):
    """`Preconditioned` of the problem whose first moments are `equations`."""
    p = equations.p
    diagonal = np.diagonal(equations.m)
    noise = 64 * UNIT_ROUNDOFF * equations.raw_diagonal if equations.intercept else np.zeros(p)
    active = np.flatnonzero(diagonal > noise)
    own = -root_exponents(diagonal[active])
    h = np.ldexp(equations.m[np.ix_(active, active)], own[:, None] + own)
    transform = np.eye(active.size)
    moments, passes, factor = h, 0, None
    places = None if active.size == p else active
    for passes in range(1, MOST_SHIFTS + 1):
        transform = transform @ _shifted_inverse(moments)
        scaled = np.ldexp(transform, own[:, None])
        transformed = gather_transformed(problem, equations, _embed(scaled, active, p))
        moments = transformed.m[np.ix_(active, active)]
        factor, _ = lib.factorize(moments, places, problem.n_threads, problem.kernel)
        if factor is not None and factor.condition <= LARGEST_CONDITION:
            break
        factor = None
    return Preconditioned(active, own, _total(factor, transform), factor, moments,
                          transformed.c, transform, passes)


def _shifted_inverse(h):
    """R⁻¹ of RᵀR = h + s I for the smallest s that leaves a factor, h symmetric and positive up to rounding."""
    from scipy.linalg import LinAlgError, cholesky, solve_triangular

    p = h.shape[0]
    size = float(np.diagonal(h).max())
    for raised in range(MOST_RAISES + 1):
        shift = 10.0**raised * p * UNIT_ROUNDOFF * size
        try:
            r = cholesky(h + shift * np.eye(p), check_finite=False)
        except LinAlgError:
            continue
        return solve_triangular(r, np.eye(p), check_finite=False)
    raise ArithmeticError("the moments of finite rows have a negative eigenvalue beyond rounding")


def _embed(transform, active, p):
    """Rows and columns of the active among all p; the others are zero."""
    if active.size == p:
        return np.ascontiguousarray(transform)
    full = np.zeros((p, p))
    full[np.ix_(active, active)] = transform
    return full


def _total(factor, transform):
    """R in X D = Q R for the factor of (X D transform)ᵀ(X D transform)."""
    from scipy.linalg import solve_triangular

    if factor is None:
        return None
    r = factor.r / factor.scale
    return np.triu(solve_triangular(transform, r.T, trans="T", check_finite=False).T)


def factor_of(found, equations):
    """(`lib.Factor`, TᵀC) for refinement: solves with the moments of X by way of those of X T."""
    total = found.total
    trace = float(np.ldexp(np.diagonal(equations.m)[found.active], 2 * found.own).sum())
    norm = float(np.abs(total.T @ total).sum(axis=0).max())
    condition = norm * lib.inverse_norm_estimate(np.ascontiguousarray(total))
    transform, scale = np.ldexp(found.transform, found.own[:, None]), np.ldexp(1.0, found.own)
    c = np.array(found.c)
    c[found.active] *= found.factor.scale[:, None]
    return found.factor.preconditioned(transform, scale, trace, condition), c
