"""Parameters that belong to the objective, over several processes."""

from __future__ import annotations

import torch
from ignite.engine import Engine, Events
from monai.engines import IterationEvents
from torch import nn


class SharedObjective:
    """Keeps the parameters of `objective` the same in all processes, as DistributedDataParallel keeps the network's.

    Those of the first process at the start, and the mean gradient in every step; does nothing in a single process. Of
    use where an extra term has parameters of its own. Put it after the checkpoints, which load.
    """

    def __init__(self, objective: nn.Module) -> None:
        self.objective = objective

    def attach(self, engine: Engine) -> None:
        """Act at the start, and between backward and the optimiser's step."""
        engine.add_event_handler(Events.STARTED, self.share)
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self.average)

    def learned(self) -> list[nn.Parameter]:
        """All but those of a frozen network: with a gradient of 0 weight decay would move them."""
        return [parameter for parameter in self.objective.parameters() if parameter.requires_grad]

    def share(self, engine: Engine) -> None:
        """Take over the first process's parameters."""
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            for parameter in self.learned():
                torch.distributed.broadcast(parameter.data, 0)

    def average(self, engine: Engine) -> None:
        """Average the gradients; one that a process lacks counts as zero."""
        if torch.distributed.is_available() and torch.distributed.is_initialized():
            for parameter in self.learned():
                gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
                torch.distributed.all_reduce(gradient)
                parameter.grad = gradient / torch.distributed.get_world_size()
