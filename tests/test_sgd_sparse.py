# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Gradient descent on sparse rows: the answers of dense ones, without becoming dense."""

import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp

import fastlsq as fl
from fastlsq._core import lib

rng = np.random.default_rng(20261201)


def sparse_rows(n=400, p=30, density=0.15, seed=0):
    own = np.random.default_rng(seed)
    return sp.random(n, p, density, "csr", random_state=own, data_rvs=own.standard_normal)


def targets_of(x, seed=1):
    own = np.random.default_rng(seed)
    return x @ own.standard_normal(x.shape[1]) + 0.1 * own.standard_normal(x.shape[0])


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize("real", [np.float64, np.float32])
@pytest.mark.parametrize("n_threads", [1, 2, 3, 8])
def test_loss_and_gradient_are_those_of_dense_rows(index, real, n_threads):
    x = sparse_rows(2100, 37).astype(real)
    y = targets_of(x)[:, None].astype(np.float64)
    w = rng.integers(0, 3, 2100).astype(float)
    b = rng.standard_normal(38)
    factor = rng.uniform(0.5, 2, 37)
    parts = x.indptr.astype(index), x.indices.astype(index), x.data, 37
    found, expected = np.empty(38), np.empty(38)
    shared = y, w, "huber", 0.5, 1, False, np.zeros(37), factor
    given = lib.descent_evaluate(lib.Descent(parts, *shared), b, found, n_threads)
    dense = lib.descent_evaluate(lib.Descent(x.toarray(), *shared), b, expected, 1)
    np.testing.assert_allclose(given, dense, rtol=1e-13)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
    again = np.empty(38)
    lib.descent_evaluate(lib.Descent(parts, *shared), b, again, 1)
    assert found.tobytes() == again.tobytes()


@pytest.mark.parametrize("loss", ["squared", "logistic", "softmax", "hinge", "poisson"])
@pytest.mark.parametrize("batch_size", [1, 64, None])
def test_training_is_that_of_dense_rows(loss, batch_size):
    x = sparse_rows()
    y = targets_of(x)
    if loss in ("logistic", "hinge"):
        y = y > 0
    elif loss == "softmax":
        y = np.digitize(y, [-0.5, 0.5])
    elif loss == "poisson":
        y = np.round(np.abs(y))
    options = {"loss": loss, "batch_size": batch_size, "epochs": 3, "optimizer": "adam", "lr": 0.01,
               "scale_invariant": True, "l2": 0.01, "l1": 0.001}
    ours, dense = fl.sgd(x, y, **options), fl.sgd(x.toarray(), y, **options)
    np.testing.assert_allclose(ours.coef, dense.coef, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(ours.intercept, dense.intercept, rtol=1e-9, atol=1e-11)
    np.testing.assert_allclose(ours.decision_function(x), dense.decision_function(x.toarray()), rtol=1e-8, atol=1e-9)
    more = sparse_rows(50, 30, seed=3)
    ours.partial_fit(more, y[:50])
    dense.partial_fit(more.toarray(), y[:50])
    np.testing.assert_allclose(ours.coef, dense.coef, rtol=1e-9, atol=1e-11)


def test_optimum_is_that_of_the_closed_form():
    x = sparse_rows(1000, 20)
    y = targets_of(x)
    fit = fl.sgd(x, y, batch_size=None, epochs=3000)
    best = fl.lstsq(np.column_stack([x.toarray(), np.ones(1000)]), y).x
    np.testing.assert_allclose(np.append(fit.coef, fit.intercept), best, atol=1e-7)


def test_zscore_divides_by_the_deviation_and_does_not_centre():
    x = sparse_rows(300, 7, 0.5)
    x.data[:] += 3
    columns = fl.sgd(x, targets_of(x), epochs=1)._training.columns
    np.testing.assert_allclose(1 / columns.factor, x.toarray().std(axis=0), rtol=1e-12)
    assert not columns.center.any()


def test_many_columns_never_become_dense():
    x = sp.random(2000, 100_000, 1e-4, "csr", random_state=np.random.default_rng(0))
    y = targets_of(x)
    tracemalloc.start()
    fit = fl.sgd(x, y, epochs=1, optimizer="sgd", lr=0.1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 30e6 < x.shape[0] * x.shape[1] * 8 / 50
    assert np.isfinite(fit.coef).all()


def test_other_formats_and_dtypes():
    x = sparse_rows(200, 5, 0.5)
    x.data[:] = np.round(4 * x.data)
    y = targets_of(x)
    expected = fl.sgd(x, y, epochs=2).coef
    for other in (x.tocsc(), x.tocoo(), sp.csr_array(x), x.astype(np.int8)):
        np.testing.assert_array_equal(fl.sgd(other, y, epochs=2).coef, expected)


def test_no_saga():
    x = sparse_rows()
    with pytest.raises(ValueError, match="optimizer='saga' is for dense rows: X must not be sparse"):
        fl.sgd(x, targets_of(x), optimizer="saga")
    problem = lib.Descent((x.indptr, x.indices, x.data, 30), targets_of(x)[:, None], None, "squared", 0.0, 1, False)
    with pytest.raises(ValueError, match="SAGA makes plain steps over single dense rows"):
        lib.descent_run(problem, fl.optim.SGD().settings, np.zeros(1), np.zeros(31), [None] * 3, 0, batch_rows=1,
                        saga=(np.zeros(400), np.zeros(31)))


def test_bad_input_is_named():
    x = sparse_rows(50, 5, 0.5)
    y = targets_of(x)
    x.data[3] = np.nan
    row = np.searchsorted(x.indptr, 3, side="right") - 1
    with pytest.raises(ValueError, match=rf"X must not contain infs or NaNs; row {row}, column {x.indices[3]} is nan"):
        fl.sgd(x, y)
    x.data[3] = 1.0
    with pytest.raises(ValueError, match="minmax"):
        fl.sgd(x, y, scale_to="minmax")
    broken = sp.csr_matrix(x)
    broken.indices[0] = 77
    with pytest.raises(ValueError):
        fl.sgd(broken, y)
    with pytest.raises(TypeError, match="real numbers"):
        fl.sgd(x.astype(complex), y)
    with pytest.raises(ValueError, match="start and index"):
        parts = x.indptr.astype(np.int64), x.indices.astype(np.int32), x.data, 5
        lib.Descent(parts, y[:, None], None, "squared", 0.0, 1, False)
