"""The recipes of the heads: two steps, then evaluation, traversal and inference with what was trained."""

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser
from test_recipes import CONFIGS, INFERENCE, SMALL, TRAIN

from semivae_bundle.networks.packing import unpack

EVALUATE = CONFIGS / "evaluate.json"
KINDS = ["grouped_heads", "invertible_heads", "heteroscedastic_heads"]
QUICK: dict[str, Any] = {
    "intervals#resamples": 20,
    "intervals#permutations": 5,
    "latent_scores#trees": 5,
    "latent_scores#draws": 20,
    "shown_subjects": 1,
    "evaluate_split": "train",
    "traversal_features": ["vol_total", "sphericity_total"],
    "traversal_scans": 1,
    "traversal_steps": 3,
}


def laid(recipe: str, *bases: Path, **options: Any) -> ConfigParser:
    """The recipe after the first config and before the others."""
    files = [bases[0], CONFIGS / "recipes" / f"{recipe}.yaml", *bases[1:]]
    parser = ConfigParser(ConfigParser.load_config_files([str(file) for file in files]))
    parser.update({"device": "$torch.device('cpu')", **options})
    return parser


@pytest.fixture(scope="module", params=KINDS)
def trained(request: pytest.FixtureRequest, phantom_dir: Path, tmp_path_factory: pytest.TempPathFactory):
    """A recipe, the options of a run, and the trainer after its two steps."""
    folder = tmp_path_factory.mktemp(request.param)
    options = {**copy.deepcopy(SMALL), "dataset_dir": str(phantom_dir), "output_dir": str(folder)}
    options |= {"epochs": 1, "val_interval": 1, "semantic_start_epoch": 0, "warmup_epochs": 0}
    torch.manual_seed(0)
    trainer = laid(request.param, TRAIN, **copy.deepcopy(options)).get_parsed_content("train#trainer")
    trainer.run()
    return request.param, options, trainer


def test_two_steps_are_taken_and_kept(trained) -> None:
    recipe, options, trainer = trained
    assert trainer.state.iteration == 2
    weights = torch.load(Path(options["output_dir"]) / "checkpoints" / "model.pt", weights_only=True)
    torch.manual_seed(0)
    network = laid(recipe, TRAIN, **copy.deepcopy(options)).get_parsed_content("network_def")
    fresh = network.state_dict()
    moved = {name.split(".")[0] for name in weights if not torch.equal(weights[name], fresh[name])}
    assert {"encoder", "posterior", "heads", "decoder"} <= moved
    assert ("extra" in moved) == (recipe == "heteroscedastic_heads")


def test_what_was_trained_is_evaluated_and_traversed(trained) -> None:
    recipe, options, _ = trained
    parser = laid(recipe, TRAIN, EVALUATE, **copy.deepcopy(options), **QUICK)
    for run in ("evaluating", "traversing"):
        for i in range(len(parser[run])):
            parser.get_parsed_content(f"{run}#{i}")
    folder = Path(options["output_dir"]) / "evaluation"
    assert set(json.loads((folder / "metrics.json").read_text())["features"]) >= {"vol_total", "sphericity_total"}
    usual = json.loads((folder / "traversals.json").read_text())["directions"]["usual"]
    assert ("are not affine" in usual["missing"]) == (recipe == "invertible_heads")


def test_the_inference_config_says_of_a_scan_what_the_trained_network_says(trained) -> None:
    recipe, options, trainer = trained
    names = [name for name in options if name.startswith("network_def")]
    shared = {name: options[name] for name in (*names, "roi_size", "targets", "amp")}
    packed = laid(recipe, INFERENCE, **copy.deepcopy(shared)).get_parsed_content("network_def").eval()
    packed.load_state_dict(trainer.network.state_dict(), strict=True)
    image = torch.randn(1, 4, 32, 32, 32, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        expected, said = trainer.network.eval()(image)["features"][0], unpack(packed(image)[0], 4, 4).features
        scripted = torch.jit.script(packed)(image)
    torch.testing.assert_close(said, expected)
    torch.testing.assert_close(unpack(scripted[0], 4, 4).features, expected)


def test_scans_are_inferred_with_what_was_trained(trained, phantom_dir: Path, tmp_path: Path) -> None:
    recipe, options, _ = trained
    folder, names = Path(options["output_dir"]), [name for name in options if name.startswith("network_def")]
    scan = sorted(path for path in phantom_dir.iterdir() if path.is_dir())[0]
    images = {scan.name: [str(next(scan.glob(f"*-{name}.nii.gz"))) for name in ("t1c", "t1n", "t2f", "t2w")]}
    parser = laid(recipe, INFERENCE, **{name: copy.deepcopy(options[name]) for name in (*names, "roi_size", "targets")})
    parser.update({"images": images, "output_dir": str(tmp_path), "workers": 1, "loader_workers": 0, "progress": False})
    parser["checkpoint"] = str(folder / "checkpoints" / "model.pt")
    parser["normalizer_file"] = str(folder / "normalizer.json")
    parser.get_parsed_content("evaluating")
    header, row = (tmp_path / "features.csv").read_text().splitlines()
    assert row.startswith(scan.name)
    assert "vol_total_mm3" in header


def test_the_heteroscedastic_objective_starts_as_the_plain_one() -> None:
    ours, plain = laid("heteroscedastic_heads", TRAIN), ConfigParser(ConfigParser.load_config_file(str(TRAIN)))
    assert ours.get_parsed_content("feature_sigma") == plain["loss#semantic_sigma"]
    features, goal = torch.randn(2, 13), {"features": torch.randn(2, 13), "present": torch.ones(2, 13)}
    noise = ours.get_parsed_content("network_def").extra["features_log_var"](torch.randn(2, 128)).detach()
    torch.testing.assert_close(noise, torch.full((2, 13), 2 * math.log(0.15)))
    found = ours.get_parsed_content("loss").semantic_terms({"features": features, "features_log_var": noise}, goal)
    torch.testing.assert_close(found, plain.get_parsed_content("loss").semantic_terms({"features": features}, goal))


def test_noise_is_predicted_beside_heads_of_another_recipe() -> None:
    files = [TRAIN, *(CONFIGS / "recipes" / f"{name}.yaml" for name in ("invertible_heads", "heteroscedastic_heads"))]
    parser = ConfigParser(ConfigParser.load_config_files([str(file) for file in files]))
    network = parser.get_parsed_content("network_def")
    assert type(network.heads).__name__ == "InvertibleHeads"
    assert list(network.extra) == ["features_log_var"]
    assert parser.get_parsed_content("checks") is None
