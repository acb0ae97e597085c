/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Memory.  A driver first adds up what it needs (flsq_size_add, which notices overflow), then opens one arena of that
 * size and takes its pieces.  Every piece starts on a boundary of FLSQ_ALIGNMENT bytes.
 */
#ifndef FLSQ_WORKSPACE_H
#define FLSQ_WORKSPACE_H
#include "internal.h"
#include <stddef.h>

enum {
    FLSQ_ALIGNMENT = 64,
#ifdef __SANITIZE_ADDRESS__ /* which sees an overrun at the end of an arena only if that is the end of its memory */
    FLSQ_ARENA_NEAR = 64
#else
    FLSQ_ARENA_NEAR = 8192 /* bytes on the stack: a tiny problem spends a fifth of its time in malloc without them */
#endif
};

/* A local variable of a driver; never copied, for base may point into it. */
typedef struct flsq_arena {
    char *base;
    int64_t size, used;
    _Alignas(64) char near[FLSQ_ARENA_NEAR];
} flsq_arena;

/* *total += count*item bytes rounded up to FLSQ_ALIGNMENT; FLSQ_TOO_LARGE on overflow. */
flsq_status flsq_size_add(int64_t *total, int64_t count, int64_t item);
/* *product = a*b for non-negative a, b; FLSQ_TOO_LARGE on overflow. */
flsq_status flsq_size_multiply(int64_t a, int64_t b, int64_t *product);

/* Pieces of count*bytes each, one behind the other from memory + *total on: at[i] := where piece i begins, or NULL without memory,
 * when only sizes are wanted; *total moves on as flsq_size_add does. */
typedef struct flsq_piece {
    int64_t count, bytes;
} flsq_piece;
flsq_status flsq_lay_out_pieces(int pieces, const flsq_piece *sizes, char *memory, void **at, int64_t *total);

flsq_status flsq_arena_open(flsq_arena *arena, int64_t size);
void *flsq_arena_take(flsq_arena *arena, int64_t count, int64_t item);
void flsq_arena_close(flsq_arena *arena);
/* An arena of `bytes` for each of so many threads, that of thread i at *memory + i*bytes. */
flsq_status flsq_arena_open_for_threads(flsq_arena *arena, int64_t n_threads, int64_t bytes, char **memory);
/* An arena without memory, which may be closed. */
static inline void flsq_arena_none(flsq_arena *arena) { arena->base = NULL; }

/* Single pieces, aligned to 64 bytes at least; NULL when there is no memory. */
void *flsq_allocate(int64_t size);
void flsq_release(void *memory);

#endif
