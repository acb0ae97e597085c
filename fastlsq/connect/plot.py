# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""One picture of a regression: what happened against what the fit said.

With hundreds of thousands of rows a scatter plot is a blot, so the plane is cut into hexagons and their counts are
shown on a log scale.  matplotlib is imported by the function that needs it, so fastlsq does not depend on it.
"""

import numpy as np


def plot_actual_vs_predicted(actual, predicted, ax=None, **kwargs):
    """Draw actual against predicted values as hexagons with log counts, and the 45 degree line.

    Parameters
    ----------
    actual, predicted : (n,) array_like
        The response and the fitted values, e.g. ``y`` and ``fit.predict(X)``.
    ax : matplotlib.axes.Axes, optional
        Where to draw; a new pyplot figure by default.
    **kwargs
        Passed on to ``Axes.hexbin``.

    Returns
    -------
    matplotlib.axes.Axes
        The axes drawn on, for titles and labels.
    """
    if ax is None:
        import matplotlib.pyplot as plt

        _, ax = plt.subplots()
    options = {"gridsize": 90, "bins": "log", "mincnt": 1, "linewidths": 0.1, "cmap": "viridis", **kwargs}
    cells = ax.hexbin(predicted, actual, **options)
    low = min(np.min(actual), np.min(predicted))
    high = max(np.max(actual), np.max(predicted))
    margin = 0.02 * (high - low) or 1.0
    ax.set(xlim=(low - margin, high + margin), ylim=(low - margin, high + margin), aspect="equal")
    ax.axline((low, low), slope=1.0, color="crimson", linewidth=1.0, label="actual = predicted")
    ax.legend(loc="upper left", frameon=False)
    ax.figure.colorbar(cells, ax=ax, label="rows per hexagon (log scale)")
    ax.set(xlabel="predicted", ylabel="actual", title="Actual against predicted")
    return ax
