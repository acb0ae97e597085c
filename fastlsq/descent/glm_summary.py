# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""The printed form of a generalized linear model, by the table of `gram/summary.py`."""

from fastlsq.gram.summary import Summary, _number


class GLMSummary(Summary):
    """The table of a fitted generalized linear model; `as_text`, `as_html`, `as_latex` and `as_csv` as in Summary."""

    def _each(self):
        return None

    def _title(self):
        fit = self.fit
        tail = "" if fit.has_intercept else ", no intercept"
        return f"Generalized linear model, {fit.family}, link {fit.link}{tail}"

    def _facts(self):
        fit = self.fit
        return [
            ("Observations", _number(fit.n_rows)),
            ("Deviance", _number(fit.deviance)),
            ("Df model", _number(fit.df_model)),
            ("Null deviance", _number(fit.null_deviance)),
            ("Df residual", _number(fit.df_resid)),
            ("Pearson chi2", _number(fit.pearson)),
            ("Dispersion", _number(fit.dispersion)),
            ("Log-likelihood", _number(fit.log_likelihood)),
            ("AIC", _number(fit.aic)),
            ("BIC", _number(fit.bic)),
        ]

    def _lines(self):
        fit = self.fit
        words = f"{fit.n_iter} steps, gradient {_number(fit.gradient_norm, 2)}"
        return [("Converged" if fit.converged else "NOT converged", words)]

    def _headings(self):
        headings = super()._headings()
        if self.fit.df_inference is None:
            headings[3:5] = ["z", "P>|z|"]
        return headings

    def _notes(self):
        fit, notes = self.fit, super()._notes()
        if fit.reason:
            notes.append(fit.reason[0].upper() + fit.reason[1:] + ".")
        if fit.penalized:
            notes.append("The coefficients are penalized; there are no standard errors.")
        return notes


class RobustSummary(GLMSummary):
    """The table of a robust fit."""

    def _title(self):
        return f"Robust regression, {self.fit.loss}" + ("" if self.fit.has_intercept else ", no intercept")

    def _facts(self):
        fit = self.fit
        return [
            ("Observations", _number(fit.n_rows)),
            ("Scale", _number(fit.scale)),
            ("Df model", _number(fit.df_model)),
            ("Scale by", fit.scale_kind),
            ("Df residual", _number(fit.df_resid)),
            ("Tuning constant", _number(fit.tuning)),
            ("Weight below 1/2", _number(fit.downweighted)),
        ]

    def _lines(self):
        return [("Converged" if self.fit.converged else "NOT converged", f"{self.fit.n_iter} weighted fits")]

    def _notes(self):
        notes = super(GLMSummary, self)._notes()
        return [*notes, self.fit.reason[0].upper() + self.fit.reason[1:] + "."] if self.fit.reason else notes
