/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Elastic net: the sweep on numbers it computes exactly; whole paths judged by their conditions in long double.
 */
#include "check.h"
#include "oracle.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- the sweep -------------------------------------------------------------------------------------------------- */

static int64_t slow_sweep(int64_t n, const double *m, int64_t ld, const double *diagonal, const double *l1,
                          const double *reciprocal, int nonnegative, double *b, double *q)
{
    int64_t turned = 0;
    for (int64_t j = 0; j < n; j++) {
        const double t = q[j] + diagonal[j] * b[j];
        double next = 0;
        if (t > l1[j])
            next = (t - l1[j]) * reciprocal[j];
        else if (!nonnegative && t < -l1[j])
            next = (t + l1[j]) * reciprocal[j];
        turned += next != b[j] && ((next > 0) != (b[j] > 0) || (next < 0) != (b[j] < 0));
        for (int64_t i = 0; i < n; i++)
            q[i] += (b[j] - next) * m[j * ld + i];
        b[j] = next;
    }
    return turned;
}

void test_coordinate_sweep(const flsq_kernels *kernels)
{
    for (int64_t n = 0; n <= 2 * kernels->lanes + 3; n++)
        for (int trial = 0; trial < 6; trial++) {
            const int64_t ld = n + trial % 3;
            /* a coefficient has one binary digit more than the one before: 53 are enough */
            double *const m = oracle_integers(n * ld + 1, -2, 2), *const diagonal = oracle_integers(n, 1, 2);
            double *const l1 = oracle_integers(n, 0, 6), *const reciprocal = oracle_doubles(n);
            double *const b = oracle_integers(n, trial % 2 ? 0 : -2, 2), *const q = oracle_integers(n, -9, 9);
            double *const own = oracle_copy(b, n), *const left = oracle_copy(q, n);
            for (int64_t j = 0; j < n; j++)
                reciprocal[j] = j % 2 ? 0.5 : 1;
            CASE("n = %lld, trial %d", (long long)n, trial);
            const int64_t turned = kernels->coordinate_sweep(n, m, ld, diagonal, l1, reciprocal, trial % 2, b, q);
            CHECK(turned == slow_sweep(n, m, ld, diagonal, l1, reciprocal, trial % 2, own, left));
            CHECK(first_difference(n, b, own) == -1);
            CHECK(first_difference(n, q, left) == -1);
            free(m), free(diagonal), free(l1), free(reciprocal), free(b), free(q), free(own), free(left);
        }
}

/* ---- whole paths ------------------------------------------------------------------------------------------------- */

enum { ALPHAS = 5 };

typedef struct net {
    int64_t n, p;
    double *x, *y, *m, *c, *l1, *l2, *alpha;
    flsq_penalized view;
    flsq_path out;
} net;

static void moments_of(int64_t n, int64_t p, const double *x, const double *y, double *m, double *c, double *yy)
{
    *yy = 0;
    for (int64_t k = 0; k < n; k++) {
        *yy += y[k] * y[k];
        for (int64_t i = 0; i < p; i++) {
            c[i] += x[k * p + i] * y[k];
            for (int64_t j = 0; j < p; j++)
                m[i * p + j] += x[k * p + i] * x[k * p + j];
        }
    }
}

/* `alike`: the share of a common column, so that others resemble each other. */
static net net_make(int64_t n, int64_t p, double ratio, double alike, int nonnegative)
{
    net a = {.n = n, .p = p, .x = oracle_reals(n * p), .y = oracle_reals(n), .m = oracle_doubles(p * p),
             .c = oracle_doubles(p), .l1 = oracle_doubles(p), .l2 = oracle_doubles(p), .alpha = oracle_doubles(ALPHAS)};
    double yy, largest = 0;
    for (int64_t k = 0; k < n; k++) {
        const double common = oracle_real();
        for (int64_t j = 0; j < p; j++)
            a.x[k * p + j] = ((1 - alike) * a.x[k * p + j] + alike * common) / sqrt((double)n);
        for (int64_t j = 0; j < p; j += 3)
            a.y[k] += 2 * a.x[k * p + j] * (j % 2 ? -1 : 1);
    }
    moments_of(n, p, a.x, a.y, a.m, a.c, &yy);
    for (int64_t j = 0; j < p; j++) {
        a.l1[j] = ratio * (1 + 0.1 * (double)(j % 4));
        a.l2[j] = (1 - ratio) * (1 + 0.1 * (double)(j % 4));
        if (a.l1[j] > 0)
            largest = fmax(largest, fabs(a.c[j]) / a.l1[j]);
    }
    for (int k = 0; k < ALPHAS; k++)
        a.alpha[k] = (ratio > 0 ? largest : 1) * pow(10, -0.7 * k);
    a.view = (flsq_penalized){.p = p, .ldm = p, .m = a.m, .c = a.c, .yy = yy, .l1 = a.l1, .l2 = a.l2,
                              .nonnegative = nonnegative, .count = ALPHAS, .alpha = a.alpha, .tolerance = 1e-13,
                              .most_sweeps = 1000};
    a.out = (flsq_path){.b = oracle_doubles(ALPHAS * p), .gap = oracle_doubles(ALPHAS), .objective = oracle_doubles(ALPHAS),
                        .sweeps = malloc(ALPHAS * sizeof(int64_t)), .error = oracle_doubles(ALPHAS)};
    return a;
}

static void net_free(net *a)
{
    free(a->x), free(a->y), free(a->m), free(a->c), free(a->l1), free(a->l2), free(a->alpha);
    free(a->out.b), free(a->out.gap), free(a->out.objective), free(a->out.sweeps), free(a->out.error);
}

/* Objective and the largest breach of the conditions at point number k, in long double. */
static long double breach_of(const net *a, int k, long double *objective)
{
    const double *const b = a->out.b + k * a->p;
    const long double alpha = a->alpha[k];
    long double worst = 0, bc = 0, bq = 0, penalty = 0;
    for (int64_t j = 0; j < a->p; j++) {
        long double q = a->c[j];
        for (int64_t i = 0; i < a->p; i++)
            q -= (long double)a->m[j * a->p + i] * b[i];
        const long double slope = q - alpha * a->l2[j] * b[j], first = alpha * a->l1[j];
        long double breach = b[j] != 0 ? fabsl(slope - (b[j] > 0 ? first : -first))
                                       : (a->view.nonnegative ? slope : fabsl(slope)) - first;
        worst = fmaxl(worst, breach);
        bc += b[j] * (long double)a->c[j], bq += b[j] * q;
        penalty += first * fabsl(b[j]) + alpha * a->l2[j] * b[j] * b[j] / 2;
    }
    *objective = (a->view.yy - bc - bq) / 2 + penalty;
    return worst;
}

static void check_net(const net *a)
{
    for (int k = 0; k < ALPHAS; k++) {
        long double objective;
        /* a gap of 1e-13 of yy leaves a breach of its root, at most */
        CHECK(breach_of(a, k, &objective) <= 1e-6L * a->view.yy);
        CHECK(a->out.gap[k] <= 1e-13 * a->view.yy && a->out.gap[k] >= 0 && a->out.sweeps[k] < 1000);
        CHECK(fabsl(objective - a->out.objective[k]) <= 1e-13L * a->view.yy);
        for (int64_t j = 0; a->view.nonnegative && j < a->p; j++)
            CHECK(a->out.b[k * a->p + j] >= 0);
    }
}

void test_elastic_net(const flsq_kernels *kernels)
{
    static const double ratios[] = {1, 0.5, 0};
    int turn = 0;
    for (int64_t p = 1; p <= 2 * kernels->nr + 2; p += p < 9 ? 1 : 7)
        for (int64_t n = p < 4 ? 4 : p / 2; n <= 3 * p + 4; n += 2 * p + 1, turn++) {
            net a = net_make(n, p, ratios[turn % 3], turn % 2 ? 0.8 : 0, turn % 5 == 0);
            CASE("n = %lld, p = %lld, turn %d", (long long)n, (long long)p, turn);
            CHECK(flsq_elastic_net_paths(kernels, 1, &a.view, 1, &a.out) == FLSQ_OK);
            check_net(&a);
            net_free(&a);
        }
}

/* Columns that are equal, and from a start that is far away. */
void test_elastic_net_dependent(const flsq_kernels *kernels)
{
    for (int trial = 0; trial < 6; trial++) {
        const int64_t p = 12;
        net a = net_make(30, p, trial % 2 ? 1 : 0.5, 0.3, trial == 5);
        double *const start = oracle_reals(p);
        for (int64_t j = 0; j < p; j++)
            start[j] = trial == 5 ? fabs(start[j]) : start[j];
        for (int64_t k = 0; k < a.n; k++)
            a.x[k * p + 1] = a.x[k * p], a.x[k * p + 5] = -a.x[k * p + 4];
        memset(a.m, 0, (size_t)(p * p) * sizeof(double)), memset(a.c, 0, (size_t)p * sizeof(double));
        moments_of(a.n, p, a.x, a.y, a.m, a.c, &a.view.yy);
        a.view.start = trial > 2 ? start : NULL;
        CASE("trial %d", trial);
        CHECK(flsq_elastic_net_paths(kernels, 1, &a.view, 1, &a.out) == FLSQ_OK);
        check_net(&a);
        free(start), net_free(&a);
    }
}

/* Many paths on many threads; the error of rows held out against their residuals. */
void test_elastic_net_paths(const flsq_kernels *kernels)
{
    enum { PATHS = 5 };
    net nets[PATHS], other[PATHS];
    flsq_penalized problems[PATHS];
    flsq_path first[PATHS], again[PATHS];
    flsq_held_out held[PATHS];
    for (int i = 0; i < PATHS; i++) {
        const int64_t p = 3 + 7 * i;
        nets[i] = net_make(4 * p, p, 0.7, 0.5, 0), other[i] = net_make(9, p, 0.7, 0.2, 0);
        held[i] = (flsq_held_out){.m = other[i].m, .c = other[i].c, .distance = other[i].l2, .yy = other[i].view.yy,
                                  .weight = 3, .apart = 0.25};
        nets[i].view.held_out = &held[i];
        problems[i] = nets[i].view, first[i] = nets[i].out, again[i] = other[i].out;
    }
    CASE("%d paths", PATHS);
    CHECK(flsq_elastic_net_paths(kernels, PATHS, problems, 1, first) == FLSQ_OK);
    CHECK(flsq_elastic_net_paths(kernels, PATHS, problems, 3, again) == FLSQ_OK);
    for (int i = 0; i < PATHS; i++) {
        const int64_t p = nets[i].p;
        check_net(&nets[i]);
        CHECK(same_bits(ALPHAS * p, first[i].b, again[i].b) && same_bits(ALPHAS, first[i].gap, again[i].gap));
        CHECK(same_bits(ALPHAS, first[i].error, again[i].error));
        for (int k = 0; k < ALPHAS; k++) {
            long double error = 0, level = held[i].apart;
            for (int64_t j = 0; j < p; j++)
                level -= (long double)first[i].b[k * p + j] * held[i].distance[j];
            for (int64_t row = 0; row < other[i].n; row++) {
                long double r = other[i].y[row];
                for (int64_t j = 0; j < p; j++)
                    r -= (long double)other[i].x[row * p + j] * first[i].b[k * p + j];
                error += r * r;
            }
            error += held[i].weight * level * level;
            CHECK(fabsl(error - first[i].error[k]) <= 1e-13L * (error + held[i].yy));
        }
        net_free(&nets[i]), net_free(&other[i]);
    }
    CHECK(flsq_elastic_net_paths(kernels, 0, problems, 2, first) == FLSQ_OK);
    problems[0].p = INT64_MAX / 4;
    CHECK(flsq_elastic_net_paths(kernels, 1, problems, 1, first) == FLSQ_TOO_LARGE);
}

/* No point is better than the gap says. */
void test_duality_gap(const flsq_kernels *kernels)
{
    for (int trial = 0; trial < 12; trial++) {
        const int64_t p = 6;
        net a = net_make(20, p, trial % 3 == 0 ? 1 : trial % 3 == 1 ? 0.4 : 0, 0.3, trial % 2);
        double b[6], q[6], diagonal[6];
        CHECK(flsq_elastic_net_paths(kernels, 1, &a.view, 1, &a.out) == FLSQ_OK);
        for (int k = 0; k < ALPHAS; k++) {
            long double rss = a.view.yy, penalty = 0, least;
            for (int64_t j = 0; j < p; j++)
                b[j] = trial % 2 ? fabs(oracle_real()) : oracle_real();
            for (int64_t j = 0; j < p; j++) {
                q[j] = a.c[j], diagonal[j] = a.m[j * (p + 1)];
                for (int64_t i = 0; i < p; i++)
                    q[j] -= a.m[j * p + i] * b[i];
                rss -= b[j] * ((long double)a.c[j] + q[j]);
                penalty += a.alpha[k] * (a.l1[j] * fabs(b[j]) + a.l2[j] * b[j] * b[j] / 2);
            }
            breach_of(&a, k, &least);
            CASE("trial %d, alpha %d", trial, k);
            CHECK(flsq_duality_gap(p, b, q, a.l1, a.l2, diagonal, a.alpha[k], trial % 2, a.view.yy, (double)rss) >=
                  (double)(rss / 2 + penalty - least) - 1e-12);
        }
        net_free(&a);
    }
}
