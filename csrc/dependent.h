/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Which columns of a factored matrix depend on others, and on which.
 */
#ifndef FLSQ_DEPENDENT_H
#define FLSQ_DEPENDENT_H
#include "pivoted.h"

/* How many singular values of columns of equal length count: rounding alone leaves a few eps in dependent ones. */
int64_t flsq_rank_of(int64_t n, const double *values);
/* The rank of the R of columns of equal length, by its diagonal where that says it clearly, else by singular values; and the
 * condition number of what counts, an estimate. */
flsq_status flsq_triangle_rank(const flsq_pivoted *f, int64_t *rank, double *condition);
flsq_status flsq_triangle_condition(const flsq_pivoted *f, int64_t rank, double *condition);
/* values (n) := the singular values of R below its `fixed` rows and columns, n columns; w: rows x n. */
void flsq_triangle_values(const flsq_pivoted *f, double *w, double *values);
/* basis := orthonormal columns (n x missing, row-major, columns in their own order) of the null space of the first `rank` rows
 * of that R. */
flsq_status flsq_triangle_null(const flsq_pivoted *f, int64_t rank, double *basis);
/* range (n x rank, likewise) := what times the columns of A gives those of Q: Π [R11⁻¹; 0]. */
void flsq_triangle_range(const flsq_pivoted *f, int64_t rank, double *range);
/* dependent[j] := whether column j depends on earlier ones, n - rank of them, for that R. */
flsq_status flsq_triangle_dependent(const flsq_pivoted *f, int64_t rank, int8_t *dependent);

#endif
