/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * What a single target and the unit column add to the moments of X: Xᵀ1, Xᵀy, 1ᵀy, yᵀy.  A panel of their own would
 * cost a full register tile for two columns.  Included by kernel_template.h before the tiles.
 */

/* Even and odd rows have chains of their own, unless the tile beside them leaves no registers (and takes longer than the
 * latency of an addition). */
#define ZERO_SIDES(nv)                                                                                             \
    vec sum[2][nv], dot[2][nv];                                                                                    \
    UNROLL                                                                                                         \
    for (int v = 0; v < (nv); v++)                                                                                 \
        sum[0][v] = sum[1][v] = dot[0][v] = dot[1][v] = (vec){0}

/* What a row adds: vector(v) is vector v of the row of X, weighted when there are weights; chains is 1 or 2. */
#define SIDES_ROW(nv, vector, y, chains)                                                                           \
    const vec target = broadcast(y);                                                                               \
    UNROLL                                                                                                         \
    for (int v = 0; v < (nv); v++)                                                                                 \
        SIDE_VECTOR(sum[u & ((chains) - 1)][v], dot[u & ((chains) - 1)][v], target, vector(v));
#define DOTS_ROW(nv, vector, y, chains)                                                                            \
    const vec target = broadcast(y);                                                                               \
    UNROLL                                                                                                         \
    for (int v = 0; v < (nv); v++)                                                                                 \
        MULTIPLY_ADD(dot[u & ((chains) - 1)][v], target, vector(v));
#define SUMS_ROW(nv, vector, chains)                                                                               \
    UNROLL                                                                                                         \
    for (int v = 0; v < (nv); v++)                                                                                 \
        sum[u & ((chains) - 1)][v] += vector(v);

/* Vectors of the right operand: in registers already, or from memory. */
#define REGISTER_OPERAND(v) right_vector[v]
#define MEMORY_OPERAND(v) load(right + (v) * FLSQ_VL)
#define WEIGHED_OPERAND(v) weighed(load(right + (v) * FLSQ_VL), weight)

#if defined(FLSQ_SIDE_VECTOR)
#define SIDE_VECTOR(sum, dot, target, x) FLSQ_SIDE_VECTOR(sum, dot, target, x)
#else
#define SIDE_VECTOR(sum, dot, target, x)                                                                           \
    {                                                                                                              \
        vec x_vector = x;                                                                                          \
        IN_REGISTER(x_vector);                                                                                     \
        sum += x_vector;                                                                                           \
        MULTIPLY_ADD(dot, x_vector, target);                                                                       \
    }
#endif

#define STORE_SIDES(nv)                                                                                            \
    UNROLL                                                                                                         \
    for (int v = 0; v < (nv); v++) {                                                                               \
        double *const sums = sides->sums + v * FLSQ_VL, *const dots = sides->dots + v * FLSQ_VL;                   \
        if (sides->sums != NULL)                                                                                   \
            store(sums, load(sums) + (sum[0][v] + sum[1][v]));                                                     \
        store(dots, load(dots) + (dot[0][v] + dot[1][v]));                                                         \
    }

/* A sweep of their own, too short to ask for anything. */
#define SIDE_WEIGHT                                                                                                \
    const vec weight = w != NULL ? broadcast(*w_row++) : (vec){0};                                                 \
    (void)weight;
#define SIDE_SUMS(nv, QUIET_SWEEP, OPERAND)                                                                        \
    {                                                                                                              \
        ZERO_SIDES(nv);                                                                                            \
        const double *y_row = y, *w_row = w;                                                                       \
        (void)w_row;                                                                                               \
        if (sides->sums != NULL)                                                                                   \
            QUIET_SWEEP(b, b, SIDE_WEIGHT SIDES_ROW(nv, OPERAND, *y_row++, 2))                            \
        else                                                                                                       \
            QUIET_SWEEP(b, b, SIDE_WEIGHT DOTS_ROW(nv, OPERAND, *y_row++, 2))                             \
        STORE_SIDES(nv)                                                                                            \
    }

/* Rows dealt to four vectors of lanes; the vectors are added as (0 + 2) + (1 + 3), then the lanes, then the last rows. */
static void target_sums(int64_t rows, const double *y, const double *w, double sums[3])
{
    vec weight[4], plain[4], square[4];
    UNROLL
    for (int i = 0; i < 4; i++)
        weight[i] = plain[i] = square[i] = (vec){0};
    int64_t k = 0;
    for (; k + 4 * FLSQ_VL <= rows; k += 4 * FLSQ_VL)
        UNROLL
        for (int i = 0; i < 4; i++) {
            const vec target = load(y + k + i * FLSQ_VL);
            const vec weighted = w != NULL ? load(w + k + i * FLSQ_VL) * target : target;
            if (w != NULL)
                weight[i] += load(w + k + i * FLSQ_VL);
            plain[i] += weighted;
            square[i] += weighted * target;
        }
    double tail[3] = {0, 0, 0};
    for (; k < rows; k++) {
        const double weighted = w != NULL ? w[k] * y[k] : y[k];
        tail[0] += w != NULL ? w[k] : 1.0;
        tail[1] += weighted;
        tail[2] += weighted * y[k];
    }
    sums[0] = w != NULL ? lane_sum((weight[0] + weight[2]) + (weight[1] + weight[3])) + tail[0] : (double)rows;
    sums[1] = lane_sum((plain[0] + plain[2]) + (plain[1] + plain[3])) + tail[1];
    sums[2] = lane_sum((square[0] + square[2]) + (square[1] + square[3])) + tail[2];
}
