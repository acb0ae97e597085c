/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Row and vector kernels on small integers, every row count up to KC.  Sums run along with the row count, so that the
 * oracle costs one row per case; arrays end where the last row ends.
 */
#include "blocksizes.h"
#include "check.h"
#include "oracle.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

void test_affine(const flsq_kernels *kernels)
{
    const int64_t nr = kernels->nr;
    for (int64_t rows = 0; rows <= FLSQ_MAX_KC; rows++) {
        const int64_t columns = 1 + rows % nr, used = FLSQ_CEIL_DIV(columns, kernels->lanes) * kernels->lanes;
        double *const panel = oracle_integers(rows * nr, -4, 4), *const expected = oracle_copy(panel, rows * nr);
        double *const scale = oracle_integers(nr, 1, 3), *const offset = oracle_integers(nr, -3, 3);
        for (int64_t i = 0; i < rows * nr; i++)
            expected[i] = i % nr < used ? panel[i] * scale[i % nr] - offset[i % nr] : panel[i];
        kernels->affine(rows, columns, scale, offset, panel, nr);
        CASE("%lld rows of %lld", (long long)rows, (long long)columns);
        CHECK(first_difference(rows * nr, panel, expected) == -1);
        free(panel), free(expected), free(scale), free(offset);
    }
}

void test_weigh(const flsq_kernels *kernels)
{
    const int64_t nr = kernels->nr;
    for (int64_t rows = 0; rows <= FLSQ_MAX_KC; rows++) {
        const int64_t columns = 1 + rows % nr, used = FLSQ_CEIL_DIV(columns, kernels->lanes) * kernels->lanes;
        double *const source = oracle_integers(rows * nr, -4, 4), *const kept = oracle_copy(source, rows * nr);
        double *const w = oracle_integers(rows, 0, 5), *const target = oracle_doubles(rows * nr);
        double *const expected = oracle_doubles(rows * nr);
        for (int64_t i = 0; i < rows * nr; i++)
            expected[i] = i % nr < used ? w[i / nr] * source[i] : target[i];
        kernels->weigh(rows, columns, w, source, target);
        CASE("%lld rows of %lld", (long long)rows, (long long)columns);
        CHECK(first_difference(rows * nr, target, expected) == -1);
        CHECK(same_bits(rows * nr, source, kept));
        free(source), free(kept), free(w), free(target), free(expected);
    }
}

void test_residual_rows(const flsq_kernels *kernels)
{
    const int64_t nr = kernels->nr;
    for (int64_t panels = 0; panels <= 3; panels++)
        for (int64_t rows = 0; rows <= FLSQ_MAX_KC; rows++) {
            const int64_t stride = rows * nr + FLSQ_PANEL_GAP;
            double *const z = oracle_integers(panels * stride, -4, 4), *const b = oracle_integers(panels * nr, -3, 3);
            double *const r = oracle_integers(rows, -9, 9), *const expected = oracle_copy(r, rows);
            for (int64_t k = 0; k < rows; k++)
                for (int64_t j = 0; j < panels * nr; j++)
                    expected[k] -= z[j / nr * stride + k * nr + j % nr] * b[j];
            kernels->residual(rows, panels, z, stride, b, r);
            CASE("%lld rows, %lld panels", (long long)rows, (long long)panels);
            CHECK(first_difference(rows, r, expected) == -1);
            free(z), free(b), free(r), free(expected);
        }
}

/* Unpacked rows: the same bits as packed, and lanes behind the last column do not matter, whatever they hold. */
static void check_in_place(const flsq_kernels *kernels, int64_t rows, int64_t columns, int unit, int weighted)
{
    const int64_t nr = kernels->nr, lead = columns + unit, step = 3 * nr + kernels->lanes;
    const int64_t panels = FLSQ_CEIL_DIV(lead, nr), stride = rows * nr + FLSQ_PANEL_GAP;
    double *const x = oracle_reals(rows * step + kernels->lanes), *const b = oracle_reals(panels * nr);
    double *const z = calloc((size_t)(panels * stride + 1), sizeof *z), *const w = oracle_reals(rows);
    double *const y = oracle_reals(rows), *const r = oracle_doubles(rows), *const expected_r = oracle_copy(y, rows);
    double *const wr = oracle_doubles(rows), *const expected_wr = oracle_doubles(rows);
    double *const g = oracle_reals(panels * nr), *const expected_g = oracle_copy(g, panels * nr);
    for (int64_t j = lead; j < panels * nr; j++)
        b[j] = 0;
    for (int64_t k = 0; k < rows; k++) {
        for (int64_t j = 0; j < lead; j++)
            z[j / nr * stride + k * nr + j % nr] = j < columns ? x[k * step + j] : 1.0;
        for (int64_t j = columns; j < step; j++)
            x[k * step + j] = NAN;
    }
    kernels->residual(rows, panels, z, stride, b, expected_r);
    for (int64_t k = 0; k < rows; k++)
        expected_wr[k] = weighted ? w[k] * expected_r[k] : expected_r[k];
    for (int64_t J = 0; J < panels; J++)
        kernels->gradient(rows, z + J * stride, nr, expected_wr, expected_g + J * nr);
    const double *const from = rows % 2 ? y : memcpy(r, y, (size_t)rows * sizeof *r); /* y may be r */
    kernels->residual_rows(rows, columns, unit, x, step, b, from, weighted ? w : NULL, r, weighted ? wr : r, g);
    CASE("%lld rows, %lld columns, unit %d, weighted %d", (long long)rows, (long long)columns, unit, weighted);
    CHECK(same_bits(rows, r, expected_r));
    CHECK(!weighted || same_bits(rows, wr, expected_wr));
    CHECK(first_difference(lead, g, expected_g) == -1 && same_bits(lead, g, expected_g));
    free(x), free(z), free(b), free(w), free(y), free(r), free(expected_r), free(wr), free(expected_wr), free(g), free(expected_g);
}

void test_residual_in_place(const flsq_kernels *kernels)
{
    for (int64_t columns = 0; columns <= 3 * kernels->nr; columns++)
        for (int64_t rows = 0; rows <= 17; rows++)
            for (int form = 0; form < 4; form++)
                check_in_place(kernels, rows, columns, form % 2, form / 2);
}

/* Eight rows at a time, and what is left: integers are exact. */
void test_gradient(const flsq_kernels *kernels)
{
    const int64_t nr = kernels->nr;
    double *const z = oracle_integers(FLSQ_MAX_KC * nr, -4, 4), *const r = oracle_integers(FLSQ_MAX_KC, -9, 9);
    double *const start = oracle_integers(nr, -5, 5), *const expected = oracle_copy(start, nr);
    for (int64_t rows = 0; rows <= FLSQ_MAX_KC; rows++) {
        double *const exact_z = oracle_copy(z, rows * nr), *const exact_r = oracle_copy(r, rows);
        double *const g = oracle_copy(start, nr);
        for (int64_t j = 0; rows > 0 && j < nr; j++)
            expected[j] += z[(rows - 1) * nr + j] * r[rows - 1];
        kernels->gradient(rows, exact_z, nr, exact_r, g);
        CASE("%lld rows", (long long)rows);
        CHECK(first_difference(nr, g, expected) == -1);
        free(exact_z), free(exact_r), free(g);
    }
    free(z), free(r), free(start), free(expected);
}

void test_dot_columns(const flsq_kernels *kernels)
{
    const int64_t nr = kernels->nr;
    double *const a = oracle_integers(FLSQ_MAX_KC * nr, -4, 4), *const b = oracle_integers(FLSQ_MAX_KC * nr, -9, 9);
    double *const start = oracle_integers(nr, -5, 5), *const expected = oracle_copy(start, nr);
    for (int64_t rows = 0; rows <= FLSQ_MAX_KC; rows++) {
        double *const exact_a = oracle_copy(a, rows * nr), *const exact_b = oracle_copy(b, rows * nr);
        double *const out = oracle_copy(start, nr);
        for (int64_t j = 0; rows > 0 && j < nr; j++)
            expected[j] += a[(rows - 1) * nr + j] * b[(rows - 1) * nr + j];
        kernels->dot_columns(rows, exact_a, exact_b, out);
        CASE("%lld rows", (long long)rows);
        CHECK(first_difference(nr, out, expected) == -1);
        free(exact_a), free(exact_b), free(out);
    }
    free(a), free(b), free(start), free(expected);
}

void test_dot_axpy(const flsq_kernels *kernels)
{
    enum { LONGEST = 301 };
    for (int64_t n = 0; n <= LONGEST; n++)
        for (int64_t shift = 0; shift < 2; shift++) { /* rows of R start at odd multiples of eight bytes */
            double *const x = oracle_integers(n + shift, -9, 9), *const y = oracle_integers(n + shift, -9, 9);
            double *const expected = oracle_copy(y, n + shift);
            const double alpha = oracle_integer(-5, 5);
            double sum = 0;
            for (int64_t k = shift; k < n + shift; k++) {
                sum += x[k] * y[k];
                expected[k] += alpha * x[k];
            }
            CASE("n = %lld, shift %lld", (long long)n, (long long)shift);
            CHECK(kernels->dot(n, x + shift, y + shift) == sum);
            kernels->axpy(n, alpha, x + shift, y + shift);
            CHECK(first_difference(n + shift, y, expected) == -1);
            free(x), free(y), free(expected);
        }
}

/* The probes measure; what can be checked is that they do the work they report. */
void test_probes(const flsq_kernels *kernels)
{
    enum { LENGTH = 64 * 9 };
    double *const data = oracle_integers(LENGTH, -9, 9);
    double sum = 0, sink = 0, flops = 0;
    for (int i = 0; i < LENGTH; i++)
        sum += data[i];
    CASE("probes");
    CHECK(kernels->probe_read(LENGTH, data) == sum);
    CHECK(kernels->probe_fma(10, &sink) > 0);
    CHECK(sink > 0 && sink < 1e6);
    CHECK(flsq_probe_fma(kernels, 1, 10, &flops) >= 0);
    CHECK(flops == kernels->probe_fma(1, &sink));
    sum = 0;
    CHECK(flsq_probe_read(kernels, 1, data, LENGTH, &sum) >= 0);
    CHECK(sum == kernels->probe_read(LENGTH, data));
    double *const moved[4] = {data, oracle_doubles(LENGTH - 1), oracle_doubles(LENGTH - 1), oracle_doubles(LENGTH - 1)};
    CHECK(flsq_probe_update(kernels, 2, LENGTH - 1, moved) >= 0);
    for (int i = 1; i < 4; i++) {
        CHECK(first_difference(LENGTH - 1, data, moved[i]) == -1);
        free(moved[i]);
    }
    free(data);
}
