# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Where the rows of a training come from: arrays, or chunks that are walked once an epoch."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain

import numpy as np

from fastlsq import _arrays
from fastlsq.descent import losses, sparse


@dataclass(slots=True)
class Chunk:
    """Checked arrays; y is what was given until it is encoded."""

    x: np.ndarray
    y: object
    weights: np.ndarray | None

    @property
    def arrays(self):
        return self.x, self.y, self.weights


class Source:
    """Chunks of rows; arrays are a source of one."""

    def __init__(self, walk, is_chunked, is_once, class_weight):
        self._walk, self.is_chunked, self.is_once, self._class_weight = walk, is_chunked, is_once, class_weight
        self._first = self._encode = None
        self.class_factors = None  # of weights, by the number of a class

    @classmethod
    def of(cls, X, y, weights, class_weight):
        if y is not None:
            x = sparse.rows_of(X, "X")
            if x.shape[0] == 0:
                raise ValueError("X has no rows")
            one = [Chunk(x, y, _plain(_arrays.row_weights(weights, x.shape[0], "X")))]
            return cls(lambda: iter(one), False, False, class_weight)
        if weights is not None:
            raise ValueError("weights of chunks come with them: (X, y, weights)")
        if hasattr(X, "shape") or not (callable(X) or hasattr(X, "__iter__")):
            raise TypeError("y is needed, unless X is an iterable of chunks (X, y) or (X, y, weights)")
        if hasattr(X, "__next__"):
            return cls(lambda: _checked(X), True, True, class_weight)
        return cls((lambda: _checked(X())) if callable(X) else (lambda: _checked(X)), True, False, class_weight)

    def first(self):
        """The first chunk, which is not lost for the walk."""
        if self._first is None:
            walk = self._walk()
            self._first = next(walk, None)
            if self._first is None:
                raise ValueError("X has no chunks")
            if self.is_once:
                self._walk = lambda: chain([self._first], walk)
        return self._first if self._encode is None else self._encoded(self._first)

    def chunks(self):
        for chunk in self._walk():
            yield self._encoded(chunk)

    def encode(self, loss, targets, codes):
        """From now on y is what the core takes; codes are the classes of the first chunk by number, where known."""
        first = self._first
        if not self.is_chunked or self._class_weight is not None:
            y = losses.encoded(loss, targets, first.y, first.x.shape[0]) if codes is None else losses.column_of(codes)
        if self._class_weight is not None:
            self.class_factors = _class_factors(self._class_weight, loss, targets, y, first.weights)
        if self.is_chunked:
            self._encode = loss, targets
        else:
            self._first = Chunk(first.x, y, class_weighted(first.weights, y, self.class_factors))
            self._walk = lambda: iter([self._first])

    def _encoded(self, chunk):
        if self._encode is None:
            return chunk
        loss, targets = self._encode
        y = losses.encoded(loss, targets, chunk.y, chunk.x.shape[0])
        return Chunk(chunk.x, y, class_weighted(chunk.weights, y, self.class_factors))

    def hold_out(self, validation, coding, seed):
        """A Chunk of encoded rows to validate on; a share of the rows of arrays, which lose their weight there."""
        if isinstance(validation, tuple):
            if not 2 <= len(validation) <= 3:
                raise ValueError("validation must be (X, y), (X, y, weights) or a share of the rows")
            chunk = _chunk(validation, "validation: ")
            if chunk.x.shape[1] != self.first().x.shape[1]:
                raise ValueError(f"validation has {chunk.x.shape[1]} columns, X has {self.first().x.shape[1]}")
            if chunk.x.shape[0] == 0 or not (chunk.weights is None or (chunk.weights > 0).any()):
                raise ValueError("validation has no rows, or none of positive weight")
            try:
                sparse.check_finite(chunk.x)
            except ValueError as error:
                raise ValueError(f"validation: {error}") from None
            loss, targets = coding
            return Chunk(chunk.x, losses.encoded(loss, targets, chunk.y, chunk.x.shape[0]), chunk.weights)
        if not _arrays.is_number(validation) or not 0 < validation < 1:
            raise ValueError(f"validation must be (X, y), (X, y, weights) or a share in (0, 1), got {validation!r}")
        if self.is_chunked:
            raise ValueError("validation must be (X, y) where X is an iterable of chunks")
        x, y, weights = self._first.arrays
        n = x.shape[0]
        count = int(np.ceil(round(validation * n, 9)))
        if count >= n:
            raise ValueError(f"validation={validation} leaves none of {n} rows to train on")
        rows = np.sort(np.random.Generator(np.random.Philox(seed)).permutation(n)[:count])
        held = Chunk(x[rows], y[rows], None if weights is None else weights[rows])
        weights = np.ones(n) if weights is None else weights.copy()
        some = held.weights is None or (held.weights > 0).any()
        weights[rows] = 0.0
        if not (some and (weights > 0).any()):
            raise ValueError(f"validation={validation} leaves one of the two parts without rows of positive weight")
        self._first = Chunk(x, y, weights)
        return held


def class_weighted(weights, y, factors):
    """Weights times the factors of the classes y (encoded); None stands for ones, and for no factors."""
    if factors is None:
        return weights
    own = factors[y[:, 0].astype(np.int64)]
    return own if weights is None else weights * own


def _plain(weights):
    return None if weights is None else np.ascontiguousarray(weights, np.float64)


def _chunk(parts, prefix):
    try:
        x = sparse.rows_of(parts[0], "X")
        weights = parts[2] if len(parts) > 2 else None
        return Chunk(x, parts[1], _plain(_arrays.row_weights(weights, x.shape[0], "X")))
    except (TypeError, ValueError) as error:
        raise type(error)(f"{prefix}{error}") from None


def _checked(chunks):
    columns = None
    for number, parts in enumerate(chunks):
        if not isinstance(parts, tuple) or not 2 <= len(parts) <= 3:
            raise TypeError(f"chunk {number} must be a tuple (X, y) or (X, y, weights), got {type(parts).__name__}")
        chunk = _chunk(parts, f"chunk {number}: ")
        columns = chunk.x.shape[1] if columns is None else columns
        if chunk.x.shape[1] != columns:
            raise ValueError(f"chunk {number}: X has {chunk.x.shape[1]} columns, those before have {columns}")
        if chunk.x.shape[0]:
            yield chunk


def _class_factors(class_weight, loss, targets, y, weights):
    """Factors of weights by the number of a class, of which y (encoded) has some."""
    if targets.classes is None:
        raise ValueError(f"class_weight is for losses of labels, not for loss={loss.name!r}")
    if isinstance(class_weight, str):
        if class_weight != "balanced":
            raise ValueError(f"class_weight must be a dict or 'balanced', got {class_weight!r}")
        count = np.bincount(y[:, 0].astype(np.int64), weights=weights, minlength=targets.classes.size)
        if not (count > 0).all():
            label = targets.classes.tolist()[int(count.argmin())]
            raise ValueError(f"class_weight='balanced': the class {label!r} has no rows")
        return count.sum() / (targets.classes.size * count)
    factors = np.ones(targets.classes.size)
    known = targets.classes.tolist()
    for label, factor in dict(class_weight).items():
        if label not in known:
            raise ValueError(f"class_weight has the label {label!r}, the classes are {known}")
        if not _arrays.is_number(factor) or not 0 <= factor < np.inf:
            raise ValueError(f"class_weight[{label!r}] must be finite and >= 0, got {factor!r}")
        factors[known.index(label)] = factor
    return factors
