/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Small problems by QR: any shape, units, weights and rank.  Judged by Xᵀ W r in long double, by integers whose dependences
 * are known.
 */
#include "check.h"
#include "qr_answer.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const long double u = 0x1p-53L;

/* ---- no fewer rows than columns ---------------------------------------------------------------------------------- */

/* RᵀR = D M D to some (p + n) u of lengths that may be as large as before centring, and the trace. */
static void check_factor(const problem *a, const answer *s)
{
    const flsq_factor *const f = &s->out.factor;
    long double **const x = calloc((size_t)f->n + 1, sizeof *x), trace = 0;
    int close = 1;
    for (int64_t j = 0; j < f->n; j++)
        x[j] = column_of(a, s, j);
    for (int64_t j = 0; j < f->n; j++) {
        int e;
        CHECK(frexp(f->scale[j], &e) == 0.5);
        CHECK(f->r[j * f->n + j] > 0);
        trace += long_dot(a->n, x[j], x[j]);
        for (int64_t i = 0; i <= j; i++) {
            long double sum = 0;
            for (int64_t l = 0; l <= i; l++)
                sum += (long double)f->r[l * f->n + i] * f->r[l * f->n + j];
            close &= fabsl(sum - long_dot(a->n, x[i], x[j])) <= 64 * (long double)(f->n + 8) * u;
        }
    }
    CHECK(close);
    CHECK(fabsl(f->trace - trace) <= 64 * (long double)(f->n + 8) * u * f->n && f->pivot == -1);
    CHECK(f->condition >= 0.99 && s->report.passes == 3);
    for (int64_t j = 0; j < f->n; j++)
        free(x[j]);
    free(x);
}

static const layout forms[] = {C_ORDER, F_ORDER, PADDED_C, PADDED_F, STRIDED, NEGATIVE, BACKWARD_ROWS, BACKWARD_COLUMNS};

/* Columns that are constant where there is a unit column are none of the core's: it is told which to use. */
static int is_fit(const problem *a)
{
    double weight = 0;
    int fit = 1;
    for (int64_t i = 0; i < a->n; i++)
        weight += a->weight[i];
    for (int64_t c = 0; c < a->p; c++) {
        int varies = 0;
        double first = NAN;
        for (int64_t i = 0; i < a->n; i++) {
            if (a->weight[i] > 0 && isnan(first))
                first = a->z[i * a->width + c];
            varies |= a->weight[i] > 0 && a->z[i * a->width + c] != first;
        }
        fit &= varies;
    }
    return !a->unit || (fit && weight > 0);
}

static void try_tall(const flsq_kernels *kernels, int64_t n, int64_t p, int64_t k, int flags, int turn)
{
    const flsq_dtype dtype = turn % FLSQ_DTYPES;
    const layout form = forms[turn / 3 % COUNT_OF(forms)];
    const int part = turn % 4 == 1; /* every second column only */
    const int64_t count = part ? (p + 1) / 2 : p;
    int64_t *const active = malloc(((size_t)p + 1) * sizeof *active);
    problem a = problem_make(dtype, form, n, p, k, flags, dtype <= FLSQ_F16 && turn % 2 ? REALS : INTEGERS);
    for (int64_t j = 0; j < count; j++)
        active[j] = 2 * j;
    CASE("n = %lld, p = %lld, k = %lld, flags %d, %s %s%s", (long long)n, (long long)p, (long long)k, flags,
         dtype_name(dtype), layout_name(form), part ? ", half the columns" : "");
    if (!is_fit(&a)) {
        problem_free(&a), free(active);
        return;
    }
    answer s = solve_by_qr(kernels, &a, count, part ? active : NULL);
    CHECK(s.report.verdict == FLSQ_CERTIFIED && s.report.backward_error < 1e-14);
    CHECK(is_optimal(&a, &s));
    if (s.out.rank == count && count > 0)
        check_factor(&a, &s);
    CHECK(s.out.rank == count || n < 2 * count + 8 || (flags & WEIGHTED));
    for (int64_t j = 1; j < p && part; j += 2)
        CHECK(s.b[j * k] == 0 && s.b[j * k + k - 1] == 0);
    answer_free(&s), problem_free(&a), free(active);
}

void test_qr_tall(const flsq_kernels *kernels)
{
    const int64_t columns[] = {0, 1, 2, 7, 8, 9, 31, 33}, more[] = {0, 1, 9, 47};
    int turn = 0;
    for (int c = 0; c < COUNT_OF(columns); c++)
        for (int m = 0; m < COUNT_OF(more); m++)
            for (int flags = 0; flags < 8; flags++, turn++) {
                const int64_t rows = columns[c] + (flags & UNIT ? 1 : 0) + more[m];
                if (rows > 0)
                    try_tall(kernels, rows, columns[c], turn % 3 + 1, flags, turn);
            }
}

/* y = X b for integers, rows of 2^-70 .. 1 times the length of others by their weights.  Row by row stable: b is off by no
 * more than for some choice of rows of integers of equal weight; 1e-12 where no method on the moments has a digit. */
void test_qr_rows(const flsq_kernels *kernels)
{
    for (int64_t p = 1; p <= 9; p++)
        for (int flags = WEIGHTED; flags <= (WEIGHTED | UNIT); flags += UNIT) {
            problem a = problem_make(FLSQ_F64, C_ORDER, 4 * p + 9, p, 1, flags, INTEGERS);
            double *const exact = oracle_integers(a.lead, -5, 5), *const y = (double *)a.y.memory;
            for (int64_t i = 0; i < a.n; i++) {
                y[i] = 0;
                for (int64_t j = 0; j < a.lead; j++)
                    y[i] += a.z[i * a.width + j] * exact[j];
                ((double *)a.w.memory)[i] = ldexp(1.0, -2 * (int)oracle_integer(0, 70));
            }
            problem b = problem_like(&a, STRIDED);
            answer s = solve_by_qr(kernels, &b, p, NULL);
            CASE("p = %lld, flags %d", (long long)p, flags);
            CHECK(s.report.verdict == FLSQ_CERTIFIED && s.out.rank == p);
            for (int64_t j = 0; j < a.lead; j++)
                CHECK(fabs(s.b[j] - exact[j]) <= 1e-12 * 5);
            answer_free(&s), problem_free(&a), problem_free(&b), free(exact);
        }
}

/* ---- columns that depend on each other --------------------------------------------------------------------------- */

enum { NEAR = 8 }; /* units of 2^-8 .. 2^8 cost the shortest solution a few digits, no more */

/* Column `of` is first*[a] + second*[b], a and b before it. */
typedef struct dependence { int64_t of, a, b; double first, second; } dependence;

/* Integers in units of 2^-apart .. 2^apart; packed they are integers again.  `missing` of them depend on earlier ones. */
static problem dependent_problem(int64_t n, int64_t p, int flags, int apart, int64_t missing, dependence *known,
                                 int *unit_of)
{
    const int64_t k = 2;
    problem a = problem_make(FLSQ_F64, C_ORDER, n, p, k, flags & ~AFFINE, INTEGERS);
    double *const x = (double *)a.x.memory;
    for (int64_t m = 0; m < missing; m++) {
        dependence *const d = known + m;
        d->of = p - 1 - 2 * (missing - 1 - m);
        d->a = d->of - 1 - 2 * (int64_t)oracle_integer(0, (int)(d->of - 1) / 2); /* among those between */
        d->b = d->of - 1 - 2 * (int64_t)oracle_integer(0, (int)(d->of - 1) / 2);
        d->first = oracle_integer(1, 2);
        d->second = d->a == d->b ? 0 : -1;
        for (int64_t i = 0; i < n; i++)
            x[i * p + d->of] = d->first * x[i * p + d->a] + d->second * x[i * p + d->b];
    }
    if (flags & AFFINE) {
        a.scale = oracle_doubles(a.width);
        a.offset = oracle_doubles(a.width);
    }
    for (int64_t c = 0; c < a.width && a.scale != NULL; c++) {
        const int e = c < p ? (int)oracle_integer(-1, 1) * apart + (int)oracle_integer(-1, 1) : 1;
        a.scale[c] = ldexp(1.0, e);
        a.offset[c] = a.unit ? oracle_integer(-3, 3) : 0;
        for (int64_t i = 0; i < n && c < p; i++)
            x[i * p + c] = ldexp(x[i * p + c], -e);
        if (c < p)
            unit_of[c] = e;
    }
    return a;
}

/* The user's coefficients 2^e_j b_j are the shortest where they are at right angles to each (2^e_j v_j), v a dependence.
 * For units that are far apart it is b as it is packed that is right to rounding, since a step of refinement follows the
 * move: 1e-14 of it, times the largest 2^e_j. */
static int is_shortest(const problem *a, const answer *s, int apart, int64_t missing, const dependence *known,
                       const int *unit_of)
{
    int good = 1, top = unit_of[0];
    for (int64_t j = 1; j < a->p; j++)
        top = unit_of[j] > top ? unit_of[j] : top;
    for (int64_t t = 0; t < a->k; t++) {
        long double packed = 0, squares = 0;
        for (int64_t j = 0; j < a->p; j++) {
            packed += powl(s->b[j * a->k + t], 2);
            squares += powl(ldexpl(s->b[j * a->k + t], unit_of[j]), 2);
        }
        const long double size = apart <= NEAR ? 1e-11L * sqrtl(squares)
                                               : 1e-14L * (long double)(a->p + 8) * ldexpl(sqrtl(packed), top);
        for (int64_t m = 0; m < missing; m++) {
            const dependence *const d = known + m;
            const int64_t at[] = {d->of, d->a, d->b};
            const long double part[] = {-1, d->first, d->second};
            long double product = 0, length = 0;
            for (int i = 0; i < 3; i++) {
                const long double v = ldexpl(part[i], unit_of[at[i]]);
                product += ldexpl(s->b[at[i] * a->k + t], unit_of[at[i]]) * v;
                length += v * v;
            }
            good &= fabsl(product) <= size * sqrtl(length);
        }
    }
    return good;
}

static void try_dependent(const flsq_kernels *kernels, int64_t n, int64_t p, int flags, int apart, int64_t missing)
{
    dependence *const known = calloc((size_t)missing, sizeof *known);
    int *const unit_of = calloc((size_t)p, sizeof *unit_of);
    int8_t *const depends = calloc((size_t)p, 1);
    problem made = dependent_problem(n, p, flags, apart, missing, known, unit_of);
    problem a = problem_like(&made, forms[(n + p) % COUNT_OF(forms)]);
    for (int64_t m = 0; m < missing; m++)
        depends[known[m].of] = 1;
    CASE("n = %lld, p = %lld, flags %d, %lld depend, units of 2^+-%d", (long long)n, (long long)p, flags,
         (long long)missing, apart);
    answer s = solve_by_qr(kernels, &a, p, NULL);
    CHECK(s.report.verdict == FLSQ_CERTIFIED && s.report.backward_error < 1e-14 && s.report.passes == 4);
    CHECK(s.out.rank == p - missing);
    CHECK(is_optimal(&a, &s));
    CHECK(is_shortest(&a, &s, apart, missing, known, unit_of));
    if (s.out.rank == p - missing) {
        check_bases(&a, &s);
        CHECK(memcmp(s.out.dependent, depends, (size_t)p) == 0);
    }
    answer_free(&s), problem_free(&a), problem_free(&made), free(known), free(unit_of), free(depends);
}

void test_qr_dependent(const flsq_kernels *kernels)
{
    const int64_t sizes[] = {2, 3, 7, 8, 9, 17, 33};
    const int apart[] = {0, NEAR, 40, 300};
    for (int s = 0; s < COUNT_OF(sizes); s++)
        for (int64_t missing = 1; 2 * missing <= sizes[s]; missing += 3)
            for (int flags = 0; flags < 8; flags++)
                for (int e = 0; e < COUNT_OF(apart); e++)
                    if (e == 0 || ((flags & AFFINE) && (apart[e] <= NEAR || missing == 1)))
                        try_dependent(kernels, 3 * sizes[s] + 12, sizes[s], flags, apart[e], missing);
}
