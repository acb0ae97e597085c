# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Benchmarks: the same table of shapes for the roofline, for the peers and for pytest-benchmark."""
