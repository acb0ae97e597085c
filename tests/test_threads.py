# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Threads: one rule, safe under fork, safe from many Python threads."""

import multiprocessing
import os
import signal
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

import numpy as np
import pytest

import fastlsq
from fastlsq import _threads
from fastlsq._core import lib


def test_the_rule(monkeypatch):
    for name in ("FASTLSQ_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(_threads, "_available", lambda: (6, "CPU affinity"))
    monkeypatch.setattr(_threads.lib, "openmp_version", lambda: 201511)
    monkeypatch.setattr(_threads.lib, "openmp_max_threads", lambda: 6)
    assert _threads.explain() == (6, "CPU affinity")
    monkeypatch.setenv("OMP_NUM_THREADS", "4,2")
    assert _threads.explain() == (4, "OMP_NUM_THREADS")
    monkeypatch.setenv("OMP_NUM_THREADS", "64")
    assert _threads.explain() == (6, "CPU affinity")
    monkeypatch.setenv("FASTLSQ_NUM_THREADS", "9")
    assert _threads.explain() == (9, "FASTLSQ_NUM_THREADS")
    with fastlsq.set_num_threads(3):
        assert _threads.explain() == (3, "set_num_threads")
        with fastlsq.set_num_threads(None):
            assert _threads.explain() == (9, "FASTLSQ_NUM_THREADS")
        assert _threads.explain() == (3, "set_num_threads")
        assert _threads.explain(np.int64(2)) == (2, "n_threads=")
    assert _threads.explain() == (9, "FASTLSQ_NUM_THREADS")
    again = fastlsq.set_num_threads(3)
    for _ in range(2):
        with again:
            assert _threads.explain() == (3, "set_num_threads")
        assert _threads.explain() == (9, "FASTLSQ_NUM_THREADS")
    monkeypatch.setenv("FASTLSQ_NUM_THREADS", "many")
    with pytest.raises(ValueError, match="FASTLSQ_NUM_THREADS must be an integer >= 1, got 'many'"):
        _threads.resolve()


@pytest.mark.parametrize(
    ("bad", "error"), [(0, ValueError), (-1, ValueError), (1.5, TypeError), (True, TypeError), ("2", TypeError)]
)
def test_set_num_threads_refuses(bad, error):
    before = _threads.explain()
    with pytest.raises(error, match="n_threads must be"):
        fastlsq.set_num_threads(bad)
    assert _threads.explain() == before


@pytest.mark.skipif(not lib.openmp_version(), reason="a serial build")
def test_threadpoolctl_limits_us(monkeypatch):
    threadpoolctl = pytest.importorskip("threadpoolctl")
    for name in ("FASTLSQ_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(_threads, "_available", lambda: (6, "CPU affinity"))
    with threadpoolctl.threadpool_limits(1, user_api="openmp"):
        assert _threads.explain() == (1, "OpenMP's limit")
    assert "openmp" in {pool["user_api"] for pool in threadpoolctl.threadpool_info()}


def test_a_serial_build_says_one(monkeypatch):
    monkeypatch.setattr(_threads.lib, "openmp_version", lambda: 0)
    assert _threads.explain() == (1, "built without OpenMP")


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no CPU affinity on this system")
def test_affinity_is_respected():
    code = (
        "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from fastlsq import _threads; print(_threads.resolve())"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("FASTLSQ_NUM_THREADS", "OMP_NUM_THREADS")}
    child = subprocess.run([sys.executable, "-P", "-c", code], env=environment, capture_output=True, text=True)
    assert child.stdout == "1\n", child.stderr


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork on this system")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Python 3.12 warns about fork with threads: that is the test
def test_fit_fork_fit():
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((20_000, 20)), rng.standard_normal(20_000)
    want = fastlsq.lstsq(a, b, n_threads=2).x
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(60)
            same = np.array_equal(fastlsq.lstsq(a, b, n_threads=2).x, want)
            serial = not lib.openmp_version() or _threads.explain() == (1, "child of fork()")
            status = 0 if same and serial else 2
        finally:
            os._exit(status)
    assert os.waitpid(child, 0)[1] == 0


def _solve(seed):
    rng = np.random.default_rng(seed)
    return fastlsq.lstsq(rng.standard_normal((20_000, 20)), rng.standard_normal(20_000), n_threads=2).x


@pytest.mark.parametrize("method", multiprocessing.get_all_start_methods())
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_multiprocessing(method):
    want = [_solve(seed) for seed in range(4)]  # the parent's thread pool exists before the children do
    with ProcessPoolExecutor(2, multiprocessing.get_context(method)) as pool:
        found = list(pool.map(_solve, range(4), timeout=120))
    for x, expected in zip(found, want, strict=True):
        np.testing.assert_array_equal(x, expected)


def test_beside_other_thread_pools():
    """OpenBLAS pools and ours at once, from Python threads that use both."""
    a = np.random.default_rng(3).standard_normal((20_000, 30))
    want = fastlsq.lstsq(a, a[:, 0], n_threads=1).x

    def both(_):
        product = a.T @ a
        return fastlsq.lstsq(a, a[:, 0], n_threads=2).x, np.linalg.solve(product, product[:, 0])

    with ThreadPoolExecutor(4) as pool:
        for ours, theirs in pool.map(both, range(12)):
            np.testing.assert_array_equal(ours, want)
            np.testing.assert_allclose(theirs, np.eye(30)[0], atol=1e-10)


def test_from_many_python_threads():
    rng = np.random.default_rng(0)
    problems = [(rng.standard_normal((4000, p)), rng.standard_normal(4000)) for p in range(3, 27)]
    want = [fastlsq.lstsq(a, b, n_threads=1).x for a, b in problems]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda problem: fastlsq.lstsq(*problem, n_threads=2).x, problems))
    for x, expected in zip(found, want, strict=True):
        np.testing.assert_array_equal(x, expected)


def test_an_unknown_or_unsupported_kernel_is_refused(monkeypatch):
    monkeypatch.setenv("FASTLSQ_KERNEL", "mmx")
    with pytest.raises(ValueError, match="kernel 'mmx' is not built; FASTLSQ_KERNEL may be one of"):
        fastlsq.lstsq(np.eye(3), np.ones(3))
    for name, runs in lib.kernels_built().items():
        monkeypatch.setenv("FASTLSQ_KERNEL", name)
        if runs:
            assert lib.kernel_name() == name
        else:
            with pytest.raises(ValueError, match="this CPU cannot run it"):
                lib.kernel_name()
