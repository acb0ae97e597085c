/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Many problems of one shape.  Small ones are solved one to a lane; what that leaves open, and all others, by flsq_lstsq.
 */
#include "blocksizes.h"
#include "lanes.h"
#include "pack.h"
#include "parallel.h"
#include "workspace.h"
#include <math.h>

enum { TASKS_AT_A_TIME = 8 }; /* groups of problems a thread takes from the common counter */

typedef struct batched {
    const flsq_kernels *kernels;
    const flsq_batch *batch;
    flsq_batch_answers out;
    int in_lanes;
    int64_t tasks, claimed;
    char *memory;         /* memory_stride bytes per thread */
    int64_t memory_stride;
    flsq_status status;   /* the first that is not FLSQ_OK */
} batched;

static flsq_matrix moved(const flsq_matrix *a, int64_t number, int64_t step)
{
    flsq_matrix b = *a;
    if (b.data != NULL)
        b.data = (const char *)b.data + number * step;
    return b;
}

static flsq_rows problem(const flsq_batch *batch, int64_t number)
{
    flsq_rows rows = batch->first;
    rows.x = moved(&batch->first.x, number, batch->x_step);
    rows.y = moved(&batch->first.y, number, batch->y_step);
    rows.weights = moved(&batch->first.weights, number, batch->weights_step);
    return rows;
}

/* ---- rows into lanes -------------------------------------------------------------------------------------------- */

typedef struct lane_rows {
    const flsq_kernels *kernels;
    flsq_matrix x[FLSQ_MAX_LANES], y[FLSQ_MAX_LANES];
    double *column; /* one column of a chunk */
} lane_rows;

static void fill_columns(const lane_rows *s, const flsq_matrix *a, int64_t first, int64_t count, double *out)
{
    const int64_t lane = s->kernels->lanes, columns = a->columns;
    for (int64_t l = 0; l < lane; l++)
        for (int64_t j = 0; j < columns; j++) {
            flsq_read_column(&a[l], j, first, count, s->column);
            for (int64_t i = 0; i < count; i++)
                out[(i * columns + j) * lane + l] = s->column[i];
        }
}

static void fill_matrix(const lane_rows *s, const flsq_matrix *a, int64_t first, int64_t count, double *out)
{
    const int64_t lane = s->kernels->lanes, columns = a->columns;
    const int together = a->row_stride == columns * (int64_t)sizeof(double);
    const double *start[FLSQ_MAX_LANES];
    if (a->dtype != FLSQ_F64 || (columns > 1 && a->col_stride != sizeof(double))) {
        fill_columns(s, a, first, count, out);
        return;
    }
    for (int64_t i = 0; i < count; i += together ? count : 1) {
        for (int64_t l = 0; l < lane; l++)
            start[l] = flsq_matrix_rows(&a[l], first + i, 1).data;
        s->kernels->interleave((together ? count : 1) * columns, start, out + i * columns * lane);
    }
}

static void fill(const void *job, int64_t first, int64_t count, double *x, double *y)
{
    const lane_rows *const s = job;
    fill_matrix(s, s->x, first, count, x);
    fill_matrix(s, s->y, first, count, y);
}

/* ---- one thread ------------------------------------------------------------------------------------------------- */

typedef struct workspace {
    flsq_lanes lanes;
    double *column;
    flsq_factor factor;
} workspace;

static flsq_status add_bytes(const batched *s, int64_t *total)
{
    const flsq_matrix *const x = &s->batch->first.x;
    int64_t square;
    flsq_status status = flsq_size_multiply(x->columns, x->columns + 1, &square);
    if (status == FLSQ_OK)
        status = flsq_size_add(total, square, sizeof(double));
    if (status == FLSQ_OK && s->in_lanes)
        status = flsq_size_add(total, x->rows, sizeof(double));
    if (status == FLSQ_OK && s->in_lanes)
        status = flsq_lanes_add_bytes(s->kernels, x->columns, x->rows, total);
    return status;
}

static void lay_out(const batched *s, char *memory, workspace *w)
{
    const int64_t p = s->batch->first.x.columns, n = s->batch->first.x.rows;
    int64_t used = 0;
    w->factor = (flsq_factor){.r = (double *)memory, .scale = (double *)memory + p * p};
    flsq_size_add(&used, p * (p + 1), sizeof(double));
    w->column = (double *)(memory + used);
    if (!s->in_lanes)
        return;
    flsq_size_add(&used, n, sizeof(double));
    flsq_lanes_lay_out(s->kernels, p, n, memory + used, &w->lanes);
}

/* One problem by itself. */
static void solve_alone(batched *s, workspace *w, int64_t number)
{
    const flsq_rows rows = problem(s->batch, number);
    const int64_t p = rows.x.columns, k = rows.y.columns;
    flsq_report report;
    const flsq_status status = flsq_lstsq(s->kernels, &rows, 0, 1, &w->factor, s->out.b + number * p * k,
                                          s->out.rss + number * k, &report, NULL);
    if (status != FLSQ_OK)
        __atomic_store_n(&s->status, status, __ATOMIC_RELAXED);
    s->out.verdict[number] = (int8_t)report.verdict;
    s->out.passes[number] = (int8_t)(report.passes + 1);
    s->out.condition[number] = sqrt(w->factor.condition);
    s->out.backward_error[number] = report.backward_error;
}

/* The problems behind those of this group, where the batch is one piece of memory. */
static flsq_lane_ahead ahead_of(const batched *s, const workspace *w, int64_t first)
{
    const flsq_matrix *const matrices[2] = {&s->batch->first.x, &s->batch->first.y};
    const int64_t steps[2] = {s->batch->x_step, s->batch->y_step};
    const int64_t count = FLSQ_MIN(s->kernels->lanes, s->batch->count - first);
    const int64_t shares = flsq_lanes_shares(&w->lanes, s->batch->first.x.rows);
    flsq_lane_ahead ahead = {0};
    for (int i = 0; i < 2 && count > 0; i++) {
        const flsq_matrix own = moved(matrices[i], first, steps[i]);
        if (own.row_stride * own.rows != steps[i])
            continue;
        ahead.next[i] = own.data;
        ahead.lines[i] = FLSQ_CEIL_DIV(count * steps[i], FLSQ_ALIGNMENT);
        ahead.share[i] = FLSQ_CEIL_DIV(ahead.lines[i], shares);
    }
    return ahead;
}

static void solve_in_lanes(batched *s, workspace *w, int64_t first)
{
    const int64_t lane = s->kernels->lanes, p = s->batch->first.x.columns;
    const int64_t count = FLSQ_MIN(lane, s->batch->count - first);
    lane_rows rows = {.kernels = s->kernels, .column = w->column};
    flsq_lane_answer answer[FLSQ_MAX_LANES];
    for (int64_t l = 0; l < lane; l++) { /* lanes without a problem repeat the last */
        const flsq_rows own = problem(s->batch, first + FLSQ_MIN(l, count - 1));
        rows.x[l] = own.x;
        rows.y[l] = own.y;
    }
    flsq_lane_ahead ahead = ahead_of(s, w, first + lane);
    flsq_lanes_solve(&w->lanes, s->batch->first.x.rows, fill, &rows, &ahead, answer);
    for (int64_t l = 0; l < count; l++) {
        const int64_t number = first + l;
        if (answer[l].verdict == FLSQ_NOT_SETTLED) {
            solve_alone(s, w, number);
            continue;
        }
        for (int64_t j = 0; j < p; j++)
            s->out.b[number * p + j] = w->lanes.b[j * lane + l];
        s->out.rss[number] = answer[l].rss;
        s->out.verdict[number] = (int8_t)answer[l].verdict;
        s->out.passes[number] = 2;
        s->out.condition[number] = sqrt(answer[l].condition);
        s->out.backward_error[number] = answer[l].backward_error;
    }
}

static void body(void *context, int thread, int n_threads)
{
    batched *const s = context;
    const int64_t group = s->in_lanes ? s->kernels->lanes : 1;
    workspace w;
    (void)n_threads;
    lay_out(s, s->memory + thread * s->memory_stride, &w);
    for (int64_t block = flsq_parallel_claim(&s->claimed) * TASKS_AT_A_TIME; block < s->tasks;
         block = flsq_parallel_claim(&s->claimed) * TASKS_AT_A_TIME)
        for (int64_t task = block; task < FLSQ_MIN(block + TASKS_AT_A_TIME, s->tasks); task++) {
            if (s->in_lanes)
                solve_in_lanes(s, &w, task * group);
            else
                solve_alone(s, &w, task);
        }
}

flsq_status flsq_lstsq_batched(const flsq_kernels *kernels, const flsq_batch *batch, int n_threads,
                               const flsq_batch_answers *answers)
{
    const int64_t n = batch->first.x.rows, p = batch->first.x.columns, k = batch->first.y.columns;
    batched s = {.kernels = kernels, .batch = batch, .out = *answers,
                 .in_lanes = k == 1 && p <= FLSQ_LANES_COLUMNS && n <= FLSQ_LANES_ROWS &&
                             batch->first.weights.data == NULL};
    flsq_arena arena;
    s.tasks = FLSQ_CEIL_DIV(batch->count, s.in_lanes ? kernels->lanes : 1);
    if ((double)batch->count * (double)n * (double)((p + k) * (p + k)) < FLSQ_THREAD_FLOPS)
        n_threads = 1;
    n_threads = (int)FLSQ_MAX(1, FLSQ_MIN(n_threads, s.tasks));
    flsq_status status = add_bytes(&s, &s.memory_stride);
    if (status == FLSQ_OK)
        status = flsq_arena_open_for_threads(&arena, n_threads, s.memory_stride, &s.memory);
    if (status != FLSQ_OK)
        return status;
    flsq_parallel_run(n_threads, body, &s);
    flsq_arena_close(&arena);
    return s.status;
}
