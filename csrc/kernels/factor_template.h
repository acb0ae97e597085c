/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Kernels of the p x p factorization.  Included by kernel_template.h.
 */

/* A = RᵀR for a block that fits in L1/L2: row k of R, then the rows below it lose their part of it.  Square root and
 * division, no reciprocals: one rounding each. */
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

/* target -= factor*source, one packed row */
INLINE void subtract_row(double factor, const double *source, double *target)
{
    UNROLL
    for (int v = 0; v < FLSQ_NV; v++)
        store(target + v * FLSQ_VL, load(target + v * FLSQ_VL) - factor * load(source + v * FLSQ_VL));
}

/* Rᵀx = b for the NR right-hand sides of one packed panel, TILE_ROWS rows of x at a time:
 * x_i = (b_i - sum_{l < i} R_li x_l) / R_ii, the part l < i0 as a register tile, the rest by substitution. */
static void triangular_panel(int64_t n, const double *r, int64_t ld, double *panel)
{
    enum { MR = TILE_ROWS(FLSQ_NV) };
    int64_t i0 = 0;
    for (; i0 + MR <= n; i0 += MR) {
        ZERO_TILE(MR, FLSQ_NV);
        SWEEP(i0, 4, , r + i0, ld, panel, NR, TILE_ROW(MR, FLSQ_NV, 1))
        STORE_TILE(MR, FLSQ_NV, panel + i0 * NR, -)
        for (int64_t i = i0; i < i0 + MR; i++) {
            for (int64_t l = i0; l < i; l++)
                subtract_row(r[l * ld + i], panel + l * NR, panel + i * NR);
            for (int64_t j = 0; j < NR; j++)
                panel[i * NR + j] /= r[i * ld + i];
        }
    }
    for (int64_t i = i0; i < n; i++) {
        for (int64_t l = 0; l < i; l++)
            subtract_row(r[l * ld + i], panel + l * NR, panel + i * NR);
        for (int64_t j = 0; j < NR; j++)
            panel[i * NR + j] /= r[i * ld + i];
    }
}
