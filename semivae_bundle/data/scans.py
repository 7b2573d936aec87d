"""Reading one file of a subject and checking what can be told from it alone."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from semivae_bundle.data.orientation import axis_codes
from semivae_bundle.data.problems import Problem, ProblemCode
from semivae_bundle.data.subjects import ImageRef
from semivae_bundle.data.volumes import UnreadableVolumeError, Volume, read_volume

MASK = "seg"
# A skull-stripped head fills about half of its grid at most; without background, nothing says where the brain is.
MOST_FOREGROUND = 0.95
# A mask has three labels; the dimmest of images has hundreds of values.
MOST_LABELS = 4
_READ_AGAIN = "copy or download the file again"

Attempt = Volume | UnreadableVolumeError | FileNotFoundError | PermissionError
"""A file's content, or why there is none."""


@dataclass(frozen=True)
class Scan:
    """One readable file, or one channel of it. `kind` is a modality or "seg".

    `foreground`: voxels that are not 0. `digest` names the voxels' values. `data` is kept for a mask only.
    """

    kind: str
    file: str
    affine: NDArray[np.float64]
    has_orientation: bool
    foreground: NDArray[np.bool_]
    digest: str
    data: NDArray[Any] | None = None

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along each stored axis."""
        first, second, third = self.foreground.shape
        return first, second, third


def read_scans(
    subject: str, references: list[tuple[str, ImageRef]], dataset_dir: Path
) -> tuple[list[Scan], list[Problem]]:
    """Read (kind, file) pairs: the scans that make sense, and all problems. Neighbours in one 4-D file share a read."""
    scans: list[Scan] = []
    problems: list[Problem] = []
    last: tuple[str, Attempt] | None = None
    for kind, ref in references:
        if last is None or last[0] != ref.path:
            last = (ref.path, _attempt(dataset_dir / ref.path))
        scan, wrong = _check(subject, kind, ref, last[1])
        scans += [scan] if scan else []
        # Several channels of one damaged file are one problem.
        problems += [problem for problem in wrong if problem not in problems]
    return scans, problems


def _attempt(path: Path) -> Attempt:
    try:
        return read_volume(path)
    except (UnreadableVolumeError, FileNotFoundError, PermissionError) as error:
        return error


def _check(subject: str, kind: str, ref: ImageRef, volume: Attempt) -> tuple[Scan | None, list[Problem]]:
    """One file and the problems of its own; no scan where its voxels mean nothing."""

    def problem(code: ProblemCode, expected: str, found: str, remedy: str) -> list[Problem]:
        return [Problem(code, subject, ref.path, expected, found, remedy)]

    if isinstance(volume, FileNotFoundError):
        code = ProblemCode.MISSING_MASK if kind == MASK else ProblemCode.MISSING_MODALITY
        return None, problem(code, f"the {kind} file", *_missing(ref.path, str(volume)))
    if isinstance(volume, PermissionError):
        remedy = "grant yourself the right to read it (chmod u+r), and its folder (chmod u+rx)"
        return None, problem(ProblemCode.UNREADABLE_FILE, "a file that you may read", str(volume.strerror), remedy)
    if isinstance(volume, UnreadableVolumeError):
        return None, problem(ProblemCode.UNREADABLE_FILE, "a complete NIfTI file", str(volume), _READ_AGAIN)
    data = volume.data
    if ref.channel is not None and data.ndim == 4 and ref.channel < data.shape[3]:
        data = data[..., ref.channel]
    if data.ndim != 3:
        expected = "3 dimensions" if ref.channel is None else "4 dimensions, the last one the listed modalities"
        remedy = "write one volume per file (only the Decathlon layout keeps several)"
        return None, problem(ProblemCode.WRONG_DIMENSIONS, expected, f"shape {data.shape}", remedy)
    problems = []
    if min(data.shape) < 2:
        remedy = "use the whole volume, not a slice of it"
        problems += problem(ProblemCode.THIN_VOLUME, "at least 2 voxels per axis", f"shape {data.shape}", remedy)
    if axis_codes(volume.affine) is None:
        found = f"affine {np.round(volume.affine[:3], 3).tolist()}"
        problems += problem(ProblemCode.INVALID_HEADER, "three axes of positive spacing", found, "repair the header")
    if kind != MASK:
        for wrong in _intensity_problems(data):
            problems += problem(*wrong)
    # As float32, the same voxels stored as integers and as floats have one digest.
    with np.errstate(over="ignore", invalid="ignore"):
        digest = hashlib.blake2b(np.asarray(data, np.float32).tobytes("F")).hexdigest()
    kept = data if kind == MASK else None
    return Scan(kind, ref.path, volume.affine, volume.has_orientation, data != 0, digest, kept), problems


def _missing(path: str, error: str) -> tuple[str, str]:
    """Found and remedy of a file that is not there."""
    found = error.partition(": ")[2]
    if "a link to" in found:
        return found, "correct the link, or put the file in its place"
    if "\\" in path:
        return found, "write its path in the list with / in place of \\"
    return found, "correct its path in the list, or copy or download it again"


def _intensity_problems(data: NDArray[Any]) -> Iterator[tuple[ProblemCode, str, str, str]]:
    """Code, expected, found, remedy of what is wrong with an image's values."""
    if bad := int(data.size - np.count_nonzero(np.isfinite(data))):
        found = f"{bad} of {data.size} voxels NaN or infinite"
        yield ProblemCode.NOT_FINITE, "finite intensities", found, "export the image again, with 0 as background"
        return
    values = data[data != 0]
    if values.size == 0 or values.min() == values.max():
        found = f"every voxel 0 or {float(values[0]):g}" if values.size else "every voxel 0"
        yield ProblemCode.CONSTANT_IMAGE, "intensities that vary", found, "export the image again"
    elif labels := _labels(values):
        found = f"no values but {', '.join(labels)}"
        yield ProblemCode.MASK_AS_IMAGE, "intensities", found, "this is a mask: put the image in its place"
    elif values.size > MOST_FOREGROUND * data.size:
        found = f"{values.size / data.size:.0%} of the voxels not 0"
        remedy = "used as it is, though its background counts as brain; strip the skull and write 0 outside"
        yield ProblemCode.NO_BACKGROUND, "0 outside the brain", found, remedy


def _labels(values: NDArray[Any]) -> list[str]:
    """The different values, if they are as few as those of a mask; none where they are more."""
    # Some voxels tell an image from a mask: sorting all of them takes longer than reading the file.
    if np.unique(values[:: 1 + values.size // 1000]).size > MOST_LABELS:
        return []
    different = np.unique(values)
    return [f"{float(value):g}" for value in different] if different.size <= MOST_LABELS else []
