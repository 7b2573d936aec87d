"""The batch of all processes, with gradient."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributed.nn.functional import all_gather


def gather_with_gradient(values: Tensor) -> Tensor:
    """Rows of all processes, first process first: (B, ...) on each -> (W B, ...) on each; itself in one process.

    The plain all_gather drops the gradient of what it gathers, so a statistic of the joined batch would teach each
    process as if the others' subjects were constants. Here the backward sums what every process asks of a row; as each
    computes the same statistic and DistributedDataParallel averages over processes, the parameters get the gradient
    of one process on the joined batch. Batches have to be of one size.
    """
    if not (torch.distributed.is_available() and torch.distributed.is_initialized()):
        return values
    return torch.cat(list(all_gather(values.contiguous())))
