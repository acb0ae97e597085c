# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Gradient optimizers that update NumPy arrays in place: SGD, RMSprop, Adagrad, Adam, AdamW."""

from fastlsq.descent.optimizers import SGD, Adagrad, Adam, AdamW, Optimizer, RMSprop

__all__ = ["SGD", "Adagrad", "Adam", "AdamW", "Optimizer", "RMSprop"]
