"""The modality designs from training to inference, two tiny steps each."""

import copy
import json
from pathlib import Path

import pytest
import torch
from monai.bundle import ConfigParser, ConfigWorkflow
from test_recipes import CONFIGS, INFERENCE, SMALL, TRAIN, overlaid

from semivae_bundle.losses.modality_balance import balanced_nll
from semivae_bundle.losses.reconstruction import pooled_nll

RECIPES = CONFIGS / "recipes"
EVALUATE = CONFIGS / "evaluate.json"
DESIGNS = ("modality_stem", "modality_decoders")
SHORT = {"epochs": 1, "batch_size": 2, "device": "$torch.device('cpu')", "network_def#decoder#atlas#side": 8}


def a_parser(recipe: str, phantom_dir: Path, folder: Path, *more: Path) -> ConfigParser:
    files = [TRAIN, RECIPES / f"{recipe}.yaml", *more]
    parser = ConfigParser(ConfigParser.load_config_files([str(file) for file in files]))
    parser.update({"dataset_dir": str(phantom_dir), "output_dir": str(folder), **copy.deepcopy(SMALL), **SHORT})
    return parser


@pytest.fixture(scope="module", params=DESIGNS)
def trained(request, phantom_dir: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, Path]:
    """A recipe and its folder after an epoch of two steps."""
    folder = tmp_path_factory.mktemp(request.param)
    torch.manual_seed(0)
    trainer = a_parser(request.param, phantom_dir, folder).get_parsed_content("train#trainer")
    trainer.run()
    assert trainer.state.iteration == 2
    return request.param, folder


def test_a_design_is_evaluated_under_its_recipe(trained, phantom_dir: Path) -> None:
    recipe, folder = trained
    parser = a_parser(recipe, phantom_dir, folder, EVALUATE)
    parser.update({"evaluate_split": "validation", "shown_subjects": 1, "intervals#resamples": 20})
    for i in range(len(parser["evaluating"])):
        parser.get_parsed_content(f"evaluating#{i}")
    metrics = json.loads((folder / "evaluation" / "metrics.json").read_text())
    assert metrics["subjects"]["evaluated"] > 0
    assert metrics["image"]["t2w"]["psnr_brain_db"]["value"] is not None


def test_a_design_infers_under_its_recipe(trained, phantom_dir: Path, tmp_path: Path) -> None:
    recipe, folder = trained
    names = ("roi_size", "targets", "amp", "workers", "loader_workers", "progress")
    options = {name: value for name, value in {**SMALL, **SHORT}.items() if name in names or name.startswith("network")}
    workflow = ConfigWorkflow(
        [str(INFERENCE), str(RECIPES / f"{recipe}.yaml")],
        meta_file=str(CONFIGS / "metadata.json"),
        logging_file=False,
        workflow_type="infer",
        run_id="evaluating",
        **options,
        device="$torch.device('cpu')",
        dataset_dir=str(phantom_dir),
        output_dir=str(tmp_path),
        checkpoint=str(folder / "checkpoints" / "model.pt"),
        normalizer_file=str(folder / "normalizer.json"),
    )
    workflow.initialize()
    workflow.run()
    workflow.finalize()
    assert len((tmp_path / "latents.csv").read_text().splitlines()) == 9


def test_the_decoders_are_smaller_and_together_as_large_as_the_one_they_replace() -> None:
    one, four = (
        sum(p.numel() for p in parser.get_parsed_content("network_def").decoder.parameters())
        for parser in (overlaid(TRAIN, TRAIN), overlaid(TRAIN, RECIPES / "modality_decoders.yaml"))
    )
    assert four == pytest.approx(one, rel=0.1)


def test_only_the_decoders_recipe_balances_the_modalities() -> None:
    assert overlaid(TRAIN, RECIPES / "modality_decoders.yaml").get_parsed_content("loss").image_nll is balanced_nll
    assert overlaid(TRAIN, RECIPES / "modality_stem.yaml").get_parsed_content("loss").image_nll is pooled_nll


@pytest.mark.parametrize("others", [("demo", *DESIGNS), (*DESIGNS, "single_modality"), ("roi_128", *DESIGNS, "demo")])
def test_the_designs_lie_over_each_other_and_over_other_sizes(others: tuple[str, ...]) -> None:
    files = [TRAIN, *(RECIPES / f"{name}.yaml" for name in others)]
    parser = ConfigParser(ConfigParser.load_config_files([str(file) for file in files]))
    network = parser.get_parsed_content("network_def").eval()
    channels = parser["network_def#encoder#in_channels"]
    image = torch.zeros(1, channels, *parser["roi_size"])
    with torch.no_grad():
        assert network(image)["reconstruction"].shape == image.shape


def test_a_single_modality_is_named_in_what_its_checkpoints_are_made_for() -> None:
    train = overlaid(TRAIN, RECIPES / "single_modality.yaml")
    assert train["train#handlers#9#_target_"].endswith("Checkpoints")
    assert train["train#handlers#9#made_for"].startswith(
        ConfigParser.load_config_file(str(TRAIN))["train"]["handlers"][9]["made_for"]
    )
    assert train["training"][-4] == "$@train#trainer.run()"


def test_a_model_of_one_modality_is_told_that_evaluation_takes_four(phantom_dir: Path, tmp_path: Path) -> None:
    parser = a_parser("single_modality", phantom_dir, tmp_path, EVALUATE)
    parser["evaluate_split"] = "validation"
    (tmp_path / "checkpoints").mkdir()
    torch.save(parser.get_parsed_content("network_def").state_dict(), tmp_path / "checkpoints" / "model.pt")
    with pytest.raises(RuntimeError) as caught:
        parser.get_parsed_content("evaluating")
    assert "expected an image of 4 channels" in repr(caught.getrepr(style="native"))
