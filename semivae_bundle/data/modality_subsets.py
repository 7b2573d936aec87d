"""Subsets of the modalities, and their names."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import combinations

from semivae_bundle.data.subjects import MODALITIES

SUBSETS: tuple[tuple[str, ...], ...] = tuple(
    subset for count in range(len(MODALITIES), 0, -1) for subset in combinations(MODALITIES, count)
)
"""Every non-empty subset, the whole first, each in the order of MODALITIES."""


def subset_name(modalities: Iterable[str]) -> str:
    """("t2f", "t1c") -> "t1c+t2f": always in the order of MODALITIES."""
    present = set(modalities)
    return "+".join(modality for modality in MODALITIES if modality in present)


def absent(modalities: Iterable[str]) -> tuple[str, ...]:
    """Those of MODALITIES that `modalities` lacks."""
    present = set(modalities)
    return tuple(modality for modality in MODALITIES if modality not in present)
