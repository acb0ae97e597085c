# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Rolling and grouped regressions beside statsmodels and polars-ols, interleaved, answers checked.

    python -m bench.windows                     # all suites
    python -m bench.windows rolling --quick 50  # a smoke run: answers checked, times no evidence

A peer that is not installed is printed as a gap.  A wrong answer makes the exit status 1.
"""

import sys

import numpy as np

import fastlsq
from bench.rounds import Suite, interleave, run

COLUMNS, WINDOW = 4, 250


class Windows(Suite):
    """The suites of this file."""

    def problem(self, n):
        x = self.rng.standard_normal((n, COLUMNS)) + 1
        return x, x.sum(axis=1) + self.rng.standard_normal(n) + 2

    def report(self, found, ours):
        for name, (seconds, _) in found.items():
            self.line(name, seconds, f"{seconds / ours:7.2f} x")

    def check_rows(self, name, got, want):
        """Rows of coefficients, relative to the largest of each; NaN where there are none in both."""
        size = np.abs(want).max(axis=1)
        answered = np.isfinite(size)
        self.check(name, (np.abs(got - want)[answered].max(axis=1) / size[answered]).max(), 1e-6)

    def rolling(self):
        """1M rows, 4 columns and an intercept, windows of 250 rows; statsmodels: a part, its time scaled up."""
        n = self.rows(1_000_000, 2000)
        part = max(n // 50, 1000)
        x, y = self.problem(n)
        calls = {
            "fastlsq.rolling_ols": lambda: fastlsq.rolling_ols(x, y, WINDOW),
            "fastlsq.rolling_ols, with standard errors": lambda: fastlsq.rolling_ols(x, y, WINDOW, errors=True),
            "fastlsq.rolling_ols, windows of 100000": lambda: fastlsq.rolling_ols(x, y, 100_000),
            "fastlsq.rolling_ols, windows by time": lambda: fastlsq.rolling_ols(x, y, WINDOW, times=np.arange(n)),
            "fastlsq.expanding_ols": lambda: fastlsq.expanding_ols(x, y),
            "fastlsq.ewm_ols": lambda: fastlsq.ewm_ols(x, y, span=WINDOW),
        }
        polars_calls, frame = _polars(x, y, None)
        calls |= {name: call for name, call in polars_calls.items() if "rolling" in name}
        try:
            from statsmodels.regression.rolling import RollingOLS

            design = np.column_stack([x[:part], np.ones(part)])
            calls["statsmodels RollingOLS"] = lambda: RollingOLS(y[:part], design, WINDOW).fit(params_only=True).params
        except ImportError as error:
            print(f"  statsmodels: not run ({error})")
        found = interleave(calls, self.rounds)
        ours, fit = found["fastlsq.rolling_ols"]
        got = np.column_stack([fit.coef, fit.intercept])
        at = n // 2
        alone = fastlsq.ols(x[at - WINDOW + 1 : at + 1], y[at - WINDOW + 1 : at + 1])
        self.check("rolling", np.abs(fit.coef[at] - alone.coef).max(), 1e-11)
        by_time = found["fastlsq.rolling_ols, windows by time"][1]
        self.check("windows by time", np.nanmax(np.abs(by_time.coef - fit.coef)[WINDOW:]), 1e-10)
        for name in ("fastlsq.expanding_ols", "fastlsq.rolling_ols, windows of 100000"):
            last = slice(max(n - 100_000, 0), n) if "rolling" in name else slice(0, n)
            whole = fastlsq.ols(x[last], y[last])
            self.check(name, np.abs(found[name][1].coef[-1] - whole.coef).max(), 1e-11)
        decayed = fastlsq.ols(x, y, weights=(1 - 2 / (WINDOW + 1)) ** np.minimum(np.arange(n)[::-1], 10_000))
        self.check("ewm", np.abs(found["fastlsq.ewm_ols"][1].coef[-1] - decayed.coef).max(), 1e-11)
        for name, (seconds, answer) in list(found.items()):
            if name.startswith("statsmodels"):
                self.check_rows(name, got[WINDOW:part], answer[WINDOW:part])
                found[name] = seconds * n / part, answer
            elif name.startswith("polars"):
                self.check_rows(name, got[WINDOW:], frame(answer)[WINDOW:])
        self.report(found, ours)

    def grouped(self):
        """1M rows in 50,000 unsorted groups, 4 columns and an intercept."""
        n = self.rows(1_000_000, 4000)
        x, y = self.problem(n)
        groups = self.rng.integers(0, n // 20, n)
        calls = {"fastlsq.grouped_ols": lambda: fastlsq.grouped_ols(x, y, groups)}
        polars_calls, frame = _polars(x, y, groups)
        calls |= {name: call for name, call in polars_calls.items() if "rolling" not in name}
        found = interleave(calls, self.rounds)
        ours, fit = found["fastlsq.grouped_ols"]
        got = np.column_stack([fit.coef, fit.intercept])
        for name, (_, answer) in found.items():
            if name.startswith("polars"):
                enough = fit.n_rows > COLUMNS + 3  # it gives numbers for groups that have no answer, too
                self.check_rows(name, got[enough], frame(answer.sort("g"))[enough])
        self.report(found, ours)

    def dependent(self):
        """20,000 rows, 4 columns and an intercept, two of them the dummies of both halves; windows of 250, no peer."""
        n = self.rows(20_000, 2000)
        x, y = self.problem(n)
        x[:, 2] = self.rng.random(n) < 0.5
        x[:, 3] = 1 - x[:, 2]
        groups = self.rng.integers(0, n // 50, n)
        found = interleave({
            "fastlsq.rolling_ols": lambda: fastlsq.rolling_ols(x, y, WINDOW),
            "fastlsq.rolling_ols, with standard errors": lambda: fastlsq.rolling_ols(x, y, WINDOW, errors=True),
            "fastlsq.grouped_ols, groups of 50": lambda: fastlsq.grouped_ols(x, y, groups),
        }, self.rounds)
        ours, fit = found["fastlsq.rolling_ols"]
        with_errors, by_group = (found[name][1] for name in list(found)[1:])
        for t in range(WINDOW, n, n // 10):
            rows = slice(t - WINDOW + 1, t + 1)
            alone = fastlsq.ols(x[rows], y[rows])
            self.check("rolling, dependent", np.abs(fit.coef[t] - alone.coef).max(), 1e-11)
            errors = with_errors.standard_errors[t] / alone.standard_errors[1:] - 1
            self.check("rolling, standard errors", np.abs(errors).max(), 1e-9)
        for g in range(0, len(by_group), max(len(by_group) // 10, 1)):
            alone = fastlsq.ols(x[groups == by_group.keys[g]], y[groups == by_group.keys[g]])
            self.check("grouped, dependent", np.abs(by_group.coef[g] - alone.coef).max(), 1e-11)
        self.report(found, ours)


def _polars(x, y, groups):
    """{name: call}, and a function from its answer to an array of coefficients."""
    try:
        import polars
        import polars_ols
    except ImportError as error:
        print(f"  polars-ols: not run ({error})")
        return {}, None
    names = [f"x{j}" for j in range(COLUMNS)]
    columns = {name: x[:, j] for j, name in enumerate(names)}
    table = polars.DataFrame(columns | {"y": y, "g": np.zeros(len(y), int) if groups is None else groups})
    kwargs = polars_ols.RollingKwargs(window_size=WINDOW, min_periods=COLUMNS + 1)
    options = {"add_intercept": True, "mode": "coefficients"}
    rolling = polars_ols.compute_rolling_least_squares("y", *names, rolling_kwargs=kwargs, **options)
    single = polars_ols.compute_least_squares("y", *names, **options)

    def frame(answer):
        fields = answer["coefficients"].struct.unnest()
        return fields.select([*names, "const"]).to_numpy()

    return {
        "polars-ols rolling": lambda: table.select(rolling.alias("coefficients")),
        "polars-ols group_by": lambda: table.group_by("g").agg(single.first().alias("coefficients")),
    }, frame


SUITES = ("rolling", "grouped", "dependent")


def main(arguments=None):
    return run(lambda options: Windows(options.quick, options.rounds), SUITES, __doc__, arguments, rounds=5)


if __name__ == "__main__":
    sys.exit(main())
