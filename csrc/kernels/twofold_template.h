/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Residual and gradient with about twice the digits: sums of products whose rounding errors are added up beside them (Dot2
 * of Ogita, Rump and Oishi, SIAM J. Sci. Comput. 26, 2005, 1955-1988).  Included by kernel_template.h.
 *
 *      h = a*b, e = a*b - h exactly;   s = sum + h, t = (sum + h) - s exactly;   sum := s, error += e + t
 *
 * All depends on every operation being rounded as written.  The compiler may contract a product and an addition into one
 * operation, and with h inside the second sum nothing would be exact: KEPT hides from it that h is a product.
 */
#if defined(FLSQ_SPLIT_VECTORS) /* no register holds one: by way of memory */
#define KEPT(x) __asm__("" : "+m"(x))
#elif defined(__x86_64__)
#define KEPT(x) __asm__("" : "+v"(x))
#elif defined(__aarch64__)
#define KEPT(x) __asm__("" : "+w"(x))
#else
#define KEPT(x) __asm__("" : "+m"(x))
#endif

#if (FLSQ_FEATURES & FLSQ_CPU_FMA) || defined(__aarch64__) || defined(__FMA__)
/* a*b - h, contracted to one operation like all others of these kernels; of the a it knows, the compiler would take the
 * product it has, and h - h is zero */
#define PRODUCT_ERROR(type)                                                                                        \
    INLINE type product_error_##type(type a, type b, type h)                                                       \
    {                                                                                                              \
        KEPT(a);                                                                                                   \
        return a * b - h;                                                                                          \
    }
#else
/* Dekker's product of halves of 26 bits (Numer. Math. 18, 1971, 224-242), for factors below 2^996. */
#define PRODUCT_ERROR(type)                                                                                        \
    INLINE type high_half_##type(type a)                                                                           \
    {                                                                                                              \
        type c = a * 134217729.0;                                                                                  \
        KEPT(c);                                                                                                   \
        type rest = c - a;                                                                                         \
        KEPT(rest);                                                                                                \
        return c - rest;                                                                                           \
    }                                                                                                              \
    INLINE type product_error_##type(type a, type b, type h)                                                       \
    {                                                                                                              \
        const type a1 = high_half_##type(a), a2 = a - a1, b1 = high_half_##type(b), b2 = b - b1;                   \
        type first = a1 * b1, cross = a1 * b2, other = a2 * b1, last = a2 * b2;                                    \
        KEPT(first); KEPT(cross); KEPT(other); KEPT(last);                                                         \
        return (((first - h) + cross) + other) + last;                                                             \
    }
#endif
PRODUCT_ERROR(vec)
PRODUCT_ERROR(double)

/* sum + error += a*(b + b_low) */
#define ADD_PRODUCT(type)                                                                                          \
    INLINE void add_product_##type(type a, type b, type b_low, type *sum, type *error)                             \
    {                                                                                                              \
        type h = a * b;                                                                                            \
        KEPT(h);                                                                                                   \
        const type e = product_error_##type(a, b, h), s = *sum + h, part = s - *sum;                               \
        *error += (e + ((*sum - (s - part)) + (h - part))) + a * b_low;                                            \
        *sum = s;                                                                                                  \
    }
ADD_PRODUCT(vec)
ADD_PRODUCT(double)

/* sum + error += x + x_low */
#define ADD_TWOFOLD(type)                                                                                          \
    INLINE void add_twofold_##type(type x, type x_low, type *sum, type *error)                                     \
    {                                                                                                              \
        const type s = *sum + x, part = s - *sum;                                                                  \
        *error += ((*sum - (s - part)) + (x - part)) + x_low;                                                      \
        *sum = s;                                                                                                  \
    }
ADD_TWOFOLD(vec)
ADD_TWOFOLD(double)

/* Row k times b + b_low: a chain for each lane of a panel, then the vectors of a panel one after the other. */
INLINE void row_twofold(int64_t panels, const double *row, int64_t panel_stride, const double *b, const double *b_low,
                        vec *total, vec *lost)
{
    vec sum[FLSQ_NV], error[FLSQ_NV];
    UNROLL
    for (int v = 0; v < FLSQ_NV; v++)
        sum[v] = error[v] = (vec){0};
    for (int64_t J = 0; J < panels; J++, row += panel_stride, b += NR, b_low += NR)
        UNROLL
        for (int v = 0; v < FLSQ_NV; v++)
            add_product_vec(load(row + v * FLSQ_VL), load(b + v * FLSQ_VL), load(b_low + v * FLSQ_VL), &sum[v], &error[v]);
    *total = sum[0];
    *lost = error[0];
    UNROLL
    for (int v = 1; v < FLSQ_NV; v++)
        add_twofold_vec(sum[v], error[v], total, lost);
}

/* r[k] + r_low[k] -= sum_j z[k][j]*(b[j] + b_low[j]).  VL rows at a time: turned, their lanes are added as vectors; rows that
 * are left over go the same way, one by one. */
static void residual_twofold(int64_t rows, int64_t panels, const double *z, int64_t panel_stride, const double *b,
                             const double *b_low, double *r, double *r_low)
{
    int64_t k = 0;
    for (; k + FLSQ_VL <= rows; k += FLSQ_VL) {
        vec sum[FLSQ_VL], error[FLSQ_VL], total = load(r + k), lost = load(r_low + k);
        for (int u = 0; u < FLSQ_VL; u++)
            row_twofold(panels, z + (k + u) * NR, panel_stride, b, b_low, &sum[u], &error[u]);
        TRANSPOSE(sum);
        TRANSPOSE(error);
        UNROLL
        for (int j = 0; j < FLSQ_VL; j++)
            add_twofold_vec(-sum[j], -error[j], &total, &lost);
        const vec high = total + lost;
        store(r + k, high);
        store(r_low + k, (total - high) + lost);
    }
    for (; k < rows; k++) {
        vec sum, error;
        double lane[FLSQ_VL], low[FLSQ_VL], total = r[k], lost = r_low[k];
        row_twofold(panels, z + k * NR, panel_stride, b, b_low, &sum, &error);
        store(lane, sum);
        store(low, error);
        for (int j = 0; j < FLSQ_VL; j++)
            add_twofold_double(-lane[j], -low[j], &total, &lost);
        r[k] = total + lost;
        r_low[k] = (total - r[k]) + lost;
    }
}

/* g[j] + g_low[j] += sum_k z[k][j]*(r[k] + r_low[k]), j < NR, of one panel. */
static void gradient_twofold(int64_t rows, const double *z, const double *r, const double *r_low, double *g,
                             double *g_low)
{
    UNROLL
    for (int v = 0; v < FLSQ_NV; v++) {
        vec sum = load(g + v * FLSQ_VL), error = load(g_low + v * FLSQ_VL);
        for (int64_t k = 0; k < rows; k++)
            add_product_vec(load(z + k * NR + v * FLSQ_VL), broadcast(r[k]), broadcast(r_low[k]), &sum, &error);
        store(g + v * FLSQ_VL, sum);
        store(g_low + v * FLSQ_VL, error);
    }
}

/* out[k] + out_low[k] := w[k]*(r[k] + r_low[k]), and *sum + *error += that times r[k] + r_low[k]; w NULL for ones. */
static void weigh_twofold(int64_t rows, const double *w, const double *r, const double *r_low, double *out,
                          double *out_low, double *sum, double *error)
{
    for (int64_t k = 0; k < rows; k++) {
        double value = 0, low = 0;
        add_product_double(w != NULL ? w[k] : 1.0, r[k], r_low[k], &value, &low);
        out[k] = value;
        out_low[k] = low;
        add_product_double(r[k], value, low, sum, error);
        *error += r_low[k] * value;
    }
}
