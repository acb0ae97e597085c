# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Newton's method on the passes of a generalized linear model, with penalties.

    F(b) = sum_i w_i l_i(b) + 1/2 sum_cd C_cd b_c·D b_d + sum_j l1_j |b_j|

A pass at b gives loss, gradient and Hessian; the step is that of the quadratic model, solved by Cholesky or, with l1,
by coordinate descent on the Hessian.  The pass at b + step is the next one: only where it shows too little descent is
the step shortened, along the stored predictors, without reading rows.  A sample of the rows comes first where there are
many: its minimum is a standard error of the sample away from that of all rows, and from there three steps are left.
"""

from dataclasses import dataclass, field

import numpy as np

from fastlsq._core import lib
from fastlsq.solve.deficient import dependent_columns
from fastlsq.solve.moments import root_exponents

EPS = np.finfo(float).eps
#: rows from which on a sample is worth its reads; what part of them it is, odd as periods in the rows rarely are; how
#: many of its rows there have to be for each parameter
SAMPLED_ROWS, SAMPLE_STRIDE, ROWS_A_PARAMETER = 16384, 17, 30
#: and where little is asked for, how many there are for each parameter at least
ENOUGH_ROWS = 200
#: a column whose part outside the others is below this share of its square depends on them
DEPENDENT = 1e-12
ARMIJO, MOST_HALVINGS = 1e-4, 40
#: gradient from which on a step is taken on trust
SMALL_GRADIENT = 1e-5
#: what the rows that contradict a separating direction may have of the largest step
CONTRADICTION = 1e-4


@dataclass(slots=True)
class Penalty:
    """In packed units, times the sum of the weights."""

    l1: np.ndarray | None  # lead, or None
    l2: np.ndarray | None  # lead, or None
    coupling: np.ndarray  # predictors x predictors
    unit: bool  # whether the last column is the intercept, which has none

    def value(self, b):
        total = 0.0
        if self.l2 is not None:
            total += 0.5 * float(np.sum(self.coupling * ((b * self.l2) @ b.T)))
        if self.l1 is not None:
            total += float((np.abs(b) @ self.l1).sum())
        return total

    def pull(self, b):
        return 0.0 if self.l2 is None else self.coupling @ (b * self.l2)

    def hessian(self):
        return np.kron(self.coupling, np.diag(self.l2))

    @property
    def determines(self):
        """Whether dependent columns are left to the penalty."""
        return self.l2 is not None or self.l1 is not None


@dataclass(slots=True)
class Progress:
    """Where a fit has come."""

    point: object
    penalty: Penalty
    active: np.ndarray | None = None  # of lead: columns that do not depend on others
    converged: bool = False
    gradient_norm: float = np.inf
    reason: str = ""
    history: list = field(default_factory=list)
    passes: int = 0
    separation: np.ndarray | None = None  # direction of the coefficients, predictors x lead
    hessian: np.ndarray | None = None  # the last there was, without the penalty


def start(model, penalty, b, tol, max_iter, scale, whole_hessians):
    """Progress of a fit from b, by way of a sample where there are many rows."""
    n, size = model.x.shape[0], model.predictors * model.lead
    used, prior = 0.0, None
    if n >= SAMPLED_ROWS and n // SAMPLE_STRIDE >= ROWS_A_PARAMETER * size:
        # of a gradient of all rows the sample leaves some n^-1/2
        stride = max(SAMPLE_STRIDE, int(n / max(ENOUGH_ROWS * size, 10.0 / max(tol, 1e-6) ** 2)) | 1)
        part = model.sample(stride)
        share = part.sum_weights / model.sum_weights if model.weights is not None else part.x.shape[0] / n
        if share > 0:
            def shrunk(values):
                return None if values is None else values * share

            own = Penalty(shrunk(penalty.l1), shrunk(penalty.l2), penalty.coupling, penalty.unit)
            # a tenth of what the sample itself does not know
            known = 0.1 * part.x.shape[0] ** -0.5
            found = minimise(part, own, b, known, 12, scale, True)
            used = found.passes / stride
            inside = found.separation is None and np.isfinite(found.point.loss)
            if inside and np.isfinite(found.point.b).all() and np.abs(found.point.eta).max() < 30 * max(1.0, scale):
                b = found.point.b
                # where that much is wanted, gradient and loss of all rows will do
                loose = tol >= known and not whole_hessians
                prior = found.hessian / share if loose and found.active.all() else None
    progress = minimise(model, penalty, b, tol, max_iter, scale, whole_hessians, prior)
    progress.passes += used
    return progress


def minimise(model, penalty, b, tol, max_iter, scale, whole_hessians, prior=None):
    """Newton's method from b, which may be near a minimum, with a Hessian that is about right.

    scale: of a row's slope, which the tolerance is relative to.
    """
    reads = 1 if model.family is None or model.family.core is not None else 2
    point = model.evaluate(b, prior is None)
    progress = Progress(point, penalty, hessian=point.hessian if prior is None else prior, passes=reads)
    if not usable(point):
        progress.reason = "not finite"
        return progress
    progress.active = independent(model, progress.hessian, penalty)
    weight, norms = model.sum_weights, []
    value = point.loss + penalty.value(point.b)
    for iteration in range(max_iter + 1):
        norm = gradient_norm(progress, weight * scale * scale)
        norms.append(norm)
        progress.gradient_norm = norm
        progress.history.append({"iteration": iteration, "objective": value, "gradient_norm": norm})
        if norm <= tol:
            progress.converged = True
            finish(progress, norm)
            break
        if iteration == max_iter:
            progress.reason = f"not converged in {max_iter} iterations"
            break
        try:
            step = direction(progress)
        except np.linalg.LinAlgError as error:
            progress.reason = str(error)
            break
        slope = descent_of(progress, step)
        if not slope < 0:
            progress.reason = "no descent left: rounding"
            break
        # steps square the norm, so the next one is foretold
        rate = norm / norms[-2] ** 2 if len(norms) > 1 else np.inf
        wanted = whole_hessians or not rate * norm * norm <= 0.1 * tol
        new, t = search(model, penalty, point, value, step, slope, wanted, progress, reads)
        if new is None:
            progress.reason = "no descent left: rounding"
            break
        if new.hessian is not None:
            progress.hessian = new.hessian
        moved = None if point.eta is None or new.eta is None else new.eta - point.eta
        point, value = new, new.loss + penalty.value(new.b)
        progress.point = point
        progress.history[-1]["step"] = t
        norm = gradient_norm(progress, weight * scale * scale)
        if moved is not None and not penalty.determines and creeps(norms, norm) and separates(model, moved):
            progress.separation, progress.gradient_norm = step, norm
            progress.reason = "the outcomes are separated"
            break
    return progress


def finish(progress, norm):
    """One step more, which needs no read: where the gradient is this small it squares what is left of the error."""
    if progress.penalty.l1 is not None or not 0 < norm <= SMALL_GRADIENT:
        return
    step = direction(progress)
    if np.isfinite(step).all():
        progress.point.b = progress.point.b + step


def usable(point):
    return (np.isfinite(point.loss) and np.isfinite(point.gradient).all()
            and (point.hessian is None or np.isfinite(point.hessian).all()))


# ---- columns ---------------------------------------------------------------------------------------------------------


def centred(model, hessian):
    """Of the first predictor: the Hessian of the slopes with the intercept at its best, and its diagonal before."""
    p = model.x.shape[1]
    h = hessian[:p, :p]
    raw = np.diagonal(h).copy()
    if model.intercept:
        side = hessian[p, :p]
        h = h - np.outer(side, side) / hessian[p, p] if hessian[p, p] > 0 else h
    return h, raw


def independent(model, hessian, penalty):
    """Which of [X | 1] do not depend on those before them (the intercept is before all)."""
    found = np.ones(model.lead, bool)
    h, raw = centred(model, hessian)
    diagonal = np.diagonal(h)
    constant = ~(diagonal > 1e-13 * raw)
    p = model.x.shape[1]
    found[:p] = ~constant
    if penalty.l2 is not None:
        found[:p] |= penalty.l2[:p] > 0
    if penalty.determines:
        return found
    columns = np.flatnonzero(~constant)
    if columns.size:
        root = 1.0 / np.sqrt(diagonal[columns])
        scaled = root[:, None] * h[np.ix_(columns, columns)] * root[None, :]
        cancelled = (raw[columns] / diagonal[columns]).max()
        found[columns[dependent_columns(scaled, max(DEPENDENT, lib.pivot_noise(p) * cancelled))]] = False
    return found


# ---- steps -----------------------------------------------------------------------------------------------------------


def total_hessian(progress):
    h = progress.hessian
    return h + progress.penalty.hessian() if progress.penalty.l2 is not None else h


def slopes_of(progress):
    """The gradient of the smooth part of F."""
    return progress.point.gradient + progress.penalty.pull(progress.point.b)


def used(progress):
    return np.tile(progress.active, progress.point.b.shape[0])


def gradient_norm(progress, weight):
    """Largest entry of the gradient of F/weight, every column scaled to unit curvature; with l1 that of the subgradient
    nearest to 0."""
    g, l1 = slopes_of(progress), progress.penalty.l1
    if not np.isfinite(g).all():
        return np.inf
    if l1 is not None:
        b = progress.point.b
        g = np.where(b != 0, g + np.sign(b) * l1, np.sign(g) * np.maximum(np.abs(g) - l1, 0.0))
    mask = used(progress)
    curvature = np.diagonal(total_hessian(progress))[mask]
    with np.errstate(divide="ignore", invalid="ignore"):
        entries = np.where(g.reshape(-1)[mask] == 0, 0.0, np.abs(g.reshape(-1)[mask]) / np.sqrt(curvature * weight))
    return float(entries.max(initial=0.0))


def direction(progress):
    """The step to the minimum of the quadratic model, predictors x lead."""
    if progress.penalty.l1 is not None:
        return proximal(progress)
    mask = used(progress)
    step = np.zeros(mask.size)
    step[mask] = solve_definite(total_hessian(progress)[np.ix_(mask, mask)], -slopes_of(progress).reshape(-1)[mask])
    return step.reshape(progress.point.b.shape)


def factor_of(h):
    """(R, units): RᵀR = D H D; where H is not definite to rounding, with a little of its diagonal added."""
    exponents = -root_exponents(np.diagonal(h))
    scaled = np.ldexp(h, exponents[:, None] + exponents[None, :])
    diagonal = np.diagonal(scaled).copy()
    for shift in (0.0, 1e-14, 1e-12, 1e-10, 1e-8, 1e-6, 1e-4, 1e-2, 1.0):
        r = scaled.copy()
        r[np.diag_indices_from(r)] = diagonal * (1.0 + shift) + (shift if (diagonal <= 0).any() else 0.0)
        if r.shape[0] == 0 or lib.cholesky(r, 1) is None:
            return r, exponents
    raise np.linalg.LinAlgError("the Hessian is not finite, or 0")


def solve_definite(h, g):
    r, exponents = factor_of(h)
    x = np.ascontiguousarray(np.ldexp(g, exponents)[:, None])
    if x.size:
        lib.triangular_solve(r, x, True)
        lib.triangular_solve(r, x, False)
    return np.ldexp(x[:, 0], exponents)


def proximal(progress):
    """With l1, one predictor: coordinate descent on the Hessian, the intercept eliminated."""
    b, g = progress.point.b[0], slopes_of(progress)[0]
    h, l1 = total_hessian(progress), progress.penalty.l1
    unit = progress.penalty.unit
    own = np.flatnonzero(progress.active[: b.size - unit])
    free = np.array([b.size - 1] if unit else [], np.int64)
    reduced, slope = h[np.ix_(own, own)], g[own]
    if free.size:
        side = h[free[0], own]
        reduced = reduced - np.outer(side, side) / h[free[0], free[0]]
        slope = slope - side * g[free[0]] / h[free[0], free[0]]
    exponents = -root_exponents(np.diagonal(reduced))
    m = np.ascontiguousarray(np.ldexp(reduced, exponents[:, None] + exponents[None, :]))
    start = np.ldexp(b[own], -exponents)
    c = m @ start - np.ldexp(slope, exponents)
    first = np.ldexp(l1[own], exponents)
    # a target whose fit by all columns leaves as much as there are rows: the gap is relative to it
    whole = float(c @ solve_definite(m, c)) + float(np.diagonal(h).max())
    problem = lib.Penalized(m, c, max(whole, 0.0), first, np.zeros(own.size), np.ones(1), False, 1e-15, 2000, start)
    lib.elastic_net_paths([problem], 1)
    step = np.zeros_like(b)
    step[own] = np.ldexp(problem.b[0], exponents) - b[own]
    if free.size:
        j = free[0]
        step[j] = -(g[j] + h[j, own] @ step[own]) / h[j, j]
    return step[None, :]


def descent_of(progress, step):
    """What a step promises to first order."""
    value = float(np.sum(slopes_of(progress) * step))
    if progress.penalty.l1 is not None:
        b = progress.point.b
        value += float(((np.abs(b + step) - np.abs(b)) @ progress.penalty.l1).sum())
    return value


def search(model, penalty, point, value, step, slope, with_hessian, progress, reads):
    """(the next point, t) with enough descent, or (None, 0) where rounding leaves none."""
    noise = 64 * EPS * max(abs(value), model.sum_weights * EPS)
    new = model.evaluate(point.b + step, with_hessian)
    progress.passes += reads

    def enough(loss, t):
        return loss + penalty.value(point.b + t * step) <= value + ARMIJO * t * slope + noise

    if usable(new) and enough(new.loss, 1.0):
        return new, 1.0
    t = 1.0
    for _ in range(MOST_HALVINGS):
        t *= 0.5
        if -t * slope <= 1e-3 * noise:
            return None, 0.0
        if enough(model.loss_along(point.eta, new.eta, t), t):
            new = model.evaluate(point.b + t * step)
            progress.passes += reads
            return (new, t) if usable(new) else (None, 0.0)
    return None, 0.0


# ---- separation ------------------------------------------------------------------------------------------------------


def creeps(norms, norm):
    """Whether the last steps went on at a steady rate, as they do on the way to infinity: by 1/e each."""
    if len(norms) < 4:
        return False
    rates = [norms[-2] / norms[-3], norms[-1] / norms[-2], norm / norms[-1]]
    return all(0.1 < rate < 0.8 for rate in rates)


def separates(model, moved):
    """Whether the predictors have moved so that no row fits worse, but for some that do not move."""
    y = np.asarray(model.y)
    if model.weights is not None:
        kept = model.weights > 0
        y, moved = y[kept], moved[kept]
    if model.family is None:
        full = np.column_stack([moved, np.zeros(moved.shape[0])])
        wrong = full.max(axis=1) - full[np.arange(y.size), y.astype(np.int64)]
    elif model.family.name == "binomial":
        wrong = np.where(y == 0, moved[:, 0], np.where(y == 1, -moved[:, 0], np.abs(moved[:, 0])))
    elif model.family.name == "poisson":
        wrong = np.where(y == 0, moved[:, 0], np.abs(moved[:, 0]))
    else:
        return False
    largest = np.abs(moved).max(initial=0.0)
    return bool(largest > 0.1 and wrong.max(initial=0.0) <= CONTRADICTION * largest)
