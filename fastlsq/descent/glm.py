# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""`glm`: generalized linear models by Newton's method on one fused pass."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fastlsq import _arrays, _threads
from fastlsq.descent import newton
from fastlsq.descent.families import FAMILY_LINKS, Family
from fastlsq.descent.glm_result import GLMResult
from fastlsq.descent.multinomial_result import MultinomialResult
from fastlsq.descent.objective import Model

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

#: parameters from which on a Hessian is too much, and L-BFGS takes its place
MOST_PARAMETERS = 3000
_SMALLEST_CURVATURE = 1e-280


class SeparationWarning(RuntimeWarning):
    """The data have no finite maximum of the likelihood."""


def glm(
    X: Any,
    y: ArrayLike,
    *,
    family: Literal["gaussian", "binomial", "multinomial", "poisson", "gamma"] = "gaussian",
    link: str | None = None,
    weights: ArrayLike | None = None,
    offset: ArrayLike | None = None,
    intercept: bool = True,
    alpha: float = 0.0,
    l1_ratio: float = 0.0,
    tol: float = 1e-8,
    max_iter: int = 100,
    inference: bool = True,
    names: Sequence[str] | None = None,
    n_threads: int | None = None,
) -> GLMResult | MultinomialResult:
    """Fit a generalized linear model by maximum likelihood, with or without an elastic-net penalty.

    Minimises, with eta_i = offset_i + intercept + x_i coef and the loss l of the family (half its unit deviance),

        sum_i w_i l(y_i, eta_i) / sum_i w_i + alpha (l1_ratio ‖coef‖₁ + (1 - l1_ratio)/2 ‖coef‖²)

    which is the objective of scikit-learn's PoissonRegressor and GammaRegressor, that of its LogisticRegression with
    C = 1/(alpha sum w), and for the gaussian family that of `elastic_net`.

    Parameters
    ----------
    X : array_like or data frame, shape (n, p), real
        Any numeric dtype and strides; read without a copy, but for a sample of every 17th row where there are many.
    y : array_like, shape (n,)
        gaussian: any; poisson: >= 0; gamma: > 0; binomial: 0 and 1, or shares in between with the numbers of trials
        as weights, or shape (n, 2) of successes and failures, or two labels that are no numbers; multinomial: labels.
    family : {'gaussian', 'binomial', 'multinomial', 'poisson', 'gamma'}
    link : str, optional
        gaussian: 'identity', 'log', 'inverse'; binomial: 'logit', 'probit', 'cloglog', 'log'; poisson: 'log',
        'identity', 'sqrt'; gamma: 'log', 'inverse', 'identity'.  The first of each is the default; it takes one read
        of X an iteration, the others two.
    weights : array_like, shape (n,), optional
        Non-negative.  Coefficients are those of rows repeated w times; standard errors take w as relative precisions
        (degrees of freedom count rows with w > 0).
    offset : array_like, shape (n,), optional
        Added to eta.  Not for multinomial.
    intercept : bool
        Not penalized.
    alpha, l1_ratio : float
        Strength >= 0 and mixture between 0 and 1 of the penalty.  l1_ratio is not for multinomial.
    tol : float
        Converged when the largest entry of the gradient of the objective, each column scaled to unit curvature (and for
        the gaussian family y to unit variance), is no larger.  With l1 of the subgradient nearest to 0.  Without it one
        more step follows, which needs no read.
    max_iter : int
        Steps of Newton's method.
    inference : bool
        False leaves out standard errors, and with them up to one pass.
    names : sequence of str, optional
        Column names; by default those of the data frame, else x0, x1, ...
    n_threads : int, optional

    Returns
    -------
    GLMResult or, for multinomial, MultinomialResult
        `converged` tells whether the gradient met `tol`; where it did not `reason` and a RuntimeWarning tell why.

    Raises
    ------
    ValueError
        Shapes that do not fit, no rows, non-finite values, y outside of the family, one class only.
    TypeError
        Complex, sparse, masked or non-numeric input.

    Warns
    -----
    SeparationWarning
        A direction of the coefficients fits no row worse the further one goes: there is no finite maximum.  The
        warning and `separation` of the result name the columns of that direction.

    Notes
    -----
    Columns that depend on earlier ones (to 1e-6 of their length about the mean) are named in `aliased`, and the
    coefficients are then of minimum norm.  From 3000 parameters on L-BFGS takes the place of Newton's method, but
    with l1, and there are no standard errors.

    Sources: McCullagh and Nelder, Generalized Linear Models (1989); Friedman, Hastie and Tibshirani (2010) for proximal
    Newton steps; Albert and Anderson (1984) for separation.

    Examples
    --------
    >>> import numpy as np, fastlsq
    >>> x = np.array([[1.0], [2], [3], [4], [5], [6]])
    >>> fit = fastlsq.glm(x, [0, 0, 1, 0, 1, 1], family="binomial")
    >>> fit.coef.round(4), round(fit.intercept, 4), fit.converged
    (array([1.214]), -4.2491, True)
    """
    n_threads = _threads.resolve(n_threads)
    if family != "multinomial" and family not in FAMILY_LINKS:
        raise ValueError(f"family must be one of {', '.join([*FAMILY_LINKS, 'multinomial'])}, got {family!r}")
    links = ("logit",) if family == "multinomial" else FAMILY_LINKS[family]
    if link is not None and link not in links:
        raise ValueError(f"link must be one of {', '.join(links)} for family={family!r}, got {link!r}")
    alpha, l1_ratio = _arrays.number_up_to(alpha, "alpha", np.inf), _arrays.number_up_to(l1_ratio, "l1_ratio", 1.0)
    tol, max_iter = _arrays.number_up_to(tol, "tol", np.inf), _arrays.at_least_one(max_iter, "max_iter")
    x = _arrays.matrix(X, "X")
    n, p = x.shape
    names = _arrays.column_names(X, names, p)
    weights = _arrays.row_weights(weights, n, "X")
    if n == 0:
        raise ValueError("X has no rows")
    if p == 0 and not intercept:
        raise ValueError("X has no columns, and there is no intercept")
    if weights is not None and not (weights > 0).any():
        raise ValueError("weights must not all be zero")
    if offset is not None:
        if family == "multinomial":
            raise ValueError("offset is not for family='multinomial'")
        offset = _arrays.one_target(offset, "offset", n, "X")[:, 0]
        _arrays.check_finite(offset=offset[:, None])
    if family == "multinomial":
        if alpha > 0 and l1_ratio > 0:
            raise ValueError("l1_ratio must be 0 for family='multinomial'")
        return _multinomial(x, y, weights, bool(intercept), alpha, tol, max_iter, inference, names, n_threads)
    kind = Family(family, link or links[0])
    target = _arrays.response(y, family, n)
    kind.check(target.y)
    if target.trials is not None:
        weights = target.trials if weights is None else weights.astype(np.float64) * target.trials
        if not (weights > 0).any():
            raise ValueError("y has no trials")
    if family in ("gaussian", "poisson"):
        _arrays.check_size(target.y, "y")
    if family == "gaussian" and kind.link == "log" and not (target.y > 0).any():
        raise ValueError("y must be > 0 in some row for family='gaussian', link='log'")
    mean = float(np.average(target.y, weights=weights))
    if family == "binomial" and mean in (0.0, 1.0):
        raise ValueError(f"y has one class only: every row is {int(mean)}")
    if family == "poisson" and mean == 0.0:
        raise ValueError("y must not be 0 in every row")
    model = Model.of(x, target.y, weights, offset, kind, 1, bool(intercept), n_threads)
    scale = _spread(target.y, weights, mean) if family == "gaussian" else 1.0
    with np.errstate(all="ignore"):  # trials of steps that are too long; what is kept is finite
        progress, model = _fit(model, alpha, l1_ratio, tol, max_iter, inference, scale, kind.start(mean))
    fit = GLMResult(model, progress, kind, names, target, mean, alpha, bool(inference))
    _warn(fit)
    return fit


def _multinomial(x, y, weights, intercept, alpha, tol, max_iter, inference, names, n_threads):
    classes, codes = _arrays.classes(y, x.shape[0])
    seen = codes if weights is None else codes[weights > 0]
    if np.unique(seen).size < 2:
        raise ValueError("y has one class only" if classes.size < 2 else "y has one class only in rows with a weight")
    if np.unique(seen).size < classes.size:
        missing = next(c for c in range(classes.size) if c not in set(seen.tolist()))
        raise ValueError(f"class {classes[missing]} of y has no row with a weight")
    # the first class is the one without a predictor, which the core has last
    codes = (codes - 1) % classes.size
    k = classes.size - 1
    model = Model.of(x, codes.astype(np.float64), weights, None, None, k, intercept, n_threads)
    shares = np.bincount(codes, weights=weights, minlength=classes.size)
    shares = shares / shares.sum()
    with np.errstate(all="ignore"):
        progress, model = _fit(model, alpha, 0.0, tol, max_iter, inference, 1.0, np.log(shares[:k] / shares[k]))
    fit = MultinomialResult(model, progress, classes, names, shares, alpha, bool(inference))
    _warn(fit, 4)
    return fit


def _spread(y, weights, mean):
    """Standard deviation of y, or what there is of it."""
    with np.errstate(over="ignore"):
        found = float(np.sqrt(np.average((y - mean) ** 2, weights=weights)))
    return found if found > 0 else abs(mean) or 1.0


def _penalty(model, alpha, l1_ratio):
    p, k = model.x.shape[1], model.predictors
    whole = model.sum_weights * alpha
    own = model.units.exponents[:p]
    first = np.append(np.ldexp(np.full(p, whole * l1_ratio), own), np.zeros(int(model.intercept)))
    second = np.append(np.ldexp(np.full(p, whole * (1 - l1_ratio)), 2 * own), np.zeros(int(model.intercept)))
    # of classes that sum to zero, from those less the one without a predictor
    coupling = np.eye(k) - (1.0 / (k + 1) if model.family is None else 0.0)
    return newton.Penalty(first if alpha * l1_ratio > 0 else None, second if alpha * (1 - l1_ratio) > 0 else None,
                          coupling, model.intercept)


def _fit(model, alpha, l1_ratio, tol, max_iter, inference, scale, level):
    """(Progress, the model in the units that it was found in)."""
    for attempt in (0, 1):
        b = np.zeros((model.predictors, model.lead))
        if model.intercept:
            b[:, -1] = level if model.offset is None else level - np.average(model.offset, weights=model.weights)
        elif model.family is not None and model.family.needs_a_start:
            b = _positive_start(model, level)
        penalty = _penalty(model, alpha, l1_ratio)
        if b.size >= MOST_PARAMETERS and penalty.l1 is None:
            from fastlsq.descent.lbfgs import minimise

            model = model if attempt else model.rescaled()
            progress = minimise(model, _penalty(model, alpha, l1_ratio), b, tol, max_iter, scale)
        else:
            progress = newton.start(model, penalty, b, tol, max_iter, scale, inference)
        h = progress.hessian
        lost = h is not None and bool((np.diagonal(h) < _SMALLEST_CURVATURE * model.sum_weights).any())
        if progress.reason != "not finite" and not lost:
            return progress, model
        if attempt == 0:
            _arrays.check_finite(X=model.x, y=np.asarray(model.y).reshape(-1, 1))
            model = model.rescaled()
    if progress.reason == "not finite":
        raise ValueError("the likelihood at the start of the fit is not finite: the offset or y is too large for "
                         f"family={model.family.name!r}, link={model.family.link!r}" if model.family is not None
                         else "the likelihood at the start of the fit is not finite")
    return progress, model


def _positive_start(model, level):
    """Without an intercept, links that need eta > 0 start at the least-squares fit of a constant."""
    x = model.x
    constant = np.full(x.shape[0], level) if model.offset is None else level - model.offset
    from fastlsq.solve.lstsq import lstsq

    return np.ldexp(lstsq(x, constant, n_threads=model.n_threads).x, -model.units.exponents[: x.shape[1]])[None, :]


def _warn(fit, stacklevel=3):
    if fit.separation is not None:
        warnings.warn(fit.reason, SeparationWarning, stacklevel=stacklevel)
    elif not fit.converged:
        warnings.warn(f"glm: {fit.reason}; the gradient is {fit.gradient_norm:.2g}", RuntimeWarning,
                      stacklevel=stacklevel)


