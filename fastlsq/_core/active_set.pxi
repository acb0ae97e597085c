# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
#
# Coefficients between bounds.  Everything lies target by target: (k, p).


cdef class Boxes:
    """lower <= b <= upper for k targets; bounds are (k, p), or (1, p) for all of them."""

    cdef flsq_boxes view
    cdef readonly object b, place, rounds, settled
    cdef const double[:, ::1] lower, upper

    def __cinit__(self, const double[:, ::1] lower, const double[:, ::1] upper, int64_t count, int64_t most):
        cdef int64_t p = lower.shape[1]
        if upper.shape[1] != p or upper.shape[0] != lower.shape[0] or lower.shape[0] not in (1, count):
            raise ValueError("sizes differ")
        self.lower, self.upper = lower, upper
        self.view.lower, self.view.upper = read_dense(lower), read_dense(upper)
        self.view.shared = lower.shape[0] == 1
        self.view.p, self.view.count, self.view.most = p, count, most
        self.b, self.place = numpy.zeros((count, p)), numpy.zeros((count, p), numpy.int8)
        self.rounds, self.settled = numpy.zeros(count, numpy.int64), numpy.zeros(count, numpy.int8)
        self.view.b, self.view.place = own_data(self.b), <int8_t *> own_data(self.place)
        self.view.rounds, self.view.settled = <int64_t *> own_data(self.rounds), <int8_t *> own_data(self.settled)

    def move(self, const double[:, ::1] m, double[:, ::1] g, const double[::1] slack, int n_threads, kernel=None):
        """To the minimum for the well-conditioned moments m, from `b` and `place` with the gradient g (k, p), which
        becomes that at the minimum; slack (k,) is the rounding in g."""
        cdef const flsq_kernels *kernels = select(kernel)
        cdef int64_t p = self.view.p, k = self.view.count
        if m.shape[0] != p or m.shape[1] != p or g.shape[0] != k or g.shape[1] != p or slack.shape[0] != k:
            raise ValueError("sizes differ")
        cdef const double *moments = read_dense(m)
        cdef double *gradient = write_dense(g)
        cdef const double *slacks = &slack[0] if k > 0 else NULL
        cdef flsq_status status
        with nogil:
            status = flsq_active_set(kernels, &self.view, moments, slacks, n_threads, gradient)
        check(status)

    def solve(self, const double[:, ::1] t, const double[:, ::1] d, const double[::1] price, int n_threads,
              kernel=None):
        """min |T b - d| of any rank, from the start: t (p, rows) holds the columns of T, d (k, rows); the column with
        the largest gradient times its price (p,) goes first."""
        cdef const flsq_kernels *kernels = select(kernel)
        cdef int64_t p = self.view.p, k = self.view.count, rows = t.shape[1]
        if t.shape[0] != p or d.shape[0] != k or d.shape[1] != rows or price.shape[0] != p:
            raise ValueError("sizes differ")
        cdef const double *columns = read_dense(t)
        cdef const double *targets = read_dense(d)
        cdef const double *prices = &price[0] if p > 0 else NULL
        cdef flsq_status status
        with nogil:
            status = flsq_bounded_rows(kernels, &self.view, rows, columns, targets, prices, n_threads)
        check(status)


def nnls(a, b, int64_t most):
    """(x, rnorm, rounds, free, kkt) for small float64 a (n, p), b (n,), with x and rnorm arrays.

    None for anything else, and where `most` rounds (0 for enough) do not do or a result would not be finite.
    """
    cdef Rows rows = Rows(a, b, None, None, None, False)
    cdef int64_t n = rows.view.x.rows, p = rows.view.x.columns
    if rows.view.x.dtype != FLSQ_F64 or rows.view.y.dtype != FLSQ_F64 or rows.view.y.columns != 1:
        return None
    if not flsq_nnls_is_small(n, p):
        return None
    cdef const flsq_kernels *kernels = select(None)
    cdef flsq_nonnegative found
    cdef flsq_status status
    x, rnorm = new_array(p), new_array(1)
    cdef double *x_out = own_data(x)
    cdef double *rnorm_out = own_data(rnorm)
    if most <= 0:
        most = max(100, 10 * p)
    with nogil:
        status = flsq_nnls(kernels, &rows.view, most, x_out, rnorm_out, &found)
    check(status)
    return (x, rnorm, found.rounds, found.free, found.kkt) if found.settled else None
