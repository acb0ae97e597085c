/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Windows of rows: running sums and the tree of blocks on small integers, where they are exact; then whole fits, each
 * window judged by its normal equations in long double.
 */
#include "check.h"
#include "oracle.h"
#include "sums.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* sums := factor*sums + weight*[1 | z | z zᵀ | ] , z = x - c */
static void add_slowly(int64_t q, const double *x, double weight, double factor, const double *c, double *sums)
{
    int64_t e = 1 + q;
    sums[0] = factor * sums[0] + weight;
    for (int64_t i = 0; i < q; i++) {
        sums[1 + i] = factor * sums[1 + i] + weight * (x[i] - c[i]);
        for (int64_t j = i; j < q; j++, e++)
            sums[e] = factor * sums[e] + weight * (x[i] - c[i]) * (x[j] - c[j]);
    }
    memcpy(sums + e, c, (size_t)q * sizeof(double));
}

void test_running_sums(const flsq_kernels *kernels)
{
    for (int64_t q = 2; q <= 19; q++)
        for (int64_t rows = 0; rows <= 5; rows++)
            for (int form = 0; form < 3; form++) { /* down, up, in place */
                const int64_t entries = flsq_sums_entries(q), direction = form == 1 ? -1 : 1;
                const int64_t step = form == 2 ? 0 : direction * entries, last = FLSQ_MAX(rows - 1, 0);
                double *const x = oracle_integers((last + 1) * q, -4, 4), *const c = oracle_integers(q, -4, 4);
                double *const weight = oracle_integers(last + 1, 0, 2), *const factor = oracle_doubles(last + 1);
                double *const sums = oracle_doubles((rows + 1) * entries), *const expected = oracle_integers(entries, 0, 9);
                double *const begin = form == 1 ? sums + rows * entries : sums;
                memcpy(expected + flsq_sums_point(q), c, (size_t)q * sizeof(double));
                memcpy(begin, expected, (size_t)entries * sizeof(double));
                for (int64_t k = 0; k < rows; k++) {
                    factor[k] = oracle_integer(0, 2) / 2.0;
                    if (weight[k] == 0)
                        x[k * q + k % q] = NAN;
                }
                const int64_t first = form == 1 ? last : 0;
                kernels->running_sums(rows, q, x + first * q, weight + first, factor + first, direction, c, begin, step);
                CASE("q = %lld, %lld rows, form %d", (long long)q, (long long)rows, form);
                for (int64_t k = 0; k < rows; k++) {
                    const int64_t at = first + direction * k;
                    if (weight[at] > 0)
                        add_slowly(q, x + at * q, weight[at], factor[at], c, expected);
                    if (form < 2 || k == rows - 1)
                        CHECK(first_difference(entries, begin + (k + 1) * step, expected) == -1);
                }
                free(x), free(c), free(weight), free(factor), free(sums), free(expected);
            }
}

/* Totals over all ranges of blocks: integers without centring are exact; centred about the mean they are right. */
void test_sums_tree(const flsq_kernels *kernels)
{
    const int64_t q = 3, entries = flsq_sums_entries(q), rows = 4;
    double work[3], origin[3] = {0};
    for (int64_t blocks = 1; blocks <= 21; blocks++)
        for (int centred = 0; centred < 2; centred++) {
            double *const x = oracle_integers(blocks * rows * q, -4, 4), *const total = oracle_doubles(entries);
            double *const expected = oracle_doubles(entries), *const ones = oracle_integers(rows, 1, 1);
            double *const zeros = oracle_doubles(rows);
            const flsq_sums_tree tree = {oracle_doubles(flsq_sums_tree_nodes(blocks) * entries), q, blocks, centred};
            for (int64_t b = 0; b < blocks; b++) {
                double *const leaf = flsq_sums_tree_leaf(&tree, b);
                if (b % 5 == 3) /* a block in which nothing counts */
                    kernels->running_sums(rows, q, x + b * rows * q, zeros, ones, 1, origin, leaf, 0);
                else
                    kernels->running_sums(rows, q, x + b * rows * q, ones, ones, 1, origin, leaf, 0);
            }
            flsq_sums_tree_build(&tree, work);
            for (int64_t first = 0; first <= blocks; first++)
                for (int64_t last = first; last <= blocks; last++) {
                    memset(expected, 0, (size_t)entries * sizeof(double));
                    for (int64_t k = first * rows; k < last * rows; k++)
                        if (k / rows % 5 != 3)
                            add_slowly(q, x + k * q, 1, 1, origin, expected);
                    flsq_sums_tree_total(&tree, first, last, total, work);
                    CASE("blocks %lld to %lld of %lld, centred %d", (long long)first, (long long)last, (long long)blocks, centred);
                    flsq_sums_move(q, origin, total);
                    double worst = 0;
                    for (int64_t e = 0; e < entries; e++)
                        worst = FLSQ_MAX(worst, fabs(total[e] - expected[e]));
                    CHECK(centred ? worst <= 1e-11 : worst == 0);
                }
            free(x), free(total), free(expected), free(ones), free(zeros), free(tree.nodes);
        }
}

/* Whether Xᵀ W (y - X b) is rounding in every column, over rows [start, t] with factor[i+1] ... factor[t] on top. */
static int solves(const problem *a, const flsq_windows *windows, int64_t start, int64_t t, const double *b, double rss)
{
    long double squares = 0, size = 0, *const g = calloc((size_t)a->lead * 2, sizeof *g), decay = 1;
    int good = 1;
    for (int64_t i = t; i >= start; i--) {
        long double r = a->z[i * a->width + a->lead], whole = fabsl(r);
        const long double w = a->weight[i] * decay;
        for (int64_t j = 0; j < a->lead; j++) {
            r -= (long double)a->z[i * a->width + j] * b[j];
            whole += fabsl((long double)a->z[i * a->width + j] * b[j]);
        }
        squares += w * r * r;
        size += w * whole * whole;
        for (int64_t c = 0; c < a->lead; c++) {
            g[c] += w * a->z[i * a->width + c] * r;
            g[a->lead + c] += w * (long double)a->z[i * a->width + c] * a->z[i * a->width + c];
        }
        if (windows->factor != NULL && a->weight[i] > 0)
            decay *= windows->factor[i];
    }
    /* by slopes about the means: what the column of ones is left with is theirs, too */
    for (int64_t c = 0; c < a->lead; c++)
        good &= fabsl(g[c]) <= 1e-10L * sqrtl(g[a->lead + c]) * sqrtl(size);
    free(g);
    return good && fabsl(squares - rss) <= 1e-6L * squares + 1e-26L * size;
}

enum { CONSTANT, BY_START, BY_DECAY };

static void try_windows(const flsq_kernels *kernels, int64_t n, int64_t p, int64_t length, int kind, flsq_dtype dtype,
                        layout form, int flags)
{
    problem a = problem_make(dtype, form, n, p, 1, flags, INTEGERS);
    const flsq_rows rows = problem_rows(&a, 0, n);
    int64_t *const start = malloc((size_t)(n + 1) * sizeof *start), *const rank = malloc((size_t)n * sizeof *rank), at = 0;
    double *const factor = oracle_doubles(n);
    for (int64_t t = 0; t < n; t++) {
        const int64_t move = oracle_integer(0, 40) == 0 ? length : (int64_t)oracle_integer(0, 1);
        if (kind == BY_START)
            at = FLSQ_MIN(t, FLSQ_MAX(at + move, t - 2 * length));
        else
            at = kind == CONSTANT ? FLSQ_MAX(0, t - length + 1) : 0;
        start[t] = at;
        factor[t] = a.weight[t] > 0 ? 1 - 1.0 / (double)(length + oracle_integer(1, 3)) : 1.0;
    }
    const flsq_windows windows = {length, kind == BY_START ? start : NULL, kind == BY_DECAY ? factor : NULL};
    double *const b = oracle_doubles(n * a.lead), *const again = oracle_doubles(n * a.lead);
    double *const numbers = oracle_doubles(3 * n), *const variance = oracle_doubles(n * a.lead);
    int8_t *const verdict = malloc((size_t)n);
    flsq_window_answers answers = {b, numbers, numbers + n, numbers + 2 * n, variance, rank, verdict};
    CASE("n = %lld, p = %lld, length %lld, kind %d, %s %s, flags %d", (long long)n, (long long)p, (long long)length, kind,
         dtype_name(dtype), layout_name(form), flags);
    CHECK(flsq_rolling_fit(kernels, &rows, &windows, 1, &answers) == FLSQ_OK);
    int64_t refused = 0, enough = 0;
    for (int64_t t = 0; t < n; t++) {
        CHECK(verdict[t] != FLSQ_CERTIFIED || solves(&a, &windows, start[t], t, b + t * a.lead, numbers[t]));
        for (int64_t j = 0; j < a.lead && verdict[t] == FLSQ_CERTIFIED && rank[t] == p; j++)
            CHECK(variance[t * a.lead + j] > 0);
        int64_t counting = 0;
        for (int64_t i = start[t]; i <= t && counting <= 3 * p + 12; i++)
            counting += a.weight[i] > 0;
        enough += counting > 3 * p + 12;
        refused += counting > 3 * p + 12 && verdict[t] != FLSQ_CERTIFIED;
    }
    const int repeats = form == ZERO_ROWS || form == ZERO_COLUMNS || form == ZERO_BOTH;
    CHECK(repeats || length < 3 * p + 12 || refused <= enough / 10);
    answers.b = again;
    answers.variance = NULL;
    CHECK(flsq_rolling_fit(kernels, &rows, &windows, 3, &answers) == FLSQ_OK);
    CHECK(same_bits(n * a.lead, b, again));
    free(start), free(rank), free(factor), free(b), free(again), free(numbers), free(variance), free(verdict);
    problem_free(&a);
}

void test_windows(const flsq_kernels *kernels)
{
    static const int64_t lengths[] = {1, 2, 5, 12, 13, 14, 16, 17, 25, 26, 60, 1000};
    int turn = 0;
    for (int64_t p = 1; p <= 9; p += p < 4 ? 1 : 4)
        for (int i = 0; i < COUNT_OF(lengths); i++)
            for (int kind = CONSTANT; kind <= BY_DECAY; kind++, turn++)
                try_windows(kernels, 90 + turn % 17, p, lengths[i], kind, turn % FLSQ_DTYPES, turn / 3 % LAYOUTS,
                            (turn % 2 ? WEIGHTED : 0) | (turn / 2 % 2 ? UNIT : 0));
    for (int kind = CONSTANT; kind <= BY_DECAY; kind++)
        for (int64_t length = 255; length <= 1030; length += 258)
            try_windows(kernels, 1300, 2, length, kind, FLSQ_F64, C_ORDER, UNIT | WEIGHTED);
    for (int64_t n = 1; n <= 20; n++)
        try_windows(kernels, n, 1, 7, CONSTANT, FLSQ_F64, C_ORDER, UNIT);
}
