"""The code laid flat, coloured by what its scans measure."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.figure_style import GREY, partition_colour
from semivae_bundle.evaluation.latent_projection import Projection
from semivae_bundle.evaluation.results import Results
from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.networks.partition import partition_slices

COLUMNS = 4
FEWEST_SCANS = 3


def projection_figure(
    results: Results, normalizer: Normalizer, partition: Mapping[str, int], project: Projection
) -> Figure | None:
    """A panel per feature: the partition that claims it, in two dimensions; a last one per partition that claims none,
    by the first feature. Where a feature is encoded its colour changes smoothly across the panel; scans without it are
    grey. None for fewer than three scans.
    """
    if len(results.subjects) < FEWEST_SCANS:
        return None
    slices = partition_slices(partition)
    panels = [(scale.partition, f) for f, scale in enumerate(normalizer.scales)]
    panels += [(name, 0) for name in partition if name not in {owner for owner, _ in panels}]
    flat = {name: project(results.mean[:, slices[name]]) for name in dict.fromkeys(name for name, _ in panels)}
    rows = -(-len(panels) // COLUMNS)
    figure = Figure(figsize=(3 * COLUMNS, 2.7 * rows), facecolor="white", layout="constrained")
    places = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
    for axes, (name, f) in zip(places, panels, strict=False):
        points, labels = flat[name]
        known = results.present[:, f] > 0
        axes.scatter(*points[~known].T, s=6, color=GREY, alpha=0.4, linewidths=0)
        picture = axes.scatter(
            *points[known].T, s=9, c=_ranks(results.target[known, f]), cmap="viridis", vmin=0, vmax=1
        )
        axes.set_title(f"{name} by {normalizer.columns[f]}", fontsize=9, loc="left", color=partition_colour(name))
        axes.set_xlabel(labels[0], fontsize=8)
        axes.set_ylabel(labels[1], fontsize=8)
        axes.set(xticks=[], yticks=[])
    for axes in places[len(panels) :]:
        axes.set_visible(False)
    bar = figure.colorbar(picture, ax=list(places), shrink=0.5, ticks=[0, 1])
    bar.ax.set_yticklabels(["least", "most"], fontsize=8)
    return figure


def _ranks(values: FloatArray) -> FloatArray:
    """Place among the others, in [0, 1]: one large tumour must not take all the colours."""
    order = np.argsort(np.argsort(values, kind="stable"), kind="stable")
    return np.asarray(order / max(len(values) - 1, 1), dtype=np.float64)
