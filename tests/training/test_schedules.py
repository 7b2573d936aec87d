"""Epoch -> scale, and its limits."""

import math
from collections.abc import Callable

import pytest

from semivae_bundle.training.schedules import (
    Constant,
    CosineRamp,
    Cyclical,
    Decay,
    Delayed,
    ExponentialRamp,
    LinearRamp,
    Schedule,
    scales_at,
)

EPOCHS = [epoch / 4 for epoch in range(4 * 40)]
RAMPS: list[Schedule] = [ExponentialRamp(5, 10, 3.0), ExponentialRamp(5, 10, 0.1), LinearRamp(5, 10), CosineRamp(5, 10)]


@pytest.mark.parametrize("ramp", RAMPS, ids=str)
def test_a_ramp_is_zero_before_its_start_and_exactly_one_from_its_end_on(ramp: Schedule) -> None:
    assert [ramp(epoch) for epoch in (0, 4.99, 5)] == [0.0, 0.0, 0.0]
    assert [ramp(epoch) for epoch in (15, 15.01, 1000)] == [1.0, 1.0, 1.0]


@pytest.mark.parametrize("ramp", RAMPS, ids=str)
def test_a_ramp_never_falls_and_stays_within_zero_and_one(ramp: Schedule) -> None:
    values = [ramp(epoch) for epoch in EPOCHS]
    assert values == sorted(values)
    assert min(values) >= 0
    assert max(values) <= 1
    assert 0 < ramp(10) < 1


def test_the_exponential_ramp_follows_its_formula() -> None:
    assert ExponentialRamp(0, 10, 2.0)(5) == pytest.approx((1 - math.exp(-1)) / (1 - math.exp(-2)))
    assert LinearRamp(0, 10)(5) == 0.5


def test_the_cosine_ramp_starts_and_ends_level() -> None:
    ramp = CosineRamp(0, 12)
    assert [ramp(epoch) for epoch in (3, 4, 6, 8)] == pytest.approx([0.5 - math.sqrt(0.125), 0.25, 0.5, 0.75])
    assert ramp(0.01) < 1e-5


def test_decay_halves_the_way_to_its_floor() -> None:
    decay = Decay(start=4, half_life=3, floor=0.2)
    assert [decay(epoch) for epoch in (0, 4, 7, 10, 1000)] == pytest.approx([1, 1, 0.6, 0.4, 0.2])


def test_a_delayed_schedule_begins_where_it_is_told() -> None:
    delayed = Delayed(5, Cyclical(cycles=2, end=20, rise=0.5))
    assert [delayed(epoch) for epoch in EPOCHS if epoch < 5] == [0.0] * 20
    assert [delayed(5 + epoch) for epoch in EPOCHS] == [delayed.schedule(epoch) for epoch in EPOCHS]
    assert Delayed(3, Constant(0.4))(3) == 0.4


def test_a_small_rate_gives_a_straight_ramp() -> None:
    assert ExponentialRamp(0, 10, 1e-9)(3) == pytest.approx(0.3)


@pytest.mark.parametrize("ramp", [ExponentialRamp(5, 0, 3.0), LinearRamp(5, 0), CosineRamp(5, 0)], ids=str)
def test_a_ramp_of_no_length_is_a_step(ramp: Schedule) -> None:
    assert [ramp(4.9), ramp(5), ramp(6)] == [0.0, 1.0, 1.0]


def test_cyclical_annealing_rises_in_every_cycle_and_ends_at_its_target() -> None:
    schedule = Cyclical(cycles=2, end=20, rise=0.5)
    assert [schedule(epoch) for epoch in (0, 2.5, 5, 9.9, 10, 12.5, 15, 19.9)] == [0, 0.5, 1, 1, 0, 0.5, 1, 1]
    assert all(schedule(epoch) == 1.0 for epoch in EPOCHS if epoch >= 20)
    first = [schedule(epoch) for epoch in EPOCHS if epoch < 10]
    second = [schedule(epoch) for epoch in EPOCHS if 10 <= epoch < 20]
    assert first == sorted(first)
    assert first == pytest.approx(second)


def test_one_cycle_without_a_plateau_is_a_linear_ramp() -> None:
    schedule, ramp = Cyclical(cycles=1, end=8, rise=1.0), LinearRamp(0, 8)
    assert [schedule(epoch) for epoch in EPOCHS] == pytest.approx([ramp(epoch) for epoch in EPOCHS])


def test_scales_are_asked_for_all_terms_at_once() -> None:
    assert scales_at({"kl": Constant(0.3), "semantic": LinearRamp(0, 4)}, 1) == {"kl": 0.3, "semantic": 0.25}


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: ExponentialRamp(0, 1, rate=0), "rate must be > 0, found 0"),
        (lambda: Decay(0, half_life=0, floor=0), "found half_life=0, floor=0"),
        (lambda: Decay(0, half_life=1, floor=1.5), "found half_life=1, floor=1.5"),
        (lambda: Cyclical(0, 10, rise=0.5), "found cycles=0"),
        (lambda: Cyclical(2, 10, rise=0), "found cycles=2, rise=0"),
    ],
)
def test_a_schedule_that_would_divide_by_zero_is_refused(build: Callable[[], Schedule], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build()
