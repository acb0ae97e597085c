/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * One call of flsq_solve_by_qr, and what long double says of its answer.
 */
#ifndef QR_ANSWER_H
#define QR_ANSWER_H
#include "oracle.h"

typedef struct answer {
    flsq_orthogonal out;
    double *b, *rss;
    flsq_report report;
} answer;

/* `count` columns in use: those of `active`, or with NULL all.  What the call leaves alone holds NaN, `dependent` -1. */
answer solve_by_qr(const flsq_kernels *kernels, const problem *a, int64_t count, const int64_t *active);
void answer_free(answer *s);
/* Whether Xᵀ W r is rounding for the columns in use, and rss what b leaves. */
int is_optimal(const problem *a, const answer *s);
/* Column j of those in use times D, about the mean where there is a unit column, times W^½; free() releases it. */
long double *column_of(const problem *a, const answer *s, int64_t j);
long double long_dot(int64_t n, const long double *x, const long double *y);
/* Of columns that depend on each other: X D N is rounding, N orthonormal, X D H orthonormal. */
void check_bases(const problem *a, const answer *s);

#endif
