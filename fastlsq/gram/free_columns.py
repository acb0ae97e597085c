# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""What columns without any penalty add to the duality gap of an elastic net, where they are correlated or dependent.

The core bounds the coefficient of each by |b_j| + ‖y‖/‖z_j‖, which correlated columns exceed.  Together they obey
‖Z_F b_F‖ <= ‖y‖ + ‖Z_F b_F‖ of the present b, so with v_j = |q_j| or, for coefficients >= 0, max(q_j, 0)

    sum_F q_j b_j <= sqrt(v_Fᵀ M_FF⁻¹ v_F) (‖y‖ + ‖Z_F b_F‖)

takes the place of sum_F v_j (|b_j| + ‖y‖/‖z_j‖).  Where M_FF cannot be factorized, columns S of it can, and the rows
tell whether the others are combinations of these to rounding, Z_D = Z_S W: then v_D = Wᵀ v_S, and v_S, M_SS stand for
v_F, M_FF.  Moments alone do not tell: where half of the digits cancel, a column of its own may be left.
"""

import numpy as np

from fastlsq._core import lib

_HEARD = 2.0**-49  # ROUNDING of csrc/duality.c
#: rounding of one entry of Z_D - Z_S W, in units of what it is summed from, for each column of S
_ROUNDED = 16 * 2.0**-53
_BLOCK = 1 << 20  # entries of rows at a time


def unpenalised(m, first, second, yy):
    """Columns without a penalty, or with one below the rounding of q, as the core decides."""
    diagonal = np.diagonal(m)
    return np.flatnonzero((first <= _HEARD * np.sqrt(yy * diagonal)) & (second <= _HEARD * diagonal))


class FreeColumns:
    """See above.  `rows(columns, entries)` are blocks (z, sizes, weights) of rows of weight above 0 of these columns,
    numbered as those of m: entries, what these are rounded at, one weight a row or None.  None without rows.
    """

    def __init__(self, rows=None):
        self.rows, self.columns = rows, None

    def excess(self, m, b, q, first, second, yy, positive):
        """To be added to the gap; m, b, q, first = alpha l1 and second = alpha l2 are of the same columns."""
        free = unpenalised(m, first, second, yy)
        if free.size < 2:
            return 0.0
        own = np.ascontiguousarray(m[np.ix_(free, free)])
        if self.columns is None or not np.array_equal(free, self.columns):
            self.columns = free
            self._factorize(own)
        slopes, b = np.maximum(q[free], 0) if positive else q[free], b[free]
        if not slopes.any():
            return 0.0
        lengths = np.sqrt(np.diagonal(own))
        if self.factor is None:
            return np.inf
        kept, others = self.kept, self.others
        left = slopes[others] - self.combination.T @ slopes[kept]
        heard = _HEARD * np.sqrt(yy) * (lengths[others] + np.abs(self.combination).T @ lengths[kept])
        if (np.abs(left) > heard).any():
            return np.inf
        squares = slopes[kept] @ self.factor.solve(np.ascontiguousarray(slopes[kept, None]))[:, 0]
        together = np.sqrt(max(squares, 0.0)) * (np.sqrt(yy) + np.sqrt(max(b @ own @ b, 0.0)))
        together += np.abs(left) @ np.abs(b[others])
        alone = np.abs(slopes) @ (np.abs(b) + np.sqrt(yy) / lengths)
        return float(max(together - alone, 0.0))

    def _factorize(self, own):
        """factor of M_SS with `kept` S, `others` D and `combination` W; no factor where they are not known."""
        count = own.shape[0]
        self.kept, self.others = np.arange(count), np.arange(0)
        self.factor = lib.factorize(own, None, 1)[0]
        self.combination = np.zeros((count, 0))
        if self.factor is not None or self.rows is None:
            return
        self.kept, self.others = _independent(own)
        if self.others.size == 0:
            return
        factor = lib.factorize(np.ascontiguousarray(own[np.ix_(self.kept, self.kept)]), None, 1)[0]
        if factor is None:
            return
        w = factor.solve(np.ascontiguousarray(own[np.ix_(self.kept, self.others)]))
        w += factor.solve(self._remainder(w)[0])
        if self._remainder(w)[1]:
            self.factor, self.combination = factor, w

    def _remainder(self, w):
        """(Z_Sᵀ E, whether E is rounding) for E = Z_D - Z_S W."""
        s = self.kept.size
        products, small = np.zeros_like(w), True
        for z, sizes, weights in self.rows(self.columns[np.r_[self.kept, self.others]], _BLOCK):
            e = z[:, s:] - z[:, :s] @ w
            small = small and bool((np.abs(e) <= _ROUNDED * (s + 1) * (sizes[:, s:] + sizes[:, :s] @ np.abs(w))).all())
            products += z[:, :s].T @ (e if weights is None else weights[:, None] * e)
        return products, small


def _independent(m):
    """(S, D): columns that a pivoted Cholesky factorization of m finds to be independent; the others."""
    from scipy.linalg.lapack import dpstrf

    root = np.sqrt(np.diagonal(m))
    _, pivots, rank, _ = dpstrf(m / np.outer(root, root), tol=64 * len(m) * 2.0**-53)
    order = pivots - 1
    return np.sort(order[:rank]), np.sort(order[rank:])
