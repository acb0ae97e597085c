# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""What a generalized linear model says of its parameters.  It holds O(p²) numbers, never the rows."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fastlsq import _arrays
from fastlsq._core import lib
from fastlsq.descent import newton

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from fastlsq.descent.glm_summary import GLMSummary

#: rows that predictions and likelihoods are computed for at a time
_PIECE = 65536


def rows_used(model):
    return model.x.shape[0] if model.weights is None else int(np.count_nonzero(model.weights))


def _pieces(n):
    return (slice(start, start + _PIECE) for start in range(0, n, _PIECE))


class _Fitted:
    """What both results share."""

    def _take(self, model, progress, names, alpha, inference):
        self.names = list(names)
        self.has_intercept = model.intercept
        self.alpha = alpha
        self.n_rows = rows_used(model)
        self.sum_weights = model.sum_weights
        self.converged = progress.converged
        self.gradient_norm = progress.gradient_norm
        self.passes = progress.passes
        self.history = progress.history
        self.n_iter = len(progress.history) - 1
        self.penalized = progress.penalty.l1 is not None or progress.penalty.l2 is not None
        p = len(self.names)
        self.aliased = [self.names[j] for j in np.flatnonzero(~progress.active[:p])]
        self.rank = int(progress.active[:p].sum())
        self.n_threads = model.n_threads
        self.separation = None
        self.reason = progress.reason
        self._with_errors = inference and progress.hessian is not None and not self.penalized
        if progress.separation is not None:
            self._name_separation(model, progress.separation)

    def _name_separation(self, model, direction):
        """The columns of the direction, by what they move the predictors."""
        p = len(self.names)
        slopes = np.abs(np.ldexp(direction[:, :p], model.units.exponents[:p]))
        # in all rows: a column may be 0 in all but one
        low, high = model.x.min(axis=0).astype(np.float64), model.x.max(axis=0).astype(np.float64)
        moved = slopes.max(axis=0) * (high - low if model.intercept else np.maximum(high, -low))
        found = np.flatnonzero(moved > 1e-3 * moved.max(initial=0.0))
        found = found[np.argsort(-moved[found], kind="stable")]
        self.separation = {self.names[j]: float(np.ldexp(direction[:, j], model.units.exponents[j])[
            np.argmax(np.abs(direction[:, j]))]) for j in found}
        shown = ", ".join(list(self.separation)[:5]) + (", ..." if found.size > 5 else "")
        self.reason = ("the likelihood has no finite maximum: the outcomes are separated along "
                       + (f"a direction of the columns {shown}" if found.size > 1 else f"column {shown}"
                          if found.size else "the intercept")
                       + "; penalize (alpha > 0) or leave columns out")

    def _checked(self, X):
        x = _arrays.matrix(X, "X")
        if x.shape[1] != len(self.names):
            raise ValueError(f"X has {x.shape[1]} columns, the model has {len(self.names)}")
        return x

    def __getstate__(self):
        derived = ("covariance", "standard_errors", "t_values", "p_values")
        return {name: value for name, value in self.__dict__.items() if name not in derived}


def quantile(level, df):
    from scipy.special import ndtri, stdtrit

    if not _arrays.is_number(level):
        raise TypeError(f"level must be a number between 0 and 1, got {level!r}")
    if not 0 < level < 1:
        raise ValueError(f"level must be between 0 and 1, got {level}")
    if df is None:
        return float(ndtri(0.5 + level / 2))
    return float(stdtrit(df, 0.5 + level / 2)) if df > 0 else np.nan


def two_sided(values, df):
    from scipy.special import ndtr, stdtr

    if df is None:
        return 2.0 * ndtr(-np.abs(values))
    return 2.0 * stdtr(df, -np.abs(values)) if df > 0 else np.full(values.shape, np.nan)


class _Likelihood:
    """Deviances, Pearson's statistic and what the log-likelihood has besides the loss."""

    def __init__(self, model, target, mean, eta, loss, with_pearson):
        family, n = model.family, model.x.shape[0]
        self.deviance = self.constant = 0.0
        self.pearson = 0.0 if with_pearson else np.nan
        # where losses are 0 at mu = y they are all of the deviance
        plain = family.name == "gaussian" or (
            family.name == "binomial" and bool(((target.y == 0) | (target.y == 1)).all()))
        self.null_deviance = 2.0 * self._null(model, mean) if plain else self._null(model, mean, family.deviances)
        if family.core is not None and with_pearson:
            self.pearson = lib.glm_along(family.core, eta, eta, 0.0, model.y, model.weights)[2]
        for own in _pieces(n):
            y, w = target.y[own], None if model.weights is None else model.weights[own].astype(np.float64)
            trials = None if target.trials is None else target.trials[own]
            ours = eta[own]
            if w is not None:
                kept = w > 0
                y, w, ours, trials = y[kept], w[kept], ours[kept], None if trials is None else trials[kept]
            with np.errstate(all="ignore"):
                if not plain:
                    self.deviance += _sum(w, family.deviances(ours, y))
                if family.core is None and with_pearson:
                    self.pearson += _sum(w, family.pearson(ours, y))
                self.constant += self._constant(family, y, w, trials)

        self.deviance = 2.0 * loss if plain else self.deviance

    @staticmethod
    def _null(model, mean, of_rows=None):
        """Loss of the model of an intercept (if there is one) and the offset alone, or the sum of something else."""
        family = model.family
        if model.offset is None and model.intercept:
            with np.errstate(all="ignore"):  # NaN where the mean of y is none of the family
                level = float(family.eta(np.float64(mean)))
        elif model.intercept:
            none = type(model).of(np.empty((model.x.shape[0], 0)), model.y, model.weights, model.offset, family, 1,
                                  True, model.n_threads)
            start = family.start(mean) - float(np.average(model.offset, weights=model.weights))
            penalty = newton.Penalty(None, None, np.eye(1), True)
            found = newton.minimise(none, penalty, np.array([[start]]), 1e-10, 100, 1.0, True).point
            if of_rows is None:
                return found.loss
            level = float(found.b[0, 0])
        else:
            level = 0.0
        with np.errstate(all="ignore"):
            if model.offset is None and family.name != "gaussian" and of_rows is None:
                # the loss of a row is linear in y
                return float(model.sum_weights * family.losses(np.array([level]), np.array([mean]))[0])
            total = 0.0
            for own in _pieces(model.x.shape[0]):
                y = np.asarray(model.y[own], np.float64)
                at = np.broadcast_to(level, y.shape) if model.offset is None else level + model.offset[own]
                losses = (of_rows or family.losses)(at, y)
                if model.weights is not None:
                    losses = np.where(model.weights[own] > 0, losses * model.weights[own], 0.0)
                total += float(losses.sum())
            return total

    @staticmethod
    def _constant(family, y, w, trials):
        from scipy.special import gammaln

        if family.name == "poisson":
            return -_sum(w, gammaln(y + 1.0))
        if trials is None:
            return 0.0
        good = y * trials
        return _sum(w / trials, gammaln(trials + 1) - gammaln(good + 1) - gammaln(trials - good + 1))


def _sum(w, values):
    return float(values.sum() if w is None else w @ values)


class GLMResult(_Fitted):
    """A fitted generalized linear model and inference on its parameters.

    Attributes
    ----------
    coef : ndarray, shape (p,)
    intercept : float
        0.0 for a model without one.
    family, link : str
    names, param_names : list of str
        Without and with 'intercept' in front; `params`, `standard_errors`, `t_values`, `p_values` and `conf_int()`
        follow `param_names`.
    deviance, null_deviance : float
        The null model has the intercept (if any) and the offset.
    log_likelihood, aic, bic : float
        For the gaussian family at the variance deviance/n, for gamma at `dispersion`; penalties are not in them, and
        aic and bic count rank + intercept parameters.
    dispersion : float
        1 for binomial and poisson, else Pearson's statistic over df_resid.
    pearson : float
        Pearson's statistic; NaN where it is not needed and `inference` was False.
    converged : bool
        Whether the gradient met the tolerance; `gradient_norm` is what it was at the last pass, `reason` why it did
        not, `history` the objective (times the sum of the weights) and the gradient of every step, `passes` how often
        X was read (a part of it where a sample was).
    separation : dict or None
        Direction of the coefficients without end, by columns.
    aliased : list of str
        Columns that depend on earlier ones; the coefficients are then of minimum norm.
    classes : ndarray or None
        The labels behind 0 and 1, where y had labels.
    """

    def __init__(self, model, progress, family, names, target, mean, alpha, inference):
        self._take(model, progress, names, alpha, inference)
        self.family, self.link, self.classes = family.name, family.link, target.classes
        self.param_names = (["intercept"] if self.has_intercept else []) + self.names
        self._kind, self._loss = family, progress.point.loss
        slopes, intercepts = model.in_user_units(progress.point.b)
        self.df_model = self.rank
        self.df_resid = self.n_rows - self.rank - self.has_intercept
        shortest = None
        if self.aliased:
            shortest = null_space(model, progress)
            moved = slopes[0] - shortest.apply(slopes[0])
            intercepts = intercepts + shortest.mean @ moved
            slopes = slopes - moved
        self.coef, self.intercept = slopes[0], float(intercepts[0]) if self.has_intercept else 0.0
        eta = progress.point.eta
        eta = np.ascontiguousarray((model.predict(progress.point.b) if eta is None else eta)[:, 0])
        found = _Likelihood(model, target, mean, eta, self._loss, inference or family.estimates_dispersion)
        self.deviance = max(found.deviance, 0.0)
        self.null_deviance = max(found.null_deviance, 0.0)
        self.pearson = found.pearson
        self.dispersion = 1.0 if not family.estimates_dispersion else (
            found.pearson / self.df_resid if self.df_resid > 0 else np.nan)
        self._constant = found.constant
        self._sum_log_weights = 0.0
        if model.weights is not None and family.name == "gaussian":
            w = model.weights[model.weights > 0].astype(np.float64)
            self._sum_log_weights = float(np.log(w).sum())
        self._gamma_likelihood = 0.0
        if family.name == "gamma":
            self._gamma_likelihood = _gamma_likelihood(model, target.y, eta, self.dispersion)
        self._root = self._inverse_root(model, progress, shortest) if self._with_errors else None

    def _inverse_root(self, model, progress, shortest):
        """A with A Aᵀ the covariance of the parameters over the dispersion."""
        hessian = progress.hessian
        if self._kind.core == "gamma":  # where the curvature is not its mean
            hessian = model.evaluate(progress.point.b, True, False, expected=True).hessian
            self.passes += 1
        try:
            return parameter_root(model, hessian, progress.active, shortest)
        except np.linalg.LinAlgError:  # a fit that has not converged
            return None

    @property
    def params(self) -> NDArray[np.float64]:
        return np.r_[self.intercept, self.coef] if self.has_intercept else self.coef

    @property
    def df_inference(self):
        """Degrees of freedom of t, or None where tests take the normal distribution: the dispersion is known."""
        return self.df_resid if self._kind.estimates_dispersion else None

    @cached_property
    def covariance(self) -> NDArray[np.float64]:
        """Over `param_names`: dispersion times the inverse of the expected information; NaN for penalized fits."""
        if self._root is None:
            return np.full((len(self.param_names), len(self.param_names)), np.nan)
        return self.dispersion * (self._root @ self._root.T)

    @cached_property
    def standard_errors(self) -> NDArray[np.float64]:
        """NaN for penalized fits, constant columns, and where `inference` was False."""
        if self._root is None:
            return np.full(len(self.param_names), np.nan)
        errors = np.sqrt(self.dispersion) * lengths(self._root)
        return np.where(errors > 0, errors, np.nan)

    @cached_property
    def t_values(self) -> NDArray[np.float64]:
        """Coefficients over their standard errors: z for binomial and poisson."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.params / self.standard_errors

    @cached_property
    def p_values(self) -> NDArray[np.float64]:
        """Two-sided, of the normal distribution for binomial and poisson, else of t."""
        return two_sided(self.t_values, self.df_inference)

    def conf_int(self, level: float = 0.95) -> NDArray[np.float64]:
        """Wald intervals, shape (number of parameters, 2)."""
        half = quantile(level, self.df_inference) * self.standard_errors
        return np.stack([self.params - half, self.params + half], axis=1)

    # ---- the fit as a whole ------------------------------------------------------------------------------------------

    @property
    def log_likelihood(self) -> float:
        if self.family == "gamma":
            return self._gamma_likelihood
        if self.family == "gaussian":
            n = self.n_rows
            with np.errstate(divide="ignore"):
                return float(-n / 2 * (np.log(2 * np.pi * self.deviance / n) + 1) + 0.5 * self._sum_log_weights)
        return self._constant - self._loss

    loglike = log_likelihood

    @property
    def aic(self) -> float:
        return -2.0 * self.log_likelihood + 2.0 * (self.df_model + self.has_intercept)

    @property
    def bic(self) -> float:
        return -2.0 * self.log_likelihood + np.log(self.n_rows) * (self.df_model + self.has_intercept)

    def deviance_table(self) -> dict[str, dict[str, float]]:
        """Deviances and degrees of freedom of the null model, of this one, and of their difference.

        The difference is tested by chi², or by F where the dispersion is estimated: 'p_value'.
        """
        from scipy.special import chdtrc, fdtrc

        explained = self.null_deviance - self.deviance
        df = self.df_model
        test = np.nan
        if df > 0 and self.df_inference is None:
            test = float(chdtrc(df, max(explained, 0.0)))
        elif df > 0 and self.df_resid > 0 and self.dispersion > 0:
            test = float(fdtrc(df, self.df_resid, max(explained, 0.0) / df / self.dispersion))
        return {
            "null": {"deviance": self.null_deviance, "df": self.n_rows - self.has_intercept},
            "residual": {"deviance": self.deviance, "df": self.df_resid},
            "model": {"deviance": explained, "df": df, "p_value": test},
        }

    def predict(
        self,
        X: ArrayLike,
        kind: Literal["response", "link", "class"] = "response",
        *,
        offset: ArrayLike | None = None,
    ) -> NDArray[Any]:
        """Means ('response'), linear predictors ('link') or, of a binomial fit, the likelier label ('class').

        Shape (n,) for X of shape (n, p).
        """
        if kind not in ("response", "link", "class") or (kind == "class" and self.family != "binomial"):
            raise ValueError(f"kind must be 'response' or 'link', or for family='binomial' 'class', got {kind!r}")
        x = self._checked(X)
        eta = x @ self.coef + self.intercept
        if offset is not None:
            eta = eta + _arrays.one_target(offset, "offset", x.shape[0], "X")[:, 0]
        if kind == "link":
            return eta
        mean = self._kind.mean(eta)
        if kind == "response":
            return mean
        likelier = (mean > 0.5).astype(np.int64)
        return likelier if self.classes is None else self.classes[likelier]

    def summary(self, level: float = 0.95) -> GLMSummary:
        """Table of coefficients, standard errors, tests and deviances: prints as text, shows as HTML in notebooks."""
        from fastlsq.descent.glm_summary import GLMSummary

        return GLMSummary(self, level)

    def __repr__(self):
        return (f"GLMResult({self.family}, {self.link}, {self.n_rows} rows, {len(self.names)} columns, "
                f"deviance={self.deviance:.6g}, converged={self.converged})")


def _gamma_likelihood(model, y, eta, dispersion):
    from scipy.special import gammaln

    total = 0.0
    with np.errstate(all="ignore"):
        for own in _pieces(y.size):
            w = np.ones(y[own].size) if model.weights is None else model.weights[own].astype(np.float64)
            kept = w > 0
            part, shape = y[own][kept], w[kept] / dispersion
            ratio = part / model.family.mean(eta[own][kept])
            total += float((shape * np.log(shape * ratio) - shape * ratio - gammaln(shape) - np.log(part)).sum())
    return total


def lengths(rows):
    """Of rows whose squares may be no numbers."""
    largest = np.abs(rows).max(axis=1, initial=0.0)
    unit = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
    return unit * np.sqrt(((rows / unit[:, None]) ** 2).sum(axis=1))


def parameter_root(model, hessian, active, shortest):
    """A with A Aᵀ the inverse of a Hessian, in the user's units, the intercept first."""
    p = model.x.shape[1]
    r, exponents = newton.factor_of(hessian[np.ix_(active, active)])
    inverse = np.eye(r.shape[0])
    if r.size:
        lib.triangular_solve(r, inverse, False)
    root = np.zeros((active.size, r.shape[0]))
    root[active] = np.ldexp(inverse, exponents[:, None])
    root = model.parameter_map() @ root
    if shortest is not None:
        moved = root[:p] - shortest.apply(root[:p])
        if model.intercept:
            root[p] += shortest.mean @ moved
        root[:p] -= moved
    return np.vstack([root[p:], root[:p]]) if model.intercept else root


class _Shortest:
    """Moves slopes to minimum norm, along a null space (orthonormal rows) of the columns about `mean`."""

    def __init__(self, null, mean):
        self.null, self.mean = null, mean

    def apply(self, slopes):
        """What of them is not in the null space."""
        return slopes - self.null.T @ (self.null @ slopes)


def null_space(model, progress):
    """In the user's units, of the columns that depend on others."""
    p = model.x.shape[1]
    own = model.units.exponents[:p]
    h, _ = newton.centred(model, progress.hessian[: model.lead, : model.lead])
    kept, left = np.flatnonzero(progress.active[:p]), np.flatnonzero(~progress.active[:p])
    null = np.zeros((left.size, p))
    for i, j in enumerate(left):
        null[i, j] = 1.0
        if kept.size and h[j, j] > 0:
            null[i, kept] = -newton.solve_definite(h[np.ix_(kept, kept)], h[kept, j])
    null = np.ldexp(null, own)
    null /= np.abs(null).max(axis=1)[:, None]
    basis = np.linalg.qr(null.T)[0].T if left.size else null
    mean = np.zeros(p)
    if model.intercept:
        packed = progress.hessian[p, :p] / progress.hessian[p, p]
        mean = np.ldexp(packed, -own) + model.units.shift
    return _Shortest(basis, mean)


class MultinomialResult(_Fitted):
    """A fitted multinomial logistic model: P(class c) is proportional to exp(intercept_c + x coef_c).

    Attributes
    ----------
    classes : ndarray, shape (k,)
        Sorted labels.
    coef : ndarray, shape (k, p)
    intercept : ndarray, shape (k,)
        Without a penalty relative to the first class, whose are 0; with one they sum to zero over the classes, which is
        its minimum.
    standard_errors : ndarray, shape (k, number of parameters), the intercept first
        Of a fit without a penalty; NaN for the first class.
    deviance, null_deviance, log_likelihood, aic, bic, converged, gradient_norm, reason, history, separation, aliased
        As in GLMResult.
    """

    def __init__(self, model, progress, classes, names, shares, alpha, inference):
        self._take(model, progress, names, alpha, inference)
        self.classes = classes
        self.param_names = (["intercept"] if self.has_intercept else []) + self.names
        k, p = classes.size, len(self.names)
        slopes, intercepts = model.in_user_units(progress.point.b)
        coef, level = np.zeros((k, p)), np.zeros(k)
        shortest = null_space(model, progress) if self.aliased else None
        if shortest is not None:
            moved = slopes - shortest.apply(slopes.T).T
            intercepts = intercepts + moved @ shortest.mean
            slopes = slopes - moved
        coef[1:], level[1:] = slopes, intercepts
        if self.penalized:
            coef, level = coef - coef.mean(axis=0), level - level.mean()
        self.coef, self.intercept = coef, level if self.has_intercept else np.zeros(k)
        self.deviance = 2.0 * progress.point.loss
        present = shares[shares > 0]
        log_null = float(present @ np.log(present)) if self.has_intercept else -np.log(k)
        self.null_deviance = -2.0 * self.sum_weights * log_null
        self.df_model = (k - 1) * self.rank
        self.df_resid = self.n_rows - self.df_model - (k - 1) * self.has_intercept
        self.standard_errors = np.full((k, len(self.param_names)), np.nan)
        if self._with_errors and shortest is None:
            r, exponents = newton.factor_of(progress.hessian)
            inverse = np.eye(r.shape[0])
            lib.triangular_solve(r, inverse, False)
            root = np.ldexp(inverse, exponents[:, None])
            for c in range(k - 1):
                own = model.parameter_map() @ root[c * model.lead : (c + 1) * model.lead]
                errors = lengths(own)
                self.standard_errors[c + 1] = np.r_[errors[p:], errors[:p]]

    @property
    def params(self) -> NDArray[np.float64]:
        """Shape (k, number of parameters), the intercept first."""
        return np.column_stack([self.intercept, self.coef]) if self.has_intercept else self.coef

    @property
    def t_values(self) -> NDArray[np.float64]:
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.params / self.standard_errors

    @property
    def p_values(self) -> NDArray[np.float64]:
        return two_sided(self.t_values, None)

    def conf_int(self, level: float = 0.95) -> NDArray[np.float64]:
        """Wald intervals, shape (k, number of parameters, 2)."""
        half = quantile(level, None) * self.standard_errors
        return np.stack([self.params - half, self.params + half], axis=2)

    @property
    def log_likelihood(self) -> float:
        return -0.5 * self.deviance

    loglike = log_likelihood

    @property
    def aic(self) -> float:
        return self.deviance + 2.0 * (self.df_model + (self.classes.size - 1) * self.has_intercept)

    @property
    def bic(self) -> float:
        return self.deviance + np.log(self.n_rows) * (self.df_model + (self.classes.size - 1) * self.has_intercept)

    def predict(self, X: ArrayLike, kind: Literal["response", "link", "class"] = "response") -> NDArray[Any]:
        """Probabilities or predictors, shape (n, k), or the likeliest labels, shape (n,)."""
        if kind not in ("response", "link", "class"):
            raise ValueError(f"kind must be 'response', 'link' or 'class', got {kind!r}")
        eta = self._checked(X) @ self.coef.T + self.intercept
        if kind == "link":
            return eta
        if kind == "class":
            return self.classes[np.argmax(eta, axis=1)]
        from scipy.special import softmax

        return softmax(eta, axis=1)

    def __repr__(self):
        return (f"MultinomialResult({self.classes.size} classes, {self.n_rows} rows, {len(self.names)} columns, "
                f"deviance={self.deviance:.6g}, converged={self.converged})")
