# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Elastic net: cross-validation and paths against scikit-learn, celer and skglm.

    python -m bench.elastic_net                       # all suites
    python -m bench.elastic_net cv                    # one
    python -m bench.elastic_net --slow                # celer and skglm too: up to an hour for the cross-validation
    python -m bench.elastic_net --quick 50            # a smoke run: answers checked, times no evidence

Methods are interleaved round by round; the slow ones have one turn after them.  Peers stop at
their own tolerances, which are looser than ours; the objective of each answer is computed from the rows, and ours may
not be above a peer's.  A wrong answer makes the exit status 1.
"""

import sys
import time
import warnings
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

import numpy as np

import fastlsq
from bench.rounds import Suite, interleave, run

RATIO, ALPHAS, FOLDS = 0.5, 100, 5


def objective(x, y, coef, intercept, alpha):
    """What all of them minimise, from the rows."""
    r = y - intercept - x @ coef
    return r @ r / (2 * len(y)) + alpha * (RATIO * np.abs(coef).sum() + 0.5 * (1 - RATIO) * coef @ coef)


def celer_path(x, y, alphas):
    from celer import celer_path as path

    return path(x, y, pb="lasso", alphas=alphas, l1_ratio=RATIO)[1]


def skglm_path(x, y, alphas):
    from skglm.datafits import Quadratic
    from skglm.penalties import L1_plus_L2
    from skglm.solvers import AndersonCD
    from skglm.utils.jit_compilation import compiled_clone

    solver = AndersonCD(fit_intercept=False, warm_start=True)
    return solver.path(x, y, compiled_clone(Quadratic()), compiled_clone(L1_plus_L2(1.0, RATIO)), alphas)[1]


def compile_peers():
    """Those that compile themselves do it here, outside the clock."""
    x = np.asfortranarray(np.eye(6, 3) - 1 / 6)
    for package, path in (("celer", celer_path), ("skglm", skglm_path)):
        if find_spec(package) is not None:
            path(x, x[:, 0].copy(), np.array([1e-3]))


def path_peers(x, y, alphas):
    """Calls that return the coefficients (alphas, p) of a path; y and the columns of x have mean 0."""
    columns = np.asfortranarray(x)

    def scikit_learn():
        from sklearn.linear_model import enet_path

        return enet_path(x, y, l1_ratio=RATIO, alphas=alphas)[1].T

    return {"scikit-learn": scikit_learn}, {"celer": lambda: celer_path(columns, y, alphas).T,
            "skglm": lambda: skglm_path(columns, y, alphas).T}


def cv_peers(x, y, alphas):
    """Calls that return (mean squared errors (alphas, folds), coefficients, intercept, alpha)."""

    def model(kind, **rest):
        fit = kind(l1_ratio=RATIO, cv=FOLDS, **rest).fit(x, y)
        return fit.mse_path_, fit.coef_, fit.intercept_, fit.alpha_

    def scikit_learn():
        from sklearn.linear_model import ElasticNetCV

        return model(ElasticNetCV, alphas=ALPHAS)

    def scikit_learn_jobs():
        from sklearn.linear_model import ElasticNetCV

        return model(ElasticNetCV, alphas=ALPHAS, n_jobs=-1)

    def by_folds(path):
        """For those whose cross-validation is missing or does not run beside this scikit-learn."""
        errors = np.empty((ALPHAS, FOLDS))
        for k, test in enumerate(np.array_split(np.arange(len(y)), FOLDS)):
            train = np.ones(len(y), bool)
            train[test] = False
            coef, level = centred(path, x[train], y[train], alphas)
            errors[:, k] = ((y[test][:, None] - x[test] @ coef - level) ** 2).mean(axis=0)
        best = errors.mean(axis=1).argmin()
        coef, level = centred(path, x, y, alphas[best : best + 1])
        return errors, coef[:, 0], level[0], alphas[best]

    def centred(path, x, y, alphas):
        mean, level = x.mean(axis=0), y.mean()
        coef = path(np.asfortranarray(x - mean), y - level, alphas)
        return coef, level - mean @ coef

    return {"scikit-learn": scikit_learn, "scikit-learn, n_jobs=-1": scikit_learn_jobs}, {
            "celer": lambda: by_folds(celer_path), "skglm": lambda: by_folds(skglm_path)}


def timed(ours, peers, slow, rounds):
    """As interleave; the slow ones have one turn, compiled on few rows before."""
    found = interleave(ours | installed(peers), rounds)
    for name, call in installed(slow).items():
        start = time.perf_counter()
        answer = call()
        found[name] = time.perf_counter() - start, answer
    return found


def installed(peers):
    """Those whose package is there."""
    found = {}
    for name, call in peers.items():
        package = name.split(",")[0]
        try:
            found[f"{package} {version(package)}{name[len(package):]}"] = call
        except PackageNotFoundError as error:
            print(f"  {name}: not run ({error})")
    return found


class ElasticNet(Suite):
    """The suites of this file."""

    def __init__(self, quick, rounds, slow):
        super().__init__(quick, rounds)
        self.slow = slow

    def data(self, n, p, used=20):
        x, beta = self.rng.standard_normal((n, p)), np.zeros(p)
        beta[: min(used, p)] = self.rng.standard_normal(min(used, p))
        return x, x @ beta + 3 * self.rng.standard_normal(n)

    def timed(self, ours, peers, slow):
        if not self.slow:
            print(f"  {', '.join(slow)}: not run (--slow)")
        return timed(ours, peers, slow if self.slow else {}, self.rounds)

    def check_that(self, name, holds):
        if not holds:
            self.wrong.append(name)

    def lines(self, found, ours, remarks):
        for name, (seconds, _) in found.items():
            ratio = seconds / found[ours][0]
            print(f"  {name:44} {seconds * 1e3:10.1f} ms  {ratio:7.2f} x  {remarks.get(name, '')}")

    def cv(self):
        """100 alphas, 5 folds, l1_ratio 0.5: 200,000 x 200."""
        n, p = max(200_000 // self.quick, 500), 200
        x, y = self.data(n, p)
        alphas = fastlsq.elastic_net_path(x, y).alphas
        ours = {"fastlsq": lambda: fastlsq.elastic_net_cv(x, y)}
        found = self.timed(ours, *cv_peers(x, y, alphas))
        fit, remarks = found["fastlsq"][1], {}
        self.check_that("cv: not converged", fit.converged and fit.folds_converged)
        for name, (_, answer) in found.items():
            if name == "fastlsq":
                continue
            errors, coef, level, alpha = answer
            mine = fastlsq.elastic_net(x, y, alpha)
            theirs, ours = objective(x, y, coef, level, alpha), objective(x, y, mine.coef, mine.intercept, alpha)
            apart = np.abs(errors / fit.mse_path[0] - 1).max()
            self.check_that(f"cv: objective above that of {name}", ours <= theirs * (1 + 1e-10))
            self.check_that(f"cv: errors of folds differ from {name} by {apart:.1e}", apart < 2e-2)
            remarks[name] = f"objective above ours {theirs / ours - 1:.1e}, errors differ by {apart:.1e}"
        self.lines(found, "fastlsq", remarks)

    def path(self):
        """One path of 100 alphas: many rows, correlated columns, fewer rows than columns."""
        shapes = (("200,000 x 200", 200_000, 200, 0.0), ("20,000 x 300, correlation 0.5", 20_000, 300, 0.5),
                  ("300 x 2,000", 300, 2000, 0.0))
        for words, n, p, correlation in shapes:
            n, p = (max(n // self.quick, 200), p) if n > p else (max(n // self.quick, 50), max(p // self.quick, 300))
            x, y = self.data(n, p)
            if correlation:
                x = np.sqrt(1 - correlation) * x + np.sqrt(correlation) * self.rng.standard_normal((n, 1))
            x, y = x - x.mean(axis=0), y - y.mean()
            alphas = fastlsq.elastic_net_path(x, y, n_alphas=ALPHAS, eps=1e-2).alphas
            calls = {f"fastlsq ({n} x {p})": lambda x=x, y=y, a=alphas: fastlsq.elastic_net_path(x, y, alphas=a)}
            found = self.timed(calls, *path_peers(x, y, alphas))
            ours = next(iter(calls))
            path, remarks = found[ours][1], {}
            self.check_that(f"path {words}: not converged", path.converged.all())
            for name, (_, coef) in found.items():
                if name == ours:
                    continue
                above = [objective(x, y, coef[i], 0.0, alpha) / path.objective[i] - 1 for i, alpha in enumerate(alphas)]
                self.check_that(f"path {words}: objective above that of {name}", min(above) > -1e-10)
                remarks[name] = f"objective above ours at most {max(above):.1e}"
            self.lines(found, ours, remarks)


SUITES = ("cv", "path")


def main(arguments=None):
    def add(parser):
        parser.add_argument("--slow", action="store_true", help="celer and skglm too")

    def make(options):
        # of peers: the checks tell
        warnings.filterwarnings("ignore", message=".*(converge|Objective|iterations|compiled).*")
        if options.slow:
            compile_peers()
        return ElasticNet(options.quick, options.rounds, options.slow)

    return run(make, SUITES, __doc__, arguments, rounds=3, add=add)


if __name__ == "__main__":
    sys.exit(main())
