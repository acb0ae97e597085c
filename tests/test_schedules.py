# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Schedules: closed forms, torch's schedulers, bad settings."""

import copy
import math
import pickle

import numpy as np
import pytest

import fastlsq as fl

ALL = [
    fl.schedules.Constant(0.3), fl.schedules.InverseScaling(0.3), fl.schedules.Optimal(1e-3, slope=2.0),
    fl.schedules.Step(0.3, 7), fl.schedules.Exponential(0.3, 0.9), fl.schedules.Cosine(0.3, 50, 5, 0.01),
    fl.schedules.OneCycle(0.3, 50), fl.schedules.Plateau(0.3),
]


@pytest.mark.parametrize("schedule", ALL, ids=lambda s: type(s).__name__)
def test_pure_and_kept_by_copies(schedule):
    rates = [schedule(step) for step in range(80)]
    assert rates == [schedule(step) for step in range(80)]
    assert all(rate >= 0 and math.isfinite(rate) for rate in rates)
    for other in (copy.deepcopy(schedule), pickle.loads(pickle.dumps(schedule)), eval(repr_of(schedule), vars(fl))):
        assert other == schedule
        assert [other(step) for step in range(80)] == rates


def repr_of(schedule):
    # Plateau also shows what it has seen
    return "schedules." + repr(schedule).split(", current=")[0].rstrip(")") + ")"


def torch_rates(make, steps, losses=None):
    torch = pytest.importorskip("torch")
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    scheduler = make(torch.optim.lr_scheduler, optimizer)
    rates = []
    for step in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step(*([] if losses is None else [losses[step]]))
    return np.array(rates)


@pytest.mark.parametrize(("schedule", "make"), [
    (fl.schedules.Step(0.3, 7, 0.5), lambda s, o: s.StepLR(o, 7, 0.5)),
    (fl.schedules.Exponential(0.3, 0.9), lambda s, o: s.ExponentialLR(o, 0.9)),
    (fl.schedules.Cosine(0.3, 60, least=0.01), lambda s, o: s.CosineAnnealingLR(o, 60, 0.01)),
    (fl.schedules.OneCycle(0.3, 60), lambda s, o: s.OneCycleLR(o, 0.3, 60)),
    (fl.schedules.OneCycle(0.3, 60, 0.5, 10.0, 100.0),
     lambda s, o: s.OneCycleLR(o, 0.3, 60, pct_start=0.5, div_factor=10.0, final_div_factor=100.0)),
], ids=["step", "exponential", "cosine", "one-cycle", "one-cycle-2"])
def test_rates_are_those_of_torch(schedule, make):
    expected = torch_rates(make, 60)
    assert np.abs([schedule(step) for step in range(60)] - expected).max() < 1e-14


def test_plateau_is_that_of_torch():
    losses = np.random.default_rng(1).random(200).cumsum()[::-1] / 50 // 0.1 + 1.0
    losses[150:] = 3.0
    settings = {"factor": 0.5, "patience": 3, "eps": 0.0, "min_lr": 1e-3}
    expected = torch_rates(lambda s, o: s.ReduceLROnPlateau(o, **settings), 200, losses)
    plateau, rates = fl.schedules.Plateau(0.3, 0.5, 3, least=1e-3), []
    for step, loss in enumerate(losses):
        rates.append(plateau(step))
        plateau.watch(loss)
    assert np.abs(np.array(rates) - expected).max() < 1e-15
    assert len(set(rates)) > 3


def test_closed_forms():
    assert fl.schedules.InverseScaling(0.5, 0.25)(15) == 0.25
    for alpha in (1e-4, 0.3):
        rate = fl.schedules.Optimal(alpha)
        typical = math.sqrt(1 / math.sqrt(alpha))
        assert rate(0) == pytest.approx(typical, rel=1e-14)
        assert rate(7) == pytest.approx(1 / (alpha * (1 / (typical * alpha) + 7)), rel=1e-14)
    assert fl.schedules.Optimal(1.0, slope=4.0)(0) == 0.25
    warm = fl.schedules.Cosine(1.0, 100, warmup=4)
    assert [warm(step) for step in range(5)] == [0.25, 0.5, 0.75, 1.0, 1.0]
    assert warm(52) == pytest.approx(0.5)
    assert warm(100) == warm(10**9) == 0.0
    assert fl.schedules.OneCycle(1.0, 10)(10**9) == pytest.approx(4e-6)
    assert fl.schedules.OneCycle(1.0, 1)(0) <= 1.0


def test_plateau_takes_losses_below_zero_and_nan():
    plateau = fl.schedules.Plateau(1.0, 0.5, 0)
    for loss in (-1.0, -2.0, -3.0):
        plateau.watch(loss)
    assert plateau(0) == 1.0
    plateau.watch(math.nan)
    assert plateau(0) == 0.5
    assert plateau.best == -3.0


def test_with_an_optimizer():
    p, optimizer = np.zeros(1), fl.optim.SGD(lr=fl.schedules.Step(1.0, 2, 0.5))
    for _ in range(5):
        optimizer.step([p], [np.ones(1)])
    assert p[0] == -(1 + 1 + 0.5 + 0.5 + 0.25)
    again = pickle.loads(pickle.dumps(optimizer))
    again.step([p], [np.ones(1)])
    assert p[0] == -3.5


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: fl.schedules.Constant(-1.0), ValueError, "lr must be finite and >= 0"),
    (lambda: fl.schedules.Constant("1"), TypeError, "lr must be a number"),
    (lambda: fl.schedules.Optimal(0.0), ValueError, "alpha must be finite and > 0"),
    (lambda: fl.schedules.Step(0.1, 0), ValueError, "every must be >= 1"),
    (lambda: fl.schedules.Exponential(0.1, 1.5), ValueError, "factor must be at most 1"),
    (lambda: fl.schedules.Cosine(0.1, 10, 10), ValueError, "warmup must be below steps"),
    (lambda: fl.schedules.OneCycle(0.1, 10, 1.5), ValueError, "up must be at most 1"),
    (lambda: fl.schedules.Plateau(0.1, patience=-1), ValueError, "patience must be >= 0"),
])
def test_bad_settings(make, error, message):
    with pytest.raises(error, match=message):
        make()
