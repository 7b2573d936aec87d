"""Gaussian experts by known values."""

import pytest
import torch
from torch import Tensor

from semivae_bundle.networks.experts import (
    mixture_of_experts,
    pooled_logits,
    product_of_experts,
    stratified_choice,
    stratified_expert,
)

ALL = (product_of_experts, mixture_of_experts, stratified_expert)


def experts(means: list[float], variances: list[float]) -> tuple[Tensor, Tensor]:
    """One subject, one dimension."""
    return torch.tensor(means)[None, :, None], torch.tensor(variances).log()[None, :, None]


def test_precisions_add_to_that_of_the_prior() -> None:
    mean, log_var = product_of_experts(*experts([3.0, 3.0], [0.5, 0.5]), torch.ones(1, 2))
    torch.testing.assert_close(log_var.exp(), torch.tensor([[1 / 5]]))
    torch.testing.assert_close(mean, torch.tensor([[12 / 5]]))


def test_two_equal_sure_experts_halve_the_variance_of_one() -> None:
    pair = experts([1.0, 1.0], [1e-4, 1e-4])
    one, two = (product_of_experts(*pair, torch.tensor([[1.0, asked]]))[1].exp() for asked in (0.0, 1.0))
    torch.testing.assert_close(two / one, torch.tensor([[0.5]]), rtol=1e-3, atol=0)


def test_a_mixture_obeys_the_law_of_total_variance() -> None:
    mean, log_var = mixture_of_experts(*experts([-1.0, 3.0], [0.5, 1.5]), torch.ones(1, 2))
    torch.testing.assert_close(mean, torch.tensor([[1.0]]))
    torch.testing.assert_close(log_var.exp(), torch.tensor([[1.0 + 4.0]]))


@pytest.mark.parametrize("combine", ALL)
def test_no_expert_leaves_the_prior(combine) -> None:
    mean, log_var = combine(*experts([5.0, 2.0], [0.1, 3.0]), torch.zeros(1, 2))
    assert float(mean) == float(log_var) == 0


@pytest.mark.parametrize("combine", ALL)
def test_an_absent_expert_is_not_there_whatever_it_says_and_gets_no_gradient(combine) -> None:
    mean, log_var = (value.requires_grad_() for value in experts([0.7, float("nan")], [0.5, float("inf")]))
    got = combine(mean, log_var, torch.tensor([[1.0, 0.0]]))
    expected = combine(mean[:, :1], log_var[:, :1], torch.ones(1, 1))
    torch.testing.assert_close(got, expected)
    grads = torch.autograd.grad(got[0].sum() + got[1].sum(), (mean, log_var))
    assert all(torch.isfinite(grad).all() and not grad[:, 1].any() for grad in grads)


def test_a_batch_of_as_many_subjects_as_experts_draws_each_once() -> None:
    torch.manual_seed(0)
    assert sorted(stratified_choice(torch.ones(4, 4)).tolist()) == [0, 1, 2, 3]


def test_only_present_experts_are_drawn() -> None:
    torch.manual_seed(0)
    chosen = stratified_choice(torch.tensor([[0.0, 1.0, 0.0, 1.0]]).repeat(100, 1))
    assert torch.bincount(chosen, minlength=4).tolist() == [0, 50, 0, 50]


def test_evidence_on_a_voxel_adds_up_and_none_of_it_is_the_prior() -> None:
    prior = torch.tensor([4.0, 0.0])
    logits = prior.reshape(1, 1, 2, 1, 1, 1) + torch.tensor([1.0, 2.0]).reshape(1, 2, 1, 1, 1, 1)
    for asked, gained in (([1.0, 1.0], 3.0), ([0.0, 1.0], 2.0), ([0.0, 0.0], 0.0)):
        pooled = pooled_logits(logits, torch.tensor([asked]), prior)
        torch.testing.assert_close(pooled.flatten(), prior + gained)
