# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""`polyfit` against NumPy's and against certified and exact polynomials."""

import numpy as np
import pytest
from conftest import log_relative_error, nist_problem

import fastlsq


@pytest.mark.parametrize(
    ("name", "digits"),
    [("Filip", 12), ("Wampler1", 9.5), ("Wampler2", 12), ("Wampler3", 9.5), ("Wampler4", 9), ("Wampler5", 8),
     ("Pontius", 12.5), ("Norris", 13)],
)
def test_nist(name, digits):
    columns, y, _, certified = nist_problem(name)
    p = fastlsq.polyfit(columns[:, 0], y, columns.shape[1])
    assert log_relative_error(p[::-1], certified["beta"]) >= digits


@pytest.mark.parametrize("deg", [0, 1, 2, 7])
@pytest.mark.parametrize("k", [None, 1, 3])
def test_like_numpy(deg, k):
    rng = np.random.default_rng(deg)
    x, w = rng.uniform(-2, 3, 60), rng.uniform(0.5, 2, 60)
    y = rng.standard_normal((60,) if k is None else (60, k))
    for weights in (None, w):
        expected, found = np.polyfit(x, y, deg, w=weights), fastlsq.polyfit(x, y, deg, w=weights)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, rtol=1e-9, atol=1e-10)
        for cov in (True, "unscaled"):
            p, v = fastlsq.polyfit(x, y, deg, w=weights, cov=cov)
            q, u = np.polyfit(x, y, deg, w=weights, cov=cov)
            assert np.array_equal(p, found) and v.shape == u.shape
            np.testing.assert_allclose(v, u, rtol=1e-8, atol=1e-10 * np.abs(u).max())
        p, residuals, rank, s, rcond = fastlsq.polyfit(x, y, deg, w=weights, full=True)
        _, expected, *_ = np.polyfit(x, y, deg, w=weights, full=True)
        np.testing.assert_allclose(residuals, expected, rtol=1e-10)
        assert rank == deg + 1 and s.shape == (deg + 1,) and rcond == 60 * 2.0**-52


@pytest.mark.parametrize("middle", [0.0, 1e3, -1e6])
def test_an_exact_polynomial_far_from_zero(middle):
    x = middle + np.arange(40) / 4
    y = (x - middle) ** 3 - 5 * (x - middle)
    p = fastlsq.polyfit(x, y, 3)
    expected = [1, -3 * middle, 3 * middle**2 - 5, -(middle**3) + 5 * middle]
    np.testing.assert_allclose(p, expected, rtol=1e-13, atol=1e-10 if middle == 0 else 0)


def test_fewer_points_than_coefficients():
    x, y = np.array([0.0, 1.0, 2.0]), np.array([1.0, 3.0, 2.0])
    p, residuals, rank, *_ = fastlsq.polyfit(x, y, 5, full=True)
    np.testing.assert_allclose(np.polyval(p, x), y, rtol=1e-12)
    assert rank == 3 and residuals.size == 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"deg": -1}, "deg must be >= 0, got -1"),
        ({"x": np.ones((4, 2))}, "x must be a vector"),
        ({"x": np.ones(4), "deg": 1}, "all x are 1.0"),
        ({"x": [0, 1, np.nan, 3]}, "x must not contain infs or NaNs; row 2"),
        ({"y": [0, 1, np.inf, 3]}, "y must not contain infs or NaNs; row 2"),
        ({"y": [0, 1, 3]}, "y has 3 rows, x has 4"),
        ({"w": [1.0, 2.0]}, "w has 2 entries, x has 4"),
        ({"deg": 3, "cov": True}, "the covariance needs more than 4 points, got 4"),
    ],
)
def test_errors(change, message):
    call = {"x": [0.0, 1.0, 2.0, 4.0], "y": [1.0, 2.0, 1.0, 0.0], "deg": 2} | change
    with pytest.raises(ValueError, match=message):
        fastlsq.polyfit(**call)


def test_degree_must_be_an_integer():
    with pytest.raises(TypeError):
        fastlsq.polyfit([1, 2], [1, 2], 1.5)
