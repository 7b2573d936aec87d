"""Brains: the ICBM152 tissue maps, posed and deformed differently for each patient.

Source of the maps: Fonov et al. 2009 (doi:10.1016/S1053-8119(09)70884-5), as nilearn ships them; nothing is downloaded.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from nilearn.datasets import load_mni152_brain_mask, load_mni152_gm_template, load_mni152_wm_template
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt, gaussian_filter, map_coordinates
from scipy.spatial.transform import Rotation

from semivae_bundle.data.phantom.fields import Array, Grid, SmoothField, draw_field

# Brains in BraTS images (SRI24 space): the bounding box, its centre relative to that of the image, and its extent. The
# whole brain reaches lower than the box seen, since skull-stripping often cuts the stem.
BRAIN_CENTRE_MM = (0.9, -10.6, -5.4)
EXTENT_LOW_MM = (128.0, 159.0, 124.0)
EXTENT_HIGH_MM = (147.0, 178.0, 142.0)
MARGIN_MM = 10
DEPTH_LIMIT_MM = 40.0
CLEFT_MM = 5.0
# Tissue nearer to the surface than this (mm) gives way to a tumour less.
FREE_DEPTH_MM = np.float32(15.0)


@dataclass(frozen=True)
class Atlas:
    """Tissue of the average brain on a grid of its own.

    `maps` (4, X, Y, Z): grey matter, white matter, cerebrospinal fluid (fractions), depth below the brain surface in mm
    (negative outside). `extent_mm` is the brain's bounding box, whose centre is the origin. `seats_mm` (N, 3): places
    where a tumour may be centred, drawn with probabilities `seat_odds`.
    """

    maps: Array
    start_mm: NDArray[np.float64]
    step_mm: float
    extent_mm: NDArray[np.float64]
    seats_mm: NDArray[np.float64]
    seat_odds: NDArray[np.float64]


@lru_cache(maxsize=4)
def load_atlas(spacing: float) -> Atlas:
    """The atlas for images of a spacing (mm), smoothed so that coarse voxels average what they cover."""
    grey, white, depth, start, extent = load_maps()
    fluid = np.clip((depth > 0) - grey - white, 0, 1)
    maps = np.stack([gaussian_filter(m, 0.4 * spacing, truncate=3) for m in (grey, white, fluid, depth)])
    seats, odds = tumour_seats(maps, start)
    step = 2 if spacing >= 3 else 1
    maps = np.ascontiguousarray(maps[:, ::step, ::step, ::step])
    return Atlas(maps, start, float(step), extent, seats, odds)


@lru_cache(maxsize=1)
def load_maps() -> tuple[Array, Array, Array, NDArray[np.float64], NDArray[np.float64]]:
    """Grey and white matter, depth below the surface in mm, each (X, Y, Z) at 1 mm; the first voxel's place relative to
    the centre of the brain's bounding box, and the box's extent, both (3,) in mm. About 2 s, once per process.
    """
    grey, white, brain = (
        np.asarray(load(resolution=1).dataobj, dtype=np.float32)
        for load in (load_mni152_gm_template, load_mni152_wm_template, load_mni152_brain_mask)
    )
    inside = np.argwhere(brain > 0.5)
    low, high = inside.min(axis=0), inside.max(axis=0) + 1
    # The template ends at its lower face, where the brain does not: beyond it there is background.
    grey, white, brain = (np.pad(image, MARGIN_MM) for image in (grey, white, brain))
    # The box starts `MARGIN_MM` before the brain, which padding has just moved by as much; even sides halve evenly.
    size = high - low + 2 * MARGIN_MM
    box = tuple(slice(int(a), int(a + n + n % 2)) for a, n in zip(low, size, strict=True))
    grey, white, brain = (image[box] for image in (grey, white, brain))
    depth = depth_below_surface(brain > 0.5)
    return grey, white, depth, 0.5 - MARGIN_MM - (high - low) / 2, (high - low).astype(float)


def depth_below_surface(brain: NDArray[np.bool_]) -> Array:
    """Signed distance in mm from the brain's surface at 1 mm, positive inside, (X, Y, Z) of even sides.

    Clefts narrower than twice `CLEFT_MM`, such as that between the hemispheres, belong to the brain, as
    skull-stripping has it. Worked out at 2 mm: distances are smooth.
    """
    near = 2 * distance_transform_edt(~brain[::2, ::2, ::2]) <= CLEFT_MM
    closed = (2 * distance_transform_edt(near) > CLEFT_MM) | brain[::2, ::2, ::2]
    depth = 2 * (distance_transform_edt(closed) - distance_transform_edt(~closed)) - np.where(closed, 1.0, -1.0)
    depth = np.clip(depth, -DEPTH_LIMIT_MM, DEPTH_LIMIT_MM).astype(np.float32)
    return gaussian_filter(depth.repeat(2, 0).repeat(2, 1).repeat(2, 2), 1.0, truncate=2)


def tumour_seats(maps: Array, start_mm: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Places for a tumour's centre on a lattice of 3 mm, (N, 3) in mm, and their odds (N,), summing to one.

    Gliomas sit in the hemispheres: places below the tentorium are rarer; the brainstem and the fluid are out.
    The odds give centroids that spread by 23-31 mm (SD) per axis, as in BraTS.
    """
    grey, white, fluid, depth = maps[:, ::3, ::3, ::3]
    allowed = np.flatnonzero((depth > 8) & (fluid < 0.4) & (grey + white > 0.5))
    places = start_mm + 3.0 * np.stack(np.unravel_index(allowed, grey.shape), axis=1)
    x, y, z = places.T
    low = z < -28
    stem = low & (np.abs(x) < 16) & (y > -40)
    odds = np.where(low & (y < -18), 0.25, 1.0) * ~stem * np.exp(-0.5 * (y / 70) ** 2)
    # High and low places are scarce in the brain, not among tumours.
    layer = np.round(z / 12).astype(int) + 10
    odds /= np.bincount(layer, odds)[layer] ** 0.6 + 1e-6
    chosen = odds > 0
    return places[chosen], odds[chosen] / odds[chosen].sum()


@dataclass(frozen=True)
class Pose:
    """How one patient's brain differs from the atlas: `to_atlas` (3, 3) and `centre_mm` map image mm to atlas mm."""

    to_atlas: NDArray[np.float64]
    centre_mm: NDArray[np.float64]
    half_extent_mm: NDArray[np.float64]
    bend: tuple[SmoothField, ...]
    bend_mm: float
    ripple: tuple[SmoothField, ...]
    ripple_mm: float
    atrophy: float
    sulci: SmoothField

    def elastic(self, grid: Grid) -> list[Array]:
        """Displacement in atlas mm along x, y, z, each (X, Y, Z)."""
        return [
            self.bend_mm * slow.on(grid) + self.ripple_mm * fast.on(grid)
            for slow, fast in zip(self.bend, self.ripple, strict=True)
        ]

    def to_image(self, place_mm: NDArray[np.float64]) -> NDArray[np.float64]:
        """Where a place of the atlas (3,) lies in the image, in mm; fixed-point inversion of the elastic part."""
        inverse = np.linalg.inv(self.to_atlas)
        found = self.centre_mm + inverse @ place_mm
        for _ in range(3):
            x, y, z = (np.array([value], dtype=np.float32) for value in found)
            moved = np.array([d.item() for d in self.elastic(Grid((x, y, z), 1.0))])
            found = self.centre_mm + inverse @ (place_mm - moved)
        return found


def draw_pose(rng: np.random.Generator, atlas: Atlas) -> Pose:
    """A patient's pose and deformation: rotation up to 10 degrees, extents as in BraTS, place within a few mm."""
    angles = np.clip(rng.normal(0, (4.5, 3.0, 3.0)), -10, 10)
    extent = rng.uniform(EXTENT_LOW_MM, EXTENT_HIGH_MM)
    to_image = Rotation.from_euler("xyz", angles, degrees=True).as_matrix() @ np.diag(extent / atlas.extent_mm)
    return Pose(
        to_atlas=np.linalg.inv(to_image).astype(np.float64),
        centre_mm=np.array(BRAIN_CENTRE_MM) + rng.normal(0, 2.5, 3),
        half_extent_mm=extent / 2,
        bend=tuple(draw_field(rng, 40.0) for _ in range(3)),
        bend_mm=float(rng.uniform(1.0, 4.0)),
        ripple=tuple(draw_field(rng, 16.0) for _ in range(3)),
        ripple_mm=float(rng.uniform(0.5, 1.8)),
        atrophy=float(rng.normal(0.25, 0.35)),
        sulci=draw_field(rng, 20.0),
    )


@dataclass(frozen=True)
class MassEffect:
    """Tissue pushed away from `centre_mm`: at most `push_mm`, at the distance `radius_mm`, fading beyond."""

    centre_mm: NDArray[np.float64]
    radius_mm: float
    push_mm: float


def sample_anatomy(atlas: Atlas, pose: Pose, effect: MassEffect, grid: Grid) -> Array:
    """The patient's tissue on a grid, (4, X, Y, Z): grey, white, fluid (fractions), depth below the surface in mm."""
    places = pose.elastic(grid)
    add_linear(places, pose.to_atlas, offsets_mm(grid, pose.centre_mm))
    for place, start in zip(places, atlas.start_mm, strict=True):
        place -= np.float32(start)
    coordinates = np.stack(places) / np.float32(atlas.step_mm)
    depth = map_coordinates(atlas.maps[3], coordinates, order=1, mode="constant", cval=-DEPTH_LIMIT_MM)
    # The tumour pushes tissue, not the skull: the surface is that of the brain without it.
    add_linear(list(coordinates), pose.to_atlas / atlas.step_mm, displacement(effect, depth, grid))
    grey, white, fluid = (map_coordinates(m, coordinates, order=1, mode="nearest") for m in atlas.maps[:3])
    # Wider or narrower sulci, from place to place and from patient to patient.
    width = np.exp(np.float32(-pose.atrophy) - np.float32(0.35) * pose.sulci.on(grid))
    tissue = np.stack([grey, white, np.clip(fluid, 0, 1) ** width, depth])
    tissue[:3] /= np.maximum(tissue[:3].sum(axis=0), 1e-3)
    return tissue.astype(np.float32, copy=False)


def offsets_mm(grid: Grid, centre_mm: NDArray[np.float64]) -> list[Array]:
    """The grid's places relative to a centre, as three arrays that broadcast to (X, Y, Z)."""
    axes = [(axis - centre).astype(np.float32) for axis, centre in zip(grid.axes, centre_mm, strict=True)]
    return list(np.meshgrid(*axes, indexing="ij", sparse=True))


def add_linear(targets: list[Array], matrix: NDArray[np.float64], vectors: list[Array]) -> None:
    """Add a matrix (3, 3) applied to a field of vectors to three arrays (X, Y, Z), in place."""
    for target, row in zip(targets, matrix, strict=True):
        for weight, vector in zip(row, vectors, strict=True):
            target += np.float32(weight) * vector


def displacement(effect: MassEffect, depth: Array, grid: Grid) -> list[Array]:
    """Where pushed tissue came from, minus where it is, in mm along x, y, z; it fades towards the brain's surface."""
    away = offsets_mm(grid, effect.centre_mm)
    t = np.sqrt(away[0] ** 2 + away[1] ** 2 + away[2] ** 2) / np.float32(effect.radius_mm)
    free = np.clip(depth / FREE_DEPTH_MM, 0, 1)
    pull = np.float32(-effect.push_mm / effect.radius_mm) * np.exp(1 - t) * free
    return [pull * axis for axis in away]
