# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""What all results of generalized linear models share, and inference on their parameters in the user's units."""

import numpy as np

from fastlsq import _arrays
from fastlsq._core import lib
from fastlsq._inference import ParameterTests
from fastlsq.descent import newton


def rows_used(model):
    return model.x.shape[0] if model.weights is None else int(np.count_nonzero(model.weights))


class Fitted(ParameterTests):
    """What both results share."""

    def _take(self, model, progress, names, alpha, inference):
        self.names = list(names)
        self.has_intercept = model.intercept
        self.alpha = alpha
        self.n_rows = rows_used(model)
        self.sum_weights = model.sum_weights
        self.converged = progress.converged
        self.gradient_norm = progress.gradient_norm
        self.passes = progress.passes
        self.history = progress.history
        self.n_iter = len(progress.history) - 1
        self.penalized = progress.penalty.l1 is not None or progress.penalty.l2 is not None
        p = len(self.names)
        self.aliased = [self.names[j] for j in np.flatnonzero(~progress.active[:p])]
        self.rank = int(progress.active[:p].sum())
        self.n_threads = model.n_threads
        self.separation = None
        self.reason = progress.reason
        self._with_errors = inference and progress.hessian is not None and not self.penalized
        if progress.separation is not None:
            self._name_separation(model, progress.separation)

    def _name_separation(self, model, direction):
        """The columns of the direction, by what they move the predictors."""
        p = len(self.names)
        slopes = np.abs(np.ldexp(direction[:, :p], model.units.exponents[:p]))
        # in all rows: a column may be 0 in all but one
        low, high = model.x.min(axis=0).astype(np.float64), model.x.max(axis=0).astype(np.float64)
        moved = slopes.max(axis=0) * (high - low if model.intercept else np.maximum(high, -low))
        found = np.flatnonzero(moved > 1e-3 * moved.max(initial=0.0))
        found = found[np.argsort(-moved[found], kind="stable")]
        self.separation = {self.names[j]: float(np.ldexp(direction[:, j], model.units.exponents[j])[
            np.argmax(np.abs(direction[:, j]))]) for j in found}
        shown = ", ".join(list(self.separation)[:5]) + (", ..." if found.size > 5 else "")
        self.reason = ("the likelihood has no finite maximum: the outcomes are separated along "
                       + (f"a direction of the columns {shown}" if found.size > 1 else f"column {shown}"
                          if found.size else "the intercept")
                       + "; penalize (alpha > 0) or leave columns out")

    def _checked(self, X):
        x = _arrays.matrix(X, "X")
        if x.shape[1] != len(self.names):
            raise ValueError(f"X has {x.shape[1]} columns, the model has {len(self.names)}")
        return x

    def __getstate__(self):
        derived = ("covariance", "standard_errors", "t_values", "p_values")
        return {name: value for name, value in self.__dict__.items() if name not in derived}


def lengths(rows):
    """Of rows whose squares may be no numbers."""
    largest = np.abs(rows).max(axis=1, initial=0.0)
    unit = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
    return unit * np.sqrt(((rows / unit[:, None]) ** 2).sum(axis=1))


def parameter_root(model, hessian, active, shortest):
    """A with A Aᵀ the inverse of a Hessian, in the user's units, the intercept first."""
    p = model.x.shape[1]
    r, exponents = newton.factor_of(hessian[np.ix_(active, active)])
    inverse = np.eye(r.shape[0])
    if r.size:
        lib.triangular_solve(r, inverse, False)
    root = np.zeros((active.size, r.shape[0]))
    root[active] = np.ldexp(inverse, exponents[:, None])
    root = model.parameter_map() @ root
    if shortest is not None:
        moved = root[:p] - shortest.apply(root[:p])
        if model.intercept:
            root[p] += shortest.mean @ moved
        root[:p] -= moved
    return np.vstack([root[p:], root[:p]]) if model.intercept else root


class _Shortest:
    """Moves slopes to minimum norm, along a null space (orthonormal rows) of the columns about `mean`."""

    def __init__(self, null, mean):
        self.null, self.mean = null, mean

    def apply(self, slopes):
        """What of them is not in the null space."""
        return slopes - self.null.T @ (self.null @ slopes)


def null_space(model, progress):
    """In the user's units, of the columns that depend on others."""
    p = model.x.shape[1]
    own = model.units.exponents[:p]
    h, _ = newton.centred(model, progress.hessian[: model.lead, : model.lead])
    kept, left = np.flatnonzero(progress.active[:p]), np.flatnonzero(~progress.active[:p])
    null = np.zeros((left.size, p))
    for i, j in enumerate(left):
        null[i, j] = 1.0
        if kept.size and h[j, j] > 0:
            null[i, kept] = -newton.solve_definite(h[np.ix_(kept, kept)], h[kept, j])
    null = np.ldexp(null, own)
    null /= np.abs(null).max(axis=1)[:, None]
    basis = np.linalg.qr(null.T)[0].T if left.size else null
    mean = np.zeros(p)
    if model.intercept:
        packed = progress.hessian[p, :p] / progress.hessian[p, p]
        mean = np.ldexp(packed, -own) + model.units.shift
    return _Shortest(basis, mean)
