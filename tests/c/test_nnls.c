/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Non-negative least squares in one call: optimality conditions and the length of the residual in long double, in the user's
 * units; columns of zeros, equal ones, rows and columns of very different lengths, strides; what is left to the caller.
 */
#include "check.h"
#include "oracle.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { KINDS = 6 };
static const int64_t heights[] = {1, 2, 5, 20, 63, 64, 65, 130};
static const int64_t widths[] = {1, 2, 5, 9, 40};

typedef struct small {
    int64_t n, p;
    double *x, *y; /* row-major */
} small;

/* Of a kind: plain; a column of zeros; equal columns; units 2^±300; rows from 1 to 2^-40; a fit without residual. */
static small make(int64_t n, int64_t p, int kind)
{
    small s = {.n = n, .p = p, .x = oracle_reals(n * p), .y = oracle_reals(n)};
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < p; j++) {
            if (kind == 1 && j == p / 2)
                s.x[i * p + j] = 0;
            if (kind == 2 && j > p / 2)
                s.x[i * p + j] = s.x[i * p + j - p / 2 - 1];
            if (kind == 3)
                s.x[i * p + j] = ldexp(s.x[i * p + j], j % 2 ? 300 : -300);
            if (kind == 4)
                s.x[i * p + j] = ldexp(s.x[i * p + j], -(int)(40 * i / n));
        }
    for (int64_t i = 0; i < n && kind == 5; i++) {
        s.y[i] = 0;
        for (int64_t j = 0; j < p; j += 2)
            s.y[i] += s.x[i * p + j];
    }
    return s;
}

static void release(small *s) { free(s->x), free(s->y); }

static flsq_rows rows_of(const small *s)
{
    const int64_t item = sizeof(double);
    return (flsq_rows){.x = {.data = s->x, .rows = s->n, .columns = s->p, .row_stride = s->p * item, .col_stride = item},
                       .y = {.data = s->y, .rows = s->n, .columns = 1, .row_stride = item}};
}

/* The optimality conditions relative to the lengths of column, residual and parts of the fit, and the error of rnorm. */
static void check_answer(const small *s, const double *x, double rnorm, const flsq_nonnegative *out)
{
    long double *const r = malloc((size_t)s->n * sizeof(long double)), square = 0, parts = 0, worst = 0;
    int64_t free_ones = 0;
    for (int64_t i = 0; i < s->n; i++) {
        r[i] = s->y[i];
        for (int64_t j = 0; j < s->p; j++)
            r[i] -= (long double)s->x[i * s->p + j] * x[j];
        square += r[i] * r[i];
    }
    for (int pass = 0; pass < 2; pass++)
        for (int64_t j = 0; j < s->p; j++) {
            long double gradient = 0, length = 0;
            for (int64_t i = 0; i < s->n; i++) {
                gradient += r[i] * s->x[i * s->p + j];
                length += (long double)s->x[i * s->p + j] * s->x[i * s->p + j];
            }
            length = sqrtl(length);
            CHECK(x[j] >= 0);
            if (pass == 0)
                parts += length * x[j];
            else if (length > 0)
                worst = fmaxl(worst, (x[j] > 0 ? fabsl(gradient) : gradient) / (length * (sqrtl(square) + parts + 1e-300L)));
            free_ones += pass == 0 && x[j] != 0;
        }
    CHECK(worst <= 1e-14L && out->kkt <= 1e-14);
    CHECK(fabsl(rnorm - sqrtl(square)) <= 1e-15L * (long double)(s->p + 4) * (sqrtl(square) + parts));
    CHECK(out->free == free_ones && out->rounds >= out->free);
    free(r);
}

void test_nnls(const flsq_kernels *kernels)
{
    for (int h = 0; h < COUNT_OF(heights); h++)
        for (int w = 0; w < COUNT_OF(widths); w++)
            for (int kind = 0; kind < KINDS; kind++) {
                small s = make(heights[h], widths[w], kind);
                flsq_rows rows = rows_of(&s);
                flsq_nonnegative out;
                double *const x = oracle_doubles(s.p), *const other = oracle_doubles(s.p), rnorm = -1, again = -1;
                CASE("one call, %lld x %lld, kind %d", (long long)s.n, (long long)s.p, kind);
                CHECK(flsq_nnls(kernels, &rows, 10 * s.p + 100, x, &rnorm, &out) == FLSQ_OK);
                CHECK(out.settled == 1 || kind == 2 || kind == 4 || s.n <= 2 * s.p); /* else parts may cancel */
                if (out.settled)
                    check_answer(&s, x, rnorm, &out);
                /* by columns: the same bits */
                double *const turned = oracle_doubles(s.n * s.p);
                for (int64_t i = 0; i < s.n; i++)
                    for (int64_t j = 0; j < s.p; j++)
                        turned[j * s.n + i] = s.x[i * s.p + j];
                rows.x.data = turned;
                rows.x.row_stride = sizeof(double);
                rows.x.col_stride = s.n * (int64_t)sizeof(double);
                CHECK(flsq_nnls(kernels, &rows, 10 * s.p + 100, other, &again, &out) == FLSQ_OK);
                CHECK(same_bits(s.p, x, other) && same_bits(1, &rnorm, &again));
                free(x), free(other), free(turned), release(&s);
            }
}

void test_nnls_refuses(const flsq_kernels *kernels)
{
    static const double bad[] = {NAN, INFINITY, -INFINITY, 0x1p520, 0x1p1023};
    flsq_nonnegative out;
    double x[4], rnorm;
    for (int i = 0; i < 2 * COUNT_OF(bad); i++) {
        small s = make(7, 4, 0);
        (i % 2 ? s.x : s.y)[5] = bad[i / 2];
        const flsq_rows rows = rows_of(&s);
        CASE("%g in %s", bad[i / 2], i % 2 ? "x" : "y");
        CHECK(flsq_nnls(kernels, &rows, 100, x, &rnorm, &out) == FLSQ_OK && out.settled == 0);
        release(&s);
    }
    small s = make(7, 4, 0);
    const flsq_rows rows = rows_of(&s);
    CASE("squares that underflow");
    for (int64_t i = 0; i < 7; i++)
        s.x[i * 4 + 2] = 0x1p-600;
    CHECK(flsq_nnls(kernels, &rows, 100, x, &rnorm, &out) == FLSQ_OK && out.settled == 0);
    release(&s);
    s = make(7, 4, 5);
    const flsq_rows exact = rows_of(&s);
    CASE("one round for two coefficients");
    CHECK(flsq_nnls(kernels, &exact, 1, x, &rnorm, &out) == FLSQ_OK && out.settled == 0);
    CASE("a target of zeros");
    memset(s.y, 0, 7 * sizeof(double));
    CHECK(flsq_nnls(kernels, &exact, 100, x, &rnorm, &out) == FLSQ_OK && out.settled == 1);
    CHECK(rnorm == 0 && out.kkt == 0 && out.free == 0 && x[0] == 0 && x[1] == 0 && x[2] == 0 && x[3] == 0);
    CASE("sizes");
    CHECK(flsq_nnls_is_small(20, 5) && !flsq_nnls_is_small(0, 5) && !flsq_nnls_is_small(5, 0));
    CHECK(!flsq_nnls_is_small(INT64_MAX, 2) && !flsq_nnls_is_small(2, INT64_MAX));
    release(&s);
}
