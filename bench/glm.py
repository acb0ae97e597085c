# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Generalized linear models beside scikit-learn and glum: time to a gradient of 1e-8, and to 1.01 times the least loss.

    python -m bench.glm                       # all suites
    python -m bench.glm tall --rounds 3
    python -m bench.glm --quick 50            # a smoke run: answers checked, times no evidence

The model is binomial with an intercept and without a penalty.  Every method is checked by the gradient of the mean
loss at its coefficients, computed here, and by its distance to the coefficients of a fit to the last digits.  The peers
run with BLAS on one thread and their own loops on all: with BLAS on two, its threads and those of OpenMP wait for each
other, and every peer is slower, newton-cholesky many times.
"""

import sys
import warnings
from importlib.util import find_spec

import numpy as np

import fastlsq
from bench.rounds import Suite, interleave, run

#: of the mean loss, that every method is asked for; and the largest that passes
TOLERANCE, ALLOWED = 1e-8, 1e-6


def gradient_of(x, y, coef, intercept):
    """Largest entry of the gradient of the mean loss."""
    from scipy.special import expit

    slope = expit(x @ coef + intercept) - y
    return max(np.abs(slope @ x).max(), abs(slope.sum())) / len(y)


def loss_of(x, y, coef, intercept):
    eta = x @ coef + intercept
    return float((np.logaddexp(0.0, eta) - y * eta).mean())


def scikit(x, y, solver, tol=TOLERANCE, max_iter=1000):
    from sklearn.linear_model import LogisticRegression
    from threadpoolctl import threadpool_limits

    with warnings.catch_warnings(), threadpool_limits(1, user_api="blas"):
        warnings.simplefilter("ignore")
        fit = LogisticRegression(C=np.inf, solver=solver, tol=tol, max_iter=max_iter).fit(x, y)
    return fit.coef_[0], fit.intercept_[0]


def glum(x, y):
    from glum import GeneralizedLinearRegressor
    from threadpoolctl import threadpool_limits

    model = GeneralizedLinearRegressor(family="binomial", alpha=0, gradient_tol=TOLERANCE, max_iter=200)
    with threadpool_limits(1, user_api="blas"):
        fit = model.fit(x, y)
    return fit.coef_, fit.intercept_


def installed(peers):
    """{name: call} of {name: (package, call)}, without those whose package is missing, which it says."""
    missing = sorted({package for package, _ in peers.values() if find_spec(package) is None})
    for package in missing:
        print(f"  {package}: not installed")
    return {name: call for name, (package, call) in peers.items() if package not in missing}


PEERS = {
    "scikit-learn newton-cholesky": ("sklearn", lambda x, y: scikit(x, y, "newton-cholesky")),
    "scikit-learn lbfgs": ("sklearn", lambda x, y: scikit(x, y, "lbfgs")),
    "glum": ("glum", glum),
}


def ours(x, y, **options):
    fit = fastlsq.glm(x, y, family="binomial", **options)
    return fit.coef, fit.intercept


def data(rng, n, p):
    """Rows with neighbouring columns that resemble each other, and labels 0 and 1."""
    x = rng.standard_normal((n, p))
    x[:, 1:] += 0.5 * x[:, :-1]
    eta = x @ rng.standard_normal(p) / np.sqrt(p) - 0.5
    return x, (rng.random(n) < 1.0 / (1.0 + np.exp(-eta))).astype(float)


def time_to_loss(suite, x, y, name, call):
    """Times of a call and of scikit-learn's solvers with the fewest iterations that reach 1.01 times the least loss."""
    least = loss_of(x, y, *ours(x, y, tol=1e-12, inference=False))
    calls = {name: call}
    for solver in installed({solver: ("sklearn", solver) for solver in ("newton-cholesky", "lbfgs", "newton-cg")}):
        count = next(count for count in range(1, 100)
                     if loss_of(x, y, *scikit(x, y, solver, 1e-12, count)) <= 1.01 * least)
        calls[f"scikit-learn {solver}, {count} iterations"] = (
            lambda solver=solver, count=count: scikit(x, y, solver, 1e-12, count))
    found = interleave(calls, suite.rounds)
    fast = found[name][0]
    for other, (seconds, answer) in found.items():
        share = loss_of(x, y, *answer) / least
        suite.check(f"{other}, loss", share, 1.01)
        suite.line(other, seconds, f"{seconds / fast:6.2f} x  loss {share:.5f} of the least")
    return {other: seconds for other, (seconds, _) in found.items()}


class Models(Suite):
    """The suites of this file."""

    def _to_gradient(self, n, p):
        x, y = data(self.rng, self.rows(n, 40 * p), p)
        calls = {
            "fastlsq.glm": lambda: ours(x, y, tol=TOLERANCE),
            "the same without inference": lambda: ours(x, y, tol=TOLERANCE, inference=False),
            **{name: (lambda peer=peer: peer(x, y)) for name, peer in installed(PEERS).items()},
        }
        found = interleave(calls, self.rounds)
        coef, intercept = ours(x, y, tol=1e-12)
        fast = found["the same without inference"][0]
        for name, (seconds, answer) in found.items():
            gradient = gradient_of(x, y, *answer)
            self.check(f"{name}, gradient", gradient, ALLOWED)
            self.check(f"{name}, coefficients", np.abs(answer[0] - coef).max() / np.abs(coef).max(), 1e-4)
            self.line(name, seconds, f"{seconds / fast:6.2f} x  gradient {gradient:.0e}")

    def tall(self):
        """binomial to 1e-8, 1M x 32."""
        self._to_gradient(1_000_000, 32)

    def wide(self):
        """binomial to 1e-8, 200k x 128."""
        self._to_gradient(200_000, 128)

    def loss(self):
        """binomial to 1.01 times the least loss, 1M x 32: each solver with the fewest iterations that get there."""
        x, y = data(self.rng, self.rows(1_000_000, 1280), 32)
        time_to_loss(self, x, y, "fastlsq.glm", lambda: ours(x, y, tol=0.05, inference=False))


SUITES = ("tall", "wide", "loss")


def main(arguments=None):
    return run(lambda options: Models(options.quick, options.rounds), SUITES, __doc__, arguments, rounds=3)


if __name__ == "__main__":
    sys.exit(main())
