"""A learning-rate schedule that goes on elsewhere."""

import pytest
import torch
from monai.optimizers import WarmupCosineSchedule
from torch import nn

from semivae_bundle.training.learning_rate import LearningRatePlace

EPOCHS = 10


def schedule_of(epoch_length: int, epochs: int = EPOCHS) -> tuple[WarmupCosineSchedule, LearningRatePlace]:
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)
    schedule = WarmupCosineSchedule(optimizer, warmup_steps=epoch_length, t_total=epochs * epoch_length, end_lr=1e-3)
    return schedule, LearningRatePlace(schedule, epoch_length)


def rates(schedule: WarmupCosineSchedule, steps: int) -> list[float]:
    found = []
    for _ in range(steps):
        found.append(schedule.optimizer.param_groups[0]["lr"])
        schedule.optimizer.step()
        schedule.step()
    return found


@pytest.mark.parametrize("after", [3, 5, 20])
def test_it_goes_on_in_the_same_epoch_whatever_an_epoch_s_length(after: int) -> None:
    (first, place), (second, other_place) = schedule_of(5), schedule_of(after)
    rates(first, 4 * 5)
    other_place.load_state_dict(place.state_dict())
    whole = rates(schedule_of(after)[0], EPOCHS * after)
    assert rates(second, 6 * after) == pytest.approx(whole[4 * after :], rel=1e-9)


def test_a_longer_training_falls_to_its_own_end() -> None:
    (first, place), (second, other_place) = schedule_of(5), schedule_of(5, epochs=2 * EPOCHS)
    rates(first, EPOCHS * 5)
    other_place.load_state_dict(place.state_dict())
    found = rates(second, EPOCHS * 5)
    assert found == sorted(found, reverse=True)
    assert found[-1] < 0.01


def test_the_floor_of_the_rate_holds_for_the_first_step_after_resuming_too() -> None:
    (first, place), (second, other_place) = schedule_of(50), schedule_of(50)
    rates(first, 9 * 50 + 45)
    other_place.load_state_dict(place.state_dict())
    assert rates(second, 1) == rates(first, 1) == [1e-3]


def test_a_schedule_that_counts_on_the_rate_before_is_refused() -> None:
    optimizer = torch.optim.SGD(nn.Linear(1, 1).parameters(), lr=0.1)
    with pytest.raises(ValueError, match=r"expected a LambdaLR.*found StepLR"):
        LearningRatePlace(torch.optim.lr_scheduler.StepLR(optimizer, 3), 5)  # type: ignore[arg-type]
