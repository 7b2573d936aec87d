"""Contrasts: how bright each tissue is in each of the four channels."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from semivae_bundle.data.subjects import MODALITIES

TISSUES = ("grey", "white", "fluid", "ncr", "ed", "et", "vessel", "rind", "gliosis")
STYLES = ("standard", "random", "mixed")

# Rows: channels; columns: tissues; white matter in t1n is 1. Typical of BraTS images.
STANDARD = np.array(
    [
        [0.82, 1.00, 0.38, 0.66, 0.86, 1.42, 1.60, 1.00, 0.92],
        [0.76, 1.00, 0.32, 0.64, 0.82, 0.74, 0.80, 0.55, 0.88],
        [0.95, 0.82, 0.22, 1.25, 1.42, 1.35, 0.70, 0.55, 1.25],
        [0.64, 0.52, 1.85, 1.20, 0.96, 0.98, 0.45, 0.90, 0.76],
    ]
)
# Spread of the logarithm between scanners and patients, per tissue.
JITTER = np.array([0.07, 0.07, 0.20, 0.27, 0.15, 0.18, 0.25, 0.35, 0.12])
# Spread within a tissue, as a share of its mean: lowest and highest.
TEXTURE_LOW = np.array([0.01, 0.01, 0.02, 0.04, 0.03, 0.05, 0.02, 0.05, 0.03])
TEXTURE_HIGH = np.array([0.03, 0.03, 0.08, 0.16, 0.10, 0.20, 0.05, 0.15, 0.10])
DRAWN_LOW, DRAWN_HIGH = 0.1, 1.7
# Pairs of tissues that some channel must tell apart, else the labels would mean nothing: (tissue, tissue, channels).
DISTINCT = ((4, 1, (2, 3)), (4, 0, (2, 3)), (5, 4, (0, 1)), (3, 5, (0, 1, 2, 3)))
LEAST_DIFFERENCE = 0.22


@dataclass(frozen=True)
class Contrast:
    """`mean`, `texture` (4 channels, 9 tissues): intensity and its spread within the tissue; white matter t1n about 1.

    `gamma` (4,): a power applied to each channel, as scanners and post-processing do.
    """

    kind: str
    strength: float
    mean: NDArray[np.float64]
    texture: NDArray[np.float64]
    gamma: NDArray[np.float64]


def draw_contrast(rng: np.random.Generator, style: str) -> Contrast:
    """Contrasts of one scan. `standard`: as in BraTS, with the spread between scanners; `random`: part of the way,
    drawn per scan, from there to wholly random (SynthSeg, arXiv:2107.09559); `mixed`: either, evenly.
    """
    kind = style if style != "mixed" else ("standard", "random")[int(rng.random() < 0.5)]
    strength = float(rng.uniform(0.25, 1.0)) if kind == "random" else 0.0
    mean = draw_means(rng, strength)
    for _ in range(30):
        if tells_apart(mean):
            break
        mean = draw_means(rng, strength)
    texture = mean * rng.uniform(TEXTURE_LOW, TEXTURE_HIGH, STANDARD.shape)
    gamma = np.exp(rng.normal(0, 0.08 + 0.15 * strength, len(MODALITIES)))
    return Contrast(kind, strength, mean, texture, gamma)


def draw_means(rng: np.random.Generator, strength: float) -> NDArray[np.float64]:
    """Mean intensities (4, 9): standard ones with jitter, mixed with random ones by `strength` in [0, 1]."""
    standard = STANDARD * np.exp(rng.normal(0, 1, STANDARD.shape) * JITTER)
    return (1 - strength) * standard + strength * rng.uniform(DRAWN_LOW, DRAWN_HIGH, STANDARD.shape)


def tells_apart(mean: NDArray[np.float64]) -> bool:
    """Whether oedema differs from healthy tissue, and the parts of the tumour from each other, in some channel."""
    return all(np.abs(mean[list(rows), a] - mean[list(rows), b]).max() > LEAST_DIFFERENCE for a, b, rows in DISTINCT)
