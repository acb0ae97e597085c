/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The certificate of a single read: how far rounding in the Gram pass can have moved the gradient at b, told from a
 * sample of its leaves.  docs/accuracy.md has the argument.
 *
 * The moments are sums over leaves of equal length, and sums of leaves carry their rounding errors (tree.h).  So what
 * Xᵀ(y - X b) = c - G b has lost is the sum over the leaves l of
 *
 *     d_l = X_lᵀ(y_l - X_l b) - (c_l - G_l b),        c_l, G_l as the pass computed them,
 *
 * and its size follows from the mean and the scatter of d_l over leaves chosen at random.  One that outweighs the others
 * and was not chosen shows in the sums of squares.
 */
#include "sample.h"
#include "blocksizes.h"
#include "gram.h"
#include "pack.h"
#include "parallel.h"
#include "workspace.h"
#include <float.h>
#include <math.h>

/* Leaves of a sample, and how many times as many there must be: reading the sample costs less than 1/8 of a pass. */
enum { SAMPLE = 48, LEAST_SHARE = 8 };
/* Standard errors of the mean d_l that its true mean is taken to lie within: with 47 degrees of freedom Student's t leaves
 * 1e-5 outside. */
#define STANDARD_ERRORS 5.0
/* The same for the sums of squares, of which only the leaves that outweigh the sample matter. */
#define SQUARES_ERRORS 3.0
/* The promised backward error, in u. */
#define PROMISE 4.0
/* Relative error, in u, of a leaf whose rows are all alike, the worst that one binade of rounding in one direction does. */
#define WORST_LEAF 48.0
/* kappa_1 of D M D, and the part of ‖y‖² that must be left as residual: beyond them a second pass is worth having. */
#define LARGEST_CONDITION 1e6
#define SMALLEST_RESIDUAL 0.1

typedef struct sample {
    const flsq_kernels *kernels;
    const flsq_rows *rows;
    const double *b;
    int64_t p, leaf_rows, leaves; /* leaves: whole ones */
    double *d;                    /* SAMPLE x p */
    double *squares;              /* SAMPLE x (p + 1): of the columns and of y */
    char *memory;
    int64_t memory_stride, claimed;
    flsq_status status;
} sample;

_Static_assert(FLSQ_BLOCK_ROWS(1) % 4 == 0, "extended_gradient takes four rows at a time");

/* A number in [0, 1) that has nothing to do with the data: a hash of its index (Steele, Lea, Flood, OOPSLA 2014). */
static double fraction(uint64_t index)
{
    uint64_t z = (index + 1) * 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return (double)((z ^ z >> 31) >> 11) * 0x1p-53;
}

/* One leaf at random from each of SAMPLE equal strata. */
static int64_t chosen_leaf(const sample *s, int64_t number)
{
    const double at = ((double)number + fraction((uint64_t)number)) * (double)s->leaves / SAMPLE;
    return FLSQ_MIN((int64_t)at, s->leaves - 1);
}

/* Entry j of c - G b in extended precision, from row j of [G | c] and, unless NULL, what rounding it has lost. */
static long double moment_residual(int64_t p, const double *sums, const double *lost, const double *b)
{
    long double left = (long double)sums[p] + (lost != NULL ? lost[p] : 0.0);
    for (int64_t i = 0; i < p; i++)
        left -= ((long double)sums[i] + (lost != NULL ? lost[i] : 0.0)) * b[i];
    return left;
}

/* The rows of a leaf as the passes see them, column by column: X, then y, then the weights. */
static void read_leaf(const sample *s, const flsq_rows *rows, double *columns)
{
    const int64_t n = s->leaf_rows, p = s->p;
    for (int64_t j = 0; j <= p; j++) {
        double *const column = columns + j * n;
        if (j < p)
            flsq_read_column(&rows->x, j, 0, n, column);
        else
            flsq_read_column(&rows->y, 0, 0, n, column);
        const double scale = rows->scale != NULL ? rows->scale[j] : 1.0;
        const double offset = rows->offset != NULL ? rows->offset[j] : 0.0;
        for (int64_t i = 0; i < n; i++)
            column[i] = column[i] * scale - offset;
    }
    if (rows->weights.data != NULL)
        flsq_read_column(&rows->weights, 0, 0, n, columns + (p + 1) * n);
}

/* r := W(y - X b) and g := Xᵀr in extended precision: of rows that are alike, errors of double would all point one way and
 * could hide those that are looked for.  Four rows at a time, for the latency of an addition. */
static void extended_gradient(const sample *s, const flsq_rows *rows, const double *columns, long double *r,
                              long double *g)
{
    const int64_t n = s->leaf_rows, p = s->p;
    const double *const y = columns + p * n, *const weights = y + n;
    for (int64_t i = 0; i < n; i += 4) {
        long double sum[4];
        for (int u = 0; u < 4; u++)
            sum[u] = y[i + u];
        for (int64_t j = 0; j < p; j++)
            for (int u = 0; u < 4; u++)
                sum[u] -= (long double)columns[j * n + i + u] * s->b[j];
        for (int u = 0; u < 4; u++)
            r[i + u] = rows->weights.data != NULL ? weights[i + u] * sum[u] : sum[u];
    }
    for (int64_t j = 0; j < p; j++) {
        long double sum[4] = {0, 0, 0, 0};
        for (int64_t i = 0; i < n; i += 4)
            for (int u = 0; u < 4; u++)
                sum[u] += columns[j * n + i + u] * r[i + u];
        g[j] = (sum[0] + sum[2]) + (sum[1] + sum[3]);
    }
}

/* d_l of one leaf. */
static flsq_status measure(const sample *s, int64_t number, char *memory)
{
    const int64_t p = s->p, n = s->leaf_rows, first = chosen_leaf(s, number) * n;
    long double *const r = (long double *)memory, *const g = r + n;
    double *const zz = (double *)(g + p), *const columns = zz + p * (p + 1), *const squares = s->squares + number * (p + 1);
    flsq_rows rows = *s->rows;
    rows.x = flsq_matrix_rows(&rows.x, first, n);
    rows.y = flsq_matrix_rows(&rows.y, first, n);
    if (rows.weights.data != NULL)
        rows.weights = flsq_matrix_rows(&rows.weights, first, n);
    const flsq_status status = flsq_gram_of(s->kernels, &rows, 1, zz, squares + p, NULL);
    if (status != FLSQ_OK)
        return status;
    read_leaf(s, &rows, columns);
    extended_gradient(s, &rows, columns, r, g);
    for (int64_t j = 0; j < p; j++) {
        s->d[number * p + j] = (double)(g[j] - moment_residual(p, zz + j * (p + 1), NULL, s->b));
        squares[j] = zz[j * (p + 1) + j];
    }
    return FLSQ_OK;
}

static void body(void *context, int thread, int n_threads)
{
    sample *const s = context;
    char *const memory = s->memory + thread * s->memory_stride;
    (void)n_threads;
    for (int64_t i = flsq_parallel_claim(&s->claimed); i < SAMPLE; i = flsq_parallel_claim(&s->claimed)) {
        const flsq_status status = measure(s, i, memory);
        if (status != FLSQ_OK)
            __atomic_store_n(&s->status, status, __ATOMIC_RELAXED);
    }
}

/* Mean and standard error of the mean of one column of SAMPLE rows. */
static double mean_of(const double *values, int64_t stride, double *standard_error)
{
    double mean = 0, scatter = 0;
    for (int64_t i = 0; i < SAMPLE; i++)
        mean += values[i * stride] / SAMPLE;
    for (int64_t i = 0; i < SAMPLE; i++)
        scatter += (values[i * stride] - mean) * (values[i * stride] - mean);
    *standard_error = sqrt(scatter / (SAMPLE - 1) / SAMPLE);
    return mean;
}

static double leaf_count(const sample *s) { return (double)s->rows->x.rows / (double)s->leaf_rows; }

/* The part of a sum of squares that lies in leaves for which the sample does not speak. */
static double excess(const sample *s, double total, int64_t column)
{
    double error;
    const double mean = mean_of(s->squares + column, s->p + 1, &error);
    return total > 0 ? FLSQ_MAX(1 - leaf_count(s) * (mean + SQUARES_ERRORS * error) / total, 0.0) : 0.0;
}

/* sum over all leaves of d_l in column j: its largest plausible size. */
static double plausible_loss(const sample *s, int64_t j)
{
    double error;
    const double mean = mean_of(s->d + j, s->p, &error);
    return leaf_count(s) * (fabs(mean) + STANDARD_ERRORS * error);
}

/* rest := c - G b */
static void residual_of_moments(int64_t p, const flsq_equations *e, const double *b, double *rest)
{
    for (int64_t j = 0; j < p; j++)
        rest[j] = (double)moment_residual(p, e->zz + j * (p + 1), e->lost + j * (p + 1), b);
}

/* b := M⁻¹c with one refinement within the moments; *rss := ‖y - X b‖² = y·y - b·c - b·(c - G b). */
static flsq_status solve_moments(const sample *s, const flsq_factor *factor, const flsq_equations *e, double *b,
                                 double *rest, double *step, double *rss)
{
    const int64_t p = s->p;
    for (int64_t j = 0; j < p; j++)
        rest[j] = e->zz[j * (p + 1) + p];
    flsq_status status = flsq_factor_apply(s->kernels, factor, p, 1, rest, b);
    if (status != FLSQ_OK)
        return status;
    residual_of_moments(p, e, b, rest);
    status = flsq_factor_apply(s->kernels, factor, p, 1, rest, step);
    for (int64_t j = 0; j < p; j++)
        b[j] += step[j];
    residual_of_moments(p, e, b, rest);
    long double left = *e->yy;
    for (int64_t j = 0; j < p; j++)
        left -= (long double)b[j] * ((long double)e->zz[j * (p + 1) + p] + rest[j]);
    *rss = (double)left;
    return status;
}

/* Whether the gradient at b, at most |rest| + the plausible loss, is below the promise: then the backward error, at most
 * ‖D g‖/(‖X D‖‖r‖) with D = 1/‖x_j‖, is. */
static void judge(const sample *s, const flsq_equations *e, double rss, const double *rest, flsq_report *report)
{
    double loss = 0, outweighed = excess(s, *e->yy, s->p);
    for (int64_t j = 0; j < s->p; j++) {
        const double g = fabs(rest[j]) + plausible_loss(s, j), squares = e->zz[j * (s->p + 1) + j];
        loss += g * g / squares;
        outweighed = FLSQ_MAX(outweighed, excess(s, squares, j));
    }
    const double scatter = sqrt(loss / ((double)s->p * rss));
    /* and as many leaves unlike all of the sample as one more draw might have found */
    const double hidden = WORST_LEAF * FLSQ_UNIT_ROUNDOFF * (outweighed + 1.0 / SAMPLE) * sqrt(*e->yy / rss);
    report->backward_error = scatter + hidden;
    if (report->backward_error <= PROMISE * FLSQ_UNIT_ROUNDOFF)
        report->verdict = FLSQ_CERTIFIED;
}

int flsq_may_need_one_pass(int64_t n, int64_t p, int64_t k)
{
    /* where long double is no wider than double the measurement would make the errors it looks for */
    return LDBL_MANT_DIG >= 64 && k == 1 && p <= FLSQ_SAMPLED_COLUMNS &&
           n / flsq_gram_block_rows(p) >= SAMPLE * LEAST_SHARE;
}

flsq_status flsq_certify_one_pass(const flsq_kernels *kernels, const flsq_rows *rows, const flsq_equations *equations,
                                  const flsq_factor *factor, int n_threads, double *b, double *rss,
                                  flsq_report *report)
{
    const int64_t p = rows->x.columns, leaf_rows = flsq_gram_block_rows(p);
    sample s = {.kernels = kernels, .rows = rows, .b = b, .p = p, .leaf_rows = leaf_rows,
                .leaves = rows->x.rows / leaf_rows};
    *report = (flsq_report){.verdict = FLSQ_NOT_SETTLED};
    if (!flsq_may_need_one_pass(rows->x.rows, p, rows->y.columns) || factor->condition > LARGEST_CONDITION)
        return FLSQ_OK;
    flsq_arena arena;
    int64_t size = 0;
    n_threads = (int)FLSQ_MAX(1, FLSQ_MIN(n_threads, SAMPLE));
    flsq_status status = flsq_size_add(&s.memory_stride, leaf_rows + p, sizeof(long double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&s.memory_stride, p * (p + 1) + (p + 2) * leaf_rows, sizeof(double));
    const int64_t counts[] = {SAMPLE * p, SAMPLE * (p + 1), 2 * p};
    for (int i = 0; i < 3 && status == FLSQ_OK; i++)
        status = flsq_size_add(&size, counts[i], sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, n_threads, s.memory_stride);
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    s.d = flsq_arena_take(&arena, counts[0], sizeof(double));
    s.squares = flsq_arena_take(&arena, counts[1], sizeof(double));
    double *const rest = flsq_arena_take(&arena, counts[2], sizeof(double)), *const step = rest + p;
    s.memory = flsq_arena_take(&arena, n_threads, s.memory_stride);
    status = solve_moments(&s, factor, equations, b, rest, step, rss);
    if (status == FLSQ_OK && *rss >= SMALLEST_RESIDUAL * *equations->yy) {
        flsq_parallel_run(n_threads, body, &s);
        status = s.status;
        if (status == FLSQ_OK)
            judge(&s, equations, *rss, rest, report);
    }
    flsq_arena_close(&arena);
    return status;
}
