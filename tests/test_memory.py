# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""No temporary grows with the rows: peak memory beyond the input, of a fresh process."""

import subprocess
import sys

import pytest

pytest.importorskip("resource")

PROGRAM = """
import resource
import numpy as np
import fastlsq

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024 if {darwin} else 1)

x = np.ones(({n}, {p}), {dtype!r}, order={order!r})
y, w = np.empty({n}, x.dtype), np.ones({n})
for start in range(0, {n}, 1000):  # without a temporary that would hide those of the call
    rows = np.arange(start, start + 1000)
    x[rows, 1:], y[rows] = rows[:, None] % np.arange(7, 6 + {p}), rows % 5
small = slice(0, 3000)
def fit(rows):
    {call}
fit(small)
before = peak()
fit(slice(None))
print(peak() - before)
"""

CALLS = {
    "lstsq": "fastlsq.lstsq(x[rows], y[rows])",
    "lstsq, threads": "fastlsq.lstsq(x[rows], y[rows], n_threads=4)",
    "weights": "fastlsq.lstsq(x[rows], y[rows], weights=w[rows])",
    "ols": "fastlsq.ols(x[rows, 1:], y[rows])",
    "ols, HC1": "fastlsq.ols(x[rows, 1:], y[rows], cov='HC1')",
    "ols, HC3": "fastlsq.ols(x[rows, 1:], y[rows], weights=w[rows], cov='HC3')",
    "ols, HAC": "fastlsq.ols(x[rows, 1:], y[rows], cov='HAC', lags=20)",
    "influence": "[None for block in fastlsq.ols(x[rows, 1:], y[rows]).influence(x[rows, 1:], y[rows])]",
    "Gram": "fastlsq.Gram().update(x[rows, 1:], y[rows]).ols()",
    "stream": "fastlsq.Gram().update_from(fastlsq.row_chunks(x[rows], y[rows], w[rows], rows=50_000)).ridge()",
    "ridge": "fastlsq.ridge(x[rows, 1:], y[rows], 1e-3, weights=w[rows])",
    "leave-one-out": "fastlsq.ridge_cv(x[rows, 1:], y[rows], weights=w[rows])",
    "folds": "fastlsq.ridge_cv(x[rows, 1:], y[rows], cv=5)",
    "elastic net, folds": "fastlsq.elastic_net_cv(x[rows, 1:], y[rows])",
    "nnls": "fastlsq.nnls(x[rows], y[rows])",
}


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize(("dtype", "order"), [("f8", "C"), ("f8", "F"), ("f4", "C")])
def test_peak(call, dtype, order, tmp_path):
    n, p = 1_000_000, 8
    program = PROGRAM.format(n=n, p=p, dtype=dtype, order=order, call=CALLS[call], darwin=sys.platform == "darwin")
    # elsewhere, so that the installed package is imported and not its sources
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=300, cwd=tmp_path)
    assert run.returncode == 0, run.stderr
    kibibytes = int(run.stdout)
    assert kibibytes < 6000, f"{kibibytes} KiB beyond an input of {n * p * int(dtype[1]) // 1024} KiB"
