"""Measure a tumour mask: volume, place and shape of every region. Only arrays come in, only numbers go out."""

from __future__ import annotations

from functools import reduce

import numpy as np
from numpy.typing import ArrayLike, NDArray

from semivae_bundle.data.grids import FOV_MM
from semivae_bundle.features.mesh import BoolArray, FloatArray, area_and_volume, hull_volume
from semivae_bundle.features.schema import COLUMNS, REGION_LABELS, SENTINEL


def measure_mask(labels: ArrayLike, spacing_mm: ArrayLike, *, fov_mm: ArrayLike = FOV_MM) -> dict[str, float]:
    """Every column of the schema for one mask, in the schema's order and units.

    `labels`: (D, H, W) = (x, y, z) integers in RAS orientation, 0 background, 1 NCR, 2 ED, 3 ET. `spacing_mm`: sides
    of a voxel. `fov_mm`: sides of the model's field of view, which is centred on the grid; a centroid outside it lies
    outside [0, 1]. An absent region has `has` = 0 and the sentinel in its other columns. Raises ValueError for another
    shape, type, label or a length that is not positive.
    """
    spacing, fov = _positive_triple("spacing_mm", spacing_mm), _positive_triple("fov_mm", fov_mm)
    crop, corner, shape = _cropped(labels)
    # From voxel indices of the crop to fractions of the field of view: the grid's centre is at one half.
    offset = corner - (np.array(shape) - 1) / 2
    features: dict[str, float] = {}
    hulls: dict[bytes, float] = {}
    for region, members in REGION_LABELS.items():
        body = reduce(np.logical_or, (crop == label for label in members))
        values = _measure_body(body, spacing, offset, fov, hulls) if body.any() else {"has": 0.0}
        features.update({f"{name}_{region}": value for name, value in values.items()})
    return {column: features.get(column, SENTINEL) for column in COLUMNS}


def _measure_body(
    body: BoolArray, spacing: FloatArray, offset: FloatArray, fov: FloatArray, hulls: dict[bytes, float]
) -> dict[str, float]:
    """Features of one non-empty region by their names without the region."""
    voxels, centroid, covariance, box = _moments(body, spacing)
    body = body[box]
    sides = np.array(body.shape) * spacing
    area, volume = area_and_volume(body, spacing.tolist())
    location = (centroid + offset) * spacing / fov + 0.5
    elongation, flatness = _axis_ratios(covariance)
    return {
        "vol": float(np.log1p(voxels * spacing.prod())),
        **{f"loc_{letter}": float(location[axis]) for axis, letter in enumerate("xyz")},
        "sphericity": float(np.cbrt(36 * np.pi * volume**2) / area),
        "surface": float(np.log1p(area)),
        "solidity": float(min(1.0, volume / (hull_volume(body, hulls) * spacing.prod()))),
        "aspect_xy": float(min(sides[0], sides[1]) / max(sides[0], sides[1])),
        "aspect_xz": float(min(sides[0], sides[2]) / max(sides[0], sides[2])),
        "aspect_yz": float(min(sides[1], sides[2]) / max(sides[1], sides[2])),
        "elongation": elongation,
        "flatness": flatness,
        "has": 1.0,
    }


def _moments(body: BoolArray, spacing: FloatArray) -> tuple[int, FloatArray, FloatArray, tuple[slice, ...]]:
    """Voxel count, centroid (3,) in voxels, covariance (3, 3) in mm² and bounding box of the voxel centres.

    The three projections of the body hold all of it, which is several times faster than listing the voxels.
    """
    planes = {axes: body.sum(axis=3 - sum(axes), dtype=np.int32) for axes in ((0, 1), (0, 2), (1, 2))}
    profiles = [planes[0, 1].sum(axis=1), planes[0, 1].sum(axis=0), planes[0, 2].sum(axis=0)]
    voxels = int(profiles[0].sum())
    centroid = np.array([profile @ np.arange(len(profile)) / voxels for profile in profiles])
    from_centroid = [(np.arange(len(profiles[axis])) - centroid[axis]) * spacing[axis] for axis in range(3)]
    covariance = np.diag([profile @ x**2 for profile, x in zip(profiles, from_centroid, strict=True)]) / voxels
    for (first, second), plane in planes.items():
        product = from_centroid[first] @ plane @ from_centroid[second] / voxels
        covariance[first, second] = covariance[second, first] = product
    filled = [np.flatnonzero(profile) for profile in profiles]
    return voxels, centroid, covariance, tuple(slice(where[0], where[-1] + 1) for where in filled)


def _axis_ratios(covariance: FloatArray) -> tuple[float, float]:
    """Elongation and flatness (IBSI Q3CK and N17B): √ of minor and of least over major eigenvalue, each in [0, 1].

    One voxel has no direction, so both are 1 there; a straight line of voxels has 0 and 0, a flat layer has flatness 0.
    """
    least, minor, major = np.clip(np.linalg.eigvalsh(covariance), 0, None)
    if major == 0:
        return 1.0, 1.0
    return float(np.sqrt(minor / major)), float(np.sqrt(least / major))


def _cropped(labels: ArrayLike) -> tuple[NDArray[np.uint8], FloatArray, tuple[int, ...]]:
    """The mask cut to its tumour, the first index of the cut per axis, and the shape of the whole grid."""
    mask = np.asarray(labels)
    if mask.ndim != 3 or 0 in mask.shape:
        raise ValueError(
            f"mask: expected a 3-D array (x, y, z), found shape {mask.shape}; take one label map, no channels"
        )
    if mask.dtype == np.bool_:
        raise ValueError(
            "mask: expected integer labels, found bool, which is a region and no label map: True would count as "
            "necrotic core; give each voxel its label, 0 to 3"
        )
    if not np.issubdtype(mask.dtype, np.integer):
        raise ValueError(
            f"mask: expected integer labels, found {mask.dtype}; read it with semivae_bundle.data.masks.read_mask"
        )
    crop, corner = mask, []
    for axis in range(3):
        filled = np.flatnonzero(crop.any(axis=tuple(other for other in range(3) if other != axis)))
        start, stop = (int(filled[0]), int(filled[-1]) + 1) if filled.size else (0, 1)
        crop = crop[tuple(slice(start, stop) if other == axis else slice(None) for other in range(3))]
        corner.append(start)
    if crop.min() < 0 or crop.max() > 3:
        raise ValueError(
            f"mask: expected labels 0 to 3, found {np.unique(crop).tolist()}; "
            "map the file's labels on reading (label_map of the subject)"
        )
    return np.ascontiguousarray(crop, dtype=np.uint8), np.array(corner, dtype=np.float64), mask.shape


def _positive_triple(name: str, values: ArrayLike) -> FloatArray:
    triple = np.asarray(values, dtype=np.float64)
    if triple.shape != (3,) or not np.all(np.isfinite(triple) & (triple > 0)):
        raise ValueError(f"{name}: expected three positive lengths in mm (x, y, z), found {values!r}")
    return triple
