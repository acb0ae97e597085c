# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Gradient descent beside the time that reading X takes, and beside NumPy, scikit-learn and torch.

    python -m bench.descent                       # all suites
    python -m bench.descent batches --rounds 5
    python -m bench.descent --quick 50            # a smoke run: answers checked, times no evidence

"read" is the probe of the machine's read bandwidth over the bytes of X, by as many threads, in the same rounds.  The
answers of passes are checked against NumPy, those of trainings by the coefficients or the loss that they end at.
"""

import sys
import time
from importlib.util import find_spec
from statistics import median

import numpy as np

import fastlsq as fl
from bench import glm, shapes
from bench.rounds import Suite, interleave, run
from fastlsq._core import lib
from fastlsq._threads import resolve

BATCH = 256


def read_probe(x):
    """A call that reads all of x, C-contiguous."""
    whole = x.reshape(-1)[: x.size // 2 * 2].view(np.float64)
    return lambda: lib.probe_read(resolve(None), whole)


class Descent(Suite):
    """The suites of this file."""

    def target(self, name, found, limit, least=False):
        held = found >= limit if least else found <= limit
        print(f"  target: {name} {found:.2f} {'>=' if least else '<='} {limit}: {'held' if held else 'missed'}")

    def full(self):
        """Loss and gradient over all rows, squared and logistic: times the read of X and y; NumPy's way."""
        for n, p in shapes.SHAPES:
            n = self.rows(n, 256)
            x, b = self.rng.standard_normal((n, p)), self.rng.standard_normal(p + 1) / np.sqrt(p)
            y = x @ b[:p] + self.rng.standard_normal(n)
            problems = {"squared": y[:, None], "logistic": (y > 0).astype(float)[:, None]}
            gradient = {name: np.empty(p + 1) for name in problems}
            calls = {"read": read_probe(x)}
            for name, target in problems.items():
                problem = lib.Descent(x, target, None, name, 0.0, 1, False)
                calls[name] = (lambda problem=problem, b=b, g=gradient[name]:
                               lib.descent_evaluate(problem, b, g, resolve(None))[0])

            def numpy_way(x=x, b=b, y=y):
                r = x @ b[:-1] + b[-1] - y
                return float(r @ r) / 2, x.T @ r

            calls["numpy"] = numpy_way
            found = interleave(calls, self.rounds)
            read = found["read"][0] * (p + 1) / p  # y is read, too
            loss, slope = found["numpy"][1]
            self.check(f"p={p}: loss", abs(found["squared"][1] / loss - 1), 1e-12)
            self.check(f"p={p}: gradient", np.abs(gradient["squared"][:p] - slope).max() / np.abs(slope).max(), 1e-12)
            ratios = [found[name][0] / read for name in ("squared", "logistic", "numpy")]
            self.line(f"p = {p}", found["squared"][0],
                      f"squared {ratios[0]:.2f}, logistic {ratios[1]:.2f}, NumPy (squared) {ratios[2]:.2f} reads")
            self.target("squared, reads", ratios[0], 1.25)

    def _data(self, n, p, dtype=np.float64):
        x = self.rng.standard_normal((n, p)).astype(dtype)
        truth = self.rng.standard_normal(p)
        return x, x @ truth.astype(dtype) + self.rng.standard_normal(n).astype(dtype)

    def batches(self):
        """An epoch of mini-batches of 256, squared loss, Adam, shuffled."""
        for n, p, most in ((1_000_000, 32, 2.2), (200_000, 128, 1.7)):
            n = self.rows(n, 4 * BATCH)
            for dtype in (np.float64, np.float32):
                x, y = self._data(n, p, dtype)
                calls = {"read": read_probe(x), "fastlsq": lambda x=x, y=y: self._epochs(x, y)}
                calls |= self._peers(x, y)
                found = interleave(calls, self.rounds)
                best = fl.lstsq(x.astype(np.float64), y.astype(np.float64)).x
                ours, fit = found["fastlsq"][1]
                error = np.abs(fit.coef - best).max()
                self.check(f"{n}x{p} {dtype.__name__}: coefficients", error, 0.2)
                read = found["read"][0]
                self.line(f"{n} x {p} {dtype.__name__}: an epoch", ours,
                          f"{ours / read:.2f} reads of {read * 1e3:.2f} ms")
                self.target("reads", ours / read, most)
                for name, least in (("scikit-learn", 6), ("torch", 40 if p == 32 else 20)):
                    if name in found:
                        seconds = found[name][1]
                        self.line(f"  {name}", seconds)
                        self.target(f"{name}'s time over ours", seconds / ours, least, least=True)

    def _epochs(self, x, y, **options):
        """(median seconds of an epoch, fit); what comes before the epochs is not counted."""
        epochs = max(5, 3000 * BATCH // len(x))
        settings = {"optimizer": fl.optim.Adam(lr=0.01), "batch_size": BATCH, "epochs": epochs, "standardize": False}
        fit = fl.sgd(x, y, **(settings | options))
        return median(fit.history["seconds"]), fit

    def _peers(self, x, y):
        """Calls that give the seconds of an epoch."""
        peers = {}
        if find_spec("sklearn") is not None:
            from sklearn.linear_model import SGDRegressor

            def scikit():
                model = SGDRegressor(learning_rate="constant", eta0=1e-4, max_iter=1, tol=None, penalty=None)
                start = time.perf_counter()
                model.fit(x, y)
                return time.perf_counter() - start

            peers["scikit-learn"] = scikit
        if find_spec("torch") is not None:
            peers["torch"] = lambda: torch_epoch(x, y)
        return peers

    def single(self):
        """An epoch of batches of one row, plain descent, squared and logistic loss."""
        for n, p in ((1_000_000, 32), (200_000, 128)):
            n = self.rows(n)
            x, y = self._data(n, p)
            options = {"optimizer": "sgd", "lr": 1e-4, "batch_size": 1, "epochs": 3}
            calls = {"squared": lambda x=x, y=y, o=options: self._epochs(x, y, **o),
                     "logistic": lambda x=x, y=y, o=options: self._epochs(x, y > 0, loss="logistic", **o)}
            if find_spec("sklearn") is not None:
                from sklearn.linear_model import SGDClassifier, SGDRegressor

                shared = {"learning_rate": "constant", "eta0": 1e-4, "max_iter": 1, "tol": None, "penalty": None}
                calls["sklearn squared"] = lambda x=x, y=y, s=shared: SGDRegressor(**s).fit(x, y)
                calls["sklearn logistic"] = lambda x=x, y=y, s=shared: SGDClassifier(loss="log_loss", **s).fit(x, y > 0)
            found = interleave(calls, self.rounds)
            if self.quick == 1:
                best = fl.lstsq(x, y).x
                self.check(f"{n}x{p}: coefficients", np.abs(found["squared"][1][1].coef - best).max(), 0.1)
            for name in ("squared", "logistic"):
                seconds = found[name][1][0]
                self.line(f"{n} x {p}, {name}", seconds, f"{seconds / n * 1e9:.0f} ns a row")
                if f"sklearn {name}" in found:
                    peer = found[f"sklearn {name}"][0]
                    self.line("  scikit-learn", peer)
                    self.target("scikit-learn's time over ours", peer / seconds, 3, least=True)

    def logistic(self):
        """Seconds to 1.01 times the least logistic loss, 1M x 32: sgd with its defaults, scikit-learn's solvers."""
        x, y = glm.data(self.rng, self.rows(1_000_000, 2560), 32)

        def ours():
            fit = fl.sgd(x, y, loss="logistic", epochs=1 if self.quick == 1 else 30)
            return fit.coef, fit.intercept

        found = glm.time_to_loss(self, x, y, "fastlsq.sgd, one epoch", ours)
        own, *peers = found.values()
        if peers:
            self.target("scikit-learn's fastest over ours", min(peers) / own, 5, least=True)

    def saga(self):
        """Time to 1e-6 of the least logistic loss, 200k x 32 with l2 = 1e-3: SAGA, plain descent, all rows at once."""
        n, p, l2 = self.rows(200_000), 32, 1e-3
        x = self.rng.standard_normal((n, p))
        y = self.rng.random(n) < 1 / (1 + np.exp(-x @ self.rng.standard_normal(p) / 2))
        best = fl.glm(x, y, family="binomial", alpha=l2, tol=1e-12)

        def objective(coef, intercept):
            eta = x @ coef + intercept
            return float((np.logaddexp(0.0, eta) - y * eta).mean()) + l2 / 2 * float(coef @ coef)

        least = objective(best.coef, best.intercept)
        ways = {"SAGA": {"optimizer": "saga"},
                "sgd, rows, cosine": {"optimizer": "sgd", "batch_size": 1, "schedule": "cosine"},
                "Adam, batches, cosine, averaged": {}, "Nesterov, all rows": {"batch_size": None}}
        for name, options in ways.items():
            for epochs in (1, 2, 3, 5, 10, 20, 50, 100, 200, 500):
                start = time.perf_counter()
                fit = fl.sgd(x, y, loss="logistic", l2=l2, standardize=False, epochs=epochs, **options)
                seconds, gap = time.perf_counter() - start, objective(fit.coef, fit.intercept) / least - 1
                if gap <= 1e-6:
                    break
            self.line(name, seconds, f"{epochs} epochs, {gap:.0e} above the least")
            self.check(f"{name}, loss", gap, 1e-2)


def torch_epoch(x, y, steps=200):
    """Seconds that an epoch of the usual loop would take, from some of its steps."""
    import torch

    torch.set_num_threads(resolve(None))
    n, p = x.shape
    rows, target = torch.from_numpy(x), torch.from_numpy(y)
    model = torch.nn.Linear(p, 1).to(rows.dtype)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    order = torch.randperm(n)
    count = min(steps, n // BATCH)
    start = time.perf_counter()
    for i in range(count):
        own = order[i * BATCH:(i + 1) * BATCH]
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(model(rows[own])[:, 0], target[own]).backward()
        optimizer.step()
    return (time.perf_counter() - start) * (n / BATCH) / count


SUITES = ("full", "batches", "single", "logistic", "saga")


def main(arguments=None):
    return run(lambda options: Descent(options.quick, options.rounds), SUITES, __doc__, arguments, rounds=5)


if __name__ == "__main__":
    sys.exit(main())
