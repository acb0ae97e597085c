# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Elastic net: exact solutions by enumeration of signs in rational arithmetic; conditions and duality gaps of whole
paths in long double."""

from fractions import Fraction
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastlsq
from fastlsq._core import lib
from fastlsq.gram.elastic_net import path_from_equations

RNG = np.random.default_rng(29)


@pytest.fixture(autouse=True, scope="module")
def few_columns():
    """The ways of wide problems, at widths that a test can afford."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fastlsq.gram.elastic_net._FEW_COLUMNS", 256)
        yield


# ---- oracles --------------------------------------------------------------------------------------------------------


def solve_exactly(a, b):
    """Solution of a x = b in Fractions, or None where a is singular."""
    n = len(b)
    rows = [[*row, right] for row, right in zip(a, b, strict=True)]
    for i in range(n):
        pivot = next((r for r in range(i, n) if rows[r][i] != 0), None)
        if pivot is None:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [value / rows[i][i] for value in rows[i]]
        for r in range(n):
            if r != i and rows[r][i] != 0:
                rows[r] = [value - rows[r][i] * other for value, other in zip(rows[r], rows[i], strict=True)]
    return [row[n] for row in rows]


def exact_moments(x, y, weights, intercept):
    """(M, c, yy, mean of x, mean of y) divided by the sum of the weights."""
    weights = [Fraction(1)] * len(y) if weights is None else [Fraction(float(w)) for w in weights]
    z = [[Fraction(float(value)) for value in (*row, target)] for row, target in zip(x, y, strict=True)]
    total, width = sum(weights), len(z[0])
    mean = [sum(w * row[j] for w, row in zip(weights, z, strict=True)) / total if intercept else Fraction(0)
            for j in range(width)]
    z = [[value - m for value, m in zip(row, mean, strict=True)] for row in z]
    moments = [[sum(w * row[i] * row[j] for w, row in zip(weights, z, strict=True)) / total for j in range(width)]
               for i in range(width)]
    p = width - 1
    return [row[:p] for row in moments[:p]], [row[p] for row in moments[:p]], moments[p][p], mean[:p], mean[p]


def exact(x, y, alpha, l1_ratio, weights=None, intercept=True, factor=None, positive=False):
    """(coef, intercept, objective) by trying all signs, those of a smaller support first."""
    m, c, yy, mean, level = exact_moments(x, y, weights, intercept)
    p = len(c)
    factor = [Fraction(1)] * p if factor is None else [Fraction(float(f)) for f in factor]
    l1 = [Fraction(float(alpha)) * Fraction(float(l1_ratio)) * f for f in factor]
    l2 = [Fraction(float(alpha)) * (1 - Fraction(float(l1_ratio))) * f for f in factor]
    for signs in sorted(product((0, 1) if positive else (-1, 0, 1), repeat=p), key=lambda s: sum(map(abs, s))):
        support = [j for j in range(p) if signs[j]]
        a = [[m[i][j] + (l2[i] if i == j else 0) for j in support] for i in support]
        found = solve_exactly(a, [c[j] - l1[j] * signs[j] for j in support])
        if found is None:
            continue
        b = [Fraction(0)] * p
        for j, value in zip(support, found, strict=True):
            b[j] = value
        if any(b[j] * signs[j] < 0 for j in support):
            continue
        q = [c[i] - sum(m[i][j] * b[j] for j in range(p)) for i in range(p)]
        if all((q[j] if positive else abs(q[j])) <= l1[j] for j in range(p) if not signs[j]):
            objective = (yy - sum(b[j] * (c[j] + q[j]) for j in range(p))) / 2
            objective += sum(l1[j] * abs(b[j]) + l2[j] * b[j] ** 2 / 2 for j in range(p))
            return b, level - sum(mean[j] * b[j] for j in range(p)), objective
    raise AssertionError("no signs fit")


def long(values):
    return np.asarray(values, dtype=np.longdouble)


def measures(x, y, weights, intercept, coef, level, alpha, l1_ratio, factor, positive):
    """(objective, its excess by duality, largest breach of the conditions relative to sd(y) sd(x_j)) in long double."""
    w = long(np.ones(len(y)) if weights is None else weights)
    w = w / w.sum()
    x, y, coef = long(x), long(y), long(coef)
    l1, l2 = alpha * l1_ratio * long(factor), alpha * (1 - l1_ratio) * long(factor)
    r = y - level - x @ coef
    yc = y - w @ y if intercept else y
    xc = x - w @ x if intercept else x
    q = xc.T @ (w * r)
    objective = (w @ r**2) / 2 + l1 @ abs(coef) + l2 @ coef**2 / 2
    slope = q - l2 * coef
    size = np.maximum(slope, 0) if positive else abs(slope)
    s = min(1, min((l1[j] / size[j] for j in range(len(l1)) if size[j] > 0), default=1))
    dual = s * (w * yc) @ r - s**2 * (w @ r**2) / 2 - s**2 * (l2 @ coef**2) / 2
    unit = np.sqrt(w @ yc**2) * np.sqrt(w @ xc**2)
    breach = np.where(coef != 0, abs(slope - l1 * np.sign(coef)), size - l1)
    return objective, objective - dual, float(np.max(breach / np.where(unit > 0, unit, 1))), w @ yc**2


def check_path(path, x, y, weights=None, intercept=True, factor=None, positive=False, tol=1e-10):
    factor = np.ones(x.shape[1]) if factor is None else factor
    assert path.converged.all()
    for i, alpha in enumerate(path.alphas):
        point = path.coef[i], path.intercept[i], alpha, path.l1_ratio
        objective, excess, _, yy = measures(x, y, weights, intercept, *point, factor, positive)
        assert excess <= 1.01 * tol * yy + 1e-15 * objective
        assert path.dual_gap[i] <= tol * yy * 1.01
        np.testing.assert_allclose(path.objective[i], float(objective), rtol=1e-12, atol=1e-13 * float(yy))
        if positive:
            assert (path.coef[i] >= 0).all()


def data(n, p, correlation=0.0, used=None):
    x = np.sqrt(1 - correlation) * RNG.standard_normal((n, p)) + np.sqrt(correlation) * RNG.standard_normal((n, 1)) + 2
    beta = np.zeros(p)
    beta[: used or max(p // 4, 1)] = RNG.choice([-2.0, -1.0, 1.0, 3.0], used or max(p // 4, 1))
    return x, x @ beta + RNG.standard_normal(n)


# ---- small problems, exactly ----------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_against_all_signs(draw):
    p = draw.draw(st.integers(1, 4), "p")
    n = draw.draw(st.integers(2, 9), "n")
    rng = np.random.default_rng(draw.draw(st.integers(0, 2**32), "seed"))
    x, y = rng.integers(-4, 5, (n, p)).astype(float), rng.integers(-9, 10, n).astype(float)
    weights = draw.draw(st.sampled_from([None, rng.integers(0, 4, n).astype(float) + (np.arange(n) == 0)]), "weights")
    intercept, positive = draw.draw(st.booleans(), "intercept"), draw.draw(st.booleans(), "positive")
    factor = draw.draw(st.sampled_from([None, rng.integers(1, 4, p).astype(float)]), "factor")
    alpha = draw.draw(st.sampled_from([0.125, 0.5, 2.0]), "alpha")
    ratio = draw.draw(st.sampled_from([0.25, 0.5, 1.0]), "ratio")
    coef, level, objective = exact(x, y, alpha, ratio, weights, intercept, factor, positive)
    fit = fastlsq.elastic_net(x, y, alpha, l1_ratio=ratio, weights=weights, intercept=intercept,
                              penalty_factor=factor, positive=positive, tol=1e-14)
    assert fit.converged
    np.testing.assert_allclose(fit.objective, float(objective), rtol=1e-12, atol=1e-13)
    assert fit.dual_gap >= fit.objective - float(objective) - 1e-13
    if ratio < 1:  # strongly convex, so the solution is unique
        np.testing.assert_allclose(fit.coef, [float(b) for b in coef], rtol=0, atol=1e-6)
        np.testing.assert_allclose(fit.intercept, float(level), rtol=0, atol=1e-5)


@pytest.mark.parametrize("ratio", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("positive", [False, True])
def test_six_columns_to_the_last_digits(ratio, positive):
    x, y = RNG.integers(-5, 6, (30, 6)).astype(float), RNG.integers(-9, 10, 30).astype(float)
    factor = np.array([1.0, 0.0, 2.0, 1.0, 0.5, 1.0]) if ratio > 0 else None
    coef, level, objective = exact(x, y, 0.25, ratio, factor=factor, positive=positive)
    fit = fastlsq.elastic_net(x, y, 0.25, l1_ratio=ratio, penalty_factor=factor, positive=positive, tol=1e-15)
    np.testing.assert_allclose(fit.coef, [float(b) for b in coef], rtol=0, atol=1e-13)
    np.testing.assert_allclose([fit.intercept, fit.objective], [float(level), float(objective)], rtol=1e-12)


def test_the_gap_bounds_the_excess_of_any_point():
    """lib.duality_gap against the exact minimum, at points that are no solutions."""
    for trial in range(60):
        p, ratio, positive = 3, (0.5, 1.0, 0.0)[trial % 3], trial % 2 == 0
        x, y = RNG.integers(-4, 5, (8, p)).astype(float), RNG.integers(-9, 10, 8).astype(float)
        m, c, yy, _, _ = exact_moments(x, y, None, False)
        *_, least = exact(x, y, 0.5, ratio, intercept=False, positive=positive)
        m, c, yy = np.array(m, dtype=float), np.array(c, dtype=float), float(yy)
        b = np.abs(RNG.normal(size=p)) if positive else RNG.normal(size=p)
        b[trial % p] = 0.0
        q, l1, l2 = c - m @ b, np.full(p, ratio), np.full(p, 1 - ratio)
        rss = yy - b @ (c + q)
        gap = lib.duality_gap(b, q, l1, l2, np.diagonal(m).copy(), 0.5, positive, yy, rss)
        excess = 0.5 * rss + 0.5 * (l1 @ abs(b) + l2 @ b**2 / 2) - float(least)
        assert gap >= excess - 1e-12


@pytest.mark.parametrize("distance", [1e3, 1e6, 1e7, 1e9])
@pytest.mark.parametrize("wide", [False, True])
def test_the_gap_of_collinear_columns_without_a_penalty(distance, wide, monkeypatch):
    """The minimum is that of orthogonal columns which span the same."""
    monkeypatch.setattr("fastlsq.gram.elastic_net.use_rows", lambda problem: wide)
    rng = np.random.default_rng(0)
    q = np.linalg.qr(np.c_[np.ones(200), rng.standard_normal((200, 2))])[0][:, 1:]
    x, y = np.c_[q[:, 0], q[:, 0] + q[:, 1] / distance], q.sum(axis=1) + 0.001 * rng.standard_normal(200)
    least = fastlsq.ols(q, y).rss / 400
    for tol in (1e-6, 1e-10):
        for fit in (fastlsq.elastic_net(x, y, 0.0, tol=tol),
                    fastlsq.elastic_net_path(x, y, alphas=[1.0, 0.0], tol=tol)[1],
                    fastlsq.elastic_net_path(x, y, alphas=[1.0], penalty_factor=[0, 0], tol=tol)[0]):
            excess = ((y - fit.predict(x)) ** 2).sum() / 400 - least
            assert excess <= fit.dual_gap + 1e-15
            assert not fit.converged or excess <= tol * y.var()
            assert fit.converged or distance > 1e3


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("case", ["twice", "combination", "dummies", "weights"])
def test_columns_without_a_penalty_that_depend_on_each_other(case, intercept, wide):
    """They fit what they span, and the gap is that of a problem without the superfluous ones."""
    rng = np.random.default_rng(3)
    n, p = 90, 300 if wide else 8
    x = rng.standard_normal((n, p)) + 2
    x[:, 2] *= 1e6
    level = rng.integers(0, 3, n)
    x[:, 4:7] = level[:, None] == np.arange(3)
    x[:, 1] = {"combination": 3 * x[:, 0] - 1e-4 * x[:, 2]}.get(case, x[:, 0])
    y = x[:, 0] + level + rng.standard_normal(n)
    factor, weights = np.ones(p), None
    factor[[0, 1, 2]] = 0.0
    if case == "dummies":
        factor[[1, 4, 5, 6]] = 1.0, 0.0, 0.0, 0.0
    if case == "weights":
        weights = rng.integers(0, 3, n).astype(float)
        x[weights == 0, 1] = 1e3
    settings = {"weights": weights, "intercept": intercept, "tol": 1e-9}
    fit = fastlsq.elastic_net(x, y, 0.2, penalty_factor=factor, **settings)
    assert fit.converged and 0 <= fit.dual_gap <= 1e-9 * (y @ y)
    left = factor.copy()
    left[6 if case == "dummies" else 1] = np.inf
    if case != "dummies" or intercept:  # without an intercept three dummies are no trap
        alone = fastlsq.elastic_net(x, y, 0.2, penalty_factor=left, **settings | {"tol": 1e-13})
        assert abs(fit.objective - alone.objective) <= fit.dual_gap + 1e-12 * alone.objective
    assert fastlsq.elastic_net_path(x, y, alphas=[0.5, 0.2], penalty_factor=factor, **settings).converged.all()
    if case == "twice":
        cv = fastlsq.elastic_net_cv(x, y, penalty_factor=factor, n_alphas=5, cv=3)
        assert cv.converged and cv.folds_converged


def test_columns_without_a_penalty_that_all_but_repeat_are_not_called_repeated():
    """1e-9 apart the second column has a coefficient of its own, which no moments can tell: nothing is claimed."""
    rng = np.random.default_rng(4)
    x = rng.standard_normal((200, 3))
    x[:, 1] = x[:, 0] + 1e-9 * x[:, 1]
    y = x[:, 0] + (x[:, 1] - x[:, 0]) * 1e9 + 0.1 * rng.standard_normal(200)
    fit = fastlsq.elastic_net(x, y, 0.1, penalty_factor=[0, 0, 1])
    best = fastlsq.ols(x[:, :2], y).rss / 400
    excess = fit.objective - best - 0.1 * 0.75 * abs(fit.coef[2])
    assert not fit.converged and excess <= fit.dual_gap
    assert not fastlsq.Gram().update(x, y).elastic_net(0.1, penalty_factor=[0, 0, 1]).converged


def test_an_exact_fit_has_converged_though_its_columns_depend():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((6, 9)), rng.standard_normal(6)
    fit = fastlsq.elastic_net(x, y, 0.0)
    assert fit.converged and fit.dual_gap < 1e-12
    np.testing.assert_allclose(fit.predict(x), y, atol=1e-5)


# ---- paths ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "n, p, correlation", [(300, 7, 0.0), (300, 8, 0.9), (200, 65, 0.99), (40, 60, 0.5), (30, 300, 0.3)]
)
@pytest.mark.parametrize("ratio", [0.1, 0.5, 1.0])
def test_paths(n, p, correlation, ratio):
    x, y = data(n, p, correlation)
    for positive in (False, True):
        path = fastlsq.elastic_net_path(x, y, l1_ratio=ratio, positive=positive, n_alphas=12)
        check_path(path, x, y, positive=positive)
        assert len(path) == 12 and not path.coef[0].any() and (positive or path.coef[-1].any())
    weights, factor = RNG.integers(0, 4, n).astype(float), RNG.uniform(0.5, 2, p)
    path = fastlsq.elastic_net_path(x, y, l1_ratio=ratio, weights=weights, penalty_factor=factor, intercept=False,
                                    n_alphas=5)
    check_path(path, x, y, weights, False, factor)


@pytest.mark.parametrize("correlation", [0.0, 0.95])
def test_wide_problems_by_moments_and_by_rows_agree(correlation, monkeypatch):
    x, y = data(40, 400, correlation)
    by_rows = fastlsq.elastic_net_path(x, y, n_alphas=12, eps=1e-3)
    monkeypatch.setattr("fastlsq.gram.elastic_net._FEW_COLUMNS", 1024)
    by_moments = fastlsq.elastic_net_path(x, y, n_alphas=12, eps=1e-3)
    assert by_rows.converged.all() and by_moments.converged.all()
    np.testing.assert_allclose(by_moments.alphas, by_rows.alphas, rtol=1e-12)
    np.testing.assert_allclose(by_moments.objective, by_rows.objective, rtol=1e-8)
    check_path(by_moments, x, y)


@pytest.mark.parametrize("p", [5, 300])
def test_conditions_to_the_last_digits(p):
    x, y = data(60, p)
    path = fastlsq.elastic_net_path(x, y, l1_ratio=0.7, n_alphas=6, tol=1e-15, eps=0.05)
    for i, alpha in enumerate(path.alphas):
        *_, breach, _ = measures(x, y, None, True, path.coef[i], path.intercept[i], alpha, 0.7, np.ones(p), False)
        assert breach < 2e-14


@pytest.mark.parametrize("wide", [False, True])
def test_columns_without_a_penalty_and_left_out(wide):
    x, y = data(80, 300 if wide else 12)
    p = x.shape[1]
    factor = np.ones(p)
    factor[[1, 5]], factor[[0, 7]] = 0.0, np.inf
    path = fastlsq.elastic_net_path(x, y, penalty_factor=factor, n_alphas=8, eps=0.05)
    assert path.converged.all() and not path.coef[:, [0, 7]].any()
    free = fastlsq.ols(x[:, [1, 5]], y)
    np.testing.assert_allclose(path.coef[0, [1, 5]], free.coef, rtol=1e-7)
    others = np.setdiff1d(np.arange(p), [1, 5])
    assert np.abs(path.coef[0, others]).max() < 1e-9 and np.abs(path.coef[1, others]).max() > 1e-3
    rest = np.setdiff1d(np.arange(p), [0, 7])
    again = fastlsq.elastic_net_path(x[:, rest], y, penalty_factor=factor[rest], alphas=path.alphas)
    np.testing.assert_allclose(path.objective, again.objective, rtol=1e-9)


@pytest.mark.parametrize("wide", [False, True])
def test_weights_repeat_rows(wide):
    x, y = data(50, 300 if wide else 6)
    weights = RNG.integers(0, 4, 50)
    rows = np.repeat(np.arange(50), weights)
    once = fastlsq.elastic_net(x, y, 0.2, weights=weights, tol=1e-14)
    often = fastlsq.elastic_net(x[rows], y[rows], 0.2, tol=1e-14)
    np.testing.assert_allclose(once.coef, often.coef, rtol=0, atol=1e-9)
    np.testing.assert_allclose([once.intercept, once.objective], [often.intercept, often.objective], rtol=1e-9)


@pytest.mark.parametrize("p", [4, 300])
@pytest.mark.parametrize("large", [1e30, 1e160, 1e308])
@pytest.mark.parametrize("where", ["X", "y", "both"])
def test_rows_of_weight_zero_say_nothing(p, large, where):
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((40, p)), rng.standard_normal(40)
    x[:, 1] = 2.5
    without = fastlsq.elastic_net(x[1:], y[1:], 0.1, tol=1e-13)
    folds = [(np.arange(1, 25), np.arange(25, 40)), (np.arange(20, 40), np.arange(1, 20))]
    errors = fastlsq.elastic_net_cv(x, y, alphas=[0.1], cv=folds, tol=1e-13).mse_path
    if where != "X":
        y[0] = large
    if where != "y":
        x[0] = large
    weights = np.append(0.0, np.ones(39))
    fit = fastlsq.elastic_net(x, y, 0.1, weights=weights, tol=1e-13)
    assert fit.converged and fit.coef[1] == 0
    np.testing.assert_allclose(fit.coef, without.coef, atol=1e-9)
    np.testing.assert_allclose([fit.intercept, fit.objective], [without.intercept, without.objective], rtol=1e-8)
    folds[1] = folds[1][0], np.arange(20)
    found = fastlsq.elastic_net_cv(x, y, alphas=[0.1], cv=folds, weights=weights, tol=1e-13).mse_path
    np.testing.assert_allclose(found, errors, rtol=1e-7)


@pytest.mark.parametrize("ratio", [0.5, 1.0])
@pytest.mark.parametrize("wide", [False, True])
def test_columns_that_repeat_depend_or_say_nothing(ratio, wide):
    x, y = data(60, 280 if wide else 8)
    x[:, 1] = x[:, 0]
    x[:, 2] = x[:, 3] - 2 * x[:, 4]
    x[:, 5], x[:, 6] = 0.0, 7.25
    path = fastlsq.elastic_net_path(x, y, l1_ratio=ratio, n_alphas=10)
    check_path(path, x, y)
    assert not path.coef[:, 5:7].any()
    if ratio < 1:
        np.testing.assert_allclose(path.coef[:, 0], path.coef[:, 1], atol=1e-5)


@pytest.mark.parametrize("wide", [False, True])
def test_units_of_columns(wide):
    x, y = data(60, 280 if wide else 9)
    units = 2.0 ** RNG.integers(-27, 28, x.shape[1])
    plain = fastlsq.elastic_net_path(x, y, l1_ratio=1.0, n_alphas=8, eps=0.01)
    for scale in (units, units * RNG.uniform(0.5, 2, units.size)):
        path = fastlsq.elastic_net_path(x * scale, 1e6 * y, l1_ratio=1.0, penalty_factor=scale, n_alphas=8, eps=0.01)
        np.testing.assert_allclose(path.alphas, 1e6 * plain.alphas, rtol=1e-12)
        np.testing.assert_allclose(path.objective, 1e12 * plain.objective, rtol=1e-8)
        np.testing.assert_allclose(path.coef * scale, 1e6 * plain.coef, atol=20.0)
    powers = fastlsq.elastic_net_path(x * units, y, l1_ratio=1.0, penalty_factor=units, n_alphas=8, eps=0.01)
    np.testing.assert_allclose(powers.coef * units, plain.coef, atol=1e-12 if not wide else 1e-5)


@pytest.mark.parametrize("wide", [False, True])
def test_default_alphas_have_the_units_of_the_data(wide, monkeypatch):
    monkeypatch.setattr("fastlsq.gram.elastic_net.use_rows", lambda problem: wide)
    rng = np.random.default_rng(1)
    x = rng.standard_normal((50, 3))
    y = x[:, 0] + rng.standard_normal(50)
    plain = fastlsq.elastic_net_path(x, y, l1_ratio=1.0, n_alphas=5)
    for scale in (2.0**-30, 2.0**-200, 2.0**200):
        path = fastlsq.elastic_net_path(scale * x, scale * y, l1_ratio=1.0, n_alphas=5)
        np.testing.assert_allclose(path.alphas, scale**2 * plain.alphas, rtol=1e-12)
        np.testing.assert_allclose(path.coef, plain.coef, rtol=1e-9)


@pytest.mark.parametrize("wide", [False, True])
def test_default_alphas_where_nothing_is_left_to_fit(wide, monkeypatch):
    """scikit-learn's choice where no alpha is needed, whether the rest is zero or rounding."""
    monkeypatch.setattr("fastlsq.gram.elastic_net.use_rows", lambda problem: wide)
    x = np.random.default_rng(2).standard_normal((50, 4))
    for y, factor in ((np.full(50, 0.1), None), (np.zeros(50), None), (1e9 * x[:, 0] + 0.3, [0, 1, 1, 1]),
                      (x[:, 0] / 3 - x[:, 1], [0, 0, 1, 1])):
        path = fastlsq.elastic_net_path(x, y, penalty_factor=factor, n_alphas=3)
        assert (path.alphas == 1e-15).all() and path.converged.all()


def test_extreme_targets_and_columns():
    x, y = data(80, 4)
    plain = fastlsq.elastic_net(x, y, 0.1, l1_ratio=1.0)
    large = fastlsq.elastic_net(x * 2.0**600, y * 2.0**300, 0.1 * 2.0**300, l1_ratio=1.0,
                                penalty_factor=np.full(4, 2.0**600))
    np.testing.assert_allclose(large.coef * 2.0**300, plain.coef, rtol=1e-9)


@pytest.mark.parametrize("p", [4, 300])
def test_an_l1_penalty_below_rounding_is_none(p):
    rng = np.random.default_rng(4)
    x = rng.standard_normal((60, p))
    y = x[:, 0] + rng.standard_normal(60)
    for alpha, ratio in ((1e-310, 0.5), (1e-310, 0.0), (1.0, 1e-300), (0.1, 1e-17), (0.1, 1e-15), (1e-17, 1.0),
                         (1e-15, 0.5)):
        fit = fastlsq.elastic_net(x, y, alpha, l1_ratio=ratio)
        assert fit.converged and fit.n_iter < 100
        if ratio < 1e-9:
            none = fastlsq.elastic_net(x, y, alpha, l1_ratio=0.0)
            np.testing.assert_allclose(fit.objective, none.objective, rtol=1e-9)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("p", [4, 300])
def test_penalties_and_squares_beyond_the_range(p):
    rng = np.random.default_rng(5)
    x = rng.standard_normal((60, p))
    y = x[:, 0] + rng.standard_normal(60)
    large = fastlsq.elastic_net_path(x, y * 2.0**600, l1_ratio=1.0, n_alphas=3)
    plain = fastlsq.elastic_net_path(x, y, l1_ratio=1.0, n_alphas=3)
    assert large.converged.all() and np.isinf(large.objective).all()
    np.testing.assert_allclose(large.coef / 2.0**600, plain.coef, rtol=1e-9)
    assert np.isinf(fastlsq.elastic_net_cv(x, y * 2.0**600, alphas=[2.0**590], cv=3).mse_path).all()
    factor = np.append(np.ones(p - 1), 1e308)
    without = fastlsq.elastic_net(x, y, 0.1, penalty_factor=np.append(np.ones(p - 1), np.inf))
    fit = fastlsq.elastic_net(x, y, 0.1, penalty_factor=factor)
    np.testing.assert_allclose(fit.coef, without.coef, atol=1e-5)
    assert fit.converged and np.isfinite(fit.objective)
    for scale, target in ((1e-160, 1e-160), (1e-300, 1.0)):
        fit = fastlsq.elastic_net(x * scale, y * target, 0.1)
        assert fit.converged and not fit.coef.any() and np.isfinite(fit.objective)


def test_ends_of_the_path():
    x, y = data(200, 6)
    path = fastlsq.elastic_net_path(x, y, n_alphas=3)
    above = fastlsq.elastic_net(x, y, path.alphas[0] * 1.0001)
    below = fastlsq.elastic_net(x, y, path.alphas[0] * 0.999)
    assert not above.coef.any() and np.count_nonzero(below.coef) == 1 and above.n_iter == 0
    np.testing.assert_allclose(above.intercept, y.mean(), rtol=1e-13)
    nothing, ols = fastlsq.elastic_net(x, y, 0.0), fastlsq.ols(x, y)
    np.testing.assert_allclose(nothing.coef, ols.coef, rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(nothing.objective, ols.rss / 400, rtol=1e-12)
    ridge = fastlsq.elastic_net(x, y, 0.3, l1_ratio=0.0, tol=1e-15)
    centred = x - x.mean(axis=0)
    want = np.linalg.solve(centred.T @ centred / 200 + 0.3 * np.eye(6), centred.T @ (y - y.mean()) / 200)
    np.testing.assert_allclose(ridge.coef, want, rtol=1e-7, atol=3e-8)  # the root of the gap
    level = fastlsq.elastic_net_path(x, np.full(200, 3.5), n_alphas=4)
    assert not level.coef.any() and level.converged.all() and (level.intercept == 3.5).all()
    assert not fastlsq.elastic_net(np.full((9, 2), 4.0), y[:9], 0.1).coef.any()


def test_ill_conditioned_moments_are_polished(monkeypatch):
    x = RNG.integers(-1000, 1001, (60, 3)).astype(float) * 2**17
    x[:, 1] = x[:, 0] + RNG.integers(-9, 10, 60) * 2.0**8
    y = (x[:, 0] / 2**20 + 3 * (x[:, 1] - x[:, 0]) / 2**8).round() + RNG.integers(-9, 10, 60)
    factor = np.array([0.0, 0.0, 2.0**17])
    coef, level, objective = exact(x, y, 0.5, 1.0, factor=factor)
    fit = fastlsq.elastic_net(x, y, 0.5, l1_ratio=1.0, penalty_factor=factor, tol=1e-15)
    assert fit.polished
    np.testing.assert_allclose(fit.coef, [float(b) for b in coef], rtol=1e-9)
    np.testing.assert_allclose([fit.intercept, fit.objective], [float(level), float(objective)], rtol=1e-9)
    monkeypatch.setattr("fastlsq.gram.elastic_net.polish", lambda *arguments: None)
    rough = fastlsq.elastic_net(x, y, 0.5, l1_ratio=1.0, penalty_factor=factor, tol=1e-15)
    assert abs(rough.coef[1] / float(coef[1]) - 1) > 1e-9


def test_more_columns_than_fit_in_moments(monkeypatch):
    x, y = data(150, 40)
    by_moments = fastlsq.elastic_net_path(x, y, n_alphas=6, tol=1e-13)
    monkeypatch.setattr("fastlsq.gram.elastic_net.use_rows", lambda problem: True)
    by_rows = fastlsq.elastic_net_path(x, y, n_alphas=6, tol=1e-13)
    np.testing.assert_allclose(by_rows.coef, by_moments.coef, atol=1e-7)
    np.testing.assert_allclose(by_rows.objective, by_moments.objective, rtol=1e-12)


# ---- input ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [4, 270])
@pytest.mark.parametrize("layout", ["F", "float32", "float16", "int16", "strided", "reversed", "readonly", "y 2-D"])
def test_layouts(layout, p):
    x, y = RNG.integers(-20, 21, (90, p)).astype(float), RNG.integers(-50, 51, 90).astype(float)
    plain = fastlsq.elastic_net_path(x, y, n_alphas=4, eps=0.1)
    if layout == "F":
        x = np.asfortranarray(x)
    elif layout in ("float32", "float16", "int16"):
        x, y = x.astype(layout), y.astype(layout)
    elif layout == "strided":
        x, y = np.repeat(np.repeat(x, 2, axis=0), 3, axis=1)[::2, ::3], np.repeat(y, 3)[::3]
    elif layout == "reversed":
        x, y = x[::-1].copy()[::-1], y[::-1].copy()[::-1]
    elif layout == "readonly":
        x.flags.writeable = y.flags.writeable = False
    path = fastlsq.elastic_net_path(x, y[:, None] if layout == "y 2-D" else y, n_alphas=4, eps=0.1)
    np.testing.assert_allclose(path.coef, plain.coef, atol=1e-9)
    np.testing.assert_allclose(path.predict(x), plain.predict(x), atol=1e-7)


@pytest.mark.parametrize("p", [30, 300])
def test_bits_do_not_depend_on_threads(p):
    x, y = data(3000 if p == 30 else 50, p)
    first = fastlsq.elastic_net_path(x, y, n_alphas=10, n_threads=1)
    cv = fastlsq.elastic_net_cv(x, y, n_alphas=5, eps=0.1, l1_ratio=[0.5, 1.0], n_threads=1)
    for n_threads in (2, 3, 8):
        again = fastlsq.elastic_net_path(x, y, n_alphas=10, n_threads=n_threads)
        assert np.array_equal(first.coef, again.coef) and np.array_equal(first.dual_gap, again.dual_gap)
        other = fastlsq.elastic_net_cv(x, y, n_alphas=5, eps=0.1, l1_ratio=[0.5, 1.0], n_threads=n_threads)
        assert np.array_equal(cv.mse_path, other.mse_path) and np.array_equal(cv.coef, other.coef)


@pytest.mark.parametrize("p", [1, 2, 3, 7, 8, 9, 16, 17, 33])
def test_every_kernel(kernel, p):
    x, y = data(100, p)
    m, c, yy = x.T @ x, x.T @ y, float(y @ y)
    l1, l2 = np.ones(p), np.full(p, 0.5)
    alphas = np.abs(c).max() * np.array([1.0, 0.1, 0.01])
    problem = lib.Penalized(m, c, yy, l1, l2, alphas, False, 1e-13, 1000)
    lib.elastic_net_paths([problem], 1, kernel)
    assert (problem.gap <= 1e-13 * yy).all() and problem.b[-1].any()
    q = c - problem.b @ m
    for b, own, alpha in zip(problem.b, q, alphas, strict=True):
        slope = own - alpha * l2 * b
        breach = np.where(b != 0, slope - alpha * l1 * np.sign(b), np.maximum(np.abs(slope) - alpha * l1, 0))
        assert np.abs(breach).max() <= 1e-6 * np.abs(c).max()


def test_the_cap_is_kept_and_said():
    x, y = data(100, 40, 0.9)
    fit = fastlsq.elastic_net_path(x, y, max_iter=1, tol=1e-14, n_alphas=5)
    assert not fit.converged.all() and (fit.n_iter <= 1).all()
    assert (fit.dual_gap[~fit.converged] > 1e-14 * y.var()).all()
    wide = fastlsq.elastic_net_path(*data(30, 300), max_iter=2, tol=1e-14, n_alphas=5)
    assert not wide.converged.all()
    exhausted = fastlsq.elastic_net_path(x, y, tol=0.0, n_alphas=5)  # rounding ends it, not the cap
    assert exhausted.n_iter.max() < 1000 and exhausted.dual_gap.max() < 1e-13 * y.var()


def test_names_and_words():
    class Frame:
        columns = ("first", "second")

        def __array__(self, dtype=None, copy=None):
            return x

    x, y = data(40, 2)
    fit = fastlsq.elastic_net(Frame(), y, 0.1)
    assert fit.names == ["first", "second"] and "of 2 columns" in repr(fit)
    np.testing.assert_allclose(fit.predict(x), x @ fit.coef + fit.intercept)
    path = fastlsq.elastic_net_path(x, y, names=["a", "b"], n_alphas=7)
    assert path[3].names == ["a", "b"] and path[3].alpha == path.alphas[3] and "7 alphas" in repr(path)
    with pytest.raises(ValueError, match="X has 1 columns, the model has 2"):
        path.predict(x[:, :1])


def test_states_of_moments():
    x, y = data(500, 5)
    state = fastlsq.Gram().update(x[:200], y[:200]) + fastlsq.Gram().update(x[200:], y[200:])
    path = path_from_equations(state.equations(), state.names, n_alphas=9)
    whole = fastlsq.elastic_net_path(x, y, n_alphas=9)
    np.testing.assert_allclose(path.alphas, whole.alphas, rtol=1e-12)
    np.testing.assert_allclose(path.coef, whole.coef, atol=1e-8)


@pytest.mark.parametrize(
    "change, message",
    [
        ({"alpha": -1.0}, "alpha must be finite and >= 0"),
        ({"alpha": np.nan}, "alpha must be finite and >= 0"),
        ({"l1_ratio": 1.5}, "l1_ratio must be between 0 and 1"),
        ({"tol": -1.0}, "tol must be finite and >= 0"),
        ({"max_iter": 0}, "max_iter must be an integer >= 1"),
        ({"penalty_factor": [1.0]}, r"penalty_factor must have shape \(3,\)"),
        ({"penalty_factor": [1.0, -1.0, 1.0]}, "penalty_factor must be >= 0"),
        ({"penalty_factor": [1.0, np.nan, 1.0]}, "penalty_factor must be >= 0"),
        ({"weights": -np.ones(20)}, "weights must be finite and >= 0"),
        ({"weights": np.zeros(20)}, "weights must not all be zero"),
        ({"y": np.ones((20, 2))}, r"y must be 1-D or \(n, 1\)"),
        ({"y": np.ones(7)}, "y has 7 rows, X has 20"),
        ({"X": np.empty((0, 3)), "y": np.empty(0)}, "X has no rows"),
        ({"X": np.empty((20, 0))}, "X has no columns"),
    ],
)
def test_bad_arguments(change, message):
    x, y = data(20, 3)
    with pytest.raises(ValueError, match=message):
        fastlsq.elastic_net(**({"X": x, "y": y, "alpha": 0.1} | change))


@pytest.mark.parametrize("p", [3, 300])
def test_values_that_are_not_finite(p):
    x, y = data(40, p)
    x[31, 2] = np.nan
    for call in (lambda: fastlsq.elastic_net(x, y, 0.1), lambda: fastlsq.elastic_net_cv(x, y, cv=4),
                 lambda: fastlsq.elastic_net_cv(x, y, cv=np.arange(40) % 3)):
        with pytest.raises(ValueError, match="X must not contain infs or NaNs; row 31, column 2 is nan"):
            call()
    x[31, 2], y[38] = 0.0, np.inf
    for call in (lambda: fastlsq.elastic_net_path(x, y), lambda: fastlsq.elastic_net_cv(x, y)):
        with pytest.raises(ValueError, match="y must not contain infs or NaNs; row 38, column 0 is inf"):
            call()


def test_paths_need_alphas_that_exist():
    x, y = data(20, 3)
    for change, message in (({"l1_ratio": 0.0}, "alphas must be given when l1_ratio is 0"),
                            ({"n_alphas": 0}, "n_alphas"), ({"eps": 0.0}, "eps must be"),
                            ({"alphas": []}, "alphas must be 1-D and not empty"),
                            ({"alphas": [1.0, -1.0]}, "alphas must be finite and >= 0")):
        with pytest.raises(ValueError, match=message):
            fastlsq.elastic_net_path(x, y, **change)


def test_boundary_checks_its_sizes():
    one = np.ones(2)
    for m, c, l1, start in ((np.eye(3), one, one, None), (np.eye(2), one, np.ones(3), None),
                            (np.eye(2), one, one, np.ones(1))):
        with pytest.raises(ValueError):
            lib.Penalized(m, c, 1.0, l1, one, np.ones(1), False, 0.1, 5, start)
    with pytest.raises(ValueError):
        lib.Penalized(np.eye(2), one, 1.0, one, one, one, False, 0.1, 5, None, (np.eye(3), one, 1.0, 1.0, one, 0.0))


# ---- peers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [0.2, 1.0])
@pytest.mark.parametrize("n, p", [(200, 15), (50, 280)])
def test_objective_of_scikit_learn(n, p, ratio):
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, y = data(n, p, 0.4)
    weights = RNG.integers(0, 3, n).astype(float)
    path = fastlsq.elastic_net_path(x, y, l1_ratio=ratio, weights=weights, n_alphas=5, eps=0.01)
    for i, alpha in enumerate(path.alphas[1:], 1):
        peer = linear_model.ElasticNet(alpha=alpha, l1_ratio=ratio, tol=1e-11, max_iter=100_000)
        peer.fit(x, y, sample_weight=weights)
        theirs, *_ = measures(x, y, weights, True, peer.coef_, peer.intercept_, alpha, ratio, np.ones(p), False)
        np.testing.assert_allclose(path.objective[i], float(theirs), rtol=1e-10)


@pytest.mark.filterwarnings("ignore")
def test_objective_of_celer():
    celer = pytest.importorskip("celer")
    x, y = data(300, 20, 0.4)
    x, y = np.asfortranarray(x - x.mean(axis=0)), y - y.mean()
    path = fastlsq.elastic_net_path(x, y, l1_ratio=0.5, n_alphas=6, eps=0.01, tol=1e-14)
    _, coef, _ = celer.celer_path(x, y, pb="lasso", alphas=path.alphas, l1_ratio=0.5, tol=1e-13, max_iter=1000)
    for i, alpha in enumerate(path.alphas):
        theirs, *_ = measures(x, y, None, True, coef[:, i], 0.0, alpha, 0.5, np.ones(20), False)
        np.testing.assert_allclose(path.objective[i], float(theirs), rtol=1e-10)
