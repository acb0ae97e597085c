/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * AVX-512: 32 registers of eight doubles: 8 x 24 tiles, 24 accumulators + 3 right + 1 left.
 */
#if defined(__x86_64__)
#include "../cpu_features.h"
#include <math.h>
#include <string.h>
#ifndef FLSQ_ISA /* tests/c builds this body for AVX2 as well, where the compiler splits each vector in two */
#define FLSQ_ISA avx512
#define FLSQ_FEATURES (FLSQ_CPU_AVX512F | FLSQ_CPU_AVX512DQ | FLSQ_CPU_FMA)
#if defined(__clang__)
#define FLSQ_TARGET "avx512f,avx512dq,fma"
#else
#define FLSQ_TARGET "avx512f,avx512dq,fma,prefer-vector-width=512"
#endif
#endif
#define FLSQ_PRAGMA_(x) _Pragma(#x)
#define FLSQ_PRAGMA(x) FLSQ_PRAGMA_(x)
#if defined(__clang__)
FLSQ_PRAGMA(clang attribute push(__attribute__((target(FLSQ_TARGET))), apply_to = function))
#else
#pragma GCC push_options
FLSQ_PRAGMA(GCC target(FLSQ_TARGET))
#endif
#define FLSQ_VL 8
#define FLSQ_NV 3
#define FLSQ_REGISTERS 32
#define FLSQ_NEAR 2
#define FLSQ_IN_PLACE_COLUMNS 127
#define FLSQ_HALF_COLUMNS 256
#define FLSQ_PACKING_THREADS 4
#define FLSQ_WIDEN(wide, half) __asm__("vcvtps2pd %1, %0" : "=v"(wide) : "m"(half))
#define FLSQ_MR1 24
#define FLSQ_MR2 12
#define FLSQ_MR3 8
#define FLSQ_MR4 8
#include "kernel_template.h"
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#endif
