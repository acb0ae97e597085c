# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The loss of a generalized linear model at given coefficients: one pass over the rows, in whatever family.

Coefficients are those of shifted columns scaled by powers of two, z = x 2^e - c, by predictors, the intercept last.
"""

from dataclasses import dataclass

import numpy as np

from fastlsq import _arrays
from fastlsq._core import lib
from fastlsq.solve.moments import Units

#: rows whose slopes are taken at a time
_PIECE = 65536


@dataclass(slots=True)
class Point:
    """What one pass has found at coefficients b."""

    b: np.ndarray  # predictors x lead
    loss: float
    gradient: np.ndarray  # predictors x lead
    hessian: np.ndarray | None  # square of predictors*lead
    eta: np.ndarray | None  # n x predictors


@dataclass(slots=True)
class Model:
    """Rows, family and units of a fit."""

    x: np.ndarray
    y: np.ndarray  # float64 or what was given, (n,)
    weights: np.ndarray | None
    offset: np.ndarray | None
    family: object  # Family, or None for softmax
    predictors: int
    intercept: bool
    n_threads: int
    units: Units
    kernel: str | None = None

    @classmethod
    def of(cls, x, y, weights, offset, family, predictors, intercept, n_threads, kernel=None):
        shift = _arrays.typical_row(x, weights, 1024) if intercept else np.zeros(x.shape[1])
        return cls(x, y, weights, offset, family, predictors, intercept, n_threads, Units.starting_at(shift), kernel)

    @property
    def lead(self):
        return self.x.shape[1] + self.intercept

    def rescaled(self):
        """The same in units in which no column is longer than 2, so that squares are numbers."""
        largest = np.zeros(self.x.shape[1])
        lib.column_max_abs(self.x, largest)
        # about the shift a column may be twice as long
        exponents = np.where(largest > 0, 1 - np.frexp(largest)[1], 0)
        units = Units(np.clip(exponents, -1000, 1000).astype(np.int64), self.units.shift, False)
        return Model(self.x, self.y, self.weights, self.offset, self.family, self.predictors, self.intercept,
                     self.n_threads, units, self.kernel)

    def sample(self, stride):
        """Every so many-th row, in the same units."""
        def part(a):
            return None if a is None else np.ascontiguousarray(a[stride // 2 :: stride])

        return Model(part(self.x), part(self.y), part(self.weights), part(self.offset), self.family, self.predictors,
                     self.intercept, self.n_threads, self.units, self.kernel)

    @property
    def sum_weights(self):
        return float(self.x.shape[0] if self.weights is None else np.add.reduce(self.weights, dtype=np.float64))

    def arguments(self, extra):
        """scale and offset of the core for [X | 1] and `extra` columns more."""
        if self.units.plain:
            return None, None
        scale, shift = self.units.core_arguments()
        more = self.intercept + extra
        return np.append(scale, np.ones(more)), np.append(shift, np.zeros(more))

    def evaluate(self, b, with_hessian=True, with_eta=True, expected=False):
        b = np.ascontiguousarray(b, np.float64)
        k, lead, n = self.predictors, self.lead, self.x.shape[0]
        gradient = np.empty((k, lead))
        hessian = np.empty((k * lead, k * lead)) if with_hessian else None
        core = "softmax" if self.family is None else self.family.core
        if core is not None:
            eta = np.empty((n, k)) if with_eta else None
            loss = lib.glm_pass(self.x, self.y, self.weights, *self.arguments(1), self.intercept, core, b, self.offset,
                                self.n_threads, eta, gradient, hessian, expected, kernel=self.kernel)
            return Point(b, loss, gradient, hessian, eta)
        eta = self.predict(b)
        if not self.family.allows(eta if self.weights is None else eta[self.weights > 0]):
            return Point(b, np.inf, gradient, hessian, eta)
        slope, curvature, loss = np.empty(n), np.empty(n), 0.0
        for start in range(0, n, _PIECE):
            own = slice(start, start + _PIECE)
            loss += self._piece(eta[own, 0], own, slope, curvature)
        lib.glm_pass(self.x, None, None, *self.arguments(0), self.intercept, "given", None, None, self.n_threads, None,
                     gradient, hessian, given=(slope, curvature), kernel=self.kernel)
        return Point(b, loss, gradient, hessian, eta)

    def _piece(self, eta, own, slope, curvature):
        y = self.y[own].astype(np.float64)
        with np.errstate(all="ignore"):
            losses = self.family.losses(eta, y)
            slope[own], curvature[own] = self.family.slopes(eta, y)
        if self.weights is not None:
            w = self.weights[own].astype(np.float64)
            with np.errstate(all="ignore"):
                losses, slope[own], curvature[own] = (
                    np.where(w > 0, w * values, 0.0) for values in (losses, slope[own], curvature[own]))
        return float(losses.sum())

    def predict(self, b):
        """eta, n x predictors."""
        eta = np.empty((self.x.shape[0], self.predictors))
        core = "softmax" if self.family is None else "gaussian"
        lib.glm_pass(self.x, self.y, None, *self.arguments(1), self.intercept, core, np.ascontiguousarray(b),
                     self.offset, self.n_threads, eta, kernel=self.kernel)
        return eta

    def loss_along(self, before, after, t):
        """Loss at predictors eta + t (after - before), without the rows."""
        if self.family is not None and self.family.core is not None:
            step = after[:, 0] - before[:, 0]
            return lib.glm_along(self.family.core, before[:, 0].copy(), step, t, self.y, self.weights, self.kernel)[0]
        total = 0.0
        for start in range(0, self.x.shape[0], _PIECE):
            own = slice(start, start + _PIECE)
            eta = before[own] + t * (after[own] - before[own])
            y = self.y[own]
            w = None if self.weights is None else self.weights[own].astype(np.float64)
            if w is not None:  # rows without a weight may be outside of the family
                eta, y, w = eta[w > 0], y[w > 0], w[w > 0]
            if self.family is None:
                from scipy.special import logsumexp

                full = np.column_stack([eta, np.zeros(eta.shape[0])])
                losses = logsumexp(full, axis=1) - full[np.arange(full.shape[0]), y.astype(np.int64)]
            else:
                eta = eta[:, 0]
                if not self.family.allows(eta):
                    return np.inf
                losses = self.family.losses(eta, y.astype(np.float64))
            total += float(losses.sum() if w is None else losses @ w)
        return total

    # ---- units -----------------------------------------------------------------------------------------------------

    def in_user_units(self, b):
        """(slopes predictors x p, intercepts) of coefficients b."""
        p = self.x.shape[1]
        slopes = np.ldexp(b[:, :p], self.units.exponents[:p])
        intercepts = b[:, p] - slopes @ self.units.shift if self.intercept else np.zeros(b.shape[0])
        return slopes, intercepts

    def parameter_map(self):
        """A with [slopes, intercept] of the user = A [b] of one predictor."""
        p = self.x.shape[1]
        a = np.diag(np.append(np.ldexp(1.0, self.units.exponents[:p]), np.ones(int(self.intercept))))
        if self.intercept:
            a[p, :p] = -self.units.shift * np.diagonal(a)[:p]
        return a
