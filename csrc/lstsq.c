/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * A whole least-squares problem in one call: Gram pass, factor, refinement.  For many columns the first is tried in single
 * precision.  Anything out of the ordinary is left to the caller, who has other means.
 */
#include "blocksizes.h"
#include "gram.h"
#include "normal.h"
#include "single.h"
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

/* What the passes after the first need of the moments. */
typedef struct moments {
    double *c;        /* p x k */
    double *diagonal; /* p + k */
    double *zz, *lost; /* p x (p + k), where a single read may be enough; otherwise NULL */
} moments;

static flsq_status take_moments(int64_t p, int64_t k, int one_pass, flsq_arena *arena, moments *m)
{
    int64_t square = 0, cross, size = 0;
    flsq_status status = flsq_size_multiply(p, k, &cross);
    if (status == FLSQ_OK && one_pass)
        status = flsq_size_multiply(2 * p, p + k, &square);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, cross, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, p + k, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, square, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(arena, size);
    if (status != FLSQ_OK)
        return status;
    m->c = flsq_arena_take(arena, cross, sizeof(double));
    m->diagonal = flsq_arena_take(arena, p + k, sizeof(double));
    if (one_pass) {
        m->zz = flsq_arena_take(arena, square, sizeof(double));
        m->lost = m->zz + square / 2;
    }
    return FLSQ_OK;
}

/* The moments and, of those in range, their factor. */
static flsq_status first_pass(const flsq_kernels *kernels, const flsq_rows *rows, int n_threads, const moments *m,
                              flsq_factor *factor, flsq_gram **gram, flsq_verdict *verdict)
{
    const int64_t p = rows->x.columns, k = rows->y.columns;
    flsq_status status = flsq_gram_create(kernels, p, k, 0, gram);
    if (status != FLSQ_OK)
        return status;
    *verdict = FLSQ_OUT_OF_RANGE;
    status = flsq_gram_update(*gram, rows, n_threads);
    if (status == FLSQ_OK)
        flsq_gram_diagonal(*gram, m->diagonal);
    if (status == FLSQ_OK && in_range(p + k, m->diagonal)) {
        flsq_gram_cross(*gram, m->c);
        if (m->zz != NULL)
            flsq_gram_collect(*gram, n_threads, m->zz, m->diagonal + p, m->lost);
        status = flsq_factorize_gram(*gram, n_threads, factor, verdict);
    }
    return status;
}

static flsq_status refine(const flsq_kernels *kernels, const flsq_rows *rows, int unrefined, int n_threads,
                          const moments *m, const flsq_factor *factor, double *b, double *rss, flsq_report *report)
{
    const flsq_equations equations = {.c = m->c, .ldc = rows->y.columns, .zz = m->zz, .lost = m->lost,
                                      .yy = m->diagonal + rows->x.columns, .unrefined = unrefined};
    return flsq_refine(kernels, rows, &equations, factor, n_threads, b, rss, report);
}

/* With moments in single precision; *reads of the rows it took. */
static flsq_status in_single(const flsq_kernels *kernels, const flsq_rows *rows, int n_threads, const moments *m,
                             flsq_factor *factor, double *b, double *rss, flsq_report *report, int *reads)
{
    flsq_status status =
        flsq_single_factorize(kernels, rows, n_threads, m->c, m->diagonal, factor, &report->verdict, reads);
    if (status != FLSQ_OK || report->verdict != FLSQ_CERTIFIED)
        return status;
    report->verdict = FLSQ_OUT_OF_RANGE;
    if (in_range(rows->x.columns + rows->y.columns, m->diagonal))
        status = refine(kernels, rows, 0, n_threads, m, factor, b, rss, report);
    *reads += report->passes;
    return status;
}

flsq_status flsq_lstsq(const flsq_kernels *kernels, const flsq_rows *rows, int unrefined, int n_threads,
                       flsq_factor *factor, double *b, double *rss, flsq_report *report, flsq_gram **left)
{
    const int64_t p = rows->x.columns, k = rows->y.columns;
    flsq_arena arena;
    flsq_gram *gram = NULL;
    moments m = {0};
    *report = (flsq_report){.verdict = FLSQ_OUT_OF_RANGE};
    if (left != NULL)
        *left = NULL;
    flsq_status status = take_moments(p, k, flsq_may_need_one_pass(rows->x.rows, p, k), &arena, &m);
    if (status != FLSQ_OK)
        return status;
    int reads = 0;
    if (flsq_single_is_worth_it(rows->x.rows, p, k))
        status = in_single(kernels, rows, n_threads, &m, factor, b, rss, report, &reads);
    if (status == FLSQ_OK && report->verdict != FLSQ_CERTIFIED) {
        status = first_pass(kernels, rows, n_threads, &m, factor, &gram, &report->verdict);
        if (status == FLSQ_OK && report->verdict == FLSQ_CERTIFIED)
            status = refine(kernels, rows, unrefined, n_threads, &m, factor, b, rss, report);
        report->passes += reads;
    }
    if (status == FLSQ_OK && report->verdict != FLSQ_CERTIFIED && left != NULL)
        *left = gram;
    else
        flsq_gram_destroy(gram);
    flsq_arena_close(&arena);
    return status;
}
