# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Gradient optimizers: one fused step in place on a list of NumPy arrays (csrc/optimizers.c has the loops).

Names and defaults of parameters are those of torch.optim, and so are the sequences of steps.
"""

import math

import numpy as np

from fastlsq import _arrays
from fastlsq._core import lib
from fastlsq._threads import resolve

_TORCH_EPS = 1e-6  # added to the norm by torch.nn.utils.clip_grad_norm_


class Optimizer:
    """What all optimizers share: steps, state, learning rate and clipping.

    Attributes
    ----------
    lr : float or callable
        The learning rate, or a schedule: called with the number of steps done so far, 0 at first.  May be assigned.
    n_steps : int
        Calls of `step` so far.
    """

    _states = ()  # names of the states of the core, in its order
    _rule = None

    def __init__(self, lr, numbers, *, weight_decay, maximize, clip_value, clip_norm, first_state=0.0):
        self.lr = lr
        self._numbers = {**numbers, "weight_decay": _not_negative(weight_decay, "weight_decay"),
                         "maximize": bool(maximize)}
        self._first_state = first_state
        self.clip_value = None if clip_value is None else _positive(clip_value, "clip_value")
        self.clip_norm = None if clip_norm is None else _positive(clip_norm, "clip_norm")
        self.reset()

    def __repr__(self):
        shown = {"lr": self._lr, **self._arguments(), "clip_value": self.clip_value, "clip_norm": self.clip_norm}
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in shown.items())})"

    def _arguments(self):
        """What the class was called with, by the names it has there, but for what all share."""
        return self._numbers

    @property
    def lr(self):
        return self._lr

    @lr.setter
    def lr(self, value):
        self._lr = value if callable(value) else _not_negative(value, "lr")

    @property
    def learning_rate(self):
        """The rate of the next step: `lr`, or what it returns for `n_steps`."""
        return _not_negative(self._lr(self.n_steps), "lr(step)") if callable(self._lr) else self._lr

    @property
    def settings(self):
        """The settings as the core takes them."""
        return lib.Settings(self._rule, clip_value=self.clip_value or 0.0, **self._numbers)

    def reset(self):
        """Forget all state: the next step is the first."""
        self.n_steps = 0
        self._slots = []

    def step(self, params, grads, *, n_threads=None):
        """Update `params` in place.

        Parameters
        ----------
        params : list of ndarray, or one ndarray
            float64 or float32, any shape, contiguous in C or Fortran order, writable, and not overlapping.
        grads : list of ndarray or None, or one ndarray
            Gradients of the same shapes and dtypes.  Where one is None its parameter and its state stay as they are.  A
            gradient in another memory order than its parameter is copied into it first.
        n_threads : int, optional
            The result has the same bits for any number.

        Raises
        ------
        TypeError
            Not an array, or not float64 or float32, or a gradient of another dtype than its parameter.
        ValueError
            Shapes differ, a parameter is read-only or not contiguous, the state of a position belongs to another shape
            or dtype, or `clip_norm` is given and a gradient is not finite.  Nothing has been changed then.
        """
        values, gradients = _arrays.parameters(params, grads)
        rate, settings, n_threads = self.learning_rate, self.settings, resolve(n_threads)
        self._fit(values)
        kept = settings.states
        moving, slots = [], []
        for value, gradient, slot in zip(values, gradients, self._slots, strict=True):
            if gradient is not None:
                slots.append(slot)
                moving.append((slot.t + 1, value, gradient, slot.arrays(value, kept, self._first_state)))
        held = lib.Parameters(moving)
        factor = 1.0 if self.clip_norm is None else self._norm_factor(held, gradients, n_threads)
        lib.optimizer_step(settings, rate, factor, held, n_threads)
        self.n_steps += 1
        for slot in slots:
            slot.t += 1

    def _fit(self, values):
        """State for every position, made at the first step, refused where it belongs to other parameters."""
        if not self._slots:
            _arrays.check_apart(values)
            self._slots = [_Slot(value) for value in values]
        if len(self._slots) != len(values):
            raise ValueError(f"params has {len(values)} arrays, the state is that of {len(self._slots)}: "
                             "call reset() first")
        for position, (slot, value) in enumerate(zip(self._slots, values, strict=True)):
            fortran = _arrays.is_fortran(value)
            if slot.shape != value.shape or slot.dtype != value.dtype or slot.fortran != fortran:
                raise ValueError(
                    f"params[{position}] has shape {value.shape}, dtype {value.dtype} and order {'CF'[fortran]}, "
                    f"its state {slot.shape}, {slot.dtype} and {'CF'[slot.fortran]}: call reset() first"
                )

    def _norm_factor(self, held, gradients, n_threads):
        norm = lib.gradient_norm(self.clip_value or 0.0, held, n_threads)
        if not math.isfinite(norm):
            for position, gradient in enumerate(gradients):
                if gradient is not None and not np.isfinite(gradient).all():
                    place = tuple(int(i) for i in np.argwhere(~np.isfinite(gradient))[0])
                    raise ValueError(f"grads[{position}] must not contain infs or NaNs where clip_norm is given; "
                                     f"entry {place} is {gradient[place]}")
            return 0.0  # finite gradients whose length is no number: clipped to nothing
        return min(1.0, self.clip_norm / (norm + _TORCH_EPS))

    def state_dict(self):
        """A copy of settings and state, of plain values and arrays."""
        state = [{"step": slot.t, "fortran": slot.fortran, "shape": slot.shape, "dtype": slot.dtype.str,
                  **{name: None if array is None else array.copy("K")
                     for name, array in zip(self._states, slot.states, strict=False)}}
                 for slot in self._slots]
        settings = {"lr": self._lr, **self._numbers, "clip_value": self.clip_value, "clip_norm": self.clip_norm}
        return {"rule": type(self).__name__, "n_steps": self.n_steps, "settings": settings,
                "first_state": self._first_state, "state": state}

    def load_state_dict(self, state_dict):
        """Take over settings and state that `state_dict` gave, of an optimizer of the same class."""
        if state_dict["rule"] != type(self).__name__:
            raise ValueError(f"state_dict is that of {state_dict['rule']}, not of {type(self).__name__}")
        settings = dict(state_dict["settings"])
        lr, clip_value, clip_norm = (settings.pop(name) for name in ("lr", "clip_value", "clip_norm"))
        if settings.keys() != self._numbers.keys():
            raise ValueError(f"state_dict has the settings {sorted(settings)}, expected {sorted(self._numbers)}")
        slots = [_Slot.of(entry, self._states) for entry in state_dict["state"]]
        self.lr, self.clip_value, self.clip_norm, self._numbers = lr, clip_value, clip_norm, settings
        self._slots, self.n_steps = slots, state_dict["n_steps"]
        self._first_state = state_dict["first_state"]


class _Slot:
    """State of one position: what it belongs to, how many steps it has made, the arrays."""

    def __init__(self, value):
        self.shape, self.dtype, self.fortran = value.shape, value.dtype, _arrays.is_fortran(value)
        self.t, self.states = 0, [None] * lib.STATES

    def arrays(self, value, kept, first):
        for s, needed in enumerate(kept):
            if needed and self.states[s] is None:
                # zeros, not zeros_like: pages that are touched by the step alone
                self.states[s] = np.zeros(self.shape, self.dtype, "F" if self.fortran else "C")
                if first != 0.0:
                    self.states[s].fill(first)
        return [state if needed else None for state, needed in zip(self.states, kept, strict=True)]

    @classmethod
    def of(cls, entry, names):
        slot = cls.__new__(cls)
        slot.shape, slot.dtype, slot.fortran = tuple(entry["shape"]), np.dtype(entry["dtype"]), bool(entry["fortran"])
        slot.t, slot.states = entry["step"], [None] * lib.STATES
        for s, name in enumerate(names):
            if entry[name] is not None:
                slot.states[s] = np.array(entry[name], slot.dtype, order="F" if slot.fortran else "C")
                if slot.states[s].shape != slot.shape:
                    raise ValueError(f"state_dict: {name} has shape {slot.states[s].shape}, expected {slot.shape}")
        return slot


class SGD(Optimizer):
    """Stochastic gradient descent, with momentum and Nesterov's.

    ::

        h = g + weight_decay*p
        m = momentum*m + (1 - dampening)*h          (the first m is h)
        p -= lr * (m, or h + momentum*m with nesterov; h without momentum)

    Parameters
    ----------
    lr : float or callable, default 1e-3
    momentum, dampening, weight_decay : float, default 0
    nesterov : bool, default False
        Needs a momentum and no dampening.
    maximize : bool, default False
        Climb instead.
    clip_value : float, optional
        Largest absolute value of an entry of a gradient.
    clip_norm : float, optional
        Largest length of all gradients together; costs one more read of them.

    References
    ----------
    Sutskever, Martens, Dahl, Hinton: On the importance of initialization and momentum in deep learning (2013).

    Examples
    --------
    >>> import numpy as np, fastlsq as fl
    >>> w = np.array([1.0, -1.0])
    >>> optimizer = fl.optim.SGD(lr=0.1, momentum=0.9)
    >>> for _ in range(200):
    ...     optimizer.step([w], [2 * (w - 3)])
    >>> np.round(w, 3)
    array([3., 3.])
    """

    _rule, _states = lib.SGD, ("momentum",)

    def __init__(self, lr=1e-3, momentum=0.0, dampening=0.0, weight_decay=0.0, nesterov=False, *, maximize=False,
                 clip_value=None, clip_norm=None):
        numbers = {"momentum": _not_negative(momentum, "momentum"), "dampening": _number(dampening, "dampening"),
                   "nesterov": bool(nesterov)}
        if nesterov and (numbers["momentum"] == 0 or numbers["dampening"] != 0):
            raise ValueError("nesterov needs a momentum > 0 and dampening 0")
        super().__init__(lr, numbers, weight_decay=weight_decay, maximize=maximize, clip_value=clip_value,
                         clip_norm=clip_norm)


class RMSprop(Optimizer):
    """The gradient over the root of its mean square.

    ::

        h = g + weight_decay*p
        v = alpha*v + (1 - alpha)*h**2
        p -= lr * h/(sqrt(v) + eps)                 (with momentum: m = momentum*m + that quotient; p -= lr*m)

    Centered, v - c**2 stands for v, with c the mean of h as v is that of h**2.

    Parameters
    ----------
    lr : float or callable, default 1e-2
    alpha : float, default 0.99
    eps : float, default 1e-8
    weight_decay, momentum : float, default 0
    centered, maximize : bool, default False
    clip_value, clip_norm : float, optional
        As in `SGD`.

    References
    ----------
    Hinton: Neural Networks for Machine Learning, lecture 6 (2012); centered: Graves: Generating sequences with
    recurrent neural networks (2013).

    Examples
    --------
    >>> import numpy as np, fastlsq as fl
    >>> w = np.zeros(2)
    >>> fl.optim.RMSprop(lr=0.01).step([w], [np.array([5.0, -0.001])])
    >>> np.round(w, 3)
    array([-0.1,  0.1])
    """

    _rule, _states = lib.RMSPROP, ("mean_square", "momentum", "mean")

    def __init__(self, lr=1e-2, alpha=0.99, eps=1e-8, weight_decay=0.0, momentum=0.0, centered=False, *, maximize=False,
                 clip_value=None, clip_norm=None):
        numbers = {"beta2": _share(alpha, "alpha"), "eps": _not_negative(eps, "eps"),
                   "momentum": _not_negative(momentum, "momentum"), "centered": bool(centered)}
        super().__init__(lr, numbers, weight_decay=weight_decay, maximize=maximize, clip_value=clip_value,
                         clip_norm=clip_norm)

    def _arguments(self):
        numbers = dict(self._numbers)
        return {"alpha": numbers.pop("beta2"), **numbers}


class Adagrad(Optimizer):
    """The gradient over the root of the sum of its squares so far.

    ::

        h = g + weight_decay*p
        v = v + h**2                                (v starts at initial_accumulator_value)
        p -= lr/(1 + (t - 1)*lr_decay) * h/(sqrt(v) + eps)

    Parameters
    ----------
    lr : float or callable, default 1e-2
    lr_decay, weight_decay, initial_accumulator_value : float, default 0
    eps : float, default 1e-10
    maximize : bool, default False
    clip_value, clip_norm : float, optional
        As in `SGD`.

    References
    ----------
    Duchi, Hazan, Singer: Adaptive subgradient methods for online learning and stochastic optimization (2011).

    Examples
    --------
    >>> import numpy as np, fastlsq as fl
    >>> w = np.zeros(2)
    >>> fl.optim.Adagrad(lr=0.1).step([w], [np.array([5.0, -0.001])])
    >>> np.round(w, 3)
    array([-0.1,  0.1])
    """

    _rule, _states = lib.ADAGRAD, ("sum_square",)

    def __init__(self, lr=1e-2, lr_decay=0.0, weight_decay=0.0, initial_accumulator_value=0.0, eps=1e-10, *,
                 maximize=False, clip_value=None, clip_norm=None):
        numbers = {"rate_decay": _not_negative(lr_decay, "lr_decay"), "eps": _not_negative(eps, "eps")}
        super().__init__(lr, numbers, weight_decay=weight_decay, maximize=maximize, clip_value=clip_value,
                         clip_norm=clip_norm,
                         first_state=_not_negative(initial_accumulator_value, "initial_accumulator_value"))

    def _arguments(self):
        numbers = dict(self._numbers)
        return {"lr_decay": numbers.pop("rate_decay"), "initial_accumulator_value": self._first_state, **numbers}


class Adam(Optimizer):
    """The mean gradient over the root of the mean square, both corrected for having started at 0.

    ::

        h = g + weight_decay*p
        m = beta1*m + (1 - beta1)*h
        v = beta2*v + (1 - beta2)*h**2
        p -= lr/(1 - beta1**t) * m/(sqrt(v/(1 - beta2**t)) + eps)

    Parameters
    ----------
    lr : float or callable, default 1e-3
    betas : pair of float, default (0.9, 0.999)
    eps : float, default 1e-8
    weight_decay : float, default 0
    amsgrad : bool, default False
        The largest v so far instead of v.
    maximize : bool, default False
    clip_value, clip_norm : float, optional
        As in `SGD`.

    References
    ----------
    Kingma, Ba: Adam: a method for stochastic optimization (2015); Reddi, Kale, Kumar: On the convergence of Adam and
    beyond (2018).

    Examples
    --------
    >>> import numpy as np, fastlsq as fl
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((200, 3))
    >>> y = X @ [1.0, 2.0, 3.0]
    >>> w = np.zeros(3)
    >>> optimizer = fl.optim.Adam(lr=0.1)
    >>> for _ in range(500):
    ...     optimizer.step([w], [X.T @ (X @ w - y) / len(y)])
    >>> np.round(w, 6)
    array([1., 2., 3.])
    """

    _rule, _states = lib.ADAM, ("mean", "mean_square", "largest_mean_square")
    _decoupled = False

    def __init__(self, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.0, amsgrad=False, *, maximize=False,
                 clip_value=None, clip_norm=None):
        try:
            beta1, beta2 = betas
        except (TypeError, ValueError):
            raise ValueError(f"betas must be a pair, got {betas!r}") from None
        numbers = {"beta1": _share(beta1, "betas[0]"), "beta2": _share(beta2, "betas[1]"),
                   "eps": _not_negative(eps, "eps"), "amsgrad": bool(amsgrad), "decoupled": self._decoupled}
        super().__init__(lr, numbers, weight_decay=weight_decay, maximize=maximize, clip_value=clip_value,
                         clip_norm=clip_norm)

    def _arguments(self):
        numbers = dict(self._numbers)
        del numbers["decoupled"]
        return {"betas": (numbers.pop("beta1"), numbers.pop("beta2")), **numbers}


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters and does not pass through the means.

    ::

        m, v as in Adam, of g itself
        p = (1 - lr*weight_decay)*p - lr/(1 - beta1**t) * m/(sqrt(v/(1 - beta2**t)) + eps)

    Parameters
    ----------
    lr, betas, eps, amsgrad, maximize, clip_value, clip_norm
        As in `Adam`.
    weight_decay : float, default 1e-2

    References
    ----------
    Loshchilov, Hutter: Decoupled weight decay regularization (2019).

    Examples
    --------
    >>> import numpy as np, fastlsq as fl
    >>> w = np.array([1.0, 2.0], dtype=np.float32)
    >>> fl.optim.AdamW(lr=0.1, weight_decay=0.5).step([w], [np.zeros(2, np.float32)])
    >>> w
    array([0.95, 1.9 ], dtype=float32)
    """

    _decoupled = True

    def __init__(self, lr=1e-3, betas=(0.9, 0.999), eps=1e-8, weight_decay=1e-2, amsgrad=False, *, maximize=False,
                 clip_value=None, clip_norm=None):
        super().__init__(lr, betas, eps, weight_decay, amsgrad, maximize=maximize, clip_value=clip_value,
                         clip_norm=clip_norm)


def _number(value, name):
    if not _arrays.is_number(value):
        raise TypeError(f"{name} must be a number, got {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"{name} must be finite, got {value!r}")
    return float(value)


def _not_negative(value, name):
    if _number(value, name) < 0:
        raise ValueError(f"{name} must be >= 0, got {value!r}")
    return float(value)


def _positive(value, name):
    if _number(value, name) <= 0:
        raise ValueError(f"{name} must be > 0, got {value!r}")
    return float(value)


def _share(value, name):
    if not 0 <= _number(value, name) < 1:
        raise ValueError(f"{name} must be in [0, 1), got {value!r}")
    return float(value)
