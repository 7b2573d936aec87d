"""What each partition tells of each measured feature: a heat map of the probes' R²."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from semivae_bundle.evaluation.figure_style import partition_colour

COLUMNS = ("model", "partition", "feature")


def leakage_figure(leakage: Mapping[str, Any]) -> Figure:
    """`leakage`: that section of metrics.json, with its table. One panel per model, partitions by features.

    A cell quotes the R² and, in brackets, what the features that the partition claims tell by themselves; a frame marks
    the partition that claims the feature. Values below 0 are drawn as 0.
    """
    rows = leakage["table"]
    models, partitions, features = (list(dict.fromkeys(row[key] for row in rows)) for key in COLUMNS)
    size = (2.2 + 0.75 * len(features), len(models) * (0.9 + 0.5 * len(partitions)) + 1.2)
    figure = Figure(figsize=size, facecolor="white", layout="constrained")
    panels = figure.subplots(len(models), 1, sharex=True, squeeze=False)[:, 0]
    for axes, model in zip(panels, models, strict=True):
        found = {(row["partition"], row["feature"]): row for row in rows if row["model"] == model}
        values = [[found[p, f]["r2"] or 0.0 for f in features] for p in partitions]
        picture = axes.imshow(np.clip(values, 0, 1), cmap="Blues", vmin=0, vmax=1, aspect="auto")
        axes.set_title(model, fontsize=9, loc="left")
        axes.set_yticks(range(len(partitions)), partitions, fontsize=9)
        for label, name in zip(axes.get_yticklabels(), partitions, strict=True):
            label.set_color(partition_colour(name))
        for y, p in enumerate(partitions):
            for x, f in enumerate(features):
                _draw_cell(axes, x, y, found[p, f])
        axes.tick_params(length=0)
    panels[-1].set_xticks(range(len(features)), features, rotation=40, ha="right", fontsize=8)
    figure.suptitle(
        "R² of each feature read from each partition, on patients left out of the fit\n"
        "in brackets: read from the features that the partition claims; frame: the partition that claims the feature",
        fontsize=9,
    )
    figure.colorbar(picture, ax=list(panels), shrink=0.8, label="R²")
    return figure


def _draw_cell(axes: Axes, x: int, y: int, row: Mapping[str, Any]) -> None:
    r2, shared = row["r2"], row["r2_of_its_features"]
    text = ("n/a" if r2 is None else f"{r2:.2f}") + ("" if shared is None else f"\n({shared:.2f})")
    dark = r2 is not None and r2 > 0.6
    axes.text(x, y, text, ha="center", va="center", fontsize=7, color="white" if dark else "black")
    if row["excess"] is None:
        axes.add_patch(Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, fill=False, edgecolor="black", linewidth=1.2))
