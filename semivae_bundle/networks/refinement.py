"""A segmentation's last word, by the image at full resolution."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semivae_bundle.networks.blocks import group_norm, subpixels_joined, subpixels_parted


class SegmentationRefinement(nn.Module):
    """What the image itself adds to logits that were made from half its sides: image (B, in_channels, D, H, W) and maps
    (B, features, D/2, H/2, W/2) -> a correction of the logits (B, classes, D, H, W).

    A necrotic core or an enhancing rim is a few voxels wide, and half of the sides is all that the encoder's maps know
    of it; U-Net (arXiv:1505.04597) has a connection at this level for that reason. Here the image comes to the maps,
    each 2x2x2 voxels as eight channels (arXiv:1609.05158, backwards), so that no convolution runs at full size: a third
    of the time. The last one starts at zero, so that a fresh one changes nothing.
    """

    def __init__(self, in_channels: int, features: int, classes: int, width: int, norm_groups: int) -> None:
        super().__init__()
        if min(in_channels, features, classes, width) < 1:
            raise ValueError(
                "refinement: expected in_channels, features, classes and width >= 1, found "
                f"{in_channels}, {features}, {classes} and {width}"
            )
        self.read = nn.Sequential(
            nn.Conv3d(8 * in_channels + features, width, 1, bias=False),
            group_norm(width, norm_groups),
            nn.ReLU(inplace=True),
        )
        self.correct = nn.Conv3d(width, 8 * classes, 3, padding=1)
        nn.init.zeros_(self.correct.weight)
        nn.init.zeros_(self.correct.bias)  # type: ignore[arg-type]

    def forward(self, image: Tensor, maps: Tensor) -> Tensor:
        """(B, in_channels, D, H, W), (B, features, D/2, H/2, W/2) -> (B, classes, D, H, W)."""
        return subpixels_joined(self.correct(self.read(torch.cat([subpixels_parted(image), maps], dim=1))))
