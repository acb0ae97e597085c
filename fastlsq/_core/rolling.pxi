# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
#
# Windows of rows.

NOT_SETTLED, PIVOT_FAILED, PIVOT_IN_NOISE = FLSQ_NOT_SETTLED, FLSQ_PIVOT_FAILED, FLSQ_PIVOT_IN_NOISE


def rolling_fit(x, y, weights, bint unit, int64_t length, const int64_t[::1] start, const double[::1] factor,
                bint variances, int n_threads, kernel=None):
    """One fit for every window: of `length` rows, or of rows start[t] to t, or of all rows so far, decayed by `factor`.

    Returns b (n, p + unit), rss, tss, condition (n each), variance (n, p + unit) or None, rank and verdict (n each).
    Where the verdict is NOT_SETTLED, rss has too few digits; where it is another one but 0, there is no answer.
    """
    cdef const flsq_kernels *kernels = select(kernel)
    cdef Rows rows = Rows(x, y, weights, None, None, unit)
    cdef int64_t n = rows.view.x.rows, p = rows.view.x.columns, t, before = 0
    cdef flsq_windows windows
    cdef flsq_window_answers answers
    cdef flsq_status status
    if rows.view.y.columns != 1 or p == 0 or length < 1:
        raise ValueError("one target, at least one column and one row to a window")
    windows.length, windows.start, windows.factor = length, NULL, NULL
    if start is not None:
        if start.shape[0] != n:
            raise ValueError("start needs one entry per row")
        for t in range(n):
            if start[t] < before or start[t] > t:
                raise ValueError("start must rise, and never beyond its row")
            before = start[t]
        windows.start = &start[0] if n > 0 else NULL
    if factor is not None:
        if factor.shape[0] != n:
            raise ValueError("factor needs one entry per row")
        for t in range(n):
            if not 0 <= factor[t] <= 1:
                raise ValueError("factor must be between 0 and 1")
        windows.factor = &factor[0] if n > 0 else NULL
    b, rss, tss, condition = new_array((n, p + unit)), new_array(n), new_array(n), new_array(n)
    variance = new_array((n, p + unit)) if variances else None
    rank, verdict = new_array(n, numpy.int64), new_array(n, numpy.int8)
    answers.b, answers.rss = own_data(b), own_data(rss)
    answers.tss, answers.condition = own_data(tss), own_data(condition)
    answers.variance = own_data(variance) if variances else NULL
    answers.rank, answers.verdict = <int64_t *> own_data(rank), <int8_t *> own_data(verdict)
    if n > 0:
        with nogil:
            status = flsq_rolling_fit(kernels, &rows.view, &windows, n_threads, &answers)
        check(status)
    return b, rss, tss, condition, variance, rank, verdict
