"""Multi-scale structural similarity over the brain: are edges and coarse forms both where they belong?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch.nn.functional import avg_pool3d

from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.image_quality import RANGE_STATEMENT, WINDOW, Mask, Volume
from semivae_bundle.losses.similarity import moving_average, similarity_maps

# Finest first, as people weigh the scales.
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)


def scale_weights(shape: Sequence[int]) -> tuple[float, ...]:
    """Weights of the scales that a grid has room for, finest first, summing to 1: 4 scales at 64 voxels, 5 at 128.

    A scale halves the sides; the coarsest still holds a window of 7 voxels. Empty for a grid of less.
    """
    count = sum(min(shape) // 2**level >= WINDOW for level in range(len(WEIGHTS)))
    total = sum(WEIGHTS[:count])
    return tuple(weight / total for weight in WEIGHTS[:count])


def multiscale_similarity(prediction: Volume, target: Volume, brain: Mask, spans: Sequence[float]) -> FloatArray:
    r"""MS-SSIM of each channel: (C, D, H, W) twice, (D, H, W), the channels' data ranges (C,) -> (C,), in [0, 1].

    $l_M^{w_M} \prod_j cs_j^{w_j}$ (Wang et al. 2003, doi:10.1109/ACSSC.2003.1292216, eq. 7) with the weights there,
    those of the scales that fit (`scale_weights`) made to sum to 1; 1 for equal images, 0 where a scale has no
    positive similarity. Cubes of 7 voxels with equal weights, as SSIM's here; each counts as far as it lies in the
    brain, and outside of it both images are set to 0, since the coarsest cubes see far beyond. NaN where the range is
    undefined, the brain empty or the grid too small.
    """
    weights, result = scale_weights(brain.shape), np.full(len(target), np.nan)
    usable = np.isfinite(spans)
    if not weights or not brain.any() or not usable.any():
        return result
    scale = np.asarray(spans, dtype=np.float32)[usable, None, None, None]
    x, y = (
        torch.from_numpy(np.asarray(image[usable] * brain / scale, np.float32))[None] for image in (prediction, target)
    )
    inside, product = torch.from_numpy(brain[None, None].astype(np.float32)), torch.ones(int(usable.sum()))
    for level, weight in enumerate(weights):
        if level:
            x, y, inside = (avg_pool3d(z, 2) for z in (x, y, inside))
        whole, structure = similarity_maps(x, y, window=WINDOW, data_range=1.0)
        share = moving_average(inside, WINDOW)
        maps = whole if level == len(weights) - 1 else structure
        similarity = ((maps * share).sum(dim=(0, 2, 3, 4)) / share.sum().clamp(min=1e-8)).clamp(min=0)
        product = product * similarity**weight
    result[usable] = product.double().numpy()
    return result


def multiscale_statement(shape: Sequence[int]) -> dict[str, Any]:
    """What metrics.json says of how MS-SSIM was computed on this grid."""
    weights = scale_weights(shape)
    return {
        "scales": len(weights),
        "weights": list(weights),
        "window": WINDOW,
        "data_range": RANGE_STATEMENT,
        "reference": "doi:10.1109/ACSSC.2003.1292216; the weights of the scales that fit the grid, made to sum to 1",
    }
