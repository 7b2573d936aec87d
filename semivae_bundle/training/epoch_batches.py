"""A plan of batches -> the batch sampler of a loader, drawn anew in every epoch."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import ignite.distributed as idist
import torch
from torch.utils.data import Sampler


class BatchPlan(Protocol):
    """Anything that draws an epoch's batches, of places in the dataset, and knows how many there are."""

    def __len__(self) -> int:
        """Batches per epoch, of all processes."""
        ...

    def __call__(self, generator: torch.Generator) -> list[list[int]]:
        """The batches of one epoch."""
        ...


def planned_by(sampler: object, plan: type) -> str:
    """The name of `plan`; ValueError where the batches of `sampler` are not made by it."""
    found = type(getattr(sampler, "plan", sampler))
    if found is not plan:
        raise ValueError(
            f"train#dataloader: expected batches of {plan.__name__}, found those of {found.__name__}: of "
            "semi_supervised, longitudinal_pairs and multi_gpu_train.json the last has replaced what the others ask "
            "for; leave one of the recipes out, and lay the other one last"
        )
    return plan.__name__


class EpochBatches(Sampler[list[int]]):
    """Batches by `plan`, for the `batch_sampler` of a DataLoader.

    Each epoch draws one seed from torch's generator, as torch's own RandomSampler does, so that `EpochSeed` makes a
    resumed run draw what an unbroken one would. Of several processes all follow the first one's seed and take turns at
    the batches; those left over are dropped. Raises ValueError where there is not a batch for each.
    """

    def __init__(self, plan: BatchPlan) -> None:
        self.plan = plan
        if len(self) < 1:
            raise ValueError(
                f"batches: expected at least one for each of {idist.get_world_size()} processes, found {len(plan)}; "
                "lower batch_size, or use fewer processes"
            )

    def __len__(self) -> int:
        """Batches per epoch of this process."""
        return len(self.plan) // idist.get_world_size()

    def __iter__(self) -> Iterator[list[int]]:
        """The epoch's batches of this process."""
        seed = idist.broadcast(torch.empty((), dtype=torch.int64).random_(), src=0)
        batches = self.plan(torch.Generator().manual_seed(int(seed)))
        processes = idist.get_world_size()
        yield from batches[idist.get_rank() : len(self) * processes : processes]
