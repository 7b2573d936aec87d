"""The demo in one table: `python scripts/demo_table.py demo`, called at the end of scripts/demo.sh."""

import csv
import json
from pathlib import Path
from typing import Any

import fire
import numpy as np

from semivae_bundle.data.masks import read_mask
from semivae_bundle.evaluation.summary_table import aligned
from semivae_bundle.features.measure import measure_mask
from semivae_bundle.features.schema import feature_of

FOV_MM = (240.0, 240.0, 240.0)


def table(demo: str) -> None:
    """Print quality on the held-out splits, the unseen subject, the seconds of each step, and where the figures are."""
    folder, out = Path(demo), Path(demo) / "outputs"
    splits = {"validation": out / "evaluation_validation", "test": out / "evaluation"}
    reports = {name: json.loads((place / "metrics.json").read_text()) for name, place in splits.items()}
    columns = {name: quality(report) for name, report in reports.items()}
    rows = [["demo", *columns]]
    rows += [[name, *(column[name] for column in columns.values())] for name in columns["test"]]
    rows.append(["unseen subject", "measured", "predicted"])
    rows += unseen(folder / "unseen", out / "inference" / "features.csv")
    rows.append(["step", "seconds", ""])
    steps = [line.split("\t") for line in (folder / "seconds.tsv").read_text().splitlines()]
    spent: dict[str, int] = {}
    for name, seconds in steps:  # A step has a line of each start of the demo.
        spent[name] = spent.get(name, 0) + int(seconds)
    rows += [[name, str(seconds), ""] for name, seconds in spent.items()]
    rows.append(["all", str(sum(spent.values())), ""])
    print(f"\n{aligned(rows)}\n\nfigures: {splits['test']}/*.png (test), {splits['validation']}/*.png (validation)")


def quality(report: dict[str, Any]) -> dict[str, str]:
    """Name of a figure -> what the table shows."""
    location = [figures["r2"]["value"] for figures in report["features"].values() if figures["partition"] == "loc"]
    residual = report["partitions"]["residual"]
    return {
        "subjects": str(report["subjects"]["evaluated"]),
        "R² vol_total": show(report["features"]["vol_total"]["r2"]["value"]),
        "R² location, mean of axes": show(None if None in location else float(np.mean(location))),
        "R² mean of partitions": show(report["mean_r2"]["value"]),
        "residual active units": f"{residual['active_units']} of {residual['dimensions']}",
        "tumour Dice, decoded": show(report["tumour_map"]["dice"]["total"]["value"]),
        "tumour Dice, segmented": show(report["tumour_map"]["segmentation"]["dice"]["total"]["value"]),
    }


def unseen(dataset_dir: Path, features_file: Path) -> list[list[str]]:
    """Volume in ml and place in mm of the one unseen subject, by its mask and by the network."""
    scan = next(path for path in sorted(dataset_dir.iterdir()) if path.is_dir())
    labels, spacing = read_mask(scan / f"{scan.name}-seg.nii.gz", {0: 0, 1: 1, 2: 2, 3: 3})
    measured = measure_mask(labels, spacing, fov_mm=FOV_MM)
    with features_file.open(newline="") as stream:
        predicted = next(row for row in csv.DictReader(stream) if row["subject"] == scan.name)
    rows = []
    for column in ("vol_total", "loc_x_total", "loc_y_total", "loc_z_total"):
        feature = feature_of(column)
        values = feature.to_physical(np.array([measured[column]]), FOV_MM)[0], float(predicted[feature.physical_column])
        scale, unit = (1e-3, "ml") if feature.physical_unit == "mm3" else (1.0, feature.physical_unit)
        rows.append([f"{column} [{unit}]", *(f"{value * scale:.1f}" for value in values)])
    return rows


def show(value: float | None) -> str:
    """A figure, or a dash where there is none."""
    return "-" if value is None else f"{value:.3f}"


if __name__ == "__main__":
    fire.Fire(table)
