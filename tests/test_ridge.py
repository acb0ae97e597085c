# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Ridge: exact solutions of integer problems, hard ones through the ladder, every shape of penalty."""

from fractions import Fraction

import numpy as np
import pytest

import fastlsq


def exact(x, y, alpha, penalty, weights=None, intercept=True):
    """[intercept; b] (lead x k) minimising sum w (y - x b - intercept)² + alpha bᵀP b, by elimination in rationals."""
    n, p = x.shape
    rows = [[Fraction(float(v)) for v in row] + ([Fraction(1)] if intercept else []) for row in x]
    y = np.asarray(y, float).reshape(n, -1)
    targets = [[Fraction(float(v)) for v in row] for row in y]
    w = [Fraction(float(v)) for v in (np.ones(n) if weights is None else weights)]
    lead, k = p + intercept, y.shape[1]
    a = [[sum(w[i] * rows[i][r] * rows[i][c] for i in range(n)) for c in range(lead)]
         + [sum(w[i] * rows[i][r] * targets[i][t] for i in range(n)) for t in range(k)] for r in range(lead)]
    matrix = np.diag(penalty) if penalty.ndim == 1 else penalty
    for r in range(p):
        for c in range(p):
            a[r][c] += Fraction(float(alpha)) * Fraction(float(matrix[r, c]))
    for r in range(lead):
        pivot = next(i for i in range(r, lead) if a[i][r] != 0)
        a[r], a[pivot] = a[pivot], a[r]
        a[r] = [v / a[r][r] for v in a[r]]
        for i in range(lead):
            if i != r and a[i][r] != 0:
                a[i] = [v - a[i][r] * u for v, u in zip(a[i], a[r], strict=True)]
    b = np.array([[float(a[r][lead + t]) for t in range(k)] for r in range(lead)])
    return np.vstack([b[p:], b[:p]]) if intercept else b


def params(fit):
    coef = fit.coef.reshape(len(fit.names), -1)
    return np.vstack([np.reshape(fit.intercept, (1, -1)), coef]) if fit.has_intercept else coef


def integers(n, p, k=1, seed=0):
    rng = np.random.default_rng(seed)
    return rng.integers(-9, 10, (n, p)).astype(float), rng.integers(-9, 10, (n, k)).astype(float), rng.integers(0, 4, n)


MATRIX = np.array([[5.0, 2.0, 0.0, 1.0], [2.0, 3.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 0.0, 2.0]])


@pytest.mark.parametrize("accuracy", ["fast", "qr", "full"])
@pytest.mark.parametrize("penalty", [np.ones(4), np.array([0.5, 2.0, 0.0, 1e3]), MATRIX])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("weighted", [True, False])
@pytest.mark.parametrize("alpha", [2.0**-20, 3.0, 1e6])
def test_exact(accuracy, penalty, intercept, weighted, alpha):
    x, y, w = integers(30, 4, 2)
    weights = w if weighted else None
    fit = fastlsq.ridge(x, y, alpha, penalty=penalty, weights=weights, intercept=intercept, accuracy=accuracy)
    want = exact(x, y, alpha, penalty, weights, intercept)
    # 'full' leaves the last bit; alpha 1e6 makes some coefficients 1e-9 of others
    rtol = {"fast": 1e-13, "qr": 4e-15, "full": 4e-16}[accuracy]
    lengths = np.sqrt(np.diag(x.T @ x) + alpha * (penalty if penalty.ndim == 1 else np.diag(penalty)))
    error = lengths[:, None] * (params(fit) - want)[-4:]
    assert (np.linalg.norm(error, axis=0) <= rtol * 4 * np.linalg.norm(lengths[:, None] * want[-4:], axis=0)).all()
    residual = y - x @ want[-4:] - (want[0] if intercept else 0.0)
    np.testing.assert_allclose(fit.rss, (residual**2 * (np.ones(30) if weights is None else w)[:, None]).sum(axis=0),
                               rtol=1e-12)
    np.testing.assert_allclose(params(fit)[0], want[0], rtol=1e-12, atol=1e-12)
    assert fit.info.path == "gram"


@pytest.mark.parametrize("intercept", [True, False])
def test_an_alpha_for_each_target(intercept):
    x, y, w = integers(40, 4, 5, seed=1)
    alpha = np.array([0.0, 3.0, 1e-3, 3.0, 1e4])
    fit = fastlsq.ridge(x, y, alpha, weights=w, intercept=intercept)
    from_moments = fastlsq.Gram(intercept).update(x, y, w).ridge(alpha)
    for t in range(5):
        want = exact(x, y[:, t], alpha[t], np.ones(4), w, intercept)
        np.testing.assert_allclose(params(fit)[:, t : t + 1], want, rtol=1e-13, atol=1e-14)
        np.testing.assert_allclose(params(from_moments)[:, t : t + 1], want, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(fit.rss[t], fastlsq.ridge(x, y[:, t], alpha[t], weights=w, intercept=intercept).rss,
                                   rtol=1e-13)
    assert fit.info.backward_error <= 4 * 2.0**-53


@pytest.mark.parametrize("alpha", [1e-9, 1e-6, 1.0])
@pytest.mark.parametrize("intercept", [True, False])
def test_nearly_equal_columns_are_told_apart_by_the_penalty(alpha, intercept):
    """Moments alone would lose the difference of columns that differ by 2^-30."""
    x, y, _ = integers(60, 3, 1, seed=2)
    x[:, 2] = x[:, 0] + 2.0**-30 * x[:, 2]
    fit = fastlsq.ridge(x, y[:, 0], alpha, intercept=intercept)
    want = exact(x, y, alpha, np.ones(3), None, intercept)
    rest = y[:, 0] - x @ want[-3:, 0] - (want[0, 0] if intercept else 0)
    rows = np.vstack([x - x.mean(axis=0) * intercept, np.sqrt(alpha) * np.eye(3)])
    kappa = np.linalg.cond(rows / np.linalg.norm(rows, axis=0))
    tangent = np.sqrt(rest @ rest + alpha * (want[-3:] ** 2).sum()) / np.linalg.norm(rows @ want[-3:])
    assert np.linalg.norm(fit.coef - want[-3:, 0]) <= 1e-15 * kappa * (1 + kappa * tangent) * np.linalg.norm(want[-3:])
    assert fit.info.backward_error <= 4 * 2.0**-53
    np.testing.assert_allclose(fit.rss, rest @ rest, rtol=1e-9)


@pytest.mark.parametrize("intercept", [True, False])
def test_rows_of_very_different_lengths(intercept):
    x, y, _ = integers(60, 3, 1, seed=3)
    x[5] *= 2.0**40
    y[5] *= 2.0**40
    x[:, 2] = x[:, 0] + 2.0**-24 * x[:, 2]
    fit = fastlsq.ridge(x, y[:, 0], 0.5, intercept=intercept)
    want = exact(x, y, 0.5, np.ones(3), None, intercept)
    # about a mean of 2^37 the other rows have lost 37 bits, of which the difference of two columns needs 24
    np.testing.assert_allclose(fit.coef, want[-3:, 0], rtol=0.1 if intercept else 1e-6)
    assert fit.info.path == ("preconditioned" if intercept else "qr")
    assert fit.info.backward_error <= 4 * 2.0**-53


@pytest.mark.parametrize("intercept", [True, False])
def test_columns_without_a_penalty_may_depend_on_each_other(intercept):
    x, y, _ = integers(50, 4, 1, seed=4)
    x[:, 3] = x[:, 0] - x[:, 2]
    penalty = np.array([0.0, 1.0, 0.0, 0.0])
    fit = fastlsq.ridge(x, y[:, 0], 2.0, penalty=penalty, intercept=intercept)
    assert fit.info.aliased == (3,)
    assert fit.info.aliased_names == ("x3",)
    want = exact(x[:, :3], y, 2.0, penalty[:3], None, intercept)
    null = np.array([1.0, 0.0, -1.0, -1.0])
    longer = np.append(want[-3:, 0], 0.0)
    np.testing.assert_allclose(fit.coef, longer - null * (null @ longer) / (null @ null), rtol=1e-11, atol=1e-13)
    # a penalty on all of them leaves one answer
    assert fastlsq.ridge(x, y[:, 0], 2.0).info.aliased == ()


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("penalty", [
    np.ones(9), np.arange(1.0, 10.0), np.diag(np.arange(1.0, 10.0)) + 1, 1.0 * (np.arange(9) > 2),
])  # fmt: skip
def test_fewer_rows_than_columns(intercept, penalty):
    x, y, w = integers(6, 9, 2, seed=5)
    w = w + 1
    fit = fastlsq.ridge(x, y, 1.5, penalty=penalty, weights=w, intercept=intercept)
    want = exact(x, y, 1.5, penalty, w, intercept)
    np.testing.assert_allclose(params(fit), want, rtol=1e-11, atol=1e-12)
    residual = y - x @ want[-9:] - (want[0] if intercept else 0.0)
    np.testing.assert_allclose(fit.rss, (residual**2 * w[:, None]).sum(axis=0), rtol=1e-11)
    np.testing.assert_allclose(fit.predict(x), y - residual, rtol=1e-11, atol=1e-12)


def test_constant_and_zero_columns_and_a_column_of_ones():
    x, y, _ = integers(30, 4, 1, seed=6)
    x[:, 1], x[:, 3] = 7.0, 0.0
    fit = fastlsq.ridge(x, y[:, 0], 1e-6)
    assert fit.coef[1] == fit.coef[3] == 0
    np.testing.assert_allclose(params(fit), exact(x, y, 1e-6, np.ones(4)), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("scale", [1e-150, 1e150])
def test_values_whose_squares_leave_the_range(scale):
    x, y, _ = integers(30, 4, 1, seed=7)
    fit = fastlsq.ridge(scale * x, y[:, 0], 2.0, penalty=np.full(4, scale * scale) if scale < 1 else np.full(4, 1e300))
    want = exact(x, y, 2.0, np.ones(4))
    np.testing.assert_allclose(fit.coef * scale, want[1:, 0], rtol=1e-12)


def test_weights_repeat_rows_and_a_zero_weight_drops_one():
    x, y, w = integers(40, 4, 1, seed=8)
    fit = fastlsq.ridge(x, y[:, 0], 2.0, weights=w)
    repeated = fastlsq.ridge(np.repeat(x, w, axis=0), np.repeat(y[:, 0], w), 2.0)
    np.testing.assert_allclose(params(fit), params(repeated), rtol=1e-13)
    np.testing.assert_allclose(fit.tss, repeated.tss, rtol=1e-13)


def test_dtypes_and_orders_and_threads_give_the_same_bits():
    x, y, w = integers(5000, 20, 1, seed=9)
    want = fastlsq.ridge(x, y[:, 0], 2.0, weights=w, n_threads=1)
    wide = np.zeros((5000, 40))
    wide[:, ::2] = x
    frozen = x.copy()
    frozen.flags.writeable = False
    for other in (x.astype(np.float32), x.astype(np.int8), np.asfortranarray(x), wide[:, ::2], frozen):
        for n_threads in (1, 2, 3, 8):
            fit = fastlsq.ridge(other, y, 2.0, weights=w, n_threads=n_threads)
            np.testing.assert_array_equal(fit.coef, want.coef)
            assert fit.rss == want.rss


def test_alpha_0_is_least_squares():
    x, y, _ = integers(30, 4, 1, seed=10)
    np.testing.assert_array_equal(fastlsq.ridge(x, y[:, 0], 0).coef, fastlsq.ols(x, y[:, 0]).coef)
    wide = fastlsq.ridge(x[:3], y[:3, 0], 0.0, intercept=False)
    np.testing.assert_allclose(wide.coef, np.linalg.pinv(x[:3]) @ y[:3, 0], rtol=1e-12)


@pytest.mark.parametrize(("arguments", "message"), [
    ({"alpha": -1}, "alpha must be finite and >= 0"), ({"alpha": np.nan}, "alpha must be finite"),
    ({"alpha": [1.0, 2.0]}, "one for each of the 1 targets"), ({"penalty": [1.0, 2.0]}, r"shape \(4,\) or \(4, 4\)"),
    ({"penalty": [1.0, -2.0, 1.0, 1.0]}, r"penalty\[1\] is -2"), ({"penalty": -np.eye(4)}, r"\[0, 0\] is -1"),
    ({"penalty": np.triu(np.ones((4, 4)))}, r"\[0, 1\] is 1.0 and \[1, 0\] is 0.0"),
    ({"penalty": np.full(4, np.inf)}, "infs or NaNs"), ({"weights": -np.ones(30)}, "weights"),
    ({"accuracy": "best"}, "accuracy"), ({"names": ["a"]}, "names has 1 entries"),
])  # fmt: skip
def test_refuses(arguments, message):
    x, y, _ = integers(30, 4)
    with pytest.raises(ValueError, match=message):
        fastlsq.ridge(x, y[:, 0], **arguments)


def test_refuses_nan_and_empty():
    x, y, _ = integers(30, 4)
    x[7, 2] = np.nan
    with pytest.raises(ValueError, match="X must not contain infs or NaNs; row 7, column 2 is nan"):
        fastlsq.ridge(x, y)
    for n, p, what in ((0, 3, "rows"), (3, 0, "columns")):
        with pytest.raises(ValueError, match=f"X has no {what}"):
            fastlsq.ridge(np.empty((n, p)), np.empty(n))
    with pytest.raises(ValueError, match="weights must not all be zero"):
        fastlsq.ridge(np.ones((3, 1)), np.ones(3), weights=np.zeros(3))


def test_moments_give_the_same():
    x, y, w = integers(200, 4, 1, seed=11)
    state = fastlsq.Gram(names=list("abcd")).update(x, y, w)
    for penalty in (None, np.array([1.0, 0.0, 2.0, 3.0]), MATRIX):
        fit, want = state.ridge(5.0, penalty=penalty), fastlsq.ridge(x, y, 5.0, penalty=penalty, weights=w)
        np.testing.assert_allclose(params(fit), params(want), rtol=1e-12)
        np.testing.assert_allclose(fit.rss, want.rss, rtol=1e-12)
        np.testing.assert_allclose(fit.penalty_value, want.penalty_value, rtol=1e-12)
        error = np.linalg.norm(params(fit)[1:] - params(want)[1:]) / np.linalg.norm(params(want)[1:])
        assert error <= fit.info.forward_error < 1e-10
    assert fit.names == list("abcd")
    with pytest.raises(ValueError, match="no target"):
        fastlsq.Gram().update(x).ridge()


def test_a_singular_matrix_has_the_rank_it_has():
    """Rounding in a penalty of rank 1 is no data: two rows and it leave a column that depends on the others."""
    v = np.array([1.0, 2.0, 3.0])
    for seed in range(20):
        rng = np.random.default_rng(seed)
        a, b = rng.standard_normal((2, 3)), rng.standard_normal(2)
        fits = [fastlsq.ridge(a, b, alpha, penalty=np.outer(v, v)) for alpha in (0.5, 1.0, 3.0)]
        assert [fit.info.rank for fit in fits] == [2, 2, 2]
    differences = np.diff(np.eye(6), 2, axis=0)[:2]
    for seed in range(60):
        a = np.random.default_rng(seed).integers(-3, 4, (3, 6)).astype(float)
        assert fastlsq.ridge(a, np.arange(3.0), 1.0, penalty=differences.T @ differences).info.rank <= 4


def test_a_mean_far_above_the_spread_is_no_worse_in_full():
    rng = np.random.default_rng(0)
    for spread in (1e-2, 1e-4, 1e-6, 1e-7):
        z = 1e6 + spread * rng.integers(-2**20, 2**20, (12, 2)) * 2.0**-20
        y = rng.standard_normal(12)
        centred = z - z.mean(axis=0)
        want = np.linalg.lstsq(centred - centred.mean(axis=0), y - y.mean(), rcond=None)[0]
        for accuracy in ("qr", "full"):
            fit = fastlsq.ols(z, y, accuracy=accuracy)
            assert np.linalg.norm(fit.coef - want) <= max(1e-9, 1e-16 * (1e6 / spread)) * np.linalg.norm(want)


@pytest.mark.parametrize(("shape", "scale"), [
    ((50, 3), 1e-300), ((50, 3), 1e-160), ((50, 3), 1e160), ((50, 3), 1e300), ((3, 5), 1e-160),
])  # fmt: skip
def test_units_far_from_that_of_alpha(scale, shape):
    rng = np.random.default_rng(1)
    x, y = rng.standard_normal(shape), rng.standard_normal(shape[0])
    fit = fastlsq.ridge(scale * x, y, 1.0)
    if scale < 1:  # alpha is all there is
        with np.errstate(under="ignore"):
            np.testing.assert_allclose(fit.coef, scale * ((x - x.mean(axis=0)).T @ y), rtol=1e-9, atol=1e-323)
    else:
        np.testing.assert_allclose((scale * x) @ fit.coef + fit.intercept, fastlsq.ols(x, y).predict(x), atol=1e-9)
    path = fastlsq.ridge_path(scale * x, y, [1e-3, 1.0])
    np.testing.assert_allclose(path.coef[1], fit.coef, rtol=1e-6, atol=1e-323)


@pytest.mark.parametrize("alpha", [1e-6, 1e-12, 1e-16])
@pytest.mark.parametrize("intercept", [True, False])
def test_rows_that_depend_on_each_other_and_a_small_alpha(alpha, intercept):
    a = np.ones((3, 5))
    a[0] = 2.0
    y = np.array([1.0, 2.0, 4.0])
    for accuracy in ("qr", "full"):
        fit = fastlsq.ridge(a, y, alpha, intercept=intercept, accuracy=accuracy)
        centred, target = (a - a.mean(axis=0), y - y.mean()) if intercept else (a, y)
        want = target @ centred[:, 0] / (5 * (centred[:, 0] @ centred[:, 0]) + alpha)
        np.testing.assert_allclose(fit.coef, want, rtol=1e-8)


def test_bounds_hold_where_digits_have_cancelled():
    rng = np.random.default_rng(0)
    for _ in range(50):
        z, v = rng.standard_normal((20, 2)), rng.standard_normal(20)
        v[:3] *= 1e8
        state = fastlsq.Gram().update(z, v).downdate(z[:3], v[:3])
        want = fastlsq.ols(z[3:], v[3:])
        for fit, exact in ((state.ols(), want), (state.ridge(1.0), fastlsq.ridge(z[3:], v[3:], 1.0))):
            error = np.linalg.norm(fit.coef - exact.coef) / np.linalg.norm(exact.coef)
            assert error <= fit.info.forward_error
    z, v = rng.standard_normal((9, 1)), rng.standard_normal(9)
    z[-1] += 1e4
    w = np.r_[np.ones(8), 1e12]
    fast, exact = (fastlsq.ols(z, v, weights=w, accuracy=accuracy) for accuracy in ("fast", "full"))
    assert abs(fast.coef[0] / exact.coef[0] - 1) <= fast.info.forward_error
    # what is not known of one target is not known of both
    x, _, _ = integers(40, 3)
    x[:, 2] = x[:, 0] + 2.0**-30 * x[:, 2]
    state = fastlsq.Gram().update(x, np.c_[x[:, 1], x[:, 1]])
    for alphas in ([1.0, 1e-18], [1e-18, 1.0]):
        assert np.isnan(state.ridge(alphas).info.forward_error)


@pytest.mark.parametrize(("call", "message"), [
    (lambda x, y: fastlsq.ridge(x, y, 1e308, penalty=[100.0, 1, 1, 1]), "alpha times penalty is beyond float64"),
    (lambda x, y: fastlsq.ridge(x, y[:, :0]), "y has no columns"),
    (lambda x, y: fastlsq.ridge(x, y, penalty=np.diag([1e20, -1e7, 1.0, 1.0])), r"\[1, 1\] is -10000000"),
    (lambda x, y: fastlsq.ridge(x, y, penalty=np.diag([1e13, 1, 1, 1.0]) + 3 * np.eye(4, k=1)), "symmetric"),
    (lambda x, y: fastlsq.ridge(np.where(np.arange(4) == 1, np.inf, x[:3]), y[:3]), "X must .* row 0, column 1 is inf"),
    (lambda x, y: fastlsq.ridge_cv(np.where(np.arange(4) == 1, np.inf, x[:3]), y[:3]), "row 0, column 1 is inf"),
])  # fmt: skip
def test_refuses_too(call, message):
    x, y, _ = integers(30, 4)
    with pytest.raises(ValueError, match=message):
        call(x, y)
