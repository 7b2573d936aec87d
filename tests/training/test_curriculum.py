"""The order in which the terms start is checked before the first subject is read."""

import pytest

from semivae_bundle.training.curriculum import check_curriculum, curriculum_problems, first_epoch
from semivae_bundle.training.schedules import Constant, Cyclical, Delayed, ExponentialRamp, LinearRamp, Schedule

WEIGHTS = {"reconstruction": 1.0, "kl": 1.0, "semantic": 2.0, "independence": 10.0}
ORDER = ["reconstruction", "semantic_vol", "semantic_loc", "independence"]
GOOD: dict[str, Schedule] = {
    "semantic": LinearRamp(1, 2),
    "semantic_loc": ExponentialRamp(2, 1, 3.0),
    "independence": Delayed(3, Cyclical(2, 4, 0.5)),
}


@pytest.mark.parametrize(
    ("term", "start"),
    [("reconstruction", 0), ("semantic_vol", 1), ("semantic_loc", 2), ("independence", 3), ("semantic", 1)],
)
def test_a_term_starts_where_its_family_and_its_own_schedule_both_have(term: str, start: float) -> None:
    assert first_epoch(GOOD, term, 10) == pytest.approx(start)


def test_a_part_of_an_epoch_is_seen() -> None:
    assert first_epoch({"semantic": LinearRamp(0.6, 1)}, "semantic", 10) == pytest.approx(0.6)


@pytest.mark.parametrize("schedule", [Constant(0.0), LinearRamp(10, 1)])
def test_a_term_that_has_no_weight_within_the_training_never_starts(schedule: Schedule) -> None:
    assert first_epoch({"semantic": schedule}, "semantic", 10) is None


def test_a_curriculum_in_order_has_no_problem() -> None:
    assert curriculum_problems(GOOD, WEIGHTS, ORDER, 10) == []
    check_curriculum(GOOD, WEIGHTS, ORDER, 10)


def test_terms_that_start_together_are_not_in_order() -> None:
    (problem,) = curriculum_problems(GOOD, WEIGHTS, ["semantic_vol", "semantic_shape"], 10)
    assert problem.startswith(
        "schedules.semantic_shape: expected to start after semantic_vol, which starts at epoch 1, "
    )


def test_a_term_without_a_weight_does_not_start() -> None:
    problems = curriculum_problems(GOOD, WEIGHTS | {"semantic": 0.0}, ORDER, 10)
    assert [problem.partition(" for ")[2].partition(" to ")[0] for problem in problems] == [
        "semantic_vol",
        "semantic_loc",
    ]
    assert problems[0].startswith("weights.semantic: expected more than 0")


@pytest.mark.parametrize("order", [["semantic_vol"], ["kl", "kl"]])
def test_an_order_needs_two_different_terms(order: list[str]) -> None:
    assert curriculum_problems(GOOD, WEIGHTS, order, 10)[0].startswith(
        "curriculum: expected an order of at least two different"
    )


def test_all_problems_come_in_one_message() -> None:
    bad = {**GOOD, "semantic_loc": LinearRamp(20, 1), "independence": Constant(1.0)}
    with pytest.raises(ValueError, match="training options:") as caught:
        check_curriculum(bad, WEIGHTS, ORDER, 10)
    lines = str(caught.value).splitlines()[1:]
    assert [line.split(":")[0] for line in lines] == ["  - schedules", "  - schedules.independence"]
    assert "semantic_loc never starts within 10 epochs" in lines[0]
