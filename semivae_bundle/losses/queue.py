"""A memory of past posterior means, so that a statistic of many subjects exists at batch size 1 to 4."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn


class MeanQueue(nn.Module):
    """The last `size` posterior means, detached (the queue of MoCo, arXiv:1911.05722, without its momentum).

    `forward` returns batch and memory together, (B + stored, L); only the batch carries gradient. In training it then
    stores the batch, the newest first. Buffers, so that a checkpoint resumes with the same memory. Of several processes
    each stores what it is given: give it the gathered means (`gather_with_gradient`), and all hold the same.
    """

    if TYPE_CHECKING:
        memory: Tensor
        stored: Tensor

    def __init__(self, size: int, latent_size: int) -> None:
        super().__init__()
        if size < 1:
            raise ValueError(f"queue: size must be >= 1, found {size}")
        self.size = size
        self.register_buffer("memory", torch.zeros(size, latent_size))
        self.register_buffer("stored", torch.zeros((), dtype=torch.long))

    def forward(self, means: Tensor) -> Tensor:
        """(B, L) -> (B + stored, L), float32."""
        joined = torch.cat([means.float(), self.memory[: int(self.stored)].clone()])
        if self.training:
            kept = joined.detach()[: self.size]
            self.memory[: kept.shape[0]] = kept
            self.stored.fill_(kept.shape[0])
        return joined
