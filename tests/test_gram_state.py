# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The Gram state beyond adding rows: several targets, rows that leave or fade, parts, files, streams."""

import io
import pickle
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fastlsq


def rows(n=600, p=4, k=None, seed=0, mean=3.0):
    rng = np.random.default_rng(seed)
    x = mean + rng.standard_normal((n, p))
    noise = rng.standard_normal(n if k is None else (n, k))
    b = np.arange(1.0, p + 1) if k is None else rng.standard_normal((p, k))
    return x, x @ b + 5 + noise, rng.integers(0, 4, n).astype(float)


def by_qr(x, y, weights=None, intercept=True):
    """[intercept; slopes] by QR of the rows."""
    a = np.column_stack([np.ones(len(x)), x]) if intercept else x
    root = np.ones(len(x)) if weights is None else np.sqrt(weights)
    return np.linalg.lstsq(a * root[:, None], (y.T * root).T, rcond=None)[0]


def state_equal(one, other):
    """The same bits of everything that answers follow from."""
    a, b = one.equations(), other.equations()
    names = ("m", "c", "yy", "mean", "raw_diagonal", "raw_yy")
    same = all(np.array_equal(getattr(a, name), getattr(b, name)) for name in names)
    return same and (one.n_rows, one.sum_weights, one.names) == (other.n_rows, other.sum_weights, other.names)


# ---- targets ---------------------------------------------------------------------------------------------------------


def test_no_target():
    x, y, _ = rows()
    state = fastlsq.Gram().update(x)
    assert state.n_targets == 0
    np.testing.assert_allclose(state.covariance(), np.cov(x.T), rtol=1e-13)
    with pytest.raises(ValueError, match="no target"):
        state.ols()
    with pytest.raises(ValueError, match="0 targets"):
        state.update(x, y)


def test_targets_keep_their_number():
    x, y, _ = rows(k=3)
    state = fastlsq.Gram().update(x, y)
    assert state.n_targets == 3
    np.testing.assert_allclose(state.target_mean, y.mean(axis=0))
    assert "3 targets" in repr(state)
    with pytest.raises(ValueError, match="y has 2 columns, the state has 3 targets"):
        state.update(x, y[:, :2])
    with pytest.raises(ValueError, match="other has 1 targets, the state has 3"):
        state.merge(fastlsq.Gram().update(x, y[:, 0]))
    assert state.n_rows == 600


@pytest.mark.parametrize("intercept", [True, False])
def test_one_of_several_targets_is_the_fit_of_that_target(intercept):
    x, y, w = rows(k=3)
    state = fastlsq.Gram(intercept).update(x, y, w).subset(range(4), targets=[2])
    want = by_qr(x, y[:, 2], w, intercept)
    np.testing.assert_allclose(state.ols().params, want, rtol=1e-11)


# ---- rows leave and fade ---------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 599), st.integers(0, 600), st.booleans(), st.booleans())
def test_downdate_leaves_the_other_rows(start, length, intercept, weighted):
    x, y, w = rows(mean=100.0 * intercept)
    weights = w if weighted else None
    gone = np.zeros(600, bool)
    gone[start : start + min(length, 560)] = True
    state = fastlsq.Gram(intercept).update(x, y, weights)
    state.downdate(x[gone], y[gone], None if weights is None else w[gone])
    kept = ~gone
    assert state.n_rows == kept.sum()
    own = None if weights is None else w[kept]
    fit = state.ols()
    np.testing.assert_allclose(fit.params, by_qr(x[kept], y[kept], own, intercept), rtol=1e-8, atol=1e-8)
    want = fastlsq.ols(x[kept], y[kept], weights=own, intercept=intercept)
    assert fit.df_resid == want.df_resid
    np.testing.assert_allclose(fit.rss, want.rss, rtol=1e-9)
    np.testing.assert_allclose(fit.standard_errors, want.standard_errors, rtol=1e-9)


def test_integers_leave_exactly():
    rng = np.random.default_rng(1)
    x, y = rng.integers(-9, 10, (300, 3)).astype(float), rng.integers(-9, 10, 300).astype(float)
    state = fastlsq.Gram(intercept=False).update(x, y).downdate(x[:100], y[:100])
    want = fastlsq.Gram(intercept=False).update(x[100:], y[100:])
    for name in ("m", "c", "yy"):
        np.testing.assert_array_equal(getattr(state.equations(), name), getattr(want.equations(), name))


@pytest.mark.parametrize("intercept", [True, False])
def test_what_has_cancelled_is_not_answered(intercept):
    """A row of 1e9 leaves rounding of 1e2 a column behind, where the others have 6e2: nothing can be said of them."""
    x, y, _ = rows(mean=0.0)
    x[7] *= 1e9
    fit = fastlsq.Gram(intercept).update(x, y).downdate(x[7:8], y[7:8]).ols()
    assert fit.aliased
    assert np.isfinite(fit.coef).all()
    assert fit.info.reason
    # with a row of 1e4 half of the digits are left, and the bound says so
    x[7] *= 1e-5
    fit = fastlsq.Gram(intercept).update(x, y).downdate(x[7:8], y[7:8]).ols()
    kept = np.arange(600) != 7
    error = fit.params - by_qr(x[kept], y[kept], None, intercept)
    slopes = error[1:] if intercept else error
    assert np.linalg.norm(slopes) <= fit.info.forward_error * np.linalg.norm(fit.coef)
    assert 1e-9 < fit.info.forward_error < 1e-2


def test_downdate_of_all_rows_and_of_too_many():
    x, y, w = rows()
    state = fastlsq.Gram(names=list("abcd")).update(x, y, w)
    with pytest.raises(ValueError, match="X has 601 rows"):
        state.downdate(np.vstack([x, x[:1]]), np.r_[y, 0.0])
    with pytest.raises(ValueError, match=r"X has 300 rows \(of weight 3e\+06\)"):
        state.downdate(x[:300], y[:300], np.full(300, 1e4))
    assert state.n_rows == 600
    with pytest.raises(ValueError, match="row 3, column 2 is nan"):
        bad = x.copy()
        bad[3, 2] = np.nan
        state.downdate(bad, y, w)
    assert state.downdate(x[:0], y[:0]).n_rows == 600
    state.downdate(x, y, w)
    assert state.n_rows == 0
    assert state.n_columns is None
    state.update(x[:50], y[:50])
    np.testing.assert_allclose(state.ols().params, by_qr(x[:50], y[:50]), rtol=1e-11)


@pytest.mark.parametrize("intercept", [True, False])
def test_decay_is_weights(intercept):
    x, y, w = rows()
    state = fastlsq.Gram(intercept)
    weights = np.empty(600)
    for start in range(0, 600, 100):
        part = slice(start, start + 100)
        state.decay(0.7).update(x[part], y[part], w[part])
        weights[:start] *= 0.7
        weights[part] = w[part]
    want = fastlsq.ols(x, y, weights=weights, intercept=intercept)
    fit = state.ols()
    np.testing.assert_allclose(fit.params, want.params, rtol=1e-10)
    np.testing.assert_allclose(fit.rss, want.rss, rtol=1e-10)
    np.testing.assert_allclose(state.sum_weights, weights.sum(), rtol=1e-13)
    assert fit.n_rows == want.n_rows


@pytest.mark.parametrize("factor", [0, -1, 1.5, np.nan, "a", None])
def test_decay_refuses(factor):
    with pytest.raises(ValueError, match="factor"):
        fastlsq.Gram().decay(factor)


# ---- parts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("intercept", [True, False])
def test_subset_is_the_fit_on_those_columns(intercept):
    x, y, w = rows()
    state = fastlsq.Gram(intercept, names=list("abcd")).update(x, y, w)
    part = state.subset(["d", 1])
    assert part.names == ["d", "b"]
    np.testing.assert_allclose(part.ols().params, by_qr(x[:, [3, 1]], y, w, intercept), rtol=1e-11)
    assert part.ols().n_rows == state.ols().n_rows
    part.update(x[:, [3, 1]], y, w)  # more rows may follow
    np.testing.assert_allclose(part.ols().coef, state.subset([3, -3]).ols().coef, rtol=1e-11)


@pytest.mark.parametrize(("columns", "message"), [
    (["e"], "'e', which is not among"), ([4], "4, which is no index into 4"), ([], "empty"), ([0, "a"], "twice"),
    ([1.5], "1.5, which is no index"),
])  # fmt: skip
def test_subset_refuses(columns, message):
    x, y, _ = rows()
    with pytest.raises(ValueError, match=message):
        fastlsq.Gram(names=list("abcd")).update(x, y).subset(columns)


# ---- what the moments say of the columns -----------------------------------------------------------------------------


@pytest.mark.parametrize("scale", [1.0, 1e-160, 1e150])
def test_covariance_and_correlation(scale):
    x, y, w = rows(mean=1e6)
    repeated = np.repeat(x, w.astype(int), axis=0)
    state = fastlsq.Gram().update(scale * x, y, w)
    want = np.cov(repeated.T)
    with np.errstate(over="ignore", under="ignore"):
        np.testing.assert_allclose(state.covariance(), want * scale * scale, rtol=1e-8, atol=0)
    np.testing.assert_allclose(state.correlation(), np.corrcoef(repeated.T), rtol=1e-8, atol=1e-10)
    assert (np.diagonal(state.correlation()) == 1).all()
    with pytest.raises(ValueError, match="needs intercept=True"):
        fastlsq.Gram(intercept=False).update(x, y).covariance()


def test_collinearity_names_the_columns():
    rng = np.random.default_rng(3)
    x = rng.standard_normal((400, 7))
    x[:, 3] = 1e6 * (2 * x[:, 0] - x[:, 2]) + 1
    x[:, 5] = 1e-8 * (x[:, 1] + x[:, 4] + 1e-3 * rng.standard_normal(400))
    x[:, 6] = 4.0
    found = fastlsq.Gram(names=list("abcdefg")).update(x, np.zeros(400)).collinearity()
    assert found.condition == np.inf
    assert found.aliased == ["d", "g"]
    assert found.combinations["d"] == pytest.approx({"a": 2e6, "c": -1e6})
    assert set(found.combinations) == {"b", "d", "e", "f"}
    assert found.combinations["f"] == pytest.approx({"b": 1e-8, "e": 1e-8}, rel=1e-3)
    # 1/(1 - R²), by regression on the others
    rest = x[:, [0, 1, 2, 4]]
    part = x[:, 5] - np.column_stack([np.ones(400), rest]) @ by_qr(rest, x[:, 5])
    assert found.inflation["f"] == pytest.approx(np.var(x[:, 5]) / np.mean(part**2), rel=1e-6)
    assert found.inflation["d"] == np.inf
    assert np.isnan(found.inflation["g"])
    assert found.inflation["a"] < 1.1
    text = str(found)
    assert "d = +2e+06 a -1e+06 c" in text
    assert "constant: g" in text


def test_condition_is_that_of_scaled_columns():
    x, y, _ = rows(mean=0.0)
    x[:, 1] = x[:, 0] + 1e-3 * x[:, 1]
    x *= [1e8, 1.0, 1e-9, 1.0]
    centred = x - x.mean(axis=0)
    want = np.linalg.cond(centred / np.linalg.norm(centred, axis=0))
    assert want / 2 < fastlsq.Gram().update(x, y).condition() < 4 * want


# ---- files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("k", [None, 0, 3])
def test_saved_and_loaded(tmp_path, intercept, k):
    x, y, w = rows(k=k)
    state = fastlsq.Gram(intercept, names=["ü", "b", "c c", ""]).update(x[:, :4], y if k != 0 else None, w)
    if k != 0:
        state.downdate(x[:5], y[:5], w[:5])
    path = tmp_path / "state"
    state.save(path)
    assert [file.name for file in tmp_path.iterdir()] == ["state"]  # that name, and nothing beside it
    loaded = fastlsq.Gram.load(path)
    assert state_equal(loaded, state)
    assert loaded.intercept is intercept
    more = (x, y, w) if k != 0 else (x, None, w)
    assert state_equal(loaded.update(*more), state.update(*more))
    fastlsq.Gram().save(path)
    assert fastlsq.Gram.load(path).n_columns is None


def test_a_damaged_or_foreign_file_is_refused(tmp_path):
    x, y, _ = rows()
    path = tmp_path / "state.npz"
    fastlsq.Gram().update(x, y).save(path)
    content = path.read_bytes()
    rng = np.random.default_rng(0)
    refused = 0
    for trial in range(300):
        damaged = bytearray(content)
        if trial % 3 == 0:
            damaged = damaged[: rng.integers(0, len(content))]
        else:
            damaged[rng.integers(0, len(content))] ^= 1 << rng.integers(0, 8)
        path.write_bytes(damaged)
        try:
            loaded = fastlsq.Gram.load(path)
        except ValueError as error:
            assert "state.npz' is no whole Gram state" in str(error)
            refused += 1
        else:  # a bit of the zip's directory that says nothing of the content
            assert state_equal(loaded, fastlsq.Gram().update(x, y))
    assert refused > 250
    for foreign in (b"", b"hello", pickle.dumps([1])):
        path.write_bytes(foreign)
        with pytest.raises(ValueError, match="no whole Gram state"):
            fastlsq.Gram.load(path)
    np.savez(path, a=np.zeros(3))
    with pytest.raises(ValueError, match="no whole Gram state"):
        fastlsq.Gram.load(path)
    np.savez_compressed(path, a=np.zeros(10**7))
    with pytest.raises(ValueError, match="compressed"):
        fastlsq.Gram.load(path)
    with pytest.raises(FileNotFoundError):
        fastlsq.Gram.load(tmp_path / "none")


def test_a_later_version_is_refused(tmp_path):
    path = tmp_path / "state"
    x, y, _ = rows()
    fastlsq.Gram().update(x, y).save(path)
    with np.load(path) as file:
        arrays = dict(file)
    arrays["version"] = np.array(2)
    np.savez(tmp_path / "later.npz", **arrays)
    with pytest.raises(ValueError, match="version 2, this fastlsq reads version 1"):
        fastlsq.Gram.load(tmp_path / "later.npz")
    arrays["version"] = np.array(1)
    arrays["c"] = arrays["c"] + 1
    np.savez(tmp_path / "later.npz", **arrays)
    with pytest.raises(ValueError, match="checksum"):
        fastlsq.Gram.load(tmp_path / "later.npz")


def test_no_pickle_in_the_file(tmp_path):
    x, y, _ = rows()
    fastlsq.Gram().update(x, y).save(tmp_path / "state")
    with zipfile.ZipFile(tmp_path / "state") as archive:
        for name in archive.namelist():
            np.lib.format.read_array(io.BytesIO(archive.read(name)), allow_pickle=False)


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    x, y, _ = rows()
    path = tmp_path / "state"
    fastlsq.Gram().update(x, y).save(path)
    before = path.read_bytes()

    def fail(file, **arrays):
        file.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="disk full"):
        fastlsq.Gram().update(x[:10], y[:10]).save(path)
    assert path.read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 1


def test_pickles_are_small():
    rng = np.random.default_rng(0)
    state = fastlsq.Gram().update(rng.standard_normal((500, 100)), rng.standard_normal(500))
    content = pickle.dumps(state)
    assert len(content) < 100_000
    assert state_equal(pickle.loads(content), state)


def test_html():
    x, y, _ = rows()
    text = fastlsq.Gram(names=["<b>", "b", "c", "d"]).update(x, y)._repr_html_()
    assert "&lt;b&gt;" in text
    assert "<td>600</td>" in text
    assert "<table>" in fastlsq.Gram()._repr_html_()


# ---- streams ---------------------------------------------------------------------------------------------------------


def test_stream_of_a_memmap_has_the_bits_of_one_update(tmp_path):
    rng = np.random.default_rng(5)
    x = np.memmap(tmp_path / "x", np.float32, "w+", shape=(70_000, 20))
    x[:] = rng.standard_normal(x.shape)
    y = rng.standard_normal(70_000)
    seen = []
    whole = fastlsq.Gram().update(x, y)
    streamed = fastlsq.Gram().update_from(
        fastlsq.row_chunks(x, y, rows=8 * whole.block_rows), progress=seen.append
    )
    assert state_equal(streamed, whole)
    assert seen[-1] == 70_000
    assert len(seen) > 1
    assert state_equal(fastlsq.Gram().update_from(fastlsq.row_chunks(x, y)), whole)


def test_errors_of_a_stream_name_the_chunk():
    x, y, w = rows()
    bad = y.copy()
    bad[250] = np.inf
    state = fastlsq.Gram()
    with pytest.raises(ValueError, match="chunk 2: y must not contain infs or NaNs; row 50, column 0 is inf"):
        state.update_from(fastlsq.row_chunks(x, bad, w, rows=100))
    assert state.n_rows == 200
    with pytest.raises(TypeError, match="chunk 0 must be a tuple"):
        state.update_from([x])
    with pytest.raises(ValueError, match="rows"):
        fastlsq.row_chunks(x, y, rows=0)
    with pytest.raises(ValueError, match="y has 599 rows"):
        fastlsq.row_chunks(x, y[:-1])


@pytest.mark.parametrize("n", [1, 600, 9000])
def test_blocks_of_columns_have_the_bits_of_stacked_ones(n):
    x, y, w = rows(n, 7)
    blocks = [x[:, :3].astype(np.float32), np.asfortranarray(x[:, 3:4]), np.arange(3 * n).reshape(n, 3)[::-1] % 11]
    stacked = np.hstack([np.asarray(block, float) for block in blocks])
    assert state_equal(fastlsq.Gram().update(blocks, y, w), fastlsq.Gram().update(stacked, y, w))


def test_blocks_of_columns_that_do_not_fit():
    x, y, _ = rows()
    state = fastlsq.Gram().update([x[:, :2], x[:, 2:]], y)
    with pytest.raises(ValueError, match=r"X\[1\] has 599 rows, X\[0\] has 600"):
        state.update([x[:, :2], x[1:, 2:]], y)
    bad = x[:, 2:].copy()
    bad[599, 1] = np.nan
    with pytest.raises(ValueError, match=r"X\[1\] must not contain infs or NaNs; row 599, column 1"):
        state.update([x[:, :2], bad], y)
    with pytest.raises(ValueError, match="X has 3 columns, the state has 4"):
        state.update([x[:, :2], x[:, 2:3]], y)
    assert state.n_rows == 600


# ---- answers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("intercept", [True, False])
def test_penalized_and_bounded_fits_from_the_sums_are_those_of_the_rows(intercept):
    x, y, w = rows(mean=0.5)
    y = y - 9 * x[:, 1]  # so that a coefficient is negative
    state = fastlsq.Gram(intercept, names=list("abcd")).update(x, y, w)
    options = {"weights": w, "intercept": intercept}
    want = fastlsq.elastic_net(x, y, 0.3, l1_ratio=0.7, **options)
    found = state.elastic_net(0.3, l1_ratio=0.7)
    np.testing.assert_allclose(found.coef, want.coef, rtol=1e-7)
    assert found.names == list("abcd")
    path, want = state.lasso_path(n_alphas=7), fastlsq.elastic_net_path(x, y, l1_ratio=1.0, n_alphas=7, **options)
    np.testing.assert_allclose(path.alphas, want.alphas, rtol=1e-12)
    np.testing.assert_allclose(path.coef, want.coef, rtol=1e-7, atol=1e-9)
    bounded, want = state.nnls(), fastlsq.nnls(x, y, **options)
    np.testing.assert_allclose(bounded.x[:, 0], want.x, rtol=1e-10, atol=1e-12)
    assert bounded.x[1, 0] == 0
    np.testing.assert_allclose(bounded.rnorm, want.rnorm, rtol=1e-10)


@pytest.mark.parametrize("intercept", [True, False])
def test_constrained_fits_from_the_sums_are_those_of_the_rows(intercept):
    x, y, w = rows(mean=0.5)
    y = np.column_stack([y - 9 * x[:, 1], 3 * y])
    state = fastlsq.Gram(intercept).update(x, y, w)
    shift = (np.average(x, axis=0, weights=w), np.average(y, axis=0, weights=w)) if intercept else (0.0, 0.0)
    centred, target = x - shift[0], y - shift[1]  # the intercept is free
    bounds = ([-1.0, -2.0, -np.inf, 0.5], [0.25, 0.0, 1.0, 0.5])
    found, want = state.lsq_linear(bounds), fastlsq.lsq_linear(centred, target, bounds, weights=w)
    np.testing.assert_allclose(found.x, want.x, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(found.cost, want.cost, rtol=1e-9)
    np.testing.assert_array_equal(found.active_mask, want.active_mask)
    assert found.success and found.info.path == "moments"
    with pytest.raises(AttributeError, match="sums"):
        found.fun  # noqa: B018
    for c, d in ((np.array([[1.0, 1, 0, 0], [0, 2, -1, 1e3]]), np.array([1.0, -2.0])), (np.zeros((0, 4)), np.zeros(0)),
                 (np.eye(4), np.arange(8.0).reshape(4, 2)), (np.array([[1.0, 1, 0, 0]] * 2), np.array([1.0, 1.0]))):
        found, want = state.lstsq_equality(c, d), fastlsq.lstsq_equality(centred, target, c, d, weights=w)
        np.testing.assert_allclose(found.x, want.x, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(found.rss, want.rss, rtol=1e-9)
        assert (found.rank, found.constraints) == (want.rank, want.constraints)
        np.testing.assert_allclose(c @ found.x, d if d.ndim == 2 else np.column_stack([d, d]), atol=1e-13)
    with pytest.raises(np.linalg.LinAlgError, match="contradict"):
        state.lstsq_equality([[1.0, 0, 0, 0], [2.0, 0, 0, 0]], [1.0, 1.0])
    for c, d, message in (([[1.0, 0, 0]], [1.0], "C has 3 columns, the state has 4"),
                          ([[1.0, 0, 0, 0]], [1.0, 2.0], "d has 2 rows"),
                          ([[np.nan, 0, 0, 0]], [1.0], "C must not contain")):
        with pytest.raises(ValueError, match=message):
            state.lstsq_equality(c, d)
    with pytest.raises(ValueError, match="bounds must be"):
        state.lsq_linear(([0, 0], [1, 1]))


def test_constrained_fits_of_dependent_columns_from_the_sums():
    x, y, _ = rows()
    x = np.column_stack([x, x[:, 0], np.full(len(x), 7.0)])
    state = fastlsq.Gram().update(x, y)
    found = state.lstsq_equality([[0, 1.0, 0, 0, 0, 0]], [0.5])
    centred = x[:, :5] - x[:, :5].mean(axis=0)
    want = fastlsq.lstsq_equality(centred, y - y.mean(), [[0, 1.0, 0, 0, 0]], [0.5])
    np.testing.assert_allclose(found.x[:5, 0], want.x, rtol=1e-7, atol=1e-9)
    assert found.x[5, 0] == 0 and found.rank == want.rank == 4 and found.info.condition == np.inf
    bounded = state.lsq_linear((-1, 1))
    np.testing.assert_allclose(bounded.cost[0], fastlsq.lsq_linear(centred, y - y.mean(), (-1, 1)).cost, rtol=1e-7)


def test_an_elastic_net_has_one_target():
    x, y, _ = rows(k=2)
    state = fastlsq.Gram().update(x, y)
    with pytest.raises(ValueError, match="the state has 2 targets"):
        state.elastic_net(1.0)
    assert state.subset(range(4), [1]).elastic_net(1.0).coef.shape == (4,)
    assert state.nnls().x.shape == (4, 2)
    fit = state.ols()
    for t in range(2):
        one = fastlsq.ols(x, y[:, t])
        np.testing.assert_allclose(fit.coef[:, t], one.coef, rtol=1e-11)
        np.testing.assert_allclose(fit.standard_errors[:, t], one.standard_errors, rtol=1e-11)


# ---- edges ----------------------------------------------------------------------------------------------------------


def test_rows_that_weigh_nothing_do_not_set_the_shift():
    x, y, _ = rows(50, 3)
    state = fastlsq.Gram().update(np.zeros((1, 3)), [0.0], [0.0]).update(x + 1e8, y)
    np.testing.assert_allclose(state.ols().coef, fastlsq.ols(x, y).coef, rtol=1e-6)
    assert state.n_rows == 51


def test_rows_that_were_not_added_do_not_leave():
    x, y, w = rows()
    state = fastlsq.Gram().update(x, y, w)
    for stranger, weights in ((1e3 * x[:5], None), (x[::-1] * 2, w), (x, np.full(600, w.mean() / 2))):
        with pytest.raises(ValueError, match=r"not added|X has 600 rows"):
            state.downdate(stranger, y[: len(stranger)], weights)
    assert state.n_rows == 600


def test_an_emptied_state_takes_other_columns():
    x, y, _ = rows()
    state = fastlsq.Gram().update(x, y).downdate(x, y).update(x[:, :2], y)
    assert state.names == ["x0", "x1"]
    named = fastlsq.Gram(names=["a", "b"]).update(x[:, :2], y).downdate(x[:, :2], y)
    assert named.update(x[:, 2:], y).names == ["a", "b"]


def test_blocks_of_columns_leave_and_are_counted():
    x, y, _ = rows()
    state = fastlsq.Gram().update([x[:, :2], x[:, 2:]], y).downdate([x[:9, :2], x[:9, 2:]], y[:9])
    np.testing.assert_allclose(state.ols().coef, fastlsq.ols(x[9:], y[9:]).coef, rtol=1e-9)
    seen = []
    fastlsq.Gram().update_from([([x[:, :2], x[:, 2:]], y)], progress=seen.append)
    assert seen == [600]


def test_names_are_told_apart():
    x, y, _ = rows()
    with pytest.raises(ValueError, match="two columns of X have the name 'a'"):
        fastlsq.Gram(names=["a", "b", "a", "c"]).update(x, y)


def test_decay_into_nothing_is_refused():
    x, y, _ = rows()
    with pytest.raises(ValueError, match="too small"):
        fastlsq.Gram().update(x, y).decay(1e-320)


def test_a_saved_state_is_readable_as_other_files_are(tmp_path):
    x, y, _ = rows()
    link, target = tmp_path / "link", tmp_path / "target"
    target.write_text("")
    mode = target.stat().st_mode
    link.symlink_to(target)
    fastlsq.Gram().update(x, y).save(link)
    assert link.is_symlink()
    assert target.stat().st_mode == mode
    assert fastlsq.Gram.load(target).n_rows == 600
