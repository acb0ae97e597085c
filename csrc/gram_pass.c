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
    int64_t chunk;  /* rows packed at a time: KC, or all of them when there are fewer */
    int64_t panels; /* packed: those of X, and of [1 | Y] unless they are summed beside X */
    int sides;      /* one target: [1 | y] is summed beside X, not packed */
    int in_place;   /* float64 rows of few columns, unweighted: X is multiplied where it lies */
} gram_pass;

/* The memory of one packed chunk.  Unweighted, left and right are the same panels. */
typedef struct chunk {
    flsq_panels right, left;
    double *weights, *target;
} chunk;

static int64_t panel_bytes(const gram_pass *pass)
{
    return flsq_panels_stride(pass->gram->kernels, pass->chunk) * (int64_t)sizeof(double);
}

/* Weights and target of a chunk, so that the next begins on a cache line. */
static int64_t column_bytes(const gram_pass *pass)
{
    return FLSQ_CEIL_DIV(pass->chunk * (int64_t)sizeof(double), FLSQ_ALIGNMENT) * FLSQ_ALIGNMENT;
}

static flsq_status add_chunk_bytes(const gram_pass *pass, int64_t *total)
{
    for (int sets = pass->rows->weights.data != NULL ? 2 : 1; sets > 0; sets--) {
        const flsq_status status = flsq_size_add(total, pass->panels, panel_bytes(pass));
        if (status != FLSQ_OK)
            return status;
    }
    return flsq_size_add(total, 2, column_bytes(pass));
}

static void lay_out_chunk(const gram_pass *pass, char *memory, chunk *c)
{
    const int64_t bytes = pass->panels * panel_bytes(pass); /* cannot overflow: add_chunk_bytes did not */
    c->right = (flsq_panels){.base = (double *)memory, .count = pass->panels,
                             .stride = flsq_panels_stride(pass->gram->kernels, pass->chunk)};
    c->left = c->right;
    memory += bytes;
    if (pass->rows->weights.data != NULL) {
        c->left.base = (double *)memory;
        memory += bytes;
    }
    c->weights = (double *)memory;
    c->target = (double *)(memory + column_bytes(pass));
}

static void clear_chunk(const gram_pass *pass, const chunk *c)
{
    const flsq_gram *const gram = pass->gram;
    flsq_panels_clear(gram->kernels, &c->right, gram->unit && !pass->sides ? packed_column(gram, gram->p) : -1);
    if (c->left.base != c->right.base)
        flsq_panels_clear(gram->kernels, &c->left, -1);
}

static int target_in_place(const gram_pass *pass)
{
    const flsq_matrix *const y = &pass->rows->y;
    const int64_t item = sizeof(double);
    return pass->scale == NULL && y->dtype == FLSQ_F64 && y->row_stride == item && (uintptr_t)y->data % item == 0;
}

/* The single target of rows [row, row + count), at chunk row `at` when it has to be copied. */
static void copy_target(const gram_pass *pass, const chunk *c, int64_t row, int64_t at, int64_t count)
{
    if (target_in_place(pass))
        return;
    double *const target = c->target + at;
    flsq_read_column(&pass->rows->y, 0, row, count, target);
    if (pass->scale != NULL) {
        const int64_t column = packed_column(pass->gram, pass->gram->p + pass->gram->unit);
        for (int64_t k = 0; k < count; k++)
            target[k] = target[k] * pass->scale[column] - pass->offset[column];
    }
}

static const double *target_of(const gram_pass *pass, const chunk *c, int64_t row)
{
    return target_in_place(pass) ? (const double *)pass->rows->y.data + row : c->target;
}

/* Packs rows [row, row + count) into chunk rows [at, at + count): user values, then scale and offset, then weights. */
static void pack_chunk(const gram_pass *pass, const chunk *c, int64_t row, int64_t at, int64_t count)
{
    const flsq_gram *const gram = pass->gram;
    const flsq_kernels *const kernels = gram->kernels;
    const int64_t nr = kernels->nr, stride = c->right.stride;
    const flsq_panels target = {.base = c->right.base + at * nr, .stride = stride, .count = pass->panels};
    flsq_pack_matrix(kernels, &pass->rows->x, row, count, &target, 0);
    if (pass->sides)
        copy_target(pass, c, row, at, count);
    else
        flsq_pack_matrix(kernels, &pass->rows->y, row, count, &target, packed_column(gram, gram->p + gram->unit));
    if (pass->scale != NULL)
        for (int64_t J = 0; J < pass->panels; J++)
            kernels->affine(count, pass->scale + J * nr, pass->offset + J * nr, target.base + J * stride);
    if (pass->rows->weights.data != NULL) {
        flsq_read_column(&pass->rows->weights, 0, row, count, c->weights + at);
        for (int64_t J = 0; J < pass->panels; J++)
            kernels->weigh(count, c->weights + at, target.base + J * stride, c->left.base + at * nr + J * stride);
    }
}

/* ---- products of rows that are ready ---------------------------------------------------------------------------- */

/* `count` rows, packed or where they lie: panel J starts at J*panel_stride, rows are `step` doubles apart. */
typedef struct operands {
    const double *left, *right;
    int64_t panel_stride, step, count;
    const double *target, *weights; /* of the rows, when [1 | y] is summed beside X; weights NULL for none */
} operands;

static operands packed_operands(const gram_pass *pass, const chunk *c, int64_t row, int64_t count)
{
    return (operands){.left = c->left.base, .right = c->right.base, .panel_stride = c->right.stride,
                      .step = pass->gram->kernels->nr, .count = count,
                      .target = pass->sides ? target_of(pass, c, row) : NULL,
                      .weights = pass->rows->weights.data != NULL ? c->weights : NULL};
}

static operands operands_in_place(const gram_pass *pass, const chunk *c, int64_t row, int64_t count)
{
    const flsq_matrix x = flsq_matrix_rows(&pass->rows->x, row, count);
    copy_target(pass, c, row, 0, count);
    return (operands){.left = x.data, .right = x.data, .panel_stride = pass->gram->kernels->nr,
                      .step = x.row_stride / (int64_t)sizeof(double), .count = count,
                      .target = target_of(pass, c, row)};
}

/* The diagonal block of panel J and what [1 | y] adds beside it.  1 and y are the first lanes of the panel behind X. */
static void add_diagonal_and_sides(const flsq_gram *gram, const operands *z, int64_t J, double *node, flsq_ahead *ahead)
{
    const flsq_kernels *const kernels = gram->kernels;
    const int64_t nr = kernels->nr, unit = gram->unit, columns = panel_columns(gram, J);
    double *const beside = block(gram, node, J, gram->x_panels);
    double sums[FLSQ_MAX_NR], dots[FLSQ_MAX_NR];
    const flsq_sides sides = {.y = z->target, .sums = unit ? sums : NULL, .dots = dots};
    kernels->gram_diagonal(z->count, z->left + J * z->panel_stride, z->right + J * z->panel_stride, z->step, columns,
                           block(gram, node, J, J), &sides, ahead);
    for (int64_t i = 0; i < columns; i++)
        beside[i * nr + unit] += dots[i];
    for (int64_t i = 0; unit && i < columns; i++)
        beside[i * nr] += sums[i];
}

/* 1ᵀ1, 1ᵀy and yᵀy. */
static void add_target(const flsq_gram *gram, const operands *z, double *node)
{
    const int64_t nr = gram->kernels->nr, unit = gram->unit;
    double *const own = block(gram, node, gram->x_panels, gram->x_panels), totals[3];
    gram->kernels->target_sums(z->count, z->target, z->weights, totals);
    if (unit) {
        own[0] += totals[0];
        own[1] += totals[1];
    }
    own[unit * nr + unit] += totals[2];
}

/* The blocks (I, J) of `node` for one J and I in [first, last), and what stands beside them. */
static void add_blocks(const gram_pass *pass, const operands *z, int64_t first, int64_t last, int64_t J, double *node,
                       flsq_ahead *ahead)
{
    const flsq_gram *const gram = pass->gram;
    const flsq_kernels *const kernels = gram->kernels;
    const double *const right = z->right + J * z->panel_stride;
    const int64_t columns = panel_columns(gram, J);
    for (int64_t I = first; I < FLSQ_MIN(last, FLSQ_MIN(J, gram->left_panels)); I++)
        kernels->gram_block(z->count, z->left + I * z->panel_stride, right, z->step, columns,
                            block(gram, node, I, J), ahead);
    if (J < first || J >= last)
        return;
    if (!pass->sides) {
        kernels->gram_diagonal(z->count, z->left + J * z->panel_stride, right, z->step, columns,
                               block(gram, node, J, J), NULL, ahead);
        return;
    }
    add_diagonal_and_sides(gram, z, J, node, ahead);
    if (J == 0)
        add_target(gram, z, node);
}

/* How often the products of one chunk walk down its rows. */
static int64_t sweeps_of(const gram_pass *pass)
{
    const flsq_kernels *const kernels = pass->gram->kernels;
    int64_t sweeps = 0;
    for (int64_t J = 0; J < pass->panels; J++) {
        const int64_t vectors = FLSQ_CEIL_DIV(panel_columns(pass->gram, J), kernels->lanes);
        sweeps += FLSQ_MIN(J, pass->gram->left_panels) * kernels->block_sweeps[vectors] +
                  kernels->diagonal_sweeps[vectors] + (pass->sides && vectors > 1);
    }
    return sweeps;
}

/* The memory of rows [row, row + count) of X, when it is one piece, to be asked for by the sweeps over `now` rows. */
static flsq_ahead rows_ahead(const gram_pass *pass, int64_t row, int64_t count, int64_t now)
{
    if (count <= 0)
        return (flsq_ahead){0};
    const flsq_matrix part = flsq_matrix_rows(&pass->rows->x, row, count);
    if (part.row_stride <= 0 || part.row_stride > 2 * part.columns * (int64_t)sizeof(double) || part.col_stride < 0)
        return (flsq_ahead){0};
    return (flsq_ahead){.next = part.data, .pace = FLSQ_CEIL_DIV(count * part.row_stride, sweeps_of(pass) * now)};
}

static int is_in_place(const gram_pass *pass)
{
    return pass->sides && pass->gram->p <= FLSQ_IN_PLACE_COLUMNS && pass->rows->weights.data == NULL &&
           pass->scale == NULL && flsq_is_plain_f64(&pass->rows->x);
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
        const int64_t left = pass->rows->x.rows - row - count;
        flsq_ahead ahead = rows_ahead(pass, row + count, FLSQ_MIN(FLSQ_KC, left), count);
        /* the kernels read whole vectors: what lies behind the last rows is not ours to read */
        const int in_place = pass->in_place && left * pass->rows->x.row_stride >= FLSQ_READ_PAST;
        if (!in_place)
            pack_chunk(pass, &c, row, 0, count);
        const operands z = in_place ? operands_in_place(pass, &c, row, count) : packed_operands(pass, &c, row, count);
        for (int64_t J = 0; J < pass->panels; J++)
            add_blocks(pass, &z, 0, pass->panels, J, node, &ahead);
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
    const int64_t row = s->begin + number * FLSQ_KC, count = FLSQ_MIN(FLSQ_KC, s->end - row);
    const int64_t panels = s->pass->panels, groups = FLSQ_CEIL_DIV(panels, FLSQ_GROUP_PANELS);
    const int64_t strips = FLSQ_CEIL_DIV(panels, RIGHT_PANELS);
    const operands z = packed_operands(s->pass, &s->buffer[number % 2], row, count);
    flsq_ahead nothing = {0};
    for (int64_t t = flsq_parallel_claim(&s->claimed[number]); t < groups * strips;
         t = flsq_parallel_claim(&s->claimed[number])) {
        const int64_t first = t / strips * FLSQ_GROUP_PANELS, last = first + FLSQ_GROUP_PANELS;
        const int64_t strip = t % strips * RIGHT_PANELS;
        for (int64_t J = FLSQ_MAX(strip, first); J < FLSQ_MIN(strip + RIGHT_PANELS, panels); J++)
            add_blocks(s->pass, &z, first, last, J, s->node, &nothing);
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
    const int sides = gram->k == 1 && gram->p > 0;
    gram_pass pass = {.gram = gram, .rows = rows, .chunk = FLSQ_MIN(FLSQ_KC, n), .sides = sides,
                      .panels = sides ? gram->x_panels : gram->panels};
    flsq_arena affine = {0};
    if (rows->scale != NULL || rows->offset != NULL) {
        const flsq_status status = pad_affine(gram, rows, &affine, &pass);
        if (status != FLSQ_OK)
            return status;
    }
    pass.in_place = is_in_place(&pass);
    if ((double)n * (double)gram->columns * (double)gram->columns < FLSQ_THREAD_FLOPS)
        n_threads = 1;
    const int shared = gram->tree.node_length * (int64_t)sizeof(double) > FLSQ_TILE_PARALLEL_BYTES;
    const flsq_status status =
        shared ? tile_parallel(gram, &pass, n_threads) : row_parallel(gram, &pass, n_threads);
    flsq_arena_close(&affine);
    return status;
}
