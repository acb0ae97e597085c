# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""How good predictions are: regression and classification, with weights of the rows."""

from fastlsq.descent.metrics import (
    accuracy,
    balanced_accuracy,
    confusion_matrix,
    explained_variance,
    f1,
    log_loss,
    mae,
    median_absolute_error,
    mse,
    pinball,
    precision,
    r2,
    recall,
    rmse,
    roc_auc,
)

__all__ = [
    "accuracy", "balanced_accuracy", "confusion_matrix", "explained_variance", "f1", "log_loss", "mae",
    "median_absolute_error", "mse", "pinball", "precision", "r2", "recall", "rmse", "roc_auc",
]
