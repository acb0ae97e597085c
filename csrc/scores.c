/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The score pass: for every row its residual e_i, its leverage h_i and its score s_i, and the moments of the scores, in one
 * read of the rows.
 *
 *      z_i = [x_i | 1] T        e_i = y_i - [x_i | 1] b        h_i = w_i ‖z_i‖²        s_i = w_i e_i f(h_i) z_i
 *
 * Where Tᵀ[X | 1]ᵀW[X | 1]T = I these are leverages, and a covariance that is robust to heteroskedasticity is
 * T (sum_i s_i s_iᵀ) Tᵀ.  With the factor in the rows themselves a sum of weighted products is the plain Gram matrix of s, by
 * the kernels of the Gram pass with both operands the same.  The sums go over row blocks of a fixed length and a tree, so the
 * bits do not depend on the number of threads.
 */
#include "scores.h"
#include <string.h>

typedef struct score_job {
    flsq_score_pass pass;
    const flsq_score_outputs *out;
} score_job;

static void write_scores(const score_job *job, const flsq_score_chunk *c, int64_t row, int64_t count)
{
    const int64_t nr = job->pass.kernels->nr, columns = job->pass.frame->columns;
    for (int64_t i = 0; i < count; i++)
        for (int64_t J = 0; J < job->pass.score_panels; J++)
            memcpy(job->out->scores + (row + i) * columns + J * nr, c->scores.base + J * c->scores.stride + i * nr,
                   (size_t)flsq_score_columns(&job->pass, J) * sizeof(double));
}

static void score_rows(const score_job *job, const flsq_score_chunk *c, int64_t row, int64_t count, double *node)
{
    const flsq_score_pass *const pass = &job->pass;
    const flsq_score_outputs *const out = job->out;
    const flsq_score_kind kind = pass->frame->kind;
    const int leverages = kind == FLSQ_SCORE_HC2 || kind == FLSQ_SCORE_HC3 || out->leverages != NULL;
    const double *const w = flsq_score_coordinates(pass, c, pass->rows, row, count, leverages);
    if (out->residuals != NULL)
        memcpy(out->residuals + row, c->e, (size_t)count * sizeof(double));
    if (out->leverages != NULL)
        memcpy(out->leverages + row, c->h, (size_t)count * sizeof(double));
    if (out->scores == NULL && out->moments == NULL)
        return;
    flsq_score_factors(pass, c, w, count);
    for (int64_t J = 0; J < pass->score_panels; J++) {
        double *const panel = c->scores.base + J * c->scores.stride;
        pass->kernels->weigh(count, flsq_score_columns(pass, J), c->factor, panel, panel);
    }
    if (out->scores != NULL)
        write_scores(job, c, row, count);
    if (out->moments != NULL)
        flsq_score_products(pass, &c->scores, c->factor, count, flsq_score_ahead(pass, row + count), node);
}

static void prepare_leaf(const void *job, void *scratch)
{
    const flsq_score_pass *const pass = &((const score_job *)job)->pass;
    flsq_score_chunk c;
    int64_t bytes;
    flsq_score_lay_out(pass, scratch, &c, &bytes);
    flsq_score_prepare(pass, &c);
}

static void sum_leaf(const void *context, void *scratch, int64_t leaf, double *node)
{
    const score_job *const job = context;
    const flsq_score_pass *const pass = &job->pass;
    flsq_score_chunk c;
    int64_t bytes;
    flsq_score_lay_out(pass, scratch, &c, &bytes);
    const int64_t begin = leaf * pass->block_rows, end = FLSQ_MIN(begin + pass->block_rows, pass->rows->x.rows);
    for (int64_t row = begin; row < end; row += pass->chunk)
        score_rows(job, &c, row, FLSQ_MIN(pass->chunk, end - row), node);
}

flsq_status flsq_scores(const flsq_kernels *kernels, const flsq_rows *rows, const flsq_score_frame *frame, int n_threads,
                        const flsq_score_outputs *out)
{
    const int64_t n = rows->x.rows;
    score_job job = {.out = out};
    flsq_arena arena, sum;
    flsq_arena_none(&sum);
    flsq_status status = flsq_score_open(kernels, rows, frame, out->scores == NULL && out->leverages == NULL, &arena, &job.pass);
    if (status != FLSQ_OK)
        return status;
    flsq_leaves leaves = {.job = &job, .leaf = sum_leaf, .prepare = prepare_leaf,
                          .count = FLSQ_CEIL_DIV(n, job.pass.block_rows)};
    flsq_tree tree = {.node_length = 1};
    flsq_score_chunk sizes;
    int64_t size = 0;
    if (out->moments != NULL)
        status = flsq_score_node_length(&job.pass, &tree.node_length);
    if (status == FLSQ_OK)
        status = flsq_score_lay_out(&job.pass, NULL, &sizes, &leaves.scratch_bytes);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, tree.node_length, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&sum, size);
    if (status == FLSQ_OK)
        status = flsq_tree_extend(&tree, kernels, &leaves, flsq_score_threads(&job.pass, n_threads));
    if (status == FLSQ_OK && out->moments != NULL) {
        double *const total = flsq_arena_take(&sum, tree.node_length, sizeof(double));
        flsq_tree_total(&tree, 0, tree.node_length, total, NULL);
        flsq_score_unpack(&job.pass, total, out->moments);
    }
    flsq_tree_release(&tree);
    flsq_arena_close(&sum);
    flsq_arena_close(&arena);
    return status;
}
