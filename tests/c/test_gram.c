/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The Gram pass as a whole: exact moments over a grid of shapes, row counts, dtypes and layouts, and the promise that
 * neither threads, nor memory order, nor where a stream is cut on the block grid changes a bit.
 */
#include "blocksizes.h"
#include "check.h"
#include "oracle.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct moments { double *zz, *yy; } moments;

static moments moments_make(const problem *a)
{
    return (moments){.zz = oracle_doubles(a->lead * a->width), .yy = oracle_doubles(a->k)};
}

static void moments_free(moments *m) { free(m->zz), free(m->yy); }

/* All rows of the problem, in updates of `piece` rows. */
static moments gram_of(const flsq_kernels *kernels, const problem *a, int64_t piece, int n_threads)
{
    moments m = moments_make(a);
    flsq_gram *gram = NULL;
    if (!CHECK(flsq_gram_create(kernels, a->p, a->k, a->unit, &gram) == FLSQ_OK))
        return m;
    for (int64_t first = 0; first < a->n; first += piece) {
        const flsq_rows rows = problem_rows(a, first, FLSQ_MIN(piece, a->n - first));
        CHECK(flsq_gram_update(gram, &rows, n_threads) == FLSQ_OK);
    }
    flsq_gram_collect(gram, 1, m.zz, m.yy, NULL);
    flsq_gram_destroy(gram);
    return m;
}

static void check_exact(const flsq_kernels *kernels, const problem *a, int64_t piece, int n_threads)
{
    moments expected = moments_make(a), m = gram_of(kernels, a, piece, n_threads);
    oracle_gram(a, expected.zz, expected.yy);
    CHECK(first_difference(a->lead * a->width, m.zz, expected.zz) == -1);
    CHECK(first_difference(a->k, m.yy, expected.yy) == -1);
    moments_free(&m), moments_free(&expected);
}

enum { TREE_DEPTH = 4 }; /* additions a leaf of eight meets on its way to the total */

/* Terms an oracle may add for one case; larger ones are left to cases of fewer columns. */
static int affordable(int64_t n, int64_t width) { return n * width * width <= 3000000; }

void test_gram_exact(const flsq_kernels *kernels)
{
    const int64_t nr = kernels->nr, block = flsq_gram_block_rows(1);
    const struct { int64_t p, k; int unit; } shapes[] = {
        {0, 0, 0}, {0, 1, 0}, {0, 0, UNIT}, {1, 0, 0}, {1, 1, UNIT}, {nr - 1, 1, 0}, {nr - 1, 1, UNIT}, {nr, 0, UNIT},
        {nr, nr + 1, 0}, {2 * nr + 1, 3, UNIT}, {3 * nr - 2, nr, UNIT}, {1, 2 * nr + 2, UNIT},
    };
    int turn = 0;
    for (int s = 0; s < COUNT_OF(shapes); s++) {
        const int64_t kc = FLSQ_KC(shapes[s].p);
        const int64_t rows[] = {0, 1, 2, 3, kc - 1, kc, kc + 1, 2 * kc + 5, block - 1, block, block + 1,
                                3 * block + kc + 1, 7 * block};
        for (int i = 0; i < COUNT_OF(rows); i++)
            for (int flags = 0; flags < 4; flags++, turn++) {
                const int64_t n = rows[i], p = shapes[s].p, k = shapes[s].k;
                const flsq_dtype dtype = turn % FLSQ_DTYPES;
                const layout form = turn / 3 % LAYOUTS;
                if (!affordable(n, p + k + 1))
                    continue;
                CASE("p = %lld, k = %lld, unit %d, n = %lld, flags %d, %s %s", (long long)p, (long long)k,
                     shapes[s].unit, (long long)n, flags, dtype_name(dtype), layout_name(form));
                problem a = problem_make(dtype, form, n, p, k, flags | shapes[s].unit, INTEGERS);
                check_exact(kernels, &a, n + 1, turn % 3 + 1);
                problem_free(&a);
            }
    }
}

/* Columns of X from which one node is shared by all threads. */
static int64_t large_p(const flsq_kernels *kernels)
{
    const int64_t nr = kernels->nr;
    int64_t panels = 2;
    while (panels * (panels + 1) / 2 * nr * nr * (int64_t)sizeof(double) <= FLSQ_TILE_PARALLEL_BYTES)
        panels++;
    return panels * nr;
}

void test_gram_large(const flsq_kernels *kernels)
{
    const int64_t p = large_p(kernels) + 1;
    const int64_t rows[] = {1, FLSQ_MAX_KC + 1, 2 * FLSQ_MAX_KC + 3};
    for (int i = 0; i < COUNT_OF(rows); i++)
        for (int flags = 0; flags < 4; flags++) {
            problem a = problem_make(FLSQ_F64, i & 1 ? F_ORDER : C_ORDER, rows[i], p, 2, flags | UNIT, INTEGERS);
            for (int n_threads = 1; n_threads <= 3; n_threads += 2) {
                CASE("p = %lld, n = %lld, flags %d, %d threads", (long long)p, (long long)a.n, flags, n_threads);
                check_exact(kernels, &a, a.n, n_threads);
            }
            problem_free(&a);
        }
}

static void check_same(const problem *a, const moments *m, const moments *reference)
{
    CHECK(same_bits(a->lead * a->width, m->zz, reference->zz));
    CHECK(same_bits(a->k, m->yy, reference->yy));
}

static void check_bits_of(const flsq_kernels *kernels, int64_t n, int64_t p, int64_t k, int flags)
{
    const int64_t block = flsq_gram_block_rows(p);
    problem a = problem_make(FLSQ_F64, C_ORDER, n, p, k, flags, REALS);
    moments reference = gram_of(kernels, &a, n, 1);
    const int threads[] = {2, 3, 8};
    for (int i = 0; i < COUNT_OF(threads); i++) {
        CASE("p = %lld, k = %lld, flags %d, %d threads", (long long)p, (long long)k, flags, threads[i]);
        moments m = gram_of(kernels, &a, n, threads[i]);
        check_same(&a, &m, &reference);
        moments_free(&m);
    }
    for (int64_t blocks = 1; (blocks - 1) * block < n; blocks++) {
        CASE("p = %lld, k = %lld, flags %d, streamed %lld blocks at a time", (long long)p, (long long)k, flags,
             (long long)blocks);
        moments m = gram_of(kernels, &a, blocks * block, (int)(blocks % 3) + 1);
        check_same(&a, &m, &reference);
        moments_free(&m);
    }
    const layout forms[] = {F_ORDER, PADDED_C, PADDED_F, STRIDED, NEGATIVE, BACKWARD_COLUMNS};
    for (int i = 0; i < (p <= 64 ? COUNT_OF(forms) : 1); i++) {
        CASE("p = %lld, k = %lld, flags %d, %s", (long long)p, (long long)k, flags, layout_name(forms[i]));
        problem b = problem_like(&a, forms[i]);
        moments m = gram_of(kernels, &b, n, 2);
        check_same(&b, &m, &reference);
        moments_free(&m), problem_free(&b);
    }
    moments_free(&reference), problem_free(&a);
}

/* One target is summed beside X, several are packed with it. */
static void check_bits(const flsq_kernels *kernels, int64_t n, int64_t p, int flags)
{
    check_bits_of(kernels, n, p, 1, flags);
    check_bits_of(kernels, n, p, 2, flags);
}

void test_gram_bits(const flsq_kernels *kernels)
{
    const int64_t block = flsq_gram_block_rows(1), p = 2 * kernels->nr + 1;
    for (int flags = 0; flags < 8; flags += 3)
        check_bits(kernels, 7 * block + FLSQ_MAX_KC + 3, p, flags);
    check_bits(kernels, 37 * flsq_gram_block_rows(3) + 1, 3, WEIGHTED | UNIT);
    const int64_t few[] = {1, 4, 5, kernels->lanes + 1, kernels->nr - 1, kernels->nr, kernels->nr + 1};
    for (int i = 0; i < COUNT_OF(few); i++) /* rows that are multiplied as rows, where they lie or copied */
        for (int flags = 1; flags < 8; flags += 2)
            check_bits_of(kernels, 2 * block + FLSQ_MAX_KC + 3, few[i], 1, flags);
    const int64_t large = large_p(kernels);
    check_bits(kernels, flsq_gram_block_rows(large) + FLSQ_MAX_KC + 3, large, WEIGHTED | UNIT);
    int64_t panels = 1;
    while (panels * (panels + 1) / 2 <= FLSQ_GROUP_PANELS * FLSQ_TASK_PANELS)
        panels++;
    const int64_t shared = panels * kernels->nr - 1; /* one leaf, which the threads share */
    check_bits(kernels, FLSQ_MIN(flsq_gram_block_rows(shared), 3 * FLSQ_MAX_KC) - 1, shared, WEIGHTED | UNIT);
    check_bits(kernels, FLSQ_MIN(flsq_gram_block_rows(shared), 3 * FLSQ_MAX_KC), shared, 0);
}

/* An entry is the sum of chains of KC terms, of KC-row chunks in a block, and of the tree: no term meets more than
 * KC + block/KC + levels roundings, and two more when the weight and the product are rounded. */
void test_gram_rounding(const flsq_kernels *kernels)
{
    const int64_t block = flsq_gram_block_rows(1), n = 5 * block + 3, p = kernels->nr + 2;
    const long double roundings = FLSQ_KC(p) + FLSQ_CEIL_DIV(block, FLSQ_KC(p)) + TREE_DEPTH + 2;
    for (int flags = UNIT; flags <= (UNIT | WEIGHTED); flags++) {
        problem a = problem_make(FLSQ_F64, C_ORDER, n, p, 3, flags, REALS);
        moments m = gram_of(kernels, &a, n, 2);
        for (int64_t i = 0; i < a.lead; i += 3)
            for (int64_t j = i; j < a.width; j += 2) {
                long double magnitude;
                const long double expected = oracle_gram_entry(&a, i, j, &magnitude);
                CASE("flags %d, entry (%lld, %lld)", flags, (long long)i, (long long)j);
                CHECK(fabsl(m.zz[i * a.width + j] - expected) <= 1.01L * roundings * 0x1p-53L * magnitude);
            }
        moments_free(&m), problem_free(&a);
    }
}

void test_gram_across(const flsq_kernels *const *sets, int count)
{
    const int64_t block = flsq_gram_block_rows(1), n = 3 * block + FLSQ_MAX_KC + 1;
    for (int64_t p = 1; p <= 60; p += 7) {
        problem a = problem_make(FLSQ_F64, C_ORDER, n, p, 2, WEIGHTED | UNIT, REALS);
        moments reference = gram_of(sets[0], &a, n, 1);
        for (int s = 1; s < count; s++) {
            CASE("%s against %s, p = %lld", sets[s]->name, sets[0]->name, (long long)p);
            moments m = gram_of(sets[s], &a, n, 1);
            check_same(&a, &m, &reference);
            moments_free(&m);
        }
        moments_free(&reference), problem_free(&a);
    }
}
