"""The reconstruction at a noise scale per modality."""

import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from semivae_bundle.losses.modality_balance import balanced_nll, channel_mse
from semivae_bundle.losses.reconstruction import pooled_nll, weighted_mse

NLL = Callable[..., Tensor]


def normal(*shape: int, seed: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


IMAGE, ERROR = normal(2, 4, 5, 5, 5, seed=0), normal(2, 4, 5, 5, 5, seed=1)
WEIGHTS = normal(2, 1, 5, 5, 5, seed=2).abs()


def gradient(nll: NLL, scales: list[float]) -> Tensor:
    """With respect to the prediction, whose error in each modality is scaled."""
    prediction = (IMAGE + ERROR * torch.tensor(scales).reshape(1, 4, 1, 1, 1)).requires_grad_()
    (found,) = torch.autograd.grad(nll(prediction, IMAGE, WEIGHTS, observations=100.0), prediction)
    return found


def test_a_worse_modality_leaves_the_gradients_of_the_others_as_they_were() -> None:
    before, after = (gradient(balanced_nll, [1.0, 1.0, scale, 1.0]) for scale in (1.0, 10.0))
    others = [0, 1, 3]
    torch.testing.assert_close(after[:, others], before[:, others])
    assert after[:, others].abs().mean() > 1e-3


def test_under_one_noise_for_all_it_takes_them_away() -> None:
    before, after = (gradient(pooled_nll, [1.0, 1.0, scale, 1.0]) for scale in (1.0, 10.0))
    assert after[:, [0, 1, 3]].abs().mean() < 0.1 * before[:, [0, 1, 3]].abs().mean()


def test_a_modality_pulls_by_its_relative_error_alone() -> None:
    # d ln(mse) along the error is 2, whatever its size: n / (2 C) times that.
    for scale in (0.1, 1.0, 10.0):
        pull = (gradient(balanced_nll, [1.0, scale, 1.0, 1.0])[:, 1] * scale * ERROR[:, 1]).sum()
        assert pull.item() == pytest.approx(100 / 4, rel=1e-4)


def test_it_is_the_likelihood_of_each_channel_at_its_own_error() -> None:
    prediction = IMAGE + torch.tensor([0.1, 0.2, 0.3, 0.4]).reshape(1, 4, 1, 1, 1)
    expected = sum(100 / 4 / 2 * (math.log(2 * math.pi * error**2) + 1) for error in (0.1, 0.2, 0.3, 0.4))
    assert balanced_nll(prediction, IMAGE, WEIGHTS, observations=100.0).item() == pytest.approx(expected, rel=1e-4)


def test_it_is_the_pooled_one_where_all_err_alike_and_less_elsewhere() -> None:
    alike, unlike = IMAGE + 0.3, IMAGE + 0.3 * torch.tensor([1.0, 2.0, 3.0, 4.0]).reshape(1, 4, 1, 1, 1)
    balanced, pooled = (
        [nll(drawn, IMAGE, WEIGHTS, observations=100.0).item() for drawn in (alike, unlike)]
        for nll in (balanced_nll, pooled_nll)
    )
    assert balanced[0] == pytest.approx(pooled[0], rel=1e-4)
    assert balanced[1] < pooled[1] - 1


def test_the_channels_errors_have_the_pooled_one_as_their_mean() -> None:
    prediction = IMAGE + ERROR
    torch.testing.assert_close(channel_mse(prediction, IMAGE, WEIGHTS).mean(), weighted_mse(prediction, IMAGE, WEIGHTS))


def test_a_channel_drawn_perfectly_gives_a_number() -> None:
    assert gradient(balanced_nll, [0.0, 1.0, 1.0, 1.0]).isfinite().all()
