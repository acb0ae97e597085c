/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Solves with a flsq_factor, in the units of M.
 */
#ifndef FLSQ_NORMAL_H
#define FLSQ_NORMAL_H
#include "internal.h"

/* step := M⁻¹g for the factorized columns and 0 for the others (p x k each), whole_t := ‖D g_t‖,
 * half_t := ‖R⁻ᵀD g_t‖.  work holds f->n x k. */
void flsq_factor_solve(const flsq_kernels *kernels, const flsq_factor *f, int64_t p, int64_t k, const double *g,
                       int64_t ldg, double *step, double *whole, double *half, double *work);

/* norm_t := ‖D⁻¹b_t‖ over the factorized columns of b (p x k). */
void flsq_factor_norm(const flsq_factor *f, int64_t k, const double *b, double *norm);

#endif
