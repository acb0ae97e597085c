# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Schedules: the learning rate from the number of steps (or epochs) done, 0 at the first.

All but `Plateau` are pure functions of that number, so that a fit that goes on needs to remember the number alone;
`Plateau` is told a loss after each epoch, and its state is in its attributes.  All can be pickled and compared.
"""

import math
from dataclasses import dataclass, field

from fastlsq import _arrays


class Schedule:
    """A callable: `schedule(step)` is the learning rate after `step` steps."""

    def __call__(self, step):
        raise NotImplementedError

    def _check(self, *, positive=(), not_negative=(), shares=(), counts=()):
        for name in (*positive, *not_negative, *shares):
            value = getattr(self, name)
            if not _arrays.is_number(value):
                raise TypeError(f"{name} must be a number, got {value!r}")
            if not math.isfinite(value) or value < 0 or (name in positive and value == 0):
                raise ValueError(f"{name} must be finite and {'> 0' if name in positive else '>= 0'}, got {value!r}")
            if name in shares and value > 1:
                raise ValueError(f"{name} must be at most 1, got {value!r}")
        for name in counts:
            _arrays.at_least_one(getattr(self, name), name)


@dataclass
class Constant(Schedule):
    """lr.

    Examples
    --------
    >>> import fastlsq as fl
    >>> fl.schedules.Constant(0.1)(1000)
    0.1
    """

    lr: float

    def __post_init__(self):
        self._check(not_negative=["lr"])

    def __call__(self, step):
        return self.lr


@dataclass
class InverseScaling(Schedule):
    """lr/(step + 1)**power: scikit-learn's 'invscaling'.

    Examples
    --------
    >>> import fastlsq as fl
    >>> fl.schedules.InverseScaling(0.1, power=0.5)(3)
    0.05
    """

    lr: float
    power: float = 0.25

    def __post_init__(self):
        self._check(not_negative=["lr", "power"])

    def __call__(self, step):
        return self.lr / (step + 1) ** self.power


@dataclass
class Optimal(Schedule):
    """1/(alpha*(t0 + step)): Bottou's rate for an L2 penalty of weight alpha, scikit-learn's 'optimal'.

    t0 is chosen so that the first rate is a typical weight, (1/alpha)**(1/4), over the largest slope of the loss there
    (1 at least), as in `Optimal.first_rate`.

    Parameters
    ----------
    alpha : float
        Weight of the penalty alpha/2*||w||**2.
    slope : float, default 1
        Absolute derivative of the loss by the prediction, where that is -(1/alpha)**(1/4) and the target is 1; at most
        1 for hinge, logistic and epsilon-insensitive losses.

    References
    ----------
    Bottou: Stochastic gradient descent tricks (2012).

    Examples
    --------
    >>> import fastlsq as fl
    >>> rate = fl.schedules.Optimal(alpha=1e-4)
    >>> round(rate(0), 6), round(rate(10_000), 6)
    (10.0, 0.909091)
    """

    alpha: float
    slope: float = 1.0

    def __post_init__(self):
        self._check(positive=["alpha"], not_negative=["slope"])

    @property
    def first_rate(self):
        """The rate at step 0."""
        return (1 / self.alpha) ** 0.25 / max(1.0, self.slope)

    def __call__(self, step):
        return 1 / (self.alpha * (1 / (self.first_rate * self.alpha) + step))


@dataclass
class Step(Schedule):
    """lr*factor**(step // every).

    Examples
    --------
    >>> import fastlsq as fl
    >>> rate = fl.schedules.Step(0.8, every=10, factor=0.5)
    >>> rate(9), rate(10), rate(20)
    (0.8, 0.4, 0.2)
    """

    lr: float
    every: int
    factor: float = 0.1

    def __post_init__(self):
        self._check(not_negative=["lr"], shares=["factor"], counts=["every"])

    def __call__(self, step):
        return self.lr * self.factor ** (step // self.every)


@dataclass
class Exponential(Schedule):
    """lr*factor**step.

    Examples
    --------
    >>> import fastlsq as fl
    >>> fl.schedules.Exponential(0.8, factor=0.5)(3)
    0.1
    """

    lr: float
    factor: float

    def __post_init__(self):
        self._check(not_negative=["lr"], shares=["factor"])

    def __call__(self, step):
        return self.lr * self.factor**step


@dataclass
class Cosine(Schedule):
    """From lr to `least` along half a cosine over `steps`, after a linear warm-up.

    ::

        lr*(step + 1)/warmup                                                for step < warmup
        least + (lr - least)*(1 + cos(pi*(step - warmup)/(steps - warmup)))/2      then
        least                                                               from step = steps on

    References
    ----------
    Loshchilov, Hutter: SGDR: stochastic gradient descent with warm restarts (2017).

    Examples
    --------
    >>> import fastlsq as fl
    >>> rate = fl.schedules.Cosine(1.0, steps=110, warmup=10)
    >>> rate(0), rate(9), rate(10), round(rate(60), 12), rate(200)
    (0.1, 1.0, 1.0, 0.5, 0.0)
    """

    lr: float
    steps: int
    warmup: int = 0
    least: float = 0.0

    def __post_init__(self):
        self._check(not_negative=["lr", "least"], counts=["steps"])
        if not 0 <= _arrays.whole_number(self.warmup, "warmup", 0) < self.steps:
            raise ValueError(f"warmup must be below steps, {self.steps}, got {self.warmup}")

    def __call__(self, step):
        if step < self.warmup:
            return self.lr * (step + 1) / self.warmup
        if step >= self.steps:
            return self.least
        return _half_cosine(self.lr, self.least, (step - self.warmup) / (self.steps - self.warmup))


@dataclass
class OneCycle(Schedule):
    """From most/start_factor up to `most` and down to most/(start_factor*end_factor), along half cosines.

    The way up takes the share `up` of `steps`; names and defaults but for the names are those of torch's OneCycleLR
    (max_lr, total_steps, pct_start, div_factor, final_div_factor).

    References
    ----------
    Smith, Topin: Super-convergence: very fast training of neural networks using large learning rates (2018).

    Examples
    --------
    >>> import fastlsq as fl
    >>> rate = fl.schedules.OneCycle(1.0, steps=101)
    >>> round(rate(0), 6), round(rate(100), 9)
    (0.04, 4e-06)
    """

    most: float
    steps: int
    up: float = 0.3
    start_factor: float = 25.0
    end_factor: float = 1e4

    def __post_init__(self):
        self._check(positive=["start_factor", "end_factor"], not_negative=["most"], shares=["up"], counts=["steps"])

    def __call__(self, step):
        start = self.most / self.start_factor
        end, top, last = start / self.end_factor, self.up * self.steps - 1, self.steps - 1
        if step <= top:
            return _half_cosine(start, self.most, step / top if top > 0 else 1.0)
        return _half_cosine(self.most, end, min((step - top) / (last - top), 1.0) if last > top else 1.0)


@dataclass
class Plateau(Schedule):
    """lr times `factor` whenever the watched loss has not fallen for more than `patience` epochs.

    `watch(loss)` is called after each epoch; a loss counts as fallen when it is below the best so far by more than
    tolerance times that.

    Examples
    --------
    >>> import fastlsq as fl
    >>> rate = fl.schedules.Plateau(0.8, factor=0.5, patience=1)
    >>> for loss in (3.0, 2.0, 2.0, 2.0, 2.0):
    ...     rate.watch(loss)
    >>> rate(0)
    0.4
    """

    lr: float
    factor: float = 0.1
    patience: int = 10
    tolerance: float = 1e-4
    least: float = 0.0
    current: float = field(init=False)
    best: float = field(init=False, default=math.inf)
    waited: int = field(init=False, default=0)

    def __post_init__(self):
        self._check(not_negative=["lr", "least"], shares=["factor", "tolerance"])
        _arrays.whole_number(self.patience, "patience", 0)
        self.current = self.lr

    def watch(self, loss):
        """Take note of the loss of one more epoch; NaN counts as not fallen."""
        if loss < self.best - self.tolerance * abs(self.best if math.isfinite(self.best) else 0.0):
            self.best, self.waited = loss, 0
            return
        self.waited += 1
        if self.waited > self.patience:
            self.current, self.waited = max(self.current * self.factor, self.least), 0

    def __call__(self, step):
        return self.current


def _half_cosine(begin, end, share):
    return end + (begin - end) * (1 + math.cos(math.pi * share)) / 2
