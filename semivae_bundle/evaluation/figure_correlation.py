"""Correlation between all latent dimensions, with the borders of the partitions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.figure_style import partition_colour
from semivae_bundle.networks.partition import partition_slices
from semivae_bundle.training.latent_metrics import active_units, correlation_matrix, max_correlation


def correlation_figure(means: FloatArray, partition: Mapping[str, int], chance: Mapping[str, float | None]) -> Figure:
    """`means` (n, L); `chance` the chance level per pair, named "vol-loc". Inactive dimensions are left white-grey.

    The off-diagonal blocks quote their largest |r| and, in brackets, what chance reaches with as many subjects.
    """
    slices, active = partition_slices(partition), active_units(means)
    shown = np.where(np.outer(active, active), correlation_matrix(means), np.nan)
    figure = Figure(figsize=(7.2, 6.4), facecolor="white", layout="constrained")
    axes = figure.add_subplot()
    axes.set_facecolor("#dddddd")
    picture = axes.imshow(shown, cmap="PuOr_r", vmin=-1, vmax=1, interpolation="nearest")
    for part in list(slices.values())[1:]:
        axes.axhline(part.start - 0.5, color="black", linewidth=0.9)
        axes.axvline(part.start - 0.5, color="black", linewidth=0.9)
    centres = [(part.start + part.stop - 1) / 2 for part in slices.values()]
    names = [f"{name}\n{int(active[part].sum())}/{part.stop - part.start}" for name, part in slices.items()]
    axes.set_xticks(centres, names, fontsize=9)
    axes.set_yticks(centres, names, fontsize=9)
    for labels in (axes.get_xticklabels(), axes.get_yticklabels()):
        for label, name in zip(labels, slices, strict=True):
            label.set_color(partition_colour(name))
    axes.tick_params(length=0)
    for (a, b), value in max_correlation(means, partition).items():
        level = chance.get(f"{a}-{b}")
        text = f"{value:.2f}" + ("" if level is None else f"\n({level:.2f})")
        x = (slices[b].start + slices[b].stop - 1) / 2
        y = (slices[a].start + slices[a].stop - 1) / 2
        box = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 1.5}
        axes.text(x, y, text, ha="center", va="center", fontsize=8, bbox=box)
    axes.set_title(
        f"Correlation of posterior means, n = {len(means)}\n"
        "boxes: largest |r| between two partitions (95 % level of chance); axes: dimensions whose mean varies / all",
        fontsize=9,
        loc="left",
    )
    figure.colorbar(picture, ax=axes, shrink=0.8, label="Pearson r; grey: inactive dimension")
    return figure
