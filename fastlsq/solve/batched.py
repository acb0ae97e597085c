# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Many problems of one shape: the leading dimensions of `lstsq`.

The core solves all problems and judges each; those that it does not certify are solved again one by one, by the whole
ladder.
"""

import math
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from fastlsq import _arrays
from fastlsq._core import lib
from fastlsq.solve.driver import SolveInfo


@dataclass(slots=True)
class BatchInfo:
    """How the answers of a batch were found; arrays have the leading dimensions.

    Attributes
    ----------
    path : str
        'gram', 'lapack', ... as in `SolveInfo`, where all problems took the same; else 'mixed'.
    passes : ndarray of int
    condition, backward_error : ndarray of float64
        As in `SolveInfo`, of each problem.
    rank : ndarray of int
    escalated : dict of tuple to SolveInfo
        By the index of the problem: what became of those that the fast path did not certify.
    n_threads : int
    kernel : str
    """

    path: str
    passes: np.ndarray
    condition: np.ndarray
    backward_error: np.ndarray
    rank: np.ndarray
    n_threads: int
    kernel: str
    escalated: dict[tuple[int, ...], SolveInfo] = field(default_factory=dict)


def lstsq_batched(a, b, weights, n_threads, one):
    """(x, residues, rank, s, rss, info) for a of shape (..., n, p); `one` solves a single problem, whatever it is."""
    a = _arrays.real(a, "a")
    b, is_vector = _batched_targets(a, _arrays.real(b, "b"))
    weights = _batched_weights(a, weights)
    lead, (n, p), k = b.shape[:-2], a.shape[-2:], b.shape[-1]
    dtype = _arrays.result_dtype(a, b)
    a = np.broadcast_to(a, (*lead, n, p))
    count = math.prod(lead)
    flat_a, flat_b = a.reshape((count, n, p)), b.reshape((count, n, k))
    flat_weights = None if weights is None else np.broadcast_to(weights, (*lead, n)).reshape((count, n))
    rank, escalated = np.full(count, p), {}
    if count and p and k and n >= p and one.fast:
        x, rss, condition, backward, verdict, passes = lib.lstsq_batched(flat_a, flat_b, flat_weights, n_threads)
        left = np.flatnonzero(verdict)
    else:
        x, rss = np.zeros((count, p, k)), np.zeros((count, k))
        condition, backward, passes = np.full(count, np.nan), np.zeros(count), np.ones(count, np.int8)
        left = np.arange(count)
    for i in left:
        place = tuple(int(j) for j in np.unravel_index(i, lead))
        found = one(flat_a[i], flat_b[i], None if flat_weights is None else flat_weights[i], place)
        x[i], rss[i], rank[i] = found.x, found.rss, found.rank
        escalated[place] = info = found.info
        condition[i], backward[i], passes[i] = info.condition, info.backward_error, info.passes
    paths = {info.path for info in escalated.values()} | ({"gram"} if len(left) < count else set())
    info = BatchInfo(
        paths.pop() if len(paths) == 1 else "mixed" if paths else "empty", passes.astype(np.int64).reshape(lead),
        condition.reshape(lead), backward.reshape(lead), rank.reshape(lead), n_threads, lib.kernel_name(), escalated,
    )
    with np.errstate(over="ignore", under="ignore"):
        x, rss = x.astype(dtype, copy=False), rss.astype(dtype, copy=False)
    shape = lead if is_vector else (*lead, k)
    residues = np.empty((*lead, 0), dtype)
    if n > p:
        residues = np.where(rank[:, None] == p, rss, np.nan).astype(dtype, copy=False).reshape(shape)
    x = x.reshape((*lead, p) if is_vector else (*lead, p, k))
    s = None if one.options["lapack_driver"] == "gelsy" else partial(_singular_values, a, weights, dtype)
    return x, residues, info.rank, s, rss.reshape(shape), info


def _batched_targets(a, b):
    """(b as (..., n, k) over the leading dimensions of both, whether it was (..., n))."""
    is_vector = b.ndim == a.ndim - 1
    if not is_vector and b.ndim != a.ndim:
        raise ValueError(
            f"b must have as many dimensions as a, or one less; a has shape {a.shape}, b has shape {b.shape}"
        )
    if is_vector:
        b = b[..., None]
    if b.shape[-2] != a.shape[-2]:
        raise ValueError(f"b has {b.shape[-2]} rows, a has {a.shape[-2]}: Shape mismatch")
    try:
        lead = np.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    except ValueError:
        raise ValueError(
            f"the leading dimensions of a and b do not fit: {a.shape[:-2]} and {b.shape[:-2]}"
        ) from None
    return np.broadcast_to(b, lead + b.shape[-2:]), is_vector


def _batched_weights(a, weights):
    if weights is None:
        return None
    array = _arrays.real(weights, "weights")
    if array.shape != a.shape[:-1]:
        raise ValueError(f"weights must have shape {a.shape[:-1]}, one per row of a, got shape {array.shape}")
    _arrays.check_weights(array)
    return array


def _singular_values(a, weights, dtype):
    rows = a.astype(np.float64)
    if weights is not None:
        rows *= np.sqrt(weights.astype(np.float64))[..., None]
    values = np.full((*rows.shape[:-2], min(rows.shape[-2:])), np.nan, dtype)
    finite = np.isfinite(rows).all(axis=(-2, -1))
    if values.size:
        values[finite] = np.linalg.svd(rows[finite], compute_uv=False)
    return values
