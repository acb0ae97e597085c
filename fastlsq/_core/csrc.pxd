# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
#
# The C contract (csrc/fastlsq.h), name for name.
from libc.stdint cimport int8_t, int32_t, int64_t, uint64_t


cdef extern from "fastlsq.h" nogil:
    ctypedef enum flsq_status:
        FLSQ_OK
        FLSQ_NO_MEMORY
        FLSQ_TOO_LARGE
        FLSQ_UNKNOWN_KERNEL
        FLSQ_UNSUPPORTED_KERNEL
        FLSQ_NOT_POSITIVE_DEFINITE

    ctypedef enum flsq_dtype:
        FLSQ_F64
        FLSQ_F32
        FLSQ_F16
        FLSQ_I8
        FLSQ_U8
        FLSQ_I16
        FLSQ_U16
        FLSQ_I32
        FLSQ_U32
        FLSQ_I64
        FLSQ_U64

    ctypedef struct flsq_matrix:
        const void *data
        int64_t rows
        int64_t columns
        int64_t row_stride
        int64_t col_stride
        flsq_dtype dtype

    ctypedef struct flsq_lengths:
        const double *factor

    ctypedef struct flsq_rows:
        flsq_matrix x
        flsq_matrix y
        flsq_matrix weights
        const double *scale
        const double *offset
        int unit
        const double *transform
        flsq_lengths *lengths

    ctypedef struct flsq_kernels:
        pass

    ctypedef struct flsq_gram:
        pass

    flsq_status flsq_kernels_select(const char *name, const flsq_kernels **kernels)
    const char *flsq_kernels_name(const flsq_kernels *kernels)
    const char *flsq_kernels_built(int i, int *runs_here)
    const char *flsq_cpu_feature(int i, int *present)
    int flsq_openmp_version()
    int flsq_openmp_max_threads()
    int flsq_is_forked_child()
    double flsq_probe_fma(const flsq_kernels *kernels, int n_threads, int64_t sweeps, double *flops_per_sweep)
    double flsq_probe_read(
        const flsq_kernels *kernels, int n_threads, const double *data, int64_t count, double *sum
    )
    double flsq_probe_update(const flsq_kernels *kernels, int n_threads, int64_t count, double **arrays)

    void flsq_find_nonfinite(const flsq_matrix *a, int64_t *row, int64_t *column)
    void flsq_find_bad_weight(const flsq_matrix *w, int64_t *row)
    flsq_status flsq_column_moments(const flsq_kernels *kernels, const flsq_matrix *a, const double *weights,
                                    const double *shift, int n_threads, double *sums, double *squares)
    void flsq_column_max_abs(const flsq_matrix *a, double *largest)

    double flsq_lengths_spread(const flsq_lengths *lengths)
    int64_t flsq_gram_block_rows(int64_t p)
    flsq_status flsq_gram_create(const flsq_kernels *kernels, int64_t p, int64_t k, int unit, flsq_gram **gram)
    flsq_status flsq_gram_update(flsq_gram *gram, const flsq_rows *rows, int n_threads)
    flsq_status flsq_gram_copy(const flsq_gram *gram, flsq_gram **copy)
    void flsq_gram_rescale(flsq_gram *gram, const int64_t *exponents)
    void flsq_gram_diagonal(const flsq_gram *gram, double *diagonal)
    int flsq_gram_carries(int64_t p)
    void flsq_gram_collect(const flsq_gram *gram, int n_threads, double *zz, double *yy, double *lost)
    int64_t flsq_gram_nbytes(const flsq_gram *gram)
    void flsq_gram_destroy(flsq_gram *gram)

    ctypedef enum flsq_score_kind:
        FLSQ_SCORE_PLAIN
        FLSQ_SCORE_HC2
        FLSQ_SCORE_HC3
        FLSQ_SCORE_ROOT

    ctypedef struct flsq_score_frame:
        const double *b
        const double *transform
        int64_t columns
        flsq_score_kind kind

    ctypedef struct flsq_score_outputs:
        double *residuals
        double *leverages
        double *scores
        double *moments

    flsq_status flsq_scores(
        const flsq_kernels *kernels, const flsq_rows *rows, const flsq_score_frame *frame, int n_threads,
        const flsq_score_outputs *out
    )
    flsq_status flsq_add_by_code(
        int64_t n, int64_t columns, const double *values, const int64_t *codes, int64_t count, double *sums
    )

    ctypedef enum flsq_family:
        FLSQ_FAMILY_GAUSSIAN
        FLSQ_FAMILY_BINOMIAL
        FLSQ_FAMILY_POISSON
        FLSQ_FAMILY_GAMMA
        FLSQ_FAMILY_SOFTMAX
        FLSQ_FAMILY_GIVEN

    ctypedef struct flsq_glm:
        flsq_family family
        int64_t predictors
        int expected
        const double *b
        flsq_matrix offset
        const double *given_slope
        const double *given_curvature

    ctypedef struct flsq_glm_outputs:
        double *eta
        double *gradient
        double *hessian
        double *loss

    flsq_status flsq_glm_pass(
        const flsq_kernels *kernels, const flsq_rows *rows, const flsq_glm *model, int n_threads,
        const flsq_glm_outputs *out
    )
    flsq_status flsq_glm_along(
        const flsq_kernels *kernels, flsq_family family, int64_t n, const double *eta, const double *step, double t,
        const flsq_matrix *y, const flsq_matrix *weights, double *sums
    )
    void flsq_elementary(const flsq_kernels *kernels, int which, int64_t n, const double *x, double *out)

    flsq_status flsq_residual(
        const flsq_kernels *kernels, const flsq_rows *rows, const double *b, double *g, double *rss,
        double *r, int n_threads
    )
    flsq_status flsq_residual_twofold(
        const flsq_kernels *kernels, const flsq_rows *rows, const double *b, const double *b_low, double *g,
        double *g_low, double *rss, int n_threads
    )

    ctypedef enum flsq_verdict:
        FLSQ_CERTIFIED
        FLSQ_ZERO_COLUMN
        FLSQ_PIVOT_FAILED
        FLSQ_PIVOT_IN_NOISE
        FLSQ_ILL_CONDITIONED
        FLSQ_STEP_TOO_LARGE
        FLSQ_NO_CONTRACTION
        FLSQ_NOT_FINITE
        FLSQ_NOT_SETTLED
        FLSQ_OUT_OF_RANGE

    ctypedef struct flsq_factor:
        int64_t n
        double *r
        double *scale
        const double *transform
        const double *whole
        const int64_t *active
        double norm1
        double trace
        double condition
        double roundoff
        int64_t pivot

    ctypedef struct flsq_fits:
        int64_t count
        int64_t modes
        const double *basis
        const double *damping
        const double *b
        double base

    flsq_status flsq_leave_one_out(
        const flsq_kernels *kernels, const flsq_rows *rows, const flsq_fits *fits, int n_threads, double *squares,
        double *left_out
    )

    ctypedef struct flsq_equations:
        const double *c
        int64_t ldc
        const double *mean
        double sum_weights
        const double *yy
        int unrefined
        const double *penalty
        int penalty_is_diagonal
        const double *zz
        const double *lost

    ctypedef struct flsq_report:
        flsq_verdict verdict
        int passes
        double backward_error
        double figure

    double flsq_pivot_noise(int64_t n)
    flsq_status flsq_factorize(
        const flsq_kernels *kernels, int64_t n, const double *m, int64_t ldm, int n_threads, flsq_factor *f,
        flsq_verdict *verdict
    )
    flsq_status flsq_factor_apply(
        const flsq_kernels *kernels, const flsq_factor *f, int64_t p, int64_t k, const double *g, double *step
    )
    flsq_status flsq_refine(
        const flsq_kernels *kernels, const flsq_rows *rows, const flsq_equations *equations,
        const flsq_factor *factor, int n_threads, double *b, double *rss, flsq_report *report
    )
    int flsq_may_need_one_pass(int64_t n, int64_t p, int64_t k)
    double flsq_smallest_squares()
    double flsq_largest_squares()
    int flsq_is_small(int64_t n, int64_t p, int64_t k)
    flsq_status flsq_lstsq(
        const flsq_kernels *kernels, const flsq_rows *rows, int unrefined, int n_threads, flsq_factor *factor,
        double *b, double *rss, flsq_report *report, flsq_gram **left
    )

    ctypedef struct flsq_full:
        int passes
        double change
        double last

    flsq_status flsq_refine_fully(
        const flsq_kernels *kernels, const flsq_rows *rows, const flsq_factor *factor, int n_threads, double *b,
        double *rss, flsq_full *full
    )

    ctypedef struct flsq_orthogonal:
        flsq_factor factor
        int64_t rank
        double *null
        double *range
        int8_t *dependent

    int flsq_is_for_qr(int64_t n, int64_t p, int64_t k)
    int flsq_qr_takes_dependent_rows(int64_t n, int64_t p)
    flsq_status flsq_solve_by_qr(
        const flsq_kernels *kernels, const flsq_rows *rows, flsq_orthogonal *out, double *b, double *rss,
        flsq_report *report
    )

    ctypedef struct flsq_truncated:
        pass

    flsq_status flsq_truncated_create(
        const flsq_kernels *kernels, int64_t n, const double *moments, const double *triangle,
        flsq_truncated **truncated
    )
    void flsq_truncated_destroy(flsq_truncated *truncated)
    int64_t flsq_truncated_rank(const flsq_truncated *truncated)
    double flsq_truncated_condition(const flsq_truncated *truncated)
    flsq_status flsq_truncated_cut(flsq_truncated *truncated, int64_t rank)
    void flsq_truncated_solve(flsq_truncated *truncated, int64_t k, const double *h, double *z)
    void flsq_truncated_norms(flsq_truncated *truncated, int64_t k, const double *g, double *norm)
    flsq_status flsq_truncated_null(const flsq_truncated *truncated, double *null)
    void flsq_truncated_range(const flsq_truncated *truncated, double *range)
    flsq_status flsq_truncated_dependent(const flsq_truncated *truncated, int8_t *dependent)
    void flsq_triangular_product(
        const flsq_kernels *kernels, int64_t n, const double *a, const double *b, double *product
    )

    ctypedef struct flsq_batch:
        flsq_rows first
        int64_t count
        int64_t x_step
        int64_t y_step
        int64_t weights_step

    ctypedef struct flsq_batch_answers:
        double *b
        double *rss
        double *condition
        double *backward_error
        int8_t *verdict
        int8_t *passes

    flsq_status flsq_lstsq_batched(
        const flsq_kernels *kernels, const flsq_batch *batch, int n_threads, const flsq_batch_answers *answers
    )

    ctypedef struct flsq_groups:
        int64_t count
        const int64_t *start
        const int64_t *order

    ctypedef struct flsq_group_answers:
        double *b
        double *rss
        double *condition
        double *backward_error
        int8_t *verdict

    flsq_status flsq_group_rows(
        int64_t n, const int64_t *codes, int64_t count, int64_t *start, int64_t *order
    )
    flsq_status flsq_grouped_fit(
        const flsq_kernels *kernels, const flsq_rows *rows, const flsq_groups *groups, int n_threads,
        const flsq_group_answers *answers
    )

    ctypedef struct flsq_subsets:
        int64_t count
        const int64_t *first
        const int64_t *end
        const int64_t *order
        const double *factor

    ctypedef struct flsq_subset_answers:
        double *b
        double *rss
        double *condition
        double *backward_error
        double *errors
        int64_t *rank
        int8_t *verdict

    flsq_status flsq_fit_subsets(
        const flsq_kernels *kernels, const flsq_rows *rows, const flsq_subsets *subsets, int n_threads,
        const flsq_subset_answers *answers
    )

    ctypedef struct flsq_held_out:
        const double *m
        const double *c
        const double *distance
        double yy
        double weight
        double apart

    ctypedef struct flsq_penalized:
        int64_t p
        int64_t ldm
        const double *m
        const double *c
        double yy
        const double *l1
        const double *l2
        int nonnegative
        int64_t count
        const double *alpha
        const double *start
        double tolerance
        int64_t most_sweeps
        const flsq_held_out *held_out

    ctypedef struct flsq_path:
        double *b
        double *gap
        double *objective
        int64_t *sweeps
        double *error

    flsq_status flsq_elastic_net_paths(
        const flsq_kernels *kernels, int64_t count, const flsq_penalized *problems, int n_threads,
        const flsq_path *paths
    )
    double flsq_duality_gap(
        int64_t p, const double *b, const double *q, const double *l1, const double *l2, const double *diagonal,
        double alpha, int nonnegative, double yy, double rss
    )

    ctypedef struct flsq_boxes:
        int64_t p
        int64_t count
        const double *lower
        const double *upper
        int shared
        int64_t most
        int8_t *place
        double *b
        int64_t *rounds
        int8_t *settled

    flsq_status flsq_active_set(
        const flsq_kernels *kernels, const flsq_boxes *boxes, const double *m, const double *slack, int n_threads,
        double *g
    )
    flsq_status flsq_bounded_rows(
        const flsq_kernels *kernels, const flsq_boxes *boxes, int64_t rows, const double *t, const double *d,
        const double *price, int n_threads
    )

    ctypedef struct flsq_nonnegative:
        int64_t rounds
        int64_t free
        double kkt
        int settled

    bint flsq_nnls_is_small(int64_t n, int64_t p)
    flsq_status flsq_nnls(
        const flsq_kernels *kernels, const flsq_rows *rows, int64_t most, double *x, double *rnorm,
        flsq_nonnegative *out
    )

    ctypedef enum flsq_loss_kind:
        FLSQ_LOSS_SQUARED
        FLSQ_LOSS_HUBER
        FLSQ_LOSS_QUANTILE
        FLSQ_LOSS_EPSILON_INSENSITIVE
        FLSQ_LOSS_LOGISTIC
        FLSQ_LOSS_HINGE
        FLSQ_LOSS_POISSON
        FLSQ_LOSS_SOFTMAX

    ctypedef struct flsq_loss:
        flsq_loss_kind kind
        int one_class
        double parameter
        double label

    ctypedef struct flsq_sparse:
        const void *start
        const void *index
        const void *value
        flsq_dtype integer
        flsq_dtype real

    ctypedef struct flsq_descent:
        flsq_matrix x
        const flsq_sparse *sparse
        const double *y
        const double *weights
        int64_t predictors
        flsq_loss loss
        const double *center
        const double *factor
        int shaped

    ctypedef struct flsq_order:
        int64_t rows
        int64_t block_rows
        int shuffled
        uint64_t key

    ctypedef struct flsq_descent_state:
        double *b
        double **state
        double *average
        int64_t averaged
        int64_t steps
        double *kept
        double *mean

    ctypedef struct flsq_descent_plan:
        const flsq_optimizer *optimizer
        flsq_order order
        int64_t first_row
        int64_t batch_rows
        int64_t steps
        const double *rates
        double mean_weight
        double l1
        double l2
        double clip_norm
        int intercept
        int64_t average_from

    ctypedef struct flsq_descent_report:
        int64_t steps
        int64_t rows
        double loss
        double weight
        double square
        int finite

    flsq_status flsq_descent_run(const flsq_kernels *kernels, const flsq_descent *problem, const flsq_descent_plan *plan,
                                 flsq_descent_state *state, int n_threads, flsq_descent_report *report)
    flsq_status flsq_descent_evaluate(const flsq_kernels *kernels, const flsq_descent *problem, const double *b,
                                      int n_threads, double *loss, double *weight, double *gradient)
    void flsq_order_rows(const flsq_order *order, int64_t *rows)

    flsq_status flsq_cholesky(
        const flsq_kernels *kernels, int64_t n, double *a, int64_t ld, int n_threads, int64_t *pivot
    )
    void flsq_triangular_solve_transposed(
        const flsq_kernels *kernels, int64_t n, const double *r, int64_t ld, int64_t k, double *x
    )
    void flsq_triangular_solve(
        const flsq_kernels *kernels, int64_t n, const double *r, int64_t ld, int64_t k, double *x
    )
    flsq_status flsq_inverse_norm_estimate(
        const flsq_kernels *kernels, int64_t n, const double *r, int64_t ld, double *norm
    )
    void flsq_cholesky_inverse(
        const flsq_kernels *kernels, int64_t n, const double *r, int64_t ld, double *inverse
    )

    ctypedef struct flsq_windows:
        int64_t length
        const int64_t *start
        const double *factor

    ctypedef struct flsq_window_answers:
        double *b
        double *rss
        double *tss
        double *condition
        double *variance
        int64_t *rank
        int8_t *verdict

    flsq_status flsq_rolling_fit(
        const flsq_kernels *kernels, const flsq_rows *rows, const flsq_windows *windows, int n_threads,
        const flsq_window_answers *answers
    )

    ctypedef enum flsq_rule:
        FLSQ_RULE_SGD
        FLSQ_RULE_RMSPROP
        FLSQ_RULE_ADAGRAD
        FLSQ_RULE_ADAM

    enum:
        FLSQ_STATES

    ctypedef struct flsq_optimizer:
        int32_t rule
        int32_t nesterov
        int32_t centered
        int32_t amsgrad
        int32_t decoupled
        int32_t maximize
        double momentum
        double dampening
        double beta1
        double beta2
        double eps
        double rate_decay
        double weight_decay
        double clip_value

    ctypedef struct flsq_parameter:
        int64_t n
        int64_t t
        flsq_dtype dtype
        void *values
        const void *gradient
        void *state[3]

    int flsq_optimizer_states(const flsq_optimizer *settings)
    void flsq_optimizer_step(
        const flsq_kernels *kernels, const flsq_optimizer *settings, double learning_rate, double factor,
        int64_t count, const flsq_parameter *parameters, int n_threads
    )
    flsq_status flsq_gradient_norm(
        const flsq_kernels *kernels, double limit, int64_t count, const flsq_parameter *parameters, int n_threads,
        double *norm
    )
