"""Student and teacher, each on its own view of a batch (mean teacher, arXiv:1703.01780)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from monai.inferers import Inferer
from monai.networks import eval_mode
from torch import Tensor, nn

from semivae_bundle.training.batch import PrepareSemiVAEBatch, plain


def unlabelled_scans(items: Sequence[Mapping[str, Any]]) -> int:
    """How many of a datalist have no label; ValueError for none, as the teacher then has nobody to teach."""
    count = sum(item.get("label") is None for item in items)
    if not count:
        raise ValueError(
            f"mean teacher: expected unlabelled training scans, found none among {len(items)}; add scans without a "
            "mask, lay label_fraction below this recipe, or use ema"
        )
    return count


class PrepareTwoViewsBatch(PrepareSemiVAEBatch):
    """As PrepareSemiVAEBatch, and the second view, `teacher_image` (B, 4, D, H, W), as an argument of the inferer."""

    def __call__(  # type: ignore[override]  # MONAI's engines take either form
        self,
        batchdata: dict[str, Tensor],
        device: str | torch.device | None = None,
        non_blocking: bool = False,
        **kwargs: Any,
    ) -> tuple[Tensor, dict[str, Tensor], tuple[()], dict[str, Tensor]]:
        """Move one batch."""
        image, target = super().__call__(batchdata, device, non_blocking, **kwargs)
        view = plain(batchdata["teacher_image"]).to(device=device, non_blocking=non_blocking, **kwargs)
        return image, target, (), {"teacher_image": view}


class MeanTeacherInferer(Inferer):
    """Adds `teacher_features` (B, F) and `teacher_seen_logits` (B, 4, D, H, W), what the teacher predicts and sees in
    the second view, to what the network returns.

    `inferer` runs the networks, e.g. AutocastInferer. `teacher`: a SemiVAE, such as the running average of the student
    that EMAHandler keeps; in evaluation mode and without gradient, and spared the decoder.
    """

    def __init__(self, inferer: Inferer, teacher: nn.Module) -> None:
        super().__init__()
        self.inferer = inferer
        self.prediction = EncodedPrediction(teacher)

    def __call__(
        self, inputs: Tensor, network: nn.Module, *args: Any, teacher_image: Tensor, **kwargs: Any
    ) -> dict[str, Tensor]:
        """`inputs` and `teacher_image` (B, C, D, H, W), two views of the same scans."""
        # First the teacher: EMAHandler makes it share the student's running statistics, which the student's step
        # moves, but a resumed teacher holds those of the last step until the handler runs.
        with eval_mode(self.prediction):
            teacher: dict[str, Tensor] = self.inferer(teacher_image, self.prediction)
        output: dict[str, Tensor] = self.inferer(inputs, network, *args, **kwargs)
        return {**output, **{f"teacher_{name}": value for name, value in teacher.items()}}


class EncodedPrediction(nn.Module):
    """What a SemiVAE says of a scan before it decodes: (B, C, D, H, W) -> features (B, F), seen_logits (B, 4, ...)."""

    def __init__(self, network: Any) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> dict[str, Tensor]:
        """Features are read from the mean, as in SemiVAE."""
        mean, _, seen_logits, _ = self.network.encode(image)
        return {"features": self.network.heads(mean), "seen_logits": seen_logits}
