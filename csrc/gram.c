/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The Gram state: made, copied, rescaled, read.  gram_pass.c adds rows to it.
 */
#include "gram.h"
#include "blocksizes.h"
#include "parallel.h"
#include "workspace.h"
#include <math.h>
#include <string.h>

int64_t flsq_gram_block_rows(int64_t p) { return FLSQ_BLOCK_ROWS(p); }
int flsq_gram_carries(int64_t p) { return p <= FLSQ_SAMPLED_COLUMNS; } /* elsewhere nothing uses the errors */

/* Bytes of a node up to which the first lies behind the state: a tiny problem has no other, and each malloc is 3 % of it. */
enum { NEAR_NODE = 4096 };

static flsq_status create(const flsq_kernels *kernels, int64_t p, int64_t k, int unit, int single, flsq_gram **out)
{
    const int64_t nr = kernels->nr;
    int64_t columns, left, blocks, length, bytes;
    if (__builtin_add_overflow(p, k, &columns) || __builtin_add_overflow(columns, unit, &columns) ||
        columns > INT64_MAX / 4)
        return FLSQ_TOO_LARGE;
    const int64_t x_panels = FLSQ_CEIL_DIV(p, nr);
    left = x_panels + unit;
    flsq_gram shape = {.kernels = kernels, .p = p, .k = k, .unit = unit,
                       .columns = columns, .x_panels = x_panels, .left_panels = left, .single = single,
                       .sides = k == 1 && p > 0 && !single,
                       .panels = x_panels + FLSQ_CEIL_DIV(unit + k, nr), .block_rows = FLSQ_BLOCK_ROWS(p)};
    if (flsq_size_multiply(shape.panels + 1, left + 1, &blocks) != FLSQ_OK ||
        flsq_size_multiply(blocks, nr * nr, &length) != FLSQ_OK ||
        flsq_size_multiply(length, 2 * (int64_t)sizeof(double), &bytes) != FLSQ_OK)
        return FLSQ_TOO_LARGE;
    shape.tree.node_length = first_block(&shape, shape.panels) * nr * nr;
    if (shape.sides) { /* the kernels write whole vectors of rows */
        const int64_t rows = FLSQ_CEIL_DIV(panel_columns(&shape, x_panels - 1), kernels->lanes) * kernels->lanes;
        shape.sides_length = (unit + 1) * nr;
        shape.sides_begin = first_block(&shape, x_panels) * nr * nr - (nr - rows) * nr;
        shape.tree.node_length = shape.sides_begin + (x_panels + 1) * shape.sides_length;
    }
    shape.tree.carries = flsq_gram_carries(p) && !single;
    const int64_t own = FLSQ_CEIL_DIV((int64_t)sizeof shape, FLSQ_ALIGNMENT) * FLSQ_ALIGNMENT;
    const int64_t node = flsq_tree_node_doubles(&shape.tree) * (int64_t)sizeof(double);
    flsq_gram *const gram = flsq_allocate(node <= NEAR_NODE ? own + node : own);
    if (gram == NULL)
        return FLSQ_NO_MEMORY;
    *gram = shape;
    gram->tree.near = node <= NEAR_NODE ? (double *)((char *)gram + own) : NULL;
    *out = gram;
    return FLSQ_OK;
}

flsq_status flsq_gram_create(const flsq_kernels *kernels, int64_t p, int64_t k, int unit, flsq_gram **gram)
{
    return create(kernels, p, k, unit, 0, gram);
}

flsq_status flsq_gram_create_single(const flsq_kernels *kernels, int64_t p, int64_t k, flsq_gram **gram)
{
    return create(kernels, p, k, 0, 1, gram);
}

void flsq_gram_destroy(flsq_gram *gram)
{
    if (gram == NULL)
        return;
    flsq_tree_release(&gram->tree);
    flsq_release(gram);
}

flsq_status flsq_gram_copy(const flsq_gram *gram, flsq_gram **out)
{
    flsq_gram *const copy = flsq_allocate(sizeof *copy);
    if (copy == NULL)
        return FLSQ_NO_MEMORY;
    *copy = *gram;
    memset(&copy->tree, 0, sizeof copy->tree);
    const flsq_status status = flsq_tree_copy(&gram->tree, &copy->tree);
    if (status != FLSQ_OK) {
        flsq_gram_destroy(copy);
        return status;
    }
    *out = copy;
    return FLSQ_OK;
}

int64_t flsq_gram_nbytes(const flsq_gram *gram)
{
    int64_t nodes = 0;
    for (int l = 0; l < FLSQ_TREE_LEVELS; l++)
        nodes += gram->tree.level[l] != NULL;
    return (int64_t)sizeof *gram + nodes * flsq_tree_node_doubles(&gram->tree) * (int64_t)sizeof(double);
}

void flsq_gram_diagonal(const flsq_gram *gram, double *diagonal)
{
    for (int64_t j = 0; j < gram->columns; j++)
        diagonal[j] = 0;
    for (int l = 0; gram->tree.leaves >> l; l++)
        if (gram->tree.leaves >> l & 1)
            for (int64_t j = 0; j < gram->columns; j++)
                diagonal[j] += *entry(gram, gram->tree.level[l], j, j);
}

void flsq_gram_rescale(flsq_gram *gram, const int64_t *exponents)
{
    const int64_t lead = gram->p + gram->unit;
    for (int l = 0; gram->tree.leaves >> l; l++)
        if (gram->tree.leaves >> l & 1)
            for (int64_t j = 0; j < gram->columns; j++)
                for (int64_t i = 0; i <= j; i++)
                    if (i < lead || i == j) {
                        double *const value = entry(gram, gram->tree.level[l], i, j);
                        for (int part = 0; part <= gram->tree.carries; part++) /* the sum, its error */
                            value[part * gram->tree.node_length] = scalbln(value[part * gram->tree.node_length],
                                                                           (long)(exponents[i] + exponents[j]));
                    }
}

/* The user's column of the first lane of panel J. */
static int64_t first_column(const flsq_gram *gram, int64_t J)
{
    const int64_t nr = gram->kernels->nr;
    return J < gram->x_panels ? J * nr : gram->p + (J - gram->x_panels) * nr;
}

/* Block (I, J) into zz, and mirrored; of Y columns on the left only the diagonal is stored, and left out here. */
static void spread_block(const flsq_gram *gram, const double *values, int64_t I, int64_t J, double *zz)
{
    const int64_t nr = gram->kernels->nr, lead = gram->p + gram->unit, width = gram->columns;
    const int64_t row = first_column(gram, I), column = first_column(gram, J);
    const int64_t rows = FLSQ_MIN(panel_columns(gram, I), lead - row), columns = panel_columns(gram, J);
    const int turned = is_turned(gram, row, column);
    const int64_t down = turned ? 1 : nr, along = turned ? nr : 1;
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = I == J ? i : 0; j < columns; j++)
            zz[(row + i) * width + column + j] = values[i * down + j * along];
    for (int64_t j = 0; j < FLSQ_MIN(columns, lead - column); j++)
        for (int64_t i = 0; i < (I == J ? FLSQ_MIN(j, rows) : rows); i++)
            zz[(column + j) * width + row + i] = values[i * down + j * along];
}

typedef struct collection {
    const flsq_gram *gram;
    double *zz, *lost;
    int64_t claimed; /* panels */
} collection;

static void collect_body(void *context, int thread, int n_threads)
{
    collection *const c = context;
    const flsq_gram *const gram = c->gram;
    double total[FLSQ_MAX_NR * FLSQ_MAX_NR], rest[FLSQ_MAX_NR * FLSQ_MAX_NR];
    (void)thread;
    (void)n_threads;
    for (int64_t J = flsq_parallel_claim(&c->claimed); J < gram->panels; J = flsq_parallel_claim(&c->claimed))
        for (int64_t I = 0; I <= FLSQ_MIN(J, gram->left_panels - 1); I++) {
            flsq_tree_total(&gram->tree, place_of_block(gram, I, J), block_length(gram, I, J), total,
                            c->lost != NULL ? rest : NULL);
            spread_block(gram, total, I, J, c->zz);
            if (c->lost != NULL)
                spread_block(gram, rest, I, J, c->lost);
        }
}

void flsq_gram_collect(const flsq_gram *gram, int n_threads, double *zz, double *yy, double *lost)
{
    const int64_t lead = gram->p + gram->unit;
    collection c = {.gram = gram, .zz = zz, .lost = lost};
    flsq_parallel_run(gram->tree.node_length * 8 < FLSQ_THREAD_FLOPS ? 1 : n_threads, collect_body, &c);
    for (int64_t t = 0; t < gram->k; t++)
        flsq_tree_total(&gram->tree, place_of_entry(gram, lead + t, lead + t), 1, &yy[t], NULL);
}

void flsq_gram_cross(const flsq_gram *gram, double *c)
{
    const int64_t nr = gram->kernels->nr;
    double sums[FLSQ_MAX_NR * FLSQ_MAX_NR];
    for (int64_t J = gram->x_panels; J < gram->panels; J++)
        for (int64_t I = 0; I < gram->x_panels; I++) {
            const int64_t row = I * nr, column = first_column(gram, J) - gram->p - gram->unit;
            const int turned = is_turned(gram, row, gram->p);
            flsq_tree_total(&gram->tree, place_of_block(gram, I, J),
                            turned ? gram->unit * nr + panel_columns(gram, I) : block_length(gram, I, J), sums, NULL);
            for (int64_t i = 0; i < panel_columns(gram, I); i++)
                for (int64_t j = FLSQ_MAX(0, -column); j < panel_columns(gram, J); j++)
                    c[(row + i) * gram->k + column + j] = sums[turned ? j * nr + i : i * nr + j];
        }
}
