# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
#
# The pass of a generalized linear model.

cdef dict FAMILIES = {
    "gaussian": FLSQ_FAMILY_GAUSSIAN, "binomial": FLSQ_FAMILY_BINOMIAL, "poisson": FLSQ_FAMILY_POISSON,
    "gamma": FLSQ_FAMILY_GAMMA, "softmax": FLSQ_FAMILY_SOFTMAX, "given": FLSQ_FAMILY_GIVEN,
}
cdef dict ELEMENTARY = {"exp": 0, "log1p": 1, "log": 2}


def glm_pass(x, y, weights, scale, shift, bint unit, family, const double[:, ::1] b, offset, int n_threads,
             double[:, ::1] eta=None, double[:, ::1] gradient=None, double[:, ::1] hessian=None, bint expected=False,
             given=None, kernel=None):
    """The loss of rows [x | 1] with predictors offset + [x | 1] b.T; eta, gradient and hessian unless they are None.

    b is predictors x lead.  family "given": slope and curvature of every row are `given`, and y, b and eta are None;
    otherwise y is one target.
    """
    cdef const flsq_kernels *kernels = select(kernel)
    cdef Rows rows = Rows(x, y, weights, scale, shift, unit)
    cdef int64_t n = rows.view.x.rows, lead = rows.view.x.columns + unit, k = b.shape[0] if b is not None else 1
    cdef Matrix extra
    cdef const double[::1] slope, curvature
    cdef flsq_glm model
    cdef flsq_glm_outputs out
    cdef flsq_status status
    cdef double loss = 0.0
    model.family = FAMILIES[family]
    model.predictors = k
    model.expected = expected
    model.offset.data = NULL
    model.given_slope = model.given_curvature = NULL
    if lead == 0 or n == 0:
        raise ValueError("a model of no columns or rows")
    if model.family == FLSQ_FAMILY_GIVEN:
        slope, curvature = given
        if b is not None or eta is not None or slope.shape[0] != n or curvature.shape[0] != n:
            raise ValueError("slope and curvature must be one per row, b and eta None")
        model.given_slope, model.given_curvature, model.b = &slope[0], &curvature[0], NULL
    else:
        if rows.view.y.columns != 1 or b is None or b.shape[1] != lead or k < 1:
            raise ValueError("y must be one target, b predictors x columns of [x | 1]")
        if k != 1 and model.family != FLSQ_FAMILY_SOFTMAX:
            raise ValueError("several predictors are for softmax")
        model.b = &b[0, 0]
    if offset is not None:
        extra = Matrix(offset)
        if extra.view.rows != n or extra.view.columns != 1:
            raise ValueError("offset must be one per row")
        model.offset = extra.view
    if ((eta is not None and (eta.shape[0] != n or eta.shape[1] != k))
            or (gradient is not None and (gradient.shape[0] != k or gradient.shape[1] != lead))
            or (hessian is not None and (hessian.shape[0] != k*lead or hessian.shape[1] != k*lead))):
        raise ValueError("eta must be n x predictors, gradient predictors x lead, hessian square of both")
    out.eta = &eta[0, 0] if eta is not None else NULL
    out.gradient = &gradient[0, 0] if gradient is not None else NULL
    out.hessian = &hessian[0, 0] if hessian is not None else NULL
    out.loss = &loss
    with nogil:
        status = flsq_glm_pass(kernels, &rows.view, &model, n_threads, &out)
    check(status)
    return loss


def glm_along(family, const double[::1] eta, const double[::1] step, double t, y, weights, kernel=None):
    """Loss, its derivative with respect to t, and Pearson's statistic at predictors eta + t*step."""
    cdef const flsq_kernels *kernels = select(kernel)
    cdef Matrix target = Matrix(y), weight
    cdef flsq_matrix weight_view
    cdef int64_t n = eta.shape[0]
    cdef flsq_family kind = FAMILIES[family]
    cdef double sums[3]
    cdef flsq_status status
    weight_view.data = NULL
    if weights is not None:
        weight = Matrix(weights)
        weight_view = weight.view
    if (n == 0 or step.shape[0] != n or target.view.rows != n or target.view.columns != 1
            or (weights is not None and weight_view.rows != n) or kind > FLSQ_FAMILY_GAMMA):
        raise ValueError("eta, step, y and weights must be one per row of a family with one predictor")
    with nogil:
        status = flsq_glm_along(kernels, kind, n, &eta[0], &step[0], t, &target.view, &weight_view, sums)
    check(status)
    return sums[0], sums[1], sums[2]


def elementary(which, const double[::1] x, double[::1] out, kernel=None):
    """out = exp(x), log1p(x) for 0 <= x <= 1, or log(x) for normal x > 0: the functions of the passes."""
    cdef const flsq_kernels *kernels = select(kernel)
    cdef int number = ELEMENTARY[which]
    if out.shape[0] != x.shape[0]:
        raise ValueError("out must be as long as x")
    if x.shape[0] > 0:
        flsq_elementary(kernels, number, x.shape[0], &x[0], &out[0])
