"""What z-scoring leaves of a channel's intensities: the form of their distribution over the brain."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semivae_bundle.evaluation.conformal import FloatArray

PERCENTILES = (1, 5, 25, 50, 75, 95, 99)
NARROWEST = 1e-3  # of a z-scored channel; a missing one has no spread at all


def histogram_profile(values: NDArray[np.float32]) -> FloatArray:
    """Intensities of the brain (C, N) -> (C * 10,): per channel, in standard deviations from its mean, PERCENTILES;
    skewness; ln of the kurtosis; ln of (99 % - 50 %) / (50 % - 1 %).

    A linear change of intensities changes none of them; a wrong window, a power law or a unit cut off do.
    """
    exact = values.astype(np.float64)
    centred = exact - exact.mean(axis=1, keepdims=True)
    z = centred / np.maximum(centred.std(axis=1, keepdims=True), NARROWEST)
    places = np.percentile(z, PERCENTILES, axis=1).T
    low, middle, high = places[:, 0], places[:, PERCENTILES.index(50)], places[:, -1]
    lean = np.log((high - middle + NARROWEST) / (middle - low + NARROWEST))
    skewness, kurtosis = (z**3).mean(axis=1), (z**4).mean(axis=1)
    return np.concatenate(
        [places, skewness[:, None], np.log(kurtosis + NARROWEST)[:, None], lean[:, None]], axis=1
    ).ravel()
