"""The steps of the work as commands: `python -m semivae_bundle phantom|index|precompute|train|per_modality|calibrate|
evaluate|detect|repeat|traverse|report|compare|infer|growth|schedules|version`.

Each step but `phantom`, `per_modality`, `report`, `compare`, `growth` and `version`, which are here, is a run id of the
bundle's configs (`command_steps`). What a command adds: it finds the configs, mixes in recipes, refuses a misspelt
option, and says what is wrong in a line.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import fire

from semivae_bundle import __version__
from semivae_bundle.bundle_run import (
    bundle_root,
    check_options,
    config_files,
    find_recipe,
    folder_option,
    given_options,
)
from semivae_bundle.command_errors import ending_in_a_line
from semivae_bundle.command_steps import (
    calibrate,
    detect,
    evaluate,
    index,
    infer,
    precompute,
    repeat,
    schedules,
    train,
    traverse,
)
from semivae_bundle.command_words import check_command, check_words
from semivae_bundle.data.flags import read_flags
from semivae_bundle.growth.priors import PHANTOM_LOG_CAPACITY, PHANTOM_LOG_RATE


def phantom(
    output_dir: str = "data/phantom",
    n: int = 300,
    *,
    size: int = 64,
    spacing: float = 3.75,
    seed: int = 0,
    contrast: str = "mixed",
    unlabelled: float = 0.0,
    missing_modality: float = 0.0,
    visits: int = 1,
    tissues: bool = False,
    workers: int = -1,
    progress: bool = True,
) -> None:
    """Make a cohort of phantoms with known tumours, as BraTS 2023 files and factors.csv.

    Args:
        output_dir: folder to write; what is there complete is kept
        n: number of patients; may grow later
        size: voxels per side of the cubic images
        spacing: mm per voxel; size x spacing must hold a head, 200 mm or more
        seed: patient i depends on (seed, i) only
        contrast: standard, random or mixed
        unlabelled: share of patients without a mask
        missing_modality: share of patients without one of the four images
        visits: scans per patient
        tissues: write ID-tissues.npz too, for the recipe synthesised_contrast; adds to a cohort made without
        workers: processes, -1 for one per core
        progress: show a progress bar
    """
    from semivae_bundle.data.phantom.cohort import generate_phantoms

    factors = generate_phantoms(
        folder_option("output_dir", output_dir),
        n,
        size=size,
        spacing=spacing,
        seed=seed,
        contrast=contrast,
        unlabelled=unlabelled,
        missing_modality=missing_modality,
        visits=visits,
        workers=workers,
        **read_flags(tissues=tissues, progress=progress),
    )
    print(f"{factors}: written")


def per_modality(dataset_dir: str, output_dir: str, recipe: Any = (), **options: Any) -> None:
    """Train one model per modality, or the ones that are missing, and fuse them: fused/latents.csv, features.csv.

    Args:
        dataset_dir: the folder of subjects
        output_dir: a folder per modality and the folder fused go there
        recipe: one of configs/recipes by its name, or several as [ema,small]
        options: any id of configs/train.json, such as --epochs 30
    """
    from semivae_bundle.evaluation.per_modality import train_per_modality

    root = bundle_root().resolve()
    files = [*config_files(root, ["train.json"], recipe), str(find_recipe("single_modality", root))]
    given = given_options(options)
    check_options(given, files)
    data, output = folder_option("dataset_dir", dataset_dir), folder_option("output_dir", output_dir)
    train_per_modality(data, output, files, {"bundle_root": str(root), **given})


def report(evaluation_dir: str, **targets: float) -> None:
    """Write report.html again from metrics.json, predictions.csv and the figures of an evaluation; no network is run.

    Args:
        evaluation_dir: the folder of metrics.json
        targets: other targets of the verdicts than the evaluation's, such as --shape_r2 0.6
    """
    from semivae_bundle.evaluation.report_page import read_metrics, recorded_targets, write_report_page
    from semivae_bundle.evaluation.verdict_targets import targets_from

    folder = Path(folder_option("evaluation_dir", evaluation_dir))
    recorded = recorded_targets(read_metrics(folder), bundle_root() / "configs" / "evaluate.json")
    print(f"{write_report_page(folder, targets_from({**recorded, **targets}))}: written")


def compare(
    first: str, second: str, output_dir: str | None = None, *, draws: int = 9999, false_discovery_rate: float = 0.05
) -> None:
    """Compare two evaluations of the same subjects, with paired tests: comparison.csv, comparison.md, comparison.png.

    Args:
        first: the folder of one run's metrics.json and predictions.csv
        second: that of the other
        output_dir: folder to write; the folder `comparison` below the second if not given
        draws: random signs of the test
        false_discovery_rate: share of false ones allowed among the features said to differ
    """
    from semivae_bundle.evaluation.comparison_report import write_comparison

    one, other = Path(folder_option("first", first)), Path(folder_option("second", second))
    folder = other / "comparison" if output_dir is None else Path(folder_option("output_dir", output_dir))
    file, text = write_comparison(one, other, folder, draws=draws, false_discovery_rate=false_discovery_rate)
    print(f"{text}\n{file}: written")


def growth(
    inference: str,
    output_dir: str | None = None,
    *,
    log_rate: Sequence[float] = PHANTOM_LOG_RATE,
    log_capacity: Sequence[float] = PHANTOM_LOG_CAPACITY,
    factors: str | None = None,
    keep_novel: bool = False,
) -> None:
    """An inference on dated visits -> a Gompertz curve per patient: growth.csv, growth.json, growth.png.

    Args:
        inference: the folder of latents.csv and features.csv
        output_dir: folder to write; that of the inference if not given
        log_rate: mean and standard deviation over patients of ln(a), a per year; the phantoms' if not given
        log_capacity: the same of ln(K), K in mm3; the phantoms' if not given
        factors: factors.csv of a phantom cohort, to compare with
        keep_novel: take scans that the novelty gate turns away too
    """
    from semivae_bundle.growth.curves import write_growth_curves

    scans = folder_option("inference", inference)
    write_growth_curves(
        Path(scans),
        Path(scans if output_dir is None else folder_option("output_dir", output_dir)),
        log_rate=log_rate,
        log_capacity=log_capacity,
        factors=None if factors is None else Path(folder_option("factors", factors)),
        **read_flags(keep_novel=keep_novel),
    )


def version() -> None:
    """Print the versions that a report should name."""
    import monai
    import torch

    print(f"semivae_bundle {__version__}\nmonai {monai.__version__}\ntorch {torch.__version__}")


COMMANDS: dict[str, Callable[..., None]] = {
    "phantom": phantom,
    "index": index,
    "precompute": precompute,
    "train": train,
    "per_modality": per_modality,
    "calibrate": calibrate,
    "evaluate": evaluate,
    "report": report,
    "compare": compare,
    "detect": detect,
    "repeat": repeat,
    "traverse": traverse,
    "infer": infer,
    "growth": growth,
    "schedules": schedules,
    "version": version,
}


def asking_for_help(arguments: Sequence[str]) -> list[str]:
    """The arguments, or the command's `-- --help` if they ask for it: Fire hands --help to a command with **options."""
    if not {"--help", "-h"} & set(arguments):
        return list(arguments)
    return [*(name for name in arguments[:1] if name in COMMANDS), "--", "--help"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Run one command."""
    words = asking_for_help(sys.argv[1:] if arguments is None else arguments)
    with ending_in_a_line():
        if words:
            check_command(words[0], list(COMMANDS))
        if words and words[0] in COMMANDS:
            check_words(words[0], COMMANDS[words[0]], words[1:])
        fire.Fire(COMMANDS, command=words, name="semivae_bundle")


if __name__ == "__main__":
    main()
