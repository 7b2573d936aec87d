"""The aggregate of the means against a standard normal."""

import pytest
import torch
from torch import Tensor

from semivae_bundle.losses.aggregate import normal_density_gap, normal_discrepancy


def normal(n: int, size: int, seed: int = 0) -> Tensor:
    return torch.randn(n, size, generator=torch.Generator().manual_seed(seed))


def test_the_density_gap_of_a_wide_code_is_half_its_excess_and_of_a_narrow_one_nothing() -> None:
    means = normal(4000, 5)
    assert normal_density_gap(2 * means).item() == pytest.approx(0.5 * (4 - 1) * 5, rel=0.05)
    assert normal_density_gap(0.5 * means).item() == 0


@pytest.mark.parametrize("size", [1, 12, 76])
def test_a_perfect_normal_is_at_the_floor_of_its_number(size: int) -> None:
    n = 400
    floor = (1 - (size / (size + 2)) ** (size / 2)) / n
    values = torch.stack([normal_discrepancy(normal(n, size, seed)) for seed in range(20)])
    assert values.mean().item() == pytest.approx(floor, rel=0.3)


def test_the_closed_form_is_that_of_many_draws() -> None:
    x, y = normal(300, 3) * 0.5 + 1, normal(3000, 3, seed=1)

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        return torch.exp(-torch.cdist(a, b).square() / 6)

    drawn = kernel(x, x).mean() - 2 * kernel(x, y).mean() + kernel(y, y).mean()
    assert normal_discrepancy(x).item() == pytest.approx(drawn.item(), abs=5e-3)


@pytest.mark.parametrize("wrong", ["collapsed", "runaway", "clumped", "hollow"])
def test_whatever_is_not_a_normal_is_further_from_it(wrong: str) -> None:
    good = normal(400, 2)
    bad = {
        "collapsed": torch.zeros(400, 2),
        "runaway": 5 * good,
        "clumped": 0.1 * good + 2 * torch.sign(good),
        "hollow": 2 * good / good.norm(dim=1, keepdim=True),
    }[wrong]
    assert normal_discrepancy(bad) > 5 * normal_discrepancy(good)


def test_descending_the_discrepancy_spreads_a_collapsed_code() -> None:
    means = (0.1 * normal(100, 2)).requires_grad_()
    optimizer = torch.optim.SGD([means], lr=50.0)
    for _ in range(200):
        optimizer.zero_grad()
        normal_discrepancy(means).backward()
        optimizer.step()
    assert means.std().item() == pytest.approx(1, abs=0.2)
