"""configs/calibrate.json on a few phantoms, then what evaluation and inference make of its file."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser
from tiny_networks import TWO_STAGES

from semivae_bundle.evaluation.calibration import Calibration

CONFIGS = Path(__file__).parents[2] / "configs"
TARGETS = {"vol": ["vol_total"], "loc": ["loc_x_total"], "shape": ["sphericity_total"]}
NETWORK = {**TWO_STAGES, "targets": TARGETS, "device": "$torch.device('cpu')", "workers": 1, "progress": False}
COHORT = {**NETWORK, "residualise": {}, "residualise_degree": 1, "split_fractions": {"train": 0.5, "validation": 0.5}}
# Eight phantoms are few: a level that they can give, and a gate that they cannot.
CALIBRATE = {**COHORT, "calibration_level": 0.5}
EVALUATE = {
    **COHORT,
    "amp": False,
    "evaluate_split": "validation",
    "intervals#resamples": 20,
    "intervals#permutations": 5,
    "shown_subjects": 1,
}


def a_parser(files: list[str], **ids: Any) -> ConfigParser:
    parser = ConfigParser()
    parser.read_config([str(CONFIGS / file) for file in files])
    parser.update({"bundle_root": str(CONFIGS.parent), **ids})
    return parser


def run(parser: ConfigParser, run_id: str) -> None:
    """As MONAI runs an id: one entry of the list after the other."""
    for i in range(len(parser[run_id])):
        parser.get_parsed_content(f"{run_id}#{i}")


@pytest.fixture(scope="module")
def calibrated(phantom_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output folder after `calibrating` a network of random weights."""
    out = tmp_path_factory.mktemp("calibrated")
    parser = a_parser(["train.json", "calibrate.json"], dataset_dir=str(phantom_dir), output_dir=str(out), **CALIBRATE)
    (out / "checkpoints").mkdir()
    torch.manual_seed(0)
    torch.save(parser.get_parsed_content("network_def").state_dict(), out / "checkpoints" / "model.pt")
    run(parser, "calibrating")
    rows = parser.get_parsed_content("validate#handlers#2").rows
    (out / "scores.json").write_text(json.dumps({row.subject: dict(row.scores) for row in rows}))
    return out


def infer(calibrated: Path, phantom_dir: Path, out: Path, overwrite: bool = False) -> list[dict[str, str]]:
    """Rows of features.csv of two scans of the validation split."""
    names = ("t1c", "t1n", "t2f", "t2w")
    validation = json.loads((calibrated / "splits.json").read_text())["splits"]["validation"]
    folders = [phantom_dir / name for name in validation[:2]]
    parser = a_parser(
        ["inference.json"],
        **NETWORK,
        loader_workers=0,
        images={folder.name: [str(next(folder.glob(f"*-{name}.nii.gz"))) for name in names] for folder in folders},
        checkpoint=str(calibrated / "checkpoints" / "model.pt"),
        normalizer_file=str(calibrated / "normalizer.json"),
        output_dir=str(out),
        overwrite=overwrite,
    )
    run(parser, "evaluating")
    return list(csv.DictReader((out / "features.csv").read_text().splitlines()))


def test_the_overlay_only_adds_ids_and_changes_the_split_the_network_and_the_precision() -> None:
    train = ConfigParser(ConfigParser.load_config_file(str(CONFIGS / "train.json")))
    overlay = json.loads((CONFIGS / "calibrate.json").read_text())
    changed = {key for key in overlay if key in train and key != "_desc_"}
    assert changed == {"amp", "validate#dataset#data#split", "validate#evaluator#network", "run"}


def test_a_missing_checkpoint_is_told_before_any_scan_is_read(tmp_path: Path) -> None:
    parser = a_parser(["train.json", "calibrate.json"], dataset_dir="none", output_dir=str(tmp_path), **CALIBRATE)
    with pytest.raises(SystemExit, match=r"calibrating: .*model.pt: no checkpoint; run training first"):
        run(parser, "calibrating")


def test_the_training_split_is_refused(tmp_path: Path) -> None:
    ids = {**CALIBRATE, "calibration_split": "train"}
    parser = a_parser(["train.json", "calibrate.json"], dataset_dir="none", output_dir=str(tmp_path), **ids)
    with pytest.raises(SystemExit, match="calibration_split: expected a split that the network was not trained on"):
        run(parser, "calibrating")


def test_a_misspelt_difficulty_is_told_before_any_scan_is_read(tmp_path: Path) -> None:
    parser = a_parser(["train.json", "calibrate.json"], dataset_dir="none", output_dir=str(tmp_path), **CALIBRATE)
    parser["difficulty"]["vol_totl"] = 0.0
    with pytest.raises(SystemExit, match=r"calibrating: difficulty: .*'vol_totl'.*did you mean 'vol_total'"):
        run(parser, "calibrating")


def test_calibrating_writes_a_quantile_per_feature_and_what_it_belongs_to(calibrated: Path) -> None:
    found = Calibration.from_json(calibrated / "calibration.json")
    assert found.columns == ("vol_total", "loc_x_total", "sphericity_total")
    assert all(feature.quantile is not None and feature.quantile > 0 for feature in found.features)
    assert [feature.exponent for feature in found.features] == [-1 / 3, 0.0, -1 / 6]
    assert found.provenance["split"] == "validation"
    assert {len(found.provenance[name]["sha256"]) for name in ("checkpoint", "normalizer")} == {64}
    assert found.novelty is None
    assert "at least 38 patients" in (found.novelty_reason or "")


def test_an_evaluation_reports_the_coverage(calibrated: Path, phantom_dir: Path) -> None:
    parser = a_parser(
        ["train.json", "evaluate.json"], dataset_dir=str(phantom_dir), output_dir=str(calibrated), **EVALUATE
    )
    run(parser, "evaluating")
    coverage = json.loads((calibrated / "evaluation" / "metrics.json").read_text())["coverage"]
    location = coverage["features"]["loc_x_total"]
    # On the calibration scans themselves the covered ones are the rank, ceil((n + 1) / 2).
    assert location["coverage"] == pytest.approx((location["scans"] + 2) // 2 / location["scans"])
    assert coverage["independent"] is False


def test_inference_writes_the_bounds_beside_each_feature(calibrated: Path, phantom_dir: Path, tmp_path: Path) -> None:
    rows = infer(calibrated, phantom_dir, tmp_path)
    assert len(rows) == 2
    for row in rows:
        for name in ("vol_total_mm3", "loc_x_total_mm", "sphericity_total"):
            assert float(row[f"{name}_lower"]) <= float(row[f"{name}_upper"])
        assert float(row["vol_total_mm3_lower"]) < float(row["vol_total_mm3"]) < float(row["vol_total_mm3_upper"])
    assert not (tmp_path / "novelty.csv").exists()


def test_a_gate_writes_its_verdict_beside(
    calibrated: Path, phantom_dir: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "model"
    (model / "checkpoints").mkdir(parents=True)
    for name in ("normalizer.json", "splits.json", "checkpoints/model.pt"):
        (model / name).write_bytes((calibrated / name).read_bytes())
    content = json.loads((calibrated / "calibration.json").read_text())
    content["novelty"] = {
        "false_alarm_rate": 0.05,
        "limit": 3.0,
        "scales": [
            {"name": "brain_fraction", "centre": -9.0, "spread": 0.1},
            {"name": "reconstruction_error", "centre": 0.0, "spread": 9.0},
            {"name": "kl", "centre": 0.0, "spread": 9.0},
            {"name": "tumour_doubt", "centre": 0.0, "spread": 9.0},
        ],
        "fitted_scans": 19,
        "calibration": [1.0] * 19,
        "mean": [0.0] * 128,
        "covariance": torch.eye(128).tolist(),
    }
    (model / "calibration.json").write_text(json.dumps(content))
    infer(model, phantom_dir, tmp_path / "out")
    rows = list(csv.DictReader((tmp_path / "out" / "novelty.csv").read_text().splitlines()))
    assert [row["in_distribution"] for row in rows] == ["no", "no"]
    names = ", ".join(row["subject"] for row in rows)
    assert f"2 unlike the scans calibrated on, see novelty.csv: {names}" in capsys.readouterr().out
    assert rows[0]["reason"].startswith("brain_fraction 0.")
    assert "is above its upper limit" in rows[0]["reason"]
    assert float(rows[0]["p_value"]) == 0.05
    # A scan is judged by the very figures that it was calibrated by.
    expected = json.loads((calibrated / "scores.json").read_text())
    for row in rows:
        for name, value in expected[row["subject"]].items():
            assert float(row[name]) == pytest.approx(value, rel=1e-3), name


def test_inference_goes_as_before_without_a_calibration_and_starts_anew_with_one(
    calibrated: Path, phantom_dir: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    (model / "checkpoints").mkdir(parents=True)
    for name in ("normalizer.json", "splits.json", "checkpoints/model.pt"):
        (model / name).write_bytes((calibrated / name).read_bytes())
    assert not [name for name in infer(model, phantom_dir, tmp_path / "out")[0] if name.endswith("_lower")]
    (model / "calibration.json").write_bytes((calibrated / "calibration.json").read_bytes())
    bounded = infer(model, phantom_dir, tmp_path / "out", overwrite=True)[0]
    assert [name for name in bounded if name.endswith("_lower")]


def test_inference_refuses_the_calibration_of_other_weights(
    calibrated: Path, phantom_dir: Path, tmp_path: Path
) -> None:
    content = json.loads((calibrated / "calibration.json").read_text())
    content["provenance"]["checkpoint"]["sha256"] = "0" * 64
    (tmp_path / "checkpoints").mkdir()
    for name in ("normalizer.json", "splits.json", "checkpoints/model.pt"):
        (tmp_path / name).write_bytes((calibrated / name).read_bytes())
    (tmp_path / "calibration.json").write_text(json.dumps(content))
    with pytest.raises(RuntimeError) as caught:
        infer(tmp_path, phantom_dir, tmp_path / "out")
    assert "made for another checkpoint" in str(caught.value.__cause__)
