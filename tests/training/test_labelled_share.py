"""Every batch has its labelled and its unlabelled subjects."""

from typing import Any

import pytest
import torch

from semivae_bundle.training.labelled_share import LabelledShare, cycled


def items_of(labelled: int, unlabelled: int) -> list[dict[str, Any]]:
    """Labelled and unlabelled ones in turns, the rest at the end."""
    both = [item for _ in range(min(labelled, unlabelled)) for item in ({"label": "seg"}, {})]
    rest = [{"label": "seg"}] * (labelled - unlabelled) + [{}] * (unlabelled - labelled)
    return [*both, *rest]


def epoch_of(plan: LabelledShare, seed: int = 0) -> list[list[int]]:
    return plan(torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(("labelled", "unlabelled"), [(3, 40), (40, 3), (7, 7), (3, 3)])
@pytest.mark.parametrize(("size", "fraction"), [(4, 0.5), (4, 0.25), (2, 0.5), (3, 2 / 3)])
def test_the_share_holds_in_every_batch_and_nobody_is_twice_in_one(labelled, unlabelled, size, fraction) -> None:
    items = items_of(labelled, unlabelled)
    plan = LabelledShare(items, size, fraction)
    for batch in epoch_of(plan):
        assert sum("label" in items[place] for place in batch) == round(size * fraction)
        assert len(set(batch)) == len(batch) == size


@pytest.mark.parametrize(("labelled", "unlabelled"), [(3, 41), (41, 3), (7, 6)])
def test_everybody_comes_once_before_the_scarcer_kind_comes_again(labelled: int, unlabelled: int) -> None:
    plan = LabelledShare(items_of(labelled, unlabelled), 4, 0.5)
    batches = epoch_of(plan)
    assert {place for batch in batches for place in batch} == set(range(labelled + unlabelled))
    assert len(batches) == len(plan) == -(-max(labelled, unlabelled) // 2)
    counts = [sum(place in batch for batch in batches) for place in plan.places()[0]]
    assert max(counts) - min(counts) <= 1


def test_an_epoch_depends_on_the_generator_alone() -> None:
    plan = LabelledShare(items_of(5, 20), 4, 0.5)
    assert epoch_of(plan, 3) == epoch_of(plan, 3)
    assert epoch_of(plan, 3) != epoch_of(plan, 4)


def test_the_scarcer_kind_is_shuffled_anew_each_time_round() -> None:
    rounds = cycled(range(20), 20, 3, torch.Generator().manual_seed(0))
    assert [sorted(one) for one in rounds] == [list(range(20))] * 3
    assert rounds[0] != rounds[1] != rounds[2]


@pytest.mark.parametrize(
    ("labelled", "unlabelled", "kind"), [(0, 8, "labelled"), (8, 0, "unlabelled"), (1, 8, "labelled")]
)
def test_too_few_of_a_kind_are_told(labelled: int, unlabelled: int, kind: str) -> None:
    found = min(labelled, unlabelled)
    with pytest.raises(
        ValueError, match=rf"at least 2 {kind} training subjects for a batch_size of 4, found {found} of"
    ):
        LabelledShare(items_of(labelled, unlabelled), 4, 0.5)


@pytest.mark.parametrize("fraction", [0.0, 0.3, 1.0, 1.5])
def test_a_share_of_no_whole_number_of_subjects_is_refused(fraction: float) -> None:
    with pytest.raises(ValueError, match=rf"1 to 3 whole subjects of a batch_size of 4, found {fraction} \(= "):
        LabelledShare(items_of(8, 8), 4, fraction)
