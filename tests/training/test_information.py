"""The mutual information over a validation."""

import math

import pytest
import torch

from semivae_bundle.training.information import CodeInformation


def test_it_is_that_of_all_batches_together_and_draws_nothing_of_training() -> None:
    torch.manual_seed(0)
    metric, before = CodeInformation({"all": 4}, "all"), torch.get_rng_state()
    mean = 100 * torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    for rows in mean.split(8):
        metric.update(({"mean": rows, "log_var": torch.full_like(rows, -3.0)}, {}))
    assert metric.compute() == pytest.approx(math.log(30), rel=1e-4)
    assert metric.compute() == metric.compute()
    assert torch.equal(torch.get_rng_state(), before)


def test_a_new_epoch_forgets_the_last_and_an_empty_one_has_no_figure() -> None:
    metric = CodeInformation({"all": 2}, "all")
    metric.update(({"mean": torch.randn(3, 2), "log_var": torch.zeros(3, 2)}, {}))
    metric.reset()
    assert math.isnan(metric.compute())


def test_a_collapsed_partition_is_told_beside_one_that_says_everything() -> None:
    metric = CodeInformation({"vol": 2, "residual": 3}, "residual")
    mean = torch.zeros(20, 5)
    mean[:, :2] = 100 * torch.randn(20, 2, generator=torch.Generator().manual_seed(0))
    metric.update(({"mean": mean, "log_var": torch.zeros(20, 5)}, {}))
    assert metric.compute() == pytest.approx(0, abs=1e-5)


def test_a_block_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match=r"information: expected a block among \['vol'\], found 'shape'"):
        CodeInformation({"vol": 2}, "shape")
