/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * What the triangle of a pivoted QR says of dependent columns.  Places and columns below count behind the fixed ones.
 */
#include "dependent.h"
#include "kernels.h"
#include <math.h>
#include <string.h>

/* A place on the diagonal of R between these, relative to the first and to what counts, asks for singular values; so does an
 * estimate of the condition above the last. */
#define AMBIGUOUS_BELOW 0.3
#define AMBIGUOUS_ABOVE 1e3
#define SUSPECT_CONDITION 1e12

static int64_t width(const flsq_pivoted *f) { return f->columns - f->fixed; }
static int64_t height(const flsq_pivoted *f) { return FLSQ_MIN(f->rows - f->fixed, width(f)); }
static const double *triangle(const flsq_pivoted *f, int64_t place)
{
    return flsq_pivoted_column(f, f->fixed + place) + f->fixed;
}
static int64_t original(const flsq_pivoted *f, int64_t place) { return f->order[f->fixed + place] - f->fixed; }

/* What counts, relative to the largest. */
static double cut_of(int64_t n) { return FLSQ_MAX(8.0, sqrt((double)n)) * 2 * FLSQ_UNIT_ROUNDOFF; }

int64_t flsq_rank_of(int64_t n, const double *values)
{
    int64_t rank = 0;
    while (rank < n && values[rank] > cut_of(n) * values[0])
        rank++;
    return rank;
}

void flsq_triangle_values(const flsq_pivoted *f, double *w, double *values)
{
    const int64_t n = width(f), rows = height(f);
    memset(w, 0, (size_t)(rows * n) * sizeof(double)); /* columns of Rᵀ fall in length */
    for (int64_t place = 0; place < n; place++)
        for (int64_t i = 0; i < FLSQ_MIN(place + 1, rows); i++)
            w[i * n + place] = triangle(f, place)[i];
    flsq_jacobi(f->kernels, n, rows, w, values);
    for (int64_t i = rows; i < n; i++)
        values[i] = 0;
}

/* sqrt(‖R11ᵀR11‖ ‖(R11ᵀR11)⁻¹‖) of the leading columns */
flsq_status flsq_triangle_condition(const flsq_pivoted *f, int64_t rank, double *condition)
{
    flsq_arena arena;
    int64_t square, size = 0;
    double inverse_norm, trace = 0;
    *condition = 1;
    if (rank == 0)
        return FLSQ_OK;
    flsq_status status = flsq_size_multiply(rank, rank, &square);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, square, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    double *const r = flsq_arena_take(&arena, square, sizeof(double));
    memset(r, 0, (size_t)square * sizeof(double));
    for (int64_t j = 0; j < rank; j++)
        for (int64_t i = 0; i <= j; i++) {
            r[i * rank + j] = triangle(f, j)[i];
            trace += r[i * rank + j] * r[i * rank + j];
        }
    status = flsq_inverse_norm_estimate(f->kernels, rank, r, rank, &inverse_norm);
    *condition = sqrt(trace) * sqrt(inverse_norm);
    flsq_arena_close(&arena);
    return status;
}

static flsq_status rank_by_values(const flsq_pivoted *f, int64_t *rank, double *condition)
{
    const int64_t n = width(f);
    flsq_arena arena;
    int64_t entries, size = 0;
    flsq_status status = flsq_size_multiply(n, height(f) + 1, &entries);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, entries, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    double *const values = flsq_arena_take(&arena, entries, sizeof(double));
    flsq_triangle_values(f, values + n, values);
    *rank = flsq_rank_of(n, values);
    *condition = *rank > 0 ? values[0] / values[*rank - 1] : 1.0;
    flsq_arena_close(&arena);
    return FLSQ_OK;
}

flsq_status flsq_triangle_rank(const flsq_pivoted *f, int64_t *rank, double *condition)
{
    const double cut = cut_of(width(f));
    int clear = 1;
    *rank = 0;
    for (int64_t i = 0; i < height(f); i++) {
        const double share = fabs(triangle(f, i)[i]) / (cut * fabs(triangle(f, 0)[0]));
        clear &= share < AMBIGUOUS_BELOW || share > AMBIGUOUS_ABOVE;
        *rank += share > AMBIGUOUS_ABOVE;
    }
    const flsq_status status = flsq_triangle_condition(f, *rank, condition);
    if (status != FLSQ_OK || (clear && *condition < SUSPECT_CONDITION))
        return status;
    return rank_by_values(f, rank, condition);
}

/* Of [R11 R12] Π the columns of Πᵀ[-R11⁻¹R12; 1], made orthonormal. */
flsq_status flsq_triangle_null(const flsq_pivoted *f, int64_t rank, double *basis)
{
    const int64_t n = width(f), missing = n - rank;
    flsq_pivoted q;
    flsq_arena arena;
    int64_t size = 0;
    flsq_status status = flsq_pivoted_add_bytes(n, missing, &size);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, n, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    flsq_pivoted_open(f->kernels, n, missing, 0, &arena, &q);
    double *const z = flsq_arena_take(&arena, n, sizeof(double));
    for (int64_t i = 0; i < missing; i++) {
        memcpy(z, triangle(f, rank + i), (size_t)rank * sizeof(double));
        flsq_pivoted_solve(f, rank, z);
        memset(q.a + i * q.ld, 0, (size_t)n * sizeof(double));
        for (int64_t place = 0; place < rank; place++)
            q.a[i * q.ld + original(f, place)] = -z[place];
        q.a[i * q.ld + original(f, rank + i)] = 1;
    }
    flsq_pivoted_factor(&q);
    for (int64_t i = 0; i < missing; i++) {
        memset(z, 0, (size_t)n * sizeof(double));
        z[i] = 1;
        flsq_pivoted_expand(&q, z);
        for (int64_t j = 0; j < n; j++)
            basis[j * missing + i] = z[j];
    }
    flsq_arena_close(&arena);
    return FLSQ_OK;
}

void flsq_triangle_range(const flsq_pivoted *f, int64_t rank, double *range)
{
    const int64_t n = width(f);
    memset(range, 0, (size_t)(n * rank) * sizeof(double));
    for (int64_t i = 0; i < rank; i++) {
        memset(f->work, 0, (size_t)rank * sizeof(double));
        f->work[i] = 1;
        flsq_pivoted_solve(f, i + 1, f->work);
        for (int64_t place = 0; place <= i; place++)
            range[original(f, place) * rank + i] = f->work[place];
    }
}

/* Gram-Schmidt, twice, over columns in their own order: how many leave less than `tolerance` of their length. */
static int64_t depend(const flsq_pivoted *f, int64_t rank, double tolerance, double *basis, double *rest,
                      const int64_t *place, int8_t *dependent)
{
    const flsq_kernels *const kernels = f->kernels;
    const int64_t n = width(f);
    int64_t found = 0;
    for (int64_t j = 0; j < n; j++) {
        const int64_t used = j - found, own = FLSQ_MIN(place[j] + 1, rank);
        memset(rest, 0, (size_t)rank * sizeof(double));
        memcpy(rest, triangle(f, place[j]), (size_t)own * sizeof(double));
        const double length = sqrt(kernels->dot(rank, rest, rest));
        for (int round = 0; round < 2; round++)
            for (int64_t i = 0; i < used; i++)
                kernels->axpy(rank, -kernels->dot(rank, basis + i * rank, rest), basis + i * rank, rest);
        const double left = sqrt(kernels->dot(rank, rest, rest));
        dependent[j] = left <= tolerance * length || used == rank;
        found += dependent[j];
        for (int64_t i = 0; i < rank && !dependent[j]; i++)
            basis[used * rank + i] = rest[i] / left;
    }
    return found;
}

flsq_status flsq_triangle_dependent(const flsq_pivoted *f, int64_t rank, int8_t *dependent)
{
    static const double tolerances[] = {1e-12, 1e-13, 1e-11, 1e-14, 1e-10, 1e-9, 1e-8, 1e-6};
    const int64_t n = width(f);
    int64_t size = 0, square, found = -1;
    flsq_arena arena;
    flsq_status status = flsq_size_multiply(rank + 1, rank, &square);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, square, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, n, sizeof(int64_t));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    double *const basis = flsq_arena_take(&arena, square, sizeof(double)), *const rest = basis + rank * rank;
    int64_t *const place = flsq_arena_take(&arena, n, sizeof(int64_t));
    for (int64_t i = 0; i < n; i++)
        place[original(f, i)] = i;
    for (int i = 0; i < (int)(sizeof tolerances / sizeof tolerances[0]) && found != n - rank; i++)
        found = depend(f, rank, tolerances[i], basis, rest, place, dependent);
    for (int64_t j = 0; j < n && found > n - rank; j++) /* too many: the last of them */
        if (dependent[j]) {
            dependent[j] = 0;
            found--;
        }
    flsq_arena_close(&arena);
    return FLSQ_OK;
}
