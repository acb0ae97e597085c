# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""`fastlsq.patch`: NumPy's and SciPy's `lstsq` and SciPy's `nnls` become ours, for code that cannot be changed.

Each keeps its own shapes, dtypes and errors.  What fastlsq does not do (complex numbers, empty or non-finite arrays,
wrong shapes) goes to the function that was there before, and so do leading dimensions where NumPy refuses them or
SciPy's shapes depend on the rank.
"""

from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

import numpy as np

#: how many calls went which way: `SolveInfo.path`, also of wide or dependent columns, 'nnls, ' and its path, or
#: 'original'
paths: Counter[str] = Counter()
_originals: dict[tuple[str, str], object] = {}
#: float32, float64 and integers of 32 and 64 bits; NumPy and SciPy disagree about what comes of narrower ones
_OURS = "fdiIlLqQ"


def _solve(a, b, batches=False, **options):
    """`fastlsq.lstsq` for real, finite a with as many rows as b has; None for anything else."""
    from fastlsq.solve.lstsq import lstsq

    a, b = np.asarray(a), np.asarray(b)
    if a.size == 0 or b.size == 0 or not (_is_one(a, b) or (batches and _is_batch(a, b))):
        return None
    if a.dtype.char not in _OURS or b.dtype.char not in _OURS:
        return None
    if not a.dtype == b.dtype == np.float32:
        a, b = a.astype(np.float64, copy=False), b.astype(np.float64, copy=False)
    try:
        result = lstsq(a, b, **options)
    except ValueError:  # not finite: the original has its own words for that, or none
        return None
    return result if (np.asarray(result.rank) == a.shape[-1]).all() or a.ndim == 2 else None


def _is_one(a, b):
    return a.ndim == 2 and 1 <= b.ndim <= 2 and a.shape[0] == b.shape[0]


def _is_batch(a, b):
    return a.ndim == b.ndim > 2 and a.shape[:-1] == b.shape[:-1] and a.shape[-2] > a.shape[-1]


def _went(result):
    """The result, counted."""
    if result is None:
        paths["original"] += 1
    else:
        whole = np.ndim(result.rank) > 0 or result.rank == result.x.shape[0]
        paths[result.info.path + ("" if whole else ", wide or dependent")] += 1
    return result


def _numpy_lstsq(original):
    @functools.wraps(original)
    def lstsq(a, b, rcond=None):
        result = None
        if rcond is None or isinstance(rcond, (int, float, np.number)):
            # -1 is LAPACK's own smallest cut-off, which calls dependent columns independent: only where there are none
            result = _solve(a, b, cond=np.finfo(float).eps if rcond == -1 else rcond)
            if result is not None and rcond == -1 and result.info.path == "lapack":
                result = None
        if _went(result) is None:
            return original(a, b, rcond)
        return result.x, np.atleast_1d(result.residues), np.int32(result.rank), result.s

    return lstsq


def _scipy_lstsq(original):
    @functools.wraps(original)
    def lstsq(a, b, cond=None, overwrite_a=False, overwrite_b=False, check_finite=True, lapack_driver=None):
        known = lapack_driver in (None, "gelsd", "gelsy", "gelss")
        result = _went(_solve(a, b, True, cond=cond, lapack_driver=lapack_driver) if known else None)
        if result is None:
            return original(a, b, cond, overwrite_a, overwrite_b, check_finite, lapack_driver)
        return tuple(result)

    return lstsq


def _scipy_nnls(original):
    @functools.wraps(original)
    def nnls(A, b, *args, **kwargs):
        from fastlsq.solve.constrained import nnls as own

        a, y = np.asarray(A), np.asarray(b)
        is_one = y.ndim == 1 or (y.ndim == 2 and y.shape[1] == 1)
        known = not args and kwargs.keys() <= {"maxiter"} and {a.dtype.kind, y.dtype.kind} <= set("fbiu")
        if not known or not is_one or a.size == 0:
            paths["original"] += 1
            return original(A, b, *args, **kwargs)
        try:
            result = own(a, y.reshape(-1), **kwargs)
        except ValueError:  # wrong shapes, not finite: the original has its own words
            paths["original"] += 1
            return original(A, b, **kwargs)
        paths[f"nnls, {result.path}"] += 1
        return result.x, float(result.rnorm)

    return nnls


_MAKERS = {
    ("numpy.linalg", "lstsq"): _numpy_lstsq,
    ("scipy.linalg", "lstsq"): _scipy_lstsq,
    ("scipy.optimize", "nnls"): _scipy_nnls,
}


def patch() -> None:
    """Make `numpy.linalg.lstsq`, `scipy.linalg.lstsq` and `scipy.optimize.nnls` ours, until `unpatch`.

    For the whole process.

    Names that other modules have imported from there before keep what they have.

    Examples
    --------
    >>> import fastlsq, numpy as np
    >>> fastlsq.patch()
    >>> np.linalg.lstsq(np.eye(3), np.ones(3))[0]
    array([1., 1., 1.])
    >>> fastlsq.unpatch()
    """
    for place, maker in _MAKERS.items():
        home, name = place
        module = import_module(home)
        if place not in _originals:
            original = _originals[place] = getattr(module, name)
            own = maker(original)
            own.before_patch = original
            setattr(module, name, own)


def unpatch() -> None:
    """Undo `patch`."""
    while _originals:
        (home, name), original = _originals.popitem()
        setattr(import_module(home), name, original)


@contextmanager
def patched() -> Iterator[None]:
    """`patch` for a block; it holds for all threads meanwhile.  Inside another one it does nothing.

    Examples
    --------
    >>> import fastlsq, scipy.linalg
    >>> with fastlsq.patched():
    ...     x, residues, rank, s = scipy.linalg.lstsq([[1.0], [1.0]], [1.0, 3.0])
    >>> float(x[0])
    2.0
    """
    if _originals:
        yield
        return
    patch()
    try:
        yield
    finally:
        unpatch()
