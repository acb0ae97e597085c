# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The boundary between Python and the C core: buffers in, status out, no arithmetic.

One extension module, one included room for each room of csrc/.  Callers hand over arrays that fastlsq._arrays has
checked; shapes that do not fit each other are a programming error here and raise ValueError.
"""
from fastlsq._core.csrc cimport *
from libc.stdint cimport int8_t, int64_t, uint64_t

include "buffers.pxi"
include "machine.pxi"
include "gram.pxi"
include "residual.pxi"
include "scores.pxi"
include "glm.pxi"
include "cholesky.pxi"
include "solve.pxi"
include "orthogonal.pxi"
include "coordinate.pxi"
include "active_set.pxi"
include "rolling.pxi"
include "optimizers.pxi"
include "descent.pxi"
