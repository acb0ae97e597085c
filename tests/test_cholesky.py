# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The p x p system: factor, solves, condition estimate, inverse, at the block edges of every kernel."""

import numpy as np
import pytest

from fastlsq._core import lib

SIZES = [1, 2, 3, 4, 5, 11, 12, 13, 95, 96, 97, 108, 191, 192, 193, 300]


def positive_definite(n, rng):
    rows = rng.standard_normal((n + 5, n))
    return rows.T @ rows


def factor(a, n_threads=2, kernel=None):
    r = a.copy()
    pivot = lib.cholesky(r, n_threads, kernel)
    return np.triu(r), pivot


@pytest.mark.parametrize("n", SIZES)
def test_factor_and_solves(n, kernel):
    rng = np.random.default_rng(n)
    a = positive_definite(n, rng)
    r, pivot = factor(a, kernel=kernel)
    assert pivot is None
    u = 2.0**-53
    # |A - RᵀR| <= gamma_{n+1} |R|ᵀ|R| (Higham, theorem 10.3)
    assert (np.abs(a - r.T @ r) <= 2 * (n + 2) * u * (np.abs(r).T @ np.abs(r)) + 1e-300).all()
    for k in (1, 2, 7):
        b = rng.standard_normal((n, k))
        x = b.copy()
        lib.triangular_solve(r, x, True, kernel)
        assert (np.abs(r.T @ x - b) <= 4 * (n + 2) * u * (np.abs(r).T @ np.abs(x))).all()
        x = b.copy()
        lib.triangular_solve(r, x, False, kernel)
        assert (np.abs(r @ x - b) <= 4 * (n + 2) * u * (np.abs(r) @ np.abs(x))).all()


@pytest.mark.parametrize("n", [1, 5, 97, 200])
def test_the_lower_triangle_is_not_read(n, kernel):
    a = positive_definite(n, np.random.default_rng(n))
    poisoned = a.copy()
    poisoned[np.tril_indices(n, -1)] = np.nan
    np.testing.assert_array_equal(factor(poisoned, kernel=kernel)[0], factor(a, kernel=kernel)[0])


@pytest.mark.parametrize("n", [97, 300])
def test_same_bits_for_threads(n, kernel):
    a = positive_definite(n, np.random.default_rng(n))
    want = factor(a, 1, kernel)[0]
    for n_threads in (2, 3, 8):
        np.testing.assert_array_equal(factor(a, n_threads, kernel)[0], want)


@pytest.mark.parametrize(("n", "bad"), [(1, 0), (5, 3), (96, 95), (97, 96), (200, 120), (300, 299)])
@pytest.mark.parametrize("value", [-1.0, 0.0, np.nan, np.inf])
def test_the_failing_pivot_is_named(n, bad, value, kernel):
    a = np.eye(n)
    a[bad, bad] = value
    assert factor(a, kernel=kernel)[1] == bad


@pytest.mark.parametrize("n", SIZES)
def test_condition_estimate_and_inverse(n, kernel):
    rng = np.random.default_rng(n)
    a = positive_definite(n, rng)
    r, _ = factor(a, kernel=kernel)
    inverse = np.empty((n, n))
    lib.cholesky_inverse(r, inverse, kernel)
    np.testing.assert_array_equal(inverse, inverse.T)
    assert np.abs(inverse @ a - np.eye(n)).max() < 1e-13 * np.linalg.cond(a)
    true = np.abs(inverse).sum(axis=0).max()
    estimate = lib.inverse_norm_estimate(r, kernel)
    assert estimate <= true * (1 + 1e-10)
    assert estimate >= true / 5


def test_estimate_of_the_badly_conditioned():
    for exponent in range(1, 12):
        a = np.diag(np.logspace(0, -exponent, 30))
        r, _ = factor(a)
        assert lib.inverse_norm_estimate(r) == pytest.approx(10.0**exponent, rel=1e-10)


def test_non_square_is_refused():
    with pytest.raises(ValueError, match="square"):
        lib.cholesky(np.ones((3, 2)), 1)


@pytest.mark.parametrize("n", [0, 1, 3, 4, 17, 97, 1100])
def test_the_equilibrated_factor(n):
    rng = np.random.default_rng(n)
    units = np.ldexp(1.0, rng.integers(-300, 300, n))
    m = (positive_definite(n, rng) + n * np.eye(n)) * units[:, None] * units
    wide = np.full((n, n + 2), np.nan)
    wide[:, :n] = m
    factors = [lib.factorize(wide[:, :n], None, n_threads)[0] for n_threads in (1, 3)]
    r, scale = factors[0].r, factors[0].scale
    diagonal = np.diag(m) * scale**2
    assert ((diagonal >= 0.25) & (diagonal <= 1)).all()
    np.testing.assert_array_equal(np.frexp(scale)[0], np.full(n, 0.5))
    np.testing.assert_array_equal(np.tril(r, -1), np.zeros((n, n)))
    scaled = m * scale[:, None] * scale
    np.testing.assert_allclose(r.T @ r, scaled, atol=1e-13)
    np.testing.assert_array_equal(factors[1].r, r)
    assert factors[1].condition == factors[0].condition
    if n:
        true = np.linalg.cond(scaled, 1)
        assert true / 5 <= factors[0].condition <= true * (1 + 1e-10)


@pytest.mark.parametrize("n", [97, 193, 500, 700])
def test_cholesky_gives_the_same_bits_for_any_number_of_threads(n):
    rng = np.random.default_rng(n)
    b = rng.standard_normal((n + 20, n))
    a = b.T @ b
    factors = []
    for n_threads in (1, 2, 3, 8):
        r = a.copy()
        assert lib.cholesky(r, n_threads) is None
        factors.append(np.triu(r))
    for r in factors[1:]:
        np.testing.assert_array_equal(r, factors[0])
    assert np.abs(factors[0].T @ factors[0] - a).max() <= 50 * n * 2**-53 * np.abs(a).max()
