# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""grouped_ols: every group as if its rows had been fitted alone."""

import numpy as np
import pytest
from conftest import KERNELS

import fastlsq
from fastlsq._core import lib

RNG = np.random.default_rng(17)


def data(n, p, count):
    x = RNG.standard_normal((n, p)) + 3
    return x, x @ np.arange(1.0, p + 1) + RNG.standard_normal(n), RNG.integers(0, count, n)


def check(fit, x, y, groups, weights=None, intercept=True, tolerance=1e-10):
    keys = np.unique(groups)
    assert fit.keys.tolist() == keys.tolist()
    for i, key in enumerate(keys):
        rows = np.asarray(groups) == key
        own = None if weights is None else weights[rows]
        p = x.shape[1]
        count = rows.sum() if own is None else np.count_nonzero(own)
        assert fit.n_rows[i] == count
        if count < p + intercept:
            assert fit.rank[i] == -1 and np.isnan(fit.coef[i]).all() and np.isnan(fit.rss[i])
            continue
        alone = fastlsq.ols(x[rows], y[rows], weights=own, intercept=intercept)
        size = np.abs(alone.coef).max() + abs(alone.intercept)
        np.testing.assert_allclose(fit.coef[i], alone.coef, rtol=0, atol=tolerance * size)
        np.testing.assert_allclose(fit.intercept[i], alone.intercept, rtol=0, atol=10 * tolerance * size)
        np.testing.assert_allclose(fit.rss[i], alone.rss, rtol=1e-9, atol=1e-24)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("p", [1, 2, 3, 4, 5, 8, 13])
def test_every_width(p, intercept):
    x, y, groups = data(60 * (p + 6), p, 40)
    check(fastlsq.grouped_ols(x, y, groups, intercept=intercept), x, y, groups, intercept=intercept)


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_kernel(kernel):
    x, y, groups = data(700, 3, 31)
    start, order = lib.group_rows(groups, 31)
    b, rss, _, backward, verdict = lib.grouped_fit(x, y[:, None], None, True, start, order, 2, kernel)
    assert not verdict.any() and (backward < 1e-13).all()
    fit = fastlsq.grouped_ols(x, y, groups)
    np.testing.assert_allclose(b, np.column_stack([fit.coef, fit.intercept]), rtol=1e-10)
    np.testing.assert_allclose(rss, fit.rss, rtol=1e-10)


def test_lengths_from_one_row_to_thousands():
    lengths = [1, 2, 3, 4, 5, 63, 64, 65, 127, 128, 129, 300, 5000]
    groups = RNG.permutation(np.repeat(np.arange(len(lengths)), lengths))
    x, y, _ = data(len(groups), 2, 1)
    check(fastlsq.grouped_ols(x, y, groups), x, y, groups)


def test_weights():
    x, y, groups = data(900, 3, 30)
    weights = RNG.integers(0, 4, 900).astype(float)
    check(fastlsq.grouped_ols(x, y, groups, weights=weights), x, y, groups, weights)
    once = fastlsq.grouped_ols(x, y, groups, weights=weights)
    rows = np.repeat(np.arange(900), weights.astype(int))
    repeated = fastlsq.grouped_ols(x[rows], y[rows], groups[rows])
    np.testing.assert_allclose(once.coef, repeated.coef, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize(
    "labels", [np.int8, np.uint8, np.int64, np.uint64, np.float64, "str", "bool", "negative", "sparse", "extreme"]
)
def test_labels(labels):
    x, y, groups = data(300, 2, 2 if labels == "bool" else 25)
    if labels == "str":
        groups = np.array([f"g{g}" for g in groups])
    elif labels == "bool":
        groups = groups.astype(bool)
    elif labels == "negative":
        groups = (groups - 13).astype(np.int8)
    elif labels == "sparse":
        groups = groups.astype(np.int64) * 10**15
    elif labels == "extreme":
        ends = np.where(groups % 2, np.iinfo(np.int64).max, np.iinfo(np.int64).min)
        groups = ends + groups // 2 * (1 - 2 * (groups % 2))
    else:
        groups = groups.astype(labels)
    fit = fastlsq.grouped_ols(x, y, groups)
    assert fit.keys.dtype == groups.dtype
    check(fit, x, y, groups)
    check(fastlsq.grouped_ols(x, y, groups.tolist()), x, y, groups)


@pytest.mark.parametrize("layout", ["F", "float32", "int16", "strided", "readonly", "y 2-D"])
def test_layouts(layout):
    x, y, groups = data(500, 3, 20)
    if layout == "F":
        x = np.asfortranarray(x)
    elif layout == "float32":
        x, y = x.astype(np.float32), y.astype(np.float32)
    elif layout == "int16":
        x = (100 * x).astype(np.int16)
    elif layout == "strided":
        x, y, groups = np.repeat(x, 2, axis=0)[::2], np.repeat(y, 3)[::3], np.repeat(groups, 2)[::2]
    elif layout == "readonly":
        for array in (x, y, groups):
            array.flags.writeable = False
    fit = fastlsq.grouped_ols(x, y[:, None] if layout == "y 2-D" else y, groups)
    check(fit, x, y, groups)


def test_bits_depend_on_neither_threads_nor_other_groups():
    x, y, groups = data(4000, 4, 150)
    first = fastlsq.grouped_ols(x, y, groups, n_threads=1)
    for n_threads in (2, 3, 8):
        again = fastlsq.grouped_ols(x, y, groups, n_threads=n_threads)
        assert np.array_equal(first.coef, again.coef) and np.array_equal(first.intercept, again.intercept)
    some = np.isin(groups, [3, 77, 120])
    alone = fastlsq.grouped_ols(x[some], y[some], groups[some])
    assert np.array_equal(alone.coef, first.coef[[3, 77, 120]])


def test_far_from_zero_and_collinear_and_extreme():
    x, y, groups = data(600, 3, 12)
    x[groups == 1] += 1e7
    x[groups == 2, 2] = x[groups == 2, 0]
    x[groups == 3, 1] = 5.0
    x[groups == 4] *= 1e170
    y[groups == 5] = 0.0
    fit = fastlsq.grouped_ols(x, y, groups)
    check(fit, x, y, groups, tolerance=1e-7)
    assert fit.rank[2] == 2 and fit.rank[3] == 2 and fit.rank[4] == 3
    np.testing.assert_allclose(fit.coef[2, 0], fit.coef[2, 2])
    mean = x[groups == 1].mean(axis=0)
    centred = np.linalg.lstsq(x[groups == 1] - mean, y[groups == 1] - y[groups == 1].mean(), rcond=None)[0]
    np.testing.assert_allclose(fit.coef[1], centred, rtol=1e-9)


def test_empty():
    fit = fastlsq.grouped_ols(np.empty((0, 2)), np.empty(0), np.empty(0, int))
    assert len(fit) == 0 and fit.coef.shape == (0, 2) and "0 groups" in repr(fit)


def test_bad_input():
    x, y, groups = data(30, 2, 3)
    for arguments, message in (
        ((x, y, groups[:9]), r"groups must have shape \(30,\)"),
        ((x, y[:9], groups), "y has 9 rows, X has 30"),
        ((x[:, :0], y, groups), "X has no columns"),
    ):
        with pytest.raises(ValueError, match=message):
            fastlsq.grouped_ols(*arguments)
    with pytest.raises(ValueError, match="weights must be finite and >= 0"):
        fastlsq.grouped_ols(x, y, groups, weights=-np.ones(30))
    x[21, 1] = np.inf
    with pytest.raises(ValueError, match="X must not contain infs or NaNs; row 21, column 1 is inf"):
        fastlsq.grouped_ols(x, y, groups)
    x[21, 1], y[4] = 0, np.nan
    with pytest.raises(ValueError, match="y must not contain infs or NaNs; row 4, column 0 is nan"):
        fastlsq.grouped_ols(x, y, groups)


@pytest.mark.parametrize("count", [1, 7, 60_000])
@pytest.mark.parametrize("low", [0, -(2**63), 2**63 - 60_000])
def test_rows_are_sorted_alike_by_any_number_of_threads(count, low):
    codes = np.random.default_rng(count).integers(0, count, 200_000) + low
    want = np.argsort(codes, kind="stable")
    for n_threads in (1, 2, 3, 8):
        start, order = lib.group_rows(codes, count, low, n_threads)
        np.testing.assert_array_equal(order, want)
        np.testing.assert_array_equal(np.diff(start), np.bincount(codes - low, minlength=count))
        with pytest.raises(ValueError, match="codes must be"):
            lib.group_rows(codes, max(count - 1, 0), low, n_threads)


def test_boundary_checks_its_indices():
    x, y, _ = data(10, 2, 1)
    with pytest.raises(ValueError, match="codes"):
        lib.group_rows(np.array([0, 3, 1]), 3)
    for start, order in (([0, 3], [0, 1, 10]), ([0, 3], [0, -1, 2]), ([0, 2, 1, 3], [0, 1, 2]), ([0, 2], [0, 1, 2])):
        with pytest.raises(ValueError):
            lib.grouped_fit(x, y[:, None], None, True, np.array(start), np.array(order), 1)


def test_a_group_of_several_chunks_has_its_bits_whatever_stands_beside_it():
    for length in (203, 400, 1001):
        x, y, _ = data(2 * length + 300, 3, 1)
        groups = np.repeat([0, 1], [length, length + 300])
        both = fastlsq.grouped_ols(x, y, groups)
        alone = fastlsq.grouped_ols(x[:length], y[:length], groups[:length])
        assert np.array_equal(both.coef[:1], alone.coef) and both.rss[0] == alone.rss[0]


def test_an_outlier_without_weight_costs_nothing():
    x, y, _ = data(50, 1, 1)
    weights = np.ones(50)
    x[0], weights[0] = 1e5, 0.0
    fit, alone = fastlsq.grouped_ols(x, y, np.zeros(50, int), weights=weights), fastlsq.ols(x[1:], y[1:])
    np.testing.assert_allclose(fit.coef[0], alone.coef, rtol=1e-14)
    assert fit.n_rows.tolist() == [49] and fit.condition[0] < 100


def test_a_long_group_is_summed_like_a_long_problem():
    n = 200_000
    x = np.full((n, 1), 0.7)
    y = 1 + np.where(np.arange(n) % 2, 0.3, -0.7)
    fit = fastlsq.grouped_ols(x, y, np.zeros(n, int), intercept=False)
    assert fit.coef[0] == fastlsq.ols(x, y, intercept=False).coef


def test_elements_that_are_not_aligned():
    x, y, groups = data(120, 3, 5)
    raw = np.zeros(x.nbytes + 1, np.uint8)
    crooked = raw[1:].view(np.float64).reshape(x.shape)
    crooked[:] = x
    fit = fastlsq.grouped_ols(crooked, y, groups)
    assert np.array_equal(fit.coef, fastlsq.grouped_ols(x, y, groups).coef)


def test_arguments_in_words():
    x, y, groups = data(30, 2, 3)
    assert fastlsq.grouped_ols(x, y, groups, intercept=2).rank.tolist() == [2, 2, 2]
    with pytest.raises(TypeError, match="groups cannot be sorted"):
        fastlsq.grouped_ols(x, y, np.array([b"a", "a", 1] * 10, dtype=object))
    with pytest.raises(TypeError, match="groups is a masked array"):
        fastlsq.grouped_ols(x, y, np.ma.masked_equal(groups, 1))


@pytest.mark.parametrize("labels", [
    np.array([1.0, 2, np.nan, 1]), np.array(["2020", "2021", "NaT", "2020"], "M8[Y]"),
    np.array(["a", "b", None, "a"], object), np.array(["a", "b", float("nan"), "a"], object),
], ids=["nan", "nat", "none", "object nan"])
def test_missing_labels_are_named(labels):
    x, y = np.arange(4.0)[:, None], np.ones(4)
    with pytest.raises(ValueError, match=r"groups must not contain NaN, NaT or None; groups\[2\] is (nan|NaT|None)"):
        fastlsq.grouped_ols(x, y, labels)
    with pytest.raises(ValueError, match=r"groups must not contain NaN, NaT or None; groups\[2\] is (nan|NaT|None)"):
        fastlsq.ols(x, y, cov="cluster", groups=labels)
