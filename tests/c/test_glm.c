/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The pass of a generalized linear model: exact on integers for the gaussian family and for given slopes and curvatures, the
 * other families against long double, the same bits for any thread count and memory order.
 */
#include "blocksizes.h"
#include "check.h"
#include "oracle.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct answer { double *eta, *gradient, *hessian, loss; } answer;

static answer pass_of(const flsq_kernels *kernels, const problem *a, const flsq_glm *model, int n_threads)
{
    const int64_t size = a->lead * model->predictors;
    answer s = {oracle_doubles(a->n * model->predictors), oracle_doubles(size), oracle_doubles(size * size), 0};
    const flsq_rows rows = problem_rows(a, 0, a->n);
    const flsq_glm_outputs out = {model->family == FLSQ_FAMILY_GIVEN ? NULL : s.eta, s.gradient, s.hessian, &s.loss};
    CHECK(flsq_glm_pass(kernels, &rows, model, n_threads, &out) == FLSQ_OK);
    return s;
}

static void answer_free(answer *s) { free(s->eta), free(s->gradient), free(s->hessian); }

static void check_exact(const flsq_kernels *kernels, const problem *a, int n_threads)
{
    const int64_t lead = a->lead, width = lead + 1;
    double *const b = oracle_integers(lead, -2, 2), *const g = oracle_doubles(lead), *const r = oracle_doubles(a->n);
    double *const zz = oracle_doubles(lead * width), *const h = oracle_doubles(lead * lead), rss, yy;
    oracle_residual(a, b, g, &rss, r);
    oracle_gram(a, zz, &yy);
    for (int64_t i = 0; i < lead; i++) {
        g[i] = -g[i];
        memcpy(h + i * lead, zz + i * width, (size_t)lead * sizeof(double));
    }
    const flsq_glm model = {.family = FLSQ_FAMILY_GAUSSIAN, .predictors = 1, .b = b};
    answer s = pass_of(kernels, a, &model, n_threads);
    CHECK(first_difference(lead, s.gradient, g) == -1);
    CHECK(first_difference(lead * lead, s.hessian, h) == -1);
    CHECK(s.loss == 0.5 * rss);
    /* the same moments from slopes and curvatures of the caller's */
    double *const slope = oracle_doubles(a->n), *const curvature = oracle_doubles(a->n);
    for (int64_t i = 0; i < a->n; i++) {
        slope[i] = -a->weight[i] * r[i];
        curvature[i] = a->weight[i];
    }
    const flsq_glm given = {.family = FLSQ_FAMILY_GIVEN, .predictors = 1, .given_slope = slope, .given_curvature = curvature};
    answer t = pass_of(kernels, a, &given, n_threads);
    CHECK(first_difference(lead, t.gradient, g) == -1);
    CHECK(first_difference(lead * lead, t.hessian, h) == -1);
    answer_free(&s), answer_free(&t), free(b), free(g), free(r), free(zz), free(h), free(slope), free(curvature);
}

void test_glm_exact(const flsq_kernels *kernels)
{
    const int64_t nr = kernels->nr, block = flsq_gram_block_rows(1);
    const int64_t widths[] = {1, nr - 1, nr, nr + 1, 2 * nr};
    int turn = 0;
    for (int s = 0; s < COUNT_OF(widths); s++) {
        const int64_t chunk = FLSQ_GLM_ROWS(widths[s]);
        const int64_t rows[] = {0, 1, 2, chunk - 1, chunk, chunk + 1, block, block + chunk + 1};
        for (int i = 0; i < COUNT_OF(rows); i++)
            for (int flags = 0; flags < 8; flags++, turn++) {
                const flsq_dtype dtype = turn % FLSQ_DTYPES;
                const layout form = turn / 3 % LAYOUTS;
                CASE("p = %lld, flags %d, n = %lld, %s %s", (long long)widths[s], flags, (long long)rows[i], dtype_name(dtype),
                     layout_name(form));
                problem a = problem_make(dtype, form, rows[i], widths[s], 1, flags, INTEGERS);
                check_exact(kernels, &a, turn % 3 + 1);
                problem_free(&a);
            }
    }
}

void test_glm_bits(const flsq_kernels *kernels)
{
    const int64_t n = 5 * flsq_gram_block_rows(1) + FLSQ_GLM_ROWS(1) + 3, p = 2 * kernels->nr + 1;
    const int threads[] = {2, 3, 8};
    const layout forms[] = {F_ORDER, PADDED_C, STRIDED, NEGATIVE, BACKWARD_COLUMNS};
    problem a = problem_make(FLSQ_F64, C_ORDER, n, p, 1, UNIT | WEIGHTED | AFFINE, REALS);
    double *const b = oracle_reals(2 * a.lead);
    for (int family = FLSQ_FAMILY_GAUSSIAN; family <= FLSQ_FAMILY_SOFTMAX; family++) {
        const int64_t k = family == FLSQ_FAMILY_SOFTMAX ? 2 : 1, size = k * a.lead;
        const flsq_glm model = {.family = family, .predictors = k, .b = b};
        answer reference = pass_of(kernels, &a, &model, 1);
        for (int i = 0; i < COUNT_OF(threads) + COUNT_OF(forms); i++) {
            const int many = i < COUNT_OF(threads);
            CASE("family %d, case %d", family, i);
            problem other = problem_like(&a, many ? C_ORDER : forms[i - COUNT_OF(threads)]);
            answer s = pass_of(kernels, &other, &model, many ? threads[i] : 2);
            CHECK(same_bits(n * k, s.eta, reference.eta));
            CHECK(same_bits(size, s.gradient, reference.gradient));
            CHECK(same_bits(size * size, s.hessian, reference.hessian));
            CHECK(same_bits(1, &s.loss, &reference.loss));
            answer_free(&s), problem_free(&other);
        }
        answer_free(&reference);
    }
    free(b), problem_free(&a);
}

static void check_row(flsq_family family, double eta, double y, double w, double loss, double slope, double curvature)
{
    const long double e = expl(eta), p = e / (1 + e);
    long double l = 0.5L * ((long double)eta - y) * ((long double)eta - y), s = (long double)eta - y, c = 1, size = fabsl(s);
    if (family == FLSQ_FAMILY_BINOMIAL)
        l = (eta > 0 ? eta : 0) + log1pl(expl(-fabs(eta))) - (long double)y * eta, s = p - y, c = p / (1 + e), size = 1;
    if (family == FLSQ_FAMILY_POISSON)
        l = e - (long double)y * eta, s = e - y, c = e, size = e + y;
    if (family == FLSQ_FAMILY_GAMMA)
        l = y / e + eta, s = 1 - y / e, c = y / e, size = 1 + y / e;
    CHECK(fabsl(loss - w * l) <= 8 * 0x1p-53L * w * (fabsl(l) + fabsl((long double)y * eta) + fabs(eta)));
    CHECK(fabsl(slope - w * s) <= 8 * 0x1p-53L * w * size);
    CHECK(fabsl(curvature - w * c) <= 8 * 0x1p-53L * w * c);
}

void test_family_rows(const flsq_kernels *kernels)
{
    enum { MOST = 40 };
    double eta[MOST], y[MOST], w[MOST], r[MOST], h[MOST];
    for (int family = FLSQ_FAMILY_GAUSSIAN; family <= FLSQ_FAMILY_GAMMA; family++)
        for (int64_t rows = 1; rows < MOST; rows++) {
            CASE("family %d, %lld rows", family, (long long)rows);
            double sum = 0;
            for (int64_t i = 0; i < rows; i++) {
                eta[i] = 30 * oracle_real();
                y[i] = family == FLSQ_FAMILY_BINOMIAL ? i % 2 : 1 + i % 5;
                w[i] = 1 + i % 3;
                double own_r, own_h;
                const double loss = kernels->family_rows(family, 0, 1, eta + i, y + i, w + i, &own_r, &own_h);
                check_row(family, eta[i], y[i], w[i], loss, own_r, own_h);
                sum += loss;
            }
            const double loss = kernels->family_rows(family, 0, rows, eta, y, w, r, h);
            CHECK(fabs(loss - sum) <= 1e-13 * fabs(sum) + 1e-12);
            for (int64_t i = 0; i < rows; i++) {
                double own_r, own_h;
                kernels->family_rows(family, 0, 1, eta + i, y + i, w + i, &own_r, &own_h);
                CHECK(r[i] == own_r && h[i] == own_h); /* a row's own, wherever in a vector it lies */
            }
        }
}

void test_elementary(const flsq_kernels *kernels)
{
    enum { COUNT = 4001 };
    static double x[COUNT], out[COUNT];
    for (int which = 0; which < 3; which++) {
        for (int i = 0; i < COUNT; i++)
            x[i] = which == 0 ? 700 * oracle_real() : which == 1 ? fabs(oracle_real()) : exp(700 * oracle_real());
        kernels->elementary(which, COUNT, x, out);
        for (int i = 0; i < COUNT; i++) {
            const long double expected = which == 0 ? expl(x[i]) : which == 1 ? log1pl(x[i]) : logl(x[i]);
            CASE("function %d of %.17g", which, x[i]);
            CHECK(fabsl(out[i] - expected) <= 4 * 0x1p-53L * fabsl(expected)); /* two units in the last place */
        }
    }
}
