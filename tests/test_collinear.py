# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Dependent columns beside columns in other units: the others keep their digits, the norm is minimal in user units."""

import pickle

import numpy as np
import pytest

import fastlsq

RNG = np.random.default_rng(5)
X, Z = RNG.standard_normal(50), RNG.standard_normal(50)
Y = X + 2 * Z + 0.01 * RNG.standard_normal(50)
UNITS = [1e-160, 1e-17, 1e-14, 1e-8, 1.0, 1e9, 1e14, 1e17, 1e160]


@pytest.mark.parametrize("unit", UNITS)
def test_lstsq(unit):
    want = np.linalg.lstsq(np.column_stack([X, Z]), Y, rcond=None)
    found = fastlsq.lstsq(np.column_stack([X, X, unit * Z]), Y)
    assert found.rank == 2
    np.testing.assert_allclose(found.x * [1, 1, unit], [want[0][0] / 2, want[0][0] / 2, want[0][1]], rtol=1e-11)
    assert found.rss == pytest.approx(want[1][0], rel=1e-9)
    assert found.info.backward_error < 1e-12


@pytest.mark.parametrize("unit", UNITS)
@pytest.mark.parametrize("from_rows", [True, False])
def test_ols_and_gram(unit, from_rows):
    columns = np.column_stack([X, X, unit * Z])
    fit = fastlsq.ols(columns, Y) if from_rows else fastlsq.Gram().update(columns, Y).ols()
    want = fastlsq.ols(np.column_stack([X, Z]), Y)
    scale = np.array([1, 1, unit])
    np.testing.assert_allclose(fit.coef * scale, want.coef[[0, 0, 1]] * [0.5, 0.5, 1], rtol=1e-9)
    errors = want.standard_errors[[1, 1, 2]] * [0.5, 0.5, 1]
    np.testing.assert_allclose(fit.standard_errors[1:] * scale, errors, rtol=1e-7)
    assert fit.df_resid == want.df_resid
    assert fit.aliased == ["x1"]


@pytest.mark.parametrize("unit", [1e-9, 1.0, 1e9, 1e12, 1e14])
def test_dummy_trap_beside_a_large_unit(unit):
    dummy = (RNG.random(50) < 0.4).astype(float)
    fit = fastlsq.ols(np.column_stack([dummy, 1 - dummy, unit * (1 + Z)]), Y)
    want = fastlsq.ols(np.column_stack([dummy, 1 + Z]), Y)
    assert fit.df_model == 2
    np.testing.assert_allclose(fit.rss, want.rss, rtol=1e-10)
    np.testing.assert_allclose(fit.standard_errors[3] * unit, want.standard_errors[2], rtol=1e-8)


def test_zeros_first_and_tiny_values_later():
    n = 400
    x = RNG.standard_normal((n, 2))
    x[:200, 0] = 0
    x[200:, 0] *= 1e-200
    y = x @ [1e200, 2.0] + 0.1 * RNG.standard_normal(n)
    want = fastlsq.ols(x, y)
    streamed = fastlsq.Gram().update(x[:200], y[:200]).update(x[200:], y[200:])
    first, second = (fastlsq.Gram().update(x[part], y[part]) for part in (slice(200), slice(200, n)))
    for state in (streamed, first + second, second + first):
        np.testing.assert_allclose(state.ols().coef, want.coef, rtol=1e-10)


def test_rows_of_weight_zero_do_not_set_the_shift():
    n, mean = 6000, 1e7
    x = RNG.standard_normal((n, 2)) + mean
    x[:2100] -= mean
    w = np.ones(n)
    w[:2100] = 0
    y = 1 + (x - mean) @ [1.0, 2] + 0.1 * RNG.standard_normal(n)
    found, want = fastlsq.Gram().update(x, y, w).ols(), fastlsq.ols(x[2100:], y[2100:])
    np.testing.assert_allclose(found.coef, want.coef, rtol=1e-8)
    np.testing.assert_allclose(found.rss, want.rss, rtol=1e-7)


def test_an_almost_exact_fit_from_sums_says_that_it_does_not_know():
    x = RNG.standard_normal((100, 2)) + 1e8
    fit = fastlsq.Gram().update(x, x.sum(axis=1)).ols()
    assert np.isnan(fit.rss)
    assert np.isnan(fit.standard_errors).all()
    np.testing.assert_allclose(fit.coef, 1, rtol=1e-6)
    assert "nan" in str(fit.summary())


@pytest.mark.parametrize("weight", [1e-300, 1e200])
def test_extreme_weights_are_refused(weight):
    with pytest.raises(ValueError, match="the largest of the weights is"):
        fastlsq.ols(np.column_stack([X, Z]), Y, weights=np.full(50, weight))


def test_a_gram_travels():
    state = fastlsq.Gram().update(np.column_stack([X, Z]), Y)
    packed = pickle.dumps(state)
    assert len(packed) < 5000
    np.testing.assert_allclose((pickle.loads(packed) + state).ols().coef, state.ols().coef, rtol=1e-12)


def test_columns_in_another_order_are_refused():
    class Frame:
        def __init__(self, columns):
            self.columns = columns

        def __array__(self, dtype=None, copy=None):
            return np.column_stack([X, Z])

    state = fastlsq.Gram().update(Frame(["a", "b"]), Y)
    with pytest.raises(ValueError, match=r"X has columns \['b', 'a'\], the state has \['a', 'b'\]"):
        state.update(Frame(["b", "a"]), Y)


def test_dependent_columns_near_the_largest_float64(rung):
    rng = np.random.default_rng(9)
    x = rng.uniform(-1, 1, (60, 3))
    x[:, 2] = x[:, 0]
    y = 3 + x @ [1.0, 2.0, 0.0]
    want, found = fastlsq.ols(x, y), fastlsq.ols(x * 1.7e308, y)
    assert found.info.path == rung
    np.testing.assert_allclose(found.coef * 1.7e308, want.coef, rtol=1e-9)
    assert found.intercept == pytest.approx(want.intercept)


def test_names_of_dependent_columns():
    class Frame:  # what is looked at of a data frame
        columns = ("a", "b", 3)

        def __array__(self, dtype=None, copy=None):
            return np.array([[1.0, 2, 2], [3, 4, 6], [5, 6, 10], [7, 9, 14]])

    found = fastlsq.lstsq(Frame(), np.ones(4))
    assert found.info.aliased == (2,) and found.info.aliased_names == ("3",)
    assert fastlsq.lstsq(np.asarray(Frame()), np.ones(4)).info.aliased_names == ()
    fit = fastlsq.ols(np.asarray(Frame()), np.arange(4.0), names=["u", "v", "w"])
    assert fit.aliased == ["w"] and fit.info.aliased_names == ("w",)
