# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
#
# Elastic net on normal equations.


cdef const double *vector_of(const double[::1] values, int64_t length) except? NULL:
    if values.shape[0] != length:
        raise ValueError("sizes differ")
    return &values[0] if length > 0 else NULL


cdef class Penalized:
    """One path: (yy - 2 b·c + b·M b)/2 + alpha sum_j (l1_j |b_j| + l2_j b_j²/2) for every alpha; held: moments of the
    rows held out, (m, c, yy, weight, difference of the means of X, of y), or None."""

    cdef const double[:, ::1] held_m
    cdef const double[:, :] m
    cdef const double[::1] c, l1, l2, alpha, start, held_c, distance
    cdef flsq_held_out held
    cdef flsq_penalized view
    cdef flsq_path out
    cdef readonly object b, gap, objective, sweeps, error

    def __cinit__(self, const double[:, :] m, const double[::1] c, double yy, const double[::1] l1,
                  const double[::1] l2, const double[::1] alpha, bint nonnegative, double tolerance,
                  int64_t most_sweeps, const double[::1] start=None, held=None):
        cdef int64_t p = c.shape[0], count = alpha.shape[0]
        if p == 0 or m.shape[0] != p or m.shape[1] != p:
            raise ValueError("sizes differ")
        if p > 1 and m.strides[1] != sizeof(double):
            raise ValueError("rows must be contiguous")
        self.m, self.c, self.l1, self.l2, self.alpha = m, c, l1, l2, alpha
        self.view.p, self.view.m, self.view.ldm = p, &m[0, 0], m.strides[0] // <int64_t> sizeof(double)
        self.view.c, self.view.yy = vector_of(c, p), yy
        self.view.l1, self.view.l2 = vector_of(l1, p), vector_of(l2, p)
        self.view.nonnegative, self.view.tolerance, self.view.most_sweeps = nonnegative, tolerance, most_sweeps
        self.view.count, self.view.alpha = count, vector_of(alpha, count)
        if start is not None:
            self.start = start
            self.view.start = vector_of(start, p)
        self.b, self.gap, self.objective = new_array((count, p)), new_array(count), new_array(count)
        self.sweeps = new_array(count, numpy.int64)
        self.out.b, self.out.gap, self.out.objective = own_data(self.b), own_data(self.gap), own_data(self.objective)
        self.out.sweeps = <int64_t *> own_data(self.sweeps)
        if held is not None:
            self.hold_out(*held)

    cdef int keep(self, const double[:, ::1] m, const double[::1] c, const double[::1] distance) except -1:
        if m.shape[0] != self.view.p or m.shape[1] != self.view.p:
            raise ValueError("sizes differ")
        self.held_m, self.held_c, self.distance = m, c, distance
        self.held.m = read_dense(m)
        self.held.c, self.held.distance = vector_of(c, self.view.p), vector_of(distance, self.view.p)
        return 0

    def hold_out(self, m, c, double yy, double weight, distance, double apart):
        """Rows whose error is wanted for every alpha."""
        self.keep(m, c, distance)
        self.held.yy, self.held.weight, self.held.apart = yy, weight, apart
        self.view.held_out = &self.held
        self.error = new_array(self.view.count)
        self.out.error = own_data(self.error)


def elastic_net_paths(list problems, int n_threads, kernel=None):
    """Fills b, gap, objective, sweeps and error of each `Penalized`."""
    cdef const flsq_kernels *kernels = select(kernel)
    cdef int64_t count = len(problems), i
    cdef Penalized problem
    views = new_array(count * sizeof(flsq_penalized), numpy.int8)
    outs = new_array(count * sizeof(flsq_path), numpy.int8)
    cdef flsq_penalized *view = <flsq_penalized *> own_data(views)
    cdef flsq_path *out = <flsq_path *> own_data(outs)
    for i in range(count):
        problem = problems[i]
        view[i], out[i] = problem.view, problem.out
    cdef flsq_status status
    with nogil:
        status = flsq_elastic_net_paths(kernels, count, view, n_threads, out)
    check(status)


def duality_gap(const double[::1] b, const double[::1] q, const double[::1] l1, const double[::1] l2,
                const double[::1] diagonal, double alpha, bint nonnegative, double yy, double rss):
    """How far the elastic net's objective at b is above its minimum, at most; q = c - M b."""
    cdef int64_t p = b.shape[0]
    return flsq_duality_gap(p, vector_of(b, p), vector_of(q, p), vector_of(l1, p), vector_of(l2, p),
                            vector_of(diagonal, p), alpha, nonnegative, yy, rss)
