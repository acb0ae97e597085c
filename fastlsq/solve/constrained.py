# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""`nnls` and `lsq_linear`: SciPy's signatures, many right-hand sides, answers checked against the rows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from operator import index
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlsq import _arrays, _threads
from fastlsq._core import lib
from fastlsq.solve.bounded import (
    BoundedInfo,
    BoundedSolution,
    Columns,
    bounded_from_equations,
    condition_of,
    gradient_at,
    solve_bounded,
)
from fastlsq.solve.ladder import solve
from fastlsq.solve.lapack import lapack_solver
from fastlsq.solve.moments import Problem, gather

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from fastlsq.solve.moments import NormalEquations

_FLOAT64 = np.dtype(np.float64)
_NO_INTERCEPT = np.float64(0)
#: violation of the optimality conditions that rounding may leave
_LARGEST_KKT = 1e-12
_MESSAGES = (
    "Too many iterations.",
    "The optimality conditions do not hold to rounding, or the residuals are beyond float64.",
    "The optimality conditions hold to rounding.",
)


class NNLSResult:
    """What `nnls` found.  Unpacks as SciPy's tuple ``x, rnorm``.

    Attributes
    ----------
    x : ndarray, shape (p,) or (p, k)
        No entry is negative.
    rnorm : float or ndarray, shape (k,)
        2-norms of the residuals of x, weighted if weights were given.
    intercept : float or ndarray, shape (k,)
        0 without one.
    info : BoundedInfo
        path, iterations, passes, kkt, ...
    """

    __slots__ = ("_info", "intercept", "rnorm", "x")

    def __init__(self, x: NDArray[np.float64], rnorm: Any, intercept: Any, info: Any) -> None:
        """`info` may be a function that makes it: that costs more than a tiny problem."""
        self.x, self.rnorm, self.intercept, self._info = x, rnorm, intercept, info

    @property
    def info(self) -> BoundedInfo:
        info = self._info
        if callable(info):
            self._info = info = info()
        return info

    @property
    def path(self) -> str:
        """`info.path`, without the cost of the rest."""
        return "qr" if callable(self._info) else self._info.path

    def __iter__(self) -> Iterator[Any]:
        return iter((self.x, self.rnorm))

    def __len__(self) -> int:
        return 2

    def __getitem__(self, index: Any) -> Any:
        return (self.x, self.rnorm)[index]

    def __getstate__(self):
        return self.x, self.rnorm, self.intercept, self.info

    def __setstate__(self, state):
        self.__init__(*state)

    def __repr__(self):
        return f"NNLSResult(x of shape {self.x.shape}, path {self.info.path!r}, kkt {self.info.kkt:.1e})"


class BoundedResult:
    """What `lsq_linear` found.

    Attributes
    ----------
    x : ndarray, shape (p,) or (p, k)
        Within its bounds.
    cost : float or ndarray, shape (k,)
        Half of the sum of squared residuals, weighted if weights were given.
    optimality : float or ndarray, shape (k,)
        The largest violation of the optimality conditions: of free coefficients the gradient, of others the part of it
        that points into the bounds.
    active_mask : ndarray of int, shape of x
        -1 on the lower bound, 1 on the upper, 0 between.
    nit : int or ndarray, shape (k,)
    success : bool
        Whether the status is 1: all targets were solved in `max_iter` iterations.
    status : int
        1: the optimality conditions hold to rounding (`info.kkt` at most 1e-12).  0: they do not, or the iterations did
        not do; x is within its bounds.
    message : str
    info : BoundedInfo
        path, passes, kkt, ...

    Notes
    -----
    A pickled result, and that of `Gram.lsq_linear`, is without the rows: its `fun` raises AttributeError.
    """

    __slots__ = ("_rows", "active_mask", "cost", "info", "message", "nit", "optimality", "status", "success", "x")

    def __init__(self, solution: BoundedSolution, is_vector: bool, rows: tuple[Any, Any] | None) -> None:
        one = (lambda a: a[0]) if is_vector else (lambda a: a)
        self.x = solution.coef[:, 0] if is_vector else solution.coef
        with np.errstate(over="ignore", under="ignore"):
            self.cost = one(0.5 * solution.rnorm**2)
        self.optimality = one(solution.optimality)
        self.active_mask = solution.place[:, 0] if is_vector else solution.place
        self.nit = one(solution.info.iterations)
        settled = bool(solution.settled.all())
        self.success = settled and solution.info.kkt <= _LARGEST_KKT
        self.status = int(self.success)
        self.message = _MESSAGES[settled + self.success]
        self.info = solution.info
        self._rows = rows

    @property
    def fun(self) -> NDArray[np.float64]:
        """A x - b, not weighted, of the arrays that were given, as they are when it is asked for."""
        if self._rows is None:
            raise AttributeError("fun is not known of a result that was pickled, or of sums: the rows are not kept")
        a, b = self._rows
        return a @ self.x - b

    def __getstate__(self):
        return {name: getattr(self, name) for name in self.__slots__ if name != "_rows"}

    def __setstate__(self, state):
        self._rows = None
        for name, value in state.items():
            setattr(self, name, value)

    def __repr__(self):
        return f"BoundedResult(x of shape {self.x.shape}, path {self.info.path!r}, kkt {self.info.kkt:.1e})"


def nnls(
    A: ArrayLike,
    b: ArrayLike,
    maxiter: int | None = None,
    *,
    atol: float | None = None,
    weights: ArrayLike | None = None,
    intercept: bool = False,
    n_threads: int | None = None,
) -> NNLSResult:
    """Non-negative least squares, for one right-hand side or many.

        min_x ||A x - b||_2   with   x >= 0

    Weighted: sum_i w_i (A x - b)_i².  The normal equations are solved by block principal pivoting and refined with
    gradients from the rows of A; ill-conditioned or dependent columns and n < p by Lawson and Hanson's method on the
    triangle of a QR.  Whatever the path, residuals and the signs of gradients are those of the rows at the returned x.

    Parameters
    ----------
    A : array_like, shape (n, p), real
        Any numeric dtype and strides, not copied.
    b : array_like, shape (n,) or (n, k), real
    maxiter : int, optional
        Exchanges between zero and positive coefficients that one right-hand side may take; enough by default.
    atol : float, optional
        Accepted for SciPy's signature; not used, as there.
    weights : array_like, shape (n,), optional
        Non-negative; as if row i were there w_i times.
    intercept : bool
        A constant of either sign besides.
    n_threads : int, optional
        It does not change a bit of the result.

    Returns
    -------
    NNLSResult
        Unpacks as ``x, rnorm``.

    Raises
    ------
    ValueError
        Shapes that do not fit, NaN or infinity.
    TypeError
        Complex, sparse, masked or non-numeric input.
    RuntimeError
        `maxiter` was not enough.

    References
    ----------
    Lawson and Hanson, Solving Least Squares Problems, SIAM 1995, chapter 23.  Kim and Park, Fast nonnegative matrix
    factorization: an active-set-like method and comparisons, SIAM J. Sci. Comput. 33, 2011.

    Examples
    --------
    >>> import fastlsq
    >>> x, rnorm = fastlsq.nnls([[1, 0], [1, 0], [0, 1]], [2, 1, -1])
    >>> x.tolist(), round(float(rnorm), 12)
    ([1.5, 0.0], 1.224744871392)
    """
    del atol
    most = _limit(maxiter, "maxiter")
    if type(A) is np.ndarray is type(b) and weights is None and not intercept:
        result = _in_one_call(A, b, most, n_threads)
        if result is not None:
            return result
    problem, is_vector = _problem(A, b, weights, intercept, n_threads)
    p = problem.shape[1]
    solution = _bounded(problem, np.zeros(p), np.full(p, np.inf), most)
    return _nnls_result(solution, is_vector)


def _in_one_call(a, b, most, n_threads):
    """The answer to a small problem of plain float64 arrays; None: the long way has it, or says what is wrong."""
    if not a.dtype is b.dtype is _FLOAT64 or a.ndim != 2 or b.ndim != 1 or len(a) != len(b):
        return None
    if n_threads is not None:
        _threads.resolve(n_threads)
    found = lib.nnls(a, b, most or 0)
    if found is None:
        return None
    x, rnorm, *counts = found
    return NNLSResult(x, rnorm[0], _NO_INTERCEPT, partial(_info_of_one_call, a.copy(), lib.kernel_name(), *counts))


def _info_of_one_call(a, kernel, rounds, free, kkt):
    condition = condition_of(Problem(a, np.zeros((len(a), 1)), None, False, 1, ("A", "b")))
    return BoundedInfo("qr", "a small problem", np.array([rounds]), 1, kkt, np.array([free]), condition, 1, kernel)


def _nnls_result(solution, is_vector):
    if not solution.settled.all():
        raise RuntimeError("Maximum number of iterations reached.")
    coef = solution.coef
    if is_vector:
        return NNLSResult(coef[:, 0], solution.rnorm[0], solution.intercept[0], solution.info)
    return NNLSResult(coef, solution.rnorm, solution.intercept, solution.info)


def nnls_from_equations(equations: NormalEquations, *, n_threads: int | None = None) -> NNLSResult:
    """`nnls` from sums alone: x (p, k) and rnorm (k,), the latter NaN where rounding has taken it."""
    p = equations.p
    solution = bounded_from_equations(equations, np.zeros(p), np.full(p, np.inf), _threads.resolve(n_threads))
    return _nnls_result(solution, False)


def lsq_linear(
    A: ArrayLike,
    b: ArrayLike,
    bounds: Any = (-np.inf, np.inf),
    *,
    weights: ArrayLike | None = None,
    max_iter: int | None = None,
    n_threads: int | None = None,
) -> BoundedResult:
    """Least squares with bounds on the coefficients, for one right-hand side or many.

        min_x 1/2 ||A x - b||_2²   with   lower <= x <= upper

    As `nnls`.  Where columns depend on each other, the solution without bounds of minimum norm is returned if it is
    within them, else a solution in which the coefficients between their bounds belong to independent columns.

    Parameters
    ----------
    A : array_like, shape (n, p), real
        Any numeric dtype and strides, not copied.
    b : array_like, shape (n,) or (n, k), real
    bounds : pair of array_like, or scipy.optimize.Bounds
        Lower and upper bounds, scalars or of shape (p,), infinite where there are none; equal ones hold a coefficient.
    weights : array_like, shape (n,), optional
        Non-negative; as if row i were there w_i times.
    max_iter : int, optional
        As `maxiter` of `nnls`; `success` tells whether it was enough.
    n_threads : int, optional
        It does not change a bit of the result.

    Returns
    -------
    BoundedResult
        x, cost, optimality, active_mask, ...

    Raises
    ------
    ValueError
        Shapes that do not fit, NaN or infinity in A or b, lower bounds above upper ones.
    TypeError
        Complex, sparse, masked or non-numeric input.

    References
    ----------
    Stark and Parker, Bounded-variable least squares: an algorithm and applications, Computational Statistics 10, 1995.

    Examples
    --------
    >>> import fastlsq
    >>> fit = fastlsq.lsq_linear([[1, 0], [0, 1], [0, 1]], [2, 1, 4], bounds=(0, [1, 5]))
    >>> fit.x.tolist(), fit.active_mask.tolist()
    ([1.0, 2.5], [1, 0])
    """
    problem, is_vector = _problem(A, b, weights, False, n_threads)
    lower, upper = _arrays.bounds(bounds, problem.shape[1])
    solution = _bounded(problem, lower, upper, _limit(max_iter, "max_iter"))
    if solution.info.path in ("qr", "mixed"):
        solution = _shortest_within(problem, lower, upper, solution)
    return BoundedResult(solution, is_vector, (problem.x, problem.y[:, 0] if is_vector else problem.y))


def lsq_linear_from_equations(equations: NormalEquations, bounds: Any) -> BoundedResult:
    """`lsq_linear` from sums alone: x (p, k) and costs (k,), these NaN where rounding has taken them."""
    lower, upper = _arrays.bounds(bounds, equations.p)
    return BoundedResult(bounded_from_equations(equations, lower, upper), False, None)


def _problem(A, b, weights, intercept, n_threads):
    n_threads = _threads.resolve(n_threads)
    x = _arrays.matrix(A, "A")
    y, is_vector = _arrays.targets(b, "b", x.shape[0], "A")
    weights = _arrays.row_weights(weights, x.shape[0], "A")
    return Problem(x, y, weights, bool(intercept), n_threads, ("A", "b")), is_vector


def _limit(value, name):
    if value is None:
        return None
    try:
        limit = index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if not 0 <= limit < 2**63:
        raise ValueError(f"{name} must be positive and below 2**63, got {value}")
    return limit or None


def _bounded(problem, lower, upper, most):
    if 0 not in problem.shape:
        return solve_bounded(problem, lower, upper, most)
    n, p, k = problem.shape
    _arrays.check_finite(A=problem.x, b=problem.y)
    coef = np.repeat(np.clip(0.0, lower, upper)[:, None], k, axis=1)
    rnorm, intercept = np.zeros(k), np.zeros(k)
    if n > 0 and k > 0:  # no columns
        y = problem.y.astype(np.float64)
        root = np.ones(n) if problem.weights is None else np.sqrt(problem.weights.astype(np.float64))
        if problem.intercept:
            intercept = np.average(y, axis=0, weights=root**2)
        rnorm = np.linalg.norm((y - intercept) * root[:, None], axis=0)
    place = ((coef == upper[:, None]).astype(np.int8) - (coef == lower[:, None])).astype(np.int8)
    info = BoundedInfo(path="empty", iterations=np.zeros(k, np.int64), passes=1, kkt=0.0, free=(place == 0).sum(axis=0),
                       n_threads=problem.n_threads, kernel=lib.kernel_name())
    return BoundedSolution(coef, intercept, rnorm, place, np.zeros(k), np.ones(k, bool), info)


def _shortest_within(problem, lower, upper, found):
    """Where columns depend on each other: the solution of minimum norm of targets for which it is within its bounds."""
    solution = solve(problem, lapack_solver())
    if solution.info.rank == problem.shape[1]:
        return found
    within = ((solution.coef >= lower[:, None]) & (solution.coef <= upper[:, None])).all(axis=0)
    if not within.any():
        return found
    columns = Columns(gather(problem))
    exponents = columns.x_exponents[:, None] + columns.y_exponents
    found.coef[:, within] = solution.coef[:, within]
    x = np.ldexp(found.coef, -exponents)
    g, rss = gradient_at(problem, columns, x)
    length = columns.length[:, None]
    size = (np.sqrt(rss) + (np.abs(x) * length).sum(axis=0)) * length
    ratio = np.where(size > 0, np.abs(g) / np.where(size > 0, size, 1.0), 0.0)
    with np.errstate(over="ignore", under="ignore"):
        found.rnorm[within] = np.ldexp(np.sqrt(rss), columns.y_exponents)[within]
        user = np.ldexp(g, columns.y_exponents - columns.x_exponents[:, None])
    found.optimality[within] = np.abs(user).max(axis=0, initial=0.0)[within]
    others = found.info.kkt if not within.all() else 0.0
    found.info.kkt = max(others, float(ratio[:, within].max(initial=0.0)))
    found.place[:, within] = 0
    found.settled[within] = True
    found.info.passes += solution.info.passes + 2
    if within.all():
        found.info.path = "lstsq"
    found.info.free[within] = problem.shape[1]
    return found
