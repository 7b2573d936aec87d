"""Gaussian likelihood of the image at the optimal noise scale."""

import math

import pytest
import torch
from torch.distributions import Normal
from torch.nn.functional import interpolate

from semivae_bundle.losses.reconstruction import fixed_sigma_nll, optimal_sigma_nll, voxel_weights, weighted_mse


def test_it_is_the_gaussian_likelihood_at_the_mean_squared_error() -> None:
    torch.manual_seed(0)
    x, y = torch.randn(1, 4, 3, 3, 3), torch.randn(1, 4, 3, 3, 3)
    mse = (x - y).square().mean()
    exact = -Normal(y, mse.sqrt()).log_prob(x).sum()
    torch.testing.assert_close(optimal_sigma_nll(mse, observations=x.numel()), exact)


@pytest.mark.parametrize("factor", [0.8, 1.25])
def test_no_other_noise_scale_is_more_likely(factor: float) -> None:
    torch.manual_seed(0)
    error = torch.randn(100)
    mse = error.square().mean()
    other = -Normal(0.0, mse.sqrt() * factor).log_prob(error).sum()
    assert other > optimal_sigma_nll(mse, observations=100)


def test_its_gradient_is_half_the_observations_over_the_error() -> None:
    mse = torch.tensor(0.3, requires_grad=True)
    optimal_sigma_nll(mse, observations=500.0).backward()
    assert mse.grad is not None
    assert float(mse.grad) == pytest.approx(500 / (2 * 0.3))


def test_at_a_stated_noise_scale_it_is_the_gaussian_likelihood_and_at_the_best_one_the_optimal_one() -> None:
    torch.manual_seed(0)
    error = torch.randn(100)
    mse = error.square().mean()
    exact = -Normal(0.0, 0.7).log_prob(error).sum()
    torch.testing.assert_close(fixed_sigma_nll(mse, observations=100, sigma=0.7), exact)
    best = fixed_sigma_nll(mse, observations=100, sigma=float(mse.sqrt()))
    torch.testing.assert_close(best, optimal_sigma_nll(mse, observations=100))


def test_a_perfect_image_has_a_finite_likelihood() -> None:
    value = optimal_sigma_nll(torch.tensor(0.0), observations=2.0)
    assert value.item() == pytest.approx(math.log(2 * math.pi * 1e-6) + 1)


def test_the_size_of_the_grid_does_not_matter() -> None:
    torch.manual_seed(0)
    x, y, w = torch.randn(2, 4, 4, 4, 4), torch.randn(2, 4, 4, 4, 4), torch.rand(2, 1, 4, 4, 4)
    fine = [interpolate(value, scale_factor=2, mode="nearest") for value in (x, y, w)]
    coarse_nll, fine_nll = (
        optimal_sigma_nll(weighted_mse(a, b, c), observations=500.0) for a, b, c in ((x, y, w), fine)
    )
    torch.testing.assert_close(coarse_nll, fine_nll)


def test_weights_are_those_of_outside_brain_and_tumour() -> None:
    brain, tumour = torch.tensor([0.0, 1.0, 1.0, 1.0]), torch.tensor([0.0, 0.0, 0.5, 1.0])
    weights = voxel_weights(brain, tumour, outside=0.1, tumour_weight=5.0)
    assert weights.tolist() == pytest.approx([0.1, 1.0, 3.0, 5.0])


def test_the_mean_squared_error_is_weighted_per_voxel_over_all_channels() -> None:
    prediction, target = torch.zeros(1, 2, 1, 1, 2), torch.tensor([[1.0, 3.0], [2.0, 4.0]]).reshape(1, 2, 1, 1, 2)
    weights = torch.tensor([1.0, 3.0]).reshape(1, 1, 1, 1, 2)
    expected = (1 * (1 + 4) + 3 * (9 + 16)) / (2 * (1 + 3))
    assert float(weighted_mse(prediction, target, weights)) == pytest.approx(expected)


def test_an_error_that_weighs_nothing_does_not_count() -> None:
    target = torch.zeros(1, 1, 1, 1, 2)
    target[..., 1] = 100.0
    weights = torch.tensor([1.0, 0.0]).reshape(1, 1, 1, 1, 2)
    assert float(weighted_mse(torch.zeros_like(target), target, weights)) == 0.0
    assert float(weighted_mse(torch.zeros_like(target), target, torch.zeros_like(weights))) == 0.0


def test_half_precision_predictions_are_scored_in_full_precision() -> None:
    prediction = torch.zeros(1, 1, 1, 1, 1, dtype=torch.bfloat16)
    value = weighted_mse(prediction, torch.full((1, 1, 1, 1, 1), 1.001), torch.ones(1, 1, 1, 1, 1))
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(1.001**2, rel=1e-6)
