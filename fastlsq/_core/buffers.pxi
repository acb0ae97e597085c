# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
#
# Python buffers as flsq_matrix, and statuses as exceptions.
from sys import byteorder

from cython cimport freelist

from cpython.buffer cimport PyBUF_FORMAT, PyBUF_STRIDES, PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer


cdef int check(flsq_status status) except -1:
    if status == FLSQ_OK:
        return 0
    if status == FLSQ_NO_MEMORY:
        raise MemoryError("no memory for the workspace")
    if status == FLSQ_TOO_LARGE:
        raise OverflowError("the problem is too large: a size overflows 64 bits")
    if status == FLSQ_NOT_POSITIVE_DEFINITE:
        raise ArithmeticError("the matrix is not positive definite")
    raise ValueError(f"unexpected status {status}")


cdef dict DTYPES = {
    (b"d", 8): FLSQ_F64, (b"f", 4): FLSQ_F32, (b"e", 2): FLSQ_F16, (b"?", 1): FLSQ_U8,
    (b"b", 1): FLSQ_I8, (b"h", 2): FLSQ_I16, (b"i", 4): FLSQ_I32, (b"l", 4): FLSQ_I32, (b"l", 8): FLSQ_I64,
    (b"q", 8): FLSQ_I64,
    (b"B", 1): FLSQ_U8, (b"H", 2): FLSQ_U16, (b"I", 4): FLSQ_U32, (b"L", 4): FLSQ_U32, (b"L", 8): FLSQ_U64,
    (b"Q", 8): FLSQ_U64,
}


# prefixes NumPy gives to native elements, aligned or not
cdef bytes NATIVE = b"@=^" + (b"<" if byteorder == "little" else b">")


@freelist(8)
cdef class Matrix:
    """A user's array held for reading: 2-D as it is, 1-D as one column."""

    cdef Py_buffer buffer
    cdef bint held
    cdef flsq_matrix view

    def __cinit__(self, array, bint is_f64=False):
        # to describe the elements of an array costs NumPy as much as all the rest of its buffer
        PyObject_GetBuffer(array, &self.buffer, PyBUF_STRIDES if is_f64 else PyBUF_STRIDES | PyBUF_FORMAT)
        self.held = True
        if self.buffer.ndim not in (1, 2):
            raise ValueError("expected a 1-D or 2-D array")
        if is_f64 or (self.buffer.format[0] == c"d" and self.buffer.format[1] == 0):
            self.view.dtype = FLSQ_F64
        else:
            code = DTYPES.get((self.buffer.format.lstrip(NATIVE), self.buffer.itemsize))
            if code is None:
                raise TypeError(f"unsupported element type {self.buffer.format!r}")
            self.view.dtype = code
        self.view.data = self.buffer.buf
        self.view.rows = self.buffer.shape[0]
        self.view.row_stride = self.buffer.strides[0]
        self.view.columns = self.buffer.shape[1] if self.buffer.ndim == 2 else 1
        self.view.col_stride = self.buffer.strides[1] if self.buffer.ndim == 2 else 0

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.buffer)


@freelist(8)
cdef class Rows:
    """One block of observations: X, Y, weights and the scale and offset of their columns."""

    cdef Matrix x, y, weights
    cdef const double[::1] scale, offset
    cdef flsq_rows view

    def __cinit__(self, x, y, weights, scale, offset, bint unit, bint is_f64=False):
        self.x = Matrix(x, is_f64)
        self.view.x = self.x.view
        if y is not None:
            self.y = Matrix(y, is_f64)
            self.view.y = self.y.view
            if self.view.y.rows != self.view.x.rows:
                raise ValueError("x and y differ in rows")
        else:
            self.view.y.columns = 0
        if weights is not None:
            self.weights = Matrix(weights)
            self.view.weights = self.weights.view
            if self.view.weights.rows != self.view.x.rows or self.view.weights.columns != 1:
                raise ValueError("weights must be one per row")
        self.view.unit = unit
        if scale is not None:
            self.scale = scale
            self.view.scale = self.check_length(self.scale)
        if offset is not None:
            self.offset = offset
            self.view.offset = self.check_length(self.offset)

    cdef const double *check_length(self, const double[::1] values) except? NULL:
        if values.shape[0] != self.view.x.columns + self.view.unit + self.view.y.columns:
            raise ValueError("scale and offset need one entry per column of [X | 1 | Y]")
        return &values[0] if values.shape[0] > 0 else NULL


cdef double *own_data(array) except? NULL:
    """Data of a float64 array that was made here and that nobody else can resize."""
    cdef Py_buffer buffer
    PyObject_GetBuffer(array, &buffer, PyBUF_WRITABLE)
    PyBuffer_Release(&buffer)
    return <double *> buffer.buf


cdef const double *read_dense(const double[:, ::1] a) noexcept:
    return &a[0, 0] if a.shape[0] > 0 and a.shape[1] > 0 else NULL


cdef double *write_dense(double[:, ::1] a) noexcept:
    return &a[0, 0] if a.shape[0] > 0 and a.shape[1] > 0 else NULL


cdef double *write_vector(double[::1] a) noexcept:
    return &a[0] if a.shape[0] > 0 else NULL


def first_nonfinite(array):
    """(row, column) of the first NaN or infinity in row order, or None."""
    cdef Matrix matrix = Matrix(array)
    cdef int64_t row, column
    with nogil:
        flsq_find_nonfinite(&matrix.view, &row, &column)
    return None if row < 0 else (row, column)


def first_bad_weight(array):
    """Row of the first negative, infinite or NaN entry of a vector, or None."""
    cdef Matrix matrix = Matrix(array)
    cdef int64_t row
    with nogil:
        flsq_find_bad_weight(&matrix.view, &row)
    return None if row < 0 else row


def column_max_abs(array, double[::1] out):
    """out[j] = max_i |a_ij|; NaN is ignored."""
    cdef Matrix matrix = Matrix(array)
    if out.shape[0] != matrix.view.columns:
        raise ValueError("out needs one entry per column")
    if out.shape[0] == 0:
        return
    cdef double *largest = &out[0]
    with nogil:
        flsq_column_max_abs(&matrix.view, largest)
