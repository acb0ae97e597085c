# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""`sgd`: linear models by gradient descent, batch, mini-batch and one row at a time."""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fastlsq import _arrays, _threads
from fastlsq.descent import losses, optimizers, sparse, step_size
from fastlsq.descent.chunks import Source
from fastlsq.descent.columns import columns_of
from fastlsq.descent.epochs import Run, first_walk, train
from fastlsq.descent.sgd_result import SGDResult
from fastlsq.descent.training import Training

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: steps that a run has at least where the number of epochs is not given, and the epochs that this may take
_LEAST_STEPS, _EPOCHS, _MOST_EPOCHS = 2000, 10, 1000


def sgd(
    X: Any,
    y: ArrayLike | None = None,
    *,
    loss: str = "squared",
    optimizer: Any = "auto",
    lr: Any = "auto",
    schedule: Any = "auto",
    batch_size: int | None = 256,
    epochs: int | None = None,
    l1: float = 0.0,
    l2: float = 0.0,
    intercept: bool = True,
    weights: ArrayLike | None = None,
    class_weight: dict | str | None = None,
    classes: Sequence | None = None,
    standardize: bool = True,
    scale_to: str = "zscore",
    scale_invariant: bool = False,
    shuffle: str | bool = "block",
    average: float | bool | str = "auto",
    validation: Any = None,
    early_stopping: bool = False,
    patience: int = 5,
    tol: float = 0.0,
    gradient_tol: float = 1e-10,
    on_divergence: str = "backoff",
    delta: float = 1.35,
    quantile: float = 0.5,
    epsilon: float = 0.1,
    seed: int | None = 0,
    callbacks: Iterable[Callable] = (),
    progress: bool = False,
    warm_start: SGDResult | None = None,
    names: Sequence[str] | None = None,
    n_threads: int | None = None,
) -> SGDResult:
    """Train a linear model by gradient descent.

    Minimises, with eta_i = intercept + x_i coef,

        sum_i w_i l(y_i, eta_i) / sum_i w_i + l1 ‖coef‖₁ + l2/2 ‖coef‖²

    where coef in the penalties is that of the columns as they are scaled.  A step over a batch of b rows takes the
    gradient sum w_i l' x_i / (b mean(w)) to the optimizer; l2 is added to it, l1 is a proximal step behind it.  An
    optimizer that clips takes the gradient without penalties: where that is still clipped in the end, the minimum is
    not reached.

    Parameters
    ----------
    X : array_like, shape (n, p), or an iterable of chunks
        Any real dtype and strides.  float64 and float32 rows are read where they lie, and so are those of SciPy's CSR
        (other sparse formats are converted to it), whose columns are scaled but not centred.  Chunks are tuples
        (X, y) or (X, y, weights), trained one after the other; an iterable that can be walked again, or a function that
        returns a new iterator, is walked once an epoch.
    y : array_like, shape (n,) or (n, k)
        Targets; (n, 1) is one target.  Labels of any kind for losses that classify.
    loss : {'squared', 'huber', 'quantile', 'epsilon_insensitive', 'logistic', 'softmax', 'hinge', 'poisson'}
        (y - eta)²/2; huber: delta (|e| - delta/2) where |e| > delta; quantile: pinball; logistic: log(1 + e^-eta) for
        the second of two labels, 'softmax' with more; hinge: max(1 - eta, 0), one label against all others with
        more than two; poisson: e^eta - y eta.
    optimizer : str or fl.optim.Optimizer
        'sgd', 'momentum', 'nesterov', 'rmsprop', 'adagrad', 'adam', 'adamw', an optimizer (its rate, unless `lr` is
        given), or 'auto': 'adam' for batches, 'nesterov' for all rows at once.  'saga': variance-reduced steps over
        single rows (`batch_size` is not used), with a memory of one number a row; converges at a constant rate, for
        the losses squared, huber, logistic and poisson of one predictor and dense rows in memory.
    lr : float, callable or 'auto'
        Learning rate, or a schedule of the number of steps done.  'auto': 1/L for optimizers whose steps follow the
        size of the gradient, L the smoothness of the objective for that batch size, from a sample of rows (Gower et
        al. 2019); 0.05 times the spread of y for the others.
    schedule : str or callable
        'constant', 'cosine', 'invscaling', 'optimal', 'step', 'exponential', 'onecycle', 'plateau', or a schedule.
        'auto': cosine down to 1 % of the first rate where `lr` is 'auto', batches are drawn and X is no iterator, else
        constant.
    batch_size : int or None
        Rows of a step; None for all of them, or of a chunk (batch gradient descent).
    epochs : int, optional
        By default 10, or what makes 2000 steps, at most 1000.
    l1, l2 : float
    intercept : bool
        Not penalized.
    weights : array_like, shape (n,), optional
        Non-negative; equal to repeated rows where batches are all rows.
    class_weight : dict or 'balanced', optional
        Factors of the weights of rows by their label.
    classes : sequence, optional
        All labels that may come, where the first rows may not have them all.
    standardize : bool
        Scale columns, inside the pass: X is not copied.  scale_to='zscore' centres to mean 0 and standard deviation 1,
        'minmax' to 0 .. 1.  Without an intercept columns are not moved: to mean square 1, or largest absolute value 1.
    scale_invariant : bool
        Instead divide columns by their largest absolute value so far, which later calls of `partial_fit` raise.
    shuffle : {'block', 'full', True, False}
        Order of the rows, another one in every epoch: blocks of a page of memory, single rows (True is 'full'; two to
        four times as slow where X is large), or as they are.  A function of `seed` and the epoch alone.
    average : float, bool or 'auto'
        Report the mean of the coefficients over the last share of all steps (Polyak, Ruppert; True: over all).
        'auto': 0.5 with the automatic schedule, True with the automatic rate of an iterator, else False.
    validation : tuple (X, y) or (X, y, weights), or float
        Rows that are not trained on: given, or a share of the rows, drawn by `seed`.
    early_stopping : bool
        Stop when the validation loss (a share of 0.1 where `validation` is None) has not been lower for `patience`
        epochs, and take the coefficients of the best epoch.
    patience : int
    tol : float
        Converged when the mean loss of an epoch has not been lower than the best by more than tol times that for
        `patience` epochs; 0: never.
    gradient_tol : float
        Converged when the gradient over all rows (batch_size=None) is no longer than this times its first length.
    on_divergence : {'backoff', 'raise', 'stop'}
        When the loss grows to 100 times what it was before the first step, or is no number: go back to the end of the
        last good epoch with a quarter of the rate (and a RuntimeWarning), raise FloatingPointError, or stop there.
    delta, quantile, epsilon : float
        Of the losses huber, quantile and epsilon_insensitive.
    seed : int, optional
        None draws one; `seed` of the result tells which.
    callbacks : iterable of callable
        Called as ``callback(result)`` after each epoch; True stops the training.
    progress : bool
        A bar of epochs, by tqdm.
    warm_start : SGDResult, optional
        Start from its coefficients, units of columns and steps, and from the state of its optimizer if that is of the
        same kind.
    names : sequence of str, optional
    n_threads : int, optional
        The result has the same bits for any number.

    Returns
    -------
    SGDResult

    Raises
    ------
    ValueError
        Shapes that do not fit, no rows, values that are not finite, one class only, labels outside `classes`.
    FloatingPointError
        The loss has grown out of bounds, with on_divergence='raise'.

    Warns
    -----
    RuntimeWarning
        The loss has grown out of bounds and the rate was reduced; it has ended at more than twice that of no slopes;
        the training was interrupted (Ctrl-C), and what it had reached is returned.

    References
    ----------
    Bottou, Curtis, Nocedal: Optimization methods for large-scale machine learning (2018).  Polyak, Juditsky:
    Acceleration of stochastic approximation by averaging (1992).  Defazio, Bach, Lacoste-Julien: SAGA (2014).

    Examples
    --------
    >>> import numpy as np, fastlsq as fl
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((5000, 2)) * [1.0, 1000.0]
    >>> y = X @ [2.0, 0.003] + 5 + 0.1 * rng.standard_normal(5000)
    >>> fit = fl.sgd(X, y)
    >>> fit.coef.round(3), round(fit.intercept, 1)
    (array([1.998, 0.003]), 5.0)
    """
    _check_choices(shuffle, on_divergence, scale_to)
    shuffle = {True: "full"}.get(shuffle, shuffle)
    seed = secrets.randbits(63) if seed is None else _arrays.whole_number(seed, "seed", 0)
    batch_size = None if batch_size is None else _arrays.at_least_one(batch_size, "batch_size")
    epochs = None if epochs is None else _arrays.at_least_one(epochs, "epochs")
    patience = _arrays.at_least_one(patience, "patience")
    l1, l2, tol, gradient_tol = (_arrays.number_up_to(value, name, np.inf) for value, name in
                                 ((l1, "l1"), (l2, "l2"), (tol, "tol"), (gradient_tol, "gradient_tol")))
    n_threads = _threads.resolve(n_threads)
    kind = losses.loss_of(loss, delta=delta, quantile=quantile, epsilon=epsilon)
    source = Source.of(X, y, weights, class_weight)
    first = source.first()
    names = _arrays.column_names(X if not source.is_chunked else first.x, names, first.x.shape[1])
    if warm_start is not None:
        (kind, targets), codes = _same_model(warm_start, kind, first, bool(intercept)), None
    else:
        kind, targets, codes = losses.first_targets(kind, first.y, first.x.shape[0], classes)
    source.encode(kind, targets, codes)
    if early_stopping and validation is None:
        validation = 0.1
    held_out = source.hold_out(validation, (kind, targets), seed) if validation is not None else None
    first = source.first()
    if not (first.weights is None or (first.weights > 0).any()):
        raise ValueError("weights must not all be zero")
    if kind.is_adaptive:
        _arrays.check_size(first.y, "y")
    scale = ("maxabs" if scale_invariant else scale_to) if standardize or scale_invariant else None
    columns = (warm_start._training.columns if warm_start is not None
               else columns_of(first.x, first.weights, scale, bool(intercept), n_threads))
    saga = isinstance(optimizer, str) and optimizer == "saga"
    if saga:
        _check_saga(kind, targets, source)
        optimizer, batch_size = "sgd", 1
    chosen, adaptive, own_rate = _optimizer(optimizer, batch_size)
    p = first.x.shape[1]
    mean_weight = 1.0 if first.weights is None else float(first.weights.mean())
    training = Training(kind, targets, columns, chosen, p, batch_size=batch_size, l1=l1, l2=l2,
                        intercept=bool(intercept), shuffle=shuffle, seed=seed, n_threads=n_threads,
                        mean_weight=mean_weight)
    training.class_factors = source.class_factors
    if warm_start is not None:
        _continue(training, warm_start)
        if columns.grows:
            training.grow(first.x)
            columns = training.columns
    initial_loss, limit, steps_per_epoch = first_walk(source, training)
    n = first.x.shape[0]
    if epochs is None:
        epochs = min(max(_EPOCHS, -(-_LEAST_STEPS // steps_per_epoch)), _MOST_EPOCHS)
        if source.is_once:
            epochs = 1
    elif source.is_once and epochs > 1:
        raise ValueError(f"X is an iterator, which can be walked once: epochs must be 1, got {epochs}; "
                         "pass a function that returns one")
    rate = lr if not (isinstance(lr, str) and lr == "auto") else own_rate
    found = rate is None
    if found:
        rows = step_size.sample_of(n, first.weights)
        sampled = None if first.weights is None else first.weights[rows]
        share = 1.0 if first.weights is None else np.count_nonzero(first.weights) / n
        rate = step_size.automatic_rate(kind, adaptive, columns.of_sample(first.x[rows]), first.y[rows], sampled,
                                        training.intercept, l2, n, min(batch_size or n, n), share)
        if adaptive and not callable(schedule):  # an eps for gradients of that size
            chosen._numbers["eps"] *= rate / step_size.ADAPTIVE_RATE
        rate = rate / 3 if saga else rate  # Defazio et al.: 1/(3 L), L that of a single row
    if saga:
        training.remember_slopes(n)
    drawn = found and not saga and isinstance(schedule, str) and schedule == "auto" and batch_size is not None
    auto = drawn and not source.is_once  # whose length is not known
    training.schedule = _schedule(schedule, rate, auto, training.steps + epochs * steps_per_epoch, l2)
    share = _average_share(average, 0.5 if auto else 1.0 if drawn else 0.0)
    if source.is_once and (0 < share < 1 or schedule in ("cosine", "step", "exponential", "onecycle")):
        raise ValueError("X is an iterator whose length is not known: schedule must be constant, 'invscaling', "
                         "'optimal', 'plateau' or callable, and average a truth value")
    if share > 0:
        training.start_average(math.floor((1 - share) * epochs * steps_per_epoch))
    result = SGDResult(training, names, float(training.schedule(training.steps)), initial_loss)
    held_out = None if held_out is None else training.rows(*held_out.arrays)
    run = Run(result, source, held_out, limit, epochs, bool(early_stopping), patience, tol, gradient_tol, on_divergence,
              list(callbacks))
    train(run, _bar(epochs) if progress else None)
    return result


# ---- arguments -------------------------------------------------------------------------------------------------------


def _check_choices(shuffle, on_divergence, scale_to):
    if not (isinstance(shuffle, (bool, np.bool_)) or shuffle in ("block", "full")):
        raise ValueError(f"shuffle must be 'block', 'full', True or False, got {shuffle!r}")
    if on_divergence not in ("backoff", "raise", "stop"):
        raise ValueError(f"on_divergence must be 'backoff', 'raise' or 'stop', got {on_divergence!r}")
    if scale_to not in ("zscore", "minmax"):
        raise ValueError(f"scale_to must be 'zscore' or 'minmax', got {scale_to!r}")


_BY_NAME = {
    "sgd": lambda: optimizers.SGD(),
    "momentum": lambda: optimizers.SGD(momentum=0.9),
    "nesterov": lambda: optimizers.SGD(momentum=0.9, nesterov=True),
    "rmsprop": lambda: optimizers.RMSprop(),
    "adagrad": lambda: optimizers.Adagrad(),
    "adam": lambda: optimizers.Adam(),
    "adamw": lambda: optimizers.AdamW(),
}


def _optimizer(given, batch_size):
    """(optimizer, whether it scales its steps itself, its own rate or None)."""
    if isinstance(given, optimizers.Optimizer):
        if given._numbers["maximize"]:
            raise ValueError("optimizer must not maximize")
        return given, not isinstance(given, optimizers.SGD), given.lr
    name = ("nesterov" if batch_size is None else "adam") if given == "auto" else given
    if not isinstance(name, str) or name not in _BY_NAME:
        raise ValueError(f"optimizer must be 'auto', {', '.join(map(repr, _BY_NAME))} or an fl.optim.Optimizer, "
                         f"got {given!r}")
    chosen = _BY_NAME[name]()
    return chosen, not isinstance(chosen, optimizers.SGD), None


def _check_saga(loss, targets, source):
    if loss.name not in ("squared", "huber", "logistic", "poisson") or targets.predictors != 1:
        raise ValueError("optimizer='saga' is for the losses squared, huber, logistic and poisson with one predictor, "
                         f"not for loss={loss.name!r} with {targets.predictors}")
    if sparse.is_sparse(source.first().x):
        raise ValueError("optimizer='saga' is for dense rows: X must not be sparse")
    if source.is_chunked:
        raise ValueError("optimizer='saga' remembers every row: X must be an array, not chunks")


def _schedule(schedule, rate, auto, steps, l2):
    if callable(schedule):
        return schedule
    if callable(rate):
        if schedule not in ("auto", "constant"):
            raise ValueError("lr is a schedule already: schedule must be left out")
        return rate
    if not _arrays.is_number(rate) or not 0 <= rate < np.inf:
        raise ValueError(f"lr must be 'auto', a finite number >= 0 or callable, got {rate!r}")
    name = schedule if schedule != "auto" else "cosine" if auto else "constant"
    return step_size.named_schedule(name, float(rate), steps, l2)


def _average_share(average, own):
    if isinstance(average, str) and average == "auto":
        return own
    if isinstance(average, (bool, np.bool_)):
        return 1.0 if average else 0.0
    if not _arrays.is_number(average) or not 0 <= average <= 1:
        raise ValueError(f"average must be 'auto', a truth value or a share between 0 and 1, got {average!r}")
    return float(average)


def _same_model(warm_start, kind, first, intercept):
    if not isinstance(warm_start, SGDResult):
        raise TypeError(f"warm_start must be the result of sgd, got {type(warm_start).__name__}")
    training = warm_start._training
    if training.p != first.x.shape[1]:
        raise ValueError(f"warm_start was trained with {training.p} columns, X has {first.x.shape[1]}")
    if training.loss.name != kind.name and not {training.loss.name, kind.name} <= {"softmax", "logistic"}:
        raise ValueError(f"warm_start was trained with loss={training.loss.name!r}")
    if training.intercept != intercept:
        raise ValueError(f"warm_start was trained with intercept={training.intercept}")
    return training.loss if kind.classifies else kind, training.targets  # whose delta may be another one


def _continue(training, warm_start):
    before = warm_start._training
    training.b[:] = before.current
    training.steps, training.epochs = before.steps, before.epochs
    if type(before.optimizer) is type(training.optimizer):
        for own, theirs in zip(training.states, before.states, strict=True):
            if own is not None and theirs is not None:
                own[:] = theirs
        training.forgotten = before.forgotten
    else:
        training.forgotten = training.steps


def _bar(epochs):
    try:
        from tqdm import tqdm
    except ImportError:
        raise ImportError("progress=True needs tqdm: pip install tqdm") from None
    return tqdm(total=epochs, unit="epoch")
