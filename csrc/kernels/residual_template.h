/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The residual pass for few targets: r -= [X | 1] b, then g += [X | 1]ᵀ W r.  Included by kernel_template.h.
 *
 * Both forms give the same bits.  A residual is a sum over vectors in their order, then over lanes in the order of lane_sum;
 * of a gradient eight rows, dealt to two chains, are added to each sum at a time.
 */

/* Four rows at a time: four chains of nv adds per panel keep both adders busy. */
static void residual(int64_t rows, int64_t panels, const double *z, int64_t panel_stride, const double *b, double *r)
{
    int64_t k = 0;
    for (; k + 4 <= rows; k += 4) {
        vec acc[4] = {{0}, {0}, {0}, {0}};
        for (int64_t J = 0; J < panels; J++) {
            const double *const row = z + J * panel_stride + k * NR;
            UNROLL
            for (int v = 0; v < FLSQ_NV; v++) {
                const vec coefficients = load(b + J * NR + v * FLSQ_VL);
                UNROLL
                for (int i = 0; i < 4; i++)
                    acc[i] += load(row + i * NR + v * FLSQ_VL) * coefficients;
            }
        }
        UNROLL
        for (int i = 0; i < 4; i++)
            r[k + i] -= lane_sum(acc[i]);
    }
    for (; k < rows; k++) {
        vec acc = {0};
        for (int64_t J = 0; J < panels; J++)
            UNROLL
            for (int v = 0; v < FLSQ_NV; v++)
                acc += load(z + J * panel_stride + k * NR + v * FLSQ_VL) * load(b + J * NR + v * FLSQ_VL);
        r[k] -= lane_sum(acc);
    }
}

#define GRADIENT(nv)                                                                                               \
    {                                                                                                              \
        vec sum[nv];                                                                                               \
        UNROLL                                                                                                     \
        for (int v = 0; v < (nv); v++)                                                                             \
            sum[v] = load(g + v * FLSQ_VL);                                                                        \
        int64_t k = 0;                                                                                             \
        for (; k + 8 <= rows; k += 8)                                                                              \
            UNROLL                                                                                                 \
            for (int v = 0; v < (nv); v++) {                                                                       \
                ROWS_OF_GRADIENT(8, broadcast(r[k + i]), load(z + (k + i) * NR + v * FLSQ_VL))                     \
                sum[v] += even + odd;                                                                              \
            }                                                                                                      \
        for (int v = 0; k < rows && v < (nv); v++) {                                                               \
            ROWS_OF_GRADIENT(rows - k, broadcast(r[k + i]), load(z + (k + i) * NR + v * FLSQ_VL))                  \
            sum[v] += even + odd;                                                                                  \
        }                                                                                                          \
        UNROLL                                                                                                     \
        for (int v = 0; v < (nv); v++)                                                                             \
            store(g + v * FLSQ_VL, sum[v]);                                                                        \
    }

static void gradient(int64_t rows, const double *z, int64_t columns, const double *r, double *g)
{
    SWITCH_VECTORS(VECTORS(columns), GRADIENT)
}

/* ---- rows where they lie ---------------------------------------------------------------------------------------- */

/* While eight rows are multiplied the eight that lie `far` bytes further are asked for, half of them by each product, so
 * that memory is never idle.  2026-11, Zen 3, two threads, ns a row, eight rows further and at least 4096 bytes / 1024 / 1024
 * more: p = 16 7.2 / 6.1 / 6.4, p = 32 12.9 / 11.6 / 13.7, p = 64 29.6 / 29.7 / 26.8, p = 128 52.3 / 52.6 / 51.0.  Rows with
 * wide gaps are left to the hardware: lines are 0 bytes apart then. */
INLINE int64_t far(int64_t eight) { return eight <= 1024 ? 1024 : eight <= 2048 ? eight : eight + 1024; }

static void residual_rows(int64_t rows, int64_t columns, int unit, const double *x, int64_t step, const double *b,
                          const double *y, const double *w, double *r, double *wr, double *g)
{
    const int64_t whole = columns / FLSQ_VL * FLSQ_VL, eight = 8 * step * (int64_t)sizeof(double);
    const last_vector tail = last_of(columns, unit), *const last = whole < columns + unit ? &tail : NULL;
    const int64_t apart = step <= 2 * columns ? 64 : 0;
    const double *row = x;
    int64_t k = 0;
    for (; k + 8 <= rows; k += 8, row += 8 * step) {
        const char *const soon = (const char *)row + (apart > 0 ? far(eight) : 0);
        asking first = {soon, apart, 1}, second = {soon + EIGHT_LINES * apart, apart, 1};
        residual_of_eight_f64(row, step, whole, last, b, &first, y + k, r + k);
        UNROLL
        for (int i = 0; i < 8 && w != NULL; i += FLSQ_VL)
            store(wr + k + i, load(w + k + i) * load(r + k + i));
        gradient_of_eight_f64(row, step, whole, last, wr + k, &second, g);
    }
    if (k == rows)
        return;
    for (int64_t i = 0; i < rows - k; i++) {
        vec acc = {0};
        for (int64_t j = 0; j < whole; j += FLSQ_VL)
            acc += load(row + i * step + j) * load(b + j);
        if (last != NULL)
            acc += of_last(last, load(row + i * step + whole)) * load(b + whole);
        r[k + i] = y[k + i] - lane_sum(acc);
        if (w != NULL)
            wr[k + i] = w[k + i] * r[k + i];
    }
    for (int64_t j = 0; j < whole; j += FLSQ_VL) {
        ROWS_OF_GRADIENT(rows - k, broadcast(wr[k + i]), load(row + i * step + j))
        store(g + j, load(g + j) + (even + odd));
    }
    if (last != NULL) {
        ROWS_OF_GRADIENT(rows - k, broadcast(wr[k + i]), of_last(last, load(row + i * step + whole)))
        store(g + whole, load(g + whole) + (even + odd));
    }
}
