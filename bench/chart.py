# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Draws the seconds of every method, one panel a shape, from a run or from its JSON file.

python -m bench.chart results.json chart.png
"""

import argparse
import json
from importlib.util import find_spec

OURS = "fastlsq.lstsq"
COLUMNS = 5
INK, MUTED, ACCENT = "#1f2933", "#b8c2cc", "#0b6e4f"


def require():
    """Fail early, before an hour of measuring, when there is nothing to draw with."""
    if find_spec("matplotlib") is None:
        raise ImportError("matplotlib is not installed: write --json and draw it with python -m bench.chart elsewhere")


def method_order(results):
    """All methods that gave a right answer somewhere, ours first, then by their median slowdown against ours."""
    slowdown = {}
    for found in results:
        seconds = right_seconds(found)
        for name, value in seconds.items():
            slowdown.setdefault(name, []).append(value / seconds.get(OURS, value))
    return sorted(slowdown, key=lambda name: (name != OURS, sorted(slowdown[name])[len(slowdown[name]) // 2]))


def right_seconds(found):
    """{method: seconds} of one case, wrong answers left out."""
    return {row["name"]: row["seconds"] for row in found["solvers"] if row["seconds"] and not row["failure"]}


def kind(found):
    """Type, order and conditioning of a case in words."""
    words = f"{found['dtype']}, {found['order']} order"
    return words if found["kappa_asked"] <= 1 else f"{words}, cond {found['kappa_asked']:g}"


def panel(axes, found, title, methods, limits):
    """Bars of one case on a logarithmic axis, each with its time and its multiple of ours."""
    seconds = right_seconds(found)
    ours = seconds.get(OURS)
    for place, name in enumerate(methods):
        if name not in seconds:
            axes.text(limits[0] * 1.3, place, "no result", va="center", fontsize=6.5, color=MUTED)
            continue
        value = seconds[name]
        axes.barh(place, value - limits[0], left=limits[0], color=ACCENT if name == OURS else MUTED, height=0.72)
        note = duration(value) if name == OURS or not ours else f"{duration(value)}  {value / ours:.3g}x"
        axes.text(value * 1.15, place, note, va="center", fontsize=6.5, color=INK)
    axes.set_xscale("log")
    axes.set_xlim(*limits)
    axes.set_ylim(len(methods) - 0.4, -0.6)
    axes.set_yticks(range(len(methods)), methods, fontsize=7.5)
    axes.set_title(title, fontsize=9, color=INK, loc="left")
    axes.tick_params(axis="x", labelsize=7)
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)


def duration(seconds):
    """Three digits and a unit."""
    return f"{seconds:.3g} s" if seconds >= 1 else f"{seconds * 1e3:.3g} ms"


def draw(report, path):
    """Draw a report as bench.compare makes it; one panel per case."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    results = [found for found in report["results"] if right_seconds(found)]
    if not results:
        raise ValueError("nothing to draw: no method gave a right answer")
    methods = method_order(results)
    values = [value for found in results for value in right_seconds(found).values()]
    limits = (min(values) / 3, max(values) * 30)
    across = min(COLUMNS, len(results))
    down = -(-len(results) // across)
    figure, grid = pyplot.subplots(
        down,
        across,
        figsize=(2.0 + 2.5 * across, 0.7 + down * (0.6 + 0.21 * len(methods))),
        squeeze=False,
        sharex=True,
        sharey=True,
        layout="constrained",
    )
    panels = list(grid.flat)
    kinds = {kind(found) for found in results}
    for axes, found in zip(panels, results, strict=False):
        size = f"{found['n']:,} x {found['p']}".replace(",", " ")
        panel(axes, found, size if len(kinds) == 1 else f"{size} {kind(found)}", methods, limits)
    for axes in panels[len(results) :]:
        axes.set_visible(False)
    facts = report["machine"]
    heading = ["Least squares", *(kinds if len(kinds) == 1 else []), f"{facts['cpu']}, {facts['cores']} cores"]
    if report["quick"] > 1:
        heading.append(f"smoke run on 1/{report['quick']} of the rows")
    figure.supxlabel("seconds, median of the rounds, logarithmic", fontsize=8)
    figure.suptitle("; ".join(heading), fontsize=10, color=INK, x=0.01, ha="left")
    figure.savefig(path, dpi=150)
    pyplot.close(figure)


def main(arguments=None):
    """Draw a JSON file."""
    parser = argparse.ArgumentParser(prog="python -m bench.chart", description=__doc__.splitlines()[0])
    parser.add_argument("json", help="file written by python -m bench.compare --json")
    parser.add_argument("png", help="file to draw")
    options = parser.parse_args(arguments)
    try:
        require()
    except ImportError as error:
        parser.error(str(error))
    with open(options.json) as file:
        draw(json.load(file), options.png)


if __name__ == "__main__":
    main()
