# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The `fastlsq` command: see what this build can do, and see it do a real regression.

Results go to stdout, as text or with `--json` as one JSON document, and progress goes to stderr.  The exit status is
0 when all is well, 1 when a check failed and 2 when the command cannot run as asked.  What a subcommand needs is
imported by that subcommand, so `--help` answers at once.
"""

import argparse
import json
import math
import sys
from pathlib import Path

SCHEMA = 1


def _plain(value):
    """`value` with numpy scalars unwrapped and non-finite numbers as None: JSON has no NaN."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if hasattr(value, "tolist"):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _print_json(command, facts):
    document = {"schema": SCHEMA, "command": command, **_plain(facts)}
    print(json.dumps(document, indent=2, allow_nan=False))


def _progress(line):
    print(f"fastlsq: {line}", file=sys.stderr, flush=True)


def _info(args):
    if args.json:
        from fastlsq._config import config

        _print_json("info", config())
    else:
        import fastlsq

        fastlsq.show_config()
    return 0


def _demo(args):
    # Found out now rather than after the work is done.
    if args.output.is_dir() or not args.output.absolute().parent.is_dir():
        _progress(f"cannot write {args.output}: name a file in a directory that exists")
        return 2
    from fastlsq.connect import demo

    try:
        fit, facts = demo.run_demo(output=args.output, rounds=args.rounds, progress=_progress)
    except (demo.MissingExtraError, OSError) as error:
        _progress(str(error))
        return 2
    if args.json:
        _print_json("demo", facts)
    else:
        print(fit.summary(), demo.report(facts), sep="\n\n")
    agreement = facts["agreement"]
    if agreement["ok"]:
        return 0
    _progress(
        f"the coefficients agree with {agreement['reference']} to {min(agreement['digits'].values()):.1f} digits only, "
        f"{agreement['required_digits']} are required"
    )
    return 1


def _run(args):
    import runpy

    import fastlsq

    if not args.script.is_file():
        _progress(f"no file {args.script}")
        return 2
    sys.argv = [str(args.script), *args.arguments]
    sys.path.insert(0, str(args.script.resolve().parent))
    with fastlsq.patched():
        runpy.run_path(str(args.script), run_name="__main__")
    return 0


def _positive(text):
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


_positive.__name__ = "positive integer"


def _parser():
    from fastlsq import __version__

    parser = argparse.ArgumentParser(
        prog="fastlsq",
        description="Least squares on CPUs: one fused pass over the rows, every answer checked.",
        epilog="Exit status: 0 if all is well, 1 if a check failed, 2 if the command cannot run as asked.",
    )
    parser.add_argument("--version", action="version", version=f"fastlsq {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="{demo,info,run}")

    text = "regress the delays of 327,346 flights, compare with scipy and numpy, save a picture"
    demo = commands.add_parser("demo", help=text, description=f"The demo: {text}.")
    demo.add_argument("--rounds", type=_positive, default=5, help="times each solver is timed (default: %(default)s)")
    demo.add_argument(
        "--output", type=Path, default=Path("fastlsq_demo.png"), help="PNG file to write (default: ./%(default)s)"
    )
    demo.set_defaults(run=_demo)

    text = "print versions, machine, kernel and threads"
    info = commands.add_parser("info", help=text, description=f"The build: {text}.")
    info.set_defaults(run=_info)

    text = "run a Python script with numpy.linalg.lstsq and scipy.linalg.lstsq replaced by fastlsq"
    run = commands.add_parser("run", help=text, description=f"Drop in: {text}.")
    run.add_argument("script", type=Path, help="the Python file")
    run.add_argument("arguments", nargs=argparse.REMAINDER, help="its arguments")
    run.set_defaults(run=_run)

    for command in (demo, info):
        command.add_argument("--json", action="store_true", help="print one JSON document on stdout instead of text")
    return parser


def main(argv=None):
    """Run the command line.

    Parameters
    ----------
    argv : list of str, optional
        The arguments after the program's name; those of the process by default.

    Returns
    -------
    int
        The exit status.
    """
    args = _parser().parse_args(argv)
    return args.run(args)
