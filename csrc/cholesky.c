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
 * The tiles hold -A, and off the diagonal -R: then the update is an addition of (-R12)ᵀ(-R12), the Gram kernels' own,
 * with one packed operand for both sides.  Substitution, not multiplication with an inverted diagonal block, keeps the
 * factor backward stable.
 *
 * The rows of a few blocks are updated block by block, what lies below them once by all of these: so the trailing matrix
 * goes through the caches once for FLSQ_CHOLESKY_STEPS blocks.
 *
 * Look-ahead: while the threads update what lies behind the next block, the first of them updates and factors its
 * diagonal, which nobody else touches.
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
    double *r11, *reciprocal; /* NB x NB, and of its diagonal */
    int64_t *claimed;         /* two counters a block step: panels to copy or solve, columns to update */
    int64_t failed;           /* row of the first bad pivot, or -1 */
} factorization;

static double *tile(const factorization *f, int64_t I, int64_t J)
{
    return f->tiles + (J * (J + 1) / 2 + I) * f->kernels->nr * f->kernels->nr;
}

static void negate(int64_t count, double *x)
{
    for (int64_t i = 0; i < count; i++)
        x[i] = -x[i];
}

/* Tile column J from the user's matrix, negated. */
static void read_column(const factorization *f, int64_t J)
{
    const int64_t nr = f->kernels->nr, columns = FLSQ_MIN(nr, f->n - J * nr);
    double *const target = tile(f, 0, J), minus_one[FLSQ_MAX_NR], zero[FLSQ_MAX_NR] = {0};
    const flsq_shaping negated = {.scale = minus_one, .offset = zero, .left = target};
    for (int64_t j = 0; j < nr; j++)
        minus_one[j] = -1.0;
    f->kernels->shape_rows_f64((const char *)(f->a + J * nr), f->ld * (int64_t)sizeof(double), J * nr + columns, columns,
                               target, 0, &negated);
    for (int64_t row = 0; columns < nr && row < (J + 1) * nr; row++)
        for (int64_t j = row < f->n ? columns : 0; j < nr; j++)
            target[row * nr + j] = row == J * nr + j ? -1.0 : 0.0;
}

/* Tile column J to the user's matrix, which keeps what it has below the diagonal. */
static void write_column(const factorization *f, int64_t J)
{
    const int64_t nr = f->kernels->nr, columns = FLSQ_MIN(nr, f->n - J * nr);
    for (int64_t row = 0; row < J * nr; row++)
        for (int64_t j = 0; j < columns; j++)
            f->a[row * f->ld + J * nr + j] = -tile(f, 0, J)[row * nr + j];
    for (int64_t i = 0; i < columns; i++)
        memcpy(f->a + (J * nr + i) * f->ld + J * nr + i, tile(f, J, J) + i * nr + i,
               (size_t)(columns - i) * sizeof(double));
}

/* R11 of the tile rows [K, last), by single tile rows, and as one dense block. */
static void factor_diagonal(factorization *f, int64_t K, int64_t last)
{
    const flsq_kernels *const kernels = f->kernels;
    const int64_t nr = kernels->nr;
    flsq_ahead nothing = {0};
    for (int64_t I = K; I < last; I++) {
        double *const reciprocal = f->reciprocal + (I - K) * nr, *const own = tile(f, I, I);
        negate(nr * nr, own);
        const int64_t failed = kernels->cholesky_small(nr, own, nr);
        if (failed >= 0) {
            f->failed = I * nr + failed;
            return;
        }
        for (int64_t i = 0; i < nr; i++)
            reciprocal[i] = 1.0 / own[i * nr + i];
        for (int64_t J = I + 1; J < last; J++)
            kernels->triangular_panel(nr, own, nr, reciprocal, tile(f, I, J));
        for (int64_t L = I + 1; L < last; L++) {
            kernels->gram_diagonal(nr, tile(f, I, L), tile(f, I, L), nr, nr, tile(f, L, L), NULL, &nothing);
            for (int64_t J = L + 1; J < last; J++)
                kernels->gram_block(nr, tile(f, I, L), tile(f, I, J), nr, nr, tile(f, L, J), &nothing);
        }
    }
    for (int64_t J = K; J < last; J++)
        for (int64_t i = 0; i < (J - K + 1) * nr; i++)
            for (int64_t j = 0; j < nr; j++) {
                const double value = tile(f, K, J)[i * nr + j];
                f->r11[i * NB + (J - K) * nr + j] = i / nr == J - K ? value : -value;
            }
}

/* What a block step subtracts: the rows of R in [from, to), NB at a time, from the tile rows [to, limit). */
typedef struct update {
    int64_t from, to, limit;
} update;

/* For one J and a group of I from `first` on: A[I, J] -= R[from:to, I]ᵀ R[from:to, J]. */
static void update_tiles(const factorization *f, const update *u, int64_t first, int64_t J)
{
    const int64_t nr = f->kernels->nr, end = FLSQ_MIN(first + LEFT_PANELS, u->limit);
    flsq_ahead nothing = {0};
    for (int64_t K = u->from; K < u->to; K += NB / nr) {
        const double *const right = tile(f, K, J);
        for (int64_t I = first; I < FLSQ_MIN(end, J); I++)
            f->kernels->gram_block(NB, tile(f, K, I), right, nr, nr, tile(f, I, J), &nothing);
        if (J < end)
            f->kernels->gram_diagonal(NB, right, right, nr, nr, tile(f, J, J), NULL, &nothing);
    }
}

/* The tile columns from `next` on; the latest, which are the longest, first. */
static void update_trailing(const factorization *f, const update *u, int64_t next, int64_t *claimed)
{
    int64_t task = flsq_parallel_claim(claimed), begin = 0;
    for (int64_t first = u->to; first < u->limit; first += LEFT_PANELS) {
        const int64_t end = begin + f->count - FLSQ_MAX(first, next); /* the J of this group are tasks begin .. end-1 */
        for (; task < end; task = flsq_parallel_claim(claimed))
            update_tiles(f, u, first, f->count - 1 - (task - begin));
        begin = end;
    }
}

static void factor_body(void *context, int thread, int n_threads)
{
    factorization *const f = context;
    const int64_t nr = f->kernels->nr, step = NB / nr, outer = FLSQ_CHOLESKY_STEPS * step;
    int64_t *claimed = f->claimed;
    for (int64_t J = flsq_parallel_claim(claimed); J < f->count; J = flsq_parallel_claim(claimed))
        read_column(f, J);
    flsq_parallel_barrier(n_threads);
    if (thread == 0)
        factor_diagonal(f, 0, FLSQ_MIN(step, f->count));
    for (int64_t K = 0; K < f->count; K += step) {
        const int64_t last = FLSQ_MIN(K + step, f->count), next = FLSQ_MIN(last + step, f->count);
        const int64_t begin = K / outer * outer, end = FLSQ_MIN(begin + outer, f->count);
        const update u = {last < end ? K : begin, last, last < end ? end : f->count};
        claimed += 2;
        flsq_parallel_barrier(n_threads);
        if (f->failed >= 0)
            return;
        for (int64_t J = last + flsq_parallel_claim(claimed); J < f->count; J = last + flsq_parallel_claim(claimed))
            f->kernels->triangular_panel(NB, f->r11, NB, f->reciprocal, tile(f, K, J));
        flsq_parallel_barrier(n_threads);
        if (thread == 0 && last < f->count) {
            for (int64_t J = last; J < next; J++)
                update_tiles(f, &u, last, J);
            factor_diagonal(f, last, next);
        }
        update_trailing(f, &u, next, claimed + 1);
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
        status = flsq_size_add(&size, NB * (NB + 1), sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, counters, sizeof(int64_t));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    f.tiles = flsq_arena_take(&arena, tiles / 2, nr * nr * (int64_t)sizeof(double));
    f.r11 = flsq_arena_take(&arena, NB * (NB + 1), sizeof(double));
    f.reciprocal = f.r11 + NB * NB;
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
