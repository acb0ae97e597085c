# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The cases of docs/tutorial as tests: what circulates, and what a computation says."""

from itertools import pairwise

import numpy as np
import pytest

import fastlsq as fl

X = np.array([[1.0, 2.0], [2.0, 3.0], [3.0, 4.0], [4.0, 5.0]])
Y = np.array([1.0, 2.0, 2.0, 3.0])


def descend(x, y, rate, epochs, sign=1.0):
    """Batch descent by fl.optim.SGD, and the MSE before each epoch."""
    theta, optimizer, losses = np.zeros(x.shape[1]), fl.optim.SGD(lr=rate), []
    for _ in range(epochs):
        losses.append(fl.metrics.mse(y, x @ theta) if np.abs(theta).max() < 1e100 else np.inf)
        optimizer.step(theta, sign * 2 / len(y) * x.T @ (x @ theta - y))
    return theta, losses


def test_four_rows_of_two_columns():
    theta, _ = descend(X, Y, 0.01, 1000)
    assert theta.round(4).tolist() == [0.1530, 0.4605]
    assert round(fl.metrics.mse(Y, X @ theta), 5) == 0.05026
    best = fl.lstsq(X, Y).x
    assert np.abs(best - [0.1, 0.5]).max() < 1e-13
    assert fl.metrics.mse(Y, X @ best) == pytest.approx(0.05, abs=1e-15)
    assert fl.metrics.mse(Y, X @ [0.7988, -0.0906]) == pytest.approx(0.167, abs=5e-4)


def test_the_wrong_sign_diverges():
    theta, _ = descend(X, Y, 0.01, 1000, sign=-1.0)
    assert 1e151 < np.abs(theta).max() < 1e152


def test_the_bound_of_the_step():
    largest = np.linalg.eigvalsh(2 / len(Y) * X.T @ X)[-1]
    assert largest == pytest.approx(41.88, abs=5e-3)
    below, above = descend(X, Y, 1.99 / largest, 3000)[1], descend(X, Y, 2.01 / largest, 3000)[1]
    assert below[-1] < below[2000] < 1
    assert above[-1] > 1e10


def test_a_plane_with_noise():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((100, 2))
    y = x @ [2.0, 3.0] + rng.standard_normal(100)
    theta, losses = descend(x, y, 0.01, 2000)
    assert all(after <= before * (1 + 1e-14) for before, after in pairwise(losses))
    fit = fl.lstsq(x, y)
    assert np.abs(theta - fit.x).max() < 1e-10
    assert losses[-1] == pytest.approx(float(fit.rss) / 100, rel=1e-10)
    assert losses[0] > 10 * losses[-1]


def test_one_parameter():
    x = np.array([[1.0], [2.0], [3.0]])
    theta, _ = descend(x, x[:, 0], 0.05, 300)
    assert theta[0] == pytest.approx(1.0, abs=1e-12)


def test_half_of_the_factor_is_half_of_the_rate():
    def gradient_descent(x, y, theta, alpha, iterations):
        m = len(y)
        for _ in range(iterations):
            theta = theta - alpha / m * x.T @ (x @ theta - y)
        return theta

    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((50, 4)), rng.standard_normal(50)
    for iterations in (1, 10, 500):
        expected = gradient_descent(x, y, np.zeros(4), 0.1, iterations)
        assert np.abs(descend(x, y, 0.05, iterations)[0] - expected).max() < 1e-12


def test_a_column_of_ones_beside_two_that_differ_by_it():
    x = np.column_stack([np.ones(4), X])
    fit = fl.lstsq(x, Y)
    assert fit.rank == 2
    assert fl.metrics.mse(Y, x @ fit.x) == pytest.approx(0.05, abs=1e-13)
    # and an intercept beside the column of ones
    again = fl.lstsq(np.column_stack([x, np.ones(4)]), Y)
    assert again.rank == 2
    # descent from 0 stays in the row space, where the shortest solution lies
    theta, _ = descend(x, Y, 0.04, 20_000)
    assert np.abs(theta - fit.x).max() < 1e-8


def test_the_silent_broadcast():
    rng = np.random.default_rng(42)
    x = 2 * rng.random((100, 1))
    y = 4 + 3 * x + rng.standard_normal((100, 1))
    w, b, plateau = np.zeros(1), 0.0, []
    for _ in range(1000):
        error = x @ w + b - y
        plateau.append((error**2).mean())
        w, b = w - 0.02 * (error * x[:, 0]).mean(), b - 0.02 * error.mean()
    assert error.shape == (100, 100)
    assert plateau[-1] == pytest.approx(y.var(), rel=0.01)
    # taken as one target the loss falls to the noise
    unit = np.column_stack([x, np.ones(100)])
    _, losses = descend(unit, y[:, 0], 0.01, 1000)
    floor = float(fl.lstsq(unit, y[:, 0]).rss) / 100
    assert losses[0] == pytest.approx(plateau[0])
    assert floor < losses[-1] < 1.05 * floor
    assert y.var() > 3 * floor
    # a column of targets is one target, everywhere
    assert fl.metrics.mse(y, unit @ fl.lstsq(unit, y[:, 0]).x) == pytest.approx(floor, rel=1e-12)
    assert np.abs(fl.ols(x, y).params - fl.ols(x, y[:, 0]).params).max() == 0
    with pytest.raises(ValueError, match=r"grads\[0\] has shape \(1,\), params\[0\] has shape \(1, 1\)"):
        fl.optim.SGD().step([np.zeros((1, 1))], [np.zeros(1)])


def test_the_derivative_needs_its_sign_and_its_x():
    x, y, theta, h = 3.0, 2.0, 0.7, 1e-6

    def loss(t):
        return 0.5 * (y - t * x) ** 2

    slope = (loss(theta + h) - loss(theta - h)) / (2 * h)
    assert slope == pytest.approx(-x * (y - theta * x), rel=1e-8)
    assert abs(slope - (y - theta * x)) > 0.1
    assert abs(slope - x * (y - theta * x)) > 0.1


# ---- the same by fl.sgd, whose loss is half of the MSE: its rate is twice theirs -------------------------------------


BATCH = {"optimizer": "sgd", "batch_size": None, "standardize": False, "gradient_tol": 0.0}


def test_sgd_on_four_rows():
    fit = fl.sgd(X, Y, lr=0.02, epochs=1000, intercept=False, **BATCH)
    theta, losses = descend(X, Y, 0.01, 1000)
    assert fit.coef.round(4).tolist() == [0.1530, 0.4605]
    assert np.abs(fit.coef - theta).max() < 1e-13
    assert fit.intercept == 0
    assert 2 * np.array(fit.history["loss"]) == pytest.approx(losses, rel=1e-12)
    assert fit.initial_loss == losses[0] / 2


def test_sgd_notices_the_bound():
    largest = np.linalg.eigvalsh(X.T @ X / len(Y))[-1]
    found = fl.sgd(X, Y, epochs=1, intercept=False, **BATCH).learning_rate
    assert 0.5 / largest < found < 1 / largest
    fit = fl.sgd(X, Y, lr=1.99 / largest, epochs=3000, intercept=False, **BATCH)
    assert not fit.backoffs
    assert fit.history["loss"][-1] < fit.history["loss"][2000] < fit.initial_loss
    too_long = {"lr": 2.2 / largest, "epochs": 5000, "intercept": False, **BATCH}
    with pytest.warns(RuntimeWarning, match="the loss has grown to .* the learning rate 0.105 is too large"):
        fit = fl.sgd(X, Y, **too_long)
    assert len(fit.backoffs) == 1
    assert fit.learning_rate == 2.2 / largest
    assert fit.history["learning_rate"][-1] == 2.2 / largest / 4
    assert np.abs(fit.coef - [0.1, 0.5]).max() < 1e-2
    with pytest.raises(FloatingPointError, match="the loss has grown"):
        fl.sgd(X, Y, on_divergence="raise", **too_long)


def test_sgd_untuned_finds_the_minimum_of_four_rows():
    # standardized, the two columns are the same one
    fit = fl.sgd(X, Y)
    assert fl.metrics.mse(Y, fit.predict(X)) == pytest.approx(0.05, abs=1e-6)
    assert fl.sgd(X, Y, intercept=False, batch_size=None, epochs=20_000).coef == pytest.approx([0.1, 0.5], abs=1e-7)


def test_sgd_on_a_plane_with_noise():
    rng = np.random.default_rng(0)
    x = rng.standard_normal((100, 2))
    y = x @ [2.0, 3.0] + rng.standard_normal(100)
    fit = fl.sgd(x, y, lr=0.02, epochs=2000, intercept=False, **BATCH)
    expected = fl.lstsq(x, y)
    losses = fit.history["loss"]
    assert all(after <= before * (1 + 1e-14) for before, after in pairwise(losses))
    assert np.abs(fit.coef - expected.x).max() < 1e-10
    assert 2 * losses[-1] == pytest.approx(float(expected.rss) / 100, rel=1e-10)
    untuned = fl.sgd(x, y, batch_size=10)
    assert fl.metrics.mse(y, untuned.predict(x)) < 1.01 * float(expected.rss) / 100


def test_sgd_of_one_parameter():
    x = np.array([[1.0], [2.0], [3.0]])
    fit = fl.sgd(x, x[:, 0], lr=0.1, epochs=300, intercept=False, **BATCH)
    assert fit.coef[0] == pytest.approx(1.0, abs=1e-12)


def test_sgd_is_the_function_of_the_textbook():
    def gradient_descent(x, y, theta, alpha, iterations):
        m = len(y)
        for _ in range(iterations):
            theta = theta - alpha * (1 / m) * x.T @ (x @ theta - y)
        return theta

    rng = np.random.default_rng(1)
    x, y = rng.standard_normal((50, 4)), rng.standard_normal(50)
    ones = np.column_stack([np.ones(50), x])
    for iterations in (1, 10, 500):
        fit = fl.sgd(x, y, lr=0.1, epochs=iterations, intercept=False, **BATCH)
        assert np.abs(fit.coef - gradient_descent(x, y, np.zeros(4), 0.1, iterations)).max() < 1e-12
        # theta_0 is the coefficient of a column of ones
        fit = fl.sgd(x, y, lr=0.1, epochs=iterations, **BATCH)
        theta = gradient_descent(ones, y, np.zeros(5), 0.1, iterations)
        assert np.abs([fit.intercept, *fit.coef] - theta).max() < 1e-12


def test_sgd_with_a_column_of_ones_beside_its_intercept():
    x = np.column_stack([np.ones(4), X])
    for settings in ({}, {"standardize": False, "optimizer": "sgd"}):
        fit = fl.sgd(x, Y, batch_size=None, epochs=50_000, **settings)
        assert np.isfinite(fit.coef).all()
        assert fl.metrics.mse(Y, fit.predict(x)) == pytest.approx(0.05, abs=1e-8)
    assert fl.sgd(x, Y).coef[0] == 0  # a column that does not change explains nothing beside an intercept


def test_sgd_takes_a_column_of_targets_as_one():
    rng = np.random.default_rng(42)
    x = 2 * rng.random((100, 1))
    y = 4 + 3 * x + rng.standard_normal((100, 1))
    floor = float(fl.ols(x, y).rss) / 100
    column = fl.sgd(x, y, lr=0.02, epochs=1000, **BATCH)
    flat = fl.sgd(x, y[:, 0], lr=0.02, epochs=1000, **BATCH)
    assert column.coef.shape == (1,)
    assert column.coef.tobytes() == flat.coef.tobytes()
    assert column.predict(x).shape == (100,)
    mse = 2 * np.array(column.history["loss"])
    assert mse[0] == pytest.approx((y**2).mean())
    assert floor < mse[-1] < 1.05 * floor
    assert y.var() > 3 * floor
