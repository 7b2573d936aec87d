"""What is shipped of a training."""

import json
import runpy
from pathlib import Path

import pytest
import torch
from torch import nn

from semivae_bundle.data.files import sha256_of_file
from semivae_bundle.training.weights_record import write_weights_record

SCRIPT = runpy.run_path(str(Path(__file__).parents[1] / "scripts" / "ship_weights.py"))


@pytest.fixture
def trained(tmp_path: Path) -> nn.Module:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(100, 200), nn.BatchNorm1d(200), nn.Linear(200, 3))
    (tmp_path / "outputs" / "checkpoints").mkdir(parents=True)
    torch.save(network.state_dict(), tmp_path / "outputs" / "checkpoints" / "model.pt")
    write_weights_record(tmp_path / "outputs" / "checkpoints" / "model.pt", "made for", {"network.heads": "a"})
    (tmp_path / "outputs" / "normalizer.json").write_text("{}\n")
    return network


def test_large_weights_are_halved_and_load_as_they_were_to_three_digits(trained: nn.Module, tmp_path: Path) -> None:
    SCRIPT["ship"](str(tmp_path / "outputs"), str(tmp_path / "models"))
    state = torch.load(tmp_path / "models" / "model.pt", weights_only=True)
    assert [name for name, value in state.items() if value.dtype == torch.float16] == ["0.weight"]
    loaded = nn.Sequential(nn.Linear(100, 200), nn.BatchNorm1d(200), nn.Linear(200, 3))
    loaded.load_state_dict(state)
    for name, value in trained.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[name], value, rtol=1e-3, atol=1e-6)
    assert (tmp_path / "models" / "normalizer.json").read_text() == "{}\n"
    record = json.loads((tmp_path / "models" / "model.json").read_text())
    assert (record["made_for"], record["made_of"]) == ("made for", {"network.heads": "a"})
    assert record["sha256"] == sha256_of_file(tmp_path / "models" / "model.pt")
    assert record["made_from"] == sha256_of_file(tmp_path / "outputs" / "checkpoints" / "model.pt")


def test_a_weight_that_half_precision_cannot_hold_is_named() -> None:
    with pytest.raises(ValueError, match=r"a.weight: expected finite weights within float16's range, found 1e\+06"):
        SCRIPT["halved"]({"a.weight": torch.full((200, 100), 1e6)})


@pytest.mark.parametrize("damage", [lambda file: file.unlink(), lambda file: file.write_text("{")])
def test_nothing_is_shipped_where_the_record_cannot_be_read(damage, trained: nn.Module, tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    damage(tmp_path / "outputs" / "checkpoints" / "model.json")
    with pytest.raises((SystemExit, ValueError)):
        SCRIPT["ship"](str(tmp_path / "outputs"), str(tmp_path / "models"))
    assert not list((tmp_path / "models").iterdir())


def test_a_calibration_of_other_weights_is_named(
    trained: nn.Module, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "calibration.json").write_text("{}")
    SCRIPT["ship"](str(tmp_path / "outputs"), str(tmp_path / "models"))
    assert "calibration.json: of the weights before these; calibrate again" in capsys.readouterr().out


def test_the_normalizer_of_the_training_is_shipped_and_not_one_fitted_since(trained: nn.Module, tmp_path: Path) -> None:
    (tmp_path / "outputs" / "checkpoints" / "normalizer.json").write_text('{"of": "the training"}')
    SCRIPT["ship"](str(tmp_path / "outputs"), str(tmp_path / "models"))
    assert (tmp_path / "models" / "normalizer.json").read_text() == '{"of": "the training"}'
