import json
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser
from monai.fl.client.monai_algo import disable_ckpt_loaders
from tiny_networks import TWO_STAGES

ROOT = Path(__file__).parents[2]
TRAIN, EVALUATE = ROOT / "configs" / "train.json", ROOT / "configs" / "evaluate.json"
# Ids that evaluate.json adds; all its others must override something that train.json has.
NEW_IDS = {
    "_desc_",
    "evaluate_split",
    "checkpoint",
    "shown_subjects",
    "calibration_file",
    "detecting",
    "repeating",
    "repeated_scans",
    "repeats",
    "rescan",
    "rescan_meaning",
    "rescanned",
    "rescanned_randomness",
    "detection_scans",
    "calibration",
    "projection",
    "intervals",
    "latent_scores",
    "verdict_targets",
    "generating_factors",
    "provenance",
    "validate#handlers",
    "validate#evaluator#val_handlers",
    "evaluating",
    "traversal_scans",
    "traversal_steps",
    "traversal_features",
    "traversals",
    "traversing",
    "evaluating_subsets",
}
TINY = {
    **TWO_STAGES,
    "targets": {"vol": ["vol_total"], "loc": ["loc_x_total"], "shape": ["sphericity_total"]},
    "residualise": {},
    "residualise_degree": 1,
    "split_fractions": {"train": 0.7, "validation": 0.15, "test": 0.15},
    "device": "$torch.device('cpu')",
    "amp": False,
    "workers": 1,
    "progress": False,
    "intervals#resamples": 20,
    "intervals#permutations": 5,
    "latent_scores#trees": 5,
    "latent_scores#draws": 20,
    "shown_subjects": 1,
}


def a_parser(dataset_dir: Path, output_dir: Path) -> ConfigParser:
    parser = ConfigParser()
    parser.read_config([str(TRAIN), str(EVALUATE)])
    parser.update({"bundle_root": str(ROOT), "dataset_dir": str(dataset_dir), "output_dir": str(output_dir), **TINY})
    return parser


def run(parser: ConfigParser, run_id: str) -> None:
    """As MONAI runs an id: one entry of the list after the other."""
    for i in range(len(parser[run_id])):
        parser.get_parsed_content(f"{run_id}#{i}")


def write_untrained_weights(parser: ConfigParser, output_dir: Path) -> None:
    (output_dir / "checkpoints").mkdir()
    torch.manual_seed(0)
    torch.save(parser.get_parsed_content("network_def").state_dict(), output_dir / "checkpoints" / "model.pt")


def test_every_override_meets_something_in_the_training_config() -> None:
    train = ConfigParser(ConfigParser.load_config_file(str(TRAIN)))
    overlay: dict[str, Any] = json.loads(EVALUATE.read_text())
    assert set(overlay) - NEW_IDS == {"validate#dataset#data#split", "validate#evaluator#network", "run"}
    assert all(key in train for key in set(overlay) - NEW_IDS)


def test_a_missing_checkpoint_is_told_before_any_scan_is_read(tmp_path: Path) -> None:
    parser = a_parser(tmp_path / "no_data", tmp_path)
    with pytest.raises(
        SystemExit, match=r"evaluating: .*model.pt: no checkpoint; run training first or pass --checkpoint FILE"
    ):
        run(parser, "evaluating")


@pytest.mark.parametrize("run_id", ["evaluating", "evaluating_subsets"])
@pytest.mark.parametrize("option", ["batch_size", "validate#dataloader#batch_size"])
def test_batches_of_no_scan_are_told_before_any_is_read(option: str, run_id: str, tmp_path: Path) -> None:
    parser = a_parser(tmp_path / "no_data", tmp_path)
    parser[option] = 0
    with pytest.raises(SystemExit, match=f"{run_id}: batch_size: expected a whole number >= 1, found 0; give such"):
        run(parser, run_id)


def test_an_unknown_split_is_told_by_name(phantom_dir: Path, tmp_path: Path) -> None:
    parser = a_parser(phantom_dir, tmp_path)
    parser["evaluate_split"] = "tset"
    (tmp_path / "checkpoints").mkdir()
    torch.save(parser.get_parsed_content("network_def").state_dict(), tmp_path / "checkpoints" / "model.pt")
    with pytest.raises(SystemExit, match=r"evaluate_split: expected one of .*'test'.*, found 'tset'"):
        run(parser, "evaluating")


@pytest.mark.parametrize("overlay", ["evaluate.json", "calibrate.json"])
@pytest.mark.parametrize("recipe", ["ema", "mean_teacher", "reconstruction_images"])
def test_a_recipe_that_is_laid_after_the_overlay_is_told(
    overlay: str, recipe: str, phantom_dir: Path, tmp_path: Path
) -> None:
    def told(files: list[Path], out: Path) -> None:
        parser = ConfigParser()
        parser.read_config([str(file) for file in files])
        parser.update({"bundle_root": str(ROOT), "dataset_dir": str(phantom_dir), "output_dir": str(out)})
        parser.update({name: value for name, value in TINY.items() if name.split("#")[0] in parser})
        run_id = parser["run"].removeprefix("@")
        (at,) = [i for i, step in enumerate(parser[run_id]) if "laid_last" in str(step)]
        parser.get_parsed_content(f"{run_id}#{at}")

    recipe_file, overlay_file = ROOT / "configs" / "recipes" / f"{recipe}.yaml", ROOT / "configs" / overlay
    told([TRAIN, recipe_file, overlay_file], tmp_path)
    with pytest.raises(SystemExit, match=f"a recipe laid after {overlay} replaces .*; lay {overlay} last"):
        told([TRAIN, overlay_file, recipe_file], tmp_path)


def test_federated_clients_can_switch_off_the_loading_of_a_checkpoint(tmp_path: Path) -> None:
    parser = a_parser(tmp_path, tmp_path)
    disable_ckpt_loaders(parser)
    disabled = [handler["_target_"] for handler in parser["validate#handlers"] if handler.get("_disabled_") is True]
    assert disabled == ["monai.handlers.CheckpointLoader"]


def test_the_config_evaluates_a_checkpoint_end_to_end(phantom_dir: Path, tmp_path: Path) -> None:
    parser = a_parser(phantom_dir, tmp_path)
    parser["evaluate_split"] = "train"
    write_untrained_weights(parser, tmp_path)
    run(parser, "evaluating")
    metrics = json.loads((tmp_path / "evaluation" / "metrics.json").read_text())
    splits = json.loads((tmp_path / "splits.json").read_text())["splits"]
    assert metrics["subjects"]["evaluated"] == len(splits["train"]) > 3
    assert metrics["provenance"]["split"] == "train"
    assert metrics["provenance"]["settings"]["roi_size"] == [32, 32, 32]
    assert len(metrics["provenance"]["checkpoint"]["sha256"]) == 64
    assert metrics["image"]["t1c"]["ssim_brain"]["value"] is not None
    names = {file.name for file in (tmp_path / "evaluation").iterdir()}
    assert {
        "metrics.json",
        "predictions.csv",
        "report.html",
        "predicted_against_measured.png",
        "latent_correlation.png",
    } <= names


def test_the_config_repeats_scans_end_to_end(phantom_dir: Path, tmp_path: Path) -> None:
    parser = a_parser(phantom_dir, tmp_path)
    parser.update({"evaluate_split": "train", "repeated_scans": 4, "repeats": 3})
    write_untrained_weights(parser, tmp_path)
    # An untrained network sees no tumour anywhere, and its features are the same for every scan.
    file, generator = tmp_path / "checkpoints" / "model.pt", torch.Generator().manual_seed(1)
    state = torch.load(file, weights_only=True)
    for name in state:
        if name.endswith(".weight"):
            state[name] += 0.3 * torch.randn(state[name].shape, generator=generator)
    torch.save(state, file)
    run(parser, "repeating")
    report = json.loads((tmp_path / "evaluation" / "repeatability.json").read_text())
    assert (report["scans"], report["repeats"], report["changes"]) == (4, 3, parser["rescan"])
    assert report["meaning"].endswith("a lower limit for real rescans")
    # The repeats differ, and flips, which would move the tumour, are not among what changes.
    assert all(one["within_sd"]["value"] > 1e-6 for one in report["features"].values())
    assert report["provenance"]["split"] == "train"


def test_the_config_traverses_a_checkpoint_end_to_end(phantom_dir: Path, tmp_path: Path) -> None:
    parser = a_parser(phantom_dir, tmp_path)
    parser.update({"evaluate_split": "train", "traversal_scans": 2, "traversal_steps": 3})
    parser["targets"]["vol"] = ["vol_total", "vol_ed"]
    parser["traversal_features"] = ["vol_total", "loc_x_total", "sphericity_total"]
    write_untrained_weights(parser, tmp_path)
    run(parser, "traversing")
    report = json.loads((tmp_path / "evaluation" / "traversals.json").read_text())
    assert report["provenance"]["split"] == "train"
    assert report["options"]["steps"] == 3
    splits = json.loads((tmp_path / "splits.json").read_text())["splits"]
    assert report["directions"]["usual"]["missing"].startswith(f"{len(splits['train'])} encoded scans; at least 12")
    found = report["directions"]["nearest"]
    # An untrained decoder draws no tumour, and the report says so.
    assert found["features"]["vol_total"]["without_the_region"]["maps"] == 2 * 3
    assert found["features"]["vol_total"]["slope"]["value"] is None
    assert found["together"]["vol_total"]["moved_too"] == ["vol_ed"]
    names = {file.name for file in (tmp_path / "evaluation").iterdir()}
    assert {
        "traversal_curves_nearest.png",
        "traversal_leakage_nearest.png",
        "traversal_of_vol_total_nearest.gif",
    } <= names
