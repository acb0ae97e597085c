# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Least squares on CPUs: one fused pass over the rows, every answer checked."""

_HOME = {
    "BatchInfo": "fastlsq.solve.batched",
    "Gram": "fastlsq.gram.gram",
    "GroupedOLSResult": "fastlsq.gram.grouped",
    "LstsqResult": "fastlsq.solve.lstsq",
    "OLSResult": "fastlsq.gram.ols",
    "RollingOLSResult": "fastlsq.gram.rolling",
    "SolveInfo": "fastlsq.solve.driver",
    "ewm_ols": "fastlsq.gram.rolling",
    "expanding_ols": "fastlsq.gram.rolling",
    "grouped_ols": "fastlsq.gram.grouped",
    "lstsq": "fastlsq.solve.lstsq",
    "ols": "fastlsq.gram.ols",
    "patch": "fastlsq.connect.patch",
    "patched": "fastlsq.connect.patch",
    "polyfit": "fastlsq.solve.polyfit",
    "rolling_ols": "fastlsq.gram.rolling",
    "set_num_threads": "fastlsq._threads",
    "unpatch": "fastlsq.connect.patch",
}
__all__ = [
    "BatchInfo", "Gram", "GroupedOLSResult", "LstsqResult", "OLSResult", "RollingOLSResult", "SolveInfo", "ewm_ols",
    "expanding_ols", "grouped_ols", "lstsq", "ols", "patch", "patched", "polyfit", "rolling_ols", "set_num_threads",
    "show_config", "unpatch",
]
__version__ = "0.1.0"


def __getattr__(name):
    """Import a public name when it is first used: `import fastlsq` itself costs next to nothing."""
    if name not in _HOME:
        raise AttributeError(f"module 'fastlsq' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__():
    return sorted(set(globals()) | set(__all__))


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
