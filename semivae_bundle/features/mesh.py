r"""Area, volume and convex hull of the marching-cubes surface of a binary body, without making the surface.

The surface at level 0.5 of a binary image is decided, cell by cell, by the 2 x 2 x 2 voxels at the cell's corners, of
which there are 256 configurations. scikit-image's `marching_cubes` draws each of them once; after that area and volume
are a weighted histogram of configurations: the same numbers to rounding, about ten times faster.

Known bias: the facets of a binary body lie in few directions, so its area exceeds that of the smooth body it stands
for. For a ball of radius 20 voxels the area is 8.5 to 8.8 % too large, depending on where its centre lies between
voxels, and the sphericity is 0.919 instead of 1; larger balls tend to 8.8 % and 0.919. PyRadiomics, which meshes in the
same way, shares the bias. It is left in, so that values compare.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import ConvexHull
from skimage.measure import marching_cubes

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

# The six edge midpoints around a voxel centre: those of them that are no mesh vertices lie inside the hull.
_HALF_STEPS = np.concatenate([np.eye(3), -np.eye(3)]) * 0.5


def area_and_volume(body: BoolArray, spacing_mm: Sequence[float]) -> tuple[float, float]:
    """Area in mm² and enclosed volume in mm³ of the surface of `body` (D, H, W), closed where it touches the border.

    The volume is that of the mesh, which cuts corners (one voxel becomes an octahedron of a sixth of its volume). It
    belongs with the mesh's area in a sphericity, and must not be confused with the volume by counting voxels.
    """
    counts = _configuration_counts(body)
    areas, flux, moment = _configuration_tables(tuple(float(side) for side in spacing_mm))
    # Divergence theorem: V = ∮ x dA_x, with x = slab index + position within the cell.
    volume = counts.sum(axis=0) @ moment + np.arange(len(counts)) @ (counts @ flux)
    return float(counts.sum(axis=0) @ areas), float(volume * np.prod(spacing_mm))


def hull_volume(body: BoolArray, known: dict[bytes, float] | None = None) -> float:
    """Volume of the convex hull of the mesh vertices of a non-empty `body` (D, H, W), in voxels.

    A mesh vertex is the midpoint between a voxel centre inside and its neighbour outside, so the hull is the one of the
    outermost voxel centres, each with its six half steps. It has a volume even for one voxel or a plane of them.
    `known` remembers hulls between the regions of one mask: oedema around a core has the hull of the whole tumour.
    """
    known = {} if known is None else known
    centres = _outermost_centres(body)
    outline = centres.tobytes()
    if outline not in known:
        vertices = centres[:, None, :] + _HALF_STEPS
        known[outline] = float(ConvexHull(vertices.reshape(-1, 3)).volume)
    return known[outline]


def _configuration_counts(body: BoolArray) -> NDArray[np.int64]:
    """How often the surface has each configuration in each slab of cells along the first axis: (D + 1, 256)."""
    code: NDArray[Any] = np.pad(body, 1).astype(np.uint8)
    code = code[:, :, :-1] | (code[:, :, 1:] << 1)
    code = code[:, :-1] | (code[:, 1:] << 2)
    code = code[:-1] | (code[1:] << 4)
    slabs, cells_per_slab = len(code), code[0].size
    code = code.ravel()
    # Only cells that the surface crosses count: neither all outside (0) nor all inside (255, which wraps to 0).
    crossed = np.flatnonzero(code + np.uint8(1) > 1)
    slab_and_code = code[crossed] + 256 * (crossed // cells_per_slab)
    return np.bincount(slab_and_code, minlength=256 * slabs).reshape(slabs, 256)


@lru_cache(maxsize=1)
def _configuration_triangles() -> list[FloatArray]:
    """Triangles (t, 3, 3) in voxels that marching cubes draws per configuration; bit 4i + 2j + k is voxel (i, j, k)."""
    triangles = [np.zeros((0, 3, 3))]
    for code in range(1, 255):
        voxels = np.array([code >> bit & 1 for bit in range(8)], dtype=np.float32).reshape(2, 2, 2)
        vertices, faces, _, _ = marching_cubes(voxels, level=0.5)
        triangles.append(vertices[faces].astype(np.float64))
    return [*triangles, np.zeros((0, 3, 3))]


@lru_cache(maxsize=64)
def _configuration_tables(spacing_mm: tuple[float, ...]) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Per configuration (256,): area in mm², flux Σ A_x and moment Σ x A_x in voxels (A points out of the body)."""
    areas, flux, moment = np.zeros((3, 256))
    for code, triangles in enumerate(_configuration_triangles()):
        normals = 0.5 * np.cross(triangles[:, 2] - triangles[:, 0], triangles[:, 1] - triangles[:, 0])
        # A stretched triangle's normal stretches with the product of the other two axes.
        stretch = np.prod(spacing_mm) / np.asarray(spacing_mm)
        areas[code] = np.linalg.norm(normals * stretch, axis=1).sum()
        flux[code] = normals[:, 0].sum()
        moment[code] = (normals[:, 0] * triangles[:, :, 0].mean(axis=1)).sum()
    return areas, flux, moment


def _outermost_centres(body: BoolArray) -> FloatArray:
    """Voxel centres (n, 3) among which all vertices of the hull of `body` are: a few hundred out of tens of thousands.

    A hull vertex is the top or bottom voxel of its column along the last axis, and strictly above (below) the middle of
    its two neighbours in each direction of the plane: otherwise it lies between other voxels of the body.
    """
    columns = body.any(axis=2)
    top = np.where(columns, body.shape[2] - 1 - body[:, :, ::-1].argmax(axis=2), -np.inf)
    bottom = np.where(columns, body.argmax(axis=2), np.inf)
    centres = []
    for heights, sign in ((top, 1), (-bottom, -1)):
        around = np.pad(heights, 1, constant_values=-np.inf)
        rows, cols = heights.shape
        keep = columns.copy()
        for i, j in ((1, 0), (0, 1), (1, 1), (1, -1)):
            ahead = around[1 + i : 1 + i + rows, 1 + j : 1 + j + cols]
            behind = around[1 - i : 1 - i + rows, 1 - j : 1 - j + cols]
            keep &= 2 * heights > ahead + behind
        x, y = np.nonzero(keep)
        centres.append(np.stack([x, y, sign * heights[x, y]], axis=1))
    return np.concatenate(centres)
