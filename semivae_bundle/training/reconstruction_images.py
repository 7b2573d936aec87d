"""Scans beside their reconstructions in TensorBoard, while a training runs."""

from __future__ import annotations

from pathlib import Path

import torch
from ignite.engine import Engine, Events
from torch import Tensor
from torch.utils.tensorboard import SummaryWriter


class ReconstructionImages:
    """Writes the first `shown` scans of the validation split at the first validation, and again whenever `every` epochs
    have passed, under `log_dir`: a handler of the evaluator, which is run with the trainer's epoch.
    """

    def __init__(self, log_dir: str | Path, every: int, shown: int) -> None:
        if every < 1 or shown < 1:
            raise ValueError(f"reconstruction images: expected every and shown >= 1, found {every} and {shown}")
        self.log_dir = Path(log_dir)
        self.every = every
        self.shown = shown
        self.next = 0

    def attach(self, engine: Engine) -> None:
        """Look at the first batch of a validation."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """One picture per scan of the first batch."""
        epoch = engine.state.epoch
        if engine.state.iteration != 1 or epoch < self.next:
            return
        self.next = epoch + self.every
        output, target = engine.state.output["pred"], engine.state.output["label"]
        with SummaryWriter(log_dir=str(self.log_dir)) as writer:
            for i in range(min(self.shown, len(target["image"]))):
                picture = side_by_side(target["image"][i], output["reconstruction"][i], target["brain"][i, 0] > 0.5)
                writer.add_image(f"reconstruction/{engine.state.batch['subject'][i]}", picture, epoch)


def side_by_side(image: Tensor, reconstruction: Tensor, brain: Tensor) -> Tensor:
    """The axial plane with most brain of each channel, its reconstruction below it: (C, D, H, W) twice, bool
    (D, H, W) -> (1, 2 H, C D) in [0, 1], front at the top, the patient's right at the left.

    Both rows in the grey window of the input, its 0.5th to 99.5th percentile over the brain; outside it is black.
    """
    plane = int(brain.sum(dim=(0, 1)).argmax())
    rows: list[list[Tensor]] = [[], []]
    for seen, drawn in zip(image.detach().float(), reconstruction.detach().float(), strict=True):
        inside = seen[brain]
        low, high = torch.quantile(inside, seen.new_tensor([0.005, 0.995])) if len(inside) else seen.new_tensor([0, 1])
        for row, volume in zip(rows, (seen, drawn), strict=True):
            grey = ((volume - low) / (high - low).clamp(min=1e-6)).clamp(0, 1) * brain
            row.append(grey[:, :, plane].flip(0, 1).T.cpu())
    return torch.cat([torch.cat(row, dim=1) for row in rows], dim=0)[None]
