/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * A whole least-squares problem in one call: Gram pass, factor, refinement.  Anything out of the ordinary is left to
 * the caller, who has other means.
 */
#include "blocksizes.h"
#include "gram.h"
#include "normal.h"
#include "workspace.h"

int flsq_is_small(int64_t n, int64_t p, int64_t k)
{
    const double columns = (double)p + (double)k;
    return (double)n * columns * columns < FLSQ_THREAD_FLOPS &&
           4.0 * (double)n * (columns + 1) * (double)k < FLSQ_THREAD_FLOPS &&
           (double)p * (double)p * (double)p < 3 * FLSQ_CHOLESKY_THREAD_FLOPS;
}

static int in_range(int64_t count, const double *squares)
{
    for (int64_t j = 0; j < count; j++)
        if (!flsq_squares_in_range(squares[j]))
            return 0;
    return 1;
}

flsq_status flsq_lstsq(const flsq_kernels *kernels, const flsq_rows *rows, int n_threads, flsq_factor *factor,
                       double *b, double *rss, flsq_report *report)
{
    const int64_t p = rows->x.columns, k = rows->y.columns;
    *report = (flsq_report){.verdict = FLSQ_OUT_OF_RANGE};
    int64_t entries, size = 0;
    flsq_arena arena;
    flsq_status status = flsq_size_multiply(p, p + k, &entries);
    const int one_pass = flsq_may_need_one_pass(rows->x.rows, p, k);
    for (int i = 0; status == FLSQ_OK && i < 1 + one_pass; i++)
        status = flsq_size_add(&size, entries, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, p + k, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    double *const zz = flsq_arena_take(&arena, entries, sizeof(double));
    double *const lost = one_pass ? flsq_arena_take(&arena, entries, sizeof(double)) : NULL;
    double *const squares = flsq_arena_take(&arena, p + k, sizeof(double));
    status = flsq_gram_of(kernels, rows, n_threads, zz, squares + p, lost);
    for (int64_t j = 0; status == FLSQ_OK && j < p; j++)
        squares[j] = zz[j * (p + k) + j];
    if (status == FLSQ_OK && in_range(p + k, squares)) {
        const flsq_equations equations = {.c = zz + p, .ldc = p + k,
                                          .zz = zz, .lost = lost, .yy = squares + p};
        status = flsq_factorize(kernels, p, zz, p + k, n_threads, factor, &report->verdict);
        if (status == FLSQ_OK && report->verdict == FLSQ_CERTIFIED)
            status = flsq_refine(kernels, rows, &equations, factor, n_threads, b, rss, report);
    }
    flsq_arena_close(&arena);
    return status;
}
