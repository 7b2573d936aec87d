"""configs/inference.json from files to files, with a tiny network of random weights."""

import csv
import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow, ckpt_export, verify_net_in_out

from semivae_bundle.features.normalizer import ColumnScale, Normalizer
from semivae_bundle.networks.packing import unpack

ROOT = Path(__file__).parents[2]
CONFIG, META = ROOT / "configs" / "inference.json", ROOT / "configs" / "metadata.json"
TINY: dict[str, Any] = {
    "roi_size": [32, 32, 32],
    "network_def#encoder#base_filters": 4,
    "network_def#encoder#blocks": [1, 1, 1],
    "network_def#encoder#norm_groups": 4,
    "network_def#encoder#pool_channels": 4,
    "network_def#encoder#hidden_size": 8,
    "network_def#decoder#channels": [8, 4],
    "network_def#decoder#norm_groups": 4,
    "device": "$torch.device('cpu')",
    "workers": 1,
    "loader_workers": 0,
    "progress": "false",
}


def tiny_parser() -> ConfigParser:
    parser = ConfigParser()
    parser.read_config(CONFIG)
    for name, value in TINY.items():
        parser[name] = value
    return parser


def save_model(file: Path, seed: int) -> Path:
    torch.manual_seed(seed)
    torch.save(tiny_parser().get_parsed_content("network_def").state_dict(), file)
    return file


@pytest.fixture
def options(phantom_dir: Path, tmp_path: Path) -> dict[str, Any]:
    targets = tiny_parser()["targets"]
    scales = tuple(ColumnScale(column, part, 0.5, 0.1, 5) for part, columns in targets.items() for column in columns)
    Normalizer(scales, 1, (240.0,) * 3, "0" * 64, "1" * 64).to_json(tmp_path / "normalizer.json")
    folders = sorted(path for path in phantom_dir.iterdir() if path.is_dir())[:2]
    names = ("t1c", "t1n", "t2f", "t2w")
    images = {folder.name: [str(next(folder.glob(f"*-{name}.nii.gz"))) for name in names] for folder in folders}
    return {
        **TINY,
        "images": images,
        "checkpoint": str(save_model(tmp_path / "model.pt", 0)),
        "normalizer_file": str(tmp_path / "normalizer.json"),
        "output_dir": str(tmp_path / "out"),
    }


def infer(options: dict[str, Any], run_id: str = "evaluating", **more: Any) -> Path:
    workflow = ConfigWorkflow(
        str(CONFIG), meta_file=str(META), logging_file=False, workflow_type="infer", run_id=run_id, **options, **more
    )
    workflow.initialize()
    workflow.run()
    workflow.finalize()
    return Path(options["output_dir"])


def rows(file: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(file.read_text().splitlines()))


def test_files_in_latents_features_and_label_maps_out(options: dict[str, Any]) -> None:
    out = infer(options, save_reconstruction="true")
    latents, features = rows(out / "latents.csv"), rows(out / "features.csv")
    assert [row["subject"] for row in latents] == sorted(options["images"])
    assert {"mean_vol_00", "mean_residual_75", "log_var_loc_11"} <= set(latents[0])
    assert sum(name.startswith(("mean_", "log_var_")) for name in latents[0]) == 256
    assert {"vol_total_mm3", "loc_x_total_mm", "surface_total_mm2", "sphericity_total"} <= set(features[0])
    for name, files in options["images"].items():
        scan = nibabel.load(files[0])
        for kind in ("tumour", "decoded"):
            labels = nibabel.load(out / name / f"{name}_{kind}.nii.gz")
            assert labels.shape == scan.shape
            assert labels.get_data_dtype() == np.uint8
            assert np.array_equal(labels.affine, scan.affine)
            assert np.asanyarray(labels.dataobj).max() <= 3
        assert nibabel.load(out / name / f"{name}_reconstruction.nii.gz").shape == (*scan.shape, 4)
        written = nibabel.load(out / name / f"{name}_tumour.nii.gz")
        voxel_mm3 = np.prod(written.header.get_zooms())
        labels, row = np.asanyarray(written.dataobj), next(row for row in features if row["subject"] == name)
        for column, label in (("total", labels > 0), ("ncr", labels == 1), ("ed", labels == 2), ("et", labels == 3)):
            assert float(row[f"segmented_{column}_mm3"]) == pytest.approx(label.sum() * voxel_mm3, rel=1e-5)


def test_the_table_holds_what_the_network_says_of_the_scan(options: dict[str, Any]) -> None:
    latents = rows(infer(options) / "latents.csv")
    parser = tiny_parser()
    network = parser.get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load(options["checkpoint"], weights_only=True))
    name, files = next(iter(options["images"].items()))
    image = parser.get_parsed_content("preprocessing")({"image": files})["image"].as_tensor()
    with torch.no_grad():
        expected = unpack(network(image[None])[0], 4, 4)
    row = next(row for row in latents if row["subject"] == name)
    got = [float(row[column]) for column in row if column.startswith("mean_")]
    np.testing.assert_allclose(got, expected.mean.numpy(), atol=1e-4)


def test_a_second_run_does_only_what_is_missing(options: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    out = infer(options)
    first, second = sorted(options["images"])
    kept, lost = out / first / f"{first}_tumour.nii.gz", out / second / f"{second}_tumour.nii.gz"
    before = kept.stat().st_mtime_ns
    lost.unlink()
    infer(options, run_id="run")
    assert "1 scans done before, 1 to do" in capsys.readouterr().out
    assert lost.is_file()
    assert kept.stat().st_mtime_ns == before
    infer(options)
    assert "nothing to do" in capsys.readouterr().out
    infer(options, overwrite="true")
    assert kept.stat().st_mtime_ns > before


def test_dates_that_come_later_are_taken_over_without_another_look(
    options: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = infer(options)
    before = rows(out / "latents.csv")
    lines = [f"{name},2020-0{i}-01,{','.join(files)}" for i, (name, files) in enumerate(options["images"].items(), 1)]
    (tmp_path / "visits.csv").write_text("\n".join(["subject,date,t1c,t1n,t2f,t2w", *lines]))
    dated = {name: value for name, value in options.items() if name != "images"}
    capsys.readouterr()
    infer(dated, dataset_dir=str(tmp_path), manifest="visits.csv")
    said = capsys.readouterr().out
    assert "2 scans done before, 0 to do" in said
    assert "2 scans done before have another patient, visit or date now" in said
    for name in ("latents.csv", "features.csv"):
        dates = {row["subject"]: row["date"] for row in rows(out / name)}
        assert [dates[subject] for subject in options["images"]] == ["2020-01-01", "2020-02-01"]
    assert [row["mean_residual_00"] for row in rows(out / "latents.csv")] == [r["mean_residual_00"] for r in before]


def test_other_weights_replace_every_result(options: dict[str, Any], tmp_path: Path) -> None:
    out = infer(options, save_reconstruction=True)
    before = {row["subject"]: row["mean_residual_00"] for row in rows(out / "latents.csv")}
    infer({**options, "checkpoint": str(save_model(tmp_path / "other.pt", 1))}, overwrite=True)
    after = {row["subject"]: row["mean_residual_00"] for row in rows(out / "latents.csv")}
    assert after.keys() == before.keys()
    assert all(after[name] != before[name] for name in before)
    # The reconstruction was not asked for again, and the old one would contradict the new latents.
    assert not list(out.glob("*/*_reconstruction.nii.gz"))


def test_the_same_weights_elsewhere_are_the_same_weights(options: dict[str, Any], tmp_path: Path) -> None:
    out = infer(options)
    before = (out / "latents.csv").stat().st_mtime_ns
    moved = Path(options["checkpoint"]).rename(tmp_path / "moved.pt")
    infer({**options, "checkpoint": str(moved)})
    assert (out / "latents.csv").stat().st_mtime_ns == before


def test_run_json_says_which_weights_settings_and_files(options: dict[str, Any]) -> None:
    record = json.loads((infer(options) / "run.json").read_text())
    assert len(record["checkpoint"]["sha256"]) == len(record["normalizer"]["sha256"]) == 64
    assert record["settings"]["roi_size"] == [32, 32, 32]
    name = sorted(options["images"])[0]
    assert record["subjects"][name]["files"] == [f"{name}/{name}_tumour.nii.gz"]


def test_a_missing_checkpoint_is_said_before_any_scan_is_read(options: dict[str, Any]) -> None:
    with pytest.raises(RuntimeError) as caught:
        infer({**options, "checkpoint": "models/none.pt", "dataset_dir": "nowhere", "images": None})
    assert "no checkpoint" in str(caught.value.__cause__ or caught.value)


def test_weights_of_another_network_are_refused_before_anything_is_replaced(
    options: dict[str, Any], tmp_path: Path
) -> None:
    out = infer(options)
    before = (out / "run.json").read_text()
    torch.save({"foreign": torch.zeros(1)}, tmp_path / "foreign.pt")
    with pytest.raises(RuntimeError) as caught:
        infer({**options, "checkpoint": str(tmp_path / "foreign.pt")})
    assert "not the weights of this network" in str(caught.value.__cause__)
    assert (out / "run.json").read_text() == before


def test_rows_of_earlier_weights_do_not_survive_an_interrupted_run(
    options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = infer(options)
    other = {**options, "checkpoint": str(save_model(tmp_path / "other.pt", 1))}
    with monkeypatch.context() as patch, pytest.raises(RuntimeError):
        patch.setattr("semivae_bundle.evaluation.export.write_on_grid_of", lambda *_: 1 / 0)
        infer(other, overwrite=True)
    name = sorted(options["images"])[0]
    infer({**other, "images": {name: options["images"][name]}})
    assert [row["subject"] for row in rows(out / "latents.csv")] == [name]


def test_a_spoilt_run_json_is_an_error_until_overwritten(options: dict[str, Any]) -> None:
    out = infer(options)
    (out / "run.json").write_text("{")
    with pytest.raises(RuntimeError) as caught:
        infer(options)
    assert "--overwrite true" in str(caught.value.__cause__ or caught.value)
    infer(options, overwrite=True)
    assert len(rows(out / "latents.csv")) == 2


def test_the_network_equals_that_of_training_but_for_its_packing() -> None:
    train = json.loads((ROOT / "configs" / "train.json").read_text())
    infer_config = json.loads(CONFIG.read_text())
    trained, packed = train["network_def"], infer_config["network_def"]
    assert packed.pop("_target_") == "semivae_bundle.networks.packing.PackedSemiVAE"
    assert trained.pop("_target_") == "semivae_bundle.networks.semivae.SemiVAE"
    assert packed == trained
    # What stands between in training: other weights to start from, units that run twice.
    assert train["network"].pop("network") == "@lean_network"
    assert infer_config["network"].pop("network") == "@network_def"
    shared = ("roi_size", "fov_mm", "partition", "latent_size", "targets", "feature_counts", "network")
    assert {name: infer_config[name] for name in shared} == {name: train[name] for name in shared}


def test_clients_find_every_property_and_no_reference_to_the_metadata(options: dict[str, Any]) -> None:
    workflow = ConfigWorkflow(str(CONFIG), meta_file=str(META), logging_file=False, workflow_type="infer", **options)
    workflow.initialize()
    assert not workflow.check_properties()
    assert "_meta_" not in CONFIG.read_text()


def test_no_key_stands_twice() -> None:
    def refuse(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        assert len(names) == len(set(names)), names
        return dict(pairs)

    json.loads(CONFIG.read_text(), object_pairs_hook=refuse)


def test_torchscript_export_loads_strictly_and_agrees(options: dict[str, Any], tmp_path: Path) -> None:
    ckpt_export(
        net_id="network_def",
        filepath=str(tmp_path / "model.ts"),
        ckpt_file=options["checkpoint"],
        meta_file=str(META),
        config_file=str(CONFIG),
        **TINY,
    )
    files = {"metadata.json": "", "inference.json": ""}
    scripted = torch.jit.load(str(tmp_path / "model.ts"), _extra_files=files)
    assert json.loads(files["metadata.json"])["version"]
    network = tiny_parser().get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load(options["checkpoint"], weights_only=True))
    image = torch.randn(1, 4, 32, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        torch.testing.assert_close(scripted.eval()(image), network(image))


def test_the_model_zoo_finds_the_shapes_that_the_metadata_names() -> None:
    verify_net_in_out(net_id="network_def", meta_file=str(META), config_file=str(CONFIG), device="cpu")
