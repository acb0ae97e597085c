/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Rung 1 for many small problems at once: moments, factor, solution, one step of refinement, judgement.
 *
 * Every operation is the same in all lanes and never crosses them, so the bits of an answer depend neither on the lane
 * nor on the neighbours.
 */
#include "lanes.h"
#include "blocksizes.h"
#include "normal.h"
#include "refine.h"
#include "workspace.h"
#include <math.h>
#include <string.h>

enum { NORM, INVERSE_NORM, SMALLEST_PIVOT, HALF, RSS, LANE_NUMBERS };

/* A multiple of the chains of lane_products (kernels/lanes_template.h): then a row is in the same chain however many
 * follow. */
static int64_t chunk_rows(const flsq_kernels *kernels, int64_t columns, int64_t rows)
{
    const int64_t row_bytes = (columns + 1) * kernels->lanes * (int64_t)sizeof(double);
    const int64_t most = FLSQ_LANES_BYTES(kernels->lanes, columns) / row_bytes / FLSQ_LANE_CHAINS * FLSQ_LANE_CHAINS;
    return FLSQ_MIN(FLSQ_MAX(most, 16), FLSQ_MAX(rows, 1));
}

enum { PIECES = 5 };

/* Entries of every piece of memory, for each lane. */
static void count_entries(const flsq_kernels *kernels, int64_t columns, int64_t rows, int64_t counts[PIECES])
{
    const int64_t chunk = chunk_rows(kernels, columns, rows);
    counts[0] = chunk * columns;       /* x */
    counts[1] = chunk;                 /* y */
    counts[2] = 3 * columns * columns; /* m, r, t */
    counts[3] = 5 * columns;           /* b, g, step, reciprocal, root */
    counts[4] = LANE_NUMBERS;
}

flsq_status flsq_lanes_add_bytes(const flsq_kernels *kernels, int64_t columns, int64_t rows, int64_t *total)
{
    int64_t counts[PIECES];
    flsq_status status = FLSQ_OK;
    count_entries(kernels, columns, rows, counts);
    for (int i = 0; i < PIECES && status == FLSQ_OK; i++)
        status = flsq_size_add(total, counts[i], kernels->lanes * (int64_t)sizeof(double));
    return status;
}

void flsq_lanes_lay_out(const flsq_kernels *kernels, int64_t columns, int64_t rows, char *memory, flsq_lanes *lanes)
{
    const int64_t chunk = chunk_rows(kernels, columns, rows), lane = kernels->lanes;
    int64_t counts[PIECES];
    double *pieces[PIECES];
    count_entries(kernels, columns, rows, counts);
    for (int i = 0; i < PIECES; i++) {
        int64_t bytes = 0;
        pieces[i] = (double *)memory;
        flsq_size_add(&bytes, counts[i], lane * (int64_t)sizeof(double)); /* did not overflow in flsq_lanes_add_bytes */
        memory += bytes;
    }
    const int64_t square = columns * columns * lane, vector = columns * lane;
    *lanes = (flsq_lanes){.kernels = kernels, .columns = columns, .chunk = chunk, .x = pieces[0], .y = pieces[1],
                          .m = pieces[2], .r = pieces[2] + square, .t = pieces[2] + 2 * square,
                          .b = pieces[3], .g = pieces[3] + vector, .step = pieces[3] + 2 * vector,
                          .reciprocal = pieces[3] + 3 * vector, .root = pieces[3] + 4 * vector, .numbers = pieces[4]};
}

static double *numbers(const flsq_lanes *s, int which) { return s->numbers + which * s->kernels->lanes; }

static void ask(flsq_lane_ahead *ahead)
{
    for (int i = 0; i < 2; i++) {
        const int64_t count = FLSQ_MIN(ahead->share[i], ahead->lines[i]);
        for (int64_t line = 0; line < count; line++)
            __builtin_prefetch(ahead->next[i] + line * FLSQ_ALIGNMENT, 0, 3);
        ahead->next[i] += count * FLSQ_ALIGNMENT;
        ahead->lines[i] -= count;
    }
}

int64_t flsq_lanes_shares(const flsq_lanes *s, int64_t rows)
{
    const int64_t tiles = FLSQ_CEIL_DIV(s->columns, FLSQ_LANE_TILE);
    return FLSQ_CEIL_DIV(rows, s->chunk) * (tiles * (tiles + 1) / 2 + 2 * tiles);
}

/* m += XᵀX, upper tiles */
static void add_squares(const flsq_lanes *s, int64_t rows, flsq_lane_ahead *ahead)
{
    const int64_t q = s->columns, lane = s->kernels->lanes;
    for (int64_t J = 0; J < q; J += FLSQ_LANE_TILE)
        for (int64_t I = 0; I <= J; I += FLSQ_LANE_TILE) {
            ask(ahead);
            s->kernels->lane_products(rows, s->x + I * lane, q, FLSQ_MIN(FLSQ_LANE_TILE, q - I), s->x + J * lane, q,
                                      FLSQ_MIN(FLSQ_LANE_TILE, q - J), s->m + (I * q + J) * lane, q);
        }
}

/* target += Xᵀy */
static void add_products(const flsq_lanes *s, int64_t rows, flsq_lane_ahead *ahead, double *target)
{
    const int64_t q = s->columns, lane = s->kernels->lanes;
    for (int64_t I = 0; I < q; I += FLSQ_LANE_TILE) {
        ask(ahead);
        s->kernels->lane_products(rows, s->x + I * lane, q, FLSQ_MIN(FLSQ_LANE_TILE, q - I), s->y, 1, 1,
                                  target + I * lane, 1);
    }
}

static void clear(const flsq_lanes *s, double *values, int64_t count)
{
    memset(values, 0, (size_t)(count * s->kernels->lanes) * sizeof(double));
}

static void moments(const flsq_lanes *s, int64_t rows, flsq_lane_fill *fill, const void *job,
                    flsq_lane_ahead *ahead)
{
    clear(s, s->m, s->columns * s->columns);
    clear(s, s->b, s->columns);
    for (int64_t first = 0; first < rows; first += s->chunk) {
        const int64_t count = FLSQ_MIN(s->chunk, rows - first);
        fill(job, first, count, s->x, s->y);
        add_squares(s, count, ahead);
        add_products(s, count, ahead, s->b);
    }
}

/* g := Xᵀr, RSS := ‖r‖²; the one chunk of a short problem is still in memory */
static void residuals(const flsq_lanes *s, int64_t rows, flsq_lane_fill *fill, const void *job,
                      flsq_lane_ahead *ahead)
{
    clear(s, s->g, s->columns);
    clear(s, numbers(s, RSS), 1);
    for (int64_t first = 0; first < rows; first += s->chunk) {
        const int64_t count = FLSQ_MIN(s->chunk, rows - first);
        if (rows > s->chunk)
            fill(job, first, count, s->x, s->y);
        s->kernels->lane_residual(count, s->columns, s->x, s->b, s->y);
        add_products(s, count, ahead, s->g);
        s->kernels->lane_products(count, s->y, 1, 1, s->y, 1, 1, numbers(s, RSS), 1);
    }
}

/* The tests of flsq_factorize for one lane. */
static flsq_verdict factor_verdict(const flsq_lanes *s, int64_t l, double *condition)
{
    const int64_t q = s->columns, lane = s->kernels->lanes;
    const double smallest = numbers(s, SMALLEST_PIVOT)[l];
    for (int64_t j = 0; j < q; j++)
        if (!flsq_squares_in_range(s->m[(j * q + j) * lane + l]))
            return FLSQ_OUT_OF_RANGE;
    if (!(smallest > 0))
        return FLSQ_PIVOT_FAILED;
    if (smallest <= flsq_pivot_noise(q))
        return FLSQ_PIVOT_IN_NOISE;
    *condition = numbers(s, NORM)[l] * numbers(s, INVERSE_NORM)[l];
    return *condition <= FLSQ_LARGEST_CONDITION ? FLSQ_CERTIFIED : FLSQ_ILL_CONDITIONED;
}

/* Takes the step of lane l, if it proves itself. */
static void finish(const flsq_lanes *s, int64_t l, flsq_lane_answer *answer)
{
    const int64_t q = s->columns, lane = s->kernels->lanes;
    double size = 0, step_size = 0, whole = 0, correction = 0;
    for (int64_t j = l; j < q * lane; j += lane) {
        const double scaled = s->b[j] * s->root[j], scaled_step = s->step[j] * s->root[j], g = s->g[j] / s->root[j];
        size += scaled * scaled;
        step_size += scaled_step * scaled_step;
        whole += g * g;
        correction += s->step[j] * s->g[j];
    }
    const flsq_system system = {.condition = answer->condition, .trace = (double)q,
                                .roundoff = FLSQ_UNIT_ROUNDOFF};
    flsq_progress progress;
    flsq_report report = {.verdict = FLSQ_CERTIFIED};
    answer->rss = numbers(s, RSS)[l];
    const int more = flsq_judge(1, &system, sqrt(size), sqrt(step_size), correction, &progress, &answer->rss, &report);
    answer->verdict = report.verdict;
    if (report.verdict != FLSQ_CERTIFIED)
        return;
    /* sums of squares too small to be trusted, or a fit so close that it deserves another look */
    if (more || !flsq_squares_in_range(progress.measured)) {
        answer->verdict = FLSQ_NOT_SETTLED;
        return;
    }
    answer->backward_error = flsq_backward_error(&system, sqrt(size), sqrt(whole), sqrt(numbers(s, HALF)[l]), &progress);
    if (!(answer->backward_error <= FLSQ_BACKWARD_GOAL)) {
        answer->verdict = FLSQ_NOT_SETTLED;
        return;
    }
    for (int64_t j = l; j < q * lane; j += lane)
        s->b[j] += s->step[j];
}

void flsq_lanes_solve(const flsq_lanes *s, int64_t rows, flsq_lane_fill *fill, const void *job,
                      flsq_lane_ahead *ahead, flsq_lane_answer *answer)
{
    const flsq_kernels *const kernels = s->kernels;
    const int64_t q = s->columns, lane = kernels->lanes;
    moments(s, rows, fill, job, ahead);
    for (int64_t j = 0; j < q; j++)
        for (int64_t l = 0; l < lane; l++)
            s->root[j * lane + l] = sqrt(s->m[(j * q + j) * lane + l]);
    kernels->lane_cholesky(q, s->m, s->r, s->reciprocal, numbers(s, SMALLEST_PIVOT));
    kernels->lane_norms(q, s->m, s->r, s->reciprocal, s->root, s->t, numbers(s, NORM), numbers(s, INVERSE_NORM));
    kernels->lane_solve(q, s->r, s->reciprocal, s->b, numbers(s, HALF));
    residuals(s, rows, fill, job, ahead);
    memcpy(s->step, s->g, (size_t)(q * lane) * sizeof(double));
    kernels->lane_solve(q, s->r, s->reciprocal, s->step, numbers(s, HALF));
    for (int64_t l = 0; l < lane; l++) {
        answer[l] = (flsq_lane_answer){.backward_error = NAN, .rss = NAN, .condition = INFINITY};
        answer[l].verdict = factor_verdict(s, l, &answer[l].condition);
        if (answer[l].verdict == FLSQ_CERTIFIED)
            finish(s, l, &answer[l]);
    }
}
