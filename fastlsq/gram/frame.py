# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Coordinates in which the rows of a fit are orthonormal.

With the inverse root of the centred cross products, XᵀWX⁺ = (2^e H)(2^e H)ᵀ, a row x becomes

    z = [(x - mean) 2^e H | 1/sqrt(w)],   sum_i w_i z_i z_iᵀ = I,

w the sum of the weights.  In these coordinates everything that inference asks of the rows is a length or a product: the
leverage is w_i ‖z_i‖², the covariance of the parameters is A M Aᵀ with M = sigma² I, or for a robust covariance the
moments of the scores w_i r_i z_i, and A takes the coordinates back to parameters.  Rank-deficient fits have fewer
coordinates and no other rules.
"""

from dataclasses import dataclass

import numpy as np

from fastlsq._core import lib

#: binary exponents that a scale may have; what is beyond stays with the root
LARGEST_EXPONENT = 1000
#: condition number above which the rows are asked how orthonormal the coordinates are: the root is good to u*kappa²
POLISHED_CONDITION = 2e3


@dataclass(slots=True)
class Frame:
    """See above.  x is taken about a `shift` near its mean first, so that a mean far from zero costs no digits."""

    root: np.ndarray  # H, p x r
    exponents: np.ndarray  # e, p
    intercept: bool
    sum_weights: float
    shift: np.ndarray  # p
    departure: np.ndarray  # p: mean - shift
    y_shift: np.ndarray  # k
    y_departure: np.ndarray  # k

    @classmethod
    def of(cls, solution):
        root, exponents = solution.root()
        p, k = solution.coef.shape
        nothing = np.zeros(p), np.zeros(p), np.zeros(k), np.zeros(k)
        if not solution.has_intercept:
            return cls(root, exponents, False, float(solution.sum_weights), *nothing)
        own = root, exponents, True, float(solution.sum_weights)
        equations = solution.equations
        if equations is None:
            with np.errstate(over="ignore", invalid="ignore"):
                level = solution.intercept + solution.mean @ solution.coef
            return cls(*own, solution.mean, nothing[0], level, nothing[2])
        lead, units = equations.lead, equations.units
        columns = np.r_[0:p, lead : lead + k]
        with np.errstate(over="ignore", under="ignore"):
            departure = np.ldexp(equations.mean, -units.exponents[columns])
        shift = units.shift[columns]
        far = ~np.isfinite(departure)  # further away than float64 reaches: the mean itself then
        shift, departure = np.where(far, equations.user_mean(), shift), np.where(far, 0.0, departure)
        return cls(*own, shift[:p], departure[:p], shift[p:], departure[p:])

    def __reduce__(self):
        """A triangular root without its zeros."""
        p, r = self.root.shape
        root = self.root
        if p == r and not np.tril(root, -1).any():
            root = root[np.triu_indices(p)]
        return _frame_of, (root, self.exponents, self.intercept, self.sum_weights, self.shift, self.departure,
                           self.y_shift, self.y_departure)

    @property
    def columns(self):
        """Coordinates: the rank, and one for the intercept."""
        return self.root.shape[1] + self.intercept

    def parameter_root(self):
        """(A, e): parameters are 2^e A times coordinates, by rows; the intercept first."""
        p, r = self.root.shape
        if not self.intercept:
            return self.root, self.exponents
        a = np.zeros((p + 1, r + 1))
        a[1:, :r] = self.root
        with np.errstate(over="ignore", invalid="ignore"):
            a[0, :r] = -self._projected(self.shift + self.departure, self.exponents)
            a[0, r] = self.sum_weights**-0.5
        return a, np.r_[0, self.exponents]

    def _projected(self, row, exponents):
        with np.errstate(over="ignore", under="ignore"):
            return np.ldexp(row, exponents) @ self.root

    def scale_exponents(self):
        return np.clip(self.exponents, -LARGEST_EXPONENT, LARGEST_EXPONENT)

    def transform(self):
        """T of the score pass, lead x columns, for rows (x - shift) 2^s with s = scale_exponents()."""
        p, r = self.root.shape
        scaled = np.ldexp(self.root, (self.exponents - self.scale_exponents())[:, None])
        if not self.intercept:
            return np.ascontiguousarray(scaled)
        t = np.zeros((p + 1, r + 1))
        t[:p, :r] = scaled
        t[p, :r] = -self._projected(self.departure, self.exponents)
        t[p, r] = self.sum_weights**-0.5
        return t

    def model(self, rows, target):
        """x, y, weights, scale, offset, unit, b of a pass over `rows` with the coefficients of a `Target` or None."""
        p = self.root.shape[0]
        own = self.scale_exponents()
        lead = p + self.intercept
        scale, offset = np.ones(lead + (target is not None)), np.zeros(lead + (target is not None))
        scale[:p] = np.ldexp(1.0, own)
        offset[:p] = self.shift * scale[:p]
        b = y = None
        if target is not None:
            y, exponent = rows.y[:, target.number, None], target.exponent
            b = np.zeros(lead)
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                b[:p] = np.ldexp(target.coef, -own - exponent)
                if self.intercept:
                    level = self.y_departure[target.number] - self.departure @ target.coef
                    b[p] = np.ldexp(level, -exponent)
            scale[lead] = np.ldexp(1.0, -exponent)
            offset[lead] = self.y_shift[target.number] * scale[lead]
        return rows.x, y, rows.weights, scale, offset, self.intercept, b

    def scores(self, rows, target, transform, kind="plain", **outputs):
        """One score pass."""
        lib.scores(*self.model(rows, target), transform, kind, rows.n_threads, **outputs)

    def polished(self, rows):
        """The same frame with a root that the rows themselves find orthonormal: one more pass.

        The moments N of the coordinates would be I; with N = RᵀR the root H R⁻¹ makes them so to rounding, where
        H came from a Cholesky factor with the square of the condition number in its error.
        """
        r = self.root.shape[1]
        if r == 0:
            return self
        moments = np.empty((self.columns, self.columns))
        self.scores(rows, None, self.transform(), "root", moments=moments)
        factor = np.ascontiguousarray(moments[:r, :r])
        if not np.isfinite(factor).all() or lib.cholesky(factor, 1) is not None:
            return self
        root = np.ascontiguousarray(self.root.T)
        lib.triangular_solve(factor, root, True)
        return Frame(np.ascontiguousarray(root.T), self.exponents, self.intercept, self.sum_weights, self.shift,
                     self.departure, self.y_shift, self.y_departure)


def _frame_of(root, exponents, *rest):
    if root.ndim == 1:
        p = exponents.shape[0]
        entries, root = root, np.zeros((p, p))
        root[np.triu_indices(p)] = entries
    return Frame(root, exponents, *rest)


@dataclass(slots=True)
class Rows:
    """Checked rows: x (n, p), y (n, k) or None, weights (n,) or None."""

    x: np.ndarray
    y: np.ndarray | None
    weights: np.ndarray | None
    n_threads: int

    def blocks(self, size):
        """(start, stop, rows) for one block of rows after the other."""
        n = self.x.shape[0]
        for start in range(0, n, size):
            some = slice(start, min(start + size, n))
            weights = None if self.weights is None else self.weights[some]
            y = None if self.y is None else self.y[some]
            yield some.start, some.stop, Rows(self.x[some], y, weights, self.n_threads)


@dataclass(slots=True)
class Target:
    """One target's coefficients; its residuals are taken in units of 2^exponent."""

    number: int
    coef: np.ndarray  # p
    exponent: int


def block_size(columns, megabytes=1):
    """Rows whose scores take about so much."""
    return int(np.clip(megabytes * 2**17 // (columns + 8), 256, 8192 * min(megabytes, 2)))
