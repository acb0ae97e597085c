/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The Gram kernels in single precision, twice as many columns to a register.  Included by kernel_template.h after the sweeps.
 *
 * A panel of single precision holds 2 NR columns, so that its rows are as long as those of NR doubles and the sweeps are the
 * same.  A sum runs over the rows of one chunk in single precision; what it adds to is double.
 */
#define SINGLE_LANES (2 * FLSQ_VL)
#define SINGLE_NR (2 * NR)
typedef float single_vec __attribute__((vector_size(8 * FLSQ_VL)));
typedef float loose_single_vec __attribute__((vector_size(8 * FLSQ_VL), aligned(1), may_alias));
typedef float half_vec __attribute__((vector_size(4 * FLSQ_VL)));
typedef float loose_float __attribute__((may_alias));
_Static_assert(NR % TILE_ROWS(FLSQ_NV) == 0 && SINGLE_LANES % TILE_ROWS(FLSQ_NV) == 0, "tiles end where vectors do");

/* acc[i][v] += left[i] * right[v*SINGLE_LANES ..], v from `first` on */
#define SINGLE_ROW(first)                                                                                          \
    if (HAS_SINGLE_ROW && (first) == 0) {                                                                          \
        WHOLE_SINGLE_ROW                                                                                           \
    } else {                                                                                                       \
        const loose_float *const factor = (const loose_float *)left;                                               \
        const loose_single_vec *const vector = (const loose_single_vec *)right;                                    \
        UNROLL                                                                                                     \
        for (int i = 0; i < TILE_ROWS(FLSQ_NV); i++)                                                               \
            UNROLL                                                                                                 \
            for (int v = (first); v < FLSQ_NV; v++)                                                                \
                acc[i][v] += factor[i] * vector[v];                                                                \
    }
#if defined(FLSQ_SINGLE_ROW)
#define HAS_SINGLE_ROW 1
#define WHOLE_SINGLE_ROW FLSQ_SINGLE_ROW(acc, row, to_left, at)
#else
#define HAS_SINGLE_ROW 0
#define WHOLE_SINGLE_ROW
#endif

/* c[j] += acc's row i, columns [begin, NR) of half h */
INLINE void add_single(const single_vec *acc, int h, int64_t begin, double *c)
{
    loose_float lanes[SINGLE_NR];
    memcpy(lanes, acc, sizeof lanes);
    for (int64_t j = begin; j < NR; j += FLSQ_VL)
        store(c + j, load(c + j) + widen((const loose_half *)(lanes + h * NR + j)));
}

/* One register tile, of the columns a of the left panel and the vectors from `first` on; into[h] is where half h of its first
 * row goes, or NULL. */
#define SINGLE_TILE(first)                                                                                         \
    {                                                                                                              \
        single_vec acc[TILE_ROWS(FLSQ_NV)][FLSQ_NV];                                                               \
        UNROLL                                                                                                     \
        for (int i = 0; i < TILE_ROWS(FLSQ_NV); i++)                                                               \
            UNROLL                                                                                                 \
            for (int v = 0; v < FLSQ_NV; v++)                                                                      \
                acc[i][v] = (single_vec){0};                                                                       \
        PACKED_SWEEP(into[0] != NULL ? into[0] : into[1], (const double *)a, (const double *)b, SINGLE_ROW(first)) \
        for (int h = 0; h < 2; h++) {                                                                              \
            const int64_t begin = FLSQ_MAX((first) * SINGLE_LANES - h * NR, 0);                                    \
            UNROLL                                                                                                 \
            for (int i = 0; i < TILE_ROWS(FLSQ_NV); i++)                                                           \
                if (into[h] != NULL)                                                                               \
                    add_single(acc[i], h, begin, into[h] + i * NR);                                                \
        }                                                                                                          \
    }                                                                                                              \
    break

static void single_block(int64_t rows, const float *left, int64_t columns, const float *b, double *const c[2],
                         flsq_ahead *ahead)
{
    for (int64_t i = 0; i < columns; i += TILE_ROWS(FLSQ_NV)) {
        const float *const a = left + i;
        double *const into[2] = {c[0] != NULL ? c[0] + i * NR : NULL, c[1] != NULL ? c[1] + i * NR : NULL};
        switch (0) {
        default: SINGLE_TILE(0);
        }
    }
}

static void single_diagonal(int64_t rows, const float *b, double *const c[3], flsq_ahead *ahead)
{
    for (int64_t i = 0; i < SINGLE_NR; i += TILE_ROWS(FLSQ_NV)) {
        const float *const a = b + i;
        const int64_t lower = i >= NR, at = (i - lower * NR) * NR;
        double *const right = lower ? c[2] : c[1];
        double *const into[2] = {lower ? NULL : c[0] + at, right != NULL ? right + at : NULL};
        if (into[0] == NULL && into[1] == NULL)
            return;
        switch (i / SINGLE_LANES) {
        case 0: SINGLE_TILE(0);
        case 1: SINGLE_TILE(1);
#if FLSQ_NV > 2
        case 2: SINGLE_TILE(2);
#endif
#if FLSQ_NV > 3
        case 3: SINGLE_TILE(3);
#endif
        }
    }
}

enum { NARROW_ROWS = 8 }; /* for which the scales of a piece of columns stay in registers */

/* Source rows `step` doubles apart, scaled and rounded into packed columns first, first + 1, ...; first is a multiple of NR. */
static void narrow_rows(const double *source, int64_t step, int64_t rows, int64_t columns, const double *scale,
                        float *panels, int64_t panel_stride, int64_t first)
{
    for (int64_t k = 0; k < rows; k += NARROW_ROWS)
        for (int64_t c = 0; c < columns; c += NR) {
            const int64_t some = FLSQ_MIN(NARROW_ROWS, rows - k), width = FLSQ_MIN(NR, columns - c), at = first + c;
            const double *from = source + k * step + c;
            loose_float *to = panels + at / SINGLE_NR * panel_stride + k * SINGLE_NR + at % SINGLE_NR;
            for (int64_t u = 0; u < some; u++, from += step, to += SINGLE_NR) {
                for (int64_t j = 0; j < width && width < NR; j++)
                    to[j] = (float)(from[j] * scale[at + j]);
                UNROLL
                for (int64_t j = 0; j < NR && width == NR; j += FLSQ_VL)
                    *(loose_half *)(to + j) = __builtin_convertvector(load(from + j) * load(scale + at + j), half_vec);
            }
        }
}
