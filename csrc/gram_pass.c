/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The Gram pass: ZᵀWZ for Z = [X | 1 | Y] in one read of the rows.
 *
 * Three regimes give the same bits.  Row-parallel: every thread takes its own row blocks (leaves) and holds its own node.
 * Where a node leaves L2 or many panels meet few leaves all threads share one node: each with block columns of its own
 * (gram_columns.c), or tile-parallel, with one packed slab of rows of which they take groups of blocks.
 */
#include "blocksizes.h"
#include "gram_chunk.h"
#include "parallel.h"
#include "workspace.h"
#include <string.h>

/* ---- row-parallel: one leaf on one thread ---------------------------------------------------------------------- */

static void prepare_leaf(const void *job, void *scratch)
{
    flsq_chunk c;
    flsq_chunk_lay_out(job, scratch, &c);
    flsq_chunk_clear(job, &c);
}

static void sum_leaf(const void *job, void *scratch, int64_t leaf, double *node)
{
    const flsq_gram_pass *const pass = job;
    const flsq_gram *const gram = pass->gram;
    flsq_chunk c;
    flsq_chunk_lay_out(pass, scratch, &c);
    const int64_t begin = leaf * gram->block_rows;
    const int64_t end = FLSQ_MIN(begin + gram->block_rows, pass->rows->x.rows);
    for (int64_t row = begin, count; row < end; row += count) {
        const int64_t in_place = flsq_rows_in_place(pass, row, end);
        count = in_place > 0 ? in_place : FLSQ_MIN(pass->kc, end - row);
        flsq_ahead ahead = flsq_chunk_ahead(pass, row, count);
        flsq_operands z;
        if (in_place > 0) {
            z = flsq_operands_in_place(pass, &c, row, count);
        } else if (pass->by_rows) {
            z = flsq_operands_by_rows(pass, &c, row, count, &ahead);
        } else if (!pass->half) {
            flsq_chunk_pack(pass, &c, row, 0, count);
            z = flsq_operands_packed(pass, &c, row, 0, count);
        }
        for (int64_t J = 0; J < pass->panels; J++) {
            if (pass->half)
                z = flsq_operands_half_packed(pass, &c, J, row, count);
            flsq_chunk_add_blocks(pass, &z, 0, pass->panels, J, node, &ahead);
        }
    }
}

static flsq_status row_parallel(flsq_gram *gram, flsq_gram_pass *pass, int n_threads)
{
    int64_t sweeps = 0;
    for (int64_t J = 0; J < pass->panels; J++)
        sweeps += flsq_column_sweeps(pass, J);
    flsq_pass_look_ahead(pass, sweeps + flsq_copy_sweeps(pass));
    flsq_leaves leaves = {.job = pass, .leaf = sum_leaf, .prepare = prepare_leaf,
                          .count = FLSQ_CEIL_DIV(pass->rows->x.rows, gram->block_rows)};
    const flsq_status status = flsq_chunk_add_bytes(pass, &leaves.scratch_bytes);
    return status == FLSQ_OK ? flsq_tree_extend(&gram->tree, gram->kernels, &leaves, n_threads) : status;
}

/* ---- tile-parallel: one leaf on all threads -------------------------------------------------------------------- */

/* While the threads multiply one slab of packed rows they pack the next into the other buffer: one barrier per slab.  The
 * chunks of a slab are added one after the other to blocks that meanwhile stay in L2.  A thread packs its share of the rows
 * in pieces, one after each task, whose first sweeps have asked memory for it. */
typedef struct shared_leaf {
    const flsq_gram_pass *pass;
    flsq_chunk buffer[2];
    int64_t begin, end; /* rows of the leaf */
    int64_t slabs;
    int64_t *claimed; /* next task of each slab */
    double *node;
} shared_leaf;

/* Task t of a slab: a group of left panels against a few right panels that stream past it.  Those that lie below the
 * diagonal are empty; of the others there are so many: */
static int64_t tasks_of(int64_t panels)
{
    int64_t tasks = 0;
    for (int64_t first = 0; first < panels; first += FLSQ_GROUP_PANELS)
        tasks += FLSQ_CEIL_DIV(panels, FLSQ_TASK_PANELS) - first / FLSQ_TASK_PANELS;
    return tasks;
}

/* Whether the threads are better off sharing leaves than taking one each: when there are fewer leaves than threads, and
 * fewer than the blocks make whole tasks. */
static int worth_sharing(int64_t leaves, int64_t panels, int n_threads)
{
    const int64_t task = FLSQ_GROUP_PANELS * FLSQ_TASK_PANELS, blocks = panels * (panels + 1) / 2;
    return leaves < n_threads && leaves * task < blocks;
}

/* The rows of a slab that one thread packs: chunk rows [at, end), so many after a task. */
typedef struct share {
    int64_t number, at, end, piece;
} share;

static share share_of(const shared_leaf *s, int64_t number, int thread, int n_threads)
{
    if (number >= s->slabs)
        return (share){0};
    const int64_t row = s->begin + number * s->pass->chunk, count = FLSQ_MIN(s->pass->chunk, s->end - row);
    const int64_t step = s->pass->transform != NULL ? FLSQ_ROW_PADDING : 1; /* flsq_chunk_pack */
    const int64_t each = FLSQ_CEIL_DIV(count, n_threads * step) * step, at = FLSQ_MIN(thread * each, count);
    const int64_t tasks = FLSQ_MAX(tasks_of(s->pass->panels) / n_threads, 1);
    return (share){.number = number, .at = at, .end = FLSQ_MIN(at + each, count),
                   .piece = FLSQ_CEIL_DIV(each, tasks * step) * step};
}

/* The next `rows` rows of the share, or all there are. */
static void pack(const shared_leaf *s, share *own, int64_t rows)
{
    const int64_t some = FLSQ_MIN(rows, own->end - own->at);
    if (some > 0)
        flsq_chunk_pack(s->pass, &s->buffer[own->number % 2], s->begin + own->number * s->pass->chunk + own->at, own->at, some);
    own->at += some;
}

/* Those rows, to be asked for. */
static flsq_ahead next_piece(const shared_leaf *s, const share *own)
{
    return flsq_piece_ahead(s->pass, s->begin + own->number * s->pass->chunk + own->at,
                            FLSQ_MIN(own->piece, own->end - own->at));
}

static void multiply_tasks(const shared_leaf *s, int64_t number, share *own)
{
    const int64_t row = s->begin + number * s->pass->chunk, count = FLSQ_MIN(s->pass->chunk, s->end - row);
    const int64_t panels = s->pass->panels, groups = FLSQ_CEIL_DIV(panels, FLSQ_GROUP_PANELS);
    const int64_t strips = FLSQ_CEIL_DIV(panels, FLSQ_TASK_PANELS), kc = s->pass->kc;
    for (int64_t t = flsq_parallel_claim(&s->claimed[number]); t < groups * strips;
         t = flsq_parallel_claim(&s->claimed[number])) {
        flsq_ahead ahead = next_piece(s, own);
        const int64_t first = t / strips * FLSQ_GROUP_PANELS, last = first + FLSQ_GROUP_PANELS;
        const int64_t strip = t % strips * FLSQ_TASK_PANELS;
        for (int64_t at = 0; at < count; at += kc) {
            const flsq_operands z = flsq_operands_packed(s->pass, &s->buffer[number % 2], row + at, at,
                                                         FLSQ_MIN(kc, count - at));
            for (int64_t J = FLSQ_MAX(strip, first); J < FLSQ_MIN(strip + FLSQ_TASK_PANELS, panels); J++)
                flsq_chunk_add_blocks(s->pass, &z, first, last, J, s->node, &ahead);
        }
        pack(s, own, own->piece);
    }
}

static void shared_leaf_body(void *context, int thread, int n_threads)
{
    const shared_leaf *const s = context;
    flsq_tree_clear_part(&s->pass->gram->tree, s->node, thread, n_threads);
    share own = share_of(s, 0, thread, n_threads);
    pack(s, &own, own.end);
    flsq_parallel_barrier(n_threads);
    for (int64_t number = 0; number < s->slabs; number++) {
        own = share_of(s, number + 1, thread, n_threads);
        multiply_tasks(s, number, &own);
        pack(s, &own, own.end);
        flsq_parallel_barrier(n_threads);
    }
}

static flsq_status tile_parallel(flsq_gram *gram, const flsq_gram_pass *pass, int n_threads)
{
    n_threads = (int)FLSQ_MIN(n_threads, tasks_of(pass->panels));
    const int64_t n = pass->rows->x.rows, max_slabs = FLSQ_CEIL_DIV(gram->block_rows, pass->chunk);
    int64_t size = 0, chunk_bytes = 0;
    flsq_arena arena;
    flsq_status status = flsq_chunk_add_bytes(pass, &chunk_bytes);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, 2, chunk_bytes);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, max_slabs, sizeof(int64_t));
    if (status == FLSQ_OK)
        status = flsq_tree_reserve(&gram->tree, FLSQ_CEIL_DIV(n, gram->block_rows));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    shared_leaf s = {.pass = pass};
    char *const memory = flsq_arena_take(&arena, 2, chunk_bytes);
    s.claimed = flsq_arena_take(&arena, max_slabs, sizeof(int64_t));
    for (int b = 0; b < 2; b++) {
        flsq_chunk_lay_out(pass, memory + b * chunk_bytes, &s.buffer[b]);
        flsq_chunk_clear(pass, &s.buffer[b]);
    }
    for (s.begin = 0; s.begin < n; s.begin = s.end) {
        s.end = FLSQ_MIN(s.begin + gram->block_rows, n);
        s.slabs = FLSQ_CEIL_DIV(s.end - s.begin, pass->chunk);
        memset(s.claimed, 0, (size_t)max_slabs * sizeof(int64_t));
        s.node = flsq_tree_next(&gram->tree);
        flsq_parallel_run(n_threads, shared_leaf_body, &s);
        flsq_tree_take_next(&gram->tree, gram->kernels);
    }
    flsq_arena_close(&arena);
    return FLSQ_OK;
}

/* ---- the pass -------------------------------------------------------------------------------------------------- */

/* The user's scale and offset, padded to whole panels with 1 and 0. */
static flsq_status pad_affine(const flsq_gram *gram, const flsq_rows *rows, flsq_arena *arena, flsq_gram_pass *pass)
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

static flsq_status pack_transform(const flsq_gram *gram, const flsq_rows *rows, flsq_arena *arena, flsq_gram_pass *pass)
{
    const int64_t columns = gram->x_panels * gram->kernels->nr;
    int64_t size = 0, doubles;
    flsq_status status = flsq_transform_size(gram, &doubles);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, doubles, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, columns, sizeof(double));
    if (status == FLSQ_OK)
        status = flsq_arena_open(arena, size);
    if (status != FLSQ_OK)
        return status;
    double *const blocks = flsq_arena_take(arena, doubles, sizeof(double));
    flsq_transform_pack(gram, rows->transform, blocks);
    pass->transform = blocks;
    if (rows->lengths == NULL)
        return FLSQ_OK;
    double *const factor = flsq_arena_take(arena, columns, sizeof(double));
    memset(factor, 0, (size_t)columns * sizeof(double));
    memcpy(factor, rows->lengths->factor, (size_t)gram->p * sizeof(double));
    pass->factor = factor;
    return FLSQ_OK;
}

flsq_status flsq_gram_update(flsq_gram *gram, const flsq_rows *rows, int n_threads)
{
    const int64_t n = rows->x.rows;
    if (n == 0 || gram->columns == 0)
        return FLSQ_OK;
    const int64_t kc = gram->single ? FLSQ_SINGLE_KC : FLSQ_KC(gram->p);
    const int64_t packed = gram->sides ? gram->x_panels : gram->single ? FLSQ_CEIL_DIV(gram->panels, 2) : gram->panels;
    if ((double)n * (double)gram->columns * (double)gram->columns < FLSQ_THREAD_FLOPS)
        n_threads = 1;
    const int shared = gram->tree.node_length * (int64_t)sizeof(double) > FLSQ_TILE_PARALLEL_BYTES ||
                       worth_sharing(FLSQ_CEIL_DIV(n, gram->block_rows), packed, n_threads);
    flsq_gram_pass pass = {.gram = gram, .rows = rows, .kc = kc, .panels = packed};
    flsq_arena affine, transform;
    flsq_arena_none(&affine);
    flsq_arena_none(&transform);
    if (rows->scale != NULL || rows->offset != NULL || gram->single) {
        const flsq_status status = pad_affine(gram, rows, &affine, &pass);
        if (status != FLSQ_OK)
            return status;
    }
    if (rows->transform != NULL && gram->p > 0) {
        const flsq_status status = pack_transform(gram, rows, &transform, &pass);
        if (status != FLSQ_OK) {
            flsq_arena_close(&affine);
            return status;
        }
    }
    pass.by_rows = !shared && flsq_gram_is_by_rows(&pass);
    pass.step = flsq_gram_row_step(&pass);
    pass.in_place = flsq_gram_is_in_place(&pass);
    pass.half = flsq_gram_is_half_packed(&pass);
    const int dealt = shared && flsq_columns_are_dealt(&pass, n_threads);
    pass.chunk = FLSQ_MIN(shared && !dealt ? FLSQ_SLAB_CHUNKS * kc : kc, n);
    flsq_status status;
    if (dealt)
        status = flsq_columns_dealt(gram, &pass, n_threads);
    else
        status = shared ? tile_parallel(gram, &pass, n_threads) : row_parallel(gram, &pass, n_threads);
    flsq_arena_close(&affine);
    flsq_arena_close(&transform);
    return status;
}

flsq_status flsq_gram_of(const flsq_kernels *kernels, const flsq_rows *rows, int n_threads, double *zz, double *yy,
                         double *lost)
{
    flsq_gram *gram;
    flsq_status status = flsq_gram_create(kernels, rows->x.columns, rows->y.columns, rows->unit, &gram);
    if (status != FLSQ_OK)
        return status;
    status = flsq_gram_update(gram, rows, n_threads);
    if (status == FLSQ_OK)
        flsq_gram_collect(gram, n_threads, zz, yy, lost);
    flsq_gram_destroy(gram);
    return status;
}
