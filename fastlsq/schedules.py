# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Learning rates as functions of the number of steps done: `optimizer.lr = Cosine(0.1, 1000)`."""

from fastlsq.descent.schedules import (
    Constant,
    Cosine,
    Exponential,
    InverseScaling,
    OneCycle,
    Optimal,
    Plateau,
    Schedule,
    Step,
)

__all__ = ["Constant", "Cosine", "Exponential", "InverseScaling", "OneCycle", "Optimal", "Plateau", "Schedule", "Step"]
