"""The recipes on which subjects meet in a batch and what they teach each other, each trained for two epochs."""

import copy
import csv
import math
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from monai.bundle import ConfigParser, ConfigWorkflow
from tiny_networks import THREE_STAGES

from semivae_bundle.data.phantom.cohort import generate_phantoms

ROOT = Path(__file__).parents[2]
CONFIGS = ROOT / "configs"
TINY: dict[str, Any] = {
    **THREE_STAGES,
    "targets": {"vol": ["vol_total"], "loc": ["loc_x_total"], "shape": ["sphericity_total"]},
    "residualise": {},
    "residualise_degree": 1,
    "split_fractions": {"train": 0.75, "validation": 0.25},
    "device": "$torch.device('cpu')",
    "amp": False,
    "workers": 1,
    "loader_workers": 0,
    "progress": False,
    "batch_size": 2,
    "epochs": 2,
}


def workflow_of(recipes: tuple[str, ...], dataset_dir: Path, output_dir: Path, **more: Any) -> ConfigWorkflow:
    """What `python -m monai.bundle run training` makes of train.json and the recipes."""
    files = [str(CONFIGS / "train.json"), *(str(CONFIGS / "recipes" / f"{name}.yaml") for name in recipes)]
    options = {**copy.deepcopy(TINY), "dataset_dir": str(dataset_dir), "output_dir": str(output_dir), **more}
    workflow = ConfigWorkflow(
        files,
        meta_file=str(CONFIGS / "metadata.json"),
        logging_file=False,
        workflow_type="train",
        run_id="training",
        **options,
    )
    workflow.initialize()
    return workflow


def trained(recipes: tuple[str, ...], dataset_dir: Path, output_dir: Path, **more: Any) -> ConfigParser:
    workflow = workflow_of(recipes, dataset_dir, output_dir, **more)
    workflow.run()
    return workflow.parser


def figures(output_dir: Path) -> dict[tuple[int, str], float]:
    with (output_dir / "metrics.csv").open(newline="") as stream:
        rows = [(int(row["epoch"]), row["name"], float(row["value"])) for row in csv.DictReader(stream)]
    return {(epoch, name): value for epoch, name, value in rows if not name.startswith("time/")}


@pytest.fixture(scope="module")
def visits_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five phantom patients of two visits, one of them without masks."""
    folder = tmp_path_factory.mktemp("visits")
    generate_phantoms(folder, 5, size=32, spacing=7.5, seed=0, unlabelled=0.2, visits=2, workers=1, progress=False)
    return folder


@pytest.mark.parametrize("loader_workers", [0, 1])
def test_a_mean_teacher_on_half_labelled_batches_resumes_exactly(
    phantom_dir: Path, tmp_path: Path, loader_workers: int
) -> None:
    recipes = ("semi_supervised", "mean_teacher")
    more = {"schedules#consistency#start": 0, "loader_workers": loader_workers}
    parser = trained(recipes, phantom_dir, tmp_path / "whole", **more)
    trained(recipes, phantom_dir, tmp_path / "broken", **more, **{"train#trainer#max_epochs": 1})
    trained(recipes, phantom_dir, tmp_path / "broken", **more)
    found, expected = figures(tmp_path / "broken"), figures(tmp_path / "whole")
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-6, nan_ok=True)
    assert expected[2, "train/consistency"] > 0
    assert expected[2, "weight/consistency"] > 0
    assert not any("val_epoch/consistency" in name for _, name in expected)
    teacher, student = parser.get_parsed_content("ema_network"), parser.get_parsed_content("network")
    assert not torch.equal(teacher.posterior.parts[0].mean.weight, student.posterior.parts[0].mean.weight)


def test_the_teacher_teaches_the_segmentation_that_the_default_features_read() -> None:
    files = [str(CONFIGS / "train.json"), str(CONFIGS / "recipes" / "mean_teacher.yaml")]
    parser = ConfigParser(ConfigParser.load_config_files(files))
    parser.update({**copy.deepcopy(TINY), "train#steps": 10})
    torch.manual_seed(0)
    network, views = parser.get_parsed_content("network"), torch.randn(2, 2, 4, 32, 32, 32)
    output = parser.get_parsed_content("train#inferer")(views[0], network, teacher_image=views[1])
    target = {"labelled": torch.zeros(2, dtype=torch.bool), "brain": torch.ones(2, 1, 32, 32, 32)}
    parser.get_parsed_content("loss#extra#consistency")(output, target).backward()
    encoder = network.encoder
    for part in (encoder.stem, encoder.segment):
        assert any(parameter.grad is not None and parameter.grad.any() for parameter in part.parameters())


def test_the_mean_teacher_keeps_the_average_as_the_recipe_of_that_name_does() -> None:
    ema, mean_teacher = (
        yaml.safe_load((CONFIGS / "recipes" / f"{n}.yaml").read_text()) for n in ("ema", "mean_teacher")
    )
    shared = set(ema) - {"_desc_"}
    assert {name: mean_teacher[name] for name in shared} == {name: ema[name] for name in shared}


@pytest.mark.parametrize("steps", [200, 900, 6000])
def test_the_average_has_forgotten_the_first_weights_when_the_teacher_is_first_asked(steps: int) -> None:
    files = [str(CONFIGS / "train.json"), str(CONFIGS / "recipes" / "mean_teacher.yaml")]
    parser = ConfigParser(ConfigParser.load_config_files(files))
    parser.update(
        {"train#steps": steps, "network": {"_target_": "torch.nn.Linear", "in_features": 1, "out_features": 1}}
    )
    momentum = parser.get_parsed_content("ema").momentum
    asked = steps * parser.get_parsed_content("schedules#consistency").start / parser.get_parsed_content("epochs")
    assert (1 - momentum) ** asked < 0.02
    assert 1 / momentum < 0.1 * steps


def test_visits_are_paired_and_cost_what_they_should(visits_dir: Path, tmp_path: Path) -> None:
    parser = trained(("longitudinal_pairs",), visits_dir, tmp_path, batch_size=4)
    for batch in parser.get_parsed_content("train#dataloader"):
        assert len(batch["patient"]) == 2 * len(set(batch["patient"].tolist()))
    found = figures(tmp_path)
    assert 0 < found[2, "train/visits"] < 10
    assert found[2, "weight/visits"] > 0


def test_a_cohort_without_second_visits_is_refused(phantom_dir: Path, tmp_path: Path) -> None:
    workflow = workflow_of(("longitudinal_pairs",), phantom_dir, tmp_path, batch_size=4)
    with pytest.raises(RuntimeError) as caught:
        workflow.run()
    error: BaseException | None = caught.value
    while error is not None and error.__cause__ is not None:
        error = error.__cause__
    assert "expected a training patient with two visits" in str(error)


def test_hidden_labels_reach_no_target_and_not_the_normalizer(phantom_dir: Path, tmp_path: Path) -> None:
    parser = trained(("label_fraction",), phantom_dir, tmp_path, label_fraction=0.6)
    samples = list(parser.get_parsed_content("train#dataset"))
    names = parser.get_parsed_content("kept_names")
    kept = [sample for sample in samples if sample["subject"] in names]
    assert (len(samples), len(kept)) == (7, 3)
    for sample in samples:
        held = (bool(sample["labelled"]), bool(sample["regions"].any()), bool(sample["present"].any()))
        assert held == (sample["subject"] in names,) * 3
    scales = parser.get_parsed_content("normalizer").scales
    assert {scale.subjects for scale in scales} == {3}


def test_the_unlabelled_can_be_left_out_altogether(phantom_dir: Path, tmp_path: Path) -> None:
    recipes = ("label_fraction", "label_fraction_only")
    parser = workflow_of(recipes, phantom_dir, tmp_path, label_fraction=0.6).parser
    data = parser.get_parsed_content("train#dataset#data")
    assert len(data) == 3
    assert all("label" in item for item in data)
    everybody = workflow_of(("label_fraction_only",), phantom_dir, tmp_path / "all").parser
    assert len(everybody.get_parsed_content("train#dataset#data")) > 3


def test_the_recipes_are_laid_over_each_other(phantom_dir: Path, tmp_path: Path) -> None:
    recipes = ("ema", "label_fraction", "semi_supervised", "mean_teacher", "independence_distance")
    parser = workflow_of(recipes, phantom_dir, tmp_path, label_fraction=0.6, batch_size=4).parser
    batch = next(iter(parser.get_parsed_content("train#dataloader")))
    assert batch["labelled"].sum() == 2
    assert batch["teacher_image"].shape == batch["image"].shape
    assert not torch.equal(batch["teacher_image"], batch["image"])
    assert set(parser.get_parsed_content("loss").extra) == {"consistency", "distance"}
    assert "teacher_image" not in parser.get_parsed_content("validate#dataset")[0]


def test_both_needs_of_a_batch_go_together() -> None:
    names = ("longitudinal_pairs", "mean_teacher")
    files = [str(CONFIGS / "train.json"), *(str(CONFIGS / "recipes" / f"{name}.yaml") for name in names)]
    parser = ConfigParser(ConfigParser.load_config_files(files))
    prepare = parser.get_parsed_content("train#trainer#prepare_batch")
    batch = {name: torch.ones(2) for name in (*prepare.names, "teacher_image")}
    _, target, _, more = prepare(batch)
    assert "patient" in target
    assert "teacher_image" in more


@pytest.mark.parametrize("recipes", list(permutations(["semi_supervised", "longitudinal_pairs"])))
def test_of_two_plans_of_batches_the_one_that_is_replaced_is_missed(
    recipes: tuple[str, ...], visits_dir: Path, tmp_path: Path
) -> None:
    parser = workflow_of(recipes, visits_dir, tmp_path, batch_size=4, labelled_fraction=0.75).parser
    with pytest.raises(RuntimeError) as caught:
        parser.get_parsed_content("settings")
    error: BaseException = caught.value
    while error.__cause__ is not None:
        error = error.__cause__
    assert "train#dataloader: expected batches of" in str(error)


def test_the_encoder_s_extra_steps_see_the_teacher_s_view_too(phantom_dir: Path, tmp_path: Path) -> None:
    more = {"lagging#steps": 1, "lagging#last_epoch": 2, "schedules#consistency#start": 0}
    parser = trained(("semi_supervised", "lagging_inference", "mean_teacher"), phantom_dir, tmp_path, **more)
    assert parser.get_parsed_content("lagging").best > -math.inf
    assert figures(tmp_path)[2, "train/consistency"] > 0


@pytest.mark.parametrize("recipe", ["semi_supervised", "longitudinal_pairs"])
def test_laid_last_a_plan_of_batches_takes_the_place_of_the_sampler_of_several_processes(recipe: str) -> None:
    files = [CONFIGS / "train.json", CONFIGS / "multi_gpu_train.json", CONFIGS / "recipes" / f"{recipe}.yaml"]
    loader = ConfigParser(ConfigParser.load_config_files([str(file) for file in files]))["train#dataloader"]
    assert "batch_sampler" in loader
    # What torch's DataLoader refuses beside it.
    assert not {"sampler", "shuffle", "batch_size", "drop_last"} & set(loader)
