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
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import fire
import pandas as pd
import yaml

from semivae_bundle.bundle_run import check_options, config_files
from semivae_bundle.data.files import atomic_path, sha256_of_file
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


@dataclass(frozen=True)
class Job:
    """One training and its evaluation. `configs` are files; `options` override their ids."""

    row: str
    seed: int
    folder: Path
    configs: Sequence[Path]
    options: Mapping[str, Any]

    @property
    def report(self) -> Path:
        """Where the evaluation leaves its figures."""
        return self.folder / "evaluation" / "metrics.json"

    def remember(self, split: str) -> None:
        """Record what the folder is run with; ValueError where it was something else."""
        configs = {os.path.relpath(file, ROOT): sha256_of_file(file) for file in self.configs}
        refuse_other_options(self.folder / "row.json", {"configs": configs, "split": split, **self.options})


def ablation(
    dataset_dir: str,
    output_dir: str,
    rows: str | Sequence[str],
    base: str | None = None,
    epochs: int | None = None,
    seeds: int | Sequence[int] = (0,),
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
        at_once: how many to run at the same time where there is no GPU, each on its share of the cores; with GPUs it is
            one on each
        options: further overrides of all runs, as in --val_interval 2
    """
    if not isinstance(at_once, int) or at_once < 1:
        raise SystemExit(f"at_once: expected 1 or more, found {at_once}")
    out, numbers = Path(str(output_dir)).resolve(), [seeds] if isinstance(seeds, int) else list(seeds)
    given = {"dataset_dir": Path(str(dataset_dir)).resolve(), **options}
    if epochs is not None:
        given["epochs"] = epochs
    jobs = [job for name, row in read_rows(rows).items() for job in jobs_of(name, row, base, numbers, out, given)]
    for job in jobs:
        if (job.folder / "row.json").exists():
            job.remember(split)
    todo = [job for job in jobs if not job.report.exists()]
    devices: list[str | None] = [*visible_devices()] or [None] * at_once
    if len(devices) > 1 and len(todo) > 1:
        # What all share is made before they could get into each other's way.
        shared = {**given, **shared_files(out / "shared"), "seed": numbers[0], "output_dir": out / "shared"}
        run_bundle("precompute", configs_of((base,)), {**shared, "bundle_root": ROOT})
    run_jobs(todo, devices, split)
    lines = [
        {"row": job.row, "seed": job.seed}
        | figures(json.loads(job.report.read_text()), pd.read_csv(job.folder / "metrics.csv"))
        for job in jobs
    ]
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
    recipes, apart = entry.pop("recipes", []), entry.pop("apart", [])
    if not isinstance(recipes, list) or not set(apart) <= set(shared_files(Path())):
        raise ValueError(
            f"rows: expected a list of recipes, and apart among {list(shared_files(Path()))}, found {recipes=}, "
            f"{apart=}"
        )
    return Row(recipes, entry, apart)


def jobs_of(
    name: str, row: Row, base: str | None, seeds: Sequence[int], out: Path, given: Mapping[str, Any]
) -> Iterator[Job]:
    """One job per seed. ValueError for an option that no config knows, or that is not a row's to set."""
    if "seed" in {*given, *row.options}:
        raise ValueError(f"{name}: expected no option seed, which would change the splits; pass --seeds")
    configs = configs_of((base, *row.recipes))
    # The splits belong to the cohort, whatever the seed of a training.
    options = {**given, "cohort#seed": seeds[0]}
    options |= {option: file for option, file in shared_files(out / "shared").items() if option not in row.apart}
    options |= row.options
    check_options(options, [str(file) for file in configs])
    for seed in seeds:
        folder = out / (name if seed == seeds[0] else f"{name}@{seed}")
        yield Job(name, seed, folder, configs, {**options, "seed": seed})


def configs_of(recipes: Sequence[str | None]) -> list[Path]:
    """train.json and the recipes over it."""
    return [Path(file) for file in config_files(ROOT, ["train.json"], [recipe for recipe in recipes if recipe])]


def run_jobs(jobs: Sequence[Job], devices: Sequence[str | None], split: str) -> None:
    """Train and evaluate each, one at a time on a device; None is the CPU, or the one device there is."""
    own: dict[str, Any] = {"bundle_root": ROOT}
    several = len(devices) > 1
    if several and devices[0] is None:
        threads = max(1, (os.cpu_count() or 1) // len(devices))
        os.environ["OMP_NUM_THREADS"] = str(threads)
        own["workers"] = threads
        print(f"{len(devices)} rows at once, {threads} threads each: seconds per step are those of shared cores")
    by_name = {job.folder.name: job for job in jobs}

    def run(name: str, device: str | None) -> None:
        job = by_name[name]
        job.remember(split)
        options = {**job.options, **own, "output_dir": job.folder}
        evaluation = {**options, "evaluate_split": split, "shown_subjects": 1}
        for step, configs, chosen in (
            ("training", job.configs, options),
            ("evaluating", [*job.configs, ROOT / "configs" / "evaluate.json"], evaluation),
        ):
            print(f"== {name}: {step}", flush=True)
            run_bundle(step, configs, chosen, device, job.folder / f"{step}.txt" if several else None)

    on_devices(list(by_name), devices, run)


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
