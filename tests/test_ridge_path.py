# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Ridge paths and cross-validation: every alpha against a fit of its own, every left-out row against a refit."""

import numpy as np
import pytest
from test_ridge import exact

import fastlsq
from fastlsq._core import lib

ALPHAS = np.r_[0.0, 10.0 ** np.arange(-7, 9)]


def problem(n=120, p=6, k=2, seed=0, spread=4):
    rng = np.random.default_rng(seed)
    x = 3 + rng.standard_normal((n, p)) * 10.0 ** rng.integers(-spread, spread + 1, p)
    y = rng.standard_normal((n, k)) + x[:, :k] / np.abs(x[:, :k]).max(axis=0)
    return x, y, rng.integers(0, 3, n).astype(float)


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("penalty", [
    None, np.array([0.0, 1.0, 0.0, 2.0, 1e3, 1e-3]), np.diag(np.ones(5), 1) + 2 * np.eye(6),
])  # fmt: skip
def test_every_alpha_is_the_fit_of_its_own(intercept, penalty):
    x, y, w = problem()
    penalty = penalty if penalty is None or penalty.ndim == 1 else 0.5 * (penalty + penalty.T)
    path = fastlsq.ridge_path(x, y, ALPHAS, penalty=penalty, weights=w, intercept=intercept)
    from_state = fastlsq.Gram(intercept).update(x, y, w).ridge_path(ALPHAS, penalty=penalty)
    np.testing.assert_array_equal(path.coef, from_state.coef)
    lengths = np.sqrt((x * x).sum(axis=0))[:, None]
    for i, alpha in enumerate(ALPHAS):
        want = fastlsq.ridge(x, y, alpha, penalty=penalty, weights=w, intercept=intercept)
        size = np.linalg.norm(lengths * want.coef, axis=0)
        error = np.linalg.norm(lengths * (path.coef[i] - want.coef), axis=0)
        # without an intercept the columns of mean 3 are nearly parallel
        assert (error <= (1e-11 if intercept else 1e-8) * size).all()
        np.testing.assert_allclose(path.rss[i], want.rss, rtol=1e-9)
        np.testing.assert_allclose(path.intercept[i], want.intercept, rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(path.predict(x)[i], want.predict(x), rtol=1e-8, atol=1e-8)


def test_degrees_of_freedom_and_gcv():
    x, y, w = problem(spread=0)
    path = fastlsq.ridge_path(x, y, [1e-3, 1.0, 1e3], weights=w)
    root = np.sqrt(w)[:, None]
    centred = root * (x - np.average(x, axis=0, weights=w))
    for i, alpha in enumerate(path.alphas):
        hat = centred @ np.linalg.solve(centred.T @ centred + alpha * np.eye(6), centred.T)
        assert path.df[i] == pytest.approx(np.trace(hat), rel=1e-12)
        n = np.count_nonzero(w)
        want = n * path.rss[i] / (n - np.trace(hat) - 1) ** 2
        np.testing.assert_allclose(path.gcv[i], want, rtol=1e-12)


def left_out(x, y, w, alpha, folds, penalty, intercept):
    """Mean over the folds of the mean squared error of their rows, by exact refits; of single rows weighted."""
    total = np.zeros(y.shape[1])
    for rows in folds:
        rest = np.setdiff1d(np.arange(len(x)), rows)
        b = exact(x[rest], y[rest], alpha, penalty, w[rest], intercept)
        error = y[rows] - x[rows] @ b[-x.shape[1] :] - (b[0] if intercept else 0.0)
        squares = np.average(error**2, axis=0, weights=w[rows])
        total += squares * w[rows[0]] / w.sum() if len(folds) == len(x) else squares / len(folds)
    return total


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize(("n", "p"), [(14, 3), (5, 9)])
@pytest.mark.parametrize("cv", ["loo", 3, "labels"])
def test_cross_validation_is_that_of_refits(intercept, n, p, cv):
    rng = np.random.default_rng(n)
    x, y = rng.integers(-9, 10, (n, p)).astype(float), rng.integers(-9, 10, (n, 2)).astype(float)
    w, penalty = rng.integers(1, 4, n).astype(float), rng.integers(1, 4, p).astype(float)
    labels = np.array(["a", "b", "c"])[np.arange(n) % 3]
    folds = {"loo": np.arange(n)[:, None], 3: np.array_split(np.arange(n), 3),
             "labels": [np.flatnonzero(labels == key) for key in "abc"]}[cv]
    alphas = [0.25, 64.0, 1e6]
    fit = fastlsq.ridge_cv(x, y, alphas, cv=labels if cv == "labels" else cv, penalty=penalty, weights=w,
                           intercept=intercept)
    want = np.array([left_out(x, y, w, alpha, folds, penalty, intercept) for alpha in alphas])
    np.testing.assert_allclose(fit.scores, want, rtol=1e-10)
    assert fit.alpha == alphas[np.argmin(want.mean(axis=1))]
    refit = fastlsq.ridge(x, y, fit.alpha, penalty=penalty, weights=w, intercept=intercept)
    np.testing.assert_allclose(fit.coef, refit.coef, rtol=1e-12, atol=1e-14)
    each = fastlsq.ridge_cv(x, y, alphas, cv=labels if cv == "labels" else cv, penalty=penalty, weights=w,
                            intercept=intercept, alpha_per_target=True)
    np.testing.assert_array_equal(each.alpha, np.array(alphas)[np.argmin(want, axis=0)])


@pytest.mark.parametrize("intercept", [True, False])
def test_gcv_agrees_with_its_path_and_with_the_dual(intercept):
    x, y, w = problem(40, 6, spread=0)
    alphas = [1e-2, 1.0, 1e2]
    fit = fastlsq.ridge_cv(x, y, alphas, cv="gcv", weights=w, intercept=intercept)
    path = fastlsq.ridge_path(x, y, alphas, weights=w, intercept=intercept)
    np.testing.assert_allclose(fit.scores, path.gcv * np.count_nonzero(w) / w.sum(), rtol=1e-12)
    wide = fastlsq.ridge_cv(x[:5], y[:5], alphas, cv="gcv", intercept=intercept)
    # a matrix as a penalty is not solved in the dual
    same = fastlsq.ridge_cv(x[:5], y[:5], alphas, cv="gcv", penalty=np.eye(6), intercept=intercept)
    np.testing.assert_allclose(wide.scores, same.scores, rtol=1e-6)


@pytest.mark.parametrize("intercept", [True, False])
def test_leaving_a_row_out_is_stable_as_alpha_goes_to_0(intercept):
    """A column twice: the fits tend to that of minimum norm, and so do those without a row."""
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((40, 4)), rng.standard_normal(40)
    x[:, 3] = x[:, 0]
    fit = fastlsq.ridge_cv(x, y, [0.0, 1e-14, 1e-10, 1e-6], intercept=intercept)
    want = 0.0
    for i in range(40):
        rest = np.arange(40) != i
        part = fastlsq.ols(x[rest, :3], y[rest], intercept=intercept)
        want += (y[i] - part.predict(x[i : i + 1, :3])[0]) ** 2
    np.testing.assert_allclose(fit.scores, want / 40, rtol=1e-6)


def test_default_alphas_do_not_depend_on_units():
    x, y, _ = problem(spread=0)
    one, other = fastlsq.ridge_cv(x, y[:, 0]), fastlsq.ridge_cv(1e6 * x, y[:, 0])
    np.testing.assert_allclose(other.alphas, 1e12 * one.alphas, rtol=1e-10)
    np.testing.assert_allclose(other.scores, one.scores, rtol=1e-9)
    assert one.alphas.size == 100
    assert one.scores.shape == (100,)
    assert 0 < np.argmin(one.scores) < 99
    assert fastlsq.ridge_cv(x, y[:, 0], cv=5).alphas.size == 100
    assert fastlsq.ridge_cv(x[:4], y[:4, 0]).alphas.size == 100


@pytest.mark.parametrize("n", [1, 31, 32, 33, 127, 128, 129, 1024, 1025, 2500])
@pytest.mark.parametrize(("p", "fits"), [(1, 1), (5, 12), (12, 13), (25, 7)])
def test_the_pass_over_the_rows(kernel, n, p, fits):
    """Integers, so that every product is exact; divided once."""
    rng = np.random.default_rng(n + p)
    k, modes = 2, max(1, p - 1)
    x, y = rng.integers(-3, 4, (n, p)).astype(float), rng.integers(-9, 10, (n, k)).astype(float)
    w = rng.integers(0, 3, n).astype(float)
    basis, damping = rng.integers(-2, 3, (p, modes)).astype(float), rng.integers(0, 3, (modes, fits)) * 2.0**-20
    b = rng.integers(-3, 4, (k, p, fits)).astype(float)
    squares, out = lib.leave_one_out(x, y, w, None, None, basis, damping, b, 2.0**-10, 1, kernel)
    leverage = w[:, None] * (2.0**-10 + (x @ basis) ** 2 @ damping)
    error = y.T[:, :, None] - np.einsum("ij,kjf->kif", x, b)
    np.testing.assert_array_equal(squares, np.einsum("i,kif->kf", w, error**2))
    want = np.einsum("i,kif->kf", w, (error.astype(np.longdouble) / (1 - leverage)) ** 2)
    np.testing.assert_allclose(out, want.astype(float), rtol=1e-13)
    for n_threads in (2, 3, 8):
        columns = np.asfortranarray(x)
        again = lib.leave_one_out(columns, y, w, None, None, basis, damping, b, 2.0**-10, n_threads, kernel)
        np.testing.assert_array_equal(again[0], squares)
        np.testing.assert_array_equal(again[1], out)


def test_threads_orders_and_dtypes_give_the_same_bits():
    rng = np.random.default_rng(4)
    x, y = rng.integers(-9, 10, (6000, 10)).astype(float), rng.standard_normal((6000, 1))
    for cv in ("loo", 4, np.arange(6000) % 4):
        want = fastlsq.ridge_cv(x, y, cv=cv, n_threads=1)
        for other, n_threads in ((np.asfortranarray(x), 2), (x.astype(np.float32), 3), (x[::-1][::-1], 8)):
            fit = fastlsq.ridge_cv(other, y, cv=cv, n_threads=n_threads)
            np.testing.assert_array_equal(fit.scores, want.scores)
            np.testing.assert_array_equal(fit.coef, want.coef)


@pytest.mark.parametrize(("arguments", "message"), [
    ({"cv": "best"}, "cv must be 'loo'"), ({"cv": 1}, "cv must be between 2 and"), ({"cv": 200}, "rows, 120, got 200"),
    ({"cv": np.zeros(120)}, "at least 2 folds"), ({"cv": np.zeros(3)}, "one label for each of the 120 rows"),
    ({"alphas": [1.0, -1.0]}, "alphas must be finite and >= 0"), ({"alphas": []}, "1-D and not empty"),
    ({"alphas": 1.0}, "1-D and not empty"), ({"weights": np.zeros(120)}, "not all be zero"),
    ({"cv": np.arange(120) % 2, "weights": np.arange(120) % 2}, "fold 0 of cv holds out no row"),
])  # fmt: skip
def test_refuses(arguments, message):
    x, y, _ = problem()
    with pytest.raises(ValueError, match=message):
        fastlsq.ridge_cv(x, y, **arguments)


def test_nan_is_named():
    x, y, _ = problem()
    y[100, 1] = np.nan
    for call in (fastlsq.ridge_cv, fastlsq.ridge_path):
        with pytest.raises(ValueError, match="y must not contain infs or NaNs; row 100, column 1 is nan"):
            call(x, y)


@pytest.mark.parametrize("intercept", [True, False])
def test_a_row_that_its_fit_meets_has_no_score(intercept):
    rng = np.random.default_rng(0)
    x, y = np.c_[rng.standard_normal((50, 3)), np.zeros(50)], rng.standard_normal(50)
    x[7, 3] = 1.0
    y[7] += 100
    alphas = [0.0, 1e-3, 1.0]
    fit = fastlsq.ridge_cv(x, y, alphas, intercept=intercept)
    assert np.isnan(fit.scores[0]) and fit.alpha > 0
    for i in (1, 2):
        folds = np.arange(50)[:, None]
        want = left_out(x, y[:, None], np.ones(50), alphas[i], folds, np.ones(4), intercept)
        np.testing.assert_allclose(fit.scores[i], want[0], rtol=1e-6)
    wide = fastlsq.ridge_cv(x[:3], y[:3], [0.0, 1.0], intercept=intercept)
    assert np.isnan(wide.scores[0]) and wide.alpha == 1
    with pytest.raises(ValueError, match="no alpha has a score"):
        fastlsq.ridge_cv(x, y, [0.0], intercept=intercept)


@pytest.mark.parametrize("noise", [1e-7, 1e-8, 1e-9])
@pytest.mark.parametrize("cv", ["loo", "gcv", 5, "labels"])
def test_fits_that_are_all_but_exact(noise, cv):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 3))
    y = x @ [1.0, 2.0, 3.0] + 5 + noise * rng.standard_normal(50)
    alphas = [1e-14, 1e-12, 1e-3]
    labels = np.arange(50) % 5
    fit = fastlsq.ridge_cv(x, y, alphas, cv=labels if cv == "labels" else cv)
    folds = {"loo": np.arange(50)[:, None], 5: np.array_split(np.arange(50), 5),
             "labels": [np.flatnonzero(labels == k) for k in range(5)]}
    if cv == "gcv":
        plain = fastlsq.ridge(x, y, 1e-14)
        want = plain.rss * 50 / 46**2
    else:
        want = left_out(x, y[:, None], np.ones(50), 1e-14, folds[cv], np.ones(3), True)[0]
    np.testing.assert_allclose(fit.scores[0], want, rtol=1e-5)
    assert fit.alpha < 1e-3


@pytest.mark.parametrize("cv", ["loo", "gcv", 4])
@pytest.mark.parametrize("n", [60, 4])
def test_the_choice_does_not_depend_on_the_units_of_y(cv, n):
    rng = np.random.default_rng(2)
    x = rng.standard_normal((n, 5))
    y = x[:, :2].sum(axis=1) + rng.standard_normal(n)
    want = fastlsq.ridge_cv(x, y, [1e-3, 1.0, 100.0], cv=cv).alpha
    for scale in (1e-165, 1e160):
        assert fastlsq.ridge_cv(x, scale * y, [1e-3, 1.0, 100.0], cv=cv).alpha == want


@pytest.mark.parametrize("scale", [1e-300, 1e-160, 1e160, 1e300])
def test_default_alphas_of_any_units(scale):
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((60, 5)), rng.standard_normal(60)
    for cv in ("loo", "gcv"):
        fit = fastlsq.ridge_cv(scale * x, y, cv=cv)
        assert np.isfinite(fit.alphas).all() and (fit.alphas > 0).all()
        assert np.isfinite(fit.coef).all()
