/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * What the passes over scores share: a chunk of rows as coordinates and factors, and the moments of scores in panels.
 */
#ifndef FLSQ_SCORES_H
#define FLSQ_SCORES_H
#include "ahead.h"
#include "pack.h"
#include "tree.h"
#include "workspace.h"

typedef struct flsq_score_pass {
    const flsq_kernels *kernels;
    const flsq_rows *rows;
    const flsq_score_frame *frame;
    int aside;                    /* the unit column is in no panel: its scores are the factors, and stand beside the others */
    int64_t lead, columns;        /* of [X | 1] and of the scores that are in panels */
    int64_t left_panels, score_panels, block_rows, chunk;
    const double *b;              /* left_panels*NR */
    double level;                 /* the unit column's, where it is in no panel */
    const double *transform;      /* -T but for its last row with a unit column: score_panels blocks of left_panels*NR x NR, */
    const double *last;           /* and that row, score_panels*NR; both zero in the padding, NULL for none */
    const int64_t *used;          /* left panels that block J has entries for: of a triangular T not all */
    const double *scale, *offset; /* of the left panels, then of y; NULL for none */
} flsq_score_pass;

typedef struct flsq_score_chunk {
    flsq_panels left, scores; /* the same without a transform */
    double *e, *h, *factor, *weights;
} flsq_score_chunk;

/* A pass for these rows and this frame, whose numbers lie in the arena.  `aside` where no more is wanted than moments of plain
 * scores: then a unit column is left out of the panels if it would take a vector of its own. */
flsq_status flsq_score_open(const flsq_kernels *kernels, const flsq_rows *rows, const flsq_score_frame *frame, int aside,
                            flsq_arena *arena, flsq_score_pass *pass);
/* Where the pieces of a chunk lie in memory (NULL: nowhere yet), and their bytes in all. */
flsq_status flsq_score_lay_out(const flsq_score_pass *pass, char *memory, flsq_score_chunk *c, int64_t *bytes);
void flsq_score_prepare(const flsq_score_pass *pass, const flsq_score_chunk *c);
/* c->scores := z, c->e := residuals if there is a target, c->h := leverages if wanted, of `count` rows of `rows`, which are those
 * of the pass or gathered from them.  Returns their weights or NULL. */
const double *flsq_score_coordinates(const flsq_score_pass *pass, const flsq_score_chunk *c, const flsq_rows *rows, int64_t row,
                                     int64_t count, int leverages);
/* c->factor := what each row z is multiplied by; rows z of weight 0 := 0, for 0 z is not 0 where z has left the range of
 * float64. */
void flsq_score_factors(const flsq_score_pass *pass, const flsq_score_chunk *c, const double *w, int64_t count);
/* node += the moments of `count` rows in score panels, and of the unit column's scores if it stands beside them, while memory is
 * asked for `ahead`. */
void flsq_score_products(const flsq_score_pass *pass, const flsq_panels *scores, const double *units, int64_t count,
                         flsq_ahead ahead, double *node);
/* Doubles of a node. */
flsq_status flsq_score_node_length(const flsq_score_pass *pass, int64_t *length);
/* moments, columns x columns, of a node. */
void flsq_score_unpack(const flsq_score_pass *pass, const double *node, double *moments);

static inline int64_t flsq_score_columns(const flsq_score_pass *pass, int64_t J)
{
    return FLSQ_MIN(pass->kernels->nr, pass->columns - J * pass->kernels->nr);
}

/* For the products of a chunk: the rows from `next` on. */
static inline flsq_ahead flsq_score_ahead(const flsq_score_pass *pass, int64_t next)
{
    return flsq_ahead_of_product(pass->kernels, &pass->rows->x, next, pass->chunk, pass->columns);
}

/* So many threads, or one for a small problem. */
static inline int flsq_score_threads(const flsq_score_pass *pass, int n_threads)
{
    const double flops = (double)pass->rows->x.rows * (double)(pass->lead + 1) * (double)(pass->frame->columns + 1);
    return flops < FLSQ_THREAD_FLOPS ? 1 : n_threads;
}

#endif
