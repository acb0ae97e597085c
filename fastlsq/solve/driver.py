# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""What every rung of the ladder (ladder.py) is made of: factor, refinement, solution.

Rung 1 is one Gram pass, a Cholesky factorization of the equilibrated system and refinement with residuals taken from
the rows (csrc/normal.c and csrc/refine.c, with their thresholds).  Its answer stands only if it proves itself.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from fastlsq._core import lib
from fastlsq.solve.moments import UNIT_ROUNDOFF, NormalEquations

FORWARD_FACTOR = 8.0
#: columns up to which p x p systems of p right-hand sides are solved by the core
OWN_SOLVES = 256


@dataclass(slots=True)
class SolveInfo:
    """How an answer was found and how good it is.

    Attributes
    ----------
    path : str
        'gram': one Gram pass, Cholesky, refinement. 'gram32': the same with the sums of the Gram pass in single
        precision, for many columns. 'qr': QR with rows sorted and columns pivoted, of small problems that 'gram'
        refuses and of rows of very different lengths. 'preconditioned': a second or third Gram pass, of columns that
        the factor of the one before has made nearly orthogonal. 'dual': fewer rows than columns, by the Gram matrix of
        the rows.
        'lapack': LAPACK through SciPy. 'empty': nothing to solve. 'nonfinite': NaN or infinity in unchecked input.
        'moments': from sums alone, without the rows.
    reason : str
        Why the fast path was left; '' on it.
    passes : int
        Reads of the rows by fastlsq.  1 on the path 'gram': the first was enough, as a sample of the rows shows, or
        with accuracy='fast' the condition number.
    condition : float
        Estimate of the 2-norm condition number of the column-equilibrated (with an intercept: centred) rows.
    backward_error : float
        Estimate of the normwise relative backward error, largest over the targets; after a single pass, the most that
        a sample of the rows lets it be.
    forward_error : float
        Bound of the error of the slopes relative to their size, both in the norm in which the columns (with an
        intercept: centred) have equal length; largest over the targets.  Infinite above 1; NaN where columns depend on
        each other, where the coefficients are zero, and for wide problems and answers of LAPACK.
    rank : int
    aliased : tuple of int
        Columns that depend on earlier ones, zero and, with an intercept, constant ones among them.
    aliased_names : tuple of str
        Their names, where they are known: those of a data frame's columns, or given to `ols`.
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
    forward_error: float = math.nan
    aliased_names: tuple = ()

    def name_aliased(self, names):
        if names is not None:
            self.aliased_names = tuple(names[j] for j in self.aliased)


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
    root: Callable[[], tuple] | None = None  # (H, e): (XᵀWX)⁻¹ of the (centred) rows is (2^e H)(2^e H)ᵀ
    equations: NormalEquations | None = None
    triangle: tuple | None = None  # (R, e): R 2^e is that of a QR decomposition of the rows in packed units
    singular_values: np.ndarray | None = None
    packed: np.ndarray | None = None  # the slopes, then the intercept, in packed units,
    newton: Callable[[np.ndarray], np.ndarray] | None = None  # and M⁻¹g of these, p x k

    @property
    def rss(self):
        """k sums of squared residuals in the user's units, infinite or zero where float64 cannot hold them."""
        with np.errstate(over="ignore", under="ignore"):
            return np.ldexp(self.scaled_rss, 2 * self.y_exponents)

    @classmethod
    def from_equations(cls, equations, b, rss, info, root, triangle=None):
        """From b and rss in packed units; root() gives (H, e) with M⁻¹ = (2^e H)(2^e H)ᵀ in packed units."""
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
            equations.sum_weights, lambda: _shift_exponents(root(), x_exponents), equations, triangle,
        )


def _shift_exponents(root, exponents):
    matrix, own = root
    return matrix, own + exponents


def factorize(equations, n_threads, kernel=None):
    """(lib.Factor, '') or (None, why not): Cholesky of the equilibrated system with its pivot and condition tests."""
    diagonal = np.diagonal(equations.m)
    if ((diagonal != 0) & equations.constant()).any():
        return None, "a column is constant up to rounding"
    if (diagonal > 0).all():
        return lib.factorize(equations.m, None, n_threads, kernel)
    active = np.flatnonzero(diagonal > 0)
    return lib.factorize(equations.m[np.ix_(active, active)], active, n_threads, kernel)


def active_columns(factor, p):
    """Indices of the columns that were factorized, and of the others."""
    every = np.arange(p)
    return (every, every[:0]) if factor.active is None else (factor.active, np.setdiff1d(every, factor.active))


def inverse_root(triangle, active, p):
    """(H, e) with M⁻¹ = (2^e H)(2^e H)ᵀ, rows of H by 2^e: H = R⁻¹, zero in the rows of inactive columns."""
    r, own = triangle
    root, exponents = np.zeros((p, active.size)), np.zeros(p, np.int64)
    root[active] = triangular_inverse(r)
    exponents[active] = -own
    return root, exponents


def triangular_inverse(r):
    """R⁻¹; LAPACK is faster where there is much to do, and slow to start where there is little."""
    if r.shape[0] > OWN_SOLVES:
        from scipy.linalg import solve_triangular

        return np.ascontiguousarray(solve_triangular(r, np.eye(r.shape[0]), check_finite=False))
    inverse = np.eye(r.shape[0])
    lib.triangular_solve(np.ascontiguousarray(r), inverse, False)
    return inverse


def column_norms(a):
    """Also where squares of the entries leave the range of float64."""
    peaks = np.abs(a).max(axis=0, initial=0.0)
    return peaks * np.linalg.norm(a / np.where(peaks > 0, peaks, 1.0), axis=0)


def forward_bound(kappa, norm, size, rss):
    """Bound of the relative error of coefficients of this size with a backward error of a few u, over all targets.

    Wedin's: u(kappa + kappa²‖r‖/(‖X‖‖b‖)), `norm` that of X with its columns scaled (Björck, Numerical Methods for
    Least Squares Problems, SIAM 1996, theorem 1.4.6).  The factor leaves room for kappa, which is an estimate:
    tests/hunt_ladder.py compares with exact solutions.
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        tangent = np.where(rss > 0, np.sqrt(rss) / (norm * size), 0.0)
    if not np.isfinite(tangent).all():  # relative to nothing
        return math.nan
    tangent = float(np.max(tangent, initial=0.0))
    return meaningful(FORWARD_FACTOR * UNIT_ROUNDOFF * kappa * (1.0 + kappa * tangent))


def unrefined_bound(p, condition, norm, size, rss):
    """Of the relative error of coefficients straight from moments of this 1-norm condition number.

    Sums over 128 rows at a time are off by some sqrt(128) u of the product of the lengths, all p x p of them by p times
    that, and those with the target by as much of ‖X‖‖y‖ <= ‖X‖(‖X‖‖b‖ + ‖r‖).
    """
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        tangent = np.where(rss > 0, np.sqrt(rss) / (norm * size), 0.0)
    return meaningful(16.0 * p * UNIT_ROUNDOFF * condition * (1.0 + float(np.max(tangent, initial=0.0))))


def meaningful(bound):
    """Infinite for a bound that is larger than what it bounds."""
    return bound if bound <= 1.0 else math.inf


def penalized_pass(problem, equations, b):
    """(gradient [X | 1]ᵀW r - P b, sum of squared residuals) at b (lead x k) in packed units."""
    g, rss = residual_pass(problem, equations.units, b)
    if equations.penalty is not None:
        g[: equations.p] -= equations.pull(b[: equations.p])
    return g, rss


def residual_pass(problem, units, b):
    """(gradient [X | 1]ᵀW r, sum of squares) at b (lead x k) in packed units: one read of the rows."""
    lead, k = b.shape
    scale, offset = units.core_arguments()
    g, rss = np.empty((lead, k)), np.empty(k)
    lib.residual(problem.x, problem.y, problem.weights, scale, offset, problem.intercept, b, g, rss, None,
                 problem.n_threads, problem.kernel)
    return g, rss


def refine(problem, equations, factor, path="gram", reads=1, triangle=None, c=None, unrefined=False):
    """(Solution, '', reads) or (None, why not, reads): refined with residuals from the rows until it proves itself.

    Not refined if `unrefined` allows that and the equations are well-conditioned.

    `reads` of the rows went before.  Where the factor is that of X T: `triangle` as in `Solution`, c = TᵀC.
    """
    scale, offset = equations.units.core_arguments()
    own = factor.transform is None  # what is known of a single read is known of the rows' own factor
    b, rss, passes, backward, reason = lib.refine(
        problem.x, problem.y, problem.weights, scale, offset, equations.c if c is None else c,
        equations.mean if equations.intercept else None, equations.sum_weights, equations.zz if own else None,
        equations.lost if own else None, equations.yy, factor, problem.n_threads, problem.kernel,
        unrefined, equations.penalty,
    )
    if b is None:
        return None, reason, reads + passes
    info = SolveInfo(path=path, passes=passes + reads, backward_error=backward)
    solution = solution_of_full_rank(problem, equations, factor, b, rss, info, triangle)
    if unrefined and passes == 0:
        active, _ = active_columns(factor, equations.p)
        size = column_norms(b[active] / factor.scale[:, None])
        info.forward_error = unrefined_bound(equations.p, factor.condition, math.sqrt(factor.trace), size, rss)
    return solution, "", reads + passes


def solution_of_full_rank(problem, equations, factor, b, rss, info, triangle=None):
    """`Solution` from b and rss in packed units; `info` gets what the factor tells."""
    active, aliased = active_columns(factor, equations.p)
    size = column_norms(b[active] / factor.scale[:, None])
    info.condition = math.sqrt(factor.condition)
    info.forward_error = forward_bound(info.condition, math.sqrt(factor.trace), size, rss)
    info.rank, info.aliased = active.size, tuple(map(int, aliased))
    info.n_threads, info.kernel = problem.n_threads, lib.kernel_name(problem.kernel)
    if triangle is None:
        triangle = (factor.r, factor.exponents)
    solution = Solution.from_equations(
        equations, b, rss, info, lambda: inverse_root(triangle, active, equations.p), triangle
    )
    solution.packed, solution.newton = b, factor.solve
    return solution
