/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * What the two rooms of windows share: rolling.c sums, window_solve.c solves.
 */
#ifndef FLSQ_ROLLING_H
#define FLSQ_ROLLING_H
#include "kernels.h"
#include "sums.h"

typedef struct flsq_rolling {
    const flsq_kernels *kernels;
    const flsq_rows *rows;
    const flsq_windows *windows;
    flsq_window_answers out;
    int64_t p, q, columns, entries; /* of X, [X y], [X 1], a row of sums */
    int64_t block, blocks, blocks_at_a_time;
    flsq_sums_tree tree;            /* nodes == NULL where no window holds a whole block between two others */
    double *carry;                  /* with decay: sums over all blocks before, for each block */
    double *decay;                  /* and the product of the factors of each */
    int64_t claimed;
    char *memory;
    int64_t memory_stride;
} flsq_rolling;

/* Rows of a block as the kernels want them. */
typedef struct flsq_window_rows {
    double *x, *weight, *factor; /* block x q, block, block */
} flsq_window_rows;

/* Work space of a thread. */
typedef struct flsq_window_worker {
    flsq_window_rows here, there;           /* of blocks j and i */
    double *column;                   /* block */
    double *suffix;                   /* (block + 1) rows of sums */
    double *prefix, *other;           /* lanes + 1 of them, lanes: pieces of the windows at hand */
    double *a, *b;                    /* interleaved */
    double *whole, *m, *r, *t;        /* q x q, p x p each, interleaved */
    double *mean, *coef, *reciprocal, *root, *level; /* q or p, interleaved */
    double *numbers;                  /* of every lane */
    double *point, *work, *zeros;     /* q, q, a row of sums */
} flsq_window_worker;

/* Rows of sums over the two pieces of each window at hand. */
typedef struct flsq_window_pieces {
    const double *first[FLSQ_MAX_LANES], *second[FLSQ_MAX_LANES];
} flsq_window_pieces;

enum {
    FLSQ_WINDOW_SHARE, /* of the first piece that counts */
    FLSQ_WINDOW_WEIGHT, FLSQ_WINDOW_GROWTH, FLSQ_WINDOW_PIVOT, FLSQ_WINDOW_NORM, FLSQ_WINDOW_INVERSE_NORM,
    FLSQ_WINDOW_HALF, FLSQ_WINDOW_LEVEL_HALF,
    FLSQ_WINDOW_NUMBERS
};

static inline double *flsq_window_number(const flsq_rolling *s, const flsq_window_worker *w, int which)
{
    return w->numbers + which * s->kernels->lanes;
}

/* The windows of `count` lanes, which end at rows t, t + 1, ... */
void flsq_window_solve(const flsq_rolling *s, const flsq_window_worker *w, const flsq_window_pieces *at, int64_t t,
                       int64_t count);

#endif
