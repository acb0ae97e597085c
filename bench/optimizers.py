# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Steps of fastlsq.optim on NumPy arrays, beside torch's fused CPU optimizers and a probe of memory.

    python -m bench.optimizers                    # all suites
    python -m bench.optimizers --quick 50         # a smoke run: answers checked, times no evidence
"""

import sys

import numpy as np

import fastlsq as fl
from bench.rounds import Suite, interleave, repeated, run
from fastlsq._core import lib
from fastlsq._threads import resolve


class Optimizers(Suite):
    """The suites of this file."""

    def large(self):
        """One step over 10M float32 parameters; the probe adds one array to three of as many bytes."""
        n = self.rows(10_000_000) // 2 * 2
        threads = resolve(None)
        g = 1e-2 * self.rng.standard_normal(n, np.float32)
        start = self.rng.standard_normal(n, np.float32)
        probe = [np.ones(n // 2) for _ in range(4)]
        rules = {"AdamW": {"lr": 1e-3, "weight_decay": 1e-2}, "Adam": {"lr": 1e-3},
                 "SGD": {"lr": 1e-3, "momentum": 0.9}}
        ours = {name: start.copy() for name in rules}
        made = {name: getattr(fl.optim, name)(**settings) for name, settings in rules.items()}
        calls = {"probe": lambda: lib.probe_update(threads, *probe)}
        calls |= {f"fastlsq {name}": lambda name=name: made[name].step(ours[name], g) for name in rules}
        theirs, peers = {}, {}
        try:
            import torch
        except ImportError as error:
            print(f"  torch: not run ({error})")
        else:
            torch.set_num_threads(threads)
            for name, settings in rules.items():
                theirs[name] = torch.tensor(start, requires_grad=True)
                theirs[name].grad = torch.tensor(g)
                peers[name] = getattr(torch.optim, name)([theirs[name]], fused=True, **settings)
                calls[f"torch {name}, fused"] = peers[name].step
        found = interleave(calls, self.rounds)
        read_and_written = found["probe"][0]
        self.line("probe of memory, 7 passes", read_and_written, f"{28e-9 * n / read_and_written:6.1f} GB/s")
        for name in rules:
            seconds = found[f"fastlsq {name}"][0]
            share = {"SGD": 5 / 7}.get(name, 1.0)  # SGD moves five arrays, not seven
            remark = f"{100 * share * read_and_written / seconds:5.1f} % of the probe"
            if name in peers:
                peer = found[f"torch {name}, fused"][0]
                remark += f", torch {peer * 1e3:.1f} ms: {peer / seconds:.2f} x"
                error = np.abs(ours[name] - theirs[name].detach().numpy()).max()
                self.check(f"{name} beside torch", float(error), 1e-5)
            self.line(f"fastlsq {name}", seconds, remark)
        ours_seconds = found["fastlsq AdamW"][0]
        self._target("AdamW, share of the probe", read_and_written / ours_seconds, 0.85)
        if "AdamW" in peers:
            self._target("AdamW, torch's time over ours", found["torch AdamW, fused"][0] / ours_seconds, 1.3)

    def _target(self, name, found, least):
        print(f"  target: {name} {found:.2f} >= {least}: {'held' if found >= least else 'missed'}")

    def small(self):
        """One step of Adam over the arrays of a small network, 784-128-10, float32."""
        shapes = [(784, 128), (128,), (128, 10), (10,)]
        ours = [self.rng.standard_normal(shape).astype(np.float32) for shape in shapes]
        grads = [1e-2 * self.rng.standard_normal(shape).astype(np.float32) for shape in shapes]
        count = max(1000 // self.quick, 10)
        optimizer = fl.optim.Adam()
        calls = {"fastlsq Adam": repeated(lambda: optimizer.step(ours, grads), count)}
        theirs = []
        try:
            import torch
        except ImportError as error:
            print(f"  torch: not run ({error})")
        else:
            torch.set_num_threads(resolve(None))
            theirs = [torch.tensor(a, requires_grad=True) for a in ours]
            for tensor, g in zip(theirs, grads, strict=True):
                tensor.grad = torch.tensor(g)
            calls["torch Adam, fused"] = repeated(torch.optim.Adam(theirs, fused=True).step, count)
        found = interleave(calls, self.rounds)
        for name, (seconds, _) in found.items():
            self.line(name, seconds / count, unit=1e6, suffix="us")
        for a, tensor in zip(ours, theirs, strict=False):
            self.check("network beside torch", float(np.abs(a - tensor.detach().numpy()).max()), 1e-2)


SUITES = ("large", "small")


def main(arguments=None):
    return run(lambda options: Optimizers(options.quick, options.rounds), SUITES, __doc__, arguments)


if __name__ == "__main__":
    sys.exit(main())
