/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The residual pass: R = Y - [X | 1] B, G = [X | 1]ᵀ W R and rss_t = sum_i w_i r_it² in one read of the rows.
 *
 * A chunk of rows is packed (any dtype, strides, scale, offset), or read where it lies, and used twice while it is in the
 * cache.  Few targets are matrix-vector products; from NARROW+1 targets on both products run on the register tiles.
 * The sums go over row blocks of a fixed length and a tree like that of the Gram pass, so the bits depend on neither
 * threads nor memory order.
 */
#include "blocksizes.h"
#include "pack.h"
#include "tree.h"
#include "workspace.h"
#include <string.h>

enum { NARROW = 2 };

typedef struct residual_pass {
    const flsq_kernels *kernels;
    const flsq_rows *rows;
    int64_t k, lead, left_panels, block_rows;
    int64_t target_panels;         /* 0 when narrow */
    const double *b;               /* narrow: k vectors of left_panels*NR; wide: target_panels blocks of left*NR x NR */
    const double *scale, *offset;  /* left panels, then targets; NULL for none */
    double *r;                     /* n x k output or NULL */
    int64_t chunk;
    int in_place; /* few targets, float64 rows: X is multiplied where it lies */
} residual_pass;

/* The node: narrow, k gradients of left_panels*NR and k sums of squares; wide, left x target blocks of NR x NR and
 * target_panels*NR sums of squares. */
static int64_t node_length(const residual_pass *pass)
{
    const int64_t nr = pass->kernels->nr;
    if (pass->target_panels == 0)
        return pass->k * (pass->left_panels * nr + 1);
    return pass->target_panels * nr * (pass->left_panels * nr + 1);
}

typedef struct residual_chunk {
    flsq_panels left, targets;
    double *weighted; /* narrow: w*r of one target; wide: one panel of w*r */
    double *r, *weights;
} residual_chunk;

static flsq_status lay_out(const residual_pass *pass, char *memory, residual_chunk *c, int64_t *bytes)
{
    const int64_t stride = flsq_panels_stride(pass->kernels, pass->chunk);
    const int64_t item = sizeof(double);
    const flsq_piece sizes[] = {{pass->left_panels, stride * item}, {pass->target_panels, stride * item},
                                {1, stride * item}, {pass->chunk, item}, {pass->chunk, item}};
    void *pieces[5] = {0};
    *bytes = 0;
    const flsq_status status = flsq_lay_out_pieces(5, sizes, memory, pieces, bytes);
    *c = (residual_chunk){.left = {pieces[0], stride, pass->left_panels, pass->kernels->nr},
                          .targets = {pieces[1], stride, pass->target_panels, pass->kernels->nr},
                          .weighted = pieces[2], .r = pieces[3], .weights = pieces[4]};
    return status;
}

static void prepare_leaf(const void *job, void *scratch)
{
    const residual_pass *const pass = job;
    residual_chunk c;
    int64_t bytes;
    lay_out(pass, scratch, &c, &bytes);
    memset(scratch, 0, (size_t)bytes);
    flsq_panels_clear(pass->kernels, &c.left, pass->rows->unit ? pass->rows->x.columns : -1);
}

/* Columns [first, first + columns) of the padded scale and offset, to as many of the panels. */
static void apply_affine(const residual_pass *pass, const flsq_panels *panels, int64_t first, int64_t columns,
                         int64_t count)
{
    const int64_t nr = pass->kernels->nr;
    if (pass->scale != NULL)
        for (int64_t J = 0; J < panels->count; J++)
            pass->kernels->affine(count, FLSQ_MIN(nr, columns - J * nr), pass->scale + first + J * nr,
                                  pass->offset + first + J * nr, panels->base + J * panels->stride, nr);
}

/* Rows [row, row + count), packed or, when `x` is not NULL, where they lie. */
static void narrow_chunk(const residual_pass *pass, const residual_chunk *c, const double *x, int64_t row, int64_t count,
                         double *node)
{
    const flsq_kernels *const kernels = pass->kernels;
    const flsq_rows *const rows = pass->rows;
    const int64_t nr = kernels->nr, length = pass->left_panels * nr;
    const double *const w =
        rows->weights.data != NULL ? flsq_find_column(&rows->weights, 0, row, count, c->weights) : NULL;
    double *const wr = w != NULL ? c->weighted : c->r;
    for (int64_t t = 0; t < pass->k; t++) {
        const double *const b = pass->b + t * length;
        double *const g = node + t * length;
        if (x != NULL) {
            kernels->residual_rows(count, rows->x.columns, rows->unit, x, rows->x.row_stride / (int64_t)sizeof(double), b,
                                   flsq_find_column(&rows->y, t, row, count, c->r), w, c->r, wr, g);
        } else {
            flsq_read_column(&rows->y, t, row, count, c->r);
            if (pass->scale != NULL)
                for (int64_t i = 0; i < count; i++)
                    c->r[i] = c->r[i] * pass->scale[length + t] - pass->offset[length + t];
            kernels->residual(count, pass->left_panels, c->left.base, c->left.stride, b, c->r);
            for (int64_t i = 0; w != NULL && i < count; i++)
                wr[i] = w[i] * c->r[i];
            for (int64_t J = 0; J < pass->left_panels; J++)
                kernels->gradient(count, c->left.base + J * c->left.stride, FLSQ_MIN(nr, pass->lead - J * nr), wr,
                                  g + J * nr);
        }
        if (pass->r != NULL)
            for (int64_t i = 0; i < count; i++)
                pass->r[(row + i) * pass->k + t] = c->r[i];
        node[pass->k * length + t] += kernels->dot(count, wr, c->r);
    }
}

static void wide_chunk(const residual_pass *pass, const residual_chunk *c, int64_t row, int64_t count, double *node)
{
    const flsq_kernels *const kernels = pass->kernels;
    const int64_t nr = kernels->nr, left = pass->left_panels;
    flsq_ahead nothing = {0};
    double *const rss = node + pass->target_panels * left * nr * nr;
    if (pass->rows->weights.data != NULL)
        flsq_read_column(&pass->rows->weights, 0, row, count, c->weights);
    flsq_pack_matrix(kernels, &pass->rows->y, row, count, &c->targets, 0);
    apply_affine(pass, &c->targets, left * nr, pass->k, count);
    for (int64_t J = 0; J < pass->target_panels; J++) {
        double *const r = c->targets.base + J * c->targets.stride;
        const int64_t columns = FLSQ_MIN(nr, pass->k - J * nr);
        kernels->residual_block(count, left, c->left.base, c->left.stride, pass->b + J * left * nr * nr, columns, r);
        if (pass->r != NULL)
            for (int64_t i = 0; i < count; i++)
                memcpy(pass->r + (row + i) * pass->k + J * nr, r + i * nr, (size_t)columns * sizeof(double));
        const double *wr = r;
        if (pass->rows->weights.data != NULL) {
            kernels->weigh(count, columns, c->weights, r, c->weighted);
            wr = c->weighted;
        }
        for (int64_t I = 0; I < left; I++)
            kernels->gram_block(count, c->left.base + I * c->left.stride, wr, nr, NULL, columns,
                                node + (J * left + I) * nr * nr, &nothing);
        kernels->dot_columns(count, wr, r, rss + J * nr);
    }
}

static void sum_leaf(const void *job, void *scratch, int64_t leaf, double *node)
{
    const residual_pass *const pass = job;
    residual_chunk c;
    int64_t bytes;
    lay_out(pass, scratch, &c, &bytes);
    const int64_t begin = leaf * pass->block_rows, end = FLSQ_MIN(begin + pass->block_rows, pass->rows->x.rows);
    for (int64_t row = begin; row < end; row += pass->chunk) {
        const int64_t count = FLSQ_MIN(pass->chunk, end - row), left = pass->rows->x.rows - row - count;
        /* the kernels read whole vectors: what lies behind the last rows is not ours to read */
        const int in_place = pass->in_place && left * pass->rows->x.row_stride >= FLSQ_READ_PAST;
        if (!in_place) {
            flsq_pack_matrix(pass->kernels, &pass->rows->x, row, count, &c.left, 0);
            apply_affine(pass, &c.left, 0, pass->lead, count);
        }
        if (pass->target_panels > 0)
            wide_chunk(pass, &c, row, count, node);
        else
            narrow_chunk(pass, &c, in_place ? flsq_matrix_rows(&pass->rows->x, row, count).data : NULL, row, count, node);
    }
}

/* B in the order the kernels read it, zero in the padding. */
static void pack_coefficients(const residual_pass *pass, const double *b, double *packed)
{
    const int64_t nr = pass->kernels->nr, length = pass->left_panels * nr;
    memset(packed, 0, (size_t)(FLSQ_MAX(pass->target_panels * nr, pass->k) * length) * sizeof(double));
    for (int64_t j = 0; j < pass->lead; j++)
        for (int64_t t = 0; t < pass->k; t++) {
            const int64_t place = pass->target_panels == 0 ? t * length + j : (t / nr * length + j) * nr + t % nr;
            packed[place] = b[j * pass->k + t];
        }
}

static void unpack(const residual_pass *pass, const double *total, double *g, double *rss)
{
    const int64_t nr = pass->kernels->nr, length = pass->left_panels * nr;
    const int wide = pass->target_panels > 0;
    const double *const squares = total + (wide ? pass->target_panels * nr : pass->k) * length;
    for (int64_t t = 0; t < pass->k; t++) {
        for (int64_t j = 0; j < pass->lead; j++) {
            const int64_t block = t / nr * pass->left_panels + j / nr;
            g[j * pass->k + t] = wide ? total[block * nr * nr + j % nr * nr + t % nr] : total[t * length + j];
        }
        rss[t] = squares[t];
    }
}

flsq_status flsq_residual(const flsq_kernels *kernels, const flsq_rows *rows, const double *b, double *g, double *rss,
                          double *r, int n_threads)
{
    const int64_t n = rows->x.rows, k = rows->y.columns, nr = kernels->nr;
    const int64_t lead = rows->x.columns + (rows->unit != 0);
    residual_pass pass = {.kernels = kernels, .rows = rows, .k = k, .lead = lead, .r = r,
                          .left_panels = FLSQ_CEIL_DIV(lead, nr), .block_rows = FLSQ_RESIDUAL_BLOCK_ROWS(rows->x.columns, k <= NARROW),
                          .target_panels = k <= NARROW ? 0 : FLSQ_CEIL_DIV(k, nr),
                          .chunk = FLSQ_MIN(FLSQ_RESIDUAL_ROWS(rows->x.columns), n)};
    const int64_t length = pass.left_panels * nr, targets = FLSQ_MAX(pass.target_panels * nr, k);
    const int affine = rows->scale != NULL || rows->offset != NULL;
    flsq_leaves leaves = {.job = &pass, .leaf = sum_leaf, .prepare = prepare_leaf,
                          .count = FLSQ_CEIL_DIV(n, pass.block_rows)};
    flsq_tree tree = {0};
    flsq_arena arena;
    residual_chunk sizes;
    int64_t size = 0, coefficients;
    flsq_status status = flsq_size_multiply(targets, length + 1, &coefficients);
    if (status == FLSQ_OK)
        tree = (flsq_tree){.node_length = node_length(&pass), .carries = 1};
    if (status == FLSQ_OK)
        status = lay_out(&pass, NULL, &sizes, &leaves.scratch_bytes);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, coefficients, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, tree.node_length, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, 2 * (length + targets), sizeof(double));
    const int64_t near = leaves.count == 1 && status == FLSQ_OK ? flsq_tree_node_doubles(&tree) : 0; /* of the only leaf */
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, near, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    double *const packed = flsq_arena_take(&arena, coefficients, sizeof(double));
    double *const total = flsq_arena_take(&arena, tree.node_length, sizeof(double));
    double *const scale = flsq_arena_take(&arena, 2 * (length + targets), sizeof(double));
    tree.near = near > 0 ? flsq_arena_take(&arena, near, sizeof(double)) : NULL;
    pack_coefficients(&pass, b, packed);
    pass.b = packed;
    if (affine) {
        flsq_pad_affine(rows, length, targets, scale, scale + length + targets);
        pass.scale = scale;
        pass.offset = scale + length + targets;
    }
    pass.in_place = pass.target_panels == 0 && !affine && rows->x.columns > 0 && flsq_is_plain_f64(&rows->x);
    if (4.0 * (double)n * (double)(lead + 1) * (double)FLSQ_MAX(k, 1) < FLSQ_THREAD_FLOPS)
        n_threads = 1;
    status = flsq_tree_extend(&tree, kernels, &leaves, n_threads);
    if (status == FLSQ_OK) {
        flsq_tree_total(&tree, 0, tree.node_length, total, NULL);
        unpack(&pass, total, g, rss);
    }
    flsq_tree_release(&tree);
    flsq_arena_close(&arena);
    return status;
}
