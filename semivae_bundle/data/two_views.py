"""Two differently augmented images of one scan."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from monai.transforms import Randomizable, Transform
from monai.utils import MAX_SEED


class TwoViewsd(Transform, Randomizable):
    """Augments the item, and `key` once more, independently, under the name `second_key`.

    `augmentation` must leave the geometry and the targets alone (intensity only): both views share the item's regions
    and features, so flips belong before this transform.
    """

    def __init__(self, key: str, second_key: str, augmentation: Any) -> None:
        self.key, self.second_key, self.augmentation = key, second_key, augmentation

    def set_random_state(self, seed: int | None = None, state: np.random.RandomState | None = None) -> TwoViewsd:
        """Seed the augmentation too."""
        super().set_random_state(seed=seed, state=state)
        self.augmentation.set_random_state(seed=int(self.R.randint(MAX_SEED, dtype="uint32")))
        return self

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Draw twice."""
        first = self.augmentation({**data, self.key: data[self.key].clone()})
        second = self.augmentation(dict(data))
        return {**first, self.second_key: second[self.key]}
