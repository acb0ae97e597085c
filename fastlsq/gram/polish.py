# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""An elastic net's solution refined with residuals from the rows, its support and signs kept.

    (M_AA + diag l2_A) step = (ZᵀW r)_A - l2_A b_A - l1_A sign(b_A)

is iterative refinement: the gradient comes from the rows, so what rounding has done to the moments M only slows it
down.
"""

import numpy as np

from fastlsq._core import lib
from fastlsq.gram.scaled import exponents_of

# Condition number of the moments above which their rounding shows in the tenth digit of the coefficients.
_CONDITION = 1e6
_PASSES = 4
_SETTLED = 8 * 2.0**-53  # a step no larger than this, relative to the solution


def polish(problem, scaled, penalty, alpha, coef):
    """(coef, intercept, objective, dual_gap, converged), or None where nothing is to be refined or can be."""
    b = np.ldexp(coef[scaled.columns], scaled.y_exponent - scaled.x_exponents)
    first, second = (alpha * term for term in scaled.terms(penalty))
    support = np.flatnonzero((b != 0) | ((first == 0) & (not penalty.positive)))
    if support.size == 0:
        return None
    m = np.ascontiguousarray(scaled.m[np.ix_(support, support)])
    m[np.diag_indices(support.size)] += second[support]
    factor, _ = lib.factorize(m, None, problem.n_threads)
    if factor is None or not factor.condition > _CONDITION:
        return None
    signs, signed = np.sign(b), (first > 0) | penalty.positive
    q, rss = gradient(problem, scaled, b)
    for _ in range(_PASSES):
        slope = q - second * b - first * signs
        step = np.zeros_like(b)
        step[support] = factor.solve(np.ascontiguousarray(slope[support, None]))[:, 0]
        small = np.linalg.norm(step) <= _SETTLED * np.linalg.norm(b)
        if small or ((np.sign(b + step) != signs) & signed).any():
            break
        b = b + step
        q, rss = gradient(problem, scaled, b)
    gap = lib.duality_gap(b, q, first, second, np.diagonal(scaled.m).copy(), 1.0, penalty.positive, scaled.yy, rss)
    gap += scaled.free_columns().excess(scaled.m, b, q, first, second, scaled.yy, penalty.positive)
    objective = 0.5 * rss + first @ np.abs(b) + 0.5 * (second @ b**2)
    gap = min(gap, objective)
    return (scaled.coef(b[None, :])[0], float(scaled.intercept(b[None, :])[0]), float(scaled.in_user_units(objective)),
            float(scaled.in_user_units(gap)), bool(gap <= penalty.tol * scaled.yy))


def gradient(problem, scaled, b):
    """(ZᵀW r of the columns in play, rᵀW r) from the rows, in scaled units."""
    equations = scaled.equations
    x, y = exponents_of(equations)
    packed = np.zeros((equations.p, 1))
    change = scaled.x_exponents - x[scaled.columns]
    packed[scaled.columns, 0] = np.ldexp(b, change - scaled.y_exponent + y)
    lead = equations.p + equations.intercept
    g, rss = np.empty((lead, 1)), np.empty(1)
    lib.residual(problem.x, problem.y, problem.weights, *equations.units.core_arguments(), equations.intercept,
                 np.ascontiguousarray(equations.with_intercept(packed)), g, rss, None, problem.n_threads)
    slopes = equations.centred_gradient(g)[scaled.columns, 0]
    up = scaled.y_exponent - y
    return np.ldexp(slopes, change + up), float(np.ldexp(rss[0], 2 * up))
