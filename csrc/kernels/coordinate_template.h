/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Coordinate descent on normal equations.  Included by kernel_template.h.
 */

/* One coordinate after the other, q = c - M b being kept up to date with one row of M for every change:
 *
 *      t = q_j + m_jj b_j,   b_j := sign(t) max(|t| - l1_j, 0) / (m_jj + l2_j),   reciprocal_j = 1/(m_jj + l2_j)
 *
 * and max(t - l1_j, 0) where coefficients may not be negative.  Returns how many entered, left or changed their sign. */
static int64_t coordinate_sweep(int64_t n, const double *m, int64_t ld, const double *diagonal, const double *l1,
                                const double *reciprocal, int nonnegative, double *b, double *q)
{
    int64_t turned = 0;
    for (int64_t j = 0; j < n; j++) {
        const double old = b[j], t = q[j] + diagonal[j] * old;
        const double left = (nonnegative ? t : fabs(t)) - l1[j];
        const double next = left > 0 ? copysign(left * reciprocal[j], t) : 0;
        if (next == old)
            continue;
        turned += !(next * old > 0);
        axpy(n, old - next, m + j * ld, q);
        b[j] = next;
    }
    return turned;
}
