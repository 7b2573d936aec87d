"""The pull of each term, on an engine whose gradients are known."""

from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from monai.engines import IterationEvents
from torch import nn

from semivae_bundle.losses.objective import SemiVAELoss
from semivae_bundle.training.gradient_norms import GradientNorms, gradient_norms


def test_norms_are_those_of_the_gradients_and_nothing_gives_0() -> None:
    place, other = torch.tensor([3.0, 4.0], requires_grad=True), torch.ones(2, requires_grad=True)
    terms = {"square": place.square().sum(), "half": 0.5 * place.square().sum(), "other": other.sum()}
    terms["constant"] = torch.tensor(1.0)
    assert gradient_norms(terms, place) == pytest.approx({"square": 10.0, "half": 5.0, "other": 0.0, "constant": 0.0})
    assert place.grad is None
    terms["square"].backward()
    assert place.grad is not None


def kl_only_objective() -> SemiVAELoss:
    """An objective of the KL of a partition without free bits and nothing else that has a gradient."""
    weights = {"reconstruction": 0.0, "kl": 2.0, "semantic": 0.0, "tumour": 0.0, "independence": 0.0}
    return SemiVAELoss({"vol": 2}, {"vol": 1}, weights, {"vol": 0.0}, 50.0, 0.2, 5.0, 0.1)


def run(make_engine, every: int, epochs: int = 1) -> tuple[Engine, SemiVAELoss, list[dict[str, Any]]]:
    """Steps of an engine whose means are (3, 4) times the iteration, and the metrics after each epoch."""
    objective, seen = kl_only_objective(), []
    image = torch.randn(1, 4, 4, 4, 4, generator=torch.Generator().manual_seed(0))
    target = {"image": image, "regions": torch.zeros(1, 3, 4, 4, 4), "brain": torch.ones(1, 1, 4, 4, 4)}
    target |= {"features": torch.zeros(1, 1), "present": torch.ones(1, 1), "labelled": torch.tensor([True])}

    def step(engine: Engine, batch: object) -> None:
        mean = nn.Parameter(engine.state.iteration * torch.tensor([[3.0, 4.0]]))
        output = {"mean": mean, "log_var": torch.zeros(1, 2), "features": mean[:, :1], "explained": torch.zeros(1, 2)}
        output |= {"reconstruction": 0 * image, "tumour_logits": 0 * image, "seen_logits": 0 * image}
        engine.state.output = {"pred": output, "loss": objective(output, target)}
        engine.fire_event(IterationEvents.LOSS_COMPLETED)
        engine.state.output["loss"].backward()

    engine = make_engine(step)
    GradientNorms(objective, "mean", every).attach(engine)
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda: seen.append(dict(engine.state.metrics)))
    engine.run([0, 0], max_epochs=epochs)
    return engine, objective, seen


def test_the_pull_of_a_weighted_term_is_logged_averaged_over_the_epoch(make_engine) -> None:
    # The KL's gradient is the mean, of norm 5 and 10 in the two steps, and its weight is 2.
    _, _, seen = run(make_engine, every=1)
    assert seen[0]["grad/kl_vol"] == pytest.approx(2 * 7.5)
    assert seen[0]["grad/reconstruction"] == 0
    assert {f"grad/{name}" for name in ("semantic_vol", "tumour_ce", "independence")} <= set(seen[0])


def test_only_due_steps_are_measured_and_an_epoch_without_one_has_no_figures(make_engine) -> None:
    _, _, seen = run(make_engine, every=4, epochs=3)
    assert ["grad/kl_vol" in metrics for metrics in seen] == [False, True, False]
    assert seen[1]["grad/kl_vol"] == pytest.approx(2 * 5 * 4)


def test_nothing_keeps_listening_after_the_step(make_engine) -> None:
    _, objective, _ = run(make_engine, every=1)
    assert not objective.total._forward_pre_hooks


def test_measuring_less_than_never_is_refused() -> None:
    with pytest.raises(ValueError, match="every must be >= 1 step, found 0"):
        GradientNorms(kl_only_objective(), "mean", 0)
