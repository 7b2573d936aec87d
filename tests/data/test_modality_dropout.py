"""Hiding modalities in training."""

import pytest
import torch

from semivae_bundle.data.modality_dropout import DropModalitiesd


def draws(probability: float, count: int = 400) -> torch.Tensor:
    drop = DropModalitiesd("image", "seen_image", probability)
    drop.set_random_state(seed=0)
    return torch.stack([drop({"image": torch.ones(4, 2, 2, 2)})["modalities"] for _ in range(count)])


def test_hidden_channels_are_zero_and_the_target_stays_whole() -> None:
    drop, image = DropModalitiesd("image", "seen_image", 0.5), torch.randn(4, 2, 2, 2)
    item = drop.set_random_state(seed=1)({"image": image})
    assert 0 < item["modalities"].sum() < 4
    assert torch.equal(item["image"], image)
    assert torch.equal(item["seen_image"], image * item["modalities"][:, None, None, None])


def test_never_are_all_hidden_and_any_may_come_back() -> None:
    seen = draws(0.99)
    assert bool((seen.sum(dim=1) >= 1).all())
    assert bool((seen.sum(dim=0) > 50).all())


def test_each_is_hidden_as_often_as_asked() -> None:
    assert float(1 - draws(0.2, 2000).mean()) == pytest.approx(0.2, abs=0.02)
    assert bool(draws(0.0).all())


def test_the_same_seed_hides_the_same() -> None:
    assert torch.equal(draws(0.5), draws(0.5))


def test_what_is_not_there_never_comes_back() -> None:
    image = torch.zeros(4, 2, 2, 2)
    image[2] = 1
    drop = DropModalitiesd("image", "seen_image", 0.9).set_random_state(seed=0)
    assert all(drop({"image": image})["modalities"].tolist() == [0, 0, 1, 0] for _ in range(20))


def test_a_probability_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"in \[0, 1\), found 1"):
        DropModalitiesd("image", "seen_image", 1.0)
