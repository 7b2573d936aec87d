"""Residual block, upsampling and coordinates."""

import pytest
import torch
from torch import nn

from semivae_bundle.networks.blocks import (
    Float32Linear,
    ResidualBlock,
    SubpixelUpsample,
    coordinate_grid,
    group_norm,
    subpixels_joined,
    subpixels_parted,
)


@pytest.mark.parametrize(("channels", "groups", "expected"), [(32, 8, 8), (12, 8, 6), (7, 8, 7), (4, 8, 4), (5, 3, 1)])
def test_group_norm_takes_the_most_groups_that_divide_the_channels(channels: int, groups: int, expected: int) -> None:
    norm = group_norm(channels, groups)
    assert (norm.num_groups, norm.num_channels) == (expected, channels)


@pytest.mark.parametrize(("out_channels", "stride"), [(4, 1), (8, 1), (8, 2)])
def test_a_fresh_residual_block_is_its_shortcut(out_channels: int, stride: int) -> None:
    torch.manual_seed(0)
    block, x = ResidualBlock(4, out_channels, stride, 4), torch.randn(2, 4, 4, 4, 4)
    y = block(x)
    assert y.shape == (2, out_channels, *(4 // stride,) * 3)
    torch.testing.assert_close(y, block.shortcut(x).relu())


def test_the_residual_branch_counts_once_its_norm_has_a_weight() -> None:
    torch.manual_seed(0)
    block, x = ResidualBlock(4, 4, 1, 4), torch.randn(1, 4, 4, 4, 4)
    nn.init.ones_(block.norm2.weight)
    assert (block(x) - x.relu()).abs().max() > 0.1


def test_subpixel_upsampling_is_a_transposed_convolution_of_stride_two() -> None:
    torch.manual_seed(0)
    upsample, x = SubpixelUpsample(3, 2), torch.randn(2, 3, 2, 3, 4)
    weight = upsample.expand.weight.reshape(2, 2, 2, 2, 3).permute(4, 0, 1, 2, 3)
    expected = nn.functional.conv_transpose3d(x, weight, stride=2)
    expected += upsample.expand.bias.reshape(2, 2, 2, 2).repeat(1, *x.shape[2:])
    torch.testing.assert_close(upsample(x), expected)


def test_a_float32_linear_is_a_linear_layer_that_autocast_leaves_alone() -> None:
    torch.manual_seed(0)
    layer, x = Float32Linear(50, 3), torch.randn(4, 50)
    expected = nn.functional.linear(x, layer.weight, layer.bias)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = layer(x)
    torch.testing.assert_close(found, expected)
    assert layer(x.bfloat16()).dtype == torch.float32


def test_coordinates_are_voxel_centres_in_x_y_z_order() -> None:
    grid = coordinate_grid((4, 2, 1))
    assert grid.shape == (1, 3, 4, 2, 1)
    assert grid[0, 0, :, 0, 0].tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert grid[0, 1, 0, :, 0].tolist() == [-0.5, 0.5]
    assert grid[0, 2].unique().tolist() == [0.0]


def test_eight_channels_are_the_eight_voxels_of_a_block() -> None:
    x = torch.arange(2 * 3 * 4 * 6 * 8).reshape(2, 3, 4, 6, 8)
    parted = subpixels_parted(x)
    assert parted.shape == (2, 24, 2, 3, 4)
    assert torch.equal(parted[1, 8:16, 1, 2, 3], x[1, 1, 2:4, 4:6, 6:8].flatten())
    assert torch.equal(subpixels_joined(parted), x)
