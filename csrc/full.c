/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Refinement to the last bit: residuals and gradients of about twice the digits (twofold.c), coefficients as pairs.
 *
 *     g = Xᵀ(y - X(b + low));   step = M⁻¹g;   b + low += step
 *
 * What is left of the error of a step is u*kappa times that of the step before, down to u²*kappa² (J. Demmel, Y. Hida,
 * X. S. Li and E. J. Riedy, ACM Trans. Math. Softw. 35, 2009, article 28).  fastlsq/solve/twofold.py does the same where
 * there are weights, an intercept or a penalty.
 */
#include "internal.h"
#include "normal.h"
#include "workspace.h"
#include <math.h>
#include <string.h>

enum { MOST_PASSES = 8 };
/* A step smaller than this part of the coefficients no longer moves their last bit. */
#define SETTLED (FLSQ_UNIT_ROUNDOFF / 16)
/* Steps must shrink by this, or rounding is all there is to them. */
#define CONTRACTION 0.5

typedef struct pairs {
    double *low, *g, *g_low, *step, *found; /* n x k; found: k */
} pairs;

/* b + low += step, low below the last digit of b. */
static void add_step(int64_t count, const double *step, double *b, double *low)
{
    for (int64_t i = 0; i < count; i++) {
        const double total = b[i] + step[i], part = total - b[i];
        const double rest = ((b[i] - (total - part)) + (step[i] - part)) + low[i];
        const double high = total + rest;
        low[i] = (total - high) + rest;
        b[i] = high;
    }
}

/* ‖D⁻¹step‖/‖D⁻¹b‖, largest over the targets; D of the factor brings the columns to equal length. */
static double relative_step(const flsq_factor *f, int64_t k, const double *step, const double *b)
{
    double largest = 0;
    for (int64_t t = 0; t < k; t++) {
        double length = 0, size = 0;
        for (int64_t j = 0; j < f->n; j++) {
            const double s = step[j * k + t] / f->scale[j], v = b[j * k + t] / f->scale[j];
            length += s * s;
            size += v * v;
        }
        const double change = size > 0 ? sqrt(length / size) : length > 0 ? 1.0 : 0.0;
        if (!(change <= largest)) /* NaN too */
            largest = change;
    }
    return largest;
}

static flsq_status iterate(const flsq_kernels *kernels, const flsq_rows *rows, const flsq_factor *factor, int n_threads,
                           const pairs *s, double *b, double *rss, flsq_full *full)
{
    const int64_t p = rows->x.columns, k = rows->y.columns;
    full->change = INFINITY;
    for (full->passes = 0; full->passes < MOST_PASSES;) {
        flsq_status status =
            flsq_residual_twofold(kernels, rows, b, s->low, s->g, s->g_low, s->found, n_threads);
        if (status != FLSQ_OK)
            return status;
        full->passes++;
        for (int64_t i = 0; i < p * k; i++)
            s->g_low[i] += s->g[i];
        status = flsq_factor_apply(kernels, factor, p, k, s->g_low, s->step);
        if (status != FLSQ_OK)
            return status;
        full->last = full->change;
        full->change = relative_step(factor, k, s->step, b);
        if (!(full->change <= CONTRACTION * full->last))
            return FLSQ_OK;
        for (int64_t t = 0; t < k; t++) { /* ‖r - X step‖² = r·r - step·g */
            double square = s->found[t];
            for (int64_t j = 0; j < p; j++)
                square -= s->step[j * k + t] * s->g[j * k + t];
            rss[t] = FLSQ_MAX(square, 0.0);
        }
        add_step(p * k, s->step, b, s->low);
        if (full->change <= SETTLED)
            return FLSQ_OK;
    }
    return FLSQ_OK;
}

flsq_status flsq_refine_fully(const flsq_kernels *kernels, const flsq_rows *rows, const flsq_factor *factor, int n_threads,
                              double *b, double *rss, flsq_full *full)
{
    const int64_t k = rows->y.columns;
    int64_t size = 0, matrix;
    flsq_arena arena;
    flsq_status status = flsq_size_multiply(rows->x.columns, k, &matrix);
    for (int i = 0; status == FLSQ_OK && i < 4; i++)
        status = flsq_size_add(&size, matrix, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, k, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    double *pieces[4];
    for (int i = 0; i < 4; i++)
        pieces[i] = flsq_arena_take(&arena, matrix, sizeof(double));
    const pairs s = {pieces[0], pieces[1], pieces[2], pieces[3], flsq_arena_take(&arena, k, sizeof(double))};
    memset(s.low, 0, (size_t)matrix * sizeof(double));
    status = iterate(kernels, rows, factor, n_threads, &s, b, rss, full);
    flsq_arena_close(&arena);
    return status;
}
