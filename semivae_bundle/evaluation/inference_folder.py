"""Where inference may write: nowhere that something would be lost which nobody asked to replace."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from semivae_bundle.data.wording import listed
from semivae_bundle.training.settings import differing


def refuse_folder_of_a_training(folder: Path) -> None:
    """Raise ValueError where a training keeps its features.csv, which inference would write over."""
    if (folder / "cohort.json").is_file():
        raise ValueError(
            f"output_dir: expected a folder for inference alone, found {folder} with the cohort.json of a training, "
            f"whose features.csv would be lost; pass --output_dir {folder / 'inference'}"
        )


def refuse_folder_of_the_scans(folder: Path, dataset_dir: str | Path) -> None:
    """Raise ValueError where a scan's results would lie among its images, and be taken for files of a person."""
    if folder.resolve() == Path(dataset_dir).resolve():
        raise ValueError(
            f"output_dir: expected another folder than dataset_dir, found {folder} for both; pass another --output_dir"
        )


def refuse_other_results(folder: Path, earlier: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raise ValueError where the scans of the run `earlier` in `folder` would go, as they are not of the run `now`."""
    changed = differing(identity(earlier), identity(now))
    if changed and (scans := earlier.get("subjects")):
        raise ValueError(
            f"{folder}: holds {len(scans)} scans made with other {', '.join(changed)}, whose results this run would "
            "delete; pass another --output_dir, or --overwrite true to replace them"
        )


def refuse_unrecorded(files: Iterable[Path]) -> None:
    """Raise ValueError where one of `files`, which an inference writes, is there, and no run.json says that it did."""
    if found := [file for file in files if file.exists()]:
        folder, names = found[0].parent, [file.name for file in found]
        raise ValueError(
            f"output_dir: expected none of the files that inference writes, since no run.json says that it did, found "
            f"{listed(names)} in {folder}; pass another --output_dir, or --overwrite true to replace them"
        )


def identity(record: Mapping[str, Any]) -> dict[str, str]:
    """What results depend on, each as text: what weights, normalizer and calibration hold, wherever they lie; the
    network, the package, and the settings by their names.
    """
    parts = {name: record.get(name, {}).get("sha256") for name in ("checkpoint", "normalizer", "calibration")}
    parts |= {name: record.get(name) for name in ("schema", "package_version", "network_sha256")}
    parts |= record.get("settings", {})
    return {name: json.dumps(value, sort_keys=True) for name, value in parts.items()}
