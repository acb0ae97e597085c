# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The loop over epochs: history, validation, stopping, and going back where the loss grows."""

import math
import time
import warnings
from dataclasses import dataclass

import numpy as np

from fastlsq.descent.chunks import Source
from fastlsq.descent.sgd_result import SGDResult
from fastlsq.descent.training import MOST_GROWTH, DivergedError, checked_rows

_MOST_BACKOFFS = 40
_BACKOFF = 0.25
#: and may end at so many times that
_MOST_AT_END = 2.0
_NO_MORE = "X has no chunks any more: an iterator can be walked once; pass a function that returns one"


@dataclass(slots=True)
class Run:
    """What the loop over epochs is told."""

    result: SGDResult
    source: Source
    held_out: object  # Rows or None
    limit: float  # of the mean loss
    epochs: int
    early_stopping: bool
    patience: int
    tol: float
    gradient_tol: float
    on_divergence: str
    callbacks: list


def train(run, bar):
    """Epochs until something ends them; `bar` is told of each, or None."""
    result, training = run.result, run.result._training
    best_loss, best_validation, waited, behind, best = math.inf, math.inf, 0, 0, None
    first_norm = None
    good = [training.snapshot()] * 2  # at the end of the last epoch, and of the one before
    end = training.epochs + run.epochs
    try:
        while training.epochs < end:
            started = time.perf_counter()
            report = _epoch(run, good)
            if report is None:
                break
            good = [training.snapshot(), good[0]]
            validation = math.nan if run.held_out is None else training.mean_loss(run.held_out)
            for name, value in (("loss", report.loss), ("validation", validation), ("learning_rate", report.rate),
                                ("gradient_norm", report.gradient_norm),
                                ("seconds", time.perf_counter() - started)):
                result.history[name].append(value)
            watched = report.loss if run.held_out is None else validation
            if hasattr(training.schedule, "watch"):
                training.schedule.watch(watched)
            if bar is not None:
                bar.update()
                bar.set_postfix(loss=f"{watched:.4g}")
            answers = [callback(result) for callback in run.callbacks]
            if any(isinstance(answer, (bool, np.bool_)) and answer for answer in answers):
                result.status = "stopped by a callback"
                break
            if training.batch_size is None:
                first_norm = report.gradient_norm if first_norm is None else first_norm
                if report.gradient_norm <= run.gradient_tol * first_norm:
                    result.status = "converged"
                    break
            waited = 0 if report.loss < best_loss * (1 - math.copysign(run.tol, best_loss)) else waited + 1
            best_loss = min(best_loss, report.loss)
            if run.tol > 0 and waited >= run.patience:
                result.status = "converged"
                break
            if run.early_stopping:
                if validation < best_validation:
                    best_validation, best, behind = validation, training.snapshot(), 0
                    result.best_epoch = len(result.history["loss"]) - 1
                else:
                    behind += 1
                if behind >= run.patience:
                    result.status = "stopped early"
                    break
    except KeyboardInterrupt:
        result.status = "interrupted"
        warnings.warn(f"sgd was interrupted after {training.steps} steps; what it had reached is returned",
                      RuntimeWarning, stacklevel=3)
    finally:
        if bar is not None:
            bar.close()
    if result.status == "finished" and not run.source.is_once and best is None:
        _check_end(run)
    if best is not None and result.status != "diverged":
        _take_best(training, best)


def _check_end(run):
    """Losses that grow with their predictor alone do not run away: they stay where steps are too long."""
    result = run.result
    last, first, rate = result.history["loss"][-1], run.limit / MOST_GROWTH, result.history["learning_rate"][-1]
    if last > _MOST_AT_END * first:  # on the average of the epoch
        last = first_walk(run.source, result._training)[0]
    if last > _MOST_AT_END * first:
        warnings.warn(f"sgd: the loss has ended at {last:.3g}, where it is {first:.3g} without any slopes: the "
                      f"learning rate {rate:.3g} is too large", RuntimeWarning, stacklevel=4)


def _take_best(training, best):
    steps, epochs = training.steps, training.epochs
    training.restore(best)
    training.steps, training.epochs = steps, epochs


def first_walk(source, training):
    """(mean loss, its limit, steps of an epoch) from one walk over the rows; the first chunk of what has only one."""
    total = limit = weight = 0.0
    steps = n = 0
    cold = not training.current.any()
    for chunk in [source.first()] if source.is_once else source.chunks():
        rows = training.rows(*chunk.arrays)
        own, size = rows.weight, min(training.batch_size or rows.n, rows.n)
        steps, weight = steps - (-rows.n // size), weight + own
        if own > 0:
            n += rows.n
            without = training.loss_without_slopes(rows)
            loss = without if cold else training.mean_loss(rows)
            total += own * loss
            limit += own * max(abs(loss), without)  # a model that is warm may have a loss of 0, or below
    if steps == 0:
        raise ValueError(_NO_MORE)
    if source.is_chunked and not source.is_once:
        training.mean_weight = weight / n  # of all chunks, not of the first
    if not np.isfinite(total):
        for chunk in [source.first()] if source.is_once else source.chunks():
            checked_rows(chunk.x, chunk.weights)
    return total / weight, MOST_GROWTH * limit / weight if np.isfinite(limit) else np.inf, steps


def _go_back(run, good):
    """To the end of the last epoch; where its last steps have led out of bounds already, to that of the one before."""
    training = run.result._training
    training.restore(good[0])
    if run.source.is_once or good[0] is good[1]:
        return
    rows = (training.rows(*chunk.arrays) for chunk in run.source.chunks())
    if any(training.has_diverged(part, run.limit) for part in rows):
        training.restore(good[1])
        good[0] = good[1]
        for values in run.result.history.values():
            values.pop()


def _epoch(run, good):
    """One epoch, with shorter steps where it diverges; None where that is the end."""
    result, training = run.result, run.result._training
    while True:
        try:
            reports, share = [], []
            for chunk in run.source.chunks():
                rows = training.rows(*chunk.arrays)
                before = training.epochs
                reports.append(training.epoch(rows, shuffled=bool(training.shuffle), limit=run.limit))
                training.epochs = before
                share.append(rows.weight)
            if not reports:
                raise ValueError(_NO_MORE)
            training.epochs += 1
            last = reports[-1]
            seen = [(r.loss, weight) for r, weight in zip(reports, share, strict=True) if weight > 0]
            last.loss = sum(loss * weight for loss, weight in seen) / sum(weight for _, weight in seen)
            return last
        except DivergedError as error:
            for chunk in [] if run.source.is_once else run.source.chunks():
                checked_rows(chunk.x, chunk.weights)
            rate = float(training.schedule(training.steps)) * training.rate_factor
            message = f"sgd: in epoch {training.epochs} {error}, from {result.initial_loss:.3g} before the first step"
            _go_back(run, good)
            if run.on_divergence == "raise":
                raise FloatingPointError(f"{message}: the learning rate {rate:.3g} is too large") from None
            if run.on_divergence == "stop" or len(result.backoffs) == _MOST_BACKOFFS or run.source.is_once:
                result.status = "diverged"
                warnings.warn(f"{message}; the training has ended with the coefficients before that epoch",
                              RuntimeWarning, stacklevel=4)
                return None
            training.rate_factor *= _BACKOFF
            training.forget_momentum()
            if not result.backoffs:
                warnings.warn(f"{message}: the learning rate {rate:.3g} is too large; going on from the last good "
                              f"epoch with {rate * _BACKOFF:.3g}", RuntimeWarning, stacklevel=4)
            result.backoffs.append({"epoch": training.epochs, "loss": error.loss, "learning_rate": rate,
                                    "factor": training.rate_factor})
