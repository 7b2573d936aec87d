"""The batch of all processes: its rows, with gradient, and how many of them count."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class _AllGather(torch.autograd.Function):
    """all_gather whose backward sums what every process asks of a row."""

    @staticmethod
    def forward(ctx: Any, values: Tensor) -> Tensor:
        """(B, ...) -> (W B, ...)."""
        ctx.rows = values.shape[0]
        gathered = [torch.empty_like(values) for _ in range(torch.distributed.get_world_size())]
        torch.distributed.all_gather(gathered, values)
        return torch.cat(gathered)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        """(W B, ...) -> (B, ...), the rows of this process."""
        total = gradient.contiguous().clone()
        torch.distributed.all_reduce(total)
        start = torch.distributed.get_rank() * ctx.rows
        return total[start : start + ctx.rows]


def gather_with_gradient(values: Tensor) -> Tensor:
    """Rows of all processes, first process first: (B, ...) on each -> (W B, ...) on each; itself in one process.

    The plain all_gather drops the gradient of what it gathers, so a statistic of the joined batch would teach each
    process as if the others' subjects were constants. Here the backward sums what every process asks of a row; as each
    computes the same statistic and DistributedDataParallel averages over processes, the parameters get the gradient
    of one process on the joined batch. Batches have to be of one size.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return values
    gathered: Tensor = _AllGather.apply(values.contiguous())
    return gathered


def share_of_all(counted: Tensor) -> Tensor:
    """What a mean over the `counted` subjects of this process has to weigh for the mean over processes, which
    DistributedDataParallel takes of the gradients, to be the mean over the counted subjects of all: n / mean(n).

    Numbers of subjects of any shape -> float32 of that shape: all 1 in one process, 0 where nobody counts. A
    collective, so for training alone: in validation processes may have different numbers of batches.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return torch.ones_like(counted, dtype=torch.float32)
    total = counted.float()
    torch.distributed.all_reduce(total)
    return counted * torch.distributed.get_world_size() / total.clamp(min=1)
