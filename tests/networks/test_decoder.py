"""Latent vector -> image and tumour map."""

from collections.abc import Sequence

import pytest
import torch

from semivae_bundle.networks.decoder import SpatialBroadcastDecoder


def a_decoder(roi: Sequence[int] = (8, 16, 8), channels: Sequence[int] = (8, 4)) -> SpatialBroadcastDecoder:
    torch.manual_seed(0)
    return SpatialBroadcastDecoder(5, roi, 3, 4, channels, norm_groups=4, frequencies=2)


def test_image_and_tumour_map_have_the_size_of_the_roi() -> None:
    image, logits = a_decoder()(torch.randn(2, 5))
    assert image.shape == (2, 3, 8, 16, 8)
    assert logits.shape == (2, 4, 8, 16, 8)


def test_every_latent_dimension_moves_the_image_and_the_tumour_map_from_the_first_step() -> None:
    decoder = a_decoder()
    z = torch.randn(1, 5)
    for k in range(5):
        image, logits = decoder(z)
        moved_image, moved_logits = decoder(z + torch.eye(5)[k])
        assert (moved_image - image).abs().mean() > 1e-3
        assert (moved_logits - logits).abs().mean() > 1e-3


def test_the_code_reaches_every_level() -> None:
    decoder = a_decoder()
    image, logits = decoder(torch.randn(1, 5))
    (image.square().sum() + logits.square().sum()).backward()
    for block in decoder.blocks:
        assert block.film.weight.grad is not None
        assert block.film.weight.grad.any()


def test_two_places_are_drawn_differently_by_one_code() -> None:
    image, _ = a_decoder()(torch.zeros(1, 5))
    assert image.flip(2).sub(image).abs().max() > 1e-2


def test_the_output_is_linear_and_has_no_bounds() -> None:
    decoder, z = a_decoder(), torch.randn(1, 5)
    before = torch.cat(decoder(z), dim=1)
    with torch.no_grad():
        decoder.output.weight.mul_(1000)
        decoder.output.bias.mul_(1000)
    torch.testing.assert_close(torch.cat(decoder(z), dim=1), 1000 * before)
    assert decoder(z)[0].abs().max() > 10


def test_the_coordinates_are_no_part_of_the_weights() -> None:
    assert "coordinates" not in a_decoder().state_dict()
    assert a_decoder().coordinates.shape == (1, 3 * (1 + 2 * 2), 2, 4, 2)


@pytest.mark.parametrize("channels", [[], [8, 0]])
def test_channels_must_be_positive_widths(channels: list[int]) -> None:
    with pytest.raises(ValueError, match="decoder: channels must hold at least one positive width"):
        a_decoder(channels=channels)


def test_a_roi_that_the_levels_cannot_double_to_is_refused() -> None:
    with pytest.raises(ValueError, match="sides divisible by 8"):
        a_decoder(roi=(12, 16, 16), channels=(8, 8, 8))
