# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""nnls and lsq_linear against exact arithmetic (all active sets, optimality conditions) and the issues of others."""

import itertools
import pickle
from fractions import Fraction

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize

import fastlsq
from fastlsq.solve import bounded, constrained
from fastlsq.solve.constrained import nnls_from_equations
from fastlsq.solve.moments import Problem, gather


def exact(a):
    return [[Fraction(float(v)) for v in row] for row in np.atleast_2d(a)]


def solve_exactly(m, c):
    """m x = c by elimination over fractions, None where m is singular."""
    rows = [[*row, value] for row, value in zip(m, c, strict=True)]
    for i in range(len(rows)):
        pivot = next((row for row in range(i, len(rows)) if rows[row][i] != 0), None)
        if pivot is None:
            return None
        rows[i], rows[pivot] = rows[pivot], rows[i]
        for row in range(len(rows)):
            if row != i and rows[row][i] != 0:
                factor = rows[row][i] / rows[i][i]
                rows[row] = [x - factor * y for x, y in zip(rows[row], rows[i], strict=True)]
    return [rows[i][-1] / rows[i][i] for i in range(len(rows))]


def squares(a, b, x):
    """‖a x - b‖² exactly."""
    return sum((sum(v * w for v, w in zip(row, x, strict=True)) - y) ** 2 for row, y in zip(a, b, strict=True))


def best_of_all_sets(a, b, lower, upper):
    """The least ‖a x - b‖² over the box: some minimum has free columns that are independent; all sets are tried."""
    a, b = exact(a), exact(b)[0]
    p = len(a[0])
    best = None
    # without bounds, a column that depends on others may also be left out
    finite = np.isfinite(lower), np.isfinite(upper)
    sides = [[0, *[-1] * int(low), *[1] * int(high)] for low, high in zip(*finite, strict=True)]
    sides = [side if len(side) > 1 else [0, 2] for side in sides]
    for places in itertools.product(*sides):
        free = [j for j in range(p) if places[j] == 0]
        ends = [0.0 if s in (0, 2) else lower[j] if s < 0 else upper[j] for j, s in enumerate(places)]
        x = [Fraction(float(end)) for end in ends]
        rest = [y - sum(v * w for v, w in zip(row, x, strict=True)) for row, y in zip(a, b, strict=True)]
        m = [[sum(row[i] * row[j] for row in a) for j in free] for i in free]
        found = solve_exactly(m, [sum(row[i] * r for row, r in zip(a, rest, strict=True)) for i in free])
        if found is None:
            continue
        for j, value in zip(free, found, strict=True):
            x[j] = value
        if all(x[j] >= lower[j] and x[j] <= upper[j] for j in range(p)):
            value = squares(a, b, x)
            best = value if best is None else min(best, value)
    return best


@pytest.fixture(params=["in one call", "as it comes", "by rows", "by blocks"])
def path(request, monkeypatch):
    """As small problems are solved; as larger ones: rung 1 where it can; rung 2 always; on the triangle of a QR of few
    rows at a time."""
    if request.param != "in one call":
        monkeypatch.setattr(constrained, "_in_one_call", lambda *arguments: None)
    if request.param in ("by rows", "by blocks"):
        monkeypatch.setattr(bounded, "_factorize", lambda *arguments: (None, "asked for"))
    if request.param == "by blocks":
        monkeypatch.setattr(bounded, "DIRECT", 0)
        monkeypatch.setattr(bounded, "BLOCK", 1)
        monkeypatch.setattr(bounded, "LEAST_ROWS", 7)
    return request.param


def integer_problem(rng, n, p):
    a = rng.integers(-3, 4, (n, p)).astype(float)
    if rng.random() < 0.3 and p > 1:
        a[:, -1] = a[:, 0] * rng.integers(-2, 3)
    return a, rng.integers(-5, 6, n).astype(float)


def test_all_sets_of_small_integer_problems(path):
    rng = np.random.default_rng(1)
    for _ in range(50):
        n, p = int(rng.integers(1, 14)), int(rng.integers(1, 6))
        a, b = integer_problem(rng, n, p)
        x, rnorm = fastlsq.nnls(a, b)
        best = best_of_all_sets(a, b, np.zeros(p), np.full(p, np.inf))
        found = squares(exact(a), exact(b)[0], [Fraction(v) for v in x])
        assert (x >= 0).all()
        assert float(found - best) <= 1e-14 * float(b @ b)
        assert abs(float(found) ** 0.5 - rnorm) <= 1e-14 * np.linalg.norm(b)


def test_all_sets_of_small_boxes(path):
    rng = np.random.default_rng(2)
    for _ in range(50):
        n, p = int(rng.integers(1, 14)), int(rng.integers(1, 5))
        a, b = integer_problem(rng, n, p)
        lower = rng.choice([-np.inf, -1.0, 0.0, 0.5], p)
        upper = rng.choice([0.5, 0.75, 2.0, np.inf], p)
        fit = fastlsq.lsq_linear(a, b, (lower, upper))
        best = best_of_all_sets(a, b, lower, upper)
        found = squares(exact(a), exact(b)[0], [Fraction(v) for v in fit.x])
        assert fit.success and fit.status == 1
        assert (fit.x >= lower).all() and (fit.x <= upper).all()
        assert float(found - best) <= 1e-13 * float(b @ b + 1)
        assert fit.cost == pytest.approx(float(found) / 2, rel=1e-12, abs=1e-14 * float(b @ b + 1))
        np.testing.assert_array_equal(fit.active_mask[fit.x > lower] >= 0, True)
        np.testing.assert_allclose(fit.fun, a @ fit.x - b, atol=1e-14)


def worst_violation(a, b, x):
    """Of the optimality conditions of nnls, exactly, relative to column, residual and parts of the fit."""
    rows, values = exact(a), [Fraction(float(v)) for v in x]
    r = [y - sum(v * w for v, w in zip(row, values, strict=True)) for row, y in zip(rows, exact(b)[0], strict=True)]
    w = np.array([float(sum(row[j] * e for row, e in zip(rows, r, strict=True))) for j in range(len(x))])
    length = np.linalg.norm(a, axis=0)
    size = float(sum(e * e for e in r)) ** 0.5 + length @ np.abs(x)
    inwards = np.where(x > 0, np.abs(w), np.maximum(w, 0))
    return (inwards[length > 0] / length[length > 0]).max(initial=0) / size if size else 0.0


def hard(name, rng):
    n, p = 24, 8
    a, b = rng.standard_normal((n, p)), rng.standard_normal(n)
    if name == "hilbert":
        a = scipy.linalg.hilbert(12)
        b = rng.standard_normal(12)
    elif name == "duplicates":
        a[:, 4:] = a[:, :4] + 1e-10 * a[:, 4:]
    elif name == "dependent":
        a[:, 5:] = a[:, :3] @ rng.standard_normal((3, 3))
    elif name == "boundary":  # the residual is orthogonal to columns that are not used
        x = np.maximum(rng.integers(-3, 4, p), 0).astype(float)
        a = rng.integers(-9, 10, (n, p)).astype(float)
        b = a @ x
    elif name == "wide":
        a, b = rng.standard_normal((6, 15)), rng.standard_normal(6)
    elif name == "units":
        a *= 10.0 ** rng.integers(-9, 10, p)
    elif name == "vandermonde":
        a = np.vander(np.linspace(0, 1, n), 11)
    elif name == "zeros":
        a[:, 2] = 0
        a[5:9] = 0
    elif name == "negative":
        a, b = np.abs(a), -np.abs(b)
    return a, b


FAMILIES = ["plain", "hilbert", "duplicates", "dependent", "boundary", "wide", "units", "vandermonde", "zeros",
            "negative"]


@pytest.mark.parametrize("name", FAMILIES)
def test_hard_families(name, path):
    rng = np.random.default_rng(3)
    for _ in range(6):
        a, b = hard(name, rng)
        x, rnorm = result = fastlsq.nnls(a, b)
        assert (x >= 0).all() and result.info.kkt <= 1e-14
        assert worst_violation(a, b, x) <= 1e-14
        size = np.linalg.norm(b) + np.linalg.norm(a, axis=0) @ x
        true = float(squares(exact(a), exact(b)[0], [Fraction(v) for v in x])) ** 0.5
        assert abs(rnorm - true) <= 1e-14 * size
        assert rnorm <= scipy.optimize.nnls(a, b)[1] + 1e-14 * size
        if name == "negative":
            assert (x == 0).all()


def test_one_target_among_many_is_as_if_alone():
    rng = np.random.default_rng(4)
    a = rng.standard_normal((60, 9))
    b = rng.standard_normal((60, 40)) * 10.0 ** rng.integers(-9, 10, 40)
    b[:, 7] = 0
    many = fastlsq.nnls(a, b)
    assert many.x.shape == (9, 40) and many.rnorm.shape == (40,) and many.info.free.shape == (40,)
    for t in range(40):
        alone = fastlsq.nnls(a, b[:, t])
        np.testing.assert_allclose(many.x[:, t], alone.x, rtol=1e-12, atol=1e-14 * np.abs(alone.x).max())
        assert many.rnorm[t] == pytest.approx(alone.rnorm, rel=1e-13)
        assert ((many.x[:, t] > 0) == (alone.x > 0)).all()


@pytest.mark.parametrize("shape", [(40, 9, 1), (40, 9, 30), (400, 70, 3), (12, 20, 9), (300, 130, 1)])
def test_the_same_bits_for_any_number_of_threads(shape, path):
    n, p, k = shape
    if path == "by blocks":  # LAPACK's threads and ours would wait for each other
        n, p = min(n, 60), min(p, 20)
    rng = np.random.default_rng(5)
    a, b = rng.standard_normal((n, p)), rng.standard_normal((n, k))
    first = fastlsq.nnls(a, b, n_threads=1)
    box = fastlsq.lsq_linear(a, b, (-0.05, 0.1), n_threads=1)
    for threads in (2, 3, 8):
        found = fastlsq.nnls(a, b, n_threads=threads)
        assert found.x.tobytes() == first.x.tobytes() and found.rnorm.tobytes() == first.rnorm.tobytes()
        assert fastlsq.lsq_linear(a, b, (-0.05, 0.1), n_threads=threads).x.tobytes() == box.x.tobytes()


def test_every_kernel_set(kernel):
    rng = np.random.default_rng(6)
    a, b = rng.standard_normal((80, 13)), rng.standard_normal((80, 5))
    zero, infinite = np.zeros(13), np.full(13, np.inf)
    want = fastlsq.nnls(a, b)
    found = bounded.solve_bounded(Problem(a, b, None, False, 2, ("A", "b"), kernel=kernel), zero, infinite)
    np.testing.assert_allclose(found.coef, want.x, rtol=1e-12, atol=1e-14)
    assert found.info.kernel == kernel
    a[:, 12] = a[:, 0]
    found = bounded.solve_bounded(Problem(a, b, None, False, 2, ("A", "b"), kernel=kernel), zero, infinite)
    assert found.info.path == "qr" and found.info.kkt < 1e-14


@pytest.mark.parametrize("power", [-150, -100, -20, 20, 100, 150])
def test_scale_of_rows_and_target(power, path):
    rng = np.random.default_rng(7)
    a, b = rng.standard_normal((30, 6)), rng.standard_normal(30)
    x, rnorm = fastlsq.nnls(a, b)
    scale = 2.0 ** round(power * 3.3219)
    larger = fastlsq.nnls(a, b * scale)
    np.testing.assert_allclose(larger.x, x * scale, rtol=1e-13)
    assert larger.rnorm == pytest.approx(rnorm * scale, rel=1e-13)
    np.testing.assert_allclose(fastlsq.nnls(a * scale, b).x, x / scale, rtol=1e-13)
    columns = scale ** np.linspace(-1, 1, 6).round()
    found = fastlsq.nnls(a * columns, b)
    np.testing.assert_allclose(found.x * columns, x, rtol=1e-13)
    assert found.rnorm == pytest.approx(rnorm, rel=1e-13)
    box = fastlsq.lsq_linear(a, b, (-0.1, 0.05))
    scaled = fastlsq.lsq_linear(a * columns, b, (-0.1 / columns, 0.05 / columns))
    np.testing.assert_allclose(scaled.x * columns, box.x, rtol=1e-12, atol=1e-14)


def test_small_values_of_scipy_21630(path):
    """Entries of A near 1e-21 and of b near 1e-8 gave zeros."""
    rng = np.random.default_rng(8)
    a, b = 2e-21 * rng.standard_normal((107, 126)), 1e-8 * rng.standard_normal(107)
    one, other = fastlsq.nnls(a, b), fastlsq.nnls(a * 1e9, b * 1e9)
    assert (one.x > 0).sum() > 20 and one.info.kkt < 1e-14
    np.testing.assert_allclose(other.x, one.x, rtol=1e-9, atol=1e-9 * one.x.max())


def test_two_columns_of_scipy_25389(path):
    """x = [0.82, 0.39] and a residual of 0 were given for a problem whose answer is [0, 1.6] and sqrt(0.2)."""
    x, rnorm = fastlsq.nnls([[1.0, 1.0], [3.0, 2.0]], [2.0, 3.0])
    np.testing.assert_allclose(x, [0, 1.6], rtol=1e-15)
    assert rnorm == pytest.approx(0.2**0.5, rel=1e-15)


def test_single_precision_of_scipy_22884():
    """Columns from 1e5 to 1e9 in single precision did not end."""
    rng = np.random.default_rng(9)
    a = (rng.random((300, 5)) * [1e5, 1e9, 1e6, 1e5, 1e7]).astype(np.float32)
    b = (a @ np.array([0, 1e-3, 2.0, 0, 0.1]) * (1 + 0.1 * rng.standard_normal(300))).astype(np.float32)
    found, double = fastlsq.nnls(a, b), fastlsq.nnls(a.astype(float), b.astype(float))
    assert found.x.dtype == np.float64
    np.testing.assert_allclose(found.x, double.x, rtol=1e-13)
    assert worst_violation(a[:60], b[:60], fastlsq.nnls(a[:60], b[:60]).x) < 1e-14


def test_degenerate_columns_of_scipy_21140(path):
    """Dependent columns, as of a singular Jacobian, in every position."""
    rng = np.random.default_rng(10)
    base = np.abs(rng.standard_normal((40, 5)))
    a = np.hstack([base, base[:, ::-1], base @ rng.random((5, 10))])
    b = base @ np.array([1.0, 0, 2, 0, 3])
    result = fastlsq.nnls(a, b)
    assert result.info.path == "qr" and result.rnorm < 1e-13 * np.linalg.norm(b) and result.info.free[0] <= 5


@pytest.mark.parametrize("dtype", [np.float32, np.float16, np.int8, np.int64, np.bool_])
def test_dtypes_and_layouts(dtype):
    rng = np.random.default_rng(11)
    a = rng.integers(0, 2 if dtype is np.bool_ else 9, (30, 4)).astype(dtype)
    b = rng.integers(0, 9, (30, 2)).astype(np.float32)
    want = fastlsq.nnls(a.astype(float), b.astype(float)).x
    wide, backwards = np.zeros((60, 12), dtype), a[::-1, ::-1].copy()
    wide[::2, ::3] = a
    a.flags.writeable = False
    for given in (a, np.asfortranarray(a), wide[::2, ::3], backwards[::-1, ::-1]):
        before = given.copy()
        assert fastlsq.nnls(given, b).x.tobytes() == want.tobytes()
        assert fastlsq.nnls(given, np.asfortranarray(b)).x.tobytes() == want.tobytes()
        np.testing.assert_array_equal(given, before)


def test_weights_are_repetition(path):
    rng = np.random.default_rng(12)
    a, b, w = rng.standard_normal((30, 6)), rng.standard_normal((30, 3)), rng.integers(0, 4, 30)
    for intercept in (False, True):
        one = fastlsq.nnls(a, b, weights=w, intercept=intercept)
        other = fastlsq.nnls(np.repeat(a, w, axis=0), np.repeat(b, w, axis=0), intercept=intercept)
        np.testing.assert_allclose(one.x, other.x, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(one.rnorm, other.rnorm, rtol=1e-13)
        np.testing.assert_allclose(one.intercept, other.intercept, rtol=1e-12)


def test_intercept_is_of_either_sign(path):
    rng = np.random.default_rng(13)
    a = rng.standard_normal((40, 4)) + 1e6
    b = a @ [1.0, 0, 2, 0] - 3e6 - a[:, 1] + rng.standard_normal(40)
    fit = fastlsq.nnls(a, b, intercept=True)
    both = np.column_stack([a - 1e6, np.ones(40)])
    want = scipy.optimize.lsq_linear(both, b, ([0, 0, 0, 0, -np.inf], np.inf), method="bvls", tol=1e-14)
    np.testing.assert_allclose(fit.x, want.x[:4], rtol=1e-8, atol=1e-12)
    assert fit.intercept == pytest.approx(want.x[4] - 1e6 * fit.x.sum(), rel=1e-12)
    assert fit.rnorm == pytest.approx((2 * want.cost) ** 0.5, rel=1e-8)
    constant = fastlsq.nnls(np.ones((5, 2)), np.arange(5.0), intercept=True)
    assert (constant.x == 0).all() and constant.intercept == 2


def test_empty_problems(path):
    assert fastlsq.nnls(np.zeros((3, 0)), [0.0, 3.0, 4.0]).rnorm == 5
    assert fastlsq.nnls(np.zeros((3, 0)), [1.0, 2.0, 3.0], intercept=True).intercept == 2
    x, rnorm = fastlsq.nnls(np.zeros((0, 3)), np.zeros(0))
    assert x.tolist() == [0, 0, 0] and rnorm == 0
    found = fastlsq.nnls(np.ones((4, 3)), np.ones((4, 0)))
    assert found.x.shape == (3, 0) and found.rnorm.shape == (0,)
    zeros = fastlsq.nnls(np.zeros((4, 3)), [1.0, 2.0, 2.0, 4.0])
    assert zeros.x.tolist() == [0, 0, 0] and zeros.rnorm == 5
    assert fastlsq.lsq_linear(np.zeros((2, 2)), [1.0, 1.0], (1, 2)).x.tolist() == [1, 1]
    assert fastlsq.nnls([[2.0]], [3.0])[0].tolist() == [1.5]


def test_what_is_refused(path):
    a, b = np.ones((4, 2)), np.ones(4)
    with pytest.raises(ValueError, match="b has 3 rows, A has 4"):
        fastlsq.nnls(a, b[:3])
    with pytest.raises(ValueError, match="A must be 2-D"):
        fastlsq.nnls(b, b)
    for place, value in (((2, 1), np.nan), ((3, 0), np.inf)):
        bad = a.copy()
        bad[place] = value
        with pytest.raises(ValueError, match=rf"A must not contain infs or NaNs; row {place[0]}, column {place[1]}"):
            fastlsq.nnls(bad, b)
    with pytest.raises(ValueError, match=r"b must not contain infs or NaNs; row 1"):
        fastlsq.nnls(a, [1.0, np.nan, 1.0, 1.0])
    with pytest.raises(ValueError, match=r"weights\[1\]"):
        fastlsq.nnls(a, b, weights=[1, -1, 1, 1])
    with pytest.raises(TypeError, match="complex"):
        fastlsq.nnls(a + 1j, b)
    with pytest.raises(ValueError, match="maxiter"):
        fastlsq.nnls(a, b, maxiter=-1)
    with pytest.raises(ValueError, match="all be zero"):
        fastlsq.nnls(a, b, weights=np.zeros(4), intercept=True)
    for bounds, words in (((1, 0), "column 0"), ((0, np.nan), "column 0"), ((np.inf, np.inf), "column 0"), (5, "pair"),
                          ((np.zeros(3), 1), "shape"), (([0, 2], [1, 1]), "column 1")):
        with pytest.raises(ValueError, match=words):
            fastlsq.lsq_linear(a, b, bounds)


def test_iterations_that_do_not_do(path):
    rng = np.random.default_rng(14)
    a, b = rng.random((5, 10)), rng.random(5)
    with pytest.raises(RuntimeError, match="Maximum number of iterations"):
        fastlsq.nnls(a, b, maxiter=1)
    assert fastlsq.nnls(a, b, maxiter=30).info.iterations[0] <= 30
    fit = fastlsq.lsq_linear(a, b, (0, 0.1), max_iter=1)
    assert not fit.success and fit.status == 0 and (fit.x >= 0).all() and (fit.x <= 0.1).all()
    a = rng.standard_normal((60, 20))
    b = a @ rng.standard_normal(20) + rng.standard_normal(60)
    with pytest.raises(RuntimeError, match="Maximum number of iterations"):
        fastlsq.nnls(a, b, maxiter=1)


def test_bounds_as_scipy_has_them():
    rng = np.random.default_rng(15)
    a, b = rng.standard_normal((50, 6)), rng.standard_normal(50)
    lower, upper = np.array([-np.inf, -0.1, 0, -0.05, 0.02, 0.1]), np.array([np.inf, 0.1, np.inf, 0.05, 0.5, 0.3])
    want = scipy.optimize.lsq_linear(a, b, (lower, upper), method="bvls", tol=1e-15)
    for bounds in ((lower, upper), scipy.optimize.Bounds(lower, upper)):
        found = fastlsq.lsq_linear(a, b, bounds)
        np.testing.assert_allclose(found.x, want.x, rtol=1e-10, atol=1e-14)
        np.testing.assert_array_equal(found.active_mask, want.active_mask)
        assert found.cost == pytest.approx(want.cost, rel=1e-13) and found.optimality < 1e-12
    held = fastlsq.lsq_linear(a, b, ([0.25] * 3 + [-np.inf] * 3, [0.25] * 3 + [np.inf] * 3)).x
    np.testing.assert_allclose(held[3:], fastlsq.lstsq(a[:, 3:], b - 0.25 * a[:, :3].sum(axis=1)).x, rtol=1e-12)
    assert (held[:3] == 0.25).all()
    free = fastlsq.lsq_linear(a, b)
    np.testing.assert_allclose(free.x, fastlsq.lstsq(a, b).x, rtol=1e-13)


def test_dependent_columns_within_their_bounds_have_minimum_norm():
    rng = np.random.default_rng(16)
    a = rng.standard_normal((20, 4))
    a = np.hstack([a, a[:, :2]])
    b = np.column_stack([a @ np.ones(6), a @ np.full(6, 9.0)])
    fit = fastlsq.lsq_linear(a, b, (-2, 2))
    np.testing.assert_allclose(fit.x[:, 0], np.ones(6), rtol=1e-12)
    assert fit.info.path == "qr" and (np.abs(fit.x[:, 1]) == 2).any()
    alone = fastlsq.lsq_linear(a, b[:, 0], (-2, 2))
    assert alone.info.path == "lstsq" and (alone.active_mask == 0).all()
    assert alone.info.kkt < 1e-15 and alone.optimality <= 1e-13 and alone.cost < 1e-26
    far = fastlsq.lsq_linear(a, b[:, 0] + rng.standard_normal(20), (-3, 3))
    assert far.info.path == "lstsq" and far.info.kkt < 1e-15
    assert far.cost == pytest.approx(0.5 * (far.fun @ far.fun), rel=1e-13)


def test_from_sums_alone():
    rng = np.random.default_rng(17)
    a, b = rng.standard_normal((50, 6)) + 3, rng.standard_normal((50, 4))
    for intercept in (False, True):
        want = fastlsq.nnls(a, b, intercept=intercept)
        found = nnls_from_equations(gather(Problem(a, b, None, intercept, 1, ("A", "b"))))
        np.testing.assert_allclose(found.x, want.x, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.rnorm, want.rnorm, rtol=1e-9)
        np.testing.assert_allclose(found.intercept, want.intercept, rtol=1e-9)
        assert found.info.path == "moments" and found.info.passes == 0
    a = np.hstack([a, a])
    found = nnls_from_equations(gather(Problem(a, b, None, False, 1, ("A", "b"))))
    np.testing.assert_allclose(a @ found.x, a @ fastlsq.nnls(a, b).x, atol=1e-6)


@pytest.mark.parametrize("heavy", [1.0, 1e3, 1e4, 1e5, 1e6])
def test_from_sums_alone_no_residual_is_invented(heavy):
    a, b = np.array([[1.0, 0.0], [0.0, 1.0], [heavy, -heavy]]), np.array([1.0, 1.0, 0.0])
    found = fastlsq.Gram(intercept=False).update(a, b).nnls()
    left = np.linalg.norm(a @ found.x[:, 0] - b)
    assert np.isnan(found.rnorm[0]) or found.rnorm[0] == pytest.approx(left, rel=1e-6)


def test_a_pickled_result_is_without_the_rows():
    rng = np.random.default_rng(23)
    a, b = rng.standard_normal((2000, 4)), rng.standard_normal(2000)
    fit = fastlsq.lsq_linear(a, b, (0, 1), weights=np.full(2000, 4.0))
    np.testing.assert_array_equal(fit.fun, a @ fit.x - b)
    stored = pickle.dumps(fit)
    copy = pickle.loads(stored)
    assert len(stored) < 4000 and copy.x.tobytes() == fit.x.tobytes() and copy.message == fit.message
    with pytest.raises(AttributeError, match="pickled"):
        _ = copy.fun


@pytest.mark.filterwarnings("error")
def test_residuals_beyond_float64_are_no_success():
    rng = np.random.default_rng(29)
    fit = fastlsq.lsq_linear(rng.standard_normal((10, 4)), rng.standard_normal(10), (1e300, np.inf))
    assert (fit.x >= 1e300).all() and not fit.success and fit.status == 0 and not fit.info.kkt <= 1


@pytest.mark.parametrize(
    ("limit", "error"),
    [("a", TypeError), (np.nan, TypeError), (2.5, TypeError), (10**30, ValueError), (-1, ValueError)],
)
def test_limits_that_are_none(limit, error):
    with pytest.raises(error, match="maxiter must be"):
        fastlsq.nnls(np.eye(2), np.ones(2), maxiter=limit)
    with pytest.raises(error, match="max_iter must be"):
        fastlsq.lsq_linear(np.eye(2), np.ones(2), max_iter=limit)


def test_the_result_unpacks():
    result = fastlsq.nnls(np.eye(2), [1.0, -1.0])
    x, rnorm = result
    assert x is result.x and rnorm == result[1] == 1 and len(result) == 2 and "NNLSResult" in repr(result)
    assert "BoundedResult" in repr(fastlsq.lsq_linear(np.eye(2), [1.0, -1.0]))


@pytest.mark.parametrize("one_call", [True, False])
def test_refined_with_the_rows(one_call, monkeypatch):
    """At a condition number of 3e5 the sums alone leave six digits; the rows give back the others."""
    rng = np.random.default_rng(18)
    a = rng.standard_normal((200, 6))
    a[:, 5] = a[:, 0] + 3e-6 * a[:, 5]
    x = np.array([1.0, 0, 2, 3, 0, 4])
    b = a @ x + 1e-6 * rng.standard_normal(200)
    if not one_call:
        monkeypatch.setattr(constrained, "_in_one_call", lambda *arguments: None)
    result = fastlsq.nnls(a, b)
    free = np.flatnonzero(result.x)
    rows, right = exact(a[:, free]), exact(b)[0]
    m = [[sum(row[i] * row[j] for row in rows) for j in range(free.size)] for i in range(free.size)]
    c = [sum(row[i] * y for row, y in zip(rows, right, strict=True)) for i in range(free.size)]
    want = np.array([float(v) for v in solve_exactly(m, c)])
    assert {0, 5} <= set(free) and result.info.path == ("qr" if one_call else "gram")
    assert one_call or result.info.passes > 2
    assert result.info.condition > 1e5
    np.testing.assert_allclose(result.x[free], want, rtol=5e-11)  # u times the condition number
    sums = nnls_from_equations(gather(Problem(a, b[:, None], None, False, 1, ("A", "b")))).x[free, 0]
    assert np.abs(sums / want - 1).max() > 1e-8


def test_what_is_solved_in_one_call():
    rng = np.random.default_rng(19)
    a, b = rng.standard_normal((20, 5)), rng.standard_normal(20)
    result = fastlsq.nnls(a, b)
    assert result.path == "qr" and result.info is result.info and result.info.reason == "a small problem"
    assert result.info.free[0] == (result.x > 0).sum() <= result.info.iterations[0] and result.intercept == 0
    other = pickle.loads(pickle.dumps(fastlsq.nnls(a, b)))
    assert other.x.tobytes() == result.x.tobytes() and other.rnorm == result.rnorm
    assert other.info.condition == result.info.condition and 1 <= result.info.condition < 10
    wide, backwards = np.zeros((40, 15)), a[::-1, ::-1].copy()
    wide[::2, ::3] = a
    a.flags.writeable = b.flags.writeable = False
    for given in (np.asfortranarray(a), wide[::2, ::3], backwards[::-1, ::-1]):
        again = fastlsq.nnls(given, np.repeat(b, 2)[::2], n_threads=3)
        assert again.info.reason and again.x.tobytes() == result.x.tobytes() and again.rnorm == result.rnorm
    for longer in (fastlsq.nnls(a, b[:, None]), fastlsq.nnls(a, b, weights=np.ones(20)), fastlsq.nnls(a.tolist(), b)):
        assert longer.path == longer.info.path == "gram"
        np.testing.assert_allclose(longer.x.ravel(), result.x, rtol=1e-14)


def test_what_is_known_of_a_small_problem_stays():
    """The arrays are the user's to change before `info` is asked for."""
    rng = np.random.default_rng(20)
    a, b = rng.standard_normal((20, 5)), rng.standard_normal(20)
    want, result = fastlsq.nnls(a, b).info.condition, fastlsq.nnls(a, b)
    a[:] = np.nan
    assert result.info.condition == want


@pytest.mark.parametrize("power", [-170, -160, 155, 170])
def test_squares_that_leave_the_range_take_the_long_way(power):
    rng = np.random.default_rng(21)
    a, b = rng.standard_normal((20, 5)), rng.standard_normal(20)
    want, scale = fastlsq.nnls(a, b).x, 2.0 ** round(power * 3.3219)
    for given, target, x in ((a * scale, b, want / scale), (a, b * scale, want * scale)):
        found = fastlsq.nnls(given, target)
        assert found.path == "gram"
        np.testing.assert_allclose(found.x, x, rtol=1e-13)


def relative_error(a, b, x):
    """Of the positive coefficients, against those of the same columns by exact arithmetic, relative to the largest."""
    free = np.flatnonzero(x)
    rows, right = exact(a[:, free]), exact(b)[0]
    m = [[sum(row[i] * row[j] for row in rows) for j in range(free.size)] for i in range(free.size)]
    c = [sum(row[i] * y for row, y in zip(rows, right, strict=True)) for i in range(free.size)]
    want = np.array([float(v) for v in solve_exactly(m, c)])
    return np.abs(x[free] - want).max() / np.abs(want).max()


@pytest.mark.parametrize(("longest", "error"), [(1e3, 1e-15), (1e7, 1e-15), (1e12, 1e-7)])
def test_rows_of_very_different_lengths(longest, error, path):
    """Two long rows nearly fix two coefficients; at 1e12 SciPy leaves errors of 4e-5."""
    if path == "by blocks":
        return
    rng = np.random.default_rng(22)
    for _ in range(5):
        a = rng.standard_normal((24, 4)) * np.r_[np.ones(22), longest, longest][:, None]
        b = a @ [1.0, 2, 0, 3] + rng.standard_normal(24) * 1e-3
        result = fastlsq.nnls(a, b)
        assert relative_error(a, b, result.x) <= error and result.info.kkt <= 1e-14


@pytest.mark.parametrize("heavy", [1e5, 1e7, 1e8, 1e10])
def test_heavy_rows_of_target_zero_leave_the_others_their_say(heavy, path):
    """A constraint as a heavy row: the first columns gain next to nothing, and those after them all of the rest."""
    x, rnorm = fastlsq.nnls(np.array([[1.0, 0.0], [0.0, 1.0], [heavy, -heavy]]), np.array([1.0, 1.0, 0.0]))
    np.testing.assert_allclose(x, 1, rtol=1e-9)
    assert rnorm < 1e-9 + 2 * np.spacing(1.0) * heavy
    rng = np.random.default_rng(19)
    for _ in range(6):
        a, b = rng.integers(-9, 10, (6, 4)).astype(float), rng.integers(-9, 10, 6).astype(float)
        a[4:] *= heavy
        b[4:] = 0
        for lower, upper in ((np.zeros(4), np.full(4, np.inf)), (np.full(4, -0.5), np.full(4, 2.0))):
            x = fastlsq.nnls(a, b).x if upper[0] == np.inf else fastlsq.lsq_linear(a, b, (lower, upper)).x
            best = float(best_of_all_sets(a, b, lower, upper))
            # what rounding x to float64 does to the heavy rows, besides
            rounding = 4 * (np.spacing(1.0) * np.abs(a) @ np.abs(x)).max() ** 2
            assert float(squares(exact(a), exact(b)[0], exact(x)[0])) <= best * (1 + 1e-9) + rounding


def test_one_heavy_row_against_exact_sets(path):
    a = np.array([[4.6e-05, 1.03e-4, -5.5e-05], [-950000, 930000, -1070000], [-2.16e-8, 1.03e-8, -7.2e-9]])
    b = np.array([2.0, 0.0, 1.0])
    best = float(best_of_all_sets(a, b, np.zeros(3), np.full(3, np.inf))) ** 0.5
    assert fastlsq.nnls(a, b).rnorm == pytest.approx(best, rel=1e-6)


@pytest.mark.parametrize("condition", [1e2, 1e5, 1e8])
def test_one_call_is_no_worse_than_the_long_way(condition, monkeypatch):
    rng = np.random.default_rng(23)
    errors = {True: [], False: []}
    for _ in range(20):
        a = rng.standard_normal((30, 6))
        a[:, 5] = a[:, 0] + a[:, 5] / condition
        b = a @ np.array([1.0, 0, 2, 3, 0, 4]) + rng.standard_normal(30) / condition / 10
        for one_call in (True, False):
            with monkeypatch.context() as patch:
                if not one_call:
                    patch.setattr(constrained, "_in_one_call", lambda *arguments: None)
                errors[one_call].append(relative_error(a, b, fastlsq.nnls(a, b).x))
    assert np.mean(errors[True]) <= 1.5 * np.mean(errors[False]) + 1e-16
