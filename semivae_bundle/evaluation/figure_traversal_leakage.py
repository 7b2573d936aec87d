"""What else moves with each traversed feature: a heat map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from semivae_bundle.evaluation.figure_style import partition_colour
from semivae_bundle.features.schema import feature_of


def traversal_leakage_figure(leakage: Mapping[str, Any]) -> Figure:
    """`leakage` is that section of traversals.json. Perfect is 1 on the diagonal and 0 beside it; in brackets the mean
    size, for which signs don't cancel.
    """
    names = leakage["features"]
    size = 1.4 + 0.95 * len(names)
    figure = Figure(figsize=(size + 1.6, size), facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    axes.set_facecolor("#dddddd")
    values = np.array(leakage["mean"], dtype=float)
    picture = axes.imshow(np.ma.masked_invalid(values), cmap="PuOr_r", vmin=-1, vmax=1)
    for row, means in enumerate(leakage["mean"]):
        for column, mean in enumerate(means):
            text = "n/a" if mean is None else f"{mean:+.2f}\n({leakage['mean_absolute'][row][column]:.2f})"
            dark = mean is not None and abs(mean) > 0.6
            axes.text(column, row, text, ha="center", va="center", fontsize=8, color="white" if dark else "black")
    axes.set_xticks(range(len(names)), names, rotation=40, ha="right", fontsize=8)
    axes.set_yticks(range(len(names)), names, fontsize=8)
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        for label, name in zip(labels, names, strict=True):
            label.set_color(partition_colour(feature_of(name).partition))
    axes.tick_params(length=0)
    axes.set_ylabel("moved", fontsize=9)
    axes.set_xlabel("measured on the decoded map", fontsize=9)
    axes.set_title("Standard deviations that a feature moves by, per one of the moved feature", fontsize=9, loc="left")
    figure.colorbar(picture, ax=axes, shrink=0.8)
    return figure
