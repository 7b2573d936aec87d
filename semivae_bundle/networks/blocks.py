"""Building blocks that encoder, posterior and decoder share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

BACKGROUND_LOGIT = 4.0
"""Log-odds of background against a tumour class before anything is learned: about one voxel in fifty is tumour."""


def group_norm(channels: int, groups: int) -> nn.GroupNorm:
    """GroupNorm (arXiv:1803.08494) of at most `groups` groups; fewer where `channels` is not divisible by it."""
    if groups < 1:
        raise ValueError(f"norm_groups: expected at least 1, found {groups}")
    while channels % groups:
        groups -= 1
    return nn.GroupNorm(groups, channels)


class ResidualBlock(nn.Module):
    """Two 3x3x3 convolutions with GroupNorm and a shortcut (arXiv:1512.03385): (B, C_in, ...) -> (B, C_out, ...).

    `stride` 2 halves every side. The second norm starts at zero, so that a fresh block is its shortcut
    (arXiv:1706.02677, 5.1), which makes a deep stack trainable from the first step.
    """

    def __init__(self, in_channels: int, out_channels: int, stride: int, norm_groups: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv3d(in_channels, out_channels, 3, stride=stride, padding=1, bias=False)
        self.norm1 = group_norm(out_channels, norm_groups)
        self.conv2 = nn.Conv3d(out_channels, out_channels, 3, padding=1, bias=False)
        self.norm2 = group_norm(out_channels, norm_groups)
        nn.init.zeros_(self.norm2.weight)
        self.shortcut: nn.Module = nn.Identity()
        if stride != 1 or in_channels != out_channels:
            self.shortcut = nn.Conv3d(in_channels, out_channels, 1, stride=stride, bias=False)
        self.activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, D, H, W) -> (B, C_out, D/stride, H/stride, W/stride)."""
        out = self.activation(self.norm1(self.conv1(x)))
        out = self.norm2(self.conv2(out))
        return self.activation(out + self.shortcut(x))


def subpixels_joined(x: Tensor) -> Tensor:
    """Eight channels of a voxel become its eight sub-voxels: (B, 8 C, D, H, W) -> (B, C, 2D, 2H, 2W)."""
    b, c, d, h, w = x.shape[0], x.shape[1] // 8, x.shape[2], x.shape[3], x.shape[4]
    y = x.reshape(b, c, 2, 2, 2, d, h, w).permute(0, 1, 5, 2, 6, 3, 7, 4)
    return y.reshape(b, c, 2 * d, 2 * h, 2 * w)


def subpixels_parted(x: Tensor) -> Tensor:
    """The inverse of `subpixels_joined`: (B, C, 2D, 2H, 2W) -> (B, 8 C, D, H, W)."""
    b, c, d, h, w = x.shape[0], x.shape[1], x.shape[2] // 2, x.shape[3] // 2, x.shape[4] // 2
    y = x.reshape(b, c, d, 2, h, 2, w, 2).permute(0, 1, 3, 5, 7, 2, 4, 6)
    return y.reshape(b, 8 * c, d, h, w)


class SubpixelUpsample(nn.Module):
    """Double every side by a 1x1x1 convolution to eight sub-voxels each (arXiv:1609.05158).

    The same linear map as a transposed convolution of kernel 2 and stride 2, but faster on a CPU in bf16, and free of
    the overlap that draws checkerboards. (B, C_in, D, H, W) -> (B, C_out, 2D, 2H, 2W).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.expand = nn.Conv3d(in_channels, 8 * out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, D, H, W) -> (B, C_out, 2D, 2H, 2W)."""
        return subpixels_joined(self.expand(x))


def float32_product(x: Tensor, weight: Tensor) -> Tensor:
    """X W^T in float32 under autocast: (B, F), (out, F) -> (B, out).

    For the few numbers that are read as measurements: bf16 would round each to 1 part in 256. Written as products and
    sums, which autocast leaves alone, because TorchScript knows no autocast region for any device.
    """
    return (x.float().unsqueeze(1) * weight).sum(dim=2)


class Float32Linear(nn.Linear):
    """nn.Linear that stays in float32 under autocast: (B, F) -> (B, out). For few numbers, see `float32_product`."""

    def forward(self, x: Tensor) -> Tensor:
        """(B, F) of any precision -> (B, out), float32."""
        return float32_product(x, self.weight) + self.bias


def softly_bounded(value: Tensor, bound: float) -> Tensor:
    """Into (-bound, bound), with slope 1 at 0 and a gradient everywhere (arXiv:2007.03898, its released code)."""
    return bound * torch.tanh(value / bound)


class AxisCoordinates(nn.Module):
    """Voxel centres along each axis of a grid, in [-1, 1]: buffers x (D,), y (H,), z (W,), no part of the weights."""

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


def coordinate_grid(roi_size: tuple[int, int, int]) -> Tensor:
    """Voxel centres of a grid as fractions in [-1, 1]: (1, 3, D, H, W), in x, y, z order."""
    axes = [(torch.arange(side, dtype=torch.float32) + 0.5) / side * 2 - 1 for side in roi_size]
    return torch.stack(torch.meshgrid(axes[0], axes[1], axes[2], indexing="ij")).unsqueeze(0)
