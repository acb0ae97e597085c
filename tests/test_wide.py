# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Fewer rows than columns: of all solutions the shortest, by QR at once or from the Gram matrix of the rows."""

import mpmath
import numpy as np
import pytest
import scipy.linalg
from test_ladder import U, randsvd

import fastlsq


@pytest.fixture
def path(rung):
    return {"qr": "qr", "preconditioned": "dual"}[rung]


def shortest_exactly(a, b):
    """Aᵀ(A Aᵀ)⁻¹b in 600 bits; rows and columns may be of any size."""
    with mpmath.workprec(2500):
        rows = mpmath.matrix(a.tolist())
        targets = [rows.T * mpmath.lu_solve(rows * rows.T, mpmath.matrix(y.tolist())) for y in b.reshape(len(b), -1).T]
        return np.array([[float(v) for v in x] for x in targets]).T.reshape(a.shape[1:] + b.shape[1:])


@pytest.mark.parametrize("kappa", [1e1, 1e3, 1e5, 1e8, 1e10])
@pytest.mark.parametrize("shape", [(1, 2), (3, 9), (8, 30), (20, 21)])
def test_as_good_as_qr_of_the_transpose(shape, kappa, path):
    rng = np.random.default_rng(shape[1])
    n, p = shape
    a = np.ascontiguousarray(randsvd(rng, p, n, kappa, "geometric").T) if n > 1 else rng.standard_normal(shape)
    b = rng.standard_normal(n)
    found = fastlsq.lstsq(a, b)
    exact = shortest_exactly(a, b)
    assert found.info.path == path and found.rank == n
    assert np.linalg.norm(found.x - exact) <= 20 * U * kappa * np.linalg.norm(exact)
    size = np.linalg.norm(a) * np.linalg.norm(found.x)
    assert np.linalg.norm(a @ found.x - b) <= 8 * U * size
    assert found.info.backward_error <= 4 * U
    assert found.residues.size == 0
    np.testing.assert_allclose(found.s, scipy.linalg.svdvals(a), rtol=1e-9)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int8])
@pytest.mark.parametrize("order", ["C", "F", "strided"])
@pytest.mark.parametrize("k", [1, 4])
def test_layouts_types_and_targets(dtype, order, k, path):
    rng = np.random.default_rng(k)
    a, b = rng.integers(-9, 10, (7, 16)).astype(dtype), rng.integers(-9, 10, (7, k)).astype(dtype)
    given = {"C": a, "F": np.asfortranarray(a), "strided": np.repeat(a, 2, axis=1)[:, ::2]}[order]
    found = fastlsq.lstsq(given, b)
    exact = shortest_exactly(a.astype(float), b.astype(float))
    assert found.info.path == path
    tolerance = 1e-13 if dtype == np.float64 else 1e-6
    np.testing.assert_allclose(found.x, exact, rtol=0, atol=tolerance * np.abs(exact).max())


@pytest.mark.parametrize("scale", [1e-200, 1e-3, 1e150])
def test_the_norm_is_that_of_the_users_units(scale, path):
    """Columns that are scale times as long as the others."""
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((5, 12)), rng.standard_normal(5)
    a[:, 4:9] *= scale
    found, exact = fastlsq.lstsq(a, b), shortest_exactly(a, b)
    np.testing.assert_allclose(a[:, 4:9] @ found.x[4:9], a[:, 4:9] @ exact[4:9], atol=1e-12)
    np.testing.assert_allclose(found.x, exact, rtol=1e-9, atol=1e-14 * np.abs(exact).max() if scale > 1 else 0)


@pytest.mark.parametrize("scale", [1e-250, 1e-20, 1e200])
def test_rows_of_any_length(scale, path):
    rng = np.random.default_rng(2)
    a, b = rng.standard_normal((5, 12)), rng.standard_normal(5)
    want = fastlsq.lstsq(a, b)
    factors = np.array([1, scale, 1, scale, 1])
    found = fastlsq.lstsq(a * factors[:, None], b * factors)
    np.testing.assert_allclose(found.x, want.x, rtol=1e-11)


def test_weights(path):
    rng = np.random.default_rng(3)
    a, b, w = rng.standard_normal((6, 20)), rng.standard_normal(6), rng.uniform(0.1, 9, 6)
    np.testing.assert_allclose(fastlsq.lstsq(a, b, weights=w).x, shortest_exactly(a, b), rtol=1e-11)
    w[2] = 0
    others = np.arange(6) != 2
    np.testing.assert_allclose(fastlsq.lstsq(a, b, weights=w).x, shortest_exactly(a[others], b[others]), rtol=1e-11)


@pytest.mark.parametrize("p", [10, 60])
def test_dependent_rows(p, rung):
    rng = np.random.default_rng(4)
    a = rng.integers(-9, 10, (6, p)).astype(float)
    a[4] = a[0] + a[1]
    a[5] = a[2]
    b = rng.standard_normal(6)
    found = fastlsq.lstsq(a, b)
    expected, _, rank, _ = scipy.linalg.lstsq(a, b, 1e-12)
    assert found.rank == rank == 4
    np.testing.assert_allclose(found.x, expected, rtol=1e-10, atol=1e-12)


def test_an_intercept_is_no_part_of_the_norm(rung):
    rng = np.random.default_rng(5)
    x, y = rng.standard_normal((7, 15)) + 100, rng.standard_normal(7)
    fit = fastlsq.ols(x, y)
    centred = scipy.linalg.lstsq(x - x.mean(axis=0), y - y.mean(), 1e-12)[0]
    np.testing.assert_allclose(fit.coef, centred, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(fit.predict(x), y, atol=1e-9)
    assert fit.df_model == 6 and fit.df_resid == 0


def test_rows_that_are_averages_of_others(rung):
    """Independent as they are, but not about their mean: found in whatever order."""
    rng = np.random.default_rng(8)
    x = rng.integers(-9, 10, (4, 6)).astype(float)
    x[1] = (3 * x[0] + x[2] + x[3]) / 5
    y = rng.standard_normal(4)
    for order in ([0, 1, 2, 3], [1, 0, 2, 3], [3, 2, 1, 0]):
        fit = fastlsq.ols(x[order], y[order])
        expected = scipy.linalg.lstsq(x - x.mean(axis=0), y - y.mean(), 1e-12)[0]
        assert fit.df_model == 2
        np.testing.assert_allclose(fit.coef, expected, rtol=1e-10, atol=1e-12)
    fit = fastlsq.ols(x[[0, 0]], y[:2])
    assert fit.df_model == 0 and fit.intercept == pytest.approx(y[:2].mean())
    np.testing.assert_allclose(fit.coef, 0, atol=1e-14)


@pytest.mark.parametrize("n_threads", [1, 2, 3, 8])
def test_same_bits_for_any_threads(n_threads):
    rng = np.random.default_rng(6)
    a, b = rng.standard_normal((90, 4000)), rng.standard_normal((90, 2))
    one, other = fastlsq.lstsq(a, b, n_threads=1), fastlsq.lstsq(np.asfortranarray(a), b, n_threads=n_threads)
    assert one.info.path == "dual" and np.array_equal(one.x, other.x)


@pytest.mark.parametrize("kappa", [1e7, 1e9, 1e11])
def test_ill_conditioned_rows_of_a_large_problem(kappa):
    rng = np.random.default_rng(1)
    a, b = np.ascontiguousarray(randsvd(rng, 900, 300, kappa, "geometric").T), rng.standard_normal(300)
    b = a @ rng.standard_normal(900)  # so that the solution is not all of the smallest singular value
    found = fastlsq.lstsq(a, b)
    assert found.info.path == "dual" and found.rank == 300
    assert found.info.backward_error <= 4 * U
    assert np.linalg.norm(a @ found.x - b) <= 6 * U * np.linalg.norm(a) * np.linalg.norm(found.x)
    # shortest: no part of it outside the range of the rows, which is known to u*kappa
    q, _ = np.linalg.qr(a.T)
    assert np.linalg.norm(found.x - q @ (q.T @ found.x)) <= 4 * U * kappa * np.linalg.norm(found.x)


def test_nearly_dependent_rows_are_left_to_lapack():
    rng = np.random.default_rng(1)
    a, b = np.ascontiguousarray(randsvd(rng, 900, 300, 3e13, "geometric").T), rng.standard_normal(300)
    found = fastlsq.lstsq(a, b)
    assert found.info.path == "lapack"
    want = scipy.linalg.lstsq(a, b)[0]
    assert np.linalg.norm(a @ found.x - b) <= 10 * np.linalg.norm(a @ want - b) + 1e-13 * np.linalg.norm(b)


def test_coefficients_that_float64_cannot_hold_are_no_answer():
    rng = np.random.default_rng(9)
    a, b = rng.standard_normal((120, 3000)) * 1e-300, rng.standard_normal(120) * 1e200
    with np.errstate(all="ignore"):
        found = fastlsq.lstsq(a, b)
    assert found.info.path == "lapack"
    small = fastlsq.lstsq(np.array([[2.0, 2, 4, 4]]), np.array([3.0]))
    assert small.info.backward_error <= 4 * U


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite(bad, rung):
    a, b = np.ones((3, 5)), np.ones(3)
    a[1, 2] = bad
    with pytest.raises(ValueError, match=r"a .*row 1.*column 2"):
        fastlsq.lstsq(a, b)
    assert np.isnan(fastlsq.lstsq(a, b, check_finite=False).x).all()
    b[2] = bad
    with pytest.raises(ValueError, match=r"b .*row 2"):
        fastlsq.lstsq(np.eye(3, 5), b)
