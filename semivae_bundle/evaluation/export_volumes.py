"""Volumes in the grid of the scan that they belong to."""

from __future__ import annotations

from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

from semivae_bundle.data.files import atomic_path
from semivae_bundle.evaluation.overlap import counted_volume_per_region

SEGMENTED = ("total", "ncr", "ed", "et")


def segmented_volumes(source: str | Path, labels: NDArray[np.uint8]) -> dict[str, float]:
    """Volumes of a label map (1, D, H, W) on the voxels of the NIfTI file `source`: segmented_total_mm3 and so on."""
    counted = counted_volume_per_region(labels, abs(float(np.linalg.det(nibabel.load(source).affine[:3, :3]))))
    return {f"segmented_{region}_mm3": counted[region] for region in SEGMENTED}


def write_on_grid_of(source: str | Path, volume: NDArray[np.generic], file: str | Path) -> None:
    """Write `volume` (C, D, H, W) as NIfTI in the data type it has, on the voxels of the NIfTI file `source`.

    One channel becomes a 3-D file, several a 4-D one. Affine, its codes and units are those of `source`, so that
    every viewer lays one over the other. Raises ValueError for a volume of another shape.
    """
    like = nibabel.load(source)
    if volume.ndim != 4 or volume.shape[1:] != tuple(like.shape[:3]):
        raise ValueError(
            f"{Path(file).name}: expected (C, {', '.join(map(str, like.shape[:3]))}), the grid of {source}, found "
            f"{volume.shape}; the pre-processing was not inverted"
        )
    header = like.header.copy()
    header.set_data_dtype(volume.dtype)
    # What the scanner said about its intensities is not true of these.
    for field in ("cal_min", "cal_max", "intent_code"):
        header[field] = 0
    header["descrip"] = b"SemiVAE"
    header.extensions.clear()
    array = volume[0] if volume.shape[0] == 1 else np.moveaxis(volume, 0, -1)
    with atomic_path(file) as part:
        nibabel.save(nibabel.Nifti1Image(array, like.affine, header), part)
