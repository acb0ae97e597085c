# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The core of gradient descent: losses against mpmath, sums against long double, epochs against a loop of fl.optim."""

from fractions import Fraction

import mpmath
import numpy as np
import pytest
from conftest import integers

import fastlsq as fl
from fastlsq._core import lib
from fastlsq.descent import columns

PARAMETERS = {"huber": 0.75, "quantile": 0.25, "epsilon_insensitive": 0.5}
#: losses with one predictor for each target
PLAIN = ["squared", "huber", "quantile", "epsilon_insensitive", "logistic", "hinge", "poisson"]


def descent(x, y, loss="squared", *, weights=None, predictors=None, labels=False, **scaling):
    y = np.ascontiguousarray(y, np.float64)
    y = y[:, None] if y.ndim == 1 else y
    return lib.Descent(x, y, weights, loss, PARAMETERS.get(loss, 0.0), predictors or y.shape[1], labels, **scaling)


def evaluated(problem, b, n_threads=1, kernel=None):
    gradient = np.empty(problem.parameters)
    loss, weight = lib.descent_evaluate(problem, b, gradient, n_threads, kernel)
    return loss, weight, gradient


def one_row(loss, eta, y, kernel=None):
    """(l, dl/deta) of one row."""
    value, weight, gradient = evaluated(descent(np.zeros((1, 1)), [float(y)], loss), np.array([0.0, eta]), 1, kernel)
    assert weight == 1
    return value, gradient[1]


def exact_loss(loss, eta, y):
    """(l, dl/deta) in 60 digits; at a kink the slope of the flat side, or 0."""
    with mpmath.workdps(60):
        eta, y, a = mpmath.mpf(eta), mpmath.mpf(y), mpmath.mpf(PARAMETERS.get(loss, 0.0))
        e = eta - y
        if loss == "squared":
            return e * e / 2, e
        if loss == "huber":
            return (e * e / 2, e) if abs(e) <= a else (a * (abs(e) - a / 2), a * mpmath.sign(e))
        if loss == "quantile":
            return (-a * e, -a) if e < 0 else ((1 - a) * e, (1 - a) * mpmath.sign(e))
        if loss == "epsilon_insensitive":
            return (abs(e) - a, mpmath.sign(e)) if abs(e) > a else (mpmath.mpf(0), mpmath.mpf(0))
        if loss == "hinge":
            sign = 2 * y - 1
            return (1 - sign * eta, -sign) if sign * eta < 1 else (mpmath.mpf(0), mpmath.mpf(0))
        if loss == "poisson":
            return mpmath.exp(eta) - y * eta, mpmath.exp(eta) - y
        # of the sign that cancels nothing: -log p for y = 1 is log(1 + e^-eta)
        if y == 1:
            return mpmath.log1p(mpmath.exp(-eta)), -1 / (1 + mpmath.exp(eta))
        return mpmath.log1p(mpmath.exp(eta)) - y * eta, 1 / (1 + mpmath.exp(-eta)) - y


def longdouble_losses(loss, eta, y):
    """(l, dl/deta) of arrays in long double, away from kinks."""
    e, a = eta - y, np.longdouble(PARAMETERS.get(loss, 0.0))
    if loss == "squared":
        return e * e / 2, e
    if loss == "huber":
        return np.where(np.abs(e) <= a, e * e / 2, a * (np.abs(e) - a / 2)), np.clip(e, -a, a)
    if loss == "quantile":
        return np.where(e < 0, -a * e, (1 - a) * e), np.where(e < 0, -a, 1 - a)
    if loss == "epsilon_insensitive":
        return np.maximum(np.abs(e) - a, 0), np.where(np.abs(e) > a, np.sign(e), 0)
    if loss == "hinge":
        miss = 1 - (2 * y - 1) * eta
        return np.maximum(miss, 0), np.where(miss > 0, 1 - 2 * y, 0)
    if loss == "poisson":
        return np.exp(eta) - y * eta, np.exp(eta) - y
    return np.logaddexp(0, eta) - y * eta, 1 / (1 + np.exp(-eta)) - y


def targets_of(loss, rng, n, k=1):
    if loss in ("logistic", "hinge"):
        return rng.integers(0, 2, (n, k)).astype(float)
    return rng.poisson(2.0, (n, k)).astype(float) if loss == "poisson" else rng.standard_normal((n, k))


def reference(loss, x, y, b, weights=None):
    """(sum w l, gradient as b lies) for y (n, k) in long double."""
    n, p = x.shape
    k = y.shape[1]
    x, b = x.astype(np.longdouble), b.astype(np.longdouble)
    slopes, intercepts = b[: k * p].reshape(k, p), b[k * p:]
    values, r = longdouble_losses(loss, x @ slopes.T + intercepts, y.astype(np.longdouble))
    w = np.ones((n, 1)) if weights is None else weights[:, None]
    return (w * values).sum(), np.concatenate([((w * r).T @ x).ravel(), (w * r).sum(axis=0)])


# ---- losses ----------------------------------------------------------------------------------------------------------


ETAS = [0.0, 1e-300, 1e-10, 0.25, 0.5, 1.0, 2.0, 17.3, 36.0, 40.0, 100.0, 690.0, 700.0]


@pytest.mark.parametrize("loss", PLAIN)
def test_losses_and_slopes(loss, kernel):
    for y in (0.0, 1.0) if loss in ("logistic", "hinge") else (0.0, 1.0, 3.5):
        for eta in (*ETAS, *(-eta for eta in ETAS)):
            value, slope = one_row(loss, eta, y, kernel)
            exact_value, exact_slope = exact_loss(loss, eta, y)
            # of what is added up, not of what is left
            size = abs(float(exact_value)) + (abs(eta * y) if loss in ("logistic", "poisson") else 0.0)
            assert abs(value - exact_value) <= 5e-16 * size + 1e-310, (y, eta)
            size = abs(float(exact_slope)) + (y if loss == "poisson" else 0.0)
            assert abs(slope - exact_slope) <= 5e-16 * size, (y, eta)


@pytest.mark.parametrize("loss", PLAIN)
def test_slopes_are_derivatives(loss):
    rng = np.random.default_rng(0)
    for eta in rng.uniform(-4, 4, 50):
        y = float(rng.integers(0, 2)) if loss in ("logistic", "hinge") else float(rng.uniform(0, 3))
        h = 1e-5
        difference = (one_row(loss, eta + h, y)[0] - one_row(loss, eta - h, y)[0]) / (2 * h)
        assert one_row(loss, eta, y)[1] == pytest.approx(difference, abs=1e-8)


@pytest.mark.parametrize(("loss", "eta", "y", "expected"), [
    ("huber", 0.75, 0.0, (0.28125, 0.75)), ("huber", -0.75, 0.0, (0.28125, -0.75)),
    ("quantile", 2.0, 2.0, (0.0, 0.0)),
    ("epsilon_insensitive", 1.5, 1.0, (0.0, 0.0)), ("epsilon_insensitive", 0.5, 1.0, (0.0, 0.0)),
    ("hinge", 1.0, 1.0, (0.0, 0.0)), ("hinge", -1.0, 0.0, (0.0, 0.0)),
])
def test_kinks(loss, eta, y, expected, kernel):
    assert one_row(loss, eta, y, kernel) == expected


@pytest.mark.parametrize("loss", PLAIN)
def test_a_predictor_that_is_no_number_is_seen(loss, kernel):
    value, slope = one_row(loss, np.nan, 1.0, kernel)
    assert np.isnan(value)
    # and a row without weight is none
    problem = descent(np.zeros((2, 1)), [1.0, np.nan], loss, weights=np.array([1.0, 0.0]))
    assert np.isfinite(evaluated(problem, np.zeros(2), 1, kernel)[0])


@pytest.mark.parametrize("largest", [1.0, 30.0, 700.0])
def test_softmax(largest, kernel):
    rng = np.random.default_rng(1)
    for k in (2, 3, 4, 7, 9):
        for label in range(k):
            etas = largest * rng.uniform(-1, 1, k)
            problem = descent(np.zeros((1, 1)), [float(label)], "softmax", predictors=k, labels=True)
            loss, _, gradient = evaluated(problem, np.concatenate([np.zeros(k), etas]), 1, kernel)
            with mpmath.workdps(60):
                powers = [mpmath.exp(mpmath.mpf(eta)) for eta in etas]
                total = mpmath.fsum(powers)
                assert abs(loss - (mpmath.log(total) - etas[label])) <= 1e-15 * max(1.0, abs(etas).max())
                for c in range(k):
                    expected = powers[c] / total - (c == label)
                    assert abs(gradient[k + c] - expected) <= 1e-15 * max(1.0, 1e-1 * largest)


def test_one_against_all_others(kernel):
    rng = np.random.default_rng(2)
    n, p, k = 101, 5, 4
    x, label, b = rng.standard_normal((n, p)), rng.integers(0, k, n), rng.standard_normal(k * (p + 1))
    problem = descent(x, label, "hinge", predictors=k, labels=True)
    loss, weight, gradient = evaluated(problem, b, 1, kernel)
    expected, slopes = reference("hinge", x, np.eye(k)[label], b)
    assert weight == n
    assert loss == pytest.approx(float(expected), rel=1e-14)
    assert np.abs(gradient - slopes).max() <= 1e-12


# ---- all rows --------------------------------------------------------------------------------------------------------


def arranged(x, layout):
    if layout == "F":
        return np.asfortranarray(x)
    if layout == "strided":
        wide = np.full((2 * x.shape[0], 2 * x.shape[1] + 1), 77, x.dtype)
        wide[::2, : 2 * x.shape[1] : 2] = x
        return wide[::2, : 2 * x.shape[1] : 2]
    if layout == "part":  # rows that lie apart, and are read where they lie
        wide = np.full((x.shape[0], x.shape[1] + x.shape[1] // 2), 77, x.dtype)
        wide[:, : x.shape[1]] = x
        return wide[:, : x.shape[1]]
    if layout == "far":
        wide = np.full((x.shape[0], 5 * x.shape[1]), 77, x.dtype)
        wide[:, : x.shape[1]] = x
        return wide[:, : x.shape[1]]
    if layout == "reversed":
        return np.ascontiguousarray(x[::-1, ::-1])[::-1, ::-1]
    x = np.ascontiguousarray(x)
    x.flags.writeable = layout != "read-only"
    return x


LAYOUTS = ["C", "F", "strided", "part", "far", "reversed", "read-only"]
EDGES = [1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 23, 24, 25, 31, 32, 33, 47, 48, 49, 97, 127, 128, 129, 300]


@pytest.mark.parametrize("p", EDGES)
def test_gradient_at_edges_of_columns(p, kernel):
    rng = np.random.default_rng(p)
    n = 75
    x, y, w = rng.standard_normal((n, p)), rng.standard_normal((n, 2)), rng.random(n)
    b = rng.standard_normal(2 * (p + 1)) / np.sqrt(p)
    expected, slopes = reference("squared", x, y, b, w)
    answers = set()
    for layout in LAYOUTS:
        loss, weight, gradient = evaluated(descent(arranged(x, layout), y, weights=w), b, 1, kernel)
        assert loss == pytest.approx(float(expected), rel=1e-13)
        assert weight == pytest.approx(w.sum(), rel=1e-14)
        assert np.abs(gradient - slopes).max() <= 1e-13 * n
        answers.add((loss, weight, gradient.tobytes()))
    assert len(answers) == 1


@pytest.mark.parametrize("n", [1, 7, 8, 9, 63, 64, 65, 127, 128, 129, 1023, 1024, 1025, 2049])
@pytest.mark.parametrize("loss", ["logistic", "huber"])
def test_gradient_at_edges_of_rows(n, loss, kernel):
    rng = np.random.default_rng(n)
    p = 9
    x, y, b = rng.standard_normal((n, p)), targets_of(loss, rng, n), rng.standard_normal(p + 1)
    expected, slopes = reference(loss, x, y, b)
    answers = set()
    for layout in LAYOUTS:
        loss_sum, weight, gradient = evaluated(descent(arranged(x, layout), y, loss), b, 1, kernel)
        assert loss_sum == pytest.approx(float(expected), rel=1e-13)
        assert weight == n
        assert np.abs(gradient - slopes).max() <= 1e-13 * max(n, 10)
        answers.add((loss_sum, gradient.tobytes()))
    ones = evaluated(descent(x, y, loss, weights=np.ones(n)), b, 1, kernel)
    answers.add((ones[0], ones[2].tobytes()))
    assert len(answers) == 1


@pytest.mark.parametrize("p", [3, 8, 33])
def test_dtypes(p, kernel):
    rng = np.random.default_rng(4)
    n = 203
    x, y, b = integers(rng, (n, p), 0, 2), integers(rng, (n, 1)), rng.standard_normal(p + 1)
    expected = None
    for dtype in "dfe?bBhHiIlLqQ":
        for layout in LAYOUTS:
            answer = evaluated(descent(arranged(x.astype(dtype), layout), y), b, 1, kernel)
            answer = (answer[0], answer[2].tobytes())
            expected = expected or answer
            assert answer == expected, (dtype, layout)
    # a value that needs 24 bits
    single = rng.standard_normal((n, p)).astype(np.float32)
    answers = {evaluated(descent(arranged(z, layout), y), b, 1, kernel)[2].tobytes()
               for z in (single, single.astype(np.float64)) for layout in LAYOUTS}
    assert len(answers) == 1


@pytest.mark.parametrize("loss", [*PLAIN, "softmax"])
def test_bits_do_not_depend_on_threads(loss):
    rng = np.random.default_rng(5)
    n, p, k = 20_011, 13, 3
    x, b = rng.standard_normal((n, p)), rng.standard_normal(k * (p + 1)) / 4
    if loss == "softmax":
        problem = descent(x, rng.integers(0, k, n), loss, predictors=k, labels=True)
    else:
        problem = descent(x, targets_of(loss, rng, n, k), loss)
    answers = {(v, g.tobytes()) for v, _, g in (evaluated(problem, b, n_threads) for n_threads in (1, 2, 3, 8))}
    assert len(answers) == 1


@pytest.mark.parametrize("shaped", [False, True])
@pytest.mark.parametrize("loss", PLAIN)
def test_scaled_columns_are_those_of_scaled_rows(loss, shaped, kernel):
    rng = np.random.default_rng(6)
    n, p = 301, 11
    x = rng.standard_normal((n, p)) * 2.0 ** rng.integers(-6, 7, p) + rng.standard_normal(p)
    y, b = targets_of(loss, rng, n), rng.standard_normal(p + 1) / 4
    center, factor = rng.standard_normal(p), 2.0 ** rng.integers(-3, 4, p)
    z = (x.astype(np.longdouble) - center) * factor
    expected, slopes = reference(loss, z, y, b)
    problem = descent(x, y, loss, center=center, factor=factor, shaped=shaped)
    value, _, gradient = evaluated(problem, b, 1, kernel)
    assert value == pytest.approx(float(expected), rel=1e-12)
    assert np.abs(gradient - slopes).max() <= 1e-12 * np.abs(slopes).max()


def test_shaped_rows_do_not_cancel():
    rng = np.random.default_rng(7)
    n, p = 500, 3
    x = 1e9 + rng.integers(-50, 50, (n, p)).astype(float)
    center, factor = np.full(p, 1e9), np.full(p, 1 / 64)
    y, b = rng.standard_normal((n, 1)), rng.standard_normal(p + 1)
    _, slopes = reference("squared", (x - 1e9) / 64, y, b)
    plain, shaped = (evaluated(descent(x, y, center=center, factor=factor, shaped=s), b)[2] for s in (False, True))
    assert np.abs(shaped - slopes).max() <= 1e-12 * n
    assert np.abs(plain - slopes).max() > 1e-7


def test_refused_problems():
    x, y = np.ones((3, 2)), np.ones((3, 1))
    for arguments in ((x, np.ones((2, 1)), None, "squared", 0.0, 1, False), (x, y, None, "squared", 0.0, 2, False),
                      (x, y, None, "softmax", 0.0, 1, False), (x, y, np.ones(2), "squared", 0.0, 1, False),
                      (np.ones((0, 2)), np.ones((0, 1)), None, "squared", 0.0, 1, False)):
        with pytest.raises(ValueError, match=r"y must be n x predictors|weights must be one per row"):
            lib.Descent(*arguments)
    problem = descent(x, y)
    for states in ([None] * 3, [np.zeros(3)] * 2):
        with pytest.raises(ValueError, match=r"states must be those|batch_rows"):
            lib.descent_run(problem, fl.optim.Adam().settings, np.ones(1), np.zeros(3), states, 0, batch_rows=3)
    with pytest.raises(ValueError, match="more steps than the order has batches"):
        lib.descent_run(problem, fl.optim.SGD().settings, np.ones(3), np.zeros(3), [None] * 3, 0, batch_rows=2)


# ---- steps -----------------------------------------------------------------------------------------------------------


OPTIMIZERS = {
    "sgd": fl.optim.SGD(), "momentum": fl.optim.SGD(momentum=0.9, dampening=0.2),
    "nesterov": fl.optim.SGD(momentum=0.9, nesterov=True), "decay": fl.optim.SGD(momentum=0.5, weight_decay=0.1),
    "clipped": fl.optim.SGD(clip_value=0.1), "clipped norm": fl.optim.Adam(clip_norm=0.05),
    "clipped twice": fl.optim.SGD(clip_value=0.1, clip_norm=0.15),
    "rmsprop": fl.optim.RMSprop(), "rmsprop momentum": fl.optim.RMSprop(momentum=0.5),
    "rmsprop centered": fl.optim.RMSprop(centered=True, eps=1e-3),
    "rmsprop both": fl.optim.RMSprop(centered=True, momentum=0.5, eps=1e-3),
    "adagrad": fl.optim.Adagrad(lr_decay=0.01, initial_accumulator_value=0.1),
    "adam": fl.optim.Adam(), "amsgrad": fl.optim.Adam(amsgrad=True, weight_decay=0.1),
    "adamw": fl.optim.AdamW(weight_decay=0.3),
}


def fresh(optimizer, **changed):
    """A new optimizer with its settings."""
    own = type(optimizer)()
    own.load_state_dict({**optimizer.state_dict(), "n_steps": 0, "state": []})
    own.clip_norm = None  # of all arrays of one optimizer; the twin has two
    for name, value in changed.items():
        own._numbers[name] = value
    return own


class Twin:
    """A loop over batches in NumPy, steps by fl.optim."""

    def __init__(self, optimizer, loss, p, k=1, *, l1=0.0, l2=0.0, mean_weight=1.0):
        self.slopes, self.intercepts = np.zeros((k, p)), np.zeros(k)
        self.optimizer, self.loss, self.l1, self.l2, self.mean_weight = optimizer, loss, l1, l2, mean_weight
        self.of_slopes, self.of_intercepts = fresh(optimizer), fresh(optimizer, weight_decay=0.0)
        self.average, self.steps, self.seen = np.zeros(k * (p + 1)), 0, []

    def step(self, x, y, w, rate):
        b = len(x)
        values, r = longdouble_losses(self.loss, (x @ self.slopes.T + self.intercepts).astype(np.longdouble), y)
        self.seen.append(float((w[:, None] * values).sum()))
        r = (w[:, None] * r / (b * self.mean_weight)).astype(np.float64)
        g, h = r.T @ x, r.sum(axis=0)
        if self.optimizer.clip_value is not None:  # of the loss alone
            limit = self.optimizer.clip_value
            g, h = np.clip(g, -limit, limit), np.clip(h, -limit, limit)
            self.of_slopes.clip_value = self.of_intercepts.clip_value = None
        if self.optimizer.clip_norm is not None:
            factor = min(1.0, self.optimizer.clip_norm / (np.sqrt((g * g).sum() + (h * h).sum()) + 1e-6))
            g, h = factor * g, factor * h
        self.of_slopes.lr = self.of_intercepts.lr = rate
        self.of_slopes.step([self.slopes], [g + self.l2 * self.slopes])
        self.of_intercepts.step([self.intercepts], [h])
        if self.l1 > 0:
            self.slopes[:] = np.sign(self.slopes) * np.maximum(np.abs(self.slopes) - self.l1 * self.metric(rate), 0)
        self.steps += 1
        self.average += (np.concatenate([self.slopes.ravel(), self.intercepts]) - self.average) / self.steps

    def metric(self, rate):
        """The rate of every slope, by its own root mean square."""
        state, s = self.of_slopes.state_dict()["state"][0], self.optimizer._numbers
        if s.get("momentum", 0.0) > 0:  # which adds up steps
            rate *= (1 - s.get("dampening", 0.0)) / (1 - s["momentum"])
        if isinstance(self.optimizer, fl.optim.SGD):
            return rate
        if isinstance(self.optimizer, fl.optim.Adagrad):
            return rate / (1 + self.steps * s["rate_decay"]) / (np.sqrt(state["sum_square"]) + s["eps"])
        v = state["mean_square"]
        if isinstance(self.optimizer, fl.optim.RMSprop):
            return rate / (np.sqrt(np.maximum(v - state["mean"] ** 2, 0) if s["centered"] else v) + s["eps"])
        v = state["largest_mean_square"] if s["amsgrad"] else v
        return rate / (np.sqrt(v / (1 - s["beta2"] ** (self.steps + 1))) + s["eps"])

    @property
    def b(self):
        return np.concatenate([self.slopes.ravel(), self.intercepts])


def order_of(n, block, key):
    rows = np.empty(n, np.int64)
    lib.order_rows(block, True, key, rows)
    return rows


def core_run(problem, optimizer, rates, *, batch, key=3, block=1, n_threads=1, kernel=None, average=False, **plan):
    """(b, average or None, report) after the steps of an epoch from zero."""
    d = problem.parameters
    b = np.zeros(d)
    states = [np.full(d, optimizer._first_state) if kept else None for kept in optimizer.settings.states]
    mean = np.zeros(d) if average else None
    report = lib.descent_run(problem, optimizer.settings, rates, b, states, 0, batch_rows=batch, shuffled=True,
                             block_rows=block, key=key, clip_norm=optimizer.clip_norm or 0.0, n_threads=n_threads,
                             kernel=kernel, average=mean, **plan)
    return b, mean, report


N = 1100
BATCHES = [1, 7, 8, 64, 100, 256, 1000, N, N + 1]


@pytest.mark.parametrize("batch", BATCHES)
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_epoch_is_that_of_a_loop(name, batch, kernel):
    rng = np.random.default_rng(8)
    p, loss = 5, "logistic" if batch in (7, 100, 1000) else "squared"
    optimizer = OPTIMIZERS[name]
    x, y, w = rng.standard_normal((N, p)), targets_of(loss, rng, N), rng.uniform(0.5, 2.0, N)
    plan = {"l2": 0.05, "mean_weight": float(w.mean())}
    steps = min(-(-N // batch), 160) if batch < N else 20
    rates = np.linspace(0.02, 0.01, steps)
    key, block = 1000 + batch, 8 if batch % 8 == 0 else 1
    order = order_of(N, block, key)
    twin = Twin(optimizer, loss, p, **plan)
    for i, rate in enumerate(rates):
        rows = np.arange(N) if batch >= N else order[i * batch:(i + 1) * batch]
        twin.step(x[rows], y[rows], w[rows], rate)
    problem = descent(x, y, loss, weights=w)
    b, average, report = core_run(problem, optimizer, rates, batch=batch, key=key, block=block, kernel=kernel,
                                  average=True, **plan)
    assert report["finite"]
    assert report["steps"] == report["averaged"] == steps
    assert report["loss"] == pytest.approx(sum(twin.seen), rel=1e-11)
    weight = w[order[:steps * batch]].sum() if batch < N else steps * w.sum()
    assert report["weight"] == pytest.approx(weight, rel=1e-12)
    assert np.abs(b - twin.b).max() <= 1e-11 * max(1.0, np.abs(twin.b).max())
    assert np.abs(average - twin.average).max() <= 1e-11 * max(1.0, np.abs(twin.b).max())
    assert np.abs(b).max() > 1e-3


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_l1_is_a_proximal_step(name, kernel):
    rng = np.random.default_rng(9)
    n, p, optimizer = 800, 6, OPTIMIZERS[name]
    x = rng.standard_normal((n, p))
    y = (x[:, :1] - 0.02 * x[:, 1:2] + 0.1 * rng.standard_normal((n, 1))) * 0.2
    rates = np.full(25, 0.02)
    twin, order = Twin(optimizer, "squared", p, l1=0.03, l2=0.01), order_of(n, 1, 3)
    for i in range(25):
        rows = order[32 * i:32 * (i + 1)]
        twin.step(x[rows], y[rows], np.ones(32), rates[i])
    b, _, _ = core_run(descent(x, y), optimizer, rates, batch=32, kernel=kernel, l1=0.03, l2=0.01)
    assert np.abs(b - twin.b).max() <= 1e-13
    assert b[0] != 0
    if name != "clipped norm":
        assert (b[1:p] == 0).any()


@pytest.mark.parametrize("loss", [*PLAIN, "softmax"])
def test_epochs_have_the_same_bits_for_all_threads_and_layouts(loss):
    rng = np.random.default_rng(10)
    n, p, k = 3001, 19, 3
    x = rng.standard_normal((n, p)).astype(np.float32)
    target = {"y": rng.integers(0, k, n), "predictors": k, "labels": True} if loss == "softmax" else {
        "y": targets_of(loss, rng, n, k)}
    rates = np.full(4, 0.01)
    answers = set()
    for n_threads in (1, 2, 3, 8):
        for layout in ("C", "part", "F", "reversed"):
            for z in (x, x.astype(np.float64)):
                problem = descent(arranged(z, layout), loss=loss, **target)
                b, _, report = core_run(problem, fl.optim.Adam(), rates, batch=1000, block=8, n_threads=n_threads)
                answers.add((b.tobytes(), report["loss"], report["square"]))
    assert len(answers) == 1


def test_a_run_may_be_cut_into_calls():
    rng = np.random.default_rng(11)
    n, p = 1000, 4
    x, y = rng.standard_normal((n, p)), rng.standard_normal((n, 1))
    problem, optimizer, rates = descent(x, y), fl.optim.Adam(), np.linspace(0.1, 0.01, 16)
    whole, mean, _ = core_run(problem, optimizer, rates, batch=64, average=True, average_from=5)
    b, states, average, averaged = np.zeros(p + 1), [np.zeros(p + 1), np.zeros(p + 1), None], np.zeros(p + 1), 0
    for first, end in ((0, 3), (3, 4), (4, 11), (11, 16)):
        report = lib.descent_run(problem, optimizer.settings, rates[first:end], b, states, first, batch_rows=64,
                                 first_row=64 * first, shuffled=True, key=3, average=average, averaged=averaged,
                                 average_from=5)
        averaged = report["averaged"]
    assert averaged == 11
    assert b.tobytes() == whole.tobytes()
    assert average.tobytes() == mean.tobytes()


def test_weights_are_repetitions_and_zeros_dropped_rows(kernel):
    rng = np.random.default_rng(12)
    n, p = 400, 7
    x, y, w = rng.standard_normal((n, p)), rng.standard_normal((n, 1)), rng.integers(0, 4, n).astype(float)
    times, rates, optimizer = w.astype(int), np.full(30, 0.1), fl.optim.SGD(momentum=0.5)
    b, _, report = core_run(descent(x, y, weights=w), optimizer, rates, batch=n, kernel=kernel,
                            mean_weight=float(w.mean()), l2=0.1)
    repeated = core_run(descent(np.repeat(x, times, axis=0), np.repeat(y, times, axis=0)), optimizer, rates,
                        batch=4 * n, kernel=kernel, l2=0.1)[0]
    kept = w > 0
    dropped = core_run(descent(x[kept], y[kept], weights=w[kept]), optimizer, rates, batch=n, kernel=kernel,
                       mean_weight=float(w[kept].mean()), l2=0.1)[0]
    assert np.abs(b - repeated).max() <= 1e-13
    assert np.abs(b - dropped).max() <= 1e-13
    assert report["weight"] == 30 * w.sum()


def test_an_intercept_that_is_none_does_not_move(kernel):
    rng = np.random.default_rng(13)
    x, y = rng.standard_normal((100, 3)), 5 + rng.standard_normal((100, 2))
    for batch in (10, 100):
        b, _, report = core_run(descent(x, y), fl.optim.Adam(), np.full(5, 0.1), batch=batch, kernel=kernel,
                                intercept=False)
        assert (b[6:] == 0).all()
        assert (b[:6] != 0).all()


def test_a_penalty_leaves_the_intercept_alone():
    y = np.full((64, 1), 2.0)
    for optimizer in (fl.optim.SGD(weight_decay=1.0), fl.optim.AdamW(weight_decay=1.0)):
        b = core_run(descent(np.zeros((64, 2)), y), optimizer, np.full(2000, 0.1), batch=64, l1=1.0, l2=10.0)[0]
        assert b[2] == pytest.approx(2.0, abs=1e-6)


def test_the_gradient_norm_is_that_of_the_objective(kernel):
    rng = np.random.default_rng(14)
    n, p, l1, l2 = 90, 4, 0.3, 0.2
    x, y = rng.standard_normal((n, p)), rng.standard_normal((n, 1))
    start = np.array([0.5, -0.5, 0.0, 0.0, 0.1])
    g = reference("squared", x, y, start)[1].astype(float) / n
    s = g[:p] + l2 * start[:p] + l1 * np.sign(start[:p])
    flat = start[:p] == 0
    s[flat] = np.sign(g[:p][flat]) * np.maximum(np.abs(g[:p][flat]) - l1, 0)
    b = start.copy()
    report = lib.descent_run(descent(x, y), fl.optim.SGD().settings, np.zeros(1), b, [None] * 3, 0, batch_rows=n, l1=l1,
                             l2=l2, kernel=kernel)
    assert (b == start).all()
    assert np.sqrt(report["square"]) == pytest.approx(np.sqrt((s * s).sum() + g[p] ** 2), rel=1e-13)


@pytest.mark.parametrize("batch", [4, 32])
def test_a_step_that_is_no_number_is_not_made(batch, kernel):
    x, y = np.ones((32, 1)), np.ones((32, 1))
    y[17] = np.nan
    b = np.zeros(2)
    report = lib.descent_run(descent(x, y), fl.optim.SGD().settings, np.full(-(-32 // batch), 0.1), b, [None] * 3, 0,
                             batch_rows=batch, kernel=kernel)
    assert not report["finite"]
    assert report["steps"] == 17 // batch
    assert np.isfinite(b).all()
    assert (b != 0).all() == (batch == 4)


# ---- the order of rows -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [1, 2, 3, 8, 16, 100])
def test_an_order_is_a_permutation_of_whole_blocks(block):
    for n in (1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 63, 64, 65, 99, 100, 101, 255, 256, 257, 1000, 4097, 10_000):
        for key in (0, 1, 2**64 - 1):
            rows = order_of(n, block, key)
            assert (np.sort(rows) == np.arange(n)).all()
            begins = np.flatnonzero(np.diff(rows, prepend=-2) != 1)
            inside = np.setdiff1d(np.arange(n), begins)
            assert (rows[begins] % block == 0).all()  # a break between rows is one between blocks
            assert (rows[inside] == rows[inside - 1] + 1).all()
    rows = np.empty(100, np.int64)
    lib.order_rows(block, False, 5, rows)
    assert (rows == np.arange(100)).all()


def test_orders_of_different_keys_differ():
    orders = {order_of(1000, 1, key).tobytes() for key in range(200)}
    assert len(orders) == 200
    assert order_of(1000, 1, 7).tobytes() == order_of(1000, 1, 7).tobytes()
    # as many rows keep their place as in a random permutation: one on the average
    fixed = [int((order_of(1000, 1, key) == np.arange(1000)).sum()) for key in range(400)]
    assert 0.75 < np.mean(fixed) < 1.25


@pytest.mark.parametrize("n", [10, 16, 100, 1000])
def test_places_are_uniform(n):
    """Chi-square of the place of some rows, of neighbours, and of the first two rows together."""
    keys, bins = 4000, 10
    orders = np.array([order_of(n, 1, 0x9E3779B97F4A7C15 * key % 2**64) for key in range(keys)])
    places = np.argsort(orders, axis=1)

    def deviation(values, cells):
        count = np.bincount(values, minlength=cells)
        return ((count - keys / cells) ** 2 / (keys / cells)).sum()

    for row in (0, 1, n // 2, n - 1):  # 9 degrees of freedom: above 33.7 with probability 1e-4
        if n % bins == 0:
            assert deviation(places[:, row] * bins // n, bins) < 33.7
        cells = 5 if n % 5 == 0 else 8
        assert deviation(orders[:, row] % cells, cells) < 30
    if n >= 100:  # 99 degrees: 161 with probability 1e-4
        assert deviation((orders[:, 0] * bins // n) * bins + orders[:, 1] * bins // n, 100) < 161
        steps = (orders[:, 1] - orders[:, 0]) % n
        assert deviation(steps * bins // n, bins) < 33.7


# ---- moments of columns ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("p", [1, 3, 8, 25, 130])
@pytest.mark.parametrize("n", [1, 9, 64, 1025])
def test_column_moments_of_integers_are_exact(n, p, kernel):
    rng = np.random.default_rng(n + p)
    x, shift, w = integers(rng, (n, p)), integers(rng, p), integers(rng, n, 0, 4)
    for weights in (None, w):
        times = np.ones(n) if weights is None else weights
        for dtype in (np.float64, np.float32, np.int8):
            for layout in LAYOUTS:
                sums, squares = np.empty(p), np.empty(p)
                lib.column_moments(arranged(x.astype(dtype), layout), weights, shift, 2, sums, squares, kernel)
                assert (sums == times @ (x - shift)).all()
                assert (squares == times @ (x - shift) ** 2).all()


def test_column_moments_are_those_of_fractions():
    rng = np.random.default_rng(15)
    x, w = 1e8 + rng.standard_normal((300, 2)), rng.random(300)
    shift, sums, squares = x[0].copy(), np.empty(2), np.empty(2)
    lib.column_moments(x, w, shift, 1, sums, squares)
    for j in range(2):
        parts = [(Fraction(float(w[i])), Fraction(float(x[i, j])) - Fraction(float(shift[j]))) for i in range(300)]
        assert sums[j] == pytest.approx(float(sum(a * d for a, d in parts)), rel=1e-13)
        assert squares[j] == pytest.approx(float(sum(a * d * d for a, d in parts)), rel=1e-13)


def test_bits_of_column_moments():
    rng = np.random.default_rng(16)
    x, w = rng.standard_normal((30_001, 21)), rng.random(30_001)
    answers = set()
    for layout in LAYOUTS:
        for n_threads in (1, 2, 3, 8):
            sums, squares = np.empty(21), np.empty(21)
            lib.column_moments(arranged(x, layout), w, x[5].copy(), n_threads, sums, squares)
            answers.add((sums.tobytes(), squares.tobytes()))
    assert len(answers) == 1


@pytest.mark.parametrize("scale", [1.0, 1e-200, 1e160, 1e300, 1e-290])
@pytest.mark.parametrize("offset", [0.0, 1.0, 1e8])
def test_units_of_columns(scale, offset):
    rng = np.random.default_rng(17)
    z, w = rng.standard_normal((500, 3)) + offset, rng.integers(0, 3, 500).astype(float)
    x = z * scale
    exact = np.repeat(x.astype(np.longdouble) / np.longdouble(scale), w.astype(int), axis=0)
    for weights, rows in ((None, x.astype(np.longdouble) / np.longdouble(scale)), (w, exact)):
        found = columns.columns_of(x, weights, "zscore", True, 2)
        assert found.center / scale == pytest.approx(rows.mean(axis=0).astype(float), rel=1e-13, abs=1e-13)
        near = 1e-6 if offset > 1 else 1e-12
        assert found.factor * scale == pytest.approx(1 / rows.std(axis=0).astype(float), rel=near)
        found = columns.columns_of(x, weights, "zscore", False, 2)
        assert (found.center == 0).all()
        assert found.factor * scale == pytest.approx(1 / np.sqrt((rows**2).mean(axis=0)).astype(float), rel=1e-12)
        found = columns.columns_of(x, weights, "minmax", True, 2)
        assert found.center / scale == pytest.approx(rows.min(axis=0).astype(float), rel=1e-13)
        assert found.factor * scale == pytest.approx(1 / np.ptp(rows, axis=0).astype(float), rel=1e-12)
    assert columns.columns_of(x, None, "maxabs", True, 2).factor * scale == pytest.approx(1 / np.abs(z).max(axis=0))


@pytest.mark.parametrize("value", [0.0, 3.3, 1e8 + 0.1, 1e-200, 1e300])
def test_a_constant_column_has_no_factor(value):
    for scale_to in ("zscore", "minmax"):
        found = columns.columns_of(np.full((1000, 1), value), None, scale_to, True, 1)
        assert found.factor[0] == 0
        assert found.center[0] == pytest.approx(value, rel=1e-14)
