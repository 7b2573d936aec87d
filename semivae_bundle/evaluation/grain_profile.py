"""How rough each channel is from voxel to voxel: noise, blur and ringing."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_erosion, laplace

from semivae_bundle.evaluation.conformal import FloatArray

SMOOTHEST = 1e-3  # standard deviations; keeps the logarithm of a constant channel finite


def grain_profile(image: NDArray[np.float32], brain: NDArray[np.bool_]) -> FloatArray:
    """Image (C, D, H, W) in standard deviations of the brain (D, H, W) -> (C * 3,): per channel ln of the median
    |Laplacian|, of the mean squared gradient and of the median gradient, per voxel.

    The median Laplacian is an estimate of the noise (Immerkaer 1996, doi:10.1006/cviu.1996.0060) that edges hardly
    move; mean and median gradient tell edges from grain. Only voxels with all six neighbours in the brain count.
    """
    core = binary_erosion(brain)
    inside = core if core.any() else brain
    rows = []
    for channel in image.astype(np.float64):
        squared = np.sum([np.square(slope[inside]) for slope in np.gradient(channel)], axis=0)
        rows.append([np.median(np.abs(laplace(channel)[inside])), squared.mean(), np.median(np.sqrt(squared))])
    return np.log(np.array(rows) + SMOOTHEST).ravel()
