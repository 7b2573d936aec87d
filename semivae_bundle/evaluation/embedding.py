"""PNG files -> pictures inside a page, small enough to send around."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

WIDEST, COLOURS = 1400, 96


@dataclass(frozen=True)
class Picture:
    """A picture as a data URI, with its size in pixels, so that a browser keeps its place, and a name to link to."""

    name: str
    uri: str
    width: int
    height: int


def embedded(file: Path, *, widest: int = WIDEST, colours: int = COLOURS) -> Picture:
    """A PNG with at most `widest` columns and `colours` colours, which plots and grey images hardly show."""
    with Image.open(file) as opened:
        image = opened.convert("RGB")
    if image.width > widest:
        image = image.resize((widest, max(1, round(image.height * widest / image.width))), Image.Resampling.LANCZOS)
    small = image.quantize(colours, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    written = io.BytesIO()
    small.save(written, format="PNG", optimize=True)
    data = base64.b64encode(written.getvalue()).decode("ascii")
    return Picture(file.stem, f"data:image/png;base64,{data}", image.width, image.height)
