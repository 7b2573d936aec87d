"""The commands that are a run id of the bundle's configs each, run as `python -m monai.bundle run` runs it."""

from __future__ import annotations

from typing import Any

from semivae_bundle.bundle_run import run_step


def index(dataset_dir: str | None = None, output_dir: str | None = None, recipe: Any = (), **options: Any) -> None:
    """Find and check the subjects of a folder, divide the patients: cohort.json, splits.json.

    Args:
        dataset_dir: the folder of subjects
        output_dir: where cohort.json and splits.json go
        recipe: one of configs/recipes by its name, or several as [ema,small]
        options: any id of configs/train.json, such as --manifest FILE or --strict true
    """
    run_step("index", ["train.json"], recipe, dataset_dir=dataset_dir, output_dir=output_dir, **options)


def precompute(dataset_dir: str | None = None, output_dir: str | None = None, recipe: Any = (), **options: Any) -> None:
    """Measure the masks, fit the normalizer, fill the cache of preprocessed scans.

    Args:
        dataset_dir: the folder of subjects
        output_dir: that of the index; features.csv, normalizer.json and cache go there
        recipe: one of configs/recipes by its name, or several as [ema,small]
        options: any id of configs/train.json, such as --manifest FILE or --workers 4
    """
    run_step("precompute", ["train.json"], recipe, dataset_dir=dataset_dir, output_dir=output_dir, **options)


def train(dataset_dir: str | None = None, output_dir: str | None = None, recipe: Any = (), **options: Any) -> None:
    """Train, running the earlier steps where their results are missing; goes on where an earlier run stopped.

    Args:
        dataset_dir: the folder of subjects
        output_dir: where cohort.json, features.csv, checkpoints and logs go
        recipe: one of configs/recipes by its name, or several as [ema,small]
        options: any id of configs/train.json, such as --epochs 30 or --network_def#encoder#base_filters 16
    """
    run_step("training", ["train.json"], recipe, dataset_dir=dataset_dir, output_dir=output_dir, **options)


def calibrate(dataset_dir: str | None = None, output_dir: str | None = None, recipe: Any = (), **options: Any) -> None:
    """Errors on --calibration_split (validation) -> calibration.json: intervals and a gate for strange scans.

    Args:
        dataset_dir: the folder of subjects
        output_dir: that of the training
        recipe: that of the training
        options: any id of configs/train.json or calibrate.json, such as --calibration_level 0.95
    """
    configs = ["train.json", "calibrate.json"]
    run_step("calibrating", configs, recipe, dataset_dir=dataset_dir, output_dir=output_dir, **options)


def evaluate(dataset_dir: str | None = None, output_dir: str | None = None, recipe: Any = (), **options: Any) -> None:
    """Evaluate the best checkpoint on --evaluate_split (test): metrics.json, predictions.csv, report.html.

    Args:
        dataset_dir: the folder of subjects
        output_dir: that of the training
        recipe: that of the training
        options: any id of configs/train.json or evaluate.json, such as --evaluate_split validation
    """
    configs = ["train.json", "evaluate.json"]
    run_step("evaluating", configs, recipe, dataset_dir=dataset_dir, output_dir=output_dir, **options)


def detect(dataset_dir: str | None = None, output_dir: str | None = None, recipe: Any = (), **options: Any) -> None:
    """Try the novelty gate on corrupted scans of the test split: evaluation/detection.json.

    Args:
        dataset_dir: the folder of subjects
        output_dir: that of the training
        recipe: that of the training
        options: any id of configs/train.json or evaluate.json, such as --detection_scans 30
    """
    configs = ["train.json", "evaluate.json"]
    run_step("detecting", configs, recipe, dataset_dir=dataset_dir, output_dir=output_dir, **options)


def repeat(dataset_dir: str | None = None, output_dir: str | None = None, recipe: Any = (), **options: Any) -> None:
    """Read scans again and again, and measure what agrees: evaluation/repeatability.json, repeatability.png.

    Args:
        dataset_dir: the folder of subjects
        output_dir: that of the training
        recipe: that of the training
        options: any id of configs/train.json or evaluate.json, such as --repeats 10
    """
    configs = ["train.json", "evaluate.json"]
    run_step("repeating", configs, recipe, dataset_dir=dataset_dir, output_dir=output_dir, **options)


def traverse(dataset_dir: str | None = None, output_dir: str | None = None, recipe: Any = (), **options: Any) -> None:
    """Move the features of --traversal_scans (20) codes and measure what is drawn: traversals.json, pictures.

    Args:
        dataset_dir: the folder of subjects
        output_dir: that of the training
        recipe: that of the training
        options: any id of configs/train.json or evaluate.json, such as --traversal_scans 5
    """
    configs = ["train.json", "evaluate.json"]
    run_step("traversing", configs, recipe, dataset_dir=dataset_dir, output_dir=output_dir, **options)


def infer(dataset_dir: str | None = None, output_dir: str | None = None, recipe: Any = (), **options: Any) -> None:
    """Scans without masks -> latents.csv, features.csv and a segmentation of the tumour each.

    Args:
        dataset_dir: the folder of subjects
        output_dir: where the tables and segmentations go; another folder than the training's
        recipe: that of the training
        options: any id of configs/inference.json, such as --checkpoint FILE and --normalizer_file FILE
    """
    run_step("evaluating", ["inference.json"], recipe, dataset_dir=dataset_dir, output_dir=output_dir, **options)


def schedules(output_dir: str | None = None, recipe: Any = (), **options: Any) -> None:
    """Draw the weight of each term over the training to schedules.png, without running it.

    Args:
        output_dir: where schedules.png goes
        recipe: those of the training, by name
        options: any id of configs/train.json, such as --epochs 100
    """
    run_step("draw_schedules", ["train.json"], recipe, output_dir=output_dir, **options)
