# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""pytest-benchmark suite of the Gram pass: every shape, type and order, with its share of the roofline.

pytest bench/test_gram.py
"""

import pytest

import fastlsq
from bench import roofline, suite
from fastlsq._core import lib
from fastlsq._threads import resolve


def describe(benchmark, problem, excess):
    """Library, threads, kernel, proof and roofline of the timing just taken."""
    probe = suite.shared_probe()
    seconds = roofline.gram_seconds(problem.x, problem.y, probe.flops(), probe.bandwidth())
    benchmark.extra_info.update(lib="fastlsq", threads=resolve(None), kernel=lib.kernel_name(), correct=excess <= 1)
    if benchmark.stats is not None:  # absent under --benchmark-disable
        benchmark.extra_info["roofline_fraction"] = seconds / benchmark.stats.stats.median


@suite.each_case
def test_gram_pass(benchmark, case):
    """The pass alone: [X|1]'[X|1|y] and y'y from a fresh state."""
    problem = suite.problem(case)
    out = roofline.gram_arrays(case.p)
    answer = suite.measure(benchmark, case, lambda: roofline.gram_pass(problem.x, problem.y, out))
    excess = problem.proof.excess(*answer)
    describe(benchmark, problem, excess)
    assert excess <= 1, f"G t is off by {excess:.1e} times its rounding bound"


@suite.each_case
def test_gram_state(benchmark, case):
    """The same pass through the public state, and the regression it holds."""
    problem = suite.problem(case)

    def update():
        state = fastlsq.Gram(intercept=False)
        state.update(problem.x, problem.y)
        return state

    state = suite.measure(benchmark, case, update)
    error = problem.reference.error(state.ols().coef)
    tolerance = problem.reference.tolerance("normal", "float64")
    describe(benchmark, problem, error / tolerance)
    assert error == pytest.approx(0, abs=tolerance)
