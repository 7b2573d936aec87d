"""Everything an image shows besides the labels: vessels, choroid plexus, gliosis, the rind that stripping leaves."""

import numpy as np
from scipy.ndimage import gaussian_filter

from semivae_bundle.data.phantom.fields import Array, Grid, draw_field
from semivae_bundle.data.phantom.lesion import Lesion, Mask

VESSEL_RADIUS_MM = 1.3
# Fluid this deep (mm) is in the ventricles.
VENTRICLE_DEPTH_MM = 22.0


def compose_tissues(rng: np.random.Generator, anatomy: Array, lesion: Lesion, grid: Grid) -> Array:
    """Fractions of the nine tissues of `contrast.TISSUES` in each voxel, (9, X, Y, Z).

    They sum to one in the brain, but for a few voxels in a thousand where vessels, gliosis, rind and lesion overlap,
    up to 1.2.
    """
    fluid, depth = anatomy[2], anatomy[3]
    healthy = anatomy[:3] * (1 - lesion.fractions.sum(axis=0))
    ventricles = fluid * (depth > VENTRICLE_DEPTH_MM)
    gliosis = draw_gliosis(rng, ventricles, grid) * healthy[1]
    vessel = draw_vessels(rng, ventricles, depth, grid) * healthy.sum(axis=0)
    rind = 1 / (1 + np.exp(np.clip(depth / np.float32(0.4 * grid.spacing), -20, 20)))
    healthy[1] -= gliosis
    others = np.concatenate([healthy * (1 - vessel), lesion.fractions])
    return np.concatenate([others * (1 - rind), [vessel, rind, gliosis]])


def draw_vessels(rng: np.random.Generator, ventricles: Array, depth: Array, grid: Grid) -> Array:
    """Share of vessels and choroid plexus in each voxel: tubes near the surface, tufts in the ventricles."""
    one, two, tufts = (draw_field(rng, knot).on(grid) for knot in (16.0, 16.0, 9.0))
    # The fields change by one over about 10 mm. A voxel wider than the vessel shows it wider and fainter.
    radius = max(VESSEL_RADIUS_MM, 0.5 * grid.spacing)
    faintness = (VESSEL_RADIUS_MM / radius) ** 2
    tubes = np.exp(-(one**2 + two**2) / np.float32(2 * (radius / 10) ** 2)) * (depth < rng.uniform(6, 16))
    plexus = ventricles * np.clip(tufts - 0.8, 0, 0.7) * rng.uniform(0, 1)
    return np.clip(np.float32(faintness * rng.uniform(0.2, 1.0)) * tubes + plexus, 0, 1)


def draw_gliosis(rng: np.random.Generator, ventricles: Array, grid: Grid) -> Array:
    """Share of white matter turned bright in FLAIR, as with age: caps on the ventricles and scattered spots."""
    if rng.random() < 0.5:
        return np.zeros_like(ventricles)
    caps = gaussian_filter(ventricles, 4.0 / grid.spacing, truncate=3)
    spots = np.clip(draw_field(rng, max(6.0, grid.spacing)).on(grid) - rng.uniform(1.6, 2.6), 0, 1)
    return np.clip(rng.uniform(0, 1.2) * caps + spots, 0, 0.8)


def draw_stripping(rng: np.random.Generator, depth: Array, tumour: Mask, grid: Grid) -> Array:
    """What skull-stripping keeps of each voxel, in [0, 1], (X, Y, Z): the brain within a millimetre or two.

    The edge is sharp, as in a scan's own voxels, or fades over up to a voxel, as after resampling. Now and then the
    stem is cut off. The `tumour` (X, Y, Z) is never cut away, so that the mask lies inside the brain.
    """
    cut = rng.normal(0.8, 0.8) + rng.uniform(0.3, 1.3) * draw_field(rng, 18.0).on(grid)
    fade = max(rng.uniform(-0.4, 1.1), 0.01) * grid.spacing
    kept = np.clip((depth - cut) / np.float32(fade) + 0.5, 0, 1)
    if rng.random() < 0.3:
        lowest = grid.axes[2][np.flatnonzero((kept > 0).any(axis=(0, 1)))[0]]
        kept *= grid.axes[2] > lowest + rng.uniform(2, 16)
    return np.maximum(kept, 0.5 * tumour)
