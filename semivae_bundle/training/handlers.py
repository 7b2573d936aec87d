"""What happens around the steps: weights, seeds, guards and logs. Each handler attaches to an ignite engine."""

from __future__ import annotations

import csv
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from ignite.engine import Engine, Events
from monai.engines import IterationEvents
from monai.utils import set_determinism
from torch import nn

from semivae_bundle.data.files import write_csv_atomically
from semivae_bundle.losses.objective import SemiVAELoss
from semivae_bundle.training.schedules import Schedule, scales_at


class ObjectiveScheduler:
    """Sets the scales of the objective's terms before every step, from the epochs done and the part of this one."""

    def __init__(self, objective: SemiVAELoss, schedules: Mapping[str, Schedule]) -> None:
        known = list(dict.fromkeys((*objective.weights, *objective.names)))
        if unknown := [name for name in schedules if name not in known]:
            raise ValueError(f"schedules: expected terms or their families, {known}, found {unknown}")
        self.objective = objective
        self.schedules = schedules

    def attach(self, engine: Engine) -> None:
        """Act at the start of every step."""
        engine.add_event_handler(Events.ITERATION_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Epochs count from 0 in the schedules; iterations from 1, through all epochs, in ignite."""
        done = (engine.state.iteration - 1) / engine.state.epoch_length
        self.objective.scale.update(scales_at(self.schedules, done))


class EpochSeed:
    """Seeds every generator from (seed, epoch) when an epoch starts, so a resumed run draws what an unbroken one
    would.
    """

    def __init__(self, seed: int, augmentation: Any = None) -> None:
        self.seed = seed
        self.augmentation = augmentation

    def attach(self, engine: Engine) -> None:
        """Act before the loader is asked for the epoch's order."""
        engine.add_event_handler(Events.EPOCH_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Seed torch, NumPy, random and the augmentation."""
        seed = self.seed + 1000003 * engine.state.epoch
        set_determinism(seed=seed % 2**32, use_deterministic_algorithms=None)
        if self.augmentation is not None:
            self.augmentation.set_random_state(seed=seed % 2**32)


class ClipGradient:
    """Scales the gradient down to `max_norm`, raises FloatingPointError where it is not finite, and keeps its norm
    in `engine.state.metrics['train/gradient_norm']`.
    """

    def __init__(self, network: nn.Module, max_norm: float) -> None:
        self.network = network
        self.max_norm = max_norm

    def attach(self, engine: Engine) -> None:
        """Act between backward and the optimiser's step."""
        engine.add_event_handler(IterationEvents.BACKWARD_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Clip."""
        # Read once: each time makes a GPU wait.
        norm = float(torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.max_norm))
        if not math.isfinite(norm):
            bad = [n for n, p in self.network.named_parameters() if p.grad is not None and not p.grad.isfinite().all()]
            raise FloatingPointError(
                f"training: non-finite gradient in epoch {engine.state.epoch}, iteration {engine.state.iteration}, at "
                f"{bad[:3]}{' ...' if len(bad) > 3 else ''}; lower the learning rate; the last checkpoint is good"
            )
        engine.state.metrics["train/gradient_norm"] = norm


class StopOnNonFinite:
    """Raises FloatingPointError naming the terms that became NaN or infinite."""

    def __init__(self, objective: SemiVAELoss) -> None:
        self.objective = objective

    def attach(self, engine: Engine) -> None:
        """Act before backward, so that the weights stay good."""
        engine.add_event_handler(IterationEvents.LOSS_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Check."""
        # One question for all terms: each would make a GPU wait.
        if not bool(torch.stack(list(self.objective.terms.values())).isfinite().all()):
            bad = {name: float(v) for name, v in self.objective.terms.items() if not math.isfinite(float(v))}
            subjects = engine.state.batch.get("subject") if isinstance(engine.state.batch, dict) else None
            raise FloatingPointError(
                f"training: non-finite loss terms {bad} in epoch {engine.state.epoch}, iteration "
                f"{engine.state.iteration}, subjects {subjects}; look at these scans, or lower the learning rate; the "
                "last checkpoint is good"
            )


class TermAverages:
    """train/loss, train/<term> and weight/<term> of the epoch, and seconds per step spent waiting for data.

    Put into `engine.state.metrics`, where the log handlers look.
    """

    def __init__(self, objective: SemiVAELoss) -> None:
        self.objective = objective

    def attach(self, engine: Engine) -> None:
        """Sum over the epoch."""
        engine.add_event_handler(Events.EPOCH_STARTED, self.start)
        engine.add_event_handler(Events.GET_BATCH_STARTED, self.wait)
        engine.add_event_handler(Events.GET_BATCH_COMPLETED, self.arrived)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.add)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """Reset."""
        self.sums: dict[str, torch.Tensor] = {}
        self.steps, self.waited, self.begun = 0, 0.0, time.perf_counter()

    def wait(self, engine: Engine) -> None:
        """The engine asks for a batch."""
        self.asked = time.perf_counter()

    def arrived(self, engine: Engine) -> None:
        """The batch is there."""
        self.waited += time.perf_counter() - self.asked

    def add(self, engine: Engine) -> None:
        """Add one step."""
        self.steps += 1
        for name, value in {"loss": engine.state.output["loss"].detach(), **self.objective.terms}.items():
            # In double, and read only when the epoch ends, so that no step waits for the numbers.
            self.sums[name] = self.sums.get(name, 0) + value.double()

    def finish(self, engine: Engine) -> None:
        """Publish."""
        steps = max(self.steps, 1)
        figures = {f"train/{name}": float(total) / steps for name, total in self.sums.items()}
        figures |= {f"weight/{name}": self.objective.weight_of(name) for name in self.sums if name != "loss"}
        figures["time/seconds_per_step"] = (time.perf_counter() - self.begun) / steps
        figures["time/data_wait_per_step"] = self.waited / steps
        engine.state.metrics.update(figures)


class TidyCSV:
    """All metrics of every epoch as rows `epoch,name,value`, rewritten whole at each epoch, so never half a row.

    A resumed run drops the rows after the epoch it resumes from.
    """

    def __init__(self, file: str | Path) -> None:
        self.file = Path(file)
        self.rows: list[tuple[int, str, float]] = []

    def attach(self, engine: Engine) -> None:
        """Write when everything of the epoch is known, validation too."""
        engine.add_event_handler(Events.STARTED, self.read)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.write)

    def read(self, engine: Engine) -> None:
        """Take over what earlier epochs of a resumed run wrote."""
        self.rows = []
        if self.file.exists() and engine.state.epoch > 0:
            with self.file.open(newline="") as stream:
                read = [(int(r["epoch"]), r["name"], float(r["value"])) for r in csv.DictReader(stream)]
            self.rows = [row for row in read if row[0] <= engine.state.epoch]

    def write(self, engine: Engine) -> None:
        """Add the epoch and write."""
        epoch = engine.state.epoch
        for name, value in sorted(engine.state.metrics.items()):
            if isinstance(value, (int, float)):
                self.rows.append((epoch, name, float(value)))
        write_csv_atomically(self.file, ("epoch", "name", "value"), self.rows)


class CopyMetrics:
    """Copies the evaluator's metrics into the trainer's after validation, so that one log holds both."""

    def __init__(self, evaluator: Engine) -> None:
        self.evaluator = evaluator
        self.copied: set[str] = set()

    def attach(self, engine: Engine) -> None:
        """After the validation handler, which must come earlier in the list."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Copy the numbers, once: an epoch without validation has none, not those of the last one."""
        for name in self.copied:
            engine.state.metrics.pop(name, None)
        numbers = {k: float(v) for k, v in self.evaluator.state.metrics.items() if isinstance(v, (int, float))}
        engine.state.metrics.update(numbers)
        self.copied = set(numbers)
        self.evaluator.state.metrics = {}
