# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Draws docs/accuracy_qr.png and docs/accuracy_full.png: error against condition, beside the peers.

    python docs/accuracy_chart.py        # needs mpmath and matplotlib; a minute

Rows of 200 x 10 with geometric singular values, coefficients of size one, noise of 1e-6; exact solutions in 500 bits.
Errors are medians of five problems, relative, in the norm in which columns have equal length.
"""

import sys
import warnings
from pathlib import Path

import mpmath
import numpy as np
import scipy.linalg

import fastlsq

HERE = Path(__file__).parent
N, P, SEEDS, NOISE = 200, 10, 5, 1e-6


def problem(kappa, seed):
    """(a, b, exact solution)."""
    rng = np.random.default_rng([seed, 3])
    left, right = np.linalg.qr(rng.standard_normal((N, P)))[0], np.linalg.qr(rng.standard_normal((P, P)))[0]
    a = (left * np.geomspace(1, 1 / kappa, P)) @ right.T
    b = a @ rng.standard_normal(P)
    b += NOISE * np.linalg.norm(b) / np.sqrt(N) * rng.standard_normal(N)
    with mpmath.workprec(500):
        rows = mpmath.matrix(a.tolist())
        exact = mpmath.lu_solve(rows.T * rows, rows.T * mpmath.matrix(b.tolist()))
    return a, b, np.array([float(v) for v in exact])


def householder(a, b):
    q, r = scipy.linalg.qr(a, mode="economic")
    return scipy.linalg.solve_triangular(r, q.T @ b)


def normal_equations(a, b):
    try:
        return np.linalg.solve(a.T @ a, a.T @ b)
    except np.linalg.LinAlgError:
        return np.full(a.shape[1], np.nan)


METHODS = {
    "normal equations": normal_equations,
    "numpy.linalg.lstsq": lambda a, b: np.linalg.lstsq(a, b)[0],
    "scipy gelsd": lambda a, b: scipy.linalg.lstsq(a, b)[0],
    "scipy gelsy": lambda a, b: scipy.linalg.lstsq(a, b, lapack_driver="gelsy")[0],
    "Householder QR": householder,
}
OURS = {
    "qr": lambda a, b: fastlsq.lstsq(a, b).x,
    "full": lambda a, b: fastlsq.lstsq(a, b, accuracy="full").x,
}


def errors(kappas):
    """{method: median error for each condition number}."""
    methods = METHODS | {f"fastlsq, accuracy={name!r}": call for name, call in OURS.items()}
    found = {name: [] for name in methods}
    for kappa in kappas:
        problems = [problem(kappa, seed) for seed in range(SEEDS)]
        for name, call in methods.items():
            one = []
            for a, b, exact in problems:
                lengths = np.linalg.norm(a, axis=0)
                one.append(np.linalg.norm((call(a, b) - exact) * lengths) / np.linalg.norm(exact * lengths))
            found[name].append(max(float(np.median(one)), 1e-17))
    return found


def main():
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    warnings.simplefilter("ignore")
    kappas = 10.0 ** np.arange(0, 15.5, 0.5)
    found = errors(kappas)
    for accuracy in OURS:
        figure, axes = plt.subplots(figsize=(7, 4.2), layout="constrained")
        for name in METHODS:
            axes.loglog(kappas, found[name], lw=1, label=name)
        own = f"fastlsq, accuracy={accuracy!r}"
        axes.loglog(kappas, found[own], lw=2.5, color="black", label=own)
        axes.set(xlabel="condition number of the rows", ylabel="relative error", ylim=(5e-18, 1e2))
        axes.grid(alpha=0.3)
        axes.legend(fontsize=8, loc="upper left")
        figure.savefig(HERE / f"accuracy_{accuracy}.png", dpi=110)
        plt.close(figure)
    for name, values in found.items():
        print(f"{name:28}", " ".join(f"{value:.0e}" for value in values[::4]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
