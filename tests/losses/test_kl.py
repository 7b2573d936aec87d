"""KL of the posterior and free bits."""

import math

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from semivae_bundle.losses.kl import gaussian_kl, in_units_of_prior, with_free_bits


def test_kl_of_the_prior_is_zero() -> None:
    assert gaussian_kl(torch.zeros(3, 5), torch.zeros(3, 5)).tolist() == [0.0] * 5


def test_kl_has_its_known_values() -> None:
    mean, log_var = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, math.log(4)]])
    assert gaussian_kl(mean, log_var).tolist() == pytest.approx([2.0, (4 - 1 - math.log(4)) / 2])


def test_kl_agrees_with_torch_distributions_and_averages_over_the_batch() -> None:
    torch.manual_seed(0)
    mean, log_var = torch.randn(7, 4), torch.randn(7, 4)
    expected = kl_divergence(Normal(mean, (log_var / 2).exp()), Normal(0.0, 1.0)).mean(dim=0)
    torch.testing.assert_close(gaussian_kl(mean, log_var), expected)


def test_free_bits_are_a_floor_on_each_dimension() -> None:
    assert float(with_free_bits(torch.tensor([0.0, 0.2, 0.5, 2.0]), 0.25)) == pytest.approx(0.25 + 0.25 + 0.5 + 2.0)
    assert float(with_free_bits(torch.tensor([0.1, 2.0]), 0.0)) == pytest.approx(2.1)


def test_free_bits_kill_the_gradient_below_the_floor_and_leave_it_above() -> None:
    kl = torch.tensor([0.1, 0.4], requires_grad=True)
    with_free_bits(kl, 0.25).backward()
    assert kl.grad is not None
    assert kl.grad.tolist() == [0.0, 1.0]


def test_the_floor_is_on_the_batch_average_and_not_on_each_subject() -> None:
    mean = torch.tensor([[0.0], [2.0]], requires_grad=True)
    total = with_free_bits(gaussian_kl(mean, torch.zeros(2, 1)), 0.5)
    total.backward()
    assert total.item() == pytest.approx(1.0)
    assert mean.grad is not None
    assert mean.grad.flatten().tolist() == [0.0, 1.0]


def test_in_units_of_the_prior_the_divergence_is_that_from_a_standard_normal() -> None:
    mean, log_var, prior_mean, prior_log_var = torch.randn(4, 5, 3, generator=torch.Generator().manual_seed(0)).double()
    output = {"mean": mean, "log_var": log_var}
    assert in_units_of_prior(output) == (mean, log_var)
    own = in_units_of_prior(output | {"prior_mean": prior_mean, "prior_log_var": prior_log_var})
    p, q = Normal(prior_mean, (prior_log_var / 2).exp()), Normal(mean, (log_var / 2).exp())
    torch.testing.assert_close(gaussian_kl(*own), kl_divergence(q, p).mean(dim=0))
