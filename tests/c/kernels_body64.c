/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The AVX-512 source for CPUs without AVX-512: its 64-byte vectors, tiles and shuffles under AVX2, where gcc splits
 * every vector in two.  What this proves is the C of csrc/kernels/avx512.c, not its machine code.  clang is left out:
 * under it that file opens its own AVX-512 target.
 */
#if defined(__x86_64__) && !defined(__clang__)
#include "kernels.h"
extern const flsq_kernels flsq_kernels_body64;
#define FLSQ_ISA body64
#define FLSQ_FEATURES (FLSQ_CPU_AVX2 | FLSQ_CPU_FMA)
#define FLSQ_TARGET "avx2,fma"
#define FLSQ_SPLIT_VECTORS
#include "kernels/avx512.c"
#endif
