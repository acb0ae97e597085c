# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Predictions of a fit and their intervals, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from fastlsq import _arrays, _threads
from fastlsq.gram.frame import Rows, block_size

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(slots=True)
class Prediction:
    """Predictions and their interval.

    Attributes
    ----------
    mean, standard_errors, lower, upper : ndarray, shape (n,) or (n, k)
        standard_errors is that of the mean response, and with interval='prediction' that of an observation.
    """

    mean: NDArray[np.float64]
    standard_errors: NDArray[np.float64]
    lower: NDArray[np.float64]
    upper: NDArray[np.float64]


def predict(fit, X, interval, level, weights, n_threads):
    """What `OLSResult.predict` promises."""
    x = _arrays.matrix(X, "X")
    if x.shape[1] != len(fit.names):
        raise ValueError(f"X has {x.shape[1]} columns, the model has {len(fit.names)}")
    mean = fit.shown(x @ fit.coefficients + fit._intercepts)
    if interval is None:
        return mean
    if interval not in ("mean", "prediction"):
        raise ValueError(f"interval must be 'mean', 'prediction' or None, got {interval!r}")
    quantile = fit.quantile_of(level)
    weights = _arrays.row_weights(weights, x.shape[0], "X")
    if weights is not None and interval == "mean":
        raise ValueError("weights go with interval='prediction': the mean response has none")
    errors = _mean_errors(fit, Rows(x, None, None, _threads.resolve(n_threads)))
    if interval == "prediction":
        with np.errstate(divide="ignore"):  # of weight 0: of no bounds
            share = 1.0 if weights is None else weights[:, None].astype(np.float64) ** -0.5
        sigma = np.atleast_1d(fit.sigma)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = errors / sigma
            errors = np.where(sigma > 0, sigma * np.sqrt(np.maximum(share**2 + ratio * np.abs(ratio), 0.0)), errors)
    errors = fit.shown(np.where(errors < 0, np.nan, errors))
    half = quantile * errors
    return Prediction(mean, errors, mean - half, mean + half)


def _mean_errors(fit, rows):
    """Roots of the variances at rows, of their size with its sign: by two ways of clustering it may be negative."""
    frame = fit.frame
    out = np.zeros((rows.x.shape[0], fit.targets))
    if frame.columns == 0:
        return out
    transform, meats = frame.transform(), [fit.meat_of(t) for t in range(fit.targets)]
    for start, stop, some in rows.blocks(block_size(frame.columns)):
        z = np.empty((stop - start, frame.columns))
        frame.scores(some, None, transform, "root", scores=z)
        if not np.isfinite(z).all():
            _arrays.check_finite(X=rows.x)
        lengths = np.sqrt(np.einsum("ij,ij->i", z, z)) if fit._meat is None else None
        for t, (meat, own) in enumerate(meats):
            if lengths is not None:
                errors = lengths * fit.scaled_sigma()[t]
            else:
                variances = np.einsum("ij,ij->i", z @ meat, z)
                errors = np.copysign(np.sqrt(np.abs(variances)), variances)
            with np.errstate(over="ignore", under="ignore"):
                out[start:stop, t] = np.ldexp(errors, own)
    return out

