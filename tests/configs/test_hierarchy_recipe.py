"""The recipe hierarchy: two epochs of training, then evaluation, inference weights and counterfactuals."""

import copy
import json
from itertools import permutations
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from monai.bundle import ConfigParser, run
from tiny_networks import THREE_STAGES

from semivae_bundle.evaluation.predictions import latent_columns
from semivae_bundle.losses.heteroscedastic import HeteroscedasticSemiVAELoss
from semivae_bundle.networks.hierarchical import HierarchicalSemiVAE, PackedHierarchicalSemiVAE

CONFIGS = Path(__file__).parents[2] / "configs"
RECIPE, PACKED = (CONFIGS / "recipes" / f"{name}.yaml" for name in ("hierarchy", "hierarchy_inference"))
TINY: dict[str, Any] = {
    **THREE_STAGES,
    "targets": {"vol": ["vol_total"], "loc": ["loc_x_total"], "shape": ["sphericity_total"]},
    "device": "$torch.device('cpu')",
    "amp": False,
    "workers": 1,
    "loader_workers": 0,
    "progress": False,
}
OF_TRAINING: dict[str, Any] = {
    "residualise": {},
    "residualise_degree": 1,
    "split_fractions": {"train": 0.5, "validation": 0.5},
    "batch_size": 2,
    "epochs": 2,
}


@pytest.fixture(scope="module")
def options(phantom_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Options of a run that has trained for two epochs."""
    folder = str(tmp_path_factory.mktemp("hierarchy"))
    options = {**TINY, **OF_TRAINING, "dataset_dir": str(phantom_dir), "output_dir": folder}
    files = [str(CONFIGS / "train.json"), str(RECIPE)]
    run(run_id="training", config_file=files, **copy.deepcopy(options))
    return options


def test_the_recipe_trains_and_its_prior_moves(options: dict[str, Any]) -> None:
    model = torch.load(Path(options["output_dir"]) / "checkpoints" / "model.pt", weights_only=True)
    for name in ("mean", "log_var"):
        assert all(model[f"prior.parts.{i}.{name}.weight"].any() for i in range(3))
    figures = (Path(options["output_dir"]) / "metrics.csv").read_text()
    assert "\n2,train/kl_residual," in figures


@pytest.mark.parametrize("recipes", list(permutations(["hierarchy", "heteroscedastic_heads"])))
def test_with_heads_that_predict_their_noise_it_keeps_its_prior_in_either_order(recipes: tuple[str, ...]) -> None:
    files = [CONFIGS / "train.json", *(CONFIGS / "recipes" / f"{name}.yaml" for name in recipes)]
    parser = ConfigParser(ConfigParser.load_config_files([str(file) for file in files]))
    parser.update(copy.deepcopy(TINY))
    assert type(parser.get_parsed_content("network_def")) is HierarchicalSemiVAE
    loss = parser.get_parsed_content("loss")
    assert type(loss) is HeteroscedasticSemiVAELoss
    code = {name: torch.full((2, 128), 2.0) for name in ("mean", "prior_mean", "log_var", "prior_log_var")}
    free = {f"kl_{name}": size * loss.free_bits[name] for name, size in parser["partition"].items()}
    assert {name: value.item() for name, value in loss.kl_terms(code).items()} == pytest.approx(free)


def test_its_checkpoint_is_evaluated(options: dict[str, Any]) -> None:
    files = [str(CONFIGS / "train.json"), str(RECIPE), str(CONFIGS / "evaluate.json")]
    small = {"intervals#resamples": 20, "intervals#permutations": 5, "shown_subjects": 1}
    run(run_id="evaluating", config_file=files, **copy.deepcopy(options), **small, evaluate_split="validation")
    metrics = json.loads((Path(options["output_dir"]) / "evaluation" / "metrics.json").read_text())
    assert metrics["subjects"]["evaluated"] == 4


def test_its_weights_fit_inference_and_give_counterfactuals(options: dict[str, Any], tmp_path: Path) -> None:
    folder = Path(options["output_dir"])
    parser = ConfigParser(ConfigParser.load_config_files([str(file) for file in (CONFIGS / "inference.json", PACKED)]))
    parser.update({**copy.deepcopy(TINY), "output_dir": str(tmp_path), "counterfactual_volume_factor": 3.0})
    parser["checkpoint"] = str(folder / "checkpoints" / "model.pt")
    parser["normalizer_file"] = str(folder / "normalizer.json")
    names = latent_columns(parser["partition"])
    table = pd.DataFrame(0.5, columns=[f"mean_{name}" for name in names], index=pd.Index(["a", "b"], name="subject"))
    table.to_csv(tmp_path / "latents.csv")
    parser["counterfactual_noise"] = {"_target_": "torch.randn_like", "_mode_": "callable"}
    written = []
    for _ in range(2):
        parser.parse(True)
        parser.get_parsed_content("counterfactual")
        written.append((tmp_path / "counterfactual.csv").read_text())
    assert written[0] == written[1]
    assert isinstance(parser.get_parsed_content("network_def"), PackedHierarchicalSemiVAE)
    found = pd.read_csv(tmp_path / "counterfactual.csv", index_col="subject")
    assert (found["mean_vol_00"] > 0.5).all()
    assert (found["mean_loc_00"] != 0.5).all()


def test_its_weights_infer_from_scans(options: dict[str, Any], tmp_path: Path) -> None:
    folder = Path(options["output_dir"])
    files = [str(file) for file in (CONFIGS / "inference.json", PACKED)]
    given = {**copy.deepcopy(TINY), "dataset_dir": options["dataset_dir"], "output_dir": str(tmp_path)}
    given |= {
        "checkpoint": str(folder / "checkpoints" / "model.pt"),
        "normalizer_file": str(folder / "normalizer.json"),
    }
    run(run_id="evaluating", config_file=files, **given)
    assert len(pd.read_csv(tmp_path / "latents.csv")) == 8
