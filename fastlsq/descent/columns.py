# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Units of columns in which gradient descent works: z = (x - center)*factor, without a copy of X."""

import math
from dataclasses import dataclass

import numpy as np

from fastlsq import _arrays
from fastlsq._core import lib
from fastlsq.descent import sparse

#: centers of more lengths than this are taken off the rows: products with the rows as they are would cancel
_MOST_LENGTHS = 1e4
#: mean squares below this have lost digits
_LEAST_SQUARE = 1e-280
#: lengths below this have no reciprocal
_LEAST_LENGTH = 1e-300


@dataclass(slots=True)
class Columns:
    """Center and factor of every column, or None for both."""

    center: np.ndarray | None
    factor: np.ndarray | None
    grows: bool = False  # the factors are those of the largest values so far

    @property
    def shaped(self):
        if self.center is None:
            return False
        return bool((np.abs(self.center * self.factor) > _MOST_LENGTHS).any())

    def to_user(self, slopes, intercepts):
        """Slopes (k, p) and intercepts (k,) of the columns as they are."""
        if self.center is None:
            return slopes.copy(), intercepts.copy()
        own = slopes * self.factor
        return own, intercepts - own @ self.center

    def of_sample(self, rows):
        """Rows in these units, as float64."""
        if sparse.is_sparse(rows):
            return sparse.scaled(rows, np.ones(rows.shape[1]) if self.center is None else self.factor)
        rows = rows.astype(np.float64)
        return rows if self.center is None else (rows - self.center) * self.factor

    def grown(self, x):
        """(Columns that cover x as well, factors of slopes that keep their meaning)."""
        with np.errstate(divide="ignore"):
            found = sparse.largest_of(x) if sparse.is_sparse(x) else largest_of(x)
            largest = np.maximum(found, np.where(self.factor > 0, 1 / self.factor, 0.0))
        factor = _reciprocal(largest)
        change = np.where(factor > 0, self.factor / np.where(factor > 0, factor, 1.0), 1.0)
        return Columns(self.center, factor, True), change


def columns_of(x, weights, scale_to, centred, n_threads):
    """Columns of the rows x: scale_to 'zscore', 'minmax', 'maxabs' or None.

    Not centred, for a model without intercept: 'zscore' to mean square 1, 'minmax' to largest absolute value 1.
    """
    p = x.shape[1]
    if scale_to is None or p == 0:
        return Columns(None, None)
    if sparse.is_sparse(x):
        if scale_to == "minmax":
            raise ValueError("scale_to='minmax' centres columns, and a sparse X would have no zeros then: scale_to "
                             "must be 'zscore' (which only divides), or scale_invariant True")
        lengths = sparse.largest_of(x) if scale_to == "maxabs" else sparse.deviations(x, weights)
        return Columns(np.zeros(p), _reciprocal(lengths), scale_to == "maxabs")
    if scale_to == "maxabs":
        return Columns(np.zeros(p), _reciprocal(largest_of(x)), True)
    if scale_to == "minmax" and not centred:
        return Columns(np.zeros(p), _reciprocal(largest_of(x)))
    if scale_to == "minmax":
        low, high = _range_of(x, weights)
        return Columns(low, _reciprocal(high - low))
    shift = np.array(x[0], np.float64)
    sums, squares = np.empty(p), np.empty(p)
    shift[~np.isfinite(shift)] = 0.0
    lib.column_moments(x, weights, shift, n_threads, sums, squares)
    total = float(x.shape[0] if weights is None else weights.sum())
    with np.errstate(invalid="ignore", over="ignore"):
        mean = sums / total
        variance = squares / total - mean * mean
        # what is left of a constant column is rounding
        constant = variance <= 1e-14 * (mean * mean) + 1e-30 * shift * shift
        deviation = np.where(constant, 0.0, np.sqrt(np.maximum(variance, 0.0)))
        length = np.hypot(deviation, shift + mean)
    mean += shift
    if not np.isfinite(variance).all():
        _arrays.check_finite(X=x)
    for j in np.flatnonzero(~(np.isfinite(variance) & (squares > _LEAST_SQUARE * total))):
        mean[j], deviation[j], length[j] = _far_moments(x[:, j], weights, total)
    return Columns(mean, _reciprocal(deviation)) if centred else Columns(np.zeros(p), _reciprocal(length))


def _far_moments(column, weights, total):
    """(mean, standard deviation, root mean square) of a column that is constant or whose squares leave the range."""
    largest = largest_of(column[:, None])[0]
    if not largest > 0:
        return 0.0, 0.0, 0.0
    unit = math.ldexp(1.0, math.frexp(largest)[1] - 1)

    def mean_of(function):
        rows, value = 2**18, 0.0
        for start in range(0, column.shape[0], rows):
            z = function(column[start:start + rows].astype(np.float64) / unit)
            value += float(z.sum() if weights is None else z @ weights[start:start + rows])
        return value / total

    mean, square = mean_of(lambda z: z), mean_of(lambda z: z * z)
    variance = mean_of(lambda z: (z - mean) ** 2)
    return mean * unit, math.sqrt(variance) * unit if variance > 1e-30 * square else 0.0, math.sqrt(square) * unit


def largest_of(x):
    """max_i |x_ij|; of finite rows only."""
    rows = max(1, 2**18 // max(x.shape[1], 1))
    largest = np.zeros(x.shape[1])
    for start in range(0, x.shape[0], rows):
        part = x[start:start + rows]
        np.maximum(largest, np.maximum(part.max(axis=0), -part.min(axis=0).astype(np.float64)), out=largest)
    if not np.isfinite(largest).all():
        _arrays.check_finite(X=x)
    return largest


def _range_of(x, weights):
    rows = max(1, 2**18 // max(x.shape[1], 1))
    low, high = np.full(x.shape[1], np.inf), np.full(x.shape[1], -np.inf)
    for start in range(0, x.shape[0], rows):
        part = x[start:start + rows]
        if weights is not None:
            part = part[weights[start:start + rows] > 0]
        if part.shape[0]:
            np.minimum(low, part.min(axis=0), out=low)
            np.maximum(high, part.max(axis=0), out=high)
    if not (np.isfinite(low).all() and np.isfinite(high).all()):
        _arrays.check_finite(X=x)
    return low, high


def _reciprocal(lengths):
    """1/length; a column without any moves no coefficient."""
    some = lengths > _LEAST_LENGTH
    return np.where(some, 1 / np.where(some, lengths, 1.0), 0.0)
