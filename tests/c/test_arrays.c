/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The scans over user arrays, the sizes of workspaces and the choice of a kernel set.  None depends on the kernels of
 * the set under test; they run once per set so that every build of the program covers them.
 */
#include "check.h"
#include "cpu_features.h"
#include "oracle.h"
#include "workspace.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDE = 130, TALL = 131 }; /* past the 128 elements that a scan reads at a time */

void test_find_nonfinite(const flsq_kernels *kernels)
{
    const double bad[] = {NAN, INFINITY, -INFINITY};
    const int64_t places[][2] = {{0, 0}, {0, WIDE - 1}, {2, 127}, {2, 128}, {4, WIDE - 1}};
    (void)kernels;
    for (flsq_dtype dtype = 0; dtype < FLSQ_DTYPES; dtype++)
        for (layout form = C_ORDER; form < ZERO_ROWS; form++) {
            array a = array_make(dtype, form, 5, WIDE, INTEGERS, 0);
            int64_t row = 9, column = 9;
            CASE("%s %s, all finite", dtype_name(dtype), layout_name(form));
            flsq_find_nonfinite(&a.view, &row, &column);
            CHECK(row == -1 && column == -1);
            for (int i = COUNT_OF(places) - 1; dtype <= FLSQ_F16 && i >= 0; i--) { /* the later ones stay in place */
                array_set(&a, places[i][0], places[i][1], bad[i % 3]);
                flsq_find_nonfinite(&a.view, &row, &column);
                CASE("%s %s, place %d", dtype_name(dtype), layout_name(form), i);
                CHECK(row == places[i][0] && column == places[i][1]);
            }
            array_free(&a);
        }
}

void test_find_bad_weight(const flsq_kernels *kernels)
{
    const double bad[] = {-1, NAN, INFINITY, -INFINITY};
    const int64_t places[] = {0, 1, 127, 128, TALL - 1};
    (void)kernels;
    for (flsq_dtype dtype = 0; dtype < FLSQ_DTYPES; dtype++)
        for (layout form = C_ORDER; form < ZERO_ROWS; form++) {
            const int kinds = dtype <= FLSQ_F16 ? COUNT_OF(bad)
                              : dtype == FLSQ_I8 || dtype == FLSQ_I16 || dtype == FLSQ_I32 || dtype == FLSQ_I64 ? 1 : 0;
            array a = array_make(dtype, form, TALL, 1, INTEGERS, 0);
            int64_t row = 9;
            for (int64_t i = 0; i < TALL; i++)
                element_write(dtype, (char *)a.view.data + i * a.view.row_stride, (double)(i % 3));
            flsq_find_bad_weight(&a.view, &row);
            CASE("%s %s, all good", dtype_name(dtype), layout_name(form));
            CHECK(row == -1);
            for (int i = COUNT_OF(places) - 1; kinds > 0 && i >= 0; i--) {
                array_set(&a, places[i], 0, bad[i % kinds]);
                flsq_find_bad_weight(&a.view, &row);
                CASE("%s %s, place %d", dtype_name(dtype), layout_name(form), i);
                CHECK(row == places[i]);
            }
            array_free(&a);
        }
}

void test_column_max_abs(const flsq_kernels *kernels)
{
    (void)kernels;
    for (flsq_dtype dtype = 0; dtype < FLSQ_DTYPES; dtype++)
        for (layout form = 0; form < LAYOUTS; form++) {
            array a = array_make(dtype, form, 7, WIDE, RANDOM_BITS, 0);
            double largest[WIDE];
            int same = 1;
            flsq_column_max_abs(&a.view, largest);
            for (int64_t j = 0; j < WIDE; j++) {
                double expected = 0;
                for (int64_t i = 0; i < a.view.rows; i++)
                    if (!isnan(a.value[i * WIDE + j]))
                        expected = fmax(expected, fabs(a.value[i * WIDE + j]));
                same &= largest[j] == expected;
            }
            CASE("%s %s", dtype_name(dtype), layout_name(form));
            CHECK(same);
            array_free(&a);
        }
}

void test_sizes(const flsq_kernels *kernels)
{
    const int64_t top = INT64_MAX;
    int64_t total = 0, product = 0;
    (void)kernels;
    CASE("add");
    CHECK(flsq_size_add(&total, 3, 8) == FLSQ_OK && total == 64);
    CHECK(flsq_size_add(&total, 8, 8) == FLSQ_OK && total == 128);
    CHECK(flsq_size_add(&total, 0, 8) == FLSQ_OK && total == 128);
    CHECK(flsq_size_add(&total, top / 4, 8) == FLSQ_TOO_LARGE); /* the product */
    CHECK(flsq_size_add(&total, top - 10, 1) == FLSQ_TOO_LARGE); /* the rounding up */
    total = top - 100;
    CHECK(flsq_size_add(&total, 100, 1) == FLSQ_TOO_LARGE); /* the sum */
    CASE("multiply");
    CHECK(flsq_size_multiply(top, 1, &product) == FLSQ_OK && product == top);
    CHECK(flsq_size_multiply((int64_t)1 << 31, (int64_t)1 << 31, &product) == FLSQ_OK && product == (int64_t)1 << 62);
    CHECK(flsq_size_multiply((int64_t)1 << 32, (int64_t)1 << 31, &product) == FLSQ_TOO_LARGE);
    CHECK(flsq_size_multiply(top, top, &product) == FLSQ_TOO_LARGE);

    flsq_arena arena;
    CASE("arena");
    CHECK(flsq_arena_open(&arena, -1) == FLSQ_TOO_LARGE);
    CHECK(flsq_arena_open(&arena, (int64_t)1 << 60) == FLSQ_NO_MEMORY);
    CHECK(flsq_arena_open(&arena, 192) == FLSQ_OK);
    char *const first = flsq_arena_take(&arena, 3, 8), *const second = flsq_arena_take(&arena, 16, 8);
    CHECK((uintptr_t)first % 64 == 0 && second == first + 64);
    memset(first, 1, 192);
    flsq_arena_close(&arena);
    CHECK(flsq_arena_open(&arena, 2 * FLSQ_ARENA_NEAR) == FLSQ_OK && arena.base != arena.near);
    memset(flsq_arena_take(&arena, 2 * FLSQ_ARENA_NEAR, 1), 1, 2 * FLSQ_ARENA_NEAR);
    flsq_arena_close(&arena);
    flsq_arena_none(&arena);
    flsq_arena_close(&arena);
    CHECK(flsq_allocate(-1) == NULL);
    CHECK(flsq_allocate((int64_t)1 << 60) == NULL);
    void *const piece = flsq_allocate(800);
    CHECK(piece != NULL && (uintptr_t)piece % 64 == 0);
    flsq_release(piece);
}

void test_dispatch(const flsq_kernels *kernels)
{
    const flsq_kernels *chosen = NULL;
    const char *name;
    int runs_here, i;
    CASE("dispatch");
    for (i = 0; (name = flsq_kernels_built(i, &runs_here)) != NULL; i++) {
        chosen = NULL;
        CHECK(flsq_kernels_select(name, &chosen) == (runs_here ? FLSQ_OK : FLSQ_UNSUPPORTED_KERNEL));
        CHECK((chosen != NULL) == runs_here && (chosen == NULL || strcmp(flsq_kernels_name(chosen), name) == 0));
    }
    CHECK(i > 0 && flsq_kernels_built(-1, &runs_here) == NULL);
    chosen = NULL;
    CHECK(flsq_kernels_select("no such kernel", &chosen) == FLSQ_UNKNOWN_KERNEL && chosen == NULL);
    CHECK(setenv("FASTLSQ_KERNEL", "generic", 1) == 0);
    CHECK(flsq_kernels_select(NULL, &chosen) == FLSQ_OK && chosen == &flsq_kernels_generic);
    CHECK(unsetenv("FASTLSQ_KERNEL") == 0);
    CHECK(flsq_kernels_select("", &chosen) == FLSQ_OK && !(chosen->required_features & ~flsq_cpu_features()));
    CHECK(kernels->nr > 0 && strcmp(flsq_kernels_name(kernels), kernels->name) == 0);
}
