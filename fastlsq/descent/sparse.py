# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Rows of gradient descent that may be sparse: SciPy's CSR, read where it lies and never made dense.

Columns are divided by what they are scaled to, but not centred: they would have no zeros then.
"""

import numpy as np

from fastlsq import _arrays
from fastlsq._core import lib


def is_sparse(a):
    return hasattr(a, "tocsr")


def rows_of(X, name):
    """A 2-D array of a dtype the core reads, or a CSR matrix of float64 or float32 whose indices are in range."""
    if not is_sparse(X):
        return _arrays.matrix(X, name)
    x = X.tocsr()
    if x.dtype.kind not in "fbiu" or x.ndim != 2:
        raise TypeError(f"{name} must be a 2-D sparse matrix of real numbers, got dtype {x.dtype}, shape {x.shape}")
    if x.dtype not in (np.float64, np.float32):
        x = x.astype(np.float64)
    x.check_format(full_check=True)
    return x


def core_rows(x):
    """What lib.Descent takes."""
    return (x.indptr, x.indices, x.data, x.shape[1]) if is_sparse(x) else x


def check_finite(x, name="X"):
    """Raise ValueError naming the first value that is NaN or infinite."""
    if not is_sparse(x):
        _arrays.check_finite(**{name: x})
        return
    bad = np.flatnonzero(~np.isfinite(x.data))
    if bad.size:
        row = int(np.searchsorted(x.indptr, bad[0], side="right")) - 1
        raise ValueError(f"{name} must not contain infs or NaNs; row {row}, column {x.indices[bad[0]]} is "
                         f"{x.data[bad[0]]}")


def squared(z):
    """Every value times itself."""
    return z.multiply(z).tocsr() if is_sparse(z) else z * z


def with_ones(z):
    """[z | 1]"""
    ones = np.ones((z.shape[0], 1))
    if not is_sparse(z):
        return np.column_stack([z, ones])
    from scipy.sparse import hstack

    return hstack([z, ones], format="csr")


def scaled(z, factor):
    """Columns times factors, as float64."""
    from scipy.sparse import diags

    return (z.astype(np.float64) @ diags(factor)).tocsr()


def largest_of(x):
    """max_i |x_ij| of CSR rows."""
    if not np.isfinite(x.data).all():
        check_finite(x)
    largest = np.zeros(x.shape[1])
    np.maximum.at(largest, x.indices, np.abs(x.data))
    return largest


def deviations(x, weights):
    """Standard deviation of every column of CSR rows, zeros among its values."""
    if not np.isfinite(x.data).all():
        check_finite(x)
    total = float(x.shape[0] if weights is None else weights.sum())
    w = np.ones(x.shape[0]) if weights is None else weights
    own = np.repeat(w, np.diff(x.indptr))
    unit = largest_of(x)
    unit = np.where(unit > 0, unit, 1.0)
    values = x.data / unit[x.indices]
    mean = np.bincount(x.indices, own * values, x.shape[1]) / total
    # sum of (v - mean)² over the values there are, and of mean² over the others
    there = np.bincount(x.indices, own, x.shape[1])
    about = np.bincount(x.indices, own * (values - mean[x.indices]) ** 2, x.shape[1])
    variance = (about + np.maximum(total - there, 0.0) * mean * mean) / total
    return unit * np.sqrt(np.where(variance > 1e-14 * mean * mean, variance, 0.0))


def predictors(x, slopes, intercepts, n_threads):
    """eta, n x k."""
    if is_sparse(x):
        return np.asarray(x @ slopes.T) + intercepts
    eta = np.empty((x.shape[0], slopes.shape[0]))
    if x.shape[0]:
        none = np.broadcast_to(np.zeros(1), (x.shape[0], 1))
        lib.glm_pass(x, none, None, None, None, True, "softmax", np.column_stack([slopes, intercepts]), None, n_threads,
                     eta)
    return eta
