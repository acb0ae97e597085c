# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Covariances that do not trust the errors to be independent and of one variance.

All are sandwiches A M Aᵀ (frame.py) with M from the scores s_i = w_i r_i z_i of the rows:

    HC0      sum_i s_i s_iᵀ                          White, Econometrica 48 (1980), 817-838
    HC1      n/(n - k) times that                    and, with HC2, HC3:
    HC2      sum_i s_i s_iᵀ/(1 - h_i)                MacKinnon and White, Journal of Econometrics 29 (1985), 305-325
    HC3      sum_i s_i s_iᵀ/(1 - h_i)²
    cluster  g/(g - 1) (n - 1)/(n - k) sum_g S_g S_gᵀ, S_g the sum of the scores of cluster g; by two labels
             M₁ + M₂ - M₁₂                           Cameron, Gelbach and Miller, JBES 29 (2011), 238-249
    HAC      sum_|l|<=L (1 - |l|/(L + 1)) sum_t s_t s_{t-l}ᵀ   Newey and West, Econometrica 55 (1987), 703-708

The last is computed as 1/(L + 1) sum_t m_t m_tᵀ with the moving sums m_t = s_t + ... + s_{t-L}, zero outside of the
sample, over the rows of weight above 0: lag l is met in L + 1 - |l| of these windows.  So its cost does not depend on
L, and it cannot be indefinite.  Every M is one pass over the rows for each target.
"""

from dataclasses import dataclass

import numpy as np

from fastlsq import _arrays
from fastlsq._core import lib
from fastlsq.gram.frame import POLISHED_CONDITION, Rows, Target
from fastlsq.gram.grouped import rows_by_group

KINDS = ("classical", "HC0", "HC1", "HC2", "HC3", "cluster", "HAC")
#: condition number up to which the moments of untransformed scores lose few enough digits
PLAIN_CONDITION = 1e3
#: rows whose residuals are compared with the fit's at a time, 8 MB: smaller blocks wake the threads too often
_RESIDUALS = 1 << 20
#: by what part the sum of their squares may differ, and by what part of that which it is the remainder of
_OTHER_ROWS, _ROUNDED = 1e-5, 1e-12


@dataclass(slots=True)
class Meat:
    """M of every target, k x q x q, in units of 4^exponents."""

    kind: str
    values: np.ndarray
    exponents: np.ndarray  # k
    df: int  # for t and F
    words: str  # for people

    def __reduce__(self):
        """Half of the symmetric matrices is enough to send elsewhere."""
        q = self.values.shape[1]
        return _meat_of_halves, (self.kind, self.values[:, *np.triu_indices(q)], q, self.exponents, self.df, self.words)


def _meat_of_halves(kind, halves, q, *rest):
    values = np.empty((len(halves), q, q))
    rows, columns = np.triu_indices(q)
    values[:, rows, columns] = values[:, columns, rows] = halves
    return Meat(kind, values, *rest)


def check_request(cov, groups, lags):
    """Raise ValueError unless the arguments name one covariance."""
    if not isinstance(cov, str) or cov not in KINDS:
        raise ValueError(f"cov must be one of {', '.join(map(repr, KINDS))}, got {cov!r}")
    if (groups is not None) != (cov == "cluster"):
        missing = "cov='cluster' needs groups"
        raise ValueError(missing if groups is None else f"groups go with cov='cluster', not {cov!r}")
    if lags is not None and cov != "HAC":
        raise ValueError(f"lags go with cov='HAC', not {cov!r}")


def default_lags(n):
    """The rule of thumb 4 (n/100)^(2/9), rounded down (Newey and West, Review of Economic Studies 61, 1994)."""
    return int(4.0 * (n / 100.0) ** (2.0 / 9.0))


def robust_meat(fit, rows, cov, groups, lags):
    """`Meat` of a fit for the rows it was fitted to."""
    if cov == "cluster":
        labels = _labels(groups, rows)
        meat, df, words = _clustered(labels)
    elif cov == "HAC":
        lags = _checked_lags(lags, fit.n_rows)
        meat, df, words = _autocorrelated(lags), fit.df_resid, f"HAC, {lags} lags"
    else:
        meat, df, words = _heteroskedastic(cov), fit.df_resid, cov
    frame = fit.frame
    k = fit.targets
    exponents = np.clip(fit.y_exponents, -1000, 1000)
    values = np.full((k, frame.columns, frame.columns), np.nan)
    if frame.columns and (fit.df_resid > 0 or cov not in ("HC1", "cluster")):
        for t in range(k):
            meat(fit, rows, Target(t, fit.coefficients[:, t], int(exponents[t])), values[t])
    if not np.isfinite(values).all():
        _arrays.check_finite(X=rows.x, y=rows.y)
    return Meat(cov, values, exponents, df, words)


def _plainly(fit):
    """Whether scores may stay in the columns' own coordinates: half the work of a pass."""
    return fit.info.condition <= PLAIN_CONDITION and fit.full_rank


def _moments(fit, plain, taken):
    """M by `taken(transform, moments)`, in the columns' own coordinates if scores are `plain` and the fit allows."""
    frame = fit.frame
    transform = frame.transform()
    if plain and _plainly(fit):
        moments = np.empty((transform.shape[0], transform.shape[0]))
        taken(None, moments)
        return transform.T @ moments @ transform
    moments = np.empty((frame.columns, frame.columns))
    taken(transform, moments)
    return moments


def _heteroskedastic(cov):
    kind = cov if cov in ("HC2", "HC3") else "plain"

    def meat(fit, rows, target, out):
        def taken(transform, moments):
            fit.frame.scores(rows, target, transform, kind, moments=moments)

        out[:] = _moments(fit, kind == "plain", taken)
        if cov == "HC1":
            out *= fit.n_rows / fit.df_resid

    return meat


# ---- clusters ------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Clusters:
    """Rows order[start[g]:start[g + 1]] are group g; how many have a row of weight; the sign of their part."""

    start: np.ndarray
    order: np.ndarray
    used: int
    sign: float = 1.0

    @classmethod
    def of(cls, labels, weights, n, n_threads):
        keys, start, order = rows_by_group(labels, n, n_threads)
        used = len(keys)
        if weights is not None and used:
            used = int(np.count_nonzero(np.add.reduceat((weights > 0)[order], start[:-1], dtype=np.int64)))
        return cls(start, order, used)

    def codes(self):
        codes = np.empty(len(self.order), np.int64)
        codes[self.order] = np.repeat(np.arange(len(self.start) - 1), np.diff(self.start))
        return codes


def _labels(groups, rows):
    """One way of clustering; or two, and what they share."""
    n = rows.x.shape[0]
    ways = list(groups) if isinstance(groups, tuple) else _arrays.label_columns(groups, n)
    if not ways:
        raise ValueError("groups has no column of labels")
    if len(ways) > 2:
        raise ValueError(f"groups may have two columns of labels at most, got {len(ways)}")
    found = [_Clusters.of(way, rows.weights, n, rows.n_threads) for way in ways]
    if len(found) == 2:
        one, two = found
        both = one.codes() * (len(two.start) - 1) + two.codes()
        found.append(_Clusters.of(both, rows.weights, n, rows.n_threads))
        found[2].sign = -1.0
    for way in found:
        if way.used < 2:
            raise ValueError(f"cov='cluster' needs at least two groups, got {way.used}")
    return found


def _clustered(ways):
    def meat(fit, rows, target, out):
        model = fit.frame.model(rows, target)

        def part(way):
            def taken(transform, moments):
                lib.clustered_scores(*model, transform, way.start, way.order, rows.n_threads, moments)

            factor = way.used / (way.used - 1) * (fit.n_rows - 1) / fit.df_resid
            return way.sign * factor * _moments(fit, True, taken)

        out[:] = sum(map(part, ways))

    counts = [way.used for way in ways[:2]]
    return meat, min(counts) - 1, "cluster, " + " and ".join(map(str, counts)) + " groups"


# ---- autocorrelation -----------------------------------------------------------------------------------------------


def _checked_lags(lags, n):
    if lags is None:
        return min(default_lags(n), n - 1)
    if not _arrays.is_number(lags):
        raise TypeError(f"lags must be a whole number, got {lags!r}")
    if not lags >= 0 or lags % 1 != 0:
        raise ValueError(f"lags must be a whole number >= 0, got {lags!r}")
    if lags >= n:
        raise ValueError(f"lags must be less than the number of rows, {n}, got {lags}")
    return int(lags)


def _autocorrelated(lags):
    def meat(fit, rows, target, out):
        def taken(transform, moments):
            model = fit.frame.model(rows, target)
            lib.windowed_scores(*model, transform, lags + 1, rows.n_threads, moments)

        out[:] = _moments(fit, True, taken) / (lags + 1)

    return meat


def polish_if_needed(fit, rows):
    """Coordinates good to rounding for a fit whose condition number has left u*kappa² in them."""
    if fit.info.path in ("gram", "moments") and fit.info.condition > POLISHED_CONDITION:
        fit.frame = fit.frame.polished(rows)


def checked_rows(fit, X, y, weights, n_threads):
    """`Rows` of a fit, or ValueError: X and y as they were fitted, for all that moments cannot tell."""
    x = _arrays.matrix(X, "X")
    n, p = x.shape
    if p != len(fit.names):
        raise ValueError(f"X has {p} columns, the model has {len(fit.names)}")
    y, _ = _arrays.targets(y, "y", n, "X")
    if y.shape[1] != fit.targets:
        raise ValueError(f"y has {y.shape[1]} targets, the model has {fit.targets}")
    weights = _arrays.row_weights(weights, n, "X")
    used = n if weights is None else int(np.count_nonzero(weights))
    total = float(n) if weights is None else float(np.add.reduce(weights, dtype=np.float64))
    if used != fit.n_rows or abs(total - fit.sum_weights) > 1e-9 * abs(total):
        raise ValueError(f"these are other rows than those of the fit: {used} of total weight {total:g}, the fit has "
                         f"{fit.n_rows} of {fit.sum_weights:g}")
    rows = Rows(x, y, weights, n_threads)
    _check_residuals(fit, rows)
    return rows


def _check_residuals(fit, rows):
    """Raise ValueError where the residuals of the rows are not those of the fit: one more read of the rows."""
    frame = fit.frame
    if frame.columns == 0:
        return
    for t in range(fit.targets):
        exponent = int(np.clip(fit.y_exponents[t], -1000, 1000))
        target = Target(t, fit.coefficients[:, t], exponent)
        rss = 0.0
        for start, stop, some in rows.blocks(_RESIDUALS):
            e = np.empty(stop - start)
            frame.scores(some, target, None, residuals=e)
            with np.errstate(over="ignore", under="ignore", invalid="ignore"):
                if some.weights is None:
                    rss += float(np.square(e, out=e).sum())
                else:
                    counts = some.weights > 0
                    rss += float((some.weights[counts] * e[counts] ** 2).sum(dtype=np.float64))
        if not np.isfinite(rss):
            _arrays.check_finite(X=rows.x, y=rows.y)
        with np.errstate(divide="ignore", over="ignore", under="ignore", invalid="ignore"):
            own, total = np.ldexp([fit._rss[t], fit._tss[t]], 2 * (int(fit.y_exponents[t]) - exponent))
            # about ‖(x_j - mean) b_j‖: the residuals are what is left of these
            terms = np.ldexp(fit.coefficients[:, t], -frame.exponents - exponent)
            slack = _OTHER_ROWS * own + _ROUNDED * (total + (terms @ terms))
            if abs(rss - own) > slack:
                of = "" if fit.targets == 1 else f" of target {t}"
                raise ValueError(f"these are other rows than those of the fit: their residual sum of squares{of} is "
                                 f"{rss / own:.6g} times that of the fit")
