# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""One pass, many answers: gram.py is the state, ols.py classical inference, summary.py its table."""
