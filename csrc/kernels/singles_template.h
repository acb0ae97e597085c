/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Steps over one row each.  Included by both_sources.h.
 *
 *      eta = start + z·b     s = w l'(eta)
 *      plain   b = (1 - rate l2) b - rate s z
 *      SAGA    d = s - (the row's s before)     b = (1 - rate l2) b - rate (d z + mean)     mean += d z / n
 *      both    b = sign(b) max(|b| - rate l1, 0)
 *
 * Of the product, four chains of vectors are added: what a step costs is the latency from one eta to the next.
 */
#define SINGLES_NAME__(stem, type) stem##_##type
#define SINGLES_NAME_(stem, type) SINGLES_NAME__(stem, type)
#define SINGLES_NAME(stem) SINGLES_NAME_(stem, FLSQ_SOURCE_NAME)

#ifndef SINGLES_AHEAD
#define SINGLES_AHEAD 8 /* rows */
INLINE vec toward_zero(vec b, vec by)
{
    const vec zero = {0};
    return choose(b > by, b - by, choose(b < -by, b + by, zero));
}
#endif

INLINE vec SINGLES_NAME(row_vector)(const flsq_singles *s, int shaped, const FLSQ_SOURCE *row, int64_t j,
                                    const last_vector *last)
{
    vec z = LOAD_SOURCE(row + j);
    if (last != NULL)
        z = of_last(last, z);
    if (shaped)
        z = (z - load(s->center + j)) * load(s->factor + j);
    return z;
}

INLINE double SINGLES_NAME(product)(const flsq_singles *s, int shaped, const FLSQ_SOURCE *row, int64_t whole,
                                    const last_vector *last)
{
    vec acc[4] = {{0}, {0}, {0}, {0}};
    int64_t j = 0;
    for (; j + 4 * FLSQ_VL <= whole; j += 4 * FLSQ_VL)
        UNROLL
        for (int v = 0; v < 4; v++)
            acc[v] += SINGLES_NAME(row_vector)(s, shaped, row, j + v * FLSQ_VL, NULL) * load(s->b + j + v * FLSQ_VL);
    for (; j < whole; j += FLSQ_VL)
        acc[0] += SINGLES_NAME(row_vector)(s, shaped, row, j, NULL) * load(s->b + j);
    if (last != NULL)
        acc[1] += SINGLES_NAME(row_vector)(s, shaped, row, whole, last) * load(s->b + whole);
    return lane_sum((acc[0] + acc[1]) + (acc[2] + acc[3]));
}

/* `rate` times the slope of this row, or what it has changed by. */
INLINE void SINGLES_NAME(move)(const flsq_singles *s, int shaped, int saga, const FLSQ_SOURCE *row, int64_t j,
                               const last_vector *last, double rate, double slope)
{
    const vec keep = broadcast(1.0 - rate * s->l2), z = SINGLES_NAME(row_vector)(s, shaped, row, j, last);
    vec b = keep * load(s->b + j) - broadcast(rate * slope) * z;
    if (saga) {
        const vec mean = load(s->mean + j);
        b -= broadcast(rate) * mean;
        store(s->mean + j, mean + broadcast(s->share * slope) * z);
    }
    if (s->l1 > 0)
        b = toward_zero(b, broadcast(rate * s->l1));
    store(s->b + j, b);
    if (s->average != NULL)
        store(s->average + j, load(s->average + j) + broadcast(1.0 / (double)(s->averaged + 1)) * (b - load(s->average + j)));
}

INLINE void SINGLES_NAME(make_steps)(flsq_singles *s, int shaped, int saga)
{
    const int64_t whole = s->columns / FLSQ_VL * FLSQ_VL;
    const last_vector tail = last_of(s->columns, 0), *const last = whole < s->columns ? &tail : NULL;
    const int64_t bytes = s->columns * (int64_t)sizeof(FLSQ_SOURCE);
    for (s->done = 0; s->done < s->count; s->done++) {
        const int64_t i = s->done;
        const FLSQ_SOURCE *const row = s->row[i];
        const char *const soon = s->row[FLSQ_MIN(i + SINGLES_AHEAD, s->count - 1)];
        for (int64_t at = 0; at < bytes; at += 64)
            __builtin_prefetch(soon + at, 0, 3);
        const double eta = *s->start + SINGLES_NAME(product)(s, shaped, row, whole, last);
        vec loss, slopes;
        switch (s->loss->kind) {
#define CASE(kind) case kind: loss_vector(kind, broadcast(s->loss->parameter), broadcast(eta), broadcast(s->y[i]), &loss, &slopes); break;
            CASE(FLSQ_LOSS_HUBER)
            CASE(FLSQ_LOSS_QUANTILE)
            CASE(FLSQ_LOSS_EPSILON_INSENSITIVE)
            CASE(FLSQ_LOSS_LOGISTIC)
            CASE(FLSQ_LOSS_HINGE)
            CASE(FLSQ_LOSS_POISSON)
        default:
            loss_vector(FLSQ_LOSS_SQUARED, broadcast(0.0), broadcast(eta), broadcast(s->y[i]), &loss, &slopes);
#undef CASE
        }
        const double w = s->w[i], slope = w == 0.0 ? 0.0 : w * slopes[0], value = w == 0.0 ? 0.0 : w * loss[0];
        if (!(slope - slope == 0.0 && value - value == 0.0 && eta - eta == 0.0)) /* infinite or no number, even at no slope */
            return;
        s->total += value;
        const double rate = s->rates[i], change = saga ? slope - *s->kept[i] : slope;
        for (int64_t j = 0; j < whole; j += FLSQ_VL)
            SINGLES_NAME(move)(s, shaped, saga, row, j, NULL, rate, change);
        if (last != NULL)
            SINGLES_NAME(move)(s, shaped, saga, row, whole, last, rate, change);
        if (s->intercept) {
            *s->start -= rate * (change + (saga ? *s->mean_start : 0.0));
            if (saga)
                *s->mean_start += s->share * change;
        }
        if (saga)
            *s->kept[i] = slope;
        if (s->average != NULL)
            *s->average_start += (*s->start - *s->average_start) / (double)++s->averaged;
    }
}

static void SINGLES_NAME(singles)(flsq_singles *s)
{
    if (s->kept == NULL && s->center == NULL)
        SINGLES_NAME(make_steps)(s, 0, 0);
    else if (s->kept == NULL)
        SINGLES_NAME(make_steps)(s, 1, 0);
    else if (s->center == NULL)
        SINGLES_NAME(make_steps)(s, 0, 1);
    else
        SINGLES_NAME(make_steps)(s, 1, 1);
}

#undef SINGLES_NAME
#undef SINGLES_NAME_
#undef SINGLES_NAME__
