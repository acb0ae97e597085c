/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * A = RᵀR, right-looking by blocks of NB rows (Golub & Van Loan, Matrix Computations, 4th ed., section 4.2.6):
 *
 *      R11 from A11 (unblocked) · R12 = R11⁻ᵀ A12 on packed panels · A22 -= R12ᵀ R12 as register tiles
 *
 * The panels of R12 are packed once and serve as both operands of the update, exactly as rows do in the Gram pass.
 * Substitution, not multiplication with an inverted diagonal block, keeps the factor backward stable.
 */
#include "blocksizes.h"
#include "pack.h"
#include "parallel.h"
#include "workspace.h"
#include <string.h>

enum { NB = FLSQ_CHOLESKY_NB };

typedef struct trailing {
    const flsq_kernels *kernels;
    double *a;          /* the trailing matrix A22: rows x rows */
    double *row_block;  /* A12, then R12: NB x rows */
    const double *r11;
    int64_t ld, rows;
    flsq_panels panels;
    int64_t claimed_panels, claimed_strips;
} trailing;

static void solve_panel(const trailing *t, int64_t J)
{
    const int64_t nr = t->kernels->nr, columns = FLSQ_MIN(nr, t->rows - J * nr);
    double *const panel = t->panels.base + J * t->panels.stride;
    for (int64_t i = 0; i < NB; i++) {
        memcpy(panel + i * nr, t->row_block + i * t->ld + J * nr, (size_t)columns * sizeof(double));
        memset(panel + i * nr + columns, 0, (size_t)(nr - columns) * sizeof(double));
    }
    t->kernels->triangular_panel(NB, t->r11, t->ld, panel);
    for (int64_t i = 0; i < NB; i++)
        memcpy(t->row_block + i * t->ld + J * nr, panel + i * nr, (size_t)columns * sizeof(double));
}

/* A22[I, J] -= R12[:, I]ᵀ R12[:, J] for all I <= J of one panel J. */
static void update_panel(const trailing *t, int64_t J)
{
    const int64_t nr = t->kernels->nr, columns = FLSQ_MIN(nr, t->rows - J * nr);
    const double *const right = t->panels.base + J * t->panels.stride;
    double product[FLSQ_MAX_NR * FLSQ_MAX_NR];
    flsq_ahead nothing = {0};
    for (int64_t I = 0; I <= J; I++) {
        const double *const left = t->panels.base + I * t->panels.stride;
        const int64_t rows = FLSQ_MIN(nr, t->rows - I * nr);
        memset(product, 0, (size_t)(nr * nr) * sizeof(double));
        if (I == J)
            t->kernels->gram_diagonal(NB, left, right, nr, columns, product, NULL, &nothing);
        else
            t->kernels->gram_block(NB, left, right, nr, columns, product, &nothing);
        for (int64_t i = 0; i < rows; i++) {
            const int64_t first = I == J ? i : 0;
            t->kernels->axpy(columns - first, -1.0, product + i * nr + first,
                             t->a + (I * nr + i) * t->ld + J * nr + first);
        }
    }
}

static void trailing_body(void *context, int thread, int n_threads)
{
    trailing *const t = context;
    const int64_t last = t->panels.count;
    (void)thread;
    for (int64_t J = flsq_parallel_claim(&t->claimed_panels); J < last; J = flsq_parallel_claim(&t->claimed_panels))
        solve_panel(t, J);
    flsq_parallel_barrier(n_threads);
    /* the tallest panels first, so that the threads finish together */
    for (int64_t s = flsq_parallel_claim(&t->claimed_strips); s < last; s = flsq_parallel_claim(&t->claimed_strips))
        update_panel(t, last - 1 - s);
}

flsq_status flsq_cholesky(const flsq_kernels *kernels, int64_t n, double *a, int64_t ld, int n_threads,
                          int64_t *pivot)
{
    *pivot = -1;
    const int64_t nr = kernels->nr, stride = flsq_panels_stride(kernels, NB);
    flsq_arena arena = {0};
    double *panels = NULL;
    if (n > NB) {
        int64_t size = 0;
        flsq_status status = flsq_size_add(&size, FLSQ_CEIL_DIV(n - NB, nr) * stride, sizeof(double));
        if (status == FLSQ_OK)
            status = flsq_arena_open(&arena, size);
        if (status != FLSQ_OK)
            return status;
        panels = flsq_arena_take(&arena, FLSQ_CEIL_DIV(n - NB, nr) * stride, sizeof(double));
    }
    for (int64_t k = 0; k < n && *pivot < 0; k += NB) {
        const int64_t size = FLSQ_MIN(NB, n - k), rows = n - k - size;
        double *const diagonal = a + k * ld + k;
        const int64_t failed = kernels->cholesky_small(size, diagonal, ld);
        if (failed >= 0)
            *pivot = k + failed;
        else if (rows > 0) {
            trailing t = {.kernels = kernels, .a = diagonal + size * ld + size, .row_block = diagonal + size,
                          .r11 = diagonal, .ld = ld, .rows = rows,
                          .panels = {panels, stride, FLSQ_CEIL_DIV(rows, nr)}};
            const int serial = (double)rows * (double)rows * NB < FLSQ_THREAD_FLOPS;
            flsq_parallel_run(serial ? 1 : n_threads, trailing_body, &t);
        }
    }
    flsq_arena_close(&arena);
    return *pivot < 0 ? FLSQ_OK : FLSQ_NOT_POSITIVE_DEFINITE;
}
