/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Dependent columns: from some solution to the shortest one in the user's units.
 */
#include "orthogonal.h"
#include <math.h>
#include <string.h>

/* Entries of an orthonormal basis of the null space below this many u*p are no part of a dependence. */
#define NO_PART 16.0
/* Units below this part of the largest are not divided by. */
#define SMALLEST_UNIT 0x1p-900

/* The null space N of X D in the user's units, U D N = Q R; units of U D at most 1. */
typedef struct null_space {
    flsq_pivoted f;
    double *units, *c; /* columns; twice as many */
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
        status = flsq_size_add(&size, n, 3 * sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(arena, size);
    if (status != FLSQ_OK)
        return status;
    flsq_pivoted_open(s->kernels, n, missing, 0, arena, &space->f);
    space->f.pivots_rows = 1;
    space->units = flsq_arena_take(arena, n, 3 * sizeof(double));
    space->c = space->units + n;
    space->least = NO_PART * FLSQ_UNIT_ROUNDOFF * (double)n;
    return FLSQ_OK;
}

static int is_involved(const flsq_qr *s, const null_space *space, int64_t j)
{
    for (int64_t i = 0; i < s->columns - s->out->rank; i++)
        if (entry(s, space, j, i) != 0)
            return 1;
    return 0;
}

/* Whether there is a way to go: not where units are too far apart for their product. */
static int factor_space(const flsq_qr *s, null_space *space)
{
    const int64_t n = s->columns, missing = n - s->out->rank;
    int top = INT32_MIN, whole;
    for (int64_t j = 0; j < n; j++)
        if (is_involved(s, space, j))
            top = FLSQ_MAX(top, exponent(s, j));
    for (int64_t j = 0; j < n; j++) { /* columns without a part in N stay as they are: all of their row is 0 */
        const int involved = is_involved(s, space, j);
        space->units[j] = involved ? ldexp(1.0, FLSQ_MAX(exponent(s, j) - top, -1100)) : 1.0;
        for (int64_t i = 0; i < missing; i++)
            space->f.a[i * space->f.ld + j] = involved ? entry(s, space, j, i) * space->units[j] : 0;
    }
    whole = flsq_pivoted_factor(&space->f);
    for (int64_t i = 0; i < missing; i++)
        whole = whole && flsq_pivoted_column(&space->f, i)[i] != 0;
    return whole;
}

/* Target t to where U b is shortest: U D z becomes its own part outside the range of U D N, the residual of
 * min ‖U D (z + N c)‖, which QR with sorted rows has row by row, so that a column whose unit is far above the others' keeps
 * what it should, not u of what it had.  Units too small for that take their part of N c. */
static void move(flsq_qr *s, null_space *space, int64_t t, double *b)
{
    const int64_t n = s->columns, missing = n - s->out->rank;
    double *const c = space->c, *const rest = c + n;
    for (int64_t j = 0; j < n; j++)
        c[j] = b[flsq_qr_column(s, j) * s->k + t] / s->out->factor.scale[j] * space->units[j];
    flsq_pivoted_project(&space->f, c);
    memcpy(rest, c, (size_t)n * sizeof(double));
    memset(rest, 0, (size_t)missing * sizeof(double));
    flsq_pivoted_expand(&space->f, rest);
    flsq_pivoted_solve(&space->f, missing, c);
    for (int64_t j = 0; j < n; j++) {
        double *const slope = &b[flsq_qr_column(s, j) * s->k + t];
        const double before = *slope / s->out->factor.scale[j];
        double after = before;
        if (space->units[j] >= SMALLEST_UNIT)
            after = rest[j] / space->units[j];
        for (int64_t place = 0; place < missing && space->units[j] < SMALLEST_UNIT; place++) {
            const int64_t i = space->f.order[place];
            after -= entry(s, space, j, i) * ldexp(c[place], -(int)space->f.exponent[i]);
        }
        *slope = after * s->out->factor.scale[j];
        s->z[j] = after - before;
    }
    if (s->f.fixed)
        flsq_qr_shift_level(s, t, b);
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
        move(s, &space, t, b);
    flsq_arena_close(&arena);
    return FLSQ_OK;
}
