# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""`lstsq`: SciPy's signature, one fused pass, a checked answer."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fastlsq import _arrays, _threads
from fastlsq._core import lib
from fastlsq.solve.batched import BatchInfo, lstsq_batched
from fastlsq.solve.complex import solve_complex
from fastlsq.solve.driver import SolveInfo, column_norms, forward_bound, unrefined_bound
from fastlsq.solve.ladder import solve
from fastlsq.solve.lapack import lapack_solver
from fastlsq.solve.moments import Problem
from fastlsq.solve.twofold import refined_info

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Singular values follow from the Cholesky factor to 1e-13 of the largest below this condition (their absolute error
# is u*kappa/2 of it); above, they are computed from the rows.
_FACTOR_CONDITION = 1e3
_FLOAT64 = np.dtype(np.float64)


class LstsqResult:
    """What `lstsq` found.  Unpacks as SciPy's tuple ``x, residues, rank, s``.

    Attributes
    ----------
    x : ndarray, shape (p,) or (p, k)
    residues : ndarray, shape (), (k,) or (0,)
        Sums of squared residuals; empty when the rank is below p or n <= p, as in SciPy.
    rank : int
    s : ndarray, shape (min(n, p),), or None with ``lapack_driver='gelsy'``
        Singular values of `a` (times sqrt(weights)), computed when first asked for.  Until then a result for
        ill-conditioned `a`, for one of many columns, and for a batch, keeps a reference to it: its values are those `a`
        has at that time.
    rss : ndarray, shape () or (k,)
        Sums of squared residuals, weighted if weights were given, whatever the rank.
    info : SolveInfo or BatchInfo
        path, passes, condition, backward_error, ...
    """

    __slots__ = ("_info", "_s", "rank", "residues", "rss", "x")

    def __init__(self, x: NDArray[Any], residues: Any, rank: Any, s: Any, rss: Any, info: Any) -> None:
        """`s` and `info` may be functions that make them, or what `_in_one_call` kept for that: to make them costs as
        much as a tiny problem."""
        self.x, self.residues, self.rank, self.rss = x, residues, rank, rss
        self._s, self._info = s, info

    @property
    def info(self) -> SolveInfo | BatchInfo:
        info = self._info
        if type(info) is tuple:
            self._info = info = _info_of_one_call(*info)
        elif callable(info):
            self._info = info = info()
        return info

    @property
    def s(self) -> NDArray[Any] | None:
        s = self._s
        if type(s) is tuple:
            self._s = s = _values_of_one_call(*s)
        elif callable(s):
            self._s = s = s()
        return s

    def __iter__(self) -> Iterator[Any]:
        return iter((self.x, self.residues, self.rank, self.s))

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: Any) -> Any:
        return tuple(self)[index]

    def __getstate__(self):
        return self.x, self.residues, self.rank, self.s, self.rss, self.info

    def __setstate__(self, state):
        self.__init__(*state)

    def __repr__(self):
        rank, passes = np.min(self.rank, initial=self.x.size), np.max(self.info.passes, initial=0)
        return (
            f"LstsqResult(x of shape {self.x.shape}, rank={rank}, path={self.info.path!r}, "
            f"passes={passes}, backward_error={np.max(self.info.backward_error, initial=0):.1e})"
        )


def lstsq(
    a: ArrayLike,
    b: ArrayLike,
    cond: float | None = None,
    overwrite_a: bool = False,
    overwrite_b: bool = False,
    check_finite: bool = True,
    lapack_driver: Literal["gelsd", "gelsy", "gelss"] | None = None,
    *,
    weights: ArrayLike | None = None,
    accuracy: Literal["fast", "qr", "full"] = "qr",
    n_threads: int | None = None,
) -> LstsqResult:
    """Least-squares solution of ``a x = b``: minimise sum_i w_i (b_i - a_i x)² for every column of b.

    One pass over the rows accumulates aᵀWa and aᵀWb; the equilibrated system is factorized, and the solution refined
    with residuals taken from the rows until it is certified.  What cannot be certified climbs a ladder: another Gram
    pass of preconditioned columns, minimum norm for dependent columns, QR with sorted rows (docs/accuracy.md).

    Parameters
    ----------
    a : array_like, shape (n, p) or (..., n, p), real
        Any numeric dtype, any strides; float64, float32, float16, bool and integers are read without a copy.  Complex
        `a` or `b` go to LAPACK through SciPy.
        Leading dimensions are so many problems of one shape, which are solved together, many at a time.
    b : array_like, shape (n,) or (n, k), real
        With leading dimensions (..., n) or (..., n, k): one dimension less than `a`, or as many.  Leading dimensions of
        1 are repeated (several of them at once by a copy).
    cond : float, optional
        Singular values of `a` below ``cond`` times the largest count as zero, as in SciPy.  By default the rank is
        judged after the columns of `a` were scaled to equal length, so that units do not matter.
    overwrite_a, overwrite_b : bool
        Accepted for compatibility; the arrays are never modified.
    check_finite : bool
        Raise ValueError for NaN or infinity, naming row and column.  The check costs nothing; without it such input
        gives NaN coefficients.
    lapack_driver : {None, 'gelsd', 'gelsy', 'gelss'}
        Used when the answer comes from SciPy: fewer rows than columns, or a `cond` that may cut singular values; None
        means SciPy's default.
    weights : array_like, shape (n,), optional
        Non-negative row weights w (not their square roots): a weight of 2 counts as the row given twice.  With leading
        dimensions shape (..., n), those of `a`.
    accuracy : {'fast', 'qr', 'full'}
        'fast': one read of the rows where the condition number is below 10 and the residual not tiny, with an error of
        up to some 100u for every column (`info.forward_error`), else as 'qr'.  'qr': a backward error of at most 4u, as
        Householder QR has or better.  'full': residuals and gradients are then summed with twice the digits until the
        last bit of the coefficients is settled (up to a condition number of some 1e8; above, the error is at most about
        u² times its square), for a few more passes over the rows; not where there are fewer rows than columns.
    n_threads : int, optional
        Threads for this call; by default what the process may use.  It does not change a bit of the result.

    Returns
    -------
    LstsqResult
        ``.x``, ``.residues``, ``.rank``, ``.s``, ``.rss``, ``.info``; unpacks as ``x, residues, rank, s``.
        With leading dimensions all but ``.info`` are arrays with the same; ``.residues`` is then NaN where the rank is
        below p, and ``.info`` is a `BatchInfo`.
        float32 (and narrower) input is accumulated in float64 and answered in float32.

    Raises
    ------
    ValueError
        Shapes that do not fit, non-finite values, bad weights or n_threads, an unknown driver.
    TypeError
        Sparse, masked or non-numeric input.

    References
    ----------
    .. [1] Å. Björck, Numerical Methods for Least Squares Problems, SIAM, 1996, sections 2.2 and 6.6.
    .. [2] N. J. Higham, Accuracy and Stability of Numerical Algorithms, 2nd ed., SIAM, 2002, chapters 10, 15, 20.

    Examples
    --------
    >>> import numpy as np, fastlsq
    >>> a = np.array([[1.0, 1.0], [1.0, 2.0], [1.0, 4.0]])
    >>> r = fastlsq.lstsq(a, np.array([3.0, 5.0, 9.0]))
    >>> r.x.round(12)
    array([1., 2.])
    >>> r.info.path
    'gram'

    Two problems at once:

    >>> fastlsq.lstsq(np.stack([a, 2 * a]), np.array([[3.0, 5.0, 9.0], [6.0, 10.0, 18.0]])).x.round(12)
    array([[1., 2.],
           [1., 2.]])
    """
    if n_threads is not None:
        n_threads = _threads.resolve(n_threads)
    refused = None
    if accuracy != "qr":
        _arrays.check_accuracy(accuracy)
    if type(a) is np.ndarray is type(b) and cond is lapack_driver is weights is None:
        result = _in_one_call(a, b, n_threads, accuracy)
        if isinstance(result, LstsqResult):
            return result
        refused = result
    if lapack_driver not in (None, "gelsd", "gelsy", "gelss"):
        raise ValueError(f"lapack_driver must be 'gelsd', 'gelsy' or 'gelss', got {lapack_driver!r}")
    if cond is not None and not (isinstance(cond, (int, float, np.number)) and cond == cond):
        raise ValueError(f"cond must be a number or None, got {cond!r}")
    if _arrays.is_complex(a) or _arrays.is_complex(b):
        return LstsqResult(*solve_complex(a, b, cond, check_finite, lapack_driver, weights))
    if np.ndim(a) > 2:
        one = _One(cond, check_finite, lapack_driver, accuracy)
        return LstsqResult(*lstsq_batched(a, b, weights, _threads.resolve(n_threads), one))
    n_threads = _threads.resolve(n_threads)
    names = _arrays.own_names(a)
    a = _arrays.matrix(a, "a")
    n, p = a.shape
    b, is_vector = _arrays.targets(b, "b", n, "a")
    weights = _arrays.row_weights(weights, n, "a")
    dtype = _arrays.result_dtype(a, b)
    problem = Problem(a, b, weights, False, n_threads, ("a", "b"), check_finite)
    if 0 in a.shape:
        return _empty(problem, dtype, is_vector)
    lapack = lapack_solver(cond, lapack_driver)
    solution = solve(problem, lapack, cond is not None, accuracy, refused)
    if cond is not None and solution.triangle is not None and not _clears_cutoff(solution, cond):
        solution = lapack(problem, solution.equations, f"cond={cond:g} may cut singular values")
    solution.info.name_aliased(names)
    return _result(problem, solution, dtype, is_vector, lapack_driver)


class _One:
    """`lstsq` for one problem of a batch; errors name the problem."""

    def __init__(self, cond, check_finite, lapack_driver, accuracy):
        self.options = {"cond": cond, "check_finite": check_finite, "lapack_driver": lapack_driver,
                        "accuracy": accuracy, "n_threads": 1}
        self.fast = cond is None and accuracy != "full"  # else problem by problem

    def __call__(self, a, b, weights, place):
        try:
            return lstsq(a, b, weights=weights, **self.options)
        except ValueError as error:
            raise ValueError(f"problem {place[0] if len(place) == 1 else place}: {error}") from None


def _in_one_call(a, b, n_threads, accuracy="qr"):
    """The answer for plain float64 arrays that rung 1 certifies at once, else what the attempt has left, or None."""
    if not a.dtype is b.dtype is _FLOAT64 or a.ndim != 2 or not 0 < b.ndim <= 2 or len(a) != len(b):
        return None
    unrefined = accuracy == "fast"
    found = lib.lstsq(a, b, n_threads, _threads.resolve, unrefined)
    if found is None or len(found) == 3:
        return found
    if len(found) == 5:
        return _by_qr(a, b, accuracy, *found)
    x, rss, factor, passes, backward_error, used = found
    n, p = a.shape
    steps = None
    if accuracy == "full":
        squares = np.atleast_1d(rss)
        steps = lib.refine_fully(a, b, factor, x, squares, used)
        rss = squares if b.ndim == 2 else squares[0]
    kept = a, n_threads, factor, unrefined, steps, passes, backward_error, used
    return LstsqResult(x, rss if n > p else np.empty(0), p, kept, rss, kept)


def _by_qr(a, b, accuracy, x, rss, qr, reason, passes):
    (n, p), rank = a.shape, qr.rank
    if accuracy == "full" and rank < p <= n:
        return None  # the whole story refines what has a null space
    steps = lib.refine_fully(a, b, qr.factor, x, rss, 1) if accuracy == "full" and rank == p else None
    if b.ndim == 1:
        rss = rss[0]
    info = partial(_info_by_qr, qr, x.copy(), rss.copy(), lib.kernel_name(), reason, steps, passes)
    return LstsqResult(x, rss if n > p and rank == p else np.empty(0), rank, partial(_values_from_rows, a), rss, info)


def _info_by_qr(qr, x, rss, kernel, reason, steps, passes):
    p, rank = x.shape[0], qr.rank
    condition, error, aliased = math.sqrt(qr.factor.condition), math.nan, ()
    if rank < p and not qr.is_wide:
        aliased = tuple(map(int, np.flatnonzero(qr.dependent)))
    elif rank == p:
        size = column_norms(x.reshape(p, -1) / qr.factor.scale[:, None])
        error = forward_bound(condition, math.sqrt(qr.factor.trace), size, np.atleast_1d(rss))
    if rank == 0:
        condition = math.nan
    info = SolveInfo("qr", reason, passes, condition, qr.backward_error, rank, aliased, 1, kernel, error)
    return info if steps is None else refined_info(info, *steps, True)


def _info_of_one_call(a, _, factor, unrefined, steps, passes, backward_error, n_threads):
    condition, trace, p = math.sqrt(factor.condition), math.sqrt(factor.trace), a.shape[1]
    x, rss, kernel = factor.kept()  # the result's own are the user's to change
    size = column_norms(x / factor.scale[:, None])
    error = forward_bound(condition, trace, size, rss)
    if unrefined and passes == 0:
        error = unrefined_bound(p, factor.condition, trace, size, rss)
    path = "gram32" if factor.is_single else "gram"
    info = SolveInfo(path, "", passes + 1, condition, backward_error, p, (), n_threads, kernel, error)
    return info if steps is None else refined_info(info, *steps, True)


def _result(problem, solution, dtype, is_vector, lapack_driver):
    n, p, _ = problem.shape
    with np.errstate(over="ignore", under="ignore"):
        x = solution.coef.astype(dtype, copy=False)
        rss = solution.rss.astype(dtype, copy=False)
    if is_vector:
        x, rss = x[:, 0], rss[0]
    rank = solution.info.rank
    residues = rss if n > p and rank == p else np.empty(0, dtype)
    s = None if lapack_driver == "gelsy" else _singular_values(problem, solution, dtype)
    return LstsqResult(x, residues, rank, s, rss, solution.info)


def _empty(problem, dtype, is_vector):
    """n = 0 or p = 0: x is zero and nothing is explained."""
    n, p, k = problem.shape
    if problem.check_finite:
        _arrays.check_finite(b=problem.y)
    y = problem.y.astype(np.float64)
    rss = np.einsum("ij,ij->j", y, y if problem.weights is None else y * problem.weights[:, None]).astype(dtype)
    x = np.zeros((p, k), dtype)
    if is_vector:
        x, rss = x[:, 0], rss[0]
    residues = rss if p == 0 else np.empty(0, dtype)
    info = SolveInfo(path="empty", passes=1, condition=1.0, backward_error=0.0, n_threads=problem.n_threads,
                     kernel=lib.kernel_name(problem.kernel))
    return LstsqResult(x, residues, 0, np.empty(0, dtype), rss, info)


def _scaled_triangle(r, exponents):
    """(R 2^exponents / 2^top, top), largest entry near 1."""
    top = int(exponents.max(initial=0))
    return np.ldexp(r, exponents[None, :] - top), top


def _own_triangle(solution):
    """(R, exponents) of the rows in the user's units."""
    r, exponents = solution.triangle
    used = np.setdiff1d(np.arange(solution.equations.p), solution.info.aliased)
    return r, exponents - solution.equations.units.exponents[used]


def _clears_cutoff(solution, cond):
    """Whether every singular value of a is safely above cond times the largest."""
    if solution.info.rank < solution.equations.p:
        return False
    r, _ = _scaled_triangle(*_own_triangle(solution))
    gram_norm = float(np.abs(r.T @ r).sum(axis=0).max())
    condition = math.sqrt(gram_norm * lib.inverse_norm_estimate(np.ascontiguousarray(r)))
    return bool(cond * condition * solution.equations.p < 0.1)


def _singular_values(problem, solution, dtype):
    """The values, or a function that computes them when asked for."""
    n, p, _ = problem.shape
    if solution.singular_values is not None:
        return solution.singular_values.astype(dtype, copy=False)
    if solution.info.path == "nonfinite":
        return np.full(min(n, p), np.nan, dtype)
    # those of moments are off by u*kappa/2 of the largest, those of preconditioned ones by u
    if solution.triangle is not None and (
        solution.info.path in ("preconditioned", "qr") or solution.info.condition <= _FACTOR_CONDITION
    ):
        return lambda: _values_of_triangle(*_own_triangle(solution), p).astype(dtype, copy=False)
    return lambda: _values_from_rows(problem.x, problem.weights).astype(dtype, copy=False)


def _values_of_triangle(r, exponents, p):
    from scipy.linalg import svdvals

    r, top = _scaled_triangle(r, exponents)
    values = np.zeros(p)
    if r.size:
        values[: r.shape[0]] = np.ldexp(svdvals(r, check_finite=False), top)
    return values


def _values_from_factor(factor, p):
    return _values_of_triangle(factor.r, factor.exponents, p)


def _values_of_one_call(a, n_threads, factor, *_):
    if math.sqrt(factor.condition) > _FACTOR_CONDITION:
        return _values_from_rows(a)
    return _values_from_moments(a, n_threads) if factor.is_single else _values_from_factor(factor, a.shape[1])


def _values_from_moments(a, n_threads):
    """Of plain `a`, well-conditioned when the problem was solved."""
    p = a.shape[1]
    moments = lib.Moments(p, 0, False)
    threads = _threads.resolve(n_threads)
    moments.update(a, None, None, None, None, threads)
    m = np.empty((p, p))
    moments.collect(m, np.empty(0), n_threads=threads)
    factor, _ = lib.factorize(m, None, threads)
    return _values_from_rows(a) if factor is None else _values_from_factor(factor, p)


def _values_from_rows(a, weights=None):
    from scipy.linalg import svdvals

    rows = a.astype(np.float64)
    if weights is not None:
        rows *= np.sqrt(weights.astype(np.float64))[:, None]
    return svdvals(rows, overwrite_a=True, check_finite=False)
