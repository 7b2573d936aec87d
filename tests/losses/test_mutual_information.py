"""The mutual information of subject and code, against codes of which it is known."""

import math

import pytest
import torch
from torch import Tensor

from semivae_bundle.losses.kl import gaussian_kl
from semivae_bundle.losses.mutual_information import mutual_information


def drawn(mean: Tensor, log_var: Tensor) -> Tensor:
    noise = torch.randn(mean.shape, generator=torch.Generator().manual_seed(1))
    return mean + noise * torch.exp(0.5 * log_var)


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def test_a_collapsed_code_says_nothing() -> None:
    mean, log_var = torch.full((100, 3), 0.7), torch.full((100, 3), -1.0)
    assert mutual_information(drawn(mean, log_var), mean, log_var).item() == pytest.approx(0, abs=1e-5)


def test_a_gaussian_channel_has_its_capacity() -> None:
    # Means of variance 3 under unit noise: ln(1 + 3) / 2 a dimension.
    mean, log_var = 3**0.5 * normal(4000, 2), torch.zeros(4000, 2)
    assert mutual_information(drawn(mean, log_var), mean, log_var).item() == pytest.approx(math.log(4), rel=0.03)


def test_subjects_that_are_told_apart_reach_the_ceiling() -> None:
    mean, log_var = 100 * normal(150, 8), torch.full((150, 8), -6.0)
    assert mutual_information(drawn(mean, log_var), mean, log_var).item() == pytest.approx(math.log(150), rel=1e-4)


def test_it_is_the_mean_divergence_from_the_prior_less_that_of_the_aggregate() -> None:
    # Means of variance 0.75 under variance 0.25: the aggregate is the prior, and all of the KL is information.
    mean, log_var = 0.75**0.5 * normal(4000, 1), torch.full((4000, 1), math.log(0.25))
    expected = gaussian_kl(mean, log_var).sum().item()
    assert mutual_information(drawn(mean, log_var), mean, log_var).item() == pytest.approx(expected, rel=0.03)
