"""A batch from the loader -> (image, targets) for the engines."""

from __future__ import annotations

from typing import Any

import torch
from monai.data import MetaTensor
from monai.engines import PrepareBatch
from torch import Tensor

TARGETS = ("index", "features", "present", "labelled", "regions", "brain")


class PrepareSemiVAEBatch(PrepareBatch):
    """Image and targets on the device, as plain tensors.

    Targets: image (B, 4, D, H, W), regions (B, 3, D, H, W), brain (B, 1, D, H, W), features and present (B, F),
    labelled (B,) bool, index (B,) the subject's place in its dataset.
    """

    def __call__(
        self,
        batchdata: dict[str, Tensor],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Move one batch."""
        target = {
            key: _plain(batchdata[key]).to(device=device, non_blocking=non_blocking, **kwargs)
            for key in ("image", *TARGETS)
        }
        return target["image"], target


def _plain(value: Tensor) -> Tensor:
    return value.as_tensor() if isinstance(value, MetaTensor) else value
