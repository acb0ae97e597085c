# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""LAPACK through SciPy, for an explicit cut-off and for fewer rows than columns.

That is SciPy's solution of the unscaled problem.  Work arrays are float64 copies of the rows.
"""

import math
from dataclasses import dataclass

import numpy as np

from fastlsq import _arrays
from fastlsq._core import lib
from fastlsq.solve.deficient import aliased_columns, shortest
from fastlsq.solve.driver import UNIT_ROUNDOFF, Solution, SolveInfo, residual_pass
from fastlsq.solve.moments import Problem, Units, root_of


def lapack_solver(cond=None, lapack_driver=None):
    """A solver for `ladder.solve` with SciPy's cut-off and driver."""

    def solve(problem, equations, reason):
        return lapack_solution(problem, equations, reason, cond, lapack_driver)

    return solve


def lapack_solution(problem, equations, reason, cond=None, lapack_driver=None):
    """Solution by SciPy, with one residual pass of our own for rss and the backward error."""
    if problem.check_finite:
        _arrays.check_finite(**dict(zip(problem.names, (problem.x, problem.y), strict=True)))
    rows = scaled_rows(problem)
    # rounding alone leaves singular values of a few eps in dependent columns, and centring leaves more
    noise = max(8.0, math.sqrt(max(problem.x.shape))) * (4 if problem.intercept else 1)
    cut = noise * 2 * UNIT_ROUNDOFF if cond is None else cond
    coef, rank, singular_values = _scipy(np.ldexp(rows.a, rows.x_exponents), rows.y, cut, lapack_driver)
    scaled = np.ldexp(coef, rows.x_exponents[:, None])
    rss, backward_error = _judge(rows.a, rows.y, scaled, problem)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):  # coefficients that float64 cannot hold
        coef = np.ldexp(scaled, rows.y_exponents[None, :] - rows.x_exponents[:, None])
        intercept = rows.y_mean - rows.x_mean @ coef
    info = SolveInfo(
        path="lapack", reason=reason, passes=1 + (equations is not None), rank=int(rank),
        backward_error=backward_error, condition=_condition(singular_values, rank),
        aliased=aliased_columns(equations, int(rank)), n_threads=problem.n_threads,
        kernel=lib.kernel_name(problem.kernel),
    )
    return Solution(
        coef, intercept, rss, info, problem.intercept, np.einsum("ij,ij->j", rows.y, rows.y), rows.y_exponents,
        rows.x_mean, problem.sum_weights, lambda: root_of_rows(rows, info.rank),
        equations, None, singular_values,
    )


def scipy_lstsq():
    """SciPy's own `lstsq`, also while fastlsq.patch() has put ours in its place."""
    from scipy import linalg

    return getattr(linalg.lstsq, "before_patch", linalg.lstsq)


def _scipy(a, y, cond, lapack_driver):
    if y.shape[1] == 0:  # LAPACK rejects an empty right-hand side
        coef, rank, singular_values = _scipy(a, np.zeros((a.shape[0], 1)), cond, lapack_driver)
        return coef[:, :0], rank, singular_values
    coef, _, rank, singular_values = scipy_lstsq()(a, y, cond, lapack_driver=lapack_driver, check_finite=False)
    return coef, rank, singular_values


@dataclass(slots=True)
class ScaledRows:
    """sqrt(w)*(x - mean) = a*2^x_exponents by columns, likewise y; means are 0 without an intercept."""

    a: np.ndarray
    x_exponents: np.ndarray
    x_mean: np.ndarray
    y: np.ndarray
    y_exponents: np.ndarray
    y_mean: np.ndarray


def scaled_rows(problem):
    """float64 copies of the rows, centred with an intercept, weighted, columns scaled by powers of two."""
    root = None if problem.weights is None else np.sqrt(problem.weights.astype(np.float64))[:, None]
    rows = ScaledRows(*_scaled_copy(problem.x, problem, root), *_scaled_copy(problem.y, problem, root))
    if problem.penalty is not None:
        _append_penalty(rows, problem.penalty)
    return rows


def _append_penalty(rows, penalty):
    """So many rows more: a root of the penalty, with targets 0."""
    root = np.diag(np.sqrt(penalty)) if penalty.ndim == 1 else root_of(penalty)
    a = np.vstack([rows.a, np.ldexp(root, -rows.x_exponents[None, :])])
    exponents = _scale_columns(a)  # where a penalty is much larger than its column
    rows.a, rows.x_exponents = a, rows.x_exponents + exponents
    rows.y = np.vstack([rows.y, np.zeros((root.shape[0], rows.y.shape[1]))])


def _scaled_copy(rows, problem, root):
    """(a, e, mean): sqrt(w)*(rows - mean) = a*2^e, e by columns, a below 1; mean 0 without an intercept.

    Scaled before as well as after centring: sums of values near the largest float64 would overflow.
    """
    a = rows.astype(np.float64, order="F")
    mean = np.zeros(a.shape[1])
    outer = _scale_columns(a)
    if problem.intercept:
        mean = np.ldexp(_centre(a, problem.weights), outer)
    if root is not None:
        a *= root
    return a, outer + _scale_columns(a), mean


def _scale_columns(a):
    """Divide the columns of a by the powers of two whose exponents are returned."""
    peaks = np.abs(a).max(axis=0, initial=0.0)
    exponents = np.where(peaks > 0, np.frexp(peaks)[1], 0).astype(np.int64)
    np.ldexp(a, -exponents, out=a)
    return exponents


def _centre(a, weights):
    """Subtract the column means from a and return them.  The second round removes the rounding error of the first."""
    total = np.zeros(a.shape[1])
    for _ in range(2):
        mean = np.average(a, axis=0, weights=weights)
        a -= mean
        total += mean
    return total


def _right_singular(a):
    """(singular values, right singular vectors as rows) of a, by QR, then SVD of R."""
    from scipy.linalg import qr, svd

    r = qr(a, mode="r", check_finite=False)[0][: a.shape[1]]
    _, values, vt = svd(r, check_finite=False)
    return values, vt


def root_of_rows(rows, rank):
    """(H, e): the pseudo-inverse of XᵀWX (centred with an intercept) is (2^e H)(2^e H)ᵀ."""
    values, vt = _right_singular(rows.a)
    exponents = -rows.x_exponents
    return shortest(vt[:rank].T / values[:rank], vt[rank:].T, exponents), exponents


def _condition(singular_values, rank):
    if singular_values is None or rank == 0 or not np.isfinite(singular_values[0]):
        return math.nan
    with np.errstate(over="ignore"):
        return float(singular_values[0] / singular_values[rank - 1])


def _judge(a, y, b, problem):
    """(rss, backward error) of scaled rows: Stewart's min(‖Aᵀr‖/(‖A‖‖r‖), ‖r‖/(‖A‖‖b‖)), largest over the targets."""
    if 0 in b.shape or a.shape[0] == 0:
        return np.einsum("ij,ij->j", y, y), 0.0
    scaled = Problem(a, y, None, False, problem.n_threads, problem.names, kernel=problem.kernel)
    g, rss = residual_pass(scaled, Units.starting_at(np.zeros(a.shape[1] + y.shape[1])), np.ascontiguousarray(b))
    norm_a, norm_r = math.sqrt(np.vdot(a, a)), np.sqrt(rss)
    norm_b, norm_g = np.linalg.norm(b, axis=0), np.linalg.norm(g, axis=0)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        error = np.fmin(norm_g / (norm_a * norm_r), norm_r / (norm_a * norm_b))
    return rss, float(np.max(np.nan_to_num(error, nan=0.0, posinf=0.0), initial=0.0)) + UNIT_ROUNDOFF
