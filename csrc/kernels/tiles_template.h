/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Register tiles: the blocks of ZᵀWZ and of Y - XB.  Included by kernel_template.h after the sweeps.
 */

#define GRAM_BLOCK(nv, deep, step)                                                                                 \
    for (int i0 = 0; i0 < NR; i0 += TILE_ROWS(nv)) {                                                               \
        ZERO_TILE(TILE_ROWS(nv), nv);                                                                              \
        SWEEP(rows, deep, ASK(deep), a + i0, step, b, step, TILE_ROW(TILE_ROWS(nv), nv, 1))                        \
        STORE_TILE(TILE_ROWS(nv), nv, c + i0 * NR, +)                                                              \
    }
#define PACKED_BLOCK(nv) GRAM_BLOCK(nv, PACKED_DEEP, NR)
#define STRIDED_BLOCK(nv) GRAM_BLOCK(nv, STRIDED_DEEP, step)

static void gram_block(int64_t rows, const double *a, const double *b, int64_t step, int64_t columns, double *c,
                       flsq_ahead *ahead)
{
    FETCHING;
    if (step == NR) {
        SWITCH_VECTORS(VECTORS(columns), PACKED_BLOCK)
    } else {
        SWITCH_VECTORS(VECTORS(columns), STRIDED_BLOCK)
    }
    FETCHED;
}

/* The upper triangle of one panel with itself.  Row group g (VL rows) meets only the vectors g..nv-1, so the block
 * costs (nv+1)/(2 nv) of a full one.  The groups [first, last) share one sweep and together hold no more
 * accumulators than a full register tile; `...` are further statements of a row. */
#define GROUPS_ROW(first, last, nv)                                                                                \
    LOAD_RIGHT(first, nv)                                                                                          \
    UNROLL                                                                                                         \
    for (int g = (first); g < (last); g++)                                                                         \
        UNROLL                                                                                                     \
        for (int i = 0; i < FLSQ_VL; i++) {                                                                        \
            const vec factor = broadcast(left[g * FLSQ_VL + i]);                                                   \
            UNROLL                                                                                                 \
            for (int v = g; v < (nv); v++)                                                                         \
                acc[g - (first)][i][v] += factor * right_vector[v];                                                \
        }

#define DIAGONAL_GROUPS(first, last, nv, deep, step, ...)                                                          \
    {                                                                                                              \
        vec acc[(last) - (first)][FLSQ_VL][nv];                                                                    \
        UNROLL                                                                                                     \
        for (int g = (first); g < (last); g++)                                                                     \
            UNROLL                                                                                                 \
            for (int i = 0; i < FLSQ_VL; i++)                                                                      \
                UNROLL                                                                                             \
                for (int v = g; v < (nv); v++)                                                                     \
                    acc[g - (first)][i][v] = (vec){0};                                                             \
        SWEEP(rows, deep, ASK(deep), a, step, b, step, GROUPS_ROW(first, last, nv) __VA_ARGS__)                    \
        UNROLL                                                                                                     \
        for (int g = (first); g < (last); g++)                                                                     \
            UNROLL                                                                                                 \
            for (int i = 0; i < FLSQ_VL; i++)                                                                      \
                UNROLL                                                                                             \
                for (int v = g; v < (nv); v++) {                                                                   \
                    double *const entry = c + (g * FLSQ_VL + i) * NR + v * FLSQ_VL;                                \
                    store(entry, load(entry) + acc[g - (first)][i][v]);                                            \
                }                                                                                                  \
    }

/* VL*nv*(nv+1)/2 accumulators: 24 vectors of four lanes at nv = 3 are two sweeps of 12. */
#define DIAGONAL_SWEEPS(nv) (FLSQ_VL >= 4 && (nv) == 3 ? 2 : 1)
#define GRAM_DIAGONAL(nv, deep, step)                                                                              \
    if (DIAGONAL_SWEEPS(nv) == 2) {                                                                                \
        DIAGONAL_GROUPS(0, 1, nv, deep, step, )                                                                    \
        DIAGONAL_GROUPS(1, nv, nv, deep, step, )                                                                   \
    } else if ((nv) == 1 && sides != NULL) { /* the sums beside one vector fit into the same sweep */              \
        ZERO_SIDES(1);                                                                                             \
        const double *y_row = sides->y;                                                                            \
        DIAGONAL_GROUPS(0, nv, nv, deep, step, SIDES_ROW(1, left, *y_row++, 1))                                    \
        STORE_SIDES(1)                                                                                             \
    } else {                                                                                                       \
        DIAGONAL_GROUPS(0, nv, nv, deep, step, )                                                                   \
    }                                                                                                              \
    if ((nv) > 1 && sides != NULL)                                                                                 \
    SIDE_SUMS(nv, deep, step)
#define PACKED_DIAGONAL(nv) GRAM_DIAGONAL(nv, PACKED_DEEP, NR)
#define STRIDED_DIAGONAL(nv) GRAM_DIAGONAL(nv, STRIDED_DEEP, step)

static void gram_diagonal(int64_t rows, const double *a, const double *b, int64_t step, int64_t columns, double *c,
                          const flsq_sides *sides, flsq_ahead *ahead)
{
    FETCHING;
    if (step == NR) {
        SWITCH_VECTORS(VECTORS(columns), PACKED_DIAGONAL)
    } else {
        SWITCH_VECTORS(VECTORS(columns), STRIDED_DIAGONAL)
    }
    FETCHED;
}

/* y[k][t] -= sum_j z[k][j]*b[j][t]: the left operand is read along the rows of its panels. */
#define RESIDUAL_BLOCK(nv)                                                                                         \
    for (int64_t k0 = 0; k0 < rows; k0 += TILE_ROWS(nv)) {                                                         \
        ZERO_TILE(TILE_ROWS(nv), nv);                                                                              \
        for (int64_t J = 0; J < panels; J++)                                                                       \
            SWEEP(NR, STRIDED_DEEP, , z + J * panel_stride + k0 * NR, 1, b + J * NR * NR, NR,                      \
                  TILE_ROW(TILE_ROWS(nv), nv, NR))                                                                 \
        STORE_TILE(TILE_ROWS(nv), nv, y + k0 * NR, -)                                                              \
    }

static void residual_block(int64_t rows, int64_t panels, const double *z, int64_t panel_stride, const double *b,
                           int64_t columns, double *y)
{
    SWITCH_VECTORS(VECTORS(columns), RESIDUAL_BLOCK)
}
