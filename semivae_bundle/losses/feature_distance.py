"""Distance of reconstruction and scan in the features of a frozen network."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def normalised_distance(prediction: Tensor, target: Tensor) -> Tensor:
    r"""Mean over places of $|\hat f_x - \hat f_y|^2$, each place's channels scaled to unit length: (B, C, ...) twice ->
    (), in [0, 4] (LPIPS, arXiv:1801.03924, eq. 1, with every channel's weight 1).
    """
    x, y = (z.float() / (z.float().square().sum(dim=1, keepdim=True) + 1e-10).sqrt() for z in (prediction, target))
    return (x - y).square().sum(dim=1).mean()


class FeatureDistance(nn.Module):
    """Mean of `normalised_distance` over the feature maps of `network`, an extra term of the objective, times
    `observations`: output -> ().

    `network`: frozen, (B, 1, D, H, W) -> one map or a list of maps (B, C', ...); it sees each modality by itself, as
    networks trained on single scans do. It stays in evaluation mode and gets no gradient; what it reads does.
    """

    def __init__(self, network: nn.Module, observations: float) -> None:
        super().__init__()
        self.network = network.requires_grad_(False).eval()
        self.observations = observations

    def train(self, mode: bool = True) -> FeatureDistance:
        """Itself, with the network left in evaluation mode: batch statistics would not be frozen."""
        super().train(mode)
        self.network.eval()
        return self

    def forward(self, output: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> Tensor:
        """`output` of SemiVAE, `target` of PrepareSemiVAEBatch -> ()."""
        drawn = self._maps(output["reconstruction"])
        with torch.no_grad():
            seen = self._maps(target["image"])
        distances = [normalised_distance(a, b) for a, b in zip(drawn, seen, strict=True)]
        return self.observations * torch.stack(distances).mean()

    def _maps(self, image: Tensor) -> list[Tensor]:
        maps = self.network(image.float().flatten(0, 1).unsqueeze(1))
        return [maps] if isinstance(maps, Tensor) else list(maps)
