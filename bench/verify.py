# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""What counts as a right answer: a reference better than any method timed, a tolerance for each, a proof for the Gram.

A benchmark row without a checked answer is worthless, so every row of every benchmark passes through here.
"""

import math

import numpy as np
from scipy.linalg import solve_triangular

from bench.shapes import row_blocks

#: no method may claim this as its tolerance: a coefficient vector that is off by a tenth is not an answer
LOOSEST = 0.1


def seminormal(r, gradient):
    """R^-1 R^-T g, in double precision."""
    return solve_triangular(r, solve_triangular(r, gradient.astype(np.float64), trans="T"))


class Reference:
    """The least-squares solution of a case, polished until it is better than double precision can deliver.

    R comes from a Householder QR in double precision and gives the first solution R^-1 R^-T X'y.  Each sweep adds
    R^-1 R^-T X'(y - X b), with the residual and its product with X in long double, and so shrinks the error by
    about cond(X)^2 * 2e-16.
    """

    SWEEPS = 2
    #: the last sweep must not change more than this, or the reference itself is in doubt
    SETTLED = 1e-12

    def __init__(self, x, y):
        self.n = x.shape[0]
        wide = x.astype(np.float64, copy=False)
        r = np.linalg.qr(wide, mode="r")
        singular = np.linalg.svd(r, compute_uv=False)
        self.norm = float(singular[0])
        self.kappa = float(singular[0] / singular[-1])
        self.norm_y = float(np.linalg.norm(y.astype(np.float64, copy=False)))
        b = seminormal(r, wide.T @ y).astype(np.longdouble)
        for _ in range(self.SWEEPS):
            gradient, self.rss = self._gradient(x, y, b)
            step = seminormal(r, gradient)
            b += step
        self.coef = b.astype(np.float64)
        self.unsettled = float(np.linalg.norm(step) / np.linalg.norm(self.coef))
        if not self.unsettled <= self.SETTLED:
            raise ArithmeticError(f"no reference: cond(X) = {self.kappa:.1e} is too large to tell right from wrong")

    @staticmethod
    def _gradient(x, y, b):
        """X'(y - X b) and |y - X b|^2 in long double."""
        gradient = np.zeros(x.shape[1], dtype=np.longdouble)
        rss = np.longdouble(0)
        for block in row_blocks(x):
            part = x[block].astype(np.longdouble)
            residual = y[block].astype(np.longdouble) - part @ b
            gradient += residual @ part
            rss += residual @ residual
        return gradient, float(rss)

    def error(self, coef):
        """Relative error of a coefficient vector in the 2-norm; infinite when it is not one."""
        coef = np.asarray(coef, dtype=np.float64).ravel()
        if coef.shape != self.coef.shape or not np.isfinite(coef).all():
            return math.inf
        return float(np.linalg.norm(coef - self.coef) / np.linalg.norm(self.coef))

    def tolerance(self, kind, dtype):
        """Largest relative error a method of this kind may have.

        First-order perturbation bounds with rounding errors of size e = eps sqrt(n) / 2 relative to X and y:
        an orthogonal method has  e cond (1 + cond |r|/(|X||b|)),  normal equations  e cond^2 (1 + |y|/(|X||b|)).
        `checked` is fastlsq: accumulated in double precision whatever the input, so eps is that of float64 and only
        the coefficients are rounded to the input type; its bound is the one of an orthogonal method.
        """
        scale = self.norm * float(np.linalg.norm(self.coef))
        orthogonal = self.kappa * (1 + self.kappa * math.sqrt(self.rss) / scale)
        growth = math.sqrt(self.n) / 2
        eps = float(np.finfo(dtype).eps)
        if kind == "checked":
            return min(LOOSEST, growth * float(np.finfo(np.float64).eps) * orthogonal + eps)
        if kind == "orthogonal":
            return min(LOOSEST, growth * eps * orthogonal)
        if kind == "normal":
            return min(LOOSEST, growth * eps * self.kappa**2 * (1 + self.norm_y / scale))
        raise ValueError(f"unknown kind of method {kind!r}")


def digits(error):
    """Decimal digits of agreement that a relative error leaves, at most the 16 of a double."""
    return 16.0 if error <= 1e-16 else max(0.0, -math.log10(error))


class GramProof:
    """Proof of a Gram matrix without computing one: G t against Z'(Z t) for a random t, with Z = [X | 1 | y].

    A wrong entry survives only if it is orthogonal to t.  By Cauchy-Schwarz both sides are sums whose terms add up to
    at most |z_i| sum_j |z_j||t_j|; with rounding errors that accumulate like a random walk over n rows, they may
    differ by 4 eps sqrt(n) of that.
    """

    def __init__(self, x, y, seed=7):
        n, p = x.shape
        self.t = np.random.default_rng(seed).standard_normal(p + 2)
        self.product = np.zeros(p + 2)
        squares = np.zeros(p + 2)
        for block in row_blocks(x):
            part = x[block]
            z = np.empty((part.shape[0], p + 2))
            z[:, :p], z[:, p], z[:, p + 1] = part, 1.0, y[block]
            self.product += (z @ self.t) @ z
            squares += np.einsum("ij,ij->j", z, z)
        norms = np.sqrt(squares)
        self.bound = 4 * np.finfo(np.float64).eps * math.sqrt(n) * norms * (norms @ np.abs(self.t))

    def excess(self, zz, yy):
        """Largest |G t - Z'(Z t)| as a fraction of its bound: at most 1 for a right Gram matrix."""
        last = np.append(zz[:, -1], yy)  # the column of y, which zz holds but for its own square
        gram = np.vstack([zz, last])
        ratio = np.abs(gram @ self.t - self.product) / self.bound
        return float(ratio.max()) if np.isfinite(gram).all() else math.inf
