/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Fixed-precision refinement with residuals taken from the rows, until the answer proves itself; none where a sample of
 * the rows shows that it would not help (sample.h).
 *
 *     r = y - X b;   step = M⁻¹ Xᵀr;   b += step;   ‖y - X b‖² = r·r - step·Xᵀr
 *
 * With b̂ from the factor R, one step multiplies the error by about u*kappa², so the size of the first step measures
 * that product better than any condition estimate (Björck, Numerical Methods for Least Squares Problems, SIAM 1996,
 * section 6.6, for the corrected seminormal equations).
 */
#include "refine.h"
#include "damped.h"
#include "kernels.h"
#include "normal.h"
#include "sample.h"
#include "workspace.h"
#include <math.h>
#include <string.h>

/* A first step larger than this means u*kappa² is too large to be worth iterating. */
#define LARGEST_FIRST_STEP 0.03
/* The same for a factor in single precision: from here five passes reach the end, and a factor in double precision costs as
 * much as a few. */
#define LARGEST_FIRST_STEP_SINGLE 1e-3
/* Each further step must shrink by at least this factor. */
#define SMALLEST_CONTRACTION 0.3
/* Stop when the next step is predicted to stay below this part of the attainable accuracy (Wedin's bound). */
#define FLOOR_SHARE 0.05
/* The residual sum of squares is taken from the last pass and corrected for the last step; when the uncertain part of
 * the correction exceeds this share, one more pass is made. */
#define RSS_ACCURACY 1e-13
/* Up to this 1-norm condition number of D M D, kappa = 10 of the rows, an answer may stand unrefined: its error is some
 * 100 u*p, and so long as the residual is more than this part of the target, the moments still give eight digits of it. */
#define UNREFINED_CONDITION 100.0
#define UNREFINED_SHARE 1e-6
enum { MAX_PASSES = 5 };

/* ---- judgement of one target ------------------------------------------------------------------------------------ */

int flsq_judge(int pass, const flsq_system *system, double size, double step_size, double correction,
               flsq_progress *progress, double *rss, flsq_report *report)
{
    const double kappa = sqrt(system->condition), norm_x = sqrt(system->trace);
    if (!isfinite(size) || !isfinite(step_size) || !isfinite(*rss)) {
        report->verdict = FLSQ_NOT_FINITE;
        return 0;
    }
    const double delta = step_size > 0 ? step_size / FLSQ_MAX(size, step_size) : 0.0;
    const double tangent = *rss > 0 ? sqrt(*rss) / (norm_x * size) : 0.0;
    const double floor = 4 * FLSQ_UNIT_ROUNDOFF * kappa * (1 + kappa * tangent);
    double contraction = delta;
    if (pass > 1)
        contraction = progress->delta > 0 ? delta / progress->delta : 0.0;
    const double largest = system->roundoff > FLSQ_UNIT_ROUNDOFF ? LARGEST_FIRST_STEP_SINGLE : LARGEST_FIRST_STEP;
    if (delta > floor && pass == 1 && delta > largest) {
        report->verdict = FLSQ_STEP_TOO_LARGE;
        report->figure = FLSQ_MAX(report->figure, delta);
    }
    if (delta > floor && pass > 1 && contraction > SMALLEST_CONTRACTION)
        report->verdict = FLSQ_NO_CONTRACTION;
    const double noise = 4 * FLSQ_UNIT_ROUNDOFF * norm_x * size;
    const int settled = delta * FLSQ_MIN(contraction, 1.0) <= FLSQ_MAX(FLSQ_UNIT_ROUNDOFF, FLOOR_SHARE * floor);
    /* ‖r - X step‖² = rss - stepᵀg; below (4u‖X‖‖b‖)² the residual itself is rounding */
    const int sharp = fabs(correction) * delta <= RSS_ACCURACY * *rss || *rss <= noise * noise;
    *progress = (flsq_progress){.first = pass == 1 ? delta : progress->first, .delta = delta, .contraction = contraction,
                                .measured = *rss, .settled = settled};
    *rss = FLSQ_MAX(*rss - correction, 0.0);
    return !(settled && (sharp || pass == MAX_PASSES));
}

double flsq_backward_error(const flsq_system *system, double size, double whole, double half,
                           const flsq_progress *progress)
{
    const double norm_x = sqrt(system->trace);
    const double smallest = FLSQ_MIN(4 * system->roundoff * system->condition, progress->first);
    double measured = fmin(half / (norm_x * size), whole / (norm_x * sqrt(progress->measured)));
    measured = isnan(measured) ? 0.0 : FLSQ_MIN(measured, 1.0);
    return measured * FLSQ_MIN(FLSQ_MAX(progress->contraction, smallest), 1.0) + FLSQ_UNIT_ROUNDOFF;
}

/* ---- passes over the rows --------------------------------------------------------------------------------------- */

typedef struct refinement {
    const flsq_kernels *kernels;
    const flsq_rows *rows;
    const flsq_equations *equations;
    const flsq_factor *factor;
    int64_t p, k, lead;
    double *g, *step, *work;                                /* lead x k */
    double *whole, *half, *size, *step_size, *correction; /* k */
    flsq_progress *progress;                                /* k */
    double *pull, *next_pull; /* p x k: P b before and after a step; for a penalty, as the next */
    double *fit;              /* k: sums of squared residuals without it */
} refinement;

static flsq_status open_workspace(refinement *s, flsq_arena *arena)
{
    int64_t size = 0, matrix;
    flsq_status status = flsq_size_multiply(s->lead, s->k, &matrix);
    for (int i = 0; status == FLSQ_OK && i < 3; i++)
        status = flsq_size_add(&size, matrix, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, s->k, 5 * sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, s->k, sizeof(flsq_progress));
    const int64_t penalized = s->equations->penalty != NULL;
    for (int i = 0; status == FLSQ_OK && i < 2 * penalized; i++)
        status = flsq_size_add(&size, matrix, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, penalized * s->k, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(arena, size);
    if (status != FLSQ_OK)
        return status;
    if (penalized) {
        s->pull = flsq_arena_take(arena, matrix, sizeof(double));
        s->next_pull = flsq_arena_take(arena, matrix, sizeof(double));
        s->fit = flsq_arena_take(arena, s->k, sizeof(double));
    }
    s->g = flsq_arena_take(arena, matrix, sizeof(double));
    s->step = flsq_arena_take(arena, matrix, sizeof(double));
    s->work = flsq_arena_take(arena, matrix, sizeof(double));
    s->whole = flsq_arena_take(arena, s->k, 5 * sizeof(double));
    s->half = s->whole + s->k;
    s->size = s->half + s->k;
    s->step_size = s->size + s->k;
    s->correction = s->step_size + s->k;
    s->progress = flsq_arena_take(arena, s->k, sizeof(flsq_progress));
    return FLSQ_OK;
}

/* b := M⁻¹c; with an intercept the level mean(y) - mean(x)·b follows. */
static void first_solution(refinement *s, double *b)
{
    const flsq_equations *const e = s->equations;
    flsq_factor_start(s->kernels, s->factor, s->p, s->k, e->c, e->ldc, b, s->whole, s->half, s->work);
    for (int64_t t = 0; e->mean != NULL && t < s->k; t++) {
        double level = e->mean[s->p + t];
        for (int64_t j = 0; j < s->p; j++)
            level -= e->mean[j] * b[j * s->k + t];
        b[s->p * s->k + t] = level;
    }
}

/* Newton step for the gradient g = [X | 1]ᵀWr: the slopes from the centred system, then the intercept. */
static void newton_step(refinement *s)
{
    const flsq_equations *const e = s->equations;
    const double *const total = s->g + s->p * s->k;
    if (e->mean == NULL) {
        flsq_factor_solve(s->kernels, s->factor, s->p, s->k, s->g, s->k, s->step, s->whole, s->half, s->work);
        return;
    }
    for (int64_t j = 0; j < s->p; j++) /* centred into step, solved in place */
        for (int64_t t = 0; t < s->k; t++)
            s->step[j * s->k + t] = s->g[j * s->k + t] - e->mean[j] * total[t];
    flsq_factor_solve(s->kernels, s->factor, s->p, s->k, s->step, s->k, s->step, s->whole, s->half, s->work);
    for (int64_t t = 0; t < s->k; t++) {
        double level = total[t] / e->sum_weights;
        for (int64_t j = 0; j < s->p; j++)
            level -= e->mean[j] * s->step[j * s->k + t];
        s->step[s->p * s->k + t] = level;
    }
}

/* pull := P b */
static void pull_of(const refinement *s, const double *b, double *pull)
{
    const int64_t p = s->p, k = s->k;
    const double *const penalty = s->equations->penalty;
    memset(pull, 0, (size_t)(p * k) * sizeof(double));
    for (int64_t i = 0; i < p; i++) {
        const int64_t first = s->equations->penalty_is_diagonal ? i : 0, end = s->equations->penalty_is_diagonal ? i + 1 : p;
        const double *const row = s->equations->penalty_is_diagonal ? penalty : penalty + i * p;
        for (int64_t j = first; j < end; j++)
            for (int64_t t = 0; t < k; t++)
                pull[i * k + t] += row[j] * b[j * k + t];
    }
}

/* A penalty is so many rows more, a root of P, with targets 0: g -= P b, rss += bᵀP b. */
static void penalize(refinement *s, const double *b, double *rss)
{
    pull_of(s, b, s->pull);
    memcpy(s->fit, rss, (size_t)s->k * sizeof(double));
    for (int64_t i = 0; i < s->p * s->k; i += s->k)
        for (int64_t t = 0; t < s->k; t++) {
            s->g[i + t] -= s->pull[i + t];
            rss[t] += b[i + t] * s->pull[i + t];
        }
}

/* Sums of squared residuals alone, after the step: those before it less step·g, less what the penalty has grown by,
 * stepᵀP(b + step) + stepᵀP b. */
static void leave_out_penalty(refinement *s, const double *b, double *rss)
{
    pull_of(s, b, s->next_pull);
    for (int64_t t = 0; t < s->k; t++)
        rss[t] = s->fit[t] - s->correction[t];
    for (int64_t i = 0; i < s->p * s->k; i += s->k)
        for (int64_t t = 0; t < s->k; t++)
            rss[t] -= s->step[i + t] * (s->pull[i + t] + s->next_pull[i + t]);
    for (int64_t t = 0; t < s->k; t++)
        rss[t] = FLSQ_MAX(rss[t], 0.0);
}

/* half_t := ‖(D M D + ω²)^-½ D g_t‖, ω = ‖r‖/‖D⁻¹b‖, of which half and whole/ω are upper bounds, sometimes poor ones. */
static flsq_status sharpen(refinement *s)
{
    const flsq_factor *const f = s->factor;
    const double *const r = f->transform != NULL ? f->whole : f->r;
    flsq_status status = FLSQ_OK;
    for (int64_t t = 0; t < s->k && status == FLSQ_OK; t++) {
        for (int64_t i = 0; i < f->n; i++) {
            const int64_t j = f->active != NULL ? f->active[i] : i;
            s->work[i] = s->g[j * s->k + t];
            if (s->equations->mean != NULL)
                s->work[i] -= s->equations->mean[j] * s->g[s->p * s->k + t];
            s->work[i] *= f->scale[i];
        }
        if (s->size[t] > 0 && s->progress[t].measured > 0)
            status = flsq_damped_norm(s->kernels, f->n, r, f->n, sqrt(s->progress[t].measured) / s->size[t], s->work,
                                      &s->half[t]);
    }
    return status;
}

/* Whether that costs less than another pass. */
static int worth_sharpening(const refinement *s)
{
    return (double)s->factor->n * (double)s->factor->n < 6.0 * (double)s->rows->x.rows;
}

/* Largest over the targets, after the step or without it. */
static double backward_error_of(const refinement *s, const flsq_system *system, int with_step)
{
    double largest = 0;
    for (int64_t t = 0; t < s->k; t++) {
        flsq_progress progress = s->progress[t];
        if (!with_step)
            progress.first = progress.contraction = 1;
        largest = FLSQ_MAX(largest, flsq_backward_error(system, s->size[t], s->whole[t], s->half[t], &progress));
    }
    return largest;
}

/* Where steps are rounding already, but large enough to leave the sum of squares in doubt: whether b may stay as it is,
 * whose sum the pass has measured. */
static flsq_status stay(refinement *s, const flsq_system *system, double *rss, flsq_report *report, int *stays)
{
    *stays = 0;
    for (int64_t t = 0; t < s->k; t++)
        if (!s->progress[t].settled)
            return FLSQ_OK;
    if (!worth_sharpening(s))
        return FLSQ_OK;
    const flsq_status status = sharpen(s);
    const double error = backward_error_of(s, system, 0);
    if (status != FLSQ_OK || error > FLSQ_BACKWARD_GOAL)
        return status;
    for (int64_t t = 0; t < s->k; t++)
        rss[t] = s->fit != NULL ? s->fit[t] : s->progress[t].measured;
    report->backward_error = error;
    *stays = 1;
    return FLSQ_OK;
}

static flsq_status iterate(refinement *s, int n_threads, double *b, double *rss, flsq_report *report)
{
    const int64_t entries = s->lead * s->k;
    const flsq_system system = {.condition = s->factor->condition, .trace = s->factor->trace,
                                .roundoff = s->factor->roundoff};
    first_solution(s, b);
    for (int pass = 1; pass <= MAX_PASSES; pass++) {
        flsq_status status = flsq_residual(s->kernels, s->rows, b, s->g, rss, NULL, n_threads);
        if (status != FLSQ_OK)
            return status;
        report->passes = pass;
        if (s->fit != NULL)
            penalize(s, b, rss);
        newton_step(s);
        flsq_factor_norm(s->factor, s->k, b, s->size);
        flsq_factor_norm(s->factor, s->k, s->step, s->step_size);
        memset(s->correction, 0, (size_t)s->k * sizeof(double));
        for (int64_t i = 0; i < entries; i += s->k)
            for (int64_t t = 0; t < s->k; t++)
                s->correction[t] += s->step[i + t] * s->g[i + t];
        int more = 0;
        report->backward_error = 0;
        report->verdict = FLSQ_CERTIFIED;
        for (int64_t t = 0; t < s->k; t++)
            more |= flsq_judge(pass, &system, s->size[t], s->step_size[t], s->correction[t], &s->progress[t], &rss[t],
                               report);
        if (report->verdict != FLSQ_CERTIFIED)
            return FLSQ_OK;
        int stays = 0;
        if (more)
            status = stay(s, &system, rss, report, &stays);
        if (status != FLSQ_OK || stays)
            return status;
        for (int64_t i = 0; i < entries; i++)
            b[i] += s->step[i];
        report->backward_error = backward_error_of(s, &system, 1);
        if (!more && report->backward_error > FLSQ_BACKWARD_GOAL && worth_sharpening(s)) {
            status = sharpen(s);
            if (status != FLSQ_OK)
                return status;
            report->backward_error = backward_error_of(s, &system, 1);
        }
        if (!more && (report->backward_error <= FLSQ_BACKWARD_GOAL || pass == MAX_PASSES)) {
            if (s->fit != NULL)
                leave_out_penalty(s, b, rss);
            return FLSQ_OK;
        }
    }
    report->verdict = FLSQ_NOT_SETTLED;
    return FLSQ_OK;
}

/* ‖y - X b‖² = y·y - b·Xᵀy - bᵀP b, if that is enough. */
static void leave_unrefined(refinement *s, double *b, double *rss, flsq_report *report)
{
    const flsq_equations *const e = s->equations;
    report->verdict = FLSQ_NOT_SETTLED;
    if (s->factor->condition > UNREFINED_CONDITION)
        return;
    first_solution(s, b);
    if (s->fit != NULL)
        pull_of(s, b, s->pull);
    for (int64_t t = 0; t < s->k; t++) {
        rss[t] = e->yy[t];
        for (int64_t j = 0; j < s->p; j++)
            rss[t] -= b[j * s->k + t] * (e->c[j * e->ldc + t] + (s->fit != NULL ? s->pull[j * s->k + t] : 0.0));
        if (!(rss[t] > UNREFINED_SHARE * e->yy[t]) && e->yy[t] != 0)
            return;
    }
    report->verdict = FLSQ_CERTIFIED;
    report->backward_error = 4 * FLSQ_UNIT_ROUNDOFF * sqrt((double)s->p * s->factor->condition);
}

flsq_status flsq_refine(const flsq_kernels *kernels, const flsq_rows *rows, const flsq_equations *equations,
                        const flsq_factor *factor, int n_threads, double *b, double *rss, flsq_report *report)
{
    const int64_t p = rows->x.columns, k = rows->y.columns;
    refinement s = {.kernels = kernels, .rows = rows, .equations = equations, .factor = factor, .p = p, .k = k,
                    .lead = p + (equations->mean != NULL)};
    flsq_arena arena;
    *report = (flsq_report){.verdict = FLSQ_CERTIFIED};
    if (k == 0)
        return FLSQ_OK;
    flsq_status status = FLSQ_OK;
    if (equations->lost != NULL && factor->active == NULL && !equations->unrefined && equations->penalty == NULL) {
        status = flsq_certify_one_pass(kernels, rows, equations, factor, n_threads, b, rss, report);
        if (status != FLSQ_OK || report->verdict == FLSQ_CERTIFIED)
            return status;
        *report = (flsq_report){.verdict = FLSQ_CERTIFIED};
    }
    status = open_workspace(&s, &arena);
    if (status != FLSQ_OK)
        return status;
    if (equations->unrefined)
        leave_unrefined(&s, b, rss, report);
    if (!equations->unrefined || report->verdict != FLSQ_CERTIFIED) {
        *report = (flsq_report){.verdict = FLSQ_CERTIFIED};
        status = iterate(&s, n_threads, b, rss, report);
    }
    flsq_arena_close(&arena);
    return status;
}
