"""Draw docs/figures/phantoms.png: six phantoms, their four channels and the mask, through the middle of each tumour.

Run from the repository's root: python scripts/phantom_figure.py
"""

from pathlib import Path

import fire
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from numpy.typing import NDArray

from semivae_bundle.data.files import atomic_path
from semivae_bundle.data.phantom.subject import Scan, scan_patient
from semivae_bundle.data.subjects import MODALITIES

REGIONS = ("NCR", "ED", "ET")
COLOURS = ("#3b6fd4", "#4caf50", "#e53935")
# The brain's share of the field of view, so that the figure is not mostly background.
CROP = slice(0.16, 0.84)


def draw(
    output: str = "docs/figures/phantoms.png",
    *,
    seed: int = 0,
    first: int = 0,
    size: int = 128,
    contrast: str = "mixed",
) -> None:
    """Write the figure. Columns are six patients of cohort `seed` from `first` on; rows are channels and mask."""
    scans = [scan_patient(seed, first + i, 0, 1, size=size, spacing=240 / size, contrast=contrast) for i in range(6)]
    figure, axes = plt.subplots(5, 6, figsize=(9.0, 7.8), facecolor="black")
    for column, scan in zip(axes.T, scans, strict=True):
        draw_column(column, scan)
    for row, name in zip(axes[:, 0], (*MODALITIES, "mask"), strict=True):
        row.text(0.02, 0.95, name, color="white", fontsize=9, transform=row.transAxes, va="top")
    for place, (region, colour) in enumerate(zip(REGIONS, COLOURS, strict=True)):
        # In the corner that no brain reaches, below the row's name.
        axes[4, 0].text(
            0.02, 0.83 - 0.09 * place, region, color=colour, fontsize=7, transform=axes[4, 0].transAxes, va="top"
        )
    figure.subplots_adjust(0, 0, 1, 1, wspace=0.01, hspace=0.01)
    with atomic_path(output) as part:
        figure.savefig(part, dpi=80, facecolor="black", pil_kwargs={"optimize": True})
    plt.close(figure)
    print(f"{output}: {Path(output).stat().st_size / 1e3:.0f} kB")


def draw_column(column: NDArray[np.object_], scan: Scan) -> None:
    """One patient: the axial slice with most tumour, in each channel and with the mask over t2f."""
    level = int(np.argmax((scan.labels > 0).sum(axis=(0, 1))))
    size = scan.labels.shape[0]
    crop = slice(int(CROP.start * size), int(CROP.stop * size))
    for axes, image in zip(column, (*scan.images, scan.images[2]), strict=True):
        show(axes, image[crop, crop, level], float(np.percentile(image[image != 0], 99.5)))
    labels = scan.labels[crop, crop, level].T
    column[4].imshow(
        np.ma.masked_equal(labels, 0),
        origin="lower",
        cmap=ListedColormap(COLOURS),
        vmin=1,
        vmax=3,
        alpha=0.55,
        interpolation="nearest",
    )


def show(axes: Axes, image: NDArray[np.int16], highest: float) -> None:
    """One slice in grey, x to the right and y up."""
    axes.imshow(image.T, origin="lower", cmap="gray", vmin=0, vmax=highest, interpolation="nearest")
    axes.set_axis_off()


if __name__ == "__main__":
    fire.Fire(draw)
