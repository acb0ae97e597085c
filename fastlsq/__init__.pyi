# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
from typing import TextIO

from fastlsq._threads import set_num_threads as set_num_threads
from fastlsq.connect.patch import patch as patch
from fastlsq.connect.patch import patched as patched
from fastlsq.connect.patch import unpatch as unpatch
from fastlsq.gram.gram import Gram as Gram
from fastlsq.gram.grouped import GroupedOLSResult as GroupedOLSResult
from fastlsq.gram.grouped import grouped_ols as grouped_ols
from fastlsq.gram.ols import OLSResult as OLSResult
from fastlsq.gram.ols import ols as ols
from fastlsq.gram.rolling import RollingOLSResult as RollingOLSResult
from fastlsq.gram.rolling import ewm_ols as ewm_ols
from fastlsq.gram.rolling import expanding_ols as expanding_ols
from fastlsq.gram.rolling import rolling_ols as rolling_ols
from fastlsq.solve.batched import BatchInfo as BatchInfo
from fastlsq.solve.driver import SolveInfo as SolveInfo
from fastlsq.solve.lstsq import LstsqResult as LstsqResult
from fastlsq.solve.lstsq import lstsq as lstsq
from fastlsq.solve.polyfit import polyfit as polyfit

__all__ = [
    "BatchInfo", "Gram", "GroupedOLSResult", "LstsqResult", "OLSResult", "RollingOLSResult", "SolveInfo", "ewm_ols",
    "expanding_ols", "grouped_ols", "lstsq", "ols", "patch", "patched", "polyfit", "rolling_ols", "set_num_threads",
    "show_config", "unpatch",
]
__version__: str

def show_config(file: TextIO | None = None) -> None: ...
