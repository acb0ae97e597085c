# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Regression with inference: what standard errors of every kind cost beside a fit, and beside statsmodels.

    python -m bench.inference                # all suites
    python -m bench.inference robust         # one
    python -m bench.inference --quick 50     # a smoke run: answers checked, times no evidence

statsmodels is run where it is installed.  Interleaved and checked as in bench/rounds.py.
"""

import sys

import numpy as np

import fastlsq
from bench.rounds import Suite, interleave, run


def peer():
    """statsmodels.api, or None with a line that says so."""
    try:
        import statsmodels.api
    except ImportError as error:
        print(f"  statsmodels: not run ({error})")
        return None
    return statsmodels.api


def deviation(found, wanted):
    return float(np.max(np.abs(np.asarray(found) - wanted) / np.abs(wanted)))


class Inference(Suite):
    """The suites below."""

    def problem(self, n, p):
        x = self.rng.standard_normal((n, p))
        return x, x @ np.ones(p) + self.rng.standard_normal(n) * (0.5 + np.abs(x[:, 0]))

    def show(self, found, base):
        ours = found[base][0]
        for name, (seconds, _) in found.items():
            self.line(name, seconds, f"{seconds / ours:6.2f} x {base}")

    def classical(self):
        """(1,000,000, 32): a certified fit, with standard errors, with an intercept, and statsmodels."""
        n, p = self.rows(1_000_000, 2000), 32
        x, y = self.problem(n, p)
        ones = np.column_stack([x, np.ones(n)])
        calls = {
            "lstsq": lambda: fastlsq.lstsq(x, y),
            "ols, no intercept": lambda: fastlsq.ols(x, y, intercept=False).standard_errors,
            "lstsq, a column of ones": lambda: fastlsq.lstsq(ones, y),
            "ols": lambda: fastlsq.ols(x, y).standard_errors,
        }
        found = interleave(calls, self.rounds)
        sm = peer()
        if sm is not None:
            name = "statsmodels OLS, method qr"
            found[name] = interleave({name: lambda: sm.OLS(y, ones).fit(method="qr").bse}, min(self.rounds, 3))[name]
            ours = found["ols"][1]
            self.check("classical", deviation(ours, np.roll(found[name][1], 1)), 1e-9)
        residual = y - x @ fastlsq.lstsq(x, y).x
        want = np.sqrt(np.diagonal(np.linalg.inv(x.T @ x)) * (residual @ residual) / (n - p))
        self.check("classical, no intercept", deviation(found["ols, no intercept"][1], want), 1e-9)
        self.show(found, "ols")

    def robust(self):
        """(1,000,000, 32): robust standard errors, beside the classical ones."""
        n, p = self.rows(1_000_000, 2000), 32
        x, y = self.problem(n, p)
        groups = self.rng.integers(0, max(n // 100, 50), n)
        kinds = {kind: {"cov": kind} for kind in ("classical", "HC0", "HC1", "HC2", "HC3")}
        kinds |= {"cluster": {"cov": "cluster", "groups": groups}, "HAC": {"cov": "HAC", "lags": 10}}
        calls = {kind: lambda own=own: fastlsq.ols(x, y, **own).standard_errors for kind, own in kinds.items()}
        plain = {kind: kinds[kind] for kind in ("classical", "HC1", "HC3")}
        for kind, own in plain.items():
            calls[f"{kind}, no intercept"] = lambda own=own: fastlsq.ols(x, y, intercept=False, **own).standard_errors
        found = interleave(calls, self.rounds)
        z = np.column_stack([np.ones(n), x])
        bread = np.linalg.inv(z.T @ z)
        scores = z * (y - z @ (bread @ (z.T @ y)))[:, None]
        h = np.einsum("ij,jk,ik->i", z, bread, z, optimize=True)
        for kind, factor in (("HC0", 1.0), ("HC1", n / (n - p - 1)), ("HC2", 1 / (1 - h)), ("HC3", (1 - h) ** -2)):
            meat = (scores * np.reshape(factor, (-1, 1))).T @ scores
            self.check(kind, deviation(found[kind][1], np.sqrt(np.diagonal(bread @ meat @ bread))), 1e-8)
        sm = peer()
        if sm is not None:
            words = {"HC1": {}, "cluster": {"groups": groups}, "HAC": {"maxlags": 10}}
            for kind, own in words.items():
                name = f"statsmodels {kind}"
                call = {name: lambda kind=kind, own=own: sm.OLS(y, z).fit(cov_type=kind, cov_kwds=own).bse}
                found[name] = interleave(call, min(self.rounds, 2))[name]
                self.check(name, deviation(found[kind][1], found[name][1]), 1e-8)
        self.show(found, "classical")

    def influence(self):
        """(1,000,000, 8): leverages, Cook's distances, DFBETAS in blocks."""
        n, p = self.rows(1_000_000, 2000), 8
        x, y = self.problem(n, p)
        fit = fastlsq.ols(x, y)
        calls = {
            "ols": lambda: fastlsq.ols(x, y).standard_errors,
            "leverages": lambda: fit.influence(x, y).leverage,
            "Cook's distances": lambda: fit.influence(x, y).cooks_distance,
            "all, in blocks": lambda: max(float(np.abs(block.dfbetas).max()) for block in fit.influence(x, y)),
        }
        found = interleave(calls, self.rounds)
        z = np.column_stack([np.ones(n), x])
        want = np.einsum("ij,ij->i", np.linalg.qr(z)[0], np.linalg.qr(z)[0])
        self.check("leverages", deviation(found["leverages"][1], want), 1e-9)
        self.show(found, "ols")


SUITES = ("classical", "robust", "influence")


def main(arguments=None):
    return run(lambda options: Inference(options.quick, options.rounds), SUITES, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
