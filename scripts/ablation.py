"""Recipes against each other: the same cohort, splits, grid and epochs, trained and evaluated through MONAI's runner.

    python scripts/ablation.py --dataset_dir demo/data --output_dir runs/ablation \
        --rows "[default,independence_distance,independence_hsic]" --base demo --epochs 20
    python scripts/ablation.py --dataset_dir demo/data --output_dir runs/labels --rows scripts/ablations/labels.yaml

A row is `default`, a recipe, or several joined by `+`; or an entry of a YAML file, name: {recipes: [...], apart: [...],
option: value, ...}, where `apart` names shared files that this row has to have for itself. Goes on where it was
interrupted: what is trained is not trained again, and a row half done resumes. Writes ablation.csv, a line per row and
seed, and prints a table in Markdown, mean and standard deviation over the seeds.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fire
import pandas as pd
import yaml

from semivae_bundle.data.files import atomic_path
from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.evaluation.bundle_process import refuse_other_options, run_bundle, shared_files, visible_devices
from semivae_bundle.evaluation.device_queue import on_devices

ROOT = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Row:
    """What a row lays over the base: recipes, options; and the shared files that it has apart."""

    recipes: Sequence[str] = ()
    options: Mapping[str, Any] = field(default_factory=dict)
    apart: Sequence[str] = ()


def ablation(
    dataset_dir: str,
    output_dir: str,
    rows: str | Sequence[str],
    base: str | None = None,
    epochs: int | None = None,
    seeds: Sequence[int] = (0,),
    split: str = "validation",
    at_once: int = 1,
    **options: Any,
) -> None:
    """Train, evaluate and tabulate.

    Args:
        dataset_dir: the cohort
        output_dir: a folder per row and seed below it, and one of what they share: splits, features, cache
        rows: `default`, recipes, or recipes joined by +; or a YAML file of rows
        base: a recipe under all of them, such as demo
        epochs: of each training; what the configs say if left out
        seeds: of the trainings; the splits are those of the first
        split: which one to evaluate; decide on validation, report test once
        at_once: how many to run at the same time where there is no GPU, each on its share of the cores that
            OMP_NUM_THREADS allows; with GPUs it is one on each
        options: further overrides of all runs, as in --val_interval 2
    """
    out, chosen = Path(output_dir).resolve(), read_rows(rows)
    given = {"dataset_dir": Path(dataset_dir).resolve(), "bundle_root": ROOT, **options}
    if epochs is not None:
        given["epochs"] = epochs
    first = seeds[0]
    # The splits belong to the cohort, whatever the seed of a training.
    given |= {"cohort#seed": first, "index#seed": first}
    shared = shared_files(out / "shared")
    jobs = {}
    for name, row in chosen.items():
        recipes = [recipe for recipe in (base, *row.recipes) if recipe]
        configs = ["train.json", *(f"recipes/{recipe}.yaml" for recipe in recipes)]
        files = {option: file for option, file in shared.items() if option not in row.apart}
        for seed in seeds:
            folder = out / (name if seed == first else f"{name}@{seed}")
            overrides = {**given, **files, **row.options, "seed": seed}
            refuse_other_options(folder / "row.json", {"configs": configs, "split": split, **overrides})
            overrides["output_dir"] = folder
            jobs[folder.name] = (name, seed, [ROOT / "configs" / config for config in configs], overrides)
    devices: list[str | None] = [*visible_devices()] or [None] * at_once
    todo = [job for job in jobs if not report_of(out / job).exists()]
    if len(todo) > 1 and len(devices) > 1:
        # What all share is made before they could get into each other's way.
        under = [ROOT / "configs" / name for name in ("train.json", *([f"recipes/{base}.yaml"] if base else []))]
        run_bundle("precompute", under, {**given, **shared, "seed": first, "output_dir": out / "shared"})

    def run(job: str, device: str | None) -> None:
        _, _, files, overrides = jobs[job]
        evaluation = {**overrides, "evaluate_split": split, "shown_subjects": 1}
        steps = {
            "training": (files, overrides),
            "evaluating": ([*files, ROOT / "configs" / "evaluate.json"], evaluation),
        }
        for step, (configs, options_of_step) in steps.items():
            print(f"== {job}: {step}", flush=True)
            run_bundle(step, configs, options_of_step, device, out / job / f"{step}.txt" if len(devices) > 1 else None)

    on_devices(todo, devices, run)
    lines = []
    for job, (name, seed, _, _) in jobs.items():
        report = json.loads(report_of(out / job).read_text())
        lines.append({"row": name, "seed": seed, **figures(report, pd.read_csv(out / job / "metrics.csv"))})
    table = pd.DataFrame(lines).set_index(["row", "seed"]).astype(float)
    with atomic_path(out / "ablation.csv") as part:
        table.to_csv(part)
    print(f"\n{markdown(table)}\n\n{out / 'ablation.csv'}: written")


def read_rows(rows: str | Sequence[str]) -> dict[str, Row]:
    """From names of recipes, or from a YAML file."""
    if isinstance(rows, str) and Path(rows).suffix in (".yaml", ".yml"):
        entries = yaml.safe_load(Path(rows).read_text(encoding="utf-8"))
        return {name: _row(dict(entry or {})) for name, entry in entries.items()}
    names = [rows] if isinstance(rows, str) else list(rows)
    return {name: Row([recipe for recipe in name.split("+") if recipe != "default"]) for name in names}


def _row(entry: dict[str, Any]) -> Row:
    return Row(entry.pop("recipes", ()), apart=entry.pop("apart", ()), options=entry)


def report_of(folder: Path) -> Path:
    """Where a row's evaluation leaves its figures."""
    return folder / "evaluation" / "metrics.json"


def figures(report: Mapping[str, Any], history: pd.DataFrame) -> dict[str, float]:
    """What a row shows, from metrics.json and metrics.csv."""
    parts, pairs = report["partitions"], report["independence"]["pairs"].values()
    worst = max(pairs, key=lambda pair: pair["distance_correlation"] or 0.0)
    psnr = [report["image"][modality]["psnr_tumour_db"]["value"] for modality in MODALITIES]
    seconds = history[history["name"] == "time/seconds_per_step"]["value"]
    volume = report["features"].get("vol_total")
    return {
        **({"R² vol_total": volume["r2"]["value"]} if volume else {}),
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
    """The table as Markdown, three digits each; mean ± standard deviation where a row has several seeds."""
    lines = [" | ".join(["row", *table.columns]), "|".join(["---"] * (len(table.columns) + 1))]
    for name, values in table.groupby(level="row", sort=False):
        mean, spread = values.mean(), values.std(ddof=1)
        cells = [f"{mean[c]:.3g}" + (f" ± {spread[c]:.2g}" if len(values) > 1 else "") for c in table.columns]
        lines.append(" | ".join([str(name), *cells]))
    return "\n".join(f"| {line} |" for line in lines)


if __name__ == "__main__":
    fire.Fire(ablation)
