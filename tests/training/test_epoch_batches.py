"""Plans of batches become loaders' samplers."""

import ignite.distributed as idist
import pytest
import torch
from torch.utils.data import BatchSampler, DataLoader

from semivae_bundle.training.epoch_batches import EpochBatches, planned_by


class Pairs:
    """Two shuffled places per batch."""

    def __init__(self, batches: int) -> None:
        self.batches = batches

    def __len__(self) -> int:
        return self.batches

    def __call__(self, generator: torch.Generator) -> list[list[int]]:
        order: list[list[int]] = torch.randperm(2 * self.batches, generator=generator).view(-1, 2).tolist()
        return order


def drawn(sampler: EpochBatches, seed: int) -> list[list[int]]:
    torch.manual_seed(seed)
    return list(sampler)


def test_torch_s_generator_decides_the_epoch() -> None:
    sampler = EpochBatches(Pairs(10))
    assert drawn(sampler, 1) == drawn(sampler, 1)
    assert drawn(sampler, 1) != drawn(sampler, 2)
    assert list(sampler) != list(sampler)


def test_a_loader_yields_what_the_plan_draws() -> None:
    # With a process of its own: test_semi_supervised_recipes.py, in trainings.
    loader = DataLoader(range(20), batch_sampler=EpochBatches(Pairs(10)))  # type: ignore[arg-type]
    batches = [batch.tolist() for batch in loader]
    assert len(loader) == len(batches) == 10
    assert sorted(place for batch in batches for place in batch) == list(range(20))


def test_processes_take_turns_at_the_batches_of_one_draw(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = drawn(EpochBatches(Pairs(7)), 0)
    monkeypatch.setattr(idist, "get_world_size", lambda: 3)
    shares = []
    for rank in range(3):
        monkeypatch.setattr(idist, "get_rank", lambda rank=rank: rank)
        shares.append(drawn(EpochBatches(Pairs(7)), 0))
    assert shares == [[whole[0], whole[3]], [whole[1], whole[4]], [whole[2], whole[5]]]
    assert len(EpochBatches(Pairs(7))) == 2


def test_fewer_batches_than_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idist, "get_world_size", lambda: 3)
    with pytest.raises(ValueError, match="expected at least one for each of 3 processes, found 2; lower batch_size"):
        EpochBatches(Pairs(2))


def test_batches_of_another_plan_are_refused() -> None:
    assert planned_by(EpochBatches(Pairs(2)), Pairs) == "Pairs"
    for sampler, found in ((EpochBatches(Pairs(2)), "Pairs"), (BatchSampler([0], 1, drop_last=False), "BatchSampler")):
        with pytest.raises(ValueError, match=f"expected batches of dict, found those of {found}: .*leave one"):
            planned_by(sampler, dict)
