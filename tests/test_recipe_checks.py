"""Recipes over what they are for, and over each other."""

from pathlib import Path

import pytest

from semivae_bundle.recipe_checks import check_recipes

CONFIGS = Path(__file__).parents[1] / "configs"
TRAINING_ALONE = ("capacity", "curriculum", "ema", "fine_tune", "gradient_norms", "label_fraction", "semi_supervised")
CHANGES_THE_NETWORK = ("coarse_segmentation", "hierarchy_inference", "mlp_heads", "roi_128", "tiny")


def check(config: str, *names: str) -> None:
    check_recipes(str(CONFIGS / config), [str(CONFIGS / "recipes" / f"{name}.yaml") for name in names])


@pytest.mark.parametrize("name", TRAINING_ALONE)
def test_a_recipe_for_training_is_no_recipe_for_inference(name: str) -> None:
    check("train.json", name)
    with pytest.raises(ValueError, match=f"recipe {name}: changes .*, and inference.json has no .*leave it out here"):
        check("inference.json", "tiny", name)


def test_a_recipe_of_the_network_and_one_over_another_recipe_pass(caplog: pytest.LogCaptureFixture) -> None:
    for name in CHANGES_THE_NETWORK:
        check("inference.json", name)
    check("inference.json", "partition_attention", "attention_maps")
    check("train.json", "ema", "mean_teacher")  # set the same average
    check("train.json", "tiny", "demo", "coarse_segmentation", "ema")
    assert not caplog.messages


@pytest.mark.parametrize(
    ("first", "last", "part"),
    [
        ("mlp_heads", "invertible_heads", "network_def#heads"),
        ("longitudinal_pairs", "semi_supervised", "train#dataloader"),
        ("label_fraction", "shipped", "normalizer"),
    ],
)
def test_of_two_recipes_for_one_part_the_last_is_said_to_replace_the_first(
    first: str, last: str, part: str, caplog: pytest.LogCaptureFixture
) -> None:
    check("train.json", first, last)
    assert f"recipe {last} replaces {part}, which recipe {first} has set; leave one out" in caplog.messages
