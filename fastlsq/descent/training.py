# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The state of a model that is trained by gradient descent, and one epoch over rows in memory."""

from dataclasses import dataclass

import numpy as np

from fastlsq import _arrays
from fastlsq._core import lib
from fastlsq.descent import sparse, step_size

_MASK = 2**64 - 1
#: the mean loss may grow to so many times what it was
MOST_GROWTH = 100.0
#: flops of a call of the core, between which Python looks for an interrupt: some 30 ms
_CALL_FLOPS = 2e8
_CALL_STEPS = 100_000
#: bytes of rows that are small enough to be visited one by one
_NEAR = 2**20
#: and of a block of rows that lie together where they are not: a page
_BLOCK_BYTES = 4096


class DivergedError(ArithmeticError):
    """The loss has grown out of bounds, or is no number; `loss` is its mean over the last rows."""

    def __init__(self, loss):
        super().__init__(f"the loss has grown to {loss:.3g}")
        self.loss = loss


@dataclass(slots=True)
class Rows:
    """Arrays that the core can read, and their problem."""

    x: np.ndarray
    y: np.ndarray  # float64, n x predictors or n x 1
    weights: np.ndarray | None
    problem: object

    @property
    def n(self):
        return self.x.shape[0]

    @property
    def weight(self):
        return float(self.n if self.weights is None else self.weights.sum())


@dataclass(slots=True)
class EpochReport:
    """What an epoch saw: the mean loss of its batches, each before its step."""

    loss: float
    rate: float
    gradient_norm: float


class Training:
    """Coefficients in the units of `columns`, what the optimizer remembers, and how to go on."""

    def __init__(self, loss, targets, columns, optimizer, p, *, batch_size, l1, l2, intercept, shuffle, seed, n_threads,
                 mean_weight=1.0, kernel=None):
        self.loss, self.targets, self.columns, self.optimizer = loss, targets, columns, optimizer
        self.batch_size, self.l1, self.l2, self.intercept = batch_size, l1, l2, intercept
        self.shuffle, self.seed, self.n_threads, self.kernel = shuffle, seed, n_threads, kernel
        self.mean_weight, self.p = mean_weight, p
        self.schedule, self.rate_factor = None, 1.0
        size = targets.predictors * (p + 1)
        self.b = np.zeros(size)
        self.states = [np.full(size, optimizer._first_state) if kept else None for kept in optimizer.settings.states]
        self.average, self.averaged, self.average_from = None, 0, 0
        self.saga = self.class_factors = None
        self.steps = self.epochs = 0
        self.forgotten = 0  # steps that the optimizer knows nothing of

    # ---- rows --------------------------------------------------------------------------------------------------------

    def rows(self, x, y, weights):
        """Rows of checked arrays; y as the core takes it."""
        columns = self.columns
        problem = lib.Descent(sparse.core_rows(x), y, weights, self.loss.core, self.loss.parameter,
                              self.targets.predictors, self.targets.labels, columns.center, columns.factor,
                              columns.shaped)
        return Rows(x, y, weights, problem)

    def block_rows(self, x):
        """Rows that a shuffle keeps together."""
        bytes_of_row = max(x.data.nbytes // x.shape[0] if sparse.is_sparse(x) else x.itemsize * x.shape[1], 1)
        if self.shuffle == "full" or x.shape[0] * bytes_of_row <= _NEAR:
            return 1
        wanted = 8 * -(-_BLOCK_BYTES // (8 * bytes_of_row))
        return min(wanted, max(8, (self.batch_size or 1) // 8)) if self.batch_size != 1 else wanted

    # ---- steps -------------------------------------------------------------------------------------------------------

    def epoch(self, rows, *, shuffled, limit=np.inf):
        """One visit of every row; DivergedError where the mean loss of a call exceeds the limit."""
        n, batch = rows.n, min(self.batch_size or rows.n, rows.n)
        steps = -(-n // batch)
        key = (self.seed * 0x9E3779B97F4A7C15 + self.epochs * 0xD1B54A32D192ED03) & _MASK
        at_once = max(1, int(_CALL_FLOPS / (4.0 * (self.p + 1) * self.targets.predictors * batch)))
        at_once = min(at_once, _CALL_STEPS)
        loss = weight = square = 0.0
        rate = np.nan
        block = self.block_rows(rows.x) if shuffled else n
        for first in range(0, steps, at_once):
            rates = step_size.rates(self.schedule, self.steps, min(at_once, steps - first)) * self.rate_factor
            if not (np.isfinite(rates).all() and (rates >= 0).all()):
                raise ValueError(f"the schedule gives rates that are negative or no numbers from step {self.steps} on")
            report = lib.descent_run(
                rows.problem, self.optimizer.settings, rates, self.b, self.states, self.steps - self.forgotten,
                batch_rows=batch, first_row=first * batch, shuffled=shuffled, block_rows=block, key=key,
                mean_weight=self.mean_weight, l1=self.l1, l2=self.l2, clip_norm=self.optimizer.clip_norm or 0.0,
                intercept=self.intercept, average=self.average, averaged=self.averaged,
                average_from=self.average_from - self.forgotten, n_threads=self.n_threads, saga=self.saga,
                kernel=self.kernel)
            self.steps += report["steps"]
            self.averaged = report["averaged"]
            loss, weight, square, rate = loss + report["loss"], weight + report["weight"], report["square"], rates[-1]
            mean = report["loss"] / report["weight"] if report["weight"] > 0 else 0.0
            if not report["finite"] or (mean > limit and self.has_diverged(rows, limit)):
                raise DivergedError(mean if report["finite"] else np.inf)
        self.epochs += 1
        return EpochReport(loss / weight if weight > 0 else np.nan, float(rate), float(np.sqrt(square)))

    def has_diverged(self, rows, limit):
        """Whether the loss has grown over all rows, and not in a few that are far from all others."""
        loss = self.mean_loss(rows, self.b)
        return not (loss <= limit or loss <= MOST_GROWTH * self.loss_without_slopes(rows))

    def mean_loss(self, rows, b=None):
        """Weighted mean of the loss, without penalties."""
        loss, weight = lib.descent_evaluate(rows.problem, self.current if b is None else b, None, self.n_threads,
                                            self.kernel)
        return loss / weight if weight > 0 else np.nan

    def loss_without_slopes(self, rows):
        """The mean loss where all coefficients are 0, which takes no look at X."""
        n, k = rows.n, self.targets.predictors
        problem = lib.Descent(np.empty((n, 0)), rows.y, rows.weights, self.loss.core, self.loss.parameter, k,
                              self.targets.labels)
        loss, weight = lib.descent_evaluate(problem, np.zeros(k), None, self.n_threads, self.kernel)
        return loss / weight if weight > 0 else np.nan

    # ---- coefficients ------------------------------------------------------------------------------------------------

    @property
    def current(self):
        """The coefficients that count: their mean, where one is taken."""
        return self.average if self.averaged > 0 else self.b

    def start_average(self, steps_from_now):
        self.average, self.averaged = np.zeros_like(self.b), 0
        self.average_from = self.steps + steps_from_now

    def coefficients(self):
        """(slopes (k, p), intercepts (k,)) of the columns as the user has them."""
        k = self.targets.predictors
        return self.columns.to_user(self.current[: k * self.p].reshape(k, self.p), self.current[k * self.p:])

    def snapshot(self):
        """All that a step, or a call of partial_fit, changes."""
        def copied(a):
            return None if a is None else a.copy()

        return (self.b.copy(), [copied(s) for s in self.states], copied(self.average), self.averaged, self.steps,
                self.epochs, self.forgotten, self.columns)

    def restore(self, snapshot):
        b, states, average, self.averaged, self.steps, self.epochs, self.forgotten, self.columns = snapshot
        self.b[:] = b
        for own, kept in zip(self.states, states, strict=True):
            if own is not None:
                own[:] = kept
        if average is not None:
            self.average[:] = average
        self._forget_saga()

    def forget_momentum(self):
        """State of the optimizer as at the first step."""
        for state in self.states:
            if state is not None:
                state.fill(self.optimizer._first_state)
        self._forget_saga()
        self.forgotten = self.steps

    def remember_slopes(self, n):
        """From now on steps over single rows are those of SAGA."""
        self.saga = np.zeros(n), np.zeros(self.p + 1)

    def _forget_saga(self):
        # any slopes will do as long as their mean is the mean that is kept
        for values in self.saga or ():
            values.fill(0.0)

    def grow(self, x):
        """Let the factors of the columns cover x, the coefficients keeping their meaning."""
        columns, change = self.columns.grown(x)
        if (change != 1).any():
            k = self.targets.predictors
            for values in (self.b, self.average):
                if values is not None:
                    values[: k * self.p].reshape(k, self.p)[:] *= change
            self.columns = columns


def checked_rows(x, weights):
    """Raise ValueError naming the first value of X that is not finite."""
    sparse.check_finite(x)
    if weights is not None:
        _arrays.check_weights(weights)
