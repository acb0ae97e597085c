# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The examples in the README and in the docstrings run and print what they say."""

import doctest
import importlib
from pathlib import Path

import pytest

import fastlsq

ROOT = Path(__file__).parents[1]
DESCENT = {f"fastlsq.descent.{room}" for room in ("metrics", "optimizers", "schedules")}
MODULES = sorted({"fastlsq", "fastlsq._config", *DESCENT, *fastlsq._HOME.values()})


@pytest.mark.parametrize("name", MODULES)
def test_docstrings(name):
    failed, _ = doctest.testmod(importlib.import_module(name))
    assert failed == 0


@pytest.mark.parametrize(("page", "examples"), [
    ("README.md", 14), ("docs/gram.md", 25), ("docs/glm.md", 6),
    ("docs/tutorial/1-normal-equation.md", 12),
    ("docs/tutorial/2-learning-rate.md", 10), ("docs/tutorial/3-optimizers.md", 16),
    ("docs/tutorial/4-corrections.md", 16), ("docs/tutorial/5-descent.md", 30), ("docs/tutorial/6-penalties.md", 15),
    ("docs/tutorial/7-evaluation.md", 30), ("docs/descent.md", 10),
])
def test_pages(page, examples):
    failed, tried = doctest.testfile(str(ROOT / page), module_relative=False)
    assert tried >= examples
    assert failed == 0


def test_public_names_are_documented():
    for name in fastlsq.__all__:
        assert getattr(fastlsq, name).__doc__, name
    stub = (Path(fastlsq.__file__).parent / "__init__.pyi").read_text()
    assert all(f'"{name}"' in stub for name in fastlsq.__all__)
