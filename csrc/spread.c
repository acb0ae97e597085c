/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * How much longer the longest row is than the one in the middle: counted while the rows pass by, no memory that grows with
 * them.  Squares of lengths are counted by their binary exponents, so the answer is off by a factor of two at most.
 */
#include "gram_chunk.h"
#include <math.h>
#include <string.h>

/* The biased exponent of a finite double that is not negative. */
static int64_t exponent_of(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof bits);
    return (int64_t)(bits >> 52);
}

void flsq_count_lengths(const flsq_gram_pass *pass, const flsq_panels *raw, int64_t count, const double *weights)
{
    const int64_t nr = pass->gram->kernels->nr;
    int64_t *const counts = pass->rows->lengths->count;
    int64_t bin = 0, run = 0; /* rows of one length tend to follow each other: fewer additions to shared memory */
    for (int64_t k = 0; k < count; k++) {
        double square = 0;
        for (int64_t J = 0; J < raw->count; J++) {
            const double *const z = raw->base + J * raw->stride + k * nr, *const factor = pass->factor + J * nr;
            for (int64_t j = 0; j < nr; j++)
                square += z[j] * factor[j] * (z[j] * factor[j]);
        }
        if (weights != NULL)
            square *= weights[k];
        if (!(square > 0) || !isfinite(square))
            continue;
        const int64_t own = exponent_of(square);
        if (own != bin && run > 0) {
            __atomic_fetch_add(&counts[bin], run, __ATOMIC_RELAXED); /* whole numbers: the order does not matter */
            run = 0;
        }
        bin = own;
        run++;
    }
    if (run > 0)
        __atomic_fetch_add(&counts[bin], run, __ATOMIC_RELAXED);
}

double flsq_lengths_spread(const flsq_lengths *lengths)
{
    const int64_t *const count = lengths->count;
    int64_t total = 0, below = 0, longest = 0, middle = 0;
    for (int64_t e = 0; e < FLSQ_LENGTHS; e++) {
        total += count[e];
        longest = count[e] > 0 ? e : longest;
    }
    while (middle < longest && 2 * (below += count[middle]) < total)
        middle++;
    return total > 0 ? ldexp(1.0, (int)(longest - middle) / 2) : 1.0;
}
