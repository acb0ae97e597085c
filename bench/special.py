# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""What the table of shapes does not show: tiny problems, batches, groups, many targets, factors, layouts, threads.

    python -m bench.special                       # all suites
    python -m bench.special batched grouped       # some
    python -m bench.special --quick 50            # a smoke run: answers checked, times no evidence

Each suite interleaves its methods round by round, checks every answer, and prints medians beside what was probed in the
same rounds.  A wrong answer makes the exit status 1.
"""

import sys
import time
from statistics import median

import numpy as np

import fastlsq
from bench import machine, roofline
from bench.rounds import Suite, interleave, repeated, run
from fastlsq._core import lib
from fastlsq._threads import resolve


class Special(Suite):
    """The suites of this file."""

    # ---- the suites -----------------------------------------------------------------------------------------------

    def latency(self):
        """One (20, 3) problem: the whole call."""
        from scipy.linalg import lstsq as scipy_lstsq

        a, b = self.rng.standard_normal((20, 3)), self.rng.standard_normal(20)
        count = max(2000 // self.quick, 10)
        calls = {
            "fastlsq.lstsq": lambda: fastlsq.lstsq(a, b),
            "numpy.linalg.lstsq": lambda: np.linalg.lstsq(a, b, rcond=None),
            "scipy.linalg.lstsq": lambda: scipy_lstsq(a, b),
            "numpy normal equations": lambda: np.linalg.solve(a.T @ a, a.T @ b),
        }
        found = interleave({name: repeated(call, count) for name, call in calls.items()}, self.rounds, 0)
        ours = found["fastlsq.lstsq"][0] / count
        self.check("latency", np.abs(found["fastlsq.lstsq"][1].x - found["numpy.linalg.lstsq"][1][0]).max(), 1e-12)
        for name, (seconds, _) in found.items():
            self.line(name, seconds / count, f"{seconds / count / ours:6.2f} x", 1e6, "us")

    def batched(self):
        """100,000 problems of (100, 5)."""
        count = self.rows(100_000)
        a, b = self.rng.standard_normal((count, 100, 5)), self.rng.standard_normal((count, 100))

        def normal_equations():
            at = a.transpose(0, 2, 1)
            return np.linalg.solve(at @ a, at @ b[..., None])[..., 0]

        calls = {"fastlsq.lstsq": lambda: fastlsq.lstsq(a, b).x, "numpy batched normal equations": normal_equations}
        try:
            import torch

            ta, tb = torch.from_numpy(a), torch.from_numpy(b)[..., None]
            calls["torch.linalg.lstsq gels"] = lambda: torch.linalg.lstsq(ta, tb, driver="gels")[0][..., 0].numpy()
        except ImportError as error:
            print(f"  torch.linalg.lstsq: not run ({error})")
        found = interleave(calls, self.rounds)
        read = (a.nbytes + b.nbytes) / roofline.Probe().bandwidth()
        ours, x = found["fastlsq.lstsq"]
        for name, (seconds, answer) in found.items():
            self.check(f"batched {name}", np.abs(answer - x).max(), 1e-12)
            self.line(name, seconds, f"{seconds / ours:6.2f} x  {seconds / read:5.2f} reads of a and b")

    def grouped(self):
        """1M rows in 50,000 unsorted integer groups, 4 columns and an intercept."""
        n = self.rows(1_000_000, 4000)
        count = n // 20
        x, groups = self.rng.standard_normal((n, 4)), self.rng.integers(0, count, n)
        y = x.sum(axis=1) + self.rng.standard_normal(n)
        order = np.argsort(groups, kind="stable")
        sorted_x, sorted_y, sorted_groups = x[order], y[order], groups[order]

        def loop():
            keys, first = np.unique(sorted_groups, return_index=True)
            coef = np.full((len(keys), 5), np.nan)
            for i, (start, end) in enumerate(zip(first, np.append(first[1:], n), strict=True)):
                if end - start >= 5:
                    a = np.column_stack([sorted_x[start:end], np.ones(end - start)])
                    coef[i] = np.linalg.lstsq(a, sorted_y[start:end], rcond=None)[0]
            return coef

        calls = {
            "fastlsq.grouped_ols": lambda: fastlsq.grouped_ols(x, y, groups),
            "the same, rows sorted": lambda: fastlsq.grouped_ols(sorted_x, sorted_y, sorted_groups),
            "numpy.unique of the labels": lambda: np.unique(groups),
        }
        found = interleave(calls, self.rounds)
        found["loop of numpy.linalg.lstsq over sorted rows"] = interleave({"loop": loop}, 1)["loop"]  # long enough
        ours, fit = found["fastlsq.grouped_ols"]
        want = found["loop of numpy.linalg.lstsq over sorted rows"][1]
        answered = fit.rank >= 0
        got = np.column_stack([fit.coef, fit.intercept])
        size = np.abs(want[answered]).max(axis=1)[:, None]
        self.check("grouped", np.nanmax(np.abs(got - want)[answered] / size), 1e-9)
        for name, (seconds, _) in found.items():
            self.line(name, seconds, f"{seconds / ours:6.2f} x")

    def targets(self):
        """(200,000, 128) with 64 targets: the Gram pass and the residual pass."""
        n, p, k = self.rows(200_000, 512), 128, 64
        x, y = self.rng.standard_normal((n, p)), self.rng.standard_normal((n, k))
        b = self.rng.standard_normal((p, k))
        g, rss, probe, peaks = np.empty((p, k)), np.empty(k), roofline.Probe(), []

        def gram():
            state = lib.Moments(p, k, False)
            state.update(x, y, None, None, None, resolve())
            return state

        calls = {
            "peak": lambda: peaks.append(probe.flops()),
            "Gram pass": gram,
            "residual pass": lambda: lib.residual(x, y, None, None, None, False, b, g, rss, None, resolve()),
            "numpy X.T @ X, X.T @ Y": lambda: (x.T @ x, x.T @ y),
            "numpy Y - X B, X.T @ R": lambda: x.T @ (y - x @ b),
        }
        found = interleave(calls, self.rounds)
        peak = float(np.median(peaks))
        flops = {"Gram pass": n * (p * (p + 1) + 2 * p * k + 2 * k), "residual pass": n * (4 * p * k + 2 * k)}
        zz, yy = np.empty((p, p + k)), np.empty(k)
        found["Gram pass"][1].collect(zz, yy)
        products, gradient = found["numpy X.T @ X, X.T @ Y"][1], found["numpy Y - X B, X.T @ R"][1]
        self.check("targets, Gram", np.abs(zz - np.hstack(products)).max() / n, 1e-12)
        self.check("targets, residual", np.abs(g - gradient).max() / np.abs(gradient).max(), 1e-10)
        for name, (seconds, _) in found.items():
            if name in flops:
                self.line(name, seconds, f"{flops[name] / peak / seconds:6.0%} of the peak ({peak / 1e9:.0f} GFlop/s)")
            elif name != "peak":
                self.line(name, seconds)

    def cholesky(self):
        """The factor alone, beside SciPy's potrf, which overwrites its operand too."""
        from scipy.linalg.lapack import dpotrf

        probe = roofline.Probe()
        for n in (256, 512, 1024, 2048) if self.quick == 1 else (96, 256):
            a = self.rng.standard_normal((n, n)) / np.sqrt(n)
            m = a @ a.T + np.eye(n)
            own, theirs = np.empty((n, n)), np.empty((n, n), order="F")

            def ours(own=own, m=m):
                np.copyto(own, m)
                start = time.perf_counter()
                lib.cholesky(own, resolve())
                return time.perf_counter() - start

            def potrf(theirs=theirs, m=m):
                np.copyto(theirs, m)
                start = time.perf_counter()
                dpotrf(theirs, lower=1, overwrite_a=1, clean=0)
                return time.perf_counter() - start

            peaks, times, others = [], [], []
            for _ in range(self.rounds):
                for values, call in ((peaks, probe.flops), (times, ours), (others, potrf)):
                    time.sleep(roofline.QUIET_SECONDS)
                    values.append(call())
            r = np.triu(own)
            self.check(f"cholesky {n}", np.abs(r.T @ r - m).max(), 1e-12)
            seconds = median(times)
            share = n**3 / 3 / median(peaks) / seconds
            self.line(f"n = {n}", seconds, f"{share:5.0%} of the peak  potrf takes {median(others) / seconds:5.2f} x")

    def layouts(self):
        """Order, weights, intercept and float32 against plain float64 rows: the Gram pass."""
        for n, p in ((4_000_000, 4), (1_000_000, 16), (1_000_000, 32), (500_000, 64), (100_000, 256)):
            n = self.rows(n, 4 * p)
            x, y = self.rng.standard_normal((n, p)), self.rng.standard_normal((n, 1))
            weights, columns = self.rng.uniform(0.5, 2, n), np.asfortranarray(x)

            def gram(x, y=y, weights=None, unit=False, offset=None, p=p):
                state = lib.Moments(p, 1, unit)
                state.update(x, y, weights, None, offset, resolve())
                return state

            narrow = x.astype(np.float32), y.astype(np.float32)
            forms = {
                "plain": lambda x=x: gram(x),
                "F order": lambda x=columns: gram(x),
                "weights": lambda x=x, w=weights: gram(x, weights=w),
                "intercept, shifted": lambda x=x, p=p: gram(x, unit=True, offset=np.full(p + 2, 0.25)),
                "float32": lambda narrow=narrow: gram(*narrow),
            }
            found = interleave(forms, self.rounds)
            plain = found["plain"][0]
            zz, yy = np.empty((p, p + 1)), np.empty(1)
            found["F order"][1].collect(zz, yy)
            self.check(f"layouts {p}", np.abs(zz[:, :p] - x.T @ x).max() / n, 1e-12)
            ratios = "  ".join(f"{name} {found[name][0] / plain:.2f}" for name in forms if name != "plain")
            self.line(f"({n}, {p}) plain", plain, ratios)

    def certificate(self):
        """Condition 1, where up to 64 columns one read is enough, and 1e3, which takes two; bound: the roofline of the
        Gram pass and one more read."""
        shapes = ((4_000_000, 4), (2_000_000, 8), (1_000_000, 16), (1_000_000, 32), (500_000, 64), (200_000, 128))
        for n, p in (*shapes, (100_000, 256), (40_000, 512)):
            n = self.rows(n, 4 * p)
            probe = roofline.Probe()
            x = self.rng.standard_normal((n, p))
            hard = x.copy()
            hard[:, -1] = hard[:, 0] + 1e-3 * hard[:, -1]
            beta = np.ones(p) / np.sqrt(p)
            noise = self.rng.standard_normal(n)
            y, hard_y = x @ beta + noise, hard @ beta + noise
            flops, reads = [], []
            calls = {
                "peak": lambda probe=probe, flops=flops: flops.append(probe.flops()),
                "read": lambda probe=probe, reads=reads: reads.append(probe.bandwidth()),
                "easy": lambda x=x, y=y: fastlsq.lstsq(x, y),
                "hard": lambda x=hard, y=hard_y: fastlsq.lstsq(x, y),
                "numpy": lambda x=x, y=y: np.linalg.solve(x.T @ x, x.T @ y),
            }
            found = interleave(calls, self.rounds)
            bandwidth = float(np.median(reads))
            bound = roofline.gram_seconds(x, y, float(np.median(flops)), bandwidth)
            bound += roofline.operand_bytes(x, y) / bandwidth
            numpy_seconds, answer = found["numpy"]
            for name, words in (("easy", "condition 1"), ("hard", "condition 1e3")):
                seconds, result = found[name]
                rows, left = (x, y - x @ result.x) if name == "easy" else (hard, hard_y - hard @ result.x)
                gradient = np.abs(left @ rows).max() / (np.linalg.norm(left) * np.sqrt(n))
                self.check(f"certificate {p}, {words}", gradient, 1e-13)
                if name == "easy":
                    self.check(f"certificate {p}", np.abs(result.x - answer).max(), 1e-10)
                self.line(
                    f"({n}, {p}) {words}",
                    seconds,
                    f"{result.info.passes} passes  {seconds / bound:.2f} of the bound  "
                    f"numpy normal equations {numpy_seconds / seconds:.2f} x",
                )

    def scaling(self):
        """The same work on 1, 2, ... threads."""
        n, p = self.rows(500_000, 512), 64
        x, y = self.rng.standard_normal((n, p)), self.rng.standard_normal(n)
        threads = [t for t in (1, 2, 4, 8, 16, 32, 64) if t <= machine.cores()]
        calls = {f"lstsq ({n}, {p}), {t} threads": lambda t=t: fastlsq.lstsq(x, y, n_threads=t).x for t in threads}
        found = interleave(calls, self.rounds)
        first, x1 = next(iter(found.values()))
        for name, (seconds, answer) in found.items():
            self.check(name, float(np.abs(answer - x1).max()), 0.0)
            self.line(name, seconds, f"{first / seconds:6.2f} x one thread, same bits")

    def bounded(self):
        """NNLS: 10,000 right-hand sides of (500, 50), beside a loop over a tenth of them; and one of (200,000, 30)."""
        from scipy.optimize import nnls as scipy_nnls

        n, p, k = self.rows(500, 120), 50, self.rows(10_000, 40)
        some = max(k // 10, 4)
        a = self.rng.standard_normal((n, p))
        b = a @ np.maximum(self.rng.standard_normal((p, k)), 0) + np.sqrt(p) * self.rng.standard_normal((n, k))
        calls = {
            f"fastlsq.nnls, {k} targets": lambda: fastlsq.nnls(a, b),
            f"loop of scipy.optimize.nnls, {some} targets": lambda: [scipy_nnls(a, b[:, t]) for t in range(some)],
        }
        found = interleave(calls, self.rounds)
        (ours, fit), (theirs, answers) = found.values()
        x, rnorm = np.array([x for x, _ in answers]).T, np.array([r for _, r in answers])
        self.check("bounded, x", np.abs(fit.x[:, :some] - x).max() / np.abs(x).max(), 1e-11)
        self.check("bounded, rnorm", np.abs(fit.rnorm[:some] / rnorm - 1).max(), 1e-11)
        self.check("bounded, kkt", fit.info.kkt, 1e-14)
        for name, (seconds, _) in found.items():
            self.line(name, seconds)
        self.line("the loop, for all targets", theirs * k / some, f"{theirs * k / some / ours:6.2f} x")

        n, p = self.rows(200_000, 512), 30
        a = np.abs(self.rng.standard_normal((n, p)))
        b = a @ np.maximum(self.rng.standard_normal(p), 0) + self.rng.standard_normal(n)
        calls = {
            f"fastlsq.nnls ({n}, {p})": lambda: fastlsq.nnls(a, b),
            f"scipy.optimize.nnls ({n}, {p})": lambda: scipy_nnls(a, b),
        }
        found = interleave(calls, self.rounds)
        (ours, fit), (theirs, (x, rnorm)) = found.values()
        self.check("bounded, one", np.abs(fit.x - x).max() / np.abs(x).max(), 1e-11)
        self.check("bounded, one rnorm", abs(fit.rnorm / rnorm - 1), 1e-11)
        for name, (seconds, _) in found.items():
            self.line(name, seconds, f"{seconds / ours:6.2f} x")

    def equality(self):
        """Equality constraints, (200,000, 30) and 5 of them, beside LAPACK's gglse."""
        from scipy.linalg.lapack import dgglse, dgglse_lwork

        n, p, q = self.rows(200_000, 512), 30, 5
        a, b = self.rng.standard_normal((n, p)), self.rng.standard_normal(n)
        c, d = self.rng.standard_normal((q, p)), self.rng.standard_normal(q)
        columns, lwork = np.asfortranarray(a), int(dgglse_lwork(n, p, q)[0])
        calls = {
            "fastlsq.lstsq_equality": lambda: fastlsq.lstsq_equality(a, b, c, d).x,
            "gglse": lambda: dgglse(columns, c, b, d, lwork=lwork)[3],
        }
        found = interleave(calls, self.rounds)
        (ours, x), (_, want) = found.values()
        self.check("equality", np.abs(x - want).max() / np.abs(want).max(), 1e-11)
        self.check("equality, constraints", np.abs(c @ x - d).max() / np.abs(d).max(), 1e-13)
        for name, (seconds, _) in found.items():
            self.line(name, seconds, f"{seconds / ours:6.2f} x")


SUITES = ("latency", "batched", "grouped", "bounded", "equality", "targets", "cholesky", "layouts", "certificate",
          "scaling")


def main(arguments=None):
    return run(lambda options: Special(options.quick, options.rounds), SUITES, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
