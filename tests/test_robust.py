# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Covariances of OLS: statsmodels' numbers, exact rational sandwiches, and brute force.

`ols_reference.json` holds data sets that statsmodels ships in the public domain and what statsmodels makes of them; its
first entry says which version and how.
"""

import json
import math
import pickle
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

import fastlsq
from fastlsq.gram.ols import OLSResult
from fastlsq.solve.deficient import solve_moments
from fastlsq.solve.moments import NormalEquations, Problem, first_units

REFERENCE = json.loads((Path(__file__).parent / "ols_reference.json").read_text())
SETS = [name for name in REFERENCE if name != "source"]
HETEROSKEDASTIC = ["HC0", "HC1", "HC2", "HC3"]
ALL = [{"cov": "classical"}, *({"cov": cov} for cov in HETEROSKEDASTIC), {"cov": "cluster"}, {"cov": "HAC", "lags": 3}]


def of_set(name, weighted=False):
    data = REFERENCE[name]
    return np.array(data["x"]), np.array(data["y"]), np.array(data["weights"]) if weighted else None


def request(kind, groups):
    return {**kind, "groups": groups} if kind["cov"] == "cluster" else kind


# ---- statsmodels ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SETS)
def test_statsmodels_covariances(name):
    for want in REFERENCE[name]["fits"]:
        x, y, w = of_set(name, want["weighted"])
        kind = {key: want[key] for key in ("cov", "lags") if key in want}
        groups = np.array(REFERENCE[name]["groups"])
        fit = fastlsq.ols(x, y, weights=w, **request(kind, groups if "ways" in want else groups[:, 0]))
        assert fit.cov_type == want["cov"]
        # on Longley, of condition 5e9 as it is, statsmodels is off by 1e-8 itself: test_longley_exactly
        rtol = 5e-8 if name == "longley" else 1e-8
        np.testing.assert_allclose(fit.standard_errors, want["standard_errors"], rtol=rtol)
        np.testing.assert_allclose(fit.t_values, want["t_values"], rtol=rtol)
        np.testing.assert_allclose(fit.p_values, want["p_values"], rtol=1e-7, atol=1e-14)
        half = np.abs(want["standard_errors"])[:, None]
        np.testing.assert_allclose(fit.conf_int(0.9) / half, np.array(want["conf_int"]) / half, rtol=rtol, atol=rtol)
        if "ways" in want and not np.isnan(fit.f_value):
            assert fit.f_value == pytest.approx(want["f_value"], rel=2 * rtol)
        if "ways" not in want and not (name == "longley" and want["cov"] == "cluster"):  # 7 groups, 6 slopes
            assert fit.f_value == pytest.approx(want["f_value"], rel=2 * rtol)
            assert fit.f_p_value == pytest.approx(want["f_p_value"], rel=1e-7)
        test = fit.wald_test(np.eye(len(fit.params))[1:3], 0.5)
        if not np.isnan(test.f_value):  # two ways of clustering need not give a variance
            assert (test.f_value, test.p_value) == pytest.approx(tuple(want["wald"]), rel=1e-7)
        if name != "longley":  # there statsmodels, which forms x V xᵀ about zero, is off by up to 3e-3
            some = fit.predict(x[:4], "mean"), fit.predict(x[:4], "prediction")
            np.testing.assert_allclose(some[0].standard_errors, want["se_mean"], rtol=1e-8)
            np.testing.assert_allclose(some[1].standard_errors, want["se_obs"], rtol=1e-8)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", SETS)
def test_statsmodels_figures(name, weighted):
    x, y, w = of_set(name, weighted)
    fit = fastlsq.ols(x, y, weights=w)
    for attribute, want in REFERENCE[name]["weighted" if weighted else "plain"].items():
        np.testing.assert_allclose(getattr(fit, attribute), want, rtol=1e-9, err_msg=attribute)


# ---- exact ---------------------------------------------------------------------------------------------------------


def exact_inverse(m):
    n = len(m)
    rows = [[*row, *(Fraction(int(i == j)) for j in range(n))] for i, row in enumerate(m)]
    for i in range(n):
        pivot = next(r for r in range(i, n) if rows[r][i] != 0)
        rows[i], rows[pivot] = rows[pivot], rows[i]
        rows[i] = [v / rows[i][i] for v in rows[i]]
        for r in range(n):
            if r != i and rows[r][i] != 0:
                rows[r] = [a - rows[r][i] * b for a, b in zip(rows[r], rows[i], strict=True)]
    return [row[n:] for row in rows]


def exact_dot(a, b):
    return sum((p * q for p, q in zip(a, b, strict=True)), Fraction(0))


class Exact:
    """A fit in rational arithmetic: inverse of the cross products, residuals, leverages, scores, sandwiches."""

    def __init__(self, x, y, w):
        self.z = [[Fraction(1), *map(Fraction, row)] for row in x.tolist()]
        self.n, self.k = len(self.z), len(self.z[0])
        self.w = [Fraction(1)] * self.n if w is None else [Fraction(v) for v in w.tolist()]
        y = [Fraction(v) for v in y.tolist()]
        columns = list(zip(*self.z, strict=True))
        weighted = [[v * u for v, u in zip(column, self.w, strict=True)] for column in columns]
        self.inverse = exact_inverse([[exact_dot(a, b) for b in columns] for a in weighted])
        self.b = [exact_dot(row, [exact_dot(a, y) for a in weighted]) for row in self.inverse]
        self.e = [v - exact_dot(row, self.b) for v, row in zip(y, self.z, strict=True)]
        self.h = [u * exact_dot(row, [exact_dot(a, row) for a in self.inverse])
                  for u, row in zip(self.w, self.z, strict=True)]
        self.scores = [[u * e * v for v in row] for u, e, row in zip(self.w, self.e, self.z, strict=True)]

    def covariance(self, cov, groups=None, lags=None):
        n, k, s = self.n, self.k, self.scores
        if cov == "classical":
            sigma2 = sum(u * e * e for u, e in zip(self.w, self.e, strict=True)) / (n - k)
            return [[sigma2 * v for v in row] for row in self.inverse]
        if cov == "cluster":
            kinds = sorted(set(groups))
            sums = [[sum(s[i][j] for i in range(n) if groups[i] == g) for j in range(k)] for g in kinds]
            factor = Fraction(len(kinds), len(kinds) - 1) * Fraction(n - 1, n - k)
            meat = [[factor * sum(t[i] * t[j] for t in sums) for j in range(k)] for i in range(k)]
        elif cov == "HAC":
            meat = [[sum(Fraction(lags + 1 - abs(t - u), lags + 1) * s[t][i] * s[u][j] for t in range(n)
                         for u in range(max(0, t - lags), min(n, t + lags + 1))) for j in range(k)] for i in range(k)]
        else:
            power = {"HC2": 1, "HC3": 2}.get(cov, 0)
            factor = Fraction(n, n - k) if cov == "HC1" else Fraction(1)
            f = [factor / (1 - h) ** power for h in self.h]
            meat = [[sum(f[t] * s[t][i] * s[t][j] for t in range(n)) for j in range(k)] for i in range(k)]
        half = [[exact_dot(row, column) for column in zip(*meat, strict=True)] for row in self.inverse]
        return [[exact_dot(row, column) for column in self.inverse] for row in half]


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind["cov"])
def test_longley_exactly(kind, weighted):
    x, y, w = of_set("longley", weighted)
    groups = np.array(REFERENCE["longley"]["groups"])[:, 0].tolist()
    fit, exact = fastlsq.ols(x, y, weights=w, **request(kind, groups)), Exact(x, y, w)
    want = exact.covariance(**request(kind, groups))
    errors = [math.sqrt(want[i][i]) for i in range(7)]
    np.testing.assert_allclose(fit.standard_errors, errors, rtol=3e-10)
    scaled = [[float(want[i][j]) / (errors[i] * errors[j]) for j in range(7)] for i in range(7)]
    np.testing.assert_allclose(fit.covariance / np.outer(errors, errors), scaled, rtol=0, atol=1e-9)
    means = [math.sqrt(exact_dot(row, [exact_dot(a, row) for a in want])) for row in exact.z]
    np.testing.assert_allclose(fit.predict(x, "mean").standard_errors, means, rtol=1e-8)


# ---- against explicit matrices -------------------------------------------------------------------------------------


def data(n, p, seed=5, k=None):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p)) * np.arange(1, p + 1) + 3
    noise = rng.standard_normal((n, k) if k else n)
    size = 0.5 + np.abs(x[:, 0])
    y = x @ rng.standard_normal((p, k) if k else p) + noise * (size[:, None] if k else size)
    return x, y, rng.uniform(0.2, 2.0, n), rng.integers(0, 9, n)


def brute(x, y, w, intercept, cov, groups=None, lags=None):
    """The covariance with explicit matrices, in extended precision but for the pseudo-inverse."""
    n = len(y)
    z = np.column_stack([np.ones(n), x]) if intercept else np.asarray(x, float)
    w = np.ones(n) if w is None else np.asarray(w, float)
    root = np.sqrt(w)[:, None] * z
    rank = np.linalg.matrix_rank(root)
    inverse = np.linalg.pinv(root, rcond=1e-10)
    b = inverse @ (np.sqrt(w) * y)
    e, h = y - z @ b, np.einsum("ij,ji->i", root, inverse)
    scores = (z * (w * e)[:, None]).astype(np.longdouble)
    bread = (inverse @ inverse.T).astype(np.longdouble)
    used = np.count_nonzero(w)
    if cov == "classical":
        return (w * e * e).sum() / (used - rank) * bread
    if cov == "cluster":
        sums = np.array([scores[groups == g].sum(0) for g in np.unique(groups[w > 0])])
        meat = sums.T @ sums * (len(sums) / (len(sums) - 1) * (used - 1) / (used - rank))
    elif cov == "HAC":
        meat = scores.T @ scores
        for lag in range(1, lags + 1):
            product = scores[lag:].T @ scores[:-lag]
            meat = meat + (1 - lag / (lags + 1)) * (product + product.T)
    else:
        f = {"HC0": 1.0, "HC1": used / (used - rank), "HC2": 1 / (1 - h), "HC3": (1 - h) ** -2.0}[cov]
        meat = (scores * np.reshape(f, (-1, 1))).T @ scores
    return bread @ meat @ bread


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind["cov"])
@pytest.mark.parametrize(("n", "p"), [(60, 1), (129, 2), (1025, 11), (300, 12), (2049, 13), (257, 25)])
def test_brute_force(n, p, kind, intercept):
    x, y, w, groups = data(n, p)
    for weights in (None, w):
        own = request(kind, groups)
        fit = fastlsq.ols(x, y, weights=weights, intercept=intercept, **own)
        want = brute(x, y, weights, intercept, **own).astype(float)
        errors = np.sqrt(np.diagonal(want))
        np.testing.assert_allclose(fit.standard_errors, errors, rtol=1e-9)
        sizes = np.outer(errors, errors)
        np.testing.assert_allclose(fit.covariance / sizes, want / sizes, atol=1e-9)


@pytest.mark.parametrize("lags", [0, 1, 2, 5, 63, 64, 65, 299])
def test_windows_of_any_length(lags):
    x, y, _, _ = data(300, 3)
    want = np.sqrt(np.diagonal(brute(x, y, None, True, "HAC", lags=lags))).astype(float)
    found = fastlsq.ols(x, y, cov="HAC", lags=lags).standard_errors
    np.testing.assert_allclose(found, want, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("lags", [3, 700, 1500])
@pytest.mark.parametrize("weighted", [False, True])
def test_windows_across_leaves(lags, weighted):
    x, y, w, _ = data(3000, 2)
    w[::3] = 0.0
    weights, kept = (w, w > 0) if weighted else (None, slice(None))
    want = brute(x[kept], y[kept], w[kept] if weighted else None, True, "HAC", lags=lags)
    found = fastlsq.ols(x, y, weights=weights, cov="HAC", lags=lags).standard_errors
    np.testing.assert_allclose(found, np.sqrt(np.diagonal(want)).astype(float), rtol=1e-9)


def test_clusters_and_labels():
    x, y, _, groups = data(300, 3)
    want = fastlsq.ols(x, y, cov="cluster", groups=groups)
    assert want.df_inference == 8
    names = np.array([f"village {g}" for g in groups])
    np.testing.assert_array_equal(fastlsq.ols(x, y, cov="cluster", groups=names).covariance, want.covariance)
    by_two = fastlsq.ols(x, y, cov="cluster", groups=(names, groups // 3))
    np.testing.assert_allclose(by_two.covariance, fastlsq.ols(x, y, cov="cluster", groups=groups // 3).covariance,
                               rtol=1e-9)  # one is nested in the other
    each = fastlsq.ols(x, y, cov="cluster", groups=np.arange(300))
    np.testing.assert_allclose(each.covariance, fastlsq.ols(x, y, cov="HC1").covariance * 1.0, rtol=1e-9)


@pytest.mark.parametrize("order", ["sorted", "shuffled"])
@pytest.mark.parametrize("count", [2, 5, 700, 19_000])
def test_clusters_across_leaves(count, order):
    x, y, w, _ = data(20_000, 2)
    groups = np.random.default_rng(count).integers(0, count, 20_000)
    groups[:9000] = 0  # one that has a leaf of its own
    groups = np.sort(groups) if order == "sorted" else groups
    w[5::7] = 0.0
    fit = fastlsq.ols(x, y, weights=w, cov="cluster", groups=groups)
    z = np.column_stack([np.ones(len(x)), x])
    sums = np.zeros((count, 3))
    np.add.at(sums, groups, z * (w * (y - z @ fit.params))[:, None])
    used = len(np.unique(groups[w > 0]))
    n = int(np.count_nonzero(w))
    bread = np.linalg.inv(z.T @ (z * w[:, None]))
    want = bread @ (sums.T @ sums) @ bread * (used / (used - 1) * (n - 1) / (n - 3))
    sizes = np.sqrt(np.diagonal(want))
    np.testing.assert_allclose(fit.covariance / np.outer(sizes, sizes), want / np.outer(sizes, sizes), atol=1e-9)
    assert fit.df_inference == used - 1


@pytest.mark.parametrize("kind", [*ALL[:-1]], ids=lambda kind: kind["cov"])
def test_rows_of_weight_zero_are_not_there(kind):
    x, y, w, groups = data(400, 3)
    w[::3] = 0.0
    groups[::3] = 9
    kept = w > 0
    with_them = fastlsq.ols(x, y, weights=w, **request(kind, groups))
    without = fastlsq.ols(x[kept], y[kept], weights=w[kept], **request(kind, groups[kept]))
    np.testing.assert_allclose(with_them.standard_errors, without.standard_errors, rtol=1e-10)
    assert with_them.df_inference == without.df_inference
    assert with_them.aic == pytest.approx(without.aic, rel=1e-12)


# ---- dependent columns ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind["cov"])
def test_dependent_columns(kind, rung):
    x, y, _, groups = data(120, 3)
    z = np.column_stack([x, x[:, 0] + 2 * x[:, 2]])
    fit = fastlsq.ols(z, y, names=["a", "b", "c", "sum"], **request(kind, groups))
    assert fit.aliased == ["sum"] and fit.df_model == 3
    centred = z - z.mean(axis=0)
    full = fastlsq.ols(x, y, **request(kind, groups))
    to_basis = np.linalg.pinv(centred, rcond=1e-10) @ (x - x.mean(axis=0))
    want = to_basis @ full.covariance[1:, 1:] @ to_basis.T
    np.testing.assert_allclose(fit.standard_errors[1:], np.sqrt(np.diagonal(want)), rtol=1e-8)
    np.testing.assert_allclose(fit.predict(z[:9], "mean").standard_errors, full.predict(x[:9], "mean").standard_errors,
                               rtol=1e-8)
    if kind["cov"] != "cluster":
        assert fit.f_value == pytest.approx(full.f_value, rel=1e-8)
    assert fit.aic == pytest.approx(full.aic, rel=1e-10)


def test_ones_beside_an_intercept_and_dummy_traps():
    x, y, _, groups = data(200, 2)
    dummies = (groups[:, None] == np.arange(9)).astype(float)
    full = fastlsq.ols(np.column_stack([x, dummies[:, 1:]]), y, cov="HC3")
    trapped = fastlsq.ols(np.column_stack([np.ones(200), x, dummies]), y, cov="HC3")
    assert trapped.aliased == ["x0", "x11"]
    assert np.isfinite(trapped.params).all() and np.isnan(trapped.standard_errors[1])
    assert trapped.coef[0] == 0.0
    assert trapped.coef[3:].sum() == pytest.approx(0.0, abs=1e-10)  # the shortest: the level is in the intercept
    assert np.isfinite(np.delete(trapped.standard_errors, 1)).all()
    np.testing.assert_allclose(trapped.standard_errors[2:4], full.standard_errors[1:3], rtol=1e-8)
    assert trapped.f_value == pytest.approx(full.f_value, rel=1e-8)


# ---- the core ------------------------------------------------------------------------------------------------------


def score_pass(x, y, w, b, transform, kind, unit, kernel=None, n_threads=1, scale=None, offset=None):
    from fastlsq._core import lib

    n, columns = x.shape[0], x.shape[1] + unit if transform is None else transform.shape[1]
    out = {"residuals": np.empty(n), "leverages": np.empty(n), "scores": np.empty((n, columns)),
           "moments": np.empty((columns, columns))}
    lib.scores(x, y, w, scale, offset, unit, b, transform, kind, n_threads, **out, kernel=kernel)
    return out


@pytest.mark.parametrize("kind", ["plain", "HC2", "HC3", "root"])
@pytest.mark.parametrize(("n", "p"), [(0, 2), (1, 1), (2, 3), (127, 11), (128, 12), (1025, 13), (2050, 23), (65, 50)])
def test_score_pass(kernel, n, p, kind):
    rng = np.random.default_rng(n + p)
    x, y, w = rng.standard_normal((n, p)), rng.standard_normal((n, 1)), rng.uniform(0.1, 1.0, n)
    for unit in (False, True):
        for columns in (None, 1, p + unit + 2):
            lead = p + unit
            scale, offset = np.full(lead + 1, 2.0), np.full(lead + 1, 0.5)
            b = rng.standard_normal(lead)
            t = None if columns is None else rng.standard_normal((lead, columns)) * 0.1
            found = score_pass(x, y, w, b, t, kind, unit, kernel, 2, scale, offset)
            a = (2 * x - 0.5).astype(np.longdouble)
            a = np.column_stack([a, np.ones(n)]) if unit else a
            z = a if t is None else a @ t
            e = 2 * y[:, 0] - 0.5 - a @ b
            h = w * (z * z).sum(axis=1)
            h = np.where(h > 1 - 2.0**-40, 1.0, h)
            with np.errstate(divide="ignore", invalid="ignore"):
                factor = {"plain": w * e, "HC2": w * e / np.sqrt(1 - h), "HC3": w * e / (1 - h), "root": np.sqrt(w)}
            s = (z * factor[kind][:, None]).astype(float)
            np.testing.assert_allclose(found["residuals"], e.astype(float), rtol=0, atol=1e-12 * (p + 2))
            np.testing.assert_allclose(found["leverages"], h.astype(float), rtol=1e-11)
            if kind in ("plain", "root") or (n and (h < 0.99).all()):
                np.testing.assert_allclose(found["scores"], s, rtol=1e-9, atol=1e-9)
                np.testing.assert_allclose(found["moments"], s.T @ s, rtol=1e-9, atol=1e-9 * max(n, 1))
            np.testing.assert_array_equal(found["moments"], found["moments"].T)


def test_score_pass_of_integers_is_exact(kernel):
    rng = np.random.default_rng(4)
    x, y, w = (rng.integers(-3, 4, shape).astype(float) for shape in ((2111, 14), (2111, 1), 2111))
    b, t = rng.integers(-2, 3, 15).astype(float), rng.integers(-1, 2, (15, 13)).astype(float)
    z, weights = np.column_stack([x, np.ones(2111)]), np.abs(w)
    found = score_pass(x, y, weights, b, t, "plain", True, kernel, 3)
    s = z @ t * (weights * (y[:, 0] - z @ b))[:, None]
    np.testing.assert_array_equal(found["scores"], s)
    np.testing.assert_array_equal(found["moments"], s.T @ s)


@pytest.mark.parametrize("p", [1, 11, 25])
def test_sums_of_scores_of_integers_are_exact(kernel, p):
    from fastlsq._core import lib

    rng = np.random.default_rng(p)
    n = 9000
    x, y, w = (rng.integers(-2, 3, shape).astype(float) for shape in ((n, p), (n, 1), n))
    b, w, codes = rng.integers(-1, 2, p + 1).astype(float), np.abs(w), rng.integers(0, 40, n)
    z = np.column_stack([x, np.ones(n)])
    s = z * (w * (y[:, 0] - z @ b))[:, None]
    start, order = lib.group_rows(codes, 40)
    sums, moments = np.zeros((40, p + 1)), np.empty((p + 1, p + 1))
    np.add.at(sums, codes, s)
    lib.clustered_scores(x, y, w, None, None, True, b, None, start, order, 2, moments, kernel=kernel)
    np.testing.assert_array_equal(moments, sums.T @ sums)
    kept = np.vstack([s[w > 0], np.zeros((4, p + 1))])
    moving = sum(np.roll(kept, lag, axis=0) for lag in range(5))
    lib.windowed_scores(x, y, w, None, None, True, b, None, 5, 2, moments, kernel=kernel)
    np.testing.assert_array_equal(moments, moving.T @ moving)


def test_the_boundary_of_sums_of_scores():
    from fastlsq._core import lib

    x, y, b, out = np.ones((4, 2)), np.ones((4, 1)), np.zeros(3), np.empty((3, 3))
    start, order = np.array([0, 2, 4]), np.arange(4)
    rows = x, y, None, None, None, True
    with pytest.raises(ValueError, match="a row that does not exist"):
        lib.clustered_scores(*rows, b, None, start, order + 1, 1, out)
    with pytest.raises(ValueError, match="must have all rows"):
        lib.clustered_scores(*rows, b, None, start[:2], order[:2], 1, out)
    with pytest.raises(ValueError, match="start must rise"):
        lib.clustered_scores(*rows, b, None, np.array([0, 3, 2, 4]), order, 1, out)
    with pytest.raises(ValueError, match="window must be at least 1"):
        lib.windowed_scores(*rows, b, None, 0, 1, out)
    with pytest.raises(ValueError, match="columns x columns"):
        lib.windowed_scores(*rows, b, None, 1, 1, out[:2, :2].copy())
    with pytest.raises(ValueError, match="one entry per column"):
        lib.windowed_scores(*rows, b[:2], None, 1, 1, out)


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind["cov"])
def test_same_bits_for_any_number_of_threads(kind):
    x, y, w, groups = data(20_000, 7)
    want = fastlsq.ols(x, y, weights=w, n_threads=1, **request(kind, groups))
    for n_threads in (2, 3, 8):
        fit = fastlsq.ols(x, y, weights=w, n_threads=n_threads, **request(kind, groups))
        np.testing.assert_array_equal(fit.covariance, want.covariance)
        np.testing.assert_array_equal(fit.predict(x[:99], "mean", n_threads=n_threads).lower,
                                      want.predict(x[:99], "mean", n_threads=1).lower)


@pytest.mark.parametrize("layout", ["F", "strided", "read-only", "reversed", "float32", "float16", "int16"])
@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind["cov"])
def test_layouts(kind, layout):
    x, y, _, groups = data(700, 4)
    x = np.round(x * 8)
    y = np.round(y * 8)
    want = fastlsq.ols(x, y, **request(kind, groups))
    form = {
        "F": np.asfortranarray, "strided": lambda a: np.repeat(a, 2, axis=0)[::2], "read-only": lambda a: a.copy(),
        "reversed": lambda a: a[::-1].copy()[::-1],
    }.get(layout, lambda a: a.astype(layout))
    x, y = form(x), form(y)
    x.flags.writeable = layout != "read-only"
    fit = fastlsq.ols(x, y, **request(kind, groups))
    np.testing.assert_allclose(fit.covariance, want.covariance, rtol=1e-12, atol=1e-18)


# ---- several targets, results without rows -------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind["cov"])
def test_several_targets_are_as_many_fits(kind):
    x, y, w, groups = data(300, 4, k=3)
    fit = fastlsq.ols(x, y, weights=w, **request(kind, groups))
    assert fit.params.shape == fit.standard_errors.shape == (5, 3)
    assert fit.covariance.shape == (3, 5, 5) and fit.conf_int().shape == (5, 2, 3)
    test, predicted = fit.wald_test(np.eye(5)[2:4]), fit.predict(x, "prediction")
    for t in range(3):
        alone = fastlsq.ols(x, y[:, t], weights=w, **request(kind, groups))
        for one in (alone, fit.target(t)):
            np.testing.assert_allclose(fit.params[:, t], one.params, rtol=1e-10)
            np.testing.assert_allclose(fit.covariance[t], one.covariance, rtol=1e-8, atol=1e-14)
            np.testing.assert_allclose(fit.p_values[:, t], one.p_values, rtol=1e-8, atol=1e-300)
            np.testing.assert_allclose(fit.conf_int()[..., t], one.conf_int(), rtol=1e-8)
            for name in ("rss", "tss", "sigma", "r_squared", "adj_r_squared", "f_value", "f_p_value", "aic", "bic"):
                np.testing.assert_allclose(getattr(fit, name)[t], getattr(one, name), rtol=1e-8, err_msg=name)
            assert test.f_value[t] == pytest.approx(one.wald_test(np.eye(5)[2:4]).f_value, rel=1e-8)
            np.testing.assert_allclose(predicted.lower[:, t], one.predict(x, "prediction").lower, rtol=1e-8)
    assert "3 targets" in repr(fit)
    column = fastlsq.ols(x, y[:, :1], **request(kind, groups))
    assert column.coef.shape == (4,) and isinstance(column.sigma, float)


def test_moments_of_several_targets():
    from fastlsq._core import lib

    x, y, _, _ = data(300, 4, k=2)
    problem = Problem(x, y, None, True, 1, ("X", "y"))
    units, moments = first_units(problem), lib.Moments(4, 2, True)
    moments.update(x, y, None, *units.core_arguments(), 1)
    fit = OLSResult(solve_moments(NormalEquations.from_moments(moments, units, 300)), list("abcd"), 300)
    want = fastlsq.ols(x, y)
    np.testing.assert_allclose(fit.standard_errors, want.standard_errors, rtol=1e-9)
    np.testing.assert_allclose(fit.covariance, want.covariance, rtol=1e-8, atol=1e-14)


def test_a_gram_has_no_rows_but_takes_them():
    x, y, w, groups = data(300, 4)
    fit = fastlsq.Gram().update(x, y, w).ols()
    with pytest.raises(ValueError, match="cov='HC1' needs the rows"):
        fit.robust("HC1")
    assert np.isnan(fit.log_likelihood)  # the weights are gone
    for kind in ALL[1:]:
        own = dict(request(kind, groups))
        want = fastlsq.ols(x, y, weights=w, **own)
        cov = own.pop("cov")
        found = fit.robust(cov, x, y, weights=w, **own)
        np.testing.assert_allclose(found.covariance, want.covariance, rtol=1e-8, atol=1e-14)
        assert found.cov_words == want.cov_words and found.df_inference == want.df_inference
        assert fit.cov_type == "classical"
    np.testing.assert_array_equal(found.robust("classical").covariance, fit.covariance)
    with pytest.raises(ValueError, match="other rows than those of the fit"):
        fit.robust("HC1", x[:-1], y[:-1], weights=w[:-1])
    with pytest.raises(ValueError, match="other rows than those of the fit"):
        fit.robust("HC1", x, y)
    plain = fastlsq.Gram().update(x, y).ols()
    assert plain.aic == pytest.approx(fastlsq.ols(x, y).aic, rel=1e-10)


@pytest.mark.parametrize("p", [3, 100])
def test_results_are_small(p):
    x, y, _, _ = data(2000, p)
    fit = fastlsq.ols(x, y)
    assert fit.standard_errors.shape == fit.covariance.diagonal().shape
    packed = pickle.dumps(fit)
    assert len(packed) < 100_000
    np.testing.assert_array_equal(pickle.loads(packed).standard_errors, fit.standard_errors)
    packed, want = pickle.dumps(fit.robust("HC3", x, y)), fastlsq.ols(x, y, cov="HC3")
    assert len(packed) < 100_000
    found = pickle.loads(packed)
    np.testing.assert_allclose(found.p_values, want.p_values, rtol=1e-12)
    np.testing.assert_allclose(found.influence(x, y).leverage, want.influence(x, y).leverage, rtol=1e-12)


# ---- edges ---------------------------------------------------------------------------------------------------------


def test_exact_fits_and_full_leverage():
    rng = np.random.default_rng(6)
    x = rng.standard_normal((5, 4))
    for cov in HETEROSKEDASTIC:  # as many rows as parameters: nothing is known of the errors
        fit = fastlsq.ols(x, rng.standard_normal(5), cov=cov)
        assert fit.df_resid == 0 and np.isnan(fit.p_values).all() and np.isnan(fit.f_value)
    x = rng.standard_normal((50, 3))
    fit = fastlsq.ols(x, x @ [1.0, 2.0, 3.0], cov="HC3")
    assert (fit.standard_errors < 1e-14).all()
    one = np.zeros((50, 1))
    one[7] = 1.0  # the only row of its kind
    y = rng.standard_normal(50)
    x = np.column_stack([x, one])
    for cov in ("HC2", "HC3"):
        assert np.isnan(fastlsq.ols(x, y, cov=cov).standard_errors).all()
    without = np.arange(50) != 7
    np.testing.assert_allclose(fastlsq.ols(x, y, cov="HC0").standard_errors[1:4],
                               fastlsq.ols(x[without, :3], y[without], cov="HC0").standard_errors[1:], rtol=1e-9)


@pytest.mark.parametrize(("size", "unit"), [(1e150, 1.0), (1e-150, 1.0), (1.0, 1e140), (1.0, 1e-140), (1e100, 1e120)])
@pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind["cov"])
def test_units_far_from_one(kind, size, unit):
    x, y, _, groups = data(200, 3)
    want = fastlsq.ols(x, y, **request(kind, groups))
    found = fastlsq.ols(x * unit, y * size, **request(kind, groups))
    np.testing.assert_allclose(found.t_values, want.t_values, rtol=1e-8)
    np.testing.assert_allclose(found.f_value, want.f_value, rtol=1e-8)
    np.testing.assert_allclose(found.standard_errors[1:] * (unit / size), want.standard_errors[1:], rtol=1e-8)
    np.testing.assert_allclose(found.aic - want.aic, 2 * 200 * np.log(size), rtol=1e-9, atol=1e-8)
    test = found.wald_test(np.eye(4)[1:3])
    assert test.f_value == pytest.approx(want.wald_test(np.eye(4)[1:3]).f_value, rel=1e-8)


@pytest.mark.parametrize("mean", [1e4, 1e8])
def test_means_far_from_zero(mean):
    x, y, _, groups = data(500, 3)
    x = np.round(x * 1024) / 1024
    for kind in ALL:
        want, found = (fastlsq.ols(rows, y, **request(kind, groups)) for rows in (x, x + mean))
        np.testing.assert_allclose(found.standard_errors[1:], want.standard_errors[1:], rtol=1e-9)
        np.testing.assert_allclose(found.predict(x[:5] + mean, "mean").standard_errors,
                                   want.predict(x[:5], "mean").standard_errors, rtol=1e-9)


@pytest.mark.parametrize("near", [1e-3, 1e-5])
def test_nearly_dependent_columns(near):
    rng = np.random.default_rng(13)
    z, y = np.round(rng.standard_normal((400, 3)) * 2**20) / 2**20, rng.standard_normal(400)
    near = 2.0 ** np.round(np.log2(near))
    x = np.column_stack([z[:, 0], z[:, 0] + near * z[:, 1], z[:, 2]])
    back = np.array([[1.0, -1 / near, 0.0], [0.0, 1 / near, 0.0], [0.0, 0.0, 1.0]])  # x @ back = z
    for kind in ({"cov": "classical"}, {"cov": "HC0"}, {"cov": "HC3"}):
        fit, well = fastlsq.ols(x, y, **kind), fastlsq.ols(z, y, **kind)
        want = back @ well.covariance[1:, 1:] @ back.T
        np.testing.assert_allclose(fit.standard_errors[1:], np.sqrt(np.diagonal(want)), rtol=1e-9)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("size", [1e-160, 1e-100, 1e100, 1e160])
@pytest.mark.parametrize("kind", [{"cov": "classical"}, {"cov": "HC1"}], ids=lambda kind: kind["cov"])
def test_wald_test_of_columns_of_any_size(kind, size):
    x, y, _, _ = data(60, 3)
    want = fastlsq.ols(x, y, **kind).wald_test(np.eye(4)[1:])
    found = fastlsq.ols(x * [size, 1, 1 / size], y, **kind).wald_test(np.eye(4)[1:])
    assert (found.df_num, found.f_value) == (3, pytest.approx(want.f_value, rel=1e-9))
    apart = np.array([[0, 1, 0, 0], [0, 1 / size, 0, size]])
    want = fastlsq.ols(x, y, **kind).wald_test([[0, 1, 0, 0], [0, 1, 0, 1]], [0.1, 0.5])
    found = fastlsq.ols(x * [1 / size, 1, size], y, **kind).wald_test(apart, [0.1 * size, 0.5])
    assert (found.df_num, found.f_value) == (2, pytest.approx(want.f_value, rel=1e-9))


@pytest.mark.parametrize("near", [1e-9, 1e-11, 1e-12])
def test_wald_test_of_nearly_dependent_columns(near):
    rng = np.random.default_rng(3)
    x, z = rng.standard_normal((2, 100))
    y = x + 0.6 * z + rng.standard_normal(100)
    fit = fastlsq.ols(np.column_stack([x, x + z * near]), y)
    assert fit.df_model == 2
    test = fit.wald_test(np.eye(3)[1:])
    assert (test.df_num, test.f_value) == (2, pytest.approx(fit.f_value, rel=2e-15 / near))


@pytest.mark.filterwarnings("error")
def test_restrictions_that_repeat_or_contradict_each_other():
    x, y, _, _ = data(60, 3)
    fit = fastlsq.ols(x * [1e-30, 1, 1e30], y)
    once = fit.wald_test([0, 1, 0, 0], 5e30)
    for twice in ([[0, 1, 0, 0], [0, 1, 0, 0]], [[0, 1, 0, 0], [0, 1e-20, 0, 0]]):
        test = fit.wald_test(twice, [5e30, 5e30 * twice[1][1]])
        assert (test.df_num, test.f_value) == (1, pytest.approx(once.f_value, rel=1e-12))
        with pytest.raises(ValueError, match="the restrictions contradict each other"):
            fit.wald_test(twice, [5e30, 0])
    with pytest.raises(ValueError, match="the restrictions contradict each other"):
        fit.wald_test([[0, 0, 0, 0], [0, 0, 1, 0]], [1, 0])
    far = fit.wald_test([0, 0, 1, 0], 1e300)
    assert (far.f_value, far.p_value) == (np.inf, 0.0)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("entry", [1.0, 1e160])
@pytest.mark.parametrize("kind", [*ALL, {"cov": "HAC"}], ids=lambda kind: "-".join(map(str, kind.values())))
def test_rows_of_weight_0_are_no_rows(kind, entry):
    x, y, _, groups = data(220, 3)
    x *= [1e-12, 1.0, 1.0]
    w = np.random.default_rng(2).integers(0, 3, 220) / 2.0
    x[w == 0] = entry
    counts = w > 0
    found = fastlsq.ols(x, y, weights=w, **request(kind, groups))
    want = fastlsq.ols(x[counts], y[counts], weights=w[counts], **request(kind, groups[counts]))
    assert found.cov_words == want.cov_words
    np.testing.assert_allclose(found.standard_errors, want.standard_errors, rtol=1e-9)
    one, other = found.influence(x, y, w), want.influence(x[counts], y[counts], w[counts])
    assert one.press == pytest.approx(other.press, rel=1e-9)
    np.testing.assert_allclose(one.leverage[counts], other.leverage, rtol=1e-9)
    np.testing.assert_allclose(one.dfbetas[counts], other.dfbetas, rtol=1e-7, atol=1e-12)
    assert not one.leverage[~counts].any() and not one.cooks_distance[~counts].any()


@pytest.mark.parametrize("k", [None, 2])
def test_other_rows_than_those_of_the_fit(k):
    x, y, w, _ = data(80, 3, k=k)
    w[7] = 0
    x[7] = 1e200  # its residual is of no weight
    fit, order = fastlsq.ols(x, y, weights=w), np.random.default_rng(1).permutation(80)
    again = fit.robust("HC1", x[order], y[order], weights=w[order])
    np.testing.assert_allclose(again.standard_errors, fit.robust("HC1", x, y, weights=w).standard_errors, rtol=1e-9)
    changed = w.copy()
    changed[[3, 4]] = w[[4, 3]]
    for rows in ((x, 2 * y, w), (x, y * 1e200, w), (x[order], y, w[order]), (x, y[::-1], w), (x, y, changed)):
        for call in (lambda x, y, w: fit.robust("HC3", x, y, weights=w), lambda x, y, w: fit.influence(x, y, w)):
            with pytest.raises(ValueError, match="these are other rows than those of the fit"):
                call(*rows)


@pytest.mark.parametrize("make", ["exact", "far", "near", "wide", "large", "small", "float32", "gram"])
def test_the_rows_of_the_fit_are_known_again(make):
    x, y, w, _ = data(300, 4)
    if make == "exact":
        y = x @ np.arange(4.0) + 3
    elif make == "far":
        x, y = x + 1e9, y + 1e9
    elif make == "near":
        x[:, 1] = x[:, 0] + 1e-9 * x[:, 1]
    elif make == "wide":
        x = x.reshape(20, 60)
        y, w = y[:20], w[:20]
    elif make in ("large", "small"):
        size = 1e150 if make == "large" else 1e-160
        x, y = x * [1, size, 1 / size, 1], y * size
    elif make == "float32":
        x, y = x.astype(np.float32), y.astype(np.float32)
    fit = fastlsq.ols(x, y, weights=w)
    if make == "gram":
        gram = fastlsq.Gram()
        gram.update(x + 1e4, y, weights=w)
        fit, x = gram.ols(), x + 1e4
    fit.robust("HC0", x, y, weights=w)
    fit.influence(x, y, w)


def test_bad_input():
    x, y, _, groups = data(60, 2)
    for arguments, message in (
        ({"cov": "HC4"}, "cov must be one of 'classical', 'HC0'"),
        ({"cov": np.array([1, 2])}, "cov must be one of 'classical', 'HC0'"),
        ({"cov": "cluster"}, "cov='cluster' needs groups"),
        ({"cov": "cluster", "groups": ()}, "groups has no column of labels"),
        ({"cov": "HAC", "lags": np.nan}, "lags must be a whole number"),
        ({"cov": "HAC", "lags": np.inf}, "lags must be a whole number"),
        ({"cov": "HAC", "lags": 1.5}, "lags must be a whole number"),
        ({"cov": "HC1", "groups": groups}, "groups go with cov='cluster'"),
        ({"cov": "HC1", "lags": 2}, "lags go with cov='HAC'"),
        ({"cov": "HAC", "lags": -1}, "lags must be a whole number"),
        ({"cov": "HAC", "lags": 60}, "lags must be less than the number of rows, 60"),
        ({"cov": "cluster", "groups": groups[:9]}, r"groups must have shape \(60,\)"),
        ({"cov": "cluster", "groups": np.zeros((60, 3))}, "two columns of labels at most"),
        ({"cov": "cluster", "groups": np.zeros(60)}, "at least two groups, got 1"),
        ({"cov": "cluster", "groups": np.where(groups > 3, np.nan, 1.0)}, "groups must not contain NaN"),
    ):
        with pytest.raises(ValueError, match=message):
            fastlsq.ols(x, y, **arguments)
    with pytest.raises(TypeError, match="groups is a masked array"):
        fastlsq.ols(x, y, cov="cluster", groups=np.ma.masked_equal(groups, 3))
    for lags in ([1], "2", True):
        with pytest.raises(TypeError, match="lags must be a whole number"):
            fastlsq.ols(x, y, cov="HAC", lags=lags)
    fit = fastlsq.ols(x, y)
    for call, message in (
        (lambda: fit.conf_int("a"), "level must be a number between 0 and 1, got 'a'"),
        (lambda: fit.target(0.5), "target must be an integer, got 0.5"),
        (lambda: fit.influence(x, y, target="a"), "target must be an integer, got 'a'"),
    ):
        with pytest.raises(TypeError, match=message):
            call()
    for call, message in (
        (lambda: fit.wald_test(np.eye(2)), r"R must have shape \(m, 3\)"),
        (lambda: fit.wald_test(np.eye(3), [1, 2]), "r must be a number"),
        (lambda: fit.wald_test(np.full((1, 3), np.nan)), "R and r must not contain"),
        (lambda: fit.predict(x, "both"), "interval must be 'mean', 'prediction' or None"),
        (lambda: fit.predict(x, "mean", weights=np.ones(60)), "weights go with interval='prediction'"),
        (lambda: fit.predict(np.full((1, 2), np.nan), "mean"), "X must not contain infs or NaNs"),
        (lambda: fit.robust("HC0", x[:, :1], y), "X has 1 columns, the model has 2"),
        (lambda: fit.robust("HC0", x, np.column_stack([y, y])), "y has 2 targets, the model has 1"),
        (lambda: fit.robust("HC0", x, np.where(y > 0, np.nan, y)), "y must not contain infs or NaNs"),
        (lambda: fit.target(1), "target must be below"),
        (lambda: fit.influence(x, y, target=1), "target must be below"),
        (lambda: list(fit.influence(x, y).blocks(0)), "rows must be at least 1"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", [*ALL[:-1], {"cov": "HAC", "lags": 0}], ids=lambda kind: kind["cov"])
@pytest.mark.parametrize("shape", ["wide", "zeros", "constants", "one of two is zero"])
def test_nothing_fails_where_little_is_known(shape, kind):
    rng = np.random.default_rng(8)
    x = {"wide": rng.standard_normal((5, 9)), "zeros": np.zeros((20, 2)), "constants": np.full((20, 2), 3.0),
         "one of two is zero": np.c_[np.zeros(20), rng.standard_normal(20)]}[shape]
    y = rng.standard_normal(len(x))
    for intercept in (True, False):
        fit = fastlsq.ols(x, y, intercept=intercept, **request(kind, np.arange(len(x)) % 3))
        assert len(fit.standard_errors) == len(fit.params) == x.shape[1] + intercept
        for values in (fit.covariance, fit.p_values, fit.conf_int(), fit.predict(x, "prediction").lower):
            assert not np.isinf(values).any()
        assert fit.wald_test(np.ones(len(fit.params))).df_num <= 1
        assert fit.cov_words in str(fit.summary())
        influence = fit.influence(x, y)
        assert influence.leverage.sum() == pytest.approx(fit.df_model + intercept, rel=1e-10)
        assert influence.dfbetas.shape == (len(x), len(fit.params))
