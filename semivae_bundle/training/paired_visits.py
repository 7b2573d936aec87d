"""Batches in which visits of one patient meet."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch

T = TypeVar("T")


@dataclass(frozen=True)
class PairedVisits:
    """Plan of batches of `batch_size` that keep pairs of visits of one patient together, for `EpochBatches`.

    `items`: a datalist, in the dataset's order, with the `patient` of each. An epoch is one pass over the subjects, as
    long as a plain loader's: the visits of a patient are paired anew, the pairs dealt evenly over the batches, and the
    places between them go to patients with one visit and to visits left over. Fewer than a batch of these are dropped.
    Where few patients have two visits some batches have no pair. Raises ValueError where no patient has two visits, or
    where a batch has no room for a pair and somebody else.
    """

    items: Sequence[Mapping[str, Any]]
    batch_size: int

    def __post_init__(self) -> None:
        if self.batch_size < 3:
            raise ValueError(
                f"paired visits: expected a batch_size of at least 3, a pair and somebody else, found {self.batch_size}"
            )
        if all(len(places) < 2 for places in self.visits()):
            raise ValueError(
                f"paired visits: expected a training patient with two visits, found {len(self.items)} scans of as many "
                "patients; train without this recipe, or see docs/data.md for how names tell patient and visit"
            )

    def visits(self) -> list[list[int]]:
        """Places of each patient's scans."""
        by_patient: dict[str, list[int]] = defaultdict(list)
        for place, item in enumerate(self.items):
            by_patient[item["patient"]].append(place)
        return list(by_patient.values())

    def __len__(self) -> int:
        """Batches per epoch; a cohort smaller than a batch is one."""
        return max(1, len(self.items) // self.batch_size)

    def __call__(self, generator: torch.Generator) -> list[list[int]]:
        """The batches of one epoch."""
        pairs, singles = self.paired(generator)
        room = len(self) * (self.batch_size // 2)
        # Where batches are odd, not every pair finds room; its visits then fill the single places.
        singles = shuffled(singles + [place for pair in pairs[room:] for place in pair], generator)
        batches: list[list[int]] = [[] for _ in range(len(self))]
        for turn, pair in enumerate(pairs[:room]):
            batches[turn % len(self)] += pair
        for batch in batches:
            missing = self.batch_size - len(batch)
            batch += singles[:missing]
            singles = singles[missing:]
        return shuffled(batches, generator)

    def paired(self, generator: torch.Generator) -> tuple[list[list[int]], list[int]]:
        """Pairs of visits of one patient each, in random order, and the places that no pair holds."""
        pairs, singles = [], []
        for places in self.visits():
            order = shuffled(places, generator)
            pairs += [order[k : k + 2] for k in range(0, len(order) - 1, 2)]
            singles += order[len(order) // 2 * 2 :]
        return shuffled(pairs, generator), singles


def shuffled(things: Sequence[T], generator: torch.Generator) -> list[T]:
    """The things in random order."""
    return [things[k] for k in torch.randperm(len(things), generator=generator).tolist()]
