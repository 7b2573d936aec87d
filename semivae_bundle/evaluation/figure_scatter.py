"""Predicted against measured values of every feature."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.figure_style import GREY, open_axes, partition_colour
from semivae_bundle.evaluation.predictions import measured_and_predicted
from semivae_bundle.evaluation.results import Results
from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.features.schema import feature_of

COLUMNS = 5


def scatter_figure(results: Results, normalizer: Normalizer, features: Mapping[str, Any]) -> Figure:
    """One panel per feature in physical units (volumes and areas on logarithmic axes), coloured by partition.

    `features` is that section of metrics.json: each panel quotes its R² with interval, and its MAE.
    """
    measured, predicted = measured_and_predicted(results, normalizer)
    rows = math.ceil(len(normalizer.columns) / COLUMNS)
    figure = Figure(figsize=(2.75 * COLUMNS, 2.75 * rows), facecolor="white", layout="constrained")
    for f, scale in enumerate(normalizer.scales):
        axes = figure.add_subplot(rows, COLUMNS, f + 1)
        present = results.present[:, f]
        x, y = (table.iloc[:, f].to_numpy(dtype=np.float64)[present] for table in (measured, predicted))
        logarithmic = feature_of(scale.column).unit.startswith("ln")
        _draw_panel(axes, x, y, partition_colour(scale.partition), logarithmic)
        unit = feature_of(scale.column).physical_unit.replace("mm2", "mm²").replace("mm3", "mm³")
        axes.set_title(f"{scale.column} [{unit}]" if unit else scale.column, fontsize=10)
        axes.text(0.04, 0.96, _caption(features[scale.column]), transform=axes.transAxes, va="top", fontsize=7.5)
    starred = any(scale.regressor is not None for scale in normalizer.scales)
    note = "    (R²*: of what is left after the regression on the volume)" if starred else ""
    figure.supxlabel(f"measured{note}", fontsize=10)
    figure.supylabel("predicted", fontsize=10)
    return figure


def _draw_panel(axes: Axes, x: FloatArray, y: FloatArray, colour: str, logarithmic: bool) -> None:
    if logarithmic:
        # A predicted volume at or below 0 has no place on the axis: it is drawn at the smallest.
        x, y = np.maximum(x, 1.0), np.maximum(y, 1.0)
        axes.set(xscale="log", yscale="log")
        for axis in (axes.xaxis, axes.yaxis):
            axis.set_major_locator(LogLocator(subs=(1.0, 3.0), numticks=8))
            axis.set_major_formatter(FuncFormatter(lambda value, _: short_number(value)))
            axis.set_minor_formatter(NullFormatter())
    if x.size:
        low, high = float(min(x.min(), y.min())), float(max(x.max(), y.max()))
        if logarithmic:
            factor = max(high / low, 1.1) ** 0.06
            low, high = low / factor, high * factor
        else:
            margin = 0.06 * (high - low) or 0.5
            low, high = low - margin, high + margin
        axes.plot([low, high], [low, high], color=GREY, linewidth=0.8, zorder=1)
        axes.set(xlim=(low, high), ylim=(low, high))
    axes.scatter(x, y, s=14, color=colour, alpha=0.65, linewidths=0, zorder=2)
    axes.set_box_aspect(1)
    axes.tick_params(labelsize=7, which="both")
    open_axes(axes)


def short_number(value: float) -> str:
    """Three digits, thousands and millions as k and M: 0.0138, 8.7k, 120k, 2M."""
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{float(f'{value / size:.3g}'):g}{letter}"
    return f"{value:.3g}"


def _caption(feature: Mapping[str, Any]) -> str:
    def number(value: float | None) -> str:
        return "n/a" if value is None else f"{value:.2f}"

    r2, mae = feature["r2"], feature["mae"]
    unit = "" if mae["unit"] == "1" else " " + mae["unit"].replace("mm2", "mm²").replace("mm3", "mm³")
    star = "*" if feature["residualised_on"] else ""
    interval = "" if r2["low"] is None else f" [{number(r2['low'])}, {number(r2['high'])}]"
    return (
        f"R²{star} {number(r2['value'])}{interval}\n"
        f"MAE {'n/a' if mae['value'] is None else short_number(mae['value'])}{unit}, n = {feature['subjects']}"
    )
