"""Checkpoints that resume exactly and are never half a file."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
import torch
from ignite.engine import Engine, Events
from torch import nn

from semivae_bundle.data.files import atomic_path

logger = logging.getLogger(__name__)


class Checkpoints:
    """After every epoch writes `last.pt` (everything to resume); when `key` is the best so far, also `model.pt`.

    `model.pt` is the bare state_dict of `best_network`, as the Model Zoo wants it. `objects`: name -> anything with
    state_dict, such as network, optimiser, learning-rate schedule and early stop. With `resume`, a run whose folder
    holds a `last.pt` goes on from there, unless `made_for` differs: a text that names the cohort, so that one cohort's
    training never goes on with another's. Weights-only files: nothing in them is executed on loading. Of several
    processes all load and the first one writes. Put it after the validation handler and before any handler that logs.
    """

    def __init__(
        self,
        folder: str | Path,
        objects: Mapping[str, Any],
        best_network: nn.Module,
        key: str,
        resume: bool,
        made_for: str,
    ) -> None:
        self.folder = Path(folder)
        self.objects = dict(objects)
        self.best_network = best_network
        self.key = key
        self.resume = resume
        self.made_for = made_for
        self.best = float("-inf")

    def attach(self, engine: Engine) -> None:
        """Load at the start, save after each epoch."""
        engine.add_event_handler(Events.STARTED, self.load)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.save)

    def load(self, engine: Engine) -> None:
        """Resume from `last.pt` if asked and there."""
        file = self.folder / "last.pt"
        if not (self.resume and file.exists()):
            return
        state = torch.load(file, map_location="cpu", weights_only=True)
        other = "it was written by another configuration: set resume to false, or give another output_dir"
        if state.get("made_for", self.made_for) != self.made_for:
            raise ValueError(
                f"{file}: was trained on another cohort, split, measurement or modality than this run's; give each "
                "its own output_dir, or set resume to false to start anew"
            )
        # What holds nothing, such as an objective without a memory, need not be there.
        missing = [name for name, thing in self.objects.items() if name not in state and thing.state_dict()]
        if missing:
            raise ValueError(f"{file}: lacks {missing}; {other}")
        for name, thing in self.objects.items():
            try:
                thing.load_state_dict(state.get(name, {}))
            except (RuntimeError, KeyError, ValueError) as error:
                raise ValueError(f"{file}: its '{name}' does not fit this run's; {other}") from error
        self.best = state["best"]
        engine.state.epoch, engine.state.iteration = state["epoch"], state["iteration"]
        logger.info("resumed from %s after epoch %d", file, state["epoch"])

    def save(self, engine: Engine) -> None:
        """Write the last state, and the best network."""
        if idist.get_rank() > 0:
            return
        self.folder.mkdir(parents=True, exist_ok=True)
        score = float(engine.state.metrics.get(self.key, float("nan")))
        # Too few labelled scans to score by: the latest network is then the best there is.
        unscored = math.isnan(score) and self.best == float("-inf")
        if score > self.best or unscored:
            self.best = self.best if unscored else score
            weights = {
                name: value.detach().cpu().contiguous() for name, value in self.best_network.state_dict().items()
            }
            with atomic_path(self.folder / "model.pt") as part:
                torch.save(weights, part)
        state = {name: thing.state_dict() for name, thing in self.objects.items()}
        state |= {"best": self.best, "epoch": engine.state.epoch, "iteration": engine.state.iteration}
        state["made_for"] = self.made_for
        with atomic_path(self.folder / "last.pt") as part:
            torch.save(state, part)
