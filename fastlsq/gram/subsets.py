# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""One fit for every subset of the rows, by QR: for groups and windows that the vector lanes refuse."""

import numpy as np

from fastlsq._core import lib

# Rows of the longest groups that lib.grouped_fit takes into its lanes.
SHORT = 4096
# Numbers that the core gathers in one call; between calls it can be interrupted.
GATHERED = 1 << 24


def fit_subsets(rows, first, end, order, factor, errors, n_threads):
    """Yield (indices, b, rss, condition, backward_error, errors or None, rank) of subsets that have an answer.

    `rows` are (x, y, weights, intercept); subset i holds rows order[first[i]:end[i]], which `factor` makes decay.
    Those too large for the small QR of the core are left out.
    """
    ends = np.cumsum(end - first) * (rows[0].shape[1] + 1)
    done = 0
    while done < len(first):
        gathered = ends[done - 1] if done else 0
        stop = max(done + 1, int(np.searchsorted(ends, gathered + GATHERED, side="right")))
        *answers, refused = lib.fit_subsets(*rows, first[done:stop], end[done:stop], order, factor, errors, n_threads)
        solved = np.flatnonzero(refused == 0)
        yield done + solved, *(None if part is None else part[solved] for part in answers)
        done = stop
