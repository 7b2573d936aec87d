"""A traversal as a small animated GIF."""

from __future__ import annotations

from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy.ndimage import binary_erosion

from semivae_bundle.data.files import atomic_path
from semivae_bundle.evaluation.traversal_strip import Strip, value_text

LARGEST_BYTES = 400_000
SCALES = (4, 3, 2, 1)
COLOURS = 48
MILLISECONDS = 200
OUTLINE = (230, 159, 0)
BAND = 14  # pixels for the text


def write_animation(strip: Strip, file: Path) -> Path:
    """The four channels side by side with the decoded tumour's outline, there and back, without end.

    Enlarged as far as the file stays below LARGEST_BYTES; at the least, each voxel is a pixel. Written atomically.
    """
    for scale in SCALES:
        content = _gif([_frame(strip, step, scale) for step in range(len(strip.maps))])
        if len(content) <= LARGEST_BYTES:
            break
    with atomic_path(file) as part:
        part.write_bytes(content)
    return file


def _frame(strip: Strip, step: int, scale: int) -> Image.Image:
    body = strip.maps[step] > 0
    edge = body & ~binary_erosion(body)
    tiles = np.concatenate([_coloured(channel, edge) for channel in strip.images[step]], axis=1)
    picture = Image.fromarray(tiles.repeat(scale, axis=0).repeat(scale, axis=1))
    frame = Image.new("RGB", (picture.width, picture.height + BAND))
    frame.paste(picture, (0, BAND))
    text = f"{strip.name} {value_text(strip.requested[step])} -> {value_text(strip.obtained[step])} {strip.unit}"
    ImageDraw.Draw(frame).text((2, 1), text, fill=(255, 255, 255))
    return frame


def _coloured(channel: NDArray[np.float32], edge: NDArray[np.bool_]) -> NDArray[np.uint8]:
    grey = np.round(255 * channel).astype(np.uint8)
    colour = np.stack([grey] * 3, axis=-1)
    colour[edge] = OUTLINE
    return colour


def _gif(frames: list[Image.Image]) -> bytes:
    # Without dithering: its noise does not compress, and flickers.
    reduced = [frame.quantize(COLOURS, dither=Image.Dither.NONE) for frame in frames]
    there_and_back = [*reduced, *reduced[-2:0:-1]]
    stream = BytesIO()
    there_and_back[0].save(
        stream, "GIF", save_all=True, append_images=there_and_back[1:], duration=MILLISECONDS, loop=0
    )
    return stream.getvalue()
