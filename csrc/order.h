/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The order in which rows are visited: a permutation of blocks that is computed where it is needed, so that any thread can ask for
 * any place, and none is stored.
 */
#ifndef FLSQ_ORDER_H
#define FLSQ_ORDER_H
#include "internal.h"

enum { FLSQ_ORDER_ROUNDS = 4 };

typedef struct flsq_ordered {
    flsq_order order;
    int64_t blocks, short_rows, short_place; /* rows of the last block, and the place of that block in the order */
    int low_bits, high_bits;
    uint64_t keys[FLSQ_ORDER_ROUNDS];
} flsq_ordered;

/* Consecutive rows. */
typedef struct flsq_segment {
    int64_t row, count;
} flsq_segment;

void flsq_ordered_prepare(const flsq_order *order, flsq_ordered *ordered);
/* The rows from a place of the order on, up to the end of their block and at most so many. */
flsq_segment flsq_ordered_segment(const flsq_ordered *ordered, int64_t place, int64_t most);

#endif
