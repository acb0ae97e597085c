/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Kernels of the p x p factorization, and the in-register transpose.  Included by kernel_template.h.
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
        SWEEP(i0, STRIDED_DEEP, , r + i0, ld, panel, NR, TILE_ROW(MR, FLSQ_NV, 1))
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

/* block[i][j] <-> block[j][i].  Round d swaps, in every pair of vectors (i, i+d), the lanes whose index has bit d in
 * the first with those that have it not in the second. */
#if defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 12)
#define SHUFFLE __builtin_shufflevector
#else
typedef long long mask_vec __attribute__((vector_size(8 * FLSQ_VL)));
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (mask_vec){__VA_ARGS__})
#endif
#if FLSQ_VL == 2
#define LOW_1(a, b) SHUFFLE(a, b, 0, 2)
#define HIGH_1(a, b) SHUFFLE(a, b, 1, 3)
#elif FLSQ_VL == 4
#define LOW_1(a, b) SHUFFLE(a, b, 0, 4, 2, 6)
#define HIGH_1(a, b) SHUFFLE(a, b, 1, 5, 3, 7)
#define LOW_2(a, b) SHUFFLE(a, b, 0, 1, 4, 5)
#define HIGH_2(a, b) SHUFFLE(a, b, 2, 3, 6, 7)
#elif FLSQ_VL == 8
#define LOW_1(a, b) SHUFFLE(a, b, 0, 8, 2, 10, 4, 12, 6, 14)
#define HIGH_1(a, b) SHUFFLE(a, b, 1, 9, 3, 11, 5, 13, 7, 15)
#define LOW_2(a, b) SHUFFLE(a, b, 0, 1, 8, 9, 4, 5, 12, 13)
#define HIGH_2(a, b) SHUFFLE(a, b, 2, 3, 10, 11, 6, 7, 14, 15)
#define LOW_4(a, b) SHUFFLE(a, b, 0, 1, 2, 3, 8, 9, 10, 11)
#define HIGH_4(a, b) SHUFFLE(a, b, 4, 5, 6, 7, 12, 13, 14, 15)
#endif
#define EXCHANGE(d)                                                                                                \
    UNROLL                                                                                                         \
    for (int i = 0; i < FLSQ_VL; i++)                                                                              \
        if (!(i & (d))) {                                                                                          \
            const vec a = block[i], b = block[i + (d)];                                                            \
            block[i] = LOW_##d(a, b);                                                                              \
            block[i + (d)] = HIGH_##d(a, b);                                                                       \
        }
#if FLSQ_VL == 2
#define TRANSPOSE(block) EXCHANGE(1)
#elif FLSQ_VL == 4
#define TRANSPOSE(block) EXCHANGE(1) EXCHANGE(2)
#elif FLSQ_VL == 8
#define TRANSPOSE(block) EXCHANGE(1) EXCHANGE(2) EXCHANGE(4)
#endif
