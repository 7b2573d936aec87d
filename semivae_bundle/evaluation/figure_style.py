"""What all figures share: colours, and how a figure becomes a file. No pyplot, so nothing global is touched."""

from __future__ import annotations

from pathlib import Path

from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from semivae_bundle.data.files import atomic_path

# Okabe and Ito's palette: told apart with any kind of colour vision.
BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY = "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9"
GREY = "#666666"
CYCLE = (BLUE, ORANGE, GREEN, VERMILION, PURPLE, SKY, GREY)
PARTITION_COLOURS = {"vol": BLUE, "loc": VERMILION, "shape": GREEN, "residual": PURPLE}
MEASURED, DECODED = SKY, ORANGE


def partition_colour(name: str) -> str:
    """The colour of a partition in every figure; grey for one not known here."""
    return PARTITION_COLOURS.get(name, GREY)


def open_axes(axes: Axes) -> None:
    """Drop the two spines that carry no scale."""
    axes.spines[["top", "right"]].set_visible(False)


def save_figure(figure: Figure, file: Path, dpi: int = 110) -> Path:
    """Write a PNG atomically."""
    FigureCanvasAgg(figure)
    with rc_context({"savefig.facecolor": "white"}), atomic_path(file) as part:
        figure.savefig(part, dpi=dpi, format="png", metadata={"Software": None})
    return file
