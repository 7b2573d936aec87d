"""All subsets of the modalities at a glance: heat maps of R² per partition and of PSNR per modality."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle

from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.figure_style import ORANGE, partition_colour


def subsets_figure(table: pd.DataFrame, partitions: Sequence[str]) -> Figure:
    """`table` from `subset_table`. Rows are subsets; left R², where values below 0 are drawn as 0, right PSNR over the
    brain, framed where the modality was not seen.
    """
    figure = Figure(figsize=(9.5, 1.4 + 0.34 * len(table)), facecolor="white", layout="constrained")
    left, right = figure.subplots(1, 2, sharey=True)
    r2 = table[["mean_r2", *(f"r2_{name}" for name in partitions)]].to_numpy(dtype=np.float64)
    picture = _heat_map(left, r2, "Blues", (0.0, 1.0), ".2f")
    left.set_xticks(range(r2.shape[1]), ["mean", *partitions], fontsize=9)
    for label, name in zip(left.get_xticklabels()[1:], partitions, strict=True):
        label.set_color(partition_colour(name))
    left.set_yticks(range(len(table)), list(table.index), fontsize=8)
    left.set_title("R² of the features, mean over a partition", fontsize=9, loc="left")
    figure.colorbar(picture, ax=left, shrink=0.6, label="R²")
    psnr = table[[f"psnr_{name}_db" for name in MODALITIES]].to_numpy(dtype=np.float64)
    picture = _heat_map(right, psnr, "Greens", _range_of(psnr), ".1f")
    right.set_xticks(range(len(MODALITIES)), MODALITIES, fontsize=9)
    right.set_title("PSNR over the brain; framed: imputed", fontsize=9, loc="left")
    figure.colorbar(picture, ax=right, shrink=0.6, label="dB")
    for y, name in enumerate(table.index):
        for x, modality in enumerate(MODALITIES):
            if modality not in str(name).split("+"):
                right.add_patch(
                    Rectangle((x - 0.48, y - 0.46), 0.96, 0.92, fill=False, edgecolor=ORANGE, linewidth=1.8)
                )
    return figure


def _heat_map(axes: Axes, values: FloatArray, colours: str, limits: tuple[float, float], digits: str) -> AxesImage:
    """The picture, with the number in each cell."""
    low, high = limits
    picture = axes.imshow(np.clip(values, low, high), cmap=colours, vmin=low, vmax=high, aspect="auto")
    for (y, x), value in np.ndenumerate(values):
        text = format(value, digits) if np.isfinite(value) else "n/a"
        dark = np.isfinite(value) and value > low + 0.6 * (high - low)
        axes.text(x, y, text, ha="center", va="center", fontsize=7, color="white" if dark else "black")
    axes.tick_params(length=0)
    return picture


def _range_of(values: FloatArray) -> tuple[float, float]:
    """Lowest and highest finite value, never one and the same."""
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    return (low, high) if high > low else (low - 0.5, low + 0.5)
