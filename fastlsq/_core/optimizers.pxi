# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
#
# Steps of gradient optimizers on the user's arrays.
from cpython.buffer cimport PyBUF_ANY_CONTIGUOUS
from cpython.mem cimport PyMem_Calloc, PyMem_Free

SGD, RMSPROP, ADAGRAD, ADAM = FLSQ_RULE_SGD, FLSQ_RULE_RMSPROP, FLSQ_RULE_ADAGRAD, FLSQ_RULE_ADAM
STATES = FLSQ_STATES


cdef class Settings:
    """flsq_optimizer, by the names of its members."""

    cdef flsq_optimizer view

    def __cinit__(self, int rule, *, bint nesterov=False, bint centered=False, bint amsgrad=False, bint decoupled=False,
                  bint maximize=False, double momentum=0.0, double dampening=0.0, double beta1=0.0, double beta2=0.0,
                  double eps=0.0, double rate_decay=0.0, double weight_decay=0.0, double clip_value=0.0):
        self.view = flsq_optimizer(rule, nesterov, centered, amsgrad, decoupled, maximize, momentum, dampening, beta1,
                                   beta2, eps, rate_decay, weight_decay, clip_value)

    @property
    def states(self):
        """For each of the STATES, whether it is kept."""
        cdef int kept = flsq_optimizer_states(&self.view)
        return [bool(kept >> state & 1) for state in range(FLSQ_STATES)]


cdef class Parameters:
    """Arrays held for one step: for each of the parameters (t, values, gradient, [state or None, ...])."""

    cdef flsq_parameter *views
    cdef Py_buffer *buffers
    cdef int64_t count, held

    def __cinit__(self, list parameters):
        cdef int64_t i
        cdef int s
        cdef flsq_parameter *view
        self.views = <flsq_parameter *> PyMem_Calloc(len(parameters) + 1, sizeof(flsq_parameter))
        self.buffers = <Py_buffer *> PyMem_Calloc((len(parameters) + 1) * (2 + FLSQ_STATES), sizeof(Py_buffer))
        if self.views == NULL or self.buffers == NULL:
            raise MemoryError("no memory for the parameters")
        for i in range(len(parameters)):
            t, values, gradient, states = parameters[i]
            view = &self.views[i]
            view.t = t
            view.values = self.hold(values, view, True, True)
            view.gradient = self.hold(gradient, view, False, False)
            for s in range(FLSQ_STATES):
                view.state[s] = NULL if states[s] is None else self.hold(states[s], view, False, True)
            self.count = i + 1

    cdef void *hold(self, array, flsq_parameter *view, bint first, bint writable) except? NULL:
        cdef Py_buffer *buffer = &self.buffers[self.held]
        PyObject_GetBuffer(array, buffer, PyBUF_ANY_CONTIGUOUS | PyBUF_FORMAT | (PyBUF_WRITABLE if writable else 0))
        self.held += 1
        cdef bytes code = (<bytes> buffer.format).lstrip(NATIVE)
        if code not in (b"d", b"f"):
            raise TypeError("expected float64 or float32")
        cdef flsq_dtype dtype = FLSQ_F64 if code == b"d" else FLSQ_F32
        cdef int64_t n = buffer.len // buffer.itemsize
        if first:
            view.n, view.dtype = n, dtype
        elif view.n != n or view.dtype != dtype:
            raise ValueError("values, gradient and states differ in size or dtype")
        return buffer.buf

    def __dealloc__(self):
        cdef int64_t i
        for i in range(self.held):
            PyBuffer_Release(&self.buffers[i])
        PyMem_Free(self.buffers)
        PyMem_Free(self.views)


def optimizer_step(Settings settings not None, double learning_rate, double factor, Parameters parameters not None,
                   int n_threads, kernel=None):
    """One step of all parameters in place, their gradients multiplied by `factor`."""
    cdef const flsq_kernels *kernels = select(kernel)
    cdef int kept = flsq_optimizer_states(&settings.view)
    cdef int64_t i
    cdef int s
    for i in range(parameters.count):
        for s in range(FLSQ_STATES):
            if parameters.views[i].t < 1 or (kept >> s & 1) != (parameters.views[i].state[s] != NULL):
                raise ValueError("t starts at 1, and the states must be those the rule keeps")
    with nogil:
        flsq_optimizer_step(kernels, &settings.view, learning_rate, factor, parameters.count, parameters.views,
                            n_threads)


def gradient_norm(double limit, Parameters parameters not None, int n_threads, kernel=None):
    """Length of all gradients together, each clipped at `limit` unless that is 0; not finite where one is not."""
    cdef const flsq_kernels *kernels = select(kernel)
    cdef double norm = 0
    cdef flsq_status status
    with nogil:
        status = flsq_gradient_norm(kernels, limit, parameters.count, parameters.views, n_threads, &norm)
    check(status)
    return norm
