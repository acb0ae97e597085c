/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * A = D M D = RᵀR, right-looking by blocks of NB rows (Golub & Van Loan, Matrix Computations, 4th ed., section 4.2.6):
 *
 *      R11 from A11 (by NR rows) · R12 = R11⁻ᵀ A12 by panels · A22 -= R12ᵀ R12 as register tiles
 *
 * The matrix is first read into NR x NR tiles, those of one tile column one after the other:
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
#include "parallel.h"
#include "symmetric.h"
#include "workspace.h"
#include <math.h>
#include <string.h>

enum {
    NB = FLSQ_CHOLESKY_NB,
    LEFT_PANELS = 24 /* that stay in L2 while the right ones stream past: 24 * 9 KiB */
};

typedef struct factorization {
    const flsq_kernels *kernels;
    const flsq_symmetric *a;
    double *r; /* of leading dimension ldr */
    int64_t n, ldr;
    double *row_sums; /* n, or NULL */
    int64_t count;    /* tile rows; those past n are the identity */
    double *tiles;
    double *r11, *reciprocal; /* NB x NB, and of its diagonal */
    int64_t *claimed;         /* two counters a block step: panels to solve, columns to update; and some before and after */
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

/* Row I of the tiles of -A, and of the sums of |A| what it has on and above the diagonal. */
static void read_row(const factorization *f, int64_t I)
{
    const int64_t nr = f->kernels->nr;
    double sum[FLSQ_MAX_NR * FLSQ_MAX_NR] = {0};
    for (int64_t J = I; J < f->count; J++) {
        flsq_symmetric_tile(f->a, nr, I, J, -1.0, tile(f, I, J));
        for (int64_t i = 0; f->row_sums != NULL && i < nr * nr; i++)
            sum[i] += fabs(tile(f, I, J)[i]);
    }
    for (int64_t i = 0; f->row_sums != NULL && i < FLSQ_MIN(nr, f->n - I * nr); i++) {
        f->row_sums[I * nr + i] = 0;
        for (int64_t j = 0; j < nr; j++)
            f->row_sums[I * nr + i] += sum[i * nr + j];
    }
}

/* What the sums of these columns have above the diagonal. */
static void add_column_sums(const factorization *f, int64_t J)
{
    const int64_t nr = f->kernels->nr;
    double sum[FLSQ_MAX_NR] = {0};
    for (int64_t i = 0; i < (J + 1) * nr; i++)
        for (int64_t j = FLSQ_MAX(i - J * nr + 1, 0); j < nr; j++)
            sum[j] += fabs(tile(f, 0, J)[i * nr + j]);
    for (int64_t j = 0; j < FLSQ_MIN(nr, f->n - J * nr); j++)
        f->row_sums[J * nr + j] += sum[j];
}

/* Row I of the tiles to r, on and above the diagonal. */
static void write_row(const factorization *f, int64_t I)
{
    const int64_t nr = f->kernels->nr, rows = FLSQ_MIN(nr, f->n - I * nr);
    for (int64_t i = 0; i < rows; i++)
        memcpy(f->r + (I * nr + i) * (f->ldr + 1), tile(f, I, I) + i * (nr + 1), (size_t)(rows - i) * sizeof(double));
    for (int64_t J = I + 1; J < f->count; J++)
        for (int64_t i = 0; i < rows; i++)
            for (int64_t j = 0; j < FLSQ_MIN(nr, f->n - J * nr); j++)
                f->r[(I * nr + i) * f->ldr + J * nr + j] = -tile(f, I, J)[i * nr + j];
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
                kernels->gram_block(nr, tile(f, I, L), tile(f, I, J), nr, NULL, nr, tile(f, L, J), &nothing);
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
            f->kernels->gram_block(NB, tile(f, K, I), right, nr, NULL, nr, tile(f, I, J), &nothing);
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
    for (int64_t I = flsq_parallel_claim(claimed); I < f->count; I = flsq_parallel_claim(claimed))
        read_row(f, I);
    flsq_parallel_barrier(n_threads);
    if (f->row_sums != NULL) {
        for (int64_t J = flsq_parallel_claim(&claimed[1]); J < f->count; J = flsq_parallel_claim(&claimed[1]))
            add_column_sums(f, J);
        flsq_parallel_barrier(n_threads);
    }
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
    for (int64_t I = flsq_parallel_claim(claimed); I < f->count; I = flsq_parallel_claim(claimed))
        write_row(f, I);
}

static flsq_status blocked(const flsq_kernels *kernels, const flsq_symmetric *a, int n_threads, double *r, int64_t ldr,
                           double *row_sums, int64_t *pivot)
{
    const int64_t n = a->n, nr = kernels->nr, count = FLSQ_CEIL_DIV(n, nr), counters = 2 * (FLSQ_CEIL_DIV(n, NB) + 2);
    factorization f = {.kernels = kernels, .a = a, .n = n, .r = r, .ldr = ldr, .row_sums = row_sums, .count = count,
                       .failed = -1};
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
    return FLSQ_OK;
}

/* All of it in r. */
static int64_t unblocked(const flsq_kernels *kernels, const flsq_symmetric *a, double *r, int64_t ldr, double *row_sums)
{
    const int64_t n = a->n, nr = kernels->nr;
    double tile[FLSQ_MAX_NR * FLSQ_MAX_NR];
    for (int64_t i = 0; row_sums != NULL && i < n; i++)
        row_sums[i] = 0;
    for (int64_t I = 0; I * nr < n; I++)
        for (int64_t J = I; J * nr < n; J++) {
            flsq_symmetric_part(a, nr, I, J, 1.0, tile);
            for (int64_t i = I * nr; i < FLSQ_MIN((I + 1) * nr, n); i++)
                for (int64_t j = FLSQ_MAX(i, J * nr); j < FLSQ_MIN((J + 1) * nr, n); j++) {
                    const double value = r[i * ldr + j] = tile[(i - I * nr) * nr + j - J * nr];
                    if (row_sums == NULL)
                        continue;
                    row_sums[i] += fabs(value);
                    row_sums[j] += i < j ? fabs(value) : 0.0;
                }
        }
    return kernels->cholesky_small(n, r, ldr);
}

flsq_status flsq_cholesky_of(const flsq_kernels *kernels, const flsq_symmetric *a, int n_threads, double *r, int64_t ldr,
                             double *row_sums, int64_t *pivot)
{
    flsq_status status = FLSQ_OK;
    if (a->n > NB)
        status = blocked(kernels, a, n_threads, r, ldr, row_sums, pivot);
    else
        *pivot = unblocked(kernels, a, r, ldr, row_sums);
    return status == FLSQ_OK && *pivot >= 0 ? FLSQ_NOT_POSITIVE_DEFINITE : status;
}

flsq_status flsq_cholesky(const flsq_kernels *kernels, int64_t n, double *a, int64_t ld, int n_threads,
                          int64_t *pivot)
{
    const flsq_symmetric own = {.n = n, .m = a, .ldm = ld};
    return flsq_cholesky_of(kernels, &own, n_threads, a, ld, NULL, pivot);
}
