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

/* Along the null space N of X D to where U b is shortest, U = 2^e the user's units: min ‖U D (z + N c)‖ by the same QR.  What
 * U D makes of rounding in N is no part of it. */
flsq_status flsq_qr_shorten(flsq_qr *s, double *b)
{
    const int64_t n = s->columns, rank = s->out->rank, missing = n - rank;
    const double least = NO_PART * FLSQ_UNIT_ROUNDOFF * (double)n;
    flsq_pivoted f;
    flsq_arena arena;
    int64_t size = 0, top = INT64_MIN;
    flsq_status status = flsq_pivoted_add_bytes(n, missing, &size);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, n, 3 * sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    flsq_pivoted_open(s->kernels, n, missing, 0, &arena, &f);
    double *const units = flsq_arena_take(&arena, n, 3 * sizeof(double)), *const shift = units + n, *const c = shift + n;
    for (int64_t j = 0; j < n; j++) {
        int own = 0;
        int involved = 0;
        if (s->rows->scale != NULL)
            frexp(s->rows->scale[flsq_qr_column(s, j)], &own);
        units[j] = (double)(own - flsq_qr_exponent(s, j));
        for (int64_t i = 0; i < missing; i++) {
            double *const entry = f.a + i * f.ld + j;
            *entry = s->out->null[j * missing + i];
            if (fabs(*entry) <= least)
                *entry = 0;
            involved |= *entry != 0;
        }
        if (involved)
            top = FLSQ_MAX(top, (int64_t)units[j]);
    }
    for (int64_t j = 0; j < n; j++) {
        units[j] = top == INT64_MIN ? 0 : ldexp(1.0, (int)FLSQ_MAX((int64_t)units[j] - top, -1100));
        for (int64_t i = 0; i < missing; i++)
            f.a[i * f.ld + j] *= units[j];
    }
    int whole = flsq_pivoted_factor(&f);
    for (int64_t i = 0; i < missing; i++)
        whole = whole && flsq_pivoted_column(&f, i)[i] != 0;
    for (int64_t t = 0; whole && t < s->k; t++) { /* not whole: units too far apart for their product */
        for (int64_t j = 0; j < n; j++)
            c[j] = b[flsq_qr_column(s, j) * s->k + t] / s->out->factor.scale[j] * units[j];
        flsq_pivoted_project(&f, c);
        flsq_pivoted_solve(&f, missing, c);
        memset(s->z, 0, (size_t)n * sizeof(double));
        for (int64_t place = 0; place < missing; place++)
            for (int64_t j = 0; j < n; j++) {
                const double entry = s->out->null[j * missing + f.order[place]];
                if (fabs(entry) > least)
                    s->z[j] -= entry * ldexp(c[place], -(int)f.exponent[f.order[place]]);
            }
        flsq_qr_add(s, 0, t, b);
    }
    flsq_arena_close(&arena);
    return FLSQ_OK;
}
