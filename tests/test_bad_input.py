# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Bad input: a clear error that names the argument, the row and the column."""

import re

import numpy as np
import pytest
import scipy.sparse

import fastlsq

A, B = np.random.default_rng(0).standard_normal((20, 3)), np.arange(20.0)

CASES = [
    ((A[0], B), {}, ValueError, "a must be 2-D, got shape (3,)"),
    ((A[None], B), {}, ValueError, "b must have as many dimensions as a, or one less"),
    ((A, B[:19]), {}, ValueError, "b has 19 rows, a has 20"),
    ((A, np.ones((20, 2, 2))), {}, ValueError, "b must be 1-D or 2-D"),
    ((A, 3.0), {}, ValueError, "b must be 1-D or 2-D"),
    ((A.astype(str), B), {}, TypeError, "a must be numeric, got dtype <U"),
    ((A, [None] * 20), {}, TypeError, "b must be numeric, got dtype object"),
    ((A.astype("M8[s]"), B), {}, TypeError, "a must be numeric"),
    ((scipy.sparse.csr_array(A), B), {}, TypeError, "a is a sparse matrix"),
    ((np.ma.masked_array(A, A > 0), B), {}, TypeError, "a is a masked array"),
    ((A, B), {"weights": np.ones(19)}, ValueError, "weights must have shape (20,)"),
    ((A, B), {"weights": np.ones((20, 1))}, ValueError, "weights must have shape (20,)"),
    ((A, B), {"weights": np.r_[np.ones(12), -1, np.ones(7)]}, ValueError, "weights[12] is -1.0"),
    ((A, B), {"weights": np.r_[np.ones(19), np.nan]}, ValueError, "weights[19] is nan"),
    ((A, B), {"weights": np.r_[np.inf, np.ones(19)]}, ValueError, "weights[0] is inf"),
    ((A, B), {"weights": ["x"] * 20}, TypeError, "weights must be numeric"),
    ((A, B), {"n_threads": 0}, ValueError, "n_threads must be >= 1, got 0"),
    ((A, B), {"n_threads": -2}, ValueError, "n_threads must be >= 1"),
    ((A, B), {"n_threads": 1.5}, TypeError, "n_threads must be an integer"),
    ((A, B), {"n_threads": True}, TypeError, "n_threads must be an integer"),
    ((A, B), {"lapack_driver": "gels"}, ValueError, "lapack_driver must be"),
    ((A, B), {"cond": np.nan}, ValueError, "cond must be a number"),
    ((A, B), {"cond": "small"}, ValueError, "cond must be a number"),
]


@pytest.mark.parametrize(("args", "options", "error", "message"), CASES)
def test_lstsq(args, options, error, message):
    with pytest.raises(error, match=re.escape(message)):
        fastlsq.lstsq(*args, **options)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("place", [(0, 0), (7, 2), (19, 1)])
@pytest.mark.parametrize("shape", [(20, 3), (2, 3), (20, 30)])
def test_the_place_of_a_non_finite_value_is_named(value, place, shape):
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal(shape), rng.standard_normal(shape[0])
    row, column = place[0] % shape[0], place[1]
    a[row, column] = value
    with pytest.raises(ValueError, match=rf"a must not contain infs or NaNs; row {row}, column {column} is {value}"):
        fastlsq.lstsq(a, b)
    for array in (np.asfortranarray(a), a.astype(np.float32), a[::-1]):
        with pytest.raises(ValueError, match="a must not contain"):
            fastlsq.lstsq(array, b)
    with pytest.raises(ValueError, match=rf"X must not contain infs or NaNs; row {row}, column {column}"):
        fastlsq.ols(a, b)
    with pytest.raises(ValueError, match=rf"X must not contain infs or NaNs; row {row}, column {column}"):
        fastlsq.Gram().update(a, b)


def test_a_non_finite_target():
    b = B.copy()
    b[4] = np.nan
    with pytest.raises(ValueError, match="b must not contain infs or NaNs; row 4, column 0 is nan"):
        fastlsq.lstsq(A, b)
    with pytest.raises(ValueError, match="row 4, column 1"):
        fastlsq.lstsq(A, np.column_stack([B, b]))
    with pytest.raises(ValueError, match="y must not contain infs or NaNs; row 4"):
        fastlsq.ols(A, b)


def test_unchecked_non_finite_input_gives_nan_and_does_not_hang():
    a = A.copy()
    a[1, 0] = np.nan
    found = fastlsq.lstsq(a, B, check_finite=False)
    assert np.isnan(found.x).all()
    assert found.info.path == "nonfinite"


def test_ols_and_gram():
    for call, message in [
        (lambda: fastlsq.ols(A, np.ones((20, 2, 1))), "y must be 1-D or 2-D"),
        (lambda: fastlsq.ols(A[:0], B[:0]), "X has no rows"),
        (lambda: fastlsq.ols(A[:, :0], B), "X has no columns"),
        (lambda: fastlsq.ols(A, B, weights=np.zeros(20)), "weights must not all be zero"),
        (lambda: fastlsq.ols(A, B, names=["a"]), "names has 1 entries, X has 3 columns"),
        (lambda: fastlsq.ols(A, B).predict(A[:, :2]), "X has 2 columns, the model has 3"),
        (lambda: fastlsq.ols(A, B).conf_int(95), "level must be between 0 and 1"),
        (lambda: fastlsq.Gram().ols(), "the Gram state is empty"),
        (lambda: fastlsq.Gram().update(A, B).update(A[:, :2], B), "X has 2 columns, the state has 3"),
        (lambda: fastlsq.Gram(intercept=False).update(A, B).mean, "without intercept holds no means"),
        (lambda: fastlsq.Gram().merge(fastlsq.Gram(intercept=False)), "with an intercept and one without"),
    ]:
        with pytest.raises(ValueError, match=message):
            call()
    with pytest.raises(TypeError, match="other must be a Gram"):
        fastlsq.Gram().merge(3)
