"""A batch whose network input lacks modalities and whose target does not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from semivae_bundle.training.batch import PrepareSemiVAEBatch

SEEN = "seen_image"


class PrepareSubsetBatch(PrepareSemiVAEBatch):
    """As PrepareSemiVAEBatch, but the network sees `seen_image` (B, 4, D, H, W) of DropModalitiesd.

    The target's image is the whole one, so that a hidden modality is reconstructed too. Which are seen, `modalities`
    (B, 4), joins the targets where `more` names it.
    """

    def __init__(self, more: Sequence[str] = ()) -> None:
        super().__init__((SEEN, *more))

    def __call__(self, batchdata: dict[str, Tensor], *args: Any, **kwargs: Any) -> tuple[Tensor, dict[str, Tensor]]:
        """Move one batch."""
        if SEEN not in batchdata:
            raise KeyError(
                f"batch: expected {SEEN!r}, the image that DropModalitiesd leaves, found {sorted(batchdata)}; another "
                "recipe has replaced the augmentation: lay modality_dropout last, with synthesised_contrast alone "
                "after it, or leave one of the two out"
            )
        _, target = super().__call__(batchdata, *args, **kwargs)
        return target.pop(SEEN), target
