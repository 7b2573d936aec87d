"""Checkpoints: best, last, atomic, resumable."""

import subprocess
import sys
from pathlib import Path
from typing import IO, Any

import pytest
import torch
from ignite.engine import Engine, Events
from torch import nn

from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.training.checkpoint import Checkpoints
from semivae_bundle.training.progress import StopEarly
from semivae_bundle.training.schedules import LinearRamp

SHIPPED = Path(__file__).parents[2] / "models" / "normalizer.json"
NORMALIZER = Normalizer.from_json(SHIPPED)
SCORES = [0.2, 0.5, 0.4, float("nan"), 0.6]


def train(
    make_engine,
    folder: Path,
    epochs: int,
    scores: list[float],
    resume: bool = True,
    cohort: str = "a",
    settings: dict[str, Any] | None = None,
    steps: int = 1,
    **more: Any,
) -> nn.Linear:
    """A run that adds 1 to the weight in every step and scores as told; returns the network."""
    network = nn.Linear(1, 1)
    nn.init.zeros_(network.weight)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1)

    def step(engine: Engine, batch: object) -> None:
        network.weight.data.add_(1)

    engine = make_engine(step)
    engine.add_event_handler(
        Events.EPOCH_COMPLETED, lambda: engine.state.metrics.update(r2=scores[engine.state.epoch - 1])
    )
    objects = {"network": network, "optimizer": optimizer, **more}
    Checkpoints(folder, objects, network, "r2", resume, cohort, NORMALIZER, settings or {}).attach(engine)
    engine.run([0] * steps, max_epochs=epochs)
    return network


def best_weight(folder: Path) -> float:
    return float(torch.load(folder / "model.pt", weights_only=True)["weight"])


@pytest.mark.parametrize(("epochs", "best"), [(1, 1), (2, 2), (3, 2), (4, 2), (5, 5)])
def test_the_best_network_is_kept_and_nan_is_never_best(make_engine, tmp_path: Path, epochs: int, best: int) -> None:
    train(make_engine, tmp_path, epochs, SCORES)
    assert best_weight(tmp_path) == best
    assert torch.load(tmp_path / "last.pt", weights_only=True)["epoch"] == epochs


@pytest.mark.parametrize(("before", "after"), [(4, 1), (1, 4)])
def test_a_run_goes_on_in_its_epoch_with_another_number_of_steps(make_engine, tmp_path: Path, before, after) -> None:
    train(make_engine, tmp_path, 2, SCORES, steps=before)
    assert train(make_engine, tmp_path, 3, SCORES, steps=after).weight.item() == 2 * before + after


def test_other_settings_are_refused_by_name_and_stretched_schedules_are_not(make_engine, tmp_path: Path) -> None:
    settings = {"epochs": 1, "batch_size": 4, "schedules": {"kl": LinearRamp(0, 1)}}
    train(make_engine, tmp_path, 1, SCORES, settings=settings)
    with pytest.raises(ValueError, match=r"last.pt: .* other options: batch_size: then 4, now 8; set resume to false"):
        train(make_engine, tmp_path, 2, SCORES, settings=settings | {"batch_size": 8})
    with pytest.raises(ValueError, match=r"schedules.kl.length: then 1, now 2"):
        train(make_engine, tmp_path, 2, SCORES, settings=settings | {"schedules": {"kl": LinearRamp(0, 2)}})
    longer = settings | {"epochs": 2, "schedules": {"kl": LinearRamp(0, 2)}}
    assert train(make_engine, tmp_path, 2, SCORES, settings=longer).weight.item() == 2


def test_what_a_recipe_s_schedule_and_the_warm_up_take_from_the_epochs_is_stretched_too(make_engine, tmp_path) -> None:
    def settings(epochs: int, of: int, steps: int = 4) -> dict[str, Any]:
        lagging = {"steps": steps, "last_epoch": 0.2 * of}
        return {
            "epochs": epochs,
            "warmup_epochs": 0.05 * of,
            "capacity": {"schedules": [LinearRamp(0, of)]},
            "lagging": lagging,
        }

    train(make_engine, tmp_path, 1, SCORES, settings=settings(1, 1))
    for name in ("warmup_epochs", "capacity.schedules.0.length", "lagging.last_epoch"):
        with pytest.raises(ValueError, match=f"{name}: then"):
            train(make_engine, tmp_path, 2, SCORES, settings=settings(1, 2))
    with pytest.raises(ValueError, match=r"other options: lagging.steps: then 4, now 5; set"):
        train(make_engine, tmp_path, 2, SCORES, settings=settings(2, 2, steps=5))
    assert train(make_engine, tmp_path, 2, SCORES, settings=settings(2, 2)).weight.item() == 2


def test_a_state_that_nothing_takes_is_refused(make_engine, tmp_path: Path) -> None:
    train(make_engine, tmp_path, 1, SCORES, ema_network=nn.Linear(1, 1))
    with pytest.raises(ValueError, match=r"last.pt: holds \['ema_network'\], which this run has no use for"):
        train(make_engine, tmp_path, 2, SCORES)


def test_a_run_that_is_over_says_so(make_engine, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    train(make_engine, tmp_path, 2, SCORES)
    assert train(make_engine, tmp_path, 2, SCORES).weight.item() == 2
    assert "nothing left to train: 2 epochs are done; raise epochs, or set resume to false" in caplog.text


def test_the_model_is_a_bare_state_dict_that_loads_strictly(make_engine, tmp_path: Path) -> None:
    network = train(make_engine, tmp_path, 2, SCORES)
    state = torch.load(tmp_path / "model.pt", weights_only=True)
    assert list(state) == list(network.state_dict())
    network.load_state_dict(state, strict=True)


def test_the_normalizer_is_kept_beside_the_weights_to_the_last_bit(make_engine, tmp_path: Path) -> None:
    train(make_engine, tmp_path, 1, SCORES)
    assert (tmp_path / "normalizer.json").read_bytes() == SHIPPED.read_bytes()


def test_a_resumed_run_goes_on_where_it_stopped(make_engine, tmp_path: Path) -> None:
    train(make_engine, tmp_path, 2, SCORES)
    network = train(make_engine, tmp_path, 3, SCORES)
    assert network.weight.item() == 3
    # The third epoch is worse than what the first run found best.
    assert best_weight(tmp_path) == 2


def test_without_resume_a_run_starts_anew(make_engine, tmp_path: Path) -> None:
    train(make_engine, tmp_path, 2, SCORES)
    assert train(make_engine, tmp_path, 1, SCORES, resume=False).weight.item() == 1


def test_weights_whose_state_is_gone_are_not_trained_over(make_engine, tmp_path: Path) -> None:
    train(make_engine, tmp_path, 2, SCORES)
    (tmp_path / "last.pt").unlink()
    with pytest.raises(ValueError, match=r"model.pt: expected last.pt beside it.*set resume to false to start anew"):
        train(make_engine, tmp_path, 1, SCORES)
    assert best_weight(tmp_path) == 2
    assert train(make_engine, tmp_path, 1, SCORES, resume=False).weight.item() == 1


def test_a_checkpoint_of_another_configuration_is_refused(make_engine, tmp_path: Path) -> None:
    train(make_engine, tmp_path, 1, SCORES)
    with pytest.raises(ValueError, match=r"last.pt: lacks \['queue'\].*set resume to false"):
        train(make_engine, tmp_path, 2, SCORES, queue=nn.Linear(1, 1))


def test_another_cohort_s_training_is_not_gone_on_with(make_engine, tmp_path: Path) -> None:
    train(make_engine, tmp_path, 1, SCORES)
    with pytest.raises(ValueError, match=r"last.pt: was trained on another cohort.*its own output_dir"):
        train(make_engine, tmp_path, 2, SCORES, cohort="b")
    assert train(make_engine, tmp_path, 1, SCORES, resume=False, cohort="b").weight.item() == 1


def test_what_holds_nothing_need_not_be_in_the_checkpoint(make_engine, tmp_path: Path) -> None:
    train(make_engine, tmp_path, 1, SCORES)
    assert train(make_engine, tmp_path, 2, SCORES, objective=nn.ReLU()).weight.item() == 2


def test_weights_of_another_network_are_refused(make_engine, tmp_path: Path) -> None:
    train(make_engine, tmp_path, 1, SCORES, other=nn.Linear(1, 1))
    with pytest.raises(ValueError, match=r"last.pt: its 'other' does not fit.*set resume to false"):
        train(make_engine, tmp_path, 2, SCORES, other=nn.Linear(2, 1))


@pytest.mark.parametrize("scores", [[0.2, 0.5], [0.5, 0.2]], ids=["best", "last"])
def test_a_failing_write_leaves_the_earlier_files_whole(make_engine, tmp_path: Path, monkeypatch, scores) -> None:
    train(make_engine, tmp_path, 1, scores)
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}

    def interrupted(content: object, stream: IO[bytes]) -> None:
        stream.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(torch, "save", interrupted)
    with pytest.raises(OSError, match="disk full"):
        train(make_engine, tmp_path, 2, scores)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_run_that_is_never_scored_still_leaves_a_model(make_engine, tmp_path: Path) -> None:
    train(make_engine, tmp_path, 2, [float("nan")] * 2)
    assert best_weight(tmp_path) == 2


def test_the_first_score_beats_no_score_even_below_zero(make_engine, tmp_path: Path) -> None:
    train(make_engine, tmp_path, 3, [float("nan"), -5.0, float("nan")])
    assert best_weight(tmp_path) == 2


def test_of_several_processes_only_the_first_writes(make_engine, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("ignite.distributed.get_rank", lambda: 1)
    train(make_engine, tmp_path, 2, SCORES)
    assert not list(tmp_path.iterdir())


def test_a_resumed_run_remembers_how_long_it_has_waited(make_engine, tmp_path: Path) -> None:
    stopper, resumed = StopEarly("r2", 3), StopEarly("r2", 3)
    stopper.best, stopper.waited = 0.5, 2
    train(make_engine, tmp_path, 1, SCORES, early_stop=stopper)
    train(make_engine, tmp_path, 1, SCORES, early_stop=resumed)
    assert (resumed.best, resumed.waited) == (0.5, 2)


def test_a_second_run_of_one_engine_begins_with_the_weights_that_it_was_given(make_engine, tmp_path: Path) -> None:
    network, engine = nn.Linear(1, 1), make_engine(lambda engine, batch: None)
    Checkpoints(tmp_path, {"network": network}, network, "r2", True, "a", NORMALIZER, {}).attach(engine)
    engine.run([0], max_epochs=1)
    network.weight.data.fill_(7)  # as the server of a federation sends them
    engine.run([0], max_epochs=2)
    assert (network.weight.item(), engine.state.epoch) == (7, 2)


def test_a_damaged_last_state_is_told_with_its_remedy(make_engine, tmp_path: Path) -> None:
    train(make_engine, tmp_path, 1, SCORES)
    whole = (tmp_path / "last.pt").read_bytes()
    for damaged in (b"", b"text\n", whole[: len(whole) // 2]):
        (tmp_path / "last.pt").write_bytes(damaged)
        with pytest.raises(ValueError, match=r"last.pt: expected what a training left, found a damaged .*set resume"):
            train(make_engine, tmp_path, 2, SCORES)


def test_a_folder_that_another_training_writes_to_is_refused_before_the_first_step(make_engine, tmp_path: Path) -> None:
    lock = "from pathlib import Path; from semivae_bundle.data.locks import locked; "
    lock += f"lock = locked(Path({str(tmp_path)!r}), 'training'); print('locked', flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", lock], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(ValueError, match="expected a folder that no other training writes to, found one at work"):
            train(make_engine, tmp_path, 1, SCORES)
        other.communicate(b"\n")
    assert train(make_engine, tmp_path, 1, SCORES).weight.item() == 1
