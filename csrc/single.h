/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Equations and a factor from moments in single precision.
 */
#ifndef FLSQ_SINGLE_H
#define FLSQ_SINGLE_H
#include "internal.h"

/* Whether what single precision saves in the Gram pass outweighs the residual pass or two that it costs more. */
int flsq_single_is_worth_it(int64_t n, int64_t p, int64_t k);
/* c (p x k), diagonal (p + k) and the factor of the rows, each as good as single precision, in the units of the rows; the
 * verdict is FLSQ_CERTIFIED unless refinement in double precision would converge slowly or not at all.  *reads of all rows. */
flsq_status flsq_single_factorize(const flsq_kernels *kernels, const flsq_rows *rows, int n_threads, double *c,
                                  double *diagonal, flsq_factor *factor, flsq_verdict *verdict, int *reads);

#endif
