"""One model per modality, trained one after the other or one per GPU, and their latents in one table."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from semivae_bundle.data.files import sha256_of_file
from semivae_bundle.data.subjects import MODALITIES
from semivae_bundle.evaluation.bundle_process import refuse_other_options, run_bundle, shared_files, visible_devices
from semivae_bundle.evaluation.device_queue import on_devices
from semivae_bundle.evaluation.fused_tables import r2_table, read_encodings, write_fusion
from semivae_bundle.features.normalizer import Normalizer

ENCODED = "encoded.csv"  # the last thing that a training with the recipe single_modality writes
# What may change between an interrupted run and the one that goes on.
HOW_IT_RUNS = ("workers", "loader_workers", "progress", "device")


def train_per_modality(
    dataset_dir: str | Path, output_dir: str | Path, config_files: Sequence[str | Path], options: Mapping[str, Any]
) -> Path:
    """Train a model on each of MODALITIES that has none yet, then write `output_dir`/fused; returns that folder.

    `config_files`: train.json, recipes, and single_modality.yaml as the last. `options`: further overrides of all four.
    A model lies in `output_dir`/<modality>; it is finished when its encoded.csv is there, and a half-trained one goes
    on. They share cohort, splits, features, normalizer and the folder of the cache. With several CUDA devices each
    trains one model at a time and prints to <modality>/training.log.
    Raises ValueError where a folder was run with other options, ChildProcessError where a training fails.
    """
    if "modality" in options:
        raise ValueError(
            f"modality: expected none, since each of {', '.join(MODALITIES)} gets a model, found "
            f"{options['modality']!r}; to train one, use the command train with --recipe single_modality"
        )
    out = Path(output_dir).resolve()
    overrides = {"dataset_dir": Path(dataset_dir).resolve(), **shared_files(out / "shared"), **options}
    record = {name: value for name, value in overrides.items() if name not in HOW_IT_RUNS}
    record["configs"] = {Path(file).name: sha256_of_file(file) for file in config_files}
    for modality in MODALITIES:
        refuse_other_options(out / modality / "options.json", record)
    todo = [modality for modality in MODALITIES if not (out / modality / ENCODED).is_file()]
    print(
        f"{out}: {len(MODALITIES) - len(todo)} models trained before, to train: {', '.join(todo) or 'none'}", flush=True
    )
    train_models(todo, out, config_files, overrides)
    encodings = read_encodings({modality: out / modality / ENCODED for modality in MODALITIES})
    content = write_fusion(encodings, Normalizer.from_json(overrides["normalizer_file"]), out / "fused")
    for split in content["r2"]:
        print(f"\nR² on {split}\n{r2_table(content, split).to_string(float_format='{:.3f}'.format)}")
    print(f"\n{out / 'fused'}: latents.csv, features.csv and fusion.json written", flush=True)
    return out / "fused"


def train_models(
    modalities: Sequence[str], out: Path, config_files: Sequence[str | Path], options: Mapping[str, Any]
) -> None:
    """`run training` for each, on as many CUDA devices as there are."""
    devices: list[str | None] = list(visible_devices()[: len(modalities)])
    if not devices:
        devices = [None]

    def options_of(modality: str) -> dict[str, Any]:
        return {**options, "modality": modality, "output_dir": out / modality}

    def train(modality: str, device: str | None) -> None:
        log = out / modality / "training.log" if len(devices) > 1 else None
        print(f"== {modality}: training" + (f" on CUDA device {device}, see {log}" if log else ""), flush=True)
        begun = time.perf_counter()
        run_bundle("training", config_files, options_of(modality), device, log)
        print(f"== {modality}: trained in {time.perf_counter() - begun:.0f} s", flush=True)

    if len(devices) > 1:
        # The records that all of them share are made once, before they would all begin to make them.
        run_bundle("precompute", config_files, options_of(modalities[0]))
    on_devices(modalities, devices, train)
