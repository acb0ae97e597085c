/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Solves with R, the inverse and the norm estimate.  Solves are exact on integers over a diagonal of powers of two; the
 * inverse of a Gram matrix of differences is known in closed form.
 */
#include "check.h"
#include "oracle.h"
#include <math.h>
#include <stdlib.h>

static const int64_t sizes[] = {1, 2, 3, 5, 12, 31, 96, 97};

static double *integer_factor(int64_t n, int64_t ld)
{
    double *const r = oracle_integers(n * ld, 100, 200); /* below the diagonal: must not be read */
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i; j < n; j++)
            r[i * ld + j] = i == j ? ldexp(1.0, (int)oracle_integer(0, 3)) : oracle_integer(-2, 2);
    return r;
}

static void try_solves(const flsq_kernels *kernels, int64_t n, int64_t k)
{
    const int64_t ld = n + 2;
    double *const r = integer_factor(n, ld), *const x = oracle_integers(n * k, -5, 5);
    double *const b = oracle_doubles(n * k), *const transposed = oracle_doubles(n * k);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i; j < n; j++)
            for (int64_t t = 0; t < k; t++) {
                b[i * k + t] += r[i * ld + j] * x[j * k + t];
                transposed[j * k + t] += r[i * ld + j] * x[i * k + t];
            }
    CASE("n = %lld, k = %lld", (long long)n, (long long)k);
    flsq_triangular_solve(kernels, n, r, ld, k, b);
    CHECK(first_difference(n * k, b, x) == -1);
    flsq_triangular_solve_transposed(kernels, n, r, ld, k, transposed);
    CHECK(first_difference(n * k, transposed, x) == -1);
    free(r), free(x), free(b), free(transposed);
}

void test_triangular_solves(const flsq_kernels *kernels)
{
    const int64_t targets[] = {1, 2, 3, 13};
    for (int s = 0; s < COUNT_OF(sizes); s++)
        for (int t = 0; t < COUNT_OF(targets); t++)
            try_solves(kernels, sizes[s], targets[t]);
}

/* A factor with a condition number of moderate size. */
static double *real_factor(int64_t n)
{
    double *const r = oracle_doubles(n * n);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i; j < n; j++)
            r[i * n + j] = i == j ? ldexp(1.5 + 0.5 * oracle_real(), (int)oracle_integer(-3, 3)) : oracle_real();
    return r;
}

/* Row i of R⁻¹ column by column in long double, then (RᵀR)⁻¹ = R⁻¹ R⁻ᵀ. */
static long double *long_inverse(const double *r, int64_t n)
{
    long double *const root = calloc((size_t)(n * n), sizeof *root);
    long double *const inverse = calloc((size_t)(n * n), sizeof *inverse);
    for (int64_t column = 0; column < n; column++)
        for (int64_t i = column; i >= 0; i--) {
            long double sum = i == column;
            for (int64_t j = i + 1; j <= column; j++)
                sum -= r[i * n + j] * root[j * n + column];
            root[i * n + column] = sum / r[i * n + i];
        }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++)
            for (int64_t l = i > j ? i : j; l < n; l++)
                inverse[i * n + j] += root[i * n + l] * root[j * n + l];
    free(root);
    return inverse;
}

static long double norm1(const long double *a, int64_t n)
{
    long double largest = 0;
    for (int64_t j = 0; j < n; j++) {
        long double sum = 0;
        for (int64_t i = 0; i < n; i++)
            sum += fabsl(a[i * n + j]);
        largest = sum > largest ? sum : largest;
    }
    return largest;
}

void test_inverse(const flsq_kernels *kernels)
{
    for (int s = 0; s < COUNT_OF(sizes); s++) {
        const int64_t n = sizes[s];
        double *const r = oracle_doubles(n * n), *const inverse = oracle_doubles(n * n);
        int exact = 1;
        /* x_i - x_{i+1}: the inverse holds n - max(i, j) */
        for (int64_t i = 0; i < n; i++) {
            r[i * n + i] = 1;
            if (i + 1 < n)
                r[i * n + i + 1] = -1;
        }
        flsq_cholesky_inverse(kernels, n, r, n, inverse);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++)
                exact &= inverse[i * n + j] == (double)(n - (i > j ? i : j));
        CASE("differences, n = %lld", (long long)n);
        CHECK(exact);
        free(r);

        /* Two solves with R, each of relative residual n u: off by at most 4 n u ‖|R⁻¹||R|‖² of the largest entry;
         * the condition number of these factors is below 1e4 for n <= 12. */
        if (n <= 12) {
            double *const real = real_factor(n);
            long double *const expected = long_inverse(real, n);
            const long double bound = 4.0L * (long double)n * 0x1p-53L * 1e8L * norm1(expected, n);
            int close = 1, symmetric = 1;
            flsq_cholesky_inverse(kernels, n, real, n, inverse);
            for (int64_t i = 0; i < n; i++)
                for (int64_t j = 0; j < n; j++) {
                    close &= fabsl(inverse[i * n + j] - expected[i * n + j]) <= bound;
                    symmetric &= inverse[i * n + j] == inverse[j * n + i];
                }
            CASE("reals, n = %lld", (long long)n);
            CHECK(close);
            CHECK(symmetric);
            free(real), free(expected);
        }
        free(inverse);
    }
}

/* A lower bound (up to the rounding of the solves), at most ten times too small. */
void test_inverse_norm(const flsq_kernels *kernels)
{
    for (int64_t n = 1; n <= 40; n++)
        for (int trial = 0; trial < 3; trial++) {
            double *const r = real_factor(n);
            long double *const inverse = long_inverse(r, n);
            const long double norm = norm1(inverse, n);
            double estimate = -1;
            CASE("n = %lld, trial %d", (long long)n, trial);
            CHECK(flsq_inverse_norm_estimate(kernels, n, r, n, &estimate) == FLSQ_OK);
            CHECK(estimate <= norm * (1 + 1e-3L));
            CHECK(estimate * 10 >= norm);
            free(r), free(inverse);
        }
    double estimate = -1;
    CASE("n = 0");
    CHECK(flsq_inverse_norm_estimate(kernels, 0, NULL, 0, &estimate) == FLSQ_OK && estimate == 0);
}
