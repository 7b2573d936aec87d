"""Latent vector -> image and tumour map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from semivae_bundle.networks.blocks import ResidualBlock, SubpixelUpsample, coordinate_grid
from semivae_bundle.networks.partition import check_roi


class ModulatedBlock(nn.Module):
    """A residual block whose input the latent vector scales and shifts per channel (FiLM, arXiv:1709.07871).

    A plain broadcast decoder may draw a mean image from the coordinates and ignore the code; modulation at every
    level keeps the code in the path of every voxel.
    """

    def __init__(self, channels: int, latent_size: int, norm_groups: int) -> None:
        super().__init__()
        self.film = nn.Linear(latent_size, 2 * channels)
        self.block = ResidualBlock(channels, channels, 1, norm_groups)

    def forward(self, x: Tensor, latent: Tensor) -> Tensor:
        """`x` (B, C, D, H, W), `latent` (B, L) -> (B, C, D, H, W)."""
        scale, shift = self.film(latent)[:, :, None, None, None].chunk(2, dim=1)
        return self.block(x * (1 + scale) + shift)


class SpatialBroadcastDecoder(nn.Module):
    """Spatial broadcast decoder (arXiv:1901.07017) on a coarse grid, with sub-pixel upsampling: (B, L) -> two maps.

    The code is laid over every cell of a grid of side roi / 2**len(channels) together with the cell's coordinates
    (as sines and cosines of `frequencies` octaves, arXiv:2006.10739), then refined at each level. Two outputs: the
    image, linear because z-scored intensities have no bounds, and tumour logits (background, NCR, ED, ET).
    """

    def __init__(
        self,
        latent_size: int,
        roi_size: Sequence[int],
        image_channels: int,
        tumour_classes: int,
        channels: Sequence[int],
        norm_groups: int,
        frequencies: int,
    ) -> None:
        super().__init__()
        if not channels or min(channels) < 1:
            raise ValueError(f"decoder: channels must hold at least one positive width, found {list(channels)}")
        check_roi(tuple(roi_size), 2 ** len(channels))
        self.image_channels = image_channels
        side = 2 ** len(channels)
        grid = coordinate_grid((roi_size[0] // side, roi_size[1] // side, roi_size[2] // side))
        octaves = [grid * (math.pi * 2.0**k / 2) for k in range(frequencies)]
        waves = [wave for angle in octaves for wave in (angle.sin(), angle.cos())]
        self.register_buffer("coordinates", torch.cat([grid, *waves], dim=1), persistent=False)
        width = channels[0]
        self.place = nn.Conv3d(3 * (1 + 2 * frequencies), width, 1)
        self.code = nn.Linear(latent_size, width)
        self.mix = nn.Sequential(nn.SiLU(), nn.Conv3d(width, width, 1), nn.SiLU())
        self.blocks = nn.ModuleList(ModulatedBlock(c, latent_size, norm_groups) for c in channels)
        # The last level has none: `output` takes it to full size.
        self.upsamples = nn.ModuleList([*(SubpixelUpsample(a, b) for a, b in pairwise(channels)), nn.Identity()])
        # One overlapping transposed convolution to full size costs a fifth of a block at full size.
        self.output = nn.ConvTranspose3d(channels[-1], image_channels + tumour_classes, 4, stride=2, padding=1)

    def forward(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """(B, L) -> image (B, image_channels, D, H, W), tumour logits (B, tumour_classes, D, H, W)."""
        x = self.mix(self.place(self.coordinates) + self.code(latent)[:, :, None, None, None])
        for block, upsample in zip(self.blocks, self.upsamples):  # noqa: B905 - TorchScript knows no strict
            x = upsample(block(x, latent))
        maps = self.output(x)
        return maps[:, : self.image_channels], maps[:, self.image_channels :]
