/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Sweeps: one register tile of accumulators walks down the rows.  Included by kernel_template.h before its users.
 *
 * What limits a sweep is not the multiply-adds but the instructions around them: Zen 3 starts six a cycle when the core
 * is its own, about three when a hyperthread of a neighbour is busy, and twelve multiply-adds need six cycles.  So the
 * rows are unrolled by hand (gcc keeps a test and three additions for every row when it unrolls), rows of packed panels
 * lie at distances the compiler knows, and a tile has 19 to 22 instructions for 12 multiply-adds.
 */

#define ZERO_TILE(mr, nv)                                                                                          \
    vec acc[mr][nv];                                                                                               \
    UNROLL                                                                                                         \
    for (int i = 0; i < (mr); i++)                                                                                 \
        UNROLL                                                                                                     \
        for (int v = 0; v < (nv); v++)                                                                             \
            acc[i][v] = (vec){0}

/* c[i*NR + v*VL ..] OP= acc[i][v] */
#define STORE_TILE(mr, nv, c, OP)                                                                                  \
    UNROLL                                                                                                         \
    for (int i = 0; i < (mr); i++)                                                                                 \
        UNROLL                                                                                                     \
        for (int v = 0; v < (nv); v++) {                                                                           \
            double *const entry = (c) + i * NR + v * FLSQ_VL;                                                      \
            store(entry, load(entry) OP acc[i][v]);                                                                \
        }

/* `count` rows of two operands that move by themselves, `left` from a on by a_step, `right` from b on by NR; (...) are the
 * statements of one row, which see `at` as the bytes from right_row to `right`. */
#define SWEEP(count, a, a_step, b, ...)                                                                            \
    {                                                                                                              \
        const double *left_row = (a), *right_row = (b);                                                            \
        int64_t rows_to_go = (count);                                                                              \
        for (; rows_to_go >= 4; rows_to_go -= 4) {                                                                 \
            SWEEP_ROW(0, a_step, __VA_ARGS__)                                                                      \
            SWEEP_ROW(1, a_step, __VA_ARGS__)                                                                      \
            SWEEP_ROW(2, a_step, __VA_ARGS__)                                                                      \
            SWEEP_ROW(3, a_step, __VA_ARGS__)                                                                      \
            right_row += 4 * NR;                                                                                   \
        }                                                                                                          \
        for (; rows_to_go > 0; rows_to_go--) {                                                                     \
            SWEEP_ROW(0, a_step, __VA_ARGS__)                                                                      \
            right_row += NR;                                                                                       \
        }                                                                                                          \
    }
#define SWEEP_ROW(number, a_step, ...)                                                                             \
    {                                                                                                              \
        enum { at = (number) * NR * 8 };                                                                           \
        const double *const left = left_row, *const right = right_row + (number) * NR;                             \
        (void)left, (void)right;                                                                                   \
        __VA_ARGS__                                                                                                \
        left_row += (a_step);                                                                                      \
    }

/* One row of the sweeps below: its statements see it as `right`, and as `left` at a distance of `to_left` bytes, its
 * number as u, and `at`, the bytes from `row` to `right`, as a constant. */
#define ROW(number, step, ...)                                                                                     \
    {                                                                                                              \
        enum { u = (number), at = (number) * (step) * 8 };                                                         \
        const double *const right = row + u * (step), *const left = (const double *)((const char *)right + to_left); \
        (void)left, (void)right;                                                                                   \
        __VA_ARGS__                                                                                                \
    }
#define ROWS_2(step, ...) ROW(0, step, __VA_ARGS__) ROW(1, step, __VA_ARGS__)
#define ROWS_8(step, ...)                                                                                          \
    ROWS_2(step, __VA_ARGS__)                                                                                      \
    ROW(2, step, __VA_ARGS__) ROW(3, step, __VA_ARGS__) ROW(4, step, __VA_ARGS__) ROW(5, step, __VA_ARGS__)        \
    ROW(6, step, __VA_ARGS__) ROW(7, step, __VA_ARGS__)
#define START_ROWS(a, b)                                                                                           \
    const double *row = (b);                                                                                       \
    const int64_t to_left = (int64_t)((uintptr_t)(a) - (uintptr_t)(b))

/* Rows of packed panels: the compiler knows their distance, and eight at a time need one addition.  2026-11, Zen 3 with
 * a busy neighbour, 4 x 12 tile, GFlop/s a core: four at a time 42.5, eight 44.5; alone 51.2 and 51.3 of 51.8. */
#define PACKED_SWEEP(into, a, b, ...) PACKED_ROWS(START_ASKING(into), ASK, STOP_ASKING, a, b, __VA_ARGS__)
#define QUIET_PACKED_SWEEP(a, b, ...) PACKED_ROWS((void)0, DO_NOT_ASK, (void)0, a, b, __VA_ARGS__)
#define PACKED_ROWS(START, ASK, STOP, a, b, ...)                                                                   \
    {                                                                                                              \
        START_ROWS(a, b);                                                                                          \
        START;                                                                                                     \
        for (uint64_t turns = (uint64_t)rows / FLSQ_PACKED_DEEP; turns > 0; turns--) {                             \
            ASK(FLSQ_PACKED_DEEP)                                                                                  \
            ROWS_8(NR, __VA_ARGS__)                                                                                \
            row += FLSQ_PACKED_DEEP * NR;                                                                          \
        }                                                                                                          \
        STOP;                                                                                                      \
        for (int64_t turns = rows % FLSQ_PACKED_DEEP / 2; turns > 0; turns--) {                                    \
            ROWS_2(NR, __VA_ARGS__)                                                                                \
            row += 2 * NR;                                                                                         \
        }                                                                                                          \
        if (rows % 2)                                                                                              \
            ROW(0, NR, __VA_ARGS__)                                                                                \
    }

/* Rows of a and b that are one row of the user's array.  OPAQUE hides where the pointer came from; otherwise gcc keeps a
 * pointer for every row of the unrolled loop. */
#define STRIDED_SWEEP(into, a, b, ...) STRIDED_ROWS(START_ASKING(into), ASK, STOP_ASKING, a, b, __VA_ARGS__)
#define QUIET_STRIDED_SWEEP(a, b, ...) STRIDED_ROWS((void)0, DO_NOT_ASK, (void)0, a, b, __VA_ARGS__)
#define STRIDED_ROWS(START, ASK, STOP, a, b, ...)                                                                  \
    {                                                                                                              \
        START_ROWS(a, b);                                                                                          \
        START;                                                                                                     \
        for (uint64_t turns = (uint64_t)rows / FLSQ_STRIDED_DEEP; turns > 0; turns--) {                            \
            ASK(FLSQ_STRIDED_DEEP)                                                                                 \
            STRIDED_ROW(0, __VA_ARGS__)                                                                            \
            STRIDED_ROW(1, __VA_ARGS__)                                                                            \
            STRIDED_ROW(2, __VA_ARGS__)                                                                            \
            STRIDED_ROW(3, __VA_ARGS__)                                                                            \
        }                                                                                                          \
        STOP;                                                                                                      \
        if (rows & 2) {                                                                                            \
            STRIDED_ROW(0, __VA_ARGS__)                                                                            \
            STRIDED_ROW(1, __VA_ARGS__)                                                                            \
        }                                                                                                          \
        if (rows & 1)                                                                                              \
            STRIDED_ROW(0, __VA_ARGS__)                                                                            \
    }
#define STRIDED_ROW(number, ...)                                                                                   \
    {                                                                                                              \
        enum { u = (number), at = 0 };                                                                             \
        const double *const right = row, *const left = (const double *)((const char *)row + to_left);              \
        (void)left, (void)right;                                                                                   \
        __VA_ARGS__                                                                                                \
        row += step;                                                                                               \
        OPAQUE(row);                                                                                               \
    }

/* Operands of which one is packed and one is not. */
#define MIXED_SWEEP(into, a, a_step, b, b_step, ...)                                                               \
    {                                                                                                              \
        const double *left_row = (a), *right_row = (b);                                                            \
        START_ASKING(into);                                                                                        \
        for (uint64_t turns = (uint64_t)rows / FLSQ_PACKED_DEEP; turns > 0; turns--) {                             \
            ASK(FLSQ_PACKED_DEEP)                                                                                  \
            MIXED_ROW(a_step, b_step, __VA_ARGS__) MIXED_ROW(a_step, b_step, __VA_ARGS__)                          \
            MIXED_ROW(a_step, b_step, __VA_ARGS__) MIXED_ROW(a_step, b_step, __VA_ARGS__)                          \
            MIXED_ROW(a_step, b_step, __VA_ARGS__) MIXED_ROW(a_step, b_step, __VA_ARGS__)                          \
            MIXED_ROW(a_step, b_step, __VA_ARGS__) MIXED_ROW(a_step, b_step, __VA_ARGS__)                          \
        }                                                                                                          \
        STOP_ASKING;                                                                                               \
        for (int64_t turns = rows % FLSQ_PACKED_DEEP; turns > 0; turns--)                                          \
            MIXED_ROW(a_step, b_step, __VA_ARGS__)                                                                 \
    }
#define MIXED_ROW(a_step, b_step, ...)                                                                             \
    {                                                                                                              \
        enum { at = 0 };                                                                                           \
        const double *const right = right_row, *const left = left_row;                                             \
        (void)left, (void)right;                                                                                   \
        __VA_ARGS__                                                                                                \
        left_row += (a_step);                                                                                      \
        right_row += (b_step);                                                                                     \
        OPAQUE(left_row);                                                                                          \
        OPAQUE(right_row);                                                                                         \
    }
_Static_assert(FLSQ_PACKED_DEEP == 8 && FLSQ_STRIDED_DEEP == 4, "rows of the loops above");

/* The rows of the next chunk are asked for while this one is multiplied, evenly over all sweeps, so that memory is busy
 * all the time.  Asking faster than memory answers fills the miss buffers, and the loads of this chunk wait behind it;
 * asking in the first sweep alone leaves memory idle during the others (Zen 3, p = 16, two threads, ns a row: no prefetch
 * 9.0, in the first sweep 9.2, in all sweeps 6.5).  A sweep that has nothing to ask for asks for the sums it will add to,
 * which for many columns are in no cache of the core (p = 512 to 2048: 3 to 5 % of a pass). */
#define START_ASKING(into)                                                                                         \
    const int asks = ahead->sweeps > 0;                                                                            \
    const char *fetch = asks ? ahead->next : (const char *)(into);                                                 \
    const int64_t pace = asks ? ahead->pace : FLSQ_CEIL_DIV(TILE_BYTES / 2, FLSQ_MAX_KC);                          \
    const int64_t apart = asks ? ahead->apart : TILE_BYTES / 2, more = asks ? ahead->pairs - 1 : 0;                \
    const int64_t nearer = FLSQ_NEAR == 2 && asks ? ahead->nearer : 0
#define ASK_FOR_PAIR(line)                                                                                         \
    __builtin_prefetch(line, 0, FLSQ_NEAR);                                                                        \
    __builtin_prefetch(line + apart, 0, FLSQ_NEAR);                                                                \
    if (nearer > 0) {                                                                                              \
        __builtin_prefetch(line - nearer, 0, 3);                                                                   \
        __builtin_prefetch(line - nearer + apart, 0, 3);                                                           \
    }
#define ASK(deep)                                                                                                  \
    {                                                                                                              \
        const char *line = fetch;                                                                                  \
        ASK_FOR_PAIR(line)                                                                                         \
        for (int64_t pair = more; pair > 0; pair--) {                                                              \
            line += 2 * apart;                                                                                     \
            ASK_FOR_PAIR(line)                                                                                     \
        }                                                                                                          \
        fetch += (deep) * pace;                                                                                    \
    }
#define DO_NOT_ASK(deep)
#define STOP_ASKING                                                                                                \
    if (asks)                                                                                                      \
        ahead->next += ahead->jump;                                                                                \
    ahead->sweeps -= asks

/* IN_REGISTER keeps gcc from reading a vector from memory once for each of its uses instead of once: five more loads in
 * eight rows, 8 % with a busy neighbour. */
#define LOAD_RIGHT(first, nv)                                                                                      \
    vec right_vector[nv];                                                                                          \
    UNROLL                                                                                                         \
    for (int v = (first); v < (nv); v++) {                                                                         \
        right_vector[v] = load(right + v * FLSQ_VL);                                                               \
        IN_REGISTER(right_vector[v]);                                                                              \
    }

/* The same times the weight of the row, which w_row moves on to the next from. */
#define LOAD_WEIGHED(first, nv)                                                                                    \
    LOAD_RIGHT(first, nv)                                                                                          \
    const vec weight = broadcast(*w_row++);                                                                        \
    UNROLL                                                                                                         \
    for (int v = (first); v < (nv); v++)                                                                           \
        right_vector[v] = weighed(right_vector[v], weight);

/* acc[i][v] += left[i*left_lane] * right[v*VL ..], i < mr, v < nv: mr*nv independent chains. */
#define TILE_ROW(mr, nv, left_lane)                                                                                \
    LOAD_RIGHT(0, nv)                                                                                              \
    UNROLL                                                                                                         \
    for (int i = 0; i < (mr); i++) {                                                                               \
        const vec factor = broadcast(left[i * (left_lane)]);                                                       \
        UNROLL                                                                                                     \
        for (int v = 0; v < (nv); v++)                                                                             \
            MULTIPLY_ADD(acc[i][v], factor, right_vector[v]);                                                      \
    }

/* The same for weighed rows: the weight goes with the operand of the larger column, which is the left one where sides have
 * been changed. */
#define WEIGHED_RIGHT_ROW(mr)                                                                                      \
    LOAD_WEIGHED(0, FLSQ_NV)                                                                                       \
    UNROLL                                                                                                         \
    for (int i = 0; i < (mr); i++) {                                                                               \
        const vec factor = broadcast(left[i]);                                                                     \
        UNROLL                                                                                                     \
        for (int v = 0; v < FLSQ_NV; v++)                                                                          \
            MULTIPLY_ADD(acc[i][v], factor, right_vector[v]);                                                      \
    }
#define WEIGHED_LEFT_ROW(mr)                                                                                       \
    LOAD_RIGHT(0, FLSQ_NV)                                                                                         \
    const vec weight = broadcast(*w_row++);                                                                        \
    UNROLL                                                                                                         \
    for (int i = 0; i < (mr); i++) {                                                                               \
        const vec factor = weighed(broadcast(left[i]), weight);                                                    \
        UNROLL                                                                                                     \
        for (int v = 0; v < FLSQ_NV; v++)                                                                          \
            MULTIPLY_ADD(acc[i][v], factor, right_vector[v]);                                                      \
    }

/* The rows that most of the time goes into, as the file of an instruction set writes them, or as the compiler does:
 * WHOLE_ROW, a tile of mr rows over all vectors of the panel, in one of the sweeps that ask; FREE_ROW, the same in SWEEP and MIXED_SWEEP for
 * a left operand whose lanes are left_lane apart; and of a diagonal block GROUP_ROW, one row group over all
 * vectors, and CORNER_ROW, the row groups `first` and first + 1 over the vectors of the same numbers. */
#if defined(FLSQ_WHOLE_ROW)
#define HAS_ROWS 1
#define WHOLE_ROW(mr) FLSQ_WHOLE_ROW(acc, row, to_left, at)
#define FREE_ROW(mr, nv, left_lane)                                                                                \
    if ((nv) == FLSQ_NV && (mr) == TILE_ROWS(FLSQ_NV)) {                                                           \
        FLSQ_FREE_ROW(acc, right_row, at, left, left_lane)                                                         \
    } else {                                                                                                       \
        TILE_ROW(mr, nv, left_lane)                                                                                \
    }
#define GROUP_ROW FLSQ_WHOLE_ROW(acc[0], row, to_left, at)
#define CORNER_ROW(first) FLSQ_CORNER_ROW(acc, first, row, to_left, at)
#else
#define HAS_ROWS 0
#define WHOLE_ROW(mr) TILE_ROW(mr, FLSQ_NV, 1)
#define FREE_ROW(mr, nv, left_lane) TILE_ROW(mr, nv, left_lane)
#define GROUP_ROW
#define CORNER_ROW(first)
#endif
