/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * sum_g S_g S_gᵀ, S_g the sum of the scores (scores.c) of the rows of group g.
 *
 * Rows are read in the order that sorts them by group: where they lie if that is how they lie, else a chunk is gathered.  So a
 * group's sum is one chain of additions and no table of all groups is needed: sums that are complete are packed rows, and
 * their products are those of the Gram kernels.  A leaf of the tree is a fixed number of rows; what it has of groups that it
 * shares with its neighbours is kept, added up in order at the end, and so are the products of these sums.
 */
#include "scores.h"
#include "blocksizes.h"
#include <string.h>

enum { ASK = 512 }; /* bytes of a row that are asked for; the hardware goes on from there */

typedef struct cluster_pass {
    flsq_score_pass pass;
    const flsq_groups *groups;
    int64_t length;   /* score_panels*NR, doubles of a sum */
    double *shared;   /* for each leaf the sum of a group begun before it, and of one that goes on behind it */
} cluster_pass;

typedef struct cluster_chunk {
    flsq_score_chunk score;
    flsq_panels sums;
    int64_t filled;                /* complete sums */
    char *x, *y, *weights;         /* gathered rows */
} cluster_chunk;

static flsq_status lay_out(const cluster_pass *job, char *memory, cluster_chunk *c, int64_t *bytes)
{
    const flsq_score_pass *const pass = &job->pass;
    const int64_t stride = flsq_panels_stride(pass->kernels, pass->chunk);
    const flsq_piece sizes[] = {{pass->score_panels, stride * (int64_t)sizeof(double)},
                                {pass->chunk, flsq_row_bytes(&pass->rows->x)},
                                {pass->chunk, flsq_row_bytes(&pass->rows->y)},
                                {pass->chunk, flsq_row_bytes(&pass->rows->weights)}};
    void *pieces[4];
    flsq_status status = flsq_score_lay_out(pass, memory, &c->score, bytes);
    if (status == FLSQ_OK)
        status = flsq_lay_out_pieces(4, sizes, memory, pieces, bytes);
    if (status != FLSQ_OK)
        return status;
    c->sums = (flsq_panels){pieces[0], stride, pass->score_panels, pass->kernels->nr};
    c->x = pieces[1], c->y = pieces[2], c->weights = pieces[3];
    c->filled = 0;
    return FLSQ_OK;
}

/* The group that the row at `place` of the order belongs to. */
static int64_t group_at(const flsq_groups *groups, int64_t place)
{
    int64_t low = 0, high = groups->count;
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        if (groups->start[middle] <= place)
            low = middle;
        else
            high = middle;
    }
    return low;
}

/* Whether `count` rows lie one behind the other. */
static int are_adjacent(const int64_t *order, int64_t count)
{
    for (int64_t i = 1; i < count; i++)
        if (order[i] != order[0] + i)
            return 0;
    return 1;
}

/* Asks for the rows order[0] ... order[count - 1]. */
static void ask_for(const cluster_pass *job, const int64_t *order, int64_t count)
{
    const flsq_matrix *const x = &job->pass.rows->x, *const y = &job->pass.rows->y;
    if (!flsq_is_in_one_piece(x))
        return;
    for (int64_t i = 0; i < count; i++) {
        const char *const row = (const char *)x->data + order[i] * x->row_stride;
        for (int64_t at = 0; at < FLSQ_MIN(x->row_stride, ASK); at += FLSQ_ALIGNMENT)
            __builtin_prefetch(row + at, 0, 2);
        __builtin_prefetch(row + FLSQ_MIN(x->row_stride, ASK) - 1, 0, 2);
        __builtin_prefetch((const char *)y->data + order[i] * y->row_stride, 0, 2);
    }
}

static flsq_rows gather(const cluster_pass *job, const cluster_chunk *c, const int64_t *order, int64_t count)
{
    flsq_rows rows = *job->pass.rows;
    rows.x = flsq_gather_rows(&job->pass.rows->x, order, count, c->x);
    rows.y = flsq_gather_rows(&job->pass.rows->y, order, count, c->y);
    if (rows.weights.data != NULL)
        rows.weights = flsq_gather_rows(&job->pass.rows->weights, order, count, c->weights);
    return rows;
}

/* out := the sum under way, row `filled` of the panels. */
static void copy_sum(const cluster_pass *job, const cluster_chunk *c, double *out)
{
    const int64_t nr = job->pass.kernels->nr;
    for (int64_t J = 0; J < job->pass.score_panels; J++)
        memcpy(out + J * nr, c->sums.base + J * c->sums.stride + c->filled * nr, (size_t)nr * sizeof(double));
}

static void start_sum(const cluster_pass *job, const cluster_chunk *c)
{
    const int64_t nr = job->pass.kernels->nr;
    for (int64_t J = 0; J < job->pass.score_panels; J++)
        memset(c->sums.base + J * c->sums.stride + c->filled * nr, 0, (size_t)nr * sizeof(double));
}

/* The sum under way is complete. */
static void end_sum(const cluster_pass *job, cluster_chunk *c, double *node)
{
    if (++c->filled < job->pass.chunk)
        return;
    flsq_score_products(&job->pass, &c->sums, NULL, c->filled, (flsq_ahead){0}, node);
    c->filled = 0;
}

/* sum += the scores of rows [first, first + count) of the chunk. */
static void add_scores(const cluster_pass *job, const cluster_chunk *c, int64_t first, int64_t count)
{
    const flsq_score_pass *const pass = &job->pass;
    const int64_t nr = pass->kernels->nr;
    for (int64_t J = 0; J < pass->score_panels; J++)
        pass->kernels->gradient(count, c->score.scores.base + J * c->score.scores.stride + first * nr,
                                flsq_score_columns(pass, J), c->score.factor + first,
                                c->sums.base + J * c->sums.stride + c->filled * nr);
}

static void prepare_leaf(const void *context, void *scratch)
{
    const cluster_pass *const job = context;
    cluster_chunk c;
    int64_t bytes;
    lay_out(job, scratch, &c, &bytes);
    flsq_score_prepare(&job->pass, &c.score);
    flsq_panels_clear(job->pass.kernels, &c.sums, -1);
}

static void sum_leaf(const void *context, void *scratch, int64_t leaf, double *node)
{
    const cluster_pass *const job = context;
    const flsq_score_pass *const pass = &job->pass;
    const flsq_groups *const groups = job->groups;
    const int64_t begin = leaf * FLSQ_CLUSTER_ROWS, end = FLSQ_MIN(begin + FLSQ_CLUSTER_ROWS, pass->rows->x.rows);
    double *const shared = job->shared + 2 * leaf * job->length;
    cluster_chunk c;
    int64_t bytes, group = group_at(groups, begin);
    lay_out(job, scratch, &c, &bytes);
    start_sum(job, &c);
    for (int64_t row = begin; row < end; row += pass->chunk) {
        const int64_t count = FLSQ_MIN(pass->chunk, end - row), *const order = groups->order + row;
        const double *w;
        if (are_adjacent(order, count)) {
            w = flsq_score_coordinates(pass, &c.score, pass->rows, order[0], count, 0);
        } else {
            const int64_t more = FLSQ_MIN(count, end - row - count), half = more / 2;
            const flsq_rows rows = gather(job, &c, order, count);
            ask_for(job, order + count, half);
            w = flsq_score_coordinates(pass, &c.score, &rows, 0, count, 0);
            ask_for(job, order + count + half, more - half);
        }
        flsq_score_factors(pass, &c.score, w, count);
        for (int64_t at = row; at < row + count;) {
            const int64_t until = FLSQ_MIN(groups->start[group + 1], row + count);
            add_scores(job, &c, at - row, until - at);
            at = until;
            if (at < groups->start[group + 1])
                break;
            if (groups->start[group] < begin)
                copy_sum(job, &c, shared);
            else
                end_sum(job, &c, node);
            start_sum(job, &c);
            while (at < end && groups->start[group + 1] <= at)
                group++;
        }
    }
    if (groups->start[group + 1] > end)
        copy_sum(job, &c, shared + (groups->start[group] < begin ? 0 : job->length));
    if (c.filled > 0)
        flsq_score_products(pass, &c.sums, NULL, c.filled, (flsq_ahead){0}, node);
}

/* node += the products of the groups that leaves share. */
static void add_shared(const cluster_pass *job, cluster_chunk *c, int64_t leaves, double *node)
{
    const flsq_groups *const groups = job->groups;
    const int64_t n = job->pass.rows->x.rows, nr = job->pass.kernels->nr;
    start_sum(job, c);
    for (int64_t leaf = 0; leaf < leaves; leaf++) {
        const int64_t begin = leaf * FLSQ_CLUSTER_ROWS, end = FLSQ_MIN(begin + FLSQ_CLUSTER_ROWS, n);
        const int64_t first = group_at(groups, begin), last = group_at(groups, end - 1);
        const int continues[2] = {groups->start[first] < begin,
                                  groups->start[last] >= begin && groups->start[last + 1] > end};
        for (int i = 0; i < 2; i++) {
            if (!continues[i])
                continue;
            const double *const part = job->shared + (2 * leaf + i) * job->length;
            for (int64_t k = 0; k < job->length; k++)
                c->sums.base[k / nr * c->sums.stride + c->filled * nr + k % nr] += part[k];
            if (i == 0 && groups->start[first + 1] <= end) {
                end_sum(job, c, node);
                start_sum(job, c);
            }
        }
    }
    if (c->filled > 0)
        flsq_score_products(&job->pass, &c->sums, NULL, c->filled, (flsq_ahead){0}, node);
}

flsq_status flsq_clustered_scores(const flsq_kernels *kernels, const flsq_rows *rows, const flsq_score_frame *frame,
                                  const flsq_groups *groups, int n_threads, double *moments)
{
    const int64_t leaves = FLSQ_CEIL_DIV(rows->x.rows, FLSQ_CLUSTER_ROWS);
    cluster_pass job = {.groups = groups};
    flsq_arena arena, sum;
    flsq_arena_none(&sum);
    flsq_status status = flsq_score_open(kernels, rows, frame, 0, &arena, &job.pass);
    if (status != FLSQ_OK)
        return status;
    flsq_leaves work = {.job = &job, .leaf = sum_leaf, .prepare = prepare_leaf, .count = leaves};
    flsq_tree tree = {0};
    cluster_chunk c;
    int64_t size = 0, shared = 0;
    job.length = job.pass.score_panels * kernels->nr;
    status = flsq_score_node_length(&job.pass, &tree.node_length);
    if (status == FLSQ_OK)
        status = flsq_size_multiply(2 * leaves, job.length, &shared);
    if (status == FLSQ_OK)
        status = lay_out(&job, NULL, &c, &work.scratch_bytes);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, shared, sizeof(double));
    for (int i = 0; i < 2 && status == FLSQ_OK; i++)
        status = flsq_size_add(&size, tree.node_length, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, work.scratch_bytes, 1);
    if (status == FLSQ_OK)
        status = flsq_arena_open(&sum, size);
    if (status == FLSQ_OK) {
        job.shared = flsq_arena_take(&sum, shared, sizeof(double));
        status = flsq_tree_extend(&tree, kernels, &work, flsq_score_threads(&job.pass, n_threads));
    }
    if (status == FLSQ_OK) {
        double *const total = flsq_arena_take(&sum, tree.node_length, sizeof(double));
        double *const rest = flsq_arena_take(&sum, tree.node_length, sizeof(double));
        char *const scratch = flsq_arena_take(&sum, work.scratch_bytes, 1);
        int64_t bytes;
        lay_out(&job, scratch, &c, &bytes);
        prepare_leaf(&job, scratch);
        memset(rest, 0, (size_t)tree.node_length * sizeof(double));
        add_shared(&job, &c, leaves, rest);
        flsq_tree_total(&tree, 0, tree.node_length, total, NULL);
        kernels->axpy(tree.node_length, 1.0, rest, total);
        flsq_score_unpack(&job.pass, total, moments);
    }
    flsq_tree_release(&tree);
    flsq_arena_close(&sum);
    flsq_arena_close(&arena);
    return status;
}
