/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Columns that may depend on each other, from two passes (fastlsq/solve/precondition.py): G = (X T)ᵀX T and T⁻¹ = R₁ D⁻¹, of
 * which G holds what the first moments have lost.
 *
 *     G ~ r₂ᵀr₂ by Cholesky with pivoting, r₂ q x n;   X T = Q₂ r₂;   X D = Q₂ (r₂ R₁);   r₂ R₁ = Q R Π by pivoted QR
 *
 * R₁ itself, not a solve with its inverse: where columns depend on each other the inverse has lost half of the digits, but R₁
 * makes little of what belongs to these.  G is not scaled first: what rounding leaves of dependent columns must stay as small
 * as it is.
 */
#include "dependent.h"
#include "kernels.h"
#include "normal.h"
#include "workspace.h"
#include <math.h>
#include <string.h>

struct flsq_truncated {
    flsq_arena arena;
    const flsq_kernels *kernels;
    int64_t n, rank, steps; /* steps: q */
    double *r2;             /* n x n, q rows of it in use, by columns of X T */
    int64_t *pivot;         /* n: the column of X T that step i has taken */
    flsq_pivoted f;         /* of r₂ R₁, q x n */
    double condition;
    double *work;           /* n */
};

/* Steps q of r₂ᵀr₂ = G with the largest pivot left, g destroyed. */
static int64_t factorize(flsq_truncated *t, double *g)
{
    const int64_t n = t->n;
    const double *const diagonal = g;
    double largest = 0;
    for (int64_t i = 0; i < n; i++)
        t->pivot[i] = i;
    for (int64_t step = 0; step < n; step++) {
        int64_t best = step;
        for (int64_t i = step + 1; i < n; i++)
            if (diagonal[t->pivot[i] * (n + 1)] > diagonal[t->pivot[best] * (n + 1)])
                best = i;
        const int64_t column = t->pivot[best];
        t->pivot[best] = t->pivot[step];
        t->pivot[step] = column;
        const double square = diagonal[column * (n + 1)];
        if (step == 0)
            largest = square;
        if (!(square > FLSQ_UNIT_ROUNDOFF * largest)) /* rounding is welcome: R₁ makes nothing of it, nor of what it hides */
            return step;
        double *const row = t->r2 + step * n;
        memset(row, 0, (size_t)n * sizeof(double));
        for (int64_t i = step; i < n; i++)
            row[t->pivot[i]] = g[column * n + t->pivot[i]] / sqrt(square);
        for (int64_t i = step + 1; i < n; i++)
            t->kernels->axpy(n, -row[t->pivot[i]], row, g + t->pivot[i] * n);
    }
    return n;
}

/* The columns of r₂ R₁ */
static void multiply(flsq_truncated *t, const double *triangle)
{
    const int64_t n = t->n;
    for (int64_t i = 0; i < t->steps; i++) {
        memset(t->work, 0, (size_t)n * sizeof(double));
        for (int64_t l = 0; l < n; l++)
            t->kernels->axpy(n - l, t->r2[i * n + l], triangle + l * (n + 1), t->work + l);
        for (int64_t j = 0; j < n; j++)
            t->f.a[j * t->f.ld + i] = t->work[j];
    }
}

flsq_status flsq_truncated_create(const flsq_kernels *kernels, int64_t n, const double *moments, const double *triangle,
                                  flsq_truncated **truncated)
{
    int64_t square, size = 0;
    *truncated = NULL;
    flsq_status status = flsq_size_multiply(n, n, &square);
    for (int i = 0; i < 2 && status == FLSQ_OK; i++)
        status = flsq_size_add(&size, square, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, n, sizeof(double) + sizeof(int64_t));
    if (status == FLSQ_OK)
        status = flsq_pivoted_add_bytes(n, n, &size);
    flsq_truncated *const t = status == FLSQ_OK ? flsq_allocate(sizeof *t) : NULL;
    if (status == FLSQ_OK && t == NULL)
        status = FLSQ_NO_MEMORY;
    if (status == FLSQ_OK) {
        flsq_arena_none(&t->arena);
        status = flsq_arena_open(&t->arena, size);
    }
    if (status != FLSQ_OK) {
        flsq_release(t);
        return status;
    }
    t->kernels = kernels;
    t->n = n;
    t->r2 = flsq_arena_take(&t->arena, square, sizeof(double));
    double *const g = flsq_arena_take(&t->arena, square, sizeof(double));
    t->work = flsq_arena_take(&t->arena, n, sizeof(double) + sizeof(int64_t));
    t->pivot = (int64_t *)(t->work + n);
    memcpy(g, moments, (size_t)square * sizeof(double));
    t->steps = factorize(t, g);
    flsq_pivoted_open(kernels, t->steps, n, 0, &t->arena, &t->f);
    t->f.as_is = 1;
    multiply(t, triangle);
    flsq_pivoted_factor(&t->f);
    status = flsq_triangle_rank(&t->f, &t->rank, &t->condition);
    if (status != FLSQ_OK)
        flsq_truncated_destroy(t);
    else
        *truncated = t;
    return status;
}

void flsq_truncated_destroy(flsq_truncated *t)
{
    if (t == NULL)
        return;
    flsq_arena_close(&t->arena);
    flsq_release(t);
}

int64_t flsq_truncated_rank(const flsq_truncated *t) { return t->rank; }
double flsq_truncated_condition(const flsq_truncated *t) { return t->condition; }

flsq_status flsq_truncated_cut(flsq_truncated *t, int64_t rank)
{
    t->rank = FLSQ_MIN(rank, FLSQ_MIN(t->f.rows, t->n));
    return flsq_triangle_condition(&t->f, t->rank, &t->condition);
}

flsq_status flsq_truncated_null(const flsq_truncated *t, double *basis) { return flsq_triangle_null(&t->f, t->rank, basis); }

flsq_status flsq_truncated_dependent(const flsq_truncated *t, int8_t *dependent)
{
    return flsq_triangle_dependent(&t->f, t->rank, dependent);
}

/* r₂⁻ᵀh for the columns that the steps have taken */
static void to_range(const flsq_truncated *t, int64_t k, const double *h, int64_t target, double *c)
{
    for (int64_t i = 0; i < t->steps; i++) {
        double sum = h[t->pivot[i] * k + target];
        for (int64_t l = 0; l < i; l++)
            sum -= t->r2[l * t->n + t->pivot[i]] * c[l];
        c[i] = sum / t->r2[i * t->n + t->pivot[i]];
    }
}

void flsq_truncated_solve(flsq_truncated *t, int64_t k, const double *h, double *z)
{
    memset(z, 0, (size_t)(t->n * k) * sizeof(double));
    for (int64_t target = 0; target < k; target++) {
        to_range(t, k, h, target, t->work);
        flsq_pivoted_project(&t->f, t->work);
        flsq_pivoted_solve(&t->f, t->rank, t->work);
        for (int64_t place = 0; place < t->rank; place++)
            z[t->f.order[place] * k + target] = t->work[place];
    }
}

void flsq_truncated_norms(flsq_truncated *t, int64_t k, const double *g, double *norm)
{
    for (int64_t target = 0; target < k; target++) {
        for (int64_t place = 0; place < t->rank; place++)
            t->work[place] = g[t->f.order[place] * k + target];
        flsq_pivoted_solve_transposed(&t->f, t->rank, t->work);
        norm[target] = sqrt(t->kernels->dot(t->rank, t->work, t->work));
    }
}

void flsq_truncated_range(const flsq_truncated *t, double *range) { flsq_triangle_range(&t->f, t->rank, range); }
