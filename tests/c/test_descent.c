/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Gradient descent: orders are permutations; losses beside long double; gradients exact on integers; steps over batches and over
 * single rows beside a slow loop; the same bits for any number of threads, memory order and dtype that holds the values.
 */
#include "blocksizes.h"
#include "check.h"
#include "oracle.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const int threads[] = {1, 2, 3, 8};

/* ---- orders ------------------------------------------------------------------------------------------------------- */

void test_descent_order(const flsq_kernels *kernels)
{
    const int64_t rows[] = {1, 2, 3, 7, 8, 9, 63, 64, 65, 100, 1000};
    (void)kernels;
    for (int i = 0; i < COUNT_OF(rows); i++)
        for (int64_t block = 1; block <= 17; block += 4)
            for (uint64_t key = 0; key < 5; key++) {
                const int64_t n = rows[i];
                const flsq_order order = {.rows = n, .block_rows = block, .shuffled = key > 0, .key = key};
                int64_t *const at = calloc((size_t)n, sizeof *at), *const seen = calloc((size_t)n, sizeof *seen);
                CASE("n = %lld, blocks of %lld, key %d", (long long)n, (long long)block, (int)key);
                flsq_order_rows(&order, at);
                for (int64_t place = 0; place < n; place++) {
                    if (!CHECK(at[place] >= 0 && at[place] < n))
                        break;
                    seen[at[place]]++;
                    CHECK(key > 0 || at[place] == place);
                    CHECK(at[place] % block == 0 || at[place - 1] == at[place] - 1); /* blocks stay whole */
                }
                for (int64_t row = 0; row < n; row++)
                    CHECK(seen[row] == 1);
                free(at), free(seen);
            }
}

/* ---- losses ------------------------------------------------------------------------------------------------------- */

static long double slow_loss(flsq_loss_kind kind, long double a, long double eta, long double y, long double *slope)
{
    const long double e = eta - y, sign = 2 * y - 1;
    switch (kind) {
    case FLSQ_LOSS_HUBER:
        *slope = fminl(fmaxl(e, -a), a);
        return fabsl(e) <= a ? e * e / 2 : a * (fabsl(e) - a / 2);
    case FLSQ_LOSS_QUANTILE:
        *slope = e < 0 ? -a : e > 0 ? 1 - a : 0;
        return e < 0 ? -a * e : (1 - a) * e;
    case FLSQ_LOSS_EPSILON_INSENSITIVE:
        *slope = fabsl(e) > a ? copysignl(1, e) : 0;
        return fmaxl(fabsl(e) - a, 0);
    case FLSQ_LOSS_LOGISTIC:
        *slope = 1 / (1 + expl(-eta)) - y;
        return log1pl(expl(-fabsl(eta))) + fmaxl(eta, 0) - y * eta;
    case FLSQ_LOSS_HINGE:
        *slope = 1 - sign * eta > 0 ? -sign : 0;
        return fmaxl(1 - sign * eta, 0);
    case FLSQ_LOSS_POISSON:
        *slope = expl(eta) - y;
        return expl(eta) - y * eta;
    default:
        *slope = e;
        return e * e / 2;
    }
}

void test_descent_losses(const flsq_kernels *kernels)
{
    enum { N = 64 };
    for (int kind = FLSQ_LOSS_SQUARED; kind < FLSQ_LOSS_SOFTMAX; kind++)
        for (int one_class = 0; one_class < 2; one_class++) {
            const flsq_loss loss = {.kind = (flsq_loss_kind)kind, .parameter = 0.25, .one_class = one_class, .label = 2};
            double eta[N], y[N], w[N], r[N];
            long double total = 0, size = 0;
            CASE("loss %d, one class %d", kind, one_class);
            for (int i = 0; i < N; i++) {
                const int labels = kind == FLSQ_LOSS_HINGE || kind == FLSQ_LOSS_LOGISTIC || one_class;
                eta[i] = 8 * oracle_real();
                y[i] = one_class ? oracle_integer(0, 3) : labels ? oracle_integer(0, 1) : 2 * oracle_real();
                w[i] = i % 7 == 0 ? 0.0 : 1 + oracle_real();
            }
            eta[1] = y[1]; /* kinks */
            eta[2] = y[2] + 0.25;
            eta[7] = NAN; /* without weight */
            const double sum = kernels->loss_rows(&loss, N, eta, y, w, r);
            for (int i = 0; i < N; i++) {
                long double slope;
                const long double target = one_class ? y[i] == 2 : y[i];
                const long double value = slow_loss((flsq_loss_kind)kind, 0.25L, eta[i], target, &slope);
                if (w[i] == 0) {
                    CHECK(r[i] == 0);
                    continue;
                }
                total += w[i] * value;
                size += w[i] * (fabsl(value) + fabsl(eta[i] * target));
                CHECK(fabsl(r[i] - w[i] * slope) <= 1e-15L * w[i] * (fabsl(slope) + fabsl(target) + 1));
            }
            CHECK(fabsl(sum - total) <= 1e-15L * size + 1e-15L);
        }
}

/* ---- gradients ---------------------------------------------------------------------------------------------------- */

static flsq_descent descent_of(const problem *a, const double *y, const double *w)
{
    return (flsq_descent){.x = a->x.view, .y = y, .weights = w, .predictors = a->k, .loss = {.kind = FLSQ_LOSS_SQUARED}};
}

/* Targets and weights of a problem as the core takes them; coefficients as it keeps them. */
static void check_gradient(const flsq_kernels *kernels, const problem *a, const flsq_descent *descent, const double *b,
                           const double *g, const double *rss)
{
    const int64_t p = a->p, k = a->k, d = k * (p + 1);
    double *const own = oracle_doubles(d), *const gradient = oracle_doubles(d), loss, weight, total = 0;
    for (int64_t c = 0; c < k; c++) {
        for (int64_t j = 0; j < p; j++)
            own[c * p + j] = b[j * k + c];
        own[k * p + c] = b[p * k + c];
        total += 0.5 * rss[c];
    }
    for (int t = 0; t < COUNT_OF(threads); t++) {
        CHECK(flsq_descent_evaluate(kernels, descent, own, threads[t], &loss, &weight, gradient) == FLSQ_OK);
        CHECK(loss == total);
        for (int64_t c = 0; c < k; c++) {
            for (int64_t j = 0; j < p; j++)
                CHECK(gradient[c * p + j] == -g[j * k + c]);
            CHECK(gradient[k * p + c] == -g[p * k + c]);
        }
    }
    free(own), free(gradient);
}

void test_descent_gradient(const flsq_kernels *kernels)
{
    const int64_t lanes = kernels->lanes, nr = kernels->nr;
    const int64_t widths[] = {1, lanes - 1, lanes, lanes + 1, nr, nr + 1}, rows[] = {1, 7, 8, 9, 40, 2 * 32 + 3};
    const flsq_dtype dtypes[] = {FLSQ_F64, FLSQ_F32, FLSQ_I16};
    for (int i = 0; i < COUNT_OF(widths); i++)
        for (int r = 0; r < COUNT_OF(rows); r++)
            for (int dtype = 0; dtype < COUNT_OF(dtypes); dtype++)
                for (int form = 0; form < ZERO_ROWS; form++) {
                    if (widths[i] == 0)
                        continue;
                    const int64_t k = 1 + form % 2;
                    problem a = problem_make(dtypes[dtype], (layout)form, rows[r], widths[i], k, UNIT | WEIGHTED, INTEGERS);
                    double *const b = oracle_integers(a.lead * k, -2, 2), *const g = oracle_doubles(a.lead * k);
                    double *const rss = oracle_doubles(k), *const res = oracle_doubles(a.n * k), *const y = oracle_doubles(a.n * k);
                    CASE("%lld x %lld, %s, %s", (long long)a.n, (long long)a.p, dtype_name(dtypes[dtype]), layout_name((layout)form));
                    oracle_residual(&a, b, g, rss, res);
                    for (int64_t row = 0; row < a.n; row++)
                        for (int64_t c = 0; c < k; c++)
                            y[row * k + c] = a.z[row * a.width + a.lead + c];
                    flsq_descent descent = descent_of(&a, y, a.weight);
                    check_gradient(kernels, &a, &descent, b, g, rss);
                    free(b), free(g), free(rss), free(res), free(y);
                    problem_free(&a);
                }
}

/* ---- steps -------------------------------------------------------------------------------------------------------- */

typedef struct training {
    const problem *a;
    const double *y, *w;
    flsq_descent_plan plan;
    int saga;
} training;

/* The last coefficients after all steps; average, too. */
static void run(const flsq_kernels *kernels, const training *t, const problem *a, int n_threads, double *b, double *average)
{
    const int64_t d = a->p + 1;
    double *const states = oracle_doubles(3 * d), *const kept = oracle_doubles(a->n), *const mean = oracle_doubles(d);
    const int bits = flsq_optimizer_states(t->plan.optimizer);
    flsq_descent_state state = {.b = b, .average = average};
    flsq_descent_report report;
    for (int s = 0; s < FLSQ_STATES; s++)
        state.state[s] = bits >> s & 1 ? states + s * d : NULL;
    if (t->saga) {
        state.kept = kept;
        state.mean = mean;
    }
    flsq_descent descent = descent_of(a, t->y, t->w);
    descent.loss.kind = FLSQ_LOSS_LOGISTIC;
    memset(b, 0, (size_t)d * sizeof *b);
    memset(average, 0, (size_t)d * sizeof *b);
    CHECK(flsq_descent_run(kernels, &descent, &t->plan, &state, n_threads, &report) == FLSQ_OK);
    CHECK(report.finite && report.steps == t->plan.steps && report.rows == a->n && state.steps == t->plan.steps);
    free(states), free(kept), free(mean);
}

/* The same in long double, for momentum or plain steps, with SAGA's memory if asked for. */
static void slow_run(const training *t, long double *b, long double *average)
{
    const problem *const a = t->a;
    const flsq_descent_plan *const plan = &t->plan;
    const int64_t p = a->p, n = a->n;
    int64_t *const rows = calloc((size_t)n, sizeof *rows);
    long double *const g = calloc((size_t)(4 * p + 4 + n), sizeof *g), *const m = g + p + 1, *const mean = m + p + 1;
    long double *const kept = mean + p + 1;
    flsq_order_rows(&plan->order, rows);
    for (int64_t step = 0; step < plan->steps; step++) {
        const int64_t begin = step * plan->batch_rows, end = FLSQ_MIN(begin + plan->batch_rows, n);
        memset(g, 0, (size_t)(p + 1) * sizeof *g);
        for (int64_t place = begin; place < end; place++) {
            const double *const z = a->z + rows[place] * a->width;
            long double eta = b[p], slope;
            for (int64_t j = 0; j < p; j++)
                eta += z[j] * b[j];
            slow_loss(FLSQ_LOSS_LOGISTIC, 0, eta, t->y[rows[place]], &slope);
            slope *= t->w[rows[place]] / plan->mean_weight / (end - begin);
            const long double change = t->saga ? slope - kept[rows[place]] : slope;
            kept[rows[place]] = slope;
            for (int64_t j = 0; j <= p; j++) {
                const long double x = j < p ? z[j] : 1;
                g[j] += change * x + (t->saga ? mean[j] : 0);
                mean[j] += change * x / n;
            }
        }
        for (int64_t j = 0; j <= p; j++) {
            m[j] = plan->optimizer->momentum * m[j] + g[j] + (j < p ? plan->l2 * b[j] : 0);
            b[j] -= plan->rates[step] * m[j];
            const long double by = plan->rates[step] * plan->l1 / (1 - plan->optimizer->momentum);
            if (j < p)
                b[j] = copysignl(fmaxl(fabsl(b[j]) - by, 0), b[j]);
            if (step >= plan->average_from)
                average[j] += (b[j] - average[j]) / (step - plan->average_from + 1);
        }
    }
    free(rows), free(g);
}

static void check_steps(const flsq_kernels *kernels, int64_t n, int64_t p, int64_t batch, double momentum, int saga)
{
    const flsq_optimizer optimizer = {.rule = FLSQ_RULE_SGD, .momentum = momentum};
    const int64_t steps = FLSQ_CEIL_DIV(n, batch), d = p + 1;
    const layout forms[] = {C_ORDER, F_ORDER, PADDED_C, STRIDED, NEGATIVE, BACKWARD_ROWS};
    problem a = problem_make(FLSQ_F64, C_ORDER, n, p, 1, WEIGHTED, REALS);
    double *const y = oracle_integers(n, 0, 1), *const rates = oracle_doubles(steps), *const b = oracle_doubles(d);
    double *const average = oracle_doubles(d), *const other = oracle_doubles(d), *const other_average = oracle_doubles(d);
    long double *const slow = calloc((size_t)(2 * d), sizeof *slow);
    for (int64_t i = 0; i < steps; i++)
        rates[i] = 0.25 / (double)(1 + i % 5);
    training t = {.a = &a, .y = y, .w = a.weight, .saga = saga,
                  .plan = {.optimizer = &optimizer, .order = {.rows = n, .block_rows = 4, .shuffled = 1, .key = 7},
                           .batch_rows = batch, .steps = steps, .rates = rates, .mean_weight = 1.5, .l1 = 0.01, .l2 = 0.125,
                           .intercept = 1, .average_from = steps / 2}};
    CASE("%lld x %lld in batches of %lld, momentum %g, saga %d", (long long)n, (long long)p, (long long)batch, momentum, saga);
    slow_run(&t, slow, slow + d);
    run(kernels, &t, &a, 1, b, average);
    for (int64_t j = 0; j < d; j++) {
        CHECK(fabsl(b[j] - slow[j]) <= 1e-13L);
        CHECK(fabsl(average[j] - slow[d + j]) <= 1e-13L);
    }
    for (int i = 0; i < COUNT_OF(forms); i++) {
        problem like = problem_like(&a, forms[i]);
        for (int s = 0; s < COUNT_OF(threads); s++) {
            run(kernels, &t, &like, threads[s], other, other_average);
            CHECK(same_bits(d, b, other) && same_bits(d, average, other_average));
        }
        problem_free(&like);
    }
    free(y), free(rates), free(b), free(average), free(other), free(other_average), free(slow);
    problem_free(&a);
}

void test_descent_steps(const flsq_kernels *kernels)
{
    const int64_t widths[] = {1, kernels->lanes - 1, kernels->lanes, 4 * kernels->lanes, 4 * kernels->lanes + 1};
    const int64_t batches[] = {2, 7, 8, 40, 200};
    for (int i = 0; i < COUNT_OF(widths); i++) {
        if (widths[i] == 0)
            continue;
        for (int j = 0; j < COUNT_OF(batches); j++)
            check_steps(kernels, 203, widths[i], batches[j], j % 2 == 0 ? 0.5 : 0, 0);
        check_steps(kernels, 203, widths[i], 1, 0, 0);
        check_steps(kernels, 203, widths[i], 1, 0.5, 0);
        check_steps(kernels, 203, widths[i], 1, 0, 1);
    }
}

/* What is not finite ends a run before the step that meets it. */
void test_descent_refuses(const flsq_kernels *kernels)
{
    const flsq_optimizer optimizer = {.rule = FLSQ_RULE_SGD};
    for (int64_t batch = 1; batch <= 16; batch *= 4)
        for (int t = 0; t < COUNT_OF(threads); t++) {
            problem a = problem_make(FLSQ_F64, C_ORDER, 64, 3, 1, 0, REALS);
            double y[64] = {0}, rates[64], b[4] = {0}, expected[4];
            flsq_descent_report report;
            array_set(&a.x, 32, 1, NAN);
            for (int i = 0; i < 64; i++)
                rates[i] = 0.1;
            flsq_descent descent = descent_of(&a, y, NULL);
            flsq_descent_plan plan = {.optimizer = &optimizer, .order = {.rows = 64, .block_rows = 64}, .batch_rows = batch,
                                      .steps = 32 / batch, .rates = rates, .mean_weight = 1, .intercept = 1};
            flsq_descent_state state = {.b = b};
            CASE("batches of %lld, %d threads", (long long)batch, threads[t]);
            CHECK(flsq_descent_run(kernels, &descent, &plan, &state, threads[t], &report) == FLSQ_OK && report.finite);
            memcpy(expected, b, sizeof b);
            memset(b, 0, sizeof b);
            plan.steps = 64 / batch;
            state = (flsq_descent_state){.b = b};
            CHECK(flsq_descent_run(kernels, &descent, &plan, &state, threads[t], &report) == FLSQ_OK && !report.finite);
            CHECK(report.steps == 32 / batch && state.steps == 32 / batch && same_bits(4, b, expected));
            problem_free(&a);
        }
}

/* ---- columns ------------------------------------------------------------------------------------------------------ */

void test_column_moments(const flsq_kernels *kernels)
{
    const int64_t widths[] = {1, kernels->nr - 1, kernels->nr, kernels->nr + 1};
    for (int i = 0; i < COUNT_OF(widths); i++)
        for (int form = 0; form < ZERO_ROWS; form++)
            for (int weighted = 0; weighted < 2; weighted++) {
                const int64_t p = widths[i];
                problem a = problem_make(FLSQ_F32, (layout)form, 67, p, 1, weighted ? WEIGHTED : 0, INTEGERS);
                double *const shift = oracle_integers(p, -3, 3), *const sums = oracle_doubles(p), *const squares = oracle_doubles(p);
                CASE("%lld columns, %s, weighted %d", (long long)p, layout_name((layout)form), weighted);
                CHECK(flsq_column_moments(kernels, &a.x.view, weighted ? a.weight : NULL, shift, 1 + form % 3, sums, squares) == FLSQ_OK);
                for (int64_t j = 0; j < p; j++) {
                    double s = 0, q = 0;
                    for (int64_t row = 0; row < a.n; row++) {
                        const double e = a.z[row * a.width + j] - shift[j];
                        s += a.weight[row] * e;
                        q += a.weight[row] * e * e;
                    }
                    CHECK(s == sums[j] && q == squares[j]);
                }
                free(shift), free(sums), free(squares);
                problem_free(&a);
            }
}
