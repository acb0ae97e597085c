# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Hard problems beside LAPACK's gelsd: ill-conditioned, dependent and wide ones, tiny and large.

    python -m bench.ladder
    python -m bench.ladder --quick 20             # a smoke run: answers checked, times no evidence

The methods take turns round by round; every answer is checked: its backward error and rank, and of dependent and wide
problems the length against that of gelsd's.  A wrong answer makes the exit status 1.
"""

import argparse
import sys

import numpy as np
from scipy.linalg import lstsq as scipy_lstsq

import fastlsq
from bench import machine
from bench.special import interleave, repeated

SHAPES = (
    (20, 3), (100, 8), (300, 30), (1000, 20), (5000, 12), (20_000, 30), (20_000, 100), (20_000, 200), (50_000, 400),
)
KINDS = ("condition 1e7", "condition 1e11", "dependent", "wide", "full, condition 1e7")
UNIT_ROUNDOFF = 2.0**-53
#: seconds that one turn should last at least
TURN = 2e-3


def problem(rng, n, p, kind):
    """(a, b), wide ones n and p exchanged."""
    a = rng.standard_normal((n, p))
    if kind == "wide":
        a = np.ascontiguousarray(a.T)
    elif kind == "dependent":
        a[:, -1] = a[:, 0] + a[:, 1]
    else:
        kappa = float(kind.split()[-1])
        left, right = np.linalg.qr(a)[0], np.linalg.qr(rng.standard_normal((p, p)))[0]
        a = np.ascontiguousarray((left * np.geomspace(1, 1 / kappa, p)) @ right.T)
    return a, a @ rng.standard_normal(a.shape[1]) + rng.standard_normal(len(a))


def backward_error(a, b, x):
    """Estimate of Karlson and Waldén (BIT 37, 1997, 862-869) in units of u."""
    values, right = np.linalg.svd(np.linalg.qr(a, mode="r"), full_matrices=False)[1:]
    r, size = b - a @ x, np.linalg.norm(x)
    part = right @ (r @ a) / np.hypot(values, np.linalg.norm(r) / size)
    return np.linalg.norm(part) / (size * np.linalg.norm(values)) / UNIT_ROUNDOFF


def error_of(a, b, x, reference, kind):
    """In units of u; infinite where the solution is not the shortest."""
    if kind in ("dependent", "wide") and not np.linalg.norm(x) <= (1 + 1e-8) * np.linalg.norm(reference):
        return np.inf
    if kind == "wide":
        return np.linalg.norm(b - a @ x) / (np.linalg.norm(a) * np.linalg.norm(x)) / UNIT_ROUNDOFF
    return backward_error(a, b, x)


def run(shapes, kinds, rounds):
    """(lines that are wrong, ratios), printed on the way."""
    rng, wrong, ratios = np.random.default_rng(20261122), [], []
    for n, p in shapes:
        for kind in kinds:
            a, b = problem(rng, n, p, kind)
            accuracy = "full" if kind.startswith("full") else "qr"
            count = max(1, int(TURN / (2e-5 + 1e-9 * n * p * min(n, p))))
            calls = {
                "ours": repeated(lambda a=a, b=b, accuracy=accuracy: fastlsq.lstsq(a, b, accuracy=accuracy), count),
                "gelsd": repeated(lambda a=a, b=b: scipy_lstsq(a, b), count),
            }
            found = interleave(calls, rounds)
            (ours, result), (gelsd, reference) = found["ours"], found["gelsd"]
            info, name = result.info, f"({a.shape[0]}, {a.shape[1]}) {kind}"
            error = error_of(a, b, result.x, reference[0], kind)
            # of which rounding the residual for this check is some
            if not error <= 8 or result.rank != p - (kind == "dependent"):
                wrong.append(f"{name}: backward error {error:.1f}u, rank {result.rank}")
            ratios.append((gelsd / ours, name))
            print(f"  {name:36} {ours / count * 1e3:9.3f} ms  gelsd {gelsd / count * 1e3:9.3f} ms  "
                  f"{gelsd / ours:6.2f} x  {info.path}, {info.passes} reads")
    return wrong, ratios


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m bench.ladder", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", type=int, default=1, help="divide the rows of large problems by this: a smoke run")
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args(arguments)
    machine.print_facts(machine.facts())
    shapes = [(max(n // options.quick, 4 * p, min(n, 1000)), p) for n, p in SHAPES if options.quick == 1 or p <= 100]
    wrong, ratios = run(shapes, KINDS, options.rounds)
    worst, where = min(ratios)
    print(f"\nthe least: {worst:.2f} x gelsd, {where}")
    for message in wrong:
        print(f"WRONG  {message}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
