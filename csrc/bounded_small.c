/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Non-negative least squares of a small problem in one call: Lawson and Hanson's method on the rows, which pays where a Gram
 * pass and a factor of all columns are mostly calls.  Columns and target are scaled by powers of two to lengths near 1,
 *
 *      t_j = 2^-e_j x_j,   d = 2^-f y,   x_j = 2^(f - e_j) b_j,
 *
 * and the longest rows come first (Cox and Higham, Stability of Householder QR factorization for weighted least squares
 * problems, BIT 38, 1998).  Residual and gradients are those of the rows at the b that is returned.
 */
#include "blocksizes.h"
#include "bounded.h"
#include "kernels.h"
#include "normal.h"
#include "pack.h"
#include "workspace.h"
#include <math.h>
#include <string.h>

enum {
    BINS = 256,       /* of rows by binary exponents; the last for all that are shorter */
    SORTED_FROM = 8,  /* rows of lengths within 2^8 of each other stay in their order */
    REDUCED_FROM = 2  /* rows for every column and the target, for a QR of them to pay */
};
/* Above these other means may do better: columns that all but depend on each other.  Of the optimality conditions, and parts of the
 * fit over the target, which cancel: what is left then means little beside them. */
#define LARGEST_VIOLATION 1e-14
#define LARGEST_PARTS 1e6
/* Least exponent of a price, so that no gradient times its price underflows. */
#define LEAST_PRICE (-1000)

typedef struct nonnegative {
    const flsq_kernels *kernels;
    int64_t n, p;
    double *t;     /* p columns of n entries, and d behind them */
    double *work;  /* n */
    int64_t rows;  /* of T = Q t and Q d, which lies behind it: p + 1, or n where they are t and d */
    double *reduced; /* rows * (p + 1), after n * (p + 1) of which they are left */
    double *b;     /* p */
    double *price, *lower, *upper; /* p each */
    int64_t *exponent; /* p + 1: of the lengths */
    int64_t *row;  /* n */
    int8_t *place; /* p */
} nonnegative;

int flsq_nnls_is_small(int64_t n, int64_t p)
{
    return n > 0 && p > 0 && (double)n * (double)p <= FLSQ_NNLS_ENTRIES &&
           (n < p || (double)n * (double)p * (double)p <= FLSQ_NNLS_PRODUCTS);
}

static flsq_status open_workspace(nonnegative *s, flsq_arena *arena)
{
    const int64_t n = s->n, p = s->p;
    const int reduces = n >= REDUCED_FROM * (p + 1);
    int64_t square = 0, size = 0;
    flsq_status status = flsq_size_multiply(n, p + 1, &square);
    for (int i = 0; i < 1 + reduces && status == FLSQ_OK; i++)
        status = flsq_size_add(&size, square, sizeof(double));
    for (int i = 0; i < 2 && status == FLSQ_OK; i++)
        status = flsq_size_add(&size, n, sizeof(double));
    for (int i = 0; i < 6 && status == FLSQ_OK; i++)
        status = flsq_size_add(&size, p + 1, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(arena, size);
    if (status != FLSQ_OK)
        return status;
    s->t = flsq_arena_take(arena, square, sizeof(double));
    s->reduced = reduces ? flsq_arena_take(arena, square, sizeof(double)) : NULL;
    s->work = flsq_arena_take(arena, n, sizeof(double));
    s->row = flsq_arena_take(arena, n, sizeof(int64_t));
    s->exponent = flsq_arena_take(arena, p + 1, sizeof(int64_t));
    s->b = flsq_arena_take(arena, p, sizeof(double));
    s->price = flsq_arena_take(arena, p, sizeof(double));
    s->lower = flsq_arena_take(arena, p, sizeof(double));
    s->upper = flsq_arena_take(arena, p, sizeof(double));
    s->place = flsq_arena_take(arena, p, sizeof(int8_t));
    return FLSQ_OK;
}

static int is_zero(int64_t n, const double *x)
{
    int64_t i = 0;
    while (i < n && x[i] == 0)
        i++;
    return i == n;
}

/* Columns and target, scaled.  0 where the squares of one leave the range of float64, or it is not finite. */
static int read_rows(nonnegative *s, const flsq_rows *rows)
{
    for (int64_t j = 0; j <= s->p; j++) {
        double *const column = s->t + j * s->n;
        flsq_read_column(j < s->p ? &rows->x : &rows->y, j < s->p ? j : 0, 0, s->n, column);
        const double square = s->kernels->dot(s->n, column, column);
        s->exponent[j] = 0;
        if (flsq_squares_in_range(square))
            s->exponent[j] = flsq_root_exponent(square);
        else if (!is_zero(s->n, column))
            return 0;
        const double scale = ldexp(1.0, -(int)s->exponent[j]); /* normal: squares that are leave half of the exponents */
        for (int64_t i = 0; i < s->n; i++)
            column[i] *= scale;
    }
    return 1;
}

/* The longest first, to a factor of two, by their largest entries.  Whether they were of very different lengths. */
static int sort_rows(nonnegative *s)
{
    int64_t start[BINS + 1];
    int lowest = BINS - 1, highest = 0;
    memset(s->work, 0, (size_t)s->n * sizeof(double));
    for (int64_t j = 0; j < s->p; j++)
        for (int64_t i = 0; i < s->n; i++)
            s->work[i] = FLSQ_MAX(s->work[i], fabs(s->t[j * s->n + i]));
    for (int64_t i = 0; i < s->n; i++) {
        int e = -BINS;
        if (s->work[i] > 0)
            frexp(s->work[i], &e);
        const int bin = FLSQ_MIN(FLSQ_MAX(2 - e, 0), BINS - 1);
        if (s->work[i] > 0) {
            lowest = FLSQ_MIN(lowest, bin);
            highest = FLSQ_MAX(highest, bin);
        }
        s->row[i] = bin;
    }
    if (highest - lowest <= SORTED_FROM)
        return 0;
    memset(start, 0, sizeof start);
    for (int64_t i = 0; i < s->n; i++)
        start[s->row[i] + 1]++;
    for (int bin = 0; bin < BINS; bin++)
        start[bin + 1] += start[bin];
    for (int64_t i = 0; i < s->n; i++)
        s->row[i] = start[s->row[i]]++;
    for (int64_t j = 0; j <= s->p; j++) {
        double *const column = s->t + j * s->n;
        for (int64_t i = 0; i < s->n; i++)
            s->work[s->row[i]] = column[i];
        memcpy(column, s->work, (size_t)s->n * sizeof(double));
    }
    return 1;
}

/* Householder QR of [t | d], whose R is left as p + 1 columns of p + 1 entries. */
static void reduce(nonnegative *s)
{
    const flsq_kernels *const kernels = s->kernels;
    const int64_t n = s->n, columns = s->p + 1;
    double *const v = s->work;
    memcpy(s->reduced, s->t, (size_t)(n * columns) * sizeof(double));
    for (int64_t j = 0; j < columns; j++) {
        double *const own = s->reduced + j * n + j;
        const double length = sqrt(kernels->dot(n - j, own, own)), diagonal = own[0] > 0 ? -length : length;
        memcpy(v, own, (size_t)(n - j) * sizeof(double));
        v[0] -= diagonal;
        const double half = length * fabs(v[0]); /* of v·v */
        own[0] = diagonal;
        for (int64_t l = j + 1; l < columns && half > 0; l++) {
            double *const other = s->reduced + l * n + j;
            kernels->axpy(n - j, -kernels->dot(n - j, v, other) / half, v, other);
        }
    }
    for (int64_t j = 0; j < columns; j++) {
        memmove(s->reduced + j * columns, s->reduced + j * n, (size_t)(j + 1) * sizeof(double));
        memset(s->reduced + j * columns + j + 1, 0, (size_t)(columns - j - 1) * sizeof(double));
    }
    s->rows = columns;
}

/* Gradients in the user's units decide which column goes first. */
static void set_up(nonnegative *s)
{
    int64_t shortest = s->exponent[0];
    for (int64_t j = 1; j < s->p; j++)
        shortest = FLSQ_MAX(shortest, s->exponent[j]);
    for (int64_t j = 0; j < s->p; j++) {
        s->lower[j] = 0;
        s->upper[j] = INFINITY;
        s->price[j] = ldexp(1.0, (int)FLSQ_MAX(s->exponent[j] - shortest, LEAST_PRICE));
    }
}

/* ‖d - T b‖, and the largest violation of the optimality conditions relative to the lengths of the column, the residual and the
 * parts of the fit. */
static double judge(const nonnegative *s, flsq_nonnegative *out)
{
    const flsq_kernels *const kernels = s->kernels;
    double worst = 0, parts = 0;
    memcpy(s->work, s->t + s->p * s->n, (size_t)s->n * sizeof(double));
    out->free = 0;
    for (int64_t j = 0; j < s->p; j++) {
        const double *const column = s->t + j * s->n;
        s->price[j] = sqrt(kernels->dot(s->n, column, column));
        parts += s->price[j] * s->b[j];
        if (s->b[j] != 0)
            kernels->axpy(s->n, -s->b[j], column, s->work);
        out->free += s->b[j] != 0;
    }
    const double rnorm = sqrt(kernels->dot(s->n, s->work, s->work));
    for (int64_t j = 0; j < s->p; j++) {
        if (!(s->price[j] > 0))
            continue;
        const double gradient = kernels->dot(s->n, s->t + j * s->n, s->work) / s->price[j];
        worst = FLSQ_MAX(worst, s->b[j] > 0 ? fabs(gradient) : gradient);
    }
    out->kkt = rnorm + parts > 0 ? worst / (rnorm + parts) : 0;
    const double *const d = s->t + s->p * s->n;
    out->settled = out->kkt <= LARGEST_VIOLATION && parts <= LARGEST_PARTS * sqrt(kernels->dot(s->n, d, d));
    return rnorm;
}

flsq_status flsq_nnls(const flsq_kernels *kernels, const flsq_rows *rows, int64_t most, double *x, double *rnorm,
                      flsq_nonnegative *out)
{
    nonnegative s = {.kernels = kernels, .n = rows->x.rows, .p = rows->x.columns};
    flsq_arena arena;
    int8_t settled = 0;
    *out = (flsq_nonnegative){0};
    flsq_status status = open_workspace(&s, &arena);
    if (status != FLSQ_OK)
        return status;
    if (read_rows(&s, rows)) {
        s.rows = s.n;
        if (!sort_rows(&s) && s.reduced != NULL)
            reduce(&s);
        const double *const t = s.rows < s.n ? s.reduced : s.t;
        set_up(&s);
        const flsq_boxes boxes = {.p = s.p, .count = 1, .lower = s.lower, .upper = s.upper, .shared = 1, .most = most,
                                  .place = s.place, .b = s.b, .rounds = &out->rounds, .settled = &settled};
        status = flsq_bounded_reduced(kernels, &boxes, s.rows, t, t + s.p * s.rows, s.n, s.t, s.t + s.p * s.n, s.price, 1);
    }
    if (status == FLSQ_OK && settled) {
        const int e = (int)s.exponent[s.p];
        *rnorm = ldexp(judge(&s, out), e);
        for (int64_t j = 0; j < s.p; j++)
            x[j] = ldexp(s.b[j], e - (int)s.exponent[j]);
        out->settled &= isfinite(*rnorm) != 0;
    }
    flsq_arena_close(&arena);
    return status;
}
