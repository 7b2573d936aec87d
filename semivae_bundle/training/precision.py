"""Mixed precision on any device."""

from __future__ import annotations

from typing import Any

import torch
from monai.inferers import Inferer
from torch import Tensor, nn

from semivae_bundle.training.devices import present_device

BF16_GENERATION = 8
"""Compute capability from which on a GPU multiplies bf16 in hardware: Ampere. torch.cuda.is_bf16_supported also says
yes for Volta and Turing, which only emulate it, far more slowly than they compute in fp32."""

COARSEST_SIDE = 3
"""Cells a side of the coarsest feature map from which on a CPU's bf16 weight gradients can be trusted. On maps of 2,
and of 1 after a stride, oneDNN as in torch 2.13 returns memory that it has not written, whatever the threads."""


def bf16_supported(device: str | torch.device, coarsest_side: int) -> bool:
    """True where bf16 matrix products are native and right: recent GPUs; CPUs with AVX512-BF16 or AMX unless the
    coarsest feature map has fewer than COARSEST_SIDE cells a side. ValueError for a device that is not here.
    """
    if present_device(device).type == "cuda":
        return torch.cuda.get_device_capability(device)[0] >= BF16_GENERATION
    if coarsest_side < COARSEST_SIDE:
        return False
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


def fastest_layout(device: torch.device) -> torch.memory_format:
    """Channels-last on a GPU, as its convolutions like it, contiguous on a CPU. Not measured on a GPU yet, where
    GroupNorm returns a contiguous tensor, so that every convolution after one has to turn it.

    On a CPU convolutions run as fast in either, but GroupNorm's backward is 20 to 40 times slower in channels-last
    (docs/results.md), which makes a step up to twice as long.
    """
    return torch.channels_last_3d if device.type == "cuda" else torch.contiguous_format


class AutocastInferer(Inferer):
    """Runs the network in bf16 where `enabled`, in fp32 elsewhere, and in the device's fastest layout.

    MONAI's own `amp` speaks to CUDA only, and this is where its engines let a component in. Outputs come back as the
    network made them.
    """

    def __init__(self, enabled: bool) -> None:
        super().__init__()
        self.enabled = enabled

    def __call__(self, inputs: Tensor, network: nn.Module, *args: Any, **kwargs: Any) -> Any:
        """`inputs` (B, C, D, H, W) -> whatever the network returns."""
        inputs = inputs.contiguous(memory_format=fastest_layout(inputs.device))
        with torch.autocast(inputs.device.type, dtype=torch.bfloat16, enabled=self.enabled):
            return network(inputs, *args, **kwargs)


def in_fastest_layout(network: nn.Module, device: str | torch.device) -> nn.Module:
    """The network on `device`, its 5-D weights in the layout in which AutocastInferer feeds it. ValueError for a device
    that is not here.
    """
    device = present_device(device)
    return network.to(device, memory_format=fastest_layout(device))  # type: ignore[call-overload]
