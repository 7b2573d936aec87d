"""Whether the files of one subject lie on one grid and show different things."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import combinations
from numbers import Real

import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.orientations import io_orientation
from numpy.typing import NDArray

from semivae_bundle.data.orientation import GRID_TOLERANCE, Geometry, axis_codes, stated_affine
from semivae_bundle.data.problems import Problem, ProblemCode
from semivae_bundle.data.scans import MASK, MOST_FOREGROUND, Scan
from semivae_bundle.data.wording import shown

FOV_MM = (240.0, 240.0, 240.0)
"""Holds an adult head. Centred on a scan's own grid, or on its brain."""
SAME_HEAD = 0.955
"""Least Dice of an image's foreground with those of the others: their median. One head has 0.976 or more in 174
phantoms of every contrast, of 32 to 128 voxels, and 0.967, 0.998, 0.999 and 1.000 in four real subjects, the first of
them with each image stripped for itself. An image of another patient, or two of each, have
0.940 or less among these phantoms and 0.870 or less among the real ones."""
OUTSIDE_VIEW = 0.01  # share of the brain that may be cut off without a word


def require_field_of_view(fov_mm: Sequence[float]) -> None:
    """ValueError unless it is three lengths: asked once, before each scan fails of it."""
    sides = list(fov_mm) if isinstance(fov_mm, Iterable) and not isinstance(fov_mm, str) else []
    numbers = [side for side in sides if isinstance(side, Real) and not isinstance(side, bool) and 0 < side < math.inf]
    if len(sides) != 3 or len(numbers) != 3:
        raise ValueError(f"fov_mm: expected three lengths in mm above 0, such as {list(FOV_MM)}, found {shown(fov_mm)}")


def shared_grid(scans: Sequence[Scan]) -> Scan | None:
    """The scan on whose grid most images lie, so that the odd one out is blamed; the first at a tie."""
    images = [scan for scan in scans if scan.kind != MASK] or list(scans)
    return max(images, key=lambda one: sum(not _difference(one, other) for other in images), default=None)


def check_grids(subject: str, scans: Sequence[Scan]) -> list[Problem]:
    """Every file off the grid that most images share: another shape, or an affine beyond GRID_TOLERANCE."""
    grid = shared_grid(scans)
    problems = []
    for scan in scans:
        if grid is not None and (difference := _difference(grid, scan)):
            problems.append(
                Problem(
                    ProblemCode.GRID_MISMATCH,
                    subject,
                    scan.file,
                    f"the grid of {grid.file}: shape {grid.shape}, affine equal to {GRID_TOLERANCE:g}",
                    difference,
                    f"resample it to the grid of {grid.kind}"
                    + (" with nearest neighbour" if scan.kind == MASK else ", or copy the header if it is at fault"),
                )
            )
    return problems


def check_duplicates(subject: str, scans: Sequence[Scan]) -> list[Problem]:
    """Images of identical voxels under two modalities."""
    first: dict[str, Scan] = {}
    problems = []
    for scan in scans:
        other = first.setdefault(scan.digest, scan)
        if scan.kind not in (MASK, other.kind) and other.kind != MASK and scan.foreground.any():
            problems.append(
                Problem(
                    ProblemCode.DUPLICATE_IMAGE,
                    subject,
                    scan.file,
                    f"different images for {other.kind} and {scan.kind}",
                    f"voxels identical to {other.file}" + ("" if scan.file != other.file else f" ({other.kind})"),
                    f"put the right file in place of the wrong one of {other.kind} and {scan.kind}",
                )
            )
    return problems


def check_heads(subject: str, scans: Sequence[Scan]) -> list[Problem]:
    """A warning where images do not show one head: their foregrounds differ more than stripping makes them."""
    grid = shared_grid(scans)
    # Without background a foreground is the whole grid, and says nothing of a head.
    images = [one for one in scans if one.kind != MASK and one.foreground.mean() <= MOST_FOREGROUND]
    if grid is None or len(images) < 2:
        return []
    overlaps = np.eye(len(images))
    for i, j in combinations(range(len(images)), 2):
        overlaps[i, j] = overlaps[j, i] = dice(images[i].foreground, images[j].foreground)
    likeness = [float(np.median(np.delete(row, place))) for place, row in enumerate(overlaps)]
    odd = [(one, value) for one, value in zip(images, likeness, strict=True) if value < SAME_HEAD]
    if not odd:
        return []
    return [
        Problem(
            ProblemCode.ANOTHER_HEAD,
            subject,
            odd[0][0].file,
            f"one head in all images: foregrounds whose Dice is {SAME_HEAD:g} or more",
            ", ".join(f"{one.kind} {value:.2f}" for one, value in odd),
            "used as they are; look at the images: one may be of another patient or visit, be registered otherwise, or "
            "be no image of a brain",
        )
    ]


def dice(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """2 |A and B| / (|A| + |B|) of two masks of one shape; 1 where both are empty."""
    both = np.count_nonzero(first) + np.count_nonzero(second)
    return 2 * np.count_nonzero(first & second) / both if both else 1.0


def brain_foreground(scans: Sequence[Scan]) -> NDArray[np.bool_] | None:
    """Where any image on the shared grid is not 0; None without an image."""
    grid = shared_grid(scans)
    if grid is None or grid.kind == MASK:
        return None
    layers = [scan.foreground for scan in scans if scan.kind != MASK and scan.shape == grid.shape]
    return np.logical_or.reduce(layers)


def check_view(subject: str, scans: Sequence[Scan], fov_mm: Sequence[float], orientation: str | None) -> list[Problem]:
    """Brain beyond the cube of `fov_mm` (right, front, up) about the middle of the grid, all that a network sees.

    `orientation`: where the stored axes run to, in place of the header.
    """
    grid, brain = shared_grid(scans), brain_foreground(scans)
    if grid is None or brain is None or len(grid.shape) != 3 or not brain.any():
        return []
    affine = stated_affine(orientation, grid.shape, grid.affine) if orientation else grid.affine
    world = io_orientation(affine)[:, 0].astype(int)
    inside = brain
    for axis, (mm, side) in enumerate(zip(voxel_sizes(affine), np.asarray(fov_mm)[world], strict=True)):
        places = np.arange(brain.shape[axis]) - (brain.shape[axis] - 1) / 2
        inside = inside.take(np.flatnonzero(np.abs(places) * mm <= side / 2), axis=axis)
    share = 1 - inside.sum() / brain.sum()
    if share <= OUTSIDE_VIEW:
        return []
    return [
        Problem(
            ProblemCode.BRAIN_OUTSIDE_VIEW,
            subject,
            grid.file,
            f"a brain within {' x '.join(f'{side:g}' for side in fov_mm)} mm about the middle of the image",
            f"{share:.0%} of it beyond",
            "used, though what lies beyond is not seen: strip skull and neck, or crop or pad images and mask until the "
            "brain is in their middle",
        )
    ]


def measure_geometry(subject: str, scans: Sequence[Scan]) -> Geometry | None:
    """How the subject's images are stored, and where the brain lies in them."""
    grid, brain = shared_grid(scans), brain_foreground(scans)
    codes = axis_codes(grid.affine) if grid else None
    if grid is None or brain is None or codes is None or not brain.any():
        return None
    spans = []
    for axis in range(3):
        others = tuple(other for other in range(3) if other != axis)
        occupied = np.flatnonzero(brain.any(axis=others))
        spans.append((int(occupied[0]), int(occupied[-1])))
    spacing = np.linalg.norm(grid.affine[:3, :3], axis=0)
    return Geometry(
        subject=subject,
        file=grid.file,
        codes=codes,
        origin=(float(grid.affine[0, 3]), float(grid.affine[1, 3]), float(grid.affine[2, 3])),
        shape=grid.shape,
        spacing=(float(spacing[0]), float(spacing[1]), float(spacing[2])),
        brain=(spans[0], spans[1], spans[2]),
        has_orientation=grid.has_orientation,
    )


def _difference(grid: Scan, scan: Scan) -> str:
    """How `scan` differs from `grid`, in words; empty where it doesn't."""
    parts = []
    if scan.shape != grid.shape:
        parts.append(f"shape {scan.shape}")
    # A NaN in a header is a difference from everything but the same NaN.
    close = np.isclose(scan.affine, grid.affine, rtol=0, atol=GRID_TOLERANCE, equal_nan=True)
    if not close.all():
        largest = float(np.abs(scan.affine - grid.affine)[~close].max())
        parts.append(f"an affine that differs by up to {largest:.4g} (axes {axis_codes(scan.affine)})")
    return " and ".join(parts)
