/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * What a flsq_gram does besides summing: streams cut anywhere, copies that part ways, rescaling as if the columns had
 * entered scaled, and errors that leave the state alone.
 */
#include "blocksizes.h"
#include "check.h"
#include "oracle.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void update(flsq_gram *gram, const problem *a, int64_t first, int64_t count)
{
    const flsq_rows rows = problem_rows(a, first, count);
    CHECK(flsq_gram_update(gram, &rows, 2) == FLSQ_OK);
}

static void check_collected(const flsq_gram *gram, const problem *a, const double *zz, const double *yy)
{
    double *const got_zz = oracle_doubles(a->lead * a->width), *const got_yy = oracle_doubles(a->k);
    double *const diagonal = oracle_doubles(a->width);
    flsq_gram_collect(gram, 3, got_zz, got_yy, NULL);
    CHECK(first_difference(a->lead * a->width, got_zz, zz) == -1);
    CHECK(first_difference(a->k, got_yy, yy) == -1);
    flsq_gram_diagonal(gram, diagonal);
    for (int64_t j = 0; j < a->width; j++)
        CHECK(diagonal[j] == (j < a->lead ? zz[j * a->width + j] : yy[j - a->lead]));
    free(got_zz), free(got_yy), free(diagonal);
}

/* Cut off the grid, the blocks differ, but integers still sum exactly. */
static void check_stream(const flsq_kernels *kernels, const problem *a, const double *zz, const double *yy)
{
    for (int64_t piece = 1; piece < 2 * a->n; piece = piece * 3 + 1) {
        flsq_gram *gram = NULL;
        CASE("pieces of %lld rows", (long long)piece);
        CHECK(flsq_gram_create(kernels, a->p, a->k, a->unit, &gram) == FLSQ_OK);
        for (int64_t first = 0; first < a->n; first += piece)
            update(gram, a, first, FLSQ_MIN(piece, a->n - first));
        check_collected(gram, a, zz, yy);
        flsq_gram_destroy(gram);
    }
}

static void check_copy(const flsq_kernels *kernels, const problem *a, const double *zz, const double *yy)
{
    flsq_gram *gram = NULL, *copy = NULL;
    const int64_t cut = a->n / 3;
    CASE("copy");
    CHECK(flsq_gram_create(kernels, a->p, a->k, a->unit, &gram) == FLSQ_OK);
    const int64_t empty = flsq_gram_nbytes(gram);
    update(gram, a, 0, cut);
    CHECK(flsq_gram_nbytes(gram) > empty);
    CHECK(flsq_gram_copy(gram, &copy) == FLSQ_OK);
    update(copy, a, 0, cut); /* what the copy sees, the original must not */
    update(gram, a, cut, a->n - cut);
    check_collected(gram, a, zz, yy);
    flsq_gram_destroy(gram);
    flsq_gram_destroy(copy);
    CHECK(flsq_gram_create(kernels, a->p, a->k, a->unit, &gram) == FLSQ_OK);
    update(gram, a, 0, cut);
    CHECK(flsq_gram_copy(gram, &copy) == FLSQ_OK);
    flsq_gram_destroy(gram); /* the copy owns its memory */
    update(copy, a, cut, a->n - cut);
    check_collected(copy, a, zz, yy);
    flsq_gram_destroy(copy);
}

static void check_rescale(const flsq_kernels *kernels, const problem *a, const double *zz, const double *yy)
{
    flsq_gram *gram = NULL;
    int64_t *const exponents = malloc((size_t)a->width * sizeof *exponents);
    double *const scaled = oracle_copy(zz, a->lead * a->width), *const squares = oracle_copy(yy, a->k);
    CASE("rescale");
    for (int64_t j = 0; j < a->width; j++)
        exponents[j] = (int64_t)oracle_integer(-200, 200);
    for (int64_t i = 0; i < a->lead; i++)
        for (int64_t j = 0; j < a->width; j++)
            scaled[i * a->width + j] = ldexp(scaled[i * a->width + j], (int)(exponents[i] + exponents[j]));
    for (int64_t t = 0; t < a->k; t++)
        squares[t] = ldexp(squares[t], (int)(2 * exponents[a->lead + t]));
    CHECK(flsq_gram_create(kernels, a->p, a->k, a->unit, &gram) == FLSQ_OK);
    update(gram, a, 0, a->n);
    flsq_gram_rescale(gram, exponents);
    check_collected(gram, a, scaled, squares);
    for (int64_t j = 0; j < a->width; j++)
        exponents[j] = -exponents[j];
    flsq_gram_rescale(gram, exponents);
    check_collected(gram, a, zz, yy);
    flsq_gram_destroy(gram);
    free(exponents), free(scaled), free(squares);
}

void test_gram_state(const flsq_kernels *kernels)
{
    const int64_t nr = kernels->nr, n = 3 * flsq_gram_block_rows(1) + FLSQ_MAX_KC + 1;
    const struct { int64_t p, k; int flags; } shapes[] = {{0, 2, UNIT}, {3, 1, WEIGHTED}, {nr - 1, nr, UNIT | AFFINE}};
    for (int s = 0; s < COUNT_OF(shapes); s++) {
        problem a = problem_make(FLSQ_I16, PADDED_C, n, shapes[s].p, shapes[s].k, shapes[s].flags, INTEGERS);
        double *const zz = oracle_doubles(a.lead * a.width), *const yy = oracle_doubles(a.k);
        oracle_gram(&a, zz, yy);
        check_stream(kernels, &a, zz, yy);
        check_copy(kernels, &a, zz, yy);
        check_rescale(kernels, &a, zz, yy);
        free(zz), free(yy), problem_free(&a);
    }
}

void test_gram_errors(const flsq_kernels *kernels)
{
    flsq_gram *gram = NULL;
    const int64_t too_large[] = {INT64_MAX, INT64_MAX / 2, (int64_t)1 << 40, (int64_t)1 << 33};
    for (int i = 0; i < COUNT_OF(too_large); i++) {
        CASE("p = %lld", (long long)too_large[i]);
        CHECK(flsq_gram_create(kernels, too_large[i], 1, 1, &gram) == FLSQ_TOO_LARGE);
        CHECK(gram == NULL);
    }
    CASE("k = 2^62");
    CHECK(flsq_gram_create(kernels, 1, (int64_t)1 << 62, 1, &gram) == FLSQ_TOO_LARGE);

    /* one element that stands for 2^28 columns: the moments would need 2^58 bytes */
    const double one = 1.0;
    const flsq_rows row = {.x = {.data = &one, .rows = 1, .columns = (int64_t)1 << 28, .dtype = FLSQ_F64},
                           .y = {.data = &one, .rows = 1, .columns = 1, .dtype = FLSQ_F64}};
    CASE("more moments than memory");
    CHECK(flsq_gram_create(kernels, row.x.columns, 1, 0, &gram) == FLSQ_OK);
    const int64_t before = flsq_gram_nbytes(gram);
    CHECK(flsq_gram_update(gram, &row, 2) == FLSQ_NO_MEMORY);
    CHECK(flsq_gram_nbytes(gram) == before);
    flsq_gram_destroy(gram);
    flsq_gram_destroy(NULL);

    /* a value that is not finite is no error, but shows in the diagonal */
    problem a = problem_make(FLSQ_F64, C_ORDER, FLSQ_MAX_KC + 1, 3, 1, UNIT, REALS);
    double diagonal[5];
    array_set(&a.x, FLSQ_MAX_KC, 1, NAN);
    array_set(&a.y, 2, 0, INFINITY);
    CASE("non-finite input");
    CHECK(flsq_gram_create(kernels, a.p, a.k, a.unit, &gram) == FLSQ_OK);
    update(gram, &a, 0, a.n);
    flsq_gram_diagonal(gram, diagonal);
    CHECK(isfinite(diagonal[0]) && isnan(diagonal[1]) && isfinite(diagonal[2]) && diagonal[3] == (double)a.n);
    CHECK(!isfinite(diagonal[4]));
    flsq_gram_destroy(gram);
    problem_free(&a);
}

/* ---- X T --------------------------------------------------------------------------------------------------------- */

/* The same problem with X T in place of X, T upper triangular of small integers. */
static problem transformed(const problem *a, const double *t)
{
    problem b = problem_make(FLSQ_F64, C_ORDER, a->n, a->p, a->k, a->unit ? UNIT : 0, INTEGERS);
    memcpy(b.z, a->z, (size_t)(a->n * a->width) * sizeof(double));
    memcpy(b.weight, a->weight, (size_t)a->n * sizeof(double));
    for (int64_t i = 0; i < a->n; i++)
        for (int64_t j = 0; j < a->p; j++) {
            double sum = 0;
            for (int64_t l = 0; l <= j; l++)
                sum += a->z[i * a->width + l] * t[l * a->p + j];
            b.z[i * a->width + j] = sum;
        }
    return b;
}

static void try_transform(const flsq_kernels *kernels, int64_t n, int64_t p, int64_t k, int flags, layout form)
{
    problem a = problem_make(FLSQ_F64, form, n, p, k, flags, INTEGERS);
    double *const t = oracle_integers(p * p, -2, 2);
    for (int64_t i = 0; i < p; i++) /* what lies below the diagonal is not read */
        for (int64_t j = 0; j < i; j++)
            t[i * p + j] = NAN;
    problem b = transformed(&a, t);
    double *const expected = oracle_doubles(a.lead * a.width), *const yy = oracle_doubles(k);
    oracle_gram(&b, expected, yy);
    for (int n_threads = 1; n_threads <= 3; n_threads++) {
        flsq_rows rows = problem_rows(&a, 0, n);
        rows.transform = t;
        double *const zz = oracle_doubles(a.lead * a.width), *const squares = oracle_doubles(k);
        flsq_gram *gram = NULL;
        CASE("n = %lld, p = %lld, k = %lld, flags %d, %s, %d threads", (long long)n, (long long)p, (long long)k, flags,
             layout_name(form), n_threads);
        CHECK(flsq_gram_create(kernels, p, k, a.unit, &gram) == FLSQ_OK);
        CHECK(flsq_gram_update(gram, &rows, n_threads) == FLSQ_OK);
        flsq_gram_collect(gram, 1, zz, squares, NULL);
        flsq_gram_destroy(gram);
        CHECK(first_difference(a.lead * a.width, zz, expected) == -1 && first_difference(k, squares, yy) == -1);
        free(zz), free(squares);
    }
    problem_free(&a), problem_free(&b), free(t), free(expected), free(yy);
}

void test_gram_transform(const flsq_kernels *kernels)
{
    const int64_t nr = kernels->nr, block = flsq_gram_block_rows(1);
    const int64_t columns[] = {1, nr - 1, nr, nr + 1, 3 * nr + 1, 5 * nr, 11 * nr - 2};
    const int64_t rows[] = {1, FLSQ_MAX_KC - 1, FLSQ_MAX_KC, 2 * FLSQ_MAX_KC + 25, block + 1};
    int turn = 0;
    for (int i = 0; i < COUNT_OF(columns); i++)
        for (int j = 0; j < COUNT_OF(rows); j++)
            for (int flags = 0; flags < 8; flags += 1 + turn++ % 2)
                if (rows[j] * columns[i] * columns[i] <= 4000000)
                    try_transform(kernels, rows[j], columns[i], turn % 3, flags, turn % LAYOUTS);
}
