"""Latent vector -> image and tumour map."""

from collections.abc import Callable, Sequence

import pytest
import torch
from torch import nn

from semivae_bundle.networks.blocks import coordinate_grid
from semivae_bundle.networks.decoder import AnchorMaps, Anchors, SpatialBroadcastDecoder

MakeDecoder = Callable[..., SpatialBroadcastDecoder]


@pytest.fixture
def a_decoder(make_atlas) -> MakeDecoder:
    def make(
        roi: Sequence[int] = (8, 16, 8), channels: Sequence[int] = (8, 4), atlas_channels: int = 3, **options: int
    ) -> SpatialBroadcastDecoder:
        atlas = make_atlas(5, roi, image_channels=atlas_channels)
        sizes = {"tumour_classes": 4, "norm_groups": 4, "frequencies": 2, "anchors": 2, **options}
        return SpatialBroadcastDecoder(5, roi, 3, channels=channels, directions=torch.zeros(4, 5), atlas=atlas, **sizes)

    return make


def test_image_and_tumour_map_have_the_size_of_the_roi(a_decoder: MakeDecoder) -> None:
    image, logits = a_decoder()(torch.randn(2, 5))
    assert image.shape == (2, 3, 8, 16, 8)
    assert logits.shape == (2, 4, 8, 16, 8)


def test_every_latent_dimension_moves_the_image_and_the_tumour_map_from_the_first_step(a_decoder: MakeDecoder) -> None:
    decoder = a_decoder()
    z = torch.randn(1, 5)
    for k in range(5):
        image, logits = decoder(z)
        moved_image, moved_logits = decoder(z + torch.eye(5)[k])
        assert (moved_image - image).abs().mean() > 1e-3
        assert (moved_logits - logits).abs().mean() > 1e-3


def test_the_code_reaches_every_level(a_decoder: MakeDecoder) -> None:
    decoder = a_decoder()
    image, logits = decoder(torch.randn(1, 5))
    (image.square().sum() + logits.square().sum()).backward()
    for block in decoder.blocks:
        assert block.film.weight.grad is not None
        assert block.film.weight.grad.any()


def test_an_anchor_map_is_a_gaussian_and_its_direction_at_the_stated_place() -> None:
    maps = AnchorMaps((8, 10, 12), channels=4, anchors=1)
    nn.init.zeros_(maps.mix.weight)
    maps.mix.weight.data[:, :, 0, 0, 0] = torch.eye(4)
    centre, width = torch.tensor([[[0.2, -0.3, 0.1]]]), torch.tensor([[0.4]])
    found = maps(torch.zeros(1, 4, 8, 10, 12), centre, width)[0]
    u = (coordinate_grid((8, 10, 12))[0] - centre[0, 0].reshape(3, 1, 1, 1)) / 0.4
    g = torch.exp(-0.5 * u.square().sum(dim=0))
    torch.testing.assert_close(found, torch.stack([g, g * u[0], g * u[1], g * u[2]]))


def test_moving_the_anchors_moves_what_is_drawn_at_every_level(a_decoder: MakeDecoder) -> None:
    decoder, z = a_decoder(roi=(16, 16, 16)), torch.randn(1, 5)
    seen: list[torch.Tensor] = []
    for level in decoder.anchored:
        level.register_forward_hook(lambda module, inputs, output: seen.append(output - inputs[0]))
    decoder(z)
    nn.init.constant_(decoder.anchors.centre.bias, 0.5)
    decoder(z)
    assert len(seen) == 2 * len(decoder.anchored)
    for before, after in zip(seen[:2], seen[2:], strict=True):
        assert (after - before).abs().max() > 1e-3


def test_the_code_moves_the_anchors() -> None:
    centre, width = Anchors(5, 3, torch.zeros(4, 5))(torch.randn(4, 5))
    assert centre.shape == (4, 3, 3)
    assert (centre[0] - centre[1]).abs().min() > 0
    torch.testing.assert_close(width, torch.full((4, 3), 0.3))


def test_half_of_the_anchors_start_where_the_directions_say() -> None:
    directions = torch.zeros(4, 5)
    directions[0, 0], directions[2, 1:3], directions[3, 4] = 1.0, 0.5, 1.0
    centre, width = Anchors(5, 3, directions)(torch.tensor([[1.0, 2.0, 2.0, 0.0, 1.0], [0.0, 0.0, 0.0, 9.0, 0.0]]))
    torch.testing.assert_close(centre[:, :2, 0], torch.tensor([[0.23, 0.23], [0.0, 0.0]]))
    torch.testing.assert_close(centre[:, :2, 2], torch.tensor([[0.46, 0.46], [0.0, 0.0]]))
    # Nothing was said of y, and nothing of the third.
    assert centre[1, :2, 1].abs().min() > 0.1
    assert centre[1, 2].abs().min() > 0.1
    torch.testing.assert_close(width[1], torch.full((3,), 0.3))
    torch.testing.assert_close(width[0].log() - width[1].log(), torch.tensor([0.27, 0.27, 0.0]), atol=2e-3, rtol=0)


@pytest.mark.parametrize("shape", [(3, 5), (4, 6)])
def test_directions_of_another_code_are_refused(shape: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=r"expected directions of x, y, z and size in a code of 5, \(4, 5\), found"):
        Anchors(5, 3, torch.zeros(shape))


@pytest.mark.parametrize("pull", [-6.0, 6.0])
def test_widths_stay_in_bounds_and_can_come_back(pull: float) -> None:
    anchors = Anchors(5, 1, torch.zeros(4, 5))
    nn.init.constant_(anchors.log_width.bias, pull)
    width = anchors(torch.randn(1, 5))[1]
    width.log().sum().backward()
    assert 0.03 < width.item() < 2.9
    assert anchors.log_width.bias.grad is not None
    assert anchors.log_width.bias.grad.item() > 1e-3


def test_a_fresh_tumour_map_expects_background(a_decoder: MakeDecoder) -> None:
    assert a_decoder()(torch.randn(2, 5))[1].softmax(dim=1)[:, 0].mean() > 0.9


def test_the_atlas_is_part_of_the_image_and_not_of_the_tumour_map(a_decoder: MakeDecoder) -> None:
    decoder, z = a_decoder(), torch.randn(1, 5)
    image, logits = decoder(z)
    with torch.no_grad():
        brain = decoder.atlas(z)
        decoder.atlas.template.zero_()
    without, same = decoder(z)
    torch.testing.assert_close(image - brain, without)
    assert torch.equal(logits, same)


def test_two_places_are_drawn_differently_by_one_code(a_decoder: MakeDecoder) -> None:
    image, _ = a_decoder()(torch.zeros(1, 5))
    assert image.flip(2).sub(image).abs().max() > 1e-2


def test_the_output_is_linear_and_has_no_bounds(a_decoder: MakeDecoder) -> None:
    decoder, z = a_decoder(), torch.randn(1, 5)
    before = torch.cat(decoder(z), dim=1)
    with torch.no_grad():
        decoder.output.weight.mul_(1000)
        decoder.output.bias.mul_(1000)
        decoder.atlas.template.mul_(1000)
    torch.testing.assert_close(torch.cat(decoder(z), dim=1), 1000 * before, rtol=1e-5, atol=1e-4)
    assert decoder(z)[0].abs().max() > 10


def test_the_coordinates_are_no_part_of_the_weights(a_decoder: MakeDecoder) -> None:
    assert "coordinates" not in a_decoder().state_dict()
    assert a_decoder().coordinates.shape == (1, 3 * (1 + 2 * 2), 2, 4, 2)


@pytest.mark.parametrize("channels", [[], [8, 0]])
def test_channels_must_be_positive_widths(a_decoder: MakeDecoder, channels: list[int]) -> None:
    with pytest.raises(ValueError, match="decoder: channels must hold at least one positive width"):
        a_decoder(channels=channels)


@pytest.mark.parametrize(("option", "value"), [("anchors", 0), ("tumour_classes", 0), ("frequencies", -1)])
def test_a_number_that_cannot_be_is_refused(a_decoder: MakeDecoder, option: str, value: int) -> None:
    with pytest.raises(ValueError, match=f"decoder: .*, found .*{option}={value}"):
        a_decoder(**{option: value})


def test_a_roi_that_the_levels_cannot_double_to_is_refused(a_decoder: MakeDecoder) -> None:
    with pytest.raises(ValueError, match="sides divisible by 8"):
        a_decoder(roi=(12, 16, 16), channels=(8, 8, 8))


def test_an_atlas_of_other_channels_is_refused(a_decoder: MakeDecoder) -> None:
    with pytest.raises(ValueError, match=r"atlas that draws \(1, 3, 8, 16, 8\) .* found \(1, 1, 8, 16, 8\)"):
        a_decoder(atlas_channels=1)
