# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
#
# Small problems by QR; columns that may depend on each other.


cdef class Orthogonal:
    """QR of all rows: a Factor, of which only `scale`, `condition` and `trace` are known where the rank is less.

    Then, unless `is_wide`: `null`, an orthonormal basis (n, n - rank) of the null space of X D, D = diag(factor.scale),
    about the means where there is an intercept; `range` (n, rank), with X D range of orthonormal columns; and
    `dependent` (n,).
    """

    cdef flsq_orthogonal view
    cdef flsq_report report
    cdef readonly Factor factor
    cdef object nulls, ranges, dependents

    def __cinit__(self, int64_t rows, int64_t n, active=None):
        self.factor = Factor(n, active, rows >= n)
        self.view.factor = self.factor.view
        if flsq_qr_takes_dependent_rows(rows, n):
            self.nulls, self.ranges = new_array(n * n), new_array(n * n)
            self.dependents = numpy.full(n, -1, numpy.int8)
            self.view.null, self.view.range = own_data(self.nulls), own_data(self.ranges)
            self.view.dependent = <int8_t *> own_data(self.dependents)

    @property
    def is_wide(self):
        """Whether the rows are fewer than the columns and independent."""
        return self.view.rank < self.view.factor.n and (self.dependents is None or self.dependents[0] < 0)

    @property
    def null(self):
        cdef int64_t n = self.view.factor.n, missing = n - self.view.rank
        return self.nulls[:n * missing].reshape((n, missing))

    @property
    def range(self):
        cdef int64_t n = self.view.factor.n, rank = self.view.rank
        return self.ranges[:n * rank].reshape((n, rank))

    @property
    def dependent(self):
        return self.dependents != 0

    @property
    def rank(self):
        return self.view.rank

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


cdef class Truncated:
    """X D, (X D)ᵀX D = triangleᵀ moments triangle, by a pivoted QR that is cut at its rank."""

    cdef flsq_truncated *view
    cdef int64_t n

    def __cinit__(self, const double[:, ::1] moments, const double[:, ::1] triangle, kernel=None):
        cdef const flsq_kernels *kernels = select(kernel)
        self.n = moments.shape[0]
        if moments.shape[1] != self.n or triangle.shape[0] != self.n or triangle.shape[1] != self.n:
            raise ValueError("sizes differ")
        cdef const double *m = read_dense(moments)
        cdef const double *r = read_dense(triangle)
        cdef flsq_status status
        with nogil:
            status = flsq_truncated_create(kernels, self.n, m, r, &self.view)
        check(status)

    def __dealloc__(self):
        flsq_truncated_destroy(self.view)

    @property
    def rank(self):
        return flsq_truncated_rank(self.view)

    @property
    def condition(self):
        """Of what counts, in the 2-norm; an estimate."""
        return flsq_truncated_condition(self.view)

    def cut(self, int64_t rank):
        """Take this rank instead."""
        if rank < 0 or rank > self.n:
            raise ValueError("rank out of range")
        check(flsq_truncated_cut(self.view, rank))

    def solve(self, const double[:, ::1] h):
        """z (n, k) that minimises ‖X D z - y‖ where h = (X T)ᵀy (n, k); not the shortest."""
        cdef int64_t k = h.shape[1]
        if h.shape[0] != self.n:
            raise ValueError("sizes differ")
        z = new_array((self.n, k))
        flsq_truncated_solve(self.view, k, read_dense(h), own_data(z))
        return z

    def norms(self, const double[:, ::1] g):
        """‖c‖ (k,) of the c with g = (X D)ᵀQ c, Q an orthonormal basis of the range."""
        cdef int64_t k = g.shape[1]
        if g.shape[0] != self.n:
            raise ValueError("sizes differ")
        norm = new_array(k)
        flsq_truncated_norms(self.view, k, read_dense(g), own_data(norm))
        return norm

    @property
    def null(self):
        """Orthonormal basis (n, n - rank) of the null space of X D."""
        basis = new_array((self.n, self.n - self.rank))
        check(flsq_truncated_null(self.view, own_data(basis)))
        return basis

    @property
    def range(self):
        """(n, rank): X D times it has orthonormal columns."""
        basis = new_array((self.n, self.rank))
        flsq_truncated_range(self.view, own_data(basis))
        return basis

    @property
    def dependent(self):
        """Which columns depend on earlier ones, boolean (n,)."""
        found = new_array(self.n, numpy.int8)
        check(flsq_truncated_dependent(self.view, <int8_t *> own_data(found)))
        return found != 0


def triangular_product(const double[:, ::1] a, const double[:, ::1] b, kernel=None):
    """A B for upper triangular A and B."""
    cdef const flsq_kernels *kernels = select(kernel)
    cdef int64_t n = a.shape[0]
    if a.shape[1] != n or b.shape[0] != n or b.shape[1] != n:
        raise ValueError("sizes differ")
    product = new_array((n, n))
    cdef double *out = own_data(product)
    cdef const double *left = read_dense(a)
    cdef const double *right = read_dense(b)
    with nogil:
        flsq_triangular_product(kernels, n, left, right, out)
    return product
