/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * sum_t m_t m_tᵀ of the moving sums m_t = s_t + ... + s_{t-L} of scores (scores.c), zero before the first row and behind the
 * last: t = 0 ... m + L - 1 for the m rows of weight above 0, which alone count as rows here.
 *
 * No sum is ever subtracted from: in blocks of L + 1 rows m_t is what its block has so far and what the block before has from
 * there on (moving_sums of kernels.h).  A leaf of the tree begins with the L rows before it, so it is long where L is.
 */
#include "scores.h"
#include "blocksizes.h"
#include <string.h>

typedef struct window_pass {
    flsq_score_pass pass;
    int64_t window, counted, leaf_rows;
    const int64_t *first; /* for each leaf the row that its first is, or NULL where every row counts */
} window_pass;

typedef struct window_chunk {
    flsq_score_chunk score;
    double *before; /* score_panels of (window + 1) x NR: see moving_sums */
    double *until;  /* score_panels*NR: the block so far */
} window_chunk;

static int64_t block_doubles(const window_pass *job) { return (job->window + 1) * job->pass.kernels->nr; }

static flsq_status lay_out(const window_pass *job, char *memory, window_chunk *c, int64_t *bytes)
{
    const flsq_score_pass *const pass = &job->pass;
    const int64_t item = sizeof(double);
    int64_t total, block;
    flsq_status status = flsq_score_lay_out(pass, memory, &c->score, &total);
    if (status == FLSQ_OK)
        status = flsq_size_multiply(pass->kernels->nr * item, job->window + 1, &block);
    c->before = memory == NULL ? NULL : (double *)(memory + total);
    if (status == FLSQ_OK)
        status = flsq_size_add(&total, pass->score_panels, block);
    c->until = memory == NULL ? NULL : (double *)(memory + total);
    if (status == FLSQ_OK)
        status = flsq_size_add(&total, pass->score_panels * pass->kernels->nr, item);
    *bytes = total;
    return status;
}

static void prepare_leaf(const void *context, void *scratch)
{
    const window_pass *const job = context;
    window_chunk c;
    int64_t bytes;
    lay_out(job, scratch, &c, &bytes);
    flsq_score_prepare(&job->pass, &c.score);
}

/* Drops rows of weight 0; how many are left. */
static int64_t drop_weightless(const window_pass *job, const window_chunk *c, const double *w, int64_t count)
{
    const int64_t nr = job->pass.kernels->nr;
    int64_t kept = 0;
    for (int64_t i = 0; i < count; i++) {
        if (w[i] == 0.0)
            continue;
        for (int64_t J = 0; J < job->pass.score_panels && kept < i; J++) {
            double *const panel = c->score.scores.base + J * c->score.scores.stride;
            memcpy(panel + kept * nr, panel + i * nr, (size_t)nr * sizeof(double));
        }
        c->score.factor[kept++] = c->score.factor[i];
    }
    return kept;
}

/* Rows z and factors of up to `count` rows from `row` on; how many count. */
static int64_t read_scores(const window_pass *job, const window_chunk *c, int64_t row, int64_t count)
{
    const double *const w = flsq_score_coordinates(&job->pass, &c->score, job->pass.rows, row, count, 0);
    flsq_score_factors(&job->pass, &c->score, w, count);
    return job->first == NULL ? count : drop_weightless(job, c, w, count);
}

/* Rows behind the last one have no score. */
static void no_scores(const window_pass *job, const window_chunk *c, int64_t count)
{
    const int64_t nr = job->pass.kernels->nr;
    for (int64_t J = 0; J < job->pass.score_panels; J++)
        memset(c->score.scores.base + J * c->score.scores.stride, 0, (size_t)(count * nr) * sizeof(double));
    memset(c->score.factor, 0, (size_t)count * sizeof(double));
}

static void sum_leaf(const void *context, void *scratch, int64_t leaf, double *node)
{
    const window_pass *const job = context;
    const flsq_score_pass *const pass = &job->pass;
    const int64_t nr = pass->kernels->nr, window = job->window, lags = window - 1;
    const int64_t begin = leaf * job->leaf_rows, end = FLSQ_MIN(begin + job->leaf_rows, job->counted + lags);
    window_chunk c;
    int64_t bytes, place = FLSQ_MAX(begin - lags, 0), row = job->first == NULL ? place : job->first[leaf];
    int64_t at = leaf == 0 ? 0 : 1 % window; /* in a block: the first row of the one before the leaf is in no window */
    lay_out(job, scratch, &c, &bytes);
    memset(c.before, 0, (size_t)(pass->score_panels * block_doubles(job)) * sizeof(double));
    memset(c.until, 0, (size_t)(pass->score_panels * nr) * sizeof(double));
    while (place < end) {
        int64_t count = FLSQ_MIN(pass->chunk, (place < begin ? begin : end) - place);
        if (place < job->counted) {
            count = FLSQ_MIN(count, job->counted - place);
            const int64_t read = count;
            count = read_scores(job, &c, row, read);
            row += read;
        } else {
            no_scores(job, &c, count);
        }
        for (int64_t J = 0; J < pass->score_panels; J++)
            pass->kernels->moving_sums(count, flsq_score_columns(pass, J), c.score.factor, window, at,
                                       c.before + J * block_doubles(job), c.until + J * nr,
                                       c.score.scores.base + J * c.score.scores.stride);
        if (place >= begin)
            flsq_score_products(pass, &c.score.scores, NULL, count, flsq_score_ahead(pass, row), node);
        at = (at + count) % window;
        place += count;
    }
}

/* How many rows have a weight above 0; and in which row those of each leaf begin, with what they need before them. */
static int64_t find_leaves(const flsq_rows *rows, int64_t leaf_rows, int64_t lags, int64_t leaves, int64_t *first)
{
    enum { PIECE = 512 };
    double memory[PIECE];
    int64_t counted = 0, leaf = 0;
    for (int64_t row = 0; row < rows->x.rows; row += PIECE) {
        const int64_t count = FLSQ_MIN(PIECE, rows->x.rows - row);
        const double *const w = flsq_find_column(&rows->weights, 0, row, count, memory);
        for (int64_t i = 0; i < count; i++) {
            if (w[i] == 0.0)
                continue;
            while (leaf < leaves && counted == FLSQ_MAX(leaf * leaf_rows - lags, 0))
                first[leaf++] = row + i;
            counted++;
        }
    }
    while (leaf < leaves)
        first[leaf++] = rows->x.rows;
    return counted;
}

flsq_status flsq_windowed_scores(const flsq_kernels *kernels, const flsq_rows *rows, const flsq_score_frame *frame,
                                 int64_t window, int n_threads, double *moments)
{
    const int64_t n = rows->x.rows;
    if (window > INT64_MAX / 64)
        return FLSQ_TOO_LARGE;
    window_pass job = {.window = window, .counted = n};
    flsq_arena arena, sum;
    flsq_arena_none(&sum);
    flsq_status status = flsq_score_open(kernels, rows, frame, 0, &arena, &job.pass);
    if (status != FLSQ_OK)
        return status;
    job.leaf_rows = FLSQ_MAX(job.pass.block_rows, 4 * window);
    flsq_leaves work = {.job = &job, .leaf = sum_leaf, .prepare = prepare_leaf,
                        .count = n > 0 ? FLSQ_CEIL_DIV(n + window - 1, job.leaf_rows) : 0};
    flsq_tree tree = {0};
    window_chunk sizes;
    int64_t size = 0;
    status = flsq_score_node_length(&job.pass, &tree.node_length);
    if (status == FLSQ_OK)
        status = lay_out(&job, NULL, &sizes, &work.scratch_bytes);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, tree.node_length, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, work.count, sizeof(int64_t));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&sum, size);
    if (status == FLSQ_OK) {
        double *const total = flsq_arena_take(&sum, tree.node_length, sizeof(double));
        int64_t *const first = flsq_arena_take(&sum, work.count, sizeof(int64_t));
        if (rows->weights.data != NULL && work.count > 0) {
            job.counted = find_leaves(rows, job.leaf_rows, window - 1, work.count, first);
            job.first = job.counted < n ? first : NULL;
            work.count = job.counted > 0 ? FLSQ_CEIL_DIV(job.counted + window - 1, job.leaf_rows) : 0;
        }
        status = flsq_tree_extend(&tree, kernels, &work, flsq_score_threads(&job.pass, n_threads));
        if (status == FLSQ_OK) {
            flsq_tree_total(&tree, 0, tree.node_length, total, NULL);
            flsq_score_unpack(&job.pass, total, moments);
        }
    }
    flsq_tree_release(&tree);
    flsq_arena_close(&sum);
    flsq_arena_close(&arena);
    return status;
}
