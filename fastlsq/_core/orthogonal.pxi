# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
#
# Small problems by QR.


cdef class Orthogonal:
    """QR of all rows: a Factor, of which only `scale`, `condition` and `trace` are known where the rank is less.

    `values` and `right` are singular values and right singular vectors (columns) of X D, D = diag(factor.scale), about the
    means where there is an intercept; NaN where the condition did not ask for them, None where rows are fewer than columns and
    these are many.
    """

    cdef flsq_orthogonal view
    cdef flsq_report report
    cdef readonly Factor factor
    cdef readonly object values, right

    def __cinit__(self, int64_t rows, int64_t n, active=None):
        self.factor = Factor(n, active, rows >= n)
        self.view.factor = self.factor.view
        if flsq_qr_takes_dependent_rows(rows, n):
            self.values, self.right = numpy.full(n, numpy.nan), numpy.full((n, n), numpy.nan)
            self.view.values, self.view.right = own_data(self.values), own_data(self.right)

    @property
    def rank(self):
        return self.view.rank

    @property
    def is_wide(self):
        """Whether the rows are fewer than the columns and independent: there are no singular values then."""
        return self.view.rank < self.view.factor.n and (self.values is None or numpy.isnan(self.values).any())

    @property
    def passes(self):
        """Reads of the rows."""
        return self.report.passes

    @property
    def backward_error(self):
        return self.report.backward_error

    cdef bint solve(self, const flsq_kernels *kernels, const flsq_rows *rows, double *b, double *rss) except? 0:
        """Whether there is an answer."""
        cdef flsq_status status
        with nogil:
            status = flsq_solve_by_qr(kernels, rows, &self.view, b, rss, &self.report)
        check(status)
        self.factor.view = self.view.factor
        return self.report.verdict == FLSQ_CERTIFIED


def is_for_qr(int64_t n, int64_t p, int64_t k):
    """Whether a problem is small enough for `solve_by_qr`."""
    return bool(flsq_is_for_qr(n, p, k))


def solve_by_qr(x, y, weights, scale, offset, bint unit, active, kernel=None):
    """(b, rss, Orthogonal) for the `active` columns (indices, None for all), or None where that is not finite."""
    cdef const flsq_kernels *kernels = select(kernel)
    cdef Rows rows = Rows(x, y, weights, scale, offset, unit)
    cdef int64_t p = rows.view.x.columns, k = rows.view.y.columns
    if rows.view.x.rows == 0 or k == 0 or (scale is None) != (offset is None):
        raise ValueError("needs rows, targets, and scale and offset together")
    if active is not None and len(active) > 0 and max(active) >= p:
        raise ValueError("active names a column that does not exist")
    cdef Orthogonal found = Orthogonal(rows.view.x.rows - unit, p if active is None else len(active), active)
    b, rss = new_array((p + unit, k)), new_array(k)
    return (b, rss, found) if found.solve(kernels, &rows.view, own_data(b), own_data(rss)) else None
