# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Threads: one rule, safe under fork, safe from many Python threads."""

import contextlib
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


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no CPU affinity on this system")
def test_two_threads_on_one_cpu_give_the_same_bits(tmp_path):
    """Barriers must not spin a core away that the other thread needs: two threads on one core still finish."""
    code = (
        "import os, sys; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "import numpy as np, fastlsq\n"
        "rng = np.random.default_rng(0)\n"
        "for n, p in ((20_000, 20), (3_000, 500)):\n"
        "    a, b = rng.standard_normal((n, p)), rng.standard_normal(n)\n"
        "    same = np.array_equal(fastlsq.lstsq(a, b, n_threads=2).x, fastlsq.lstsq(a, b).x)\n"
        "    assert same, (n, p)\n"
    )
    child = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, timeout=120, cwd=tmp_path
    )
    assert child.returncode == 0, child.stderr


_GROUP_TREES = [  # /proc/self/cgroup, files below the mount, CPUs granted
    ("0::/\n", {"cpu.max": "max 100000"}, None),
    ("0::/\n", {"cpu.max": "150000 100000"}, 2),
    ("0::/a/b\n", {"a/cpu.max": "100000 100000", "a/b/cpu.max": "300000 100000"}, 1),
    ("0::/a/b\n", {"a/b/cpu.max": "20000 100000"}, 1),
    ("0::/not/seen/in/here\n", {"cpu.max": "400000 100000"}, 4),
    ("3:cpu,cpuacct:/x\n0::/\n", {"cpu/x/cpu.cfs_quota_us": "300000", "cpu/x/cpu.cfs_period_us": "100000"}, 3),
    ("3:cpu,cpuacct:/x\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
    ("3:cpuset:/x\n", {"cpu/cpu.cfs_quota_us": "250000", "cpu/cpu.cfs_period_us": "100000"}, 3),
    ("garbage\n0::/a\n", {"cpu.max": "nonsense", "a/cpu.max": "100000 100000"}, 1),
    ("0::/\n", {"cpu.max": "100000 0"}, None),
    ("0::/me\n", {"me/cpu.max": "max 100000", "cpu/cpu.max": "100000 100000"}, None),
    ("3:cpu,cpuacct:/x\n", {"cpu,cpuacct/x/cpu.cfs_quota_us": "1", "cpu,cpuacct/x/cpu.cfs_period_us": "100000"}, 1),
    (None, {}, None),
]


@pytest.mark.parametrize(("own", "files", "cpus"), _GROUP_TREES)
def test_cgroup_quotas_of_both_versions(monkeypatch, tmp_path, own, files, cpus):
    for name, text in files.items():
        path = tmp_path / "groups" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    if own is not None:
        (tmp_path / "self").mkdir()
        (tmp_path / "self/cgroup").write_text(own)
    monkeypatch.setattr(_threads, "_PROC", tmp_path)
    monkeypatch.setattr(_threads, "_CGROUPS", tmp_path / "groups")
    quota = _threads._cgroup_quota.__wrapped__()
    assert quota == cpus if cpus is not None else quota > 4096


def _group_of_one_cpu():
    """A new control group below this process's with a quota of one CPU, where the system lets us make one."""
    for mount, controller, name, quota in (
        ("", "", "cpu.max", "100000 100000"),
        ("cpu", "cpu", "cpu.cfs_quota_us", "100000"),
    ):
        group = _threads._cgroup_directories(controller, _threads._CGROUPS / mount)[0] / f"fastlsq-test-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            # a directory of a file system that makes no control groups stays empty
            if (group / name).exists():
                (group / name).write_text(quota)
                return group
        except OSError:
            pass
        group.rmdir()
    return None


def test_a_quota_of_one_cpu(tmp_path):
    group = _group_of_one_cpu()
    if group is None:
        pytest.skip("may not make a control group")
    code = (
        "import os, sys\n"
        "try:\n"
        f"    open({str(group / 'cgroup.procs')!r}, 'w').write(str(os.getpid()))\n"
        "except OSError:\n"
        "    sys.exit(77)\n"
        "import numpy as np, fastlsq\n"
        "from fastlsq import _threads\n"
        "rng = np.random.default_rng(0)\n"
        "a, b = rng.standard_normal((3_000, 500)), rng.standard_normal(3_000)\n"
        "assert np.array_equal(fastlsq.lstsq(a, b, n_threads=2).x, fastlsq.lstsq(a, b).x)\n"
        "print(*_threads.explain(), sep=', ')\n"
    )
    environment = {k: v for k, v in os.environ.items() if k not in ("FASTLSQ_NUM_THREADS", "OMP_NUM_THREADS")}
    try:
        child = subprocess.run(
            [sys.executable, "-P", "-c", code],
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            cwd=tmp_path,
        )
    finally:
        with contextlib.suppress(OSError):
            group.rmdir()
    if child.returncode == 77:
        pytest.skip("may not enter a control group")
    assert child.returncode == 0, child.stderr
    if lib.openmp_version():
        expected = "1, cgroup quota" if len(os.sched_getaffinity(0)) > 1 else "1, CPU affinity"
        assert child.stdout == expected + "\n"


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
