# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""pytest-benchmark suite of lstsq next to what NumPy and SciPy offer: every shape, type and order.

    pytest bench/test_lstsq.py --benchmark-group-by=group

python -m bench.compare takes the methods in turn and is the fairer measurement; this suite is for watching one
method over time with --benchmark-save and --benchmark-compare.
"""

import pytest

import fastlsq
from bench import peers, roofline, shapes, suite
from fastlsq._core import lib
from fastlsq._threads import resolve

OURS = peers.Peer("fastlsq", "fastlsq.lstsq", "fastlsq", "checked", lambda x, y: lambda: fastlsq.lstsq(x, y).x)
METHODS = [OURS, *peers.select(["numpy-ne", "numpy-lstsq", "scipy-gelsd"])]


@pytest.mark.parametrize("method", METHODS, ids=lambda method: method.key)
@suite.each_case
def test_lstsq(benchmark, case, method):
    """Coefficients alone, against the polished reference."""
    problem = suite.problem(case)
    coef = suite.measure(benchmark, case, method.bind(problem.x, problem.y))
    error = problem.reference.error(coef)
    tolerance = problem.reference.tolerance(method.kind, shapes.DTYPES[case.dtype])
    benchmark.extra_info.update(lib=method.name, correct=error <= tolerance, error=error)
    if method is OURS:
        probe = suite.shared_probe()
        seconds = roofline.gram_seconds(problem.x, problem.y, probe.flops(), probe.bandwidth())
        benchmark.extra_info.update(threads=resolve(None), kernel=lib.kernel_name())
        if benchmark.stats is not None:  # absent under --benchmark-disable
            benchmark.extra_info["roofline_fraction"] = seconds / benchmark.stats.stats.median
    assert error <= tolerance
