# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""`fl.sgd`: the optima of oracles, batches of one row, scaling, streams, stopping, divergence, bad input."""

import pickle
import signal
import subprocess
import sys
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import optimize

import fastlsq as fl

LOSSES = ["squared", "huber", "quantile", "epsilon_insensitive", "logistic", "softmax", "hinge", "poisson"]


def losses(name, eta, y):
    """l(y, eta) of rows; labels 0 and 1, or the number of the class."""
    if name == "softmax":
        top = eta.max(axis=1)
        return np.log(np.exp(eta - top[:, None]).sum(axis=1)) + top - eta[np.arange(len(y)), y]
    e = eta - y
    return {
        "squared": lambda: e * e / 2,
        "huber": lambda: np.where(np.abs(e) <= 1.35, e * e / 2, 1.35 * (np.abs(e) - 1.35 / 2)),
        "quantile": lambda: np.maximum(-0.5 * e, 0.5 * e),
        "epsilon_insensitive": lambda: np.maximum(np.abs(e) - 0.1, 0),
        "logistic": lambda: np.logaddexp(0, eta) - y * eta,
        "hinge": lambda: np.maximum(1 - (2 * y - 1) * eta, 0),
        "poisson": lambda: np.exp(eta) - y * eta,
    }[name]()


def data(loss, n=600, p=4, seed=0):
    """Rows in several units and targets that a model fits in part."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((n, p))
    eta = z @ np.linspace(1, -0.5, p) + 0.4
    x = z * np.logspace(0, 3, p) + np.linspace(0, 100, p)
    if loss in ("logistic", "hinge"):
        return x, (eta + 2 * rng.standard_normal(n) > 0).astype(int)
    if loss == "softmax":
        return x, np.argmax(np.column_stack([eta, -z[:, 0], z[:, 1]]) + rng.gumbel(size=(n, 3)), axis=1)
    if loss == "poisson":
        return x, rng.poisson(np.exp(0.5 * eta))
    return x, 7 * (eta + rng.standard_t(3, n))


def mean_loss(loss, fit, x, y, weights=None):
    return float(np.average(losses(loss, fit.decision_function(x), y), weights=weights))


def least_loss(loss, x, y):
    """The minimum over intercept and slopes, by linear programs or methods of second order."""
    n = len(y)
    z = np.column_stack([(x - x.mean(axis=0)) / x.std(axis=0), np.ones(n)])
    if loss in ("quantile", "epsilon_insensitive", "hinge"):
        m = z.shape[1]
        eye, free = np.eye(n), [(None, None)] * m
        if loss == "quantile":  # e = u - v
            cost = np.concatenate([np.zeros(m), np.full(2 * n, 0.5 / n)])
            found = optimize.linprog(cost, A_eq=np.hstack([z, -eye, eye]), b_eq=y, bounds=free + [(0, None)] * (2 * n))
        elif loss == "hinge":
            sign = 2 * y[:, None] - 1
            found = optimize.linprog(np.concatenate([np.zeros(m), np.full(n, 1 / n)]),
                                     A_ub=np.hstack([-sign * z, -eye]), b_ub=-np.ones(n), bounds=free + [(0, None)] * n)
        else:
            found = optimize.linprog(np.concatenate([np.zeros(m), np.full(n, 1 / n)]),
                                     A_ub=np.vstack([np.hstack([z, -eye]), np.hstack([-z, -eye])]),
                                     b_ub=np.concatenate([0.1 + y, 0.1 - y]), bounds=free + [(0, None)] * n)
        assert found.status == 0
        return found.fun
    k = 3 if loss == "softmax" else 1

    def objective(b):
        eta = z @ b.reshape(k, -1).T
        return losses(loss, eta if k > 1 else eta[:, 0], y).mean()

    return optimize.minimize(objective, np.zeros(k * z.shape[1]), tol=1e-10).fun


def quiet(*arguments, **settings):
    """A fit whose divergence is expected."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        return fl.sgd(*arguments, **settings)


# ---- optima ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
def test_untuned_it_comes_near_the_minimum(loss):
    x, y = data(loss)
    least = least_loss(loss, x, y)
    for settings in ({}, {"batch_size": 32}, {"optimizer": "sgd"}, {"optimizer": "nesterov", "shuffle": "full"},
                     {"optimizer": "rmsprop"}, {"scale_to": "minmax"}, {"optimizer": "adagrad", "epochs": 2000}):
        fit = fl.sgd(x, y, loss=loss, **settings)
        found = mean_loss(loss, fit, x, y)
        # the Poisson loss may be negative
        assert least - 1e-6 * abs(least) <= found <= least + 0.02 * abs(least), settings
        assert fit.status == "finished"
        assert fit.loss == loss


@pytest.mark.parametrize("loss", ["squared", "huber", "logistic", "softmax", "poisson"])
def test_batch_descent_reaches_the_minimum(loss):
    x, y = data(loss)
    fit = fl.sgd(x, y, loss=loss, batch_size=None, epochs=20_000)
    assert fit.status == "converged"
    assert fit.gradient_norm if hasattr(fit, "gradient_norm") else fit.history["gradient_norm"][-1] < 1e-9 * 10
    assert mean_loss(loss, fit, x, y) <= least_loss(loss, x, y) * (1 + 1e-7) + 1e-12


@pytest.mark.parametrize("weighted", [False, True])
def test_least_squares(weighted):
    x, y = data("squared")
    w = np.random.default_rng(1).integers(0, 4, len(y)).astype(float) if weighted else None
    fit = fl.sgd(x, y, batch_size=None, epochs=5000, weights=w)
    expected = fl.ols(x, y, weights=w)
    assert fit.intercept == pytest.approx(expected.params[0], rel=1e-8)
    assert fit.coef == pytest.approx(expected.params[1:], rel=1e-8)
    assert fit.converged


def test_ridge():
    x, y = data("squared")
    w = np.random.default_rng(1).uniform(0.5, 2, len(y))
    for penalty in (0.1, 10.0):
        # of the columns as they are scaled, and of the mean loss; the intercept is free
        mean = np.average(x, axis=0, weights=w)
        z = (x - mean) / np.sqrt(np.average((x - mean) ** 2, axis=0, weights=w))
        slopes = np.linalg.solve((z.T * w) @ z / w.sum() + penalty * np.eye(4),
                                 (z.T * w) @ (y - np.average(y, weights=w)) / w.sum())
        fit = fl.sgd(x, y, l2=penalty, batch_size=None, epochs=5000, weights=w)
        assert fit.decision_function(x) == pytest.approx(z @ slopes + np.average(y, weights=w), rel=1e-8, abs=1e-8)


def test_two_targets_are_two_problems():
    x, y = data("squared")
    both = np.column_stack([y, y[::-1]])
    fit = fl.sgd(x, both, batch_size=None, epochs=5000)
    expected = fl.ols(x, both)
    assert fit.coef.shape == (2, 4)
    assert fit.intercept == pytest.approx(expected.params[0], rel=1e-8)
    assert fit.coef == pytest.approx(expected.params[1:].T, rel=1e-8, abs=1e-9)
    assert fit.predict(x).shape == both.shape
    column = fl.sgd(x, both[:, :1])
    assert column.coef.shape == (4,)
    assert column.coef.tobytes() == fl.sgd(x, both[:, 0]).coef.tobytes()


@pytest.mark.parametrize(("loss", "family"), [("logistic", "binomial"), ("poisson", "poisson")])
@pytest.mark.parametrize("penalty", [0.0, 0.05])
def test_generalized_linear_models(loss, family, penalty):
    x, y = data(loss)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    w = np.random.default_rng(2).uniform(0.5, 2, len(y))
    expected = fl.glm(x, y, family=family, alpha=penalty, weights=w)
    fit = fl.sgd(x, y, loss=loss, l2=penalty, batch_size=None, epochs=20_000, weights=w, standardize=False)
    assert fit.coef == pytest.approx(expected.coef, abs=1e-7)
    assert fit.intercept == pytest.approx(expected.intercept, abs=1e-7)
    if loss == "logistic":
        assert fit.predict_proba(x)[:, 1] == pytest.approx(expected.predict(x), abs=1e-7)
        assert fit.predict_proba(x).sum(axis=1) == pytest.approx(1.0)
    else:
        assert fit.predict(x) == pytest.approx(np.exp(fit.decision_function(x)))


def test_softmax_is_multinomial():
    x, y = data("softmax")
    expected = fl.glm(x, y, family="multinomial")
    fit = fl.sgd(x, y, loss="softmax", batch_size=None, epochs=20_000)
    assert fit.coef.shape == (3, 4)
    assert fit.predict_proba(x) == pytest.approx(expected.predict(x), abs=1e-7)
    assert (fit.predict(x) == expected.predict(x, kind="class")).all()


@pytest.mark.parametrize("optimizer", ["auto", "sgd", "momentum", "nesterov", "adam", "rmsprop", "adagrad"])
def test_elastic_net(optimizer):
    rng = np.random.default_rng(3)
    x = rng.standard_normal((400, 6))
    y = x @ [2.0, 0.0, -1.0, 0.05, 0.0, 0.5] + 3 + 0.3 * rng.standard_normal(400)
    for l1, l2 in ((0.2, 0.0), (0.1, 0.3), (10.0, 0.0)):
        expected = fl.elastic_net(x, y, alpha=l1 + l2, l1_ratio=l1 / (l1 + l2))
        fit = fl.sgd(x, y, l1=l1, l2=l2, batch_size=None, epochs=10_000, optimizer=optimizer, standardize=False)
        assert fit.converged
        assert fit.coef == pytest.approx(expected.coef, abs=1e-7)
        assert ((fit.coef == 0) == (expected.coef == 0)).all()
        assert fit.intercept == pytest.approx(expected.intercept, abs=1e-7)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_saga_reaches_the_minimum_at_a_constant_rate(weighted, dtype):
    x, y = data("squared")
    z = ((x - x.mean(axis=0)) / x.std(axis=0)).astype(dtype)
    weights = np.random.default_rng(2).integers(0, 4, 600).astype(float) if weighted else np.ones(600)
    l1, l2 = 0.3, 0.2
    for loss, target, kind in (("squared", y, 0), ("huber", y, 1), ("logistic", y > 1, 2)):
        fit = fl.sgd(z, target, loss=loss, optimizer="saga", weights=weights if weighted else None, l1=l1 / 100,
                     l2=l2 / 100, epochs=400, standardize=False)
        eta = fit.decision_function(z)
        slope = [target - eta, np.clip(target - eta, -1.35, 1.35), target - 1 / (1 + np.exp(-eta))][kind]
        downhill = z.astype(float).T @ (weights * slope) / weights.sum() - l2 / 100 * fit.coef
        assert (fit.coef != 0).any()
        assert abs(weights @ slope) <= 1e-7 * weights.sum()
        assert downhill[fit.coef != 0] == pytest.approx(l1 / 100 * np.sign(fit.coef[fit.coef != 0]), abs=1e-7)
        assert (np.abs(downhill) <= l1 / 100 + 1e-7).all()


def test_l1_decays_with_the_rate_of_adagrad():
    x, y = data("squared")
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    l1 = 0.5
    fit = fl.sgd(z, y, l1=l1, batch_size=None, epochs=3000, optimizer=fl.optim.Adagrad(lr=1.0, lr_decay=0.01),
                 standardize=False)
    slopes = z.T @ (y - fit.predict(z)) / len(y)
    moved = fit.coef != 0
    assert moved.any()
    assert slopes[moved] == pytest.approx(l1 * np.sign(fit.coef[moved]), abs=1e-3)
    assert (np.abs(slopes) <= l1 + 1e-3).all()


def test_parameters_of_losses():
    x, y = data("squared", n=4000)
    for q in (0.1, 0.9):
        fit = fl.sgd(x, y, loss="quantile", quantile=q)
        assert np.mean(y < fit.predict(x)) == pytest.approx(q, abs=0.01)
    # from all errors being far apart to none
    lad, ls = fl.sgd(x, y, loss="quantile"), fl.sgd(x, y)
    small, large = (fl.sgd(x, y, loss="huber", delta=delta) for delta in (0.05, 1e3))
    assert np.abs(small.predict(x) - lad.predict(x)).mean() < 0.2 * np.abs(lad.predict(x) - ls.predict(x)).mean() + 0.05
    assert large.predict(x) == pytest.approx(ls.predict(x), abs=1e-6)
    wide = fl.sgd(x, y, loss="epsilon_insensitive", epsilon=1e4)
    assert (wide.coef == 0).all()


def test_one_label_against_all_others():
    x, y = data("softmax", n=3000)
    fit = fl.sgd(x, y, loss="hinge")
    assert fit.coef.shape == (3, 4)
    for c in range(3):
        one = fl.sgd(x, y == c, loss="hinge")
        alone = mean_loss("hinge", one, x, (y == c).astype(int))
        together = losses("hinge", fit.decision_function(x)[:, c], (y == c).astype(int)).mean()
        assert together == pytest.approx(alone, rel=0.01)
    with pytest.raises(AttributeError, match="loss='hinge' has no probabilities"):
        fit.predict_proba(x)


# ---- rows one at a time ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["sgd", "momentum", "nesterov", "rmsprop", "adagrad", "adam", "adamw",
                                       fl.optim.Adam(amsgrad=True, clip_norm=0.5)], ids=str)
@pytest.mark.parametrize("loss", ["squared", "logistic", "softmax", "hinge"])
def test_batches_of_one_row_are_a_loop_of_partial_fit(optimizer, loss):
    x, y = data(loss, n=150)
    x = ((x - x.mean(axis=0)) / x.std(axis=0)).astype(np.float32)
    settings = {"loss": loss, "optimizer": optimizer, "batch_size": 1, "epochs": 1, "shuffle": False, "lr": 0.05,
                "standardize": False, "l2": 0.01, "l1": 0.001, "average": True, "schedule": "invscaling",
                "weights": np.full(150, 3.0), "classes": None if loss == "squared" else np.unique(y)}
    if loss == "softmax":
        settings["average"] = False
    whole = fl.sgd(x, y, **settings)
    weights = settings.pop("weights")
    rows = fl.sgd(x[:1], y[:1], weights=weights[:1], **settings)
    for i in range(1, 150):
        assert rows.partial_fit(x[i:i + 1], y[i:i + 1], weights[i:i + 1]) is rows
    pieces = fl.sgd(x[:1], y[:1], weights=weights[:1], **settings)
    for begin, end in ((1, 9), (9, 10), (10, 150)):
        pieces.partial_fit(x[begin:end], y[begin:end], weights[begin:end])
    for other in (rows, pieces):
        assert other.coef.tobytes() == whole.coef.tobytes()
        assert np.asarray(other.intercept).tobytes() == np.asarray(whole.intercept).tobytes()
        assert other.n_steps == whole.n_steps == 150


def test_partial_fit_goes_on_with_the_schedule():
    x, y = data("squared", n=300)
    fit = fl.sgd(x, y, lr=0.1, schedule="invscaling", batch_size=50, epochs=2)
    fit.partial_fit(x[:100], y[:100])
    assert fit.n_steps == 14
    assert fit.history["learning_rate"][-1] == 0.1 / 12**0.25
    seen = []
    again = fl.sgd(x, y, lr=lambda step: seen.append(step) or 0.01, batch_size=50, epochs=2)
    again.partial_fit(x[:100], y[:100])
    assert set(seen) == set(range(14))


def test_partial_fit_after_saga_makes_plain_steps():
    x, y = data("squared", n=300)
    fit = fl.sgd(x, y, optimizer="saga", lr=0.01, epochs=30)
    best = np.linalg.lstsq(np.column_stack([x, np.ones(300)]), y, rcond=None)[0]
    assert np.append(fit.coef, fit.intercept) == pytest.approx(best, rel=1e-3)
    for rows in (300, 7):  # as many as before, and not
        other = fl.sgd(x, y, optimizer="sgd", batch_size=1, lr=0.01, schedule="constant", epochs=1, warm_start=fit)
        other._training.b[:] = fit._training.b
        other.partial_fit(x[:rows] * 2, y[:rows])
        fit.partial_fit(x[:rows] * 2, y[:rows])
        assert fit.coef.tobytes() == other.coef.tobytes()


@pytest.mark.parametrize("loss", ["squared", "hinge"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_single_rows_that_are_no_numbers_are_seen_where_they_have_no_slope(loss, value):
    x, y = data(loss, n=300)
    fit = fl.sgd(x, y, loss=loss, batch_size=1, optimizer="sgd", epochs=2)
    before = fit.coef
    for weight in ([0.0], None):
        for row in (x[:1] * 0 + value, np.where(np.arange(4) == 3, value, x[:1])):
            for label in y.min(), y.max():
                with pytest.raises(ValueError, match="X must not contain infs or NaNs; row 0"):
                    fit.partial_fit(row, [label], weight)
    assert (fit.coef == before).all()
    weights = np.where(np.arange(300) == 299, 0.0, 1.0)
    x[299, 1] = value
    with pytest.raises(ValueError, match="X must not contain infs or NaNs; row 299, column 1"):
        fl.sgd(x, y, loss=loss, weights=weights, batch_size=1, optimizer="sgd", epochs=1, shuffle=False, lr=1e-3,
               standardize=False)


def test_partial_fit_that_fails_changes_nothing():
    x, y = data("squared", n=300)
    bad = x.copy()
    bad[17, 2] = np.nan
    huge = x * 1e6
    for settings in ({}, {"scale_invariant": True}):
        fit = fl.sgd(x, y, batch_size=10, **settings)
        before, steps = fit.coef, fit.n_steps
        with pytest.raises(ValueError, match="X must not contain infs or NaNs; row 17, column 2 is nan"):
            fit.partial_fit(bad, y)
        with pytest.raises(ValueError, match="y must not contain infs or NaNs; row 3, column 0 is inf"):
            fit.partial_fit(x, np.where(np.arange(300) == 3, np.inf, y))
        with pytest.raises(ValueError, match="partial_fit: the loss has grown"):
            fit.partial_fit(np.where(np.arange(300)[:, None] > 200, huge * 1e150, huge), y * 1e300)
        with pytest.raises(ValueError, match="X has 3 columns, the model was trained with 4"):
            fit.partial_fit(x[:, :3], y)
        with pytest.raises(ValueError, match="y has 2 columns, expected 1"):
            fit.partial_fit(x, np.column_stack([y, y]))
        assert fit.coef == pytest.approx(before, rel=1e-14)
        assert fit.n_steps == steps
        assert fit.partial_fit(x[:0], y[:0]).n_steps == steps
    labels = fl.sgd(x, y > 0, loss="logistic")
    with pytest.raises(ValueError, match="y has the label 2, the classes are"):
        labels.partial_fit(x, np.full(300, 2))


# ---- the same bits ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
def test_the_same_bits_for_any_number_of_threads(loss):
    x, y = data(loss, n=3000, p=30)
    for settings in ({"batch_size": 1000, "epochs": 3}, {"batch_size": None, "epochs": 3},
                     {"batch_size": 64, "epochs": 1, "shuffle": "full"}):
        fits = [fl.sgd(x, y, loss=loss, seed=5, n_threads=n_threads, **settings) for n_threads in (1, 2, 3, 8)]
        assert len({fit.coef.tobytes() + str(fit.history["loss"]).encode() for fit in fits}) == 1


def test_a_seed_is_an_order():
    x, y = data("squared", n=3000)
    fit = fl.sgd(x, y, epochs=2)
    assert fit.seed == 0
    assert fit.coef.tobytes() == fl.sgd(x, y, epochs=2, seed=0).coef.tobytes()
    assert fit.coef.tobytes() != fl.sgd(x, y, epochs=2, seed=1).coef.tobytes()
    drawn = fl.sgd(x, y, epochs=2, seed=None)
    assert drawn.coef.tobytes() == fl.sgd(x, y, epochs=2, seed=drawn.seed).coef.tobytes()
    orders = {fl.sgd(x, y, epochs=2, shuffle=shuffle).coef.tobytes() for shuffle in ("block", "full", False)}
    assert len(orders) == 2  # rows that are few are shuffled one by one in any case
    for shuffle, count in (("block", 4), (False, 1)):  # the gradient of the last batch is another one in each epoch
        still = fl.sgd(x, y, lr=0.0, epochs=4, batch_size=100, shuffle=shuffle)
        assert len(set(still.history["gradient_norm"])) == count
    full = fl.sgd(x, y, epochs=2, shuffle="full").coef.tobytes()
    assert fl.sgd(x, y, epochs=2, shuffle=True).coef.tobytes() == full
    assert fl.sgd(x, y, epochs=2, shuffle=np.True_).coef.tobytes() == full


def test_layouts_and_dtypes():
    x, y = data("squared", n=500)
    x = x.astype(np.float32)
    wide = np.zeros((1000, 9), np.float32)
    wide[::2, ::2][:, :4] = x
    frozen = x.copy()
    frozen.flags.writeable = False
    expected = fl.sgd(x, y, epochs=2).coef.tobytes()
    for other in (np.asfortranarray(x), wide[::2, ::2][:, :4], frozen, x.astype(np.float64), x[::-1].copy()[::-1],
                  x.astype(">f4"), x.tolist()):
        assert fl.sgd(other, y, epochs=2).coef.tobytes() == expected
    ints = np.random.default_rng(0).integers(0, 2, (500, 3))
    answers = {fl.sgd(ints.astype(dtype), y, epochs=2).coef.tobytes() for dtype in (bool, "i1", "u8", "f2", "f8")}
    assert len(answers) == 1


def test_arguments_are_not_changed():
    x, y = data("squared", n=400)
    w = np.ones(400)
    kept = x.tobytes(), y.tobytes(), w.tobytes()
    for settings in ({}, {"validation": 0.3}, {"scale_invariant": True}, {"standardize": False}, {"weights": w}):
        quiet(x, y, epochs=1, **settings).partial_fit(x, y)
        assert (x.tobytes(), y.tobytes(), w.tobytes()) == kept


PEAK = """
import resource, sys
import numpy as np
import fastlsq as fl

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if sys.platform == "darwin" else 1)

n, p = 1_000_000, 8
x, y = np.ones((n, p), {dtype!r}, order={order!r}), np.empty(n)
for start in range(0, n, 1000):
    rows = np.arange(start, start + 1000)
    x[rows, 1:], y[rows] = rows[:, None] % np.arange(7, 6 + p), rows % 5
def fit(rows):
    fl.sgd(x[rows], y[rows], epochs=2{settings})
fit(slice(0, 100_000))  # threads and their buffers are there
before = peak()
fit(slice(None))
print(peak() - before)
"""


@pytest.mark.parametrize(("dtype", "order", "settings"), [
    ("f8", "C", ""), ("f4", "F", ", batch_size=None"), ("f4", "C", ", standardize=True, scale_to='minmax'"),
    ("f8", "F", ", scale_invariant=True, shuffle='full'")])
def test_rows_are_not_copied(dtype, order, settings, tmp_path):
    pytest.importorskip("resource")
    program = PEAK.format(dtype=dtype, order=order, settings=settings)
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 7000  # KiB, where a copy of the rows would be 30,000 or 60,000, and one of y 7,000


# ---- columns ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scaling", [{}, {"scale_to": "minmax"}, {"scale_invariant": True}])
@pytest.mark.parametrize("intercept", [True, False])
def test_units_do_not_matter(scaling, intercept):
    x, y = data("squared", n=500)
    units = 2.0 ** np.array([0, 40, -40, 7])
    for settings in ({"epochs": 3}, {"batch_size": None, "epochs": 50}):
        fit = fl.sgd(x, y, intercept=intercept, **settings, **scaling)
        other = fl.sgd(x * units, y, intercept=intercept, **settings, **scaling)
        assert other.coef * units == pytest.approx(fit.coef, rel=1e-10)
        assert other.intercept == pytest.approx(fit.intercept, rel=1e-9)


def test_without_an_intercept_there_is_none():
    x, y = data("squared")
    expected = fl.lstsq(x, y).x
    for scaling in ({}, {"scale_to": "minmax"}, {"scale_invariant": True}):
        fit = fl.sgd(x, y, intercept=False, batch_size=None, epochs=50_000, **scaling)
        assert fit.intercept == 0
        assert fit.coef == pytest.approx(expected, rel=1e-6)
        assert fit.predict(np.zeros((2, 4))).tolist() == [0, 0]


def test_scales_are_those_of_the_scaled_rows():
    x, y = data("squared", n=500)
    for scaling, z in (({}, (x - x.mean(axis=0)) / x.std(axis=0)),
                       ({"scale_to": "minmax"}, (x - x.min(axis=0)) / np.ptp(x, axis=0)),
                       ({"scale_invariant": True}, x / np.abs(x).max(axis=0))):
        inside = fl.sgd(x, y, l1=0.1, l2=0.3, lr=0.05, epochs=5, optimizer="sgd", **scaling)
        outside = fl.sgd(z, y, l1=0.1, l2=0.3, lr=0.05, epochs=5, optimizer="sgd", standardize=False)
        assert inside.predict(x) == pytest.approx(outside.predict(z), rel=1e-9, abs=1e-9)
        assert inside.history["loss"] == pytest.approx(outside.history["loss"], rel=1e-11)
        assert inside.history["gradient_norm"] == pytest.approx(outside.history["gradient_norm"], rel=1e-8)


def test_scales_grow_with_the_rows():
    x, y = data("squared", n=900)
    fit = fl.sgd(x[:300] * 1e-3, y[:300], scale_invariant=True, lr=1e-3, optimizer="sgd")
    before = fit.coef
    fit.partial_fit(x[300:], np.asarray(fit.predict(x[300:])))  # rows without any error
    assert fit.coef == pytest.approx(before, rel=1e-9)
    fit.partial_fit(x[300:], y[300:])
    assert np.isfinite(fit.coef).all()
    assert fit._training.columns.factor == pytest.approx(1 / np.abs(x[300:]).max(axis=0), rel=1e-15)


@pytest.mark.parametrize("scale", [1e-200, 1e-250, 1e150, 1e200])
def test_columns_of_extreme_units(scale):
    x, y = data("squared", n=300)
    fit = fl.sgd(x * scale, y, batch_size=None, epochs=3000)
    assert fit.predict(x * scale) == pytest.approx(fl.ols(x, y).predict(x), rel=1e-7)
    assert fit.coef * scale == pytest.approx(fl.ols(x, y).params[1:], rel=1e-7)


@pytest.mark.parametrize("optimizer", ["adam", "rmsprop", "adagrad", "sgd"])
def test_units_of_y_do_not_matter(optimizer):
    x, y = data("squared", n=300)
    fit = fl.sgd(x, y, optimizer=optimizer, epochs=30)
    for unit in (2.0**-40, 2.0**-300, 2.0**40, 2.0**300):
        other = fl.sgd(x, y * unit, optimizer=optimizer, epochs=30)
        assert other.coef / unit == pytest.approx(fit.coef, rel=1e-9)
    for unit in (1e-200, 1e160):
        with pytest.raises(ValueError, match=r"the largest of y is .*; scale it into 1e-100 to 1e"):
            fl.sgd(x, y * unit, optimizer=optimizer)


def test_a_constant_column_has_no_coefficient():
    x, y = data("squared", n=300)
    x[:, 1] = 3.3
    x[:, 2] = 0.0
    for scaling in ({}, {"scale_to": "minmax"}):
        fit = fl.sgd(x, y, batch_size=None, epochs=3000, **scaling)
        assert (fit.coef[1:3] == 0).all()
        assert fit.predict(x) == pytest.approx(fl.ols(x[:, [0, 3]], y).predict(x[:, [0, 3]]), rel=1e-7)


def test_large_offsets():
    x, y = data("squared", n=400)
    far = x + 1e9
    expected = fl.ols(far - 1e9, y)
    fit = fl.sgd(far, y, batch_size=None, epochs=3000)
    assert fit.coef == pytest.approx(expected.params[1:], rel=1e-6)


def test_no_columns():
    y = np.array([1.0, 2.0, 6.0])
    fit = fl.sgd(np.empty((3, 0)), y, batch_size=None, epochs=200)
    assert fit.intercept == pytest.approx(3.0)
    assert fit.coef.shape == (0,)
    assert fit.predict(np.empty((2, 0))) == pytest.approx([3.0, 3.0])


# ---- validation and stopping -----------------------------------------------------------------------------------------


def test_own_validation_rows():
    x, y = data("huber", n=500)
    w = np.random.default_rng(1).uniform(0, 2, 100)
    fit = fl.sgd(x[:400], y[:400], loss="huber", validation=(x[400:], y[400:], w), epochs=6, average=False)
    alone = fl.sgd(x[:400], y[:400], loss="huber", epochs=6, average=False)
    assert fit.coef.tobytes() == alone.coef.tobytes()
    assert len(fit.history["validation"]) == 6
    assert fit.history["validation"][-1] == pytest.approx(mean_loss("huber", fit, x[400:], y[400:], w), rel=1e-12)
    assert np.isnan(alone.history["validation"]).all()


def test_a_share_is_not_trained_on():
    x, y = data("squared", n=500)
    spoilt = y.copy()
    rows = np.sort(np.random.Generator(np.random.Philox(9)).permutation(500)[:100])
    spoilt[rows] = 1e6
    fit = fl.sgd(x, spoilt, validation=0.2, seed=9, batch_size=None, epochs=5000)
    kept = np.setdiff1d(np.arange(500), rows)
    assert fit.coef == pytest.approx(fl.ols(x[kept], y[kept]).params[1:], rel=1e-7)
    assert fit.history["validation"][-1] == pytest.approx(mean_loss("squared", fit, x[rows], spoilt[rows]), rel=1e-10)


def test_early_stopping_takes_the_best_epoch():
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((60, 40)), rng.standard_normal(60)
    x_new, y_new = rng.standard_normal((500, 40)), rng.standard_normal(500)
    y, y_new = y + x[:, 0], y_new + x_new[:, 0]
    for patience in (1, 4):
        fit = fl.sgd(x, y, batch_size=10, epochs=300, validation=(x_new, y_new), early_stopping=True,
                     patience=patience, average=False)
        seen = fit.history["validation"]
        assert fit.status == "stopped early"
        assert fit.best_epoch == int(np.argmin(seen))
        assert len(seen) == fit.n_epochs == fit.best_epoch + 1 + patience
        assert mean_loss("squared", fit, x_new, y_new) == pytest.approx(min(seen), rel=1e-12)
        assert mean_loss("squared", fit, x_new, y_new) < seen[-1]
    held = fl.sgd(x, y, batch_size=10, epochs=300, early_stopping=True)  # of a tenth of the rows
    assert held.status == "stopped early"
    assert held.best_epoch is not None


def test_tolerances():
    x, y = data("squared", n=500)
    fit = fl.sgd(x, y, lr=0.01, epochs=1000, tol=1e-3, patience=3, average=False)
    assert fit.converged
    assert fit.status == "converged"
    seen = fit.history["loss"]
    assert 4 < fit.n_epochs == len(seen) < 1000
    slow = [seen[i] >= (1 - 1e-3) * min(seen[:i]) for i in range(1, len(seen))]
    assert slow[-3:] == [True] * 3
    assert not any(slow[i:i + 3] == [True] * 3 for i in range(len(slow) - 3))
    full = fl.sgd(x, y, batch_size=None, epochs=5000, gradient_tol=1e-4)
    norms = full.history["gradient_norm"]
    assert full.converged
    assert norms[-1] <= 1e-4 * norms[0] < norms[-2]
    assert not fl.sgd(x, y, batch_size=None, epochs=5, gradient_tol=0.0).converged


def test_callbacks():
    x, y = data("squared", n=500)
    seen = []

    def watch(result):
        seen.append((result.n_epochs, result.coef.copy()))
        return result.n_epochs == 3

    fit = fl.sgd(x, y, epochs=10, callbacks=[watch, lambda result: None])
    assert fit.status == "stopped by a callback"
    assert [epochs for epochs, _ in seen] == [1, 2, 3]
    assert all(len(values) == 3 for values in fit.history.values())
    assert fit.coef.tobytes() == seen[-1][1].tobytes()
    assert fl.sgd(x, y, epochs=3, callbacks=[lambda result: result.coef, lambda result: 1]).n_epochs == 3
    assert fl.sgd(x, y, epochs=3, callbacks=[lambda result: np.True_]).n_epochs == 1
    with pytest.raises(ZeroDivisionError):
        fl.sgd(x, y, callbacks=[lambda result: 1 / 0])


SCHEDULES = {
    "constant": lambda lr, n: fl.schedules.Constant(lr), "invscaling": lambda lr, n: fl.schedules.InverseScaling(lr),
    "cosine": lambda lr, n: fl.schedules.Cosine(lr, steps=n, least=lr / 100),
    "optimal": lambda lr, n: fl.schedules.Optimal(0.01), "step": lambda lr, n: fl.schedules.Step(lr, every=n // 3),
    "exponential": lambda lr, n: fl.schedules.Exponential(lr, factor=0.01 ** (1 / n)),
    "onecycle": lambda lr, n: fl.schedules.OneCycle(lr, steps=n), "plateau": lambda lr, n: fl.schedules.Plateau(lr),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_schedules(name):
    x, y = data("squared", n=300)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    fit = quiet(x, y, schedule=name, lr=0.02, l2=0.01, batch_size=50, epochs=5)
    rate = SCHEDULES[name](0.02, 30)
    assert fit.history["learning_rate"] == [rate(6 * epoch + 5) for epoch in range(5)]
    given = quiet(x, y, schedule=SCHEDULES[name](0.02, 30), l2=0.01, batch_size=50, epochs=5)
    also = quiet(x, y, lr=SCHEDULES[name](0.02, 30), l2=0.01, batch_size=50, epochs=5)
    assert fit.coef.tobytes() == given.coef.tobytes() == also.coef.tobytes()


def test_the_automatic_schedule_ends_with_the_run():
    x, y = data("squared", n=300)
    fit = fl.sgd(x, y, batch_size=50, epochs=5)
    rate = fl.schedules.Cosine(fit.learning_rate, steps=30, least=fit.learning_rate / 100)
    assert fit.history["learning_rate"] == [rate(6 * epoch + 5) for epoch in range(5)]

    def chunks():
        return ((x[i:i + 60], y[i:i + 60]) for i in range(0, 300, 60))

    parts = fl.sgd(chunks, batch_size=50, epochs=3)
    rate = fl.schedules.Cosine(parts.learning_rate, steps=30, least=parts.learning_rate / 100)
    assert parts.history["learning_rate"] == [rate(10 * epoch + 9) for epoch in range(3)]


def test_a_plateau_is_told_the_loss():
    x, y = data("squared", n=300)
    plateau = fl.schedules.Plateau(0.5, factor=0.5, patience=1, tolerance=0.01)
    fit = fl.sgd(x, y, lr=plateau, optimizer="adam", epochs=30, validation=0.2)
    assert 0.99 * plateau.best <= min(fit.history["validation"]) <= plateau.best < np.inf
    assert plateau.current < 0.5
    assert fit.history["learning_rate"][-1] < fit.history["learning_rate"][0]


def test_averages():
    x, y = data("squared", n=320)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    seen = []
    settings = {"lr": 0.01, "batch_size": 32, "epochs": 1, "optimizer": "sgd", "shuffle": False, "standardize": False}
    for count in range(1, 11):
        seen.append(fl.sgd(x[:32 * count], y[:32 * count], **settings).coef)
    for average, expected in ((True, seen), (1.0, seen), (0.3, seen[7:]), (False, seen[-1:]), (0.0, seen[-1:])):
        fit = fl.sgd(x, y, average=average, **settings)
        assert fit.coef == pytest.approx(np.mean(expected, axis=0), rel=1e-11)


# ---- labels ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("labels", [
    np.array(["no", "yes"]), np.array([False, True]), np.array([-1, 1]), np.array([3.5, 7.0]),
    np.array(["a", "b"], object), np.array([7, 9], np.uint8)], ids=str)
def test_labels_of_any_kind(labels):
    x, y = data("logistic")
    plain, fit = fl.sgd(x, y, loss="logistic"), fl.sgd(x, labels[y], loss="logistic")
    assert fit.coef.tobytes() == plain.coef.tobytes()
    assert (fit.classes == np.sort(labels)).all()
    assert fit.predict(x).dtype == labels.dtype
    assert (fit.predict(x) == labels[plain.predict(x)]).all()
    assert fl.sgd(x, labels[y].tolist(), loss="logistic").coef.tobytes() == plain.coef.tobytes()
    assert fl.sgd(x, labels[y][:, None], loss="logistic").coef.tobytes() == plain.coef.tobytes()


def test_more_than_two_labels_make_softmax():
    x, y = data("softmax")
    fit = fl.sgd(x, y, loss="logistic")
    assert fit.loss == "softmax"
    assert fit.coef.tobytes() == fl.sgd(x, y, loss="softmax").coef.tobytes()


def test_classes_that_come_later():
    x, y = data("softmax")
    order = np.argsort(y, kind="stable")
    fit = fl.sgd([(x[order][i:i + 100], y[order][i:i + 100]) for i in range(0, 600, 100)], loss="softmax",
                 classes=[2, 0, 1], epochs=20)
    assert fit.classes.tolist() == [0, 1, 2]
    assert fl.metrics.accuracy(y, fit.predict(x)) > 0.5
    for classes, message in (([0, 1], "y has the label 2"), ([1], "classes must be at least two")):
        with pytest.raises(ValueError, match=message):
            fl.sgd(x, y, loss="softmax", classes=classes)
    with pytest.raises(ValueError, match="classes is for losses of labels, not for loss='squared'"):
        fl.sgd(x, y, classes=[0, 1, 2])


def test_class_weights_are_weights():
    x, y = data("softmax")
    names = np.array(["a", "b", "c"])[y]
    w = np.random.default_rng(0).uniform(0.5, 2, 600)
    fit = fl.sgd(x, names, loss="softmax", weights=w, class_weight={"a": 3.0, "c": 0.0})
    assert fit.coef.tobytes() == fl.sgd(x, names, loss="softmax", weights=w * np.array([3.0, 1, 0])[y]).coef.tobytes()
    count = np.bincount(y, weights=w)
    balanced = fl.sgd(x, names, loss="softmax", weights=w, class_weight="balanced")
    same = fl.sgd(x, names, loss="softmax", weights=w * (w.sum() / 3 / count)[y])
    assert balanced.coef == pytest.approx(same.coef, rel=1e-10)
    for class_weight, message in (({"d": 1.0}, "class_weight has the label 'd'"),
                                  ({"a": -1}, "must be finite and >= 0"), ("even", "must be a dict or 'balanced'")):
        with pytest.raises(ValueError, match=message):
            fl.sgd(x, names, loss="softmax", class_weight=class_weight)
    with pytest.raises(ValueError, match="class_weight is for losses of labels"):
        fl.sgd(x, y, class_weight="balanced")


@pytest.mark.parametrize("loss", ["logistic", "softmax"])
def test_class_weights_hold_for_later_rows(loss):
    x, y = data(loss)
    factors = {0: 1.0, 1: 20.0} if loss == "logistic" else {0: 1.0, 1: 20.0, 2: 3.0}
    weights = np.array(list(factors.values()))[y]
    own, given = (fl.sgd(x, y, loss=loss, seed=1, **settings) for settings in
                  ({"class_weight": factors}, {"weights": weights}))
    own.partial_fit(x, y)
    given.partial_fit(x, y, weights)
    assert own.coef.tobytes() == given.coef.tobytes()
    own.partial_fit(x, y, np.full(600, 2.0))
    given.partial_fit(x, y, 2 * weights)
    assert own.coef.tobytes() == given.coef.tobytes()


def test_separable_rows_have_no_minimum_and_finite_coefficients():
    x = np.linspace(-1, 1, 40)[:, None]
    fit = fl.sgd(x, x[:, 0] > 0, loss="logistic", epochs=1000)
    assert np.isfinite(fit.coef).all()
    assert fit.history["loss"][-1] < 0.1 * fit.initial_loss
    assert (fit.predict(x) == (x[:, 0] > 0)).all()
    assert fit.predict_proba(x).min() >= 0
    further = fl.sgd(x, x[:, 0] > 0, loss="logistic", batch_size=None, lr=100.0, epochs=2000)
    assert further.history["loss"][-1] < 1e-3
    assert np.isfinite(further.coef).all()


# ---- streams ---------------------------------------------------------------------------------------------------------


def test_chunks():
    x, y = data("squared", n=500)
    parts = [(x[i:i + 70], y[i:i + 70]) for i in range(0, 500, 70)]
    settings = {"epochs": 3, "batch_size": 32, "seed": 3}
    listed = fl.sgd(parts, **settings)
    assert listed.coef.tobytes() == fl.sgd(lambda: iter(parts), **settings).coef.tobytes()
    assert listed.coef.tobytes() == fl.sgd(tuple(parts), **settings).coef.tobytes()
    assert listed.n_steps == 3 * (7 * 3 + 1)
    assert listed.initial_loss == pytest.approx(np.mean(y * y) / 2)
    one = fl.sgd([(x, y)], **settings)
    assert one.coef.tobytes() == fl.sgd(x, y, **settings).coef.tobytes()
    # an empty chunk and one without weights change nothing, and a weight is the third
    more = [*parts[:3], (x[:0], y[:0]), *parts[3:]]
    assert fl.sgd(more, **settings).coef.tobytes() == listed.coef.tobytes()
    weighted = fl.sgd([(a, b, np.full(len(b), 2.0)) for a, b in parts], **settings)
    assert weighted.coef == pytest.approx(listed.coef, rel=1e-12)
    none = fl.sgd([*parts, (x[:70], y[:70] * 1e3, np.zeros(70))], optimizer="sgd", lr=0.01, **settings)
    assert none.coef == pytest.approx(fl.sgd(parts, optimizer="sgd", lr=0.01, **settings).coef, rel=1e-12)
    assert np.isfinite(none.history["loss"]).all()


def test_weights_of_chunks_are_those_of_all_rows():
    x, y = data("squared")
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    weights = np.where(np.arange(600) < 300, 1.0, 20.0)
    settings = {"l2": 1.0, "optimizer": "sgd", "lr": 1e-3, "schedule": "constant", "epochs": 1000, "standardize": False,
                "batch_size": 100}
    whole = fl.sgd(x, y, weights=weights, **settings)
    halves = [(x[:300], y[:300], weights[:300]), (x[300:], y[300:], weights[300:])]
    for chunks in (halves, halves[::-1]):
        assert fl.sgd(chunks, **settings).coef == pytest.approx(whole.coef, rel=0.01, abs=0.01)


def test_an_iterator_is_walked_once():
    x, y = data("squared", n=4000)
    parts = [(x[i:i + 500], y[i:i + 500]) for i in range(0, 4000, 500)]
    for optimizer in ("adam", "sgd", "nesterov"):
        fit = fl.sgd(iter(parts), batch_size=16, optimizer=optimizer)
        assert fit.n_epochs == 1
        assert fit.n_steps == 8 * 32
        assert mean_loss("squared", fit, x, y) < 1.01 * least_loss("squared", x, y)
    with pytest.raises(ValueError, match="X is an iterator, which can be walked once: epochs must be 1, got 2"):
        fl.sgd(iter(parts), epochs=2)
    same = iter(parts[:1])
    with pytest.raises(ValueError, match="X has no chunks any more"):
        fl.sgd(lambda: same, epochs=2)
    for settings in ({"schedule": "cosine", "lr": 0.1}, {"average": 0.5}):
        with pytest.raises(ValueError, match="an iterator whose length is not known"):
            fl.sgd(iter(parts), **settings)


def test_chunks_of_one_kind():
    x, y = data("squared", n=100)
    for chunks, error, message in (
            ([], ValueError, "X has no chunks"),
            ([(x, y), (x[:, :2], y)], ValueError, "chunk 1: X has 2 columns, those before have 4"),
            ([(x, y), (x, y[:50])], ValueError, "y has 50 rows, X has 100"),
            ([x, x], TypeError, r"chunk 0 must be a tuple \(X, y\) or \(X, y, weights\), got ndarray"),
            ([(x, y, -np.ones(100))], ValueError, "chunk 0: weights must be finite and >= 0")):
        with pytest.raises(error, match=message):
            fl.sgd(chunks)
    with pytest.raises(ValueError, match="weights of chunks come with them"):
        fl.sgd([(x, y)], weights=np.ones(100))
    with pytest.raises(TypeError, match="y is needed"):
        fl.sgd(x)
    with pytest.raises(ValueError, match=r"validation must be \(X, y\) where X is an iterable of chunks"):
        fl.sgd([(x, y)], validation=0.1)
    bad = x.copy()
    bad[5, 1] = np.inf
    with pytest.raises(ValueError, match="row 5, column 1 is inf"):
        fl.sgd([(x, y), (bad, y)], standardize=False)


def test_a_file_of_rows(tmp_path):
    x, y = data("squared", n=2000)
    x.astype(np.float32).tofile(tmp_path / "rows")
    mapped = np.memmap(tmp_path / "rows", np.float32, "r", shape=(2000, 4))
    assert fl.sgd(mapped, y).coef.tobytes() == fl.sgd(x.astype(np.float32), y).coef.tobytes()


# ---- going on, and being stopped -------------------------------------------------------------------------------------


def test_a_warm_start_goes_on():
    x, y = data("logistic")
    first = fl.sgd(x, y, loss="logistic", lr=0.05, epochs=4, average=False)
    kept = first.coef.tobytes(), first.n_steps
    second = fl.sgd(x, y, loss="logistic", lr=0.05, epochs=6, average=False, warm_start=first)
    whole = fl.sgd(x, y, loss="logistic", lr=0.05, epochs=10, average=False)
    assert second.coef.tobytes() == whole.coef.tobytes()
    assert second.n_steps == whole.n_steps
    assert (first.coef.tobytes(), first.n_steps) == kept
    assert second.initial_loss == pytest.approx(mean_loss("logistic", first, x, y), rel=1e-12)
    for change, message in (({"loss": "hinge"}, "warm_start was trained with loss='logistic'"),
                            ({"loss": "logistic", "intercept": False}, "warm_start was trained with intercept=True")):
        with pytest.raises(ValueError, match=message):
            fl.sgd(x, y, warm_start=first, **change)
    with pytest.raises(ValueError, match="warm_start was trained with 4 columns, X has 3"):
        fl.sgd(x[:, :3], y, loss="logistic", warm_start=first)
    with pytest.raises(TypeError, match="warm_start must be the result of sgd, got int"):
        fl.sgd(x, y, loss="logistic", warm_start=3)


def test_a_warm_start_has_parameters_of_its_own():
    x, y = data("quantile", n=2000)
    middle = fl.sgd(x, y, loss="quantile")
    high = fl.sgd(x, y, loss="quantile", quantile=0.9, warm_start=middle, epochs=200)
    assert (y < middle.predict(x)).mean() == pytest.approx(0.5, abs=0.02)
    assert (y < high.predict(x)).mean() == pytest.approx(0.9, abs=0.02)


def test_a_warm_start_raises_scales_that_grow():
    x, y = data("squared", n=500)
    first = fl.sgd(x, y, scale_invariant=True)
    kept = first.coef.tobytes()
    larger = fl.sgd(1000 * x, y, scale_invariant=True, warm_start=first, epochs=1, lr=0.0, average=False)
    assert larger.coef == pytest.approx(first.coef, rel=1e-12)
    assert larger._training.columns.factor == pytest.approx(1 / np.abs(1000 * x).max(axis=0), rel=1e-12)
    assert first.coef.tobytes() == kept


def test_a_warm_start_has_weights_of_its_own():
    x, y = data("squared")
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    settings = {"l2": 0.5, "batch_size": None, "epochs": 1000, "standardize": False}
    cold = fl.sgd(x, y, **settings)
    for first, weights in (({"weights": np.full(600, 9.0)}, None), ({}, np.full(600, 9.0)),
                           ({"validation": 0.4}, None)):
        before = fl.sgd(x, y, **first, **settings)
        warm = fl.sgd(x, y, weights=weights, warm_start=before, **settings)
        assert not warm.backoffs
        assert warm.coef == pytest.approx(cold.coef, rel=1e-6)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_warm_start_at_the_minimum_stays(loss):
    x, y = data(loss)
    if loss == "squared":
        y = x @ np.ones(4)  # without any error
    elif loss == "poisson":
        y = y + 30  # whose loss is negative
    fit = fl.sgd(x, y, loss=loss, batch_size=None, epochs=3000)
    for settings in ({}, {"batch_size": None}, {"optimizer": "sgd"}):
        again = fl.sgd(x, y, loss=loss, warm_start=fit, epochs=5, **settings)
        assert not again.backoffs
        assert again.status in ("finished", "converged")


def test_an_optimizer_of_another_kind_starts_anew():
    x, y = data("squared", n=256)
    first = fl.sgd(x, y, optimizer="sgd", batch_size=None, lr=0.1, epochs=50)
    settings = {"optimizer": "adam", "batch_size": None, "lr": 0.01, "epochs": 1}
    moved = fl.sgd(x, y, warm_start=first, **settings)._training.b - first._training.b
    assert np.abs(moved) == pytest.approx(0.01, rel=1e-3)  # the first step of Adam is as long as the rate
    # as after a back-off
    fit = fl.sgd(x, y, **settings)
    before = fit._training.b.copy()
    fit._training.forget_momentum()
    assert np.abs(fit.partial_fit(x, y)._training.b - before) == pytest.approx(0.01, rel=1e-3)


def test_a_pickle_goes_on_alike():
    x, y = data("softmax", n=50_000, p=10)
    fit = fl.sgd(x, y, loss="softmax", epochs=3, validation=0.1)
    text = pickle.dumps(fit)
    assert len(text) < 100_000
    again = pickle.loads(text)
    assert again.coef.tobytes() == fit.coef.tobytes()
    assert again.history == fit.history
    assert repr(again) == repr(fit)
    assert again.partial_fit(x[:1000], y[:1000]).coef.tobytes() == fit.partial_fit(x[:1000], y[:1000]).coef.tobytes()


class Bar:
    """What tqdm is asked for."""

    made = ()

    def __init__(self, total, unit):
        self.total, self.updates, self.closed, self.shown = total, 0, False, {}
        Bar.made = (*Bar.made, self)

    def update(self):
        self.updates += 1

    def set_postfix(self, **shown):
        self.shown = shown

    def close(self):
        self.closed = True


def test_progress(monkeypatch):
    x, y = data("squared", n=300)
    monkeypatch.setitem(sys.modules, "tqdm", SimpleNamespace(tqdm=Bar))
    monkeypatch.setattr(Bar, "made", ())
    fit = fl.sgd(x, y, epochs=7, progress=True)
    assert [(bar.total, bar.updates, bar.closed) for bar in Bar.made] == [(7, 7, True)]
    assert Bar.made[0].shown == {"loss": f"{fit.history['loss'][-1]:.4g}"}
    with pytest.raises(ZeroDivisionError):
        fl.sgd(x, y, epochs=7, progress=True, callbacks=[lambda result: 1 / 0])
    assert Bar.made[1].closed
    monkeypatch.setitem(sys.modules, "tqdm", None)
    with pytest.raises(ImportError, match="progress=True needs tqdm: pip install tqdm"):
        fl.sgd(x, y, progress=True)
    assert fl.sgd(x, y, epochs=7).coef.tobytes() == fit.coef.tobytes()


def interrupt(result):
    if result.n_epochs == 3:
        raise KeyboardInterrupt


def send_signal(result):
    if result.n_epochs == 3:
        signal.raise_signal(signal.SIGINT)


@pytest.mark.parametrize("stop", [interrupt, send_signal])
def test_an_interrupt_leaves_what_was_reached(stop):
    x, y = data("squared", n=600)
    with pytest.warns(RuntimeWarning, match="sgd was interrupted after 9 steps; what it had reached") as seen:
        fit = fl.sgd(x, y, lr=0.05, epochs=100, callbacks=[stop])
    assert seen[0].filename == __file__
    assert fit.status == "interrupted"
    assert fit.coef.tobytes() == fl.sgd(x, y, lr=0.05, epochs=3).coef.tobytes()
    assert fit.partial_fit(x, y).n_steps == 12


def test_an_interrupt_from_outside(tmp_path):
    program = """
import os, signal, threading, warnings
import numpy as np, fastlsq as fl
rng = np.random.default_rng(0)
x = rng.standard_normal((20_000, 10))
y = x @ np.arange(10.0) + rng.standard_normal(20_000)
warnings.simplefilter("ignore")
started = []
def ready(result):
    if not started:
        started.append(threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGINT)))
        started[0].start()
fit = fl.sgd(x, y, epochs=10**6, callbacks=[ready])
fit.partial_fit(x, y)
print(fit.status, fit.n_steps > 0, bool(np.abs(fit.coef - np.arange(10)).max() < 1))
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, cwd=tmp_path)
    assert run.stdout.split() == ["interrupted", "True", "True"], run.stderr


# ---- divergence ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("loss", "batch_size"), [
    ("squared", None), ("squared", 32), ("poisson", None), ("poisson", 32)])
def test_a_rate_that_is_too_large_is_reduced(loss, batch_size):
    x, y = data(loss)
    x = (x - x.mean(axis=0)) / x.std(axis=0) * 10
    with pytest.warns(RuntimeWarning, match=r"sgd: in epoch \d+ the loss has grown to .* too large; going on") as seen:
        fit = fl.sgd(x, y, loss=loss, optimizer="sgd", lr=30.0, batch_size=batch_size, epochs=400, standardize=False)
    assert seen[0].filename == __file__
    assert len(seen) == 1
    assert fit.status in ("finished", "converged")
    assert mean_loss(loss, fit, x, y) < least_loss(loss, x, y) + 0.1 * (fit.initial_loss - least_loss(loss, x, y))
    factors = [one["factor"] for one in fit.backoffs]
    assert factors == [0.25 ** (i + 1) for i in range(len(factors))]
    assert fit.backoffs[0]["learning_rate"] == 30.0
    assert fit.history["learning_rate"][-1] == 30.0 * factors[-1]
    assert len(fit.history["loss"]) == fit.n_epochs


def test_losses_that_do_not_run_away():
    x, y = data("softmax")
    x = (x - x.mean(axis=0)) / x.std(axis=0) * 10
    with pytest.warns(RuntimeWarning, match="the loss has ended at .*, where it is 1.1 without any slopes") as seen:
        fl.sgd(x, y, loss="softmax", optimizer="sgd", lr=5.0, epochs=100, standardize=False)
    assert seen[0].filename == __file__
    # an epoch that begins far above its end is none of these
    rng = np.random.default_rng(400)
    x = rng.standard_normal((4000, 400)) + 0.3 * rng.standard_normal((4000, 1))
    y = x @ rng.standard_normal(400) + 3 * rng.standard_normal(4000)
    fit = fl.sgd(x, y, batch_size=8, epochs=1)
    assert fit.history["loss"][-1] > 2 * fit.initial_loss
    assert mean_loss("squared", fit, x, y) < 0.6 * fit.initial_loss


def test_divergence_may_raise_or_end():
    x, y = data("squared")
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    settings = {"optimizer": "sgd", "lr": 30.0, "epochs": 50, "batch_size": 32, "standardize": False}
    with pytest.raises(FloatingPointError, match=r"sgd: in epoch 0 the loss has grown to .*: the learning rate 30 is"):
        fl.sgd(x, y, on_divergence="raise", **settings)
    with pytest.warns(RuntimeWarning, match="the training has ended with the coefficients before that epoch"):
        fit = fl.sgd(x, y, on_divergence="stop", **settings)
    assert fit.status == "diverged"
    assert (fit.coef == 0).all()
    assert not fit.converged
    with pytest.warns(RuntimeWarning, match="the training has ended"):
        once = fl.sgd(iter([(x, y)]), **{**settings, "epochs": 1})
    assert once.status == "diverged"


def test_a_rate_without_any_hope_ends():
    x, y = data("squared", n=40)
    with pytest.warns(RuntimeWarning) as seen:
        fit = fl.sgd(x, y, optimizer="sgd", lr=lambda step: 1e300, epochs=3)
    assert fit.status == "diverged"
    assert len(fit.backoffs) == 40
    assert len(seen) == 2
    assert (fit.coef == 0).all()


def test_rows_far_from_all_others_are_no_divergence():
    rng = np.random.default_rng(6)
    n, p = 4000, 60
    x, y = rng.standard_normal((n, p)), rng.standard_normal(n)
    y[n // 2] = 1e4
    from fastlsq.descent import training

    calls, training._CALL_FLOPS = training._CALL_FLOPS, 1e4  # a call for each batch
    try:
        fit = fl.sgd(x, y, optimizer="sgd", lr=1e-3, batch_size=8, epochs=3)
    finally:
        training._CALL_FLOPS = calls
    assert not fit.backoffs
    assert fit.status == "finished"


# ---- bad input -------------------------------------------------------------------------------------------------------


X, Y = data("squared", n=50)
X.flags.writeable = Y.flags.writeable = False


def spoilt(array, place, value):
    array = array.copy()
    array[place] = value
    return array


@pytest.mark.parametrize(("x", "y", "settings", "error", "message"), [
    (spoilt(X, (7, 2), np.nan), Y, {}, ValueError, "X must not contain infs or NaNs; row 7, column 2 is nan"),
    (spoilt(X, (7, 2), -np.inf), Y, {"standardize": False}, ValueError, "row 7, column 2 is -inf"),
    (spoilt(X, (49, 0), np.nan), Y, {"scale_to": "minmax"}, ValueError, "row 49, column 0 is nan"),
    (spoilt(X, (0, 3), np.nan), Y, {"scale_invariant": True}, ValueError, "row 0, column 3 is nan"),
    (spoilt(X, (0, 3), np.nan), Y, {"standardize": False, "batch_size": None}, ValueError, "row 0, column 3 is nan"),
    (X, spoilt(Y, 3, np.nan), {}, ValueError, "y must not contain infs or NaNs; row 3, column 0 is nan"),
    (X, spoilt(Y, 3, np.nan), {"loss": "logistic"}, ValueError, r"y must not contain NaN.*y\[3\] is nan"),
    (X, np.ones(50), {"loss": "logistic"}, ValueError, "y has one class only: .*1.0"),
    (X, Y > 0, {"loss": "logistic", "classes": [1, 2]}, ValueError, "y has the label .*, the classes are"),
    (X, np.where(Y > 0, "a", "b"), {"loss": "logistic", "classes": ["a", "c"]}, ValueError, "y has the label .*b"),
    (X, np.where(Y > 0, "a", "b"), {}, TypeError, "y must be numeric"),
    (X, -np.abs(Y), {"loss": "poisson"}, ValueError, r"y must be >= 0 for loss='poisson'; row 0, column 0 is -"),
    (X[:0], Y[:0], {}, ValueError, "X has no rows"),
    (X, Y[:-1], {}, ValueError, "y has 49 rows, X has 50"),
    (X, (Y > 0)[:-1], {"loss": "hinge"}, ValueError, r"y must have shape \(50,\)"),
    (X[:, 0], Y, {}, ValueError, r"X must be 2-D, got shape \(50,\)"),
    (X, Y[:, None, None], {}, ValueError, "y must be 1-D or 2-D"),
    (X, np.empty((50, 0)), {}, ValueError, "y has no columns"),
    (X * 1j, Y, {}, TypeError, "X is complex"),
    (X, Y * 1j, {}, TypeError, "y is complex"),
    (X, Y * 1j, {"loss": "logistic"}, TypeError, "y is complex"),
    (np.ma.array(X), Y, {}, TypeError, "X is a masked array"),
    (X, np.ma.array(Y), {}, TypeError, "y is a masked array"),
    (X.astype(object), Y, {}, TypeError, "X must be numeric"),
    (X, Y, {"weights": -np.ones(50)}, ValueError, r"weights must be finite and >= 0; weights\[0\] is -1"),
    (X, Y, {"weights": np.zeros(50)}, ValueError, "weights must not all be zero"),
    (X, Y, {"weights": np.ones(49)}, ValueError, r"weights must have shape \(50,\)"),
    (X, Y, {"loss": "square"}, ValueError, "loss must be one of squared, huber"),
    (X, Y, {"loss": "huber", "delta": 0.0}, ValueError, "delta must be > 0"),
    (X, Y, {"loss": "quantile", "quantile": 1.0}, ValueError, r"quantile must be in \(0, 1\)"),
    (X, Y, {"loss": "epsilon_insensitive", "epsilon": -1}, ValueError, "epsilon must be >= 0"),
    (X, Y, {"loss": "huber", "delta": "1"}, TypeError, "delta must be a number"),
    (X, Y, {"optimizer": "sdg"}, ValueError, "optimizer must be 'auto', 'sgd'"),
    (X, Y, {"optimizer": fl.optim.SGD(maximize=True)}, ValueError, "optimizer must not maximize"),
    (X, Y, {"lr": -0.1}, ValueError, "lr must be 'auto', a finite number >= 0 or callable, got -0.1"),
    (X, Y, {"lr": np.nan}, ValueError, "lr must be"),
    (X, Y, {"lr": lambda step: -1.0}, ValueError, "the schedule gives rates that are negative or no numbers"),
    (X, Y, {"lr": lambda step: 1.0, "schedule": "cosine"}, ValueError, "lr is a schedule already"),
    (X, Y, {"schedule": "linear"}, ValueError, "schedule must be 'auto', 'constant'"),
    (X, Y, {"schedule": "optimal"}, ValueError, "schedule='optimal' needs l2 > 0"),
    (X, Y, {"batch_size": 0}, ValueError, "batch_size must be >= 1"),
    (X, Y, {"batch_size": 2.5}, TypeError, "batch_size must be an integer"),
    (X, Y, {"epochs": 0}, ValueError, "epochs must be >= 1"),
    (X, Y, {"l1": -1}, ValueError, "l1 must be >= 0"),
    (X, Y, {"l2": np.inf}, ValueError, "l2 must be >= 0 and finite"),
    (X, Y, {"tol": "0"}, TypeError, "tol must be a number"),
    (X, Y, {"shuffle": "rows"}, ValueError, "shuffle must be 'block'"),
    (X, Y, {"scale_to": "unit"}, ValueError, "scale_to must be 'zscore'"),
    (X, Y, {"on_divergence": "ignore"}, ValueError, "on_divergence must be 'backoff'"),
    (X, Y, {"average": 1.5}, ValueError, "average must be"),
    (X, Y, {"seed": -1}, ValueError, "seed must be >= 0"),
    (X, Y, {"patience": 0}, ValueError, "patience must be >= 1"),
    (X, Y, {"names": ["a"]}, ValueError, "names has 1 entries, X has 4 columns"),
    (X, Y, {"validation": 1.0}, ValueError, r"validation must be \(X, y\)"),
    (X, Y, {"validation": 0.999}, ValueError, "leaves none of 50 rows"),
    (X, Y, {"validation": (X[:, :2], Y)}, ValueError, "validation has 2 columns, X has 4"),
    (X, Y, {"validation": (X[:0], Y[:0])}, ValueError, "validation has no rows"),
    (X, Y, {"validation": (spoilt(X, (7, 2), np.nan), Y)}, ValueError, "validation: X must not.*row 7, column 2"),
    (X, Y, {"validation": (X, spoilt(Y, 3, np.nan))}, ValueError, "y must not contain infs or NaNs; row 3"),
    (X, Y, {"validation": (X, Y[:-1])}, ValueError, "y has 49 rows, X has 50"),
])
def test_bad_input(x, y, settings, error, message):
    with pytest.raises(error, match=message):
        fl.sgd(x, y, **settings)


def test_bad_rows_of_predictions():
    fit = fl.sgd(X, Y, epochs=1)
    with pytest.raises(ValueError, match="X has 3 columns, the model was trained with 4"):
        fit.predict(X[:, :3])
    assert fit.predict(X[:0]).shape == (0,)


@pytest.mark.parametrize("settings", [{"optimizer": "saga"}, {"optimizer": "sgd", "batch_size": 1},
                                      {"optimizer": "sgd", "batch_size": 8}], ids=str)
def test_the_automatic_rate_knows_of_rows_without_weight(settings):
    x, y = data("squared")
    weights = np.where(np.arange(600) % 20 == 0, 3.0, 0.0)
    fit = fl.sgd(x, y, weights=weights, epochs=20, **settings)
    assert not fit.backoffs
    assert fit.history["loss"][-1] < fit.initial_loss


def test_weights_that_are_few():
    """A sample of rows that misses them all would have no mean."""
    x, y = data("squared", n=9000)
    w = np.zeros(9000)
    w[np.setdiff1d(np.arange(9000), np.linspace(0, 8999, 4096).astype(int))[::600]] = 2.0
    fit = fl.sgd(x, y, weights=w, batch_size=None, epochs=20_000)
    assert fit.predict(x[w > 0]) == pytest.approx(fl.ols(x[w > 0], y[w > 0]).predict(x[w > 0]), rel=1e-5)


def test_names_and_text():
    fit = fl.sgd(X, Y, epochs=2, names=["a", "b", "c", "d"])
    assert fit.names == ["a", "b", "c", "d"]
    assert repr(fit).startswith("SGDResult(squared, 4 columns, 2 epochs, 2 steps, loss ")
    assert fl.sgd(X, Y, epochs=1).names == ["x0", "x1", "x2", "x3"]
