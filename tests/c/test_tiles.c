/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Register tiles on small integers: every number of columns, every number of rows.  Arrays end where the contract of
 * kernels.h lets a kernel stop reading.
 */
#include "blocksizes.h"
#include "check.h"
#include "oracle.h"
#include <math.h>
#include <stdlib.h>

/* Lanes past the last column hold zeros, as packing leaves them. */
static double *panel_of(int64_t rows, int64_t nr, int64_t columns, int low, int high)
{
    double *const panel = oracle_integers(rows * nr, low, high);
    for (int64_t i = 0; i < rows * nr; i++)
        if (i % nr >= columns)
            panel[i] = 0;
    return panel;
}

static int same_upper(int64_t nr, int64_t columns, const double *a, const double *b)
{
    for (int64_t i = 0; i < columns; i++)
        for (int64_t j = i; j < columns; j++)
            if (a[i * nr + j] != b[i * nr + j])
                return 0;
    return 1;
}

static void try_gram(const flsq_kernels *kernels, int64_t columns, int diagonal)
{
    const int64_t nr = kernels->nr;
    double *const a = panel_of(FLSQ_MAX_KC, nr, diagonal ? columns : nr, -9, 9);
    double *const b = panel_of(FLSQ_MAX_KC, nr, columns, -4, 4);
    double *const start = oracle_integers(nr * nr, -99, 99), *const expected = oracle_copy(start, nr * nr);
    for (int64_t rows = 0; rows <= FLSQ_MAX_KC; rows++) {
        double *const exact_a = oracle_copy(a, rows * nr), *const exact_b = oracle_copy(b, rows * nr);
        double *const c = oracle_copy(start, nr * nr);
        flsq_ahead nothing = {0};
        for (int64_t i = 0; rows > 0 && i < nr; i++)
            for (int64_t j = 0; j < nr; j++)
                expected[i * nr + j] += a[(rows - 1) * nr + i] * b[(rows - 1) * nr + j];
        CASE("%lld rows, %lld columns", (long long)rows, (long long)columns);
        if (diagonal) {
            kernels->gram_diagonal(rows, exact_a, exact_b, nr, columns, c, NULL, &nothing);
            CHECK(same_upper(nr, columns, c, expected));
        } else {
            kernels->gram_block(rows, exact_a, exact_b, nr, NULL, columns, c, &nothing);
            CHECK(first_difference(nr * nr, c, expected) == -1);
        }
        CHECK(nothing.next == NULL);
        free(exact_a), free(exact_b), free(c);
    }
    free(a), free(b), free(start), free(expected);
}

void test_gram_block(const flsq_kernels *kernels)
{
    for (int64_t columns = 1; columns <= kernels->nr; columns++)
        try_gram(kernels, columns, 0);
}

void test_gram_diagonal(const flsq_kernels *kernels)
{
    for (int64_t columns = 1; columns <= kernels->nr; columns++)
        try_gram(kernels, columns, 1);
}

/* Rows where they lie, with what stands beside them: the left panel, the right one, then NaN; weighed on the way or not. */
static void try_in_place(const flsq_kernels *kernels, int64_t columns, int64_t gap, int weighted)
{
    const int64_t nr = kernels->nr, width = nr + columns, step = width + gap, past = kernels->lanes;
    double *const z = oracle_integers(FLSQ_MAX_KC * step + past, -4, 4), *const y = oracle_integers(FLSQ_MAX_KC, -3, 3);
    double *const block = calloc((size_t)(2 * nr * nr), sizeof *block), *const triangle = block + nr * nr;
    double *const totals = calloc((size_t)(2 * nr), sizeof *totals), *const dots = totals + nr;
    double *const panel = panel_of(FLSQ_MAX_KC, nr, nr, 0, 0), *const weights = oracle_integers(FLSQ_MAX_KC, 0, 3);
    for (int64_t k = 0; k <= FLSQ_MAX_KC; k++)
        for (int64_t j = width; j < (k < FLSQ_MAX_KC ? step : width + past) && k * step + j < FLSQ_MAX_KC * step + past; j++)
            z[k * step + j] = NAN;
    for (int64_t rows = 0; rows <= FLSQ_MAX_KC; rows++) {
        double *const got_block = calloc((size_t)(2 * nr * nr), sizeof *got_block);
        double *const got_triangle = got_block + nr * nr, *const got_sums = oracle_doubles(2 * nr);
        double *const got_half = calloc((size_t)(nr * nr), sizeof *got_half);
        const double *const last = z + (rows - 1) * step, *const w = weighted ? weights : NULL;
        const double own = rows > 0 && weighted ? weights[rows - 1] : 1;
        flsq_ahead nothing = {0};
        for (int64_t j = 0; rows > 0 && j < columns; j++) {
            for (int64_t i = 0; i < nr; i++)
                block[i * nr + j] += last[i] * own * last[nr + j];
            for (int64_t i = 0; i <= j; i++)
                triangle[i * nr + j] += last[nr + i] * own * last[nr + j];
            totals[j] += own * last[nr + j];
            dots[j] += own * last[nr + j] * y[rows - 1];
        }
        const flsq_sides sides = {.y = y, .chunk = 1 + rows % 11, .farther = rows % 3, .sums = rows % 2 ? got_sums : NULL,
                                  .dots = got_sums + nr, .w = w};
        for (int64_t j = 0; rows > 0 && j < columns; j++)
            panel[(rows - 1) * nr + j] = own * last[nr + j];
        kernels->gram_block(rows, z, z + nr, step, w, columns, got_block, &nothing);
        kernels->gram_half_block(rows, z, step, panel, columns, got_half, &nothing);
        kernels->gram_diagonal(rows, z + nr, z + nr, step, columns, got_triangle, &sides, &nothing);
        CASE("%lld rows, %lld columns, gap %lld%s", (long long)rows, (long long)columns, (long long)gap,
             weighted ? ", weighed" : "");
        for (int64_t i = 0; i < nr; i++)
            CHECK(first_difference(columns, got_block + i * nr, block + i * nr) == -1 &&
                  first_difference(columns, got_half + i * nr, block + i * nr) == -1);
        CHECK(same_upper(nr, columns, got_triangle, triangle));
        CHECK(first_difference(columns, got_sums + nr, dots) == -1);
        CHECK(rows % 2 == 0 || first_difference(columns, got_sums, totals) == -1);
        free(got_block), free(got_sums), free(got_half);
    }
    free(z), free(y), free(block), free(totals), free(panel), free(weights);
}

void test_in_place(const flsq_kernels *kernels)
{
    for (int64_t columns = 1; columns <= kernels->nr; columns++)
        for (int64_t gap = 0; gap <= 3; gap += 3)
            for (int weighted = 0; weighted <= 1; weighted++)
                try_in_place(kernels, columns, gap, weighted);
}

/* Every sweep moves the memory asked for on by one jump and counts itself. */
void test_ahead(const flsq_kernels *kernels)
{
    const int64_t nr = kernels->nr, rows = FLSQ_MAX_KC, jump = 64, vectors = FLSQ_CEIL_DIV(nr, kernels->lanes);
    double *const panel = panel_of(rows, nr, nr, -4, 4), *const c = oracle_doubles(nr * nr);
    double *const memory = oracle_doubles(rows * nr), *const y = oracle_doubles(rows);
    double *const sums = oracle_doubles(nr), *const dots = oracle_doubles(nr);
    const flsq_sides sides = {.y = y, .chunk = rows, .sums = sums, .dots = dots};
    const flsq_ahead start = {.next = (const char *)memory, .pace = 8, .apart = 64, .jump = jump, .sweeps = 99};
    const int64_t block = kernels->block_sweeps[vectors], diagonal = kernels->diagonal_sweeps[vectors];
    for (int64_t columns = 1; columns <= nr; columns++) {
        flsq_ahead ahead = start;
        const int64_t narrow = kernels->block_sweeps[FLSQ_CEIL_DIV(columns, kernels->lanes)];
        CASE("%lld columns", (long long)columns);
        kernels->gram_block(rows, panel, panel, nr, NULL, columns, c, &ahead);
        CHECK(ahead.next - start.next == narrow * jump && ahead.sweeps == 99 - narrow);
    }
    flsq_ahead ahead = start;
    kernels->gram_block(rows, panel, panel, nr, NULL, nr, c, &ahead);
    kernels->gram_diagonal(rows, panel, panel, nr, nr, c, NULL, &ahead);
    CHECK(ahead.sweeps == 99 - block - diagonal);
    kernels->gram_diagonal(rows, panel, panel, nr, nr, c, &sides, &ahead);
    CHECK(ahead.sweeps == 99 - block - 2 * diagonal);
    ahead.sweeps = 1;
    ahead.next = start.next;
    kernels->gram_block(rows, panel, panel, nr, NULL, nr, c, &ahead);
    CHECK(ahead.sweeps == 0 && ahead.next - start.next == jump);
    free(panel), free(c), free(memory), free(y), free(sums), free(dots);
}

static void try_residual_block(const flsq_kernels *kernels, int64_t rows, int64_t panels, int64_t columns)
{
    const int64_t nr = kernels->nr, padded = FLSQ_CEIL_DIV(rows, FLSQ_ROW_PADDING) * FLSQ_ROW_PADDING;
    const int64_t stride = padded * nr + FLSQ_PANEL_GAP;
    double *const z = oracle_integers(panels * stride, -4, 4);
    double *const b = panel_of(panels * nr, nr, columns, -3, 3), *const y = oracle_integers(padded * nr, -9, 9);
    double *const expected = oracle_copy(y, padded * nr);
    for (int64_t k = 0; k < rows; k++)
        for (int64_t j = 0; j < panels * nr; j++)
            for (int64_t t = 0; t < nr; t++)
                expected[k * nr + t] -= z[j / nr * stride + k * nr + j % nr] * b[j * nr + t];
    kernels->residual_block(rows, panels, z, stride, b, columns, y);
    CASE("%lld rows, %lld panels, %lld columns", (long long)rows, (long long)panels, (long long)columns);
    CHECK(first_difference(rows * nr, y, expected) == -1);
    free(z), free(b), free(y), free(expected);
}

void test_residual_block(const flsq_kernels *kernels)
{
    for (int64_t columns = 1; columns <= kernels->nr; columns++)
        for (int64_t panels = 0; panels <= 3; panels++) {
            for (int64_t rows = 1; rows <= FLSQ_MIN(2 * FLSQ_ROW_PADDING + 1, FLSQ_MAX_KC); rows++)
                try_residual_block(kernels, rows, panels, columns);
            try_residual_block(kernels, FLSQ_MAX_KC - 1, panels, columns);
            try_residual_block(kernels, FLSQ_MAX_KC, panels, columns);
        }
}
