/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Builds the arrays of arrays.h.  Values are read back from memory element by element, so that layouts which share
 * memory between elements need no case of their own.
 */
#include "arrays.h"
#include "oracle.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const struct { const char *name; int64_t size; int is_signed; } dtypes[FLSQ_DTYPES] = {
    [FLSQ_F64] = {"f64", 8, 1}, [FLSQ_F32] = {"f32", 4, 1}, [FLSQ_F16] = {"f16", 2, 1}, [FLSQ_I8] = {"i8", 1, 1},
    [FLSQ_U8] = {"u8", 1, 0},   [FLSQ_I16] = {"i16", 2, 1}, [FLSQ_U16] = {"u16", 2, 0}, [FLSQ_I32] = {"i32", 4, 1},
    [FLSQ_U32] = {"u32", 4, 0}, [FLSQ_I64] = {"i64", 8, 1}, [FLSQ_U64] = {"u64", 8, 0},
};

const char *dtype_name(flsq_dtype dtype) { return dtypes[dtype].name; }

const char *layout_name(layout form)
{
    static const char *const names[LAYOUTS] = {
        [C_ORDER] = "C order", [F_ORDER] = "F order", [PADDED_C] = "padded C", [PADDED_F] = "padded F",
        [STRIDED] = "strided", [NEGATIVE] = "negative", [BACKWARD_ROWS] = "backward rows",
        [BACKWARD_COLUMNS] = "backward columns", [ZERO_ROWS] = "zero row stride",
        [ZERO_COLUMNS] = "zero column stride", [ZERO_BOTH] = "zero strides",
    };
    return names[form];
}

/* The bits of a binary16 moved to their places in a binary64: another way than the scaling in csrc/pack.c. */
static double half_value(uint16_t half)
{
    const uint64_t sign = (uint64_t)(half >> 15) << 63, fraction = half & 1023u;
    uint64_t exponent = half >> 10 & 31u;
    if (exponent == 0)
        return (sign ? -1.0 : 1.0) * ((double)fraction * 0x1p-24);
    exponent = exponent == 31 ? 2047 : exponent + 1023 - 15;
    const uint64_t bits = sign | exponent << 52 | fraction << 42;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint16_t half_bits(double value)
{
    int exponent;
    const double mantissa = frexp(fabs(value), &exponent); /* 0.5 <= mantissa < 1 */
    const uint16_t sign = signbit(value) ? 0x8000 : 0;
    if (!isfinite(value))
        return sign | (isnan(value) ? 0x7e00 : 0x7c00);
    return value == 0 ? sign : (uint16_t)(sign | (exponent + 14) << 10 | (int)((2 * mantissa - 1) * 1024));
}

#define INTEGER_DTYPES(ROW)                                                                                        \
    ROW(FLSQ_I8, int8_t) ROW(FLSQ_U8, uint8_t) ROW(FLSQ_I16, int16_t) ROW(FLSQ_U16, uint16_t)                      \
    ROW(FLSQ_I32, int32_t) ROW(FLSQ_U32, uint32_t) ROW(FLSQ_I64, int64_t) ROW(FLSQ_U64, uint64_t)

double element_read(flsq_dtype dtype, const char *at)
{
#define READ(type) { type element; memcpy(&element, at, sizeof element); return (double)element; }
#define READ_CASE(name, type) case name: READ(type)
    switch (dtype) {
    case FLSQ_F64: READ(double)
    case FLSQ_F32: READ(float)
    case FLSQ_F16: { uint16_t half; memcpy(&half, at, sizeof half); return half_value(half); }
    INTEGER_DTYPES(READ_CASE)
    default: abort();
    }
}

void element_write(flsq_dtype dtype, char *at, double value)
{
#define WRITE(type) { const type element = (type)value; memcpy(at, &element, sizeof element); break; }
#define WRITE_CASE(name, type) case name: WRITE(type)
    switch (dtype) {
    case FLSQ_F64: WRITE(double)
    case FLSQ_F32: WRITE(float)
    case FLSQ_F16: { const uint16_t half = half_bits(value); memcpy(at, &half, sizeof half); break; }
    INTEGER_DTYPES(WRITE_CASE)
    default: abort();
    }
}

/* Strides in elements. */
static void strides(layout form, int64_t rows, int64_t columns, int64_t *row, int64_t *column)
{
    *row = columns;
    *column = 1;
    switch (form) {
    case F_ORDER: *row = 1; *column = rows; break;
    case PADDED_C: *row = columns + 3; break;
    case PADDED_F: *row = 1; *column = rows + 3; break;
    case STRIDED: *row = 2 * 3 * columns; *column = 3; break;
    case NEGATIVE: *row = -columns; *column = -1; break;
    case BACKWARD_ROWS: *row = -columns; break;
    case BACKWARD_COLUMNS: *row = 1; *column = -rows; break;
    case ZERO_ROWS: *row = 0; break;
    case ZERO_COLUMNS: *row = 1; *column = 0; break;
    case ZERO_BOTH: *row = *column = 0; break;
    default: break;
    }
}

static char *element_at(const array *a, int64_t row, int64_t column)
{
    return (char *)a->view.data + row * a->view.row_stride + column * a->view.col_stride;
}

static array allocate(flsq_dtype dtype, layout form, int64_t rows, int64_t columns, int misaligned)
{
    const int64_t item = dtypes[dtype].size;
    int64_t row, column;
    strides(form, rows, columns, &row, &column);
    const int64_t last_row = (rows > 0 ? rows - 1 : 0) * row, last_column = (columns > 0 ? columns - 1 : 0) * column;
    const int64_t below = (last_row < 0 ? -last_row : 0) + (last_column < 0 ? -last_column : 0);
    const int64_t above = (last_row > 0 ? last_row : 0) + (last_column > 0 ? last_column : 0);
    const int64_t size = rows > 0 && columns > 0 ? (below + above + 1) * item : 0;
    array a = {.view = {.rows = rows, .columns = columns, .row_stride = row * item, .col_stride = column * item,
                        .dtype = dtype}};
    void *memory = NULL;
    if (posix_memalign(&memory, 64, (size_t)(size + misaligned + (size == 0))) != 0)
        abort();
    a.memory = memory;
    memset(memory, 0, (size_t)(size + misaligned));
    a.view.data = a.memory + misaligned + below * item;
    a.value = oracle_doubles(rows * columns);
    return a;
}

static void read_back(array *a)
{
    for (int64_t i = 0; i < a->view.rows; i++)
        for (int64_t j = 0; j < a->view.columns; j++)
            a->value[i * a->view.columns + j] = element_read(a->view.dtype, element_at(a, i, j));
}

array array_make(flsq_dtype dtype, layout form, int64_t rows, int64_t columns, filling fill, int misaligned)
{
    array a = allocate(dtype, form, rows, columns, misaligned);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++) {
            if (fill == RANDOM_BITS) {
                const uint64_t bits = oracle_bits();
                memcpy(element_at(&a, i, j), &bits, (size_t)dtypes[dtype].size);
            } else {
                const double integer = dtypes[dtype].is_signed ? oracle_integer(-4, 4) : oracle_integer(0, 7);
                element_write(dtype, element_at(&a, i, j), fill == REALS ? oracle_real() : integer);
            }
        }
    read_back(&a);
    return a;
}

array array_like(const array *a, layout form)
{
    array b = allocate(a->view.dtype, form, a->view.rows, a->view.columns, 0);
    for (int64_t i = 0; i < a->view.rows; i++)
        for (int64_t j = 0; j < a->view.columns; j++)
            memcpy(element_at(&b, i, j), element_at(a, i, j), (size_t)dtypes[a->view.dtype].size);
    read_back(&b);
    return b;
}

void array_set(array *a, int64_t row, int64_t column, double value)
{
    element_write(a->view.dtype, element_at(a, row, column), value);
    read_back(a);
}

void array_free(array *a)
{
    free(a->memory);
    free(a->value);
}
