# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""In the place of NumPy's and SciPy's lstsq and of nnls: their shapes and dtypes, their own tests, their errors."""

import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
import scipy.optimize

import fastlsq
from fastlsq.connect import patch

DROP_IN = Path(__file__).parent / "drop_in"


@pytest.mark.parametrize(
    ("tests", "chosen", "at_least", "called"),
    [
        ("scipy.linalg.tests.test_basic", "TestLstsq", 120, 100),
        ("numpy.linalg.tests.test_linalg", "Lstsq", 12, 100),
        ("scipy.optimize.tests.test_nnls", "TestNNLS", 10, 8),
    ],
)
def test_their_own_tests_pass(tests, chosen, at_least, called, tmp_path):
    if find_spec(tests.rsplit(".", 1)[0]) is None:
        pytest.skip(f"{tests} is not installed")
    call = [sys.executable, "-m", "pytest", "-q", "-p", "fastlsq_drop_in", "-p", "no:cacheprovider", "--pyargs", tests,
            "-k", chosen]
    folders = [str(DROP_IN), *filter(None, [os.environ.get("PYTHONPATH")])]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(folders)}
    run = subprocess.run(call, capture_output=True, text=True, timeout=600, cwd=tmp_path, env=environment)
    assert run.returncode == 0, run.stdout[-3000:] + run.stderr[-2000:]
    assert int(re.search(r"(\d+) passed", run.stdout)[1]) >= at_least
    paths = dict(re.findall(r"'([^']+)': (\d+)", run.stdout.split("fastlsq paths:")[1]))
    own = sum(int(paths.get(name, 0)) for name in ("gram", "gram32", "preconditioned", "qr", "nnls, gram", "nnls, qr"))
    assert own >= called and int(paths.get("lapack", 0)) <= 0.05 * own


def same_kind(found, expected):
    assert type(found) is type(expected) is tuple and len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert np.shape(one) == np.shape(other)
        assert np.asarray(one).dtype == np.asarray(other).dtype
        np.testing.assert_allclose(one, other, rtol=2e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int32, bool])
@pytest.mark.parametrize("k", [None, 1, 3])
@pytest.mark.parametrize("shape", [(20, 3), (3, 3), (3, 5)])
def test_shapes_and_dtypes_are_theirs(shape, k, dtype):
    rng = np.random.default_rng(3)
    a = rng.integers(0, 9, shape).astype(dtype)
    b = rng.integers(0, 9, (shape[0],) if k is None else (shape[0], k)).astype(dtype)
    expected = np.linalg.lstsq(a, b), scipy.linalg.lstsq(a, b, cond=1e-6)
    with fastlsq.patched():
        found = np.linalg.lstsq(a, b), scipy.linalg.lstsq(a, b, cond=1e-6)
    for one, other in zip(found, expected, strict=True):
        same_kind(tuple(one), tuple(other))
        assert type(one[2]) is type(other[2])


def test_what_is_not_ours_goes_to_the_original():
    a, b = np.ones((4, 2)) + 1j * np.eye(4, 2), np.ones(4)
    expected = np.linalg.lstsq(a, b)[0], scipy.linalg.lstsq(a, b)[0]
    with fastlsq.patched():
        np.testing.assert_array_equal(np.linalg.lstsq(a, b)[0], expected[0])
        np.testing.assert_array_equal(scipy.linalg.lstsq(a, b)[0], expected[1])
        with pytest.raises(np.linalg.LinAlgError):
            np.linalg.lstsq(np.ones((2, 3, 3)), np.ones((2, 3)))
        with pytest.raises(ValueError, match="infs or NaNs"):
            scipy.linalg.lstsq([[np.nan]], [1.0])
        assert scipy.linalg.lstsq(np.empty((0, 2)), np.empty(0))[0].shape == (2,)


def test_nnls_as_scipy_has_it():
    rng = np.random.default_rng(7)
    cases = ((np.float64, (20, 4), 0), (np.float32, (20, 4), 1), (np.int32, (9, 9), 1), (bool, (9, 3), 0))
    for dtype, shape, columns in cases:
        a = rng.integers(0, 2 if dtype is bool else 9, shape).astype(dtype)
        b = rng.integers(-9, 9, (shape[0], 1)[: 1 + columns]).astype(np.float64)
        want, before = scipy.optimize.nnls(a, b), patch.paths["nnls, gram"] + patch.paths["nnls, qr"]
        with fastlsq.patched():
            found = scipy.optimize.nnls(a, b)
        assert patch.paths["nnls, gram"] + patch.paths["nnls, qr"] == before + 1
        assert type(found) is tuple and type(found[1]) is type(want[1]) and found[0].dtype == want[0].dtype
        assert found[0].shape == want[0].shape
        np.testing.assert_allclose(a @ found[0], a @ want[0], rtol=1e-12, atol=1e-12)
        assert found[1] == pytest.approx(want[1], rel=1e-12)
    with fastlsq.patched():
        with pytest.raises(ValueError, match="Incompatible dimensions"):
            scipy.optimize.nnls(np.eye(3), np.ones(4))
        with pytest.raises(ValueError, match="infs or NaNs"):
            scipy.optimize.nnls([[np.nan]], [1.0])
        with pytest.raises(RuntimeError, match="Maximum number of iterations"):
            scipy.optimize.nnls(rng.random((5, 10)), rng.random(5), maxiter=1)
        with pytest.warns(DeprecationWarning):
            scipy.optimize.nnls(np.eye(2), np.ones(2), atol=1e-8)
    assert not hasattr(scipy.optimize.nnls, "before_patch")


def test_patching_is_undone_and_nests():
    before = np.linalg.lstsq, scipy.linalg.lstsq
    with fastlsq.patched():
        assert np.linalg.lstsq is not before[0]
        with fastlsq.patched():
            pass
        assert scipy.linalg.lstsq is not before[1]
        fastlsq.patch()  # does nothing
        assert np.linalg.lstsq.before_patch is before[0]
    assert (np.linalg.lstsq, scipy.linalg.lstsq) == before
    with pytest.raises(ZeroDivisionError), fastlsq.patched():
        raise ZeroDivisionError
    assert (np.linalg.lstsq, scipy.linalg.lstsq) == before
    fastlsq.unpatch()


def test_wide_problems_do_not_call_themselves(rung):
    rng = np.random.default_rng(0)
    a, b = rng.standard_normal((3, 5)), rng.standard_normal(3)
    expected = scipy.linalg.lstsq(a, b)[0]
    path = {"qr": "qr, wide or dependent", "preconditioned": "dual, wide or dependent"}[rung]
    before = patch.paths[path]
    with fastlsq.patched():
        np.testing.assert_allclose(scipy.linalg.lstsq(a, b)[0], expected, rtol=1e-12)
    assert patch.paths[path] == before + 1


def test_leading_dimensions_as_scipy_has_them():
    rng = np.random.default_rng(1)
    a, b = rng.standard_normal((2, 3, 9, 4)), rng.standard_normal((2, 3, 9, 2))
    for given, path in ((a, "gram"), (a[..., :3, :], "original")):
        targets = b[..., : given.shape[-2], :]
        want, before = scipy.linalg.lstsq(given, targets), patch.paths[path]
        with fastlsq.patched():
            found = scipy.linalg.lstsq(given, targets)
        assert patch.paths[path] == before + 1
        for ours, theirs in zip(found, want, strict=True):
            assert ours.shape == theirs.shape and ours.dtype == theirs.dtype
            np.testing.assert_allclose(ours, theirs, rtol=1e-10, atol=1e-12)
    a[0, 1, :, 3] = a[0, 1, :, 0]
    with fastlsq.patched(), pytest.raises(ValueError, match="same shape"):  # SciPy cannot stack their residues
        scipy.linalg.lstsq(a, b)


def test_run_a_script(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        "import sys, numpy as np\nprint(sys.argv[1:], hasattr(np.linalg.lstsq, 'before_patch'), __name__)\n"
    )
    run = [sys.executable, "-m", "fastlsq", "run", str(script), "--x", "1"]
    found = subprocess.run(run, capture_output=True, text=True, timeout=120, cwd=tmp_path, check=True)
    assert found.stdout.strip() == "['--x', '1'] True __main__"
    missing = subprocess.run([*run[:4], "nothing.py"], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert missing.returncode == 2 and "no file nothing.py" in missing.stderr
