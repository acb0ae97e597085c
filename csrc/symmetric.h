/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The p x p system on its way into the factorization: D M D by tiles, wherever M comes from, and its factor.
 */
#ifndef FLSQ_SYMMETRIC_H
#define FLSQ_SYMMETRIC_H
#include "kernels.h"

/* D M D for an n x n matrix M, of which the upper triangle is read. */
typedef struct flsq_symmetric {
    int64_t n;
    const double *m; /* M by rows, leading dimension ldm; or NULL, and */
    int64_t ldm;
    const flsq_gram *gram; /* M is the moments of the n columns of X */
    const double *scale;   /* the diagonal of D, or NULL for ones */
} flsq_symmetric;

/* m_jj, before scaling. */
void flsq_symmetric_diagonal(const flsq_symmetric *a, double *diagonal);
/* tile (nr x nr) := sign * (D M D)[I*nr.., J*nr..], I <= J; zero below the diagonal; beyond n, sign * identity. */
void flsq_symmetric_tile(const flsq_symmetric *a, int64_t nr, int64_t I, int64_t J, double sign, double *tile);

/* The same up to row and column n, on both sides of the diagonal, and nothing beyond. */
void flsq_symmetric_part(const flsq_symmetric *a, int64_t nr, int64_t I, int64_t J, double sign, double *tile);

/* r (leading dimension ldr, may be M itself): the upper triangle of R with RᵀR = D M D; below it nothing is written.
 * row_sums, unless NULL: n, sum_j |(D M D)_ij|.  *pivot: the first failing row, or -1. */
flsq_status flsq_cholesky_of(const flsq_kernels *kernels, const flsq_symmetric *a, int n_threads, double *r, int64_t ldr,
                             double *row_sums, int64_t *pivot);

#endif
