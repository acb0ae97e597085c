/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Twice the digits: integers of 40 bits, whose products have 80 and whose sums fit into 128.  What cancels leaves numbers a
 * double has no trace of; the pairs must hold them to the last unit.  So the error-free transformations are proved for every
 * instruction set: one product or sum that is rounded unseen, and 30 bits are wrong.
 */
#include "blocksizes.h"
#include "check.h"
#include "oracle.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef __int128 wide;

static double large_integer(void) { return (double)((int64_t)(oracle_bits() >> 24) - ((int64_t)1 << 39)); }

static double *large_integers(int64_t count)
{
    double *const values = oracle_doubles(count);
    for (int64_t i = 0; i < count; i++)
        values[i] = large_integer();
    return values;
}

/* Whether high + low is the integer, to a ten-thousandth of a unit. */
static int is_wide(double high, double low, wide expected)
{
    return fabs((double)(expected - (wide)high) - low) < 1e-4;
}

void test_residual_twofold(const flsq_kernels *kernels)
{
    const int64_t nr = kernels->nr;
    for (int64_t panels = 0; panels <= 3; panels++)
        for (int64_t rows = 0; rows <= 2 * FLSQ_MAX_LANES + 3; rows++) {
            const int64_t stride = rows * nr + FLSQ_PANEL_GAP, length = panels * nr;
            double *const z = large_integers(panels * stride), *const b = large_integers(length);
            double *const b_low = oracle_doubles(length), *const r = oracle_doubles(rows), *const r_low = oracle_doubles(rows);
            wide *const exact = calloc((size_t)rows + 1, sizeof *exact);
            for (int64_t j = 0; j < length; j++)
                b_low[j] = (double)(j % 3) / 4;
            for (int64_t k = 0; k < rows; k++) {
                wide sum = 0; /* of quarters */
                for (int64_t j = 0; j < length; j++)
                    sum += (wide)z[j / nr * stride + k * nr + j % nr] * ((wide)b[j] * 4 + (wide)(4 * b_low[j]));
                r[k] = (double)(sum / 4);
                exact[k] = (wide)r[k] * 4 - sum;
            }
            kernels->residual_twofold(rows, panels, z, stride, b, b_low, r, r_low);
            CASE("%lld rows, %lld panels", (long long)rows, (long long)panels);
            for (int64_t k = 0; k < rows; k++)
                CHECK(is_wide(4 * r[k], 4 * r_low[k], exact[k]));
            free(z), free(b), free(b_low), free(r), free(r_low), free(exact);
        }
}

void test_gradient_twofold(const flsq_kernels *kernels)
{
    const int64_t nr = kernels->nr;
    for (int64_t rows = 0; rows <= FLSQ_MAX_KC; rows++) {
        double *const z = large_integers(rows * nr), *const r = large_integers(rows), *const r_low = oracle_doubles(rows);
        double *const g = large_integers(nr), *const g_low = oracle_doubles(nr);
        wide *const exact = calloc((size_t)nr, sizeof *exact);
        for (int64_t j = 0; j < nr; j++)
            exact[j] = (wide)g[j] * 4;
        for (int64_t k = 0; k < rows; k++) {
            r_low[k] = (double)(k % 3) / 4;
            for (int64_t j = 0; j < nr; j++)
                exact[j] += (wide)z[k * nr + j] * ((wide)r[k] * 4 + k % 3);
        }
        kernels->gradient_twofold(rows, z, r, r_low, g, g_low);
        CASE("%lld rows", (long long)rows);
        for (int64_t j = 0; j < nr; j++)
            CHECK(is_wide(4 * g[j], 4 * g_low[j], exact[j]));
        free(z), free(r), free(r_low), free(g), free(g_low), free(exact);
    }
}

void test_weigh_twofold(const flsq_kernels *kernels)
{
    enum { ROWS = 21 };
    for (int weighted = 0; weighted <= 1; weighted++) {
        double w[ROWS], r[ROWS], r_low[ROWS], out[ROWS], out_low[ROWS], sum = 0, error = 0;
        wide exact = 0;
        for (int64_t k = 0; k < ROWS; k++) {
            w[k] = (double)(1 + k % 3);
            r[k] = large_integer();
            r_low[k] = 0;
            exact += (wide)r[k] * (wide)r[k] * (weighted ? (wide)w[k] : 1);
        }
        kernels->weigh_twofold(ROWS, weighted ? w : NULL, r, r_low, out, out_low, &sum, &error);
        CASE("weighted %d", weighted);
        CHECK(is_wide(sum, error, exact));
        for (int64_t k = 0; k < ROWS; k++)
            CHECK(out[k] == r[k] * (weighted ? w[k] : 1) && out_low[k] == 0);
        kernels->weigh_twofold(ROWS, NULL, r, r_low, r, r_low, &sum, &error); /* in place */
        CHECK(r[3] == out[3] / (weighted ? w[3] : 1));
    }
}

/* The pass as a whole: columns and targets exact integers, residuals 2^-40 of them. */
static void try_pass(const flsq_kernels *kernels, int64_t n, int64_t p, int64_t k, int flags, layout form)
{
    problem a = problem_make(FLSQ_F64, form, n, p, k, flags, INTEGERS);
    const int64_t lead = a.lead;
    double *const b = large_integers(lead * k), *const low = oracle_doubles(lead * k), *const rss = oracle_doubles(k);
    double *const g = oracle_doubles(lead * k), *const g_low = oracle_doubles(lead * k);
    double *const again = oracle_doubles(lead * k), *const again_low = oracle_doubles(lead * k);
    wide *const exact = calloc((size_t)(lead * k) + 1, sizeof *exact);
    for (int64_t i = 0; i < n; i++)
        for (int64_t t = 0; t < k; t++) {
            wide r = (wide)a.z[i * a.width + lead + t];
            for (int64_t j = 0; j < lead; j++)
                r -= (wide)a.z[i * a.width + j] * (wide)b[j * k + t];
            for (int64_t j = 0; j < lead; j++)
                exact[j * k + t] += (wide)a.weight[i] * (wide)a.z[i * a.width + j] * r;
        }
    const flsq_rows rows = problem_rows(&a, 0, n);
    CASE("n = %lld, p = %lld, k = %lld, flags %d, %s", (long long)n, (long long)p, (long long)k, flags, layout_name(form));
    CHECK(flsq_residual_twofold(kernels, &rows, b, low, g, g_low, rss, 1) == FLSQ_OK);
    for (int64_t i = 0; i < lead * k; i++)
        CHECK(is_wide(g[i], g_low[i], exact[i]));
    for (int n_threads = 2; n_threads <= 3; n_threads++) {
        CHECK(flsq_residual_twofold(kernels, &rows, b, low, again, again_low, rss, n_threads) == FLSQ_OK);
        CHECK(same_bits(lead * k, g, again) && same_bits(lead * k, g_low, again_low));
    }
    problem_free(&a), free(b), free(low), free(rss), free(g), free(g_low), free(again), free(again_low), free(exact);
}

void test_twofold_pass(const flsq_kernels *kernels)
{
    const int64_t nr = kernels->nr, block = FLSQ_RESIDUAL_BLOCK_ROWS(3, 1);
    const int64_t columns[] = {1, 3, nr - 1, nr, 2 * nr + 1};
    const int64_t rows[] = {1, FLSQ_RESIDUAL_ROWS(3) + 1, block - 1, 3 * block + 2};
    int turn = 0;
    for (int i = 0; i < COUNT_OF(columns); i++)
        for (int j = 0; j < COUNT_OF(rows); j++, turn++)
            try_pass(kernels, rows[j], columns[i], 1 + turn % 3, (turn % 2 ? WEIGHTED : 0) | (turn % 4 < 2 ? UNIT : 0),
                     turn % LAYOUTS);
}

/* Rows of length 1, one of them of 2^e. */
void test_row_spread(const flsq_kernels *kernels)
{
    for (int64_t p = 1; p <= 2 * kernels->nr + 1; p += kernels->nr)
        for (int e = 0; e <= 40; e += 20)
            for (int n_threads = 1; n_threads <= 3; n_threads++) {
                problem a = problem_make(FLSQ_F64, F_ORDER, 101, p, 0, 0, INTEGERS);
                double *const factor = oracle_doubles(p), *const transform = oracle_doubles(p * p);
                flsq_lengths lengths = {.factor = factor};
                flsq_gram *gram;
                for (int64_t i = 0; i < a.n; i++)
                    for (int64_t j = 0; j < p; j++)
                        array_set(&a.x, i, j, i == 70 ? ldexp(4.0, e) : 4.0);
                for (int64_t j = 0; j < p; j++) {
                    factor[j] = 0.25;
                    transform[j * p + j] = 1;
                }
                flsq_rows rows = problem_rows(&a, 0, a.n);
                rows.transform = transform;
                rows.lengths = &lengths;
                CASE("p = %lld, 2^%d, %d threads", (long long)p, e, n_threads);
                CHECK(flsq_gram_create(kernels, p, 0, 0, &gram) == FLSQ_OK);
                CHECK(flsq_gram_update(gram, &rows, n_threads) == FLSQ_OK);
                CHECK(flsq_lengths_spread(&lengths) == ldexp(1.0, e));
                flsq_gram_destroy(gram);
                problem_free(&a), free(factor), free(transform);
            }
}

/* Powers of small integers and targets that integers solve: steps with twice the digits end within a last bit of these, from a
 * start with half of them; in the norm in which columns have equal length. */
void test_full(const flsq_kernels *kernels)
{
    const int64_t counts[] = {6, 7, 40, FLSQ_RESIDUAL_ROWS(1) + 1, 3 * FLSQ_RESIDUAL_BLOCK_ROWS(1, 1) + 1};
    for (int s = 0; s < COUNT_OF(counts); s++)
        for (int64_t k = 1; k <= 3; k += 2) {
            const int64_t n = counts[s], p = 6;
            double *const x = oracle_doubles(n * p), *const y = oracle_doubles(n * k), *const b = oracle_doubles(p * k);
            double *const found = oracle_doubles(p * k), *const rss = oracle_doubles(k);
            double *const r = oracle_doubles(p * p), *const scale = oracle_doubles(p);
            CASE("n = %lld, k = %lld", (long long)n, (long long)k);
            for (int64_t i = 0; i < p * k; i++)
                b[i] = oracle_integer(-9, 9);
            for (int64_t i = 0; i < n; i++)
                for (int64_t j = 0; j < p; j++) {
                    x[i * p + j] = j == 0 ? 1.0 : x[i * p + j - 1] * (double)(i % 21);
                    for (int64_t t = 0; t < k; t++)
                        y[i * k + t] += x[i * p + j] * b[j * k + t];
                }
            const flsq_rows rows = {.x = {x, n, p, p * 8, 8, FLSQ_F64}, .y = {y, n, k, k * 8, 8, FLSQ_F64}};
            flsq_factor factor = {.n = p, .r = r, .scale = scale};
            flsq_report report;
            flsq_full full;
            CHECK(flsq_lstsq(kernels, &rows, 0, 1, &factor, found, rss, &report, NULL) == FLSQ_OK);
            CHECK(report.verdict == FLSQ_CERTIFIED);
            for (int64_t i = 0; i < p * k; i++)
                found[i] *= 1 + 0x1p-26;
            CHECK(flsq_refine_fully(kernels, &rows, &factor, 2, found, rss, &full) == FLSQ_OK);
            for (int64_t t = 0; t < k; t++) {
                double error = 0, size = 0;
                for (int64_t j = 0; j < p; j++) {
                    error = hypot(error, (found[j * k + t] - b[j * k + t]) / scale[j]);
                    size = hypot(size, b[j * k + t] / scale[j]);
                }
                CHECK(error <= 0x1p-53 * size);
            }
            CHECK(full.passes >= 2 && full.change <= 0x1p-57);
            for (int64_t t = 0; t < k; t++)
                CHECK(rss[t] <= 1e-20);
            free(x), free(y), free(b), free(found), free(rss), free(r), free(scale);
        }
}
