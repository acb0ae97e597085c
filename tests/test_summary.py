# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The printed regression: a hand-made result for the form, NIST's Norris data for the numbers."""

import csv
import io
from types import SimpleNamespace

import numpy as np
import pytest

import fastlsq
from fastlsq.gram.summary import Summary, _number, _p_value, _short

# NIST StRD, Norris: calibration of ozone monitors, y on x, with its certified values.
# fmt: off
NORRIS = np.array([
    [0.1, 0.2], [338.8, 337.4], [118.1, 118.2], [888.0, 884.6], [9.2, 10.1], [228.1, 226.5],
    [668.5, 666.3], [998.5, 996.3], [449.1, 448.6], [778.9, 777.0], [559.2, 558.2], [0.3, 0.4],
    [0.1, 0.6], [778.1, 775.5], [668.8, 666.9], [339.3, 338.0], [448.9, 447.5], [10.8, 11.6],
    [557.7, 556.0], [228.3, 228.1], [998.0, 995.8], [888.8, 887.6], [119.6, 120.2], [0.3, 0.3],
    [0.6, 0.3], [557.6, 556.8], [339.3, 339.1], [888.0, 887.2], [998.5, 999.0], [778.9, 779.0],
    [10.2, 11.1], [117.6, 118.3], [228.9, 229.2], [668.4, 669.1], [449.2, 448.9], [0.2, 0.5],
])
# fmt: on
NORRIS_ESTIMATE = [-0.262323073774029, 1.00211681802045]
NORRIS_STD_ERROR = [0.232818234301152, 0.429796848199937e-03]
NORRIS_TEXT = """
Least-squares fit
----------------------------------------------------------------------
Observations                36    R-squared               0.999994
Df model                     1    Adj. R-squared          0.999994
Df residual                 34    Residual std. dev.      0.884796
F-statistic        5.43639e+06    P(>F)                     <2e-16
Log-likelihood        -45.6466    AIC                      95.2932
BIC                    98.4603
Covariance        classical
----------------------------------------------------------------------
            estimate  std. error        t   P>|t|     [0.025    0.975]
----------------------------------------------------------------------
intercept  -0.262323   0.2328       -1.13  0.2677  -0.735467  0.210821
x           1.00212    0.0004298  2331.61  <2e-16   1.00124   1.00299
----------------------------------------------------------------------
"""


def made_by_hand(**changes):
    """A result with awkward names and numbers."""
    result = SimpleNamespace(
        param_names=["intercept", 'a<b>&"c"', "x" * 30 + "[long level]"],
        params=np.array([1.5, -1234567.0, np.nan]),
        standard_errors=np.array([0.25, 1e-9, np.nan]),
        t_values=np.array([6.0, -1.234567e15, np.nan]),
        p_values=np.array([0.03124, 0.0, np.nan]),
        has_intercept=True,
        n_rows=10,
        sum_weights=10,
        df_model=2,
        df_resid=7,
        r_squared=0.5,
        adj_r_squared=0.25,
        sigma=2.0,
        f_value=np.inf,
        f_p_value=1.2e-8,
        aliased=[],
        targets=1,
        log_likelihood=-12.5,
        aic=31.0,
        bic=31.9,
        cov_words="HC3",
        info=SimpleNamespace(path="gram", passes=2, condition=12345.0, n_threads=2),
    )
    result.conf_int = lambda level=0.95: np.column_stack([result.params - level, result.params + level])
    result.__dict__.update(changes)
    return result


@pytest.fixture(scope="module")
def norris():
    return fastlsq.ols(NORRIS[:, 1:], NORRIS[:, 0], names=["x"])


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1.0, "1.0000"),
        (0.03124, "0.0312"),
        (1e-4, "0.0001"),
        (1.2e-8, "1.2e-08"),
        (3e-16, "3.0e-16"),
        (1e-16, "<2e-16"),
        (0.0, "<2e-16"),
        (float("nan"), "nan"),
    ],
)
def test_p_value(value, text):
    assert _p_value(value) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "n/a"),
        (327346, "327346"),
        (np.int64(7), "7"),
        (1.5, "1.50000"),
        (123456.0, "123456"),
        (1234567.0, "1.23457e+06"),
        (0.0, "0.00000"),
        (float("nan"), "nan"),
        (float("-inf"), "-inf"),
    ],
)
def test_number(value, text):
    assert _number(value) == text


def test_one_digit_has_no_bare_point():
    assert _number(3e4, 1) == "3e+04"


def test_long_names_keep_both_ends():
    short = _short("carrier_of_the_airline_that_operated[United Air Lines]")
    assert len(short) == 32
    assert short.startswith("carrier_of_the")
    assert "..." in short
    assert short.endswith("Lines]")
    assert _short("hour[6]") == "hour[6]"
    assert _short("two\nlines\t") == "two?lines?"


def test_text_by_hand():
    text = str(Summary(made_by_hand()))
    lines = text.splitlines()
    assert "gram, passes 2, condition 1.2e+04, threads 2" in text
    assert "1.2e-08" in text
    assert "inf" in text
    rows = [line for line in lines if line.startswith(("intercept", "a<b>", "xxx"))]
    assert rows[0].split() == ["intercept", "1.50000", "0.2500", "6.00", "0.0312", "0.550000", "2.45000"]
    assert "<2e-16" in rows[1]
    assert rows[2].split()[-6:] == ["nan"] * 6
    assert max(map(len, lines)) <= 120
    assert not any(line != line.rstrip() for line in lines)
    assert not text.endswith("\n")


def test_the_estimates_line_up_on_the_decimal_point():
    fit = made_by_hand(params=np.array([1.5, -12.25, 100.125]))
    rows = [line for line in str(Summary(fit)).splitlines() if line.startswith(("intercept", "a<b>", "xxx"))]
    assert len({row.index(".", 36) for row in rows}) == 1


def test_other_confidence_level():
    assert "[0.05" in str(Summary(made_by_hand(), level=0.9))
    assert "0.95]" in str(Summary(made_by_hand(), level=0.9))


def test_weights_and_missing_intercept_are_told():
    assert "Sum of weights" not in str(Summary(made_by_hand()))
    assert "Sum of weights" in str(Summary(made_by_hand(sum_weights=12.5)))
    assert "no intercept" in str(Summary(made_by_hand(has_intercept=False)))


def test_aliased_columns_are_named():
    summary = Summary(made_by_hand(aliased=["twice<x>", "y"]))
    assert "Linear combinations of other columns: twice<x>, y." in str(summary)
    assert "twice&lt;x&gt;, y" in summary.as_html()


def test_html_escapes_names_and_keeps_them_whole():
    summary = Summary(made_by_hand())
    page = summary.as_html()
    assert "a&lt;b&gt;&amp;&quot;c&quot;" in page
    assert "<b>" not in page
    assert "x" * 30 + "[long level]" in page
    assert page.count("<table>") == page.count("</table>") == 2
    assert "&lt;2e-16" in page
    assert summary._repr_html_() == page


def test_csv_reads_back_to_the_same_numbers():
    fit = made_by_hand()
    heading, *rows = csv.reader(io.StringIO(Summary(fit).as_csv()))
    assert heading == ["name", "estimate", "std_error", "t_value", "p_value", "lower", "upper"]
    assert [row[0] for row in rows] == fit.param_names
    assert np.array_equal([float(row[1]) for row in rows], fit.params, equal_nan=True)
    assert np.array_equal([float(row[3]) for row in rows], fit.t_values, equal_nan=True)


def test_repr_is_short():
    assert repr(Summary(made_by_hand())) == "<Summary of 3 coefficients; print() shows the table>"


def test_norris_numbers(norris):
    rows = list(csv.DictReader(io.StringIO(norris.summary().as_csv())))
    assert [row["name"] for row in rows] == ["intercept", "x"]
    assert [float(row["estimate"]) for row in rows] == pytest.approx(NORRIS_ESTIMATE, rel=1e-10)
    assert [float(row["std_error"]) for row in rows] == pytest.approx(NORRIS_STD_ERROR, rel=1e-10)


def test_norris_text(norris):
    text = norris.summary().as_text()
    assert text == str(norris.summary())
    without_solver = "\n".join(line for line in text.splitlines() if not line.startswith("Solver"))
    assert without_solver == NORRIS_TEXT.strip()


def test_the_covariance_is_named():
    x, y = NORRIS[:, 1:], NORRIS[:, 0]
    assert "HC3" in str(Summary(made_by_hand()))
    text = str(fastlsq.ols(x, y, cov="HAC", lags=2).summary())
    assert "HAC, 2 lags" in text
    text = str(fastlsq.ols(x, y, cov="cluster", groups=(np.arange(36) % 5, np.arange(36) % 4)).summary())
    line = next(line for line in text.splitlines() if line.startswith("Covariance"))
    assert line.split(maxsplit=1) == ["Covariance", "cluster, 5 and 4 groups"]


def test_latex():
    fit = made_by_hand(param_names=["intercept", r"50%_a&b\{c}$#~^", "x<y"], aliased=["x_1"])
    text = Summary(fit).as_latex()
    assert r"50\%\_a\&b\textbackslash{}\{c\}\$\#\textasciitilde{}\textasciicircum{}" in text
    assert "x$<$y & nan & nan" in text
    assert r"$1.2\times 10^{-8}$" in text
    assert r"$<2\times 10^{-16}$" in text
    assert r"x\_1" in text and "HC3" in text
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 2
    for line in text.splitlines():
        assert not line.endswith(r" \\") or line.count("&") - line.count(r"\&") in (1, 3, 6)


def test_latex_names_are_no_options_of_the_line_before():
    text = Summary(made_by_hand(param_names=["[a]", "*", "[b"])).as_latex()
    for line in ("{}[a] &", "{}* &", "{}[b &"):
        assert any(one.startswith(line) for one in text.splitlines())


def test_several_targets_have_a_table_each():
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((40, 2)), rng.standard_normal((40, 3))
    summary = fastlsq.ols(x, y).summary(level=0.9)
    text, alone = summary.as_text(), fastlsq.ols(x, y[:, 1]).summary(level=0.9).as_text()
    assert [line for line in text.splitlines() if line.startswith("Target")] == [
        f"Target {t}: Least-squares fit" for t in range(3)
    ]
    assert text.split("\n\n")[1].splitlines()[7:] == alone.splitlines()[7:]
    assert summary.as_html().count("<table>") == 6
    assert summary.as_latex().count(r"\begin{tabular}") == 6
    heading, *rows = csv.reader(io.StringIO(summary.as_csv()))
    assert heading[:2] == ["target", "name"]
    assert [row[:2] for row in rows][3:5] == [["1", "intercept"], ["1", "x0"]]
