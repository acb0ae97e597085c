# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""What the pytest-benchmark suites share: the cases, the data of the current one, and the probes next to it."""

import os
import time
from functools import lru_cache

import pytest

from bench import roofline, shapes, verify

#: rows are divided by this, for smoke runs
QUICK = int(os.environ.get("FASTLSQ_BENCH_QUICK", "1"))
ROUNDS = 5

CASES = shapes.cases(dtypes=tuple(shapes.DTYPES), orders=shapes.ORDERS, quick=QUICK)


class Problem:
    """The data of a case; its reference and its proof are worked out when first asked for."""

    def __init__(self, case):
        self.x, self.y = shapes.make(case)
        self._reference = self._proof = None

    @property
    def reference(self):
        """Polished solution."""
        if self._reference is None:
            self._reference = verify.Reference(self.x, self.y)
        return self._reference

    @property
    def proof(self):
        """Checksum of the Gram matrix."""
        if self._proof is None:
            self._proof = verify.GramProof(self.x, self.y)
        return self._proof


@lru_cache(maxsize=1)
def problem(case):
    """Problem of a case, kept for the tests that follow on the same case."""
    return Problem(case)


@lru_cache(maxsize=1)
def shared_probe():
    """One probe and its buffer for the session."""
    return roofline.Probe()


def quiet():
    """Let the worker threads of the previous call fall asleep."""
    time.sleep(roofline.QUIET_SECONDS)


def each_case(test):
    """Parametrize a test over the table."""
    return pytest.mark.parametrize("case", CASES, ids=lambda case: case.label)(test)


def measure(benchmark, case, call):
    """Time `call` in quiet rounds under the group of its shape, and return its last answer."""
    benchmark.group = f"{case.n}x{case.p}"
    return benchmark.pedantic(call, setup=quiet, rounds=ROUNDS, iterations=1, warmup_rounds=1)
