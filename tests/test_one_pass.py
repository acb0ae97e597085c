# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The certificate of a single read: where it is given the promise holds, and it is refused where it must be."""

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastlsq

N = 400_000
U = 2.0**-53
ROW = np.arange(N)


def judged(x, y, b):
    """(backward error in units of u, residual sum of squares), in long double, for b as it is."""
    g, rss = np.zeros(x.shape[1], np.longdouble), np.longdouble(0)
    for i in range(0, len(x), 20_000):
        rows = x[i : i + 20_000].astype(np.longdouble)
        r = y[i : i + 20_000] - rows @ b.astype(np.longdouble)
        g, rss = g + rows.T @ r, rss + r @ r
    scaled = (g / np.linalg.norm(x, axis=0)).astype(float)
    return np.linalg.norm(scaled) / np.sqrt(x.shape[1] * float(rss)) / U, float(rss)


def check(x, y, result):
    backward, rss = judged(x, y, result.x)
    assert backward <= result.info.backward_error / U <= 4.0
    assert result.rss == pytest.approx(rss, rel=1e-12)


@pytest.mark.parametrize("p", [1, 3, 8, 13])
def test_well_conditioned_rows_are_read_once(p):
    rng = np.random.default_rng(p)
    x = rng.standard_normal((N, p))
    y = x.sum(axis=1) / np.sqrt(p) + rng.standard_normal(N)
    result = fastlsq.lstsq(x, y)
    assert result.info.path == "gram" and result.info.passes == 1
    check(x, y, result)


def test_same_bits_for_any_threads_order_and_strides():
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((N + 77, 5)), rng.standard_normal(N + 77)
    first = fastlsq.lstsq(x, y)
    assert first.info.passes == 1
    wide = np.concatenate([x, x], axis=1)[:, :5]
    others = [fastlsq.lstsq(x, y, n_threads=k) for k in (1, 2, 3, 8)]
    others += [fastlsq.lstsq(np.asfortranarray(x), y), fastlsq.lstsq(wide, y), fastlsq.lstsq(x, y, check_finite=False)]
    for other in others:
        assert np.array_equal(first.x, other.x) and first.rss == other.rss


def test_weights_and_float32():
    rng = np.random.default_rng(4)
    x, weights = rng.standard_normal((N, 3)), rng.uniform(0.5, 2, N)
    y = x.sum(axis=1) + rng.standard_normal(N)
    weighted = fastlsq.lstsq(x, y, weights=weights)
    root = np.sqrt(weights)
    assert weighted.info.passes == 1
    want = fastlsq.lstsq(x * root[:, None], y * root, cond=1e-12)
    assert want.info.passes <= 2
    np.testing.assert_allclose(weighted.x, want.x, rtol=1e-13)
    single = fastlsq.lstsq(x.astype(np.float32), y.astype(np.float32))
    assert single.x.dtype == np.float32
    np.testing.assert_allclose(single.x, fastlsq.lstsq(x, y).x, rtol=1e-5)


@pytest.mark.parametrize(
    "kind", ["short", "close fit", "ill-conditioned", "outliers", "one heavy leaf", "several targets"]
)
def test_refused(kind):
    rng = np.random.default_rng(5)
    n = 100_000 if kind == "short" else N
    x = rng.standard_normal((n, 3))
    if kind == "ill-conditioned":
        x[:, 2] = x[:, 0] + 1e-4 * x[:, 1]
    if kind == "outliers":
        x *= rng.standard_t(1.5, n)[:, None]
    if kind == "one heavy leaf":
        x[123_456:124_000] *= 1e6
    y = x.sum(axis=1) + (0.01 if kind == "close fit" else 1.0) * rng.standard_normal(n)
    if kind == "several targets":
        y = np.stack([y, -y], axis=1)
    assert fastlsq.lstsq(x, y).info.passes > 1


COLUMNS = {
    "constant": lambda rng: np.full(N, rng.uniform(0.05, 3)),
    "uniform": lambda rng: rng.random(N),
    "normal": lambda rng: rng.standard_normal(N),
    "shifted": lambda rng: rng.standard_normal(N) + rng.uniform(0, 10),
    "two values": lambda rng: rng.choice([0.1, 0.7], N),
    "signs": lambda rng: rng.choice([-0.1, 0.1], N),
    "alternating": lambda rng: np.where(ROW % 2, 0.1, -0.3),
    "period of a leaf": lambda rng: np.sin(2 * np.pi * ROW / 1024) + 0.1,
    "ramp": lambda rng: ROW / N + 0.01,
    "growing": lambda rng: np.exp(8 * ROW / N),
    "outliers": lambda rng: rng.standard_t(2, N),
    "heavy rows": lambda rng: np.where((ROW > 100_000) & (ROW < 100_300), 30.0, 1.0) * rng.standard_normal(N),
    "constant leaves": lambda rng: np.repeat(rng.random(N // 1024 + 1), 1024)[:N],
    "dummy": lambda rng: (rng.random(N) < 0.1) * 1.0,
    "lattice": lambda rng: rng.integers(0, 10, N) * 0.1,
    "heavy leaves": lambda rng: np.where(ROW // 1024 % 37 == 5, 20.0, 1.0) * rng.standard_normal(N),
    "tiny": lambda rng: rng.standard_normal(N) * 1e-9,
}


@settings(max_examples=40, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.data_too_large])
@given(
    kinds=st.lists(st.sampled_from(sorted(COLUMNS)), min_size=1, max_size=4),
    noise=st.sampled_from(sorted(COLUMNS)),
    share=st.sampled_from([0.5, 1.0, 3.0]),
    seed=st.integers(0, 2**32 - 1),
)
def test_hunt(kinds, noise, share, seed):
    rng = np.random.default_rng(seed)
    x = np.column_stack([COLUMNS[kind](rng) for kind in kinds])
    error = COLUMNS[noise](rng)
    y = x @ (rng.uniform(-1, 1, len(kinds)) / np.abs(x).max(axis=0)) + share * error / np.abs(error).max()
    result = fastlsq.lstsq(x, y)
    if result.info.passes == 1:
        check(x, y, result)
