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
from fastlsq.solve.batched import BatchInfo as BatchInfo
from fastlsq.solve.bounded import BoundedInfo as BoundedInfo
from fastlsq.solve.constrained import BoundedResult as BoundedResult
from fastlsq.solve.constrained import NNLSResult as NNLSResult
from fastlsq.solve.constrained import lsq_linear as lsq_linear
from fastlsq.solve.constrained import nnls as nnls
from fastlsq.solve.driver import SolveInfo as SolveInfo
from fastlsq.solve.equality import EqualityResult as EqualityResult
from fastlsq.solve.equality import lstsq_equality as lstsq_equality
from fastlsq.solve.lstsq import LstsqResult as LstsqResult
from fastlsq.solve.lstsq import lstsq as lstsq
from fastlsq.solve.polyfit import polyfit as polyfit

__all__ = [
    "BatchInfo", "BoundedInfo", "BoundedResult", "EqualityResult", "Gram", "GroupedOLSResult", "LstsqResult",
    "NNLSResult", "OLSResult", "SolveInfo", "grouped_ols", "lsq_linear", "lstsq", "lstsq_equality", "nnls", "ols",
    "patch", "patched", "polyfit", "set_num_threads", "show_config", "unpatch",
]
__version__: str

def show_config(file: TextIO | None = None) -> None: ...
