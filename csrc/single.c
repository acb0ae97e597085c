/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * For many columns the Gram pass is nearly all of the work, and its result only a preconditioner: refinement in double
 * precision makes the answer, whatever the factor was made of, so long as it contracts.  So the moments are summed in
 * single precision, at twice the speed, when that leaves a factor good enough: each step then gains the digits
 * u32*kappa² leaves of it (Higham and Pranesh, SIAM J. Sci. Comput. 43, 2021, A258-A277, on Cholesky factors of lower
 * precision for least squares).
 *
 * Whether it does is tried first on a few of the rows, and of the columns where there are many.
 */
#include "single.h"
#include "blocksizes.h"
#include "gram.h"
#include "normal.h"
#include "pack.h"
#include "workspace.h"
#include <math.h>

/* ‖(D M D)⁻¹‖₁ of a factor.  Where M is singular, single precision leaves something no smaller than 8e6: sums of 200 to 1024
 * columns of eight kinds, tenths the worst, with one column a combination of others. */
#define LARGEST_INVERSE 1e5
/* That of a few rows is larger, were all independent by up to (1 + √½)²/(1 - √½)² = 34. */
#define LARGEST_TRIAL_INVERSE 3e6

enum {
    SCALE_ROWS = 64,      /* that the scales of the columns are taken from */
    TRIAL_COLUMNS = 512,  /* of a trial, at most, */
    TRIAL_ROWS = 2,       /* and its rows for each of them */
    LEAST_ROWS = 4        /* for each column of a problem: with fewer the factor is much of the work */
};

int flsq_single_is_worth_it(int64_t n, int64_t p, int64_t k)
{
    return p >= FLSQ_SINGLE_COLUMNS && k <= (p - FLSQ_SINGLE_COLUMNS) / FLSQ_SINGLE_TARGET_COLUMNS + 1 &&
           n / LEAST_ROWS >= p;
}

/* `rows` of the rows of a, evenly spread, and likewise columns. */
static flsq_matrix spread(const flsq_matrix *a, int64_t rows, int64_t columns)
{
    flsq_matrix some = *a;
    some.rows = rows;
    some.columns = columns;
    some.row_stride *= a->rows / rows;
    some.col_stride *= a->columns / columns;
    return some;
}

/* Powers of two that bring the largest of a few rows near one: squares of floats reach from 1e-38 to 1e38 only.  Columns
 * that leave this range for all that have no factor. */
static void choose_scales(const flsq_matrix *a, double *scale)
{
    const flsq_matrix some = spread(a, FLSQ_MIN(SCALE_ROWS, a->rows), a->columns);
    flsq_column_max_abs(&some, scale);
    for (int64_t j = 0; j < a->columns; j++) {
        int e = 0;
        if (scale[j] > 0 && scale[j] < FLSQ_LARGEST_SQUARES)
            frexp(scale[j], &e);
        scale[j] = ldexp(1.0, -e);
    }
}

/* Moments of the rows, each column multiplied by its scale (p + k), and their factor, unless ‖(D M D)⁻¹‖₁ is larger than
 * asked for.  The state is the caller's to destroy. */
static flsq_status factor_scaled(const flsq_kernels *kernels, const flsq_matrix *x, const flsq_matrix *y, double *scale,
                                 int n_threads, double largest_inverse, flsq_gram **gram, flsq_factor *factor,
                                 flsq_verdict *verdict)
{
    const int64_t p = x->columns, k = y->columns;
    const flsq_rows rows = {.x = *x, .y = *y, .scale = scale};
    choose_scales(x, scale);
    choose_scales(y, scale + p);
    flsq_status status = flsq_gram_create_single(kernels, p, k, gram);
    if (status == FLSQ_OK)
        status = flsq_gram_update(*gram, &rows, n_threads);
    if (status == FLSQ_OK)
        status = flsq_factorize_gram(*gram, n_threads, factor, verdict);
    if (status == FLSQ_OK && *verdict == FLSQ_CERTIFIED && !(factor->condition <= largest_inverse * factor->norm1))
        *verdict = FLSQ_ILL_CONDITIONED;
    return status;
}

/* Whether a few rows of a few columns have a factor; it is left in the memory of `factor`. */
static flsq_status try_some(const flsq_kernels *kernels, const flsq_rows *rows, double *scale, int n_threads,
                            flsq_factor *factor, flsq_verdict *verdict)
{
    const int64_t columns = FLSQ_MIN(rows->x.columns, TRIAL_COLUMNS), count = TRIAL_ROWS * columns;
    const flsq_matrix x = spread(&rows->x, count, columns), y = spread(&rows->y, count, 1);
    flsq_gram *gram = NULL;
    const flsq_status status =
        factor_scaled(kernels, &x, &y, scale, n_threads, LARGEST_TRIAL_INVERSE, &gram, factor, verdict);
    flsq_gram_destroy(gram);
    return status;
}

/* From scaled units to those of the rows; every factor is a power of two. */
static void unscale(const flsq_gram *gram, const double *scale, double *c, double *diagonal, flsq_factor *factor)
{
    const int64_t p = gram->p, k = gram->k;
    flsq_gram_cross(gram, c);
    flsq_gram_diagonal(gram, diagonal);
    for (int64_t j = 0; j < p; j++) {
        for (int64_t t = 0; t < k; t++)
            c[j * k + t] = c[j * k + t] / scale[j] / scale[p + t];
        factor->scale[j] *= scale[j];
    }
    for (int64_t j = 0; j < p + k; j++)
        diagonal[j] = diagonal[j] / scale[j] / scale[j];
    factor->roundoff = FLSQ_SINGLE_ROUNDOFF;
}

flsq_status flsq_single_factorize(const flsq_kernels *kernels, const flsq_rows *rows, int n_threads, double *c,
                                  double *diagonal, flsq_factor *factor, flsq_verdict *verdict, int *reads)
{
    const int64_t p = rows->x.columns, k = rows->y.columns;
    flsq_arena arena;
    flsq_gram *gram = NULL;
    int64_t size = 0;
    *reads = 0;
    flsq_status status = flsq_size_add(&size, p + k, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    double *const scale = flsq_arena_take(&arena, p + k, sizeof(double));
    choose_scales(&rows->x, scale);
    choose_scales(&rows->y, scale + p);
    status = try_some(kernels, rows, scale, n_threads, factor, verdict);
    if (status == FLSQ_OK && *verdict == FLSQ_CERTIFIED) {
        status = factor_scaled(kernels, &rows->x, &rows->y, scale, n_threads, LARGEST_INVERSE, &gram, factor, verdict);
        *reads = 1;
    }
    if (status == FLSQ_OK && *verdict == FLSQ_CERTIFIED)
        unscale(gram, scale, c, diagonal, factor);
    flsq_gram_destroy(gram);
    flsq_arena_close(&arena);
    return status;
}
