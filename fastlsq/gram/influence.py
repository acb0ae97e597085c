# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""What single rows do to a fit: leverages, deletion residuals, Cook's distances, DFBETAS, block by block.

With r_i the residual, u_i = sqrt(w_i) r_i, h_i the leverage, k parameters and s² = rss/(n - k):

    left-out residual      r_i/(1 - h_i)                      standardized   u_i/(s sqrt(1 - h_i))
    s_(i)²                 (rss - u_i²/(1 - h_i))/(n - k - 1)  studentized    u_i/(s_(i) sqrt(1 - h_i))
    Cook's distance        standardized² h_i/(1 - h_i)/k       DFFITS         studentized sqrt(h_i/(1 - h_i))
    DFBETA                 b - b_(i) = A z_i w_i r_i/(1 - h_i), over s_(i) ‖A_j‖ DFBETAS

No fit is repeated: these are what deletion would give (Belsley, Kuh and Welsch, Regression Diagnostics, Wiley 1980;
Cook, Technometrics 19 (1977), 15-18).  A row of leverage 1, without which there would be no such fit, has NaN; so
has one of a leverage above 1 - 2^-40, of whose 1 - h rounding leaves too little.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fastlsq import _arrays
from fastlsq.gram.frame import Target, block_size

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(slots=True)
class InfluenceBlock:
    """Rows start to stop of the data, an array of one entry per row for each statistic.

    Attributes
    ----------
    start, stop : int
    residuals, loo_residuals : ndarray
        y less the fitted value, and less the value that a fit without the row predicts for it.
    leverage : ndarray
    standardized, studentized : ndarray
        Residuals over their standard deviation, with sigma of all rows and of all others (internally and externally
        studentized).
    cooks_distance, dffits : ndarray
    dfbetas : ndarray, shape (stop - start, number of parameters)
        By what the row changes the parameters, in standard errors.
    """

    start: int
    stop: int
    residuals: NDArray[np.float64]
    loo_residuals: NDArray[np.float64]
    leverage: NDArray[np.float64]
    standardized: NDArray[np.float64]
    studentized: NDArray[np.float64]
    cooks_distance: NDArray[np.float64]
    dffits: NDArray[np.float64]
    dfbetas: NDArray[np.float64]


class Influence:
    """The influence of the rows of a fit; made by `OLSResult.influence`.

    Iterating gives an `InfluenceBlock` for one block of rows after the other, in memory of O(p² + block).  The
    properties `leverage`, `residuals`, `loo_residuals`, `standardized`, `studentized`, `cooks_distance` and `dffits`
    are arrays of n numbers, `dfbetas` is n by the number of parameters, and `press` is a number.  All of it is
    classical, whatever the covariance of the fit.

    Examples
    --------
    >>> import numpy as np, fastlsq
    >>> x, y = np.array([[1.0], [2], [3], [4], [10]]), np.array([1.1, 1.9, 3.2, 3.9, 7.0])
    >>> influence = fastlsq.ols(x, y).influence(x, y)
    >>> influence.leverage.round(2)
    array([0.38, 0.28, 0.22, 0.2 , 0.92])
    >>> int(np.argmax(influence.cooks_distance))
    4
    """

    def __init__(self, fit, rows, target):
        self._fit = fit
        self._rows = rows
        self._exponent = int(np.clip(fit.y_exponents[target], -1000, 1000))
        self._target = Target(target, fit.coefficients[:, target], self._exponent)
        with np.errstate(over="ignore", under="ignore"):
            self._rss = float(np.ldexp(fit._rss[target], 2 * (int(fit.y_exponents[target]) - self._exponent)))
        self._transform = fit.frame.transform()

    def __len__(self):
        """Rows."""
        return self._rows.x.shape[0]

    def __iter__(self) -> Iterator[InfluenceBlock]:
        return self.blocks()

    def blocks(self, rows: int | None = None) -> Iterator[InfluenceBlock]:
        """Blocks of so many rows; by default as many as take some megabytes."""
        frame = self._fit.frame
        size = block_size(frame.columns) if rows is None else int(rows)
        if size < 1:
            raise ValueError(f"rows must be at least 1, got {rows}")
        a, exponents = frame.parameter_root()
        lengths = np.sqrt(np.einsum("ij,ij->i", a, a))
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = a / lengths[:, None]  # the exponents are those of the lengths, too
        for start, stop, some in self._rows.blocks(size):
            e, h = np.empty(stop - start), np.empty(stop - start)
            scores = np.empty((stop - start, frame.columns))
            self._pass(some, residuals=e, leverages=h, scores=scores)
            found = self._statistics(e, h, some.weights)
            with np.errstate(divide="ignore", invalid="ignore"):
                dfbetas = scores @ scaled.T / found.pop("left_out_sigma")[:, None]
            yield InfluenceBlock(start, stop, leverage=h, dfbetas=dfbetas, **found)

    def _pass(self, rows, **outputs):
        if self._fit.frame.columns == 0:  # nothing fitted: no column but zeros
            outputs["leverages"][:] = 0.0
            outputs["residuals"][:] = np.ldexp(rows.y[:, self._target.number].astype(np.float64), -self._exponent)
            return
        self._fit.frame.scores(rows, self._target, self._transform, "HC3", **outputs)
        if not np.isfinite(outputs["residuals"]).all():
            _arrays.check_finite(X=rows.x, y=rows.y)

    def _statistics(self, e, h, weights):
        fit = self._fit
        k = fit.df_model + fit.has_intercept
        with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
            u = e if weights is None else np.where(weights > 0, np.sqrt(weights.astype(np.float64)) * e, 0.0)
            left = np.where(h < 1.0, 1.0 - h, np.nan)
            sigma = np.sqrt(self._rss / fit.df_resid) if fit.df_resid > 0 else np.nan
            others = np.maximum(self._rss - u * u / left, 0.0) / (fit.df_resid - 1) if fit.df_resid > 1 else np.nan
            others = np.sqrt(others) * np.ones_like(e)
            standardized, studentized = u / (sigma * np.sqrt(left)), u / (others * np.sqrt(left))
            return {
                "residuals": np.ldexp(e, self._exponent),
                "loo_residuals": np.ldexp(e / left, self._exponent),
                "standardized": standardized,
                "studentized": studentized,
                "cooks_distance": standardized**2 * h / left / k if k else np.zeros_like(e),
                "dffits": studentized * np.sqrt(h / left),
                "left_out_sigma": others,
            }

    # ---- whole arrays ------------------------------------------------------------------------------------------------

    @cached_property
    def _arrays_of_rows(self):
        e, h = np.empty(len(self)), np.empty(len(self))
        self._pass(self._rows, residuals=e, leverages=h)
        return e, h

    def _whole(self, name):
        return self._statistics(*self._arrays_of_rows, self._rows.weights)[name]

    @property
    def leverage(self) -> NDArray[np.float64]:
        return self._arrays_of_rows[1]

    @property
    def residuals(self) -> NDArray[np.float64]:
        return self._whole("residuals")

    @property
    def loo_residuals(self) -> NDArray[np.float64]:
        return self._whole("loo_residuals")

    @property
    def standardized(self) -> NDArray[np.float64]:
        return self._whole("standardized")

    @property
    def studentized(self) -> NDArray[np.float64]:
        return self._whole("studentized")

    @property
    def cooks_distance(self) -> NDArray[np.float64]:
        return self._whole("cooks_distance")

    @property
    def dffits(self) -> NDArray[np.float64]:
        return self._whole("dffits")

    @property
    def dfbetas(self) -> NDArray[np.float64]:
        out = np.empty((len(self), len(self._fit.param_names)))
        for block in self:
            out[block.start : block.stop] = block.dfbetas
        return out

    @property
    def press(self) -> float:
        """sum_i w_i times the squared left-out residual."""
        total = 0.0
        for block in self:
            weights = self._rows.weights
            if weights is None:
                total += float((block.loo_residuals**2).sum())
                continue
            w = weights[block.start : block.stop].astype(np.float64)
            counts = w > 0
            total += float((w[counts] * block.loo_residuals[counts] ** 2).sum())
        return total

    def __repr__(self):
        return f"Influence({len(self)} rows, {len(self._fit.param_names)} parameters)"
