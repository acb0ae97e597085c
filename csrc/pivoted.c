/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Small dense matrices by columns: Householder QR with sorted rows and pivoted columns, one-sided Jacobi.
 */
#include "pivoted.h"
#include "damped.h"
#include "kernels.h"
#include "normal.h"
#include <math.h>
#include <string.h>

/* A downdated length that has lost half of its digits is measured again (LAPACK Working Note 176). */
#define LENGTH_LOST 1.5e-8
/* Columns shorter than this many unit roundoffs of the longest hold rounding errors only. */
#define ROUNDING 8.0
enum {
    PIECE = 64,      /* entries of a product summed in one go: equal rows would all round the same way */
    SORTED_FROM = 8, /* rows of lengths within 2^8 of each other stay in their order */
    BINS = 256,      /* by binary exponents; the last for all that are shorter */
    MOST_SWEEPS = 40
};

/* ---- memory ------------------------------------------------------------------------------------------------------ */

static int64_t leading(int64_t rows) { return FLSQ_CEIL_DIV(rows, 8) * 8; }

flsq_status flsq_pivoted_add_bytes(int64_t rows, int64_t columns, int64_t *total)
{
    int64_t entries;
    flsq_status status = flsq_size_multiply(leading(rows), columns, &entries);
    if (status == FLSQ_OK)
        status = flsq_size_add(total, entries, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(total, columns, 3 * sizeof(double) + 2 * sizeof(int64_t));
    if (status == FLSQ_OK)
        status = flsq_size_add(total, rows, sizeof(double) + sizeof(int64_t));
    return status;
}

void flsq_pivoted_open(const flsq_kernels *kernels, int64_t rows, int64_t columns, int64_t fixed, flsq_arena *arena,
                       flsq_pivoted *f)
{
    *f = (flsq_pivoted){.kernels = kernels, .rows = rows, .columns = columns, .fixed = fixed, .ld = leading(rows),
                        .steps = FLSQ_MIN(rows, columns)};
    f->a = flsq_arena_take(arena, f->ld * columns, sizeof(double));
    f->tau = flsq_arena_take(arena, columns, 3 * sizeof(double) + 2 * sizeof(int64_t));
    f->length = f->tau + columns;
    f->measured = f->length + columns;
    f->exponent = (int64_t *)(f->measured + columns);
    f->order = f->exponent + columns;
    f->work = flsq_arena_take(arena, rows, sizeof(double) + sizeof(int64_t));
    f->row = (int64_t *)(f->work + rows);
    flsq_pivoted_reset(f);
}

void flsq_pivoted_reset(flsq_pivoted *f)
{
    for (int64_t j = 0; j < f->columns; j++) {
        f->order[j] = j;
        f->exponent[j] = 0;
        f->tau[j] = 0;
    }
    for (int64_t i = 0; i < f->rows; i++)
        f->row[i] = i;
}

/* ---- sums -------------------------------------------------------------------------------------------------------- */

/* x·y by halves, so that its error does not grow with n: dependent columns must leave no more than a few u. */
static double product(const flsq_kernels *kernels, int64_t n, const double *x, const double *y)
{
    if (n <= PIECE)
        return kernels->dot(n, x, y);
    const int64_t half = FLSQ_CEIL_DIV(n / 2, PIECE) * PIECE;
    return product(kernels, half, x, y) + product(kernels, n - half, x + half, y + half);
}

/* ‖x‖, also where squares of its entries leave the range of float64 */
static double length(const flsq_kernels *kernels, int64_t n, const double *x)
{
    const double square = product(kernels, n, x, x);
    return flsq_squares_in_range(square) ? sqrt(square) : flsq_length(kernels, n, x);
}

/* ---- QR ---------------------------------------------------------------------------------------------------------- */

/* 2^e about the length of a column, to a factor of sqrt(n) where its squares leave the range of float64; 0 if it is not finite. */
static int find_exponent(const flsq_pivoted *f, const double *column, int64_t n, int *e)
{
    const double square = product(f->kernels, n, column, column);
    double peak = 0;
    *e = 0;
    if (flsq_squares_in_range(square)) {
        *e = flsq_root_exponent(square);
        return 1;
    }
    for (int64_t i = 0; i < n; i++) {
        if (!isfinite(column[i]))
            return 0;
        peak = FLSQ_MAX(peak, fabs(column[i]));
    }
    if (peak > 0)
        frexp(peak, e);
    return 1;
}

/* Columns from place `first` on to a length about 1, of what lies below the fixed rows. */
static int scale_columns(flsq_pivoted *f, int64_t first, int64_t above)
{
    for (int64_t j = first; j < f->columns; j++) {
        double *const column = flsq_pivoted_column(f, j);
        int e;
        if (!find_exponent(f, column + above, f->rows - above, &e))
            return 0;
        if (f->as_is || e == 0)
            continue;
        f->exponent[f->order[j]] += e;
        const double factor = e > -1000 && e < 1000 ? ldexp(1.0, -e) : 0;
        for (int64_t i = 0; i < f->rows && factor != 0; i++)
            column[i] *= factor;
        for (int64_t i = 0; i < f->rows && factor == 0; i++) /* more than one factor has */
            column[i] = ldexp(column[i], -e);
    }
    return 1;
}

/* The longest first, to a factor of two, by their largest entries. */
static void sort_rows(flsq_pivoted *f)
{
    int64_t start[BINS + 1] = {0};
    int lowest = BINS - 1, highest = 0;
    memset(f->work, 0, (size_t)f->rows * sizeof(double));
    for (int64_t j = 0; j < f->columns; j++)
        for (int64_t i = 0; i < f->rows; i++)
            f->work[i] = FLSQ_MAX(f->work[i], fabs(f->a[j * f->ld + i]));
    for (int64_t i = 0; i < f->rows; i++) {
        const int empty = !(f->work[i] > 0);
        int e = -BINS;
        if (!empty)
            frexp(f->work[i], &e);
        const int bin = FLSQ_MIN(FLSQ_MAX(1 - e, 0), BINS - 1);
        f->work[i] = bin;
        lowest = empty ? lowest : FLSQ_MIN(lowest, bin);
        highest = empty ? highest : FLSQ_MAX(highest, bin);
        start[bin + 1]++;
    }
    if (highest - lowest <= SORTED_FROM)
        return;
    for (int bin = 0; bin < BINS; bin++)
        start[bin + 1] += start[bin];
    for (int64_t i = 0; i < f->rows; i++)
        f->row[start[(int)f->work[i]]++] = i;
    for (int64_t j = 0; j < f->columns; j++) {
        double *const column = f->a + j * f->ld;
        memcpy(f->work, column, (size_t)f->rows * sizeof(double));
        for (int64_t i = 0; i < f->rows; i++)
            column[i] = f->work[f->row[i]];
    }
}

/* y := (I - tau v vᵀ) y for the reflector at this place: v = (1, column below it). */
static void reflect(const flsq_pivoted *f, int64_t place, double *y)
{
    if (f->tau[place] == 0)
        return;
    const double *const v = flsq_pivoted_column(f, place) + place + 1;
    const int64_t below = f->rows - place - 1;
    const double part = f->tau[place] * (y[place] + product(f->kernels, below, v, y + place + 1));
    y[place] -= part;
    f->kernels->axpy(below, -part, v, y + place + 1);
}

void flsq_pivoted_step(flsq_pivoted *f, int64_t place)
{
    double *const v = flsq_pivoted_column(f, place) + place;
    const double size = length(f->kernels, f->rows - place, v), head = v[0];
    f->tau[place] = 0;
    if (!(size > 0))
        return;
    const double r = head < 0 ? size : -size; /* away from head: no cancellation */
    f->tau[place] = (r - head) / r;
    for (int64_t i = 1; i < f->rows - place; i++)
        v[i] /= head - r;
    v[0] = r;
    for (int64_t j = place + 1; j < f->columns; j++)
        reflect(f, place, flsq_pivoted_column(f, j));
}

static void measure(flsq_pivoted *f, int64_t column, int64_t above)
{
    const double *const a = f->a + column * f->ld + above;
    f->length[column] = f->measured[column] = length(f->kernels, f->rows - above, a);
}

/* Length of what is left of a column below a place, from that at the place and above. */
static void shorten(flsq_pivoted *f, int64_t column, int64_t place)
{
    if (f->length[column] == 0)
        return;
    const double share = f->a[column * f->ld + place] / f->length[column];
    const double left = FLSQ_MAX(1 - share * share, 0.0), lost = f->length[column] / f->measured[column];
    if (left * lost * lost <= LENGTH_LOST)
        measure(f, column, place + 1);
    else
        f->length[column] *= sqrt(left);
}

/* Swaps rows so that the column at this place has its largest entry there.  Where that entry is 0 a reflection would exchange
 * rows, and a short one that has met a long one of a right-hand side has lost its digits. */
static void bring_row(flsq_pivoted *f, int64_t place)
{
    const double *const column = flsq_pivoted_column(f, place);
    int64_t largest = place;
    for (int64_t i = place + 1; i < f->rows; i++)
        if (fabs(column[i]) > fabs(column[largest]))
            largest = i;
    const int64_t row = f->row[place];
    f->row[place] = f->row[largest];
    f->row[largest] = row;
    for (int64_t j = 0; j < f->columns; j++) { /* of the reflectors so far, too */
        double *const a = f->a + j * f->ld, value = a[place];
        a[place] = a[largest];
        a[largest] = value;
    }
}

int flsq_pivoted_factor(flsq_pivoted *f)
{
    if (!scale_columns(f, 0, 0))
        return 0;
    sort_rows(f);
    for (int64_t place = 0; place < f->fixed; place++)
        flsq_pivoted_step(f, place);
    if (f->fixed > 0)
        scale_columns(f, f->fixed, f->fixed);
    for (int64_t j = f->fixed; j < f->columns; j++)
        measure(f, f->order[j], f->fixed);
    for (int64_t place = f->fixed; place < f->steps; place++) {
        int64_t longest = place;
        for (int64_t j = place + 1; j < f->columns; j++)
            if (f->length[f->order[j]] > f->length[f->order[longest]])
                longest = j;
        const int64_t column = f->order[longest];
        f->order[longest] = f->order[place];
        f->order[place] = column;
        if (f->pivots_rows)
            bring_row(f, place);
        flsq_pivoted_step(f, place);
        for (int64_t j = place + 1; j < f->columns; j++)
            shorten(f, f->order[j], place);
    }
    return 1;
}

void flsq_pivoted_project(const flsq_pivoted *f, double *y)
{
    memcpy(f->work, y, (size_t)f->rows * sizeof(double));
    for (int64_t i = 0; i < f->rows; i++)
        y[i] = f->work[f->row[i]];
    for (int64_t place = 0; place < f->steps; place++)
        reflect(f, place, y);
}

void flsq_pivoted_expand(const flsq_pivoted *f, double *y)
{
    for (int64_t place = f->steps - 1; place >= 0; place--)
        reflect(f, place, y);
    memcpy(f->work, y, (size_t)f->rows * sizeof(double));
    for (int64_t i = 0; i < f->rows; i++)
        y[f->row[i]] = f->work[i];
}

void flsq_pivoted_solve(const flsq_pivoted *f, int64_t count, double *z)
{
    for (int64_t i = count - 1; i >= 0; i--) {
        const double *const column = flsq_pivoted_column(f, f->fixed + i) + f->fixed;
        z[i] /= column[i];
        f->kernels->axpy(i, -z[i], column, z);
    }
}

void flsq_pivoted_solve_transposed(const flsq_pivoted *f, int64_t count, double *z)
{
    for (int64_t i = 0; i < count; i++) {
        const double *const column = flsq_pivoted_column(f, f->fixed + i) + f->fixed;
        z[i] = (z[i] - f->kernels->dot(i, column, z)) / column[i];
    }
}

/* ---- one-sided Jacobi -------------------------------------------------------------------------------------------- */

static void rotate(int64_t n, double c, double s, double *x, double *y)
{
    for (int64_t i = 0; i < n; i++) {
        const double a = x[i], b = y[i];
        x[i] = c * a - s * b;
        y[i] = s * a + c * b;
    }
}

static void swap(int64_t n, double *x, double *y)
{
    for (int64_t i = 0; i < n; i++) {
        const double a = x[i];
        x[i] = y[i];
        y[i] = a;
    }
}

/* Rotations through the smaller angle that makes two columns orthogonal, tan of it the smaller root of
 * t² + 2 t (b - a)/(2 g) - 1 = 0 with a, b their squares and g their product, until none is left to make (M. R. Hestenes,
 * J. SIAM 6, 1958, 51-90).  What is orthogonal to rounding stays, and so do columns of rounding alone: more of them than
 * there are rows are never orthogonal. */
void flsq_jacobi(const flsq_kernels *kernels, int64_t rows, int64_t columns, double *w, double *values)
{
    const double tolerance = FLSQ_UNIT_ROUNDOFF * (double)FLSQ_MAX(rows, 4);
    const double rounding = ROUNDING * FLSQ_UNIT_ROUNDOFF;
    int rotated = 1;
    for (int sweep = 0; sweep < MOST_SWEEPS && rotated; sweep++) {
        double largest = 0;
        rotated = 0;
        for (int64_t j = 0; j < columns; j++) {
            values[j] = kernels->dot(rows, w + j * rows, w + j * rows);
            largest = FLSQ_MAX(largest, values[j]);
        }
        for (int64_t i = 0; i < columns; i++)
            for (int64_t j = i + 1; j < columns; j++) {
                double *const x = w + i * rows, *const y = w + j * rows;
                const double g = kernels->dot(rows, x, y);
                if (!(fabs(g) > tolerance * sqrt(values[i]) * sqrt(values[j])) ||
                    FLSQ_MIN(values[i], values[j]) <= rounding * rounding * largest)
                    continue;
                const double zeta = (values[j] - values[i]) / (2 * g);
                const double t = (zeta >= 0 ? 1.0 : -1.0) / (fabs(zeta) + sqrt(1 + zeta * zeta));
                const double c = 1 / sqrt(1 + t * t);
                rotate(rows, c, c * t, x, y);
                values[i] = FLSQ_MAX(values[i] - t * g, 0.0);
                values[j] += t * g;
                rotated = 1;
            }
    }
    for (int64_t j = 0; j < columns; j++)
        values[j] = sqrt(kernels->dot(rows, w + j * rows, w + j * rows));
    for (int64_t i = 0; i < columns; i++) {
        int64_t largest = i;
        for (int64_t j = i + 1; j < columns; j++)
            if (values[j] > values[largest])
                largest = j;
        if (largest == i)
            continue;
        swap(rows, w + i * rows, w + largest * rows);
        swap(1, values + i, values + largest);
    }
}
