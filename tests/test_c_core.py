# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Builds and runs the C tests of tests/c: every kernel set of this CPU, with the real and with tiny cache blocks."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FOLDER = Path(__file__).parent / "c"


def missing():
    """Why the C tests cannot run here, or None."""
    if sys.platform != "linux":
        return "the Makefile of tests/c is written for Linux"
    if not (FOLDER.parents[1] / "csrc").is_dir():
        return "no csrc/ beside tests/: an installed copy has no C sources"
    for tool in ("make", "gcc"):
        if shutil.which(tool) is None:
            return f"no {tool}"
    return None


@pytest.mark.skipif(missing() is not None, reason=str(missing()))
@pytest.mark.parametrize("target", ["check", "check-tiny"])
def test_c_core(target, tmp_path):
    # make's own variables in the environment (a jobserver, CFLAGS of a packager) must not reach this build
    clean = {k: v for k, v in os.environ.items() if k not in ("MAKEFLAGS", "MFLAGS", "CFLAGS", "FASTLSQ_KERNEL")}
    run = subprocess.run(
        ["make", "-C", str(FOLDER), target, f"BUILD={tmp_path}"],
        env=clean, capture_output=True, text=True, timeout=600, check=False,
    )
    assert run.returncode == 0, run.stdout[-4000:] + run.stderr[-4000:]
    assert re.search(r"^[1-9]\d* passed, 0 failed$", run.stdout, re.MULTILINE)
