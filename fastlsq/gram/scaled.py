# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Elastic net on normal equations: penalties of the user's units, carried over to columns of about equal length.

With columns z_j = x_j 2^e_j and the target y 2^f the coefficient of z_j is b_j = beta_j 2^(f - e_j), and

    sum_i w_i (y_i - x_i beta)²/2 + w alpha sum_j factor_j (r |beta_j| + (1 - r) beta_j²/2)

times 4^f is the same in b with l1_j = w r factor_j 2^(e_j + f) and l2_j = w (1 - r) factor_j 4^e_j.  Powers of two
round nothing, so the objective is the user's.
"""

from dataclasses import dataclass

import numpy as np

from fastlsq._core import lib
from fastlsq.gram.free_columns import FreeColumns, unpenalised
from fastlsq.solve.moments import NormalEquations, Problem, root_exponents

#: tolerance of points on the way to the one that is wanted
COARSE = 1e-3
#: that of columns without a penalty, from whose fit the largest alpha follows
EXACT = 1e-15
# That of an objective, as a share of the terms it is summed from.
_ROUNDING = 16 * 2.0**-53
# A penalty in scaled units beyond which a coefficient is zero.
_ENDLESS = 2.0**800


@dataclass(slots=True)
class Penalty:
    """What does not depend on the rows: the mixture, the factors of the columns, and when to stop."""

    l1_ratio: float
    factor: np.ndarray  # p; 0: no penalty, inf: the column is left out
    positive: bool
    tol: float
    max_iter: int

    def terms(self, columns, weight, x_exponents, y_exponent):
        """(l1, l2) of these columns for alpha = 1."""
        factor = self.factor[columns]
        with np.errstate(over="ignore"):
            own = weight * np.where(np.isfinite(factor), factor, 1.0)
            first = np.ldexp(self.l1_ratio * own, x_exponents + y_exponent)
            second = np.ldexp((1 - self.l1_ratio) * own, 2 * x_exponents)
        # one that overflows leaves the column out
        endless = ~np.isfinite(first) | ~np.isfinite(second)
        first[endless], second[endless] = _ENDLESS, 0.0
        return first, second


@dataclass(slots=True)
class Scaled:
    """Normal equations of the columns in play, of about unit diagonal."""

    equations: NormalEquations
    columns: np.ndarray  # which: not constant, not left out
    x_exponents: np.ndarray  # of these
    y_exponent: int
    m: np.ndarray
    c: np.ndarray
    yy: float
    problem_of_rows: Problem | None = None  # where there are any

    @classmethod
    def of(cls, equations, factor, problem=None):
        if not equations.sum_weights > 0:
            raise ValueError("weights must not all be zero" if equations.n_rows else "X has no rows")
        diagonal = np.diagonal(equations.m)
        columns = np.flatnonzero((diagonal > 0) & ~equations.constant() & np.isfinite(factor))
        x, y = exponents_of(equations)
        x, y = x[columns] - root_exponents(diagonal[columns]), y - int(root_exponents(equations.yy)[0])
        return cls(equations, columns, x, y, *moments_at(equations, columns, x, y), problem)

    @property
    def weight(self):
        return self.equations.sum_weights

    def terms(self, penalty):
        return penalty.terms(self.columns, self.weight, self.x_exponents, self.y_exponent)

    def problem(self, penalty, alphas, held=None, start=None):
        first, second = self.terms(penalty)
        return lib.Penalized(self.m, self.c, self.yy, first, second, alphas, penalty.positive, penalty.tol,
                             penalty.max_iter, start, None if held is None else self.held_out(held))

    def gaps(self, problem, penalty, alphas):
        """Duality gaps of a solved path; no more than the objective and its rounding, as no objective is negative."""
        (first, second), free = self.terms(penalty), self.free_columns()
        gaps = problem.gap.copy()
        for i, alpha in enumerate(alphas):
            b, own = problem.b[i], (alpha * first, alpha * second)
            if unpenalised(self.m, *own, self.yy).size > 1:
                gap = gaps[i] + free.excess(self.m, b, self.c - self.m @ b, *own, self.yy, penalty.positive)
                terms = self.yy + np.abs(b) @ np.abs(self.m) @ np.abs(b)
                gaps[i] = min(gap, problem.objective[i] + _ROUNDING * terms)
        return gaps

    def free_columns(self):
        return FreeColumns(None if self.problem_of_rows is None else self._rows)

    def _rows(self, columns, entries):
        """Of some of the columns, in scaled units about their means: see `FreeColumns`."""
        problem, places = self.problem_of_rows, self.columns[columns]
        mean = self.equations.user_mean()[places] if self.equations.intercept else np.zeros(places.size)
        step, n = max(1, entries // places.size), problem.x.shape[0]
        for start in range(0, n, step):
            x = problem.x[start : start + step, places].astype(np.float64)
            weights = None if problem.weights is None else problem.weights[start : start + step].astype(np.float64)
            if weights is not None:
                x, weights = x[weights > 0], weights[weights > 0]
            units = self.x_exponents[columns]
            yield np.ldexp(x - mean, units), np.ldexp(np.abs(x) + np.abs(mean), units), weights

    def held_out(self, held):
        """Moments of the rows held out, `held`, as the core wants them, in these units."""
        moments = moments_at(held, self.columns, self.x_exponents, self.y_exponent)
        apart = held.units.shift - self.equations.units.shift
        means = []
        for equations in (held, self.equations):
            x, y = exponents_of(equations)
            change = np.append(self.x_exponents - x[self.columns], self.y_exponent - y)
            means.append(np.ldexp(np.append(equations.mean[self.columns], equations.mean[-1]), change))
        distance = means[0] - means[1]
        if self.equations.intercept:
            own = np.append(apart[self.columns], apart[-1])
            distance += np.ldexp(own, np.append(self.x_exponents, self.y_exponent))
        return *moments, held.sum_weights, distance[:-1].copy(), float(distance[-1])

    def mean_error(self, problem, held, count):
        """Mean squared errors of the rows held out, in the user's units; without columns in play, that of the mean."""
        if problem is not None:
            squares = problem.error
        else:
            _, _, yy, weight, _, apart = self.held_out(held)
            squares = np.full(count, yy + weight * apart**2)
        with np.errstate(over="ignore"):
            return np.ldexp(squares / held.sum_weights, -2 * self.y_exponent)

    def coef(self, b):
        """(count, p) coefficients in the user's units of count x columns of b."""
        coef = np.zeros((b.shape[0], self.equations.p))
        coef[:, self.columns] = np.ldexp(b, self.x_exponents - self.y_exponent)
        return coef

    def intercept(self, b):
        """The levels that go with them, from the means about the shift."""
        equations, count = self.equations, b.shape[0]
        if not equations.intercept:
            return np.zeros(count)
        x, y = exponents_of(equations)
        packed = np.ldexp(b, self.x_exponents - self.y_exponent - x[self.columns] + y)
        level = np.ldexp(equations.mean[-1] - packed @ equations.mean[self.columns], -y)
        shift = equations.units.shift
        return level + shift[-1] - np.ldexp(b, self.x_exponents - self.y_exponent) @ shift[self.columns]

    def in_user_units(self, squares):
        """Sums of squares of the target divided by the sum of the weights."""
        with np.errstate(over="ignore"):
            return np.ldexp(squares / self.weight, -2 * self.y_exponent)

    def largest_alpha(self, penalty):
        """The smallest alpha at which every penalised coefficient is zero; 0 where none is."""
        if penalty.l1_ratio == 0:
            return 0.0
        first, _ = self.terms(penalty)
        q = self.c
        free = np.flatnonzero(first == 0)
        if free.size:
            none = np.zeros(free.size)
            own = np.ascontiguousarray(self.m[np.ix_(free, free)])
            problem = lib.Penalized(own, self.c[free], self.yy, none, none, np.zeros(1), penalty.positive, EXACT,
                                    penalty.max_iter)
            lib.elastic_net_paths([problem], 1)
            b = problem.b[0]
            q = q - self.m[:, free] @ b
            # what the free columns fit to rounding leaves no alpha
            q[np.abs(q) <= _ROUNDING * (np.abs(self.c) + np.abs(self.m[:, free]) @ np.abs(b))] = 0.0
        return largest_ratio(q, first, penalty.positive)


def largest_ratio(q, l1, positive):
    """max_j |q_j|/l1_j over the penalised columns, or of the positive q_j alone."""
    sizes = np.maximum(q, 0) if positive else np.abs(q)
    return float(np.max(np.divide(sizes, l1, out=np.zeros(q.size), where=l1 > 0), initial=0.0))


def grid(largest, eps, n_alphas):
    """n_alphas values from `largest` down to eps times that, equally apart in their logarithms.

    Where no alpha is needed to make all coefficients zero, those that scikit-learn takes.
    """
    if not largest > 0:
        return np.full(n_alphas, np.finfo(np.float64).resolution)
    return np.geomspace(largest, largest * eps, num=n_alphas)


def exponents_of(equations):
    """Those of X, and that of the one target."""
    exponents = equations.units.exponents
    return exponents[: equations.p], int(exponents[-1])


def moments_at(equations, columns, x_exponents, y_exponent):
    """(m, c, yy) of these columns with other exponents."""
    x, y = exponents_of(equations)
    x, y = x_exponents - x[columns], y_exponent - y
    m, c = equations.m, equations.c[:, 0]
    if columns.size < equations.p:
        m, c = m[np.ix_(columns, columns)], c[columns]
    m = np.ascontiguousarray(np.ldexp(m, x[:, None] + x) if x.any() else m)
    return m, np.ldexp(c, x + y), float(np.ldexp(equations.yy[0], 2 * y))
