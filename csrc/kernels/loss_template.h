/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Losses of gradient descent and their slopes by the predictor, a vector of rows at a time.  Included by kernel_template.h.
 */

/* Loss l and slope dl/deta; a is the loss's parameter. */
INLINE void loss_vector(flsq_loss_kind kind, vec a, vec eta, vec y, vec *loss, vec *slope)
{
    const vec e = eta - y, nothing = {0};
    vec curvature;
    switch (kind) {
    case FLSQ_LOSS_HUBER: { /* e²/2 up to |e| = a, a (|e| - a/2) behind */
        const vec size = choose(e < 0.0, -e, e);
        *slope = choose(e > a, a, choose(e < -a, -a, e));
        *loss = choose(size > a, a * (size - 0.5 * a), 0.5 * e * e);
        break;
    }
    case FLSQ_LOSS_QUANTILE: /* a (y - eta) where that is positive, else (1 - a) (eta - y) */
        *slope = choose(e < 0.0, -a, choose(e > 0.0, 1.0 - a, nothing));
        *loss = choose(e < 0.0, -a * e, (1.0 - a) * e);
        break;
    case FLSQ_LOSS_EPSILON_INSENSITIVE: { /* max(|e| - a, 0) */
        const vec size = choose(e < 0.0, -e, e), one = broadcast(1.0);
        *slope = choose(size > a, choose(e < 0.0, -one, one), nothing);
        *loss = choose(size > a, size - a, choose(e == e, nothing, e));
        break;
    }
    case FLSQ_LOSS_HINGE: { /* max(1 - s eta, 0), s = 2y - 1 */
        const vec sign = 2.0 * y - 1.0, miss = 1.0 - sign * eta;
        *slope = choose(miss > 0.0, -sign, nothing);
        *loss = choose(miss <= 0.0, nothing, miss);
        break;
    }
    case FLSQ_LOSS_LOGISTIC:
        family_vector(FLSQ_FAMILY_BINOMIAL, 0, eta, y, loss, slope, &curvature);
        break;
    case FLSQ_LOSS_POISSON:
        family_vector(FLSQ_FAMILY_POISSON, 0, eta, y, loss, slope, &curvature);
        break;
    default: /* e²/2 */
        *slope = e;
        *loss = 0.5 * e * e;
    }
}

#define LOSS_CASE(kind)                                                                                            \
    case kind:                                                                                                     \
        for (int64_t k = 0; k < rows; k += FLSQ_VL) {                                                              \
            vec value, slope, target = load(y + k);                                                                \
            if (of->one_class)                                                                                     \
                target = choose(target == broadcast(of->label), one, (vec){0});                                    \
            loss_vector(kind, a, load(eta + k), target, &value, &slope);                                           \
            const vec weight = load(w + k);                                                                        \
            const int_vec none = weight == 0.0; /* whatever the row holds */                                       \
            total += choose(none, (vec){0}, weight * value);                                                       \
            store(r + k, choose(none, (vec){0}, weight * slope));                                                  \
        }                                                                                                          \
        break;

static double loss_rows(const flsq_loss *of, int64_t rows, const double *eta, const double *y, const double *w, double *r)
{
    const vec a = broadcast(of->parameter), one = broadcast(1.0);
    vec total = {0};
    switch (of->kind) {
        LOSS_CASE(FLSQ_LOSS_SQUARED)
        LOSS_CASE(FLSQ_LOSS_HUBER)
        LOSS_CASE(FLSQ_LOSS_QUANTILE)
        LOSS_CASE(FLSQ_LOSS_EPSILON_INSENSITIVE)
        LOSS_CASE(FLSQ_LOSS_LOGISTIC)
        LOSS_CASE(FLSQ_LOSS_HINGE)
        LOSS_CASE(FLSQ_LOSS_POISSON)
    case FLSQ_LOSS_SOFTMAX: /* softmax_rows */
        break;
    }
    return lane_sum(total);
}
#undef LOSS_CASE
