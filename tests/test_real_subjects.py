"""Index, precompute, two epochs and inference on real scans; only where their folder is there."""

import csv
import json
import os
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pandas as pd
import pytest
from monai.bundle import ConfigWorkflow
from tiny_networks import THREE_STAGES

ROOT = Path(__file__).parents[1]
REAL = Path(os.environ.get("SEMIVAE_REAL_DATA") or ROOT.parent / "shared" / "real")
SUBJECTS = ["BraTS-MET-00110-000", "BrainLesion-case-000", "TCGA-DU-7294", "TCGA-FG-6692"]
NETWORK: dict[str, Any] = {
    **THREE_STAGES,
    # One of the four has no enhancing tumour, and two are too few to standardise by.
    "targets": {"vol": ["vol_total", "vol_ed"], "loc": ["loc_x_total"], "shape": ["sphericity_total"]},
    "device": "$torch.device('cpu')",
    "amp": False,
    "workers": 2,
    "loader_workers": 0,
    "progress": False,
}
TRAINING: dict[str, Any] = {
    "residualise": {},
    "residualise_degree": 1,
    "split_fractions": {"train": 0.75, "validation": 0.25, "test": 0.0},
    "batch_size": 2,
    "epochs": 2,
}

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not REAL.is_dir(), reason="no real subjects; set SEMIVAE_REAL_DATA to their folder"),
]


def run(config: str, kind: str, run_id: str, output_dir: Path, **more: Any) -> None:
    options = {**NETWORK, "dataset_dir": str(REAL), "output_dir": str(output_dir), **more}
    files = {name: str(ROOT / "configs" / name) for name in (config, "metadata.json")}
    workflow = ConfigWorkflow(
        files[config],
        meta_file=files["metadata.json"],
        logging_file=False,
        workflow_type=kind,
        run_id=run_id,
        **options,
    )
    workflow.initialize()
    workflow.run()
    workflow.finalize()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder after index, precompute and two epochs."""
    folder = tmp_path_factory.mktemp("real")
    for run_id in ("index", "precompute", "training"):
        run("train.json", "train", run_id, folder, **TRAINING)
    return folder


def test_four_subjects_are_found_in_two_layouts_and_label_4_is_mapped(trained: Path) -> None:
    cohort = json.loads((trained / "cohort.json").read_text())
    subjects = {subject["subject"]: subject for subject in cohort["subjects"]}
    assert sorted(subjects) == SUBJECTS
    assert cohort["quarantine"] == []
    assert subjects["TCGA-FG-6692"]["label_map"]["4"] == 3
    assert subjects["BrainLesion-case-000"]["label_map"]["3"] == 3
    assert subjects["BraTS-MET-00110-000"]["patient"] == "BraTS-MET-00110"


def test_the_header_that_contradicts_the_others_is_reported(trained: Path) -> None:
    warnings = json.loads((trained / "cohort.json").read_text())["warnings"]
    (turned,) = [warning for warning in warnings if warning["code"] == "ambiguous_orientation"]
    assert turned["subject"] == "BraTS-MET-00110-000"
    assert "axes RAS with the same origin" in turned["found"]


def test_the_features_are_plausible_and_the_missing_region_is_marked(trained: Path) -> None:
    features = pd.read_csv(trained / "features.csv", index_col="subject")
    assert sorted(features.index) == SUBJECTS
    assert features.loc["TCGA-DU-7294", "has_et"] == 0
    assert features.loc["TCGA-FG-6692", "has_et"] == 1
    assert features["vol_total"].between(np.log(500), np.log(400_000)).all()
    assert features[["loc_x_total", "loc_y_total", "loc_z_total"]].stack().between(0.2, 0.8).all()


def test_two_epochs_leave_a_model_and_metrics(trained: Path) -> None:
    with (trained / "metrics.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    losses = [float(row["value"]) for row in rows if row["name"] == "val_epoch/loss"]
    assert len(losses) == 2
    assert np.isfinite(losses).all()
    assert (trained / "checkpoints" / "model.pt").is_file()


def test_inference_writes_latents_features_and_maps_on_each_scan_s_own_grid(trained: Path, tmp_path: Path) -> None:
    model = {
        "checkpoint": str(trained / "checkpoints" / "model.pt"),
        "normalizer_file": str(trained / "normalizer.json"),
    }
    run("inference.json", "infer", "evaluating", tmp_path, **model)
    latents, features = (pd.read_csv(tmp_path / name, index_col="subject") for name in ("latents.csv", "features.csv"))
    assert sorted(latents.index) == sorted(features.index) == SUBJECTS
    assert np.isfinite(latents.filter(regex="^(mean|log_var)_").to_numpy()).all()
    assert {"vol_total_mm3", "loc_x_total_mm", "sphericity_total"} <= set(features.columns)
    for name in SUBJECTS:
        scan = nibabel.load(next(REAL.glob(f"*/{name}/*seg.nii.gz")))
        tumour = nibabel.load(tmp_path / name / f"{name}_tumour.nii.gz")
        assert tumour.shape == scan.shape == (240, 240, 155)
        np.testing.assert_allclose(tumour.affine, scan.affine)
