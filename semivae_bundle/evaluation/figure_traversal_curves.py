"""Requested against obtained values of each traversed feature."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from semivae_bundle.evaluation.figure_style import GREY, open_axes, partition_colour
from semivae_bundle.features.schema import feature_of

COLUMNS = 3


def curves_figure(features: Mapping[str, Any]) -> Figure:
    """One panel per feature of that section of traversals.json: a line per scan, and identity in grey.

    Volumes on logarithmic axes, locations in mm from the centre, shapes in normalised units. A line has a gap where the
    decoded map lacks the region.
    """
    rows = math.ceil(len(features) / COLUMNS)
    figure = Figure(figsize=(3.4 * COLUMNS, 3.5 * rows), facecolor="white", layout="constrained")
    for position, (column, section) in enumerate(features.items()):
        axes = figure.add_subplot(rows, COLUMNS, position + 1)
        _draw_panel(axes, column, section)
    figure.supxlabel("requested of the head", fontsize=10)
    figure.supylabel("measured on the decoded map", fontsize=10)
    return figure


def _draw_panel(axes: Axes, column: str, section: Mapping[str, Any]) -> None:
    if section["compared_in"].startswith("ln"):
        axes.set(xscale="log", yscale="log")
    colour = partition_colour(feature_of(column).partition)
    asked = np.concatenate([np.asarray(curve["requested"], dtype=float) for curve in section["curves"]])
    for curve in section["curves"]:
        drawn = np.array([np.nan if value is None else value for value in curve["obtained"]], dtype=float)
        axes.plot(curve["requested"], drawn, color=colour, alpha=0.5, linewidth=1, marker=".", markersize=4)
    limits = [asked.min(), asked.max()]
    axes.plot(limits, limits, color=GREY, linewidth=1, linestyle="--", zorder=1)
    unit = section["curves_unit"].replace("mm3", "mm³").replace("mm2", "mm²")
    axes.set_title(column if unit == "1" else f"{column} [{unit}]", fontsize=10)
    box = {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 1.5}
    axes.text(0.04, 0.96, _caption(section), transform=axes.transAxes, va="top", fontsize=7.5, bbox=box)
    axes.set_box_aspect(1)
    axes.tick_params(labelsize=7, which="both")
    open_axes(axes)


def _caption(section: Mapping[str, Any]) -> str:
    def with_interval(estimate: Mapping[str, Any]) -> str:
        if estimate["value"] is None:
            return "n/a"
        interval = "" if estimate["low"] is None else f" [{estimate['low']:.2f}, {estimate['high']:.2f}]"
        return f"{estimate['value']:.2f}{interval}"

    empty = section["without_the_region"]
    gaps = f"\n{empty['scans']} scans with an empty map" if empty["scans"] else ""
    lines = f"Spearman {with_interval(section['spearman'])}\nslope {with_interval(section['slope'])}"
    return f"{lines}\nn = {section['scans']}{gaps}"
