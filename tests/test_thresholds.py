# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The table of thresholds in docs/accuracy.md says what the sources say."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ROW = re.compile(r"^\| `([A-Z_]+)` \| (.+?) \| `([a-z_/.]+)` \|", re.MULTILINE)
ROWS = ROW.findall((ROOT / "docs/accuracy.md").read_text())


def test_there_is_a_table():
    assert len(ROWS) > 20


@pytest.mark.parametrize(("name", "value", "file"), ROWS)
def test_value(name, value, file):
    source = (ROOT / file).read_text()
    found = re.search(rf"^(?:#define {name} |(?:enum {{ )?{name} = )(.+?)(?: }};|;)?(?:  #.*)?$", source, re.MULTILINE)
    assert found, f"{name} is not in {file}"
    assert found[1] == value
