/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * A fit for every window of rows, by additions alone.
 *
 * The rows are cut into blocks.  A window that begins in block i and ends in block j is
 *
 *      suffix of block i | blocks i+1 .. j-1 | prefix of block j
 *
 * The suffixes of a block are running sums from its end, begun with what the tree (sums.h) has for the blocks between; the
 * prefixes run from the beginning of block j; a window inside one block is summed row by row.  Nothing is ever subtracted:
 * what has left the window cannot be seen in it.  Sums are about a row of the window, or about the mean of the blocks
 * between, so that a level far above the changes does not cancel; the kernel then puts the two pieces together about their
 * common mean, one window to a lane.  With decay there is no beginning: the first piece is all that came before block j.
 */
#include "blocksizes.h"
#include "pack.h"
#include "parallel.h"
#include "rolling.h"
#include "workspace.h"
#include <math.h>
#include <string.h>

enum { ROWS_AT_A_TIME = 1024 /* of the windows a thread takes from the common counter */ };

/* ---- memory of a thread ------------------------------------------------------------------------------------------ */

enum { PIECES = 25 };

static void count_entries(const flsq_rolling *s, int64_t counts[PIECES])
{
    const int64_t lanes = s->kernels->lanes, square = s->p * s->p * lanes;
    const int64_t all[PIECES] = {
        s->block * s->q, s->block, s->block, s->block * s->q, s->block, s->block, s->block,
        (s->block + 1) * s->entries, (lanes + 1) * s->entries, lanes * s->entries, lanes * s->entries, lanes * s->entries,
        s->q * s->q * lanes, square, square, square, s->q * lanes, s->q * lanes, s->q * lanes, s->q * lanes, s->q * lanes,
        FLSQ_WINDOW_NUMBERS * lanes, s->q, s->q, s->entries};
    memcpy(counts, all, sizeof all);
}

static flsq_status add_bytes(const flsq_rolling *s, int64_t *total)
{
    int64_t counts[PIECES];
    flsq_status status = FLSQ_OK;
    count_entries(s, counts);
    for (int i = 0; i < PIECES && status == FLSQ_OK; i++)
        status = flsq_size_add(total, counts[i], sizeof(double));
    return status;
}

static void lay_out(const flsq_rolling *s, char *memory, flsq_window_worker *w)
{
    int64_t counts[PIECES];
    double **const pieces[PIECES] = {
        &w->here.x, &w->here.weight, &w->here.factor, &w->there.x, &w->there.weight, &w->there.factor, &w->column,
        &w->suffix, &w->prefix, &w->other, &w->a, &w->b, &w->whole, &w->m, &w->r, &w->t, &w->mean, &w->coef,
        &w->reciprocal, &w->root, &w->level, &w->numbers, &w->point, &w->work, &w->zeros};
    count_entries(s, counts);
    for (int i = 0; i < PIECES; i++) {
        int64_t bytes = 0;
        *pieces[i] = (double *)memory;
        flsq_size_add(&bytes, counts[i], sizeof(double)); /* did not overflow in add_bytes */
        memory += bytes;
    }
    memset(w->zeros, 0, (size_t)s->entries * sizeof(double));
    memset(w->point, 0, (size_t)s->q * sizeof(double));
}

/* ---- rows and points -------------------------------------------------------------------------------------------- */

static int64_t first_row(const flsq_rolling *s, int64_t block) { return block * s->block; }
static int64_t end_row(const flsq_rolling *s, int64_t block) { return FLSQ_MIN((block + 1) * s->block, s->rows->x.rows); }

static void ones(int64_t count, double *out)
{
    for (int64_t k = 0; k < count; k++)
        out[k] = 1.0;
}

static void read_rows(const flsq_rolling *s, const flsq_window_worker *w, int64_t first, int64_t end,
                      const flsq_window_rows *out)
{
    const int64_t count = end - first, q = s->q;
    const flsq_matrix *const x = &s->rows->x;
    if (x->dtype == FLSQ_F64 && x->col_stride == sizeof(double)) {
        for (int64_t k = 0; k < count; k++) /* perhaps not aligned */
            memcpy(out->x + k * q, (const char *)x->data + (first + k) * x->row_stride, (size_t)s->p * sizeof(double));
    } else {
        for (int64_t j = 0; j < s->p; j++) {
            flsq_read_column(x, j, first, count, w->column);
            for (int64_t k = 0; k < count; k++)
                out->x[k * q + j] = w->column[k];
        }
    }
    flsq_read_column(&s->rows->y, 0, first, count, w->column);
    for (int64_t k = 0; k < count; k++)
        out->x[k * q + s->p] = w->column[k];
    if (s->rows->weights.data != NULL)
        flsq_read_column(&s->rows->weights, 0, first, count, out->weight);
    else
        ones(count, out->weight);
    if (s->windows->factor != NULL)
        memcpy(out->factor, s->windows->factor + first, (size_t)count * sizeof(double));
    else
        ones(count, out->factor);
}

/* w->point := the first row that counts from place `at` on, in steps of `step` up to `last`; 0 without any, and without an
 * intercept. */
static void choose_point(const flsq_rolling *s, const flsq_window_worker *w, const flsq_window_rows *rows, int64_t at,
                         int64_t last, int64_t step)
{
    memset(w->point, 0, (size_t)s->q * sizeof(double));
    if (!s->rows->unit)
        return;
    for (; step * (last - at) >= 0; at += step)
        if (rows->weight[at] > 0) {
            memcpy(w->point, rows->x + at * s->q, (size_t)s->q * sizeof(double));
            return;
        }
}

static void begin(const flsq_rolling *s, const flsq_window_worker *w, double *sums)
{
    memset(sums, 0, (size_t)s->entries * sizeof(double));
    memcpy(sums + flsq_sums_point(s->q), w->point, (size_t)s->q * sizeof(double));
}

/* Sums over a whole block, about its mean. */
static void sum_block(const flsq_rolling *s, const flsq_window_worker *w, int64_t block, double *sums)
{
    const int64_t first = first_row(s, block), count = end_row(s, block) - first, q = s->q;
    read_rows(s, w, first, first + count, &w->there);
    choose_point(s, w, &w->there, 0, count - 1, 1);
    for (int pass = 0; pass <= (s->rows->unit != 0); pass++) {
        if (pass > 0 && sums[0] > 0)
            for (int64_t j = 0; j < q; j++)
                w->point[j] += sums[1 + j] / sums[0];
        begin(s, w, sums);
        s->kernels->running_sums(count, q, w->there.x, w->there.weight, w->there.factor, 1, w->point, sums, 0);
    }
}

/* ---- windows ----------------------------------------------------------------------------------------------------- */

static int64_t start_of(const flsq_rolling *s, int64_t t)
{
    return s->windows->start != NULL ? s->windows->start[t] : t < s->windows->length ? 0 : t - s->windows->length + 1;
}

/* Sums over the suffixes of block i from row `from` on, each with all blocks between it and block j. */
static void sum_suffixes(const flsq_rolling *s, const flsq_window_worker *w, int64_t i, int64_t j, int64_t from)
{
    const int64_t q = s->q, first = first_row(s, i), last = s->block - 1;
    double *const end = w->suffix + s->block * s->entries;
    read_rows(s, w, first, first + s->block, &w->there);
    if (s->tree.nodes != NULL && i + 1 < j)
        flsq_sums_tree_total(&s->tree, i + 1, j, end, w->work);
    else
        end[0] = 0;
    if (end[0] > 0) {
        memcpy(w->point, end + flsq_sums_point(q), (size_t)q * sizeof(double));
    } else {
        choose_point(s, w, &w->there, last, from - first, -1);
        begin(s, w, end);
    }
    s->kernels->running_sums(first + s->block - from, q, w->there.x + last * q, w->there.weight + last,
                             w->there.factor + last, -1, w->point, end, -s->entries);
}

/* Sums over rows [from, to] of the block at hand. */
static void sum_inside(const flsq_rolling *s, const flsq_window_worker *w, int64_t from, int64_t to, double *sums)
{
    choose_point(s, w, &w->here, to, from, -1);
    begin(s, w, sums);
    s->kernels->running_sums(to - from + 1, s->q, w->here.x + from * s->q, w->here.weight + from, w->here.factor + from, 1,
                             w->point, sums, 0);
}

/* The pieces of the window that ends at row t of block j; *summed is the block whose suffixes are in memory. */
static void find_pieces(const flsq_rolling *s, const flsq_window_worker *w, int64_t j, int64_t t, int64_t l, int64_t *summed,
                        flsq_window_pieces *at)
{
    const int64_t first = first_row(s, j), start = start_of(s, t), i = start / s->block;
    double *const other = w->other + l * s->entries;
    if (start == first) {
        at->first[l] = w->zeros;
    } else if (i == j) {
        sum_inside(s, w, start - first, t - first, other);
        at->first[l] = w->zeros;
        at->second[l] = other;
    } else {
        if (i != *summed)
            sum_suffixes(s, w, i, j, start);
        *summed = i; /* the next lane may begin in another one */
        memcpy(other, w->suffix + (start - first_row(s, i)) * s->entries, (size_t)s->entries * sizeof(double));
        at->first[l] = other;
    }
}

/* All windows that end in block j. */
static void fit_block(const flsq_rolling *s, const flsq_window_worker *w, int64_t j)
{
    const int64_t first = first_row(s, j), end = end_row(s, j), lanes = s->kernels->lanes, q = s->q;
    int64_t summed = -1;
    double share = 1.0;
    read_rows(s, w, first, end, &w->here);
    choose_point(s, w, &w->here, 0, end - first - 1, 1);
    begin(s, w, w->prefix);
    ones(lanes, flsq_window_number(s, w, FLSQ_WINDOW_SHARE));
    for (int64_t t = first; t < end; t += lanes) {
        const int64_t count = FLSQ_MIN(lanes, end - t), k = t - first;
        flsq_window_pieces at;
        memcpy(w->point, w->prefix + flsq_sums_point(q), (size_t)q * sizeof(double));
        s->kernels->running_sums(count, q, w->here.x + k * q, w->here.weight + k, w->here.factor + k, 1, w->point, w->prefix,
                                 s->entries);
        for (int64_t l = 0; l < lanes; l++) {
            at.first[l] = at.second[l] = w->zeros;
            if (l >= count)
                continue;
            at.second[l] = w->prefix + (l + 1) * s->entries;
            if (s->carry == NULL) {
                find_pieces(s, w, j, t + l, l, &summed, &at);
            } else {
                share *= w->here.weight[k + l] > 0 ? w->here.factor[k + l] : 1.0;
                flsq_window_number(s, w, FLSQ_WINDOW_SHARE)[l] = share;
                at.first[l] = s->carry + j * s->entries;
            }
        }
        flsq_window_solve(s, w, &at, t, count);
        memcpy(w->prefix, w->prefix + count * s->entries, (size_t)s->entries * sizeof(double));
    }
}

/* ---- all of them ------------------------------------------------------------------------------------------------- */

static void sum_body(void *context, int thread, int n_threads)
{
    flsq_rolling *const s = context;
    flsq_window_worker w;
    (void)n_threads;
    lay_out(s, s->memory + thread * s->memory_stride, &w);
    for (int64_t at = flsq_parallel_claim(&s->claimed) * s->blocks_at_a_time; at < s->blocks;
         at = flsq_parallel_claim(&s->claimed) * s->blocks_at_a_time)
        for (int64_t j = at; j < FLSQ_MIN(at + s->blocks_at_a_time, s->blocks); j++) {
            if (s->carry == NULL) {
                sum_block(s, &w, j, flsq_sums_tree_leaf(&s->tree, j));
            } else if (j + 1 < s->blocks) {
                sum_block(s, &w, j, s->carry + (j + 1) * s->entries);
                s->decay[j] = 1.0;
                for (int64_t k = 0; k < s->block; k++)
                    s->decay[j] *= w.there.weight[k] > 0 ? w.there.factor[k] : 1.0;
            }
        }
}

static void fit_body(void *context, int thread, int n_threads)
{
    flsq_rolling *const s = context;
    flsq_window_worker w;
    (void)n_threads;
    lay_out(s, s->memory + thread * s->memory_stride, &w);
    for (int64_t at = flsq_parallel_claim(&s->claimed) * s->blocks_at_a_time; at < s->blocks;
         at = flsq_parallel_claim(&s->claimed) * s->blocks_at_a_time)
        for (int64_t j = at; j < FLSQ_MIN(at + s->blocks_at_a_time, s->blocks); j++)
            fit_block(s, &w, j);
}

/* How many rows of a window lie before its last, typically. */
static double typical_reach(const flsq_windows *windows, int64_t n)
{
    double sum = 0;
    if (windows->factor != NULL) { /* by decay: 1 + f + f² + ... */
        for (int64_t t = 0; t < n; t++)
            sum += windows->factor[t];
        return sum < (double)n ? (double)n / ((double)n - sum) : (double)n;
    }
    if (windows->start == NULL)
        return (double)(windows->length - 1);
    for (int64_t t = 0; t < n; t++)
        sum += (double)(t - windows->start[t]);
    return n > 0 ? sum / (double)n : 0.0;
}

/* The block that divides the reach evenly: with one or two blocks to a window there is nothing between them, and the
 * suffixes of a block are summed once. */
static int64_t choose_block(const flsq_rolling *s)
{
    const int64_t most = FLSQ_MIN(FLSQ_WINDOW_ROWS, FLSQ_MAX(FLSQ_WINDOW_BYTES / (s->entries * (int64_t)sizeof(double)),
                                                             FLSQ_LEAST_WINDOW_ROWS));
    const double reach = typical_reach(s->windows, s->rows->x.rows);
    if (reach > 1e6 || s->windows->factor != NULL)
        return (int64_t)FLSQ_MIN((double)most, FLSQ_MAX(reach, FLSQ_LEAST_WINDOW_ROWS));
    const int64_t rows = FLSQ_MAX((int64_t)ceil(reach), 1), parts = FLSQ_CEIL_DIV(rows, most);
    return FLSQ_MAX(FLSQ_CEIL_DIV(rows, parts), FLSQ_MIN(FLSQ_LEAST_WINDOW_ROWS, most));
}

/* Whether some window holds a whole block between its first and its last. */
static int has_blocks_between(const flsq_rolling *s)
{
    for (int64_t t = s->block - 1; t < s->rows->x.rows; t++)
        if (t / s->block - start_of(s, t) / s->block >= 2)
            return 1;
    return 0;
}

flsq_status flsq_rolling_fit(const flsq_kernels *kernels, const flsq_rows *rows, const flsq_windows *windows, int n_threads,
                             const flsq_window_answers *answers)
{
    const int64_t n = rows->x.rows, p = rows->x.columns, q = p + 1;
    int64_t check, size = 0, nodes = 0;
    flsq_rolling s = {.kernels = kernels, .rows = rows, .windows = windows, .out = *answers, .p = p, .q = q,
                 .columns = p + rows->unit, .tree = {.q = q, .centred = rows->unit}};
    if (flsq_size_multiply(q + 2, q, &check) != FLSQ_OK || flsq_size_multiply(check, FLSQ_MAX_LANES, &check) != FLSQ_OK)
        return FLSQ_TOO_LARGE;
    s.entries = flsq_sums_entries(q);
    s.block = choose_block(&s);
    s.blocks = s.tree.blocks = FLSQ_CEIL_DIV(n, s.block);
    s.blocks_at_a_time = FLSQ_CEIL_DIV(ROWS_AT_A_TIME, s.block);
    const int decays = windows->factor != NULL, between = !decays && has_blocks_between(&s);
    if ((double)n * (double)(q * q) < FLSQ_THREAD_FLOPS)
        n_threads = 1;
    n_threads = (int)FLSQ_MAX(1, FLSQ_MIN(n_threads, FLSQ_CEIL_DIV(s.blocks, s.blocks_at_a_time)));
    flsq_arena arena;
    flsq_status status = add_bytes(&s, &s.memory_stride);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, n_threads, s.memory_stride);
    if (status == FLSQ_OK)
        status = flsq_size_multiply(decays ? s.blocks : between ? flsq_sums_tree_nodes(s.blocks) : 0, s.entries, &nodes);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, nodes, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, decays ? s.blocks : 0, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    s.memory = flsq_arena_take(&arena, n_threads, s.memory_stride);
    double *const sums = flsq_arena_take(&arena, nodes, sizeof(double));
    s.decay = flsq_arena_take(&arena, decays ? s.blocks : 0, sizeof(double));
    s.carry = decays ? sums : NULL;
    s.tree.nodes = between ? sums : NULL;
    if (decays || between) {
        flsq_parallel_run(n_threads, sum_body, &s);
        s.claimed = 0;
        flsq_window_worker w;
        lay_out(&s, s.memory, &w);
        if (between)
            flsq_sums_tree_build(&s.tree, w.work);
        else if (n > 0)
            memset(sums, 0, (size_t)s.entries * sizeof(double));
        for (int64_t j = 0; decays && j + 1 < s.blocks; j++)
            flsq_sums_add(q, rows->unit, s.decay[j], sums + j * s.entries, sums + (j + 1) * s.entries, w.work);
    }
    flsq_parallel_run(n_threads, fit_body, &s);
    flsq_arena_close(&arena);
    return FLSQ_OK;
}
