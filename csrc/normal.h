/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Thresholds of the normal equations, and solves with a flsq_factor in the units of M.
 */
#ifndef FLSQ_NORMAL_H
#define FLSQ_NORMAL_H
#include "internal.h"

/* Above this 1-norm condition number of D M D refinement gains less than two digits a step: 1e13 is kappa = 3e6 of the
 * rows. */
#define FLSQ_LARGEST_CONDITION 1e13
/* Sums of squares outside this range may hide a column whose squares under- or overflow; 2^-930 leaves room for products
 * of two such columns above the subnormal range. */
#define FLSQ_SMALLEST_SQUARES 0x1p-930
#define FLSQ_LARGEST_SQUARES 0x1p1020

static inline int flsq_squares_in_range(double sum) { return sum > FLSQ_SMALLEST_SQUARES && sum < FLSQ_LARGEST_SQUARES; }

/* e with x near 4^e: dividing by 2^e twice brings x between 1/4 and 1. */
int flsq_root_exponent(double x);

/* As flsq_factorize, of the moments of the columns of X. */
flsq_status flsq_factorize_gram(const flsq_gram *gram, int n_threads, flsq_factor *f, flsq_verdict *verdict);

/* step := M⁻¹g for the factorized columns and 0 for the others (p x k each), whole_t := ‖D g_t‖,
 * half_t := ‖R⁻ᵀD g_t‖.  work holds f->n x k. */
void flsq_factor_solve(const flsq_kernels *kernels, const flsq_factor *f, int64_t p, int64_t k, const double *g,
                       int64_t ldg, double *step, double *whole, double *half, double *work);

/* b := M⁻¹c, likewise; with a T, c is TᵀC, whose digits C would have lost. */
void flsq_factor_start(const flsq_kernels *kernels, const flsq_factor *f, int64_t p, int64_t k, const double *c,
                       int64_t ldc, double *b, double *whole, double *half, double *work);

/* norm_t := ‖D⁻¹b_t‖ over the factorized columns of b (p x k). */
void flsq_factor_norm(const flsq_factor *f, int64_t k, const double *b, double *norm);

#endif
