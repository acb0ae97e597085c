# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""What moments say of the columns of X: correlation, condition, and which columns are combinations of others.

With H the moments of columns scaled to equal length, 1/R² of column j is had from the diagonal of the inverse,

    1 - R_j² = 1/(H_jj (H⁻¹)_jj),   x_j ~ -sum_k x_k (H⁻¹)_jk/(H⁻¹)_jj

(D. A. Belsley, E. Kuh and R. E. Welsch, Regression Diagnostics, Wiley, 1980, chapter 3).
"""

import math
from dataclasses import dataclass

import numpy as np

from fastlsq.solve.deficient import solve_moments
from fastlsq.solve.driver import UNIT_ROUNDOFF, active_columns, factorize
from fastlsq.solve.moments import root_exponents

#: of a combination those columns are listed whose part is at least this share of the largest
LISTED = 0.1


@dataclass(slots=True)
class Collinearity:
    """Near and exact dependences among columns.

    Attributes
    ----------
    condition : float
        As `Gram.condition`: infinite where columns depend on each other.
    inflation : dict of str to float
        Variance inflation factor of every column on all others: 1/(1 - R²); infinite for columns that depend on
        earlier ones, NaN for constant ones.
    aliased : list of str
        Columns that depend on earlier ones, and constant ones.
    combinations : dict of str to dict
        For a column with a large inflation factor, or that depends on earlier ones: by which multiples of which other
        columns it is nearly, or exactly, made up; small parts left out.
    """

    condition: float
    inflation: dict[str, float]
    aliased: list[str]
    combinations: dict[str, dict[str, float]]

    def __str__(self):
        lines = [f"condition {self.condition:.3g}"]
        for name, parts in self.combinations.items():
            made_of = " ".join(f"{value:+.4g} {other}" for other, value in parts.items())
            sign = "=" if name in self.aliased else "~"
            lines.append(f"{name} {sign} {made_of}  (inflation {self.inflation[name]:.3g})")
        constant = [name for name in self.aliased if name not in self.combinations]
        if constant:
            lines.append("constant: " + ", ".join(constant))
        return "\n".join(lines)


def correlation(equations):
    """M_ij/sqrt(M_ii M_jj), NaN for constant columns."""
    exponents = root_exponents(np.diagonal(equations.m))
    h = np.ldexp(equations.m, -(exponents[:, None] + exponents[None, :]))
    lengths = np.sqrt(np.where(equations.constant(), np.nan, np.diagonal(h)))
    found = np.clip(h / np.outer(lengths, lengths), -1.0, 1.0)
    np.fill_diagonal(found, np.where(np.isnan(lengths), np.nan, 1.0))
    return found


def condition(equations):
    """Estimate of the condition number of the scaled columns, infinite where they depend on each other."""
    factor, _ = factorize(equations, 1)
    if factor is None or active_columns(factor, equations.p)[1].size:
        return math.inf
    return math.sqrt(factor.condition)


def aliased(equations):
    """Indices of the columns that depend on earlier ones."""
    return solve_moments(equations).info.aliased


def report(equations, names, threshold):
    """`Collinearity` of the columns."""
    p = equations.p
    dependent = np.array(aliased(equations), np.int64)
    kept = np.setdiff1d(np.arange(p), dependent)
    exponents = root_exponents(np.diagonal(equations.m))
    h = np.ldexp(equations.m, -(exponents[:, None] + exponents[None, :]))
    root = _inverse_root(h[np.ix_(kept, kept)])
    inverse = root @ root.T
    diagonal = np.diagonal(inverse)
    inflation, parts = np.full(p, np.nan), {}
    inflation[kept] = np.maximum(diagonal * np.diagonal(h)[kept], 1.0)
    constant = equations.constant()
    inflation[dependent[~constant[dependent]]] = np.inf
    for j in np.flatnonzero((inflation >= threshold) | np.isinf(inflation)):
        if j in dependent:
            others, scaled = kept, inverse @ h[kept, j]
        else:
            place = np.searchsorted(kept, j)
            others, scaled = np.delete(kept, place), np.delete(-inverse[place] / diagonal[place], place)
        size = np.abs(scaled) * np.sqrt(np.diagonal(h)[others])
        listed = size >= LISTED * size.max(initial=0.0)
        values = np.ldexp(scaled, exponents[j] - exponents[others] + _units(equations, others, j))
        parts[names[j]] = {names[i]: float(v) for i, v in zip(others[listed], values[listed], strict=True)}
    return Collinearity(
        condition(equations), dict(zip(names, inflation.tolist(), strict=True)), [names[j] for j in dependent], parts
    )


def _units(equations, others, j):
    """Exponents that bring a multiple of packed columns to the user's units: x_j 2^e_j = sum_k v_k x_k 2^e_k."""
    exponents = equations.units.exponents
    return exponents[others] - exponents[j]


def _inverse_root(h):
    """H with H Hᵀ = h⁻¹; eigenvalues that are rounding count as rounding."""
    values, vectors = np.linalg.eigh(h)
    return vectors / np.sqrt(np.maximum(values, h.shape[0] * UNIT_ROUNDOFF * values[-1:]))
