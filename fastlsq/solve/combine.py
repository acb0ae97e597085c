# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""What can be done to normal equations without their rows: take rows away again, forget, leave columns out.

(To add rows is `fastlsq.solve.moments.merge`.)
"""

from dataclasses import replace

import numpy as np

from fastlsq.solve.moments import Units, aligned


def without(total, second):
    """Normal equations of the rows of `total` that are not among those of `second`.

    `merge` solved for the first of its arguments: with delta = mean2 - mean and w1 = w - w2,

        mean1 = mean - delta w2/w1,   M1 = M - M2 - delta deltaᵀ w w2/w1

    Digits that both have in common are gone: `raw_diagonal` keeps the size of what the sums were rounded at.
    """
    total, second, shift, halved = aligned(total, second)
    p = total.p
    rest = total.sum_weights - second.sum_weights
    m, c, yy, mean = total.m - second.m, total.c - second.c, total.yy - second.yy, total.mean
    if total.intercept and rest > 0:
        unit = np.r_[0:p, p + 1 : shift.shape[0]]
        apart = np.ldexp(second.units.shift, -halved) - np.ldexp(shift, -halved)
        delta = second.mean - mean + np.ldexp(apart, total.units.exponents + halved)[unit]
        mean = mean - delta * (second.sum_weights / rest)
        spread = total.sum_weights * (second.sum_weights / rest)
        m = m - spread * np.outer(delta[:p], delta[:p])
        c = c - spread * np.outer(delta[:p], delta[p:])
        yy = yy - spread * delta[p:] ** 2
    return replace(
        total, units=Units(total.units.exponents, shift, total.units.plain and second.units.plain),
        n_rows=total.n_rows - second.n_rows, sum_weights=rest, mean=mean, m=m, c=c, yy=np.maximum(yy, 0.0),
        raw_diagonal=total.raw_diagonal + second.raw_diagonal,
        raw_yy=total.raw_yy + second.raw_yy, zz=None, lost=None, subtracted=True,
    )


def decayed(equations, factor):
    """The same rows, every weight times `factor`."""
    return replace(
        equations, sum_weights=equations.sum_weights * factor, m=equations.m * factor, c=equations.c * factor,
        yy=equations.yy * factor, raw_diagonal=equations.raw_diagonal * factor, raw_yy=equations.raw_yy * factor,
        zz=None, lost=None,
    )


def subset(equations, columns, targets):
    """Those of some columns and targets, by index."""
    p, lead = equations.p, equations.lead
    of_means = np.concatenate([columns, p + targets])
    packed = np.concatenate([columns, np.arange(p, lead), lead + targets])
    units = equations.units
    return replace(
        equations, units=Units(units.exponents[packed], units.shift[packed], units.plain),
        lead=columns.size + lead - p, mean=equations.mean[of_means], m=equations.m[np.ix_(columns, columns)],
        c=equations.c[np.ix_(columns, targets)], yy=equations.yy[targets], raw_diagonal=equations.raw_diagonal[columns],
        raw_yy=equations.raw_yy[targets], zz=None, lost=None,
    )
