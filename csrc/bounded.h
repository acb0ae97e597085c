/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Lawson and Hanson's method on the triangle of a QR, refined with the rows that it came from.
 */
#ifndef FLSQ_BOUNDED_H
#define FLSQ_BOUNDED_H
#include "internal.h"

/* As flsq_bounded_rows; [T | d] = Q[full_t | full_d] without the rows of zeros, Q orthogonal. */
flsq_status flsq_bounded_reduced(const flsq_kernels *kernels, const flsq_boxes *boxes, int64_t rows, const double *t,
                                 const double *d, int64_t full_rows, const double *full_t, const double *full_d,
                                 const double *price, int n_threads);

#endif
