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

/* acc[i][v] += sum_k a[k*a_step + i*a_row] * b[k*b_step + v*VL ..], i < mr, v < nv: mr*nv independent chains. */
#define SWEEP_TILE(mr, nv, depth, a, a_row, a_step, b, b_step, each_row)                                           \
    UNROLL_ROWS                                                                                                    \
    for (int64_t k = 0; k < (depth); k++) {                                                                        \
        each_row;                                                                                                  \
        vec right[nv];                                                                                             \
        UNROLL                                                                                                     \
        for (int v = 0; v < (nv); v++)                                                                             \
            right[v] = load((b) + k * (b_step) + v * FLSQ_VL);                                                     \
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

/* The rows of the next chunk are asked for while this one is multiplied, evenly: `pace` bytes for each row of a sweep,
 * in steps of four rows.  Asking faster than memory answers fills the miss buffers, and the loads of this chunk wait
 * behind it (Zen 3, p = 32, two threads: a line for every row 31 ms, for every fourth 24).  A sweep that has nothing to
 * ask for runs a loop without it: loads are what these loops are short of. */
#define ASK(k)                                                                                                     \
    if (((k) & 3) == 0) {                                                                                          \
        __builtin_prefetch(fetch + (k) * pace, 0, 3);                                                              \
        __builtin_prefetch(fetch + ((k) + 2) * pace, 0, 3);                                                        \
    }

#define EITHER_SWEEP(ahead, rows, SWEEP, ...)                                                                      \
    if ((ahead)->next < (ahead)->end) {                                                                            \
        const char *const fetch = (ahead)->next;                                                                   \
        const int64_t pace = (ahead)->pace;                                                                        \
        SWEEP(__VA_ARGS__, ASK(k))                                                                                 \
        (ahead)->next += pace * (rows);                                                                            \
    } else {                                                                                                       \
        SWEEP(__VA_ARGS__, )                                                                                       \
    }

#define GRAM_BLOCK(nv)                                                                                             \
    for (int i0 = 0; i0 < NR; i0 += TILE_ROWS(nv)) {                                                               \
        ZERO_TILE(TILE_ROWS(nv), nv);                                                                              \
        const double *const left_panel = a + i0;                                                                   \
        EITHER_SWEEP(ahead, rows, SWEEP_TILE, TILE_ROWS(nv), nv, rows, left_panel, 1, step, b, step)               \
        STORE_TILE(TILE_ROWS(nv), nv, c + i0 * NR, +)                                                              \
    }

static void gram_block(int64_t rows, const double *a, const double *b, int64_t step, int64_t columns, double *c,
                       flsq_ahead *ahead)
{
    SWITCH_VECTORS(VECTORS(columns), GRAM_BLOCK)
}

/* The upper triangle of one panel with itself.  Row group g (VL rows) meets only the vectors g..nv-1, so the block
 * costs (nv+1)/(2 nv) of a full one.  The groups [first, last) share one sweep and together hold no more
 * accumulators than a full register tile.  Rows of the operands are `step` apart. */
#define SWEEP_GROUPS(first, last, nv, each_row)                                                                    \
    UNROLL_ROWS                                                                                                    \
    for (int64_t k = 0; k < rows; k++) {                                                                           \
        each_row;                                                                                                  \
        vec right[nv];                                                                                             \
        UNROLL                                                                                                     \
        for (int v = (first); v < (nv); v++)                                                                       \
            right[v] = load(b + k * step + v * FLSQ_VL);                                                           \
        UNROLL                                                                                                     \
        for (int g = (first); g < (last); g++)                                                                     \
            UNROLL                                                                                                 \
            for (int i = 0; i < FLSQ_VL; i++) {                                                                    \
                const vec left = broadcast(a[k * step + g * FLSQ_VL + i]);                                         \
                UNROLL                                                                                             \
                for (int v = g; v < (nv); v++)                                                                     \
                    acc[g - (first)][i][v] += left * right[v];                                                     \
            }                                                                                                      \
    }

#define DIAGONAL_GROUPS(first, last, nv)                                                                           \
    {                                                                                                              \
        vec acc[(last) - (first)][FLSQ_VL][nv];                                                                    \
        UNROLL                                                                                                     \
        for (int g = (first); g < (last); g++)                                                                     \
            UNROLL                                                                                                 \
            for (int i = 0; i < FLSQ_VL; i++)                                                                      \
                UNROLL                                                                                             \
                for (int v = g; v < (nv); v++)                                                                     \
                    acc[g - (first)][i][v] = (vec){0};                                                             \
        EITHER_SWEEP(ahead, rows, SWEEP_GROUPS, first, last, nv)                                                   \
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

static void gram_diagonal(int64_t rows, const double *a, const double *b, int64_t step, int64_t columns, double *c,
                          flsq_ahead *ahead)
{
    SWITCH_VECTORS(VECTORS(columns), DIAGONAL)
}

/* ---- beside the panels of X, when they are read where they lie --------------------------------------------------- */

#define SWEEP_SIDES(nv, each_row)                                                                                  \
    UNROLL_ROWS                                                                                                    \
    for (int64_t k = 0; k < rows; k++) {                                                                           \
        each_row;                                                                                                  \
        const vec target = broadcast(y[k * y_step]);                                                               \
        UNROLL                                                                                                     \
        for (int v = 0; v < (nv); v++) {                                                                           \
            const vec right = load(x + k * step + v * FLSQ_VL);                                                    \
            plain[v] += right;                                                                                     \
            crossed[v] += right * target;                                                                          \
        }                                                                                                          \
    }

#define SIDE_SUMS(nv)                                                                                              \
    {                                                                                                              \
        vec plain[nv], crossed[nv];                                                                                \
        UNROLL                                                                                                     \
        for (int v = 0; v < (nv); v++)                                                                             \
            plain[v] = crossed[v] = (vec){0};                                                                      \
        EITHER_SWEEP(ahead, rows, SWEEP_SIDES, nv)                                                                 \
        UNROLL                                                                                                     \
        for (int v = 0; v < (nv); v++) {                                                                           \
            store(x_sums + v * FLSQ_VL, plain[v]);                                                                 \
            store(x_dot_y + v * FLSQ_VL, crossed[v]);                                                              \
        }                                                                                                          \
    }

static void side_sums(int64_t rows, const double *x, int64_t step, int64_t columns, const double *y, int64_t y_step,
                      double *x_sums, double *x_dot_y, flsq_ahead *ahead)
{
    SWITCH_VECTORS(VECTORS(columns), SIDE_SUMS)
}

/* {sum y, sum y²} as two lanes of one vector: of a scalar chain the compiler may split the multiply-add. */
static void target_sums(int64_t rows, const double *y, int64_t y_step, double *sums)
{
    vec own = {0};
    for (int64_t k = 0; k < rows; k++) {
        vec one_and_target = {1.0};
        one_and_target[1] = y[k * y_step];
        own += one_and_target * broadcast(y[k * y_step]);
    }
    sums[0] = own[0];
    sums[1] = own[1];
}

/* y[k][t] -= sum_j z[k][j]*b[j][t]: the left operand is read along the rows of its panels. */
#define RESIDUAL_BLOCK(nv)                                                                                         \
    for (int64_t k0 = 0; k0 < rows; k0 += TILE_ROWS(nv)) {                                                         \
        ZERO_TILE(TILE_ROWS(nv), nv);                                                                              \
        for (int64_t J = 0; J < panels; J++) {                                                                     \
            const double *const left_rows = z + J * panel_stride + k0 * NR, *const right_rows = b + J * NR * NR;   \
            SWEEP_TILE(TILE_ROWS(nv), nv, NR, left_rows, NR, 1, right_rows, NR, )                                  \
        }                                                                                                          \
        STORE_TILE(TILE_ROWS(nv), nv, y + k0 * NR, -)                                                              \
    }

static void residual_block(int64_t rows, int64_t panels, const double *z, int64_t panel_stride, const double *b,
                           int64_t columns, double *y)
{
    SWITCH_VECTORS(VECTORS(columns), RESIDUAL_BLOCK)
}
