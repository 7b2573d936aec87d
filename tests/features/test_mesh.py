"""Area, volume and hull equal those of scikit-image's mesh."""

import numpy as np
import pytest
from scipy.spatial import ConvexHull
from skimage.measure import marching_cubes, mesh_surface_area

from semivae_bundle.features.mesh import area_and_volume, hull_volume

SPACINGS = [(1.0, 1.0, 1.0), (1.0, 1.0, 5.0), (0.7, 2.0, 1.3)]


def rough_body(seed: int, share: float = 0.4) -> np.ndarray:
    """Random voxels: they hold all configurations, also the ambiguous ones."""
    return np.random.default_rng(seed).random((9, 8, 7)) < share


def reference(body: np.ndarray, spacing: tuple[float, float, float]) -> tuple[float, float, np.ndarray]:
    vertices, faces, _, _ = marching_cubes(np.pad(body, 1).astype(np.float32), 0.5, spacing=spacing)
    a, b, c = vertices.astype(np.float64)[faces].transpose(1, 0, 2)
    return mesh_surface_area(vertices, faces), abs(np.einsum("ij,ij->", a, np.cross(b, c)) / 6), vertices


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("share", [0.1, 0.4, 0.9])
def test_area_and_volume_equal_those_of_marching_cubes(spacing, share):
    body = rough_body(0, share)
    area, volume, _ = reference(body, spacing)
    assert area_and_volume(body, spacing) == pytest.approx((area, volume), rel=1e-6)


@pytest.mark.parametrize("seed", range(5))
def test_hull_is_that_of_the_mesh_vertices(seed):
    body = rough_body(seed, 0.05)
    _, _, vertices = reference(body, (1, 1, 1))
    assert hull_volume(body) == pytest.approx(ConvexHull(vertices).volume, rel=1e-6)


def test_hull_of_a_ball_is_that_of_the_mesh_vertices():
    x, y, z = np.indices((27, 27, 27)) - 13.3
    body = x**2 + 1.5 * y**2 + 2 * z**2 < 144
    _, _, vertices = reference(body, (1, 1, 1))
    assert hull_volume(body) == pytest.approx(ConvexHull(vertices).volume, rel=1e-6)


def test_one_voxel_is_an_octahedron():
    body = np.ones((1, 1, 1), dtype=bool)
    area, volume = area_and_volume(body, (1, 1, 1))
    assert (area, volume) == pytest.approx((np.sqrt(3), 1 / 6), rel=1e-6)
    assert hull_volume(body) == pytest.approx(1 / 6, rel=1e-12)


def test_known_hulls_are_not_computed_again():
    known: dict[bytes, float] = {}
    hull_volume(np.ones((3, 3, 3), dtype=bool), known)
    known[next(iter(known))] = 7.0
    assert hull_volume(np.ones((3, 3, 3), dtype=bool), known) == 7.0
