/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * See qr_answer.h.
 */
#include "qr_answer.h"
#include "check.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const long double u = 0x1p-53L;

static double *poisoned(int64_t count)
{
    double *const values = oracle_doubles(count);
    for (int64_t i = 0; i < count; i++)
        values[i] = NAN;
    return values;
}

answer solve_by_qr(const flsq_kernels *kernels, const problem *a, int64_t count, const int64_t *active)
{
    answer s = {.b = poisoned(a->lead * a->k), .rss = poisoned(a->k)};
    const flsq_rows rows = problem_rows(a, 0, a->n);
    s.out.factor = (flsq_factor){.n = count, .active = active, .scale = poisoned(count)};
    if (a->n - a->unit >= count)
        s.out.factor.r = poisoned(count * count);
    if (flsq_qr_takes_dependent_rows(a->n - a->unit, count)) {
        s.out.null = poisoned(count * count);
        s.out.range = poisoned(count * count);
        s.out.dependent = malloc((size_t)count + 1);
        memset(s.out.dependent, -1, (size_t)count);
    }
    CHECK(flsq_solve_by_qr(kernels, &rows, &s.out, s.b, s.rss, &s.report) == FLSQ_OK);
    return s;
}

void answer_free(answer *s)
{
    free(s->b), free(s->rss), free(s->out.factor.r), free(s->out.factor.scale);
    free(s->out.null), free(s->out.range), free(s->out.dependent);
}

/* ---- oracles ----------------------------------------------------------------------------------------------------- */

/* r = y - [X | 1] b for one target; *size := ‖W^½ y‖ + sum ‖W^½ x_j‖|b_j| */
static long double *residual_of(const problem *a, const double *b, int64_t t, long double *size)
{
    long double *const r = calloc((size_t)a->n + 1, sizeof *r);
    *size = 0;
    for (int64_t c = 0; c <= a->lead; c++) {
        const int64_t column = c < a->lead ? c : a->lead + t;
        const long double factor = c < a->lead ? -(long double)b[c * a->k + t] : 1;
        long double squares = 0;
        for (int64_t i = 0; i < a->n; i++) {
            const long double z = a->z[i * a->width + column];
            r[i] += factor * z;
            squares += a->weight[i] * z * z;
        }
        *size += sqrtl(squares) * fabsl(factor);
    }
    return r;
}

/* Householder QR perturbs a column by some (lead + 4) u of its length, and so does the residual pass. */
int is_optimal(const problem *a, const answer *s)
{
    const int64_t count = s->out.factor.n, *const active = s->out.factor.active;
    int good = 1;
    for (int64_t t = 0; t < a->k; t++) {
        long double size, squares = 0;
        long double *const r = residual_of(a, s->b, t, &size), bound = 8 * (long double)(a->lead + 8) * u * size;
        for (int64_t i = 0; i < a->n; i++)
            squares += a->weight[i] * r[i] * r[i];
        for (int64_t i = 0; i < count + a->unit; i++) {
            const int64_t c = i == count ? a->p : active != NULL ? active[i] : i;
            long double g = 0, length = 0;
            for (int64_t row = 0; row < a->n; row++) {
                const long double z = a->z[row * a->width + c];
                g += a->weight[row] * z * r[row];
                length += a->weight[row] * z * z;
            }
            good &= fabsl(g) <= sqrtl(length) * bound;
        }
        good &= fabsl(s->rss[t] - squares) <= bound * (2 * sqrtl(squares) + bound) + (long double)(a->n + 8) * u * squares;
        free(r);
    }
    return good;
}

long double *column_of(const problem *a, const answer *s, int64_t j)
{
    const int64_t c = s->out.factor.active != NULL ? s->out.factor.active[j] : j;
    long double *const x = calloc((size_t)a->n + 1, sizeof *x), sum = 0, weights = 0;
    for (int64_t i = 0; i < a->n; i++) {
        x[i] = (long double)a->z[i * a->width + c] * s->out.factor.scale[j];
        sum += a->weight[i] * x[i];
        weights += a->weight[i];
    }
    for (int64_t i = 0; i < a->n; i++)
        x[i] = sqrtl(a->weight[i]) * (x[i] - (a->unit ? sum / weights : 0));
    return x;
}

long double long_dot(int64_t n, const long double *x, const long double *y)
{
    long double sum = 0;
    for (int64_t i = 0; i < n; i++)
        sum += x[i] * y[i];
    return sum;
}

/* X D H to kappa u: less than 1e4 for integers. */
void check_bases(const problem *a, const answer *s)
{
    const int64_t count = s->out.factor.n, rank = s->out.rank, missing = count - rank;
    long double **const image = calloc((size_t)count + 1, sizeof *image);
    long double off_null = 0, off_image = 0, off_range = 0;
    for (int64_t l = 0; l < count; l++)
        image[l] = calloc((size_t)a->n, sizeof **image);
    for (int64_t j = 0; j < count; j++) {
        long double *const x = column_of(a, s, j);
        for (int64_t i = 0; i < a->n; i++) {
            for (int64_t l = 0; l < rank; l++)
                image[l][i] += x[i] * s->out.range[j * rank + l];
            for (int64_t m = 0; m < missing; m++)
                image[rank + m][i] += x[i] * s->out.null[j * missing + m];
        }
        free(x);
    }
    for (int64_t l = 0; l < rank; l++)
        for (int64_t i = 0; i <= l; i++)
            off_range = fmaxl(off_range, fabsl(long_dot(a->n, image[i], image[l]) - (i == l)));
    for (int64_t m = 0; m < missing; m++) {
        off_image = fmaxl(off_image, long_dot(a->n, image[rank + m], image[rank + m]));
        for (int64_t l = 0; l <= m; l++) {
            long double sum = -(l == m);
            for (int64_t j = 0; j < count; j++)
                sum += (long double)s->out.null[j * missing + l] * s->out.null[j * missing + m];
            off_null = fmaxl(off_null, fabsl(sum));
        }
    }
    CHECK(off_range <= 1e-11L);
    CHECK(off_null <= 1e-14L);
    CHECK(sqrtl(off_image) <= 32 * (long double)(count + 8) * u);
    for (int64_t l = 0; l < count; l++)
        free(image[l]);
    free(image);
}
