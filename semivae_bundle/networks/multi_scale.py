"""Fine detail for a partition that needs it, from the encoder's earlier stages."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import interpolate

from semivae_bundle.networks.blocks import Float32Linear, ResidualBlock
from semivae_bundle.networks.stage_channels import stages_read


class MultiScaleReadout(nn.Module):
    """A readout of a feature pyramid (arXiv:1612.03144) over some stages: their maps, coarse to fine -> (B, `size`).

    `stages`, finest first, with `channels` each, are brought to `width`; each map joins the coarser one, enlarged, and
    is smoothed by a block of its own. The average over each map's voxels is read, not the last one's alone, so that an
    outline's roughness and its sides can come from the scale that shows them.
    """

    def __init__(self, stages: Sequence[int], channels: Sequence[int], width: int, norm_groups: int, size: int) -> None:
        super().__init__()
        if min(width, size, norm_groups) < 1:
            raise ValueError(
                f"multi-scale readout: expected width, size and norm_groups >= 1, found {width=}, {size=}, "
                f"{norm_groups=}"
            )
        self.stages = stages_read(stages, channels)
        self.size = size
        self.coarse_to_fine = sorted(self.stages, reverse=True)
        self.laterals = nn.ModuleList(nn.Conv3d(self.stages[stage], width, 1) for stage in self.coarse_to_fine)
        self.smooth = nn.ModuleList(ResidualBlock(width, width, 1, norm_groups) for _ in self.stages)
        read = width * len(self.stages)
        self.read = nn.Sequential(nn.LayerNorm(read), Float32Linear(read, size), nn.SiLU())

    def forward(self, image: Tensor, maps: list[Tensor], logits: Tensor) -> Tensor:
        """As ResNetEncoder asks: maps of the stages, finest first -> (B, size), float32."""
        pyramid = torch.zeros(1, device=image.device)
        averages: list[Tensor] = []
        for i, (lateral, smooth) in enumerate(zip(self.laterals, self.smooth)):  # noqa: B905 - TorchScript knows no strict
            finer = lateral(maps[self.coarse_to_fine[i]])
            if len(averages) == 0:
                pyramid = finer
            else:
                pyramid = finer + interpolate(pyramid, size=finer.shape[2:], mode="trilinear", align_corners=False)
            averages.append(smooth(torch.relu(pyramid)).mean(dim=(2, 3, 4)))
        return self.read(torch.cat(averages, dim=1))
