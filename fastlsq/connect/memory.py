# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The solvers the demo compares, and the peak memory of one call of one of them.

A process remembers its peak for ever, so each solver is measured in a fresh child process: load the problem, solve a
tiny one to load libraries and start threads, then see how far the peak of the resident set rises across one call.
The peak is VmHWM of /proc/self/status and not ``ru_maxrss``, because the latter is inherited from the parent.
"""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np


def solve_fastlsq(a, b):
    """Coefficients by `fastlsq.lstsq`; the singular values stay uncomputed, as nothing asks for them."""
    import fastlsq

    return fastlsq.lstsq(a, b).x


def solve_scipy(a, b):
    """Coefficients by `scipy.linalg.lstsq` with its defaults, which compute the singular values."""
    import scipy.linalg

    return scipy.linalg.lstsq(a, b)[0]


def solve_numpy(a, b):
    """Coefficients by `numpy.linalg.lstsq` with its defaults, which compute the singular values."""
    return np.linalg.lstsq(a, b, rcond=None)[0]


SOLVERS = {
    "fastlsq.lstsq": solve_fastlsq,
    "scipy.linalg.lstsq": solve_scipy,
    "numpy.linalg.lstsq": solve_numpy,
}


def peak_rss():
    """Return the largest resident set of this process so far in bytes, or None where the system does not say.

    Returns
    -------
    int or None
    """
    try:
        status = Path("/proc/self/status").read_text()
    except OSError:
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return 1024 * int(line.split()[1])
    return None


def save_problem(folder, a, b):
    """Write the problem where the child processes of `peak_growth` look for it.

    Parameters
    ----------
    folder : str or Path
        An existing directory.
    a : (n, p) ndarray
    b : (n,) ndarray
    """
    np.save(Path(folder, "a.npy"), a)
    np.save(Path(folder, "b.npy"), b)


def peak_growth(solver, folder):
    """Return the bytes that one call of `solver` adds to the peak memory of a fresh process holding the data.

    Parameters
    ----------
    solver : str
        A key of `SOLVERS`.
    folder : str or Path
        A directory filled by `save_problem`.

    Returns
    -------
    int or None
        None where the peak cannot be measured, or where the child process failed, e.g. for want of memory.
    """
    command = [sys.executable, "-P", "-m", "fastlsq.connect.memory", solver, str(folder)]
    child = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    return json.loads(child.stdout)["bytes"] if child.returncode == 0 else None


def main(solver, folder):
    """Measure one call of one solver and print ``{"bytes": ...}``: the body of the child process."""
    a = np.load(Path(folder, "a.npy"))
    b = np.load(Path(folder, "b.npy"))
    solve = SOLVERS[solver]
    solve(np.eye(64, 4), np.ones(64))
    before = peak_rss()
    solve(a, b)
    after = peak_rss()
    print(json.dumps({"bytes": None if before is None or after is None else after - before}))


if __name__ == "__main__":
    main(*sys.argv[1:])
