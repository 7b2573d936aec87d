"""KL between two Gaussians, and the objective that takes the prior from the output."""

import math

import pytest
import torch
from test_objective import FEATURES, PARTITION, WEIGHTS, a_batch
from torch.distributions import Normal, kl_divergence

from semivae_bundle.losses.hierarchical_objective import HierarchicalLoss
from semivae_bundle.losses.independence import explained_nats
from semivae_bundle.losses.kl import gaussian_kl, gaussian_kl_between
from semivae_bundle.losses.objective import SemiVAELoss

OPTIONS = {"free_bits": {"vol": 0.1, "loc": 0.1, "residual": 0.2}, "observations": 50.0, "semantic_sigma": 0.2}
OPTIONS |= {"tumour_weight": 5.0, "outside_weight": 0.1}


def four(seed: int = 0) -> torch.Tensor:
    return torch.randn(4, 7, 5, generator=torch.Generator().manual_seed(seed))


def test_kl_between_equal_gaussians_is_zero() -> None:
    mean, log_var = four()[:2]
    assert gaussian_kl_between(mean, log_var, mean, log_var).abs().max() < 1e-6


def test_kl_between_gaussians_has_its_known_value() -> None:
    values = (torch.tensor([[value]]) for value in (3.0, 0.0, 1.0, math.log(4)))
    assert gaussian_kl_between(*values).item() == pytest.approx((4 / 4 + 1 / 4 - 1 + math.log(4)) / 2)


def test_kl_between_gaussians_agrees_with_torch_distributions() -> None:
    mean, log_var, prior_mean, prior_log_var = four()
    p, q = Normal(prior_mean, (prior_log_var / 2).exp()), Normal(mean, (log_var / 2).exp())
    found = gaussian_kl_between(mean, log_var, prior_mean, prior_log_var)
    torch.testing.assert_close(found, kl_divergence(q, p).mean(dim=0))


def test_against_the_standard_normal_it_is_the_plain_kl() -> None:
    mean, log_var, *_ = four()
    zero = torch.zeros_like(mean)
    torch.testing.assert_close(gaussian_kl_between(mean, log_var, zero, zero), gaussian_kl(mean, log_var))


def objectives() -> tuple[SemiVAELoss, SemiVAELoss]:
    return tuple(kind(PARTITION, FEATURES, WEIGHTS, **OPTIONS) for kind in (SemiVAELoss, HierarchicalLoss))


def test_at_a_standard_normal_prior_the_objective_is_the_flat_one() -> None:
    (flat, learned), (output, target) = objectives(), a_batch()
    zero = torch.zeros_like(output["mean"])
    total = learned({**output, "added": output["mean"], "prior_mean": zero, "prior_log_var": zero}, target)
    torch.testing.assert_close(total, flat(output, target))


def test_a_prior_at_the_posterior_leaves_the_free_bits_alone() -> None:
    (_, learned), (output, target) = objectives(), a_batch()
    learned(
        {**output, "added": output["mean"], "prior_mean": output["mean"], "prior_log_var": output["log_var"]}, target
    )
    found = {name: learned.terms[f"kl_{name}"].item() for name in PARTITION}
    assert found == pytest.approx({"vol": 0.2, "loc": 0.3, "residual": 0.6})


def test_the_gradient_of_the_kl_reaches_prior_and_posterior() -> None:
    _, learned = objectives()
    output = dict(zip(("mean", "log_var", "prior_mean", "prior_log_var"), torch.randn(4, 4, 8), strict=True))
    output = {name: value.requires_grad_() for name, value in output.items()}
    torch.stack(list(learned.kl_terms(output).values())).sum().backward()
    assert all(value.grad is not None and value.grad.any() for value in output.values())


def test_the_independence_term_does_not_reach_the_prior() -> None:
    (_, learned), (output, _) = objectives(), a_batch()
    prior_mean = torch.ones_like(output["mean"], requires_grad=True)
    added = output["mean"].detach().requires_grad_()
    whole = {**output, "mean": prior_mean + added, "added": added}
    explained_nats(learned.explained_from(whole), torch.ones_like(added)).backward()
    assert prior_mean.grad is None
    assert added.grad.abs().min() > 0
