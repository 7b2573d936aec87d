"""How well the image is reconstructed, measured where it matters: over the brain and inside the tumour."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

WINDOW = 7
RANGE_PERCENTILES = (0.5, 99.5)
RANGE_STATEMENT = "99.5th minus 0.5th percentile of the input inside the brain, per scan and modality"

Volume = NDArray[np.float32]
Mask = NDArray[np.bool_]


def data_range(target: Volume, brain: Mask) -> float:
    """Width of the target's intensities inside the brain, between its 0.5th and 99.5th percentile; NaN if it is 0.

    Z-scored images have no fixed range; PSNR and SSIM need one stated. Percentiles, so that one bright vessel does not
    make every reconstruction look good.
    """
    if not brain.any():
        return float("nan")
    low, high = np.percentile(target[brain], RANGE_PERCENTILES)
    return float(high - low) if high > low else float("nan")


def masked_psnr(prediction: Volume, target: Volume, mask: Mask, span: float) -> float:
    r"""Peak signal-to-noise ratio $10 \log_{10}(\mathrm{span}^2 / \mathrm{MSE})$ in dB over the voxels of `mask`.

    NaN for an empty mask; infinite for a perfect prediction. Twice the error costs 6.02 dB.
    """
    if not mask.any() or not np.isfinite(span):
        return float("nan")
    mse = np.square(prediction[mask].astype(np.float64) - target[mask]).mean()
    return float(10 * np.log10(span**2 / mse)) if mse > 0 else float("inf")


def ssim_map(prediction: Volume, target: Volume, brain: Mask, span: float) -> Volume:
    """Structural similarity at every voxel of the brain (cubes of 7 voxels, doi:10.1109/TIP.2003.819861): (D, H, W).

    In [-1, 1]; NaN outside the bounding box of the brain and everywhere where the range is undefined. Windows at the
    brain's edge see voxels outside it too.
    """
    result = np.full(target.shape, np.nan, dtype=np.float32)
    if not np.isfinite(span):
        return result
    box = _bounding_box(brain)
    similarity = structural_similarity(
        target[box].astype(np.float64), prediction[box].astype(np.float64), win_size=WINDOW, data_range=span, full=True
    )[1]
    result[box] = similarity
    return result


def _bounding_box(brain: Mask) -> tuple[slice, ...]:
    """Box of the mask, wide enough that every window inside the mask is whole."""
    box = []
    for axis in range(3):
        inside = np.flatnonzero(brain.any(axis=tuple(other for other in range(3) if other != axis)))
        low, high = max(inside[0] - WINDOW // 2, 0), min(inside[-1] + 1 + WINDOW // 2, brain.shape[axis])
        low = max(min(low, high - WINDOW), 0)
        box.append(slice(low, max(high, low + WINDOW)))
    return tuple(box)


def masked_mean(values: Volume, mask: Mask) -> float:
    """Mean over the voxels of `mask`; NaN for an empty one."""
    return float(values[mask].mean(dtype=np.float64)) if mask.any() else float("nan")


def edge_sharpness(prediction: Volume, target: Volume, mask: Mask) -> float:
    """Mean squared gradient of the prediction over that of the target, inside `mask` (D, H, W): 1 is as sharp, 0 flat.

    Noise of the target is gradient too, so a perfect denoised image is below 1. NaN for an empty mask or a flat target.
    """
    if not mask.any():
        return float("nan")
    drawn, seen = (
        sum(np.square(np.gradient(image, axis=axis)[mask].astype(np.float64)).mean() for axis in range(3))
        for image in (prediction, target)
    )
    return float(drawn / seen) if seen > 0 else float("nan")


def image_quality(prediction: Volume, target: Volume, template: Volume, brain: Mask, tumour: Mask) -> dict[str, float]:
    """All figures of one modality of one scan but MS-SSIM: psnr and ssim over brain and tumour, `psnr_gain`, and
    `sharpness_tumour`.

    `prediction`, `target`, `template` (D, H, W) in z-scored units; `template` is what the decoder draws from the zero
    code, the same for every scan. `psnr_gain_*` is the PSNR of the prediction minus that of the template in dB: near 0
    when the decoder ignores its code. An empty `tumour` (unlabelled, or too small for the grid) gives NaN.
    """
    span = data_range(target, brain)
    similarity = ssim_map(prediction, target, brain, span)
    figures = {}
    for place, mask in (("brain", brain), ("tumour", tumour)):
        psnr = masked_psnr(prediction, target, mask, span)
        figures[f"psnr_{place}_db"] = psnr
        figures[f"ssim_{place}"] = masked_mean(similarity, mask & np.isfinite(similarity))
        figures[f"psnr_gain_{place}_db"] = psnr - masked_psnr(template, target, mask, span)
    return figures | {"sharpness_tumour": edge_sharpness(prediction, target, tumour)}
