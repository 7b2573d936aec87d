"""Latent vector -> image and tumour map, each modality drawn by a decoder of its own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from semivae_bundle.networks.decoder import SpatialBroadcastDecoder, check_atlas


class Blank(nn.Module):
    """An atlas that draws nothing: (B, L) -> zeros (B, image_channels, D, H, W), which take no memory."""

    def __init__(self, roi_size: Sequence[int], image_channels: int) -> None:
        super().__init__()
        self.size, self.image_channels = (roi_size[0], roi_size[1], roi_size[2]), image_channels

    def forward(self, latent: Tensor) -> Tensor:
        """(B, L) -> (B, image_channels, D, H, W)."""
        d, h, w = self.size
        return latent.new_zeros([1, 1, 1, 1, 1]).expand(latent.shape[0], self.image_channels, d, h, w)


class ModalityDecoders(nn.Module):
    """One SpatialBroadcastDecoder per modality under one code (after 10.1109/TMI.2017.2764326): (B, L) -> two maps.

    Takes the options of SpatialBroadcastDecoder, of which `channels` are the widths of each of the `image_channels`
    decoders. After the code no modality shares a feature with another, so none can take the capacity that another
    needs. Shared is what is one in nature: `atlas` draws the brain in all modalities at once, since its shape doesn't
    depend on the contrast, and every decoder adds what its own modality shows beyond it.

    Each decoder says where the tumour is, and the tumour logits are their mean: up to normalisation the geometric mean
    of what they say, a product of experts (10.1162/089976602760128018) of weight 1/M each.
    """

    def __init__(
        self, latent_size: int, roi_size: Sequence[int], image_channels: int, atlas: nn.Module, **sizes: Any
    ) -> None:
        super().__init__()
        if image_channels < 1:
            raise ValueError(f"decoder: expected image_channels >= 1, one decoder for each, found {image_channels}")
        self.decoders = nn.ModuleList(
            SpatialBroadcastDecoder(
                latent_size=latent_size, roi_size=roi_size, image_channels=1, atlas=Blank(roi_size, 1), **sizes
            )
            for _ in range(image_channels)
        )
        check_atlas(atlas, latent_size, image_channels, roi_size)
        self.atlas = atlas

    def forward(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """(B, L) -> image (B, image_channels, D, H, W), tumour logits (B, tumour_classes, D, H, W)."""
        images, logits = [], []
        for decoder in self.decoders:
            image, tumour = decoder(latent)
            images.append(image)
            logits.append(tumour)
        return torch.cat(images, dim=1) + self.atlas(latent), torch.stack(logits).mean(dim=0)
