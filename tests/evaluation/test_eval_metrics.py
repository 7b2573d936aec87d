import json
from pathlib import Path
from typing import Any

import pytest

from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.evaluation.eval_metrics import eval_metrics

ROOT = Path(__file__).parents[2]


@pytest.fixture
def report() -> dict[str, Any]:
    return {
        "mean_r2": {"value": 0.87654},
        "partitions": {"vol": {"mean_r2": {"value": 0.8}}, "residual": {"mean_r2": None, "active_fraction": 1.0}},
        "independence": {"max_abs_correlation": 0.25, "max_distance_correlation": None},
        "tumour_map": {"dice": {"total": {"value": 0.7}}, "segmentation": {"dice": {"total": {"value": 0.9}}}},
        "image": {m: {"psnr_gain_brain_db": {"value": 1.0 + i}} for i, m in enumerate(MODALITIES)},
        "coverage": {"features": {"a": {"coverage": 0.92}, "b": {"coverage": None}}},
    }


def test_the_few_numbers_are_rounded_and_what_is_unknown_is_left_out(report: dict[str, Any]) -> None:
    found = eval_metrics(report)
    assert found == {
        "mean_r2": 0.877,
        "vol_mean_r2": 0.8,
        "residual_active_fraction": 1.0,
        "largest_correlation": 0.25,
        "dice_total": 0.7,
        "segmentation_dice_total": 0.9,
        "least_psnr_gain_brain_db": 1.0,
        "least_interval_coverage": 0.92,
    }
    assert json.loads(json.dumps(found)) == found


def test_without_a_calibration_there_is_no_coverage(report: dict[str, Any]) -> None:
    del report["coverage"]
    assert "least_interval_coverage" not in eval_metrics(report)


def test_the_metadata_gets_them_by_what_was_evaluated(
    report: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(ROOT / "scripts"))
    import eval_metrics as script

    metadata = tmp_path / "metadata.json"
    metadata.write_text('{"version": "1.2.3", "eval_metrics": {"old": 1}}')
    (tmp_path / "metrics.json").write_text(json.dumps(report))
    (tmp_path / "predictions.csv").touch()
    with pytest.raises(SystemExit, match="--metadata needs --of"):
        script.show(str(tmp_path), str(metadata))
    script.show(str(tmp_path), str(metadata), of="phantoms")
    written = json.loads(metadata.read_text())
    assert written["version"] == "1.2.3"
    assert written["eval_metrics"] == {f"phantoms_{name}": value for name, value in eval_metrics(report).items()}
