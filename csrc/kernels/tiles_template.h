/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Register tiles: the blocks of ZᵀWZ and of Y - XB.  Included by kernel_template.h.
 */

#define ZERO_TILE(mr, nv)                                                                                          \
    vec acc[mr][nv];                                                                                               \
    UNROLL                                                                                                         \
    for (int i = 0; i < (mr); i++)                                                                                 \
        UNROLL                                                                                                     \
        for (int v = 0; v < (nv); v++)                                                                             \
            acc[i][v] = (vec){0}

/* acc[i][v] += sum_k a[k*a_step + i*a_row] * b[k*NR + v*VL ..], i < mr, v < nv: mr*nv independent chains. */
#define SWEEP_TILE(mr, nv, depth, a, a_row, a_step, b, each_row)                                                   \
    for (int64_t k = 0; k < (depth); k++) {                                                                        \
        each_row;                                                                                                  \
        vec right[nv];                                                                                             \
        UNROLL                                                                                                     \
        for (int v = 0; v < (nv); v++)                                                                             \
            right[v] = load((b) + k * NR + v * FLSQ_VL);                                                           \
        UNROLL                                                                                                     \
        for (int i = 0; i < (mr); i++) {                                                                           \
            const vec left = broadcast((a)[k * (a_step) + i * (a_row)]);                                           \
            UNROLL                                                                                                 \
            for (int v = 0; v < (nv); v++)                                                                         \
                acc[i][v] += left * right[v];                                                                      \
        }                                                                                                          \
    }

/* c[i*NR + v*VL ..] OP= acc[i][v] */
#define STORE_TILE(mr, nv, c, OP)                                                                                  \
    UNROLL                                                                                                         \
    for (int i = 0; i < (mr); i++)                                                                                 \
        UNROLL                                                                                                     \
        for (int v = 0; v < (nv); v++) {                                                                           \
            double *const entry = (c) + i * NR + v * FLSQ_VL;                                                      \
            store(entry, load(entry) OP acc[i][v]);                                                                \
        }

/* The rows of the next chunk are asked for while this one is multiplied, one cache line per row of a sweep. */
#define FETCH_BEGIN(ahead, rows)                                                                                   \
    const int fetching = (ahead)->next < (ahead)->end;                                                             \
    const char *const fetch = fetching ? (ahead)->next : (const char *)b; /* an unmapped address costs a page walk */\
    const int64_t fetch_step = fetching ? 64 : 0;                                                                  \
    (ahead)->next += fetch_step * (rows)
#define FETCH(k) __builtin_prefetch(fetch + (k) * fetch_step, 0, 2)

#define GRAM_BLOCK(nv)                                                                                             \
    for (int i0 = 0; i0 < NR; i0 += TILE_ROWS(nv)) {                                                               \
        FETCH_BEGIN(ahead, rows);                                                                                  \
        ZERO_TILE(TILE_ROWS(nv), nv);                                                                              \
        const double *const left_panel = a + i0;                                                                   \
        SWEEP_TILE(TILE_ROWS(nv), nv, rows, left_panel, 1, NR, b, FETCH(k))                                        \
        STORE_TILE(TILE_ROWS(nv), nv, c + i0 * NR, +)                                                              \
    }

static void gram_block(int64_t rows, const double *a, const double *b, int64_t columns, double *c,
                       flsq_ahead *ahead)
{
    SWITCH_VECTORS(VECTORS(columns), GRAM_BLOCK)
}

/* The upper triangle of one panel with itself.  Row group g (VL rows) meets only the vectors g..nv-1, so the block
 * costs (nv+1)/(2 nv) of a full one.  The groups [first, last) share one sweep and together hold no more
 * accumulators than a full register tile. */
#define DIAGONAL_GROUPS(first, last, nv)                                                                           \
    {                                                                                                              \
        FETCH_BEGIN(ahead, rows);                                                                                  \
        vec acc[(last) - (first)][FLSQ_VL][nv];                                                                    \
        UNROLL                                                                                                     \
        for (int g = (first); g < (last); g++)                                                                     \
            UNROLL                                                                                                 \
            for (int i = 0; i < FLSQ_VL; i++)                                                                      \
                UNROLL                                                                                             \
                for (int v = g; v < (nv); v++)                                                                     \
                    acc[g - (first)][i][v] = (vec){0};                                                             \
        for (int64_t k = 0; k < rows; k++) {                                                                       \
            FETCH(k);                                                                                              \
            vec right[nv];                                                                                         \
            UNROLL                                                                                                 \
            for (int v = (first); v < (nv); v++)                                                                   \
                right[v] = load(b + k * NR + v * FLSQ_VL);                                                         \
            UNROLL                                                                                                 \
            for (int g = (first); g < (last); g++)                                                                 \
                UNROLL                                                                                             \
                for (int i = 0; i < FLSQ_VL; i++) {                                                                \
                    const vec left = broadcast(a[k * NR + g * FLSQ_VL + i]);                                       \
                    UNROLL                                                                                         \
                    for (int v = g; v < (nv); v++)                                                                 \
                        acc[g - (first)][i][v] += left * right[v];                                                 \
                }                                                                                                  \
        }                                                                                                          \
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
#define DIAGONAL(nv)                                                                                               \
    if (FLSQ_VL >= 4 && (nv) == 3) {                                                                               \
        DIAGONAL_GROUPS(0, 1, nv)                                                                                  \
        DIAGONAL_GROUPS(1, nv, nv)                                                                                 \
    } else {                                                                                                       \
        DIAGONAL_GROUPS(0, nv, nv)                                                                                 \
    }

static void gram_diagonal(int64_t rows, const double *a, const double *b, int64_t columns, double *c,
                          flsq_ahead *ahead)
{
    SWITCH_VECTORS(VECTORS(columns), DIAGONAL)
}

/* y[k][t] -= sum_j z[k][j]*b[j][t]: the left operand is read along the rows of its panels. */
#define RESIDUAL_BLOCK(nv)                                                                                         \
    for (int64_t k0 = 0; k0 < rows; k0 += TILE_ROWS(nv)) {                                                         \
        ZERO_TILE(TILE_ROWS(nv), nv);                                                                              \
        for (int64_t J = 0; J < panels; J++) {                                                                     \
            const double *const left_rows = z + J * panel_stride + k0 * NR, *const right_rows = b + J * NR * NR;   \
            SWEEP_TILE(TILE_ROWS(nv), nv, NR, left_rows, NR, 1, right_rows, )                                      \
        }                                                                                                          \
        STORE_TILE(TILE_ROWS(nv), nv, y + k0 * NR, -)                                                              \
    }

static void residual_block(int64_t rows, int64_t panels, const double *z, int64_t panel_stride, const double *b,
                           int64_t columns, double *y)
{
    SWITCH_VECTORS(VECTORS(columns), RESIDUAL_BLOCK)
}
