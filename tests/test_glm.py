# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""`glm`: against mpmath, statsmodels and scikit-learn; what it says of data that have no answer."""

import pickle
import warnings
from itertools import pairwise

import numpy as np
import pytest

import fastlsq
from fastlsq.descent import newton
from fastlsq.descent.families import FAMILY_LINKS, Family

PAIRS = [(family, link) for family, links in FAMILY_LINKS.items() for link in links]


def data(family, n=300, p=4, seed=0, link=None):
    """X, y of a model of this family whose means are inside the range of every link."""
    rng = np.random.default_rng(seed)
    x = rng.uniform(-0.5, 0.5, (n, p))
    eta = x @ rng.uniform(-0.5, 0.5, p)
    kind = Family(family, link or FAMILY_LINKS[family][0])
    level = {"log": -1.0 if family == "binomial" else 0.5, "inverse": 1.5, "sqrt": 1.5, "identity": 2.0}
    level = level.get(kind.link, 0.2)
    mean = kind.mean(eta + level)
    y = {"gaussian": lambda: mean + 0.1 * rng.standard_normal(n),
         "binomial": lambda: rng.binomial(1, mean).astype(float),
         "poisson": lambda: rng.poisson(mean).astype(float), "gamma": lambda: rng.gamma(5.0, mean / 5.0)}[family]()
    return x, y


def relative(got, want):
    return np.max(np.abs(np.asarray(got) - want) / np.abs(want))


# ---- oracles ---------------------------------------------------------------------------------------------------------


def exact(x, y, w, family, digits=40, penalty=0.0):
    """Coefficients, intercept last, by Newton's method in mpmath: canonical links and gamma with log."""
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(digits):
        m = mpmath.mpf
        z = [[m(v) for v in row] + [m(1)] for row in x.tolist()]
        q = len(z[0])
        b = mpmath.matrix(q, 1)
        b[q - 1] = mpmath.log(mpmath.fsum(m(v) for v in y) / len(y)) if family in ("poisson", "gamma") else m(0)
        for _ in range(60):
            g, h = mpmath.matrix(q, 1), mpmath.matrix(q, q)
            for row, target, weight in zip(z, y.tolist(), w.tolist(), strict=True):
                eta = mpmath.fsum(r * v for r, v in zip(row, b, strict=True))
                e = mpmath.exp(eta)
                slope, curve = {"gaussian": (eta - target, m(1)), "binomial": (e / (1 + e) - target, e / (1 + e) ** 2),
                                "poisson": (e - target, e), "gamma": (1 - target / e, target / e)}[family]
                for i in range(q):
                    g[i] += weight * slope * row[i]
                    for j in range(q):
                        h[i, j] += weight * curve * row[i] * row[j]
            for i in range(q - 1):
                g[i] += penalty * b[i]
                h[i, i] += penalty
            step = mpmath.lu_solve(h, g)
            b -= step
            if max(abs(v) for v in step) < m(10) ** (-digits + 8):
                return np.array([float(v) for v in b])
    raise AssertionError("the oracle did not converge")


@pytest.mark.parametrize("family", FAMILY_LINKS)
def test_against_mpmath(family):
    x, y = data(family, 40, 3)
    w = np.random.default_rng(1).uniform(0.5, 3.0, 40)
    fit = fastlsq.glm(x, y, family=family, weights=w)
    want = exact(x, y, w, family)
    assert fit.converged
    assert relative(np.append(fit.coef, fit.intercept), want) <= 1e-13


@pytest.mark.parametrize("family", FAMILY_LINKS)
def test_ridge_against_mpmath(family):
    x, y = data(family, 40, 3)
    w = np.random.default_rng(1).uniform(0.5, 3.0, 40)
    fit = fastlsq.glm(x, y, family=family, weights=w, alpha=0.05)
    want = exact(x, y, w, family, penalty=0.05 * w.sum())
    assert relative(np.append(fit.coef, fit.intercept), want) <= 1e-12
    assert np.isnan(fit.standard_errors).all()


@pytest.mark.parametrize(("family", "link"), PAIRS)
def test_every_pair_against_statsmodels(family, link):
    sm = pytest.importorskip("statsmodels.api")
    x, y = data(family, link=link)
    rng = np.random.default_rng(2)
    w = rng.uniform(0.5, 2.0, len(y))
    links = sm.families.links
    theirs = {"identity": links.Identity, "log": links.Log, "logit": links.Logit, "probit": links.Probit,
              "cloglog": links.CLogLog, "inverse": links.InversePower, "sqrt": links.Sqrt}[link]()
    kind = {"gaussian": sm.families.Gaussian, "binomial": sm.families.Binomial, "poisson": sm.families.Poisson,
            "gamma": sm.families.Gamma}[family](theirs)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = sm.GLM(y, sm.add_constant(x), family=kind, var_weights=w).fit(
            tol=1e-14, maxiter=300, start_params=np.r_[float(theirs(np.average(y, weights=w))), np.zeros(4)])
    fit = fastlsq.glm(x, y, family=family, link=link, weights=w)
    assert fit.converged
    assert np.abs(fit.params - want.params).max() <= 1e-7 * np.abs(want.params).max()
    for name, theirs in (("standard_errors", want.bse), ("deviance", want.deviance), ("dispersion", want.scale),
                         ("pearson", want.pearson_chi2), ("null_deviance", want.null_deviance)):
        assert relative(getattr(fit, name), theirs) <= 1e-7, name
    if family == "gamma":  # theirs drops or scales weights otherwise
        assert relative(fit.log_likelihood, want.llf) <= 1e-7


SETS = [("spector", "binomial", "logit"), ("scotland", "gamma", "inverse"), ("randhie", "poisson", "log"),
        ("fair", "poisson", "log"), ("star98", "binomial", "logit"), ("longley", "gaussian", "identity")]


@pytest.mark.parametrize(("name", "family", "link"), SETS)
def test_data_sets_of_statsmodels(name, family, link):
    sm = pytest.importorskip("statsmodels.api")
    loaded = getattr(sm.datasets, name).load_pandas()
    x, y = np.asarray(loaded.exog, float), np.asarray(loaded.endog, float)
    links = {"logit": sm.families.links.Logit, "inverse": sm.families.links.InversePower, "log": sm.families.links.Log,
             "identity": sm.families.links.Identity}
    kind = {"gaussian": sm.families.Gaussian, "binomial": sm.families.Binomial, "poisson": sm.families.Poisson,
            "gamma": sm.families.Gamma}[family]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        want = sm.GLM(y, sm.add_constant(x, has_constant="add"), family=kind(links[link]())).fit(tol=1e-13, maxiter=200)
    fit = fastlsq.glm(x, y, family=family, link=link)
    assert fit.converged
    tolerance = 1e-7
    assert relative(fit.params, want.params) <= tolerance
    assert relative(fit.standard_errors, want.bse) <= tolerance
    for ours, theirs in ((fit.deviance, want.deviance), (fit.null_deviance, want.null_deviance), (fit.aic, want.aic),
                         (fit.log_likelihood, want.llf), (fit.dispersion, want.scale), (fit.bic, want.bic_llf)):
        assert relative(ours, theirs) <= 1e-9
    if family == "binomial" or family == "poisson":
        assert np.allclose(np.log(fit.p_values + 1e-300), np.log(want.pvalues + 1e-300), rtol=1e-7)
        assert np.allclose(fit.conf_int(0.9), want.conf_int(0.1), rtol=1e-6)


def test_offset_and_no_intercept_against_statsmodels():
    sm = pytest.importorskip("statsmodels.api")
    x, y = data("poisson")
    offset = np.random.default_rng(3).uniform(-1, 1, len(y))
    for intercept in (True, False):
        z = sm.add_constant(x) if intercept else x
        want = sm.GLM(y, z, family=sm.families.Poisson(), offset=offset).fit(tol=1e-14)
        fit = fastlsq.glm(x, y, family="poisson", offset=offset, intercept=intercept)
        assert relative(fit.params, want.params) <= 1e-10
        assert relative(fit.deviance, want.deviance) <= 1e-12
        if intercept:
            assert relative(fit.null_deviance, want.null_deviance) <= 1e-8
        assert np.allclose(fit.predict(x, offset=offset), want.fittedvalues, rtol=1e-10)


@pytest.mark.parametrize("alpha", [1e-3, 0.1])
@pytest.mark.parametrize("family", ["poisson", "gamma", "binomial"])
def test_ridge_against_scikit_learn(family, alpha):
    linear = pytest.importorskip("sklearn.linear_model")
    x, y = data(family)
    if family == "binomial":
        peer = linear.LogisticRegression(C=1 / (alpha * len(y)), tol=1e-12, solver="newton-cholesky", max_iter=500)
    else:
        peer = {"poisson": linear.PoissonRegressor, "gamma": linear.GammaRegressor}[family](
            alpha=alpha, tol=1e-12, solver="newton-cholesky", max_iter=500)
    peer.fit(x, y)
    fit = fastlsq.glm(x, y, family=family, alpha=alpha)
    assert np.abs(fit.coef - peer.coef_.ravel()).max() <= 1e-7
    assert abs(fit.intercept - np.ravel(peer.intercept_)[0]) <= 1e-7


def subgradient(fit, x, y, w, alpha, ratio):
    """Of the documented objective, in numpy."""
    slope = fit._kind.slopes(fit.predict(x, "link"), y)[0] * w / w.sum()
    g = x.T @ slope + alpha * (1 - ratio) * fit.coef
    inside = np.maximum(np.abs(g) - alpha * ratio, 0.0)
    return np.r_[np.where(fit.coef != 0, g + alpha * ratio * np.sign(fit.coef), inside), slope.sum()]


@pytest.mark.parametrize("ratio", [1.0, 0.5])
@pytest.mark.parametrize(("family", "link"), [("binomial", "logit"), ("poisson", "log"), ("gamma", "log"),
                                              ("gaussian", "identity"), ("binomial", "probit")])
def test_elastic_net_meets_its_optimality_conditions(family, link, ratio):
    x, y = data(family, 400, 12, link=link)
    x[:, 3] *= 1e3
    x[:, 5] *= 1e-3
    w = np.random.default_rng(4).uniform(0.2, 2.0, 400)
    fit = fastlsq.glm(x, y, family=family, link=link, weights=w, alpha=0.01, l1_ratio=ratio)
    assert fit.converged and 0 < np.count_nonzero(fit.coef) < 12
    size = np.abs(x).max(axis=0)
    assert np.abs(subgradient(fit, x, y, w, 0.01, ratio) / np.r_[size, 1]).max() <= 2e-8


def test_elastic_net_of_gaussian_is_that_of_elastic_net():
    x, y = data("gaussian", 200, 8)
    fit = fastlsq.glm(x, y, alpha=0.01, l1_ratio=0.7)
    want = fastlsq.elastic_net(x, y, alpha=0.01, l1_ratio=0.7, tol=1e-14)
    assert np.abs(fit.coef - want.coef).max() <= 1e-8
    assert np.array_equal(fit.coef == 0, want.coef == 0)


def test_lasso_of_more_columns_than_rows_and_of_equal_ones():
    rng = np.random.default_rng(11)
    x, y, w = rng.standard_normal((50, 200)), rng.integers(0, 2, 50).astype(float), np.ones(50)
    fit = fastlsq.glm(x, y, family="binomial", alpha=0.03, l1_ratio=1.0)
    assert fit.converged and 0 < np.count_nonzero(fit.coef) < 50 and not fit.aliased
    assert np.abs(subgradient(fit, x, y, w, 0.03, 1.0)).max() <= 2e-8
    x, y = data("poisson", 200, 3)
    both = fastlsq.glm(np.column_stack([x, x[:, 0] - x[:, 1]]), y, family="poisson", alpha=1e-3, l1_ratio=1.0)
    z = np.column_stack([x, x[:, 0] - x[:, 1]])
    twice = fastlsq.glm(np.column_stack([x, x[:, 0]]), y, family="poisson", alpha=1e-3, l1_ratio=1.0)
    assert twice.converged and np.isclose(twice.coef[0] + twice.coef[3],
                                          fastlsq.glm(x, y, family="poisson", alpha=1e-3, l1_ratio=1.0).coef[0])
    assert both.converged and np.abs(subgradient(both, z, y, np.ones(200), 1e-3, 1.0)).max() <= 2e-8


def test_a_penalty_has_a_minimum_for_separated_rows():
    x = np.random.default_rng(12).standard_normal((200, 3))
    y = (x[:, 0] > 0).astype(float)
    for ratio in (0.0, 1.0):
        fit = fastlsq.glm(x, y, family="binomial", alpha=1e-4, l1_ratio=ratio)
        assert fit.converged and fit.separation is None


# ---- multinomial -----------------------------------------------------------------------------------------------------


def classes_data(n=400, p=3, k=4, seed=5):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p))
    eta = x @ rng.standard_normal((p, k))
    return x, (eta + rng.gumbel(size=(n, k))).argmax(axis=1)


def test_multinomial_against_statsmodels():
    sm = pytest.importorskip("statsmodels.api")
    x, y = classes_data()
    want = sm.MNLogit(y, sm.add_constant(x)).fit(disp=0, tol=1e-14, maxiter=200, method="newton")
    fit = fastlsq.glm(x, y, family="multinomial")
    assert fit.converged and (fit.params[0] == 0).all() and np.isnan(fit.standard_errors[0]).all()
    assert np.abs(fit.params[1:] - want.params.T).max() <= 1e-9
    assert np.abs(fit.standard_errors[1:] - want.bse.T).max() <= 1e-8
    assert relative(fit.log_likelihood, want.llf) <= 1e-12
    assert relative(-0.5 * fit.null_deviance, want.llnull) <= 1e-7
    assert np.abs(fit.predict(x) - want.predict()).max() <= 1e-9


@pytest.mark.parametrize("labels", [np.array(["b", "a", "d", "c"]), np.array([7, -1, 3, 100]), np.array([True, False])])
def test_multinomial_ridge_against_scikit_learn(labels):
    linear = pytest.importorskip("sklearn.linear_model")
    x, codes = classes_data(k=len(labels))
    y = labels[codes]
    share = 0.01 if len(labels) > 2 else 0.005
    peer = linear.LogisticRegression(C=1 / (share * len(y)), tol=1e-12, solver="newton-cholesky", max_iter=500)
    peer.fit(x, y)
    fit = fastlsq.glm(x, y, family="multinomial", alpha=0.01)
    assert np.array_equal(fit.classes, peer.classes_)
    if len(labels) > 2:  # theirs has one predictor for two classes, penalized as one
        assert np.abs(fit.coef - peer.coef_).max() <= 1e-7
    assert np.abs(fit.predict(x) - peer.predict_proba(x)).max() <= 1e-8
    assert np.array_equal(fit.predict(x, "class"), peer.predict(x))


def test_weights_of_a_multinomial_are_repetitions():
    x, y = classes_data()
    w = np.random.default_rng(13).integers(0, 4, 400)
    long = np.repeat(np.arange(400), w)
    got, want = (fastlsq.glm(*rows, family="multinomial", weights=weights) for rows, weights in (
        ((x.astype(np.float32), y), w), ((x[long].astype(np.float32), y[long]), None)))
    assert np.abs(got.params - want.params).max() <= 1e-12 and np.isclose(got.deviance, want.deviance, rtol=1e-12)


def test_two_classes_of_a_multinomial_are_the_binomial():
    x, codes = classes_data(k=2)
    one, two = fastlsq.glm(x, codes, family="binomial"), fastlsq.glm(x, codes, family="multinomial")
    assert np.abs(one.coef - two.coef[1]).max() <= 1e-12
    assert np.abs(one.standard_errors - two.standard_errors[1]).max() <= 1e-12


# ---- rows of every kind ----------------------------------------------------------------------------------------------


def test_same_bits_for_any_threads_and_order_of_memory():
    x, y = data("binomial", 40000, 9)
    want = fastlsq.glm(x, y, family="binomial", n_threads=1)
    for n_threads in (2, 3, 8):
        got = fastlsq.glm(np.asfortranarray(x), y, family="binomial", n_threads=n_threads)
        assert np.array_equal(got.params, want.params) and got.deviance == want.deviance


def test_float32_rows_and_a_read_only_view():
    x, y = data("poisson")
    x = x.astype(np.float32)
    want = fastlsq.glm(x.astype(np.float64), y, family="poisson")
    wide = np.zeros((600, 8), np.float32)
    wide[::2, ::2] = x
    view = wide[::2, ::2]
    view.flags.writeable = False
    before = view.copy()
    got = fastlsq.glm(view, y.astype(np.float32), family="poisson")
    assert np.array_equal(got.params, want.params) and np.array_equal(view, before)


def test_weights_are_repetitions_of_rows_and_zeros_are_none():
    x, y = data("gamma")
    w = np.random.default_rng(6).integers(0, 4, len(y))
    long = np.repeat(np.arange(len(y)), w)
    got, want = fastlsq.glm(x, y, family="gamma", weights=w), fastlsq.glm(x[long], y[long], family="gamma")
    assert np.abs(got.params - want.params).max() <= 1e-12
    assert relative(got.deviance, want.deviance) <= 1e-12 and got.n_rows == np.count_nonzero(w)


def test_the_sample_changes_nothing(monkeypatch):
    x, y = data("binomial", 60000, 5)
    got = fastlsq.glm(x, y, family="binomial")
    monkeypatch.setattr(newton, "SAMPLED_ROWS", 10**9)
    want = fastlsq.glm(x, y, family="binomial")
    assert got.passes != want.passes
    assert np.abs(got.params - want.params).max() <= 1e-13
    assert relative(got.standard_errors, want.standard_errors) <= 1e-7


def test_a_loose_tolerance_is_met_on_all_rows():
    x, y = data("binomial", 60000, 5)
    fit, exact = (fastlsq.glm(x, y, family="binomial", tol=tol, inference=False) for tol in (0.01, 1e-12))
    slope = fit.predict(x) - y
    gradient = np.abs(np.r_[x.T @ slope, slope.sum()]).max() / len(y)
    assert fit.converged and gradient <= 0.01 and fit.passes < exact.passes
    assert fit.deviance <= 1.001 * exact.deviance


def test_without_inference_the_coefficients_are_the_same():
    x, y = data("binomial", 60000, 5)
    got, want = (fastlsq.glm(x, y, family="binomial", inference=flag) for flag in (False, True))
    assert np.abs(got.params - want.params).max() <= 1e-13 and np.isnan(got.standard_errors).all()


@pytest.mark.parametrize("unit", [1e-170, 1e-30, 1e30, 1e170])
def test_units_of_the_columns_do_not_matter(unit):
    x, y = data("binomial")
    want = fastlsq.glm(x, y, family="binomial")
    scale = np.array([1.0, unit, 1.0, 1 / unit])
    got = fastlsq.glm(x * scale, y, family="binomial")
    assert got.converged
    assert relative(got.coef * scale, want.coef) <= 1e-9
    assert relative(got.standard_errors[1:] * scale, want.standard_errors[1:]) <= 1e-7


def test_columns_far_from_zero():
    x, y = data("poisson")
    got, want = fastlsq.glm(x + 1e6, y, family="poisson"), fastlsq.glm(x, y, family="poisson")
    assert np.abs(got.coef - want.coef).max() <= 1e-7


def test_successes_and_failures_are_shares_with_trials():
    x, _ = data("binomial", 50)
    rng = np.random.default_rng(7)
    trials = rng.integers(0, 9, 50)
    good = rng.binomial(trials, 0.4)
    got = fastlsq.glm(x, np.column_stack([good, trials - good]), family="binomial")
    long = np.repeat(np.arange(50), trials)
    y = np.concatenate([[1.0] * g + [0.0] * (t - g) for g, t in zip(good, trials, strict=True)])
    want = fastlsq.glm(x[long], y, family="binomial")
    assert np.abs(got.params - want.params).max() <= 1e-12
    assert np.abs(got.standard_errors - want.standard_errors).max() <= 1e-9


def test_labels_of_a_binomial():
    x, y = data("binomial")
    want = fastlsq.glm(x, y, family="binomial")
    named = fastlsq.glm(x, np.where(y == 1, "yes", "no"), family="binomial")
    assert np.array_equal(named.params, want.params) and named.classes.tolist() == ["no", "yes"]
    assert set(named.predict(x, "class")) == {"no", "yes"}
    assert np.array_equal(fastlsq.glm(x, y.astype(bool), family="binomial").params, want.params)


# ---- dependent columns, separation, convergence ----------------------------------------------------------------------


def test_dependent_columns_are_named_and_the_answer_has_minimum_norm():
    sm = pytest.importorskip("statsmodels.api")
    x, y = data("poisson")
    x = np.column_stack([x, 2 * x[:, 0] - x[:, 1], np.full(len(y), 3.0)])
    fit = fastlsq.glm(x, y, family="poisson", names=list("abcdef"))
    assert fit.aliased == ["e", "f"] and fit.rank == 4 and fit.df_resid == len(y) - 5
    want = fastlsq.glm(x[:, :4], y, family="poisson")
    assert np.allclose(fit.predict(x), want.predict(x[:, :4]), rtol=1e-10)
    null = np.array([2, -1, 0, 0, -1.0])
    assert abs(fit.coef[:5] @ null) <= 1e-12 and fit.coef[5] == 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        peer = sm.GLM(y, sm.add_constant(x[:, :5]), family=sm.families.Poisson()).fit(tol=1e-14)
    centred = x[:, :5] - x[:, :5].mean(axis=0)
    assert np.allclose(centred @ peer.params[1:], centred @ fit.coef[:5], atol=1e-9)


SEPARATED = {
    "complete": (np.array([[1.0, 3], [2, 1], [3, 2], [4, 3], [5, 1], [6, 2]]), np.array([0, 0, 0, 1, 1, 1])),
    "quasi": (np.array([[0.0, 3], [0, 1], [0, 2], [0, 3], [1, 1], [1, 2]]), np.array([0, 1, 0, 1, 1, 1])),
}


@pytest.mark.parametrize("kind", SEPARATED)
@pytest.mark.parametrize("family", ["binomial", "multinomial"])
def test_separation_is_said_with_the_column(kind, family):
    x, y = SEPARATED[kind]
    with pytest.warns(fastlsq.SeparationWarning, match="first"):
        fit = fastlsq.glm(x, y, family=family, names=["first", "second"])
    assert not fit.converged and "first" in fit.separation
    assert np.isfinite(fit.coef).all()
    assert not fastlsq.glm(x, y, family=family, alpha=0.1).reason


def test_separation_of_counts():
    rng = np.random.default_rng(8)
    group = np.repeat([0.0, 1.0], 50)
    x = np.column_stack([rng.standard_normal(100), group])
    y = np.where(group == 1, 0, rng.poisson(3, 100) + 1)
    with pytest.warns(fastlsq.SeparationWarning):
        fit = fastlsq.glm(x, y, family="poisson", names=["a", "group"])
    assert list(fit.separation) == ["group"]


def test_no_separation_is_said_of_hard_but_sound_data():
    x = np.linspace(-1, 1, 60)[:, None]
    y = (x[:, 0] > 0).astype(float)
    y[[29, 30]] = y[[30, 29]]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fit = fastlsq.glm(x, y, family="binomial")
    assert fit.converged and fit.separation is None and fit.coef[0] > 30


def test_a_limit_of_iterations_is_said():
    x, y = data("poisson")
    with pytest.warns(RuntimeWarning, match="not converged in 1 iterations"):
        fit = fastlsq.glm(x, 50 * y, family="poisson", max_iter=1)
    assert not fit.converged and fit.gradient_norm > 1e-8


@pytest.mark.parametrize("family", ["poisson", "gamma", "binomial"])
def test_steps_that_are_too_long_are_halved(family):
    """From far away the first step of Newton's method overshoots."""
    x, y = data(family, 200, 2)
    offset = np.full(200, 12.0) * np.sign(np.random.default_rng(9).standard_normal(200))
    fit = fastlsq.glm(x, y, family=family, offset=offset, intercept=True)
    values = [entry["objective"] for entry in fit.history]
    assert fit.converged and all(b <= a + 1e-9 * abs(a) for a, b in pairwise(values))


def test_many_parameters_go_to_lbfgs(monkeypatch):
    x, y = data("binomial", 500, 20)
    want = fastlsq.glm(x, y, family="binomial", alpha=0.01)
    monkeypatch.setattr("fastlsq.descent.glm.MOST_PARAMETERS", 10)
    got = fastlsq.glm(x, y, family="binomial", alpha=0.01)
    assert got.converged and got.gradient_norm <= 1e-8
    assert np.abs(got.coef - want.coef).max() <= 1e-6


# ---- the result ------------------------------------------------------------------------------------------------------


def test_deviance_table():
    from scipy.stats import chi2, f

    x, y = data("poisson")
    table = fastlsq.glm(x, y, family="poisson").deviance_table()
    null, residual, model = table["null"], table["residual"], table["model"]
    assert model["deviance"] == null["deviance"] - residual["deviance"] and model["df"] == 4
    assert np.isclose(model["p_value"], chi2.sf(model["deviance"], 4), rtol=1e-12)
    fit = fastlsq.glm(*data("gamma"), family="gamma")
    model = fit.deviance_table()["model"]
    assert np.isclose(model["p_value"], f.sf(model["deviance"] / 4 / fit.dispersion, 4, fit.df_resid), rtol=1e-12)


def test_gaussian_is_ols():
    x, y = data("gaussian")
    w = np.random.default_rng(10).uniform(0.5, 2, len(y))
    got, want = fastlsq.glm(x, y, weights=w), fastlsq.ols(x, y, weights=w)
    for name in ("params", "standard_errors", "t_values", "p_values", "log_likelihood", "aic", "bic", "covariance"):
        assert np.allclose(getattr(got, name), getattr(want, name), rtol=1e-9, atol=1e-13), name
    assert np.allclose(got.conf_int(0.9), want.conf_int(0.9), rtol=1e-9)


def test_summary_and_pickle():
    x, y = data("poisson")
    fit = fastlsq.glm(x, y, family="poisson", names=["a", "b", "c<d", "e"])
    text, page = str(fit.summary()), fit.summary().as_html()
    assert "poisson" in text and "P>|z|" in text and "Null deviance" in text
    assert "c&lt;d" in page and "\\begin{tabular}" in fit.summary().as_latex()
    assert "P>|t|" in str(fastlsq.glm(*data("gamma"), family="gamma").summary())
    assert fit.summary().as_csv().count("\n") == 6
    again = pickle.loads(pickle.dumps(fit))
    assert np.array_equal(again.standard_errors, fit.standard_errors) and len(pickle.dumps(fit)) < 20000


# ---- refusals --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("change", "words"), [
    ({"family": "tweedie"}, "family must be one of"),
    ({"link": "probit"}, "link must be one of log, identity, sqrt"),
    ({"alpha": -1}, "alpha must be >= 0"),
    ({"l1_ratio": 2}, "l1_ratio must be between 0 and 1"),
    ({"weights": np.zeros(300)}, "weights must not all be zero"),
    ({"weights": -np.ones(300)}, "weights must be finite"),
    ({"offset": np.ones(3)}, "offset has 3 rows"),
    ({"offset": np.full(300, np.nan)}, "offset must not contain"),
    ({"max_iter": 0}, "max_iter"),
    ({"names": ["a"]}, "names has 1 entries"),
])
def test_arguments_are_refused_by_name(change, words):
    x, y = data("poisson")
    with pytest.raises(ValueError, match=words):
        fastlsq.glm(x, y, **({"family": "poisson"} | change))


@pytest.mark.parametrize("family", [*FAMILY_LINKS, "multinomial"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_values_that_are_not_finite_are_named(family, bad):
    x, y = data("binomial" if family == "multinomial" else family)
    x[17, 2] = bad
    with pytest.raises(ValueError, match="X must not contain infs or NaNs; row 17, column 2"):
        fastlsq.glm(x, y, family=family)


def test_not_finite_in_a_row_that_no_sample_has():
    x, y = data("binomial", 40000, 3)
    x[39999, 1] = np.nan
    with pytest.raises(ValueError, match="row 39999, column 1"):
        fastlsq.glm(x, y, family="binomial")


@pytest.mark.parametrize(("family", "value", "words"), [
    ("poisson", -1.0, "y must be >= 0 .* row 5"), ("gamma", 0.0, "y must be > 0 .* row 5"),
    ("binomial", 1.5, "y must be between 0 and 1 .* row 5"), ("gaussian", np.nan, "y must not contain .* row 5"),
])
def test_targets_outside_the_family_are_named(family, value, words):
    x, y = data(family)
    y[5] = value
    with pytest.raises(ValueError, match=words):
        fastlsq.glm(x, y, family=family)


def test_one_class_and_no_rows():
    x, y = data("binomial")
    for family in ("binomial", "multinomial"):
        with pytest.raises(ValueError, match="one class only"):
            fastlsq.glm(x, np.ones(300), family=family)
    with pytest.raises(ValueError, match="one class only"):
        fastlsq.glm(x, y, family="binomial", weights=y)
    with pytest.raises(ValueError, match="two labels"):
        fastlsq.glm(x[:3], ["a", "b", "c"], family="binomial")
    with pytest.raises(ValueError, match="no rows"):
        fastlsq.glm(x[:0], y[:0])
    with pytest.raises(ValueError, match="no columns"):
        fastlsq.glm(x[:, :0], y, intercept=False)
    with pytest.raises(TypeError, match="complex"):
        fastlsq.glm(x * 1j, y)
    for labels, words in ((y * 1j, "complex"), (np.ma.masked_array(y, y > 0), "masked"),
                          (np.array([1, "a", 2] * 100, object), "one kind")):
        with pytest.raises(TypeError, match=words):
            fastlsq.glm(x, labels, family="multinomial")


def test_targets_that_cannot_be_squared():
    x, y = data("gaussian")
    for size in (1e200, 1e-200):
        with pytest.raises(ValueError, match="largest of y is"):
            fastlsq.glm(x, y * size)
    with pytest.raises(ValueError, match="not finite"):
        fastlsq.glm(x, np.ones(300), family="poisson", offset=np.where(y > 2, 800.0, -800.0))
    with pytest.raises(ValueError, match="y must be > 0 in some row"):
        fastlsq.glm(x, -np.exp(x[:, 0]), link="log")


def test_a_target_of_one_column_is_one_target():
    x, y = data("poisson")
    got, want = (fastlsq.glm(x, target, family="poisson") for target in (y[:, None], y))
    assert np.array_equal(got.params, want.params)


def test_the_intercept_alone():
    _, y = data("poisson")
    fit = fastlsq.glm(np.empty((300, 0)), y, family="poisson")
    assert np.isclose(fit.intercept, np.log(y.mean()), rtol=1e-12) and fit.coef.shape == (0,)
    assert np.isclose(fit.deviance, fit.null_deviance, rtol=1e-12)


# ---- rows and columns of little weight -------------------------------------------------------------------------------


@pytest.mark.parametrize(("family", "link"), [pair for pair in PAIRS if pair[1] in ("inverse", "identity", "log")])
def test_rows_without_a_weight_may_be_outside_of_the_family(family, link):
    x, y = data(family, link=link)
    w = np.ones(len(y))
    w[:5] = 0
    far = x.copy()
    far[:5] = [[-80.0, 30, 0, 1], [50, 50, 50, 50], [0, -60, 0, 2], [1, 1, -90, 1], [-70, 0, 0, 0]]
    got = fastlsq.glm(far, y, family=family, link=link, weights=w)
    want = fastlsq.glm(x[5:], y[5:], family=family, link=link)
    assert got.converged and want.converged
    assert np.allclose(got.params, want.params, rtol=1e-6, atol=1e-8)
    assert got.deviance == pytest.approx(want.deviance, rel=1e-10)


def test_separation_by_a_column_that_is_zero_in_all_rows_but_one():
    rng = np.random.default_rng(4)
    x = np.zeros((20000, 3))
    x[:, 1] = rng.standard_normal(20000)
    x[5:9, 0] = 1
    x[9, 2] = 1
    y = (rng.random(20000) < 0.3).astype(float)
    y[5:10] = [1, 1, 0, 0, 1]
    with pytest.warns(fastlsq.SeparationWarning, match="column x2"):
        fit = fastlsq.glm(x, y, family="binomial")
    assert list(fit.separation) == ["x2"] and fit.separation["x2"] > 0


@pytest.mark.parametrize("family", ["binomial", "multinomial"])
def test_warnings_point_at_the_caller(family):
    with pytest.warns(fastlsq.SeparationWarning) as caught:
        fastlsq.glm(np.arange(20.0)[:, None], np.arange(20) > 9, family=family)
    assert caught[0].filename == __file__


def test_infinite_labels_are_refused():
    with pytest.raises(ValueError, match=r"y\[1\] is inf"):
        fastlsq.glm(np.arange(4.0)[:, None], [0, np.inf, 1, 0], family="multinomial")


# ---- deviances of large counts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1e3, 1e8, 1e12])
@pytest.mark.parametrize("kind", ["poisson", "binomial", "offset"])
def test_deviances_of_large_counts_have_their_digits(kind, size):
    mpmath = pytest.importorskip("mpmath")
    rng = np.random.default_rng(8)
    x = rng.uniform(-1, 1, (40, 2))
    eta = 0.3 + x @ [0.4, -0.2]
    if kind == "binomial":
        good = np.rint(size / (1 + np.exp(-eta)) + 0.5 * np.sqrt(size) * rng.standard_normal(40))
        fit = fastlsq.glm(x, np.column_stack([good, size - good]), family="binomial")
    else:
        offset = np.linspace(0, 0.1, 40) if kind == "offset" else None
        eta = eta if offset is None else eta + offset
        good = np.rint(size * np.exp(eta) + np.sqrt(size) * rng.standard_normal(40))
        fit = fastlsq.glm(x, good, family="poisson", offset=offset)
    with mpmath.workdps(50):
        m = mpmath.mpf

        def excess(y, mean):
            return y * mpmath.log(y / mean) - (y - mean)

        want = m(0)
        for i in range(40):
            level = m(fit.intercept) + sum(m(float(a)) * m(float(b)) for a, b in zip(x[i], fit.coef, strict=True))
            level += m(float(offset[i])) if kind == "offset" else 0
            mean, y = mpmath.exp(level), m(float(good[i]))
            if kind == "binomial":
                mean = m(size) / (1 + 1 / mean)
                want += excess(m(size) - y, m(size) - mean)
            want += excess(y, mean)
        assert fit.deviance == pytest.approx(float(2 * want), rel=1e-6)
    assert 5 < fit.deviance < 200 and fit.null_deviance > 10 * fit.deviance


@pytest.mark.parametrize("family", ["poisson", "gamma", "binomial"])
def test_null_deviance_of_nothing_to_explain(family):
    rng = np.random.default_rng(2)
    y = {"poisson": 1e12 + np.rint(1e6 * rng.standard_normal(50)), "gamma": 3 + 1e-6 * rng.standard_normal(50),
         "binomial": 0.3 + 1e-7 * rng.standard_normal(50)}[family]
    fit = fastlsq.glm(np.empty((50, 0)), y, family=family)
    variance = {"poisson": y.mean(), "gamma": y.mean() ** 2, "binomial": y.mean() * (1 - y.mean())}[family]
    want = ((y - y.mean()) ** 2).sum() / variance  # to first order
    assert fit.deviance == pytest.approx(want, rel=1e-4)
    assert fit.null_deviance == pytest.approx(want, rel=1e-4)


@pytest.mark.parametrize("link", ["probit", "cloglog"])
def test_pearson_of_means_that_round_to_one(link):
    x = np.r_[np.linspace(-2, 2, 60), 25.0][:, None]
    y = (np.arange(61) % 3 > 0).astype(float)
    y[40:] = 1
    fit = fastlsq.glm(x, y, family="binomial", link=link)
    assert fit.predict(x)[-1] == 1
    mean = fit.predict(x[:-1])
    assert fit.pearson == pytest.approx(((y[:-1] - mean) ** 2 / (mean * (1 - mean))).sum(), rel=1e-5)


@pytest.mark.parametrize(("family", "link"), PAIRS)
def test_results_of_every_link_are_pickled(family, link):
    x, y = data(family, link=link)
    fit = fastlsq.glm(x, y, family=family, link=link)
    again = pickle.loads(pickle.dumps(fit))
    assert np.array_equal(again.predict(x), fit.predict(x)) and str(again.summary()) == str(fit.summary())


def test_as_many_classes_as_rows():
    x = np.random.default_rng(5).standard_normal((60, 3))
    with pytest.warns(RuntimeWarning):
        fit = fastlsq.glm(x, np.arange(60), family="multinomial", max_iter=60)
    assert not fit.converged and np.isfinite(fit.coef).all()
