# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""One pass, many answers: gram.py is the state, ols.py the fit, inference.py what it says, robust.py and influence.py
what the rows add to that, summary.py the table."""
