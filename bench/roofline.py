# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""How fast a Gram pass could be on this machine, and how fast it is.

A pass over [X | 1 | Y] cannot be quicker than the multiply-adds it needs at the measured peak of the cores, nor than
reading its operands at the measured bandwidth.  Both are probed with the package's own kernels and threads, next to
the pass in time, because a shared machine changes its speed from minute to minute.
"""

import time

import numpy as np

from fastlsq._core import lib
from fastlsq._threads import resolve

#: 22 ms of multiply-adds on a 3 GHz AVX2 core: long enough for a steady clock
FMA_SWEEPS = 12_000_000
#: 256 MB of doubles: larger than a last-level cache
READ_DOUBLES = 1 << 25
#: OpenMP and BLAS workers spin for tens of milliseconds after a call; they must be asleep before the next one is timed
QUIET_SECONDS = 0.25


class Probe:
    """Measures peak and bandwidth whenever asked; holds the buffer that is read."""

    def __init__(self, n_threads=None):
        self.n_threads = resolve(n_threads)
        self.buffer = np.ones(READ_DOUBLES)

    def flops(self):
        """Multiply-adds of doubles held in registers, in flop/s over all threads."""
        time.sleep(QUIET_SECONDS)
        seconds, flops = lib.probe_fma(self.n_threads, FMA_SWEEPS)
        return flops / seconds

    def bandwidth(self):
        """Bytes per second read from memory over all threads."""
        time.sleep(QUIET_SECONDS)
        return self.buffer.nbytes / lib.probe_read(self.n_threads, self.buffer)


def operand_bytes(x, y, weights=None):
    """Bytes a pass has to read at least once."""
    return x.nbytes + y.nbytes + (0 if weights is None else weights.nbytes)


def gram_flops(n, p):
    """Flops of the upper triangle of [X | y]'[X | y]: (p+1)(p+2)/2 sums of n multiply-adds."""
    return n * (p + 1) * (p + 2)


def gram_seconds(x, y, flops, bandwidth, weights=None):
    """Roofline of one Gram pass: the slower of its arithmetic at `flops` and its reads at `bandwidth`.

    Sums are in double precision for every input type, so float32 input halves the reads but not the arithmetic.
    Column sums and the scaling by weights are left out: a pass that had them for free would be this fast.
    """
    n, p = x.shape
    return max(gram_flops(n, p) / flops, operand_bytes(x, y, weights) / bandwidth)


def gram_arrays(p):
    """Where `gram_pass` leaves its answer for p columns."""
    return np.empty((p + 1, p + 2)), np.empty(1)


def gram_pass(x, y, out, n_threads=None, weights=None):
    """The fused Gram pass that is timed, from a fresh state into `out` = (zz, yy), which it returns.

    zz = [X|1]'W[X|1|y] and yy = [y'Wy].  They are the caller's, as the result of a BLAS routine is: NumPy takes a new
    array of 4 MB or more from pages of 2 MiB, and for those a virtual machine may pay 4 ms a megabyte.
    """
    zz, yy = out
    moments = lib.Moments(x.shape[1], 1, True)
    moments.update(x, y.reshape(-1, 1), weights, None, None, resolve(n_threads))
    moments.collect(zz, yy, n_threads=resolve(n_threads))
    return out
