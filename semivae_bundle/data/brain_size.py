"""Whether a brain is as large as brains are, by its header: voxel sizes that nobody wrote make a volume of anything."""

from __future__ import annotations

from collections.abc import Sequence

from semivae_bundle.data.orientation import Geometry
from semivae_bundle.data.problems import Problem, ProblemCode

SIDES_MM = (80.0, 230.0)
"""Sides of the box about a brain: children and slabs that lack a part are within, 4 mm voxels called 1 mm are not."""


def implausible_sizes(geometries: Sequence[Geometry]) -> list[Problem]:
    """A warning for each brain with a side that no brain has."""
    problems = []
    for geometry in geometries:
        sides = [(last - first + 1) * mm for (first, last), mm in zip(geometry.brain, geometry.spacing, strict=True)]
        if min(sides) < SIDES_MM[0] or max(sides) > SIDES_MM[1]:
            found = " x ".join(f"{side:.0f}" for side in sides)
            voxel = " x ".join(f"{mm:.3g}" for mm in geometry.spacing)
            problems.append(
                Problem(
                    ProblemCode.IMPLAUSIBLE_SIZE,
                    geometry.subject,
                    geometry.file,
                    f"a brain of {SIDES_MM[0]:g} to {SIDES_MM[1]:g} mm along each axis",
                    f"{found} mm, voxels of {voxel} mm",
                    "used as it is; correct the voxel size in the headers, or strip the skull: volumes go with both",
                )
            )
    return problems
