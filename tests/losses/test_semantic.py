"""Regression of the features that are present."""

import math

import pytest
import torch
from torch.distributions import Normal

from semivae_bundle.losses.semantic import masked_gaussian_nll

SIGMA = 0.2


def test_it_is_the_gaussian_likelihood_of_what_is_present_per_labelled_subject() -> None:
    torch.manual_seed(0)
    prediction, target = torch.randn(3, 4), torch.randn(3, 4)
    present = torch.tensor([[1, 1, 0, 1], [0, 0, 0, 0], [1, 0, 1, 1]]).bool()
    exact = -(Normal(prediction, SIGMA).log_prob(target) * present).sum() / 2
    torch.testing.assert_close(masked_gaussian_nll(prediction, target, present, sigma=SIGMA), exact)


def test_a_perfect_prediction_costs_the_entropy_of_the_stated_noise() -> None:
    value = masked_gaussian_nll(torch.ones(1, 1), torch.ones(1, 1), torch.ones(1, 1), sigma=SIGMA)
    assert value.item() == pytest.approx(math.log(SIGMA * math.sqrt(2 * math.pi)))


@pytest.mark.parametrize("absent", [float("nan"), float("inf"), -10.0, 1e30])
def test_whatever_an_absent_target_holds_reaches_neither_value_nor_gradient(absent: float) -> None:
    prediction = torch.zeros(2, 2, requires_grad=True)
    target = torch.tensor([[0.5, absent], [absent, 1.0]])
    present = torch.tensor([[True, False], [False, True]])
    value = masked_gaussian_nll(prediction, target, present, sigma=SIGMA)
    value.backward()
    clean = masked_gaussian_nll(prediction, target.where(present, 0.0), present, sigma=SIGMA)
    assert value.item() == clean.item()
    assert prediction.grad is not None
    expected = torch.tensor([[-0.5, 0.0], [0.0, -1.0]]) / SIGMA**2 / 2
    torch.testing.assert_close(prediction.grad, expected)


def test_nothing_labelled_costs_nothing_and_can_be_differentiated() -> None:
    prediction = torch.randn(2, 3, requires_grad=True)
    value = masked_gaussian_nll(prediction, torch.full((2, 3), float("nan")), torch.zeros(2, 3), sigma=SIGMA)
    value.backward()
    assert value.item() == 0.0
    assert prediction.grad is not None
    assert not prediction.grad.any()


def test_unlabelled_company_does_not_dilute_the_labelled() -> None:
    torch.manual_seed(0)
    prediction, target = torch.randn(1, 3), torch.randn(1, 3)
    alone = masked_gaussian_nll(prediction, target, torch.ones(1, 3), sigma=SIGMA)
    many = masked_gaussian_nll(
        torch.cat([prediction, torch.randn(4, 3)]),
        torch.cat([target, torch.randn(4, 3)]),
        torch.cat([torch.ones(1, 3), torch.zeros(4, 3)]),
        sigma=SIGMA,
    )
    torch.testing.assert_close(alone, many)
