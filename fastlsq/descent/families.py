# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Families and links of generalized linear models: losses, slopes and curvatures of rows.

The loss of a row is half its unit deviance but for what depends on y alone:

    gaussian  (y - mu)²/2          binomial  -y log mu - (1 - y) log(1 - mu)
    poisson   mu - y log mu        gamma     y/mu + log mu

With V the variance function of the mean its slope in the linear predictor eta is -(y - mu) mu'/V, and its curvature, in
the mean over y, mu'²/V.  Four pairs have kernels of their own (csrc/kernels/family_template.h); the others are here.
"""

import numpy as np

_TINY = np.finfo(float).tiny
# A mean of a binomial is kept this far from 0 and 1 where a link is not of closed form.
_EDGE = np.finfo(float).eps


def _normal(eta):
    from scipy.special import ndtr

    return ndtr(eta), np.exp(-0.5 * eta * eta) / np.sqrt(2.0 * np.pi)


def _logistic(eta):
    from scipy.special import expit

    mean = expit(eta)
    return mean, mean * expit(-eta)


def _cloglog(eta):
    rate = np.exp(np.minimum(eta, 700.0))
    return -np.expm1(-rate), np.exp(np.minimum(eta, 700.0) - rate)


def _log_mean(eta):
    mean = np.exp(eta)
    return mean, mean


def _probit_link(mean):
    from scipy.special import ndtri

    return ndtri(mean)


def _logit_link(mean):
    from scipy.special import logit

    return logit(mean)


def _excess(y, mean):
    """y log(y/mean) - (y - mean); what 1 + (y - mean)/mean loses of a small y is nothing next to the mean."""
    from scipy.special import xlog1py

    away = y - mean
    return xlog1py(y, away / mean) - away


#: name: (eta of a mean, (mean, its derivative) of an eta)
LINKS = {
    "identity": (lambda mean: mean, lambda eta: (eta, np.ones_like(eta))),
    "log": (np.log, _log_mean),
    "logit": (_logit_link, _logistic),
    "probit": (_probit_link, _normal),
    "cloglog": (lambda mean: np.log(-np.log1p(-mean)), _cloglog),
    "inverse": (lambda mean: 1.0 / mean, lambda eta: (1.0 / eta, -1.0 / (eta * eta))),
    "sqrt": (np.sqrt, lambda eta: (eta * eta, 2.0 * eta)),
}
#: the first link of a family is its default
FAMILY_LINKS = {
    "gaussian": ("identity", "log", "inverse"),
    "binomial": ("logit", "probit", "cloglog", "log"),
    "poisson": ("log", "identity", "sqrt"),
    "gamma": ("log", "inverse", "identity"),
}
_KERNELS = {("gaussian", "identity"), ("binomial", "logit"), ("poisson", "log"), ("gamma", "log")}


class Family:
    """A family with a link; y, mu and weights are float64 vectors."""

    def __init__(self, name, link):
        self.name, self.link = name, link
        self.core = name if (name, link) in _KERNELS else None
        self._eta_of, self._mean_of = LINKS[link]

    def __reduce__(self):
        return Family, (self.name, self.link)

    @property
    def estimates_dispersion(self):
        return self.name in ("gaussian", "gamma")

    @property
    def needs_a_start(self):
        """Whether eta = 0 is that of no mean."""
        own = self.name, self.link
        return self.link in ("inverse", "sqrt") or own in {("poisson", "identity"), ("gamma", "identity"),
                                                           ("binomial", "log")}

    def check(self, y):
        """Raise ValueError naming the first row whose y the family does not have."""
        if self.name == "gaussian":
            return
        low, high = y.min(), y.max()
        inside = {"poisson": low >= 0, "gamma": low > 0, "binomial": low >= 0 and high <= 1}
        if inside[self.name]:
            return
        wrong = (y < 0) if self.name == "poisson" else (y <= 0) if self.name == "gamma" else (y < 0) | (y > 1)
        if wrong.any():
            row = int(np.argmax(wrong))
            what = {"poisson": ">= 0", "gamma": "> 0", "binomial": "between 0 and 1"}[self.name]
            raise ValueError(f"y must be {what} for family={self.name!r}; row {row} is {y[row]}")

    def eta(self, mean):
        return self._eta_of(mean)

    def mean(self, eta):
        return self._mean_of(eta)[0]

    def variance(self, mean):
        if self.name == "gaussian":
            return np.ones_like(mean)
        if self.name == "binomial":
            return mean * (1.0 - mean)
        return mean if self.name == "poisson" else mean * mean

    def pearson(self, eta, y):
        """(y - mu)²/V of every row."""
        mean = self.mean(eta)
        if self.name != "binomial":
            return (y - mean) ** 2 / self.variance(mean)
        other = self._complement(eta, mean)  # where the mean rounds to 1 the rest is still a number
        away = np.where(y > 0.5, other - (1.0 - y), y - mean)
        return away**2 / np.maximum(mean * other, _TINY)

    def start(self, mean):
        """eta where a fit starts, for the mean of y."""
        if self.name == "binomial":
            mean = min(max(mean, 1e-3), 1 - 1e-3)
        if self.link in ("log", "sqrt", "inverse") or self.name in ("poisson", "gamma"):
            mean = max(mean, 1e-3 * abs(mean) + _TINY) if mean > 0 else 1.0
        return float(self.eta(np.float64(mean)))

    def allows(self, eta):
        """Whether every eta is that of a mean the family has."""
        if not np.isfinite(eta).all():
            return False
        if self.core is not None or self.name == "gaussian":
            return self.link != "inverse" or bool((eta != 0).all())
        if self.link in ("identity", "inverse"):
            return bool((eta > 0).all())
        return bool((eta < 0).all()) if self.name == "binomial" and self.link == "log" else True

    def losses(self, eta, y):
        mean = self.mean(eta)
        if self.name == "gaussian":
            return 0.5 * (y - mean) ** 2
        if self.name == "binomial":
            mean = np.clip(mean, _TINY, None)
            other = np.clip(self._complement(eta, mean), _TINY, None)
            return -(y * np.log(mean) + (1.0 - y) * np.log(other))
        mean = np.clip(mean, _TINY, None)
        logarithm = eta if self.link == "log" else np.log(mean)
        return mean - y * logarithm if self.name == "poisson" else y / mean + logarithm

    def _complement(self, eta, mean):
        """1 - mean with its own digits."""
        if self.link in ("probit", "logit"):
            return self.mean(-eta)
        return np.exp(-np.exp(np.minimum(eta, 700.0))) if self.link == "cloglog" else 1.0 - mean

    def slopes(self, eta, y):
        """(slope, mean curvature) of the losses in eta."""
        mean, derivative = self._mean_of(eta)
        variance = self.variance(mean)
        if self.name == "binomial":
            variance = np.maximum(np.clip(mean, 0, None) * self._complement(eta, mean), _EDGE**2)
        variance = np.maximum(variance, _TINY)
        return -(y - mean) * derivative / variance, derivative * derivative / variance

    def deviances(self, eta, y):
        """Twice the losses less those at mu = y, which a difference of sums has no digits of where counts are large."""
        mean = self.mean(eta)
        if self.name == "gaussian":
            return (y - mean) ** 2
        mean = np.clip(mean, _TINY, None)
        if self.name == "binomial":
            other = np.clip(self._complement(eta, mean), _TINY, None)
            return 2.0 * (_excess(y, mean) + _excess(1.0 - y, other))
        if self.name == "poisson":
            return 2.0 * _excess(y, mean)
        away = (y - mean) / mean
        return 2.0 * (away - np.where(np.abs(away) < 0.5, np.log1p(away), np.log(y / mean)))
