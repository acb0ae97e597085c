# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""What the suites beside the table share: turns, checks, lines, and the command."""

import argparse
import time
from statistics import median

import numpy as np

from bench import machine, roofline


def interleave(methods, rounds, quiet=roofline.QUIET_SECONDS):
    """{name: (median seconds, last answer)} of methods {name: call}, one turn each a round after one to warm up."""
    times, answers = {name: [] for name in methods}, {}
    for call in methods.values():
        call()
    for _ in range(rounds):
        for name, call in methods.items():
            time.sleep(quiet)
            start = time.perf_counter()
            answers[name] = call()
            times[name].append(time.perf_counter() - start)
    return {name: (median(times[name]), answers[name]) for name in methods}


def repeated(call, count):
    """The call made `count` times, for what is too short to be timed alone."""

    def many():
        for _ in range(count - 1):
            call()
        return call()

    return many


class Suite:
    """Prints one suite and remembers whether its answers were right."""

    def __init__(self, quick, rounds):
        self.quick, self.rounds, self.wrong = quick, rounds, []
        self.rng = np.random.default_rng(20261122)

    def rows(self, n, least=64):
        return max(n // self.quick, least)

    def check(self, name, error, tolerance):
        if not error <= tolerance:
            self.wrong.append(f"{name}: error {error:.1e} > {tolerance:.1e}")

    def line(self, name, seconds, remark="", unit=1e3, suffix="ms"):
        print(f"  {name:44} {seconds * unit:10.3f} {suffix}  {remark}")


def run(make, names, text, arguments=None, rounds=7, add=None):
    """The command of a file of suites: `make(options)` gives a Suite with a method for each of the names.

    `text` is the docstring of the file, `add(parser)` adds options.  Returns the exit status.
    """
    parser = argparse.ArgumentParser(description=text.splitlines()[0])
    parser.add_argument("suites", nargs="*", metavar="SUITE", help=f"of {', '.join(names)}; all by default")
    parser.add_argument("--quick", type=int, default=1, help="divide the sizes by this: a smoke run")
    parser.add_argument("--rounds", type=int, default=rounds)
    if add is not None:
        add(parser)
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.suites) - set(names))
    if unknown:
        parser.error(f"no suite {', '.join(unknown)}; there are {', '.join(names)}")
    machine.print_facts(machine.facts())
    suite = make(options)
    for name in options.suites or names:
        method = getattr(suite, name)
        print(f"\n{name}: {method.__doc__}")
        method()
    for message in suite.wrong:
        print(f"WRONG  {message}")
    return 1 if suite.wrong else 0
