# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The Gram state: any chunks, any merge order, nothing lost on an error."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastlsq


def rows(n=1000, p=4, seed=0, mean=0.0):
    rng = np.random.default_rng(seed)
    x = mean + rng.standard_normal((n, p))
    return x, x @ np.arange(1.0, p + 1) + 5 + rng.standard_normal(n), rng.random(n)


def assert_same_fit(found, want, rtol=1e-11, rss_rtol=1e-9):
    np.testing.assert_allclose(found.coef, want.coef, rtol=rtol, atol=rtol)
    np.testing.assert_allclose(found.intercept, want.intercept, rtol=rtol, atol=rtol * np.abs(want.coef).max() * 1e3)
    np.testing.assert_allclose(found.standard_errors, want.standard_errors, rtol=rss_rtol)
    np.testing.assert_allclose(found.rss, want.rss, rtol=rss_rtol)
    assert found.n_rows == want.n_rows
    assert found.df_resid == want.df_resid


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_same_as_a_fit_on_the_rows(intercept, weighted):
    x, y, w = rows()
    weights = w if weighted else None
    state = fastlsq.Gram(intercept=intercept).update(x, y, weights)
    assert state.n_rows == 1000
    assert state.sum_weights == pytest.approx(w.sum() if weighted else 1000)
    assert_same_fit(state.ols(), fastlsq.ols(x, y, weights=weights, intercept=intercept))


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 600), max_size=6), st.booleans())
def test_any_chunks_give_the_same_answer(cuts, intercept):
    x, y, w = rows(600, 3, mean=100.0 * intercept)
    want = fastlsq.Gram(intercept).update(x, y, w).ols()
    state = fastlsq.Gram(intercept)
    edges = [0, *sorted(cuts), 600]
    for start, stop in pairwise(edges):
        state.update(x[start:stop], y[start:stop], w[start:stop])
    assert_same_fit(state.ols(), want, rtol=1e-11)


def test_chunks_on_the_block_grid_give_the_same_bits():
    x, y, w = rows(9000, 5, mean=3.0)
    whole = fastlsq.Gram().update(x, y, w)
    stream = fastlsq.Gram()
    for start in range(0, 9000, whole.block_rows):
        part = slice(start, start + whole.block_rows)
        stream.update(x[part], np.asfortranarray(y)[part], w[part], n_threads=3)
    np.testing.assert_array_equal(stream.ols().params, whole.ols().params)
    np.testing.assert_array_equal(stream.mean, whole.mean)


@pytest.mark.parametrize("intercept", [True, False])
def test_merge_order_is_irrelevant(intercept):
    parts = [rows(300, 4, seed=seed, mean=10.0**seed) for seed in range(4)]
    states = [fastlsq.Gram(intercept).update(*part) for part in parts]
    want = fastlsq.ols(
        np.vstack([part[0] for part in parts]), np.concatenate([part[1] for part in parts]),
        weights=np.concatenate([part[2] for part in parts]), intercept=intercept,
    )  # fmt: skip
    left = ((states[0] + states[1]) + states[2]) + states[3]
    right = states[3] + (states[2] + (states[1] + states[0]))
    for merged in (left, right):
        assert merged.n_rows == 1200
        # without the rows rss = yᵀy - bᵀXᵀy, and here yᵀy/rss is 1e7
        assert_same_fit(merged.ols(), want, rtol=1e-9, rss_rtol=1e-7)
    assert states[0].n_rows == 300  # + leaves its operands alone


def test_update_after_merge():
    x, y, w = rows(900, 3)
    state = fastlsq.Gram().update(x[:300], y[:300], w[:300])
    state.merge(fastlsq.Gram().update(x[300:500], y[300:500], w[300:500]))
    state.update(x[500:], y[500:], w[500:])
    assert_same_fit(state.ols(), fastlsq.ols(x, y, weights=w))


def test_empty_states_are_neutral():
    x, y, _ = rows(100, 2)
    full = fastlsq.Gram().update(x, y)
    np.testing.assert_array_equal((full + fastlsq.Gram()).ols().params, full.ols().params)
    np.testing.assert_array_equal((fastlsq.Gram() + full).ols().params, full.ols().params)
    assert (fastlsq.Gram() + fastlsq.Gram()).n_rows == 0
    assert fastlsq.Gram().update(x[:0], y[:0]).n_rows == 0
    assert repr(fastlsq.Gram()) == "Gram(intercept=True, empty)"
    assert repr(full) == "Gram(intercept=True, 100 rows, 2 columns)"


def test_an_error_leaves_the_state_as_it_was():
    x, y, w = rows(500, 3)
    state = fastlsq.Gram().update(x, y, w)
    before = state.ols().params
    bad = x.copy()
    bad[17, 1] = np.inf
    for arguments in [(bad, y, w), (x, np.where(y > 6, np.nan, y), w), (x, y, -w), (x[:, :2], y, w), (x, y[:3], w)]:
        with pytest.raises(ValueError):
            state.update(*arguments)
        assert state.n_rows == 500
        np.testing.assert_array_equal(state.ols().params, before)
    fresh = fastlsq.Gram()
    with pytest.raises(ValueError):
        fresh.update(bad, y)
    assert fresh.n_columns is None


def test_a_large_mean_cancels_nothing():
    x, y, _ = rows(4000, 3)
    want = fastlsq.ols(x, y).coef
    for mean in (1e3, 1e6):
        far = x + mean
        state = fastlsq.Gram().update(far, y)
        np.testing.assert_allclose(state.ols().coef, fastlsq.ols(far - mean, y).coef, rtol=1e-12)
        np.testing.assert_allclose(state.mean, far.mean(axis=0), rtol=1e-14)
    np.testing.assert_allclose(want, fastlsq.Gram().update(x, y).ols().coef, rtol=1e-12)


def test_a_first_row_far_away_costs_no_digits():
    x, y, _ = rows(3000, 2)
    x[0, 0] = y[0] = 1e9
    np.testing.assert_allclose(fastlsq.Gram().update(x, y).ols().coef, fastlsq.ols(x, y).coef, rtol=1e-8)
    assert (np.abs(fastlsq.Gram().update(x, y).shift) < 10).all()


@pytest.mark.parametrize("factor", [1e-300, 1e-170, 1e170, 1e290])
@pytest.mark.parametrize("intercept", [True, False])
def test_scales_that_appear_later_in_a_stream(factor, intercept):
    x, y, _ = rows(800, 3)
    want = fastlsq.ols(x * [1, factor, 1], y, intercept=intercept)
    state = fastlsq.Gram(intercept)
    for start in range(0, 800, 200):
        state.update(x[start : start + 200] * [1, factor, 1], y[start : start + 200])
    np.testing.assert_allclose(state.ols().coef, want.coef, rtol=1e-9)
    # rows of ordinary size first, then huge ones: the sums seen so far are rescaled, exactly
    if factor > 1:
        x[400:, 1] *= factor
        mixed = fastlsq.Gram(intercept).update(x[:400], y[:400]).update(x[400:], y[400:])
        assert np.isfinite(mixed.ols().coef).all()
        assert mixed.n_rows == 800


def test_a_column_that_starts_as_zero():
    x, y, _ = rows(800, 3)
    x[:400, 2] = 0
    state = fastlsq.Gram().update(x[:400], y[:400])
    assert state.ols().aliased == ["x2"]
    state.update(x[400:], y[400:])
    assert_same_fit(state.ols(), fastlsq.ols(x, y), rtol=1e-10)


def test_names():
    x, y, _ = rows(50, 2)
    assert fastlsq.Gram().update(x, y).names == ["x0", "x1"]
    named = fastlsq.Gram(names=["u", "v"]).update(x, y)
    assert named.ols().names == ["u", "v"]
    with pytest.raises(ValueError, match="column names differ"):
        named.merge(fastlsq.Gram().update(x, y))


def test_memory_does_not_grow_with_the_rows():
    x, y, _ = rows(20_000, 10)
    state = fastlsq.Gram().update(x, y)
    small = state.nbytes
    for _ in range(15):
        state.update(x, y)
    assert state.nbytes <= small + 5 * 4 * 2 * 12 * 12 * 8  # four more levels of the stack at most, sums and errors


def test_the_builtin_sum_adds_states():
    rng = np.random.default_rng(8)
    x, y = rng.standard_normal((90, 3)), rng.standard_normal(90)
    parts = [fastlsq.Gram().update(x[i : i + 30], y[i : i + 30]) for i in (0, 30, 60)]
    total = sum(parts)
    assert (total.n_rows, parts[0].n_rows) == (90, 30)
    np.testing.assert_allclose(total.ols().coef, fastlsq.ols(x, y).coef, rtol=1e-12)
    with pytest.raises(TypeError):
        1 + parts[0]


def test_constant_columns_as_far_apart_as_float64_allows():
    first = fastlsq.Gram().update([[1.7e308], [1.7e308]], [1.0, 1.0])
    fit = first.merge(fastlsq.Gram().update([[-1.7e308], [-1.7e308]], [1.0, 2.0])).ols()
    assert fit.r_squared == pytest.approx(1 / 3)
    assert fit.intercept == pytest.approx(1.25)


@pytest.mark.parametrize("size", [1e-200, 1e-160, 1e-154])
def test_merging_columns_of_zeros_constants_and_tiny_values(size):
    rng = np.random.default_rng(10)
    parts = [np.zeros((9, 1)), np.ones((9, 1)), size * rng.standard_normal((9, 1))]
    targets = [rng.standard_normal(9) for _ in parts]
    want = fastlsq.ols(np.vstack(parts), np.concatenate(targets))
    a, b, c = (fastlsq.Gram().update(x, y) for x, y in zip(parts, targets, strict=True))
    for merged in (a + b + c, a + (b + c), c + b + a, c + (a + b), b + a + c):
        np.testing.assert_allclose(merged.ols().coef, want.coef, rtol=1e-9)


@pytest.mark.parametrize("intercept", [True, False])
def test_merging_tiny_targets_with_zeros(intercept):
    rng = np.random.default_rng(11)
    x = rng.standard_normal((40, 2))
    y = 1e-180 * np.r_[x[:20] @ [1.0, 2.0] + 0.1 * rng.standard_normal(20), np.zeros(20)]
    want = fastlsq.ols(x, y, intercept=intercept)
    first, second = (fastlsq.Gram(intercept).update(x[s], y[s]) for s in (slice(20), slice(20, 40)))
    for merged in (first + second, second + first):
        np.testing.assert_allclose(merged.ols().coef, want.coef, rtol=1e-9)
        np.testing.assert_allclose(merged.ols().r_squared, want.r_squared, rtol=1e-9)


def test_means_between_shifts_far_apart():
    rng = np.random.default_rng(12)
    low = fastlsq.Gram().update(np.full((2, 1), -1.79e308), rng.standard_normal(2))
    high = fastlsq.Gram().update(np.full((6, 1), 1.79e308), rng.standard_normal(6))
    for merged in (low + high, high + low):
        np.testing.assert_allclose(merged.mean, [8.95e307], rtol=1e-12)
        assert np.isfinite(merged.ols().standard_errors).all()
