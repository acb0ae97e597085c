/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Batches of one row: plain gradient descent and SAGA (Defazio, Bach, Lacoste-Julien 2014), by one thread, without the sums, slots
 * and updates that a batch has.  Every row meets the same instructions wherever it lies and however rows are cut into calls.
 */
#include "descent.h"
#include "blocksizes.h"
#include "workspace.h"
#include <string.h>

typedef struct single_rows {
    const void *row[FLSQ_DESCENT_MOST_ROWS];
    double y[FLSQ_DESCENT_MOST_ROWS], w[FLSQ_DESCENT_MOST_ROWS], *kept[FLSQ_DESCENT_MOST_ROWS];
    int64_t count, number[FLSQ_DESCENT_MOST_ROWS];
    int in_place;
} single_rows;

/* The memory of a run; every vector has `length` doubles, in whole vectors. */
typedef struct single_run {
    const flsq_descent_layout *layout;
    const flsq_descent_plan *plan;
    flsq_descent_state *state;
    double *b, *average, *mean, *center, *factor, *copies;
    int64_t length;
} single_run;

static void read_chunk(const single_run *run, const flsq_ordered *ordered, int64_t place, int64_t count, single_rows *rows)
{
    const flsq_descent *const problem = run->layout->problem;
    const flsq_matrix *const x = &problem->x;
    rows->count = count;
    rows->in_place = flsq_descent_is_plain(x);
    for (int64_t found = 0; found < count;) {
        const flsq_segment segment = flsq_ordered_segment(ordered, place + found, count - found);
        for (int64_t i = 0; i < segment.count; i++, found++) {
            const int64_t row = segment.row + i;
            rows->number[found] = row;
            rows->row[found] = (const char *)x->data + row * x->row_stride;
            rows->y[found] = problem->y[row];
            rows->w[found] = problem->weights == NULL ? 1.0 : problem->weights[row] / run->plan->mean_weight;
            rows->kept[found] = run->state->kept == NULL ? NULL : run->state->kept + row;
            rows->in_place &= (x->rows - row - 1) * x->row_stride >= FLSQ_READ_PAST; /* vectors run past the last column */
        }
    }
    for (int64_t i = 0; !rows->in_place && i < count; i++) {
        double *const copy = run->copies + i * run->length;
        flsq_read_row(x, rows->number[i], copy);
        rows->row[i] = copy;
    }
}

/* Squared length of the gradient of the objective at the first row of the chunk, before its step. */
static double square_of_first(const single_run *run, const flsq_singles *s, const single_rows *rows)
{
    const flsq_descent *const problem = run->layout->problem;
    const flsq_descent_plan *const plan = run->plan;
    const int64_t p = problem->x.columns;
    double eta = *s->start, r[8], sum = 0;
    const int single = rows->in_place && problem->x.dtype == FLSQ_F32;
#define Z(j) (((single ? (double)((const float *)rows->row[0])[j] : ((const double *)rows->row[0])[j]) -             \
               (s->center == NULL ? 0.0 : s->center[j])) * (s->factor == NULL ? 1.0 : s->factor[j]))
    for (int64_t j = 0; j < p; j++)
        eta += Z(j) * s->b[j];
    const double etas[8] = {eta}, y[8] = {rows->y[0]}, w[8] = {rows->w[0]};
    run->layout->kernels->loss_rows(&problem->loss, 8, etas, y, w, r);
    for (int64_t j = 0; j < p; j++) {
        const double derivative = flsq_descent_derivative(plan, s->b[j], r[0] * Z(j));
        sum += derivative * derivative;
    }
#undef Z
    return sum + (plan->intercept ? r[0] * r[0] : 0);
}

int flsq_descent_is_single(const flsq_descent_plan *plan, const flsq_descent *problem)
{
    const flsq_optimizer *const o = plan->optimizer;
    return plan->batch_rows == 1 && problem->sparse == NULL && problem->predictors == 1 && problem->loss.kind != FLSQ_LOSS_SOFTMAX &&
           !problem->loss.one_class && plan->clip_norm == 0 && o->rule == FLSQ_RULE_SGD && o->momentum == 0 &&
           o->weight_decay == 0 && o->clip_value == 0 && !o->maximize;
}

static void load_vector(const single_run *run, const double *from, double *to)
{
    memset(to, 0, (size_t)run->length * sizeof(double));
    memcpy(to, from, (size_t)run->layout->problem->x.columns * sizeof(double));
}

flsq_status flsq_descent_singles(const flsq_descent_layout *layout, const flsq_descent_plan *plan, flsq_descent_state *state,
                                 flsq_descent_report *report)
{
    const flsq_descent *const problem = layout->problem;
    const flsq_kernels *const kernels = layout->kernels;
    const int64_t p = problem->x.columns, steps = FLSQ_MIN(plan->steps, plan->order.rows - plan->first_row);
    const size_t bytes = (size_t)p * sizeof(double);
    single_run run = {.layout = layout, .plan = plan, .state = state,
                      .length = FLSQ_CEIL_DIV(p + 1, FLSQ_MAX_LANES) * FLSQ_MAX_LANES + FLSQ_READ_PAST / 8};
    flsq_ordered ordered;
    flsq_arena arena;
    single_rows rows;
    int64_t size = 0;
    flsq_status status = flsq_size_add(&size, run.length, (5 + FLSQ_DESCENT_MOST_ROWS) * (int64_t)sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    run.b = flsq_arena_take(&arena, (5 + FLSQ_DESCENT_MOST_ROWS) * run.length, sizeof(double));
    run.average = run.b + run.length;
    run.mean = run.average + run.length;
    run.center = run.mean + run.length;
    run.factor = run.center + run.length;
    run.copies = run.factor + run.length;
    memset(run.copies, 0, (size_t)(FLSQ_DESCENT_MOST_ROWS * run.length) * sizeof(double));
    double start = state->b[p], average_start = 0, mean_start = 0;
    flsq_singles s = {.columns = p, .loss = &problem->loss, .l1 = plan->l1, .l2 = plan->l2, .intercept = plan->intercept,
                      .b = run.b, .start = &start, .averaged = state->averaged};
    load_vector(&run, state->b, run.b);
    if (problem->center != NULL) {
        load_vector(&run, problem->center, run.center);
        load_vector(&run, problem->factor, run.factor);
        s.center = run.center;
        s.factor = run.factor;
    }
    if (state->kept != NULL) {
        load_vector(&run, state->mean, run.mean);
        mean_start = state->mean[p];
        s.mean = run.mean;
        s.mean_start = &mean_start;
        s.share = 1 / (double)problem->x.rows;
    }
    if (state->average != NULL) {
        load_vector(&run, state->average, run.average);
        average_start = state->average[p];
        s.average_start = &average_start;
    }
    flsq_ordered_prepare(&plan->order, &ordered);
    int64_t made = 0;
    for (int64_t step = 0; step < steps && report->finite; step = made) {
        int64_t count = FLSQ_MIN(FLSQ_DESCENT_MOST_ROWS, steps - step);
        /* a chunk ends where averaging begins, and before the last step, whose gradient is told */
        const int64_t to_average = plan->average_from - state->steps;
        if (state->average != NULL && to_average > 0)
            count = FLSQ_MIN(count, to_average);
        s.average = state->average != NULL && to_average <= 0 ? run.average : NULL;
        if (step + count == steps && count > 1)
            count--;
        read_chunk(&run, &ordered, plan->first_row + step, count, &rows);
        s.row = rows.row;
        s.count = count;
        s.y = rows.y;
        s.w = rows.w;
        s.rates = plan->rates + step;
        s.kept = state->kept == NULL ? NULL : rows.kept;
        if (step + count == steps)
            report->square = square_of_first(&run, &s, &rows);
        (rows.in_place && problem->x.dtype == FLSQ_F32 ? kernels->singles_f32 : kernels->singles_f64)(&s);
        for (int64_t i = 0; i < s.done; i++)
            report->weight += rows.w[i] * plan->mean_weight;
        made += s.done;
        state->steps += s.done;
        report->finite = s.done == count;
    }
    report->steps = report->rows = made;
    memcpy(state->b, run.b, bytes);
    state->b[p] = start;
    if (state->kept != NULL) {
        memcpy(state->mean, run.mean, bytes);
        state->mean[p] = mean_start;
    }
    if (state->average != NULL) {
        memcpy(state->average, run.average, bytes);
        state->average[p] = average_start;
    }
    state->averaged = s.averaged;
    report->loss = s.total * plan->mean_weight;
    flsq_arena_close(&arena);
    return FLSQ_OK;
}
