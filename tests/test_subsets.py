# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Groups and windows that the lanes refuse: as `ols` of their rows, and as exact arithmetic of whole numbers has it."""

from fractions import Fraction

import numpy as np
import pytest
from conftest import KERNELS, integers

import fastlsq
from fastlsq._core import lib

NAMES = ("b", "rss", "condition", "backward_error", "errors", "rank", "verdict")


def fit(x, y, first, end, order=None, weights=None, intercept=True, factor=None, n_threads=1, kernel=None):
    order = np.arange(len(x)) if order is None else order
    ends = np.array(first, np.int64), np.array(end, np.int64)
    found = lib.fit_subsets(x, y, weights, intercept, *ends, order, factor, True, n_threads, kernel)
    return dict(zip(NAMES, found, strict=True))


def make(kind, rng, n, p):
    x = rng.standard_normal((n, p))
    if kind == "dummies":
        x[:, 0] = rng.random(n) < 0.5
        x[:, p - 1] = 1 - x[:, 0]
    elif kind == "duplicates":
        x[:, p - 1] = 2 * x[:, 0]
    elif kind == "constant":
        x[:, 0] = 3.0
        x[:, p - 1] = x[:, 1]
    elif kind == "zero":
        x[:, 1] = 0.0
    elif kind == "all constant":
        x[:] = np.arange(p)
    elif kind == "far":
        x = x + 1e9
        x[:, p - 1] = x[:, 0] + x[:, 1]
    elif kind == "ill-conditioned":
        x[:, p - 1] = x[:, 0] + 1e-8 * x[:, 1]
    elif kind == "units":
        x[:, p - 1] = x[:, 0] - x[:, 1]
        x = x * 10.0 ** rng.integers(-6, 6, p)
    return x


KINDS = ("dummies", "duplicates", "constant", "zero", "all constant", "far", "ill-conditioned", "units")


def check(found, i, x, y, weights, intercept, rtol=1e-9):
    """Entry i beside `ols` of the same rows."""
    alone = fastlsq.ols(x, y, weights=weights, intercept=intercept)
    p = x.shape[1]
    assert found["verdict"][i] == 0 and found["rank"][i] == alone.info.rank
    b = np.append(alone.coef, alone.intercept)[: p + intercept]
    lengths = np.append(np.abs(x).max(axis=0), 1.0)[: p + intercept]
    np.testing.assert_allclose(found["b"][i] * lengths, b * lengths, rtol=rtol, atol=rtol * np.abs(b * lengths).max())
    np.testing.assert_allclose(found["rss"][i], alone.rss, rtol=rtol, atol=1e-20 * float(y.ravel() @ y.ravel()))
    if alone.info.rank:
        assert 0.3 < found["condition"][i] / alone.info.condition < 3  # both are estimates
        assert found["backward_error"][i] < 1e-14
    else:
        assert np.isnan(found["condition"][i])
    errors = alone.standard_errors
    if alone.rss > 1e-16 * alone.tss:
        np.testing.assert_allclose(found["errors"][i], np.roll(errors, -1) if intercept else errors, rtol=1e3 * rtol)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
def test_as_ols(kind, intercept, weighted):
    rng = np.random.default_rng(KINDS.index(kind))
    n, p = 90, 4
    x, y = make(kind, rng, n, p), rng.standard_normal((n, 1)) + 2
    weights = rng.integers(0, 3, (n, 1)).astype(float) if weighted else None
    order = rng.permutation(n)
    first, end = [0, 3, 40, 41, 60, 5], [90, 17, 70, 49, 90, 80]
    found = fit(x, y, first, end, order, weights, intercept)
    for i, rows in enumerate(map(slice, first, end)):
        own = order[rows]
        loose = 1e-6 if kind in ("ill-conditioned", "far") else 1e-9
        check(found, i, x[own], y[own], None if weights is None else weights[own, 0], intercept, loose)


@pytest.mark.parametrize("exponent", [-500, -330, 330, 500])
@pytest.mark.parametrize("intercept", [True, False])
def test_scales(exponent, intercept):
    """Powers of two change nothing but exponents, as long as a dependence stays among columns of one unit."""
    rng = np.random.default_rng(1)
    x, y = make("dummies", rng, 40, 4), rng.standard_normal((40, 1))
    x[:, 2] = 3 * x[:, 1]
    want = fit(x, y, [0], [40], intercept=intercept)
    check(want, 0, x, y, None, intercept)
    assert want["rank"] == 2 + (not intercept)
    x[:, 1:3] = np.ldexp(x[:, 1:3], exponent)
    own = np.array([0, exponent, exponent, 0, 0])[: 4 + intercept]
    for power in (-500, 0, 500):
        found = fit(x, np.ldexp(y, power), [0], [40], intercept=intercept)
        assert found["rank"] == want["rank"]
        for name in ("b", "errors"):
            np.testing.assert_allclose(found[name], np.ldexp(want[name], power - own), rtol=1e-12)
        np.testing.assert_allclose(found["rss"], np.ldexp(want["rss"], 2 * power), rtol=1e-13)
    for turn in range(10):  # whichever row and column a factor begins with
        order = np.random.default_rng(turn).permutation(40)
        found = fit(x, y, [0], [40], order, intercept=intercept)
        np.testing.assert_allclose(found["b"], np.ldexp(want["b"], -own), rtol=1e-12)
        alone = fastlsq.ols(x[order], y[order], intercept=intercept)
        np.testing.assert_allclose(alone.coef, found["b"][0, :4], rtol=1e-12)


def solve_exactly(a, c):
    """Some solution of a z = c by elimination over fractions, and a basis of the null space: (z, list of vectors)."""
    n = len(a)
    rows = [[*map(Fraction, a[i]), Fraction(c[i])] for i in range(n)]
    pivots = []
    for j in range(n):
        at = next((i for i in range(len(pivots), n) if rows[i][j] != 0), None)
        if at is None:
            continue
        top = len(pivots)
        rows[top], rows[at] = rows[at], rows[top]
        rows[top] = [value / rows[top][j] for value in rows[top]]
        for i in range(n):
            if i != top:
                rows[i] = [u - rows[i][j] * v for u, v in zip(rows[i], rows[top], strict=True)]
        pivots.append(j)
    z, null = [Fraction(0)] * n, []
    for i, j in enumerate(pivots):
        z[j] = rows[i][n]
    for free in sorted(set(range(n)) - set(pivots)):
        vector = [Fraction(0)] * n
        vector[free] = Fraction(1)
        for i, j in enumerate(pivots):
            vector[j] = -rows[i][free]
        null.append(vector)
    return z, null


def exact_fit(x, y, weights, intercept):
    """(slopes of minimum norm and the intercept, rss, rank), of whole numbers."""
    n, p = x.shape
    x, y, w = ([[Fraction(int(v)) for v in row] for row in part] for part in (x, y[:, None], weights[:, None]))
    total = sum(row[0] for row in w)
    mean = [sum(w[i][0] * x[i][j] for i in range(n)) / total if intercept else 0 for j in range(p)]
    level = sum(w[i][0] * y[i][0] for i in range(n)) / total if intercept else 0
    z = [[x[i][j] - mean[j] for j in range(p)] for i in range(n)]
    gram = [[sum(w[i][0] * z[i][j] * z[i][k] for i in range(n)) for k in range(p)] for j in range(p)]
    b, null = solve_exactly(gram, [sum(w[i][0] * z[i][j] * (y[i][0] - level) for i in range(n)) for j in range(p)])
    if null:
        products = [[sum(u * v for u, v in zip(s, t, strict=True)) for t in null] for s in null]
        part, _ = solve_exactly(products, [sum(u * v for u, v in zip(s, b, strict=True)) for s in null])
        b = [b[j] - sum(c * s[j] for c, s in zip(part, null, strict=True)) for j in range(p)]
    rss = sum(w[i][0] * (y[i][0] - level - sum(z[i][j] * b[j] for j in range(p))) ** 2 for i in range(n))
    full = [*b, level - sum(m * c for m, c in zip(mean, b, strict=True))] if intercept else b
    return np.array([float(v) for v in full]), float(rss), p - len(null)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 6, 14])
def test_whole_numbers(intercept, n, kernel):
    """Also of fewer rows than coefficients: minimum norm, the intercept not in it."""
    rng = np.random.default_rng(n)
    for turn in range(8):
        x, y = integers(rng, (n, 4), -3, 4), integers(rng, n, -20, 21)
        x[:, 3] = (x[:, 0] - x[:, 1], 1 - x[:, 2], x[:, 3], np.full(n, 2.0))[turn % 4]
        weights = rng.integers(1, 4, n).astype(float) if turn % 2 else np.ones(n)
        b, rss, rank = exact_fit(x, y, weights, intercept)
        found = fit(x, y[:, None], [0], [n], weights=weights[:, None], intercept=intercept, kernel=kernel)
        assert found["verdict"][0] == 0 and found["rank"][0] == rank
        np.testing.assert_allclose(found["b"][0], b, atol=1e-13 * max(np.abs(b).max(), 1))
        np.testing.assert_allclose(found["rss"][0], rss, rtol=1e-12, atol=1e-25)
        assert np.isnan(found["errors"][0]).all() == (n - rank - intercept <= 0)


def test_forms_and_threads():
    rng = np.random.default_rng(3)
    n = 900
    x, y = integers(rng, (n, 5)), integers(rng, (n, 1))
    x[:, 4] = x[:, 0] + x[:, 1]
    weights = integers(rng, (n, 1), 0, 4)
    first = np.arange(0, n - 60, 7)
    want = fit(x, y, first, first + 60, weights=weights)
    assert (want["verdict"] == 0).all() and (want["rank"] == 4).all()
    strided, frozen = np.zeros((n, 15))[:, ::3], x.copy()
    strided[:], frozen.flags.writeable = x, False
    forms = [(x, y, weights, t) for t in (2, 3, 8)]
    forms += [(form, y, weights, 1) for form in (np.asfortranarray(x), strided, x[::-1].copy()[::-1], frozen)]
    forms += [(x.astype(dtype), y.astype(dtype), weights, 2) for dtype in (np.float32, np.float16, np.int8, np.int64)]
    for a, c, w, threads in forms:
        got = fit(a, c, first, first + 60, weights=w, n_threads=threads)
        assert all(np.array_equal(got[name], want[name], equal_nan=True) for name in NAMES)
    kept = weights[:, 0] > 0  # rows without weight are not there; a whole weight is a repetition
    got = fit(x[kept], y[kept], [0], [kept.sum()], weights=weights[kept])
    want = fit(x, y, [0], [n], weights=weights)
    assert np.array_equal(got["b"], want["b"]) and got["rss"] == want["rss"]
    often = np.repeat(np.arange(n), weights[:, 0].astype(int))
    got = fit(x, y, [0], [len(often)], order=often)
    np.testing.assert_allclose(got["b"], want["b"], rtol=1e-12, atol=1e-13)


def test_decay():
    rng = np.random.default_rng(4)
    x, y = make("dummies", rng, 50, 4), rng.standard_normal((50, 1))
    factor = rng.choice([0.5, 0.75, 1.0], 50)
    found = fit(x, y, [0, 10], [50, 30], factor=factor)
    for i, (first, end) in enumerate(((0, 50), (10, 30))):
        weights = np.append(np.cumprod(factor[end - 1 : first : -1])[::-1], 1.0)
        alone = fastlsq.ols(x[first:end], y[first:end], weights=weights)
        np.testing.assert_allclose(found["b"][i], np.append(alone.coef, alone.intercept), rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found["rss"][i], alone.rss, rtol=1e-12)


def test_left_to_the_caller():
    x, y = np.ones((100_000, 4)), np.ones((100_000, 1))
    found = fit(x, y, [0, 0, 7], [100_000, 0, 7])
    assert (found["verdict"] == lib.NOT_SETTLED).all()
    found = fit(x[:9], y[:9], [0], [9], weights=np.zeros((9, 1)))
    assert found["verdict"] == lib.NOT_SETTLED
    rng = np.random.default_rng(0)
    for bad in (np.nan, np.inf, -np.inf):
        for j in range(4):
            x, y = rng.standard_normal((20, 3)), rng.standard_normal((20, 1))
            (x[:, j] if j < 3 else y[:, 0])[11] = bad
            assert fit(x, y, [0, 0], [20, 11])["verdict"].astype(bool).tolist() == [True, False]
    for first, end, order in (([1], [0], [0]), ([-1], [1], [0]), ([0], [2], [0]), ([0], [1], [20]), ([0], [1], [-1])):
        with pytest.raises(ValueError):
            fit(x, y, first, end, np.array(order))


@pytest.mark.parametrize("errors", [True, False])
@pytest.mark.parametrize("intercept", [True, False])
def test_rolling_dummy_trap(errors, intercept, monkeypatch):
    monkeypatch.setattr("fastlsq.gram.subsets.GATHERED", 700)  # several calls
    rng = np.random.default_rng(5)
    x, y = make("dummies" if intercept else "duplicates", rng, 120, 4), rng.standard_normal(120)
    y[60:] = x[60:] @ [1.0, 2.0, 3.0, 4.0] + 1e-9 * y[60:]  # nearly exact
    weights = rng.integers(0, 3, 120).astype(float)
    fit = fastlsq.rolling_ols(x, y, 30, weights=weights, intercept=intercept, errors=errors, min_obs=3)
    for t in range(120):
        rows = np.arange(max(t - 29, 0), t + 1)
        rows = rows[weights[rows] > 0]
        if len(rows) < 3:
            assert fit.status[t] == 2
            continue
        alone = fastlsq.ols(x[rows], y[rows], weights=weights[rows], intercept=intercept)
        size = np.abs(alone.coef).max()
        assert fit.rank[t] == alone.info.rank
        np.testing.assert_allclose(fit.coef[t], alone.coef, rtol=1e-9, atol=1e-11 * size)
        np.testing.assert_allclose(fit.intercept[t], alone.intercept, rtol=1e-9, atol=1e-11 * size)
        np.testing.assert_allclose(fit.rss[t], alone.rss, rtol=1e-6, atol=1e-26)
        if errors and alone.rss > 1e-24 * size**2:
            np.testing.assert_allclose(fit.standard_errors[t], alone.standard_errors[intercept:], rtol=1e-6)
            if intercept:
                np.testing.assert_allclose(fit.intercept_errors[t], alone.standard_errors[0], rtol=1e-6)


def test_grouped_dummy_trap(monkeypatch):
    monkeypatch.setattr("fastlsq.gram.subsets.GATHERED", 700)
    rng = np.random.default_rng(6)
    x, y, groups = make("dummies", rng, 600, 4), rng.standard_normal(600), rng.integers(0, 60, 600)
    weights = rng.integers(0, 3, 600).astype(float)
    fit = fastlsq.grouped_ols(x, y, groups, weights=weights)
    for g, key in enumerate(fit.keys):
        own = (groups == key) & (weights > 0)
        assert fit.n_rows[g] == own.sum()
        if own.sum() < 5:
            assert fit.rank[g] == -1 and np.isnan([*fit.coef[g], fit.intercept[g], fit.rss[g], fit.condition[g]]).all()
            continue
        alone = fastlsq.ols(x[own], y[own], weights=weights[own])
        assert fit.rank[g] == alone.info.rank < 4
        np.testing.assert_allclose(fit.coef[g], alone.coef, rtol=1e-9, atol=1e-11 * np.abs(alone.coef).max())
        np.testing.assert_allclose(fit.intercept[g], alone.intercept, rtol=1e-9, atol=1e-11 * np.abs(alone.coef).max())
        np.testing.assert_allclose(fit.rss[g], alone.rss, rtol=1e-9, atol=1e-20)


def test_decaying_dummy_trap():
    rng = np.random.default_rng(7)
    x, y = make("dummies", rng, 900, 3), rng.standard_normal(900)
    fit = fastlsq.ewm_ols(x, y, alpha=0.3)  # 2^-200 lies within
    for t in (5, 50, 500, 899):
        weights = 0.7 ** np.arange(t + 1)[::-1]
        alone = fastlsq.ols(x[: t + 1], y[: t + 1], weights=weights)
        assert fit.rank[t] == 2
        np.testing.assert_allclose(fit.coef[t], alone.coef, rtol=1e-9, atol=1e-11)
        np.testing.assert_allclose(fit.rss[t], alone.rss, rtol=1e-9)


def test_every_kernel_has_the_same_answer():
    rng = np.random.default_rng(8)
    x, y = make("units", rng, 300, 5), rng.standard_normal((300, 1))
    found = [fit(x, y, [0, 100], [300, 200], kernel=name) for name in KERNELS]
    for other in found[1:]:
        np.testing.assert_allclose(other["b"], found[0]["b"], rtol=1e-8)
        assert np.array_equal(other["rank"], found[0]["rank"])
