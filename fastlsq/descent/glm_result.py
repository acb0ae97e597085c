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
from fastlsq.descent.fitted import Fitted, lengths, null_space, parameter_root

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

    from fastlsq.descent.glm_summary import GLMSummary

#: rows that predictions and likelihoods are computed for at a time
_PIECE = 65536


def _pieces(n):
    return (slice(start, start + _PIECE) for start in range(0, n, _PIECE))


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


class GLMResult(Fitted):
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
