# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""accuracy='full': refinement with residuals and gradients of about twice the digits (csrc/twofold.c).

The coefficients are pairs, so what is left of the error of a step is u*kappa times that of the step before, down to
u²*kappa² (J. Demmel, Y. Hida, X. S. Li and E. J. Riedy, ACM Trans. Math. Softw. 35, 2009, article 28).
"""

import math
from dataclasses import replace

import numpy as np

from fastlsq._core import lib
from fastlsq.solve.moments import UNIT_ROUNDOFF

MOST_PASSES = 8
#: a step smaller than this part of the coefficients no longer moves their last bit
_SETTLED = UNIT_ROUNDOFF / 16
#: steps must shrink by this, or rounding is all there is to them
_CONTRACTION = 0.5


def refine_fully(problem, solution):
    """The solution with coefficients refined until their last bit is settled or steps no longer shrink."""
    equations = solution.equations
    units, p, lead = equations.units, equations.p, equations.lead
    scale = np.ldexp(1.0, units.exponents)
    lengths = np.sqrt(np.diagonal(equations.m))[:, None]
    mean = equations.unshifted_mean() if equations.intercept else None
    b, low = _unshifted(equations, solution.packed), np.zeros_like(solution.packed)
    rss = np.ldexp(solution.scaled_rss, 2 * (solution.y_exponents + units.exponents[lead:]))
    # an answer that is certified moves by no more than its bound: rows far from 0 may be better off about their mean
    known = solution.info.forward_error
    change, reads = 2 * known if known <= 1 else np.inf, 0
    for _ in range(MOST_PASSES):
        g, g_low, found = np.empty_like(b), np.empty_like(b), np.empty(b.shape[1])
        lib.residual_twofold(problem.x, problem.y, problem.weights, scale, problem.intercept, b, low, g, g_low, found,
                             problem.n_threads, problem.kernel)
        reads += 1
        _penalize(g, g_low, equations.penalty, b, low)
        step = _newton_step(solution.newton, mean, equations.sum_weights, g, g_low)
        last, change = change, _relative(lengths * step[:p], lengths * b[:p])
        if not change <= _CONTRACTION * last:
            break
        # what the penalty grows by is no part of the sum of squared residuals
        grown = equations.pull(b[:p]) + equations.pull(b[:p] + step[:p])
        rss = np.maximum(found - np.einsum("ij,ij->j", step, g) - np.einsum("ij,ij->j", step[:p], grown), 0.0)
        b, low = _add(b, low, step)
        if change <= _SETTLED:
            break
    info = refined_info(solution.info, reads, change, last, solution.info.rank == p)
    if info.forward_error > known:
        return replace(solution, info=replace(solution.info, passes=info.passes))
    y_exponents = units.exponents[lead:]
    with np.errstate(over="ignore", under="ignore"):  # coefficients that float64 cannot hold
        coef = np.ldexp(b[:p], units.exponents[:p, None] - y_exponents[None, :])
        intercept = np.ldexp(b[p], -y_exponents) if equations.intercept else np.zeros(b.shape[1])
        tss = np.ldexp(solution.scaled_tss, 2 * (solution.y_exponents + y_exponents))
    return replace(solution, coef=coef, intercept=intercept, scaled_rss=rss, scaled_tss=tss, y_exponents=-y_exponents,
                   info=info)


def refined_info(info, reads, change, last, whole):
    """`info` of an answer that was refined so: its last two steps, and whether all columns are independent."""
    # a gradient of very long rows has few digits left for what short ones say: their part of a step is no measure
    floor = 16 * UNIT_ROUNDOFF if info.path == "qr" else UNIT_ROUNDOFF
    error = floor + (2 * change if change <= _SETTLED else 8 * min(change, last))
    error += (UNIT_ROUNDOFF * info.condition) ** 2  # a step may be small by chance where they hardly contract
    # the steps say nothing of a part in the null space
    return replace(info, passes=info.passes + reads, forward_error=error if whole else math.nan,
                   backward_error=min(info.backward_error, error))


def _penalize(g, g_low, penalty, b, low):
    """g + g_low less P(b + low) with about twice the digits; the penalty as in `NormalEquations`."""
    if penalty is None:
        return
    p = penalty.shape[1]
    columns = [(np.s_[:p], penalty[0][:, None], np.s_[:p])] if penalty.shape[0] == 1 else [
        (np.s_[:p], penalty[:, j : j + 1], np.s_[j : j + 1]) for j in range(p)
    ]
    for rows, factor, places in columns:
        product, error = _two_product(-factor, b[places])
        total = g[rows] + product
        part = total - g[rows]
        g_low[rows] += ((g[rows] - (total - part)) + (product - part)) + error - factor * low[places]
        g[rows] = total


def _unshifted(equations, b):
    """Packed coefficients with the intercept of rows that are not shifted."""
    if not equations.intercept:
        return np.array(b)
    units, p = equations.units, equations.p
    shift = np.ldexp(units.shift, units.exponents)
    return np.vstack([b[:p], (b[p] + shift[equations.lead :] - shift[:p] @ b[:p])[None, :]])


def _relative(step, b):
    """Length of the step relative to that of b, largest over the targets."""
    length, size = np.linalg.norm(step, axis=0), np.linalg.norm(b, axis=0)
    return float(np.max(length / np.where(size > 0, size, np.where(length > 0, length, 1.0)), initial=0.0))


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
