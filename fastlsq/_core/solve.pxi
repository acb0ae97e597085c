# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
#
# Rung 1: factor and refinement of the normal equations.
import numpy
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

cdef object new_array = numpy.empty
cdef object float64 = numpy.float64


cdef dict REASONS = {
    FLSQ_ZERO_COLUMN: "a column has no sum of squares",
    FLSQ_PIVOT_FAILED: "Cholesky failed at pivot {pivot}",
    FLSQ_PIVOT_IN_NOISE: "a pivot is no larger than rounding noise",
    FLSQ_ILL_CONDITIONED: "condition estimate {condition:.1e} is too large for the normal equations",
    FLSQ_STEP_TOO_LARGE: "first refinement step {figure:.1e} is too large",
    FLSQ_NO_CONTRACTION: "refinement does not contract",
    FLSQ_NOT_FINITE: "refinement met a non-finite value",
    FLSQ_NOT_SETTLED: "not settled after {passes} refinement passes",
    FLSQ_OUT_OF_RANGE: "sums of squares leave the range of float64",
}

cdef enum:
    MOST_COLUMNS = 1 << 29  # of a factor: the bytes of its square stay below 2^63

OUT_OF_RANGE = REASONS[FLSQ_OUT_OF_RANGE]
SMALLEST_SQUARES = flsq_smallest_squares()
LARGEST_SQUARES = flsq_largest_squares()


def may_need_one_pass(int64_t n, int64_t p, int64_t k):
    """Whether `refine` can use what rounding the sums has lost."""
    return bool(flsq_may_need_one_pass(n, p, k))


def pivot_noise(int64_t n):
    """The bound below which a pivot of an n x n matrix with unit diagonal counts as rounding noise."""
    return flsq_pivot_noise(n)


cdef class Factor:
    """RᵀR = D M D, D = diag(scale): Cholesky of the equilibrated normal equations."""

    cdef flsq_factor view
    cdef const flsq_kernels *kernels  # that made it in one call, which keeps
    cdef double *answer              # the answer, k of rss behind it, or NULL
    cdef int64_t targets
    cdef readonly object active, transform, whole
    cdef const int64_t[::1] indices

    def __cinit__(self, int64_t n, active=None, bint has_r=True):
        self.view.pivot = -1
        self.view.n = n
        # not an array: of those NumPy asks for pages of 2 MiB, and half of the square is never touched
        if n < MOST_COLUMNS:
            self.view.scale = <double *> malloc((1 + (n if has_r else 0)) * n * sizeof(double))
        if self.view.scale == NULL and n > 0:
            raise MemoryError(f"no memory for a factor of {n} columns")
        self.view.r = self.view.scale + n if has_r else NULL
        self.active = active
        if active is not None and n > 0:
            self.indices = active
            if self.indices.shape[0] != n or min(self.indices) < 0:
                raise ValueError("active needs one index per column")
            self.view.active = &self.indices[0]

    def __dealloc__(self):
        free(self.view.scale)
        free(self.answer)

    cdef int keep(self, const flsq_kernels *kernels, int64_t k, const double *x, const double *rss) except -1:
        cdef int64_t entries = self.view.n * k
        if self.answer == NULL:
            self.answer = <double *> malloc((entries + k) * sizeof(double))
        if self.answer == NULL:
            raise MemoryError("no memory for a copy of the answer")
        memcpy(self.answer, x, entries * sizeof(double))
        memcpy(self.answer + entries, rss, k * sizeof(double))
        self.kernels, self.targets = kernels, k
        return 0

    def kept(self):
        """(x (p, k), rss (k,), name of the kernels) of one call, whose own arrays are the user's to change."""
        cdef int64_t n = self.view.n, k = self.targets
        if self.answer == NULL:
            raise ValueError("no answer was kept")
        x, rss = new_array((n, k)), new_array(k)
        memcpy(own_data(x), self.answer, n * k * sizeof(double))
        memcpy(own_data(rss), self.answer + n * k, k * sizeof(double))
        return x, rss, flsq_kernels_name(self.kernels).decode()

    @property
    def scale(self):
        """Diagonal of D, a new array."""
        scale = new_array(self.view.n)
        memcpy(own_data(scale), self.view.scale, self.view.n * sizeof(double))
        return scale

    @property
    def r(self):
        """R as a new array, upper triangular."""
        cdef int64_t n = self.view.n, i
        if self.view.r == NULL and n > 0:
            raise ValueError("fewer rows than columns have no R")
        array = numpy.zeros((n, n))
        cdef double *data = own_data(array)
        for i in range(n):
            memcpy(data + i * (n + 1), self.view.r + i * (n + 1), (n - i) * sizeof(double))
        return array

    @property
    def condition(self):
        """1-norm condition number of D M D, an estimate."""
        return self.view.condition

    @property
    def trace(self):
        """Of D M D."""
        return self.view.trace

    @property
    def is_single(self):
        """Whether M was summed in single precision."""
        return self.view.roundoff > 2.0 ** -53

    @property
    def exponents(self):
        """e with scale = 2**-e."""
        return 1 - numpy.frexp(self.scale)[1].astype(numpy.int64)

    def preconditioned(self, transform, whole, scale, double trace, double condition):
        """The same R, of RᵀR = Tᵀ M T for T = transform @ diag(self.scale).

        `scale` equilibrates M; `whole` (n x n, upper triangular) is the triangle, `trace` and `condition` number are
        those of the equilibrated M.  The rows and columns of `transform` (n x n, upper triangular) are the factorized
        ones.
        """
        cdef Factor other = Factor(self.view.n, self.active)
        cdef int64_t n = self.view.n, i
        if transform.shape != (n, n) or whole.shape != (n, n) or scale.shape != (n,):
            raise ValueError("sizes differ")
        memcpy(other.view.r, self.view.r, n * n * sizeof(double))
        other.transform = numpy.ascontiguousarray(transform * self.scale)
        other.view.transform = own_data(other.transform)
        other.whole = numpy.array(whole, order="C")
        other.view.whole = own_data(other.whole)
        cdef double[::1] factors = scale
        for i in range(n):
            other.view.scale[i] = factors[i]
        other.view.norm1, other.view.trace, other.view.condition = self.view.norm1, trace, condition
        other.view.roundoff, other.view.pivot = self.view.roundoff, -1
        return other

    cdef str reason(self, flsq_verdict verdict, flsq_report *report):
        return REASONS[verdict].format(pivot=self.view.pivot, condition=self.view.condition ** 0.5,
                                       figure=report.figure, passes=report.passes)

    def solve(self, const double[:, ::1] g, kernel=None):
        """M⁻¹g for p x k g; 0 for columns that were not factorized."""
        cdef const flsq_kernels *kernels = select(kernel)
        cdef int64_t p = g.shape[0], k = g.shape[1]
        if p < self.view.n or (self.active is not None and self.view.n > 0 and max(self.indices) >= p):
            raise ValueError("g has fewer rows than columns were factorized")
        step = new_array((p, k))
        cdef double *out = own_data(step)
        cdef const double *values = read_dense(g)
        cdef flsq_status status
        with nogil:
            status = flsq_factor_apply(kernels, &self.view, p, k, values, out)
        check(status)
        return step


def factorize(const double[:, :] m, active, int n_threads, kernel=None):
    """(Factor of M, '') or (None, why not).  Rows of m are contiguous; `active` are its columns' places in the problem,
    None where it is all of it."""
    cdef const flsq_kernels *kernels = select(kernel)
    cdef int64_t n = m.shape[0]
    cdef Factor factor = Factor(n, active)
    cdef flsq_verdict verdict
    cdef flsq_report report
    cdef flsq_status status
    report.figure, report.passes = 0, 0
    if m.shape[1] != n:
        raise ValueError("sizes differ")
    if n > 1 and m.strides[1] != sizeof(double):
        raise ValueError("rows must be contiguous")
    cdef const double *data = &m[0, 0] if n > 0 else NULL
    cdef int64_t ldm = m.strides[0] // <int64_t> sizeof(double) if n > 0 else 0
    with nogil:
        status = flsq_factorize(kernels, n, data, ldm, n_threads, &factor.view, &verdict)
    check(status)
    return (factor, "") if verdict == FLSQ_CERTIFIED else (None, factor.reason(verdict, &report))


def refine(x, y, weights, scale, offset, const double[:, :] c, const double[::1] mean, double sum_weights,
           const double[:, ::1] zz, const double[:, ::1] lost, const double[::1] yy,
           Factor factor, int n_threads, kernel=None, bint unrefined=False, const double[:, ::1] penalty=None):
    """Solve M b = C and refine with residuals from the rows; zz = [XᵀWX | XᵀWY] and lost as collected, or None.

    With `unrefined`, well-conditioned equations may stand as they are.  With a penalty bᵀP b, P (p, p) or its diagonal
    (1, p), the factor is that of M + P.

    Returns (b, rss, passes, backward_error, '') or (None, None, passes, nan, why not).
    """
    cdef const flsq_kernels *kernels = select(kernel)
    cdef Rows rows = Rows(x, y, weights, scale, offset, mean is not None)
    cdef int64_t p = rows.view.x.columns, k = rows.view.y.columns
    cdef flsq_equations equations
    cdef flsq_report report
    cdef flsq_status status
    if factor.view.n > p or (factor.active is not None and factor.view.n > 0 and max(factor.indices) >= p):
        raise ValueError("the factor is of another problem")
    if c.shape[0] != p or c.shape[1] != k or (mean is not None and mean.shape[0] != p + k):
        raise ValueError("sizes differ")
    if k > 1 and c.strides[1] != sizeof(double):
        raise ValueError("rows must be contiguous")
    b, rss = new_array((p + (mean is not None), k)), new_array(k)
    equations.c = &c[0, 0] if p > 0 and k > 0 else NULL
    equations.ldc = c.strides[0] // <int64_t> sizeof(double) if p > 0 and k > 0 else 0
    equations.mean = &mean[0] if mean is not None and mean.shape[0] > 0 else NULL
    equations.sum_weights = sum_weights
    if yy.shape[0] != k:
        raise ValueError("sizes differ")
    equations.yy = &yy[0] if k > 0 else NULL
    equations.zz = equations.lost = NULL
    equations.unrefined = unrefined
    equations.penalty = NULL
    equations.penalty_is_diagonal = 0
    if penalty is not None:
        if penalty.shape[1] != p or (penalty.shape[0] != p and penalty.shape[0] != 1):
            raise ValueError("the penalty must be p x p or 1 x p")
        equations.penalty = read_dense(penalty)
        equations.penalty_is_diagonal = penalty.shape[0] == 1
    if lost is not None and p > 0 and k > 0:
        if zz.shape[0] != p or zz.shape[1] != p + k or lost.shape[0] != p or lost.shape[1] != p + k:
            raise ValueError("sizes differ")
        equations.zz, equations.lost = &zz[0, 0], &lost[0, 0]
    cdef double *b_out = own_data(b)
    cdef double *rss_out = own_data(rss)
    with nogil:
        status = flsq_refine(kernels, &rows.view, &equations, &factor.view, n_threads, b_out, rss_out, &report)
    check(status)
    if report.verdict != FLSQ_CERTIFIED:
        return None, None, report.passes, float("nan"), factor.reason(report.verdict, &report)
    return b, rss, report.passes, report.backward_error, ""


def lstsq(a, b, threads, resolve, bint unrefined=False):
    """Rung 1 in one call for arrays a (n, p), b (n,) or (n, k) of native float64, which the caller has seen to: (x,
    rss, Factor, passes, backward_error, n_threads), where rss of a vector b is a number and the factor keeps x and rss.

    Where rung 1 does not certify a small problem, (x, rss, Orthogonal, reason, reads of the rows), of a large one
    (Moments, reason, reads of the rows); None for anything that is not of that kind.
    Where threads is None, resolve() gives their number; it is not asked for a small problem.
    """
    cdef Rows rows = Rows(a, b, None, None, None, False, True)
    cdef int64_t n = rows.view.x.rows, p = rows.view.x.columns, k = rows.view.y.columns
    if n == 0 or p == 0 or k == 0:
        return None
    if n < p and not flsq_is_for_qr(n, p, k):
        return None
    cdef int n_threads
    if threads is not None:
        n_threads = threads
    else:
        n_threads = 1 if flsq_is_small(n, p, k) else resolve()
    cdef const flsq_kernels *kernels = select(None)
    cdef flsq_report report
    cdef flsq_status status
    cdef flsq_gram *left = NULL
    cdef bint is_vector = rows.y.buffer.ndim == 1
    cdef double one
    cdef double *rss_out = &one  # an array only where there are several, or QR gives one
    rss = None
    if is_vector:
        x = new_array(p)
    else:
        x = new_array((p, k))
    if n < p or not is_vector:
        rss = new_array(k)
        rss_out = own_data(rss)
    cdef double *x_out = own_data(x)
    if n < p:
        found = Orthogonal(n, p)
        if not (<Orthogonal> found).solve(kernels, &rows.view, x_out, rss_out):
            return None
        return x, rss, found, "fewer rows than columns", found.passes
    cdef Factor factor = Factor(p)
    with nogil:
        status = flsq_lstsq(kernels, &rows.view, unrefined, n_threads, &factor.view, x_out, rss_out, &report, &left)
    check(status)
    if report.verdict != FLSQ_CERTIFIED:
        moments, reason = Moments(p, k, False).take(left), factor.reason(report.verdict, &report)
        reads = report.passes + 1
        if report.verdict != FLSQ_OUT_OF_RANGE and flsq_is_for_qr(n, p, k):
            if rss is None:
                rss = new_array(k)
                rss_out = own_data(rss)
            found = Orthogonal(n, p)
            if (<Orthogonal> found).solve(kernels, &rows.view, x_out, rss_out):
                return x, rss, found, reason, reads + found.passes
        return moments, reason, reads
    factor.keep(kernels, k, x_out, rss_out)
    return x, float64(one) if is_vector else rss, factor, report.passes, report.backward_error, n_threads


def refine_fully(a, b, Factor factor, x, double[::1] rss, int n_threads):
    """(reads, last step, the one before): x and rss as `lstsq` gave them, refined in place to their last bit."""
    cdef Rows rows = Rows(a, b, None, None, None, False)
    cdef int64_t p = rows.view.x.columns, k = rows.view.y.columns
    cdef flsq_full full
    cdef flsq_status status
    if factor.view.n != p or factor.active is not None or x.size != p * k or rss.shape[0] != k or p == 0 or k == 0:
        raise ValueError("sizes differ")
    cdef const flsq_kernels *kernels = select(None)
    cdef double *x_out = own_data(x)
    with nogil:
        status = flsq_refine_fully(kernels, &rows.view, &factor.view, n_threads, x_out, &rss[0], &full)
    check(status)
    factor.keep(kernels, k, x_out, &rss[0])
    return full.passes, full.change, full.last


def lstsq_batched(a, b, weights, int n_threads, kernel=None):
    """Rung 1 for a (count, n, p), b (count, n, k) and weights (count, n) or None, with count, p, k > 0 and n >= p.

    Returns x (count, p, k), rss (count, k), condition, backward_error, verdict and passes (count each); x and rss are
    no answer where the verdict is not 0.
    """
    cdef const flsq_kernels *kernels = select(kernel)
    cdef int64_t count = a.shape[0]
    cdef Rows first = Rows(a[0], b[0], None if weights is None else weights[0], None, None, False)
    cdef flsq_batch batch
    cdef flsq_batch_answers answers
    cdef flsq_status status
    if b.shape[0] != count or (weights is not None and weights.shape[0] != count) or b.ndim != 3:
        raise ValueError("sizes differ")
    batch.first, batch.count = first.view, count
    batch.x_step, batch.y_step = a.strides[0], b.strides[0]
    batch.weights_step = 0 if weights is None else weights.strides[0]
    p, k = a.shape[2], b.shape[2]
    x, rss = new_array((count, p, k)), new_array((count, k))
    condition, backward_error = new_array(count), new_array(count)
    verdict, passes = new_array(count, numpy.int8), new_array(count, numpy.int8)
    answers.b, answers.rss = own_data(x), own_data(rss)
    answers.condition, answers.backward_error = own_data(condition), own_data(backward_error)
    answers.verdict, answers.passes = <int8_t *> own_data(verdict), <int8_t *> own_data(passes)
    with nogil:
        status = flsq_lstsq_batched(kernels, &batch, n_threads, &answers)
    check(status)
    return x, rss, condition, backward_error, verdict, passes


def group_rows(const int64_t[::1] codes, int64_t count, int64_t low=0, int n_threads=1):
    """(start, order): rows order[start[g]:start[g + 1]] have code low + g, in their order; g from 0 to count - 1."""
    if count < 0:
        raise ValueError("count must be >= 0")
    start, order = new_array(count + 1, numpy.int64), new_array(codes.shape[0], numpy.int64)
    cdef int64_t *starts = <int64_t *> own_data(start)
    cdef int64_t *orders = <int64_t *> own_data(order)
    cdef const int64_t *data = &codes[0] if codes.shape[0] > 0 else NULL
    cdef flsq_status status
    with nogil:
        status = flsq_group_rows(codes.shape[0], data, low, count, n_threads, starts, orders)
    if status == FLSQ_TOO_LARGE:
        raise ValueError("codes must be low .. low + count - 1")
    check(status)
    return start, order


cdef flsq_groups read_groups(const int64_t[::1] start, const int64_t[::1] order, int64_t n) except *:
    """The groups order[start[g]:start[g + 1]] of n rows."""
    cdef flsq_groups groups
    cdef int64_t count = start.shape[0] - 1, i
    if count < 0 or start[count] != order.shape[0]:
        raise ValueError("sizes differ")
    for i in range(order.shape[0]):
        if order[i] < 0 or order[i] >= n:
            raise ValueError("order names a row that does not exist")
    for i in range(count):
        if start[i] < 0 or start[i + 1] < start[i]:
            raise ValueError("start must rise")
    groups.count, groups.start = count, &start[0]
    groups.order = &order[0] if order.shape[0] > 0 else NULL
    return groups


def grouped_fit(x, y, weights, bint unit, const int64_t[::1] start, const int64_t[::1] order, int n_threads,
                kernel=None):
    """One fit for every group: b (count, p + unit), rss, condition, backward_error and verdict (count each); b and rss
    are no answer where the verdict is not 0."""
    cdef const flsq_kernels *kernels = select(kernel)
    cdef Rows rows = Rows(x, y, weights, None, None, unit)
    cdef flsq_groups groups
    cdef flsq_group_answers answers
    cdef flsq_status status
    cdef int64_t count
    if rows.view.y.columns != 1:
        raise ValueError("sizes differ")
    groups = read_groups(start, order, rows.view.x.rows)
    count = groups.count
    b, rss, condition = new_array((count, rows.view.x.columns + unit)), new_array(count), new_array(count)
    backward_error, verdict = new_array(count), new_array(count, numpy.int8)
    answers.b, answers.rss, answers.condition = own_data(b), own_data(rss), own_data(condition)
    answers.backward_error, answers.verdict = own_data(backward_error), <int8_t *> own_data(verdict)
    with nogil:
        status = flsq_grouped_fit(kernels, &rows.view, &groups, n_threads, &answers)
    check(status)
    return b, rss, condition, backward_error, verdict


def fit_subsets(x, y, weights, bint unit, const int64_t[::1] first, const int64_t[::1] end, const int64_t[::1] order,
                const double[::1] factor, bint errors, int n_threads, kernel=None):
    """One fit by QR for every subset, that of number i being the rows order[first[i]:end[i]], decayed by `factor`.

    Returns b (count, p + unit), rss, condition, backward_error (count each), standard errors of b or None, rank and
    verdict (count each); where the verdict is not 0 there is no answer.
    """
    cdef const flsq_kernels *kernels = select(kernel)
    cdef Rows rows = Rows(x, y, weights, None, None, unit)
    cdef flsq_subsets subsets
    cdef flsq_subset_answers answers
    cdef flsq_status status
    cdef int64_t count = first.shape[0], i
    if rows.view.y.columns != 1 or end.shape[0] != count:
        raise ValueError("sizes differ")
    for i in range(order.shape[0]):
        if order[i] < 0 or order[i] >= rows.view.x.rows:
            raise ValueError("order names a row that does not exist")
    for i in range(count):
        if first[i] < 0 or end[i] < first[i] or end[i] > order.shape[0]:
            raise ValueError("a subset ends before it begins, or beyond the order")
    subsets.factor = NULL
    if factor is not None:
        if factor.shape[0] != rows.view.x.rows:
            raise ValueError("factor needs one entry per row")
        subsets.factor = &factor[0] if factor.shape[0] > 0 else NULL
    b, rss, condition = new_array((count, rows.view.x.columns + unit)), new_array(count), new_array(count)
    backward_error, own_errors = new_array(count), new_array((count, rows.view.x.columns + unit)) if errors else None
    rank, verdict = new_array(count, numpy.int64), new_array(count, numpy.int8)
    subsets.count, subsets.order = count, &order[0] if order.shape[0] > 0 else NULL
    subsets.first, subsets.end = &first[0] if count > 0 else NULL, &end[0] if count > 0 else NULL
    answers.b, answers.rss, answers.condition = own_data(b), own_data(rss), own_data(condition)
    answers.backward_error, answers.errors = own_data(backward_error), own_data(own_errors) if errors else NULL
    answers.rank, answers.verdict = <int64_t *> own_data(rank), <int8_t *> own_data(verdict)
    with nogil:
        status = flsq_fit_subsets(kernels, &rows.view, &subsets, n_threads, &answers)
    check(status)
    return b, rss, condition, backward_error, own_errors, rank, verdict
