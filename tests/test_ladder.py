# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Every rung of the ladder: backward error at most 4u whatever the condition, rank, minimum norm, full accuracy."""

import mpmath
import numpy as np
import pytest
import scipy.linalg
from conftest import as_if_large, log_relative_error, nist_names, nist_problem
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastlsq
from fastlsq._core import lib

U = 2.0**-53


def exact_solution(a, b):
    """In 900 bits, rounded once; columns scaled first, so that none looks like zero."""
    scale = 2.0 ** -np.round(np.log2(np.linalg.norm(a, axis=0)))
    with mpmath.workprec(900):
        rows = mpmath.matrix((a * scale).tolist())
        x = mpmath.lu_solve(rows.T * rows, rows.T * mpmath.matrix(b.tolist()))
        return np.array([float(value * mpmath.mpf(float(factor))) for value, factor in zip(x, scale, strict=True)])


def backward_error(a, b, x):
    """Karlson-Waldén estimate relative to ‖a‖_F, columns equilibrated, residuals in 200 bits."""
    scale = 2.0 ** -np.round(np.log2(np.linalg.norm(a, axis=0)))
    with mpmath.workprec(300):
        rows = mpmath.matrix((a * scale).tolist())
        r = mpmath.matrix(b.tolist()) - rows * mpmath.matrix((x / scale).tolist())
        g, norm_r = np.array([float(v) for v in rows.T * r]), float(mpmath.norm(r))
    norm_x = np.linalg.norm(x / scale)
    _, s, vt = np.linalg.svd(a * scale, full_matrices=False)
    weights = np.sqrt(s**2 + (norm_r / norm_x) ** 2)
    return float(np.linalg.norm((vt @ g) / weights) / (norm_x * np.linalg.norm(a * scale)))


def relative_error(a, x, exact):
    lengths = np.linalg.norm(a, axis=0)
    return np.linalg.norm((x - exact) * lengths) / np.linalg.norm(exact * lengths)


def householder(a, b):
    lengths = np.linalg.norm(a, axis=0)
    q, r = scipy.linalg.qr(a / lengths, mode="economic")
    return scipy.linalg.solve_triangular(r, q.T @ b) / lengths


def randsvd(rng, n, p, kappa, mode):
    left, right = np.linalg.qr(rng.standard_normal((n, p)))[0], np.linalg.qr(rng.standard_normal((p, p)))[0]
    values = np.geomspace(1, 1 / kappa, p) if mode == "geometric" else np.r_[np.ones(p - 1), 1 / kappa]
    return (left * values) @ right.T


def matrices():
    """The test sets of the project's plan: name, rows."""
    rng = np.random.default_rng(5)
    n, p = 90, 7
    for kappa in (1e1, 1e5, 3e6, 1e8, 1e10, 1e12, 1e14):
        for mode in ("geometric", "one small"):
            yield f"{mode} {kappa:.0e}", randsvd(rng, n, p, kappa, mode)
    yield "Vandermonde", np.vander(np.linspace(0, 1, n), 14)
    yield "Hilbert", 1 / (np.arange(n)[:, None] + np.arange(9) + 1.0)
    for small in (1e-4, 1e-7, 1e-10):
        yield f"Läuchli {small:.0e}", np.vstack([np.ones(p), small * np.eye(p), np.zeros((3, p))])
    for apart in (1e-3, 1e-8, 1e-12):
        a = rng.standard_normal((n, p))
        a[:, 3] = a[:, 2] + apart * a[:, 3]
        yield f"near {apart:.0e}", a
    for mean in (1e4, 1e9):
        yield f"mean {mean:.0e}", np.column_stack([np.ones(n), rng.standard_normal((n, p)) + mean])
    yield "scales", rng.standard_normal((n, p)) * 10.0 ** -np.linspace(0, 140, p)
    for place in ("first", "random", "last"):
        a = rng.standard_normal((n, p))
        rows = {"first": np.arange(4), "random": rng.choice(n, 4, False), "last": np.arange(n - 4, n)}[place]
        a[rows] *= 1e11
        yield f"heavy {place}", a
    yield "row scales", rng.standard_normal((n, p)) * 10.0 ** rng.uniform(-8, 0, (n, 1))


SETS = dict(matrices())


@pytest.mark.parametrize("noise", [0.0, 1e-8, 1.0, 1e3])
@pytest.mark.parametrize("name", SETS)
def test_as_good_as_householder(name, noise, rung):
    a = SETS[name]
    rng = np.random.default_rng(9)
    b = a @ (rng.standard_normal(a.shape[1]) / np.linalg.norm(a, axis=0))
    b += noise * np.linalg.norm(b) / np.sqrt(len(b)) * rng.standard_normal(len(b))
    found = fastlsq.lstsq(a, b)
    exact = exact_solution(a, b)
    assert found.rank == a.shape[1]
    assert found.info.path in ("gram", rung, "qr")
    assert backward_error(a, b, found.x) <= 4 * U
    assert found.info.backward_error <= 4 * U
    error = relative_error(a, found.x, exact)
    # one direction may hold all of the error, and there QR may be lucky; nobody can promise less than u*condition
    assert error <= max(100 * relative_error(a, householder(a, b), exact), (10 + found.info.condition) * U)
    assert error <= found.info.forward_error


@pytest.mark.parametrize("noise", [1e-8, 0.1])
@pytest.mark.parametrize("name", [name for name in SETS if not name.endswith(("e+10", "e+12", "e+14"))])
def test_full_accuracy_settles_the_last_bit(name, noise, rung):
    a = SETS[name]
    rng = np.random.default_rng(10)
    b = a @ (rng.standard_normal(a.shape[1]) / np.linalg.norm(a, axis=0))
    b += noise * np.linalg.norm(b) / np.sqrt(len(b)) * rng.standard_normal(len(b))
    found = fastlsq.lstsq(a, b, accuracy="full")
    error = relative_error(a, found.x, exact_solution(a, b))
    kappa = found.info.condition
    assert error <= max(U, 10 * (U * kappa) ** 2)
    assert error <= found.info.forward_error


@pytest.mark.parametrize("n_threads", [1, 2, 3, 8])
@pytest.mark.parametrize("name", ["geometric 1e+08", "Vandermonde", "one small 1e+14"])
def test_same_bits_for_any_threads_and_order(name, n_threads, rung):
    a = SETS[name]
    b = a @ np.ones(a.shape[1]) + np.sin(np.arange(len(a)))
    for accuracy in ("qr", "full"):
        first = fastlsq.lstsq(a, b, accuracy=accuracy, n_threads=1)
        other = fastlsq.lstsq(np.asfortranarray(a), b, accuracy=accuracy, n_threads=n_threads)
        assert np.array_equal(first.x, other.x) and first.rss == other.rss


GOALS = {  # correct digits: 'qr', 'full'
    "Norris": (13, 13.8), "Pontius": (12.5, 13.3), "NoInt1": (15, 15), "NoInt2": (15, 15), "Longley": (11, 14.5),
    "Filip": (7, 7.5), "Wampler1": (10, 15), "Wampler2": (12.5, 13), "Wampler3": (9.9, 15), "Wampler4": (8, 15),
    "Wampler5": (6, 15),
}


@pytest.mark.parametrize("accuracy", ["qr", "full"])
@pytest.mark.parametrize("name", nist_names())
def test_nist(name, accuracy, rung):
    columns, y, intercept, certified = nist_problem(name)
    a = np.column_stack([np.ones(len(y)), columns]) if intercept else columns
    found = fastlsq.lstsq(a, y, accuracy=accuracy)
    assert found.rank == a.shape[1]
    assert log_relative_error(found.x, certified["beta"]) >= GOALS[name][accuracy == "full"]


@pytest.mark.parametrize("name", nist_names())
def test_nist_with_an_intercept(name, rung):
    columns, y, intercept, certified = nist_problem(name)
    fit = fastlsq.ols(columns, y, intercept=intercept, accuracy="full")
    assert log_relative_error(fit.params, certified["beta"]) >= GOALS[name][1]
    assert log_relative_error(fit.r_squared, certified["r_squared"]) >= 11
    if certified["sigma"] > 0:
        assert log_relative_error(fit.sigma, certified["sigma"]) >= (9 if name == "Filip" else 13.5)
        errors = log_relative_error(fit.standard_errors, certified["standard_errors"])
        assert errors >= (7 if name == "Filip" else 10.5)


@pytest.mark.parametrize("kappa", [1e1, 1e3, 1e5, 3e5, 1e7, 1e9, 1e11, 1e13])
@pytest.mark.parametrize("mode", ["geometric", "one small"])
def test_reads_of_the_rows(kappa, mode, monkeypatch):
    """Two up to a condition number of 3e5, three up to 1e13, as if the rows were too many for QR at once."""
    as_if_large(monkeypatch)
    rng = np.random.default_rng(3)
    a = randsvd(rng, 2000, 12, kappa, mode)
    found = fastlsq.lstsq(a, a @ rng.standard_normal(12) + rng.standard_normal(2000) / 100)
    assert found.info.passes <= (2 if kappa <= 3e5 else 3)
    assert found.info.backward_error <= 4 * U


# ---- dependent columns ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("accuracy", ["qr", "full"])
@pytest.mark.parametrize("rank", [1, 3, 6])
@pytest.mark.parametrize("scales", [0, 6])
def test_exact_dependence_gives_minimum_norm(rank, scales, accuracy, rung):
    rng = np.random.default_rng(rank)
    a = rng.integers(-9, 10, (120, rank)) @ rng.integers(-9, 10, (rank, 8))
    a = a * 2.0 ** rng.integers(-scales, scales + 1, 8)
    b = rng.integers(-99, 100, (120, 2)).astype(float)
    found = fastlsq.lstsq(a, b, accuracy=accuracy)
    x, _, _, s = scipy.linalg.lstsq(a, b, 1e-12)
    assert found.info.path == rung and found.rank == rank
    assert np.linalg.norm(found.x - x) <= 1e-11 * np.linalg.norm(x)
    assert len(found.info.aliased) == 8 - rank
    assert found.residues.size == 0
    np.testing.assert_allclose(found.s, s, atol=8 * U * np.sqrt(8) * s[0])


def test_dummy_trap_with_weights_and_several_targets(rung):
    rng = np.random.default_rng(2)
    a = np.column_stack([np.ones(300), np.eye(4)[rng.integers(0, 4, 300)], rng.standard_normal(300)])
    b, w = rng.standard_normal((300, 3)), rng.uniform(0.5, 2, 300)
    found = fastlsq.lstsq(a, b, weights=w)
    root = np.sqrt(w)[:, None]
    x, _, rank, _ = scipy.linalg.lstsq(a * root, b * root)
    assert found.rank == rank == 5
    np.testing.assert_allclose(found.x, x, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("kappa", [1e7, 1e9, 1e11, 1e13])
def test_ill_conditioned_and_dependent_at_once(kappa, rung):
    """Singular values down to 1/kappa, and one that is zero."""
    rng = np.random.default_rng(4)
    a = randsvd(rng, 200, 6, kappa, "geometric")
    a = np.column_stack([a, a[:, 1] - a[:, 3]])
    b = a @ rng.standard_normal(7) + 1e-6 * rng.standard_normal(200)
    found = fastlsq.lstsq(a, b)
    assert found.rank == 6
    r = b - a @ found.x
    assert np.linalg.norm(a.T @ r) <= 1e-14 * np.linalg.norm(a) * (np.linalg.norm(r) + np.linalg.norm(found.x))
    assert np.linalg.norm(found.x) <= 1.01 * np.linalg.norm(scipy.linalg.lstsq(a, b, 1e-14)[0]) + 1e-6 * kappa


# ---- the rest ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kappa", [1e4, 1e8, 1e12])
def test_singular_values(kappa, rung):
    a = randsvd(np.random.default_rng(6), 150, 9, kappa, "geometric")
    found = fastlsq.lstsq(a, np.ones(150))
    values = scipy.linalg.svdvals(a)
    assert np.abs(found.s - values).max() <= 8 * U * 3 * values[0]


def test_intercept_and_inference_of_ill_conditioned_columns(rung):
    rng = np.random.default_rng(7)
    x = randsvd(rng, 300, 5, 1e9, "geometric") + rng.uniform(-1, 1, 5)
    y = x @ rng.standard_normal(5) + 3 + 1e-3 * rng.standard_normal(300)
    fit = fastlsq.ols(x, y)
    a = np.column_stack([np.ones(300), x])
    exact = exact_solution(a, y)
    assert fit.info.path == rung
    assert relative_error(a, fit.params, exact) <= 100 * max(relative_error(a, householder(a, y), exact), U)
    with mpmath.workprec(300):
        rows = mpmath.matrix(a.tolist())
        inverse = (rows.T * rows) ** -1
        expected = np.array([float(mpmath.sqrt(inverse[j, j])) for j in range(6)]) * fit.sigma
    np.testing.assert_allclose(fit.standard_errors, expected, rtol=1e-5)


@pytest.mark.parametrize("apart", [1e-7, 1e-9, 1e-11])
def test_a_near_dependence_that_the_shift_does_not_share(apart, rung):
    """The provisional shift is a median column by column: it is no row, and what T makes of it is large."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((100, 2))
    x = np.column_stack([x, x.sum(axis=1) + apart * rng.standard_normal(100)])
    y = x @ [1.0, 2, 3] + rng.standard_normal(100)
    fit = fastlsq.ols(x, y)
    exact = exact_solution(np.column_stack([np.ones(100), x]), y)
    assert fit.info.path == rung and fit.info.rank == 3
    assert relative_error(x, fit.coef, exact[1:]) <= fit.info.forward_error


@pytest.mark.parametrize("kappa", [1e5, 1e8, 1e10])
def test_standard_error_of_an_intercept_far_from_the_data(kappa, rung):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((30, 2))
    x[:, 1] = x[:, 0] + x[:, 1] / kappa
    x += 5
    fit = fastlsq.ols(x, x @ [1.0, 1.0] + rng.standard_normal(30))
    with mpmath.workprec(400):
        rows = mpmath.matrix(np.column_stack([np.ones(30), x]).tolist())
        inverse = (rows.T * rows) ** -1
        expected = np.array([float(mpmath.sqrt(inverse[j, j])) for j in range(3)]) * fit.sigma
    np.testing.assert_allclose(fit.standard_errors, expected, rtol=1e-4)


def test_weightless_rows_do_not_choose_the_shift(rung):
    rng = np.random.default_rng(1)
    n, w = 5000, np.ones(5000)
    w[:1024] = 1e-30
    x = np.zeros((n, 2))
    x[1024:] = 1e10 + rng.standard_normal((n - 1024, 2))
    y = rng.standard_normal(n)
    fit, alone = fastlsq.ols(x, y, weights=w), fastlsq.ols(x[1024:], y[1024:])
    assert fit.info.rank == 2
    np.testing.assert_allclose(fit.coef, alone.coef, rtol=1e-5)


@pytest.mark.parametrize("intercept", [True, False])
def test_nothing_but_constant_columns(intercept):
    y = np.arange(20.0)
    fit = fastlsq.ols(np.full((20, 2), 3.0) if intercept else np.zeros((20, 2)), y, intercept=intercept)
    assert fit.info.rank == 0 and fit.info.aliased == (0, 1)
    assert np.array_equal(fit.coef, [0, 0]) and fit.intercept == pytest.approx(y.mean() if intercept else 0)
    assert fit.rss == pytest.approx(((y - fit.intercept) ** 2).sum())


def test_targets_of_zeros_stay_on_the_first_rung():
    a = np.random.default_rng(2).standard_normal((50, 3))
    for b in (np.zeros(50), np.column_stack([np.zeros(50), a[:, 0]])):
        found = fastlsq.lstsq(a, b)
        assert found.info.path == "gram" and found.info.passes == 2
        assert np.array_equal(found.x.reshape(3, -1)[:, 0], np.zeros(3))


@pytest.mark.parametrize("factor", [1e2, 1e4, 1e6])
def test_minimum_norm_beside_a_near_dependence(factor, rung):
    """As accurate as SciPy or better, and no bound where none is known."""
    rng = np.random.default_rng(5)
    x = rng.integers(-1000, 1000, (40, 2)).astype(float)
    x[:, 1] += factor * x[:, 0]
    a = np.column_stack([x, x[:, 0] + 2 * x[:, 1]])
    b = rng.standard_normal(40)
    with mpmath.workprec(400):  # a = x c with c of full row rank
        rows, c = mpmath.matrix(x.tolist()), mpmath.matrix([[1, 0, 1], [0, 1, 2]])
        slopes = mpmath.lu_solve(rows.T * rows, rows.T * mpmath.matrix(b.tolist()))
        exact = np.array([float(v) for v in c.T * mpmath.lu_solve(c * c.T, slopes)])
    scipys = relative_error(a, scipy.linalg.lstsq(a, b, 1e-13)[0], exact)
    for accuracy in ("qr", "full"):
        found = fastlsq.lstsq(a, b, accuracy=accuracy)
        assert found.rank == 2 and np.isnan(found.info.forward_error)
        assert found.info.backward_error <= 4 * U
        assert relative_error(a, found.x, exact) <= max(10 * scipys, 1e-12)


@pytest.mark.parametrize("exponent", [-500, -300, -60, -20, 20, 60, 300, 600])
@pytest.mark.parametrize("first", [True, False])
def test_minimum_norm_where_units_are_far_apart(exponent, first, rung):
    """Two columns that say the same, one in a unit 2^exponent times the other's: nearly all goes to the longer one."""
    rng = np.random.default_rng(6)
    x = rng.integers(-99, 100, (30, 2)).astype(float)
    twin = x[:, 0] * 2.0**exponent
    a = np.column_stack([twin, x] if first else [x, twin])
    b = rng.standard_normal(30)
    slopes = np.linalg.lstsq(x, b, rcond=None)[0]
    found = fastlsq.lstsq(a, b)
    own, other = (found.x[1], found.x[0]) if first else (found.x[0], found.x[2])
    assert found.rank == 2
    np.testing.assert_allclose(own, slopes[0] * 2.0 ** min(0, -2 * exponent), rtol=1e-9, atol=1e-320)
    np.testing.assert_allclose(other, slopes[0] * (2.0**exponent if exponent < 0 else 2.0**-exponent), rtol=1e-9)


def test_dependent_columns_of_many_rows():
    """Rows that are alike round alike: sums must not grow with their number."""
    rng = np.random.default_rng(0)
    for n in (2000, 8000, 20000):
        first = rng.integers(0, 2, n) == 0
        trap = np.column_stack([np.ones(n), first, ~first]).astype(float)
        assert fastlsq.lstsq(trap, rng.standard_normal(n)).rank == 2
        for row in ([0.1, 0.2, 0.4], [0.9, 1.8, 3.6]):
            assert fastlsq.lstsq(np.tile(row, (n, 1)), rng.standard_normal(n)).rank == 1
        c = np.arange(n) % 17 - 8.0
        fit = fastlsq.ols(np.column_stack([c, 3 * c, 5 * c]), 7 * c)
        np.testing.assert_allclose(fit.coef, [0.2, 0.6, 1.0], rtol=1e-12)


def test_fits_survive_the_move_to_minimum_norm():
    """Three units: what is long in one is nothing in another."""
    base = np.array([[1.0, 2], [4, 5], [7, 8], [1, 0]])
    total, difference = base.sum(axis=1), base[:, 0] - base[:, 1]
    for scale in (1e10, 1e100, 1e200):
        a, b = np.column_stack([base, total * scale, difference / scale]), 3 * base[:, 0] + base[:, 1]
        found = fastlsq.lstsq(a, b)
        assert found.rank == 2 and np.linalg.norm(a @ found.x - b) <= 1e-13 * np.linalg.norm(b)
        np.testing.assert_allclose(found.x[:3], [1, -1, 2 / scale], rtol=1e-9)
        assert abs(found.x[3]) <= 10 / scale
    for small in (1e-30, 1e-172, 1e-200):
        found = fastlsq.lstsq(np.array([[small, 1, 2.0]] * 4), np.full(4, 7.0))
        np.testing.assert_allclose(found.x, [0, 1.4, 2.8], rtol=1e-12, atol=1e-28)


@pytest.mark.parametrize("dtype", [np.float32, np.int16, np.float16])
def test_other_types_climb_too(dtype, rung):
    rng = np.random.default_rng(8)
    a = rng.integers(-90, 90, (400, 4))
    a = np.column_stack([a, a[:, 0] + a[:, 1], a[:, 2]]).astype(dtype)
    a[0, 5] += 1
    b = rng.integers(-90, 90, 400).astype(dtype)
    found = fastlsq.lstsq(a, b)
    expected, _, rank, _ = scipy.linalg.lstsq(a.astype(float), b.astype(float), 1e-12)
    assert found.rank == rank == 5
    np.testing.assert_allclose(found.x, expected, rtol=2e-6, atol=1e-6)


def test_a_preconditioned_problem_of_many_columns():
    """More columns than the core solves by itself, with a column of zeros among them."""
    rng = np.random.default_rng(11)
    a = randsvd(rng, 900, 150, 1e10, "geometric")
    a[:, 77] = 0.0
    b = a @ rng.standard_normal(150) + 1e-4 * rng.standard_normal(900)
    found = fastlsq.lstsq(a, b)
    assert found.info.path == "preconditioned" and found.rank == 149 and found.info.aliased == (77,)
    assert found.x[77] == 0
    r = b - a @ found.x
    size = np.linalg.norm(a)
    assert np.linalg.norm(a.T @ r) <= 1e-14 * size * (np.linalg.norm(r) + size * np.linalg.norm(found.x))
    assert found.info.backward_error <= 4 * U


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("p", [1, 5, 40, 130])
def test_fast_accuracy_reads_once(p, k):
    rng = np.random.default_rng(p)
    a = rng.standard_normal((40 * p + 30, p)) * 2.0 ** rng.integers(-40, 41, p)
    b = a @ (rng.standard_normal((p, k)) / np.linalg.norm(a, axis=0)[:, None])
    b += 0.1 * np.linalg.norm(b) / np.sqrt(len(b)) * rng.standard_normal(b.shape)
    weights = rng.uniform(0.5, 2, len(a))
    for options in ({}, {"weights": weights}):
        best, found = fastlsq.lstsq(a, b, accuracy="full", **options), fastlsq.lstsq(a, b, accuracy="fast", **options)
        assert found.info.passes == 1 and found.info.path == "gram"
        for t in range(k):
            error = relative_error(a, found.x[:, t], best.x[:, t])
            assert error <= min(found.info.forward_error, 1e-13 * p)
        np.testing.assert_allclose(found.rss, best.rss, rtol=1e-9)
    fits = [fastlsq.ols(a + np.linalg.norm(a, axis=0), b[:, 0], accuracy=accuracy) for accuracy in ("fast", "full")]
    assert fits[0].info.passes == 1
    np.testing.assert_allclose(fits[0].coef, fits[1].coef, atol=1e-12 * np.abs(fits[1].coef).max(), rtol=1e-9)


def test_the_bound_of_fast_accuracy_knows_the_residual():
    rng = np.random.default_rng(0)
    a, rest = rng.standard_normal((400, 1)), rng.standard_normal(400)
    rest -= a[:, 0] * (a[:, 0] @ rest) / (a[:, 0] @ a[:, 0])
    for signal in (1e-3, 1e-6, 1e-9):
        b = rest + signal * a[:, 0]
        found, exact = fastlsq.lstsq(a, b, accuracy="fast"), exact_solution(a, b)
        assert relative_error(a, found.x, exact) <= found.info.forward_error


def test_fast_accuracy_refines_where_one_read_says_too_little():
    rng = np.random.default_rng(1)
    a = rng.standard_normal((200, 4))
    exact = a @ [1.0, 2, 3, 4]
    found = fastlsq.lstsq(a, exact + 1e-9 * rng.standard_normal(200), accuracy="fast")
    assert found.info.passes > 1
    a[:, 3] = a[:, 2] + 1e-3 * a[:, 3]
    found = fastlsq.lstsq(a, exact, accuracy="fast")
    assert found.info.passes > 1 and found.info.backward_error <= 4 * U


@pytest.mark.parametrize("bad", ["quick", "", None, 1])
def test_unknown_accuracy_is_named(bad):
    for call in (fastlsq.lstsq, fastlsq.ols):
        with pytest.raises(ValueError, match="accuracy must be 'fast', 'qr' or 'full'"):
            call(np.eye(3), np.ones(3), accuracy=bad)


def test_full_accuracy_of_a_batch_and_without_targets():
    rng = np.random.default_rng(12)
    a, b = rng.standard_normal((5, 40, 3)), rng.standard_normal((5, 40))
    found = fastlsq.lstsq(a, b, accuracy="full")
    for i in range(5):
        assert np.array_equal(found.x[i], fastlsq.lstsq(a[i], b[i], accuracy="full").x)
    assert fastlsq.lstsq(a[0], np.empty((40, 0)), accuracy="full").x.shape == (3, 0)


def spread_of(x, weights, n_threads):
    p = x.shape[1]
    state = lib.Moments(p, 0, False)
    return state.update(x, None, weights, None, None, n_threads, np.eye(p), np.ones(p))


def test_row_spread():
    x = np.ones((1000, 3))
    x[5] *= 2.0**30
    assert spread_of(x, None, 2) == 2.0**30
    weights = np.ones(1000)
    weights[5] = 0
    assert spread_of(x, weights, 1) == 1.0


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(4, 60),
    p=st.integers(1, 9),
    exponent=st.floats(0, 14.5),
    mode=st.sampled_from(["geometric", "one small"]),
    noise=st.sampled_from([0.0, 1e-12, 1e-4, 1.0, 1e3]),
    units=st.integers(0, 40),
    spread=st.sampled_from([0, 0, 3]),
    large=st.booleans(),
)
def test_hunt_for_a_backward_error_above_4u(large, seed, n, p, exponent, mode, noise, units, spread):
    rng = np.random.default_rng(seed)
    n = max(n, p + 1)
    a = randsvd(rng, n, p, 10.0**exponent, mode) if p > 1 else rng.standard_normal((n, 1))
    a = a * 10.0 ** rng.uniform(-spread, 0, (n, 1)) * 2.0 ** rng.integers(-units, units + 1, p)
    b = a @ (rng.standard_normal(p) / np.linalg.norm(a, axis=0)) + noise * rng.standard_normal(n)
    with pytest.MonkeyPatch.context() as patch:
        if large:
            as_if_large(patch)
        found = fastlsq.lstsq(a, b)
    if found.rank == p:
        assert backward_error(a, b, found.x) <= 4 * U
