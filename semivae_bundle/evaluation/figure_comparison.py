"""By how much two runs differ: R² of the second minus that of the first, with intervals."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.figure import Figure

from semivae_bundle.evaluation.figure_style import GREY, open_axes, partition_colour
from semivae_bundle.evaluation.run_comparison import Compared


def comparison_figure(
    features: Sequence[Compared], partitions: Sequence[Compared], rate: float, level: float
) -> Figure:
    """One row each, partitions below the features; filled where the test tells the runs apart at `rate`."""
    rows = [*features, *partitions]
    figure = Figure(figsize=(6.4, 1.4 + 0.28 * len(rows)), facecolor="white", layout="constrained")
    axes = figure.subplots()
    axes.axvline(0, color=GREY, linewidth=0.8)
    axes.axhline(len(features) - 0.5, color=GREY, linewidth=0.5, linestyle=":")
    for y, row in enumerate(rows):
        colour, found = partition_colour(row.partition), row.r2
        axes.plot([found.low, found.high], [y, y], color=colour, linewidth=1.5)
        filled = colour if row.better(rate) else "white"
        axes.plot(found.difference, y, marker="o", markersize=6, markeredgecolor=colour, markerfacecolor=filled)
    names = [row.name if row.name != row.partition else f"mean of {row.name}" for row in rows]
    axes.set_yticks(np.arange(len(rows)), names, fontsize=8)
    axes.invert_yaxis()
    axes.set_xlabel(f"R² of the second run minus that of the first, {level:.0%} interval", fontsize=9)
    axes.set_title(f"filled: told apart at a false-discovery rate of {rate:.0%}", fontsize=9, loc="left")
    open_axes(axes)
    return figure
