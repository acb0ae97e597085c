# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The gradient family: optimizers, descent, and Newton's method for generalized linear models."""
