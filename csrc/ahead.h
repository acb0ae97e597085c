/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * How the rows of the next chunk are asked for by the sweeps over this one: flsq_ahead of kernels.h.
 */
#ifndef FLSQ_AHEAD_H
#define FLSQ_AHEAD_H
#include "blocksizes.h"
#include "kernels.h"
#include "workspace.h"

/* Rows one behind the other with little between them. */
static inline int flsq_is_in_one_piece(const flsq_matrix *x)
{
    return x->row_stride > 0 && x->row_stride <= 2 * x->columns * (int64_t)sizeof(double) && x->col_stride >= 0 &&
           x->col_stride <= x->row_stride;
}

/* `rows` rows of x in one piece, for up to so many sweeps that ask, the others for their sums; packed: sweeps over panels. */
static inline flsq_ahead flsq_ahead_of_rows(const flsq_matrix *x, int64_t rows, int64_t most_sweeps, int packed)
{
    const int64_t sweeps = FLSQ_MIN(most_sweeps, FLSQ_CEIL_DIV(x->row_stride, FLSQ_PACKED_PACE));
    const int64_t pace = FLSQ_CEIL_DIV(x->row_stride, sweeps), deep = packed ? FLSQ_PACKED_DEEP : FLSQ_STRIDED_DEEP;
    const int64_t pairs = FLSQ_CEIL_DIV(deep * pace, 2 * FLSQ_ALIGNMENT);
    return (flsq_ahead){.next = x->data, .pace = pace, .pairs = pairs, .apart = deep * pace / (2 * pairs),
                        .jump = rows * pace, .sweeps = sweeps};
}

/* The same of columns that lie in one piece each. */
static inline flsq_ahead flsq_ahead_of_columns(const flsq_matrix *x, int64_t sweeps)
{
    const int64_t pairs = FLSQ_CEIL_DIV(x->columns, 2 * sweeps);
    return (flsq_ahead){.next = x->data, .pace = x->row_stride, .pairs = pairs, .apart = x->col_stride,
                        .jump = 2 * pairs * x->col_stride, .sweeps = FLSQ_CEIL_DIV(x->columns, 2 * pairs)};
}

/* `rows` rows of x from row `next` on, if there are some in one piece, for the sweeps of the product of so many packed columns
 * with themselves. */
static inline flsq_ahead flsq_ahead_of_product(const flsq_kernels *kernels, const flsq_matrix *x, int64_t next, int64_t rows,
                                               int64_t columns)
{
    if (next >= x->rows || !flsq_is_in_one_piece(x))
        return (flsq_ahead){0};
    int64_t sweeps = 0;
    for (int64_t J = 0; J * kernels->nr < columns; J++) {
        const int64_t vectors = FLSQ_CEIL_DIV(FLSQ_MIN(kernels->nr, columns - J * kernels->nr), kernels->lanes);
        sweeps += J * kernels->block_sweeps[vectors] + kernels->diagonal_sweeps[vectors];
    }
    flsq_ahead ahead = flsq_ahead_of_rows(x, rows, sweeps, 1);
    ahead.next += next * x->row_stride;
    return ahead;
}

#endif
