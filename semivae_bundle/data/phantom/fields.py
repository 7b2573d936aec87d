"""Smooth random fields in millimetres, which any grid can sample."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

# Half the side of the cube that fields cover; brains lie within it, whatever the image size.
REACH_MM = 118.0


@dataclass(frozen=True)
class Grid:
    """Voxel centres of a box, one array of millimetres per axis (x, y, z; RAS), relative to the centre of the image."""

    axes: tuple[Array, Array, Array]
    spacing: float

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along x, y, z."""
        x, y, z = self.axes
        return len(x), len(y), len(z)


def image_grid(size: int, spacing: float) -> Grid:
    """The whole image: a cube of `size` voxels a side, `spacing` mm each."""
    axis = ((np.arange(size) - (size - 1) / 2) * spacing).astype(np.float32)
    return Grid((axis, axis, axis), spacing)


def slices_within(
    grid: Grid, low_mm: NDArray[np.floating], high_mm: NDArray[np.floating]
) -> tuple[slice, slice, slice]:
    """The part of the grid between two corners in mm, as slices; empty along an axis the corners do not reach."""
    bounds = [np.searchsorted(axis, (low, high)) for axis, low, high in zip(grid.axes, low_mm, high_mm, strict=True)]
    x, y, z = (slice(int(start), int(stop)) for start, stop in bounds)
    return x, y, z


def sub_grid(grid: Grid, part: tuple[slice, slice, slice]) -> Grid:
    """The grid of a part of the image."""
    x, y, z = (axis[piece] for axis, piece in zip(grid.axes, part, strict=True))
    return Grid((x, y, z), grid.spacing)


def cubic_basis(positions_mm: Array, knot_mm: float, start_mm: float, knots: int) -> Array:
    """Weights (positions, knots) of uniform cubic B-splines; rows are scaled so that white noise keeps variance one."""
    place = np.clip((positions_mm - start_mm) / knot_mm, 1, knots - 3 - 1e-4)
    left = place.astype(int)
    t = place - left
    pieces = [(1 - t) ** 3, 3 * t**3 - 6 * t**2 + 4, -3 * t**3 + 3 * t**2 + 3 * t + 1, t**3]
    basis = np.zeros((len(positions_mm), knots), dtype=np.float32)
    for offset, piece in enumerate(pieces):
        np.put_along_axis(basis, (left + offset - 1)[:, None], piece[:, None] / 6, axis=1)
    return basis / np.sqrt((basis**2).sum(axis=1, keepdims=True))


@dataclass(frozen=True)
class SmoothField:
    """White noise on a lattice of knots, interpolated by cubic B-splines: mean 0, variance 1, smooth over `knot_mm`.

    It lives in space, not on a grid: the same field is sampled at 1 mm and at 5 mm.
    """

    noise: Array
    knot_mm: float
    centre_mm: tuple[float, float, float]

    def on(self, grid: Grid) -> Array:
        """Values at the voxel centres of a grid, (X, Y, Z)."""
        values = self.noise
        for axis_mm, centre, knots in zip(grid.axes, self.centre_mm, self.noise.shape, strict=True):
            start = centre - (knots - 1) / 2 * self.knot_mm
            basis = cubic_basis(axis_mm, self.knot_mm, start, knots)
            # Contracts the first axis and appends the sampled one: after three rounds the order is x, y, z again.
            values = np.tensordot(values, basis, axes=(0, 1))
        return np.ascontiguousarray(values)


def draw_field(
    rng: np.random.Generator,
    knot_mm: float,
    *,
    centre_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
    reach_mm: float = REACH_MM,
) -> SmoothField:
    """A smooth field over a cube of half-width `reach_mm`; beyond it the border values go on."""
    knots = 2 * int(np.ceil(reach_mm / knot_mm)) + 5
    return SmoothField(rng.standard_normal((knots, knots, knots), dtype=np.float32), knot_mm, centre_mm)
