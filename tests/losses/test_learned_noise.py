"""The features at a learned noise."""

import math

import pytest
import torch
from torch import Tensor

from semivae_bundle.losses.learned_noise import LearnedNoiseRegression
from semivae_bundle.losses.semantic import masked_gaussian_nll

FEATURES = {"vol": 2, "loc": 1}


def a_batch(*errors: float) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Ten subjects, each feature off by what is given."""
    target = torch.randn(10, 3, generator=torch.Generator().manual_seed(0))
    return {"features": target + torch.tensor(errors)}, {"features": target, "present": torch.ones(10, 3)}


def test_at_its_start_it_is_the_regression_at_the_stated_noise() -> None:
    output, target = a_batch(0.1, 0.2, 0.3)
    stated = masked_gaussian_nll(output["features"], target["features"], target["present"], sigma=0.15)
    torch.testing.assert_close(LearnedNoiseRegression(FEATURES, 0.15)(output, target).detach(), stated)


def test_the_best_noise_of_a_partition_is_its_own_root_mean_square_error() -> None:
    output, target = a_batch(0.1, 0.7, 0.02)
    term = LearnedNoiseRegression(FEATURES, 0.15)
    term.log_var.data = torch.tensor([(0.01 + 0.49) / 2, 0.0004]).log()
    term(output, target).backward()
    torch.testing.assert_close(term.log_var.grad, torch.zeros(2), atol=1e-4, rtol=0)
    assert term.noise() == pytest.approx({"vol": 0.5, "loc": 0.02})


def test_it_is_learned_and_then_weighs_what_is_hard_to_predict_less() -> None:
    output, target = a_batch(0.5, 0.5, 0.05)
    term, output["features"] = LearnedNoiseRegression(FEATURES, 0.15), output["features"].requires_grad_()
    optimizer = torch.optim.Adam(term.parameters(), lr=0.1)
    for _ in range(200):
        optimizer.zero_grad()
        term(output, target).backward()
        optimizer.step()
    assert term.noise() == pytest.approx({"vol": 0.5, "loc": 0.05}, rel=0.02)


def test_a_target_that_is_no_number_teaches_neither_prediction_nor_noise() -> None:
    output, target = a_batch(0.1, 0.1, 0.1)
    target["features"][:, 2], target["present"][:, 2] = float("nan"), 0.0
    term, prediction = LearnedNoiseRegression(FEATURES, 0.15), output["features"].requires_grad_()
    term(output, target).backward()
    assert prediction.grad is not None
    assert term.log_var.grad is not None
    assert prediction.grad.isfinite().all()
    assert term.log_var.grad[0] != 0
    assert term.log_var.grad[1] == 0


def test_its_value_at_the_best_noise_is_the_known_one() -> None:
    output, target = a_batch(0.1, 0.1, 0.1)
    value = LearnedNoiseRegression(FEATURES, 0.1)(output, target).item()
    assert value == pytest.approx(3 * (0.5 + math.log(0.1 * math.sqrt(2 * math.pi))), rel=1e-5)


def test_a_noise_that_is_none_is_refused() -> None:
    with pytest.raises(ValueError, match=r"expected a sigma > 0 to start from, found 0.0"):
        LearnedNoiseRegression(FEATURES, 0.0)


def test_of_several_processes_each_weighs_by_the_labelled_that_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    output, target = a_batch(0.1, 0.2, 0.3)
    alone = LearnedNoiseRegression(FEATURES, 0.15)(output, target).item()
    monkeypatch.setattr(torch.distributed, "is_initialized", lambda: True)
    monkeypatch.setattr(torch.distributed, "get_world_size", lambda: 2)
    monkeypatch.setattr(torch.distributed, "all_reduce", lambda total: total.add_(30))
    assert LearnedNoiseRegression(FEATURES, 0.15)(output, target).item() == pytest.approx(2 * alone * 10 / 40)
