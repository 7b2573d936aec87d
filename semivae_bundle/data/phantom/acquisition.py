"""From tissue to an image: bias field, blur, noise, ringing, a field of view that may be too short, arbitrary units."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d

from semivae_bundle.data.phantom.fields import Array, Grid, draw_field

HIGHEST_INTENSITY = 32000


@dataclass(frozen=True)
class Scanner:
    """One channel's acquisition: log-amplitude of the bias field, blur (SD, mm per axis), noise (SD at 1 mm), overshoot
    at edges, units per unit of signal, and slabs left out at the lower and upper end (mm).
    """

    bias: float
    blur_mm: tuple[float, float, float]
    noise: float
    ringing: float
    scale: float
    short_mm: tuple[float, float]


def draw_scanner(rng: np.random.Generator) -> Scanner:
    """Settings of one channel: often 2-D with thick slices, seldom one that misses an end of the brain."""
    blur = rng.uniform(0.3, 0.9, 3)
    if rng.random() < 0.5:
        blur[rng.choice(3, p=(0.15, 0.15, 0.7))] = rng.uniform(1.0, 3.0)
    short = rng.uniform(3, 14, 2) * (rng.random(2) < 0.02)
    return Scanner(
        bias=float(rng.uniform(0.0, 0.15)),
        blur_mm=(float(blur[0]), float(blur[1]), float(blur[2])),
        noise=float(np.exp(rng.uniform(np.log(0.006), np.log(0.06)))),
        ringing=float(max(rng.uniform(-0.4, 0.5), 0)),
        scale=float(np.exp(rng.uniform(np.log(150), np.log(1200)))),
        short_mm=(float(short[0]), float(short[1])),
    )


def acquire(rng: np.random.Generator, signal: Array, kept: Array, grid: Grid, scanner: Scanner) -> NDArray[np.int16]:
    """An image (X, Y, Z) from the tissue's signal; `kept` is what skull-stripping left of each voxel: none, zero."""
    image = signal * np.exp(np.float32(scanner.bias) * draw_field(rng, 55.0).on(grid))
    for axis, sigma in enumerate(scanner.blur_mm):
        if sigma / grid.spacing > 0.35:
            image = gaussian_filter1d(image, sigma / grid.spacing, axis=axis, truncate=3)
    # A coarse voxel averages noise too, though less than its volume says: resampled noise is correlated.
    noise = np.float32(scanner.noise / max(grid.spacing, 1.0))
    parts = rng.standard_normal((2, *image.shape), dtype=np.float32) * noise
    image = np.sqrt((image + parts[0]) ** 2 + parts[1] ** 2) * kept
    if scanner.ringing > 0:
        smooth = image
        for axis in range(3):
            smooth = gaussian_filter1d(smooth, 0.7, axis=axis, truncate=2)
        image = (image + np.float32(scanner.ringing) * (image - smooth)) * (kept > 0)
    image *= covered(kept, grid, scanner.short_mm)
    return np.clip(np.rint(image * scanner.scale), -HIGHEST_INTENSITY, HIGHEST_INTENSITY).astype(np.int16)


def covered(kept: Array, grid: Grid, short_mm: tuple[float, float]) -> NDArray[np.bool_]:
    """Which layers along z the field of view covers, (Z,)."""
    height = grid.axes[2]
    occupied = height[np.flatnonzero((kept > 0).any(axis=(0, 1)))]
    return (height >= occupied[0] + short_mm[0]) & (height <= occupied[-1] - short_mm[1])
