"""Vectors that describe one scan's image, without a network: what a novelty gate compares with the usual ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.evaluation.channel_profile import channel_orders, channel_profile
from semivae_bundle.evaluation.conformal import FloatArray
from semivae_bundle.evaluation.grain_profile import grain_profile
from semivae_bundle.evaluation.histogram_profile import histogram_profile
from semivae_bundle.evaluation.outline_profile import outline_profile, outline_signs
from semivae_bundle.evaluation.profile_distance import Readings

HISTOGRAM, GRAIN, OUTLINE = "histogram_distance", "grain_distance", "outline_distance"
TURNED, CHANNELS = "turned_doubt", "channel_doubt"
_ORDERS, _SIGNS = channel_orders(len(MODALITIES)), outline_signs()
# Whose score is a doubt: the distance over the least that a mistaken scan would have.
READINGS = {
    TURNED: Readings(np.tile(np.arange(_SIGNS.shape[1]), (len(_SIGNS), 1)), _SIGNS),
    CHANNELS: Readings(_ORDERS, np.ones(_ORDERS.shape)),
}


def scan_profiles(image: NDArray[np.float32]) -> dict[str, FloatArray]:
    """Image (4, D, H, W), z-scored, 0 outside the brain -> profile per score, named by the score made of it."""
    brain = np.asarray((image != 0).any(axis=0))
    values, outline = image[:, brain], outline_profile(brain)
    return {
        HISTOGRAM: histogram_profile(values),
        GRAIN: grain_profile(image, brain),
        OUTLINE: outline,
        TURNED: outline,
        CHANNELS: channel_profile(values),
    }
