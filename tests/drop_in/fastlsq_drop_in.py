# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""A pytest plugin that puts fastlsq in the place of NumPy's and SciPy's functions before tests are collected.

    python -m pytest -p fastlsq_drop_in --pyargs scipy.linalg.tests.test_basic -k TestLstsq

The run fails if the replaced function was never called.  Prints how many calls went which way.  Tests named in
deselected.txt beside this file, each with its reason, are left out.
"""

from pathlib import Path

import fastlsq

fastlsq.patch()

from fastlsq.connect.patch import paths  # noqa: E402


def deselected():
    lines = Path(__file__).with_name("deselected.txt").read_text().splitlines()
    return [line.split("#")[0].strip() for line in lines if line.split("#")[0].strip()]


def pytest_collection_modifyitems(config, items):
    out = [item for item in items if any(name in item.nodeid for name in deselected())]
    if out:
        config.hook.pytest_deselected(items=out)
        items[:] = [item for item in items if item not in out]


def pytest_sessionfinish(session, exitstatus):
    if not sum(paths.values()) and exitstatus == 0:
        session.exitstatus = 1


def pytest_terminal_summary(terminalreporter):
    terminalreporter.write_line(f"fastlsq paths: {dict(paths)}")
