/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * User arrays of every dtype and memory layout, with the values they hold as doubles.  The memory is allocated to the
 * byte, so that a sanitizer sees a read past either end.
 */
#ifndef ARRAYS_H
#define ARRAYS_H
#include "fastlsq.h"

typedef enum layout {
    C_ORDER, F_ORDER,
    PADDED_C, PADDED_F, /* a slice of a wider array: lines side by side, a gap between them */
    STRIDED,            /* every second row, every third column */
    NEGATIVE,           /* C order, both axes backwards */
    BACKWARD_ROWS,      /* C order, only the rows backwards: still the fast path */
    BACKWARD_COLUMNS,   /* F order, only the columns backwards: still the fast path */
    ZERO_ROWS,          /* one row, repeated */
    ZERO_COLUMNS,       /* one column, repeated */
    ZERO_BOTH,
    LAYOUTS
} layout;

typedef enum filling {
    RANDOM_BITS, /* every bit pattern of the dtype, NaN among them */
    INTEGERS,    /* -4..4, unsigned 0..7: exact in every dtype, and in every sum a test can afford */
    REALS,       /* -1..1 with all bits in use */
} filling;

typedef struct array {
    flsq_matrix view;
    char *memory;
    double *value; /* rows x columns, row-major */
} array;

const char *layout_name(layout form);
const char *dtype_name(flsq_dtype dtype);
/* Data starts `misaligned` bytes past a multiple of 64. */
array array_make(flsq_dtype dtype, layout form, int64_t rows, int64_t columns, filling fill, int misaligned);
/* The values of another array (of no zero stride) in another layout. */
array array_like(const array *a, layout form);
void array_set(array *a, int64_t row, int64_t column, double value);
void array_free(array *a);

/* An independent reading of one element. */
double element_read(flsq_dtype dtype, const char *at);
/* `dtype` must hold the value exactly. */
void element_write(flsq_dtype dtype, char *at, double value);

#endif
