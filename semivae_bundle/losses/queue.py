"""A memory of past posterior means, so that batch statistics mean something at batch size 1 to 8."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class MeanQueue(nn.Module):
    """The last `size` posterior means, detached (the queue of MoCo, arXiv:1911.05722, kept without its momentum).

    `forward` returns batch and memory together, (B + stored, L); only the batch carries gradient. `push` stores.
    Buffers, so that a checkpoint resumes with the same memory.
    """

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
        """(B, L) -> (B + stored, L)."""
        return torch.cat([means.float(), self.memory[: int(self.stored)]])

    @torch.no_grad()
    def push(self, means: Tensor) -> None:
        """Store (B, L), the newest first; the oldest drop out."""
        kept = torch.cat([means.detach().float(), self.memory[: int(self.stored)]])[: self.size]
        self.memory[: kept.shape[0]] = kept
        self.stored.fill_(kept.shape[0])
