"""One subject: each modality beside its reconstruction, in three planes through the tumour."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.evaluation.figure_style import DECODED, MEASURED
from semivae_bundle.evaluation.image_quality import RANGE_PERCENTILES
from semivae_bundle.evaluation.results import ShownSubject
from semivae_bundle.features.schema import REGION_LABELS

PLANES = ("sagittal", "coronal", "axial")  # by the axis they cut: x, y, z
SHOWN_PLANES = (2, 1, 0)
LEFT_LABELS = ("A", "R", "R")
CORE = REGION_LABELS["core"]


def plane(volume: NDArray[np.generic], axis: int, index: int) -> NDArray[np.generic]:
    """A slice of a RAS volume as radiologists look at it: (rows from the top, columns).

    The patient's right is at the left of axial and coronal slices, the front at the left of sagittal ones.
    """
    cut = np.take(volume, index, axis=axis)
    return cut[::-1, ::-1].T


def centre_of_interest(shown: ShownSubject) -> tuple[int, int, int]:
    """Per axis the slice with most of the tumour, its core counted twice: measured, else decoded, else of the brain."""
    for labels in (shown.measured, shown.decoded, shown.brain):
        if labels is not None and np.any(labels):
            weight = (labels > 0).astype(int) + np.isin(labels, CORE)
            x, y, z = (
                int(np.argmax(weight.sum(axis=tuple(other for other in range(3) if other != axis))))
                for axis in range(3)
            )
            return x, y, z
    x, y, z = (side // 2 for side in shown.brain.shape)
    return x, y, z


def cropped(shown: ShownSubject, margin: int = 2) -> ShownSubject:
    """The smallest cube about the brain, `margin` voxels wider, so that the page shows brain and not air."""
    if not shown.brain.any():
        return shown
    inside = np.argwhere(shown.brain)
    low, high = inside.min(axis=0), inside.max(axis=0) + 1
    side = min(int((high - low).max()) + 2 * margin, min(shown.brain.shape))
    start = np.clip((low + high - side) // 2, 0, np.array(shown.brain.shape) - side)
    box = tuple(slice(int(first), int(first) + side) for first in start)
    return ShownSubject(
        subject=shown.subject,
        image=shown.image[(slice(None), *box)],
        reconstruction=shown.reconstruction[(slice(None), *box)],
        brain=shown.brain[box],
        decoded=shown.decoded[box],
        measured=None if shown.measured is None else shown.measured[box],
    )


def reconstruction_figure(shown: ShownSubject) -> Figure:
    """Rows: axial, coronal, sagittal. Columns: input and reconstruction of t1c, t1n, t2f, t2w, in one grey window.

    Contours: the whole tumour and its core, as measured (solid) and as decoded (dashed).
    """
    shown = cropped(shown)
    figure = Figure(figsize=(14.4, 6.3), facecolor="white")
    grid = figure.add_gridspec(3, 8, left=0.03, right=0.995, top=0.88, bottom=0.06, wspace=0.03, hspace=0.03)
    centre = centre_of_interest(shown)
    for channel, modality in enumerate(MODALITIES):
        window = _grey_window(shown.image[channel], shown.brain)
        for column, (title, volume) in enumerate((("input", shown.image), ("reconstruction", shown.reconstruction))):
            for row, axis in enumerate(SHOWN_PLANES):
                axes = figure.add_subplot(grid[row, 2 * channel + column])
                _draw_plane(axes, volume[channel], shown, axis, centre[axis], window)
                if row == 0:
                    axes.set_title(f"{modality} {title}", fontsize=10)
                if channel == column == 0:
                    axes.set_ylabel(PLANES[axis], fontsize=10)
    labelled = "" if shown.measured is not None else " (unlabelled)"
    figure.suptitle(f"{shown.subject}{labelled}", x=0.03, ha="left", fontsize=12)
    handles = [
        Line2D([], [], color=MEASURED, label="tumour and core, measured"),
        Line2D([], [], color=DECODED, linestyle="--", label="tumour and core, decoded"),
    ]
    figure.legend(handles=handles[shown.measured is None :], loc="lower center", ncols=2, frameon=False, fontsize=9)
    return figure


def _grey_window(image: NDArray[np.float32], brain: NDArray[np.bool_]) -> tuple[float, float]:
    if not brain.any():
        return 0.0, 1.0
    low, high = np.percentile(image[brain], RANGE_PERCENTILES)
    return float(low), float(high)


def _draw_plane(
    axes: Axes, volume: NDArray[np.float32], shown: ShownSubject, axis: int, index: int, window: tuple[float, float]
) -> None:
    # Outside the brain all is set to one grey: z-scored background is 0, which is a mid-grey of the tissue.
    masked = np.where(shown.brain, volume, window[0])
    axes.imshow(plane(masked, axis, index), cmap="gray", vmin=window[0], vmax=window[1], interpolation="nearest")
    for labels, colour, style in ((shown.measured, MEASURED, "-"), (shown.decoded, DECODED, "--")):
        if labels is None:
            continue
        for region in (labels > 0, np.isin(labels, CORE)):
            cut = plane(region, axis, index)
            if cut.any() and not cut.all():
                axes.contour(cut.astype(float), levels=[0.5], colors=colour, linestyles=style, linewidths=0.9)
    axes.set(xticks=[], yticks=[])
    axes.text(0.02, 0.5, LEFT_LABELS[axis], transform=axes.transAxes, color="white", fontsize=7, va="center")
    for spine in axes.spines.values():
        spine.set_visible(False)
