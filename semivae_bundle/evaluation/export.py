"""Writes what inference finds, scan by scan."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
from ignite.engine import Engine, Events
from numpy.typing import NDArray

from semivae_bundle.data.wording import listed
from semivae_bundle.evaluation.export_volumes import segmented_volumes, write_on_grid_of
from semivae_bundle.evaluation.inference_run import InferenceRun
from semivae_bundle.evaluation.predictions import latent_columns

VOXEL_TYPES = {"pred": np.uint8, "decoded": np.uint8}  # others are float32


class InferenceExport:
    """After each scan: its volumes on its own grid, then its rows in latents.csv and features.csv.

    Expects the post-processed output of a decollating evaluator: pred (1, D, H, W), mean, log_var (L,), result (with
    intervals and novelty if there is a calibration), and what else the run saves: decoded (1, D, H, W), reconstruction
    (4, D, H, W), attention_<partition> (K, D, H, W). Put it after the loader of the weights: what it enters in `run`
    counts as done.
    """

    def __init__(self, run: InferenceRun, partition: Mapping[str, int]) -> None:
        self.run = run
        self.names = latent_columns(partition)

    def attach(self, engine: Engine) -> None:
        """Start, write, sum up."""
        engine.add_event_handler(Events.STARTED, self.start)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self.write)
        engine.add_event_handler(Events.COMPLETED, self.finish)

    def start(self, engine: Engine) -> None:
        """The weights fit, or their loader would have raised before: earlier results may be replaced from here on."""
        self.begun, self.count = time.perf_counter(), 0
        self.run.begin()

    def write(self, engine: Engine) -> None:
        """Write the scans of one batch."""
        for item, output in zip(engine.state.batch, engine.state.output, strict=True):
            self.write_scan(str(item["subject"]), output)

    def write_scan(self, subject: str, output: Mapping[str, Any]) -> None:
        """Volumes first, rows after: a row in the tables vouches for the files."""
        source = self.run.scans[subject].files[0]
        files = self.run.volume_files(subject)
        volumes: dict[str, NDArray[Any]] = {
            key: np.asarray(output[key].cpu(), dtype=VOXEL_TYPES.get(key, np.float32)) for key in files
        }
        for key, file in files.items():
            write_on_grid_of(source, volumes[key], file)
        latents = latent_row(self.names, output["mean"].tolist(), output["log_var"].tolist())
        result = output["result"]
        features = feature_row(result) | segmented_volumes(source, volumes["pred"])
        self.run.complete(subject, latents, features, result.get("novelty"))
        self.count += 1

    def finish(self, engine: Engine) -> None:
        """One line at the end."""
        seconds = (time.perf_counter() - self.begun) / max(self.count, 1)
        volumes = ", ".join(file.name for file in self.run.volume_files("SUBJECT").values())
        tables = ", ".join(table.file.name for table in self.run.tables())
        print(f"\nwritten below {self.run.output_dir}: {tables}, SUBJECT/{volumes}, run.json")
        print(f"{self.count} scans, {seconds:.1f} s each")
        if strange := self.run.turned_away():
            print(f"{len(strange)} unlike the scans calibrated on, see novelty.csv: {listed(strange)}", flush=True)


def latent_row(names: list[str], mean: list[float], log_var: list[float]) -> dict[str, float]:
    """The posterior as one row: mean_<partition>_<i>, then log_var_<partition>_<i>."""
    row = {f"mean_{name}": value for name, value in zip(names, mean, strict=True)}
    return row | {f"log_var_{name}": value for name, value in zip(names, log_var, strict=True)}


def feature_row(result: Mapping[str, Any]) -> dict[str, str | float]:
    """The features, each followed by its bounds where there are any; a bound that does not exist is an empty cell."""
    row: dict[str, str | float] = {}
    bounds = result.get("intervals", {})
    for name, value in result["features"].items():
        row[name] = value
        for side in ("lower", "upper"):
            if (column := f"{name}_{side}") in bounds:
                row[column] = "" if bounds[column] is None else bounds[column]
    return row
