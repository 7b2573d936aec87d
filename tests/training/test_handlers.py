"""Each handler on a small engine."""

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
from ignite.engine import Engine, Events
from monai.engines import IterationEvents
from monai.transforms import RandGaussianNoise
from torch import nn

from semivae_bundle.training.handlers import (
    ClipGradient,
    CopyMetrics,
    EpochSeed,
    ObjectiveScheduler,
    StopOnNonFinite,
    TermAverages,
    TidyCSV,
)
from semivae_bundle.training.schedules import LinearRamp


def rows_of(file: Path) -> list[tuple[int, str, float]]:
    with file.open(newline="") as stream:
        return [(int(row["epoch"]), row["name"], float(row["value"])) for row in csv.DictReader(stream)]


@pytest.mark.parametrize("resumed_after", [0, 1])
def test_the_scheduler_moves_the_scales_with_every_step(make_engine, objective, resumed_after: int) -> None:
    engine, seen = make_engine(), []
    ObjectiveScheduler(objective, {"kl": LinearRamp(0, 4)}).attach(engine)
    engine.add_event_handler(Events.ITERATION_COMPLETED, lambda: seen.append(dict(objective.scale)))

    @engine.on(Events.STARTED)
    def resume() -> None:
        engine.state.epoch, engine.state.iteration = resumed_after, 2 * resumed_after

    engine.run([0, 0], max_epochs=3)
    assert [scale["kl"] for scale in seen] == [0.0, 0.125, 0.25, 0.375, 0.5, 0.625][2 * resumed_after :]
    assert {scale["semantic"] for scale in seen} == {1.0}


def test_a_schedule_of_no_term_is_refused(objective) -> None:
    with pytest.raises(ValueError, match=r"schedules: expected terms or their families, .*found \['kll'\]"):
        ObjectiveScheduler(objective, {"kll": LinearRamp(0, 4)})
    # A part of a family has to be one that there is.
    ObjectiveScheduler(objective, {"kl_vol": LinearRamp(0, 4)})
    with pytest.raises(ValueError, match=r"found .*'kl_volume'"):
        ObjectiveScheduler(objective, {"kl_volume": LinearRamp(0, 4)})


def draws_of(engine: Engine, epochs: int, start: int, noise: RandGaussianNoise) -> dict[int, list[float]]:
    """What the generators give in each epoch; `start`: epoch that the run resumes after."""
    drawn: dict[int, list[float]] = {}

    @engine.on(Events.EPOCH_STARTED)
    def draw() -> None:
        noisy = noise(torch.zeros(1, 2, 2, 2))
        drawn[engine.state.epoch] = [float(torch.rand(())), np.random.rand(), float(noisy.mean())]  # noqa: NPY002

    engine.add_event_handler(Events.STARTED, lambda: setattr(engine.state, "epoch", start))
    engine.run([0], max_epochs=epochs)
    return drawn


def test_an_epoch_draws_the_same_whether_resumed_or_not_and_otherwise_than_its_neighbours(make_engine) -> None:
    runs = []
    for start in (0, 2):
        engine, noise = make_engine(), RandGaussianNoise(prob=1.0)
        EpochSeed(7, noise).attach(engine)
        runs.append(draws_of(engine, 3, start, noise))
    assert sorted(runs[1]) == [3]
    assert runs[0][3] == runs[1][3]
    assert all(a != b for a, b in zip(runs[0][1], runs[0][2], strict=True))


def test_another_seed_draws_otherwise(make_engine) -> None:
    runs = []
    for seed in (0, 1):
        engine, noise = make_engine(), RandGaussianNoise(prob=1.0)
        EpochSeed(seed, noise).attach(engine)
        runs.append(draws_of(engine, 1, 0, noise)[1])
    assert all(a != b for a, b in zip(*runs, strict=True))


def backward_engine(make_engine, network: nn.Linear, gradient: float) -> Engine:
    def step(engine: Engine, batch: object) -> None:
        for parameter in network.parameters():
            parameter.grad = torch.full_like(parameter, gradient)
        engine.fire_event(IterationEvents.BACKWARD_COMPLETED)

    return make_engine(step)


@pytest.mark.parametrize(("gradient", "clipped"), [(3.0, 0.5), (0.1, 0.2)])
def test_a_gradient_is_clipped_to_its_norm_and_its_own_norm_is_logged(make_engine, gradient, clipped) -> None:
    network = nn.Linear(1, 2, bias=True)
    engine = backward_engine(make_engine, network, gradient)
    ClipGradient(network, 0.5).attach(engine)
    engine.run([0])
    norm = torch.cat([p.grad.flatten() for p in network.parameters() if p.grad is not None]).norm()
    assert norm.item() == pytest.approx(clipped, rel=1e-4)
    assert engine.state.metrics["train/gradient_norm"] == pytest.approx(2 * gradient)


def test_a_gradient_that_is_not_finite_stops_the_run_and_names_its_parameter(make_engine) -> None:
    network = nn.Linear(1, 2)
    engine = backward_engine(make_engine, network, float("inf"))
    ClipGradient(network, 0.5).attach(engine)
    with pytest.raises(
        FloatingPointError, match=r"non-finite gradient in epoch 1, iteration 1, at \['weight', 'bias'\]"
    ):
        engine.run([0])


def loss_engine(make_engine) -> Engine:
    return make_engine(lambda engine, batch: engine.fire_event(IterationEvents.LOSS_COMPLETED))


def test_a_term_that_is_not_finite_stops_the_run_and_is_named_with_its_subjects(make_engine, objective) -> None:
    engine = loss_engine(make_engine)
    StopOnNonFinite(objective).attach(engine)
    engine.run([{"subject": ["A", "B"]}])
    objective.terms["kl_vol"] = torch.tensor(float("nan"))
    with pytest.raises(FloatingPointError, match=r"{'kl_vol': nan} in epoch 1, iteration 1, subjects \['A', 'B'\]"):
        engine.run([{"subject": ["A", "B"]}])


def test_averages_and_weights_of_the_epoch_are_published(make_engine, objective) -> None:
    def step(engine: Engine, batch: float) -> dict[str, torch.Tensor]:
        objective.terms["kl_vol"] = torch.tensor(batch)
        return {"loss": torch.tensor(10 * batch)}

    engine = make_engine(step)
    TermAverages(objective).attach(engine)
    engine.run([1.0, 2.0, 6.0], max_epochs=2)
    metrics = engine.state.metrics
    assert metrics["train/loss"] == pytest.approx(30)
    assert metrics["train/kl_vol"] == pytest.approx(3)
    assert (metrics["weight/kl_vol"], metrics["weight/semantic_vol"]) == (2.0, 1.0)
    assert 0 <= metrics["time/data_wait_per_step"] <= metrics["time/seconds_per_step"]


def test_waiting_for_data_is_told_from_working(make_engine, objective) -> None:
    import time

    class Slow:
        def __len__(self) -> int:
            return 2

        def __iter__(self):
            for _ in range(2):
                time.sleep(0.05)
                yield 0

    engine = make_engine()
    TermAverages(objective).attach(engine)
    engine.run(Slow())
    assert engine.state.metrics["time/data_wait_per_step"] >= 0.045


def metric_engine(make_engine) -> Engine:
    engine = make_engine()
    engine.add_event_handler(
        Events.EPOCH_COMPLETED, lambda: engine.state.metrics.update({"b": engine.state.epoch / 3, "a": 1, "text": "x"})
    )
    return engine


def test_the_csv_is_tidy_and_exact(make_engine, tmp_path: Path) -> None:
    engine = metric_engine(make_engine)
    TidyCSV(tmp_path / "metrics.csv").attach(engine)
    engine.run([0], max_epochs=2)
    assert rows_of(tmp_path / "metrics.csv") == [(1, "a", 1.0), (1, "b", 1 / 3), (2, "a", 1.0), (2, "b", 2 / 3)]


def test_a_resumed_csv_drops_what_comes_after_and_keeps_what_came_before(make_engine, tmp_path: Path) -> None:
    first = metric_engine(make_engine)
    TidyCSV(tmp_path / "metrics.csv").attach(first)
    first.run([0], max_epochs=3)
    before = rows_of(tmp_path / "metrics.csv")
    second = metric_engine(make_engine)
    second.add_event_handler(Events.STARTED, lambda: setattr(second.state, "epoch", 2))
    TidyCSV(tmp_path / "metrics.csv").attach(second)
    second.run([0], max_epochs=4)
    after = rows_of(tmp_path / "metrics.csv")
    assert after[: len(before)] == before
    assert [row[0] for row in after] == [1, 1, 2, 2, 3, 3, 4, 4]


def test_a_fresh_run_starts_a_fresh_csv(make_engine, tmp_path: Path) -> None:
    for _ in range(2):
        engine = metric_engine(make_engine)
        TidyCSV(tmp_path / "metrics.csv").attach(engine)
        engine.run([0], max_epochs=1)
    assert len(rows_of(tmp_path / "metrics.csv")) == 2


def test_the_evaluator_s_numbers_join_the_trainer_s(make_engine) -> None:
    trainer, evaluator = make_engine(), make_engine()
    evaluator.add_event_handler(Events.COMPLETED, lambda: evaluator.state.metrics.update(r2=0.5, table={"x": 1.0}))
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: evaluator.run([0]))
    CopyMetrics(evaluator).attach(trainer)
    trainer.run([0])
    assert trainer.state.metrics == {"r2": 0.5}


def test_an_epoch_without_validation_repeats_no_figure_of_the_last_one(make_engine) -> None:
    trainer, evaluator, seen = make_engine(), make_engine(), []
    evaluator.add_event_handler(Events.COMPLETED, lambda: evaluator.state.metrics.update(r2=0.5))
    trainer.add_event_handler(Events.EPOCH_COMPLETED(every=2), lambda: evaluator.run([0]))
    trainer.add_event_handler(Events.STARTED, lambda: trainer.state.metrics.update(own=1.0))
    CopyMetrics(evaluator).attach(trainer)
    trainer.add_event_handler(Events.EPOCH_COMPLETED, lambda: seen.append(dict(trainer.state.metrics)))
    trainer.run([0], max_epochs=5)
    without, with_validation = {"own": 1.0}, {"own": 1.0, "r2": 0.5}
    assert seen == [without, with_validation, without, with_validation, without]
