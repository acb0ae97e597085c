# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Rows for training and rows for testing."""

import math

import numpy as np

from fastlsq import _arrays


def train_test_split(*arrays, test_size=None, train_size=None, seed=None, shuffle=True, stratify=None):
    """Split rows at random into two parts, the same rows of every array.

    Each part is copied once, in the order of the rows; without `shuffle` parts of NumPy arrays are views and nothing is
    copied.

    Parameters
    ----------
    *arrays : ndarray, list, data frame, series or sparse matrix
        Of as many rows each.  Lists become arrays; all others stay what they are.
    test_size, train_size : float or int, optional
        A share of the rows, in (0, 1), or their number.  Test rows are rounded up, training rows down.  The other
        part has the rest; with neither, a quarter is for testing.
    seed : int, optional
        Of NumPy's Philox generator: the same seed gives the same split anywhere.  Without, another one each time.
    shuffle : bool, default True
        False: the first rows train, the last ones test.
    stratify : array_like, optional
        Labels: each part has its share of every label, to within one row.

    Returns
    -------
    list
        train and test of the first array, of the second, ...

    Raises
    ------
    TypeError
        No array at all, or one that has no rows.
    ValueError
        Different numbers of rows, sizes that leave a part empty, a label with a single row.

    Examples
    --------
    >>> import numpy as np, fastlsq as fl
    >>> X, y = np.arange(20.0).reshape(10, 2), np.arange(10)
    >>> X_train, X_test, y_train, y_test = fl.train_test_split(X, y, test_size=0.3, seed=0)
    >>> X_train.shape, X_test.shape
    ((7, 2), (3, 2))
    >>> sorted([*y_train, *y_test]) == list(range(10))
    True
    """
    arrays, n = _arrays.same_rows(arrays)
    n_train, n_test = _sizes(n, test_size, train_size)
    if not shuffle:
        if stratify is not None:
            raise ValueError("stratify needs shuffle")
        parts = slice(0, n_train), slice(n_train, n_train + n_test)
    else:
        rng = np.random.Generator(np.random.Philox(seed))
        if stratify is None:
            order = rng.permutation(n)
            parts = order[n_test:n_test + n_train], order[:n_test]
        else:
            parts = _stratified(rng, stratify, n, n_train, n_test)
        parts = tuple(np.sort(rows) for rows in parts)
    return [_arrays.take_rows(array, rows) for array in arrays for rows in parts]


def _sizes(n, test_size, train_size):
    """Rows for training and for testing."""
    test = None if test_size is None else _rows(test_size, "test_size", n, math.ceil)
    train = None if train_size is None else _rows(train_size, "train_size", n, math.floor)
    if test is None and train is None:
        test = math.ceil(0.25 * n)
    if test is None:
        test = n - train
    if train is None:
        train = n - test
    if train + test > n:
        raise ValueError(f"train_size and test_size ask for {train + test} rows, there are {n}")
    if train < 1 or test < 1:
        raise ValueError(f"{n} rows: {train} would train and {test} test; both parts need one")
    return train, test


def _rows(size, name, n, rounded):
    if isinstance(size, (float, np.floating)):
        if not 0 < size < 1:
            raise ValueError(f"{name} must be in (0, 1) or an integer, got {size!r}")
        # 0.3 * 10 is 3, not 3 and a rounding error
        return rounded(round(size * n, 9))
    return _arrays.at_least_one(size, name)


def _stratified(rng, stratify, n, n_train, n_test):
    """Rows of both parts, with each label's share by largest remainders."""
    labels = _arrays.label_columns(stratify, n, "stratify")
    if len(labels) != 1:
        raise ValueError("stratify must have one label for each row")
    _arrays.check_labels(labels[0], "stratify")
    names, label, count = np.unique(labels[0], return_inverse=True, return_counts=True)
    if count.min() < 2:
        raise ValueError(f"stratify: the label {names[count.argmin()]!r} has one row; each needs two")
    if min(n_train, n_test) < len(names):
        raise ValueError(f"stratify has {len(names)} labels, a part only {min(n_train, n_test)} rows")
    test = _shares(count, n_test)
    train = _shares(count - test, n_train)
    order = rng.permutation(n)
    order = order[np.argsort(label.reshape(-1)[order], kind="stable")]
    begin = np.cumsum(count) - count
    return (np.concatenate([order[b + t:b + t + s] for b, t, s in zip(begin, test, train, strict=True)]),
            np.concatenate([order[b:b + t] for b, t in zip(begin, test, strict=True)]))


def _shares(count, total):
    """Integers that add up to `total`, nearest to proportional, at most `count`."""
    whole = count * total // count.sum()
    left = total - whole.sum()
    remainder = count * total % count.sum()
    whole[np.argsort(-remainder, kind="stable")[:left]] += 1
    return whole
