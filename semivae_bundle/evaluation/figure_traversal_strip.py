"""What the decoder draws along one traversal: four channels and the tumour map over the steps."""

from __future__ import annotations

from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.evaluation.figure_style import BLUE, DECODED, GREEN, VERMILION
from semivae_bundle.evaluation.traversal_strip import Strip, value_text

# Background, NCR, ED, ET.
LABEL_COLOURS = ("black", BLUE, GREEN, VERMILION)
LABEL_NAMES = ("necrotic core", "oedema", "enhancing tumour")


def strip_figure(strip: Strip) -> Figure:
    """Rows: the four channels with the decoded tumour's outline, then the map. Columns: the steps, with the value asked
    for above and the value measured on the decoded map below.
    """
    steps = len(strip.maps)
    rows = [*MODALITIES, "tumour map"]
    height, width = strip.maps.shape[1:]
    size = (1.3 * steps + 0.6, 1.3 * len(rows) * height / width + 1.1)
    figure = Figure(figsize=size, facecolor="white", layout="constrained")
    panels = figure.subplots(len(rows), steps, squeeze=False)
    colours = ListedColormap(LABEL_COLOURS)
    for step in range(steps):
        body = (strip.maps[step] > 0).astype(float)
        for row in range(len(MODALITIES)):
            axes = panels[row, step]
            axes.imshow(strip.images[step, row], cmap="gray", vmin=0, vmax=1, interpolation="nearest")
            if 0 < body.mean() < 1:
                axes.contour(body, levels=[0.5], colors=DECODED, linewidths=0.8)
        panels[-1, step].imshow(strip.maps[step], cmap=colours, vmin=0, vmax=3, interpolation="nearest")
        panels[0, step].set_title(value_text(strip.requested[step]), fontsize=9)
        panels[-1, step].set_xlabel(value_text(strip.obtained[step]), fontsize=9)
    for row, name in enumerate(rows):
        panels[row, 0].set_ylabel(name, fontsize=9)
    for axes in panels.flat:
        axes.set(xticks=[], yticks=[])
    unit = f" [{strip.unit}]" if strip.unit else ""
    figure.suptitle(f"{strip.name}{unit} of {strip.scan}: above requested, below measured on the map", fontsize=10)
    handles = [Patch(color=colour, label=name) for colour, name in zip(LABEL_COLOURS[1:], LABEL_NAMES, strict=True)]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    return figure
