/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The definitions of fastlsq.h written out: one loop over rows, nothing packed, blocked or split.
 */
#include "oracle.h"
#include "pack.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static uint64_t state;

void oracle_seed(uint64_t seed) { state = seed; }

/* SplitMix64 (Steele, Lea & Flood 2014). */
uint64_t oracle_bits(void)
{
    uint64_t x = state += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

double oracle_integer(int low, int high) { return low + (int)(oracle_bits() % (uint64_t)(high - low + 1)); }
double oracle_real(void) { return (double)(oracle_bits() >> 11) * 0x1p-52 - 1.0; }

double *oracle_doubles(int64_t count)
{
    double *const values = calloc((size_t)(count > 0 ? count : 1), sizeof(double));
    if (values == NULL)
        abort();
    return values;
}

double *oracle_reals(int64_t count)
{
    double *const values = oracle_doubles(count);
    for (int64_t i = 0; i < count; i++)
        values[i] = oracle_real();
    return values;
}

double *oracle_integers(int64_t count, int low, int high)
{
    double *const values = oracle_doubles(count);
    for (int64_t i = 0; i < count; i++)
        values[i] = oracle_integer(low, high);
    return values;
}

double *oracle_copy(const double *values, int64_t count)
{
    double *const copy = oracle_doubles(count);
    return memcpy(copy, values, (size_t)count * sizeof(double));
}

int64_t first_difference(int64_t count, const double *a, const double *b)
{
    for (int64_t i = 0; i < count; i++)
        if (!(a[i] == b[i]))
            return i;
    return -1;
}

int same_bits(int64_t count, const double *a, const double *b)
{
    return memcmp(a, b, (size_t)count * sizeof(double)) == 0;
}

/* ---- problems -------------------------------------------------------------------------------------------------- */

static void enter(problem *a)
{
    a->z = oracle_doubles(a->n * a->width);
    a->weight = oracle_doubles(a->n);
    for (int64_t i = 0; i < a->n; i++) {
        a->weight[i] = a->w.memory != NULL ? a->w.value[i] : 1.0;
        for (int64_t c = 0; c < a->width; c++) {
            const int is_unit = a->unit && c == a->p;
            const double raw = c < a->p ? a->x.value[i * a->p + c] : is_unit ? 1 : a->y.value[i * a->k + c - a->lead];
            const double scaled = a->scale != NULL && !is_unit ? raw * a->scale[c] - a->offset[c] : raw;
            a->z[i * a->width + c] = scaled;
        }
    }
}

problem problem_make(flsq_dtype dtype, layout form, int64_t n, int64_t p, int64_t k, int flags, filling fill)
{
    const int unit = (flags & UNIT) != 0;
    problem a = {.n = n, .p = p, .k = k, .lead = p + unit, .width = p + unit + k, .unit = unit};
    a.x = array_make(dtype, form, n, p, fill, 0);
    a.y = array_make(dtype, form, n, k, fill, 0);
    if (flags & WEIGHTED) {
        a.w = array_make(dtype, form, n, 1, fill, 0);
        for (int64_t i = 0; i < n; i++)
            element_write(dtype, (char *)a.w.view.data + i * a.w.view.row_stride,
                          fill == REALS ? fabs(oracle_real()) : oracle_integer(0, 5));
        for (int64_t i = 0; i < n; i++) /* after all writes: rows of zero stride share one element */
            a.w.value[i] = element_read(dtype, (const char *)a.w.view.data + i * a.w.view.row_stride);
    }
    if (flags & AFFINE) {
        a.scale = oracle_doubles(a.width);
        a.offset = oracle_doubles(a.width);
        for (int64_t c = 0; c < a.width; c++) { /* the unit column gets values too, which must have no effect */
            a.scale[c] = ldexp(1.0, (int)oracle_integer(-1, 2));
            a.offset[c] = fill == REALS ? oracle_real() : oracle_integer(-3, 3);
        }
    }
    enter(&a);
    return a;
}

problem problem_like(const problem *a, layout form)
{
    problem b = *a;
    b.x = array_like(&a->x, form);
    b.y = array_like(&a->y, form);
    if (a->w.memory != NULL)
        b.w = array_like(&a->w, form);
    b.scale = a->scale != NULL ? oracle_copy(a->scale, a->width) : NULL;
    b.offset = a->offset != NULL ? oracle_copy(a->offset, a->width) : NULL;
    enter(&b);
    return b;
}

flsq_rows problem_rows(const problem *a, int64_t first, int64_t count)
{
    flsq_rows rows = {.x = flsq_matrix_rows(&a->x.view, first, count),
                      .y = flsq_matrix_rows(&a->y.view, first, count),
                      .scale = a->scale, .offset = a->offset, .unit = a->unit};
    if (a->w.memory != NULL)
        rows.weights = flsq_matrix_rows(&a->w.view, first, count);
    return rows;
}

void problem_free(problem *a)
{
    array_free(&a->x);
    array_free(&a->y);
    array_free(&a->w);
    free(a->scale);
    free(a->offset);
    free(a->z);
    free(a->weight);
}

/* ---- answers --------------------------------------------------------------------------------------------------- */

void oracle_gram(const problem *a, double *zz, double *yy)
{
    memset(zz, 0, (size_t)(a->lead * a->width) * sizeof(double));
    memset(yy, 0, (size_t)a->k * sizeof(double));
    for (int64_t row = 0; row < a->n; row++) {
        const double *const z = a->z + row * a->width;
        for (int64_t i = 0; i < a->lead; i++) {
            const double left = a->weight[row] * z[i];
            for (int64_t j = 0; j < a->width; j++)
                zz[i * a->width + j] += left * z[j];
        }
        for (int64_t t = 0; t < a->k; t++)
            yy[t] += a->weight[row] * z[a->lead + t] * z[a->lead + t];
    }
}

long double oracle_gram_entry(const problem *a, int64_t i, int64_t j, long double *magnitude)
{
    long double sum = 0;
    *magnitude = 0;
    for (int64_t row = 0; row < a->n; row++) {
        const double *const z = a->z + row * a->width;
        const long double term = (long double)a->weight[row] * z[i] * z[j];
        sum += term;
        *magnitude += fabsl(term);
    }
    return sum;
}

void oracle_residual(const problem *a, const double *b, double *g, double *rss, double *r)
{
    memset(g, 0, (size_t)(a->lead * a->k) * sizeof(double));
    memset(rss, 0, (size_t)a->k * sizeof(double));
    for (int64_t row = 0; row < a->n; row++) {
        const double *const z = a->z + row * a->width;
        for (int64_t t = 0; t < a->k; t++) {
            double left = z[a->lead + t];
            for (int64_t j = 0; j < a->lead; j++)
                left -= z[j] * b[j * a->k + t];
            r[row * a->k + t] = left;
            rss[t] += a->weight[row] * left * left;
            for (int64_t j = 0; j < a->lead; j++)
                g[j * a->k + t] += z[j] * a->weight[row] * left;
        }
    }
}
