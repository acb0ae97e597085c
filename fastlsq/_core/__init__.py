# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The compiled core; see lib.pyx."""

try:
    from fastlsq._core import lib as lib
except ImportError as error:
    raise ImportError(
        f"fastlsq's compiled core cannot be imported ({error}). If Python runs in the source tree, the tree hides the "
        "installed package: leave its folder, or build in place with: pip install -e ."
    ) from error
