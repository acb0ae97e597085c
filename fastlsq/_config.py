# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""What runs here: versions, kernels, OpenMP, threads and why, and the BLAS libraries NumPy and SciPy brought."""

import platform
import sys
from importlib import metadata

import numpy as np

from fastlsq import _threads
from fastlsq._core import lib


def config():
    """Facts about this build and this machine.

    Returns
    -------
    dict
        ``version``, ``python``, ``numpy``, ``scipy``, ``machine``, ``kernel`` (the one in use), ``kernels``
        ({name: whether this CPU can run it}), ``cpu_features``, ``openmp`` (the build's _OPENMP date or None),
        ``n_threads``, ``n_threads_from``, ``numpy_blas``, ``scipy_blas``.
    """
    n_threads, reason = _threads.explain()
    return {
        "version": metadata.version("fastlsq"),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "scipy": metadata.version("scipy"),
        "machine": f"{platform.system()} {platform.machine()}",
        "kernel": lib.kernel_name(),
        "kernels": lib.kernels_built(),
        "cpu_features": lib.cpu_features(),
        "openmp": lib.openmp_version() or None,
        "n_threads": n_threads,
        "n_threads_from": reason,
        "numpy_blas": _blas(np.show_config),
        "scipy_blas": _scipy_blas(),
    }


def show_config(file=None):
    """Print `config()`, one fact a line."""
    facts = config()
    kernels = ", ".join(name if runs else f"{name} (not on this CPU)" for name, runs in facts["kernels"].items())
    features = [name for name, present in facts["cpu_features"].items() if present]
    lines = [
        f"fastlsq {facts['version']}  (Python {facts['python']}, {facts['machine']})",
        f"  kernel    {facts['kernel']}   built: {kernels}",
        f"  CPU       {' '.join(features) or 'baseline'}",
        f"  OpenMP    {facts['openmp'] or 'no: serial build'}",
        f"  threads   {facts['n_threads']}, from {facts['n_threads_from']}",
        f"  NumPy     {facts['numpy']} with {facts['numpy_blas']}",
        f"  SciPy     {facts['scipy']} with {facts['scipy_blas']}",
    ]
    print("\n".join(lines), file=file or sys.stdout)


def _blas(show):
    try:
        blas = show(mode="dicts")["Build Dependencies"]["blas"]
    except (KeyError, TypeError):
        return "unknown BLAS"
    return f"{blas.get('name', 'unknown')} {blas.get('version', '')}".strip()


def _scipy_blas():
    import scipy

    return _blas(scipy.show_config)
