/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Rows to sums.  A chunk is read twice while it is in the cache: eta = X b, slopes of the loss, Xᵀ r.  Rows of float64 and float32
 * are read where they lie, eight at a time; eights that lie in several places are copied, other types and strides packed.  Rows
 * that do not exist have no weight.
 *
 * Centred and scaled columns cost nothing: with z = (x - c) f,  z·b = x·(f b) - c·(f b), and the gradient is
 * f (sum r x - c sum r).  Where c is so large that this would cancel, rows are packed and shaped.
 */
#include "descent.h"
#include "blocksizes.h"
#include "workspace.h"
#include <string.h>

static int is_plain_f32(const flsq_matrix *x)
{
    const int64_t item = sizeof(float);
    return x->dtype == FLSQ_F32 && (x->col_stride == item || x->columns == 1) && x->row_stride >= x->columns * item &&
           x->row_stride % item == 0 && (uintptr_t)x->data % sizeof(float) == 0;
}

int flsq_descent_is_plain(const flsq_matrix *x) { return x->columns > 0 && (flsq_is_plain_f64(x) || is_plain_f32(x)); }

flsq_status flsq_descent_lay_out(const flsq_kernels *kernels, const flsq_descent *problem, flsq_descent_layout *l)
{
    const flsq_matrix *const x = &problem->x;
    const int64_t p = x->columns, rows = FLSQ_DESCENT_CHUNK_BYTES / ((int64_t)sizeof(double) * FLSQ_MAX(p, 1));
    const int is_double = flsq_is_plain_f64(x);
    *l = (flsq_descent_layout){.kernels = kernels, .problem = problem,
                               .chunk = FLSQ_MAX(FLSQ_MIN(rows / 8 * 8, FLSQ_DESCENT_MOST_ROWS), 8),
                               .packed = FLSQ_CEIL_DIV(FLSQ_MAX(p, 1), kernels->nr),
                               .item = is_double ? sizeof(double) : sizeof(float),
                               .in_place = problem->sparse == NULL && !problem->shaped && flsq_descent_is_plain(x) &&
                                           x->row_stride <= 2 * p * (int64_t)(is_double ? sizeof(double) : sizeof(float))};
    l->length = l->packed * kernels->nr;
    if (l->in_place || problem->sparse != NULL)
        l->packed = 0;
    /* sums_length and all below are less than this */
    int64_t product;
    flsq_status status = flsq_size_multiply(l->length + 4, 8 * problem->predictors, &product);
    if (status == FLSQ_OK)
        status = flsq_size_multiply(product, 1024, &product);
    l->parameters = status == FLSQ_OK ? problem->predictors * (p + 1) : 0;
    return status;
}

enum { PIECES = 7 };

flsq_status flsq_descent_place(const flsq_descent_layout *l, char *memory, flsq_descent_memory *m, int64_t *bytes)
{
    const int64_t stride = flsq_panels_stride(l->kernels, l->chunk), k = l->problem->predictors, item = sizeof(double);
    const int64_t copied = l->in_place ? l->chunk * l->problem->x.row_stride + FLSQ_READ_PAST : 0;
    const flsq_piece sizes[PIECES] = {
        {l->packed, stride * item}, {1, copied}, {k * l->chunk, item}, {k * l->chunk, item},
        {k * l->chunk, item}, {l->chunk, item}, {l->chunk, item}};
    void *pieces[PIECES] = {0};
    *bytes = 0;
    const flsq_status status = flsq_lay_out_pieces(PIECES, sizes, memory, pieces, bytes);
    *m = (flsq_descent_memory){.panels = {pieces[0], stride, l->packed, l->kernels->nr}, .copies = pieces[1],
                               .eta = pieces[2], .r = pieces[3], .y = pieces[4], .w = pieces[5], .ones = pieces[6]};
    return status;
}

void flsq_descent_prepare(const flsq_descent_layout *l, flsq_descent_memory *m)
{
    flsq_panels_clear(l->kernels, &m->panels, -1);
    if (l->in_place)
        memset(m->copies, 0, (size_t)(l->chunk * l->problem->x.row_stride + FLSQ_READ_PAST));
    for (int64_t i = 0; i < l->chunk; i++)
        m->ones[i] = m->w[i] = 1.0;
}

/* Whole pairs of lines: sums that lie side by side may be those of two threads. */
int64_t flsq_descent_sums_length(const flsq_descent_layout *l)
{
    const int64_t pair = 2 * FLSQ_ALIGNMENT / (int64_t)sizeof(double);
    return FLSQ_CEIL_DIV(l->problem->predictors * (l->length + 1) + 2, pair) * pair;
}

flsq_descent_sums flsq_descent_sums_at(const flsq_descent_layout *l, double *memory)
{
    double *const slopes = memory + l->problem->predictors * l->length;
    return (flsq_descent_sums){.gradient = memory, .slopes = slopes, .totals = slopes + l->problem->predictors};
}

void flsq_descent_fold(const flsq_descent_layout *l, const double *b, const flsq_descent_folded *folded)
{
    const flsq_descent *const problem = l->problem;
    const int64_t p = problem->x.columns, k = problem->predictors;
    const double *const center = problem->center, *const factor = problem->factor;
    for (int64_t c = 0; c < k; c++) {
        const double *const own = b + c * p;
        double *const out = folded->b + c * l->length;
        double moved = 0;
        if (center == NULL || problem->shaped) {
            for (int64_t j = 0; j < p; j++)
                out[j] = -own[j];
        } else {
            for (int64_t j = 0; j < p; j++) {
                out[j] = -own[j] * factor[j];
                moved += out[j] * center[j];
            }
        }
        memset(out + p, 0, (size_t)(l->length - p) * sizeof(double));
        folded->start[c] = b[k * p + c] + moved;
    }
}

void flsq_descent_unfold(const flsq_descent_layout *l, const flsq_descent_sums *sums, double *gradient)
{
    const flsq_descent *const problem = l->problem;
    const int64_t p = problem->x.columns, k = problem->predictors;
    const double *const center = problem->center, *const factor = problem->factor;
    for (int64_t c = 0; c < k; c++) {
        const double *const own = sums->gradient + c * l->length;
        const double slope = sums->slopes[c];
        double *const out = gradient + c * p;
        if (center == NULL || problem->shaped)
            memcpy(out, own, (size_t)p * sizeof(double));
        else
            for (int64_t j = 0; j < p; j++)
                out[j] = (own[j] - center[j] * slope) * factor[j];
        gradient[k * p + c] = slope;
    }
}

/* ---- a chunk ---------------------------------------------------------------------------------------------------- */

static const char *address(const flsq_matrix *x, int64_t row) { return (const char *)x->data + row * x->row_stride; }

/* Whether eight rows from `row` on may be read with whole vectors. */
static int may_overread(const flsq_matrix *x, int64_t row)
{
    return (x->rows - row - 8) * x->row_stride >= FLSQ_READ_PAST;
}

static int64_t target_columns(const flsq_descent *problem)
{
    return problem->loss.one_class || problem->loss.kind == FLSQ_LOSS_SOFTMAX ? 1 : problem->predictors;
}

/* Targets and weights of whole eights, those of rows that do not exist 0. */
static const double *read_targets(const flsq_descent_layout *l, flsq_descent_memory *m, const flsq_descent_rows *rows)
{
    const flsq_descent *const problem = l->problem;
    const int64_t k = target_columns(problem), end = FLSQ_CEIL_DIV(rows->count, 8) * 8;
    int64_t at = 0;
    for (int64_t s = 0; s < rows->segments; s++) {
        const int64_t row = rows->segment[s].row, count = rows->segment[s].count;
        if (k == 1 && rows->segments == 1 && count == end) {
            if (problem->weights != NULL)
                memcpy(m->w, problem->weights + row, (size_t)count * sizeof(double));
            return problem->y + row;
        }
        if (k == 1)
            for (int64_t i = 0; i < count; i++)
                m->y[at + i] = problem->y[row + i];
        else
            for (int64_t i = 0; i < count; i++)
                for (int64_t c = 0; c < k; c++)
                    m->y[c * l->chunk + at + i] = problem->y[(row + i) * k + c];
        for (int64_t i = 0; problem->weights != NULL && i < count; i++)
            m->w[at + i] = problem->weights[row + i];
        at += count;
    }
    for (; at < end; at++) {
        m->w[at] = 0.0;
        for (int64_t c = 0; c < k; c++)
            m->y[c * l->chunk + at] = 0.0;
    }
    return m->y;
}

void flsq_descent_find(const flsq_descent_layout *l, flsq_descent_rows *rows)
{
    const flsq_matrix *const x = &l->problem->x;
    int64_t s = 0, before = 0; /* rows in the segments before s */
    rows->copied = 0;
    for (int64_t i = 0; l->in_place && 8 * i < rows->count; i++) {
        while (before + rows->segment[s].count <= 8 * i)
            before += rows->segment[s++].count;
        const int64_t within = 8 * i - before, row = rows->segment[s].row + within;
        rows->at[i] = within + 8 <= rows->segment[s].count && may_overread(x, row) ? address(x, row) : NULL;
        rows->copied += rows->at[i] == NULL;
    }
}

static void copy_eights(const flsq_descent_layout *l, flsq_descent_memory *m, const flsq_descent_rows *rows,
                        const void *at[FLSQ_DESCENT_EIGHTS])
{
    const flsq_matrix *const x = &l->problem->x;
    const size_t bytes = (size_t)(x->columns * l->item);
    int64_t to = 0;
    for (int64_t s = 0; s < rows->segments; s++)
        for (int64_t i = 0; i < rows->segment[s].count; i++, to++)
            if (rows->at[to / 8] == NULL)
                memcpy(m->copies + to * x->row_stride, address(x, rows->segment[s].row + i), bytes);
    for (; to % 8 != 0; to++) /* a row of no weight must be finite */
        memset(m->copies + to * x->row_stride, 0, bytes);
    for (int64_t i = 0; 8 * i < rows->count; i++)
        if (at[i] == NULL)
            at[i] = m->copies + 8 * i * x->row_stride;
}

/* Targets that are to come, */
static void ask_for_targets(const flsq_descent *problem, const flsq_descent_rows *rows)
{
    const int64_t k = target_columns(problem);
    for (int64_t s = 0; s < rows->segments; s++) {
        const int64_t row = rows->segment[s].row, line = FLSQ_ALIGNMENT / (int64_t)sizeof(double);
        for (int64_t i = 0; i < rows->segment[s].count * k; i += line)
            __builtin_prefetch(problem->y + row * k + i, 0, 3);
        for (int64_t i = 0; problem->weights != NULL && i < rows->segment[s].count; i += line)
            __builtin_prefetch(problem->weights + row + i, 0, 3);
    }
}

/* and single rows; eights are asked for by the kernels. */
static void ask_for_rows(const flsq_descent_layout *l, const flsq_descent_rows *rows)
{
    for (int64_t s = 0; s < rows->segments; s++) {
        const char *const first = address(&l->problem->x, rows->segment[s].row);
        const int64_t bytes = rows->segment[s].count * l->problem->x.row_stride;
        for (int64_t at = 0; at < bytes; at += FLSQ_ALIGNMENT)
            __builtin_prefetch(first + at, 0, 2);
        __builtin_prefetch(first + bytes - 1, 0, 2);
    }
}

static void pack_chunk(const flsq_descent_layout *l, flsq_descent_memory *m, const flsq_descent_rows *rows)
{
    const flsq_descent *const problem = l->problem;
    const int64_t nr = l->kernels->nr, p = problem->x.columns;
    int64_t at = 0;
    for (int64_t s = 0; s < rows->segments; s++) {
        flsq_panels part = m->panels;
        part.base += at * nr;
        flsq_pack_matrix(l->kernels, &problem->x, rows->segment[s].row, rows->segment[s].count, &part, 0);
        at += rows->segment[s].count;
    }
    for (int64_t i = at; i < FLSQ_CEIL_DIV(at, 8) * 8; i++)
        for (int64_t J = 0; J < l->packed; J++)
            memset(m->panels.base + J * m->panels.stride + i * nr, 0, (size_t)nr * sizeof(double));
    for (int64_t j = 0; problem->shaped && j < p; j++) {
        double *const column = m->panels.base + j / nr * m->panels.stride + j % nr;
        for (int64_t i = 0; i < at; i++)
            column[i * nr] = (column[i * nr] - problem->center[j]) * problem->factor[j];
    }
}

/* ---- rows that hold few values ------------------------------------------------------------------------------------ */

/* The first and last place of the values of a row, and those; one body for both kinds of integers and reals. */
#define SPARSE_ROW(row, body)                                                                                      \
    if (s->integer == FLSQ_I64 && s->real == FLSQ_F64)                                                             \
        SPARSE_VALUES(int64_t, double, row, body)                                                                  \
    else if (s->integer == FLSQ_I64)                                                                               \
        SPARSE_VALUES(int64_t, float, row, body)                                                                   \
    else if (s->real == FLSQ_F64)                                                                                  \
        SPARSE_VALUES(int32_t, double, row, body)                                                                  \
    else                                                                                                           \
        SPARSE_VALUES(int32_t, float, row, body)
#define SPARSE_VALUES(integer, real, row, body)                                                                    \
    {                                                                                                              \
        const integer *const start = s->start, *const index = s->index;                                            \
        const real *const values = s->value;                                                                       \
        for (int64_t at = start[row]; at < start[(row) + 1]; at++) {                                               \
            const int64_t j = index[at];                                                                           \
            const double value = values[at];                                                                       \
            body;                                                                                                  \
        }                                                                                                          \
    }

static void predict_sparse(const flsq_sparse *s, const flsq_descent_rows *rows, double start_at, const double *b, double *eta)
{
    int64_t i = 0;
    for (int64_t segment = 0; segment < rows->segments; segment++)
        for (int64_t row = rows->segment[segment].row; row < rows->segment[segment].row + rows->segment[segment].count; row++) {
            double sum = start_at;
            SPARSE_ROW(row, sum -= value * b[j])
            eta[i++] = sum;
        }
}

static void add_sparse(const flsq_sparse *s, const flsq_descent_rows *rows, const double *r, double *g)
{
    int64_t i = 0;
    for (int64_t segment = 0; segment < rows->segments; segment++)
        for (int64_t row = rows->segment[segment].row; row < rows->segment[segment].row + rows->segment[segment].count;
             row++, i++) {
            const double slope = r[i];
            SPARSE_ROW(row, g[j] += slope * value)
        }
}

/* ---- sums --------------------------------------------------------------------------------------------------------- */

void flsq_descent_add(const flsq_descent_layout *l, flsq_descent_memory *m, const flsq_descent_folded *folded,
                      const flsq_descent_rows *rows, const flsq_descent_rows *next, const flsq_descent_sums *sums)
{
    const flsq_kernels *const kernels = l->kernels;
    const flsq_descent *const problem = l->problem;
    const int64_t k = problem->predictors, nr = kernels->nr, count = FLSQ_CEIL_DIV(rows->count, 8) * 8;
    const int single = l->item == sizeof(float);
    const void *at[FLSQ_DESCENT_EIGHTS], *soon[FLSQ_DESCENT_EIGHTS];
    flsq_eights eights = {.at = rows->at, .count = count / 8, .columns = problem->x.columns,
                          .step = problem->x.row_stride / l->item};
    const double *const y = read_targets(l, m, rows);
    if (next != NULL)
        ask_for_targets(problem, next);
    if (l->in_place) {
        if (rows->copied > 0) {
            memcpy(at, rows->at, (size_t)eights.count * sizeof *at);
            copy_eights(l, m, rows, at);
            eights.at = at;
        }
        if (next != NULL && next->segments > next->count / 8) {
            ask_for_rows(l, next);
        } else if (next != NULL && next->copied == 0 && next->count >= count) {
            eights.soon = next->at;
        } else if (next != NULL) {
            for (int64_t i = 0; i < eights.count; i++)
                soon[i] = 8 * i >= next->count || next->at[i] == NULL ? eights.at[i] : next->at[i];
            eights.soon = soon;
        }
    } else if (problem->sparse == NULL) {
        pack_chunk(l, m, rows);
    }
    for (int64_t c = 0; c < k; c++) {
        double *const eta = m->eta + c * l->chunk;
        const double *const b = folded->b + c * l->length;
        if (l->in_place) {
            (single ? kernels->predict_f32 : kernels->predict_f64)(&eights, folded->start[c], b, eta);
        } else if (problem->sparse != NULL) {
            predict_sparse(problem->sparse, rows, folded->start[c], b, eta);
            memset(eta + rows->count, 0, (size_t)(count - rows->count) * sizeof(double));
        } else {
            for (int64_t i = 0; i < count; i++)
                eta[i] = folded->start[c];
            kernels->residual(count, l->packed, m->panels.base, m->panels.stride, b, eta);
        }
    }
    if (problem->loss.kind == FLSQ_LOSS_SOFTMAX) {
        sums->totals[0] += kernels->softmax_rows(k, 1, count, l->chunk, m->eta, y, m->w, m->r);
    } else {
        for (int64_t c = 0; c < k; c++) {
            flsq_loss loss = problem->loss;
            loss.label = (double)c;
            sums->totals[0] += kernels->loss_rows(&loss, count, m->eta + c * l->chunk,
                                                  y + (loss.one_class ? 0 : c * l->chunk), m->w, m->r + c * l->chunk);
        }
    }
    sums->totals[1] += problem->weights == NULL ? (double)rows->count : kernels->dot(count, m->w, m->ones);
    for (int64_t c = 0; c < k; c++) {
        const double *const r = m->r + c * l->chunk;
        double *const g = sums->gradient + c * l->length;
        sums->slopes[c] += kernels->dot(count, r, m->ones);
        if (l->in_place)
            (single ? kernels->slope_sums_f32 : kernels->slope_sums_f64)(&eights, r, g);
        else if (problem->sparse != NULL)
            add_sparse(problem->sparse, rows, r, g);
        else
            for (int64_t J = 0; J < l->packed; J++)
                kernels->gradient(count, m->panels.base + J * m->panels.stride,
                                  FLSQ_MIN(nr, problem->x.columns - J * nr), r, g + J * nr);
    }
    for (int64_t i = rows->count; problem->weights == NULL && i < count; i++)
        m->w[i] = 1.0;
}
