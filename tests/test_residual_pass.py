# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The residual pass: exact on integers, the same bits for threads and orders."""

import numpy as np
import pytest
from conftest import integers

from fastlsq._core import lib


def residual(x, y, b, weights=None, *, unit=False, n_threads=1, kernel=None, scale=None, offset=None):
    g, rss, r = np.empty(b.shape), np.empty(b.shape[1]), np.empty(y.shape)
    lib.residual(x, y, weights, scale, offset, unit, b, g, rss, r, n_threads, kernel)
    return g, rss, r


@pytest.mark.parametrize("k", [1, 2, 3, 4, 5, 8, 11, 12, 13, 25])
@pytest.mark.parametrize("unit", [False, True])
def test_exact(k, unit, kernel):
    rng = np.random.default_rng(k)
    for n, p in [(1, 1), (3, 2), (255, 4), (256, 11), (257, 12), (300, 13), (2049, 25)]:
        x, y, w = integers(rng, (n, p)), integers(rng, (n, k)), integers(rng, n, 0, 4)
        b = integers(rng, (p + unit, k), -3, 4)
        z = np.hstack([x, np.ones((n, int(unit)))])
        r = y - z @ b
        for weights in (None, w):
            wr = r if weights is None else weights[:, None] * r
            g, rss, found = residual(x, y, b, weights, unit=unit, n_threads=2, kernel=kernel)
            np.testing.assert_array_equal(found, r)
            np.testing.assert_array_equal(g, z.T @ wr)
            np.testing.assert_array_equal(rss, (wr * r).sum(axis=0))


@pytest.mark.parametrize("k", [1, 5])
def test_scale_and_offset(k, kernel):
    rng = np.random.default_rng(k)
    x, y, b = integers(rng, (300, 7)), integers(rng, (300, k)), integers(rng, (8, k), -3, 4)
    scale, offset = 2.0 ** rng.integers(-2, 3, 8 + k), integers(rng, 8 + k)
    scale[7], offset[7] = 1.0, 0.0
    z = np.hstack([x * scale[:7] - offset[:7], np.ones((300, 1))])
    r = y * scale[8:] - offset[8:] - z @ b
    g, rss, found = residual(x, y, b, unit=True, scale=scale, offset=offset, kernel=kernel)
    np.testing.assert_array_equal(found, r)
    np.testing.assert_array_equal(g, z.T @ r)
    np.testing.assert_array_equal(rss, (r * r).sum(axis=0))


@pytest.mark.parametrize("k", [1, 7])
def test_same_bits_for_threads_and_orders(k, kernel):
    rng = np.random.default_rng(k)
    x, y, b = rng.standard_normal((9000, 19)), rng.standard_normal((9000, k)), rng.standard_normal((19, k))
    want = residual(x, y, b, kernel=kernel)
    for n_threads in (2, 3, 8):
        for array in (x, np.asfortranarray(x)):
            for found, expected in zip(residual(array, y, b, n_threads=n_threads, kernel=kernel), want, strict=True):
                np.testing.assert_array_equal(found, expected)


def test_shapes_that_do_not_fit_are_refused():
    x, y = np.ones((4, 2)), np.ones((4, 1))
    with pytest.raises(ValueError, match="lead x k"):
        residual(x, y, np.ones((3, 1)))
    with pytest.raises(ValueError, match="n x k"):
        lib.residual(x, y, None, None, None, False, np.ones((2, 1)), np.empty((2, 1)), np.empty(1), np.empty((3, 1)), 1)
