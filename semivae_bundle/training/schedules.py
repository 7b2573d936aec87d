"""Epoch -> scale of a term's weight. Frozen records with one method, composable from a config."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


class Schedule(Protocol):
    """Anything that gives a scale in [0, 1] for an epoch counted from 0."""

    def __call__(self, epoch: float) -> float:
        """Scale at `epoch`."""
        ...


@dataclass(frozen=True)
class Constant:
    """Always `value`."""

    value: float

    def __call__(self, epoch: float) -> float:
        """Scale at `epoch`."""
        return self.value


@dataclass(frozen=True)
class ExponentialRamp:
    """0 before `start`, then (1 - e^{-rate u}) / (1 - e^{-rate}) over u in [0, 1], exactly 1 from `start + length` on.

    The division makes the ramp reach its target; without it a rate of 5 stops at 0.993, a rate of 1 at 0.63.
    """

    start: float
    length: float
    rate: float

    def __post_init__(self) -> None:
        if not self.rate > 0:
            raise ValueError(f"ExponentialRamp: rate must be > 0, found {self.rate}; LinearRamp is its limit at 0")

    def __call__(self, epoch: float) -> float:
        """Scale at `epoch`."""
        if epoch < self.start:
            return 0.0
        progress = 1.0 if self.length <= 0 else min((epoch - self.start) / self.length, 1.0)
        return math.expm1(-self.rate * progress) / math.expm1(-self.rate)


@dataclass(frozen=True)
class LinearRamp:
    """0 before `start`, rising evenly to 1 at `start + length`."""

    start: float
    length: float

    def __call__(self, epoch: float) -> float:
        """Scale at `epoch`."""
        if self.length <= 0:
            return float(epoch >= self.start)
        return min(max((epoch - self.start) / self.length, 0.0), 1.0)


@dataclass(frozen=True)
class CosineRamp:
    """0 before `start`, then (1 - cos(pi u)) / 2 over u in [0, 1]: slow, fast, slow; 1 from `start + length` on."""

    start: float
    length: float

    def __call__(self, epoch: float) -> float:
        """Scale at `epoch`."""
        return 0.5 - 0.5 * math.cos(math.pi * LinearRamp(self.start, self.length)(epoch))


@dataclass(frozen=True)
class Decay:
    """1 until `start`, then halved every `half_life` epochs on the way down to `floor`."""

    start: float
    half_life: float
    floor: float

    def __post_init__(self) -> None:
        if not (self.half_life > 0 and 0 <= self.floor <= 1):
            raise ValueError(
                f"Decay: expected half_life > 0 and floor in [0, 1], found half_life={self.half_life}, "
                f"floor={self.floor}"
            )

    def __call__(self, epoch: float) -> float:
        """Scale at `epoch`."""
        return self.floor + (1 - self.floor) * 2.0 ** (-max(epoch - self.start, 0.0) / self.half_life)


@dataclass(frozen=True)
class Delayed:
    """0 before `start`; from then on `schedule`, as if training began there."""

    start: float
    schedule: Schedule

    def __call__(self, epoch: float) -> float:
        """Scale at `epoch`."""
        return 0.0 if epoch < self.start else float(self.schedule(epoch - self.start))


@dataclass(frozen=True)
class Cyclical:
    """Cyclical annealing (arXiv:1903.10145): `cycles` ramps of equal length until `end`, each rising over its first
    `rise` share and then staying at 1; from `end` on it is 1 for good.
    """

    cycles: int
    end: float
    rise: float

    def __post_init__(self) -> None:
        if self.cycles < 1 or not 0 < self.rise <= 1:
            raise ValueError(
                f"Cyclical: expected cycles >= 1 and 0 < rise <= 1, found cycles={self.cycles}, rise={self.rise}"
            )

    def __call__(self, epoch: float) -> float:
        """Scale at `epoch`."""
        if epoch >= self.end:
            return 1.0
        position = (epoch * self.cycles / self.end) % 1.0
        return min(position / self.rise, 1.0)


def scales_at(schedules: Mapping[str, Schedule], epoch: float) -> dict[str, float]:
    """Scale of every scheduled term at `epoch`."""
    return {name: float(schedule(epoch)) for name, schedule in schedules.items()}
