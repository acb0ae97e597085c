# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Tests and intervals of parameters that have standard errors."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from fastlsq import _arrays

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ParameterTests:
    """For results with `params` and `standard_errors` of one shape.

    `df_inference` are the degrees of freedom of t, None where estimates are taken to be normal.
    """

    df_inference: float | None = None
    _ends_axis = 1  # of the two ends of an interval

    @cached_property
    def t_values(self) -> NDArray[np.float64]:
        """Parameters over their standard errors; z where `df_inference` is None."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return self.params / self.standard_errors

    @cached_property
    def p_values(self) -> NDArray[np.float64]:
        """Two-sided, of t with `df_inference` degrees of freedom, NaN without any, or of the normal distribution."""
        from scipy.special import ndtr, stdtr

        sizes, df = np.abs(self.t_values), self.df_inference
        if df is None:
            return 2.0 * ndtr(-sizes)
        return 2.0 * stdtr(df, -sizes) if df > 0 else np.full(sizes.shape, np.nan)

    def quantile_of(self, level):
        """By how many standard errors an interval of this level reaches to either side."""
        from scipy.special import ndtri, stdtrit

        if not _arrays.is_number(level):
            raise TypeError(f"level must be a number between 0 and 1, got {level!r}")
        if not 0 < level < 1:
            raise ValueError(f"level must be between 0 and 1, got {level}")
        if self.df_inference is None:
            return float(ndtri(0.5 + level / 2))
        return float(stdtrit(self.df_inference, 0.5 + level / 2)) if self.df_inference > 0 else np.nan

    def conf_int(self, level: float = 0.95) -> NDArray[np.float64]:
        """Confidence intervals: as `params`, with an axis of length 2 behind that of the parameters."""
        quantile = self.quantile_of(level)
        with np.errstate(over="ignore", invalid="ignore"):  # parameters that float64 cannot hold are infinite
            half = quantile * self.standard_errors
            return np.stack([self.params - half, self.params + half], axis=self._ends_axis)
