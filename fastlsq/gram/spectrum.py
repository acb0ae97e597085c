# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""(M + alpha P)⁻¹ for many alphas from one factorization.

With RᵀR = M + tau P and R⁻ᵀP R⁻¹ = V diag(s) Vᵀ, in the basis S = R⁻¹V both M and P are diagonal,

    SᵀP S = s,  SᵀM S = 1 - tau s,  (M + alpha P)⁻¹ = S diag(1/(1 + (alpha - tau) s)) Sᵀ

so an alpha costs p² after p³.  For alpha near tau no digit is lost, whatever the units of the columns; far from it the
entries of s, which are known to u/tau, lose as many digits as alpha/tau has, so there is a tau for every six decades.
"""

from functools import cached_property

import numpy as np

from fastlsq import _arrays
from fastlsq._core import lib
from fastlsq.solve.deficient import MOMENT_NOISE, solve_moments
from fastlsq.solve.driver import factorize, triangular_inverse
from fastlsq.solve.lapack import scaled_rows
from fastlsq.solve.penalized import scaled_penalty

#: the largest ratio of alpha to the tau it is served by, either way
REACH = 1e3
#: relative error of moments, times the condition number of those with tau P, above which they are not used
LARGEST_ERROR = 1e-4
N_ALPHAS = 100
#: 1 - leverage below which it is rounding, as in csrc/leave_one_out.c
SMALLEST_REST = 2.0**-36


def default_alphas(middle):
    """Twelve decades about the mean sum of squares of a penalised column, divided by its part in the penalty."""
    middle = middle if np.isfinite(middle) and middle > 0 else 1.0
    return np.clip(middle, 1e-280, 1e280) * np.logspace(4, -8, N_ALPHAS)


class Spectrum:
    """Of (M + alpha P)⁻¹ for alphas near tau: (S, d) with (M + alpha P)⁻¹ = S diag(d) Sᵀ in packed units."""

    def __init__(self, equations, penalty, tau):
        self.tau, self.s = tau, None
        penalized = equations.penalized(tau * penalty)
        factor, _ = factorize(penalized, 1)
        noise = MOMENT_NOISE * float(np.max(equations.raw_diagonal / np.diagonal(penalized.m), initial=1.0))
        if factor is None or factor.active is not None or noise * factor.condition > LARGEST_ERROR:
            return
        root = factor.scale[:, None] * triangular_inverse(factor.r)  # (M + tau P)⁻¹ = root rootᵀ
        image = penalized.pull(root)
        small = np.einsum("ij,ik->jk", root, image) / tau
        self.s, vectors = np.linalg.eigh(0.5 * (small + small.T))
        self.s = np.clip(self.s, 0.0, 1.0 / tau)
        self.basis = np.ascontiguousarray(root @ vectors)

    @property
    def found(self):
        return self.s is not None

    def damping(self, alphas):
        """d, p x m."""
        return 1.0 / (1.0 + (alphas[None, :] - self.tau) * self.s[:, None])


class _Single:
    """The same of one alpha for which the moments have no factor."""

    def __init__(self, equations, penalty, alpha):
        self.penalized = equations.penalized(alpha * penalty) if alpha > 0 else equations
        self.solution = solve_moments(self.penalized)
        root, exponents = self.solution.root()
        self.basis = np.ldexp(root, (exponents - equations.units.exponents[: equations.p])[:, None])

    def damping(self, alphas):
        return np.ones((self.basis.shape[1], 1))


class Segments:
    """The alphas in groups that share a basis.

    `parts` are (places of the alphas, spectrum, d); coefficients b (m, p, k) and what else is wanted follow from them,
    in packed units.
    """

    def __init__(self, equations, alphas, penalty):
        largest = float(np.max(alphas, initial=0.0))
        if largest > 0:  # the same units for all alphas
            equations = equations.with_room_for(scaled_penalty(largest, penalty))
        self.equations, self.alphas, self.penalty = equations, alphas, penalty
        self.parts = []
        left = np.argsort(-alphas, kind="stable")
        while left.size:
            top = alphas[left[0]]
            own = left[alphas[left] * REACH * REACH >= top] if top > 0 else left
            tau = float(np.sqrt(top) * np.sqrt(alphas[own[-1]])) if top > 0 else 0.0
            spectrum = Spectrum(equations, penalty, tau) if tau > 0 else None
            if spectrum is None or not spectrum.found:
                if top > 0 and own.size > 1:  # perhaps the larger ones have a factor
                    own = own[: (own.size + 1) // 2]
                    spectrum = Spectrum(equations, penalty, float(np.sqrt(top) * np.sqrt(alphas[own[-1]])))
                if spectrum is None or not spectrum.found:
                    own = own[:1]
                    spectrum = _Single(equations, penalty, float(top))
            self.parts.append((own, spectrum, spectrum.damping(alphas[own])))
            left = left[own.size :]

    @property
    def target_exponents(self):
        """e of packed targets y 2^e."""
        return self.equations.units.exponents[self.equations.lead :]

    @cached_property
    def coefficients(self):
        """m x p x k in packed units."""
        e = self.equations
        b = np.empty((self.alphas.size, e.p, e.c.shape[1]))
        for own, spectrum, damping in self.parts:
            gamma = np.einsum("ij,ik->jk", spectrum.basis, e.c)
            b[own] = np.einsum("ij,jf,jk->fik", spectrum.basis, damping, gamma, optimize=True)
        return b

    @cached_property
    def df(self):
        """Traces of (M + alpha P)⁻¹M: of d less alpha times that of (M + alpha P)⁻¹P."""
        found = np.empty(self.alphas.size)
        for own, spectrum, damping in self.parts:
            pull = self.equations.penalized(self.penalty).pull(spectrum.basis)
            share = np.einsum("ij,ij->j", spectrum.basis, pull)
            rank = spectrum.basis.shape[1]
            found[own] = rank - (self.alphas[own] * (share[:, None] * damping)).sum(axis=0)
        return np.maximum(found, 0.0)

    def squares(self):
        """m x k residual sums of squares in packed units, from moments; NaN below their rounding."""
        e, b = self.equations, self.coefficients
        rss = np.empty((self.alphas.size, e.c.shape[1]))
        fit = e.penalized(self.penalty)
        for f, alpha in enumerate(self.alphas.tolist()):
            rss[f] = e.yy - np.einsum("jk,jk->k", b[f], e.c + alpha * fit.pull(b[f]))
        rss[rss <= MOMENT_NOISE * (e.yy + e.raw_yy)] = np.nan
        rss[:, e.raw_yy == 0] = 0.0
        return rss

    def in_users_units(self, squares):
        """(coef m x p x k, intercept m x k, sums of squares m x k) in the user's units."""
        e = self.equations
        own, targets = e.units.exponents[: e.p], e.units.exponents[e.lead :]
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            coef = np.ldexp(self.coefficients, own[None, :, None] - targets[None, None, :])
            intercept = np.zeros((self.alphas.size, targets.size))
            if e.intercept:
                mean = e.user_mean()
                intercept = mean[None, e.p :] - np.einsum("j,fjk->fk", mean[: e.p], coef)
            return coef, intercept, np.ldexp(squares, -2 * targets)


def leave_one_out(problem, segments):
    """(sums of w residual², of w (residual of a fit without the row)²), both m x k, in packed units: a pass a basis."""
    e, b = segments.equations, segments.coefficients
    units = e.centred_units()
    scale, offset = units.core_arguments()
    if e.intercept:  # no unit column: X and Y are about their means
        scale, offset = np.delete(scale, e.p), np.delete(offset, e.p)
    base = 1.0 / e.sum_weights if e.intercept else 0.0
    squares, left_out = np.empty((2, segments.alphas.size, e.c.shape[1]))
    for own, spectrum, damping in segments.parts:
        basis = spectrum.basis
        if basis.shape[1] == 0:  # no column has a part in it
            basis, damping = np.zeros((e.p, 1)), np.zeros((1, own.size))
        fits = np.ascontiguousarray(b[own].transpose(2, 1, 0))
        both = lib.leave_one_out(problem.x, problem.y, problem.weights, scale, offset, basis,
                                 np.ascontiguousarray(damping), fits, base, problem.n_threads, problem.kernel)
        squares[own], left_out[own] = both[0].T, both[1].T
    return squares, left_out


class DualSpectrum:
    """Fewer rows than columns: the eigenvalues of K = Z Zᵀ, Z = W^½(X - mean)P^-½, for a diagonal P.

    With G = (K + alpha)⁻¹ the residuals of a fit are alpha G W^½(y - mean), and 1 - h_i is alpha G_ii.  An intercept
    takes the direction W^½1 out of both: K is zero there, up to rounding, and is made large so that it can be told.
    """

    @staticmethod
    def is_in_range(problem):
        """Whether K is: of values that can be squared."""
        largest = np.empty(problem.x.shape[1])
        lib.column_max_abs(problem.x, largest)
        peak = largest.max(initial=0.0)
        return 1e-120 < peak < 1e120

    def __init__(self, problem, penalty):
        _arrays.check_finite(**dict(zip(problem.names, (problem.x, problem.y), strict=True)))
        rows = scaled_rows(problem)
        z = np.ldexp(rows.a, rows.x_exponents) / np.sqrt(penalty)
        k, n = z @ z.T, z.shape[0]
        self.middle = float(np.trace(k)) / z.shape[1]
        weights = np.ones(n) if problem.weights is None else problem.weights.astype(np.float64)
        if problem.intercept:
            level = np.sqrt(weights / weights.sum())
            k += (2.0 * np.trace(k) + 1.0) * np.outer(level, level)
        self.values, self.vectors = np.linalg.eigh(k)
        if problem.intercept:
            self.values, self.vectors = self.values[:-1], self.vectors[:, :-1]
        self.values = np.maximum(self.values, 0.0)
        self.used = weights > 0
        self.y, self.y_exponents = rows.y, rows.y_exponents

    def chosen(self, alphas):
        """The alphas given, or as many decades about the mean square of a column as matter."""
        if alphas is not None:
            return _arrays.ridge_alphas(alphas)
        return default_alphas(self.middle)

    def left_out(self, alphas):
        """Sums of w (residual of a fit without the row)², m x k, in units of 4^y_exponents."""
        projected, squares = self.vectors.T @ self.y, self.vectors**2
        found = np.empty((alphas.size, self.y.shape[1]))
        for f, alpha in enumerate(alphas.tolist()):
            share = alpha / (self.values + alpha)
            residual = self.vectors @ (share[:, None] * projected)
            rest = squares @ share
            rest = np.where(rest > SMALLEST_REST, rest, np.nan)  # a leverage of 1
            found[f] = ((residual / rest[:, None])[self.used] ** 2).sum(axis=0)
        return found

    def generalised(self, alphas):
        """n² rss/(n - df - intercept)², m x k, likewise."""
        projected = self.vectors.T @ self.y
        found, n = np.empty((alphas.size, self.y.shape[1])), int(self.used.sum())
        for f, alpha in enumerate(alphas.tolist()):
            share = alpha / (self.values + alpha)
            rest = share.sum() - (self.used.size - n)
            found[f] = ((share[:, None] * projected) ** 2).sum(axis=0) * (n / rest) ** 2 if rest > 0 else np.nan
        return found
