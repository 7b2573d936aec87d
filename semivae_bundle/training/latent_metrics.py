"""What the latent space is worth: figures from the means of many subjects. Pure functions of NumPy arrays."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations

import numpy as np

from semivae_bundle.networks.partition import partition_slices

ACTIVE_VARIANCE = 0.01


def r2_per_feature(prediction: np.ndarray, target: np.ndarray, present: np.ndarray) -> np.ndarray:
    r"""Coefficient of determination $1 - \sum (y-\hat y)^2 / \sum (y-\bar y)^2$ of each feature over its present
    subjects.

    `prediction`, `target`, `present` (n, F) -> (F,), at most 1; NaN where fewer than three subjects have the feature.
    Per feature, never pooled: a constant per feature already scores above 0 when features with other means are pooled.
    """
    result = np.full(target.shape[1], np.nan)
    for f in range(target.shape[1]):
        rows = present[:, f] > 0
        if rows.sum() < 3:
            continue
        y, y_hat = target[rows, f].astype(np.float64), prediction[rows, f].astype(np.float64)
        # Counted from the first subject, a target that does not vary is exactly 0, not a rounding error.
        y, y_hat = y - y[0], y_hat - y[0]
        spread = np.square(y - y.mean()).sum()
        if spread > 1e-12 * np.square(y).sum():
            result[f] = 1 - np.square(y - y_hat).sum() / spread
    return result


def active_units(means: np.ndarray, threshold: float = ACTIVE_VARIANCE) -> np.ndarray:
    """Dimensions whose posterior mean varies over subjects by more than `threshold`: (n, L) -> (L,) bool.

    arXiv:1509.00519, section 5.1, with its threshold 0.01.
    """
    return np.asarray(means.var(axis=0) > threshold)


def correlation_matrix(means: np.ndarray) -> np.ndarray:
    """Pearson correlation between all latent dimensions: (n, L) -> (L, L); 0 for a constant dimension."""
    centred = means - means.mean(axis=0)
    scaled = centred / np.maximum(np.sqrt(np.square(centred).sum(axis=0)), 1e-12)
    return np.asarray(np.clip(scaled.T @ scaled, -1, 1))


def max_correlation(means: np.ndarray, partition: Mapping[str, int]) -> dict[tuple[str, str], float]:
    """Largest |Pearson r| between a dimension of one partition and one of another, per pair of partitions.

    `means` (n, L) -> in [0, 1]. Dimensions that are not active are left out: their correlation is noise. So is part
    of the rest: the largest of K independent pairs is about sqrt(2 ln K / n) by chance alone, so quote n beside it.
    """
    active, slices = active_units(means), partition_slices(partition)
    correlation = np.abs(correlation_matrix(means)) * np.outer(active, active)
    return {(a, b): float(correlation[slices[a], slices[b]].max()) for a, b in combinations(slices, 2)}
