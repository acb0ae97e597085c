/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * One chunk of rows on its way into the moments: packed or left where it lies, then multiplied.
 */
#include "gram_chunk.h"
#include "ahead.h"
#include "blocksizes.h"
#include "workspace.h"
#include <stddef.h>
#include <string.h>

/* ---- packing --------------------------------------------------------------------------------------------------- */

/* Rows that are multiplied as rows are one panel as wide as they are. */
static int64_t panel_stride(const flsq_gram_pass *pass)
{
    return pass->by_rows ? pass->chunk * pass->step : flsq_panels_stride(pass->gram->kernels, pass->chunk);
}

static int64_t panel_bytes(const flsq_gram_pass *pass) { return panel_stride(pass) * (int64_t)sizeof(double); }

static int64_t panels_held(const flsq_gram_pass *pass) { return pass->half || pass->by_rows ? 1 : pass->panels; }

/* Rows that are multiplied as rows are weighed on the way. */
static int has_weighed_panels(const flsq_gram_pass *pass) { return pass->rows->weights.data != NULL && !pass->by_rows; }

/* Weights and target of a chunk, so that the next begins on a cache line. */
static int64_t column_bytes(const flsq_gram_pass *pass)
{
    return FLSQ_CEIL_DIV(pass->chunk * (int64_t)sizeof(double), FLSQ_ALIGNMENT) * FLSQ_ALIGNMENT;
}

flsq_status flsq_chunk_add_bytes(const flsq_gram_pass *pass, int64_t *total)
{
    for (int sets = 1 + has_weighed_panels(pass) + (pass->transform != NULL); sets > 0; sets--) {
        const flsq_status status = flsq_size_add(total, panels_held(pass), panel_bytes(pass));
        if (status != FLSQ_OK)
            return status;
    }
    return flsq_size_add(total, 2, column_bytes(pass));
}

void flsq_chunk_lay_out(const flsq_gram_pass *pass, char *memory, flsq_chunk *c)
{
    const int64_t bytes = panels_held(pass) * panel_bytes(pass); /* cannot overflow: flsq_chunk_add_bytes did not */
    c->left = (flsq_panels){.base = (double *)memory, .count = panels_held(pass), .stride = panel_stride(pass),
                            .step = pass->by_rows ? pass->step : pass->gram->kernels->nr};
    c->right = c->left;
    memory += bytes;
    if (has_weighed_panels(pass)) {
        c->right.base = (double *)memory;
        memory += bytes;
    }
    c->raw = c->left;
    if (pass->transform != NULL) {
        c->raw.base = (double *)memory;
        c->raw.count = pass->gram->x_panels;
        memory += bytes;
    }
    c->weights = (double *)memory;
    c->target = (double *)(memory + column_bytes(pass));
}

void flsq_chunk_clear(const flsq_gram_pass *pass, const flsq_chunk *c)
{
    const flsq_gram *const gram = pass->gram;
    flsq_panels_clear(gram->kernels, &c->left, gram->unit && !gram->sides ? packed_column(gram, gram->p) : -1);
    if (c->right.base != c->left.base)
        flsq_panels_clear(gram->kernels, &c->right, -1);
    if (c->raw.base != c->left.base)
        flsq_panels_clear(gram->kernels, &c->raw, -1);
}

/* ---- X T -------------------------------------------------------------------------------------------------------- */

/* Block column J of T, J + 1 blocks of NR x NR, follows that of J - 1. */
static int64_t transform_place(const flsq_gram *gram, int64_t J) { return J * (J + 1) / 2 * gram->kernels->nr * gram->kernels->nr; }

flsq_status flsq_transform_size(const flsq_gram *gram, int64_t *doubles)
{
    int64_t bytes;
    *doubles = transform_place(gram, gram->x_panels); /* no more than a node, whose bytes were found to fit */
    return flsq_size_multiply(*doubles, sizeof(double), &bytes);
}

void flsq_transform_pack(const flsq_gram *gram, const double *transform, double *blocks)
{
    const int64_t nr = gram->kernels->nr, p = gram->p;
    for (int64_t J = 0; J < gram->x_panels; J++)
        for (int64_t i = 0; i < (J + 1) * nr; i++)
            for (int64_t j = 0; j < nr; j++) {
                const int64_t column = J * nr + j;
                *blocks++ = i <= column && column < p ? -transform[i * p + column] : 0.0;
            }
}

/* Rows of X to the panels of X T; residual_block subtracts Z times what it is given. */
static void pack_transformed(const flsq_gram_pass *pass, const flsq_chunk *c, int64_t row, int64_t at, int64_t count,
                             const flsq_shaping *shaping)
{
    const flsq_gram *const gram = pass->gram;
    const flsq_kernels *const kernels = gram->kernels;
    const int64_t nr = kernels->nr, padded = FLSQ_CEIL_DIV(count, FLSQ_ROW_PADDING) * FLSQ_ROW_PADDING;
    const flsq_panels raw = {.base = c->raw.base + at * nr, .stride = c->raw.stride, .count = c->raw.count,
                             .step = nr};
    const flsq_panels target = {.base = c->left.base + at * nr, .stride = c->left.stride, .count = gram->x_panels,
                                .step = nr};
    const flsq_shaping affine = {.scale = shaping->scale, .offset = shaping->offset, .weighted = raw.base};
    const flsq_shaping weigh = {.w = shaping->w, .weighted = shaping->weighted};
    flsq_pack_matrix(kernels, &pass->rows->x, row, count, &raw, 0); /* lanes past the last column stay zero */
    for (int64_t J = 0; J < gram->x_panels; J++)
        flsq_shape_panel(kernels, J, count, panel_columns(gram, J), &raw, &affine);
    if (pass->factor != NULL)
        flsq_count_lengths(pass, &raw, count, shaping->w);
    for (int64_t J = 0; J < gram->x_panels; J++) {
        double *const panel = target.base + J * target.stride;
        memset(panel, 0, (size_t)(padded * nr) * sizeof(double));
        kernels->residual_block(count, J + 1, raw.base, raw.stride, pass->transform + transform_place(gram, J),
                                panel_columns(gram, J), panel);
        flsq_shape_panel(kernels, J, count, panel_columns(gram, J), &target, &weigh);
    }
}

static int weights_in_place(const flsq_gram_pass *pass)
{
    return pass->rows->weights.data == NULL || flsq_is_plain_column(&pass->rows->weights);
}

static int target_in_place(const flsq_gram_pass *pass) { return pass->scale == NULL && flsq_is_plain_column(&pass->rows->y); }

/* The single target of rows [row, row + count), at chunk row `at` when it has to be copied.  Shaped from where it lies: 5 - 9 % of
 * a pass of few columns, where a copy would wait for memory. */
static void copy_target(const flsq_gram_pass *pass, const flsq_chunk *c, int64_t row, int64_t at, int64_t count)
{
    if (target_in_place(pass))
        return;
    const int64_t column = packed_column(pass->gram, pass->gram->p + pass->gram->unit);
    const double scale = pass->scale != NULL ? pass->scale[column] : 1;
    const double offset = pass->scale != NULL ? pass->offset[column] : 0;
    flsq_shape_column(pass->gram->kernels, &pass->rows->y, 0, row, count, scale, offset, c->target + at);
}

static const double *target_of(const flsq_gram_pass *pass, const flsq_chunk *c, int64_t row, int64_t at)
{
    return target_in_place(pass) ? (const double *)pass->rows->y.data + row : c->target + at;
}

/* The weights of rows from `row` on, which are at chunk row `at` when they had to be copied; NULL for none. */
static const double *weights_of(const flsq_gram_pass *pass, const flsq_chunk *c, int64_t row, int64_t at)
{
    const flsq_matrix *const w = &pass->rows->weights;
    return w->data == NULL ? NULL : flsq_is_plain_column(w) ? (const double *)w->data + row : c->weights + at;
}

/* The same, copied if they have to be. */
static const double *find_weights(const flsq_gram_pass *pass, const flsq_chunk *c, int64_t row, int64_t count)
{
    const flsq_matrix *const w = &pass->rows->weights;
    return w->data == NULL ? NULL : flsq_find_column(w, 0, row, count, c->weights);
}

void flsq_chunk_pack(const flsq_gram_pass *pass, const flsq_chunk *c, int64_t row, int64_t at, int64_t count)
{
    const flsq_gram *const gram = pass->gram;
    const flsq_kernels *const kernels = gram->kernels;
    const int64_t nr = kernels->nr;
    if (gram->single) {
        flsq_single_pack(pass, c, row, at, count);
        return;
    }
    const flsq_panels target = {.base = c->left.base + at * nr, .stride = c->left.stride, .count = pass->panels,
                                .step = nr};
    flsq_shaping shaping = {.scale = pass->scale, .offset = pass->offset, .weighted = c->right.base + at * nr};
    if (pass->rows->weights.data != NULL)
        shaping.w = flsq_find_column(&pass->rows->weights, 0, row, count, c->weights + at);
    if (pass->transform != NULL)
        pack_transformed(pass, c, row, at, count, &shaping);
    else
        flsq_shape_matrix(kernels, &pass->rows->x, row, count, &target, &shaping);
    if (gram->sides) {
        copy_target(pass, c, row, at, count);
        return;
    }
    flsq_pack_matrix(kernels, &pass->rows->y, row, count, &target, packed_column(gram, gram->p + gram->unit));
    for (int64_t J = gram->x_panels; J < pass->panels; J++)
        flsq_shape_panel(kernels, J, count, panel_columns(gram, J), &target, &shaping);
}

/* ---- products of rows that are ready ---------------------------------------------------------------------------- */

flsq_operands flsq_operands_packed(const flsq_gram_pass *pass, const flsq_chunk *c, int64_t row, int64_t at,
                                   int64_t count)
{
    const int64_t nr = pass->gram->kernels->nr;
    return (flsq_operands){.left = c->left.base + at * nr, .right = c->right.base + at * nr,
                           .panel_stride = c->left.stride, .step = nr, .count = count,
                           .target = pass->gram->sides ? target_of(pass, c, row, at) : NULL,
                           .weights = weights_of(pass, c, row, at)};
}

flsq_operands flsq_operands_in_place(const flsq_gram_pass *pass, const flsq_chunk *c, int64_t row, int64_t count)
{
    const flsq_matrix x = flsq_matrix_rows(&pass->rows->x, row, count);
    const double *const w = find_weights(pass, c, row, count);
    copy_target(pass, c, row, 0, count);
    return (flsq_operands){.left = x.data, .right = x.data, .panel_stride = pass->gram->kernels->nr,
                           .step = x.row_stride / (int64_t)sizeof(double), .count = count,
                           .target = target_of(pass, c, row, 0), .weights = w, .weigh = w};
}

flsq_operands flsq_operands_by_rows(const flsq_gram_pass *pass, const flsq_chunk *c, int64_t row, int64_t count,
                                    flsq_ahead *ahead)
{
    const flsq_gram *const gram = pass->gram;
    const flsq_panels target = {.base = c->left.base, .stride = gram->kernels->nr, .count = gram->x_panels, .step = pass->step};
    const flsq_shaping shaping = {.scale = pass->scale, .offset = pass->offset, .weighted = target.base, .ahead = ahead};
    const double *const w = find_weights(pass, c, row, count);
    flsq_shape_matrix(gram->kernels, &pass->rows->x, row, count, &target, &shaping);
    copy_target(pass, c, row, 0, count);
    return (flsq_operands){.left = target.base, .right = target.base, .panel_stride = target.stride, .step = target.step,
                           .count = count, .target = target_of(pass, c, row, 0), .weights = w, .weigh = w};
}

flsq_operands flsq_operands_half_packed(const flsq_gram_pass *pass, const flsq_chunk *c, int64_t J, int64_t row,
                                        int64_t count)
{
    const int64_t nr = pass->gram->kernels->nr;
    flsq_matrix x = flsq_matrix_rows(&pass->rows->x, row, count);
    const double *const rows = x.data;
    const double *const w = find_weights(pass, c, row, count);
    const flsq_shaping shaping = {.w = w, .weighted = c->right.base};
    x.data = rows + J * nr;
    x.columns = panel_columns(pass->gram, J);
    flsq_shape_matrix(pass->gram->kernels, &x, 0, count, &c->left, &shaping);
    return (flsq_operands){.left = c->left.base, .right = c->right.base, .rows = rows, .step = nr,
                           .row_step = x.row_stride / (int64_t)sizeof(double), .count = count,
                           .target = target_of(pass, c, row, 0), .weights = w};
}

/* The diagonal block of panel J and what [1 | y] adds beside it: see gram.h. */
static void add_diagonal_and_sides(const flsq_gram_pass *pass, const flsq_operands *z, int64_t J, double *node,
                                   flsq_ahead *ahead)
{
    const flsq_gram *const gram = pass->gram;
    const flsq_kernels *const kernels = gram->kernels;
    double *const beside = block(gram, node, J, gram->x_panels);
    const flsq_sides sides = {.y = z->target, .chunk = pass->kc, .farther = J == 0 && target_in_place(pass) ? pass->farther : 0,
                              .sums = gram->unit ? beside : NULL,
                              .dots = beside + gram->unit * kernels->nr, .w = z->weigh};
    kernels->gram_diagonal(z->count, z->left + J * z->panel_stride, z->right + J * z->panel_stride, z->step,
                           panel_columns(gram, J), block(gram, node, J, J), &sides, ahead);
}

/* 1ᵀ1, 1ᵀy and yᵀy, chunk by chunk. */
static void add_target(const flsq_gram_pass *pass, const flsq_operands *z, double *node)
{
    const flsq_gram *const gram = pass->gram;
    const int64_t nr = gram->kernels->nr, unit = gram->unit;
    double *const own = block(gram, node, gram->x_panels, gram->x_panels), totals[3];
    for (int64_t k = 0; k < z->count; k += pass->kc) {
        gram->kernels->target_sums(FLSQ_MIN(pass->kc, z->count - k), z->target + k, z->weights != NULL ? z->weights + k : NULL,
                                   totals);
        if (unit) {
            own[0] += totals[0];
            own[1] += totals[1];
        }
        own[unit * nr + unit] += totals[2];
    }
}

void flsq_chunk_add_blocks(const flsq_gram_pass *pass, const flsq_operands *z, int64_t first, int64_t last, int64_t J,
                           double *node, flsq_ahead *ahead)
{
    const flsq_gram *const gram = pass->gram;
    const flsq_kernels *const kernels = gram->kernels;
    if (gram->single) {
        flsq_single_add_blocks(pass, z, first, last, J, node, ahead);
        return;
    }
    const double *const right = z->right + J * z->panel_stride;
    const int64_t columns = panel_columns(gram, J);
    /* weights are in the right operand, for the left one may lie where the user has it */
    for (int64_t I = first; I < FLSQ_MIN(last, FLSQ_MIN(J, gram->left_panels)); I++)
        if (pass->half)
            kernels->gram_half_block(z->count, z->rows + I * kernels->nr, z->row_step, z->right, columns,
                                     block(gram, node, I, J), ahead);
        else
            kernels->gram_block(z->count, z->left + I * z->panel_stride, right, z->step, z->weigh, columns,
                                block(gram, node, I, J), ahead);
    if (J < first || J >= last)
        return;
    if (!pass->gram->sides) {
        kernels->gram_diagonal(z->count, z->left + J * z->panel_stride, right, z->step, columns,
                               block(gram, node, J, J), NULL, ahead);
        return;
    }
    add_diagonal_and_sides(pass, z, J, node, ahead);
    if (J == 0)
        add_target(pass, z, node);
}

int64_t flsq_column_sweeps(const flsq_gram_pass *pass, int64_t J)
{
    const flsq_kernels *const kernels = pass->gram->kernels;
    const int64_t vectors = FLSQ_CEIL_DIV(panel_columns(pass->gram, J), kernels->lanes);
    if (pass->gram->single) /* the halves of the panels on the left, and its own two */
        return (FLSQ_MIN(2 * J, pass->gram->left_panels) + 2) * kernels->block_sweeps[kernels->nr / kernels->lanes];
    return FLSQ_MIN(J, pass->gram->left_panels) * kernels->block_sweeps[vectors] + kernels->diagonal_sweeps[vectors];
}

int64_t flsq_copy_sweeps(const flsq_gram_pass *pass)
{
    return pass->by_rows && !pass->in_place && flsq_is_shaped_by_rows(&pass->rows->x);
}

/* So much is on its way at a time that memory stays busy while a chunk of few columns, which takes less than its latency, is
 * multiplied.  Rows that one sweep reads, once, are asked for from L2 to L1, too, NEAR bytes before they are read; so much need
 * not be on its way then.  2026-12, Emerald Rapids, two threads, p = 16, % of the reading bandwidth: FAR = 16 KiB 78, with NEAR
 * = 1024 80, 2048 81, 4096 78; FAR = 8 KiB with NEAR 83, 4 KiB 80; p = 8: 79, 85, FAR = 8 KiB with NEAR 86.  Rows that
 * several sweeps read (p = 32) lose 6 % by it. */
enum { FAR = 16 * 1024, NOT_SO_FAR = 8 * 1024, NEAR = 2048 };

void flsq_pass_look_ahead(flsq_gram_pass *pass, int64_t sweeps)
{
    const flsq_matrix *const x = &pass->rows->x;
    const int64_t chunk = pass->kc * x->columns * (int64_t)sizeof(double);
    const int64_t step = pass->in_place ? x->row_stride / (int64_t)sizeof(double) : pass->step;
    const int packed = !pass->by_rows || (step == pass->gram->kernels->nr && pass->rows->weights.data == NULL);
    pass->ahead = (flsq_ahead){0};
    if (x->columns == 0 || sweeps == 0)
        return;
    const int once = pass->in_place && sweeps == 1 && pass->gram->kernels->asks_for == 2 && flsq_is_in_one_piece(x);
    pass->farther = FLSQ_CEIL_DIV(once ? NOT_SO_FAR : FAR, chunk) * pass->kc;
    if (flsq_is_in_one_piece(x))
        pass->ahead = flsq_ahead_of_rows(x, pass->kc, sweeps, packed);
    else if (x->row_stride > 0 && x->row_stride <= (int64_t)sizeof(double) && x->col_stride > 0)
        pass->ahead = flsq_ahead_of_columns(x, sweeps);
    if (once)
        pass->ahead.nearer = pass->farther * x->row_stride - NEAR;
}

/* Up to `count` rows of a column in one piece: few lines, so they are asked for at once. */
static void ask_for_column(const flsq_matrix *a, int64_t column, int64_t row, int64_t count)
{
    if (a->data == NULL || a->row_stride <= 0 || a->row_stride > (int64_t)sizeof(double))
        return;
    const char *const first = (const char *)a->data + column * a->col_stride + row * a->row_stride;
    const int64_t bytes = FLSQ_MIN(count, a->rows - row) * a->row_stride;
    for (int64_t byte = 0; byte < bytes; byte += FLSQ_ALIGNMENT)
        __builtin_prefetch(first + byte, 0, 3);
}

flsq_ahead flsq_chunk_ahead(const flsq_gram_pass *pass, int64_t row, int64_t count)
{
    flsq_ahead ahead = pass->ahead;
    const int64_t next = row + pass->farther, chunks = FLSQ_CEIL_DIV(FLSQ_MIN(count, pass->rows->x.rows - next), pass->kc);
    if (chunks <= 0)
        return (flsq_ahead){0};
    ask_for_column(&pass->rows->weights, 0, next, pass->kc);
    if (pass->gram->sides && !target_in_place(pass))
        ask_for_column(&pass->rows->y, 0, next, pass->kc);
    ahead.next += ahead.sweeps > 0 ? next * pass->rows->x.row_stride : 0;
    ahead.sweeps *= chunks;
    return ahead;
}

flsq_ahead flsq_piece_ahead(const flsq_gram_pass *pass, int64_t row, int64_t count)
{
    const flsq_matrix *const x = &pass->rows->x;
    if (!flsq_is_in_one_piece(x))
        return (flsq_ahead){0};
    const int64_t jump = pass->kc * FLSQ_PACKED_PACE;
    return (flsq_ahead){.next = (const char *)x->data + row * x->row_stride, .pace = FLSQ_PACKED_PACE, .pairs = 1,
                        .apart = FLSQ_PACKED_DEEP / 2 * FLSQ_PACKED_PACE, .jump = jump,
                        .sweeps = FLSQ_CEIL_DIV(count * x->row_stride, jump)};
}

int flsq_gram_is_by_rows(const flsq_gram_pass *pass)
{
    const flsq_gram *const gram = pass->gram;
    /* several panels are no emptier than such copies, and turned columns go into them faster: F order, p = 32 20.5 / 16.1 ms, 97
     * 23.3 / 19.0 */
    const int worth = gram->x_panels == 1 || pass->rows->weights.data != NULL ||
                      (pass->scale == NULL && flsq_is_plain_f64(&pass->rows->x));
    return worth && gram->sides && gram->p <= gram->kernels->in_place_columns && pass->transform == NULL;
}

int flsq_gram_is_in_place(const flsq_gram_pass *pass)
{
    const flsq_matrix *const x = &pass->rows->x;
    return pass->by_rows && pass->scale == NULL && flsq_is_plain_f64(x) &&
           (pass->gram->x_panels == 1 || x->row_stride % FLSQ_SET_STRIDE != 0);
}

int64_t flsq_gram_row_step(const flsq_gram_pass *pass)
{
    const int64_t lanes = pass->gram->kernels->lanes, step = FLSQ_CEIL_DIV(pass->gram->p, lanes) * lanes;
    return step * (int64_t)sizeof(double) % FLSQ_SET_STRIDE == 0 ? step + lanes : step;
}

int flsq_gram_is_half_packed(const flsq_gram_pass *pass)
{
    const flsq_gram *const gram = pass->gram;
    return gram->sides && gram->x_panels > 1 && gram->p <= gram->kernels->half_columns && pass->scale == NULL &&
           pass->transform == NULL && !pass->by_rows && target_in_place(pass) && flsq_is_plain_f64(&pass->rows->x);
}

int64_t flsq_rows_in_place(const flsq_gram_pass *pass, int64_t row, int64_t end)
{
    /* the kernels read whole vectors: what lies behind the last rows is not ours to read */
    const flsq_matrix *const x = &pass->rows->x;
    if (!pass->in_place)
        return 0;
    int64_t count = pass->panels == 1 && target_in_place(pass) && weights_in_place(pass) ? end - row : FLSQ_MIN(pass->kc, end - row);
    while (count > 0 && (x->rows - row - count) * x->row_stride < FLSQ_READ_PAST)
        count = (count - 1) / pass->kc * pass->kc;
    return count;
}
