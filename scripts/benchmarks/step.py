"""Time, memory and arithmetic of one training step, against a matrix product in the same run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.timing import WARM_UP, matrix_product_gflops, peak_memory_gib, seconds
from monai.bundle import ConfigParser
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from semivae_bundle.training.allocator import keep_freed_memory

ROOT = Path(__file__).resolve().parents[2]


def step(roi: int | None = None, batch: int = 1, repeats: int = 5, recipe: str = "roi_128") -> None:
    """One step of `configs/train.json` on `batch` random scans: forward, objective, backward, optimiser.

    `recipe` lays configs/recipes/<recipe>.yaml over; `roi` replaces the side of its grid. GFLOP counts convolutions and
    matrix products, forward and backward. The matrix product is timed before and after the steps, since a shared
    machine's speed drifts.
    """
    keep_freed_memory()  # as the training does
    torch.manual_seed(0)
    parser = ConfigParser()
    parser.read_config([str(ROOT / "configs" / "train.json"), str(ROOT / "configs" / "recipes" / f"{recipe}.yaml")])
    roi = roi or int(parser["roi_size"][0])
    parser["roi_size"] = [roi] * 3
    device: torch.device = parser.get_parsed_content("device")
    low_precision = bool(parser.get_parsed_content("amp"))
    dtype = torch.bfloat16 if low_precision else torch.float32
    product = [matrix_product_gflops(device, dtype)]
    before = peak_memory_gib(device)

    network, inferer = parser.get_parsed_content("network").train(), parser.get_parsed_content("inferer")
    objective = parser.get_parsed_content("loss_function").train()
    optimizer = parser.get_parsed_content("optimizer")
    target = random_target(roi, batch, sum(parser.get_parsed_content("feature_counts").values()), device)

    def one_step() -> None:
        loss = objective(inferer(target["image"], network), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    with FlopCounterMode(display=False) as counter:
        one_step()
    gflop = counter.get_total_flops() / 1e9
    times = [seconds(one_step) for _ in range(WARM_UP + repeats)][WARM_UP:]
    peak = peak_memory_gib(device)
    product.append(matrix_product_gflops(device, dtype))
    parameters = sum(p.numel() for p in network.parameters()) / 1e6
    median = float(np.median(times))
    rows: list[tuple[str, str]] = [
        ("grid, batch", f"{roi}³, {batch}"),
        (
            "device, arithmetic",
            f"{device.type}, {str(dtype).removeprefix('torch.')}, {torch.get_num_threads()} threads",
        ),
        ("parameters", f"{parameters:.2f} million"),
        ("step: least, median, most", f"{min(times):.3f}, {median:.3f}, {max(times):.3f} s"),
        ("arithmetic of a step", f"{gflop:.0f} GFLOP"),
        ("speed of a step (median)", f"{gflop / median:.0f} GFLOP/s"),
        ("matrix product, before and after", f"{product[0]:.0f}, {product[1]:.0f} GFLOP/s"),
        ("step / matrix product", f"{gflop / median / max(product):.2f}"),
        ("peak memory, of that the steps", f"{peak:.2f} GiB, {peak - before:.2f} GiB"),
    ]
    print("\n".join(f"{name:<36}{value}" for name, value in rows))


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
