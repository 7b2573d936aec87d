"""Where something is, as the expected coordinates under a learned map."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semivae_bundle.networks.attention_map import AttentionMap
from semivae_bundle.networks.stage_channels import stages_read

# The outputs come in this share of half the field of view, as far as tumours usually lie from the centre.
UNIT = 0.25


class CoordinatePooling(nn.Module):
    r"""A readout of places (DSNT, arXiv:1801.07372, equations 3 to 5): softmax over the voxels of a map -> (B, 4 K).

    For each of `heads` K: $E[x], E[y], E[z]$ over the weights, each on the voxel that its cell is centred on, and the
    spread $\sqrt{(Var[x] + Var[y] + Var[z]) / 3}$. The weights are a 1x1x1 convolution of stage `stage`'s map, 0 the
    finest, of `channels`. In units of UNIT half sides of the field of view: a centre lies in [-4, 4].

    A body that moves moves the output as far, wherever training saw it, which no pooling over cells promises. Near the
    border the encoder's padding bends this, and weight that is spread over the rest draws every centre to the middle.
    """

    def __init__(self, stage: int, channels: int, heads: int) -> None:
        super().__init__()
        if heads < 1:
            raise ValueError(f"coordinate pooling: expected heads >= 1, found {heads}")
        self.stages = stages_read([stage], [channels])
        self.stage, self.size = stage, 4 * heads
        self.unit = UNIT  # TorchScript sees attributes, not module constants
        # A bias would add the same to every voxel, which the softmax takes away again.
        self.score = nn.Conv3d(channels, heads, 1, bias=False)
        self.map = AttentionMap()

    def forward(self, image: Tensor, maps: list[Tensor], logits: Tensor) -> Tensor:
        """As ResNetEncoder asks: maps of the stages, finest first -> (B, 4 K), float32: x, y, z, spread a head."""
        scores = self.score(maps[self.stage]).float()
        weights = self.map(torch.softmax(scores.flatten(2), dim=2).reshape(scores.shape))
        centre = []
        variance = torch.zeros_like(weights[:, :, 0, 0, 0])
        for axis, along in enumerate([weights.sum(dim=(3, 4)), weights.sum(dim=(2, 4)), weights.sum(dim=(2, 3))]):
            voxels, side = image.shape[2 + axis], along.shape[2]
            # Convolutions of stride 2 centre cell i of a map of stride s on voxel s i.
            cells = torch.arange(side, device=along.device, dtype=along.dtype) * (voxels // side)
            places = (cells + 0.5) / voxels * 2 - 1
            mean = (along * places).sum(dim=2)
            variance = variance + (along * (places - mean.unsqueeze(2)).square()).sum(dim=2)
            centre.append(mean)
        # All weight in one voxel has no variance, where the root has no slope.
        spread = torch.sqrt(variance / 3 + 1e-5)
        return torch.stack([centre[0], centre[1], centre[2], spread], dim=2).flatten(1) / self.unit
