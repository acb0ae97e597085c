/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Bounded least squares on the normal equations, by block principal pivoting (J. Kim and H. Park, Fast nonnegative matrix
 * factorization: an active-set-like method and comparisons, SIAM J. Sci. Comput. 33, 2011; for boxes J. J. Judice and
 * F. M. Pires, Basic-set algorithm for a generalized linear complementarity problem, J. Optim. Theory Appl. 74, 1992).
 *
 * With F the free coefficients and the others on their bounds, s = z - b, and g the gradient Xᵀr at b:
 *
 *      u = g - M s_bound,    M_FF s_F = u_F,    gradient at z = u - M s_F
 *
 * A free coefficient outside its box, and one on a bound whose gradient points inwards, change sides: all of them as long as
 * their number falls or has risen at most three times since it was smallest, else the last one alone, which ends.
 */
#include "blocksizes.h"
#include "kernels.h"
#include "parallel.h"
#include "workspace.h"
#include <math.h>
#include <string.h>

enum {
    TRIES = 3,           /* exchanges of all columns that may pass without a new smallest number */
    TARGETS_AT_A_TIME = 8,
    SMALL = 64           /* columns up to which the unblocked factorization is faster */
};

typedef struct active_set {
    const flsq_kernels *kernels;
    const flsq_boxes *boxes;
    const double *m, *slack;
    double *g;
    int inner_threads;
    char *memory; /* memory_stride bytes per thread */
    int64_t memory_stride, claimed;
    flsq_status status; /* of the last factorization that was not FLSQ_OK */
} active_set;

typedef struct target {
    const double *lower, *upper;
    double *b, *g;      /* at b, as given */
    int8_t *place;
    double slack;
    int64_t free;       /* number of free columns */
    int64_t *index;     /* of them */
    double *step, *gradient; /* p: z - b; and the gradient at z */
    double *right;      /* p: the free columns' part */
    double *r;          /* free x free */
} target;

static flsq_status add_bytes(int64_t p, int64_t *total)
{
    int64_t square;
    flsq_status status = flsq_size_multiply(p, p, &square);
    if (status == FLSQ_OK)
        status = flsq_size_add(total, square, sizeof(double));
    for (int i = 0; i < 4 && status == FLSQ_OK; i++)
        status = flsq_size_add(total, p, sizeof(double));
    return status;
}

static void lay_out(int64_t p, char *memory, target *t)
{
    int64_t used = 0;
    t->r = (double *)memory;
    flsq_size_add(&used, p * p, sizeof(double));
    double **const pieces[] = {&t->step, &t->gradient, &t->right};
    for (int i = 0; i < 3; i++) {
        *pieces[i] = (double *)(memory + used);
        flsq_size_add(&used, p, sizeof(double));
    }
    t->index = (int64_t *)(memory + used);
}

static void take(const active_set *s, int64_t number, target *t)
{
    const int64_t p = s->boxes->p, bounds = s->boxes->shared ? 0 : number * p;
    t->lower = s->boxes->lower + bounds;
    t->upper = s->boxes->upper + bounds;
    t->b = s->boxes->b + number * p;
    t->place = s->boxes->place + number * p;
    t->g = s->g + number * p;
    t->slack = s->slack[number];
}

/* The minimum with the free columns free and the others on their bounds; 0 if M_FF is not positive definite. */
static int minimise(active_set *s, target *t)
{
    const int64_t p = s->boxes->p;
    memcpy(t->gradient, t->g, (size_t)p * sizeof(double));
    t->free = 0;
    for (int64_t j = 0; j < p; j++) {
        if (t->place[j] == 0) {
            t->index[t->free++] = j;
            continue;
        }
        t->step[j] = (t->place[j] < 0 ? t->lower[j] : t->upper[j]) - t->b[j];
        if (t->step[j] != 0)
            s->kernels->axpy(p, -t->step[j], s->m + j * p, t->gradient);
    }
    const int64_t n = t->free;
    int64_t pivot = -1;
    for (int64_t i = 0; i < n; i++) {
        const double *const row = s->m + t->index[i] * p;
        for (int64_t j = i; j < n; j++)
            t->r[i * n + j] = row[t->index[j]];
        t->right[i] = t->gradient[t->index[i]];
    }
    if (n <= SMALL) {
        pivot = s->kernels->cholesky_small(n, t->r, n);
    } else {
        const flsq_status status = flsq_cholesky(s->kernels, n, t->r, n, s->inner_threads, &pivot);
        if (status != FLSQ_OK && status != FLSQ_NOT_POSITIVE_DEFINITE)
            __atomic_store_n(&s->status, status, __ATOMIC_RELAXED);
        if (status != FLSQ_OK)
            return 0;
    }
    if (pivot >= 0)
        return 0;
    flsq_triangular_solve_transposed(s->kernels, n, t->r, n, 1, t->right);
    flsq_triangular_solve(s->kernels, n, t->r, n, 1, t->right);
    for (int64_t i = 0; i < n; i++) {
        t->step[t->index[i]] = t->right[i];
        s->kernels->axpy(p, -t->right[i], s->m + t->index[i] * p, t->gradient);
    }
    return 1;
}

/* Which side column j should change to: 0 to be free, -1 or 1 to a bound; or its own. */
static int wanted(const target *t, double tolerance, int64_t j)
{
    if (t->lower[j] == t->upper[j])
        return -1;
    if (t->place[j] == 0) {
        const double value = t->b[j] + t->step[j];
        return value < t->lower[j] ? -1 : value > t->upper[j] ? 1 : 0;
    }
    return -t->place[j] * t->gradient[j] > tolerance ? 0 : t->place[j];
}

/* What rounding may have left of a gradient: in g, and in the products with M, whose entries are at most about 1. */
static double rounding(const active_set *s, const target *t)
{
    double size = 0, largest = 0;
    for (int64_t j = 0; j < s->boxes->p; j++) {
        size += fabs(t->step[j]);
        largest = fmax(largest, fabs(t->g[j]));
    }
    return t->slack + 8 * FLSQ_UNIT_ROUNDOFF * (size + largest);
}

static int64_t exchange(const active_set *s, target *t, double tolerance, int64_t fewest, int *tries, int64_t *next_fewest)
{
    const int64_t p = s->boxes->p;
    int64_t count = 0, last = -1;
    for (int64_t j = 0; j < p; j++)
        if (wanted(t, tolerance, j) != t->place[j]) {
            count++;
            last = j;
        }
    *next_fewest = fewest;
    if (count == 0)
        return 0;
    int64_t first = 0;
    if (count < fewest) {
        *next_fewest = count;
        *tries = TRIES;
    } else if (*tries > 0) {
        (*tries)--;
    } else {
        first = last;
    }
    for (int64_t j = first; j < p; j++)
        t->place[j] = (int8_t)wanted(t, tolerance, j);
    return count;
}

static int solve(active_set *s, target *t, int64_t *rounds)
{
    const int64_t p = s->boxes->p;
    int64_t fewest = p + 1;
    int tries = TRIES;
    for (*rounds = 1; *rounds <= s->boxes->most; (*rounds)++) {
        if (!minimise(s, t))
            return 0;
        if (exchange(s, t, rounding(s, t), fewest, &tries, &fewest) > 0)
            continue;
        int finite = 1;
        for (int64_t j = 0; j < p; j++)
            finite &= isfinite(t->step[j]);
        if (!finite)
            return 0;
        for (int64_t j = 0; j < p; j++)
            t->b[j] = t->place[j] == 0 ? t->b[j] + t->step[j] : t->place[j] < 0 ? t->lower[j] : t->upper[j];
        memcpy(t->g, t->gradient, (size_t)p * sizeof(double));
        return 1;
    }
    *rounds = s->boxes->most;
    return 0;
}

static void body(void *context, int thread, int n_threads)
{
    active_set *const s = context;
    const flsq_boxes *const boxes = s->boxes;
    target t;
    (void)n_threads;
    lay_out(boxes->p, s->memory + thread * s->memory_stride, &t);
    for (int64_t block = flsq_parallel_claim(&s->claimed) * TARGETS_AT_A_TIME; block < boxes->count;
         block = flsq_parallel_claim(&s->claimed) * TARGETS_AT_A_TIME)
        for (int64_t i = block; i < FLSQ_MIN(block + TARGETS_AT_A_TIME, boxes->count); i++) {
            take(s, i, &t);
            boxes->settled[i] = (int8_t)solve(s, &t, &boxes->rounds[i]);
        }
}

flsq_status flsq_active_set(const flsq_kernels *kernels, const flsq_boxes *boxes, const double *m, const double *slack,
                            int n_threads, double *g)
{
    active_set s = {.kernels = kernels, .boxes = boxes, .m = m, .slack = slack, .g = g, .inner_threads = 1};
    const int64_t p = boxes->p, tasks = FLSQ_CEIL_DIV(boxes->count, TARGETS_AT_A_TIME);
    flsq_arena arena;
    if ((double)boxes->count * (double)p * (double)p * (double)p < FLSQ_THREAD_FLOPS)
        n_threads = 1;
    if (tasks < n_threads) { /* then the factorizations may have them */
        s.inner_threads = tasks <= 1 ? n_threads : 1;
        n_threads = (int)FLSQ_MAX(1, tasks <= 1 ? 1 : tasks);
    }
    flsq_status status = add_bytes(p, &s.memory_stride);
    if (status == FLSQ_OK)
        status = flsq_arena_open_for_threads(&arena, n_threads, s.memory_stride, &s.memory);
    if (status != FLSQ_OK)
        return status;
    flsq_parallel_run(n_threads, body, &s);
    flsq_arena_close(&arena);
    return s.status;
}
