"""Time, memory and arithmetic of one training step, against a matrix product in the same run."""

from __future__ import annotations

import numpy as np
import torch
from benchmarks.timing import WARM_UP, matrix_product_gflops, peak_memory_gib, seconds
from benchmarks.training_step import training_step


def step(roi: int | None = None, batch: int = 1, repeats: int = 5, recipe: str = "roi_128") -> None:
    """One step of `configs/train.json` on `batch` random scans: forward, objective, backward, optimiser.

    `recipe` lays configs/recipes/<recipe>.yaml over; `roi` replaces the side of its grid. GFLOP counts convolutions and
    matrix products, forward and backward. The matrix product is timed before and after the steps, since a shared
    machine's speed drifts.
    """
    one = training_step([recipe], roi, batch)
    device, dtype = one.device, one.dtype
    product = [matrix_product_gflops(device, dtype)]
    before = peak_memory_gib(device)
    gflop = one.gflop()
    times = [seconds(one.run) for _ in range(WARM_UP + repeats)][WARM_UP:]
    peak = peak_memory_gib(device)
    product.append(matrix_product_gflops(device, dtype))
    median = float(np.median(times))
    rows: list[tuple[str, str]] = [
        ("grid, batch", f"{one.roi}³, {batch}"),
        (
            "device, arithmetic",
            f"{device.type}, {str(dtype).removeprefix('torch.')}, {torch.get_num_threads()} threads",
        ),
        ("parameters", f"{one.parameters_million():.2f} million"),
        ("step: least, median, most", f"{min(times):.3f}, {median:.3f}, {max(times):.3f} s"),
        ("arithmetic of a step", f"{gflop:.0f} GFLOP"),
        ("speed of a step (median)", f"{gflop / median:.0f} GFLOP/s"),
        ("matrix product, before and after", f"{product[0]:.0f}, {product[1]:.0f} GFLOP/s"),
        ("step / matrix product", f"{gflop / median / max(product):.2f}"),
        ("peak memory, of that the steps", f"{peak:.2f} GiB, {peak - before:.2f} GiB"),
    ]
    print("\n".join(f"{name:<36}{value}" for name, value in rows))
