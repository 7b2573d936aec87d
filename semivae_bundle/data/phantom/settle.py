"""Make a tumour come out as intended: move its seed and set its irregularity until place and shape are those drawn.

Brain surface and ventricles cut large tumours, which would tie place and shape to volume. Here the volume is exact by
construction, and the centroid and the sphericity are solved for, so that the three stay independent wherever the brain
allows it. All is done on a grid of 5 mm, whatever the image's: a patient is the same at every resolution.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
from numpy.typing import NDArray
from skimage.measure import marching_cubes, mesh_surface_area

from semivae_bundle.data.phantom.detour import Detour
from semivae_bundle.data.phantom.fields import Array, Grid
from semivae_bundle.data.phantom.lesion import (
    Mask,
    blend,
    local_grid,
    lowest,
    outline_pattern,
    room_for_tumour,
    straight_distance,
    voxel_count,
)
from semivae_bundle.data.phantom.tumour import Tumour

SETTLING_GRID_MM = 5.0
HIGHEST_IRREGULARITY = 0.8
# A seed may leave the intended centroid by this many radii; farther out the tumour would only flatten on the skull.
LONGEST_SHIFT = 0.8


def settled(tumour: Tumour, detour: Detour, anatomy: Array, grid: Grid) -> Tumour:
    """The tumour with `seed_mm` and `irregularity` set so that centroid and sphericity come close to those intended."""
    room = room_for_tumour(anatomy)
    count = voxel_count(tumour, grid, room)
    for rough in (False, False, True):
        local = local_grid(tumour, grid)
        fields = straight_distance(tumour, local), detour.values, outline_pattern(tumour, local)
        mask_of = partial(settling_mask, fields=fields, room=room, count=count)

        if rough:
            tumour = roughened(tumour, mask_of, grid.spacing)
        tumour = shifted(tumour, centroid_mm(mask_of(tumour), grid))
    return tumour


def settling_mask(tumour: Tumour, fields: tuple[Array, Array, Array], room: Mask, count: int) -> Mask:
    """The whole tumour on the settling grid."""
    return lowest(blend(tumour, *fields), room, count, 1.0)[0]


def centroid_mm(mask: Mask, grid: Grid) -> NDArray[np.float64]:
    """The mean place of a mask's voxels, (3,) in mm."""
    sums = [axis @ mask.sum(axis=others) for axis, others in zip(grid.axes, ((1, 2), (0, 2), (0, 1)), strict=True)]
    return np.array(sums) / mask.sum()


def shifted(tumour: Tumour, found_mm: NDArray[np.float64]) -> Tumour:
    """Move the seed by what the centroid misses."""
    shift = tumour.seed_mm - found_mm
    longest = LONGEST_SHIFT * tumour.radius_mm
    shift *= min(1.0, longest / max(float(np.linalg.norm(shift)), 1e-6))
    return replace(tumour, seed_mm=tumour.centroid_mm + shift)


def roughened(tumour: Tumour, mask_of: Callable[[Tumour], Mask], spacing: float) -> Tumour:
    """Set the irregularity by bisection: the more of it, the lower the sphericity."""
    low, high = 0.0, HIGHEST_IRREGULARITY
    best, best_error = tumour, np.inf
    for _ in range(6):
        trial = replace(tumour, irregularity=(low + high) / 2)
        error = sphericity(mask_of(trial), spacing) - tumour.sphericity
        if abs(error) < best_error:
            best, best_error = trial, abs(error)
        low, high = (trial.irregularity, high) if error > 0 else (low, trial.irregularity)
    return best


def sphericity(mask: Mask, spacing: float) -> float:
    """(36 π V²)^(1/3) / A, with V from the voxels and A from the mesh of the mask (X, Y, Z)."""
    occupied = np.argwhere(mask)
    box = tuple(slice(a, b + 1) for a, b in zip(occupied.min(axis=0), occupied.max(axis=0), strict=True))
    vertices, faces, _, _ = marching_cubes(np.pad(mask[box], 1).astype(np.float32), 0.5, spacing=(spacing,) * 3)
    volume = len(occupied) * spacing**3
    return float((36 * np.pi * volume**2) ** (1 / 3) / mesh_surface_area(vertices, faces))
