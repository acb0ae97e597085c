# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Nothing behind the user's arrays is read: they end where a page begins that may not be touched.

Sanitizers do not see what is read by inline assembly, and their builds do without it.
"""

import subprocess
import sys

import pytest

SCRIPT = """
import ctypes, mmap, sys
import numpy as np
import fastlsq
from fastlsq._core import lib

libc = ctypes.CDLL(None, use_errno=True)
libc.mprotect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
kept = []

def fenced(values):
    page = mmap.PAGESIZE
    room = -(-values.nbytes // page) * page
    memory = mmap.mmap(-1, room + page)
    kept.append(memory)
    base = ctypes.addressof(ctypes.c_char.from_buffer(memory))
    if libc.mprotect(base + room, page, 0) != 0:
        raise OSError(ctypes.get_errno(), "mprotect")
    order = "F" if values.flags.f_contiguous and not values.flags.c_contiguous else "C"
    array = np.ndarray(values.shape, values.dtype, memory, room - values.nbytes, order=order)
    array[...] = values
    return array

rng = np.random.default_rng(0)
sizes = [*range(1, 37), 48, 49, 96, 97, 130]
for p in sizes:
    for n in (p + 5, 131 + p, 1030):
        x, y, w = rng.standard_normal((n, p)), rng.standard_normal((n, 1)), rng.random(n)
        rows, targets, weights = fenced(x), fenced(y), fenced(w)
        for array in (rows, fenced(np.asfortranarray(x)), fenced(x.astype(np.float32))):
            for used in (None, weights):
                moments = lib.Moments(p, 1, True, sys.argv[1])
                moments.update(array, targets, used, None, None, 2)
                b, g, rss = np.ones((p + 1, 1)), np.empty((p + 1, 1)), np.empty(1)
                lib.residual(array, targets, used, None, None, True, b, g, rss, None, 2, sys.argv[1])
                h = np.empty((p + 1, p + 1))
                lib.glm_pass(array, targets, used, None, None, True, "poisson", b.T / (p + 1), targets, 2, None, g.T, h,
                             kernel=sys.argv[1])
        want = np.linalg.lstsq(x, y[:, 0], rcond=None)[0]
        np.testing.assert_allclose(fastlsq.lstsq(rows, targets[:, 0]).x, want, rtol=1e-7, atol=1e-9)
print("untouched", len(kept))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs mprotect as Linux has it")
def test_nothing_behind_the_arrays_is_read(kernel, tmp_path):
    command = [sys.executable, "-c", SCRIPT, kernel]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, cwd=tmp_path)  # not the source tree
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("untouched")
