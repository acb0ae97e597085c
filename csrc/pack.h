/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * From user rows of any dtype and strides to zero-padded panels (kernels.h shows their layout).
 */
#ifndef FLSQ_PACK_H
#define FLSQ_PACK_H
#include "internal.h"
#include "kernels.h"

/* Packed rows.  Lanes that no column fills stay 0, but for what flsq_shape_matrix leaves behind the last column: products
 * of the Gram pass do not mix lanes, sums along a row would have to. */
typedef struct flsq_panels {
    double *base;
    int64_t stride; /* doubles between panels */
    int64_t count;
} flsq_panels;

int64_t flsq_panels_stride(const flsq_kernels *kernels, int64_t rows);
/* Zeroes the panels and fills the unit column (pass -1 for none). */
void flsq_panels_clear(const flsq_kernels *kernels, const flsq_panels *panels, int64_t unit_column);

/* Rows [row, row + count) of a into the packed columns first, first + 1, ... */
void flsq_pack_matrix(const flsq_kernels *kernels, const flsq_matrix *a, int64_t row, int64_t count,
                      const flsq_panels *panels, int64_t first);
/* Rows [row, row + count) of a into the packed columns 0, 1, ..., shaped, in one go where a allows it; the lanes of a vector
 * behind the last column may receive anything, NaN too. */
void flsq_shape_matrix(const flsq_kernels *kernels, const flsq_matrix *a, int64_t row, int64_t count,
                       const flsq_panels *panels, const flsq_shaping *shaping);
/* `count` rows of the first `columns` columns of panel J, packed before, shaped where they are. */
void flsq_shape_panel(const flsq_kernels *kernels, int64_t J, int64_t count, int64_t columns, const flsq_panels *panels,
                      const flsq_shaping *shaping);
/* scale and offset of the rows' [X | 1 | Y] for columns packed into `length` lanes, then those of `targets` lanes: 1 and 0 where
 * there is no column, or it is the unit column. */
void flsq_pad_affine(const flsq_rows *rows, int64_t length, int64_t targets, double *scale, double *offset);
/* out[j] := a[row, j] */
void flsq_read_row(const flsq_matrix *a, int64_t row, double *out);
/* out[i] := a[row + i, column] */
void flsq_read_column(const flsq_matrix *a, int64_t column, int64_t row, int64_t count, double *out);
/* The same numbers where they lie, if the column is plain, else copied to memory. */
const double *flsq_find_column(const flsq_matrix *a, int64_t column, int64_t row, int64_t count, double *memory);
/* float64 rows that are contiguous and aligned, so that kernels can read them where they lie. */
int flsq_is_plain_f64(const flsq_matrix *a);
/* Whether each column is contiguous, aligned float64. */
int flsq_is_plain_column(const flsq_matrix *a);
/* Rows [row, row + count) of a. */
flsq_matrix flsq_matrix_rows(const flsq_matrix *a, int64_t row, int64_t count);

#endif
