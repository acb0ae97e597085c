# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""``python -m fastlsq``: the command line."""

import sys

from fastlsq.connect.cli import main

sys.exit(main())
