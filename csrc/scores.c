/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The score pass: for every row its residual e_i, its leverage h_i and its score s_i, and the moments of the scores, in one
 * read of the rows.
 *
 *      z_i = [x_i | 1] T        e_i = y_i - [x_i | 1] b        h_i = w_i ‖z_i‖²        s_i = w_i e_i f(h_i) z_i
 *
 * Where Tᵀ[X | 1]ᵀW[X | 1]T = I these are leverages, and a covariance that is robust to heteroskedasticity is
 * T (sum_i s_i s_iᵀ) Tᵀ.  With the factor in the rows themselves a sum of weighted products is the plain Gram matrix of s, by
 * the kernels of the Gram pass with both operands the same.  The sums go over row blocks of a fixed length and a tree, so the
 * bits do not depend on the number of threads.
 */
#include "ahead.h"
#include "blocksizes.h"
#include "pack.h"
#include "tree.h"
#include "workspace.h"
#include <math.h>
#include <string.h>

typedef struct score_pass {
    const flsq_kernels *kernels;
    const flsq_rows *rows;
    const flsq_score_frame *frame;
    const flsq_score_outputs *out;
    int64_t lead, left_panels, score_panels, block_rows, chunk;
    const double *b;              /* left_panels*NR */
    const double *transform;      /* -T but for its last row with a unit column: score_panels blocks of left_panels*NR x NR, */
    const double *last;           /* and that row, score_panels*NR; both zero in the padding, NULL for none */
    const int64_t *used;          /* left panels that block J has entries for: of a triangular T not all */
    const double *scale, *offset; /* of the left panels, then of y; NULL for none */
} score_pass;

typedef struct score_chunk {
    flsq_panels left, scores;
    flsq_panels z; /* where the rows z are: without a transform in left */
    double *e, *h, *factor, *weights;
} score_chunk;

static flsq_status lay_out(const score_pass *pass, char *memory, score_chunk *c, int64_t *bytes)
{
    const int64_t stride = flsq_panels_stride(pass->kernels, pass->chunk), item = sizeof(double);
    const int transformed = pass->frame->transform != NULL;
    const struct { int64_t count, bytes; } sizes[] = {{pass->left_panels, stride * item},
                                                      {pass->score_panels, stride * item},
                                                      {pass->chunk, item}, {pass->chunk, item},
                                                      {pass->chunk, item}, {pass->chunk, item}};
    double *pieces[6];
    int64_t total = 0;
    for (int i = 0; i < 6; i++) {
        pieces[i] = memory == NULL ? NULL : (double *)(memory + total);
        const flsq_status status = flsq_size_add(&total, sizes[i].count, sizes[i].bytes);
        if (status != FLSQ_OK)
            return status;
    }
    *c = (score_chunk){.left = {pieces[0], stride, pass->left_panels, pass->kernels->nr},
                       .scores = {pieces[1], stride, pass->score_panels, pass->kernels->nr},
                       .z = {pieces[transformed], stride, pass->score_panels, pass->kernels->nr},
                       .e = pieces[2], .h = pieces[3], .factor = pieces[4], .weights = pieces[5]};
    *bytes = total;
    return FLSQ_OK;
}

static int64_t score_columns(const score_pass *pass, int64_t J)
{
    return FLSQ_MIN(pass->kernels->nr, pass->frame->columns - J * pass->kernels->nr);
}

/* [X | 1] of rows [row, row + count) to the left panels. */
static void pack_rows(const score_pass *pass, const score_chunk *c, int64_t row, int64_t count)
{
    const int64_t nr = pass->kernels->nr, p = pass->rows->x.columns;
    if (pass->scale == NULL) {
        flsq_pack_matrix(pass->kernels, &pass->rows->x, row, count, &c->left, 0);
        return;
    }
    const flsq_shaping shaping = {.scale = pass->scale, .offset = pass->offset, .weighted = c->left.base};
    flsq_shape_matrix(pass->kernels, &pass->rows->x, row, count, &c->left, &shaping);
    if (p % pass->kernels->lanes == 0)
        return;
    /* shaping has run over the ones and zeros behind the last column, up to the end of a vector */
    double *const panel = c->left.base + p / nr * c->left.stride;
    const int64_t end = FLSQ_CEIL_DIV(p % nr, pass->kernels->lanes) * pass->kernels->lanes;
    for (int64_t k = 0; k < count; k++)
        for (int64_t j = p % nr; j < end; j++)
            panel[k * nr + j] = pass->rows->unit && j == p % nr ? 1.0 : 0.0;
}

/* e := y - [X | 1] b */
static void find_residuals(const score_pass *pass, const score_chunk *c, int64_t row, int64_t count)
{
    const int64_t length = pass->left_panels * pass->kernels->nr;
    flsq_read_column(&pass->rows->y, 0, row, count, c->e);
    if (pass->scale != NULL)
        for (int64_t i = 0; i < count; i++)
            c->e[i] = c->e[i] * pass->scale[length] - pass->offset[length];
    pass->kernels->residual(count, pass->left_panels, c->left.base, c->left.stride, pass->b, c->e);
}

/* z := [X | 1] T, begun with what the ones add; residual_block subtracts, and has -T. */
static void transform_rows(const score_pass *pass, const score_chunk *c, int64_t count)
{
    const int64_t nr = pass->kernels->nr;
    for (int64_t J = 0; J < pass->score_panels; J++) {
        double *const panel = c->scores.base + J * c->scores.stride;
        for (int64_t i = 0; i < count; i++)
            memcpy(panel + i * nr, pass->last + J * nr, (size_t)nr * sizeof(double));
        pass->kernels->residual_block(count, pass->used[J], c->left.base, c->left.stride,
                                      pass->transform + J * pass->left_panels * nr * nr, score_columns(pass, J), panel);
    }
}

/* What a row z is multiplied by. */
static void find_factors(const score_pass *pass, const score_chunk *c, const double *w, int64_t count)
{
    switch (pass->frame->kind) {
    case FLSQ_SCORE_PLAIN:
        for (int64_t i = 0; i < count; i++)
            c->factor[i] = w != NULL ? w[i] * c->e[i] : c->e[i];
        break;
    case FLSQ_SCORE_HC2: /* e² / (1 - h) */
        for (int64_t i = 0; i < count; i++)
            c->factor[i] = (w != NULL ? w[i] : 1.0) * c->e[i] / sqrt(1.0 - c->h[i]);
        break;
    case FLSQ_SCORE_HC3: /* (e / (1 - h))² */
        for (int64_t i = 0; i < count; i++)
            c->factor[i] = (w != NULL ? w[i] : 1.0) * c->e[i] / (1.0 - c->h[i]);
        break;
    case FLSQ_SCORE_ROOT:
        for (int64_t i = 0; i < count; i++)
            c->factor[i] = w != NULL ? sqrt(w[i]) : 1.0;
        break;
    }
}

/* Rows of weight 0 count for nothing, however long, and at a leverage of 1 the rest of the row is rounding. */
static void mark_leverages(const score_chunk *c, const double *w, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        if (w != NULL)
            c->h[i] = w[i] == 0.0 ? 0.0 : c->h[i] * w[i];
        if (c->h[i] > FLSQ_LARGEST_LEVERAGE)
            c->h[i] = 1.0;
    }
}

/* s := 0 for rows of weight 0: 0 z is not 0 where z has left the range of float64. */
static void clear_weightless(const score_pass *pass, const score_chunk *c, const double *w, int64_t count)
{
    const int64_t nr = pass->kernels->nr;
    for (int64_t i = 0; i < count; i++)
        if (w[i] == 0.0)
            for (int64_t J = 0; J < pass->score_panels; J++)
                memset(c->scores.base + J * c->scores.stride + i * nr, 0, (size_t)nr * sizeof(double));
}

static void write_scores(const score_pass *pass, const score_chunk *c, int64_t row, int64_t count)
{
    const int64_t nr = pass->kernels->nr, columns = pass->frame->columns;
    for (int64_t i = 0; i < count; i++)
        for (int64_t J = 0; J < pass->score_panels; J++)
            memcpy(pass->out->scores + (row + i) * columns + J * nr, c->scores.base + J * c->scores.stride + i * nr,
                   (size_t)score_columns(pass, J) * sizeof(double));
}

/* The block (I, J), I <= J, of a node. */
static double *block(const score_pass *pass, double *node, int64_t I, int64_t J)
{
    return node + (J * (J + 1) / 2 + I) * pass->kernels->nr * pass->kernels->nr;
}

static void add_products(const score_pass *pass, const score_chunk *c, int64_t next, int64_t count, double *node)
{
    const flsq_kernels *const kernels = pass->kernels;
    flsq_ahead ahead = flsq_ahead_of_product(kernels, &pass->rows->x, next, pass->chunk, pass->frame->columns);
    for (int64_t J = 0; J < pass->score_panels; J++) {
        const double *const right = c->scores.base + J * c->scores.stride;
        for (int64_t I = 0; I < J; I++)
            kernels->gram_block(count, c->scores.base + I * c->scores.stride, right, kernels->nr, NULL,
                                score_columns(pass, J), block(pass, node, I, J), &ahead);
        kernels->gram_diagonal(count, right, right, kernels->nr, score_columns(pass, J), block(pass, node, J, J), NULL,
                               &ahead);
    }
}

static void score_rows(const score_pass *pass, const score_chunk *c, int64_t row, int64_t count, double *node)
{
    const flsq_kernels *const kernels = pass->kernels;
    const flsq_score_outputs *const out = pass->out;
    const double *const w = pass->rows->weights.data == NULL
                                ? NULL
                                : flsq_find_column(&pass->rows->weights, 0, row, count, c->weights);
    pack_rows(pass, c, row, count);
    if (pass->rows->y.columns > 0)
        find_residuals(pass, c, row, count);
    if (out->residuals != NULL)
        memcpy(out->residuals + row, c->e, (size_t)count * sizeof(double));
    if (pass->transform != NULL)
        transform_rows(pass, c, count);
    if (pass->frame->kind == FLSQ_SCORE_HC2 || pass->frame->kind == FLSQ_SCORE_HC3 || out->leverages != NULL) {
        kernels->square_lengths(count, pass->score_panels, c->z.base, c->z.stride, c->h);
        mark_leverages(c, w, count);
    }
    if (out->leverages != NULL)
        memcpy(out->leverages + row, c->h, (size_t)count * sizeof(double));
    if (out->scores == NULL && out->moments == NULL)
        return;
    find_factors(pass, c, w, count);
    for (int64_t J = 0; J < pass->score_panels; J++)
        kernels->weigh(count, score_columns(pass, J), c->factor, c->z.base + J * c->z.stride,
                       c->scores.base + J * c->scores.stride);
    if (w != NULL)
        clear_weightless(pass, c, w, count);
    if (out->scores != NULL)
        write_scores(pass, c, row, count);
    if (out->moments != NULL)
        add_products(pass, c, row + count, count, node);
}

static void prepare_leaf(const void *job, void *scratch)
{
    const score_pass *const pass = job;
    score_chunk c;
    int64_t bytes;
    lay_out(pass, scratch, &c, &bytes);
    memset(scratch, 0, (size_t)bytes);
    flsq_panels_clear(pass->kernels, &c.left, pass->rows->unit ? pass->rows->x.columns : -1);
}

static void sum_leaf(const void *job, void *scratch, int64_t leaf, double *node)
{
    const score_pass *const pass = job;
    score_chunk c;
    int64_t bytes;
    lay_out(pass, scratch, &c, &bytes);
    const int64_t begin = leaf * pass->block_rows, end = FLSQ_MIN(begin + pass->block_rows, pass->rows->x.rows);
    for (int64_t row = begin; row < end; row += pass->chunk)
        score_rows(pass, &c, row, FLSQ_MIN(pass->chunk, end - row), node);
}

/* b and -T in the order the kernels read them; scale and offset spread to whole panels. */
static void pack_frame(score_pass *pass, double *b, double *transform, double *last, int64_t *used, double *scale)
{
    const flsq_rows *const rows = pass->rows;
    const int64_t nr = pass->kernels->nr, length = pass->left_panels * nr, columns = pass->frame->columns;
    for (int64_t i = 0; i < length; i++)
        b[i] = rows->y.columns > 0 && i < pass->lead ? pass->frame->b[i] : 0.0;
    pass->b = b;
    if (pass->frame->transform != NULL) {
        const double *const t = pass->frame->transform;
        memset(used, 0, (size_t)pass->score_panels * sizeof(int64_t));
        for (int64_t c = 0; c < pass->score_panels * nr; c++) {
            last[c] = rows->unit && c < columns ? t[rows->x.columns * columns + c] : 0.0;
            for (int64_t i = 0; i < length; i++) {
                const double entry = i < rows->x.columns && c < columns ? t[i * columns + c] : 0.0;
                transform[(c / nr * length + i) * nr + c % nr] = -entry;
                if (entry != 0.0)
                    used[c / nr] = FLSQ_MAX(used[c / nr], i / nr + 1);
            }
        }
        pass->transform = transform;
        pass->last = last;
        pass->used = used;
    }
    if (rows->scale == NULL && rows->offset == NULL)
        return;
    flsq_pad_affine(rows, length, 1, scale, scale + length + 1);
    pass->scale = scale;
    pass->offset = scale + length + 1;
}

static void unpack(const score_pass *pass, const double *total)
{
    const int64_t nr = pass->kernels->nr, columns = pass->frame->columns;
    double *const moments = pass->out->moments;
    for (int64_t j = 0; j < columns; j++)
        for (int64_t i = 0; i <= j; i++) {
            const int64_t I = i / nr, J = j / nr;
            moments[i * columns + j] = moments[j * columns + i] =
                total[(J * (J + 1) / 2 + I) * nr * nr + i % nr * nr + j % nr];
        }
}

flsq_status flsq_scores(const flsq_kernels *kernels, const flsq_rows *rows, const flsq_score_frame *frame, int n_threads,
                        const flsq_score_outputs *out)
{
    const int64_t n = rows->x.rows, nr = kernels->nr, lead = rows->x.columns + (rows->unit != 0);
    score_pass pass = {.kernels = kernels, .rows = rows, .frame = frame, .out = out, .lead = lead,
                       .left_panels = FLSQ_CEIL_DIV(lead, nr), .score_panels = FLSQ_CEIL_DIV(frame->columns, nr),
                       .block_rows = FLSQ_BLOCK_ROWS(rows->x.columns),
                       .chunk = FLSQ_MIN(FLSQ_SCORE_ROWS(rows->x.columns), n)};
    const int64_t length = pass.left_panels * nr;
    flsq_leaves leaves = {.job = &pass, .leaf = sum_leaf, .prepare = prepare_leaf,
                          .count = FLSQ_CEIL_DIV(n, pass.block_rows)};
    flsq_tree tree = {.node_length = 1};
    flsq_arena arena;
    score_chunk sizes;
    int64_t size = 0, blocks = 0, entries = 0;
    flsq_status status = flsq_size_multiply(pass.score_panels, pass.score_panels + 1, &blocks);
    if (status == FLSQ_OK && out->moments != NULL)
        status = flsq_size_multiply(blocks / 2, nr * nr, &tree.node_length);
    if (status == FLSQ_OK && frame->transform != NULL)
        status = flsq_size_multiply(pass.score_panels * nr, length, &entries);
    if (status == FLSQ_OK)
        status = lay_out(&pass, NULL, &sizes, &leaves.scratch_bytes);
    const int64_t pieces[] = {length, entries, pass.score_panels * nr, pass.score_panels, 2 * (length + 1),
                              tree.node_length};
    for (int i = 0; i < 6 && status == FLSQ_OK; i++)
        status = flsq_size_add(&size, pieces[i], sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    double *const b = flsq_arena_take(&arena, pieces[0], sizeof(double));
    double *const transform = flsq_arena_take(&arena, pieces[1], sizeof(double));
    double *const last = flsq_arena_take(&arena, pieces[2], sizeof(double));
    int64_t *const used = flsq_arena_take(&arena, pieces[3], sizeof(int64_t));
    double *const scale = flsq_arena_take(&arena, pieces[4], sizeof(double));
    double *const total = flsq_arena_take(&arena, pieces[5], sizeof(double));
    pack_frame(&pass, b, transform, last, used, scale);
    if ((double)n * (double)(lead + 1) * (double)(frame->columns + 1) < FLSQ_THREAD_FLOPS)
        n_threads = 1;
    status = flsq_tree_extend(&tree, kernels, &leaves, n_threads);
    if (status == FLSQ_OK && out->moments != NULL) {
        flsq_tree_total(&tree, 0, tree.node_length, total, NULL);
        unpack(&pass, total);
    }
    flsq_tree_release(&tree);
    flsq_arena_close(&arena);
    return status;
}

flsq_status flsq_add_by_code(int64_t n, int64_t columns, const double *values, const int64_t *codes, int64_t count,
                             double *sums)
{
    for (int64_t i = 0; i < n; i++) {
        if (codes[i] < 0 || codes[i] >= count)
            return FLSQ_TOO_LARGE;
        double *const sum = sums + codes[i] * columns;
        for (int64_t j = 0; j < columns; j++)
            sum[j] += values[i * columns + j];
    }
    return FLSQ_OK;
}
