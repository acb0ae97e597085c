# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""No AVX instruction outside the kernels that are chosen after asking the CPU: on an older one it would be a crash."""

import platform
import re
import shutil
import subprocess
from collections import defaultdict

import pytest

from fastlsq._core import lib

pytestmark = [
    pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="x86-64 instructions"),
    pytest.mark.skipif(shutil.which("objdump") is None, reason="needs objdump"),
]
# VEX and EVEX mnemonics begin with v; wider registers and masks give away the rest
AVX = re.compile(r"^v(?!err|erw|mcall|mrun)|%[yz]mm|%k[0-7]")


@pytest.fixture(scope="module")
def functions():
    """{name without a compiler's suffix: [whether each copy has AVX instructions]}."""
    text = subprocess.run(["objdump", "-d", "--no-show-raw-insn", lib.__file__], capture_output=True, text=True).stdout
    found, name = defaultdict(list), None
    for line in text.splitlines():
        head = re.match(r"^[0-9a-f]+ <([^>]+)>:$", line)
        if head:
            name = re.sub(r"\.(part|constprop|isra|cold|lto_priv)(\.\d+)*", "", head[1])
            found[name].append(False)
        elif name is not None and "\t" in line and AVX.search(line.split("\t", 1)[1].strip()):
            found[name][-1] = True
    if "flsq_gram_update" not in found and "gram_block" not in found:
        pytest.skip("the extension was stripped of its symbols")
    return found


def test_avx_stays_in_dispatched_kernels(functions):
    """A function with AVX code is a copy of a kernel: one for each AVX set, and the baseline's copy has none; all may
    have been cut into the same parts."""
    sets = sum(name.startswith("avx") for name in lib.kernels_built())
    with_avx = {name: copies for name, copies in functions.items() if any(copies)}
    assert {"gram_block", "gram_diagonal", "residual"} <= set(with_avx)  # the search finds what there is
    parts = {name: max(len(copies) // (sets + 1), 1) for name, copies in with_avx.items()}
    assert {name: copies for name, copies in with_avx.items()
            if sorted(copies) != [False] * parts[name] + [True] * sets * parts[name]} == {}


def test_what_asks_the_cpu_is_baseline_code(functions):
    asked_before = [name for name in functions if name.startswith(("flsq_", "PyInit", "__pyx"))]
    assert asked_before
    assert not [name for name in asked_before if any(functions[name])]
