/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Kernels of the p x p factorization.  Included by kernel_template.h.
 */

/* A = RᵀR for a block that fits in L1/L2: row k of R, then the rows below it lose their part of it. */
static int64_t cholesky_small(int64_t n, double *a, int64_t ld)
{
    for (int64_t k = 0; k < n; k++) {
        double *const row = a + k * ld;
        if (!(row[k] > 0) || !(row[k] <= 0x1.fffffffffffffp+1023))
            return k;
        const double pivot = sqrt(row[k]);
        row[k] = pivot;
        for (int64_t j = k + 1; j < n; j++)
            row[j] /= pivot;
        for (int64_t i = k + 1; i < n; i++)
            axpy(n - i, -row[i], row + i, a + i * ld + i);
    }
    return -1;
}

/* Rᵀx = b for the NR right-hand sides of one packed panel, TILE_ROWS rows of x at a time, which stay in registers:
 * x_i = (b_i - sum_{l < i} R_li x_l) / R_ii.  They start as -b, so that the part of the rows before is added as in a
 * Gram block. */
#define TRIANGULAR_ROWS(mr)                                                                                        \
    {                                                                                                              \
        vec acc[mr][FLSQ_NV];                                                                                      \
        UNROLL                                                                                                     \
        for (int i = 0; i < (mr); i++)                                                                             \
            UNROLL                                                                                                 \
            for (int v = 0; v < FLSQ_NV; v++)                                                                      \
                acc[i][v] = -load(panel + (i0 + i) * NR + v * FLSQ_VL);                                            \
        SWEEP(i0, r + i0, ld, panel, FREE_ROW(mr, FLSQ_NV, 1))                                                     \
        UNROLL                                                                                                     \
        for (int i = 0; i < (mr); i++) {                                                                           \
            UNROLL                                                                                                 \
            for (int l = 0; l < i; l++)                                                                            \
                UNROLL                                                                                             \
                for (int v = 0; v < FLSQ_NV; v++)                                                                  \
                    acc[i][v] += acc[l][v] * broadcast(r[(i0 + l) * ld + i0 + i]);                                 \
            UNROLL                                                                                                 \
            for (int v = 0; v < FLSQ_NV; v++) {                                                                    \
                acc[i][v] *= -broadcast(reciprocal[i0 + i]);                                                       \
                store(panel + (i0 + i) * NR + v * FLSQ_VL, acc[i][v]);                                             \
            }                                                                                                      \
        }                                                                                                          \
        i0 += (mr);                                                                                                \
    }

static void triangular_panel(int64_t n, const double *r, int64_t ld, const double *reciprocal, double *panel)
{
    int64_t i0 = 0;
    while (i0 + TILE_ROWS(FLSQ_NV) <= n)
        TRIANGULAR_ROWS(TILE_ROWS(FLSQ_NV))
    while (i0 < n)
        TRIANGULAR_ROWS(1)
}
