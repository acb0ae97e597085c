/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The Gram pass: ZᵀWZ for Z = [X | 1 | Y] in one read of the rows.
 *
 * Two regimes give the same bits.  Row-parallel: every thread takes its own row blocks and holds its own node (while a
 * node fits in L2).  Tile-parallel: all threads share one node and one packed chunk of KC rows, and take groups of
 * blocks of it.
 */
#include "blocksizes.h"
#include "gram.h"
#include "pack.h"
#include "parallel.h"
#include "workspace.h"
#include <string.h>

/* ---- one packed chunk ------------------------------------------------------------------------------------------ */

/* A pass over rows; `scale` and `offset` are the user's, padded to whole panels (NULL for none). */
typedef struct gram_pass {
    const flsq_gram *gram;
    const flsq_rows *rows;
    const double *scale, *offset;
    int64_t chunk; /* rows packed at a time: KC, or all of them when there are fewer */
    int plain;     /* float64 rows of few columns, unweighted: X is multiplied where it lies */
} gram_pass;

/* The memory of one packed chunk.  Unweighted, left and right are the same panels. */
typedef struct chunk {
    flsq_panels right, left;
    double *weights;
} chunk;

static int64_t panel_bytes(const gram_pass *pass)
{
    return flsq_panels_stride(pass->gram->kernels, pass->chunk) * (int64_t)sizeof(double);
}

static flsq_status add_chunk_bytes(const gram_pass *pass, int64_t *total)
{
    for (int sets = pass->rows->weights.data != NULL ? 2 : 1; sets > 0; sets--) {
        const flsq_status status = flsq_size_add(total, pass->gram->panels, panel_bytes(pass));
        if (status != FLSQ_OK)
            return status;
    }
    return flsq_size_add(total, pass->chunk, sizeof(double));
}

static void lay_out_chunk(const gram_pass *pass, char *memory, chunk *c)
{
    int64_t bytes = 0;
    flsq_size_add(&bytes, pass->gram->panels, panel_bytes(pass)); /* cannot overflow: add_chunk_bytes did not */
    c->right = (flsq_panels){.base = (double *)memory, .count = pass->gram->panels,
                             .stride = flsq_panels_stride(pass->gram->kernels, pass->chunk)};
    c->left = c->right;
    memory += bytes;
    if (pass->rows->weights.data != NULL) {
        c->left.base = (double *)memory;
        memory += bytes;
    }
    c->weights = (double *)memory;
}

static void clear_chunk(const gram_pass *pass, const chunk *c)
{
    const flsq_gram *const gram = pass->gram;
    flsq_panels_clear(gram->kernels, &c->right, gram->unit ? packed_column(gram, gram->p) : -1);
    if (c->left.base != c->right.base)
        flsq_panels_clear(gram->kernels, &c->left, -1);
}

/* Packs rows [row, row + count) into chunk rows [at, at + count): user values, then scale and offset, then weights. */
static void pack_chunk(const gram_pass *pass, const chunk *c, int64_t row, int64_t at, int64_t count)
{
    const flsq_gram *const gram = pass->gram;
    const flsq_kernels *const kernels = gram->kernels;
    const int64_t nr = kernels->nr, stride = c->right.stride;
    const flsq_panels target = {.base = c->right.base + at * nr, .stride = stride, .count = gram->panels};
    flsq_pack_matrix(kernels, &pass->rows->x, row, count, &target, 0);
    flsq_pack_matrix(kernels, &pass->rows->y, row, count, &target, packed_column(gram, gram->p + gram->unit));
    if (pass->scale != NULL)
        for (int64_t J = 0; J < gram->panels; J++)
            kernels->affine(count, pass->scale + J * nr, pass->offset + J * nr, target.base + J * stride);
    if (pass->rows->weights.data != NULL) {
        flsq_read_column(&pass->rows->weights, 0, row, count, c->weights + at);
        for (int64_t J = 0; J < gram->panels; J++)
            kernels->weigh(count, c->weights + at, target.base + J * stride, c->left.base + at * nr + J * stride);
    }
}

/* The blocks (I, J) of `node` for one J and I in [first, last), from `count` packed rows. */
static void add_blocks(const flsq_gram *gram, const chunk *c, int64_t count, int64_t first, int64_t last, int64_t J,
                       double *node, flsq_ahead *ahead)
{
    const flsq_kernels *const kernels = gram->kernels;
    const double *const right = c->right.base + J * c->right.stride;
    const int64_t nr = kernels->nr, columns = panel_columns(gram, J);
    for (int64_t I = first; I < FLSQ_MIN(last, FLSQ_MIN(J, gram->left_panels)); I++)
        kernels->gram_block(count, c->left.base + I * c->left.stride, right, nr, columns,
                            block(gram, node, I, J), ahead);
    if (first <= J && J < last)
        kernels->gram_diagonal(count, c->left.base + J * c->left.stride, right, nr, columns,
                               block(gram, node, J, J), ahead);
}

/* The memory of rows [row, row + count) of X, when it is one piece. */
static flsq_ahead rows_ahead(const gram_pass *pass, int64_t row, int64_t count)
{
    const flsq_matrix part = flsq_matrix_rows(&pass->rows->x, row, FLSQ_MAX(count, 0));
    if (part.row_stride <= 0 || part.row_stride > 2 * part.columns * (int64_t)sizeof(double) || part.col_stride < 0)
        return (flsq_ahead){0};
    /* a chunk of few columns has few sweeps to spread over */
    return (flsq_ahead){.next = part.data, .end = (const char *)part.data + part.rows * part.row_stride,
                        .pace = pass->gram->panels <= 2 ? 32 : 16};
}

/* ---- plain rows: X where it lies ------------------------------------------------------------------------------- */

static int is_plain(const flsq_gram *gram, const gram_pass *pass)
{
    const flsq_matrix *const x = &pass->rows->x, *const y = &pass->rows->y;
    const int64_t item = sizeof(double);
    return gram->p <= FLSQ_IN_PLACE_COLUMNS && gram->k == 1 && pass->rows->weights.data == NULL &&
           pass->scale == NULL && x->dtype == FLSQ_F64 && y->dtype == FLSQ_F64 &&
           (x->col_stride == item || x->columns == 1) && x->row_stride >= x->columns * item &&
           x->row_stride % item == 0 && y->row_stride % item == 0 && (uintptr_t)x->data % item == 0 &&
           (uintptr_t)y->data % item == 0;
}

/* Rows [row, row + count): x is the first, the others `step` doubles apart.  The kernels read whole vectors, up
 * to FLSQ_READ_PAST bytes past a row's end. */
static void add_plain(const gram_pass *pass, const double *x, int64_t step, int64_t row, int64_t count, double *node,
                      flsq_ahead *ahead)
{
    const flsq_gram *const gram = pass->gram;
    const flsq_kernels *const kernels = gram->kernels;
    const int64_t nr = kernels->nr, p = gram->p, unit = p, target = p + gram->unit;
    const flsq_matrix y = flsq_matrix_rows(&pass->rows->y, row, count);
    const int64_t y_step = y.row_stride / (int64_t)sizeof(double);
    double x_sums[FLSQ_MAX_NR], x_dot_y[FLSQ_MAX_NR], y_sums[2];
    for (int64_t J = 0; J < gram->x_panels; J++) {
        const double *const right = x + J * nr;
        const int64_t columns = panel_columns(gram, J);
        for (int64_t I = 0; I < J; I++)
            kernels->gram_block(count, x + I * nr, right, step, columns, block(gram, node, I, J), ahead);
        kernels->gram_diagonal(count, right, right, step, columns, block(gram, node, J, J), ahead);
        kernels->side_sums(count, right, step, columns, y.data, y_step, x_sums, x_dot_y, ahead);
        for (int64_t i = 0; i < columns; i++) {
            if (gram->unit)
                *entry(gram, node, J * nr + i, unit) += x_sums[i];
            *entry(gram, node, J * nr + i, target) += x_dot_y[i];
        }
    }
    kernels->target_sums(count, y.data, y_step, y_sums);
    if (gram->unit) {
        *entry(gram, node, unit, unit) += (double)count;
        *entry(gram, node, unit, target) += y_sums[0];
    }
    *entry(gram, node, target, target) += y_sums[1];
}

/* ---- row-parallel: one leaf on one thread ---------------------------------------------------------------------- */

static void prepare_leaf(const void *job, void *scratch)
{
    chunk c;
    lay_out_chunk(job, scratch, &c);
    clear_chunk(job, &c);
}

static void sum_leaf(const void *job, void *scratch, int64_t leaf, double *node)
{
    const gram_pass *const pass = job;
    const flsq_gram *const gram = pass->gram;
    chunk c;
    lay_out_chunk(pass, scratch, &c);
    const int64_t begin = leaf * gram->block_rows;
    const int64_t end = FLSQ_MIN(begin + gram->block_rows, pass->rows->x.rows);
    for (int64_t row = begin; row < end; row += FLSQ_KC) {
        const int64_t count = FLSQ_MIN(FLSQ_KC, end - row);
        flsq_ahead ahead = rows_ahead(pass, row + count, FLSQ_MIN(FLSQ_KC, pass->rows->x.rows - row - count));
        const int64_t behind = (pass->rows->x.rows - row - count) * pass->rows->x.row_stride;
        if (pass->plain && behind >= FLSQ_READ_PAST) {
            const flsq_matrix x = flsq_matrix_rows(&pass->rows->x, row, count);
            add_plain(pass, x.data, x.row_stride / (int64_t)sizeof(double), row, count, node, &ahead);
        } else { /* the last plain rows too: what lies behind them is not ours to read */
            pack_chunk(pass, &c, row, 0, count);
            for (int64_t J = 0; J < gram->panels; J++)
                add_blocks(gram, &c, count, 0, gram->panels, J, node, &ahead);
        }
    }
}

static flsq_status row_parallel(flsq_gram *gram, const gram_pass *pass, int n_threads)
{
    flsq_leaves leaves = {.job = pass, .leaf = sum_leaf, .prepare = prepare_leaf,
                          .count = FLSQ_CEIL_DIV(pass->rows->x.rows, gram->block_rows)};
    const flsq_status status = add_chunk_bytes(pass, &leaves.scratch_bytes);
    return status == FLSQ_OK ? flsq_tree_extend(&gram->tree, gram->kernels, &leaves, n_threads) : status;
}

/* ---- tile-parallel: one leaf on all threads -------------------------------------------------------------------- */

/* While the threads multiply one chunk they pack the next into the other buffer: one barrier per chunk. */
typedef struct shared_leaf {
    const gram_pass *pass;
    chunk buffer[2];
    int64_t begin, end; /* rows of the leaf */
    int64_t chunks;
    int64_t *claimed; /* next task of each chunk */
    double *node;
} shared_leaf;

/* Task t of a chunk: a group of left panels, which stays in L2, against a few right panels that stream past it. */
enum { RIGHT_PANELS = 4 };

static void pack_share(const shared_leaf *s, int64_t number, int thread, int n_threads)
{
    if (number >= s->chunks)
        return;
    const int64_t row = s->begin + number * FLSQ_KC, count = FLSQ_MIN(FLSQ_KC, s->end - row);
    const int64_t share = FLSQ_CEIL_DIV(count, n_threads), at = FLSQ_MIN(thread * share, count);
    pack_chunk(s->pass, &s->buffer[number % 2], row + at, at, FLSQ_MIN(share, count - at));
}

static void multiply_tasks(const shared_leaf *s, int64_t number)
{
    const flsq_gram *const gram = s->pass->gram;
    const int64_t row = s->begin + number * FLSQ_KC, count = FLSQ_MIN(FLSQ_KC, s->end - row);
    const int64_t groups = FLSQ_CEIL_DIV(gram->panels, FLSQ_GROUP_PANELS);
    const int64_t strips = FLSQ_CEIL_DIV(gram->panels, RIGHT_PANELS);
    flsq_ahead nothing = {0};
    for (int64_t t = flsq_parallel_claim(&s->claimed[number]); t < groups * strips;
         t = flsq_parallel_claim(&s->claimed[number])) {
        const int64_t first = t / strips * FLSQ_GROUP_PANELS, last = first + FLSQ_GROUP_PANELS;
        const int64_t strip = t % strips * RIGHT_PANELS;
        for (int64_t J = FLSQ_MAX(strip, first); J < FLSQ_MIN(strip + RIGHT_PANELS, gram->panels); J++)
            add_blocks(gram, &s->buffer[number % 2], count, first, last, J, s->node, &nothing);
    }
}

static void shared_leaf_body(void *context, int thread, int n_threads)
{
    const shared_leaf *const s = context;
    pack_share(s, 0, thread, n_threads);
    flsq_parallel_barrier(n_threads);
    for (int64_t number = 0; number < s->chunks; number++) {
        pack_share(s, number + 1, thread, n_threads);
        multiply_tasks(s, number);
        flsq_parallel_barrier(n_threads);
    }
}

static flsq_status tile_parallel(flsq_gram *gram, const gram_pass *pass, int n_threads)
{
    const int64_t n = pass->rows->x.rows, max_chunks = FLSQ_CEIL_DIV(gram->block_rows, FLSQ_KC);
    int64_t size = 0, chunk_bytes = 0;
    flsq_arena arena;
    flsq_status status = add_chunk_bytes(pass, &chunk_bytes);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, 2, chunk_bytes);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, max_chunks, sizeof(int64_t));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, gram->tree.node_length, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_tree_reserve(&gram->tree, FLSQ_CEIL_DIV(n, gram->block_rows));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    shared_leaf s = {.pass = pass};
    char *const memory = flsq_arena_take(&arena, 2, chunk_bytes);
    s.claimed = flsq_arena_take(&arena, max_chunks, sizeof(int64_t));
    s.node = flsq_arena_take(&arena, gram->tree.node_length, sizeof(double));
    for (int b = 0; b < 2; b++) {
        lay_out_chunk(pass, memory + b * chunk_bytes, &s.buffer[b]);
        clear_chunk(pass, &s.buffer[b]);
    }
    for (s.begin = 0; s.begin < n; s.begin = s.end) {
        s.end = FLSQ_MIN(s.begin + gram->block_rows, n);
        s.chunks = FLSQ_CEIL_DIV(s.end - s.begin, FLSQ_KC);
        memset(s.claimed, 0, (size_t)max_chunks * sizeof(int64_t));
        memset(s.node, 0, (size_t)gram->tree.node_length * sizeof(double));
        flsq_parallel_run(n_threads, shared_leaf_body, &s);
        flsq_tree_push(&gram->tree, gram->kernels, s.node);
    }
    flsq_arena_close(&arena);
    return FLSQ_OK;
}

/* ---- the pass -------------------------------------------------------------------------------------------------- */

/* The user's scale and offset, padded to whole panels with 1 and 0. */
static flsq_status pad_affine(const flsq_gram *gram, const flsq_rows *rows, flsq_arena *arena, gram_pass *pass)
{
    const int64_t padded = gram->panels * gram->kernels->nr;
    int64_t size = 0;
    flsq_status status = flsq_size_add(&size, 2 * padded, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(arena, size);
    if (status != FLSQ_OK)
        return status;
    double *const scale = flsq_arena_take(arena, 2 * padded, sizeof(double)), *const offset = scale + padded;
    for (int64_t c = 0; c < padded; c++) {
        scale[c] = 1.0;
        offset[c] = 0.0;
    }
    for (int64_t c = 0; c < gram->columns; c++) {
        if (gram->unit && c == gram->p)
            continue;
        scale[packed_column(gram, c)] = rows->scale != NULL ? rows->scale[c] : 1.0;
        offset[packed_column(gram, c)] = rows->offset != NULL ? rows->offset[c] : 0.0;
    }
    pass->scale = scale;
    pass->offset = offset;
    return FLSQ_OK;
}

flsq_status flsq_gram_update(flsq_gram *gram, const flsq_rows *rows, int n_threads)
{
    const int64_t n = rows->x.rows;
    if (n == 0 || gram->columns == 0)
        return FLSQ_OK;
    gram_pass pass = {.gram = gram, .rows = rows, .chunk = FLSQ_MIN(FLSQ_KC, n)};
    flsq_arena affine = {0};
    if (rows->scale != NULL || rows->offset != NULL) {
        const flsq_status status = pad_affine(gram, rows, &affine, &pass);
        if (status != FLSQ_OK)
            return status;
    }
    pass.plain = is_plain(gram, &pass);
    if ((double)n * (double)gram->columns * (double)gram->columns < FLSQ_THREAD_FLOPS)
        n_threads = 1;
    const int shared = gram->tree.node_length * (int64_t)sizeof(double) > FLSQ_TILE_PARALLEL_BYTES;
    const flsq_status status =
        shared ? tile_parallel(gram, &pass, n_threads) : row_parallel(gram, &pass, n_threads);
    flsq_arena_close(&affine);
    return status;
}
