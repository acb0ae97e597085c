/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * QR with sorted rows and pivoted columns, one-sided Jacobi.  Q is applied in long double from the reflectors as stored, so
 * that A D Π = Q R is checked row by row.
 */
#include "check.h"
#include "oracle.h"
#include "pivoted.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const long double u = 0x1p-53L;

/* ---- matrices ---------------------------------------------------------------------------------------------------- */

typedef enum kind { PLAIN, LONG_ROWS, LONG_COLUMNS, FEW_DIRECTIONS, HOLES, KINDS } kind;
static const char *const kind_names[KINDS] = {"plain", "rows of 2^-60 .. 1", "columns of 2^-400 .. 2^400", "rank 3",
                                              "zero rows and columns"};

/* rows x columns, one column after the other; the first is of ones where it is fixed. */
static double *matrix_of(kind which, int64_t rows, int64_t columns, int64_t fixed)
{
    double *const a = oracle_reals(rows * columns), *const direction = oracle_reals(rows * 3);
    for (int64_t j = 0; j < columns; j++) {
        const double column = which == LONG_COLUMNS ? ldexp(1.0, (int)oracle_integer(-400, 400)) : 1;
        for (int64_t i = 0; i < rows; i++)
            a[j * rows + i] *= column;
        for (int64_t i = 0; i < rows && which == HOLES; i++)
            if (j % 4 == 1 || i % 5 == 0)
                a[j * rows + i] = 0;
        for (int64_t d = 0; d < 3 && which == FEW_DIRECTIONS; d++) {
            const double share = oracle_real();
            for (int64_t i = 0; i < rows; i++)
                a[j * rows + i] = (d > 0 ? a[j * rows + i] : 0) + share * direction[d * rows + i];
        }
        for (int64_t i = 0; i < rows && j < fixed; i++)
            a[j * rows + i] = 1;
    }
    for (int64_t i = 0; i < rows && which == LONG_ROWS; i++) {
        const double row = ldexp(1.0, -(int)oracle_integer(0, 60));
        for (int64_t j = 0; j < columns; j++)
            a[j * rows + i] *= row;
    }
    free(direction);
    return a;
}

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

/* y := Pᵀ Q y in long double, of the reflectors as they are stored. */
static void expand_slowly(const flsq_pivoted *f, long double *y)
{
    long double *const sorted = calloc((size_t)f->rows, sizeof *sorted);
    for (int64_t place = f->steps - 1; place >= 0; place--) {
        const double *const v = flsq_pivoted_column(f, place);
        long double sum = y[place];
        for (int64_t i = place + 1; i < f->rows; i++)
            sum += v[i] * y[i];
        sum *= f->tau[place];
        y[place] -= sum;
        for (int64_t i = place + 1; i < f->rows && f->tau[place] != 0; i++)
            y[i] -= sum * v[i];
    }
    memcpy(sorted, y, (size_t)f->rows * sizeof *sorted);
    for (int64_t i = 0; i < f->rows; i++)
        y[f->row[i]] = sorted[i];
    free(sorted);
}

static int is_permutation(int64_t n, const int64_t *order)
{
    char *const seen = calloc((size_t)n + 1, 1);
    int good = 1;
    for (int64_t i = 0; i < n && good; i++) {
        good = order[i] >= 0 && order[i] < n && !seen[order[i]];
        if (good)
            seen[order[i]] = 1;
    }
    free(seen);
    return good;
}

/* ---- QR ---------------------------------------------------------------------------------------------------------- */

/* A D Π = Q R.  Every reflection rounds an entry some four times, and its row is at most a few times longer on the way:
 * 16 (columns + 8) u of the largest entry of the same row, also where other rows are 2^60 times as long.  Rows within 2^8 of
 * each other stay in their order, and so do rows of zeros among them: these count as the longest. */
static void check_product(const flsq_pivoted *f, const double *a)
{
    const int64_t rows = f->rows;
    long double *const largest = calloc((size_t)rows, sizeof *largest), *const y = calloc((size_t)rows, sizeof *y);
    long double longest = 0;
    int close = 1;
    for (int64_t j = 0; j < f->columns; j++)
        for (int64_t i = 0; i < rows; i++) {
            largest[i] = fmaxl(largest[i], fabsl(ldexpl(a[j * rows + i], -(int)f->exponent[j])));
            longest = fmaxl(longest, largest[i]);
        }
    for (int64_t i = 0; i < rows; i++)
        largest[i] = largest[i] == 0 ? longest : largest[i];
    for (int64_t place = 0; place < f->columns; place++) {
        const int64_t column = f->order[place];
        for (int64_t i = 0; i < rows; i++)
            y[i] = i <= place ? flsq_pivoted_column(f, place)[i] : 0;
        expand_slowly(f, y);
        for (int64_t i = 0; i < rows; i++)
            close &= fabsl(y[i] - ldexpl(a[column * rows + i], -(int)f->exponent[column])) <=
                     16 * (long double)(f->columns + 8) * u * largest[i];
    }
    CHECK(close);
    free(largest), free(y);
}

/* Of columns about unit length, |R_ii| is no less than what is left of any later one, up to 1e-6: lengths are updated with
 * half of the digits.  The lengths themselves: 1/2 .. 1 unless zero. */
static void check_pivots(const flsq_pivoted *f)
{
    int falls = 1, about_one = 1;
    for (int64_t j = f->fixed; j < f->columns; j++) {
        const double *const column = flsq_pivoted_column(f, j);
        long double left = 0;
        for (int64_t i = FLSQ_MIN(j, f->steps - 1); i >= f->fixed; i--) {
            left += (long double)column[i] * column[i];
            falls &= left <= (1 + 1e-6L) * powl(flsq_pivoted_column(f, i)[i], 2) + 1e-300L;
        }
        about_one &= left == 0 || (left > 0.2499L && left < 1.0001L);
    }
    CHECK(falls);
    CHECK(about_one || f->rows == f->fixed);
}

/* Qᵀ(Q z) = z and |Q z| = |z| with Q as long double has it: some 2 roundings an entry and reflection. */
static void check_reflections(const flsq_pivoted *f)
{
    double *const z = oracle_reals(f->rows), *const y = oracle_copy(z, f->rows);
    long double *const slow = calloc((size_t)f->rows, sizeof *slow), length = 0, apart = 0, back = 0, expanded = 0;
    for (int64_t i = 0; i < f->rows; i++)
        slow[i] = z[i];
    flsq_pivoted_expand(f, y);
    expand_slowly(f, slow);
    for (int64_t i = 0; i < f->rows; i++) {
        length += (long double)z[i] * z[i];
        expanded += slow[i] * slow[i];
        apart += (y[i] - slow[i]) * (y[i] - slow[i]);
    }
    flsq_pivoted_project(f, y);
    for (int64_t i = 0; i < f->rows; i++)
        back += (y[i] - z[i]) * (long double)(y[i] - z[i]);
    const long double bound = 8 * (long double)(f->steps + 4) * u * sqrtl(length);
    CHECK(sqrtl(apart) <= bound && sqrtl(back) <= 2 * bound);
    CHECK(fabsl(sqrtl(expanded) - sqrtl(length)) <= bound);
    free(z), free(y), free(slow);
}

/* (R + E) z = c with |E| <= (count + 1) u |R|, and the same with Rᵀ. */
static void check_solves(const flsq_pivoted *f, int64_t count)
{
    double *const c = oracle_reals(count), *const z = oracle_copy(c, count), *const transposed = oracle_copy(c, count);
    int close = 1;
    flsq_pivoted_solve(f, count, z);
    flsq_pivoted_solve_transposed(f, count, transposed);
    for (int64_t i = 0; i < count; i++) {
        long double left = c[i], size = 0, left_transposed = c[i], size_transposed = 0;
        for (int64_t j = 0; j < count; j++) {
            const int64_t row = FLSQ_MIN(i, j), column = FLSQ_MAX(i, j);
            const long double r = flsq_pivoted_column(f, f->fixed + column)[f->fixed + row];
            if (j >= i) {
                left -= r * z[j];
                size += fabsl(r * z[j]);
            }
            if (j <= i) {
                left_transposed -= r * transposed[j];
                size_transposed += fabsl(r * transposed[j]);
            }
        }
        close &= fabsl(left) <= (long double)(count + 2) * u * size;
        close &= fabsl(left_transposed) <= (long double)(count + 2) * u * size_transposed;
    }
    CHECK(close);
    free(c), free(z), free(transposed);
}

static void try_factor(const flsq_kernels *kernels, kind which, int64_t rows, int64_t columns, int64_t fixed)
{
    double *const a = matrix_of(which, rows, columns, fixed);
    flsq_arena arena;
    flsq_pivoted f = open_factor(kernels, rows, columns, fixed, &arena);
    CASE("%s, %lld x %lld, %lld fixed", kind_names[which], (long long)rows, (long long)columns, (long long)fixed);
    for (int again = 0; again < 2; again++) { /* the second time in memory that has been sorted and swapped */
        fill(&f, a);
        CHECK(flsq_pivoted_factor(&f));
        CHECK(is_permutation(columns, f.order) && is_permutation(rows, f.row) && (fixed == 0 || f.order[0] == 0));
        check_product(&f, a);
        check_pivots(&f);
        check_reflections(&f);
        if (which != FEW_DIRECTIONS && which != HOLES)
            check_solves(&f, f.steps - fixed);
        flsq_pivoted_reset(&f);
    }
    flsq_arena_close(&arena), free(a);
}

void test_pivoted_qr(const flsq_kernels *kernels)
{
    const int64_t rows[] = {1, 2, 7, 8, 9, 31, 33, 90}, columns[] = {1, 2, 7, 8, 9, 31, 33};
    for (int which = 0; which < KINDS; which++)
        for (int i = 0; i < COUNT_OF(rows); i++)
            for (int j = 0; j < COUNT_OF(columns); j++)
                for (int64_t fixed = 0; fixed < 2; fixed++)
                    try_factor(kernels, which, rows[i], columns[j], fixed);
}

/* Refused where a column is not finite; one whose squares overflow is either refused or factored.  D = 1 on demand. */
void test_pivoted_range(const flsq_kernels *kernels)
{
    const double bad[] = {NAN, INFINITY, -INFINITY};
    const int64_t rows = 9, columns = 4;
    flsq_arena arena;
    flsq_pivoted f = open_factor(kernels, rows, columns, 0, &arena);
    double *const a = oracle_reals(rows * columns);
    for (int i = 0; i < COUNT_OF(bad); i++)
        for (int64_t at = 0; at < rows * columns; at += 5) {
            flsq_pivoted_reset(&f);
            fill(&f, a);
            f.a[at / rows * f.ld + at % rows] = bad[i];
            CASE("%g at %lld", bad[i], (long long)at);
            CHECK(!flsq_pivoted_factor(&f));
        }
    for (int64_t i = 0; i < rows; i++)
        a[i] = ldexp(a[i], 600);
    flsq_pivoted_reset(&f);
    fill(&f, a);
    CASE("a column of 2^600");
    if (flsq_pivoted_factor(&f))
        check_product(&f, a);
    for (int64_t i = 0; i < rows * columns; i++)
        a[i] = ldexp(a[i], i < rows ? -595 : 5);
    flsq_pivoted_reset(&f);
    fill(&f, a);
    f.as_is = 1;
    CASE("as it is");
    CHECK(flsq_pivoted_factor(&f));
    for (int64_t j = 0; j < columns; j++)
        CHECK(f.exponent[j] == 0);
    check_product(&f, a);
    flsq_arena_close(&arena), free(a);
}

/* ---- Jacobi ------------------------------------------------------------------------------------------------------ */

static void try_jacobi(const flsq_kernels *kernels, kind which, int64_t rows, int64_t columns)
{
    double *const before = matrix_of(which, rows, columns, 0), *const w = oracle_copy(before, rows * columns);
    double *const values = oracle_doubles(columns);
    long double squares = 0;
    int kept = 1, orthogonal = 1, lengths = 1;
    for (int64_t i = 0; i < rows * columns; i++)
        squares += (long double)before[i] * before[i];
    flsq_jacobi(kernels, rows, columns, w, values);
    /* W Wᵀ stays: a rotation rounds an entry twice, and a dozen sweeps at most meet each column `columns` times */
    for (int64_t i = 0; i < rows; i++)
        for (int64_t l = 0; l <= i; l++) {
            long double sum = 0;
            for (int64_t j = 0; j < columns; j++)
                sum += (long double)w[j * rows + i] * w[j * rows + l] -
                       (long double)before[j * rows + i] * before[j * rows + l];
            kept &= fabsl(sum) <= 4 * (long double)(columns + 4) * u * squares;
        }
    for (int64_t i = 0; i < columns; i++) {
        lengths &= i == 0 || values[i] <= values[i - 1];
        for (int64_t j = i; j < columns; j++) {
            long double product = 0;
            for (int64_t l = 0; l < rows; l++)
                product += (long double)w[i * rows + l] * w[j * rows + l];
            if (i == j)
                lengths &= fabsl(sqrtl(product) - values[i]) <= (long double)(rows + 4) * u * values[i];
            else if (values[j] > 16 * u * values[0]) /* columns of rounding are left as they are */
                orthogonal &= fabsl(product) <= (long double)(2 * rows + 8) * u * values[i] * values[j];
        }
    }
    CASE("%s, %lld x %lld", kind_names[which], (long long)rows, (long long)columns);
    CHECK(kept);
    CHECK(orthogonal);
    CHECK(lengths);
    free(before), free(w), free(values);
}

void test_jacobi(const flsq_kernels *kernels)
{
    const int64_t rows[] = {1, 2, 7, 8, 9, 33}, columns[] = {1, 2, 7, 8, 9, 31};
    for (int which = 0; which < KINDS; which++)
        for (int i = 0; i < COUNT_OF(rows) && which != LONG_COLUMNS; i++) /* its squares leave the range */
            for (int j = 0; j < COUNT_OF(columns); j++)
                try_jacobi(kernels, which, rows[i], columns[j]);
}
