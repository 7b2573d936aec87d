"""One decoder per modality under one code."""

from collections.abc import Callable

import pytest
import torch

from semivae_bundle.networks.modality_decoders import Blank, ModalityDecoders

ROI = (8, 16, 8)
MakeDecoders = Callable[..., ModalityDecoders]


@pytest.fixture
def some_decoders(make_atlas) -> MakeDecoders:
    def make(image_channels: int = 4, atlas_channels: int = 4) -> ModalityDecoders:
        atlas = make_atlas(5, ROI, image_channels=atlas_channels)
        return ModalityDecoders(
            5,
            ROI,
            image_channels,
            atlas,
            tumour_classes=4,
            channels=[8, 4],
            norm_groups=4,
            frequencies=2,
            anchors=2,
            directions=torch.zeros(4, 5),
        )

    return make


def test_image_and_tumour_map_have_the_size_of_the_roi(some_decoders: MakeDecoders) -> None:
    image, logits = some_decoders()(torch.randn(2, 5))
    assert image.shape == (2, 4, *ROI)
    assert logits.shape == (2, 4, *ROI)


def test_a_modality_is_drawn_by_its_own_decoder_and_the_atlas(some_decoders: MakeDecoders) -> None:
    decoders = some_decoders()
    decoders(torch.randn(2, 5))[0][:, 1].square().sum().backward()
    reached = {name.split(".")[1] for name, p in decoders.named_parameters() if p.grad.any()}
    assert reached == {"1", "template", "affine", "bend", "colour"}


def test_the_tumour_map_is_the_mean_of_what_they_say(some_decoders: MakeDecoders) -> None:
    decoders, latent = some_decoders(), torch.randn(2, 5)
    said = [decoder(latent)[1] for decoder in decoders.decoders]
    torch.testing.assert_close(decoders(latent)[1], sum(said) / 4)
    assert (said[0] - said[1]).abs().mean() > 1e-3


def test_the_image_is_what_they_draw_over_the_atlas(some_decoders: MakeDecoders) -> None:
    decoders, latent = some_decoders(), torch.randn(2, 5)
    drawn = torch.cat([decoder(latent)[0] for decoder in decoders.decoders], dim=1)
    torch.testing.assert_close(decoders(latent)[0], drawn + decoders.atlas(latent))


def test_the_gradient_reaches_every_parameter(some_decoders: MakeDecoders) -> None:
    decoders = some_decoders()
    for name, parameter in decoders.named_parameters():
        if name.endswith("norm2.weight"):
            torch.nn.init.ones_(parameter)
    image, logits = decoders(torch.randn(2, 5))
    (image.square().sum() + logits.square().sum()).backward()
    assert [name for name, p in decoders.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_torchscript_agrees(some_decoders: MakeDecoders) -> None:
    decoders, latent = some_decoders().eval(), torch.randn(2, 5)
    for found, expected in zip(torch.jit.script(decoders)(latent), decoders(latent), strict=True):
        torch.testing.assert_close(found, expected)


def test_a_blank_atlas_draws_nothing_without_memory() -> None:
    drawn = Blank(ROI, 1)(torch.randn(3, 5))
    assert drawn.shape == (3, 1, *ROI)
    assert not drawn.any()
    assert drawn.untyped_storage().nbytes() == 4


def test_an_atlas_of_other_channels_or_no_modality_is_refused(some_decoders: MakeDecoders) -> None:
    with pytest.raises(ValueError, match=r"expected an atlas that draws \(1, 4, 8, 16, 8\).*found \(1, 3, 8, 16, 8\)"):
        some_decoders(atlas_channels=3)
    with pytest.raises(ValueError, match=r"expected image_channels >= 1, one decoder for each, found 0"):
        some_decoders(image_channels=0)
