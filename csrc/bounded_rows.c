/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Bounded least squares of any rank by orthogonal transformations of the rows: Lawson and Hanson's NNLS (Solving Least Squares
 * Problems, SIAM 1995, chapter 23), for boxes as in P. B. Stark and R. L. Parker (Bounded-variable least squares: an algorithm
 * and applications, Computational Statistics 10, 1995).
 *
 * One column at a time leaves its bound, that of the largest gradient, unless it depends on the free ones.  The free columns
 * are kept triangular by reflections and rotations, which are applied to all columns and to the target, less what lies on bounds:
 *
 *      Q [T_F | T_rest | d - T_rest b_rest] = [R  *  y]      R b_F = y,   gradient = T_restᵀ Q[.., 0; 0, 1]ᵀ rest
 *                                             [0  *  rest]
 */
#include "blocksizes.h"
#include "bounded.h"
#include "kernels.h"
#include "parallel.h"
#include "workspace.h"
#include <math.h>
#include <string.h>

enum { NEVER = 2 }; /* blocked for good */
enum { MOST_STEPS = 6, NO_STEP = 2 }; /* of refinement; as a multiple of the unit roundoff */
/* Of refinement, relative to the fit: condition numbers up to 1e6 or so. */
#define LONGEST_STEP 1e-8
enum { OFF = 2 }; /* place of a column that is nowhere: without bounds and not free yet, or never to move */

typedef struct bounded {
    const flsq_kernels *kernels;
    const flsq_boxes *boxes;
    int64_t rows;
    const double *t, *d, *price;
    int64_t full_rows;    /* those that T and d stand for, or they themselves */
    const double *full_t, *full_d;
    double noise;         /* a column no longer than this times its length, seen across the free ones, depends on them */
    const double *length; /* p */
    char *memory;         /* memory_stride bytes per thread */
    int64_t memory_stride, claimed;
} bounded;

typedef struct target {
    const bounded *s;
    const double *lower, *upper, *d, *full_d;
    double *b;
    int8_t *place;
    double *a, *rest;     /* the transformed columns and target */
    double *reflector;    /* rows; or a residual of all of them */
    double *z;            /* p: of the free columns, in their order */
    int64_t *order;       /* p: the free columns */
    int64_t free;
    int8_t *blocked;      /* p: not to leave their bound before something moves */
    double target_length;
} target;

static flsq_status add_bytes(int64_t p, int64_t rows, int64_t full_rows, int64_t *total)
{
    int64_t square;
    flsq_status status = flsq_size_multiply(p, rows, &square);
    if (status == FLSQ_OK)
        status = flsq_size_add(total, square, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(total, rows, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(total, full_rows, sizeof(double));
    for (int i = 0; i < 3 && status == FLSQ_OK; i++)
        status = flsq_size_add(total, p, sizeof(double));
    return status;
}

static void lay_out(const bounded *s, char *memory, target *t)
{
    const int64_t p = s->boxes->p;
    int64_t used = 0;
    t->s = s;
    t->a = (double *)memory;
    flsq_size_add(&used, p * s->rows, sizeof(double));
    t->rest = (double *)(memory + used);
    flsq_size_add(&used, s->rows, sizeof(double));
    t->reflector = (double *)(memory + used);
    flsq_size_add(&used, s->full_rows, sizeof(double));
    t->z = (double *)(memory + used);
    flsq_size_add(&used, p, sizeof(double));
    t->order = (int64_t *)(memory + used);
    flsq_size_add(&used, p, sizeof(double));
    t->blocked = (int8_t *)(memory + used);
}

static double *column(const target *t, int64_t j) { return t->a + j * t->s->rows; }

static double norm(const bounded *s, int64_t n, const double *x) { return sqrt(s->kernels->dot(n, x, x)); }

/* Reflects column j to a multiple of the row `first`, and with it what follows: other columns and the target.  It becomes the
 * last free one. */
static void free_column(target *t, int64_t j)
{
    const bounded *const s = t->s;
    const int64_t first = t->free, n = s->rows - first, p = s->boxes->p;
    double *const own = column(t, j) + first, *const v = t->reflector;
    const double length = norm(s, n, own), diagonal = own[0] > 0 ? -length : length;
    memcpy(v, own, (size_t)n * sizeof(double));
    v[0] -= diagonal;
    const double half = s->kernels->dot(n, v, v) / 2;
    memset(own, 0, (size_t)n * sizeof(double));
    own[0] = diagonal;
    t->place[j] = 0;
    t->order[t->free++] = j;
    if (!(half > 0))
        return;
    for (int64_t l = 0; l < p; l++)
        if (t->place[l] != 0) {
            double *const other = column(t, l) + first;
            s->kernels->axpy(n, -s->kernels->dot(n, v, other) / half, v, other);
        }
    s->kernels->axpy(n, -s->kernels->dot(n, v, t->rest + first) / half, v, t->rest + first);
}

/* The free column at position q leaves; rotations of neighbouring rows make the others triangular again. */
static void unfree_column(target *t, int64_t q)
{
    const bounded *const s = t->s;
    const int64_t p = s->boxes->p;
    t->free--;
    for (int64_t i = q; i < t->free; i++) {
        t->order[i] = t->order[i + 1];
        double *const pivot = column(t, t->order[i]) + i;
        const double length = hypot(pivot[0], pivot[1]);
        if (!(length > 0))
            continue;
        const double cosine = pivot[0] / length, sine = pivot[1] / length;
        for (int64_t l = 0; l <= p; l++) {
            double *const at = l < p ? column(t, l) + i : t->rest + i;
            const double upper = cosine * at[0] + sine * at[1];
            at[1] = cosine * at[1] - sine * at[0];
            at[0] = upper;
        }
        pivot[1] = 0;
    }
}

/* The part of column j comes to the target, as it becomes free, or leaves it, as it is bound. */
static void add_part(target *t, int64_t j, double sign)
{
    if (t->b[j] != 0)
        t->s->kernels->axpy(t->s->rows, sign * t->b[j], column(t, j), t->rest);
}

/* z := R⁻¹z */
static void back_substitute(target *t)
{
    for (int64_t i = t->free - 1; i >= 0; i--) {
        const double *const r = column(t, t->order[i]);
        t->z[i] /= r[i];
        t->s->kernels->axpy(i, -t->z[i], r, t->z);
    }
}

static void solve_free(target *t)
{
    memcpy(t->z, t->rest, (size_t)t->free * sizeof(double));
    back_substitute(t);
}

/* z, or as far towards it as the box allows: then what has reached its bound is free no longer. */
static void move(target *t)
{
    for (;;) {
        solve_free(t);
        double share = 1;
        int64_t first = -1;
        for (int64_t i = 0; i < t->free; i++) {
            const int64_t j = t->order[i];
            const double bound = t->z[i] < t->lower[j] ? t->lower[j] : t->upper[j];
            if (t->z[i] >= t->lower[j] && t->z[i] <= t->upper[j])
                continue;
            const double step = t->z[i] - t->b[j], part = step != 0 ? (bound - t->b[j]) / step : 0;
            if (first < 0 || part < share) {
                share = FLSQ_MAX(part, 0);
                first = i;
            }
        }
        if (first < 0)
            break;
        for (int64_t i = 0; i < t->free; i++)
            t->b[t->order[i]] += share * (t->z[i] - t->b[t->order[i]]);
        for (int64_t i = t->free - 1; i >= 0; i--) {
            const int64_t j = t->order[i];
            const int low = t->z[i] < t->lower[j] && (i == first || t->b[j] <= t->lower[j]);
            if (!low && !(t->z[i] > t->upper[j] && (i == first || t->b[j] >= t->upper[j])))
                continue;
            /* a column that would leave its box at once stays where it is until another has moved */
            t->blocked[j] = (int8_t)(t->blocked[j] == NEVER ? NEVER : !(share > 0));
            t->b[j] = low ? t->lower[j] : t->upper[j];
            unfree_column(t, i);
            t->place[j] = low ? -1 : 1;
            add_part(t, j, -1);
        }
    }
    for (int64_t i = 0; i < t->free; i++)
        t->b[t->order[i]] = t->z[i];
}

/* The free columns transformed afresh: rounding of earlier exchanges is forgotten. */
static void refresh(target *t)
{
    const bounded *const s = t->s;
    const int64_t p = s->boxes->p, count = t->free;
    memcpy(t->a, s->t, (size_t)(p * s->rows) * sizeof(double));
    memcpy(t->rest, t->d, (size_t)s->rows * sizeof(double));
    for (int64_t i = 0; i < count; i++)
        t->place[t->order[i]] = OFF; /* to be transformed until its turn */
    for (int64_t j = 0; j < p; j++)
        if (t->place[j] != OFF)
            add_part(t, j, -1);
    /* b of a column that has not moved yet is 0, or its length */
    t->free = 0;
    for (int64_t i = 0; i < count; i++)
        free_column(t, t->order[i]);
}

/* The lengths of what the residual is made of. */
static double parts(const target *t)
{
    double sum = t->target_length;
    for (int64_t j = 0; j < t->s->boxes->p; j++)
        sum += t->s->length[j] * fabs(t->b[j]);
    return sum;
}

/* The column to leave its bound, or -1. */
static int64_t entering(target *t)
{
    const bounded *const s = t->s;
    const int64_t p = s->boxes->p, n = s->rows - t->free;
    double most = 0;
    int64_t found = -1;
    if (n <= 0)
        return -1;
    const double rest = norm(s, n, t->rest + t->free), tolerance = 4 * FLSQ_UNIT_ROUNDOFF * rest;
    if (rest <= s->noise * parts(t)) /* what rounding leaves of an exact fit */
        return -1;
    for (int64_t j = 0; j < p; j++) {
        if (t->place[j] == 0 || t->blocked[j] || s->length[j] == 0 || t->lower[j] == t->upper[j])
            continue;
        const double slope = s->kernels->dot(n, column(t, j) + t->free, t->rest + t->free) / s->length[j];
        const double gain = t->place[j] == OFF ? fabs(slope) : -t->place[j] * slope;
        if (gain <= tolerance || gain * s->length[j] * s->price[j] <= most)
            continue;
        if (norm(s, n, column(t, j) + t->free) <= s->noise * s->length[j]) {
            t->blocked[j] = 1;
            continue;
        }
        most = gain * s->length[j] * s->price[j];
        found = j;
    }
    return found;
}

static void start(target *t)
{
    const bounded *const s = t->s;
    const int64_t p = s->boxes->p;
    for (int64_t j = 0; j < p; j++) {
        const int low = isfinite(t->lower[j]), high = isfinite(t->upper[j]);
        t->place[j] = (int8_t)(low ? -1 : high ? 1 : OFF);
        t->b[j] = low ? t->lower[j] : high ? t->upper[j] : 0;
        if (s->length[j] == 0 && t->lower[j] != t->upper[j]) { /* anything does: the smallest */
            t->b[j] = fmin(fmax(0, t->lower[j]), t->upper[j]);
            t->place[j] = (int8_t)(t->b[j] == t->lower[j] ? -1 : t->b[j] == t->upper[j] ? 1 : OFF);
        }
    }
    memset(t->blocked, 0, (size_t)p);
    t->target_length = norm(s, s->rows, t->d);
    t->free = 0;
    refresh(t);
}

/* ‖d - T b‖ and what rounding b may add to it. */
static double misfit(const target *t)
{
    return hypot(norm(t->s, t->s->rows - t->free, t->rest + t->free), FLSQ_UNIT_ROUNDOFF * parts(t));
}

/* The free column j goes back to its bound, for good. */
static void bind_again(target *t, int64_t j, int8_t place, double value)
{
    int64_t q = 0;
    while (t->order[q] != j)
        q++;
    unfree_column(t, q);
    t->place[j] = place;
    t->b[j] = value;
    t->blocked[j] = NEVER;
    add_part(t, j, -1);
    move(t);
}

/* The residual of the rows themselves, at b; what the transformed target knows of it is no longer needed. */
static double *true_residual(target *t)
{
    const bounded *const s = t->s;
    double *const r = t->reflector;
    memcpy(r, t->full_d, (size_t)s->full_rows * sizeof(double));
    for (int64_t j = 0; j < s->boxes->p; j++)
        if (t->b[j] != 0)
            s->kernels->axpy(s->full_rows, -t->b[j], s->full_t + j * s->full_rows, r);
    return r;
}

/* z := (RᵀR)⁻¹T_Fᵀr, the step that the residual r asks for; the largest part of the fit that it moves. */
static double corrected(target *t)
{
    const bounded *const s = t->s;
    const double *const r = true_residual(t);
    double largest = 0;
    for (int64_t i = 0; i < t->free; i++) {
        const double *const own = column(t, t->order[i]);
        const double gradient = s->kernels->dot(s->full_rows, s->full_t + t->order[i] * s->full_rows, r);
        t->z[i] = (gradient - s->kernels->dot(i, own, t->z)) / own[i];
    }
    back_substitute(t);
    for (int64_t i = 0; i < t->free; i++)
        largest = fmax(largest, fabs(t->z[i]) * s->length[t->order[i]]);
    return largest;
}

/* Corrected seminormal equations (Å. Björck, Stability analysis of the method of seminormal equations for linear least squares
 * problems, Linear Algebra Appl. 88/89, 1987), with the residual of the rows: what the reflections have lost of an answer that is
 * determined comes back.  Where R is too ill-conditioned for that, a step is of rounding, and longer than what reflections leave:
 * one is taken back if the next is longer, unless it is rounding of the coefficients themselves. */
static void refine(target *t)
{
    double *const before = t->rest; /* of no use any more */
    double largest = 0;
    for (int64_t i = 0; i < t->free; i++)
        largest = fmax(largest, fabs(t->b[t->order[i]]) * t->s->length[t->order[i]]);
    double length = corrected(t);
    for (int step = 0; step < MOST_STEPS && length > 0 && length <= LONGEST_STEP * largest; step++) {
        for (int64_t i = 0; i < t->free; i++) {
            const int64_t j = t->order[i];
            before[i] = t->b[j];
            t->b[j] = fmin(fmax(t->b[j] + t->z[i], t->lower[j]), t->upper[j]);
        }
        if (length <= NO_STEP * FLSQ_UNIT_ROUNDOFF * largest)
            return;
        const double next = corrected(t);
        for (int64_t i = 0; i < t->free && !(next <= length); i++)
            t->b[t->order[i]] = before[i];
        if (!(next <= length / 4))
            return;
        length = next;
    }
}

/* Every round makes the residual shorter, or one more column is kept from entering until that happens, or it is one of at most p
 * in a row that gain less than the length of the residual shows, yet more than rounding: so there is an end.  Next to heavy rows
 * the first columns gain that little, and those after them all of the rest.  A column that is all but dependent makes
 * coefficients so large that rounding them costs more than it gains; it is kept out. */
static int solve(target *t, int64_t *rounds)
{
    const int64_t p = t->s->boxes->p;
    int64_t unseen = 0; /* rounds since the residual was last seen to get shorter */
    int fresh = 1;
    start(t);
    double shortest = misfit(t);
    for (*rounds = 0;;) {
        const int64_t j = entering(t);
        if (j < 0) {
            if (fresh)
                break;
            refresh(t);
            move(t);
            fresh = 1;
            continue;
        }
        if (*rounds >= t->s->boxes->most)
            return 0;
        (*rounds)++;
        const int8_t place = t->place[j];
        const double value = t->b[j];
        add_part(t, j, 1);
        free_column(t, j);
        const double gain = fabs(t->rest[t->free - 1]);
        move(t);
        fresh = 0;
        const double left = misfit(t);
        const int shorter = left < shortest * (1 - 4 * FLSQ_UNIT_ROUNDOFF);
        unseen = shorter ? 0 : unseen + 1;
        if (shorter || (unseen <= p && t->b[j] != value && gain > t->s->noise * parts(t) &&
                        left <= shortest * (1 + 4 * FLSQ_UNIT_ROUNDOFF))) {
            for (int64_t i = 0; i < p; i++)
                t->blocked[i] = (int8_t)(t->blocked[i] == NEVER ? NEVER : 0);
            shortest = FLSQ_MIN(left, shortest);
        } else if (t->place[j] == 0) {
            bind_again(t, j, place, value);
            shortest = misfit(t);
        } else {
            t->blocked[j] = FLSQ_MAX(t->blocked[j], 1);
        }
    }
    refine(t);
    int finite = 1;
    for (int64_t j = 0; j < p; j++) {
        t->place[j] = (int8_t)(t->place[j] == OFF ? 0 : t->place[j]);
        finite &= isfinite(t->b[j]);
    }
    return finite;
}

static void body(void *context, int thread, int n_threads)
{
    bounded *const s = context;
    const flsq_boxes *const boxes = s->boxes;
    target t;
    (void)n_threads;
    lay_out(s, s->memory + thread * s->memory_stride, &t);
    for (int64_t i = flsq_parallel_claim(&s->claimed); i < boxes->count; i = flsq_parallel_claim(&s->claimed)) {
        const int64_t bounds = boxes->shared ? 0 : i * boxes->p;
        t.lower = boxes->lower + bounds;
        t.upper = boxes->upper + bounds;
        t.d = s->d + i * s->rows;
        t.full_d = s->full_d + i * s->full_rows;
        t.b = boxes->b + i * boxes->p;
        t.place = boxes->place + i * boxes->p;
        boxes->settled[i] = (int8_t)solve(&t, &boxes->rounds[i]);
    }
}

flsq_status flsq_bounded_rows(const flsq_kernels *kernels, const flsq_boxes *boxes, int64_t rows, const double *t,
                              const double *d, const double *price, int n_threads)
{
    return flsq_bounded_reduced(kernels, boxes, rows, t, d, rows, t, d, price, n_threads);
}

flsq_status flsq_bounded_reduced(const flsq_kernels *kernels, const flsq_boxes *boxes, int64_t rows, const double *t,
                                 const double *d, int64_t full_rows, const double *full_t, const double *full_d,
                                 const double *price, int n_threads)
{
    bounded s = {.kernels = kernels, .boxes = boxes, .rows = rows, .t = t, .d = d, .price = price,
                 .full_rows = full_rows, .full_t = full_t, .full_d = full_d};
    const int64_t p = boxes->p;
    flsq_arena arena;
    int64_t size = 0;
    s.noise = 8 * (2 + sqrt((double)full_rows)) * FLSQ_UNIT_ROUNDOFF;
    if ((double)boxes->count * (double)p * (double)p * (double)rows < FLSQ_THREAD_FLOPS)
        n_threads = 1;
    n_threads = (int)FLSQ_MAX(1, FLSQ_MIN(n_threads, boxes->count));
    flsq_status status = add_bytes(p, rows, full_rows, &s.memory_stride);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, n_threads, s.memory_stride);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, p, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    s.memory = flsq_arena_take(&arena, n_threads, s.memory_stride);
    double *const length = flsq_arena_take(&arena, p, sizeof(double));
    for (int64_t j = 0; j < p; j++)
        length[j] = norm(&s, rows, t + j * rows);
    s.length = length;
    flsq_parallel_run(n_threads, body, &s);
    flsq_arena_close(&arena);
    return FLSQ_OK;
}
