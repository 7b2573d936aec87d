"""Handlers of extra terms that have a state of their own: what a schedule moves, and what they have learned."""

from __future__ import annotations

from collections.abc import Mapping

from ignite.engine import Engine, Events

from semivae_bundle.losses.capacity import CapacityGap
from semivae_bundle.losses.learned_noise import LearnedNoiseRegression
from semivae_bundle.training.schedules import Schedule, scales_at


class CapacityScheduler:
    """Moves the target of each partition's KL before every step, and logs it as capacity/<partition>, in nats."""

    def __init__(self, term: CapacityGap, schedules: Mapping[str, Schedule]) -> None:
        if set(schedules) != set(term.capacity):
            raise ValueError(
                f"capacity: expected a schedule for each of {list(term.capacity)}, found {list(schedules)}"
            )
        self.term, self.schedules = term, schedules

    def attach(self, engine: Engine) -> None:
        """Act at the start of every step."""
        engine.add_event_handler(Events.ITERATION_STARTED, self)

    def __call__(self, engine: Engine) -> None:
        """Epochs count from 0 in the schedules; iterations from 1, through all epochs, in ignite."""
        done = (engine.state.iteration - 1) / engine.state.epoch_length
        self.term.scale.update(scales_at(self.schedules, done))
        engine.state.metrics.update({f"capacity/{name}": nats for name, nats in self.term.now().items()})


class LogLearnedNoise:
    """Logs the learned noise of each partition's features as noise/<partition>, in normalised units.

    After an epoch's last step rather than at its end, so that it may stand anywhere in the list of handlers.
    """

    def __init__(self, term: LearnedNoiseRegression) -> None:
        self.term = term

    def attach(self, engine: Engine) -> None:
        """Look after every step."""
        engine.add_event_handler(Events.ITERATION_COMPLETED, self)

    def __call__(self, engine: Engine) -> None:
        """Read the numbers once an epoch: each step would make a GPU wait."""
        if engine.state.iteration % engine.state.epoch_length == 0:
            engine.state.metrics.update({f"noise/{name}": sigma for name, sigma in self.term.noise().items()})
