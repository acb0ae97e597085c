# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Elastic net with alpha and l1_ratio chosen by cross-validation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlsq import _arrays
from fastlsq.gram.elastic_net import (
    ElasticNetPath,
    ElasticNetResult,
    checked_penalty,
    checked_rows,
    chosen_alphas,
    paths_of,
    polished,
    use_rows,
    wide_path,
)
from fastlsq.gram.folds import check_weights, folds_of, moments_of, training_weights
from fastlsq.gram.scaled import Scaled
from fastlsq.gram.wide_path import WideProblem, without_idle_values

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(slots=True)
class ElasticNetCVResult(ElasticNetResult):
    """The fit to all rows with the alpha and l1_ratio of least error; beside what `ElasticNetResult` has:

    Attributes
    ----------
    l1_ratios : ndarray, shape (r,)
    alphas : ndarray, shape (r, m)
        For each l1_ratio, from the largest to the smallest.
    mse_path : ndarray, shape (r, m, k)
        Mean squared error of each fold's rows, weighted if weights were given.
    mse : ndarray, shape (r, m)
        Its mean over the folds, each counting the same; the smallest one chooses.
    mse_error : ndarray, shape (r, m)
        Standard error of that mean.
    best : tuple of int
        (i, j): l1_ratio i and alpha j were chosen.
    one_se : int
        Of alphas[i], the largest whose `mse` is within one standard error of the smallest; `alpha_one_se` is its value.
    path : ElasticNetPath
        All rows, the chosen l1_ratio; path[one_se] is the fit by the rule of one standard error.
    folds_converged : bool
        Whether all paths of all folds have.
    """

    l1_ratios: NDArray[np.float64]
    alphas: NDArray[np.float64]
    mse_path: NDArray[np.float64]
    mse: NDArray[np.float64]
    mse_error: NDArray[np.float64]
    best: tuple[int, int]
    one_se: int
    path: ElasticNetPath
    folds_converged: bool

    @property
    def alpha_one_se(self) -> float:
        return float(self.alphas[self.best[0], self.one_se])

    def __repr__(self):
        used = np.count_nonzero(self.coef)
        return (f"ElasticNetCVResult(alpha={self.alpha:.6g}, l1_ratio={self.l1_ratio:g}, "
                f"mse={self.mse[self.best]:.6g}, {used} of {len(self.names)} columns, {self.mse_path.shape[2]} folds)")


def elastic_net_cv(
    X: Any,
    y: ArrayLike,
    *,
    l1_ratio: float | Sequence[float] = 0.5,
    alphas: ArrayLike | None = None,
    n_alphas: int = 100,
    eps: float = 1e-3,
    cv: int | ArrayLike | Iterable[tuple[ArrayLike, ArrayLike]] = 5,
    weights: ArrayLike | None = None,
    intercept: bool = True,
    penalty_factor: ArrayLike | None = None,
    positive: bool = False,
    names: Sequence[str] | None = None,
    tol: float = 1e-10,
    max_iter: int = 1000,
    n_threads: int | None = None,
) -> ElasticNetCVResult:
    """Fit `elastic_net` with the alpha (and l1_ratio) whose mean squared error on held-out rows is least:

        sum_i w_i (y_i - intercept - x_i coef)² / (2 sum_i w_i)
            + alpha sum_j factor_j (l1_ratio |coef_j| + (1 - l1_ratio) coef_j² / 2)

    The rows are read once: one set of moments for each fold.  A fold trains on the merge of all others, and the error
    on its rows follows from its own moments, with m = mean and M, c, S the moments about the means:

        S_yy - 2 coef·c + coef·M coef + w (m_y - intercept - m_x·coef)²

    Parameters
    ----------
    X, y, weights, intercept, penalty_factor, positive, names, tol, max_iter, n_threads
        As in `elastic_net`.
    l1_ratio : float or sequence of float
    alphas, n_alphas, eps
        As in `elastic_net_path`; the default for each l1_ratio comes from all rows.
    cv : int, array_like of shape (n,), or iterable of (train, test)
        A number of folds of adjacent rows, as scikit-learn's KFold cuts them; or a label for every row, rows of one
        label being a fold; or tuples of row numbers or masks, also from an object with a method `split`.

    Returns
    -------
    ElasticNetCVResult

    Raises
    ------
    ValueError, TypeError
        As `elastic_net_path`; folds that do not fit the rows or weigh nothing.

    Notes
    -----
    The error from moments is about the unit roundoff times the sum of squares of the held-out targets: of a fit with
    1 - R² = 1e-6 it has ten digits.  Wide problems (see `elastic_net`) read the rows instead: a fold's held-out rows
    get no weight, and the residual pass that ends each point of a path has their residuals too.

    Where the moments are ill-conditioned the final fit is refined with the rows; paths are not.

    Examples
    --------
    >>> import numpy as np, fastlsq
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((500, 8))
    >>> y = X[:, 0] - 2 * X[:, 1] + rng.standard_normal(500)
    >>> fit = fastlsq.elastic_net_cv(X, y, l1_ratio=[0.5, 1.0])
    >>> fit.l1_ratio, fit.path[fit.one_se].coef.nonzero()[0].tolist()
    (1.0, [0, 1])
    """
    rows = checked_rows(X, y, weights, intercept, names, n_threads)
    problem = rows.problem
    ratios = np.atleast_1d(_arrays.real(l1_ratio, "l1_ratio")).astype(np.float64)
    if ratios.ndim != 1 or ratios.size == 0:
        raise ValueError("l1_ratio must be a number or 1-D and not empty")
    penalties = [checked_penalty(rows, ratio, penalty_factor, positive, tol, max_iter) for ratio in ratios]
    chosen = chosen_alphas(alphas, n_alphas, eps, ratios)
    folds = folds_of(cv, problem.x, problem.y)
    check_weights(problem, folds)
    wide = use_rows(problem)
    found = (_by_rows if wide else _by_moments)(rows, penalties, chosen, folds)
    used, paths, mse_path, folds_converged, scaled = found
    with np.errstate(over="ignore", invalid="ignore"):
        mse = mse_path.mean(axis=2)
        error = mse_path.std(axis=2, ddof=1) / np.sqrt(len(folds)) if len(folds) > 1 else np.zeros_like(mse)
    i, j = (int(place) for place in np.unravel_index(np.argmin(mse), mse.shape))
    one_se = int(np.argmax(mse[i] <= mse[i, j] + error[i, j]))
    best = paths[i][j]
    if not wide:
        best = polished(problem, scaled, penalties[i], best)
    fields = {name: getattr(best, name) for name in ElasticNetResult.__dataclass_fields__}
    return ElasticNetCVResult(**fields, l1_ratios=ratios, alphas=used, mse_path=mse_path, mse=mse, mse_error=error,
                              best=(i, j), one_se=one_se, path=paths[i], folds_converged=folds_converged)


def _by_moments(rows, penalties, chosen, folds):
    """(alphas, paths of all rows, errors, whether all folds converged, the scaled equations of all rows)"""
    problem, factor = rows.problem, penalties[0].factor
    whole, pairs = moments_of(problem, folds)
    scaled = Scaled.of(whole, factor, problem)
    grids = [chosen(scaled, penalty) for penalty in penalties]
    parts = [(scaled, None)] + [(Scaled.of(train, factor, problem), test) for train, test in pairs]
    # the paths on all rows are as many problems more for the same threads
    tasks = [(own, penalty, alphas, held) for penalty, alphas in zip(penalties, grids, strict=True)
             for own, held in parts]
    own, penalty, alphas, held = zip(*tasks, strict=True)
    paths, errors = paths_of(own, penalty, alphas, rows.names, problem.n_threads, held)
    step = len(parts)
    mse_path = np.array([np.column_stack(errors[i + 1 : i + step]) for i in range(0, len(tasks), step)])
    converged = all(path.converged.all() for path in paths)
    return np.array(grids), paths[::step], mse_path, converged, scaled


def _by_rows(rows, penalties, chosen, folds):
    """The same for wide problems, by residual passes."""
    problem, factor = without_idle_values(rows.problem), penalties[0].factor
    wide = WideProblem(problem, factor)
    grids = [chosen(wide, penalty) for penalty in penalties]
    paths = []
    for penalty, alphas in zip(penalties, grids, strict=True):
        wide.restart()
        paths.append(wide_path(wide, penalty, alphas, rows.names))
    converged = all(path.converged.all() for path in paths)
    mse_path = np.empty((len(penalties), len(grids[0]), len(folds)))
    residuals = np.empty((problem.x.shape[0], 1))
    for f, (train, test) in enumerate(folds):
        fold = WideProblem(replace(problem, weights=training_weights(problem, train, test)), factor)
        weights = None if problem.weights is None else problem.weights[test]
        for i, (penalty, alphas) in enumerate(zip(penalties, grids, strict=True)):
            fold.restart()

            def note(k, fold=fold, i=i, f=f, test=test, weights=weights):
                fold.residual(residuals)
                own = np.ldexp(residuals[test, 0], -int(fold.exponents[-1]))
                with np.errstate(over="ignore"):
                    mse_path[i, k, f] = np.average(own**2, weights=weights)

            path = wide_path(fold, penalty, alphas, rows.names, note)
            converged = converged and bool(path.converged.all())
    return np.array(grids), paths, mse_path, converged, None
