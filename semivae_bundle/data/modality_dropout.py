"""Hiding modalities from the network in training, so that it learns to do without any of them."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import torch
from monai.transforms import Randomizable, Transform


class DropModalitiesd(Transform, Randomizable):
    """Hides each channel of `key` (C, D, H, W) with `probability`, never all of them.

    Adds `seen_key`, the image with 0 in place of the hidden channels, which is what background is after the z-score,
    and `modalities` (C,) float32, 1 for a channel that is seen. `key` stays whole: it is what the network is to
    reconstruct, hidden channels too. Where chance hides all, one at random comes back. A channel that is 0 everywhere
    is not there in the first place: it is never the one that comes back. Comes last, after whatever changes
    intensities.
    """

    def __init__(self, key: str, seen_key: str, probability: float) -> None:
        if not 0 <= probability < 1:
            raise ValueError(f"modality dropout: expected a probability in [0, 1), found {probability}")
        self.key, self.seen_key, self.probability = key, seen_key, probability

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Draw once."""
        image = data[self.key]
        there = (image != 0).flatten(1).any(dim=1)
        draws = torch.as_tensor(self.R.random(len(image)))
        seen = there & (draws >= self.probability)
        if not seen.any():
            # The largest draw of those that are there: as good as any, and it takes no further random number.
            seen = there & (draws == torch.where(there, draws, -1.0).max())
        modalities = seen.float()
        return {**data, self.seen_key: image * modalities[:, None, None, None], "modalities": modalities}
