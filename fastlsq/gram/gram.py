# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""`Gram`: a small, mergeable summary of rows, from which regressions follow.

The state is the stack of block sums of the Gram pass about a provisional shift (csrc/tree.h), so that rows may come in
any chunks; and, once states have been merged, the means and centred moments of what was merged in.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fastlsq import _arrays, _threads
from fastlsq._core import lib
from fastlsq.gram.ols import OLSResult
from fastlsq.solve.deficient import solve_moments
from fastlsq.solve.moments import NormalEquations, Problem, Units, diagonal_of, first_units, merge, safe_exponents

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


class Gram:
    """Sums of products of [X, y] over rows, accumulated once.

    Parameters
    ----------
    intercept : bool
        Whether models drawn from the state have an intercept; the state then also holds the means.
    names : sequence of str, optional
        Column names; by default those of the first data frame seen, else x0, x1, ...

    Notes
    -----
    The same rows give the same answer to about 1e-12 however they are cut into updates, and the same bits for any
    number of threads and memory order, and for cuts at multiples of `block_rows`.

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

    def __init__(self, intercept: bool = True, names: Sequence[str] | None = None) -> None:
        self._intercept = bool(intercept)
        self._names = None if names is None else [str(name) for name in names]
        self._named = names is not None  # by the caller: columns of data frames are then not compared
        self._units = None  # of the running moments, set by the first rows
        self._moments = None
        self._merged = None  # NormalEquations of earlier, merged-in rows
        self._n_rows = 0  # in the running moments
        self._n_weighted = 0  # of them with a weight above 0
        self._sum_weights = 0.0
        self._merged_weighted = 0

    @property
    def intercept(self) -> bool:
        return self._intercept

    @property
    def n_rows(self) -> int:
        """Rows seen."""
        return self._n_rows + (self._merged.n_rows if self._merged is not None else 0)

    @property
    def sum_weights(self) -> float:
        """Sum of the weights; the number of rows where none were given."""
        return self._sum_weights + (self._merged.sum_weights if self._merged is not None else 0.0)

    @property
    def n_columns(self) -> int | None:
        """Columns of X, or None before the first rows."""
        if self._moments is not None:
            return self._moments.p
        return self._merged.p if self._merged is not None else None

    @property
    def names(self) -> list[str] | None:
        """Column names, or None before the first rows."""
        return None if self.n_columns is None else list(self._names)

    @property
    def block_rows(self) -> int:
        """Streams cut at multiples of this many rows give the bits of a single update."""
        self._need_rows()
        return lib.block_rows(self.n_columns)

    @property
    def shift(self) -> NDArray[np.float64]:
        """ndarray (p,): the provisional shift of X, about which the sums are taken; 0 without an intercept."""
        self._need_rows()
        units = self._units if self._units is not None else self._merged.units
        return units.shift[: self.n_columns].copy()

    @property
    def mean(self) -> NDArray[np.float64]:
        """ndarray (p,): weighted means of the columns of X; needs an intercept."""
        if not self._intercept:
            raise ValueError("a Gram without intercept holds no means")
        self._need_rows()
        return self.equations().user_mean()[: self.n_columns]

    @property
    def nbytes(self) -> int:
        """Memory held by the block sums, in bytes."""
        return self._moments.nbytes if self._moments is not None else 0

    def update(
        self, X: Any, y: ArrayLike, weights: ArrayLike | None = None, *, n_threads: int | None = None
    ) -> Self:
        """Add rows.  On an error the state stays as it was.

        Parameters
        ----------
        X : array_like, shape (n, p), real
        y : array_like, shape (n,) or (n, 1), real
        weights : array_like, shape (n,), optional
            Non-negative; a weight of 2 counts as the row given twice.
        n_threads : int, optional

        Returns
        -------
        Gram
            Itself.
        """
        n_threads = _threads.resolve(n_threads)
        x = _arrays.matrix(X, "X")
        n, p = x.shape
        if self.n_columns is not None and p != self.n_columns:
            raise ValueError(f"X has {p} columns, the state has {self.n_columns}")
        y = _arrays.one_target(y, "y", n, "X")
        weights = _arrays.row_weights(weights, n, "X")
        names = self._names_of(X, p)
        if p == 0:
            raise ValueError("X has no columns")
        if n == 0:
            return self
        problem = Problem(x, y, weights, self._intercept, n_threads, ("X", "y"))
        units = self._units if self._units is not None else first_units(problem)
        moments = self._staged(problem, units)
        exponents = safe_exponents(problem, units, diagonal_of(moments))
        if self._n_rows:
            # never scale seen rows up, they are as they were; a column of zeros has no scale yet
            seen = (diagonal_of(self._moments) > 0) | (units.shift != 0)
            exponents = np.where(seen, np.minimum(exponents, units.exponents), exponents)
        if (exponents != units.exponents).any():
            units = Units(exponents, units.shift, plain=False)
            moments = self._staged(problem, units)
        self._units, self._moments, self._names = units, moments, names
        self._n_rows += n
        self._n_weighted += n if weights is None else int(np.count_nonzero(weights))
        self._sum_weights += n if weights is None else float(np.add.reduce(weights, dtype=np.float64))
        return self

    def merge(self, other: Gram) -> Self:
        """Add the rows another state has seen; returns itself.  `other` is left as it was."""
        if not isinstance(other, Gram):
            raise TypeError(f"other must be a Gram, got {type(other).__name__}")
        if other._intercept != self._intercept:
            raise ValueError("cannot merge a Gram with an intercept and one without")
        if other.n_columns is None:
            return self
        if self.n_columns is not None:
            if other.n_columns != self.n_columns:
                raise ValueError(f"other has {other.n_columns} columns, the state has {self.n_columns}")
            if other._names != self._names:
                raise ValueError(f"the column names differ: {self._names} and {other._names}")
            merged = merge(self.equations(), other.equations())
        else:
            merged = other.equations()
        self._merged_weighted = self._n_rows_weighted() + other._n_rows_weighted()
        self._merged, self._names, self._named = merged, list(other._names), self._named or other._named
        self._units = self._moments = None
        self._n_rows = self._n_weighted = 0
        self._sum_weights = 0.0
        return self

    def __add__(self, other: Gram) -> Gram:
        if not isinstance(other, Gram):
            return NotImplemented
        return self.copy().merge(other)

    def __radd__(self, other: int) -> Gram:
        """0 + state, so that the built-in sum adds states."""
        return self.copy() if other == 0 and not isinstance(other, Gram) else NotImplemented

    def copy(self) -> Gram:
        """An independent state with the same content."""
        twin = Gram(self._intercept, self._names)
        twin.__dict__.update(self.__dict__)
        twin._names = None if self._names is None else list(self._names)
        twin._moments = None if self._moments is None else self._moments.copy()
        return twin

    def ols(self) -> OLSResult:
        """Ordinary (weighted) least squares from the sums alone.

        Without the rows nothing can be refined: the relative error of the coefficients is about u*condition², columns
        with a condition above some 1e7 cannot be told from dependent ones, and a residual sum of squares below the
        rounding of the total sum of squares (an almost exact fit) is NaN, with all that follows from it.
        Collinear columns are no error: the coefficients are then those of minimum norm, and `aliased` names the
        columns that depend on earlier ones.

        Returns
        -------
        OLSResult
        """
        self._need_rows()
        if self._intercept and not self.sum_weights > 0:
            raise ValueError("weights must not all be zero")
        solution = solve_moments(self.equations())
        return OLSResult(solution, self._names, self._n_rows_weighted())

    def equations(self) -> NormalEquations:
        """The normal equations of all rows seen (centred with an intercept)."""
        self._need_rows()
        if self._moments is None:
            return self._merged
        running = NormalEquations.from_moments(self._moments, self._units, self._n_rows, self._sum_weights)
        return running if self._merged is None else merge(self._merged, running)

    def __repr__(self):
        if self.n_columns is None:
            return f"Gram(intercept={self._intercept}, empty)"
        return f"Gram(intercept={self._intercept}, {self.n_rows} rows, {self.n_columns} columns)"

    def __getstate__(self):
        """The moments of all rows seen, without the stack of block sums: small, and safe to send elsewhere."""
        equations = None if self.n_columns is None else self.equations()
        return self._intercept, self._names, self._named, equations, self._n_rows_weighted()

    def __setstate__(self, state):
        self.__init__(state[0])
        self._names, self._named, self._merged, self._merged_weighted = state[1:]

    def _names_of(self, X, p):
        if self._named or self._names is None:
            return _arrays.column_names(X, self._names, p)
        names = _arrays.column_names(X, None, p)
        if hasattr(X, "columns") and names != self._names:
            raise ValueError(f"X has columns {names}, the state has {self._names}")
        return self._names

    def _n_rows_weighted(self):
        return self._n_weighted + self._merged_weighted

    def _need_rows(self):
        if self.n_columns is None:
            raise ValueError("the Gram state is empty: update it with rows first")

    def _staged(self, problem, units):
        """The moments with the rows added, leaving the present ones alone."""
        _, p, k = problem.shape
        if self._moments is None:
            staged = lib.Moments(p, k, problem.intercept)
        else:
            staged = self._moments.copy()
            change = units.exponents - self._units.exponents
            if change.any():
                staged.rescale(change)
        scale, offset = units.core_arguments()
        staged.update(problem.x, problem.y, problem.weights, scale, offset, problem.n_threads)
        return staged
