# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""`ols`: certified inference on NIST's problems, weights, collinearity."""

import numpy as np
import pytest
from conftest import log_relative_error, nist_names, nist_problem

import fastlsq


@pytest.mark.parametrize("name", nist_names())
def test_nist(name):
    x, y, intercept, certified = nist_problem(name)
    fit = fastlsq.ols(x, y, intercept=intercept)
    hard = {"Filip": 6.5, "Wampler4": 7, "Wampler5": 5, "Wampler1": 9, "Wampler2": 12, "Wampler3": 9}
    assert log_relative_error(fit.params, certified["beta"]) >= hard.get(name, 12)
    if certified["sigma"] > 0:
        assert log_relative_error(fit.standard_errors, certified["standard_errors"]) >= (7 if name == "Filip" else 10)
        assert log_relative_error(fit.sigma, certified["sigma"]) >= (7 if name == "Filip" else 12)
    assert log_relative_error(fit.r_squared, certified["r_squared"]) >= (9 if name == "Filip" else 10)


def test_textbook_line():
    # y = 2 + 3x with residuals 1, -1, -1, 1 orthogonal to 1 and x: everything by hand
    x, y = np.array([[0.0], [1], [2], [3]]), np.array([3.0, 4, 7, 12])
    fit = fastlsq.ols(x, y)
    assert fit.params == pytest.approx([2, 3], rel=1e-14)
    assert fit.rss == pytest.approx(4)
    assert fit.tss == pytest.approx(49)
    assert (fit.df_model, fit.df_resid, fit.n_rows) == (1, 2, 4)
    assert fit.sigma == pytest.approx(np.sqrt(2))
    assert fit.standard_errors == pytest.approx([np.sqrt(2 * (0.25 + 2.25 / 5)), np.sqrt(2 / 5)])
    assert fit.r_squared == pytest.approx(45 / 49)
    assert fit.adj_r_squared == pytest.approx(1 - 4 / 49 * 3 / 2)
    assert fit.f_value == pytest.approx(45 / 2)
    assert fit.f_p_value == pytest.approx(fit.p_values[1])  # F = t² with one column
    assert fit.conf_int()[1] == pytest.approx([3 - 4.30265273 * np.sqrt(0.4), 3 + 4.30265273 * np.sqrt(0.4)])
    assert fit.predict([[4.0]]) == pytest.approx([14.0])


def test_integer_weights_equal_repetition_and_zero_weights_equal_dropping():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((200, 3)), rng.standard_normal(200)
    w = rng.integers(0, 4, 200)
    fit = fastlsq.ols(x, y, weights=w)
    repeated = fastlsq.ols(np.repeat(x, w, 0), np.repeat(y, w))
    np.testing.assert_allclose(fit.params, repeated.params, rtol=1e-12)
    np.testing.assert_allclose(fit.rss, repeated.rss, rtol=1e-12)
    ones = (w > 0).astype(float)
    kept, dropped = fastlsq.ols(x, y, weights=ones), fastlsq.ols(x[w > 0], y[w > 0])
    assert kept.df_resid == dropped.df_resid
    np.testing.assert_allclose(kept.standard_errors, dropped.standard_errors, rtol=1e-12)


def test_scaling_the_weights_changes_no_standard_error():
    rng = np.random.default_rng(0)
    x, y, w = rng.standard_normal((200, 3)), rng.standard_normal(200), rng.random(200)
    np.testing.assert_allclose(
        fastlsq.ols(x, y, weights=w).standard_errors, fastlsq.ols(x, y, weights=8 * w).standard_errors, rtol=1e-12
    )


@pytest.mark.parametrize("from_rows", [True, False])
def test_collinear_columns_are_named_and_the_fit_is_of_minimum_norm(from_rows):
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((120, 3)), rng.standard_normal(120)
    z = np.column_stack([x, x[:, 0] + 2 * x[:, 2], np.full(120, 4.0)])
    names = ["a", "b", "c", "sum", "constant"]
    fit = fastlsq.ols(z, y, names=names) if from_rows else fastlsq.Gram(names=names).update(z, y).ols()
    assert fit.aliased == ["sum", "constant"]
    assert fit.df_model == 3
    centred = z - z.mean(axis=0)
    want = np.linalg.pinv(centred, rcond=1e-10) @ (y - y.mean())
    np.testing.assert_allclose(fit.coef, want, atol=1e-11)
    inverse = np.linalg.pinv(centred.T @ centred, rcond=1e-10)
    np.testing.assert_allclose(fit.standard_errors[1:5], fit.sigma * np.sqrt(np.diagonal(inverse)[:4]), rtol=1e-9)
    assert np.isnan(fit.standard_errors[5])  # a constant beside an intercept
    np.testing.assert_allclose(fit.rss, ((y - fit.predict(z)) ** 2).sum(), rtol=1e-10)


def test_row_three_is_row_two_plus_two():
    # scikit-learn#9073: finite, small coefficients and the column named, not 1e14
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 3))
    x[:, 2] = x[:, 1] + 2
    fit = fastlsq.ols(x, rng.standard_normal(50))
    assert fit.aliased == ["x2"]
    assert np.abs(fit.coef).max() < 1


def test_large_integers_in_float32():
    # scikit-learn#23376: y = 3 x0 + x1 - 5 with values from 1000 to 10000
    rng = np.random.default_rng(0)
    x = rng.integers(1000, 10000, (1_000_000, 2)).astype(np.float32)
    y = 3 * x[:, 0].astype(float) + x[:, 1] - 5
    fit = fastlsq.ols(x, y)
    np.testing.assert_allclose(fit.params, [-5, 3, 1], rtol=1e-10)


@pytest.mark.parametrize("mean", [1e3, 1e6, 1e9])
def test_a_large_mean_costs_no_digits(mean):
    rng = np.random.default_rng(2)
    x = mean + rng.standard_normal((3000, 3))
    y = rng.standard_normal(3000)
    fit = fastlsq.ols(x, y)
    assert fit.info.path == "gram"
    np.testing.assert_allclose(fit.coef, fastlsq.ols(x - mean, y).coef, rtol=1e-12)


def test_fewer_rows_than_columns():
    rng = np.random.default_rng(2)
    x, y = rng.standard_normal((4, 9)), rng.standard_normal(4)
    fit = fastlsq.ols(x, y)
    np.testing.assert_allclose(fit.predict(x), y, atol=1e-12)
    assert fit.df_resid == 0
    assert np.isnan(fit.sigma)
    assert np.isnan(fit.p_values).all()


def test_a_constant_target():
    x = np.random.default_rng(2).standard_normal((30, 2))
    fit = fastlsq.ols(x, np.full(30, 7.0))
    np.testing.assert_allclose(fit.params, [7, 0, 0], atol=1e-14)
    assert np.isnan(fit.r_squared)


def test_names_of_a_data_frame():
    class Frame:
        columns = ("height", "age")

        def __array__(self, dtype=None, copy=None):
            return np.arange(20.0).reshape(10, 2) ** 1.5

    assert fastlsq.ols(Frame(), np.arange(10.0)).param_names == ["intercept", "height", "age"]


def test_same_bits_for_threads_and_orders():
    rng = np.random.default_rng(2)
    x, y, w = rng.standard_normal((20_000, 14)), rng.standard_normal(20_000), rng.random(20_000)
    want = fastlsq.ols(x, y, weights=w, n_threads=1)
    for n_threads in (2, 3, 8):
        fit = fastlsq.ols(np.asfortranarray(x), y, weights=w, n_threads=n_threads)
        np.testing.assert_array_equal(fit.params, want.params)
        np.testing.assert_array_equal(fit.standard_errors, want.standard_errors)


@pytest.mark.parametrize("size", [1e-310, 1e-160, 1e155, 1e300])
@pytest.mark.parametrize("source", [fastlsq.ols, lambda X, y: fastlsq.Gram().update(X, y).ols()])
def test_inference_where_sums_of_squares_leave_float64(source, size):
    rng = np.random.default_rng(5)
    x = rng.standard_normal((60, 3))
    y = 3 + x @ [1.0, 2.0, -1.0] + 0.1 * rng.standard_normal(60)
    want, found = fastlsq.ols(x, y), source(x, y * size)
    rtol = 1e-9 if size > 1e-300 else 1e-8  # y itself is subnormal
    np.testing.assert_allclose(found.r_squared, want.r_squared, rtol=rtol)
    np.testing.assert_allclose(found.f_value, want.f_value, rtol=1e-6 if size > 1e-300 else 1e-4)
    np.testing.assert_allclose(found.t_values, want.t_values, rtol=1e-6 if size > 1e-300 else 1e-4)
    np.testing.assert_allclose(found.sigma / size, want.sigma, rtol=rtol if size > 1e-300 else 1e-3)
    np.testing.assert_allclose(found.standard_errors / size, want.standard_errors, rtol=1e-3)


def test_covariance_agrees_with_standard_errors():
    rng = np.random.default_rng(6)
    x = (3 + rng.standard_normal((50, 4))) * [1.0, 1e-3, 1e3, 1.0]
    fit = fastlsq.ols(x, x @ [1.0, 2.0, 3.0, 4.0] + rng.standard_normal(50))
    np.testing.assert_allclose(np.sqrt(np.diagonal(fit.covariance)), fit.standard_errors, rtol=1e-12)
    design = np.column_stack([np.ones(50), x])
    want = np.linalg.inv(design.T @ design) * fit.sigma**2
    np.testing.assert_allclose(np.diagonal(fit.covariance), np.diagonal(want), rtol=1e-7)


def test_covariance_of_nearly_dependent_large_columns(rung):
    rng = np.random.default_rng(13)
    x = rng.standard_normal((60, 2))
    x[:, 1] = x[:, 0] + 1e-6 * x[:, 1]
    fit = fastlsq.ols(x * 1e100, x[:, 0] * 1e150 + 1e148 * rng.standard_normal(60))
    assert np.isfinite(fit.covariance[1:, 1:]).all()
    np.testing.assert_allclose(np.sqrt(np.diagonal(fit.covariance)), fit.standard_errors, rtol=1e-9)
