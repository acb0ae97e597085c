# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The Gram pass: exact on integers at every block edge, and the same bits whoever adds them up."""

from itertools import pairwise

import numpy as np
import pytest
from conftest import collected, integers, moments
from hypothesis import given, settings
from hypothesis import strategies as st

from fastlsq._core import lib

ROWS = [1, 2, 7, 8, 9, 255, 256, 257, 511, 513, 2047, 2048, 2049, 4097]
COLUMNS = [1, 2, 3, 4, 5, 8, 11, 12, 13, 23, 24, 25, 35, 47]


def reference(x, y, weights, unit):
    z = np.hstack([x, np.ones((x.shape[0], int(unit))), y]).astype(np.float64)
    w = np.ones(x.shape[0]) if weights is None else weights
    product = (z * w[:, None]).T @ z
    lead = x.shape[1] + unit
    return product[:lead], np.diagonal(product)[lead:]


def assert_exact(x, y, weights, unit, kernel, n_threads=2):
    zz, yy = moments(x, y, weights, unit=unit, kernel=kernel, n_threads=n_threads)
    zz_expected, yy_expected = reference(x, y, weights, unit)
    np.testing.assert_array_equal(zz, zz_expected)
    np.testing.assert_array_equal(yy, yy_expected)


@pytest.mark.parametrize("n", ROWS)
def test_exact_at_row_edges(n, kernel):
    rng = np.random.default_rng(n)
    for p, k, unit in [(3, 1, True), (12, 2, False), (25, 1, True)]:
        x, y, w = integers(rng, (n, p)), integers(rng, (n, k)), integers(rng, n, 0, 4)
        assert_exact(x, y, None, unit, kernel)
        assert_exact(x, y, w, unit, kernel)


@pytest.mark.parametrize("p", COLUMNS)
def test_exact_at_column_edges(p, kernel):
    rng = np.random.default_rng(p)
    n = 300
    for k in (0, 1, 2, 11, 12, 13, 30):
        for unit in (False, True):
            x, y, w = integers(rng, (n, p)), integers(rng, (n, k)), integers(rng, n, 0, 4)
            assert_exact(x, y, w, unit, kernel)


@pytest.mark.parametrize(("n", "p", "k"), [(2500, 300, 1), (700, 520, 3), (9000, 257, 0)])
def test_exact_when_threads_share_one_buffer(n, p, k, kernel):
    rng = np.random.default_rng(p)
    x, y, w = integers(rng, (n, p), -3, 4), integers(rng, (n, k), -3, 4), integers(rng, n, 0, 3)
    for n_threads in (1, 2, 3):
        assert_exact(x, y, w, True, kernel, n_threads)


@pytest.mark.parametrize("dtype", ["f8", "f4", "f2", "?", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
def test_every_dtype_and_stride_is_read_as_it_is(dtype, kernel):
    rng = np.random.default_rng(5)
    base = rng.integers(0, 2 if dtype == "?" else 6, (90, 40)).astype(dtype)
    w = integers(rng, 90, 0, 3)
    views = {
        "C": base, "F": np.asfortranarray(base), "rows backwards": base[::-1], "columns backwards": base[:, ::-1],
        "every other row": np.repeat(base, 2, axis=0)[::2], "every third column": np.repeat(base, 3, axis=1)[:, ::3],
        "transposed": np.ascontiguousarray(base.T).T, "broadcast row": np.broadcast_to(base[0], base.shape),
        "broadcast column": np.broadcast_to(base[:, :1], base.shape), "sub-block": base[3:80, 5:31],
    }  # fmt: skip
    for name, x in views.items():
        weights = w[: x.shape[0]]
        y = x[:, :1]
        frozen = x.view()
        frozen.flags.writeable = False
        zz, yy = moments(frozen, y, weights, unit=True, kernel=kernel)
        zz_expected, yy_expected = reference(x, y, weights, True)
        np.testing.assert_array_equal(zz, zz_expected, err_msg=name)
        np.testing.assert_array_equal(yy, yy_expected, err_msg=name)


def test_unaligned_input(kernel):
    rng = np.random.default_rng(0)
    x = integers(rng, (70, 13))
    raw = np.zeros(x.nbytes + 1, np.uint8)
    odd = raw[1:].view(np.float64).reshape(x.shape)
    odd[:] = x
    assert not odd.flags.aligned
    np.testing.assert_array_equal(moments(odd, kernel=kernel)[0], x.T @ x)


def test_scale_and_offset(kernel):
    rng = np.random.default_rng(1)
    x, y, w = integers(rng, (500, 14)), integers(rng, (500, 2)), integers(rng, 500, 0, 3)
    scale = 2.0 ** rng.integers(-2, 3, 17)
    offset = integers(rng, 17)
    scale[14], offset[14] = 1.0, 0.0  # the unit column
    zz, yy = moments(x, y, w, unit=True, scale=scale, offset=offset, kernel=kernel)
    expected = reference(x * scale[:14] - offset[:14], y * scale[15:] - offset[15:], w, True)
    np.testing.assert_array_equal(zz, expected[0])
    np.testing.assert_array_equal(yy, expected[1])


@pytest.mark.parametrize(("n", "p"), [(10_000, 3), (6_500, 13), (20_000, 40), (5_000, 130), (9_000, 300)])
def test_same_bits_for_threads_orders_and_streams(n, p, kernel):
    rng = np.random.default_rng(p)
    x, y, w = rng.standard_normal((n, p)), rng.standard_normal((n, 1)), rng.random(n)
    for weights in (None, w):
        want = moments(x, y, weights, unit=True, n_threads=1, kernel=kernel)
        for n_threads in (2, 3, 8):
            for array in (x, np.asfortranarray(x)):
                found = moments(array, y, weights, unit=True, n_threads=n_threads, kernel=kernel)
                np.testing.assert_array_equal(found[0], want[0])
                np.testing.assert_array_equal(found[1], want[1])
        grid = lib.block_rows(p)
        stream = lib.Moments(p, 1, True, kernel)
        for start in range(0, n, grid):
            part = slice(start, start + grid)
            stream.update(x[part], y[part], None if weights is None else weights[part], None, None, 2)
        np.testing.assert_array_equal(collected(stream)[0], want[0])


def test_the_targets_do_not_change_the_bits_of_xtx(kernel):
    rng = np.random.default_rng(3)
    x, y = rng.standard_normal((3000, 17)), rng.standard_normal((3000, 30))
    alone = moments(x, kernel=kernel)[0]
    for k in (1, 7, 30):
        np.testing.assert_array_equal(moments(x, y[:, :k], kernel=kernel)[0][:, :17], alone)
    np.testing.assert_array_equal(moments(x, y, unit=True, kernel=kernel)[0][:17, :17], alone)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 400), st.integers(1, 30), st.lists(st.integers(0, 400), max_size=5), st.integers(0, 2**31))
def test_any_chunks_add_up_exactly(n, p, cuts, seed):
    rng = np.random.default_rng(seed)
    x, y = integers(rng, (n, p)), integers(rng, (n, 1))
    state = lib.Moments(p, 1, True)
    edges = [0, *sorted(min(cut, n) for cut in cuts), n]
    for start, stop in pairwise(edges):
        state.update(x[start:stop], y[start:stop], None, None, None, 2)
    np.testing.assert_array_equal(collected(state)[0], reference(x, y, None, True)[0])


def test_rounding_error_stays_that_of_block_sums():
    # against long double: chains of 256 terms, 8 of them added, then a tree
    rng = np.random.default_rng(8)
    x = rng.random((200_000, 3))
    wide = x.astype(np.longdouble)
    expected = wide.T @ wide
    error = np.abs(moments(x)[0] - expected) / np.abs(expected)
    assert error.max() < 2e-15


def test_copy_and_rescale_are_exact():
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((700, 5)), rng.standard_normal((700, 1))
    state = lib.Moments(5, 1, True)
    state.update(x, y, None, None, None, 1)
    twin = state.copy()
    exponents = np.array([3, -2, 0, 400, -500, 0, 5], np.int64)
    twin.rescale(exponents)
    zz, yy = collected(state)
    scaled, scaled_yy = collected(twin)
    np.testing.assert_array_equal(scaled, np.ldexp(zz, exponents[:6, None] + exponents[None, :]))
    np.testing.assert_array_equal(scaled_yy, np.ldexp(yy, 2 * exponents[6:]))


def test_inputs_are_not_modified():
    rng = np.random.default_rng(4)
    x, y, w = rng.standard_normal((500, 9)), rng.standard_normal((500, 2)), rng.random(500)
    before = x.copy(), y.copy(), w.copy()
    moments(x, y, w, unit=True, n_threads=2)
    for array, copy in zip((x, y, w), before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_the_boundary_refuses_what_does_not_fit():
    state = lib.Moments(2, 1, False)
    x, y = np.ones((3, 2)), np.ones((3, 1))
    with pytest.raises(ValueError, match="columns"):
        state.update(np.ones((3, 3)), y, None, None, None, 1)
    with pytest.raises(ValueError, match="rows"):
        state.update(x, np.ones((4, 1)), None, None, None, 1)
    with pytest.raises(ValueError, match="weights"):
        state.update(x, y, np.ones(2), None, None, 1)
    with pytest.raises(ValueError, match="scale"):
        state.update(x, y, None, np.ones(2), None, 1)
    with pytest.raises(TypeError, match="element type"):
        state.update(x.astype(complex), y, None, None, None, 1)
    with pytest.raises(OverflowError, match="too large"):
        lib.Moments(2**62, 1, False)
