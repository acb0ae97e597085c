# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The printed form of a regression: plain text, HTML, LaTeX and CSV, from the same cells.

A summary holds no clock, no machine name and no timing, so two runs on the same data and number of threads print the
same text.  It reads the result it is given through public attributes only, computes nothing itself, and needs the
standard library alone.
"""

import csv
import html
import io
import itertools
import textwrap
from numbers import Integral

# Below this a p-value is rounding error of the distribution function, not evidence: the double-precision epsilon.
_SMALLEST_P = 2.0**-52
_NAME_WIDTH = 32
# p-values span so many magnitudes that their decimal points are not lined up.
_P_COLUMN = 4


def _number(value, digits=6):
    """`value` to `digits` significant digits, 'n/a' for None; counts and other integers are written out in full."""
    if value is None:
        return "n/a"
    if isinstance(value, Integral):
        return str(int(value))
    # '#' keeps trailing zeros, so that a column shows one precision; a bare final point is dropped.
    text = f"{float(value):#.{digits}g}"
    return text.rstrip(".").replace(".e", "e")


def _p_value(value):
    """A p-value as a reader wants it: 0.0312, 1.2e-08, <2e-16 or nan."""
    value = float(value)
    if value < _SMALLEST_P:
        return "<2e-16"
    # NaN fails both comparisons and prints itself.
    return f"{value:.4f}" if value >= 1e-4 else f"{value:.1e}"


def _t_value(value):
    """A t value with two decimals, or four digits where two decimals would run wide."""
    value = float(value)
    return f"{value:.2f}" if not abs(value) >= 1e6 else f"{value:.3e}"


def _one_line(text):
    """`text` with line breaks and other control characters made visible, so that they cannot break the table."""
    return "".join(c if c.isprintable() else "?" for c in text)


def _short(name, width=_NAME_WIDTH):
    """`name` on one line and at most `width` long: the middle goes, as levels often differ only at the end."""
    name = _one_line(name)
    if len(name) <= width:
        return name
    tail = (width - 3) // 3
    return f"{name[: width - 3 - tail]}...{name[-tail:]}"


def _align(cells):
    """Pad one column so that decimal points stand under each other; nan, 1.2e-08 and the like end at the right."""
    pairs = [cell.partition(".") for cell in cells]
    pointed = [bool(point) and "e" not in right for _, point, right in pairs]
    rest = max((len(right) + 1 for (_, _, right), has in zip(pairs, pointed, strict=True) if has), default=0)
    padded = [
        left + (point + right).ljust(rest) if has else cell
        for cell, (left, point, right), has in zip(cells, pairs, pointed, strict=True)
    ]
    width = max(map(len, padded), default=0)
    return [cell.rjust(width) for cell in padded]


_LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": "$<$", ">": "$>$", "|": "$|$",
    **{c: "\\" + c for c in "&%$#_{}"},
}


def _latex(text):
    """`text` with the characters escaped that LaTeX takes for its own."""
    escaped = "".join(_LATEX.get(c, c) for c in _one_line(text))
    # behind the \\ of the line before, these would be its options
    return "{}" + escaped if escaped.startswith(("[", "*")) else escaped


def _latex_number(text):
    """A cell of the table in math mode: 1.2e-08 becomes 1.2 times ten to the power of -8."""
    if text.lstrip("<-") in ("nan", "inf", "n/a"):
        return _latex(text)
    left, e, exponent = text.partition("e")
    return f"${left}\\times 10^{{{int(exponent)}}}$" if e else f"${text}$"


class Summary:
    """The table of a fitted regression; of several targets one each.

    Parameters
    ----------
    fit : OLSResult
        The result to print.
    level : float, default 0.95
        Confidence level of the two interval columns.

    Notes
    -----
    ``str(summary)`` and :meth:`as_text` give plain text, :meth:`as_html` the same cells for a notebook,
    :meth:`as_latex` for a paper, and :meth:`as_csv` the coefficient table with every digit.  Long names are cut in the
    middle in the text only.
    """

    def __init__(self, fit, level=0.95, title=""):
        self.fit = fit
        self.level = float(level)
        self._prefix = title

    def _each(self):
        """Summaries of the targets one by one, or None when there is one."""
        if self.fit.targets == 1:
            return None
        return [Summary(self.fit.target(t), self.level, f"Target {t}: ") for t in range(self.fit.targets)]

    def __str__(self):
        return self.as_text()

    def __repr__(self):
        return f"<Summary of {len(self.fit.param_names)} coefficients; print() shows the table>"

    def _title(self):
        return self._prefix + "Least-squares fit" + ("" if self.fit.has_intercept else ", no intercept")

    def _facts(self):
        """The header block as (label, value) pairs, in reading order of a table of two pairs a row."""
        fit = self.fit
        facts = [
            ("Observations", _number(fit.n_rows)),
            ("R-squared", _number(fit.r_squared)),
            ("Df model", _number(fit.df_model)),
            ("Adj. R-squared", _number(fit.adj_r_squared)),
            ("Df residual", _number(fit.df_resid)),
            ("Residual std. dev.", _number(fit.sigma)),
            ("F-statistic", _number(fit.f_value)),
            ("P(>F)", _p_value(fit.f_p_value)),
            ("Log-likelihood", _number(fit.log_likelihood)),
            ("AIC", _number(fit.aic)),
            ("BIC", _number(fit.bic)),
        ]
        if fit.sum_weights is not None and fit.sum_weights != fit.n_rows:
            facts.append(("Sum of weights", _number(fit.sum_weights)))
        return facts

    def _solver(self):
        """One line on how the coefficients were found."""
        info = self.fit.info
        return (
            f"path {info.path}, passes {info.passes}, condition {_number(info.condition, 2)}, threads {info.n_threads}"
        )

    def _lines(self):
        """What takes a line of its own, as (label, words)."""
        return [("Covariance", self.fit.cov_words), ("Solver", self._solver())]

    def _headings(self):
        tail = (1.0 - self.level) / 2.0
        return ["", "estimate", "std. error", "t", "P>|t|", f"[{tail:.4g}", f"{1.0 - tail:.4g}]"]

    def _values(self):
        """The coefficient table as rows of (name, estimate, std. error, t, p, lower, upper)."""
        fit = self.fit
        limits = fit.conf_int(self.level)
        columns = (fit.params, fit.standard_errors, fit.t_values, fit.p_values, limits[:, 0], limits[:, 1])
        return list(zip(map(str, fit.param_names), *(column.tolist() for column in columns), strict=True))

    def _cells(self):
        """The rows of `_values` as strings, names in full."""
        shown = (str, _number, lambda v: _number(v, 4), _t_value, _p_value, _number, _number)
        return [[form(value) for form, value in zip(shown, row, strict=True)] for row in self._values()]

    def _notes(self):
        """What a reader must know besides the numbers."""
        aliased = [str(name) for name in self.fit.aliased]
        if not aliased:
            return []
        return [
            "Linear combinations of other columns: "
            + ", ".join(aliased)
            + ". The fit is rank deficient; the coefficients shown are the ones of smallest norm."
        ]

    def as_text(self):
        """Return the summary as plain text.

        Returns
        -------
        str
            Header block, coefficient table and notes; no trailing newline.  An empty line between targets.
        """
        each = self._each()
        if each is not None:
            return "\n\n".join(one.as_text() for one in each)
        headings = self._headings()
        rows = self._cells()
        columns = [[row[k] for row in rows] for k in range(len(headings))]
        columns[0] = [_short(name) for name in columns[0]]
        columns = [column if k in (0, _P_COLUMN) else _align(column) for k, column in enumerate(columns)]
        widths = [max(len(head), *map(len, column)) for head, column in zip(headings, columns, strict=True)]
        rule = "-" * (sum(widths) + 2 * (len(widths) - 1))

        def line(cells):
            name, *numbers = cells
            padded = [name.ljust(widths[0])] + [cell.rjust(w) for cell, w in zip(numbers, widths[1:], strict=True)]
            return "  ".join(padded).rstrip()

        facts = self._facts()
        left, right = facts[0::2], facts[1::2]
        header = []
        for k, (label, value) in enumerate(left):
            text = f"{label:<16}{value:>14}"
            if k < len(right):
                text += f"    {right[k][0]:<20}{right[k][1]:>12}"
            header.append(text)
        header.extend(f"{label:<16}  {value}" for label, value in self._lines())
        body = [line(cells) for cells in zip(*columns, strict=True)]
        notes = [textwrap.fill(_one_line(note), max(len(rule), 60)) for note in self._notes()]
        return "\n".join([self._title(), rule, *header, rule, line(headings), rule, *body, rule, *notes])

    def as_html(self):
        """Return the summary as two HTML tables and the notes.

        Returns
        -------
        str
            An HTML fragment without scripts or styles; every name is escaped.
        """
        each = self._each()
        if each is not None:
            return "\n".join(one.as_html() for one in each)
        escape = html.escape
        out = [f"<table><caption>{escape(self._title())}</caption>"]
        for label, value in [*self._facts(), *self._lines()]:
            out.append(f"<tr><th>{escape(label)}</th><td>{escape(value)}</td></tr>")
        out.append("</table>")
        out.append("<table><tr>" + "".join(f"<th>{escape(head)}</th>" for head in self._headings()) + "</tr>")
        for name, *numbers in self._cells():
            cells = "".join(f"<td>{escape(cell)}</td>" for cell in numbers)
            out.append(f"<tr><th>{escape(name)}</th>{cells}</tr>")
        out.append("</table>")
        out.extend(f"<p>{escape(note)}</p>" for note in self._notes())
        return "\n".join(out)

    def _repr_html_(self):
        return self.as_html()

    def as_latex(self):
        """Return the summary as a LaTeX table.

        Returns
        -------
        str
            Two tabular environments that need no package, and the notes; every name is escaped.
        """
        each = self._each()
        if each is not None:
            return "\n\n".join(one.as_latex() for one in each)
        facts = [(label, _latex_number(v) if v[:1] in "-<0123456789n" else _latex(v)) for label, v in self._facts()]
        out = [rf"\noindent {_latex(self._title())}\\", r"\begin{tabular}{lrlr}", r"\hline"]
        for left, right in itertools.zip_longest(facts[0::2], facts[1::2], fillvalue=("", "")):
            out.append(" & ".join([_latex(left[0]), left[1], _latex(right[0]), right[1]]) + r" \\")
        out += [rf"{label} & \multicolumn{{3}}{{l}}{{{_latex(words)}}} \\" for label, words in self._lines()]
        out += [r"\hline", r"\end{tabular}\\", r"\begin{tabular}{lrrrrrr}", r"\hline"]
        out += [" & ".join(map(_latex, self._headings())) + r" \\", r"\hline"]
        for name, *numbers in self._cells():
            out.append(" & ".join([_latex(name), *map(_latex_number, numbers)]) + r" \\")
        out += [r"\hline", r"\end{tabular}", *(r"\\ " + _latex(note) for note in self._notes())]
        return "\n".join(out)

    def as_csv(self):
        """Return the coefficient table as CSV.

        Returns
        -------
        str
            A heading and one line a coefficient, full names, numbers that read back to the same doubles; with several
            targets the number of the target comes first.
        """
        out, each = io.StringIO(), self._each()
        writer = csv.writer(out, lineterminator="\n")
        first = [] if each is None else ["target"]
        writer.writerow([*first, "name", "estimate", "std_error", "t_value", "p_value", "lower", "upper"])
        for number, one in enumerate([self] if each is None else each):
            for name, *numbers in one._values():
                writer.writerow([*(first and [number]), name, *map(repr, numbers)])
        return out.getvalue()
