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
