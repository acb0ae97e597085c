# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The ladder: fast path, certificate, escalation.

Rung 1 is one Gram pass, a Cholesky factorization of the equilibrated system and refinement with residuals taken from
the rows.  Its answer stands only if it proves itself; whatever it cannot certify goes to LAPACK (lapack.py).

Why refinement works: with b̂ from the factor R, one step b += R⁻¹R⁻ᵀ Xᵀ(y - Xb) multiplies the error by about
u*kappa², so the size of the first step measures that product better than any condition estimate (Björck, Numerical
Methods for Least Squares Problems, SIAM 1996, section 6.6, for the corrected seminormal equations).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fastlsq._core import lib
from fastlsq.solve.moments import NormalEquations, gather, root_exponents

UNIT_ROUNDOFF = 2.0**-53

# Thresholds of rung 1, in one place.
# Rounding alone can leave pivots of this many u*p in a singular matrix with unit diagonal (Higham, Accuracy and
# Stability of Numerical Algorithms, 2nd ed., theorem 10.7); anything below is noise, not a pivot.
PIVOT_NOISE = 32.0
# kappa_1 of the equilibrated normal equations: 1e13 is kappa = 3e6 of the rows, where a step gains two digits.
LARGEST_CONDITION = 1e13
# A first step larger than this means u*kappa² is too large to be worth iterating.
LARGEST_FIRST_STEP = 0.03
# Each further step must shrink by at least this factor.
SMALLEST_CONTRACTION = 0.3
# Stop when the next step is predicted to stay below this part of the attainable accuracy (Wedin's bound).
FLOOR_SHARE = 0.05
# The residual sum of squares is taken from the last pass and corrected for the last step; when the uncertain part of
# the correction exceeds this share, one more pass is made.
RSS_ACCURACY = 1e-13
MAX_PASSES = 5


@dataclass(slots=True)
class SolveInfo:
    """How an answer was found and how good it is.

    Attributes
    ----------
    path : str
        'gram': one Gram pass, Cholesky, refinement. 'lapack': LAPACK through SciPy. 'empty': nothing to solve.
        'nonfinite': NaN or infinity in unchecked input. 'moments': from sums alone, without the rows.
    reason : str
        Why the fast path was left; '' on it.
    passes : int
        Reads of the rows by fastlsq.
    condition : float
        Estimate of the 2-norm condition number of the column-equilibrated (with an intercept: centred) rows.
    backward_error : float
        Estimate of the normwise relative backward error, largest over the targets.
    rank : int
    aliased : tuple of int
        Columns without a coefficient of their own: zero, or with an intercept constant.
    n_threads : int
    kernel : str
    """

    path: str
    reason: str = ""
    passes: int = 0
    condition: float = math.nan
    backward_error: float = math.nan
    rank: int = 0
    aliased: tuple = ()
    n_threads: int = 1
    kernel: str = ""


@dataclass(slots=True)
class Solution:
    """Coefficients in the user's units and what inference needs."""

    coef: np.ndarray  # p x k
    intercept: np.ndarray  # k, 0 without one
    scaled_rss: np.ndarray  # k, in units of 4^y_exponents
    info: SolveInfo
    has_intercept: bool
    scaled_tss: np.ndarray | None = None  # k, about the mean with an intercept, in the same units
    y_exponents: np.ndarray | int = 0  # k: sums of squares may leave the range of float64, their ratios need not
    mean: np.ndarray | None = None  # p, weighted
    sum_weights: float = math.nan
    inverse: Callable[[], tuple] | None = None  # (V, e): (XᵀWX)⁻¹ of the (centred) rows is V_ij*2^(e_i + e_j)
    equations: NormalEquations | None = None
    factor: "Factor | None" = None
    singular_values: np.ndarray | None = None

    @property
    def rss(self):
        """k sums of squared residuals in the user's units, infinite or zero where float64 cannot hold them."""
        with np.errstate(over="ignore", under="ignore"):
            return np.ldexp(self.scaled_rss, 2 * self.y_exponents)

    @classmethod
    def from_equations(cls, equations, b, rss, info, inverse, factor=None):
        """From b and rss in packed units; inverse() gives (V, e) with M⁻¹ = V_ij*2^(e_i + e_j) in packed units."""
        p = equations.p
        exponents = equations.units.exponents
        x_exponents, y_exponents = exponents[:p], exponents[equations.lead :]
        intercept = np.zeros(b.shape[1])
        # a column of 1e-310 has a coefficient float64 cannot hold
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            coef = np.ldexp(b[:p], x_exponents[:, None] - y_exponents[None, :])
            if equations.intercept:
                # y*2^f - d = sum_j (x_j*2^e_j - c_j) b_j + level
                shift = equations.units.shift
                intercept = np.ldexp(b[p], -y_exponents) + shift[equations.lead :] - shift[:p] @ coef
        return cls(
            coef, intercept, rss, info, equations.intercept, equations.yy, -y_exponents, equations.user_mean()[:p],
            equations.sum_weights, lambda: _shift_exponents(inverse(), x_exponents), equations, factor,
        )


def _shift_exponents(inverse, exponents):
    matrix, own = inverse
    return matrix, own + exponents


@dataclass(slots=True)
class Factor:
    """RᵀR = D M D over the active columns; D = 2^-exponents."""

    r: np.ndarray
    exponents: np.ndarray
    active: np.ndarray  # indices
    norm1: float  # of D M D
    trace: float
    condition: float  # 1-norm condition number of D M D
    kernel: str | None

    def solve(self, g):
        """(M⁻¹ g, ‖D g‖ and ‖R⁻ᵀ D g‖ per column) for p x k g; inactive coefficients are 0."""
        scaled = np.ascontiguousarray(np.ldexp(g[self.active], -self.exponents[:, None]))
        whole = np.sqrt(np.einsum("ij,ij->j", scaled, scaled))
        lib.triangular_solve(self.r, scaled, True, self.kernel)
        half = np.sqrt(np.einsum("ij,ij->j", scaled, scaled))
        lib.triangular_solve(self.r, scaled, False, self.kernel)
        step = np.zeros_like(g)
        step[self.active] = np.ldexp(scaled, -self.exponents[:, None])
        return step, (whole, half)

    def scaled_norm(self, b):
        """‖D⁻¹b‖ per column."""
        scaled = np.ldexp(b[self.active], self.exponents[:, None])
        return np.sqrt(np.einsum("ij,ij->j", scaled, scaled))

    def inverse(self, p):
        """(V, e) with M⁻¹ = V_ij*2^(e_i + e_j), p x p, zero in inactive rows and columns."""
        inverse = np.empty_like(self.r)
        lib.cholesky_inverse(self.r, inverse, self.kernel)
        full, exponents = np.zeros((p, p)), np.zeros(p, np.int64)
        full[np.ix_(self.active, self.active)] = inverse
        exponents[self.active] = -self.exponents
        return full, exponents


def factorize(equations, n_threads, kernel=None):
    """(Factor, '') or (None, why not): Cholesky of the equilibrated system with its pivot and condition tests."""
    diagonal = np.diagonal(equations.m)
    p = equations.p
    if equations.intercept:
        # Centring leaves rounding noise of this size where a column is constant to working precision.
        noise = 64 * UNIT_ROUNDOFF * equations.raw_diagonal
        if ((diagonal != 0) & (diagonal <= noise)).any():
            return None, "a column is constant up to rounding"
    active = np.flatnonzero(diagonal > 0)
    exponents = root_exponents(diagonal[active])
    scale = np.ldexp(1.0, -exponents)  # times a power of two is ldexp, and ten times faster
    m = equations.m[np.ix_(active, active)] if active.size < p else equations.m
    h, sums = np.empty(m.shape), np.empty(active.size)
    lib.scale_symmetric(m, scale, h, sums, n_threads)
    norm1, trace = float(sums.max(initial=0.0)), float(np.trace(h))
    failed = lib.cholesky(h, n_threads, kernel)
    if failed is not None:
        return None, f"Cholesky failed at pivot {failed}"
    pivots = np.diagonal(h)
    if active.size and pivots.min() ** 2 <= PIVOT_NOISE * active.size * UNIT_ROUNDOFF:
        return None, "a pivot is no larger than rounding noise"
    condition = norm1 * lib.inverse_norm_estimate(h, kernel) if active.size else 1.0
    if not condition <= LARGEST_CONDITION:
        return None, f"condition estimate {math.sqrt(condition):.1e} is too large for the normal equations"
    return Factor(h, exponents, active, norm1, trace, condition, kernel), ""


def solve(problem, lapack):
    """Solution of the problem: rung 1, else `lapack(problem, equations, reason)`."""
    n, p, _ = problem.shape
    if n < p + problem.intercept:
        arrays = (problem.x, problem.y)
        if not problem.check_finite and any(lib.first_nonfinite(array) is not None for array in arrays):
            return _nonfinite(problem)
        return lapack(problem, None, "fewer rows than columns")
    equations = gather(problem)
    if equations is None:
        return _nonfinite(problem)
    if problem.intercept and not equations.sum_weights > 0:
        raise ValueError("weights must not all be zero")
    factor, reason = factorize(equations, problem.n_threads, problem.kernel)
    if factor is None:
        return lapack(problem, equations, reason)
    solution, reason = refine(problem, equations, factor)
    if solution is None:
        return lapack(problem, equations, reason)
    return solution


def residual_pass(problem, units, b):
    """(gradient [X | 1]ᵀW r, sum of squares) at b (lead x k) in packed units: one read of the rows."""
    lead, k = b.shape
    scale, offset = units.core_arguments()
    g, rss = np.empty((lead, k)), np.empty(k)
    lib.residual(problem.x, problem.y, problem.weights, scale, offset, problem.intercept, b, g, rss, None,
                 problem.n_threads, problem.kernel)
    return g, rss


def refine(problem, equations, factor):
    """(Solution, '') or (None, why not): fixed-precision refinement with residuals from the rows.

    NumPy twin of one step, without intercept:  r = y - X b;  b += solve(XᵀX, Xᵀr);  rss = r·r - step·Xᵀr
    """
    p = equations.p
    k = problem.y.shape[1]
    if k == 0:
        b, rss, backward, passes = np.zeros((equations.lead, 0)), np.zeros(0), 0.0, 0
        return _finish(problem, equations, factor, b, rss, backward, passes), ""
    slopes, _ = factor.solve(equations.c)
    b = equations.with_intercept(slopes)
    kappa = math.sqrt(factor.condition)
    norm_x = math.sqrt(factor.trace)
    previous = None
    for passes in range(1, MAX_PASSES + 1):
        g, rss = residual_pass(problem, equations.units, b)
        step, gradients = _step(equations, factor, g)
        size = factor.scaled_norm(b[:p])
        step_size = factor.scaled_norm(step[:p])
        with np.errstate(divide="ignore", invalid="ignore"):
            delta = np.where(step_size > 0, step_size / np.maximum(size, step_size), 0.0)
            tangent = np.where(rss > 0, np.sqrt(rss) / (norm_x * size), 0.0)
        floor = 4 * UNIT_ROUNDOFF * kappa * (1 + kappa * tangent)
        contraction = delta if previous is None else np.divide(
            delta, previous, out=np.zeros_like(delta), where=previous > 0
        )
        if not np.isfinite(delta).all():
            return None, "refinement met a non-finite value"
        if previous is None and ((delta > LARGEST_FIRST_STEP) & (delta > floor)).any():
            return None, f"first refinement step {delta.max():.1e} is too large"
        if previous is not None and ((contraction > SMALLEST_CONTRACTION) & (delta > floor)).any():
            return None, "refinement does not contract"
        b += step
        correction = np.einsum("ij,ij->j", step, g)
        settled = delta * np.minimum(contraction, 1.0) <= np.maximum(UNIT_ROUNDOFF, FLOOR_SHARE * floor)
        # ‖r - X step‖² = rss - stepᵀg; below (4u‖X‖‖b‖)²n the residual itself is rounding
        noise = (4 * UNIT_ROUNDOFF * norm_x * size) ** 2
        sharp = (np.abs(correction) * delta <= RSS_ACCURACY * rss) | (rss <= noise)
        measured_rss, rss = rss, np.maximum(rss - correction, 0.0)
        if settled.all() and (sharp.all() or passes == MAX_PASSES):
            # a first step tells its size, not its contraction, which rounding keeps above u*kappa²
            shrinkage = np.clip(contraction, 4 * UNIT_ROUNDOFF * factor.condition, 1.0)
            backward = _backward_error(gradients, norm_x, size, measured_rss, shrinkage)
            return _finish(problem, equations, factor, b, rss, backward, passes), ""
        previous = delta
    return None, f"not settled after {MAX_PASSES} refinement passes"


def _backward_error(gradients, norm_x, norm_b, rss, contraction):
    """Estimate of the normwise backward error after the last step, largest over the targets.

    Where g = Xᵀr was measured it is at most min(‖R⁻ᵀDg‖/‖D⁻¹b‖, ‖Dg‖/‖r‖)/‖XD‖ (Karlson and Waldén, BIT 37, 1997,
    862-869); the step that followed shrank it by `contraction`.
    """
    whole, half = gradients
    with np.errstate(divide="ignore", invalid="ignore"):
        measured = np.fmin(half / (norm_x * norm_b), whole / (norm_x * np.sqrt(rss)))
    measured = np.where(np.isnan(measured), 0.0, np.minimum(measured, 1.0))
    return float(np.max(measured * contraction)) + UNIT_ROUNDOFF


def _step(equations, factor, g):
    """Newton step for the gradient g = [X | 1]ᵀWr: the slopes from the centred system, then the intercept."""
    p = equations.p
    if not equations.intercept:
        return factor.solve(g)
    mean = equations.column_mean()
    slopes, gradients = factor.solve(g[:p] - np.outer(mean, g[p]))
    level = g[p] / equations.sum_weights - mean @ slopes
    return np.vstack([slopes, level[None, :]]), gradients


def _finish(problem, equations, factor, b, rss, backward, passes):
    p = equations.p
    info = SolveInfo(
        path="gram", passes=passes + 1, condition=math.sqrt(factor.condition), backward_error=backward,
        rank=factor.active.size, n_threads=problem.n_threads, kernel=lib.kernel_name(problem.kernel),
        aliased=() if factor.active.size == p else tuple(map(int, np.setdiff1d(np.arange(p), factor.active))),
    )
    return Solution.from_equations(equations, b, rss, info, lambda: factor.inverse(p), factor)


def _nonfinite(problem):
    _, p, k = problem.shape
    info = SolveInfo(path="nonfinite", reason="NaN or infinity in unchecked input", passes=1,
                     n_threads=problem.n_threads, kernel=lib.kernel_name(problem.kernel))
    nan = np.full(k, np.nan)
    return Solution(np.full((p, k), np.nan), nan, nan.copy(), info, problem.intercept)
