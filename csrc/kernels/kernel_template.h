/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The one body of every micro-kernel, written in GCC/Clang vector extensions.  A file in this folder sets
 *   FLSQ_ISA    suffix of the names, e.g. avx2          FLSQ_VL  doubles per vector
 *   FLSQ_NV     vectors per panel row (NR = VL*NV)      FLSQ_MR1..4  rows of a register tile 1..4 vectors wide
 *   FLSQ_REGISTERS vector registers   FLSQ_NEAR  the locality of what is asked for ahead: 3 for L1, 2 for L2
 *   FLSQ_IN_PLACE_COLUMNS, FLSQ_HALF_COLUMNS, FLSQ_PACKING_THREADS  see ../kernels.h
 *   FLSQ_FEATURES  the CPU features it needs
 * opens the target pragma of its instruction set and includes this file; ../kernels.h states the contract.
 *
 * Products are outer products vectorised over columns: C[i, j..j+VL) += a[i] * b[j..j+VL).  Each entry of C is one
 * chain of fused multiply-adds over the rows in their order, so neither lane count nor tile shape changes it.  Sums over
 * one column or of one vector (sides, gradient, dot) run in a few chains, for their latency.
 */
#include "../blocksizes.h"
#include "../kernels.h"
#include "../optimizers.h"
#include <math.h>
#include <string.h>

#define NR (FLSQ_VL * FLSQ_NV)
#define NAME(stem) FLSQ_CONCAT(stem, FLSQ_ISA)
#define INLINE static inline __attribute__((always_inline))
#define UNROLL _Pragma("GCC unroll 32")

typedef double vec __attribute__((vector_size(8 * FLSQ_VL)));
typedef double loose_vec __attribute__((vector_size(8 * FLSQ_VL), aligned(1), may_alias)); /* any address */
typedef double loose_double __attribute__((aligned(1), may_alias));
typedef int64_t int_vec __attribute__((vector_size(8 * FLSQ_VL)));
typedef float loose_half __attribute__((vector_size(4 * FLSQ_VL), aligned(1), may_alias));

#if defined(FLSQ_SPLIT_VECTORS) /* wider than a register of the instruction set */
#define IN_REGISTER(x)
#elif defined(__x86_64__)
#define IN_REGISTER(x) __asm__("" : "+v"(x))
#elif defined(__aarch64__)
#define IN_REGISTER(x) __asm__("" : "+w"(x))
#else
#define IN_REGISTER(x)
#endif

/* acc += a * b, with the instruction itself where the file of an instruction set gives it. */
#if defined(FLSQ_MULTIPLY_ADD) && !defined(FLSQ_SPLIT_VECTORS)
#define MULTIPLY_ADD(acc, a, b) FLSQ_MULTIPLY_ADD(acc, a, b)
#else
#define MULTIPLY_ADD(acc, a, b) ((acc) += (a) * (b))
#endif

/* Floats as doubles.  gcc 12 makes two halves of one conversion, five instructions (10.2 against 14.2 ns for a row of 32 in a pass
 * of gradient descent); sanitizers look at what the compiler makes. */
INLINE vec widen(const loose_half *at)
{
#if defined(FLSQ_WIDEN) && !defined(FLSQ_SPLIT_VECTORS) && !defined(FLSQ_DEBUG)
    vec wide;
    FLSQ_WIDEN(wide, *at);
    return wide;
#else
    return __builtin_convertvector(*at, vec);
#endif
}

#define OPAQUE(pointer) __asm__("" : "+r"(pointer))

INLINE vec load(const double *p) { return *(const loose_vec *)p; }
INLINE void store(double *p, vec v) { *(loose_vec *)p = v; }
INLINE vec broadcast(double x) { return x - (vec){0}; }

/* w*x, rounded before it is used: what it enters must not take it for a term of a multiply-add of its own. */
INLINE vec weighed(vec x, vec w)
{
    vec product = x * w;
    IN_REGISTER(product);
    return product;
}

/* Sum of the lanes, halves first: (l0 + l2) + (l1 + l3) for four lanes. */
typedef double pair_vec __attribute__((vector_size(16)));
#if FLSQ_VL == 8
typedef double half_of_vec __attribute__((vector_size(32)));
INLINE pair_vec lane_pair(vec v)
{
    union { vec whole; half_of_vec half[2]; } eight = {v};
    union { half_of_vec whole; pair_vec half[2]; } four = {eight.half[0] + eight.half[1]};
    return four.half[0] + four.half[1];
}
#elif FLSQ_VL == 4
INLINE pair_vec lane_pair(vec v)
{
    union { vec whole; pair_vec half[2]; } four = {v};
    return four.half[0] + four.half[1];
}
#else
INLINE pair_vec lane_pair(vec v) { return v; }
#endif
INLINE double lane_sum(vec v)
{
    const pair_vec pair = lane_pair(v);
    return pair[0] + pair[1];
}

/* Calls body(1), body(2) ... for the number of vectors that hold `columns` lanes, as a compile-time constant. */
#define VECTORS(columns) ((columns + FLSQ_VL - 1) / FLSQ_VL)
#if FLSQ_NV == 2
#define SWITCH_VECTORS(nv, body) switch (nv) { case 1: body(1); break; case 2: body(2); break; }
#elif FLSQ_NV == 3
#define SWITCH_VECTORS(nv, body) \
    switch (nv) { case 1: body(1); break; case 2: body(2); break; case 3: body(3); break; }
#elif FLSQ_NV == 4
#define SWITCH_VECTORS(nv, body) \
    switch (nv) { case 1: body(1); break; case 2: body(2); break; case 3: body(3); break; case 4: body(4); break; }
#endif
#define TILE_ROWS(nv) ((nv) == 1 ? FLSQ_MR1 : (nv) == 2 ? FLSQ_MR2 : (nv) == 3 ? FLSQ_MR3 : FLSQ_MR4)
#define TILE_BYTES (TILE_ROWS(FLSQ_NV) * NR * 8)

#include "transpose_template.h"
#include "sweep_template.h"
#include "sides_template.h"
#include "tiles_template.h"
#include "rows_template.h"
#include "single_template.h"

/* The memory that a copy of rows asks for, and how far each row moves on. */
enum { COPY_LINE = 64 };
typedef struct copy_ahead {
    const char *next;
    int64_t pace;
} copy_ahead;

#define FLSQ_TEMPLATE "eights_template.h"
#include "both_sources.h"

#include "residual_template.h"
#include "twofold_template.h"
#include "factor_template.h"
#include "lanes_template.h"
#include "coordinate_template.h"

#include "window_template.h"
#include "family_template.h"
#include "loss_template.h"

#define FLSQ_TEMPLATE "singles_template.h"
#include "both_sources.h"

#define FLSQ_TEMPLATE "pack_template.h"
#include "both_sources.h"

#define FLSQ_REAL double
#define FLSQ_REAL_NAME f64
#define FLSQ_REAL_BITS int64_t
#define FLSQ_REAL_ROOT sqrt
#define FLSQ_REAL_NORMAL 0x1p-1022
#include "optimizer_template.h"
#undef FLSQ_REAL
#undef FLSQ_REAL_NAME
#undef FLSQ_REAL_BITS
#undef FLSQ_REAL_ROOT
#undef FLSQ_REAL_NORMAL
#define FLSQ_REAL float
#define FLSQ_REAL_NAME f32
#define FLSQ_REAL_BITS int32_t
#define FLSQ_REAL_ROOT sqrtf
#define FLSQ_REAL_NORMAL 0x1p-126f
#include "optimizer_template.h"

#define STRINGIZE_(x) #x
#define STRINGIZE(x) STRINGIZE_(x)
const flsq_kernels NAME(kernels) = {
    .name = STRINGIZE(FLSQ_ISA),
    .required_features = FLSQ_FEATURES,
    .nr = NR,
    .lanes = FLSQ_VL,
    .in_place_columns = FLSQ_IN_PLACE_COLUMNS,
    .half_columns = FLSQ_HALF_COLUMNS,
    .packing_threads = FLSQ_PACKING_THREADS,
    .asks_for = FLSQ_NEAR == 2 ? 2 : 1,
    .block_sweeps = {0, BLOCK_SWEEPS(1), BLOCK_SWEEPS(2), BLOCK_SWEEPS(3), BLOCK_SWEEPS(4)},
    .diagonal_sweeps = {0, DIAGONAL_SWEEPS(1), DIAGONAL_SWEEPS(2), DIAGONAL_SWEEPS(3), DIAGONAL_SWEEPS(4)},
    .pack_rows_f64 = pack_rows_f64,
    .pack_rows_f32 = pack_rows_f32,
    .pack_columns_f64 = pack_columns_f64,
    .pack_columns_f32 = pack_columns_f32,
    .shape_rows_f64 = shape_rows_f64,
    .shape_rows_f32 = shape_rows_f32,
    .shape_column_f64 = shape_column_f64,
    .shape_column_f32 = shape_column_f32,
    .affine = affine,
    .weigh = weigh,
    .moving_sums = moving_sums,
    .gram_block = gram_block,
    .gram_half_block = gram_half_block,
    .gram_diagonal = gram_diagonal,
    .target_sums = target_sums,
    .single_block = single_block,
    .single_diagonal = single_diagonal,
    .narrow_rows = narrow_rows,
    .residual = residual,
    .residual_rows = residual_rows,
    .gradient = gradient,
    .residual_block = residual_block,
    .residual_twofold = residual_twofold,
    .gradient_twofold = gradient_twofold,
    .weigh_twofold = weigh_twofold,
    .square_lengths = square_lengths,
    .dot_columns = dot_columns,
    .dot = dot,
    .axpy = axpy,
    .add_pairs = add_pairs,
    .cholesky_small = cholesky_small,
    .triangular_panel = triangular_panel,
    .interleave = interleave,
    .lane_products = lane_products,
    .lane_residual = lane_residual,
    .lane_cholesky = lane_cholesky,
    .lane_norms = lane_norms,
    .lane_solve = lane_solve,
    .coordinate_sweep = coordinate_sweep,

    .running_sums = running_sums,
    .lane_window = lane_window,
    .update_f64 = update_f64,
    .update_f32 = update_f32,
    .clipped_squares_f64 = clipped_squares_f64,
    .clipped_squares_f32 = clipped_squares_f32,
    .family_rows = family_rows,
    .softmax_rows = softmax_rows,
    .loss_rows = loss_rows,
    .predict_f64 = predict_f64,
    .predict_f32 = predict_f32,
    .slope_sums_f64 = slope_sums_f64,
    .slope_sums_f32 = slope_sums_f32,
    .singles_f64 = singles_f64,
    .singles_f32 = singles_f32,
    .elementary = elementary,
    .probe_fma = probe_fma,
    .probe_read = probe_read,
    .probe_update = probe_update,
};
