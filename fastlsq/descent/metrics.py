# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""How good predictions are.

Targets and predictions have the shape (n,), (n, 1), which is the same, or (n, k); never is one broadcast against the
other.  With several targets a metric is the mean over them.  `weights` are those of the rows; ones by default.
"""

import numpy as np

from fastlsq import _arrays


def mse(y_true, y_pred, weights=None):
    """Mean squared error, sum_i w_i (y_i - f_i)**2 / sum_i w_i.

    Examples
    --------
    >>> import fastlsq as fl
    >>> fl.metrics.mse([1.0, 2.0, 4.0], [1.0, 2.0, 1.0])
    3.0
    """
    y, f, w = _arrays.scored(y_true, y_pred, weights)
    return float(_mean((y - f) ** 2, w).mean())


def rmse(y_true, y_pred, weights=None):
    """Root of the mean squared error of each target."""
    y, f, w = _arrays.scored(y_true, y_pred, weights)
    return float(np.sqrt(_mean((y - f) ** 2, w)).mean())


def mae(y_true, y_pred, weights=None):
    """Mean absolute error."""
    y, f, w = _arrays.scored(y_true, y_pred, weights)
    return float(_mean(np.abs(y - f), w).mean())


def median_absolute_error(y_true, y_pred, weights=None):
    """Median of |y - f|: the mean of the two in the middle where just half of the weight lies below."""
    y, f, w = _arrays.scored(y_true, y_pred, weights)
    return float(np.mean([_median(error, w) for error in np.abs(y - f).T]))


def pinball(y_true, y_pred, quantile=0.5, weights=None):
    """Mean of max(q*(y - f), (q - 1)*(y - f)), the loss that the q-th quantile minimizes."""
    if not _arrays.is_number(quantile) or not 0 <= quantile <= 1:
        raise ValueError(f"quantile must be in [0, 1], got {quantile!r}")
    y, f, w = _arrays.scored(y_true, y_pred, weights)
    return float(_mean(np.maximum(quantile * (y - f), (quantile - 1) * (y - f)), w).mean())


def r2(y_true, y_pred, weights=None):
    """1 - sum w (y - f)**2 / sum w (y - mean)**2; of a constant target 1 where the prediction is exact, else 0.

    Examples
    --------
    >>> import fastlsq as fl
    >>> fl.metrics.r2([1.0, 2.0, 3.0], [1.0, 2.0, 2.0])
    0.5
    """
    y, f, w = _arrays.scored(y_true, y_pred, weights)
    return float(_explained(_mean((y - f) ** 2, w), _mean((y - _mean(y, w)) ** 2, w)).mean())


def explained_variance(y_true, y_pred, weights=None):
    """1 - Var(y - f)/Var(y): as `r2`, but a constant offset of the prediction costs nothing."""
    y, f, w = _arrays.scored(y_true, y_pred, weights)
    error = y - f
    return float(_explained(_mean((error - _mean(error, w)) ** 2, w), _mean((y - _mean(y, w)) ** 2, w)).mean())


def accuracy(y_true, y_pred, weights=None):
    """Share of the rows whose label is right.

    Examples
    --------
    >>> import fastlsq as fl
    >>> fl.metrics.accuracy(["a", "b", "b", "a"], ["a", "b", "a", "a"])
    0.75
    """
    labels, table = _table(y_true, y_pred, weights, None)
    return float(np.trace(table) / table.sum())


def confusion_matrix(y_true, y_pred, labels=None, weights=None):
    """Rows (their weight, where it is given) by true label (down) and predicted label (across).

    Labels are in ascending order, or as `labels` has them, which then must have all that occur.

    Examples
    --------
    >>> import fastlsq as fl
    >>> fl.metrics.confusion_matrix([0, 1, 1, 0], [0, 1, 0, 0])
    array([[2, 0],
           [1, 1]])
    """
    return _table(y_true, y_pred, weights, labels)[1]


def balanced_accuracy(y_true, y_pred, weights=None):
    """Mean over the true labels of the share that is right."""
    table = _table(y_true, y_pred, weights, None)[1]
    total = table.sum(axis=1)
    return float((np.diagonal(table)[total > 0] / total[total > 0]).mean())


def precision(y_true, y_pred, positive=1, weights=None):
    """Share of the rows predicted `positive` that are; 0 where none is predicted."""
    hit, predicted, _ = _counts(y_true, y_pred, positive, weights)
    return hit / predicted if predicted else 0.0


def recall(y_true, y_pred, positive=1, weights=None):
    """Share of the `positive` rows that are predicted so; 0 where there are none."""
    hit, _, actual = _counts(y_true, y_pred, positive, weights)
    return hit / actual if actual else 0.0


def f1(y_true, y_pred, positive=1, weights=None):
    """Harmonic mean of precision and recall, 2 hits/(predicted + actual); 0 where there are neither."""
    hit, predicted, actual = _counts(y_true, y_pred, positive, weights)
    return 2 * hit / (predicted + actual) if predicted + actual else 0.0


def log_loss(y_true, probability, labels=None, weights=None):
    """Mean of -log(probability of the true label); infinite where that is 0.

    `probability` is (n,), of the second of two labels, or (n, k), rows that add up to 1.  Columns are labels,
    ascending: those that occur, or `labels` in its order.

    Examples
    --------
    >>> import fastlsq as fl
    >>> round(fl.metrics.log_loss([0, 1], [0.5, 0.25]), 12) == round(1.5 * 0.693147180559945, 12)
    True
    """
    y, p, w = _arrays.labelled_scores(y_true, probability, "probability", weights)
    given = _arrays.label_order(labels, y)
    if p.shape[1] == 1:
        p = np.hstack([1 - p, p])
    if p.shape[1] != len(given):
        raise ValueError(f"probability has {p.shape[1]} columns, there are {len(given)} labels: give labels=")
    outside = np.argwhere(~((p >= 0) & (p <= 1)))
    if outside.size:
        i, j = outside[0]
        raise ValueError(f"probability must be in [0, 1]; row {i}, column {j} is {p[i, j]}")
    if np.abs(p.sum(axis=1) - 1).max() > 1e-6:
        raise ValueError(f"probability: row {np.abs(p.sum(axis=1) - 1).argmax()} does not add up to 1")
    with np.errstate(divide="ignore", invalid="ignore"):
        loss = -np.log(p[np.arange(len(y)), _places(given, y)])
    if w is not None:
        loss[w == 0] = 0.0
    return float(_mean(loss[:, None], w)[0])


def roc_auc(y_true, score, positive=1, weights=None):
    """Chance that a `positive` row has a higher score than another one, ties counting one half.

    Examples
    --------
    >>> import fastlsq as fl
    >>> fl.metrics.roc_auc([0, 0, 1, 1], [0.1, 0.4, 0.35, 0.8])
    0.75
    """
    y, s, w = _arrays.labelled_scores(y_true, score, "score", weights)
    if s.shape[1] != 1:
        raise ValueError(f"score must have one entry per row, got {s.shape[1]} columns")
    order = np.argsort(s[:, 0], kind="stable")
    is_positive = (y == positive)[order]
    w = np.ones(len(y)) if w is None else w[order]
    ends = np.append(np.flatnonzero(np.diff(s[order, 0])), len(y) - 1)  # the last of those that tie
    up, down = np.cumsum(w * is_positive)[ends], np.cumsum(w * ~is_positive)[ends]
    if not (up[-1] > 0 and down[-1] > 0):
        raise ValueError(f"roc_auc needs rows with the label {positive!r} and rows without")
    steps = np.diff(up, prepend=0.0)
    return float(np.sum(steps * (down - np.diff(down, prepend=0.0) / 2)) / (up[-1] * down[-1]))


def _mean(values, w):
    """Over the rows."""
    return values.mean(axis=0) if w is None else w @ values / w.sum()


def _explained(error, variance):
    constant = variance == 0
    share = 1 - error / np.where(constant, 1.0, variance)
    return np.where(constant, np.where(error == 0, 1.0, 0.0), share)


def _median(error, w):
    if w is None:
        return np.median(error)
    order = np.argsort(error, kind="stable")
    order = order[w[order] > 0]
    below, half = np.cumsum(w[order]), w.sum() / 2
    first = int(np.searchsorted(below, half))
    after = first + 1 if below[first] == half and first + 1 < len(order) else first
    return (error[order[first]] + error[order[after]]) / 2


def _places(labels, y):
    order = np.argsort(labels, kind="stable")
    return order[np.searchsorted(labels, y, sorter=order)]


def _table(y_true, y_pred, weights, labels):
    y, f, w = _arrays.labelled(y_true, y_pred, weights)
    labels = _arrays.label_order(labels, y, f)
    place = _places(labels, y) * len(labels) + _places(labels, f)
    table = np.bincount(place, w, minlength=len(labels) ** 2).reshape(len(labels), len(labels))
    return labels, table


def _counts(y_true, y_pred, positive, weights):
    """Weight of the hits, of the rows predicted positive, of those that are."""
    y, f, w = _arrays.labelled(y_true, y_pred, weights)
    w = np.ones(len(y)) if w is None else w
    actual, predicted = y == positive, f == positive
    return float(w[actual & predicted].sum()), float(w[predicted].sum()), float(w[actual].sum())
