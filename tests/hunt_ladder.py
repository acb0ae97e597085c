# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""A long hunt for a false promise of `lstsq`, for a night: exact answers of random problems of every kind.

    python tests/hunt_ladder.py 10000          # problems; 8 ms each
    python tests/hunt_ladder.py 500 --seed 7 --large

Exit status 1 if a backward error is above 4u, an error above its bound, or above ten times that of Householder QR; prints
how useful the bound is.  What a rounding error does to a solution is a matter of luck: QR with its rows in another order
is more than ten times better or worse than itself in one problem of 25.  It is asked five times, and its worst counts.
"""

import argparse
import sys
from collections import Counter

import numpy as np
import pytest
import scipy.linalg
from conftest import as_if_large
from test_ladder import U, backward_error, exact_solution, randsvd, relative_error

import fastlsq

KINDS = ("geometric", "one small", "Vandermonde", "near", "mean", "integers", "heavy", "row scales")


def problem(rng):
    """(kind, a, b): full rank in exact arithmetic, kappa up to 1e14."""
    kind, n, p = str(rng.choice(KINDS)), int(rng.integers(6, 40)), int(rng.integers(1, 7))
    n = max(n, p + 1)
    kappa = 10.0 ** rng.uniform(0, 14)
    a = rng.standard_normal((n, p))
    if kind in ("geometric", "one small") and p > 1:
        a = randsvd(rng, n, p, kappa, kind)
    elif kind == "Vandermonde":
        a = np.vander(np.sort(rng.uniform(-1, 1, n)) + rng.uniform(0, 3), p)
    elif kind == "near" and p > 1:
        a[:, -1] = a[:, 0] + a[:, -1] / kappa
    elif kind == "mean":
        a += 10.0 ** rng.uniform(0, 9)
    elif kind == "integers":
        a = rng.integers(-9, 10, (n, p)).astype(float)
        a[:p] += 20 * np.eye(p)
    elif kind == "heavy":
        a[rng.choice(n, 2, False)] *= 10.0 ** rng.uniform(2, 13)
    elif kind == "row scales":
        a *= 10.0 ** rng.uniform(-9, 0, (n, 1))
    a = a * 2.0 ** rng.integers(-50, 51, p)
    b = a @ (rng.standard_normal(p) / np.linalg.norm(a, axis=0))
    b += 10.0 ** rng.uniform(-12, 3) * np.linalg.norm(b) / np.sqrt(n) * rng.standard_normal(n)
    return kind, a, b


def householder_error(rng, a, b, exact):
    """The largest error of QR, columns scaled to equal length, over five orders of the rows."""
    scale = 2.0 ** -np.round(np.log2(np.linalg.norm(a, axis=0)))
    worst = U
    for _ in range(5):
        order = rng.permutation(len(b))
        q, r = scipy.linalg.qr((a * scale)[order], mode="economic")
        worst = max(worst, relative_error(a, scale * scipy.linalg.solve_triangular(r, q.T @ b[order]), exact))
    return worst


def slopes_are_wrong(number, kind, a, b, ratios):
    """Whether `ols` breaks its bound on the same problem with an intercept, if that is of full rank."""
    n, p = a.shape
    mean = a.mean(axis=0)
    lengths = np.linalg.norm(a - mean, axis=0)
    if n <= p + 1 or (lengths <= 1e-13 * np.abs(mean) * np.sqrt(n)).any():
        return 0
    values = np.linalg.svd((a - mean) / lengths, compute_uv=False)
    if values[-1] <= 1e-13 * values[0]:
        return 0
    found = fastlsq.ols(a, b)
    exact = exact_solution(np.column_stack([np.ones(n), a]), b)[1:]
    error = np.linalg.norm((found.coef - exact) * lengths) / np.linalg.norm(exact * lengths)
    ratios.append(found.info.forward_error / max(error, U))
    if found.info.rank == p and error <= found.info.forward_error + U:
        return 0
    print(f"FAILED {number}: {kind} {a.shape} ols: {error:.1e}, {found.info}")
    return 1


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("problems", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--large", action="store_true", help="climb as problems do that are too large for QR at once")
    options = parser.parse_args(arguments)
    if options.large:
        as_if_large(pytest.MonkeyPatch())
    failures, ratios, worst, paths = 0, {"qr": [], "full": [], "ols": []}, 0.0, Counter()
    beside = []
    for number in range(options.problems):
        rng = np.random.default_rng([options.seed, number])
        kind, a, b = problem(rng)
        exact = exact_solution(a, b)
        householder = householder_error(rng, a, b, exact)
        failures += slopes_are_wrong(number, kind, a, b, ratios["ols"])
        for accuracy in ("qr", "full"):
            found_ratios, found = ratios[accuracy], fastlsq.lstsq(a, b, accuracy=accuracy)
            paths[found.info.path] += 1
            if found.rank < a.shape[1]:
                continue
            backward = backward_error(a, b, found.x) / U
            error = relative_error(a, found.x, exact)
            worst = max(worst, backward)
            found_ratios.append(found.info.forward_error / max(error, U))
            beside.append(error / householder)
            # the exact solution was rounded, too
            if backward > 4 or error > found.info.forward_error + U or error > 10 * householder:
                failures += 1
                print(f"FAILED {number}: {kind} {a.shape} {accuracy}: {backward:.1f}u, {error:.1e}, {found.info}")
    print(f"{options.problems} problems, {failures} failures, backward error at most {worst:.2f}u, paths {dict(paths)}")
    for accuracy, found_ratios in ratios.items():
        print(f"{accuracy}: bound over error, median {np.median(found_ratios):.0f}, least {np.min(found_ratios):.1f}")
    print(f"error over that of QR: median {np.median(beside):.2f}, most {np.max(beside):.1f}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
