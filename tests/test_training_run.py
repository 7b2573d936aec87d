"""Index, precompute and training through the bundle's own config, on the phantom cohort."""

import csv
import json
import math
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from monai.bundle import ConfigWorkflow
from tiny_networks import THREE_STAGES

ROOT = Path(__file__).parents[1]
CONFIG, META = ROOT / "configs" / "train.json", ROOT / "configs" / "metadata.json"
LOGGED = {
    *("val_epoch/loss", "sem/vol_r2", "sem/loc_r2", "sem/shape_r2"),
    *("diag/au_count_residual", "semivae/corr_z_vol_z_residual"),
}
TINY: dict[str, Any] = {
    **THREE_STAGES,
    "targets": {"vol": ["vol_total", "vol_ed"], "loc": ["loc_x_total"], "shape": ["sphericity_total"]},
    "residualise": {},
    "residualise_degree": 1,
    "split_fractions": {"train": 0.5, "validation": 0.5, "test": 0.0},
    "device": "$torch.device('cpu')",
    "amp": False,
    "workers": 1,
    "loader_workers": 0,
    "progress": False,
    "batch_size": 2,
    "epochs": 3,
}


def run(run_id: str, dataset_dir: Path, output_dir: Path, **more: Any) -> None:
    """`python -m monai.bundle run ID --config_file configs/train.json ...`, in this process."""
    options = {**TINY, "dataset_dir": str(dataset_dir), "output_dir": str(output_dir), **more}
    workflow = ConfigWorkflow(
        str(CONFIG), meta_file=str(META), logging_file=False, workflow_type="train", run_id=run_id, **options
    )
    workflow.initialize()
    workflow.run()
    workflow.finalize()


def figures(output_dir: Path) -> dict[tuple[int, str], float]:
    """metrics.csv without what a clock says."""
    with (output_dir / "metrics.csv").open(newline="") as stream:
        rows = [(int(row["epoch"]), row["name"], float(row["value"])) for row in csv.DictReader(stream)]
    return {(epoch, name): value for epoch, name, value in rows if not name.startswith("time/")}


def root_cause(error: BaseException) -> BaseException:
    while error.__cause__ is not None:
        error = error.__cause__
    return error


@pytest.fixture(scope="module")
def prepared(phantom_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder after `index` and `precompute`."""
    folder = tmp_path_factory.mktemp("prepared")
    run("index", phantom_dir, folder)
    run("precompute", phantom_dir, folder)
    return folder


@pytest.fixture(scope="module")
def unbroken(phantom_dir: Path, prepared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An output folder after three epochs in one go."""
    folder = shutil.copytree(prepared, tmp_path_factory.mktemp("unbroken"), dirs_exist_ok=True)
    run("training", phantom_dir, folder)
    return folder


def test_index_and_precompute_leave_what_training_needs(prepared: Path) -> None:
    names = {path.name for path in prepared.iterdir()}
    assert names == {"cohort.json", "splits.json", "features.csv", "normalizer.json", "cache"}
    splits = json.loads((prepared / "splits.json").read_text())["splits"]
    assert {name: len(ids) for name, ids in splits.items()} == {"train": 4, "validation": 4, "test": 0}
    assert len(list((prepared / "cache").iterdir())) == 8


def test_training_leaves_checkpoints_curves_and_the_agreed_metrics(unbroken: Path) -> None:
    found = figures(unbroken)
    assert {epoch for epoch, _ in found} == {1, 2, 3}
    names = {name for _, name in found}
    assert names >= LOGGED
    terms = {name.removeprefix("train/") for name in names if name.startswith("train/")} - {"loss", "gradient_norm"}
    assert {f"weight/{term}" for term in terms} <= names
    assert {f"val_epoch/{term}" for term in terms} <= names
    assert all(math.isfinite(value) for value in found.values())
    assert {path.name for path in (unbroken / "checkpoints").iterdir()} - {".lock"} == {
        "last.pt",
        "model.json",
        "model.pt",
        "normalizer.json",
    }
    assert (unbroken / "checkpoints" / "normalizer.json").read_bytes() == (unbroken / "normalizer.json").read_bytes()
    assert list((unbroken / "tensorboard").glob("events.out.tfevents.*"))


def test_the_metrics_are_tidy_and_tell_the_time_spent_waiting(unbroken: Path) -> None:
    with (unbroken / "metrics.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert list(rows[0]) == ["epoch", "name", "value"]
    assert {"time/data_wait_per_step", "time/seconds_per_step"} <= {row["name"] for row in rows}
    assert len({(row["epoch"], row["name"]) for row in rows}) == len(rows)


@pytest.mark.parametrize("loader_workers", [0, 1])
def test_a_resumed_run_gives_what_an_unbroken_one_gives(
    phantom_dir: Path, prepared: Path, unbroken: Path, tmp_path: Path, loader_workers: int
) -> None:
    whole = unbroken
    if loader_workers:
        whole = shutil.copytree(prepared, tmp_path / "whole")
        run("training", phantom_dir, whole, loader_workers=loader_workers)
    broken = shutil.copytree(prepared, tmp_path / "broken")
    run("training", phantom_dir, broken, loader_workers=loader_workers, **{"train#trainer#max_epochs": 2})
    assert {epoch for epoch, _ in figures(broken)} == {1, 2}
    run("training", phantom_dir, broken, loader_workers=loader_workers)
    expected, found = figures(whole), figures(broken)
    assert list(found) == list(expected)
    np.testing.assert_allclose(list(found.values()), list(expected.values()), rtol=1e-6, atol=1e-6)
    weights = [torch.load(folder / "checkpoints" / "last.pt", weights_only=True) for folder in (whole, broken)]
    torch.testing.assert_close(weights[0]["network"], weights[1]["network"], rtol=1e-6, atol=1e-6)


def test_a_training_does_not_go_on_under_other_options(phantom_dir: Path, unbroken: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(unbroken, tmp_path / "used")
    with pytest.raises(RuntimeError) as caught:
        run("training", phantom_dir, folder, **{"loss#weights#tumour": 2.0})
    told = str(root_cause(caught.value))
    assert "was trained with other options: objective.weights.tumour: then 1.0, now 2.0; set resume to false" in told
    # More epochs are no other training: the fourth is trained.
    run("training", phantom_dir, folder, epochs=4)
    assert {epoch for epoch, _ in figures(folder)} == {1, 2, 3, 4}


def test_training_alone_makes_what_is_missing(phantom_dir: Path, unbroken: Path, tmp_path: Path) -> None:
    run("run", phantom_dir, tmp_path, **{"train#trainer#max_epochs": 1})
    assert {"cohort.json", "splits.json", "features.csv", "normalizer.json", "cache"} <= {
        path.name for path in tmp_path.iterdir()
    }
    first = {name: value for (epoch, name), value in figures(unbroken).items() if epoch == 1}
    alone = {name: value for (_, name), value in figures(tmp_path).items()}
    assert alone == pytest.approx(first, rel=1e-6, abs=1e-6)


def test_another_seed_trains_otherwise(phantom_dir: Path, prepared: Path, unbroken: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(prepared, tmp_path / "other")
    more = {"train#trainer#max_epochs": 1, "process_seed": 1}
    run("training", phantom_dir, folder, **more)
    assert abs(figures(folder)[1, "train/loss"] - figures(unbroken)[1, "train/loss"]) > 1e-3


def test_validation_every_second_epoch_is_logged_in_those_epochs_only(
    phantom_dir: Path, prepared: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(prepared, tmp_path / "sparse")
    run("training", phantom_dir, folder, val_interval=2)
    assert {epoch for epoch, name in figures(folder) if name in LOGGED} == {2}
    assert {epoch for epoch, name in figures(folder) if name == "train/loss"} == {1, 2, 3}


def test_without_a_validation_split_training_still_leaves_a_model(phantom_dir: Path, tmp_path: Path) -> None:
    fractions = {"train": 1.0, "validation": 0.0, "test": 0.0}
    run("training", phantom_dir, tmp_path, split_fractions=fractions, **{"train#trainer#max_epochs": 1})
    assert (tmp_path / "checkpoints" / "model.pt").is_file()


def test_a_normalizer_of_another_split_is_refused(phantom_dir: Path, prepared: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(prepared, tmp_path / "other")
    normalizer = json.loads((folder / "normalizer.json").read_text())
    (folder / "normalizer.json").write_text(json.dumps({**normalizer, "split_sha256": "0" * 64}))
    with pytest.raises(RuntimeError) as caught:
        run("training", phantom_dir, folder)
    told = str(root_cause(caught.value))
    assert "the normalizer was fitted on something else" in told
    assert "refit with: python -m monai.bundle run precompute" in told
    assert not (folder / "checkpoints").exists()


def test_an_intensity_that_is_no_number_stops_the_run_and_names_term_and_subject(
    phantom_dir: Path, prepared: Path, tmp_path: Path
) -> None:
    folder = shutil.copytree(prepared, tmp_path / "spoilt")
    train = json.loads((folder / "splits.json").read_text())["splits"]["train"]
    (file,) = (folder / "cache").glob(f"{train[0]}-*.npz")
    with np.load(file) as stored:
        arrays = dict(stored)
    arrays["image"][0, 16, 16, 16] = np.nan
    np.savez(file, **arrays)
    with pytest.raises((RuntimeError, FloatingPointError)) as caught:
        run("training", phantom_dir, folder)
    error = root_cause(caught.value)
    assert isinstance(error, FloatingPointError)
    assert "'reconstruction': nan" in str(error)
    assert train[0] in str(error)
    assert not list((folder / "checkpoints").glob("*.pt"))
