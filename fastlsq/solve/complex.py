# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Complex least squares: LAPACK through SciPy, in the shape of our own answers."""

import numpy as np

from fastlsq import _arrays
from fastlsq.solve.driver import SolveInfo
from fastlsq.solve.lapack import scipy_lstsq


def solve_complex(a, b, cond, check_finite, lapack_driver, weights):
    """(x, residues, rank, s, rss, info) for complex a (n, p) or b, weights or None."""
    a, b = _arrays.complex_pair(a, b)
    weights = _arrays.row_weights(weights, a.shape[0], "a")
    if check_finite:
        for name, array in (("a", a), ("b", b.reshape(a.shape[0], -1))):
            _arrays.check_finite(**{name: np.ascontiguousarray(array.real)})
            _arrays.check_finite(**{name: np.ascontiguousarray(array.imag)})
    if weights is not None:
        root = np.sqrt(weights.astype(np.float64))
        a, b = a * root[:, None], b * (root if b.ndim == 1 else root[:, None])
    x, residues, rank, s = scipy_lstsq()(a, b, cond, check_finite=False, lapack_driver=lapack_driver)
    rank = int(rank)
    rest = np.abs(b - a @ x)
    info = SolveInfo(path="lapack", reason="complex input", passes=1, rank=rank)
    if s is not None and rank:
        info.condition = float(s[0] / s[rank - 1])
    return x, residues, rank, s, np.einsum("i...,i...->...", rest, rest), info
