"""Recipes against each other: the same cohort, seed, grid and epochs, trained and evaluated through MONAI's runner.

    python scripts/ablation.py --dataset_dir demo/data --output_dir runs/ablation \
        --rows "[default,independence_distance,independence_hsic]" --base demo --epochs 20

A row is `default`, a recipe, or several joined by `+`. Goes on where it was interrupted: what is trained is not trained
again, and a row half done resumes. Writes ablation.csv and prints it as a table in Markdown.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import fire
import pandas as pd

from semivae_bundle.data.files import atomic_path
from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.evaluation.bundle_process import refuse_other_options, run_bundle, shared_files

ROOT = Path(__file__).resolve().parents[1]


def ablation(
    dataset_dir: str,
    output_dir: str,
    rows: Sequence[str],
    base: str | None = None,
    epochs: int | None = None,
    seed: int = 0,
    split: str = "validation",
    **options: Any,
) -> None:
    """Train, evaluate and tabulate.

    Args:
        dataset_dir: the cohort
        output_dir: a folder per row below it, and one of what they share: splits, features, cache
        rows: `default`, recipes, or recipes joined by +
        base: a recipe under all of them, such as demo
        epochs: of each training; what the configs say if left out
        seed: of splits and trainings
        split: which one to evaluate; decide on validation, report test once
        options: further overrides of all runs, as in --val_interval 2
    """
    out = Path(output_dir).resolve()
    overrides = {"dataset_dir": Path(dataset_dir).resolve(), "seed": seed, **shared_files(out / "shared"), **options}
    if epochs is not None:
        overrides["epochs"] = epochs
    found = {}
    for row in [rows] if isinstance(rows, str) else rows:
        folder = out / row
        recipes = [name for name in (base, *row.split("+")) if name and name != "default"]
        configs = ["train.json", *(f"recipes/{name}.yaml" for name in recipes)]
        report = folder / "evaluation" / "metrics.json"
        refuse_other_options(folder / "row.json", {"configs": configs, "split": split, **overrides})
        if not report.exists():
            files = [ROOT / "configs" / name for name in configs]
            run = {**overrides, "bundle_root": ROOT, "output_dir": folder}
            print(f"== {row}: training", flush=True)
            run_bundle("training", files, run)
            print(f"== {row}: evaluating", flush=True)
            run |= {"evaluate_split": split, "shown_subjects": 1}
            run_bundle("evaluating", [*files, ROOT / "configs" / "evaluate.json"], run)
        found[row] = figures(json.loads(report.read_text()), pd.read_csv(folder / "metrics.csv"))
    table = pd.DataFrame.from_dict(found, orient="index").astype(float)
    table.index.name = "row"
    with atomic_path(out / "ablation.csv") as part:
        table.to_csv(part)
    print(f"\n{markdown(table)}\n\n{out / 'ablation.csv'}: written")


def figures(report: Mapping[str, Any], history: pd.DataFrame) -> dict[str, float]:
    """What a row shows, from metrics.json and metrics.csv."""
    parts, pairs = report["partitions"], report["independence"]["pairs"].values()
    worst = max(pairs, key=lambda pair: pair["distance_correlation"] or 0.0)
    psnr = [report["image"][modality]["psnr_tumour_db"]["value"] for modality in MODALITIES]
    seconds = history[history["name"] == "time/seconds_per_step"]["value"]
    return {
        **{f"R² {name}": part["mean_r2"]["value"] for name, part in parts.items() if part["mean_r2"]},
        "residual active": parts["residual"]["active_units"],
        **{f"KL {name}": part["kl_nats"] for name, part in parts.items()},
        "largest |r|": report["independence"]["max_abs_correlation"],
        "distance correlation": worst["distance_correlation"],
        "p": worst["p_value"],
        "Dice": report["tumour_map"]["dice"]["total"]["value"],
        "PSNR tumour [dB]": sum(psnr) / len(psnr) if None not in psnr else float("nan"),
        "s per step": seconds.median(),
    }


def markdown(table: pd.DataFrame) -> str:
    """The table as Markdown, two or three digits each."""
    head = ["row", *table.columns]
    lines = [" | ".join(head), "|".join(["---"] * len(head))]
    for name, values in table.iterrows():
        lines.append(" | ".join([str(name), *(f"{value:.3g}" for value in values)]))
    return "\n".join(f"| {line} |" for line in lines)


if __name__ == "__main__":
    fire.Fire(ablation)
