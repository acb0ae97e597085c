/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Many small problems at once: lane l of every vector belongs to problem l, so that products, factors and solves of VL
 * problems need neither broadcasts nor sums across lanes.  Interleaved arrays hold entry e of lane l at e*VL + l.
 * Included by kernel_template.h.
 */

/* out[e] of lane l := lane[l][e] */
static void interleave(int64_t count, const double *const *lane, double *out)
{
    int64_t e = 0;
    for (; e + FLSQ_VL <= count; e += FLSQ_VL) {
        vec turned[FLSQ_VL];
        UNROLL
        for (int l = 0; l < FLSQ_VL; l++)
            turned[l] = load(lane[l] + e);
        TRANSPOSE(turned);
        UNROLL
        for (int l = 0; l < FLSQ_VL; l++)
            store(out + (e + l) * FLSQ_VL, turned[l]);
    }
    for (; e < count; e++)
        for (int l = 0; l < FLSQ_VL; l++)
            out[e * FLSQ_VL + l] = *(const loose_double *)(lane[l] + e);
}

/* c[i][j] += sum over the rows of a_i*b_j for a tile of na x nb columns; `deep` rows have chains of their own, so that
 * the latency of an addition does not set the pace of small tiles. */
#define LANE_TILE(na, nb, deep)                                                                                    \
    {                                                                                                              \
        vec acc[deep][na][nb];                                                                                     \
        UNROLL                                                                                                     \
        for (int u = 0; u < (deep); u++)                                                                           \
            UNROLL                                                                                                 \
            for (int i = 0; i < (na); i++)                                                                         \
                UNROLL                                                                                             \
                for (int j = 0; j < (nb); j++)                                                                     \
                    acc[u][i][j] = (vec){0};                                                                       \
        int64_t k = 0;                                                                                             \
        for (; k + (deep) <= rows; k += (deep))                                                                    \
            LANE_ROWS(na, nb, deep)                                                                                \
        for (; k < rows; k++)                                                                                      \
            LANE_ROWS(na, nb, 1)                                                                                   \
        UNROLL                                                                                                     \
        for (int i = 0; i < (na); i++)                                                                             \
            UNROLL                                                                                                 \
            for (int j = 0; j < (nb); j++) {                                                                       \
                double *const entry = c + (i * ldc + j) * FLSQ_VL;                                                 \
                UNROLL                                                                                             \
                for (int u = 1; u < (deep); u++)                                                                   \
                    acc[0][i][j] += acc[u][i][j];                                                                  \
                store(entry, load(entry) + acc[0][i][j]);                                                          \
            }                                                                                                      \
        break;                                                                                                     \
    }
#define LANE_ROWS(na, nb, deep)                                                                                    \
    {                                                                                                              \
        UNROLL                                                                                                     \
        for (int u = 0; u < (deep); u++) {                                                                         \
            vec right[nb];                                                                                         \
            UNROLL                                                                                                 \
            for (int j = 0; j < (nb); j++)                                                                         \
                right[j] = load(b + (u * b_step + j) * FLSQ_VL);                                                   \
            UNROLL                                                                                                 \
            for (int i = 0; i < (na); i++) {                                                                       \
                const vec left = load(a + (u * a_step + i) * FLSQ_VL);                                             \
                UNROLL                                                                                             \
                for (int j = 0; j < (nb); j++)                                                                     \
                    acc[u][i][j] += left * right[j];                                                               \
            }                                                                                                      \
        }                                                                                                          \
        a += (deep) * a_step * FLSQ_VL;                                                                            \
        b += (deep) * b_step * FLSQ_VL;                                                                            \
    }

static void lane_products(int64_t rows, const double *a, int64_t a_step, int64_t na, const double *b, int64_t b_step,
                          int64_t nb, double *c, int64_t ldc)
{
    switch (4 * na + nb) {
    case 5: LANE_TILE(1, 1, 4)
    case 6: LANE_TILE(1, 2, 4)
    case 7: LANE_TILE(1, 3, 2)
    case 9: LANE_TILE(2, 1, 4)
    case 10: LANE_TILE(2, 2, 2)
    case 11: LANE_TILE(2, 3, 1)
    case 13: LANE_TILE(3, 1, 2)
    case 14: LANE_TILE(3, 2, 1)
    case 15: LANE_TILE(3, 3, 1)
    }
}

/* y := y - X b, four rows at a time: each is one chain of p multiply-adds. */
static void lane_residual(int64_t rows, int64_t p, const double *x, const double *b, double *y)
{
    int64_t k = 0;
    for (; k + 4 <= rows; k += 4) {
        vec r[4];
        UNROLL
        for (int u = 0; u < 4; u++)
            r[u] = load(y + (k + u) * FLSQ_VL);
        for (int64_t j = 0; j < p; j++) {
            const vec factor = load(b + j * FLSQ_VL);
            UNROLL
            for (int u = 0; u < 4; u++)
                r[u] -= load(x + ((k + u) * p + j) * FLSQ_VL) * factor;
        }
        UNROLL
        for (int u = 0; u < 4; u++)
            store(y + (k + u) * FLSQ_VL, r[u]);
    }
    for (; k < rows; k++) {
        vec r = load(y + k * FLSQ_VL);
        for (int64_t j = 0; j < p; j++)
            r -= load(x + (k * p + j) * FLSQ_VL) * load(b + j * FLSQ_VL);
        store(y + k * FLSQ_VL, r);
    }
}

INLINE vec square_root(vec x)
{
    double lane[FLSQ_VL];
    store(lane, x);
    for (int l = 0; l < FLSQ_VL; l++)
        lane[l] = sqrt(lane[l]);
    return load(lane);
}

INLINE vec magnitude(vec x) { return (vec)((int_vec)x & INT64_MAX); }
INLINE vec larger(vec a, vec b)
{
    const int_vec first = a > b;
    return (vec)((first & (int_vec)a) | (~first & (int_vec)b));
}

/* RᵀR = M row by row: r_ii = sqrt(m_ii - sum_k r_ki²), r_ij = (m_ij - sum_k r_ki r_kj)/r_ii.  Keeps 1/r_ii, and the
 * smallest r_ii²/m_ii; a lane that is not positive definite ends with NaN. */
static void lane_cholesky(int64_t p, const double *m, double *r, double *reciprocal, double *smallest)
{
    vec smallest_pivot = (vec){0} + 1.0;
    for (int64_t i = 0; i < p; i++) {
        vec inverse = (vec){0};
        for (int64_t j = i; j < p; j++) {
            vec sum = load(m + (i * p + j) * FLSQ_VL);
            for (int64_t k = 0; k < i; k++)
                sum -= load(r + (k * p + i) * FLSQ_VL) * load(r + (k * p + j) * FLSQ_VL);
            if (j == i) {
                const vec root = square_root(sum), share = sum / load(m + (i * p + i) * FLSQ_VL);
                const int_vec below = share < smallest_pivot, unknown = share != share;
                const int_vec take = below | unknown;
                smallest_pivot = (vec)((take & (int_vec)share) | (~take & (int_vec)smallest_pivot));
                inverse = 1.0 / root;
                store(r + (i * p + i) * FLSQ_VL, root);
                store(reciprocal + i * FLSQ_VL, inverse);
            } else {
                store(r + (i * p + j) * FLSQ_VL, sum * inverse);
            }
        }
    }
    store(smallest, smallest_pivot);
}

/* 1-norm of D M D and of its inverse (D M D)⁻¹ = D⁻¹ R⁻¹R⁻ᵀ D⁻¹, D = 1/root; t (p x p) receives R⁻¹, upper. */
static void lane_norms(int64_t p, const double *m, const double *r, const double *reciprocal, const double *root,
                       double *t, double *norm, double *inverse_norm)
{
    for (int64_t j = 0; j < p; j++) {
        store(t + (j * p + j) * FLSQ_VL, load(reciprocal + j * FLSQ_VL));
        for (int64_t i = j - 1; i >= 0; i--) {
            vec sum = (vec){0};
            for (int64_t k = i + 1; k <= j; k++)
                sum -= load(r + (i * p + k) * FLSQ_VL) * load(t + (k * p + j) * FLSQ_VL);
            store(t + (i * p + j) * FLSQ_VL, sum * load(reciprocal + i * FLSQ_VL));
        }
    }
    vec largest = (vec){0}, inverse_largest = (vec){0};
    for (int64_t j = 0; j < p; j++) {
        vec sum = (vec){0}, inverse_sum = (vec){0};
        for (int64_t i = 0; i < p; i++) {
            const int64_t low = i < j ? i : j, high = i < j ? j : i;
            vec product = (vec){0};
            for (int64_t k = high; k < p; k++)
                product += load(t + (i * p + k) * FLSQ_VL) * load(t + (j * p + k) * FLSQ_VL);
            sum += magnitude(load(m + (low * p + high) * FLSQ_VL)) / load(root + i * FLSQ_VL);
            inverse_sum += magnitude(product) * load(root + i * FLSQ_VL);
        }
        const vec scale = load(root + j * FLSQ_VL);
        largest = larger(sum / scale, largest);
        inverse_largest = larger(inverse_sum * scale, inverse_largest);
    }
    store(norm, largest);
    store(inverse_norm, inverse_largest);
}

/* x := R⁻ᵀ x, half := ‖x‖², x := R⁻¹ x */
static void lane_solve(int64_t p, const double *r, const double *reciprocal, double *x, double *half)
{
    vec squares = (vec){0};
    for (int64_t i = 0; i < p; i++) {
        vec value = load(x + i * FLSQ_VL);
        for (int64_t k = 0; k < i; k++)
            value -= load(r + (k * p + i) * FLSQ_VL) * load(x + k * FLSQ_VL);
        value *= load(reciprocal + i * FLSQ_VL);
        squares += value * value;
        store(x + i * FLSQ_VL, value);
    }
    for (int64_t i = p - 1; i >= 0; i--) {
        vec value = load(x + i * FLSQ_VL);
        for (int64_t k = i + 1; k < p; k++)
            value -= load(r + (i * p + k) * FLSQ_VL) * load(x + k * FLSQ_VL);
        store(x + i * FLSQ_VL, value * load(reciprocal + i * FLSQ_VL));
    }
    store(half, squares);
}
