"""Visits of one patient meet in a batch."""

from typing import Any

import pytest
import torch

from semivae_bundle.training.paired_visits import PairedVisits


def items_of(*visits: int) -> list[dict[str, Any]]:
    """Scans of patients with so many visits each."""
    return [{"patient": f"P{patient}"} for patient, count in enumerate(visits) for _ in range(count)]


def epoch_of(plan: PairedVisits, seed: int = 0) -> list[list[int]]:
    return plan(torch.Generator().manual_seed(seed))


def pairs_in(plan: PairedVisits, batch: list[int]) -> int:
    patients = [plan.items[place]["patient"] for place in batch]
    return sum(patients.count(name) // 2 for name in set(patients))


@pytest.mark.parametrize("size", [3, 4, 5, 8])
@pytest.mark.parametrize("visits", [(2,) * 20, (2,) * 5 + (1,) * 30, (3,) * 9, (5, 4, 1, 1, 1, 2), (1,) * 11 + (2,)])
def test_an_epoch_is_one_pass_in_full_batches(visits: tuple[int, ...], size: int) -> None:
    plan = PairedVisits(items_of(*visits), size)
    batches = epoch_of(plan)
    seen = [place for batch in batches for place in batch]
    assert len(batches) == len(plan) == sum(visits) // size
    assert {len(batch) for batch in batches} == {size}
    assert len(set(seen)) == len(seen)


def test_pairs_stay_together_and_are_dealt_evenly() -> None:
    plan = PairedVisits(items_of(*(2,) * 10, *(1,) * 20), 4)
    assert [pairs_in(plan, batch) for batch in epoch_of(plan)] == [1] * 10
    full = PairedVisits(items_of(*(2,) * 10), 4)
    assert [pairs_in(full, batch) for batch in epoch_of(full)] == [2] * 5


def test_single_visits_are_there_too() -> None:
    plan = PairedVisits(items_of(2, 2, *(1,) * 12), 4)
    assert {place for batch in epoch_of(plan) for place in batch} == set(range(16))


def test_three_visits_are_paired_in_every_way_over_the_epochs() -> None:
    plan = PairedVisits(items_of(3, 1, 1, 1), 3)
    together = {frozenset(set(batch) & {0, 1, 2}) for seed in range(30) for batch in epoch_of(plan, seed)}
    assert {frozenset(pair) for pair in ((0, 1), (0, 2), (1, 2))} <= together


def test_an_epoch_depends_on_the_generator_alone() -> None:
    plan = PairedVisits(items_of(*(2,) * 10, *(1,) * 10), 4)
    assert epoch_of(plan, 1) == epoch_of(plan, 1)
    assert epoch_of(plan, 1) != epoch_of(plan, 2)


def test_a_cohort_smaller_than_a_batch_is_one_batch() -> None:
    assert [sorted(batch) for batch in epoch_of(PairedVisits(items_of(2, 1), 8))] == [[0, 1, 2]]


def test_a_cohort_of_single_visits_is_refused() -> None:
    with pytest.raises(
        ValueError, match="expected a training patient with two visits, found 5 scans of as many patients"
    ):
        PairedVisits(items_of(1, 1, 1, 1, 1), 4)


def test_a_batch_without_room_for_somebody_else_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a batch_size of at least 3, a pair and somebody else, found 2"):
        PairedVisits(items_of(2, 2), 2)
