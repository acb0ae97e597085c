/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Leave-one-out errors of many penalized fits in one read of the rows.
 *
 *     h_if = base + sum_j (x_i·v_j)² d_jf,   e_ift = y_it - x_i b_ft,   sum_i w_i (e_ift/(1 - w_i h_if))²
 *
 * is the sum of squares with which row i is predicted by a fit on all others: exactly, as a fit without row i differs from
 * the one with it by a matrix of rank one (Sherman and Morrison; Golub, Heath and Wahba, Technometrics 21, 1979, 215-223).
 * With the eigenvectors V of the cross products one basis serves all penalties: d_jf = 1/(lambda_j + alpha_f).
 *
 * A chunk of packed rows is multiplied by V, squared, and multiplied by D; and by the coefficients: all on register tiles.
 * Nothing of the length of the rows is kept.
 */
#include "blocksizes.h"
#include "pack.h"
#include "tree.h"
#include "workspace.h"
#include <math.h>
#include <string.h>

/* 1 - w h below this is rounding: its fit meets the row whatever y is, and a fit without it says nothing of it. */
#define SMALLEST_REST 0x1p-36

typedef struct loo_pass {
    const flsq_kernels *kernels;
    const flsq_rows *rows;
    double base;
    int64_t p, k, fits, block_rows, chunk;
    int64_t left, modes, wide;   /* panels of the columns, of the basis, of the fits */
    const double *basis;         /* modes blocks of left*NR x NR */
    const double *damping;       /* wide blocks of modes*NR x NR, negative */
    const double *b;             /* k times wide blocks of left*NR x NR */
    const double *scale, *offset; /* left panels, then targets; NULL for none */
} loo_pass;

typedef struct loo_chunk {
    flsq_panels left, modes;
    double *leverage, *error; /* wide panels; one panel */
    double *target, *weights;
} loo_chunk;

/* The node: for every target and fit, padded to panels, sums of squared errors, then of those left out. */
static int64_t node_length(const loo_pass *pass)
{
    return 2 * pass->k * pass->wide * pass->kernels->nr;
}

static flsq_status lay_out(const loo_pass *pass, char *memory, loo_chunk *c, int64_t *bytes)
{
    const int64_t stride = flsq_panels_stride(pass->kernels, pass->chunk), item = sizeof(double);
    const flsq_piece sizes[] = {{pass->left, stride * item}, {pass->modes, stride * item}, {pass->wide, stride * item},
                                {1, stride * item}, {pass->chunk, item}, {pass->chunk, item}};
    void *pieces[6] = {0};
    *bytes = 0;
    const flsq_status status = flsq_lay_out_pieces(6, sizes, memory, pieces, bytes);
    *c = (loo_chunk){.left = {pieces[0], stride, pass->left, pass->kernels->nr},
                     .modes = {pieces[1], stride, pass->modes, pass->kernels->nr},
                     .leverage = pieces[2], .error = pieces[3], .target = pieces[4], .weights = pieces[5]};
    return status;
}

static void prepare_leaf(const void *job, void *scratch)
{
    const loo_pass *const pass = job;
    loo_chunk c;
    int64_t bytes;
    lay_out(pass, scratch, &c, &bytes);
    memset(scratch, 0, (size_t)bytes);
    flsq_panels_clear(pass->kernels, &c.left, -1);
}

/* modes := (X V)², then leverage := base + modes D */
static void find_leverages(const loo_pass *pass, const loo_chunk *c, int64_t count)
{
    const flsq_kernels *const kernels = pass->kernels;
    const int64_t nr = kernels->nr;
    for (int64_t J = 0; J < pass->modes; J++) {
        double *const z = c->modes.base + J * c->modes.stride;
        memset(z, 0, (size_t)(count * nr) * sizeof(double));
        kernels->residual_block(count, pass->left, c->left.base, c->left.stride, pass->basis + J * pass->left * nr * nr, nr,
                                z);
        for (int64_t i = 0; i < count * nr; i++)
            z[i] *= z[i];
    }
    for (int64_t J = 0; J < pass->wide; J++) {
        double *const h = c->leverage + J * c->modes.stride;
        for (int64_t i = 0; i < count * nr; i++)
            h[i] = pass->base;
        kernels->residual_block(count, pass->modes, c->modes.base, c->modes.stride,
                                pass->damping + J * pass->modes * nr * nr, nr, h);
    }
}

/* squares_f += w e_f², left_out_f += w (e_f/(1 - w h_f))² for the rows of a panel of fits. */
static void add_errors(int64_t count, int64_t nr, const double *w, const double *restrict h, const double *restrict e,
                       double *restrict squares, double *restrict left_out)
{
    for (int64_t i = 0; i < count; i++) {
        const double weight = w != NULL ? w[i] : 1.0;
        for (int64_t f = 0; f < nr; f++) {
            const double rest = 1.0 - weight * h[i * nr + f], error = e[i * nr + f];
            const double out = rest > SMALLEST_REST ? error / rest : NAN;
            squares[f] += weight * error * error;
            left_out[f] += weight * out * out;
        }
    }
}

static void sum_chunk(const loo_pass *pass, const loo_chunk *c, int64_t row, int64_t count, double *node)
{
    const flsq_kernels *const kernels = pass->kernels;
    const flsq_rows *const rows = pass->rows;
    const int64_t nr = kernels->nr, block = pass->left * nr * nr, half = pass->k * pass->wide * nr;
    const double *const w =
        rows->weights.data != NULL ? flsq_find_column(&rows->weights, 0, row, count, c->weights) : NULL;
    flsq_pack_matrix(kernels, &rows->x, row, count, &c->left, 0);
    for (int64_t J = 0; pass->scale != NULL && J < pass->left; J++)
        kernels->affine(count, FLSQ_MIN(nr, pass->p - J * nr), pass->scale + J * nr, pass->offset + J * nr,
                        c->left.base + J * c->left.stride, nr);
    find_leverages(pass, c, count);
    for (int64_t t = 0; t < pass->k; t++) {
        flsq_read_column(&rows->y, t, row, count, c->target);
        if (pass->scale != NULL)
            for (int64_t i = 0; i < count; i++)
                c->target[i] = c->target[i] * pass->scale[pass->left * nr + t] - pass->offset[pass->left * nr + t];
        for (int64_t J = 0; J < pass->wide; J++) {
            for (int64_t i = 0; i < count; i++)
                for (int64_t f = 0; f < nr; f++)
                    c->error[i * nr + f] = c->target[i];
            kernels->residual_block(count, pass->left, c->left.base, c->left.stride, pass->b + (t * pass->wide + J) * block,
                                    nr, c->error);
            double *const squares = node + (t * pass->wide + J) * nr;
            add_errors(count, nr, w, c->leverage + J * c->modes.stride, c->error, squares, squares + half);
        }
    }
}

static void sum_leaf(const void *job, void *scratch, int64_t leaf, double *node)
{
    const loo_pass *const pass = job;
    loo_chunk c;
    int64_t bytes;
    lay_out(pass, scratch, &c, &bytes);
    const int64_t begin = leaf * pass->block_rows, end = FLSQ_MIN(begin + pass->block_rows, pass->rows->x.rows);
    for (int64_t row = begin; row < end; row += pass->chunk)
        sum_chunk(pass, &c, row, FLSQ_MIN(pass->chunk, end - row), node);
}

/* Columns of a (rows x columns, of leading dimension ld and times `sign`) as blocks of padded_rows x NR, zero in the padding. */
static void pack_blocks(int64_t nr, const double *a, int64_t rows, int64_t columns, int64_t ld, int64_t padded_rows,
                        double sign, double *blocks)
{
    memset(blocks, 0, (size_t)(FLSQ_CEIL_DIV(columns, nr) * padded_rows * nr) * sizeof(double));
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < columns; j++)
            blocks[(j / nr * padded_rows + i) * nr + j % nr] = sign * a[i * ld + j];
}

static void run(loo_pass *pass, const flsq_fits *fits, double *basis, double *damping, double *b, double *affine)
{
    const int64_t nr = pass->kernels->nr, length = pass->left * nr;
    pack_blocks(nr, fits->basis, pass->p, fits->modes, fits->modes, length, 1.0, basis);
    pack_blocks(nr, fits->damping, fits->modes, pass->fits, pass->fits, pass->modes * nr, -1.0, damping);
    for (int64_t t = 0; t < pass->k; t++)
        pack_blocks(nr, fits->b + t * pass->p * pass->fits, pass->p, pass->fits, pass->fits, length, 1.0,
                    b + t * pass->wide * length * nr);
    pass->basis = basis;
    pass->damping = damping;
    pass->b = b;
    if (pass->rows->scale != NULL || pass->rows->offset != NULL) {
        flsq_pad_affine(pass->rows, length, pass->k, affine, affine + length + pass->k);
        pass->scale = affine;
        pass->offset = affine + length + pass->k;
    }
}

static void unpack(const loo_pass *pass, const double *total, double *squares, double *left_out)
{
    const int64_t nr = pass->kernels->nr, half = pass->k * pass->wide * nr;
    for (int64_t t = 0; t < pass->k; t++)
        for (int64_t f = 0; f < pass->fits; f++) {
            squares[t * pass->fits + f] = total[t * pass->wide * nr + f];
            left_out[t * pass->fits + f] = total[half + t * pass->wide * nr + f];
        }
}

flsq_status flsq_leave_one_out(const flsq_kernels *kernels, const flsq_rows *rows, const flsq_fits *fits, int n_threads,
                               double *squares, double *left_out)
{
    const int64_t n = rows->x.rows, p = rows->x.columns, k = rows->y.columns, nr = kernels->nr;
    loo_pass pass = {.kernels = kernels, .rows = rows, .base = fits->base, .p = p, .k = k, .fits = fits->count,
                     .block_rows = FLSQ_RESIDUAL_BLOCK_ROWS(p, 1), .left = FLSQ_CEIL_DIV(p, nr),
                     .modes = FLSQ_CEIL_DIV(fits->modes, nr), .wide = FLSQ_CEIL_DIV(fits->count, nr),
                     .chunk = FLSQ_MIN(FLSQ_RESIDUAL_ROWS(p), FLSQ_MAX(n, 1))};
    const int64_t length = pass.left * nr;
    flsq_leaves leaves = {.job = &pass, .leaf = sum_leaf, .prepare = prepare_leaf,
                          .count = FLSQ_CEIL_DIV(n, pass.block_rows)};
    flsq_tree tree = {.node_length = node_length(&pass), .carries = 1};
    flsq_arena arena;
    loo_chunk sizes;
    int64_t size = 0, basis, damping, b;
    flsq_status status = lay_out(&pass, NULL, &sizes, &leaves.scratch_bytes);
    if (status == FLSQ_OK)
        status = flsq_size_multiply(pass.modes * nr, length, &basis);
    if (status == FLSQ_OK)
        status = flsq_size_multiply(pass.wide * nr, pass.modes * nr, &damping);
    if (status == FLSQ_OK)
        status = flsq_size_multiply(pass.wide * nr, length, &b);
    if (status == FLSQ_OK)
        status = flsq_size_multiply(b, k, &b);
    const int64_t counts[] = {status == FLSQ_OK ? basis : 0, status == FLSQ_OK ? damping : 0, status == FLSQ_OK ? b : 0,
                              tree.node_length, 2 * (length + k)};
    for (int i = 0; status == FLSQ_OK && i < 5; i++)
        status = flsq_size_add(&size, counts[i], sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    double *pieces[5];
    for (int i = 0; i < 5; i++)
        pieces[i] = flsq_arena_take(&arena, counts[i], sizeof(double));
    run(&pass, fits, pieces[0], pieces[1], pieces[2], pieces[4]);
    if ((double)n * (double)(p + 1) * (double)(fits->modes + fits->count) < FLSQ_THREAD_FLOPS)
        n_threads = 1;
    status = flsq_tree_extend(&tree, kernels, &leaves, n_threads);
    if (status == FLSQ_OK) {
        flsq_tree_total(&tree, 0, tree.node_length, pieces[3], NULL);
        unpack(&pass, pieces[3], squares, left_out);
    }
    flsq_tree_release(&tree);
    flsq_arena_close(&arena);
    return status;
}
