"""The segmentation's last step at full resolution."""

from functools import partial

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool3d, cross_entropy, interpolate

from semivae_bundle.networks.encoder import ResNetEncoder
from semivae_bundle.networks.expert_encoder import ExpertEncoder
from semivae_bundle.networks.presence import PresenceEncoder
from semivae_bundle.networks.refinement import SegmentationRefinement


def a_refinement() -> SegmentationRefinement:
    torch.manual_seed(0)
    return SegmentationRefinement(in_channels=2, features=4, classes=4, width=8, norm_groups=4)


def checkerboards() -> tuple[Tensor, Tensor]:
    """Images (8, 2, 8, 8, 8) whose first channel is a random class a voxel, and the classes (8, 8, 8, 8)."""
    generator = torch.Generator().manual_seed(0)
    classes = torch.randint(4, (8, 8, 8, 8), generator=generator)
    noise = 0.1 * torch.randn(8, 2, 8, 8, 8, generator=generator)
    return noise + torch.stack([classes, torch.zeros_like(classes)], dim=1), classes


def test_a_fresh_one_adds_nothing_and_learns_in_all_its_parts() -> None:
    module, (image, classes) = a_refinement(), checkerboards()
    maps = torch.randn(8, 4, 4, 4, 4, requires_grad=True)
    assert not module(image, maps).any()
    optimizer = torch.optim.SGD(module.parameters(), 0.1)
    cross_entropy(module(image, maps), classes).backward()
    optimizer.step()
    optimizer.zero_grad()
    cross_entropy(module(image, maps), classes).backward()
    assert [name for name, p in module.named_parameters() if p.grad is None or not p.grad.any()] == []
    assert maps.grad is not None
    assert maps.grad.any()


def test_it_sees_what_half_the_sides_cannot_tell() -> None:
    module, (image, classes) = a_refinement(), checkerboards()
    shares = avg_pool3d(nn.functional.one_hot(classes, 4).movedim(-1, 1).float(), 2)
    coarse = interpolate(shares, scale_factor=2.0).clamp(min=1e-3).log()  # the best that half of the sides allow
    before = cross_entropy(coarse, classes).item()
    optimizer = torch.optim.Adam(module.parameters(), 0.02)
    for _ in range(100):
        loss = cross_entropy(coarse + module(image, shares), classes)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.5 * before


def test_the_encoder_s_logits_pass_through_it_and_it_scripts() -> None:
    torch.manual_seed(0)
    options = {"base_filters": 4, "blocks": [1, 1], "norm_groups": 4, "pool_size": 2, "pool_channels": 2}
    refinement = partial(SegmentationRefinement, width=8)
    encoder = ResNetEncoder(2, [16, 16, 16], hidden_size=4, refinement=refinement, **options).eval()
    module = encoder.refinement
    image = torch.randn(1, 2, 16, 16, 16)
    features, before = encoder(image)
    nn.init.constant_(module.correct.bias, 0.5)
    nn.init.normal_(module.correct.weight, std=0.3)
    changed, after = encoder(image)
    assert not torch.allclose(after, before + 0.5)
    assert not torch.allclose(changed["size"], features["size"])
    assert torch.equal(changed["appearance"], features["appearance"])
    torch.testing.assert_close(torch.jit.script(encoder)(image)[1], after)


@pytest.mark.parametrize("kind", [ResNetEncoder, PresenceEncoder, ExpertEncoder])
def test_every_encoder_makes_one_for_the_channels_that_it_sees(kind: type[nn.Module]) -> None:
    options = {"base_filters": 4, "blocks": [1, 1], "norm_groups": 4, "pool_size": 2, "pool_channels": 2}
    encoder = kind(
        4, roi_size=[16, 16, 16], hidden_size=4, refinement=partial(SegmentationRefinement, width=8), **options
    )
    assert encoder(torch.randn(2, 4, 16, 16, 16))[1].shape == (2, 4, 16, 16, 16)


def test_no_width_is_refused() -> None:
    with pytest.raises(ValueError, match="found 4, 4, 4 and 0"):
        SegmentationRefinement(4, 4, 4, 0, 8)
