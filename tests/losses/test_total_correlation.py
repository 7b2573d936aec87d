"""Total correlation: closed form, no offset, both weightings."""

import math

import pytest
import torch
from torch import Tensor

from semivae_bundle.losses.total_correlation import (
    pairwise_log_density,
    random_orders,
    raw_total_correlation,
    stratified_log_weights,
    total_correlation,
    weighted_log_weights,
)

WEIGHTS = [weighted_log_weights, stratified_log_weights]


def estimate(mean: Tensor, log_var: Tensor, weights=weighted_log_weights, n: int | None = None) -> Tensor:
    z = mean + torch.exp(0.5 * log_var) * torch.randn(mean.shape)
    orders = random_orders(*mean.shape)
    return total_correlation(z, mean, log_var, orders, dataset_size=n or len(mean), log_weights=weights)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("batch", [2, 5, 64])
def test_the_weights_of_each_sample_add_up_to_one(weights, batch: int) -> None:
    torch.testing.assert_close(weights(batch, 1000).exp().sum(dim=1), torch.ones(batch))


def test_stratified_weights_count_the_sample_s_own_subject_once() -> None:
    weights = stratified_log_weights(4, 100).exp()
    torch.testing.assert_close(weights.diagonal(), torch.full((4,), 0.01))
    assert weights[0, 1].item() == pytest.approx(0.99 / 3)


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("shape", [(2, 76), (8, 76), (64, 3)])
def test_a_code_that_says_nothing_has_none_exactly(weights, shape: tuple[int, int]) -> None:
    assert estimate(torch.zeros(shape), torch.zeros(shape), weights).abs().item() < 1e-3


@pytest.mark.parametrize("weights", WEIGHTS)
@pytest.mark.parametrize("shape", [(4, 40), (32, 8)])
def test_a_factorised_code_averages_to_nothing_where_the_plain_estimate_has_an_offset(
    weights, shape: tuple[int, int]
) -> None:
    torch.manual_seed(0)
    log_var = torch.full(shape, -4.0)
    values = torch.stack([estimate(torch.randn(shape), log_var, weights, 500) for _ in range(100)])
    assert abs(values.mean().item()) < 4 * values.std().item() / 10
    mean = torch.randn(shape)
    z = mean + math.exp(-2) * torch.randn(shape)
    plain = raw_total_correlation(pairwise_log_density(z, mean, log_var), weights(shape[0], 500))
    assert plain.item() > 5


def test_of_a_correlated_normal_it_is_the_closed_form() -> None:
    torch.manual_seed(1)
    r, n = 0.9, 1500
    mean = torch.randn(n, 2)
    mean[:, 1] = r * mean[:, 0] + math.sqrt(1 - r**2) * mean[:, 1]
    # The posterior's own noise, variance 0.1, weakens the correlation of the aggregate.
    expected = -0.5 * math.log(1 - (r / 1.1) ** 2)
    assert estimate(mean, torch.full((n, 2), math.log(0.1))).item() == pytest.approx(expected, abs=0.08)


def test_descending_it_uncouples_the_code() -> None:
    torch.manual_seed(2)
    source, mixing = torch.randn(128, 2), torch.tensor([[1.0, 0.9], [0.0, 0.5]], requires_grad=True)
    optimizer = torch.optim.SGD([mixing], lr=0.05)

    def correlation() -> float:
        return abs(torch.corrcoef((source @ mixing).T)[0, 1].item())

    before = correlation()
    for _ in range(60):
        optimizer.zero_grad()
        estimate(source @ mixing, torch.full((128, 2), -1.0)).backward()
        optimizer.step()
    assert correlation() < 0.5 * before
