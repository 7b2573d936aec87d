"""Weights know what they were trained on."""

from dataclasses import replace
from pathlib import Path

import pytest

from semivae_bundle.features.normalizer import Normalizer
from semivae_bundle.training.weights_record import require_trained_with, write_weights_record

ROOT = Path(__file__).parents[2]
NORMALIZER = Normalizer.from_json(ROOT / "models" / "normalizer.json")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    file = tmp_path / "model.pt"
    file.write_bytes(b"weights")
    return file


@pytest.mark.parametrize("changed", ["split_sha256", "features_sha256"])
def test_another_split_or_other_measurements_are_refused(weights: Path, changed: str) -> None:
    assert write_weights_record(weights, NORMALIZER.fitted_on) == weights.with_suffix(".json")
    require_trained_with(weights, NORMALIZER)
    with pytest.raises(ValueError, match=r"model.pt: was trained with another normalizer, .*--normalizer_file"):
        require_trained_with(weights, replace(NORMALIZER, **{changed: "0" * 64}))


def test_of_weights_that_nothing_is_known_of_nothing_is_said(weights: Path) -> None:
    require_trained_with(weights, NORMALIZER)
    write_weights_record(weights, "another")
    weights.write_bytes(b"other weights, copied over")
    require_trained_with(weights, NORMALIZER)


def test_the_weights_that_ship_go_with_the_normalizer_that_ships() -> None:
    assert (ROOT / "models" / "model.json").is_file()
    require_trained_with(ROOT / "models" / "model.pt", NORMALIZER)
    with pytest.raises(ValueError, match="another normalizer"):
        require_trained_with(ROOT / "models" / "model.pt", replace(NORMALIZER, split_sha256="0" * 64))
