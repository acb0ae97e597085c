/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The micro-kernel contract.  A kernel set is one table of function pointers for one instruction set; every entry is
 * serial, allocates nothing and may be called from any thread.
 *
 * Packed panels.  The columns of Z are cut into panels of NR = kernels->nr columns.  Inside a panel the rows follow
 * one another, so that row k of panel J is the NR doubles at panels + J*panel_stride + k*NR:
 *
 *      Z, row-major, 5 columns            panel 0 (NR = 4)           panel 1
 *      a0 b0 c0 d0 e0                     a0 b0 c0 d0                e0 0 0 0
 *      a1 b1 c1 d1 e1           ->        a1 b1 c1 d1                e1 0 0 0
 *      a2 b2 c2 d2 e2                     a2 b2 c2 d2                e2 0 0 0
 *
 * Both operands of a product read the same layout: the right one a vector of columns at a time, the left one a
 * column at a time, broadcast.  Lanes past the last column hold zeros, or in the Gram pass anything.  Panels start on 64-byte boundaries.
 *
 * gram_half_block alone has one packed operand and one where the user has it, a whole panel of it.
 *
 * Products also read rows where the user has them: then `step` is not NR, both operands are columns of the same rows, and
 * whole vectors are read past the last column, whatever lies there; it reaches no entry of that or an earlier column.
 */
#ifndef FLSQ_KERNELS_H
#define FLSQ_KERNELS_H
#include "internal.h"
#include "optimizers.h"

/* What becomes of values on their way into panels: value*scale[j] - offset[j] in packed column j, unless scale is NULL;
 * and w[k] times that in the panels at `weighted`, which lie as the others do, unless w is NULL.  Not both are. */
typedef struct flsq_shaping {
    const double *scale, *offset, *w;
    double *weighted;
} flsq_shaping;

/* Copies rows x columns of source, starting at packed column `first`, into the panels.  Lanes outside
 * [first, first + columns) keep what they held. */
typedef void flsq_pack_fn(const char *source, int64_t stride, int64_t rows, int64_t columns, double *panels,
                          int64_t panel_stride, int64_t first);
/* The same for shaped values, from packed column 0 on; a vector may run past the last column of X. */
typedef void flsq_shape_fn(const char *source, int64_t stride, int64_t rows, int64_t columns, double *panels,
                           int64_t panel_stride, const flsq_shaping *shaping);

/* Memory that will be read soon.  Each of the next `sweeps` sweeps that ask does so for 2*pairs lines every few rows, one
 * `apart` bytes behind the other, and moves on by `pace` bytes a row; the next sweep starts `jump` bytes further.  Rows in one
 * piece: the lines cover what a step moves on, jump is all that a sweep covers.  Columns: apart is the distance to the next
 * column, jump the distance to the first that was not asked for.  All zero: nothing. */
typedef struct flsq_ahead {
    const char *next;
    int64_t pace, pairs, apart, jump, sweeps;
} flsq_ahead;

/* sums[j] += sum_k b[k][j] (unless sums is NULL) and dots[j] += sum_k b[k][j]*y[k], j < columns rounded up to a
 * vector. */
typedef struct flsq_sides {
    const double *y;
    int64_t chunk;   /* rows that are summed in registers before all their sums, C too, are added to what is there */
    int64_t farther; /* rows behind those at hand that are asked for, of y alone; 0 for none */
    double *sums, *dots;
} flsq_sides;

/* Groups of eight rows where they lie.  Vectors are read past the last column, whatever lies there. */
typedef struct flsq_eights {
    const void *const *at;   /* the first row of each, */
    const void *const *soon; /* and what is asked for while it is multiplied; or NULL */
    int64_t count, columns;
    int64_t step;            /* elements from row to row */
} flsq_eights;

/* Steps over one row each.  Vectors are read past the last column, whatever lies there. */
typedef struct flsq_singles {
    int64_t count, columns;
    const void *const *row;
    const double *y, *w, *rates;    /* of each row */
    double *const *kept;            /* and its last slope, of SAGA; or NULL */
    const flsq_loss *loss;
    double l1, l2, share;           /* share: 1/n */
    int intercept;
    const double *center, *factor;  /* of the columns, or NULL */
    double *b, *start, *mean, *mean_start, *average, *average_start; /* vectors and intercepts; average NULL for none */
    int64_t averaged, done;         /* steps in the average; steps made */
    double total;                   /* sum of w l */
} flsq_singles;

enum {
    FLSQ_MAX_NR = 24,
    FLSQ_MAX_NV = 4,
    FLSQ_MAX_LANES = 8,
    FLSQ_LANE_TILE = 3,   /* columns of a tile of lane_products, */
    FLSQ_WINDOW_COLUMNS = 8, /* running_sums with unrolled loops, y among them */
    FLSQ_LANE_CHAINS = 4, /* a multiple of the chains that its rows are dealt to */
    FLSQ_PACKED_DEEP = 8,  /* rows between two questions: panels, */
    FLSQ_STRIDED_DEEP = 4, /* and rows where they lie */
    FLSQ_PACKED_PACE = 16  /* bytes a row: two lines in eight rows */
};

struct flsq_kernels {
    const char *name;
    uint32_t required_features; /* bits of cpu_features.h */
    int64_t nr;                 /* columns of a panel */
    int64_t lanes;              /* columns of a vector */
    int64_t in_place_columns;   /* up to which plain rows are multiplied where they lie, */
    int64_t half_columns;       /* and up to which one operand of them is: blocksizes.h */
    int64_t packing_threads;    /* up to so many threads each pack all rows of many columns: gram_columns.c */
    /* how often gram_block and gram_diagonal walk down the rows and ask, by the vectors that hold their columns */
    int8_t block_sweeps[FLSQ_MAX_NV + 1], diagonal_sweeps[FLSQ_MAX_NV + 1];

    /* ..._rows: elements of a row lie side by side, stride = bytes between rows;
     * ..._columns: elements of a column lie side by side, stride = bytes between columns. */
    flsq_pack_fn *pack_rows_f64, *pack_rows_f32, *pack_columns_f64, *pack_columns_f32;
    flsq_shape_fn *shape_rows_f64, *shape_rows_f32;
    /* panel[k][j] := panel[k][j]*scale[j] - offset[j], j < columns rounded up to a vector */
    void (*affine)(int64_t rows, int64_t columns, const double *scale, const double *offset, double *panel);
    /* target[k][j] := w[k]*source[k][j], likewise; target may be source */
    void (*weigh)(int64_t rows, int64_t columns, const double *w, const double *source, double *target);

    /* c[i][j] += sum_k a[k][i]*b[k][j], i < NR, j < columns rounded up to a vector; c is NR x NR.  Rows of a and b are
     * `step` doubles apart: NR for packed panels. */
    void (*gram_block)(int64_t rows, const double *a, const double *b, int64_t step, int64_t columns, double *c,
                       flsq_ahead *ahead);
    /* the same for a packed panel b alone; the rows of a lie `step` doubles apart */
    void (*gram_half_block)(int64_t rows, const double *a, int64_t step, const double *b, int64_t columns, double *c,
                            flsq_ahead *ahead);
    /* gram_block for a and b of one panel: only i <= j is promised.  Unless sides is NULL, also what stands beside it. */
    void (*gram_diagonal)(int64_t rows, const double *a, const double *b, int64_t step, int64_t columns, double *c,
                          const flsq_sides *sides, flsq_ahead *ahead);
    /* sums := {sum_k w[k], sum_k w[k]*y[k], sum_k w[k]*y[k]²}, with w = 1 where it is NULL */
    void (*target_sums)(int64_t rows, const double *y, const double *w, double sums[3]);

    /* Moments in single precision: panels hold 2 NR columns, rows of them are as long as those of NR doubles.
     * c[h][i][j] += sum_k a[k][i]*b[k][h*NR + j], i < columns <= NR rounded up to a tile, j < NR, where c[h] is not NULL; a is
     * half of a panel, b one. */
    void (*single_block)(int64_t rows, const float *a, int64_t columns, const float *b, double *const c[2],
                         flsq_ahead *ahead);
    /* the same of one panel a with itself: c[0], c[1], c[2] are the blocks of its halves (0, 0), (0, 1) and (1, 1), of which
     * only i <= j is promised; the last two may be NULL */
    void (*single_diagonal)(int64_t rows, const float *a, double *const c[3], flsq_ahead *ahead);
    /* panels := source*scale, rounded; rows of source are `step` doubles apart, panel_stride counts floats, scale is that of
     * packed column 0 on; from packed column `first` on, a multiple of NR */
    void (*narrow_rows)(const double *source, int64_t step, int64_t rows, int64_t columns, const double *scale,
                        float *panels, int64_t panel_stride, int64_t first);

    /* r[k] -= sum_j z[k][j]*b[j] over all panels, lanes first, then across lanes. */
    void (*residual)(int64_t rows, int64_t panels, const double *z, int64_t panel_stride, const double *b, double *r);
    /* g[j] += sum_k r[k]*z[k][j], j < columns rounded up to a vector, of one panel. */
    void (*gradient)(int64_t rows, const double *z, int64_t columns, const double *r, double *g);
    /* Both, to the bit, for rows [X | 1 if unit] of `columns` doubles of X that lie `step` doubles apart: r := y - [X | 1] b,
     * and the gradient of wr[k] = w[k]*r[k]; y may be r, and w NULL, when wr is r.  b and g have whole vectors; vectors may be
     * read past the last row. */
    void (*residual_rows)(int64_t rows, int64_t columns, int unit, const double *x, int64_t step, const double *b,
                          const double *y, const double *w, double *r, double *wr, double *g);
    /* With about twice the digits, each number given as itself and a part below its last digit:
     * r[k] -= sum_j z[k][j]*b[j] over all panels; */
    void (*residual_twofold)(int64_t rows, int64_t panels, const double *z, int64_t panel_stride, const double *b,
                             const double *b_low, double *r, double *r_low);
    /* g[j] += sum_k r[k]*z[k][j], j < NR, of one panel; the sums and their errors are not normalised; */
    void (*gradient_twofold)(int64_t rows, const double *z, const double *r, const double *r_low, double *g,
                             double *g_low);
    /* out[k] := w[k]*r[k] (w NULL for ones; out may be r) and sum += sum_k out[k]*r[k]. */
    void (*weigh_twofold)(int64_t rows, const double *w, const double *r, const double *r_low, double *out,
                          double *out_low, double *sum, double *error);
    /* y[k][t] -= sum_j z[k][j]*b[j][t] over all panels: y is one panel of NR targets, b is panels*NR x NR.
     * Rows of z and y are readable and writable up to the next multiple of FLSQ_ROW_PADDING. */
    void (*residual_block)(int64_t rows, int64_t panels, const double *z, int64_t panel_stride, const double *b,
                           int64_t columns, double *y);
    /* out[k] := sum_j z[k][j]² over all panels, whose lanes behind the last column are 0. */
    void (*square_lengths)(int64_t rows, int64_t panels, const double *z, int64_t panel_stride, double *out);
    /* out[j] += sum_k a[k][j]*b[k][j] for one panel. */
    void (*dot_columns)(int64_t rows, const double *a, const double *b, double *out);
    /* sum_k a[k]*b[k] */
    double (*dot)(int64_t n, const double *a, const double *b);
    /* y[k] += alpha*x[k] */
    void (*axpy)(int64_t n, double alpha, const double *x, double *y);
    /* y += x for n sums whose rounding errors lie `apart` doubles behind them */
    void (*add_pairs)(int64_t n, int64_t apart, const double *x, double *y);

    /* Upper Cholesky of a small n x n block, row-major, unblocked; returns the failing row or -1. */
    int64_t (*cholesky_small)(int64_t n, double *a, int64_t ld);
    /* One packed panel of n rows: x := R⁻ᵀ x with R upper triangular n x n, row-major, reciprocal[i] = 1/R_ii. */
    void (*triangular_panel)(int64_t n, const double *r, int64_t ld, const double *reciprocal, double *panel);

    /* Many small problems, one to a lane: entry e of lane l lies at e*lanes + l.
     * out[e] of lane l := lane[l][e] */
    void (*interleave)(int64_t count, const double *const *lane, double *out);
    /* c[i][j] += sum_k a[k][i]*b[k][j], i < na, j < nb, at most FLSQ_LANE_TILE each; rows a_step and b_step entries apart */
    void (*lane_products)(int64_t rows, const double *a, int64_t a_step, int64_t na, const double *b, int64_t b_step,
                          int64_t nb, double *c, int64_t ldc);
    /* y[k] -= sum_j x[k][j]*b[j] */
    void (*lane_residual)(int64_t rows, int64_t p, const double *x, const double *b, double *y);
    /* r := R with RᵀR = M (p x p, upper triangles, positive diagonal), reciprocal[i] := 1/r_ii, smallest := min_i r_ii²/m_ii, or NaN */
    void (*lane_cholesky)(int64_t p, const double *m, double *r, double *reciprocal, double *smallest);
    /* 1-norms of D M D and of its inverse, D = 1/root; t (p x p) is work space. */
    void (*lane_norms)(int64_t p, const double *m, const double *r, const double *reciprocal, const double *root,
                       double *t, double *norm, double *inverse_norm);
    /* x := M⁻¹x, half := ‖R⁻ᵀx‖² */
    void (*lane_solve)(int64_t p, const double *r, const double *reciprocal, double *x, double *half);

    /* One sweep of coordinate descent over b, with q = c - M b kept (kernels/coordinate_template.h); returns how many
     * coefficients entered, left or changed their sign. */
    int64_t (*coordinate_sweep)(int64_t n, const double *m, int64_t ld, const double *diagonal, const double *l1,
                                const double *reciprocal, int nonnegative, double *b, double *q);

    /* Windows of rows (window_template.h has the layout of a row of sums and the formulas).
     * sums + step, sums + 2*step, ...: running sums of the rows x, x + direction*q, ..., each factor[k]*(the sums before) +
     * weight[k]*(row k less c); weight and factor go in `direction` too, step 0 is in place.  Rows of weight 0 do not enter. */
    void (*running_sums)(int64_t rows, int64_t q, const double *x, const double *weight, const double *factor,
                         int64_t direction, const double *c, double *sums, int64_t step);
    /* Moments of share*a and b together (interleaved rows of sums), about their means if unit: m (q x q, upper), mean (about
     * the point of b), weight and growth, a bound of how many times larger than themselves the sums behind the variances were;
     * without unit only m, weight and growth. */
    void (*lane_window)(int64_t q, int unit, const double *a, const double *b, const double *share, double *m, double *mean,
                        double *weight, double *growth);

    /* One step of an optimizer (optimizers.h): p and the states it keeps are read and written once, g is read; n elements each.  A
     * state that is not kept is NULL. */
    void (*update_f64)(const flsq_update *u, int64_t n, double *p, const double *g, double *s0, double *s1, double *s2);
    void (*update_f32)(const flsq_update *u, int64_t n, float *p, const float *g, float *s0, float *s1, float *s2);
    /* sum_k (scale*g[k])² with |g[k]| at most limit */
    double (*clipped_squares_f64)(int64_t n, const double *g, double limit, double scale);
    double (*clipped_squares_f32)(int64_t n, const float *g, double limit, double scale);
    /* Rows of a generalized linear model (family_template.h): r := w l', h := w l'' (their means over y where expected) at
     * the predictors eta; returns sum w l.  w NULL for ones. */
    double (*family_rows)(flsq_family family, int expected, int64_t rows, const double *eta, const double *y,
                          const double *w, double *r, double *h);
    /* The same of `classes` predictors and, unless `all`, one that is 0; eta and r by predictors, `step` apart, become probabilities and
     * slopes.  rows is a multiple of the lanes, w[k] 0 where there is none. */
    double (*softmax_rows)(int64_t classes, int all, int64_t rows, int64_t step, double *eta, const double *y,
                           const double *w, double *r);
    /* Rows of a loss of descent (loss_template.h), a multiple of eight: r := w l' at the predictors eta; returns sum w l. */
    double (*loss_rows)(const flsq_loss *loss, int64_t rows, const double *eta, const double *y, const double *w, double *r);
    /* eta[k] := start - sum_j x_kj*b[j] */
    void (*predict_f64)(const flsq_eights *rows, double start, const double *b, double *eta);
    void (*predict_f32)(const flsq_eights *rows, double start, const double *b, double *eta);
    /* g[j] += sum_k r[k]*x_kj */
    void (*slope_sums_f64)(const flsq_eights *rows, const double *r, double *g);
    void (*slope_sums_f32)(const flsq_eights *rows, const double *r, double *g);
    /* A step for each row (singles_template.h), until one of them is not finite. */
    void (*singles_f64)(flsq_singles *s);
    void (*singles_f32)(flsq_singles *s);
    /* out[k] := e^x, log(1 + x) for 0 <= x <= 1, log(x) for `which` 0, 1, 2 */
    void (*elementary)(int which, int64_t n, const double *x, double *out);

    /* `sweeps` rounds of independent multiply-adds in registers that start at *sink, which receives their sum; returns
     * the flops of one round. */
    double (*probe_fma)(int64_t sweeps, double *sink);
    double (*probe_read)(int64_t count, const double *data);
    /* a, b, c += g */
    void (*probe_update)(int64_t count, const double *g, double *a, double *b, double *c);
};

extern const flsq_kernels flsq_kernels_generic;
extern const flsq_kernels flsq_kernels_avx2;
extern const flsq_kernels flsq_kernels_avx512;
extern const flsq_kernels flsq_kernels_neon;

#endif
