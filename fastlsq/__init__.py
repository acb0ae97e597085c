# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Least squares on CPUs: one fused pass over the rows, every answer checked."""

from fastlsq.gram.gram import Gram
from fastlsq.gram.ols import OLSResult, ols
from fastlsq.solve.driver import SolveInfo
from fastlsq.solve.lstsq import LstsqResult, lstsq

__all__ = ["Gram", "LstsqResult", "OLSResult", "SolveInfo", "lstsq", "ols", "show_config"]
__version__ = "0.1.0"


def show_config(file=None):
    """Print version, kernel, OpenMP, threads and why, and the BLAS of NumPy and SciPy.

    Parameters
    ----------
    file : file-like, optional
        Where to print; standard output by default.

    Examples
    --------
    >>> import fastlsq
    >>> fastlsq.show_config()  # doctest: +ELLIPSIS
    fastlsq ...
    """
    from fastlsq._config import show_config

    show_config(file)
