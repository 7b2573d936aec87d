"""Batches with a set share of labelled subjects."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch


@dataclass(frozen=True)
class LabelledShare:
    """Plan of batches of `batch_size` of which the share `fraction` is labelled, for `EpochBatches`.

    `items`: a datalist, in the dataset's order; labelled are those with a `label`. An epoch is as long as it takes for
    every subject of both kinds to come at least once; the scarcer kind, for its slots, comes again in fresh shuffles,
    never twice in a batch. Raises ValueError where the share makes no whole number of subjects, or where a kind has
    fewer subjects than a batch takes of it.
    """

    items: Sequence[Mapping[str, Any]]
    batch_size: int
    fraction: float

    def __post_init__(self) -> None:
        wanted = self.fraction * self.batch_size
        if abs(wanted - round(wanted)) > 1e-9 or not 1 <= round(wanted) <= self.batch_size - 1:
            raise ValueError(
                f"labelled share: expected a fraction that makes 1 to {self.batch_size - 1} whole subjects of a "
                f"batch_size of {self.batch_size}, found {self.fraction} (= {wanted:g} subjects); for example 0.5 with "
                "an even batch_size"
            )
        for kind, found, slots in zip(("labelled", "unlabelled"), self.places(), self.slots(), strict=True):
            if len(found) < slots:
                raise ValueError(
                    f"labelled share: expected at least {slots} {kind} training subjects for a batch_size of "
                    f"{self.batch_size}, found {len(found)} of {len(self.items)}; change fraction or batch_size, or "
                    "train without this recipe"
                )

    def places(self) -> tuple[list[int], list[int]]:
        """Places of the labelled and of the unlabelled subjects."""
        labelled = [place for place, item in enumerate(self.items) if item.get("label") is not None]
        return labelled, sorted(set(range(len(self.items))) - set(labelled))

    def slots(self) -> tuple[int, int]:
        """Labelled and unlabelled subjects per batch."""
        labelled = round(self.fraction * self.batch_size)
        return labelled, self.batch_size - labelled

    def __len__(self) -> int:
        """Batches per epoch."""
        return max(math.ceil(len(found) / slots) for found, slots in zip(self.places(), self.slots(), strict=True))

    def __call__(self, generator: torch.Generator) -> list[list[int]]:
        """The batches of one epoch, the labelled first in each."""
        kinds = zip(self.places(), self.slots(), strict=True)
        labelled, unlabelled = (cycled(found, slots, len(self), generator) for found, slots in kinds)
        return [a + b for a, b in zip(labelled, unlabelled, strict=True)]


def cycled(members: Sequence[int], size: int, groups: int, generator: torch.Generator) -> list[list[int]]:
    """`groups` groups of `size`: each member once before any comes again, none twice in a group; `size` <= members."""
    left: list[int] = []
    result = []
    for _ in range(groups):
        group, left = left[:size], left[size:]
        if len(group) < size:
            shuffled = [members[k] for k in torch.randperm(len(members), generator=generator).tolist()]
            # Whoever ended the last round in this group waits, so that nobody is in it twice.
            fresh = sorted(shuffled, key=lambda member: member in group)
            missing = size - len(group)
            group, left = group + fresh[:missing], fresh[missing:]
        result.append(group)
    return result
