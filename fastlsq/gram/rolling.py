# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""One regression for every row: over a window that ends there, or all rows so far, with decaying weights or without."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from fastlsq import _arrays, _threads
from fastlsq.gram.windows import Windows, fit_windows

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

#: what each parameter of the decay must be, and the alpha it stands for
_DECAYS = {
    "halflife": ("> 0", lambda value: value > 0, lambda value: -math.expm1(-math.log(2) / value)),
    "span": (">= 1", lambda value: value >= 1, lambda value: 2 / (value + 1)),
    "com": (">= 0", lambda value: value >= 0, lambda value: 1 / (1 + value)),
    "alpha": ("> 0 and <= 1", lambda value: 0 < value <= 1, lambda value: value),
}
#: of y, up to which its squares are summed as they are
_LARGEST_EXPONENT = 400
_ALL_ROWS = np.iinfo(np.int64).max


@dataclass(slots=True)
class RollingOLSResult:
    """Coefficients of every row's window.

    Attributes
    ----------
    coef : ndarray, shape (n, p)
    intercept : ndarray, shape (n,)
        0 for a model without one.
    rss, tss : ndarray, shape (n,)
        Residual and total sum of squares of the window, weighted; the total about the mean when there is an intercept.
        For |y| near 1e-160 or 1e155 they leave the range of float64; what is computed from them does not.
        rss is NaN where it is lost in rounding and the window is too long to be read again (see `rolling_ols`).
    n_obs : ndarray of int, shape (n,)
        Rows of the window that count: without NaN and with a weight above 0.
    rank : ndarray of int, shape (n,)
        Of the columns, without the intercept; below p the coefficients are those of minimum norm.  -1 where there is no
        answer: coef, intercept and rss are NaN there.
    status : ndarray of int8, shape (n,)
        0 solved from sums, 1 solved again from the rows of the window, 2 fewer rows than `min_obs`, 3 not solved: the
        windows before it that had to be solved one by one were too many.
    condition : ndarray, shape (n,)
        Condition number of the columns (scaled to equal length, about their means with an intercept), an estimate.
    standard_errors : ndarray, shape (n, p), or None
    intercept_errors : ndarray, shape (n,), or None
        NaN without residual degrees of freedom; as in `OLSResult` for a rank below p.
    names : list of str
    """

    coef: NDArray[np.float64]
    intercept: NDArray[np.float64]
    rss: NDArray[np.float64]
    tss: NDArray[np.float64]
    n_obs: NDArray[np.int64]
    rank: NDArray[np.int64]
    status: NDArray[np.int8]
    condition: NDArray[np.float64]
    standard_errors: NDArray[np.float64] | None
    intercept_errors: NDArray[np.float64] | None
    names: list[str]
    _r_squared: NDArray[np.float64] | None = None  # where rss and tss have left the range of float64

    def __len__(self):
        return len(self.coef)

    def __repr__(self):
        without = int((self.rank < 0).sum())
        return f"RollingOLSResult({len(self)} rows, {len(self.names)} columns, {without} rows without an answer)"

    @property
    def r_squared(self) -> NDArray[np.float64]:
        """1 - rss/tss, shape (n,)."""
        if self._r_squared is not None:
            return self._r_squared
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(self.tss > 0, 1 - self.rss / self.tss, np.nan)

    def predict(self, X: ArrayLike, ahead: int = 1) -> NDArray[np.float64]:
        """x_t coef_s + intercept_s with s = t - ahead: what the fit of an earlier row says of each row.

        Parameters
        ----------
        X : array_like, shape (n, p)
        ahead : int
            0 for fitted values within the window.

        Returns
        -------
        ndarray, shape (n,)
            NaN in the first `ahead` rows.
        """
        x = _arrays.matrix(X, "X")
        if x.shape != self.coef.shape:
            raise ValueError(f"X must have shape {self.coef.shape}, got {x.shape}")
        ahead = _arrays.whole_number(ahead, "ahead", 0)
        n = x.shape[0]
        predicted = np.full(n, np.nan)
        known = max(n - ahead, 0)
        predicted[n - known :] = np.einsum("ij,ij->i", x[n - known :], self.coef[:known]) + self.intercept[:known]
        return predicted


def rolling_ols(
    X: Any,
    y: ArrayLike,
    window: Any,
    *,
    min_obs: int | None = None,
    times: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    intercept: bool = True,
    nan: Literal["raise", "skip"] = "raise",
    errors: bool = False,
    names: Sequence[str] | None = None,
    n_threads: int | None = None,
) -> RollingOLSResult:
    """Fit y = intercept_t + X coef_t by (weighted) least squares over the window that ends at row t, for every t.

    Minimises sum_i w_i (y_i - intercept_t - x_i coef_t)² over the rows i of the window.

    Parameters
    ----------
    X : array_like or data frame, shape (n, p), real
        Any numeric dtype and strides; fastest for float64 in C order.
    y : array_like, shape (n,) or (n, 1), real
    window : int, or a length of time
        Rows of a window, the last being row t; may exceed n.  With `times`, the rows i <= t with
        times[i] > times[t] - window: a number, or a numpy.timedelta64 for datetime64 times.
    min_obs : int, optional
        Windows with fewer rows that count have no answer (NaN, rank -1); by default p, and 1 more with an intercept.
    times : array_like, shape (n,), optional
        Numbers or datetime64 that do not fall.
    weights : array_like, shape (n,), optional
        Non-negative; as in `ols`.
    intercept : bool
    nan : {'raise', 'skip'}
        'skip': rows with a NaN keep their place in the window but do not count.
    errors : bool
        Whether to compute standard errors.
    names : sequence of str, optional
        Column names; by default those of the data frame, else x0, x1, ...
    n_threads : int, optional
        It does not change a bit of the result.

    Returns
    -------
    RollingOLSResult

    Raises
    ------
    ValueError
        Shapes that do not fit, non-finite values, bad weights, times that fall, a window or `min_obs` below 1.
    TypeError
        Complex, sparse, masked or non-numeric input, times or a window of the wrong kind.

    Notes
    -----
    Sums over a window are put together from running sums over blocks of rows, by additions alone: nothing is ever
    subtracted, so what has left the window has left no trace, however large it was.  They are centred about the rows of
    the window.  Where they leave the coefficients fewer than some 9 digits (condition and cancellation), or the
    residual sum of squares fewer than 6 (R² above 1 - 1e-8, or thereabouts), the window is solved again from its rows.
    For windows of up to 4096 rows that is done many at a time; longer ones keep their coefficients and get rss = NaN if
    only rss is short of digits.  Windows with dependent columns are solved by QR of their rows, at some 0.1
    microseconds a row for 4 columns, and the largest (more than some 20,000 rows of 4 columns) one by one as `ols`
    would, until 2^30 rows were read: status 3 tells the rest.  Columns that are constant in a window cost nothing.

    Work memory is that of a block for each thread; for windows longer than a block of up to 256 rows also two rows of
    sums, of (p + 2)²/2 numbers, for each block.

    Examples
    --------
    >>> import numpy as np, fastlsq
    >>> x = np.array([[1.0], [2.0], [4.0], [7.0]])
    >>> fit = fastlsq.rolling_ols(x, [1.0, 3.0, 7.0, 10.0], window=2)
    >>> fit.coef[:, 0].round(12).tolist(), fit.rank.tolist()
    ([nan, 2.0, 2.0, 1.0], [-1, 1, 1, 1])
    """
    data = _Data.checked(X, y, min_obs, weights, intercept, nan, names, n_threads)
    if times is None:
        return data.fit(errors, length=min(_arrays.at_least_one(window, "window"), _ALL_ROWS))
    return data.fit(errors, start=_starts(_arrays.row_times(times, len(data.x), "X"), window))


def expanding_ols(
    X: Any,
    y: ArrayLike,
    *,
    min_obs: int | None = None,
    weights: ArrayLike | None = None,
    intercept: bool = True,
    nan: Literal["raise", "skip"] = "raise",
    errors: bool = False,
    names: Sequence[str] | None = None,
    n_threads: int | None = None,
) -> RollingOLSResult:
    """Fit y = intercept_t + X coef_t by (weighted) least squares over rows 0 .. t, for every t.

    Minimises sum_{i <= t} w_i (y_i - intercept_t - x_i coef_t)².

    Parameters, errors and notes are those of `rolling_ols`.

    Returns
    -------
    RollingOLSResult

    Examples
    --------
    >>> import numpy as np, fastlsq
    >>> fit = fastlsq.expanding_ols(np.ones((4, 1)), [1.0, 3.0, 2.0, 6.0], intercept=False)
    >>> fit.coef[:, 0].round(12).tolist()
    [1.0, 2.0, 2.0, 3.0]
    """
    data = _Data.checked(X, y, min_obs, weights, intercept, nan, names, n_threads)
    return data.fit(errors, length=_ALL_ROWS)


def ewm_ols(
    X: Any,
    y: ArrayLike,
    *,
    halflife: Any = None,
    span: float | None = None,
    com: float | None = None,
    alpha: float | None = None,
    times: ArrayLike | None = None,
    min_obs: int | None = None,
    weights: ArrayLike | None = None,
    intercept: bool = True,
    nan: Literal["raise", "skip"] = "raise",
    names: Sequence[str] | None = None,
    n_threads: int | None = None,
) -> RollingOLSResult:
    """Fit y = intercept_t + X coef_t by least squares with exponentially decaying weights, for every row t.

    Minimises sum_{i <= t} w_i (1 - alpha)^(t - i) (y_i - intercept_t - x_i coef_t)².

    Parameters
    ----------
    X, y, min_obs, weights, intercept, nan, names, n_threads
        As in `rolling_ols`.  Rows that do not count keep their place: the weights go on decaying.
    halflife, span, com, alpha : float
        Exactly one of them:  alpha = 1 - 2^(-1/halflife) = 2/(span + 1) = 1/(com + 1), with halflife > 0, span >= 1,
        com >= 0, 0 < alpha <= 1.
    times : array_like, shape (n,), optional
        Numbers or datetime64 that do not fall.  The weights are 2^-((times[t] - times[i])/halflife) then, with
        `halflife` in their units, or a numpy.timedelta64.

    Returns
    -------
    RollingOLSResult
        In rss and tss the last row that counts does so at full weight, also where rows that do not count follow it.

    Raises
    ------
    ValueError, TypeError
        As in `rolling_ols`; also without exactly one of the four.

    Notes
    -----
    Moments decay block by block, about their own means.  Windows that have to be solved again are read back to where
    the decay is 2^-200.

    Examples
    --------
    >>> import numpy as np, fastlsq
    >>> fit = fastlsq.ewm_ols(np.ones((3, 1)), [4.0, 1.0, 2.0], alpha=0.5, intercept=False)
    >>> fit.coef[:, 0].round(12).tolist()
    [4.0, 2.0, 2.0]
    """
    data = _Data.checked(X, y, min_obs, weights, intercept, nan, names, n_threads)
    given = {"halflife": halflife, "span": span, "com": com, "alpha": alpha}
    chosen = [name for name, value in given.items() if value is not None]
    if len(chosen) != 1:
        found = ", ".join(chosen) or "none"
        raise ValueError(f"exactly one of halflife, span, com and alpha must be given, got {found}")
    factor = np.ones(len(data.x))
    counted = data.counted
    if times is None:
        factor[counted[1:]] = (1 - _alpha(chosen[0], given[chosen[0]])) ** np.diff(counted)
    elif chosen[0] != "halflife":
        raise ValueError(f"with times the decay is given by halflife, not {chosen[0]}")
    else:
        times = _arrays.row_times(times, len(factor), "X")
        gaps = np.diff(times[counted]) / _arrays.time_span(halflife, "halflife", times)
        factor[counted[1:]] = np.exp2(-gaps)
    return data.fit(False, factor=factor)


def _alpha(name, value):
    if isinstance(value, (np.timedelta64, timedelta)):
        raise TypeError(f"{name} must be a number where there are no times, got {value!r}")
    if not _arrays.is_number(value):
        raise TypeError(f"{name} must be a number, got {value!r}")
    value = float(value)
    least, valid, alpha = _DECAYS[name]
    if not valid(value) or math.isinf(value):
        raise ValueError(f"{name} must be finite and {least}, got {value}")
    return alpha(value)


def _starts(times, window):
    """First row i with times[i] > times[t] - window, for every t."""
    span = _arrays.time_span(window, "window", times)
    if times.dtype.kind == "M":
        times = times - times[:1].repeat(len(times))
    elif times.dtype.kind == "i":
        span = min(math.ceil(span), np.iinfo(np.int64).max)
    edge = times - span
    start = np.searchsorted(times, edge, side="right").astype(np.int64)
    start[edge > times] = 0  # the difference has left 64 bits
    return start


@dataclass(slots=True)
class _Data:
    """What the three functions share."""

    x: NDArray[Any]
    y: NDArray[Any]
    weights: NDArray[Any] | None
    intercept: bool
    counted: NDArray[np.int64]
    before: NDArray[np.int64]
    min_obs: int
    names: list[str]
    n_threads: int

    @classmethod
    def checked(cls, X, y, min_obs, weights, intercept, nan, names, n_threads):
        n_threads, intercept = _threads.resolve(n_threads), bool(intercept)
        if nan not in ("raise", "skip"):
            raise ValueError(f"nan must be 'raise' or 'skip', got {nan!r}")
        x = _arrays.matrix(X, "X")
        n, p = x.shape
        y = _arrays.one_target(y, "y", n, "X")
        weights = _arrays.row_weights(weights, n, "X")
        names = _arrays.column_names(X, names, p)
        if p == 0:
            raise ValueError("X has no columns")
        min_obs = p + intercept if min_obs is None else _arrays.at_least_one(min_obs, "min_obs")
        if nan == "raise":
            _arrays.check_finite(X=x, y=y)
            counts = np.ones(n, bool)
        else:
            counts = _arrays.rows_without_nan(x, y)
        if weights is not None:
            counts &= weights > 0
        before = np.concatenate([[0], np.cumsum(counts)])
        if not counts.all():
            weights = np.where(counts, 1.0 if weights is None else weights, 0.0)
        return cls(x, y, weights, intercept, np.flatnonzero(counts), before, min_obs, names, n_threads)

    def fit(self, errors, length=_ALL_ROWS, start=None, factor=None):
        p = self.x.shape[1]
        windows = Windows(
            self.x, self.y, self.weights, self.intercept, length, start, factor, self.counted, self.before
        )
        exponent = self._exponent()
        if exponent:
            windows.y = np.ldexp(self.y.astype(np.float64), -exponent)
        fits = fit_windows(windows, self.min_obs, bool(errors), self.n_threads)
        r_squared = None
        if exponent:
            with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
                r_squared = np.where(fits.tss > 0, 1 - fits.rss / fits.tss, np.nan)
                for values, power in ((fits.b, 1), (fits.rss, 2), (fits.tss, 2), (fits.errors, 1)):
                    if values is not None:
                        np.ldexp(values, power * exponent, out=values)
        coef = np.ascontiguousarray(fits.b[:, :p])
        level = np.ascontiguousarray(fits.b[:, p]) if self.intercept else np.where(fits.rank < 0, np.nan, 0.0)
        slopes = levels = None
        if errors:
            slopes = np.ascontiguousarray(fits.errors[:, :p])
            levels = fits.errors[:, p].copy() if self.intercept else np.full(len(coef), np.nan)
        return RollingOLSResult(
            coef, level, fits.rss, fits.tss, fits.n_obs, fits.rank, fits.status, fits.condition, slopes, levels,
            self.names, r_squared,
        )

    def _exponent(self):
        """Of y where its squares might leave the range of float64, else 0."""
        if self.y.dtype.kind != "f" or not self.counted.size:
            return 0
        largest = np.abs(self.y[self.counted]).max()
        exponent = int(np.frexp(largest)[1])
        return exponent if abs(exponent) > _LARGEST_EXPONENT else 0
