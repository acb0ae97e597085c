/* SPDX-FileCopyrightText: 2026 The fastlsq authors
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The public C contract: all that the Python boundary sees.
 *
 * Sizes are int64_t, strides are in bytes, dense outputs are row-major and contiguous.  Inputs are never modified.
 * A function returns a status, never a count.  Every function may be called from several threads at once on
 * different objects; a flsq_gram is used by one thread at a time.
 */
#ifndef FASTLSQ_H
#define FASTLSQ_H
#include <stdint.h>

typedef enum flsq_status {
    FLSQ_OK = 0,
    FLSQ_NO_MEMORY = 1,             /* the workspace could not be allocated */
    FLSQ_TOO_LARGE = 2,             /* a size overflows int64_t or size_t */
    FLSQ_UNKNOWN_KERNEL = 3,        /* no kernel of that name was built */
    FLSQ_UNSUPPORTED_KERNEL = 4,    /* built, but this CPU or its operating system cannot run it */
    FLSQ_NOT_POSITIVE_DEFINITE = 5, /* a pivot of the Cholesky factorization was <= 0 or not a number */
} flsq_status;

typedef enum flsq_dtype {
    FLSQ_F64, FLSQ_F32, FLSQ_F16,
    FLSQ_I8, FLSQ_U8, FLSQ_I16, FLSQ_U16, FLSQ_I32, FLSQ_U32, FLSQ_I64, FLSQ_U64,
    FLSQ_DTYPES
} flsq_dtype;

/* A user's array: element (i, j) lies at data + i*row_stride + j*col_stride.  Strides may be 0 or negative. */
typedef struct flsq_matrix {
    const void *data;
    int64_t rows, columns;
    int64_t row_stride, col_stride;
    flsq_dtype dtype;
} flsq_matrix;

/* Rows by the binary exponents of their squared lengths, column j counting as often as factor[j]. */
enum { FLSQ_LENGTHS = 2047 };
typedef struct flsq_lengths {
    const double *factor; /* p */
    int64_t count[FLSQ_LENGTHS];
} flsq_lengths;

/* One block of observations as the passes see it: the columns Z = [X | 1 | Y], p + unit + k of them.
 * Column c enters as z = x*scale[c] - offset[c]; the unit column stays 1.  weights.data may be NULL.  To a Gram pass X may
 * then enter as X T with T upper triangular: T preconditions the columns, and X T is never stored. */
typedef struct flsq_rows {
    flsq_matrix x;        /* n x p */
    flsq_matrix y;        /* n x k, k may be 0 */
    flsq_matrix weights;  /* n x 1 or data == NULL */
    const double *scale;  /* p + unit + k powers of two, or NULL for all 1 */
    const double *offset; /* p + unit + k, or NULL for all 0 */
    int unit;             /* 1: a column of ones between X and Y */
    const double *transform; /* T, p x p, or NULL */
    flsq_lengths *lengths;   /* rows of X that enter a Gram pass with a T are counted here, as they are before T; or NULL */
} flsq_rows;

/* ---- machine -------------------------------------------------------------------------------------------------- */

typedef struct flsq_kernels flsq_kernels;

/* name NULL or "": the FASTLSQ_KERNEL environment variable, else the best kernel of this CPU.  *kernels is static. */
flsq_status flsq_kernels_select(const char *name, const flsq_kernels **kernels);
const char *flsq_kernels_name(const flsq_kernels *kernels);
/* Name of built kernel number i (NULL past the last); *runs_here tells whether this CPU can run it. */
const char *flsq_kernels_built(int i, int *runs_here);
/* Name of CPU feature number i (NULL past the last); *present tells whether CPU and operating system have it. */
const char *flsq_cpu_feature(int i, int *present);
/* The _OPENMP date of the build, 0 for a serial build. */
int flsq_openmp_version(void);
/* OpenMP's own limit for the calling thread: OMP_NUM_THREADS, or what threadpoolctl set; 1 in a serial build. */
int flsq_openmp_max_threads(void);
/* 1 in a child of fork(), where the parent's thread pool does not exist and all passes run serially. */
int flsq_is_forked_child(void);
/* Fused multiply-adds with all operands in registers: seconds for `sweeps` of *flops_per_sweep each, all threads. */
double flsq_probe_fma(const flsq_kernels *kernels, int n_threads, int64_t sweeps, double *flops_per_sweep);
/* Seconds to read count doubles once, split over the threads in pages; *sum keeps the read alive. */
double flsq_probe_read(const flsq_kernels *kernels, int n_threads, const double *data, int64_t count, double *sum);
/* Seconds to add arrays[0] to the three others, count doubles each: the reads and writes of a step of Adam. */
double flsq_probe_update(const flsq_kernels *kernels, int n_threads, int64_t count, double *const arrays[4]);

/* ---- user arrays ---------------------------------------------------------------------------------------------- */

/* First non-finite entry in row order; *row = -1 when there is none. */
void flsq_find_nonfinite(const flsq_matrix *a, int64_t *row, int64_t *column);
/* First entry of an n x 1 matrix that is no weight (negative, infinite or NaN); *row = -1 when there is none. */
void flsq_find_bad_weight(const flsq_matrix *w, int64_t *row);
/* largest[columns] := max_i |a_ij|; NaN is ignored. */
void flsq_column_max_abs(const flsq_matrix *a, double *largest);
/* sums[j] := sum_i w_i (a_ij - shift_j), squares[j] := sum_i w_i (a_ij - shift_j)²; weights NULL for ones. */
flsq_status flsq_column_moments(const flsq_kernels *kernels, const flsq_matrix *a, const double *weights, const double *shift,
                                int n_threads, double *sums, double *squares);

/* ---- Gram pass ------------------------------------------------------------------------------------------------ */

/* Moments of Z = [X | 1 | Y] as a stack of partial sums over row blocks (see tree.h). */
typedef struct flsq_gram flsq_gram;

/* How many times longer the longest row is than the middle one, to a factor of two; a row's square counts as often as it
 * weighs, rows of no length do not count. */
double flsq_lengths_spread(const flsq_lengths *lengths);
/* Rows of one block of the summation grid, for p columns of X. */
int64_t flsq_gram_block_rows(int64_t p);
flsq_status flsq_gram_create(const flsq_kernels *kernels, int64_t p, int64_t k, int unit, flsq_gram **gram);
/* Adds rows->x.rows observations.  On an error the state is unchanged; a non-finite value or an overflow is no error
 * but shows in the diagonal. */
flsq_status flsq_gram_update(flsq_gram *gram, const flsq_rows *rows, int n_threads);
flsq_status flsq_gram_copy(const flsq_gram *gram, flsq_gram **copy);
/* As if every column c had entered multiplied by 2^exponent[c]; exponents has p + unit + k entries. */
void flsq_gram_rescale(flsq_gram *gram, const int64_t *exponents);
/* diagonal[p + unit + k] of ZᵀWZ */
void flsq_gram_diagonal(const flsq_gram *gram, double *diagonal);
/* zz: lead x (lead + k) with lead = p + unit, the rows [X | 1] of ZᵀWZ, X-part symmetric; yy: k, diag of YᵀWY.
 * lost: as zz, or NULL: the sums over leaves less their rounding to double in zz; of states that carry it. */
void flsq_gram_collect(const flsq_gram *gram, int n_threads, double *zz, double *yy, double *lost);
/* Whether a state of p columns carries what rounding the sums over leaves has lost. */
int flsq_gram_carries(int64_t p);
/* Anonymous memory held by the state, in bytes. */
int64_t flsq_gram_nbytes(const flsq_gram *gram);
void flsq_gram_destroy(flsq_gram *gram);

/* ---- residual pass -------------------------------------------------------------------------------------------- */

/* r = Y - [X | 1] B in the units of rows->scale/offset; g = [X | 1]ᵀ W r; rss_t = sum_i w_i r_it².
 * b: lead x k; g: lead x k; rss: k; r: n x k or NULL. */
flsq_status flsq_residual(const flsq_kernels *kernels, const flsq_rows *rows, const double *b, double *g, double *rss,
                          double *r, int n_threads);

/* The same with about twice the digits, B and G as pairs; rows without offset, whose scale is of powers of two. */
flsq_status flsq_residual_twofold(const flsq_kernels *kernels, const flsq_rows *rows, const double *b,
                                  const double *b_low, double *g, double *g_low, double *rss, int n_threads);

/* ---- leave-one-out pass ---------------------------------------------------------------------------------------- */

/* Fits of every target, and what row i has to do with fit f: its leverage w_i (base + sum_j (x_i·basis_j)² damping_jf). */
typedef struct flsq_fits {
    int64_t count, modes;
    const double *basis;   /* p x modes */
    const double *damping; /* modes x count */
    const double *b;       /* k times p x count: the coefficients of the fits of a target */
    double base;           /* that of the intercept: 1/sum of weights, or 0 */
} flsq_fits;

/* squares[k x count]: sum_i w_i (y_i - x_i b)²; left_out[k x count]: the same with every row predicted by a fit of all
 * others, NaN where a leverage is 1.  Rows without a unit column: with an intercept X and Y are about their means, by rows->offset. */
flsq_status flsq_leave_one_out(const flsq_kernels *kernels, const flsq_rows *rows, const flsq_fits *fits, int n_threads,
                               double *squares, double *left_out);

/* ---- score pass ------------------------------------------------------------------------------------------------ */

/* What a row z = [x | 1] T becomes: w e z; w e z/sqrt(1 - h); w e z/(1 - h); sqrt(w) z. */
typedef enum flsq_score_kind { FLSQ_SCORE_PLAIN, FLSQ_SCORE_HC2, FLSQ_SCORE_HC3, FLSQ_SCORE_ROOT } flsq_score_kind;

/* A model and the coordinates its scores are in, for rows of no target or one, with a unit column or without. */
typedef struct flsq_score_frame {
    const double *b;         /* lead coefficients, in the units of rows->scale/offset; not read without a target */
    const double *transform; /* T, lead x columns, or NULL for I */
    int64_t columns;         /* of the scores: lead without a T */
    flsq_score_kind kind;
} flsq_score_frame;

/* Leverages above this are 1: what is left of the row is rounding. */
#define FLSQ_LARGEST_LEVERAGE (1.0 - 0x1p-40)

/* Where the results go; NULL for what is not wanted. */
typedef struct flsq_score_outputs {
    double *residuals; /* n */
    double *leverages; /* n, w_i‖z_i‖² */
    double *scores;    /* n x columns */
    double *moments;   /* columns x columns, of the scores */
} flsq_score_outputs;

flsq_status flsq_scores(const flsq_kernels *kernels, const flsq_rows *rows, const flsq_score_frame *frame, int n_threads,
                        const flsq_score_outputs *out);
/* sums[codes[i]] += values[i], row by row in their order; FLSQ_TOO_LARGE for a code outside 0 .. count-1. */
flsq_status flsq_add_by_code(int64_t n, int64_t columns, const double *values, const int64_t *codes, int64_t count,
                             double *sums);

/* ---- generalized linear models --------------------------------------------------------------------------------- */

/* The loss l(eta; y) of a row; with deviances 2 sum w l but for what depends on y alone. */
typedef enum flsq_family {
    FLSQ_FAMILY_GAUSSIAN, /* (eta - y)²/2 */
    FLSQ_FAMILY_BINOMIAL, /* log(1 + e^eta) - y eta */
    FLSQ_FAMILY_POISSON,  /* e^eta - y eta */
    FLSQ_FAMILY_GAMMA,    /* y e^-eta + eta */
    FLSQ_FAMILY_SOFTMAX,  /* log(1 + sum_c e^eta_c) - eta_y, the last class without a predictor, y the number of the class */
    FLSQ_FAMILY_GIVEN     /* slope and curvature of every row are the caller's */
} flsq_family;

/* A model with `predictors` linear predictors eta_c = offset + [X | 1] b_c, one but for softmax, of rows with one target. */
typedef struct flsq_glm {
    flsq_family family;
    int64_t predictors;
    int expected;         /* curvatures are means over y */
    const double *b;      /* predictors x lead, in the units of rows->scale/offset; not read where given */
    flsq_matrix offset;   /* n x 1, added to every predictor; or data == NULL */
    const double *given_slope, *given_curvature; /* n */
} flsq_glm;

/* Where the results go; NULL for what is not wanted.  Blocks of predictors, lead = p + unit. */
typedef struct flsq_glm_outputs {
    double *eta;      /* n x predictors */
    double *gradient; /* predictors x lead: sum_i w_i l'_c z_i */
    double *hessian;  /* (predictors*lead) squared */
    double *loss;     /* sum_i w_i l */
} flsq_glm_outputs;

flsq_status flsq_glm_pass(const flsq_kernels *kernels, const flsq_rows *rows, const flsq_glm *model, int n_threads,
                          const flsq_glm_outputs *out);
/* Loss and slope along a line of predictors, without the rows: at eta + t*step, n each, sums := {sum w l, sum w l' step,
 * sum w l'²/(mean of l'' over y)}, the last of which is Pearson's statistic. */
flsq_status flsq_glm_along(const flsq_kernels *kernels, flsq_family family, int64_t n, const double *eta, const double *step,
                           double t, const flsq_matrix *y, const flsq_matrix *weights, double sums[3]);
/* The elementary functions behind it: out[k] := e^x, log(1 + x) with 0 <= x <= 1, log(x) for `which` 0, 1, 2. */
void flsq_elementary(const flsq_kernels *kernels, int which, int64_t n, const double *x, double *out);

/* ---- rung 1: factor and refinement ----------------------------------------------------------------------------- */

/* What the normal equations made of a problem. */
typedef enum flsq_verdict {
    FLSQ_CERTIFIED = 0,
    FLSQ_ZERO_COLUMN,     /* a diagonal entry that is not positive */
    FLSQ_PIVOT_FAILED,    /* a pivot was <= 0 or not a number */
    FLSQ_PIVOT_IN_NOISE,  /* a pivot is no larger than rounding noise */
    FLSQ_ILL_CONDITIONED, /* too much for the normal equations */
    FLSQ_STEP_TOO_LARGE,  /* the first refinement step: report.figure */
    FLSQ_NO_CONTRACTION,  /* refinement does not contract */
    FLSQ_NOT_FINITE,      /* refinement met a value that is not finite */
    FLSQ_NOT_SETTLED,     /* after all refinement passes */
    FLSQ_OUT_OF_RANGE,    /* sums of squares that float64 cannot hold, zero or not finite */
} flsq_verdict;

/* RᵀR = D M D over the factorized columns, D = diag(scale) of powers of two; or RᵀR = Tᵀ M T where there is a T, upper
 * triangular, and D only measures.  The caller owns the arrays. */
typedef struct flsq_factor {
    int64_t n;
    double *r;                     /* n x n, upper triangle */
    double *scale;                 /* n */
    const double *transform;       /* T, n x n, or NULL; */
    const double *whole;           /* with it R of the rows, of D M D; n x n */
    const int64_t *active;         /* n: which columns of the problem were factorized; NULL: all */
    double norm1, trace, condition; /* of D M D; the condition number in the 1-norm is an estimate */
    double roundoff;               /* unit roundoff of the sums in M: of double or of single precision */
    int64_t pivot;                 /* the one that failed, or -1 */
} flsq_factor;

/* M b = C, with an intercept about the means; (M + P) b = C where there is a penalty bᵀP b: the factor is then that of
 * M + P, and backward errors are those of X over a root of P. */
typedef struct flsq_equations {
    const double *c;    /* p x k, leading dimension ldc; TᵀC where the factor has a T */
    int64_t ldc;
    const double *mean; /* p + k weighted means of X and Y in packed units, or NULL: no intercept */
    double sum_weights; /* used with an intercept */
    const double *yy;   /* k, sums of squares of Y, about the means with an intercept; for the two below, else NULL */
    int unrefined;      /* whether well-conditioned equations may stand without a residual */
    const double *penalty; /* P, p x p, symmetric, positive semidefinite; or its diagonal, p; or NULL */
    int penalty_is_diagonal;
    /* for the certificate of a single read, or NULL: */
    const double *zz;   /* p x (p + 1), XᵀWX and XᵀWy as summed, without an intercept */
    const double *lost; /* as zz, what rounding the sums to double has lost */
} flsq_equations;

typedef struct flsq_report {
    flsq_verdict verdict;
    int passes;            /* reads of the rows but for the first */
    double backward_error; /* normwise, largest over the targets: an estimate; without a residual pass, what a
                            * sample of the rows lets it be at most */
    double figure;         /* what the verdict speaks of */
} flsq_report;

/* The bound below which a pivot of a matrix with unit diagonal counts as rounding noise. */
double flsq_pivot_noise(int64_t n);
/* Fills f->r, f->scale and the numbers of f from M (n x n, leading dimension ldm, positive diagonal). */
flsq_status flsq_factorize(const flsq_kernels *kernels, int64_t n, const double *m, int64_t ldm, int n_threads,
                           flsq_factor *f, flsq_verdict *verdict);
/* step := M⁻¹g (p x k), 0 for columns that were not factorized. */
flsq_status flsq_factor_apply(const flsq_kernels *kernels, const flsq_factor *f, int64_t p, int64_t k, const double *g,
                              double *step);
/* b (lead x k), rss (k): the solution of the equations, refined with residuals from the rows; rss without the penalty. */
flsq_status flsq_refine(const flsq_kernels *kernels, const flsq_rows *rows, const flsq_equations *equations,
                        const flsq_factor *factor, int n_threads, double *b, double *rss, flsq_report *report);
/* Whether a single read may be enough for n rows, p columns without an intercept and k targets: then `lost` is of use. */
int flsq_may_need_one_pass(int64_t n, int64_t p, int64_t k);
/* Sums of squares outside the open interval between these ask for scaling. */
double flsq_smallest_squares(void);
double flsq_largest_squares(void);
/* Whether a problem of this size is solved on one thread, however many are offered. */
int flsq_is_small(int64_t n, int64_t p, int64_t k);
/* The whole of rung 1 for rows without scale, offset, unit or weights, n >= p > 0, k > 0: b (p x k), rss (k).  *left, unless
 * left is NULL: NULL, or where the verdict is not FLSQ_CERTIFIED the moments of the rows, which are the caller's.  unrefined:
 * as in flsq_equations. */
flsq_status flsq_lstsq(const flsq_kernels *kernels, const flsq_rows *rows, int unrefined, int n_threads,
                       flsq_factor *factor, double *b, double *rss, flsq_report *report, flsq_gram **left);

/* How far refinement to the last bit has come. */
typedef struct flsq_full {
    int passes;          /* reads of the rows */
    double change, last; /* the last step and the one before, relative to the coefficients of columns of equal length */
} flsq_full;

/* b (p x k), rss (k): refined with about twice the digits, for rows without offset, unit or weights and a factor of all their
 * columns; until the last bit is settled or steps no longer shrink. */
flsq_status flsq_refine_fully(const flsq_kernels *kernels, const flsq_rows *rows, const flsq_factor *factor, int n_threads,
                              double *b, double *rss, flsq_full *full);

/* What QR with sorted rows and pivoted columns made of a small problem.  With all its columns independent, rank == factor.n
 * and the factor is as in rung 1.  Else the caller gets factor.scale, condition and trace, and unless the rows are fewer than
 * the columns and independent what is known of X D, about the means where there is a unit column. */
typedef struct flsq_orthogonal {
    flsq_factor factor; /* n, active, memory: the caller's */
    int64_t rank;
    double *null;       /* room for n x n, n x (n - rank) written: an orthonormal basis of the null space; NULL: rows that are
                         * fewer and depend on each other are not certified */
    double *range;      /* room for n x n, n x rank written: X D times it has orthonormal columns */
    int8_t *dependent;  /* n: columns that depend on earlier ones */
} flsq_orthogonal;

/* Whether a problem is small enough for it. */
int flsq_is_for_qr(int64_t n, int64_t p, int64_t k);
/* Whether it takes rows that are fewer than its columns and depend on each other. */
int flsq_qr_takes_dependent_rows(int64_t n, int64_t p);
/* b (lead x k), rss (k): minimum norm in the units that rows->scale comes from; n >= 1, k > 0, any p, and beside a unit
 * column no constant one among those in use.  rows->offset goes with
 * rows->scale.  Certified unless it is not finite. */
flsq_status flsq_solve_by_qr(const flsq_kernels *kernels, const flsq_rows *rows, flsq_orthogonal *out, double *b,
                             double *rss, flsq_report *report);

/* Many problems of one shape: number i lies i*..._step bytes behind the first, which has no scale, offset or unit,
 * n >= p > 0 and k > 0. */
typedef struct flsq_batch {
    flsq_rows first;
    int64_t count, x_step, y_step, weights_step;
} flsq_batch;

typedef struct flsq_batch_answers {
    double *b;         /* count x p x k */
    double *rss;       /* count x k */
    double *condition; /* count, of the equilibrated columns in the 2-norm, an estimate */
    double *backward_error; /* count */
    int8_t *verdict, *passes; /* count; where the verdict is not FLSQ_CERTIFIED, b and rss are no answer */
} flsq_batch_answers;

flsq_status flsq_lstsq_batched(const flsq_kernels *kernels, const flsq_batch *batch, int n_threads,
                               const flsq_batch_answers *answers);

/* Rows by group: those of group g are order[start[g]] .. order[start[g + 1] - 1]. */
typedef struct flsq_groups {
    int64_t count;
    const int64_t *start, *order; /* count + 1, n */
} flsq_groups;

typedef struct flsq_group_answers {
    double *b;                               /* count x (p + unit): slopes, then the intercept */
    double *rss, *condition, *backward_error; /* count */
    int8_t *verdict;                         /* count; where it is not FLSQ_CERTIFIED, b and rss are no answer */
} flsq_group_answers;

/* Sorts n rows by their codes 0 .. count-1, stable; FLSQ_TOO_LARGE for a code outside. */
flsq_status flsq_group_rows(int64_t n, const int64_t *codes, int64_t count, int64_t *start, int64_t *order);
/* One fit for every group: rows without scale and offset, one target, finite weights or none. */
flsq_status flsq_grouped_fit(const flsq_kernels *kernels, const flsq_rows *rows, const flsq_groups *groups,
                             int n_threads, const flsq_group_answers *answers);

/* Subsets of rows, which may overlap: those of number i are order[first[i]] .. order[end[i] - 1].  With factor (n, in 0 .. 1)
 * a row counts less by the factors of the rows behind it in the subset. */
typedef struct flsq_subsets {
    int64_t count;
    const int64_t *first, *end, *order;
    const double *factor; /* or NULL */
} flsq_subsets;

typedef struct flsq_subset_answers {
    double *b;                                /* count x (p + unit): slopes, of minimum norm, then the intercept */
    double *rss, *condition, *backward_error; /* count */
    double *errors; /* count x (p + unit): standard errors of b, NaN for columns that are constant, or NULL */
    int64_t *rank;  /* count, of the columns */
    int8_t *verdict; /* count; where it is not FLSQ_CERTIFIED, there is no answer: NOT_SETTLED where the subset is too large for
                      * the small QR or weighs nothing, NOT_FINITE */
} flsq_subset_answers;

/* One fit for every subset, at any rank: rows without scale and offset, one target, finite weights or none. */
flsq_status flsq_fit_subsets(const flsq_kernels *kernels, const flsq_rows *rows, const flsq_subsets *subsets, int n_threads,
                             const flsq_subset_answers *answers);

/* Windows of rows, one for each row t, its last.  Without start and factor: of `length` rows, those before row 0 missing.
 * start: rows start[t] .. t, 0 <= start[t] <= t, non-decreasing.  factor: all rows, row i with the weight
 * w_i factor[i+1] ... factor[t], 0 <= factor <= 1. */
typedef struct flsq_windows {
    int64_t length;
    const int64_t *start;
    const double *factor;
} flsq_windows;

typedef struct flsq_window_answers {
    double *b;                     /* n x (p + unit): slopes, then the intercept */
    double *rss, *tss, *condition; /* n */
    double *variance;              /* n x (p + unit), in units of the residual variance, or NULL */
    int64_t *rank;                 /* n: columns that have a sum of squares; the others have the coefficient 0 */
    int8_t *verdict;               /* n; where it is FLSQ_NOT_SETTLED, rss has too few digits; where it is another one but
                                    * FLSQ_CERTIFIED, only tss is an answer, if that */
} flsq_window_answers;

/* One fit for every window, from sums alone: rows without scale and offset, one target, p > 0.  A row of weight 0 does not
 * enter, and may hold anything; its factor must be 1. */
flsq_status flsq_rolling_fit(const flsq_kernels *kernels, const flsq_rows *rows, const flsq_windows *windows, int n_threads,
                             const flsq_window_answers *answers);

/* ---- rungs 2 and 3: columns that may depend on each other ------------------------------------------------------- */

/* Of X D with (X D)ᵀX D = triangleᵀ moments triangle: R of a pivoted QR, cut at its rank. */
typedef struct flsq_truncated flsq_truncated;
/* moments and triangle (upper): n x n */
flsq_status flsq_truncated_create(const flsq_kernels *kernels, int64_t n, const double *moments, const double *triangle,
                                  flsq_truncated **truncated);
void flsq_truncated_destroy(flsq_truncated *truncated);
int64_t flsq_truncated_rank(const flsq_truncated *truncated);
/* In the 2-norm, of what counts: an estimate. */
double flsq_truncated_condition(const flsq_truncated *truncated);
/* Another rank. */
flsq_status flsq_truncated_cut(flsq_truncated *truncated, int64_t rank);
/* z (n x k) with X D z closest to what X T sees as h = (X T)ᵀ.. (n x k); not the shortest */
void flsq_truncated_solve(flsq_truncated *truncated, int64_t k, const double *h, double *z);
/* norm[k] := ‖(X D)⁺ᵀg‖ for g (n x k) in the range of (X D)ᵀ */
void flsq_truncated_norms(flsq_truncated *truncated, int64_t k, const double *g, double *norm);
/* As in flsq_orthogonal. */
flsq_status flsq_truncated_null(const flsq_truncated *truncated, double *null);
void flsq_truncated_range(const flsq_truncated *truncated, double *range);
flsq_status flsq_truncated_dependent(const flsq_truncated *truncated, int8_t *dependent);

/* product := A B (n x n each, upper triangular, row-major; the lower triangle of the product becomes 0). */
void flsq_triangular_product(const flsq_kernels *kernels, int64_t n, const double *a, const double *b, double *product);

/* ---- elastic net on normal equations ---------------------------------------------------------------------------- */

/* Rows held out, in the units of the path: their squared error is
 * yy - 2 b·c + b·M b + weight*(apart - b·distance)², moments about their own means. */
typedef struct flsq_held_out {
    const double *m, *c, *distance; /* p x p; p; p, means of these rows less those of the others */
    double yy, weight, apart;
} flsq_held_out;

/* (yy - 2 b·c + b·M b)/2 + alpha sum_j (l1_j |b_j| + l2_j b_j²/2), minimised over b for each alpha, from the first on.
 * M is positive semidefinite with a positive diagonal; columns scaled to lengths near 1. */
typedef struct flsq_penalized {
    int64_t p, ldm;
    const double *m, *c;     /* p x p, symmetric; p */
    double yy;
    const double *l1, *l2;   /* p, finite, >= 0 */
    int nonnegative;         /* b >= 0 */
    int64_t count;
    const double *alpha;     /* count, none larger than the one before */
    const double *start;     /* p, or NULL for zeros */
    double tolerance;        /* of the duality gap, relative to yy */
    int64_t most_sweeps;     /* for one alpha; a step of Newton counts as one */
    const flsq_held_out *held_out; /* or NULL */
} flsq_penalized;

typedef struct flsq_path {
    double *b;                /* count x p */
    double *gap, *objective;  /* count */
    int64_t *sweeps;          /* count */
    double *error;            /* count, of the rows held out; or NULL */
} flsq_path;

/* Paths of `count` problems, each by one thread. */
flsq_status flsq_elastic_net_paths(const flsq_kernels *kernels, int64_t count, const flsq_penalized *problems,
                                   int n_threads, const flsq_path *paths);

/* An upper bound of what the objective at b lies above its minimum: the duality gap, cleared of what would cancel.  q = c - M b,
 * diagonal of M, rss = yy - 2 b·c + b·M b; penalties times alpha.  A column without any penalty has no bound unless that of its
 * coefficient is known: it is taken to stay below the present one plus sqrt(yy/m_jj). */
double flsq_duality_gap(int64_t p, const double *b, const double *q, const double *l1, const double *l2,
                        const double *diagonal, double alpha, int nonnegative, double yy, double rss);

/* ---- bounded coefficients ---------------------------------------------------------------------------------------- */

/* lower <= b <= upper for `count` targets of p columns each, target by target.  Bounds may be infinite. */
typedef struct flsq_boxes {
    int64_t p, count;
    const double *lower, *upper; /* count x p, or p where they are shared by all targets */
    int shared;
    int64_t most;      /* rounds of a target, after which it is given up */
    int8_t *place;     /* count x p: -1 at the lower bound, 1 at the upper, 0 between them */
    double *b;         /* count x p */
    int64_t *rounds;   /* count */
    int8_t *settled;   /* count: 0 where the rounds did not do; b is then what it was or no answer */
} flsq_boxes;

/* Moves every b to the minimum of 1/2 (z - b)'M(z - b) - g'(z - b) over its box, by block principal pivoting from the sets in
 * boxes->place (finite bounds only where it is not 0; b on them or to be moved there).  M (p x p, all of it) is well-conditioned,
 * with a diagonal near 1; g (count x p) is what the rows or the equations give at b, and becomes the gradient that M sees at
 * the new b; slack[count] is the rounding in g. */
flsq_status flsq_active_set(const flsq_kernels *kernels, const flsq_boxes *boxes, const double *m, const double *slack,
                            int n_threads, double *g);
/* min ‖T b - d‖ over its box for every d, whatever the rank of T: Lawson and Hanson's method.  t: p columns of `rows` entries
 * with lengths near 1, one after the other; d: count x rows.  b and place are written only.  Of the columns that may leave their bound
 * it is the one with the largest gradient times its price[p]. */
flsq_status flsq_bounded_rows(const flsq_kernels *kernels, const flsq_boxes *boxes, int64_t rows, const double *t,
                              const double *d, const double *price, int n_threads);

/* Of one target without weights: x[p] >= 0, and the length of its residual.  `settled` is 0 where the rounds did not do, where
 * squares leave the range of float64 or rows are not finite, and where x is not a minimum to rounding: it is then no answer. */
typedef struct flsq_nonnegative {
    int64_t rounds, free; /* exchanges; coefficients that are not 0 */
    double kkt;           /* largest violation of the optimality conditions, relative */
    int settled;
} flsq_nonnegative;

/* Whether n x p is so small that flsq_nnls is faster than a Gram pass and flsq_active_set. */
int flsq_nnls_is_small(int64_t n, int64_t p);
flsq_status flsq_nnls(const flsq_kernels *kernels, const flsq_rows *rows, int64_t most, double *x, double *rnorm,
                      flsq_nonnegative *out);

/* ---- optimizers ----------------------------------------------------------------------------------------------- */

typedef enum flsq_rule { FLSQ_RULE_SGD, FLSQ_RULE_RMSPROP, FLSQ_RULE_ADAGRAD, FLSQ_RULE_ADAM } flsq_rule;

/* Formulas: kernels/optimizer_template.h.  A rule reads its own numbers only. */
typedef struct flsq_optimizer {
    int32_t rule;      /* of flsq_rule */
    int32_t nesterov;  /* SGD */
    int32_t centered;  /* RMSprop */
    int32_t amsgrad;   /* Adam */
    int32_t decoupled; /* Adam: weight_decay shrinks the parameters (AdamW) instead of entering the gradient */
    int32_t maximize;
    double momentum, dampening;       /* SGD, RMSprop; SGD */
    double beta1, beta2;              /* Adam; Adam and RMSprop (its alpha) */
    double eps;
    double rate_decay;                /* Adagrad: the rate is over 1 + (t - 1)*rate_decay */
    double weight_decay;
    double clip_value;                /* largest absolute value of a gradient; 0 for none */
} flsq_optimizer;

enum { FLSQ_STATES = 3 };

/* n parameters in one piece of memory, float64 or float32, and as many gradients (not modified); their states, 0 at first, where
 * flsq_optimizer_states has a bit, else NULL: SGD momentum; RMSprop mean square, momentum, mean gradient; Adagrad sum of
 * squares; Adam mean, mean square, largest mean square.  t: which step of these parameters, from 1. */
typedef struct flsq_parameter {
    int64_t n, t;
    flsq_dtype dtype;
    void *values;
    const void *gradient;
    void *state[FLSQ_STATES];
} flsq_parameter;

int flsq_optimizer_states(const flsq_optimizer *settings);
/* One step of all `count` arrays, which do not overlap.  Gradients are clipped by value and then multiplied by `factor`. */
void flsq_optimizer_step(const flsq_kernels *kernels, const flsq_optimizer *settings, double learning_rate, double factor,
                         int64_t count, const flsq_parameter *parameters, int n_threads);
/* *norm := Euclidean length of all gradients together, clipped by value at `limit` (0: not); not finite where one of them is not. */
flsq_status flsq_gradient_norm(const flsq_kernels *kernels, double limit, int64_t count, const flsq_parameter *parameters,
                               int n_threads, double *norm);

/* ---- descent ---------------------------------------------------------------------------------------------------- */

/* Losses of one row: kernels/loss_template.h. */
typedef enum flsq_loss_kind {
    FLSQ_LOSS_SQUARED,             /* (eta - y)²/2 */
    FLSQ_LOSS_HUBER,               /* parameter: where it turns linear */
    FLSQ_LOSS_QUANTILE,            /* parameter: which, in (0, 1) */
    FLSQ_LOSS_EPSILON_INSENSITIVE, /* parameter: epsilon */
    FLSQ_LOSS_LOGISTIC,            /* y 0 or 1, or between */
    FLSQ_LOSS_HINGE,               /* y 0 or 1 */
    FLSQ_LOSS_POISSON,             /* e^eta - y eta */
    FLSQ_LOSS_SOFTMAX              /* y the number of the class, a predictor for each */
} flsq_loss_kind;

typedef struct flsq_loss {
    flsq_loss_kind kind;
    int one_class; /* y holds numbers of classes, and the target is 1 for that of `label`, 0 for others */
    double parameter, label;
} flsq_loss;

/* Rows that hold few values (CSR): row i has values value[start[i]] .. of the columns index[start[i]] ..; start and index int64 or
 * int32, both of one kind, value float64 or float32, n + 1, and as many as start[n] says. */
typedef struct flsq_sparse {
    const void *start, *index, *value;
    flsq_dtype integer, real;
} flsq_sparse;

/* The data part of an objective: sum_i w_i sum_c l(eta_ic; y_ic), eta_ic = intercept_c + z_i b_c, z_ij = (x_ij - center_j)*factor_j. */
typedef struct flsq_descent {
    flsq_matrix x;                 /* n x p; without data where there is */
    const flsq_sparse *sparse;     /* or NULL; its columns are not centred */
    const double *y;               /* n x predictors; n numbers of classes for softmax and one_class */
    const double *weights;         /* n, or NULL for ones */
    int64_t predictors;
    flsq_loss loss;                /* label is set for each predictor */
    const double *center, *factor; /* p; NULL for the columns as they are */
    int shaped;                    /* centre the rows themselves: where centers are so large that products would cancel */
} flsq_descent;

/* Rows in some order: blocks of block_rows rows one after the other, the last of which may be shorter; shuffled, as a permutation
 * that is a function of the key. */
typedef struct flsq_order {
    int64_t rows, block_rows;
    int shuffled;
    uint64_t key;
} flsq_order;

/* predictors x p slopes, then as many intercepts: */
typedef struct flsq_descent_state {
    double *b, *state[FLSQ_STATES]; /* and what the optimizer keeps of each */
    double *average;                /* mean of b over `averaged` steps; or NULL */
    int64_t averaged, steps;        /* steps done so far */
    double *kept, *mean;            /* SAGA, of batches of one row: the last slope of each of the n rows, and their mean times the
                                     * rows, p + 1; or NULL */
} flsq_descent_state;

typedef struct flsq_descent_plan {
    const flsq_optimizer *optimizer;
    flsq_order order;
    int64_t first_row;    /* place in the order where the first batch begins, a multiple of batch_rows */
    int64_t batch_rows;   /* the last batch of the order may be shorter; from order.rows on: all rows, whatever their order */
    int64_t steps;        /* how many; the order ends with the last, or later */
    const double *rates;  /* of each of them */
    double mean_weight;   /* gradients are over the rows of a batch times this */
    double l1, l2;        /* l1 ‖b‖₁ + l2 ‖b‖²/2 over slopes is added to the objective */
    double clip_norm;     /* largest length of a gradient, or 0 */
    int intercept;        /* whether intercepts move */
    int64_t average_from; /* the step number behind which averaging begins */
} flsq_descent_plan;

/* What the steps saw.  A step whose loss or gradient is not finite is not made, and ends the run. */
typedef struct flsq_descent_report {
    int64_t steps, rows;
    double loss, weight;  /* sums of w l and of w over these rows, each at the coefficients it met */
    double square;        /* squared length of the last gradient, penalties included (l1: the nearest subgradient) */
    int finite;
} flsq_descent_report;

flsq_status flsq_descent_run(const flsq_kernels *kernels, const flsq_descent *problem, const flsq_descent_plan *plan,
                             flsq_descent_state *state, int n_threads, flsq_descent_report *report);
/* At b: *loss := sum w l, *weight := sum w; gradient, as b lies, unless NULL. */
flsq_status flsq_descent_evaluate(const flsq_kernels *kernels, const flsq_descent *problem, const double *b, int n_threads,
                                  double *loss, double *weight, double *gradient);
/* rows[i] := the row at place i of the order */
void flsq_order_rows(const flsq_order *order, int64_t *rows);

/* ---- p x p ---------------------------------------------------------------------------------------------------- */

/* a (n x n, leading dimension ld): upper triangle in, R with RᵀR = A out; below the diagonal untouched.
 * *pivot: the first failing row, or -1. */
flsq_status flsq_cholesky(const flsq_kernels *kernels, int64_t n, double *a, int64_t ld, int n_threads,
                          int64_t *pivot);
/* x (n x k, in place): Rᵀ x = b, then R x = b. */
void flsq_triangular_solve_transposed(const flsq_kernels *kernels, int64_t n, const double *r, int64_t ld, int64_t k,
                                      double *x);
void flsq_triangular_solve(const flsq_kernels *kernels, int64_t n, const double *r, int64_t ld, int64_t k, double *x);
/* *norm := a lower bound, rarely more than 3 times too small, of ‖(RᵀR)⁻¹‖₁. */
flsq_status flsq_inverse_norm_estimate(const flsq_kernels *kernels, int64_t n, const double *r, int64_t ld,
                                       double *norm);
/* inverse (n x n, may not alias r) := (RᵀR)⁻¹, both triangles. */
void flsq_cholesky_inverse(const flsq_kernels *kernels, int64_t n, const double *r, int64_t ld, double *inverse);

#endif
