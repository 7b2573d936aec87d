"""Checkpoints that resume exactly, on a GPU but for the order of its sums, and are never half a file."""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import ignite.distributed as idist
from ignite.engine import Engine, Events
from torch import nn

from semivae_bundle.data.locks import locked
from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.training.settings import differing, settings_of, told
from semivae_bundle.training.weights_file import read_torch, save_torch
from semivae_bundle.training.weights_record import NORMALIZER, options_of, write_weights_record

logger = logging.getLogger(__name__)

REMEDY = "set resume to false to start anew, or give another output_dir"
OVER_IT = f"the first epoch of a training from the start would replace these weights; {REMEDY}"
OF_THE_RUN = {"best", "epoch", "made_for", "settings"}
STRETCHED = {"epochs", "schedules", "warmup_epochs", "last_epoch"}
"""Parts of a setting's path that say how it goes with the number of epochs."""


class Checkpoints:
    """After every epoch writes `last.pt` (everything to resume); when `key` is the best so far, also `model.pt`.

    `model.pt` is the bare state_dict of `best_network`, as the Model Zoo wants it; `model.json` beside it says what it
    was trained on and as what, and `normalizer.json` is the `normalizer` that its features are read with, which lasts
    there when the cohort grows and is measured anew. `objects`: name -> anything with state_dict, such as network,
    optimiser, learning-rate schedule and early stop. With `resume`, a run whose folder holds a `last.pt` goes on from
    there, in the same epoch whatever the number of steps in one. It refuses to where `made_for` differs, a text that
    names the cohort, or `settings`, what the training is made of (`settings_of`): half a training of one kind and half
    of another is none. More `epochs`, and what goes with them (STRETCHED), are the exception. A `model.pt` whose
    `last.pt` is gone is not trained over. Weights-only files: nothing in them is executed on loading. Of several
    processes all load and the first one writes, and keeps the folder locked from the first step on, as long as the
    handler lives: of two trainings in one folder each would leave a part. Put it after the validation handler and
    before any handler that logs.
    """

    def __init__(
        self,
        folder: str | Path,
        objects: Mapping[str, Any],
        best_network: nn.Module,
        key: str,
        resume: bool,
        made_for: str,
        normalizer: Normalizer,
        settings: Mapping[str, Any],
    ) -> None:
        self.folder = Path(folder)
        self.objects = dict(objects)
        self.best_network = best_network
        self.key = key
        self.resume = resume
        self.made_for = made_for
        self.normalizer = normalizer
        self.settings = settings
        self.best = float("-inf")

    def attach(self, engine: Engine) -> None:
        """Load at the start, save after each epoch."""
        engine.add_event_handler(Events.STARTED, self.load)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.save)

    def load(self, engine: Engine) -> None:
        """Lock the folder; resume from `last.pt` if asked and there."""
        if engine.state.iteration:  # a federated client's next round, which begins with what the server sent
            return
        if idist.get_rank() == 0:
            self.lock = locked(self.folder, "training")
        # Now, since what a step changes is no setting.
        self.described = settings_of(self.settings)
        self.made_of = options_of(self.best_network)
        file, weights = self.folder / "last.pt", self.folder / "model.pt"
        if self.resume and file.exists():
            self.go_on_from(file, engine)
        elif self.resume and weights.exists():
            raise ValueError(f"{weights}: expected last.pt beside it, to go on from, found none; {OVER_IT}")

    def go_on_from(self, file: Path, engine: Engine) -> None:
        """Take over the state in `file`; ValueError where it is damaged, or that of another training."""
        try:
            state = read_torch(file)
        except ValueError as error:
            raise ValueError(f"{file}: expected what a training left, found a damaged file; {REMEDY}") from error
        if state.get("made_for") != self.made_for:
            raise ValueError(
                f"{file}: was trained on another cohort, split, measurement or modality than this run's; give each "
                "its own output_dir, or set resume to false to start anew"
            )
        self.refuse_other_settings(file, state.get("settings", {}))
        other = f"it was written by another configuration; {REMEDY}"
        # What holds nothing, such as an objective without a memory, need not be there.
        missing = [name for name, thing in self.objects.items() if name not in state and thing.state_dict()]
        if missing:
            raise ValueError(f"{file}: lacks {missing}; {other}")
        if unused := set(state) - set(self.objects) - OF_THE_RUN:
            raise ValueError(f"{file}: holds {sorted(unused)}, which this run has no use for; {other}")
        for name, thing in self.objects.items():
            try:
                thing.load_state_dict(state.get(name, {}))
            except (RuntimeError, KeyError, ValueError) as error:
                raise ValueError(f"{file}: its '{name}' does not fit this run's; {other}") from error
        self.best = state["best"]
        # By epochs: another number of processes or of scans makes another number of steps of one.
        engine.state.epoch, engine.state.iteration = state["epoch"], state["epoch"] * (engine.state.epoch_length or 0)
        logger.info("resumed from %s after epoch %d", file, state["epoch"])
        if state["epoch"] >= (engine.state.max_epochs or 0):
            logger.warning("nothing left to train: %d epochs are done; raise epochs, or %s", state["epoch"], REMEDY)

    def refuse_other_settings(self, file: Path, then: Mapping[str, str]) -> None:
        """ValueError where the training in `file` was made otherwise than this one."""
        changed = differing(then, self.described)
        if "epochs" in changed:
            logger.info("%s: epochs: %s; the schedules are stretched", file, changed["epochs"])
            changed = {path: text for path, text in changed.items() if not STRETCHED & {*path.split(".")}}
        if changed:
            raise ValueError(f"{file}: was trained with other options: {told(changed)}; {REMEDY}")

    def save(self, engine: Engine) -> None:
        """Write the last state, and the best network."""
        if idist.get_rank() > 0:
            return
        score = float(engine.state.metrics.get(self.key, float("nan")))
        # Too few labelled scans to score by: the latest network is then the best there is.
        unscored = math.isnan(score) and self.best == float("-inf")
        if score > self.best or unscored:
            self.best = self.best if unscored else score
            weights = {
                name: value.detach().cpu().contiguous() for name, value in self.best_network.state_dict().items()
            }
            save_torch(weights, self.folder / "model.pt")
            write_weights_record(self.folder / "model.pt", self.made_for, self.made_of)
            self.normalizer.to_json(self.folder / NORMALIZER)
        state = {name: thing.state_dict() for name, thing in self.objects.items()}
        state |= {"best": self.best, "epoch": engine.state.epoch, "made_for": self.made_for, "settings": self.described}
        save_torch(state, self.folder / "last.pt")
