"""Scans as they should not come: what a novelty gate has to notice.

Each takes a pre-processed image (4, D, H, W), 0 outside the brain, and returns a new one of the same shape, changed in
the one way that its name says. A real scan is z-scored after the mishap: `standardised` does that, as the
pre-processing would.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

Image = NDArray[np.float32]
Mask = NDArray[np.bool_]


def brain_of(image: Image) -> Mask:
    """Where any channel is not 0: (D, H, W)."""
    return np.asarray((image != 0).any(axis=0))


def standardised(image: Image) -> Image:
    """Each channel z-scored over the brain, 0 elsewhere."""
    inside = brain_of(image)
    values = image[:, inside].astype(np.float64)
    centred = values - values.mean(axis=1, keepdims=True)
    result = np.zeros_like(image)
    result[:, inside] = centred / np.maximum(centred.std(axis=1, keepdims=True), 1e-8)
    return result


def swapped_modalities(image: Image, *, first: int, second: int) -> Image:
    """Two channels under each other's name."""
    result = image.copy()
    result[[first, second]] = image[[second, first]]
    return result


def flipped(image: Image, *, axis: int) -> Image:
    """Mirrored along axis 0 (left-right), 1 (front-back) or 2 (head-foot): a header that lies."""
    return np.ascontiguousarray(np.flip(image, axis=axis + 1))


def with_skull(image: Image, *, thickness: int, brightness: float) -> Image:
    """A shell of `thickness` voxels round the brain, `brightness` standard deviations bright in every channel."""
    inside = brain_of(image)
    shell = binary_dilation(inside, iterations=thickness) & ~inside
    result = image.copy()
    result[:, shell] = brightness
    return result


def with_wrong_intensity(image: Image, *, power: float) -> Image:
    """Intensities of each channel, scaled to (0, 1] over the brain, raised to `power`: a wrong window or unit."""
    inside = brain_of(image)
    result = image.copy()
    values = image[:, inside]
    low, high = values.min(axis=1, keepdims=True), values.max(axis=1, keepdims=True)
    # Never 0, which would no longer be brain.
    scaled = np.clip((values - low) / np.maximum(high - low, 1e-8), 1e-3, 1)
    result[:, inside] = scaled**power
    return result


def with_noise(image: Image, *, std: float, rng: np.random.Generator) -> Image:
    """Gaussian noise of `std` standard deviations of the brain, inside the brain only."""
    return np.asarray(image + std * rng.standard_normal(image.shape, dtype=np.float32) * brain_of(image), np.float32)


def another_organ(image: Image, *, count: int, rng: np.random.Generator) -> Image:
    """Not a brain: an ellipsoid as wide as the field of view with `count` smaller ones in it, each of its own grey."""
    shape = image.shape[1:]
    grid = np.stack(np.meshgrid(*[np.linspace(-1, 1, side) for side in shape], indexing="ij"))

    def ellipsoid(centre: NDArray[np.float64], radii: NDArray[np.float64]) -> Mask:
        offset = (grid - centre[:, None, None, None]) / radii[:, None, None, None]
        return np.asarray(np.square(offset).sum(axis=0) < 1)

    body = ellipsoid(np.zeros(3), np.array([0.9, 0.6, 0.95]))
    result = np.zeros_like(image)
    result[:, body] = 1
    for _ in range(count):
        part = ellipsoid(rng.uniform(-0.5, 0.5, 3), rng.uniform(0.1, 0.4, 3)) & body
        result[:, part] = rng.uniform(0.2, 3, size=(len(image), 1))
    return result


def shuffled_blocks(image: Image, *, side: int, rng: np.random.Generator) -> Image:
    """The volume cut into cubes of `side` voxels, put together in random order; the voxels stay, their places do not.

    Raises ValueError where the sides are no multiples of `side`.
    """
    shape = image.shape[1:]
    if any(length % side for length in shape):
        raise ValueError(f"side: expected a divisor of each of {shape}, found {side}")
    d, h, w = (length // side for length in shape)
    blocks = image.reshape(-1, d, side, h, side, w, side).transpose(1, 3, 5, 0, 2, 4, 6).reshape(d * h * w, -1)
    shuffled = blocks[rng.permutation(len(blocks))].reshape(d, h, w, -1, side, side, side)
    return np.ascontiguousarray(shuffled.transpose(3, 0, 4, 1, 5, 2, 6).reshape(image.shape))


def without_tumour(image: Image, tumour: Mask) -> Image:
    """The tumour (D, H, W) filled with what lies opposite, on the other side of the brain; with the channel's median
    where that is tumour too or outside.
    """
    inside, opposite = brain_of(image), np.flip(image, axis=1)
    usable = tumour & np.flip(inside & ~tumour, axis=0)
    healthy = inside & ~tumour
    result = image.copy()
    if healthy.any():
        result[:, tumour & inside] = np.median(image[:, healthy], axis=1)[:, None]
    result[:, usable & inside] = opposite[:, usable & inside]
    return result
