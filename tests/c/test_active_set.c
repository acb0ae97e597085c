/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Bounded least squares: optimality conditions in long double, on moments and on rows; the bits for any number of threads;
 * dependent columns; rounds that do not do.
 */
#include "check.h"
#include "oracle.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TARGETS = 19 };

static const int64_t sizes[] = {1, 2, 3, 5, 12, 31, 64, 65, 90};
static const int teams[] = {1, 2, 3, 8};

/* Rows with columns of length near 1 (one after the other), moments, and a box of every kind. */
typedef struct bounded_problem {
    int64_t rows, p, count;
    double *t, *d, *m, *c;
    double *lower, *upper, *slack, *price;
} bounded_problem;

static bounded_problem bounded_make(int64_t rows, int64_t p, int64_t count, int boxes)
{
    bounded_problem s = {.rows = rows, .p = p, .count = count, .t = oracle_reals(rows * p), .d = oracle_reals(count * rows),
                         .m = oracle_doubles(p * p), .c = oracle_doubles(count * p), .lower = oracle_doubles(count * p),
                         .upper = oracle_doubles(count * p), .slack = oracle_doubles(count), .price = oracle_doubles(p)};
    for (int64_t i = 0; i < rows * p; i++)
        s.t[i] *= sqrt(2.0 / (double)rows);
    for (int64_t i = 0; i < p; i++)
        for (int64_t j = 0; j < p; j++)
            for (int64_t l = 0; l < rows; l++)
                s.m[i * p + j] += s.t[i * rows + l] * s.t[j * rows + l];
    for (int64_t k = 0; k < count; k++) {
        s.slack[k] = 0x1p-48;
        for (int64_t j = 0; j < p; j++) {
            s.price[j] = 1;
            for (int64_t l = 0; l < rows; l++)
                s.c[k * p + j] += s.t[j * rows + l] * s.d[k * rows + l];
            const int kind = boxes ? (int)oracle_integer(0, 4) : 0;
            s.lower[k * p + j] = kind == 0 ? 0 : kind == 1 || kind == 2 ? -INFINITY : -0.25;
            s.upper[k * p + j] = kind == 0 || kind == 1 ? INFINITY : kind == 4 ? -0.25 : 0.125;
        }
    }
    return s;
}

static void bounded_free(bounded_problem *s)
{
    free(s->t), free(s->d), free(s->m), free(s->c), free(s->lower), free(s->upper), free(s->slack), free(s->price);
}

static flsq_boxes boxes_make(const bounded_problem *s, int64_t most)
{
    flsq_boxes boxes = {.p = s->p, .count = s->count, .lower = s->lower, .upper = s->upper, .most = most};
    boxes.b = oracle_doubles(s->count * s->p);
    boxes.place = calloc((size_t)(s->count * s->p), 1);
    boxes.rounds = calloc((size_t)s->count, sizeof(int64_t));
    boxes.settled = calloc((size_t)s->count, 1);
    return boxes;
}

static void boxes_free(flsq_boxes *boxes) { free(boxes->b), free(boxes->place), free(boxes->rounds), free(boxes->settled); }

/* The largest violation of the optimality conditions of target k; infinite outside the box. */
static long double violation(const bounded_problem *s, const double *b, int64_t k)
{
    const int64_t p = s->p, rows = s->rows;
    const double *const lower = s->lower + k * p, *const upper = s->upper + k * p;
    long double worst = 0;
    for (int64_t j = 0; j < p; j++) {
        long double gradient = 0;
        if (!(b[j] >= lower[j] && b[j] <= upper[j]))
            return INFINITY;
        for (int64_t l = 0; l < rows; l++) {
            long double r = s->d[k * rows + l];
            for (int64_t i = 0; i < p; i++)
                r -= (long double)s->t[i * rows + l] * b[i];
            gradient += r * s->t[j * rows + l];
        }
        if (lower[j] == upper[j])
            continue;
        if (b[j] == lower[j])
            gradient = fmaxl(gradient, 0);
        else if (b[j] == upper[j])
            gradient = fminl(gradient, 0);
        worst = fmaxl(worst, fabsl(gradient));
    }
    return worst;
}

/* The bounds below: sums of p or `rows` products of numbers below 1, and solutions that the columns, well-conditioned for three
 * times as many rows, keep below some 30. */
static void try_moments(const flsq_kernels *kernels, int64_t p, int kind)
{
    bounded_problem s = bounded_make(3 * p + 2, p, TARGETS, kind);
    flsq_boxes first = boxes_make(&s, 100);
    for (int i = 0; i < COUNT_OF(teams); i++) {
        flsq_boxes boxes = boxes_make(&s, 100);
        double *const g = oracle_copy(s.c, s.count * p);
        CASE("moments, p = %lld, boxes %d, %d threads", (long long)p, kind, teams[i]);
        CHECK(flsq_active_set(kernels, &boxes, s.m, s.slack, teams[i], g) == FLSQ_OK);
        for (int64_t k = 0; k < s.count; k++) {
            CHECK(boxes.settled[k] == 1 && boxes.rounds[k] >= 1);
            CHECK(violation(&s, boxes.b + k * p, k) <= 1e-13L * (long double)(p + 1));
        }
        if (i == 0)
            memcpy(first.b, boxes.b, (size_t)(s.count * p) * sizeof(double));
        CHECK(same_bits(s.count * p, boxes.b, first.b));
        /* from there, with its own gradient, nothing moves */
        CHECK(flsq_active_set(kernels, &boxes, s.m, s.slack, teams[i], g) == FLSQ_OK);
        for (int64_t k = 0; k < s.count * p; k++)
            CHECK(fabs(boxes.b[k] - first.b[k]) <= 1e-13 * (double)(p + 1));
        boxes_free(&boxes), free(g);
    }
    boxes_free(&first);
    bounded_free(&s);
}

static void try_rows(const flsq_kernels *kernels, int64_t rows, int64_t p, int kind)
{
    bounded_problem s = bounded_make(rows, p, TARGETS, kind);
    flsq_boxes first = boxes_make(&s, 10 * p + 20);
    for (int i = 0; i < COUNT_OF(teams); i++) {
        flsq_boxes boxes = boxes_make(&s, 10 * p + 20);
        CASE("rows, %lld x %lld, boxes %d, %d threads", (long long)rows, (long long)p, kind, teams[i]);
        CHECK(flsq_bounded_rows(kernels, &boxes, rows, s.t, s.d, s.price, teams[i]) == FLSQ_OK);
        for (int64_t k = 0; k < s.count; k++) {
            long double size = 1;
            for (int64_t j = 0; j < p; j++)
                size += fabs(boxes.b[k * p + j]);
            CHECK(boxes.settled[k] == 1);
            CHECK(violation(&s, boxes.b + k * p, k) <= 1e-14L * (long double)(p + 5) * size);
        }
        if (i == 0)
            memcpy(first.b, boxes.b, (size_t)(s.count * p) * sizeof(double));
        CHECK(same_bits(s.count * p, boxes.b, first.b));
        boxes_free(&boxes);
    }
    boxes_free(&first);
    bounded_free(&s);
}

void test_active_set(const flsq_kernels *kernels)
{
    for (int i = 0; i < COUNT_OF(sizes); i++)
        for (int kind = 0; kind < 2; kind++)
            try_moments(kernels, sizes[i], kind);
}

void test_bounded_rows(const flsq_kernels *kernels)
{
    for (int i = 0; i < 6; i++)
        for (int kind = 0; kind < 2; kind++) {
            try_rows(kernels, 2 * sizes[i] + 1, sizes[i], kind);
            try_rows(kernels, sizes[i], sizes[i], kind);
            try_rows(kernels, sizes[i] / 2 + 1, sizes[i], kind);
        }
}

/* Two equal columns and one of zeros: whatever is chosen, the fit is that of the first alone. */
void test_bounded_dependent(const flsq_kernels *kernels)
{
    bounded_problem s = bounded_make(9, 4, 3, 0);
    memcpy(s.t + 9, s.t, 9 * sizeof(double));
    memset(s.t + 27, 0, 9 * sizeof(double));
    flsq_boxes boxes = boxes_make(&s, 100);
    CASE("dependent columns");
    CHECK(flsq_bounded_rows(kernels, &boxes, 9, s.t, s.d, s.price, 1) == FLSQ_OK);
    for (int64_t k = 0; k < 3; k++) {
        CHECK(boxes.settled[k] == 1);
        CHECK(violation(&s, boxes.b + k * 4, k) <= 1e-14L);
        CHECK(boxes.b[k * 4 + 3] == 0 && (boxes.b[k * 4] == 0 || boxes.b[k * 4 + 1] == 0));
    }
    boxes_free(&boxes);
    bounded_free(&s);
}

void test_bounded_rounds(const flsq_kernels *kernels)
{
    bounded_problem s = bounded_make(40, 12, TARGETS, 0);
    flsq_boxes few = boxes_make(&s, 1), none = {.p = 0, .count = 0, .most = 1};
    double *const g = oracle_copy(s.c, TARGETS * 12);
    int64_t settled = 0;
    CASE("one round");
    CHECK(flsq_active_set(kernels, &few, s.m, s.slack, 2, g) == FLSQ_OK);
    for (int64_t k = 0; k < TARGETS; k++) {
        settled += few.settled[k];
        CHECK(few.rounds[k] == 1 && (few.settled[k] || few.b[k * 12] == 0));
    }
    CHECK(settled < TARGETS);
    CHECK(flsq_bounded_rows(kernels, &few, 40, s.t, s.d, s.price, 2) == FLSQ_OK);
    for (int64_t k = 0; k < TARGETS; k++)
        CHECK(few.rounds[k] <= 1 && violation(&s, few.b + k * 12, k) < INFINITY);
    CASE("moments that are not positive definite");
    for (int64_t i = 0; i < 144; i++)
        s.m[i] = -1;
    few.most = 50;
    CHECK(flsq_active_set(kernels, &few, s.m, s.slack, 1, g) == FLSQ_OK);
    CASE("nothing");
    CHECK(flsq_active_set(kernels, &none, NULL, NULL, 2, NULL) == FLSQ_OK);
    CHECK(flsq_bounded_rows(kernels, &none, 0, NULL, NULL, NULL, 2) == FLSQ_OK);
    boxes_free(&few), bounded_free(&s), free(g);
}
