"""Pre-processing that reads one modality of a scan and leaves the others on the disk."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.data.transforms import Preprocessing


@dataclass(frozen=True)
class OneModality(Preprocessing):
    """Preprocessing of one modality alone: image (1, *roi_size), regions (3, *roi_size).

    The brain, over which it is z-scored, is where this modality is not 0, so nothing comes in from the others. The
    modality is one of the `parameters`, so its cached scans are never taken for another's or for those of all four.
    """

    modality: str

    def __post_init__(self) -> None:
        if self.modality not in MODALITIES:
            raise ValueError(f"modality: expected one of {', '.join(MODALITIES)}, found {self.modality!r}")

    def __call__(self, item: Mapping[str, Any]) -> dict[str, torch.Tensor]:
        """Preprocess the modality of one item."""
        return super().__call__(only_modality(item, self.modality))


def only_modality(item: Mapping[str, Any], modality: str) -> dict[str, Any]:
    """The item with one of its four image files, or one of the channels of its 4-D file."""
    place = MODALITIES.index(modality)
    key = "image" if item.get("channels") is None else "channels"
    return {**item, key: [item[key][place]]}
