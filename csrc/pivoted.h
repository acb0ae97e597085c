/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Householder QR of a small matrix with rows sorted by length and columns pivoted, P A D Π = Q R: backward stable row by row,
 * so that rows of 1e-12 times the length of others keep their digits (A. J. Cox and N. J. Higham, Stability of Householder QR
 * factorization for weighted least squares problems, Numerical Analysis 1997, Longman 1998, 57-73).
 */
#ifndef FLSQ_PIVOTED_H
#define FLSQ_PIVOTED_H
#include "internal.h"
#include "workspace.h"

/* Column j of A lies at a + j*ld.  Afterwards the one at place i is order[i], and holds R above the place and a reflector
 * below; D = diag(2^-exponent[order[i]]) gives columns about unit length, measured below the `fixed` first ones, which keep
 * their places. */
typedef struct flsq_pivoted {
    const flsq_kernels *kernels;
    int64_t rows, columns, fixed, steps, ld;
    int as_is;                           /* D = 1 */
    int pivots_rows;                     /* whether each step begins at the largest entry of its column */
    double *a, *tau, *length, *measured; /* ld*columns; columns each */
    int64_t *exponent, *order;           /* columns */
    int64_t *row;                        /* rows: which row of A is where */
    double *work;                        /* rows */
} flsq_pivoted;

flsq_status flsq_pivoted_add_bytes(int64_t rows, int64_t columns, int64_t *total);
/* Takes its memory from the arena and points f->a at it; the caller fills in A. */
void flsq_pivoted_open(const flsq_kernels *kernels, int64_t rows, int64_t columns, int64_t fixed, flsq_arena *arena,
                       flsq_pivoted *f);
/* For another A in the same memory: nothing sorted, swapped or scaled. */
void flsq_pivoted_reset(flsq_pivoted *f);
static inline double *flsq_pivoted_column(const flsq_pivoted *f, int64_t place)
{
    return f->a + f->order[place] * f->ld;
}
/* 0 where a sum of squares is not finite. */
int flsq_pivoted_factor(flsq_pivoted *f);
/* Reflects column number `place` onto its own place, and with it those behind: one step, without pivoting. */
void flsq_pivoted_step(flsq_pivoted *f, int64_t place);
/* y := QᵀP y */
void flsq_pivoted_project(const flsq_pivoted *f, double *y);
/* y := Pᵀ Q y */
void flsq_pivoted_expand(const flsq_pivoted *f, double *y);
/* z := R⁻¹z for the places [fixed, fixed + count); z[0] is that of place `fixed`. */
void flsq_pivoted_solve(const flsq_pivoted *f, int64_t count, double *z);
/* z := R⁻ᵀz, likewise */
void flsq_pivoted_solve_transposed(const flsq_pivoted *f, int64_t count, double *z);

/* W (rows x columns, one column after the other) := W V with orthogonal columns and V orthogonal; values := their lengths,
 * falling.  One-sided Jacobi: quick where the columns fall in length. */
void flsq_jacobi(const flsq_kernels *kernels, int64_t rows, int64_t columns, double *w, double *values);

#endif
