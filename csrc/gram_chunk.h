/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * One chunk of rows on its way into the moments.  gram_pass.c decides which thread takes which chunk and which blocks.
 */
#ifndef FLSQ_GRAM_CHUNK_H
#define FLSQ_GRAM_CHUNK_H
#include "gram.h"
#include "pack.h"

/* A pass over rows; `scale` and `offset` are the user's, padded to whole panels (NULL for none). */
typedef struct flsq_gram_pass {
    const flsq_gram *gram;
    const flsq_rows *rows;
    const double *scale, *offset;
    const double *transform; /* -T by columns of blocks, zero in the padding (NULL for none): flsq_transform_pack */
    const double *factor;    /* with rows->lengths its factor, zero in the padding */
    int64_t kc;     /* rows multiplied at a time: FLSQ_KC */
    int64_t chunk;  /* rows a chunk has memory for: kc or a slab, or all of them when there are fewer */
    int64_t panels; /* packed: those of X, and of [1 | Y] unless they are summed beside X; in single precision pairs of them */
    int by_rows;    /* up to kernels->in_place_columns: rows are multiplied and weighed as rows, copied so that they lie `step` */
    int64_t step;   /* doubles apart, */
    int in_place;   /* or, plain float64 rows of up to kernels->in_place_columns: X is multiplied where it lies */
    int half;       /* of more: a panel is packed when it is on the right, the left operand is read where it lies */
    flsq_ahead ahead; /* the first rows, to be asked for by the sweeps over a chunk */
    int64_t farther;  /* rows between the one that is multiplied and the one that is asked for */
} flsq_gram_pass;

/* The memory of one packed chunk.  Weights are in the right panels; without any they are the left ones. */
typedef struct flsq_chunk {
    flsq_panels right, left;
    flsq_panels raw; /* X before it is transformed */
    double *weights, *target;
} flsq_chunk;

/* `count` rows, packed or where they lie: panel J starts at J*panel_stride, rows are `step` doubles apart.  Half packed: panel J
 * alone, to be multiplied by the others at `rows`, `row_step` doubles apart. */
typedef struct flsq_operands {
    const double *left, *right, *rows;
    int64_t panel_stride, step, row_step, count;
    const double *target, *weights; /* of the rows, when [1 | y] is summed beside X; weights NULL for none */
    const double *weigh;            /* the same where the right operand has not been weighed yet, else NULL */
} flsq_operands;

/* Bytes of one chunk; then its layout in memory of that size, and the zeros and ones no packing writes. */
flsq_status flsq_chunk_add_bytes(const flsq_gram_pass *pass, int64_t *total);
void flsq_chunk_lay_out(const flsq_gram_pass *pass, char *memory, flsq_chunk *c);
void flsq_chunk_clear(const flsq_gram_pass *pass, const flsq_chunk *c);

/* -T for a pass: its size in doubles, its blocks. */
flsq_status flsq_transform_size(const flsq_gram *gram, int64_t *doubles);
void flsq_transform_pack(const flsq_gram *gram, const double *transform, double *blocks);

/* Counts rows of X in panels, before T. */
void flsq_count_lengths(const flsq_gram_pass *pass, const flsq_panels *raw, int64_t count, const double *weights);

/* Packs rows [row, row + count) into chunk rows [at, at + count): user values, then scale and offset, the transform, then
 * weights.  With a transform `at` is a multiple of FLSQ_ROW_PADDING, up to the next of which rows are written. */
void flsq_chunk_pack(const flsq_gram_pass *pass, const flsq_chunk *c, int64_t row, int64_t at, int64_t count);

/* Whether the pass multiplies rows as rows: worth it for few columns, whose panels would be mostly empty; how far apart it copies
 * them; and whether it may read them where they lie. */
int flsq_gram_is_by_rows(const flsq_gram_pass *pass);
int64_t flsq_gram_row_step(const flsq_gram_pass *pass);
int flsq_gram_is_in_place(const flsq_gram_pass *pass);
/* How many rows from `row` on, of a leaf that ends at `end`, may be multiplied where they lie in one go: none, a chunk, or of
 * one panel several. */
int64_t flsq_rows_in_place(const flsq_gram_pass *pass, int64_t row, int64_t end);

/* Rows [row, row + count), ready to be multiplied: packed into c before, from chunk row `at` on, or in place. */
flsq_operands flsq_operands_packed(const flsq_gram_pass *pass, const flsq_chunk *c, int64_t row, int64_t at,
                                   int64_t count);
flsq_operands flsq_operands_in_place(const flsq_gram_pass *pass, const flsq_chunk *c, int64_t row, int64_t count);
/* Copies those rows, shaped; this may be one of the sweeps that ask. */
flsq_operands flsq_operands_by_rows(const flsq_gram_pass *pass, const flsq_chunk *c, int64_t row, int64_t count,
                                    flsq_ahead *ahead);
/* Packs panel J of those rows. */
flsq_operands flsq_operands_half_packed(const flsq_gram_pass *pass, const flsq_chunk *c, int64_t J, int64_t row,
                                        int64_t count);
int flsq_gram_is_half_packed(const flsq_gram_pass *pass);

/* The memory of rows behind [row, row + count), if there are some and X, or each of its columns, is in one piece, to be asked for while those are
 * multiplied.  The first tells how often the products with panel J on the right walk down the rows of a chunk and ask, the
 * second prepares the pass for so many sweeps a chunk. */
int64_t flsq_column_sweeps(const flsq_gram_pass *pass, int64_t J);
int64_t flsq_copy_sweeps(const flsq_gram_pass *pass);
void flsq_pass_look_ahead(flsq_gram_pass *pass, int64_t sweeps);
flsq_ahead flsq_chunk_ahead(const flsq_gram_pass *pass, int64_t row, int64_t count);
/* `count` rows of X from `row` on, to be asked for by as few sweeps over packed rows as may ask without delay. */
flsq_ahead flsq_piece_ahead(const flsq_gram_pass *pass, int64_t row, int64_t count);

/* The same for a state in single precision. */
void flsq_single_pack(const flsq_gram_pass *pass, const flsq_chunk *c, int64_t row, int64_t at, int64_t count);
void flsq_single_add_blocks(const flsq_gram_pass *pass, const flsq_operands *z, int64_t first, int64_t last, int64_t J,
                            double *node, flsq_ahead *ahead);

/* One leaf on all threads, each with block columns of its own: whether that is better than sharing packed rows; the pass. */
int flsq_columns_are_dealt(const flsq_gram_pass *pass, int n_threads);
flsq_status flsq_columns_dealt(flsq_gram *gram, const flsq_gram_pass *pass, int n_threads);

/* node += the blocks (I, J) for one J and I in [first, last), and what stands beside them. */
void flsq_chunk_add_blocks(const flsq_gram_pass *pass, const flsq_operands *z, int64_t first, int64_t last, int64_t J,
                           double *node, flsq_ahead *ahead);

#endif
