# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Doors to the outside: command line, demo, plots.  Nothing else imports from here."""
