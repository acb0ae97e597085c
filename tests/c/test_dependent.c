/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * What the triangle of a pivoted QR says of dependent columns: integers carry known dependences.
 */
#include "check.h"
#include "dependent.h"
#include "oracle.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const long double u = 0x1p-53L;

static flsq_pivoted open_factor(const flsq_kernels *kernels, int64_t rows, int64_t columns, int64_t fixed, flsq_arena *arena)
{
    flsq_pivoted f;
    int64_t size = 0;
    CHECK(flsq_pivoted_add_bytes(rows, columns, &size) == FLSQ_OK);
    if (flsq_arena_open(arena, size) != FLSQ_OK)
        abort();
    flsq_pivoted_open(kernels, rows, columns, fixed, arena, &f);
    return f;
}

static void fill(flsq_pivoted *f, const double *a)
{
    for (int64_t j = 0; j < f->columns; j++)
        memcpy(f->a + j * f->ld, a + j * f->rows, (size_t)f->rows * sizeof(double));
}

void test_rank(const flsq_kernels *kernels)
{
    const int64_t sizes[] = {1, 2, 33, 64, 100, 400};
    (void)kernels;
    for (int s = 0; s < COUNT_OF(sizes); s++) {
        const int64_t n = sizes[s];
        const double cut = fmax(8.0, sqrt((double)n)) * 0x1p-52; /* as in fastlsq/solve/orthogonal.py */
        double *const values = oracle_doubles(n);
        for (int64_t rank = 0; rank <= n; rank++) {
            for (int64_t i = 0; i < n; i++)
                values[i] = i < rank ? (i > 0 && i == rank - 1 ? 3 * cut * (1 + 1e-9) : 3) : 3 * cut;
            CASE("n = %lld, rank %lld", (long long)n, (long long)rank);
            CHECK(flsq_rank_of(n, values) == (rank > 0 ? rank : n)); /* none larger: all of one length */
        }
        memset(values, 0, (size_t)n * sizeof(double));
        CHECK(flsq_rank_of(n, values) == 0);
        values[0] = NAN;
        CHECK(flsq_rank_of(n, values) == 0);
        free(values);
    }
}

/* Hadamard's matrix: columns of one length, orthogonal, and so are the singular values of its triangle.  Of 2^m columns less
 * one, since those past a column of ones sum to zero, with one fixed. */
void test_triangle_values(const flsq_kernels *kernels)
{
    for (int64_t n = 2; n <= 32; n *= 2)
        for (int64_t fixed = 0; fixed < 2; fixed++) {
            flsq_arena arena;
            flsq_pivoted f = open_factor(kernels, n, n, fixed, &arena);
            const int64_t left = n - fixed;
            double *const values = oracle_doubles(left), *const w = oracle_doubles(left * left);
            for (int64_t j = 0; j < n; j++)
                for (int64_t i = 0; i < n; i++)
                    f.a[j * f.ld + i] = __builtin_parityll((unsigned long long)(i & j)) ? -1 : 1;
            CASE("n = %lld, %lld fixed", (long long)n, (long long)fixed);
            CHECK(flsq_pivoted_factor(&f));
            flsq_triangle_values(&f, w, values);
            CHECK(flsq_rank_of(left, values) == left);
            int64_t most = f.exponent[fixed], longer = 0; /* 2^m may round to less, and is then divided by half as much */
            for (int64_t j = fixed; j < n; j++)
                most = FLSQ_MAX(most, f.exponent[j]);
            for (int64_t j = fixed; j < n; j++)
                longer += f.exponent[j] < most;
            for (int64_t i = 0; i < left; i++) { /* each reflection and rotation rounds once or twice */
                const long double length = ldexpl(sqrtl((long double)n), (i < longer) - (int)most);
                CHECK(fabsl(values[i] - length) <= 8 * (long double)n * u);
            }
            flsq_arena_close(&arena), free(values), free(w);
        }
}

/* A known dependence: column `of` is first*[a] + second*[b] of earlier ones. */
typedef struct dependence { int64_t of, a, b; double first, second; } dependence;

/* Integers, rows x columns by columns behind the fixed ones, some of which depend on earlier ones (or, with one fixed, on
 * these and 1); units apart by powers of two, which changes nothing. */
static double *dependent_matrix(int64_t rows, int64_t columns, int64_t fixed, int64_t missing, dependence *known,
                                int8_t *depends)
{
    double *const a = oracle_integers(rows * (columns + fixed), -9, 9), *const x = a + rows * fixed;
    memset(depends, 0, (size_t)columns);
    for (int64_t i = 0; i < rows * fixed; i++)
        a[i] = 1;
    for (int64_t m = 0; m < missing; m++) { /* every second one from the end */
        dependence *const d = known + m;
        d->of = columns - 1 - 2 * (missing - 1 - m);
        d->a = (int64_t)oracle_integer(0, (int)d->of - 1);
        d->b = (int64_t)oracle_integer(0, (int)d->of - 1);
        d->first = oracle_integer(1, 3);
        d->second = d->a == d->b ? 0 : -oracle_integer(1, 2);
        const double level = fixed ? oracle_integer(-5, 5) : 0;
        for (int64_t i = 0; i < rows; i++)
            x[d->of * rows + i] = d->first * x[d->a * rows + i] + d->second * x[d->b * rows + i] + level;
        depends[d->of] = 1;
    }
    for (int64_t j = 0; j < columns; j++) {
        const double unit = ldexp(1.0, (int)oracle_integer(-30, 30));
        for (int64_t i = 0; i < rows; i++)
            x[j * rows + i] *= unit;
    }
    return a;
}

/* sum_j x_ij 2^-e_j v_j, about the mean where there is one fixed, row by row */
static void product(const flsq_pivoted *f, const double *a, const double *v, int64_t step, long double *out)
{
    long double mean = 0;
    for (int64_t i = 0; i < f->rows; i++) {
        out[i] = 0;
        for (int64_t j = f->fixed; j < f->columns; j++)
            out[i] += ldexpl(a[j * f->rows + i], -(int)f->exponent[j]) * v[(j - f->fixed) * step];
        mean += out[i] / f->rows;
    }
    for (int64_t i = 0; i < f->rows && f->fixed; i++)
        out[i] -= mean;
}

static long double dot_of(int64_t n, const long double *x, const long double *y)
{
    long double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

/* Columns about unit length with kappa below 1e4 once the dependent ones are gone: X D N is rounding, N orthonormal, X D H
 * orthonormal up to kappa n u. */
static void check_bases(const flsq_pivoted *f, const double *a, int64_t rank)
{
    const int64_t n = f->columns - f->fixed, missing = n - rank, rows = f->rows;
    double *const null = oracle_doubles(n * missing), *const range = oracle_doubles(n * rank);
    long double *const image = calloc((size_t)(rows * rank + rows), sizeof *image), *const other = image + rows * rank;
    int empty = 1, null_orthonormal = 1, range_orthonormal = 1;
    CHECK(flsq_triangle_null(f, rank, null) == FLSQ_OK);
    flsq_triangle_range(f, rank, range);
    for (int64_t m = 0; m < missing; m++) {
        product(f, a, null + m, missing, other);
        empty &= sqrtl(dot_of(rows, other, other)) <= 16 * (long double)(n + 8) * u;
        for (int64_t l = 0; l <= m; l++) {
            long double sum = -(l == m);
            for (int64_t j = 0; j < n; j++)
                sum += (long double)null[j * missing + l] * null[j * missing + m];
            null_orthonormal &= fabsl(sum) <= 8 * (long double)(missing + 4) * u;
        }
    }
    for (int64_t i = 0; i < rank; i++)
        product(f, a, range + i, rank, image + i * rows);
    for (int64_t i = 0; i < rank; i++)
        for (int64_t l = 0; l <= i; l++)
            range_orthonormal &= fabsl(dot_of(rows, image + i * rows, image + l * rows) - (l == i)) <=
                                 1e4L * (long double)(n + 8) * u;
    CHECK(empty);
    CHECK(null_orthonormal);
    CHECK(range_orthonormal);
    free(null), free(range), free(image);
}

static void try_dependent(const flsq_kernels *kernels, int64_t rows, int64_t n, int64_t fixed, int64_t missing)
{
    dependence *const known = calloc((size_t)missing + 1, sizeof *known);
    int8_t *const depends = malloc((size_t)n), *const found = malloc((size_t)n);
    double *const a = dependent_matrix(rows, n, fixed, missing, known, depends);
    double *const values = oracle_doubles(n), *const w = oracle_doubles(n * n);
    flsq_arena arena;
    flsq_pivoted f = open_factor(kernels, rows, n + fixed, fixed, &arena);
    CASE("%lld x %lld, %lld fixed, %lld depend", (long long)rows, (long long)n, (long long)fixed, (long long)missing);
    fill(&f, a);
    CHECK(flsq_pivoted_factor(&f));
    flsq_triangle_values(&f, w, values);
    CHECK(flsq_rank_of(n, values) == n - missing);
    check_bases(&f, a, n - missing);
    CHECK(flsq_triangle_dependent(&f, n - missing, found) == FLSQ_OK);
    CHECK(memcmp(found, depends, (size_t)n) == 0);
    for (int64_t rank = 0; rank <= n - missing; rank++) { /* of whatever rank: as many as are told */
        int64_t count = 0;
        CHECK(flsq_triangle_dependent(&f, rank, found) == FLSQ_OK);
        for (int64_t j = 0; j < n; j++)
            count += found[j] == 1;
        CHECK(count == n - rank);
    }
    flsq_arena_close(&arena), free(known), free(depends), free(found), free(a), free(values), free(w);
}

void test_dependent(const flsq_kernels *kernels)
{
    const int64_t sizes[] = {1, 2, 7, 8, 9, 17, 31, 33};
    for (int s = 0; s < COUNT_OF(sizes); s++)
        for (int64_t fixed = 0; fixed < 2; fixed++)
            for (int64_t missing = 0; 2 * missing <= sizes[s]; missing += missing < 2 ? 1 : 5) {
                try_dependent(kernels, 2 * sizes[s] + 3, sizes[s], fixed, missing);
                if (missing > 0) /* as many rows as columns that count, and the fixed one's */
                    try_dependent(kernels, sizes[s] - missing + fixed + 2, sizes[s], fixed, missing);
            }
}
