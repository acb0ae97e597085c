/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The equilibrated normal equations H = D M D, D = 2^-round(log2 sqrt diag M): factor, its tests, solves.
 */
#include "normal.h"
#include "gram.h"
#include "symmetric.h"
#include "workspace.h"
#include <math.h>
#include <string.h>

/* Rounding alone can leave pivots of this many u*n in a singular matrix with unit diagonal (Higham, Accuracy and
 * Stability of Numerical Algorithms, 2nd ed., theorem 10.7); anything below is noise, not a pivot. */
#define PIVOT_NOISE 32.0

double flsq_smallest_squares(void) { return FLSQ_SMALLEST_SQUARES; }
double flsq_largest_squares(void) { return FLSQ_LARGEST_SQUARES; }
double flsq_pivot_noise(int64_t n) { return PIVOT_NOISE * FLSQ_UNIT_ROUNDOFF * (double)n; }

int flsq_root_exponent(double x)
{
    int e;
    frexp(x, &e);
    return (e + (e >= 0)) / 2; /* (e + 1)/2 rounded down */
}

/* Everything of f but r's memory, of the matrix a before scaling. */
static flsq_status factorize(const flsq_kernels *kernels, flsq_symmetric *a, int n_threads, flsq_factor *f,
                             flsq_verdict *verdict)
{
    const int64_t n = a->n;
    flsq_arena arena;
    int64_t size = 0, pivot = -1;
    flsq_status status = flsq_size_add(&size, n, sizeof(double));
    *verdict = FLSQ_ZERO_COLUMN;
    f->pivot = -1;
    f->n = n;
    f->norm1 = f->trace = 0;
    f->roundoff = FLSQ_UNIT_ROUNDOFF;
    f->condition = 1;
    flsq_symmetric_diagonal(a, f->scale);
    for (int64_t j = 0; j < n; j++) {
        if (!(f->scale[j] > 0))
            return FLSQ_OK;
        const double square = f->scale[j];
        f->scale[j] = ldexp(1.0, -flsq_root_exponent(square));
        f->trace += square * f->scale[j] * f->scale[j];
    }
    a->scale = f->scale;
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    double *const sums = flsq_arena_take(&arena, n, sizeof(double));
    *verdict = FLSQ_PIVOT_FAILED;
    status = flsq_cholesky_of(kernels, a, n_threads, f->r, n, sums, &pivot);
    f->pivot = pivot;
    for (int64_t j = 0; status == FLSQ_OK && j < n; j++)
        f->norm1 = FLSQ_MAX(f->norm1, sums[j]);
    flsq_arena_close(&arena);
    if (status == FLSQ_NOT_POSITIVE_DEFINITE)
        return FLSQ_OK;
    if (status != FLSQ_OK)
        return status;
    double smallest = INFINITY;
    for (int64_t j = 0; j < n; j++)
        smallest = FLSQ_MIN(smallest, f->r[j * n + j]);
    *verdict = FLSQ_PIVOT_IN_NOISE;
    if (n > 0 && smallest * smallest <= flsq_pivot_noise(n))
        return FLSQ_OK;
    double inverse_norm;
    status = flsq_inverse_norm_estimate(kernels, n, f->r, n, &inverse_norm);
    if (n > 0)
        f->condition = f->norm1 * inverse_norm;
    *verdict = f->condition <= FLSQ_LARGEST_CONDITION ? FLSQ_CERTIFIED : FLSQ_ILL_CONDITIONED;
    return status;
}

flsq_status flsq_factorize(const flsq_kernels *kernels, int64_t n, const double *m, int64_t ldm, int n_threads,
                           flsq_factor *f, flsq_verdict *verdict)
{
    flsq_symmetric a = {.n = n, .m = m, .ldm = ldm};
    return factorize(kernels, &a, n_threads, f, verdict);
}

flsq_status flsq_factorize_gram(const flsq_gram *gram, int n_threads, flsq_factor *f, flsq_verdict *verdict)
{
    flsq_symmetric a = {.n = gram->p, .gram = gram};
    return factorize(gram->kernels, &a, n_threads, f, verdict);
}

static int64_t column(const flsq_factor *f, int64_t i) { return f->active != NULL ? f->active[i] : i; }

/* norm_t := sqrt(sum_i a_it²) */
static void column_norms(int64_t n, int64_t k, const double *a, double *norm)
{
    memset(norm, 0, (size_t)k * sizeof(double));
    for (int64_t i = 0; i < n; i++)
        for (int64_t t = 0; t < k; t++)
            norm[t] += a[i * k + t] * a[i * k + t];
    for (int64_t t = 0; t < k; t++)
        norm[t] = sqrt(norm[t]);
}

/* y := T x or Tᵀx for T upper triangular, n x k */
static void transform(int64_t n, int64_t k, const double *t, int transposed, const double *x, double *y)
{
    memset(y, 0, (size_t)(n * k) * sizeof(double));
    for (int64_t i = 0; i < n; i++)
        for (int64_t j = i; j < n; j++) {
            const int64_t to = transposed ? j : i, from = transposed ? i : j;
            for (int64_t l = 0; l < k; l++)
                y[to * k + l] += t[i * n + j] * x[from * k + l];
        }
}

/* Rows of step that no factorized column has; `active` rises. */
static void clear_inactive(const flsq_factor *f, int64_t p, int64_t k, double *step)
{
    int64_t i = 0;
    for (int64_t j = 0; j < p && f->n < p; j++)
        if (i < f->n && column(f, i) == j)
            i++;
        else
            memset(step + j * k, 0, (size_t)k * sizeof(double));
}

/* step := T R⁻¹R⁻ᵀ work for the factorized columns and 0 for the others, half_t := ‖R⁻ᵀ work_t‖. */
static void solve_transformed(const flsq_kernels *kernels, const flsq_factor *f, int64_t p, int64_t k, double *step,
                              double *half, double *work)
{
    const int64_t n = f->n;
    flsq_triangular_solve_transposed(kernels, n, f->r, n, k, work);
    column_norms(n, k, work, half);
    flsq_triangular_solve(kernels, n, f->r, n, k, work);
    transform(n, k, f->transform, 0, work, step);
    for (int64_t i = n - 1; i >= 0 && f->active != NULL; i--) /* to their places, none of which lies before */
        for (int64_t t = 0; t < k; t++)
            step[column(f, i) * k + t] = step[i * k + t];
    clear_inactive(f, p, k, step);
}

/* rows := those of g (ldg numbers apart) that belong to factorized columns */
static void gather_rows(const flsq_factor *f, int64_t k, const double *g, int64_t ldg, double *rows)
{
    for (int64_t i = 0; i < f->n; i++)
        for (int64_t t = 0; t < k; t++)
            rows[i * k + t] = g[column(f, i) * ldg + t];
}

void flsq_factor_start(const flsq_kernels *kernels, const flsq_factor *f, int64_t p, int64_t k, const double *c,
                       int64_t ldc, double *b, double *whole, double *half, double *work)
{
    if (f->transform == NULL) {
        flsq_factor_solve(kernels, f, p, k, c, ldc, b, whole, half, work);
        return;
    }
    gather_rows(f, k, c, ldc, work);
    solve_transformed(kernels, f, p, k, b, half, work);
}

void flsq_factor_solve(const flsq_kernels *kernels, const flsq_factor *f, int64_t p, int64_t k, const double *g,
                       int64_t ldg, double *step, double *whole, double *half, double *work)
{
    if (f->transform != NULL) {
        gather_rows(f, k, g, ldg, step);
        for (int64_t i = 0; i < f->n; i++)
            for (int64_t t = 0; t < k; t++)
                work[i * k + t] = step[i * k + t] * f->scale[i];
        column_norms(f->n, k, work, whole);
        transform(f->n, k, f->transform, 1, step, work);
        solve_transformed(kernels, f, p, k, step, half, work);
        return;
    }
    for (int64_t i = 0; i < f->n; i++)
        for (int64_t t = 0; t < k; t++)
            work[i * k + t] = g[column(f, i) * ldg + t] * f->scale[i];
    column_norms(f->n, k, work, whole);
    flsq_triangular_solve_transposed(kernels, f->n, f->r, f->n, k, work);
    column_norms(f->n, k, work, half);
    flsq_triangular_solve(kernels, f->n, f->r, f->n, k, work);
    if (f->n < p)
        memset(step, 0, (size_t)(p * k) * sizeof(double));
    for (int64_t i = 0; i < f->n; i++)
        for (int64_t t = 0; t < k; t++)
            step[column(f, i) * k + t] = work[i * k + t] * f->scale[i];
}

void flsq_factor_norm(const flsq_factor *f, int64_t k, const double *b, double *norm)
{
    memset(norm, 0, (size_t)k * sizeof(double));
    for (int64_t i = 0; i < f->n; i++)
        for (int64_t t = 0; t < k; t++) {
            const double scaled = b[column(f, i) * k + t] / f->scale[i];
            norm[t] += scaled * scaled;
        }
    for (int64_t t = 0; t < k; t++)
        norm[t] = sqrt(norm[t]);
}

flsq_status flsq_factor_apply(const flsq_kernels *kernels, const flsq_factor *f, int64_t p, int64_t k, const double *g,
                              double *step)
{
    int64_t size = 0, entries;
    flsq_arena arena;
    flsq_status status = flsq_size_multiply(f->n + 2, k, &entries);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, entries, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    double *const norms = flsq_arena_take(&arena, entries, sizeof(double));
    flsq_factor_solve(kernels, f, p, k, g, k, step, norms, norms + k, norms + 2 * k);
    flsq_arena_close(&arena);
    return FLSQ_OK;
}
