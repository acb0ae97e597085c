# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The state of a `Gram`: rows go in, leave, fade and are merged; the normal equations come out.

The state is the stack of block sums of the Gram pass about a provisional shift (csrc/tree.h), so that rows may come in
any chunks; and, once states have been merged, the means and centred moments of what was merged in.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from fastlsq import _arrays, _threads
from fastlsq._core import lib
from fastlsq.gram import storage, streams
from fastlsq.solve import combine
from fastlsq.solve.moments import (
    NormalEquations,
    Problem,
    Units,
    diagonal_of,
    first_units,
    gather,
    merge,
    safe_exponents,
)

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


#: sum of all weights below which products of rows and weights lose digits
LEAST_WEIGHT = 1e-100
#: what taking away rows that were not there leaves of a column, relative to the size its sums had
FOREIGN = 1e-6


class GramState:
    """Rows in, normal equations out; `Gram` adds what follows from them."""

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
    def n_targets(self) -> int | None:
        """Columns of y, 0 where no target was given, or None before the first rows."""
        if self._moments is not None:
            return self._moments.k
        return self._merged.c.shape[1] if self._merged is not None else None

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
    def nbytes(self) -> int:
        """Memory held by the block sums, in bytes."""
        return self._moments.nbytes if self._moments is not None else 0

    def update(
        self, X: Any, y: ArrayLike | None = None, weights: ArrayLike | None = None, *, n_threads: int | None = None
    ) -> Self:
        """Add rows.  On an error the state stays as it was.

        Parameters
        ----------
        X : array_like, shape (n, p), real; or a list of such arrays
            A list of 2-D arrays are blocks of columns, side by side; they are not stacked.
        y : array_like, shape (n,) or (n, k), real, optional
            Without targets the state knows X alone: `covariance`, `condition`, ...
        weights : array_like, shape (n,), optional
            Non-negative; a weight of 2 counts as the row given twice.
        n_threads : int, optional

        Returns
        -------
        Gram
            Itself.
        """
        n_threads = _threads.resolve(n_threads)
        blocks = _arrays.column_blocks(X, "X")
        if blocks is not None:
            return self._by_blocks(GramState.update, X, blocks, y, weights, n_threads)
        problem, names = self._checked(X, y, weights, n_threads)
        n, p, _ = problem.shape
        if n == 0:
            return self
        begun = self._moments is not None and self._sum_weights > 0  # rows that weigh nothing say nothing of a shift
        units = self._units if begun else first_units(problem)
        moments = self._staged(problem, units, begun)
        exponents = safe_exponents(problem, units, diagonal_of(moments))
        if begun:
            # never scale seen rows up, they are as they were; a column of zeros has no scale yet
            seen = (diagonal_of(self._moments) > 0) | (units.shift != 0)
            exponents = np.where(seen, np.minimum(exponents, units.exponents), exponents)
        if (exponents != units.exponents).any():
            units = Units(exponents, units.shift, plain=False)
            moments = self._staged(problem, units, begun)
        self._units, self._moments, self._names = units, moments, names
        self._n_rows += n
        self._n_weighted += problem.n_weighted
        self._sum_weights += problem.sum_weights
        return self

    def update_from(
        self, chunks: Iterable[tuple], *, progress: Callable[[int], Any] | None = None, n_threads: int | None = None
    ) -> Self:
        """Add the rows of a stream, chunk by chunk.

        Parameters
        ----------
        chunks : iterable of (X, y) or (X, y, weights)
            For example ``fastlsq.row_chunks`` of arrays on disk, or a generator that reads a file.  A chunk is let go
            before the next is asked for.
        progress : callable, optional
            Called with the number of rows seen so far after every chunk.
        n_threads : int, optional

        Returns
        -------
        Gram
            Itself.  After an error it holds the chunks before the one the message names.

        Examples
        --------
        >>> import numpy as np, fastlsq
        >>> chunks = ((np.full((2, 1), i), [2.0 * i, 2.0 * i + 1]) for i in range(5))
        >>> fastlsq.Gram().update_from(chunks).n_rows
        10
        """
        before = self.n_rows
        streams.feed(lambda *chunk: self.update(*chunk, n_threads=n_threads).n_rows - before, chunks, progress)
        return self

    def downdate(
        self, X: Any, y: ArrayLike | None = None, weights: ArrayLike | None = None, *, n_threads: int | None = None
    ) -> Self:
        """Take rows away that were added before.  On an error the state stays as it was.

        What is left has lost the digits that the sums with and without the rows have in common: taking a row of 1e8
        out of rows of 1 leaves nothing.  Condition, rank, error bounds and residual sums of squares of later answers
        take that into account.  Where rows leave all the time, `fastlsq.rolling_ols` adds only.

        Parameters
        ----------
        X, y, weights
            As given to `update`.
        n_threads : int, optional

        Returns
        -------
        Gram
            Itself.
        """
        n_threads = _threads.resolve(n_threads)
        blocks = _arrays.column_blocks(X, "X")
        if blocks is not None:
            return self._by_blocks(GramState.downdate, X, blocks, y, weights, n_threads)
        problem, names = self._checked(X, y, weights, n_threads)
        n = problem.shape[0]
        if n == 0:
            return self
        count, weight = self._n_rows_weighted() - problem.n_weighted, problem.sum_weights
        rest = self.sum_weights - weight
        if self.n_rows < n or count < 0 or rest < -1e-9 * self.sum_weights:
            raise ValueError(f"X has {n} rows (of weight {weight:g}), the state {self.n_rows} ({self.sum_weights:g})")
        leaving = of_one_triangle(gather(problem))
        equations = combine.without(self.equations(), leaving)
        left = np.diagonal(equations.m) / np.where(equations.raw_diagonal > 0, equations.raw_diagonal, 1.0)
        if (left < -FOREIGN).any() or (self.n_rows == n and ((left > FOREIGN).any() or rest > 1e-9 * self.sum_weights)):
            raise ValueError("X has rows, or weights, that were not added to the state")
        if self.n_rows == n:
            self._replace(None, 0)
            self._names = self._names if self._named else None
            return self
        if count == 0 or rest <= 0:  # what is left weighs nothing
            equations = combine.decayed(equations, 0.0)
        self._replace(equations, count)
        self._names = names
        return self

    def decay(self, factor: float) -> Self:
        """Multiply the weights of all rows seen by `factor`, between 0 and 1: later rows then count for more.

        Called before every update, it makes regressions forget exponentially.  Counts of rows do not change.

        Returns
        -------
        Gram
            Itself.
        """
        real = isinstance(factor, (int, float, np.integer, np.floating)) and not isinstance(factor, bool)
        if not (real and 0 < factor <= 1):
            raise ValueError(f"factor must be above 0 and at most 1, got {factor!r}")
        if 0 < self.sum_weights * factor < LEAST_WEIGHT:
            raise ValueError(f"factor {factor:g} leaves weights of {self.sum_weights * factor:g} in all: too small")
        if self.n_columns is not None and factor < 1:
            self._replace(combine.decayed(self.equations(), float(factor)), self._n_rows_weighted())
        return self

    def merge(self, other: Self) -> Self:
        """Add the rows another state has seen; returns itself.  `other` is left as it was."""
        if not isinstance(other, GramState):
            raise TypeError(f"other must be a Gram, got {type(other).__name__}")
        if other._intercept != self._intercept:
            raise ValueError("cannot merge a Gram with an intercept and one without")
        if other.n_columns is None:
            return self
        if self.n_columns is not None:
            if other.n_columns != self.n_columns:
                raise ValueError(f"other has {other.n_columns} columns, the state has {self.n_columns}")
            if other.n_targets != self.n_targets:
                raise ValueError(f"other has {other.n_targets} targets, the state has {self.n_targets}")
            if other._names != self._names:
                raise ValueError(f"the column names differ: {self._names} and {other._names}")
            merged = merge(self.equations(), other.equations())
        else:
            merged = other.equations()
        self._names, self._named = list(other._names), self._named or other._named
        self._replace(merged, self._n_rows_weighted() + other._n_rows_weighted())
        return self

    def __add__(self, other: Self) -> Self:
        if not isinstance(other, GramState):
            return NotImplemented
        return self.copy().merge(other)

    def __radd__(self, other: int) -> Self:
        """0 + state, so that the built-in sum adds states."""
        return self.copy() if other == 0 and not isinstance(other, GramState) else NotImplemented

    def copy(self) -> Self:
        """An independent state with the same content."""
        twin = type(self)(self._intercept, self._names)
        twin.__dict__.update(self.__dict__)
        twin._names = None if self._names is None else list(self._names)
        twin._moments = None if self._moments is None else self._moments.copy()
        return twin

    def equations(self) -> NormalEquations:
        """The normal equations of all rows seen (centred with an intercept)."""
        self._need_rows()
        if self._moments is None:
            return self._merged
        running = NormalEquations.from_moments(self._moments, self._units, self._n_rows, self._sum_weights)
        running = of_one_triangle(running)
        return running if self._merged is None else merge(self._merged, running)

    def __getstate__(self):
        """The moments of all rows seen, without the stack of block sums: small, and safe to send elsewhere."""
        equations = None if self.n_columns is None else storage.compact(self.equations())
        return self._intercept, self._names, self._named, equations, self._n_rows_weighted()

    def __setstate__(self, state):
        self.__init__(state[0])
        self._names, self._named, equations, self._merged_weighted = state[1:]
        self._merged = None if equations is None else storage.expanded(equations)

    def _checked(self, X, y, weights, n_threads):
        """(problem, column names): rows that fit the state."""
        x = _arrays.matrix(X, "X")
        n, p = x.shape
        if self.n_columns is not None and p != self.n_columns:
            raise ValueError(f"X has {p} columns, the state has {self.n_columns}")
        y = np.empty((n, 0)) if y is None else _arrays.targets(y, "y", n, "X")[0]
        if self.n_targets is not None and y.shape[1] != self.n_targets:
            raise ValueError(f"y has {y.shape[1]} columns, the state has {self.n_targets} targets")
        weights = _arrays.row_weights(weights, n, "X")
        names = self._names_of(X, p)
        if p == 0:
            raise ValueError("X has no columns")
        return Problem(x, y, weights, self._intercept, n_threads, ("X", "y")), names

    def _by_blocks(self, change, X, blocks, y, weights, n_threads):
        """Update or downdate with blocks of columns, all of it or nothing."""
        p = sum(block.shape[1] for block in blocks)
        if self.n_columns is not None and p != self.n_columns:
            raise ValueError(f"X has {p} columns, the state has {self.n_columns}")
        names = self._names_of_blocks(X, blocks)
        twin = self.copy()
        if not twin._named:
            twin._names = names  # of all blocks
        for piece in streams.stacked(blocks, y, weights, lib.block_rows(p)):
            change(twin, *piece, n_threads=n_threads)
        twin._named = self._named
        self.__dict__.update(twin.__dict__)
        return self

    def _names_of_blocks(self, X, blocks):
        own = [_arrays.own_names(block) for block in X]
        p = sum(block.shape[1] for block in blocks)
        if self._named or not any(own):
            return _arrays.column_names(None, self._names, p)
        found, start = [], 0
        for names, block in zip(own, blocks, strict=True):
            stop = start + block.shape[1]
            found += names or [f"x{j}" for j in range(start, stop)]
            start = stop
        _arrays.check_unique(found)
        if self._names is not None and found != self._names:
            raise ValueError(f"X has columns {found}, the state has {self._names}")
        return found

    def _replace(self, equations, n_weighted):
        """These equations and nothing else from now on."""
        self._merged, self._merged_weighted = equations, n_weighted
        self._units = self._moments = None
        self._n_rows = self._n_weighted = 0
        self._sum_weights = 0.0

    def _place(self, column):
        if isinstance(column, str):
            if column not in self._names:
                raise ValueError(f"columns has {column!r}, which is not among {self._names}")
            return self._names.index(column)
        return index_of(column, self.n_columns, "columns")

    def _names_of(self, X, p):
        if self._named or self._names is None:
            return _arrays.check_unique(_arrays.column_names(X, self._names, p))
        names = _arrays.column_names(X, None, p)
        if hasattr(X, "columns") and names != self._names:
            raise ValueError(f"X has columns {names}, the state has {self._names}")
        return self._names

    def _n_rows_weighted(self):
        return self._n_weighted + self._merged_weighted

    def _need_rows(self):
        if self.n_columns is None:
            raise ValueError("the Gram state is empty: update it with rows first")

    def _staged(self, problem, units, begun):
        """The moments with the rows added, leaving the present ones alone, if they have begun."""
        _, p, k = problem.shape
        if not begun:
            staged = lib.Moments(p, k, problem.intercept)
        else:
            staged = self._moments.copy()
            change = units.exponents - self._units.exponents
            if change.any():
                staged.rescale(change)
        scale, offset = units.core_arguments()
        staged.update(problem.x, problem.y if k else None, problem.weights, scale, offset, problem.n_threads)
        return staged


def of_one_triangle(equations):
    """With the upper triangle of M below the diagonal too, where centring rounds apart: files and pickles keep one."""
    equations.m = np.triu(equations.m)
    equations.m += np.triu(equations.m, 1).T
    return equations


def index_of(value, count, name):
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or not -count <= value < count:
        raise ValueError(f"{name} has {value!r}, which is no index into {count}")
    return int(value) % count
