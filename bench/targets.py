# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The speed the project promises, and which of the promises a run has kept.

A target that the run did not measure is neither kept nor missed, and says so.
"""

GRAM_FRACTION = 0.55
NARROW = 256
NARROW_RATIO, WIDE_RATIO = 10.0, 4.0
NORMAL_EQUATIONS_COLUMNS = 128
IMPORT_SECONDS = 0.020

SCIPY = "scipy.linalg.lstsq gelsd"
NORMAL_EQUATIONS = "numpy normal equations"


def ratio_to(found, name):
    """Seconds of a peer over ours on one case, or None when either is missing."""
    seconds = {row["name"]: row["seconds"] for row in found["solvers"] if not row["failure"]}
    ours, peer = seconds.get("fastlsq.lstsq"), seconds.get(name)
    return peer / ours if ours and peer else None


def target(text, values, least, unit):
    """One target: the worst of {case: value} against the least it may be."""
    measured = {label: value for label, value in values.items() if value is not None}
    worst = min(measured, key=measured.get) if measured else None
    return {
        "target": text,
        "held": None if worst is None else measured[worst] >= least,
        "worst": None if worst is None else measured[worst],
        "where": worst,
        "measured": len(measured),
        "missed": sorted(label for label, value in measured.items() if value < least),
        "unit": unit,
    }


def judge(report):
    """Every target with its verdict."""
    results = report["results"]
    plain = [found for found in results if found["dtype"] == "f64" and found["order"] == "C"]

    def ratios(name, first, last):
        return {found["label"]: ratio_to(found, name) for found in results if first <= found["p"] <= last}

    verdicts = [
        target(
            f"Gram pass >= {GRAM_FRACTION:.0%} of its roofline, float64 in C order",
            {found["label"]: None if found["gram"]["failure"] else found["roofline_fraction"] for found in plain},
            GRAM_FRACTION,
            "of roofline",
        ),
        target(
            f"lstsq >= {NARROW_RATIO:g}x scipy.linalg.lstsq for p <= {NARROW}",
            ratios(SCIPY, 0, NARROW),
            NARROW_RATIO,
            "x",
        ),
        target(
            f"lstsq >= {WIDE_RATIO:g}x scipy.linalg.lstsq for p > {NARROW}",
            ratios(SCIPY, NARROW + 1, 1 << 30),
            WIDE_RATIO,
            "x",
        ),
        target(
            f"lstsq never slower than numpy normal equations for p <= {NORMAL_EQUATIONS_COLUMNS}",
            ratios(NORMAL_EQUATIONS, 0, NORMAL_EQUATIONS_COLUMNS),
            1.0,
            "x",
        ),
    ]
    cost = report["import"]
    spare = {"import": IMPORT_SECONDS / max(cost["difference_seconds"], 1e-9)} if cost else {}
    text = f"import fastlsq <= {IMPORT_SECONDS * 1e3:.0f} ms more than import numpy"
    return [*verdicts, target(text, spare, 1.0, "of the allowance to spare")]


def show(verdicts, quick):
    """Print the verdicts; a run on fewer rows is no evidence and says so."""
    print("\ntargets" + (f" (rows divided by {quick}: a smoke run, not a measurement)" if quick > 1 else ""))
    for verdict in verdicts:
        word = {None: "not measured", True: "held", False: "MISSED"}[verdict["held"]]
        print(f"  {word:12} {verdict['target']}")
        if verdict["worst"] is not None:
            print(f"  {'':12} worst {verdict['worst']:.2f} {verdict['unit']} at {verdict['where']}")
        if verdict["missed"]:
            print(f"  {'':12} missed at {', '.join(verdict['missed'])}")
