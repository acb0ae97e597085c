/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The duality gap of the elastic net.
 *
 * Primal:  P(b) = ‖y - X b‖²/2 + sum_j g_j(b_j),  g_j(b) = l1_j |b| + l2_j b²/2
 * Dual:    D(t) = t·y - ‖t‖²/2 - sum_j g_j*(x_j·t)
 *
 * at the dual point t = s r, r = y - X b, where x_j·r = q_j and y·r = ‖r‖² + b·q:
 *
 *      P - D = (1 - s)²‖r‖²/2 + sum_j (g_j(b_j) + g_j*(s q_j) - s b_j q_j)
 *
 * Nothing is subtracted from yᵀy: all that cancels is inside one term, which no rounding but that of q_j reaches.
 *   l1 > 0:           l2 is taken for more rows of X, so the dual variable has entries for them too, -s sqrt(l2_j) b_j; then
 *                     g_j* is s² l2 b²/2 where |s (q_j - l2 b_j)| <= l1_j, and s <= 1 is chosen so that this holds.
 *   l1 = 0, l2 > 0:   g_j*(u) = u²/(2 l2)
 *   none:             |b_j| <= B, so g_j*(u) = B |u|
 *
 * A penalty below the rounding of q is one that q cannot obey: g_j* without it is an upper bound.
 */
#include "kernels.h"
#include <math.h>

static const double ROUNDING = 0x1p-49; /* of q_j, in units of ‖y‖‖x_j‖ */

/* By how much dual feasibility is exceeded, as a factor. */
static double largest_excess(int64_t p, const double *b, const double *q, const double *l1, const double *l2,
                             const double *diagonal, double alpha, int nonnegative, double yy)
{
    double worst = 1;
    for (int64_t j = 0; j < p; j++) {
        const double slope = q[j] - alpha * l2[j] * b[j], bound = alpha * l1[j];
        const double size = nonnegative ? slope : fabs(slope);
        if (bound > ROUNDING * sqrt(yy * diagonal[j]) && size > worst * bound)
            worst = size / bound;
    }
    return worst;
}

double flsq_duality_gap(int64_t p, const double *b, const double *q, const double *l1, const double *l2,
                        const double *diagonal, double alpha, int nonnegative, double yy, double rss)
{
    const double s = 1 / largest_excess(p, b, q, l1, l2, diagonal, alpha, nonnegative, yy), short_of = 1 - s;
    double gap = 0.5 * short_of * short_of * rss;
    for (int64_t j = 0; j < p; j++) {
        const double first = alpha * l1[j], second = alpha * l2[j], ridge = second * b[j] * b[j];
        const double upward = nonnegative ? FLSQ_MAX(q[j], 0) : fabs(q[j]);
        const double unheard = first * fabs(b[j]) + 0.5 * ridge;
        if (first > ROUNDING * sqrt(yy * diagonal[j]))
            gap += short_of * first * fabs(b[j]) + 0.5 * short_of * short_of * ridge +
                   s * b[j] * (copysign(first, b[j]) + second * b[j] - q[j]);
        else if (second > ROUNDING * diagonal[j])
            gap += unheard + s * upward * s * upward / (2 * second) - s * b[j] * q[j];
        else
            gap += unheard + s * ((fabs(b[j]) + sqrt(yy / diagonal[j])) * upward - b[j] * q[j]);
    }
    return FLSQ_MAX(gap, 0);
}
