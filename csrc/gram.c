/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The Gram pass: ZᵀWZ for Z = [X | 1 | Y] in one read of the rows.
 *
 * The moments are stored as NR x NR blocks, one for each pair (I, J) of panels with I <= J whose left panel holds a
 * column of [X | 1], and the diagonal pairs of Y (for diag YᵀWY).  A node of the summation tree is all blocks, one
 * after the other, sorted by J:
 *
 *        J =  0   1   2 | 3   4          2 left panels hold [X | 1], here with some of Y; panels 3 and 4 are Y alone
 *      I = 0  0   1   3   6  10
 *          1      2   4   7  11
 *          2          5   8  12
 *          3              9
 *          4                 13
 *
 * Two regimes give the same bits.  Row-parallel: every thread takes its own row blocks and holds its own node (while a
 * node fits in L2).  Tile-parallel: all threads share one node and one packed chunk of KC rows, and take groups of
 * blocks of it.
 */
#include "blocksizes.h"
#include "pack.h"
#include "parallel.h"
#include "tree.h"
#include "workspace.h"
#include <math.h>
#include <string.h>

struct flsq_gram {
    const flsq_kernels *kernels;
    int64_t p, k, unit;
    int64_t columns;     /* p + unit + k */
    int64_t x_panels;    /* of NR columns that hold X */
    int64_t panels;      /* and those of [1 | Y] behind them */
    int64_t left_panels; /* that hold a column of [X | 1] */
    int64_t block_rows;
    flsq_tree tree;
};

int64_t flsq_gram_block_rows(int64_t p) { return FLSQ_BLOCK_ROWS(p); }

/* Number of the block (0, J); (I, J) follows at +I, and the diagonal of a pure-Y panel at +left_panels. */
static int64_t first_block(const flsq_gram *gram, int64_t J)
{
    const int64_t square = FLSQ_MIN(J, gram->left_panels);
    return square * (square + 1) / 2 + (J - square) * (gram->left_panels + 1);
}

static double *block(const flsq_gram *gram, double *node, int64_t I, int64_t J)
{
    const int64_t nr = gram->kernels->nr;
    const int64_t place = I < gram->left_panels ? I : FLSQ_MIN(J, gram->left_panels);
    return node + (first_block(gram, J) + place) * nr * nr;
}

/* Where column c of [X | 1 | Y] lies among the packed columns: [1 | Y] starts a panel of its own. */
static int64_t packed_column(const flsq_gram *gram, int64_t c)
{
    return c < gram->p ? c : gram->x_panels * gram->kernels->nr + c - gram->p;
}

/* Columns in use of panel J. */
static int64_t panel_columns(const flsq_gram *gram, int64_t J)
{
    const int64_t nr = gram->kernels->nr;
    const int64_t left = J < gram->x_panels ? gram->p - J * nr : gram->unit + gram->k - (J - gram->x_panels) * nr;
    return FLSQ_MIN(nr, left);
}

/* Entry (i, j), i <= j, of a node; only of those the node stores. */
static double *entry(const flsq_gram *gram, double *node, int64_t i, int64_t j)
{
    const int64_t nr = gram->kernels->nr;
    i = packed_column(gram, i);
    j = packed_column(gram, j);
    return block(gram, node, i / nr, j / nr) + i % nr * nr + j % nr;
}

flsq_status flsq_gram_create(const flsq_kernels *kernels, int64_t p, int64_t k, int unit, flsq_gram **out)
{
    const int64_t nr = kernels->nr;
    int64_t columns, left, blocks, length, bytes;
    if (__builtin_add_overflow(p, k, &columns) || __builtin_add_overflow(columns, unit, &columns) ||
        columns > INT64_MAX / 4)
        return FLSQ_TOO_LARGE;
    const int64_t x_panels = FLSQ_CEIL_DIV(p, nr);
    left = x_panels + unit;
    flsq_gram shape = {.kernels = kernels, .p = p, .k = k, .unit = unit, 
                       .columns = columns, .x_panels = x_panels, .left_panels = left,
                       .panels = x_panels + FLSQ_CEIL_DIV(unit + k, nr), .block_rows = FLSQ_BLOCK_ROWS(p)};
    if (flsq_size_multiply(shape.panels + 1, left + 1, &blocks) != FLSQ_OK ||
        flsq_size_multiply(blocks, nr * nr, &length) != FLSQ_OK ||
        flsq_size_multiply(length, (int64_t)sizeof(double), &bytes) != FLSQ_OK)
        return FLSQ_TOO_LARGE;
    shape.tree.node_length = first_block(&shape, shape.panels) * nr * nr;
    flsq_gram *const gram = flsq_allocate(sizeof *gram);
    if (gram == NULL)
        return FLSQ_NO_MEMORY;
    *gram = shape;
    *out = gram;
    return FLSQ_OK;
}

void flsq_gram_destroy(flsq_gram *gram)
{
    if (gram == NULL)
        return;
    flsq_tree_release(&gram->tree);
    flsq_release(gram);
}

flsq_status flsq_gram_copy(const flsq_gram *gram, flsq_gram **out)
{
    flsq_gram *const copy = flsq_allocate(sizeof *copy);
    if (copy == NULL)
        return FLSQ_NO_MEMORY;
    *copy = *gram;
    memset(&copy->tree, 0, sizeof copy->tree);
    const flsq_status status = flsq_tree_copy(&gram->tree, &copy->tree);
    if (status != FLSQ_OK) {
        flsq_gram_destroy(copy);
        return status;
    }
    *out = copy;
    return FLSQ_OK;
}

int64_t flsq_gram_nbytes(const flsq_gram *gram)
{
    int64_t nodes = 0;
    for (int l = 0; l < FLSQ_TREE_LEVELS; l++)
        nodes += gram->tree.level[l] != NULL;
    return (int64_t)sizeof *gram + nodes * gram->tree.node_length * (int64_t)sizeof(double);
}

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

/* ---- plain rows: X where it lies --------------------------------------------------------------------------------------- */

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

/* Rows [row, row + count): x is the first, the others `step` doubles apart.  The kernels read whole vectors, a little
 * past a row's end. */
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
        if (pass->plain && row + count < pass->rows->x.rows) {
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
            add_blocks(gram, &s->buffer[number % 2], count, first, last, J, s->node,
                       &nothing);
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

void flsq_gram_diagonal(const flsq_gram *gram, double *diagonal)
{
    for (int64_t j = 0; j < gram->columns; j++)
        diagonal[j] = 0;
    for (int l = 0; l < FLSQ_TREE_LEVELS; l++)
        if (gram->tree.leaves >> l & 1)
            for (int64_t j = 0; j < gram->columns; j++)
                diagonal[j] += *entry(gram, gram->tree.level[l], j, j);
}

void flsq_gram_rescale(flsq_gram *gram, const int64_t *exponents)
{
    const int64_t lead = gram->p + gram->unit;
    for (int l = 0; l < FLSQ_TREE_LEVELS; l++)
        if (gram->tree.leaves >> l & 1)
            for (int64_t j = 0; j < gram->columns; j++)
                for (int64_t i = 0; i <= j; i++)
                    if (i < lead || i == j) {
                        double *const value = entry(gram, gram->tree.level[l], i, j);
                        *value = scalbln(*value, (long)(exponents[i] + exponents[j]));
                    }
}

flsq_status flsq_gram_collect(const flsq_gram *gram, double *zz, double *yy)
{
    const int64_t lead = gram->p + gram->unit, width = gram->columns;
    double *const total = flsq_allocate(gram->tree.node_length * (int64_t)sizeof(double));
    if (total == NULL)
        return FLSQ_NO_MEMORY;
    flsq_tree_total(&gram->tree, gram->kernels, total);
    for (int64_t i = 0; i < lead; i++)
        for (int64_t j = i; j < width; j++) {
            const double value = *entry(gram, total, i, j);
            zz[i * width + j] = value;
            if (j < lead)
                zz[j * width + i] = value;
        }
    for (int64_t t = 0; t < gram->k; t++)
        yy[t] = *entry(gram, total, lead + t, lead + t);
    flsq_release(total);
    return FLSQ_OK;
}
