# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Solving: lstsq.py tells the story, driver.py is the ladder, moments.py the equations, lapack.py the last rung."""
