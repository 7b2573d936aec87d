"""Vectors that describe one scan's image, without a network: what a novelty gate compares with the usual ones."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.evaluation.channel_profile import channel_orders, channel_profile
from semivae_bundle.evaluation.conformal import FloatArray
from semivae_bundle.evaluation.grain_profile import grain_profile
from semivae_bundle.evaluation.histogram_profile import histogram_profile
from semivae_bundle.evaluation.outline_profile import outline_profile

HISTOGRAM, GRAIN, OUTLINE, CHANNELS = "histogram_distance", "grain_distance", "outline_distance", "channel_doubt"
# Whose score is the distance from the usual ones over the least distance that another order of its numbers would have.
REORDERED = {CHANNELS: channel_orders(len(MODALITIES))}


def scan_profiles(image: NDArray[np.float32]) -> dict[str, FloatArray]:
    """Image (4, D, H, W), z-scored, 0 outside the brain -> profile per score, named by the score made of it."""
    brain = np.asarray((image != 0).any(axis=0))
    values = image[:, brain]
    return {
        HISTOGRAM: histogram_profile(values),
        GRAIN: grain_profile(image, brain),
        OUTLINE: outline_profile(brain),
        CHANNELS: channel_profile(values),
    }
