# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""One regression for every group of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlsq import _arrays, _threads
from fastlsq._core import lib
from fastlsq.gram.subsets import SHORT, fit_subsets
from fastlsq.solve.ladder import solve
from fastlsq.solve.lapack import lapack_solver
from fastlsq.solve.moments import Problem

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Integer labels that span at most this many values a row are counted in place; others are sorted.
_SPAN = 4


@dataclass(slots=True)
class GroupedOLSResult:
    """Coefficients of every group, in the order of `keys`.

    Attributes
    ----------
    keys : ndarray, shape (g,)
        The distinct labels, sorted.
    coef : ndarray, shape (g, p)
    intercept : ndarray, shape (g,)
        0 for a model without one.
    rss : ndarray, shape (g,)
        Residual sums of squares, weighted if weights were given.
    n_rows : ndarray of int, shape (g,)
        Rows with a weight above 0.
    rank : ndarray of int, shape (g,)
        Of the columns, without the intercept; below p the coefficients are those of minimum norm.  -1 where there are
        fewer rows than coefficients: coef, intercept and rss are NaN there.
    condition, backward_error : ndarray, shape (g,)
        Condition number of the columns (scaled to equal length, with the unit column if there is an intercept, about a
        typical row of the group) and normwise backward error, both estimates; of groups that were solved by themselves
        as in `SolveInfo`.
    names : list of str
    """

    keys: NDArray[Any]
    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]
    rss: NDArray[np.float64]
    n_rows: NDArray[np.int64]
    rank: NDArray[np.int64]
    condition: NDArray[np.float64]
    backward_error: NDArray[np.float64]
    names: list[str]

    def __len__(self):
        return len(self.keys)

    def __repr__(self):
        without = int((self.rank < 0).sum())
        return f"GroupedOLSResult({len(self)} groups, {len(self.names)} columns, {without} groups without an answer)"


def grouped_ols(
    X: Any,
    y: ArrayLike,
    groups: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    intercept: bool = True,
    names: Sequence[str] | None = None,
    n_threads: int | None = None,
) -> GroupedOLSResult:
    """Fit y = intercept_g + X coef_g by (weighted) least squares for every group g of rows.

    Minimises sum_i w_i (y_i - intercept_g - x_i coef_g)² over the rows i of the group.  They may lie in any order, and
    are sorted by group through an index, without being copied; the groups are solved together, one to a vector lane,
    each with one step of refinement; what that does not certify is solved again by QR of its rows.

    Parameters
    ----------
    X : array_like or data frame, shape (n, p), real
        Any numeric dtype and strides; fastest for float64 in C order.
    y : array_like, shape (n,) or (n, 1), real
    groups : array_like, shape (n,)
        A label for every row, none of them missing: integers, strings, dates, ...  Integers in a narrow range are
        fastest.
    weights : array_like, shape (n,), optional
        Non-negative; as in `ols`.
    intercept : bool
    names : sequence of str, optional
        Column names; by default those of the data frame, else x0, x1, ...
    n_threads : int, optional
        It does not change a bit of the result.

    Returns
    -------
    GroupedOLSResult

    Raises
    ------
    ValueError
        Shapes that do not fit, non-finite values, bad weights.
    TypeError
        Complex, sparse, masked or non-numeric input.

    Notes
    -----
    Work memory is an index of 8 bytes a row, and as much for the codes of the groups while the rows are sorted.  Groups
    of more than 4096 rows are copied, one at a time, and solved as `ols` would.

    Examples
    --------
    >>> import numpy as np, fastlsq
    >>> x = np.array([[1.0], [1.0], [2.0], [2.0], [3.0], [3.0]])
    >>> y = np.array([3.0, -1.0, 5.0, -2.0, 7.0, -3.0])
    >>> fit = fastlsq.grouped_ols(x, y, ["up", "down"] * 3)
    >>> fit.keys.tolist(), fit.coef[:, 0].round(12).tolist(), fit.intercept.round(12).tolist()
    (['down', 'up'], [-1.0, 2.0], [0.0, 1.0])
    """
    n_threads, intercept = _threads.resolve(n_threads), bool(intercept)
    x = _arrays.matrix(X, "X")
    n, p = x.shape
    y = _arrays.one_target(y, "y", n, "X")
    weights = _arrays.row_weights(weights, n, "X")
    names = _arrays.column_names(X, names, p)
    if p == 0:
        raise ValueError("X has no columns")
    keys, start, order = rows_by_group(groups, n, n_threads)
    b, rss, condition, backward, verdict = lib.grouped_fit(x, y, weights, intercept, start, order, n_threads)
    n_rows = np.diff(start)
    if weights is not None:
        n_rows = np.diff(np.concatenate([[0], np.cumsum(weights[order] > 0)])[start])
    coef, level = b[:, :p], b[:, p] if intercept else np.zeros(len(keys))
    coef, level = np.ascontiguousarray(coef), np.ascontiguousarray(level)
    rank = np.full(len(keys), p)
    left = np.flatnonzero(verdict)
    _check_finite(x, y, start, order, left)
    short = n_rows < p + intercept
    rank[short] = -1
    for values in (coef, level, rss, condition, backward):
        values[short] = np.nan
    left = left[~short[left]]
    small = start[left + 1] - start[left] <= SHORT  # of others nothing is known yet: QR may be a slow answer
    left, refused = left[~small], left[small]
    rows, ends = (x, y, weights, intercept), start[refused + 1]
    unsolved = np.ones(len(refused), bool)
    for some, own, *numbers, _, ranks in fit_subsets(rows, start[refused], ends, order, None, False, n_threads):
        done = refused[some]
        coef[done], rank[done] = own[:, :p], ranks
        rss[done], condition[done], backward[done] = numbers
        if intercept:
            level[done] = own[:, p]
        unsolved[some] = False
    for g in np.concatenate([left, refused[unsolved]]):
        rows = order[start[g] : start[g + 1]]
        own = None if weights is None else weights[rows]
        solution = solve(Problem(x[rows], y[rows], own, intercept, n_threads, ("X", "y")), lapack_solver())
        coef[g], level[g], rss[g] = solution.coef[:, 0], solution.intercept[0], solution.rss[0]
        rank[g], condition[g], backward[g] = solution.info.rank, solution.info.condition, solution.info.backward_error
    return GroupedOLSResult(keys, coef, level, rss, n_rows, rank, condition, backward, names)


def _check_finite(x, y, start, order, groups):
    """Raise ValueError naming the first row of these groups that is not finite."""
    if len(groups):
        rows = np.sort(np.concatenate([order[start[g] : start[g + 1]] for g in groups]))
        for name, array in (("X", x), ("y", y)):
            place = lib.first_nonfinite(array[rows])
            if place is not None:
                _arrays.refuse_nonfinite(name, array, rows[place[0]], place[1])


def rows_by_group(groups, n, n_threads=1):
    """(keys, start, order): rows order[start[g]:start[g + 1]] carry keys[g]."""
    if isinstance(groups, np.ma.MaskedArray):
        raise TypeError("groups is a masked array; drop or fill the masked entries first")
    labels = np.asarray(groups)
    if labels.shape != (n,):
        raise ValueError(f"groups must have shape ({n},), one label per row of X, got shape {labels.shape}")
    if n == 0:
        return labels[:0], np.zeros(1, np.int64), np.empty(0, np.int64)
    if labels.dtype.kind in "iu" and labels.dtype.itemsize <= 8:
        low, high = int(labels.min()), int(labels.max())
        if high - low < _SPAN * n + 1000:
            # the core takes differences in 64 bits, where those of unsigned labels wrap back to what they are
            codes = np.ascontiguousarray(labels, np.uint64 if labels.dtype.kind == "u" else np.int64).view(np.int64)
            first = np.array(low, labels.dtype).astype(np.uint64)
            start, order = lib.group_rows(codes, high - low + 1, int(first.view(np.int64)), n_threads)
            present = np.flatnonzero(np.diff(start))
            keys = (present.astype(np.uint64) + first).astype(labels.dtype)
            return keys, np.append(start[present], n), order
    _arrays.check_labels(labels)
    try:
        keys, codes = np.unique(labels, return_inverse=True)
    except TypeError as error:
        raise TypeError(f"groups cannot be sorted: {error}") from None
    start, order = lib.group_rows(codes.astype(np.int64, copy=False), len(keys), 0, n_threads)
    return keys, start, order
