# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""lstsq_equality against exact fractions and LAPACK's gglse."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.linalg
from test_constrained import exact, solve_exactly

import fastlsq
from fastlsq.solve import equality


@pytest.fixture(params=["as it comes", "by rows"])
def path(request, monkeypatch):
    if request.param == "by rows":
        monkeypatch.setattr(equality, "_factorize", lambda *arguments: (None, "asked for"))
    return request.param


def exact_solution(a, b, c, d):
    """x of [AᵀA Cᵀ; C 0] [x; l] = [Aᵀb; d] over fractions, None where it is not unique."""
    rows, right, c = exact(a), exact(b)[0], exact(c)
    p, q = a.shape[1], len(c)
    m = [[sum(row[i] * row[j] for row in rows) for j in range(p)] + [line[i] for line in c] for i in range(p)]
    m += [[*line, *[Fraction(0)] * q] for line in c]
    h = [sum(row[i] * y for row, y in zip(rows, right, strict=True)) for i in range(p)]
    found = solve_exactly(m, h + exact(d)[0])
    return None if found is None else np.array([float(v) for v in found[:p]])


def test_integer_problems_exactly(path):
    rng = np.random.default_rng(1)
    compared = 0
    for _ in range(80):
        p = int(rng.integers(1, 7))
        n, q = int(rng.integers(1, 9)), int(rng.integers(1, p + 1))
        a, b = rng.integers(-4, 5, (n, p)).astype(float), rng.integers(-9, 10, n).astype(float)
        c, d = rng.integers(-3, 4, (q, p)).astype(float), rng.integers(-5, 6, q).astype(float)
        want = exact_solution(a, b, c, d)
        if want is None:
            continue
        fit = fastlsq.lstsq_equality(a, b, c, d)
        size = np.abs(want).max()
        condition = np.linalg.cond(np.vstack([a, c])) * np.linalg.cond(c)
        assert np.abs(fit.x - want).max() <= 1e-14 * condition**2 * (size + 1e-3)
        assert np.abs(c @ fit.x - d).max() <= 1e-14 * (np.abs(c) @ np.abs(fit.x) + np.abs(d)).max()
        assert fit.rss == pytest.approx(((a @ want - b) ** 2).sum(), abs=1e-11, rel=1e-11)
        assert fit.rank == p and fit.constraints == np.linalg.matrix_rank(c)
        compared += 1
    assert compared > 30


@pytest.mark.parametrize("shape", [(40, 6, 2), (5, 6, 3), (100, 30, 7), (40, 8, 8), (300, 20, 1)])
def test_as_lapack(shape, path):
    n, p, q = shape
    rng = np.random.default_rng(2)
    a, c = rng.standard_normal((n, p)) * 10.0 ** rng.integers(-3, 4, p), rng.standard_normal((q, p))
    b, d = rng.standard_normal((n, 3)), rng.standard_normal((q, 3))
    fit = fastlsq.lstsq_equality(a, b, c, d)
    assert fit.x.shape == (p, 3) and fit.rss.shape == (3,) and fit.info.backward_error < 1e-14
    for t in range(3):
        want = scipy.linalg.lapack.dgglse(a, c, b[:, t], d[:, t])[3]
        np.testing.assert_allclose(c @ fit.x[:, t], d[:, t], atol=1e-12 * np.abs(want).max())
        weight = np.linalg.norm(a, axis=0) + np.linalg.norm(c, axis=0)
        assert np.linalg.norm((fit.x[:, t] - want) * weight) <= 1e-9 * np.linalg.norm(want * weight)
        assert fit.rss[t] == pytest.approx(((a @ fit.x[:, t] - b[:, t]) ** 2).sum(), rel=1e-12, abs=1e-18)
        assert fastlsq.lstsq_equality(a, b[:, t], c, d[:, t]).x.shape == (p,)


def test_columns_that_only_the_constraints_tell_apart(path):
    rng = np.random.default_rng(3)
    a = rng.standard_normal((30, 3))
    a = np.column_stack([a, a[:, 0], np.zeros(30)])
    b = rng.standard_normal(30)
    c, d = np.array([[1.0, 0, 0, -1, 0], [0, 0, 0, 0, 2]]), np.array([0.5, 3.0])
    fit = fastlsq.lstsq_equality(a, b, c, d)
    assert fit.rank == 5 and fit.x[4] == pytest.approx(1.5, rel=1e-14)
    assert fit.x[0] - fit.x[3] == pytest.approx(0.5, rel=1e-13)
    assert fit.rss == pytest.approx(fastlsq.lstsq(a[:, :3], b).rss, rel=1e-12)


def test_minimum_norm_where_x_is_not_unique(path):
    rng = np.random.default_rng(4)
    a = rng.standard_normal((30, 3))
    a = np.column_stack([a, 100 * a[:, 1]])
    b, c, d = rng.standard_normal(30), np.array([[1.0, 0, 1, 0]]), np.array([2.0])
    fit = fastlsq.lstsq_equality(a, b, c, d)
    null = np.array([0, 100.0, 0, -1])
    assert fit.rank == 3 and fit.info.path == "qr"
    assert abs(fit.x @ null) <= 1e-12 * np.linalg.norm(fit.x) * 100
    assert fit.rss == pytest.approx(fastlsq.lstsq_equality(a[:, :3], b, c[:, :3], d).rss, rel=1e-12)
    wide = fastlsq.lstsq_equality(a[:2], b[:2], c, d)
    whole = scipy.linalg.lstsq(np.vstack([a[:2], c]), np.append(b[:2], d))[0]
    np.testing.assert_allclose(wide.x, whole, rtol=1e-10, atol=1e-12)


def test_constraints_that_depend_on_each_other():
    rng = np.random.default_rng(5)
    a, b = rng.standard_normal((20, 4)), rng.standard_normal(20)
    c = np.array([[1.0, 1, 0, 0], [2, 2, 0, 0], [0, 0, 1e-9, -1e-9]])
    fit = fastlsq.lstsq_equality(a, b, c, [1, 2, 0])
    assert fit.constraints == 2
    np.testing.assert_allclose(fit.x, fastlsq.lstsq_equality(a, b, c[[0, 2]], [1, 0]).x, rtol=1e-12)
    for d in ([1, 3, 0], [1, 2.0001, 0]):
        with pytest.raises(np.linalg.LinAlgError, match="contradict"):
            fastlsq.lstsq_equality(a, b, c, d)
    with pytest.raises(np.linalg.LinAlgError, match="contradict"):
        fastlsq.lstsq_equality(a, b, np.zeros((1, 4)), [1])


def test_weights_are_repetition_and_no_constraints_are_lstsq(path):
    rng = np.random.default_rng(6)
    a, b, w = rng.standard_normal((40, 5)), rng.standard_normal((40, 2)), rng.integers(0, 4, 40)
    c, d = rng.standard_normal((2, 5)), rng.standard_normal(2)
    one = fastlsq.lstsq_equality(a, b, c, d, weights=w)
    other = fastlsq.lstsq_equality(np.repeat(a, w, axis=0), np.repeat(b, w, axis=0), c, d)
    np.testing.assert_allclose(one.x, other.x, rtol=1e-12)
    np.testing.assert_allclose(one.rss, other.rss, rtol=1e-12)
    free = fastlsq.lstsq_equality(a, b, np.zeros((0, 5)), np.zeros(0))
    np.testing.assert_allclose(free.x, fastlsq.lstsq(a, b).x, rtol=1e-12)


def test_scale_layouts_and_threads():
    rng = np.random.default_rng(7)
    a, b = rng.integers(-9, 10, (200, 12)).astype(np.float32), rng.integers(-9, 10, 200)
    c, d = rng.standard_normal((3, 12)), rng.standard_normal(3)
    one = fastlsq.lstsq_equality(a, b, c, d, n_threads=1).x
    for given in (a.astype(float), np.asfortranarray(a), a[::-1].copy()[::-1]):
        for threads in (1, 2, 3, 8):
            assert fastlsq.lstsq_equality(given, b, c, d, n_threads=threads).x.tobytes() == one.tobytes()
    a, scale = a.astype(float), 2.0**450
    np.testing.assert_allclose(fastlsq.lstsq_equality(a * scale, b * scale, c / scale, d / scale).x, one, rtol=1e-12)
    columns = 2.0 ** rng.integers(-60, 61, 12)
    np.testing.assert_allclose(fastlsq.lstsq_equality(a * columns, b, c * columns, d).x * columns, one, rtol=1e-9)


def test_empty_and_refused():
    a, b, c, d = np.ones((4, 2)), np.ones(4), np.array([[1.0, -1.0]]), np.array([2.0])
    none = fastlsq.lstsq_equality(np.zeros((0, 2)), np.zeros(0), c, d)
    np.testing.assert_allclose(none.x, [1, -1], rtol=1e-15)
    assert none.rss == 0
    with pytest.raises(ValueError, match="C has 3 columns, A has 2"):
        fastlsq.lstsq_equality(a, b, np.ones((1, 3)), d)
    with pytest.raises(ValueError, match="d has 2 rows"):
        fastlsq.lstsq_equality(a, b, c, [1, 2])
    with pytest.raises(ValueError, match="d has 3 columns, b has 1"):
        fastlsq.lstsq_equality(a, b, c, np.ones((1, 3)))
    with pytest.raises(ValueError, match="C must not contain infs or NaNs; row 0, column 1"):
        fastlsq.lstsq_equality(a, b, [[1, np.nan]], d)
    with pytest.raises(ValueError, match="A must not contain infs or NaNs"):
        fastlsq.lstsq_equality(a * np.inf, b, c, d)


@pytest.mark.parametrize("units", [(1, 1, 1e-4), (1, 1, 1e-8), (1, 1e-14, 1), (1e-17, 1, 1), (1, 1e20, 1e-20)])
@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("of", ["A", "C", "both"])
def test_columns_in_different_units(units, count, of, path):
    rng = np.random.default_rng(11)
    a, b = rng.standard_normal((30, 3)), rng.standard_normal(30)
    c, d = np.array([[1.0, 1.0, 1.0], [1.0, -1.0, 2.0]])[:count], np.array([1.0, 0.5])[:count]
    a, c = (a * units if of != "C" else a), (c * units if of != "A" else c)
    found = fastlsq.lstsq_equality(a, b, c, d)
    assert found.constraints == count
    truth = exact_solution(a, b, c, d)
    if of == "C":  # what the residual depends on, and what the constraints do
        assert np.abs(found.x - truth).max() <= 1e-13 * np.abs(truth).max()
        assert (np.abs(c @ found.x - d) <= 1e-13 * (np.abs(c) @ np.abs(found.x))).all()
    else:
        np.testing.assert_allclose(found.x, truth, rtol=1e-12)


def test_contradictions_are_found_in_all_units():
    a, b = [[1, 0], [0, 1e16], [1, 0]], [1, 2, 3]
    np.testing.assert_allclose(fastlsq.lstsq_equality(a, b, [[1, 1], [1, -1]], [2, 0]).x, 1, rtol=1e-15)
    for units in ([1, 1], [1, 1e16], [1e-16, 1]):
        c = np.array([[1, 2], [2, 4], [1, 2]]) * units
        assert fastlsq.lstsq_equality(a, b, c, [1, 2, 1]).constraints == 1
        with pytest.raises(np.linalg.LinAlgError, match="contradict"):
            fastlsq.lstsq_equality(a, b, c, [1, 2, 2])
