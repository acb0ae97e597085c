/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * AVX2 + FMA: 16 registers of four doubles: 4 x 12 tiles, 12 accumulators + 3 right + 1 left.
 */
#if defined(__x86_64__)
#include "../cpu_features.h"
#include <math.h>
#include <string.h>
#if defined(__clang__)
#pragma clang attribute push(__attribute__((target("avx2,fma"))), apply_to = function)
#else
#pragma GCC push_options
#pragma GCC target("avx2,fma")
#endif
#define FLSQ_ISA avx2
#define FLSQ_FEATURES (FLSQ_CPU_AVX2 | FLSQ_CPU_FMA)
#define FLSQ_VL 4
#define FLSQ_NV 3
#define FLSQ_REGISTERS 16
#define FLSQ_NEAR 3
#define FLSQ_IN_PLACE_COLUMNS 32
#define FLSQ_HALF_COLUMNS 0
#define FLSQ_PACKING_THREADS 0
#define FLSQ_MR1 12
#define FLSQ_MR2 6
#define FLSQ_MR3 4
#define FLSQ_MR4 4
#include "avx2_rows.h"
#include "kernel_template.h"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
