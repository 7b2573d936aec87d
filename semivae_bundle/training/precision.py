"""Mixed precision on any device."""

from __future__ import annotations

from typing import Any

import torch
from monai.inferers import Inferer
from torch import Tensor, nn


def bf16_supported(device: str | torch.device) -> bool:
    """True where bf16 matrix products are native: recent GPUs, CPUs with AVX512-BF16 or AMX."""
    if torch.device(device).type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    capabilities = torch.cpu.get_capabilities()
    return bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16") or capabilities.get("bf16"))


class AutocastInferer(Inferer):
    """Runs the network in channels-last bf16 where `enabled`, in fp32 elsewhere.

    MONAI's own `amp` speaks to CUDA only, and this is where its engines let a component in. The memory format
    doubles the speed of 3-D convolutions on a CPU. Outputs come back as the network made them.
    """

    def __init__(self, enabled: bool) -> None:
        super().__init__()
        self.enabled = enabled

    def __call__(self, inputs: Tensor, network: nn.Module, *args: Any, **kwargs: Any) -> Any:
        """`inputs` (B, C, D, H, W) -> whatever the network returns."""
        inputs = inputs.to(memory_format=torch.channels_last_3d)
        with torch.autocast(inputs.device.type, dtype=torch.bfloat16, enabled=self.enabled):
            return network(inputs, *args, **kwargs)


def channels_last(network: nn.Module) -> nn.Module:
    """The network with its 5-D weights in channels-last order, as AutocastInferer feeds it."""
    return network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
