"""Which of the features and dimensions repeat."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from semivae_bundle.evaluation.figure_style import GREY, open_axes, partition_colour


def repeatability_figure(report: Mapping[str, Any]) -> Figure:
    """ICC of each feature with its interval, and of each dimension by partition: the content of repeatability.json."""
    figure = Figure(figsize=(9, 3.8), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=[1, 1.2], sharey=False)
    for place, one in enumerate(report["features"].values()):
        icc = one["icc"]
        if icc["value"] is None:
            continue
        left.plot(icc["value"], place, "o", color=GREY, markersize=4)
        if icc["low"] is not None:
            left.hlines(place, icc["low"], icc["high"], color=GREY)
    left.set_yticks(range(len(report["features"])), list(report["features"]))
    left.invert_yaxis()
    left.set_xlabel("ICC of the predicted feature")
    start = 0
    for name in report["partitions"]:
        icc = [one["icc"]["value"] for key, one in report["dimensions"].items() if key.rpartition("_")[0] == name]
        values = np.sort(np.array([value for value in icc if value is not None]))[::-1]
        right.plot(np.arange(start, start + len(values)), values, ".", color=partition_colour(name), label=name)
        start += len(values)
    right.set_xlabel("dimension of the mean, sorted within its partition")
    right.set_ylabel("ICC")
    right.xaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in (left, right):
        open_axes(axes)
    left.set_xlim(right=1.02)
    right.set_ylim(top=1.02)
    if start:
        right.legend(frameon=False)
    count = f"{report['scans']} scans, {report['repeats']} simulated repeats each"
    figure.suptitle(f"{count}: share of the variance between scans")
    return figure
