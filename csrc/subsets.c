/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * One fit for every subset of the rows, each by QR of its rows (orthogonal.c): any condition, any rank, minimum norm.
 *
 * The rows of a subset are gathered into columns of float64; rows without weight stay behind.  With an intercept they are
 * shifted by the median of a few of them, and columns that are constant in the subset stay out: their coefficient is 0.
 * Columns whose squares leave the range of float64 are scaled by powers of two.  So the answer is in units of its own,
 *
 *     z = x 2^e - c 2^e;   b of the user = 2^(e - e_y) b;   intercept = 2^-e_y b_1 + c_y - sum_j c_j b_j
 *
 * and depends on nothing but its rows, whichever thread takes it.
 */
#include "blocksizes.h"
#include "damped.h"
#include "normal.h"
#include "orthogonal.h"
#include "pack.h"
#include "parallel.h"
#include <math.h>
#include <string.h>

enum {
    AT_A_TIME = 8, /* subsets that a thread takes from the common counter */
    SAMPLE = 15    /* rows of which the shift is the median */
};

typedef struct subsets {
    const flsq_kernels *kernels;
    const flsq_rows *rows;
    const flsq_subsets *sets;
    flsq_subset_answers out;
    int64_t p, lead, longest; /* columns, and with the unit; rows of the longest subset that is not left to the caller */
    int64_t claimed;
    flsq_status status;
    char *memory;
    int64_t memory_stride;
} subsets;

/* A subset as it is solved, and the work space of a thread. */
typedef struct subset {
    const subsets *s;
    int64_t n, used;             /* rows that weigh something, columns that vary */
    int64_t *row, *column;       /* longest: their places; p: the columns */
    double *x, *y, *weight;      /* longest x p, by columns; longest each */
    double *shift, *b, *power;   /* p + 2 each: c, b, 2^e */
    double *scale, *offset;      /* p + 2 each, as the core wants them */
    int64_t *exponent, *own;     /* p + 1: e; p: those of X D */
    double *r, *factor_scale, *null, *range, *root, *z; /* p x p, p, p x p thrice, p */
    int8_t *dependent;
    double total, heaviest;      /* of the weights: their sum, the largest */
} subset;

static int64_t length_of(const flsq_subsets *sets, int64_t i) { return sets->end[i] - sets->first[i]; }

static int is_for_caller(const subsets *s, int64_t i)
{
    const int64_t n = length_of(s->sets, i);
    return n == 0 || !flsq_is_for_qr(n, s->p, 1);
}

/* ---- rows -------------------------------------------------------------------------------------------------------- */

/* out[i] := a[row[i], column] */
static void gather(const flsq_matrix *a, int64_t column, int64_t n, const int64_t *row, double *out)
{
    const char *const base = (const char *)a->data + column * a->col_stride;
    if (a->dtype == FLSQ_F64)
        for (int64_t i = 0; i < n; i++)
            memcpy(out + i, base + row[i] * a->row_stride, sizeof(double));
    else
        for (int64_t i = 0; i < n; i++)
            flsq_read_column(a, column, row[i], 1, out + i);
}

/* The rows of subset i that weigh something, their weights and the sum of these. */
static void choose_rows(subset *c, int64_t i)
{
    const flsq_subsets *const sets = c->s->sets;
    const flsq_matrix *const weights = &c->s->rows->weights;
    const int weighted = weights->data != NULL || sets->factor != NULL;
    double faded = 1;
    c->n = 0;
    c->total = c->heaviest = 0;
    for (int64_t at = sets->end[i] - 1; at >= sets->first[i]; at--) { /* from the last row: it has not decayed */
        const int64_t row = sets->order[at];
        double weight = 1;
        if (weights->data != NULL)
            flsq_read_column(weights, 0, row, 1, &weight);
        weight *= faded;
        if (sets->factor != NULL)
            faded *= sets->factor[row];
        if (weight == 0) /* NaN counts, and will be met */
            continue;
        c->row[c->n] = row;
        if (weighted)
            c->weight[c->n] = weight;
        c->n++;
        c->total += weight;
        c->heaviest = FLSQ_MAX(c->heaviest, weight);
    }
}

/* The median of a few values from all over the column. */
static double middle_of(int64_t n, const double *x)
{
    double sorted[SAMPLE];
    const int64_t count = FLSQ_MIN(n, SAMPLE);
    for (int64_t i = 0; i < count; i++) {
        const double value = x[i * n / count];
        int64_t at = i;
        for (; at > 0 && sorted[at - 1] > value; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = value;
    }
    return sorted[count / 2];
}

/* Whether a column is constant, zero without an intercept; else its shift, and its exponent where squares of what is left
 * might leave the range of float64. */
static int is_constant(const subset *c, const double *x, double *shift, int64_t *exponent)
{
    const int unit = c->s->rows->unit;
    const double level = unit ? x[0] : 0.0;
    int varies = 0, whole = 0;
    double low = x[0], high = x[0];
    for (int64_t i = 0; i < c->n; i++) {
        varies |= x[i] != level;
        low = low < x[i] ? low : x[i];
        high = high > x[i] ? high : x[i];
    }
    *shift = unit && varies ? middle_of(c->n, x) : level;
    *exponent = 0;
    const double reach = FLSQ_MAX(high - *shift, *shift - low), squares = c->heaviest * reach * reach;
    if (varies && !(flsq_squares_in_range(squares) && flsq_squares_in_range((double)c->n * squares)) &&
        isfinite(low) && isfinite(high)) {
        frexp(FLSQ_MAX(fabs(low), fabs(high)), &whole);
        *exponent = FLSQ_MIN(-(int64_t)whole, 1023);
    }
    return !varies;
}

/* z := x - shift where no column is scaled; else the core does that. */
static void bring_to_units(subset *c, flsq_rows *problem)
{
    const int64_t unit = c->s->rows->unit, targets = c->used + unit;
    int scaled = c->exponent[c->used] != 0;
    for (int64_t j = 0; j < c->used; j++)
        scaled |= c->exponent[j] != 0;
    for (int64_t j = 0; j <= c->used; j++) { /* the target behind the columns, and in the core's arrays behind the unit */
        double *const x = j < c->used ? c->x + j * c->n : c->y;
        const int64_t place = j < c->used ? j : targets;
        c->power[j] = ldexp(1.0, (int)c->exponent[j]);
        c->scale[place] = c->power[j];
        c->offset[place] = c->shift[j] * c->power[j];
        for (int64_t i = 0; i < c->n && unit && !scaled; i++)
            x[i] -= c->shift[j];
    }
    if (unit) {
        c->scale[c->used] = 1;
        c->offset[c->used] = 0;
    }
    problem->scale = scaled ? c->scale : NULL;
    problem->offset = scaled ? c->offset : NULL;
}

static flsq_matrix columns_of(const double *data, int64_t n, int64_t columns)
{
    return (flsq_matrix){.data = data, .rows = n, .columns = columns, .row_stride = sizeof(double),
                         .col_stride = n * (int64_t)sizeof(double), .dtype = FLSQ_F64};
}

static void read_subset(subset *c, int64_t i, flsq_rows *problem)
{
    const subsets *const s = c->s;
    choose_rows(c, i);
    c->used = 0;
    for (int64_t j = 0; j < s->p && c->n > 0; j++) {
        double *const x = c->x + c->used * c->n;
        gather(&s->rows->x, j, c->n, c->row, x);
        if (!is_constant(c, x, &c->shift[c->used], &c->exponent[c->used]))
            c->column[c->used++] = j;
    }
    if (c->n == 0)
        return;
    gather(&s->rows->y, 0, c->n, c->row, c->y);
    is_constant(c, c->y, &c->shift[c->used], &c->exponent[c->used]);
    *problem = (flsq_rows){.x = columns_of(c->x, c->n, c->used), .y = columns_of(c->y, c->n, 1), .unit = s->rows->unit};
    if (s->rows->weights.data != NULL || s->sets->factor != NULL)
        problem->weights = columns_of(c->weight, c->n, 1);
    bring_to_units(c, problem);
}

/* ---- standard errors --------------------------------------------------------------------------------------------- */

/* root (used x rank) := H with the pseudo-inverse of the centred XᵀWX equal to H Hᵀ: D R⁻¹, or where columns depend on each
 * other, the columns of D range, each the shortest of its kind. */
static flsq_status find_root(subset *c, const flsq_rows *problem, flsq_orthogonal *found)
{
    const int64_t n = c->used, rank = found->rank;
    if (rank == n) {
        memset(c->root, 0, (size_t)(n * n) * sizeof(double));
        for (int64_t t = 0; t < n; t++)
            for (int64_t i = t; i >= 0; i--) {
                double sum = i == t;
                for (int64_t j = i + 1; j <= t; j++)
                    sum -= c->r[i * n + j] * c->root[j * n + t];
                c->root[i * n + t] = sum / c->r[i * n + i];
            }
    } else
        memcpy(c->root, c->range, (size_t)(n * rank) * sizeof(double));
    for (int64_t j = 0; j < n; j++) {
        int exponent;
        frexp(c->factor_scale[j], &exponent);
        c->own[j] = 1 - exponent;
        for (int64_t t = 0; t < rank; t++)
            c->root[j * rank + t] *= c->factor_scale[j];
    }
    if (rank == n)
        return FLSQ_OK;
    flsq_qr q = {.kernels = c->s->kernels, .rows = problem, .out = found, .columns = n, .k = rank, .lead = n, .z = c->z};
    q.f.exponent = c->own;
    return flsq_qr_shorten(&q, c->root);
}

/* About the shift, in its units: the mean of a column. */
static double mean_of(const subset *c, const flsq_rows *problem, int64_t j)
{
    const double *const x = c->x + j * c->n;
    double sum = 0;
    for (int64_t i = 0; i < c->n; i++) {
        const double z = problem->scale != NULL ? x[i] * c->power[j] - c->offset[j] : x[i];
        sum += (problem->weights.data != NULL ? c->weight[i] : 1.0) * z;
    }
    return sum / c->total;
}

/* sqrt(rss/(n - rank - unit) diag (XᵀWX)⁺); of the intercept 1/w + ‖Hᵀ mean‖² under the root. */
static flsq_status find_errors(subset *c, const flsq_rows *problem, flsq_orthogonal *found, double rss, double *errors)
{
    const int64_t unit = c->s->rows->unit, rank = found->rank, free = c->n - rank - unit;
    const int target = (int)c->exponent[c->used];
    for (int64_t j = 0; j < c->s->lead; j++)
        errors[j] = NAN;
    if (free <= 0)
        return FLSQ_OK;
    const flsq_status status = find_root(c, problem, found);
    if (status != FLSQ_OK)
        return status;
    const double sigma = sqrt(rss / (double)free);
    double *const level = c->z; /* Hᵀ mean */
    memset(level, 0, (size_t)c->used * sizeof(double));
    for (int64_t j = 0; j < c->used; j++) {
        const double mean = unit ? mean_of(c, problem, j) + c->shift[j] * c->power[j] : 0.0;
        double *const row = c->root + j * rank;
        errors[c->column[j]] = ldexp(sigma * flsq_length(c->s->kernels, rank, row), (int)c->exponent[j] - target);
        for (int64_t t = 0; t < rank; t++)
            level[t] += mean * row[t];
    }
    if (unit) {
        const double far = flsq_length(c->s->kernels, rank, level);
        errors[c->s->p] = ldexp(sigma * hypot(far, 1 / sqrt(c->total)), -target);
    }
    return FLSQ_OK;
}

/* ---- a subset ---------------------------------------------------------------------------------------------------- */

static void keep(const subset *c, const flsq_orthogonal *found, const flsq_report *report, double rss, int64_t i)
{
    const subsets *const s = c->s;
    const int target = (int)c->exponent[c->used];
    double *const b = s->out.b + i * s->lead;
    memset(b, 0, (size_t)s->lead * sizeof(double));
    for (int64_t j = 0; j < c->used; j++)
        b[c->column[j]] = ldexp(c->b[j], (int)c->exponent[j] - target);
    if (s->rows->unit) {
        b[s->p] = ldexp(c->b[c->used], -target) + c->shift[c->used];
        for (int64_t j = 0; j < c->used; j++)
            b[s->p] -= c->shift[j] * b[c->column[j]];
    }
    s->out.rss[i] = ldexp(rss, -2 * target);
    s->out.rank[i] = found->rank;
    s->out.condition[i] = found->rank > 0 ? sqrt(found->factor.condition) : NAN;
    s->out.backward_error[i] = report->backward_error;
    s->out.verdict[i] = (int8_t)report->verdict;
}

static flsq_status solve(subset *c, int64_t i)
{
    const subsets *const s = c->s;
    flsq_rows problem;
    flsq_report report;
    double rss;
    s->out.verdict[i] = FLSQ_NOT_SETTLED;
    if (is_for_caller(s, i))
        return FLSQ_OK;
    read_subset(c, i, &problem);
    if (c->n == 0)
        return FLSQ_OK;
    flsq_orthogonal found = {.factor = {.n = c->used, .r = c->r, .scale = c->factor_scale}};
    if (flsq_qr_takes_dependent_rows(c->n - s->rows->unit, c->used)) {
        found.null = c->null;
        found.range = c->range;
        found.dependent = c->dependent;
        memset(c->dependent, -1, (size_t)c->used);
    }
    flsq_status status = flsq_solve_by_qr(s->kernels, &problem, &found, c->b, &rss, &report);
    if (status != FLSQ_OK || report.verdict != FLSQ_CERTIFIED) {
        s->out.verdict[i] = (int8_t)report.verdict;
        return status;
    }
    keep(c, &found, &report, rss, i);
    return s->out.errors != NULL ? find_errors(c, &problem, &found, rss, s->out.errors + i * s->lead) : FLSQ_OK;
}

/* ---- threads ----------------------------------------------------------------------------------------------------- */

/* With memory == NULL, only the bytes are counted. */
static flsq_status lay_out(const subsets *s, char *memory, int64_t *used, subset *c)
{
    const int64_t p = s->p, n = s->longest;
    const struct {
        void **piece;
        int64_t count, times, item;
    } pieces[] = {
        {(void **)&c->x, n, p, sizeof(double)},       {(void **)&c->y, n, 1, sizeof(double)},
        {(void **)&c->weight, n, 1, sizeof(double)},  {(void **)&c->row, n, 1, sizeof(int64_t)},
        {(void **)&c->column, p, 1, sizeof(int64_t)}, {(void **)&c->shift, p + 2, 1, sizeof(double)},
        {(void **)&c->b, p + 2, 1, sizeof(double)},   {(void **)&c->power, p + 2, 1, sizeof(double)},
        {(void **)&c->scale, p + 2, 1, sizeof(double)}, {(void **)&c->offset, p + 2, 1, sizeof(double)},
        {(void **)&c->exponent, p + 1, 1, sizeof(int64_t)}, {(void **)&c->own, p, 1, sizeof(int64_t)},
        {(void **)&c->r, p, p, sizeof(double)},       {(void **)&c->factor_scale, p, 1, sizeof(double)},
        {(void **)&c->null, p, p, sizeof(double)},    {(void **)&c->range, p, p, sizeof(double)},
        {(void **)&c->root, p, p, sizeof(double)},    {(void **)&c->z, p, 1, sizeof(double)},
        {(void **)&c->dependent, p, 1, sizeof(int8_t)},
    };
    *used = 0;
    c->s = s;
    for (size_t i = 0; i < sizeof pieces / sizeof pieces[0]; i++) {
        int64_t count;
        if (memory != NULL)
            *pieces[i].piece = memory + *used;
        flsq_status status = flsq_size_multiply(pieces[i].count, pieces[i].times, &count);
        if (status == FLSQ_OK)
            status = flsq_size_add(used, count, pieces[i].item);
        if (status != FLSQ_OK)
            return status;
    }
    return FLSQ_OK;
}

static void body(void *context, int thread, int n_threads)
{
    subsets *const s = context;
    subset c;
    int64_t used;
    flsq_status status = FLSQ_OK;
    (void)n_threads;
    lay_out(s, s->memory + thread * s->memory_stride, &used, &c);
    for (int64_t block = flsq_parallel_claim(&s->claimed) * AT_A_TIME; block < s->sets->count && status == FLSQ_OK;
         block = flsq_parallel_claim(&s->claimed) * AT_A_TIME)
        for (int64_t i = block; i < FLSQ_MIN(block + AT_A_TIME, s->sets->count) && status == FLSQ_OK; i++)
            status = solve(&c, i);
    if (status != FLSQ_OK)
        __atomic_store_n(&s->status, status, __ATOMIC_RELAXED);
}

flsq_status flsq_fit_subsets(const flsq_kernels *kernels, const flsq_rows *rows, const flsq_subsets *sets, int n_threads,
                             const flsq_subset_answers *answers)
{
    subsets s = {.kernels = kernels, .rows = rows, .sets = sets, .out = *answers, .p = rows->x.columns,
                 .lead = rows->x.columns + rows->unit, .status = FLSQ_OK};
    double work = 0;
    for (int64_t i = 0; i < sets->count; i++) {
        s.longest = FLSQ_MAX(s.longest, is_for_caller(&s, i) ? 0 : length_of(sets, i));
        work += is_for_caller(&s, i) ? 0.0 : (double)length_of(sets, i) * (double)(s.lead + 1) * (double)(s.lead + 1);
    }
    if (work < FLSQ_THREAD_FLOPS)
        n_threads = 1;
    n_threads = (int)FLSQ_MAX(1, FLSQ_MIN(n_threads, FLSQ_CEIL_DIV(sets->count, AT_A_TIME)));
    subset pieces;
    flsq_arena arena;
    flsq_status status = lay_out(&s, NULL, &s.memory_stride, &pieces);
    if (status == FLSQ_OK)
        status = flsq_arena_open_for_threads(&arena, n_threads, s.memory_stride, &s.memory);
    if (status != FLSQ_OK)
        return status;
    flsq_parallel_run(n_threads, body, &s);
    flsq_arena_close(&arena);
    return s.status;
}
