/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * One fit for every group of rows, solved one group to a lane.  Rows are read where they lie, through the order that
 * sorts them by group; groups of equal length share the lanes.
 *
 * With an intercept every group is shifted by the median of three of its rows, so that a mean far from zero cannot cancel
 * and one outlier does no harm, and a column of ones joins X.  Weighted rows are multiplied by sqrt(w).  Groups of more
 * than FLSQ_LANES_ROWS rows are left to the caller.
 */
#include "blocksizes.h"
#include "lanes.h"
#include "pack.h"
#include "parallel.h"
#include "workspace.h"
#include <math.h>
#include <string.h>

enum {
    TASKS_AT_A_TIME = 32, /* lanes-fuls of groups a thread takes from the common counter */
    SHORT = 64,           /* a group of up to so many rows is asked for while the one before it is solved, */
    ROWS_AHEAD = 12       /* a longer one so many rows before they are read: they lie anywhere */
};

typedef struct grouped {
    const flsq_kernels *kernels;
    const flsq_rows *rows;
    const flsq_groups *groups;
    flsq_group_answers out;
    int64_t p, columns; /* of X, and with the ones */
    int rows_plain;     /* float64, the elements of a row side by side */
    int64_t *by_length; /* groups, longest first */
    int64_t tasks, claimed, longest;
    char *memory;
    int64_t memory_stride;
} grouped;

/* The groups of the lanes, and how their rows are read. */
typedef struct lane_groups {
    const grouped *s;
    const int64_t *order[FLSQ_MAX_LANES]; /* rows of the group */
    int64_t length[FLSQ_MAX_LANES];
    const int64_t *later[FLSQ_MAX_LANES]; /* rows to ask for while reading these, */
    int64_t later_length[FLSQ_MAX_LANES]; /* number by number */
    double *shift; /* p + 1 of every lane, interleaved: a typical row and its target; 0 without an intercept */
    double *row;   /* p of every lane, one after the other: rows that have to be converted */
    const double *zeros;
} lane_groups;

/* Rows of zeros up to a multiple of the chains of lane_products: then no row changes its chain with the neighbours'
 * length, and no bit does. */
static int64_t padded(int64_t rows) { return FLSQ_CEIL_DIV(rows, FLSQ_LANE_CHAINS) * FLSQ_LANE_CHAINS; }

static int is_long(const grouped *s, int64_t g)
{
    return s->groups->start[g + 1] - s->groups->start[g] > FLSQ_LANES_ROWS;
}

/* Rows of group g that a lane will read. */
static int64_t length_of(const grouped *s, int64_t g)
{
    return is_long(s, g) ? 0 : s->groups->start[g + 1] - s->groups->start[g];
}

static double element(const flsq_matrix *a, int64_t row)
{
    double value;
    if (a->dtype == FLSQ_F64)
        memcpy(&value, (const char *)a->data + row * a->row_stride, sizeof value);
    else
        flsq_read_column(a, 0, row, 1, &value);
    return value;
}

/* Row `row` of X as p doubles in a piece. */
static const double *row_of(const lane_groups *c, int64_t l, int64_t row)
{
    const grouped *const s = c->s;
    if (s->rows_plain)
        return (const double *)((const char *)s->rows->x.data + row * s->rows->x.row_stride);
    double *const out = c->row + l * s->p;
    for (int64_t j = 0; j < s->p; j++)
        flsq_read_column(&s->rows->x, j, row, 1, out + j);
    return out;
}

static void fill(const void *job, int64_t first, int64_t count, double *x, double *y)
{
    const lane_groups *const c = job;
    const grouped *const s = c->s;
    const int64_t lane = s->kernels->lanes, p = s->p, columns = s->columns;
    const double *start[FLSQ_MAX_LANES];
    for (int64_t i = 0; i < count; i++, x += columns * lane, y += lane) {
        double factor[FLSQ_MAX_LANES];
        for (int64_t l = 0; l < lane; l++) {
            const int64_t at = first + i;
            start[l] = c->zeros;
            y[l] = factor[l] = 0;
            if (at >= c->length[l])
                continue;
            const int64_t row = c->order[l][at];
            if (at < c->later_length[l]) {
                const int64_t later = c->later[l][at];
                const char *const ahead = (const char *)s->rows->x.data + later * s->rows->x.row_stride;
                __builtin_prefetch(ahead, 0, 3);
                __builtin_prefetch(ahead + p * (int64_t)sizeof(double) - 1, 0, 3); /* may lie in the next line */
                __builtin_prefetch((const char *)s->rows->y.data + later * s->rows->y.row_stride, 0, 3);
            }
            start[l] = row_of(c, l, row);
            factor[l] = s->rows->weights.data != NULL ? sqrt(element(&s->rows->weights, row)) : 1.0;
            y[l] = factor[l] * (element(&s->rows->y, row) - c->shift[p * lane + l]);
        }
        s->kernels->interleave(p, start, x);
        if (s->rows->unit) { /* factor is 0 where a lane has no row left */
            for (int64_t j = 0; j < p; j++)
                for (int64_t l = 0; l < lane; l++)
                    x[j * lane + l] = factor[l] * (x[j * lane + l] - c->shift[j * lane + l]);
            memcpy(x + p * lane, factor, (size_t)lane * sizeof(double));
        } else if (s->rows->weights.data != NULL) {
            for (int64_t j = 0; j < p; j++)
                for (int64_t l = 0; l < lane; l++)
                    x[j * lane + l] *= factor[l];
        }
    }
}

static double middle(double a, double b, double c)
{
    return FLSQ_MAX(FLSQ_MIN(a, b), FLSQ_MIN(FLSQ_MAX(a, b), c));
}

/* The first row of positive weight at place `at` or behind it, in steps of `step`; -1 without any. */
static int64_t row_that_counts(const lane_groups *c, int64_t l, int64_t at, int64_t step)
{
    for (; at >= 0 && at < c->length[l]; at += step)
        if (c->s->rows->weights.data == NULL || element(&c->s->rows->weights, c->order[l][at]) > 0)
            return c->order[l][at];
    return -1;
}

static double coordinate(const lane_groups *c, int64_t l, int64_t row, int64_t j)
{
    double value = 0;
    if (row >= 0 && j < c->s->p)
        memcpy(&value, row_of(c, l, row) + j, sizeof value);
    else if (row >= 0)
        value = element(&c->s->rows->y, row);
    return value;
}

/* The median of the first, a middle and the last row that count, column by column. */
static void set_shifts(const lane_groups *c)
{
    const int64_t lane = c->s->kernels->lanes, p = c->s->p;
    for (int64_t l = 0; l < lane; l++) {
        const int64_t first = c->s->rows->unit ? row_that_counts(c, l, 0, 1) : -1;
        int64_t inner = first, last = first;
        if (first >= 0) {
            inner = row_that_counts(c, l, c->length[l] / 2, 1);
            last = row_that_counts(c, l, c->length[l] - 1, -1);
            inner = inner >= 0 ? inner : last;
        }
        for (int64_t j = 0; j <= p; j++)
            c->shift[j * lane + l] =
                middle(coordinate(c, l, first, j), coordinate(c, l, inner, j), coordinate(c, l, last, j));
    }
}

/* ---- one thread ------------------------------------------------------------------------------------------------- */

static flsq_status add_bytes(const grouped *s, int64_t *total)
{
    const int64_t row = s->kernels->lanes * (int64_t)sizeof(double);
    flsq_status status = flsq_size_add(total, 2 * s->p + 1, row);
    if (status == FLSQ_OK)
        status = flsq_size_add(total, s->p + 1, sizeof(double));
    return status == FLSQ_OK ? flsq_lanes_add_bytes(s->kernels, s->columns, padded(s->longest), total) : status;
}

static void lay_out(const grouped *s, char *memory, flsq_lanes *lanes, lane_groups *c)
{
    int64_t used = 0;
    c->s = s;
    c->shift = (double *)memory;
    c->row = c->shift + (s->p + 1) * s->kernels->lanes;
    flsq_size_add(&used, 2 * s->p + 1, s->kernels->lanes * (int64_t)sizeof(double));
    c->zeros = memset(memory + used, 0, (size_t)(s->p + 1) * sizeof(double));
    flsq_size_add(&used, s->p + 1, sizeof(double));
    flsq_lanes_lay_out(s->kernels, s->columns, padded(s->longest), memory + used, lanes);
}

static void keep(const grouped *s, const flsq_lanes *lanes, const lane_groups *c, int64_t l, int64_t g,
                 const flsq_lane_answer *answer)
{
    const int64_t lane = s->kernels->lanes;
    double *const b = s->out.b + g * s->columns;
    for (int64_t j = 0; j < s->columns; j++)
        b[j] = lanes->b[j * lane + l];
    if (s->rows->unit) {
        b[s->p] += c->shift[s->p * lane + l];
        for (int64_t j = 0; j < s->p; j++)
            b[s->p] -= c->shift[j * lane + l] * b[j];
    }
    s->out.rss[g] = answer->rss;
    s->out.condition[g] = sqrt(answer->condition);
    s->out.backward_error[g] = answer->backward_error;
    s->out.verdict[g] = (int8_t)answer->verdict;
}

/* The groups of lanes-ful number `task`, none behind the last. */
static void groups_of(const grouped *s, int64_t task, const int64_t **order, int64_t *length)
{
    const int64_t lane = s->kernels->lanes, first = task * lane;
    const int64_t count = FLSQ_MAX(0, FLSQ_MIN(lane, s->groups->count - first));
    for (int64_t l = 0; l < lane; l++) {
        length[l] = l < count ? length_of(s, s->by_length[first + l]) : 0;
        order[l] = l < count ? s->groups->order + s->groups->start[s->by_length[first + l]] : NULL;
    }
}

static void choose(lane_groups *c, int64_t task)
{
    const grouped *const s = c->s;
    const int64_t lane = s->kernels->lanes;
    const int64_t *order[FLSQ_MAX_LANES];
    int64_t length[FLSQ_MAX_LANES];
    groups_of(s, task, c->order, c->length);
    groups_of(s, task + 1, c->later, c->later_length);
    groups_of(s, task + 2, order, length);
    for (int64_t l = 0; l < lane; l++) {
        if (c->length[l] > SHORT) {
            c->later[l] = c->order[l] + ROWS_AHEAD;
            c->later_length[l] = c->length[l] - ROWS_AHEAD;
        }
        for (int64_t i = 0; i < FLSQ_MIN(length[l], SHORT); i += 8)
            __builtin_prefetch(order[l] + i, 0, 3);
    }
}

static void body(void *context, int thread, int n_threads)
{
    grouped *const s = context;
    const int64_t lane = s->kernels->lanes;
    flsq_lanes lanes;
    lane_groups c;
    (void)n_threads;
    lay_out(s, s->memory + thread * s->memory_stride, &lanes, &c);
    for (int64_t block = flsq_parallel_claim(&s->claimed) * TASKS_AT_A_TIME; block < s->tasks;
         block = flsq_parallel_claim(&s->claimed) * TASKS_AT_A_TIME)
        for (int64_t task = block; task < FLSQ_MIN(block + TASKS_AT_A_TIME, s->tasks); task++) {
            const int64_t *const group = s->by_length + task * lane;
            const int64_t count = FLSQ_MIN(lane, s->groups->count - task * lane);
            flsq_lane_answer answer[FLSQ_MAX_LANES];
            flsq_lane_ahead nothing = {0};
            choose(&c, task);
            set_shifts(&c);
            flsq_lanes_solve(&lanes, padded(c.length[0]), fill, &c, &nothing, answer);
            for (int64_t l = 0; l < count; l++) {
                if (is_long(s, group[l]))
                    answer[l].verdict = FLSQ_NOT_SETTLED;
                keep(s, &lanes, &c, l, group[l], &answer[l]);
            }
        }
}

/* Groups sorted by falling length, in two counting passes; `count_of` has longest + 2 entries. */
static void sort_by_length(grouped *s, int64_t *count_of)
{
    memset(count_of, 0, (size_t)(s->longest + 2) * sizeof(int64_t));
    for (int64_t g = 0; g < s->groups->count; g++)
        count_of[s->longest - length_of(s, g) + 1]++;
    for (int64_t i = 0; i <= s->longest; i++)
        count_of[i + 1] += count_of[i];
    for (int64_t g = 0; g < s->groups->count; g++)
        s->by_length[count_of[s->longest - length_of(s, g)]++] = g;
}

flsq_status flsq_grouped_fit(const flsq_kernels *kernels, const flsq_rows *rows, const flsq_groups *groups,
                             int n_threads, const flsq_group_answers *answers)
{
    grouped s = {.kernels = kernels, .rows = rows, .groups = groups, .out = *answers, .p = rows->x.columns,
                 .columns = rows->x.columns + rows->unit, .tasks = FLSQ_CEIL_DIV(groups->count, kernels->lanes)};
    s.rows_plain = rows->x.dtype == FLSQ_F64 && (s.p <= 1 || rows->x.col_stride == sizeof(double));
    for (int64_t g = 0; g < groups->count; g++)
        s.longest = FLSQ_MAX(s.longest, length_of(&s, g));
    flsq_arena arena;
    int64_t size = 0;
    if ((double)rows->x.rows * (double)(s.columns * s.columns) < FLSQ_THREAD_FLOPS)
        n_threads = 1;
    n_threads = (int)FLSQ_MAX(1, FLSQ_MIN(n_threads, s.tasks));
    flsq_status status = add_bytes(&s, &s.memory_stride);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, n_threads, s.memory_stride);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, groups->count, sizeof(int64_t));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, s.longest + 2, sizeof(int64_t));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    s.memory = flsq_arena_take(&arena, n_threads, s.memory_stride);
    s.by_length = flsq_arena_take(&arena, groups->count, sizeof(int64_t));
    sort_by_length(&s, flsq_arena_take(&arena, s.longest + 2, sizeof(int64_t)));
    flsq_parallel_run(n_threads, body, &s);
    flsq_arena_close(&arena);
    return FLSQ_OK;
}
