/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * ‖(RᵀR + ω²I)^-½ g‖ = ‖L⁻ᵀg‖, L the triangle of [R; ω I]: not by RᵀR + ω²I, which loses what is small.  Of the lower block
 * only an upper triangle ever fills, so that column j is reflected over j + 2 entries: 2/3 n³ flops.
 */
#include "damped.h"
#include "kernels.h"
#include "normal.h"
#include "workspace.h"
#include <math.h>
#include <string.h>

double flsq_length(const flsq_kernels *kernels, int64_t n, const double *x)
{
    const double square = kernels->dot(n, x, x);
    if (flsq_squares_in_range(square))
        return sqrt(square);
    double peak = 0, sum = 0;
    for (int64_t i = 0; i < n; i++)
        peak = FLSQ_MAX(peak, fabs(x[i]));
    for (int64_t i = 0; i < n && peak > 0; i++)
        sum += x[i] / peak * (x[i] / peak);
    return peak * sqrt(sum);
}

/* Columns of both blocks lie one after the other: upper[j*n + i] = R_ij, lower likewise, ω on its diagonal. */
static void reflect(const flsq_kernels *kernels, int64_t n, double *upper, double *lower)
{
    for (int64_t j = 0; j < n; j++) {
        double *const v = lower + j * n, head = upper[j * n + j];
        const double length = sqrt(head * head + kernels->dot(j + 1, v, v));
        if (!(length > 0))
            continue;
        const double r = head < 0 ? length : -length, tau = (r - head) / r;
        for (int64_t i = 0; i <= j; i++)
            v[i] /= head - r;
        upper[j * n + j] = r;
        for (int64_t k = j + 1; k < n; k++) {
            const double part = tau * (upper[k * n + j] + kernels->dot(j + 1, v, lower + k * n));
            upper[k * n + j] -= part;
            kernels->axpy(j + 1, -part, v, lower + k * n);
        }
    }
}

flsq_status flsq_damped_norm(const flsq_kernels *kernels, int64_t n, const double *r, int64_t ld, double omega,
                             const double *g, double *norm)
{
    flsq_arena arena;
    int64_t square, size = 0;
    flsq_status status = flsq_size_multiply(n, n, &square);
    for (int i = 0; i < 2 && status == FLSQ_OK; i++)
        status = flsq_size_add(&size, square, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, n, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    double *const upper = flsq_arena_take(&arena, square, sizeof(double));
    double *const lower = flsq_arena_take(&arena, square, sizeof(double));
    double *const x = flsq_arena_take(&arena, n, sizeof(double));
    memset(lower, 0, (size_t)square * sizeof(double));
    for (int64_t j = 0; j < n; j++) {
        for (int64_t i = 0; i <= j; i++)
            upper[j * n + i] = r[i * ld + j];
        lower[j * n + j] = omega;
    }
    reflect(kernels, n, upper, lower);
    for (int64_t j = 0; j < n; j++)
        x[j] = (g[j] - kernels->dot(j, upper + j * n, x)) / upper[j * n + j];
    *norm = flsq_length(kernels, n, x);
    flsq_arena_close(&arena);
    return FLSQ_OK;
}
