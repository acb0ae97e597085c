/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Row and vector kernels: what a pass does to packed rows besides the register tiles.  Included by kernel_template.h.
 */

#define AFFINE(nv)                                                                                                 \
    for (int64_t k = 0; k < rows; k++)                                                                             \
        UNROLL                                                                                                     \
        for (int v = 0; v < (nv); v++) {                                                                           \
            double *const entry = panel + k * step + v * FLSQ_VL;                                                  \
            store(entry, load(entry) * load(scale + v * FLSQ_VL) - load(offset + v * FLSQ_VL));                    \
        }

static void affine(int64_t rows, int64_t columns, const double *scale, const double *offset, double *panel,
                   int64_t step)
{
    SWITCH_VECTORS(VECTORS(columns), AFFINE)
}

#define WEIGH(nv)                                                                                                  \
    for (int64_t k = 0; k < rows; k++)                                                                             \
        UNROLL                                                                                                     \
        for (int v = 0; v < (nv); v++)                                                                             \
            store(target + k * NR + v * FLSQ_VL, w[k] * load(source + k * NR + v * FLSQ_VL));

static void weigh(int64_t rows, int64_t columns, const double *w, const double *source, double *target)
{
    SWITCH_VECTORS(VECTORS(columns), WEIGH)
}

/* until and what the block before has from the next row on; its row 0 is then this one.  Behind the last row the block's sums
 * from each row to its end take the place of its rows: what lies behind them, a row of zeros, stays. */
#define MOVING_SUMS(nv)                                                                                            \
    {                                                                                                              \
        vec sum[nv];                                                                                               \
        UNROLL                                                                                                     \
        for (int v = 0; v < (nv); v++)                                                                             \
            sum[v] = load(until + v * FLSQ_VL);                                                                    \
        for (int64_t k = 0; k < rows; k++) {                                                                       \
            UNROLL                                                                                                 \
            for (int v = 0; v < (nv); v++) {                                                                       \
                double *const entry = panel + k * NR + v * FLSQ_VL, *const held = before + at * NR + v * FLSQ_VL;  \
                const vec own = factor[k] * load(entry);                                                           \
                sum[v] += own;                                                                                     \
                store(entry, sum[v] + load(held + NR));                                                            \
                store(held, own);                                                                                  \
            }                                                                                                      \
            if (++at < window)                                                                                     \
                continue;                                                                                          \
            at = 0;                                                                                                \
            UNROLL                                                                                                 \
            for (int v = 0; v < (nv); v++) {                                                                       \
                sum[v] = (vec){0};                                                                                 \
                vec since = {0};                                                                                   \
                for (int64_t i = window - 1; i >= 0; i--) {                                                        \
                    since += load(before + i * NR + v * FLSQ_VL);                                                  \
                    store(before + i * NR + v * FLSQ_VL, since);                                                   \
                }                                                                                                  \
            }                                                                                                      \
        }                                                                                                          \
        UNROLL                                                                                                     \
        for (int v = 0; v < (nv); v++)                                                                             \
            store(until + v * FLSQ_VL, sum[v]);                                                                    \
    }

static void moving_sums(int64_t rows, int64_t columns, const double *factor, int64_t window, int64_t at, double *before,
                        double *until, double *panel)
{
    SWITCH_VECTORS(VECTORS(columns), MOVING_SUMS)
}

/* Two rows at a time: two chains of nv adds per panel. */
static void square_lengths(int64_t rows, int64_t panels, const double *z, int64_t panel_stride, double *out)
{
    for (int64_t k = 0; k < rows; k += 2) {
        const int64_t second = k + 1 < rows ? NR : 0;
        vec acc[2] = {{0}, {0}};
        for (int64_t J = 0; J < panels; J++) {
            const double *const row = z + J * panel_stride + k * NR;
            UNROLL
            for (int i = 0; i < 2; i++)
                UNROLL
                for (int v = 0; v < FLSQ_NV; v++) {
                    const vec values = load(row + i * second + v * FLSQ_VL);
                    acc[i] += values * values;
                }
        }
        out[k] = lane_sum(acc[0]);
        if (k + 1 < rows)
            out[k + 1] = lane_sum(acc[1]);
    }
}

/* out[j] += sum_k a[k][j]*b[k][j], rows dealt to four chains k mod 4 that are added as (0 + 2) + (1 + 3). */
static void dot_columns(int64_t rows, const double *a, const double *b, double *out)
{
    vec acc[4][FLSQ_NV];
    memset(acc, 0, sizeof acc);
    for (int64_t k = 0; k < rows; k++)
        UNROLL
        for (int v = 0; v < FLSQ_NV; v++)
            acc[k % 4][v] += load(a + k * NR + v * FLSQ_VL) * load(b + k * NR + v * FLSQ_VL);
    UNROLL
    for (int v = 0; v < FLSQ_NV; v++)
        store(out + v * FLSQ_VL, load(out + v * FLSQ_VL) + ((acc[0][v] + acc[2][v]) + (acc[1][v] + acc[3][v])));
}

static double dot(int64_t n, const double *a, const double *b)
{
    vec acc[4] = {{0}, {0}, {0}, {0}};
    int64_t k = 0;
    for (; k + 4 * FLSQ_VL <= n; k += 4 * FLSQ_VL)
        UNROLL
        for (int i = 0; i < 4; i++)
            acc[i] += load(a + k + i * FLSQ_VL) * load(b + k + i * FLSQ_VL);
    double tail = 0;
    for (; k < n; k++)
        tail += a[k] * b[k];
    return lane_sum((acc[0] + acc[2]) + (acc[1] + acc[3])) + tail;
}

static void axpy(int64_t n, double alpha, const double *x, double *y)
{
    const vec scalar = broadcast(alpha);
    int64_t k = 0;
    for (; k + FLSQ_VL <= n; k += FLSQ_VL)
        store(y + k, load(y + k) + scalar * load(x + k));
    for (; k < n; k++)
        y[k] += alpha * x[k];
}

/* s + e = x + y exactly (Knuth's two-sum), which needs neither order nor a branch; the errors are added as they are. */
static void add_pairs(int64_t n, int64_t apart, const double *x, double *y)
{
    int64_t k = 0;
    for (; k + FLSQ_VL <= n; k += FLSQ_VL) {
        const vec a = load(x + k), b = load(y + k), s = a + b, part = s - a;
        store(y + k, s);
        store(y + apart + k, (load(x + apart + k) + load(y + apart + k)) + ((a - (s - part)) + (b - part)));
    }
    for (; k < n; k++) {
        const double a = x[k], b = y[k], s = a + b, part = s - a;
        y[k] = s;
        y[apart + k] = (x[apart + k] + y[apart + k]) + ((a - (s - part)) + (b - part));
    }
}

/* ---- what the machine can do ---------------------------------------------------------------------------------- */

/* As many independent chains as a register tile has, so that the latency of the multiply-add is hidden.  They start
 * from memory: of a chain whose value the compiler knows to stay the same it would drop the multiply-adds. */
static double probe_fma(int64_t sweeps, double *sink)
{
    enum { CHAINS = 12 };
    vec acc[CHAINS];
    const vec factor = broadcast(1.0 - 0x1p-30), term = broadcast(0x1p-30);
    UNROLL
    for (int i = 0; i < CHAINS; i++)
        acc[i] = broadcast(*sink + i);
    for (int64_t s = 0; s < sweeps; s++) {
        UNROLL
        for (int i = 0; i < CHAINS; i++)
            acc[i] = acc[i] * factor + term;
        __asm__ volatile("" ::: "memory"); /* one sweep after the other */
    }
    vec total = {0};
    UNROLL
    for (int i = 0; i < CHAINS; i++)
        total += acc[i];
    *sink = lane_sum(total);
    return 2.0 * CHAINS * FLSQ_VL;
}

static double probe_read(int64_t count, const double *data)
{
    vec acc[8];
    memset(acc, 0, sizeof acc);
    int64_t k = 0;
    for (; k + 8 * FLSQ_VL <= count; k += 8 * FLSQ_VL)
        UNROLL
        for (int i = 0; i < 8; i++)
            acc[i] += load(data + k + i * FLSQ_VL);
    vec total = {0};
    UNROLL
    for (int i = 0; i < 8; i++)
        total += acc[i];
    double tail = 0;
    for (; k < count; k++)
        tail += data[k];
    return lane_sum(total) + tail;
}

/* a, b and c each get g added: three arrays read and written, one read, as a step of Adam does. */
static void probe_update(int64_t count, const double *g, double *a, double *b, double *c)
{
    int64_t k = 0;
    for (; k + FLSQ_VL <= count; k += FLSQ_VL) {
        const vec added = load(g + k);
        store(a + k, load(a + k) + added);
        store(b + k, load(b + k) + added);
        store(c + k, load(c + k) + added);
    }
    for (; k < count; k++) {
        a[k] += g[k];
        b[k] += g[k];
        c[k] += g[k];
    }
}
