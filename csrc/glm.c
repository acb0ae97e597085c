/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The pass of a generalized linear model: for rows z = [x | 1] and predictors eta_c = offset + z b_c
 *
 *      L = sum_i w_i l(eta_i; y_i)      G_c = sum_i w_i l'_c z_i      H_cd = sum_i w_i l''_cd z_i z_iᵀ
 *
 * in one read of the rows.  A chunk is packed once; its predictors are products with the packed panels, the family turns
 * them into slopes and curvatures a vector of rows at a time, and gradient and Hessian are the products of the residual and
 * the Gram pass with the panels on one side and the panels times the curvature on the other.  The sums go over row blocks
 * of a fixed length and a tree, so the bits do not depend on the number of threads.
 */
#include "ahead.h"
#include "blocksizes.h"
#include "pack.h"
#include "tree.h"
#include "workspace.h"
#include <string.h>

typedef struct glm_pass {
    const flsq_kernels *kernels;
    const flsq_rows *rows;
    const flsq_glm *model;
    const flsq_glm_outputs *out;
    int64_t k, lead, panels, block_rows, chunk, step; /* step: chunk, rounded up to a vector */
    const double *b;              /* -B: k vectors of panels*NR */
    const double *scale, *offset; /* of the panels, then of y; NULL for none */
    int with_hessian;
} glm_pass;

typedef struct glm_chunk {
    flsq_panels z, weighted;
    double *eta, *r, *h, *y, *weights; /* the first three k times `step` */
} glm_chunk;

enum { PIECES = 7 };

static flsq_status lay_out(const glm_pass *pass, char *memory, glm_chunk *c, int64_t *bytes)
{
    const int64_t stride = flsq_panels_stride(pass->kernels, pass->chunk), item = sizeof(double);
    const flsq_piece sizes[PIECES] = {
        {pass->panels, stride * item}, {pass->with_hessian ? pass->panels : 0, stride * item},
        {pass->k * pass->step, item}, {pass->k * pass->step, item}, {pass->step, item}, {pass->step, item}, {pass->step, item}};
    void *pieces[PIECES] = {0};
    *bytes = 0;
    const flsq_status status = flsq_lay_out_pieces(PIECES, sizes, memory, pieces, bytes);
    *c = (glm_chunk){.z = {pieces[0], stride, pass->panels, pass->kernels->nr},
                     .weighted = {pieces[1], stride, pass->panels, pass->kernels->nr},
                     .eta = pieces[2], .r = pieces[3], .h = pieces[4], .y = pieces[5], .weights = pieces[6]};
    return status;
}

static int64_t panel_columns(const glm_pass *pass, int64_t J)
{
    return FLSQ_MIN(pass->kernels->nr, pass->lead - J * pass->kernels->nr);
}

/* A node: Hessian blocks of NR x NR, by pairs of predictors c <= d and panels I <= J; then k gradients; then the loss. */
static int64_t pair_blocks(const glm_pass *pass) { return pass->panels * (pass->panels + 1) / 2; }

static int64_t hessian_length(const glm_pass *pass)
{
    const int64_t pairs = pass->k * (pass->k + 1) / 2;
    return pass->with_hessian ? pairs * pair_blocks(pass) * pass->kernels->nr * pass->kernels->nr : 0;
}

static double *block(const glm_pass *pass, double *node, int64_t c, int64_t d, int64_t I, int64_t J)
{
    const int64_t pair = d * (d + 1) / 2 + c, nr = pass->kernels->nr;
    return node + (pair * pair_blocks(pass) + J * (J + 1) / 2 + I) * nr * nr;
}

/* [X | 1] of rows [row, row + count) to the panels. */
static void pack_rows(const glm_pass *pass, const glm_chunk *c, int64_t row, int64_t count)
{
    const int64_t nr = pass->kernels->nr;
    flsq_pack_matrix(pass->kernels, &pass->rows->x, row, count, &c->z, 0);
    for (int64_t J = 0; pass->scale != NULL && J < pass->panels; J++)
        pass->kernels->affine(count, panel_columns(pass, J), pass->scale + J * nr, pass->offset + J * nr,
                              c->z.base + J * c->z.stride, nr);
}

static void find_predictors(const glm_pass *pass, const glm_chunk *c, int64_t row, int64_t count)
{
    const int64_t length = pass->panels * pass->kernels->nr;
    for (int64_t t = 0; t < pass->k; t++) {
        double *const eta = c->eta + t * pass->step;
        if (pass->model->offset.data != NULL)
            flsq_read_column(&pass->model->offset, 0, row, count, eta);
        else
            memset(eta, 0, (size_t)count * sizeof(double));
        pass->kernels->residual(count, pass->panels, c->z.base, c->z.stride, pass->b + t * length, eta);
        for (int64_t i = 0; pass->out->eta != NULL && i < count; i++)
            pass->out->eta[(row + i) * pass->k + t] = eta[i];
    }
}

/* h := w l''_cd from the probabilities in eta: p_c (1 - p_c), or -p_c p_d. */
static const double *curvature_of_pair(const glm_pass *pass, const glm_chunk *c, int64_t first, int64_t second,
                                       int64_t count)
{
    const double *const p = c->eta + first * pass->step, *const q = c->eta + second * pass->step;
    if (pass->model->family != FLSQ_FAMILY_SOFTMAX)
        return c->h;
    for (int64_t i = 0; i < count; i++)
        c->h[i] = c->weights[i] == 0.0 ? 0.0 : c->weights[i] * (first == second ? p[i] * (1.0 - p[i]) : -p[i] * q[i]);
    return c->h;
}

static void add_hessian(const glm_pass *pass, const glm_chunk *c, int64_t next, int64_t count, double *node)
{
    const flsq_kernels *const kernels = pass->kernels;
    flsq_ahead ahead = flsq_ahead_of_product(kernels, &pass->rows->x, next, pass->chunk, pass->lead);
    for (int64_t d = 0; d < pass->k; d++)
        for (int64_t first = 0; first <= d; first++) {
            const double *const h = curvature_of_pair(pass, c, first, d, count);
            for (int64_t J = 0; J < pass->panels; J++) {
                const double *const right = c->z.base + J * c->z.stride;
                double *const own = c->weighted.base + J * c->weighted.stride;
                kernels->weigh(count, panel_columns(pass, J), h, right, own);
                for (int64_t I = 0; I < J; I++)
                    kernels->gram_block(count, c->weighted.base + I * c->weighted.stride, right, kernels->nr, NULL,
                                        panel_columns(pass, J), block(pass, node, first, d, I, J), &ahead);
                kernels->gram_diagonal(count, own, right, kernels->nr, panel_columns(pass, J),
                                       block(pass, node, first, d, J, J), NULL, &ahead);
            }
        }
}

static const double *find_slopes(const glm_pass *pass, const glm_chunk *c, int64_t row, int64_t count, double *loss)
{
    const flsq_rows *const rows = pass->rows;
    const flsq_glm *const model = pass->model;
    const double *w = NULL;
    if (model->family == FLSQ_FAMILY_GIVEN) {
        memcpy(c->r, model->given_slope + row, (size_t)count * sizeof(double));
        memcpy(c->h, model->given_curvature + row, (size_t)count * sizeof(double));
        return c->r;
    }
    if (rows->weights.data != NULL)
        w = flsq_find_column(&rows->weights, 0, row, count, c->weights);
    const double *y = flsq_find_column(&rows->y, 0, row, count, c->y);
    if (pass->scale != NULL) {
        const int64_t target = pass->panels * pass->kernels->nr;
        for (int64_t i = 0; i < count; i++)
            c->y[i] = y[i] * pass->scale[target] - pass->offset[target];
        y = c->y;
    }
    if (model->family != FLSQ_FAMILY_SOFTMAX) {
        *loss += pass->kernels->family_rows(model->family, model->expected, count, c->eta, y, w, c->r, c->h);
        return c->r;
    }
    /* whole vectors of rows, those that do not exist without weight */
    const int64_t end = FLSQ_CEIL_DIV(count, pass->kernels->lanes) * pass->kernels->lanes;
    for (int64_t i = 0; i < end; i++) {
        c->weights[i] = i >= count ? 0.0 : w != NULL ? w[i] : 1.0;
        c->y[i] = i < count ? y[i] : 0.0;
    }
    for (int64_t t = 0; t < pass->k; t++)
        memset(c->eta + t * pass->step + count, 0, (size_t)(end - count) * sizeof(double));
    *loss += pass->kernels->softmax_rows(pass->k, 0, end, pass->step, c->eta, c->y, c->weights, c->r);
    return c->r;
}

static void prepare_leaf(const void *job, void *scratch)
{
    const glm_pass *const pass = job;
    glm_chunk c;
    int64_t bytes;
    lay_out(pass, scratch, &c, &bytes);
    memset(scratch, 0, (size_t)bytes);
    flsq_panels_clear(pass->kernels, &c.z, pass->rows->unit ? pass->rows->x.columns : -1);
}

static void sum_leaf(const void *job, void *scratch, int64_t leaf, double *node)
{
    const glm_pass *const pass = job;
    const flsq_glm_outputs *const out = pass->out;
    glm_chunk c;
    int64_t bytes;
    lay_out(pass, scratch, &c, &bytes);
    const int64_t nr = pass->kernels->nr, length = pass->panels * nr;
    double *const gradient = node + hessian_length(pass), *const loss = gradient + pass->k * length;
    const int64_t begin = leaf * pass->block_rows, end = FLSQ_MIN(begin + pass->block_rows, pass->rows->x.rows);
    for (int64_t row = begin; row < end; row += pass->chunk) {
        const int64_t count = FLSQ_MIN(pass->chunk, end - row);
        pack_rows(pass, &c, row, count);
        if (pass->model->family != FLSQ_FAMILY_GIVEN)
            find_predictors(pass, &c, row, count);
        if (out->gradient == NULL && out->hessian == NULL && out->loss == NULL)
            continue;
        const double *const r = find_slopes(pass, &c, row, count, loss);
        for (int64_t t = 0; out->gradient != NULL && t < pass->k; t++)
            for (int64_t J = 0; J < pass->panels; J++)
                pass->kernels->gradient(count, c.z.base + J * c.z.stride, panel_columns(pass, J), r + t * pass->step,
                                        gradient + t * length + J * nr);
        if (pass->with_hessian)
            add_hessian(pass, &c, row + count, count, node);
    }
}

static void unpack(const glm_pass *pass, double *total)
{
    const int64_t nr = pass->kernels->nr, lead = pass->lead, size = pass->k * lead, length = pass->panels * nr;
    double *const gradient = total + hessian_length(pass);
    for (int64_t d = 0; pass->with_hessian && d < pass->k; d++)
        for (int64_t c = 0; c <= d; c++)
            for (int64_t j = 0; j < lead; j++)
                for (int64_t i = 0; i <= j; i++) {
                    const double value = block(pass, total, c, d, i / nr, j / nr)[i % nr * nr + j % nr];
                    double *const h = pass->out->hessian;
                    h[(c * lead + i) * size + d * lead + j] = h[(c * lead + j) * size + d * lead + i] = value;
                    h[(d * lead + j) * size + c * lead + i] = h[(d * lead + i) * size + c * lead + j] = value;
                }
    for (int64_t t = 0; pass->out->gradient != NULL && t < pass->k; t++)
        memcpy(pass->out->gradient + t * lead, gradient + t * length, (size_t)lead * sizeof(double));
    if (pass->out->loss != NULL)
        *pass->out->loss = gradient[pass->k * length];
}

/* -B and the shaping in the order the kernels read them. */
static void pack_model(glm_pass *pass, double *b, double *scale)
{
    const flsq_rows *const rows = pass->rows;
    const int64_t length = pass->panels * pass->kernels->nr;
    memset(b, 0, (size_t)(pass->k * length) * sizeof(double));
    for (int64_t t = 0; pass->model->family != FLSQ_FAMILY_GIVEN && t < pass->k; t++)
        for (int64_t j = 0; j < pass->lead; j++)
            b[t * length + j] = -pass->model->b[t * pass->lead + j];
    pass->b = b;
    if (rows->scale == NULL && rows->offset == NULL)
        return;
    flsq_pad_affine(rows, length, 1, scale, scale + length + 1);
    pass->scale = scale;
    pass->offset = scale + length + 1;
}

flsq_status flsq_glm_pass(const flsq_kernels *kernels, const flsq_rows *rows, const flsq_glm *model, int n_threads,
                          const flsq_glm_outputs *out)
{
    const int64_t n = rows->x.rows, nr = kernels->nr, lead = rows->x.columns + (rows->unit != 0);
    glm_pass pass = {.kernels = kernels, .rows = rows, .model = model, .out = out, .k = model->predictors, .lead = lead,
                     .panels = FLSQ_CEIL_DIV(lead, nr), .block_rows = FLSQ_BLOCK_ROWS(rows->x.columns),
                     .chunk = FLSQ_MIN(FLSQ_GLM_ROWS(rows->x.columns), n), .with_hessian = out->hessian != NULL};
    pass.step = FLSQ_CEIL_DIV(pass.chunk, FLSQ_MAX_LANES) * FLSQ_MAX_LANES;
    flsq_leaves leaves = {.job = &pass, .leaf = sum_leaf, .prepare = prepare_leaf,
                          .count = FLSQ_CEIL_DIV(n, pass.block_rows)};
    flsq_tree tree = {0};
    flsq_arena arena;
    glm_chunk sizes;
    int64_t size = 0, coefficients = 0, parameters = 0, entries = 0;
    flsq_status status = flsq_size_multiply(pass.k, pass.panels * nr, &coefficients);
    /* (k panels NR)² bounds every product in hessian_length */
    if (status == FLSQ_OK)
        status = flsq_size_multiply(coefficients, pass.with_hessian ? 2 * coefficients : 1, &entries);
    if (status == FLSQ_OK)
        status = flsq_size_add(&parameters, entries, sizeof(double));
    if (status != FLSQ_OK)
        return status;
    tree.node_length = hessian_length(&pass) + coefficients + 1;
    status = lay_out(&pass, NULL, &sizes, &leaves.scratch_bytes);
    const int64_t pieces[] = {coefficients, 2 * (pass.panels * nr + 1), tree.node_length};
    for (int i = 0; i < 3 && status == FLSQ_OK; i++)
        status = flsq_size_add(&size, pieces[i], sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    double *const b = flsq_arena_take(&arena, pieces[0], sizeof(double));
    double *const scale = flsq_arena_take(&arena, pieces[1], sizeof(double));
    double *const total = flsq_arena_take(&arena, pieces[2], sizeof(double));
    pack_model(&pass, b, scale);
    if ((double)n * (double)(lead + 1) * (double)(pass.with_hessian ? pass.k * lead : 4 * pass.k) < FLSQ_THREAD_FLOPS)
        n_threads = 1;
    status = flsq_tree_extend(&tree, kernels, &leaves, n_threads);
    if (status == FLSQ_OK) {
        flsq_tree_total(&tree, 0, tree.node_length, total, NULL);
        unpack(&pass, total);
    }
    flsq_tree_release(&tree);
    flsq_arena_close(&arena);
    return status;
}

/* ---- along a line of predictors ---------------------------------------------------------------------------------- */

enum { LINE = 512 };

flsq_status flsq_glm_along(const flsq_kernels *kernels, flsq_family family, int64_t n, const double *eta, const double *step,
                           double t, const flsq_matrix *y, const flsq_matrix *weights, double sums[3])
{
    double at[LINE], target[LINE], weight[LINE], r[LINE], h[LINE];
    if (family > FLSQ_FAMILY_GAMMA)
        return FLSQ_TOO_LARGE;
    sums[0] = sums[1] = sums[2] = 0.0;
    for (int64_t row = 0; row < n; row += LINE) {
        const int64_t count = FLSQ_MIN(LINE, n - row);
        for (int64_t i = 0; i < count; i++)
            at[i] = eta[row + i] + t * step[row + i];
        const double *const w = weights->data == NULL ? NULL : flsq_find_column(weights, 0, row, count, weight);
        sums[0] += kernels->family_rows(family, 1, count, at, flsq_find_column(y, 0, row, count, target), w, r, h);
        sums[1] += kernels->dot(count, r, step + row);
        double squares = 0.0;
        for (int64_t i = 0; i < count; i++)
            squares += r[i] == 0.0 ? 0.0 : r[i] * r[i] / h[i];
        sums[2] += squares;
    }
    return FLSQ_OK;
}

void flsq_elementary(const flsq_kernels *kernels, int which, int64_t n, const double *x, double *out)
{
    kernels->elementary(which, n, x, out);
}
