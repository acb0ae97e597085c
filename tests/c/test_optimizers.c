/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Steps of optimizers: every loop beside the formulas in long double, at every number of elements around a vector; arrays cut
 * into pages and dealt to threads; what lies beside an array stays.
 */
#include "check.h"
#include "oracle.h"
#include "optimizers.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { GUARD = 3, STEPS = 5 };

static const flsq_optimizer rules[] = {
    {.rule = FLSQ_RULE_SGD},
    {.rule = FLSQ_RULE_SGD, .momentum = 0.9, .dampening = 0.25, .weight_decay = 0.1},
    {.rule = FLSQ_RULE_SGD, .momentum = 0.9, .nesterov = 1, .maximize = 1},
    {.rule = FLSQ_RULE_RMSPROP, .beta2 = 0.9, .eps = 1e-8},
    {.rule = FLSQ_RULE_RMSPROP, .beta2 = 0.9, .eps = 1e-8, .momentum = 0.5, .clip_value = 0.5},
    {.rule = FLSQ_RULE_RMSPROP, .beta2 = 0.9, .eps = 1e-2, .centered = 1},
    {.rule = FLSQ_RULE_RMSPROP, .beta2 = 0.9, .eps = 1e-2, .centered = 1, .momentum = 0.5},
    {.rule = FLSQ_RULE_ADAGRAD, .eps = 1e-10, .rate_decay = 0.1},
    {.rule = FLSQ_RULE_ADAM, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.1},
    {.rule = FLSQ_RULE_ADAM, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.1, .decoupled = 1, .amsgrad = 1},
};

/* One element, one step; state: momentum or mean, mean square, mean gradient or largest. */
static long double slow_step(const flsq_optimizer *s, long double lr, int t, long double p, long double g, long double *m,
                             long double *v, long double *c)
{
    if (s->clip_value > 0)
        g = fminl(fmaxl(g, -s->clip_value), s->clip_value);
    g = (s->maximize ? -g : g) + (s->decoupled ? 0 : s->weight_decay * p);
    p *= s->decoupled ? 1 - lr * s->weight_decay : 1;
    switch ((flsq_rule)s->rule) {
    case FLSQ_RULE_SGD:
        if (s->momentum == 0)
            return p - lr * g;
        *m = t == 1 ? g : s->momentum * *m + (1 - s->dampening) * g;
        return p - lr * (s->nesterov ? g + s->momentum * *m : *m);
    case FLSQ_RULE_RMSPROP:
        *v = s->beta2 * *v + (1 - s->beta2) * g * g;
        *c = s->beta2 * *c + (1 - s->beta2) * g;
        g /= sqrtl(s->centered ? *v - *c * *c : *v) + s->eps;
        *m = s->momentum * *m + g;
        return p - lr * *m;
    case FLSQ_RULE_ADAGRAD:
        *v += g * g;
        return p - lr / (1 + (t - 1) * s->rate_decay) * g / (sqrtl(*v) + s->eps);
    default:
        *m = s->beta1 * *m + (1 - s->beta1) * g;
        *v = s->beta2 * *v + (1 - s->beta2) * g * g;
        *c = fmaxl(*c, *v);
        return p - lr / (1 - powl(s->beta1, t)) * *m /
                       (sqrtl((s->amsgrad ? *c : *v) / (1 - powl(s->beta2, t))) + s->eps);
    }
}

/* STEPS steps of n elements that lie in `room` after GUARD others; the largest error. */
static long double error_of(const flsq_kernels *kernels, const flsq_optimizer *rule, int64_t n, int single, int n_threads)
{
    const int64_t total = n + 2 * GUARD, item = single ? sizeof(float) : sizeof(double);
    char *memory[5];
    for (int a = 0; a < 5; a++) {
        memory[a] = calloc((size_t)total, (size_t)item);
        for (int64_t i = 0; a < 2 && i < total; i++) {
            const double x = oracle_real();
            if (single)
                ((float *)memory[a])[i] = (float)x;
            else
                ((double *)memory[a])[i] = x;
        }
    }
#define AT(a, i) ((long double)(single ? ((float *)memory[a])[i] : ((double *)memory[a])[i]))
    long double *const slow = calloc((size_t)(4 * total), sizeof *slow), worst = 0;
    for (int64_t i = 0; i < total; i++)
        slow[i] = AT(0, i);
    const int kept = flsq_optimizer_states(rule);
    for (int t = 1; t <= STEPS; t++) {
        flsq_parameter a = {.n = n, .t = t, .dtype = single ? FLSQ_F32 : FLSQ_F64, .values = memory[0] + GUARD * item,
                            .gradient = memory[1] + GUARD * item};
        for (int s = 0; s < FLSQ_STATES; s++)
            a.state[s] = kept >> s & 1 ? memory[2 + s] + GUARD * item : NULL;
        flsq_optimizer_step(kernels, rule, 0.125, 1.0, 1, &a, n_threads);
        for (int64_t i = GUARD; i < GUARD + n; i++)
            slow[i] = slow_step(rule, 0.125L, t, slow[i], AT(1, i), &slow[total + i], &slow[2 * total + i],
                                &slow[3 * total + i]);
    }
    for (int64_t i = 0; i < total; i++)
        worst = fmaxl(worst, fabsl(AT(0, i) - slow[i]));
    for (int a = 0; a < 5; a++) {
        for (int64_t i = 0; i < GUARD && a > 1; i++)
            CHECK(AT(a, i) == 0 && AT(a, total - 1 - i) == 0);
        free(memory[a]);
    }
#undef AT
    free(slow);
    return worst;
}

void test_optimizers(const flsq_kernels *kernels)
{
    for (int r = 0; r < COUNT_OF(rules); r++)
        for (int single = 0; single < 2; single++)
            for (int64_t n = 0; n <= 4 * kernels->lanes + 3; n++) {
                CASE("rule %d, single %d, n = %lld", r, single, (long long)n);
                CHECK(error_of(kernels, &rules[r], n, single, 1 + (int)n % 3) < (single ? 2e-5L : 1e-13L));
            }
}

void test_optimizer_pages(const flsq_kernels *kernels)
{
    const int64_t n = 3 * 32768 + 5;
    double *const g = oracle_reals(n), *const start = oracle_reals(n), *const one = oracle_copy(start, n);
    const int threads[] = {1, 2, 3, 8};
    flsq_optimizer rule = rules[COUNT_OF(rules) - 1];
    for (int i = 0; i < COUNT_OF(threads); i++) {
        double *const p = oracle_copy(start, n), *const state = oracle_doubles(3 * n);
        /* two arrays one behind the other */
        const int64_t first = 32768 + 1;
        flsq_parameter a[2] = {
            {.n = first, .t = 1, .values = p, .gradient = g, .state = {state, state + n, state + 2 * n}},
            {.n = n - first, .t = 1, .values = p + first, .gradient = g + first,
             .state = {state + first, state + n + first, state + 2 * n + first}}};
        double norm, left;
        CASE("%d threads", threads[i]);
        flsq_optimizer_step(kernels, &rule, 0.125, 0.5, 2, a, threads[i]);
        if (i == 0)
            memcpy(one, p, (size_t)n * sizeof *p);
        CHECK(same_bits(n, p, one));
        CHECK(flsq_gradient_norm(kernels, 0, 2, a, threads[i], &norm) == FLSQ_OK);
        CHECK(flsq_gradient_norm(kernels, 0, 2, a, 1, &left) == FLSQ_OK);
        CHECK(norm == left);
        long double sum = 0;
        for (int64_t k = 0; k < n; k++)
            sum += (long double)g[k] * g[k];
        CHECK(fabsl(norm - sqrtl(sum)) < 1e-13L * sqrtl(sum));
        free(p), free(state);
    }
    CHECK(first_difference(n, one, start) == 0);
    free(g), free(start), free(one);
}
