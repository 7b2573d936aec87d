"""A factory of tiny scans on disk, for the tests of finding and checking subjects."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import nibabel
import numpy as np
import pytest
from numpy.typing import NDArray

SIDE = 16
MM = 12  # a side of a voxel, with which the brain is 120 mm wide
LPS = np.array([[-MM, 0, 0, 0], [0, -MM, 0, MM * (SIDE - 1)], [0, 0, MM, 0], [0, 0, 0, 1]], dtype=np.float64)

Files = dict[str, NDArray[np.generic]]
SaveScan = Callable[..., Path]


def tiny_scan(seed: int = 0) -> Files:
    """Four images and a mask of 16 x 16 x 16: a round brain, nearer to the front, and a tumour of three labels."""
    rng = np.random.default_rng(seed)
    # Stored LPS, so a small second index is the front.
    x, y, z = np.indices((SIDE, SIDE, SIDE))
    brain = ((x - 7.5) / 5) ** 2 + ((y - 5.5) / 5) ** 2 + ((z - 7.5) / 5) ** 2 < 1
    files: Files = {
        kind: (brain * rng.integers(50, 200, brain.shape)).astype(np.int16) for kind in ("t1c", "t1n", "t2f", "t2w")
    }
    mask = np.zeros(brain.shape, np.uint8)
    mask[6:10, 4:8, 6:10] = 2
    mask[6:8, 4:6, 6:8] = 1
    mask[8:10, 4:6, 6:8] = 3
    return files | {"seg": mask}


def save_nifti(path: Path, data: NDArray[np.generic], affine: NDArray[np.float64] = LPS) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(nibabel.Nifti1Image(data, affine), path)
    return path


@pytest.fixture
def save_scan(tmp_path: Path) -> SaveScan:
    """Writes one scan, BraTS 2023 style unless told, and gives the cohort's folder."""

    def save(
        name: str,
        files: Mapping[str, NDArray[np.generic]] | None = None,
        pattern: str = "{name}/{name}-{kind}.nii.gz",
        affine: NDArray[np.float64] = LPS,
        without: Sequence[str] = (),
    ) -> Path:
        files = tiny_scan(sum(map(ord, name))) if files is None else files
        for kind, data in files.items():
            if kind not in without:
                save_nifti(tmp_path / pattern.format(name=name, kind=kind), data, affine)
        return tmp_path

    return save


@pytest.fixture
def scan_of() -> Callable[..., Files]:
    """The arrays of one tiny scan, by seed."""
    return tiny_scan


@pytest.fixture
def save_file() -> Callable[..., Path]:
    """Writes one NIfTI file, LPS unless told."""
    return save_nifti
