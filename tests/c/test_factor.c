/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Cholesky.  R has small integers and powers of two on its diagonal, so that A = RᵀR is exact, every square root and
 * division is exact, and the factorization must give R back to the bit.
 */
#include "blocksizes.h"
#include "check.h"
#include "gram.h"
#include "normal.h"
#include "oracle.h"
#include "symmetric.h"
#include <math.h>
#include <stdlib.h>

enum { NB = FLSQ_CHOLESKY_NB };
#define BELOW (-12345.0) /* below the diagonal and in the gap of the leading dimension: must stay */

static int64_t sizes_of(int64_t *n)
{
    const int64_t all[] = {1, 2, 5, 12, NB - 1, NB, NB + 1, 2 * NB, 2 * NB + 13, 200};
    for (int i = 0; i < COUNT_OF(all); i++)
        n[i] = all[i];
    return COUNT_OF(all);
}

/* Dense n x ld upper triangular. */
static double *exact_factor(int64_t n, int64_t ld)
{
    double *const r = oracle_doubles(n * ld);
    for (int64_t i = 0; i < n * ld; i++)
        r[i] = BELOW;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i; j < n; j++)
            r[i * ld + j] = i == j ? ldexp(1.0, (int)oracle_integer(0, 3)) : oracle_integer(-2, 2);
    return r;
}

/* The upper triangle of RᵀR over a copy of R. */
static double *product_of(const double *r, int64_t n, int64_t ld)
{
    double *const a = oracle_copy(r, n * ld);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i; j < n; j++) {
            a[i * ld + j] = 0;
            for (int64_t l = 0; l <= i; l++)
                a[i * ld + j] += r[l * ld + i] * r[l * ld + j];
        }
    return a;
}

void test_cholesky_small(const flsq_kernels *kernels)
{
    for (int64_t n = 1; n <= NB; n++) {
        const int64_t ld = n + n % 3;
        double *const r = exact_factor(n, ld), *const a = product_of(r, n, ld), *const b = oracle_copy(a, n * ld);
        CASE("n = %lld", (long long)n);
        CHECK(kernels->cholesky_small(n, a, ld) == -1);
        CHECK(first_difference(n * ld, a, r) == -1);
        const int64_t row = (int64_t)oracle_integer(0, (int)n - 1);
        b[row * ld + row] -= r[row * ld + row] * r[row * ld + row]; /* this pivot becomes 0 */
        CHECK(kernels->cholesky_small(n, b, ld) == row);
        free(r), free(a), free(b);
    }
}

/* Rᵀ X = B with integers X: every quotient is exact. */
void test_triangular_panel(const flsq_kernels *kernels)
{
    const int64_t nr = kernels->nr;
    for (int64_t n = 1; n <= NB; n++) {
        const int64_t ld = n + 1;
        double *const r = exact_factor(n, ld), *const x = oracle_integers(n * nr, -5, 5);
        double *const panel = oracle_doubles(n * nr);
        for (int64_t i = 0; i < n; i++)
            for (int64_t l = 0; l <= i; l++)
                for (int64_t t = 0; t < nr; t++)
                    panel[i * nr + t] += r[l * ld + i] * x[l * nr + t];
        double *const reciprocal = oracle_doubles(n);
        for (int64_t i = 0; i < n; i++)
            reciprocal[i] = 1.0 / r[i * ld + i];
        kernels->triangular_panel(n, r, ld, reciprocal, panel);
        free(reciprocal);
        CASE("n = %lld", (long long)n);
        CHECK(first_difference(n * nr, panel, x) == -1);
        free(r), free(x), free(panel);
    }
}

void test_cholesky_exact(const flsq_kernels *kernels)
{
    const int threads[] = {1, 2, 3, 8};
    int64_t sizes[16];
    const int64_t count = sizes_of(sizes);
    for (int64_t s = 0; s < count; s++) {
        const int64_t n = sizes[s], ld = n + s % 2;
        double *const r = exact_factor(n, ld), *const a = product_of(r, n, ld);
        for (int t = 0; t < COUNT_OF(threads); t++) {
            double *const work = oracle_copy(a, n * ld);
            int64_t pivot = 99;
            CASE("n = %lld, %d threads", (long long)n, threads[t]);
            CHECK(flsq_cholesky(kernels, n, work, ld, threads[t], &pivot) == FLSQ_OK);
            CHECK(pivot == -1);
            CHECK(first_difference(n * ld, work, r) == -1);
            free(work);
        }
        free(r), free(a);
    }
    int64_t pivot = 99;
    CASE("n = 0");
    CHECK(flsq_cholesky(kernels, 0, NULL, 0, 1, &pivot) == FLSQ_OK && pivot == -1);
}

/* |RᵀR - A| <= (n + 2) u |R|ᵀ|R| (Higham, Accuracy and Stability of Numerical Algorithms, theorem 10.3). */
static void check_backward_error(const double *r, const double *a, int64_t n)
{
    int within = 1;
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i; j < n; j++) {
            long double sum = 0, size = 0;
            for (int64_t l = 0; l <= i; l++) {
                sum += (long double)r[l * n + i] * r[l * n + j];
                size += fabsl((long double)r[l * n + i] * r[l * n + j]);
            }
            within &= fabsl(sum - a[i * n + j]) <= 1.01L * (long double)(n + 2) * 0x1p-53L * size;
        }
    CHECK(within);
}

void test_cholesky_rounding(const flsq_kernels *kernels)
{
    const int threads[] = {2, 3, 8};
    int64_t sizes[16];
    const int64_t count = sizes_of(sizes);
    for (int64_t s = 0; s < count; s++) {
        const int64_t n = sizes[s];
        double *const root = oracle_doubles(n * n);
        for (int64_t i = 0; i < n * n; i++)
            root[i] = i / n > i % n ? 0 : i / n == i % n ? 2 + oracle_real() : oracle_real();
        double *const a = product_of(root, n, n), *const first = oracle_copy(a, n * n);
        int64_t pivot;
        CASE("n = %lld", (long long)n);
        CHECK(flsq_cholesky(kernels, n, first, n, 1, &pivot) == FLSQ_OK);
        check_backward_error(first, a, n);
        for (int t = 0; t < COUNT_OF(threads); t++) {
            double *const again = oracle_copy(a, n * n);
            CASE("n = %lld, %d threads", (long long)n, threads[t]);
            CHECK(flsq_cholesky(kernels, n, again, n, threads[t], &pivot) == FLSQ_OK);
            CHECK(same_bits(n * n, again, first));
            free(again);
        }
        free(root), free(a), free(first);
    }
}

void test_cholesky_indefinite(const flsq_kernels *kernels)
{
    int64_t sizes[16];
    const int64_t count = sizes_of(sizes);
    for (int64_t s = 0; s < count; s++) {
        const int64_t n = sizes[s], rows[] = {0, n / 2, n - 1, FLSQ_MIN(NB - 1, n - 1), FLSQ_MIN(NB, n - 1)};
        double *const r = exact_factor(n, n), *const a = product_of(r, n, n);
        for (int i = 0; i < COUNT_OF(rows); i++) {
            const int64_t row = rows[i];
            const double square = r[row * n + row] * r[row * n + row];
            /* pivots of 0, -1, NaN and infinity */
            const double diagonals[] = {a[row * n + row] - square, a[row * n + row] - square - 1, NAN, INFINITY};
            for (int d = 0; d < COUNT_OF(diagonals); d++) {
                double *const work = oracle_copy(a, n * n);
                int64_t pivot = 99;
                work[row * n + row] = diagonals[d];
                CASE("n = %lld, row %lld, case %d", (long long)n, (long long)row, d);
                CHECK(flsq_cholesky(kernels, n, work, n, 1 + d % 3, &pivot) == FLSQ_NOT_POSITIVE_DEFINITE);
                CHECK(pivot == row);
                free(work);
            }
        }
        free(r), free(a);
    }
}

/* D M D read tile by tile, by the sums of its rows and what its factor gives back. */
static void check_scaled(const flsq_kernels *kernels, int64_t n, int n_threads)
{
    const int64_t ld = n + 3;
    double *const root = exact_factor(n, n), *const m = oracle_doubles(n * ld), *const scale = oracle_doubles(n);
    double *const scaled = product_of(root, n, n), *const r = oracle_doubles(n * n), *const sums = oracle_doubles(n);
    double *const expected = calloc((size_t)n, sizeof *expected);
    for (int64_t i = 0; i < n; i++)
        scale[i] = ldexp(1.0, (int)oracle_integer(-9, 9));
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < ld; j++) /* the lower triangle and the gap are not read */
            m[i * ld + j] = j < i || j >= n ? NAN : scaled[i * n + j] / scale[i] / scale[j];
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i; j < n; j++) {
            expected[i] += fabs(scaled[i * n + j]);
            expected[j] += i < j ? fabs(scaled[i * n + j]) : 0;
        }
    for (int64_t i = 0; i < n * n; i++)
        r[i] = BELOW;
    int64_t pivot = 99;
    const flsq_symmetric a = {.n = n, .m = m, .ldm = ld, .scale = scale};
    CASE("n = %lld, %d threads", (long long)n, n_threads);
    CHECK(flsq_cholesky_of(kernels, &a, n_threads, r, n, sums, &pivot) == FLSQ_OK && pivot == -1);
    CHECK(first_difference(n * n, r, root) == -1);
    CHECK(first_difference(n, sums, expected) == -1);
    free(root), free(m), free(scale), free(scaled), free(r), free(sums), free(expected);
}

/* A factor straight from the Gram state and one from its moments as a matrix: the same bits. */
static void check_from_gram(const flsq_kernels *kernels, int64_t p, int64_t k, int n_threads)
{
    const int64_t n = 2 * p + 40;
    double *const x = oracle_reals(n * p), *const y = oracle_reals(n * k), *const c = oracle_doubles(p * k);
    double *const zz = oracle_doubles(p * (p + k)), *const yy = oracle_doubles(k);
    const flsq_rows rows = {.x = {x, n, p, p * 8, 8, FLSQ_F64}, .y = {y, n, k, k * 8, 8, FLSQ_F64}};
    flsq_factor f[2];
    flsq_verdict verdict[2];
    flsq_gram *gram;
    for (int i = 0; i < 2; i++)
        f[i] = (flsq_factor){.r = calloc((size_t)(p * p), 8), .scale = oracle_doubles(p)};
    CASE("p = %lld, k = %lld, %d threads", (long long)p, (long long)k, n_threads);
    CHECK(flsq_gram_create(kernels, p, k, 0, &gram) == FLSQ_OK && flsq_gram_update(gram, &rows, n_threads) == FLSQ_OK);
    flsq_gram_collect(gram, n_threads, zz, yy, NULL);
    flsq_gram_cross(gram, c);
    CHECK(flsq_factorize_gram(gram, n_threads, &f[0], &verdict[0]) == FLSQ_OK);
    CHECK(flsq_factorize(kernels, p, zz, p + k, 1, &f[1], &verdict[1]) == FLSQ_OK);
    CHECK(verdict[0] == FLSQ_CERTIFIED && verdict[1] == FLSQ_CERTIFIED);
    CHECK(same_bits(p * p, f[0].r, f[1].r) && same_bits(p, f[0].scale, f[1].scale));
    CHECK(same_bits(1, &f[0].norm1, &f[1].norm1) && same_bits(1, &f[0].condition, &f[1].condition));
    int same = 1;
    for (int64_t i = 0; i < p; i++)
        same &= same_bits(k, c + i * k, zz + i * (p + k) + p);
    CHECK(same);
    flsq_gram_destroy(gram);
    free(x), free(y), free(c), free(zz), free(yy);
    for (int i = 0; i < 2; i++)
        free(f[i].r), free(f[i].scale);
}

void test_symmetric(const flsq_kernels *kernels)
{
    int64_t sizes[16];
    const int64_t count = sizes_of(sizes);
    for (int64_t s = 0; s < count; s++)
        for (int n_threads = 1; n_threads <= 3; n_threads += 2) {
            check_scaled(kernels, sizes[s], n_threads);
            check_from_gram(kernels, sizes[s], 1, n_threads);
            check_from_gram(kernels, sizes[s], kernels->nr + 1, n_threads);
        }
}
