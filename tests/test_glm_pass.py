# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The pass of a generalized linear model, against long double and mpmath."""

import numpy as np
import pytest
from conftest import KERNELS

from fastlsq._core import lib

FAMILIES = ["gaussian", "binomial", "poisson", "gamma"]


def arrange(x, layout):
    if layout == "F":
        return np.asfortranarray(x)
    if layout == "strided":
        wide = np.full((2 * x.shape[0], 2 * x.shape[1] + 1), 77, x.dtype)
        wide[::2, : 2 * x.shape[1] : 2] = x
        return wide[::2, : 2 * x.shape[1] : 2]
    if layout == "read-only":
        x = x.copy()
        x.flags.writeable = False
    return x


def data(n, p, family, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n, p))
    y = {"gaussian": rng.standard_normal(n), "binomial": rng.integers(0, 2, n).astype(float),
         "poisson": rng.poisson(2.0, n).astype(float), "gamma": rng.gamma(2.0, 1.0, n)}[family]
    return x, y, rng.uniform(0.5, 2.0, n), rng.standard_normal(p + 1) / np.sqrt(p + 1), rng.standard_normal(n) / 4


def reference(family, x, y, w, b, offset):
    """Loss, eta, gradient, hessian in long double."""
    z = np.column_stack([x, np.ones(len(x))]).astype(np.longdouble)
    eta, y, w = z @ b.astype(np.longdouble) + offset, y.astype(np.longdouble), w.astype(np.longdouble)
    mean = np.exp(eta)
    if family == "gaussian":
        loss, slope, curvature = (eta - y) ** 2 / 2, eta - y, np.ones_like(y)
    elif family == "binomial":
        loss, slope, curvature = np.logaddexp(0, eta) - y * eta, mean / (1 + mean) - y, mean / (1 + mean) ** 2
    elif family == "poisson":
        loss, slope, curvature = mean - y * eta, mean - y, mean
    else:
        loss, slope, curvature = y / mean + eta, 1 - y / mean, y / mean
    return (w * loss).sum(), eta, z.T @ (w * slope), (z * (w * curvature)[:, None]).T @ z


def run(family, x, y, w, b, offset, n_threads=1, kernel=None, expected=False):
    n, p = x.shape
    eta, gradient, hessian = np.empty((n, 1)), np.empty((1, p + 1)), np.empty((p + 1, p + 1))
    loss = lib.glm_pass(x, y, w, None, None, True, family, b[None, :], offset, n_threads, eta, gradient, hessian,
                        expected, kernel=kernel)
    return loss, eta[:, 0], gradient[0], hessian


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("shape", [(1, 1), (7, 2), (8, 7), (9, 8), (63, 23), (64, 24), (65, 25), (130, 47), (1025, 12),
                                   (300, 97)])
def test_against_long_double(kernel, family, shape):
    x, y, w, b, offset = data(*shape, family)
    got, want = run(family, x, y, w, b, offset, kernel=kernel), reference(family, x, y, w, b, offset)
    size = np.abs(reference(family, np.abs(x), -np.abs(y), w, np.abs(b), np.abs(offset))[2]).max()
    for a, e in zip(got, want, strict=True):
        assert np.abs(a - e).max() <= 1e-14 * max(size, np.abs(e).max(initial=1))


@pytest.mark.parametrize("layout", ["C", "F", "strided", "read-only"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int16])
def test_same_bits_whatever_the_layout_and_threads(layout, dtype):
    x, y, w, b, offset = data(4100, 30, "binomial")
    x = np.round(x * 4).astype(dtype) if dtype == np.int16 else x.astype(dtype)
    want = run("binomial", x.astype(np.float64), y, w, b, offset)
    for n_threads in (1, 2, 3, 8):
        got = run("binomial", arrange(x, layout), y, w, b, offset, n_threads)
        for a, e in zip(got, want, strict=True):
            assert np.array_equal(a, e)


def test_scale_and_shift_enter_before_the_coefficients():
    x, y, w, b, offset = data(500, 13, "poisson")
    rng = np.random.default_rng(1)
    scale, shift = np.exp2(rng.integers(-9, 9, 15)), np.append(rng.standard_normal(13), [0, 0])
    scale[13:] = 1
    far = (x + shift[:13]) / scale[:13]
    gradient, hessian = np.empty((1, 14)), np.empty((14, 14))
    loss = lib.glm_pass(far, y, w, scale, shift, True, "poisson", b[None, :], offset, 1, None, gradient, hessian)
    want = reference("poisson", x, y, w, b, offset)
    assert abs(loss - want[0]) <= 1e-12 * abs(want[0])
    assert np.abs(gradient[0] - want[2]).max() <= 1e-12 * np.abs(want[3]).max()
    assert np.abs(hessian - want[3]).max() <= 1e-12 * np.abs(want[3]).max()


def test_rows_without_weight_do_not_enter_whatever_they_say():
    x, y, w, b, offset = data(77, 5, "poisson")
    w[[0, 8, 76]] = 0
    kept = w > 0
    y[[0, 8, 76]], offset[[0, 8, 76]] = 1e300, 1e5
    got = run("poisson", x, y, w, b, offset)
    want = reference("poisson", x[kept], y[kept], w[kept], b, offset[kept])
    assert abs(got[0] - want[0]) <= 1e-12 * abs(want[0])
    assert np.abs(got[3] - want[3]).max() <= 1e-12 * np.abs(want[3]).max()


def test_expected_curvature_of_gamma_is_the_weight():
    x, y, w, b, offset = data(200, 4, "gamma")
    z = np.column_stack([x, np.ones(200)])
    assert np.allclose(run("gamma", x, y, w, b, offset, expected=True)[3], (z * w[:, None]).T @ z, rtol=1e-13)


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("shape", [(1, 1, 2), (9, 3, 1), (70, 11, 3), (1030, 24, 4)])
def test_softmax(kernel, shape):
    n, p, k = shape
    rng = np.random.default_rng(3)
    x, y, w = rng.standard_normal((n, p)), rng.integers(0, k + 1, n).astype(float), rng.uniform(0, 2, n)
    b, lead = rng.standard_normal((k, p + 1)), p + 1
    eta, gradient, hessian = np.empty((n, k)), np.empty((k, lead)), np.empty((k * lead, k * lead))
    loss = lib.glm_pass(x, y, w, None, None, True, "softmax", b, None, 2, eta, gradient, hessian, kernel=kernel)
    z = np.column_stack([x, np.ones(n)]).astype(np.longdouble)
    want = np.column_stack([z @ b.T, np.zeros(n)])
    assert np.abs(eta - want[:, :k]).max() <= 1e-13
    e = np.exp(want - want.max(axis=1)[:, None])
    prob = e / e.sum(axis=1)[:, None]
    hot = y[:, None] == np.arange(k + 1)
    assert abs(loss + (w * np.log(prob[hot])).sum()) <= 1e-13 * n * p
    r = w[:, None] * (prob - hot)[:, :k]
    assert np.abs(gradient - r.T @ z).max() <= 1e-13 * n
    q = prob[:, :k]
    v = w[:, None, None] * (q[:, :, None] * np.eye(k) - q[:, :, None] * q[:, None, :])
    h = np.einsum("icd,ia,ib->cadb", v, z, z).reshape(k * lead, k * lead)
    assert np.abs(hessian - h).max() <= 1e-13 * n


@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("which", ["exp", "log1p", "log"])
def test_elementary_functions_to_two_units_in_the_last_place(kernel, which):
    mpmath = pytest.importorskip("mpmath")
    rng = np.random.default_rng(5)
    x = {
        "exp": np.r_[0.0, -0.0, 1, -1, 709.78, -708.3, 1e-300, -1e-17, rng.uniform(-700, 700, 600),
                     rng.uniform(-2, 2, 600), np.log(2) * (rng.integers(-900, 900, 200) + 0.5)],
        "log1p": np.r_[0.0, 1, 5e-324, 1e-300, rng.uniform(0, 1, 800), np.exp(-rng.uniform(0, 40, 400))],
        "log": np.r_[1.0, 2, np.sqrt(0.5), np.nextafter(np.sqrt(0.5), 0), np.nextafter(1, 0), np.nextafter(1, 2),
                     2.3e-308, 1.7e308, rng.uniform(0.5, 2, 600), np.exp(rng.uniform(-700, 700, 600))],
    }[which]
    out = np.empty_like(x)
    lib.elementary(which, x, out, kernel)
    exact = getattr(mpmath, which)
    with mpmath.workprec(120):
        for value, found in zip(x.tolist(), out.tolist(), strict=True):
            want = exact(mpmath.mpf(value))
            ulp = np.spacing(abs(float(want))) if want != 0 else 0.0
            assert abs(mpmath.mpf(found) - want) <= 2 * ulp, (value, found)


@pytest.mark.parametrize("kernel", KERNELS)
def test_exponential_at_its_ends(kernel):
    x = np.array([-np.inf, -1e300, -746.0, -740.0, 710.0, 1e300, np.inf, np.nan])
    out = np.empty_like(x)
    lib.elementary("exp", x, out, kernel)
    with np.errstate(over="ignore", under="ignore"):
        assert np.allclose(out, np.exp(x), rtol=0, atol=5e-324, equal_nan=True)


def test_along_a_line():
    x, y, w, b, offset = data(1300, 3, "gamma")
    eta = x @ b[:3]
    step = x[:, 0].copy()
    loss, slope, pearson = lib.glm_along("gamma", eta, step, 0.25, y, w)
    at = eta + 0.25 * step
    assert np.isclose(loss, (w * (y * np.exp(-at) + at)).sum(), rtol=1e-13)
    assert np.isclose(pearson, (w * (y * np.exp(-at) - 1) ** 2).sum(), rtol=1e-12)
    assert np.isclose(slope, (w * (1 - y * np.exp(-at)) * step).sum(), rtol=1e-12)


def test_given_slopes_and_curvatures():
    x, y, w, b, offset = data(333, 9, "gaussian")
    gradient, hessian = np.empty((1, 10)), np.empty((10, 10))
    lib.glm_pass(x, None, None, None, None, True, "given", None, None, 1, None, gradient, hessian, given=(y, w))
    z = np.column_stack([x, np.ones(333)])
    assert np.allclose(gradient[0], z.T @ y, rtol=1e-12, atol=1e-12)
    assert np.allclose(hessian, (z * w[:, None]).T @ z, rtol=1e-12, atol=1e-12)


def test_shapes_that_do_not_fit_are_refused():
    x, y, w, b, offset = data(20, 3, "gaussian")
    for change in ({"b": b[None, :3]}, {"offset": offset[:5]}, {"eta": np.empty((3, 1))},
                   {"gradient": np.empty((1, 3))}, {"hessian": np.empty((3, 3))}, {"y": None}):
        given = {"y": y, "b": b[None, :], "offset": None, "eta": None, "gradient": None, "hessian": None} | change
        with pytest.raises(ValueError):
            lib.glm_pass(x, given["y"], w, None, None, True, "gaussian", given["b"], given["offset"], 1, given["eta"],
                         given["gradient"], given["hessian"])
