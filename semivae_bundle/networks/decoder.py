"""Latent vector -> image and tumour map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from monai.networks import eval_mode
from torch import Tensor, nn

from semivae_bundle.networks.blocks import (
    BACKGROUND_LOGIT,
    AxisCoordinates,
    Float32Linear,
    ResidualBlock,
    SubpixelUpsample,
    coordinate_grid,
    softly_bounded,
)
from semivae_bundle.networks.partition import check_roi

# Logarithm of an anchor's width, in half sides of the field of view: at the start, and how far it can go from there.
LOG_WIDTH, LOG_WIDTH_REACH = math.log(0.3), 2.25
# By how much tumours differ in place, in half sides, and in the logarithm of their width, a third of that of their
# volume: one standard deviation over phantoms, rounded.
PLACE_DEVIATION, LOG_WIDTH_DEVIATION = 0.23, 0.27


class ModulatedBlock(nn.Module):
    """A residual block whose input the latent vector scales and shifts per channel (FiLM, arXiv:1709.07871).

    A plain broadcast decoder may draw a mean image from the coordinates and ignore the code; modulation at every
    level keeps the code in the path of every voxel.
    """

    def __init__(self, channels: int, latent_size: int, norm_groups: int) -> None:
        super().__init__()
        self.film = nn.Linear(latent_size, 2 * channels)
        self.block = ResidualBlock(channels, channels, 1, norm_groups)

    def forward(self, x: Tensor, latent: Tensor) -> Tensor:
        """`x` (B, C, D, H, W), `latent` (B, L) -> (B, C, D, H, W)."""
        scale, shift = self.film(latent)[:, :, None, None, None].chunk(2, dim=1)
        return self.block(x * (1 + scale) + shift)


class Anchors(nn.Module):
    """Places and widths that the code names: (B, L) -> centres (B, K, 3) in [-1, 1] coordinates, widths (B, K) > 0.

    Both affine in the code, the width in its logarithm. A broadcast decoder has to learn a comparison of coordinates
    and code before it can move a blob; with anchors (the attention windows of arXiv:1502.04623, 3.2) the place of a
    tumour is three numbers rather than a picture.

    `directions` (4, L): what the code says of the tumour's x, y, z and log-volume, in standard deviations per unit of
    each dimension (`head_directions`). The first half of the anchors start where these say, the others anywhere: a
    tumour is a hundredth of the voxels, and an anchor that finds it by chance may find it too late. A row of zeros says
    nothing.
    """

    def __init__(self, latent_size: int, anchors: int, directions: Tensor) -> None:
        super().__init__()
        if tuple(directions.shape) != (4, latent_size):
            raise ValueError(
                f"decoder: expected directions of x, y, z and size in a code of {latent_size}, {(4, latent_size)}, "
                f"found {tuple(directions.shape)}"
            )
        self.start, self.reach = LOG_WIDTH, LOG_WIDTH_REACH  # TorchScript sees attributes, not module constants
        self.centre = Float32Linear(latent_size, 3 * anchors)
        self.log_width = Float32Linear(latent_size, anchors)
        nn.init.zeros_(self.log_width.weight)
        nn.init.zeros_(self.log_width.bias)
        told = (anchors + 1) // 2
        with torch.no_grad():
            for axis in range(3):
                if directions[axis].any():
                    self.centre.weight[axis : 3 * told : 3] = PLACE_DEVIATION * directions[axis]
                    self.centre.bias[axis : 3 * told : 3] = 0
            self.log_width.weight[:told] = LOG_WIDTH_DEVIATION * directions[3]

    def forward(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """(B, L) -> (B, K, 3), (B, K), float32."""
        # Bounded softly, between about 0.03 and 2.8: a width of zero or infinity has no gradient to come back by.
        width = (self.start + softly_bounded(self.log_width(latent), self.reach)).exp()
        return self.centre(latent).reshape(latent.shape[0], -1, 3), width


class AnchorMaps(nn.Module):
    """Adds to a feature map what each of its voxels is to each anchor: (B, C, D, H, W) -> the same.

    For $u = (x - c) / s$ the Gaussian $g = e^{-|u|^2/2}$ and the direction $g u$, four maps an anchor, mixed into the
    channels. All four are products of one function per axis, so they cost one product each.
    """

    def __init__(self, size: tuple[int, int, int], channels: int, anchors: int) -> None:
        super().__init__()
        self.axes = AxisCoordinates(size)
        self.mix = nn.Conv3d(4 * anchors, channels, 1, bias=False)

    def forward(self, x: Tensor, centre: Tensor, width: Tensor) -> Tensor:
        """`x` (B, C, D, H, W), `centre` (B, K, 3), `width` (B, K) -> (B, C, D, H, W)."""
        along = []
        for axis, places in enumerate([self.axes.x, self.axes.y, self.axes.z]):
            u = (places - centre[:, :, axis].unsqueeze(2)) / width.unsqueeze(2)
            g = torch.exp(-0.5 * u.square())
            kinds = [g, g, g, g]
            kinds[axis + 1] = g * u
            along.append(torch.cat(kinds, dim=1).to(x.dtype))
        plane = along[0][:, :, :, None, None] * along[1][:, :, None, :, None]
        return x + self.mix(plane * along[2][:, :, None, None, :])


class SpatialBroadcastDecoder(nn.Module):
    """Spatial broadcast decoder (arXiv:1901.07017) on a coarse grid, with sub-pixel upsampling: (B, L) -> two maps.

    The code is laid over every cell of a grid of side roi / 2**len(channels) together with the cell's coordinates
    (as sines and cosines of `frequencies` octaves, arXiv:2006.10739), then refined at each level. Two outputs: the
    image, linear because z-scored intensities have no bounds, and tumour logits (background, NCR, ED, ET).

    `anchors`, `directions`: see Anchors. `atlas`: (B, L) -> (B, image_channels, D, H, W) draws the brain; this network
    adds to it what the brain alone does not explain, the tumour first of all.
    """

    def __init__(
        self,
        latent_size: int,
        roi_size: Sequence[int],
        image_channels: int,
        tumour_classes: int,
        channels: Sequence[int],
        norm_groups: int,
        frequencies: int,
        anchors: int,
        directions: Tensor,
        atlas: nn.Module,
    ) -> None:
        super().__init__()
        if not channels or min(channels) < 1:
            raise ValueError(f"decoder: channels must hold at least one positive width, found {list(channels)}")
        check_roi(tuple(roi_size), 2 ** len(channels))
        if min(image_channels, tumour_classes, anchors) < 1 or frequencies < 0:
            raise ValueError(
                "decoder: image_channels, tumour_classes and anchors must be >= 1 and frequencies >= 0, found "
                f"{image_channels=}, {tumour_classes=}, {anchors=}, {frequencies=}"
            )
        self.image_channels, self.tumour_classes = image_channels, tumour_classes
        side = 2 ** len(channels)
        grid = coordinate_grid((roi_size[0] // side, roi_size[1] // side, roi_size[2] // side))
        octaves = [grid * (math.pi * 2.0**k / 2) for k in range(frequencies)]
        waves = [wave for angle in octaves for wave in (angle.sin(), angle.cos())]
        self.register_buffer("coordinates", torch.cat([grid, *waves], dim=1), persistent=False)
        width = channels[0]
        self.place = nn.Conv3d(3 * (1 + 2 * frequencies), width, 1)
        self.code = nn.Linear(latent_size, width)
        self.mix = nn.Sequential(nn.SiLU(), nn.Conv3d(width, width, 1), nn.SiLU())
        sides = [tuple(size * 2**level // side for size in roi_size) for level in range(len(channels))]
        self.anchors = Anchors(latent_size, anchors, directions)
        self.anchored = nn.ModuleList(AnchorMaps(size, c, anchors) for size, c in zip(sides, channels, strict=True))
        self.blocks = nn.ModuleList(ModulatedBlock(c, latent_size, norm_groups) for c in channels)
        check_atlas(atlas, latent_size, image_channels, roi_size)
        self.atlas = atlas
        # The last level has none: `output` takes it to full size.
        self.upsamples = nn.ModuleList([*(SubpixelUpsample(a, b) for a, b in pairwise(channels)), nn.Identity()])
        # One overlapping transposed convolution to full size costs a fifth of a block at full size.
        self.output = nn.ConvTranspose3d(channels[-1], image_channels + tumour_classes, 4, stride=2, padding=1)
        with torch.no_grad():
            self.output.bias[image_channels] = BACKGROUND_LOGIT  # type: ignore[index]

    def forward(self, latent: Tensor) -> tuple[Tensor, Tensor]:
        """(B, L) -> image (B, image_channels, D, H, W), tumour logits (B, tumour_classes, D, H, W)."""
        x = self.mix(self.place(self.coordinates) + self.code(latent)[:, :, None, None, None])
        centre, width = self.anchors(latent)
        for block, upsample, anchored in zip(self.blocks, self.upsamples, self.anchored):  # noqa: B905 - TorchScript
            x = upsample(block(anchored(x, centre, width), latent))
        image, logits = self.output(x).split([self.image_channels, self.tumour_classes], dim=1)
        return image + self.atlas(latent), logits


def check_atlas(atlas: nn.Module, latent_size: int, image_channels: int, roi_size: Sequence[int]) -> None:
    """Raise ValueError unless `atlas` draws (1, image_channels, *roi_size) from a code of `latent_size`."""
    # In evaluation mode, so that no running statistic sees the zeros. Without gradient.
    with eval_mode(atlas):
        drawn = tuple(atlas(torch.zeros(1, latent_size)).shape)
    if drawn != (1, image_channels, *roi_size):
        raise ValueError(
            f"decoder: expected an atlas that draws {(1, image_channels, *roi_size)} from a code of {latent_size}, "
            f"found {drawn}"
        )
