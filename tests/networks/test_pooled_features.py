"""Deepest features of a network of volumes, averaged."""

import pytest
import torch
from monai.networks.nets.swin_unetr import SwinTransformer
from torch import Tensor, nn

from semivae_bundle.networks.pooled_features import PooledFeatures

SCAN = torch.randn(2, 4, 32, 32, 32, generator=torch.Generator().manual_seed(0))


class Maps(nn.Module):
    """Two maps: the channels as they are, and coarser."""

    def forward(self, image: Tensor) -> list[Tensor]:
        return [image, 2 * image[:, :, ::2, ::2, ::2]]


@pytest.mark.parametrize("views", [[[2, 0]], [[3], [1]]])
def test_the_last_map_is_averaged_view_by_view_with_the_channels_in_the_order_given(views: list[list[int]]) -> None:
    pooled = PooledFeatures(Maps(), len(views[0]), views)
    found = pooled(SCAN)
    order = [channel for view in views for channel in view]
    assert found.shape == (2, pooled.size)
    torch.testing.assert_close(found, 2 * SCAN[:, order, ::2, ::2, ::2].mean(dim=(2, 3, 4)))


@pytest.mark.parametrize("network", [nn.Identity(), nn.Sequential(nn.AdaptiveAvgPool3d(1), nn.Flatten())])
def test_one_map_or_a_vector_will_do(network: nn.Module) -> None:
    torch.testing.assert_close(PooledFeatures(network, 4, [[0, 1, 2, 3]])(SCAN), SCAN.mean(dim=(2, 3, 4)))


def test_the_encoder_of_a_swin_unetr_gives_sixteen_times_its_first_width() -> None:
    pytest.importorskip("einops", reason="Swin UNETR needs einops: pip install -e '.[swin]'")
    torch.manual_seed(0)
    network = SwinTransformer(4, 12, (4, 4, 4), (2, 2, 2), (1, 1, 1, 1), (2, 2, 2, 2)).eval()
    features = PooledFeatures(network, 16 * 12, [[2, 0, 1, 3]])(SCAN)
    assert features.shape == (2, 192)
    assert (features[0] - features[1]).abs().max() > 1e-3


@pytest.mark.parametrize("views", [[], [[]], [[0, -1]]])
def test_views_that_show_nothing_are_refused(views: list[list[int]]) -> None:
    with pytest.raises(ValueError, match=r"views: expected lists of image channels, such as \[\[0, 1, 2, 3\]\]"):
        PooledFeatures(nn.Identity(), 4, views)


def test_a_view_of_a_channel_that_the_image_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match=r"views: \[\[0\], \[3\]\] name channel 3, .* and the image has 1"):
        PooledFeatures(nn.Identity(), 1, [[0], [3]])(SCAN[:, :1])
