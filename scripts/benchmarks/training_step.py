"""One training step as the configs define it, on random scans."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from monai.bundle import ConfigParser
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from semivae_bundle.training.allocator import keep_freed_memory

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class TrainingStep:
    """A network with its objective and optimiser, and a batch `target` of random scans of side `roi`."""

    network: nn.Module
    objective: nn.Module
    optimizer: torch.optim.Optimizer
    inferer: Callable[..., Any]
    target: dict[str, Tensor]
    roi: int
    device: torch.device
    dtype: torch.dtype

    def loss(self) -> Tensor:
        """Forward and objective."""
        value: Tensor = self.objective(self.inferer(self.target["image"], self.network), self.target)
        return value

    def run(self) -> None:
        """Forward, objective, backward, optimiser."""
        loss = self.loss()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()

    def gflop(self) -> float:
        """Arithmetic of one step: convolutions and matrix products, forward and backward. Takes a step."""
        with FlopCounterMode(display=False) as counter:
            self.run()
        return float(counter.get_total_flops()) / 1e9

    def parameters_million(self) -> float:
        """Weights of the network."""
        return sum(p.numel() for p in self.network.parameters()) / 1e6


def training_step(recipes: Sequence[str], roi: int | None, batch: int) -> TrainingStep:
    """The step of `configs/train.json` with the `recipes` laid over, on a grid of side `roi` or of their own."""
    keep_freed_memory()  # as the training does
    torch.manual_seed(0)
    parser = ConfigParser()
    files = [ROOT / "configs" / "train.json", *(ROOT / "configs" / "recipes" / f"{name}.yaml" for name in recipes)]
    parser.read_config([str(file) for file in files])
    roi = roi or int(parser["roi_size"][0])
    parser["roi_size"] = [roi] * 3
    device: torch.device = parser.get_parsed_content("device")
    return TrainingStep(
        network=parser.get_parsed_content("network").train(),
        objective=parser.get_parsed_content("loss_function").train(),
        optimizer=parser.get_parsed_content("optimizer"),
        inferer=parser.get_parsed_content("inferer"),
        target=random_target(roi, batch, sum(parser.get_parsed_content("feature_counts").values()), device),
        roi=roi,
        device=device,
        dtype=torch.bfloat16 if parser.get_parsed_content("amp") else torch.float32,
    )


def random_target(roi: int, batch: int, features: int, device: torch.device) -> dict[str, Tensor]:
    """Noise in the shape of a labelled batch, as PrepareSemiVAEBatch gives it: nothing a step does depends on more."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(batch, 4, roi, roi, roi, generator=generator)
    regions = torch.rand(batch, 3, roi, roi, roi, generator=generator) / 3
    target: dict[str, Any] = {
        "image": image,
        "regions": regions,
        "brain": torch.ones(batch, 1, roi, roi, roi),
        "features": torch.randn(batch, features, generator=generator),
        "present": torch.ones(batch, features),
        "labelled": torch.ones(batch, dtype=torch.bool),
        "index": torch.arange(batch),
    }
    return {name: value.to(device) for name, value in target.items()}
