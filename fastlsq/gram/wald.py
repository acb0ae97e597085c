# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Tests of linear restrictions on the parameters of a fit, in the coordinates of frame.py."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from fastlsq import _arrays

#: restrictions at unit length, in units of the columns, closer than this to a combination of others repeat them
_REPEATED = 1e-12
#: singular values of scaled restrictions below this part of the largest are rounding, where the covariance has a lower
#: rank than the restrictions
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
    units = exponents.copy()
    if fit.has_intercept:
        units[0] = np.frexp(fit.frame.sum_weights**-0.5)[1]
    matrix, values = _independent(matrix, values, units)
    # of the rows of 2^e A: that of the intercept may be far from its unit
    lengths = exponents + np.frexp(np.abs(a).max(axis=1, initial=0.0))[1]
    parameters = fit.parameters()
    found, ranks = np.full(fit.targets, np.nan), np.zeros(fit.targets, np.int64)
    for t in range(fit.targets):
        meat, own = fit.meat_of(t)
        own_exponents = _largest_exponents(matrix, lengths) + own
        restricted = _product(matrix, exponents + own, own_exponents) @ a
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            terms, powers = np.frexp(parameters[:, t])
            distances = _product(matrix, powers, own_exponents) @ terms - np.ldexp(values, -own_exponents)
        factor = _root_of(meat)
        # not definite as a whole, but perhaps in what is restricted
        g = restricted @ factor if factor is not None else _root_of(restricted @ meat @ restricted.T)
        if g is None:
            continue
        definite = fit.full_rank and factor is not None and bool(factor.any(axis=0).all())
        squared, ranks[t] = _squared_distance(g, distances, definite)
        found[t] = squared / ranks[t] if ranks[t] else np.nan
    rank = int(ranks.max(initial=0))
    found = np.atleast_1d(fit.shown(found)) if fit.df_inference > 0 else np.full(fit.targets, np.nan)
    p_value = fdtrc(np.maximum(ranks, 1), max(fit.df_inference, 1), found)
    return WaldTest(fit.shown(found), fit.shown(p_value), rank, fit.df_inference)


def _largest_exponents(matrix, exponents):
    """e of every row with 2^e just above its largest entry of R 2^exponents; 0 for a row of zeros."""
    powers = np.where(matrix != 0, np.frexp(matrix)[1] + exponents, np.iinfo(np.int32).min)
    return np.where(matrix.any(axis=1), powers.max(axis=1), 0)


def _product(matrix, exponents, own):
    """2^-own R 2^exponents, without over- or underflow on the way."""
    terms, powers = np.frexp(matrix)
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(terms, powers + exponents - own[:, None])


def _independent(matrix, values, units):
    """The restrictions without those that repeat others; ValueError for those that contradict others."""
    from scipy.linalg import qr

    own = _largest_exponents(matrix, units)
    rows = _product(matrix, units, own)
    lengths = np.linalg.norm(rows, axis=1)
    lengths = np.where(lengths > 0, lengths, 1.0)
    factor, order = qr((rows / lengths[:, None]).T, mode="r", pivoting=True)
    diagonal = np.abs(np.diagonal(factor))
    rank = int((diagonal > _REPEATED).sum())
    kept, others = order[:rank], order[rank:]
    if others.size:
        shares = np.linalg.solve(factor[:rank, :rank], factor[:rank, rank:]).T  # others = shares kept
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            scaled = np.ldexp(values, -own) / lengths
            gaps = np.abs(scaled[others] - shares @ scaled[kept])
            sizes = np.abs(scaled[others]) + np.abs(shares) @ np.abs(scaled[kept])
        wrong = others[gaps > 1e-10 * sizes]
        if wrong.size:
            raise ValueError(f"the restrictions contradict each other: no parameters satisfy number {wrong.min()} of R "
                             "and r and the others")
    kept = np.sort(kept)
    return matrix[kept], values[kept]


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
    return _squared_distance(factor, c, True)[0] / r if factor.any(axis=0).all() else np.nan


def _root_of(meat):
    """L with M = L Lᵀ, or None where M is not finite or has a negative eigenvalue beyond rounding."""
    if not np.isfinite(meat).all():
        return None
    values, vectors = np.linalg.eigh(meat)
    largest = values[-1] if values.size else 0.0
    if values.size and values[0] < -1e-12 * abs(largest):
        return None
    noise = values.size * np.finfo(float).eps * largest
    return vectors * np.sqrt(np.where(values > noise, values, 0.0))


def _squared_distance(g, d, definite):
    """(dᵀ (G Gᵀ)⁺ d, rank) with the rows of G at equal length; `definite` says that they are independent."""
    lengths = np.linalg.norm(g, axis=1)
    lengths = np.where(lengths > 0, lengths, 1.0)
    g, d = g / lengths[:, None], d / lengths
    if not np.isfinite(d).all():
        return np.inf, len(d)
    if definite:
        half = np.linalg.lstsq(g, d, rcond=None)[0]  # the shortest h with G h = d
        return _squared_length(half), len(d)
    u, values, _ = np.linalg.svd(g, full_matrices=False)
    keep = values > _RESTRICTIONS_NOISE * values.max(initial=0.0)
    half = (u[:, keep].T @ d) / values[keep]
    return _squared_length(half), int(keep.sum())


def _squared_length(half):
    with np.errstate(over="ignore", under="ignore"):
        return float(np.square(half).sum())
