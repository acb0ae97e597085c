# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Facts about the machine and the libraries a benchmark ran on, and what importing fastlsq costs."""

import os
import platform
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import fastlsq
from fastlsq._core import lib
from fastlsq._threads import resolve


def cpu_model():
    """Name of the CPU as the system reports it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def cores():
    """CPUs this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # no affinity on this system
        return os.cpu_count() or 1


def package_version(name):
    """Installed version, or a word for a package that is imported from its source tree or absent."""
    try:
        return version(name)
    except PackageNotFoundError:
        return "source tree" if name == "fastlsq" else None


def blas_libraries():
    """The BLAS and OpenMP libraries loaded now, one line each; empty without threadpoolctl."""
    try:
        from threadpoolctl import threadpool_info
    except ImportError:
        return []
    lines = []
    for pool in threadpool_info():
        parts = [pool["internal_api"], pool.get("version") or "", pool.get("architecture") or ""]
        lines.append(" ".join(filter(None, parts)) + f", {pool['num_threads']} threads")
    return sorted(set(lines))


def facts():
    """Machine, kernel and library facts; call it after the peers are loaded, so that their BLAS is in the list."""
    return {
        "cpu": cpu_model(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "fastlsq": package_version("fastlsq"),
        "kernel": lib.kernel_name(),
        "openmp": lib.openmp_version(),
        "threads": resolve(None),
        "numpy": package_version("numpy"),
        "scipy": package_version("scipy"),
        "blas": blas_libraries(),
    }


def print_facts(found):
    """One fact a line."""
    for name, value in found.items():
        for line in value if isinstance(value, list) else [value]:
            print(f"  {name:8} {line}")
    if not found["blas"]:
        print("  blas     unknown: threadpoolctl is not installed")


def fresh_process_seconds(statement):
    """Wall time of a new interpreter that runs one statement."""
    home = str(Path(fastlsq.__file__).parents[1])
    paths = [home, *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True, env=environment)
    return time.perf_counter() - start


def import_cost(rounds=15):
    """Median wall times of `import numpy` and `import fastlsq`, taken in turn, and the median of their differences."""
    statements = ("import numpy", "import fastlsq")
    for statement in statements:  # fills the file cache and writes the bytecode
        fresh_process_seconds(statement)
    pairs = [tuple(map(fresh_process_seconds, statements)) for _ in range(rounds)]
    return {
        "numpy_seconds": median(numpy for numpy, _ in pairs),
        "fastlsq_seconds": median(ours for _, ours in pairs),
        "difference_seconds": median(ours - numpy for numpy, ours in pairs),
        "rounds": rounds,
    }


def print_import_cost(cost):
    """The times and the difference in milliseconds."""
    numpy, ours, difference = (cost[f"{name}_seconds"] * 1e3 for name in ("numpy", "fastlsq", "difference"))
    print(f"\nimport fastlsq {ours:.1f} ms, import numpy {numpy:.1f} ms, difference {difference:.1f} ms")
