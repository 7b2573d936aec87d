"""Traversals of a split's scans: traversals.json, figures and animations."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from torch import nn
from tqdm import tqdm

from semivae_bundle.data.files import write_json_atomically
from semivae_bundle.evaluation.bootstrap import FloatArray
from semivae_bundle.evaluation.figure_style import save_figure
from semivae_bundle.evaluation.figure_traversal_curves import curves_figure
from semivae_bundle.evaluation.figure_traversal_leakage import traversal_leakage_figure
from semivae_bundle.evaluation.figure_traversal_strip import strip_figure
from semivae_bundle.evaluation.report import Intervals
from semivae_bundle.evaluation.traversal import Drawn, Traversal, traverse
from semivae_bundle.evaluation.traversal_animation import write_animation
from semivae_bundle.evaluation.traversal_codes import Change, nearest_change, no_usual_change, usual_change
from semivae_bundle.evaluation.traversal_encoding import EncodedScans, encode_scans
from semivae_bundle.evaluation.traversal_options import TraversalOptions
from semivae_bundle.evaluation.traversal_report import direction_section, moves_of, traversal_report, traversal_table
from semivae_bundle.evaluation.traversal_request import central_ranges, requested_values
from semivae_bundle.evaluation.traversal_scores import code_distance
from semivae_bundle.evaluation.traversal_strip import Strip, strip_of
from semivae_bundle.features.normalizer import Normalizer


@dataclass(frozen=True)
class Setting:
    """What all traversals of a run share. `moves`: name -> heads; `central` (F, 2) from `central_ranges`; `brain`
    (D, H, W) of the first scan.
    """

    network: nn.Module
    normalizer: Normalizer
    options: TraversalOptions
    moves: Mapping[str, Sequence[int]]
    central: FloatArray
    patients: Mapping[str, str]
    encoded: EncodedScans
    brain: NDArray[np.bool_]
    progress: bool


def write_traversals(
    dataset: Sequence[Mapping[str, Any]],
    network: nn.Module,
    normalizer: Normalizer,
    features: pd.DataFrame,
    splits: Mapping[str, Sequence[str]],
    patients: Mapping[str, str],
    options: TraversalOptions,
    intervals: Intervals,
    folder: str | Path,
    provenance: Mapping[str, Any],
    progress: bool,
) -> None:
    """Traverse the first `options.scans` scans of `dataset`; the first of them is the one that pictures show.

    `network`: SemiVAE with its weights, in evaluation mode. `features`, `splits`: whose training subjects give the
    range of shapes. `patients`: subject -> patient. Raises ValueError for a feature that is no target and for heads
    without an inverse, before any scan is read.
    """
    heads: nn.Module = network.heads  # type: ignore[assignment]
    nearest, moves = nearest_change(heads), moves_of(options, normalizer)
    central = central_ranges(features, splits, normalizer, options.central_share)
    encoded = encode_scans(dataset, network, max(options.scans, options.code_scans), progress=progress)
    brain = dataset[0]["brain"][0].numpy() > 0
    setting = Setting(network, normalizer, options, moves, central, patients, encoded, brain, progress)
    sections, strips, distance = {}, {}, code_distance(encoded.codes)
    for direction, change in _directions(heads, nearest, encoded).items():
        moved, strips[direction] = _traverse_all(setting, change, direction)
        sections[direction] = direction_section(moved, normalizer, options, intervals, distance)
    if reason := no_usual_change(heads, encoded.predicted):
        sections["usual"] = {"missing": reason}
    report = traversal_report(sections, normalizer, options, intervals, central, provenance)
    folder = Path(folder)
    write_json_atomically(folder / "traversals.json", report)
    pictures = _write_pictures(folder, sections, strips)
    print(traversal_table(report))
    print(f"\nwritten: {folder}/traversals.json and {len(pictures)} pictures")


def _directions(heads: nn.Module, nearest: Change, encoded: EncodedScans) -> dict[str, Change]:
    if no_usual_change(heads, encoded.predicted):
        return {"nearest": nearest}
    return {"nearest": nearest, "usual": usual_change(encoded.codes, encoded.predicted)}


def _traverse_all(setting: Setting, change: Change, direction: str) -> tuple[dict[str, list[Traversal]], list[Strip]]:
    """All traversals in one direction, and the first scan's pictures."""
    moved: dict[str, list[Traversal]] = {name: [] for name in setting.moves}
    strips: list[Strip] = []
    scans = min(setting.options.scans, len(setting.encoded.scans))
    bar = tqdm(total=scans * len(moved), desc=f"traverse, {direction}", file=sys.stdout, disable=not setting.progress)
    with bar:
        for index in range(scans):
            for name, one, drawn in _traverse_scan(setting, change, index):
                moved[name].append(one)
                if index == 0:
                    column = setting.normalizer.columns[one.position]
                    strips.append(strip_of(one, drawn, setting.brain, column, name))
                bar.update(1)
    return moved, strips


def _traverse_scan(setting: Setting, change: Change, index: int) -> Iterator[tuple[str, Traversal, Drawn]]:
    """The traversals of one scan, one at a time, so that no more than one holds its volumes."""
    normalizer, scan = setting.normalizer, setting.encoded.scans[index]
    weights = next(setting.network.parameters())
    mean = torch.from_numpy(setting.encoded.codes[index]).to(weights)
    spacing = (np.array(normalizer.fov_mm) / setting.brain.shape).tolist()
    for name, places in setting.moves.items():
        values = {
            place: requested_values(
                setting.encoded.predicted[index], place, normalizer, setting.options, setting.central
            )
            for place in places
        }
        patient = setting.patients.get(scan, scan)
        yield name, *traverse(setting.network, normalizer, change, mean, values, spacing, scan, patient)


def _write_pictures(
    folder: Path, sections: Mapping[str, Mapping[str, Any]], strips: Mapping[str, Sequence[Strip]]
) -> list[Path]:
    """Figures and animations; those of an earlier run that this one did not make are removed."""
    written = []
    for direction, of_direction in strips.items():
        curves = curves_figure(sections[direction]["features"])
        written.append(save_figure(curves, folder / f"traversal_curves_{direction}.png"))
        leakage = traversal_leakage_figure(sections[direction]["leakage"])
        written.append(save_figure(leakage, folder / f"traversal_leakage_{direction}.png"))
        for strip in of_direction:
            name = f"traversal_of_{strip.name}_{direction}"
            written.append(save_figure(strip_figure(strip), folder / f"{name}.png"))
            written.append(write_animation(strip, folder / f"{name}.gif"))
    for old in set(folder.glob("traversal_*.*")) - set(written):
        old.unlink()
    return written
