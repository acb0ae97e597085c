/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Subsets of rows, each judged by Xᵀ W r in long double: lengths from nothing to the longest that is taken, rows that repeat,
 * weights of zero, decay, columns that are constant or depend on each other.
 */
#include "check.h"
#include "qr_answer.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { COUNT = 19 };

typedef struct results {
    double *b, *numbers, *errors;
    int64_t *rank;
    int8_t *verdict;
} results;

static results fit(const flsq_kernels *kernels, const flsq_rows *rows, const flsq_subsets *sets, int64_t lead, int n_threads)
{
    results s = {oracle_doubles(sets->count * lead), oracle_doubles(3 * sets->count), oracle_doubles(sets->count * lead),
                 calloc((size_t)sets->count + 1, sizeof(int64_t)), malloc((size_t)sets->count + 1)};
    const flsq_subset_answers answers = {s.b, s.numbers, s.numbers + sets->count, s.numbers + 2 * sets->count, s.errors,
                                         s.rank, s.verdict};
    memset(s.verdict, -1, (size_t)sets->count);
    CHECK(flsq_fit_subsets(kernels, rows, sets, n_threads, &answers) == FLSQ_OK);
    return s;
}

static void results_free(results *s) { free(s->b), free(s->numbers), free(s->errors), free(s->rank), free(s->verdict); }

/* The rows of subset i as a problem, with what they weigh there. */
static problem part_of(const problem *a, const flsq_subsets *sets, int64_t i, int64_t *counted, double *total)
{
    problem part = *a;
    double faded = 1;
    part.n = sets->end[i] - sets->first[i];
    part.z = oracle_doubles(part.n * a->width);
    part.weight = oracle_doubles(part.n);
    *counted = 0;
    *total = 0;
    for (int64_t at = part.n - 1; at >= 0; at--) {
        const int64_t row = sets->order[sets->first[i] + at];
        memcpy(part.z + at * a->width, a->z + row * a->width, (size_t)a->width * sizeof(double));
        part.weight[at] = a->weight[row] * faded;
        *total += part.weight[at];
        *counted += part.weight[at] > 0;
        faded *= sets->factor != NULL ? sets->factor[row] : 1;
    }
    return part;
}

static void check_part(const problem *a, const flsq_subsets *sets, const results *s, int64_t i)
{
    int64_t counted;
    double total;
    problem part = part_of(a, sets, i, &counted, &total);
    if (total > 0) {
        const answer alone = {.b = s->b + i * a->lead, .rss = s->numbers + i, .out.factor.n = a->p};
        CHECK(s->verdict[i] == FLSQ_CERTIFIED && is_optimal(&part, &alone));
        CHECK(s->rank[i] >= 0 && s->rank[i] <= FLSQ_MIN(a->p, counted - a->unit));
        CHECK(s->rank[i] > 0 ? s->numbers[COUNT + i] >= 0.99 : isnan(s->numbers[COUNT + i]));
        CHECK(s->numbers[2 * COUNT + i] < 1e-13);
        int known = 0;
        for (int64_t j = 0; j < a->lead; j++)
            known += s->errors[i * a->lead + j] >= 0;
        CHECK(counted - s->rank[i] - a->unit > 0 ? known >= s->rank[i] + a->unit : known == 0);
    } else
        CHECK(s->verdict[i] == FLSQ_NOT_SETTLED);
    free(part.z), free(part.weight);
}

static void try_subsets(const flsq_kernels *kernels, int64_t p, flsq_dtype dtype, layout form, int flags, int decays)
{
    const int64_t n = 80;
    problem a = problem_make(dtype, form, n, p, 1, flags, INTEGERS);
    const flsq_rows rows = problem_rows(&a, 0, n);
    int64_t first[COUNT], end[COUNT], order[100];
    double *const factor = oracle_doubles(n);
    for (int64_t i = 0; i < 100; i++)
        order[i] = i < n ? (7 * i) % n : i - n;
    for (int64_t i = 0; i < COUNT; i++) {
        first[i] = (int64_t)oracle_integer(0, 50);
        end[i] = i == COUNT - 1 ? 100 : first[i] + (i < 9 ? i : (int64_t)oracle_integer(0, 50));
    }
    for (int64_t i = 0; i < n; i++)
        factor[i] = oracle_integer(0, 30) == 0 ? 0 : oracle_integer(1, 2) / 2.0;
    const flsq_subsets sets = {COUNT, first, end, order, decays ? factor : NULL};
    CASE("p = %lld, flags %d, %s %s, decay %d", (long long)p, flags, dtype_name(dtype), layout_name(form), decays);
    results s = fit(kernels, &rows, &sets, a.lead, 1);
    for (int64_t i = 0; i < COUNT; i++)
        check_part(&a, &sets, &s, i);
    results again = fit(kernels, &rows, &sets, a.lead, 3);
    CHECK(same_bits(COUNT * a.lead, s.b, again.b) && same_bits(COUNT * a.lead, s.errors, again.errors));
    CHECK(memcmp(s.rank, again.rank, sizeof(int64_t) * COUNT) == 0 && memcmp(s.verdict, again.verdict, COUNT) == 0);
    results_free(&again), results_free(&s), free(factor), problem_free(&a);
}

void test_subsets(const flsq_kernels *kernels)
{
    int turn = 0;
    for (int64_t p = 1; p <= 6; p++)
        for (int flags = 0; flags < 8; flags++)
            for (int form = 0; form < LAYOUTS && !(flags & AFFINE); form++, turn++)
                try_subsets(kernels, p, turn % FLSQ_DTYPES, form, flags, turn % 3 == 0);
}

/* Subsets that are too large, empty, of no weight or not finite have no answer, and their neighbours have theirs. */
void test_subsets_refused(const flsq_kernels *kernels)
{
    const int64_t n = 60000, p = 2;
    problem a = problem_make(FLSQ_F64, C_ORDER, n, p, 1, UNIT, REALS);
    int64_t *const order = malloc((size_t)n * sizeof *order);
    double *const weight = oracle_doubles(n);
    for (int64_t i = 0; i < n; i++) {
        order[i] = i;
        weight[i] = i >= 100;
    }
    const int64_t first[] = {0, 5, 0, 200, 300}, end[] = {n, 5, 100, 230, 330};
    const flsq_subsets sets = {5, first, end, order, NULL}, none = {0, first, end, order, NULL};
    flsq_rows rows = problem_rows(&a, 0, n);
    rows.weights = (flsq_matrix){weight, n, 1, sizeof(double), sizeof(double), FLSQ_F64};
    double bad = NAN;
    memcpy((char *)rows.x.data + 210 * rows.x.row_stride, &bad, sizeof bad);
    CASE("n = %lld", (long long)n);
    results s = fit(kernels, &rows, &sets, a.lead, 2);
    CHECK(!flsq_is_for_qr(n, p, 1) && s.verdict[0] == FLSQ_NOT_SETTLED);
    CHECK(s.verdict[1] == FLSQ_NOT_SETTLED && s.verdict[2] == FLSQ_NOT_SETTLED);
    CHECK(s.verdict[3] == FLSQ_NOT_FINITE && s.verdict[4] == FLSQ_CERTIFIED);
    results_free(&s);
    s = fit(kernels, &rows, &none, a.lead, 2);
    results_free(&s), free(order), free(weight), problem_free(&a);
}
