# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""fastlsq against its peers, in one interleaved run per shape, with every answer checked.

    python -m bench.compare                          # the whole table, float64, C order
    python -m bench.compare --shapes 64 --quick 50   # a smoke run on a fiftieth of the rows

In each round the FMA peak, the read bandwidth, our Gram pass, our lstsq and every peer take one turn each, so that a
slow minute of the machine falls on all of them; what is printed are medians over the rounds.  A wrong answer prints
as such and makes the exit status 1.
"""

import argparse
import json
import sys
import time
from statistics import median

import numpy as np

import fastlsq
from bench import chart, machine, peers, roofline, shapes, targets, verify

OURS = "fastlsq.lstsq"
GRAM = "fastlsq Gram pass"


class Row:
    """One method on one case: its times and its worst answer."""

    def __init__(self, name, call, check, tolerance):
        self.name, self.call, self.check, self.tolerance = name, call, check, tolerance
        self.times, self.error, self.failure = [], 0.0, None

    def take_turn(self):
        """Time one call in a quiet machine, then check its answer outside the clock."""
        time.sleep(roofline.QUIET_SECONDS)
        try:
            start = time.perf_counter()
            answer = self.call()
            seconds = time.perf_counter() - start
        except Exception as error:  # a method that raises has failed; its reason goes into the table
            self.failure = peers.reason(error)
            return
        self.times.append(seconds)
        self.error = max(self.error, self.check(answer))
        if not self.error <= self.tolerance:
            self.failure = f"WRONG: error {self.error:.1e} > {self.tolerance:.1e}"

    def wants_turn(self, options):
        """False for a failed method, and for a slow one that has had its rounds or used up its time."""
        if self.failure or not self.times:
            return not self.failure
        if median(self.times) < options.slow_seconds:
            return True
        return len(self.times) < options.slow_rounds and sum(self.times) + self.times[-1] < options.budget

    def record(self):
        """The row as it goes into the JSON file."""
        return {
            "name": self.name,
            "seconds": median(self.times) if self.times else None,
            "times": self.times,
            "error": self.error,
            "tolerance": self.tolerance,
            "failure": self.failure,
        }


def rows_of(case, x, y, runs):
    """(row of the Gram pass, rows of lstsq and the peers that can be bound, {peer: reason} for the others)."""
    proof = verify.GramProof(x, y)
    reference = verify.Reference(x, y)
    dtype = shapes.DTYPES[case.dtype]
    out = roofline.gram_arrays(case.p)
    gram = Row(GRAM, lambda: roofline.gram_pass(x, y, out), lambda answer: proof.excess(*answer), 1.0)
    ours = Row(OURS, lambda: fastlsq.lstsq(x, y).x, reference.error, reference.tolerance("checked", dtype))
    solvers, gaps = [ours], {}
    for peer in runs:
        try:
            call = peer.bind(x, y)
        except Exception as error:  # a container that cannot hold this case
            gaps[peer.name] = peers.reason(error)
        else:
            solvers.append(Row(peer.name, call, reference.error, reference.tolerance(peer.kind, dtype)))
    return gram, solvers, gaps, reference


def measure(case, runs, probe, options):
    """All rounds of one case as a dictionary."""
    x, y = shapes.make(case)
    gram, solvers, gaps, reference = rows_of(case, x, y, runs)
    peaks, bandwidths = [], []
    for _ in range(options.rounds):
        peaks.append(probe.flops())
        bandwidths.append(probe.bandwidth())
        for row in (gram, *solvers):
            if row.wants_turn(options):
                row.take_turn()
    flops, bandwidth = median(peaks), median(bandwidths)
    ideal = roofline.gram_seconds(x, y, flops, bandwidth)
    info = fastlsq.lstsq(x, y).info
    return {
        "label": case.label,
        "n": case.n,
        "p": case.p,
        "dtype": case.dtype,
        "order": case.order,
        "kappa": reference.kappa,
        "kappa_asked": case.kappa,
        "reference_unsettled": reference.unsettled,
        "flops": flops,
        "flops_range": [min(peaks), max(peaks)],
        "bandwidth": bandwidth,
        "bandwidth_range": [min(bandwidths), max(bandwidths)],
        "roofline_seconds": ideal,
        "roofline_fraction": ideal / median(gram.times) if gram.times else None,
        "path": info.path,
        "passes": info.passes,
        "gram": gram.record(),
        "solvers": [row.record() for row in solvers],
        "gaps": gaps,
    }


def print_case(found):
    """The table of one case."""
    print(f"\n{found['label']}  cond(X) {found['kappa']:.3g}  lstsq path {found['path']}, {found['passes']} passes")
    arithmetic = roofline.gram_flops(found["n"], found["p"]) / found["flops"]
    bound = "arithmetic" if found["roofline_seconds"] <= arithmetic else "memory"
    print(
        f"  peak {probed(found, 'flops')} GFlop/s, reads {probed(found, 'bandwidth')} GB/s, "
        f"Gram roofline {found['roofline_seconds'] * 1e3:.3f} ms ({bound})"
    )
    print(f"  {'method':30} {'ms':>10} {'rounds':>6} {'of roofline':>11} {'peer/ours':>9} {'digits':>6}  answer")
    gram, solvers = found["gram"], found["solvers"]
    fraction = found["roofline_fraction"]
    share = "" if fraction is None else f"{fraction:.0%}"
    print(row_line(gram, share, "", ""))
    ours = solvers[0]["seconds"]
    for row in solvers:
        ratio = f"{row['seconds'] / ours:.2f}" if ours and row["seconds"] else ""
        print(row_line(row, "", ratio, f"{verify.digits(row['error']):.1f}" if row["times"] else ""))
    for name, why in found["gaps"].items():
        print(f"  {name:30} {'gap':>10}  {why}")


def probed(found, name):
    """Median of a probe and its range: a wide one tells of a machine that was busy with something else."""
    low, high = found[f"{name}_range"]
    return f"{found[name] / 1e9:.1f} ({low / 1e9:.1f} to {high / 1e9:.1f})"


def row_line(row, share, ratio, agreed):
    """One line of the table."""
    seconds = "-" if row["seconds"] is None else f"{row['seconds'] * 1e3:.3f}"
    answer = row["failure"] or f"ok (<= {row['tolerance']:.1e})"
    return f"  {row['name']:30} {seconds:>10} {len(row['times']):>6} {share:>11} {ratio:>9} {agreed:>6}  {answer}"


def failures(results):
    """[(case, method, what went wrong)] over all results."""
    return [
        (found["label"], row["name"], row["failure"])
        for found in results
        for row in (found["gram"], *found["solvers"])
        if row["failure"]
    ]


def names(text):
    """A comma-separated option as a list."""
    return [word for word in text.split(",") if word]


def numbers(text):
    """A comma-separated option as a list of integers."""
    return [int(word) for word in names(text)]


def parse(arguments):
    """The command line."""
    parser = argparse.ArgumentParser(prog="python -m bench.compare", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--shapes", type=numbers, help="columns of the shapes to run, as 64,128; default all")
    add("--dtype", type=names, default=["f64"], help="f64, f32 or both as f64,f32")
    add("--order", type=names, default=["C"], help="C, F or both as C,F")
    add("--kappa", type=float, default=1.0, help="condition number of the columns; default independent columns")
    add("--quick", type=int, default=1, metavar="N", help="divide the rows by N, down to 4p")
    add("--rounds", type=int, default=7)
    add("--slow-seconds", type=float, default=2.0, help="a method is slow from this time on")
    add("--slow-rounds", type=int, default=3, help="rounds of a slow method")
    add("--budget", type=float, default=60.0, help="seconds one slow method may take on one shape")
    add("--peers", type=names, help="peers to run: " + ",".join(peer.key for peer in peers.PEERS))
    add("--import-time", action="store_true", help="also time the import in fresh processes")
    add("--json", metavar="FILE", help="write everything measured")
    add("--chart", metavar="FILE", help="draw the seconds of every method (needs matplotlib)")
    options = parser.parse_args(arguments)
    if not set(options.dtype) <= set(shapes.DTYPES) or not set(options.order) <= set(shapes.ORDERS):
        parser.error("--dtype takes f64 and f32, --order takes C and F")
    if min(options.rounds, options.quick, options.slow_rounds) < 1:
        parser.error("--rounds, --quick and --slow-rounds are at least 1")
    try:
        options.cases = shapes.cases(options.shapes, options.dtype, options.order, options.kappa, options.quick)
        options.peers = peers.select(options.peers)
        if options.chart:
            chart.require()
    except (ValueError, ImportError) as error:
        parser.error(str(error))
    return options


def main(arguments=None):
    """Run, print, write; 1 when any answer was wrong."""
    options = parse(arguments)
    runs, gaps = peers.available(options.peers)
    fastlsq.lstsq(np.eye(400, 3), np.ones(400))
    report = {
        "machine": machine.facts(),
        "peers": {peer.name: peer.version for peer in runs},
        "gaps": gaps,
        "quick": options.quick,
        "results": [],
        "import": machine.import_cost() if options.import_time else None,
    }
    print("machine")
    machine.print_facts(report["machine"])
    print("peers")
    for name, release in report["peers"].items():
        print(f"  {name:30} {release}")
    for name, why in gaps.items():
        print(f"  {name:30} gap: {why}")
    probe = roofline.Probe()
    for case in options.cases:
        report["results"].append(measure(case, runs, probe, options))
        print_case(report["results"][-1])
    if report["import"]:
        machine.print_import_cost(report["import"])
    report["targets"] = targets.judge(report)
    targets.show(report["targets"], options.quick)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(report, file, indent=1)
    if options.chart:
        chart.draw(report, options.chart)
    wrong = failures(report["results"])
    for label, name, what in wrong:
        print(f"FAILED {label}: {name}: {what}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
