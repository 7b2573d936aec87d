"""What each term of the objective asks of the code, in the logs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import IterationEvents
from torch import Tensor, nn

from semivae_bundle.losses.objective import SemiVAELoss


class GradientNorms:
    """grad/<term>: norm of each weighted term's gradient with respect to `output` of the network, every `every` steps.

    `output` is one of the network's outputs that the terms meet in, such as `mean` (B, L); in nats per unit of it, over
    the whole batch, averaged over the epoch's measured steps. Weighted terms: two that pull alike have norms alike,
    whatever their units (what arXiv:1711.02257 balances). A term that does not depend on it, or is not differentiable,
    has 0. Costs a backward pass of the decoder for each term that reads it, in the steps that are measured; changes
    no gradient and no random number. Put it anywhere in the list; of several processes each tells its own.
    """

    def __init__(self, objective: SemiVAELoss, output: str, every: int) -> None:
        if every < 1:
            raise ValueError(f"gradient norms: every must be >= 1 step, found {every}")
        self.objective, self.output, self.every = objective, output, every
        self.weighted: Mapping[str, Tensor] = {}
        self.sums: dict[str, float] = {}
        self.measured = 0
        self.handle: torch.utils.hooks.RemovableHandle | None = None

    def attach(self, engine: Engine) -> None:
        """Watch the terms of a due step, and measure before its backward pass."""
        engine.add_event_handler(Events.EPOCH_STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_STARTED, self.watch)
        engine.add_event_handler(IterationEvents.LOSS_COMPLETED, self.measure)

    def start(self, engine: Engine) -> None:
        """Reset: an epoch without a measured step has no figures, not those of the last one."""
        for name in self.sums:
            engine.state.metrics.pop(f"grad/{name}", None)
        self.sums, self.measured = {}, 0

    def watch(self, engine: Engine) -> None:
        """In a due step, listen to what the objective is about to add up."""
        self.handle = None
        if engine.state.iteration % self.every == 0:
            self.handle = self.objective.total.register_forward_pre_hook(self.keep)

    def keep(self, total: nn.Module, arguments: tuple[Any, ...]) -> None:
        """The terms, with their graph."""
        (self.weighted,) = arguments

    def measure(self, engine: Engine) -> None:
        """Publish the averages so far."""
        if self.handle is None:
            return
        self.handle.remove()
        place = engine.state.output["pred"][self.output]
        norms = gradient_norms(self.weighted, place)
        self.handle, self.weighted = None, {}
        self.measured += 1
        for name, norm in norms.items():
            self.sums[name] = self.sums.get(name, 0.0) + norm
            engine.state.metrics[f"grad/{name}"] = self.sums[name] / self.measured


def gradient_norms(terms: Mapping[str, Tensor], place: Tensor) -> dict[str, float]:
    """Euclidean norm of d term / d `place` of each term () by name; 0 where there is no way from one to the other."""
    norms = []
    for value in terms.values():
        gradient = None
        if value.requires_grad:
            (gradient,) = torch.autograd.grad(value, place, retain_graph=True, allow_unused=True)
        norms.append(place.new_zeros(()) if gradient is None else gradient.float().norm().to(place.dtype))
    # Read together: each number would make a GPU wait.
    return dict(zip(terms, torch.stack(norms).tolist(), strict=True))
