"""MLflow is not among the test dependencies: a stand-in records what MONAI's handler asks of it."""

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType, SimpleNamespace
from unittest.mock import MagicMock

import pytest
from ignite.engine import Engine, Events
from monai.bundle import ConfigParser

from semivae_bundle.training import tracking
from semivae_bundle.training.tracking import mlflow_handler

CONFIGS = Path(__file__).parents[2] / "configs"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> MagicMock:
    """The client of a stand-in for mlflow, without any run."""
    made = MagicMock()
    made.search_runs.return_value = []
    entities = MagicMock()
    entities.Metric = lambda key, value, timestamp, step: SimpleNamespace(key=key, value=value, step=step)
    entities.Param = lambda key, value: SimpleNamespace(key=key, value=value)
    made.get_experiment_by_name.return_value.lifecycle_stage = entities.LifecycleStage.ACTIVE
    stub = MagicMock(MlflowClient=MagicMock(return_value=made), entities=entities)
    present = ModuleType("mlflow")
    present.__spec__ = ModuleSpec("mlflow", None)
    monkeypatch.setitem(sys.modules, "mlflow", present)
    monkeypatch.setattr("monai.handlers.mlflow_handler.mlflow", stub)
    made.constructor = stub.MlflowClient
    return made


def a_run(handler: tracking.MLFlowHandler, epochs: int) -> None:
    """An engine whose loss is 10 over the epoch."""
    engine = Engine(lambda engine, batch: None)
    engine.add_event_handler(
        Events.EPOCH_COMPLETED, lambda e: e.state.metrics.update({"train/loss": 10 / e.state.epoch})
    )
    handler.attach(engine)
    engine.run([0], max_epochs=epochs)


def test_every_epoch_and_the_parameters_are_sent(client: MagicMock, tmp_path: Path) -> None:
    a_run(mlflow_handler(tmp_path, None, "semivae", {"seed": 7}), epochs=2)
    calls = [call.kwargs for call in client.log_batch.call_args_list]
    sent = [(one.key, one.value, one.step) for call in calls for one in call["metrics"]]
    assert sent == [("train/loss", 10.0, 1), ("train/loss", 5.0, 2)]
    assert ("seed", "7") in [(one.key, one.value) for call in calls for one in call["params"]]
    assert client.create_run.call_args.kwargs["run_name"] == str(tmp_path)
    client.set_terminated.assert_called_once()


def test_the_database_lies_in_the_output_folder_unless_told_otherwise(client: MagicMock, tmp_path: Path) -> None:
    mlflow_handler(tmp_path / "new", None, "semivae", {})
    mlflow_handler(tmp_path, "https://tracker.example", "semivae", {})
    uris = [call.kwargs["tracking_uri"] for call in client.constructor.call_args_list]
    assert uris[0].startswith("sqlite:///")
    assert uris[0].endswith("/new/mlflow.db")
    assert uris[1] == "https://tracker.example"


def test_without_mlflow_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"pip install -c constraints.txt -e '\.\[mlflow\]'"):
        mlflow_handler(tmp_path, None, "semivae", {})


def test_the_recipe_adds_the_handler_for_the_first_process_alone(client: MagicMock, tmp_path: Path) -> None:
    files = [str(CONFIGS / "train.json"), str(CONFIGS / "recipes" / "mlflow.yaml")]
    parser = ConfigParser(ConfigParser.load_config_files(files))
    parser["output_dir"] = str(tmp_path)
    last = f"train#handlers#{len(parser['train#handlers']) - 1}"
    assert isinstance(parser.get_parsed_content(last), tracking.MLFlowHandler)
    parser["is_follower"] = True
    parser.parse(True)
    assert parser.get_parsed_content(last) is None
