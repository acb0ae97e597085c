/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Chunks of a state in single precision: packed into panels of 2 NR floats, multiplied at twice the speed.
 *
 *      float panel     0             1             2
 *      panels of gram  0      1      2      3      4      -       a pair of them; the last may have no second half
 */
#include "gram_chunk.h"
#include <string.h>

enum { COPY_ROWS = 32 }; /* of one panel of doubles on their way into floats, where the rows cannot be read as they lie */

/* ---- packing --------------------------------------------------------------------------------------------------- */

/* Rows of doubles, `step` doubles apart, into packed columns from `first` on and chunk rows from `at` on. */
static void narrow(const flsq_gram_pass *pass, const flsq_chunk *c, const double *source, int64_t step, int64_t at,
                   int64_t count, int64_t columns, int64_t first)
{
    const flsq_kernels *const kernels = pass->gram->kernels;
    float *const panels = (float *)(c->left.base + at * kernels->nr);
    kernels->narrow_rows(source, step, count, columns, pass->scale, panels, 2 * c->left.stride, first);
}

static void pack(const flsq_gram_pass *pass, const flsq_chunk *c, const flsq_matrix *a, int64_t row, int64_t at,
                 int64_t count, int64_t first)
{
    const flsq_kernels *const kernels = pass->gram->kernels;
    const int64_t nr = kernels->nr;
    if (flsq_is_plain_f64(a)) {
        const flsq_matrix rows = flsq_matrix_rows(a, row, count);
        narrow(pass, c, rows.data, rows.row_stride / (int64_t)sizeof(double), at, count, a->columns, first);
        return;
    }
    double copy[COPY_ROWS * FLSQ_MAX_NR];
    const flsq_panels panel = {.base = copy, .stride = COPY_ROWS * nr, .count = 1, .step = nr};
    for (int64_t j = 0; j < a->columns; j += nr) {
        flsq_matrix part = *a;
        part.data = (const char *)a->data + j * a->col_stride;
        part.columns = FLSQ_MIN(nr, a->columns - j);
        for (int64_t k = 0; k < count; k += COPY_ROWS) {
            const int64_t some = FLSQ_MIN(COPY_ROWS, count - k);
            flsq_pack_matrix(kernels, &part, row + k, some, &panel, 0);
            narrow(pass, c, copy, nr, at + k, some, part.columns, first + j);
        }
    }
}

void flsq_single_pack(const flsq_gram_pass *pass, const flsq_chunk *c, int64_t row, int64_t at, int64_t count)
{
    pack(pass, c, &pass->rows->x, row, at, count, 0);
    if (pass->gram->k > 0)
        pack(pass, c, &pass->rows->y, row, at, count, packed_column(pass->gram, pass->gram->p));
}

/* ---- products -------------------------------------------------------------------------------------------------- */

/* The block (I, J) of a node, or NULL if it has none. */
static double *stored(const flsq_gram *gram, double *node, int64_t I, int64_t J)
{
    return J < gram->panels && (I < gram->left_panels || I == J) ? block(gram, node, I, J) : NULL;
}

/* Whether float panel J holds a few columns of Y and nothing else. */
static int is_thin(const flsq_gram *gram, int64_t J)
{
    const flsq_kernels *const kernels = gram->kernels;
    return 2 * J + 1 == gram->panels && 2 * J >= gram->x_panels &&
           panel_columns(gram, 2 * J) <= kernels->nr / kernels->block_sweeps[kernels->nr / kernels->lanes];
}

/* The two blocks of X in float panel I against a thin panel J: the other way round, so that one tile is enough. */
static void add_turned(const flsq_gram *gram, const flsq_operands *z, int64_t I, int64_t J, double *node, flsq_ahead *ahead)
{
    const int64_t nr = gram->kernels->nr, columns = panel_columns(gram, 2 * J);
    double sums[2][FLSQ_MAX_NR * FLSQ_MAX_NR];
    double *const c[2] = {sums[0], sums[1]};
    for (int h = 0; h < 2; h++)
        memset(sums[h], 0, (size_t)(nr * nr) * sizeof(double));
    gram->kernels->single_block(z->count, (const float *)(z->left + J * z->panel_stride), columns,
                                (const float *)(z->right + I * z->panel_stride), c, ahead);
    for (int64_t h = 0; h < FLSQ_MIN(2, gram->left_panels - 2 * I); h++) {
        double *const into = block(gram, node, 2 * I + h, 2 * J);
        for (int64_t i = 0; i < nr; i++)
            for (int64_t t = 0; t < columns; t++)
                into[i * nr + t] += sums[h][t * nr + i];
    }
}

void flsq_single_add_blocks(const flsq_gram_pass *pass, const flsq_operands *z, int64_t first, int64_t last, int64_t J,
                            double *node, flsq_ahead *ahead)
{
    const flsq_gram *const gram = pass->gram;
    const flsq_kernels *const kernels = gram->kernels;
    const float *const right = (const float *)(z->right + J * z->panel_stride);
    const int thin = is_thin(gram, J);
    for (int64_t I = first; thin && I < FLSQ_MIN(last, J); I++)
        add_turned(gram, z, I, J, node, ahead);
    for (int64_t I = 2 * first; !thin && I < FLSQ_MIN(2 * FLSQ_MIN(last, J), gram->left_panels); I++) {
        const float *const left = (const float *)(z->left + I / 2 * z->panel_stride) + I % 2 * kernels->nr;
        double *const c[2] = {stored(gram, node, I, 2 * J), stored(gram, node, I, 2 * J + 1)};
        kernels->single_block(z->count, left, kernels->nr, right, c, ahead);
    }
    if (J < first || J >= last)
        return;
    double *const c[3] = {stored(gram, node, 2 * J, 2 * J), stored(gram, node, 2 * J, 2 * J + 1),
                          stored(gram, node, 2 * J + 1, 2 * J + 1)};
    kernels->single_diagonal(z->count, right, c, ahead);
}
