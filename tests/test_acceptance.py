# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""What users of other least-squares packages reported, as tests of this one; each names the issue it comes from."""

import multiprocessing
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise, permutations

import numpy as np
import pytest
import scipy.linalg

import fastlsq

# SciPy's own cut-off, eps, keeps what rounding leaves of a dependent column: the oracle says what it drops
CUT = 1e-11


def centred_oracle(x, y, weights=None):
    """(intercept, coefficients of minimum norm): SciPy's SVD of the centred rows."""
    w = np.ones(len(y)) if weights is None else np.asarray(weights, float)
    mean_x, mean_y, root = w @ x / w.sum(), w @ y / w.sum(), np.sqrt(w)
    coef = scipy.linalg.lstsq(root[:, None] * (x - mean_x), root * (y - mean_y), CUT)[0]
    return np.r_[mean_y - mean_x @ coef, coef]


def from_moments(x, y, weights=None, names=None):
    return fastlsq.Gram(names=names).update(x, y, weights).ols()


def assert_close(found, want, tolerance):
    """Every entry to `tolerance` of the largest."""
    np.testing.assert_allclose(found, want, rtol=0, atol=tolerance * np.abs(want).max())


def run(program, directory):
    """What a fresh process prints, from the installed package and not its sources."""
    child = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=120, cwd=directory
    )
    assert child.returncode == 0, child.stderr
    return child.stdout


# float32


@pytest.mark.parametrize(("n", "p"), [(500_000, 4), (3_000_000, 2)])
def test_many_float32_rows_of_correlated_columns(n, p):
    """scikit-learn#33032: above 500,000 float32 rows the rank came out too low and the residuals far too large."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((n, 1), np.float32) + np.float32(0.01) * rng.standard_normal((n, p), np.float32)
    b = a @ np.arange(1, p + 1, dtype=np.float32) + np.float32(0.1) * rng.standard_normal(n, np.float32)
    found = fastlsq.lstsq(a, b)
    assert (found.x.dtype, found.rank) == (np.float32, p)
    a = a.astype(np.float64)
    want, best, _, s = scipy.linalg.lstsq(a, b.astype(np.float64))
    assert s[-1] < n * np.finfo(np.float32).eps * s[0]  # the cut-off of the report would drop columns
    residual = b - a @ found.x
    assert residual @ residual <= (1 + 1e-6) * best
    assert found.rss == pytest.approx(best, rel=1e-6)
    np.testing.assert_array_max_ulp(found.x, want.astype(np.float32), 1)


def test_ten_million_rows_of_integers_in_float32():
    """scikit-learn#23376: the same integers gave wrong coefficients as float32 and the right ones as float64."""
    n, rows = 10_000_000, 1_000_000
    x, y = np.empty((n, 3), np.float32), np.empty(n, np.float32)
    rng = np.random.default_rng(0)
    for start in range(0, n, rows):
        part = slice(start, start + rows)
        x[part] = rng.integers(1000, 10_000, (rows, 3), dtype=np.int16)
        y[part] = x[part] @ np.array([3, 1, -5], np.float32) + 2  # integers below 2^24: exact
    stream = fastlsq.Gram()
    for start in range(0, n, rows):
        stream.update(x[start : start + rows], y[start : start + rows])
    for fit in (fastlsq.ols(x, y), stream.ols()):
        np.testing.assert_allclose(fit.params, [2, 3, 1, -5], rtol=1e-11)
    x -= 5000  # and as float32 the answer is exact
    np.testing.assert_array_equal(fastlsq.lstsq(x, y - (2 + 5000 * (3 + 1 - 5))).x, np.float32([3, 1, -5]))


# dependent columns


def test_a_column_shifted_by_a_constant():
    """scikit-learn#9073: with X[3] = X[2] + 2 and an intercept the coefficients were ±3e11, of no use to predict."""
    rng = np.random.default_rng(0)
    x, y = rng.random((1000, 3)), rng.random(1000)
    level, *alone = centred_oracle(x, y)
    x = np.column_stack([x, x[:, 2] + 2])
    want = np.array([level - alone[2], alone[0], alone[1], alone[2] / 2, alone[2] / 2])
    names = ["a", "b", "c", "c + 2"]
    for fit in (fastlsq.ols(x, y, names=names), from_moments(x, y, names=names)):
        assert_close(fit.params, want, 1e-12)
        assert (fit.df_model, fit.aliased) == (3, ["c + 2"])
        assert np.abs(fit.coef).max() < 1 and np.isfinite(fit.standard_errors).all()
        new = rng.random((50, 3))
        assert_close(fit.predict(np.column_stack([new, new[:, 2] + 2])), level + new @ alone, 1e-12)
    groups = fastlsq.grouped_ols(x, y, np.zeros(1000, int))
    assert groups.rank.tolist() == [3]
    assert_close(np.r_[groups.intercept, groups.coef[0]], want, 1e-12)
    # without an intercept of its own the column of ones is one of those that share the minimum norm
    a = np.column_stack([np.ones(1000), x])
    found = fastlsq.lstsq(a, y)
    assert (found.rank, found.info.aliased) == (4, (4,))
    assert_close(found.x, scipy.linalg.lstsq(a, y, CUT)[0], 1e-12)


@pytest.mark.parametrize("fit", [fastlsq.ols, from_moments])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("kind", ["wide", "every column twice", "wide and every column twice"])
def test_the_intercept_is_no_part_of_the_minimum_norm(kind, weighted, fit):
    """scikit-learn#25948: the solvers disagreed on whether the smallest coefficients may cost a smaller intercept."""
    rng = np.random.default_rng(42)
    x = rng.uniform(1, 2, (6, 12) if kind.startswith("wide") else (40, 5))
    if kind.endswith("twice"):
        x = 0.5 * np.hstack([x, x])
    y = rng.uniform(-10, 10, len(x)) + 100
    weights = rng.uniform(0.5, 2, len(x)) if weighted else np.ones(len(x))
    found, want = fit(x, y, weights=weights), centred_oracle(x, y, weights)
    assert_close(found.params, want, 1e-10)
    # ones as one more column give another answer, with larger coefficients where rows are fewer than columns
    root = np.sqrt(weights)
    ones = scipy.linalg.lstsq(root[:, None] * np.column_stack([np.ones(len(x)), x]), root * y, CUT)[0]
    if kind.startswith("wide"):
        assert np.linalg.norm(found.coef) < 0.99 * np.linalg.norm(ones[1:])
        assert_close(found.predict(x), y, 1e-12)
    else:
        assert_close(found.predict(x), ones[0] + x @ ones[1:], 1e-12)


# weights

FITS = {"ols": fastlsq.ols, "Gram": from_moments}


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize(("shape", "seeds"), [((10, 5), 40), ((60, 100), 3)])
def test_rows_of_weight_zero_count_as_dropped(shape, seeds, fit):
    """scikit-learn#26164: five rows of weight 0, fewer than columns left, and a fifth of all fits were not the same."""
    n, tolerance = shape[0] // 2, 1e-9 if fit == "Gram" else 1e-11
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        x, y, weights = rng.random(shape), rng.random(2 * n), rng.uniform(0.01, 2, 2 * n)
        weights[n:], y[n:] = 0, 1000 * y[n:]
        zero, dropped = FITS[fit](x, y, weights=weights), FITS[fit](x[:n], y[:n], weights=weights[:n])
        want = centred_oracle(x[:n], y[:n], weights[:n])
        assert zero.n_rows == dropped.n_rows == n
        assert zero.df_model == dropped.df_model == n - 1
        for found in (zero, dropped):
            assert_close(found.params, want, tolerance)


@pytest.mark.parametrize(("shape", "seeds"), [((10, 5), 40), ((8, 5), 40), ((60, 100), 3)])
def test_rows_of_weight_zero_count_as_dropped_by_lstsq(shape, seeds):
    """scikit-learn#26164, without an intercept."""
    n = shape[0] // 2
    for seed in range(seeds):
        rng = np.random.default_rng(seed)
        a, b, weights = rng.random(shape), rng.random(2 * n), rng.uniform(0.01, 2, 2 * n)
        weights[n:], b[n:] = 0, 1000 * b[n:]
        root = np.sqrt(weights[:n])
        want = scipy.linalg.lstsq(root[:, None] * a[:n], root * b[:n], CUT)[0]
        for found in (fastlsq.lstsq(a, b, weights=weights), fastlsq.lstsq(a[:n], b[:n], weights=weights[:n])):
            assert found.rank == min(n, shape[1])
            assert_close(found.x, want, 1e-10)


def weighted_problem(shape):
    """(x, y, weights 0 to 3, the rows so many times)."""
    rng = np.random.default_rng(42)
    x, weights = rng.standard_normal(shape), rng.integers(0, 4, shape[0])
    y = x @ rng.uniform(0, 100, shape[1]) + rng.standard_normal(shape[0])
    return x, y, weights, np.repeat(np.arange(shape[0]), weights)


SHAPES = [(100, 100), (10, 25), (60, 5)]


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("shape", SHAPES)
def test_whole_weights_count_as_repeated_rows(shape, fit):
    """scikit-learn#30131: weights of 1 and no weights at all gave coefficients that differ in the second digit."""
    x, y, weights, again = weighted_problem(shape)
    for found in (FITS[fit](x, y), FITS[fit](x, y, weights=np.ones(shape[0]))):
        assert_close(found.params, centred_oracle(x, y), 1e-9)
    want = centred_oracle(x, y, weights)
    once, repeated = FITS[fit](x, y, weights=weights), FITS[fit](x[again], y[again])
    assert once.df_model == repeated.df_model == min(np.count_nonzero(weights) - 1, shape[1])
    for found in (once, repeated):
        assert_close(found.params, want, 1e-9)


@pytest.mark.parametrize("shape", SHAPES)
def test_whole_weights_count_as_repeated_rows_by_lstsq(shape):
    """scikit-learn#30131, without an intercept."""
    a, b, weights, again = weighted_problem(shape)
    for found in (fastlsq.lstsq(a, b), fastlsq.lstsq(a, b, weights=np.ones(shape[0]))):
        assert_close(found.x, scipy.linalg.lstsq(a, b, CUT)[0], 1e-9)
    want = scipy.linalg.lstsq(a[again], b[again], CUT)[0]
    for found in (fastlsq.lstsq(a, b, weights=weights), fastlsq.lstsq(a[again], b[again])):
        assert found.rank == min(np.count_nonzero(weights), shape[1])
        assert_close(found.x, want, 1e-9)


def test_weights_within_groups():
    """scikit-learn#26164, #30131: zero and whole weights, where a group may have too few rows left for an answer."""
    x, y, weights, again = weighted_problem((400, 5))
    label = np.random.default_rng(0).integers(0, 40, 400)
    weights[label == 7] = 0
    again = np.repeat(np.arange(400), weights)
    once = fastlsq.grouped_ols(x, y, label, weights=weights)
    repeated = fastlsq.grouped_ols(x[again], y[again], label[again])
    counts = np.bincount(label[weights > 0], minlength=40)
    assert once.n_rows.tolist() == counts.tolist()
    assert 2 < (counts < 6).sum() < 20 < (counts > 6).sum()
    assert once.rank.tolist() == np.where(counts < 6, -1, 5).tolist()
    assert np.isnan(once.coef[counts < 6]).all() and np.isnan(once.intercept[counts < 6]).all()
    for g in np.flatnonzero(counts >= 6):
        rows = np.flatnonzero((label == g) & (weights > 0))
        want, twin = centred_oracle(x[rows], y[rows], weights[rows]), repeated.keys.tolist().index(g)
        assert_close(np.r_[once.intercept[g], once.coef[g]], want, 1e-10)
        assert_close(np.r_[repeated.intercept[twin], repeated.coef[twin]], want, 1e-10)


# values that are not finite

NONFINITE = """
import numpy as np
import fastlsq

CALLS = [
    fastlsq.lstsq,
    fastlsq.ols,
    lambda a, b: fastlsq.lstsq(a, b, weights=np.ones(len(a))),
    lambda a, b: fastlsq.lstsq(a, b, accuracy="full"),
    lambda a, b: fastlsq.lstsq(np.stack([a, a]), np.stack([b, b])),
    lambda a, b: fastlsq.Gram().update(a, b),
    lambda a, b: fastlsq.grouped_ols(a, b, np.arange(len(a)) // max(1, len(a) // 2)),
]
SHAPES = [(2, 2), (3, 3), (3, 30), (40, 3), (3000, 5), (150, 110)]
rng, count = np.random.default_rng(0), 0
for n, p in SHAPES:
    for value in (np.nan, np.inf, -np.inf):
        for row, column in ((0, 0), (n // 2, p - 1), (n - 1, p // 2)):
            a, b = rng.standard_normal((n, p)), rng.standard_normal(n)
            bad_a, bad_b = a.copy(), b.copy()
            bad_a[row, column] = bad_b[row] = value
            for x, y, place in ((bad_a, b, (row, column)), (a, bad_b, (row, 0))):
                for call in CALLS:
                    try:
                        call(x, y)
                    except ValueError as error:
                        assert f"row {place[0]}, column {place[1]} is {value}" in str(error), error
                        count += 1
                    else:
                        raise AssertionError(f"({n}, {p}) with {value} at {place} was accepted")
            found = fastlsq.lstsq(bad_a, b, check_finite=False)
            assert np.isnan(found.x).all() and np.isnan(found.s).all()

# the matrices of the report, and of one like it about Inf
for a in ([[0.0, 0.0], [np.nan, np.nan]], [[np.inf, 1, 1], [1, 1, 1], [1, 1, 1]], [[np.inf, np.nan]] * 2):
    found = fastlsq.lstsq(a, np.ones(len(a)), check_finite=False)
    assert np.isnan(found.x).all() and np.isnan(found.s).all()
print(count)
"""


def test_nan_and_infinity_are_refused_by_row_and_column(tmp_path):
    """numpy#5588: a NaN in the matrix sent the SVD into a loop without end, and no error said where it was."""
    assert int(run(NONFINITE, tmp_path)) == 6 * 3 * 3 * 2 * 7


# groups


def test_a_bad_group_leaves_the_others_alone():
    """polars_ols#46: one group in which nothing varies, and the regressions of all groups ended in a panic."""
    rng = np.random.default_rng(0)
    sizes = np.full(60, 30)
    few, single, flat_x, flat_column, flat_y = 7, 13, 20, 31, 44
    sizes[few], sizes[single] = 2, 1
    groups = rng.permutation(np.repeat(np.arange(60), sizes))
    x = rng.standard_normal((len(groups), 2)) + 3
    y = 1 + x @ [2.0, -1.0] + rng.standard_normal(len(groups))
    x[groups == flat_x] = [3.0, 0.1]
    x[groups == flat_column, 1] = 0.1
    y[groups == flat_y] = 7.0
    fit = fastlsq.grouped_ols(x, y, groups)
    assert fit.keys.tolist() == list(range(60)) and fit.n_rows.tolist() == sizes.tolist()

    want = np.full(60, 2)
    want[[few, single, flat_x, flat_column]] = [-1, -1, 0, 1]
    assert fit.rank.tolist() == want.tolist()
    for values in (fit.coef, fit.intercept, fit.rss):
        assert np.isnan(values[[few, single]]).all() and np.isfinite(np.delete(values, [few, single], axis=0)).all()
    # where x does not vary the mean is the model, where y does not it is the fit
    assert fit.coef[flat_x].tolist() == [0, 0]
    assert fit.intercept[flat_x] == pytest.approx(y[groups == flat_x].mean(), rel=1e-14)
    assert fit.coef[flat_column, 1] == 0
    assert_close(np.r_[fit.coef[flat_y], fit.intercept[flat_y]], [0, 0, 7], 1e-13)
    assert fit.rss[flat_y] < 1e-25

    good = np.delete(np.arange(60), [few, single, flat_x, flat_column, flat_y])
    rows = np.isin(groups, good)
    alone = fastlsq.grouped_ols(x[rows], y[rows], groups[rows])
    for name in ("coef", "intercept", "rss"):
        np.testing.assert_array_equal(getattr(alone, name), getattr(fit, name)[good])
    for g in good:
        rows = groups == g
        assert_close(np.r_[fit.intercept[g], fit.coef[g]], centred_oracle(x[rows], y[rows]), 1e-12)


# streams


def chunked(x, y, weights, cuts):
    state = fastlsq.Gram()
    for start, stop in pairwise([0, *cuts, len(y)]):
        state.update(x[start:stop], y[start:stop], weights[start:stop])
    return state


def drifting(n, p):
    """Rows far from zero whose level moves on, so that early chunks say little of the later ones."""
    rng = np.random.default_rng(3)
    x = rng.standard_normal((n, p)) + 1000 + 5 * np.arange(n)[:, None] / n
    return x, 7 + x @ np.arange(1.0, p + 1) + rng.standard_normal(n), rng.uniform(0.5, 2, n)


@pytest.mark.parametrize("rows", [1, 7, 500, "ragged"])
def test_a_stream_in_any_chunks_is_one_fit(rows):
    """scikit-learn#34403: sums of products kept from batch to batch must give what a single fit of all rows gives."""
    x, y, weights = drifting(1500, 4)
    ragged = np.unique(np.random.default_rng(0).integers(1, 1500, 40))
    cuts = ragged if rows == "ragged" else range(rows, 1500, rows)
    state = chunked(x, y, weights, cuts)
    assert state.n_rows == 1500
    fit, whole = state.ols(), fastlsq.ols(x, y, weights=weights)
    centred = centred_oracle(x - 1000, y - 10_000, weights)  # beside numbers of size 1 SciPy has its digits
    centred[0] += 10_000 - 1000 * centred[1:].sum()
    for found in (fit, whole):
        assert_close(found.coef, centred[1:], 1e-12)
        assert found.intercept == pytest.approx(centred[0], abs=1e-9)
    np.testing.assert_allclose(fit.standard_errors, whole.standard_errors, rtol=1e-10)
    assert fit.rss == pytest.approx(whole.rss, rel=1e-10)


def test_merging_in_any_order_is_one_fit():
    """scikit-learn#34403: the sums of parts fitted apart must add up to the fit of the whole, whoever comes first."""
    x, y, weights = drifting(1500, 4)
    parts = [
        fastlsq.Gram().update(x[part], y[part], weights[part])
        for part in map(slice, [0, 1, 300, 310, 1100], [1, 300, 310, 1100, 1500])
    ]
    want = fastlsq.ols(x, y, weights=weights)
    trees = [sum(order) for order in permutations(parts)]
    a, b, c, d, e = parts
    trees += [(a + b) + (c + (d + e)), (e + (d + c)) + (b + a), pickle.loads(pickle.dumps(d + b)) + (e + (a + c))]
    for state in trees:
        fit = state.ols()
        assert state.n_rows == 1500
        assert_close(fit.coef, want.coef, 1e-12)
        assert fit.intercept == pytest.approx(want.intercept, abs=1e-9)
        np.testing.assert_allclose(fit.standard_errors, want.standard_errors, rtol=1e-10)


# threads and processes


def dependent(x):
    return np.column_stack([x, x[:, 0] - x[:, 1]])


BITS = {
    "lstsq": lambda x, y, t: fastlsq.lstsq(x, y, n_threads=t).x,
    "lstsq, full accuracy": lambda x, y, t: fastlsq.lstsq(x, y, accuracy="full", n_threads=t).x,
    "lstsq, dependent columns": lambda x, y, t: fastlsq.lstsq(dependent(x), y, n_threads=t).x,
    "lstsq, weights": lambda x, y, t: fastlsq.lstsq(x, y, weights=np.abs(y), n_threads=t).x,
    "lstsq, a batch": lambda x, y, t: fastlsq.lstsq(x.reshape(200, -1, 9), y.reshape(200, -1), n_threads=t).x,
    "lstsq, many columns": lambda x, y, t: fastlsq.lstsq(x.reshape(-1, 180), y[: len(y) // 20], n_threads=t).x,
    "ols": lambda x, y, t: fastlsq.ols(x.astype(np.float32), y, n_threads=t).params,
    "Gram": lambda x, y, t: fastlsq.Gram().update(x, y, n_threads=t).ols().standard_errors,
    "grouped_ols": lambda x, y, t: fastlsq.grouped_ols(x, y, np.arange(len(y)) % 300, n_threads=t).coef,
}


@pytest.mark.parametrize("call", BITS)
def test_the_same_bits_for_any_number_of_threads(call):
    """within#110: coefficients changed in their last digits with the number of threads, and from run to run."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((24_000, 9)) + 1
    y = x.sum(axis=1) + rng.standard_normal(24_000)
    want = BITS[call](x, y, 1).tobytes()
    for n_threads in (2, 3, 8):
        assert BITS[call](x, y, n_threads).tobytes() == want
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda n_threads: BITS[call](x, y, n_threads).tobytes(), [1, 2, 3, 8] * 3))
    assert set(found) == {want}


def test_iterations_side_by_side_end_in_one_answer():
    """numpy#32168: the same loop of lstsq calls, run in several Python threads at once, ended in several answers."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6000, 13))
    y = x.sum(axis=1) + rng.standard_t(2, 6000)

    def least_absolute(n_threads):
        """Each step weighs the rows by the residuals of the one before: a changed bit would not go away."""
        weights = np.ones(6000)
        for _ in range(8):
            coef = fastlsq.lstsq(x, y, weights=weights, n_threads=n_threads).x
            residuals = np.abs(y - np.einsum("ij,j->i", x, coef))  # no BLAS: only ours is under test
            weights = 1 / np.maximum(residuals, 1e-3)
        return coef.tobytes()

    with ThreadPoolExecutor(6) as pool:
        found = set(pool.map(least_absolute, [1, 2, 3, 8] * 5))
    assert found == {least_absolute(1)}


FORK = """
import multiprocessing
import sys
import numpy as np
import fastlsq

rng = np.random.default_rng(0)
x, y = rng.standard_normal((30_000, 20)), rng.standard_normal(30_000)
twice, groups = np.column_stack([x, x[:, 0]]), np.arange(30_000) % 100

def fits(n_threads):
    yield fastlsq.lstsq(x, y, n_threads=n_threads).x.tobytes()
    yield fastlsq.lstsq(x, y, accuracy="full", n_threads=n_threads).x.tobytes()
    yield fastlsq.lstsq(twice, y, n_threads=n_threads).x.tobytes()
    yield fastlsq.ols(x, y, n_threads=n_threads).params.tobytes()
    yield fastlsq.Gram().update(x, y, n_threads=n_threads).ols().params.tobytes()
    yield fastlsq.grouped_ols(x, y, groups, n_threads=n_threads).coef.tobytes()

want = list(fits(2))

def in_child():
    sys.exit(0 if list(fits(2)) == want == list(fits(None)) else 3)

children = [multiprocessing.get_context("fork").Process(target=in_child) for _ in range(2)]
for child in children:
    child.start()
again = list(fits(2))
for child in children:
    child.join(50)
    if child.exitcode is None:
        child.kill()
        sys.exit("the child hangs")
    assert child.exitcode == 0, child.exitcode
assert again == want
print("done")
"""


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork on this system")
def test_a_forked_child_fits_too(tmp_path):
    """faiss#5206, pytorch#17199: after work on several threads a forked child waited for threads it does not have."""
    assert run(FORK, tmp_path) == "done\n"


# memory

LEAK = """
import os
import numpy as np
import fastlsq

rng = np.random.default_rng(0)
x, y, groups = rng.standard_normal((40, 4)), rng.standard_normal(40), np.arange(40) % 3
short, twice, bad = x.astype(np.float32), np.column_stack([x, x[:, 0]]), x.copy()
bad[17, 2] = np.nan

def refused():
    try:
        fastlsq.lstsq(bad, y)
    except ValueError:
        pass

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")

def fit():
    {call}

for _ in range(300):
    fit()
before = resident()
for _ in range({count}):
    fit()
print(resident() - before)
"""

REPEATED = {
    "lstsq": ("fastlsq.lstsq(x, y)", 10_000),
    "lstsq, singular values": ("fastlsq.lstsq(x, y).s", 5_000),
    "lstsq, dependent columns": ("fastlsq.lstsq(twice, y)", 10_000),
    "lstsq, wide": ("fastlsq.lstsq(x.T, y[:4])", 5_000),
    "lstsq, a batch": ("fastlsq.lstsq(x.reshape(2, 20, 4), y.reshape(2, 20))", 4_000),
    "lstsq, refused": ("refused()", 10_000),
    "lstsq, float32": ("fastlsq.lstsq(short, y)", 1_500),
    "ols": ("fastlsq.ols(x, y)", 1_500),
    "Gram": ("fastlsq.Gram().update(x, y).ols()", 1_500),
    "grouped_ols": ("fastlsq.grouped_ols(x, y, groups)", 5_000),
}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize("call", REPEATED)
def test_memory_stays_flat_over_thousands_of_fits(call, tmp_path):
    """scikit-learn-intelex#843: memory grew with every fit in a loop until there was none left."""
    line, count = REPEATED[call]
    grown = int(run(LEAK.format(call=line, count=count), tmp_path))
    assert grown < 64 * count + 64 * 1024, f"{grown / count:.0f} bytes a fit"


def test_a_pickled_fit_does_not_carry_its_rows():
    """statsmodels#7494: a saved fit of a million rows took 16 to 40 MB, even after it was told to drop the data."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1_000_000, 10))
    y = x @ np.arange(10.0) + rng.standard_normal(1_000_000)
    ill = x.copy()
    ill[:, 9] = ill[:, 8] + 1e-6 * ill[:, 9]  # its singular values come from the rows, when asked for
    groups = np.arange(1_000_000) // 4000
    fits = {
        "lstsq": fastlsq.lstsq(x, y),
        "lstsq, ill-conditioned": fastlsq.lstsq(ill, y),
        "ols": fastlsq.ols(x, y),
        "ols, ill-conditioned": fastlsq.ols(ill, y),
        "Gram": fastlsq.Gram().update(x, y),
        "grouped_ols": fastlsq.grouped_ols(x, y, groups),
    }
    packed = {name: pickle.dumps(fit) for name, fit in fits.items()}
    assert {name: len(text) for name, text in packed.items() if len(text) >= 100_000} == {}
    twins = {name: pickle.loads(text) for name, text in packed.items()}
    for name in ("lstsq", "lstsq, ill-conditioned"):
        np.testing.assert_array_equal(twins[name].x, fits[name].x)
        np.testing.assert_array_equal(twins[name].s, fits[name].s)
    for name in ("ols", "ols, ill-conditioned"):
        np.testing.assert_array_equal(twins[name].conf_int(), fits[name].conf_int())
        np.testing.assert_array_equal(twins[name].predict(x[:9]), fits[name].predict(x[:9]))
    np.testing.assert_array_equal(twins["Gram"].ols().params, fits["Gram"].ols().params)
    np.testing.assert_array_equal(twins["grouped_ols"].coef, fits["grouped_ols"].coef)
