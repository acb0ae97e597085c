/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Baseline kernels: the instruction set the compiler was told to target (SSE2 on x86-64), no fused multiply-add
 * assumed.  16 registers of two doubles: 8 accumulators, 2 right, 1 left.
 */
#define FLSQ_ISA generic
#define FLSQ_FEATURES 0
#define FLSQ_VL 2
#define FLSQ_NV 2
#define FLSQ_REGISTERS 16
#define FLSQ_NEAR 3
#define FLSQ_IN_PLACE_COLUMNS 32
#define FLSQ_HALF_COLUMNS 0
#define FLSQ_PACKING_THREADS 0
#define FLSQ_MR1 4
#define FLSQ_MR2 4
#define FLSQ_MR3 4
#define FLSQ_MR4 4
#include "kernel_template.h"
