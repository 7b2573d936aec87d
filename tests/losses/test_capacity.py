"""A target for the KL of each partition."""

import pytest
import torch
from torch import Tensor

from semivae_bundle.losses.capacity import CapacityGap

PARTITION = {"vol": 1, "residual": 2}


def with_kl(vol: float, residual: float) -> dict[str, Tensor]:
    """A batch of four whose partitions have these KLs: unit posteriors, so the KL is half the squared mean."""
    mean = torch.tensor([2 * vol, residual, residual]).sqrt().expand(4, -1).clone().requires_grad_()
    return {"mean": mean, "log_var": torch.zeros(4, 3, requires_grad=True)}


@pytest.mark.parametrize(
    ("vol", "residual", "gap"), [(3.0, 5.0, 0.0), (1.0, 5.0, 2.0), (4.0, 2.0, 4.0), (0.0, 0.0, 8.0)]
)
def test_it_is_the_distance_of_each_kl_from_its_target(vol: float, residual: float, gap: float) -> None:
    term = CapacityGap(PARTITION, {"vol": 3.0, "residual": 5.0})
    assert term(with_kl(vol, residual), {}).item() == pytest.approx(gap, abs=1e-5)


def test_a_partition_is_pushed_up_to_its_target_and_down_to_it() -> None:
    output = with_kl(vol=4.0, residual=2.0)
    CapacityGap(PARTITION, {"vol": 3.0, "residual": 5.0})(output, {}).backward()
    grad = output["mean"].grad
    assert grad is not None
    # As the KL's own gradient, mean / B, and against it.
    torch.testing.assert_close(grad, output["mean"].detach() * torch.tensor([1.0, -1.0, -1.0]) / 4)


def test_the_mean_kl_counts_so_that_subjects_may_differ() -> None:
    output = with_kl(vol=3.0, residual=5.0)
    output["mean"] = output["mean"].detach() * torch.tensor([0.0, 2**0.5, 2**0.5, 0.0])[:, None]
    assert CapacityGap(PARTITION, {"vol": 3.0, "residual": 5.0})(output, {}).item() == pytest.approx(0, abs=1e-5)


def test_the_schedule_moves_the_target() -> None:
    term = CapacityGap(PARTITION, {"vol": 3.0, "residual": 5.0})
    term.scale |= {"vol": 0.5, "residual": 0.0}
    assert term.now() == {"vol": 1.5, "residual": 0.0}
    assert term(with_kl(1.5, 0.0), {}).item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize(
    "capacity", [{"vol": 1.0}, {"vol": 1.0, "residual": -1.0}, {"vol": 1.0, "residual": float("nan")}]
)
def test_a_partition_without_a_target_or_with_none_that_can_be_met_is_refused(capacity: dict[str, float]) -> None:
    with pytest.raises(ValueError, match=r"expected a number of nats >= 0 for each of \['vol', 'residual'\]"):
        CapacityGap(PARTITION, capacity)
