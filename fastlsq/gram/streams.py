# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Rows in pieces: cut from arrays on the grid of block sums, fed from an iterator, stacked from blocks of columns."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlsq import _arrays
from fastlsq._core import lib

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# The copy of stacked blocks of columns, and what row_chunks copies of a data frame.
CHUNK_BYTES = 2**25
# A chunk of row_chunks that is a view: large enough that what it costs beside its arithmetic (0.2 ms: a copy of the
# block sums, Python, threads that end one after the other) does not show.  2026-12, Emerald Rapids, 8M x 16, ms: 32 MiB
# 61.8, 64 57.3, 128 56.2, 256 53.6, in one update 53.4.
VIEW_BYTES = 2**28


def row_chunks(X: Any, y: ArrayLike, weights: ArrayLike | None = None, *, rows: int | None = None) -> Iterator[tuple]:
    """Cut arrays into chunks of rows, as views.

    For ``Gram.update_from``: arrays on disk (`numpy.memmap`) pass through memory once, a progress bar can follow, and
    an interrupt is answered between chunks.

    Parameters
    ----------
    X : array_like, shape (n, p), real
    y : array_like, shape (n,) or (n, k), real
    weights : array_like, shape (n,), optional
    rows : int, optional
        Rows of a chunk; by default a multiple of `Gram.block_rows` of at least 256 MiB of float64 (of a data frame,
        whose rows are copied, 32), so that the sums have the bits of a single update.

    Yields
    ------
    (X, y) or (X, y, weights)

    Examples
    --------
    >>> import numpy as np, fastlsq
    >>> X = np.arange(6.0).reshape(3, 2)
    >>> [len(chunk[0]) for chunk in fastlsq.row_chunks(X, np.ones(3), rows=2)]
    [2, 1]
    """
    x = _arrays.matrix(X, "X")
    n, p = x.shape
    arrays = [X if hasattr(X, "iloc") else x, _arrays.targets(y, "y", n, "X")[0]]
    if weights is not None:
        arrays.append(_arrays.row_weights(weights, n, "X"))
    if rows is None:
        block = lib.block_rows(p)
        size = CHUNK_BYTES if hasattr(X, "iloc") else VIEW_BYTES
        rows = block * max(1, -(-size // (8 * block * max(p, 1))))
    elif not isinstance(rows, (int, np.integer)) or rows < 1:
        raise ValueError(f"rows must be an integer above 0, got {rows!r}")

    def cut():
        for start in range(0, n, rows):
            part = slice(start, start + rows)
            yield tuple(array.iloc[part] if hasattr(array, "iloc") else array[part] for array in arrays)

    return cut()


def feed(update, chunks, progress):
    """update(X, y[, weights]), which gives the number of rows so far, for every chunk; errors name it."""
    for number, chunk in enumerate(chunks):
        if not isinstance(chunk, tuple) or not 1 <= len(chunk) <= 3:
            raise TypeError(f"chunk {number} must be a tuple (X, y) or (X, y, weights), got {type(chunk).__name__}")
        try:
            seen = update(*chunk)
        except (TypeError, ValueError) as error:
            raise type(error)(f"chunk {number}: {error}") from None
        if progress is not None:
            progress(seen)


def stacked(blocks, y, weights, block_rows):
    """(X, y, weights) of so many rows at a time, the blocks of columns side by side in one float64 copy.

    Cut at multiples of the rows of a block sum, unless those are more than twice CHUNK_BYTES.
    """
    n, p = blocks[0].shape[0], sum(block.shape[1] for block in blocks)
    for number, block in enumerate(blocks):
        if block.shape[0] != n:
            raise ValueError(f"X[{number}] has {block.shape[0]} rows, X[0] has {n}")
    y = None if y is None else _arrays.targets(y, "y", n, "X")[0]
    weights = _arrays.row_weights(weights, n, "X")
    rows = max(1, CHUNK_BYTES // (8 * max(p, 1)))
    if block_rows <= 2 * rows:
        rows = max(1, rows // block_rows) * block_rows
    copy = np.empty((min(rows, n), p))
    if n == 0:
        yield copy, y, weights
    for start in range(0, n, rows):
        stop = min(start + rows, n)
        np.concatenate([block[start:stop] for block in blocks], axis=1, out=copy[: stop - start])
        for number, block in enumerate(blocks):
            place = lib.first_nonfinite(block[start:stop])
            if place is not None:
                _arrays.refuse_nonfinite(f"X[{number}]", block, start + place[0], place[1])
        part = slice(start, stop)
        if y is not None:
            place = lib.first_nonfinite(y[part])
            if place is not None:
                _arrays.refuse_nonfinite("y", y, start + place[0], place[1])
        yield copy[: stop - start], None if y is None else y[part], None if weights is None else weights[part]
