"""The recipes that let the residual read a frozen network, with tiny weights that the tests write."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow
from monai.networks.nets.resnet import ResNetFeatures
from monai.networks.nets.swin_unetr import SwinUNETR
from test_dynamics_recipes import root_cause
from test_semi_supervised_recipes import CONFIGS, TINY, trained, visits_dir
from torch import nn

from semivae_bundle.data.files import sha256_of_file

__all__ = ["visits_dir"]  # a fixture
RECIPES = ("learned_residual", "learned_residual_swin", "learned_residual_dinov2")
# Six training scans in batches of four: two steps.
TWO_STEPS: dict[str, Any] = {"batch_size": 4, "epochs": 2}


def any_network(folder: Path) -> tuple[Path, dict[str, Any]]:
    torch.save(nn.Conv3d(1, 3, 3, stride=2).state_dict(), folder / "any.pt")
    network = {"_target_": "torch.nn.Conv3d", "in_channels": 1, "out_channels": 3, "kernel_size": 3, "stride": 2}
    return folder / "any.pt", {"extractor_network": network, "extractor#width": 3}


def swin(folder: Path) -> tuple[Path, dict[str, Any]]:
    pytest.importorskip("einops", reason="Swin UNETR needs einops: pip install -e '.[swin]'")
    torch.save({"state_dict": SwinUNETR(4, 3, feature_size=12).state_dict()}, folder / "swin.pt")
    return folder / "swin.pt", {"extractor_network#embed_dim": 12}


def dinov2(folder: Path) -> tuple[Path, dict[str, Any]]:
    transformers = pytest.importorskip("transformers", reason="needs it: pip install -e '.[dinov2]'")
    sizes = {"hidden_size": 12, "num_hidden_layers": 1, "num_attention_heads": 2, "image_size": 28}
    transformers.Dinov2Model(transformers.Dinov2Config(**sizes)).save_pretrained(folder)
    options = {f"extractor_network#{name}": value for name, value in sizes.items()}
    return folder / "model.safetensors", {**options, "extractor#side": 28, "extractor#slices": 1}


def options_of(recipe: str, folder: Path) -> dict[str, Any]:
    """Overrides for a tiny extractor, whose weights are written to `folder`."""
    torch.manual_seed(0)
    write = {"learned_residual": any_network, "learned_residual_swin": swin, "learned_residual_dinov2": dinov2}
    file, options = write[recipe](folder)
    return {**options, "extractor_weights": str(file), "extractor_sha256": sha256_of_file(file)}


def a_parser(base: str, recipe: str, options: dict[str, Any], *more: str) -> ConfigParser:
    files = [str(CONFIGS / name) for name in (base, f"recipes/{recipe}.yaml", *more)]
    parser = ConfigParser(ConfigParser.load_config_files(files))
    known = {name: value for name, value in {**copy.deepcopy(TINY), **options}.items() if name in parser}
    parser.update(known)
    return parser


@pytest.mark.parametrize("recipe", RECIPES)
def test_two_steps_train_the_projection_and_what_was_trained_is_inferred_with(
    recipe: str, phantom_dir: Path, tmp_path: Path
) -> None:
    options = options_of(recipe, tmp_path)
    parser = trained(("ema", recipe), phantom_dir, tmp_path / "out", **TWO_STEPS, **options)
    network, average = (parser.get_parsed_content(name) for name in ("network", "ema_network"))
    learned = network.encoder.readouts["learned"]
    assert average.encoder.readouts["learned"].extractor.module is learned.extractor.module
    assert learned.project.weight.grad.any()
    kept = torch.load(tmp_path / "out" / "checkpoints" / "model.pt", weights_only=True)
    names = {name.split("learned.")[1] for name in kept if "learned." in name}
    assert names == {"norm.weight", "norm.bias", "project.weight", "project.bias", "fingerprint"}
    packed = a_parser("inference.json", recipe, options).get_parsed_content("network_def").eval()
    packed.load_state_dict(kept)
    assert isinstance(packed(torch.randn(1, 4, 32, 32, 32)), torch.Tensor)
    reads = dict(zip(parser["partition"], (part.reads for part in packed.posterior.parts), strict=True))
    assert [name for name, features in reads.items() if "learned" in features] == ["residual"]


def test_visits_and_frozen_features_go_together(visits_dir: Path, tmp_path: Path) -> None:
    options = {**TWO_STEPS, **options_of("learned_residual", tmp_path)}
    options["schedules#visits#start"] = -1.0
    parser = trained(("longitudinal_pairs", "learned_residual"), visits_dir, tmp_path / "out", **options)
    loss, network = parser.get_parsed_content("loss"), parser.get_parsed_content("network").train()
    image = torch.randn(4, 4, 32, 32, 32, generator=torch.Generator().manual_seed(0))
    network.zero_grad()
    loss.extra["visits"](network(image), {"patient": torch.tensor([0, 0, 1, 1])}).backward()
    assert network.encoder.readouts["learned"].project.weight.grad.any()
    assert loss.weight_of("visits") > 0


@pytest.fixture
def checkpoint(phantom_dir: Path, tmp_path: Path) -> dict[str, Any]:
    """Options of a run with untrained weights of `learned_residual` and its normalizer."""
    options = options_of("learned_residual", tmp_path)
    options |= {"dataset_dir": str(phantom_dir), "output_dir": str(tmp_path / "out")}
    parser = a_parser("train.json", "learned_residual", options)
    parser.get_parsed_content("normalizer")
    (tmp_path / "out" / "checkpoints").mkdir()
    torch.save(parser.get_parsed_content("network_def").state_dict(), tmp_path / "out" / "checkpoints" / "model.pt")
    return options


def test_it_is_evaluated(checkpoint: dict[str, Any]) -> None:
    options = {**checkpoint, "evaluate_split": "train"}
    parser = a_parser("train.json", "learned_residual", options, "evaluate.json")
    for i in range(len(parser["evaluating"])):
        parser.get_parsed_content(f"evaluating#{i}")
    metrics = json.loads((Path(options["output_dir"]) / "evaluation" / "metrics.json").read_text())
    assert metrics["subjects"]["evaluated"] > 3


def test_scans_are_inferred_with_it_and_not_with_another_extractor(checkpoint: dict[str, Any], tmp_path: Path) -> None:
    def infer(**options: Any) -> None:
        files = [str(CONFIGS / "inference.json"), str(CONFIGS / "recipes" / "learned_residual.yaml")]
        given = {name: value for name, value in {**TINY, **checkpoint}.items() if name not in LEFT_OUT}
        given |= {"checkpoint": f"{checkpoint['output_dir']}/checkpoints/model.pt", "output_dir": str(tmp_path / "in")}
        given |= {"normalizer_file": f"{checkpoint['output_dir']}/normalizer.json", **options}
        meta = str(CONFIGS / "metadata.json")
        workflow = ConfigWorkflow(files, meta, logging_file=False, workflow_type="infer", run_id="evaluating", **given)
        workflow.initialize()
        workflow.run()

    infer()
    assert len((tmp_path / "in" / "latents.csv").read_text().splitlines()) == 9
    torch.manual_seed(9)
    torch.save(nn.Conv3d(1, 3, 3, stride=2).state_dict(), tmp_path / "other.pt")
    other = {"extractor_weights": str(tmp_path / "other.pt"), "extractor_sha256": sha256_of_file(tmp_path / "other.pt")}
    with pytest.raises(RuntimeError) as caught:
        infer(**other, overwrite=True)
    assert "an extractor of other weights" in str(root_cause(caught.value))


# What train.json has and inference.json has not.
LEFT_OUT = {"residualise", "residualise_degree", "split_fractions", "batch_size", "epochs"}


def test_the_network_that_the_general_recipe_names_has_the_width_that_it_states(tmp_path: Path) -> None:
    torch.save(ResNetFeatures("resnet10", pretrained=False, in_channels=1).state_dict(), tmp_path / "resnet.pt")
    options = {"extractor_weights": str(tmp_path / "resnet.pt")}
    options["extractor_sha256"] = sha256_of_file(tmp_path / "resnet.pt")
    extractor = a_parser("train.json", "learned_residual", options).get_parsed_content("extractor")
    with torch.no_grad():
        assert extractor(torch.zeros(1, 4, 32, 32, 32)).shape == (1, extractor.size) == (1, 2048)


@pytest.mark.parametrize("recipe", RECIPES)
def test_without_weights_the_recipe_says_what_to_pass(recipe: str) -> None:
    if recipe.endswith("dinov2"):
        pytest.importorskip("transformers", reason="needs it: pip install -e '.[dinov2]'")
    with pytest.raises(RuntimeError) as caught:
        a_parser("train.json", recipe, {}).get_parsed_content("network_def")
    assert "found None; fetch it and pass --extractor_weights FILE" in str(root_cause(caught.value))
