/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Windows from the sums over their two pieces to coefficients, one to a lane.
 *
 * The equations are solved as they are: the rows of a window are not read again.  Where the condition number, times what
 * centring may have cost, leaves the coefficients fewer than some 9 digits, or the residual sum of squares fewer than 6, the
 * verdict says so, and the caller has the rows.
 */
#include "normal.h"
#include "rolling.h"
#include <math.h>
#include <string.h>

#define LARGEST_CONDITION 1e7 /* of D M D, times the growth of its sums */
#define RSS_DIGITS 1e6        /* how many times its rounding error a sum of squares of residuals has to be */

/* The tests of flsq_factorize for one lane, and those of the sums. */
static int lane_verdict(const flsq_rolling *s, const flsq_window_worker *w, int64_t l, int64_t *dropped, double *rss,
                        double *condition)
{
    const int64_t lanes = s->kernels->lanes, p = s->p, q = s->q;
    const double yy = w->whole[(q * q - 1) * lanes + l], growth = flsq_window_number(s, w, FLSQ_WINDOW_GROWTH)[l];
    const double smallest = flsq_window_number(s, w, FLSQ_WINDOW_PIVOT)[l];
    double size = sqrt(yy);
    *dropped = 0;
    *rss = FLSQ_MAX(yy - flsq_window_number(s, w, FLSQ_WINDOW_HALF)[l], 0.0);
    *condition = flsq_window_number(s, w, FLSQ_WINDOW_NORM)[l] * flsq_window_number(s, w, FLSQ_WINDOW_INVERSE_NORM)[l];
    for (int64_t j = 0; j < p; j++) {
        const double squares = w->whole[(j * q + j) * lanes + l];
        *dropped += squares == 0;
        size += fabs(w->coef[j * lanes + l]) * w->root[j * lanes + l];
        if (squares != 0 && !flsq_squares_in_range(squares))
            return FLSQ_OUT_OF_RANGE;
    }
    if (yy != 0 && !flsq_squares_in_range(yy))
        return FLSQ_OUT_OF_RANGE;
    if (!(flsq_window_number(s, w, FLSQ_WINDOW_WEIGHT)[l] > 0) || !(smallest > 0))
        return FLSQ_PIVOT_FAILED;
    if (smallest <= flsq_pivot_noise(p))
        return FLSQ_PIVOT_IN_NOISE;
    if (!(*condition * growth <= LARGEST_CONDITION))
        return FLSQ_ILL_CONDITIONED;
    return *rss >= RSS_DIGITS * 4 * FLSQ_UNIT_ROUNDOFF * (double)q * growth * size * size ? FLSQ_CERTIFIED
                                                                                          : FLSQ_NOT_SETTLED;
}

static void keep(const flsq_rolling *s, const flsq_window_worker *w, const flsq_window_pieces *at, int64_t l, int64_t t)
{
    const int64_t lanes = s->kernels->lanes, p = s->p, q = s->q;
    const double *const point = at->second[l] + flsq_sums_point(q);
    double *const b = s->out.b + t * s->columns, condition, rss;
    int64_t dropped;
    s->out.verdict[t] = (int8_t)lane_verdict(s, w, l, &dropped, &rss, &condition);
    s->out.rank[t] = p - dropped;
    s->out.rss[t] = rss;
    s->out.tss[t] = w->whole[(q * q - 1) * lanes + l];
    s->out.condition[t] = sqrt(condition);
    for (int64_t j = 0; j < p; j++)
        b[j] = w->coef[j * lanes + l];
    if (s->rows->unit) {
        b[p] = point[p] + w->mean[p * lanes + l];
        for (int64_t j = 0; j < p; j++)
            b[p] -= (point[j] + w->mean[j * lanes + l]) * b[j];
    }
    if (s->out.variance == NULL)
        return;
    double *const variance = s->out.variance + t * s->columns;
    for (int64_t j = 0; j < p; j++) { /* (RᵀR)⁻¹ = T Tᵀ, T = R⁻¹ */
        variance[j] = w->whole[(j * q + j) * lanes + l] != 0 ? 0.0 : NAN;
        for (int64_t k = j; k < p; k++)
            variance[j] += w->t[(j * p + k) * lanes + l] * w->t[(j * p + k) * lanes + l];
    }
    if (s->rows->unit)
        variance[p] = 1 / flsq_window_number(s, w, FLSQ_WINDOW_WEIGHT)[l] + flsq_window_number(s, w, FLSQ_WINDOW_LEVEL_HALF)[l];
}

void flsq_window_solve(const flsq_rolling *s, const flsq_window_worker *w, const flsq_window_pieces *at, int64_t t,
                       int64_t count)
{
    const flsq_kernels *const kernels = s->kernels;
    const int64_t lanes = kernels->lanes, p = s->p, q = s->q;
    kernels->interleave(s->entries, at->first, w->a);
    kernels->interleave(s->entries, at->second, w->b);
    kernels->lane_window(q, s->rows->unit, w->a, w->b, flsq_window_number(s, w, FLSQ_WINDOW_SHARE), w->whole, w->mean,
                         flsq_window_number(s, w, FLSQ_WINDOW_WEIGHT), flsq_window_number(s, w, FLSQ_WINDOW_GROWTH));
    for (int64_t i = 0; i < p; i++) {
        memcpy(w->m + (i * p + i) * lanes, w->whole + (i * q + i) * lanes, (size_t)((p - i) * lanes) * sizeof(double));
        memcpy(w->coef + i * lanes, w->whole + (i * q + p) * lanes, (size_t)lanes * sizeof(double));
        for (int64_t l = 0; l < lanes; l++) {
            double *const square = w->m + (i * p + i) * lanes + l;
            *square = *square == 0 ? 1.0 : *square; /* the column is constant: its coefficient will be 0 */
            w->root[i * lanes + l] = sqrt(*square);
        }
    }
    kernels->lane_cholesky(p, w->m, w->r, w->reciprocal, flsq_window_number(s, w, FLSQ_WINDOW_PIVOT));
    kernels->lane_norms(p, w->m, w->r, w->reciprocal, w->root, w->t, flsq_window_number(s, w, FLSQ_WINDOW_NORM),
                        flsq_window_number(s, w, FLSQ_WINDOW_INVERSE_NORM));
    kernels->lane_solve(p, w->r, w->reciprocal, w->coef, flsq_window_number(s, w, FLSQ_WINDOW_HALF));
    if (s->out.variance != NULL && s->rows->unit) { /* of the intercept: 1/w + mean(x)ᵀ M⁻¹ mean(x) */
        for (int64_t j = 0; j < p; j++)
            for (int64_t l = 0; l < lanes; l++) {
                const double level = at->second[l][flsq_sums_point(q) + j] + w->mean[j * lanes + l];
                w->level[j * lanes + l] = w->whole[(j * q + j) * lanes + l] != 0 ? level : 0.0;
            }
        kernels->lane_solve(p, w->r, w->reciprocal, w->level, flsq_window_number(s, w, FLSQ_WINDOW_LEVEL_HALF));
    }
    for (int64_t l = 0; l < count; l++)
        keep(s, w, at, l, t + l);
}
