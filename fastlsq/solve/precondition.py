# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Rungs 2 and 3: the Gram matrix of X T, T = D R₁⁻¹, with R₁ a Cholesky factor of the shifted moments.

The moments of ill-conditioned rows lose their small eigenvalues to rounding, about p*u of the largest.  Shifted by as
much they have a factor, RᵀR = D M D + s I, and X D R⁻¹ has a condition number of about 1 + kappa*sqrt(p*u): its
moments, of one more pass over the rows that stores nothing, hold what the first have lost (shifted CholeskyQR: Fukaya,
Kannan, Nakatsukasa, Yamamoto and Yanagisawa, SIAM J. Sci. Comput. 42, 2020, A477-A503).  What is still too
ill-conditioned is shifted once more.
"""

from dataclasses import dataclass

import numpy as np

from fastlsq._core import lib
from fastlsq.solve.driver import triangular_inverse
from fastlsq.solve.moments import UNIT_ROUNDOFF, gather_transformed, root_exponents

#: a shift that does not make a factor is raised tenfold so many times
MOST_RAISES = 3
#: 1-norm condition number of the moments of X T above which its factor is not worth refining with
LARGEST_CONDITION = 1e12


@dataclass(slots=True)
class Preconditioned:
    """X T for the columns in use, and what was found of it."""

    active: np.ndarray  # columns with a sum of squares above rounding
    own: np.ndarray  # e of D = 2^e, for these
    triangle: np.ndarray  # R₁, upper triangular
    transform: np.ndarray  # its inverse: T without D
    moments: np.ndarray  # of X T, a x a
    c: np.ndarray  # (X T)ᵀWY, p x k
    factor: lib.Factor | None  # of the moments; None where they are singular to working precision
    passes: int
    spread: float  # the longest row of X D over the middle one, to a factor of two

    @property
    def total(self):
        """R in X D = Q R, Q of orthonormal columns; asks for a factor."""
        return lib.triangular_product(self.factor.r / self.factor.scale, self.triangle)

    def truncated(self):
        """X D with columns that may depend on each other."""
        return lib.Truncated(np.ascontiguousarray(self.moments), self.triangle)


def precondition(problem, equations, again=None):
    """`Preconditioned` of the problem whose first moments are `equations`; of `again`, with one more shift."""
    p = equations.p
    if again is None:
        active = np.flatnonzero(~equations.constant())
        own = -root_exponents(np.diagonal(equations.m)[active])
        triangle, transform = _shifted(np.ldexp(equations.m[np.ix_(active, active)], own[:, None] + own))
    else:
        active, own = again.active, again.own
        r, inverse = _shifted(again.moments)
        triangle = lib.triangular_product(r, again.triangle)
        transform = lib.triangular_product(again.transform, inverse)
    factor = np.zeros(p)
    factor[active] = np.ldexp(1.0, own)
    embedded = _embed(np.ldexp(transform, own[:, None]), active, p)
    spread, transformed = gather_transformed(problem, equations, embedded, factor)
    moments = transformed.m[np.ix_(active, active)]
    places = None if active.size == p else active
    factor = None
    if (np.diagonal(moments) > 0).all():
        factor, _ = lib.factorize(moments, places, problem.n_threads, problem.kernel)
    if factor is not None and factor.condition > LARGEST_CONDITION:
        factor = None
    passes = 1 if again is None else again.passes + 1
    return Preconditioned(active, own, triangle, transform, moments, transformed.c, factor, passes,
                          spread)


def _shifted(h):
    """(R, R⁻¹) of RᵀR = h + s I for the smallest s that leaves a factor, h symmetric and positive up to rounding."""
    p = h.shape[0]
    size = float(np.diagonal(h).max())
    for raised in range(MOST_RAISES + 1):
        shift = 10.0**raised * p * UNIT_ROUNDOFF * size
        r = h + shift * np.eye(p)
        if lib.cholesky(r, 1) is None:
            r = np.triu(r)
            return r, triangular_inverse(r)
    raise ArithmeticError("the moments of finite rows have a negative eigenvalue beyond rounding")


def _embed(transform, active, p):
    """Rows and columns of the active among all p; the others are zero."""
    if active.size == p:
        return np.ascontiguousarray(transform)
    full = np.zeros((p, p))
    full[np.ix_(active, active)] = transform
    return full


def factor_of(found, total, equations):
    """(`lib.Factor`, TᵀC) for refinement: solves with the moments of X by way of those of X T.

    `total` is found.total.
    """
    trace = float(np.ldexp(np.diagonal(equations.m)[found.active], 2 * found.own).sum())
    # the sum of eigenvalues for the largest: at most as many times too large as there are columns
    condition = float(np.einsum("ij,ij->", total, total)) * lib.inverse_norm_estimate(total)
    transform, scale = np.ldexp(found.transform, found.own[:, None]), np.ldexp(1.0, found.own)
    c = np.array(found.c)
    c[found.active] *= found.factor.scale[:, None]
    return found.factor.preconditioned(transform, total, scale, trace, condition), c
