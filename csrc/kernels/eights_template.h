/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Eight rows where they lie: their products with one vector, and their sum with eight factors.  Included by
 * both_sources.h.
 *
 * A product is a sum over vectors in their order, then over lanes in the order of lane_sum; a sum takes eight rows, dealt to two
 * chains, at a time: the bits are those of the same rows in panels.
 */
#define EIGHTS_NAME__(stem, type) stem##_##type
#define EIGHTS_NAME_(stem, type) EIGHTS_NAME__(stem, type)
#define EIGHTS_NAME(stem) EIGHTS_NAME_(stem, FLSQ_SOURCE_NAME)

#ifndef ROWS_OF_GRADIENT
/* The gradient of eight rows, or of the last few: even rows + odd rows. */
#define ROWS_OF_GRADIENT(count, factor, x_vector)                                                                  \
    vec even = {0}, odd = {0};                                                                                     \
    UNROLL                                                                                                         \
    for (int i = 0; i < (count); i++)                                                                              \
        if (i % 2 == 0)                                                                                            \
            even += (factor) * (x_vector);                                                                         \
        else                                                                                                       \
            odd += (factor) * (x_vector);

/* r[k] := y[k] less the sum of the lanes of acc[k], for VL rows, in the order of lane_sum. */
INLINE void subtract_lane_sums(vec acc[FLSQ_VL], const double *y, double *r)
{
    TRANSPOSE(acc);
    UNROLL
    for (int half = FLSQ_VL / 2; half >= 1; half /= 2)
        UNROLL
        for (int i = 0; i < half; i++)
            acc[i] += acc[i + half];
    store(r, load(y) - acc[0]);
}

/* The vector behind the last whole one of a row: the columns left over, a one for the unit column, zeros. */
typedef struct last_vector {
    int_vec keep, one;
} last_vector;

INLINE last_vector last_of(int64_t columns, int unit)
{
    last_vector last;
    for (int i = 0; i < FLSQ_VL; i++) {
        last.keep[i] = i < columns % FLSQ_VL ? -1 : 0;
        last.one[i] = unit && i == columns % FLSQ_VL ? INT64_C(0x3FF0000000000000) : 0; /* 1.0 */
    }
    return last;
}

INLINE vec of_last(const last_vector *last, vec x) { return (vec)(((int_vec)x & last->keep) | last->one); }

/* What is asked for ahead: lines `apart` bytes apart (0: nothing), every other few of them. */
typedef struct asking {
    const char *soon;
    int64_t apart;
    int near; /* into L1, or where the file of the instruction set says */
} asking;

INLINE void ask(asking *a, int lines)
{
    UNROLL
    for (int line = 0; line < lines; line++)
        if (a->near)
            __builtin_prefetch(a->soon + line * a->apart, 0, 3);
        else
            __builtin_prefetch(a->soon + line * a->apart, 0, FLSQ_NEAR);
    a->soon += 2 * lines * a->apart;
}
#endif

/* lines of a vector of eight rows, for each of the two products that read it */
#define ASKS ((FLSQ_VL * (int)sizeof(FLSQ_SOURCE) + 15) / 16)

/* r := y less the products of the rows with b */
INLINE void EIGHTS_NAME(residual_of_eight)(const FLSQ_SOURCE *row, int64_t step, int64_t whole, const last_vector *last,
                                           const double *b, asking *ahead, const double *y, double *r)
{
    vec acc[8];
    UNROLL
    for (int i = 0; i < 8; i++)
        acc[i] = (vec){0};
    for (int64_t j = 0; j < whole; j += FLSQ_VL) {
        const vec coefficients = load(b + j);
        ask(ahead, ASKS);
        UNROLL
        for (int i = 0; i < 8; i++)
            acc[i] += LOAD_SOURCE(row + i * step + j) * coefficients;
    }
    if (last != NULL) {
        const vec coefficients = load(b + whole);
        ask(ahead, ASKS);
        UNROLL
        for (int i = 0; i < 8; i++)
            acc[i] += of_last(last, LOAD_SOURCE(row + i * step + whole)) * coefficients;
    }
    UNROLL
    for (int i = 0; i < 8; i += FLSQ_VL)
        subtract_lane_sums(acc + i, y + i, r + i);
}

/* g += the sum of the rows times r */
INLINE void EIGHTS_NAME(gradient_of_eight)(const FLSQ_SOURCE *row, int64_t step, int64_t whole, const last_vector *last,
                                           const double *r, asking *ahead, double *g)
{
    vec factor[8];
    UNROLL
    for (int i = 0; i < 8; i++)
        factor[i] = broadcast(r[i]);
    for (int64_t j = 0; j < whole; j += FLSQ_VL) {
        ask(ahead, ASKS);
        ROWS_OF_GRADIENT(8, factor[i], LOAD_SOURCE(row + i * step + j))
        store(g + j, load(g + j) + (even + odd));
    }
    if (last != NULL) {
        ask(ahead, ASKS);
        ROWS_OF_GRADIENT(8, factor[i], of_last(last, LOAD_SOURCE(row + i * step + whole)))
        store(g + whole, load(g + whole) + (even + odd));
    }
}

/* ---- many eights: kernels.h ------------------------------------------------------------------------------------- */

INLINE asking EIGHTS_NAME(ahead_of)(const flsq_eights *rows, int64_t i, int second)
{
    if (rows->soon == NULL)
        return (asking){.soon = rows->at[i]};
    return (asking){.soon = (const char *)rows->soon[i] + (second ? ASKS * 64 : 0), .apart = 64};
}

static void EIGHTS_NAME(predict)(const flsq_eights *rows, double start, const double *b, double *eta)
{
    const int64_t whole = rows->columns / FLSQ_VL * FLSQ_VL;
    const last_vector tail = last_of(rows->columns, 0), *const last = whole < rows->columns ? &tail : NULL;
    double from[8];
    for (int i = 0; i < 8; i++)
        from[i] = start;
    for (int64_t i = 0; i < rows->count; i++) {
        asking ahead = EIGHTS_NAME(ahead_of)(rows, i, 0);
        EIGHTS_NAME(residual_of_eight)(rows->at[i], rows->step, whole, last, b, &ahead, from, eta + 8 * i);
    }
}

static void EIGHTS_NAME(slope_sums)(const flsq_eights *rows, const double *r, double *g)
{
    const int64_t whole = rows->columns / FLSQ_VL * FLSQ_VL;
    const last_vector tail = last_of(rows->columns, 0), *const last = whole < rows->columns ? &tail : NULL;
    for (int64_t i = 0; i < rows->count; i++) {
        asking ahead = EIGHTS_NAME(ahead_of)(rows, i, 1);
        EIGHTS_NAME(gradient_of_eight)(rows->at[i], rows->step, whole, last, r + 8 * i, &ahead, g);
    }
}

#undef EIGHTS_NAME
#undef EIGHTS_NAME_
#undef EIGHTS_NAME__
#ifndef EIGHT_LINES /* of float64: residual_template.h */
enum { EIGHT_LINES = ASKS };
#define EIGHT_LINES EIGHT_LINES
#endif
#undef ASKS
