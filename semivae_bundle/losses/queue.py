"""A memory of past posterior means, so that a statistic of many subjects exists at batch size 1 to 4."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

NOBODY = -1


class MeanQueue(nn.Module):
    """The means of the last `size` subjects, detached (the queue of MoCo, arXiv:1911.05722, without its momentum).

    `forward` returns batch and memory together, (n, L), then stores the batch, the newest first. A subject is there
    once, by its latest mean: cohorts are smaller than one would think, and two rows of one subject, near each other in
    every partition, look like dependence (0.18 of squared distance correlation between independent blocks for a memory
    of 256 over a cohort of 210). Only the batch carries gradient, n / B times its own: as if all n rows had moved, so
    that the weight of a term does not hang on the size of the memory.

    Buffers, so that a checkpoint resumes with the same memory. Of several processes each stores what it is given: give
    it the gathered means (`gather_with_gradient`), and all hold the same.
    """

    if TYPE_CHECKING:
        memory: Tensor
        subjects: Tensor
        stored: Tensor

    def __init__(self, size: int, latent_size: int) -> None:
        super().__init__()
        if size < 1:
            raise ValueError(f"queue: size must be >= 1, found {size}")
        self.size = size
        self.register_buffer("memory", torch.zeros(size, latent_size))
        self.register_buffer("subjects", torch.full((size,), NOBODY))
        self.register_buffer("stored", torch.zeros((), dtype=torch.long))

    def forward(self, means: Tensor, subjects: Tensor) -> Tensor:
        """(B, L) means of the subjects of index (B,) -> (n, L), float32."""
        means = means.float()
        held = (torch.arange(self.size, device=self.stored.device) < self.stored) & (self.subjects != NOBODY)
        # One question, whom the batch does not replace: each would make a GPU wait.
        others = (held & ~torch.isin(self.subjects, subjects)).nonzero().squeeze(1)
        past, past_subjects = self.memory[others], self.subjects[others]
        n, batch = means.shape[0] + past.shape[0], means.shape[0]
        joined = torch.cat([means.detach() + (n / batch) * (means - means.detach()), past])
        # Who is twice in the batch, as padding over processes makes them, is remembered once.
        again = (subjects.unsqueeze(1) == subjects).tril(-1).any(dim=1)
        kept = joined.detach()[: self.size]
        kept_subjects = torch.cat([subjects.masked_fill(again, NOBODY), past_subjects])[: self.size]
        self.memory[: kept.shape[0]], self.subjects[: kept.shape[0]] = kept, kept_subjects
        self.stored.fill_(kept.shape[0])
        return joined
