# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""train_test_split: every row once, sizes, labels, what is copied."""

import numpy as np
import pytest

import fastlsq as fl


@pytest.mark.parametrize("n", [2, 3, 10, 101])
def test_every_row_is_in_one_part_with_its_target(n):
    X, y = np.arange(3.0 * n).reshape(n, 3), 3.0 * np.arange(n)
    X1, X2, y1, y2 = fl.train_test_split(X, y, seed=n)
    assert (X1[:, 0] == y1).all()
    assert (X2[:, 0] == y2).all()
    assert len(y2) == -(-n // 4)
    assert sorted([*y1, *y2]) == list(y)


def test_a_seed_is_a_split_and_it_is_shuffled():
    y = np.arange(1000)
    first, second, other = (fl.train_test_split(y, seed=seed)[1] for seed in (0, 0, 1))
    assert (first == second).all()
    assert (first != other).any()
    # 250 of 1000 rows at random: their sum has a standard deviation of 3950 about 124875
    assert abs(first.sum() - 124875) < 5 * 3950
    # fixed for good: Philox and the permutation of NumPy's Generator
    rows = np.random.Generator(np.random.Philox(0)).permutation(1000)[:250]
    assert (first == np.sort(rows)).all()


@pytest.mark.parametrize(("sizes", "expected"), [
    ({"test_size": 0.3}, (7, 3)), ({"train_size": 0.75}, (7, 3)), ({"test_size": 4}, (6, 4)),
    ({"train_size": 2, "test_size": 3}, (2, 3)), ({"train_size": 0.5, "test_size": 0.1}, (5, 1)), ({}, (7, 3)),
])
@pytest.mark.parametrize("shuffle", [True, False])
def test_sizes(sizes, expected, shuffle):
    train, test = fl.train_test_split(np.arange(10), shuffle=shuffle, seed=0, **sizes)
    assert (len(train), len(test)) == expected
    assert not set(train) & set(test)


def test_without_shuffle_nothing_is_copied():
    X = np.arange(20.0).reshape(10, 2)
    train, test = fl.train_test_split(X, test_size=0.3, shuffle=False)
    assert np.shares_memory(train, X)
    assert np.shares_memory(test, X)
    assert (np.concatenate([train, test]) == X).all()


@pytest.mark.parametrize("labels", [np.repeat(["a", "b", "c"], [60, 30, 10]), np.repeat([3, 1, 2], [50, 47, 3])])
def test_stratified(labels):
    y = np.random.default_rng(1).permutation(labels)
    index = np.arange(100)
    i1, i2, y1, y2 = fl.train_test_split(index, y, test_size=0.25, stratify=y, seed=3)
    assert (len(y1), len(y2)) == (75, 25)
    assert sorted([*i1, *i2]) == list(index)
    assert (y[i1] == y1).all()
    for label in np.unique(y):
        assert abs((y2 == label).sum() - 0.25 * (y == label).sum()) < 1
        assert abs((y1 == label).sum() - 0.75 * (y == label).sum()) < 1


def test_frames_sparse_and_lists():
    scipy_sparse = pytest.importorskip("scipy.sparse")
    pandas = pytest.importorskip("pandas")
    X = np.arange(20.0).reshape(10, 2)
    frame = pandas.DataFrame(X, columns=["a", "b"], index=list("abcdefghij"))
    parts = fl.train_test_split(X, frame, scipy_sparse.csc_matrix(X), list(range(10)), seed=5)
    for array, table, sparse, numbers in (parts[::2], parts[1::2]):
        assert (table.to_numpy() == array).all()
        assert list(table.columns) == ["a", "b"]
        assert (sparse.toarray() == array).all()
        assert (2 * numbers == array[:, 0]).all()


@pytest.mark.parametrize(("arrays", "settings", "error", "message"), [
    ((), {}, TypeError, "at least one array"),
    ((3.0,), {}, TypeError, "array 0 has no rows"),
    ((np.ones(3), np.ones(4)), {}, ValueError, "array 1 has 4 rows, array 0 has 3"),
    ((np.ones(1),), {}, ValueError, "both parts need one"),
    ((np.ones(10),), {"test_size": 1.5}, ValueError, r"test_size must be in \(0, 1\)"),
    ((np.ones(10),), {"test_size": 11}, ValueError, "there are 10|both parts"),
    ((np.ones(10),), {"test_size": 6, "train_size": 5}, ValueError, "ask for 11 rows, there are 10"),
    ((np.ones(10),), {"test_size": "half"}, TypeError, "test_size must be an integer"),
    ((np.ones(4),), {"stratify": [0, 0, 0, 1]}, ValueError, "the label .*1.* has one row"),
    ((np.ones(4),), {"stratify": [0, 0, 1]}, ValueError, r"stratify must have shape \(4,\)"),
    ((np.ones(6),), {"stratify": [0, 0, 1, 1, 2, 2]}, ValueError, "3 labels, a part only 2 rows"),
    ((np.ones(4),), {"stratify": [0, 0, 1, np.nan]}, ValueError, r"stratify\[3\] is nan"),
    ((np.ones(4),), {"stratify": [0, 0, 1, 1], "shuffle": False}, ValueError, "stratify needs shuffle"),
])
def test_bad_input(arrays, settings, error, message):
    with pytest.raises(error, match=message):
        fl.train_test_split(*arrays, **settings)
