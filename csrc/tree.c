/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The binary-counter sum in parallel: the leaves are dealt out as aligned runs of 2^l, whose nodes are then pushed in
 * order.  How long the runs are changes nothing but who adds what.
 */
#include "tree.h"
#include "parallel.h"
#include "workspace.h"
#include <string.h>

/* Runs become shorter towards the end: each is this part of what is left for a thread, so that long runs need few nodes and
 * short ones even out a thread that was held up.  None is so short that runs of that length, all nodes together, would take
 * more memory than RUNS_BYTES (unless LEAST_RUNS a thread do).  2026-12, Emerald Rapids, two threads, p = 256 and 49 leaves: 49
 * runs of one leaf, whose 15 MB one thread pushed (it is all threads now), 52 ms; 16 runs, pushed by all, 48. */
enum { SHARE = 2, LEAST_RUNS = 2, RUNS_BYTES = 64 << 20 };

enum { PIECE = 64 }; /* entries totalled at a time */

static size_t node_bytes(const flsq_tree *tree) { return (size_t)flsq_tree_node_doubles(tree) * sizeof(double); }

flsq_status flsq_tree_reserve(flsq_tree *tree, int64_t leaves)
{
    int64_t total;
    if (__builtin_add_overflow(tree->leaves, leaves, &total) || total >> FLSQ_TREE_LEVELS)
        return FLSQ_TOO_LARGE;
    for (int l = 0; total >> l; l++) {
        if (tree->level[l] == NULL)
            tree->level[l] = l == 0 && tree->near != NULL ? tree->near : flsq_allocate((int64_t)node_bytes(tree));
        if (tree->level[l] == NULL)
            return FLSQ_NO_MEMORY;
    }
    return FLSQ_OK;
}

/* Some sums of a node, and the errors that go with them. */
typedef struct part {
    int64_t first, count;
} part;

static part part_of(const flsq_tree *tree, int thread, int n_threads)
{
    const int64_t line = FLSQ_ALIGNMENT / (int64_t)sizeof(double);
    const int64_t each = FLSQ_CEIL_DIV(tree->node_length, n_threads * line) * line;
    const int64_t first = FLSQ_MIN(thread * each, tree->node_length);
    return (part){.first = first, .count = FLSQ_MIN(each, tree->node_length - first)};
}

/* node += earlier, where the sums of the leaves before it are. */
static void add_part(const flsq_tree *tree, const flsq_kernels *kernels, const double *earlier, double *node, part p)
{
    if (tree->carries)
        kernels->add_pairs(p.count, tree->node_length, earlier + p.first, node + p.first);
    else
        kernels->axpy(p.count, 1.0, earlier + p.first, node + p.first);
}

static void copy_part(const flsq_tree *tree, const double *from, double *to, part p)
{
    for (int64_t at = p.first; at < flsq_tree_node_doubles(tree); at += tree->node_length)
        memcpy(to + at, from + at, (size_t)p.count * sizeof(double));
}

void flsq_tree_clear_part(const flsq_tree *tree, double *node, int thread, int n_threads)
{
    const part p = part_of(tree, thread, n_threads);
    for (int64_t at = p.first; at < flsq_tree_node_doubles(tree); at += tree->node_length)
        memset(node + at, 0, (size_t)p.count * sizeof(double));
}

static part all_of(const flsq_tree *tree) { return (part){.count = tree->node_length}; }

/* The level that a node of 2^level leaves comes to rest on behind so many leaves. */
static int resting_level(int64_t leaves, int level)
{
    while (leaves >> level & 1)
        level++;
    return level;
}

/* A part of what pushing a node of 2^level leaves onto a tree of so many does. */
static void push_part(const flsq_tree *tree, const flsq_kernels *kernels, int64_t leaves, double *node, int level, part p)
{
    const int rest = resting_level(leaves, level);
    for (int l = level; l < rest; l++)
        add_part(tree, kernels, tree->level[l], node, p);
    if (node != tree->level[rest])
        copy_part(tree, node, tree->level[rest], p);
}

double *flsq_tree_next(const flsq_tree *tree) { return tree->level[resting_level(tree->leaves, 0)]; }

void flsq_tree_take_next(flsq_tree *tree, const flsq_kernels *kernels)
{
    push_part(tree, kernels, tree->leaves, flsq_tree_next(tree), 0, all_of(tree));
    tree->leaves++;
}

/* Some entries of the total, from the node of the latest leaves to that of the earliest, as add_node adds. */
static void total_piece(const flsq_tree *tree, int64_t first, int64_t count, double *total, double *lost)
{
    double error[PIECE];
    memset(total, 0, (size_t)count * sizeof(double));
    memset(error, 0, (size_t)count * sizeof(double));
    for (int level = 0; tree->leaves >> level; level++) {
        if (!(tree->leaves >> level & 1))
            continue;
        const double *const sums = tree->level[level] + first;
        const double *const errors = sums + (tree->carries ? tree->node_length : 0);
        for (int64_t i = 0; tree->carries && i < count; i++) {
            const double a = sums[i], b = total[i], s = a + b, part = s - a;
            error[i] = (errors[i] + error[i]) + ((a - (s - part)) + (b - part));
            total[i] = s;
        }
        for (int64_t i = 0; !tree->carries && i < count; i++)
            total[i] += sums[i];
    }
    for (int64_t i = 0; i < count; i++) {
        const double sum = total[i], rounded = sum + error[i];
        if (lost != NULL)
            lost[i] = (sum - rounded) + error[i]; /* exact: the error is the smaller (Dekker's fast two-sum) */
        total[i] = rounded;
    }
}

void flsq_tree_total(const flsq_tree *tree, int64_t first, int64_t count, double *total, double *lost)
{
    FLSQ_ASSERT(lost == NULL || tree->carries);
    for (int64_t i = 0; i < count; i += PIECE)
        total_piece(tree, first + i, FLSQ_MIN(PIECE, count - i), total + i, lost != NULL ? lost + i : NULL);
}

flsq_status flsq_tree_copy(const flsq_tree *tree, flsq_tree *copy)
{
    copy->node_length = tree->node_length;
    copy->carries = tree->carries;
    const flsq_status status = flsq_tree_reserve(copy, tree->leaves);
    if (status != FLSQ_OK)
        return status;
    copy->leaves = tree->leaves;
    for (int l = 0; tree->leaves >> l; l++)
        if (tree->leaves >> l & 1)
            memcpy(copy->level[l], tree->level[l], node_bytes(tree));
    return FLSQ_OK;
}

void flsq_tree_release(flsq_tree *tree)
{
    for (int l = 0; l < FLSQ_TREE_LEVELS && tree->level[l] != NULL; l++) /* made from 0 on, without gaps */
        if (tree->level[l] != tree->near)
            flsq_release(tree->level[l]);
    memset(tree, 0, sizeof *tree);
}

/* ---- parallel extension ---------------------------------------------------------------------------------------- */

typedef struct run {
    int64_t first; /* leaf of the job */
    int level;     /* 2^level leaves */
    double *node;
} run;

typedef struct extension {
    const flsq_tree *tree;
    const flsq_kernels *kernels;
    const flsq_leaves *leaves;
    run *runs;
    int64_t n_runs, claimed;
    int max_level;         /* of a run */
    char *scratch;         /* scratch_stride bytes per thread */
    int64_t scratch_stride;
    double *carry;         /* (max_level + 1) nodes per thread */
    int64_t node_stride;
} extension;

static int floor_log2(int64_t n)
{
    int level = 0;
    while (n >> (level + 1))
        level++;
    return level;
}

/* Cuts leaves [0, count), which follow `offset` earlier ones, into aligned runs: of 2^least_level leaves or, towards the
 * beginning, more, as far as they fit.  One thread has nothing to even out.  Returns how many; *max_level is their highest. */
static int64_t cut(int64_t offset, int64_t count, int least_level, int n_threads, run *runs, int *max_level)
{
    int64_t n = 0;
    *max_level = 0;
    for (int64_t done = 0; done < count; n++) {
        const int64_t left = count - done, share = n_threads == 1 ? left : FLSQ_MAX(left / (SHARE * n_threads), 1);
        const int highest = FLSQ_MAX(floor_log2(share), least_level);
        int level = 0;
        while (level < highest && !((offset + done) >> level & 1) && ((int64_t)2 << level) <= left)
            level++;
        if (runs != NULL)
            runs[n] = (run){.first = done, .level = level};
        *max_level = FLSQ_MAX(*max_level, level);
        done += (int64_t)1 << level;
    }
    return n;
}

static void sum_run(const extension *e, const run *r, void *scratch, double *carry)
{
    const size_t bytes = node_bytes(e->tree);
    const int64_t count = (int64_t)1 << r->level;
    for (int64_t i = 0; i < count; i++) {
        memset(r->node, 0, bytes);
        e->leaves->leaf(e->leaves->job, scratch, r->first + i, r->node);
        int level = 0;
        for (; i >> level & 1; level++)
            add_part(e->tree, e->kernels, carry + level * e->node_stride, r->node, all_of(e->tree));
        if (i + 1 < count)
            memcpy(carry + level * e->node_stride, r->node, bytes);
    }
}

static void extend_body(void *context, int thread, int n_threads)
{
    extension *const e = context;
    void *const scratch = e->scratch + thread * e->scratch_stride;
    double *const carry = e->carry + thread * (e->max_level + 1) * e->node_stride;
    e->leaves->prepare(e->leaves->job, scratch);
    for (int64_t i = flsq_parallel_claim(&e->claimed); i < e->n_runs; i = flsq_parallel_claim(&e->claimed))
        sum_run(e, &e->runs[i], scratch, carry);
    flsq_parallel_barrier(n_threads); /* every thread pushes its part of all nodes, in order */
    const part own = part_of(e->tree, thread, n_threads);
    int64_t leaves = e->tree->leaves;
    for (int64_t i = 0; i < e->n_runs; i++) {
        push_part(e->tree, e->kernels, leaves, e->runs[i].node, e->runs[i].level, own);
        leaves += (int64_t)1 << e->runs[i].level;
    }
}

/* The first leaf of an empty tree, alone: straight into the stack. */
static flsq_status only_leaf(flsq_tree *tree, const flsq_leaves *leaves)
{
    flsq_arena arena;
    int64_t size = 0;
    flsq_status status = flsq_size_add(&size, leaves->scratch_bytes, 1);
    if (status == FLSQ_OK)
        status = flsq_tree_reserve(tree, 1);
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    void *const scratch = flsq_arena_take(&arena, leaves->scratch_bytes, 1);
    memset(flsq_tree_next(tree), 0, node_bytes(tree));
    leaves->prepare(leaves->job, scratch);
    leaves->leaf(leaves->job, scratch, 0, flsq_tree_next(tree));
    tree->leaves = 1;
    flsq_arena_close(&arena);
    return FLSQ_OK;
}

flsq_status flsq_tree_extend(flsq_tree *tree, const flsq_kernels *kernels, const flsq_leaves *leaves, int n_threads)
{
    if (leaves->count == 0)
        return FLSQ_OK;
    if (leaves->count == 1 && tree->leaves == 0)
        return only_leaf(tree, leaves);
    n_threads = (int)FLSQ_MAX(FLSQ_MIN(n_threads, leaves->count), 1);
    extension e = {.tree = tree, .kernels = kernels, .leaves = leaves};
    const int64_t affordable = FLSQ_MAX(RUNS_BYTES / ((int64_t)node_bytes(tree) + 1), LEAST_RUNS * n_threads);
    const int least_level = floor_log2(FLSQ_MAX(leaves->count / affordable, 1));
    e.n_runs = cut(tree->leaves, leaves->count, least_level, n_threads, NULL, &e.max_level);
    e.node_stride = FLSQ_CEIL_DIV(flsq_tree_node_doubles(tree), 8) * 8;

    flsq_arena arena;
    int64_t size = 0, nodes, carries;
    flsq_status status = flsq_size_multiply(e.n_runs, e.node_stride, &nodes);
    if (status == FLSQ_OK)
        status = flsq_size_multiply((int64_t)n_threads * (e.max_level + 1), e.node_stride, &carries);
    if (status == FLSQ_OK)
        status = flsq_size_add(&e.scratch_stride, leaves->scratch_bytes, 1);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, n_threads, e.scratch_stride);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, nodes, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, carries, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, e.n_runs, sizeof(run));
    if (status == FLSQ_OK)
        status = flsq_tree_reserve(tree, leaves->count);
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;

    e.scratch = flsq_arena_take(&arena, n_threads, e.scratch_stride);
    double *const node = flsq_arena_take(&arena, nodes, sizeof(double));
    e.carry = flsq_arena_take(&arena, carries, sizeof(double));
    e.runs = flsq_arena_take(&arena, e.n_runs, sizeof(run));
    cut(tree->leaves, leaves->count, least_level, n_threads, e.runs, &e.max_level);
    for (int64_t i = 0; i < e.n_runs; i++)
        e.runs[i].node = node + i * e.node_stride;

    flsq_parallel_run(n_threads, extend_body, &e);
    tree->leaves += leaves->count;
    flsq_arena_close(&arena);
    return FLSQ_OK;
}
