# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""What many tests share: the kernels this CPU can run, integer data whose sums are exact, the NIST problems."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from fastlsq._core import lib

KERNELS = [name for name, runs in lib.kernels_built().items() if runs]
NIST = Path(__file__).parent / "nist"


@pytest.fixture(params=KERNELS)
def kernel(request):
    """Every kernel set this CPU can run, forced in turn."""
    return request.param


@pytest.fixture(params=["qr", "preconditioned"])
def rung(request, monkeypatch):
    """The path of what rung 1 refuses: small problems as they are, and as if they were large."""
    if request.param == "preconditioned":
        as_if_large(monkeypatch)
    return request.param


def as_if_large(monkeypatch):
    monkeypatch.setattr("fastlsq.solve.ladder.is_small", lambda problem: False)
    monkeypatch.setattr("fastlsq.solve.lstsq._in_one_call", lambda *arguments: None)


def integers(rng, shape, low=-8, high=9, dtype=np.float64):
    """Small integers: every sum of products of them is exact in float64."""
    return rng.integers(low, high, shape).astype(dtype)


def moments(x, y=None, weights=None, *, unit=False, n_threads=1, kernel=None, scale=None, offset=None):
    """(zz, yy) of one Gram pass through the core."""
    p, k = x.shape[1], 0 if y is None else y.shape[1]
    state = lib.Moments(p, k, unit, kernel)
    state.update(x, y, weights, scale, offset, n_threads)
    return collected(state)


def collected(state):
    lead = state.p + state.unit
    zz, yy = np.empty((lead, lead + state.k)), np.empty(state.k)
    state.collect(zz, yy)
    return zz, yy


def nist_names():
    return sorted(json.loads((NIST / "certified.json").read_text()))


def nist_problem(name):
    """(X without the column of ones, y, intercept, certified values as floats)."""
    lines = (NIST / f"{name}.dat").read_text().splitlines()[60:]
    data = np.array([[float(field) for field in line.split()] for line in lines if line.strip()])
    y, x = data[:, 0], data[:, 1]
    if name == "Longley":
        columns = data[:, 1:]
    else:
        degree = {"Norris": 1, "Pontius": 2, "Filip": 10, "NoInt1": 1, "NoInt2": 1}.get(name, 5)
        columns = np.column_stack([x**j for j in range(1, degree + 1)])
    certified = json.loads((NIST / "certified.json").read_text())[name]
    values = {
        "beta": np.array([float(Fraction(v)) for v in certified["exact_beta"]]),
        "standard_errors": np.array([float(v) for v in certified["std_err"]]),
        "sigma": float(certified["residual_sd"]),
        "r_squared": float(certified["r2"]),
    }
    return columns, y, not name.startswith("NoInt"), values


def log_relative_error(found, certified):
    """Correct digits, the fewest over the entries, capped at 15."""
    found, certified = np.atleast_1d(found).astype(float), np.atleast_1d(certified).astype(float)
    scale = np.where(certified != 0, np.abs(certified), 1.0)
    error = np.abs(found - certified) / scale
    return float(np.clip(-np.log10(np.maximum(error, 1e-16)), 0, 15).min())
