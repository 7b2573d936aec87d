"""One light expert per modality, and one segmentation from all of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from semivae_bundle.networks.blocks import BACKGROUND_LOGIT
from semivae_bundle.networks.encoder import CLASSES, ResNetEncoder
from semivae_bundle.networks.experts import pooled_logits
from semivae_bundle.networks.presence import presence

EXPERT_FEATURES = ("appearance",)
"""The features that each expert has of its own: (B, M, n) instead of (B, n)."""


class ExpertEncoder(nn.Module):
    """Takes each modality by itself: (B, M, D, H, W) -> features by name, tumour logits (B, 4, D, H, W).

    The experts share one ResNetEncoder of a single channel, which M constant planes tell which modality it looks at:
    the modalities are folded into the batch. Its arguments are those of ResNetEncoder; with half the `base_filters`,
    the M = 4 experts take about as many multiplications as the joint encoder. Absent modalities are 0
    everywhere (see `presence`) and have no part in anything.

    Where the experts meet: in the logits of each voxel (`pooled_logits`), before the moments are taken. Size, place and
    form are no linear functions of a segmentation, and no modality shows all of a tumour, so the mean of four volumes
    is no volume of anything, while evidence on a voxel's class adds up; and it is the joint map that the mask teaches.
    `appearance` (B, M, n) stays one per expert, for a posterior to combine. `presence` (B, M) says who was asked.
    """

    if TYPE_CHECKING:  # TorchScript would want to make sense of these
        modality: Tensor
        prior: Tensor

    def __init__(self, in_channels: int, **sizes: Any) -> None:
        super().__init__()
        if sizes.get("readouts"):
            raise ValueError(f"encoder: experts have no readouts, found {list(sizes['readouts'])}; expected {{}}")
        self.expert = ResNetEncoder(1 + in_channels, **sizes)
        self.feature_sizes = {**self.expert.feature_sizes, "presence": in_channels}
        self.register_buffer("modality", torch.eye(in_channels), persistent=False)
        prior = torch.zeros(CLASSES)
        prior[0] = BACKGROUND_LOGIT
        self.register_buffer("prior", prior, persistent=False)

    def forward(self, image: Tensor) -> tuple[dict[str, Tensor], Tensor]:
        """(B, M, D, H, W) -> appearance (B, M, n) and the other features (B, n), float32; pooled logits (B, 4, ...)."""
        present = presence(image)
        batch, experts = present.shape[0], present.shape[1]
        folded = image.flatten(0, 1).unsqueeze(1)
        which = self.modality.to(image.dtype).repeat(batch, 1)[:, :, None, None, None]
        which = which.expand(batch * experts, experts, image.shape[2], image.shape[3], image.shape[4])
        appearance, _, logits = self.expert.look(torch.cat([folded, which], dim=1))
        pooled = pooled_logits(logits.unflatten(0, (batch, experts)), present, self.prior)
        # Detached, as in ResNetEncoder.
        size, place, form = self.expert.moments(pooled.detach())
        features = {"appearance": appearance.unflatten(0, (batch, experts)), "size": size, "place": place, "form": form}
        features["presence"] = present.float()
        return features, pooled
