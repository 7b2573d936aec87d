"""Which way the axes of a stored array run, and whether a header can be believed against the rest of its cohort."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from nibabel.affines import voxel_sizes
from nibabel.orientations import aff2axcodes, axcodes2ornt, io_orientation
from numpy.typing import NDArray

from semivae_bundle.data.problems import CohortError, Problem, ProblemCode
from semivae_bundle.data.wording import shown

BRATS_CODES = "LPS"
GRID_TOLERANCE = 1e-3
# A brain's outline may sit this much nearer to the others by chance; less says nothing.
EVIDENCE_MM = 5.0
# Grids whose extents differ by more hold another field of view, where outlines cannot be compared.
SAME_EXTENT_MM = 2.0
_AXIS_NAMES = ("left to right", "back to front", "bottom to top")
_LEFT_RIGHT = 0

Box = NDArray[np.float64]


@dataclass(frozen=True)
class Geometry:
    """How one subject is stored. `codes`: where each stored axis runs to, by the header. `origin`, `spacing`: mm.

    `brain`: first and last foreground voxel along each stored axis. `has_orientation`: the header states an affine.
    """

    subject: str
    file: str
    codes: str
    origin: tuple[float, float, float]
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    brain: tuple[tuple[int, int], tuple[int, int], tuple[int, int]]
    has_orientation: bool = True


def axis_codes(affine: NDArray[np.float64]) -> str | None:
    """Where each stored axis runs to, e.g. "LPS"; None for an affine that doesn't say."""
    if not np.all(np.isfinite(affine)) or abs(np.linalg.det(affine[:3, :3])) < 1e-9:
        return None
    codes = "".join(str(code) for code in aff2axcodes(affine))
    return codes if is_axis_codes(codes) else None


def is_axis_codes(codes: object) -> bool:
    """Whether `codes` is three letters, one of each of L/R, P/A and I/S."""
    pairs = ({"L", "R"}, {"P", "A"}, {"I", "S"})
    return isinstance(codes, str) and len(codes) == 3 and all(len(pair & set(codes)) == 1 for pair in pairs)


def check_overrides(orientation: Mapping[str, str], names: Collection[str]) -> dict[str, str]:
    """The user's overrides, sorted. Raises `CohortError` for a subject not in `names` or codes that are none."""
    require_overrides(orientation)
    wrong = [f"{name!r} is not a subject of this cohort" for name in orientation if name not in names]
    wrong += [f"{codes!r} for {name}" for name, codes in orientation.items() if not is_axis_codes(codes)]
    if wrong:
        raise CohortError(
            "orientation: expected a subject's name -> where its stored axes run to, such as 'LPS' or 'RAS', found "
            f"{'; '.join(wrong)}; correct the option"
        )
    return dict(sorted(orientation.items()))


def require_overrides(orientation: Mapping[str, str]) -> None:
    """`CohortError` for an option that is no mapping: axis codes alone don't say whose they are."""
    if not isinstance(orientation, Mapping):
        raise CohortError(
            "orientation: expected a mapping such as {'BraTS-MET-00086-000': 'LPS'}, found "
            f"{shown(orientation)}; name the subjects whose axes it states"
        )


def stated_affine(codes: str, shape: Sequence[int], affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """The affine of an array whose axes run as `codes` says, in place of the header's `affine`: (4, 4), RAS+ mm.

    Voxel sizes stay those of the stored axes. The origin is put so that the grid's low corner is at 0 mm.
    """
    stated = np.eye(4)
    stated[:3, :3] = 0
    for axis, (world, sign) in enumerate(axcodes2ornt(tuple(codes)).astype(int)):
        size = float(voxel_sizes(affine)[axis])
        stated[world, axis] = sign * size
        stated[world, 3] = (shape[axis] - 1) * size if sign < 0 else 0.0
    return stated


def ras_spacing(affine: NDArray[np.float64]) -> NDArray[np.float64]:
    """Voxel sizes (3,) in mm, in the order of the axes after reorientation to RAS."""
    spacing = np.empty(3)
    spacing[io_orientation(affine)[:, 0].astype(int)] = voxel_sizes(affine)
    return spacing


def brain_box(geometry: Geometry, codes: str) -> Box:
    """The brain's outline if the array runs as `codes`: (3, 2) mm from the grid's left, back and bottom faces."""
    box = np.empty((3, 2))
    for axis, (world, sign) in enumerate(axcodes2ornt(tuple(codes)).astype(int)):
        first, last = geometry.brain[axis]
        low, high = (first, last + 1) if sign > 0 else (geometry.shape[axis] - last - 1, geometry.shape[axis] - first)
        box[world] = np.array([low, high]) * geometry.spacing[axis]
    return box


def ambiguous_orientations(geometries: Sequence[Geometry], overrides: Mapping[str, str]) -> list[Problem]:
    """Warnings for headers that contradict the rest of the cohort.

    A warning is due where a header states no axes at all; where it names other axes than most of the cohort although
    its origin is the same (turning an array moves the origin, so one of the two is wrong); and where it names other
    axes and the brain's outline fits the others better without them. Subjects in `overrides` are settled.
    """
    open_cases = [geometry for geometry in geometries if geometry.subject not in overrides]
    stated = [geometry for geometry in open_cases if geometry.has_orientation]
    counts = Counter(geometry.codes for geometry in stated)
    # At a tie, the axes that BraTS itself writes are taken for the usual ones.
    usual = max(sorted(counts), key=lambda codes: (counts[codes], codes == BRATS_CODES), default=BRATS_CODES)
    rest = [geometry for geometry in stated if geometry.codes == usual]
    problems = []
    for geometry in open_cases:
        if not geometry.has_orientation:
            problems.append(_problem(geometry, usual, "a header without axes (no qform, no sform)", rest, len(stated)))
        elif geometry.codes != usual and (
            same := _same_origin(geometry, rest) or _outline_denies(geometry, usual, rest)
        ):
            problems.append(_problem(geometry, usual, same, rest, len(stated)))
    return problems


def _same_origin(geometry: Geometry, rest: Sequence[Geometry]) -> str:
    same = any(np.allclose(geometry.origin, other.origin, rtol=0, atol=GRID_TOLERANCE) for other in rest)
    origin = ", ".join(f"{value + 0.0:g}" for value in geometry.origin)
    return f"axes {geometry.codes} with the same origin ({origin}) mm" if same else ""


def _outline_denies(geometry: Geometry, usual: str, rest: Sequence[Geometry]) -> str:
    _, seems = _evidence(geometry, usual, rest)
    return f"axes {geometry.codes}" if seems == usual else ""


def _problem(geometry: Geometry, usual: str, found: str, rest: Sequence[Geometry], cohort: int) -> Problem:
    evidence, seems = _evidence(geometry, usual, rest)
    choice = seems or geometry.codes
    other = geometry.codes if choice == usual else usual
    return Problem(
        ProblemCode.AMBIGUOUS_ORIENTATION,
        geometry.subject,
        geometry.file,
        f"axes {usual} as in {len(rest)} of {cohort} subjects, or an origin moved with the axes",
        f"{found}; {evidence}",
        f"used as {geometry.codes}; settle it with the option orientation={{'{geometry.subject}': '{choice}'}} "
        f"(or '{other}') after looking at the images",
    )


def _evidence(geometry: Geometry, usual: str, rest: Sequence[Geometry]) -> tuple[str, str | None]:
    """What the brain's outline says, in words, and the axes that it speaks for, if any.

    A brain is too symmetric for its outline to tell left from right; the other two axes can be told, and a header that
    turned one array by half turns them together.
    """
    own, turned = brain_box(geometry, geometry.codes), brain_box(geometry, usual)
    extent = _extent(geometry)
    boxes = [brain_box(other, usual) for other in rest if np.allclose(_extent(other), extent, atol=SAME_EXTENT_MM)]
    differing = [axis for axis in range(3) if axis != _LEFT_RIGHT and not np.allclose(own[axis], turned[axis])]
    if not boxes or not differing:
        return "the brain's outline cannot tell which is true", None
    reference = np.median(boxes, axis=0)
    axis = max(differing, key=lambda axis: float(np.abs(own[axis] - turned[axis]).sum()))
    error_own, error_turned = (float(np.abs(box[axis] - reference[axis]).mean()) for box in (own, turned))
    seems = None
    if abs(error_own - error_turned) > EVIDENCE_MM:
        seems = geometry.codes if error_own < error_turned else usual
    verdict = f"so the voxels seem to be stored as {seems}" if seems else "which does not tell"
    text = (
        f"the brain's bounding box from {_AXIS_NAMES[axis]} is {_span(own[axis])} mm read as {geometry.codes} and "
        f"{_span(turned[axis])} mm read as {usual}, against {_span(reference[axis])} mm in the others, {verdict}"
    )
    return text, seems


def _extent(geometry: Geometry) -> NDArray[np.float64]:
    """Size of the grid in mm along right, front and top."""
    extent = np.empty(3)
    for axis, (world, _) in enumerate(axcodes2ornt(tuple(geometry.codes)).astype(int)):
        extent[world] = geometry.shape[axis] * geometry.spacing[axis]
    return extent


def _span(interval: NDArray[np.float64]) -> str:
    return f"{interval[0]:.0f}-{interval[1]:.0f}"
