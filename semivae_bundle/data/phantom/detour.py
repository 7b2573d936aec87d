"""How tissue stands in a tumour's way: it spreads easily along white matter, hardly through fluid."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates
from skimage.graph import MCP_Geometric

from semivae_bundle.data.phantom.fields import Array, Grid
from semivae_bundle.data.phantom.tumour import Tumour

# Travel cost per mm in grey matter, white matter, fluid: oedema and infiltration follow white matter.
TRAVEL_COST = (2.2, 1.0, 5.0)
OUTSIDE_COST = 20.0
# Paths are found this far (mm) outside the brain, so that a finer grid can interpolate up to its surface.
REACHED_MM = 10.0


@dataclass(frozen=True)
class Detour:
    """How much farther the way from the foci is through the tissue than straight, in mm of white matter (X, Y, Z)."""

    values: Array
    grid: Grid

    def on(self, grid: Grid) -> Array:
        """Values at the voxel centres of another grid, by linear interpolation."""
        places = [(axis - own[0]) / self.grid.spacing for axis, own in zip(grid.axes, self.grid.axes, strict=True)]
        return map_coordinates(self.values, np.stack(np.meshgrid(*places, indexing="ij")), order=1, mode="nearest")


def find_detours(tumour: Tumour, anatomy: Array, grid: Grid) -> Detour:
    """Shortest paths (fast, on a coarse grid) from the foci round the intended centroid, minus the straight way."""
    depth = anatomy[3]
    cost = sum(c * t for c, t in zip(TRAVEL_COST, anatomy[:3], strict=True)) + np.where(depth < 0, OUTSIDE_COST, 0)
    cost[depth < -REACHED_MM] = -1  # never entered, which halves the time
    places = [tumour.centroid_mm + focus.offset * tumour.radius_mm for focus in tumour.foci]
    starts = [
        [
            int(np.clip(round((p - axis[0]) / grid.spacing), 0, len(axis) - 1))
            for p, axis in zip(place, grid.axes, strict=True)
        ]
        for place in places
    ]
    travelled, _ = MCP_Geometric(cost, sampling=(grid.spacing,) * 3).find_costs(starts)
    straight = np.min([distance(place, grid) for place in places], axis=0)
    farthest = travelled[np.isfinite(travelled)].max()
    return Detour(np.clip(travelled - straight, 0, farthest).astype(np.float32), grid)


def distance(place_mm: NDArray[np.float64], grid: Grid) -> Array:
    """Distance in mm from a place, (X, Y, Z)."""
    x, y, z = np.meshgrid(*(axis - p for axis, p in zip(grid.axes, place_mm, strict=True)), indexing="ij", sparse=True)
    return np.sqrt(x**2 + y**2 + z**2)
