"""Structural similarity of reconstruction and scan, over several scales."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool3d


def similarity_maps(prediction: Tensor, target: Tensor, *, window: int, data_range: float) -> tuple[Tensor, Tensor]:
    r"""Structural similarity and its contrast-structure part at every whole window: (B, C, D, H, W) twice ->
    (B, C, D - window + 1, ...) twice, in [-1, 1].

    $\frac{2 \mu_x \mu_y + c_1}{\mu_x^2 + \mu_y^2 + c_1} \frac{2 \sigma_{xy} + c_2}{\sigma_x^2 + \sigma_y^2 + c_2}$
    and its second factor (Wang et al. 2004, doi:10.1109/TIP.2003.819861, eq. 13), $c_1 = (0.01 L)^2$ and
    $c_2 = (0.03 L)^2$ for a `data_range` L, over cubes of `window` voxels with equal weights: a moving average, where a
    Gaussian window is a grouped convolution, many times slower on a CPU.
    """
    x, y = prediction.float(), target.float()
    mean_x, mean_y, square_x, square_y, product = (
        moving_average(z, window) for z in (x, y, x.square(), y.square(), x * y)
    )
    variances = square_x - mean_x.square() + square_y - mean_y.square()
    covariance = product - mean_x * mean_y
    first, second = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    structure = (2 * covariance + second) / (variances + second)
    luminance = (2 * mean_x * mean_y + first) / (mean_x.square() + mean_y.square() + first)
    return luminance * structure, structure


def moving_average(values: Tensor, window: int) -> Tensor:
    """Mean over every whole cube of `window` voxels: (B, C, D, H, W) -> (B, C, D - window + 1, ...).

    Axis by axis, which for 7 voxels takes a sixth of the time of the cube at once.
    """
    for cut in ((window, 1, 1), (1, window, 1), (1, 1, window)):
        values = avg_pool3d(values, cut, stride=1)
    return values


def multiscale_dissimilarity(
    prediction: Tensor, target: Tensor, brain: Tensor, *, scales: Sequence[float], window: int, data_range: float
) -> Tensor:
    r"""$1 - \sum_j w_j s_j$ with $s_j$ the mean contrast-structure at scale j, at the coarsest the whole similarity:
    (B, C, D, H, W) twice, (B, 1, D, H, W) -> (), in [0, 2]; 0 for equal images.

    `scales` are the w, finest first, and sum to 1; each scale halves the sides. MS-SSIM
    (doi:10.1109/ACSSC.2003.1292216, eq. 7) is the weighted geometric mean $\prod_j s_j^{w_j}$, which has no gradient,
    or an infinite one, where some s is not positive, as in every untrained network. The arithmetic mean has one
    everywhere, and 1 minus it is never more than 1 - MS-SSIM. A window counts as far as it lies in the `brain`.
    """
    value = prediction.new_zeros((), dtype=torch.float32)
    inside = brain.float()
    for level, weight in enumerate(scales):
        if level:
            prediction, target, inside = (avg_pool3d(z.float(), 2) for z in (prediction, target, inside))
        whole, structure = similarity_maps(prediction, target, window=window, data_range=data_range)
        maps = whole if level == len(scales) - 1 else structure
        share = moving_average(inside, window)
        value = value + weight * ((1 - maps) * share).sum() / (share.sum() * maps.shape[1]).clamp(min=1e-8)
    return value


class MultiscaleDissimilarity(nn.Module):
    """`multiscale_dissimilarity` as an extra term of the objective, times `observations`, so that its weight is on the
    scale of the likelihood: output -> (). `roi_size`: the sides that the coarsest window has to fit into.
    """

    def __init__(
        self, roi_size: Sequence[int], scales: Sequence[float], window: int, data_range: float, observations: float
    ) -> None:
        super().__init__()
        coarsest = min(roi_size) // 2 ** (len(scales) - 1)
        if window < 2 or coarsest < window:
            raise ValueError(
                f"similarity: a window of {window} voxels does not fit the {coarsest} voxels that {len(scales)} scales "
                f"leave of {list(roi_size)}; take fewer scales, or a window of 2 to {coarsest}"
            )
        if abs(sum(scales) - 1) > 1e-6 or min(scales) < 0:
            raise ValueError(f"similarity: expected weights of scales >= 0 that sum to 1, found {list(scales)}")
        self.scales, self.window, self.data_range, self.observations = list(scales), window, data_range, observations

    def forward(self, output: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """`output` of SemiVAE, `target` of PrepareSemiVAEBatch -> ()."""
        return self.observations * multiscale_dissimilarity(
            output["reconstruction"],
            target["image"],
            target["brain"],
            scales=self.scales,
            window=self.window,
            data_range=self.data_range,
        )
