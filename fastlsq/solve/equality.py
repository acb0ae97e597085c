# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""`lstsq_equality`: least squares under linear equations, by the null-space method.

    min_x ||A x - b||   with   C x = d,        x = x_0 + Z z,   C x_0 = d,   C Z = 0,   ZᵀZ = I

(Björck, Numerical Methods for Least Squares Problems, SIAM 1996, section 5.1).  The normal equations of A Z are Zᵀ M Z:
they are solved and refined with gradients from the rows where Cholesky finds them well-conditioned, as seen from the
length of M; else Z is applied to the triangle of a QR of the rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlsq import _arrays, _threads
from fastlsq._core import lib
from fastlsq.solve.bounded import SLACK, Columns, gradient_at, triangle_of
from fastlsq.solve.deficient import shortest
from fastlsq.solve.driver import SolveInfo
from fastlsq.solve.moments import UNIT_ROUNDOFF, Problem, gather

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: contraction of the refinement that Zᵀ M Z must promise: p u ‖M‖ ‖(Zᵀ M Z)⁻¹‖
CONTRACTION = 1e-3
MOST_PASSES = 10
#: of the equilibration of C
SWEEPS = 3


@dataclass(slots=True)
class EqualityResult:
    """What `lstsq_equality` found.

    Attributes
    ----------
    x : ndarray, shape (p,) or (p, k)
    rss : float or ndarray, shape (k,)
        Sums of squared residuals at x, weighted if weights were given.
    rank : int
        Of A and C stacked; below p, x is the solution of minimum norm.
    constraints : int
        Independent rows of C.
    info : SolveInfo
        path 'gram' or 'qr', passes, ...; `backward_error` is the gradient of the rows along the constraints, relative
        to the lengths of the columns, the residual and the parts of the fit.
    """

    x: NDArray[np.float64]
    rss: Any
    rank: int
    constraints: int
    info: SolveInfo


def lstsq_equality(
    A: ArrayLike,
    b: ArrayLike,
    C: ArrayLike,
    d: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    n_threads: int | None = None,
) -> EqualityResult:
    """Least squares with linear equality constraints.

        min_x ||A x - b||_2   with   C x = d

    Parameters
    ----------
    A : array_like, shape (n, p), real
        Any numeric dtype and strides, not copied.
    b : array_like, shape (n,) or (n, k), real
    C : array_like, shape (q, p), real
        Its rows may depend on each other.
    d : array_like, shape (q,), or (q, k) with a column for every right-hand side
    weights : array_like, shape (n,), optional
        Of the rows of A, non-negative.
    n_threads : int, optional
        It does not change a bit of the result.

    Returns
    -------
    EqualityResult
        x, rss, rank, ...

    Raises
    ------
    numpy.linalg.LinAlgError
        No x satisfies C x = d.
    ValueError
        Shapes that do not fit, NaN or infinity.
    TypeError
        Complex, sparse, masked or non-numeric input.

    Notes
    -----
    Where more than one x is as good, x has minimum norm.  Work memory: (p, p) matrices and a block of rows.

    Examples
    --------
    >>> import fastlsq
    >>> fit = fastlsq.lstsq_equality([[1, 0], [0, 1], [1, 1]], [1, 2, 6], [[1, -1]], [0])
    >>> fit.x.round(12).tolist(), round(float(fit.rss), 12)
    ([2.5, 2.5], 3.5)
    """
    n_threads = _threads.resolve(n_threads)
    a = _arrays.matrix(A, "A")
    (n, p), (y, is_vector) = a.shape, _arrays.targets(b, "b", a.shape[0], "A")
    weights = _arrays.row_weights(weights, n, "A")
    k = y.shape[1]
    c, d = _checked(C, d, p, k, ("A", "b"))
    if 0 in (p, k, n):
        _arrays.check_finite(A=a, b=y)
    problem = Problem(a, y, weights, False, n_threads, ("A", "b"))
    x, rss, rank, constraints, info = _solve(problem, c, d)
    return EqualityResult(x[:, 0] if is_vector else x, rss[0] if is_vector else rss, rank, constraints, info)


def equality_from_equations(equations, C, d, n_threads=1):
    """`EqualityResult` from normal equations alone, x (p, k) and rss (k,), NaN where rounding has taken it.

    With an intercept the constraints are on the slopes.
    """
    p, k = equations.c.shape
    c, d = _checked(C, d, p, k, ("the state", "the state"))
    columns = Columns(equations)
    constraints = _Constraints(
        np.ldexp(c, columns.x_exponents), np.ldexp(d, -columns.y_exponents), _independent(c, d)
    )
    z, m, x = constraints.null, columns.m, constraints.x0
    info = SolveInfo(path="moments", n_threads=n_threads, kernel=lib.kernel_name())
    inner = np.ascontiguousarray(z.T @ m @ z)
    factor = lib.factorize(inner, None, n_threads)[0] if (np.diagonal(inner) > 0).all() else None
    if factor is not None:
        info.condition, rank = math.sqrt(factor.condition), inner.shape[0]
        for _ in range(2):
            g = columns.c - m @ x
            x = constraints.moved(x + z @ factor.solve(np.ascontiguousarray(z.T @ g)))
    else:
        values, vectors = np.linalg.eigh(inner)
        kept = values > lib.pivot_noise(max(values.size, 1)) * np.abs(m).max(initial=0.0)
        rank, info.reason = int(kept.sum()), "columns depend on each other as far as sums can tell"
        info.condition = math.inf
        own = z @ vectors[:, kept]
        for _ in range(2):
            x = constraints.moved(x + own @ ((own.T @ (columns.c - m @ x)) / values[kept, None]))
        x = shortest(x, np.ascontiguousarray(z @ vectors[:, ~kept]), columns.x_exponents)
    g = columns.c - m @ x
    rss = columns.yy - np.einsum("ij,ij->j", x, columns.c + g)
    parts = np.einsum("ij,ij->j", np.abs(x), np.abs(columns.c) + np.abs(m) @ np.abs(x))
    rss = np.where(columns.yy == 0, 0.0, np.where(rss > SLACK * (columns.yy + parts), rss, np.nan))
    info.rank = constraints.rank + rank
    with np.errstate(over="ignore", under="ignore"):
        coef = np.ldexp(x, columns.x_exponents[:, None] + columns.y_exponents)
        return EqualityResult(coef, np.ldexp(rss, 2 * columns.y_exponents), info.rank, constraints.rank, info)


def _checked(C, d, p, k, of):
    """C (q, p) and d (q, k) in float64."""
    c = _arrays.matrix(C, "C")
    if c.shape[1] != p:
        raise ValueError(f"C has {c.shape[1]} columns, {of[0]} has {p}")
    d, is_vector = _arrays.targets(d, "d", c.shape[0], "C")
    if d.shape[1] not in (1, k) or (d.shape[1] != k and not is_vector):
        raise ValueError(f"d has {d.shape[1]} columns, {of[1]} has {k}" + (" targets" if of[1] != "b" else ""))
    _arrays.check_finite(C=c, d=d)
    d = d.astype(np.float64)
    return c.astype(np.float64), d if d.shape[1] == k else np.repeat(d, k, axis=1)


def _solve(problem, c, d):
    n, p, k = problem.shape
    info = SolveInfo(path="gram", passes=1, n_threads=problem.n_threads, kernel=lib.kernel_name(problem.kernel))
    if 0 in (n, p, k):
        # nothing but the constraints
        constraints = _Constraints(c, d, _independent(c, d))
        x = constraints.x0 if p else np.zeros((0, k))
        y = problem.y.astype(np.float64)
        w = 1.0 if problem.weights is None else problem.weights.astype(np.float64)[:, None]
        info.path, info.rank = "empty", constraints.rank
        return x, (w * y**2).sum(axis=0), constraints.rank, constraints.rank, info
    columns = Columns(gather(problem))
    constraints = _Constraints(
        np.ldexp(c, columns.x_exponents), np.ldexp(d, -columns.y_exponents), _independent(c, d)
    )
    z = constraints.null
    found = None
    m = z.T @ columns.m @ z
    factor, info.reason = _factorize(columns.m, m, problem)
    x = constraints.x0
    if factor is not None:
        found = _by_gram(problem, columns, constraints, factor, info)
        info.condition, info.rank = math.sqrt(factor.condition), p
    if found is None:
        info.reason = info.reason or "refinement does not settle"
        found, info.rank = _by_rows(problem, columns, constraints, info)
    x, rss = found
    with np.errstate(over="ignore", under="ignore"):
        coef = np.ldexp(x, columns.x_exponents[:, None] + columns.y_exponents)
        return coef, np.ldexp(rss, 2 * columns.y_exponents), info.rank, constraints.rank, info


def _row_exponents(c):
    """Of powers of two that bring the largest entry of every row near 1."""
    peaks = np.abs(c).max(axis=1, initial=0.0)
    return np.where(peaks > 0, -np.frexp(peaks)[1], 0)


def _independent(c, d):
    """The rank of C; LinAlgError where no x satisfies C x = d.

    Both are properties of C and d alone, in any units of rows and columns: here the largest entries are near 1.
    """
    for _ in range(SWEEPS):
        c = np.ldexp(c, _row_exponents(c.T))
        rows = _row_exponents(c)[:, None]
        c, d = np.ldexp(c, rows), np.ldexp(d, rows)
    own = _Constraints(c, d, None)
    left = np.abs(own.left(own.x0))
    size = np.abs(own.c) @ np.abs(own.x0) + np.abs(own.d)
    condition = 1.0
    if own.rank:
        diagonal = np.abs(np.diagonal(own.r))
        condition = diagonal[0] / diagonal[-1]
    if (left > 1e3 * c.shape[1] * UNIT_ROUNDOFF * condition * size.max(axis=0, initial=0.0)).any():
        raise np.linalg.LinAlgError("the constraints contradict each other: no x satisfies C x = d")
    return own.rank


class _Constraints:
    """C x = d in scaled units: x_0 of minimum norm, an orthonormal basis of the null space, and corrections.

    Columns of C may be of very different lengths: the longest go first and the rows of C are pivoted, so that a QR of
    Cᵀ keeps the digits of all (Cox and Higham, Stability of Householder QR factorization for weighted least squares
    problems, 1998).  The rank, None for what this QR finds, is then no matter of its diagonal.
    """

    def __init__(self, c, d, rank):
        from scipy.linalg import qr

        rows = _row_exponents(c)[:, None]
        self.c, self.d = np.ldexp(c, rows), np.ldexp(d, rows)
        q, p = c.shape
        if q == 0 or p == 0:
            self.rank, self.range, self.null = 0, np.zeros((p, 0)), np.eye(p)
            self.order, self.r = np.zeros(0, np.int64), np.zeros((0, 0))
        else:
            longest = np.argsort(-np.abs(self.c).max(axis=0), kind="stable")
            basis = np.empty((p, p))
            basis[longest], r, order = qr(self.c.T[longest], pivoting=True, check_finite=False)
            diagonal = np.abs(np.diagonal(r))
            noise = 8 * max(8.0, math.sqrt(p)) * UNIT_ROUNDOFF
            self.rank = int((diagonal > noise * diagonal[:1]).sum()) if rank is None else rank
            self.range, self.null = basis[:, : self.rank], np.ascontiguousarray(basis[:, self.rank :])
            self.order, self.r = order[: self.rank], r[: self.rank, : self.rank]
        self.x0 = self.moved(np.zeros((p, d.shape[1])))

    def left(self, x):
        return self.d - self.c @ x

    def moved(self, x):
        """x, moved the shortest way to where the independent constraints hold."""
        from scipy.linalg import solve_triangular

        for _ in range(3):
            if self.rank:
                step = solve_triangular(self.r, self.left(x)[self.order], trans="T", check_finite=False)
                x = x + self.range @ step
        return x


def _factorize(whole, m, problem):
    if m.shape[0] == 0:
        return lib.factorize(m, None, 1)
    if not (np.diagonal(m) > 0).all():
        return None, "a column has no sum of squares"
    factor, reason = lib.factorize(m, None, problem.n_threads, problem.kernel)
    if factor is None:
        return None, reason
    inverse = lib.inverse_norm_estimate(factor.r, problem.kernel) * np.max(factor.scale) ** 2
    contraction = m.shape[0] * UNIT_ROUNDOFF * np.abs(whole).sum(axis=0).max() * inverse
    if not contraction <= CONTRACTION:
        return None, f"contraction {contraction:.1e} of the refinement is not enough"
    return factor, ""


def _by_gram(problem, columns, constraints, factor, info):
    """(x, rss) refined until the steps are rounding or no longer fall; None if they do neither."""
    z = constraints.null
    x = constraints.x0
    g = columns.c - columns.m @ x
    last = np.full(x.shape[1], np.inf)
    for _ in range(MOST_PASSES):
        x = x + z @ factor.solve(np.ascontiguousarray(z.T @ g), problem.kernel)
        x = constraints.moved(x)
        g, rss = gradient_at(problem, columns, x)
        info.passes += 1
        step = np.linalg.norm(factor.solve(np.ascontiguousarray(z.T @ g), problem.kernel), axis=0)
        size = np.linalg.norm(x, axis=0)
        if ((step <= 8 * UNIT_ROUNDOFF * size) | (step > last / 8)).all():
            info.backward_error = _along(columns, z, g, rss, x)
            return x, rss
        last = step
    return None


def _along(columns, z, g, rss, x):
    """The gradient along the constraints, relative to what it is made of; the largest of all targets."""
    size = np.sqrt(rss) + np.abs(x).sum(axis=0)
    gradient = np.linalg.norm(z.T @ g, axis=0)
    return float(np.where(size > 0, gradient / np.where(size > 0, size, 1.0), 0.0).max(initial=0.0))


def _by_rows(problem, columns, constraints, info):
    """((x, rss), rank) by a QR of the rows; minimum norm in the user's units."""
    from scipy.linalg import svd

    t, right = triangle_of(problem, columns, np.arange(problem.shape[2]))
    r, right = t.T, right.T
    z = constraints.null
    left, values, vt = svd(r @ z, full_matrices=True, check_finite=False)
    # a direction of A is looked at across the constraints: relative to the length of A itself
    noise = 8 * max(8.0, math.sqrt(max(r.shape))) * UNIT_ROUNDOFF
    rank = int((values > noise * np.linalg.norm(r)).sum())
    x = constraints.x0
    for _ in range(2):
        rest = right - r @ x
        x = x + z @ (vt[:rank].T @ ((left[:, :rank].T @ rest) / values[:rank, None]))
        x = constraints.moved(x)
    missing = z.shape[1] - rank
    if missing:
        x = shortest(x, np.ascontiguousarray(z @ vt[rank:].T), columns.x_exponents)
    g, rss = gradient_at(problem, columns, x)
    info.path, info.passes = "qr", info.passes + 2
    info.condition = float(values[0] / values[rank - 1]) if rank else math.nan
    info.backward_error = _along(columns, z, g, rss, x)
    return (x, rss), constraints.rank + rank
