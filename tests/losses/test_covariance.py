"""Covariance penalties: known values, invariances, gradient."""

import pytest
import torch

from semivae_bundle.losses.covariance import (
    squared_cross_covariance,
    unit_aggregate_variance_penalty,
    unit_variance_penalty,
)
from semivae_bundle.losses.queue import MeanQueue


def whitened(n: int = 50, size: int = 3) -> torch.Tensor:
    """Means of covariance exactly 1."""
    means = torch.randn(n, size, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    root = torch.linalg.cholesky(torch.cov(means.T))
    return torch.linalg.solve_triangular(root, (means - means.mean(dim=0)).T, upper=False).T.float()


def test_it_is_the_block_of_torch_s_covariance() -> None:
    means = torch.randn(9, 4)
    expected = torch.cov(means.T)[:1, 1:].square().sum()
    torch.testing.assert_close(squared_cross_covariance(means[:, :1], means[:, 1:]), expected)


def test_uncorrelated_blocks_of_unit_variance_cost_nothing() -> None:
    means = whitened()
    assert squared_cross_covariance(means[:, :1], means[:, 1:]).item() == pytest.approx(0, abs=1e-9)
    assert unit_variance_penalty(means).item() == pytest.approx(0, abs=1e-9)


def test_a_repeated_dimension_costs_its_squared_covariance() -> None:
    means = whitened()
    assert squared_cross_covariance(means[:, :1], 3 * means[:, :1]).item() == pytest.approx(9, rel=1e-4)


def test_the_aggregate_variance_counts_the_posterior_s_own() -> None:
    means, log_var = whitened(), torch.full((5, 3), 0.5).log()
    assert unit_aggregate_variance_penalty(means, log_var).item() == pytest.approx(3 * 0.25, rel=1e-4)
    assert unit_aggregate_variance_penalty(0.5**0.5 * means, log_var).item() == pytest.approx(0, abs=1e-8)
    assert unit_variance_penalty(0.5**0.5 * means).item() == pytest.approx(3 * 0.25, rel=1e-4)


def test_one_subject_says_nothing() -> None:
    mean = torch.ones(1, 3, requires_grad=True)
    log_var = torch.zeros(1, 3)
    total = squared_cross_covariance(mean[:, :1], mean[:, 1:]) + unit_variance_penalty(mean)
    (total + unit_aggregate_variance_penalty(mean, log_var)).backward()
    assert mean.grad is not None
    assert not mean.grad.any()


def test_a_queue_of_256_estimates_the_cohort_s_value_at_batch_size_two() -> None:
    means = torch.randn(2000, 3, generator=torch.Generator().manual_seed(1))
    means[:, 1] = 0.6 * means[:, 0] + 0.8 * means[:, 1]
    queue = MeanQueue(256, 3)
    seen = [queue(batch, torch.arange(2 * k, 2 * k + 2)) for k, batch in enumerate(means.split(2))][150:]
    estimates = torch.stack([squared_cross_covariance(joined[:, :1], joined[:, 1:]) for joined in seen])
    whole = squared_cross_covariance(means[:, :1], means[:, 1:]).item()
    assert estimates.mean().item() == pytest.approx(whole, abs=0.05)
