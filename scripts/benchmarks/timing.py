"""What every benchmark measures with."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable

import torch

WARM_UP = 2


def seconds(call: Callable[[], object]) -> float:
    """Wall time of one call; a GPU is waited for."""
    start = time.perf_counter()
    call()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter() - start


def peak_memory_gib(device: torch.device) -> float:
    """The most memory held so far in GiB: of the GPU by PyTorch, else the resident set of this process."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device)) / 2**30
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


def matrix_product_gflops(device: torch.device, dtype: torch.dtype, size: int = 4096) -> float:
    """GFLOP/s of one large matrix product, the best of a few: what the machine gives at this moment."""
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    product = [seconds(lambda: a @ b) for _ in range(WARM_UP + 3)]
    return 2 * size**3 / min(product[WARM_UP:]) / 1e9
