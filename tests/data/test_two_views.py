"""Two views of one scan differ in intensity alone."""

import pytest
import torch
from monai.transforms import Compose, RandGaussianNoised
from torch import Tensor

from semivae_bundle.data.transforms import FlipWithTargetsd, intensity_augmentation
from semivae_bundle.data.two_views import TwoViewsd


def an_item() -> dict[str, Tensor]:
    torch.manual_seed(0)
    brain = torch.zeros(1, 6, 6, 6)
    brain[:, 1:4, 1:5, 1:5] = 1  # lopsided, so that a flip is seen
    return {"image": torch.randn(4, 6, 6, 6) * brain, "brain": brain, "features": torch.tensor([1.0, 2.0])}


def noisy_views(probability: float = 1.0) -> TwoViewsd:
    noise = intensity_augmentation(["image"], probability=probability, noise_std=0.2, bias=0.3, gamma=(0.7, 1.5))
    return TwoViewsd("image", "teacher_image", noise)


def test_the_views_differ_and_everything_else_stays() -> None:
    item = an_item()
    seen = noisy_views().set_random_state(0)(item)
    assert not torch.equal(seen["image"], seen["teacher_image"])
    assert torch.equal(seen["features"], item["features"])
    assert torch.equal(seen["brain"], item["brain"])
    assert torch.equal(item["image"], an_item()["image"])


def test_without_augmentation_both_are_the_scan() -> None:
    noise = RandGaussianNoised(keys=["image"], prob=0.0)
    seen = TwoViewsd("image", "teacher_image", noise)(an_item())
    assert torch.equal(seen["image"], seen["teacher_image"])
    assert torch.equal(seen["image"], an_item()["image"])


def test_the_seed_decides_both_views() -> None:
    first, again, other = (noisy_views(0.5).set_random_state(seed)(an_item()) for seed in (3, 3, 4))
    for name in ("image", "teacher_image"):
        assert torch.equal(first[name], again[name])
    assert not torch.equal(first["image"], other["image"])


@pytest.mark.parametrize(("probability", "side"), [(0.0, slice(4, 6)), (1.0, slice(0, 2))])
def test_a_flip_before_it_is_one_for_both(probability: float, side: slice) -> None:
    flip = FlipWithTargetsd(["image", "brain"], "features", probability, [-1.0, 1.0], [0.0, 0.0])
    seen = Compose([flip, noisy_views()])(an_item())
    assert not seen["image"][:, side].any()
    assert not seen["teacher_image"][:, side].any()
    assert seen["features"].tolist() == [-1.0 if probability else 1.0, 2.0]


def test_a_composition_seeds_it() -> None:
    composed = Compose([noisy_views()])
    first, again = (composed.set_random_state(5)(an_item())["teacher_image"] for _ in range(2))
    assert torch.equal(first, again)
