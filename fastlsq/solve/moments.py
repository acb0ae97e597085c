# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""From rows to the scaled, centred normal equations.

A `Problem` is the checked input.  `gather` makes the Gram pass over it, watching the sums of squares for values that
float64 cannot square, and `NormalEquations` holds what follows: with the rows z = x*2^e - c of a column,

    M = ZᵀWZ - (intercept) s sᵀ/w,   H = D M D,   D = 2^-round(log2 sqrt diag M)

Both scalings are powers of two, and the provisional shift c removes the mean before it can cancel, so nothing is
rounded that the data did not round already.
"""

from dataclasses import dataclass, field, replace

import numpy as np

from fastlsq import _arrays
from fastlsq._core import lib

UNIT_ROUNDOFF = 2.0**-53
_SAFE_PENALTY = 100  # binary exponent that a penalty may have in packed units: coefficients stay in range
_SAFE_SHIFT = 450  # exponent of a difference of shifts whose square, times 2^100 rows, stays in range


@dataclass(slots=True)
class Problem:
    """min sum_i w_i (y_i - x_i b - intercept)² + bᵀP b; x is (n, p), y is (n, k)."""

    x: np.ndarray
    y: np.ndarray
    weights: np.ndarray | None
    intercept: bool
    n_threads: int
    names: tuple[str, str]  # of x and y in messages
    check_finite: bool = True
    kernel: str | None = None
    penalty: np.ndarray | None = None  # P (p, p) or its diagonal (p,)

    @property
    def shape(self):
        return self.x.shape[0], self.x.shape[1], self.y.shape[1]

    @property
    def sum_weights(self):
        """Sum of the weights; the number of rows where there are none."""
        return float(self.x.shape[0] if self.weights is None else np.add.reduce(self.weights, dtype=np.float64))

    @property
    def n_weighted(self):
        """Rows with a weight above 0."""
        return self.x.shape[0] if self.weights is None else int(np.count_nonzero(self.weights))


@dataclass(slots=True)
class Units:
    """How packed columns [X | 1 | Y] relate to the user's: z = value*2^exponent - offset."""

    exponents: np.ndarray
    shift: np.ndarray  # in the user's units
    plain: bool = True  # no exponent, no shift: the core skips the multiplication

    @classmethod
    def starting_at(cls, shift):
        return cls(np.zeros(shift.shape[0], np.int64), shift, not shift.any())

    def core_arguments(self):
        if self.plain:
            return None, None
        scale = np.ldexp(1.0, self.exponents)
        return scale, self.shift * scale


@dataclass(slots=True)
class NormalEquations:
    """M b = C in equilibrated form, and what is needed to return to the user's units."""

    units: Units
    n_rows: int
    lead: int  # p + intercept
    intercept: bool
    sum_weights: float
    mean: np.ndarray  # of [X | Y] in packed units, 0 without intercept
    m: np.ndarray  # p x p
    c: np.ndarray  # p x k
    yy: np.ndarray  # k: sum of squares of Y, centred with an intercept
    raw_diagonal: np.ndarray = field(repr=False)  # p: diag ZᵀWZ before centring, or before rows were taken away,
    raw_yy: np.ndarray = field(repr=False)  # k: and YᵀWY: what the sums were rounded at
    # where a single read may be enough: [M | C] in one piece, as summed, and what rounding to float64 has lost
    zz: np.ndarray | None = field(default=None, repr=False)
    lost: np.ndarray | None = field(default=None, repr=False)
    subtracted: bool = False  # whether rows were taken away
    penalty: np.ndarray | None = None  # p x p or 1 x p (a diagonal), in packed units: part of m, of nothing else

    @property
    def p(self):
        return self.m.shape[0]

    def penalized(self, penalty):
        """These equations and a penalty bᵀP b: P (p, p) or its diagonal (p,) in the user's units, or None."""
        if penalty is None:
            return self
        equations = self.with_room_for(penalty)
        own, m = equations.units.exponents[: self.p], equations.m.copy()
        with np.errstate(under="ignore"):
            if penalty.ndim == 1:
                scaled = np.ldexp(penalty, 2 * own)[None, :]
                m[np.diag_indices(self.p)] += scaled[0]
            else:
                scaled = np.ldexp(penalty, own[:, None] + own[None, :])
                m += scaled
        return replace(equations, m=m, penalty=np.ascontiguousarray(scaled), zz=None, lost=None)

    def with_room_for(self, penalty):
        """The same in units in which this penalty is a number: columns of 1e-160 may have been scaled up further."""
        diagonal = penalty if penalty.ndim == 1 else np.diagonal(penalty)
        room = (_SAFE_PENALTY - np.frexp(diagonal)[1]) // 2
        exponents = self.units.exponents.copy()
        exponents[: self.p] = np.where(diagonal > 0, np.minimum(exponents[: self.p], room), exponents[: self.p])
        return _with_exponents(self, exponents)

    def penalty_root(self):
        """L (q x p) with LᵀL = P; eigenvalues of a matrix of equal diagonal that are rounding are zero."""
        if self.penalty.shape[0] == 1:
            return np.diag(np.sqrt(self.penalty[0]))
        return root_of(self.penalty)

    def pull(self, b):
        """P b for slopes b (p x k) in packed units."""
        if self.penalty is None:
            return np.zeros_like(b)
        if self.penalty.shape[0] == 1:
            return self.penalty.T * b
        return np.einsum("ij,jk->ik", self.penalty, b)  # not by BLAS: its threads and ours would wait for each other

    def column_mean(self):
        """Weighted means of X in packed units."""
        return self.mean[: self.p]

    def with_intercept(self, slopes):
        """[slopes; mean(y) - mean(x) slopes] in packed units, or the slopes alone."""
        if not self.intercept:
            return np.ascontiguousarray(slopes)
        level = self.mean[self.p :] - self.column_mean() @ slopes
        return np.vstack([slopes, level[None, :]])

    def centred_gradient(self, g):
        """Of [X | 1]ᵀWr (lead x k) what belongs to the slopes: Xᵀ Wr about the means."""
        return g[: self.p] - self.column_mean()[:, None] * g[self.p] if self.intercept else g

    def newton_step(self, slopes, g):
        """[slopes; the intercept's step] for the gradient g at which the slopes' step was found."""
        if not self.intercept:
            return slopes
        level = g[self.p] / self.sum_weights - self.column_mean() @ slopes
        return np.vstack([slopes, level[None, :]])

    def unshifted_mean(self):
        """Weighted means of X without the shift, times 2^exponents."""
        return np.ldexp(self.user_mean()[: self.p], self.units.exponents[: self.p])

    def constant(self):
        """Which columns are all rounding, as far as the moments tell: centring leaves so much of a constant one."""
        diagonal = np.diagonal(self.m)
        return diagonal <= (64 * UNIT_ROUNDOFF * self.raw_diagonal if self.intercept or self.subtracted else 0)

    def centred_units(self):
        """The same units, shifted by the means: what T makes large of a mean is rounding then, not the mean."""
        if not self.intercept:
            return self.units
        return Units(self.units.exponents, np.insert(self.user_mean(), self.p, 0.0), plain=False)

    def user_mean(self):
        """Weighted means of [X | Y] in the user's units."""
        p, lead, units = self.p, self.lead, self.units
        exponents = np.concatenate([units.exponents[:p], units.exponents[lead:]])
        shift = np.concatenate([units.shift[:p], units.shift[lead:]])
        # the distance of the mean from the shift may overflow where the mean does not
        halved = np.where(np.abs(shift) > 2.0**1000, 1, 0)
        return np.ldexp(np.ldexp(self.mean, -exponents - halved) + np.ldexp(shift, -halved), halved)

    @classmethod
    def from_moments(cls, moments, units, n_rows, sum_weights=None, n_threads=1):
        p, k, unit = moments.p, moments.k, moments.unit
        lead = p + unit
        zz, yy = np.empty((lead, lead + k)), np.empty(k)
        lost = np.empty_like(zz) if not unit and lib.may_need_one_pass(n_rows, p, k) else None
        moments.collect(zz, yy, lost, n_threads)
        m, c = zz[:p, :p], zz[:p, lead:]
        raw_diagonal, raw_yy = np.diagonal(m).copy(), yy.copy()
        mean = np.zeros(p + k)
        if unit:
            sum_weights = zz[p, p]
            if sum_weights > 0:
                sums = np.concatenate([zz[p, :p], zz[p, lead:]])
                mean = sums / sum_weights
                m = m - np.outer(sums[:p], mean[:p])
                c = c - np.outer(sums[:p], mean[p:])
                yy = np.maximum(yy - sums[p:] * mean[p:], 0.0)
        if lost is None:
            zz = None
        return cls(units, n_rows, lead, bool(unit), sum_weights, mean, m, c, yy, raw_diagonal, raw_yy, zz, lost)


def root_of(matrix):
    """L with LᵀL = matrix, symmetric and positive semidefinite up to rounding, without rows that are rounding."""
    own = root_exponents(np.diagonal(matrix))
    values, vectors = np.linalg.eigh(np.ldexp(matrix, -own[:, None] - own[None, :]))
    keep = values > 8 * values.size * UNIT_ROUNDOFF * np.max(values, initial=0.0)
    return np.ldexp(np.sqrt(values[keep])[:, None] * vectors.T[keep], own[None, :])


def aligned(first, second):
    """Both with the same exponents, the shift of the first, and which shifts to halve before they are subtracted.

    Scales are aligned exactly, by powers of two.
    """
    exponents = np.minimum(first.units.exponents, second.units.exponents)
    p = first.p
    columns = np.r_[0:p, first.lead : exponents.shape[0]]
    for one, other in ((first, second), (second, first)):  # a column of zeros has no scale of its own
        empty = (np.concatenate([one.raw_diagonal, one.yy]) == 0) & (one.units.shift[columns] == 0) & (one.mean == 0)
        exponents[columns] = np.where(empty, other.units.exponents[columns], exponents[columns])
    # constant columns have no moments, yet their means may lie up to 2^1025 apart: delta² must not overflow
    peaks = np.frexp(np.maximum(np.abs(first.units.shift), np.abs(second.units.shift)))[1]
    exponents = np.minimum(exponents, np.where(peaks > _SAFE_SHIFT, _SAFE_SHIFT - peaks, exponents))
    halved = np.where(peaks > 1000, 1, 0)
    return _with_exponents(first, exponents), _with_exponents(second, exponents), first.units.shift, halved


def merge(first, second):
    """Normal equations of the rows of both, by pairwise combination of means and centred moments.

    With delta = mean2 - mean1:  mean = mean1 + delta w2/w,  M = M1 + M2 + delta deltaᵀ w1 w2/w  (Chan, Golub, LeVeque,
    The American Statistician 37, 1983, 242-247).
    """
    first, second, shift, halved = aligned(first, second)
    p, exponents = first.p, first.units.exponents
    weight = first.sum_weights + second.sum_weights
    m, c, yy = first.m + second.m, first.c + second.c, first.yy + second.yy
    mean = first.mean
    if first.intercept and weight > 0:
        unit = np.r_[0:p, p + 1 : shift.shape[0]]
        apart = np.ldexp(second.units.shift, -halved) - np.ldexp(shift, -halved)
        delta = second.mean - mean + np.ldexp(apart, exponents + halved)[unit]
        mean = mean + delta * (second.sum_weights / weight)
        spread = first.sum_weights * second.sum_weights / weight
        m = m + spread * np.outer(delta[:p], delta[:p])
        c = c + spread * np.outer(delta[:p], delta[p:])
        yy = yy + spread * delta[p:] ** 2
    return NormalEquations(
        Units(exponents, shift, first.units.plain and second.units.plain), first.n_rows + second.n_rows, first.lead,
        first.intercept, weight, mean, m, c, yy, first.raw_diagonal + second.raw_diagonal,
        first.raw_yy + second.raw_yy, subtracted=first.subtracted or second.subtracted,
    )


def _with_exponents(equations, exponents):
    change = exponents - equations.units.exponents
    if not change.any():
        return equations
    p, lead = equations.p, equations.lead
    x, y = change[:p], change[lead:]
    return replace(
        equations, units=Units(exponents, equations.units.shift, plain=False),
        mean=np.ldexp(equations.mean, np.concatenate([x, y])), m=np.ldexp(equations.m, x[:, None] + x),
        c=np.ldexp(equations.c, x[:, None] + y), yy=np.ldexp(equations.yy, 2 * y),
        raw_diagonal=np.ldexp(equations.raw_diagonal, 2 * x), raw_yy=np.ldexp(equations.raw_yy, 2 * y), zz=None,
        lost=None,
    )


def gather(problem, moments=None):
    """Normal equations of the problem in one pass, unless its `moments` are known.

    A second pass is made where values are too large or small to square.

    Returns None when non-finite values are present and the problem says not to check for them.
    """
    n = problem.x.shape[0]
    units = first_units(problem)
    if moments is None:
        moments = _pass(problem, units)
    exponents = safe_exponents(problem, units, diagonal_of(moments))
    if exponents is None:
        return None
    if exponents.any():
        units = Units(exponents, units.shift, plain=False)
        moments = _pass(problem, units)
    sum_weights = problem.sum_weights
    equations = NormalEquations.from_moments(moments, units, n, sum_weights, problem.n_threads)
    if problem.intercept and sum_weights > 0 and equations.constant().any():
        # constant about the shift, perhaps: the rows it was taken from may weigh nothing
        units = equations.centred_units()
        equations = NormalEquations.from_moments(_pass(problem, units), units, n, sum_weights, problem.n_threads)
    return equations.penalized(problem.penalty)


def gather_transformed(problem, equations, transform, factor):
    """(spread, normal equations of X T): about the means of X, in one more pass.  `equations` are those of X.

    The spread is that of the lengths of the rows of X diag(factor): the longest over the middle one, to a factor of
    two.
    """
    units = equations.centred_units()
    moments, spread = _moments_of(problem, units, transform, factor)
    n, weight = problem.x.shape[0], equations.sum_weights
    found = NormalEquations.from_moments(moments, units, n, weight, problem.n_threads)
    if equations.penalty is not None:  # so many rows more, times T
        rows = np.einsum("ij,jk->ik", equations.penalty_root(), transform)
        found.m = found.m + np.einsum("ij,ik->jk", rows, rows)
    return spread, found


def first_units(problem):
    """Units without scaling, shifted to a typical row when there is an intercept."""
    _, p, k = problem.shape
    shift = np.zeros(p + problem.intercept + k)
    if problem.intercept:
        rows = lib.block_rows(p)
        shift[:p] = _arrays.typical_row(problem.x, problem.weights, rows)
        shift[p + 1 :] = _arrays.typical_row(problem.y, problem.weights, rows)
    return Units.starting_at(shift)


def root_exponents(diagonal):
    """Integers e with diagonal near 4^e, 0 for zeros: dividing rows and columns by 2^e equilibrates, exactly."""
    return np.where(diagonal > 0, (np.frexp(diagonal)[1].astype(np.int64) + 1) // 2, 0)


def diagonal_of(moments):
    diagonal = np.empty(moments.p + moments.unit + moments.k)
    moments.diagonal(diagonal)
    return diagonal


def safe_exponents(problem, units, diagonal):
    """Exponents that bring every column into the range whose squares float64 holds, given the sums of squares.

    Raises ValueError for NaN or infinity (returns None if the problem does not check for them).
    """
    exponents = units.exponents.copy()
    with np.errstate(invalid="ignore"):
        suspect = ~((diagonal > lib.SMALLEST_SQUARES) & (diagonal < lib.LARGEST_SQUARES))
    if problem.intercept:
        suspect[problem.x.shape[1]] = False
    if not suspect.any():
        return exponents
    if not np.isfinite(diagonal).all():
        names = dict(zip(problem.names, (problem.x, problem.y), strict=True))
        if problem.check_finite:
            _arrays.check_finite(**names)
        elif any(lib.first_nonfinite(array) is not None for array in names.values()):
            return None
    p = problem.x.shape[1]
    largest = np.empty(1)
    for column in np.flatnonzero(suspect):
        place = column - p - problem.intercept
        values = problem.x[:, column : column + 1] if column < p else problem.y[:, place : place + 1]
        lib.column_max_abs(values, largest)
        peak = max(largest[0], abs(units.shift[column]))
        if peak > 0:
            exponents[column] = min(-int(np.frexp(peak)[1]), 1023)
    return exponents


def _pass(problem, units):
    return _moments_of(problem, units)[0]


def _moments_of(problem, units, transform=None, factor=None):
    _, p, k = problem.shape
    moments = lib.Moments(p, k, problem.intercept, problem.kernel)
    scale, offset = units.core_arguments()
    spread = moments.update(problem.x, problem.y if k else None, problem.weights, scale, offset, problem.n_threads,
                            transform, factor)
    return moments, spread
