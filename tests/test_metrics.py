# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Metrics: by hand, and beside scikit-learn."""

import math

import numpy as np
import pytest

import fastlsq as fl
from fastlsq import metrics

REGRESSION = {
    "mse": "mean_squared_error", "rmse": "root_mean_squared_error", "mae": "mean_absolute_error",
    "r2": "r2_score", "explained_variance": "explained_variance_score", "pinball": "mean_pinball_loss",
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("shape", [(50,), (50, 1), (50, 3)])
@pytest.mark.parametrize("name", REGRESSION)
def test_regression_beside_scikit_learn(name, shape, weighted):
    peers = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(1)
    y = rng.standard_normal(shape)
    f, w = y + rng.standard_normal(shape), rng.integers(0, 4, 50).astype(float) if weighted else None
    ours = getattr(metrics, name)(y, f, weights=w)
    theirs = getattr(peers, REGRESSION[name])(y, f, sample_weight=w)
    assert ours == pytest.approx(theirs, rel=1e-13)
    if name == "pinball":
        ours = metrics.pinball(y, f, 0.9, weights=w)
        assert ours == pytest.approx(peers.mean_pinball_loss(y, f, alpha=0.9, sample_weight=w), rel=1e-13)


def test_regression_by_hand():
    y, f = [1.0, 2.0, 4.0], [1.0, 4.0, 3.0]
    assert metrics.mse(y, f) == 5 / 3
    assert metrics.rmse(y, f) == math.sqrt(5 / 3)
    assert metrics.mae(y, f) == 1
    assert metrics.median_absolute_error(y, f) == 1
    assert metrics.mse(y, f, [1, 0, 1]) == 0.5
    assert metrics.pinball(y, f, 0.25) == (0.75 * 2 + 0.25 * 1) / 3
    assert metrics.r2([2.0, 2.0], [2.0, 2.0]) == 1
    assert metrics.r2([2.0, 2.0], [2.0, 3.0]) == 0


def test_weights_are_repetition():
    rng = np.random.default_rng(2)
    y, f, w = rng.standard_normal(30), rng.standard_normal(30), rng.integers(0, 4, 30)
    for name in [*REGRESSION, "median_absolute_error"]:
        metric = getattr(metrics, name)
        assert metric(y, f, weights=w) == pytest.approx(metric(np.repeat(y, w), np.repeat(f, w)), rel=1e-12), name
    a, b = rng.integers(0, 2, 30), rng.integers(0, 2, 30)
    for name in ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "confusion_matrix"):
        metric = getattr(metrics, name)
        expected = metric(np.repeat(a, w), np.repeat(b, w))
        assert np.abs(metric(a, b, weights=w) - expected).max() < 1e-14, name
    s = np.round(f, 1)
    repeated = metrics.roc_auc(np.repeat(a, w), np.repeat(s, w))
    assert metrics.roc_auc(a, s, weights=w) == pytest.approx(repeated, rel=1e-13)


def test_one_column_is_one_target():
    y = np.arange(5.0)
    assert metrics.mse(y[:, None], y) == 0
    assert metrics.r2(y, y[:, None]) == 1


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("labels", [[0, 1], ["no", "yes"], [2.0, -1.0, 5.0]])
def test_classification_beside_scikit_learn(labels, weighted):
    peers = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(3)
    y, f = rng.choice(labels, 80), rng.choice(labels, 80)
    w = rng.random(80) if weighted else None
    assert metrics.accuracy(y, f, w) == pytest.approx(peers.accuracy_score(y, f, sample_weight=w), rel=1e-13)
    assert metrics.balanced_accuracy(y, f, w) == pytest.approx(
        peers.balanced_accuracy_score(y, f, sample_weight=w), rel=1e-13)
    for order in (None, labels[::-1]):
        ours = metrics.confusion_matrix(y, f, order, w)
        assert np.abs(ours - peers.confusion_matrix(y, f, labels=order, sample_weight=w)).max() < 1e-12
    p = rng.dirichlet(np.ones(len(labels)), 80)
    given = p[:, 1] if len(labels) == 2 else p
    assert metrics.log_loss(y, given, weights=w) == pytest.approx(peers.log_loss(y, p, sample_weight=w), rel=1e-12)
    if len(labels) == 2:
        positive = labels[1]
        for name in ("precision", "recall", "f1"):
            theirs = getattr(peers, f"{name}_score")(y, f, pos_label=positive, sample_weight=w)
            assert getattr(metrics, name)(y, f, positive, w) == pytest.approx(theirs, rel=1e-13)
        s = np.round(rng.random(80), 1)
        theirs = peers.roc_auc_score(y == positive, s, sample_weight=w)
        assert metrics.roc_auc(y, s, positive, w) == pytest.approx(theirs, rel=1e-12)


def test_classification_by_hand():
    y, f = [0, 0, 1, 1, 1], [0, 1, 1, 1, 0]
    assert metrics.accuracy(y, f) == 0.6
    assert metrics.confusion_matrix(y, f).tolist() == [[1, 1], [1, 2]]
    assert metrics.precision(y, f) == metrics.recall(y, f) == metrics.f1(y, f) == 2 / 3
    assert metrics.balanced_accuracy(y, f) == (1 / 2 + 2 / 3) / 2
    assert metrics.precision([0, 1], [0, 0]) == metrics.recall([0, 0], [0, 1]) == metrics.f1([0, 0], [0, 0]) == 0
    assert metrics.log_loss([0, 1], [0.0, 1.0]) == 0
    assert metrics.log_loss([0, 1], [1.0, 1.0]) == math.inf
    assert metrics.log_loss([0, 1], [1.0, 1.0], weights=[0, 1]) == 0
    assert metrics.log_loss([1, 1], [0.5, 0.5], labels=[0, 1]) == pytest.approx(math.log(2))
    assert metrics.roc_auc([0, 1, 0, 1], [1, 1, 1, 1]) == 0.5


@pytest.mark.parametrize(("call", "error", "message"), [
    (lambda: metrics.mse([1.0, 2.0], [1.0]), ValueError, "y_pred has 1 rows, y_true has 2"),
    (lambda: metrics.mse(np.ones((3, 2)), np.ones(3)), ValueError, "y_true has 2 columns, y_pred has 1"),
    (lambda: metrics.mse([], []), ValueError, "y_true must be 1-D or 2-D and not empty"),
    (lambda: metrics.mse([1.0, np.nan], [1.0, 2.0]), ValueError, "y_true must not contain infs or NaNs; row 1"),
    (lambda: metrics.mse([1.0], [1.0], [-1.0]), ValueError, "weights must be finite and >= 0"),
    (lambda: metrics.mse([1.0], [1.0], [0.0]), ValueError, "weights must not all be 0"),
    (lambda: metrics.mse(["a"], ["a"]), TypeError, "y_true must be numeric"),
    (lambda: metrics.pinball([1.0], [1.0], 1.5), ValueError, "quantile must be in"),
    (lambda: metrics.accuracy(["a"], [1]), TypeError, "y_true has labels of dtype"),
    (lambda: metrics.accuracy([1, 2], [1]), ValueError, "y_true has 2 rows, y_pred has 1"),
    (lambda: metrics.accuracy([1.0, np.nan], [1.0, 2.0]), ValueError, r"y_true\[1\] is nan"),
    (lambda: metrics.confusion_matrix([0, 1], [0, 1], labels=[0, 2]), ValueError, "labels has no .*1.*, which occurs"),
    (lambda: metrics.log_loss([0, 1, 2], [0.1, 0.2, 0.3]), ValueError, "probability has 2 columns, there are 3"),
    (lambda: metrics.log_loss([0, 1], [0.1, 1.2]), ValueError, "probability must be in .*row 1"),
    (lambda: metrics.log_loss([0, 1], [[0.5, 0.4], [0.5, 0.5]]), ValueError, "row 0 does not add up to 1"),
    (lambda: metrics.roc_auc([1, 1], [0.1, 0.2]), ValueError, "needs rows with the label 1 and rows without"),
])
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_metrics_of_a_fit():
    rng = np.random.default_rng(4)
    X = rng.standard_normal((200, 3))
    y = X @ [1.0, 2.0, 3.0] + 0.1 * rng.standard_normal(200)
    X1, X2, y1, y2 = fl.train_test_split(X, y, seed=0)
    b = fl.lstsq(X1, y1).x
    assert metrics.r2(y2, X2 @ b) > 0.99
