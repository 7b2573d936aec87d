"""Reading one NIfTI file completely, so that a damaged one is noticed."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
from numpy.typing import NDArray

SUFFIXES = (".nii", ".nii.gz")
_NIFTI2_HEADER_BYTES = 540


class UnreadableVolumeError(ValueError):
    """A file that cannot be read to its end as NIfTI."""


@dataclass(frozen=True)
class Volume:
    """Voxels as stored (scaled, any numeric type), the 4x4 affine to RAS+ mm, and whether the header states one."""

    data: NDArray[np.generic]
    affine: NDArray[np.float64]
    has_orientation: bool


def is_nifti(name: str) -> bool:
    """Whether a file's name says NIfTI; macOS's `._` companions and other hidden files don't count."""
    return name.lower().endswith(SUFFIXES) and not name.startswith(".")


def nifti_stem(name: str) -> str:
    """A file's name without .nii or .nii.gz, whatever their case."""
    suffix = next((one for one in SUFFIXES if name.lower().endswith(one)), "")
    return name[: len(name) - len(suffix)]


def read_volume(path: str | Path) -> Volume:
    """Read a .nii or .nii.gz file whole.

    A compressed file is read through its checksum, which nibabel alone would leave unread. Raises `FileNotFoundError`,
    `PermissionError`, or `UnreadableVolumeError` with the reason. Axes of one entry behind the third are left out.
    """
    path = Path(path)
    if not path.is_file():
        link = f", but a link to {path.readlink()}, where nothing is" if path.is_symlink() else ""
        raise FileNotFoundError(f"{path}: no such file{link}")
    try:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.name.lower().endswith(".gz") else content
        image = _image_class(content).from_bytes(content)
        data = np.asanyarray(image.dataobj)
    except PermissionError:
        raise
    # A damaged file makes gzip, zlib, NumPy and nibabel raise a dozen unrelated types.
    except Exception as error:
        raise UnreadableVolumeError(f"{type(error).__name__}: {error}") from error
    if data.dtype.kind not in "biuf":
        raise UnreadableVolumeError(f"voxels of type {data.dtype}, not real numbers")
    header = image.header
    while data.ndim > 3 and data.shape[-1] == 1:  # as some converters write a volume
        data = data[..., 0]
    has_orientation = int(header["qform_code"]) > 0 or int(header["sform_code"]) > 0
    return Volume(data, np.asarray(image.affine, np.float64), has_orientation)


def _image_class(content: bytes) -> type[nibabel.Nifti1Image]:
    header_bytes = content[:4]
    is_nifti2 = _NIFTI2_HEADER_BYTES in (int.from_bytes(header_bytes, "little"), int.from_bytes(header_bytes, "big"))
    return nibabel.Nifti2Image if is_nifti2 else nibabel.Nifti1Image
