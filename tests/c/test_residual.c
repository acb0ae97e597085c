/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The residual pass: R, G and the sums of squares, exact on integers for narrow (k = 1, 2) and wide targets, and the
 * same bits for any thread count and memory order.
 */
#include "blocksizes.h"
#include "check.h"
#include "oracle.h"
#include <math.h>
#include <stdlib.h>

typedef struct answer { double *g, *rss, *r; } answer;

static answer answer_make(const problem *a)
{
    return (answer){oracle_doubles(a->lead * a->k), oracle_doubles(a->k), oracle_doubles(a->n * a->k)};
}

static void answer_free(answer *s) { free(s->g), free(s->rss), free(s->r); }

static answer residual_of(const flsq_kernels *kernels, const problem *a, const double *b, int want_r, int n_threads)
{
    answer s = answer_make(a);
    const flsq_rows rows = problem_rows(a, 0, a->n);
    CHECK(flsq_residual(kernels, &rows, b, s.g, s.rss, want_r ? s.r : NULL, n_threads) == FLSQ_OK);
    return s;
}

static void check_exact(const flsq_kernels *kernels, const problem *a, int n_threads)
{
    double *const b = oracle_integers(a->lead * a->k, -3, 3);
    answer expected = answer_make(a);
    oracle_residual(a, b, expected.g, expected.rss, expected.r);
    for (int want_r = 0; want_r < 2; want_r++) {
        answer s = residual_of(kernels, a, b, want_r, n_threads);
        CHECK(first_difference(a->lead * a->k, s.g, expected.g) == -1);
        CHECK(first_difference(a->k, s.rss, expected.rss) == -1);
        if (want_r)
            CHECK(first_difference(a->n * a->k, s.r, expected.r) == -1);
        answer_free(&s);
    }
    free(b), answer_free(&expected);
}

void test_residual_exact(const flsq_kernels *kernels)
{
    const int64_t nr = kernels->nr, block = flsq_gram_block_rows(1);
    const struct { int64_t p; int unit; } shapes[] = {{0, 0}, {0, UNIT}, {1, 0}, {1, UNIT}, {nr - 1, UNIT}, {nr, UNIT},
                                                      {2 * nr + 1, 0}, {2 * nr + 1, UNIT}};
    const int64_t targets[] = {0, 1, 2, 3, 13, nr, nr + 1};
    int turn = 0;
    for (int s = 0; s < COUNT_OF(shapes); s++) {
        const int64_t chunk = FLSQ_RESIDUAL_ROWS(shapes[s].p);
        const int64_t rows[] = {0, 1, 2, chunk - 1, chunk, chunk + 1, block, block + 1, 3 * block + chunk + 1};
        for (int t = 0; t < COUNT_OF(targets); t++)
            for (int i = 0; i < COUNT_OF(rows); i++)
                for (int flags = 0; flags < 4; flags++, turn++) {
                    const int64_t n = rows[i], p = shapes[s].p, k = targets[t];
                    const flsq_dtype dtype = turn % FLSQ_DTYPES;
                    const layout form = turn / 3 % LAYOUTS;
                    if (n * (p + 1) * k > 500000)
                        continue;
                    CASE("p = %lld, unit %d, k = %lld, n = %lld, flags %d, %s %s", (long long)p, shapes[s].unit,
                         (long long)k, (long long)n, flags, dtype_name(dtype), layout_name(form));
                    problem a = problem_make(dtype, form, n, p, k, flags | shapes[s].unit, INTEGERS);
                    check_exact(kernels, &a, turn % 3 + 1);
                    problem_free(&a);
                }
    }
}

static void check_same(const problem *a, const answer *s, const answer *reference)
{
    CHECK(same_bits(a->lead * a->k, s->g, reference->g));
    CHECK(same_bits(a->k, s->rss, reference->rss));
    CHECK(same_bits(a->n * a->k, s->r, reference->r));
}

void test_residual_bits(const flsq_kernels *kernels)
{
    const int64_t n = 7 * flsq_gram_block_rows(1) + FLSQ_RESIDUAL_ROWS(1) + 3, p = 2 * kernels->nr + 1;
    const int threads[] = {2, 3, 8};
    const layout forms[] = {F_ORDER, PADDED_C, STRIDED, NEGATIVE, BACKWARD_COLUMNS};
    const int64_t targets[] = {1, 2, 3, 13};
    for (int t = 0; t < COUNT_OF(targets); t++) {
        problem a = problem_make(FLSQ_F64, C_ORDER, n, p, targets[t], UNIT | WEIGHTED | AFFINE, REALS);
        double *const b = oracle_doubles(a.lead * a.k);
        for (int64_t i = 0; i < a.lead * a.k; i++)
            b[i] = oracle_real();
        answer reference = residual_of(kernels, &a, b, 1, 1);
        for (int i = 0; i < COUNT_OF(threads); i++) {
            CASE("k = %lld, %d threads", (long long)a.k, threads[i]);
            answer s = residual_of(kernels, &a, b, 1, threads[i]);
            check_same(&a, &s, &reference);
            answer_free(&s);
        }
        for (int i = 0; i < COUNT_OF(forms); i++) {
            CASE("k = %lld, %s", (long long)a.k, layout_name(forms[i]));
            problem other = problem_like(&a, forms[i]);
            answer s = residual_of(kernels, &other, b, 1, 2);
            check_same(&other, &s, &reference);
            answer_free(&s), problem_free(&other);
        }
        free(b), answer_free(&reference), problem_free(&a);
    }
}

/* A residual is one sum of lead products and y, in any order: lead + 2 roundings of the terms.  Then g and rss are
 * sums over the rows of what the pass itself found, and are compared with the same sums in long double. */
void test_residual_rounding(const flsq_kernels *kernels)
{
    const int64_t block = flsq_gram_block_rows(1), n = 2 * block + 5, p = kernels->nr + 2;
    const int64_t chunk = FLSQ_RESIDUAL_ROWS(p);
    const long double unit = 0x1p-53L, roundings = chunk + FLSQ_CEIL_DIV(block, chunk) + 4 + 3;
    for (int64_t k = 1; k <= 3; k += 2) {
        problem a = problem_make(FLSQ_F64, C_ORDER, n, p, k, UNIT | WEIGHTED, REALS);
        double *const b = oracle_doubles(a.lead * a.k);
        for (int64_t i = 0; i < a.lead * a.k; i++)
            b[i] = oracle_real();
        answer s = residual_of(kernels, &a, b, 1, 2);
        long double g = 0, rss = 0, g_size = 0;
        for (int64_t i = 0; i < n; i++) {
            const double *const z = a.z + i * a.width;
            long double r = z[a.lead], size = fabsl(r);
            for (int64_t j = 0; j < a.lead; j++) {
                r -= (long double)z[j] * b[j * k];
                size += fabsl((long double)z[j] * b[j * k]);
            }
            CASE("k = %lld, row %lld", (long long)k, (long long)i);
            CHECK(fabsl(s.r[i * k] - r) <= 1.01L * (long double)(a.lead + 2) * unit * size);
            g += (long double)a.weight[i] * s.r[i * k] * z[1];
            g_size += fabsl((long double)a.weight[i] * s.r[i * k] * z[1]);
            rss += (long double)a.weight[i] * s.r[i * k] * s.r[i * k];
        }
        CASE("k = %lld", (long long)k);
        CHECK(fabsl(s.g[k] - g) <= 1.01L * roundings * unit * g_size);
        CHECK(fabsl(s.rss[0] - rss) <= 1.01L * roundings * unit * rss);
        free(b), answer_free(&s), problem_free(&a);
    }
}
