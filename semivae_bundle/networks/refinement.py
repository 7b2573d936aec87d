"""A segmentation's last word at full resolution."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semivae_bundle.networks.blocks import group_norm


class SegmentationRefinement(nn.Module):
    """Corrects logits that a pyramid made from half the sides by the image itself: (B, in_channels, D, H, W) and logits
    (B, classes, D, H, W) -> (B, classes, D, H, W).

    A necrotic core or an enhancing rim is a few voxels wide, and half of the sides is all that the encoder's maps know
    of it; U-Net (arXiv:1505.04597) has a connection at this level for that reason. Two 3x3x3 convolutions over image
    and probabilities, added to the logits; the last starts at zero, so that a fresh one changes nothing.
    """

    def __init__(self, in_channels: int, classes: int, width: int, norm_groups: int) -> None:
        super().__init__()
        if min(in_channels, classes, width) < 1:
            raise ValueError(
                f"refinement: expected in_channels, classes and width >= 1, found {in_channels}, {classes} and {width}"
            )
        self.read = nn.Sequential(
            nn.Conv3d(in_channels + classes, width, 3, padding=1, bias=False),
            group_norm(width, norm_groups),
            nn.ReLU(inplace=True),
        )
        self.correct = nn.Conv3d(width, classes, 3, padding=1)
        nn.init.zeros_(self.correct.weight)
        nn.init.zeros_(self.correct.bias)  # type: ignore[arg-type]

    def forward(self, image: Tensor, logits: Tensor) -> Tensor:
        """Logits plus their correction."""
        probabilities = torch.softmax(logits, dim=1)
        corrected: Tensor = logits + self.correct(self.read(torch.cat([image, probabilities], dim=1)))
        return corrected
