/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Moments of Z = [X | 1 | Y] and where they lie.
 *
 * The moments are stored as NR x NR blocks, one for each pair (I, J) of panels with I <= J whose left panel holds a
 * column of [X | 1], and the diagonal pairs of Y (for diag YᵀWY).  A node of the summation tree is all blocks, one
 * after the other, sorted by J:
 *
 *        J =  0   1 | 2 | 3   4          panels 0 and 1 hold X, 2 holds 1 and the first of Y, 3 and 4 are Y alone
 *      I = 0  0   1   3   6  10
 *          1      2   4   7  11
 *          2          5   8  12
 *          3              9
 *          4                 13
 *
 * [1 | Y] starts a panel of its own, so that X may be multiplied without packing.  A single target is not packed at all
 * but summed beside X: its blocks (I, panel of [1 | y]) are stored turned, the sums of a panel's columns side by side, and
 * then the node has no more rows of a block than are in use: a few columns would leave most of it empty, and all of it goes
 * through every addition of the tree.
 */
#ifndef FLSQ_GRAM_H
#define FLSQ_GRAM_H
#include "kernels.h"
#include "tree.h"

struct flsq_gram {
    const flsq_kernels *kernels;
    int64_t p, k, unit;
    int64_t columns;     /* p + unit + k */
    int64_t x_panels;    /* of NR columns that hold X */
    int64_t panels;      /* and those of [1 | Y] behind them */
    int64_t left_panels; /* that hold a column of [X | 1] */
    int single;          /* rows are rounded to single precision: gram_single.c */
    int sides;           /* one target, summed beside X: */
    int64_t sides_begin; /* where its blocks begin in a node */
    int64_t sides_length; /* and how long each is */
    int64_t block_rows;
    flsq_tree tree;
};

/* Number of the block (0, J); (I, J) follows at +I, and the diagonal of a pure-Y panel at +left_panels. */
static inline int64_t first_block(const flsq_gram *gram, int64_t J)
{
    const int64_t square = FLSQ_MIN(J, gram->left_panels);
    return square * (square + 1) / 2 + (J - square) * (gram->left_panels + 1);
}

static inline int64_t place_of_block(const flsq_gram *gram, int64_t I, int64_t J)
{
    const int64_t nr = gram->kernels->nr;
    if (gram->sides && J == gram->x_panels)
        return gram->sides_begin + I * gram->sides_length;
    return (first_block(gram, J) + (I < gram->left_panels ? I : FLSQ_MIN(J, gram->left_panels))) * nr * nr;
}

static inline double *block(const flsq_gram *gram, double *node, int64_t I, int64_t J)
{
    return node + place_of_block(gram, I, J);
}

/* Where column c of [X | 1 | Y] lies among the packed columns: [1 | Y] starts a panel of its own. */
static inline int64_t packed_column(const flsq_gram *gram, int64_t c)
{
    return c < gram->p ? c : gram->x_panels * gram->kernels->nr + c - gram->p;
}

/* Columns in use of panel J. */
static inline int64_t panel_columns(const flsq_gram *gram, int64_t J)
{
    const int64_t nr = gram->kernels->nr;
    const int64_t left = J < gram->x_panels ? gram->p - J * nr : gram->unit + gram->k - (J - gram->x_panels) * nr;
    return FLSQ_MIN(nr, left);
}

/* Entries of block (I, J), I < left_panels, that are in use, from its first on. */
static inline int64_t block_length(const flsq_gram *gram, int64_t I, int64_t J)
{
    return gram->sides && J == gram->x_panels ? gram->sides_length : panel_columns(gram, I) * gram->kernels->nr;
}

/* Whether the block of entry (i, j) is stored turned. */
static inline int is_turned(const flsq_gram *gram, int64_t i, int64_t j)
{
    return gram->sides && i < gram->p && j >= gram->p;
}

/* Where a node has entry (i, j), i <= j; only of those it stores. */
static inline int64_t place_of_entry(const flsq_gram *gram, int64_t i, int64_t j)
{
    const int64_t nr = gram->kernels->nr;
    const int turned = is_turned(gram, i, j);
    i = packed_column(gram, i);
    j = packed_column(gram, j);
    return place_of_block(gram, i / nr, j / nr) + (turned ? j % nr * nr + i % nr : i % nr * nr + j % nr);
}

static inline double *entry(const flsq_gram *gram, double *node, int64_t i, int64_t j)
{
    return node + place_of_entry(gram, i, j);
}

/* A state of [X | Y] whose rows, multiplied by rows->scale, are rounded to single precision and whose sums are so for the
 * rows of one chunk: as good as single precision, at twice the speed.  Its updates take no weights and no offset. */
flsq_status flsq_gram_create_single(const flsq_kernels *kernels, int64_t p, int64_t k, flsq_gram **gram);
/* c (p x k) := XᵀWY */
void flsq_gram_cross(const flsq_gram *gram, double *c);
/* The moments of these rows alone, from a fresh state; as flsq_gram_collect. */
flsq_status flsq_gram_of(const flsq_kernels *kernels, const flsq_rows *rows, int n_threads, double *zz, double *yy,
                         double *lost);

#endif
