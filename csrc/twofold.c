/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The residual pass with about twice the digits: R = Y - [X | 1] B, G = [X | 1]ᵀ W R and rss_t = sum_i w_i r_it².
 *
 * Numbers are pairs, the second below the last digit of the first.  Rows are packed whatever their type.
 */
#include "blocksizes.h"
#include "pack.h"
#include "tree.h"
#include "workspace.h"
#include <string.h>

typedef struct twofold_pass {
    const flsq_kernels *kernels;
    const flsq_rows *rows;
    int64_t k, lead, panels, block_rows, chunk;
    const double *b, *b_low; /* k vectors of panels*NR each */
    const double *scale;     /* panels*NR, then k; ones where there is none */
} twofold_pass;

/* A node: k gradients of panels*NR and k sums of squares, then as many errors. */
static int64_t node_length(const twofold_pass *pass) { return pass->k * (pass->panels * pass->kernels->nr + 1); }

typedef struct twofold_chunk {
    flsq_panels panels;
    double *r, *r_low, *wr, *wr_low, *weights; /* chunk each */
} twofold_chunk;

static flsq_status lay_out(const twofold_pass *pass, char *memory, twofold_chunk *c, int64_t *bytes)
{
    const int64_t stride = flsq_panels_stride(pass->kernels, pass->chunk);
    double *columns[5];
    *bytes = 0;
    flsq_status status = flsq_size_add(bytes, pass->panels, stride * (int64_t)sizeof(double));
    for (int i = 0; i < 5 && status == FLSQ_OK; i++) {
        columns[i] = memory == NULL ? NULL : (double *)(memory + *bytes);
        status = flsq_size_add(bytes, pass->chunk, sizeof(double));
    }
    if (status == FLSQ_OK)
        *c = (twofold_chunk){.panels = {(double *)memory, stride, pass->panels, pass->kernels->nr}, .r = columns[0], .r_low = columns[1],
                             .wr = columns[2], .wr_low = columns[3], .weights = columns[4]};
    return status;
}

static void prepare_leaf(const void *job, void *scratch)
{
    const twofold_pass *const pass = job;
    twofold_chunk c;
    int64_t bytes;
    lay_out(pass, scratch, &c, &bytes);
    flsq_panels_clear(pass->kernels, &c.panels, pass->rows->unit ? pass->rows->x.columns : -1);
}

/* A power of two times the panels, but for the unit column, whose scale is 1. */
static void apply_scale(const twofold_pass *pass, const flsq_panels *panels, int64_t count)
{
    const int64_t nr = pass->kernels->nr;
    const double zero[FLSQ_MAX_NR] = {0};
    for (int64_t J = 0; pass->rows->scale != NULL && J < panels->count; J++)
        pass->kernels->affine(count, FLSQ_MIN(nr, pass->lead - J * nr), pass->scale + J * nr, zero,
                              panels->base + J * panels->stride, nr);
}

enum { TOGETHER = 8 }; /* rows, while which as many of the next chunk are asked for */

/* Up to TOGETHER rows of X from `row` on, if they lie in one piece. */
static void ask_for_rows(const flsq_matrix *x, int64_t row)
{
    const int64_t rows = FLSQ_MIN(TOGETHER, x->rows - row);
    if (x->row_stride <= 0 || x->col_stride < 0 || x->col_stride > x->row_stride)
        return;
    const char *const first = (const char *)x->data + row * x->row_stride;
    for (int64_t byte = 0; byte < rows * x->row_stride; byte += FLSQ_ALIGNMENT)
        __builtin_prefetch(first + byte, 0, 3);
}

static void sum_leaf(const void *job, void *scratch, int64_t leaf, double *node)
{
    const twofold_pass *const pass = job;
    const flsq_kernels *const kernels = pass->kernels;
    const flsq_rows *const rows = pass->rows;
    const int64_t nr = kernels->nr, length = pass->panels * nr;
    const int64_t begin = leaf * pass->block_rows, end = FLSQ_MIN(begin + pass->block_rows, rows->x.rows);
    double *const node_low = node + node_length(pass);
    twofold_chunk c;
    int64_t bytes;
    lay_out(pass, scratch, &c, &bytes);
    for (int64_t row = begin; row < end; row += pass->chunk) {
        const int64_t count = FLSQ_MIN(pass->chunk, end - row);
        const double *const w =
            rows->weights.data != NULL ? flsq_find_column(&rows->weights, 0, row, count, c.weights) : NULL;
        flsq_pack_matrix(kernels, &rows->x, row, count, &c.panels, 0);
        apply_scale(pass, &c.panels, count);
        for (int64_t t = 0; t < pass->k; t++) {
            flsq_read_column(&rows->y, t, row, count, c.r);
            for (int64_t i = 0; i < count; i++) {
                c.r[i] *= pass->scale[length + t];
                c.r_low[i] = 0;
            }
            for (int64_t i = 0; i < count; i += TOGETHER) {
                if (t == 0)
                    ask_for_rows(&rows->x, row + count + i);
                kernels->residual_twofold(FLSQ_MIN(TOGETHER, count - i), pass->panels, c.panels.base + i * nr,
                                          c.panels.stride, pass->b + t * length, pass->b_low + t * length, c.r + i,
                                          c.r_low + i);
            }
            const int64_t rss = pass->k * length + t;
            kernels->weigh_twofold(count, w, c.r, c.r_low, c.wr, c.wr_low, node + rss, node_low + rss);
            for (int64_t J = 0; J < pass->panels; J++)
                kernels->gradient_twofold(count, c.panels.base + J * c.panels.stride, c.wr, c.wr_low,
                                          node + t * length + J * nr, node_low + t * length + J * nr);
        }
    }
}

static void pack_coefficients(const twofold_pass *pass, const double *b, double *packed)
{
    const int64_t length = pass->panels * pass->kernels->nr;
    memset(packed, 0, (size_t)(pass->k * length) * sizeof(double));
    for (int64_t j = 0; j < pass->lead; j++)
        for (int64_t t = 0; t < pass->k; t++)
            packed[t * length + j] = b[j * pass->k + t];
}

static void pad_scale(const twofold_pass *pass, double *scale)
{
    const flsq_rows *const rows = pass->rows;
    const int64_t length = pass->panels * pass->kernels->nr;
    for (int64_t c = 0; c < length + pass->k; c++)
        scale[c] = 1.0;
    for (int64_t c = 0; rows->scale != NULL && c < pass->lead + pass->k; c++)
        if (!(rows->unit && c == rows->x.columns))
            scale[c < pass->lead ? c : length + c - pass->lead] = rows->scale[c];
}

static void unpack(const twofold_pass *pass, const flsq_tree *tree, double *g, double *g_low, double *rss)
{
    const int64_t length = pass->panels * pass->kernels->nr;
    for (int64_t t = 0; t < pass->k; t++) {
        double lost;
        for (int64_t j = 0; j < pass->lead; j++)
            flsq_tree_total(tree, t * length + j, 1, &g[j * pass->k + t], &g_low[j * pass->k + t]);
        flsq_tree_total(tree, pass->k * length + t, 1, &rss[t], &lost);
    }
}

flsq_status flsq_residual_twofold(const flsq_kernels *kernels, const flsq_rows *rows, const double *b,
                                  const double *b_low, double *g, double *g_low, double *rss, int n_threads)
{
    const int64_t n = rows->x.rows, k = rows->y.columns, nr = kernels->nr;
    const int64_t lead = rows->x.columns + (rows->unit != 0);
    twofold_pass pass = {.kernels = kernels, .rows = rows, .k = k, .lead = lead, .panels = FLSQ_CEIL_DIV(lead, nr),
                         .block_rows = FLSQ_RESIDUAL_BLOCK_ROWS(rows->x.columns, 1),
                         .chunk = FLSQ_MIN(FLSQ_RESIDUAL_ROWS(rows->x.columns), n)};
    const int64_t length = pass.panels * nr;
    flsq_leaves leaves = {.job = &pass, .leaf = sum_leaf, .prepare = prepare_leaf,
                          .count = FLSQ_CEIL_DIV(n, pass.block_rows)};
    flsq_tree tree = {.carries = 1};
    flsq_arena arena;
    twofold_chunk sizes;
    int64_t size = 0;
    flsq_status status = flsq_size_multiply(k, length + 1, &tree.node_length);
    for (int i = 0; i < 2 && status == FLSQ_OK; i++)
        status = flsq_size_add(&size, tree.node_length, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, length + k, sizeof(double));
    if (status == FLSQ_OK)
        status = lay_out(&pass, NULL, &sizes, &leaves.scratch_bytes);
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    double *const high = flsq_arena_take(&arena, tree.node_length, sizeof(double));
    double *const low = flsq_arena_take(&arena, tree.node_length, sizeof(double));
    double *const scale = flsq_arena_take(&arena, length + k, sizeof(double));
    pack_coefficients(&pass, b, high);
    pack_coefficients(&pass, b_low, low);
    pad_scale(&pass, scale);
    pass.b = high, pass.b_low = low, pass.scale = scale;
    if (20.0 * (double)n * (double)(lead + 1) * (double)FLSQ_MAX(k, 1) < FLSQ_THREAD_FLOPS)
        n_threads = 1;
    status = flsq_tree_extend(&tree, kernels, &leaves, n_threads);
    if (status == FLSQ_OK)
        unpack(&pass, &tree, g, g_low, rss);
    flsq_tree_release(&tree);
    flsq_arena_close(&arena);
    return status;
}
