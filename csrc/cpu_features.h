/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef FLSQ_CPU_FEATURES_H
#define FLSQ_CPU_FEATURES_H
#include <stdint.h>

#define FLSQ_CPU_AVX2 (1u << 0)
#define FLSQ_CPU_FMA (1u << 1)
#define FLSQ_CPU_AVX512F (1u << 2)
#define FLSQ_CPU_AVX512DQ (1u << 3)
#define FLSQ_CPU_NEON (1u << 4)

/* Features that both the CPU has and the operating system saves across context switches. */
uint32_t flsq_cpu_features(void);
/* Lets a thread that shares the core go first for a moment. */
void flsq_cpu_pause(void);

#endif
