/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * A = RᵀR, right-looking by blocks of NB rows (Golub & Van Loan, Matrix Computations, 4th ed., section 4.2.6):
 *
 *      R11 from A11 (by NR rows) · R12 = R11⁻ᵀ A12 by panels · A22 -= R12ᵀ R12 as register tiles
 *
 * The matrix is first copied into NR x NR tiles, those of one tile column one after the other:
 *
 *      tile (I, J) at J(J+1)/2 + I        0 | 1 | 3 | 6
 *                                           | 2 | 4 | 7        so that the NB rows of R12 in tile column J are one packed
 *                                           |   | 5 | 8        panel (kernels.h), and an update touches one piece of
 *                                           |   |   | 9        memory instead of NR rows of the matrix
 *
 * R12 is solved where it lies; a negated copy is the left operand, so that the update is an addition.  Substitution, not
 * multiplication with an inverted diagonal block, keeps the factor backward stable.
 */
#include "blocksizes.h"
#include "kernels.h"
#include "parallel.h"
#include "workspace.h"
#include <string.h>

enum {
    NB = FLSQ_CHOLESKY_NB,
    LEFT_PANELS = 24 /* that stay in L2 while the right ones stream past: 24 * 9 KiB */
};

typedef struct factorization {
    const flsq_kernels *kernels;
    double *a; /* the user's: n x n, leading dimension ld */
    int64_t n, ld;
    int64_t count; /* tile rows; those past n are the identity */
    double *tiles;
    double *r11;      /* NB x NB */
    double *negative; /* -R12, panels of NB rows */
    int64_t *claimed; /* two counters a block step: panels to copy or solve, groups to update */
    int64_t failed;   /* row of the first bad pivot, or -1 */
} factorization;

static double *tile(const factorization *f, int64_t I, int64_t J)
{
    return f->tiles + (J * (J + 1) / 2 + I) * f->kernels->nr * f->kernels->nr;
}

/* Tile column J from the user's matrix. */
static void read_column(const factorization *f, int64_t J)
{
    const int64_t nr = f->kernels->nr, columns = FLSQ_MIN(nr, f->n - J * nr);
    for (int64_t row = 0; row < (J + 1) * nr; row++) {
        double *const target = tile(f, 0, J) + row * nr;
        int64_t j = 0;
        if (row < f->n) {
            memcpy(target, f->a + row * f->ld + J * nr, (size_t)columns * sizeof(double));
            j = columns;
        }
        for (; j < nr; j++)
            target[j] = row == J * nr + j ? 1.0 : 0.0;
    }
}

/* Tile column J to the user's matrix, which keeps what it has below the diagonal. */
static void write_column(const factorization *f, int64_t J)
{
    const int64_t nr = f->kernels->nr, columns = FLSQ_MIN(nr, f->n - J * nr);
    for (int64_t row = 0; row < J * nr + columns; row++) {
        const int64_t first = FLSQ_MAX(row - J * nr, 0);
        memcpy(f->a + row * f->ld + J * nr + first, tile(f, 0, J) + row * nr + first,
               (size_t)(columns - first) * sizeof(double));
    }
}

/* R11 of the tile rows [K, last), by single tile rows, and as one dense block. */
static void factor_diagonal(factorization *f, int64_t K, int64_t last)
{
    const flsq_kernels *const kernels = f->kernels;
    const int64_t nr = kernels->nr;
    double negative[FLSQ_MAX_NR * FLSQ_MAX_NR];
    flsq_ahead nothing = {0};
    for (int64_t I = K; I < last; I++) {
        const int64_t failed = kernels->cholesky_small(nr, tile(f, I, I), nr);
        if (failed >= 0) {
            f->failed = I * nr + failed;
            return;
        }
        for (int64_t J = I + 1; J < last; J++)
            kernels->triangular_panel(nr, tile(f, I, I), nr, tile(f, I, J));
        for (int64_t L = I + 1; L < last; L++) {
            for (int64_t i = 0; i < nr * nr; i++)
                negative[i] = -tile(f, I, L)[i];
            kernels->gram_diagonal(nr, negative, tile(f, I, L), nr, nr, tile(f, L, L), NULL, &nothing);
            for (int64_t J = L + 1; J < last; J++)
                kernels->gram_block(nr, negative, tile(f, I, J), nr, nr, tile(f, L, J), &nothing);
        }
    }
    for (int64_t J = K; J < last; J++)
        for (int64_t i = 0; i < (J - K + 1) * nr; i++)
            memcpy(f->r11 + i * NB + (J - K) * nr, tile(f, K, J) + i * nr, (size_t)nr * sizeof(double));
}

/* R12 in tile column J, and its negative. */
static void solve_panel(const factorization *f, int64_t K, int64_t last, int64_t J)
{
    const int64_t nr = f->kernels->nr;
    double *const panel = tile(f, K, J), *const negative = f->negative + (J - last) * NB * nr;
    f->kernels->triangular_panel(NB, f->r11, NB, panel);
    for (int64_t i = 0; i < NB * nr; i++)
        negative[i] = -panel[i];
}

/* A22[I, J] -= R12[:, I]ᵀ R12[:, J] for one J and a group of I. */
static void update_tiles(const factorization *f, int64_t K, int64_t last, int64_t first, int64_t J)
{
    const int64_t nr = f->kernels->nr;
    const double *const right = tile(f, K, J);
    flsq_ahead nothing = {0};
    for (int64_t I = first; I < FLSQ_MIN(first + LEFT_PANELS, J); I++)
        f->kernels->gram_block(NB, f->negative + (I - last) * NB * nr, right, nr, nr, tile(f, I, J), &nothing);
    if (J < first + LEFT_PANELS)
        f->kernels->gram_diagonal(NB, f->negative + (J - last) * NB * nr, right, nr, nr, tile(f, J, J), NULL, &nothing);
}

static void update_trailing(const factorization *f, int64_t K, int64_t last, int64_t *claimed)
{
    int64_t task = flsq_parallel_claim(claimed), begin = 0;
    for (int64_t first = last; first < f->count; first += LEFT_PANELS) {
        const int64_t end = begin + f->count - first; /* the J of this group are tasks begin .. end-1 */
        for (; task < end; task = flsq_parallel_claim(claimed))
            update_tiles(f, K, last, first, f->count - 1 - (task - begin));
        begin = end;
    }
}

static void factor_body(void *context, int thread, int n_threads)
{
    factorization *const f = context;
    const int64_t step = NB / f->kernels->nr;
    int64_t *claimed = f->claimed;
    for (int64_t J = flsq_parallel_claim(claimed); J < f->count; J = flsq_parallel_claim(claimed))
        read_column(f, J);
    for (int64_t K = 0; K < f->count; K += step) {
        const int64_t last = FLSQ_MIN(K + step, f->count);
        claimed += 2;
        flsq_parallel_barrier(n_threads);
        if (thread == 0)
            factor_diagonal(f, K, last);
        flsq_parallel_barrier(n_threads);
        if (f->failed >= 0)
            return;
        for (int64_t J = last + flsq_parallel_claim(claimed); J < f->count; J = last + flsq_parallel_claim(claimed))
            solve_panel(f, K, last, J);
        flsq_parallel_barrier(n_threads);
        update_trailing(f, K, last, claimed + 1);
    }
    claimed += 2;
    flsq_parallel_barrier(n_threads);
    for (int64_t J = flsq_parallel_claim(claimed); J < f->count; J = flsq_parallel_claim(claimed))
        write_column(f, J);
}

static flsq_status blocked(const flsq_kernels *kernels, int64_t n, double *a, int64_t ld, int n_threads,
                           int64_t *pivot)
{
    const int64_t nr = kernels->nr, count = FLSQ_CEIL_DIV(n, nr), counters = 2 * (FLSQ_CEIL_DIV(n, NB) + 2);
    factorization f = {.kernels = kernels, .a = a, .n = n, .ld = ld, .count = count, .failed = -1};
    flsq_arena arena;
    int64_t size = 0, tiles;
    flsq_status status = flsq_size_multiply(count, count + 1, &tiles);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, tiles / 2, nr * nr * (int64_t)sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, count, NB * nr * (int64_t)sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, NB * NB, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, counters, sizeof(int64_t));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    f.tiles = flsq_arena_take(&arena, tiles / 2, nr * nr * (int64_t)sizeof(double));
    f.negative = flsq_arena_take(&arena, count, NB * nr * (int64_t)sizeof(double));
    f.r11 = flsq_arena_take(&arena, NB * NB, sizeof(double));
    f.claimed = flsq_arena_take(&arena, counters, sizeof(int64_t));
    memset(f.claimed, 0, (size_t)counters * sizeof(int64_t));
    const double flops = (double)n * (double)n * (double)n / 3.0;
    flsq_parallel_run(flops < FLSQ_CHOLESKY_THREAD_FLOPS ? 1 : n_threads, factor_body, &f);
    flsq_arena_close(&arena);
    *pivot = f.failed;
    return *pivot < 0 ? FLSQ_OK : FLSQ_NOT_POSITIVE_DEFINITE;
}

flsq_status flsq_cholesky(const flsq_kernels *kernels, int64_t n, double *a, int64_t ld, int n_threads,
                          int64_t *pivot)
{
    if (n > NB)
        return blocked(kernels, n, a, ld, n_threads, pivot);
    *pivot = kernels->cholesky_small(n, a, ld);
    return *pivot < 0 ? FLSQ_OK : FLSQ_NOT_POSITIVE_DEFINITE;
}
