# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""`Gram`: a small, mergeable summary of rows, and the answers that follow from it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlsq import _arrays
from fastlsq.gram import collinear, storage
from fastlsq.gram.elastic_net import ElasticNetPath, ElasticNetResult, path_from_equations
from fastlsq.gram.inference import OLSResult
from fastlsq.gram.ridge import RidgeResult
from fastlsq.gram.ridge_path import RidgePath, chosen_alphas, path_of
from fastlsq.gram.state import GramState, index_of
from fastlsq.solve import combine
from fastlsq.solve.constrained import BoundedResult, NNLSResult, lsq_linear_from_equations, nnls_from_equations
from fastlsq.solve.deficient import solve_moments
from fastlsq.solve.equality import EqualityResult, equality_from_equations
from fastlsq.solve.penalized import solve_ridge_moments

if TYPE_CHECKING:
    from os import PathLike

    from numpy.typing import ArrayLike, NDArray


class Gram(GramState):
    """Sums of products of [X, y] over rows, accumulated once.

    Parameters
    ----------
    intercept : bool
        Whether models drawn from the state have an intercept; the state then also holds the means.
    names : sequence of str, optional
        Column names; by default those of the first data frame seen, else x0, x1, ...

    Notes
    -----
    The same rows give the same answer to about 1e-12 however they are cut into updates, so long as the first of them
    are not far from all others (the sums are taken about these), and the same bits for any number of threads and memory
    order, and for cuts at multiples of `block_rows`.

    Examples
    --------
    >>> import numpy as np, fastlsq
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((1000, 2))
    >>> y = 3.0 + X @ np.array([1.0, -2.0])
    >>> g = fastlsq.Gram()
    >>> for start in range(0, 1000, 100):
    ...     g = g.update(X[start : start + 100], y[start : start + 100])
    >>> g.n_rows
    1000
    >>> g.ols().coef.round(10)
    array([ 1., -2.])
    """

    @property
    def mean(self) -> NDArray[np.float64]:
        """ndarray (p,): weighted means of the columns of X; needs an intercept."""
        return self._centred("means").user_mean()[: self.n_columns]

    @property
    def target_mean(self) -> NDArray[np.float64]:
        """ndarray (k,): weighted means of the targets; needs an intercept."""
        return self._centred("means").user_mean()[self.n_columns :]

    def ols(self) -> OLSResult:
        """Ordinary (weighted) least squares from the sums alone: minimises sum_i w_i (y_i - intercept - x_i coef)².

        Without the rows nothing can be refined: the relative error of the coefficients is about u*condition², columns
        with a condition above some 1e7 cannot be told from dependent ones, and a residual sum of squares below the
        rounding of the total sum of squares (an almost exact fit) is NaN, with all that follows from it.
        Collinear columns are no error: the coefficients are then those of minimum norm, and `aliased` names the
        columns that depend on earlier ones.

        Returns
        -------
        OLSResult
        """
        return OLSResult(solve_moments(self._with_targets()), self._names, self._n_rows_weighted())

    def ridge(self, alpha: float | ArrayLike = 1.0, *, penalty: ArrayLike | None = None) -> RidgeResult:
        """Minimises sum_i w_i (y_i - intercept - x_i b)² + alpha bᵀP b from the sums alone; parameters as in `ridge`.

        Nothing is refined, as in `ols`; `info.forward_error` bounds the error of the coefficients.
        """
        equations = self._with_targets()
        alpha = _arrays.ridge_alpha(alpha, equations.c.shape[1])
        penalty = _arrays.ridge_penalty(penalty, equations.p)
        solution = solve_ridge_moments(equations, alpha, penalty)
        return RidgeResult(solution, alpha, penalty, self._names)

    def ridge_path(self, alphas: ArrayLike | None = None, *, penalty: ArrayLike | None = None) -> RidgePath:
        """Ridge for many alphas from one factorization; parameters and result as of `fastlsq.ridge_path`."""
        equations = self._with_targets()
        penalty = _arrays.ridge_penalty(penalty, equations.p)
        alphas = chosen_alphas(alphas, equations, penalty)
        return path_of(equations, alphas, penalty, self._names, self._n_rows_weighted())

    def elastic_net(self, alpha: float, *, l1_ratio: float = 0.5, **options: Any) -> ElasticNetResult:
        """`fastlsq.elastic_net` from the sums alone; `options` as there: penalty_factor, positive, tol, max_iter.

            sum_i w_i (y_i - intercept - x_i coef)² / (2 sum_i w_i)
                + alpha sum_j factor_j (l1_ratio |coef_j| + (1 - l1_ratio) coef_j² / 2)
        """
        path = path_from_equations(self._one_target(), self._names, l1_ratio=l1_ratio, alphas=[alpha], **options)
        return path[0]

    def elastic_net_path(
        self, alphas: ArrayLike | None = None, *, l1_ratio: float = 0.5, **options: Any
    ) -> ElasticNetPath:
        """`fastlsq.elastic_net_path` from the sums alone; `options` as there, but for what concerns rows."""
        return path_from_equations(self._one_target(), self._names, l1_ratio=l1_ratio, alphas=alphas, **options)

    def lasso_path(self, alphas: ArrayLike | None = None, **options: Any) -> ElasticNetPath:
        """`elastic_net_path` with l1_ratio = 1."""
        return self.elastic_net_path(alphas, l1_ratio=1.0, **options)

    def nnls(self) -> NNLSResult:
        """`fastlsq.nnls`, min ||A x - b|| with x >= 0, from the sums alone: x of shape (p, k), rnorm (k,).

        With an intercept that is not bounded, it is ``state.target_mean - state.mean @ x``.  rnorm is NaN where
        rounding of the sums has taken it.  A large `info.kkt` (1e-12 and more) tells of columns that depend on each
        other as far as the sums know: `fastlsq.nnls` of the rows has the digits that they have lost.
        """
        return nnls_from_equations(self._with_targets())

    def lsq_linear(self, bounds: Any) -> BoundedResult:
        """`fastlsq.lsq_linear`, min ||A x - b||² / 2 with bounds, from the sums alone: x of shape (p, k), cost (k,).

        bounds are a pair of lower and upper ones, scalars or of shape (p,).  The intercept, rounding and dependent
        columns are as in `nnls`.

        Examples
        --------
        >>> import numpy as np, fastlsq
        >>> X = np.array([[1.0, 0.0], [2.0, 1.0], [3.0, 0.0], [4.0, 1.0]])
        >>> g = fastlsq.Gram(intercept=False).update(X, X @ [3.0, -1.0])
        >>> g.lsq_linear((0, [2, 5])).x.round(12)[:, 0]
        array([2., 2.])
        """
        return lsq_linear_from_equations(self._with_targets(), bounds)

    def lstsq_equality(self, C: ArrayLike, d: ArrayLike) -> EqualityResult:
        """`fastlsq.lstsq_equality`, min ||A x - b|| with C x = d, from the sums alone: x of shape (p, k), rss (k,).

        The constraints are on the slopes; an intercept is ``state.target_mean - state.mean @ x``.  rss is NaN where
        rounding of the sums has taken it; columns that depend on each other as far as the sums tell (`info.condition`
        is then infinite) give the x of minimum norm.

        Examples
        --------
        >>> import fastlsq
        >>> g = fastlsq.Gram(intercept=False).update([[1, 0], [0, 1], [1, 1]], [1, 2, 6])
        >>> fit = g.lstsq_equality([[1, -1]], [0])
        >>> fit.x.round(12)[:, 0].tolist(), round(float(fit.rss[0]), 12)
        ([2.5, 2.5], 3.5)
        """
        return equality_from_equations(self._with_targets(), C, d)

    def covariance(self, ddof: float = 1) -> NDArray[np.float64]:
        """Covariance matrix of the columns of X: sum_i w_i (x_i - mean)(x_i - mean)ᵀ / (sum_i w_i - ddof).

        Needs an intercept.  With weights that are counts this is the covariance of the repeated rows.

        Returns
        -------
        ndarray, shape (p, p)
        """
        equations = self._centred("a covariance")
        exponents = -equations.units.exponents[: equations.p]
        with np.errstate(over="ignore", under="ignore", divide="ignore", invalid="ignore"):
            # the divisor first: sums may be beyond what their mean is
            mean = equations.m / (equations.sum_weights - ddof if equations.sum_weights > ddof else np.nan)
            return np.ldexp(mean, exponents[:, None] + exponents[None, :])

    def correlation(self) -> NDArray[np.float64]:
        """Correlation matrix of the columns of X, shape (p, p), NaN for constant columns.  Needs an intercept."""
        return collinear.correlation(self._centred("a correlation"))

    def condition(self) -> float:
        """Condition number of the columns of X (with an intercept: about their means) scaled to equal length.

        An estimate in the 2-norm, infinite where columns depend on each other as far as the moments tell (from some
        1e7 on).
        """
        self._need_rows()
        return collinear.condition(self.equations())

    def aliased(self) -> list[str]:
        """Names of the columns that depend on earlier ones, constant ones with an intercept among them."""
        self._need_rows()
        return [self._names[j] for j in collinear.aliased(self.equations())]

    def collinearity(self, threshold: float = 10.0) -> collinear.Collinearity:
        """Which columns are nearly combinations of which others.

        Parameters
        ----------
        threshold : float
            Variance inflation factor 1/(1 - R²) of a column on the others from which on it is listed.
        """
        self._need_rows()
        return collinear.report(self.equations(), self._names, threshold)

    def subset(self, columns: Sequence[int | str], targets: Sequence[int] | None = None) -> Gram:
        """A state of the same rows that knows only some columns, in the order given, and some targets.

        Parameters
        ----------
        columns : sequence of int or str
            Places or names.
        targets : sequence of int, optional
            By default all.
        """
        equations = self.equations()
        places = np.array([self._place(column) for column in columns], np.int64)
        if places.size == 0:
            raise ValueError("columns is empty")
        if np.unique(places).size < places.size:
            raise ValueError(f"columns has a column twice: {list(columns)}")
        k = equations.c.shape[1]
        chosen = np.arange(k) if targets is None else np.array([index_of(t, k, "targets") for t in targets], np.int64)
        part = Gram(self._intercept, [self._names[j] for j in places])
        part._replace(combine.subset(equations, places, chosen), self._n_rows_weighted())
        return part

    def save(self, path: str | PathLike) -> None:
        """Write the moments to a file (npz: NumPy's arrays in a zip, no pickle) that `Gram.load` reads.

        The file is complete or not there: it is written beside its place and moved.
        """
        storage.save(path, self.__getstate__())

    @classmethod
    def load(cls, path: str | PathLike) -> Gram:
        """Read what `save` has written.

        Raises
        ------
        ValueError
            The file is truncated, changed, of a later version, or something else altogether.
        """
        state = cls()
        state.__setstate__(storage.load(path))
        return state

    def __repr__(self):
        if self.n_columns is None:
            return f"Gram(intercept={self._intercept}, empty)"
        targets = "" if self.n_targets == 1 else f", {self.n_targets} targets"
        return f"Gram(intercept={self._intercept}, {self.n_rows} rows, {self.n_columns} columns{targets})"

    def _repr_html_(self):
        return storage.as_html(self)

    def _centred(self, what):
        if not self._intercept:
            raise ValueError(f"a Gram without intercept holds no means: {what} needs intercept=True")
        return self.equations()

    def _one_target(self):
        equations = self._with_targets()
        if equations.c.shape[1] != 1:
            raise ValueError(f"the state has {equations.c.shape[1]} targets: choose one by `subset`")
        return equations

    def _with_targets(self):
        equations = self.equations()
        if equations.c.shape[1] == 0:
            raise ValueError("the Gram state has no target: it was updated without y")
        if self._intercept and not self.sum_weights > 0:
            raise ValueError("weights must not all be zero")
        return equations
