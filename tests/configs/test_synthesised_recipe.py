"""Training with contrasts drawn anew: two tiny steps, resumed exactly, on phantoms with their tissue."""

import csv
from pathlib import Path
from typing import Any

import pytest
import torch
from monai.bundle import ConfigParser
from test_semi_supervised_recipes import trained, workflow_of

from semivae_bundle.data.dataset import CachedSubjects
from semivae_bundle.data.phantom.cohort import generate_phantoms
from semivae_bundle.data.synthesised import SynthesisedSubjects

CONFIGS = Path(__file__).parents[2] / "configs"
RECIPE = ("synthesised_contrast",)


@pytest.fixture(scope="module")
def tissue_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four phantoms with tissue, 32³ voxels of 7.5 mm."""
    folder = tmp_path_factory.mktemp("tissues")
    generate_phantoms(folder, 4, size=32, spacing=7.5, tissues=True, workers=1, progress=False)
    return folder


def losses(output_dir: Path) -> dict[tuple[str, str], float]:
    with (output_dir / "metrics.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    return {(row["epoch"], row["name"]): float(row["value"]) for row in rows if not row["name"].startswith("time/")}


@pytest.mark.parametrize("loader_workers", [0, 1])
def test_a_run_cut_in_two_draws_what_a_whole_one_draws(tissue_dir: Path, tmp_path: Path, loader_workers: int) -> None:
    more: dict[str, Any] = {"loader_workers": loader_workers}
    trained(RECIPE, tissue_dir, tmp_path / "whole", **more)
    trained(RECIPE, tissue_dir, tmp_path / "broken", **more, **{"train#trainer#max_epochs": 1})
    trained(RECIPE, tissue_dir, tmp_path / "broken", **more)
    whole, broken = losses(tmp_path / "whole"), losses(tmp_path / "broken")
    assert broken == pytest.approx(whole, rel=1e-6, abs=1e-6, nan_ok=True)
    assert ("2", "train/loss") in whole


def test_training_sees_new_contrasts_and_validation_the_written_images(tissue_dir: Path, tmp_path: Path) -> None:
    parser = workflow_of(RECIPE, tissue_dir, tmp_path).parser
    train, validate = (parser.get_parsed_content(f"{part}#dataset") for part in ("train", "validate"))
    assert type(train) is SynthesisedSubjects
    assert type(validate) is CachedSubjects
    assert not torch.equal(train[0]["image"], train[0]["image"])
    assert torch.equal(validate[0]["image"], validate[0]["image"])


@pytest.mark.parametrize("order", [("mean_teacher", *RECIPE), ("ema", "semi_supervised", *RECIPE)])
def test_it_is_laid_over_other_recipes(tissue_dir: Path, tmp_path: Path, order: tuple[str, ...]) -> None:
    parser = workflow_of(order, tissue_dir, tmp_path).parser
    train = parser.get_parsed_content("train#dataset")
    images = [train.set_random_state(seed)[0]["image"] for seed in (1, 1, 2)]
    assert torch.equal(images[0], images[1])
    assert not torch.equal(images[0], images[2])
    assert ("teacher_image" in train[0]) == ("mean_teacher" in order)


def test_a_cohort_without_tissue_is_refused_with_the_remedy(phantom_dir: Path, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError) as caught:
        workflow_of(RECIPE, phantom_dir, tmp_path).run()
    error: BaseException | None = caught.value
    while error is not None and error.__cause__ is not None:
        error = error.__cause__
    assert "-tissues.npz" in str(error) and "--tissues" in str(error)


def test_repeats_of_another_scanner_are_new_images_of_the_same_tumour(tissue_dir: Path, tmp_path: Path) -> None:
    parser = workflow_of(RECIPE, tissue_dir, tmp_path).parser
    for file in ("evaluate.json", "recipes/another_scanner.yaml"):
        parser.update(ConfigParser.load_config_file(str(CONFIGS / file)))
    parser["evaluate_split"] = "train"
    rescanned, randomness = (parser.get_parsed_content(name) for name in ("rescanned", "rescanned_randomness"))
    assert randomness is rescanned
    first, again = rescanned[0], rescanned[0]
    assert not torch.equal(first["image"], again["image"])
    assert torch.equal(first["regions"], again["regions"])
    assert torch.equal(first["features"], again["features"])
    images = [randomness.set_random_state(seed)[0]["image"] for seed in (1, 1)]
    assert torch.equal(*images)
    assert parser.get_parsed_content("rescan").style == "mixed"
    assert parser["rescan_meaning"].endswith("as on another scanner")
