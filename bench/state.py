# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Answers from the Gram state: ridge with cross-validation, and streams of rows from disk.

    python -m bench.state                       # both suites
    python -m bench.state stream --gigabytes 4
    python -m bench.state --quick 50            # a smoke run: answers checked, times no evidence
"""

import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import numpy as np

import fastlsq
from bench import roofline
from bench.rounds import Suite, interleave, run

BLOCK = 2**22  # rows written at a time


class StateSuite(Suite):
    """The suites of this file."""

    def __init__(self, quick, rounds, gigabytes):
        super().__init__(quick, rounds)
        self.gigabytes = gigabytes

    def ridge(self):
        """200,000 x 128, 100 alphas: exact leave-one-out, generalised and 5-fold, beside scikit-learn's RidgeCV."""
        n, p = self.rows(200_000, 600), 128
        x = self.rng.standard_normal((n, p))
        y = x @ (0.1 * self.rng.standard_normal(p)) + self.rng.standard_normal(n)
        alphas = np.logspace(-2, 4, 100)
        calls = {f"ridge_cv {cv}": lambda cv=cv: fastlsq.ridge_cv(x, y, alphas, cv=cv) for cv in ("loo", "gcv", 5)}
        calls["ridge, one alpha"] = lambda: fastlsq.ridge(x, y, 100.0)
        calls["lstsq"] = lambda: fastlsq.lstsq(x, y)
        found = interleave(calls, self.rounds)
        grown = _anonymous_peak()
        ours, fit = found["ridge_cv loo"]
        for name, (seconds, _) in found.items():
            self.line(name, seconds, f"{seconds / found['lstsq'][0]:6.2f} x lstsq")
        try:
            from sklearn.linear_model import RidgeCV
        except ImportError as error:
            print(f"  RidgeCV: not run ({error})")
            self._check_left_out(x, y, alphas, fit)
            return
        start = time.perf_counter()
        peer = RidgeCV(alphas).fit(x, y)
        seconds = time.perf_counter() - start
        self.line("scikit-learn RidgeCV, its default", seconds, f"{seconds / ours:6.1f} x ridge_cv loo, one round")
        self.check("RidgeCV alpha", abs(peer.alpha_ / fit.alpha - 1), 1e-12)
        self.check("RidgeCV coef", float(np.abs(peer.coef_ - fit.coef).max()), 1e-9)
        megabytes = [size / 2**20 for size in (grown, _anonymous_peak(), x.nbytes)]
        print("  peak of memory: {:.0f} MiB after ours, {:.0f} after RidgeCV, of it X {:.0f}".format(*megabytes))
        self._check_left_out(x, y, alphas, fit)

    def _check_left_out(self, x, y, alphas, fit):
        for alpha in (alphas[0], alphas[-1]):  # by leverages from a QR of all rows
            self.check(f"leave-one-out {alpha:g}", self._left_out_error(x, y, alpha, fit), 1e-9)

    def _left_out_error(self, x, y, alpha, fit):
        """Relative error of the score of an alpha against leverages by QR of the augmented rows."""
        mean, level = x.mean(axis=0), y.mean()
        rows = np.vstack([x - mean, np.sqrt(alpha) * np.eye(x.shape[1])])
        q, r = np.linalg.qr(rows)
        b = np.linalg.solve(r, q[: len(x)].T @ (y - level))
        leverage = np.einsum("ij,ij->i", q[: len(x)], q[: len(x)]) + 1.0 / len(x)
        left_out = ((y - level - (x - mean) @ b) / (1.0 - leverage)) ** 2
        place = int(np.flatnonzero(fit.alphas == alpha)[0])
        return abs(left_out.mean() / fit.scores[place] - 1)

    def stream(self):
        """Gram.update_from of rows of 16 columns on disk, in the page cache: beside a read of the same bytes."""
        n, p = int(self.gigabytes * 1e9 / self.quick) // 128, 16
        beta = np.arange(1.0, p + 1)
        with tempfile.TemporaryDirectory() as folder:
            x = np.memmap(Path(folder, "x"), np.float64, "w+", shape=(n, p))
            y = np.empty(n)
            for start in range(0, n, BLOCK):
                rows = self.rng.standard_normal((min(BLOCK, n - start), p), np.float32)
                x[start : start + len(rows)] = rows
                y[start : start + len(rows)] = rows @ beta + 1.0
            x.flush()
            x = np.memmap(Path(folder, "x"), np.float64, "r", shape=(n, p))
            probe = roofline.Probe()
            times, reads, passes, before = [], [], [], _anonymous()
            for _ in range(self.rounds + 1):
                reads.append((x.nbytes + y.nbytes) / probe.bandwidth())
                start = time.perf_counter()
                state = fastlsq.Gram().update_from(fastlsq.row_chunks(x, y))
                times.append(time.perf_counter() - start)
                start = time.perf_counter()
                whole = fastlsq.Gram().update(x, y)
                passes.append(time.perf_counter() - start)
            grown = _anonymous() - before
            seconds, read = median(times[1:]), median(reads[1:])
            remark = f"{100 * read / seconds:5.1f} % of the read bandwidth, anonymous memory +{grown / 2**20:.1f} MiB"
            self.line(f"({n}, {p}), {x.nbytes / 1e9:.1f} GB", seconds, remark)
            once = median(passes[1:])
            self.line("one update of the same mapping", once, f"the stream takes {seconds / once:.2f} x")
            self.check("stream, bits of one update", float(np.abs(state.ols().coef - whole.ols().coef).max()), 0.0)
            self.check("stream", float(np.abs(state.ols().coef - beta).max()), 1e-5)


def _status(field):
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) * 1024
    return 0


def _anonymous():
    """Anonymous resident memory, in bytes."""
    return _status("RssAnon:")


def _anonymous_peak():
    """Most resident memory so far, in bytes."""
    return _status("VmHWM:")


SUITES = ("ridge", "stream")


def main(arguments=None):
    def add(parser):
        parser.add_argument("--gigabytes", type=float, default=10.0, help="size of the stream")

    def make(options):
        return StateSuite(options.quick, options.rounds, options.gigabytes)

    return run(make, SUITES, __doc__, arguments, rounds=5, add=add)


if __name__ == "__main__":
    sys.exit(main())
