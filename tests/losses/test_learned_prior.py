"""The objective of a network whose prior is learned."""

from typing import Any

import pytest
import torch
from test_objective import FEATURES, PARTITION, WEIGHTS, a_batch
from torch.distributions import Normal, kl_divergence

from semivae_bundle.losses.objective import GAUSSIANS, SemiVAELoss

OPTIONS = {"free_bits": {"vol": 0.1, "loc": 0.1, "residual": 0.2}, "observations": 50.0, "semantic_sigma": 0.2}
OPTIONS |= {"tumour_weight": 5.0, "outside_weight": 0.1}


def test_the_kl_is_that_between_two_gaussians() -> None:
    values = torch.randn(4, 4, 8, generator=torch.Generator().manual_seed(0))
    output = dict(zip(GAUSSIANS, values, strict=True))
    mean, log_var, prior_mean, prior_log_var = values
    p, q = Normal(prior_mean, (prior_log_var / 2).exp()), Normal(mean, (log_var / 2).exp())
    expected = kl_divergence(q, p).mean(dim=0)
    found = torch.stack(list(objective(free_bits=dict.fromkeys(PARTITION, 0.0)).kl_terms(output).values()))
    sizes = list(PARTITION.values())
    floored = torch.stack([part.clamp(min=0).sum() for part in expected.split(sizes)])
    torch.testing.assert_close(found, floored)


def objective(**more: Any) -> SemiVAELoss:
    return SemiVAELoss(PARTITION, FEATURES, WEIGHTS, **OPTIONS | more)


def test_at_a_standard_normal_prior_the_objective_is_the_flat_one() -> None:
    learned, (output, target) = objective(), a_batch()
    zero = torch.zeros_like(output["mean"])
    total = learned({**output, "added": output["mean"], "prior_mean": zero, "prior_log_var": zero}, target)
    torch.testing.assert_close(total, objective()(output, target))


def test_a_prior_at_the_posterior_leaves_the_free_bits_alone() -> None:
    learned, (output, target) = objective(), a_batch()
    learned(
        {**output, "added": output["mean"], "prior_mean": output["mean"], "prior_log_var": output["log_var"]}, target
    )
    found = {name: learned.terms[f"kl_{name}"].item() for name in PARTITION}
    assert found == pytest.approx({"vol": 0.2, "loc": 0.3, "residual": 0.6})


def test_the_gradient_of_the_kl_reaches_prior_and_posterior() -> None:
    learned = objective()
    output = dict(zip(("mean", "log_var", "prior_mean", "prior_log_var"), torch.randn(4, 4, 8), strict=True))
    output = {name: value.requires_grad_() for name, value in output.items()}
    torch.stack(list(learned.kl_terms(output).values())).sum().backward()
    assert all(value.grad is not None and value.grad.any() for value in output.values())


def test_the_independence_term_does_not_reach_the_prior() -> None:
    learned, (output, target) = objective(), a_batch()
    prior_mean = torch.ones_like(output["mean"], requires_grad=True)
    added = output["mean"].detach().requires_grad_()
    whole = {**output, "mean": prior_mean + added, "added": added}
    whole |= {"prior_mean": prior_mean.detach(), "prior_log_var": torch.zeros_like(added)}
    whole["explained"] = torch.ones_like(added)
    learned.scale |= dict.fromkeys(set(WEIGHTS) - {"independence"}, 0.0)
    learned(whole, target).backward()
    assert prior_mean.grad is not None
    assert not prior_mean.grad.any()
    assert added.grad.abs().min() > 0
