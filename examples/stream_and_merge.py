# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Regression on data that never sits in memory at once, summed by two workers and merged."""

import numpy as np

import fastlsq

CHUNK = 50_000
NAMES = ["x0", "x1", "x2"]


def chunks(worker, count):
    """Rows as a worker would read them: y = 1 + 2 x0 - x1 + 0.5 x2 + noise."""
    rng = np.random.default_rng(worker)
    for _ in range(count):
        x = rng.standard_normal((CHUNK, 3)).astype(np.float32)
        yield x, 1 + x @ np.array([2, -1, 0.5]) + rng.standard_normal(CHUNK)


def summarise(worker):
    """What one worker sends back: a few kilobytes, however many rows it saw."""
    state = fastlsq.Gram(names=NAMES)
    for x, y in chunks(worker, 10):
        state.update(x, y)
    return state


if __name__ == "__main__":
    print((summarise(0) + summarise(1)).ols().summary())
