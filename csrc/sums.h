/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Rows of sums (kernels/window_template.h has their layout) that are moved, added and summed up over blocks of rows.
 */
#ifndef FLSQ_SUMS_H
#define FLSQ_SUMS_H
#include "internal.h"

/* Doubles of a row of sums over q columns. */
static inline int64_t flsq_sums_entries(int64_t q) { return 1 + 2 * q + q * (q + 1) / 2; }
/* Where the point lies in it, behind the sums. */
static inline int64_t flsq_sums_point(int64_t q) { return 1 + q + q * (q + 1) / 2; }

/* The same sums about the point `to`. */
void flsq_sums_move(int64_t q, const double *to, double *sums);
/* total += factor*piece; with `centred` about the mean of both, for which work has room for q. */
void flsq_sums_add(int64_t q, int centred, double factor, const double *piece, double *total, double *work);

/* Sums over 2^level blocks, for all places where that many begin at a multiple of their number. */
typedef struct flsq_sums_tree {
    double *nodes;
    int64_t q, blocks;
    int centred;
} flsq_sums_tree;

/* Of all levels together. */
int64_t flsq_sums_tree_nodes(int64_t blocks);
double *flsq_sums_tree_leaf(const flsq_sums_tree *tree, int64_t block);
/* Fills all levels above the leaves. */
void flsq_sums_tree_build(const flsq_sums_tree *tree, double *work);
/* total := the sums over blocks [first, last), in an order that depends on these numbers alone. */
void flsq_sums_tree_total(const flsq_sums_tree *tree, int64_t first, int64_t last, double *total, double *work);

#endif
