"""Which modalities of an image are there, and an encoder that is told."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from semivae_bundle.networks.encoder import ResNetEncoder


def presence(image: Tensor) -> Tensor:
    """1 for a channel that holds anything, 0 for one that is 0 in every voxel: (B, C, D, H, W) -> (B, C), image's type.

    A z-scored scan always varies over the brain, so such a channel is an absent modality. Read from the image itself
    because clients (MONAI Label, Deploy) hand a network one tensor and nothing beside it.
    """
    return (image != 0).flatten(2).any(dim=2).to(image.dtype)


def with_presence_planes(image: Tensor, present: Tensor) -> Tensor:
    """The image and a constant plane per channel that says whether it is there: (B, C, ...), (B, C) -> (B, 2C, ...).

    At a voxel, an absent channel and the mean intensity of a present one are the same number, 0.
    """
    planes = present[:, :, None, None, None].expand_as(image).to(image.dtype)
    return torch.cat([image, planes], dim=1)


def is_told_what_is_absent(network: nn.Module) -> bool:
    """Whether a SemiVAE's encoder passes on which channels are there, as the encoders for subsets do.

    A network that is not told takes an absent channel for an image of nothing but mean intensity. Says nothing of
    whether it was trained on subsets.
    """
    return "presence" in getattr(network.encoder, "feature_sizes", {})


class PresenceEncoder(nn.Module):
    """ResNetEncoder that takes any subset of its channels: (B, C, D, H, W) -> features by name, tumour logits.

    Absent channels are 0 everywhere (see `presence`). Every layer sees through the presence planes which they are, and
    `presence` (B, C) joins the features: a posterior that reads it can be less sure of what fewer modalities
    show, which the moments of a segmentation alone cannot tell. One network for all subsets,
    as fast as ResNetEncoder: the planes cost its first convolution twice. Arguments as for ResNetEncoder.
    """

    def __init__(self, in_channels: int, **sizes: Any) -> None:
        super().__init__()
        if sizes.get("readouts"):
            raise ValueError(
                f"encoder: an encoder with presence planes has no readouts, found {list(sizes['readouts'])}; lay the "
                "recipe that adds them over another network"
            )
        self.encoder = ResNetEncoder(2 * in_channels, **sizes)
        self.feature_sizes = {**self.encoder.feature_sizes, "presence": in_channels}

    def forward(self, image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """(B, C, D, H, W) -> features by name, float32; tumour logits (B, 4, D, H, W)."""
        present = presence(image)
        features, logits = self.encoder(with_presence_planes(image, present))
        features["presence"] = present.float()
        return features, logits
