"""Tumour probabilities -> the numbers that describe a body: mass, centroid, extent, orientation, surface."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from semivae_bundle.networks.blocks import coordinate_grid

MOMENTS = 11
"""log mass 1, centroid 3, standard deviations 3, correlations 3, log surface 1."""


def log_total_variation(maps: Tensor) -> Tensor:
    """Logarithm of the mean absolute difference of neighbouring voxels: (B, R, D, H, W) -> (B, R, 1).

    The total variation of an indicator is the body's surface area (up to the anisotropy of the grid).
    """
    variation = (
        (maps[:, :, 1:] - maps[:, :, :-1]).abs().mean(dim=(2, 3, 4))
        + (maps[:, :, :, 1:] - maps[:, :, :, :-1]).abs().mean(dim=(2, 3, 4))
        + (maps[:, :, :, :, 1:] - maps[:, :, :, :, :-1]).abs().mean(dim=(2, 3, 4))
    )
    return torch.log(variation + 1e-5).unsqueeze(2)


class MomentPooling(nn.Module):
    """Tumour logits -> moments of NCR, ED, ET and the whole tumour: (B, 4, D, H, W) -> (B, 4 * MOMENTS).

    Average pooling has to learn a logarithm, an arg-max and a covariance before it can say how large, where and how
    long a tumour is; these are their closed forms, differentiable. Coordinates run over [-1, 1] per axis. Centroid
    and covariance weigh a voxel by its squared probability: a faint haze over the brain outweighs a small tumour
    otherwise.
    """

    def __init__(self, size: tuple[int, int, int]) -> None:
        super().__init__()
        self.register_buffer("coordinates", coordinate_grid(size).reshape(3, -1), persistent=False)

    def forward(self, logits: Tensor) -> Tensor:
        """(B, 4, D, H, W), class 0 background -> (B, 4 * MOMENTS), float32."""
        tumour = torch.softmax(logits.float(), dim=1)[:, 1:]
        maps = torch.cat([tumour, tumour.sum(dim=1, keepdim=True)], dim=1)
        flat = maps.flatten(2)
        weights = flat.square()
        weights = weights / (weights.sum(dim=2, keepdim=True) + 1e-6)
        centroid = weights @ self.coordinates.T  # type: ignore[operator]
        second = torch.einsum("brn,in,jn->brij", weights, self.coordinates, self.coordinates)
        covariance = second - centroid.unsqueeze(3) * centroid.unsqueeze(2)
        spread = torch.sqrt(torch.diagonal(covariance, dim1=2, dim2=3).clamp(min=0) + 1e-4)
        correlation = covariance / (spread.unsqueeze(3) * spread.unsqueeze(2))
        pairs = torch.stack([correlation[:, :, 0, 1], correlation[:, :, 0, 2], correlation[:, :, 1, 2]], dim=2)
        log_mass = torch.log(flat.mean(dim=2, keepdim=True) + 1e-5)
        # Logarithms run over about -11 to -3: bring everything near unit scale for the layer that reads it.
        moments = [0.5 * (log_mass + 7), 2 * centroid, 4 * spread, pairs, 0.5 * (log_total_variation(maps) + 7)]
        return torch.cat(moments, dim=2).flatten(1)
