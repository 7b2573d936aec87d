"""A partition's own attention to the image: it weighs channels and voxels before it pools them."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semivae_bundle.networks.attention_map import AttentionMap
from semivae_bundle.networks.blocks import Float32Linear
from semivae_bundle.networks.stage_channels import stages_read


class ChannelAttention(nn.Module):
    """Which channels matter, from their averages and maxima through one shared MLP: (B, C, ...) -> (B, C, 1, 1, 1).

    In [0, 1]. CBAM, arXiv:1807.06521, equation 2.
    """

    def __init__(self, channels: int, reduction: int) -> None:
        super().__init__()
        if reduction < 1 or channels % reduction:
            raise ValueError(f"attention: expected a reduction that divides {channels} channels, found {reduction}")
        hidden = channels // reduction
        self.mlp = nn.Sequential(nn.Linear(channels, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, channels))

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, D, H, W) -> (B, C, 1, 1, 1)."""
        gate = torch.sigmoid(self.mlp(x.mean(dim=(2, 3, 4))) + self.mlp(x.amax(dim=(2, 3, 4))))
        return gate[:, :, None, None, None]


class SpatialAttention(nn.Module):
    """Which voxels matter, from average and maximum over the channels: (B, C, D, H, W) -> (B, 1, D, H, W).

    In [0, 1]. CBAM, arXiv:1807.06521, equation 3, with a cube of `kernel_size` voxels a side. The paper takes 7. On a
    coarse map take less, at most about half the map's side: a cube as wide as the map lies mostly on the padding
    wherever it stands, and learns how far the border is instead of what is near.
    """

    def __init__(self, kernel_size: int) -> None:
        super().__init__()
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(f"attention: expected an odd kernel_size >= 1, which has a centre, found {kernel_size}")
        self.weigh = nn.Conv3d(2, 1, kernel_size, padding=kernel_size // 2)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, D, H, W) -> (B, 1, D, H, W)."""
        return torch.sigmoid(self.weigh(torch.cat([x.mean(dim=1, keepdim=True), x.amax(dim=1, keepdim=True)], dim=1)))


class PartitionAttention(nn.Module):
    """A readout that pools one stage's map by attention of its own (CBAM, arXiv:1807.06521): -> (B, `size`).

    Give each partition one: they share the encoder's maps, not where they look. `stage` is the map, 0 the finest, of
    `channels`, squeezed by `reduction` in the channel attention. What passes the gates is averaged over `pool_size`
    cells a side: one cell forgets where it was, which a location must not.
    """

    def __init__(self, stage: int, channels: int, reduction: int, kernel_size: int, pool_size: int, size: int) -> None:
        super().__init__()
        if min(pool_size, size) < 1:
            raise ValueError(f"attention: expected pool_size and size >= 1, found {pool_size=}, {size=}")
        self.stages = stages_read([stage], [channels])
        self.stage, self.size = stage, size
        self.channel = ChannelAttention(channels, reduction)
        self.spatial = SpatialAttention(kernel_size)
        self.map = AttentionMap()
        self.pool = nn.Sequential(nn.AdaptiveAvgPool3d(pool_size), nn.Flatten())
        read = channels * pool_size**3
        # The maps grow as training goes on, and how far a gate is open overall is no feature.
        self.read = nn.Sequential(nn.LayerNorm(read), Float32Linear(read, size), nn.SiLU())

    def forward(self, image: Tensor, maps: list[Tensor], logits: Tensor) -> Tensor:
        """As ResNetEncoder asks: maps of the stages, finest first -> (B, size), float32."""
        x = maps[self.stage]
        x = x * self.channel(x)
        x = x * self.map(self.spatial(x))
        return self.read(self.pool(x))
