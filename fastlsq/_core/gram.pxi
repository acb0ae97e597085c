# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
#
# The Gram pass.
from libc.string cimport memset


def block_rows(int64_t p):
    """Rows of one block of the summation grid for p columns."""
    return flsq_gram_block_rows(p)


cdef class Moments:
    """Sums over rows of the products of Z = [X | 1 | Y], kept as a stack of block sums."""

    cdef flsq_gram *gram
    cdef const flsq_kernels *kernels
    cdef readonly int64_t p, k
    cdef readonly bint unit

    def __cinit__(self, int64_t p, int64_t k, bint unit, kernel=None):
        self.kernels = select(kernel)
        self.p, self.k, self.unit = p, k, unit
        check(flsq_gram_create(self.kernels, p, k, unit, &self.gram))

    def __dealloc__(self):
        flsq_gram_destroy(self.gram)

    @property
    def kernel(self):
        return flsq_kernels_name(self.kernels).decode()

    @property
    def nbytes(self):
        return flsq_gram_nbytes(self.gram)

    cdef take(self, flsq_gram *gram):
        """Its sums from now on."""
        flsq_gram_destroy(self.gram)
        self.gram = gram
        return self

    def copy(self):
        cdef Moments other = Moments(self.p, self.k, self.unit, self.kernel)
        flsq_gram_destroy(other.gram)
        other.gram = NULL
        check(flsq_gram_copy(self.gram, &other.gram))
        return other

    def update(self, x, y, weights, scale, offset, int n_threads, const double[:, ::1] transform=None,
               const double[::1] factor=None):
        """Add rows; column c of [X | 1 | Y] enters as value*scale[c] - offset[c], then X as X @ transform (p x p, upper
        triangular).

        With a transform and a factor, returns how many times longer the longest row of X @ diag(factor) is than the
        middle one, to a factor of two.
        """
        cdef Rows rows = Rows(x, y, weights, scale, offset, self.unit)
        if transform is not None:
            if transform.shape[0] != self.p or transform.shape[1] != self.p:
                raise ValueError("transform must be p x p")
            rows.view.transform = read_dense(transform)
        cdef flsq_lengths lengths
        if factor is not None:
            if factor.shape[0] != self.p:
                raise ValueError("factor needs one entry per column")
            memset(&lengths, 0, sizeof(lengths))
            lengths.factor = &factor[0] if self.p > 0 else NULL
            rows.view.lengths = &lengths
        cdef flsq_status status
        if rows.view.x.columns != self.p or rows.view.y.columns != self.k:
            raise ValueError("x or y differ in columns from the state")
        with nogil:
            status = flsq_gram_update(self.gram, &rows.view, n_threads)
        check(status)
        return None if factor is None else flsq_lengths_spread(&lengths)

    def rescale(self, const int64_t[::1] exponents):
        """As if every column c had entered multiplied by 2**exponents[c]."""
        if exponents.shape[0] != self.p + self.unit + self.k:
            raise ValueError("exponents need one entry per column of [X | 1 | Y]")
        flsq_gram_rescale(self.gram, &exponents[0])

    def diagonal(self, double[::1] out):
        """Sums of squares of the columns of [X | 1 | Y]."""
        if out.shape[0] != self.p + self.unit + self.k:
            raise ValueError("out needs one entry per column of [X | 1 | Y]")
        flsq_gram_diagonal(self.gram, write_vector(out))

    def collect(self, double[:, ::1] zz, double[::1] yy, double[:, ::1] lost=None, int n_threads=1):
        """zz = [X | 1]ᵀ W [X | 1 | Y], yy = diag YᵀWY; lost, unless None, what rounding the sums in zz has lost."""
        cdef int64_t lead = self.p + self.unit
        if zz.shape[0] != lead or zz.shape[1] != lead + self.k or yy.shape[0] != self.k:
            raise ValueError("zz must be lead x (lead + k) and yy of length k")
        if lost is not None and not flsq_gram_carries(self.p):
            raise ValueError("a state of so many columns does not carry what rounding has lost")
        if lost is not None and (lost.shape[0] != lead or lost.shape[1] != lead + self.k):
            raise ValueError("lost must be of the shape of zz")
        cdef double *zz_out = write_dense(zz)
        cdef double *yy_out = write_vector(yy)
        cdef double *lost_out = write_dense(lost) if lost is not None else NULL
        with nogil:
            flsq_gram_collect(self.gram, n_threads, zz_out, yy_out, lost_out)
