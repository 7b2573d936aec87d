"""The recipes that give partitions readouts of their own: trained for two steps, evaluated, and used for inference."""

import copy
import csv
import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser
from tiny_networks import THREE_STAGES

from semivae_bundle.bundle_run import run_step
from semivae_bundle.evaluation.attention_maps import AttentionWatch, enlarged

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"
TINY: dict[str, Any] = {
    **THREE_STAGES,
    # The channel attention has an eighth of the channels as hidden units; a single one would die.
    "network_def#encoder#base_filters": 16,
    "targets": {"vol": ["vol_total"], "loc": ["loc_x_total"], "shape": ["sphericity_total"]},
    "device": "$torch.device('cpu')",
    "amp": False,
    "workers": 1,
    "loader_workers": 0,
    "progress": False,
}
TRAINING = {
    "residualise": {},
    "residualise_degree": 1,
    "split_fractions": {"train": 0.5, "validation": 0.5},
    "batch_size": 4,
    "epochs": 2,
}
QUICK = {
    "evaluate_split": "validation",
    "intervals#resamples": 10,
    "intervals#permutations": 5,
    "latent_scores#trees": 2,
    "latent_scores#draws": 10,
    "shown_subjects": 0,
}
# Partitions with a map, and maps in each.
MAPS = {
    "partition_attention": {"vol": 1, "loc": 1, "shape": 1, "residual": 1},
    "coordinate_pooling": {"loc": 4},
    "multi_scale_shape": {},
}
Trained = tuple[str, Path, dict[str, Any]]


@pytest.fixture(scope="module", params=list(MAPS))
def trained(request: pytest.FixtureRequest, phantom_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A recipe trained for two epochs of one step: its name, its outputs, what inference needs of them."""
    out = tmp_path_factory.mktemp(request.param)
    options = {**copy.deepcopy(TINY), **copy.deepcopy(TRAINING), "bundle_root": str(ROOT)}
    run_step("training", ["train.json"], request.param, dataset_dir=str(phantom_dir), output_dir=str(out), **options)
    weights = {
        "checkpoint": str(out / "checkpoints" / "model.pt"),
        "normalizer_file": str(out / "normalizer.json"),
        "dataset_dir": str(phantom_dir),
        "output_dir": str(out / "inference"),
        "bundle_root": str(ROOT),
        **copy.deepcopy(TINY),
    }
    return request.param, out, weights


def the_config(name: str, recipe: str) -> ConfigParser:
    files = [str(CONFIGS / name), str(CONFIGS / "recipes" / f"{recipe}.yaml")]
    parser = ConfigParser(ConfigParser.load_config_files(files))
    parser.update(copy.deepcopy(TINY))
    return parser


def test_two_steps_give_every_parameter_of_the_readouts_a_gradient(trained: Trained) -> None:
    recipe, out, _ = trained
    names = [name for name, _ in the_config("train.json", recipe).get_parsed_content("network_def").named_parameters()]
    state = torch.load(out / "checkpoints" / "last.pt", weights_only=True)["optimizer"]["state"]
    readouts = {name: bool(state[i]["exp_avg_sq"].any()) for i, name in enumerate(names) if ".readouts." in name}
    assert readouts
    assert all(readouts.values()), readouts


def test_the_evaluation_says_how_much_of_the_attention_lies_in_the_tumour(trained: Trained, phantom_dir: Path) -> None:
    recipe, out, _ = trained
    options = {**copy.deepcopy(TINY), **copy.deepcopy(TRAINING), **QUICK, "bundle_root": str(ROOT)}
    configs = ["train.json", "evaluate.json"]
    run_step("evaluating", configs, recipe, dataset_dir=str(phantom_dir), output_dir=str(out), **options)
    metrics = json.loads((out / "evaluation" / "metrics.json").read_text())
    section = metrics.get("attention_in_tumour", {})
    assert section.keys() == (MAPS[recipe].keys() | {"even_over_brain"} if MAPS[recipe] else set())
    for figure in section.values():
        assert 0 < figure["value"] < 1
        assert figure["subjects"] == metrics["subjects"]["labelled"]


def test_inference_takes_the_recipe(trained: Trained) -> None:
    recipe, out, options = trained
    run_step("evaluating", ["inference.json"], recipe, **{**options, "output_dir": str(out / "plain")})
    with (out / "plain" / "latents.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 8
    assert not list(out.glob("plain/*/*_attention_*"))


def expected_map(recipe: str, name: str, options: dict[str, Any], subject: str) -> np.ndarray:
    """The map of one partition on the network's grid, RAS, straight from the network: (D, H, W, K)."""
    parser = the_config("inference.json", recipe)
    network = parser.get_parsed_content("network_def").eval()
    network.load_state_dict(torch.load(options["checkpoint"], weights_only=True))
    scans = sorted((Path(options["dataset_dir"]) / subject).glob("*-t*.nii.gz"))
    image = parser.get_parsed_content("preprocessing")({"image": [str(scan) for scan in scans]})["image"].as_tensor()
    watch = AttentionWatch(network, list(parser["partition"]))
    watch.start()
    with torch.no_grad():
        network(image[None])
    return enlarged(watch.latest()[name], image.shape[1:])[0].permute(1, 2, 3, 0).numpy()


def test_attention_maps_are_written_on_the_grid_of_the_scan(trained: Trained) -> None:
    recipe, out, options = trained
    if not MAPS[recipe]:
        with pytest.raises(RuntimeError) as caught:
            run_step("evaluating", ["inference.json"], [recipe, "attention_maps"], **options)
        assert "expected a network with a partition that reads some" in str(caught.value.__cause__)
        return
    run_step("evaluating", ["inference.json"], [recipe, "attention_maps"], **options)
    scan = sorted(Path(options["dataset_dir"]).glob("*/*-t1c.nii.gz"))[0]
    folder = out / "inference" / scan.parent.name
    for name, count in MAPS[recipe].items():
        file = nibabel.load(folder / f"{folder.name}_attention_{name}.nii.gz")
        assert file.shape == nibabel.load(scan).shape + ((count,) if count > 1 else ())
        assert file.get_data_dtype() == np.float32
        assert np.array_equal(file.affine, nibabel.load(scan).affine)
        # The phantoms fill the field of view, so turning the axes is all that lies between scan and network.
        found = nibabel.as_closest_canonical(file).get_fdata().reshape(32, 32, 32, count)
        assert found.std() > 0
        np.testing.assert_allclose(found, expected_map(recipe, name, options, folder.name), atol=1e-4)
    record = json.loads((out / "inference" / "run.json").read_text())
    files = record["subjects"][folder.name]["files"]
    assert sorted(files) == sorted(f"{folder.name}/{file.name}" for file in folder.iterdir())
    assert len(files) == 1 + len(MAPS[recipe])


def test_maps_of_other_weights_do_not_stay_beside_new_results(trained: Trained, tmp_path: Path) -> None:
    recipe, _, options = trained
    options = {**options, "output_dir": str(tmp_path / "out")}
    if not MAPS[recipe]:
        pytest.skip("has no maps")
    run_step("evaluating", ["inference.json"], [recipe, "attention_maps"], **options)
    assert list(tmp_path.glob("out/*/*_attention_loc.nii.gz"))
    weights = torch.load(options["checkpoint"], weights_only=True)
    weights["decoder.code.bias"] += 1
    torch.save(weights, tmp_path / "other.pt")
    options |= {"checkpoint": str(tmp_path / "other.pt"), "overwrite": True}
    run_step("evaluating", ["inference.json"], recipe, **options)
    assert not list(tmp_path.glob("out/*/*_attention_*"))
