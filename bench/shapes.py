# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The shapes every benchmark runs over, and the data that fills them.

One table, so that a roofline figure, a comparison with a peer and a pytest-benchmark entry of the same name speak of
the same matrix.  Rows and columns trade off so that each matrix is 128 to 256 MB in float64: far beyond any cache.
"""

import math
from dataclasses import dataclass

import numpy as np

#: (rows, columns), narrowest first
SHAPES = (
    (4_000_000, 4),
    (2_000_000, 8),
    (1_000_000, 16),
    (1_000_000, 32),
    (500_000, 64),
    (200_000, 128),
    (100_000, 256),
    (40_000, 512),
    (20_000, 1024),
    (10_000, 2048),
)
DTYPES = {"f64": np.float64, "f32": np.float32}
ORDERS = ("C", "F")

#: rows handled at a time wherever a whole-matrix temporary would double the memory
CHUNK_BYTES = 1 << 24


@dataclass(frozen=True)
class Case:
    """One benchmark problem; `kappa` is the condition number of its columns scaled to equal length."""

    n: int
    p: int
    dtype: str = "f64"
    order: str = "C"
    kappa: float = 1.0

    @property
    def label(self):
        """Short name, fit for a test id."""
        kappa = f"-kappa{self.kappa:g}" if self.kappa > 1 else ""
        return f"{self.n}x{self.p}-{self.dtype}-{self.order}{kappa}"


def cases(columns=None, dtypes=("f64",), orders=("C",), kappa=1.0, quick=1):
    """Cases of the table: all shapes or those with p in `columns`, rows divided by `quick` but at least 4p."""
    unknown = set(columns or ()) - {p for _, p in SHAPES}
    if unknown:
        raise ValueError(f"no shape with p = {sorted(unknown)}; the table has {[p for _, p in SHAPES]}")
    return [
        Case(max(n // quick, 4 * p), p, dtype, order, kappa)
        for n, p in SHAPES
        if not columns or p in columns
        for dtype in dtypes
        for order in orders
    ]


def row_blocks(x):
    """Slices that cut the rows of `x` into blocks of about CHUNK_BYTES."""
    n = x.shape[0]
    step = max(1, CHUNK_BYTES // max(1, x.itemsize * x.shape[1]))
    return [slice(start, min(n, start + step)) for start in range(0, n, step)]


def correlate(x, kappa, rng):
    """Mix one common factor into the columns of N(0, 1) data, in place, so that their condition number is `kappa`.

    Columns of unit variance with pairwise correlation r have the covariance eigenvalues 1 + (p-1)r and 1 - r; r is
    chosen to make the root of their ratio `kappa`.  All columns have equal length, so scaling cannot help a method.
    """
    p = x.shape[1]
    if p < 2 or kappa <= 1:
        return
    own = p / (kappa**2 + p - 1)  # 1 - r, without cancellation
    for block in row_blocks(x):
        part = x[block]
        common = rng.standard_normal((part.shape[0], 1), dtype=x.dtype)
        part *= x.dtype.type(math.sqrt(own))
        part += x.dtype.type(math.sqrt(1 - own)) * common


def make(case, seed=20260):
    """(X, y) of a case: X ~ N(0, 1), y = X beta + noise of the same size as X beta; always the same for a seed."""
    rng = np.random.default_rng([seed, case.n, case.p])
    dtype = np.dtype(DTYPES[case.dtype])
    if case.order == "C":
        x = rng.standard_normal((case.n, case.p), dtype=dtype)
    else:
        x = rng.standard_normal((case.p, case.n), dtype=dtype).T
    correlate(x, case.kappa, rng)
    y = x @ rng.standard_normal(case.p).astype(dtype)
    noise = rng.standard_normal(case.n, dtype=dtype)
    noise *= dtype.type(np.linalg.norm(y) / math.sqrt(case.n))
    y += noise
    return x, y
