# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
#
# Gradient descent on rows.

cdef dict LOSSES = {
    "squared": FLSQ_LOSS_SQUARED, "huber": FLSQ_LOSS_HUBER, "quantile": FLSQ_LOSS_QUANTILE,
    "epsilon_insensitive": FLSQ_LOSS_EPSILON_INSENSITIVE, "logistic": FLSQ_LOSS_LOGISTIC, "hinge": FLSQ_LOSS_HINGE,
    "poisson": FLSQ_LOSS_POISSON, "softmax": FLSQ_LOSS_SOFTMAX,
}


cdef class Descent:
    """flsq_descent: rows, targets (n x predictors, or n numbers of classes) and a loss, held for reading.

    x is an array, or (start, index, value, columns) of rows that hold few values.
    """

    cdef Matrix x, start, index
    cdef flsq_sparse sparse
    cdef const double[:, ::1] y
    cdef const double[::1] weights, center, factor
    cdef flsq_descent view

    def __cinit__(self, x, const double[:, ::1] y not None, weights, loss, double parameter, int64_t predictors,
                  bint labels, center=None, factor=None, bint shaped=False):
        self.y = y
        if isinstance(x, tuple):
            self.hold_sparse(x)
        else:
            self.x = Matrix(x)
            self.view.x = self.x.view
        self.view.predictors = predictors
        self.view.loss.kind = LOSSES[loss]
        self.view.loss.parameter = parameter
        self.view.loss.one_class = labels and loss != "softmax"
        self.view.shaped = shaped
        cdef int64_t n = self.view.x.rows, p = self.view.x.columns
        cdef int64_t columns = 1 if labels else predictors
        if y.shape[0] != n or y.shape[1] != columns or n == 0 or predictors < 1 or (loss == "softmax") > labels:
            raise ValueError("y must be n x predictors, or n x 1 numbers of classes")
        self.view.y = &self.y[0, 0]
        if self.view.sparse != NULL and shaped:
            raise ValueError("rows that hold few values are not shaped")
        if weights is not None:
            self.weights = weights
            if self.weights.shape[0] != n:
                raise ValueError("weights must be one per row")
            self.view.weights = &self.weights[0]
        if center is not None and p > 0:
            self.center, self.factor = center, factor
            if self.center.shape[0] != p or self.factor.shape[0] != p:
                raise ValueError("center and factor must be one per column")
            self.view.center, self.view.factor = &self.center[0], &self.factor[0]
        elif shaped:
            raise ValueError("shaped rows need center and factor")

    cdef int hold_sparse(self, tuple parts) except -1:
        self.start, self.index, self.x = Matrix(parts[0]), Matrix(parts[1]), Matrix(parts[2])
        for part in (self.start, self.index, self.x):
            check_vector(part)
        self.sparse = flsq_sparse(self.start.view.data, self.index.view.data, self.x.view.data, self.start.view.dtype,
                                  self.x.view.dtype)
        if (self.index.view.dtype != self.sparse.integer or self.sparse.integer not in (FLSQ_I32, FLSQ_I64)
                or self.sparse.real not in (FLSQ_F32, FLSQ_F64) or self.start.view.rows < 1
                or self.index.view.rows != self.x.view.rows):
            raise ValueError("start and index must be int32 or int64, value float32 or float64, as many as index")
        self.view.x.rows, self.view.x.columns = self.start.view.rows - 1, parts[3]
        self.view.sparse = &self.sparse
        return 0

    @property
    def parameters(self):
        return self.view.predictors*(self.view.x.columns + 1)


cdef int check_vector(Matrix a) except -1:
    if a.buffer.ndim != 1 or (a.buffer.shape[0] > 1 and a.buffer.strides[0] != a.buffer.itemsize):
        raise ValueError("expected a contiguous vector")
    return 0


cdef double *parameters_of(double[::1] values, int64_t length) except? NULL:
    if values.shape[0] != length:
        raise ValueError("a vector of the state has a wrong length")
    return &values[0]


def descent_run(Descent problem not None, Settings optimizer not None, const double[::1] rates, double[::1] b,
                list states, int64_t done, *, int64_t batch_rows, int64_t first_row=0, bint shuffled=False,
                int64_t block_rows=1, uint64_t key=0, double mean_weight=1.0, double l1=0.0, double l2=0.0,
                double clip_norm=0.0, bint intercept=True, double[::1] average=None, int64_t averaged=0,
                int64_t average_from=0, int n_threads=1, saga=None, kernel=None):
    """A step for each of the rates, in place on b, states and average, where `done` were made before.

    saga: the last slope of every row and their mean, in place.

    Returns {"steps", "rows", "loss", "weight", "square", "finite", "averaged"}.
    """
    cdef const flsq_kernels *kernels = select(kernel)
    cdef flsq_descent_plan plan
    cdef flsq_descent_state state
    cdef flsq_descent_report report
    cdef flsq_status status
    cdef int64_t d = problem.parameters, n = problem.view.x.rows, steps = rates.shape[0]
    cdef int kept = flsq_optimizer_states(&optimizer.view), s
    if batch_rows < 1 or block_rows < 1 or first_row < 0 or mean_weight <= 0 or done < 0 or len(states) != FLSQ_STATES:
        raise ValueError("batch_rows and block_rows must be at least 1, mean_weight > 0")
    if batch_rows < n and (first_row % batch_rows != 0 or first_row >= n
                           or steps > (n - first_row - 1)//batch_rows + 1):
        raise ValueError("more steps than the order has batches")
    state.b = parameters_of(b, d)
    for s in range(FLSQ_STATES):
        if (kept >> s & 1) != (states[s] is not None):
            raise ValueError("the states must be those the rule keeps")
        state.state[s] = NULL if states[s] is None else parameters_of(states[s], d)
    state.average = NULL if average is None else parameters_of(average, d)
    state.averaged, state.steps = averaged, done
    state.kept = state.mean = NULL
    if saga is not None:
        if batch_rows != 1 or problem.view.predictors != 1 or problem.view.sparse != NULL or kept != 0:
            raise ValueError("SAGA makes plain steps over single dense rows of one predictor")
        state.kept, state.mean = parameters_of(saga[0], n), parameters_of(saga[1], d)
    plan.optimizer = &optimizer.view
    plan.order = flsq_order(n, block_rows, shuffled, key)
    plan.first_row, plan.batch_rows, plan.steps = first_row, batch_rows, steps
    plan.rates = &rates[0] if steps > 0 else NULL
    plan.mean_weight, plan.l1, plan.l2, plan.clip_norm = mean_weight, l1, l2, clip_norm
    plan.intercept, plan.average_from = intercept, average_from
    with nogil:
        status = flsq_descent_run(kernels, &problem.view, &plan, &state, n_threads, &report)
    check(status)
    return {"steps": report.steps, "rows": report.rows, "loss": report.loss, "weight": report.weight,
            "square": report.square, "finite": bool(report.finite), "averaged": state.averaged}


def descent_evaluate(Descent problem not None, const double[::1] b, double[::1] gradient=None, int n_threads=1,
                     kernel=None):
    """(sum of w l, sum of w) at b, and its gradient unless that is None."""
    cdef const flsq_kernels *kernels = select(kernel)
    cdef double loss = 0, weight = 0
    cdef double *g
    cdef flsq_status status
    if b.shape[0] != problem.parameters:
        raise ValueError("b has a wrong length")
    g = NULL if gradient is None else parameters_of(gradient, problem.parameters)
    with nogil:
        status = flsq_descent_evaluate(kernels, &problem.view, &b[0], n_threads, &loss, &weight, g)
    check(status)
    return loss, weight


def order_rows(int64_t block_rows, bint shuffled, uint64_t key, int64_t[::1] rows):
    """rows[i] = the row at place i of the order."""
    cdef flsq_order order = flsq_order(rows.shape[0], block_rows, shuffled, key)
    if block_rows < 1:
        raise ValueError("block_rows must be at least 1")
    if rows.shape[0] > 0:
        flsq_order_rows(&order, &rows[0])


def column_moments(x, weights, const double[::1] shift, int n_threads, double[::1] sums, double[::1] squares,
                   kernel=None):
    """sums[j] = sum w (x_j - shift_j), squares[j] = sum w (x_j - shift_j)**2."""
    cdef const flsq_kernels *kernels = select(kernel)
    cdef Matrix matrix = Matrix(x)
    cdef const double[::1] w
    cdef const double *own = NULL
    cdef int64_t p = matrix.view.columns
    cdef flsq_status status
    if shift.shape[0] != p or sums.shape[0] != p or squares.shape[0] != p:
        raise ValueError("shift, sums and squares need one entry per column")
    if weights is not None:
        w = weights
        if w.shape[0] != matrix.view.rows:
            raise ValueError("weights must be one per row")
        own = &w[0] if w.shape[0] > 0 else NULL
    if p == 0 or matrix.view.rows == 0:
        sums[:] = 0
        squares[:] = 0
        return
    with nogil:
        status = flsq_column_moments(kernels, &matrix.view, own, &shift[0], n_threads, &sums[0], &squares[0])
    check(status)
