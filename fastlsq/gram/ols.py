# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""`ols`: ordinary and weighted least squares with inference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fastlsq import _arrays, _threads
from fastlsq.gram.frame import Rows
from fastlsq.gram.inference import OLSResult
from fastlsq.gram.robust import check_request, polish_if_needed
from fastlsq.solve.ladder import solve
from fastlsq.solve.lapack import lapack_solver
from fastlsq.solve.moments import Problem

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

# Weights whose logarithms are taken at a time.
_PIECE = 65536


def ols(
    X: Any,
    y: ArrayLike,
    *,
    weights: ArrayLike | None = None,
    intercept: bool = True,
    cov: Literal["classical", "HC0", "HC1", "HC2", "HC3", "cluster", "HAC"] = "classical",
    groups: Any = None,
    lags: int | None = None,
    names: Sequence[str] | None = None,
    accuracy: Literal["fast", "qr", "full"] = "qr",
    n_threads: int | None = None,
) -> OLSResult:
    """Fit y = intercept + X coef by (weighted) least squares.

    Minimises sum_i w_i (y_i - intercept - x_i coef)².  One fused pass over the rows, refinement with residuals taken
    from the rows, and escalation (see `lstsq`) for what is not certified; a robust covariance takes one more pass.

    Parameters
    ----------
    X : array_like or data frame, shape (n, p), real
        Any numeric dtype and strides; read without a copy.
    y : array_like, shape (n,) or (n, k), real
        Several targets are k regressions with one set of rows.
    weights : array_like, shape (n,), optional
        Non-negative.  Coefficients are those of rows repeated w times; standard errors take w as relative precisions
        (residual degrees of freedom count rows with w > 0).
    intercept : bool
    cov : {'classical', 'HC0', 'HC1', 'HC2', 'HC3', 'cluster', 'HAC'}
        What the standard errors allow the errors to be.  'classical': independent, of one variance.  'HC0' to 'HC3':
        independent, of any variances (White; MacKinnon and White); 'HC1' is Stata's robust, 'HC3' the safest in small
        samples.  'cluster': dependent within `groups`.  'HAC': dependent on the rows up to `lags` before (Newey and
        West, Bartlett weights, no small-sample factor).
    groups : array_like, shape (n,) or (n, 2), or a tuple of two label arrays
        Labels of the clusters; two columns for clustering two ways.
    lags : int, optional
        By default 4 (n/100)^(2/9), rounded down.
    names : sequence of str, optional
        Column names; by default those of the data frame, else x0, x1, ...
    accuracy : {'fast', 'qr', 'full'}
        As in `lstsq`: 'full' settles the last bit of the coefficients.
    n_threads : int, optional

    Returns
    -------
    OLSResult

    Raises
    ------
    ValueError
        Shapes that do not fit, no rows, non-finite values, bad weights.
    TypeError
        Complex, sparse, masked or non-numeric input.

    Notes
    -----
    Tests and intervals take the t and F distributions, with n - k degrees of freedom, for clustered errors with the
    number of groups less 1.  The formulas of all covariances are those of statsmodels with ``use_t=True``, but for
    intervals of predictions with clustered errors, where it takes n - k; rows of weight 0 are no rows here, nor lags.
    With 'HC2' and 'HC3', which divide by 1 - h_i, every standard error is NaN where a row has a leverage h_i of 1; one
    above 1 - 2^-40 is taken for 1, for of 1 - h_i rounding leaves too little.

    Examples
    --------
    >>> import numpy as np, fastlsq
    >>> x = np.array([[1.0], [2.0], [3.0], [4.0]])
    >>> y = [2.1, 3.9, 6.2, 7.8]
    >>> fit = fastlsq.ols(x, y)
    >>> fit.coef.round(3), round(fit.intercept, 3), round(fit.r_squared, 4)
    (array([1.94]), 0.15, 0.9957)
    >>> fastlsq.ols(x, y, cov="HC1").standard_errors.round(4)
    array([0.1212, 0.0599])
    """
    n_threads = _threads.resolve(n_threads)
    _arrays.check_accuracy(accuracy)
    check_request(cov, groups, lags)
    x = _arrays.matrix(X, "X")
    n, p = x.shape
    y, _ = _arrays.targets(y, "y", n, "X")
    weights = _arrays.row_weights(weights, n, "X")
    names = _arrays.column_names(X, names, p)
    if n == 0:
        raise ValueError("X has no rows")
    if p == 0:
        raise ValueError("X has no columns")
    if y.shape[1] == 0:
        raise ValueError("y has no columns")
    problem = Problem(x, y, weights, bool(intercept), n_threads, ("X", "y"))
    solution = solve(problem, lapack_solver(), accuracy=accuracy)
    used = n if weights is None else int(np.count_nonzero(weights))
    fit = OLSResult(solution, names, used, 0.0 if weights is None else _sum_of_logarithms(weights))
    rows = Rows(x, y, weights, n_threads)
    polish_if_needed(fit, rows)
    return fit if cov == "classical" else fit._with_meat(rows, cov, groups, lags)


def _sum_of_logarithms(weights):
    total = 0.0
    for start in range(0, weights.shape[0], _PIECE):
        piece = weights[start : start + _PIECE].astype(np.float64)
        total += float(np.log(piece[piece > 0]).sum())
    return total
