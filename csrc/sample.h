/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The certificate of a single read.
 */
#ifndef FLSQ_SAMPLE_H
#define FLSQ_SAMPLE_H
#include "internal.h"

/* Solves for one target from equations->zz, lost and yy.  The verdict is FLSQ_CERTIFIED when a sample of
 * the rows shows that b (p) and *rss need no second pass, else FLSQ_NOT_SETTLED. */
flsq_status flsq_certify_one_pass(const flsq_kernels *kernels, const flsq_rows *rows, const flsq_equations *equations,
                                  const flsq_factor *factor, int n_threads, double *b, double *rss,
                                  flsq_report *report);

#endif
