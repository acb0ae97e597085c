# SPDX-FileCopyrightText: 2026 The fastlsq authors
# SPDX-License-Identifier: BSD-3-Clause
"""Draws docs/gram.png: rows from many places become one small state, and answers are functions of it.

    python docs/gram_chart.py        # needs matplotlib
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
ROWS, STATE, ANSWERS, AGAIN = "#4c72b0", "#dd8452", "#55a868", "#8c8c8c"
SOURCES = ("arrays", "files on disk", "a generator", "other machines")
FROM_STATE = ("ols · t, p, R², intervals", "ridge · 100 alphas, GCV", "lasso, elastic net · paths",
              "K-fold cross-validation", "nnls · bounds", "covariance · correlation", "collinear columns, by name")
FROM_ROWS = ("refinement, certificates", "exact leave-one-out", "HC, cluster, HAC errors", "leverage, Cook, DFBETAS")


def box(axes, x, y, width, height, text, color, size=9):
    from matplotlib.patches import FancyBboxPatch

    shape = {"boxstyle": "round,pad=0.02", "linewidth": 1.4}
    axes.add_patch(FancyBboxPatch((x, y), width, height, facecolor="white", edgecolor="white", **shape))
    axes.add_patch(FancyBboxPatch((x, y), width, height, facecolor=color + "22", edgecolor=color, **shape))
    axes.text(x + width / 2, y + height / 2, text, ha="center", va="center", fontsize=size)


def arrow(axes, start, end, color):
    axes.annotate("", xy=end, xytext=start, arrowprops={"arrowstyle": "-|>", "color": color, "linewidth": 1.4})


def draw(path):
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots(figsize=(10, 5.2))
    axes.set(xlim=(0, 10), ylim=(0, 5.2))
    axes.axis("off")
    for i, name in enumerate(SOURCES):
        y = 3.9 - 1.0 * i
        for j in (2, 1, 0):
            box(axes, 0.35 + 0.12 * j, y + 0.1 * j, 1.6, 0.45, "" if j else name, ROWS)
        arrow(axes, (2.35, y + 0.4), (3.45, 2.75), ROWS)
    axes.text(1.3, 4.95, "rows: X, y, weights", ha="center", fontsize=11, color=ROWS)
    axes.text(2.75, 4.55, "update\nmerge", ha="center", fontsize=8.5, color=ROWS)
    box(axes, 3.55, 1.75, 1.9, 1.9, "", STATE)
    axes.text(4.5, 3.3, "Gram", ha="center", fontsize=12, color=STATE)
    axes.text(4.5, 2.5, "n, Σw, means\n$X^TWX$\n$X^TWY$   $Y^TWY$", ha="center", va="center", fontsize=9.5)
    axes.text(4.5, 1.45, "p = 100: 45 kB\nsave · pickle · send", ha="center", va="top", fontsize=8.5, color=STATE)
    axes.text(8.0, 4.95, "from the state alone", ha="center", fontsize=11, color=ANSWERS)
    for i, text in enumerate(FROM_STATE):
        y = 4.4 - 0.4 * i
        box(axes, 6.7, y, 2.7, 0.27, text, ANSWERS, 8.5)
    arrow(axes, (5.55, 2.9), (6.6, 3.3), ANSWERS)
    axes.text(8.0, 1.62, "the rows once more", ha="center", fontsize=11, color=AGAIN)
    for i, text in enumerate(FROM_ROWS):
        y = 1.2 - 0.36 * i
        box(axes, 6.7, y, 2.7, 0.25, text, AGAIN, 8.5)
    arrow(axes, (5.55, 2.2), (6.6, 1.1), AGAIN)
    figure.savefig(path, dpi=130, bbox_inches="tight")


if __name__ == "__main__":
    draw(sys.argv[1] if len(sys.argv) > 1 else HERE / "gram.png")
