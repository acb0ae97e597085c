# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""rolling_ols, expanding_ols, ewm_ols: every window as if its rows had been fitted alone."""

from fractions import Fraction

import numpy as np
import pytest
from conftest import KERNELS

import fastlsq
from fastlsq._core import lib

RNG = np.random.default_rng(23)
THREADS = (1, 2, 3, 8)
FIELDS = ("coef", "intercept", "rss", "tss", "rank", "status", "condition")


def data(n, p, noise=1.0):
    x = RNG.standard_normal((n, p)) + 2
    return x, x @ np.arange(1.0, p + 1) + noise * RNG.standard_normal(n) - 3


def starts_of(n, window):
    return np.maximum(np.arange(n) - window + 1, 0)


def solve_exactly(a, b):
    """Rational solution of the normal equations of integer rows, by Gauss-Jordan; None for a singular matrix."""
    a, b = [[Fraction(int(v)) for v in row] for row in a], [Fraction(int(v)) for v in b]
    p = len(a[0])
    m = [[sum(r[i] * r[j] for r in a) for j in range(p)] + [sum(r[i] * v for r, v in zip(a, b, strict=True))]
         for i in range(p)]
    for i in range(p):
        pivot = next((k for k in range(i, p) if m[k][i] != 0), None)
        if pivot is None:
            return None
        m[i], m[pivot] = m[pivot], m[i]
        m[i] = [v / m[i][i] for v in m[i]]
        for k in range(p):
            if k != i and m[k][i] != 0:
                m[k] = [v - m[k][i] * w for v, w in zip(m[k], m[i], strict=True)]
    return [row[-1] for row in m]


def long_double_fit(x, y, weights, intercept):
    """(coefficients, rss) by Householder QR in long double; the intercept is last."""
    a, b = x.astype(np.longdouble), y.astype(np.longdouble)
    root = np.ones(len(b), np.longdouble) if weights is None else np.sqrt(weights.astype(np.longdouble))
    shift = np.zeros(a.shape[1], np.longdouble)
    level = np.longdouble(0)
    if intercept:
        shift, level = (root**2 @ a) / (root @ root), (root**2 @ b) / (root @ root)
    a, b = (a - shift) * root[:, None], (b - level) * root
    for j in range(a.shape[1]):
        v = a[j:, j].copy()
        v[0] += np.copysign(np.sqrt(v @ v), v[0])
        v /= np.sqrt(v @ v)
        a[j:] -= 2 * np.outer(v, v @ a[j:])
        b[j:] -= 2 * v * (v @ b[j:])
    p = a.shape[1]
    coef = np.zeros(p, np.longdouble)
    for j in range(p - 1, -1, -1):
        coef[j] = (b[j] - a[j, j + 1 : p] @ coef[j + 1 :]) / a[j, j]
    both = np.append(coef, level - shift @ coef) if intercept else coef
    return both.astype(float), float(b[p:] @ b[p:])


def check(fit, x, y, start, weights=None, intercept=True, min_obs=None, tolerance=1e-11, rows=None):
    """Windows as refitted; `weights` is a vector or a function of (t, rows)."""
    n, p = x.shape
    least = p + intercept if min_obs is None else min_obs
    for t in range(n) if rows is None else rows:
        own = np.arange(start[t], t + 1)
        w = None
        if weights is not None:
            w = weights(t, own) if callable(weights) else weights[own]
            own, w = own[w > 0], w[w > 0]
        assert fit.n_obs[t] == len(own)
        if len(own) < least:
            assert fit.rank[t] == -1 and fit.status[t] == 2
            assert np.isnan(fit.coef[t]).all() and np.isnan(fit.rss[t])
            continue
        want, rss = long_double_fit(x[own], y[own], w, intercept)
        found = np.append(fit.coef[t], fit.intercept[t]) if intercept else fit.coef[t]
        assert fit.rank[t] == p
        scale = tolerance * np.abs(want).max() * max(fit.condition[t], 1)
        np.testing.assert_allclose(found, want, rtol=0, atol=scale, err_msg=f"row {t}")
        size = (y[own] @ y[own]) if w is None else w @ y[own] ** 2
        # what rounding of the coefficients leaves of an exact fit
        rounding = 1e-26 * size * max(fit.condition[t], 1) ** 2
        np.testing.assert_allclose(fit.rss[t], rss, rtol=1e-6, atol=rounding, err_msg=f"row {t}")


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("p", [1, 2, 3, 4, 7, 8, 12])
def test_every_width(p, intercept):
    x, y = data(160, p)
    for window in (p + 1, p + 6, 60):
        fit = fastlsq.rolling_ols(x, y, window, intercept=intercept)
        check(fit, x, y, starts_of(160, window), intercept=intercept)


@pytest.mark.parametrize(
    "window", [2, 15, 16, 17, 18, 32, 255, 256, 257, 258, 511, 512, 513, 514, 769, 899, 900, 901, 10**30]
)
def test_windows_around_the_blocks(window):
    n = 900
    x, y = data(n, 1)
    rows = np.unique(np.r_[0:5, 14:20, 250:260, 508:518, 765:775, RNG.integers(0, n, 25), n - 2, n - 1])
    fit = fastlsq.rolling_ols(x, y, window)
    check(fit, x, y, starts_of(n, min(window, 2 * n)), rows=rows)


@pytest.mark.parametrize("n", [1, 2, 3, 15, 16, 17, 255, 256, 257, 511, 512, 513])
def test_lengths_around_the_blocks(n):
    x, y = data(n, 2)
    rows = np.unique(np.clip([0, 1, 2, 3, n // 2, n - 3, n - 2, n - 1], 0, n - 1))
    check(fastlsq.expanding_ols(x, y), x, y, np.zeros(n, int), rows=rows)
    check(fastlsq.rolling_ols(x, y, 257), x, y, starts_of(n, 257), rows=rows)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("window", [3, 7, 20, 45])
def test_against_exact_rationals(window, intercept):
    x, y = RNG.integers(-9, 10, (50, 2)), RNG.integers(-9, 10, 50)
    fit = fastlsq.rolling_ols(x, y, window, intercept=intercept)
    solved = 0
    for t in range(window - 1, 50):
        a = np.column_stack([x, np.ones(50, int)]) if intercept else x
        want = solve_exactly(a[t - window + 1 : t + 1], y[t - window + 1 : t + 1])
        if want is not None:
            found = np.append(fit.coef[t], fit.intercept[t]) if intercept else fit.coef[t]
            np.testing.assert_allclose(found, [float(v) for v in want], rtol=1e-11, atol=1e-11)
            solved += 1
    assert solved > 3


@pytest.mark.parametrize("kernel", KERNELS)
def test_every_kernel(kernel):
    for p, unit in ((1, True), (4, True), (5, False), (9, True)):
        x, y = data(700, p)
        ours = lib.rolling_fit(x, y[:, None], None, unit, 300, None, None, True, 2, kernel)
        fit = fastlsq.rolling_ols(x, y, 300, intercept=unit, errors=True)
        sure = (ours[6] == 0) & (fit.rank >= 0)
        assert sure.sum() > 690 - 2 * p
        np.testing.assert_allclose(ours[0][sure][:, :p], fit.coef[sure], rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(np.sqrt(ours[4][-1]), _unscaled_errors(x[-300:], unit), rtol=1e-9)
        start = starts_of(700, 300)
        by_start = lib.rolling_fit(x, y[:, None], None, unit, 1, start, None, False, 1, kernel)
        np.testing.assert_allclose(by_start[0][sure], ours[0][sure], rtol=1e-8, atol=1e-10)


def _unscaled_errors(x, unit):
    a = np.column_stack([x, np.ones(len(x))]) if unit else x
    return np.sqrt(np.diag(np.linalg.inv(a.T @ a)))


def test_window_of_two_is_the_line_through_two_points():
    x, y = data(300, 1)
    fit = fastlsq.rolling_ols(x, y, 2)
    np.testing.assert_allclose(fit.coef[1:, 0], np.diff(y) / np.diff(x[:, 0]), rtol=1e-9)
    assert np.isnan(fit.coef[0, 0]) and fit.rank[0] == -1
    assert (fit.rss[1:] <= 1e-24 * (1 + fit.coef[1:, 0] ** 2) * 100).all()


@pytest.mark.parametrize("where", [0, 15, 16, 17, 40, 249, 250, 255, 256, 333, 498])
@pytest.mark.parametrize("window", [5, 40, 250, 300])
def test_an_outlier_leaves_no_trace(where, window):
    x, y = data(1200, 2)
    for intercept in (True, False):
        clean = fastlsq.rolling_ols(x, y, window, intercept=intercept)
        spoilt_x, spoilt_y = x.copy(), y.copy()
        spoilt_x[where] = 1e8, -3e8
        spoilt_y[where] = 5e8
        spoilt = fastlsq.rolling_ols(spoilt_x, spoilt_y, window, intercept=intercept)
        for name in FIELDS:
            before, after = getattr(clean, name), getattr(spoilt, name)
            assert np.array_equal(before[where + window :], after[where + window :], equal_nan=True)
            assert np.array_equal(before[:where], after[:where], equal_nan=True)


def test_outliers_in_long_windows_leave_little():
    """A tree of blocks: an outlier that is in no node of the window changes no bit either."""
    x, y = data(6000, 1)
    clean = fastlsq.rolling_ols(x, y, 2000)
    x[777], y[777] = 1e8, 1e8
    spoilt = fastlsq.rolling_ols(x, y, 2000)
    assert np.array_equal(clean.coef[2777:], spoilt.coef[2777:]) and np.array_equal(clean.rss[2777:], spoilt.rss[2777:])
    assert abs(spoilt.coef[2776, 0] - 1) < 1e-6 < abs(clean.coef[2776, 0] - 1)


def test_prices():
    """A level of 1e5, changes of 1e-3: nothing is lost but what the prices have lost."""
    n = 3000
    x = 1e5 + 1e-3 * np.cumsum(RNG.standard_normal((n, 2)), axis=0)
    y = x @ [0.5, 2.0] + 1e-3 * RNG.standard_normal(n)
    for window in (20, 250, 1000):
        fit = fastlsq.rolling_ols(x, y, window)
        assert (fit.status[window:] == 0).mean() > 0.99
        for t in RNG.integers(window, n, 12):
            want, rss = long_double_fit(x[t - window + 1 : t + 1], y[t - window + 1 : t + 1], None, True)
            np.testing.assert_allclose(fit.coef[t], want[:2], rtol=1e-8)
            np.testing.assert_allclose(fit.intercept[t], want[2], rtol=1e-8, atol=1e-8 * 3e5)
            np.testing.assert_allclose(fit.rss[t], rss, rtol=1e-8)
    fit = fastlsq.expanding_ols(x, y)
    want, rss = long_double_fit(x, y, None, True)
    np.testing.assert_allclose(fit.coef[-1], want[:2], rtol=1e-8)
    fit = fastlsq.ewm_ols(x, y, halflife=60)
    weights = 2.0 ** (-(n - 1 - np.arange(n)) / 60)
    want, rss = long_double_fit(x, y, weights, True)
    np.testing.assert_allclose(fit.coef[-1], want[:2], rtol=1e-8)
    np.testing.assert_allclose(fit.rss[-1], rss, rtol=1e-8)


def test_weights():
    x, y = data(400, 2)
    weights = RNG.integers(0, 4, 400).astype(float)
    for intercept in (True, False):
        fit = fastlsq.rolling_ols(x, y, 50, weights=weights, intercept=intercept)
        check(fit, x, y, starts_of(400, 50), weights, intercept)
    repeated = np.repeat(np.arange(400), weights.astype(int))
    last = np.cumsum(weights).astype(int) - 1
    expanding = fastlsq.expanding_ols(x, y, weights=weights)
    repeats = fastlsq.expanding_ols(x[repeated], y[repeated])
    np.testing.assert_allclose(expanding.coef[20:], repeats.coef[last[20:]], rtol=1e-10)
    np.testing.assert_allclose(expanding.rss[20:], repeats.rss[last[20:]], rtol=1e-8)


def test_an_outlier_without_weight_costs_nothing():
    x, y = data(400, 1)
    weights = np.ones(400)
    hit = [0, 16, 99, 198, 399]
    spoilt = x.copy()
    spoilt[hit], weights[hit] = 1e12, 0.0
    fit = fastlsq.rolling_ols(spoilt, y, 100, weights=weights)
    check(fit, x, y, starts_of(400, 100), weights)
    assert not (fit.status[10:] == 1).any()


@pytest.mark.parametrize("unit", [1, 1.5, "s", "ms"])
def test_time_windows(unit):
    n = 700
    times = np.cumsum(RNG.integers(0, 4, n) * RNG.integers(0, 2, n))  # many rows at the same time
    times[300:] += 500  # and a gap
    window = 40
    start = np.array([np.flatnonzero(times > times[t] - window)[0] for t in range(n)])
    if isinstance(unit, str):
        given = np.datetime64("2026-01-01") + times.astype("timedelta64[s]").astype(f"timedelta64[{unit}]")
        span = np.timedelta64(window, "s")
    else:
        given, span = times * unit, window * unit
    x, y = data(n, 2)
    fit = fastlsq.rolling_ols(x, y, span, times=given, min_obs=4)
    check(fit, x, y, start, min_obs=4)
    assert (fit.status == 2).any() and (fit.status != 2).any()


def test_time_windows_of_all_lengths():
    """Single rows, windows inside a block, of several blocks, of everything."""
    n = 2500
    times = np.sort(np.concatenate([RNG.uniform(0, 1000, 500), RNG.uniform(500, 501, 1500), RNG.uniform(0, 20, 500)]))
    x, y = data(n, 2)
    rows = np.sort(RNG.integers(0, n, 150))
    for window in (1e-3, 1.0, 3.0, 50.0, 600.0, 1e9):
        start = np.searchsorted(times, times - window, side="right")
        check(fastlsq.rolling_ols(x, y, window, times=times), x, y, start, rows=rows)


def test_times_at_the_ends_of_their_range():
    lowest, x = np.iinfo(np.int64).min, np.arange(4.0)[:, None] ** 2
    fit = fastlsq.rolling_ols(x, x[:, 0], 5, times=np.array([lowest, lowest + 1, 0, 3]))
    assert fit.n_obs.tolist() == [1, 2, 1, 2]
    fit = fastlsq.rolling_ols(x, x[:, 0], 2.5, times=np.array([0, 2, 3, 4], np.uint8))
    assert fit.n_obs.tolist() == [1, 2, 2, 3]


DECAYS = [{"alpha": 0.2}, {"span": 9}, {"com": 4.0}, {"halflife": 2.5}, {"halflife": 300.0}, {"alpha": 1e-4}]


@pytest.mark.parametrize("decay", DECAYS, ids=str)
def test_decay(decay):
    (name, value), n = next(iter(decay.items())), 700
    alpha = {"alpha": value, "span": 2 / (value + 1), "com": 1 / (1 + value), "halflife": 1 - 0.5 ** (1 / value)}[name]
    x, y = data(n, 2)
    own = RNG.uniform(0.5, 2, n)
    rows = np.r_[0:6, 14:19, 254:259, RNG.integers(0, n, 15), n - 1]
    for intercept in (True, False):
        fit = fastlsq.ewm_ols(x, y, weights=own, intercept=intercept, **decay)
        check(
            fit, x, y, np.zeros(n, int), lambda t, i: np.maximum(own[i] * (1 - alpha) ** (t - i), 1e-290), intercept,
            rows=rows,
        )


def test_decay_by_time_and_missing_rows():
    n = 400
    times = np.cumsum(RNG.exponential(1.0, n))
    x, y = data(n, 2)
    fit = fastlsq.ewm_ols(x, y, halflife=8.0, times=times)
    by_lstsq = fastlsq.ols(x, y, weights=0.5 ** ((times[-1] - times) / 8.0))
    np.testing.assert_allclose(fit.coef[-1], by_lstsq.coef, rtol=1e-10)
    np.testing.assert_allclose(fit.rss[-1], by_lstsq.rss, rtol=1e-10)
    x[RNG.integers(0, n, 60), 0] = np.nan
    fit = fastlsq.ewm_ols(x, y, halflife=8.0, nan="skip")
    here = ~np.isnan(x[:, 0])
    by_lstsq = fastlsq.ols(x[here], y[here], weights=(0.5 ** ((n - 1 - np.arange(n)) / 8.0))[here])
    np.testing.assert_allclose(fit.coef[-1], by_lstsq.coef, rtol=1e-10)
    assert fit.n_obs[-1] == here.sum()
    stamps = np.datetime64("2026-01-01") + np.arange(n).astype("timedelta64[h]")
    by_time = fastlsq.ewm_ols(x, y, halflife=np.timedelta64(8 * 60, "m"), times=stamps, nan="skip")
    np.testing.assert_allclose(by_time.coef[20:], fit.coef[20:], rtol=1e-9)


def test_decay_forgets_a_jump_and_an_outlier():
    n = 3000
    x, y = data(n, 1)
    x[1500:] += 1e6
    spoilt = x.copy()
    spoilt[2048] = 1e8
    fit = fastlsq.ewm_ols(spoilt, y, halflife=5)
    weights = 0.5 ** ((n - 1 - np.arange(n)) / 5)
    want, _ = long_double_fit(spoilt[-400:], y[-400:], weights[-400:], True)
    np.testing.assert_allclose(fit.coef[-1], want[0], rtol=1e-9)
    clean = fastlsq.ewm_ols(x, y, halflife=5)
    np.testing.assert_allclose(fit.coef[-100:], clean.coef[-100:], rtol=1e-8)


def test_a_long_tail_of_nan():
    x, y = data(3000, 2)
    y[900:] = np.nan
    x[:30, 1] = np.nan
    counts = np.isfinite(y) & np.isfinite(x).all(axis=1)
    for window in (10, 250, 700):
        fit = fastlsq.rolling_ols(x, y, window, nan="skip")
        start, rows = starts_of(3000, window), np.r_[0:60, 895:905, 900 + window - 5 : 900 + window + 2, 2999]
        check(fit, x, y, start, counts.astype(float), rows=rows)
        assert (fit.rank[900 + window :] == -1).all() and (fit.n_obs[900 + window :] == 0).all()
    fit = fastlsq.expanding_ols(x, y, nan="skip")
    np.testing.assert_allclose(fit.coef[900:], np.broadcast_to(fit.coef[899], (2100, 2)), rtol=1e-12)
    assert fit.n_obs[-1] == 870
    fit = fastlsq.ewm_ols(x, y, nan="skip", halflife=1)
    assert (fit.status[900:] == 0).all()
    np.testing.assert_allclose(fit.coef[900:], np.broadcast_to(fit.coef[899], (2100, 2)), rtol=1e-12)
    x[5, 1], y[7] = 0.0, np.inf
    with pytest.raises(ValueError, match="y must not contain infs; row 7"):
        fastlsq.rolling_ols(x, y, 10, nan="skip")


@pytest.mark.parametrize("fit", [
    lambda x, y, **k: fastlsq.rolling_ols(x, y, 250, errors=True, **k),
    lambda x, y, **k: fastlsq.rolling_ols(x, y, 1000, **k),
    lambda x, y, **k: fastlsq.rolling_ols(x, y, 30.0, times=np.arange(len(y)) ** 0.8, **k),
    lambda x, y, **k: fastlsq.expanding_ols(x, y, **k),
    lambda x, y, **k: fastlsq.ewm_ols(x, y, span=40, **k),
])
def test_bits_do_not_depend_on_threads_or_layout(fit):
    x, y = data(40_000, 4)
    first = fit(x, y, n_threads=1)
    forms = [(x, y, t) for t in THREADS[1:]]
    frozen = x.copy()
    frozen.flags.writeable = False
    forms += [(np.asfortranarray(x), y, 2), (np.repeat(x, 2, axis=0)[::2], np.repeat(y, 3)[::3], 2)]
    forms += [(frozen, y[:, None], 2)]
    for a, b, n_threads in forms:
        again = fit(a, b, n_threads=n_threads)
        for name in FIELDS:
            assert np.array_equal(getattr(first, name), getattr(again, name), equal_nan=True), name


def test_other_dtypes():
    x, y = RNG.integers(-99, 100, (500, 3)), RNG.integers(-99, 100, 500)
    want = fastlsq.rolling_ols(x.astype(float), y.astype(float), 40)
    for dtype in (np.float32, np.float16, np.int8, np.int64, ">f8"):
        fit = fastlsq.rolling_ols(x.astype(dtype), y.astype(dtype), 40)
        assert np.array_equal(fit.coef, want.coef, equal_nan=True)
    raw = np.zeros(x.size * 8 + 1, np.uint8)
    crooked = raw[1:].view(np.float64).reshape(x.shape)
    crooked[:] = x
    assert np.array_equal(fastlsq.rolling_ols(crooked, y, 40).coef, want.coef, equal_nan=True)


def test_the_past_does_not_depend_on_the_future():
    x, y = data(2000, 3)
    for fit in (
        lambda a, b: fastlsq.rolling_ols(a, b, 250), lambda a, b: fastlsq.rolling_ols(a, b, 900),
        lambda a, b: fastlsq.expanding_ols(a, b), lambda a, b: fastlsq.ewm_ols(a, b, halflife=30),
    ):
        whole, part = fit(x, y), fit(x[:1234], y[:1234])
        assert np.array_equal(whole.coef[:1234], part.coef, equal_nan=True)


def test_constant_and_collinear_and_short_windows():
    x, y = data(600, 3)
    x[100:200, 1] = 7.7
    x[300:400, 2] = x[300:400, 0]
    fit = fastlsq.rolling_ols(x, y, 50, min_obs=2)
    inside, twice = np.arange(149, 200), np.arange(349, 400)
    assert (fit.rank[inside] == 2).all() and (fit.coef[inside, 1] == 0).all() and (fit.status[inside] == 0).all()
    assert (fit.rank[twice] == 2).all() and (fit.status[twice] == 1).all()
    np.testing.assert_allclose(fit.coef[twice, 0], fit.coef[twice, 2], rtol=1e-9)
    for t in (149, 170, 199, 349, 399):
        alone = fastlsq.ols(x[t - 49 : t + 1], y[t - 49 : t + 1])
        assert alone.info.rank == fit.rank[t]
        np.testing.assert_allclose(fit.coef[t], alone.coef, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(fit.rss[t], alone.rss, rtol=1e-9)
    assert fit.rank[0] == -1 and fit.rank[1] == 1 and fit.rank[2] == 2  # of 1, 2 and 3 rows
    alone = fastlsq.ols(x[:2], y[:2])
    np.testing.assert_allclose(fit.coef[1], alone.coef, rtol=1e-9)
    rest = np.setdiff1d(np.arange(60, 600), np.r_[100:260, 300:460])
    check(fit, x, y, starts_of(600, 50), min_obs=2, rows=rest[::7])


def test_work_one_by_one_has_an_end(monkeypatch):
    x, y = data(300, 2)
    x[:, 1] = x[:, 0]
    monkeypatch.setattr("fastlsq.gram.windows.READ", 2000)
    fit = fastlsq.rolling_ols(x, y, 50, errors=True)
    assert (fit.status[2:60] == 1).all() and (fit.rank[2:60] == 1).all()
    assert (fit.status[90:] == 3).all() and (fit.rank[90:] == -1).all()
    assert np.isnan(fit.coef[90:]).all() and np.isnan(fit.standard_errors[90:]).all()


def test_zero_columns_without_an_intercept():
    x, y = data(300, 2)
    x[50:150, 0] = 0.0
    fit = fastlsq.rolling_ols(x, y, 20, intercept=False)
    assert (fit.rank[69:150] == 1).all() and (fit.coef[69:150, 0] == 0).all() and (fit.status[69:150] == 0).all()
    windows = [(x[t - 19 : t + 1, 1], y[t - 19 : t + 1]) for t in range(69, 150)]
    want = np.array([(a @ b) / (a @ a) for a, b in windows])
    np.testing.assert_allclose(fit.coef[69:150, 1], want, rtol=1e-12)


def test_columns_whose_squares_leave_the_range():
    x, y = data(60, 2)
    want = fastlsq.rolling_ols(x, y, 20)
    for scale in (1e-200, 1e200):
        fit = fastlsq.rolling_ols(x * [scale, 1.0], y, 20)
        assert np.array_equal(fit.rank, want.rank)
        np.testing.assert_allclose(fit.coef[5:] * [scale, 1.0], want.coef[5:], rtol=1e-8)


def test_an_exact_fit_has_an_honest_rss():
    x, y = data(400, 2, noise=0.0)
    for window in (3, 30, 300):
        fit = fastlsq.rolling_ols(x, y, window)
        assert (fit.rss[window:] <= 1e-26 * fit.tss[window:] * window).all() and (fit.status[window:] == 1).all()
        np.testing.assert_allclose(fit.coef[299:], np.broadcast_to([1.0, 2.0], (101, 2)), rtol=1e-8)
    n = 6000
    x, y = data(n, 1, noise=0.0)
    fit = fastlsq.expanding_ols(x, y)
    assert np.isnan(fit.rss[5000:]).all() and (fit.rank[5000:] == 1).all()
    np.testing.assert_allclose(fit.coef[5000:], 1.0, rtol=1e-10)
    fit = fastlsq.ewm_ols(x[:300], y[:300], span=20)
    assert (fit.rss[20:] < 1e-24 * fit.tss[20:]).all()


@pytest.mark.parametrize("intercept", [False, True])
def test_standard_errors(intercept):
    x, y = data(300, 2)
    weights = RNG.uniform(0.5, 2, 300)
    fit = fastlsq.rolling_ols(x, y, 40, weights=weights, intercept=intercept, errors=True)
    for t in (2, 3, 10, 39, 100, 299):
        own = slice(max(0, t - 39), t + 1)
        alone = fastlsq.ols(x[own], y[own], weights=weights[own], intercept=intercept)
        found = np.append(fit.intercept_errors[t], fit.standard_errors[t]) if intercept else fit.standard_errors[t]
        np.testing.assert_allclose(found, alone.standard_errors, rtol=1e-8)
        np.testing.assert_allclose(fit.r_squared[t], 1 - alone.rss / alone.tss, rtol=1e-9, atol=1e-12)
    x[:, 1] = x[:, 0] + 1e-6 * x[:, 1]  # ill-conditioned: solved alone
    fit = fastlsq.rolling_ols(x[:60], y[:60], 40, intercept=intercept, errors=True)
    alone = fastlsq.ols(x[20:60], y[20:60], intercept=intercept)
    assert fit.status[59] == 1
    np.testing.assert_allclose(fit.standard_errors[59], alone.standard_errors[intercept:], rtol=1e-6)


def test_predict_one_row_ahead():
    x, y = data(100, 2)
    fit = fastlsq.rolling_ols(x, y, 20)
    found = fit.predict(x)
    assert np.isnan(found[0]) and found[50] == pytest.approx(x[50] @ fit.coef[49] + fit.intercept[49], rel=1e-14)
    assert fit.predict(x, ahead=0)[50] == pytest.approx(x[50] @ fit.coef[50] + fit.intercept[50], rel=1e-14)
    assert np.isnan(fit.predict(x, ahead=1000)).all()


def test_more_columns_than_rows_of_a_window():
    x, y = data(40, 30)
    fit = fastlsq.rolling_ols(x, y, 20)
    assert (fit.rank == -1).all() and np.isnan(fit.intercept).all()
    fit = fastlsq.rolling_ols(x, y, 20, min_obs=20)
    alone = fastlsq.ols(x[10:30], y[10:30])
    np.testing.assert_allclose(fit.coef[29], alone.coef, rtol=1e-7, atol=1e-9)


def test_data_frames():
    pandas = pytest.importorskip("pandas")
    x, y = data(60, 2)
    index = pandas.date_range("2026-01-01", periods=60, freq="h")
    frame = pandas.DataFrame({"size": x[:, 0], "value": x[:, 1]}, index=index)
    fit = fastlsq.rolling_ols(frame, pandas.Series(y), pandas.Timedelta("10h"), times=index)
    assert fit.names == ["size", "value"]
    assert np.array_equal(fit.coef, fastlsq.rolling_ols(x, y, 10).coef, equal_nan=True)
    assert fastlsq.expanding_ols(x, y, names=["a", "b"]).names == ["a", "b"]


def test_empty_and_words():
    fit = fastlsq.rolling_ols(np.empty((0, 2)), np.empty(0), 5)
    assert fit.coef.shape == (0, 2) and "0 rows" in repr(fit)
    assert fastlsq.ewm_ols(np.empty((0, 2)), np.empty(0), span=5).coef.shape == (0, 2)
    empty_times = np.empty(0, "M8[s]")
    assert len(fastlsq.rolling_ols(np.empty((0, 2)), np.empty(0), np.timedelta64(1, "s"), times=empty_times)) == 0


def test_bad_input():
    x, y = data(30, 2)
    times = np.arange(30.0)
    falling, stamps = times.copy(), np.datetime64("2026-01-01") + np.arange(30)
    falling[12] = 3
    missing = stamps.copy()
    missing[4] = "NaT"
    for arguments, options, error, message in (
        ((x, y, 0), {}, ValueError, "window must be >= 1"),
        ((x, y, 2.5), {}, TypeError, "window must be an integer"),
        ((x, y, 5), {"min_obs": 0}, ValueError, "min_obs must be >= 1"),
        ((x, y, 5), {"nan": "drop"}, ValueError, "nan must be"),
        ((x[:, :0], y, 5), {}, ValueError, "X has no columns"),
        ((x, y[:9], 5), {}, ValueError, "y has 9 rows"),
        ((x, y, 5), {"weights": -np.ones(30)}, ValueError, "weights must be finite and >= 0"),
        ((x, y, 5), {"times": times[:9]}, ValueError, r"times must have shape \(30,\)"),
        ((x, y, 5), {"times": falling}, ValueError, r"times must not fall; times\[12\] is 3.0, after 11.0"),
        ((x, y, 5), {"times": missing}, ValueError, r"times must be finite; times\[4\] is NaT"),
        ((x, y, 5), {"times": stamps}, TypeError, "window must be a numpy.timedelta64"),
        ((x, y, -5), {"times": times}, ValueError, "window must be > 0"),
        ((x, y, np.timedelta64(0, "s")), {"times": stamps}, ValueError, "window must be > 0"),
        ((x, y, np.timedelta64(5, "s")), {"times": times}, TypeError, "window must be a number"),
        ((x, y, "5d"), {"times": times}, TypeError, "window must be a number"),
        ((x, y, 5), {"times": [str(t) for t in times]}, TypeError, "times must be numbers or datetime64"),
    ):
        with pytest.raises(error, match=message):
            fastlsq.rolling_ols(*arguments, **options)
    for options, error, message in (
        ({}, ValueError, "exactly one of .* got none"), ({"span": 3, "com": 1}, ValueError, "got span, com"),
        ({"alpha": 0}, ValueError, "alpha must be"), ({"span": 0.5}, ValueError, "span must be"),
        ({"com": -1}, ValueError, "com must be"),
        ({"halflife": np.timedelta64(1, "D")}, TypeError, "halflife must be a number where there are no times"),
        ({"halflife": "3d"}, TypeError, "halflife must be a number"),
        ({"span": 3, "times": times}, ValueError, "given by halflife, not span"),
        ({"halflife": 3, "times": stamps}, TypeError, "halflife must be a numpy.timedelta64"),
    ):
        with pytest.raises(error, match=message):
            fastlsq.ewm_ols(x, y, **options)
    x[21, 1] = np.nan
    with pytest.raises(ValueError, match="X must not contain infs or NaNs; row 21, column 1 is nan"):
        fastlsq.expanding_ols(x, y)


def test_boundary_checks_its_arguments():
    x, y = data(10, 2)
    for start in ([0] * 9, [0] * 9 + [10], [0, 1, 0] + [3] * 7, [-1] * 10):
        with pytest.raises(ValueError):
            lib.rolling_fit(x, y[:, None], None, True, 1, np.array(start), None, False, 1)
    for factor in ([1.0] * 9, [1.5] * 10, [np.nan] * 10):
        with pytest.raises(ValueError):
            lib.rolling_fit(x, y[:, None], None, True, 1, None, np.array(factor), False, 1)


def test_ewm_without_memory():
    x, y = np.array([[1.0], [2.0], [5.0]]), np.array([2.0, 3.0, 5.0])
    for decay in ({"com": 0}, {"span": 1}, {"alpha": 1}):
        fit = fastlsq.ewm_ols(x, y, intercept=False, **decay)
        np.testing.assert_allclose(fit.coef[:, 0], [2.0, 1.5, 1.0], rtol=1e-14)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("power", [-1020, -550, 500, 900])
def test_targets_of_any_size(power, intercept):
    rng = np.random.default_rng(6)
    x, y = rng.standard_normal((90, 2)), rng.standard_normal(90)
    x[20:50, 1] = x[20:50, 0]
    own = {"window": 20, "intercept": intercept, "errors": True}
    want, found = fastlsq.rolling_ols(x, y, **own), fastlsq.rolling_ols(x, np.ldexp(y, power), **own)
    np.testing.assert_array_equal(found.status, want.status)
    rtol = 1e-9
    np.testing.assert_allclose(np.ldexp(found.coef, -power), want.coef, rtol=rtol)
    np.testing.assert_allclose(np.ldexp(found.standard_errors, -power), want.standard_errors, rtol=rtol)
    np.testing.assert_allclose(np.ldexp(found.intercept_errors, -power), want.intercept_errors, rtol=rtol)
    np.testing.assert_allclose(found.r_squared, want.r_squared, rtol=rtol, atol=1e-12)


def test_predictions_so_many_rows_ahead():
    x, y = np.arange(12.0)[:, None] ** 2, np.arange(12.0)
    fit = fastlsq.rolling_ols(x, y, 4)
    np.testing.assert_array_equal(fit.predict(x, np.int64(0)), fit.predict(x, 0))
    for ahead, error, message in (
        (False, TypeError, "ahead must be an integer >= 0"), (1.5, TypeError, "ahead must be an integer >= 0"),
        (-1, ValueError, "ahead must be >= 0, got -1"),
    ):
        with pytest.raises(error, match=message):
            fit.predict(x, ahead)
