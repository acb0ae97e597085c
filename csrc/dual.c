/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Fewer rows than columns, the rows independent: of all solutions the shortest in the user's units, by QR of the transpose.
 *
 *     U Xᵀ E Π = Q R   (U the user's units, E equilibrates the rows of X)
 *     b = U Q R⁻ᵀ Πᵀ E y;   r = y - X b;   b += U Q R⁻ᵀ Πᵀ E r
 *
 * A column of ones is no part of the norm: one reflection takes it and the first row away.
 */
#include "damped.h"
#include "dependent.h"
#include "orthogonal.h"
#include <math.h>
#include <string.h>

/* kappa² of the rows up to which they are clearly independent. */
#define INDEPENDENT 1e22
/* Of a row that is an average of others a reflection leaves rounding: less than this part of the longest row. */
#define NO_AVERAGE 1e-10
enum { REFINEMENTS = 2 };

typedef struct dual {
    flsq_qr *s;
    flsq_pivoted t;   /* U Xᵀ below the unit's row: columns x (n - unit) */
    double *units;    /* columns: of U, at most 1 */
    double norm;      /* of U Xᵀ */
    double *z;        /* columns */
} dual;

static flsq_status open_workspace(dual *d, flsq_arena *arena)
{
    const int64_t p = d->s->columns, m = d->s->height;
    int64_t size = 0;
    flsq_status status = flsq_pivoted_add_bytes(p, m, &size);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, 2 * p, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(arena, size);
    if (status != FLSQ_OK)
        return status;
    flsq_pivoted_open(d->s->kernels, p, m, 0, arena, &d->t);
    d->units = flsq_arena_take(arena, 2 * p, sizeof(double));
    d->z = d->units + p;
    return FLSQ_OK;
}

static void find_units(dual *d)
{
    const flsq_qr *const s = d->s;
    int smallest = INT32_MAX, own = 0;
    for (int pass = 0; pass < 2; pass++)
        for (int64_t j = 0; j < s->columns; j++) {
            if (s->rows->scale != NULL)
                frexp(s->rows->scale[flsq_qr_column(s, j)], &own);
            smallest = FLSQ_MIN(smallest, own);
            d->units[j] = ldexp(1.0, FLSQ_MAX(smallest - own, -1100));
        }
}

static void transpose(dual *d)
{
    const flsq_qr *const s = d->s;
    for (int64_t i = 0; i < s->height; i++)
        for (int64_t j = 0; j < s->columns; j++)
            d->t.a[i * d->t.ld + j] = s->f.a[(s->f.fixed + j) * s->f.ld + s->f.fixed + i] * d->units[j];
    d->norm = 0;
    for (int64_t i = 0; i < s->height; i++)
        d->norm = hypot(d->norm, flsq_length(s->kernels, s->columns, d->t.a + i * d->t.ld));
}

/* The largest entry of the row of X U that is longest, or shortest, from row `first` on. */
static double extreme_row(const dual *d, int64_t first, int longest)
{
    const flsq_qr *const s = d->s;
    double extreme = longest ? 0 : INFINITY;
    for (int64_t i = first; i < s->n; i++) {
        double peak = 0;
        for (int64_t j = 0; j < s->columns; j++)
            peak = FLSQ_MAX(peak, fabs(s->f.a[(s->f.fixed + j) * s->f.ld + i] * d->units[j]));
        extreme = longest ? FLSQ_MAX(extreme, peak) : FLSQ_MIN(extreme, peak);
    }
    return extreme;
}

/* Whether the rows are independent beyond doubt; fills in what the factor tells of them. */
static flsq_status check_rows(const dual *d, int *independent)
{
    flsq_factor *const factor = &d->s->out->factor;
    double condition;
    const flsq_status status = flsq_triangle_condition(&d->t, d->s->height, &condition);
    factor->condition = condition * condition;
    factor->trace = factor->norm1 = d->norm * d->norm;
    *independent = factor->condition <= INDEPENDENT;
    return status;
}

/* b += the shortest solution for s->y, which is overwritten */
static void step(dual *d, int64_t t, double *b)
{
    flsq_qr *const s = d->s;
    const int64_t m = s->height, k = s->k;
    double level = 0;
    if (s->f.fixed) {
        flsq_pivoted_project(&s->f, s->y);
        level = s->y[0];
    }
    memset(d->z, 0, (size_t)s->columns * sizeof(double));
    for (int64_t place = 0; place < m; place++) {
        const int64_t i = d->t.order[place];
        d->z[place] = ldexp(s->y[s->f.fixed + i], -(int)d->t.exponent[i]);
    }
    flsq_pivoted_solve_transposed(&d->t, m, d->z);
    flsq_pivoted_expand(&d->t, d->z);
    for (int64_t j = 0; j < s->columns; j++) {
        const double slope = d->z[j] * d->units[j];
        b[flsq_qr_column(s, j) * k + t] += slope;
        if (s->f.fixed)
            level -= s->f.a[(1 + j) * s->f.ld] * slope;
    }
    if (s->f.fixed)
        b[(s->lead - 1) * k + t] += level / s->f.a[0];
}

/* ‖r‖ against ‖X U‖‖U⁻¹b‖: what rounding leaves of it, for the rest of the error is none of the rows' */
static double backward_error(const dual *d, const double *b, const double *rss)
{
    const flsq_qr *const s = d->s;
    double largest = 0;
    for (int64_t t = 0; t < s->k; t++) {
        for (int64_t j = 0; j < s->columns; j++)
            d->z[j] = d->units[j] > 0 ? b[flsq_qr_column(s, j) * s->k + t] / d->units[j] : 0;
        double size = d->norm * flsq_length(s->kernels, s->columns, d->z);
        if (s->f.fixed)
            size += fabs(b[(s->lead - 1) * s->k + t] * s->f.a[0]);
        largest = FLSQ_MAX(largest, rss[t] > 0 && size > 0 ? FLSQ_MIN(sqrt(rss[t]) / size, 1.0) : 0.0);
    }
    return largest + FLSQ_UNIT_ROUNDOFF;
}

static flsq_status solve_and_judge(dual *d, double *b, double *rss, flsq_report *report)
{
    flsq_qr *const s = d->s;
    flsq_status status = FLSQ_OK;
    memset(b, 0, (size_t)(s->lead * s->k) * sizeof(double));
    for (int64_t t = 0; t < s->k; t++) {
        flsq_qr_target(s, t);
        step(d, t, b);
    }
    for (int pass = 0; pass <= REFINEMENTS && status == FLSQ_OK; pass++) {
        status = flsq_residual(s->kernels, s->rows, b, s->g, rss, s->r, 1);
        report->passes++;
        for (int64_t t = 0; t < s->k && status == FLSQ_OK && pass < REFINEMENTS; t++) {
            flsq_qr_residual(s, t);
            step(d, t, b);
        }
    }
    if (status == FLSQ_OK && flsq_qr_is_finite(s, b, rss)) {
        report->verdict = FLSQ_CERTIFIED;
        report->backward_error = backward_error(d, b, rss);
    }
    return status;
}

flsq_status flsq_qr_solve_wide(flsq_qr *s, double *b, double *rss, flsq_report *report)
{
    dual d = {.s = s};
    flsq_arena arena;
    int independent = 0;
    flsq_status status = open_workspace(&d, &arena);
    if (status != FLSQ_OK)
        return status;
    find_units(&d);
    int averages = 0;
    if (s->f.fixed) {
        const double longest = extreme_row(&d, 0, 1);
        flsq_pivoted_step(&s->f, 0);
        averages = s->height > 0 && !(extreme_row(&d, 1, 0) > NO_AVERAGE * longest);
    }
    transpose(&d);
    report->verdict = averages ? FLSQ_ILL_CONDITIONED : FLSQ_NOT_FINITE;
    if (!averages && flsq_pivoted_factor(&d.t)) {
        report->verdict = FLSQ_ILL_CONDITIONED;
        status = check_rows(&d, &independent);
    }
    if (status == FLSQ_OK && independent) {
        report->verdict = FLSQ_NOT_FINITE;
        s->out->rank = s->height;
        status = solve_and_judge(&d, b, rss, report);
    }
    flsq_arena_close(&arena);
    return status;
}
