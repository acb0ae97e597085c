# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Tests of linear restrictions on the parameters of a fit, in the coordinates of frame.py."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastlsq import _arrays

#: singular values of scaled restrictions below this part of the largest are rounding
_RESTRICTIONS_NOISE = 1e-10


@dataclass(slots=True)
class WaldTest:
    """A test of linear restrictions; arrays of one entry per target for several targets.

    Attributes
    ----------
    f_value, p_value : float
    df_num, df_denom : int
        Restrictions that are independent of each other, and the degrees of freedom of the covariance.
    """

    f_value: Any
    p_value: Any
    df_num: int
    df_denom: int


def wald_test(fit, R, r):
    """`WaldTest` of R params = r with the covariance of the fit."""
    from scipy.special import fdtrc

    matrix, values = _arrays.restrictions(R, r, len(fit.param_names))
    a, exponents = fit.frame.parameter_root()
    parameters = fit.parameters()
    found, ranks = np.full(fit.targets, np.nan), np.zeros(fit.targets, np.int64)
    for t in range(fit.targets):
        meat, own = fit.meat_of(t)
        with np.errstate(over="ignore", under="ignore"):
            restricted = np.ldexp(matrix, exponents + own) @ a
        factor = _root_of(meat)
        # not definite as a whole, but perhaps in what is restricted
        g = restricted @ factor if factor is not None else _root_of(restricted @ meat @ restricted.T)
        if g is None:
            continue
        squared, ranks[t] = _squared_distance(g, matrix @ parameters[:, t] - values)
        found[t] = squared / ranks[t] if ranks[t] else np.nan
    rank = int(ranks.max(initial=0))
    found = np.atleast_1d(fit.shown(found)) if fit.df_inference > 0 else np.full(fit.targets, np.nan)
    p_value = fdtrc(np.maximum(ranks, 1), max(fit.df_inference, 1), found)
    return WaldTest(fit.shown(found), fit.shown(p_value), rank, fit.df_inference)


def robust_f(fit, target):
    """cᵀ M⁻¹ c / r for the coordinates c of the slopes: F of all slopes being zero."""
    root, exponents = fit.frame.root, fit.frame.exponents
    meat, own = fit.meat_of(target)
    r = root.shape[1]
    factor = _root_of(meat[:r, :r])
    if factor is None:  # not finite, or not definite
        return np.nan
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        slopes = np.ldexp(fit.coefficients[:, target], -exponents - own)
    if not np.isfinite(slopes).all():
        return np.nan
    c = np.linalg.lstsq(root, slopes, rcond=None)[0]
    return _squared_distance(factor, c)[0] / r if np.linalg.matrix_rank(factor) == r else np.nan


def _root_of(meat):
    """L with M = L Lᵀ, or None where M is not finite or has a negative eigenvalue beyond rounding."""
    if not np.isfinite(meat).all():
        return None
    values, vectors = np.linalg.eigh(meat)
    largest = values[-1] if values.size else 0.0
    if values.size and values[0] < -1e-12 * abs(largest):
        return None
    return vectors * np.sqrt(np.maximum(values, 0.0))


def _squared_distance(g, d):
    """(dᵀ (G Gᵀ)⁺ d, rank) with the rows of G at equal length."""
    lengths = np.linalg.norm(g, axis=1)
    lengths = np.where(lengths > 0, lengths, 1.0)
    u, values, _ = np.linalg.svd(g / lengths[:, None], full_matrices=False)
    keep = values > _RESTRICTIONS_NOISE * values.max(initial=0.0)
    half = (u[:, keep].T @ (d / lengths)) / values[keep]
    return float(half @ half), int(keep.sum())
