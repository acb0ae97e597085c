/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Rung 1 for many small problems at once, one to a lane (see kernels/lanes_template.h).
 */
#ifndef FLSQ_LANES_H
#define FLSQ_LANES_H
#include "kernels.h"

/* Writes rows [first, first + count) of every lane: x (count x columns) and y (count), interleaved; zeros past the end of
 * a lane's problem. */
typedef void flsq_lane_fill(const void *job, int64_t first, int64_t count, double *x, double *y);

/* Memory that the next problems will be filled from: asked for while these are solved, in equal shares. */
typedef struct flsq_lane_ahead {
    const char *next[2];
    int64_t lines[2], share[2]; /* cache lines left, and of one share */
} flsq_lane_ahead;

typedef struct flsq_lane_answer {
    flsq_verdict verdict;
    double rss, condition, backward_error; /* condition: of D M D, in the 1-norm */
} flsq_lane_answer;

typedef struct flsq_lanes {
    const flsq_kernels *kernels;
    int64_t columns, chunk;                      /* rows in memory at a time */
    double *x, *y;                               /* chunk x columns, chunk */
    double *m, *r, *t;                           /* columns x columns */
    double *b, *g, *step, *reciprocal, *root;    /* columns; the solution is left in b */
    double *numbers;                             /* of every lane, LANE_NUMBERS of them */
} flsq_lanes;

flsq_status flsq_lanes_add_bytes(const flsq_kernels *kernels, int64_t columns, int64_t rows, int64_t *total);
void flsq_lanes_lay_out(const flsq_kernels *kernels, int64_t columns, int64_t rows, char *memory, flsq_lanes *lanes);

/* Solves the problems of all lanes, of at most `rows` rows each: b in lanes->b, the rest in answer[lanes].  What one
 * refinement step does not settle is FLSQ_NOT_SETTLED and left to others. */
void flsq_lanes_solve(const flsq_lanes *lanes, int64_t rows, flsq_lane_fill *fill, const void *job,
                      flsq_lane_ahead *ahead, flsq_lane_answer *answer);
/* How often flsq_lanes_solve asks for a share. */
int64_t flsq_lanes_shares(const flsq_lanes *lanes, int64_t rows);

#endif
