# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""elastic_net_cv: every fold as if it had been fitted alone, its error from the residuals of its rows."""

import numpy as np
import pytest

import fastlsq
from fastlsq.gram.folds import folds_of

RNG = np.random.default_rng(31)


@pytest.fixture(autouse=True, scope="module")
def few_columns():
    """The ways of wide problems, at widths that a test can afford."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("fastlsq.gram.elastic_net._FEW_COLUMNS", 256)
        yield


def data(n, p):
    x = RNG.standard_normal((n, p)) * RNG.uniform(0.3, 3, p) + RNG.normal(0, 5, p)
    return x, x[:, : min(3, p)].sum(axis=1) + 2 * RNG.standard_normal(n) + 10


def contiguous(n, k):
    return np.repeat(np.arange(k), [n // k + (i < n % k) for i in range(k)])


def one_by_one(x, y, ratios, alphas, pairs, weights=None, **rest):
    """Mean squared errors (ratio, alpha, fold) of fits to the training rows."""
    errors = np.empty((len(ratios), alphas.shape[1], len(pairs)))
    for i, ratio in enumerate(ratios):
        for f, (train, test) in enumerate(pairs):
            own = None if weights is None else weights[train]
            path = fastlsq.elastic_net_path(x[train], y[train], l1_ratio=ratio, alphas=alphas[i], weights=own, **rest)
            left = y[test][:, None] - path.predict(x[test])
            errors[i, :, f] = np.average(left**2, axis=0, weights=None if weights is None else weights[test])
    return errors


def pairs_of(labels):
    return [(np.flatnonzero(labels != key), np.flatnonzero(labels == key)) for key in np.unique(labels)]


KINDS = ("int", "labels", "strings", "list", "pairs", "masks", "overlapping", "splitter")


def folds(kind, n):
    """(cv, the same as pairs of row numbers)"""
    labels = RNG.integers(0, 3, n)
    pairs = pairs_of(labels)
    if kind == "int":
        return 4, pairs_of(contiguous(n, 4))
    if kind == "strings":
        return np.array(["a", "b", "c"])[labels], pairs
    if kind == "masks":
        return [(labels != key, labels == key) for key in range(3)], pairs
    if kind in ("overlapping", "splitter"):
        pairs = [(rows[: n // 2], rows[n // 2 : n // 2 + n // 4]) for rows in (RNG.permutation(n) for _ in range(3))]
        splitter = type("Splitter", (), {"split": lambda self, x, y: iter(pairs)})
        return (splitter() if kind == "splitter" else pairs), pairs
    return {"labels": labels, "list": labels.tolist(), "pairs": iter(pairs)}[kind], pairs


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("n, p", [(101, 6), (47, 280)])
def test_folds(kind, n, p):
    x, y = data(n, p)
    ratios = [0.3, 1.0] if p < 10 else [0.8]
    for weights, rest in ((None, {}), (RNG.integers(0, 3, n).astype(float), {"intercept": False})):
        cv, pairs = folds(kind, n)
        fit = fastlsq.elastic_net_cv(x, y, l1_ratio=ratios, cv=cv, n_alphas=6, eps=0.05, weights=weights, tol=1e-13,
                                     **rest)
        want = one_by_one(x, y, ratios, fit.alphas, pairs, weights, tol=1e-13, **rest)
        np.testing.assert_allclose(fit.mse_path, want, rtol=1e-8)
        assert fit.folds_converged and fit.converged
        for i, ratio in enumerate(ratios):
            whole = fastlsq.elastic_net_path(x, y, l1_ratio=ratio, weights=weights, n_alphas=6, eps=0.05, **rest)
            np.testing.assert_allclose(fit.alphas[i], whole.alphas, rtol=1e-12)


def test_the_choice():
    x, y = data(200, 8)
    fit = fastlsq.elastic_net_cv(x, y, l1_ratio=[0.2, 0.9], n_alphas=20, positive=True,
                                 penalty_factor=np.arange(1.0, 9.0))
    np.testing.assert_allclose(fit.mse, fit.mse_path.mean(axis=2))
    np.testing.assert_allclose(fit.mse_error, fit.mse_path.std(axis=2, ddof=1) / np.sqrt(5))
    i, j = fit.best
    assert fit.mse[i, j] == fit.mse.min() and fit.alpha == fit.alphas[i, j] and fit.l1_ratio == [0.2, 0.9][i]
    assert fit.one_se <= j and fit.alpha_one_se == fit.alphas[i, fit.one_se]
    limit = fit.mse[i, j] + fit.mse_error[i, j]
    assert fit.mse[i, fit.one_se] <= limit and (fit.mse[i, : fit.one_se] > limit).all()
    rest = {"positive": True, "penalty_factor": np.arange(1.0, 9.0)}
    alone = fastlsq.elastic_net(x, y, fit.alpha, l1_ratio=fit.l1_ratio, **rest)
    np.testing.assert_allclose(fit.coef, alone.coef, atol=1e-7)
    np.testing.assert_allclose([fit.intercept, fit.objective], [alone.intercept, alone.objective], rtol=1e-7)
    assert np.array_equal(fit.path[j].coef, fit.coef) and "5 folds" in repr(fit)
    np.testing.assert_allclose(fit.predict(x), x @ fit.coef + fit.intercept)


def test_far_from_zero_and_in_small_units():
    """Folds whose own means differ by far more than their columns vary."""
    x, y = data(120, 3)
    fit = fastlsq.elastic_net_cv(x, y, l1_ratio=1.0, n_alphas=5, eps=0.1, tol=1e-13)
    for units, shift in ((1e-9, 1e-3), (1e8, 1e14)):
        moved = fastlsq.elastic_net_cv(x * units + shift, y, l1_ratio=1.0, n_alphas=5, eps=0.1, tol=1e-13,
                                       penalty_factor=np.full(3, units))
        np.testing.assert_allclose(moved.mse_path, fit.mse_path, rtol=1e-7)
    drift = x + 1e4 * contiguous(120, 5)[:, None]
    moved = fastlsq.elastic_net_cv(drift, y, alphas=[1e-3], tol=1e-13)
    want = one_by_one(drift, y, [0.5], moved.alphas, pairs_of(contiguous(120, 5)), tol=1e-13)
    np.testing.assert_allclose(moved.mse_path, want, rtol=1e-6)


def test_columns_constant_in_a_fold():
    x, y = data(60, 3)
    x[:48, 2] = 1.0  # tells nothing to the fold that holds out the last rows
    fit = fastlsq.elastic_net_cv(x, y, n_alphas=4, eps=0.1, tol=1e-13)
    want = one_by_one(x, y, [0.5], fit.alphas, pairs_of(contiguous(60, 5)), tol=1e-13)
    np.testing.assert_allclose(fit.mse_path, want, rtol=1e-8)
    level = np.ones((60, 2))
    fit = fastlsq.elastic_net_cv(level, y, alphas=[0.1])
    halves = contiguous(60, 5)
    want = [np.mean((y[halves == k] - y[halves != k].mean()) ** 2) for k in range(5)]
    np.testing.assert_allclose(fit.mse_path[0, 0], want)


@pytest.mark.parametrize("layout", ["F", "float32", "strided", "readonly"])
def test_layouts(layout):
    x, y = RNG.integers(-20, 21, (90, 4)).astype(float), RNG.integers(-50, 51, 90).astype(float)
    labels = RNG.integers(0, 4, 90)
    plain = [fastlsq.elastic_net_cv(x, y, n_alphas=5, cv=cv).mse_path for cv in (3, labels)]
    if layout == "F":
        x = np.asfortranarray(x)
    elif layout == "float32":
        x, y = x.astype(np.float32), y.astype(np.float32)
    elif layout == "strided":
        x, y, labels = np.repeat(x, 2, axis=0)[::2], np.repeat(y, 3)[::3], np.repeat(labels, 2)[::2]
    else:
        x.flags.writeable = y.flags.writeable = labels.flags.writeable = False
    for cv, want in zip((3, labels), plain, strict=True):
        np.testing.assert_allclose(fastlsq.elastic_net_cv(x, y, n_alphas=5, cv=cv).mse_path, want, rtol=1e-9)


def test_long_folds_by_label_are_read_in_blocks():
    x, y = data(30_000, 2)
    labels = np.arange(30_000) % 2
    fit = fastlsq.elastic_net_cv(x, y, cv=labels, alphas=[0.1], tol=1e-13)
    want = one_by_one(x, y, [0.5], fit.alphas, pairs_of(labels), tol=1e-13)
    np.testing.assert_allclose(fit.mse_path, want, rtol=1e-9)


@pytest.mark.parametrize(
    "cv, message",
    [
        (1, "cv must be between 2 and the number of rows, 20, got 1"),
        (21, "cv must be between 2"),
        (np.zeros(20), "cv must name at least 2 folds"),
        (np.zeros(7), "cv must have one label for each of the 20 rows"),
        ([(np.arange(5), np.arange(30))], "cv names a row outside 0 .. 19"),
        ([(np.arange(5), np.arange(0))], "cv: train and test must be row numbers"),
        ([(np.ones(3, bool), np.arange(4))], "cv: train and test must be row numbers"),
    ],
)
def test_bad_folds(cv, message):
    x, y = data(20, 2)
    with pytest.raises(ValueError, match=message):
        fastlsq.elastic_net_cv(x, y, cv=cv)


def test_folds_without_weight_and_other_words():
    x, y = data(20, 2)
    weights = (np.arange(20) >= 4).astype(float)
    with pytest.raises(ValueError, match="fold 0 of cv holds out no row with a weight above 0"):
        fastlsq.elastic_net_cv(x, y, weights=weights)
    with pytest.raises(ValueError, match="fold 1 of cv trains on no row with a weight above 0"):
        pairs = [(np.arange(4), np.arange(3)), (np.arange(9, 20), np.arange(4))]
        fastlsq.elastic_net_cv(x, y, weights=1 - weights, cv=pairs)
    with pytest.raises(TypeError, match="cv must be a number of folds"):
        fastlsq.elastic_net_cv(x, y, cv=2.5)
    with pytest.raises(ValueError, match="l1_ratio must be a number or 1-D"):
        fastlsq.elastic_net_cv(x, y, l1_ratio=[])
    with pytest.raises(ValueError, match="l1_ratio must be between 0 and 1"):
        fastlsq.elastic_net_cv(x, y, l1_ratio=[0.5, 2.0])


def test_adjacent_folds_are_those_of_kfold():
    model_selection = pytest.importorskip("sklearn.model_selection")
    for n, k in ((10, 3), (101, 7), (5, 5)):
        ours = [np.arange(n)[test].tolist() for _, test in folds_of(k, np.empty((n, 1)), None)]
        assert ours == [test.tolist() for _, test in model_selection.KFold(k).split(np.empty((n, 1)))]


@pytest.mark.parametrize("n, p", [(300, 12), (60, 280)])
@pytest.mark.parametrize("weighted", [False, True])
def test_numbers_of_scikit_learn(n, p, weighted):
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, y = data(n, p)
    weights = RNG.integers(1, 4, n).astype(float) if weighted else None
    fit = fastlsq.elastic_net_cv(x, y, l1_ratio=[0.4, 1.0], n_alphas=10, eps=0.02, weights=weights, tol=1e-13)
    peer = linear_model.ElasticNetCV(l1_ratio=[0.4, 1.0], alphas=10, eps=0.02, tol=1e-13, max_iter=10**6)
    peer.fit(x, y, sample_weight=weights)
    np.testing.assert_allclose(fit.alphas, peer.alphas_, rtol=1e-12)
    np.testing.assert_allclose(fit.mse_path, peer.mse_path_, rtol=1e-8)
    np.testing.assert_allclose([fit.alpha, fit.l1_ratio], [peer.alpha_, peer.l1_ratio_], rtol=1e-12)
    np.testing.assert_allclose(fit.coef, peer.coef_, atol=1e-6)
