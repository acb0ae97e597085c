# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""`polyfit`: NumPy's signature, fitted in Chebyshev polynomials of x mapped to [-1, 1].

Powers of x are nearly dependent, and no solver can undo what rounding them has done.  Chebyshev polynomials of
t = (2x - a - b)/(b - a) are nearly orthogonal; the coefficients of the powers of x follow from theirs in rational
arithmetic, rounded once.
"""

from __future__ import annotations

import operator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlsq import _arrays
from fastlsq.solve.lstsq import lstsq

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def polyfit(
    x: ArrayLike,
    y: ArrayLike,
    deg: int,
    rcond: float | None = None,
    full: bool = False,
    w: ArrayLike | None = None,
    cov: bool | str = False,
    *,
    n_threads: int | None = None,
) -> Any:
    """Least-squares polynomial of degree `deg` through y: minimise sum_i (w_i (y_i - p(x_i)))².

    Parameters
    ----------
    x : array_like, shape (n,)
    y : array_like, shape (n,) or (n, k)
    deg : int
        At least 0.
    rcond : float, optional
        Singular values of the Chebyshev basis below `rcond` times the largest count as zero.
    full : bool
        Return ``(p, residuals, rank, singular_values, rcond)``; rank and singular values are those of the Chebyshev
        basis.
    w : array_like, shape (n,), optional
        Factors of the residuals, as in `numpy.polyfit`: 1/sigma, not 1/sigma².
    cov : bool or 'unscaled'
        Return ``(p, v)`` with the covariance of the coefficients, scaled by chi²/(n - deg - 1) unless 'unscaled'.
    n_threads : int, optional

    Returns
    -------
    p : ndarray, shape (deg + 1,) or (deg + 1, k)
        Coefficients of the powers of x, highest first, as `numpy.polyval` takes them.  Fewer distinct x than
        coefficients give the polynomial whose Chebyshev coefficients have minimum norm.

    Raises
    ------
    ValueError
        A negative degree, shapes that do not fit, values that are not finite, all x the same for a positive degree.

    References
    ----------
    .. [1] L. N. Trefethen, Approximation Theory and Approximation Practice, SIAM, 2013, chapters 3 and 4.

    Examples
    --------
    >>> import numpy as np, fastlsq
    >>> x = np.linspace(1000, 1001, 50)
    >>> fastlsq.polyfit(x, 3 * (x - 1000) ** 2 + 1, 2).round(4)
    array([ 3.000000e+00, -6.000000e+03,  3.000001e+06])
    """
    deg = operator.index(deg)
    if deg < 0:
        raise ValueError(f"deg must be >= 0, got {deg}")
    points = _vector(x, "x")
    targets, is_vector = _arrays.targets(y, "y", points.size, "x")
    _arrays.check_finite(y=targets)
    first, last = float(points.min()), float(points.max())
    if deg > 0 and first == last:
        raise ValueError(f"all x are {first!r}: a polynomial of degree {deg} needs different ones")
    factors = None if w is None else _vector(w, "w")
    if factors is not None and factors.size != points.size:
        raise ValueError(f"w has {factors.size} entries, x has {points.size}")
    basis = _chebyshev(_mapped(points, first, last), deg)
    targets = targets.astype(np.float64)
    if factors is not None:
        basis *= factors[:, None]
        targets = targets * factors[:, None]
    found = lstsq(basis, targets, rcond, accuracy="full", n_threads=n_threads)
    powers = _powers(deg, first, last)
    coefficients = np.array([[_exactly(row, column) for column in found.x.T] for row in powers])
    p = coefficients[:, 0] if is_vector else coefficients
    if full:
        residues = np.atleast_1d(found.residues[0] if is_vector and found.residues.size else found.residues)
        return p, residues, found.rank, found.s, points.size * np.finfo(float).eps if rcond is None else rcond
    if cov:
        return p, _covariance(basis, powers, found, cov != "unscaled", is_vector)
    return p


def _vector(values, name):
    array = _arrays.real(values, name)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name} must be a vector with at least one entry, got shape {array.shape}")
    array = array.astype(np.float64)
    _arrays.check_finite(**{name: array[:, None]})
    return array


def _mapped(x, first, last):
    """x in [-1, 1], to the last bit: differences to the nearer end are exact or nearly so."""
    if first == last:
        return np.zeros_like(x)
    lower, upper = (x - first) / (last - first), (last - x) / (last - first)
    return np.where(lower < upper, 2 * lower - 1, 1 - 2 * upper)


def _chebyshev(t, deg):
    """T_0 .. T_deg at t as columns: T_j = 2 t T_(j-1) - T_(j-2)."""
    basis = np.ones((t.size, deg + 1))
    if deg > 0:
        basis[:, 1] = t
    for j in range(2, deg + 1):
        basis[:, j] = 2 * t * basis[:, j - 1] - basis[:, j - 2]
    return basis


def _powers(deg, first, last):
    """Row i: the coefficients of x^(deg - i) in T_0(t(x)) .. T_deg(t(x)), exactly."""
    low, high = Fraction(first), Fraction(last)
    slope = Fraction(2) / (high - low) if high != low else Fraction(0)
    level = -(low + high) / (high - low) if high != low else Fraction(0)
    polynomials = [[Fraction(1)], [level, slope]]  # lowest power first
    for _ in range(2, deg + 1):
        before, latest = polynomials[-2:]
        following = [Fraction(0)] * (len(latest) + 1)
        for i, value in enumerate(latest):
            following[i] += 2 * level * value
            following[i + 1] += 2 * slope * value
        for i, value in enumerate(before):
            following[i] -= value
        polynomials.append(following)
    return [[q[i] if i < len(q) else Fraction(0) for q in polynomials[: deg + 1]] for i in range(deg, -1, -1)]


def _exactly(row, column):
    return float(sum((factor * Fraction(float(value)) for factor, value in zip(row, column, strict=True)), Fraction(0)))


def _covariance(basis, powers, found, scaled, is_vector):
    """Of the coefficients: B (TᵀT)⁻¹ Bᵀ, for every target times its variance."""
    n, p = basis.shape
    to_powers = np.array([[float(value) for value in row] for row in powers])
    half = np.linalg.solve(np.linalg.qr(basis, mode="r").T, to_powers.T)
    v = half.T @ half
    if not scaled:
        return v if is_vector else v[:, :, None]
    if n <= p:
        raise ValueError(f"the covariance needs more than {p} points, got {n}")
    variance = found.rss / (n - p)
    return v * variance[0] if is_vector else v[:, :, None] * variance

