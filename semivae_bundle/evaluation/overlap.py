"""How well the decoded tumour map agrees with the mask: overlap and volume of each region."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semivae_bundle.features.schema import REGION_LABELS

Labels = NDArray[np.uint8]


def label_map(scores: NDArray[np.float32]) -> Labels:
    """The likeliest class of each voxel: (4, D, H, W) for background, NCR, ED, ET -> (D, H, W) in 0..3."""
    return np.argmax(scores, axis=0).astype(np.uint8)


def with_background(regions: NDArray[np.float32]) -> NDArray[np.float32]:
    """Fractions of NCR, ED, ET (3, D, H, W) -> fractions of all four classes (4, D, H, W), background first."""
    return np.concatenate([1 - regions.sum(axis=0, keepdims=True), regions])


def dice(prediction: NDArray[np.bool_], target: NDArray[np.bool_]) -> float:
    """2 |A ∩ B| / (|A| + |B|) in [0, 1]; NaN where the target is empty: what is not there cannot be overlapped."""
    if not target.any():
        return float("nan")
    return float(2 * np.count_nonzero(prediction & target) / (np.count_nonzero(prediction) + np.count_nonzero(target)))


def dice_per_region(prediction: Labels, target: Labels) -> dict[str, float]:
    """Dice of total, core, ncr, ed and et between two label maps (D, H, W); NaN where the target lacks the region."""
    return {
        region: dice(np.isin(prediction, labels), np.isin(target, labels)) for region, labels in REGION_LABELS.items()
    }


def volume_per_region(fractions: NDArray[np.float32], voxel_mm3: float) -> dict[str, float]:
    """Volume of each region in mm³ from class fractions (4, D, H, W), background first.

    Summed, not counted after a threshold: a thin rim that fills no voxel has a volume still.
    """
    sums = fractions.reshape(len(fractions), -1).sum(axis=1, dtype=np.float64) * voxel_mm3
    return {region: float(sums[list(labels)].sum()) for region, labels in REGION_LABELS.items()}


def counted_volume_per_region(labels: Labels, voxel_mm3: float) -> dict[str, float]:
    """Volume of each region in mm³ by counting the voxels of a label map of any shape."""
    counts = np.bincount(labels.ravel(), minlength=4)
    return {region: float(counts[list(wanted)].sum() * voxel_mm3) for region, wanted in REGION_LABELS.items()}
