/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * A small problem on its way through QR (orthogonal.c).
 */
#ifndef FLSQ_ORTHOGONAL_H
#define FLSQ_ORTHOGONAL_H
#include "kernels.h"
#include "pivoted.h"

typedef struct flsq_qr {
    const flsq_kernels *kernels;
    const flsq_rows *rows;
    flsq_orthogonal *out;
    int64_t n, columns, k, lead; /* rows, columns of X in use, targets, p + unit */
    flsq_pivoted f;              /* [1 | X D] */
    int64_t height;              /* rows of R below the unit's */
    double *root;                /* n: square roots of the weights, or NULL */
    double *y;                   /* n: a target on its way */
    double *r, *g, *step, *before; /* n x k; lead x k each */
    double *rss;                 /* k */
    double *z, *work;            /* columns each */
} flsq_qr;

static inline int64_t flsq_qr_column(const flsq_qr *s, int64_t j)
{
    return s->out->factor.active != NULL ? s->out->factor.active[j] : j;
}
/* e of D = 2^-e, for column j of those in use */
static inline int64_t flsq_qr_exponent(const flsq_qr *s, int64_t j) { return s->f.exponent[s->f.fixed + j]; }
/* which of the columns in use has this place */
static inline int64_t flsq_qr_place(const flsq_qr *s, int64_t place) { return s->f.order[s->f.fixed + place] - s->f.fixed; }

/* s->y := target t, shifted, scaled and times the roots of the weights; */
void flsq_qr_target(flsq_qr *s, int64_t t);
/* s->y := the residual of target t from the last pass, times the roots of the weights */
void flsq_qr_residual(flsq_qr *s, int64_t t);
int flsq_qr_is_finite(const flsq_qr *s, const double *b, const double *rss);
/* What the unit column gives back for slopes that have grown by D z. */
void flsq_qr_shift_level(const flsq_qr *s, int64_t t, double *b);

/* minimum_norm.c: moves b along the null space of X D to where it is shortest in the user's units. */
flsq_status flsq_qr_shorten(flsq_qr *s, double *b);
/* dual.c: fewer rows than columns.  Certified where the rows are clearly independent. */
flsq_status flsq_qr_solve_wide(flsq_qr *s, double *b, double *rss, flsq_report *report);

#endif
