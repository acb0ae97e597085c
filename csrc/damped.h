/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Norms for backward errors.
 */
#ifndef FLSQ_DAMPED_H
#define FLSQ_DAMPED_H
#include "internal.h"

/* *norm := ‖(RᵀR + ω²I)^-½ g‖ for R upper triangular, n x n with leading dimension ld; ω² may be anything above 0, or 0 for a
 * regular R. */
flsq_status flsq_damped_norm(const flsq_kernels *kernels, int64_t n, const double *r, int64_t ld, double omega,
                             const double *g, double *norm);
/* ‖x‖, also where squares of its entries leave the range of float64. */
double flsq_length(const flsq_kernels *kernels, int64_t n, const double *x);

#endif
