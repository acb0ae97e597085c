/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Sums of windows of rows: running sums row by row, and the moments of a window from two of them, one window to a lane.
 * A row of sums over rows x of q columns, about a point c, with z = x - c, is
 *   [w | s_0 .. s_{q-1} | m_00 m_01 .. m_0,q-1 m_11 .. | c_0 .. c_{q-1}],  w = sum w_k, s = sum w_k z_k, m = sum w_k z_k z_kᵀ.
 * Included by kernel_template.h.
 */

/* One row of sums after another: after := factor*before + weight*[1 | z | z zᵀ]. */
INLINE void add_row(int64_t q, const double *x, double weight, double factor, const double *c, const double *before,
                    double *after)
{
    double z[FLSQ_WINDOW_COLUMNS];
    after[0] = factor * before[0] + weight;
    UNROLL
    for (int64_t j = 0; j < q; j++) {
        z[j] = x[j] - c[j];
        after[1 + j] = factor * before[1 + j] + weight * z[j];
    }
    int64_t e = 1 + q;
    UNROLL
    for (int64_t i = 0; i < q; i++) {
        const double left = weight * z[i];
        UNROLL
        for (int64_t j = i; j < q; j++, e++)
            after[e] = factor * before[e] + left * z[j];
    }
    UNROLL
    for (int64_t j = 0; j < q; j++)
        after[e + j] = c[j];
}

/* The same for any number of columns; only the factor may differ from that of every row being counted once. */
static void add_wide_row(int64_t q, const double *x, double weight, double factor, const double *c, const double *before,
                         double *after)
{
    double *const s = after + 1, *m = s + q;
    const double *old = before + 1 + q;
    after[0] = factor * before[0] + weight;
    for (int64_t j = 0; j < q; j++)
        s[j] = factor * before[1 + j] + weight * (x[j] - c[j]);
    for (int64_t i = 0; i < q; i++, m += q - i + 1, old += q - i + 1) {
        const double left = weight * (x[i] - c[i]);
        for (int64_t j = i; j < q; j++)
            m[j - i] = factor * old[j - i] + left * (x[j] - c[j]);
    }
    memcpy(m, c, (size_t)q * sizeof(double));
}

#define RUNNING_SUMS(columns)                                                                                      \
    for (int64_t k = 0; k < rows; k++, x += direction * q, sums += step)                                           \
        if (weight[direction * k] > 0)                                                                             \
            add_row(columns, x, weight[direction * k], factor[direction * k], c, sums, sums + step);               \
        else                                                                                                       \
            memmove(sums + step, sums, bytes);                                                                     \
    break;

/* The rows x, x + direction*q, ... are added to the sums; a row of weight 0 does not enter, whatever it holds, and leaves the
 * sums as they are.  The sums behind the first row are at sums + step, and so on; step 0: in place. */
static void running_sums(int64_t rows, int64_t q, const double *x, const double *weight, const double *factor,
                         int64_t direction, const double *c, double *sums, int64_t step)
{
    const size_t bytes = (size_t)(1 + 2 * q + q * (q + 1) / 2) * sizeof(double);
    switch (q) {
    case 2: RUNNING_SUMS(2)
    case 3: RUNNING_SUMS(3)
    case 4: RUNNING_SUMS(4)
    case 5: RUNNING_SUMS(5)
    case 6: RUNNING_SUMS(6)
    case 7: RUNNING_SUMS(7)
    case 8: RUNNING_SUMS(8)
    default:
        for (int64_t k = 0; k < rows; k++, x += direction * q, sums += step)
            if (weight[direction * k] > 0)
                add_wide_row(q, x, weight[direction * k], factor[direction * k], c, sums, sums + step);
            else
                memmove(sums + step, sums, bytes);
    }
}

/* a > 0 ? 1/a : 0 */
INLINE vec reciprocal_or_zero(vec a)
{
    const int_vec some = a > (vec){0};
    const vec safe = (vec)((some & (int_vec)a) | (~some & (int_vec)((vec){0} + 1.0)));
    return (vec)((int_vec)(1.0 / safe) & some);
}

/* a, b: rows of sums of two pieces of a window, those of a to be multiplied by `share`.  m := moments of the q columns about
 * their means (upper, q x q), or with unit == 0 their sums of products; mean: q, about the point of b; *weight := the sum of
 * weights; *growth := the largest ratio of what was summed to what is left of it, over the columns that have moments.
 *   m = share (m_a - s_a s_aᵀ/w_a) + (m_b - s_b s_bᵀ/w_b) + w_a w_b/w d dᵀ,   d = mean_a - mean_b  (Chan, Golub, LeVeque 1983) */
static void lane_window(int64_t q, int unit, const double *a, const double *b, const double *share, double *m, double *mean,
                        double *weight, double *growth)
{
    const int64_t squares = 1 + q, point = squares + q * (q + 1) / 2;
    const vec part = load(share), wa = part * load(a), wb = load(b), w = wa + wb;
    store(weight, w);
    vec largest = (vec){0} + 1.0;
    if (!unit) {
        for (int64_t i = 0, e = squares; i < q; i++)
            for (int64_t j = i; j < q; j++, e++)
                store(m + (i * q + j) * FLSQ_VL, part * load(a + e * FLSQ_VL) + load(b + e * FLSQ_VL));
        store(growth, largest);
        return;
    }
    const vec ra = reciprocal_or_zero(load(a)), rb = reciprocal_or_zero(wb), r = reciprocal_or_zero(w);
    const vec between = wa * (wb * r), left = wa * r;
    for (int64_t i = 0, e = squares; i < q; i++) {
        const vec sa = load(a + (1 + i) * FLSQ_VL), sb = load(b + (1 + i) * FLSQ_VL), mb = sb * rb;
        const vec apart = load(a + (point + i) * FLSQ_VL) - load(b + (point + i) * FLSQ_VL);
        const vec d = sa * ra + apart - mb;
        store(mean + i * FLSQ_VL, mb + d * left);
        const vec ua = sa * ra, db = d * between;
        for (int64_t j = i; j < q; j++, e++) {
            const vec sum_a = load(a + e * FLSQ_VL), sum_b = load(b + e * FLSQ_VL);
            const vec sja = load(a + (1 + j) * FLSQ_VL), sjb = load(b + (1 + j) * FLSQ_VL);
            const vec dj = sja * ra + (load(a + (point + j) * FLSQ_VL) - load(b + (point + j) * FLSQ_VL)) - sjb * rb;
            const vec value = part * (sum_a - ua * sja) + (sum_b - mb * sjb) + db * dj;
            store(m + (i * q + j) * FLSQ_VL, value);
            if (j == i) {
                const vec whole = part * sum_a + sum_b + db * dj;
                const int_vec some = whole > (vec){0};
                largest = larger((vec)((int_vec)(whole / larger(value, (vec){0})) & some), largest);
            }
        }
    }
    store(growth, largest);
}
