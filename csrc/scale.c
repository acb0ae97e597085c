/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Equilibration of the p x p system: one read and one write of it.
 */
#include "blocksizes.h"
#include "fastlsq.h"
#include "internal.h"
#include "parallel.h"
#include <math.h>

enum { SLAB = 16 }; /* rows that a thread takes at a time */

typedef struct scaling {
    int64_t n, lda;
    const double *a, *scale;
    double *out, *row_sums;
    int64_t claimed;
} scaling;

/* One row, its absolute sum in four chains: with one, the latency of an addition would set the pace. */
static double scale_row(int64_t n, double factor, const double *a, const double *scale, double *out)
{
    double sum[4] = {0, 0, 0, 0};
    int64_t j = 0;
    for (; j + 4 <= n; j += 4)
        for (int i = 0; i < 4; i++) {
            out[j + i] = a[j + i] * factor * scale[j + i];
            sum[i] += fabs(out[j + i]);
        }
    for (; j < n; j++) {
        out[j] = a[j] * factor * scale[j];
        sum[0] += fabs(out[j]);
    }
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

static void scale_body(void *context, int thread, int n_threads)
{
    scaling *const s = context;
    (void)thread;
    (void)n_threads;
    for (int64_t slab = flsq_parallel_claim(&s->claimed) * SLAB; slab < s->n;
         slab = flsq_parallel_claim(&s->claimed) * SLAB)
        for (int64_t i = slab; i < FLSQ_MIN(slab + SLAB, s->n); i++)
            s->row_sums[i] = scale_row(s->n, s->scale[i], s->a + i * s->lda, s->scale, s->out + i * s->n);
}

void flsq_scale_symmetric(int64_t n, const double *a, int64_t lda, const double *scale, double *out, double *row_sums,
                          int n_threads)
{
    scaling s = {.n = n, .lda = lda, .a = a, .scale = scale, .out = out, .row_sums = row_sums};
    flsq_parallel_run((double)n * (double)n < FLSQ_THREAD_FLOPS ? 1 : n_threads, scale_body, &s);
}
