/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Paths of the elastic net on normal equations: coordinate descent with covariance updates (Friedman, Hastie, Tibshirani,
 * Journal of Statistical Software 33, 2010, no. 1), from the largest alpha to the smallest, each from the solution before.
 *
 *      columns enter a working set by the sequential strong rule (Tibshirani et al., Journal of the Royal Statistical
 *      Society B 74, 2012, 245-266), |q_j| >= l1_j (2 alpha - alpha before), and never leave it
 *      sweeps over the working set, and steps of Newton on the support where these cost less than the sweeps still to come,
 *      until the duality gap of the working set is small
 *      q = c - M b anew for all columns; those that break their condition |q_j| <= alpha l1_j enter, until the duality gap
 *      over all columns is small
 *
 * Each path is one thread's work, so threads do not change a bit.
 */
#include "coordinate.h"
#include "parallel.h"
#include "workspace.h"
#include <math.h>
#include <string.h>

enum {
    STALLS = 3,          /* rounds without progress after which rounding is all that is left, */
    STALLED_SWEEPS = 50, /* and sweeps that have not taken a tenth off the gap */
    SWEEPS_BETWEEN = 8   /* steps of Newton, while signs still change */
};
static const double MARGIN = 0.5;      /* of the goal, which is looked at again with q computed anew */
static const double NO_LESS = 0x1p-56; /* of yy: a gap of nothing but rounding */

typedef struct path {
    const flsq_kernels *kernels;
    const flsq_penalized *problem;
    flsq_working_set w;
    int8_t *inside;                 /* p: in the working set */
    double *diagonal, *b, *q;       /* p */
} path;

/* ---- memory ----------------------------------------------------------------------------------------------------- */

/* An odd number of cache lines, so that rows of M_WW do not meet in the same cache sets. */
static int64_t leading_dimension(int64_t p) { return (FLSQ_CEIL_DIV(p, 8) | 1) * 8; }

enum { DOUBLES = 12, SQUARES = 2 };

static flsq_status add_bytes(int64_t p, int64_t *total)
{
    int64_t square;
    flsq_status status = flsq_size_multiply(leading_dimension(p), p, &square);
    for (int i = 0; i < SQUARES && status == FLSQ_OK; i++)
        status = flsq_size_add(total, square, sizeof(double));
    for (int i = 0; i < DOUBLES && status == FLSQ_OK; i++)
        status = flsq_size_add(total, p, sizeof(double));
    for (int i = 0; i < 2 && status == FLSQ_OK; i++)
        status = flsq_size_add(total, p, sizeof(int64_t));
    if (status == FLSQ_OK)
        status = flsq_size_add(total, p, 1);
    return status;
}

static void *take(char **memory, int64_t count, int64_t item)
{
    char *const piece = *memory;
    int64_t bytes = 0;
    flsq_size_add(&bytes, count, item); /* did not overflow in add_bytes */
    *memory += bytes;
    return piece;
}

static void lay_out(path *s, char *memory)
{
    const int64_t p = s->problem->p;
    flsq_working_set *const w = &s->w;
    double **const vectors[DOUBLES] = {&w->b, &w->q, &w->c, &w->diagonal, &w->l1, &w->l2, &w->reciprocal, &w->saved,
                                       &w->step, &s->diagonal, &s->b, &s->q};
    w->n = 0;
    w->ld = leading_dimension(p);
    w->m = take(&memory, w->ld * p, sizeof(double));
    w->r = take(&memory, w->ld * p, sizeof(double));
    for (int i = 0; i < DOUBLES; i++)
        *vectors[i] = take(&memory, p, sizeof(double));
    w->column = take(&memory, p, sizeof(int64_t));
    w->support = take(&memory, p, sizeof(int64_t));
    s->inside = take(&memory, p, 1);
}

/* ---- the working set -------------------------------------------------------------------------------------------- */

static void set_penalty(path *s, int64_t i, double alpha)
{
    flsq_working_set *const w = &s->w;
    const int64_t j = w->column[i];
    w->l1[i] = alpha * s->problem->l1[j];
    w->l2[i] = alpha * s->problem->l2[j];
    w->reciprocal[i] = 1 / (w->diagonal[i] + w->l2[i]);
}

static void enter(path *s, int64_t j, double alpha)
{
    flsq_working_set *const w = &s->w;
    const double *const row = s->problem->m + j * s->problem->ldm;
    const int64_t n = w->n++;
    s->inside[j] = 1;
    w->column[n] = j;
    for (int64_t i = 0; i < n; i++)
        w->m[n * w->ld + i] = w->m[i * w->ld + n] = row[w->column[i]];
    w->diagonal[n] = w->m[n * w->ld + n] = row[j];
    w->b[n] = s->b[j];
    w->q[n] = s->q[j];
    w->c[n] = s->problem->c[j];
    set_penalty(s, n, alpha);
}

/* Columns whose correlation with the residual is beyond `bound`, as a multiple of l1_j; returns how many. */
static int64_t enter_beyond(path *s, double bound, double alpha)
{
    int64_t count = 0;
    for (int64_t j = 0; j < s->problem->p; j++)
        if (!s->inside[j] && (s->problem->nonnegative ? s->q[j] : fabs(s->q[j])) > bound * s->problem->l1[j]) {
            enter(s, j, alpha);
            count++;
        }
    return count;
}

/* b and q of all columns, anew from b of the working set. */
static void refresh(path *s)
{
    const flsq_penalized *const a = s->problem;
    flsq_working_set *const w = &s->w;
    memcpy(s->q, a->c, (size_t)a->p * sizeof(double));
    for (int64_t i = 0; i < w->n; i++) {
        s->b[w->column[i]] = w->b[i];
        if (w->b[i] != 0)
            s->kernels->axpy(a->p, -w->b[i], a->m + w->column[i] * a->ldm, s->q);
    }
    for (int64_t i = 0; i < w->n; i++)
        w->q[i] = s->q[w->column[i]];
}

/* ---- one alpha -------------------------------------------------------------------------------------------------- */

/* yy - 2 b·c + b·M b = yy - b·c - b·q */
static double residual_squares(const flsq_kernels *kernels, int64_t n, const double *b, const double *c, const double *q,
                               double yy)
{
    return FLSQ_MAX(yy - kernels->dot(n, b, c) - kernels->dot(n, b, q), 0);
}

static double gap_inside(const path *s)
{
    const flsq_working_set *const w = &s->w;
    const double yy = s->problem->yy;
    return flsq_duality_gap(w->n, w->b, w->q, w->l1, w->l2, w->diagonal, 1, s->problem->nonnegative, yy,
                            residual_squares(s->kernels, w->n, w->b, w->c, w->q, yy));
}

/* Whether one step of Newton costs less than the sweeps to come, if the gap goes on to fall at the rate of the last.
 * A multiply-add of a sweep, which waits for the one before, counts twice one of the factorization. */
static int newton_pays(const flsq_working_set *w, double before, double gap, double goal)
{
    double support = 0;
    for (int64_t j = 0; j < w->n; j++)
        support += w->b[j] != 0;
    const double sweep = support * (40 + 0.5 * (double)w->n);
    const double newton = 4000 + support * (100 + support * (4 + support / 20));
    if (!(gap < before))
        return 1;
    return log(goal / gap) / log(gap / before) * sweep > newton;
}

/* Sweeps and steps of Newton over the working set until its gap is at most `goal`. */
static flsq_status descend(path *s, double goal, int64_t *sweeps_left)
{
    flsq_working_set *const w = &s->w;
    const int nonnegative = s->problem->nonnegative;
    int64_t since = 0, idle = 0;
    int may_step = 1;
    flsq_move moved;
    double before, gap = gap_inside(s), least = gap;
    while (gap > goal && *sweeps_left > 0 && idle < STALLED_SWEEPS) {
        const int64_t turned = s->kernels->coordinate_sweep(w->n, w->m, w->ld, w->diagonal, w->l1, w->reciprocal,
                                                            nonnegative, w->b, w->q);
        --*sweeps_left;
        since++;
        before = gap;
        gap = gap_inside(s);
        may_step |= turned > 0;
        idle = gap < 0.9 * least ? 0 : idle + 1;
        least = FLSQ_MIN(least, gap);
        if (!(gap > goal) || *sweeps_left == 0 || !may_step || (turned > 0 && since < SWEEPS_BETWEEN) ||
            !newton_pays(w, before, gap, goal))
            continue;
        do {
            const flsq_status status = flsq_newton_on_support(s->kernels, w, s->problem->yy, nonnegative, &moved);
            if (status != FLSQ_OK)
                return status;
            --*sweeps_left;
        } while (moved == FLSQ_SIGN_LOST && *sweeps_left > 0);
        since = 0;
        before = gap;
        gap = gap_inside(s);
        /* else not before the support has changed */
        may_step = moved != FLSQ_UNMOVED && gap < before;
    }
    return FLSQ_OK;
}

static double gap_of_all(const path *s, double alpha)
{
    const flsq_penalized *const a = s->problem;
    return flsq_duality_gap(a->p, s->b, s->q, a->l1, a->l2, s->diagonal, alpha, a->nonnegative, a->yy,
                            residual_squares(s->kernels, a->p, s->b, a->c, s->q, a->yy));
}

static flsq_status solve(path *s, double alpha, double last_alpha, double *gap, int64_t *sweeps)
{
    const flsq_penalized *const a = s->problem;
    const double goal = a->tolerance * a->yy;
    double inner = MARGIN * goal, best = INFINITY;
    int64_t left = a->most_sweeps;
    flsq_status status = FLSQ_OK;
    int stalls = 0;
    for (int64_t i = 0; i < s->w.n; i++)
        set_penalty(s, i, alpha);
    enter_beyond(s, 2 * alpha - last_alpha, alpha);
    for (;;) {
        status = descend(s, FLSQ_MAX(inner, NO_LESS * a->yy), &left);
        if (status != FLSQ_OK)
            return status;
        refresh(s);
        *gap = gap_of_all(s, alpha);
        if (*gap <= goal || left == 0)
            break;
        if (enter_beyond(s, alpha, alpha) > 0)
            continue;
        stalls = *gap < 0.5 * best ? 0 : stalls + 1;
        if (stalls == STALLS)
            break;
        best = FLSQ_MIN(best, *gap);
        inner *= 0.1; /* the gap was small only in a q that rounding had moved */
    }
    *sweeps = a->most_sweeps - left;
    return FLSQ_OK;
}

/* ---- whole paths ------------------------------------------------------------------------------------------------- */

/* yy - 2 b·c + b·M b + weight (apart - b·distance)² of the rows held out, with b·M b by rows of M. */
static double error_of(path *s, double *products)
{
    const flsq_held_out *const h = s->problem->held_out;
    const int64_t p = s->problem->p;
    memcpy(products, h->c, (size_t)p * sizeof(double));
    for (int64_t j = 0; j < p; j++)
        if (s->b[j] != 0)
            s->kernels->axpy(p, -s->b[j], h->m + j * p, products);
    const double level = h->apart - s->kernels->dot(p, s->b, h->distance);
    return residual_squares(s->kernels, p, s->b, h->c, products, h->yy) + h->weight * level * level;
}

static double objective(const path *s, double alpha)
{
    const flsq_penalized *const a = s->problem;
    double penalty = 0;
    for (int64_t j = 0; j < a->p; j++)
        penalty += alpha * s->b[j] * (0.5 * a->l2[j] * s->b[j] + copysign(a->l1[j], s->b[j]));
    return 0.5 * residual_squares(s->kernels, a->p, s->b, a->c, s->q, a->yy) + penalty;
}

static void start(path *s)
{
    const flsq_penalized *const a = s->problem;
    const size_t bytes = (size_t)a->p * sizeof(double);
    memset(s->inside, 0, (size_t)a->p);
    memset(s->b, 0, bytes);
    memcpy(s->q, a->c, bytes);
    for (int64_t j = 0; j < a->p; j++)
        s->diagonal[j] = a->m[j * (a->ldm + 1)];
    if (a->start == NULL)
        return;
    memcpy(s->b, a->start, bytes);
    for (int64_t j = 0; j < a->p; j++)
        if (s->b[j] != 0)
            enter(s, j, 0);
    refresh(s);
}

static flsq_status run(const flsq_kernels *kernels, const flsq_penalized *problem, const flsq_path *out, char *memory)
{
    const int64_t p = problem->p;
    path s = {.kernels = kernels, .problem = problem};
    lay_out(&s, memory);
    start(&s);
    for (int64_t k = 0; k < problem->count; k++) {
        const double alpha = problem->alpha[k], last = k > 0 ? problem->alpha[k - 1] : alpha;
        const flsq_status status = solve(&s, alpha, last, out->gap + k, out->sweeps + k);
        if (status != FLSQ_OK)
            return status;
        memcpy(out->b + k * p, s.b, (size_t)p * sizeof(double));
        out->objective[k] = objective(&s, alpha);
        if (problem->held_out != NULL)
            out->error[k] = error_of(&s, s.w.r);
    }
    return FLSQ_OK;
}

typedef struct paths {
    const flsq_kernels *kernels;
    const flsq_penalized *problems;
    const flsq_path *out;
    int64_t count, claimed;
    char *memory; /* memory_stride bytes a thread */
    int64_t memory_stride;
    flsq_status status; /* the last that is not FLSQ_OK */
} paths;

static void body(void *context, int thread, int n_threads)
{
    paths *const s = context;
    (void)n_threads;
    for (int64_t i = flsq_parallel_claim(&s->claimed); i < s->count; i = flsq_parallel_claim(&s->claimed)) {
        const flsq_status status = run(s->kernels, s->problems + i, s->out + i, s->memory + thread * s->memory_stride);
        if (status != FLSQ_OK)
            __atomic_store_n(&s->status, status, __ATOMIC_RELAXED);
    }
}

flsq_status flsq_elastic_net_paths(const flsq_kernels *kernels, int64_t count, const flsq_penalized *problems,
                                   int n_threads, const flsq_path *out)
{
    paths s = {.kernels = kernels, .problems = problems, .out = out, .count = count, .status = FLSQ_OK};
    int64_t p = 1;
    flsq_arena arena;
    for (int64_t i = 0; i < count; i++)
        p = FLSQ_MAX(p, problems[i].p);
    n_threads = (int)FLSQ_MAX(1, FLSQ_MIN(n_threads, count));
    flsq_status status = add_bytes(p, &s.memory_stride);
    if (status == FLSQ_OK)
        status = flsq_arena_open_for_threads(&arena, n_threads, s.memory_stride, &s.memory);
    if (status != FLSQ_OK)
        return status;
    flsq_parallel_run(n_threads, body, &s);
    flsq_arena_close(&arena);
    return s.status;
}
