# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Leading dimensions of lstsq: every problem as if it had been solved alone."""

import numpy as np
import pytest
from conftest import KERNELS

import fastlsq
from fastlsq._core import lib

RNG = np.random.default_rng(5)


def data(count, n, p, k=None, dtype=np.float64):
    a = RNG.standard_normal((count, n, p)).astype(dtype)
    b = RNG.standard_normal((count, n) if k is None else (count, n, k)).astype(dtype)
    return a, b


def check(result, a, b, tolerance=1e-12, **options):
    for i in range(len(a)):
        single = fastlsq.lstsq(a[i], b[i], **options)
        np.testing.assert_allclose(result.x[i], single.x, rtol=0, atol=tolerance * np.abs(single.x).max(initial=0))
        rounding = 1e-28 * float(np.square(b[i].astype(float)).sum())
        np.testing.assert_allclose(result.rss[i], single.rss, rtol=tolerance, atol=rounding)
        assert result.rank[i] == single.rank


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("p", [1, 2, 3, 4, 5, 7, 9, 16, 31, 32, 33])
def test_every_width(p, kernel):
    for count in (1, 2, 3, 5, 8, 9):
        a, b = data(count, p + 13, p)
        x, rss, condition, backward, verdict, passes = lib.lstsq_batched(a, b[..., None], None, 2, kernel)
        assert not verdict.any() and (passes == 2).all() and (backward < 1e-14).all()
        for i in range(count):
            want, squares, _, s = np.linalg.lstsq(a[i], b[i], rcond=None)
            np.testing.assert_allclose(x[i, :, 0], want, rtol=0, atol=1e-12 * s[0] / s[-1] * np.abs(want).max())
            np.testing.assert_allclose(rss[i], squares, rtol=1e-12)
            assert condition[i] >= 0.2 * np.linalg.cond(a[i] / np.linalg.norm(a[i], axis=0)) / np.sqrt(p)


@pytest.mark.parametrize("n", [5, 6, 17, 95, 96, 97, 127, 128, 129, 400, 2049])
def test_every_length(n):
    a, b = data(6, n, 5)
    check(fastlsq.lstsq(a, b), a, b)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_several_targets_and_weights(k):
    a, b = data(7, 30, 4, k)
    weights = RNG.uniform(0, 2, (7, 30))
    result = fastlsq.lstsq(a, b, weights=weights)
    assert result.x.shape == (7, 4, k) and result.rss.shape == (7, k)
    for i in range(7):
        single = fastlsq.lstsq(a[i], b[i], weights=weights[i])
        np.testing.assert_allclose(result.x[i], single.x, rtol=1e-12, atol=1e-13)
        np.testing.assert_allclose(result.rss[i], single.rss, rtol=1e-12)


def test_bits_depend_on_neither_threads_nor_place():
    a, b = data(41, 50, 6)
    first = fastlsq.lstsq(a, b, n_threads=1)
    for n_threads in (2, 3, 8):
        again = fastlsq.lstsq(a, b, n_threads=n_threads)
        assert np.array_equal(first.x, again.x) and np.array_equal(first.rss, again.rss)
    turned = fastlsq.lstsq(a[::-1], b[::-1])
    assert np.array_equal(first.x, turned.x[::-1]) and np.array_equal(first.rss, turned.rss[::-1])


@pytest.mark.parametrize("layout", ["F", "swapped", "wide", "backwards", "float32", "int8", "readonly", "target rows"])
def test_layouts(layout):
    a, b = data(9, 40, 5)
    if layout == "F":
        a = np.asfortranarray(a)
    elif layout == "swapped":
        a = np.ascontiguousarray(a.transpose(0, 2, 1)).transpose(0, 2, 1)
    elif layout == "wide":
        a = np.concatenate([a, a], axis=2)[:, :, :5]
    elif layout == "backwards":
        a, b = a[:, ::-1], b[:, ::-1]
    elif layout == "float32":
        a, b = a.astype(np.float32), b.astype(np.float32)
    elif layout == "int8":
        a = RNG.integers(-9, 9, a.shape).astype(np.int8)
    elif layout == "readonly":
        a.flags.writeable = b.flags.writeable = False
    else:
        b = np.ascontiguousarray(b.T).T
    result = fastlsq.lstsq(a, b)
    assert result.x.dtype == (np.float32 if layout == "float32" else np.float64)
    check(result, a, b, 1e-6 if layout == "float32" else 1e-12)


def test_leading_dimensions():
    a, b = data(12, 20, 3)
    deep = fastlsq.lstsq(a.reshape(3, 4, 20, 3), b.reshape(3, 4, 20))
    flat = fastlsq.lstsq(a, b)
    assert deep.x.shape == (3, 4, 3) and deep.info.condition.shape == (3, 4) and deep.s.shape == (3, 4, 3)
    assert np.array_equal(deep.x.reshape(12, 3), flat.x)
    shared = fastlsq.lstsq(a[:1], b)
    np.testing.assert_allclose(shared.x[7], fastlsq.lstsq(a[0], b[7]).x, rtol=1e-12)
    np.testing.assert_allclose(flat.s[5], np.linalg.svd(a[5], compute_uv=False), rtol=1e-12)


def test_hard_problems_among_easy_ones():
    a, b = data(11, 40, 3)
    a[2, :, 2] = a[2, :, 0] + a[2, :, 1]  # collinear
    a[4] *= 1e170  # squares overflow
    a[5, :, 1] = 0.0
    a[6, :, 1] = a[6, :, 0] + 1e-7 * RNG.standard_normal(40)
    b[8] = a[8] @ [1.0, 2.0, 3.0]  # exact
    b[9] = 0.0
    result = fastlsq.lstsq(a, b)
    check(result, a, b, 1e-6)
    assert result.rank.tolist() == [3, 3, 2, 3, 3, 2, 3, 3, 3, 3, 3]
    assert set(result.info.escalated) >= {(2,), (4,), (5,), (6,)} and result.info.path == "mixed"
    assert np.isnan(result.residues[2]) and np.isfinite(result.rss[2])
    assert result.rss[8] <= 1e-28 and (result.x[9] == 0).all()


def test_cut_off_is_judged_problem_by_problem():
    a, b = data(3, 20, 2)
    a[1] *= [1.0, 1e-6]
    check(fastlsq.lstsq(a, b, cond=1e-3), a, b, cond=1e-3)
    assert fastlsq.lstsq(a, b, cond=1e-3).rank.tolist() == [2, 1, 2]


def test_nothing_to_solve():
    assert fastlsq.lstsq(np.empty((0, 5, 2)), np.empty((0, 5))).x.shape == (0, 2)
    assert fastlsq.lstsq(np.empty((3, 5, 0)), np.ones((3, 5))).rss.tolist() == [5.0, 5.0, 5.0]
    assert fastlsq.lstsq(np.empty((3, 0, 2)), np.empty((3, 0))).x.tolist() == [[0.0, 0.0]] * 3
    wide = fastlsq.lstsq(*data(3, 2, 4))
    assert wide.residues.shape == (3, 0) and wide.rank.tolist() == [2, 2, 2]
    assert fastlsq.lstsq(np.ones((3, 5, 2)), np.ones((3, 5, 0))).x.shape == (3, 2, 0)


def test_bad_input():
    a, b = data(5, 10, 2)
    for wrong, message in (
        ((a, b[:, :9]), "b has 9 rows, a has 10"),
        ((a, b[:4]), "leading dimensions of a and b do not fit"),
        ((a, b[0]), "b must have as many dimensions as a, or one less"),
    ):
        with pytest.raises(ValueError, match=message):
            fastlsq.lstsq(*wrong)
    with pytest.raises(ValueError, match=r"weights must have shape \(5, 10\)"):
        fastlsq.lstsq(a, b, weights=np.ones(10))
    weights = np.ones((5, 10))
    weights[3, 7] = -1
    with pytest.raises(ValueError, match=r"weights\[3, 7\] is -1"):
        fastlsq.lstsq(a, b, weights=weights)
    a[3, 4, 1] = np.nan
    with pytest.raises(ValueError, match="problem 3: a must not contain infs or NaNs; row 4, column 1"):
        fastlsq.lstsq(a, b)
    x = fastlsq.lstsq(a, b, check_finite=False).x
    assert np.isnan(x[3]).all() and np.isfinite(np.delete(x, 3, 0)).all()


def test_result_is_picklable_and_printable():
    import pickle

    result = pickle.loads(pickle.dumps(fastlsq.lstsq(*data(3, 9, 2))))
    assert "path='gram'" in repr(result) and result.s.shape == (3, 2)


def test_long_problems_are_summed_like_a_single_one():
    n = 20_000
    x = np.full((1, n, 1), 0.7)
    y = 1 + np.where(np.arange(n) % 2, 0.3, -0.7)[None]
    assert np.array_equal(fastlsq.lstsq(x, y).x[0], fastlsq.lstsq(x[0], y[0]).x)


def test_norms_that_overflow_are_no_proof():
    q = np.linalg.qr(RNG.standard_normal((60, 4)))[0]
    v = np.linalg.qr(RNG.standard_normal((4, 4)))[0]
    a, y = q @ np.diag([1, 1, 1, 1e-6]) @ v, RNG.standard_normal(60)
    want = fastlsq.lstsq(a, y).x
    for found in (fastlsq.lstsq(a, y * 2.0**503).x, fastlsq.lstsq(a[None], y[None] * 2.0**503).x[0]):
        np.testing.assert_allclose(found * 2.0**-503, want, rtol=0, atol=1e-8 * np.abs(want).max())


def test_singular_values_of_a_batch():
    a, b = data(4, 12, 3)
    a[1, 2, 0] = np.nan
    _, _, _, s = fastlsq.lstsq(a, b, check_finite=False)
    assert np.isnan(s[1]).all() and np.isfinite(np.delete(s, 1, 0)).all()
    assert fastlsq.lstsq(a[:1], b[:1], lapack_driver="gelsy").s is None


def test_elements_that_are_not_aligned():
    a, b = data(9, 20, 3)
    raw = np.zeros(a.nbytes + 1, np.uint8)
    crooked = raw[1:].view(np.float64).reshape(a.shape)
    crooked[:] = a
    assert np.array_equal(fastlsq.lstsq(crooked, b).x, fastlsq.lstsq(a, b).x)
