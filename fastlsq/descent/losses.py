# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Losses of gradient descent: what y may be, how it is handed to the core, what a predictor says of y."""

from dataclasses import dataclass

import numpy as np

from fastlsq import _arrays


@dataclass(frozen=True)
class Loss:
    """A loss l(y, eta) of the predictor eta = intercept + x coef."""

    name: str
    core: str  # its name there
    parameter: float = 0.0
    classifies: bool = False
    curvature: float | None = 1.0  # an upper bound of the second derivative by eta, or None

    @property
    def is_adaptive(self):
        """Whether targets have a unit of their own, which steps have to follow."""
        return not self.classifies and self.name != "poisson"


_PLAIN = {
    "squared": Loss("squared", "squared"),
    "logistic": Loss("logistic", "logistic", classifies=True, curvature=0.25),
    "softmax": Loss("softmax", "softmax", classifies=True, curvature=0.5),
    "hinge": Loss("hinge", "hinge", classifies=True),
    "poisson": Loss("poisson", "poisson", curvature=None),
}
_PARAMETERS = {"huber": "delta", "quantile": "quantile", "epsilon_insensitive": "epsilon"}

#: all losses by name
LOSSES = ("squared", "huber", "quantile", "epsilon_insensitive", "logistic", "softmax", "hinge", "poisson")


def loss_of(name, **parameters):
    """The Loss of a name, with that of `delta`, `quantile` and `epsilon` that it has."""
    if name in _PLAIN:
        return _PLAIN[name]
    if name not in _PARAMETERS:
        raise ValueError(f"loss must be one of {', '.join(LOSSES)}, got {name!r}")
    own = _PARAMETERS[name]
    value = parameters[own]
    if not _arrays.is_number(value):
        raise TypeError(f"{own} must be a number, got {value!r}")
    if name == "huber" and not 0 < value < np.inf:
        raise ValueError(f"delta must be > 0 and finite, got {value!r}")
    if name == "quantile" and not 0 < value < 1:
        raise ValueError(f"quantile must be in (0, 1), got {value!r}")
    if name == "epsilon_insensitive" and not 0 <= value < np.inf:
        raise ValueError(f"epsilon must be >= 0 and finite, got {value!r}")
    return Loss(name, name, float(value))


@dataclass(frozen=True)
class Targets:
    """What a loss makes of y."""

    predictors: int
    flat: bool  # y of one dimension: coefficients, too
    classes: np.ndarray | None = None

    @property
    def labels(self):
        """Whether the core is given numbers of classes."""
        return self.classes is not None and self.predictors > 1


def first_targets(loss, y, n, classes):
    """(Loss, Targets, codes) of the first y that is seen; `classes` are those that may still come, or None.

    codes are the numbers of the classes of y, where these were found there, else None.
    """
    if not loss.classifies:
        if classes is not None:
            raise ValueError(f"classes is for losses of labels, not for loss={loss.name!r}")
        array, flat = _arrays.targets(y, "y", n, "X")
        if array.shape[1] == 0:
            raise ValueError("y has no columns")
        return loss, Targets(array.shape[1], flat or array.shape[1] == 1), None
    if classes is None:
        found, codes = _arrays.classes(y, n)
    else:
        found, codes = _arrays.classes(classes, len(classes))[0], None
    if found.size < 2:
        raise ValueError("classes must be at least two" if classes is not None else
                         f"y has one class only: {found.tolist()[0]!r}")
    if loss.name == "logistic" and found.size > 2:
        loss = _PLAIN["softmax"]
    return loss, Targets(1 if found.size == 2 and loss.name != "softmax" else found.size, True, found), codes


def encoded(loss, targets, y, n):
    """y as the core takes it: float64, C order, n x predictors or n x 1 numbers of classes."""
    if targets.classes is not None:
        found, codes = _arrays.classes(y, n)
        place = np.searchsorted(targets.classes, found)
        known = targets.classes[np.minimum(place, targets.classes.size - 1)] == found
        if not known.all():
            label = found[~known].tolist()[0]
            raise ValueError(f"y has the label {label!r}, the classes are {targets.classes.tolist()}")
        return column_of(place[codes.reshape(-1)])
    array, _ = _arrays.targets(y, "y", n, "X")
    if array.shape[1] != targets.predictors:
        raise ValueError(f"y has {array.shape[1]} columns, expected {targets.predictors}")
    _arrays.check_finite(y=array)
    array = np.ascontiguousarray(array, np.float64)
    if loss.name == "poisson" and (array < 0).any():
        row, column = (int(i) for i in np.argwhere(array < 0)[0])
        raise ValueError(f"y must be >= 0 for loss='poisson'; row {row}, column {column} is {array[row, column]}")
    return array


def column_of(codes):
    """Numbers of classes as the core takes them."""
    return np.ascontiguousarray(codes.reshape(-1), np.float64)[:, None]


def predicted(loss, targets, eta):
    """Predictions of the predictors eta, n x predictors."""
    if targets.classes is not None:
        codes = (eta[:, 0] > 0).astype(np.int64) if targets.predictors == 1 else eta.argmax(axis=1)
        return targets.classes[codes]
    values = np.exp(eta) if loss.name == "poisson" else eta
    return values[:, 0] if targets.flat else values


def probabilities(loss, targets, eta):
    """Shares of every class, n x classes."""
    if loss.name not in ("logistic", "softmax"):
        raise AttributeError(f"loss={loss.name!r} has no probabilities")
    if targets.predictors == 1:
        # of both signs without loss: 1/(1 + e^-eta)
        small = np.exp(-np.abs(eta[:, 0]))
        above, below = 1 / (1 + small), small / (1 + small)
        positive = eta[:, 0] >= 0
        return np.column_stack([np.where(positive, below, above), np.where(positive, above, below)])
    shares = np.exp(eta - eta.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True)
