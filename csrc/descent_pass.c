/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Loss and gradient over all rows in one read of them, summed over leaves of a fixed length and a tree.
 */
#include "descent.h"
#include "blocksizes.h"
#include "tree.h"
#include "workspace.h"

typedef struct descent_pass {
    const flsq_descent_layout *layout;
    const flsq_descent_folded *folded;
} descent_pass;

static void prepare_leaf(const void *job, void *scratch)
{
    const descent_pass *const pass = job;
    flsq_descent_memory m;
    int64_t bytes;
    flsq_descent_place(pass->layout, scratch, &m, &bytes);
    flsq_descent_prepare(pass->layout, &m);
}

static void find_rows(const flsq_descent_layout *l, int64_t row, int64_t end, flsq_descent_rows *rows)
{
    rows->count = FLSQ_MIN(l->chunk, end - row);
    rows->segments = 1;
    rows->segment[0] = (flsq_segment){row, rows->count};
    flsq_descent_find(l, rows);
}

static void sum_leaf(const void *job, void *scratch, int64_t leaf, double *node)
{
    const descent_pass *const pass = job;
    const flsq_descent_layout *const l = pass->layout;
    const int64_t n = l->problem->x.rows, length = FLSQ_DESCENT_LEAF_ROWS(l->problem->x.columns);
    const int64_t end = FLSQ_MIN((leaf + 1) * length, n);
    const flsq_descent_sums sums = flsq_descent_sums_at(l, node);
    flsq_descent_memory m;
    int64_t bytes;
    flsq_descent_place(l, scratch, &m, &bytes);
    flsq_descent_rows chunk[2];
    int now = 0;
    find_rows(l, leaf * length, end, &chunk[now]);
    for (int64_t row = leaf * length; row < end; row += l->chunk, now = !now) {
        const int64_t next = row + l->chunk;
        if (next < n) /* of another leaf, too, which is often this thread's */
            find_rows(l, next, next < end ? end : n, &chunk[!now]);
        flsq_descent_add(l, &m, pass->folded, &chunk[now], next < n ? &chunk[!now] : NULL, &sums);
    }
}

flsq_status flsq_descent_pass(const flsq_descent_layout *l, const flsq_descent_folded *folded, int n_threads, double *total)
{
    const int64_t p = l->problem->x.columns, n = l->problem->x.rows;
    const descent_pass pass = {.layout = l, .folded = folded};
    flsq_leaves leaves = {.job = &pass, .leaf = sum_leaf, .prepare = prepare_leaf,
                          .count = FLSQ_CEIL_DIV(n, FLSQ_DESCENT_LEAF_ROWS(p))};
    flsq_tree tree = {.node_length = flsq_descent_sums_length(l), .carries = 1};
    flsq_descent_memory sizes;
    flsq_status status = flsq_descent_place(l, NULL, &sizes, &leaves.scratch_bytes);
    if (4.0 * (double)n * (double)(p + 1) * (double)l->problem->predictors < FLSQ_THREAD_FLOPS)
        n_threads = 1;
    if (status == FLSQ_OK)
        status = flsq_tree_extend(&tree, l->kernels, &leaves, n_threads);
    if (status == FLSQ_OK)
        flsq_tree_total(&tree, 0, tree.node_length, total, NULL);
    flsq_tree_release(&tree);
    return status;
}

flsq_status flsq_descent_evaluate(const flsq_kernels *kernels, const flsq_descent *problem, const double *b, int n_threads,
                                  double *loss, double *weight, double *gradient)
{
    flsq_descent_layout l;
    flsq_arena arena;
    int64_t size = 0;
    flsq_status status = flsq_descent_lay_out(kernels, problem, &l);
    const int64_t k = problem->predictors;
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, k * (l.length + 8), sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, flsq_descent_sums_length(&l), sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    flsq_descent_folded folded = {.b = flsq_arena_take(&arena, k * (l.length + 8), sizeof(double))};
    folded.start = folded.b + k * l.length;
    double *const total = flsq_arena_take(&arena, flsq_descent_sums_length(&l), sizeof(double));
    flsq_descent_fold(&l, b, &folded);
    status = flsq_descent_pass(&l, &folded, n_threads, total);
    if (status == FLSQ_OK) {
        const flsq_descent_sums sums = flsq_descent_sums_at(&l, total);
        *loss = sums.totals[0];
        *weight = sums.totals[1];
        if (gradient != NULL)
            flsq_descent_unfold(&l, &sums, gradient);
    }
    flsq_arena_close(&arena);
    return status;
}
