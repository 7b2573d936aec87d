"""Tumour probabilities -> the numbers that describe a body: mass, place, extent, axes, surface, silhouettes."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from semivae_bundle.networks.blocks import AxisCoordinates

SIZE, PLACE, FORM = 1, 3, 16
"""Numbers per region. Size: log mass. Place: the centroid. Form: log surface; logarithms of the standard deviations,
principal axes, box sides and silhouettes and the correlations, three each. Lengths of the form are taken per cube root
of the mass, areas per its square, so that a body that only grows keeps its form, as far as the grid resolves it."""


def standardised(value: Tensor, centre: float, deviation: float) -> Tensor:
    """In usual deviations from the usual centre, bent towards +-4: an absent region's form is noise over nothing."""
    return 4.0 * torch.tanh((value - centre) / (4.0 * deviation))


def log_total_variation(maps: Tensor) -> Tensor:
    """Logarithm of the total variation, as a share of the field of view's faces: (B, R, D, H, W) -> (B, R, 1).

    The total variation of an indicator is the body's surface area (up to the anisotropy of the grid).
    """
    variation = (
        (maps[:, :, 1:] - maps[:, :, :-1]).abs().sum(dim=2).mean(dim=(2, 3))
        + (maps[:, :, :, 1:] - maps[:, :, :, :-1]).abs().sum(dim=3).mean(dim=(2, 3))
        + (maps[:, :, :, :, 1:] - maps[:, :, :, :, :-1]).abs().sum(dim=4).mean(dim=(2, 3))
    )
    return torch.log(variation + 1e-5).unsqueeze(2)


def principal_variances(covariance: Tensor) -> Tensor:
    """Eigenvalues of symmetric matrices (..., 3, 3) -> (..., 3), ascending, by their closed form (Smith, Commun. ACM
    4:168, 1961): torch's solver makes a GPU wait for the numbers. In double precision, since the least is a small
    difference; without gradient, which is infinite where two agree.
    """
    matrix = covariance.detach().double()
    mean = torch.diagonal(matrix, dim1=-2, dim2=-1).mean(dim=-1)
    centred = matrix - mean[..., None, None] * torch.eye(3, dtype=matrix.dtype, device=matrix.device)
    spread = torch.sqrt(centred.square().sum(dim=(-2, -1)) / 6)
    a, b, c = centred[..., 0, :].unbind(-1)
    d, e, f = centred[..., 1, 1], centred[..., 1, 2], centred[..., 2, 2]
    determinant = a * (d * f - e * e) - b * (b * f - c * e) + c * (b * e - c * d)
    cosine = (determinant / (2 * spread.clamp(min=1e-30) ** 3)).clamp(-1, 1)
    turn = torch.acos(cosine) / 3
    third = 2 * math.pi / 3
    most, least = mean + 2 * spread * torch.cos(turn), mean + 2 * spread * torch.cos(turn + third)
    return torch.stack([least, 3 * mean - most - least, most], dim=-1).to(covariance.dtype)


class MomentPooling(nn.Module):
    """Tumour logits -> size, place and form of NCR, ED, ET and the whole tumour: (B, 4, D, H, W) -> three tables.

    Average pooling has to learn a logarithm, an arg-max and a covariance before it can say how large, where and how
    long a tumour is; these are their closed forms. Coordinates run over [-1, 1] per axis. Centroid and covariance
    weigh a voxel by its squared probability: a faint haze over the brain outweighs a small tumour otherwise. The sides
    of the bounding box and the silhouettes (shadows along x, y, z) are those of the largest probability along a line,
    which says how much of its box and hull a body fills.
    """

    def __init__(self, size: tuple[int, int, int]) -> None:
        super().__init__()
        self.axes = AxisCoordinates(size)

    def forward(self, logits: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B, 4, D, H, W), class 0 background -> (B, 4 SIZE), (B, 4 PLACE), (B, 4 FORM), float32."""
        tumour = torch.softmax(logits.float(), dim=1)[:, 1:]
        maps = torch.cat([tumour, tumour.sum(dim=1, keepdim=True)], dim=1).contiguous()
        centroid, covariance = self.centroid_and_covariance(maps.square())
        spread = torch.sqrt(torch.diagonal(covariance, dim1=2, dim2=3).clamp(min=0) + 1e-5)
        correlation = covariance / (spread.unsqueeze(3) * spread.unsqueeze(2))
        pairs = torch.stack([correlation[:, :, 0, 1], correlation[:, :, 0, 2], correlation[:, :, 1, 2]], dim=2)
        axes = 0.5 * torch.log(principal_variances(covariance).clamp(min=0) + 1e-5)
        log_mass = torch.log(maps.mean(dim=(2, 3, 4)) + 1e-7).unsqueeze(2)
        # Along z, y, x: (B, R, D, H), (B, R, D, W), (B, R, H, W).
        along_z, along_y, along_x = maps.amax(dim=4), maps.amax(dim=3), maps.amax(dim=2)
        shadows = torch.stack([along_x.mean(dim=(2, 3)), along_y.mean(dim=(2, 3)), along_z.mean(dim=(2, 3))], dim=2)
        sides = torch.stack(
            [along_z.amax(dim=3).mean(dim=2), along_z.amax(dim=2).mean(dim=2), along_y.amax(dim=2).mean(dim=2)], dim=2
        )
        # Centres and deviations as over phantoms at 64³, rounded. A feature such as sphericity is a small difference of
        # large numbers, which gradient descent is slow to find unless they are at one scale.
        length = log_mass / 3
        form = [
            standardised(log_total_variation(maps) - 2 * length, 2.6, 0.25),
            standardised(torch.log(spread) - length, -0.35, 0.25),
            standardised(axes - length, -0.4, 0.3),
            standardised(torch.log(sides + 1e-3) - length, 0.55, 0.17),
            standardised(torch.log(shadows + 1e-5) - 2 * length, 0.52, 0.17),
            standardised(pairs, 0.0, 0.27),
        ]
        size, place = standardised(log_mass, -6.0, 1.5), standardised(centroid, 0.0, 0.25)
        return size.flatten(1), place.flatten(1), torch.cat(form, dim=2).flatten(1)

    def centroid_and_covariance(self, weights: Tensor) -> tuple[Tensor, Tensor]:
        """Weighted mean (B, R, 3) and covariance (B, R, 3, 3) of the coordinates; `weights` (B, R, D, H, W) >= 0.

        The three projections hold all of it, which is several times faster than a list of voxels.
        """
        x, y, z = self.axes.x, self.axes.y, self.axes.z
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
