"""Slices of a scan as a network of photographs sees them."""

from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from semivae_bundle.networks.slice_features import IMAGENET_MEAN, IMAGENET_STD, SliceFeatures, slice_places

OPTIONS: dict[str, Any] = {"width": 3, "patch_size": 2, "side": 8, "slices": 2, "share": 0.5, "views": [[0, 2, 3]]}


class Tokens(nn.Module):
    """As class token the mean colour, as patch tokens the pixels; keeps the pictures that it was shown."""

    def forward(self, pictures: Tensor) -> SimpleNamespace:
        self.shown = pictures
        pixels = pictures.flatten(2).transpose(1, 2)
        return SimpleNamespace(last_hidden_state=torch.cat([pixels.mean(dim=1, keepdim=True), 2 * pixels], dim=1))


def features_of(**options: Any) -> SliceFeatures:
    return SliceFeatures(Tokens(), **{**OPTIONS, "window": [-1.0, 3.0], **options})


def colours(z_score: float, window: tuple[float, float] = (-1.0, 3.0)) -> Tensor:
    """What a uniform brain looks like to a network trained on ImageNet."""
    grey = (z_score - window[0]) / (window[1] - window[0])
    return (grey - torch.tensor(IMAGENET_MEAN)) / torch.tensor(IMAGENET_STD)


def test_places_are_evenly_spaced_in_the_central_share() -> None:
    assert slice_places(8, slices=4, share=1.0) == [1, 3, 5, 7]
    assert slice_places(100, slices=2, share=0.5) == [37, 62]
    assert slice_places(9, slices=1, share=0.1) == [4]


def test_class_and_mean_patch_token_are_averaged_over_the_slices() -> None:
    found = features_of()(torch.ones(2, 4, 8, 8, 8))
    expected = torch.cat([colours(1.0), 2 * colours(1.0)]).expand(2, 6)
    torch.testing.assert_close(found, expected)


def test_each_plane_is_cut_where_it_should_be() -> None:
    scan = torch.ones(1, 4, 8, 10, 12)
    for axis, places in ((2, [3, 5]), (3, [3, 6]), (4, [4, 7])):
        for place in places:
            scan.select(axis, place).fill_(2.0)
    slices = features_of(side=10).slices_of(scan)
    assert slices.shape == (6, 4, 10, 10)
    torch.testing.assert_close(slices, torch.full_like(slices, 2.0))


def test_the_slices_of_a_scan_stay_together() -> None:
    features, (one, other) = features_of(), torch.rand(2, 1, 4, 8, 10, 12)
    together = features(torch.cat([one, other]))
    torch.testing.assert_close(together, torch.cat([features(one), features(other)]))


def test_colours_are_the_channels_of_the_view_and_outside_the_brain_is_black() -> None:
    scan = torch.zeros(1, 4, 8, 8, 8)
    scan[:, :, :, :, :] = torch.tensor([1.0, 5.0, 2.0, 3.0]).reshape(1, 4, 1, 1, 1)
    scan[:, :, :, 5:] = 0.0
    features = features_of(slices=1, share=0.1)
    features(scan)
    axial = features.network.shown[-1]
    bright = torch.stack([colours(z)[i] for i, z in enumerate((1.0, 2.0, 3.0))])
    torch.testing.assert_close(axial[:, 4, 1], bright)
    torch.testing.assert_close(axial[:, 4, 7], colours(-1.0))


def test_views_are_joined() -> None:
    scan = torch.rand(1, 4, 8, 8, 8)
    both, second = features_of(views=[[0, 2, 3], [1, 1, 1]]), features_of(views=[[1, 1, 1]])
    assert both.size == 12
    torch.testing.assert_close(both(scan)[:, 6:], second(scan))


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"side": 15}, "a side that 2 divides, found 15; 16 fits"),
        ({"side": 0}, "a side that 2 divides, found 0; 2 fits"),
        ({"slices": 0}, "slices=0"),
        ({"share": 1.5}, "share=1.5"),
        ({"window": [2.0, 2.0]}, r"window=\[2.0, 2.0\]"),
        ({"views": [[0, 1]]}, r"three channels in every view, found \[\[0, 1\]\]"),
    ],
)
def test_options_that_show_nothing_are_refused(option: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        features_of(**option)
