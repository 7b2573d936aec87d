"""A batch from the loader -> (image, targets) for the engines."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from monai.data import MetaTensor
from monai.engines import PrepareBatch
from torch import Tensor

TARGETS = ("index", "features", "present", "labelled", "regions", "brain")


class PrepareSemiVAEBatch(PrepareBatch):
    """Image and targets on the device, as plain tensors.

    Targets: image (B, 4, D, H, W), regions (B, 3, D, H, W), brain (B, 1, D, H, W), features and present (B, F),
    labelled (B,) bool, index (B,) the subject's place in its dataset; and whatever entries of the batch `more` names,
    such as patient (B,).
    """

    def __init__(self, more: Sequence[str] = ()) -> None:
        super().__init__()
        self.names = ("image", *TARGETS, *more)

    def __call__(
        self,
        batchdata: dict[str, Tensor],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Move one batch."""
        target = {
            key: plain(batchdata[key]).to(device=device, non_blocking=non_blocking, **kwargs) for key in self.names
        }
        return target["image"], target


def plain(value: Tensor) -> Tensor:
    """The tensor without its metadata."""
    return value.as_tensor() if isinstance(value, MetaTensor) else value
