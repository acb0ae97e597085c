# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""`robust_regression`: against statsmodels' RLM and its own equations."""

import pickle
import warnings

import numpy as np
import pytest
from scipy import stats

import fastlsq
from fastlsq.descent.robust_regression import TUNING, Loss, median_scale, proposal_two

LOSSES, SCALES = list(TUNING), ["mad", "proposal2"]


def data(n=200, p=4, seed=0, outliers=20):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p))
    y = x @ np.arange(1.0, p + 1) + 3 + 0.5 * rng.standard_normal(n)
    y[:outliers] += 50 * rng.standard_normal(outliers)
    return x, y


def theirs(x, y, loss, scale):
    sm = pytest.importorskip("statsmodels.api")
    norm = {"huber": sm.robust.norms.HuberT, "bisquare": sm.robust.norms.TukeyBiweight}[loss]()
    estimate = "mad" if scale == "mad" else sm.robust.scale.HuberScale(tol=1e-14, maxiter=1000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sm.RLM(y, sm.add_constant(x), M=norm).fit(scale_est=estimate, tol=1e-14, maxiter=2000, conv="coefs")


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("rows", ["stackloss", "drawn"])
def test_against_statsmodels(rows, loss, scale):
    if rows == "stackloss":
        loaded = pytest.importorskip("statsmodels.api").datasets.stackloss.load_pandas()
        x, y = np.asarray(loaded.exog, float), np.asarray(loaded.endog, float)
    else:
        x, y = data()
    want = theirs(x, y, loss, scale)
    fit = fastlsq.robust_regression(x, y, loss=loss, scale=scale)
    assert fit.converged
    for ours, their in ((fit.params, want.params), (fit.standard_errors, want.bse), (fit.scale, want.scale)):
        assert np.max(np.abs(ours - their) / np.abs(their)) <= 1e-7
    assert np.allclose(fit.row_weights(x, y), want.weights, atol=1e-7)
    assert np.allclose(np.log(fit.p_values + 1e-300), np.log(want.pvalues + 1e-300), rtol=1e-6)
    assert np.allclose(fit.conf_int(0.9), want.conf_int(0.1), rtol=1e-6)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("loss", LOSSES)
def test_the_equations_hold(loss, scale):
    x, y = data(seed=1)
    fit = fastlsq.robust_regression(x, y, loss=loss, scale=scale, tol=1e-12)
    r = y - fit.predict(x)
    psi = r / fit.scale * fit.row_weights(x, y)
    assert np.abs(np.column_stack([np.ones(200), x]).T @ psi).max() <= 1e-9
    if scale == "mad":
        assert np.isclose(fit.scale, np.median(np.abs(r)) / stats.norm.ppf(0.75), rtol=1e-10)
    else:
        from scipy.integrate import quad

        h = quad(lambda z: min(z * z, 6.25) * stats.norm.pdf(z), -40, 40, points=[-2.5, 2.5])[0]
        assert np.isclose(np.minimum((r / fit.scale) ** 2, 6.25).sum(), fit.df_resid * h, rtol=1e-7)


@pytest.mark.parametrize("loss", LOSSES)
def test_derivatives_are_those_of_psi(loss):
    kind, u = Loss(loss, 2.0), np.linspace(-4, 4, 800)
    psi = [kind.weights(u + step) * (u + step) for step in (-1e-6, 1e-6)]
    smooth = np.abs(np.abs(u) - 2) > 1e-5
    assert np.allclose(((psi[1] - psi[0]) / 2e-6)[smooth], kind.derivative(u)[smooth], atol=1e-5)


def test_scales_estimate_the_standard_deviation_of_normal_errors():
    r = 3 * np.random.default_rng(2).standard_normal(200_000)
    for find in (median_scale, proposal_two):
        assert abs(find(r, r.size) / 3 - 1) < 0.02


def test_outliers_do_not_carry_it_away():
    x, y = data(outliers=0)
    clean = fastlsq.ols(x, y)
    y = y.copy()
    y[:30] = 1e6
    fit = fastlsq.robust_regression(x, y, loss="bisquare")
    assert np.abs(fit.coef - clean.coef).max() < 0.2 and fit.downweighted >= 30


@pytest.mark.parametrize("unit", [1e-170, 1e-20, 1e20, 1e170])
@pytest.mark.parametrize("loss", LOSSES)
def test_units_of_columns_and_target_do_not_matter(loss, unit):
    x, y = data()
    want = fastlsq.robust_regression(x, y, loss=loss)
    scale = np.array([1.0, unit, 1.0, unit])
    got = fastlsq.robust_regression(x * scale, y, loss=loss)
    assert np.allclose(got.coef * scale, want.coef, rtol=1e-7) and got.converged
    assert np.allclose(got.standard_errors[1:] * scale, want.standard_errors[1:], rtol=1e-7)
    got = fastlsq.robust_regression(x, y * unit, loss=loss)
    assert np.allclose(got.coef / unit, want.coef, rtol=1e-7) and np.isclose(got.scale / unit, want.scale, rtol=1e-7)


def test_layouts_threads_and_float32():
    x, y = data(5000, 7)
    x = x.astype(np.float32)
    want = fastlsq.robust_regression(x.astype(np.float64), y, n_threads=1)
    for n_threads in (2, 3, 8):
        got = fastlsq.robust_regression(np.asfortranarray(x), y, n_threads=n_threads)
        assert np.array_equal(got.params, want.params) and got.scale == want.scale


def test_far_from_zero_and_without_intercept():
    x, y = data()
    want = fastlsq.robust_regression(x, y)
    assert np.allclose(fastlsq.robust_regression(x + 1e6, y).coef, want.coef, rtol=1e-7)
    got = fastlsq.robust_regression(np.column_stack([np.ones(200), x]), y, intercept=False)
    assert np.allclose(got.coef, want.params, rtol=1e-9)
    assert np.allclose(got.standard_errors, want.standard_errors, rtol=1e-7)


def test_dependent_columns_are_named():
    x, y = data()
    fit = fastlsq.robust_regression(np.column_stack([x, x[:, 0] + x[:, 1]]), y, names=list("abcde"))
    want = fastlsq.robust_regression(x, y)
    assert fit.aliased == ["e"] and fit.df_resid == want.df_resid
    assert abs(fit.coef @ [1, 1, 0, 0, -1]) <= 1e-10
    assert np.isclose(fit.scale, want.scale, rtol=1e-9)


def test_an_exact_fit_of_most_rows_has_no_scale():
    x = np.arange(20.0)[:, None]
    y = 2 * x[:, 0] + 1
    y[19] = 100
    fit = fastlsq.robust_regression(x, y)
    assert fit.scale == 0 and np.isclose(fit.coef[0], 2, rtol=1e-6) and np.isnan(fit.standard_errors).all()
    assert "half of the residuals" in fit.reason
    with pytest.raises(ValueError, match="scale is 0"):
        fit.row_weights(x, y)
    assert fastlsq.robust_regression(x, np.zeros(20)).scale == 0


def test_a_limit_of_iterations_is_said():
    x, y = data()
    with pytest.warns(RuntimeWarning, match="not converged in 2"):
        assert not fastlsq.robust_regression(x, y, max_iter=2).converged


def test_summary_and_pickle():
    x, y = data()
    fit = fastlsq.robust_regression(x, y, loss="bisquare")
    assert "bisquare" in str(fit.summary()) and "<table>" in fit.summary().as_html()
    assert "\\hline" in fit.summary().as_latex()
    assert len(pickle.dumps(fit)) < 20000
    assert np.array_equal(pickle.loads(pickle.dumps(fit)).covariance, fit.covariance)


@pytest.mark.parametrize(("change", "words"), [
    ({"loss": "cauchy"}, "loss must be"), ({"scale": "sd"}, "scale must be"), ({"tuning": 0}, "tuning must be > 0"),
    ({"tol": -1}, "tol must be > 0"), ({"max_iter": 0}, "max_iter"), ({"names": ["a"]}, "names has 1"),
])
def test_arguments_are_refused_by_name(change, words):
    x, y = data()
    with pytest.raises(ValueError, match=words):
        fastlsq.robust_regression(x, y, **change)


def test_bad_rows_are_named():
    x, y = data()
    with pytest.raises(ValueError, match="more rows"):
        fastlsq.robust_regression(x[:5], y[:5])
    with pytest.raises(ValueError, match="no rows"):
        fastlsq.robust_regression(x[:0], y[:0])
    y[7] = np.nan
    with pytest.raises(ValueError, match="y must not contain infs or NaNs; row 7"):
        fastlsq.robust_regression(x, y)
    y[7], x[9, 1] = 0, np.inf
    with pytest.raises(ValueError, match="X must not contain infs or NaNs; row 9, column 1"):
        fastlsq.robust_regression(x, y)


@pytest.mark.parametrize("far", [1e13, 1e15])
@pytest.mark.parametrize("loss", ["huber", "bisquare"])
def test_one_outlier_of_any_size_leaves_a_scale(loss, far):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((200, 2))
    y = x @ [1.0, 2.0] + rng.standard_normal(200)
    y[0] = 1e4
    want = fastlsq.robust_regression(x, y, loss=loss)
    y[0] = far
    got = fastlsq.robust_regression(x, y, loss=loss)
    assert got.scale == pytest.approx(want.scale, rel=1e-4)
    assert np.allclose(got.params, want.params, rtol=1e-3, atol=1e-4)
