/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Moments of sums of scores, by group and over windows of rows: exact on integers from the scores of the score pass for any T,
 * dtype, layout, order and window, and the same bits for any thread count and memory order.
 */
#include "blocksizes.h"
#include "check.h"
#include "oracle.h"
#include <stdlib.h>
#include <string.h>

static double *scores_of(const flsq_kernels *kernels, const problem *a, const flsq_score_frame *frame)
{
    double *const scores = oracle_doubles(a->n * frame->columns);
    const flsq_rows rows = problem_rows(a, 0, a->n);
    const flsq_score_outputs out = {.scores = scores};
    CHECK(flsq_scores(kernels, &rows, frame, 1, &out) == FLSQ_OK);
    return scores;
}

static void add_square(int64_t columns, const double *sum, double *moments)
{
    for (int64_t c = 0; c < columns; c++)
        for (int64_t d = 0; d < columns; d++)
            moments[c * columns + d] += sum[c] * sum[d];
}

/* Rows dealt to `count` groups in random order, or one group after the other; some groups stay empty. */
typedef struct dealt { int64_t *start, *order; flsq_groups groups; } dealt;

static dealt deal(int64_t n, int64_t count, int sorted)
{
    dealt d = {calloc((size_t)count + 1, sizeof(int64_t)), calloc((size_t)n + 1, sizeof(int64_t)), {0}};
    int64_t *const codes = calloc((size_t)n + 1, sizeof(int64_t));
    for (int64_t i = 0; i < n; i++)
        codes[i] = sorted ? i * count / n : (int64_t)(oracle_bits() % (uint64_t)count);
    CHECK(flsq_group_rows(n, codes, 0, count, 2, d.start, d.order) == FLSQ_OK);
    d.groups = (flsq_groups){count, d.start, d.order};
    free(codes);
    return d;
}

static void check_clusters(const flsq_kernels *kernels, const problem *a, const flsq_score_frame *frame, int64_t count,
                           int sorted, int n_threads)
{
    const int64_t columns = frame->columns;
    double *const scores = scores_of(kernels, a, frame), *const sum = oracle_doubles(columns);
    double *const expected = oracle_doubles(columns * columns), *const found = oracle_doubles(columns * columns);
    dealt d = deal(a->n, count, sorted);
    for (int64_t g = 0; g < count; g++) {
        memset(sum, 0, (size_t)columns * sizeof(double));
        for (int64_t i = d.start[g]; i < d.start[g + 1]; i++)
            for (int64_t c = 0; c < columns; c++)
                sum[c] += scores[d.order[i] * columns + c];
        add_square(columns, sum, expected);
    }
    const flsq_rows rows = problem_rows(a, 0, a->n);
    CHECK(flsq_clustered_scores(kernels, &rows, frame, &d.groups, n_threads, found) == FLSQ_OK);
    CHECK(first_difference(columns * columns, found, expected) == -1);
    free(scores), free(sum), free(expected), free(found), free(d.start), free(d.order);
}

static void check_windows(const flsq_kernels *kernels, const problem *a, const flsq_score_frame *frame, int64_t window,
                          int n_threads)
{
    const int64_t columns = frame->columns;
    double *const scores = scores_of(kernels, a, frame), *const sum = oracle_doubles(columns);
    double *const expected = oracle_doubles(columns * columns), *const found = oracle_doubles(columns * columns);
    int64_t counted = 0;
    for (int64_t i = 0; i < a->n; i++)
        if (a->weight[i] != 0)
            memmove(scores + counted++ * columns, scores + i * columns, (size_t)columns * sizeof(double));
    for (int64_t t = 0; t < counted + window - 1; t++) {
        if (t < counted)
            for (int64_t c = 0; c < columns; c++)
                sum[c] += scores[t * columns + c];
        if (t >= window) /* integers: subtracting is exact */
            for (int64_t c = 0; c < columns; c++)
                sum[c] -= scores[(t - window) * columns + c];
        add_square(columns, sum, expected);
    }
    const flsq_rows rows = problem_rows(a, 0, a->n);
    CHECK(flsq_windowed_scores(kernels, &rows, frame, window, n_threads, found) == FLSQ_OK);
    CHECK(first_difference(columns * columns, found, expected) == -1);
    free(scores), free(sum), free(expected), free(found);
}

static void each_problem(const flsq_kernels *kernels, int windows)
{
    const int64_t nr = kernels->nr, leaf = windows ? flsq_gram_block_rows(1) : FLSQ_CLUSTER_ROWS;
    const int64_t widths[] = {1, nr - 1, nr, nr + 1};
    int turn = 0;
    for (int s = 0; s < COUNT_OF(widths); s++) {
        const int64_t p = widths[s], chunk = FLSQ_SCORE_ROWS(p);
        const int64_t rows[] = {1, 2, chunk, chunk + 1, leaf, 2 * leaf + chunk + 1};
        for (int i = 0; i < COUNT_OF(rows); i++)
            for (int flags = 0; flags < 8; flags++) {
                const int64_t n = rows[i], chosen[] = {1, 2, 3, chunk, n / 2 + 1, n};
                for (int k = 0; k < COUNT_OF(chosen); k++, turn++) {
                    if ((n > 2 * chunk && turn % 5 != 0) || chosen[k] * p > 4096) /* squares of sums stay exact */
                        continue;
                    const int64_t columns = turn % (nr + 3) + 1;
                    const flsq_dtype dtype = turn % FLSQ_DTYPES;
                    const layout form = turn / 3 % LAYOUTS;
                    CASE("p = %lld, flags %d, n = %lld, %lld, %lld columns, %s %s", (long long)p, flags, (long long)n,
                         (long long)chosen[k], (long long)columns, dtype_name(dtype), layout_name(form));
                    problem a = problem_make(dtype, form, n, p, 1, flags, INTEGERS);
                    double *const b = oracle_integers(a.lead, -1, 1), *const t = oracle_integers(a.lead * columns, -1, 1);
                    const flsq_score_frame frame = {.b = b, .transform = turn % 2 ? t : NULL,
                                                    .columns = turn % 2 ? columns : a.lead, .kind = FLSQ_SCORE_PLAIN};
                    if (windows)
                        check_windows(kernels, &a, &frame, chosen[k], turn % 3 + 1);
                    else
                        check_clusters(kernels, &a, &frame, chosen[k], turn / 2 % 2, turn % 3 + 1);
                    free(b), free(t), problem_free(&a);
                }
            }
    }
}

void test_clustered_scores(const flsq_kernels *kernels) { each_problem(kernels, 0); }
void test_windowed_scores(const flsq_kernels *kernels) { each_problem(kernels, 1); }

void test_score_sums_bits(const flsq_kernels *kernels)
{
    const int64_t n = 7 * flsq_gram_block_rows(1) + FLSQ_SCORE_ROWS(1) + 3, p = 2 * kernels->nr + 1, columns = p - 3;
    const int threads[] = {2, 3, 8};
    const layout forms[] = {F_ORDER, PADDED_C, STRIDED, NEGATIVE, BACKWARD_COLUMNS};
    problem a = problem_make(FLSQ_F64, C_ORDER, n, p, 1, UNIT | WEIGHTED | AFFINE, REALS);
    double *const b = oracle_reals(a.lead), *const t = oracle_reals(a.lead * columns);
    const flsq_score_frame frame = {.b = b, .transform = t, .columns = columns, .kind = FLSQ_SCORE_PLAIN};
    double *const found = oracle_doubles(columns * columns), *const expected = oracle_doubles(columns * columns);
    dealt d = deal(n, n / 9 + 1, 0);
    const flsq_rows rows = problem_rows(&a, 0, n);
    for (int windows = 0; windows < 2; windows++)
        for (int i = -1; i < COUNT_OF(threads) + COUNT_OF(forms); i++) {
            const int many = i < COUNT_OF(threads), n_threads = i < 0 ? 1 : many ? threads[i] : 2;
            CASE("windows %d, case %d", windows, i);
            problem other = problem_like(&a, many ? C_ORDER : forms[i - COUNT_OF(threads)]);
            const flsq_rows own = many ? rows : problem_rows(&other, 0, n);
            double *const out = i < 0 ? expected : found;
            CHECK((windows ? flsq_windowed_scores(kernels, &own, &frame, 11, n_threads, out)
                           : flsq_clustered_scores(kernels, &own, &frame, &d.groups, n_threads, out)) == FLSQ_OK);
            CHECK(same_bits(columns * columns, out, expected));
            problem_free(&other);
        }
    free(found), free(expected), free(b), free(t), free(d.start), free(d.order), problem_free(&a);
}

/* The kernel, cut anywhere. */
void test_moving_sums(const flsq_kernels *kernels)
{
    const int64_t nr = kernels->nr, rows = 29;
    for (int64_t window = 1; window <= 9; window += window < 3 ? 1 : 3)
        for (int64_t columns = 1; columns <= nr; columns++)
            for (int64_t cut = 0; cut <= rows; cut += 7) {
                CASE("window %lld, %lld columns, cut at %lld", (long long)window, (long long)columns, (long long)cut);
                double *const factor = oracle_integers(rows, -3, 3), *const panel = oracle_integers(rows * nr, -3, 3);
                double *const before = oracle_doubles((window + 1) * nr), *const until = oracle_doubles(nr);
                double *const expected = oracle_doubles(rows * nr);
                for (int64_t k = 0; k < rows; k++)
                    for (int64_t i = k >= window ? k - window + 1 : 0; i <= k; i++)
                        for (int64_t j = 0; j < columns; j++)
                            expected[k * nr + j] += factor[i] * panel[i * nr + j];
                kernels->moving_sums(cut, columns, factor, window, 0, before, until, panel);
                kernels->moving_sums(rows - cut, columns, factor + cut, window, cut % window, before, until, panel + cut * nr);
                for (int64_t k = 0; k < rows; k++)
                    CHECK(first_difference(columns, panel + k * nr, expected + k * nr) == -1);
                free(factor), free(panel), free(before), free(until), free(expected);
            }
}
