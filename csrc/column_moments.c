/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Sums and sums of squares of every column about a given row, in one read and without products between columns:
 *
 *      s_j = sum_i w_i (x_ij - c_j)      q_j = sum_i w_i (x_ij - c_j)²
 */
#include "blocksizes.h"
#include "pack.h"
#include "tree.h"
#include "workspace.h"
#include <string.h>

typedef struct column_pass {
    const flsq_kernels *kernels;
    const flsq_matrix *x;
    const double *weights;
    const double *scale, *shift; /* of the panels */
    int64_t panels, chunk, block_rows;
} column_pass;

typedef struct column_chunk {
    flsq_panels z;
    double *weighted, *ones;
} column_chunk;

static flsq_status lay_out(const column_pass *pass, char *memory, column_chunk *c, int64_t *bytes)
{
    const int64_t stride = flsq_panels_stride(pass->kernels, pass->chunk), item = sizeof(double);
    const flsq_piece sizes[] = {{pass->panels, stride * item}, {1, stride * item}, {pass->chunk, item}};
    void *pieces[3] = {0};
    *bytes = 0;
    const flsq_status status = flsq_lay_out_pieces(3, sizes, memory, pieces, bytes);
    *c = (column_chunk){.z = {pieces[0], stride, pass->panels, pass->kernels->nr}, .weighted = pieces[1], .ones = pieces[2]};
    return status;
}

static void prepare_leaf(const void *job, void *scratch)
{
    const column_pass *const pass = job;
    column_chunk c;
    int64_t bytes;
    lay_out(pass, scratch, &c, &bytes);
    memset(scratch, 0, (size_t)bytes);
    for (int64_t i = 0; i < pass->chunk; i++)
        c.ones[i] = 1.0;
}

static void sum_leaf(const void *job, void *scratch, int64_t leaf, double *node)
{
    const column_pass *const pass = job;
    const flsq_kernels *const kernels = pass->kernels;
    const int64_t nr = kernels->nr, p = pass->x->columns, length = pass->panels * nr;
    const int64_t end = FLSQ_MIN((leaf + 1) * pass->block_rows, pass->x->rows);
    column_chunk c;
    int64_t bytes;
    lay_out(pass, scratch, &c, &bytes);
    for (int64_t row = leaf * pass->block_rows; row < end; row += pass->chunk) {
        const int64_t count = FLSQ_MIN(pass->chunk, end - row);
        const double *const w = pass->weights == NULL ? c.ones : pass->weights + row;
        flsq_pack_matrix(kernels, pass->x, row, count, &c.z, 0);
        for (int64_t J = 0; J < pass->panels; J++) {
            const int64_t columns = FLSQ_MIN(nr, p - J * nr);
            double *const z = c.z.base + J * c.z.stride;
            kernels->affine(count, columns, pass->scale + J * nr, pass->shift + J * nr, z, nr);
            kernels->gradient(count, z, columns, w, node + J * nr);
            if (pass->weights != NULL)
                kernels->weigh(count, columns, w, z, c.weighted);
            kernels->dot_columns(count, pass->weights == NULL ? z : c.weighted, z, node + length + J * nr);
        }
    }
}

flsq_status flsq_column_moments(const flsq_kernels *kernels, const flsq_matrix *x, const double *weights, const double *shift,
                                int n_threads, double *sums, double *squares)
{
    const int64_t p = x->columns, panels = FLSQ_CEIL_DIV(p, kernels->nr), length = panels * kernels->nr;
    column_pass pass = {.kernels = kernels, .x = x, .weights = weights, .panels = panels,
                        .chunk = FLSQ_MIN(FLSQ_RESIDUAL_ROWS(p), x->rows), .block_rows = FLSQ_RESIDUAL_BLOCK_ROWS(p, 1)};
    flsq_leaves leaves = {.job = &pass, .leaf = sum_leaf, .prepare = prepare_leaf,
                          .count = FLSQ_CEIL_DIV(x->rows, pass.block_rows)};
    flsq_tree tree = {.node_length = 2 * length, .carries = 1};
    flsq_arena arena;
    column_chunk sizes;
    int64_t size = 0;
    flsq_status status = lay_out(&pass, NULL, &sizes, &leaves.scratch_bytes);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, 4 * length, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    double *const affine = flsq_arena_take(&arena, 4 * length, sizeof(double)), *const total = affine + 2 * length;
    for (int64_t j = 0; j < length; j++) {
        affine[j] = 1.0;
        affine[length + j] = j < p ? shift[j] : 0.0;
    }
    pass.scale = affine;
    pass.shift = affine + length;
    if (4.0 * (double)x->rows * (double)p < FLSQ_THREAD_FLOPS)
        n_threads = 1;
    status = flsq_tree_extend(&tree, kernels, &leaves, n_threads);
    if (status == FLSQ_OK) {
        flsq_tree_total(&tree, 0, 2 * length, total, NULL);
        memcpy(sums, total, (size_t)p * sizeof(double));
        memcpy(squares, total + length, (size_t)p * sizeof(double));
    }
    flsq_tree_release(&tree);
    flsq_arena_close(&arena);
    return status;
}
