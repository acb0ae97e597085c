# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The learning rate that no one has to choose: from the smoothness of the objective, or the size of its targets."""

import numpy as np

from fastlsq.descent import schedules, sparse

#: rows that the smoothness is estimated from
SAMPLE_ROWS = 4096
#: by which the estimate may be too small
_CAUTION = 1.1
#: first rate of an optimizer that scales its steps itself, for targets of unit spread
ADAPTIVE_RATE = 0.05


def sample_of(n, weights):
    """Numbers of up to SAMPLE_ROWS rows that have a weight, evenly spread."""
    if weights is not None:
        rows = np.flatnonzero(weights > 0)
        return rows[sample_of(rows.size, None)]
    return np.arange(n) if n <= SAMPLE_ROWS else np.linspace(0, n - 1, SAMPLE_ROWS).astype(np.int64)


def smoothness(z, weights, intercept):
    """(largest eigenvalue of the weighted mean of z zᵀ, largest w z·z) for rows [z | 1], w with mean 1."""
    z = sparse.with_ones(z) if intercept else z
    w = np.ones(z.shape[0]) if weights is None else weights / weights.mean()
    if z.shape[1] == 0:
        return 0.0, 0.0
    squares = sparse.squared(z)
    v = np.sqrt(squares.T @ w / w.sum()) + 1e-3  # no start is orthogonal to all that matters
    value = 0.0
    for _ in range(15):  # power iteration
        length = np.linalg.norm(v)
        if not length > 0:
            break
        v = v / length
        v = z.T @ (w * (z @ v)) / z.shape[0]
        value = float(np.linalg.norm(v))
    return _CAUTION * value, _CAUTION * float((w * np.asarray(squares.sum(axis=1)).reshape(-1)).max())


def batch_smoothness(largest, row, n, batch):
    """Expected smoothness of a mean over `batch` of n rows, from that over all and that of one row.

    Gower et al.: SGD: general analysis and improved rates (2019): n(b-1)/(b(n-1)) L + (n-b)/(b(n-1)) L_max.
    """
    if n <= 1 or batch >= n:
        return largest
    return (n * (batch - 1) * largest + (n - batch) * row) / (batch * (n - 1))


def automatic_rate(loss, adaptive, z, y, weights, intercept, l2, n, batch, share=1.0):
    """A learning rate for targets y (rows x predictors) of rows z, the share of the n rows that have a weight."""
    spread = 1.0
    if loss.is_adaptive:
        spread = float(np.sqrt(np.average((y - np.average(y, axis=0, weights=weights)) ** 2, axis=0,
                                          weights=weights)).max())
        spread = spread or float(np.abs(y).max(initial=0.0)) or 1.0
    if adaptive:
        return ADAPTIVE_RATE * spread
    largest, row = smoothness(z, weights, intercept)
    row /= share  # a gradient is over the mean weight, zeros among the weights
    curvature = loss.curvature if loss.curvature is not None else 2.0 * max(1.0, float(y.mean()))
    found = curvature * batch_smoothness(largest, row, n, batch) + l2
    if not found > 0:
        return 1.0
    if loss.name in ("quantile", "epsilon_insensitive"):  # slopes of at most 1, whatever the unit of y
        return spread / found
    return 1.0 / found


def named_schedule(name, rate, steps, l2):
    """The schedule of a name that ends with so many steps."""
    if name == "constant":
        return schedules.Constant(rate)
    if name == "cosine":
        return schedules.Cosine(rate, steps=max(steps, 1), least=rate / 100)
    if name == "invscaling":
        return schedules.InverseScaling(rate)
    if name == "optimal":
        if not l2 > 0:
            raise ValueError("schedule='optimal' needs l2 > 0")
        return schedules.Optimal(l2)
    if name == "step":
        return schedules.Step(rate, every=max(steps // 3, 1))
    if name == "exponential":
        return schedules.Exponential(rate, factor=0.01 ** (1 / max(steps, 1)))
    if name == "onecycle":
        return schedules.OneCycle(rate, steps=max(steps, 1))
    if name == "plateau":
        return schedules.Plateau(rate)
    raise ValueError("schedule must be 'auto', 'constant', 'cosine', 'invscaling', 'optimal', 'step', 'exponential', "
                     f"'onecycle', 'plateau' or callable, got {name!r}")


def rates(schedule, first, count):
    """The rates of `count` steps from number `first` on."""
    if isinstance(schedule, (schedules.Constant, schedules.Plateau)):
        return np.full(count, schedule(first), np.float64)
    return np.fromiter((schedule(first + i) for i in range(count)), np.float64, count)
