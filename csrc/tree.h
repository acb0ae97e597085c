/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The fixed-order sum.  Rows are cut into leaves of a fixed length; leaf sums are added in the shape of a binary
 * counter: a node of level l is the sum of 2^l consecutive leaves that start at a multiple of 2^l.
 *
 *      leaves   0 1 2 3 4 5 6          after 7 = 0b111 leaves the stack holds three nodes:
 *      level 1  01  23  45             level 2: 0..3    level 1: 4 5    level 0: 6
 *      level 2  0123                   and the total is  (0..3) + ((4 5) + 6)
 *
 * A tree that `carries` adds nodes with their rounding errors, which are added up beside them (a node is followed by as
 * many doubles of errors): what a total has lost was lost inside the leaves.
 *
 * Which nodes exist depends on the number of leaves alone, so any split of the work over threads, and any cut of a
 * stream between leaves, gives the same additions and the same bits.
 */
#ifndef FLSQ_TREE_H
#define FLSQ_TREE_H
#include "internal.h"
#include "kernels.h"

enum { FLSQ_TREE_LEVELS = 62 };

typedef struct flsq_tree {
    int64_t node_length;              /* sums in a node, of at most INT64_MAX / 32 */
    int carries;                      /* whether errors follow them */
    int64_t leaves;                   /* merged so far: bit l is set where level[l] is in use */
    double *level[FLSQ_TREE_LEVELS];  /* allocated when first needed, */
    double *near;                     /* but the first is this memory of the caller's, unless it is NULL */
} flsq_tree;

/* Doubles of a node with its errors. */
static inline int64_t flsq_tree_node_doubles(const flsq_tree *tree)
{
    return (tree->carries ? 2 : 1) * tree->node_length;
}

/* node (zeroed by the caller of this function) += the sum over leaf number `leaf` of the job. */
typedef void flsq_leaf_fn(const void *job, void *scratch, int64_t leaf, double *node);

typedef struct flsq_leaves {
    const void *job;
    flsq_leaf_fn *leaf;
    void (*prepare)(const void *job, void *scratch); /* once per thread */
    int64_t scratch_bytes;                           /* per thread */
    int64_t count;                                   /* leaves 0 .. count-1 of the job */
} flsq_leaves;

/* Computes all leaves of the job, each by one thread, and adds them to the tree.  On an error the tree is as before. */
flsq_status flsq_tree_extend(flsq_tree *tree, const flsq_kernels *kernels, const flsq_leaves *leaves, int n_threads);
/* Makes room for `leaves` more leaves, so that pushing them cannot fail. */
flsq_status flsq_tree_reserve(flsq_tree *tree, int64_t leaves);
/* The node of the next leaf, for which room was reserved: to be cleared, filled and then taken into the tree. */
double *flsq_tree_next(const flsq_tree *tree);
/* Zeroes what falls to one of so many threads of a node, whose memory may be new: so they share its first touch. */
void flsq_tree_clear_part(const flsq_tree *tree, double *node, int thread, int n_threads);
void flsq_tree_take_next(flsq_tree *tree, const flsq_kernels *kernels);
/* total := sums [first, first + count) over all leaves (0 without any); lost, unless NULL, of a tree that carries: what
 * rounding them to double has lost. */
void flsq_tree_total(const flsq_tree *tree, int64_t first, int64_t count, double *total, double *lost);
/* copy must be all zero. */
flsq_status flsq_tree_copy(const flsq_tree *tree, flsq_tree *copy);
void flsq_tree_release(flsq_tree *tree);

#endif
