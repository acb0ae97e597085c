/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * What the loss of a generalized linear model says of rows whose linear predictor eta is known, a vector of rows at a time:
 * loss, slope r = w dl/deta and curvature h = w d²l/deta².  Included by kernel_template.h.
 */

typedef union bits_vec {
    vec value;
    int_vec bits;
} bits_vec;

INLINE vec choose(int_vec mask, vec yes, vec no)
{
    bits_vec a = {.value = yes}, b = {.value = no}, out;
    out.bits = (a.bits & mask) | (b.bits & ~mask);
    return out.value;
}

/* x rounded to an integer, |x| < 2^51; `low` gets it in the low bits of each lane. */
INLINE vec to_integer(vec x, bits_vec *low)
{
    const double magic = 0x1.8p52;
    low->value = x + magic;
    return low->value - magic;
}

/* 2^k for the integer in the low bits, |k| < 1023. */
INLINE vec power_of_two(bits_vec low)
{
    bits_vec out;
    out.bits = (low.bits + 1023) << 52;
    return out.value;
}

/* e^x = 2^k e^f, |f| <= log(2)/2 = 0.347: the series up to f^13/13! is off by 0.347^14/14! = 4e-18.  2^k in two
 * factors, so that what is too small for a normal number becomes a subnormal one, and what is too large infinite. */
INLINE vec exponential(vec x)
{
    const vec lowest = broadcast(-760.0), highest = broadcast(720.0);
    x = choose(x < lowest, lowest, choose(x > highest, highest, x)); /* a NaN stays one */
    bits_vec whole, half, rest;
    const vec k = to_integer(x * 0x1.71547652b82fep+0, &whole);
    const vec first = to_integer(k * 0.5, &half);
    to_integer(k - first, &rest);
    vec f = x - k * 0x1.62e42fefa3800p-1;
    f = f - k * 0x1.ef35793c76730p-45;
    vec sum = broadcast(1.0 / 6227020800.0);
    static const double series[] = {1.0 / 479001600.0, 1.0 / 39916800.0, 1.0 / 3628800.0, 1.0 / 362880.0, 1.0 / 40320.0,
                                    1.0 / 5040.0, 1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5};
    UNROLL
    for (int i = 0; i < 11; i++)
        sum = sum * f + series[i];
    sum = sum * f * f + f;
    return (1.0 + sum) * power_of_two(half) * power_of_two(rest);
}

/* log(1 + z), 0 <= z <= 1, is 2 atanh(s) with s = z/(2 + z) <= 1/3: s^35/35 is off by 3^-34/35 = 2e-18 of s. */
INLINE vec log_of_one_plus(vec z)
{
    const vec s = z / (2.0 + z), square = s * s;
    vec sum = broadcast(2.0 / 35.0);
    UNROLL
    for (int i = 33; i >= 3; i -= 2)
        sum = sum * square + 2.0 / i;
    return 2.0 * s + s * square * sum;
}

/* log(x) of normal x > 0: x = 2^e m, m about 1 from sqrt(1/2) on; log m = 2 atanh((m - 1)/(m + 1)), its argument below
 * 0.172: 0.172^22/23 = 7e-19. */
INLINE vec logarithm(vec x)
{
    bits_vec all = {.value = x}, m, e;
    /* the bits of sqrt(1/2) taken away carry into the exponent where m would be too large */
    const int64_t root = 0x3fe6a09e667f3bcd;
    const int_vec from = all.bits - root;
    e.bits = ((from >> 52) & 0xfff) ^ 0x800; /* exponent + 2048, in bits that hold it as it is */
    e.bits += 0x4330000000000000;             /* and as a double on top of 2^52 */
    const vec exponent = e.value - (0x1p52 + 2048.0);
    m.bits = (from & 0x000fffffffffffff) + root;
    const vec s = (m.value - 1.0) / (m.value + 1.0), square = s * s;
    vec sum = broadcast(2.0 / 21.0);
    UNROLL
    for (int i = 19; i >= 3; i -= 2)
        sum = sum * square + 2.0 / i;
    const vec small = s * square * sum + exponent * 0x1.ef35793c76730p-45;
    return exponent * 0x1.62e42fefa3800p-1 + (2.0 * s + small);
}

/* Loss, slope and curvature of one vector of rows without weights; `expected`: the curvature's mean over y. */
INLINE void family_vector(flsq_family family, int expected, vec eta, vec y, vec *loss, vec *slope, vec *curvature)
{
    switch (family) {
    case FLSQ_FAMILY_BINOMIAL: {
        /* log(1 + e^eta) - y eta, with z = e^-|eta|:  p = 1/(1 + z) or z/(1 + z), p (1 - p) = z/(1 + z)² */
        const int_vec negative = eta < 0.0;
        const vec z = exponential(choose(negative, eta, -eta)), share = 1.0 / (1.0 + z);
        *loss = log_of_one_plus(z) + choose(negative, -y * eta, (1.0 - y) * eta);
        /* p - y, where p is near 1 as (1 - y) - (1 - p) */
        *slope = choose(negative, z * share - y, (1.0 - y) - z * share);
        *curvature = z * share * share;
        break;
    }
    case FLSQ_FAMILY_POISSON: { /* e^eta - y eta */
        const vec mean = exponential(eta);
        *loss = mean - y * eta;
        *slope = mean - y;
        *curvature = mean;
        break;
    }
    case FLSQ_FAMILY_GAMMA: { /* y e^-eta + eta */
        const vec ratio = y * exponential(-eta);
        *loss = ratio + eta;
        *slope = 1.0 - ratio;
        *curvature = expected ? broadcast(1.0) : ratio;
        break;
    }
    default: { /* (eta - y)²/2 */
        const vec e = eta - y;
        *loss = 0.5 * e * e;
        *slope = e;
        *curvature = broadcast(1.0);
    }
    }
}

#define FAMILY_ROWS(family)                                                                                        \
    for (; k < whole; k += FLSQ_VL) {                                                                              \
        vec loss, slope, curvature;                                                                                \
        family_vector(family, expected, load(eta + k), load(y + k), &loss, &slope, &curvature);                    \
        if (w != NULL) {                                                                                           \
            const vec weight = load(w + k);                                                                        \
            const int_vec none = weight == 0.0; /* whatever the row holds */                                       \
            loss = choose(none, (vec){0}, weight * loss);                                                          \
            slope = choose(none, (vec){0}, weight * slope);                                                        \
            curvature = choose(none, (vec){0}, weight * curvature);                                                \
        }                                                                                                          \
        total += loss;                                                                                             \
        store(r + k, slope);                                                                                       \
        store(h + k, curvature);                                                                                   \
    }

/* Rows are readable and writable up to a whole vector. */
static double family_rows(flsq_family family, int expected, int64_t rows, const double *eta, const double *y,
                          const double *w, double *r, double *h)
{
    vec total = {0};
    int64_t k = 0;
    const int64_t whole = rows / FLSQ_VL * FLSQ_VL;
#define EVERY_FAMILY                                                                                               \
    switch (family) {                                                                                              \
    case FLSQ_FAMILY_BINOMIAL: FAMILY_ROWS(FLSQ_FAMILY_BINOMIAL) break;                                            \
    case FLSQ_FAMILY_POISSON: FAMILY_ROWS(FLSQ_FAMILY_POISSON) break;                                              \
    case FLSQ_FAMILY_GAMMA: FAMILY_ROWS(FLSQ_FAMILY_GAMMA) break;                                                  \
    default: FAMILY_ROWS(FLSQ_FAMILY_GAUSSIAN) break;                                                              \
    }
    EVERY_FAMILY
    if (k == rows)
        return lane_sum(total);
    /* the last rows as a vector of their own, filled up with weightless ones */
    double last[6][FLSQ_VL];
    for (int i = 0; i < FLSQ_VL; i++) {
        const int there = k + i < rows;
        last[0][i] = there ? eta[k + i] : 0.0;
        last[1][i] = there ? y[k + i] : 0.0;
        last[2][i] = !there ? 0.0 : w != NULL ? w[k + i] : 1.0;
    }
    vec loss, slope, curvature;
    const vec weight = load(last[2]);
    const int_vec none = weight == 0.0;
#define LAST(family) family_vector(family, expected, load(last[0]), load(last[1]), &loss, &slope, &curvature)
    switch (family) {
    case FLSQ_FAMILY_BINOMIAL: LAST(FLSQ_FAMILY_BINOMIAL); break;
    case FLSQ_FAMILY_POISSON: LAST(FLSQ_FAMILY_POISSON); break;
    case FLSQ_FAMILY_GAMMA: LAST(FLSQ_FAMILY_GAMMA); break;
    default: LAST(FLSQ_FAMILY_GAUSSIAN); break;
    }
#undef LAST
    total += choose(none, (vec){0}, weight * loss);
    store(last[3], choose(none, (vec){0}, weight * slope));
    store(last[4], choose(none, (vec){0}, weight * curvature));
    for (int i = 0; k + i < rows; i++) {
        r[k + i] = last[3][i];
        h[k + i] = last[4][i];
    }
    return lane_sum(total);
}

/* Softmax over `classes` predictors and, unless `all`, one of eta = 0 behind them, y the number of the class.  eta (by predictors, `step`
 * apart) becomes the probabilities, r the slopes likewise; rows is a multiple of the lanes, w has a 0 where there is no row. */
static double softmax_rows(int64_t classes, int all, int64_t rows, int64_t step, double *eta, const double *y,
                           const double *w, double *r)
{
    vec total = {0};
    for (int64_t k = 0; k < rows; k += FLSQ_VL) {
        const vec weight = load(w + k), label = load(y + k);
        const int_vec none = weight == 0.0;
        vec largest = broadcast(all ? -INFINITY : 0.0), own = {0};
        for (int64_t c = 0; c < classes; c++) {
            const vec value = load(eta + c * step + k);
            largest = choose(value > largest, value, largest);
            own = choose(label == (double)c, value, own);
        }
        vec sum = exponential(all ? broadcast(-INFINITY) : -largest);
        for (int64_t c = 0; c < classes; c++) {
            const vec e = exponential(load(eta + c * step + k) - largest);
            store(eta + c * step + k, e);
            sum += e;
        }
        total += choose(none, (vec){0}, weight * (logarithm(sum) + (largest - own)));
        const vec share = 1.0 / sum;
        for (int64_t c = 0; c < classes; c++) {
            const vec p = load(eta + c * step + k) * share;
            store(eta + c * step + k, p);
            store(r + c * step + k, choose(none, (vec){0}, weight * (p - choose(label == (double)c, broadcast(1.0), (vec){0}))));
        }
    }
    return lane_sum(total);
}

/* One function of every element, for tests of the above: 0 e^x, 1 log(1 + x), 2 log(x). */
static void elementary(int which, int64_t n, const double *x, double *out)
{
    for (int64_t k = 0; k < n; k += FLSQ_VL) {
        double lane[FLSQ_VL];
        for (int i = 0; i < FLSQ_VL; i++)
            lane[i] = k + i < n ? x[k + i] : 1.0;
        const vec value = load(lane);
        store(lane, which == 0 ? exponential(value) : which == 1 ? log_of_one_plus(value) : logarithm(value));
        for (int i = 0; i < FLSQ_VL && k + i < n; i++)
            out[k + i] = lane[i];
    }
}
