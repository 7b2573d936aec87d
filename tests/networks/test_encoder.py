"""Image -> features and the segmentation."""

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from semivae_bundle.networks.encoder import CLASSES, ResNetEncoder
from semivae_bundle.networks.moments import FORM, PLACE, SIZE

SIZES: dict[str, Any] = {
    "in_channels": 4,
    "roi_size": (16, 24, 16),
    "base_filters": 4,
    "blocks": [1, 2, 1],
    "norm_groups": 4,
    "pool_size": 2,
    "pool_channels": 3,
    "hidden_size": 6,
}


def an_encoder(**options: Any) -> ResNetEncoder:
    torch.manual_seed(0)
    encoder = ResNetEncoder(**{**SIZES, **options})
    for name, parameter in encoder.named_parameters():
        if name.endswith("norm2.weight"):
            nn.init.ones_(parameter)
    return encoder


def an_image(seed: int = 0) -> Tensor:
    return torch.randn(2, 4, 16, 24, 16, generator=torch.Generator().manual_seed(seed))


def test_features_by_name_and_a_segmentation_of_the_image_s_size_come_out() -> None:
    encoder = an_encoder()
    features, logits = encoder(an_image())
    expected = {"appearance": 6, "size": CLASSES * SIZE, "place": CLASSES * PLACE, "form": CLASSES * FORM}
    assert encoder.feature_sizes == expected
    assert {name: tuple(value.shape) for name, value in features.items()} == {
        name: (2, count) for name, count in expected.items()
    }
    assert logits.shape == (2, CLASSES, 16, 24, 16)


def test_channels_double_and_sides_halve_from_stage_to_stage() -> None:
    encoder = an_encoder()
    x = encoder.stem(an_image())
    shapes = []
    for stage in encoder.stages:
        x = stage(x)
        shapes.append(tuple(x.shape[1:]))
    assert shapes == [(4, 8, 12, 8), (8, 4, 6, 4), (16, 2, 3, 2)]
    assert [len(stage) for stage in encoder.stages] == [1, 2, 1]


def test_the_gradient_reaches_every_parameter() -> None:
    encoder = an_encoder()
    features, logits = encoder(an_image())
    ((features["appearance"] * torch.randn(2, 6)).sum() + logits.square().sum()).backward()
    idle = [name for name, p in encoder.named_parameters() if p.grad is None or not p.grad.any()]
    assert idle == []


def test_the_moments_read_the_segmentation_and_leave_its_weights_alone() -> None:
    encoder = an_encoder()
    features, _ = encoder(an_image())
    assert not any(features[name].requires_grad for name in ("size", "place", "form"))
    with torch.no_grad():
        encoder.segment.expand.bias[-8:] += 5.0
    changed = encoder(an_image())[0]
    for name in ("size", "form"):
        assert (changed[name] - features[name]).abs().max() > 0.1


def test_the_appearance_is_not_read_from_the_segmentation() -> None:
    encoder = an_encoder()
    features, _ = encoder(an_image())
    features["appearance"].sum().backward()
    assert all(p.grad is None for module in (encoder.segment, encoder.smooth) for p in module.parameters())


def test_a_fresh_segmentation_expects_background() -> None:
    assert an_encoder()(an_image())[1].softmax(dim=1)[:, 0].mean() > 0.9


def test_louder_features_do_not_make_louder_output() -> None:
    encoder = an_encoder()
    quiet = encoder(an_image())[0]["appearance"].abs().mean()
    encoder.where[0].weight.data.mul_(1000)
    assert encoder(an_image())[0]["appearance"].abs().mean() < 3 * quiet


def test_the_segmentation_alone_reaches_every_stage() -> None:
    encoder = an_encoder()
    encoder(an_image())[1].square().sum().backward()
    for stage in encoder.stages:
        assert all(p.grad is not None and p.grad.any() for p in stage.parameters())


def test_an_image_is_encoded_the_same_whoever_shares_its_batch() -> None:
    encoder, images = an_encoder(), an_image()
    together, alone = encoder(images)[0], encoder(images[:1])[0]
    for name, value in together.items():
        torch.testing.assert_close(value[:1], alone[name], rtol=1e-4, atol=1e-4)


def test_where_something_is_changes_the_features() -> None:
    encoder = an_encoder()
    here, there = torch.zeros(1, 4, 16, 24, 16), torch.zeros(1, 4, 16, 24, 16)
    here[:, :, 2:6, 2:6, 2:6] = 3.0
    there[:, :, 10:14, 18:22, 10:14] = 3.0
    assert (encoder(here)[0]["appearance"] - encoder(there)[0]["appearance"]).abs().max() > 0.02


@pytest.mark.parametrize("option", ["in_channels", "base_filters", "hidden_size", "pool_size", "pool_channels"])
def test_a_size_below_one_is_refused_with_what_was_found(option: str) -> None:
    with pytest.raises(ValueError, match=rf"must be >= 1, found .*\b{option}=0"):
        an_encoder(**{option: 0})


@pytest.mark.parametrize("groups", [0, -3])
def test_a_norm_without_groups_is_refused(groups: int) -> None:
    with pytest.raises(ValueError, match=f"norm_groups: expected at least 1, found {groups}"):
        an_encoder(norm_groups=groups)


@pytest.mark.parametrize("blocks", [[], [2, 0]])
def test_stages_without_blocks_are_refused(blocks: list[int]) -> None:
    with pytest.raises(ValueError, match="every entry of blocks"):
        an_encoder(blocks=blocks)


def test_a_roi_that_the_stages_cannot_halve_is_refused() -> None:
    with pytest.raises(ValueError, match="sides divisible by 16"):
        an_encoder(blocks=[1, 1, 1, 1])


class OfTheImage(nn.Module):
    """A readout of two numbers: the image's mean, and the mean of the coarsest map."""

    size = 2

    def forward(self, image: Tensor, maps: list[Tensor], logits: Tensor) -> Tensor:
        """As ResNetEncoder asks."""
        return torch.stack([image.mean(dim=(1, 2, 3, 4)), maps[-1].mean(dim=(1, 2, 3, 4))], dim=1)


def test_a_readout_adds_features_of_its_own_name() -> None:
    encoder = an_encoder(readouts={"means": OfTheImage()})
    features, _ = torch.jit.script(encoder)(an_image())
    assert encoder.feature_sizes["means"] == 2
    torch.testing.assert_close(features["means"][:, 0], an_image().mean(dim=(1, 2, 3, 4)))


def test_a_readout_leaves_the_other_features_as_they_are() -> None:
    plain, extended = an_encoder(), an_encoder(readouts={"means": OfTheImage()})
    for name, value in plain(an_image())[0].items():
        torch.testing.assert_close(extended(an_image())[0][name], value)


def test_a_readout_may_not_take_a_name_that_the_encoder_uses() -> None:
    with pytest.raises(ValueError, match=r"names other than .*found .'size'"):
        an_encoder(readouts={"size": OfTheImage()})


class OfTheLogits(nn.Module):
    """A readout of one number, the mean logit."""

    size = 1

    def forward(self, image: Tensor, maps: list[Tensor], logits: Tensor) -> Tensor:
        """As ResNetEncoder asks."""
        return logits.mean(dim=(1, 2, 3, 4))[:, None]


def test_a_readout_of_the_segmentation_leaves_its_weights_alone_as_the_moments_do() -> None:
    assert not an_encoder(readouts={"logit": OfTheLogits()})(an_image())[0]["logit"].requires_grad


def test_a_stem_is_tried_without_a_trace_in_its_running_statistics() -> None:
    stem = nn.Sequential(nn.Conv3d(4, 4, 3, stride=2, padding=1), nn.BatchNorm3d(4))
    assert an_encoder(stem=stem).stem[1].num_batches_tracked == 0
    assert stem.training
