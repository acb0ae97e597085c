# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""One rule for the number of threads.

``n_threads=`` of a call, else what `set_num_threads` was given, else ``FASTLSQ_NUM_THREADS``, else ``OMP_NUM_THREADS``
capped by what the process may use, else what it may use: the smaller of its CPU affinity and its cgroup quota.  The
last two are also capped by OpenMP's own limit, which threadpoolctl sets for the thread that calls it.  A build without
OpenMP and a child of ``fork`` run on one thread.  The number never changes a result, only who computes it.
"""

import math
import operator
import os
from functools import lru_cache
from pathlib import Path

from fastlsq._core import lib

_PROC, _CGROUPS = Path("/proc"), Path("/sys/fs/cgroup")
_chosen = None  # by set_num_threads, for the whole process


def resolve(n_threads=None):
    """Number of threads a call will ask for."""
    return explain(n_threads)[0]


def explain(n_threads=None):
    """(number of threads, the reason in words)."""
    if n_threads is not None:
        return _checked(n_threads, "n_threads"), "n_threads="
    if not lib.openmp_version():
        return 1, "built without OpenMP"
    if lib.is_forked_child():
        return 1, "child of fork()"
    if _chosen is not None:
        return _chosen, "set_num_threads"
    own = os.environ.get("FASTLSQ_NUM_THREADS")
    if own:
        return _from_environment("FASTLSQ_NUM_THREADS", own), "FASTLSQ_NUM_THREADS"
    available, reason = _available()
    openmp = os.environ.get("OMP_NUM_THREADS")
    if openmp:
        asked = _from_environment("OMP_NUM_THREADS", openmp.split(",")[0])
        if asked <= available:
            available, reason = asked, "OMP_NUM_THREADS"
    limit = lib.openmp_max_threads()
    return (limit, "OpenMP's limit") if limit < available else (available, reason)


class set_num_threads:
    """Use this many threads wherever ``n_threads=`` is not given, in the whole process.

    Parameters
    ----------
    n_threads : int or None
        At least 1; None returns to the environment and the machine.

    Raises
    ------
    TypeError, ValueError
        n_threads is no integer, or below 1.

    Notes
    -----
    The number takes effect at once.  As a context manager it is in force until the block ends, and then what was in
    force before is restored.  There is one number for the process: blocks that overlap in several Python threads
    restore each other's, use ``n_threads=`` there.  More threads than CPUs only cost time.

    Examples
    --------
    >>> import fastlsq
    >>> with fastlsq.set_num_threads(1):
    ...     x = fastlsq.lstsq([[1.0], [2.0]], [2.0, 4.0]).x
    >>> x
    array([2.])
    """

    def __init__(self, n_threads: int | None) -> None:
        global _chosen
        self._number = None if n_threads is None else _checked(n_threads, "n_threads")
        self._before, _chosen = _chosen, self._number
        self._in_force = True

    def __enter__(self) -> "set_num_threads":
        global _chosen
        if not self._in_force:  # entered again
            self._before, _chosen = _chosen, self._number
            self._in_force = True
        return self

    def __exit__(self, *_: object) -> None:
        global _chosen
        _chosen = self._before
        self._in_force = False


def _checked(value, name):
    if isinstance(value, bool):
        raise TypeError(f"{name} must be an integer >= 1, got {value!r}")
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer >= 1, got {value!r}") from None
    if number < 1:
        raise ValueError(f"{name} must be >= 1, got {number}")
    return min(number, 4096)


def _from_environment(name, text):
    try:
        return _checked(int(text), name)
    except ValueError:
        raise ValueError(f"{name} must be an integer >= 1, got {text!r}") from None


def _available():
    try:
        affinity = len(os.sched_getaffinity(0))
    except AttributeError:  # no affinity on this system
        affinity = os.cpu_count() or 1
    quota = _cgroup_quota()
    if quota < affinity:
        return quota, "cgroup quota"
    return affinity, "CPU affinity"


@lru_cache(maxsize=1)
def _cgroup_quota():
    """Whole CPUs the control groups grant, at least one; a very large number without a limit."""
    quotas = [1 << 20]
    for read in _cgroup_limits():
        try:
            quota, period = read()
            if quota != "max" and int(quota) > 0:
                quotas.append(max(1, math.ceil(int(quota) / int(period))))
        except (OSError, ValueError, ZeroDivisionError):
            continue
    return min(quotas)


def _cgroup_limits():
    """Functions that read (quota, period) in microseconds: for the group of the process and all above it, any of which
    may set a limit, in both versions of control groups."""
    for directory in _cgroup_directories("", _CGROUPS):
        yield lambda directory=directory: _read(directory / "cpu.max").split()
    for mount in ("cpu", "cpu,cpuacct"):
        for directory in _cgroup_directories("cpu", _CGROUPS / mount):
            yield lambda directory=directory: [
                _read(directory / f"cpu.cfs_{what}_us") for what in ("quota", "period")
            ]


def _cgroup_directories(controller, mount):
    """Where the process is below this mount, as far as that can be seen from here, and all above it."""
    own = "/"
    try:
        lines = _read(_PROC / "self/cgroup").splitlines()
    except (OSError, ValueError):
        lines = []
    for line in lines:
        fields = line.split(":", 2)  # number, controllers (none in version 2), path
        if len(fields) == 3 and controller in fields[1].split(","):
            own = fields[2]
    directory = mount / own.lstrip("/")
    return [directory, *(above for above in directory.parents if above.is_relative_to(mount))]


def _read(path):
    with open(path) as file:
        return file.read().strip()
