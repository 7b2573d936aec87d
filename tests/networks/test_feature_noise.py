"""The predicted noise of the features."""

import math

import pytest
import torch

from semivae_bundle.networks.feature_noise import FeatureNoise

FEATURES = {"vol": 2, "loc": 1}


def test_at_first_every_scan_has_the_stated_noise() -> None:
    found = FeatureNoise(6, FEATURES, 8, sigma=0.15)(torch.randn(4, 6))
    torch.testing.assert_close(found, torch.full((4, 3), 2 * math.log(0.15)))


@pytest.mark.parametrize("pull", [-50.0, 50.0])
def test_it_stays_within_its_reach(pull: float) -> None:
    noise = FeatureNoise(6, FEATURES, 8, sigma=0.15)
    torch.nn.init.constant_(noise.out.bias, pull)
    sigma = noise(torch.randn(4, 6)).mul(0.5).exp()
    assert sigma.min() > 0.02
    assert sigma.max() < 1.2


def test_it_tells_scans_apart_and_asks_nothing_of_the_code() -> None:
    torch.manual_seed(0)
    noise, mean = FeatureNoise(6, FEATURES, 8, sigma=0.15), torch.randn(4, 6, requires_grad=True)
    torch.nn.init.normal_(noise.out.weight)
    found = noise(mean)
    assert found.std(dim=0).min() > 0.01
    found.sum().backward()
    assert mean.grad is None
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in noise.parameters())


def test_a_start_that_is_no_noise_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected sigma > 0 to start from and hidden_size >= 1, found sigma=0.0"):
        FeatureNoise(6, FEATURES, 8, sigma=0.0)
