/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * AArch64 NEON, part of the base architecture: 32 registers of two doubles: 4 x 8 tiles, 16 accumulators + 4 right.
 */
#if defined(__aarch64__)
#include "../cpu_features.h"
#define FLSQ_ISA neon
#define FLSQ_FEATURES (FLSQ_CPU_NEON | FLSQ_CPU_FMA)
#define FLSQ_VL 2
#define FLSQ_NV 4
#define FLSQ_REGISTERS 32
#define FLSQ_NEAR 3
#define FLSQ_IN_PLACE_COLUMNS 32
#define FLSQ_HALF_COLUMNS 0
#define FLSQ_PACKING_THREADS 0
#define FLSQ_MR1 8
#define FLSQ_MR2 8
#define FLSQ_MR3 4
#define FLSQ_MR4 4
#include "kernel_template.h"
#endif
