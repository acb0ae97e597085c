/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The inner rows of the AVX2 tiles, instruction by instruction.  Left to itself gcc 12 adds into whichever of the three
 * registers is free next, spills accumulators of an unrolled tile and moves its multiply-adds about: 4 x 12 tile, GFlop/s of
 * two cores with a peak of 98: 77, with the multiply-add as an instruction 84 - 86.
 *
 * Rows lie `at` bytes behind `row`, the left operand another `to_left` bytes; ymm12 - ymm15 are scratch.  What follows is
 * AT&T syntax.  Debug builds, which sanitizers look at, leave the rows to the compiler.
 */
#define FLSQ_MULTIPLY_ADD(acc, a, b) __asm__ volatile("vfmadd231pd %2, %1, %0" : "+x"(acc) : "x"(a), "x"(b))

#define FLSQ_WIDEN(wide, half) __asm__("vcvtps2pd %1, %0" : "=x"(wide) : "m"(half))

#if !defined(FLSQ_DEBUG)
#define RIGHT_VECTOR(v, reg) "vmovupd 32*" #v "+%c[at](%[row]), %%" #reg "\n\t"
#define LEFT_FACTOR(i, reg) "vbroadcastsd 8*" #i "+%c[at](%[row],%[left]), %%" #reg "\n\t"
#define FREE_FACTOR(i, reg) "vbroadcastsd " #i "*%c[lane](%[left]), %%" #reg "\n\t"
#define MULTIPLY(reg, factor, acc) "vfmadd231pd %%" #reg ", %%" #factor ", %[" #acc "]\n\t"
#define ROW_CLOBBERS "xmm12", "xmm13", "xmm14", "xmm15", "memory"

/* acc[i][v] += left[i]*right[v] for four rows and three vectors; of FREE_ROW, left is a pointer of its own and its lanes are
 * `lane` doubles apart. */
#define FOUR_TIMES_THREE(LEFT, MULTIPLY)                                                                           \
    RIGHT_VECTOR(0, ymm12) RIGHT_VECTOR(1, ymm13) RIGHT_VECTOR(2, ymm14)                                           \
    LEFT(0, ymm15) MULTIPLY(ymm12, ymm15, a0) MULTIPLY(ymm13, ymm15, b0) MULTIPLY(ymm14, ymm15, c0)                \
    LEFT(1, ymm15) MULTIPLY(ymm12, ymm15, a1) MULTIPLY(ymm13, ymm15, b1) MULTIPLY(ymm14, ymm15, c1)                \
    LEFT(2, ymm15) MULTIPLY(ymm12, ymm15, a2) MULTIPLY(ymm13, ymm15, b2) MULTIPLY(ymm14, ymm15, c2)                \
    LEFT(3, ymm15) MULTIPLY(ymm12, ymm15, a3) MULTIPLY(ymm13, ymm15, b3) MULTIPLY(ymm14, ymm15, c3)
#define FOUR_BY_THREE(acc)                                                                                         \
    [a0] "+x"((acc)[0][0]), [b0] "+x"((acc)[0][1]), [c0] "+x"((acc)[0][2]),                                        \
    [a1] "+x"((acc)[1][0]), [b1] "+x"((acc)[1][1]), [c1] "+x"((acc)[1][2]),                                        \
    [a2] "+x"((acc)[2][0]), [b2] "+x"((acc)[2][1]), [c2] "+x"((acc)[2][2]),                                        \
    [a3] "+x"((acc)[3][0]), [b3] "+x"((acc)[3][1]), [c3] "+x"((acc)[3][2])
#define FLSQ_WHOLE_ROW(acc, row_, to_left, at_)                                                                    \
    __asm__ volatile(FOUR_TIMES_THREE(LEFT_FACTOR, MULTIPLY) : FOUR_BY_THREE(acc)                                  \
                     : [row] "r"(row_), [left] "r"(to_left), [at] "i"(at_) : ROW_CLOBBERS);
#define FLSQ_FREE_ROW(acc, row_, at_, left_, lane_)                                                                \
    __asm__ volatile(FOUR_TIMES_THREE(FREE_FACTOR, MULTIPLY) : FOUR_BY_THREE(acc)                                  \
                     : [row] "r"(row_), [left] "r"(left_), [at] "i"(at_), [lane] "i"(8 * (lane_)) : ROW_CLOBBERS);

/* FLSQ_WHOLE_ROW in single precision: the vectors hold eight floats. */
#define SINGLE_FACTOR(i, reg) "vbroadcastss 4*" #i "+%c[at](%[row],%[left]), %%" #reg "\n\t"
#define SINGLE_MULTIPLY(reg, factor, acc) "vfmadd231ps %%" #reg ", %%" #factor ", %[" #acc "]\n\t"
#define FLSQ_SINGLE_ROW(acc, row_, to_left, at_)                                                                   \
    __asm__ volatile(FOUR_TIMES_THREE(SINGLE_FACTOR, SINGLE_MULTIPLY) : FOUR_BY_THREE(acc)                         \
                     : [row] "r"(row_), [left] "r"(to_left), [at] "i"(at_) : ROW_CLOBBERS);

/* acc[0][i][first] and acc[0][i][first + 1] += left[i]*right, acc[1][i][first + 1] += left[4 + i]*right[1] for the rows and
 * vectors from 4*first on */
#define FLSQ_CORNER_ROW(acc, first, row_, to_left, at_)                                                            \
    __asm__ volatile(                                                                                              \
        RIGHT_VECTOR(0, ymm12) RIGHT_VECTOR(1, ymm13)                                                              \
        LEFT_FACTOR(0, ymm15) MULTIPLY(ymm12, ymm15, a0) MULTIPLY(ymm13, ymm15, b0)                                \
        LEFT_FACTOR(1, ymm14) MULTIPLY(ymm12, ymm14, a1) MULTIPLY(ymm13, ymm14, b1)                                \
        LEFT_FACTOR(2, ymm15) MULTIPLY(ymm12, ymm15, a2) MULTIPLY(ymm13, ymm15, b2)                                \
        LEFT_FACTOR(3, ymm14) MULTIPLY(ymm12, ymm14, a3) MULTIPLY(ymm13, ymm14, b3)                                \
        LEFT_FACTOR(4, ymm15) MULTIPLY(ymm13, ymm15, c0) LEFT_FACTOR(5, ymm14) MULTIPLY(ymm13, ymm14, c1)          \
        LEFT_FACTOR(6, ymm15) MULTIPLY(ymm13, ymm15, c2) LEFT_FACTOR(7, ymm14) MULTIPLY(ymm13, ymm14, c3)          \
        : [a0] "+x"((acc)[0][0][first]), [b0] "+x"((acc)[0][0][(first) + 1]),                                      \
          [a1] "+x"((acc)[0][1][first]), [b1] "+x"((acc)[0][1][(first) + 1]),                                      \
          [a2] "+x"((acc)[0][2][first]), [b2] "+x"((acc)[0][2][(first) + 1]),                                      \
          [a3] "+x"((acc)[0][3][first]), [b3] "+x"((acc)[0][3][(first) + 1]),                                      \
          [c0] "+x"((acc)[1][0][(first) + 1]), [c1] "+x"((acc)[1][1][(first) + 1]),                                \
          [c2] "+x"((acc)[1][2][(first) + 1]), [c3] "+x"((acc)[1][3][(first) + 1])                                 \
        : [row] "r"(row_), [left] "r"(to_left), [at] "i"((at_) + 32 * (first))                                     \
        : ROW_CLOBBERS);

/* sum += x, dot += target*x */
#define FLSQ_SIDE_VECTOR(sum, dot, target, x)                                                                      \
    __asm__ volatile("vmovupd %2, %%ymm15\n\tvaddpd %%ymm15, %0, %0\n\tvfmadd231pd %%ymm15, %3, %1"                \
                     : "+x"(sum), "+x"(dot)                                                                        \
                     : "xm"(x), "x"(target)                                                   \
                     : "xmm15")
#endif
