/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * From rows to the sums of a step: what mini-batches and passes over all rows share.
 */
#ifndef FLSQ_DESCENT_H
#define FLSQ_DESCENT_H
#include "kernels.h"
#include "order.h"
#include "pack.h"
#include <math.h>

enum {
    FLSQ_DESCENT_MOST_ROWS = 128, /* of a chunk */
    FLSQ_DESCENT_EIGHTS = FLSQ_DESCENT_MOST_ROWS / 8
};

/* How the problem is laid out for the kernels. */
typedef struct flsq_descent_layout {
    const flsq_kernels *kernels;
    const flsq_descent *problem;
    int64_t chunk;     /* rows, a multiple of eight */
    int64_t packed;    /* panels of columns, where rows are packed */
    int64_t length;    /* doubles of the coefficients of a predictor, in whole vectors and panels */
    int64_t parameters; /* predictors*(p + 1) */
    int64_t item;      /* bytes of an element that is read where it lies, */
    int in_place;      /* if rows are */
} flsq_descent_layout;

/* Coefficients as the kernels read them: -(slopes of the rows as they are), and intercepts. */
typedef struct flsq_descent_folded {
    double *b, *start; /* predictors x length; predictors */
} flsq_descent_folded;

/* Sums over rows: predictors x length of w l' x, predictors of w l', then of w l and w. */
typedef struct flsq_descent_sums {
    double *gradient, *slopes, *totals;
} flsq_descent_sums;

/* Rows of a chunk, found but not read. */
typedef struct flsq_descent_rows {
    int64_t count, segments, copied;
    flsq_segment segment[FLSQ_DESCENT_MOST_ROWS];
    const void *at[FLSQ_DESCENT_EIGHTS]; /* where eights begin that are read in place, or NULL: `copied` of them */
} flsq_descent_rows;

/* Memory of a thread. */
typedef struct flsq_descent_memory {
    flsq_panels panels;
    char *copies; /* eights whose rows do not follow one another */
    double *eta, *r, *y, *w, *ones; /* w is ones, too, where there are no weights */
} flsq_descent_memory;

flsq_status flsq_descent_lay_out(const flsq_kernels *kernels, const flsq_descent *problem, flsq_descent_layout *layout);
/* The pieces of a thread, taken from `memory`; with NULL only their size. */
flsq_status flsq_descent_place(const flsq_descent_layout *layout, char *memory, flsq_descent_memory *m, int64_t *bytes);
/* Makes memory ready for the first chunk. */
void flsq_descent_prepare(const flsq_descent_layout *layout, flsq_descent_memory *m);
/* Doubles of sums, and their parts. */
int64_t flsq_descent_sums_length(const flsq_descent_layout *layout);
flsq_descent_sums flsq_descent_sums_at(const flsq_descent_layout *layout, double *memory);

/* b (as flsq_descent_state has it) for the kernels. */
void flsq_descent_fold(const flsq_descent_layout *layout, const double *b, const flsq_descent_folded *folded);
/* The gradient of sum w l, as b lies, from sums. */
void flsq_descent_unfold(const flsq_descent_layout *layout, const flsq_descent_sums *sums, double *gradient);

/* Fills in what follows from count and segments. */
void flsq_descent_find(const flsq_descent_layout *layout, flsq_descent_rows *rows);
/* Adds the rows to sums; asks for those of `next` (or NULL) meanwhile. */
void flsq_descent_add(const flsq_descent_layout *layout, flsq_descent_memory *m, const flsq_descent_folded *folded,
                      const flsq_descent_rows *rows, const flsq_descent_rows *next, const flsq_descent_sums *sums);

/* total := the sums over all rows */
flsq_status flsq_descent_pass(const flsq_descent_layout *layout, const flsq_descent_folded *folded, int n_threads,
                              double *total);

/* Whether batches are single rows for a plain step: then flsq_descent_singles takes them. */
int flsq_descent_is_single(const flsq_descent_plan *plan, const flsq_descent *problem);
flsq_status flsq_descent_singles(const flsq_descent_layout *layout, const flsq_descent_plan *plan, flsq_descent_state *state,
                                 flsq_descent_report *report);
/* Rows of float64 or float32 that kernels can read where they lie. */
int flsq_descent_is_plain(const flsq_matrix *x);

/* Derivative of the objective by a slope b where that of the loss is g; with l1 the subgradient nearest to 0. */
static inline double flsq_descent_derivative(const flsq_descent_plan *plan, double b, double g)
{
    const double d = g + plan->l2 * b;
    return b > 0 ? d + plan->l1 : b < 0 ? d - plan->l1 : copysign(fmax(fabs(d) - plan->l1, 0), d);
}

#endif
