# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
#
# The residual pass.


def residual(x, y, weights, scale, offset, bint unit, const double[:, ::1] b, double[:, ::1] g, double[::1] rss,
             r, int n_threads, kernel=None):
    """R = Y - [X | 1] B; g = [X | 1]ᵀ W R; rss[t] = sum_i w_i R_it**2; r receives R unless None."""
    cdef const flsq_kernels *kernels = select(kernel)
    cdef Rows rows = Rows(x, y, weights, scale, offset, unit)
    cdef int64_t lead = rows.view.x.columns + unit, k = rows.view.y.columns
    cdef double[:, ::1] residuals
    cdef double *r_out = NULL
    if b.shape[0] != lead or b.shape[1] != k or g.shape[0] != lead or g.shape[1] != k or rss.shape[0] != k:
        raise ValueError("b and g must be lead x k and rss of length k")
    if r is not None:
        residuals = r
        if residuals.shape[0] != rows.view.x.rows or residuals.shape[1] != k:
            raise ValueError("r must be n x k")
        r_out = write_dense(residuals)
    cdef const double *b_in = read_dense(b)
    cdef double *g_out = write_dense(g)
    cdef double *rss_out = write_vector(rss)
    cdef flsq_status status
    with nogil:
        status = flsq_residual(kernels, &rows.view, b_in, g_out, rss_out, r_out, n_threads)
    check(status)


def residual_twofold(x, y, weights, scale, bint unit, const double[:, ::1] b, const double[:, ::1] b_low,
                     double[:, ::1] g, double[:, ::1] g_low, double[::1] rss, int n_threads, kernel=None):
    """The same with about twice the digits: b + b_low and g + g_low are pairs."""
    cdef const flsq_kernels *kernels = select(kernel)
    cdef Rows rows = Rows(x, y, weights, scale, None, unit)
    cdef int64_t lead = rows.view.x.columns + unit, k = rows.view.y.columns
    if b.shape[0] != lead or b.shape[1] != k or b_low.shape[0] != lead or b_low.shape[1] != k:
        raise ValueError("b and b_low must be lead x k")
    if g.shape[0] != lead or g.shape[1] != k or g_low.shape[0] != lead or g_low.shape[1] != k or rss.shape[0] != k:
        raise ValueError("g and g_low must be lead x k and rss of length k")
    cdef const double *b_in = read_dense(b)
    cdef const double *low_in = read_dense(b_low)
    cdef double *g_out = write_dense(g)
    cdef double *low_out = write_dense(g_low)
    cdef double *rss_out = write_vector(rss)
    cdef flsq_status status
    with nogil:
        status = flsq_residual_twofold(kernels, &rows.view, b_in, low_in, g_out, low_out, rss_out, n_threads)
    check(status)


def leave_one_out(x, y, weights, scale, offset, const double[:, ::1] basis, const double[:, ::1] damping,
                  const double[:, :, ::1] b, double base, int n_threads, kernel=None):
    """(sums of w (y - X b)², the same with every row left out of its own fit), both k x fits.

    basis (p, modes), damping (modes, fits), b (k, p, fits): a row has the leverage w (base + (x basis)² damping).
    """
    cdef const flsq_kernels *kernels = select(kernel)
    cdef Rows rows = Rows(x, y, weights, scale, offset, False)
    cdef int64_t p = rows.view.x.columns, k = rows.view.y.columns
    cdef flsq_fits fits
    fits.modes, fits.count, fits.base = damping.shape[0], damping.shape[1], base
    if basis.shape[0] != p or basis.shape[1] != fits.modes or b.shape[0] != k or b.shape[1] != p:
        raise ValueError("sizes differ")
    if b.shape[2] != fits.count or fits.modes == 0 or fits.count == 0 or p == 0 or k == 0:
        raise ValueError("sizes differ")
    fits.basis, fits.damping, fits.b = &basis[0, 0], &damping[0, 0], &b[0, 0, 0]
    squares, left_out = new_array((k, fits.count)), new_array((k, fits.count))
    cdef double *squares_out = own_data(squares)
    cdef double *left_out_out = own_data(left_out)
    cdef flsq_status status
    with nogil:
        status = flsq_leave_one_out(kernels, &rows.view, &fits, n_threads, squares_out, left_out_out)
    check(status)
    return squares, left_out
