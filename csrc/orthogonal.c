/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Small problems that the normal equations do not certify, by QR of all rows at once (pivoted.h): whatever their condition
 * and the lengths of their rows, and of minimum norm where columns depend on each other.
 *
 *     [1 | X D] = Q R;   z from R and Qᵀy;   b = D z;   r = y - [1 | X] b;   z += from R and Qᵀr
 */
#include "blocksizes.h"
#include "damped.h"
#include "dependent.h"
#include "normal.h"
#include "orthogonal.h"
#include "pack.h"
#include <math.h>
#include <string.h>

/* A shorter solution may add this part to the sum of squared residuals, and this many u of what the fit is made of. */
#define FIT_LOST 1e-6
#define FIT_NOISE 100.0
/* kappa² from which on singular values are looked at: kappa of some 1e12. */
#define SUSPECT_CONDITION 1e24

int flsq_is_for_qr(int64_t n, int64_t p, int64_t k)
{
    const double columns = (double)p + (double)k + 1, shorter = FLSQ_MIN((double)n, columns);
    return (double)n * columns <= (n < p ? FLSQ_QR_WIDE_ENTRIES : FLSQ_QR_ENTRIES) &&
           (double)n * columns * shorter <= FLSQ_QR_PRODUCTS;
}

int flsq_qr_takes_dependent_rows(int64_t n, int64_t p) { return n >= p || p <= FLSQ_QR_WIDE_COLUMNS; }

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static flsq_status open_workspace(flsq_qr *s, flsq_arena *arena)
{
    const int64_t unit = s->rows->unit != 0, p = s->columns;
    const int64_t sizes[] = {s->n, s->n, s->n * s->k, s->lead * s->k, s->lead * s->k, s->lead * s->k, s->k, p, p};
    double **const pieces[] = {&s->root, &s->y, &s->r, &s->g, &s->step, &s->before, &s->rss, &s->z, &s->work};
    enum { PIECES = sizeof sizes / sizeof sizes[0] };
    int64_t size = 0;
    flsq_status status = flsq_pivoted_add_bytes(s->n, unit + p, &size);
    for (int i = 0; status == FLSQ_OK && i < PIECES; i++)
        status = flsq_size_add(&size, sizes[i], sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(arena, size);
    if (status != FLSQ_OK)
        return status;
    flsq_pivoted_open(s->kernels, s->n, unit + p, unit, arena, &s->f);
    for (int i = 0; i < PIECES; i++)
        *pieces[i] = flsq_arena_take(arena, sizes[i], sizeof(double));
    if (s->rows->weights.data == NULL)
        s->root = NULL;
    return FLSQ_OK;
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

/* out := sqrt(w)*(a[, j]*scale - offset), packed column c of the problem */
static void read_column(const flsq_qr *s, const flsq_matrix *a, int64_t j, int64_t c, double *out)
{
    flsq_read_column(a, j, 0, s->n, out);
    if (s->rows->scale != NULL)
        for (int64_t i = 0; i < s->n; i++)
            out[i] = out[i] * s->rows->scale[c] - s->rows->offset[c];
    for (int64_t i = 0; i < s->n && s->root != NULL; i++)
        out[i] *= s->root[i];
}

void flsq_qr_target(flsq_qr *s, int64_t t) { read_column(s, &s->rows->y, t, s->lead + t, s->y); }

static void read_rows(flsq_qr *s)
{
    flsq_pivoted_reset(&s->f);
    if (s->root != NULL)
        flsq_read_column(&s->rows->weights, 0, 0, s->n, s->root);
    for (int64_t i = 0; i < s->n && s->root != NULL; i++)
        s->root[i] = sqrt(s->root[i]);
    for (int64_t i = 0; i < s->n && s->f.fixed; i++)
        s->f.a[i] = s->root != NULL ? s->root[i] : 1.0;
    for (int64_t j = 0; j < s->columns; j++)
        read_column(s, &s->rows->x, flsq_qr_column(s, j), flsq_qr_column(s, j), s->f.a + (s->f.fixed + j) * s->f.ld);
}

/* ---- R: condition, rank ------------------------------------------------------------------------------------------ */

/* factor.r := R of the columns in their own order, from that in places, by reflections once more. */
static void restore_order(flsq_qr *s, flsq_arena *arena)
{
    const int64_t n = s->columns;
    flsq_pivoted f;
    flsq_pivoted_open(s->kernels, n, n, n, arena, &f);
    memset(f.a, 0, (size_t)(f.ld * n) * sizeof(double));
    for (int64_t place = 0; place < n; place++)
        memcpy(f.a + flsq_qr_place(s, place) * f.ld, flsq_pivoted_column(&s->f, s->f.fixed + place) + s->f.fixed,
               (size_t)(place + 1) * sizeof(double));
    for (int64_t j = 0; j < n; j++)
        flsq_pivoted_step(&f, j);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i; j < n; j++)
            s->out->factor.r[i * n + j] = f.a[i * f.ld + i] < 0 ? -f.a[j * f.ld + i] : f.a[j * f.ld + i];
}

/* The rank, and what follows of columns that depend on others. */
static flsq_status look_at_dependence(flsq_qr *s)
{
    const int64_t n = s->columns;
    double condition;
    flsq_status status = flsq_triangle_rank(&s->f, &s->out->rank, &condition);
    s->out->factor.condition = condition * condition;
    if (status != FLSQ_OK)
        return status;
    if (s->out->rank == n)
        return FLSQ_OK;
    status = flsq_triangle_null(&s->f, s->out->rank, s->out->null);
    flsq_triangle_range(&s->f, s->out->rank, s->out->range);
    return status == FLSQ_OK ? flsq_triangle_dependent(&s->f, s->out->rank, s->out->dependent) : status;
}

static flsq_status find_rank(flsq_qr *s)
{
    flsq_factor *const factor = &s->out->factor;
    const int64_t n = s->columns;
    flsq_status status = FLSQ_OK;
    factor->trace = factor->norm1 = 0;
    factor->condition = INFINITY;
    s->out->rank = n;
    for (int64_t place = 0; place < n; place++) {
        const int64_t j = flsq_qr_place(s, place);
        const double *const column = flsq_pivoted_column(&s->f, s->f.fixed + place) + s->f.fixed;
        factor->scale[j] = ldexp(1.0, -(int)flsq_qr_exponent(s, j));
        factor->trace += s->kernels->dot(FLSQ_MIN(place + 1, s->height), column, column);
    }
    if (s->height == n && n > 0) {
        flsq_arena arena;
        int64_t size = 0;
        status = flsq_pivoted_add_bytes(n, n, &size);
        if (status == FLSQ_OK)
            status = flsq_arena_open(&arena, size);
        if (status != FLSQ_OK)
            return status;
        restore_order(s, &arena);
        flsq_arena_close(&arena);
        double inverse_norm;
        status = flsq_inverse_norm_estimate(s->kernels, n, factor->r, n, &inverse_norm);
        factor->condition = factor->trace * inverse_norm;
    }
    if (status != FLSQ_OK || factor->condition <= SUSPECT_CONDITION)
        return status;
    return look_at_dependence(s);
}

/* ---- solution ---------------------------------------------------------------------------------------------------- */

/* z, by columns in use, that is closest to the projected c: none for those behind the rank, which pivoting has put last. */
static void solve(flsq_qr *s, const double *c)
{
    const int64_t n = s->columns, rank = s->out->rank;
    memcpy(s->work, c + s->f.fixed, (size_t)rank * sizeof(double));
    memset(s->work + rank, 0, (size_t)(n - rank) * sizeof(double));
    flsq_pivoted_solve(&s->f, rank, s->work);
    for (int64_t place = 0; place < n; place++)
        s->z[flsq_qr_place(s, place)] = s->work[place];
}

/* What the unit column must take back of z: its share of every column, from the first row of R. */
static double level_of(const flsq_qr *s)
{
    double level = 0;
    for (int64_t place = 0; place < s->columns; place++)
        level += flsq_pivoted_column(&s->f, s->f.fixed + place)[0] * s->z[flsq_qr_place(s, place)];
    return level / s->f.a[0];
}

void flsq_qr_shift_level(const flsq_qr *s, int64_t t, double *b)
{
    b[(s->lead - 1) * s->k + t] -= ldexp(level_of(s), -(int)s->f.exponent[0]);
}

/* b += D z and, where there is a unit column, the level */
static void add_solution(const flsq_qr *s, double level, int64_t t, double *b)
{
    for (int64_t j = 0; j < s->columns; j++)
        b[flsq_qr_column(s, j) * s->k + t] += s->z[j] * s->out->factor.scale[j];
    if (s->f.fixed) {
        b[(s->lead - 1) * s->k + t] += ldexp(level, -(int)s->f.exponent[0]);
        flsq_qr_shift_level(s, t, b);
    }
}

/* b += the solution for s->y, which is overwritten */
static void step(flsq_qr *s, int64_t t, double *b)
{
    flsq_pivoted_project(&s->f, s->y);
    solve(s, s->y);
    add_solution(s, s->f.fixed ? s->y[0] / s->f.a[0] : 0, t, b);
}

void flsq_qr_residual(flsq_qr *s, int64_t t)
{
    for (int64_t i = 0; i < s->n; i++)
        s->y[i] = s->r[i * s->k + t] * (s->root != NULL ? s->root[i] : 1.0);
}

/* One step, the shortest of its kind, whose rounding would be long in some units. */
static flsq_status refine(flsq_qr *s, double *b, double *rss)
{
    const int64_t entries = s->lead * s->k;
    flsq_status status = flsq_residual(s->kernels, s->rows, b, s->g, rss, s->r, 1);
    memset(s->step, 0, (size_t)entries * sizeof(double));
    for (int64_t t = 0; status == FLSQ_OK && t < s->k; t++) {
        flsq_qr_residual(s, t);
        step(s, t, s->step);
    }
    if (status == FLSQ_OK && s->out->rank < s->columns)
        status = flsq_qr_shorten(s, s->step);
    for (int64_t i = 0; i < entries; i++)
        b[i] += s->step[i];
    return status;
}

/* ---- judgement --------------------------------------------------------------------------------------------------- */

/* ‖(RᵀR + ω²I)^-½ g‖ for the n leading columns of R and entries of g. */
static flsq_status damped(const flsq_qr *s, int64_t n, double omega, const double *g, double *norm)
{
    flsq_arena arena;
    int64_t size = 0;
    flsq_status status = flsq_size_add(&size, n * n, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    double *const r = flsq_arena_take(&arena, n * n, sizeof(double));
    for (int64_t place = 0; place < n; place++)
        for (int64_t i = 0; i <= place; i++)
            r[i * n + place] = flsq_pivoted_column(&s->f, s->f.fixed + place)[s->f.fixed + i];
    status = flsq_damped_norm(s->kernels, n, r, n, omega, g, norm);
    flsq_arena_close(&arena);
    return status;
}

/* Karlson and Waldén's estimate (refine.h) with all of its sum, ‖(M + ω²I)^-½ D g‖/(‖z‖‖X D‖) with ω = ‖r‖/‖z‖: largest over
 * the targets. */
static flsq_status judge(flsq_qr *s, const double *b, const double *rss, double *backward_error)
{
    const int64_t n = s->columns, k = s->k;
    const double norm = sqrt(s->out->factor.trace);
    double largest = 0;
    for (int64_t t = 0; t < k; t++) {
        for (int64_t place = 0; place < n; place++) { /* about the means */
            const int64_t j = flsq_qr_place(s, place);
            s->work[place] = s->g[flsq_qr_column(s, j) * k + t] * s->out->factor.scale[j];
            if (s->f.fixed)
                s->work[place] -= flsq_pivoted_column(&s->f, 1 + place)[0] / s->f.a[0] *
                                  ldexp(s->g[(s->lead - 1) * k + t], -(int)s->f.exponent[0]);
            s->z[j] = b[flsq_qr_column(s, j) * k + t] / s->out->factor.scale[j];
        }
        const double size = flsq_length(s->kernels, n, s->z);
        const double whole = flsq_length(s->kernels, n, s->work), leading = flsq_length(s->kernels, s->out->rank, s->work);
        double part = 0;
        if (!(size > 0) || !(leading > 0))
            continue;
        const flsq_status status = damped(s, s->out->rank, sqrt(rss[t]) / size, s->work, &part);
        if (status != FLSQ_OK)
            return status;
        part *= whole / leading / (norm * size); /* the others' share of g: they depend on these */
        largest = FLSQ_MAX(largest, isnan(part) ? 0.0 : FLSQ_MIN(part, 1.0));
    }
    *backward_error = largest + FLSQ_UNIT_ROUNDOFF;
    return FLSQ_OK;
}

int flsq_qr_is_finite(const flsq_qr *s, const double *b, const double *rss)
{
    int finite = 1;
    for (int64_t i = 0; i < s->lead * s->k; i++)
        finite &= isfinite(b[i]) != 0;
    for (int64_t t = 0; t < s->k; t++)
        finite &= isfinite(rss[t]) != 0;
    return finite;
}

/* From b, whose residual sums of squares are rss, to the shortest solution, and a step from there: the null space is known to
 * rounding, and the move along it may be a long one.  Where units are so far apart that rounding takes more of the fit than it
 * had lost, b stays. */
static flsq_status take_shortest(flsq_qr *s, double *b, double *rss, int *stays)
{
    const int64_t entries = s->lead * s->k;
    memcpy(s->before, b, (size_t)entries * sizeof(double));
    memcpy(s->rss, rss, (size_t)s->k * sizeof(double));
    flsq_status status = flsq_qr_shorten(s, b);
    if (status == FLSQ_OK)
        status = refine(s, b, rss);
    if (status == FLSQ_OK)
        status = flsq_residual(s->kernels, s->rows, b, s->g, rss, NULL, 1);
    for (int64_t t = 0; t < s->k && status == FLSQ_OK; t++) {
        double size = 0;
        for (int64_t j = 0; j < s->columns; j++)
            size = FLSQ_MAX(size, fabs(s->before[flsq_qr_column(s, j) * s->k + t] / s->out->factor.scale[j]));
        const double noise = FIT_NOISE * FLSQ_UNIT_ROUNDOFF * sqrt(s->out->factor.trace) * size;
        if (rss[t] <= s->rss[t] * (1 + FIT_LOST) + noise * noise)
            continue;
        *stays = 1;
        for (int64_t i = 0; i < s->lead; i++)
            b[i * s->k + t] = s->before[i * s->k + t];
    }
    return status;
}

static flsq_status solve_and_judge(flsq_qr *s, double *b, double *rss, flsq_report *report)
{
    flsq_status status = find_rank(s);
    if (status != FLSQ_OK)
        return status;
    memset(b, 0, (size_t)(s->lead * s->k) * sizeof(double));
    for (int64_t t = 0; t < s->k; t++) {
        flsq_qr_target(s, t);
        step(s, t, b);
    }
    const int deficient = s->out->rank < s->columns;
    int changed = !deficient; /* since the last residual pass */
    status = refine(s, b, rss);
    if (status == FLSQ_OK && deficient)
        status = take_shortest(s, b, rss, &changed);
    if (status == FLSQ_OK && changed)
        status = flsq_residual(s->kernels, s->rows, b, s->g, rss, NULL, 1);
    report->passes += 1 + 2 * deficient + changed;
    if (status == FLSQ_OK && flsq_qr_is_finite(s, b, rss)) {
        report->verdict = FLSQ_CERTIFIED;
        return judge(s, b, rss, &report->backward_error);
    }
    return status;
}

flsq_status flsq_solve_by_qr(const flsq_kernels *kernels, const flsq_rows *rows, flsq_orthogonal *out, double *b,
                             double *rss, flsq_report *report)
{
    const int64_t unit = rows->unit != 0;
    flsq_qr s = {.kernels = kernels, .rows = rows, .out = out, .n = rows->x.rows, .columns = out->factor.n,
                    .k = rows->y.columns, .lead = rows->x.columns + unit};
    flsq_arena arena;
    s.height = FLSQ_MIN(s.n - unit, s.columns);
    out->factor.roundoff = FLSQ_UNIT_ROUNDOFF;
    out->factor.pivot = -1;
    *report = (flsq_report){.verdict = FLSQ_NOT_FINITE};
    flsq_status status = open_workspace(&s, &arena);
    if (status != FLSQ_OK)
        return status;
    report->passes = 1;
    if (s.height < s.columns) {
        read_rows(&s);
        status = flsq_qr_solve_wide(&s, b, rss, report);
    }
    if (status == FLSQ_OK && (s.height == s.columns || (report->verdict == FLSQ_ILL_CONDITIONED && out->null != NULL))) {
        read_rows(&s);
        if (flsq_pivoted_factor(&s.f))
            status = solve_and_judge(&s, b, rss, report);
    }
    flsq_arena_close(&arena);
    return status;
}
