"""A learned template of the brain that the code bends into place and colours."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn.functional import grid_sample, interpolate

from semivae_bundle.networks.blocks import AxisCoordinates, Float32Linear

# A unit of code moves the template by this share of half the field of view, 3.6 mm of 240: a head is larger or smaller
# by a tenth. With three times as much, the bend ran ahead of the template and the two never agreed.
REACH = 0.03

# The template is this many times its parameters, which is so many times the optimiser's step for it: each of its cells
# is seen once a scan, a convolution's weight thousands of times.
GAIN = 4.0


class WarpedAtlas(nn.Module):
    """Tissue maps, placed and bent by the code and coloured by it: (B, L) -> image (B, image_channels, *roi_size).

    Brains are alike up to place, size, bend and the scanner's contrast, so what tells two heads apart is a few numbers
    of geometry and a few colours: a deformable template (arXiv:1908.02738) under the generative model of segmentation
    by atlas (10.1016/j.neuroimage.2005.02.018), both learned with the network. A broadcast decoder would have to draw
    every fold out of the code; here the folds are weights.

    `tissues` maps of `side` cells a side lie over the field of view, whatever the grid, so the same weights serve every
    `roi_size`. The affine map and the shifts of `control` points a side are affine in the code, and so is the colour of
    each tissue in each channel. The control points span the grid from its first voxel to its last, trilinear between.
    """

    if TYPE_CHECKING:  # TorchScript would want to make sense of it
        unmoved: Tensor

    def __init__(
        self, latent_size: int, roi_size: Sequence[int], image_channels: int, tissues: int, side: int, control: int
    ) -> None:
        super().__init__()
        if min(tissues, side) < 1 or control < 2:
            raise ValueError(
                f"atlas: expected tissues and side >= 1 and control >= 2, found {tissues=}, {side=}, {control=}"
            )
        self.size = (roi_size[0], roi_size[1], roi_size[2])
        self.axes = AxisCoordinates(self.size)
        self.register_buffer("unmoved", torch.eye(3), persistent=False)
        self.image_channels, self.control = image_channels, control
        self.reach, self.gain = REACH, GAIN  # TorchScript sees attributes, not module constants
        self.template = nn.Parameter(0.02 * torch.randn(1, tissues, side, side, side))
        self.affine = Float32Linear(latent_size, 12)
        self.bend = Float32Linear(latent_size, 3 * control**3)
        self.colour = Float32Linear(latent_size, image_channels * tissues)
        for layer in (self.affine, self.bend, self.colour):
            nn.init.normal_(layer.weight, std=0.1 * latent_size**-0.5)
            nn.init.zeros_(layer.bias)
        nn.init.normal_(self.colour.bias, std=0.5)  # equal colours would make copies of the tissues

    def forward(self, latent: Tensor) -> Tensor:
        """(B, L) -> (B, image_channels, D, H, W)."""
        b = latent.shape[0]
        grid = self.places(latent).flip(1).permute(0, 2, 3, 4, 1)  # grid_sample names the last axis first
        template = self.gain * self.template.expand(b, -1, -1, -1, -1)
        maps = grid_sample(template, grid, padding_mode="border", align_corners=False)
        colour = self.colour(latent).reshape(b, self.image_channels, -1)
        return torch.bmm(colour, maps.flatten(2)).reshape(b, self.image_channels, *self.size)

    def places(self, latent: Tensor) -> Tensor:
        """(B, L) -> where in the template each voxel lies, x, y, z in [-1, 1] over the field of view:
        (B, 3, D, H, W).
        """
        b = latent.shape[0]
        affine = self.reach * self.affine(latent).reshape(b, 3, 4)
        along_x = (affine[:, :, 0:1] + self.unmoved[:, 0:1]) * self.axes.x
        along_y = (affine[:, :, 1:2] + self.unmoved[:, 1:2]) * self.axes.y
        along_z = (affine[:, :, 2:3] + self.unmoved[:, 2:3]) * self.axes.z + affine[:, :, 3:4]
        bend = self.reach * self.bend(latent).reshape(b, 3, self.control, self.control, self.control)
        bend = interpolate(bend, size=list(self.size), mode="trilinear", align_corners=True)
        return along_x[:, :, :, None, None] + along_y[:, :, None, :, None] + along_z[:, :, None, None, :] + bend
