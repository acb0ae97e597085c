# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Influence: fits without each row in turn, and statsmodels' numbers (see test_robust.py)."""

import numpy as np
import pytest
from test_robust import REFERENCE, SETS, data, of_set

import fastlsq

STATISTICS = (
    "residuals", "loo_residuals", "leverage", "standardized", "studentized", "cooks_distance", "dffits", "dfbetas",
)


@pytest.mark.parametrize("name", SETS)
def test_statsmodels(name):
    x, y, _ = of_set(name)
    influence = fastlsq.ols(x, y).influence(x, y)
    for statistic, want in REFERENCE[name]["influence"].items():
        scale = np.abs(want).max()
        np.testing.assert_allclose(getattr(influence, statistic) / scale, np.array(want) / scale, atol=1e-8,
                                   err_msg=statistic)


def deleted(x, y, w, i, intercept):
    rest = np.arange(len(y)) != i
    return fastlsq.ols(x[rest], y[rest], weights=None if w is None else w[rest], intercept=intercept)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [False, True])
def test_every_statistic_is_that_of_deletion(weighted, intercept):
    x, y, w, _ = data(40, 3)
    w = w if weighted else None
    fit = fastlsq.ols(x, y, weights=w, intercept=intercept)
    influence = fit.influence(x, y, w)
    k, total = 3 + intercept, 0.0
    unscaled = np.diagonal(fit.covariance) / fit.sigma**2
    for i in range(40):
        other = deleted(x, y, w, i, intercept)
        weight = 1.0 if w is None else w[i]
        left = y[i] - other.predict(x[i : i + 1])[0]
        total += weight * left**2
        moved = fit.predict(x) - other.predict(x)
        h = influence.leverage[i]
        assert influence.loo_residuals[i] == pytest.approx(left, rel=1e-9, abs=1e-11)
        assert influence.residuals[i] == pytest.approx(y[i] - fit.predict(x[i : i + 1])[0], rel=1e-9, abs=1e-11)
        assert 1 - h == pytest.approx(influence.residuals[i] / left, rel=1e-8)
        cook = (moved**2 * (1.0 if w is None else w)).sum() / (k * fit.sigma**2)
        assert influence.cooks_distance[i] == pytest.approx(cook, rel=1e-8, abs=1e-13)
        errors = other.sigma * np.sqrt(unscaled)
        np.testing.assert_allclose(influence.dfbetas[i], (fit.params - other.params) / errors, rtol=1e-7, atol=1e-10)
        root = np.sqrt(weight)
        scaled = root * influence.residuals[i] / np.sqrt(1 - h)
        assert influence.studentized[i] == pytest.approx(scaled / other.sigma, rel=1e-8)
        assert influence.standardized[i] == pytest.approx(scaled / fit.sigma, rel=1e-8)
        assert influence.dffits[i] == pytest.approx(root * moved[i] / (other.sigma * np.sqrt(h)), rel=1e-7, abs=1e-10)
    assert influence.press == pytest.approx(total, rel=1e-9)


def test_blocks_are_parts_of_the_whole():
    x, y, w, _ = data(2500, 6)
    influence = fastlsq.ols(x, y, weights=w).influence(x, y, w)
    assert len(influence) == 2500 and "2500 rows, 7 parameters" in repr(influence)
    assert influence.leverage.sum() == pytest.approx(7, rel=1e-12)
    for size in (1, 999, 5000):
        at = 0
        for block in influence.blocks(size) if size > 1 else zip(range(3), influence.blocks(1), strict=False):
            block = block[1] if size == 1 else block
            assert block.start == at
            at = block.stop
            for name in STATISTICS:
                np.testing.assert_allclose(getattr(block, name), getattr(influence, name)[block.start : block.stop],
                                           rtol=1e-12, atol=1e-15)
        assert at == (3 if size == 1 else 2500)


def test_same_bits_for_any_number_of_threads():
    x, y, _, _ = data(20_000, 7)
    fit = fastlsq.ols(x, y)
    want = fit.influence(x, y, n_threads=1)
    for n_threads in (2, 3, 8):
        found = fit.influence(x, y, n_threads=n_threads)
        for name in STATISTICS:
            np.testing.assert_array_equal(getattr(found, name), getattr(want, name))


FORMS = [np.asfortranarray, lambda a: a.astype(np.float32), lambda a: np.repeat(a, 2, axis=0)[::2]]


@pytest.mark.parametrize("form", FORMS)
def test_layouts(form):
    x, y, _, _ = data(300, 4)
    x, y = np.round(8 * x), np.round(8 * y)
    want = fastlsq.ols(x, y).influence(x, y)
    found = fastlsq.ols(form(x), form(y)).influence(form(x), form(y))
    for name in STATISTICS:
        np.testing.assert_allclose(getattr(found, name), getattr(want, name), rtol=1e-10, atol=1e-12)


def test_dependent_columns_change_no_row(rung):
    x, y, _, _ = data(90, 3)
    z = np.column_stack([x, x[:, 0] + 2 * x[:, 2], np.ones(90)])
    want, found = fastlsq.ols(x, y).influence(x, y), fastlsq.ols(z, y).influence(z, y)
    for name in STATISTICS[:-1]:
        np.testing.assert_allclose(getattr(found, name), getattr(want, name), rtol=1e-8, atol=1e-12)
    np.testing.assert_allclose(found.dfbetas[:, 2], want.dfbetas[:, 2], rtol=1e-8, atol=1e-12)


def test_nearly_dependent_columns():
    rng = np.random.default_rng(13)
    z, y = np.round(rng.standard_normal((400, 3)) * 2**20) / 2**20, rng.standard_normal(400)
    x = np.column_stack([z[:, 0], z[:, 0] + 2.0**-17 * z[:, 1], z[:, 2]])
    want, found = fastlsq.ols(z, y).influence(z, y), fastlsq.ols(x, y).influence(x, y)
    np.testing.assert_allclose(found.leverage, want.leverage, rtol=1e-8)
    np.testing.assert_allclose(found.cooks_distance, want.cooks_distance, rtol=1e-6, atol=1e-9)


def test_a_row_without_which_there_is_no_such_fit():
    rng = np.random.default_rng(6)
    x, y = rng.standard_normal((30, 2)), rng.standard_normal(30)
    x[:, 1] = 0.0
    x[4, 1] = 3.0
    influence = fastlsq.ols(x, y).influence(x, y)
    assert influence.leverage[4] == 1.0
    rest = np.arange(30) != 4
    for name in STATISTICS[1:]:
        values = getattr(influence, name)
        assert np.isfinite(values[rest]).all()
        assert name == "leverage" or np.isnan(values[4]).all()


def test_several_targets_and_gram():
    x, y, _, _ = data(200, 3, k=2)
    fit = fastlsq.ols(x, y)
    for t in range(2):
        want = fastlsq.ols(x, y[:, t]).influence(x, y[:, t])
        np.testing.assert_allclose(fit.influence(x, y, target=t).cooks_distance, want.cooks_distance, rtol=1e-9)
    from_sums = fastlsq.Gram().update(x, y[:, 1]).ols().influence(x, y[:, 1])
    np.testing.assert_allclose(from_sums.studentized, want.studentized, rtol=1e-9)


def test_nothing_is_known_of_an_exact_fit():
    x = np.random.default_rng(1).standard_normal((4, 3))
    influence = fastlsq.ols(x, np.arange(4.0)).influence(x, np.arange(4.0))
    np.testing.assert_array_equal(influence.leverage, np.ones(4))
    assert np.isnan(influence.studentized).all() and np.isnan(influence.dfbetas).all()


def test_bad_input():
    x, y, _, _ = data(30, 2)
    fit = fastlsq.ols(x, y)
    y = y.copy()
    y[3] = np.inf
    with pytest.raises(ValueError, match="y must not contain infs or NaNs; row 3"):
        _ = fit.influence(x, y).leverage
    with pytest.raises(ValueError, match="other rows than those of the fit"):
        fit.influence(x[:5], y[:5])
