"""What real brains show and the average one lacks: crisp folds, wide sulci, fluid on the surface, rough stripping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from semivae_bundle.data.phantom.contrast import STYLES, TISSUES
from semivae_bundle.data.phantom.fields import Array, Grid, draw_field
from semivae_bundle.data.phantom.lesion import Mask
from semivae_bundle.data.phantom.tissue import draw_stripping

GREY, WHITE, FLUID, RIND = (TISSUES.index(name) for name in ("grey", "white", "fluid", "rind"))
# Fluid above this depth (mm) is in sulci or on the surface.
SURFACE_DEPTH_MM = np.float32(14.0)


@dataclass(frozen=True)
class Variety:
    """Ranges, lowest and highest, that every scan draws from evenly.

    `style`: of the contrasts, as in `draw_contrast`. `crispness`: a power of the fractions of grey, white and fluid;
    above 1 their borders sharpen. `sulci`: logarithm by which the fluid's power falls, so that it takes more of the
    voxels it shares. `sulci_spread`: SD of that from place to place. `coat_mm`: thickness of a layer of fluid on the
    brain. `drained`: share of the fluid near the surface that stripping takes away. Of these three a negative draw
    means none. `cut_mm`: how much deeper stripping cuts than `draw_stripping`; negative, it leaves what lies on the
    brain.
    """

    style: str
    crispness: Sequence[float]
    sulci: Sequence[float]
    sulci_spread: Sequence[float]
    coat_mm: Sequence[float]
    drained: Sequence[float]
    cut_mm: Sequence[float]

    def __post_init__(self) -> None:
        if self.style not in STYLES:
            raise ValueError(f"synthesis: style: expected one of {', '.join(STYLES)}, found {self.style!r}")
        for name in ("crispness", "sulci", "sulci_spread", "coat_mm", "drained", "cut_mm"):
            ends = list(getattr(self, name))
            if len(ends) != 2 or ends[0] > ends[1]:
                raise ValueError(f"synthesis: {name}: expected the lowest and the highest value, found {ends}")


def drawn(rng: np.random.Generator, ends: Sequence[float]) -> float:
    """A number between two ends."""
    low, high = ends
    return float(rng.uniform(low, high))


def vary_tissues(rng: np.random.Generator, tissues: Array, depth: Array, grid: Grid, variety: Variety) -> Array:
    """Other folds in the same head: fractions (9, X, Y, Z). The tumour and the sum of each voxel stay."""
    width = drawn(rng, variety.sulci) + max(drawn(rng, variety.sulci_spread), 0) * draw_field(rng, 10.0).on(grid)
    crispness = np.float32(drawn(rng, variety.crispness))
    coat_mm = np.float32(max(drawn(rng, variety.coat_mm), 0)) * np.exp(np.float32(0.4) * draw_field(rng, 18.0).on(grid))
    healthy = tissues[[GREY, WHITE, FLUID]]
    total = healthy.sum(axis=0)
    shares = healthy / np.maximum(total, np.float32(1e-6))
    shares[:2] **= crispness
    shares[2] **= crispness * np.exp(np.float32(-1) * np.clip(width, -1, 2))
    shares *= total / np.maximum(shares.sum(axis=0), np.float32(1e-6))
    coat = np.clip((coat_mm - depth) / np.float32(grid.spacing) + np.float32(0.5), 0, 1) * (coat_mm > 0)
    result = tissues.copy()
    result[[GREY, WHITE, FLUID]] = shares * (1 - coat)
    result[RIND] *= 1 - coat
    result[FLUID] += coat * (total + tissues[RIND])
    return result


def vary_stripping(
    rng: np.random.Generator, tissues: Array, depth: Array, tumour: Mask, grid: Grid, variety: Variety
) -> Array:
    """What is kept of each voxel, in [0, 1], (X, Y, Z): now and then more is cut off, or the sulci are emptied."""
    kept = draw_stripping(rng, depth - np.float32(drawn(rng, variety.cut_mm)), tumour, grid)
    drained = np.float32(max(drawn(rng, variety.drained), 0))
    kept *= 1 - drained * tissues[FLUID] * (depth < SURFACE_DEPTH_MM)
    # Half-empty voxels are background where stripping is a mask, as it is in a scan's own voxels.
    kept *= kept > 0.5 * drained
    return np.maximum(kept, 0.5 * tumour)
