/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The score pass: residuals, lengths, scores and their moments, exact on integers for any T, dtype and layout, and the
 * same bits for any thread count and memory order.
 */
#include "blocksizes.h"
#include "check.h"
#include "oracle.h"
#include <math.h>
#include <stdlib.h>

typedef struct answer { double *residuals, *leverages, *scores, *moments; } answer;

static answer answer_make(int64_t n, int64_t columns)
{
    return (answer){oracle_doubles(n), oracle_doubles(n), oracle_doubles(n * columns), oracle_doubles(columns * columns)};
}

static void answer_free(answer *s) { free(s->residuals), free(s->leverages), free(s->scores), free(s->moments); }

static answer scores_of(const flsq_kernels *kernels, const problem *a, const flsq_score_frame *frame, int n_threads)
{
    answer s = answer_make(a->n, frame->columns);
    const flsq_rows rows = problem_rows(a, 0, a->n);
    const flsq_score_outputs out = {s.residuals, s.leverages, s.scores, s.moments};
    CHECK(flsq_scores(kernels, &rows, frame, n_threads, &out) == FLSQ_OK);
    return s;
}

/* The moments alone, where the unit column may stand beside the panels. */
static double *moments_of(const flsq_kernels *kernels, const problem *a, const flsq_score_frame *frame, int n_threads)
{
    double *const moments = oracle_doubles(frame->columns * frame->columns);
    const flsq_rows rows = problem_rows(a, 0, a->n);
    const flsq_score_outputs out = {.moments = moments};
    CHECK(flsq_scores(kernels, &rows, frame, n_threads, &out) == FLSQ_OK);
    return moments;
}

/* With scores w e z, or of a model without a target z. */
static answer expected_of(const problem *a, const flsq_score_frame *frame)
{
    answer s = answer_make(a->n, frame->columns);
    for (int64_t i = 0; i < a->n; i++) {
        const double *const row = a->z + i * a->width;
        double length = 0, e = a->k > 0 ? row[a->lead] : 0;
        for (int64_t j = 0; j < a->lead && a->k > 0; j++)
            e -= row[j] * frame->b[j];
        for (int64_t c = 0; c < frame->columns; c++) {
            double z = 0;
            for (int64_t j = 0; j < a->lead; j++)
                z += row[j] * (frame->transform == NULL ? j == c : frame->transform[j * frame->columns + c]);
            length += z * z;
            s.scores[i * frame->columns + c] = z * (frame->kind == FLSQ_SCORE_ROOT ? 1 : a->weight[i] * e);
        }
        s.residuals[i] = e;
        s.leverages[i] = fmin(a->weight[i] * length, 1.0); /* halves, squared: exact */
    }
    for (int64_t i = 0; i < a->n; i++)
        for (int64_t c = 0; c < frame->columns; c++)
            for (int64_t d = 0; d < frame->columns; d++)
                s.moments[c * frame->columns + d] += s.scores[i * frame->columns + c] * s.scores[i * frame->columns + d];
    return s;
}

static void check_exact(const flsq_kernels *kernels, const problem *a, int64_t columns, int n_threads)
{
    double *const b = oracle_integers(a->lead, -2, 2), *const t = oracle_integers(a->lead * columns, -1, 1);
    const flsq_score_kind kind = a->k == 0 ? FLSQ_SCORE_ROOT : FLSQ_SCORE_PLAIN;
    for (int transformed = 0; transformed < 2; transformed++) {
        const flsq_score_frame frame = {.b = b, .transform = transformed ? t : NULL,
                                        .columns = transformed ? columns : a->lead, .kind = kind};
        if (frame.columns == 0)
            continue;
        answer s = scores_of(kernels, a, &frame, n_threads), expected = expected_of(a, &frame);
        if (a->k > 0)
            CHECK(first_difference(a->n, s.residuals, expected.residuals) == -1);
        CHECK(first_difference(a->n, s.leverages, expected.leverages) == -1);
        CHECK(first_difference(a->n * frame.columns, s.scores, expected.scores) == -1);
        CHECK(first_difference(frame.columns * frame.columns, s.moments, expected.moments) == -1);
        double *const moments = moments_of(kernels, a, &frame, n_threads);
        CHECK(first_difference(frame.columns * frame.columns, moments, expected.moments) == -1);
        answer_free(&s), answer_free(&expected), free(moments);
    }
    free(b), free(t);
}

void test_scores_exact(const flsq_kernels *kernels)
{
    const int64_t nr = kernels->nr, block = flsq_gram_block_rows(1);
    const int64_t widths[] = {0, 1, kernels->lanes, nr - 1, nr, nr + 1, 2 * nr};
    int turn = 0;
    for (int s = 0; s < COUNT_OF(widths); s++) {
        const int64_t chunk = FLSQ_SCORE_ROWS(widths[s]);
        const int64_t rows[] = {0, 1, 2, chunk - 1, chunk, chunk + 1, block, block + chunk + 1};
        for (int i = 0; i < COUNT_OF(rows); i++)
            for (int flags = 0; flags < 8; flags++)
                for (int64_t k = 0; k < 2; k++, turn++) {
                    const int64_t n = rows[i], p = widths[s], columns = turn % (nr + 3) + 1;
                    const flsq_dtype dtype = turn % FLSQ_DTYPES;
                    const layout form = turn / 3 % LAYOUTS;
                    /* where there is no target the roots of the weights would count: no weights then */
                    const int own = k == 0 ? flags & ~WEIGHTED : flags;
                    CASE("p = %lld, flags %d, k = %lld, n = %lld, %lld columns, %s %s", (long long)p, own, (long long)k,
                         (long long)n, (long long)columns, dtype_name(dtype), layout_name(form));
                    problem a = problem_make(dtype, form, n, p, k, own, INTEGERS);
                    check_exact(kernels, &a, columns, turn % 3 + 1);
                    problem_free(&a);
                }
    }
}

void test_scores_bits(const flsq_kernels *kernels)
{
    const int64_t n = 7 * flsq_gram_block_rows(1) + FLSQ_SCORE_ROWS(1) + 3, p = 2 * kernels->nr + kernels->lanes, columns = p - 3;
    const int threads[] = {2, 3, 8};
    const layout forms[] = {F_ORDER, PADDED_C, STRIDED, NEGATIVE, BACKWARD_COLUMNS};
    problem a = problem_make(FLSQ_F64, C_ORDER, n, p, 1, UNIT | WEIGHTED | AFFINE, REALS);
    double *const b = oracle_reals(a.lead), *const t = oracle_reals(a.lead * columns);
    for (int kind = FLSQ_SCORE_PLAIN; kind <= FLSQ_SCORE_ROOT; kind++) {
        for (int64_t i = 0; i < a.lead * columns; i++)
            t[i] *= 0x1p-8; /* leverages below 1 */
        const flsq_score_frame frame = {.b = b, .transform = t, .columns = columns, .kind = kind};
        answer reference = scores_of(kernels, &a, &frame, 1);
        const flsq_score_frame plain = {.b = b, .columns = a.lead, .kind = kind};
        double *const alone = moments_of(kernels, &a, &plain, 1);
        for (int i = 0; i < COUNT_OF(threads) + COUNT_OF(forms); i++) {
            const int many = i < COUNT_OF(threads);
            CASE("kind %d, case %d", kind, i);
            problem other = problem_like(&a, many ? C_ORDER : forms[i - COUNT_OF(threads)]);
            answer s = scores_of(kernels, &other, &frame, many ? threads[i] : 2);
            CHECK(same_bits(n, s.residuals, reference.residuals));
            CHECK(same_bits(n, s.leverages, reference.leverages));
            CHECK(same_bits(n * columns, s.scores, reference.scores));
            CHECK(same_bits(columns * columns, s.moments, reference.moments));
            double *const moments = moments_of(kernels, &other, &plain, many ? threads[i] : 2);
            CHECK(same_bits(a.lead * a.lead, moments, alone));
            answer_free(&s), problem_free(&other), free(moments);
        }
        answer_free(&reference), free(alone);
    }
    free(b), free(t), problem_free(&a);
}

/* f(h) of HC2 and HC3, beside the plain scores. */
void test_score_factors(const flsq_kernels *kernels)
{
    const int64_t n = 2 * FLSQ_SCORE_ROWS(3) + 1, columns = 3;
    problem a = problem_make(FLSQ_F64, C_ORDER, n, 3, 1, WEIGHTED, REALS);
    double *const b = oracle_reals(3), *const t = oracle_reals(9);
    for (int64_t i = 0; i < 9; i++)
        t[i] *= 0.0625;
    flsq_score_frame frame = {.b = b, .transform = t, .columns = columns, .kind = FLSQ_SCORE_PLAIN};
    answer plain = scores_of(kernels, &a, &frame, 1);
    for (frame.kind = FLSQ_SCORE_HC2; frame.kind <= FLSQ_SCORE_HC3; frame.kind++) {
        answer s = scores_of(kernels, &a, &frame, 1);
        CASE("kind %d", frame.kind);
        for (int64_t i = 0; i < n * columns; i++) {
            const double left = 1.0 - s.leverages[i / columns];
            const double expected = plain.scores[i] / (frame.kind == FLSQ_SCORE_HC2 ? sqrt(left) : left);
            CHECK(fabs(s.scores[i] - expected) <= 8 * 0x1p-53 * fabs(expected));
        }
        answer_free(&s);
    }
    answer_free(&plain), free(b), free(t), problem_free(&a);
}

void test_square_lengths(const flsq_kernels *kernels)
{
    const int64_t nr = kernels->nr;
    for (int64_t panels = 0; panels <= 3; panels++)
        for (int64_t rows = 0; rows <= 33; rows++) {
            const int64_t stride = rows * nr + FLSQ_PANEL_GAP;
            double *const z = oracle_integers(panels * stride, -4, 4);
            double *const out = oracle_doubles(rows), *const expected = oracle_doubles(rows);
            for (int64_t k = 0; k < rows; k++)
                for (int64_t j = 0; j < panels * nr; j++)
                    expected[k] += z[j / nr * stride + k * nr + j % nr] * z[j / nr * stride + k * nr + j % nr];
            kernels->square_lengths(rows, panels, z, stride, out);
            CASE("%lld rows, %lld panels", (long long)rows, (long long)panels);
            CHECK(first_difference(rows, out, expected) == -1);
            free(z), free(out), free(expected);
        }
}
