# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Lasso and elastic net: one alpha, or a whole path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlsq import _arrays, _threads
from fastlsq._core import lib
from fastlsq.gram.polish import polish
from fastlsq.gram.scaled import COARSE, Penalty, Scaled, grid
from fastlsq.gram.wide_path import WideProblem, without_idle_values
from fastlsq.solve.moments import Problem, gather

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

# Up to so many columns the moments, 8 MB, are the fastest way whatever the number of rows; beyond the second number
# they are too large a matrix.  2026-12, Emerald Rapids, 100 alphas, ms by moments / by residual passes / scikit-learn
# to a gap of 1e-4, not 1e-10: 50 x 300 9 / 25 / 14, 100 x 1000 54 / 88 / 82, correlation 0.9 72 / 104 / 3550.
_FEW_COLUMNS = 1024
_MANY_COLUMNS = 4096
# The smallest alpha on the way to a single one, as a share of the largest.
_NEAR_ZERO = 1e-8


@dataclass(slots=True)
class ElasticNetResult:
    """An elastic net fit.

    Attributes
    ----------
    coef : ndarray, shape (p,)
    intercept : float
        0.0 for a model without one.
    alpha, l1_ratio : float
    objective : float
        What was minimised, at the solution.
    dual_gap : float
        The objective lies at most this far above its minimum, in its own units.
    n_iter : int
        Sweeps over the working set, steps of Newton counted as one.
    converged : bool
        Whether `dual_gap` is within the tolerance.
    polished : bool
        Whether the solution was refined with residuals from the rows, because the moments alone were ill-conditioned
        (never for a point of a path).
    names : list of str
    """

    coef: NDArray[np.float64]
    intercept: float
    alpha: float
    l1_ratio: float
    objective: float
    dual_gap: float
    n_iter: int
    converged: bool
    polished: bool
    names: list[str]

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Fitted values, shape (n,), for rows X of shape (n, p)."""
        return _rows(X, self.coef.shape[0]) @ self.coef + self.intercept

    def __repr__(self):
        used = np.count_nonzero(self.coef)
        return (f"ElasticNetResult(alpha={self.alpha:.6g}, l1_ratio={self.l1_ratio:g}, {used} of {len(self.names)} "
                f"columns, converged={self.converged})")


@dataclass(slots=True)
class ElasticNetPath:
    """Elastic net fits for falling alphas; `path[i]` is the i-th as an `ElasticNetResult`.

    Attributes
    ----------
    alphas : ndarray, shape (m,)
        From the largest to the smallest.
    coef : ndarray, shape (m, p)
    intercept, objective, dual_gap : ndarray, shape (m,)
    n_iter : ndarray of int, shape (m,)
    converged : ndarray of bool, shape (m,)
    l1_ratio : float
    names : list of str
        All as in `ElasticNetResult`.
    """

    alphas: NDArray[np.float64]
    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]
    objective: NDArray[np.float64]
    dual_gap: NDArray[np.float64]
    n_iter: NDArray[np.int64]
    converged: NDArray[np.bool_]
    l1_ratio: float
    names: list[str]

    def predict(self, X: ArrayLike) -> NDArray[np.float64]:
        """Fitted values, shape (n, m), for rows X of shape (n, p)."""
        return _rows(X, self.coef.shape[1]) @ self.coef.T + self.intercept

    def __len__(self):
        return len(self.alphas)

    def __getitem__(self, i: int) -> ElasticNetResult:
        return ElasticNetResult(
            self.coef[i].copy(), float(self.intercept[i]), float(self.alphas[i]), self.l1_ratio,
            float(self.objective[i]), float(self.dual_gap[i]), int(self.n_iter[i]), bool(self.converged[i]), False,
            list(self.names),
        )

    def __repr__(self):
        return (f"ElasticNetPath({len(self)} alphas from {self.alphas[0]:.6g} to {self.alphas[-1]:.6g}, "
                f"l1_ratio={self.l1_ratio:g}, {len(self.names)} columns, {self.converged.sum()} converged)")


def elastic_net(
    X: Any,
    y: ArrayLike,
    alpha: float,
    *,
    l1_ratio: float = 0.5,
    weights: ArrayLike | None = None,
    intercept: bool = True,
    penalty_factor: ArrayLike | None = None,
    positive: bool = False,
    names: Sequence[str] | None = None,
    tol: float = 1e-10,
    max_iter: int = 1000,
    n_threads: int | None = None,
) -> ElasticNetResult:
    """Least squares with an L1 and an L2 penalty, scikit-learn's objective:

        sum_i w_i (y_i - intercept - x_i coef)² / (2 sum_i w_i)
            + alpha sum_j factor_j (l1_ratio |coef_j| + (1 - l1_ratio) coef_j² / 2)

    One pass over the rows takes the moments; coordinate descent on them keeps the gradient of all columns, and the
    duality gap says how far from the minimum it is at most.

    Parameters
    ----------
    X : array_like or data frame, shape (n, p), real
        Any numeric dtype and strides; read without a copy.
    y : array_like, shape (n,) or (n, 1), real
    alpha : float
        >= 0.
    l1_ratio : float
        From 0 (ridge) to 1 (lasso).
    weights : array_like, shape (n,), optional
        Non-negative; a weight of 2 counts as the row given twice.
    intercept : bool
        It is not penalised.
    penalty_factor : array_like, shape (p,), optional
        Multiplies the penalty of each column: 0 for none, inf to leave the column out; 1 by default.  Columns are not
        standardised: the factor is also the place to say in what unit a coefficient counts.
    positive : bool
        Whether coefficients must be >= 0.
    names : sequence of str, optional
        Column names; by default those of the data frame, else x0, x1, ...
    tol : float
        Stop when the duality gap is at most `tol` times the mean square of y (about its mean with an intercept), as in
        scikit-learn, whose default is 1e-4.  Without an L1 penalty the gap falls with the square of the error of the
        coefficients: 1e-10 then leaves five digits of them.
    max_iter : int
        Sweeps at most.  Fewer digits than wanted are no exception: see `converged` of the result.
    n_threads : int, optional
        It does not change a bit of the result.

    Returns
    -------
    ElasticNetResult

    Raises
    ------
    ValueError
        Shapes that do not fit, non-finite values, bad weights or parameters.
    TypeError
        Complex, sparse, masked or non-numeric input.

    Notes
    -----
    Moments carry a relative error of about the unit roundoff, which reaches the coefficients multiplied by the
    condition number of the moments of the columns in use (that of the columns, squared).  Where this is above 1e6 the
    solution is refined by Newton steps with residuals from the rows.  With more than 1024 columns and fewer rows, or
    more than 4096 columns, no p x p matrix is formed: the gradient comes from residual passes over X, and only columns
    in the working set are copied.

    Columns without any penalty have a dual bound only if one is known for their part of the fitted values: `dual_gap`
    takes its norm to be less than that of the present one plus the norm of y.  Where such columns depend on each other
    as far as the moments tell, the rows are asked: columns that are combinations of others up to the rounding of their
    own entries count as such, as they do for the rank in `lstsq`, and how these share a coefficient is of no
    consequence.  Where they are not quite, or there are no rows (`Gram.elastic_net`), nothing is bounded: `dual_gap`
    is then the objective, and `converged` False unless the fit is exact.

    `objective` and `dual_gap` are inf where they are beyond the range of float64; `converged` is decided in units in
    which they are not.  A penalty beyond that range leaves its column out.

    References
    ----------
    Friedman, Hastie, Tibshirani, Regularization paths for generalized linear models via coordinate descent, Journal of
    Statistical Software 33 (2010), no. 1; Tibshirani et al., Strong rules for discarding predictors in lasso-type
    problems, Journal of the Royal Statistical Society B 74 (2012), 245-266.

    Examples
    --------
    >>> import numpy as np, fastlsq
    >>> X = np.array([[1.0, 0.0], [2.0, 1.0], [3.0, 0.0], [4.0, 1.0]])
    >>> fit = fastlsq.elastic_net(X, [1.0, 2.0, 3.0, 4.0], 0.125, l1_ratio=1.0)
    >>> fit.coef.round(12).tolist(), round(fit.intercept, 12)
    ([0.9, 0.0], 0.25)
    """
    alphas = _alphas([alpha], "alpha")
    rows = checked_rows(X, y, weights, intercept, names, n_threads)
    penalty = checked_penalty(rows, l1_ratio, penalty_factor, positive, tol, max_iter)
    if use_rows(rows.problem):
        wide = WideProblem(without_idle_values(rows.problem), penalty.factor)
        wide.approach(penalty, _approach(wide.largest_alpha(penalty), alphas[0]))
        return wide_path(wide, penalty, alphas, rows.names)[0]
    scaled = Scaled.of(gather(rows.problem), penalty.factor, rows.problem)
    return polished(rows.problem, scaled, penalty, single(scaled, penalty, alphas, rows.names))


def elastic_net_path(
    X: Any,
    y: ArrayLike,
    *,
    l1_ratio: float = 0.5,
    alphas: ArrayLike | None = None,
    n_alphas: int = 100,
    eps: float = 1e-3,
    weights: ArrayLike | None = None,
    intercept: bool = True,
    penalty_factor: ArrayLike | None = None,
    positive: bool = False,
    names: Sequence[str] | None = None,
    tol: float = 1e-10,
    max_iter: int = 1000,
    n_threads: int | None = None,
) -> ElasticNetPath:
    """`elastic_net` for many values of alpha, each started from the solution for the one before:

        sum_i w_i (y_i - intercept - x_i coef)² / (2 sum_i w_i)
            + alpha sum_j factor_j (l1_ratio |coef_j| + (1 - l1_ratio) coef_j² / 2)

    Parameters
    ----------
    X, y, l1_ratio, weights, intercept, penalty_factor, positive, names, tol, max_iter, n_threads
        As in `elastic_net`; `max_iter` holds for each alpha.
    alphas : array_like, optional
        >= 0; taken from the largest to the smallest.  By default `n_alphas` values from the smallest at which all
        penalised coefficients are zero down to `eps` times that, equally apart in their logarithms.
    n_alphas : int
    eps : float

    Returns
    -------
    ElasticNetPath

    Raises
    ------
    ValueError, TypeError
        As `elastic_net`; with l1_ratio = 0 there is no default for alphas.

    Notes
    -----
    With up to 1024 columns, or no more than 4096 and at least as many rows, all comes from the moments, and no point is
    refined with the rows: the Notes of `elastic_net` say what accuracy that has.

    Examples
    --------
    >>> import numpy as np, fastlsq
    >>> X = np.array([[1.0, 0.0], [2.0, 1.0], [3.0, 0.0], [4.0, 1.0]])
    >>> path = fastlsq.elastic_net_path(X, [1.0, 2.0, 3.0, 4.0], l1_ratio=1.0, alphas=[0.125, 1.25, 0.5])
    >>> path.alphas.tolist(), path.coef[:, 0].round(12).tolist()
    ([1.25, 0.5, 0.125], [0.0, 0.6, 0.9])
    """
    rows = checked_rows(X, y, weights, intercept, names, n_threads)
    penalty = checked_penalty(rows, l1_ratio, penalty_factor, positive, tol, max_iter)
    chosen = chosen_alphas(alphas, n_alphas, eps, [penalty.l1_ratio])
    if use_rows(rows.problem):
        wide = WideProblem(without_idle_values(rows.problem), penalty.factor)
        return wide_path(wide, penalty, chosen(wide, penalty), rows.names)
    scaled = Scaled.of(gather(rows.problem), penalty.factor, rows.problem)
    return one_path(scaled, penalty, chosen(scaled, penalty), rows.names)


def path_from_equations(
    equations, names, *, l1_ratio=0.5, alphas=None, n_alphas=100, eps=1e-3, penalty_factor=None, positive=False,
    tol=1e-10, max_iter=1000,
) -> ElasticNetPath:
    """`elastic_net_path` from normal equations of one target, as a Gram state has them; for one alpha, `[0]` of it."""
    penalty = _penalty(equations.p, l1_ratio, penalty_factor, positive, tol, max_iter)
    scaled = Scaled.of(equations, penalty.factor)
    chosen = chosen_alphas(alphas, n_alphas, eps, [penalty.l1_ratio])
    return one_path(scaled, penalty, chosen(scaled, penalty), names)


# ---- what the functions share ---------------------------------------------------------------------------------------


def use_rows(problem):
    """Whether no p x p matrix is wanted."""
    n, p, _ = problem.shape
    return p > _FEW_COLUMNS and (n < p or p > _MANY_COLUMNS)


def single(scaled, penalty, alphas, names):
    """The fit for one alpha, reached by a coarse path: at once, far too many columns would enter."""
    start = None
    way = _approach(scaled.largest_alpha(penalty), alphas[0])
    if way.size and scaled.columns.size:
        coarse = scaled.problem(replace(penalty, tol=COARSE), way)
        lib.elastic_net_paths([coarse], 1)
        start = coarse.b[-1].copy()
    return paths_of([scaled], [penalty], [alphas], names, 1, starts=[start])[0][0][0]


def _approach(largest, alpha):
    """Values between, each at most a third of the one before."""
    if not alpha < largest:
        return np.empty(0)
    steps = int(np.ceil(np.log(largest / max(alpha, _NEAR_ZERO * largest)) / np.log(3.0)))
    return largest / 3.0 ** np.arange(1, steps)


def one_path(scaled, penalty, alphas, names):
    return paths_of([scaled], [penalty], [alphas], names, 1)[0][0]


def paths_of(equations, penalties, alphas, names, n_threads, held=None, starts=None):
    """(paths, errors): for scaled equations, each with its penalty, alphas and moments of rows held out or None.

    The errors are mean squared ones of the rows held out, None where there are none.
    """
    held = [None] * len(equations) if held is None else held
    starts = [None] * len(equations) if starts is None else starts
    parts = list(zip(equations, penalties, alphas, held, starts, strict=True))
    problems = [scaled.problem(*rest) if scaled.columns.size else None for scaled, *rest in parts]
    lib.elastic_net_paths([problem for problem in problems if problem is not None], n_threads)
    paths, errors = [], []
    for (scaled, penalty, own, rest, _), problem in zip(parts, problems, strict=True):
        none = np.zeros(len(own))
        b = np.zeros((len(own), 0)) if problem is None else problem.b
        objective = none + 0.5 * scaled.yy if problem is None else problem.objective
        gap, sweeps = (none, none.astype(np.int64)) if problem is None else (
            scaled.gaps(problem, penalty, own), problem.sweeps)
        paths.append(ElasticNetPath(
            own, scaled.coef(b), scaled.intercept(b), scaled.in_user_units(objective), scaled.in_user_units(gap),
            sweeps, gap <= penalty.tol * scaled.yy, penalty.l1_ratio, list(names),
        ))
        errors.append(None if rest is None else scaled.mean_error(problem, rest, len(own)))
    return paths, errors


def wide_path(wide, penalty, alphas, names, visit=None):
    """The path by residual passes; visit(i) is called at every solution."""
    found, last = [], alphas[0]
    for i, alpha in enumerate(alphas):
        gap, sweeps = wide.solve(penalty, alpha, last)
        found.append((*wide.coef(), wide.objective(penalty, alpha), gap, sweeps))
        last = alpha
        if visit is not None:
            visit(i)
    coef, level, objective, gap, sweeps = (np.array(values) for values in zip(*found, strict=True))
    gaps = np.array([wide.in_user_units(value) for value in gap])
    return ElasticNetPath(alphas, coef, level, objective, gaps, sweeps,
                          gap <= penalty.tol * wide.yy, penalty.l1_ratio, list(names))


def polished(problem, scaled, penalty, result):
    """The result refined with residuals from the rows, where the moments alone do not carry it."""
    found = polish(problem, scaled, penalty, result.alpha, result.coef)
    if found is not None:
        result.coef, result.intercept, result.objective, result.dual_gap, result.converged = found
        result.polished = True
    return result


@dataclass(slots=True)
class CheckedRows:
    problem: Problem
    names: list[str]


def checked_rows(X, y, weights, intercept, names, n_threads):
    n_threads = _threads.resolve(n_threads)
    x = _arrays.matrix(X, "X")
    n, p = x.shape
    y = _arrays.one_target(y, "y", n, "X")
    weights = _arrays.row_weights(weights, n, "X")
    names = _arrays.column_names(X, names, p)
    if n == 0:
        raise ValueError("X has no rows")
    if p == 0:
        raise ValueError("X has no columns")
    return CheckedRows(Problem(x, y, weights, bool(intercept), n_threads, ("X", "y")), names)


def checked_penalty(rows, l1_ratio, penalty_factor, positive, tol, max_iter):
    return _penalty(rows.problem.shape[1], l1_ratio, penalty_factor, positive, tol, max_iter)


def _penalty(p, l1_ratio, penalty_factor, positive, tol, max_iter):
    l1_ratio, tol = float(l1_ratio), float(tol)
    if not 0 <= l1_ratio <= 1:
        raise ValueError(f"l1_ratio must be between 0 and 1, got {l1_ratio}")
    if not 0 <= tol < np.inf:
        raise ValueError(f"tol must be finite and >= 0, got {tol}")
    if int(max_iter) != max_iter or max_iter < 1:
        raise ValueError(f"max_iter must be an integer >= 1, got {max_iter}")
    factor = np.ones(p)
    if penalty_factor is not None:
        given = _arrays.real(penalty_factor, "penalty_factor")
        if given.shape != (p,):
            raise ValueError(f"penalty_factor must have shape ({p},), one per column of X, got shape {given.shape}")
        factor = given.astype(np.float64)
        if not (factor >= 0).all():
            raise ValueError("penalty_factor must be >= 0")
    return Penalty(l1_ratio, factor, bool(positive), tol, int(max_iter))


def chosen_alphas(alphas, n_alphas, eps, l1_ratios):
    """A function of (scaled equations or WideProblem, penalty): the alphas given, or the default."""
    if alphas is not None:
        given = _alphas(alphas, "alphas")
        return lambda where, penalty: given
    if int(n_alphas) != n_alphas or n_alphas < 1:
        raise ValueError(f"n_alphas must be an integer >= 1, got {n_alphas}")
    if not 0 < eps <= 1:
        raise ValueError(f"eps must be above 0 and at most 1, got {eps}")
    if 0 in l1_ratios:
        raise ValueError("alphas must be given when l1_ratio is 0: no alpha makes all coefficients zero")
    return lambda where, penalty: grid(where.largest_alpha(penalty), eps, int(n_alphas))


def _alphas(alphas, name):
    values = _arrays.real(alphas, name).astype(np.float64)
    if values.ndim != 1 or values.size == 0:
        raise ValueError(f"{name} must be {'a number' if name == 'alpha' else '1-D and not empty'}")
    if not (np.isfinite(values) & (values >= 0)).all():
        raise ValueError(f"{name} must be finite and >= 0")
    return np.sort(values)[::-1].copy()


def _rows(X, p):
    x = _arrays.matrix(X, "X")
    if x.shape[1] != p:
        raise ValueError(f"X has {x.shape[1]} columns, the model has {p}")
    return x
