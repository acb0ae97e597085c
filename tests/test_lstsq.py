# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""`lstsq` against SciPy, against exact references, and in the corners."""

import pickle

import mpmath
import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

import fastlsq

U = 2.0**-53


def gaussian(n, p, k=None, seed=0, noise=1.0):
    rng = np.random.default_rng(seed)
    a = rng.standard_normal((n, p))
    truth = rng.standard_normal((p,) if k is None else (p, k))
    return a, a @ truth + noise * rng.standard_normal((n,) if k is None else (n, k))


def conditioned(n, p, kappa, seed=0):
    """Rows with singular values from 1 down to 1/kappa."""
    rng = np.random.default_rng(seed)
    left = np.linalg.qr(rng.standard_normal((n, p)))[0]
    right = np.linalg.qr(rng.standard_normal((p, p)))[0]
    return (left * np.logspace(0, -np.log10(kappa), p)) @ right


def exact_solution(a, b):
    """Least-squares solution in 420-bit arithmetic, rounded once."""
    with mpmath.workprec(420):
        rows = mpmath.matrix(a.tolist())
        x = mpmath.lu_solve(rows.T * rows, rows.T * mpmath.matrix(b.tolist()))
        return np.array([float(value) for value in x])


def backward_error(a, b, x):
    """Karlson-Waldén estimate of the normwise backward error relative to ‖a‖_F, columns equilibrated, in 200 bits."""
    scale = 2.0 ** -np.round(np.log2(np.linalg.norm(a, axis=0)))
    with mpmath.workprec(200):
        rows = mpmath.matrix((a * scale).tolist())
        y = mpmath.matrix((x / scale).tolist())
        r = mpmath.matrix(b.tolist()) - rows * y
        g = np.array([float(v) for v in rows.T * r])
        norm_r, norm_x = float(mpmath.norm(r)), float(mpmath.norm(y))
    _, s, vt = np.linalg.svd(a * scale, full_matrices=False)
    weights = np.sqrt(s**2 + (norm_r / norm_x) ** 2)
    return float(np.linalg.norm((vt @ g) / weights) / (norm_x * np.linalg.norm(a * scale)))


def assert_like_scipy(found, a, b, rtol=1e-10, cond=None):
    x, residues, rank, s = scipy.linalg.lstsq(a, b, cond)
    np.testing.assert_allclose(found.x, x, rtol=rtol, atol=rtol * np.abs(x).max(initial=0))
    np.testing.assert_allclose(found.residues, residues, rtol=1e-9, atol=1e-24)
    assert np.shape(found.residues) == np.shape(residues)
    assert found.rank == rank
    np.testing.assert_allclose(found.s, s, rtol=1e-10, atol=1e-12 * s.max(initial=0))
    assert found.x.shape == x.shape


@pytest.mark.parametrize("shape", [(40, 1), (41, 2), (300, 12), (300, 13), (13, 13), (14, 13), (2049, 25), (700, 130)])
@pytest.mark.parametrize("k", [None, 1, 2, 3, 13, 40])
def test_same_answer_as_scipy(shape, k):
    a, b = gaussian(*shape, k)
    found = fastlsq.lstsq(a, b)
    assert found.info.path == "gram"
    assert found.info.passes >= 2
    assert_like_scipy(found, a, b)


@pytest.mark.parametrize("shape", [(3, 7), (1, 5), (12, 13)])
def test_fewer_rows_than_columns(shape, rung):
    a, b = gaussian(*shape)
    found = fastlsq.lstsq(a, b)
    assert found.info.path == ("qr" if rung == "qr" else "dual")
    assert_like_scipy(found, a, b)


@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (0, 0)])
@pytest.mark.parametrize("k", [None, 2])
def test_empty(shape, k):
    a, b = np.zeros(shape), np.ones(shape[:1] if k is None else (shape[0], k))
    found, want = fastlsq.lstsq(a, b), scipy.linalg.lstsq(a, b)
    assert [np.shape(part) for part in found] == [np.shape(part) for part in want]
    np.testing.assert_allclose(found.residues, want[1])
    assert found.rank == want[2] == 0


def test_no_right_hand_sides():
    found = fastlsq.lstsq(np.eye(4, 2), np.ones((4, 0)))
    assert found.x.shape == (2, 0)
    assert found.rank == 2


def test_one_by_one_and_many_targets():
    assert fastlsq.lstsq([[2.0]], [3.0]).x == pytest.approx([1.5])
    a, b = gaussian(12, 3, 500)
    assert_like_scipy(fastlsq.lstsq(a, b), a, b)


@pytest.mark.parametrize(
    "pair", ["f4 f4", "f4 f8", "f8 f4", "f2 f2", "i4 i4", "f4 i4", "? ?", "i2 f4", "u1 i1", "i8 f8"]
)
def test_result_dtype_is_scipys(pair):
    rng = np.random.default_rng(0)
    a, b = (rng.integers(0, 2, shape).astype(d) for shape, d in zip([(60, 3), (60,)], pair.split(), strict=True))
    found, want = fastlsq.lstsq(a, b), scipy.linalg.lstsq(a, b)
    assert found.x.dtype == want[0].dtype
    assert found.residues.dtype == want[1].dtype
    assert found.s.dtype == want[3].dtype
    np.testing.assert_allclose(found.x, want[0], atol=1e-5)


def test_float32_is_accumulated_in_float64():
    a, b = gaussian(200_000, 4, seed=3)
    a = (a + 50 * a[:, :1]).astype(np.float32)
    b = b.astype(np.float32)
    want = scipy.linalg.lstsq(a.astype(float), b.astype(float))[0]
    np.testing.assert_array_equal(fastlsq.lstsq(a, b).x, want.astype(np.float32))


@pytest.mark.parametrize("layout", ["F", "reversed", "strided", "broadcast y", "read-only", "list", "int8"])
def test_layouts(layout):
    rng = np.random.default_rng(2)
    a, b = rng.integers(-9, 9, (500, 7)), rng.integers(-9, 9, 500)
    a, b = a.astype(float), b.astype(float)
    want = fastlsq.lstsq(a, b).x
    twice = np.repeat(np.repeat(a, 2, 0), 3, 1)
    views = {
        "F": (np.asfortranarray(a), b), "reversed": (a[::-1], b[::-1]), "strided": (twice[::2, ::3], b),
        "list": (a.tolist(), b.tolist()), "int8": (a.astype(np.int8), b.astype(np.int8)),
        "broadcast y": (a, np.broadcast_to(b[:, None], (500, 4))),
    }  # fmt: skip
    if layout == "read-only":
        a.flags.writeable = b.flags.writeable = False
        views["read-only"] = (a, b)
    found = fastlsq.lstsq(*views[layout]).x
    if layout == "broadcast y":
        assert (found == found[:, :1]).all()
        found = found[:, 0]
    np.testing.assert_allclose(found, want, rtol=1e-6 if layout == "int8" else 1e-13)


def test_column_vector_stays_a_column():
    a, b = gaussian(50, 3, 1)
    assert fastlsq.lstsq(a, b).x.shape == (3, 1)
    assert fastlsq.lstsq(a, b).residues.shape == (1,)


def test_same_bits_for_any_thread_count_and_order(kernel, monkeypatch):
    monkeypatch.setenv("FASTLSQ_KERNEL", kernel)
    a, b = gaussian(20_000, 31, seed=5)
    want = fastlsq.lstsq(a, b, n_threads=1)
    assert want.info.kernel == kernel
    for n_threads in (2, 3, 8):
        for array in (a, np.asfortranarray(a)):
            found = fastlsq.lstsq(array, b, n_threads=n_threads)
            np.testing.assert_array_equal(found.x, want.x)
            assert found.rss == want.rss


def test_weights_equal_repetition_and_zero_weights_equal_dropping():
    a, b = gaussian(300, 6, 2, seed=9)
    weights = np.random.default_rng(1).integers(0, 4, 300)
    found = fastlsq.lstsq(a, b, weights=weights)
    want = fastlsq.lstsq(np.repeat(a, weights, 0), np.repeat(b, weights, 0))
    np.testing.assert_allclose(found.x, want.x, rtol=1e-12)
    np.testing.assert_allclose(found.rss, want.rss, rtol=1e-12)
    np.testing.assert_allclose(found.s, want.s, rtol=1e-12)


@pytest.mark.parametrize("column", [0, 3, 4])
def test_a_zero_column_gets_a_zero(column):
    a, b = gaussian(60, 5)
    a[:, column] = 0
    found = fastlsq.lstsq(a, b)
    assert found.info.path == "gram"
    assert found.info.aliased == (column,)
    assert_like_scipy(found, a, b)


@pytest.mark.parametrize("kind", ["duplicate", "dummy trap", "all zero", "rank one", "single row"])
def test_collinear_columns_are_no_error(kind):
    rng = np.random.default_rng(6)
    a, b = gaussian(80, 4)
    if kind == "duplicate":
        a[:, 3] = a[:, 1]
    elif kind == "dummy trap":
        a = np.column_stack([np.ones(80), np.eye(3)[rng.integers(0, 3, 80)]])
    elif kind == "all zero":
        a[:] = 0
    elif kind == "rank one":
        a = np.outer(a[:, 0], [1.0, 2, 3])
    else:
        a, b = a[:1], b[:1]
    found = fastlsq.lstsq(a, b)
    # SciPy's own default, eps, calls some exact duplicates independent and answers 1e13
    assert_like_scipy(found, a, b, rtol=1e-9, cond=1e-13)
    residual = b - a @ found.x
    assert found.rss == pytest.approx(residual @ residual, rel=1e-12, abs=1e-28)


def test_duplicate_column_is_named():
    a, b = gaussian(80, 4)
    a[:, 3] = a[:, 1]
    assert fastlsq.lstsq(a, b).info.aliased == (3,)


@pytest.mark.parametrize("kappa", [1e1, 1e3, 1e5, 1e6, 1e8, 1e11, 1e14])
@pytest.mark.parametrize("noise", [0.0, 1e-8, 1.0])
def test_backward_error_whatever_the_condition(kappa, noise):
    rng = np.random.default_rng(17)
    a = conditioned(200, 8, kappa)
    b = a @ rng.standard_normal(8) + noise * rng.standard_normal(200)
    found = fastlsq.lstsq(a, b)
    true = backward_error(a, b, found.x)
    assert true <= 4 * U if found.info.path == "gram" else 40 * U
    assert true <= 10 * found.info.backward_error
    if found.info.path == "gram":
        assert found.info.condition >= 0.3 * kappa / 8
        exact = exact_solution(a, b)
        rho = np.linalg.norm(b - a @ exact) / (np.linalg.norm(a, 2) * np.linalg.norm(exact))
        bound = 10 * U * (kappa + kappa**2 * rho)
        assert np.linalg.norm(found.x - exact) <= bound * np.linalg.norm(exact)


def test_ill_conditioned_climbs_and_says_why(rung):
    a = np.vander(np.linspace(0, 1, 60), 16)
    found = fastlsq.lstsq(a, np.sin(np.linspace(0, 9, 60)))
    assert found.info.path == rung
    assert found.info.reason


@pytest.mark.parametrize("factor", [1e-300, 1e-200, 1e-160, 1e160, 1e200, 1e290])
@pytest.mark.parametrize("where", ["one column", "a", "b", "both"])
def test_values_whose_squares_over_or_underflow(factor, where):
    a, b = gaussian(90, 4, seed=11)
    want = fastlsq.lstsq(a, b).x
    a2, b2 = a.copy(), b.copy()
    if where == "one column":
        a2[:, 2] *= factor
        want[2] /= factor
    if where in ("a", "both"):
        a2 *= factor
    if where in ("b", "both"):
        b2 *= factor
    if where in ("a", "b"):
        want = want * factor if where == "b" else want / factor
    found = fastlsq.lstsq(a2, b2)
    assert found.info.path == "gram"
    assert found.rank == 4
    np.testing.assert_allclose(found.x, want, rtol=1e-12)


def test_explicit_cond_means_what_scipy_means():
    a = conditioned(100, 5, 1e4)
    b = np.random.default_rng(0).standard_normal(100)
    for cond in (1e-2, 1e-3, 1e-6, 1e-12):
        found, want = fastlsq.lstsq(a, b, cond), scipy.linalg.lstsq(a, b, cond)
        assert found.rank == want[2]
        np.testing.assert_allclose(found.x, want[0], rtol=1e-8)
    assert fastlsq.lstsq(a, b, 1e-12).info.path == "gram"
    assert fastlsq.lstsq(a, b, 1e-2).info.path == "lapack"


def test_units_do_not_decide_the_rank():
    a, b = gaussian(80, 3)
    found = fastlsq.lstsq(a * [1.0, 1e-9, 1e9], b)
    assert found.rank == 3
    np.testing.assert_allclose(found.x * [1.0, 1e-9, 1e9], fastlsq.lstsq(a, b).x, rtol=1e-12)


@pytest.mark.parametrize("driver", ["gelsd", "gelsy", "gelss"])
def test_lapack_driver(driver):
    a, b = gaussian(30, 3)
    assert (fastlsq.lstsq(a, b, lapack_driver=driver).s is None) == (driver == "gelsy")
    a[:, 2] = a[:, 1]
    found, want = fastlsq.lstsq(a, b, lapack_driver=driver), scipy.linalg.lstsq(a, b, 1e-13, lapack_driver=driver)
    np.testing.assert_allclose(found.x, want[0], rtol=1e-12)
    assert found.rank == want[2] == 2


def test_the_result_unpacks_pickles_and_prints():
    a, b = gaussian(50, 3)
    found = fastlsq.lstsq(a, b)
    x, residues, rank, s = found
    assert x is found.x
    assert found[2] == rank == 3
    assert len(found) == 4
    twin = pickle.loads(pickle.dumps(found))
    np.testing.assert_array_equal(twin.x, x)
    np.testing.assert_array_equal(twin.s, s)
    assert twin.info == found.info
    assert "path='gram'" in repr(found)
    assert residues == pytest.approx(found.rss)


def test_singular_values_of_the_ill_conditioned_come_from_the_rows():
    a = conditioned(100, 6, 1e5)
    found = fastlsq.lstsq(a, a @ np.ones(6))
    np.testing.assert_allclose(found.s, np.linalg.svd(a, compute_uv=False), rtol=1e-9)


def test_arguments_are_not_modified():
    a, b = gaussian(60, 4, 2)
    w = np.random.default_rng(0).random(60)
    copies = a.copy(), b.copy(), w.copy()
    for array in (a, np.column_stack([a, a[:, :1]])):
        fastlsq.lstsq(array, b, overwrite_a=True, overwrite_b=True, weights=w)
    for array, copy in zip((a, b, w), copies, strict=True):
        np.testing.assert_array_equal(array, copy)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(1, 12), st.integers(0, 2**31), st.sampled_from([None, 1, 3]))
def test_any_integer_problem_is_as_good_as_scipys(n, p, seed, k):
    rng = np.random.default_rng(seed)
    a = rng.integers(-3, 4, (n, p)).astype(float)
    b = rng.integers(-9, 10, (n,) if k is None else (n, k)).astype(float)
    found, want = fastlsq.lstsq(a, b), scipy.linalg.lstsq(a, b, 1e-13)
    assert found.rank == want[2] == np.linalg.matrix_rank(a)
    np.testing.assert_allclose(found.x, want[0], rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(found.s, want[3], rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("k", [None, 2])
@pytest.mark.parametrize("weighted", [False, True])
def test_complex_input_goes_to_lapack_and_says_so(k, weighted):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((30, 4)) + 1j * rng.standard_normal((30, 4))
    b = rng.standard_normal((30,) if k is None else (30, k))
    w = rng.uniform(0.5, 2, 30) if weighted else None
    root = np.sqrt(w if weighted else np.ones(30))
    found = fastlsq.lstsq(a, b, weights=w)
    expected = scipy.linalg.lstsq(a * root[:, None], (b.T * root).T)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12)
    np.testing.assert_allclose(found.rss, expected[1], rtol=1e-12)
    assert found.info.path == "lapack" and found.info.reason == "complex input" and found.info.rank == 4
    with pytest.raises(ValueError, match="a must not contain infs or NaNs; row 3, column 2"):
        bad = a.copy()
        bad[3, 2] = 1j * np.inf
        fastlsq.lstsq(bad, b)
    with pytest.raises(ValueError, match="Shape mismatch"):
        fastlsq.lstsq(a, b[:-1])
    with pytest.raises(TypeError, match="X is complex"):
        fastlsq.ols(a, b if k is None else b[:, 0])
