# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
#
# The p x p system: factor, solves, condition, inverse.


cdef int64_t square(const double[:, ::1] a) except -1:
    if a.shape[0] != a.shape[1]:
        raise ValueError("expected a square matrix")
    return a.shape[0]


def cholesky(double[:, ::1] a, int n_threads, kernel=None):
    """Overwrite the upper triangle of a with R, RᵀR = A.  Returns the first failing row, or None."""
    cdef const flsq_kernels *kernels = select(kernel)
    cdef int64_t n = square(a), pivot
    cdef double *data = write_dense(a)
    cdef flsq_status status
    with nogil:
        status = flsq_cholesky(kernels, n, data, n, n_threads, &pivot)
    if status == FLSQ_NOT_POSITIVE_DEFINITE:
        return pivot
    check(status)
    return None


def triangular_solve(const double[:, ::1] r, double[:, ::1] x, bint transposed, kernel=None):
    """Overwrite x with R⁻¹x, or with R⁻ᵀx when transposed."""
    cdef const flsq_kernels *kernels = select(kernel)
    cdef int64_t n = square(r), k = x.shape[1]
    if x.shape[0] != n:
        raise ValueError("x and r differ in rows")
    cdef const double *factor = read_dense(r)
    cdef double *data = write_dense(x)
    with nogil:
        if transposed:
            flsq_triangular_solve_transposed(kernels, n, factor, n, k, data)
        else:
            flsq_triangular_solve(kernels, n, factor, n, k, data)


def inverse_norm_estimate(const double[:, ::1] r, kernel=None):
    """A lower bound, rarely more than 3 times too small, of the 1-norm of (RᵀR)⁻¹."""
    cdef const flsq_kernels *kernels = select(kernel)
    cdef int64_t n = square(r)
    cdef const double *factor = read_dense(r)
    cdef double norm
    cdef flsq_status status
    with nogil:
        status = flsq_inverse_norm_estimate(kernels, n, factor, n, &norm)
    check(status)
    return norm


def cholesky_inverse(const double[:, ::1] r, double[:, ::1] inverse, kernel=None):
    """inverse = (RᵀR)⁻¹, both triangles."""
    cdef const flsq_kernels *kernels = select(kernel)
    cdef int64_t n = square(r)
    if square(inverse) != n:
        raise ValueError("inverse and r differ in size")
    cdef const double *factor = read_dense(r)
    cdef double *out = write_dense(inverse)
    with nogil:
        flsq_cholesky_inverse(kernels, n, factor, n, out)
