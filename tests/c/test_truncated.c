/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Columns that may depend on each other from moments of X T, made in long double; products of triangles; equations that may
 * stand unrefined.
 */
#include "check.h"
#include "oracle.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- moments of X T ---------------------------------------------------------------------------------------------- */

/* X (rows x n, integers / 16: columns about unit length), R₁ of its shifted moments, Z = X R₁⁻¹ and G = ZᵀZ rounded: the two
 * passes of fastlsq/solve/precondition.py without their rounding.  Halved off the diagonal, R₁ leaves G far from 1. */
typedef struct passes { int64_t rows, n; double *x, *triangle, *moments; long double *z; } passes;

static passes passes_make(int64_t rows, int64_t n, int64_t missing, int halved, int8_t *depends)
{
    passes a = {rows, n, oracle_integers(rows * n, -4, 4), oracle_doubles(n * n), oracle_doubles(n * n),
                calloc((size_t)(rows * n), sizeof *a.z)};
    long double *const r = calloc((size_t)(n * n), sizeof *r);
    memset(depends, 0, (size_t)n);
    for (int64_t m = 0; m < missing; m++) {
        const int64_t of = n - 1 - 2 * m, first = (of - 1) / 4 * 2 + (of - 1) % 2, second = of - 1; /* no other's */
        for (int64_t i = 0; i < rows; i++)
            a.x[i * n + of] = 2 * a.x[i * n + first] - (first != second) * a.x[i * n + second];
        depends[of] = 1;
    }
    for (int64_t i = 0; i < rows * n; i++)
        a.x[i] /= 16;
    for (int64_t i = 0; i < n; i++) /* Cholesky of XᵀX + n u tr */
        for (int64_t j = i; j < n; j++) {
            long double sum = i == j ? (long double)n * 0x1p-53L : 0;
            for (int64_t l = 0; l < rows; l++)
                sum += (long double)a.x[l * n + i] * a.x[l * n + j];
            for (int64_t l = 0; l < i; l++)
                sum -= r[l * n + i] * r[l * n + j];
            r[i * n + j] = i == j ? sqrtl(sum) : sum / r[i * n + i];
            a.triangle[i * n + j] = (double)r[i * n + j] / (i < j && halved ? 2 : 1);
        }
    for (int64_t l = 0; l < rows; l++)
        for (int64_t j = 0; j < n; j++) {
            long double sum = a.x[l * n + j];
            for (int64_t i = 0; i < j; i++)
                sum -= a.z[l * n + i] * a.triangle[i * n + j];
            a.z[l * n + j] = sum / a.triangle[j * n + j];
        }
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < n; j++) {
            long double sum = 0;
            for (int64_t l = 0; l < rows; l++)
                sum += a.z[l * n + i] * a.z[l * n + j];
            a.moments[i * n + j] = (double)sum;
        }
    free(r);
    return a;
}

static void passes_free(passes *a) { free(a->x), free(a->triangle), free(a->moments), free(a->z); }

/* X v for column `at` of v (n x columns) */
static long double *image(const passes *a, int64_t columns, const double *v, int64_t at)
{
    long double *const out = calloc((size_t)a->rows, sizeof *out);
    for (int64_t i = 0; i < a->rows; i++)
        for (int64_t j = 0; j < a->n; j++)
            out[i] += (long double)a->x[i * a->n + j] * v[j * columns + at];
    return out;
}

static long double dot_of(int64_t n, const long double *x, const long double *y)
{
    long double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

/* How far from orthonormal the columns of X v are. */
static long double apart_from_one(const passes *a, int64_t columns, const double *v)
{
    long double worst = 0;
    for (int64_t i = 0; i < columns; i++)
        for (int64_t j = 0; j <= i; j++) {
            long double *const x = image(a, columns, v, i), *const y = image(a, columns, v, j);
            worst = fmaxl(worst, fabsl(dot_of(a->rows, x, y) - (i == j)));
            free(x), free(y);
        }
    return worst;
}

/* z solves to 1e-11 (kappa of integers below 1e3, R₁ and G rounded once), and norms gives the length of what X z reaches. */
static void check_solution(const passes *a, flsq_truncated *t, int64_t rank)
{
    const int64_t n = a->n, k = 2;
    double *const y = oracle_reals(a->rows * k), *const h = oracle_doubles(n * k), *const g = oracle_doubles(n * k);
    double *const z = oracle_doubles(n * k), norm[2];
    for (int64_t j = 0; j < n; j++)
        for (int64_t target = 0; target < k; target++) {
            long double seen = 0, plain = 0;
            for (int64_t i = 0; i < a->rows; i++) {
                seen += a->z[i * n + j] * y[i * k + target];
                plain += (long double)a->x[i * n + j] * y[i * k + target];
            }
            h[j * k + target] = (double)seen;
            g[j * k + target] = (double)plain;
        }
    flsq_truncated_solve(t, k, h, z);
    flsq_truncated_norms(t, k, g, norm);
    for (int64_t target = 0; target < k; target++) {
        long double *const reached = image(a, k, z, target), length = sqrtl(dot_of(a->rows, reached, reached)), whole = 0;
        int64_t used = 0;
        for (int64_t i = 0; i < a->rows; i++)
            whole += (long double)y[i * k + target] * y[i * k + target];
        for (int64_t j = 0; j < n; j++) {
            long double left = 0;
            for (int64_t i = 0; i < a->rows; i++)
                left += (long double)a->x[i * n + j] * (y[i * k + target] - reached[i]);
            CHECK(fabsl(left) <= 1e-11L * sqrtl(whole));
            used += z[j * k + target] != 0;
        }
        CHECK(used <= rank);
        CHECK(fabsl(norm[target] - length) <= 1e-11L * sqrtl(whole));
        free(reached);
    }
    free(y), free(h), free(g), free(z);
}

static void try_truncated(const flsq_kernels *kernels, int64_t n, int64_t missing, int halved)
{
    const int64_t rank = n - missing;
    int8_t *const depends = malloc((size_t)n), *const found = malloc((size_t)n);
    passes a = passes_make(3 * n + 10, n, missing, halved, depends);
    flsq_truncated *t = NULL;
    CASE("n = %lld, %lld depend, R %s", (long long)n, (long long)missing, halved ? "halved" : "whole");
    CHECK(flsq_truncated_create(kernels, n, a.moments, a.triangle, &t) == FLSQ_OK);
    if (!CHECK(t != NULL && flsq_truncated_rank(t) == rank))
        exit(1);
    CHECK(flsq_truncated_condition(t) >= 0.99 && flsq_truncated_condition(t) < 1e4);
    CHECK(flsq_truncated_dependent(t, found) == FLSQ_OK && memcmp(found, depends, (size_t)n) == 0);
    check_solution(&a, t, rank);
    for (int64_t cut = rank; cut >= 0; cut -= cut / 3 + 1) {
        double *const null = oracle_doubles(n * (n - cut)), *const range = oracle_doubles(n * cut);
        CHECK(flsq_truncated_cut(t, cut) == FLSQ_OK && flsq_truncated_rank(t) == cut);
        CHECK(flsq_truncated_null(t, null) == FLSQ_OK);
        flsq_truncated_range(t, range);
        CHECK(apart_from_one(&a, cut, range) <= 1e-11L);
        for (int64_t m = 0; m < n - cut; m++) {
            long double *const out = image(&a, n - cut, null, m);
            CHECK(cut < rank || sqrtl(dot_of(a.rows, out, out)) <= 1e-13L);
            for (int64_t l = 0; l <= m; l++) {
                long double sum = -(l == m);
                for (int64_t j = 0; j < n; j++)
                    sum += (long double)null[j * (n - cut) + l] * null[j * (n - cut) + m];
                CHECK(fabsl(sum) <= 1e-14L);
            }
            free(out);
        }
        free(null), free(range);
    }
    flsq_truncated_destroy(t), passes_free(&a), free(depends), free(found);
}

void test_truncated(const flsq_kernels *kernels)
{
    const int64_t sizes[] = {1, 2, 7, 8, 9, 31, 33};
    for (int s = 0; s < COUNT_OF(sizes); s++)
        for (int64_t missing = 0; 2 * missing < sizes[s]; missing += missing < 1 ? 1 : 5)
            for (int halved = 0; halved <= (missing == 0); halved++)
                try_truncated(kernels, sizes[s], missing, halved);
}

/* Moments 4^e and triangle 2^-f on the diagonal: z = 2^(f - 2e) h to the bit.  Moments of nothing: rank 0. */
void test_truncated_exact(const flsq_kernels *kernels)
{
    for (int64_t n = 1; n <= 33; n += 8) {
        double *const moments = oracle_doubles(n * n), *const triangle = oracle_doubles(n * n), *const z = oracle_doubles(n);
        double *const h = oracle_integers(n, -9, 9), *const expected = oracle_doubles(n);
        flsq_truncated *t = NULL;
        for (int64_t j = 0; j < n; j++) {
            const int e = (int)oracle_integer(-3, 3), f = (int)oracle_integer(-3, 3);
            moments[j * (n + 1)] = ldexp(1.0, 2 * e);
            triangle[j * (n + 1)] = ldexp(1.0, -f);
            expected[j] = ldexp(h[j], f - 2 * e);
        }
        CASE("n = %lld", (long long)n);
        CHECK(flsq_truncated_create(kernels, n, moments, triangle, &t) == FLSQ_OK && flsq_truncated_rank(t) == n);
        flsq_truncated_solve(t, 1, h, z);
        CHECK(first_difference(n, z, expected) == -1);
        flsq_truncated_destroy(t);
        for (int nan = 0; nan < 2; nan++) {
            for (int64_t i = 0; i < n * n; i++)
                moments[i] = nan ? NAN : 0;
            CHECK(flsq_truncated_create(kernels, n, moments, triangle, &t) == FLSQ_OK && flsq_truncated_rank(t) == 0);
            flsq_truncated_solve(t, 1, h, z);
            for (int64_t j = 0; j < n; j++)
                CHECK(z[j] == 0);
            flsq_truncated_destroy(t);
        }
        free(moments), free(triangle), free(z), free(h), free(expected);
    }
    flsq_truncated_destroy(NULL);
}

/* Integers; what lies below the diagonals is not read. */
void test_triangular_product(const flsq_kernels *kernels)
{
    for (int64_t n = 1; n <= 33; n++) {
        double *const a = oracle_integers(n * n, -9, 9), *const b = oracle_integers(n * n, -9, 9);
        double *const found = oracle_reals(n * n), *const expected = oracle_doubles(n * n);
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < n; j++)
                for (int64_t l = i; l <= j; l++)
                    expected[i * n + j] += a[i * n + l] * b[l * n + j];
        for (int64_t i = 0; i < n; i++)
            for (int64_t j = 0; j < i; j++)
                a[i * n + j] = b[i * n + j] = NAN;
        CASE("n = %lld", (long long)n);
        flsq_triangular_product(kernels, n, a, b, found);
        CHECK(first_difference(n * n, found, expected) == -1);
        free(a), free(b), free(found), free(expected);
    }
}

/* ---- unrefined --------------------------------------------------------------------------------------------------- */

typedef struct fit { double *b, *rss; flsq_report report; double condition; } fit;

static fit fit_of(const flsq_kernels *kernels, const problem *a, int unrefined)
{
    fit s = {.b = oracle_doubles(a->p * a->k), .rss = oracle_doubles(a->k)};
    const flsq_rows rows = problem_rows(a, 0, a->n);
    flsq_factor factor = {.r = oracle_doubles(a->p * a->p), .scale = oracle_doubles(a->p)};
    CHECK(flsq_lstsq(kernels, &rows, unrefined, 2, &factor, s.b, s.rss, &s.report, NULL) == FLSQ_OK);
    s.condition = factor.condition;
    free(factor.r), free(factor.scale);
    return s;
}

static void fit_free(fit *s) { free(s->b), free(s->rss); }

/* Well-conditioned rows with a residual stand as they are, off by 100 p u at most; columns that are nearly the same, or
 * targets that are nearly fitted, are refined to the very bits that are had without `unrefined`. */
static void try_unrefined(const flsq_kernels *kernels, int64_t p, int64_t k, int nearly_fitted, int nearly_same)
{
    problem made = problem_make(FLSQ_F64, C_ORDER, 40 * p + 200, p, k, 0, REALS);
    double *const x = (double *)made.x.memory, *const y = (double *)made.y.memory;
    for (int64_t i = 0; i < made.n; i++) {
        if (nearly_same)
            x[i * p + p - 1] = x[i * p] + 0.01 * x[i * p + p - 1];
        for (int64_t j = 0; j < p && nearly_fitted; j++)
            y[i * k + k - 1] = (j > 0 ? y[i * k + k - 1] : 1e-5 * y[i * k + k - 1]) + (double)(j + 1) * x[i * p + j];
    }
    problem a = problem_like(&made, C_ORDER);
    fit s = fit_of(kernels, &a, 1), refined = fit_of(kernels, &a, 0);
    const int stands = !nearly_fitted && !nearly_same;
    CASE("p = %lld, k = %lld%s%s", (long long)p, (long long)k,
         nearly_fitted ? ", nearly fitted" : "", nearly_same ? ", nearly same" : "");
    CHECK(s.report.verdict == FLSQ_CERTIFIED && refined.report.verdict == FLSQ_CERTIFIED);
    CHECK(stands == (s.report.passes == 0) && refined.report.passes > 0);
    CHECK(stands ? s.condition <= 100 : same_bits(p * k, s.b, refined.b) && same_bits(k, s.rss, refined.rss));
    for (int64_t t = 0; t < k && stands; t++) {
        CHECK(fabs(s.rss[t] - refined.rss[t]) <= 1e-12 * refined.rss[t]);
        CHECK(s.report.backward_error > 0 && s.report.backward_error < 1e-13);
        for (int64_t j = 0; j < p; j++)
            CHECK(fabs(s.b[j * k + t] - refined.b[j * k + t]) <= 100 * (double)p * 0x1p-53);
    }
    fit_free(&s), fit_free(&refined), problem_free(&a), problem_free(&made);
}

void test_unrefined(const flsq_kernels *kernels)
{
    for (int64_t p = 1; p <= 17; p += 4)
        for (int64_t k = 1; k <= 3; k++)
            for (int which = 0; which < (p > 1 ? 4 : 2); which++)
                try_unrefined(kernels, p, k, which & 1, which >> 1);
}
