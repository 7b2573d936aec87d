"""Time and memory of measuring all features of all regions of one mask."""

from __future__ import annotations

import time
import tracemalloc
from functools import partial

import nibabel
import numpy as np
from benchmarks.timing import seconds
from scipy.ndimage import gaussian_filter

from semivae_bundle.features.measure import measure_mask

# Median total tumour of expert-labelled glioma cohorts (ln volume / mm³ = 11.3), and one among the largest.
MEDIAN_MM3, LARGE_MM3 = 80_000.0, 250_000.0


def features(mask: str | None = None, repeats: int = 20, seed: int = 0) -> None:
    """Measure rough nested tumours on a 128³ grid, or the label map in the file `mask` (labels 0 to 3, or 4 for ET).

    Run with OMP_NUM_THREADS=1 to time one core. The first call also builds the mesh tables, and is listed by itself.
    """
    size = 128
    cases: list[tuple[str, np.ndarray, tuple[float, float, float]]] = [
        ("median tumour at 1.875 mm", rough_tumour(size, MEDIAN_MM3 / 1.875**3, seed), (1.875,) * 3),
        ("median tumour at 1 mm", rough_tumour(size, MEDIAN_MM3, seed), (1.0,) * 3),
        ("large tumour at 1 mm", rough_tumour(size, LARGE_MM3, seed), (1.0,) * 3),
    ]
    if mask is not None:
        image = nibabel.load(mask)
        labels = np.asarray(image.dataobj).astype(np.uint8)
        labels[labels == 4] = 3
        cases = [(mask, labels, tuple(float(side) for side in image.header.get_zooms()[:3]))]
    start = time.perf_counter()
    measure_mask(np.ones((2, 2, 2), dtype=np.uint8), cases[0][2])
    print(f"first call, with the mesh tables: {1e3 * (time.perf_counter() - start):.1f} ms")
    print(f"{'mask':<28}{'grid':>13} {'voxels':>8} {'best':>6} {'median':>7} {'worst ms':>9} {'peak MiB':>9}")
    for name, labels, spacing in cases:
        times = [1e3 * seconds(partial(measure_mask, labels, spacing)) for _ in range(repeats)]
        grid = "x".join(map(str, labels.shape))
        print(
            f"{name[-28:]:<28} {grid:>13} {np.count_nonzero(labels):>8} {min(times):>6.1f} {np.median(times):>7.1f} "
            f"{max(times):>9.1f} {peak_mib(labels, spacing):>9.1f}"
        )


def rough_tumour(size: int, voxels: float, seed: int) -> np.ndarray:
    """Necrotic core inside a rim inside oedema with rough outlines, `voxels` in all: (size, size, size), uint8."""
    rng = np.random.default_rng(seed)
    place = np.indices((size,) * 3, dtype=np.float64) - np.reshape([0.55, 0.45, 0.5], (3, 1, 1, 1)) * size
    distance = np.sqrt(((place / np.reshape([1.0, 1.2, 0.9], (3, 1, 1, 1))) ** 2).sum(axis=0))
    radius = np.cbrt(3 * voxels / (4 * np.pi))
    noise = gaussian_filter(rng.standard_normal(distance.shape), sigma=3)
    distance += 0.15 * radius * noise / noise.std()
    thresholds = np.quantile(distance, np.array([1.0, 0.25, 0.12]) * voxels / distance.size)
    labels = np.zeros(distance.shape, dtype=np.uint8)
    for label, threshold in zip((2, 3, 1), thresholds, strict=True):
        labels[distance < threshold] = label
    return labels


def peak_mib(labels: np.ndarray, spacing: tuple[float, float, float]) -> float:
    """Most memory that one measurement allocates, in MiB."""
    tracemalloc.start()
    measure_mask(labels, spacing)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak / 2**20
