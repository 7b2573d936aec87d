"""The tissue of a phantom as a file beside its images: what is needed to scan it again with other contrasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from semivae_bundle.data.files import atomic_path
from semivae_bundle.data.phantom.anatomy import DEPTH_LIMIT_MM
from semivae_bundle.data.phantom.contrast import TISSUES
from semivae_bundle.data.phantom.fields import Array, Grid
from semivae_bundle.data.phantom.lesion import Mask
from semivae_bundle.data.phantom.subject import Head
from semivae_bundle.data.resampling import resample_centred

# Depths (mm) are stored as integers; deeper than 31.75 mm all is alike.
STEPS_PER_MM = 4
DEEPEST = 127
# Farther outside the brain (mm), nothing of a scan can be seen.
MARGIN_MM = 8.0


@dataclass(frozen=True)
class TissueMap:
    """The part of an image that holds the brain, RAS.

    `tissues` (9, X, Y, Z): fractions of `contrast.TISSUES`; `depth` (X, Y, Z): mm below the brain's surface, negative
    outside; `tumour` (X, Y, Z): the mask. `shape` and `spacing` (mm) are those of the whole image, `start` is the
    part's first voxel in it.
    """

    tissues: Array
    depth: Array
    tumour: Mask
    start: tuple[int, int, int]
    shape: tuple[int, int, int]
    spacing: float

    @property
    def part(self) -> tuple[slice, slice, slice]:
        """Where the part lies in the whole image."""
        x, y, z = (slice(a, a + n) for a, n in zip(self.start, self.depth.shape, strict=True))
        return x, y, z

    @property
    def grid(self) -> Grid:
        """Voxel centres of the part, in mm from the centre of the image."""
        x, y, z = (
            ((np.arange(piece.start, piece.stop) - (n - 1) / 2) * self.spacing).astype(np.float32)
            for piece, n in zip(self.part, self.shape, strict=True)
        )
        return Grid((x, y, z), self.spacing)


def map_of_head(head: Head, size: int) -> TissueMap:
    """A head's tissue, on an image of `size` voxels a side."""
    x, y, z = (piece.start for piece in head.part)
    tumour = head.lesion.labels > 0
    return TissueMap(head.tissues, head.depth, tumour, (x, y, z), (size, size, size), head.grid.spacing)


def tissue_file(folder: Path, subject: str) -> Path:
    """Where a subject's tissue lies: beside its images."""
    return folder / f"{subject}-tissues.npz"


def save_tissue_map(path: Path, tissue: TissueMap) -> None:
    """Write a map: fractions in steps of 1/255, depths in steps of 0.25 mm; the same map gives the same bytes."""
    depth = np.clip(np.rint(tissue.depth * STEPS_PER_MM), -DEEPEST, DEEPEST)
    with atomic_path(path) as part, part.open("wb") as stream:
        np.savez_compressed(
            stream,
            tissues=np.rint(np.clip(tissue.tissues, 0, 1) * 255).astype(np.uint8),
            depth=depth.astype(np.int8),
            tumour=tissue.tumour.astype(np.uint8),
            start=np.array(tissue.start, np.int32),
            shape=np.array(tissue.shape, np.int32),
            spacing=np.array(tissue.spacing, np.float64),
        )


def load_tissue_map(path: Path) -> TissueMap:
    """Read what `save_tissue_map` wrote."""
    with np.load(path, allow_pickle=False) as stored:
        x, y, z = (int(n) for n in stored["start"])
        width, height, length = (int(n) for n in stored["shape"])
        return TissueMap(
            tissues=stored["tissues"].astype(np.float32) * np.float32(1 / 255),
            depth=stored["depth"].astype(np.float32) * np.float32(1 / STEPS_PER_MM),
            tumour=stored["tumour"].astype(bool),
            start=(x, y, z),
            shape=(width, height, length),
            spacing=float(stored["spacing"]),
        )


def lies_on(path: Path, roi_size: Sequence[int], fov_mm: Sequence[float]) -> bool:
    """Whether the image of a file has the model's grid; nothing else of it is read."""
    with np.load(path, allow_pickle=False) as stored:
        shape, spacing = stored["shape"], float(stored["spacing"])
    same_shape = shape.tolist() == list(roi_size)
    return same_shape and bool(np.allclose(shape * spacing, fov_mm, rtol=0, atol=1e-4))


def resampled(tissue: TissueMap, roi_size: Sequence[int], fov_mm: Sequence[float]) -> TissueMap:
    """The map on the model's grid: means over its voxels; a voxel with any tumour counts as tumour.

    Raises ValueError for voxels that are not cubes, which the acquisition does not know.
    """
    sides = [mm / n for mm, n in zip(fov_mm, roi_size, strict=True)]
    if not np.allclose(sides, sides[0], rtol=1e-6):
        raise ValueError(
            f"synthesis: expected cubic voxels, found roi_size={list(roi_size)} on fov_mm={list(fov_mm)}, which are "
            f"{sides} mm a side; choose the two in proportion"
        )
    channels = len(TISSUES)
    # Outside the part, and outside the image, lies background: depth counts from its lowest value.
    whole = np.zeros((channels + 2, *tissue.shape), dtype=np.float32)
    whole[(slice(None), *tissue.part)] = [*tissue.tissues, np.maximum(tissue.depth + DEPTH_LIMIT_MM, 0), tissue.tumour]
    values = resample_centred(torch.from_numpy(whole), [tissue.spacing] * 3, roi_size, sides).numpy()
    near = np.argwhere(values[channels] > DEPTH_LIMIT_MM - MARGIN_MM)
    low, high = near.min(axis=0), near.max(axis=0) + 1
    box = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    inside = values[(slice(None), *box)]
    x, y, z = (int(n) for n in low)
    width, height, length = (int(n) for n in roi_size)
    return TissueMap(
        tissues=inside[:channels],
        depth=inside[channels] - np.float32(DEPTH_LIMIT_MM),
        tumour=inside[channels + 1] > 0,
        start=(x, y, z),
        shape=(width, height, length),
        spacing=float(sides[0]),
    )
