"""Extra steps of the encoder, on a linear variational autoencoder of a second."""

from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from ignite.engine import Engine, Events
from monai.engines import SupervisedTrainer
from torch import Tensor, nn

from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.losses.kl import gaussian_kl
from semivae_bundle.losses.reconstruction import fixed_sigma_nll
from semivae_bundle.training.checkpoint import Checkpoints
from semivae_bundle.training.handlers import EpochSeed
from semivae_bundle.training.lagging_inference import LaggingInference

SIZE = 8
NORMALIZER = Normalizer.from_json(Path(__file__).parents[2] / "models" / "normalizer.json")


class Toy(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.encoder, self.decoder = nn.Linear(SIZE, 4), nn.Linear(2, SIZE)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        mean, log_var = self.encoder(x).chunk(2, dim=1)
        drawn = self.decoder(mean + torch.randn_like(mean) * torch.exp(0.5 * log_var))
        return {"mean": mean, "log_var": log_var, "drawn": drawn}


def kl_alone(output: dict[str, Tensor], image: Tensor) -> Tensor:
    return gaussian_kl(output["mean"], output["log_var"]).sum()


def negative_elbo(output: dict[str, Tensor], image: Tensor) -> Tensor:
    mse = (output["drawn"] - image).square().mean()
    return fixed_sigma_nll(mse, observations=float(SIZE), sigma=0.5) + kl_alone(output, image)


def scans(count: int = 64) -> list[dict[str, Tensor]]:
    """Batches of eight of a cohort with two directions of variance 4."""
    generator = torch.Generator().manual_seed(0)
    directions = torch.linalg.qr(torch.randn(SIZE, SIZE, generator=generator))[0][:2]
    images = torch.randn(count, 2, generator=generator) @ (4 * directions)
    return [{"image": rows, "label": rows} for rows in images.split(8)]


def a_trainer(
    epochs: int, validator: Engine, rate: float = 0.02, network: Toy | None = None, **options: Any
) -> tuple[SupervisedTrainer, LaggingInference]:
    network = network or Toy()
    arguments: dict[str, Any] = {
        "encoder": network.encoder.parameters(),
        "objective": negative_elbo,
        "loader": scans(),
        "validator": validator,
        "key": "info",
        "steps": 3,
        "max_norm": 100.0,
        "gain": 0.01,
        "patience": 2,
        "last_epoch": 100,
        "val_interval": 1,
    }
    lagging = LaggingInference(**{**arguments, **options})
    trainer = SupervisedTrainer(
        device="cpu",
        max_epochs=epochs,
        train_data_loader=scans(),
        network=network,
        optimizer=torch.optim.AdamW(network.parameters(), lr=rate),
        loss_function=negative_elbo,
        decollate=False,
        train_handlers=[EpochSeed(0), lagging],
    )
    return trainer, lagging


def spread_of(network: Toy) -> float:
    """Variance of the posterior means over the cohort, summed over dimensions."""
    images = torch.cat([batch["image"] for batch in scans()])
    return float(network(images)["mean"].detach().var(dim=0).sum())


@pytest.mark.parametrize(("objective", "collapsed"), [(negative_elbo, False), (kl_alone, True)])
def test_extra_steps_on_the_kl_alone_collapse_the_code_and_on_the_objective_do_not(
    make_engine, objective: Callable[..., Tensor], collapsed: bool
) -> None:
    trainer, _ = a_trainer(10, make_engine(), objective=objective)
    before = spread_of(trainer.network)
    trainer.run()
    after = spread_of(trainer.network)
    assert (after < 0.02 * before) if collapsed else (after > 1.5)


@pytest.mark.parametrize("active", [True, False])
def test_while_it_lasts_the_step_moves_the_decoder_alone_and_the_extra_steps_the_encoder(make_engine, active) -> None:
    trainer, lagging = a_trainer(1, make_engine())
    lagging.active = active
    network, seen = trainer.network, []
    started, completed = Events.ITERATION_STARTED, Events.ITERATION_COMPLETED
    for event in (completed(once=1), started(once=2), completed(once=2)):
        trainer.add_event_handler(
            event, lambda: seen.append([network.encoder.weight.clone(), network.decoder.weight.clone()])
        )
    trainer.run()
    moved = [[not torch.equal(a, b) for a, b in zip(*pair, strict=True)] for pair in pairwise(seen)]
    assert moved == ([[True, False], [False, True]] if active else [[False, False], [True, True]])


def test_it_brings_the_encoder_nearer_its_best_for_the_decoder_of_the_moment(make_engine) -> None:
    loss = []
    for active in (True, False):
        trainer, lagging = a_trainer(2, make_engine())
        lagging.active = active
        trainer.run()
        images = torch.cat([batch["image"] for batch in scans()])
        torch.manual_seed(1)
        loss.append(negative_elbo(trainer.network(images), images).item())
    assert loss[0] < loss[1]


def activity(validator: Engine, scores: list[float]) -> list[bool]:
    """Whether it is active after each validation that found `scores`."""
    _, lagging = a_trainer(1, validator)
    active: list[bool] = []

    @validator.on(Events.EPOCH_COMPLETED)
    def score() -> None:
        validator.state.metrics["info"] = scores[len(active)]

    for _ in scores:
        validator.run([0])
        active.append(lagging.active)
    return active


def test_it_ends_for_good_when_the_information_rises_no_more(make_engine) -> None:
    scores = [1.0, 1.5, 1.505, 1.4, 9.0]
    assert activity(make_engine(), scores) == [True, True, True, False, False]


def test_an_epoch_without_the_figure_does_not_count(make_engine) -> None:
    validator = make_engine()
    _, lagging = a_trainer(1, validator)
    for _ in range(5):
        validator.run([0])
    assert lagging.active
    assert lagging.waited == 0


def test_it_ends_after_its_last_epoch_and_says_so_in_the_log(make_engine) -> None:
    trainer, _ = a_trainer(4, make_engine(), last_epoch=2)
    seen: list[float] = []
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: seen.append(trainer.state.metrics["lagging/active"]))
    trainer.run()
    assert seen == [1.0, 1.0, 0.0, 0.0]


@pytest.mark.parametrize(
    ("last_epoch", "val_interval", "told"), [(3.9, 1, True), (4, 1, False), (6, 2, True), (7, 2, False)]
)
def test_a_training_too_short_for_its_stopping_rule_is_told(
    make_engine, caplog: pytest.LogCaptureFixture, last_epoch: float, val_interval: int, told: bool
) -> None:
    a_trainer(1, make_engine(), last_epoch=last_epoch, val_interval=val_interval)
    line = f"ends after epoch {last_epoch:g} whatever info does, which could end it after epoch {3 * val_interval}"
    assert (line in caplog.text) is told
    assert bool(caplog.text) is told


def run_with_checkpoints(make_engine, folder: Path, epochs: int) -> tuple[Toy, LaggingInference]:
    validator, scores = make_engine(), [1.0, 1.5, 1.2, 1.1, 1.0]
    trainer, lagging = a_trainer(epochs, validator)
    validator.add_event_handler(
        Events.EPOCH_COMPLETED, lambda: validator.state.metrics.update(info=scores[trainer.state.epoch - 1])
    )
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: validator.run([0]))
    objects = {"network": trainer.network, "optimizer": trainer.optimizer, "lagging": lagging}
    Checkpoints(folder, objects, trainer.network, "info", True, "a", NORMALIZER, {}).attach(trainer)
    trainer.run()
    return trainer.network, lagging


@pytest.mark.parametrize("broken_after", [2, 3, 4])
def test_a_resumed_run_gives_what_an_unbroken_one_gives(make_engine, tmp_path: Path, broken_after: int) -> None:
    whole, at_its_end = run_with_checkpoints(make_engine, tmp_path / "whole", 5)
    run_with_checkpoints(make_engine, tmp_path / "broken", broken_after)
    resumed, lagging = run_with_checkpoints(make_engine, tmp_path / "broken", 5)
    torch.testing.assert_close(resumed.state_dict(), whole.state_dict(), rtol=0, atol=0)
    assert lagging.state_dict() == at_its_end.state_dict()
    assert not lagging.active


def test_a_gradient_that_is_not_finite_stops_the_run(make_engine) -> None:
    trainer, _ = a_trainer(1, make_engine(), objective=lambda output, image: output["mean"].sum() * float("inf"))
    with pytest.raises(FloatingPointError, match="non-finite gradient of the encoder in epoch 1, before iteration 1"):
        trainer.run()


@pytest.mark.parametrize("options", [{"encoder": []}, {"steps": 0}, {"patience": 0}])
def test_an_encoder_without_parameters_or_no_steps_are_refused(make_engine, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected parameters of an encoder, steps >= 1 and patience >= 1"):
        a_trainer(1, make_engine(), **options)
