/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Small problems, one to a lane: the kernels on small integers, then whole batches and groups against one problem at a
 * time, whose answer is judged by its normal equations in long double.
 */
#include "blocksizes.h"
#include "check.h"
#include "oracle.h"
#include "pack.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

void test_interleave(const flsq_kernels *kernels)
{
    const int64_t lanes = kernels->lanes;
    for (int64_t count = 0; count <= 3 * lanes + 1; count++) {
        double *const out = oracle_doubles(count * lanes), *source[FLSQ_MAX_LANES];
        const double *start[FLSQ_MAX_LANES];
        for (int64_t l = 0; l < lanes; l++)
            start[l] = source[l] = oracle_integers(count, -99, 99);
        kernels->interleave(count, start, out);
        CASE("%lld entries", (long long)count);
        for (int64_t e = 0; e < count; e++)
            for (int64_t l = 0; l < lanes; l++)
                CHECK(out[e * lanes + l] == source[l][e]);
        for (int64_t l = 0; l < lanes; l++)
            free(source[l]);
        free(out);
    }
}

static void try_products(const flsq_kernels *kernels, int64_t rows, int64_t na, int64_t nb)
{
    const int64_t lanes = kernels->lanes, a_step = na + 1, b_step = nb, ldc = nb + 2;
    double *const a = oracle_integers((rows * a_step) * lanes, -4, 4), *const b = oracle_integers(rows * b_step * lanes, -4, 4);
    double *const c = oracle_integers(na * ldc * lanes, -9, 9), *const expected = oracle_copy(c, na * ldc * lanes);
    for (int64_t k = 0; k < rows; k++)
        for (int64_t i = 0; i < na; i++)
            for (int64_t j = 0; j < nb; j++)
                for (int64_t l = 0; l < lanes; l++)
                    expected[(i * ldc + j) * lanes + l] += a[(k * a_step + i) * lanes + l] * b[(k * b_step + j) * lanes + l];
    kernels->lane_products(rows, a, a_step, na, b, b_step, nb, c, ldc);
    CASE("%lld rows, %lld x %lld", (long long)rows, (long long)na, (long long)nb);
    CHECK(first_difference(na * ldc * lanes, c, expected) == -1);
    free(a), free(b), free(c), free(expected);
}

void test_lane_products(const flsq_kernels *kernels)
{
    const int64_t lanes = kernels->lanes;
    for (int64_t rows = 0; rows <= 13; rows++) {
        for (int64_t na = 1; na <= FLSQ_LANE_TILE; na++)
            for (int64_t nb = 1; nb <= FLSQ_LANE_TILE; nb++)
                try_products(kernels, rows, na, nb);
        for (int64_t p = 0; p <= 5; p++) {
            double *const x = oracle_integers(rows * p * lanes, -4, 4), *const b = oracle_integers(p * lanes, -4, 4);
            double *const y = oracle_integers(rows * lanes, -9, 9), *const expected = oracle_copy(y, rows * lanes);
            for (int64_t k = 0; k < rows; k++)
                for (int64_t j = 0; j < p; j++)
                    for (int64_t l = 0; l < lanes; l++)
                        expected[k * lanes + l] -= x[(k * p + j) * lanes + l] * b[j * lanes + l];
            kernels->lane_residual(rows, p, x, b, y);
            CASE("%lld rows, p = %lld", (long long)rows, (long long)p);
            CHECK(first_difference(rows * lanes, y, expected) == -1);
            free(x), free(b), free(y), free(expected);
        }
    }
}

/* M = RᵀR of small integers with powers of two on the diagonal is factorized without rounding; lane 0 is spoilt and must
 * show it, alone. */
void test_lane_factors(const flsq_kernels *kernels)
{
    const int64_t lanes = kernels->lanes;
    for (int64_t p = 2; p <= 9; p++) {
        const int64_t square = p * p * lanes;
        double *const r = oracle_doubles(square), *const m = oracle_doubles(square), *const found = oracle_doubles(square);
        double *const t = oracle_doubles(square), *const x = oracle_integers(p * lanes, -4, 4), *const g = oracle_doubles(p * lanes);
        double *const reciprocal = oracle_doubles(p * lanes), *const root = oracle_doubles(p * lanes);
        double smallest[FLSQ_MAX_LANES], half[FLSQ_MAX_LANES], norm[FLSQ_MAX_LANES], inverse_norm[FLSQ_MAX_LANES];
        for (int64_t i = 0; i < p; i++)
            for (int64_t j = i; j < p; j++)
                for (int64_t l = 0; l < lanes; l++)
                    r[(i * p + j) * lanes + l] = i == j ? ldexp(1.0, (int)oracle_integer(0, 2)) : oracle_integer(-2, 2);
        r[(p - 1) * lanes] = 2; /* keeps the spoilt diagonal entry positive */
        for (int64_t i = 0; i < p; i++)
            for (int64_t j = i; j < p; j++)
                for (int64_t k = 0; k <= i; k++)
                    for (int64_t l = 0; l < lanes; l++)
                        m[(i * p + j) * lanes + l] += r[(k * p + i) * lanes + l] * r[(k * p + j) * lanes + l];
        m[(p * p - 1) * lanes] -= r[(p * p - 1) * lanes] * r[(p * p - 1) * lanes] + 1;
        kernels->lane_cholesky(p, m, found, reciprocal, smallest);
        CASE("p = %lld", (long long)p);
        CHECK(!(smallest[0] > 0));
        for (int64_t l = 1; l < lanes; l++) {
            CHECK(smallest[l] > 0 && smallest[l] <= 1);
            for (int64_t i = 0; i < p; i++) {
                CHECK(reciprocal[i * lanes + l] * r[(i * p + i) * lanes + l] == 1);
                root[i * lanes + l] = sqrt(m[(i * p + i) * lanes + l]);
                for (int64_t j = i; j < p; j++)
                    CHECK(found[(i * p + j) * lanes + l] == r[(i * p + j) * lanes + l]);
            }
            for (int64_t i = 0; i < p; i++) /* g = M x */
                for (int64_t j = 0; j < p; j++)
                    g[i * lanes + l] += m[((i < j ? i : j) * p + (i < j ? j : i)) * lanes + l] * x[j * lanes + l];
        }
        kernels->lane_norms(p, m, found, reciprocal, root, t, norm, inverse_norm);
        kernels->lane_solve(p, found, reciprocal, g, half);
        for (int64_t l = 1; l < lanes; l++) { /* powers of two and integers: exact */
            double squares = 0;
            for (int64_t i = 0; i < p; i++) {
                double value = 0; /* R x */
                for (int64_t j = i; j < p; j++)
                    value += r[(i * p + j) * lanes + l] * x[j * lanes + l];
                squares += value * value;
                CHECK(g[i * lanes + l] == x[i * lanes + l]);
            }
            CHECK(half[l] == squares);
            CHECK(norm[l] >= 1 - 1e-12 && norm[l] <= (double)p + 1e-12 && norm[l] * inverse_norm[l] >= 1 - 1e-12);
        }
        free(r), free(m), free(found), free(t), free(x), free(g), free(reciprocal), free(root);
    }
}

/* ---- whole problems --------------------------------------------------------------------------------------------- */

/* Whether Xᵀ(y - X b) is rounding: below 1e-13‖x_j‖(‖y‖ + sum ‖x_j b_j‖) in every column, and rss what b leaves. */
static int solves(const problem *a, const double *b, double rss)
{
    long double squares = 0, size = 0;
    int good = 1;
    for (int64_t i = 0; i < a->n; i++) {
        long double r = a->z[i * a->width + a->lead], whole = fabsl(r);
        for (int64_t j = 0; j < a->lead; j++) {
            r -= (long double)a->z[i * a->width + j] * b[j];
            whole += fabsl((long double)a->z[i * a->width + j] * b[j]);
        }
        squares += a->weight[i] * r * r;
        size += a->weight[i] * whole * whole;
    }
    for (int64_t c = 0; c < a->lead; c++) {
        long double g = 0, length = 0;
        for (int64_t i = 0; i < a->n; i++) {
            long double r = a->z[i * a->width + a->lead];
            for (int64_t j = 0; j < a->lead; j++)
                r -= (long double)a->z[i * a->width + j] * b[j];
            g += a->weight[i] * a->z[i * a->width + c] * r;
            length += a->weight[i] * (long double)a->z[i * a->width + c] * a->z[i * a->width + c];
        }
        good &= fabsl(g) <= 1e-13L * sqrtl(length) * sqrtl(size);
    }
    return good && fabsl(squares - rss) <= 1e-11L * squares + 1e-26L * size;
}

void test_one_call(const flsq_kernels *kernels)
{
    for (int64_t p = 1; p <= 2 * kernels->nr + 1; p += 3)
        for (int64_t n = p + 1; n <= p + 400; n += 133) {
            problem a = problem_make(FLSQ_F64, C_ORDER, n, p, 1, 0, REALS);
            const flsq_rows rows = problem_rows(&a, 0, n);
            double *const b = oracle_doubles(p);
            flsq_factor factor = {.r = oracle_doubles(p * p), .scale = oracle_doubles(p)};
            double rss;
            flsq_report report;
            CASE("n = %lld, p = %lld", (long long)n, (long long)p);
            CHECK(flsq_lstsq(kernels, &rows, 0, 2, &factor, b, &rss, &report, NULL) == FLSQ_OK);
            /* a square-ish matrix may be left to others, never answered wrongly */
            CHECK(report.verdict == FLSQ_CERTIFIED ? solves(&a, b, rss) : n < p + 40);
            free(b), free(factor.r), free(factor.scale), problem_free(&a);
        }
}

/* Enough leaves for the certificate of a single read, and one too few. */
void test_one_pass(const flsq_kernels *kernels)
{
    const int64_t p = 2, enough = 8 * 48 * flsq_gram_block_rows(p);
    for (int flags = 0; flags <= WEIGHTED; flags += WEIGHTED)
        for (int64_t n = enough - 1; n <= enough + 5; n += 3) {
            problem a = problem_make(FLSQ_F64, flags ? C_ORDER : PADDED_C, n, p, 1, flags, REALS);
            const flsq_rows rows = problem_rows(&a, 0, n);
            double b[2], rss[1], r[4], scale[2], again[2];
            flsq_factor factor = {.r = r, .scale = scale};
            flsq_report report;
            CASE("n = %lld, flags %d", (long long)n, flags);
            CHECK(flsq_lstsq(kernels, &rows, 0, 1, &factor, b, rss, &report, NULL) == FLSQ_OK);
            CHECK(report.verdict == FLSQ_CERTIFIED && solves(&a, b, rss[0]));
            CHECK(report.passes == (n < enough));
            CHECK(flsq_lstsq(kernels, &rows, 0, 3, &factor, again, rss, &report, NULL) == FLSQ_OK);
            CHECK(same_bits(p, b, again));
            problem_free(&a);
        }
}

/* Rows that repeat, or columns, make a singular matrix. */
static int repeats(layout form) { return form == ZERO_ROWS || form == ZERO_COLUMNS || form == ZERO_BOTH; }

enum { BATCH = 11 };

static void try_batch(const flsq_kernels *kernels, int64_t n, int64_t p, flsq_dtype dtype, layout form, int flags)
{
    /* one tall problem cut into pieces: number i lies i*n rows further */
    problem a = problem_make(dtype, form, BATCH * n, p, 1, flags, INTEGERS);
    const flsq_rows rows = problem_rows(&a, 0, n);
    flsq_batch batch = {.first = rows, .count = BATCH, .x_step = n * rows.x.row_stride, .y_step = n * rows.y.row_stride,
                        .weights_step = n * rows.weights.row_stride};
    double *const b = oracle_doubles(BATCH * p), rss[BATCH], condition[BATCH], backward[BATCH];
    int8_t verdict[BATCH], passes[BATCH];
    const flsq_batch_answers answers = {b, rss, condition, backward, verdict, passes};
    CASE("n = %lld, p = %lld, %s %s", (long long)n, (long long)p, dtype_name(dtype), layout_name(form));
    CHECK(flsq_lstsq_batched(kernels, &batch, 2, &answers) == FLSQ_OK);
    int64_t certified = 0;
    for (int64_t i = 0; i < BATCH; i++) {
        problem part = a;
        part.n = n;
        part.z += i * n * a.width;
        part.weight += i * n;
        certified += verdict[i] == FLSQ_CERTIFIED;
        CHECK(verdict[i] != FLSQ_CERTIFIED || (solves(&part, b + i * p, rss[i]) && backward[i] < 1e-13));
    }
    CHECK(n < 3 * p + 8 || repeats(form) || certified == BATCH);
    free(b), problem_free(&a);
}

void test_batch(const flsq_kernels *kernels)
{
    int turn = 0;
    for (int64_t p = 1; p <= 9; p++)
        for (int64_t n = p; n <= p + 60; n += 15, turn++)
            try_batch(kernels, n, p, turn % FLSQ_DTYPES, turn / 3 % LAYOUTS, turn % 2 ? WEIGHTED : 0);
    try_batch(kernels, 700, 5, FLSQ_F64, C_ORDER, 0);
    try_batch(kernels, 300, FLSQ_LANES_COLUMNS, FLSQ_F64, C_ORDER, 0);
    try_batch(kernels, 300, FLSQ_LANES_COLUMNS + 1, FLSQ_F64, C_ORDER, 0);
}

static void try_groups(const flsq_kernels *kernels, int64_t count, int64_t p, layout form, int flags)
{
    const int64_t n = 25 * count;
    problem a = problem_make(FLSQ_F64, form, n, p, 1, flags, INTEGERS);
    const flsq_rows rows = problem_rows(&a, 0, n);
    int64_t *const codes = malloc((size_t)n * sizeof *codes), *const order = malloc((size_t)n * sizeof *order);
    int64_t *const start = malloc((size_t)(count + 1) * sizeof *start);
    for (int64_t i = 0; i < n; i++)
        codes[i] = oracle_integer(0, (int)count - 1);
    CASE("%lld groups, p = %lld, flags %d, %s", (long long)count, (long long)p, flags, layout_name(form));
    CHECK(flsq_group_rows(n, codes, 0, count, 2, start, order) == FLSQ_OK && start[count] == n);
    const flsq_groups groups = {count, start, order};
    double *const b = oracle_doubles(count * a.lead), *const numbers = oracle_doubles(3 * count);
    int8_t *const verdict = malloc((size_t)count);
    const flsq_group_answers answers = {b, numbers, numbers + count, numbers + 2 * count, verdict};
    CHECK(flsq_grouped_fit(kernels, &rows, &groups, 2, &answers) == FLSQ_OK);
    for (int64_t g = 0; g < count; g++) {
        problem part = a;
        part.n = start[g + 1] - start[g];
        part.z = oracle_doubles(part.n * a.width);
        part.weight = oracle_doubles(part.n);
        for (int64_t i = 0; i < part.n; i++) {
            const int64_t row = order[start[g] + i];
            CHECK(codes[row] == g && (i == 0 || order[start[g] + i - 1] < row));
            memcpy(part.z + i * a.width, a.z + row * a.width, (size_t)a.width * sizeof(double));
            part.weight[i] = a.weight[row];
        }
        CHECK(verdict[g] == FLSQ_CERTIFIED ? solves(&part, b + g * a.lead, numbers[g]) : part.n < 2 * p + 8 || repeats(form));
        free(part.z), free(part.weight);
    }
    codes[n / 2] = count;
    CHECK(flsq_group_rows(n, codes, 0, count, 2, start, order) == FLSQ_TOO_LARGE);
    free(codes), free(order), free(start), free(b), free(numbers), free(verdict), problem_free(&a);
}

void test_groups(const flsq_kernels *kernels)
{
    for (int64_t p = 1; p <= 5; p++)
        for (int flags = 0; flags < 8; flags++)
            if (!(flags & AFFINE))
                for (int form = 0; form < LAYOUTS; form++)
                    try_groups(kernels, 2 * kernels->lanes + p % 3, p, form, flags);
}
