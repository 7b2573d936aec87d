import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from semivae_bundle.evaluation.calibration import (
    Calibration,
    calibration_or_exit,
    difficulty,
    is_found_by_itself,
    read_calibration,
)
from semivae_bundle.evaluation.novelty import NoveltyGate, ScoreScale
from semivae_bundle.evaluation.provenance import checkpoint_record
from semivae_bundle.features.normalizer import Normalizer

GRID = {"roi_size": [32, 32, 32], "fov_mm": [240.0, 240.0, 240.0]}


@pytest.fixture
def shipped(tmp_path: Path, calibration: Calibration, normalizer: Normalizer) -> Path:
    """Weights, normalizer and the calibration that belongs to them, in one folder."""
    (tmp_path / "model.pt").write_bytes(b"weights")
    normalizer.to_json(tmp_path / "normalizer.json")
    hashes = {
        "checkpoint": checkpoint_record(tmp_path / "model.pt"),
        "normalizer": checkpoint_record(tmp_path / "normalizer.json"),
    }
    replace(calibration, provenance=hashes | {"settings": {**GRID, "seed": 0}}).to_json(tmp_path / "calibration.json")
    return tmp_path


def test_it_survives_json(calibration: Calibration, tmp_path: Path) -> None:
    gate = NoveltyGate(0.05, 3.5, (ScoreScale("kl", 2.0, 0.1),), 20, (0.1, 0.2), (0.0, 1.0), ((1.0, 0.5), (0.5, 2.0)))
    whole = replace(calibration, novelty=gate, novelty_reason=None)
    whole.to_json(tmp_path / "c.json")
    assert Calibration.from_json(tmp_path / "c.json") == whole
    assert Calibration.from_json(tmp_path / "c.json").sha256 == whole.sha256 != calibration.sha256


def test_what_is_no_calibration_is_refused(tmp_path: Path) -> None:
    for text in ("{", "[]", '{"schema": "other"}', '{"schema": "semivae-calibration/1"}'):
        (tmp_path / "c.json").write_text(text)
        with pytest.raises(ValueError, match="expected a calibration of schema 'semivae-calibration/1', found"):
            Calibration.from_json(tmp_path / "c.json")


def test_it_is_found_beside_the_normalizer(shipped: Path) -> None:
    found = read_calibration(None, shipped / "model.pt", shipped / "normalizer.json", GRID)
    assert found is not None
    assert found.level == 0.9


def test_without_a_file_there_is_none_unless_it_was_named(tmp_path: Path) -> None:
    assert read_calibration(None, tmp_path / "model.pt", tmp_path / "normalizer.json", GRID) is None
    assert calibration_or_exit(None, tmp_path / "model.pt", tmp_path / "normalizer.json", GRID) is None
    with pytest.raises(FileNotFoundError, match="no calibration; make it with"):
        read_calibration(tmp_path / "none.json", tmp_path / "model.pt", tmp_path / "normalizer.json", GRID)


@pytest.mark.parametrize(("file", "what"), [("model.pt", "checkpoint"), ("normalizer.json", "normalizer")])
def test_one_of_other_weights_or_of_another_normalizer_is_refused(shipped: Path, file: str, what: str) -> None:
    (shipped / file).write_text((shipped / file).read_text() + " ")
    with pytest.raises(ValueError, match=f"made for another {what} .*; give --normalizer_file of .*, make it with"):
        read_calibration(None, shipped / "model.pt", shipped / "normalizer.json", GRID)
    with pytest.raises(SystemExit, match=f"evaluating: .* made for another {what}"):
        calibration_or_exit(None, shipped / "model.pt", shipped / "normalizer.json", GRID)


@pytest.mark.parametrize("changed", ["roi_size", "fov_mm"])
def test_one_of_another_grid_is_refused(shipped: Path, changed: str) -> None:
    other = GRID | {changed: [64, 64, 64]}
    with pytest.raises(ValueError, match=rf"made with {changed} .*, found \[64, 64, 64\]; .* to go without intervals"):
        read_calibration(None, shipped / "model.pt", shipped / "normalizer.json", other)


def test_it_holds_no_path_of_the_machine(shipped: Path) -> None:
    text = (shipped / "calibration.json").read_text()
    assert str(shipped.parent) not in text
    assert "Infinity" not in text
    json.loads(text)


def test_widths_go_with_the_predicted_volume_as_stated(calibration: Calibration) -> None:
    table = np.array([[10.0, 0.5, 8.0], [10.0 - np.log(8), 0.5, 7.0]])
    widths = calibration.half_widths(table)
    np.testing.assert_allclose(widths[:, [0, 2]], [[0.5, 0.2], [0.5, 0.4]])
    assert np.isnan(widths[:, 1]).all()
    with pytest.raises(ValueError, match=r"expected \(n, 3\)"):
        calibration.half_widths(table[:, :2])


def test_difficulty_is_1_for_the_usual_volume_and_levels_off() -> None:
    ln_volume = np.array([10.0, 10 - np.log(64), -1000.0, 1000.0])
    np.testing.assert_allclose(difficulty(ln_volume, 10.0, -1 / 3, 4), [1, 4, 4, 0.25])
    np.testing.assert_array_equal(difficulty(None, 0.0, -1 / 3, 2), [1, 1])


def test_a_calibration_is_found_by_itself_beside_the_normalizer_alone(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert is_found_by_itself("outputs/calibration.json", tmp_path / "outputs" / "normalizer.json")
    assert not is_found_by_itself("outputs/shipped/calibration.json", "models/normalizer.json")
    assert not is_found_by_itself("outputs/mine.json", "outputs/normalizer.json")
