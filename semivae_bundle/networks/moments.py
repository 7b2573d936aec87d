"""Tumour probabilities -> the numbers that describe a body: mass, place, extent, axes, surface, silhouettes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from semivae_bundle.networks.blocks import coordinate_grid

MOMENTS = 20
"""log mass 1, centroid 3, standard deviations 3, correlations 3, principal axes 3, log surface 1, log box sides 3,
log silhouettes 3."""


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
    long a tumour is; these are their closed forms. Coordinates run over [-1, 1] per axis. Centroid and covariance
    weigh a voxel by its squared probability: a faint haze over the brain outweighs a small tumour otherwise. The sides
    of the bounding box and the silhouettes (shadows along x, y, z) are those of the largest probability along a line,
    which says how much of its box and hull a body fills.
    """

    if TYPE_CHECKING:  # TorchScript would want to make sense of these
        x: Tensor
        y: Tensor
        z: Tensor

    def __init__(self, size: tuple[int, int, int]) -> None:
        super().__init__()
        grid = coordinate_grid(size)[0]
        self.register_buffer("x", grid[0, :, 0, 0].clone(), persistent=False)
        self.register_buffer("y", grid[1, 0, :, 0].clone(), persistent=False)
        self.register_buffer("z", grid[2, 0, 0, :].clone(), persistent=False)

    def forward(self, logits: Tensor) -> Tensor:
        """(B, 4, D, H, W), class 0 background -> (B, 4 * MOMENTS), float32."""
        tumour = torch.softmax(logits.float(), dim=1)[:, 1:]
        maps = torch.cat([tumour, tumour.sum(dim=1, keepdim=True)], dim=1).contiguous()
        centroid, covariance = self.centroid_and_covariance(maps.square())
        spread = torch.sqrt(torch.diagonal(covariance, dim1=2, dim2=3).clamp(min=0) + 1e-4)
        correlation = covariance / (spread.unsqueeze(3) * spread.unsqueeze(2))
        pairs = torch.stack([correlation[:, :, 0, 1], correlation[:, :, 0, 2], correlation[:, :, 1, 2]], dim=2)
        # A NaN would stop eigvalsh with an error about ill conditioning; the other moments carry it on to the loss,
        # where it is named.
        variances = torch.linalg.eigvalsh(torch.nan_to_num(covariance, nan=0.0, posinf=0.0, neginf=0.0))
        axes = 0.5 * torch.log(variances.clamp(min=0) + 1e-4)
        log_mass = torch.log(maps.mean(dim=(2, 3, 4)) + 1e-5).unsqueeze(2)
        # Along z, y, x: (B, R, D, H), (B, R, D, W), (B, R, H, W).
        along_z, along_y, along_x = maps.amax(dim=4), maps.amax(dim=3), maps.amax(dim=2)
        shadows = torch.stack([along_x.mean(dim=(2, 3)), along_y.mean(dim=(2, 3)), along_z.mean(dim=(2, 3))], dim=2)
        sides = torch.stack(
            [along_z.amax(dim=3).mean(dim=2), along_z.amax(dim=2).mean(dim=2), along_y.amax(dim=2).mean(dim=2)], dim=2
        )
        # Logarithms run over about -11 to -3: bring everything near unit scale for the layer that reads it.
        moments = [
            0.5 * (log_mass + 7),
            2 * centroid,
            4 * spread,
            pairs,
            axes + 2,
            0.5 * (log_total_variation(maps) + 7),
            torch.log(sides + 1e-2) + 2,
            0.5 * (torch.log(shadows + 1e-4) + 4),
        ]
        return torch.cat(moments, dim=2).flatten(1)

    def centroid_and_covariance(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Weighted mean (B, R, 3) and covariance (B, R, 3, 3) of the coordinates; `weights` (B, R, D, H, W) >= 0.

        The three projections hold all of it, which is several times faster than a list of voxels.
        """
        x, y, z = self.x, self.y, self.z
        xy, xz, yz = weights.sum(dim=4), weights.sum(dim=3), weights.sum(dim=2)
        total = (xy.sum(dim=(2, 3)) + 1e-6).unsqueeze(2)
        # Products and sums rather than matrix products, which autocast would round to bf16.
        in_x, in_y, in_z = xy.sum(dim=3), xy.sum(dim=2), xz.sum(dim=2)
        first = [(in_x * x).sum(dim=2), (in_y * y).sum(dim=2), (in_z * z).sum(dim=2)]
        xx, yy, zz = (in_x * x * x).sum(dim=2), (in_y * y * y).sum(dim=2), (in_z * z * z).sum(dim=2)
        x_y = (xy * x.unsqueeze(1) * y).sum(dim=(2, 3))
        x_z = (xz * x.unsqueeze(1) * z).sum(dim=(2, 3))
        y_z = (yz * y.unsqueeze(1) * z).sum(dim=(2, 3))
        mean = torch.stack(first, dim=2) / total
        second = torch.stack([xx, x_y, x_z, x_y, yy, y_z, x_z, y_z, zz], dim=2) / total
        covariance = second.reshape(mean.shape[0], mean.shape[1], 3, 3) - mean.unsqueeze(3) * mean.unsqueeze(2)
        return mean, covariance
