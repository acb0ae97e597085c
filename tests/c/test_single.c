/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Single precision: kernels and states on small integers, which floats sum exactly, too; then whole problems, which must be
 * as good as if there were none of it.
 */
#include "blocksizes.h"
#include "check.h"
#include "gram.h"
#include "oracle.h"
#include "single.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static float *floats_of(const double *values, int64_t count)
{
    float *const copy = malloc(FLSQ_MAX((size_t)count, 1) * sizeof *copy);
    for (int64_t i = 0; i < count; i++)
        copy[i] = (float)values[i];
    return copy;
}

/* One panel on the left, one on the right, as doubles; the sums over their rows, 2 nr x 2 nr. */
static void try_products(const flsq_kernels *kernels, int64_t columns)
{
    const int64_t nr = kernels->nr, width = 2 * nr, tile = nr / kernels->block_sweeps[nr / kernels->lanes];
    double *const a = oracle_integers(FLSQ_SINGLE_KC * width, -9, 9), *const b = oracle_integers(FLSQ_SINGLE_KC * width, -4, 4);
    double *const ab = oracle_doubles(nr * width), *const bb = oracle_doubles(width * width);
    for (int64_t rows = 0; rows <= FLSQ_SINGLE_KC; rows++) {
        float *const left = floats_of(a, rows * width), *const right = floats_of(b, rows * width);
        double *const block = oracle_doubles(2 * nr * nr), *const triangle = oracle_doubles(3 * nr * nr);
        double *const into[2] = {rows % 3 == 1 ? NULL : block, rows % 3 == 2 ? NULL : block + nr * nr};
        double *const upper[3] = {triangle, rows % 5 == 1 ? NULL : triangle + nr * nr,
                                  rows % 5 == 1 ? NULL : triangle + 2 * nr * nr};
        flsq_ahead nothing = {0};
        for (int64_t i = 0; rows > 0 && i < width; i++)
            for (int64_t j = 0; j < width; j++) {
                const double *const last = b + (rows - 1) * width;
                if (i >= nr)
                    ab[(i - nr) * width + j] += a[(rows - 1) * width + i] * last[j];
                bb[i * width + j] += last[i] * last[j];
            }
        kernels->single_block(rows, left + nr, columns, right, into, &nothing);
        kernels->single_diagonal(rows, right, upper, &nothing);
        CASE("%lld rows, %lld columns", (long long)rows, (long long)columns);
        int64_t wrong = 0;
        for (int64_t i = 0; i < nr; i++)
            for (int64_t j = 0; j < width; j++) {
                const int there = into[j / nr] != NULL && i < FLSQ_CEIL_DIV(columns, tile) * tile;
                wrong += block[j / nr * nr * nr + i * nr + j % nr] != (there ? ab[i * width + j] : 0);
            }
        for (int64_t i = 0; i < width; i++)
            for (int64_t j = i; j < width; j++)
                wrong += upper[i / nr + j / nr] != NULL &&
                         upper[i / nr + j / nr][i % nr * nr + j % nr] != bb[i * width + j];
        CHECK(wrong == 0);
        free(left), free(right), free(block), free(triangle);
    }
    free(a), free(b), free(ab), free(bb);
}

void test_single_products(const flsq_kernels *kernels)
{
    for (int64_t columns = 1; columns <= kernels->nr; columns++)
        try_products(kernels, columns);
}

void test_narrow_rows(const flsq_kernels *kernels)
{
    const int64_t nr = kernels->nr, panels = 3, stride = 20 * 2 * nr;
    for (int64_t columns = 1; columns <= 4 * nr; columns++)
        for (int64_t rows = 0; rows <= 2 * 8 + 1; rows++) {
            const int64_t step = columns + rows % 3, first = (rows + columns) % 3 * nr;
            double *const source = oracle_reals(FLSQ_MAX((rows - 1) * step + columns, 0));
            double *const scale = oracle_doubles(2 * panels * nr);
            float *const target = calloc((size_t)(panels * stride), sizeof *target);
            for (int64_t j = 0; j < 2 * panels * nr; j++)
                scale[j] = ldexp(1.0, (int)(j % 5) - 2);
            kernels->narrow_rows(source, step, rows, columns, scale, target, stride, first);
            CASE("%lld rows of %lld from %lld", (long long)rows, (long long)columns, (long long)first);
            int64_t wrong = 0;
            for (int64_t k = 0; k < rows + 1; k++)
                for (int64_t j = 0; j < 2 * panels * nr; j++) {
                    const int there = k < rows && j >= first && j < first + columns;
                    wrong += target[j / (2 * nr) * stride + k * 2 * nr + j % (2 * nr)] !=
                             (there ? (float)(source[k * step + j - first] * scale[j]) : 0);
                }
            CHECK(wrong == 0);
            free(source), free(scale), free(target);
        }
}

/* ---- states ------------------------------------------------------------------------------------------------------ */

static double *moments_of(const flsq_kernels *kernels, const problem *a, int64_t piece, int n_threads)
{
    double *const zz = oracle_doubles(a->lead * a->width + a->k);
    flsq_gram *gram = NULL;
    if (!CHECK(flsq_gram_create_single(kernels, a->p, a->k, &gram) == FLSQ_OK))
        return zz;
    for (int64_t first = 0; first < a->n; first += piece) {
        const flsq_rows rows = problem_rows(a, first, FLSQ_MIN(piece, a->n - first));
        CHECK(flsq_gram_update(gram, &rows, n_threads) == FLSQ_OK);
    }
    flsq_gram_collect(gram, n_threads, zz, zz + a->lead * a->width, NULL);
    flsq_gram_destroy(gram);
    return zz;
}

void test_single_state(const flsq_kernels *kernels)
{
    const int64_t nr = kernels->nr, block = flsq_gram_block_rows(1);
    const int64_t columns[] = {1, nr - 1, nr, nr + 1, 2 * nr, 3 * nr + 1, 4 * nr, 7 * nr - 1};
    const int64_t targets[] = {0, 1, 2, nr + 1, 3 * nr};
    const int64_t rows[] = {1, FLSQ_SINGLE_KC, FLSQ_SINGLE_KC + 1, block + 3, 3 * block + 1};
    int turn = 0;
    for (int i = 0; i < COUNT_OF(columns); i++)
        for (int j = 0; j < COUNT_OF(targets); j++)
            for (int l = 0; l < COUNT_OF(rows); l++, turn++) {
                const int64_t p = columns[i], k = targets[j], n = rows[l], size = p * (p + k) + k;
                if (n * (p + k) * (p + k) > 3000000)
                    continue;
                const layout form = turn % LAYOUTS;
                const flsq_dtype dtype = turn / 2 % 2 ? turn % FLSQ_DTYPES : FLSQ_F64;
                CASE("p = %lld, k = %lld, n = %lld, %s %s", (long long)p, (long long)k, (long long)n, dtype_name(dtype),
                     layout_name(form));
                problem a = problem_make(dtype, form, n, p, k, 0, INTEGERS);
                double *const expected = oracle_doubles(size), *const found = moments_of(kernels, &a, n, turn % 3 + 1);
                oracle_gram(&a, expected, expected + p * (p + k));
                CHECK(first_difference(size, found, expected) == -1);
                problem_free(&a), free(expected), free(found);
            }
}

/* Every bit is that of one thread; and no entry is further off than its roundings allow. */
void test_single_bits(const flsq_kernels *kernels)
{
    const int64_t p = 5 * kernels->nr + 1, n = 2 * flsq_gram_block_rows(p) + 5;
    for (int64_t k = 1; k <= 2; k++) {
        problem a = problem_make(FLSQ_F64, C_ORDER, n, p, k, 0, REALS), f = problem_like(&a, F_ORDER);
        double *const reference = moments_of(kernels, &a, n, 1);
        for (int n_threads = 2; n_threads <= 3; n_threads++) {
            CASE("p = %lld, k = %lld, %d threads", (long long)p, (long long)k, n_threads);
            double *const c = moments_of(kernels, &a, n, n_threads), *const columns = moments_of(kernels, &f, n, n_threads);
            CHECK(same_bits(a.lead * a.width + k, reference, c) && same_bits(a.lead * a.width + k, reference, columns));
            free(c), free(columns);
        }
        for (int64_t i = 0; i < p; i += 3)
            for (int64_t j = i; j < a.width; j += 2) {
                long double magnitude;
                const long double expected = oracle_gram_entry(&a, i, j, &magnitude);
                CHECK(fabsl(reference[i * a.width + j] - expected) <= 1.01L * (FLSQ_SINGLE_KC + 2) * 0x1p-24L * magnitude);
            }
        problem_free(&a), problem_free(&f), free(reference);
    }
}

/* ---- whole problems ---------------------------------------------------------------------------------------------- */

/* The same problem by the one call, which takes single precision from here on, and by equations in double precision. */
static void try_problem(const flsq_kernels *kernels, problem *a, int expect_single)
{
    const int64_t p = a->p, k = a->k;
    const flsq_rows rows = problem_rows(a, 0, a->n);
    double *const b = oracle_doubles(p * k), *const again = oracle_doubles(p * k), *const rss = oracle_doubles(k);
    double *const g = oracle_doubles(p * k), *const r = oracle_doubles(a->n * k), *const left = oracle_doubles(k);
    flsq_factor factor = {.r = oracle_doubles(p * p), .scale = oracle_doubles(p)};
    flsq_report report;
    CHECK(flsq_single_is_worth_it(a->n, p, k));
    CHECK(flsq_lstsq(kernels, &rows, 0, 1, &factor, b, rss, &report, NULL) == FLSQ_OK);
    CHECK(report.verdict != FLSQ_CERTIFIED || (factor.roundoff > FLSQ_UNIT_ROUNDOFF) == expect_single);
    CHECK(report.verdict == FLSQ_CERTIFIED || !expect_single);
    if (report.verdict == FLSQ_CERTIFIED) {
        CHECK(report.backward_error <= 1e-15);
        /* the gradient that is left is rounding: |x_j|'|r| n u, and the residuals are those of b */
        CHECK(flsq_residual(kernels, &rows, b, g, left, r, 1) == FLSQ_OK);
        for (int64_t t = 0; t < k; t++)
            CHECK(fabs(left[t] - rss[t]) <= 1e-12 * left[t]);
        for (int64_t j = 0; j < p; j++)
            for (int64_t t = 0; t < k; t++) {
                double length = 0, size = 0;
                for (int64_t i = 0; i < a->n; i++) {
                    double whole = fabs(a->z[i * a->width + p + t]);
                    for (int64_t c = 0; c < p; c++)
                        whole += fabs(a->z[i * a->width + c] * b[c * k + t]);
                    length += a->z[i * a->width + j] * a->z[i * a->width + j];
                    size += whole * whole;
                }
                CHECK(fabs(g[j * k + t]) <= 1e-14 * sqrt(length * size));
            }
        CHECK(flsq_lstsq(kernels, &rows, 0, 3, &factor, again, rss, &report, NULL) == FLSQ_OK);
        CHECK(same_bits(p * k, b, again));
    }
    free(b), free(again), free(rss), free(g), free(r), free(left), free(factor.r), free(factor.scale);
}

void test_single_problems(const flsq_kernels *kernels)
{
    for (int64_t p = FLSQ_SINGLE_COLUMNS; p <= FLSQ_SINGLE_COLUMNS + 3; p++) {
        const int64_t n = 4 * p + 17, k = 1;
        problem a = problem_make(FLSQ_F64, p % 2 ? F_ORDER : C_ORDER, n, p, k, 0, REALS);
        CASE("p = %lld, plain", (long long)p);
        try_problem(kernels, &a, 1);
        const struct { const char *name; double value; int single; } columns[] = {
            {"zeros", 0.0, 0}, {"1e-200", 1e-200, 0}, {"1e25", 1e25, 1}, {"NaN", NAN, 0}, {"infinity", INFINITY, 0},
        };
        for (int c = 0; c < COUNT_OF(columns); c++) {
            problem odd = problem_like(&a, C_ORDER);
            for (int64_t i = 0; i < n; i++) {
                const int64_t at = i * odd.width + 7;
                odd.z[at] = c < 3 || i == 11 ? odd.z[at] * columns[c].value : odd.z[at];
                array_set(&odd.x, i, 7, odd.z[at]);
            }
            CASE("p = %lld, a column of %s", (long long)p, columns[c].name);
            try_problem(kernels, &odd, columns[c].single);
            problem_free(&odd);
        }
        problem twin = problem_like(&a, C_ORDER); /* a column that is another but for 1e-9 of itself */
        for (int64_t i = 0; i < n; i++) {
            twin.z[i * twin.width + 5] = twin.z[i * twin.width + 4] * (1 + 1e-9 * oracle_real());
            array_set(&twin.x, i, 5, twin.z[i * twin.width + 5]);
        }
        CASE("p = %lld, twin columns", (long long)p);
        try_problem(kernels, &twin, 0);
        problem_free(&twin), problem_free(&a);
    }
}
