/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Register tiles: the blocks of ZᵀWZ and of Y - XB.  Included by kernel_template.h after the sweeps.
 */

/* c += acc for the tile of VL columns j0.. of b against a whole panel: acc[j][v] holds rows v*VL.. of column j0 + j. */
#define STORE_TURNED(c)                                                                                            \
    UNROLL                                                                                                         \
    for (int v = 0; v < FLSQ_NV; v++) {                                                                            \
        vec turned[FLSQ_VL];                                                                                       \
        UNROLL                                                                                                     \
        for (int j = 0; j < FLSQ_VL; j++)                                                                          \
            turned[j] = acc[j][v];                                                                                 \
        TRANSPOSE(turned);                                                                                         \
        UNROLL                                                                                                     \
        for (int i = 0; i < FLSQ_VL; i++) {                                                                        \
            double *const entry = (c) + (v * FLSQ_VL + i) * NR;                                                    \
            store(entry, load(entry) + turned[i]);                                                                 \
        }                                                                                                          \
    }

/* A whole panel on the right: tiles of it against TILE_ROWS columns of the left one.  A narrower one changes sides, so
 * that its tiles are as wide: 7 loads for 12 multiply-adds instead of 8 or 13.  TURNED_ROW and ROW are the rows of the two. */
#define BLOCK_SWEEPS(nv) ((nv) < FLSQ_NV ? (nv) : NR / TILE_ROWS(FLSQ_NV))
#define GRAM_BLOCK(nv, SWEEP, TURNED_ROW, ROW)                                                                     \
    for (int s = 0; s < BLOCK_SWEEPS(nv); s++) {                                                                   \
        const double *w_row = w;                                                                                   \
        (void)w_row;                                                                                               \
        if ((nv) < FLSQ_NV) {                                                                                      \
            ZERO_TILE(FLSQ_VL, FLSQ_NV);                                                                           \
            SWEEP(c + s * FLSQ_VL, b + s * FLSQ_VL, a, TURNED_ROW)                                                 \
            STORE_TURNED(c + s * FLSQ_VL)                                                                          \
        } else {                                                                                                   \
            ZERO_TILE(TILE_ROWS(FLSQ_NV), FLSQ_NV);                                                                \
            SWEEP(c + s * TILE_ROWS(FLSQ_NV) * NR, a + s * TILE_ROWS(FLSQ_NV), b, ROW)                             \
            STORE_TILE(TILE_ROWS(FLSQ_NV), FLSQ_NV, c + s * TILE_ROWS(FLSQ_NV) * NR, +)                            \
        }                                                                                                          \
    }
#define PACKED_BLOCK(nv) GRAM_BLOCK(nv, PACKED_SWEEP, WHOLE_ROW(FLSQ_VL), WHOLE_ROW(TILE_ROWS(FLSQ_NV)))
#define STRIDED_BLOCK(nv) GRAM_BLOCK(nv, STRIDED_SWEEP, WHOLE_ROW(FLSQ_VL), WHOLE_ROW(TILE_ROWS(FLSQ_NV)))
#define WEIGHED_BLOCK(nv) GRAM_BLOCK(nv, STRIDED_SWEEP, WEIGHED_LEFT_ROW(FLSQ_VL), WEIGHED_RIGHT_ROW(TILE_ROWS(FLSQ_NV)))

static void gram_block(int64_t rows, const double *a, const double *b, int64_t step, const double *w, int64_t columns,
                       double *c, flsq_ahead *ahead)
{
    if (w != NULL) {
        SWITCH_VECTORS(VECTORS(columns), WEIGHED_BLOCK)
    } else if (step == NR) {
        SWITCH_VECTORS(VECTORS(columns), PACKED_BLOCK)
    } else {
        SWITCH_VECTORS(VECTORS(columns), STRIDED_BLOCK)
    }
}

/* The same with the panel a where it lies. */
#define HALF_BLOCK(nv)                                                                                             \
    for (int s = 0; s < BLOCK_SWEEPS(nv); s++) {                                                                   \
        if ((nv) < FLSQ_NV) {                                                                                      \
            ZERO_TILE(FLSQ_VL, FLSQ_NV);                                                                           \
            MIXED_SWEEP(c + s * FLSQ_VL, b + s * FLSQ_VL, NR, a, step, FREE_ROW(FLSQ_VL, FLSQ_NV, 1))              \
            STORE_TURNED(c + s * FLSQ_VL)                                                                          \
        } else {                                                                                                   \
            ZERO_TILE(TILE_ROWS(FLSQ_NV), FLSQ_NV);                                                                \
            MIXED_SWEEP(c + s * TILE_ROWS(FLSQ_NV) * NR, a + s * TILE_ROWS(FLSQ_NV), step, b, NR,                  \
                        FREE_ROW(TILE_ROWS(FLSQ_NV), FLSQ_NV, 1))                                                  \
            STORE_TILE(TILE_ROWS(FLSQ_NV), FLSQ_NV, c + s * TILE_ROWS(FLSQ_NV) * NR, +)                            \
        }                                                                                                          \
    }

static void gram_half_block(int64_t rows, const double *a, int64_t step, const double *b, int64_t columns, double *c,
                            flsq_ahead *ahead)
{
    SWITCH_VECTORS(VECTORS(columns), HALF_BLOCK)
}

/* The upper triangle of one panel with itself.  Row group g (VL rows) meets only the vectors g..nv-1, so the block
 * costs (nv+1)/(2 nv) of a full one.  The groups [first, last) share one sweep and together hold no more
 * accumulators than a full register tile. */
#define GROUPS_PRODUCTS(first, last, nv)                                                                           \
    UNROLL                                                                                                         \
    for (int g = (first); g < (last); g++)                                                                         \
        UNROLL                                                                                                     \
        for (int i = 0; i < FLSQ_VL; i++) {                                                                        \
            const vec factor = broadcast(left[g * FLSQ_VL + i]);                                                   \
            UNROLL                                                                                                 \
            for (int v = g; v < (nv); v++)                                                                         \
                MULTIPLY_ADD(acc[g - (first)][i][v], factor, right_vector[v]);                                     \
        }
#define GROUPS_ROW(first, last, nv)                                                                                \
    if (HAS_ROWS && (nv) == FLSQ_NV && (last) - (first) == 1) {                                                    \
        GROUP_ROW                                                                                                  \
    } else if (HAS_ROWS && (nv) > 1) {                                                                             \
        CORNER_ROW(first)                                                                                          \
    } else {                                                                                                       \
        LOAD_RIGHT(first, nv)                                                                                      \
        GROUPS_PRODUCTS(first, last, nv)                                                                           \
    }

/* The same of weighed rows, whose right vectors the statements behind it see: from 0 on. */
#define WEIGHED_GROUPS_ROW(first, last, nv)                                                                        \
    LOAD_WEIGHED(0, nv)                                                                                            \
    GROUPS_PRODUCTS(first, last, nv)

/* One sweep; `...` are the statements of a row. */
#define DIAGONAL_GROUPS(first, last, nv, SWEEP, ...)                                                               \
    {                                                                                                              \
        vec acc[(last) - (first)][FLSQ_VL][nv];                                                                    \
        const double *w_row = w;                                                                                   \
        (void)w_row;                                                                                               \
        UNROLL                                                                                                     \
        for (int g = (first); g < (last); g++)                                                                     \
            UNROLL                                                                                                 \
            for (int i = 0; i < FLSQ_VL; i++)                                                                      \
                UNROLL                                                                                             \
                for (int v = g; v < (nv); v++)                                                                     \
                    acc[g - (first)][i][v] = (vec){0};                                                             \
        SWEEP(c + (first) * FLSQ_VL * NR, a, b, __VA_ARGS__)                                                       \
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

/* Up to m columns beside their sums.  Even and odd rows have chains of their own: with one for both, the latency of a
 * multiply-add would set the pace (AVX-512, p = 4: 5 cycles a row, 3.5 with two chains of half the lanes). */
enum { NARROW = 4 };
#define NARROW_ROW(m)                                                                                              \
    UNROLL                                                                                                         \
    for (int i = 0; i < (m); i++)                                                                                  \
        MULTIPLY_ADD(acc[u & 1][i], broadcast(left[i]), right_vector[0]);
#define NARROW_DIAGONAL(m, SWEEP, LOAD)                                                                            \
    {                                                                                                              \
        vec acc[2][m];                                                                                             \
        UNROLL                                                                                                     \
        for (int i = 0; i < (m); i++)                                                                              \
            acc[0][i] = acc[1][i] = (vec){0};                                                                      \
        ZERO_SIDES(1);                                                                                             \
        const double *y_row = y, *w_row = w;                                                                       \
        (void)w_row;                                                                                               \
        SWEEP(c, a, b, LOAD(0, 1) NARROW_ROW(m) SIDES_ROW(1, REGISTER_OPERAND, *y_row++, 2))                       \
        STORE_SIDES(1)                                                                                             \
        UNROLL                                                                                                     \
        for (int i = 0; i < (m); i++)                                                                              \
            store(c + i * NR, load(c + i * NR) + (acc[0][i] + acc[1][i]));                                         \
    }

/* VL*nv*(nv+1)/2 accumulators: 24 vectors of four lanes at nv = 3 are two sweeps of 12.  The sums beside one vector fit into
 * the same sweep, with 32 registers those beside more, too. */
#define DIAGONAL_SWEEPS(nv) (FLSQ_VL >= 4 && (nv) == 3 ? 2 : 1)
#define SIDES_BESIDE(nv) ((nv) == 1 || (FLSQ_REGISTERS == 32 && FLSQ_VL == 8))
#define GRAM_DIAGONAL(nv, SWEEP, LOAD, GROUPS, OPERAND, SIDE_OPERAND)                                              \
    if ((nv) == 1 && FLSQ_VL >= NARROW && columns <= NARROW && sides != NULL) {                                    \
        NARROW_DIAGONAL(NARROW, SWEEP, LOAD)                                                                       \
    } else if (SIDES_BESIDE(nv) && sides != NULL) {                                                                \
        ZERO_SIDES(nv);                                                                                            \
        const double *y_row = y;                                                                                   \
        if (DIAGONAL_SWEEPS(nv) == 2) {                                                                            \
            DIAGONAL_GROUPS(0, 1, nv, SWEEP, GROUPS(0, 1, nv) DOTS_ROW(nv, OPERAND, *y_row++, 1))                  \
            DIAGONAL_GROUPS(1, nv, nv, SWEEP, GROUPS(1, nv, nv) SUMS_ROW(nv, OPERAND, 1))                          \
        } else {                                                                                                   \
            DIAGONAL_GROUPS(0, nv, nv, SWEEP,                                                                      \
                            GROUPS(0, nv, nv) SIDES_ROW(nv, OPERAND, *y_row++, (nv) == 1 ? 2 : 1))                 \
        }                                                                                                          \
        STORE_SIDES(nv)                                                                                            \
    } else {                                                                                                       \
        if (DIAGONAL_SWEEPS(nv) == 2) {                                                                            \
            DIAGONAL_GROUPS(0, 1, nv, SWEEP, GROUPS(0, 1, nv))                                                     \
            DIAGONAL_GROUPS(1, nv, nv, SWEEP, GROUPS(1, nv, nv))                                                   \
        } else {                                                                                                   \
            DIAGONAL_GROUPS(0, nv, nv, SWEEP, GROUPS(0, nv, nv))                                                   \
        }                                                                                                          \
        if (sides != NULL)                                                                                         \
            SIDE_SUMS(nv, QUIET_##SWEEP, SIDE_OPERAND)                                                             \
    }
#define PACKED_DIAGONAL(nv) GRAM_DIAGONAL(nv, PACKED_SWEEP, LOAD_RIGHT, GROUPS_ROW, MEMORY_OPERAND, MEMORY_OPERAND)
#define STRIDED_DIAGONAL(nv) GRAM_DIAGONAL(nv, STRIDED_SWEEP, LOAD_RIGHT, GROUPS_ROW, MEMORY_OPERAND, MEMORY_OPERAND)
#define WEIGHED_DIAGONAL(nv) \
    GRAM_DIAGONAL(nv, STRIDED_SWEEP, LOAD_WEIGHED, WEIGHED_GROUPS_ROW, REGISTER_OPERAND, WEIGHED_OPERAND)

static void gram_diagonal(int64_t all, const double *a, const double *b, int64_t step, int64_t columns, double *c,
                          const flsq_sides *sides, flsq_ahead *ahead)
{
    const int64_t chunk = sides != NULL ? sides->chunk : all;
    for (int64_t k = 0; k < all; k += chunk) {
        const int64_t rows = FLSQ_MIN(chunk, all - k);
        const double *const y = sides != NULL ? sides->y + k : NULL;
        const double *const w = sides != NULL && sides->w != NULL ? sides->w + k : NULL;
        for (int64_t i = 0; sides != NULL && sides->farther > 0 && i < rows; i += 64 / (int64_t)sizeof(double)) {
            __builtin_prefetch(y + sides->farther + i, 0, FLSQ_NEAR);
            if (w != NULL)
                __builtin_prefetch(w + sides->farther + i, 0, FLSQ_NEAR);
        }
        if (w != NULL) {
            const double *const a = b;
            SWITCH_VECTORS(VECTORS(columns), WEIGHED_DIAGONAL)
        } else if (step == NR) {
            SWITCH_VECTORS(VECTORS(columns), PACKED_DIAGONAL)
        } else { /* the same rows, and the compiler should know it: no distance to the left operand */
            const double *const a = b;
            SWITCH_VECTORS(VECTORS(columns), STRIDED_DIAGONAL)
        }
        a += chunk * step;
        b += chunk * step;
    }
}

/* y[k][t] -= sum_j z[k][j]*b[j][t]: the left operand is read along the rows of its panels. */
#define RESIDUAL_BLOCK(nv)                                                                                         \
    for (int64_t k0 = 0; k0 < rows; k0 += TILE_ROWS(nv)) {                                                         \
        ZERO_TILE(TILE_ROWS(nv), nv);                                                                              \
        for (int64_t J = 0; J < panels; J++)                                                                       \
            SWEEP(NR, z + J * panel_stride + k0 * NR, 1, b + J * NR * NR, FREE_ROW(TILE_ROWS(nv), nv, NR))         \
        STORE_TILE(TILE_ROWS(nv), nv, y + k0 * NR, -)                                                              \
    }

static void residual_block(int64_t rows, int64_t panels, const double *z, int64_t panel_stride, const double *b,
                           int64_t columns, double *y)
{
    SWITCH_VECTORS(VECTORS(columns), RESIDUAL_BLOCK)
}
