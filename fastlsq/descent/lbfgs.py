# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""L-BFGS for models of too many parameters for a Hessian: one read of the rows for loss and gradient."""

import numpy as np

from fastlsq.descent.newton import Progress, usable

#: evaluations an iteration may take on average
_MOST_TRIALS = 4


def minimise(model, penalty, b, tol, max_iter, scale):
    """Progress from b; 10 iterations for each that Newton's method may take.  `converged` is judged on the gradient."""
    from scipy.optimize import minimize

    weight = model.sum_weights
    progress = Progress(model.evaluate(b, False, False), penalty, np.ones(model.lead, bool))
    progress.passes = 1
    if not usable(progress.point):
        progress.reason = "not finite"
        return progress
    best = [progress.point]

    def value_of(point):
        return (point.loss + penalty.value(point.b)) / weight

    def evaluate(flat):
        point = model.evaluate(flat.reshape(b.shape), False, False)
        progress.passes += 1
        value = value_of(point)
        if not usable(point):
            return np.inf, np.zeros(flat.size)
        if value <= value_of(best[0]):
            best[0] = point
        return value, (point.gradient + penalty.pull(point.b)).reshape(-1) / weight

    def norm_of(point):
        return float(np.abs(point.gradient + penalty.pull(point.b)).max() / (weight * scale))

    options = {"maxiter": 10 * max_iter, "maxfun": 10 * _MOST_TRIALS * max_iter, "ftol": 0.0, "gtol": tol * scale,
               "maxcor": 20, "maxls": 30}
    minimize(evaluate, b.reshape(-1), jac=True, method="L-BFGS-B", options=options)
    progress.point = best[0]
    progress.gradient_norm = norm_of(best[0])
    progress.converged = progress.gradient_norm <= tol
    progress.history.append({"iteration": progress.passes, "objective": value_of(best[0]) * weight,
                             "gradient_norm": progress.gradient_norm})
    if not progress.converged:
        progress.reason = f"not converged in {10 * max_iter} iterations of L-BFGS"
    return progress
