"""The progress bar and the early stop."""

import io
import logging

import pytest
from ignite.engine import Engine, Events

from semivae_bundle.training.progress import Progress, StopEarly


def scoring(make_engine, scores: list[float]) -> Engine:
    engine = make_engine()
    engine.add_event_handler(
        Events.EPOCH_COMPLETED, lambda: engine.state.metrics.update({"r2": scores[engine.state.epoch - 1]})
    )
    return engine


@pytest.mark.parametrize(
    ("scores", "epochs"),
    [([1, 2, 3, 4, 5], 5), ([3, 2, 1, 9, 9], 3), ([1, 0, 2, 1, 1], 5), ([float("nan")] * 5, 2), ([1, 1, 1, 1, 1], 3)],
)
def test_a_run_stops_when_its_score_has_not_risen_for_two_epochs(make_engine, scores, epochs: int) -> None:
    engine = scoring(make_engine, scores)
    StopEarly("r2", 2).attach(engine)
    engine.run([0], max_epochs=5)
    assert engine.state.epoch == epochs


def test_an_epoch_without_validation_does_not_try_the_patience(make_engine) -> None:
    engine = make_engine()

    @engine.on(Events.EPOCH_COMPLETED)
    def validate_every_third() -> None:
        engine.state.metrics = {"r2": 0.1} if engine.state.epoch % 3 == 0 else {}

    StopEarly("r2", 2).attach(engine)
    engine.run([0], max_epochs=20)
    assert engine.state.epoch == 9


def test_a_patience_below_one_is_refused() -> None:
    with pytest.raises(ValueError, match="early_stop_patience: expected a whole number >= 1, found 0"):
        StopEarly("r2", 0)


def test_the_bar_counts_every_step_and_each_epoch_gets_a_line(make_engine, capsys: pytest.CaptureFixture[str]) -> None:
    engine = make_engine()
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda: engine.state.metrics.update({"sem/vol_r2": 0.5}))
    progress = Progress(shown=True)
    progress.attach(engine)
    engine.run([0, 1, 2], max_epochs=2)
    captured = capsys.readouterr()
    assert (progress.bar.n, progress.bar.total) == (6, 6)
    assert "epoch 1/2  sem/vol_r2 0.5" in captured.out
    assert "epoch 2/2" in captured.out
    assert "6/6" in captured.err


def test_a_hidden_bar_leaves_the_lines_to_the_log(make_engine, caplog, capsys) -> None:
    engine = make_engine()
    Progress(shown=False).attach(engine)
    with caplog.at_level(logging.INFO):
        engine.run([0], max_epochs=1)
    assert "epoch 1/1" in caplog.text
    assert capsys.readouterr().err == ""


def test_a_resumed_bar_starts_where_the_run_does(make_engine) -> None:
    engine = make_engine()

    @engine.on(Events.STARTED)
    def resume() -> None:
        engine.state.epoch, engine.state.iteration = 1, 3

    progress = Progress(shown=True)
    progress.attach(engine)
    engine.run([0, 1, 2], max_epochs=2)
    assert (progress.bar.n, progress.bar.total) == (6, 6)


def test_an_error_closes_the_bar_and_goes_on_its_way(make_engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr", io.StringIO())

    def fail(engine: Engine, batch: object) -> None:
        raise FloatingPointError("nan")

    engine, progress = make_engine(fail), Progress(shown=True)
    progress.attach(engine)
    with pytest.raises(FloatingPointError, match="nan"):
        engine.run([0])
    assert progress.bar.disable
