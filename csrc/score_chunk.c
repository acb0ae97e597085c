/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Chunks of rows as scores.c has them, and what becomes of their moments.  Without a transform a chunk has one set of panels,
 * in which the rows become their scores: with two of them L1 overflowed (32 columns, AVX-512: 10 % of a pass).
 */
#include "scores.h"
#include "blocksizes.h"
#include <math.h>
#include <string.h>

flsq_status flsq_score_lay_out(const flsq_score_pass *pass, char *memory, flsq_score_chunk *c, int64_t *bytes)
{
    const int64_t stride = flsq_panels_stride(pass->kernels, pass->chunk), item = sizeof(double);
    const int transformed = pass->frame->transform != NULL;
    const flsq_piece sizes[] = {{pass->left_panels, stride * item}, {transformed ? pass->score_panels : 0, stride * item},
                                {pass->chunk, item}, {pass->chunk, item}, {pass->chunk, item}, {pass->chunk, item}};
    void *pieces[6] = {0};
    *bytes = 0;
    const flsq_status status = flsq_lay_out_pieces(6, sizes, memory, pieces, bytes);
    *c = (flsq_score_chunk){.left = {pieces[0], stride, pass->left_panels, pass->kernels->nr},
                             .scores = {pieces[transformed], stride, pass->score_panels, pass->kernels->nr},
                             .e = pieces[2], .h = pieces[3], .factor = pieces[4], .weights = pieces[5]};
    return status;
}

/* [X | 1] of rows [row, row + count) to the left panels. */
static void pack_rows(const flsq_score_pass *pass, const flsq_score_chunk *c, const flsq_rows *rows, int64_t row, int64_t count)
{
    const int64_t nr = pass->kernels->nr, p = pass->rows->x.columns;
    const flsq_shaping shaping = {.scale = pass->scale, .offset = pass->offset, .weighted = c->left.base};
    if (pass->scale == NULL)
        flsq_pack_matrix(pass->kernels, &rows->x, row, count, &c->left, 0);
    else
        flsq_shape_matrix(pass->kernels, &rows->x, row, count, &c->left, &shaping);
    /* scores in place, and shaping, have run over the ones and zeros behind the last column, up to the end of a vector */
    double *const panel = c->left.base + p / nr * c->left.stride;
    const int64_t end = FLSQ_CEIL_DIV(pass->lead, pass->kernels->lanes) * pass->kernels->lanes - p / nr * nr;
    for (int64_t k = 0; k < count; k++)
        for (int64_t j = p % nr; j < end; j++)
            panel[k * nr + j] = pass->lead > p && j == p % nr ? 1.0 : 0.0;
}

/* e := y - [X | 1] b */
static void find_residuals(const flsq_score_pass *pass, const flsq_score_chunk *c, const flsq_rows *rows, int64_t row,
                           int64_t count)
{
    const int64_t length = pass->left_panels * pass->kernels->nr;
    flsq_read_column(&rows->y, 0, row, count, c->e);
    if (pass->scale != NULL)
        for (int64_t i = 0; i < count; i++)
            c->e[i] = c->e[i] * pass->scale[length] - pass->offset[length];
    for (int64_t i = 0; pass->aside && i < count; i++)
        c->e[i] -= pass->level;
    pass->kernels->residual(count, pass->left_panels, c->left.base, c->left.stride, pass->b, c->e);
}

/* z := [X | 1] T, begun with what the ones add; residual_block subtracts, and has -T. */
static void transform_rows(const flsq_score_pass *pass, const flsq_score_chunk *c, int64_t count)
{
    const int64_t nr = pass->kernels->nr;
    for (int64_t J = 0; J < pass->score_panels; J++) {
        double *const panel = c->scores.base + J * c->scores.stride;
        for (int64_t i = 0; i < count; i++)
            memcpy(panel + i * nr, pass->last + J * nr, (size_t)nr * sizeof(double));
        pass->kernels->residual_block(count, pass->used[J], c->left.base, c->left.stride,
                                      pass->transform + J * pass->left_panels * nr * nr, flsq_score_columns(pass, J), panel);
    }
}

/* Rows of weight 0 count for nothing, however long, and at a leverage of 1 the rest of the row is rounding. */
static void mark_leverages(const flsq_score_chunk *c, const double *w, int64_t count)
{
    for (int64_t i = 0; i < count; i++) {
        if (w != NULL)
            c->h[i] = w[i] == 0.0 ? 0.0 : c->h[i] * w[i];
        if (c->h[i] > FLSQ_LARGEST_LEVERAGE)
            c->h[i] = 1.0;
    }
}

const double *flsq_score_coordinates(const flsq_score_pass *pass, const flsq_score_chunk *c, const flsq_rows *rows, int64_t row,
                                     int64_t count, int leverages)
{
    const double *const w = rows->weights.data == NULL ? NULL : flsq_find_column(&rows->weights, 0, row, count, c->weights);
    pack_rows(pass, c, rows, row, count);
    if (rows->y.columns > 0)
        find_residuals(pass, c, rows, row, count);
    if (pass->transform != NULL)
        transform_rows(pass, c, count);
    if (leverages) {
        pass->kernels->square_lengths(count, pass->score_panels, c->scores.base, c->scores.stride, c->h);
        mark_leverages(c, w, count);
    }
    return w;
}

/* What a row z is multiplied by. */
static void find_factors(const flsq_score_pass *pass, const flsq_score_chunk *c, const double *w, int64_t count)
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

void flsq_score_factors(const flsq_score_pass *pass, const flsq_score_chunk *c, const double *w, int64_t count)
{
    const int64_t nr = pass->kernels->nr;
    find_factors(pass, c, w, count);
    for (int64_t i = 0; w != NULL && i < count; i++)
        if (w[i] == 0.0)
            for (int64_t J = 0; J < pass->score_panels; J++)
                memset(c->scores.base + J * c->scores.stride + i * nr, 0, (size_t)nr * sizeof(double));
}

/* The block (I, J), I <= J, of a node. */
static double *block(const flsq_score_pass *pass, double *node, int64_t I, int64_t J)
{
    return node + (J * (J + 1) / 2 + I) * pass->kernels->nr * pass->kernels->nr;
}

void flsq_score_products(const flsq_score_pass *pass, const flsq_panels *scores, const double *units, int64_t count,
                         flsq_ahead ahead, double *node)
{
    const flsq_kernels *const kernels = pass->kernels;
    double *const beside = block(pass, node, 0, pass->score_panels);
    for (int64_t J = 0; J < pass->score_panels; J++) {
        const double *const right = scores->base + J * scores->stride;
        const int64_t columns = flsq_score_columns(pass, J);
        const flsq_sides sides = {.y = units, .chunk = count, .dots = beside + J * kernels->nr};
        for (int64_t I = 0; I < J; I++)
            kernels->gram_block(count, scores->base + I * scores->stride, right, kernels->nr, NULL, columns,
                                block(pass, node, I, J), &ahead);
        kernels->gram_diagonal(count, right, right, kernels->nr, columns, block(pass, node, J, J),
                               pass->aside ? &sides : NULL, &ahead);
    }
    if (pass->aside) {
        double sums[3];
        kernels->target_sums(count, units, NULL, sums);
        beside[pass->score_panels * kernels->nr] += sums[2];
    }
}

flsq_status flsq_score_node_length(const flsq_score_pass *pass, int64_t *length)
{
    int64_t blocks = 0;
    flsq_status status = flsq_size_multiply(pass->score_panels, pass->score_panels + 1, &blocks);
    if (status == FLSQ_OK)
        status = flsq_size_multiply(blocks / 2, pass->kernels->nr * pass->kernels->nr, length);
    *length += pass->aside ? pass->score_panels * pass->kernels->nr + 1 : 0; /* less than a block more */
    return status;
}

void flsq_score_unpack(const flsq_score_pass *pass, const double *node, double *moments)
{
    const int64_t nr = pass->kernels->nr, columns = pass->frame->columns, last = pass->score_panels;
    const double *const beside = node + last * (last + 1) / 2 * nr * nr;
    for (int64_t j = 0; j < pass->columns; j++)
        for (int64_t i = 0; i <= j; i++) {
            const int64_t I = i / nr, J = j / nr;
            moments[i * columns + j] = moments[j * columns + i] =
                node[(J * (J + 1) / 2 + I) * nr * nr + i % nr * nr + j % nr];
        }
    if (!pass->aside)
        return;
    for (int64_t i = 0; i < pass->columns; i++)
        moments[i * columns + pass->columns] = moments[pass->columns * columns + i] = beside[i];
    moments[columns * columns - 1] = beside[last * nr];
}

void flsq_score_prepare(const flsq_score_pass *pass, const flsq_score_chunk *c)
{
    if (pass->transform != NULL)
        flsq_panels_clear(pass->kernels, &c->scores, -1);
    flsq_panels_clear(pass->kernels, &c->left, pass->lead > pass->rows->x.columns ? pass->rows->x.columns : -1);
    memset(c->e, 0, (size_t)pass->chunk * sizeof(double)); /* of rows without a target */
}

/* b and -T in the order the kernels read them; scale and offset spread to whole panels. */
static void pack_frame(flsq_score_pass *pass, double *b, double *transform, double *last, int64_t *used, double *scale)
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

flsq_status flsq_score_open(const flsq_kernels *kernels, const flsq_rows *rows, const flsq_score_frame *frame, int aside,
                            flsq_arena *arena, flsq_score_pass *pass)
{
    const int64_t n = rows->x.rows, p = rows->x.columns, nr = kernels->nr;
    aside = aside && rows->unit && p > 0 && p % kernels->lanes == 0 && frame->transform == NULL &&
            frame->kind == FLSQ_SCORE_PLAIN && rows->y.columns > 0;
    const int64_t lead = p + (rows->unit && !aside), columns = frame->columns - aside;
    *pass = (flsq_score_pass){.kernels = kernels, .rows = rows, .frame = frame, .aside = aside, .lead = lead,
                              .columns = columns, .level = aside ? frame->b[p] : 0.0,
                              .left_panels = FLSQ_CEIL_DIV(lead, nr), .score_panels = FLSQ_CEIL_DIV(columns, nr),
                              .block_rows = FLSQ_BLOCK_ROWS(rows->x.columns),
                              .chunk = FLSQ_MAX(FLSQ_MIN(FLSQ_SCORE_ROWS(rows->x.columns), n), 1)};
    const int64_t length = pass->left_panels * nr;
    int64_t size = 0, entries = 0;
    flsq_status status = FLSQ_OK;
    if (frame->transform != NULL)
        status = flsq_size_multiply(pass->score_panels * nr, length, &entries);
    const int64_t pieces[] = {length, entries, pass->score_panels * nr, pass->score_panels, 2 * (length + 1)};
    for (int i = 0; i < 5 && status == FLSQ_OK; i++)
        status = flsq_size_add(&size, pieces[i], sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(arena, size);
    if (status != FLSQ_OK)
        return status;
    double *const b = flsq_arena_take(arena, pieces[0], sizeof(double));
    double *const transform = flsq_arena_take(arena, pieces[1], sizeof(double));
    double *const last = flsq_arena_take(arena, pieces[2], sizeof(double));
    int64_t *const used = flsq_arena_take(arena, pieces[3], sizeof(int64_t));
    pack_frame(pass, b, transform, last, used, flsq_arena_take(arena, pieces[4], sizeof(double)));
    return FLSQ_OK;
}
