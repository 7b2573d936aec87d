"""What a person sees while a training runs, and when it may stop before its last epoch."""

from __future__ import annotations

import logging
import math

from ignite.engine import Engine, Events
from tqdm import tqdm

logger = logging.getLogger(__name__)

SHOWN = ("train/loss", "sem/vol_r2", "sem/loc_r2", "sem/shape_r2", "diag/au_count_residual", "time/seconds_per_step")


class Progress:
    """One bar over all steps of the run, and a line of figures after each epoch. Put it last in the list."""

    def __init__(self, shown: bool) -> None:
        self.shown = shown
        # There before it is opened: a handler that starts earlier may raise.
        self.bar = tqdm(disable=True)

    def attach(self, engine: Engine) -> None:
        """Open at the start, close at the end, whichever way it comes."""
        engine.add_event_handler(Events.STARTED, self.open)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.step)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self.line)
        engine.add_event_handler(Events.COMPLETED | Events.EXCEPTION_RAISED, self.close)

    def open(self, engine: Engine) -> None:
        """Start where a resumed run starts."""
        total = (engine.state.max_epochs or 0) * len(engine.state.dataloader or ())
        self.bar = tqdm(
            total=total,
            initial=engine.state.iteration,
            desc="train",
            unit="step",
            disable=not self.shown,
            mininterval=1,
        )

    def step(self, engine: Engine) -> None:
        """Advance."""
        self.bar.update(1)

    def line(self, engine: Engine) -> None:
        """The figures to watch."""
        figures = "  ".join(
            f"{name} {engine.state.metrics[name]:.3g}" for name in SHOWN if name in engine.state.metrics
        )
        text = f"epoch {engine.state.epoch}/{engine.state.max_epochs}  {figures}"
        if self.shown:
            tqdm.write(text)
        else:
            logger.info(text)

    def close(self, engine: Engine, error: Exception | None = None) -> None:
        """Leave the terminal clean; an error goes on its way."""
        self.bar.close()
        if error is not None:
            raise error


class StopEarly:
    """Ends the training when `key` has not risen for `patience` validations.

    Put it after the validation handler and before the checkpoints, which keep its count: a resumed run goes on waiting
    where it was. One that had stopped trains one epoch more and stops again, unless that one is better.
    """

    def __init__(self, key: str, patience: int) -> None:
        if patience < 1:
            raise ValueError(f"early_stop_patience: expected a whole number >= 1, found {patience}")
        self.key = key
        self.patience = patience
        self.best = -math.inf
        self.waited = 0

    def attach(self, engine: Engine) -> None:
        """Look after every epoch."""
        engine.add_event_handler(Events.EPOCH_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Count, and stop. An epoch without validation does not count."""
        if self.key not in engine.state.metrics:
            return
        score = float(engine.state.metrics[self.key])
        if score > self.best:
            self.best, self.waited = score, 0
            return
        self.waited += 1
        if self.waited >= self.patience:
            logger.info("stopped after epoch %d: %s has not risen for %d", engine.state.epoch, self.key, self.waited)
            engine.terminate()

    def state_dict(self) -> dict[str, float]:
        """The best score and the validations since."""
        return {"best": self.best, "waited": self.waited}

    def load_state_dict(self, state: dict[str, float]) -> None:
        """Take over what `state_dict` gave."""
        self.best, self.waited = float(state["best"]), int(state["waited"])
