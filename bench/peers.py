# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The libraries fastlsq is measured against, each through the call its own users would write.

A peer is bound to (X, y) first: containers of its own (a tensor, a frame) are made there, outside the clock, which
favours the peer.  Threads are left at each library's default.  A peer that cannot run is a gap with its reason;
nothing is skipped in silence.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np


@dataclass(frozen=True)
class Peer:
    """`bind(X, y)` gives a call without arguments that returns the coefficients; `kind` sets its tolerance."""

    key: str
    name: str
    package: str
    kind: str
    bind: Callable

    @property
    def version(self):
        """Installed version of the package behind the peer."""
        return version(self.package)


def numpy_normal(x, y):
    """The two products and the solve that everyone writes by hand."""
    return lambda: np.linalg.solve(x.T @ x, x.T @ y)


def numpy_lstsq(x, y):
    """Divide-and-conquer SVD."""
    return lambda: np.linalg.lstsq(x, y, rcond=None)[0]


def scipy_driver(driver):
    """scipy.linalg.lstsq with one of its LAPACK drivers."""

    def bind(x, y):
        from scipy.linalg import lstsq

        return lambda: lstsq(x, y, lapack_driver=driver)[0]

    return bind


def lapack_gels(x, y):
    """Householder QR by ?gels, with the workspace it asks for."""
    from scipy.linalg import get_lapack_funcs

    gels, gels_lwork = get_lapack_funcs(("gels", "gels_lwork"), (x, y))
    n, p = x.shape

    def run():
        work, info = gels_lwork(n, p, 1)
        if info == 0:
            _, solution, info = gels(x, y, lwork=int(work))
        if info != 0:
            raise ArithmeticError(f"gels returned info = {info}")
        return solution[:p]

    return run


def torch_gels(x, y):
    """torch.linalg.lstsq with the QR driver; MKL's in the x86 wheels."""
    import torch

    a, b = torch.from_numpy(x), torch.from_numpy(y).reshape(-1, 1)
    return lambda: torch.linalg.lstsq(a, b, driver="gels").solution.numpy().ravel()


def sklearn_linear(x, y):
    """LinearRegression as scikit-learn ships it."""
    from sklearn.linear_model import LinearRegression

    return lambda: LinearRegression(fit_intercept=False).fit(x, y).coef_


def sklearnex_linear(x, y):
    """LinearRegression of the Intel extension, refused when it hands the work back to scikit-learn."""
    from sklearnex.linear_model import LinearRegression

    def run():
        model = LinearRegression(fit_intercept=False).fit(x, y)
        if not hasattr(model, "_onedal_estimator"):
            raise NotImplementedError("the extension fell back to scikit-learn for this input")
        return model.coef_

    return run


def tabmat_sandwich(x, y):
    """X'WX by tabmat's sandwich with unit weights, X'y by its matrix-vector product, and a solve."""
    import tabmat

    matrix = tabmat.DenseMatrix(x)
    ones = np.ones(x.shape[0], dtype=x.dtype)
    return lambda: np.linalg.solve(matrix.sandwich(ones), matrix.transpose_matvec(y))


def statsmodels_ols(x, y):
    """OLS by its default, the pseudo-inverse by SVD: as accurate as method="qr", and the faster of the two."""
    from statsmodels.api import OLS

    return lambda: OLS(y, x).fit(method="pinv").params


def polars_ols(x, y):
    """The polars plugin, coefficients only; the frame is built outside the clock."""
    import polars as pl
    import polars_ols as plugin

    names = [f"x{j}" for j in range(x.shape[1])]
    frame = pl.DataFrame({**{name: x[:, j] for j, name in enumerate(names)}, "y": y})
    query = plugin.compute_least_squares(pl.col("y"), *map(pl.col, names), mode="coefficients")

    def run():
        (coefficients,) = frame.select(query).row(0)
        return np.array([coefficients[name] for name in names])

    return run


PEERS = (
    Peer("numpy-ne", "numpy normal equations", "numpy", "normal", numpy_normal),
    Peer("numpy-lstsq", "numpy.linalg.lstsq", "numpy", "orthogonal", numpy_lstsq),
    Peer("scipy-gelsd", "scipy.linalg.lstsq gelsd", "scipy", "orthogonal", scipy_driver("gelsd")),
    Peer("scipy-gelsy", "scipy.linalg.lstsq gelsy", "scipy", "orthogonal", scipy_driver("gelsy")),
    Peer("lapack-gels", "scipy.linalg.lapack gels", "scipy", "orthogonal", lapack_gels),
    Peer("torch-gels", "torch.linalg.lstsq gels", "torch", "orthogonal", torch_gels),
    Peer("sklearn", "scikit-learn LinearRegression", "scikit-learn", "orthogonal", sklearn_linear),
    Peer("sklearnex", "scikit-learn-intelex", "scikit-learn-intelex", "normal", sklearnex_linear),
    Peer("tabmat", "tabmat sandwich + solve", "tabmat", "normal", tabmat_sandwich),
    Peer("statsmodels", "statsmodels OLS pinv", "statsmodels", "orthogonal", statsmodels_ols),
    Peer("polars-ols", "polars-ols", "polars-ols", "orthogonal", polars_ols),
)


def select(keys=None):
    """Peers by key, all by default."""
    known = {peer.key: peer for peer in PEERS}
    unknown = [key for key in keys or () if key not in known]
    if unknown:
        raise ValueError(f"no peer {', '.join(unknown)}; known are {', '.join(known)}")
    return [known[key] for key in keys] if keys else list(PEERS)


def available(peers):
    """(peers that run here, {name: reason} of the others), found by solving a tiny problem with each.

    The tiny problem also loads the libraries and starts their threads before anything is timed.
    """
    rng = np.random.default_rng(0)
    x = rng.standard_normal((400, 3))
    y = x @ np.array([1.0, -2.0, 3.0])
    runs, gaps = [], {}
    for peer in peers:
        try:
            coef = np.asarray(peer.bind(x, y)()).ravel()
            np.testing.assert_allclose(coef, [1.0, -2.0, 3.0], rtol=1e-10)
            _ = peer.version
        except Exception as error:  # whatever a foreign library raises is the reason to print
            gaps[peer.name] = reason(error)
        else:
            runs.append(peer)
    return runs, gaps


def reason(error):
    """One line for the table out of any exception."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__
