"""A tumour grown into a brain: fields that order the voxels, and the labels they give."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semivae_bundle.data.phantom.detour import Detour
from semivae_bundle.data.phantom.fields import Array, Grid
from semivae_bundle.data.phantom.tumour import Tumour

Mask = NDArray[np.bool_]

NCR, ED, ET = 1, 2, 3
# Of the outline's amplitude: lobes; the rest is roughness.
COARSE_SHARE = np.float32(0.4)
# At this irregularity and above, infiltration has its full share in the shape.
FULL_INFILTRATION = 0.15


@dataclass(frozen=True)
class Lesion:
    """A tumour in an image: `labels` (X, Y, Z) uint8, and the fractions of NCR, ED, ET in each voxel (3, X, Y, Z)."""

    labels: NDArray[np.uint8]
    fractions: Array


def room_for_tumour(anatomy: Array) -> Mask:
    """Where a tumour can be, (X, Y, Z): inside the brain, not in the ventricles, not in pure fluid."""
    fluid, depth = anatomy[2], anatomy[3]
    return (depth > 0.5) & ~((fluid > 0.5) & (depth > 12.0)) & (fluid < 0.9)


def grow_lesion(tumour: Tumour, detour: Detour, anatomy: Array, grid: Grid) -> Lesion:
    """Place the tumour in a patient's anatomy. Voxel counts are exact: the lowest of each field, where there is room.

    A tumour too large for the brain is cut to what fits; one smaller than four voxels gets four.
    """
    room = room_for_tumour(anatomy)
    total_count = voxel_count(tumour, grid, room)
    ncr_count, et_count = (round(total_count * tumour.fractions[i]) for i in (0, 2))

    local = local_grid(tumour, grid)
    total_field = blend(tumour, straight_distance(tumour, local), detour.on(grid), outline_pattern(tumour, local))
    core_field, ncr_field = inner_fields(tumour, total_field, local)
    softness = 0.35 * grid.spacing
    total, total_share = lowest(total_field, room, total_count, softness + tumour.feathering_mm)
    core, core_share = lowest(core_field, total, ncr_count + et_count, softness)
    ncr, ncr_share = lowest(ncr_field, core, ncr_count, softness)
    labels = np.zeros(room.shape, dtype=np.uint8)
    labels[total], labels[core], labels[ncr] = ED, ET, NCR
    total_share *= room
    core_share *= total_share
    ncr_share *= core_share
    return Lesion(labels, np.stack([ncr_share, total_share - core_share, core_share - ncr_share]))


def voxel_count(tumour: Tumour, grid: Grid, room: Mask) -> int:
    """How many voxels the whole tumour takes."""
    return min(max(round(tumour.volume_mm3 / grid.spacing**3), 4), int(room.sum()))


def lowest(field: Array, room: Mask, count: int, softness_mm: float) -> tuple[Mask, Array]:
    """The `count` voxels of `room` where the field (mm) is lowest, and a soft version of them in [0, 1]."""
    mask = np.zeros(field.shape, dtype=bool)
    if count == 0:
        return mask, np.zeros(field.shape, dtype=np.float32)
    places = np.flatnonzero(room)
    values = field.ravel()[places]
    level = values.max() + 10 * softness_mm
    if count < len(places):
        order = np.argpartition(values, count)
        level = values[order[count]]
        places = places[order[:count]]
    mask.ravel()[places] = True
    soft = 1 / (1 + np.exp(np.clip((field - level) / np.float32(softness_mm), -20, 20)))
    return mask, soft.astype(np.float32, copy=False)


def local_grid(tumour: Tumour, grid: Grid) -> Grid:
    """The grid seen from the tumour's seed, in radii."""
    x, y, z = (
        ((axis - seed) / tumour.radius_mm).astype(np.float32)
        for axis, seed in zip(grid.axes, tumour.seed_mm, strict=True)
    )
    return Grid((x, y, z), grid.spacing / tumour.radius_mm)


def straight_distance(tumour: Tumour, local: Grid) -> Array:
    """Distance in mm from the nearest focus, straight through, by the tumour's ellipsoid, (X, Y, Z)."""
    distances = [elongated(tumour, focus.offset, local) + focus.lag for focus in tumour.foci]
    return np.float32(tumour.radius_mm) * np.min(distances, axis=0)


def outline_pattern(tumour: Tumour, local: Grid) -> Array:
    """The random pattern of the outline, (X, Y, Z), without unit; bounded, to make lobes rather than islands."""
    coarse, fine = (field.on(local) for field in tumour.outline)
    return np.tanh(COARSE_SHARE * coarse + np.float32(np.sqrt(1 - COARSE_SHARE**2)) * fine)


def blend(tumour: Tumour, straight: Array, detours: Array, pattern: Array) -> Array:
    """The whole tumour's field in mm: low where it is first. Detours count by its infiltration, the pattern by its
    irregularity.
    """
    share = np.float32(tumour.infiltration * min(1.0, tumour.irregularity / FULL_INFILTRATION))
    return (straight + share * detours) * np.exp(np.float32(tumour.irregularity) * pattern)


def inner_fields(tumour: Tumour, total: Array, local: Grid) -> tuple[Array, Array]:
    """Fields in mm, low where the core and the necrosis come first, each (X, Y, Z)."""
    radius = np.float32(tumour.radius_mm)
    inner = [elongated(tumour, focus.offset + tumour.core_shift, local) + focus.lag for focus in tumour.foci]
    core = radius * np.min(inner, axis=0) * np.exp(0.22 * tumour.core_outline.on(local)) + 0.15 * total
    rim = np.float32(tumour.rim)
    ncr = rim * core + (0.12 * rim + 0.5 * (1 - rim)) * radius * tumour.necrosis.on(local)
    return core, ncr


def elongated(tumour: Tumour, centre: NDArray[np.float64], local: Grid) -> Array:
    """Distance from a centre in radii, measured with the tumour's ellipsoid, (X, Y, Z)."""
    x, y, z = (
        (axis - c).reshape([-1 if a == b else 1 for b in range(3)]).astype(np.float32)
        for a, (axis, c) in enumerate(zip(local.axes, centre, strict=True))
    )
    rows = [np.float32(r[0]) * x + np.float32(r[1]) * y + np.float32(r[2]) * z for r in tumour.metric]
    return np.sqrt(rows[0] ** 2 + rows[1] ** 2 + rows[2] ** 2)
