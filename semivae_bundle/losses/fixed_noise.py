"""The reconstruction at a stated noise scale, as a term of the objective."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn
from torch.nn.functional import mse_loss

from semivae_bundle.losses.reconstruction import fixed_sigma_nll


class FixedNoiseReconstruction(nn.Module):
    r"""Gaussian NLL of the image at noise `sigma`, a scan counted as `observations`, every voxel alike: output -> ().

    For a linear decoder a direction of the code stays in use only where the variance that it explains, summed over the
    N values of the image, exceeds the noise variance of one value, $N \sigma^2 / n$ here (arXiv:1911.02469). With
    n = 2 and unit noise, the squared error averaged over voxels, that is more than half a unit of variance in every
    voxel: of z-scored images no direction has that, and all of them collapse.
    """

    def __init__(self, observations: float, sigma: float) -> None:
        super().__init__()
        if not (observations > 0 and sigma > 0):
            raise ValueError(f"fixed noise: expected observations > 0 and sigma > 0, found {observations=}, {sigma=}")
        self.observations, self.sigma = observations, sigma

    def forward(self, output: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """`output` of SemiVAE, `target` for its image -> () nats per subject."""
        mse = mse_loss(output["reconstruction"].float(), target["image"].float())
        return fixed_sigma_nll(mse, observations=self.observations, sigma=self.sigma)
