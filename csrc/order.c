/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * A permutation of 0 .. blocks-1 from a key: a Feistel network over the bits of the number (Luby, Rackoff 1988), walked again where
 * it leads out of the range (Black, Rogaway 2002), which is less than every other time.
 */
#include "order.h"

/* The next number of a counter-based generator (splitmix64: Steele, Lea, Flood 2014). */
static uint64_t mixed(uint64_t counter)
{
    uint64_t z = counter * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* 32 bits that depend on all of x and the key. */
static inline uint64_t hashed(uint64_t x, uint64_t key)
{
    uint64_t z = (x + key) * UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 32)) * UINT64_C(0xd6e8feb86659fd93);
    return z >> 32;
}

static inline uint64_t round_of(const flsq_ordered *o, uint64_t x, int round)
{
    const uint64_t low_mask = (UINT64_C(1) << o->low_bits) - 1, high_mask = (UINT64_C(1) << o->high_bits) - 1;
    if (round % 2 == 0)
        return x ^ (hashed(x & low_mask, o->keys[round]) & high_mask) << o->low_bits;
    return x ^ (hashed(x >> o->low_bits, o->keys[round]) & low_mask);
}

static int64_t block_at(const flsq_ordered *o, int64_t place)
{
    uint64_t x = (uint64_t)place;
    if (!o->order.shuffled)
        return place;
    do
        for (int round = 0; round < FLSQ_ORDER_ROUNDS; round++)
            x = round_of(o, x, round);
    while (x >= (uint64_t)o->blocks);
    return (int64_t)x;
}

static int64_t place_of(const flsq_ordered *o, int64_t block)
{
    uint64_t x = (uint64_t)block;
    if (!o->order.shuffled)
        return block;
    do
        for (int round = FLSQ_ORDER_ROUNDS - 1; round >= 0; round--)
            x = round_of(o, x, round);
    while (x >= (uint64_t)o->blocks);
    return (int64_t)x;
}

void flsq_ordered_prepare(const flsq_order *order, flsq_ordered *o)
{
    o->order = *order;
    o->blocks = FLSQ_CEIL_DIV(order->rows, order->block_rows);
    int bits = 2;
    while (bits < 62 && o->blocks > INT64_C(1) << bits)
        bits++;
    o->high_bits = bits / 2;
    o->low_bits = bits - o->high_bits;
    for (int round = 0; round < FLSQ_ORDER_ROUNDS; round++)
        o->keys[round] = mixed(order->key + (uint64_t)(round + 1) * UINT64_C(0xd1342543de82ef95));
    o->short_rows = order->rows - (o->blocks - 1) * order->block_rows;
    o->short_place = place_of(o, o->blocks - 1);
}

/* Places before the short block, in it, and behind it. */
flsq_segment flsq_ordered_segment(const flsq_ordered *o, int64_t place, int64_t most)
{
    const int64_t length = o->order.block_rows, before = o->short_place * length;
    const int64_t missing = length - o->short_rows;
    const int64_t at = place < before + o->short_rows ? place : place + missing;
    const int64_t block = at / length, within = at % length;
    const int64_t rows = block == o->short_place ? o->short_rows : length;
    return (flsq_segment){.row = block_at(o, block) * length + within, .count = FLSQ_MIN(rows - within, most)};
}

void flsq_order_rows(const flsq_order *order, int64_t *rows)
{
    flsq_ordered o;
    flsq_ordered_prepare(order, &o);
    for (int64_t place = 0; place < order->rows;) {
        const flsq_segment s = flsq_ordered_segment(&o, place, order->rows - place);
        for (int64_t i = 0; i < s.count; i++)
            rows[place++] = s.row + i;
    }
}
