/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * TRANSPOSE(block): VL vectors of VL lanes, turned in registers.  Included by kernel_template.h.
 */

/* block[i][j] <-> block[j][i].  Round d swaps, in every pair of vectors (i, i+d), the lanes whose index has bit d in
 * the first with those that have it not in the second. */
#if defined(__clang__) || (defined(__GNUC__) && __GNUC__ >= 12)
#define SHUFFLE __builtin_shufflevector
#else
#define SHUFFLE(a, b, ...) __builtin_shuffle(a, b, (int_vec){__VA_ARGS__})
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
#define EXCHANGE(block, d)                                                                                         \
    UNROLL                                                                                                         \
    for (int i = 0; i < FLSQ_VL; i++)                                                                              \
        if (!(i & (d))) {                                                                                          \
            const vec low = block[i], high = block[i + (d)];                                                       \
            block[i] = LOW_##d(low, high);                                                                         \
            block[i + (d)] = HIGH_##d(low, high);                                                                  \
        }
#if FLSQ_VL == 2
#define TRANSPOSE(block) EXCHANGE(block, 1)
#elif FLSQ_VL == 4
#define TRANSPOSE(block) EXCHANGE(block, 1) EXCHANGE(block, 2)
#elif FLSQ_VL == 8
#define TRANSPOSE(block) EXCHANGE(block, 1) EXCHANGE(block, 2) EXCHANGE(block, 4)
#endif
