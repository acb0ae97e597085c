/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Cholesky.  R has small integers and powers of two on its diagonal, so that A = RᵀR is exact, every square root and
 * division is exact, and the factorization must give R back to the bit.
 */
#include "blocksizes.h"
#include "check.h"
#include "oracle.h"
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
