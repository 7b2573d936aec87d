"""The features at a predicted noise."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from semivae_bundle.losses.heteroscedastic import HeteroscedasticSemiVAELoss, masked_heteroscedastic_nll
from semivae_bundle.losses.objective import SemiVAELoss
from semivae_bundle.losses.semantic import masked_gaussian_nll

SIGMA = 0.2
OPTIONS = {
    "partition": {"vol": 2, "loc": 3},
    "features": {"vol": 1, "loc": 2},
    "weights": {"reconstruction": 1.0, "kl": 1.0, "semantic": 2.0, "tumour": 1.0, "independence": 1.0},
    "free_bits": {"vol": 0.1, "loc": 0.1},
    "observations": 50.0,
    "semantic_sigma": SIGMA,
    "tumour_weight": 5.0,
    "outside_weight": 0.1,
}


def a_batch() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Prediction, target, present, log-variance, (3, 4) each."""
    generator = torch.Generator().manual_seed(0)
    prediction, target, log_var = (torch.randn(3, 4, generator=generator) for _ in range(3))
    return prediction, target, torch.tensor([[1, 1, 0, 1], [0, 0, 0, 0], [1, 0, 1, 1]]).bool(), log_var


def nll(*batch: Tensor, beta: float = 0.0) -> Tensor:
    return masked_heteroscedastic_nll(*batch, sigma=SIGMA, beta=beta)


def test_with_beta_zero_it_is_the_gaussian_likelihood_at_each_noise_per_labelled_subject() -> None:
    prediction, target, present, log_var = a_batch()
    exact = -(Normal(prediction, (0.5 * log_var).exp()).log_prob(target) * present).sum() / 2
    torch.testing.assert_close(nll(prediction, target, present, log_var), exact)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_at_the_stated_noise_it_is_the_plain_regression(beta: float) -> None:
    prediction, target, present, _ = a_batch()
    log_var = torch.full((3, 4), 2 * math.log(SIGMA))
    plain = masked_gaussian_nll(prediction, target, present, sigma=SIGMA)
    torch.testing.assert_close(nll(prediction, target, present, log_var, beta=beta), plain)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0])
def test_the_best_noise_is_the_error_whatever_beta_is(beta: float) -> None:
    prediction, target, present, _ = a_batch()
    log_var = (prediction - target).square().log().requires_grad_()
    nll(prediction, target, present, log_var, beta=beta).backward()
    torch.testing.assert_close(log_var.grad, torch.zeros(3, 4), atol=1e-5, rtol=0)


@pytest.mark.parametrize(("beta", "slowed_by"), [(0.0, 100.0), (0.5, 10.0), (1.0, 1.0)])
def test_beta_says_how_much_a_large_noise_slows_a_prediction(beta: float, slowed_by: float) -> None:
    prediction, one = torch.zeros(1, 1, requires_grad=True), torch.ones(1, 1)
    nll(prediction, one, one, torch.full((1, 1), 2 * math.log(10 * SIGMA)), beta=beta).backward()
    assert prediction.grad is not None
    assert prediction.grad.item() == pytest.approx(-1 / SIGMA**2 / slowed_by, rel=1e-4)


@pytest.mark.parametrize("absent", [float("nan"), float("inf"), -10.0])
def test_an_absent_target_teaches_neither_prediction_nor_noise(absent: float) -> None:
    prediction, target, present, log_var = a_batch()
    prediction.requires_grad_()
    log_var.requires_grad_()
    nll(prediction, target.where(present, absent), present, log_var, beta=0.5).backward()
    for gradient in (prediction.grad, log_var.grad):
        assert gradient is not None
        assert torch.equal(gradient != 0, present)
        assert gradient.isfinite().all()


def test_nothing_labelled_costs_nothing() -> None:
    prediction, target, _, log_var = a_batch()
    assert nll(prediction, target, torch.zeros(3, 4), log_var, beta=0.5).item() == 0


def test_the_objective_differs_from_the_plain_one_in_the_semantic_terms_of_another_noise() -> None:
    prediction, target, present, log_var = (each[:, :3] for each in a_batch())
    plain, ours = SemiVAELoss(**OPTIONS), HeteroscedasticSemiVAELoss(beta=0.5, **OPTIONS)
    goal = {"features": target, "present": present}
    output = {"features": prediction, "features_log_var": torch.full((3, 3), 2 * math.log(SIGMA))}
    expected = plain.semantic_terms(output, goal)
    torch.testing.assert_close(ours.semantic_terms(output, goal), expected)
    moved = ours.semantic_terms({**output, "features_log_var": log_var}, goal)
    assert all(abs(moved[name] - expected[name]) > 0.1 for name in ("semantic_vol", "semantic_loc"))


def test_a_network_that_predicts_no_noise_is_told() -> None:
    with pytest.raises(ValueError, match=r"expected features_log_var .* found \['features'\]; add FeatureNoise"):
        HeteroscedasticSemiVAELoss(beta=0.5, **OPTIONS).semantic_terms({"features": torch.zeros(1, 3)}, {})


def test_a_beta_beyond_the_squared_error_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected a beta from 0 to 1, found 1.5"):
        HeteroscedasticSemiVAELoss(beta=1.5, **OPTIONS)


def test_a_noise_that_nothing_teaches_is_refused() -> None:
    weights = {**OPTIONS["weights"], "semantic": 0.0}
    with pytest.raises(ValueError, match=r"else nothing teaches the noise, found 0; uncertainty_weights"):
        HeteroscedasticSemiVAELoss(beta=0.5, **OPTIONS | {"weights": weights})
