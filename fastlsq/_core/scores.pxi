# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
#
# The score pass.

cdef dict SCORE_KINDS = {
    "plain": FLSQ_SCORE_PLAIN, "HC2": FLSQ_SCORE_HC2, "HC3": FLSQ_SCORE_HC3, "root": FLSQ_SCORE_ROOT,
}


def scores(x, y, weights, scale, offset, bint unit, const double[::1] b, const double[:, ::1] transform, kind,
           int n_threads, double[::1] residuals=None, double[::1] leverages=None, double[:, ::1] scores=None,
           double[:, ::1] moments=None, kernel=None):
    """Of rows z = [x | 1] @ transform (None for the identity) and e = y - [x | 1] b: e, h = w*|z|**2, the scores and
    their moments.

    kind is "plain" for scores w*e*z, "HC2" for w*e*z/sqrt(1 - h), "HC3" for w*e*z/(1 - h), "root" for sqrt(w)*z, which
    alone may do without y and b (None).  Outputs that are None are left out.
    """
    cdef const flsq_kernels *kernels = select(kernel)
    cdef Rows rows = Rows(x, y, weights, scale, offset, unit)
    cdef int64_t lead = rows.view.x.columns + unit, n = rows.view.x.rows
    cdef flsq_score_frame frame
    cdef flsq_score_outputs out
    cdef flsq_status status
    frame.kind = SCORE_KINDS[kind]
    if rows.view.y.columns > 1 or (rows.view.y.columns == 0 and (kind != "root" or residuals is not None)):
        raise ValueError("y must be one target")
    if rows.view.y.columns == 1 and (b is None or b.shape[0] != lead):
        raise ValueError("b must have one entry per column of [X | 1]")
    if transform is not None and transform.shape[0] != lead:
        raise ValueError("transform needs one row per column of [X | 1]")
    frame.columns = transform.shape[1] if transform is not None else lead
    frame.transform = read_dense(transform) if transform is not None and frame.columns > 0 else NULL
    frame.b = &b[0] if rows.view.y.columns == 1 and lead > 0 else NULL
    if ((residuals is not None and residuals.shape[0] != n) or (leverages is not None and leverages.shape[0] != n)
            or (scores is not None and (scores.shape[0] != n or scores.shape[1] != frame.columns))
            or (moments is not None and (moments.shape[0] != frame.columns or moments.shape[1] != frame.columns))):
        raise ValueError("residuals and leverages must be n, scores n x columns, moments columns x columns")
    if frame.columns == 0:
        raise ValueError("scores of no columns")
    out.residuals = write_vector(residuals) if residuals is not None else NULL
    out.leverages = write_vector(leverages) if leverages is not None else NULL
    out.scores = write_dense(scores) if scores is not None else NULL
    out.moments = write_dense(moments) if moments is not None else NULL
    with nogil:
        status = flsq_scores(kernels, &rows.view, &frame, n_threads, &out)
    check(status)


cdef flsq_score_frame plain_frame(Rows rows, const double[::1] b, const double[:, ::1] transform,
                                  double[:, ::1] moments) except *:
    """For scores w*e*z of rows with one target, whose moments are wanted."""
    cdef flsq_score_frame frame
    cdef int64_t lead = rows.view.x.columns + rows.view.unit
    if rows.view.y.columns != 1:
        raise ValueError("y must be one target")
    if b is None or b.shape[0] != lead:
        raise ValueError("b must have one entry per column of [X | 1]")
    if transform is not None and transform.shape[0] != lead:
        raise ValueError("transform needs one row per column of [X | 1]")
    frame.kind = FLSQ_SCORE_PLAIN
    frame.columns = transform.shape[1] if transform is not None else lead
    if frame.columns == 0:
        raise ValueError("scores of no columns")
    if moments.shape[0] != frame.columns or moments.shape[1] != frame.columns:
        raise ValueError("moments must be columns x columns")
    frame.transform = read_dense(transform) if transform is not None else NULL
    frame.b = &b[0]
    return frame


def clustered_scores(x, y, weights, scale, offset, bint unit, const double[::1] b, const double[:, ::1] transform,
                     const int64_t[::1] start, const int64_t[::1] order, int n_threads, double[:, ::1] moments,
                     kernel=None):
    """moments := sum_g S_g S_gᵀ with the sums S_g of the scores w*e*z of the rows order[start[g]:start[g + 1]]."""
    cdef const flsq_kernels *kernels = select(kernel)
    cdef Rows rows = Rows(x, y, weights, scale, offset, unit)
    cdef flsq_score_frame frame = plain_frame(rows, b, transform, moments)
    cdef flsq_groups groups = read_groups(start, order, rows.view.x.rows)
    cdef double *out = write_dense(moments)
    cdef flsq_status status
    if groups.count < 1 or start[0] != 0 or order.shape[0] != rows.view.x.rows:
        raise ValueError("groups must have all rows")
    with nogil:
        status = flsq_clustered_scores(kernels, &rows.view, &frame, &groups, n_threads, out)
    check(status)


def windowed_scores(x, y, weights, scale, offset, bint unit, const double[::1] b, const double[:, ::1] transform,
                    int64_t window, int n_threads, double[:, ::1] moments, kernel=None):
    """moments := sum_t m_t m_tᵀ, m_t the sum of the scores w*e*z of `window` rows of weight above 0, up to row t."""
    cdef const flsq_kernels *kernels = select(kernel)
    cdef Rows rows = Rows(x, y, weights, scale, offset, unit)
    cdef flsq_score_frame frame = plain_frame(rows, b, transform, moments)
    cdef double *out = write_dense(moments)
    cdef flsq_status status
    if window < 1:
        raise ValueError("window must be at least 1")
    with nogil:
        status = flsq_windowed_scores(kernels, &rows.view, &frame, window, n_threads, out)
    check(status)
