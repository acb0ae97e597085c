/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Packing: every element of every dtype and layout arrives as the right double in the right lane, and no other lane of
 * any panel changes.
 */
#include "blocksizes.h"
#include "check.h"
#include "oracle.h"
#include "pack.h"
#include <stdlib.h>
#include <string.h>

#define HELD 7777.0 /* what lanes hold before; lanes outside the packed columns must keep it */

static int same_or_nan(double a, double b) { return a == b || (a != a && b != b); }

static int panels_hold(const flsq_kernels *kernels, const flsq_panels *panels, const array *a, int64_t row,
                       int64_t count, int64_t first)
{
    const int64_t nr = kernels->nr, columns = a->view.columns;
    for (int64_t J = 0; J < panels->count; J++)
        for (int64_t i = 0; i < panels->stride; i++) {
            const int64_t k = i / nr, j = J * nr + i % nr - first;
            const int packed = k < count && j >= 0 && j < columns;
            if (!same_or_nan(panels->base[J * panels->stride + i],
                             packed ? a->value[(row + k) * columns + j] : HELD))
                return 0;
        }
    return 1;
}

static void try_pack(const flsq_kernels *kernels, flsq_dtype dtype, layout form, int64_t count, int64_t columns,
                     int64_t first, int misaligned)
{
    const int64_t row = 2, nr = kernels->nr;
    CASE("%s %s, %lld rows, %lld columns, at column %lld, %d bytes off", dtype_name(dtype), layout_name(form),
         (long long)count, (long long)columns, (long long)first, misaligned);
    array a = array_make(dtype, form, row + count, columns, RANDOM_BITS, misaligned);
    const int64_t stride = flsq_panels_stride(kernels, count), panel_count = FLSQ_CEIL_DIV(first + columns, nr) + 1;
    double *const base = oracle_doubles(panel_count * stride);
    for (int64_t i = 0; i < panel_count * stride; i++)
        base[i] = HELD;
    const flsq_panels panels = {.base = base, .stride = stride, .count = panel_count, .step = nr};
    flsq_pack_matrix(kernels, &a.view, row, count, &panels, first);
    CHECK(panels_hold(kernels, &panels, &a, row, count, first));
    free(base);
    array_free(&a);
}

void test_pack_matrix(const flsq_kernels *kernels)
{
    const int64_t nr = kernels->nr;
    const int64_t columns[] = {1, 2, 3, nr / 2, nr - 1, nr, nr + 1, 2 * nr + nr / 2 + 1};
    const int64_t counts[] = {1, 2, 3, 7, 8, 9, 17, FLSQ_MAX_KC - 1, FLSQ_MAX_KC};
    const int64_t firsts[] = {0, 1, nr / 2, nr - 1};
    for (flsq_dtype dtype = 0; dtype < FLSQ_DTYPES; dtype++)
        for (layout form = 0; form < LAYOUTS; form++)
            for (int c = 0; c < COUNT_OF(columns); c++)
                for (int r = 0; r < COUNT_OF(counts); r++) {
                    const int64_t first = firsts[(c + r + (int)form) % COUNT_OF(firsts)];
                    try_pack(kernels, dtype, form, counts[r], columns[c], first, 0);
                }
    /* NumPy hands over fields of packed records at any address */
    for (flsq_dtype dtype = 0; dtype < FLSQ_DTYPES; dtype++)
        for (layout form = 0; form < LAYOUTS; form++)
            for (int misaligned = 1; misaligned < 8; misaligned++)
                try_pack(kernels, dtype, form, 9, nr + 3, 1, misaligned);
    for (int c = 0; c < 3 * nr; c++) /* every offset of every width in the vector paths */
        for (int64_t first = 0; first < nr; first++)
            for (int order = 0; order < 4; order++)
                try_pack(kernels, order & 1 ? FLSQ_F32 : FLSQ_F64, order & 2 ? F_ORDER : C_ORDER, 11, c + 1, first, 0);
}

/* Shaped values in the lanes of X; behind the last column a vector may run on, but not beyond the panel. */
static void try_shape(const flsq_kernels *kernels, flsq_dtype dtype, layout form, int64_t count, int64_t columns,
                      int affine, int weighted)
{
    const int64_t nr = kernels->nr, panel_count = FLSQ_CEIL_DIV(columns, nr), padded = panel_count * nr;
    const int64_t stride = flsq_panels_stride(kernels, count);
    array a = array_make(dtype, form, count, columns, INTEGERS, 0);
    double *const right = oracle_doubles(panel_count * stride), *const left = oracle_doubles(panel_count * stride);
    double *const scale = oracle_integers(padded, 1, 3), *const offset = oracle_integers(padded, -3, 3);
    double *const w = oracle_integers(count, 0, 5);
    for (int64_t i = 0; i < panel_count * stride; i++)
        right[i] = left[i] = HELD;
    const flsq_panels panels = {.base = right, .stride = stride, .count = panel_count, .step = nr};
    const flsq_shaping shaping = {.scale = affine ? scale : NULL, .offset = affine ? offset : NULL,
                                  .w = weighted ? w : NULL, .weighted = weighted ? left : right};
    flsq_shape_matrix(kernels, &a.view, 0, count, &panels, &shaping);
    int values = 1, products = 1, untouched = 1;
    for (int64_t J = 0; J < panel_count; J++)
        for (int64_t i = 0; i < stride; i++) {
            const int64_t k = i / nr, j = J * nr + i % nr;
            if (k >= count)
                untouched &= right[J * stride + i] == HELD && left[J * stride + i] == HELD;
            if (k >= count || j >= columns)
                continue;
            const double value = a.value[k * columns + j] * (affine ? scale[j] : 1) - (affine ? offset[j] : 0);
            values &= right[J * stride + i] == value;
            products &= !weighted || left[J * stride + i] == w[k] * value;
        }
    CASE("%s %s, %lld x %lld%s%s", dtype_name(dtype), layout_name(form), (long long)count, (long long)columns,
         affine ? ", scale and offset" : "", weighted ? ", weights" : "");
    CHECK(values);
    CHECK(products);
    CHECK(untouched);
    free(right), free(left), free(scale), free(offset), free(w);
    array_free(&a);
}

/* The same into rows of whole vectors, one panel beside the other; the memory ends with the last row. */
static void try_rows(const flsq_kernels *kernels, flsq_dtype dtype, layout form, int64_t count, int64_t columns, int affine)
{
    const int64_t nr = kernels->nr, step = FLSQ_CEIL_DIV(columns, kernels->lanes) * kernels->lanes;
    array a = array_make(dtype, form, count, columns, INTEGERS, 0);
    double *const rows = oracle_doubles(count * step);
    double *const scale = oracle_integers(step, 1, 3), *const offset = oracle_integers(step, -3, 3);
    const flsq_panels panels = {.base = rows, .stride = nr, .count = FLSQ_CEIL_DIV(columns, nr), .step = step};
    const char memory[64] = {0};
    flsq_ahead ahead = {.next = memory, .pace = 8, .pairs = 1, .apart = 64, .jump = 8 * count, .sweeps = 3};
    const flsq_shaping shaping = {.scale = affine ? scale : NULL, .offset = affine ? offset : NULL, .weighted = rows,
                                  .ahead = &ahead};
    flsq_shape_matrix(kernels, &a.view, 0, count, &panels, &shaping);
    int values = 1;
    for (int64_t k = 0; k < count; k++)
        for (int64_t j = 0; j < columns; j++)
            values &= rows[k * step + j] == a.value[k * columns + j] * (affine ? scale[j] : 1) - (affine ? offset[j] : 0);
    CASE("%s %s, %lld x %lld by rows%s", dtype_name(dtype), layout_name(form), (long long)count, (long long)columns,
         affine ? ", scale and offset" : "");
    CHECK(values);
    CHECK(ahead.sweeps == 3 - flsq_is_shaped_by_rows(&a.view));
    CHECK(ahead.next - memory == 8 * count * flsq_is_shaped_by_rows(&a.view));
    free(rows), free(scale), free(offset);
    array_free(&a);
}

void test_shape_matrix(const flsq_kernels *kernels)
{
    const int64_t counts[] = {1, 2, 31, 32, 33, FLSQ_MAX_KC};
    for (int affine = 0; affine <= 1; affine++)
        for (int64_t columns = 1; columns <= 2 * kernels->nr + 1; columns++)
            for (flsq_dtype dtype = 0; dtype < FLSQ_DTYPES; dtype++)
                for (layout form = 0; form < LAYOUTS; form++)
                    try_rows(kernels, dtype, form, counts[(columns + form) % COUNT_OF(counts)], columns, affine);
    for (int what = 0; what < 4; what++) {
        for (flsq_dtype dtype = 0; dtype < FLSQ_DTYPES; dtype++)
            for (layout form = 0; form < LAYOUTS; form++)
                try_shape(kernels, dtype, form, 9, kernels->nr + 1 + form % 3, what & 1, what >> 1);
        for (int64_t columns = 1; columns <= 2 * kernels->nr + 1; columns++)
            for (int c = 0; c < COUNT_OF(counts); c++)
                for (int order = 0; order < 6; order++)
                    try_shape(kernels, order & 1 ? FLSQ_F32 : FLSQ_F64, order < 2 ? C_ORDER : order < 4 ? PADDED_C : ZERO_ROWS,
                              FLSQ_MIN(counts[c], FLSQ_MAX_KC), columns, what & 1, what >> 1);
    }
}

void test_pack_half(const flsq_kernels *kernels)
{
    enum { HALVES = 65536 };
    uint16_t *const half = malloc(HALVES * sizeof *half);
    double *const value = oracle_doubles(HALVES);
    for (int i = 0; i < HALVES; i++)
        half[i] = (uint16_t)i;
    const flsq_matrix a = {.data = half, .rows = HALVES, .columns = 1, .row_stride = 2, .col_stride = 2,
                           .dtype = FLSQ_F16};
    (void)kernels;
    flsq_read_column(&a, 0, 0, HALVES, value);
    for (int first = 0; first < HALVES; first += 1024) { /* one sign and exponent */
        int same = 1;
        for (int i = first; i < first + 1024; i++)
            same &= same_or_nan(value[i], element_read(FLSQ_F16, (const char *)&half[i]));
        CASE("half floats from 0x%04x", first);
        CHECK(same);
    }
    CASE("half floats by name");
    CHECK(value[0x3c00] == 1.0 && value[0xc000] == -2.0 && value[0x7bff] == 65504.0 && value[0x0001] == 0x1p-24);
    CHECK(value[0x7c00] > 1e308 && value[0xfc00] < -1e308 && value[0x7e00] != value[0x7e00]);
    free(half);
    free(value);
}

void test_read_column(const flsq_kernels *kernels)
{
    (void)kernels;
    for (flsq_dtype dtype = 0; dtype < FLSQ_DTYPES; dtype++)
        for (layout form = 0; form < LAYOUTS; form++) {
            enum { ROWS = 37, COLUMNS = 3, SKIP = 5 };
            array a = array_make(dtype, form, ROWS, COLUMNS, RANDOM_BITS, 0);
            for (int64_t column = 0; column < COLUMNS; column++) {
                double out[ROWS - SKIP];
                int same = 1;
                flsq_read_column(&a.view, column, SKIP, ROWS - SKIP, out);
                for (int64_t i = 0; i < ROWS - SKIP; i++)
                    same &= same_or_nan(out[i], a.value[(SKIP + i) * COLUMNS + column]);
                CASE("%s %s, column %lld", dtype_name(dtype), layout_name(form), (long long)column);
                CHECK(same);
            }
            array_free(&a);
        }
}
