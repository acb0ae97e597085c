# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""accuracy='full': refinement with residuals and gradients of about twice the digits (csrc/twofold.c).

The coefficients are pairs, so what is left of the error of a step is u*kappa times that of the step before, down to
u²*kappa² (J. Demmel, Y. Hida, X. S. Li and E. J. Riedy, ACM Trans. Math. Softw. 35, 2009, article 28).
"""

import numpy as np

from fastlsq._core import lib

UNIT_ROUNDOFF = 2.0**-53
MOST_PASSES = 8
#: a step smaller than this part of the coefficients no longer moves their last bit
_SETTLED = UNIT_ROUNDOFF / 16
#: steps must shrink by this, or rounding is all there is to them
_CONTRACTION = 0.5


def refine_fully(problem, equations, solve, size_of, b):
    """(b, rss, passes, error): the coefficients b (p or p + 1 x k) in units without shift, refined until their last bit is
    settled or steps no longer shrink; error is the size of what was left, relative to b.

    `solve(g)` gives M⁻¹g for the slopes, `size_of(b)` the norm of equilibrated slopes, for every target.
    """
    scale = np.ldexp(1.0, equations.units.exponents)
    mean = equations.unshifted_mean() if equations.intercept else None
    b, low = np.array(b), np.zeros_like(b)
    last = np.inf
    for passes in range(1, MOST_PASSES + 1):
        g, g_low, rss = np.empty_like(b), np.empty_like(b), np.empty(b.shape[1])
        lib.residual_twofold(problem.x, problem.y, problem.weights, scale, problem.intercept, b, low, g, g_low, rss,
                             problem.n_threads, problem.kernel)
        step = _newton_step(solve, mean, equations.sum_weights, g, g_low)
        with np.errstate(invalid="ignore", divide="ignore"):
            change = np.nanmax(size_of(step) / size_of(b), initial=0.0)
        if not change < _CONTRACTION * last:
            break
        rss = np.maximum(rss - np.einsum("ij,ij->j", step, g), 0.0)
        kept = rss
        b, low = _add(b, low, step)
        if change <= _SETTLED:
            last = change
            break
        last = change
    return b, kept, passes, float(last)


def _newton_step(solve, mean, sum_weights, g, g_low):
    if mean is None:
        return solve(np.ascontiguousarray(g))
    p = g.shape[0] - 1
    # g_j - mean_j*g_total, where the second term may be nearly all of the first
    product, error = _two_product(mean[:p, None], g[p][None, :])
    slopes = solve(np.ascontiguousarray((g[:p] - product) + (g_low[:p] - error - mean[:p, None] * g_low[p])))
    level = (g[p] + g_low[p]) / sum_weights - mean[:p] @ slopes
    return np.vstack([slopes, level[None, :]])


def _two_product(a, b):
    """a*b as a product and its error, exactly (Dekker, Numer. Math. 18, 1971, 224-242)."""

    def halves(x):
        c = x * 134217729.0
        high = c - (c - x)
        return high, x - high

    product = a * b
    (a1, a2), (b1, b2) = halves(a), halves(b)
    return product, ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2


def _add(b, low, step):
    """b + low + step as a pair, the second below the last digit of the first."""
    total = b + step
    part = total - b
    rest = ((b - (total - part)) + (step - part)) + low
    high = total + rest
    return high, (total - high) + rest
