/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The strided, any-dtype half of packing, and the other loops that read user arrays element by element: the search for
 * a bad value and the scan for column scales.  Contiguous float64 and float32 go to the vector kernels.
 */
#include "pack.h"
#include "blocksizes.h"
#include <math.h>
#include <string.h>

/* IEEE 754 binary16: 1 sign, 5 exponent (bias 15), 10 fraction bits. */
static double half_to_double(uint16_t bits)
{
    const int exponent = (bits >> 10) & 31, fraction = bits & 1023;
    const double sign = bits >> 15 ? -1.0 : 1.0;
    if (exponent == 31)
        return fraction ? NAN : sign * INFINITY;
    if (exponent == 0)
        return sign * ldexp(fraction, -24);
    return sign * ldexp(1024 + fraction, exponent - 25);
}

/* One row per dtype: its C type and how an element becomes a double.  NumPy arrays may be unaligned: memcpy. */
#define FOR_EACH_DTYPE(ROW)                                                                                        \
    ROW(FLSQ_F64, double, f64, (double))                                                                           \
    ROW(FLSQ_F32, float, f32, (double))                                                                            \
    ROW(FLSQ_F16, uint16_t, f16, half_to_double)                                                                   \
    ROW(FLSQ_I8, int8_t, i8, (double))                                                                             \
    ROW(FLSQ_U8, uint8_t, u8, (double))                                                                            \
    ROW(FLSQ_I16, int16_t, i16, (double))                                                                          \
    ROW(FLSQ_U16, uint16_t, u16, (double))                                                                         \
    ROW(FLSQ_I32, int32_t, i32, (double))                                                                          \
    ROW(FLSQ_U32, uint32_t, u32, (double))                                                                         \
    ROW(FLSQ_I64, int64_t, i64, (double))                                                                          \
    ROW(FLSQ_U64, uint64_t, u64, (double))

/* target[i*target_step] := element i of a run of `count` elements `stride` bytes apart. */
typedef void run_fn(const char *source, int64_t stride, int64_t count, double *target, int64_t target_step);

#define DEFINE_RUN(dtype, type, name, convert)                                                                     \
    static void run_##name(const char *source, int64_t stride, int64_t count, double *target, int64_t target_step) \
    {                                                                                                              \
        for (int64_t i = 0; i < count; i++) {                                                                      \
            type element;                                                                                          \
            memcpy(&element, source + i * stride, sizeof element);                                                 \
            target[i * target_step] = convert(element);                                                            \
        }                                                                                                          \
    }
FOR_EACH_DTYPE(DEFINE_RUN)

#define TABLE_RUN(dtype, type, name, convert) [dtype] = run_##name,
#define TABLE_SIZE(dtype, type, name, convert) [dtype] = sizeof(type),
static run_fn *const runs[FLSQ_DTYPES] = {FOR_EACH_DTYPE(TABLE_RUN)};
static const int64_t itemsize[FLSQ_DTYPES] = {FOR_EACH_DTYPE(TABLE_SIZE)};

static const char *element(const flsq_matrix *a, int64_t row, int64_t column)
{
    return (const char *)a->data + row * a->row_stride + column * a->col_stride;
}

flsq_matrix flsq_matrix_rows(const flsq_matrix *a, int64_t row, int64_t count)
{
    flsq_matrix part = *a;
    part.data = element(a, row, 0);
    part.rows = count;
    return part;
}

int flsq_is_plain_f64(const flsq_matrix *a)
{
    const int64_t item = sizeof(double);
    return a->dtype == FLSQ_F64 && (a->col_stride == item || a->columns == 1) &&
           a->row_stride >= a->columns * item && a->row_stride % item == 0 && (uintptr_t)a->data % item == 0;
}

int flsq_is_plain_column(const flsq_matrix *a)
{
    const int64_t item = sizeof(double);
    return a->dtype == FLSQ_F64 && a->row_stride == item && a->col_stride % item == 0 && (uintptr_t)a->data % item == 0;
}

int64_t flsq_panels_stride(const flsq_kernels *kernels, int64_t rows)
{
    return FLSQ_CEIL_DIV(rows, FLSQ_ROW_PADDING) * FLSQ_ROW_PADDING * kernels->nr + FLSQ_PANEL_GAP;
}

void flsq_panels_clear(const flsq_kernels *kernels, const flsq_panels *panels, int64_t unit_column)
{
    memset(panels->base, 0, (size_t)(panels->count * panels->stride) * sizeof(double));
    if (unit_column < 0)
        return;
    double *const ones = panels->base + unit_column / kernels->nr * panels->stride + unit_column % kernels->nr;
    const int64_t rows = panels->stride / kernels->nr;
    for (int64_t k = 0; k < rows; k++)
        ones[k * kernels->nr] = 1.0;
}

void flsq_pack_matrix(const flsq_kernels *kernels, const flsq_matrix *a, int64_t row, int64_t count,
                      const flsq_panels *panels, int64_t first)
{
    if (count == 0 || a->columns == 0)
        return;
    const char *const source = element(a, row, 0);
    const int64_t item = itemsize[a->dtype], nr = kernels->nr;
    FLSQ_ASSERT(first + a->columns <= panels->count * nr);
    const int is_f64 = a->dtype == FLSQ_F64, is_float = is_f64 || a->dtype == FLSQ_F32;
    if (is_float && a->col_stride == item && a->columns > 1) {
        (is_f64 ? kernels->pack_rows_f64 : kernels->pack_rows_f32)(source, a->row_stride, count, a->columns,
                                                                   panels->base, panels->stride, first);
    } else if (is_float && a->row_stride == item) {
        (is_f64 ? kernels->pack_columns_f64 : kernels->pack_columns_f32)(source, a->col_stride, count, a->columns,
                                                                         panels->base, panels->stride, first);
    } else {
        for (int64_t j = 0; j < a->columns; j++) {
            const int64_t c = first + j;
            runs[a->dtype](source + j * a->col_stride, a->row_stride, count,
                           panels->base + c / nr * panels->stride + c % nr, nr);
        }
    }
}

void flsq_shape_panel(const flsq_kernels *kernels, int64_t J, int64_t count, int64_t columns, const flsq_panels *panels,
                      const flsq_shaping *shaping)
{
    double *const plain = panels->base + J * panels->stride, *const weighed = shaping->weighted + J * panels->stride;
    if (shaping->scale != NULL)
        kernels->affine(count, columns, shaping->scale + J * kernels->nr, shaping->offset + J * kernels->nr, plain);
    if (shaping->w != NULL)
        kernels->weigh(count, columns, shaping->w, plain, weighed);
}

void flsq_shape_matrix(const flsq_kernels *kernels, const flsq_matrix *a, int64_t row, int64_t count,
                       const flsq_panels *panels, const flsq_shaping *shaping)
{
    const int64_t nr = kernels->nr;
    const int is_f64 = a->dtype == FLSQ_F64, shaped = shaping->scale != NULL || shaping->w != NULL;
    if (shaped && (is_f64 || a->dtype == FLSQ_F32) && a->col_stride == itemsize[a->dtype] && count > 0 && a->columns > 0) {
        (is_f64 ? kernels->shape_rows_f64 : kernels->shape_rows_f32)(element(a, row, 0), a->row_stride, count, a->columns,
                                                                     panels->base, panels->stride, shaping);
        return;
    }
    flsq_pack_matrix(kernels, a, row, count, panels, 0);
    for (int64_t J = 0; J * nr < a->columns; J++)
        flsq_shape_panel(kernels, J, count, FLSQ_MIN(nr, a->columns - J * nr), panels, shaping);
}

void flsq_read_column(const flsq_matrix *a, int64_t column, int64_t row, int64_t count, double *out)
{
    if (a->dtype == FLSQ_F64 && a->row_stride == (int64_t)sizeof(double))
        memcpy(out, element(a, row, column), (size_t)count * sizeof(double));
    else
        runs[a->dtype](element(a, row, column), a->row_stride, count, out, 1);
}

void flsq_read_row(const flsq_matrix *a, int64_t row, double *out)
{
    runs[a->dtype](element(a, row, 0), a->col_stride, a->columns, out, 1);
}

const double *flsq_find_column(const flsq_matrix *a, int64_t column, int64_t row, int64_t count, double *memory)
{
    if (flsq_is_plain_column(a))
        return (const double *)element(a, row, column);
    flsq_read_column(a, column, row, count, memory);
    return memory;
}

/* ---- scans: only after a pass has found something odd, or for an n x 1 argument -------------------------------- */

enum { SCAN = 128 };

void flsq_find_nonfinite(const flsq_matrix *a, int64_t *row, int64_t *column)
{
    double values[SCAN];
    *row = *column = -1;
    if (a->dtype > FLSQ_F16)
        return;
    for (int64_t i = 0; i < a->rows; i++)
        for (int64_t j0 = 0; j0 < a->columns; j0 += SCAN) {
            const int64_t count = FLSQ_MIN(SCAN, a->columns - j0);
            runs[a->dtype](element(a, i, j0), a->col_stride, count, values, 1);
            for (int64_t j = 0; j < count; j++)
                if (!isfinite(values[j])) {
                    *row = i;
                    *column = j0 + j;
                    return;
                }
        }
}

void flsq_find_bad_weight(const flsq_matrix *w, int64_t *row)
{
    double values[SCAN];
    *row = -1;
    for (int64_t i0 = 0; i0 < w->rows; i0 += SCAN) {
        const int64_t count = FLSQ_MIN(SCAN, w->rows - i0);
        flsq_read_column(w, 0, i0, count, values);
        for (int64_t i = 0; i < count; i++)
            if (!(values[i] >= 0 && values[i] < INFINITY)) {
                *row = i0 + i;
                return;
            }
    }
}

void flsq_column_max_abs(const flsq_matrix *a, double *largest)
{
    double values[SCAN];
    memset(largest, 0, (size_t)a->columns * sizeof *largest);
    for (int64_t i = 0; i < a->rows; i++)
        for (int64_t j0 = 0; j0 < a->columns; j0 += SCAN) {
            const int64_t count = FLSQ_MIN(SCAN, a->columns - j0);
            runs[a->dtype](element(a, i, j0), a->col_stride, count, values, 1);
            for (int64_t j = 0; j < count; j++)
                if (fabs(values[j]) > largest[j0 + j])
                    largest[j0 + j] = fabs(values[j]);
        }
}

void flsq_pad_affine(const flsq_rows *rows, int64_t length, int64_t targets, double *scale, double *offset)
{
    const int64_t lead = rows->x.columns + (rows->unit != 0);
    for (int64_t c = 0; c < length + targets; c++) {
        scale[c] = 1.0;
        offset[c] = 0.0;
    }
    for (int64_t c = 0; c < lead + rows->y.columns; c++) {
        if (rows->unit && c == rows->x.columns)
            continue;
        const int64_t place = c < lead ? c : length + c - lead;
        scale[place] = rows->scale != NULL ? rows->scale[c] : 1.0;
        offset[place] = rows->offset != NULL ? rows->offset[c] : 0.0;
    }
}
