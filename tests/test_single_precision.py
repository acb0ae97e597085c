# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Many columns: moments in single precision serve to find the answer, and leave no trace in it."""

import numpy as np
import pytest
import scipy.linalg
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fastlsq

U = 2.0**-53
ROWS, COLUMNS = 1500, 211


def normal(seed, n=ROWS, p=COLUMNS):
    return np.random.default_rng(seed).standard_normal((n, p))


def backward_error(a, b, x):
    """Normwise, of columns of equal length, in long double: the smaller of the two bounds of Karlson and Walden."""
    lengths = np.linalg.norm(a, axis=0)
    scaled = (a / lengths).astype(np.longdouble)
    r = b - scaled @ (x * lengths).astype(np.longdouble)
    g = (scaled.T @ r).astype(float)
    factor = scipy.linalg.qr(a / lengths, mode="r")[0][: a.shape[1]]
    half = np.linalg.norm(scipy.linalg.solve_triangular(factor, g, trans="T"))
    size, residual = np.linalg.norm(x * lengths), float(np.sqrt(r @ r))
    return min(half / size, np.linalg.norm(g) / residual if residual else np.inf) / np.sqrt(a.shape[1])


def correlated(seed, kappa, n=ROWS, p=COLUMNS):
    """Columns that share a common part: their condition number is about kappa, and no scaling helps."""
    rng, own = np.random.default_rng(seed), p / (kappa**2 + p - 1)
    return np.sqrt(own) * rng.standard_normal((n, p)) + np.sqrt(1 - own) * rng.standard_normal((n, 1))


@pytest.mark.parametrize("noise", [0.0, 1e-8, 1.0, 1e4])
@pytest.mark.parametrize("kappa", [1.0, 30.0, 300.0])
def test_as_good_as_householder(kappa, noise):
    a = normal(1) if kappa == 1 else correlated(2, kappa)
    rng = np.random.default_rng(3)
    b = a @ rng.standard_normal(COLUMNS) + noise * rng.standard_normal(ROWS)
    found = fastlsq.lstsq(a, b)
    assert found.info.path == "gram32" and found.info.passes >= 3
    assert backward_error(a, b, found.x) <= 4 * U
    assert found.info.backward_error <= 4 * U
    reference = scipy.linalg.lstsq(a, b, lapack_driver="gelsy")[0]
    bound = 50 * U * (found.info.condition + found.info.condition**2 * min(1.0, noise))
    assert np.linalg.norm(found.x - reference) <= bound * np.linalg.norm(reference)
    r = (b - a.astype(np.longdouble) @ found.x.astype(np.longdouble)).astype(float)
    # residuals 1e-9 times as large as b have lost seven digits before they are squared
    assert found.rss == pytest.approx(r @ r, rel=1e-11 if noise >= 1 else 1e-7, abs=(50 * U * np.linalg.norm(b)) ** 2)


def test_same_bits_for_any_threads_order_and_strides():
    a, b = normal(4), normal(5, p=2)
    first = fastlsq.lstsq(a, b)
    assert first.info.path == "gram32"
    wide = np.concatenate([a, a], axis=1)[:, :COLUMNS]
    others = [fastlsq.lstsq(a, b, n_threads=k) for k in (1, 2, 3, 8)]
    others += [fastlsq.lstsq(np.asfortranarray(a), b), fastlsq.lstsq(wide, b), fastlsq.lstsq(a[::-1][::-1], b)]
    a.flags.writeable = False
    others.append(fastlsq.lstsq(a, b))
    for other in others:
        assert np.array_equal(first.x, other.x) and np.array_equal(first.rss, other.rss)


def test_singular_values_are_in_double_precision():
    a, b = normal(6), normal(7)[:, 0]
    found = fastlsq.lstsq(a, b)
    values = scipy.linalg.svdvals(a)
    assert found.info.path == "gram32"
    assert np.abs(found.s - values).max() <= 1e-13 * values[0]
    x, residues, rank, s = found
    assert (x is found.x, residues, rank) == (True, found.rss, COLUMNS) and s is found.s


@pytest.mark.parametrize("kind", ["twin", "sum", "tenths", "constant twice", "zero", "heavy rows", "ill"])
def test_what_single_precision_cannot_resolve_is_solved_in_double(kind):
    a, b = normal(8), normal(9)[:, 0]
    if kind == "twin":
        a[:, 7] = a[:, 6] * (1 + 1e-9 * a[:, 5])
    elif kind == "sum":
        a[:, -1] = a[:, :-1].sum(axis=1)
    elif kind == "tenths":
        a = np.random.default_rng(1).integers(0, 3, a.shape) * 0.1
        a[:, -1] = a[:, 0] + a[:, 1] / 3
    elif kind == "constant twice":
        a[:, 3], a[:, 9] = 1.0, 3.0
    elif kind == "zero":
        a[:, 4] = 0.0
    elif kind == "heavy rows":
        a[[3, 700]] *= 1e12
    else:
        a = correlated(1, 1e5)
    found = fastlsq.lstsq(a, b)
    assert found.info.path != "gram32"
    if kind in ("sum", "tenths", "constant twice", "zero"):
        assert found.rank == COLUMNS - 1
    else:
        assert found.rank == COLUMNS
    assert backward_error_of(a, b, found) <= 1e-13


def backward_error_of(a, b, found):
    """The plain measure |a'r|/(|a||r|), which needs no factor."""
    r, size = b - a @ found.x, np.linalg.norm(a)
    return np.linalg.norm(a.T @ r) / (size * (np.linalg.norm(r) + size * np.linalg.norm(found.x)))


@pytest.mark.parametrize("scale", [1e-120, 1e-40, 1e30, 1e120])
def test_units_do_not_matter(scale):
    a, b = normal(10), normal(11)[:, 0]
    plain = fastlsq.lstsq(a, b)
    factors = np.where(np.arange(COLUMNS) % 2, 2.0 ** round(np.log2(scale)), 1.0)
    scaled = fastlsq.lstsq(a * factors, b)
    assert plain.info.path == scaled.info.path == "gram32"
    assert np.array_equal(scaled.x * factors, plain.x)


def test_values_that_the_scales_did_not_foresee():
    """The rows that scales are taken from are small; others overflow or underflow single precision."""
    a, b = normal(12), normal(13)[:, 0]
    for value in (1e30, 1e-30):
        odd = a.copy()
        odd[1::2, 5] *= value
        found = fastlsq.lstsq(odd, b)
        assert found.rank == COLUMNS and backward_error_of(odd, b, found) <= 1e-14


@pytest.mark.parametrize(("row", "column", "value"), [(0, 0, np.nan), (1499, 210, np.inf), (700, 3, -np.inf)])
def test_non_finite_values_are_named(row, column, value):
    a, b = normal(14), normal(15)[:, 0]
    a[row, column] = value
    with pytest.raises(ValueError, match=rf"row {row}.*column {column}"):
        fastlsq.lstsq(a, b)


def test_few_rows_or_many_targets_stay_in_double():
    a = normal(16)
    assert fastlsq.lstsq(a[:600], a[:600, 0] + 1).info.path == "gram"
    assert fastlsq.lstsq(a[:, :100], a[:, 100]).info.path == "gram"
    assert fastlsq.lstsq(a, normal(17, p=40)).info.path == "gram"


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 10**6),
    p=st.integers(192, 260),
    spread=st.floats(0, 6),
    kind=st.sampled_from(["normal", "uniform", "levels", "sparse", "lognormal", "mean"]),
    noise=st.floats(-9, 4),
)
def test_hunt_for_a_false_certificate(seed, p, spread, kind, noise):
    """Whatever the data: an answer called certified has a backward error of 4u at most."""
    rng = np.random.default_rng(seed)
    n = 4 * p + int(rng.integers(0, 300))
    a = rng.standard_normal((n, p))
    if kind == "uniform":
        a = rng.random((n, p))
    elif kind == "levels":
        a = rng.integers(0, 4, (n, p)) / 3.0
    elif kind == "sparse":
        a[rng.random((n, p)) < 0.9] = 0.0
    elif kind == "lognormal":
        a = np.exp(2 * a)
    elif kind == "mean":
        a += 10.0 ** rng.uniform(0, 3)
    mix = rng.standard_normal((p, p)) / np.sqrt(p)
    a = a @ (np.eye(p) + mix * np.geomspace(1, 10.0**-spread, p)) * 2.0 ** rng.integers(-60, 60, p)
    b = a @ (rng.standard_normal(p) / np.linalg.norm(a, axis=0))
    b += 10.0**noise * rng.standard_normal(n) * np.linalg.norm(b) / np.sqrt(n)
    found = fastlsq.lstsq(a, b)
    if found.info.path == "gram32":
        assert backward_error(a, b, found.x) <= 4 * U
