/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The leave-one-out pass: sums exact on integers, the same bits for any thread count and memory order; and refinement of
 * penalized equations, whose gradient must vanish to rounding.
 */
#include "blocksizes.h"
#include "check.h"
#include "oracle.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct fits_case {
    problem a;
    flsq_fits fits;
    double *basis, *damping, *b;
} fits_case;

static fits_case make_case(flsq_dtype dtype, layout form, int64_t n, int64_t p, int64_t k, int64_t modes, int64_t count,
                           int flags)
{
    fits_case c = {.a = problem_make(dtype, form, n, p, k, flags, INTEGERS), .basis = oracle_integers(p * modes, -2, 2),
                   .damping = oracle_integers(modes * count, 0, 3), .b = oracle_integers(k * p * count, -3, 3)};
    for (int64_t i = 0; i < modes * count; i++)
        c.damping[i] *= 0x1p-24;
    c.fits = (flsq_fits){.count = count, .modes = modes, .basis = c.basis, .damping = c.damping, .b = c.b, .base = 0x1p-12};
    return c;
}

static void free_case(fits_case *c) { problem_free(&c->a), free(c->basis), free(c->damping), free(c->b); }

/* Sums for target t and fit f, in long double. */
static void expect(const fits_case *c, int64_t t, int64_t f, long double *squares, long double *left_out)
{
    const problem *const a = &c->a;
    *squares = *left_out = 0;
    for (int64_t i = 0; i < a->n; i++) {
        const double *const z = a->z + i * a->width;
        long double h = c->fits.base, e = z[a->lead + t];
        for (int64_t m = 0; m < c->fits.modes; m++) {
            long double part = 0;
            for (int64_t j = 0; j < a->p; j++)
                part += (long double)z[j] * c->basis[j * c->fits.modes + m];
            h += part * part * c->damping[m * c->fits.count + f];
        }
        for (int64_t j = 0; j < a->p; j++)
            e -= (long double)z[j] * c->b[(t * a->p + j) * c->fits.count + f];
        const long double rest = 1 - a->weight[i] * h;
        *squares += a->weight[i] * e * e;
        *left_out += a->weight[i] * (e / rest) * (e / rest);
    }
}

static void check_case_of(const flsq_kernels *kernels, const fits_case *c, int n_threads)
{
    const int64_t count = c->a.k * c->fits.count;
    double *const squares = oracle_doubles(count), *const left_out = oracle_doubles(count);
    const flsq_rows rows = problem_rows(&c->a, 0, c->a.n);
    CHECK(flsq_leave_one_out(kernels, &rows, &c->fits, n_threads, squares, left_out) == FLSQ_OK);
    for (int64_t t = 0; t < c->a.k; t++)
        for (int64_t f = 0; f < c->fits.count; f++) {
            long double wanted, wanted_out;
            expect(c, t, f, &wanted, &wanted_out);
            CHECK(squares[t * c->fits.count + f] == (double)wanted);
            CHECK(fabsl(left_out[t * c->fits.count + f] - wanted_out) <= 0x1p-44L * wanted_out);
        }
    free(squares), free(left_out);
}

void test_leave_one_out(const flsq_kernels *kernels)
{
    const int64_t nr = kernels->nr, block = FLSQ_RESIDUAL_BLOCK_ROWS(1, 1);
    const int64_t columns[] = {1, nr - 1, nr, nr + 1}, counts[] = {1, nr, nr + 1};
    int turn = 0;
    for (int s = 0; s < COUNT_OF(columns); s++)
        for (int c = 0; c < COUNT_OF(counts); c++) {
            const int64_t chunk = FLSQ_RESIDUAL_ROWS(columns[s]);
            const int64_t rows[] = {0, 1, chunk - 1, chunk, chunk + 1, block + 1};
            for (int i = 0; i < COUNT_OF(rows); i++, turn++) {
                const int64_t modes = turn % 2 ? columns[s] : nr + 1, k = turn % 3 + 1;
                const flsq_dtype dtype = turn % FLSQ_DTYPES;
                const layout form = turn / 3 % LAYOUTS;
                CASE("p = %lld, modes %lld, fits %lld, n = %lld, %s %s", (long long)columns[s], (long long)modes,
                     (long long)counts[c], (long long)rows[i], dtype_name(dtype), layout_name(form));
                fits_case one = make_case(dtype, form, rows[i], columns[s], k, modes, counts[c],
                                          (turn % 4 ? WEIGHTED : 0) | (turn % 5 ? AFFINE : 0));
                check_case_of(kernels, &one, turn % 3 + 1);
                free_case(&one);
            }
        }
}

void test_leave_one_out_bits(const flsq_kernels *kernels)
{
    const int64_t n = 7 * FLSQ_RESIDUAL_BLOCK_ROWS(1, 1) + 3, p = kernels->nr + 2, k = 2, fits = 5;
    const int threads[] = {2, 3, 8};
    const layout forms[] = {F_ORDER, PADDED_C, STRIDED, NEGATIVE};
    problem a = problem_make(FLSQ_F64, C_ORDER, n, p, k, WEIGHTED | AFFINE, REALS);
    double *const basis = oracle_reals(p * p), *const damping = oracle_reals(p * fits), *const b = oracle_reals(k * p * fits);
    for (int64_t i = 0; i < p * fits; i++)
        damping[i] *= 0x1p-12;
    const flsq_fits all = {.count = fits, .modes = p, .basis = basis, .damping = damping, .b = b, .base = 0x1p-10};
    double *const first = oracle_doubles(2 * k * fits), *const again = oracle_doubles(2 * k * fits);
    flsq_rows rows = problem_rows(&a, 0, n);
    CHECK(flsq_leave_one_out(kernels, &rows, &all, 1, first, first + k * fits) == FLSQ_OK);
    for (int i = 0; i < COUNT_OF(threads); i++) {
        CASE("%d threads", threads[i]);
        CHECK(flsq_leave_one_out(kernels, &rows, &all, threads[i], again, again + k * fits) == FLSQ_OK);
        CHECK(same_bits(2 * k * fits, first, again));
    }
    for (int i = 0; i < COUNT_OF(forms); i++) {
        CASE("%s", layout_name(forms[i]));
        problem other = problem_like(&a, forms[i]);
        rows = problem_rows(&other, 0, n);
        CHECK(flsq_leave_one_out(kernels, &rows, &all, 2, again, again + k * fits) == FLSQ_OK);
        CHECK(same_bits(2 * k * fits, first, again));
        problem_free(&other);
    }
    free(basis), free(damping), free(b), free(first), free(again), problem_free(&a);
}

/* (M + P) b = C for integers with a diagonal or a full P: refined, the gradient c - M b - P b is rounding, and the sum of
 * squares is that of the rows alone. */
static void check_refined(const flsq_kernels *kernels, int64_t n, int64_t p, int64_t k, int diagonal, int unrefined)
{
    problem a = problem_make(FLSQ_F64, C_ORDER, n, p, k, WEIGHTED, INTEGERS);
    double *const zz = oracle_doubles(p * (p + k)), *const yy = oracle_doubles(k), *const m = oracle_doubles(p * p);
    double *const penalty = oracle_doubles(p * p), *const r = oracle_doubles(p * p), *const scale = oracle_doubles(p);
    double *const b = oracle_doubles(p * k), *const rss = oracle_doubles(k);
    oracle_gram(&a, zz, yy);
    for (int64_t i = 0; i < p; i++)
        for (int64_t j = 0; j < p; j++) {
            const double entry = i == j ? 40.0 + (double)i : diagonal ? 0.0 : 1.0;
            if (!diagonal)
                penalty[i * p + j] = entry;
            else if (i == j)
                penalty[i] = entry;
            m[i * p + j] = zz[i * (p + k) + j] + entry;
        }
    flsq_factor factor = {.r = r, .scale = scale};
    flsq_verdict verdict;
    flsq_report report;
    const flsq_rows rows = problem_rows(&a, 0, n);
    const flsq_equations equations = {.c = zz + p, .ldc = p + k, .yy = yy, .unrefined = unrefined, .penalty = penalty,
                                      .penalty_is_diagonal = diagonal};
    CHECK(flsq_factorize(kernels, p, m, p, 1, &factor, &verdict) == FLSQ_OK && verdict == FLSQ_CERTIFIED);
    CHECK(flsq_refine(kernels, &rows, &equations, &factor, 2, b, rss, &report) == FLSQ_OK);
    CHECK(report.verdict == FLSQ_CERTIFIED && report.passes == (unrefined ? 0 : 1));
    for (int64_t t = 0; t < k; t++) {
        long double squares = 0;
        for (int64_t i = 0; i < n; i++) {
            long double e = a.z[i * a.width + p + t];
            for (int64_t j = 0; j < p; j++)
                e -= (long double)a.z[i * a.width + j] * b[j * k + t];
            squares += a.weight[i] * e * e;
        }
        CHECK(fabsl(rss[t] - squares) <= 0x1p-42L * squares);
        for (int64_t i = 0; i < p; i++) {
            long double g = zz[i * (p + k) + p + t], size = fabsl(g);
            for (int64_t j = 0; j < p; j++) {
                g -= (long double)m[i * p + j] * b[j * k + t];
                size += fabsl((long double)m[i * p + j] * b[j * k + t]);
            }
            CHECK(fabsl(g) <= (unrefined ? 64 : 16) * 0x1p-53L * size);
        }
    }
    free(zz), free(yy), free(m), free(penalty), free(r), free(scale), free(b), free(rss), problem_free(&a);
}

void test_penalized(const flsq_kernels *kernels)
{
    const int64_t columns[] = {1, 2, kernels->nr, kernels->nr + 1};
    for (int s = 0; s < COUNT_OF(columns); s++)
        for (int64_t k = 1; k <= 3; k += 2)
            for (int kind = 0; kind < 4; kind++) {
                CASE("p = %lld, k = %lld, %s, %s", (long long)columns[s], (long long)k, kind % 2 ? "diagonal" : "full",
                     kind / 2 ? "unrefined" : "refined");
                check_refined(kernels, 5 * columns[s] + 20, columns[s], k, kind % 2, kind / 2);
            }
}
