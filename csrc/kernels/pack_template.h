/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Packing of contiguous float64 or float32 input into panels.  Included by both_sources.h.
 * Other types and strides are packed by ../pack.c.
 */
#define PACK_NAME__(stem, type) stem##_##type
#define PACK_NAME_(stem, type) PACK_NAME__(stem, type)
#define PACK_NAME(stem) PACK_NAME_(stem, FLSQ_SOURCE_NAME)

/* Rows that are read side by side while the panels of one row group are written.  p = 32, instructions a row: 8 rows 51,
 * 32 rows 28. */
#ifndef ROW_GROUP
#define ROW_GROUP 32
#endif

/* width <= NR lanes of `rows` rows.  nv whole vectors; where width is no multiple of VL the last vector overlaps the
 * one before it, so that no lane past the segment is read or written. */
INLINE void PACK_NAME(copy_rows)(int nv, const char *source, int64_t stride, int64_t rows, int64_t width,
                                 double *target, int64_t step)
{
    const int64_t last = width - FLSQ_VL;
#define COPY_ROWS(some)                                                                                            \
    {                                                                                                              \
        UNROLL                                                                                                     \
        for (int u = 0; u < (some); u++) {                                                                         \
            const FLSQ_SOURCE *const row = (const FLSQ_SOURCE *)(source + u * stride);                             \
            UNROLL                                                                                                 \
            for (int v = 0; v < nv - 1; v++)                                                                       \
                store(target + u * step + v * FLSQ_VL, LOAD_SOURCE(row + v * FLSQ_VL));                            \
            store(target + u * step + last, LOAD_SOURCE(row + last));                                              \
        }                                                                                                          \
        source += (some) * stride;                                                                                 \
        target += (some) * step;                                                                                   \
    }
    for (; rows >= 4; rows -= 4)
        COPY_ROWS(4)
    for (; rows > 0; rows--)
        COPY_ROWS(1)
#undef COPY_ROWS
}

INLINE void PACK_NAME(copy_segment)(const char *source, int64_t stride, int64_t rows, int64_t width, double *target,
                                    int64_t step)
{
    if (width < FLSQ_VL) {
        for (int64_t k = 0; k < rows; k++)
            for (int64_t j = 0; j < width; j++) {
                FLSQ_SOURCE element;
                memcpy(&element, source + k * stride + j * (int64_t)sizeof element, sizeof element);
                target[k * step + j] = element;
            }
        return;
    }
#define COPY(nv) PACK_NAME(copy_rows)(nv, source, stride, rows, width, target, step)
    SWITCH_VECTORS(VECTORS(width), COPY)
#undef COPY
}

static void PACK_NAME(pack_rows)(const char *source, int64_t stride, int64_t rows, int64_t columns, double *panels,
                                 int64_t panel_stride, int64_t step, int64_t first)
{
    const int64_t group = first / NR == (first + columns - 1) / NR ? rows : ROW_GROUP;
    for (int64_t k = 0; k < rows; k += group) {
        const int64_t some = FLSQ_MIN(group, rows - k);
        for (int64_t c = first; c < first + columns;) {
            const int64_t width = FLSQ_MIN(NR - c % NR, first + columns - c);
            PACK_NAME(copy_segment)(source + k * stride + (c - first) * (int64_t)sizeof(FLSQ_SOURCE), stride, some,
                                    width, panels + c / NR * panel_stride + k * step + c % NR, step);
            c += width;
        }
    }
}

/* Shaped rows of a panel, nv vectors that overlap as above. */
INLINE void PACK_NAME(shape_segment)(int nv, int affine, int weighted, const char *source, int64_t stride, int64_t rows,
                                     int64_t width, const flsq_shaping *s, double *plain, double *weighed, int64_t step,
                                     copy_ahead *ask)
{
    vec factor[FLSQ_NV], term[FLSQ_NV];
    const double *w = s->w;
    const int64_t last = FLSQ_MAX(width - FLSQ_VL, 0);
    UNROLL
    for (int v = 0; affine && v < nv; v++) {
        factor[v] = load(s->scale + (v < nv - 1 ? v * FLSQ_VL : last));
        term[v] = load(s->offset + (v < nv - 1 ? v * FLSQ_VL : last));
    }
#define SHAPE_ROWS(some)                                                                                           \
    {                                                                                                              \
        UNROLL                                                                                                     \
        for (int u = 0; u < (some); u++) {                                                                         \
            const FLSQ_SOURCE *const row = (const FLSQ_SOURCE *)(source + u * stride);                             \
            const vec weight = weighted ? broadcast(w[u]) : (vec){0};                                              \
            UNROLL                                                                                                 \
            for (int v = 0; v < nv; v++) {                                                                         \
                const int64_t at = v < nv - 1 ? v * FLSQ_VL : last;                                                \
                vec value = LOAD_SOURCE(row + at);                                                                 \
                if (affine)                                                                                        \
                    value = value * factor[v] - term[v];                                                           \
                store(plain + u * step + at, value);                                                               \
                if (weighted)                                                                                      \
                    store(weighed + u * step + at, weight * value);                                                \
            }                                                                                                      \
        }                                                                                                          \
        source += (some) * stride;                                                                                 \
        w += weighted ? (some) : 0;                                                                                \
        plain += (some) * step;                                                                                    \
        weighed += (some) * step;                                                                                  \
    }
    for (; rows >= 4; rows -= 4) {
        for (const char *line = ask->next, *const end = line + 4 * ask->pace; line < end; line += COPY_LINE)
            __builtin_prefetch(line, 0, FLSQ_NEAR);
        ask->next += 4 * ask->pace;
        SHAPE_ROWS(4)
    }
    for (; rows > 0; rows--)
        SHAPE_ROWS(1)
#undef SHAPE_ROWS
}

/* Less than a vector, element by element. */
INLINE void PACK_NAME(shape_few)(const char *source, int64_t stride, int64_t rows, int64_t width, const flsq_shaping *s,
                                 double *plain, double *weighed, int64_t step)
{
    for (int64_t k = 0; k < rows; k++)
        for (int64_t j = 0; j < width; j++) {
            FLSQ_SOURCE element;
            memcpy(&element, source + k * stride + j * (int64_t)sizeof element, sizeof element);
            const double value = s->scale != NULL ? element * s->scale[j] - s->offset[j] : element;
            plain[k * step + j] = value;
            if (s->w != NULL)
                weighed[k * step + j] = s->w[k] * value;
        }
}

/* How many of the rows, from the first on, a vector can be read in that begins in the last `width` of their columns: it runs on
 * into the next rows, which the last ones do not have. */
INLINE int64_t PACK_NAME(rows_before_the_end)(int64_t stride, int64_t rows, int64_t columns, int64_t width)
{
    const int64_t item = sizeof(FLSQ_SOURCE), past = (FLSQ_VL - width) * item;
    return stride >= columns * item ? FLSQ_MAX(rows - FLSQ_CEIL_DIV(past, stride), 0) : 0;
}

static void PACK_NAME(shape_rows)(const char *source, int64_t stride, int64_t rows, int64_t columns, double *panels,
                                  int64_t panel_stride, int64_t step, const flsq_shaping *shaping)
{
    const int64_t group = columns <= NR ? rows : ROW_GROUP;
    flsq_ahead *const ahead = shaping->ahead;
    copy_ahead ask = {0};
    if (ahead != NULL && ahead->sweeps > 0) {
        const int64_t sweeps = FLSQ_MIN(FLSQ_CEIL_DIV(rows * ahead->pace, ahead->jump), ahead->sweeps);
        ask = (copy_ahead){.next = ahead->next, .pace = ahead->pace};
        ahead->next += sweeps * ahead->jump;
        ahead->sweeps -= sweeps;
    }
    for (int64_t k = 0; k < rows; k += group)
        for (int64_t c = 0; c < columns; c += NR) {
            const int64_t width = FLSQ_MIN(NR, columns - c), place = c / NR * panel_stride + k * step;
            const char *const from = source + k * stride + c * (int64_t)sizeof(FLSQ_SOURCE);
            double *const plain = panels + place, *const weighed = shaping->weighted + place;
            flsq_shaping s = *shaping;
            s.scale = s.scale != NULL ? s.scale + c : NULL;
            s.offset = s.scale != NULL ? s.offset + c : NULL;
            s.w = s.w != NULL ? s.w + k : NULL;
            int64_t some = FLSQ_MIN(group, rows - k);
            if (width < FLSQ_VL) {
                const int64_t whole = PACK_NAME(rows_before_the_end)(stride, rows, columns, width);
                const int64_t vectors = FLSQ_MAX(FLSQ_MIN(some, whole - k), 0);
                flsq_shaping rest = s;
                rest.w = s.w != NULL ? s.w + vectors : NULL;
                PACK_NAME(shape_few)(from + vectors * stride, stride, some - vectors, width, &rest, plain + vectors * step,
                                     weighed + vectors * step, step);
                some = vectors;
            }
#define SHAPE(nv)                                                                                                  \
    if (s.scale == NULL && s.w == NULL && step == (nv) * FLSQ_VL) /* known, so that rows need one addition */      \
        PACK_NAME(shape_segment)(nv, 0, 0, from, stride, some, width, &s, plain, weighed, (nv) * FLSQ_VL, &ask);   \
    else if (s.w == NULL && step == (nv) * FLSQ_VL)                                                                \
        PACK_NAME(shape_segment)(nv, 1, 0, from, stride, some, width, &s, plain, weighed, (nv) * FLSQ_VL, &ask);   \
    else if (s.scale == NULL && s.w == NULL)                                                                       \
        PACK_NAME(shape_segment)(nv, 0, 0, from, stride, some, width, &s, plain, weighed, step, &ask);             \
    else if (s.scale == NULL)                                                                                      \
        PACK_NAME(shape_segment)(nv, 0, 1, from, stride, some, width, &s, plain, weighed, step, &ask);             \
    else if (s.w == NULL)                                                                                          \
        PACK_NAME(shape_segment)(nv, 1, 0, from, stride, some, width, &s, plain, weighed, step, &ask);             \
    else                                                                                                           \
        PACK_NAME(shape_segment)(nv, 1, 1, from, stride, some, width, &s, plain, weighed, step, &ask)
            SWITCH_VECTORS(VECTORS(width), SHAPE)
#undef SHAPE
        }
}

/* target[k] := source[k]*scale - offset for elements side by side */
static void PACK_NAME(shape_column)(const char *source, int64_t count, double scale, double offset, double *target)
{
    const FLSQ_SOURCE *const from = (const FLSQ_SOURCE *)source;
    int64_t k = 0;
    for (; k + FLSQ_VL <= count; k += FLSQ_VL)
        store(target + k, LOAD_SOURCE(from + k) * scale - offset);
    for (; k < count; k++) {
        FLSQ_SOURCE element;
        memcpy(&element, source + k * (int64_t)sizeof element, sizeof element);
        target[k] = element * scale - offset;
    }
}

/* Lanes 0..VL-1 of `rows` rows from VL columns: VL x VL blocks are turned in registers by log2(VL) rounds of
 * interleaving the halves: after the round of distance d, vectors i and i+d have exchanged their lanes with bit d. */
INLINE void PACK_NAME(turn_columns)(const char *source, int64_t stride, int64_t rows, double *target, int64_t step)
{
    int64_t k = 0;
    for (; k + FLSQ_VL <= rows; k += FLSQ_VL) {
        vec block[FLSQ_VL];
        UNROLL
        for (int j = 0; j < FLSQ_VL; j++)
            block[j] = LOAD_SOURCE((const FLSQ_SOURCE *)(source + j * stride) + k);
        TRANSPOSE(block);
        UNROLL
        for (int i = 0; i < FLSQ_VL; i++)
            store(target + (k + i) * step, block[i]);
    }
    for (; k < rows; k++)
        for (int j = 0; j < FLSQ_VL; j++) {
            FLSQ_SOURCE element;
            memcpy(&element, source + j * stride + k * (int64_t)sizeof element, sizeof element);
            target[k * step + j] = element;
        }
}

static void PACK_NAME(pack_columns)(const char *source, int64_t stride, int64_t rows, int64_t columns, double *panels,
                                    int64_t panel_stride, int64_t step, int64_t first)
{
    for (int64_t c = first; c < first + columns;) {
        const int64_t width = FLSQ_MIN(NR - c % NR, first + columns - c);
        const char *const column = source + (c - first) * stride;
        double *const target = panels + c / NR * panel_stride + c % NR;
        int64_t j = 0;
        for (; j + FLSQ_VL <= width; j += FLSQ_VL)
            PACK_NAME(turn_columns)(column + j * stride, stride, rows, target + j, step);
        for (; j < width; j++)
            for (int64_t k = 0; k < rows; k++) {
                FLSQ_SOURCE element;
                memcpy(&element, column + j * stride + k * (int64_t)sizeof element, sizeof element);
                target[k * step + j] = element;
            }
        c += width;
    }
}

#undef PACK_NAME
#undef PACK_NAME_
#undef PACK_NAME__
