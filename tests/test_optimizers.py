# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Gradient optimizers: torch's sequences, a slow twin, arrays of any form."""

import copy
import pickle

import numpy as np
import pytest

import fastlsq as fl
from fastlsq._core import lib

# (class, settings): every loop of the core
RULES = [
    ("SGD", {"lr": 0.01}),
    ("SGD", {"lr": 0.01, "momentum": 0.9}),
    ("SGD", {"lr": 0.01, "momentum": 0.9, "dampening": 0.5, "weight_decay": 0.1}),
    ("SGD", {"lr": 0.01, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.01, "momentum": 0.9, "nesterov": True, "weight_decay": 0.1, "maximize": True}),
    ("RMSprop", {"lr": 0.01}),
    ("RMSprop", {"lr": 0.01, "alpha": 0.9, "weight_decay": 0.1}),
    ("RMSprop", {"lr": 0.001, "momentum": 0.9}),
    ("RMSprop", {"lr": 0.001, "centered": True, "eps": 1e-3}),
    ("RMSprop", {"lr": 0.001, "centered": True, "momentum": 0.5, "eps": 1e-3, "weight_decay": 0.01}),
    ("Adagrad", {"lr": 0.1}),
    ("Adagrad", {"lr": 0.1, "lr_decay": 0.01, "initial_accumulator_value": 0.5, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.01}),
    ("Adam", {"lr": 0.01, "betas": (0.8, 0.95), "eps": 1e-6, "weight_decay": 0.1}),
    ("Adam", {"lr": 0.01, "amsgrad": True, "maximize": True}),
    ("AdamW", {"lr": 0.01}),
    ("AdamW", {"lr": 0.01, "weight_decay": 0.3, "amsgrad": True}),
]
IDS = [f"{name}-{number}" for number, (name, _) in enumerate(RULES)]
rules = pytest.mark.parametrize(("name", "settings"), RULES, ids=IDS)


def twin_step(name, s, t, p, g, state):
    """One step by the formulas of the docstrings, in the dtype of p; returns the new p and changes `state`."""
    g = -g if s.get("maximize") else g
    lr, decay = s["lr"], s.get("weight_decay", 0.01 if name == "AdamW" else 0.0)
    if name == "AdamW":
        p = p * (1 - lr * decay)
    else:
        g = g + decay * p
    if name == "SGD":
        mu = s.get("momentum", 0.0)
        if mu == 0:
            return p - lr * g
        state["m"] = g if t == 1 else mu * state["m"] + (1 - s.get("dampening", 0.0)) * g
        return p - lr * (g + mu * state["m"] if s.get("nesterov") else state["m"])
    if name == "Adagrad":
        state["v"] = state.get("v", s.get("initial_accumulator_value", 0.0)) + g * g
        return p - lr / (1 + (t - 1) * s.get("lr_decay", 0.0)) * g / (np.sqrt(state["v"]) + s.get("eps", 1e-10))
    if name == "RMSprop":
        a, mu = s.get("alpha", 0.99), s.get("momentum", 0.0)
        state["v"] = v = a * state.get("v", 0.0) + (1 - a) * g * g
        if s.get("centered"):
            state["c"] = a * state.get("c", 0.0) + (1 - a) * g
            v = v - state["c"] ** 2
        direction = g / (np.sqrt(v) + s.get("eps", 1e-8))
        if mu == 0:
            return p - lr * direction
        state["b"] = mu * state.get("b", 0.0) + direction
        return p - lr * state["b"]
    b1, b2 = s.get("betas", (0.9, 0.999))
    state["m"] = b1 * state.get("m", 0.0) + (1 - b1) * g
    state["v"] = v = b2 * state.get("v", 0.0) + (1 - b2) * g * g
    if s.get("amsgrad"):
        state["x"] = v = np.maximum(state.get("x", 0.0), v)
    return p - lr / (1 - b1**t) * state["m"] / (np.sqrt(v / (1 - b2**t)) + s.get("eps", 1e-8))


def gradients(rng, n, steps):
    return rng.standard_normal((steps, n)) * np.exp(rng.standard_normal(n))


@rules
def test_the_sequence_is_that_of_torch(name, settings):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(1)
    start, given = rng.standard_normal(37), gradients(rng, 37, 1000)
    ours, theirs = start.copy(), torch.tensor(start, requires_grad=True)
    optimizer, peer = getattr(fl.optim, name)(**settings), getattr(torch.optim, name)([theirs], **settings)
    for g in given:
        optimizer.step([ours], [g])
        theirs.grad = torch.from_numpy(g)
        peer.step()
        assert np.abs(ours - theirs.detach().numpy()).max() <= 1e-12 * max(1.0, np.abs(ours).max())


@rules
def test_the_sequence_is_that_of_the_formulas(name, settings, kernel):
    rng = np.random.default_rng(2)
    n = 23
    p, given = rng.standard_normal(n), gradients(rng, n, 200)
    exact, state = p.astype(np.longdouble), {}
    s = {k: tuple(map(np.longdouble, v)) if k == "betas" else v if isinstance(v, bool) else np.longdouble(v)
         for k, v in settings.items()}
    optimizer = getattr(fl.optim, name)(**settings)
    for t, g in enumerate(given, 1):
        optimizer.step(p, g)
        exact = twin_step(name, s, t, exact, g.astype(np.longdouble), state)
        assert np.abs(p - exact).max() <= 1e-12


@rules
def test_single_precision(name, settings):
    rng = np.random.default_rng(3)
    start, given = rng.standard_normal(41).astype(np.float32), gradients(rng, 41, 100).astype(np.float32)
    single, double = start.copy(), start.astype(np.float64)
    first, second = getattr(fl.optim, name)(**settings), getattr(fl.optim, name)(**settings)
    for g in given:
        first.step([single], [g])
        second.step([double], [g.astype(np.float64)])
    assert single.dtype == np.float32
    assert np.abs(single - double).max() <= 3e-5 * max(1.0, np.abs(double).max())
    assert np.abs(single - start).max() > 1e-3


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("n", [0, 1, 2, 7, 8, 9, 15, 16, 17, 31, 33, 32767, 32768, 32769, 100_003])
def test_bits_do_not_depend_on_threads_or_place(n, dtype):
    rng = np.random.default_rng(n)
    start, g = rng.standard_normal(n).astype(dtype), rng.standard_normal(n).astype(dtype)
    answers = []
    for n_threads in (1, 2, 3, 8):
        p, optimizer = start.copy(), fl.optim.AdamW(lr=0.1, clip_norm=1.0)
        for _ in range(3):
            optimizer.step([p], [g], n_threads=n_threads)
        answers.append(p.tobytes())
    # the same in one list with another array before it, from memory that is not aligned
    room = np.zeros(n * dtype().itemsize + 1, np.uint8)[1:].view(dtype)
    room[:] = start
    assert len(set(answers)) == 1
    p = start.copy()
    plain, shifted = fl.optim.AdamW(lr=0.1), fl.optim.AdamW(lr=0.1)
    other = np.ones(5, dtype)
    for _ in range(3):
        plain.step([p], [g], n_threads=1)
        shifted.step([other, room], [np.ones(5, dtype), g], n_threads=2)
    assert p.tobytes() == room.tobytes()


def test_sequences_of_kernels_agree(kernel, monkeypatch):
    monkeypatch.setenv("FASTLSQ_KERNEL", kernel)
    p = np.arange(5.0)
    fl.optim.Adam(lr=0.5).step([p], [np.array([1.0, -2.0, 3.0, 0.0, -1e-3])])
    assert np.abs(p - [-0.5, 1.5, 1.5, 3.0, 4.5]).max() < 1e-5


def test_an_array_of_any_shape_and_order():
    rng = np.random.default_rng(4)
    w = rng.standard_normal((6, 5, 3))
    g = rng.standard_normal((6, 5, 3))
    expected = w - 0.5 * g
    for order in "CF":
        for gradient in (g, np.asfortranarray(g), np.repeat(g, 2, axis=1)[:, ::2]):
            p = np.array(w, order=order)
            gradient.flags.writeable = False
            fl.optim.SGD(lr=0.5).step([p], [gradient])
            assert np.abs(p - expected).max() < 1e-15
    scalar = np.array(2.0)
    fl.optim.SGD(lr=0.5).step([scalar], [np.array(1.0)])
    assert scalar == 1.5


def test_several_arrays_of_two_dtypes():
    p = [np.ones((3, 2)), np.ones(4, np.float32), np.ones(0), np.ones(1)]
    fl.optim.SGD(lr=1.0).step(p, [np.full_like(a, 0.25) for a in p])
    assert all((a == 0.75).all() for a in p)


def test_a_parameter_without_gradient_stays():
    p, q = np.ones(3), np.ones(3)
    optimizer = fl.optim.Adam(lr=0.1)
    optimizer.step([p, q], [np.ones(3), None])
    assert (q == 1).all()
    assert (p < 1).all()
    optimizer.step([p, q], [None, np.ones(3)])  # the first step of q
    assert q.tobytes() == p.tobytes()


def test_gradients_are_not_changed():
    g = np.arange(40.0)
    kept = g.copy()
    fl.optim.Adam(clip_value=1.0, clip_norm=1.0).step([np.ones(40)], [g])
    assert (g == kept).all()


def test_clipping_by_value():
    p = np.zeros(4)
    fl.optim.SGD(lr=1.0, clip_value=2.0).step([p], [np.array([3.0, -3.0, 1.0, np.nan])])
    assert p[:3].tolist() == [-2.0, 2.0, -1.0]
    assert np.isnan(p[3])


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_clipping_by_norm_is_that_of_torch(scale):
    torch = pytest.importorskip("torch")
    rng = np.random.default_rng(5)
    shapes = [(7, 3), (40,), (1,)]
    ours = [rng.standard_normal(shape) for shape in shapes]
    theirs = [torch.tensor(a, requires_grad=True) for a in ours]
    optimizer, peer = fl.optim.Adam(lr=0.1, clip_norm=1.0), torch.optim.Adam(theirs, lr=0.1)
    for _ in range(50):
        grads = [scale * rng.standard_normal(shape) for shape in shapes]
        optimizer.step(ours, grads)
        for tensor, g in zip(theirs, grads, strict=True):
            tensor.grad = torch.tensor(g)
        torch.nn.utils.clip_grad_norm_(theirs, 1.0)
        peer.step()
        for a, tensor in zip(ours, theirs, strict=True):
            assert np.abs(a - tensor.detach().numpy()).max() < 1e-12


def test_the_norm_of_huge_gradients():
    p = np.zeros(2)
    fl.optim.SGD(lr=1.0, clip_norm=5.0).step([p], [np.array([3e200, -4e200])])
    assert np.abs(p - [-3.0, 4.0]).max() < 1e-12


def test_the_norm_and_its_limit(kernel):
    rng = np.random.default_rng(6)
    for n in (1, 15, 16, 17, 32769):
        for dtype in (np.float64, np.float32):
            g = rng.standard_normal(n).astype(dtype)
            held = lib.Parameters([(1, g.copy(), g, [None] * lib.STATES)])
            expected = np.sqrt(np.sum(np.square(g.astype(np.longdouble))))
            assert abs(lib.gradient_norm(0.0, held, 2, kernel) - expected) <= 1e-14 * expected
            clipped = np.sqrt(np.sum(np.square(np.clip(g.astype(np.longdouble), -0.5, 0.5))))
            assert abs(lib.gradient_norm(0.5, held, 2, kernel) - clipped) <= 1e-14 * clipped


def test_nothing_changes_where_a_clipped_gradient_is_not_finite():
    p, q = np.ones(2), np.ones((2, 2))
    optimizer = fl.optim.Adam(clip_norm=1.0)
    with pytest.raises(ValueError, match=r"grads\[1\] must not contain infs or NaNs.*entry \(1, 0\) is nan"):
        optimizer.step([p, q], [np.ones(2), np.array([[1.0, 2.0], [np.nan, 0.0]])])
    assert (p == 1).all()
    assert optimizer.n_steps == 0


def test_a_momentum_does_not_stay_below_the_normal_numbers():
    for dtype, smallest in ((np.float64, 2.0**-1022), (np.float32, 2.0**-126)):
        p, optimizer = np.ones(20, dtype), fl.optim.Adam(betas=(0.5, 0.5))
        optimizer.step([p], [np.full(20, smallest * 16, dtype)])
        for _ in range(12):
            optimizer.step([p], [np.zeros(20, dtype)])
        mean = optimizer.state_dict()["state"][0]["mean"]
        assert (mean == 0).all()


def test_copy_pickle_and_state_dict_go_on_alike():
    rng = np.random.default_rng(7)
    for name, settings in RULES:
        p = np.asfortranarray(rng.standard_normal((5, 3)))
        optimizer = getattr(fl.optim, name)(**settings)
        for _ in range(3):
            optimizer.step([p], [rng.standard_normal((5, 3))])
        loaded = getattr(fl.optim, name)()
        loaded.load_state_dict(optimizer.state_dict())
        others = [loaded, copy.deepcopy(optimizer), pickle.loads(pickle.dumps(optimizer))]
        arrays = [p.copy("F") for _ in others]
        g = rng.standard_normal((5, 3))
        optimizer.step([p], [g])
        for other, array in zip(others, arrays, strict=True):
            other.step([array], [g])
            assert array.tobytes("K") == p.tobytes("K"), name
            assert other.n_steps == 4


@rules
def test_the_representation_makes_the_same(name, settings):
    optimizer = getattr(fl.optim, name)(clip_norm=2.0, **settings)
    again = eval(repr(optimizer), vars(fl.optim))
    assert again.state_dict() == optimizer.state_dict()


def test_a_state_dict_is_a_copy():
    p, optimizer = np.ones(3), fl.optim.SGD(lr=0.1, momentum=0.9)
    optimizer.step([p], [np.ones(3)])
    saved = optimizer.state_dict()
    optimizer.step([p], [np.ones(3)])
    assert saved["state"][0]["momentum"].tolist() == [1.0, 1.0, 1.0]
    assert saved["n_steps"] == 1


def test_the_learning_rate_may_change_and_be_a_schedule():
    p, optimizer = np.zeros(1), fl.optim.SGD(lr=1.0)
    optimizer.step([p], [np.ones(1)])
    optimizer.lr = 0.5
    optimizer.step([p], [np.ones(1)])
    assert p[0] == -1.5
    optimizer.lr = lambda step: 2.0**-step
    optimizer.step([p], [np.ones(1)])
    optimizer.step([p], [np.ones(1)])
    assert p[0] == -1.5 - 0.25 - 0.125
    assert optimizer.learning_rate == 0.0625


def frozen(shape):
    array = np.ones(shape)
    array.flags.writeable = False
    return array


@pytest.mark.parametrize(("params", "grads", "error", "message"), [
    ([frozen(3)], [np.ones(3)], ValueError, r"params\[0\] is read-only"),
    ([np.ones((4, 4))[:, ::2]], [np.ones((4, 2))], ValueError, r"params\[0\] is not contiguous"),
    ([np.ones(3, np.int64)], [np.ones(3)], TypeError, r"params\[0\] must be float64 or float32, got dtype int64"),
    ([np.ones(3, ">f8")], [np.ones(3)], TypeError, r"params\[0\] must be float64 or float32"),
    ([[1.0, 2.0]], [np.ones(2)], TypeError, r"params\[0\] must be a numpy.ndarray, got list"),
    ([np.ones(3)], [[1.0, 2.0, 3.0]], TypeError, r"grads\[0\] must be a numpy.ndarray, got list"),
    ([np.ones(3)], [np.ones(3, np.float32)], TypeError, r"grads\[0\] has dtype float32, params\[0\] has float64"),
    ([np.ones((3, 1))], [np.ones(3)], ValueError, r"grads\[0\] has shape \(3,\), params\[0\] has shape \(3, 1\)"),
    ([np.ones(3)], [], ValueError, "params has 1 arrays, grads has 0"),
    ([np.ones(3)], np.ones(3), TypeError, "grads is one array"),
])
def test_bad_arrays(params, grads, error, message):
    with pytest.raises(error, match=message):
        fl.optim.Adam().step(params, grads)


def test_arrays_that_share_memory():
    a = np.ones(10)
    with pytest.raises(ValueError, match=r"params\[0\] and params\[1\] share memory"):
        fl.optim.SGD().step([a[:6], a[5:]], [np.ones(6), np.ones(5)])
    fl.optim.SGD().step([a[5:], a[:5]], [np.ones(5), np.ones(5)])


def test_state_of_other_parameters():
    optimizer = fl.optim.Adam()
    optimizer.step([np.ones((3, 2))], [np.ones((3, 2))])
    for other in (np.ones((2, 3)), np.ones((3, 2), np.float32), np.ones((3, 2), order="F")):
        with pytest.raises(ValueError, match=r"params\[0\] has shape .*call reset\(\) first"):
            optimizer.step([other], [np.ones_like(other)])
    with pytest.raises(ValueError, match="params has 2 arrays, the state is that of 1"):
        optimizer.step([np.ones(1)] * 2, [np.ones(1)] * 2)
    optimizer.reset()
    optimizer.step([np.ones(5)], [np.ones(5)])
    with pytest.raises(ValueError, match="state_dict is that of Adam, not of SGD"):
        fl.optim.SGD().load_state_dict(optimizer.state_dict())


@pytest.mark.parametrize(("make", "error", "message"), [
    (lambda: fl.optim.SGD(lr=-1.0), ValueError, "lr must be >= 0"),
    (lambda: fl.optim.SGD(lr="0.1"), TypeError, "lr must be a number"),
    (lambda: fl.optim.SGD(lr=np.nan), ValueError, "lr must be finite"),
    (lambda: fl.optim.SGD(nesterov=True), ValueError, "nesterov needs a momentum"),
    (lambda: fl.optim.SGD(momentum=0.9, dampening=0.1, nesterov=True), ValueError, "nesterov needs a momentum"),
    (lambda: fl.optim.Adam(betas=(0.9, 1.0)), ValueError, r"betas\[1\] must be in \[0, 1\)"),
    (lambda: fl.optim.Adam(betas=0.9), ValueError, "betas must be a pair"),
    (lambda: fl.optim.RMSprop(alpha=1.0), ValueError, "alpha must be in"),
    (lambda: fl.optim.Adagrad(eps=-1.0), ValueError, "eps must be >= 0"),
    (lambda: fl.optim.AdamW(weight_decay=-0.1), ValueError, "weight_decay must be >= 0"),
    (lambda: fl.optim.Adam(clip_norm=0.0), ValueError, "clip_norm must be > 0"),
    (lambda: fl.optim.Adam(clip_value=-1.0), ValueError, "clip_value must be > 0"),
])
def test_bad_settings(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_schedule_that_returns_no_rate():
    with pytest.raises(ValueError, match=r"lr\(step\) must be >= 0"):
        fl.optim.SGD(lr=lambda step: -1.0).step([np.ones(1)], [np.ones(1)])
