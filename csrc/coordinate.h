/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The working set of a path: the columns that coordinate descent looks at, with a copy of their part of M.
 */
#ifndef FLSQ_COORDINATE_H
#define FLSQ_COORDINATE_H
#include "kernels.h"

/* Of n columns in the order in which they entered; M_WW has leading dimension ld. */
typedef struct flsq_working_set {
    int64_t n, ld;
    int64_t *column;                   /* in the problem */
    double *m;
    double *b, *q, *c, *diagonal;      /* q = c - M b */
    double *l1, *l2, *reciprocal;      /* times alpha; 1/(m_jj + l2_j) */
    double *saved;                     /* b before a step of Newton */
    double *r, *step;                  /* its triangle (n x n) and its step */
    int64_t *support;
} flsq_working_set;

/* q := c - M b, of the working set. */
void flsq_refresh(const flsq_kernels *kernels, flsq_working_set *w);
/* b := the minimum over the coefficients that are not zero, with their signs; where some would lose theirs, zero for these if
 * that is an improvement, else the point on the way where the first is lost; unmoved where their equations cannot be solved
 * or nothing improves. */
typedef enum flsq_move { FLSQ_UNMOVED, FLSQ_SIGN_LOST, FLSQ_AT_MINIMUM } flsq_move;
flsq_status flsq_newton_on_support(const flsq_kernels *kernels, flsq_working_set *w, double yy, int nonnegative,
                                   flsq_move *moved);

#endif
