/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The only file that calls the allocator.
 */
#include "workspace.h"
#include <stdlib.h>
#include <string.h>

flsq_status flsq_size_multiply(int64_t a, int64_t b, int64_t *product)
{
    return __builtin_mul_overflow(a, b, product) ? FLSQ_TOO_LARGE : FLSQ_OK;
}

flsq_status flsq_size_add(int64_t *total, int64_t count, int64_t item)
{
    int64_t bytes;
    if (__builtin_mul_overflow(count, item, &bytes) || __builtin_add_overflow(bytes, FLSQ_ALIGNMENT - 1, &bytes))
        return FLSQ_TOO_LARGE;
    bytes -= bytes % FLSQ_ALIGNMENT;
    return __builtin_add_overflow(*total, bytes, total) ? FLSQ_TOO_LARGE : FLSQ_OK;
}

void *flsq_allocate(int64_t size)
{
    void *memory = NULL;
    if (size < 0 || (uint64_t)size > SIZE_MAX - FLSQ_ALIGNMENT)
        return NULL;
    if (posix_memalign(&memory, FLSQ_ALIGNMENT, FLSQ_MAX((size_t)size, (size_t)FLSQ_ALIGNMENT)) != 0)
        return NULL;
    return memory;
}

void flsq_release(void *memory) { free(memory); }

flsq_status flsq_lay_out_pieces(int pieces, const flsq_piece *sizes, char *memory, void **at, int64_t *total)
{
    for (int i = 0; i < pieces; i++) {
        at[i] = memory == NULL ? NULL : memory + *total;
        const flsq_status status = flsq_size_add(total, sizes[i].count, sizes[i].bytes);
        if (status != FLSQ_OK)
            return status;
    }
    return FLSQ_OK;
}

flsq_status flsq_arena_open(flsq_arena *arena, int64_t size)
{
    arena->size = size;
    arena->used = 0;
    arena->base = NULL;
    if (size < 0 || (uint64_t)size > SIZE_MAX - FLSQ_ALIGNMENT)
        return FLSQ_TOO_LARGE;
    arena->base = size <= FLSQ_ARENA_NEAR ? arena->near : flsq_allocate(size);
    return arena->base != NULL ? FLSQ_OK : FLSQ_NO_MEMORY;
}

void *flsq_arena_take(flsq_arena *arena, int64_t count, int64_t item)
{
    void *piece = arena->base + arena->used;
    arena->used += (count * item + FLSQ_ALIGNMENT - 1) / FLSQ_ALIGNMENT * FLSQ_ALIGNMENT;
    FLSQ_ASSERT(arena->used <= arena->size);
    return piece;
}

flsq_status flsq_arena_open_for_threads(flsq_arena *arena, int64_t n_threads, int64_t bytes, char **memory)
{
    int64_t size = 0;
    flsq_status status = flsq_size_add(&size, n_threads, bytes);
    if (status == FLSQ_OK)
        status = flsq_arena_open(arena, size);
    if (status == FLSQ_OK)
        *memory = flsq_arena_take(arena, n_threads, bytes);
    return status;
}

void flsq_arena_close(flsq_arena *arena)
{
    if (arena->base != arena->near)
        flsq_release(arena->base);
    arena->base = NULL;
}
