"""Reading a tumour mask into the project's labels and axes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from nibabel.orientations import apply_orientation, io_orientation
from numpy.typing import NDArray

from semivae_bundle.data.orientation import ras_spacing, stated_affine
from semivae_bundle.data.volumes import read_volume

# Scaled integers come back as 2.9999: closer than this to a whole number is that number.
LABEL_TOLERANCE = 1e-3


def read_mask(
    path: str | Path, label_map: Mapping[int, int], orientation: str | None = None
) -> tuple[NDArray[np.uint8], NDArray[np.float64]]:
    """Labels (D, H, W) in RAS, 0 background, 1 NCR, 2 ED, 3 ET, and the spacing (3,) of its axes in mm.

    `label_map`: every label that the file may hold -> the project's. `orientation`: axis codes of the stored array, in
    place of the header's. Raises `ValueError` for a label outside the map.
    """
    volume = read_volume(path)
    if volume.data.ndim != 3:
        raise ValueError(f"{path}: expected a mask of three dimensions, found shape {volume.data.shape}; index again")
    labels = map_labels(volume.data, label_map, str(path))
    affine = stated_affine(orientation, labels.shape, volume.affine) if orientation else volume.affine
    labels = apply_orientation(labels, io_orientation(affine))
    return np.ascontiguousarray(labels), ras_spacing(affine)


def map_labels(data: NDArray[Any], label_map: Mapping[int, int], name: str = "mask") -> NDArray[np.uint8]:
    """Stored labels -> the project's, by `label_map`; any shape. Raises `ValueError` naming what the map lacks."""
    found = set(whole_labels(data))
    if unknown := sorted(found - set(label_map)):
        raise ValueError(
            f"{name}: expected only the labels {sorted(label_map)} that the cohort recorded, found {unknown[:8]} too; "
            "if the file has changed, run `index` again"
        )
    labels = np.zeros(data.shape, np.uint8)
    for raw, label in label_map.items():
        if raw in found and label != 0:
            labels[data == raw if data.dtype.kind in "iu" else np.abs(data - raw) <= LABEL_TOLERANCE] = label
    return labels


def whole_labels(data: NDArray[Any]) -> list[int]:
    """The labels that occur, sorted, background included. Raises `ValueError` where one is not a whole number."""
    values = present_values(data)
    rounded = np.rint(values)
    if not np.all(np.isfinite(values)) or np.any(np.abs(values - rounded) > LABEL_TOLERANCE):
        raise ValueError(f"expected whole-number labels, found {values[:8].tolist()}; repair the mask")
    return sorted({int(value) for value in rounded})


def present_values(data: NDArray[Any]) -> NDArray[np.float64]:
    """The values that occur, sorted, as float64."""
    # Sorting only the foreground is some twenty times faster than sorting a whole head.
    foreground = data[data != 0]
    values = np.unique(foreground).astype(np.float64)
    return values if foreground.size == data.size else np.unique(np.append(values, 0.0))
