/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Dependent columns: from some solution to the shortest one in the user's units.
 */
#include "damped.h"
#include "orthogonal.h"
#include <math.h>
#include <string.h>

/* Entries of an orthonormal basis of the null space below this many u*p are no part of a dependence. */
#define NO_PART 16.0
/* A move leaves u of what a column had; where its unit is far from the others' that may still be too long. */
enum { MOST_MOVES = 24 };
/* The last one was shorter than this part of the rest. */
#define SETTLED (16 * FLSQ_UNIT_ROUNDOFF)

/* The null space N of X D in the user's units, U D N = Q R; units of U D at most 1. */
typedef struct null_space {
    flsq_pivoted f;
    double *units, *c; /* columns each */
    double least;      /* entries of N that count are larger */
} null_space;

static double entry(const flsq_qr *s, const null_space *space, int64_t j, int64_t i)
{
    const double value = s->out->null[j * (s->columns - s->out->rank) + i];
    return fabs(value) > space->least ? value : 0;
}

/* e of U D for a column in use */
static int exponent(const flsq_qr *s, int64_t j)
{
    int own = 0;
    if (s->rows->scale != NULL)
        frexp(s->rows->scale[flsq_qr_column(s, j)], &own);
    return own - (int)flsq_qr_exponent(s, j);
}

static flsq_status open_space(const flsq_qr *s, flsq_arena *arena, null_space *space)
{
    const int64_t n = s->columns, missing = n - s->out->rank;
    int64_t size = 0;
    flsq_status status = flsq_pivoted_add_bytes(n, missing, &size);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, n, 2 * sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(arena, size);
    if (status != FLSQ_OK)
        return status;
    flsq_pivoted_open(s->kernels, n, missing, 0, arena, &space->f);
    space->units = flsq_arena_take(arena, n, 2 * sizeof(double));
    space->c = space->units + n;
    space->least = NO_PART * FLSQ_UNIT_ROUNDOFF * (double)n;
    return FLSQ_OK;
}

/* Whether there is a way to go: not where units are too far apart for their product. */
static int factor_space(const flsq_qr *s, null_space *space)
{
    const int64_t n = s->columns, missing = n - s->out->rank;
    int top = INT32_MIN, whole;
    for (int64_t j = 0; j < n; j++)
        for (int64_t i = 0; i < missing; i++)
            if (entry(s, space, j, i) != 0)
                top = FLSQ_MAX(top, exponent(s, j));
    for (int64_t j = 0; j < n; j++) {
        space->units[j] = top == INT32_MIN ? 0 : ldexp(1.0, FLSQ_MAX(exponent(s, j) - top, -1100));
        for (int64_t i = 0; i < missing; i++)
            space->f.a[i * space->f.ld + j] = entry(s, space, j, i) * space->units[j];
    }
    whole = flsq_pivoted_factor(&space->f);
    for (int64_t i = 0; i < missing; i++)
        whole = whole && flsq_pivoted_column(&space->f, i)[i] != 0;
    return whole;
}

/* One move of target t to where U b is shortest: min ‖U D (z + N c)‖.  Whether it was a long one. */
static int move(flsq_qr *s, null_space *space, int64_t t, double *b)
{
    const int64_t n = s->columns, missing = n - s->out->rank;
    double *const c = space->c;
    for (int64_t j = 0; j < n; j++)
        c[j] = b[flsq_qr_column(s, j) * s->k + t] / s->out->factor.scale[j] * space->units[j];
    flsq_pivoted_project(&space->f, c);
    const double way = flsq_length(s->kernels, missing, c), left = flsq_length(s->kernels, n - missing, c + missing);
    flsq_pivoted_solve(&space->f, missing, c);
    memset(s->z, 0, (size_t)n * sizeof(double));
    for (int64_t place = 0; place < missing; place++) {
        const int64_t i = space->f.order[place];
        const double part = ldexp(c[place], -(int)space->f.exponent[i]);
        for (int64_t j = 0; j < n; j++)
            s->z[j] -= entry(s, space, j, i) * part;
    }
    flsq_qr_add(s, 0, t, b);
    return way > SETTLED * left;
}

flsq_status flsq_qr_shorten(flsq_qr *s, double *b)
{
    null_space space;
    flsq_arena arena;
    const flsq_status status = open_space(s, &arena, &space);
    if (status != FLSQ_OK)
        return status;
    const int whole = factor_space(s, &space);
    for (int64_t t = 0; whole && t < s->k; t++)
        for (int moves = 0; moves < MOST_MOVES && move(s, &space, t, b); moves++) {
        }
    flsq_arena_close(&arena);
    return FLSQ_OK;
}
