/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Slow answers and reproducible inputs.  Small integers (and halves) are summed exactly by a double in any order, so
 * that == is the test; inputs with all bits in use are summed in long double.
 */
#ifndef ORACLE_H
#define ORACLE_H
#include "arrays.h"
#include "kernels.h"

/* ---- numbers -------------------------------------------------------------------------------------------------- */

void oracle_seed(uint64_t seed);
uint64_t oracle_bits(void);
double oracle_integer(int low, int high); /* both ends included */
double oracle_real(void);                 /* -1..1 */

/* ---- memory --------------------------------------------------------------------------------------------------- */

/* Zeroed doubles, allocated to the byte; never NULL.  free() releases them. */
double *oracle_doubles(int64_t count);
double *oracle_reals(int64_t count);       /* of oracle_real */
double *oracle_integers(int64_t count, int low, int high);
double *oracle_copy(const double *values, int64_t count);
/* First i with a[i] != b[i], or -1. */
int64_t first_difference(int64_t count, const double *a, const double *b);
int same_bits(int64_t count, const double *a, const double *b);

/* ---- one least-squares problem -------------------------------------------------------------------------------- */

enum { WEIGHTED = 1, AFFINE = 2, UNIT = 4 };

typedef struct problem {
    int64_t n, p, k, lead, width; /* lead = p + unit, width = lead + k */
    int unit;
    array x, y, w;
    double *scale, *offset;
    double *z; /* n x width: what enters, scaled and shifted, with the unit column */
    double *weight; /* n, all 1 when unweighted */
} problem;

problem problem_make(flsq_dtype dtype, layout form, int64_t n, int64_t p, int64_t k, int flags, filling fill);
/* The same numbers in another memory layout. */
problem problem_like(const problem *a, layout form);
/* Rows [first, first + count) as a pass takes them. */
flsq_rows problem_rows(const problem *a, int64_t first, int64_t count);
void problem_free(problem *a);

/* zz: lead x width, yy: k, as flsq_gram_collect; exact for INTEGERS. */
void oracle_gram(const problem *a, double *zz, double *yy);
/* Entry (i, j) of ZᵀWZ; *magnitude := the sum of the absolute values. */
long double oracle_gram_entry(const problem *a, int64_t i, int64_t j, long double *magnitude);
/* As flsq_residual; exact for INTEGERS. */
void oracle_residual(const problem *a, const double *b, double *g, double *rss, double *r);

#endif
