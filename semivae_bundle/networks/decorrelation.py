"""The part of each latent partition that the partitions before it explain."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from semivae_bundle.networks.blocks import float32_product
from semivae_bundle.networks.partition import partition_slices

# Added to the variances before the regression: dimensions that hardly move are no regressors.
RIDGE = 1e-2


class SequentialDecorrelation(nn.Module):
    r"""The linear regression of each partition on all earlier ones, to be taken away: (B, L) -> (B, L).

    $e_p = (m_{<p} - \bar m_{<p}) C_{<p,p}$ with $C = (\Sigma_{<p} + \epsilon I)^{-1} \Sigma_{<p,p}$: the blocks
    of a Gram-Schmidt process, first partition first. Mean and covariance of the raw means $m$ are running averages with
    `momentum`, corrected for their start as Adam's are, of training batches; in evaluation the map is fixed and affine,
    and part of the weights. Of $m - e$ the partitions are uncorrelated over the training cohort, not independent.

    A penalty on correlation has to estimate thousands of coefficients from the few means of a batch and fights the
    reconstruction over each; this estimates them over hundreds of batches and has nothing to weigh. Decorrelated
    normalisation (arXiv:1804.08450) whitens instead, which would rename the dimensions that the heads read. No
    gradient passes: what is taken away is nothing to the earlier partitions or to the statistics. Of several processes
    all have the same statistics, those of their joined batches.

    A regressor of variance v keeps the share epsilon / (v + epsilon) of its covariance: 1 % at v = 1, half at 0.01.
    With few subjects the regression also takes away what correlates by chance: of a later partition's variance about
    the number of regressors that vary over the number of subjects.
    """

    if TYPE_CHECKING:  # TorchScript would want to make sense of these
        running_mean: Tensor
        running_second: Tensor
        running_weight: Tensor
        coefficients: Tensor

    def __init__(self, partition: Mapping[str, int], momentum: float) -> None:
        super().__init__()
        if not 0 < momentum <= 1:
            raise ValueError(f"decorrelation: expected a momentum in (0, 1], found {momentum}")
        self.bounds = [(part.start, part.stop) for part in partition_slices(partition).values()]
        self.momentum = momentum
        size = self.bounds[-1][1]
        self.register_buffer("running_mean", torch.zeros(size))
        self.register_buffer("running_second", torch.zeros(size, size))
        self.register_buffer("running_weight", torch.zeros(()))
        self.register_buffer("coefficients", torch.zeros(size, size))

    def forward(self, raw: Tensor) -> Tensor:
        """Raw means (B, L), float32 -> their explained part (B, L). A training batch joins the statistics first."""
        if not torch.jit.is_scripting() and self.training:
            self.update(raw)
        centre = self.running_mean / self.running_weight.clamp(min=1e-12)
        return float32_product(raw.detach() - centre, self.coefficients.T)

    def update(self, raw: Tensor) -> None:
        """Move the statistics towards a batch (B, L) and solve for the coefficients anew."""
        batch = raw.detach().double()
        first, second = batch.mean(dim=0), batch.T @ batch / batch.shape[0]
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            for moment in (first, second):
                torch.distributed.all_reduce(moment)
                moment /= torch.distributed.get_world_size()
        self.running_mean.lerp_(first.float(), self.momentum)
        self.running_second.lerp_(second.float(), self.momentum)
        self.running_weight.lerp_(torch.ones_like(self.running_weight), self.momentum)
        mean = self.running_mean.double() / self.running_weight
        covariance = self.running_second.double() / self.running_weight - mean[:, None] * mean[None, :]
        regular = covariance + RIDGE * torch.eye(mean.numel(), dtype=covariance.dtype, device=covariance.device)
        for start, stop in self.bounds[1:]:
            # Not `solve`, whose check for a singular matrix makes a GPU wait; the ridge rules one out.
            solved, _ = torch.linalg.solve_ex(regular[:start, :start], covariance[:start, start:stop])
            self.coefficients[:start, start:stop] = solved.float()
