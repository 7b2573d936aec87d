"""A small engine with MONAI's events, for the tests of handlers."""

from collections.abc import Callable

import pytest
import torch
from ignite.engine import Engine
from monai.engines import IterationEvents
from torch import nn

MakeEngine = Callable[..., Engine]


@pytest.fixture
def make_engine() -> MakeEngine:
    """An engine that calls `step(engine, batch)`; without one it answers a loss of 1."""

    def make(step: Callable[[Engine, object], object] | None = None) -> Engine:
        engine = Engine(step or (lambda engine, batch: {"loss": torch.tensor(1.0)}))
        engine.register_events(*IterationEvents)
        return engine

    return make


class Objective(nn.Module):
    """The part of SemiVAELoss that handlers speak to."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = {"kl": 2.0, "semantic": 1.0}
        self.scale = {"kl": 1.0, "semantic": 1.0}
        self.terms = {"kl_vol": torch.tensor(3.0), "semantic_vol": torch.tensor(5.0)}

    @property
    def names(self) -> list[str]:
        return list(self.terms)

    def weight_of(self, term: str) -> float:
        family = term.split("_")[0]
        return self.weights[family] * self.scale[family]


@pytest.fixture
def objective() -> Objective:
    """Two terms: kl_vol 3 at weight 2, semantic_vol 5 at weight 1."""
    return Objective()
