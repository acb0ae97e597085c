# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The walls of the house, kept by reading the source."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "fastlsq"
C_FILES = sorted((ROOT / "csrc").rglob("*.[ch]"))
PY_FILES = sorted(PACKAGE.rglob("*.py"))

pytestmark = pytest.mark.skipif(not C_FILES or not PY_FILES, reason="needs the source tree")


def found(pattern, files, allowed=()):
    hits = []
    for path in files:
        if path.name in allowed or path.parent.name in allowed:
            continue
        text = path.read_text()
        if path.suffix in (".c", ".h"):
            text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
        hits += [f"{path.relative_to(ROOT)}: {line.strip()}" for line in text.splitlines() if re.search(pattern, line)]
    return hits


def test_only_one_file_knows_openmp():
    assert not found(r"omp\.h|#pragma omp|\bomp_", C_FILES, {"parallel.c"})


def test_only_one_file_allocates():
    assert not found(r"\b(malloc|calloc|realloc|free|posix_memalign|aligned_alloc)\s*\(", C_FILES, {"workspace.c"})


def test_instruction_sets_are_named_in_three_places():
    pattern = r"__x86_64__|__aarch64__|__AVX|__ARM|immintrin|arm_neon"
    assert not found(pattern, C_FILES, {"cpu_features.c", "dispatch.c", "kernels"})


def test_the_core_does_not_know_python():
    assert not found(r"Python\.h|PyObject", C_FILES)


def test_sizes_are_64_bit():
    assert not found(r"\b(unsigned|long|short)\s+(n|p|k|rows|columns|count|length|size)\b", C_FILES)
    assert not found(r"\bint\s+(n|p|rows|columns|length)\b", C_FILES)


def test_no_flag_that_breaks_numerics_or_old_cpus():
    flags = r"^[^#]*(ffast-math|Ofast|march=|-mavx)"
    assert not found(flags, [ROOT / "setup.py", ROOT / "pyproject.toml"])


def test_user_arrays_are_inspected_in_one_place():
    files = [p for p in PY_FILES if p.parent.name in ("solve", "fastlsq") or p.name in ("gram.py", "ols.py")]
    hits = found(r"np\.(asarray|asanyarray)\(|isinstance\(\w+, np\.ndarray", files, {"_arrays.py"})
    assert not hits


def test_the_boundary_has_no_cimport_of_numpy():
    assert not found(r"cimport numpy", sorted(PACKAGE.rglob("*.p[yx][xid]")))


def imports(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


@pytest.mark.parametrize("room", ["solve", "gram", "descent"])
def test_the_numeric_rooms_do_not_import_connect(room):
    for path in (PACKAGE / room).glob("*.py"):
        assert not [name for name in imports(path) if name.startswith("fastlsq.connect")], path


def test_importing_fastlsq_imports_no_extra_and_no_scipy():
    code = "import fastlsq, sys; print(' '.join(sorted({m.split('.')[0] for m in sys.modules})))"
    child = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    loaded = child.stdout.split()
    assert "fastlsq" in loaded
    assert not {"scipy", "pandas", "matplotlib", "sklearn", "torch", "argparse"} & set(loaded)


def test_every_source_file_has_its_licence_line():
    files = [*C_FILES, *PY_FILES, *PACKAGE.rglob("*.p[yx][xid]"), *(ROOT / "tests").rglob("*.py"), ROOT / "setup.py"]
    licence = "SPDX-License-Identifier: BSD-3-Clause"
    assert not [str(path.relative_to(ROOT)) for path in files if licence not in path.read_text()[:300]]
