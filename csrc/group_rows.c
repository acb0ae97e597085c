/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The order that sorts rows by group: a counting sort.  Threads have a piece of the rows each, and places of their own for
 * it within every group, so the order is the same for any number of them.
 */
#include "parallel.h"
#include "workspace.h"
#include <string.h>

enum {
    LEAST_ROWS = 65536, /* for more than one thread */
    LEAST_LENGTH = 4    /* mean rows of a group, a thread: else the counts are as much work as the rows */
};

typedef struct group_sort {
    int64_t n, count, low;
    const int64_t *codes;
    int64_t *start, *order;
    int64_t *places; /* for each thread `count`: how many rows of a group, then where the next one goes */
    int outside;
} group_sort;

static uint64_t group_of(const group_sort *s, int64_t row) { return (uint64_t)s->codes[row] - (uint64_t)s->low; }

static void sort_piece(void *context, int thread, int n_threads)
{
    group_sort *const s = context;
    const int64_t begin = s->n * thread / n_threads, end = s->n * (thread + 1) / n_threads;
    int64_t *const own = s->places + thread * s->count;
    memset(own, 0, (size_t)s->count * sizeof(int64_t));
    int outside = 0;
    for (int64_t i = begin; i < end; i++) {
        const uint64_t group = group_of(s, i);
        if (group < (uint64_t)s->count)
            own[group]++;
        else
            outside = 1;
    }
    if (outside)
        __atomic_store_n(&s->outside, 1, __ATOMIC_RELAXED);
    flsq_parallel_barrier(n_threads);
    if (thread == 0) {
        int64_t before = 0;
        for (int64_t g = 0; g < s->count; g++) {
            s->start[g] = before;
            for (int t = 0; t < n_threads; t++) {
                const int64_t rows = s->places[t * s->count + g];
                s->places[t * s->count + g] = before;
                before += rows;
            }
        }
        s->start[s->count] = before;
    }
    flsq_parallel_barrier(n_threads);
    for (int64_t i = begin; i < end && !s->outside; i++)
        s->order[own[group_of(s, i)]++] = i;
}

flsq_status flsq_group_rows(int64_t n, const int64_t *codes, int64_t low, int64_t count, int n_threads, int64_t *start,
                            int64_t *order)
{
    group_sort s = {.n = n, .count = count, .low = low, .codes = codes, .start = start, .order = order};
    flsq_arena arena;
    int64_t size = 0;
    if (n < LEAST_ROWS || n / LEAST_LENGTH < count)
        n_threads = 1;
    flsq_status status = flsq_size_multiply(FLSQ_MAX(n_threads, 1), count, &size);
    if (status == FLSQ_OK)
        status = flsq_size_multiply(size, sizeof(int64_t), &size);
    if (status == FLSQ_OK)
        status = flsq_arena_open(&arena, size);
    if (status != FLSQ_OK)
        return status;
    s.places = (int64_t *)arena.base;
    flsq_parallel_run(n_threads, sort_piece, &s);
    flsq_arena_close(&arena);
    return s.outside ? FLSQ_TOO_LARGE : FLSQ_OK;
}
