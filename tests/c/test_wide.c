/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Small problems by QR with fewer rows than columns, against the equations of the shortest solution in long double; problems
 * of a row or a column, rows of zeros, rows without weight, rows that repeat, and values that are not finite.
 */
#include "check.h"
#include "qr_answer.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* m := m⁻¹c by elimination with partial pivoting, c (n x k) overwritten. */
static void eliminate(int64_t n, long double *m, int64_t k, long double *c)
{
    for (int64_t step = 0; step < n; step++) {
        int64_t best = step;
        for (int64_t i = step + 1; i < n; i++)
            if (fabsl(m[i * n + step]) > fabsl(m[best * n + step]))
                best = i;
        for (int64_t j = 0; j < n + k; j++) {
            long double *const x = j < n ? m + j : c + j - n, held = x[step * (j < n ? n : k)];
            x[step * (j < n ? n : k)] = x[best * (j < n ? n : k)];
            x[best * (j < n ? n : k)] = held;
        }
        for (int64_t i = 0; i < n; i++) {
            const long double share = i != step ? m[i * n + step] / m[step * n + step] : 0;
            for (int64_t j = 0; j < n + k && share != 0; j++)
                *(j < n ? m + i * n + j : c + i * k + j - n) -= share * *(j < n ? m + step * n + j : c + step * k + j - n);
        }
    }
    for (int64_t i = 0; i < n; i++)
        for (int64_t t = 0; t < k; t++)
            c[i * k + t] /= m[i * n + i];
}

/* The shortest solution in the user's units U = scale through the rows `kept` (n of them): with S = X U⁻²Xᵀ
 *     [S 1; 1ᵀ 0] [c; level] = [y; 0],   b = U⁻²Xᵀc */
static long double *shortest(const problem *a, int64_t n, const int64_t *kept)
{
    const int64_t size = n + a->unit;
    long double *const m = calloc((size_t)(size * size) + 1, sizeof *m);
    long double *const c = calloc((size_t)(size * a->k) + 1, sizeof *c);
    long double *const b = calloc((size_t)(a->lead * a->k) + 1, sizeof *b);
    for (int64_t i = 0; i < n; i++) {
        const double *const row = a->z + kept[i] * a->width;
        for (int64_t l = 0; l < n; l++)
            for (int64_t j = 0; j < a->p; j++) {
                const long double unit = a->scale != NULL ? a->scale[j] : 1;
                m[i * size + l] += row[j] / unit * (a->z[kept[l] * a->width + j] / unit);
            }
        if (a->unit)
            m[i * size + n] = m[n * size + i] = 1;
        for (int64_t t = 0; t < a->k; t++)
            c[i * a->k + t] = row[a->lead + t];
    }
    eliminate(size, m, a->k, c);
    for (int64_t t = 0; t < a->k; t++) {
        for (int64_t j = 0; j < a->p; j++) {
            const long double unit = a->scale != NULL ? a->scale[j] : 1;
            for (int64_t i = 0; i < n; i++)
                b[j * a->k + t] += a->z[kept[i] * a->width + j] / unit / unit * c[i * a->k + t];
        }
        if (a->unit)
            b[a->p * a->k + t] = c[n * a->k + t];
    }
    free(m), free(c);
    return b;
}

/* In the user's units, to kappa times rounding, and to kappa² times that of long double in S; the intercept to as much of
 * what it balances. */
static int is_close(const problem *a, const double *b, const long double *expected, double condition)
{
    const long double bound = 32 * (long double)(a->p + 8) * 0x1p-53L * sqrtl(condition) + 0x1p-60L * condition;
    int good = condition < 1e14;
    for (int64_t t = 0; t < a->k; t++) {
        long double apart = 0, length = 0, level = 0, least = INFINITY; /* y of length 1 asks for as much at least */
        for (int64_t j = 0; j < a->p; j++) {
            const long double unit = a->scale != NULL ? a->scale[j] : 1;
            apart += powl((b[j * a->k + t] - expected[j * a->k + t]) * unit, 2);
            length += powl(expected[j * a->k + t] * unit, 2);
            least = fminl(least, unit);
            level += 32 * fabsl(expected[j * a->k + t]);
        }
        good &= a->n == a->unit ? apart <= 1e-30L : sqrtl(apart) <= bound * (sqrtl(length) + least);
        if (a->unit)
            good &= fabsl(b[a->p * a->k + t] - expected[a->p * a->k + t]) <=
                    bound * (level + fabsl(expected[a->p * a->k + t]) + 32);
    }
    return good;
}

/* Columns in units of 2^-apart .. 2^apart whose packed values stay as they are. */
static void spread_units(problem *a, int apart)
{
    double *const x = (double *)a->x.memory;
    for (int64_t j = 0; j < a->p; j++) {
        const int e = (int)oracle_integer(-apart, apart);
        a->scale[j] = ldexp(1.0, e);
        for (int64_t i = 0; i < a->n; i++)
            x[i * a->p + j] = ldexp(x[i * a->p + j], -e);
    }
}

static int64_t *all_rows(int64_t n)
{
    int64_t *const kept = malloc(((size_t)n + 1) * sizeof *kept);
    for (int64_t i = 0; i < n; i++)
        kept[i] = i;
    return kept;
}

static void try_wide(const flsq_kernels *kernels, int64_t n, int64_t p, int flags, int apart)
{
    problem made = problem_make(FLSQ_F64, C_ORDER, n, p, n % 3 + 1, flags, INTEGERS);
    int64_t *const kept = all_rows(n);
    for (int64_t j = 0; j < p && n == 2; j++) /* no column is constant */
        ((double *)made.x.memory)[p + j] += ((double *)made.x.memory)[p + j] == ((double *)made.x.memory)[j];
    if (flags & AFFINE)
        spread_units(&made, apart);
    for (int64_t i = 0; i < n && (flags & WEIGHTED); i++)
        ((double *)made.w.memory)[i] = (double)(1 + i % 4); /* solutions through all rows do not depend on it */
    problem a = problem_like(&made, n % 2 ? STRIDED : F_ORDER);
    answer s = solve_by_qr(kernels, &a, p, NULL);
    long double *const expected = shortest(&a, n, kept);
    CASE("n = %lld, p = %lld, flags %d, units of 2^+-%d", (long long)n, (long long)p, flags, apart);
    CHECK(s.report.verdict == FLSQ_CERTIFIED && s.report.passes == 4);
    CHECK(s.report.backward_error < 1e-14 || a.unit); /* slopes of nothing under an intercept are compared with nothing */
    CHECK(s.out.rank == n - a.unit);
    CHECK(is_close(&a, s.b, expected, s.out.factor.condition));
    for (int64_t t = 0; t < a.k; t++) /* through the rows: a residual of rounding */
        CHECK(s.rss[t] <= 1e-24 * (double)n * 16);
    answer_free(&s), free(expected), free(kept), problem_free(&a), problem_free(&made);
}

void test_qr_wide(const flsq_kernels *kernels)
{
    const int64_t columns[] = {2, 3, 7, 8, 9, 24, 25, 33};
    const int apart[] = {0, 3, 300};
    for (int c = 0; c < COUNT_OF(columns); c++)
        for (int64_t n = 1; n < columns[c]; n += n < 3 ? 1 : 5)
            for (int flags = 0; flags < 8; flags++)
                for (int e = 0; e < COUNT_OF(apart); e++)
                    if (e == 0 || ((flags & AFFINE) && (apart[e] < 300 || (n == 1 && !(flags & UNIT))))) /* else S fails */
                        try_wide(kernels, n, columns[c], flags, apart[e]);
}

/* Row i + distinct repeats row i, with another y: the shortest of the fits to their weighted means, which leave the rest. */
static void try_repeated(const flsq_kernels *kernels, int64_t distinct, int64_t repeated, int64_t p, int flags)
{
    const int64_t n = distinct + repeated;
    problem made = problem_make(FLSQ_F64, C_ORDER, n, p, 2, flags, INTEGERS);
    int64_t *const kept = all_rows(n);
    for (int64_t i = 0; i < n && (flags & WEIGHTED); i++)
        ((double *)made.w.memory)[i] = i % 5 == 3 && i >= distinct ? 0 : 1 + (double)(i % 3);
    for (int64_t i = distinct; i < n; i++)
        memcpy((double *)made.x.memory + i * p, (double *)made.x.memory + (i - distinct) * p, (size_t)p * sizeof(double));
    problem a = problem_like(&made, C_ORDER);
    problem mean = problem_like(&made, C_ORDER);
    answer s = solve_by_qr(kernels, &a, p, NULL);
    for (int64_t i = 0; i < repeated; i++)
        for (int64_t c = a.lead; c < a.width; c++) {
            const double first = a.weight[i], second = a.weight[i + distinct];
            const double sum = first * a.z[i * a.width + c] + second * a.z[(i + distinct) * a.width + c];
            mean.z[i * a.width + c] = sum / (first + second);
        }
    long double *const expected = shortest(&mean, distinct, kept);
    CASE("%lld rows and %lld again, p = %lld, flags %d", (long long)distinct, (long long)repeated, (long long)p, flags);
    if (s.out.null == NULL) /* too many columns: left to others */
        CHECK(s.report.verdict == FLSQ_ILL_CONDITIONED);
    else {
        CHECK(s.report.verdict == FLSQ_CERTIFIED && s.report.backward_error < 1e-14);
        CHECK(s.out.rank == distinct - a.unit);
        CHECK(is_optimal(&a, &s));
        CHECK(is_close(&a, s.b, expected, s.out.factor.condition));
        check_bases(&a, &s);
    }
    answer_free(&s), free(expected), free(kept), problem_free(&a), problem_free(&mean), problem_free(&made);
}

void test_qr_repeated(const flsq_kernels *kernels)
{
    const int64_t columns[] = {3, 7, 8, 9, 24, 25};
    for (int c = 0; c < COUNT_OF(columns); c++)
        for (int64_t repeated = 1; 2 * repeated < columns[c] - 1; repeated += 4)
            for (int flags = 0; flags < 8; flags++)
                try_repeated(kernels, columns[c] - repeated - 1, repeated, columns[c], flags);
}

/* ---- rows that tell nothing, and edges --------------------------------------------------------------------------- */

/* Rows of zeros with y = 0, or without weight but with any x and y, leave b as it is without them. */
void test_qr_empty_rows(const flsq_kernels *kernels)
{
    for (int64_t p = 1; p <= 9; p += 2)
        for (int64_t n = p + 3; n <= 3 * p + 9; n += 6)
            for (int weightless = 0; weightless < 2; weightless++) {
                const int unit = weightless && n % 2 ? UNIT : 0;
                problem made = problem_make(FLSQ_F64, C_ORDER, n, p, 1, WEIGHTED | unit, INTEGERS);
                double *const w = (double *)made.w.memory, *const x = (double *)made.x.memory;
                double *const y = (double *)made.y.memory;
                int64_t used = 0;
                for (int64_t i = 0; i < n; i++)
                    w[i] = weightless && i % 4 == 1 ? 0 : 2;
                for (int64_t i = 0; i < n && !weightless; i++)
                    for (int64_t j = 0; j <= p && i % 4 == 1; j++)
                        *(j < p ? x + i * p + j : y + i) = 0;
                problem a = problem_like(&made, C_ORDER);
                for (int64_t i = 0; i < n; i++)
                    if (i % 4 != 1) {
                        memmove(x + used * p, x + i * p, (size_t)p * sizeof(double));
                        y[used] = y[i];
                        w[used++] = 2;
                    }
                problem fewer = problem_like(&made, C_ORDER);
                fewer.x.view.rows = fewer.y.view.rows = fewer.w.view.rows = fewer.n = used;
                answer s = solve_by_qr(kernels, &a, p, NULL), t = solve_by_qr(kernels, &fewer, p, NULL);
                CASE("n = %lld, p = %lld, %s", (long long)n, (long long)p, weightless ? "no weight" : "zeros");
                CHECK(s.report.verdict == FLSQ_CERTIFIED && t.report.verdict == FLSQ_CERTIFIED);
                CHECK(is_optimal(&a, &s));
                CHECK(s.out.rank == t.out.rank);
                for (int64_t j = 0; j < a.lead && used >= a.lead + 2; j++)
                    CHECK(fabs(s.b[j] - t.b[j]) <= 1e-12 * (1 + fabs(t.b[j])));
                answer_free(&s), answer_free(&t), problem_free(&a), problem_free(&fewer), problem_free(&made);
            }
}

/* One row, one column, both, and columns of zeros: b is known. */
void test_qr_edges(const flsq_kernels *kernels)
{
    for (int64_t n = 1; n <= 33; n += 8)
        for (int64_t p = 1; p <= 33; p += 16)
            for (int unit = 0; unit < 2; unit++) {
                problem made = problem_make(FLSQ_F64, C_ORDER, n, p, 2, unit ? UNIT : 0, INTEGERS);
                memset(made.x.memory, 0, (size_t)(n * p) * sizeof(double));
                problem a = problem_like(&made, C_ORDER);
                answer s = solve_by_qr(kernels, &a, p, NULL);
                CASE("zeros: n = %lld, p = %lld, unit %d", (long long)n, (long long)p, unit);
                CHECK(s.report.verdict == (s.out.null != NULL || n == unit ? FLSQ_CERTIFIED : FLSQ_ILL_CONDITIONED));
                for (int64_t t = 0; t < 2 && s.report.verdict == FLSQ_CERTIFIED; t++) {
                    double sum = 0;
                    for (int64_t i = 0; i < n; i++)
                        sum += a.y.value[i * 2 + t];
                    for (int64_t j = 0; j < p; j++)
                        CHECK(s.b[j * 2 + t] == 0);
                    CHECK(!unit || fabs(s.b[p * 2 + t] - sum / (double)n) <= 1e-14);
                    CHECK(s.out.rank == 0);
                }
                answer_free(&s), problem_free(&a), problem_free(&made);
            }
    CHECK(flsq_is_for_qr(1, 1, 1) && flsq_is_for_qr(100, 20, 1));
    CHECK(!flsq_is_for_qr(1000000, 2, 1) && !flsq_is_for_qr(1, 100000, 1));
    CHECK(flsq_qr_takes_dependent_rows(5, 5) && flsq_qr_takes_dependent_rows(4, 5) && !flsq_qr_takes_dependent_rows(4, 500));
}

/* A verdict, and no answer. */
void test_qr_nonfinite(const flsq_kernels *kernels)
{
    const double bad[] = {NAN, INFINITY, -INFINITY, 1e200, -1}; /* squares overflow; a weight below zero */
    const int64_t rows[] = {1, 2, 7, 12, 40}, columns[] = {1, 5, 8, 30};
    for (int r = 0; r < COUNT_OF(rows); r++)
        for (int c = 0; c < COUNT_OF(columns); c++)
            for (int where = 0; where < 3; where++)
                for (int b = 0; b < COUNT_OF(bad); b++)
                    for (int unit = 0; unit < 2; unit++) {
                        const int64_t n = rows[r], p = columns[c];
                        if (where == 2 ? bad[b] == 1e200 : bad[b] == -1)
                            continue;
                        problem a = problem_make(FLSQ_F64, C_ORDER, n, p, 2, WEIGHTED | (unit ? UNIT : 0), INTEGERS);
                        array *const at = where == 0 ? &a.x : where == 1 ? &a.y : &a.w;
                        array_set(at, n / 2, 0, bad[b]);
                        if (where != 2)
                            array_set(&a.w, n / 2, 0, 1);
                        answer s = solve_by_qr(kernels, &a, p, NULL);
                        CASE("n = %lld, p = %lld, %g in %s, unit %d", (long long)n, (long long)p, bad[b],
                             where == 0 ? "X" : where == 1 ? "Y" : "the weights", unit);
                        int finite = 1; /* squares that overflow may leave an answer, if there is no residual */
                        for (int64_t i = 0; i < a.lead * a.k; i++)
                            finite &= isfinite(s.b[i]) != 0;
                        CHECK(s.report.verdict != FLSQ_CERTIFIED || (bad[b] == 1e200 && where != 2 && finite));
                        answer_free(&s), problem_free(&a);
                    }
}
