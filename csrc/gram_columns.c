/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * One leaf on all threads, each of which owns block columns of the node and walks down all rows by itself: no barrier, no
 * packed rows that another core has just written, no sums that change cores.
 *
 * Rows that are half packed (gram_chunk.h) cost a thread nothing that another does too.  Others it packs whole, as every
 * other thread does: 2 - 5 % of a pass for each thread, so only few threads do it, and only for rows that are packed fast.  2026-12, Emerald Rapids, two threads,
 * share of the FMA peak, against threads that share the packed rows: p = 512 66 / 84 %, p = 1024 73 / 84, p = 2048 74 / 85.
 */
#include "ahead.h"
#include "blocksizes.h"
#include "gram_chunk.h"
#include "parallel.h"
#include "workspace.h"
#include <string.h>

typedef struct column_leaf {
    const flsq_gram_pass *pass;
    int64_t begin, end;   /* rows of the leaf */
    int64_t *load;        /* blocks of each thread, */
    int32_t *owner;       /* and the thread of each panel on the right */
    char *scratch;        /* scratch_stride bytes a thread */
    int64_t scratch_stride;
    double *node;
} column_leaf;

/* The longest columns first, each to the thread with the fewest blocks. */
static void deal(const column_leaf *s, int n_threads)
{
    memset(s->load, 0, (size_t)n_threads * sizeof *s->load);
    for (int64_t J = s->pass->panels - 1; J >= 0; J--) {
        int least = 0;
        for (int t = 1; t < n_threads; t++)
            if (s->load[t] < s->load[least])
                least = t;
        s->owner[J] = least;
        s->load[least] += J + 1;
    }
}

/* Rows that are contiguous one way or the other: what packing costs the least for. */
static int is_packed_fast(const flsq_matrix *x)
{
    const int64_t item = x->dtype == FLSQ_F64 ? sizeof(double) : sizeof(float);
    return (x->dtype == FLSQ_F64 || x->dtype == FLSQ_F32) && (x->col_stride == item || x->row_stride == item);
}

int flsq_columns_are_dealt(const flsq_gram_pass *pass, int n_threads)
{
    /* rounding to single precision for each thread is worth it up to so many columns (two threads, p = 512 76 / 53 ms, 1024
     * 112 / 90, 2048 190 / 240); X T, as much work as the products, never is, and would count the lengths of rows twice */
    const int worth = pass->transform == NULL && is_packed_fast(&pass->rows->x) &&
                      (!pass->gram->single || pass->gram->p <= 1024);
    return pass->half || (worth && n_threads <= pass->gram->kernels->packing_threads);
}

/* The pass with rows ahead that the sweeps of this thread get round to asking for. */
static flsq_gram_pass look_ahead(const column_leaf *s, int thread)
{
    flsq_gram_pass pass = *s->pass;
    int64_t sweeps = 0;
    for (int64_t J = 0; J < pass.panels; J++)
        sweeps += s->owner[J] == thread ? flsq_column_sweeps(&pass, J) : 0;
    flsq_pass_look_ahead(&pass, sweeps);
    return pass;
}

static void own_columns(void *context, int thread, int n_threads)
{
    const column_leaf *const s = context;
    flsq_chunk c;
    flsq_chunk_lay_out(s->pass, s->scratch + thread * s->scratch_stride, &c);
    flsq_chunk_clear(s->pass, &c);
    flsq_tree_clear_part(&s->pass->gram->tree, s->node, thread, n_threads);
    if (thread == 0) /* for as many threads as there are, which may be fewer than were asked for */
        deal(s, n_threads);
    flsq_parallel_barrier(n_threads);
    const flsq_gram_pass pass_of_thread = look_ahead(s, thread), *const pass = &pass_of_thread;
    for (int64_t row = s->begin; row < s->end; row += pass->kc) {
        const int64_t count = FLSQ_MIN(pass->kc, s->end - row);
        flsq_ahead ahead = flsq_chunk_ahead(pass, row, count);
        if (!pass->half)
            flsq_chunk_pack(pass, &c, row, 0, count);
        for (int64_t J = 0; J < pass->panels; J++)
            if (s->owner[J] == thread) {
                const flsq_operands z = pass->half ? flsq_operands_half_packed(pass, &c, J, row, count)
                                                   : flsq_operands_packed(pass, &c, row, 0, count);
                flsq_chunk_add_blocks(pass, &z, 0, pass->panels, J, s->node, &ahead);
            }
    }
}

flsq_status flsq_columns_dealt(flsq_gram *gram, const flsq_gram_pass *pass, int n_threads)
{
    const int64_t n = pass->rows->x.rows;
    n_threads = (int)FLSQ_MIN(n_threads, pass->panels);
    int64_t size = 0;
    flsq_arena arena;
    column_leaf s = {.pass = pass};
    flsq_status status = flsq_chunk_add_bytes(pass, &s.scratch_stride);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, n_threads, s.scratch_stride);
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, n_threads, sizeof(int64_t));
    if (status == FLSQ_OK)
        status = flsq_size_add(&size, pass->panels, sizeof(int32_t));
    if (status == FLSQ_OK)
        status = flsq_tree_reserve(&gram->tree, FLSQ_CEIL_DIV(n, gram->block_rows));
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    s.scratch = flsq_arena_take(&arena, n_threads, s.scratch_stride);
    s.load = flsq_arena_take(&arena, n_threads, sizeof(int64_t));
    s.owner = flsq_arena_take(&arena, pass->panels, sizeof(int32_t));
    for (s.begin = 0; s.begin < n; s.begin = s.end) {
        s.end = FLSQ_MIN(s.begin + gram->block_rows, n);
        s.node = flsq_tree_next(&gram->tree);
        flsq_parallel_run(n_threads, own_columns, &s);
        flsq_tree_take_next(&gram->tree, gram->kernels);
    }
    flsq_arena_close(&arena);
    return FLSQ_OK;
}
