/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Solves with the Cholesky factor R (upper, row-major), the condition estimate and the inverse.  All loops run along
 * rows of R and of the right-hand sides.
 */
#include "kernels.h"
#include "workspace.h"
#include <math.h>
#include <string.h>

/* Rᵀx = b, x over b:  x_l = b_l / R_ll, then b_i -= R_li x_l for i > l. */
void flsq_triangular_solve_transposed(const flsq_kernels *kernels, int64_t n, const double *r, int64_t ld, int64_t k,
                                      double *x)
{
    for (int64_t l = 0; l < n; l++) {
        const double *const row = r + l * ld;
        for (int64_t t = 0; t < k; t++)
            x[l * k + t] /= row[l];
        if (k == 1)
            kernels->axpy(n - l - 1, -x[l], row + l + 1, x + l + 1);
        else
            for (int64_t i = l + 1; i < n; i++)
                kernels->axpy(k, -row[i], x + l * k, x + i * k);
    }
}

/* Rx = b, x over b:  x_i = (b_i - sum_{j > i} R_ij x_j) / R_ii. */
void flsq_triangular_solve(const flsq_kernels *kernels, int64_t n, const double *r, int64_t ld, int64_t k, double *x)
{
    for (int64_t i = n - 1; i >= 0; i--) {
        const double *const row = r + i * ld;
        if (k == 1)
            x[i] -= kernels->dot(n - i - 1, row + i + 1, x + i + 1);
        else
            for (int64_t j = i + 1; j < n; j++)
                kernels->axpy(k, -row[j], x + j * k, x + i * k);
        for (int64_t t = 0; t < k; t++)
            x[i * k + t] /= row[i];
    }
}

static double norm1(int64_t n, const double *x)
{
    double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += fabs(x[i]);
    return sum;
}

/* Hager's estimate of ‖B‖₁, B = (RᵀR)⁻¹, with Higham's safeguards (Higham, Accuracy and Stability of Numerical
 * Algorithms, 2nd ed., algorithm 15.4): maximise the convex ‖Bx‖₁ over the unit 1-norm ball by moving to the vertex
 * e_j that the subgradient B sign(Bx) points to, at most five times; and never report less than an alternating
 * vector gives. */
flsq_status flsq_inverse_norm_estimate(const flsq_kernels *kernels, int64_t n, const double *r, int64_t ld,
                                       double *norm)
{
    *norm = 0;
    if (n == 0)
        return FLSQ_OK;
    int64_t size = 0;
    flsq_arena arena;
    flsq_status status = flsq_size_add(&size, 2 * n, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    double *const x = flsq_arena_take(&arena, 2 * n, sizeof(double)), *const sign = x + n;
    for (int64_t i = 0; i < n; i++) {
        x[i] = 1.0 / (double)n;
        sign[i] = 0;
    }
    int64_t vertex = -1;
    for (int step = 0; step < 5; step++) {
        flsq_triangular_solve_transposed(kernels, n, r, ld, 1, x);
        flsq_triangular_solve(kernels, n, r, ld, 1, x);
        const double reached = norm1(n, x);
        if (step > 0 && reached <= *norm)
            break;
        *norm = reached;
        int changed = 0;
        for (int64_t i = 0; i < n; i++) {
            const double s = x[i] >= 0 ? 1.0 : -1.0;
            changed |= s != sign[i];
            x[i] = sign[i] = s;
        }
        if (!changed)
            break;
        flsq_triangular_solve_transposed(kernels, n, r, ld, 1, x);
        flsq_triangular_solve(kernels, n, r, ld, 1, x);
        int64_t best = 0;
        for (int64_t i = 1; i < n; i++)
            if (fabs(x[i]) > fabs(x[best]))
                best = i;
        if (best == vertex)
            break;
        vertex = best;
        memset(x, 0, (size_t)n * sizeof(double));
        x[best] = 1.0;
    }
    for (int64_t i = 0; i < n; i++)
        x[i] = (i % 2 ? -1.0 : 1.0) * (1.0 + (n > 1 ? (double)i / (double)(n - 1) : 0.0));
    flsq_triangular_solve_transposed(kernels, n, r, ld, 1, x);
    flsq_triangular_solve(kernels, n, r, ld, 1, x);
    *norm = FLSQ_MAX(*norm, 2.0 * norm1(n, x) / (3.0 * (double)n));
    flsq_arena_close(&arena);
    return FLSQ_OK;
}

void flsq_triangular_product(const flsq_kernels *kernels, int64_t n, const double *a, const double *b, double *product)
{
    memset(product, 0, (size_t)(n * n) * sizeof(double));
    for (int64_t i = 0; i < n; i++)
        for (int64_t l = i; l < n; l++)
            kernels->axpy(n - l, a[i * n + l], b + l * (n + 1), product + i * n + l);
}

void flsq_cholesky_inverse(const flsq_kernels *kernels, int64_t n, const double *r, int64_t ld, double *inverse)
{
    memset(inverse, 0, (size_t)(n * n) * sizeof(double));
    for (int64_t i = 0; i < n; i++)
        inverse[i * n + i] = 1.0;
    flsq_triangular_solve_transposed(kernels, n, r, ld, n, inverse);
    flsq_triangular_solve(kernels, n, r, ld, n, inverse);
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = 0; j < i; j++)
            inverse[i * n + j] = inverse[j * n + i] = 0.5 * (inverse[i * n + j] + inverse[j * n + i]);
}
