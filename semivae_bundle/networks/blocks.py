"""The residual block of encoder and decoder."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def group_norm(channels: int, groups: int) -> nn.GroupNorm:
    """GroupNorm (arXiv:1803.08494) of at most `groups` groups; fewer where `channels` is not divisible by it."""
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


class SubpixelUpsample(nn.Module):
    """Double every side by a 1x1x1 convolution to eight sub-voxels each (arXiv:1609.05158).

    The same linear map as a transposed convolution of kernel 2 and stride 2, but three times faster on a CPU in
    channels-last bf16, and free of the overlap that draws checkerboards. (B, C_in, D, H, W) -> (B, C_out, 2D, 2H, 2W).
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.out_channels = out_channels
        self.expand = nn.Conv3d(in_channels, 8 * out_channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        """(B, C_in, D, H, W) -> (B, C_out, 2D, 2H, 2W)."""
        y = self.expand(x).permute(0, 2, 3, 4, 1)
        b, d, h, w = y.shape[0], y.shape[1], y.shape[2], y.shape[3]
        y = y.reshape(b, d, h, w, 2, 2, 2, self.out_channels).permute(0, 1, 4, 2, 5, 3, 6, 7)
        return y.reshape(b, 2 * d, 2 * h, 2 * w, self.out_channels).permute(0, 4, 1, 2, 3)


def coordinate_grid(roi_size: tuple[int, int, int]) -> Tensor:
    """Voxel centres of a grid as fractions in [-1, 1]: (1, 3, D, H, W), in x, y, z order."""
    axes = [(torch.arange(side, dtype=torch.float32) + 0.5) / side * 2 - 1 for side in roi_size]
    return torch.stack(torch.meshgrid(axes[0], axes[1], axes[2], indexing="ij")).unsqueeze(0)
