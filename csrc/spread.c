/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * How much longer the longest row is than the one in the middle: one read, no memory that grows with the rows.  Squares of
 * lengths are counted by their binary exponents, so the answer is off by a factor of two at most.
 */
#include "pack.h"
#include "parallel.h"
#include "workspace.h"
#include <math.h>
#include <string.h>

enum {
    CHUNK = 32,                     /* rows */
    LOWEST = -1100, EXPONENTS = 2200 /* of doubles, with some to spare */
};

typedef struct spread {
    const flsq_kernels *kernels;
    const flsq_rows *rows;
    const double *factor, *shift; /* of the columns of X, padded to panels: z*factor - shift */
    int64_t panels, claimed, panel_bytes;
    char *memory;   /* panel_bytes for every thread */
    int64_t *count; /* EXPONENTS for every thread */
} spread;

static void count_chunk(const spread *s, const flsq_panels *panels, int64_t row, int64_t count, int64_t *counts)
{
    const int64_t nr = s->kernels->nr;
    double squares[CHUNK] = {0}, weights[CHUNK];
    flsq_pack_matrix(s->kernels, &s->rows->x, row, count, panels, 0);
    for (int64_t J = 0; J < panels->count; J++) {
        double *const panel = panels->base + J * panels->stride;
        s->kernels->affine(count, nr, s->factor + J * nr, s->shift + J * nr, panel);
        for (int64_t k = 0; k < count; k++)
            for (int64_t j = 0; j < nr; j++)
                squares[k] += panel[k * nr + j] * panel[k * nr + j];
    }
    if (s->rows->weights.data != NULL) {
        flsq_read_column(&s->rows->weights, 0, row, count, weights);
        for (int64_t k = 0; k < count; k++)
            squares[k] *= weights[k];
    }
    for (int64_t k = 0; k < count; k++) {
        int e;
        if (!(squares[k] > 0) || !isfinite(squares[k]))
            continue;
        frexp(squares[k], &e);
        counts[e - LOWEST]++;
    }
}

static void spread_body(void *context, int thread, int n_threads)
{
    spread *const s = context;
    const int64_t n = s->rows->x.rows;
    const flsq_panels panels = {.base = (double *)(s->memory + thread * s->panel_bytes), .count = s->panels,
                                .stride = flsq_panels_stride(s->kernels, CHUNK)};
    (void)n_threads;
    flsq_panels_clear(s->kernels, &panels, -1);
    for (int64_t row = CHUNK * flsq_parallel_claim(&s->claimed); row < n; row = CHUNK * flsq_parallel_claim(&s->claimed))
        count_chunk(s, &panels, row, FLSQ_MIN(CHUNK, n - row), s->count + thread * EXPONENTS);
}

/* 2^(half the distance in exponents) from the middle one of the counted rows to the longest; 1 without any. */
static double distance(const int64_t *count)
{
    int64_t total = 0, below = 0, longest = 0, middle = 0;
    for (int64_t e = 0; e < EXPONENTS; e++) {
        total += count[e];
        longest = count[e] > 0 ? e : longest;
    }
    while (middle < longest && 2 * (below += count[middle]) < total)
        middle++;
    return total > 0 ? ldexp(1.0, (int)(longest - middle) / 2) : 1.0;
}

flsq_status flsq_row_spread(const flsq_kernels *kernels, const flsq_rows *rows, const double *factor,
                            const double *shift, int n_threads, double *ratio)
{
    const int64_t p = rows->x.columns, panels = FLSQ_CEIL_DIV(p, kernels->nr), padded = panels * kernels->nr;
    flsq_arena arena;
    int64_t size = 0, panel_bytes = 0;
    flsq_status status = flsq_size_add(&panel_bytes, panels, flsq_panels_stride(kernels, CHUNK) * (int64_t)sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, n_threads, panel_bytes);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, (int64_t)n_threads * EXPONENTS, sizeof(int64_t));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, 2 * padded, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    spread s = {.kernels = kernels, .rows = rows, .panels = panels, .panel_bytes = panel_bytes};
    s.memory = flsq_arena_take(&arena, n_threads, panel_bytes);
    s.count = flsq_arena_take(&arena, (int64_t)n_threads * EXPONENTS, sizeof(int64_t));
    double *const scales = flsq_arena_take(&arena, 2 * padded, sizeof(double));
    memset(s.count, 0, (size_t)(n_threads * EXPONENTS) * sizeof(int64_t));
    memset(scales, 0, (size_t)(2 * padded) * sizeof(double));
    memcpy(scales, factor, (size_t)p * sizeof(double));
    memcpy(scales + padded, shift, (size_t)p * sizeof(double));
    s.factor = scales, s.shift = scales + padded;
    flsq_parallel_run(n_threads, spread_body, &s);
    for (int thread = 1; thread < n_threads; thread++)
        for (int64_t e = 0; e < EXPONENTS; e++)
            s.count[e] += s.count[thread * EXPONENTS + e];
    *ratio = distance(s.count);
    flsq_arena_close(&arena);
    return FLSQ_OK;
}
